//! What vanished against what is new: equal folders, equal leaves, and folders whose children moved on together.

use std::hash::Hash;

use super::Detector;
use crate::content::{ContentHasher, ContentId};
use crate::reconcile::hash::Map;
use crate::reconcile::value::{Idx, NONE, ROOT};
use crate::tree::{Entry, Leaf, LeafKind, Place};

impl Detector<'_, '_> {
    /// Binds what has exactly one counterpart, from the surest sign to the weakest.
    pub(super) fn bind_vanished(&mut self, with_hashes: bool) {
        if self.fresh.iter().all(|&place| !self.is_new(place)) {
            return;
        }
        let is_folder = |&node: &Idx| self.open_view(node).is_some_and(|view| view.is_folder());
        if with_hashes && self.left.iter().any(is_folder) {
            let (mut nodes, mut places) = (Hashes::default(), Hashes::default());
            let pairs = self.unique_pairs(
                |at, node| at.is_folder_node(node).then(|| nodes.of_node(at, node)).flatten(),
                |at, place| at.is_folder_at(place).then(|| places.of_place(at, place)).flatten(),
            );
            self.bind_pairs(pairs);
        }
        let pairs = self.unique_pairs(
            |at, node| {
                let view = at.view(node)?;
                (view.is_folder() && at.children.of(node).is_empty()).then(|| view.name.clone())
            },
            |at, place| {
                let empty = at.is_folder_at(place) && at.tree.children(place).len() == 0;
                empty.then(|| at.tree.at(place).name.clone())
            },
        );
        self.bind_pairs(pairs);
        let pairs = self.unique_pairs(
            |at, node| Some((at.content_of_node(node)?, at.view(node)?.name.clone())),
            |at, place| Some((at.content_at(place)?, at.tree.at(place).name.clone())),
        );
        self.bind_pairs(pairs);
        let mut pairs =
            self.unique_pairs(|at, node| at.content_of_node(node), |at, place| at.content_at(place));
        pairs.retain(|&(node, place)| self.view(node).is_some_and(|view| self.is_strong(&view, place)));
        self.bind_pairs(pairs);
        self.bind_by_votes();
        self.bind_home();
    }

    fn bind_pairs(&mut self, pairs: Vec<(Idx, Place)>) {
        let mut with_folders = false;
        for (node, place) in pairs {
            if self.is_free(node, place) {
                self.bind(node, place);
                if self.is_folder_at(place) {
                    with_folders = true;
                    self.zip(node, place);
                }
            }
        }
        if with_folders {
            self.bind_home();
        }
    }

    /// Pairs each node with the entry of the same sign, where both are the only ones of it among the leftovers.
    fn unique_pairs<K: Hash + Eq>(
        &self,
        mut of_node: impl FnMut(&Self, Idx) -> Option<K>,
        mut of_place: impl FnMut(&Self, Place) -> Option<K>,
    ) -> Vec<(Idx, Place)> {
        let mut places: Map<K, (u32, Place)> = Map::default();
        for &place in self.fresh.iter().filter(|&&place| self.is_new(place)) {
            if let Some(sign) = of_place(self, place) {
                places.entry(sign).or_insert((0, place)).0 += 1;
            }
        }
        if places.is_empty() {
            return Vec::new();
        }
        let mut nodes: Map<K, u32> = Map::default();
        let mut pairs = Vec::new();
        for &node in &self.left {
            if self.open_view(node).is_none() {
                continue;
            }
            let Some(sign) = of_node(self, node) else { continue };
            if let Some(&(1, place)) = places.get(&sign) {
                let count = nodes.entry(sign).or_insert(0);
                *count += 1;
                pairs.push((node, place));
            }
        }
        let mut taken: Map<Place, u32> = Map::default();
        for &(_, place) in &pairs {
            *taken.entry(place).or_insert(0) += 1;
        }
        pairs.retain(|(_, place)| taken[place] == 1);
        pairs
    }

    /// A folder of which more than half of the children that are found again stand in one new folder is that folder.
    fn bind_by_votes(&mut self) {
        let mut folders: Vec<(usize, Idx)> = Vec::new();
        for &node in &self.left {
            if self.open_view(node).is_some_and(|view| view.is_folder()) {
                folders.push((self.depth(node), node));
            }
        }
        folders.sort_by_key(|&(depth, _)| std::cmp::Reverse(depth));
        for level in folders.chunk_by(|a, b| a.0 == b.0) {
            let mut winners: Vec<(bool, Idx, Place)> = Vec::new();
            for &(_, node) in level {
                if let Some(place) = self.winner(node) {
                    let renamed = self.view(node).is_none_or(|v| *v.name != self.tree.at(place).name);
                    winners.push((renamed, node, place));
                }
            }
            // Stable: where the names tell nothing, the order of the view's paths decides.
            winners.sort_by_key(|winner| winner.0);
            for (_, node, place) in winners {
                if self.is_free(node, place) {
                    self.bind(node, place);
                }
            }
        }
        for (_, node) in folders {
            let place = self.place_of[node as usize];
            if place != NONE {
                self.zip(node, Place(place));
            }
        }
    }

    fn winner(&self, node: Idx) -> Option<Place> {
        let mut votes: Vec<Place> = Vec::new();
        for &child in self.children.of(node) {
            let place = self.place_of[child as usize];
            if place != NONE {
                votes.push(self.tree.at(Place(place)).parent);
            }
        }
        votes.sort_unstable();
        let most = votes.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len())?;
        let place = most[0];
        (2 * most.len() > votes.len() && place != Place::ROOT && self.is_new(place)).then_some(place)
    }

    fn depth(&self, node: Idx) -> usize {
        let mut depth = 0;
        let mut at = node;
        while let Some(view) = self.view(at) {
            depth += 1;
            at = view.parent;
            if at == ROOT || depth > self.index.len() {
                break;
            }
        }
        depth
    }

    fn is_folder_node(&self, node: Idx) -> bool {
        self.view(node).is_some_and(|view| view.is_folder())
    }

    /// Empty files are all alike: they never match by content.
    fn content_of_node(&self, node: Idx) -> Option<(LeafKind, ContentId)> {
        let leaf = self.view(node)?.leaf?;
        (leaf.size > 0).then_some((leaf.kind, leaf.content))
    }

    fn content_at(&self, place: Place) -> Option<(LeafKind, ContentId)> {
        let leaf = self.leaf_at(place)?;
        (leaf.size > 0).then_some((leaf.kind, leaf.content))
    }
}

/// One hash for all that a folder holds; `None` for an empty one.
#[derive(Default)]
struct Hashes {
    /// By number of node or place.
    done: Map<u32, Option<ContentId>>,
}

impl Hashes {
    fn of_node(&mut self, at: &Detector<'_, '_>, node: Idx) -> Option<ContentId> {
        if let Some(hash) = self.done.get(&node) {
            return *hash;
        }
        let mut sum = Sum::default();
        for &child in at.children.of(node) {
            let Some(view) = at.view(child) else { continue };
            match view.leaf {
                Some(leaf) => sum.add_leaf(view.name.as_bytes(), leaf),
                None => sum.add_folder(view.name.as_bytes(), self.of_node(at, child)),
            }
        }
        let hash = sum.finish();
        self.done.insert(node, hash);
        hash
    }

    fn of_place(&mut self, at: &Detector<'_, '_>, place: Place) -> Option<ContentId> {
        if let Some(hash) = self.done.get(&place.0) {
            return *hash;
        }
        let mut sum = Sum::default();
        for child in at.tree.children(place) {
            let entry = at.tree.at(child);
            match &entry.entry {
                Entry::Leaf(leaf) => sum.add_leaf(entry.name.as_bytes(), leaf),
                Entry::Folder => sum.add_folder(entry.name.as_bytes(), self.of_place(at, child)),
                Entry::Unknown(_) => {}
            }
        }
        let hash = sum.finish();
        self.done.insert(place.0, hash);
        hash
    }
}

#[derive(Default)]
struct Sum {
    hasher: ContentHasher,
    any: bool,
}

impl Sum {
    fn add(&mut self, tag: u8, name: &[u8], content: &[u8]) {
        self.any = true;
        self.hasher.update(&[tag]);
        self.hasher.update(&(name.len() as u32).to_le_bytes());
        self.hasher.update(name);
        self.hasher.update(content);
    }

    fn add_leaf(&mut self, name: &[u8], leaf: &Leaf) {
        let tag = match leaf.kind {
            LeafKind::File => 1,
            LeafKind::Link => 2,
        };
        self.add(tag + 2 * u8::from(leaf.exec), name, leaf.content.as_bytes());
    }

    fn add_folder(&mut self, name: &[u8], hash: Option<ContentId>) {
        self.add(0, name, hash.as_ref().map_or(&[0; 32], ContentId::as_bytes).as_slice());
    }

    fn finish(self) -> Option<ContentId> {
        self.any.then(|| self.hasher.finish())
    }
}
