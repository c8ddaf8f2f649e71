//! Follow: the operations of a workspace as they come, read beside whoever works in it. No lock is taken, and nothing is
//! written.

use std::path::Path;

use instep_core::operation::Operation;
use rusqlite::{Connection, OpenFlags, params};

use super::log::parse;
use crate::failure::EngineError;
use crate::workspace::database;

/// A reader of the log that remembers how far it has read.
pub struct Follower {
    connection: Connection,
    /// What SQLite said when we last looked; another number means that somebody wrote.
    version: Option<i64>,
    /// The newest operation that was read.
    number: i64,
}

impl Follower {
    /// Begins so many operations before the newest one.
    pub fn open(root: &Path, past: usize) -> Result<Self, EngineError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database(root), flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let newest = "SELECT coalesce(min(number) - 1, (SELECT coalesce(max(number), 0) FROM operation))
                      FROM (SELECT number FROM operation ORDER BY number DESC LIMIT ?1)";
        let number = connection.query_row(newest, [past as i64], |row| row.get(0))?;
        Ok(Follower { connection, version: None, number })
    }

    /// What was done since the last call, oldest first.
    pub fn news(&mut self) -> Result<Vec<Operation>, EngineError> {
        let version = self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        if self.version.replace(version) == Some(version) {
            return Ok(Vec::new());
        }
        let mut query = self
            .connection
            .prepare_cached("SELECT number, value FROM operation WHERE number > ?1 ORDER BY number")?;
        let found = query.query_map(params![self.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found: Vec<(i64, String)> = found.collect::<Result<_, _>>()?;
        self.number = found.last().map_or(self.number, |(number, _)| *number);
        found.iter().map(|(_, text)| parse(text)).collect()
    }
}
