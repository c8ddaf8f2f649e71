//! Moves that somebody told: they are believed where a known thing is gone from its place and a new one stands at the
//! other.

use super::Detector;
use crate::path::TreePath;
use crate::reconcile::value::{Idx, NONE, ROOT};
use crate::renames::Renames;
use crate::tree::Entry;

impl Detector<'_, '_> {
    /// Binds what is gone to where it is told to be, folders before what stood in them.
    pub(super) fn bind_told(&mut self, told: &Renames) {
        // In order of the source: a folder stands before all that is in it.
        for one in told.all() {
            let Some(node) = self.node_at(&one.from) else { continue };
            let Some(place) = self.tree.find(&one.to) else { continue };
            let Some(view) = self.open_view(node) else { continue };
            if self.is_free(node, place) && self.same_class(&view, place) && self.is_gone(node) {
                self.bind(node, place);
                if view.is_folder() {
                    self.zip(node, place);
                }
            }
        }
    }

    /// The node that stood at a path when the last cycle ended.
    fn node_at(&self, path: &TreePath) -> Option<Idx> {
        path.names().try_fold(ROOT, |folder, name| {
            let children = self.children.of(folder);
            let at =
                children.binary_search_by(|&child| self.view(child).map(|view| view.name).cmp(&Some(&name)));
            at.ok().map(|at| children[at])
        })
    }

    /// Answers whether nothing stands at a node's home that could be it, in sight or out of it.
    fn is_gone(&self, node: Idx) -> bool {
        let Some(view) = self.view(node) else { return false };
        if self.place_of[view.parent as usize] == NONE {
            return self.is_gone(view.parent);
        }
        self.home(node).is_none_or(|home| {
            !matches!(self.tree.at(home).entry, Entry::Unknown(_)) && !self.same_class(&view, home)
        })
    }
}
