//! Halts: when a cycle must stop before it changes anything, and ask.

use crate::mutant;
use crate::node::{Body, Known, NodeId, PerSide, Row, Side, Value};
use crate::path::Name;
use crate::plan::{Change, Plan};
use crate::tree::{Place, Tree};

/// Why a cycle stops to protect data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// A side that had two or more entries at its top has none.
    Emptied {
        /// Which side.
        side: Side,
        /// How many files stood there.
        files: u64,
    },
    /// Too much would be deleted.
    MassDelete {
        /// The side where the files are missing, so that they would be deleted on the other one.
        missing: Side,
        /// How many files.
        files: u64,
        /// Out of how many.
        of: u64,
    },
}

/// The limits beyond which deletions are asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Up to so many files are never asked about.
    pub files: u64,
    /// The share of the files that both sides agreed on, in percent.
    pub percent: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { files: 100, percent: 25.0 }
    }
}

/// Our own files at the top, which say nothing of what a person keeps there.
const OURS: [&[u8]; 2] = [b"instep.yaml", b".instepignore"];

/// Looks for a danger in a plan before anything is done. Moves are no deletions, and a first contact never deletes.
pub fn check(known: &Known, trees: PerSide<&Tree>, plan: &Plan, limits: &Limits) -> Option<Halt> {
    if known.is_first_contact() || mutant::is_on("guards-off") {
        return None;
    }
    let sides = Side::BOTH.into_iter().filter(|_| !mutant::is_on("emptied-is-deleted"));
    let emptied = sides.into_iter().find_map(|side| find_emptied(known, trees[side], side, plan));
    emptied.or_else(|| find_mass_delete(known, plan, limits))
}

/// A side where nothing is left of two or more entries at the top that both sides agreed on.
fn find_emptied(known: &Known, tree: &Tree, side: Side, plan: &Plan) -> Option<Halt> {
    let agreed =
        |row: &&Row| row.views.base().is_some_and(|base| base.parent == NodeId::ROOT && !is_ours(&base.name));
    let top: Vec<&Row> = known.rows().iter().filter(agreed).collect();
    if top.len() < 2 {
        return None;
    }
    // Still there under its name, whatever it is now, or seen elsewhere.
    let is_left = |row: &&Row| {
        let base = row.views.base();
        base.is_some_and(|base| tree.child(Place::ROOT, &base.name).is_some())
            || plan.places[side].of(row.id).is_some()
    };
    // Gone in an earlier cycle, on purpose: it does not count as gone now.
    let stood = |row: &&&Row| row.views.side(side).is_some();
    if !top.iter().any(|row| stood(&row)) || top.iter().any(is_left) {
        return None;
    }
    // Where the other side loses nothing by it there is nothing to protect.
    if plan.changes[side.other()].iter().all(|change| change.after.is_some()) {
        return None;
    }
    let is_file = |row: &&Row| matches!(row.views.side(side), Some(Value { body: Body::Leaf(_), .. }));
    Some(Halt::Emptied { side, files: known.rows().iter().filter(is_file).count() as u64 })
}

fn is_ours(name: &Name) -> bool {
    OURS.contains(&name.as_bytes())
}

/// More files would be deleted on one side, because they are missing on the other, than is let pass without a question.
fn find_mass_delete(known: &Known, plan: &Plan, limits: &Limits) -> Option<Halt> {
    let is_file = |row: &&Row| matches!(row.views.base(), Some(Value { body: Body::Leaf(_), .. }));
    let of = known.rows().iter().filter(is_file).count() as u64;
    let most = limits.files.max((of as f64 * limits.percent / 100.0) as u64);
    Side::BOTH.into_iter().find_map(|side| {
        let removed = |change: &&Change| match (&change.before, &change.after) {
            (Some(before), None) => matches!(before.body, Body::Leaf(_)),
            _ => false,
        };
        let files = plan.changes[side].iter().filter(removed).count() as u64;
        let most = if mutant::is_on("many-may-go") { u64::MAX } else { most };
        (files > most).then_some(Halt::MassDelete { missing: side.other(), files, of })
    })
}

#[cfg(test)]
mod tests;
