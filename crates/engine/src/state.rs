//! The workspace database: what both sides agreed on, what files were found to hold, what is half done, what was done.
//!
//! One SQLite file in `.instep/`, with a write-ahead log and `synchronous = FULL`: a committed transaction survives a
//! power cut, but for those that say otherwise ([`State::transact_soon`]). It stores observations, never pending work; losing it costs a first contact, not data.

pub mod codec;
mod schema;
mod write;

pub use write::Write;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::node::{Known, NodeId, Row};
use instep_core::path::TreePath;
use instep_core::remote::{ObjectId, Revision};
use instep_core::renames::Renames;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params, params};

use crate::digest::DigestCache;
use crate::failure::EngineError;
use crate::form::FormCache;
use schema::{ADDED, FORMAT, SCHEMA};

/// How long the log may be when the database is closed: less than what SQLite copies into the database at each commit.
const LOG_BYTES_MAX: u64 = 4_000_000;

/// The open database.
pub struct State {
    connection: Connection,
    /// Its log, if we write to it.
    log: Option<PathBuf>,
}

impl Drop for State {
    /// A log that has grown is copied into the database and emptied: who opens it next can't know what of it was copied
    /// before. Should that fail, the next one does it.
    fn drop(&mut self) {
        let length = self.log.as_ref().and_then(|log| log.metadata().ok()).map_or(0, |log| log.len());
        if length > LOG_BYTES_MAX {
            let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
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
    /// The head that it is made for: while that is the head, it may still be taken.
    pub expected: Option<Revision>,
    /// The revision that the commit gets.
    pub revision: Revision,
    /// The rows that hold if the remote took it.
    pub rows: Vec<Row>,
    /// The nodes that are forgotten then.
    pub forgotten: Vec<NodeId>,
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

/// How many statements are kept prepared; a cycle has fewer.
const STATEMENTS: usize = 128;

impl State {
    /// Opens the database at a path, or makes it.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // The log stays when the database is closed, and is copied into it once it has grown: as safe, and a cycle that
        // writes little need not wait for the disk three times.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX as i64)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        State::ready(connection, Some(log.into()))
    }

    /// Opens the database to read in it, beside whoever writes.
    pub fn open_to_read(path: &Path) -> Result<Self, EngineError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            FORMAT => Ok(State { connection, log: None }),
            0 => Err(EngineError::StateCorrupt("it is empty".to_owned())),
            _ => Err(EngineError::StateVersion { found, known: FORMAT }),
        }
    }

    /// A database in memory, for simulations.
    pub fn in_memory() -> Result<Self, EngineError> {
        State::ready(Connection::open_in_memory()?, None)
    }

    /// A database in memory in which nothing can be committed while `refuses` says so: a machine that crashed, or a
    /// disk that is full.
    pub fn in_memory_refusing(refuses: impl Fn() -> bool + Send + 'static) -> Result<Self, EngineError> {
        let state = State::in_memory()?;
        state.connection.commit_hook(Some(refuses))?;
        Ok(state)
    }

    fn ready(connection: Connection, log: Option<PathBuf>) -> Result<Self, EngineError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            0 => {
                connection
                    .execute_batch(&format!("BEGIN;{SCHEMA};PRAGMA user_version = {FORMAT};COMMIT;"))?;
                // The file itself is a database from the start, not only with its log.
                connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
            }
            FORMAT => {}
            _ => return Err(EngineError::StateVersion { found, known: FORMAT }),
        }
        connection.execute_batch(ADDED)?;
        let mut state = State { connection, log };
        state.renumber_conflicts()?;
        Ok(state)
    }

    /// A number means one conflict of a workspace. An older program counted anew for each remote: where two have the same
    /// number, that of the later remote gets another.
    fn renumber_conflicts(&mut self) -> Result<(), EngineError> {
        let twice: Vec<(i64, u64)> = {
            let sql = "SELECT remote, number FROM conflict AS one WHERE EXISTS
                       (SELECT 1 FROM conflict WHERE number = one.number AND remote < one.remote)";
            let mut query = self.connection.prepare(sql)?;
            let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found.collect::<Result<_, _>>()?
        };
        if twice.is_empty() {
            return Ok(());
        }
        let next = self.next_conflict()?;
        self.transact(|write| {
            twice.iter().zip(next..).try_for_each(|((remote, old), new)| write.renumber(*remote, *old, new))
        })
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

    /// As [`State::transact`], for what may be lost in a power cut with all that is written after it: observations that
    /// the next cycle makes again. The end of the program does not take it, and the database stays whole. The disk is
    /// not waited for.
    pub fn transact_soon<T>(
        &mut self,
        work: impl FnOnce(&Write<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.connection.pragma_update(None, "synchronous", "NORMAL")?;
        let answer = self.transact(work);
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        answer
    }

    /// The first row of an answer, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, EngineError> {
        Ok(self.connection.prepare_cached(sql)?.query_row(values, read).optional()?)
    }

    /// The remote at an address, known from now on; where nothing can be written, one of which nothing is known.
    pub fn remote(&self, address: &str) -> Result<RemoteRecord, EngineError> {
        if let Some(known) = self.known_remote(address)? {
            return Ok(known);
        }
        if !self.connection.is_readonly(rusqlite::MAIN_DB)? {
            self.connection.execute("INSERT INTO remote (address) VALUES (?1)", [address])?;
        }
        let nothing =
            RemoteRecord { id: 0, head: None, seen: None, checked: None, synced: None, quiet: None };
        Ok(self.known_remote(address)?.unwrap_or(nothing))
    }

    fn known_remote(&self, address: &str) -> Result<Option<RemoteRecord>, EngineError> {
        let sql = "SELECT id, head, checked, synced, quiet, seen FROM remote WHERE address = ?1";
        self.one(sql, [address], |row| {
            Ok(RemoteRecord {
                id: row.get(0)?,
                head: row.get::<_, Option<String>>(1)?.map(Revision),
                checked: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_ns),
                synced: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_ns),
                quiet: row.get::<_, Option<[u8; 32]>>(4)?.map(ContentId::from_bytes),
                seen: row.get::<_, Option<String>>(5)?.map(Revision),
            })
        })
    }

    /// All that is remembered of the nodes shared with a remote.
    pub fn known(&self, remote: i64) -> Result<Known, EngineError> {
        let sql = "SELECT next_node FROM remote WHERE id = ?1";
        let next = self.one(sql, [remote], |row| row.get(0))?.unwrap_or_default();
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

    /// What is wrong with the database's own structure, a line each; nothing if it is sound.
    pub fn damage(&self) -> Result<Vec<String>, EngineError> {
        let ask = || -> rusqlite::Result<Vec<String>> {
            let mut query = self.connection.prepare("PRAGMA quick_check")?;
            query.query_map([], |row| row.get(0))?.collect()
        };
        match ask() {
            Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
            Err(error) if is_damage(&error) => Ok(vec![error.to_string()]),
            Err(error) => Err(error.into()),
        }
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
            let value = row.get_ref(1)?.as_blob().ok();
            digests.extend(value.and_then(|value| codec::decode_digest(inode, value).ok()));
        }
        Ok(DigestCache::new(digests))
    }

    /// What was found of the files that travel in a form.
    pub fn forms(&self) -> Result<FormCache, EngineError> {
        let mut query = self.connection.prepare_cached("SELECT inode, value FROM form")?;
        let mut found = query.query([])?;
        let mut records = Vec::new();
        while let Some(row) = found.next()? {
            let inode = row.get::<_, i64>(0)? as u64;
            // As with digests: the file is looked at anew.
            let value = row.get_ref(1)?.as_blob().ok();
            records.extend(value.and_then(|value| codec::decode_form(inode, value).ok()));
        }
        Ok(FormCache::new(records))
    }

    /// The contents behind a remote's names.
    pub fn objects(&self, remote: i64) -> Result<HashMap<ObjectId, (ContentId, u64)>, EngineError> {
        let mut query =
            self.connection.prepare_cached("SELECT object, content, size FROM object WHERE remote = ?1")?;
        let mut found = query.query([remote])?;
        let mut objects = HashMap::new();
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

    /// The numbers of all remotes that were ever known.
    pub fn remotes(&self) -> Result<Vec<i64>, EngineError> {
        let mut query = self.connection.prepare_cached("SELECT id FROM remote ORDER BY id")?;
        let found = query.query_map([], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Answers whether any remote was seen to hold a content.
    pub fn has_reached_a_remote(&self, content: ContentId) -> Result<bool, EngineError> {
        for remote in self.remotes()? {
            if self.object_of(remote, content)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What commits offered and is not settled yet, in their order.
    pub fn offered(&self, remote: i64) -> Result<Vec<Offered>, EngineError> {
        let mut query = self.connection.prepare_cached(
            "SELECT expected, revision, rows, forgotten, next_node FROM offered WHERE remote = ?1 ORDER BY number",
        )?;
        let mut found = query.query([remote])?;
        let mut offered = Vec::new();
        while let Some(row) = found.next()? {
            let (rows, forgotten): (Vec<u8>, String) = (row.get(2)?, row.get(3)?);
            offered.push(Offered {
                expected: row.get::<_, Option<String>>(0)?.map(Revision),
                revision: Revision(row.get(1)?),
                rows: codec::decode_rows(&rows).map_err(nonsense)?,
                forgotten: forgotten
                    .split_whitespace()
                    .filter_map(|id| Some(NodeId(id.parse().ok()?)))
                    .collect(),
                next: row.get(4)?,
            });
        }
        Ok(offered)
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

    /// The number that the next conflict gets, with whichever remote it is.
    pub fn next_conflict(&self) -> Result<u64, EngineError> {
        let sql = "SELECT coalesce(max(next_conflict), 1) FROM remote";
        Ok(self.one(sql, [], |row| row.get(0))?.unwrap_or(1))
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
        self.one(sql, [name], |row| row.get(0))
    }

    /// The shared settings that were valid last; none if none ever were, or if what was noted is damaged.
    pub fn good_settings(&self) -> Result<Option<Vec<u8>>, EngineError> {
        let noted = self.note(GOOD_SETTINGS)?;
        let noted = noted.as_deref().and_then(|noted| noted.split_once('\n'));
        let sound = noted.filter(|(digest, text)| *digest == ContentId::of(text.as_bytes()).to_string());
        Ok(sound.map(|(_, text)| text.as_bytes().to_vec()))
    }

    /// What a remote is said to have renamed up to a revision, as far as it is still to be heard.
    pub fn renames(&self, remote: i64, upto: Option<&Revision>) -> Result<Renames, EngineError> {
        let Some(upto) = upto else { return Ok(Renames::default()) };
        let noted = self.note(&renames(remote))?.unwrap_or_default();
        let told = noted.split_once('\n').filter(|(revision, _)| *revision == upto.0);
        // They are hints: what can't be read is not missed.
        Ok(told.and_then(|(_, told)| serde_json::from_str(told).ok()).unwrap_or_default())
    }

    /// The revision up to which a remote's commits were heard: the known one, or an older one where that was taken after
    /// its cycle had ended.
    pub fn heard(&self, remote: i64, known: Option<&Revision>) -> Result<Option<Revision>, EngineError> {
        let Some(known) = known else { return Ok(None) };
        Ok(Some(self.note(&heard(remote))?.map_or_else(|| known.clone(), Revision)))
    }

    /// The nodes of a commit that was taken after its cycle had ended, until a cycle has made durable what stands there.
    pub fn taken_late(&self, remote: i64) -> Result<BTreeSet<NodeId>, EngineError> {
        let noted = self.note(&taken_late(remote))?.unwrap_or_default();
        Ok(noted.split_whitespace().filter_map(|id| Some(NodeId(id.parse().ok()?))).collect())
    }

    /// How the syncs with a remote failed since one last came to its end; `None` if none did.
    pub fn failures(&self, remote: i64) -> Result<Option<Failures>, EngineError> {
        let Some(text) = self.note(&failures(remote))? else { return Ok(None) };
        let mut parts = text.splitn(4, ' ');
        let failures = (|| {
            let (count, last) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let (code, message) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            Some(Failures { count, last: Timestamp::from_ns(last), code, message })
        })();
        Ok(failures.filter(|failures| failures.count > 0))
    }

    /// What is wrong with the shared settings that a remote was seen to hold: the code, and why.
    pub fn invalid_there(&self, remote: i64) -> Result<Option<String>, EngineError> {
        Ok(self.note(&invalid_there(remote))?.filter(|text| !text.is_empty()))
    }

    /// The paths that could not change here in the last cycle because a program has them open, each with who.
    pub fn occupied(&self, remote: i64) -> Result<BTreeMap<Vec<u8>, String>, EngineError> {
        let Some(text) = self.note(&occupied(remote))?.filter(|text| !text.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        let pairs: Vec<(Vec<u8>, String)> = serde_json::from_str(&text).map_err(nonsense)?;
        Ok(pairs.into_iter().collect())
    }

    /// Why a path was held in the last cycle, if that can't be seen by a look at the folder: the code, and a sentence.
    pub fn held(&self, remote: i64, path: &TreePath) -> Result<Option<(String, String)>, EngineError> {
        let Some(text) = self.note(&held(remote))?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let noted: Vec<(Vec<u8>, String, String)> = serde_json::from_str(&text).map_err(nonsense)?;
        let mut noted = noted.into_iter();
        Ok(noted.find(|(held, ..)| held == path.as_bytes()).map(|(_, code, why)| (code, why)))
    }

    /// The operations whose part at the remote is still to be taken back.
    pub fn half_undone(&self, remote: i64) -> Result<Vec<String>, EngineError> {
        let sql = "SELECT operation FROM half_undone WHERE remote = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let found = query.query_map([remote], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// One operation as stored.
    pub fn operation(&self, id: &str) -> Result<Option<String>, EngineError> {
        let sql = "SELECT value FROM operation WHERE id = ?1";
        self.one(sql, [id], |row| row.get(0))
    }

    /// The operations, newest first, as stored, until `wants_more` has enough. Only those since a moment, and those that
    /// may speak of a path, if these are given: its text stands in them, or something that is not stored as text.
    pub fn each_operation(
        &self,
        since: Option<Timestamp>,
        text: Option<&str>,
        mut wants_more: impl FnMut(&str) -> Result<bool, EngineError>,
    ) -> Result<(), EngineError> {
        let mut query = self.connection.prepare_cached(
            r#"SELECT value FROM operation WHERE (?1 IS NULL OR time >= ?1) AND (?2 IS NULL OR instr(value, ?2) OR instr(value, '{"base64"'))
             ORDER BY number DESC"#,
        )?;
        let mut found = query.query(params![since.map(Timestamp::ns), text])?;
        while let Some(row) = found.next()? {
            let value = row.get_ref(0)?;
            if !wants_more(value.as_str().map_err(nonsense)?)? {
                break;
            }
        }
        Ok(())
    }

    /// The operations whose ids begin so, as stored.
    pub fn operations_named(&self, start: &str) -> Result<Vec<String>, EngineError> {
        let sql = "SELECT value FROM operation WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id";
        let mut query = self.connection.prepare_cached(sql)?;
        let found = query.query_map([start], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// The ids of the newest operations, newest first.
    pub fn operation_ids(&self, limit: usize) -> Result<Vec<String>, EngineError> {
        let sql = "SELECT id FROM operation ORDER BY number DESC LIMIT ?1";
        let mut query = self.connection.prepare_cached(sql)?;
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

    /// When retention met the kept versions of each operation first, in its own time.
    pub fn met(&self) -> Result<BTreeMap<String, Timestamp>, EngineError> {
        let mut query = self.connection.prepare_cached("SELECT operation, time FROM met")?;
        let found = query.query_map([], |row| Ok((row.get(0)?, Timestamp::from_ns(row.get(1)?))))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

/// Answers whether a failure says that the database's file is damaged.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn nonsense(why: impl std::fmt::Display) -> EngineError {
    EngineError::StateCorrupt(why.to_string())
}

/// The note of the shared settings that were valid last: their digest, and their text from the next line on.
const GOOD_SETTINGS: &str = "settings";

/// The note of renames that are still to be heard: the revision up to which they were told, and what was told.
fn renames(remote: i64) -> String {
    format!("renames-{remote}")
}

/// The note of the revision up to which all was heard when a commit was offered.
fn heard(remote: i64) -> String {
    format!("heard-{remote}")
}

/// The note of what was taken late: the numbers of nodes.
fn taken_late(remote: i64) -> String {
    format!("taken-late-{remote}")
}

/// The note of failed syncs: how many, when the last one was, its code, and what it said.
fn failures(remote: i64) -> String {
    format!("failures-{remote}")
}

/// The note of what a person was told of by their own command: whoever tells knows its form.
pub fn told_note(remote: i64) -> String {
    format!("told-{remote}")
}

/// Syncs that failed since one last came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u64,
    /// When the last one was.
    pub last: Timestamp,
    /// Its stable code.
    pub code: String,
    /// Its first sentence.
    pub message: String,
}

/// The note of what is wrong with the shared settings that a remote holds.
fn invalid_there(remote: i64) -> String {
    format!("invalid-there-{remote}")
}

/// The note of what waits because a program has it open.
fn occupied(remote: i64) -> String {
    format!("occupied-{remote}")
}

/// The note of what the last cycle held.
fn held(remote: i64) -> String {
    format!("held-{remote}")
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
