//! Damage is not an edit: the first cycle after a restart of the machine.
//!
//! A power cut can leave a file empty, or full of zeros, under a name that was just written. Such a file must not go out
//! over good ones. So after a restart what was written shortly before is read again, and a file that lost all it had is
//! held for one cycle and told: its last good version is one `restore` away, and the next cycle takes it as it is.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::node::{Body, Known, NodeId, Side};
use instep_core::path::{Name, TreePath};
use instep_core::tree::{Entry, Place, Tree};

use super::Cycle;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::state::RemoteRecord;

/// The note of the start of the system under which the last cycle ended.
pub(super) const NOTE: &str = "boot";

/// How long before the end of the last cycle a file counts as just written.
const RECENT_NS: i64 = 10 * 60 * 1_000_000_000;

impl<F: Folder> Cycle<'_, F> {
    /// Answers whether the system was started anew since the last cycle.
    pub(super) fn has_restarted(&self) -> Result<bool, EngineError> {
        let before = self.workspace.state.note(NOTE)?;
        Ok(match (&before, &self.workspace.boot) {
            (Some(before), Some(now)) => before != now,
            _ => false,
        })
    }

    /// The moment since which nothing that was found is believed; none if the system runs on.
    pub(super) fn doubted_since(&self, record: &RemoteRecord) -> Result<Option<Timestamp>, EngineError> {
        let synced = record.synced.filter(|_| self.restarted);
        Ok(synced.map(|synced| Timestamp::from_ns(synced.ns().saturating_sub(RECENT_NS))))
    }

    /// The files that had content when the last cycle ended and are empty now.
    pub(super) fn emptied(
        &self,
        record: &RemoteRecord,
        tree: &Tree,
    ) -> Result<BTreeSet<TreePath>, EngineError> {
        let empty = |place: &Place| matches!(tree.at(*place).entry, Entry::Leaf(leaf) if leaf.size == 0);
        let empty: Vec<Place> = tree.places().filter(empty).collect();
        if empty.is_empty() {
            return Ok(BTreeSet::new());
        }
        let known = self.workspace.state.known(record.id)?;
        let had = Had::new(&known);
        Ok(empty.into_iter().map(|place| tree.path(place)).filter(|path| had.content(path)).collect())
    }
}

/// What stood here when the last cycle ended, by folder and name.
struct Had<'a> {
    nodes: BTreeMap<(NodeId, &'a Name), (NodeId, bool)>,
}

impl<'a> Had<'a> {
    fn new(known: &'a Known) -> Self {
        let seen = known.rows().iter().filter_map(|row| Some((row.id, row.views.side(Side::Local)?)));
        let nodes = seen.map(|(id, value)| {
            let full = matches!(value.body, Body::Leaf(leaf) if leaf.size > 0);
            ((value.parent, &value.name), (id, full))
        });
        Had { nodes: nodes.collect() }
    }

    fn content(&self, path: &TreePath) -> bool {
        let found = path
            .names()
            .try_fold((NodeId::ROOT, false), |(folder, _), name| self.nodes.get(&(folder, &name)).copied());
        found.is_some_and(|(_, full)| full)
    }
}
