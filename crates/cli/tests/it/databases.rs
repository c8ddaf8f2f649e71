//! Databases of SQLite that a program works with, on real machines with a real repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// All files of a folder but the settings, with what they hold.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let files = files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let files = files.filter(|(name, _)| !name.starts_with("instep."));
    files.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
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
        sync(&pair.left);
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
