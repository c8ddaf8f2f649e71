//! The remote is away: its disk is not mounted.

use std::fs;
use std::path::Path;

use expect_test::expect;
use instep_testkit::machine::{Output, Pair};
use serde_json::Value;

#[test]
fn an_undo_does_its_half_here_and_the_rest_when_the_remote_is_back() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    let file = |machine: &instep_testkit::machine::Machine| machine.folder().join("x.txt");
    fs::write(file(left), "one\n").unwrap();
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    assert_eq!(right.init(&pair.bare, &[]).code, 0);
    fs::write(file(left), "two\n").unwrap();
    assert_eq!(left.run(["sync"]).code, 0);
    let (there, elsewhere) = (pair.bare.path().to_owned(), pair.area().join("unmounted"));
    fs::rename(&there, &elsewhere).unwrap();
    let undone = left.run(["undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone}");
    assert!(undone.stdout.contains("its part goes with the next sync"), "{undone}");
    assert_eq!(left.run(["sync"]).code, 10);
    fs::rename(&elsewhere, &there).unwrap();
    let synced = left.run(["sync"]);
    assert!(synced.code == 0 && synced.mentions("its part at the remote was taken back"), "{synced}");
    assert_eq!(right.run(["sync"]).code, 0);
    assert_eq!(fs::read_to_string(file(right)).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(file(left)).unwrap(), "two\n");
}

/// `status` with the address of the repository, and the moment that is `just now`, replaced.
fn shown(output: &Output, place: &Path) -> String {
    format!("{}{}", output.stdout, output.stderr).replace(&place.display().to_string(), "PLACE")
}

#[test]
fn status_says_that_the_place_is_gone_and_what_is_known_without_it() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    fs::write(left.folder().join("x.txt"), "one\n").unwrap();
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    let (there, elsewhere) = (pair.bare.path().to_owned(), pair.area().join("unmounted"));
    fs::rename(&there, &elsewhere).unwrap();
    // In sync as far as anybody knows, but nobody can know.
    let status = left.run(["status"]);
    assert_eq!(status.code, 0, "{status}");
    expect![[r#"
        left · left (here) · origin PLACE
        ✗ Problem: the remote is not there (E-REMOTE-MISSING)    as of just now

        Not reached
          E-REMOTE-MISSING  PLACE does not exist.

        Hint: `instep doctor` says what is wrong. Nothing is lost; what is here waits.
    "#]]
    .assert_eq(&shown(&status, &there));
    let code = |words: &[&str]| left.run(words).code;
    assert_eq!(code(&["status", "--exit-code"]), 10);
    assert_eq!(code(&["status", "--all"]), 0);
    assert_eq!(code(&["status", "--wait=10m"]), 10, "waiting for what is gone is idle");
    fs::write(left.folder().join("x.txt"), "two\n").unwrap();
    let asked = left.run(["status", "--fetch"]);
    assert_eq!(asked.code, 10, "{asked}");
    expect![[r#"
        left · left (here) · origin PLACE
        ✗ Problem: the remote is not there (E-REMOTE-MISSING)   ↑ 1 to send    as of just now

        Changed here
          M  x.txt  just now

        Not reached
          E-REMOTE-MISSING  PLACE does not exist.

        Hint: `instep doctor` says what is wrong. Nothing is lost; what is here waits.
    "#]]
    .assert_eq(&shown(&asked, &there));
    let object: Value = serde_json::from_str(&left.run(["status", "--json"]).stdout).unwrap();
    assert_eq!(object["unreachable"]["code"], "E-REMOTE-MISSING");
    assert_eq!((&object["state"], &object["ahead"]), (&"problem".into(), &1.into()));
    fs::rename(&elsewhere, &there).unwrap();
    let back: Value = serde_json::from_str(&left.run(["status", "--fetch", "--json"]).stdout).unwrap();
    assert_eq!((&back["state"], &back["unreachable"]), (&"waiting".into(), &Value::Null));
}
