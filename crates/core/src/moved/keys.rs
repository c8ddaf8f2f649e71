//! Moves seen by key: the same inode at another path.

use super::{Detector, Seen, inode};
use crate::reconcile::hash::{Map, Set};
use crate::reconcile::value::{Idx, Val};
use crate::tree::{Key, Place};

type Inode = (u64, u64);

impl Detector<'_, '_> {
    /// Binds what stands elsewhere with the same key, folders first; marks what is seen only as something unknown.
    pub(super) fn bind_by_key(&mut self) {
        let standing = self.places_by_inode();
        if standing.is_empty() {
            return;
        }
        let familiar = self.familiar_inodes(&standing);
        for folders in [true, false] {
            for at in 0..self.left.len() {
                let node = self.left[at];
                let Some(view) = self.open_view(node) else { continue };
                let Some(key) = self.key_of(node) else { continue };
                let Some(places) = standing.get(&inode(key)) else { continue };
                if view.is_folder() != folders || self.was_saved_anew(node, &view, &familiar) {
                    continue;
                }
                // Of several hard links the first path is the node, the others are new.
                let found = places.iter().copied().find(|&place| self.is_proven(node, &view, key, place));
                if let Some(place) = found {
                    self.bind(node, place);
                    if folders {
                        self.zip(node, place);
                    }
                }
            }
        }
        self.mark_lost(&standing, &familiar);
    }

    fn places_by_inode(&self) -> Map<Inode, Vec<Place>> {
        let mut standing: Map<Inode, Vec<Place>> = Map::default();
        for &place in self.fresh.iter().chain(&self.unknown) {
            if let Some(key) = self.key_at(place) {
                standing.entry(inode(key)).or_default().push(place);
            }
        }
        standing
    }

    fn familiar_inodes(&self, standing: &Map<Inode, Vec<Place>>) -> Set<Inode> {
        (1..self.index.len() as Idx)
            .filter_map(|node| self.key_of(node).map(inode))
            .filter(|inode| standing.contains_key(inode))
            .collect()
    }

    /// A safe save: the old file was renamed aside and a new one written in its place. The node is what stands at its
    /// home, with an inode that nobody knew.
    fn was_saved_anew(&self, node: Idx, view: &Val<'_>, familiar: &Set<Inode>) -> bool {
        let Some(home) = self.home(node) else { return false };
        let Some(key) = self.key_at(home) else { return false };
        !view.is_folder()
            && self.leaf_at(home).is_some()
            && self.is_new(home)
            && !familiar.contains(&inode(key))
    }

    /// An inode may be used again: equal birth times prove that it is the same thing.
    fn is_proven(&self, node: Idx, view: &Val<'_>, key: &Key, place: Place) -> bool {
        let has_birth = |other: &Key| other.birth_ns == key.birth_ns;
        self.is_free(node, place) && self.same_class(view, place) && self.key_at(place).is_some_and(has_birth)
    }

    /// What shows only as something unknown elsewhere is lost from sight; unless it was saved anew, and what is out of
    /// sight is the editor's backup.
    fn mark_lost(&mut self, standing: &Map<Inode, Vec<Place>>, familiar: &Set<Inode>) {
        for at in 0..self.left.len() {
            let node = self.left[at];
            let Some(view) = self.open_view(node) else { continue };
            let Some(key) = self.key_of(node) else { continue };
            let Some(places) = standing.get(&inode(key)) else { continue };
            if self.was_saved_anew(node, &view, familiar) {
                continue;
            }
            let home = self.home(node);
            let is_unknown_elsewhere = |&place: &Place| {
                let is_unknown = matches!(self.tree.at(place).entry, crate::tree::Entry::Unknown(_));
                let has_birth = |other: &Key| other.birth_ns == key.birth_ns;
                is_unknown && self.key_at(place).is_some_and(has_birth) && Some(place) != home
            };
            if places.iter().any(is_unknown_elsewhere) {
                self.seen[node as usize] = Seen::Lost;
            }
        }
    }
}
