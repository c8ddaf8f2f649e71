//! What can't be carried out is held: each side keeps what it has there, base keeps what it had.
//!
//! Whatever was aimed at before, this loop makes it sound. Each stand is a tree now; so wherever the targets break one
//! of the rules, some node differs from what the stand has and is not held yet. Holding it brings the stand nearer to
//! what it is, and in the worst case everything stays as it was.

use super::parents::find_cycle;
use super::record::Why;
use super::value::{Idx, ROOT, Stand, Val};
use super::world::{World, shared_seats};
use crate::mutant;
use crate::node::Side;

/// What one look at the rules found.
type Finds = Vec<(Idx, Why)>;

impl<'a> World<'a> {
    /// Holds nodes until every stand's target is a tree that touches nothing unknown.
    pub(crate) fn hold_until_sound(&mut self) {
        loop {
            let mut finds = Finds::new();
            for stand in Stand::ALL {
                self.find_homeless(stand, &mut finds);
                if let Some(side) = stand.side() {
                    self.find_unknown_inside(side, &mut finds);
                    self.find_into_frozen(side, &mut finds);
                    self.find_forbidden(side, &mut finds);
                }
            }
            // What is held already is no news, and must not hide a circle.
            finds.retain(|&(node, _)| !self.is_held(node));
            if finds.is_empty() {
                for stand in Stand::ALL {
                    self.find_circles(stand, &mut finds);
                }
            }
            for side in Side::BOTH {
                self.find_taken(side, &mut finds);
            }
            self.find_split_copies(&mut finds);
            self.find_split_folders(&mut finds);
            finds.sort_by_cached_key(|&(node, why)| (why.order(), node, self.nearness(why)));
            let mut grown = false;
            for (node, why) in finds {
                grown |= self.hold(node, why);
            }
            if !grown {
                return;
            }
        }
    }

    /// Of several nodes that one must wait for: what is held already, as it doesn't wait for this one; then an order that
    /// is the same whichever side is looked at first.
    fn nearness(&self, why: Why) -> Option<(bool, Vec<u8>)> {
        let Why::Because(other) = why else { return None };
        Some((!self.is_held(other), self.fingerprint(other)))
    }

    /// A node lives, its folder does not.
    fn find_homeless(&self, stand: Stand, finds: &mut Finds) {
        for &node in &self.active {
            let Some(target) = self.target(stand, node) else { continue };
            let parent = target.parent;
            if parent == ROOT || self.target(stand, parent).is_some() {
                continue;
            }
            if self.val(stand, node) == Some(target) {
                finds.push((parent, Why::Because(node)));
            } else {
                finds.push((node, Why::Because(parent)));
            }
        }
    }

    /// A folder goes in which something unknown stands.
    fn find_unknown_inside(&self, side: Side, finds: &mut Finds) {
        if self.with_unknown[side].is_empty() {
            return;
        }
        for &node in &self.active {
            if self.with_unknown[side].contains(&node) && self.target(side.into(), node).is_none() {
                finds.push((node, Why::UnknownInside(side)));
            }
        }
    }

    /// A node comes into a frozen folder, or changes in it.
    fn find_into_frozen(&self, side: Side, finds: &mut Finds) {
        if self.hidden[side].is_empty() {
            return;
        }
        for &node in &self.active {
            if let Some(target) = self.target(side.into(), node)
                && self.is_frozen(side, target.parent)
                && self.val(side, node) != Some(target)
            {
                finds.push((node, Why::Because(target.parent)));
            }
        }
    }

    /// Folders that stand in a circle: what moved among them stays.
    fn find_circles(&mut self, stand: Stand, finds: &mut Finds) {
        let moved = |node: &Idx| match (self.target(stand, *node), self.val(stand, *node)) {
            (Some(target), Some(val)) => target.parent != val.parent,
            (Some(_), None) => true,
            _ => false,
        };
        let starts: Vec<Idx> = self
            .active
            .iter()
            .copied()
            .filter(|node| moved(node) && self.target(stand, *node).is_some_and(|val| val.is_folder()))
            .collect();
        let Some(cycle) = find_cycle(&starts, |node| self.target(stand, node)) else { return };
        let mut members: Vec<Idx> = cycle.into_iter().filter(moved).collect();
        members.sort_unstable();
        self.groups.push(members.clone());
        let group = self.groups.len() - 1;
        finds.extend(members.into_iter().map(|node| (node, Why::Cycle(group))));
    }

    /// Two nodes at one name, or one at the name of something unknown: what comes there stays where it is. Names are one
    /// if either side takes them for one: who sent both spellings would be sent them back as one, without end.
    fn find_taken(&mut self, side: Side, finds: &mut Finds) {
        let stand = Stand::from(side);
        let arrives = |node: Idx| match (self.target(stand, node), self.val(stand, node)) {
            (Some(target), Some(val)) if target.same_place(&val) => None,
            (target, _) => target,
        };
        if mutant::is_on("names-may-clash") {
            return;
        }
        let mut any = false;
        for &node in &self.active {
            let Some(target) = arrives(node) else { continue };
            any = true;
            if self.unknown[side].contains(&self.seat(side, target.parent, target.name)) {
                finds.push((node, Why::UnknownName(side)));
            }
            if let Some(still) = self.still_at(None, target.parent, target.name) {
                finds.push((node, Why::Because(still)));
            }
        }
        if !any {
            return;
        }
        let standing = |&node: &Idx| {
            let target = self.target(stand, node)?;
            Some((self.seat(None, target.parent, target.name), node))
        };
        let mut together = Vec::new();
        for (_, group) in shared_seats(self.active.iter().filter_map(standing).collect()) {
            let arrived: Vec<Idx> = group.iter().copied().filter(|&node| arrives(node).is_some()).collect();
            match group.iter().find(|&&node| arrives(node).is_none()) {
                Some(&stays) => finds.extend(arrived.iter().map(|&node| (node, Why::Because(stays)))),
                None => together.push(arrived),
            }
        }
        // Only a disk that folds names is sent two of one name.
        for group in together {
            let why = Why::Name(self.groups.len());
            finds.extend(group.iter().map(|&node| (node, why)));
            self.groups.push(group);
        }
    }

    /// A copy and the node it is a copy of are made together or not at all.
    fn find_split_copies(&self, finds: &mut Finds) {
        for pair in &self.copies {
            match (self.is_held(pair.of), self.is_held(pair.copy)) {
                (true, false) => finds.push((pair.copy, Why::Because(pair.of))),
                (false, true) => finds.push((pair.of, Why::Content)),
                _ => {}
            }
        }
    }

    /// One folder can't be taken into another as a whole. Then nothing of it is: two machines that hold the one and the
    /// other would move what can move to and fro, without end.
    fn find_split_folders(&self, finds: &mut Finds) {
        let left_behind = self.handed.iter().filter(|(_, folder)| self.is_held(*folder));
        finds.extend(
            left_behind
                .filter(|(node, _)| !self.is_held(*node))
                .map(|&(node, folder)| (node, Why::Because(folder))),
        );
    }

    /// Makes the targets what the stands have; answers whether anything changed.
    pub(crate) fn commit(&mut self) -> bool {
        let mut changed = std::mem::take(&mut self.shifted);
        for at in 0..self.active.len() {
            let node = self.active[at];
            if self.is_held(node) {
                continue;
            }
            let goal = self.goal[node as usize];
            for stand in Stand::ALL {
                changed |= self.val(stand, node) != goal;
                self.set(stand, node, goal);
            }
        }
        changed | self.forget_homeless()
    }

    /// Where base forgot a folder that was left alone on one side, it forgets what stood in it.
    fn forget_homeless(&mut self) -> bool {
        let mut changed = false;
        loop {
            let homeless = |node: &Idx| {
                let base: Option<Val<'a>> = self.val(Stand::Base, *node);
                base.is_some_and(|base| base.parent != ROOT && self.val(Stand::Base, base.parent).is_none())
            };
            let nodes: Vec<Idx> = self.active.iter().copied().filter(homeless).collect();
            if nodes.is_empty() {
                return changed;
            }
            changed = true;
            for node in nodes {
                self.set(Stand::Base, node, None);
            }
        }
    }

    /// Forgets what is lost from sight on a side where nobody knows any more where it stood, as the next plan would find
    /// it; answers whether there was such.
    pub(crate) fn forget_lost(&mut self) -> bool {
        let mut changed = false;
        for side in Side::BOTH {
            let is_forgotten = |&node: &Idx| self.to_remember(side.into(), node).is_none();
            let hidden = self.hidden[side].iter().filter(|(_, why)| matches!(why, Why::Lost(_)));
            let nodes: Vec<Idx> = hidden.map(|(&node, _)| node).filter(is_forgotten).collect();
            changed |= !nodes.is_empty();
            for node in nodes {
                self.hidden[side].remove(&node);
            }
        }
        changed
    }
}
