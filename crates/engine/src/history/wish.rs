//! Changes that a person wants in one tree, apart from any plan: restore, undo and resolve speak in paths, and this turns
//! them into changes that apply, or a draft, can carry out.
//!
//! The nodes here are the tree's places by number; they mean nothing elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::node::{Body, NodeId, Value};
use instep_core::operation::{Held, HeldKind};
use instep_core::path::{Name, TreePath};
use instep_core::plan::{Change, Places};
use instep_core::tree::{Entry, Leaf, LeafKind, Place, Tree};

/// The changes wanted in a tree.
pub struct Wishes<'t> {
    tree: &'t Tree,
    changes: BTreeMap<NodeId, Change>,
    /// The folders that come to a path: new ones, and those that stood elsewhere.
    coming: BTreeMap<TreePath, NodeId>,
    next: u64,
}

/// The node that a place is, here.
pub fn node(place: Place) -> NodeId {
    NodeId(u64::from(place.0))
}

/// Which entry each node is.
pub fn places(tree: &Tree) -> Places {
    Places::new(tree.places().skip(1).map(|place| (node(place), place)).collect())
}

/// What an entry holds, as the history words it; `None` for what takes no part.
pub fn held(entry: &Entry) -> Option<Held> {
    match entry {
        Entry::Folder => Some(Held::from(&Body::Folder)),
        Entry::Leaf(leaf) => Some(Held::from(&Body::Leaf(*leaf))),
        Entry::Unknown(_) => None,
    }
}

/// What the history worded, as a body.
pub fn body(held: &Held) -> Option<Body> {
    let kind = match held.kind {
        HeldKind::Folder => return Some(Body::Folder),
        HeldKind::File => LeafKind::File,
        HeldKind::Link => LeafKind::Link,
    };
    Some(Body::Leaf(Leaf { kind, content: held.content?, size: held.size, exec: held.exec }))
}

impl<'t> Wishes<'t> {
    /// Starts with none.
    pub fn new(tree: &'t Tree) -> Self {
        Wishes { tree, changes: BTreeMap::new(), coming: BTreeMap::new(), next: tree.len() as u64 }
    }

    /// What a path holds now: nothing, something that takes part, or something unknown.
    pub fn at(&self, path: &TreePath) -> Option<&'t Entry> {
        self.tree.find(path).map(|place| &self.tree.at(place).entry)
    }

    fn value(&self, place: Place) -> Option<Value> {
        let entry = self.tree.at(place);
        let body = match &entry.entry {
            Entry::Folder => Body::Folder,
            Entry::Leaf(leaf) => Body::Leaf(*leaf),
            Entry::Unknown(_) => return None,
        };
        Some(Value { parent: node(entry.parent), name: entry.name.clone(), body })
    }

    /// The change of a thing that stands in the tree; at first one that changes nothing.
    fn change_of(&mut self, place: Place) -> Option<&mut Change> {
        let value = self.value(place)?;
        let path = self.tree.path(place);
        let id = node(place);
        Some(self.changes.entry(id).or_insert_with(|| Change {
            node: id,
            before: Some(value.clone()),
            after: Some(value),
            from: Some(path.clone()),
            to: Some(path),
        }))
    }

    /// The folder at a path, made with all above it where it is missing. `None` if something else stands in the way.
    fn folder(&mut self, path: &TreePath) -> Option<NodeId> {
        if path.is_root() {
            return Some(NodeId::ROOT);
        }
        if let Some(coming) = self.coming.get(path) {
            return Some(*coming);
        }
        // What stands there may leave for another path, and what is in it stays in it.
        if let Some(place) = self.tree.find(path).filter(|_| !self.is_vacated(path)) {
            let id = node(place);
            let stays = self.changes.get(&id).is_none_or(|change| change.after.is_some());
            return (self.tree.at(place).entry == Entry::Folder && stays).then_some(id);
        }
        self.create(path, Body::Folder)
    }

    fn create(&mut self, path: &TreePath, body: Body) -> Option<NodeId> {
        let parent = self.folder(&path.parent()?)?;
        let id = NodeId(self.next);
        self.next += 1;
        let after = Some(Value { parent, name: path.name()?, body });
        if body == Body::Folder {
            self.coming.insert(path.clone(), id);
        }
        self.changes.insert(id, Change { node: id, before: None, after, from: None, to: Some(path.clone()) });
        Some(id)
    }

    /// Wants a path to hold something. Answers false if what stands there, or above, is in the way.
    pub fn put(&mut self, path: &TreePath, wanted: &Held) -> bool {
        let Some(body) = body(wanted) else { return false };
        let Some(place) = self.tree.find(path) else { return self.bring(path, wanted) };
        match self.change_of(place) {
            Some(change) => match &mut change.after {
                Some(after) if after.body.same_class(&body) => {
                    after.body = body;
                    true
                }
                // It is to go, and something of another kind is to come.
                None => self.bring(path, wanted),
                Some(_) => false,
            },
            None => false,
        }
    }

    /// Answers whether a path is to hold something else than it does.
    pub fn is_changed(&self, path: &TreePath) -> bool {
        let change = self.tree.find(path).and_then(|place| self.changes.get(&node(place)));
        change.is_some_and(|change| change.before != change.after)
    }

    /// Answers whether what stands at a path is to stand at another.
    pub fn is_vacated(&self, path: &TreePath) -> bool {
        let change = self.tree.find(path).and_then(|place| self.changes.get(&node(place)));
        change.is_some_and(|change| change.to.as_ref().is_some_and(|to| to != path))
    }

    /// Wants something new at a path that is free, or becomes it.
    pub fn bring(&mut self, path: &TreePath, wanted: &Held) -> bool {
        let Some(body) = body(wanted) else { return false };
        let is_coming = body == Body::Folder && self.coming.contains_key(path);
        is_coming || self.create(path, body).is_some()
    }

    /// Wants a path to hold nothing.
    pub fn remove(&mut self, path: &TreePath) -> bool {
        let Some(place) = self.tree.find(path) else { return true };
        match self.change_of(place) {
            Some(change) => {
                change.after = None;
                change.to = None;
                true
            }
            None => false,
        }
    }

    /// Wants what stands at a path to stand at another.
    pub fn relocate(&mut self, from: &TreePath, to: &TreePath) -> bool {
        let (Some(place), Some(parent), Some(name)) = (self.tree.find(from), to.parent(), to.name()) else {
            return false;
        };
        match self.change_of(place) {
            // It leaves first: the folder that it goes back into may have stood where it stands.
            Some(Change { after: Some(_), to: target, .. }) => *target = Some(to.clone()),
            _ => return false,
        }
        let parent = self.folder(&parent);
        match (self.change_of(place), parent) {
            (Some(Change { after: Some(after), .. }), Some(parent)) => {
                after.parent = parent;
                after.name = name;
                if after.body == Body::Folder {
                    self.coming.insert(to.clone(), node(place));
                }
                true
            }
            (Some(change), None) => {
                change.to = Some(from.clone());
                false
            }
            _ => false,
        }
    }

    /// Gives up the wishes that would not leave a tree: two things of one name, something in a folder that goes, a folder
    /// in itself. Answers their paths. Without any wish the tree is sound, so this ends.
    pub fn give_up_unsound(&mut self) -> Vec<TreePath> {
        let mut given_up = Vec::new();
        loop {
            let unsound = self.unsound();
            if unsound.is_empty() {
                return given_up;
            }
            let gone = unsound.into_iter().filter_map(|id| self.changes.remove(&id));
            // It is named as it stands now.
            given_up.extend(gone.filter_map(|change| change.from.or(change.to)));
        }
    }

    /// The wishes that take part in something unsound.
    fn unsound(&self) -> BTreeSet<NodeId> {
        let mut stands: BTreeMap<NodeId, (NodeId, Name)> = BTreeMap::new();
        for place in self.tree.places().skip(1) {
            let entry = self.tree.at(place);
            stands.insert(node(place), (node(entry.parent), entry.name.clone()));
        }
        for (id, change) in &self.changes {
            match &change.after {
                Some(after) => drop(stands.insert(*id, (after.parent, after.name.clone()))),
                None => drop(stands.remove(id)),
            }
        }
        let mut unsound = BTreeSet::new();
        let mut names: BTreeMap<&(NodeId, Name), NodeId> = BTreeMap::new();
        for (id, stand) in &stands {
            if let Some(other) = names.insert(stand, *id) {
                unsound.extend([*id, other]);
            }
            let parent = stand.0;
            if parent != NodeId::ROOT && !stands.contains_key(&parent) {
                unsound.extend([*id, parent]);
            }
        }
        for id in self.changes.keys().filter(|id| stands.contains_key(id)) {
            let above = std::iter::successors(Some(*id), |at| stands.get(at).map(|stand| stand.0));
            let path: Vec<NodeId> = above.take(stands.len() + 2).collect();
            if path.len() > stands.len() + 1 {
                unsound.extend(path);
            }
        }
        unsound.retain(|id| self.changes.contains_key(id));
        unsound
    }

    /// All changes that change something.
    pub fn finish(self) -> Vec<Change> {
        let changes = self.changes.into_values();
        let mut changes: Vec<Change> = changes.filter(|change| change.before != change.after).collect();
        changes.sort_by(|a, b| a.path().cmp(b.path()));
        changes
    }
}
