//! One name for one thing: what happens where two living nodes want the same name in the same folder.

use super::hash::{Map, Set};
use super::record::Why;
use super::value::{Idx, Stand, Val};
use super::world::{Seat, World, shared_seats};
use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::node::Side;
use crate::path::{Name, TreePath};
use crate::plan::NoteKind;
use crate::policy::Strategy;
use crate::tree::{LeafKind, Place};

/// A name that several nodes want.
struct Contest<'a> {
    seat: Seat<'a>,
    members: Vec<Idx>,
}

/// Whether a claimant is new, where it was, whether it is a leaf, its name, what it holds.
type Rank<'a> = (bool, Option<TreePath>, bool, Option<&'a Name>, Option<(ContentId, LeafKind)>);

/// What must be remembered from one contest to the next.
#[derive(Default)]
struct Memory<'a> {
    /// Who stands where in what is aimed at, of the active nodes.
    seats: Map<Seat<'a>, Idx>,
    /// Nodes that gave way once. Each does so only once, so that it ends.
    gave_way: Set<Idx>,
    /// Folders joined into others.
    gone: Map<Idx, Idx>,
}

impl<'a> World<'a> {
    /// Settles contested names, outermost first, until there are none.
    pub(crate) fn settle_names(&mut self) {
        let mut memory = Memory::default();
        loop {
            let contests = self.contests(&mut memory);
            if contests.is_empty() {
                return;
            }
            for contest in contests {
                self.settle_name(&contest, &mut memory);
            }
            self.hand_over(&std::mem::take(&mut memory.gone));
        }
    }

    /// The contested names that are nearest to the root.
    fn contests(&self, memory: &mut Memory<'a>) -> Vec<Contest<'a>> {
        let mut contests: Vec<(usize, TreePath, Contest<'a>)> = Vec::new();
        for (seat, members) in self.claims() {
            let path = self.goal_path(seat.0);
            contests.push((path.depth(), path, Contest { seat, members }));
        }
        if !contests.is_empty() {
            memory.seats = self.goal_seats();
        }
        contests.sort_by(|a, b| (a.0, &a.1, &a.2.seat.1).cmp(&(b.0, &b.1, &b.2.seat.1)));
        let least = contests.first().map_or(0, |contest| contest.0);
        contests.into_iter().take_while(|contest| contest.0 == least).map(|contest| contest.2).collect()
    }

    /// Each name that several nodes aim at, with those nodes.
    fn claims(&self) -> Vec<(Seat<'a>, Vec<Idx>)> {
        if !self.may_clash() {
            return Vec::new();
        }
        let mut claimants = Vec::with_capacity(self.active.len());
        for &node in &self.active {
            if let Some(goal) = self.goal_of(node) {
                claimants.push((self.seat(None, goal.parent, goal.name), node));
                let still = self.still_at(None, goal.parent, goal.name);
                claimants.extend(still.map(|still| (self.seat(None, goal.parent, goal.name), still)));
            }
        }
        shared_seats(claimants)
    }

    /// On each side every name is one thing. So two nodes can meet only if one of them comes to a name on one side, and
    /// one on the other; unless a side that folds names is told of two that it takes for one.
    fn may_clash(&self) -> bool {
        let arrives = |side: Side| {
            self.active.iter().any(|&node| match (self.goal_of(node), self.val(side, node)) {
                (Some(goal), Some(val)) => !goal.same_place(&val),
                (goal, _) => goal.is_some(),
            })
        };
        self.folds() || (arrives(Side::Local) && arrives(Side::Remote))
    }

    /// Who stands where in what is aimed at, of the active nodes.
    pub(crate) fn goal_seats(&self) -> Map<Seat<'a>, Idx> {
        let mut seats = Map::default();
        for &node in &self.active {
            if let Some(goal) = self.goal_of(node) {
                seats.entry(self.seat(None, goal.parent, goal.name)).or_insert(node);
            }
        }
        seats
    }

    fn settle_name(&mut self, contest: &Contest<'a>, memory: &mut Memory<'a>) {
        let mut members = contest.members.clone();
        members.sort_by_cached_key(|&node| self.rank(node));
        let (first, second) = self.first_pair(&members);
        self.activate(first);
        self.activate(second);
        let (Some(a), Some(b)) = (self.goal_of(first), self.goal_of(second)) else { return };
        if let Some(node) = [first, second].into_iter().find(|node| self.combined.contains(node)) {
            self.combined.remove(&node);
            let place = self.settle_place(node);
            self.goal[node as usize] = self.goal[node as usize].map(|goal| goal.at(&place));
        } else if a.is_folder() && b.is_folder() {
            self.join_folders(contest, first, second, memory);
        } else if self.become_one(first, second) {
            self.join_leaves(first, second);
        } else {
            self.settle_contest(contest, first, second, memory);
        }
    }

    /// Of several claimants two that become one, if there are such: equals must not meet a third one after the other.
    fn first_pair(&self, members: &[Idx]) -> (Idx, Idx) {
        let mut pairs = members
            .iter()
            .enumerate()
            .flat_map(|(at, &one)| members[at + 1..].iter().map(move |&other| (one, other)));
        pairs.find(|&(one, other)| self.become_one(one, other)).unwrap_or((members[0], members[1]))
    }

    /// Answers whether two claimants are the same thing: two folders, or equal files of which one was never agreed on.
    fn become_one(&self, one: Idx, other: Idx) -> bool {
        let (Some(a), Some(b)) = (self.goal_of(one), self.goal_of(other)) else { return false };
        let is_new = |node: Idx| self.val(Stand::Base, node).is_none();
        a.same_content(&b) && (a.is_folder() || is_new(one) || is_new(other))
    }

    /// An order of claimants that is the same whichever side they come from.
    fn rank(&self, node: Idx) -> Rank<'a> {
        let path = self.base_path(node);
        let goal = self.goal[node as usize];
        let leaf = goal.and_then(|goal| goal.leaf);
        let name = goal.map(|goal| goal.name);
        (path.is_none(), path, leaf.is_some(), name, leaf.map(|leaf| (leaf.content, leaf.kind)))
    }

    /// The children of both go to the first, unless the other is where something unknown stands.
    fn join_folders(&mut self, contest: &Contest<'a>, first: Idx, second: Idx, memory: &mut Memory<'a>) {
        let holds_unknown =
            |node: &Idx| Side::BOTH.iter().any(|&side| self.with_unknown[side].contains(node));
        let (into, gone) = match (holds_unknown(&first), holds_unknown(&second)) {
            (true, true) => return self.hold_name(contest),
            (false, true) => (second, first),
            _ => (first, second),
        };
        self.goal[gone as usize] = None;
        memory.gone.insert(gone, into);
        // Of two newcomers neither is the older one: they become one node, whichever side they come from.
        if [into, gone].iter().all(|&node| self.val(Stand::Base, node).is_none()) {
            self.join_where_apart(into, gone);
        }
    }

    /// Gives the children of joined folders to those that stay.
    fn hand_over(&mut self, gone: &Map<Idx, Idx>) {
        if gone.is_empty() {
            return;
        }
        let stay = |node: Idx| {
            let mut at = node;
            while let Some(&into) = gone.get(&at) {
                at = into;
            }
            at
        };
        let mut folders: Vec<Idx> = gone.keys().copied().collect();
        folders.sort_unstable();
        for folder in folders {
            let place = self.sights.local.place_of[folder as usize];
            if place == super::value::NONE {
                continue;
            }
            for kid in self.trees.local.children(Place(place)) {
                let node = self.sights.local.node_of[kid.0 as usize];
                if node != super::value::NONE {
                    self.activate(node);
                }
            }
        }
        let parent = |node: &Idx| Some((*node, self.goal[*node as usize]?.parent));
        let handed = self.active.iter().filter_map(parent);
        let handed: Vec<(Idx, Idx)> = handed.filter(|(_, from)| gone.contains_key(from)).collect();
        self.handed.extend(handed);
        for &node in &self.active {
            if let Some(goal) = &mut self.goal[node as usize] {
                goal.parent = stay(goal.parent);
            }
        }
    }

    /// Equal files are one, at least where one of them was never agreed on.
    fn join_leaves(&mut self, into: Idx, gone: Idx) {
        let exec = [into, gone].iter().any(|&node| self.goal_of(node).is_some_and(|goal| goal.exec()));
        self.goal[gone as usize] = None;
        if let Some(goal) = &mut self.goal[into as usize]
            && let Some(leaf) = goal.leaf
            && leaf.exec != exec
        {
            goal.leaf = Some(self.made.leaves.keep(crate::tree::Leaf { exec, ..*leaf }));
        }
        self.join_where_apart(into, gone);
    }

    /// What stands on one side only becomes the other node's version there, if that has none.
    fn join_where_apart(&mut self, into: Idx, gone: Idx) {
        for side in Side::BOTH {
            let apart = self.val(side, into).is_none() && self.val(side, gone).is_some();
            if apart && !self.is_hidden(gone) && !self.is_hidden(into) {
                self.join(side, gone, into);
                self.adopt(&Map::from_iter([(gone, into)]), side);
                // What is handed over stays so under its new number.
                for pair in self.handed.iter_mut().filter(|pair| pair.0 == gone) {
                    pair.0 = into;
                }
            }
        }
    }

    fn settle_contest(&mut self, contest: &Contest<'a>, first: Idx, second: Idx, memory: &mut Memory<'a>) {
        let settled = match self.strategy_of_all(&contest.members) {
            Strategy::Merge | Strategy::AskUser => false,
            Strategy::KeepLocal => self.keep_name(contest, Side::Local, first, second, memory),
            Strategy::KeepRemote => self.keep_name(contest, Side::Remote, first, second, memory),
            Strategy::LastWriteWins => self.newest_keeps_name(contest, first, second, memory),
            Strategy::Both => self.rename_loser(contest, first, second, memory),
        };
        if !settled {
            self.hold_name(contest);
        }
    }

    fn hold_name(&mut self, contest: &Contest<'a>) {
        self.groups.push(contest.members.clone());
        for &node in &contest.members {
            self.hold(node, Why::Name(self.groups.len() - 1));
        }
    }

    fn stands_at(&self, side: Side, node: Idx, seat: &Seat<'a>) -> bool {
        self.val(side, node).is_some_and(|val| self.seat(None, val.parent, val.name) == *seat)
    }

    /// What the kept side has at that place wins; the other one returns to its place there, or goes to history if the
    /// kept side has nothing of it.
    fn keep_name(
        &mut self,
        contest: &Contest<'a>,
        side: Side,
        first: Idx,
        second: Idx,
        memory: &mut Memory<'a>,
    ) -> bool {
        let loser = if self.stands_at(side, first, &contest.seat) {
            second
        } else if self.stands_at(side, second, &contest.seat) {
            first
        } else {
            return false;
        };
        // Its folder may have become one with another: then there is no place to return to.
        let has_no_way_back = self.val(side, loser).is_some_and(|val| !self.lives(val.parent));
        if has_no_way_back || !memory.gave_way.insert(loser) {
            return false;
        }
        match (self.val(side, loser), self.goal[loser as usize]) {
            (Some(val), Some(goal)) => self.goal[loser as usize] = Some(goal.at(&val)),
            _ => {
                let Some(all) = self.wholly_missing(side, loser) else { return false };
                for node in all {
                    self.goal[node as usize] = None;
                }
            }
        }
        self.note(loser, side.other(), NoteKind::Decided { loser: side.other() });
        true
    }

    /// A node with all that is aimed at below it, if the side has nothing of it and nothing of it is held.
    fn wholly_missing(&self, side: Side, top: Idx) -> Option<Vec<Idx>> {
        let mut all = vec![top];
        if self.goal[top as usize]?.is_folder() {
            for &node in &self.active {
                if node != top && self.is_below(node, top) {
                    all.push(node);
                }
            }
        }
        all.iter().all(|&node| self.val(side, node).is_none() && !self.is_held(node)).then_some(all)
    }

    /// Answers whether a node is aimed at below a folder, or stands there on some side if it is held.
    fn is_below(&self, node: Idx, top: Idx) -> bool {
        if !self.is_held(node) {
            return climbs_to(node, top, |at| self.goal_of(at));
        }
        Side::BOTH.into_iter().any(|side| climbs_to(node, top, |at| self.val(side, at)))
    }

    /// The later of two files that both sides knew keeps the name; the other's move is undone.
    fn newest_keeps_name(
        &mut self,
        contest: &Contest<'a>,
        first: Idx,
        second: Idx,
        memory: &mut Memory<'a>,
    ) -> bool {
        let is_known_leaf = |node: Idx| self.val(Stand::Base, node).is_some_and(|base| !base.is_folder());
        let [one, other] = [first, second].map(|node| self.written(node, &contest.seat));
        let (Some(one), Some(other)) = (one, other) else { return false };
        if one == other || !is_known_leaf(first) || !is_known_leaf(second) {
            return false;
        }
        let loser = if one < other { first } else { second };
        let Some(base) = self.val(Stand::Base, loser) else { return false };
        if !self.lives(base.parent) || !memory.gave_way.insert(loser) {
            return false;
        }
        self.goal[loser as usize] = self.goal[loser as usize].map(|goal| goal.at(&base));
        let side = self.side_at(loser, &contest.seat);
        self.note(loser, side, NoteKind::Decided { loser: side });
        true
    }

    /// When what is aimed at was written, as the side that had it first tells: on the other one it is as old as the sync
    /// that brought it, and in the next cycle the other claimant would be the newer one.
    fn written(&self, node: Idx, seat: &Seat<'a>) -> Option<Timestamp> {
        let goal = self.goal[node as usize]?;
        let here: Vec<Side> =
            Side::BOTH.into_iter().filter(|&side| self.stands_at(side, node, seat)).collect();
        let is_it = |side: &&Side| self.seen(**side, node).is_some_and(|seen| seen.same_content(&goal));
        let first = here.iter().filter(is_it).filter_map(|&side| self.modified(side, node)).min();
        first.or_else(|| here.iter().filter_map(|&side| self.modified(side, node)).max())
    }

    fn side_at(&self, node: Idx, seat: &Seat<'a>) -> Side {
        let here = |side: &Side| self.stands_at(*side, node, seat);
        let has = |side: &Side| self.val(*side, node).is_some();
        let mut sides = Side::BOTH.into_iter();
        sides.clone().find(here).or_else(|| sides.find(has)).unwrap_or(Side::Local)
    }

    /// Folders before leaves, newcomers before what the other side deleted, then what the remote holds there.
    fn rename_loser(
        &mut self,
        contest: &Contest<'a>,
        first: Idx,
        second: Idx,
        memory: &mut Memory<'a>,
    ) -> bool {
        let standing = |node: Idx| {
            let known = self.val(Stand::Base, node).is_some();
            let deleted = known && Side::BOTH.iter().any(|&side| self.val(side, node).is_none());
            let leaf = self.goal[node as usize].is_some_and(|goal| !goal.is_folder());
            (leaf, deleted, !self.stands_at(Side::Remote, node, &contest.seat), self.rank(node))
        };
        let loser = if standing(first) <= standing(second) { second } else { first };
        let Some(goal) = self.goal[loser as usize] else { return false };
        let Some(leaf) = goal.leaf else { return false };
        if !memory.gave_way.insert(loser) {
            return false;
        }
        let side = self.side_at(loser, &contest.seat);
        let Some(name) = self.free_copy_name(goal, side, leaf.content, &memory.seats) else { return false };
        let goal = Val { name, ..goal };
        memory.seats.insert(self.seat(None, goal.parent, name), loser);
        self.goal[loser as usize] = Some(goal);
        self.note(loser, side, NoteKind::Copied);
        true
    }
}

fn climbs_to<'a>(node: Idx, top: Idx, value: impl Fn(Idx) -> Option<Val<'a>>) -> bool {
    let mut at = node;
    for _ in 0..10_000 {
        match value(at) {
            Some(val) if val.parent == top => return true,
            Some(val) if val.parent != super::value::ROOT => at = val.parent,
            _ => return false,
        }
    }
    false
}
