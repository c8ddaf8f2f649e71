//! Drawn contents that are another thing on a machine's disk: a database, and a path below the machine's home.
//!
//! `%1+2` is a database whose file holds 1 and whose log holds 2, as a program leaves it that was killed; `{home}` is the
//! machine's home, in a name with `-` for each sign.

use std::fs;
use std::path::Path;

use instep_core::database::is_database;
use rusqlite::Connection;

use crate::drawing::{Body, Drawing, Drawn};

const HOME: &str = "{home}";

/// What lies on the disk of a machine with this home.
pub fn built(drawing: &Drawing, home: &Path) -> Drawing {
    let (path, name) = homes(home);
    let mut built = Drawing::default();
    for (at, drawn) in &drawing.0 {
        let at = replaced(at, HOME, &name);
        let Body::File { content, exec } = &drawn.body else {
            built.0.insert(at, drawn.clone());
            continue;
        };
        match content.split(|&byte| byte == b'\n').next_back().filter(|line| line.starts_with(b"%")) {
            Some(line) => {
                let salt = &content[..content.len() - line.len()];
                let (file, log) = database(salt, &line[1..]);
                if !log.is_empty() {
                    built.put(&beside(&at, "-wal"), Body::File { content: log, exec: false });
                }
                built.put(&at, Body::File { content: file, exec: *exec });
            }
            None => built.put(&at, Body::File { content: replaced(content, HOME, &path), exec: *exec }),
        }
    }
    built
}

/// The drawing of what lies on the disk of a machine with this home.
pub fn told(found: &Drawing, home: &Path) -> Drawing {
    let (path, name) = homes(home);
    let mut told = Drawing::default();
    let databases = found.contents().filter(|(_, content)| is_database(content));
    let sidecars: Vec<Vec<u8>> =
        databases.flat_map(|(at, _)| ["-wal", "-shm"].map(|ending| beside(at, ending))).collect();
    for (at, Drawn { body, mark }) in &found.0 {
        let body = match body {
            Body::File { .. } if sidecars.contains(at) => continue,
            Body::File { content, exec } if is_database(content) => {
                let log = found.content(&beside(at, "-wal"));
                let content = rows(content, log).unwrap_or_else(|error| error.to_string().into_bytes());
                Body::File { content, exec: *exec }
            }
            Body::File { content, exec } => {
                Body::File { content: replaced(content, &path, HOME), exec: *exec }
            }
            other => other.clone(),
        };
        told.0.insert(replaced(at, &name, HOME), Drawn { body, mark: *mark });
    }
    told
}

/// Answers whether this is a database with a log, or the log: what travels of them is a copy.
pub fn is_logged(drawing: &Drawing, path: &[u8]) -> bool {
    path.ends_with(b"-wal") || drawing.content(&beside(path, "-wal")).is_some()
}

/// The home as texts and as names have it.
fn homes(home: &Path) -> (String, String) {
    let path = home.display().to_string();
    let name = path.replace(['/', '.'], "-");
    (path, name)
}

fn beside(at: &[u8], ending: &str) -> Vec<u8> {
    [at, ending.as_bytes()].concat()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains(from) => text.replace(from, to).into_bytes(),
        _ => bytes.to_vec(),
    }
}

/// The file and the log of a database, with one row for each part.
fn database(salt: &[u8], parts: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let area = tempfile::tempdir().expect("a folder can be made");
    let path = area.path().join("d");
    let text = String::from_utf8_lossy(parts).into_owned();
    let (first, rest) = text.split_once('+').unwrap_or((&text, ""));
    let write = |base: &Connection, part: &[u8]| base.execute("INSERT INTO t VALUES (?)", [part]).map(drop);
    let base = Connection::open(&path).expect("a database can be made");
    let filled = base
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (part BLOB)")
        .and_then(|()| write(&base, salt))
        .and_then(|()| write(&base, first.as_bytes()))
        .and_then(|()| base.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())))
        .and_then(|()| {
            rest.split('+').filter(|part| !part.is_empty()).try_for_each(|part| write(&base, part.as_bytes()))
        });
    filled.expect("a database can be filled");
    let read = |path: &Path| fs::read(path).expect("what was written can be read");
    (read(&path), read(&area.path().join("d-wal")))
}

/// The rows of a database as they are drawn.
fn rows(file: &[u8], log: Option<&[u8]>) -> rusqlite::Result<Vec<u8>> {
    let area = tempfile::tempdir().expect("a folder can be made");
    let path = area.path().join("d");
    fs::write(&path, file).expect("a copy can be written");
    if let Some(log) = log {
        fs::write(area.path().join("d-wal"), log).expect("a copy can be written");
    }
    let base = Connection::open(&path)?;
    let mut query = base.prepare("SELECT part FROM t ORDER BY rowid")?;
    let parts: Vec<Vec<u8>> = query.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let (salt, parts) = parts.split_first().ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok([salt, &b"%"[..], &parts.join(&b"+"[..])].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_told_as_it_was_drawn() {
        let home = Path::new("/area/left-home");
        let drawn =
            Drawing::parse("a={home}/x;p/{home}-app/f=1;d.db=#7\\n%1+2+3;l->a;e/", &Drawing::default());
        let drawn = drawn.unwrap();
        let built = built(&drawn, home);
        assert_eq!(built.content(b"a").unwrap(), b"/area/left-home/x");
        assert!(built.body(b"p/-area-left-home-app/f").is_some() && built.body(b"d.db-wal").is_some());
        assert_eq!(told(&built, home), drawn);
        // Without its log it is the older state.
        let mut torn = built.clone();
        torn.remove(b"d.db-wal");
        assert_eq!(told(&torn, home).content(b"d.db").unwrap(), b"#7\n%1");
    }
}
