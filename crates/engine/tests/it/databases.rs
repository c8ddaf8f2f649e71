//! Databases: what belongs to them after a kill, and what only has the name of a part.

use std::fs;
use std::path::Path;

use instep_core::content::ContentId;
use instep_engine::cycle;
use instep_engine::journal::Entry;
use rusqlite::Connection;

use crate::world::{Machine, pair};

/// A small database with this number in it.
fn make(path: &Path, number: i64) {
    let database = Connection::open(path).unwrap();
    database.execute_batch("CREATE TABLE IF NOT EXISTS t (number INTEGER)").unwrap();
    database.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
}

fn content(path: &Path) -> ContentId {
    ContentId::of(&fs::read(path).unwrap())
}

fn names(machine: &Machine) -> Vec<String> {
    let entries = fs::read_dir(&machine.root).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name != ".instep");
    names.sort();
    names
}

#[test]
fn after_a_kill_what_belongs_to_a_database_goes_where_that_went() {
    // What the step was to put in the database's place, what stands there, and whether the log comes back.
    let cases = [
        ("the exchange did not happen", Some("new"), Some("old"), true),
        ("the exchange happened", Some("new"), Some("new"), false),
        ("it was not removed", None, Some("old"), true),
        ("it was removed", None, None, false),
    ];
    for (what, new, stands, comes_back) in cases {
        let (mut left, _right) = pair(&[("x", "x")]);
        if let Some(stands) = stands {
            left.write("app.db", stands);
        }
        left.write(".instep/staging/q-1-1", "the log");
        let log = ContentId::of(b"the log");
        let entry = Entry::Beside {
            slot: "q-1-1".to_owned(),
            path: b"app.db-wal".to_vec(),
            old: log.to_string(),
            database: b"app.db".to_vec(),
            new: new.map(|new| ContentId::of(new.as_bytes()).to_string()),
        };
        let text = serde_json::to_string(&entry).unwrap();
        let operation = "0000000000000001";
        left.workspace.state.transact(|write| write.journal(operation, 0, &[text])).unwrap();
        cycle::recover(&mut left.workspace).unwrap();
        assert_eq!(names(&left).contains(&"app.db-wal".to_owned()), comes_back, "{what}");
        let kept = left.root.join(".instep/history").join(log.to_string());
        assert_eq!(kept.exists(), !comes_back, "{what}");
        assert_eq!(
            left.workspace.state.kept(b"app.db-wal").unwrap().len(),
            usize::from(!comes_back),
            "{what}"
        );
    }
}

#[test]
fn what_would_become_the_log_of_a_database_waits_or_is_put_aside() {
    let (mut left, mut right) = pair(&[("x", "x")]);
    left.write("app.db-wal", "a log without a database");
    left.sync();
    make(&right.root.join("app.db"), 1);
    let outcome = right.sync();
    assert_eq!(outcome.held.iter().map(|held| held.code).collect::<Vec<_>>(), ["E-DB-SIDECAR"]);
    assert_eq!(names(&right), ["app.db", "x"]);
    left.sync();
    assert_eq!(names(&left), ["app.db", "x"]);
    assert_eq!(content(&left.root.join("app.db")), content(&right.root.join("app.db")));
    let log = ContentId::of(b"a log without a database");
    assert!(left.root.join(".instep/history").join(log.to_string()).exists());
    left.sync();
    let outcome = right.sync();
    assert_eq!((outcome.held.len(), names(&right)), (0, vec!["app.db".to_owned(), "x".to_owned()]));
}

#[test]
fn a_database_is_renamed_and_removed_as_any_file() {
    let (mut left, mut right) = pair(&[("x", "x")]);
    make(&left.root.join("app.db"), 1);
    left.sync();
    right.sync();
    left.rename("app.db", "below/other.db");
    left.sync();
    right.sync();
    assert_eq!(content(&right.root.join("below/other.db")), content(&left.root.join("below/other.db")));
    left.remove("below");
    left.sync();
    right.sync();
    assert_eq!(names(&right), ["x"]);
}
