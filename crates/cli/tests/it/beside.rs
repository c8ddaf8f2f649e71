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

#[test]
fn whoever_only_reads_never_waits_for_a_sync() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    fs::write(left.folder().join("a"), "1\n").unwrap();
    fs::write(left.folder().join("b"), "1\n").unwrap();
    pair.connect();
    for (machine, text) in [(right, "right\n"), (left, "left\n")] {
        fs::write(machine.folder().join("a"), text).unwrap();
        machine.run(["sync"]);
    }
    fs::write(left.folder().join("b"), "2\n").unwrap();
    let first = json(&left.run(["log", "--json"]))["operations"][0]["id"].as_str().unwrap().to_owned();
    let reads: &[(&[&str], &str)] = &[
        (&["conflicts", "c1"], "-1\n+right\n"),
        (&["explain", "a"], "In conflict since"),
        (&["explain", "b"], "Waits: it goes with the next sync."),
        (&["diff"], "-1\n+2\n"),
        (&["diff", "--base", "a"], "-1\n+left\n"),
        (&["diff", "--at", &first], "-1\n+2\n"),
        (&["status", "--fetch"], "Changed here\n  M  b"),
        (&["doctor"], "ok       lock"),
        (&["verify", "--read-data"], "No faults"),
    ];
    let file = fs::File::open(left.folder().join(".instep/lock")).unwrap();
    let answers = |when: &str| {
        for (words, expected) in reads {
            let answer = left.run(*words);
            assert!(answer.code == 0 && answer.stdout.contains(expected), "{when}, {words:?}: {answer}");
            assert!(!answer.mentions("waiting"), "{when}, {words:?}: {answer}");
        }
    };
    answers("alone");
    file.lock().unwrap();
    answers("beside a sync");
}

#[test]
fn a_status_beside_a_sync_asks_the_remote_too() {
    let pair = agreed();
    let (left, right) = (&pair.left, &pair.right);
    assert_eq!(right.connect(&pair.bare).code, 0);
    assert_eq!(left.run(["sync"]).code, 0);
    let file = fs::File::open(left.folder().join(".instep/lock")).unwrap();
    file.lock().unwrap();
    let asked = left.run(["status", "--fetch"]);
    assert!(asked.code == 0 && !asked.mentions("moved on"), "{asked}");
    fs::write(right.folder().join("new"), "1\n").unwrap();
    assert_eq!(right.run(["sync"]).code, 0);
    let asked = left.run(["status", "--fetch"]);
    assert!(asked.code == 0 && asked.stderr.contains("The remote moved on"), "{asked}");
    let elsewhere = pair.area().join("unmounted");
    fs::rename(pair.bare.path(), &elsewhere).unwrap();
    assert_eq!(left.run(["status", "--fetch"]).code, 10);
}
