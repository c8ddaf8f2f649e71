//! Conflict copies: the version that gave way, beside the one that stays.

use super::hash::Map;
use super::value::{Idx, Val};
use super::world::{CopyOf, Seat, World};
use crate::conflict::copy_name;
use crate::content::ContentId;
use crate::node::Side;
use crate::path::Name;

impl<'a> World<'a> {
    /// Notes that one side's version of a node is to become a copy, once it is clear where the node stands.
    pub(crate) fn copy_later(&mut self, node: Idx, side: Side) {
        self.copies_due.push((node, side));
    }

    /// Makes the copies that are due.
    pub(crate) fn make_copies(&mut self) {
        let due = std::mem::take(&mut self.copies_due);
        if due.is_empty() {
            return;
        }
        let mut seats = self.goal_seats();
        for (of, side) in due {
            let (Some(goal), Some(version)) = (self.goal_of(of), self.val(side, of)) else { continue };
            let Some(leaf) = version.leaf else { continue };
            // No name is free only if the copy is there already.
            let Some(name) = self.free_copy_name(goal, side, leaf.content, &seats) else { continue };
            let copy = self.add_node();
            self.goal[copy as usize] = Some(Val { parent: goal.parent, name, leaf: Some(leaf) });
            seats.insert(self.seat(None, goal.parent, name), copy);
            self.copies.push(CopyOf { copy, of });
        }
    }

    /// The first name for a copy that is free; `None` if a file with this content has one of them already.
    pub(crate) fn free_copy_name(
        &self,
        of: Val<'a>,
        side: Side,
        content: ContentId,
        seats: &Map<Seat<'a>, Idx>,
    ) -> Option<&'a Name> {
        for number in 1.. {
            let name: &'a Name =
                self.made.names.keep(copy_name(of.name, &self.policy.machines[side], content, number));
            let seat = self.seat(None, of.parent, name);
            let taken = seats
                .get(&seat)
                .copied()
                .or_else(|| self.still_at(None, of.parent, name))
                .or_else(|| self.held_at(&seat));
            match taken {
                Some(node) if self.standing_content(node) == Some(content) => return None,
                Some(_) => {}
                None => {
                    let unknown = |side| {
                        let seat = self.seat(side, of.parent, name);
                        self.unknown[side].contains(&seat)
                    };
                    if !Side::BOTH.into_iter().any(unknown) {
                        return Some(name);
                    }
                }
            }
        }
        None
    }

    /// A held node that stands at a seat on some side.
    fn held_at(&self, seat: &Seat<'a>) -> Option<Idx> {
        let stands = |node: Idx| {
            Side::BOTH.into_iter().any(|side| {
                self.val(side, node)
                    .is_some_and(|val| val.parent == seat.0 && self.seat(None, val.parent, val.name) == *seat)
            })
        };
        let held = self.active.iter().copied().filter(|&node| self.is_held(node) && stands(node));
        held.min()
    }

    fn standing_content(&self, node: Idx) -> Option<ContentId> {
        let val = if self.is_held(node) {
            Side::BOTH.into_iter().find_map(|side| self.val(side, node))
        } else {
            self.goal[node as usize]
        };
        Some(val?.leaf?.content)
    }
}
