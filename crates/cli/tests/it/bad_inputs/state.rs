//! A state database that says what can't be: cut, foreign, from a newer program, or wrong in single rows.

use std::fs;
use std::path::PathBuf;

use instep_testkit::machine::Pair;
use rusqlite::Connection;

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

/// What becomes of the bytes of a database.
type Spoil = fn(Vec<u8>) -> Vec<u8>;

fn path(pair: &Pair) -> PathBuf {
    pair.left.folder().join(".instep/state.db")
}

/// The database, with all of it in one file.
fn whole(pair: &Pair) -> Connection {
    let state = Connection::open(path(pair)).unwrap();
    state.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    state
}

/// Syncs twice; the second must find peace. Answers what is wrong.
fn comes_right(id: &str, pair: &Pair, codes: &[&str]) -> Vec<String> {
    let first = pair.left.run(["sync"]);
    let mut wrong: Vec<String> = wrong_error(id, &first, &[0], codes).into_iter().collect();
    let second = pair.left.run(["sync"]);
    if second.code != 0 || !second.stdout.contains("In sync.") {
        wrong.push(format!("{id}: no peace afterwards: {second}"));
    }
    let listed = pair.bare.git(["ls-tree", "-r", "--name-only", "main"], b"");
    let listed = String::from_utf8(listed).unwrap();
    for path in ["keep", "folder/inside"] {
        if !listed.lines().any(|line| line == path) {
            wrong.push(format!("{id}: {path} is gone at the remote: {first}"));
        }
    }
    nothing_lost_or_touched(id, pair);
    wrong
}

#[test]
fn a_database_that_is_none_is_made_anew_and_deletes_nothing() {
    let rows: [(&str, Spoil); 4] = [
        ("J13 cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("J13 empty", |_| Vec::new()),
        ("J13 page size", |mut bytes| {
            bytes[16..18].copy_from_slice(&[0x12, 0x34]);
            bytes
        }),
        ("J13 other", |_| b"this is no database, and never was one of anybody".repeat(100)),
    ];
    let mut wrong = Vec::new();
    for (id, spoil) in rows {
        let pair = connected();
        drop(whole(&pair));
        let bytes = fs::read(path(&pair)).unwrap();
        fs::write(path(&pair), spoil(bytes)).unwrap();
        // With the base lost, what is not here may never have been here: it comes back.
        fs::remove_file(pair.left.folder().join("keep")).unwrap();
        let codes: &[&str] =
            if id == "J13 empty" { &[""] } else { &["E-STATE-CORRUPT", "put aside", "damaged"] };
        wrong.extend(comes_right(id, &pair, codes));
    }
    all_right(wrong);
}

#[test]
fn a_database_of_a_newer_program_is_left_as_it_is() {
    let pair = connected();
    whole(&pair).pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(path(&pair)).unwrap();
    let mut wrong = Vec::new();
    for words in ["sync", "status", "log"] {
        let output = pair.left.run([words]);
        wrong.extend(wrong_error(
            &format!("J13 newer {words}"),
            &output,
            &[1, 2],
            &["E-STATE-VERSION", "E-STATE"],
        ));
    }
    assert_eq!(fs::read(path(&pair)).unwrap(), before, "J13: it was written to");
    nothing_lost_or_touched("J13 newer", &pair);
    all_right(wrong);
}

#[test]
fn rows_that_can_not_be_are_not_believed() {
    let all = "x'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'";
    let rows = [
        (
            "J14 swapped",
            "CREATE TEMP TABLE t AS SELECT remote, id, row FROM node;
            UPDATE node SET row = (SELECT row FROM t WHERE t.id != node.id ORDER BY t.id DESC LIMIT 1)"
                .to_owned(),
        ),
        ("J14 none", "DELETE FROM node WHERE id = (SELECT max(id) FROM node)".to_owned()),
        ("J16 rows", format!("UPDATE node SET row = {all}")),
        ("J16 rows cut", "UPDATE node SET row = substr(row, 1, 5)".to_owned()),
        ("J16 rows empty", "UPDATE node SET row = x''".to_owned()),
        ("J16 digests", format!("UPDATE digest SET value = {all}")),
        ("J16 digests longer", "UPDATE digest SET value = value || zeroblob(9)".to_owned()),
        ("J16 digests ones", "UPDATE digest SET value = replace(hex(value), '0', 'F')".to_owned()),
        ("J16 objects", "UPDATE object SET size = -1".to_owned()),
        ("J16 objects wide", "UPDATE object SET size = 9223372036854775807".to_owned()),
        (
            "J16 kept",
            format!("INSERT INTO kept VALUES ({all}, x'6b656570', '00', -1, 9223372036854775807, 'file')"),
        ),
        (
            "J16 kept kind",
            format!("INSERT INTO kept VALUES ({all}, x'2e2e2f78', '00', 1000000000000000000, -5, 'pipe')"),
        ),
        (
            "J16 times",
            "UPDATE remote SET checked = 9223372036854775807, synced = -9223372036854775808".to_owned(),
        ),
        ("J16 nodes", "UPDATE remote SET next_node = 0, next_conflict = 0".to_owned()),
        ("J16 notes", "UPDATE note SET value = char(0) || value || ' 99999999999999999999'".to_owned()),
        (
            "J16 offer",
            "INSERT INTO offered (remote, expected, revision, rows, forgotten, next_node)
            VALUES (1, NULL, '--upload-pack=x', x'ff', '-1 x 99999999999999999999', 18)"
                .to_owned(),
        ),
    ];
    let mut wrong = Vec::new();
    for (id, sql) in rows {
        let pair = connected();
        whole(&pair).execute_batch(&sql).unwrap();
        // There is something to do: all that is known is needed.
        fs::write(pair.left.folder().join("new"), "3").unwrap();
        let first = pair.left.run(["sync"]);
        if first.code != 0 {
            // What can't be read is said, and one command helps.
            wrong.extend(wrong_error(id, &first, &[1], &["`instep doctor --fix`"]));
            wrong.extend(wrong_error(id, &pair.left.run(["doctor", "--fix"]), &[0], &["made anew"]));
        }
        wrong.extend(comes_right(id, &pair, &[""]));
        let status = pair.left.run(["status"]);
        if status.code != 0 {
            wrong.push(format!("{id}: {status}"));
        }
    }
    all_right(wrong);
}

#[test]
fn a_journal_that_leads_elsewhere_moves_nothing() {
    let entry = |slot: &str, path: &str| {
        let path = path.as_bytes();
        format!(r#"{{"act":"write","slot":"{slot}","path":{path:?},"old":"{}","new":null}}"#, "0".repeat(64))
    };
    let rows = [
        ("J15 outside", entry("q-00-0", "../witness/file")),
        ("J15 absolute", entry("q-00-0", "/etc/passwd")),
        ("J15 slot outside", entry("../../../witness/file", "keep")),
        ("J15 reserved", entry("q-00-0", ".git/config")),
        ("J15 unknown", r#"{"teleport":{"from":"keep","to":"x"}}"#.to_owned()),
        ("J15 half", r#"{"slot":"q-00-0","pa"#.to_owned()),
        ("J15 empty", String::new()),
        ("J15 number", "17".to_owned()),
    ];
    let mut wrong = Vec::new();
    for (id, entry) in rows {
        let pair = connected();
        whole(&pair)
            .execute(
                "INSERT INTO journal (operation, step, entry) VALUES ('0000000000000001', 0, ?1)",
                [&entry],
            )
            .unwrap();
        wrong.extend(comes_right(id, &pair, &[""]));
    }
    all_right(wrong);
}
