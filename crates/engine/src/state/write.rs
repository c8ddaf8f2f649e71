//! What may be written to the workspace database, inside one transaction.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::node::{NodeId, Row};
use instep_core::remote::{ObjectId, Revision};
use instep_core::renames::Renames;
use instep_core::tree::Key;
use rusqlite::{Transaction, params};

use super::{ConflictRecord, Failures, Kept, Offered, Settlement, codec};
use crate::conflict::abroad;
use crate::cycle::outcome::Held;
use crate::cycle::rules::Invalid;
use crate::digest::Digest;
use crate::failure::EngineError;
use crate::form::FormRecord;

/// An open transaction: what may be written.
pub struct Write<'a> {
    pub(super) transaction: Transaction<'a>,
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
        self.forget_remotes_but(&[])
    }

    /// The same, but for the remotes at these addresses.
    pub fn forget_remotes_but(&self, kept: &[String]) -> Result<(), EngineError> {
        let mut query = self.transaction.prepare_cached("SELECT id, address FROM remote")?;
        let known = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let known = known.collect::<Result<Vec<(i64, String)>, _>>()?;
        let forgotten = known.into_iter().filter(|(_, address)| !kept.contains(address));
        forgotten.map(|(id, _)| id).try_for_each(|id| self.forget_remote(id))
    }

    /// Forgets all rows: those of a new first contact follow in the same transaction.
    pub fn forget_nodes(&self, remote: i64) -> Result<(), EngineError> {
        self.run("DELETE FROM node WHERE remote = ?1", [remote])?;
        Ok(())
    }

    /// Forgets all that was agreed on with a remote: the next cycle is a first contact. History and log stay.
    pub fn forget_remote(&self, remote: i64) -> Result<(), EngineError> {
        for table in ["node", "object", "offered", "conflict", "choice", "undone", "unseen", "half_undone"] {
            self.run(&format!("DELETE FROM {table} WHERE remote = ?1"), [remote])?;
        }
        let notes = [
            abroad::heard_note(remote),
            abroad::answers_note(remote),
            super::told_note(remote),
            super::taken_late(remote),
        ];
        for note in notes {
            self.run("DELETE FROM note WHERE name = ?1", [note])?;
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
        match synced {
            Some(_) => self.note(&super::failures(remote), ""),
            None => Ok(()),
        }
    }

    /// Records that a sync failed.
    pub fn failed(&self, remote: i64, failures: &Failures) -> Result<(), EngineError> {
        let Failures { count, last, code, message } = failures;
        self.note(&super::failures(remote), &format!("{count} {} {code} {message}", last.ns()))
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
            self.run("DELETE FROM form WHERE inode = ?1 AND device = ?2", key)?;
        }
        Ok(())
    }

    /// Records what could not change here because a program has it open.
    pub fn occupied(&self, remote: i64, held: &[Held]) -> Result<(), EngineError> {
        let pairs: Vec<(&[u8], &str)> =
            held.iter().map(|held| (held.path.as_bytes(), held.why.as_str())).collect();
        let text = match pairs.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&pairs).expect("because it is plain data"),
        };
        self.note(&super::occupied(remote), &text)
    }

    /// Records what the last cycle held that can't be seen by a look at the folder.
    pub fn held(&self, remote: i64, held: &[&Held]) -> Result<(), EngineError> {
        let noted: Vec<(&[u8], &str, &str)> =
            held.iter().map(|held| (held.path.as_bytes(), held.code, held.why.as_str())).collect();
        let text = match noted.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&noted).expect("because it is plain data"),
        };
        self.note(&super::held(remote), &text)
    }

    /// Records what was found of files that travel in a form.
    pub fn forms(&self, records: &[FormRecord]) -> Result<(), EngineError> {
        for record in records {
            self.run(
                "INSERT OR REPLACE INTO form (inode, device, value) VALUES (?1, ?2, ?3)",
                params![record.key.inode as i64, record.key.device as i64, codec::encode_form(record)],
            )?;
        }
        Ok(())
    }

    /// Forgets what was found of files that travel in a form: they are looked at anew.
    pub fn forget_forms(&self) -> Result<(), EngineError> {
        self.run("DELETE FROM form", [])?;
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

    /// Writes down what a commit offers.
    pub fn offer(&self, remote: i64, offered: &Offered) -> Result<(), EngineError> {
        let expected = offered.expected.as_ref().map(|revision| &revision.0);
        let forgotten: Vec<String> = offered.forgotten.iter().map(|node| node.0.to_string()).collect();
        self.run(
            "INSERT INTO offered (remote, expected, revision, rows, forgotten, next_node)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                remote,
                expected,
                offered.revision.0,
                codec::encode_rows(&offered.rows),
                forgotten.join(" "),
                offered.next
            ],
        )?;
        Ok(())
    }

    /// What was offered for another head than this one was taken or never will be. The rest may be: whatever commits it
    /// can outlive the program that started it.
    pub fn settle_offers(&self, remote: i64, head: Option<&Revision>) -> Result<(), EngineError> {
        let head = head.map(|revision| &revision.0);
        self.run("DELETE FROM offered WHERE remote = ?1 AND expected IS NOT ?2", params![remote, head])?;
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

    /// Gives a conflict another number.
    pub fn renumber(&self, remote: i64, old: u64, new: u64) -> Result<(), EngineError> {
        let sql = "UPDATE conflict SET number = ?3 WHERE remote = ?1 AND number = ?2";
        self.run(sql, params![remote, old, new])?;
        self.run("UPDATE remote SET next_conflict = ?2 WHERE id = ?1", params![remote, new + 1])?;
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

    /// Notes what a remote is said to have renamed up to a revision, where it is still to be heard.
    pub fn renames(&self, remote: i64, upto: &Revision, told: &Renames) -> Result<(), EngineError> {
        let told = serde_json::to_string(told).expect("because renames are plain data");
        self.note(&super::renames(remote), &format!("{upto}\n{told}"))
    }

    /// Notes up to which revision a remote's commits were heard when one was offered; `None` if that is the known one.
    pub fn heard(&self, remote: i64, heard: Option<&Revision>) -> Result<(), EngineError> {
        match heard {
            Some(heard) => self.note(&super::heard(remote), &heard.0),
            None => self.run("DELETE FROM note WHERE name = ?1", [super::heard(remote)]).map(drop),
        }
    }

    /// Notes the nodes of a commit that was taken after its cycle had ended.
    pub fn taken_late(&self, remote: i64, nodes: &BTreeSet<NodeId>) -> Result<(), EngineError> {
        let name = super::taken_late(remote);
        if nodes.is_empty() {
            return self.run("DELETE FROM note WHERE name = ?1", [name]).map(drop);
        }
        let nodes: Vec<String> = nodes.iter().map(|node| node.0.to_string()).collect();
        self.note(&name, &nodes.join(" "))
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

    /// Keeps the shared settings that are valid now.
    pub fn good_settings(&self, text: &[u8]) -> Result<(), EngineError> {
        let text = String::from_utf8_lossy(text);
        self.note(super::GOOD_SETTINGS, &format!("{}\n{text}", ContentId::of(text.as_bytes())))
    }

    /// Records what is wrong with the shared settings that a remote holds; nothing if they are valid.
    pub fn invalid_there(&self, remote: i64, invalid: Option<&Invalid>) -> Result<(), EngineError> {
        let text = invalid.map(|invalid| format!("{} {}", invalid.code, invalid.why)).unwrap_or_default();
        self.note(&super::invalid_there(remote), &text)
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

    /// Notes when retention met the kept versions of these operations first; all others are forgotten.
    pub fn met(&self, operations: &BTreeMap<String, Timestamp>) -> Result<(), EngineError> {
        self.run("DELETE FROM met", [])?;
        for (operation, time) in operations {
            self.run("INSERT INTO met (operation, time) VALUES (?1, ?2)", params![operation, time.ns()])?;
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
