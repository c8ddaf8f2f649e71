//! A model of one side's disk: things with inodes and birth times, as a file system keeps them.

use std::collections::{BTreeMap, BTreeSet};

use super::Random;
use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::node::{NodeId, Side};
use crate::path::{Name, TreePath};
use crate::plan::Plan;
use crate::policy::Fold;
use crate::tree::{Entry, Key, Leaf, LeafKind, NewEntry, Place, Tree, TreeBuilder, Unknown};

/// Names a thing on a model disk, for ever.
pub type Id = u64;

/// The top folder.
pub const TOP: Id = 0;

/// One thing on a model disk.
#[derive(Debug, Clone)]
pub struct Thing {
    /// The folder it stands in.
    pub parent: Id,
    /// Its name there.
    pub name: Name,
    /// What it holds; `None` for a folder.
    pub leaf: Option<Leaf>,
    /// Why it takes no part, if it takes none.
    pub unknown: Option<Unknown>,
    inode: u64,
    birth: i64,
    /// When its content was last modified.
    pub modified: i64,
}

/// One side's disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Whether listings carry keys.
    pub keyed: bool,
    /// Whether keys carry birth times.
    pub births: bool,
    /// Which names it takes for the same.
    pub fold: Fold,
    things: BTreeMap<Id, Thing>,
    next: Id,
    free_inodes: Vec<u64>,
    now: i64,
}

/// A listing of a disk, and which thing each entry is.
pub struct Listing {
    /// What a scan would answer.
    pub tree: Tree,
    /// By place.
    pub things: Vec<Id>,
}

impl Disk {
    /// An empty disk.
    pub fn new(keyed: bool, births: bool, fold: Fold) -> Self {
        Disk { keyed, births, fold, things: BTreeMap::new(), next: 1, free_inodes: Vec::new(), now: 1000 }
    }

    /// Lets time pass.
    pub fn wait(&mut self, by: i64) {
        self.now += by;
    }

    /// The present moment.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// All things, in order of id.
    pub fn all(&self) -> impl Iterator<Item = (Id, &Thing)> {
        self.things.iter().map(|(id, thing)| (*id, thing))
    }

    /// One thing.
    pub fn at(&self, id: Id) -> &Thing {
        &self.things[&id]
    }

    /// Answers whether a thing is there.
    pub fn has(&self, id: Id) -> bool {
        id == TOP || self.things.contains_key(&id)
    }

    /// Changes a thing in place.
    pub fn change(&mut self, id: Id, how: impl FnOnce(&mut Thing)) {
        if let Some(thing) = self.things.get_mut(&id) {
            how(thing);
        }
    }

    /// The entries of a folder.
    pub fn children(&self, folder: Id) -> Vec<Id> {
        self.things.iter().filter(|(_, thing)| thing.parent == folder).map(|(id, _)| *id).collect()
    }

    /// What stands at a name, as this disk tells names apart.
    pub fn child(&self, folder: Id, name: &Name) -> Option<Id> {
        let key = self.fold.key(name);
        let found =
            self.things.iter().find(|(_, thing)| thing.parent == folder && self.fold.key(&thing.name) == key);
        found.map(|(id, _)| *id)
    }

    /// Answers whether `id` is `folder` or lies below it.
    pub fn is_within(&self, id: Id, folder: Id) -> bool {
        let mut at = id;
        loop {
            if at == folder {
                return true;
            }
            if at == TOP {
                return false;
            }
            at = self.things[&at].parent;
        }
    }

    /// Answers whether a scan sees it: neither it nor a folder above takes no part.
    pub fn is_seen(&self, id: Id) -> bool {
        let mut at = id;
        while at != TOP {
            let thing = &self.things[&at];
            if thing.unknown.is_some() {
                return false;
            }
            at = thing.parent;
        }
        true
    }

    /// A new inode, now and then one that was used before.
    fn inode(&mut self) -> u64 {
        self.free_inodes.pop().unwrap_or(100 + self.next)
    }

    /// Puts a new thing at a free name.
    pub fn create(&mut self, parent: Id, name: Name, leaf: Option<Leaf>) -> Id {
        let inode = self.inode();
        let id = self.next;
        self.next += 1;
        self.now += 1;
        let (birth, modified) = (self.now, self.now);
        self.things.insert(id, Thing { parent, name, leaf, unknown: None, inode, birth, modified });
        id
    }

    /// Removes a thing with all that is in it.
    pub fn remove(&mut self, id: Id) {
        for child in self.children(id) {
            self.remove(child);
        }
        self.forget(id);
    }

    fn forget(&mut self, id: Id) {
        if let Some(thing) = self.things.remove(&id)
            && self.now % 3 == 0
        {
            self.free_inodes.push(thing.inode);
        }
    }

    /// Gives a thing a new inode, as writing a new file in its place does.
    pub fn renew(&mut self, id: Id) {
        let inode = self.inode();
        self.next += 1;
        self.now += 1;
        let now = self.now;
        self.change(id, |thing| {
            thing.inode = inode;
            thing.birth = now;
        });
    }

    /// Gives a thing an inode that another one has, or had: a hard link, or a number used again.
    pub fn give_inode(&mut self, id: Id, key: Key) {
        self.change(id, |thing| thing.inode = key.inode);
    }

    /// Numbers everything anew, as a disk may that is mounted again: each number says something else now.
    pub fn renumber(&mut self) {
        let mut inodes: Vec<u64> = self.things.values().map(|thing| thing.inode).collect();
        for thing in self.things.values_mut() {
            thing.inode = inodes.pop().expect("because there is one for each");
        }
    }

    /// Finds a thing by path.
    pub fn find(&self, path: &TreePath) -> Option<Id> {
        path.names().try_fold(TOP, |folder, name| self.child(folder, &name))
    }

    /// Writes a content.
    pub fn write(&mut self, id: Id, leaf: Leaf) {
        self.now += 1;
        let now = self.now;
        self.change(id, |thing| {
            thing.leaf = Some(leaf);
            thing.modified = now;
        });
    }

    /// The key that a listing carries.
    pub fn key(&self, id: Id) -> Option<Key> {
        let thing = self.things.get(&id)?;
        let birth_ns = if self.births { thing.birth } else { 0 };
        self.keyed.then_some(Key { device: 1, inode: thing.inode, birth_ns })
    }

    /// Lists the disk, the folders in an order that `random` decides.
    pub fn list(&self, random: &mut Random) -> Listing {
        let mut by_folder: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for (id, thing) in &self.things {
            by_folder.entry(thing.parent).or_default().push(*id);
        }
        let mut builder = TreeBuilder::new(None);
        let mut things = vec![TOP];
        let mut open = vec![(Place::ROOT, TOP)];
        while !open.is_empty() {
            let (place, folder) = open.swap_remove(random.below(open.len()));
            let mut inside: Vec<Id> = by_folder.remove(&folder).unwrap_or_default();
            inside.sort_by(|a, b| self.things[a].name.cmp(&self.things[b].name));
            let entries = inside.iter().map(|&id| self.entry(id)).collect();
            for (place, id) in builder.fill(place, entries).zip(inside) {
                things.push(id);
                if self.things[&id].leaf.is_none() && self.things[&id].unknown.is_none() {
                    open.push((place, id));
                }
            }
        }
        Listing { tree: builder.finish(), things }
    }

    fn entry(&self, id: Id) -> NewEntry {
        let thing = &self.things[&id];
        let entry = match (&thing.unknown, thing.leaf) {
            (Some(unknown), _) => Entry::Unknown(unknown.clone()),
            (None, Some(leaf)) => Entry::Leaf(leaf),
            (None, None) => Entry::Folder,
        };
        let modified = thing.leaf.map(|_| Timestamp::from_ns(thing.modified));
        NewEntry { name: thing.name.clone(), entry, key: self.key(id), modified }
    }

    /// Carries out one side of a plan, all at once; answers what each node is now, and why it can't be done if it can't.
    /// What it places is as old as the sync, as a file that was copied is: both sides' clocks had come to `at` then.
    pub fn apply(
        &mut self,
        side: Side,
        plan: &Plan,
        seen: &Listing,
        at: i64,
    ) -> Result<BTreeMap<NodeId, Id>, String> {
        let mut ids: BTreeMap<NodeId, Id> =
            plan.places[side].iter().map(|(node, place)| (node, seen.things[place.0 as usize])).collect();
        ids.insert(NodeId::ROOT, TOP);
        for change in &plan.changes[side] {
            if change.before.is_some() != ids.contains_key(&change.node) {
                return Err(format!("{side:?}: {change:?} does not fit what stands there"));
            }
            if let (None, Some(after)) = (&change.before, &change.after) {
                let leaf = after.body.content().is_some().then(|| leaf_of(&after.body));
                let id = self.create(TOP, after.name.clone(), leaf.flatten());
                self.change(id, |thing| thing.modified = at);
                ids.insert(change.node, id);
            }
        }
        for change in &plan.changes[side] {
            let id = ids[&change.node];
            let Some(after) = &change.after else {
                self.forget(id);
                ids.remove(&change.node);
                continue;
            };
            let Some(&parent) = ids.get(&after.parent) else {
                return Err(format!("{side:?}: the folder of {change:?} is not there"));
            };
            self.change(id, |thing| {
                thing.parent = parent;
                thing.name = after.name.clone();
            });
            if change.before.as_ref().is_some_and(|before| before.body != after.body) {
                self.renew(id);
                self.change(id, |thing| {
                    thing.leaf = leaf_of(&after.body);
                    thing.modified = at;
                });
            }
        }
        self.verify().map_err(|why| format!("{side:?}: {why}"))?;
        Ok(ids)
    }

    /// Answers what is wrong with the disk, if anything: it must be a tree with one thing a name.
    pub fn verify(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for (id, thing) in &self.things {
            let folder = self.things.get(&thing.parent);
            if thing.parent != TOP && folder.is_none_or(|folder| folder.leaf.is_some()) {
                return Err(format!("{:?} stands in no folder", thing.name));
            }
            if !names.insert((thing.parent, self.fold.key(&thing.name).into_owned())) {
                return Err(format!("two things are called {:?}", thing.name));
            }
            let (mut at, mut steps) = (*id, 0);
            while at != TOP {
                at = self.things[&at].parent;
                steps += 1;
                if steps > self.things.len() {
                    return Err(format!("{:?} stands inside itself", thing.name));
                }
                if at != TOP && !self.things.contains_key(&at) {
                    return Err(format!("{:?} stands nowhere", thing.name));
                }
            }
        }
        Ok(())
    }

    /// The contents that a scan sees.
    pub fn contents(&self) -> BTreeSet<ContentId> {
        let seen = self.things.iter().filter(|(id, _)| self.is_seen(**id));
        seen.filter_map(|(_, thing)| thing.leaf.map(|leaf| leaf.content)).collect()
    }

    /// The path of a thing.
    pub fn path(&self, id: Id) -> TreePath {
        if id == TOP {
            return TreePath::root();
        }
        let thing = &self.things[&id];
        self.path(thing.parent).join(&thing.name)
    }
}

fn leaf_of(body: &crate::node::Body) -> Option<Leaf> {
    match body {
        crate::node::Body::Folder => None,
        crate::node::Body::Leaf(leaf) => Some(*leaf),
    }
}

/// A file with these bytes.
pub fn file(text: &str) -> Leaf {
    leaf(LeafKind::File, text)
}

/// A link to this target.
pub fn link(target: &str) -> Leaf {
    leaf(LeafKind::Link, target)
}

fn leaf(kind: LeafKind, text: &str) -> Leaf {
    Leaf { kind, content: ContentId::of(text.as_bytes()), size: text.len() as u64, exec: false }
}
