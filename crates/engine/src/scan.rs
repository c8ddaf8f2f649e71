//! From a folder to a [`Tree`]: what stands here now, every path of it.
//!
//! ```text
//! walk: open, list, decide, look at each   (several folders at once)
//!   '--> read: what no digest vouches for  (several files at once)
//! assemble: one tree, the same whoever came first
//! ```
//!
//! Nothing is skipped in silence: what takes no part, can't be read or changes under our eyes is an entry with the
//! reason, so that it is never taken for deleted. One bad path costs one path; only a failure of the workspace itself
//! ends a scan. Nothing is written.

mod assemble;
pub mod exec;
mod look;
mod patience;
mod pile;
mod read;
mod walk;

pub(crate) use walk::unknown;

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::filter::{Filter, Groups, IgnoreFiles};
use instep_core::mutant;
use instep_core::path::TreePath;
use instep_core::policy::Links;
use instep_core::progress::{Event, Observer, Phase};
use instep_core::tree::{Entry, Key, Place, Tree, Unknown};

use crate::conflict::marked::Met;
use crate::cycle::rules::Rules;
use crate::digest::{Digest, DigestCache};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::{FormRecord, Forms};
pub(crate) use assemble::NOTHING_INSIDE;

/// How to scan.
#[derive(Clone, Copy)]
pub struct ScanOptions<'a> {
    /// Which paths take part.
    pub filter: &'a Filter,
    /// The ignore files that are to say something else than what stands here.
    pub rules: &'a Rules,
    /// Which links take part.
    pub links: Links,
    /// What is known of contents.
    pub digests: &'a DigestCache,
    /// Why a file of this path and length takes no part, beyond the rules; asked before the file is read.
    pub refuses: &'a (dyn Fn(&TreePath, u64) -> Option<Unknown> + Sync),
    /// How many threads work on it. With one, all runs in order on the caller's thread.
    pub workers: usize,
    /// Hears of progress, and may ask to stop.
    pub observer: &'a dyn Observer,
}

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// What stands here.
    pub tree: Tree,
    /// Digests of what had to be read, in order of file number, without those that are not to be trusted later.
    pub fresh: Vec<Digest>,
    /// What else was read, of which nothing is to be trusted later.
    pub racy: Vec<Digest>,
    /// The known digests of files that were not met.
    pub stale: Vec<Key>,
    /// The databases among the files that were read.
    pub databases: Vec<Place>,
    /// What lies on the disk, where that is not what travels; the tree holds what travels. See [`form`](crate::form).
    pub forms: Forms,
    /// What was found of such files.
    pub formed: Vec<FormRecord>,
    /// What shows conflicts between markers.
    pub marked: Met,
    /// The groups by which it was found.
    pub groups: Groups,
    /// How much there is, and was read.
    pub counts: ScanCounts,
    /// The ignore files that were met.
    pub ignore: IgnoreFiles,
    /// The folders in those in which nothing takes part, in order of path: the tree ends at the topmost of them.
    pub ways: BTreeMap<TreePath, Option<Key>>,
    /// When it began, by the file system's clock.
    pub started: Timestamp,
}

impl Scan {
    /// The digests of all that was read just now.
    pub fn read_now(&self) -> impl Iterator<Item = &Digest> {
        self.fresh.iter().chain(&self.racy)
    }

    /// The known digests of files that are gone; none while something can't be seen, as they may be behind that.
    pub fn stale_if_whole(&self) -> &[Key] {
        let is_hidden = |place| {
            matches!(self.tree.at(place).entry, Entry::Unknown(Unknown::Unreadable(_) | Unknown::Changing))
        };
        if mutant::is_on("hidden-is-gone") {
            return &self.stale;
        }
        if self.stale.is_empty() || self.tree.places().any(is_hidden) { &[] } else { &self.stale }
    }
}

/// How much a scan met and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanCounts {
    /// Files and links that take part.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Folders that were listed, the workspace among them.
    pub folders: u64,
    /// Files that were read.
    pub hashed_files: u64,
    /// Bytes that were read.
    pub hashed_bytes: u64,
}

impl ScanCounts {
    fn add(&mut self, other: ScanCounts) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.folders += other.folders;
        self.hashed_files += other.hashed_files;
        self.hashed_bytes += other.hashed_bytes;
    }
}

/// Scans a folder. The result is the same for any number of workers.
pub fn scan<F: Folder>(folder: &F, options: &ScanOptions<'_>) -> Result<Scan, EngineError> {
    options.observer.observe(Event::Began { phase: Phase::Scan, files: None, bytes: None });
    let started = folder.now()?;
    let walked = walk::walk(folder, options, started)?;
    let mut scan = assemble::assemble(walked, options.digests, started);
    options.rules.complete(&mut scan.ignore);
    options.observer.observe(Event::Ended { phase: Phase::Scan });
    Ok(scan)
}

#[cfg(test)]
mod tests;
