//! Retention: displaced versions go when their time is over, and not before.
//!
//! It runs at the end of a cycle, at most once a day, and has a time of its own: a wrong clock must not let versions go
//! that a right one would keep. That time goes on with the clock from run to run, stands still where the clock is put
//! back, and counts a leap of it, or a time in which nothing was synced, as one day. A version is as old as the run that
//! met it first. One that never reached a remote, or that an open conflict needs, stays whatever its age. A kept file that
//! a program wrote to after it was displaced no longer is what its name says: it stays too.
//!
//! What is written down is there: a version leaves the record first, in one transaction with a note of what is to be
//! dropped, and its file after that. If that is interrupted, the next cycle finishes it by the note.

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

/// The note of when it last ran, by the clock and in its own time, in seconds.
const NOTE: &str = "retention";

/// The note of contents that left the record, and whose files are still to be dropped.
const DROPPING: &str = "retention-dropping";

/// How long it rests between two runs, in seconds.
const REST_SECONDS: i64 = 24 * 60 * 60;

/// What the clock goes on by between two runs is believed up to this, in seconds.
const BELIEVED_SECONDS: i64 = 2 * REST_SECONDS;

/// Drops what is over its time; answers how many contents went.
pub fn run<F: Folder>(
    state: &mut State,
    contents: &Contents<'_, F>,
    retention: &Retention,
    now: Timestamp,
) -> Result<usize, EngineError> {
    drop_noted(state, contents)?;
    let noted = state.note(NOTE)?.unwrap_or_default();
    let mut times = noted.split(' ').map(|time| time.parse::<i64>().ok());
    let (last, before) = (times.next().flatten(), times.next().flatten().unwrap_or_default());
    let passed = last.map_or(0, |last| now.seconds().saturating_sub(last));
    if last.is_some() && (0..REST_SECONDS).contains(&passed) {
        return Ok(0);
    }
    let own = Timestamp::from_seconds(before.saturating_add(believed(passed)));
    let kept = state.kept(b"")?;
    let mut met = state.met()?;
    let operations: BTreeSet<&str> = kept.iter().map(|version| version.operation.as_str()).collect();
    met.retain(|operation, _| operations.contains(operation.as_str()));
    for operation in operations {
        met.entry(operation.to_owned()).or_insert(own);
    }
    let aged = age(state, &kept, &met)?;
    let mut going = BTreeSet::new();
    for content in expired(&aged, retention, own) {
        if contents.may_drop(content)? {
            going.insert(content);
        }
    }
    let noted: Vec<String> = going.iter().map(ContentId::to_string).collect();
    let gone: Vec<Kept> = kept.into_iter().filter(|version| going.contains(&version.content)).collect();
    state.transact(|write| {
        write.forget_kept(&gone)?;
        write.note(DROPPING, &noted.join(" "))?;
        write.met(&met)?;
        write.note(NOTE, &format!("{} {}", now.seconds(), own.seconds()))
    })?;
    drop_noted(state, contents)?;
    Ok(going.len())
}

/// What of the time that the clock says has passed is believed, in seconds.
fn believed(passed: i64) -> i64 {
    match passed {
        _ if mutant::is_on("clock-lets-go") => passed,
        ..0 => 0,
        0..=BELIEVED_SECONDS => passed,
        _ => REST_SECONDS,
    }
}

/// Drops the files of what left the record. What was displaced once more since is on record again, and stays.
fn drop_noted<F: Folder>(state: &mut State, contents: &Contents<'_, F>) -> Result<(), EngineError> {
    let noted = state.note(DROPPING)?.unwrap_or_default();
    if noted.is_empty() {
        return Ok(());
    }
    let mut needed = needed_by_conflicts(state)?;
    needed.extend(state.kept(b"")?.iter().map(|version| version.content));
    for content in noted.split(' ').filter_map(ContentId::parse) {
        if !needed.contains(&content) {
            contents.drop_content(content)?;
        }
    }
    state.transact(|write| write.note(DROPPING, ""))
}

/// Each kept version with what decides about it.
fn age(state: &State, kept: &[Kept], met: &BTreeMap<String, Timestamp>) -> Result<Vec<Aged>, EngineError> {
    let needed = needed_by_conflicts(state)?;
    // Of those that were met together, the clock alone can tell which is newer.
    let mut in_order: Vec<(Timestamp, &Kept)> = kept.iter().map(|one| (met[&one.operation], one)).collect();
    in_order.sort_by_key(|(met, version)| (*met, version.time));
    let mut files: BTreeMap<&[u8], NodeId> = BTreeMap::new();
    let mut newest: BTreeMap<&[u8], &str> = BTreeMap::new();
    for (_, version) in &in_order {
        let next = NodeId(files.len() as u64 + 1);
        files.entry(&version.path).or_insert(next);
        newest.insert(&version.path, &version.operation);
    }
    let mut deletions = Deletions::default();
    let mut aged = Vec::with_capacity(kept.len());
    for (newer, (met, version)) in (1..).zip(in_order.into_iter().rev()) {
        let is_newest = newest[version.path.as_slice()] == version.operation;
        aged.push(Aged {
            content: version.content,
            node: files[version.path.as_slice()],
            displaced: Timestamp::from_ns(met.ns().saturating_sub(newer)),
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

#[cfg(test)]
mod tests {
    use instep_core::remote::ObjectId;
    use rustix::io::Errno;

    use super::*;
    use crate::folder::disk::DiskFolder;
    use crate::folder::faulty::{Fault, Faulty};

    const DAY: i64 = 24 * 60 * 60;

    fn names(history: &std::path::Path) -> BTreeSet<String> {
        let entries = std::fs::read_dir(history).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_stop_between_record_and_files_leaves_no_version_on_record_that_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let history = root.path().join(".instep/history");
        drop(DiskFolder::create(root.path()).unwrap());
        let versions: Vec<ContentId> = (0..4_u8).map(|number| ContentId::of(&[number])).collect();
        let mut state = State::open(&root.path().join(".instep/state.db")).unwrap();
        let remote = state.remote("somewhere").unwrap().id;
        let kept = |(number, content): (usize, &ContentId), days: i64| Kept {
            content: *content,
            path: b"file".to_vec(),
            operation: format!("{number:016x}"),
            time: Timestamp::from_seconds(days * DAY),
            size: 1,
            kind: "file".to_owned(),
        };
        state
            .transact(|write| {
                let all = versions.iter().enumerate();
                let object = |(number, content): (usize, &ContentId)| {
                    (ObjectId::new(&[number as u8; 20]).unwrap(), *content, 1)
                };
                write.objects(remote, &all.clone().map(object).collect::<Vec<_>>())?;
                write.kept(&all.map(|one| kept(one, 1)).collect::<Vec<_>>())
            })
            .unwrap();
        for (number, content) in versions.iter().enumerate() {
            std::fs::write(history.join(content.to_string()), [number as u8]).unwrap();
        }
        let none = Retention {
            keep_last: 0,
            keep_within: std::time::Duration::ZERO,
            deleted: std::time::Duration::ZERO,
        };
        let now = Timestamp::from_seconds(100 * DAY);
        let mut in_order = versions.clone();
        in_order.sort();
        // It stops at the second file.
        let stuck = in_order[1].to_string();
        let disk = DiskFolder::open(root.path()).unwrap();
        let faulty = Faulty::new(disk, vec![(stuck.as_str(), Fault::Remove(Errno::IO))]);
        let contents = Contents::open(&faulty).unwrap();
        run(&mut state, &contents, &none, Timestamp::from_seconds(99 * DAY)).unwrap();
        assert!(run(&mut state, &contents, &none, now).is_err());
        let recorded = |state: &State| -> BTreeSet<String> {
            state.kept(b"").unwrap().iter().map(|version| version.content.to_string()).collect()
        };
        assert_eq!(names(&history).len(), 3);
        assert!(recorded(&state).is_subset(&names(&history)), "a version is on record and gone");
        // Meanwhile one of them is displaced once more.
        let again = in_order[3];
        state.transact(|write| write.kept(&[kept((9, &again), 99)])).unwrap();
        let disk = DiskFolder::open(root.path()).unwrap();
        run(&mut state, &Contents::open(&disk).unwrap(), &none, now).unwrap();
        assert_eq!(names(&history), BTreeSet::from([again.to_string()]));
        assert_eq!(recorded(&state), names(&history));
    }
}
