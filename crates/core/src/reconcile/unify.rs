//! What both sides created at one place is one node.

use super::hash::Map;
use super::value::{Idx, NONE, Stand, Val};
use super::world::{Seat, World};
use crate::node::{PerSide, Side};
use crate::tree::Place;

/// A seat, and whether a folder or a leaf is meant.
type Spot<'a> = (Seat<'a>, bool);

/// Nodes without a base, each on one side alone, and which belong together.
struct Newcomers {
    local: Vec<Idx>,
    remote: Vec<Idx>,
    /// The local partner of each remote one.
    partner: Map<Idx, Idx>,
    /// The remote partner of each local one.
    taken: Map<Idx, Idx>,
}

impl<'a> World<'a> {
    /// Makes one node of each pair of newcomers, from the top down.
    pub(crate) fn unify(&mut self) {
        let mut new = Newcomers {
            local: self.newcomers(Side::Local),
            remote: self.newcomers(Side::Remote),
            partner: Map::default(),
            taken: Map::default(),
        };
        if new.local.is_empty() || new.remote.is_empty() {
            return;
        }
        self.pair_in_listings(&mut new);
        loop {
            while self.pair_exact(&mut new) {}
            if !self.folds() || !self.pair_folded(&mut new) {
                break;
            }
        }
        self.join_pairs(&new);
    }

    fn newcomers(&self, side: Side) -> Vec<Idx> {
        self.active.iter().copied().filter(|&node| self.is_alone(side, node)).collect()
    }

    fn is_alone(&self, side: Side, node: Idx) -> bool {
        self.val(Stand::Base, node).is_none()
            && self.val(side, node).is_some()
            && self.val(side.other(), node).is_none()
            && !self.is_hidden(node)
    }

    /// Where a remote newcomer stands, its folder named as the local side knows it.
    fn as_local(&self, new: &Newcomers, node: Idx) -> Option<Val<'a>> {
        let val = self.val(Side::Remote, node)?;
        let parent = new.partner.get(&val.parent).copied().unwrap_or(val.parent);
        Some(Val { parent, ..val })
    }

    /// Most pairs stand in both listings at one path: no map is needed to find them.
    fn pair_in_listings(&self, new: &mut Newcomers) {
        let (sight, tree) = (&self.sights.local, self.trees.local);
        for &node in &new.remote {
            let Some(val) = self.as_local(new, node) else { continue };
            let folder = sight.place_of[val.parent as usize];
            if folder == NONE {
                continue;
            }
            let Some(place) = tree.child(Place(folder), val.name) else { continue };
            let other = sight.node_of[place.0 as usize];
            if other == NONE || !self.is_alone(Side::Local, other) {
                continue;
            }
            let is_there = self.val(Side::Local, other).is_some_and(|at| at.same_place(&val));
            if is_there && self.val(Side::Local, other).map(|at| at.is_folder()) == Some(val.is_folder()) {
                new.partner.insert(node, other);
                new.taken.insert(other, node);
            }
        }
    }

    fn pair_exact(&self, new: &mut Newcomers) -> bool {
        let spot = |val: Val<'a>| (val.parent, val.name, val.is_folder());
        let mut spots = Map::default();
        for &node in new.local.iter().filter(|node| !new.taken.contains_key(node)) {
            if let Some(val) = self.val(Side::Local, node) {
                spots.insert(spot(val), node);
            }
        }
        let before = new.partner.len();
        if spots.is_empty() {
            return false;
        }
        for at in 0..new.remote.len() {
            let node = new.remote[at];
            if new.partner.contains_key(&node) {
                continue;
            }
            if let Some(val) = self.as_local(new, node)
                && let Some(other) = spots.remove(&spot(val))
            {
                new.partner.insert(node, other);
                new.taken.insert(other, node);
            }
        }
        new.partner.len() > before
    }

    /// Pairs what only a folding disk takes for one name, where there is one candidate on each side.
    fn pair_folded(&self, new: &mut Newcomers) -> bool {
        let spot = |val: Val<'a>| -> Spot<'a> { (self.seat(None, val.parent, val.name), val.is_folder()) };
        let mut spots: Map<Spot<'a>, [Vec<Idx>; 2]> = Map::default();
        for &node in new.local.iter().filter(|node| !new.taken.contains_key(node)) {
            if let Some(val) = self.val(Side::Local, node) {
                spots.entry(spot(val)).or_default()[0].push(node);
            }
        }
        for &node in new.remote.iter().filter(|node| !new.partner.contains_key(node)) {
            if let Some(val) = self.as_local(new, node) {
                spots.entry(spot(val)).or_default()[1].push(node);
            }
        }
        let before = new.partner.len();
        for pair in spots.into_values() {
            if let [[local], [remote]] = [&pair[0][..], &pair[1][..]] {
                new.partner.insert(*remote, *local);
                new.taken.insert(*local, *remote);
            }
        }
        new.partner.len() > before
    }

    /// An id that is on record stays; else the local one does.
    fn join_pairs(&mut self, new: &Newcomers) {
        let stored = |node: Idx| (node as usize) < self.index.len();
        let mut gone = PerSide::<Map<Idx, Idx>>::default();
        for &remote in &new.remote {
            let Some(&local) = new.partner.get(&remote) else { continue };
            if stored(remote) && !stored(local) {
                gone.local.insert(local, remote);
                self.join(Side::Local, local, remote);
            } else {
                gone.remote.insert(remote, local);
                self.join(Side::Remote, remote, local);
            }
        }
        for side in Side::BOTH {
            self.adopt(&gone[side], side);
        }
    }

    /// Gives the children of what was joined away on a side to what it was joined into.
    pub(crate) fn adopt(&mut self, gone: &Map<Idx, Idx>, side: Side) {
        if gone.is_empty() {
            return;
        }
        for at in 0..self.active.len() {
            let node = self.active[at];
            if let Some(val) = self.val(side, node)
                && let Some(&parent) = gone.get(&val.parent)
            {
                self.set(side, node, Some(Val { parent, ..val }));
            }
        }
    }
}
