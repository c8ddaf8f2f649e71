//! One target for each node from its three values: content, executable bit and place are merged apart.

use super::hash::{Map, Set};
use super::record::Why;
use super::value::{Idx, ROOT, Stand, Val};
use super::world::World;
use crate::mutant;
use crate::node::{PerSide, Side};
use crate::plan::{MergeAnswer, MergeInput, NoteKind};
use crate::policy::Strategy;
use crate::tree::{Leaf, LeafKind};

/// Both sides may change.
const BOTH_WAYS: PerSide<bool> = PerSide { local: true, remote: true };

/// What a content conflict comes to.
enum Outcome<'a> {
    /// This leaf it is; the bit is merged apart.
    Leaf(&'a Leaf),
    /// One side's leaf keeps the name, the other side's becomes a copy beside it.
    Both(Side),
    /// No rule decides.
    Hold,
}

impl<'a> World<'a> {
    /// Aims at one value for each active node: what its sides come to, or what one of them has if it goes only one way.
    /// Deletions first look only at the node itself.
    pub(crate) fn merge_values(&mut self) {
        let mut restored: Map<Idx, Side> = Map::default();
        let one_way = self.policy.groups.have_directions();
        for at in 0..self.active.len() {
            let node = self.active[at];
            if self.is_held(node) {
                continue;
            }
            let [base, local, remote] = Stand::ALL.map(|stand| self.val(stand, node));
            let goal = if let Some(&side) = self.forced.get(&node) {
                self.val(side, node)
            } else if let Some(ways) = one_way.then(|| self.ways(node)).filter(|ways| *ways != BOTH_WAYS) {
                match (ways.local, ways.remote) {
                    (true, _) => self.follow_one(node, Side::Remote),
                    (_, true) => self.follow_one(node, Side::Local),
                    // It counts as what it is, as one that nobody looked at: others may still want its name.
                    (false, false) if self.is_agreed(node) => local,
                    (false, false) => {
                        self.hold(node, Why::Left);
                        None
                    }
                }
            } else {
                match (base, local, remote) {
                    (_, None, None) => None,
                    (base, Some(local), Some(remote)) => self.merge_both(node, base, local, remote),
                    (None, Some(val), None) | (None, None, Some(val)) => Some(val),
                    (Some(base), Some(val), None) => {
                        self.merge_deleted(node, Side::Local, base, val, &mut restored)
                    }
                    (Some(base), None, Some(val)) => {
                        self.merge_deleted(node, Side::Remote, base, val, &mut restored)
                    }
                }
            };
            self.goal[node as usize] = goal;
        }
        self.restore_with(&restored);
    }

    /// One side deleted it: what the other side made of it stays.
    fn merge_deleted(
        &mut self,
        node: Idx,
        side: Side,
        base: Val<'a>,
        val: Val<'a>,
        restored: &mut Map<Idx, Side>,
    ) -> Option<Val<'a>> {
        if !val.same_body(&base) && !mutant::is_on("delete-beats-edit") {
            self.note(node, side, NoteKind::EditBeatsDelete);
        } else if !val.same_place(&base) {
            self.note(node, side, NoteKind::MoveBeatsDelete);
            restored.insert(node, side);
        } else {
            return None;
        }
        Some(val)
    }

    /// What was moved away on one side stays with all that the other side deleted together with it.
    fn restore_with(&mut self, restored: &Map<Idx, Side>) {
        if restored.is_empty() {
            return;
        }
        for at in 0..self.active.len() {
            let node = self.active[at];
            if self.is_held(node) || self.goal[node as usize].is_some() {
                continue;
            }
            for side in Side::BOTH {
                let Some(val) = self.val(side, node) else { continue };
                let mut up = val.parent;
                let mut seen = Set::default();
                while up != ROOT && self.val(side.other(), up).is_none() && seen.insert(up) {
                    if restored.get(&up) == Some(&side) {
                        self.goal[node as usize] = Some(val);
                        break;
                    }
                    up = self.val(side, up).map_or(ROOT, |val| val.parent);
                }
            }
        }
    }

    fn merge_both(
        &mut self,
        node: Idx,
        base: Option<Val<'a>>,
        local: Val<'a>,
        remote: Val<'a>,
    ) -> Option<Val<'a>> {
        let leaf = match self.merge_leaf(node, base, local, remote) {
            Ok(leaf) => leaf,
            Err(why) => {
                self.hold(node, why);
                return None;
            }
        };
        let place = self.merge_place(node, base, local, remote);
        Some(Val { leaf, ..place })
    }

    fn merge_leaf(
        &mut self,
        node: Idx,
        base: Option<Val<'a>>,
        local: Val<'a>,
        remote: Val<'a>,
    ) -> Result<Option<&'a Leaf>, Why> {
        let (Some(here), Some(there)) = (local.leaf, remote.leaf) else { return Ok(None) };
        let exec = match base {
            Some(base) if local.exec() == base.exec() => remote.exec(),
            Some(_) => local.exec(),
            None => local.exec() || remote.exec(),
        };
        let leaf = if local.same_content(&remote) || base.is_some_and(|base| base.same_content(&remote)) {
            here
        } else if base.is_some_and(|base| base.same_content(&local)) {
            there
        } else {
            match self.settle_content(node, base.and_then(|base| base.leaf), here, there) {
                Outcome::Leaf(leaf) => leaf,
                Outcome::Both(winner) => {
                    self.copy_later(node, winner.other());
                    if winner == Side::Local { here } else { there }
                }
                Outcome::Hold => return Err(Why::Content),
            }
        };
        let exec = exec && leaf.kind == LeafKind::File;
        Ok(Some(if leaf.exec == exec { leaf } else { self.made.leaves.keep(Leaf { exec, ..*leaf }) }))
    }

    fn settle_content(
        &mut self,
        node: Idx,
        base: Option<&Leaf>,
        here: &'a Leaf,
        there: &'a Leaf,
    ) -> Outcome<'a> {
        let answer = self.answer(node);
        if answer.merges
            && let Some(merged) = self.ask_merge(node, base, here, there)
        {
            return merged;
        }
        let winner = match answer.strategy {
            Strategy::Merge | Strategy::AskUser => return Outcome::Hold,
            Strategy::LastWriteWins => {
                // Clocks of two machines never decide between two things that have nothing in common.
                let newer = self
                    .newer_side(node)
                    .filter(|_| base.is_some() || mutant::is_on("clock-decides-strangers"));
                let Some(newer) = newer else { return Outcome::Hold };
                newer
            }
            Strategy::KeepLocal => Side::Local,
            Strategy::KeepRemote => Side::Remote,
            Strategy::Both => {
                let switched = |leaf: &Leaf| base.is_some_and(|base| base.kind != leaf.kind);
                let local_only = switched(here) && !switched(there);
                self.note(node, Side::Remote, NoteKind::Copied);
                return Outcome::Both(if local_only { Side::Local } else { Side::Remote });
            }
        };
        self.note(node, winner, NoteKind::Decided { loser: winner.other() });
        Outcome::Leaf(if winner == Side::Local { here } else { there })
    }

    fn newer_side(&self, node: Idx) -> Option<Side> {
        let [local, remote] = Side::BOTH.map(|side| self.modified(side, node));
        let order = local?.cmp(&remote?);
        match if mutant::is_on("older-write-wins") { order.reverse() } else { order } {
            std::cmp::Ordering::Less => Some(Side::Remote),
            std::cmp::Ordering::Greater => Some(Side::Local),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// What a merge makes of it, or that nobody tried yet; `None` if it stays open.
    fn ask_merge(
        &mut self,
        node: Idx,
        base: Option<&Leaf>,
        here: &'a Leaf,
        there: &'a Leaf,
    ) -> Option<Outcome<'a>> {
        if base.into_iter().chain([here, there]).any(|leaf| leaf.kind != LeafKind::File) {
            return None;
        }
        // Where it stood before anything moved: so that each round asks the same.
        let place = self.sights.local.place_of[node as usize];
        let input = MergeInput {
            base: base.map(|base| base.content),
            local: here.content,
            remote: there.content,
            path: self.trees.local.path(crate::tree::Place(place)),
        };
        match (self.merged)(&input) {
            MergeAnswer::Clean { content, size } => {
                Some(Outcome::Leaf(self.made.leaves.keep(Leaf { content, size, ..*here })))
            }
            MergeAnswer::Undecided => None,
            MergeAnswer::Unknown => {
                self.merges.push(input);
                Some(Outcome::Hold)
            }
        }
    }

    fn merge_place(&mut self, node: Idx, base: Option<Val<'a>>, local: Val<'a>, remote: Val<'a>) -> Val<'a> {
        if local.same_place(&remote) {
            return local;
        }
        let Some(base) = base else {
            return self.merge_place_without_base(node, local, remote);
        };
        let parent = pick(base.parent, local.parent, remote.parent);
        let name = pick(base.name, local.name, remote.name);
        if let (Some(parent), Some(name)) = (parent, name) {
            let place = Val { parent, name, leaf: None };
            if !place.same_place(&local) && !place.same_place(&remote) {
                self.combined.insert(node);
            }
            return place;
        }
        self.settle_place(node)
    }

    /// One name in two spellings, as a folding disk brings about, is no move.
    fn merge_place_without_base(&mut self, node: Idx, local: Val<'a>, remote: Val<'a>) -> Val<'a> {
        let one = self.seat(None, local.parent, local.name) == self.seat(None, remote.parent, remote.name);
        if one {
            return if local.name < remote.name { local } else { remote };
        }
        self.settle_place(node)
    }

    /// Both sides moved it: a kept side's place, else the smaller path, each on its own side.
    pub(crate) fn settle_place(&mut self, node: Idx) -> Val<'a> {
        let winner = match self.strategy(node) {
            Strategy::KeepLocal => Side::Local,
            Strategy::KeepRemote => Side::Remote,
            _ => {
                let [local, remote] = Side::BOTH.map(|side| {
                    let parent = self.val(side, node).map_or(ROOT, |val| val.parent);
                    (self.path(side, node), if parent == ROOT { None } else { self.base_path(parent) })
                });
                if local <= remote { Side::Local } else { Side::Remote }
            }
        };
        self.record_move(vec![node], node);
        self.val(winner, node).expect("because both sides have it")
    }
}

/// What one side changed; `None` if both did, differently.
fn pick<T: PartialEq>(base: T, local: T, remote: T) -> Option<T> {
    if local == remote || remote == base {
        Some(local)
    } else if local == base {
        Some(remote)
    } else {
        None
    }
}
