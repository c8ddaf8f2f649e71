//! Databases of SQLite that a program works with, on real machines with a real repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use instep_core::content::ContentId;
use instep_testkit::machine::{Machine, Output, Pair};
use rusqlite::Connection;

const NAME: &str = "app.db";
const ROWS: i64 = 60;

fn path(machine: &Machine) -> PathBuf {
    machine.folder().join(NAME)
}

/// Opens a database as its program would, or makes it: a few pages of rows that all hold the same number.
fn open(path: &Path, journal: &str) -> Connection {
    let database = Connection::open(path).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    let set = format!("PRAGMA journal_mode = {journal}");
    let _: String = database.query_row(&set, [], |row| row.get(0)).unwrap();
    let make = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, number INTEGER, text TEXT)";
    database.execute_batch(make).unwrap();
    let text = "so that it takes some pages ".repeat(10);
    for id in 0..ROWS {
        database.execute("INSERT OR IGNORE INTO t VALUES (?1, 0, ?2)", (id, &text)).unwrap();
    }
    database
}

/// One transaction: the number goes up in all rows.
fn count(database: &Connection) {
    database.execute("UPDATE t SET number = number + 1", []).unwrap();
}

/// How many transactions a database holds: the first ones, each whole, in a sound database. It is looked at elsewhere,
/// because SQLite makes files beside the one it reads.
fn counted(path: &Path) -> i64 {
    let apart = tempfile::tempdir().unwrap();
    let copy = apart.path().join(NAME);
    fs::copy(path, &copy).unwrap();
    let database = Connection::open(&copy).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let sql = "SELECT count(*), min(number), max(number) FROM t";
    let (rows, least, most): (i64, i64, i64) =
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((rows, least), (ROWS, most), "a copy holds each transaction whole or not at all");
    least
}

/// All files of a folder but the settings.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let files = files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let files = files.filter(|(name, _)| !name.starts_with("instep."));
    files.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

/// What tells two states of a folder's files apart. The index of a log is the memory that readers and writers share.
fn prints(machine: &Machine) -> Vec<String> {
    let print = |(name, bytes): (String, Vec<u8>)| match name.ends_with("-shm") {
        true => name,
        false => format!("{name} {}", ContentId::of(&bytes)),
    };
    files(machine.folder()).into_iter().map(print).collect()
}

fn names(machine: &Machine) -> Vec<String> {
    files(machine.folder()).into_keys().collect()
}

fn sync(machine: &Machine) -> Output {
    let output = machine.run(["sync"]);
    assert_eq!(output.code, 0, "{output}");
    output
}

/// Two machines that share a database which a program has open on the left one.
fn shared(journal: &str) -> (Pair, Connection) {
    let pair = Pair::new(&crate::program());
    let database = open(&path(&pair.left), journal);
    count(&database);
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!(counted(&path(&pair.right)), 1);
    (pair, database)
}

/// Syncs again and again while a program writes without a pause.
fn is_written_all_the_time(journal: &str) {
    const ROUNDS: usize = 50;
    let (pair, database) = shared(journal);
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let mut written = 1;
        while !is_done.load(Ordering::Relaxed) {
            count(&database);
            written += 1;
        }
        (written, database)
    });
    let (mut held, mut arrived) = (1, 0);
    for _ in 0..ROUNDS {
        // On a busy machine a copy may not come to an end before the next transaction: it waits, and is told.
        let sent = pair.left.run(["sync"]);
        assert!(sent.code == 0 || sent.code == 3, "{sent}");
        sync(&pair.right);
        let now = counted(&path(&pair.right));
        assert!(now >= held, "{now} transactions after {held}");
        arrived += u32::from(now > held);
        held = now;
    }
    done.store(true, Ordering::Relaxed);
    let (written, _open) = writer.join().unwrap();
    assert!(arrived > 10, "{arrived} newer states arrived meanwhile");
    sync(&pair.left);
    sync(&pair.right);
    assert_eq!(counted(&path(&pair.right)), written);
    assert_eq!(names(&pair.right), [NAME], "a database travels alone");
}

#[test]
fn a_database_with_a_log_arrives_whole_while_it_is_written_all_the_time() {
    is_written_all_the_time("WAL");
}

#[test]
fn a_database_with_a_journal_arrives_whole_while_it_is_written_all_the_time() {
    is_written_all_the_time("DELETE");
}

/// Leaves a database as a program does that was killed: what it committed last stands in its log.
fn kill(database: Connection, folder: &Path) {
    let standing = files(folder);
    drop(database);
    for (name, bytes) in standing.iter().filter(|(name, _)| !name.ends_with("-shm")) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    assert!(standing.contains_key("app.db-wal"), "there is a log");
}

#[test]
fn a_database_to_which_nothing_happens_is_left_untouched_and_sends_nothing() {
    for journal in ["WAL", "DELETE"] {
        let (pair, database) = shared(journal);
        count(&database);
        sync(&pair.left);
        let (head, standing) = (pair.bare.head(), prints(&pair.left));
        for _ in 0..3 {
            let quiet = sync(&pair.left);
            assert!(quiet.mentions("In sync"), "{journal}: {quiet}");
        }
        assert_eq!(prints(&pair.left), standing, "{journal}: bytes and names");
        drop(database);
        assert_eq!(names(&pair.left), [NAME]);
        assert!(sync(&pair.left).mentions("In sync"), "{journal}: the program ended");
        let again = open(&path(&pair.left), journal);
        assert!(sync(&pair.left).mentions("In sync"), "{journal}: it was started again");
        drop(again);
        sync(&pair.right);
        sync(&pair.left);
        assert_eq!(pair.bare.head(), head, "{journal}");
        assert_eq!(counted(&path(&pair.right)), 2, "{journal}");
    }
}

#[test]
fn a_database_that_nobody_has_open_travels_byte_for_byte() {
    let pair = Pair::new(&crate::program());
    drop(open(&path(&pair.left), "DELETE"));
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!(prints(&pair.left), prints(&pair.right));
    let database = open(&path(&pair.right), "DELETE");
    count(&database);
    drop(database);
    sync(&pair.right);
    sync(&pair.left);
    assert_eq!(prints(&pair.left), prints(&pair.right));
    assert_eq!(counted(&path(&pair.left)), 1);
}

#[test]
fn a_database_that_is_open_here_waits_and_says_so() {
    for journal in ["WAL", "DELETE"] {
        let (pair, database) = shared(journal);
        let elsewhere = open(&path(&pair.right), journal);
        let text: i64 = elsewhere.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(text, ROWS);
        count(&database);
        sync(&pair.left);
        let standing = prints(&pair.right);
        for _ in 0..2 {
            let waits = pair.right.run(["sync"]);
            assert_eq!(waits.code, 3, "{journal}: {waits}");
            assert!(waits.mentions("E-DB-OPEN") && waits.mentions("has it open"), "{waits}");
        }
        assert_eq!(prints(&pair.right), standing, "{journal}: nothing happens to it");
        let status = pair.right.run(["status"]);
        assert!(status.mentions("E-DB-OPEN"), "{journal}: {status}");
        let why = pair.right.run(["explain", NAME]);
        assert!(why.mentions("a program has it open") && why.mentions("process"), "{journal}: {why}");
        drop(elsewhere);
        sync(&pair.right);
        assert_eq!(counted(&path(&pair.right)), 2, "{journal}");
        assert_eq!(names(&pair.right), [NAME], "{journal}");
        assert!(pair.right.run(["explain", NAME]).mentions("both sides hold the same"), "{journal}");
    }
}

#[test]
fn an_old_log_is_put_aside_before_a_new_database_comes() {
    let (pair, database) = shared("WAL");
    drop(database);
    let elsewhere = open(&path(&pair.right), "WAL");
    count(&elsewhere);
    kill(elsewhere, pair.right.folder());
    assert_eq!(counted(&path(&pair.right)), 1, "what it counted last stands in the log alone");
    let (standing, log) = (prints(&pair.right), fs::read(pair.right.folder().join("app.db-wal")).unwrap());
    sync(&pair.right);
    assert_eq!(prints(&pair.right), standing, "bytes and names");
    sync(&pair.left);
    assert_eq!(counted(&path(&pair.left)), 2);
    let database = open(&path(&pair.left), "WAL");
    count(&database);
    drop(database);
    sync(&pair.left);
    let received = sync(&pair.right);
    assert_eq!((names(&pair.right), counted(&path(&pair.right))), (vec![NAME.to_owned()], 3), "{received}");
    // The old state is kept whole, with what the log held, and the log too.
    let kept: Vec<PathBuf> = fs::read_dir(pair.right.folder().join(".instep/history"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let starts = |path: &PathBuf| fs::read(path).unwrap().starts_with(b"SQLite format 3");
    let mut states: Vec<i64> = kept.iter().filter(|path| starts(path)).map(|path| counted(path)).collect();
    states.sort_unstable();
    assert_eq!(states, [1, 2]);
    assert!(kept.iter().any(|path| fs::read(path).unwrap() == log));
    sync(&pair.left);
    assert_eq!(counted(&path(&pair.left)), 3);
}

#[test]
fn a_database_that_both_sides_changed_is_a_conflict() {
    let (pair, database) = shared("WAL");
    let elsewhere = open(&path(&pair.right), "WAL");
    count(&database);
    count(&elsewhere);
    count(&elsewhere);
    sync(&pair.left);
    let conflict = pair.right.run(["sync"]);
    assert_eq!(conflict.code, 4, "{conflict}");
    let number: i64 = elsewhere.query_row("SELECT min(number) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(number, 3);
    drop(elsewhere);
    let settled = pair.right.run(["resolve", NAME, "--keep", "there"]);
    assert_eq!(settled.code, 0, "{settled}");
    sync(&pair.right);
    assert_eq!(counted(&path(&pair.right)), 2);
}

#[test]
fn what_is_no_database_is_a_file_like_any_other() {
    let pair = Pair::new(&crate::program());
    let left = pair.left.folder();
    fs::write(left.join("sealed.db"), "no magic here".repeat(500)).unwrap();
    fs::write(left.join("sealed.db-wal"), "its log").unwrap();
    // It says that it is a database, and is none.
    fs::write(
        left.join("broken.db"),
        [&b"SQLite format 3\0\x10\x00\x01\x01\x00\x40\x20\x20"[..], &[7; 8168]].concat(),
    )
    .unwrap();
    fs::write(left.join("notes-wal"), "a name alone says nothing").unwrap();
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!(prints(&pair.left), prints(&pair.right));
    assert_eq!(names(&pair.right), ["broken.db", "notes-wal", "sealed.db", "sealed.db-wal"]);
}

#[test]
fn a_large_database_to_which_nothing_happens_is_not_copied() {
    let (pair, database) = shared("WAL");
    database.execute("INSERT INTO t (number, text) SELECT 1, zeroblob(8000000) FROM t LIMIT 1", []).unwrap();
    for _ in 0..2 {
        sync(&pair.left);
    }
    // Whoever writes a file of more than two megabytes is killed.
    let mut limited = Command::new("sh");
    let sync = pair.left.command(["sync"]);
    limited.args(["-c", "ulimit -f 4096 && exec \"$@\"", "sh"]).arg(sync.get_program()).args(sync.get_args());
    limited.env_clear().envs(sync.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(database);
}

#[test]
fn a_database_whose_program_lets_nobody_else_in_travels_when_it_rests() {
    let pair = Pair::new(&crate::program());
    let database = Connection::open(path(&pair.left)).unwrap();
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL").unwrap();
    drop(database);
    let database = open(&path(&pair.left), "WAL");
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE").unwrap();
    count(&database);
    count(&database);
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!(counted(&path(&pair.right)), 2);
}

#[test]
fn a_change_that_its_program_did_not_end_is_not_sent() {
    let pair = Pair::new(&crate::program());
    let database = open(&path(&pair.left), "DELETE");
    count(&database);
    // So little memory that a change is in the file before it ends.
    database.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN").unwrap();
    for _ in 0..5 {
        count(&database);
    }
    let half_done = files(pair.left.folder());
    assert!(half_done.contains_key("app.db-journal"));
    drop(database);
    for (name, bytes) in &half_done {
        fs::write(pair.left.folder().join(name), bytes).unwrap();
    }
    let standing = prints(&pair.left);
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!((prints(&pair.left), counted(&path(&pair.right))), (standing, 1));
    assert_eq!(names(&pair.right), [NAME]);
}

#[test]
fn a_database_that_was_received_can_be_given_back() {
    let (pair, database) = shared("WAL");
    count(&database);
    sync(&pair.left);
    sync(&pair.right);
    assert_eq!(counted(&path(&pair.right)), 2);
    let elsewhere = open(&path(&pair.right), "WAL");
    let refused = pair.right.run(["undo", "--yes"]);
    // What was touched in this very moment may have changed without a trace: then it is left alone for that.
    assert!(refused.mentions("E-DB-OPEN") || refused.mentions("Changed since, left alone"), "{refused}");
    assert_eq!(counted(&path(&pair.right)), 2);
    drop(elsewhere);
    let undone = pair.right.run(["undo", "--yes"]);
    assert_eq!((undone.code, counted(&path(&pair.right))), (0, 1), "{undone}");
}
