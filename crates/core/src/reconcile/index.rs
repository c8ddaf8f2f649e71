//! The known rows under dense numbers, and the tree that each side held when the last cycle ended.

use super::value::{Idx, NONE, ROOT, Val};
use crate::node::{Known, NodeId, Row, Side, Views};
use crate::tree::Key;

/// The rows by number: row `i` is node `i + 1`, the root is 0.
pub(crate) struct Index<'a> {
    rows: &'a [Row],
    first: u64,
    /// The row of each id, where ids stand close together; empty where they don't.
    by_id: Vec<u32>,
    base: Vec<Option<Val<'a>>>,
    any_held: bool,
}

impl<'a> Index<'a> {
    pub(crate) fn new(known: &'a Known) -> Self {
        let rows = known.rows();
        let first = rows.first().map_or(0, |row| row.id.0);
        let span = rows.last().map_or(0, |row| row.id.0 - first + 1);
        let mut by_id = Vec::new();
        if span <= 4 * rows.len() as u64 + 1024 {
            by_id = vec![NONE; span as usize];
            for (at, row) in rows.iter().enumerate() {
                by_id[(row.id.0 - first) as usize] = at as u32 + 1;
            }
        }
        let mut index = Index { rows, first, by_id, base: vec![None], any_held: false };
        index.base.reserve_exact(rows.len());
        for row in rows {
            let value = row.views.base().and_then(|value| index.val(value));
            index.base.push(value);
            index.any_held |= matches!(row.views, Views::Held(_));
        }
        index
    }

    fn val(&self, value: &'a crate::node::Value) -> Option<Val<'a>> {
        Some(Val::of(self.find(value.parent)?, value))
    }

    fn find(&self, id: NodeId) -> Option<Idx> {
        if id == NodeId::ROOT {
            return Some(ROOT);
        }
        if self.by_id.is_empty() {
            return self.rows.binary_search_by_key(&id, |row| row.id).ok().map(|at| at as u32 + 1);
        }
        let at = id.0.checked_sub(self.first)? as usize;
        self.by_id.get(at).copied().filter(|&idx| idx != NONE)
    }

    /// The number of a node that is known.
    pub(crate) fn number(&self, id: NodeId) -> Option<Idx> {
        self.find(id)
    }

    /// How many numbers are taken, the root's among them.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + 1
    }

    pub(crate) fn any_held(&self) -> bool {
        self.any_held
    }

    pub(crate) fn row(&self, node: Idx) -> &'a Row {
        &self.rows[node as usize - 1]
    }

    pub(crate) fn base(&self, node: Idx) -> Option<Val<'a>> {
        self.base[node as usize]
    }

    pub(crate) fn all_base(&self) -> &[Option<Val<'a>>] {
        &self.base
    }

    pub(crate) fn key(&self, side: Side, node: Idx) -> Option<&'a Key> {
        self.row(node).keys[side].as_ref()
    }

    /// What a side held when the last cycle ended; for a node lost from sight there, what it held when it was last seen.
    pub(crate) fn view(&self, side: Side, node: Idx) -> Option<Val<'a>> {
        match &self.row(node).views {
            Views::Agreed(_) => self.base(node),
            views => views.side(side).and_then(|value| self.val(value)),
        }
    }
}

/// The children of each folder in one side's view, sorted by name.
pub(crate) struct Children {
    start: Vec<u32>,
    items: Vec<Idx>,
}

impl Children {
    pub(crate) fn new(index: &Index<'_>, side: Side) -> Self {
        let len = index.len();
        let mut start = vec![0u32; len + 1];
        for node in 1..len as u32 {
            if let Some(view) = index.view(side, node) {
                start[view.parent as usize + 1] += 1;
            }
        }
        for at in 0..len {
            start[at + 1] += start[at];
        }
        let mut items = vec![NONE; start[len] as usize];
        let mut fill = start.clone();
        for node in 1..len as u32 {
            if let Some(view) = index.view(side, node) {
                let slot = &mut fill[view.parent as usize];
                items[*slot as usize] = node;
                *slot += 1;
            }
        }
        for folder in 0..len {
            let range = start[folder] as usize..start[folder + 1] as usize;
            items[range].sort_by_key(|&node| index.view(side, node).map(|view| view.name));
        }
        Children { start, items }
    }

    pub(crate) fn of(&self, folder: Idx) -> &[Idx] {
        let folder = folder as usize;
        &self.items[self.start[folder] as usize..self.start[folder + 1] as usize]
    }
}
