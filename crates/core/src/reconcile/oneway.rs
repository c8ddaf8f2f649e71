//! One-way directions: the source's values are what is aimed at.

use super::record::Why;
use super::value::{Idx, Stand, Val};
use super::world::World;
use crate::node::Side;
use crate::policy::Strategy;

impl<'a> World<'a> {
    /// Aims at what the source has. A mirror knows no exception; else what only the target changed is not touched.
    pub(crate) fn follow(&mut self, source: Side) {
        for at in 0..self.active.len() {
            let node = self.active[at];
            if self.is_held(node) {
                continue;
            }
            let from = self.val(source, node);
            let goal = match self.forced.get(&node) {
                Some(&side) => self.val(side, node),
                None if self.policy.mirror => from,
                None => self.follow_gently(node, source),
            };
            self.goal[node as usize] = goal;
        }
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
                self.forgot |= base.is_some();
                self.set(Stand::Base, node, None);
                self.hold(node, Why::Left);
                None
            }
            (None, _) => None,
        }
    }
}
