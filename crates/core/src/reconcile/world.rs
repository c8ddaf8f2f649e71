//! All that one reconciliation knows: each node's value on the three stands, what is aimed at, and what is held.
//!
//! Vectors are dense, one slot a node. Most nodes are the same everywhere and stay so: they are *still*. Work goes to
//! the *active* ones, where anything differs; a still node becomes active when something is about to change it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::{BuildHasher, BuildHasherDefault};

use super::arena::Arena;
use super::hash::{Map, Quick, Set};
use super::index::{Children, Index};
use super::record::Why;
use super::value::{Idx, NONE, ROOT, Stand, Val};
use crate::clock::Timestamp;
use crate::conflict::Conflict;
use crate::moved::{Sight, detect};
use crate::node::{Known, NodeId, PerSide, Side, Views};
use crate::path::{Name, TreePath};
use crate::plan::{MergeAnswer, MergeInput, Note};
use crate::policy::{Answer, Fold, Policy, Strategy};
use crate::tree::{Entry, Leaf, Place, Tree};

/// What is made anew while planning.
pub(crate) struct Made {
    pub(crate) leaves: Arena<Leaf>,
    pub(crate) names: Arena<Name>,
}

impl Default for Made {
    fn default() -> Self {
        Made { leaves: Arena::new(), names: Arena::new() }
    }
}

/// A place in a tree: a folder and a name, folded.
pub(crate) type Seat<'a> = (Idx, Cow<'a, [u8]>);

/// A conflict copy that is to be made, and the node whose losing version it keeps.
#[derive(Clone, Copy)]
pub(crate) struct CopyOf {
    pub(crate) copy: Idx,
    pub(crate) of: Idx,
}

pub(crate) struct World<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) merged: &'a dyn Fn(&MergeInput) -> MergeAnswer,
    pub(crate) index: &'a Index<'a>,
    pub(crate) made: &'a Made,
    pub(crate) trees: PerSide<&'a Tree>,
    first_new: u64,
    pub(crate) sights: PerSide<Sight>,
    /// By [`Stand`], then by node.
    vals: [Vec<Option<Val<'a>>>; 3],
    pub(crate) active: Vec<Idx>,
    is_active: Vec<bool>,
    /// Nodes out of sight on a side, and whether something unknown stands at their home.
    pub(crate) hidden: PerSide<Map<Idx, Why>>,
    /// What a side called this node is its version of that one.
    pub(crate) joined: PerSide<Map<Idx, Idx>>,
    /// Where something unknown stands, and which folders hold such.
    pub(crate) unknown: PerSide<Set<Seat<'a>>>,
    pub(crate) with_unknown: PerSide<Set<Idx>>,
    still_seats: RefCell<Map<Idx, Map<Vec<u8>, Idx>>>,
    /// Nodes that a person settled as a whole, for one side.
    pub(crate) forced: Map<Idx, Side>,

    /// What this round aims at; of no meaning for what is held.
    pub(crate) goal: Vec<Option<Val<'a>>>,
    pub(crate) held: Vec<bool>,
    pub(crate) why: Map<Idx, Why>,
    /// The claimants of each contested name, the members of each cycle.
    pub(crate) groups: Vec<Vec<Idx>>,
    /// Nodes whose goal takes the folder from one side and the name from the other.
    pub(crate) combined: Set<Idx>,
    /// What a folder hands over to the one that takes it in, and that folder.
    pub(crate) handed: Vec<(Idx, Idx)>,
    pub(crate) copies: Vec<CopyOf>,
    /// Whether a stand was changed while this round aimed: a base forgot a node, or two nodes were joined.
    pub(crate) shifted: bool,
    pub(crate) copies_due: Vec<(Idx, Side)>,
    pub(crate) pending_moves: Vec<(Idx, Conflict)>,
    pub(crate) pending_notes: Vec<(Idx, Note)>,

    pub(crate) settled: Vec<Conflict>,
    pub(crate) notes: Vec<Note>,
    pub(crate) merges: Vec<MergeInput>,
    /// How many changes the last round left waiting, because only the other side may change.
    pub(crate) waits: usize,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        known: &Known,
        index: &'a Index<'a>,
        trees: PerSide<&'a Tree>,
        policy: &'a Policy,
        merged: &'a dyn Fn(&MergeInput) -> MergeAnswer,
        made: &'a Made,
    ) -> Self {
        let children = Children::new(index, Side::Local);
        let told = &policy.renames;
        let local = detect(Side::Local, index, &children, trees.local, &told.local);
        let children = if index.any_held() { Children::new(index, Side::Remote) } else { children };
        let remote = detect(Side::Remote, index, &children, trees.remote, &told.remote);
        drop(children);
        let len = index.len();
        let mut world = World {
            policy,
            merged,
            index,
            made,
            trees,
            first_new: known.next.max(1),
            sights: PerSide { local, remote },
            vals: [index.all_base().to_vec(), vec![None; len], vec![None; len]],
            active: Vec::new(),
            is_active: vec![false; len],
            hidden: PerSide::default(),
            joined: PerSide::default(),
            unknown: PerSide::default(),
            with_unknown: PerSide::default(),
            still_seats: RefCell::default(),
            forced: Map::default(),
            goal: index.all_base().to_vec(),
            held: vec![false; len],
            why: Map::default(),
            groups: Vec::new(),
            combined: Set::default(),
            handed: Vec::new(),
            copies: Vec::new(),
            shifted: false,
            copies_due: Vec::new(),
            pending_moves: Vec::new(),
            pending_notes: Vec::new(),
            settled: Vec::new(),
            notes: Vec::new(),
            merges: Vec::new(),
            waits: 0,
        };
        Side::BOTH.into_iter().for_each(|side| world.name_new(side));
        Side::BOTH.into_iter().for_each(|side| world.look(side));
        world.find_active();
        world
    }

    /// Gives each entry that is no known node a number, in order of path.
    fn name_new(&mut self, side: Side) {
        let tree = self.trees[side];
        let mut open = vec![Place::ROOT];
        while let Some(place) = open.pop() {
            let entry = tree.at(place);
            if matches!(entry.entry, Entry::Unknown(_)) {
                let folder = self.sights[side].node_of[entry.parent.0 as usize];
                let seat = self.seat(side, folder, &entry.name);
                self.unknown[side].insert(seat);
                self.with_unknown[side].insert(folder);
                continue;
            }
            if self.sights[side].node_of[place.0 as usize] == NONE {
                let node = self.add_node();
                self.sights[side].place_of[node as usize] = place.0;
                self.sights[side].node_of[place.0 as usize] = node;
            }
            open.extend(tree.children(place).rev());
        }
    }

    /// Makes room for one more node.
    pub(crate) fn add_node(&mut self) -> Idx {
        let node = self.goal.len() as Idx;
        self.vals.iter_mut().for_each(|vals| vals.push(None));
        self.goal.push(None);
        self.held.push(false);
        self.is_active.push(true);
        self.active.push(node);
        Side::BOTH.into_iter().for_each(|side| self.sights[side].place_of.push(NONE));
        node
    }

    /// Takes down what each node is on a side now.
    fn look(&mut self, side: Side) {
        for node in 1..self.goal.len() as Idx {
            self.vals[Stand::from(side) as usize][node as usize] = self.seen(side, node);
        }
        for node in std::mem::take(&mut self.sights[side].lost) {
            self.hidden[side].insert(node, Why::Lost(side));
        }
        for node in std::mem::take(&mut self.sights[side].frozen) {
            self.hidden[side].insert(node, Why::Frozen(side));
            // It stays what it was: nobody can look, and nobody may touch it.
            self.vals[Stand::from(side) as usize][node as usize] = self.index.view(side, node);
        }
    }

    /// What a node is in a side's tree.
    pub(crate) fn seen(&self, side: Side, node: Idx) -> Option<Val<'a>> {
        let place = self.sights[side].place_of[node as usize];
        if place == NONE {
            return None;
        }
        let entry = self.trees[side].at(Place(place));
        let leaf = match &entry.entry {
            Entry::Leaf(leaf) => Some(leaf),
            _ => None,
        };
        let parent = self.sights[side].node_of[entry.parent.0 as usize];
        Some(Val { parent, name: &entry.name, leaf })
    }

    fn find_active(&mut self) {
        for node in 1..self.index.len() as Idx {
            let hidden = self.hidden.local.contains_key(&node) || self.hidden.remote.contains_key(&node);
            // What was held may agree now, or be nowhere any more: either way its row changes.
            let was_held = matches!(self.index.row(node).views, Views::Held(_));
            if hidden || was_held || !self.is_agreed(node) {
                self.activate(node);
            }
        }
        self.active.sort_unstable();
    }

    pub(crate) fn is_agreed(&self, node: Idx) -> bool {
        let [base, local, remote] = Stand::ALL.map(|stand| self.val(stand, node));
        base == local && base == remote
    }

    /// Lets a still node take part.
    pub(crate) fn activate(&mut self, node: Idx) {
        if !std::mem::replace(&mut self.is_active[node as usize], true) {
            self.active.push(node);
        }
    }

    pub(crate) fn is_active(&self, node: Idx) -> bool {
        self.is_active[node as usize]
    }

    pub(crate) fn val(&self, stand: impl Into<Stand>, node: Idx) -> Option<Val<'a>> {
        self.vals[stand.into() as usize][node as usize]
    }

    pub(crate) fn set(&mut self, stand: impl Into<Stand>, node: Idx, val: Option<Val<'a>>) {
        self.vals[stand.into() as usize][node as usize] = val;
    }

    /// What a stand will hold if nothing more is held.
    pub(crate) fn target(&self, stand: Stand, node: Idx) -> Option<Val<'a>> {
        if self.held[node as usize] { self.val(stand, node) } else { self.goal[node as usize] }
    }

    pub(crate) fn is_held(&self, node: Idx) -> bool {
        self.held[node as usize]
    }

    /// Answers whether a node will be somewhere: it is aimed at, or held.
    pub(crate) fn lives(&self, node: Idx) -> bool {
        node == ROOT || self.held[node as usize] || self.goal[node as usize].is_some()
    }

    /// Holds a node; answers whether that is new.
    pub(crate) fn hold(&mut self, node: Idx, why: Why) -> bool {
        if std::mem::replace(&mut self.held[node as usize], true) {
            return false;
        }
        self.activate(node);
        self.why.insert(node, why);
        true
    }

    pub(crate) fn id(&self, node: Idx) -> NodeId {
        if node == ROOT {
            return NodeId::ROOT;
        }
        let known = self.index.len() as Idx;
        if node < known { self.index.row(node).id } else { NodeId(self.first_new + u64::from(node - known)) }
    }

    /// The id that the next new node gets.
    pub(crate) fn next_id(&self) -> u64 {
        self.first_new + (self.goal.len() - self.index.len()) as u64
    }

    pub(crate) fn is_frozen(&self, side: Side, node: Idx) -> bool {
        matches!(self.hidden[side].get(&node), Some(Why::Frozen(_)))
    }

    pub(crate) fn is_hidden(&self, node: Idx) -> bool {
        self.hidden.local.contains_key(&node) || self.hidden.remote.contains_key(&node)
    }

    pub(crate) fn strategy(&self, node: Idx) -> Strategy {
        self.answer(node).strategy
    }

    /// What a conflict of a node comes to: what a person chose for it, else what its group says, else the standing one.
    pub(crate) fn answer(&self, node: Idx) -> Answer {
        if let Some(&strategy) = self.policy.chosen.get(&self.id(node)) {
            return Answer { strategy, merges: strategy == Strategy::Merge };
        }
        if !self.policy.groups.have_answers() {
            let strategy = self.policy.strategy;
            return Answer { strategy, merges: strategy == Strategy::Merge };
        }
        // The place both know it by; before there is one, a place that both sides would name alike.
        let stands = |stand: Stand| Some((self.path(stand, node), self.val(stand, node)?.is_folder()));
        let agreed = stands(Stand::Base);
        let found = agreed.or_else(|| [Stand::Local, Stand::Remote].into_iter().filter_map(stands).min());
        let (path, is_folder) = found.unwrap_or((TreePath::root(), true));
        self.policy.answer(&path, is_folder)
    }

    /// The strategy for several nodes: what a person chose for one of them, else what holds for all of them.
    pub(crate) fn strategy_of_all(&self, nodes: &[Idx]) -> Strategy {
        let chosen = nodes.iter().find_map(|&node| self.policy.chosen.get(&self.id(node)));
        if let Some(&chosen) = chosen {
            return chosen;
        }
        let mut strategies = nodes.iter().map(|&node| self.strategy(node));
        let first = strategies.next().unwrap_or(self.policy.strategy);
        if strategies.all(|strategy| strategy == first) { first } else { Strategy::AskUser }
    }

    pub(crate) fn modified(&self, side: Side, node: Idx) -> Option<Timestamp> {
        let place = self.sights[side].place_of[node as usize];
        if place == NONE { None } else { self.trees[side].at(Place(place)).modified }
    }

    /// Path of a node on one stand.
    pub(crate) fn path(&self, stand: impl Into<Stand>, node: Idx) -> TreePath {
        let vals = &self.vals[stand.into() as usize];
        climb(node, |at| vals[at as usize]).unwrap_or_default()
    }

    /// Path of a node on a side once the plan is carried out, if nothing more is held; `None` in a circle.
    pub(crate) fn target_path(&self, side: Side, node: Idx) -> Option<TreePath> {
        climb(node, |at| self.target(side.into(), at))
    }

    /// Path of a node in what is aimed at.
    pub(crate) fn goal_path(&self, node: Idx) -> TreePath {
        climb(node, |at| {
            let held = || self.val(Stand::Local, at).or(self.val(Stand::Remote, at));
            if self.held[at as usize] { held() } else { self.goal[at as usize] }
        })
        .unwrap_or_default()
    }

    /// Path of a node where both sides last agreed on it.
    pub(crate) fn base_path(&self, node: Idx) -> Option<TreePath> {
        self.val(Stand::Base, node)?;
        Some(self.path(Stand::Base, node))
    }

    /// The place of a name as one side, or either side, tells names apart.
    pub(crate) fn seat(&self, side: impl Into<Option<Side>>, folder: Idx, name: &'a Name) -> Seat<'a> {
        (folder, self.fold(side).key(name))
    }

    fn fold(&self, side: impl Into<Option<Side>>) -> Fold {
        let folds = &self.policy.fold;
        match side.into() {
            Some(side) => folds[side],
            None => folds.local.or(folds.remote),
        }
    }

    /// Answers whether some side takes different names for one.
    pub(crate) fn folds(&self) -> bool {
        self.fold(None) != Fold::default()
    }

    /// The still node that stands at a seat.
    pub(crate) fn still_at(&self, side: impl Into<Option<Side>>, folder: Idx, name: &Name) -> Option<Idx> {
        let sight = &self.sights.local;
        // What is new, or missing here, has no still children.
        if folder as usize >= self.index.len() || sight.place_of[folder as usize] == NONE {
            return None;
        }
        let place = Place(sight.place_of[folder as usize]);
        let fold = self.fold(side);
        let node = if fold == Fold::default() {
            sight.node_of[self.trees.local.child(place, name)?.0 as usize]
        } else {
            let mut cache = self.still_seats.borrow_mut();
            let seats = cache.entry(folder).or_insert_with(|| {
                // By the widest fold; what that finds is asked again below.
                let wide = self.fold(None);
                let children = self.trees.local.children(place).rev();
                let seat = |kid: Place| {
                    (wide.key(&self.trees.local.at(kid).name).into_owned(), sight.node_of[kid.0 as usize])
                };
                children.map(seat).filter(|&(_, node)| node != NONE && !self.is_active(node)).collect()
            });
            *seats.get(&*self.fold(None).key(name))?
        };
        if node == NONE || self.is_active(node) {
            return None;
        }
        let found = self.val(Stand::Base, node)?;
        (found.parent == folder && fold.key(found.name) == fold.key(name)).then_some(node)
    }

    /// Makes what a side calls `from` its version of `into`: they are one node.
    pub(crate) fn join(&mut self, side: Side, from: Idx, into: Idx) {
        self.shifted = true;
        self.joined[side].remove(&into);
        self.joined[side].insert(from, into);
        let val = self.val(side, from);
        self.set(side, into, val);
        self.set(side, from, None);
        let sight = &mut self.sights[side];
        let place = std::mem::replace(&mut sight.place_of[from as usize], NONE);
        sight.place_of[into as usize] = place;
        if place != NONE {
            sight.node_of[place as usize] = into;
        }
        if let Some(why) = self.hidden[side].remove(&from) {
            self.hidden[side].insert(into, why);
        }
        if self.with_unknown[side].remove(&from) {
            self.with_unknown[side].insert(into);
            let moved: Vec<Seat<'a>> =
                self.unknown[side].iter().filter(|seat| seat.0 == from).cloned().collect();
            for seat in moved {
                self.unknown[side].remove(&seat);
                self.unknown[side].insert((into, seat.1));
            }
        }
    }
}

/// The path of a node: names from the root down; `None` where its folders stand in a circle, which this finds after two
/// turns of it (Brent, An improved Monte Carlo factorization algorithm, 1980).
pub(crate) fn climb<'a>(node: Idx, val: impl Fn(Idx) -> Option<Val<'a>>) -> Option<TreePath> {
    let mut names = Vec::new();
    let (mut at, mut met, mut turn) = (node, node, 1);
    while at != ROOT
        && let Some(val) = val(at)
    {
        names.push(val.name);
        at = val.parent;
        if at == met {
            return None;
        }
        if names.len() == turn {
            (met, turn) = (at, 2 * turn);
        }
    }
    Some(names.into_iter().rev().fold(TreePath::root(), |path, name| path.join(name)))
}

/// Sorts nodes by where they stand; answers each seat that several share, with those, in order. Only hashes are sorted,
/// which is quicker than a map where nearly every seat is taken once.
pub(crate) fn shared_seats<'a>(standing: Vec<(Seat<'a>, Idx)>) -> Vec<(Seat<'a>, Vec<Idx>)> {
    let hasher = BuildHasherDefault::<Quick>::default();
    let mut hashes: Vec<(u64, u32)> =
        standing.iter().enumerate().map(|(at, (seat, _))| (hasher.hash_one(seat), at as u32)).collect();
    hashes.sort_unstable();
    let mut shared = Vec::new();
    for group in hashes.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let mut seats: Vec<&(Seat<'a>, Idx)> = group.iter().map(|&(_, at)| &standing[at as usize]).collect();
        seats.sort();
        for same in seats.chunk_by(|a, b| a.0 == b.0) {
            let mut nodes: Vec<Idx> = same.iter().map(|(_, node)| *node).collect();
            nodes.dedup();
            if nodes.len() > 1 {
                shared.push((same[0].0.clone(), nodes));
            }
        }
    }
    shared
}
