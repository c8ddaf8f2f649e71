//! The plan itself: changes, rows and places, from the values before and after.

use super::hash::Map;
use super::value::{Idx, NONE, ROOT, Stand, Val};
use super::world::{World, climb};
use crate::node::{PerSide, Row, Side, Value, Views};
use crate::path::TreePath;
use crate::plan::{Change, Places, Plan};
use crate::tree::{Key, Place};

impl<'a> World<'a> {
    /// Writes down what was decided.
    pub(crate) fn plan(mut self) -> Plan {
        self.active.sort_unstable();
        let mut conflicts = self.conflicts();
        conflicts.append(&mut self.settled);
        conflicts.sort_by(|a, b| (&a.path, a.kind, a.node).cmp(&(&b.path, b.kind, b.node)));
        conflicts.dedup_by(|a, b| a.id == b.id && a.node == b.node);
        let mut notes = std::mem::take(&mut self.notes);
        notes.sort();
        notes.dedup();
        let mut merges = std::mem::take(&mut self.merges);
        merges.sort();
        merges.dedup();
        let (rows, forgotten) = self.rows();
        Plan {
            changes: PerSide::from_fn(|side| self.changes(side)),
            rows,
            forgotten,
            conflicts,
            notes,
            merges,
            places: PerSide::from_fn(|side| self.places(side)),
            next: self.next_id(),
            waits: self.waits,
        }
    }

    fn value(&self, val: Val<'a>) -> Value {
        Value { parent: self.id(val.parent), name: val.name.clone(), body: val.body() }
    }

    /// What a side held before anything was planned.
    fn before(&self, side: Side, node: Idx) -> Option<Val<'a>> {
        if self.is_frozen(side, node) { self.val(side, node) } else { self.seen(side, node) }
    }

    fn changes(&self, side: Side) -> Vec<Change> {
        let mut changes = Vec::new();
        let [mut old, mut new, mut agreed] = [Paths::default(), Paths::default(), Paths::default()];
        for &node in &self.active {
            let (before, after) = (self.before(side, node), self.val(side, node));
            if before == after {
                continue;
            }
            let from = before.map(|_| old.of(node, |at| self.before(side, at)));
            let to = after.map(|_| new.of(node, |at| self.val(side, at)));
            let [before, after] = [before, after].map(|val| val.map(|val| self.value(val)));
            let known = (node as usize) < self.index.len() && self.index.base(node).is_some();
            let base = known.then(|| agreed.of(node, |at| self.index.base(at)));
            changes.push((base, Change { node: self.id(node), before, after, from, to }));
        }
        changes.sort_by(|a, b| (&a.0, a.1.node).cmp(&(&b.0, b.1.node)));
        changes.into_iter().map(|change| change.1).collect()
    }

    /// The rows that differ from what is known, and the nodes that are no more.
    fn rows(&self) -> (Vec<Row>, Vec<crate::node::NodeId>) {
        let (mut rows, mut forgotten) = (Vec::new(), Vec::new());
        for node in 1..self.index.len() as Idx {
            let known = self.index.row(node);
            if !self.is_active(node) {
                let keys = PerSide::from_fn(|side| self.key_at(side, node));
                if keys != known.keys {
                    rows.push(Row { id: known.id, views: known.views.clone(), keys });
                }
                continue;
            }
            match self.row(node) {
                None => forgotten.push(known.id),
                Some(row) if row != *known => rows.push(row),
                Some(_) => {}
            }
        }
        rows.extend((self.index.len() as Idx..self.goal.len() as Idx).filter_map(|node| self.row(node)));
        (rows, forgotten)
    }

    fn row(&self, node: Idx) -> Option<Row> {
        let vals = Stand::ALL.map(|stand| self.to_remember(stand, node));
        if vals.iter().all(Option::is_none) {
            return None;
        }
        let [base, local, remote] = vals.map(|val| val.map(|val| self.value(val)));
        let keys = PerSide::from_fn(|side| self.key(side, node));
        Some(Row { id: self.id(node), views: Views::of(base, local, remote), keys })
    }

    /// What is out of sight is remembered as it was last seen, so that it is known when it comes back.
    pub(crate) fn to_remember(&self, stand: Stand, node: Idx) -> Option<Val<'a>> {
        let Some(side) = stand.side().filter(|&side| self.keeps_view(side, node)) else {
            return self.val(stand, node);
        };
        // The folder it stood in may be another one's version now, or no more; where both sides agreed on it, there is
        // one still.
        let joined = &self.joined[side];
        let view = self.index.view(side, node).map(|mut view| {
            while let Some(&into) = joined.get(&view.parent) {
                view.parent = into;
            }
            view
        });
        let view = view.filter(|view| self.is_remembered(view.parent));
        view.or(self.val(Stand::Base, node))
    }

    fn is_remembered(&self, node: Idx) -> bool {
        node == ROOT || Stand::ALL.into_iter().any(|stand| self.to_remember(stand, node).is_some())
    }

    fn keeps_view(&self, side: Side, node: Idx) -> bool {
        self.hidden[side].contains_key(&node) && (node as usize) < self.index.len()
    }

    fn key_at(&self, side: Side, node: Idx) -> Option<Key> {
        let place = self.sights[side].place_of[node as usize];
        if place == NONE { None } else { self.trees[side].at(Place(place)).key }
    }

    /// What is out of sight keeps its key; what is created or rewritten gets one from whoever does it.
    fn key(&self, side: Side, node: Idx) -> Option<Key> {
        if self.keeps_view(side, node) {
            return self.index.row(node).keys[side];
        }
        let after = self.val(side, node)?;
        let before = self.seen(side, node)?;
        if before.same_body(&after) { self.key_at(side, node) } else { None }
    }

    fn places(&self, side: Side) -> Places {
        let place_of = &self.sights[side].place_of;
        let standing = (1..place_of.len() as Idx).filter(|&node| place_of[node as usize] != NONE);
        Places::new(standing.map(|node| (self.id(node), Place(place_of[node as usize]))).collect())
    }
}

/// Paths of many nodes: those of folders are kept, as they come again and again.
#[derive(Default)]
struct Paths {
    folders: Map<Idx, TreePath>,
}

impl Paths {
    fn of<'a>(&mut self, node: Idx, val: impl Fn(Idx) -> Option<Val<'a>> + Copy) -> TreePath {
        let Some(own) = val(node) else { return TreePath::root() };
        let folder = match self.folders.get(&own.parent) {
            Some(folder) => folder,
            None => self.folders.entry(own.parent).or_insert(climb(own.parent, val).unwrap_or_default()),
        };
        folder.join(own.name)
    }
}
