//! Reading beside a sync that runs, after one that was interrupted, and after some that failed.

use std::fs;

use instep_testkit::machine::{Output, Pair};
use serde_json::Value;

fn json(output: &Output) -> Value {
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("a"), "1\n").unwrap();
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    pair
}

#[test]
fn status_log_and_conflicts_answer_while_another_process_works() {
    let pair = agreed();
    let left = &pair.left;
    fs::write(left.folder().join("b"), "2\n").unwrap();
    let file = fs::File::open(left.folder().join(".instep/lock")).unwrap();
    file.lock().unwrap();
    let status = left.run(["status"]);
    assert!(status.code == 0 && status.stdout.contains("Working   ↑ 1 to send"), "{status}");
    assert!(status.stderr.contains("is running"), "{status}");
    assert_eq!(json(&left.run(["status", "--json"]))["state"], "working");
    assert_eq!(json(&left.run(["log", "--json"]))["operations"][0]["verb"], "init");
    assert_eq!(left.run(["conflicts"]).stdout, "✓ No conflicts.\n");
    drop(file);
    let status = left.run(["status"]);
    assert!(!status.mentions("Working") && status.stdout.contains("↑ 1 to send"), "{status}");
}

#[test]
fn status_tells_of_syncs_that_failed_until_one_succeeds() {
    let pair = agreed();
    let left = &pair.left;
    let (there, elsewhere) = (pair.bare.path().to_owned(), pair.area().join("unmounted"));
    fs::rename(&there, &elsewhere).unwrap();
    for _ in 0..2 {
        assert_eq!(left.run(["sync"]).code, 10);
    }
    fs::write(left.folder().join("b"), "2\n").unwrap();
    let away = json(&left.run(["status", "--json"]));
    assert_eq!((&away["changes"][0]["path"], &away["state"]), (&"b".into(), &"problem".into()));
    fs::rename(&elsewhere, &there).unwrap();
    let status = left.run(["status"]);
    assert!(status.stdout.contains("Problem: 2 syncs failed"), "{status}");
    assert!(status.stdout.contains("E-REMOTE-MISSING"), "{status}");
    let health = json(&left.run(["status", "--json"]))["sync_health"].clone();
    assert_eq!((&health["consecutive_failures"], &health["status"]), (&2.into(), &"attention".into()));
    assert!(health["last_error"].is_string() && health["last_error_time"].is_string(), "{health}");
    assert_eq!(left.run(["sync"]).code, 0);
    let health = json(&left.run(["status", "--json"]))["sync_health"].clone();
    assert_eq!((&health["consecutive_failures"], &health["last_error"]), (&0.into(), &Value::Null));
}
