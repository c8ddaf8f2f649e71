//! Damage is not an edit: the first cycle after a restart of the machine.
//!
//! A power cut can leave a file empty, or full of zeros, under a name that was just written, or give an old block its
//! old bytes back. Such a file must not go out over good ones. So after a restart what was written shortly before is
//! read again, and a file that lost what it had gets it back; what stood there is kept, and the person is told. If its
//! content can't be had now, the file is held, and the next cycle tries again.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::{ContentHasher, ContentId};
use instep_core::mutant;
use instep_core::node::{Body, Known, NodeId, Side};
use instep_core::operation::{Held, OperationId, OperationKind};
use instep_core::path::{Name, TreePath};
use instep_core::tree::{Entry, Key, Leaf, LeafKind, Place, Tree};

use super::{Cycle, Look};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::act::{Deed, Sources, act};
use crate::history::wish::Wishes;
use crate::scan::Scan;
use crate::state::RemoteRecord;

/// The note of the start of the system under which the last cycle ended.
const BOOT: &str = "boot";
/// The note of the moment since which nothing is believed, while damage is left.
const DOUBTED: &str = "doubted";

/// How long before the end of the last cycle a file counts as just written.
const RECENT_NS: i64 = 10 * 60 * 1_000_000_000;

/// The files that lost what they had, and what that was.
pub(super) type Damaged = BTreeMap<TreePath, Leaf>;

impl<F: Folder> Cycle<'_, F> {
    /// Answers whether the system was started anew since the last cycle.
    pub(super) fn has_restarted(&self) -> Result<bool, EngineError> {
        let before = self.workspace.state.note(BOOT)?;
        Ok(match (&before, &self.workspace.boot) {
            (Some(before), Some(now)) => before != now && !mutant::is_on("restart-unseen"),
            _ => false,
        })
    }

    /// What to note of the system's start once the cycle is over. While damage is left, or nothing is known of the remote
    /// by which damage could have been told, the next cycle looks again, and as far back.
    pub(super) fn restart_notes(
        &self,
        record: &RemoteRecord,
    ) -> Result<Vec<(&'static str, String)>, EngineError> {
        let boot = self.workspace.boot.clone().map(|boot| (BOOT, boot));
        if !self.restarted {
            return Ok(boot.into_iter().collect());
        }
        let Some(since) = self.doubted_since(record)? else { return Ok(Vec::new()) };
        Ok(match self.damaged.is_empty() || mutant::is_on("doubt-is-forgotten") {
            true => boot.into_iter().chain([(DOUBTED, String::new())]).collect(),
            false => vec![(DOUBTED, since.ns().to_string())],
        })
    }

    /// The moment since which nothing that was found is believed; none if the system runs on.
    pub(super) fn doubted_since(&self, record: &RemoteRecord) -> Result<Option<Timestamp>, EngineError> {
        let Some(synced) = record.synced.filter(|_| self.restarted) else { return Ok(None) };
        let noted = self.workspace.state.note(DOUBTED)?.and_then(|noted| noted.parse().ok());
        let recent = synced.ns().saturating_sub(RECENT_NS);
        Ok(Some(Timestamp::from_ns(noted.map_or(recent, |noted: i64| noted.min(recent)))))
    }

    /// The files that lost what they had when the last cycle ended.
    pub(super) fn find_damaged(&self, record: &RemoteRecord, scan: &Scan) -> Result<Damaged, EngineError> {
        let known = self.workspace.state.known(record.id)?;
        let had = Had::new(&known);
        let rotten = self.changed_without_trace(scan)?;
        let tree = &scan.tree;
        let mut damaged = Damaged::new();
        for place in tree.places() {
            let entry = tree.at(place);
            let Entry::Leaf(leaf) = entry.entry else { continue };
            if leaf.kind != LeafKind::File {
                continue;
            }
            let is_rotten = entry.key.is_some_and(|key| rotten.contains(&key));
            let suspect = leaf.size == 0 || is_rotten && !mutant::is_on("rot-is-an-edit");
            // Most files are as they were: only of the others is it asked whether they are full of zeros.
            if let Some(before) = had.leaf(tree, place).filter(|before| before.content != leaf.content)
                && before.size > 0
                && (suspect || leaf.content == zeros(leaf.size) && !mutant::is_on("zeros-are-an-edit"))
            {
                damaged.insert(tree.path(place), before);
            }
        }
        Ok(damaged)
    }

    /// The files whose content is another though their identity, length and times are the same.
    fn changed_without_trace(&self, scan: &Scan) -> Result<BTreeSet<Key>, EngineError> {
        Ok(self.workspace.state.digests()?.changed_without_trace(scan.read_now()))
    }

    /// Gives damaged files back what they had; answers those that could not be helped, and says what was done.
    pub(super) fn mend(
        &mut self,
        record: &RemoteRecord,
        look: &Look,
        damaged: Damaged,
    ) -> Result<Damaged, EngineError> {
        let mut wishes = Wishes::new(&look.scan.tree);
        for (path, leaf) in &damaged {
            wishes.put(path, &Held::from(&Body::Leaf(*leaf)));
        }
        let deed = Deed {
            id: OperationId(self.workspace.clock.random()),
            kind: OperationKind::Restore,
            undoes: None,
            message: Some("damaged when the machine stopped".to_owned()),
            address: None,
            waits: false,
        };
        let sources = Sources { remotes: vec![(self.remote, record.id)], bytes: Vec::new() };
        let (seen, changes) = (&look.scan, wishes.finish());
        let mended = match act(self.workspace, seen, &changes, &deed, &sources, Vec::new(), self.observer) {
            Ok(acted) => acted.changed,
            // The remote is away: what it holds comes back when it does.
            Err(EngineError::Remote(error)) => {
                tracing::warn!(code = error.code, "damaged files wait for the remote");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        for path in &mended {
            self.notices.push(format!(
                "the file {path} had lost its content when the machine stopped; its last good version is back, and what was \
                 left is kept (operation {})",
                deed.id
            ));
        }
        Ok(damaged.into_iter().filter(|(path, _)| !mended.contains(path)).collect())
    }
}

/// The name of a content of so many zeros.
pub(crate) fn zeros(size: u64) -> ContentId {
    const BLOCK: [u8; 4096] = [0; 4096];
    let mut hasher = ContentHasher::new();
    let mut left = size;
    while left > 0 {
        let count = left.min(BLOCK.len() as u64);
        hasher.update(&BLOCK[..count as usize]);
        left -= count;
    }
    hasher.finish()
}

/// What stood here when the last cycle ended, by folder and name.
struct Had<'a> {
    nodes: BTreeMap<(NodeId, &'a Name), (NodeId, Option<Leaf>)>,
}

impl<'a> Had<'a> {
    fn new(known: &'a Known) -> Self {
        let seen = known.rows().iter().filter_map(|row| Some((row.id, row.views.side(Side::Local)?)));
        let nodes = seen.map(|(id, value)| {
            let leaf = match value.body {
                Body::Leaf(leaf) => Some(leaf),
                Body::Folder => None,
            };
            ((value.parent, &value.name), (id, leaf))
        });
        Had { nodes: nodes.collect() }
    }

    fn leaf(&self, tree: &Tree, place: Place) -> Option<Leaf> {
        let path = tree.path(place);
        let found = path
            .names()
            .try_fold((NodeId::ROOT, None), |(folder, _), name| self.nodes.get(&(folder, &name)).copied());
        found?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_named_as_any_content() {
        for size in [0, 1, 4095, 4096, 4097, 10_000] {
            assert_eq!(zeros(size), ContentId::of(&vec![0; size as usize]));
        }
    }
}
