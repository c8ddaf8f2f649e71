//! The remote's side as a tree: what its snapshot lists, as far as it takes part here.

use std::collections::{BTreeMap, VecDeque};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::filter::{Decision, FolderRules, IgnoreFiles};
use instep_core::node::{Body, Known, NodeId, Side};
use instep_core::path::{DEPTH_MAX, Name, TreePath};
use instep_core::remote::{Listed, ListedKind, ObjectId, Snapshot};
use instep_core::tree::{Entry, Leaf, LeafKind, NewEntry, Place, Tree, TreeBuilder, Unknown};

use super::rules::{Invalid, SETTINGS};
use super::settings::SyncSettings;
use crate::folder::Abilities;

/// The remote's tree, and which entry of the snapshot each place is.
#[derive(Debug, Clone)]
pub struct Far {
    /// The tree.
    pub tree: Tree,
    /// For each place the index in the snapshot; `None` for the root, and for folders that a commit of other programs
    /// could not speak of.
    pub listed: Vec<Option<u32>>,
}

/// What is needed to tell what of a snapshot takes part here.
pub struct View<'a> {
    /// What the remote lists; `None` if there is nothing yet.
    pub snapshot: Option<&'a Snapshot>,
    /// What is remembered.
    pub known: &'a Known,
    /// The rules.
    pub settings: &'a SyncSettings,
    /// The ignore files of this folder, which are settled before.
    pub ignore: &'a IgnoreFiles,
    /// What the folder here holds.
    pub local: &'a Tree,
    /// What the disk here can hold.
    pub abilities: Abilities,
    /// The targets of the links that the remote holds.
    pub targets: &'a BTreeMap<ContentId, Vec<u8>>,
    /// What is wrong with the shared settings that the remote holds.
    pub invalid: Option<&'a Invalid>,
}

/// The contents behind the remote's names.
pub type Objects = BTreeMap<ObjectId, (ContentId, u64)>;

/// A tree, and what is missing to make it whole.
pub struct Built {
    /// The tree; a file whose content nobody here knows yet stands in it as unreadable.
    pub far: Far,
    /// The remote's names of those contents, and whether a file or a link has it; each once.
    pub missing: Vec<(ObjectId, LeafKind)>,
}

impl View<'_> {
    /// Builds the tree from what is known of contents.
    pub fn build(&self, objects: &Objects) -> Built {
        let children = children_of(self.snapshot);
        let remembered = Remembered::new(self.known);
        let mut builder = TreeBuilder::new(None);
        let mut listed = vec![None];
        let mut missing = Vec::new();
        let mut queue = VecDeque::from([(Place::ROOT, self.root())]);
        while let Some((place, folder)) = queue.pop_front() {
            let mut found = self.entries_of(&folder, &children, &remembered, objects, &mut missing);
            found.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
            listed.extend(found.iter().map(|one| one.index));
            let (entries, below): (Vec<NewEntry>, Vec<Option<Visit>>) =
                found.into_iter().map(|one| (one.entry, one.below)).unzip();
            for (place, below) in builder.fill(place, entries).zip(below) {
                if let Some(visit) = below {
                    queue.push_back((place, visit));
                }
            }
        }
        missing.sort_unstable();
        missing.dedup();
        Built { far: Far { tree: builder.finish(), listed }, missing }
    }

    fn root(&self) -> Visit {
        let rules = self.rules_at(None, &TreePath::root());
        let path = TreePath::root();
        Visit { index: Listing::Root, path, local: Some(Place::ROOT), node: Some(NodeId::ROOT), rules }
    }

    fn entries_of(
        &self,
        folder: &Visit,
        children: &Children,
        remembered: &Remembered<'_>,
        objects: &Objects,
        missing: &mut Vec<(ObjectId, LeafKind)>,
    ) -> Vec<Found> {
        let items = self.snapshot.map_or(&[][..], |snapshot| &snapshot.entries);
        let mut found = Vec::new();
        for &index in children.get(&folder.index).map_or(&[][..], Vec::as_slice) {
            let item = &items[index as usize];
            let mut next = self.step(folder, &item.name, Listing::At(index), remembered);
            let entry = self.entry(item, folder, &next, objects, missing);
            let below = (entry == Entry::Folder).then(|| {
                next.rules = self.rules_at(Some((&folder.rules, &item.name)), &next.path);
                next
            });
            let modified = match entry {
                Entry::Leaf(_) => self.modified(&folder.path.join(&item.name)),
                _ => None,
            };
            let entry = NewEntry { name: item.name.clone(), entry, key: None, modified };
            found.push(Found { index: Some(index), entry, below });
        }
        self.add_unspoken(folder, remembered, &mut found);
        found
    }

    /// Adds the folders without files that the remote held before, and of which its present head can't speak.
    fn add_unspoken(&self, folder: &Visit, remembered: &Remembered<'_>, found: &mut Vec<Found>) {
        let silent = self.snapshot.is_some_and(|snapshot| !snapshot.stamp.speaks_of_folders);
        let Some(node) = folder.node.filter(|_| silent) else { return };
        for (name, child) in remembered.children(node) {
            if found.iter().any(|one| one.entry.name == *name) || !remembered.is_folder_without_files(child) {
                continue;
            }
            let mut next = self.step(folder, name, Listing::Nowhere, remembered);
            next.rules = self.rules_at(Some((&folder.rules, name)), &next.path);
            let entry = NewEntry { name: name.clone(), entry: Entry::Folder, key: None, modified: None };
            found.push(Found { index: None, entry, below: Some(next) });
        }
    }

    fn step(&self, folder: &Visit, name: &Name, index: Listing, remembered: &Remembered<'_>) -> Visit {
        Visit {
            index,
            path: folder.path.join(name),
            local: folder.local.and_then(|place| self.local.child(place, name)),
            node: folder.node.and_then(|node| remembered.child(node, name)),
            rules: folder.rules.clone(),
        }
    }

    fn rules_at(&self, parent: Option<(&FolderRules, &Name)>, path: &TreePath) -> FolderRules {
        match parent {
            Some((rules, name)) => rules.enter(name, self.ignore.of(path)),
            None => self.settings.filter.root(self.ignore.of(path)),
        }
    }

    fn modified(&self, path: &TreePath) -> Option<Timestamp> {
        let snapshot = self.snapshot?;
        Some(snapshot.times.get(path).copied().unwrap_or(snapshot.stamp.time))
    }

    /// What an entry of the snapshot is to us.
    fn entry(
        &self,
        item: &Listed,
        folder: &Visit,
        next: &Visit,
        objects: &Objects,
        missing: &mut Vec<(ObjectId, LeafKind)>,
    ) -> Entry {
        let is_folder = item.kind == ListedKind::Folder;
        if let Some(unknown) = self.left_out(&item.name, is_folder, folder, next) {
            return Entry::Unknown(unknown);
        }
        if let Some(unknown) = self.unfit(&item.name, next) {
            return Entry::Unknown(unknown);
        }
        if let Some(invalid) = self.invalid.filter(|_| next.path.as_bytes() == SETTINGS.as_bytes()) {
            return Entry::Unknown(invalid.entry());
        }
        match &item.kind {
            ListedKind::Folder => Entry::Folder,
            ListedKind::Unfit { code, why } => Entry::Unknown(Unknown::Unfit { code, why: why.clone() }),
            ListedKind::Leaf { kind, exec } => match objects.get(&item.object) {
                Some((content, _)) if *kind == LeafKind::Link && !self.targets.contains_key(content) => {
                    missing.push((item.object, *kind));
                    Entry::Unknown(Unknown::Unreadable("its target could not be fetched".to_owned()))
                }
                Some((content, _)) if *kind == LeafKind::Link && !self.carries(*content, &next.path) => {
                    Entry::Unknown(Unknown::LinkOutside)
                }
                Some((content, size)) if self.fits(*kind, *size) => {
                    Entry::Leaf(Leaf { kind: *kind, content: *content, size: *size, exec: *exec })
                }
                Some((_, size)) => Entry::Unknown(self.too_large(*size)),
                None => {
                    missing.push((item.object, *kind));
                    Entry::Unknown(Unknown::Unreadable("its content could not be fetched".to_owned()))
                }
            },
        }
    }

    fn carries(&self, content: ContentId, path: &TreePath) -> bool {
        let target = self.targets.get(&content).map(Vec::as_slice);
        target.is_some_and(|target| self.settings.links.carries(target, path.depth().saturating_sub(1)))
    }

    fn fits(&self, kind: LeafKind, size: u64) -> bool {
        kind == LeafKind::Link || self.settings.file_bytes_max.is_none_or(|max| size <= max)
    }

    fn too_large(&self, size: u64) -> Unknown {
        let max = self.settings.file_bytes_max.unwrap_or(u64::MAX);
        Unknown::Unfit { code: "E-SIZE", why: format!("{size} bytes is above max_file_size, {max} bytes") }
    }

    /// What the disk here can't hold.
    fn unfit(&self, name: &Name, next: &Visit) -> Option<Unknown> {
        if let Some((code, why)) = name.leads_elsewhere_on_windows() {
            return Some(Unknown::Unfit { code, why: why.to_owned() });
        }
        let (length, max) = (name.as_bytes().len(), self.abilities.name_bytes_max);
        if length > max {
            let why = format!("the name is {length} bytes, this disk allows {max}");
            return Some(Unknown::Unfit { code: "E-PATH-LONG", why });
        }
        if next.path.depth() > DEPTH_MAX {
            let why = format!("it lies more than {} folders deep", DEPTH_MAX);
            return Some(Unknown::Unfit { code: "E-PATH-DEEP", why });
        }
        None
    }

    /// The rules that leave an entry out. What only this machine leaves out is not brought here; but where something
    /// unknown stands here under a name that is new there, both are told.
    fn left_out(&self, name: &Name, is_folder: bool, folder: &Visit, next: &Visit) -> Option<Unknown> {
        match folder.rules.decide(name, is_folder) {
            Decision::Included | Decision::Passage => None,
            Decision::Reserved => Some(Unknown::Reserved),
            Decision::Excluded { by, here_only: false } => Some(Unknown::Excluded(by.to_string())),
            Decision::Excluded { by, here_only: true } => {
                let stands_here =
                    next.local.is_some_and(|place| matches!(self.local.at(place).entry, Entry::Unknown(_)));
                (next.node.is_some() || !stands_here).then(|| Unknown::ExcludedHere(by.to_string()))
            }
        }
    }
}

/// The remote's tree as the last cycle left it: what is remembered of it.
pub fn as_known(known: &Known) -> Tree {
    let remembered = Remembered::new(known);
    let mut builder = TreeBuilder::new(None);
    let mut queue = VecDeque::from([(Place::ROOT, NodeId::ROOT)]);
    while let Some((place, folder)) = queue.pop_front() {
        let (names, children): (Vec<&Name>, Vec<(NodeId, &Body)>) = remembered.children(folder).unzip();
        let entry = |body: &Body| match body {
            Body::Folder => Entry::Folder,
            Body::Leaf(leaf) => Entry::Leaf(*leaf),
        };
        let entries = names.into_iter().zip(&children).map(|(name, (_, body))| NewEntry {
            name: name.clone(),
            entry: entry(body),
            key: None,
            modified: None,
        });
        for (place, (node, body)) in builder.fill(place, entries.collect()).zip(children) {
            if *body == Body::Folder {
                queue.push_back((place, node));
            }
        }
    }
    builder.finish()
}

type Children = BTreeMap<Listing, Vec<u32>>;

/// Which entry of the snapshot a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Listing {
    Root,
    At(u32),
    Nowhere,
}

/// One entry of a folder, as it was found.
struct Found {
    index: Option<u32>,
    entry: NewEntry,
    below: Option<Visit>,
}

/// One folder on the way.
struct Visit {
    index: Listing,
    path: TreePath,
    local: Option<Place>,
    node: Option<NodeId>,
    rules: FolderRules,
}

/// What the remote held when the last cycle ended, by folder and name.
struct Remembered<'a> {
    folders: BTreeMap<NodeId, BTreeMap<&'a Name, (NodeId, &'a Body)>>,
}

impl<'a> Remembered<'a> {
    fn new(known: &'a Known) -> Self {
        let mut folders: BTreeMap<NodeId, BTreeMap<&'a Name, (NodeId, &'a Body)>> = BTreeMap::new();
        for row in known.rows() {
            if let Some(value) = row.views.side(Side::Remote) {
                folders.entry(value.parent).or_default().insert(&value.name, (row.id, &value.body));
            }
        }
        Remembered { folders }
    }

    fn child(&self, folder: NodeId, name: &Name) -> Option<NodeId> {
        self.folders.get(&folder)?.get(name).map(|found| found.0)
    }

    fn children(&self, folder: NodeId) -> impl Iterator<Item = (&'a Name, (NodeId, &'a Body))> + '_ {
        self.folders.get(&folder).into_iter().flatten().map(|(name, found)| (*name, *found))
    }

    fn is_folder_without_files(&self, (node, body): (NodeId, &Body)) -> bool {
        *body == Body::Folder && self.children(node).all(|(_, child)| self.is_folder_without_files(child))
    }
}

fn children_of(snapshot: Option<&Snapshot>) -> Children {
    let mut children = Children::new();
    for (index, item) in snapshot.iter().flat_map(|snapshot| snapshot.entries.iter().enumerate()) {
        children.entry(item.parent.map_or(Listing::Root, Listing::At)).or_default().push(index as u32);
    }
    children
}
