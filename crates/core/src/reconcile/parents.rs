//! What is aimed at must be a tree: folders of what lives live, and no folder stands inside itself.

use super::hash::{Map, Set};
use super::value::{Idx, ROOT, Stand, Val};
use super::world::World;
use crate::node::Side;
use crate::plan::NoteKind;
use crate::policy::Strategy;

impl<'a> World<'a> {
    /// A deleted folder in which something lives takes the value of the side that has it.
    pub(crate) fn revive_parents(&mut self) {
        for at in 0..self.active.len() {
            let Some(goal) = self.goal_of(self.active[at]) else { continue };
            let mut up = goal.parent;
            while !self.lives(up) {
                let Some((side, val)) = Side::BOTH.into_iter().find_map(|s| Some((s, self.val(s, up)?)))
                else {
                    break;
                };
                self.goal[up as usize] = Some(val);
                self.note(up, side, NoteKind::FolderStays);
                up = val.parent;
            }
        }
    }

    /// The goal of a node that is not held.
    pub(crate) fn goal_of(&self, node: Idx) -> Option<Val<'a>> {
        if self.is_held(node) { None } else { self.goal[node as usize] }
    }

    /// While folders stand in a circle, undoes one of the moves that made it.
    pub(crate) fn break_cycles(&mut self) {
        let mut undone: Set<Idx> = Set::default();
        loop {
            let moved = |node: &Idx| match (self.goal_of(*node), self.val(Stand::Base, *node)) {
                (Some(goal), Some(base)) => goal.parent != base.parent,
                _ => false,
            };
            let starts: Vec<Idx> = self.active.iter().copied().filter(moved).collect();
            let Some(cycle) = find_cycle(&starts, |node| self.goal_of(node)) else { return };
            let mut members: Vec<Idx> =
                cycle.iter().copied().filter(|node| moved(node) && !undone.contains(node)).collect();
            members.sort_by_cached_key(|&node| self.base_path(node));
            let strategy = self.strategy_of_all(&members);
            let stayed = |side: Side, node: Idx| {
                let here = self.val(side, node).map(|val| val.parent);
                here == self.val(Stand::Base, node).map(|val| val.parent)
            };
            let kept = match strategy {
                Strategy::KeepLocal => Some(Side::Local),
                Strategy::KeepRemote => Some(Side::Remote),
                _ => None,
            };
            let loser = kept.and_then(|side| members.iter().rfind(|&&node| stayed(side, node)));
            let Some(&node) = loser.or(members.last()) else { return };
            undone.insert(node);
            self.record_move(members.clone(), node);
            let parent = self.living_base_folder(node);
            if let Some(goal) = &mut self.goal[node as usize] {
                goal.parent = parent;
            }
        }
    }

    /// The nearest folder above a node in base that lives.
    pub(crate) fn living_base_folder(&self, node: Idx) -> Idx {
        let mut up = self.val(Stand::Base, node).map_or(ROOT, |base| base.parent);
        let mut steps = 0;
        while !self.lives(up) {
            steps += 1;
            up = match self.val(Stand::Base, up) {
                Some(base) if steps < self.goal.len() => base.parent,
                _ => ROOT,
            };
        }
        up
    }
}

/// Looks for a circle of parents above the nodes given; answers its members.
pub(crate) fn find_cycle<'a>(starts: &[Idx], value: impl Fn(Idx) -> Option<Val<'a>>) -> Option<Vec<Idx>> {
    if crate::mutant::is_on("folders-in-circles") {
        return None;
    }
    let mut walk_of: Map<Idx, usize> = Map::default();
    for (walk, &start) in starts.iter().enumerate() {
        let mut path = Vec::new();
        let mut at = start;
        while at != ROOT {
            match walk_of.get(&at) {
                Some(&other) if other == walk => {
                    let first = path.iter().position(|&node| node == at)?;
                    return Some(path.split_off(first));
                }
                Some(_) => break,
                None => {
                    walk_of.insert(at, walk);
                    path.push(at);
                }
            }
            let Some(val) = value(at) else { break };
            at = val.parent;
        }
    }
    None
}
