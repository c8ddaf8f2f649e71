//! Retention: displaced versions go when their time is over, and not before.
//!
//! It runs at the end of a cycle, at most once a day, by this machine's own time of receipt. A version that never reached
//! a remote, or that an open conflict needs, stays whatever its age. A kept file that a program wrote to after it was
//! displaced no longer is what its name says: it stays too.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{NodeId, Side};
use instep_core::operation::Operation;
use instep_core::retention::{Kept as Aged, Retention, expired};

use super::contents::Contents;
use super::log;
use crate::conflict;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::state::{Kept, State};

/// The note of when it last ran.
const NOTE: &str = "retention";

/// How long it rests between two runs, in seconds.
const REST_SECONDS: i64 = 24 * 60 * 60;

/// Drops what is over its time; answers how many contents went.
pub fn run<F: Folder>(
    state: &mut State,
    contents: &Contents<'_, F>,
    retention: &Retention,
    now: Timestamp,
) -> Result<usize, EngineError> {
    let last = state.note(NOTE)?.and_then(|text| text.parse::<i64>().ok());
    if last.is_some_and(|last| (0..REST_SECONDS).contains(&(now.seconds() - last))) {
        return Ok(0);
    }
    let kept = state.kept(b"")?;
    let aged = age(state, &kept)?;
    let mut dropped = BTreeSet::new();
    for content in expired(&aged, retention, now) {
        if contents.drop_content(content)? {
            dropped.insert(content);
        }
    }
    let gone: Vec<Kept> = kept.into_iter().filter(|version| dropped.contains(&version.content)).collect();
    state.transact(|write| {
        write.forget_kept(&gone)?;
        write.note(NOTE, &now.seconds().to_string())
    })?;
    Ok(dropped.len())
}

/// Each kept version with what decides about it.
fn age(state: &State, kept: &[Kept]) -> Result<Vec<Aged>, EngineError> {
    let needed = needed_by_conflicts(state)?;
    let mut files: BTreeMap<&[u8], NodeId> = BTreeMap::new();
    let mut newest: BTreeMap<&[u8], Timestamp> = BTreeMap::new();
    for version in kept {
        let next = NodeId(files.len() as u64 + 1);
        files.entry(&version.path).or_insert(next);
        let latest = newest.entry(&version.path).or_insert(version.time);
        *latest = (*latest).max(version.time);
    }
    let mut deletions = Deletions::default();
    let mut aged = Vec::with_capacity(kept.len());
    for version in kept {
        let is_newest = newest[version.path.as_slice()] == version.time;
        aged.push(Aged {
            content: version.content,
            node: files[version.path.as_slice()],
            displaced: version.time,
            last: is_newest && deletions.hold(state, version)?,
            pinned: (!state.has_reached_a_remote(version.content)?
                && !mutant::is_on("retention-drops-unsent"))
                || needed.contains(&version.content),
        });
    }
    Ok(aged)
}

/// What each operation deleted here, read when it is first asked for.
#[derive(Default)]
struct Deletions(BTreeMap<String, BTreeSet<Vec<u8>>>);

impl Deletions {
    /// Answers whether a version was put away because its file was deleted, not replaced. What the log does not know was
    /// not deleted: then the longer time holds.
    fn hold(&mut self, state: &State, version: &Kept) -> Result<bool, EngineError> {
        if !self.0.contains_key(&version.operation) {
            let deleted = match state.operation(&version.operation)? {
                Some(text) => deleted(&log::parse(&text)?),
                None => BTreeSet::new(),
            };
            self.0.insert(version.operation.clone(), deleted);
        }
        Ok(self.0[&version.operation].contains(&version.path))
    }
}

fn deleted(operation: &Operation) -> BTreeSet<Vec<u8>> {
    let here = operation.paths.iter().filter(|record| {
        record.local.as_ref().is_some_and(|side| side.before.is_some() && side.after.is_none())
    });
    here.map(|record| record.path.as_bytes().to_vec()).collect()
}

/// The contents of all versions in open conflicts, whichever remote they are with.
fn needed_by_conflicts(state: &State) -> Result<BTreeSet<ContentId>, EngineError> {
    let mut needed = BTreeSet::new();
    for remote in state.remotes()? {
        if mutant::is_on("retention-drops-conflicts") {
            continue;
        }
        for open in conflict::open(state, remote)? {
            let versions = Side::BOTH.map(|side| open.conflict.version(side).cloned());
            let all = versions.into_iter().chain([open.conflict.base]).flatten();
            needed.extend(all.filter_map(|version| Some(version.leaf?.content)));
        }
    }
    Ok(needed)
}
