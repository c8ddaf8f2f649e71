//! The remote's side as a tree: what its snapshot lists, as far as it takes part here.

use std::collections::{BTreeMap, HashMap, VecDeque};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::filter::{Decision, FolderRules, IgnoreFiles};
use instep_core::node::{Body, Known, NodeId, Side};
use instep_core::path::{DEPTH_MAX, Name, TreePath};
use instep_core::remote::{Listed, ListedKind, ObjectId, Snapshot};
use instep_core::tree::{Entry, Leaf, LeafKind, NewEntry, Place, Tree, TreeBuilder, Unknown};

use super::outcome::OpenConflict;
use super::rules::{Invalid, SETTINGS};
use super::settings::SyncSettings;
use crate::folder::Abilities;
use crate::scan::NOTHING_INSIDE;

/// The remote's tree, and which entry of the snapshot each place is.
#[derive(Debug, Clone)]
pub struct Far {
    /// The tree.
    pub tree: Tree,
    /// For each place the index in the snapshot; `None` for the root, and for folders that a commit of other programs
    /// could not speak of.
    pub listed: Vec<Option<u32>>,
}

impl Far {
    /// The entries of the snapshot that are folders in which nothing takes part, of these, each with the reason. The places
    /// have parents first.
    fn empty_ways(&self, ways: &[Place]) -> HashMap<u32, Unknown> {
        let mut empty: HashMap<Place, Unknown> = HashMap::new();
        for way in ways.iter().rev() {
            let mut why = Unknown::Excluded(NOTHING_INSIDE.to_owned());
            let takes_part = |place: Place| {
                let left_out = match &self.tree.at(place).entry {
                    Entry::Unknown(unknown) => Some(unknown),
                    _ => empty.get(&place),
                };
                match left_out {
                    Some(Unknown::ExcludedHere(rule)) => {
                        // Without the rules of this machine it would be a folder here.
                        why = Unknown::ExcludedHere(rule.clone());
                        false
                    }
                    left_out => !matches!(left_out, Some(Unknown::Excluded(_) | Unknown::Reserved)),
                }
            };
            if !self.tree.children(*way).any(takes_part) {
                empty.insert(*way, why);
            }
        }
        empty.into_iter().filter_map(|(place, why)| Some((self.listed[place.0 as usize]?, why))).collect()
    }

    /// Dates the versions that wait in a conflict as they were when they came: a later commit of other files says
    /// nothing of theirs, and its own time is not when they were modified.
    pub fn date(&mut self, open: &[OpenConflict], told: &BTreeMap<TreePath, Timestamp>) {
        for version in open.iter().filter_map(|open| open.conflict.remote.as_ref()) {
            let Some(place) = self.tree.find(&version.path) else { continue };
            let entry = self.tree.at(place).entry.clone();
            let is_same = matches!((&entry, version.leaf), (Entry::Leaf(here), Some(then)) if here.content == then.content);
            if is_same && version.modified.is_some() && !told.contains_key(&version.path) {
                self.tree.tell(place, entry, version.modified);
            }
        }
    }
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
pub type Objects = HashMap<ObjectId, (ContentId, u64)>;

/// A tree, and what is missing to make it whole.
pub struct Built {
    /// The tree; a file whose content nobody here knows yet stands in it as unreadable.
    pub far: Far,
    /// The remote's names of those contents, and whether a file or a link has it; each once.
    pub missing: Vec<(ObjectId, LeafKind)>,
    /// Where they stand, and which entries of the snapshot they are.
    open: Vec<(Place, u32)>,
}

impl View<'_> {
    /// Builds the tree from what is known of contents. A folder that is only the way to what the rules name, and holds
    /// nothing of it, takes no part: it is made nowhere.
    pub fn build(&self, objects: &Objects) -> Built {
        let (built, ways) = self.build_but(objects, &HashMap::new());
        let empty = built.far.empty_ways(&ways);
        if empty.is_empty() { built } else { self.build_but(objects, &empty).0 }
    }

    /// Builds the tree without these folders; answers the ways in it that were never a folder here too.
    fn build_but(&self, objects: &Objects, empty: &HashMap<u32, Unknown>) -> (Built, Vec<Place>) {
        let mut ways = Vec::new();
        let children = Children::of(self.snapshot);
        let remembered = Remembered::new(self.known);
        let mut builder = TreeBuilder::new(None);
        let mut listed = vec![None];
        let (mut missing, mut open) = (Vec::new(), Vec::new());
        let mut queue = VecDeque::from([(Place::ROOT, self.root())]);
        while let Some((place, folder)) = queue.pop_front() {
            let mut found = self.entries_of(&folder, &children, &remembered, objects, &mut missing);
            for one in &mut found {
                if let Some(why) = one.index.and_then(|index| empty.get(&index)) {
                    one.entry.entry = Entry::Unknown(why.clone());
                    one.below = None;
                }
            }
            found.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
            let first = listed.len() as u32;
            let still_open = (first..).zip(&found).filter(|(_, one)| one.open);
            open.extend(still_open.filter_map(|(place, one)| Some((Place(place), one.index?))));
            listed.extend(found.iter().map(|one| one.index));
            ways.extend(
                (first..)
                    .zip(&found)
                    .filter(|(_, one)| self.is_new_way(&folder, one))
                    .map(|(at, _)| Place(at)),
            );
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
        (Built { far: Far { tree: builder.finish(), listed }, missing, open }, ways)
    }

    /// Answers whether a folder takes part only for what is in it, and neither stands here nor was agreed on.
    fn is_new_way(&self, above: &Visit, found: &Found) -> bool {
        let Some(Visit { spot, .. }) = &found.below else { return false };
        let stands_here = spot.local.is_some_and(|place| self.local.at(place).entry == Entry::Folder);
        spot.node.is_none()
            && !stands_here
            && above.rules.decide(&found.entry.name, true) == Decision::Passage
    }

    /// Completes a tree by what was learned of the contents that were missing.
    pub fn complete(&self, built: &mut Built, objects: &Objects) {
        built.missing.clear();
        let items = self.snapshot.map_or(&[][..], |snapshot| &snapshot.entries);
        built.open.retain(|&(place, index)| {
            let path = built.far.tree.path(place);
            let count = built.missing.len();
            let entry = self.leaf(&items[index as usize], &path, objects, &mut built.missing);
            let modified = matches!(entry, Entry::Leaf(_)).then(|| self.modified(&path)).flatten();
            built.far.tree.tell(place, entry, modified);
            built.missing.len() > count
        });
        built.missing.sort_unstable();
        built.missing.dedup();
    }

    fn root(&self) -> Visit {
        let rules = self.rules_at(None, &TreePath::root());
        let spot = Spot { path: TreePath::root(), local: Some(Place::ROOT), node: Some(NodeId::ROOT) };
        Visit { index: Listing::Root, spot, rules }
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
        let within = children.within(folder.index);
        let mut found = Vec::with_capacity(within.len());
        let nodes = folder.spot.node.map_or(&[][..], |node| remembered.children(node));
        for &index in within {
            let item = &items[index as usize];
            let spot = self.spot(folder, &item.name, nodes);
            let count = missing.len();
            let entry = self.entry(item, folder, &spot, objects, missing);
            let modified = match entry {
                Entry::Leaf(_) => self.modified(&spot.path),
                _ => None,
            };
            let below =
                (entry == Entry::Folder).then(|| self.visit(folder, &item.name, Listing::At(index), spot));
            let entry = NewEntry { name: item.name.clone(), entry, key: None, modified };
            found.push(Found { index: Some(index), entry, below, open: missing.len() > count });
        }
        self.add_unspoken(folder, remembered, &mut found);
        found
    }

    /// Adds the folders without files that the remote held before, and of which its present head can't speak.
    fn add_unspoken(&self, folder: &Visit, remembered: &Remembered<'_>, found: &mut Vec<Found>) {
        let silent = self.snapshot.is_some_and(|snapshot| !snapshot.stamp.speaks_of_folders);
        let Some(node) = folder.spot.node.filter(|_| silent) else { return };
        let nodes = remembered.children(node);
        for child in nodes {
            let name = child.name;
            if found.iter().any(|one| one.entry.name == *name) || !remembered.is_folder_without_files(child) {
                continue;
            }
            let below = self.visit(folder, name, Listing::Nowhere, self.spot(folder, name, nodes));
            let entry = NewEntry { name: name.clone(), entry: Entry::Folder, key: None, modified: None };
            found.push(Found { index: None, entry, below: Some(below), open: false });
        }
    }

    /// Where an entry of a folder stands; `nodes` is what the folder is remembered to hold.
    fn spot(&self, folder: &Visit, name: &Name, nodes: &[Held<'_>]) -> Spot {
        let node = nodes.binary_search_by(|held| held.name.cmp(name)).ok().map(|at| nodes[at].node);
        Spot {
            path: folder.spot.path.join(name),
            local: folder.spot.local.and_then(|place| self.local.child(place, name)),
            node,
        }
    }

    fn visit(&self, above: &Visit, name: &Name, index: Listing, spot: Spot) -> Visit {
        let rules = self.rules_at(Some((&above.rules, name)), &spot.path);
        Visit { index, spot, rules }
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
        spot: &Spot,
        objects: &Objects,
        missing: &mut Vec<(ObjectId, LeafKind)>,
    ) -> Entry {
        let is_folder = item.kind == ListedKind::Folder;
        if let Some(unknown) = self.left_out(&item.name, is_folder, folder, spot) {
            return Entry::Unknown(unknown);
        }
        if let Some(unknown) = self.unfit(&item.name, spot) {
            return Entry::Unknown(unknown);
        }
        if let Some(invalid) = self.invalid.filter(|_| spot.path.as_bytes() == SETTINGS.as_bytes()) {
            return Entry::Unknown(invalid.entry());
        }
        self.leaf(item, &spot.path, objects, missing)
    }

    /// What an entry is that takes part.
    fn leaf(
        &self,
        item: &Listed,
        path: &TreePath,
        objects: &Objects,
        missing: &mut Vec<(ObjectId, LeafKind)>,
    ) -> Entry {
        match &item.kind {
            ListedKind::Folder => Entry::Folder,
            ListedKind::Unfit { code, why } => Entry::Unknown(Unknown::Unfit { code, why: why.clone() }),
            ListedKind::Leaf { kind: LeafKind::Link, .. } if !self.abilities.links => {
                let why = "this disk holds no symbolic links".to_owned();
                Entry::Unknown(Unknown::Unfit { code: "E-IO-UNSUPPORTED", why })
            }
            ListedKind::Leaf { kind, exec } => match objects.get(&item.object) {
                Some((content, _)) if *kind == LeafKind::Link && !self.targets.contains_key(content) => {
                    missing.push((item.object, *kind));
                    Entry::Unknown(Unknown::Unreadable("its target could not be fetched".to_owned()))
                }
                Some((content, _)) if *kind == LeafKind::Link && !self.carries(*content, path) => {
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
    fn unfit(&self, name: &Name, spot: &Spot) -> Option<Unknown> {
        if let Some((code, why)) = name.leads_elsewhere_on_windows() {
            return Some(Unknown::Unfit { code, why: why.to_owned() });
        }
        let (length, max) = (name.as_bytes().len(), self.abilities.name_bytes_max);
        if length > max {
            let why = format!("the name is {length} bytes, this disk allows {max}");
            return Some(Unknown::Unfit { code: "E-PATH-LONG", why });
        }
        if spot.path.depth() > DEPTH_MAX {
            let why = format!("it lies more than {} folders deep", DEPTH_MAX);
            return Some(Unknown::Unfit { code: "E-PATH-DEEP", why });
        }
        None
    }

    /// The rules that leave an entry out. What only this machine leaves out is not brought here; but where something
    /// unknown stands here under a name that is new there, both are told.
    fn left_out(&self, name: &Name, is_folder: bool, folder: &Visit, spot: &Spot) -> Option<Unknown> {
        match folder.rules.decide(name, is_folder) {
            Decision::Included | Decision::Passage => None,
            Decision::Reserved => Some(Unknown::Reserved),
            Decision::Excluded { by, here_only: false } => Some(Unknown::Excluded(by.to_string())),
            Decision::Excluded { by, here_only: true } => {
                let stands_here =
                    spot.local.is_some_and(|place| matches!(self.local.at(place).entry, Entry::Unknown(_)));
                (spot.node.is_some() || !stands_here).then(|| Unknown::ExcludedHere(by.to_string()))
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
        let children = remembered.children(folder);
        let entries = children.iter().map(|held| NewEntry {
            name: held.name.clone(),
            entry: match held.body {
                Body::Folder => Entry::Folder,
                Body::Leaf(leaf) => Entry::Leaf(*leaf),
            },
            key: None,
            modified: None,
        });
        for (place, held) in builder.fill(place, entries.collect()).zip(children) {
            if *held.body == Body::Folder {
                queue.push_back((place, held.node));
            }
        }
    }
    builder.finish()
}

/// Which entry of the snapshot a folder is.
#[derive(Debug, Clone, Copy)]
enum Listing {
    Root,
    At(u32),
    Nowhere,
}

/// One entry of a folder, as it was found.
struct Found {
    index: Option<u32>,
    /// Its content is missing.
    open: bool,
    entry: NewEntry,
    below: Option<Visit>,
}

/// Where an entry stands, there and here.
struct Spot {
    path: TreePath,
    local: Option<Place>,
    node: Option<NodeId>,
}

/// One folder on the way.
struct Visit {
    index: Listing,
    spot: Spot,
    rules: FolderRules,
}

/// One node as the remote held it when the last cycle ended.
#[derive(Clone, Copy)]
struct Held<'a> {
    folder: NodeId,
    name: &'a Name,
    node: NodeId,
    body: &'a Body,
}

/// What the remote held when the last cycle ended, in order of folder and name.
struct Remembered<'a>(Vec<Held<'a>>);

impl<'a> Remembered<'a> {
    fn new(known: &'a Known) -> Self {
        let mut held: Vec<Held<'a>> = Vec::with_capacity(known.rows().len());
        held.extend(known.rows().iter().filter_map(|row| {
            let value = row.views.side(Side::Remote)?;
            Some(Held { folder: value.parent, name: &value.name, node: row.id, body: &value.body })
        }));
        // Stable, as most nodes got their numbers in this order.
        held.sort_by(|a, b| (a.folder, a.name).cmp(&(b.folder, b.name)));
        Remembered(held)
    }

    fn children(&self, folder: NodeId) -> &[Held<'a>] {
        let first = self.0.partition_point(|held| held.folder < folder);
        let count = self.0[first..].partition_point(|held| held.folder == folder);
        &self.0[first..first + count]
    }

    fn is_folder_without_files(&self, held: &Held<'_>) -> bool {
        *held.body == Body::Folder
            && self.children(held.node).iter().all(|child| self.is_folder_without_files(child))
    }
}

/// What stands in each folder of the snapshot, in its order.
struct Children {
    /// Where the entries of a folder begin; the root first, then every entry, and the end.
    starts: Vec<u32>,
    entries: Vec<u32>,
}

impl Children {
    fn of(snapshot: Option<&Snapshot>) -> Self {
        let items = snapshot.map_or(&[][..], |snapshot| &snapshot.entries);
        let folder = |item: &Listed| item.parent.map_or(0, |parent| parent as usize + 1);
        let mut starts = vec![0; items.len() + 2];
        items.iter().for_each(|item| starts[folder(item) + 1] += 1);
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let (mut next, mut entries) = (starts.clone(), vec![0; items.len()]);
        for (index, item) in (0..).zip(items) {
            let place = &mut next[folder(item)];
            entries[*place as usize] = index;
            *place += 1;
        }
        Children { starts, entries }
    }

    fn within(&self, folder: Listing) -> &[u32] {
        let at = match folder {
            Listing::Root => 0,
            Listing::At(index) => index as usize + 1,
            Listing::Nowhere => return &[],
        };
        &self.entries[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}
