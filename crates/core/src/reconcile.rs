//! Three trees become a plan, while files and folders keep their identity. See `docs/design/reconcile.md`.
//!
//! ```text
//! moved::detect   which entry of each side is which node
//! unify           what both created at one place is one node
//! merge, parents, names     one goal for each node: values, then a tree, then one name for one thing
//! hold            what can't be carried out stays as it is, on all sides
//! ```
//!
//! The steps after detection are repeated on their own result until nothing changes, so that the next cycle is quiet.

mod arena;
mod copies;
pub(crate) mod hash;
mod hold;
pub(crate) mod index;
mod merge;
mod names;
mod oneway;
mod output;
mod parents;
mod record;
#[cfg(test)]
mod tests;
mod unify;
pub(crate) mod value;
mod world;

use crate::conflict::ConflictKind;
use crate::node::{Known, PerSide, Side};
use crate::plan::{MergeAnswer, MergeInput, Plan};
use crate::policy::{Policy, Strategy};
use crate::tree::Tree;
use index::Index;
use value::Idx;
use world::{Made, World};

/// More rounds than were ever needed.
const ROUNDS_MAX: usize = 12;

/// Decides what must happen so that both sides hold the same, from what is known and what each side holds now.
///
/// `merged` answers merges of contents; what it answers `Unknown` is listed in [`Plan::merges`].
pub fn reconcile(
    known: &Known,
    trees: PerSide<&Tree>,
    policy: &Policy,
    merged: &dyn Fn(&MergeInput) -> MergeAnswer,
) -> Plan {
    let index = Index::new(known);
    let made = Made::default();
    let mut first = World::new(known, &index, trees, policy, merged, &made);
    first.settle();
    // Choices that no rule could use: the chosen side's value counts as a whole, as far as that settles anything: at once;
    // when all else has come to its place; then with the folders that wait for it, as these may be what contests.
    for (is_late, is_wide) in [(false, false), (true, false), (false, true)] {
        let mut choices = first.open_choices(is_wide);
        let mut tried = choices.clone();
        while !choices.is_empty() {
            let made = Made::default();
            let mut world = World::new(known, &index, trees, policy, merged, &made);
            if is_late {
                world.settle();
            }
            for (nodes, side) in &choices {
                world.forced.extend(nodes.iter().map(|&node| (node, *side)));
            }
            world.settle();
            let before = choices.len();
            choices.retain(|(nodes, _)| nodes.iter().all(|&node| world.is_agreed(node)));
            if choices.len() == before {
                // What they settled may have brought others to light, or left some to which their folders make room.
                let untried = |is_wide| {
                    let mut open = world.open_choices(is_wide);
                    open.retain(|choice| !tried.contains(choice));
                    open
                };
                let more = [false, true].map(untried).into_iter().find(|more| !more.is_empty());
                let Some(mut more) = more else { return world.plan() };
                tried.extend(more.iter().cloned());
                choices.append(&mut more);
            }
        }
    }
    first.plan()
}

impl World<'_> {
    /// Runs rounds until one changes nothing.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.unify();
            if self.active.is_empty() {
                return;
            }
            self.begin_round();
            let one_way = self.policy.source().filter(|_| !self.policy.groups.have_directions());
            match one_way {
                Some(source) => self.follow(source),
                None => {
                    self.merge_values();
                    self.revive_parents();
                    self.break_cycles();
                    self.make_copies();
                    self.settle_names();
                    self.keep_to_limit();
                }
            }
            self.hold_until_sound();
            self.keep_records();
            let changed = self.commit() | self.forget_lost();
            let all_agreed = self.why.is_empty();
            if all_agreed || !changed {
                return;
            }
        }
    }

    /// Starts over with what the last round left; what is out of sight is held from the start.
    fn begin_round(&mut self) {
        self.held.fill(false);
        self.why.clear();
        self.groups.clear();
        self.combined.clear();
        self.handed.clear();
        self.copies.clear();
        self.copies_due.clear();
        for side in Side::BOTH {
            for (node, why) in self.hidden[side].clone() {
                self.hold(node, why);
            }
        }
    }

    /// The nodes of each conflict that is open although a person chose a side for it, and that side; `is_wide` with the
    /// folders that wait for it.
    fn open_choices(&self, is_wide: bool) -> Vec<(Vec<Idx>, Side)> {
        if self.policy.chosen.is_empty() {
            return Vec::new();
        }
        let mut choices = Vec::new();
        for conflict in self.conflicts() {
            let chosen = conflict.nodes.iter().find_map(|node| self.policy.chosen.get(node));
            let side = match chosen {
                Some(Strategy::KeepLocal) => Side::Local,
                Some(Strategy::KeepRemote) => Side::Remote,
                _ => continue,
            };
            if matches!(conflict.kind, ConflictKind::Held | ConflictKind::Name) {
                let known = conflict.nodes.iter().filter_map(|&node| self.index.number(node));
                let mut nodes: Vec<Idx> = known.collect();
                if is_wide {
                    nodes.extend(self.folders_waiting(&nodes, side));
                }
                choices.push((nodes, side));
            }
        }
        choices
    }
}
