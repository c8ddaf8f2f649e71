//! Moves seen by content alone, where files took each other's places: rotations and chains.
//!
//! Only contents that are unique in the view and in the listing speak; anything else would be a guess.

use super::Detector;
use crate::content::ContentId;
use crate::reconcile::hash::{Map, Set};
use crate::reconcile::value::{Idx, Val};
use crate::tree::{Entry, LeafKind, Place};

type Content = (LeafKind, ContentId);

impl Detector<'_, '_> {
    pub(super) fn bind_chains(&mut self) {
        let goes = self.destinations();
        if goes.is_empty() {
            return;
        }
        let residents = self.residents();
        let next = |place: Place| residents.get(&place).copied();
        let mut pairs = Vec::new();
        let mut done: Set<Idx> = Set::default();
        for &node in &self.left {
            if goes.contains_key(&node) && !done.contains(&node) {
                pairs.extend(closed_cycle(node, &goes, next));
                done.extend(pairs.iter().map(|pair: &(Idx, Place)| pair.0));
            }
        }
        for &node in &self.left {
            if !done.contains(&node) && goes.contains_key(&node) && self.home_has_no_leaf(node) {
                self.follow_chain(node, &goes, next, &mut pairs);
            }
        }
        for (node, place) in pairs {
            if self.is_free(node, place) {
                self.bind(node, place);
            }
        }
    }

    /// Where the content of each leaf that is left over stands now.
    fn destinations(&self) -> Map<Idx, Place> {
        let mut counts: Map<Content, [u32; 2]> = Map::default();
        for &node in &self.left {
            if let Some(content) = self.open_view(node).as_ref().and_then(content_of) {
                counts.insert(content, [0, 0]);
            }
        }
        let mut stands: Map<Content, Place> = Map::default();
        for &place in &self.fresh {
            if let Some(leaf) = self.leaf_at(place)
                && counts.contains_key(&(leaf.kind, leaf.content))
            {
                stands.insert((leaf.kind, leaf.content), place);
            }
        }
        if stands.is_empty() {
            return Map::default();
        }
        counts.retain(|content, _| stands.contains_key(content));
        let contents =
            (1..self.index.len() as Idx).filter_map(|node| self.view(node).as_ref().and_then(content_of));
        for content in contents {
            counts.entry(content).and_modify(|count| count[0] += 1);
        }
        for place in self.tree.places() {
            if let Entry::Leaf(leaf) = &self.tree.at(place).entry {
                counts.entry((leaf.kind, leaf.content)).and_modify(|count| count[1] += 1);
            }
        }
        let unique = |node: &Idx| {
            let content = self.open_view(*node).as_ref().and_then(content_of)?;
            (counts.get(&content) == Some(&[1, 1])).then(|| (*node, stands[&content]))
        };
        self.left.iter().filter_map(unique).collect()
    }

    /// Whose home each entry is that holds a leaf now.
    fn residents(&self) -> Map<Place, Idx> {
        let resident = |node: &Idx| {
            let view = self.open_view(*node)?;
            let home = self.home(*node)?;
            (!view.is_folder() && self.leaf_at(home).is_some() && self.is_new(home)).then_some((home, *node))
        };
        self.left.iter().filter_map(resident).collect()
    }

    /// Something unknown at home freezes the node, so that no chain may start there.
    fn home_has_no_leaf(&self, node: Idx) -> bool {
        self.home(node).is_none_or(|home| self.is_folder_at(home))
    }

    fn follow_chain(
        &self,
        start: Idx,
        goes: &Map<Idx, Place>,
        next: impl Fn(Place) -> Option<Idx>,
        pairs: &mut Vec<(Idx, Place)>,
    ) {
        let mut at = Some(start);
        while let Some(node) = at
            && let Some(&place) = goes.get(&node)
            && let Some(view) = self.view(node)
            && self.is_strong(&view, place)
        {
            pairs.push((node, place));
            at = next(place);
        }
    }
}

/// Follows the contents from place to place until they come back to where they began; empty if they don't.
fn closed_cycle(
    start: Idx,
    goes: &Map<Idx, Place>,
    next: impl Fn(Place) -> Option<Idx>,
) -> Vec<(Idx, Place)> {
    let mut pairs = Vec::new();
    let mut node = start;
    while let Some(&place) = goes.get(&node) {
        pairs.push((node, place));
        match next(place) {
            Some(other) if other == start => return pairs,
            Some(other) if pairs.len() <= goes.len() => node = other,
            _ => break,
        }
    }
    Vec::new()
}

fn content_of(view: &Val<'_>) -> Option<Content> {
    let leaf = view.leaf?;
    (leaf.size > 0).then_some((leaf.kind, leaf.content))
}
