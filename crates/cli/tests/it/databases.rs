//! Databases of SQLite that a program works with, on real machines with a real repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use instep_testkit::machine::{Machine, Pair};
use rusqlite::{Connection, OpenFlags};

const NAME: &str = "app.db";

fn path(machine: &Machine) -> PathBuf {
    machine.folder().join(NAME)
}

/// Opens, or makes, a database with one table, as a program would.
fn open(path: &Path, journal: &str) -> Connection {
    let database = Connection::open(path).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    let _: String = database.query_row(&format!("PRAGMA journal_mode = {journal}"), [], |row| row.get(0)).unwrap();
    database
        .execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, twin INTEGER, text TEXT)")
        .unwrap();
    database
}

/// Inserts the next two rows in one transaction.
fn insert(database: &mut Connection, n: i64) {
    let transaction = database.transaction().unwrap();
    let text = format!("row {n} ").repeat(40);
    for twin in [n * 2, n * 2 + 1] {
        transaction.execute("INSERT INTO t VALUES (?1, ?2, ?3)", (twin, n, &text)).unwrap();
    }
    transaction.commit().unwrap();
}

/// How many transactions a copy holds: the first ones, each whole, in a sound database.
fn prefix(path: &Path) -> i64 {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let (rows, last): (i64, i64) =
        database.query_row("SELECT count(*), coalesce(max(n), -1) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((rows, rows % 2), (last + 1, 0), "a copy holds the first transactions, each whole");
    rows / 2
}

/// All files of a folder but our own, with what they hold.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).into_keys().collect()
}

fn sync(machine: &Machine) {
    let output = machine.run(["sync"]);
    assert_eq!(output.code, 0, "{output}");
}

/// Two machines that share a database of one transaction, which a program has open on the left one.
fn shared(journal: &str) -> (Pair, Connection) {
    let pair = Pair::new(&crate::program());
    let mut database = open(&path(&pair.left), journal);
    insert(&mut database, 0);
    for machine in [&pair.left, &pair.right] {
        assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    }
    assert_eq!(prefix(&path(&pair.right)), 1);
    (pair, database)
}

#[test]
fn a_database_that_is_written_all_the_time_arrives_whole_each_time() {
    for journal in ["WAL", "DELETE"] {
        let (pair, mut database) = shared(journal);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut n = 1;
                while !done.load(Ordering::Relaxed) {
                    insert(&mut database, n);
                    n += 1;
                }
                n
            });
            let mut held = 1;
            for _ in 0..50 {
                let sent = pair.left.run(["sync"]);
                assert!([0, 3].contains(&sent.code), "{journal}: {sent}");
                sync(&pair.right);
                let now = prefix(&path(&pair.right));
                assert!(now >= held, "{journal}: {now} transactions after {held}");
                held = now;
            }
            done.store(true, Ordering::Relaxed);
            let written = writer.join().unwrap();
            assert!(held > 1, "{journal}: something arrived meanwhile");
            sync(&pair.left);
            sync(&pair.right);
            assert_eq!(prefix(&path(&pair.right)), written, "{journal}");
        });
        assert_eq!(names(pair.right.folder()), [NAME], "{journal}: a database travels alone");
    }
}
