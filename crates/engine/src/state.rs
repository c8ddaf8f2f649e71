//! The workspace database: what both sides agreed on, what files were found to hold, what is half done, what was done.
//!
//! One SQLite file in `.instep/`, with a write-ahead log and `synchronous = FULL`: a committed transaction survives a
//! power cut. It stores observations, never pending work; losing it costs a first contact, not data.

pub mod codec;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::node::{Known, NodeId, Row};
use instep_core::remote::{ObjectId, Revision};
use instep_core::tree::Key;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::digest::{Digest, DigestCache};
use crate::failure::EngineError;

/// The format of the database; an older program refuses a newer one untouched.
const FORMAT: u32 = 1;

const SCHEMA: &str = "
CREATE TABLE remote (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    head TEXT,
    seen TEXT,
    checked INTEGER,
    synced INTEGER,
    next_node INTEGER NOT NULL DEFAULT 1,
    next_conflict INTEGER NOT NULL DEFAULT 1,
    quiet BLOB
);
CREATE TABLE node (
    remote INTEGER NOT NULL,
    id INTEGER NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (remote, id)
) WITHOUT ROWID;
CREATE TABLE digest (
    inode INTEGER NOT NULL,
    device INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (inode, device)
) WITHOUT ROWID;
CREATE TABLE object (
    remote INTEGER NOT NULL,
    object BLOB NOT NULL,
    content BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (remote, object)
) WITHOUT ROWID;
CREATE TABLE target (
    content BLOB PRIMARY KEY,
    target BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX object_content ON object (remote, content);
CREATE TABLE offered (
    remote INTEGER PRIMARY KEY,
    revision TEXT NOT NULL,
    rows BLOB NOT NULL,
    next_node INTEGER NOT NULL
);
CREATE TABLE journal (
    operation TEXT NOT NULL,
    step INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (operation, step)
) WITHOUT ROWID;
CREATE TABLE conflict (
    remote INTEGER NOT NULL,
    id BLOB NOT NULL,
    number INTEGER NOT NULL,
    since INTEGER NOT NULL,
    here TEXT NOT NULL,
    there TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (remote, number)
) WITHOUT ROWID;
CREATE TABLE choice (
    remote INTEGER NOT NULL,
    node INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, node)
) WITHOUT ROWID;
CREATE TABLE settlement (
    operation TEXT PRIMARY KEY,
    remote INTEGER NOT NULL,
    before BLOB NOT NULL,
    after BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE unseen (
    remote INTEGER NOT NULL,
    node INTEGER NOT NULL,
    PRIMARY KEY (remote, node)
) WITHOUT ROWID;
CREATE TABLE note (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE half_undone (
    remote INTEGER NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, operation)
) WITHOUT ROWID;
CREATE TABLE undone (
    remote INTEGER NOT NULL,
    path BLOB NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (remote, path)
) WITHOUT ROWID;
CREATE TABLE operation (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    value TEXT NOT NULL
);
CREATE TABLE kept (
    content BLOB NOT NULL,
    path BLOB NOT NULL,
    operation TEXT NOT NULL,
    time INTEGER NOT NULL,
    size INTEGER NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (content, path, operation)
) WITHOUT ROWID;
CREATE INDEX kept_path ON kept (path, time);
";

/// The open database.
pub struct State {
    connection: Connection,
}

/// One remote as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRecord {
    /// Its number here.
    pub id: i64,
    /// The head with which the last cycle ended.
    pub head: Option<Revision>,
    /// The head that was last seen, even if nothing was done about it.
    pub seen: Option<Revision>,
    /// When it was last asked.
    pub checked: Option<Timestamp>,
    /// When a cycle last came to its end.
    pub synced: Option<Timestamp>,
    /// The stamp of the state in which nothing is left to do; see `cycle/quiet.rs`.
    pub quiet: Option<ContentId>,
}

/// What a commit offered, written down before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The revision that the commit gets.
    pub revision: Revision,
    /// The rows that hold if the remote took it.
    pub rows: Vec<Row>,
    /// The id that the next new node gets then.
    pub next: u64,
}

/// One version in the history: what was displaced, from where, by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The content's name.
    pub content: ContentId,
    /// The path where it stood.
    pub path: Vec<u8>,
    /// The operation that displaced it.
    pub operation: String,
    /// When.
    pub time: Timestamp,
    /// Its length in bytes.
    pub size: u64,
    /// `file`, `exec` or `link`.
    pub kind: String,
}

impl State {
    /// Opens the database at a path, or makes it.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        State::ready(connection)
    }

    /// A database in memory, for simulations.
    pub fn in_memory() -> Result<Self, EngineError> {
        State::ready(Connection::open_in_memory()?)
    }

    fn ready(connection: Connection) -> Result<Self, EngineError> {
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => {
                connection
                    .execute_batch(&format!("BEGIN;{SCHEMA};PRAGMA user_version = {FORMAT};COMMIT;"))?;
            }
            FORMAT => {}
            _ => return Err(EngineError::StateVersion { found, known: FORMAT }),
        }
        Ok(State { connection })
    }

    /// Does several things as one: all of them happen, or none.
    pub fn transact<T>(
        &mut self,
        work: impl FnOnce(&Write<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let write = Write { transaction: self.connection.transaction()? };
        let answer = work(&write)?;
        write.transaction.commit()?;
        Ok(answer)
    }

    /// The remote at an address, known from now on.
    pub fn remote(&self, address: &str) -> Result<RemoteRecord, EngineError> {
        self.connection.execute("INSERT OR IGNORE INTO remote (address) VALUES (?1)", [address])?;
        let record = self.connection.query_row(
            "SELECT id, head, checked, synced, quiet, seen FROM remote WHERE address = ?1",
            [address],
            |row| {
                Ok(RemoteRecord {
                    id: row.get(0)?,
                    head: row.get::<_, Option<String>>(1)?.map(Revision),
                    checked: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ns),
                    synced: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_ns),
                    quiet: row.get::<_, Option<[u8; 32]>>(4)?.map(ContentId::from_bytes),
                    seen: row.get::<_, Option<String>>(5)?.map(Revision),
                })
            },
        )?;
        Ok(record)
    }

    /// All that is remembered of the nodes shared with a remote.
    pub fn known(&self, remote: i64) -> Result<Known, EngineError> {
        let next =
            self.connection
                .query_row("SELECT next_node FROM remote WHERE id = ?1", [remote], |row| row.get(0))?;
        let mut query =
            self.connection.prepare_cached("SELECT id, row FROM node WHERE remote = ?1 ORDER BY id")?;
        let mut found = query.query([remote])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let id = NodeId(row.get(0)?);
            rows.push(codec::decode_row(id, row.get_ref(1)?.as_blob().map_err(nonsense)?).map_err(nonsense)?);
        }
        Ok(Known::new(rows, next))
    }

    /// What every file was found to hold.
    pub fn digests(&self) -> Result<DigestCache, EngineError> {
        let mut query =
            self.connection.prepare_cached("SELECT inode, value FROM digest ORDER BY inode, device")?;
        let mut found = query.query([])?;
        let mut digests = Vec::new();
        while let Some(row) = found.next()? {
            let inode = row.get::<_, i64>(0)? as u64;
            // A digest that makes no sense is as good as none: the file is read again.
            if let Ok(digest) = codec::decode_digest(inode, row.get_ref(1)?.as_blob().map_err(nonsense)?) {
                digests.push(digest);
            }
        }
        Ok(DigestCache::new(digests))
    }

    /// The contents behind a remote's names.
    pub fn objects(&self, remote: i64) -> Result<BTreeMap<ObjectId, (ContentId, u64)>, EngineError> {
        let mut query =
            self.connection.prepare_cached("SELECT object, content, size FROM object WHERE remote = ?1")?;
        let mut found = query.query([remote])?;
        let mut objects = BTreeMap::new();
        while let Some(row) = found.next()? {
            let object = ObjectId::new(row.get_ref(0)?.as_blob().map_err(nonsense)?)
                .ok_or_else(|| EngineError::StateCorrupt("an object's name is too long".into()))?;
            objects.insert(object, (ContentId::from_bytes(row.get(1)?), row.get::<_, i64>(2)? as u64));
        }
        Ok(objects)
    }

    /// The targets of all links that remotes were seen to hold.
    pub fn targets(&self) -> Result<BTreeMap<ContentId, Vec<u8>>, EngineError> {
        let mut query = self.connection.prepare_cached("SELECT content, target FROM target")?;
        let found = query.query_map([], |row| Ok((ContentId::from_bytes(row.get(0)?), row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// A remote's name for a content, if it ever had one.
    pub fn object_of(&self, remote: i64, content: ContentId) -> Result<Option<ObjectId>, EngineError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT object FROM object WHERE remote = ?1 AND content = ?2 LIMIT 1")?;
        let name: Option<Vec<u8>> =
            query.query_row(params![remote, content.as_bytes()], |row| row.get(0)).optional()?;
        Ok(name.and_then(|bytes| ObjectId::new(&bytes)))
    }

    /// What the last commit offered, if it is not settled yet.
    pub fn offered(&self, remote: i64) -> Result<Option<Offered>, EngineError> {
        let found: Option<(String, Vec<u8>, u64)> = self
            .connection
            .query_row("SELECT revision, rows, next_node FROM offered WHERE remote = ?1", [remote], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((revision, rows, next)) = found else { return Ok(None) };
        let rows = codec::decode_rows(&rows).map_err(nonsense)?;
        Ok(Some(Offered { revision: Revision(revision), rows, next }))
    }

    /// The journal's open entries, in order.
    pub fn journal(&self) -> Result<Vec<(String, String)>, EngineError> {
        self.pairs("SELECT operation, entry FROM journal ORDER BY operation, step")
    }

    fn pairs(&self, sql: &str) -> Result<Vec<(String, String)>, EngineError> {
        let mut query = self.connection.prepare_cached(sql)?;
        let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The open conflicts with a remote as stored: number, since, machine here, machine there, value.
    pub fn conflicts(&self, remote: i64) -> Result<Vec<ConflictRecord>, EngineError> {
        let mut query = self.connection.prepare_cached(
            "SELECT id, number, since, here, there, value FROM conflict WHERE remote = ?1 ORDER BY number",
        )?;
        let found = query.query_map([remote], |row| {
            Ok(ConflictRecord {
                id: ContentId::from_bytes(row.get(0)?),
                number: row.get(1)?,
                since: Timestamp::from_ns(row.get(2)?),
                here: row.get(3)?,
                there: row.get(4)?,
                value: row.get(5)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The number that the next conflict with a remote gets.
    pub fn next_conflict(&self, remote: i64) -> Result<u64, EngineError> {
        let sql = "SELECT next_conflict FROM remote WHERE id = ?1";
        Ok(self.connection.query_row(sql, [remote], |row| row.get(0))?)
    }

    /// What a person chose for single nodes: node and the strategy's word.
    pub fn choices(&self, remote: i64) -> Result<Vec<(NodeId, String)>, EngineError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT node, strategy FROM choice WHERE remote = ?1 ORDER BY node")?;
        let found = query.query_map([remote], |row| Ok((NodeId(row.get(0)?), row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The paths that an undo holds until a person syncs, each with the undoing operation.
    pub fn undone(&self, remote: i64) -> Result<Vec<(Vec<u8>, String)>, EngineError> {
        let mut query = self
            .connection
            .prepare_cached("SELECT path, operation FROM undone WHERE remote = ?1 ORDER BY path")?;
        let found = query.query_map([remote], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// What a resolve changed in what is known: the remote, the rows before and the rows after.
    pub fn settlement(&self, operation: &str) -> Result<Option<Settlement>, EngineError> {
        let sql = "SELECT remote, before, after FROM settlement WHERE operation = ?1";
        let found: Option<(i64, Vec<u8>, Vec<u8>)> = self
            .connection
            .query_row(sql, [operation], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((remote, before, after)) = found else { return Ok(None) };
        let read = |bytes: &[u8]| codec::decode_rows(bytes).map_err(nonsense);
        Ok(Some(Settlement { remote, before: read(&before)?, after: read(&after)? }))
    }

    /// The nodes that could not be seen here when the last cycle ended: left out by a rule, or unreadable.
    pub fn unseen(&self, remote: i64) -> Result<BTreeSet<NodeId>, EngineError> {
        let mut query = self.connection.prepare_cached("SELECT node FROM unseen WHERE remote = ?1")?;
        let found = query.query_map([remote], |row| Ok(NodeId(row.get(0)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// A note of the workspace's own, such as when it was last tidied.
    pub fn note(&self, name: &str) -> Result<Option<String>, EngineError> {
        let sql = "SELECT value FROM note WHERE name = ?1";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0)).optional()?)
    }

    /// The operations whose part at the remote is still to be taken back.
    pub fn half_undone(&self, remote: i64) -> Result<Vec<String>, EngineError> {
        let sql = "SELECT operation FROM half_undone WHERE remote = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let found = query.query_map([remote], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The operations, newest first, as stored.
    pub fn operations(&self, limit: usize) -> Result<Vec<String>, EngineError> {
        let mut query =
            self.connection.prepare_cached("SELECT value FROM operation ORDER BY number DESC LIMIT ?1")?;
        let found = query.query_map([limit as i64], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The kept versions of a path or below it, newest first; all of them for the root.
    pub fn kept(&self, path: &[u8]) -> Result<Vec<Kept>, EngineError> {
        let mut below = path.to_vec();
        below.push(b'/');
        let mut after = path.to_vec();
        after.push(b'/' + 1);
        let mut query = self.connection.prepare_cached(
            "SELECT content, path, operation, time, size, kind FROM kept
             WHERE ?1 = x'' OR path = ?1 OR (path >= ?2 AND path < ?3) ORDER BY time DESC, path",
        )?;
        let found = query.query_map(params![path, below, after], |row| {
            Ok(Kept {
                content: ContentId::from_bytes(row.get(0)?),
                path: row.get(1)?,
                operation: row.get(2)?,
                time: Timestamp::from_ns(row.get(3)?),
                size: row.get::<_, i64>(4)? as u64,
                kind: row.get(5)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

fn nonsense(why: impl std::fmt::Display) -> EngineError {
    EngineError::StateCorrupt(why.to_string())
}

/// What a resolve changed in what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The remote.
    pub remote: i64,
    /// The rows before.
    pub before: Vec<Row>,
    /// The rows after.
    pub after: Vec<Row>,
}

/// A conflict as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRecord {
    /// Its full id.
    pub id: ContentId,
    /// Its short number here.
    pub number: u64,
    /// Since when.
    pub since: Timestamp,
    /// The machine of the version here.
    pub here: String,
    /// The machine of the version there.
    pub there: String,
    /// The disagreement, as `conflict.rs` writes it.
    pub value: String,
}

/// An open transaction: what may be written.
pub struct Write<'a> {
    transaction: Transaction<'a>,
}

impl Write<'_> {
    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, EngineError> {
        Ok(self.transaction.prepare_cached(sql)?.execute(values)?)
    }

    /// Records rows, forgets others, and notes the id that the next new node gets.
    pub fn nodes(
        &self,
        remote: i64,
        rows: &[Row],
        forgotten: &[NodeId],
        next: u64,
    ) -> Result<(), EngineError> {
        for row in rows {
            self.run(
                "INSERT OR REPLACE INTO node (remote, id, row) VALUES (?1, ?2, ?3)",
                params![remote, row.id.0, codec::encode_row(row)],
            )?;
        }
        for id in forgotten {
            self.run("DELETE FROM node WHERE remote = ?1 AND id = ?2", params![remote, id.0])?;
        }
        self.run("UPDATE remote SET next_node = max(next_node, ?2) WHERE id = ?1", params![remote, next])?;
        Ok(())
    }

    /// Forgets all that was agreed on with any remote; see [`Write::forget_remote`].
    pub fn forget_all_remotes(&self) -> Result<(), EngineError> {
        let mut query = self.transaction.prepare_cached("SELECT id FROM remote")?;
        let ids = query.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        ids.into_iter().try_for_each(|id| self.forget_remote(id))
    }

    /// Forgets all rows: those of a new first contact follow in the same transaction.
    pub fn forget_nodes(&self, remote: i64) -> Result<(), EngineError> {
        self.run("DELETE FROM node WHERE remote = ?1", [remote])?;
        Ok(())
    }

    /// Forgets all that was agreed on with a remote: the next cycle is a first contact. History and log stay.
    pub fn forget_remote(&self, remote: i64) -> Result<(), EngineError> {
        for table in ["node", "object", "offered", "conflict", "choice", "undone", "unseen"] {
            self.run(&format!("DELETE FROM {table} WHERE remote = ?1"), [remote])?;
        }
        self.run(
            "UPDATE remote SET head = NULL, seen = NULL, quiet = NULL, synced = NULL WHERE id = ?1",
            [remote],
        )?;
        Ok(())
    }

    /// Records the head with which a cycle ended, and the stamp of the state in which nothing is left to do.
    pub fn head(
        &self,
        remote: i64,
        head: Option<&Revision>,
        quiet: Option<ContentId>,
    ) -> Result<(), EngineError> {
        self.run(
            "UPDATE remote SET head = ?2, seen = ?2, quiet = ?3 WHERE id = ?1",
            params![remote, head.map(|head| head.0.as_str()), quiet.map(|stamp| *stamp.as_bytes())],
        )?;
        Ok(())
    }

    /// Records the head that was seen, when nothing is done about it yet.
    pub fn seen(
        &self,
        remote: i64,
        head: Option<&Revision>,
        checked: Option<Timestamp>,
    ) -> Result<(), EngineError> {
        let head = head.map(|head| head.0.as_str());
        self.run(
            "UPDATE remote SET seen = ?2, checked = ?3 WHERE id = ?1",
            params![remote, head, checked.map(Timestamp::ns)],
        )?;
        Ok(())
    }

    /// Records when the remote was asked, and when a cycle came to its end.
    pub fn times(
        &self,
        remote: i64,
        checked: Option<Timestamp>,
        synced: Option<Timestamp>,
    ) -> Result<(), EngineError> {
        self.run(
            "UPDATE remote SET checked = ?2, synced = coalesce(?3, synced) WHERE id = ?1",
            params![remote, checked.map(Timestamp::ns), synced.map(Timestamp::ns)],
        )?;
        Ok(())
    }

    /// Records what files were found to hold.
    pub fn digests(&self, digests: &[Digest]) -> Result<(), EngineError> {
        for digest in digests {
            let key = digest.metadata.key;
            self.run(
                "INSERT OR REPLACE INTO digest (inode, device, value) VALUES (?1, ?2, ?3)",
                params![key.inode as i64, key.device as i64, codec::encode_digest(digest)],
            )?;
        }
        Ok(())
    }

    /// Forgets the digests of files that are no more.
    pub fn forget_digests(&self, stale: &[Key]) -> Result<(), EngineError> {
        for key in stale {
            let key = params![key.inode as i64, key.device as i64];
            self.run("DELETE FROM digest WHERE inode = ?1 AND device = ?2", key)?;
        }
        Ok(())
    }

    /// Records which contents stand behind a remote's names.
    pub fn objects(&self, remote: i64, objects: &[(ObjectId, ContentId, u64)]) -> Result<(), EngineError> {
        for (object, content, size) in objects {
            self.run(
                "INSERT OR REPLACE INTO object (remote, object, content, size) VALUES (?1, ?2, ?3, ?4)",
                params![remote, object.as_bytes(), content.as_bytes(), *size as i64],
            )?;
        }
        Ok(())
    }

    /// Records the targets of links.
    pub fn targets(&self, targets: &[(ContentId, Vec<u8>)]) -> Result<(), EngineError> {
        for (content, target) in targets {
            self.run(
                "INSERT OR REPLACE INTO target (content, target) VALUES (?1, ?2)",
                params![content.as_bytes(), target],
            )?;
        }
        Ok(())
    }

    /// Forgets which contents stand behind a remote's names: they are asked for again.
    pub fn forget_objects(&self, remote: i64) -> Result<(), EngineError> {
        self.run("DELETE FROM object WHERE remote = ?1", [remote])?;
        Ok(())
    }

    /// Writes down what a commit offers, or that it is settled.
    pub fn offered(&self, remote: i64, offered: Option<&Offered>) -> Result<(), EngineError> {
        self.run("DELETE FROM offered WHERE remote = ?1", [remote])?;
        if let Some(offered) = offered {
            self.run(
                "INSERT INTO offered (remote, revision, rows, next_node) VALUES (?1, ?2, ?3, ?4)",
                params![remote, offered.revision.0, codec::encode_rows(&offered.rows), offered.next],
            )?;
        }
        Ok(())
    }

    /// Writes down what is about to be done.
    pub fn journal(&self, operation: &str, first: usize, entries: &[String]) -> Result<(), EngineError> {
        for (step, entry) in entries.iter().enumerate() {
            self.run(
                "INSERT INTO journal (operation, step, entry) VALUES (?1, ?2, ?3)",
                params![operation, (first + step) as i64, entry],
            )?;
        }
        Ok(())
    }

    /// Ends the journal: all of it is done, or was put right.
    pub fn clear_journal(&self) -> Result<(), EngineError> {
        self.run("DELETE FROM journal", [])?;
        Ok(())
    }

    /// Replaces the open conflicts with a remote.
    pub fn conflicts(&self, remote: i64, records: &[ConflictRecord], next: u64) -> Result<(), EngineError> {
        self.run("DELETE FROM conflict WHERE remote = ?1", [remote])?;
        for record in records {
            self.run(
                "INSERT INTO conflict (remote, id, number, since, here, there, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    remote,
                    record.id.as_bytes(),
                    record.number,
                    record.since.ns(),
                    record.here,
                    record.there,
                    record.value
                ],
            )?;
        }
        self.run(
            "UPDATE remote SET next_conflict = max(next_conflict, ?2) WHERE id = ?1",
            params![remote, next],
        )?;
        Ok(())
    }

    /// Records a person's choice for nodes in conflict.
    pub fn choose(
        &self,
        remote: i64,
        nodes: &[NodeId],
        strategy: &str,
        operation: &str,
    ) -> Result<(), EngineError> {
        for node in nodes {
            self.run(
                "INSERT OR REPLACE INTO choice (remote, node, strategy, operation) VALUES (?1, ?2, ?3, ?4)",
                params![remote, node.0, strategy, operation],
            )?;
        }
        self.run("UPDATE remote SET quiet = NULL WHERE id = ?1", [remote])?;
        Ok(())
    }

    /// Drops the choices: the cycle that they were made for has come to its end, or was taken back.
    pub fn clear_choices(&self, remote: i64) -> Result<(), EngineError> {
        self.run("DELETE FROM choice WHERE remote = ?1", [remote])?;
        Ok(())
    }

    /// Drops the choices that one operation made.
    pub fn unchoose(&self, operation: &str) -> Result<(), EngineError> {
        self.run("DELETE FROM choice WHERE operation = ?1", [operation])?;
        self.run("UPDATE remote SET quiet = NULL", [])?;
        Ok(())
    }

    /// Changes what is known as a resolve wants it, and notes how it was.
    pub fn settle(&self, operation: &str, settlement: &Settlement) -> Result<(), EngineError> {
        self.run(
            "INSERT OR REPLACE INTO settlement (operation, remote, before, after) VALUES (?1, ?2, ?3, ?4)",
            params![
                operation,
                settlement.remote,
                codec::encode_rows(&settlement.before),
                codec::encode_rows(&settlement.after)
            ],
        )?;
        self.nodes(settlement.remote, &settlement.after, &[], 0)
    }

    /// Closes a conflict: it is settled, or a choice settles it in the next cycle.
    pub fn close_conflict(&self, remote: i64, number: u64) -> Result<(), EngineError> {
        self.run("DELETE FROM conflict WHERE remote = ?1 AND number = ?2", params![remote, number])?;
        self.run("UPDATE remote SET quiet = NULL WHERE id = ?1", [remote])?;
        Ok(())
    }

    /// Holds paths until a person syncs.
    pub fn hold(&self, remote: i64, paths: &[Vec<u8>], operation: &str) -> Result<(), EngineError> {
        for path in paths {
            self.run(
                "INSERT OR REPLACE INTO undone (remote, path, operation) VALUES (?1, ?2, ?3)",
                params![remote, path, operation],
            )?;
        }
        self.run("UPDATE remote SET quiet = NULL WHERE id = ?1", [remote])?;
        Ok(())
    }

    /// Replaces the nodes that can't be seen here.
    pub fn unseen(&self, remote: i64, nodes: &[NodeId]) -> Result<(), EngineError> {
        self.run("DELETE FROM unseen WHERE remote = ?1", [remote])?;
        for node in nodes {
            self.run("INSERT INTO unseen (remote, node) VALUES (?1, ?2)", params![remote, node.0])?;
        }
        Ok(())
    }

    /// Writes a note of the workspace's own.
    pub fn note(&self, name: &str, value: &str) -> Result<(), EngineError> {
        self.run("INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }

    /// Notes that an operation's part at the remote is still to be taken back, or that it was.
    pub fn half_undone(&self, remote: i64, operation: &str, waits: bool) -> Result<(), EngineError> {
        let sql = if waits {
            "INSERT OR IGNORE INTO half_undone (remote, operation) VALUES (?1, ?2)"
        } else {
            "DELETE FROM half_undone WHERE remote = ?1 AND operation = ?2"
        };
        self.run(sql, params![remote, operation])?;
        self.run("UPDATE remote SET quiet = NULL WHERE id = ?1", [remote])?;
        Ok(())
    }

    /// Holds nothing any more.
    pub fn release(&self, remote: i64) -> Result<(), EngineError> {
        self.run("DELETE FROM undone WHERE remote = ?1", [remote])?;
        Ok(())
    }

    /// Adds an operation to the log, or replaces the one of that id.
    pub fn operation(&self, id: &str, time: Timestamp, value: &str) -> Result<(), EngineError> {
        self.run(
            "INSERT INTO operation (id, time, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET value = excluded.value",
            params![id, time.ns(), value],
        )?;
        Ok(())
    }

    /// Records kept versions.
    pub fn kept(&self, versions: &[Kept]) -> Result<(), EngineError> {
        for kept in versions {
            self.run(
                "INSERT OR REPLACE INTO kept (content, path, operation, time, size, kind)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    kept.content.as_bytes(),
                    kept.path,
                    kept.operation,
                    kept.time.ns(),
                    kept.size as i64,
                    kept.kind
                ],
            )?;
        }
        Ok(())
    }

    /// Forgets the record of kept versions that retention dropped.
    pub fn forget_kept(&self, versions: &[Kept]) -> Result<(), EngineError> {
        for kept in versions {
            self.run(
                "DELETE FROM kept WHERE content = ?1 AND path = ?2 AND operation = ?3",
                params![kept.content.as_bytes(), kept.path, kept.operation],
            )?;
        }
        Ok(())
    }
}
