//! One-way directions, of the whole workspace or of a path's group: the source's values are what is aimed at.

use super::hash::Map;
use super::record::Why;
use super::value::{Idx, NONE, ROOT, Stand, Val};
use super::world::World;
use crate::node::{PerSide, Side};
use crate::path::TreePath;
use crate::policy::Strategy;
use crate::tree::Place;

impl<'a> World<'a> {
    /// Aims at what the source has. A mirror knows no exception; else what only the target changed is not touched.
    pub(crate) fn follow(&mut self, source: Side) {
        for at in 0..self.active.len() {
            let node = self.active[at];
            if self.is_held(node) {
                continue;
            }
            self.goal[node as usize] = match self.forced.get(&node) {
                Some(&side) => self.val(side, node),
                None => self.follow_one(node, source),
            };
        }
    }

    /// What one node is aimed at where only the source counts.
    pub(crate) fn follow_one(&mut self, node: Idx, source: Side) -> Option<Val<'a>> {
        if self.policy.mirrors() { self.val(source, node) } else { self.follow_gently(node, source) }
    }

    /// Where one side alone may change this time, what is to change on the other waits, and is no conflict. A content in
    /// which both changes were joined comes to the side that may change, as an edit of what the other side has.
    pub(crate) fn keep_to_limit(&mut self) {
        let Some(target) = self.policy.limited_to() else { return };
        self.waits = 0;
        for at in 0..self.active.len() {
            let node = self.active[at];
            let (goal, source) = (self.goal[node as usize], self.val(target.other(), node));
            if self.is_held(node) || goal == source {
                continue;
            }
            if let (Some(joined), Some(source), Some(here)) = (goal, source, self.val(target, node)) {
                let is_edit = joined.same_place(&here) && !joined.same_body(&here) && !joined.is_folder();
                let has_home = source.parent == ROOT || self.val(Stand::Base, source.parent).is_some();
                // What loses its place to a copy of itself waits with that copy.
                let is_copied = self.copies.iter().any(|pair| pair.of == node);
                if is_edit && has_home && !is_copied && !self.is_hidden(node) {
                    self.set(target, node, goal);
                    self.set(Stand::Base, node, Some(source));
                    self.shifted = true;
                }
            }
            self.waits += usize::from(self.hold(node, Why::Left));
        }
    }

    /// Which sides a node may change on, wherever it stands now.
    pub(crate) fn ways(&self, node: Idx) -> PerSide<bool> {
        let mut ways = PerSide { local: true, remote: true };
        for side in Side::BOTH {
            let Some(val) = self.val(side, node) else { continue };
            let here = self.policy.ways(&self.path(side, node), val.is_folder());
            ways = PerSide::from_fn(|side| ways[side] && here[side]);
        }
        ways
    }

    /// What would change a side at a path where it may not be changed. What a person chose is no matter of directions.
    pub(crate) fn find_forbidden(&self, side: Side, finds: &mut Vec<(Idx, Why)>) {
        if !self.policy.groups.have_directions() {
            return;
        }
        let inside = self.staying_inside(side);
        for &node in &self.active {
            let (before, after) = (self.val(side, node), self.target(side.into(), node));
            let is_chosen =
                self.forced.contains_key(&node) || self.policy.chosen.contains_key(&self.id(node));
            if before == after || self.is_held(node) || is_chosen {
                continue;
            }
            let from = before.map(|val| (self.path(side, node), val.is_folder()));
            let to = match after.map(|val| (self.target_path(side, node), val.is_folder())) {
                Some((Some(path), is_folder)) => Some((path, is_folder)),
                // What leads in a circle is found out elsewhere.
                Some((None, _)) => continue,
                None => None,
            };
            let is_free = |(path, is_folder): &(TreePath, bool)| self.policy.ways(path, *is_folder)[side];
            let moves = matches!((&from, &to), (Some(from), Some(to)) if from.1 && from.0 != to.0);
            let free = from.iter().chain(&to).all(is_free)
                && (!moves
                    || self.is_free_below(side, node, &inside, from.iter().chain(&to).map(|at| &at.0)));
            if !free {
                finds.push((node, Why::OneWay(side)));
            }
        }
    }

    /// Answers whether all that goes along with a folder on a side may change there, by each of the folder's paths. What
    /// changes by itself is asked about by itself.
    fn is_free_below<'p>(
        &self,
        side: Side,
        top: Idx,
        inside: &Map<Idx, Vec<Idx>>,
        mut paths: impl Iterator<Item = &'p TreePath>,
    ) -> bool {
        let (tree, sight) = (self.trees[side], &self.sights[side]);
        let is_free = |path: &TreePath, is_folder: bool| self.policy.ways(path, is_folder)[side];
        paths.all(|path| {
            let mut open = vec![(top, path.clone())];
            while let Some((folder, path)) = open.pop() {
                let place = sight.place_of[folder as usize];
                let listed = (place != NONE).then(|| tree.children(Place(place))).into_iter().flatten();
                // Where what is active stands was decided since, in an earlier round.
                let (unknown, still): (Vec<Place>, Vec<Place>) = listed
                    .filter(|kid| self.is_still(sight.node_of[kid.0 as usize]))
                    .partition(|kid| sight.node_of[kid.0 as usize] == NONE);
                if unknown.iter().any(|kid| !is_free(&path.join(&tree.at(*kid).name), false)) {
                    return false;
                }
                let still = still.into_iter().map(|kid| sight.node_of[kid.0 as usize]);
                for node in still.chain(inside.get(&folder).into_iter().flatten().copied()) {
                    let Some(val) = self.val(side, node) else { continue };
                    let path = path.join(val.name);
                    if !is_free(&path, val.is_folder()) {
                        return false;
                    }
                    open.push((node, path));
                }
            }
            true
        })
    }

    /// Answers whether nothing was decided about what an entry stands for, or it stands for nothing known.
    fn is_still(&self, node: Idx) -> bool {
        node == NONE || !self.is_active(node)
    }

    /// By folder, the active nodes that stand in it on a side and stay as they are there.
    fn staying_inside(&self, side: Side) -> Map<Idx, Vec<Idx>> {
        let mut inside: Map<Idx, Vec<Idx>> = Map::default();
        for &node in &self.active {
            let val = self.val(side, node);
            if let Some(val) = val.filter(|_| val == self.target(side.into(), node)) {
                inside.entry(val.parent).or_default().push(node);
            }
        }
        inside
    }

    fn follow_gently(&mut self, node: Idx, source: Side) -> Option<Val<'a>> {
        let base = self.val(Stand::Base, node);
        match (self.val(source, node), self.val(source.other(), node)) {
            (Some(from), None) => Some(from),
            (Some(from), Some(to)) if to == from || base == Some(to) => Some(from),
            (Some(_), Some(_)) => {
                // Both hold it, and the target changed it: a person's choice counts, a standing answer doesn't.
                let chosen = match self.policy.chosen.get(&self.id(node)) {
                    Some(Strategy::KeepLocal) => Side::Local,
                    Some(Strategy::KeepRemote) => Side::Remote,
                    _ => {
                        self.hold(node, Why::Content);
                        return None;
                    }
                };
                self.val(chosen, node)
            }
            (None, Some(to)) if base != Some(to) => {
                self.shifted |= base.is_some();
                self.set(Stand::Base, node, None);
                self.hold(node, Why::Left);
                None
            }
            (None, _) => None,
        }
    }
}
