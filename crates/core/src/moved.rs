//! Which entry of a side's tree is which node: what was renamed, moved, replaced or is out of sight.
//!
//! Each step binds nodes to entries, each at most once; only what is left over goes on to the next. A node that is not
//! bound in the end was deleted there; an entry that is not bound is new. A missed match is a deletion and a creation:
//! exact when one side acts, at worst a duplicate when both do, never a loss.

mod chains;
mod keys;
mod told;
mod vanished;

use crate::mutant;
use crate::node::Side;
use crate::reconcile::index::{Children, Index};
use crate::reconcile::value::{Idx, NONE, ROOT, Val};
use crate::renames::Renames;
use crate::tree::{Entry, Key, Leaf, Place, Tree};

/// What detection found on one side.
pub(crate) struct Sight {
    /// The entry of each known node, `NONE` where it has none.
    pub(crate) place_of: Vec<u32>,
    /// The node of each entry, `NONE` where it is new or unknown.
    pub(crate) node_of: Vec<u32>,
    /// Nodes whose home now holds something unknown, and what stood inside.
    pub(crate) frozen: Vec<Idx>,
    /// Nodes that are known to exist under an unknown entry elsewhere, and what stood inside.
    pub(crate) lost: Vec<Idx>,
}

/// Tells which entry each known node is. What was `told` of a side with keys is not asked: the keys know.
pub(crate) fn detect(
    side: Side,
    index: &Index<'_>,
    children: &Children,
    tree: &Tree,
    told: &Renames,
) -> Sight {
    let mut detector = Detector::new(side, index, children, tree);
    detector.zip(ROOT, Place::ROOT);
    if detector.has_leftovers() {
        detector.collect();
        if detector.keyed {
            detector.bind_by_key();
        } else {
            detector.bind_told(told);
            detector.bind_chains();
        }
        detector.bind_home();
        detector.bind_vanished(true);
        detector.bind_vanished(false);
        detector.spread_lost();
    }
    detector.finish()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Open,
    Frozen,
    Lost,
}

struct Detector<'w, 'a> {
    side: Side,
    index: &'w Index<'a>,
    children: &'w Children,
    tree: &'w Tree,
    /// Whether this side tells entries apart by their keys.
    keyed: bool,
    place_of: Vec<u32>,
    node_of: Vec<u32>,
    bound: usize,
    /// Nodes of the view left over by the zip, parents first, by name; empty before [`Detector::collect`].
    left: Vec<Idx>,
    /// How each node is seen; empty before [`Detector::collect`].
    seen: Vec<Seen>,
    /// Entries left over by the zip that take part, in order of path.
    fresh: Vec<Place>,
    /// Entries that take no part, in order of path.
    unknown: Vec<Place>,
}

impl<'w, 'a> Detector<'w, 'a> {
    fn new(side: Side, index: &'w Index<'a>, children: &'w Children, tree: &'w Tree) -> Self {
        let mut place_of = vec![NONE; index.len()];
        let mut node_of = vec![NONE; tree.len()];
        place_of[ROOT as usize] = Place::ROOT.0;
        node_of[Place::ROOT.0 as usize] = ROOT;
        let keyed = tree.places().skip(1).any(|place| lasting(tree.at(place).key.as_ref()).is_some());
        Detector {
            side,
            index,
            children,
            tree,
            keyed,
            place_of,
            node_of,
            bound: 1,
            left: Vec::new(),
            seen: Vec::new(),
            fresh: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn finish(self) -> Sight {
        let of = |seen: Seen| self.left.iter().copied().filter(|&n| self.seen[n as usize] == seen).collect();
        let (frozen, lost) =
            if self.left.is_empty() { Default::default() } else { (of(Seen::Frozen), of(Seen::Lost)) };
        Sight { place_of: self.place_of, node_of: self.node_of, frozen, lost }
    }

    /// Binds, below a folder that is bound, what stands at the same path with the same identity.
    fn zip(&mut self, folder: Idx, place: Place) {
        let mut open = vec![(folder, place)];
        while let Some((folder, place)) = open.pop() {
            let mut kids = self.tree.children(place).peekable();
            for &node in self.children.of(folder) {
                let Some(view) = self.view(node) else { continue };
                while kids.next_if(|&kid| self.tree.at(kid).name < *view.name).is_some() {}
                let Some(&kid) = kids.peek() else { break };
                if self.tree.at(kid).name == *view.name && self.is_same(node, &view, kid) {
                    self.bind(node, kid);
                    if view.is_folder() {
                        open.push((node, kid));
                    }
                }
            }
        }
    }

    /// Same key and class at the same path; where one has no key, the same content must do.
    fn is_same(&self, node: Idx, view: &Val<'_>, place: Place) -> bool {
        if !self.is_free(node, place) || !self.same_class(view, place) {
            return false;
        }
        match (self.key_of(node), self.key_at(place)) {
            (Some(a), Some(b)) => inode(a) == inode(b) && a.birth_ns == b.birth_ns,
            _ => view.is_folder() || self.same_content(view, place),
        }
    }

    fn key_of(&self, node: Idx) -> Option<&'w Key> {
        lasting(self.index.key(self.side, node))
    }

    fn key_at(&self, place: Place) -> Option<&'w Key> {
        lasting(self.tree.at(place).key.as_ref())
    }

    fn has_leftovers(&self) -> bool {
        self.bound < self.index.len()
    }

    /// Lists what the zip left over.
    fn collect(&mut self) {
        self.seen = vec![Seen::Open; self.index.len()];
        // Below something lost or deleted a view may go on: such nodes are found by key alone.
        let cut_off = |node: &Idx| {
            let parent = self.view(*node).map_or(ROOT, |view| view.parent);
            parent != ROOT && self.view(parent).is_none()
        };
        let mut nodes = Vec::new();
        if self.index.any_held() {
            nodes.extend((1..self.index.len() as Idx).rev().filter(cut_off));
        }
        nodes.push(ROOT);
        while let Some(node) = nodes.pop() {
            if self.place_of[node as usize] == NONE {
                self.left.push(node);
            }
            nodes.extend(self.children.of(node).iter().rev());
        }
        let mut places = vec![Place::ROOT];
        while let Some(place) = places.pop() {
            if self.node_of[place.0 as usize] == NONE {
                match self.tree.at(place).entry {
                    Entry::Unknown(_) => self.unknown.push(place),
                    _ => self.fresh.push(place),
                }
            }
            places.extend(self.tree.children(place).rev());
        }
    }

    /// Binds each node to the entry of its class at its home, parents first; freezes it if that is unknown.
    fn bind_home(&mut self) {
        for at in 0..self.left.len() {
            let node = self.left[at];
            let Some(view) = self.open_view(node) else { continue };
            if self.seen[view.parent as usize] == Seen::Frozen {
                self.seen[node as usize] = Seen::Frozen;
                continue;
            }
            let Some(home) = self.home(node) else { continue };
            let is_unknown = matches!(self.tree.at(home).entry, Entry::Unknown(_));
            if is_unknown && !mutant::is_on("left-out-is-deleted") {
                self.seen[node as usize] = Seen::Frozen;
            } else if self.is_free(node, home) && self.same_class(&view, home) {
                self.bind(node, home);
                if view.is_folder() {
                    self.zip(node, home);
                }
            }
        }
    }

    /// What stood inside something lost from sight is lost with it.
    fn spread_lost(&mut self) {
        for at in 0..self.left.len() {
            let node = self.left[at];
            if let Some(view) = self.open_view(node)
                && self.seen[view.parent as usize] == Seen::Lost
            {
                self.seen[node as usize] = Seen::Lost;
            }
        }
    }

    /// The entry of a node's name under the entry that its parent is.
    fn home(&self, node: Idx) -> Option<Place> {
        let view = self.view(node)?;
        let folder = self.place_of[view.parent as usize];
        if folder == NONE {
            return None;
        }
        self.tree.child(Place(folder), view.name)
    }

    fn bind(&mut self, node: Idx, place: Place) {
        self.place_of[node as usize] = place.0;
        self.node_of[place.0 as usize] = node;
        self.bound += 1;
    }

    fn view(&self, node: Idx) -> Option<Val<'a>> {
        self.index.view(self.side, node)
    }

    /// The view of a node that is neither bound nor out of sight.
    fn open_view(&self, node: Idx) -> Option<Val<'a>> {
        if self.place_of[node as usize] != NONE || self.seen[node as usize] != Seen::Open {
            return None;
        }
        self.view(node)
    }

    fn is_free(&self, node: Idx, place: Place) -> bool {
        self.place_of[node as usize] == NONE && self.node_of[place.0 as usize] == NONE
    }

    fn is_new(&self, place: Place) -> bool {
        self.node_of[place.0 as usize] == NONE
    }

    fn leaf_at(&self, place: Place) -> Option<&'w Leaf> {
        match &self.tree.at(place).entry {
            Entry::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    fn is_folder_at(&self, place: Place) -> bool {
        matches!(self.tree.at(place).entry, Entry::Folder)
    }

    fn same_class(&self, view: &Val<'_>, place: Place) -> bool {
        match self.tree.at(place).entry {
            Entry::Folder => view.is_folder(),
            Entry::Leaf(_) => !view.is_folder(),
            Entry::Unknown(_) => false,
        }
    }

    fn same_content(&self, view: &Val<'_>, place: Place) -> bool {
        match (view.leaf, self.leaf_at(place)) {
            (Some(a), Some(b)) => a.kind == b.kind && a.content == b.content,
            _ => false,
        }
    }

    /// Equal content alone proves little for a tiny file, unless it kept its name or its folder.
    fn is_strong(&self, view: &Val<'_>, place: Place) -> bool {
        let entry = self.tree.at(place);
        view.leaf.is_some_and(|leaf| leaf.size >= 64)
            || *view.name == entry.name
            || self.place_of[view.parent as usize] == entry.parent.0
    }
}

/// A key that says what it is the key of. A disk that tells no births, such as one behind FUSE, may number everything anew
/// each time it is mounted: then a number is of this file today and was of that folder yesterday.
fn lasting(key: Option<&Key>) -> Option<&Key> {
    key.filter(|key| key.birth_ns != 0 || mutant::is_on("numbers-always-last"))
}

fn inode(key: &Key) -> (u64, u64) {
    (key.device, key.inode)
}
