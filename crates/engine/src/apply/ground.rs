//! Where each node stands while the steps run, and the open folders on the way to it.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::node::{NodeId, Value};
use instep_core::path::Name;
use instep_core::plan::Places;
use instep_core::tree::{Key, Place, Tree};

use super::order::{Step, StepKind};
use crate::folder::{Folder, FolderError, FolderFailure};
use crate::history::contents::Contents;

/// How many folders are kept open at once.
const OPEN_MAX: usize = 64;

/// Where a node stands, other than in the tree that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Spot {
    In(NodeId, Name),
    Parked(Name),
    Gone,
}

/// The folder as it changes under our hands.
pub struct Ground<'a, F: Folder> {
    folder: &'a F,
    tree: &'a Tree,
    places: &'a Places,
    nodes: Vec<Option<NodeId>>,
    spots: BTreeMap<NodeId, Spot>,
    keys: BTreeMap<NodeId, Key>,
    open: BTreeMap<NodeId, F::Dir>,
    open_places: BTreeMap<Place, F::Dir>,
    parking: Option<F::Dir>,
    leaving: BTreeMap<(NodeId, Vec<u8>), NodeId>,
    leavers: BTreeMap<NodeId, (NodeId, Name)>,
    awaited: BTreeSet<NodeId>,
    touched: BTreeMap<NodeId, F::Dir>,
}

impl<'a, F: Folder> Ground<'a, F> {
    /// Starts from what was seen.
    pub fn new(folder: &'a F, tree: &'a Tree, places: &'a Places) -> Self {
        let mut nodes = vec![None; tree.len()];
        nodes[0] = Some(NodeId::ROOT);
        for (node, place) in places.iter() {
            nodes[place.0 as usize] = Some(node);
        }
        Ground {
            folder,
            tree,
            places,
            nodes,
            spots: BTreeMap::new(),
            keys: BTreeMap::new(),
            open: BTreeMap::new(),
            open_places: BTreeMap::new(),
            parking: None,
            leaving: BTreeMap::new(),
            leavers: BTreeMap::new(),
            awaited: BTreeSet::new(),
            touched: BTreeMap::new(),
        }
    }

    /// The identity that a node was seen with, or got.
    pub fn key(&self, node: NodeId) -> Option<Key> {
        self.keys.get(&node).copied().or_else(|| self.tree.at(self.places.of(node)?).key)
    }

    /// The entry that a node was seen as.
    pub fn place(&self, node: NodeId) -> Option<Place> {
        self.places.of(node)
    }

    /// The open folder that a node is; `None` while it is not made yet.
    pub fn dir(&mut self, node: NodeId) -> Result<Option<F::Dir>, FolderError> {
        if node == NodeId::ROOT {
            return Ok(Some(self.folder.root()));
        }
        if let Some(dir) = self.open.get(&node) {
            return Ok(Some(dir.clone()));
        }
        let dir = match self.spots.get(&node).cloned() {
            None => match self.places.of(node) {
                Some(place) => self.dir_at(place)?,
                None => return Ok(None),
            },
            Some(Spot::Gone) => return Ok(None),
            Some(Spot::In(parent, name)) => {
                let Some(parent) = self.dir(parent)? else { return Ok(None) };
                self.folder.open_folder(&parent, &name)?
            }
            Some(Spot::Parked(slot)) => {
                let parking = self.parking.clone().expect("because parking came first");
                self.folder.open_folder(&parking, &slot)?
            }
        };
        self.check(node, &dir)?;
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        self.open.insert(node, dir.clone());
        Ok(Some(dir))
    }

    /// The open folder at a place of the tree that was seen, wherever its parents stand now.
    fn dir_at(&mut self, place: Place) -> Result<F::Dir, FolderError> {
        if place == Place::ROOT {
            return Ok(self.folder.root());
        }
        if let Some(dir) = self.open_places.get(&place) {
            return Ok(dir.clone());
        }
        let entry = self.tree.at(place);
        let parent = self.parent_dir_of(place)?;
        let dir = self.folder.open_folder(&parent, &entry.name)?;
        if self.open_places.len() >= OPEN_MAX {
            self.open_places.clear();
        }
        self.open_places.insert(place, dir.clone());
        Ok(dir)
    }

    fn parent_dir_of(&mut self, place: Place) -> Result<F::Dir, FolderError> {
        let parent = self.tree.at(place).parent;
        let moved = self.nodes[parent.0 as usize].filter(|node| self.spots.contains_key(node));
        match moved {
            Some(node) => self.dir(node)?.ok_or_else(|| self.missing(place)),
            None => self.dir_at(parent),
        }
    }

    fn missing(&self, place: Place) -> FolderError {
        FolderError {
            verb: "find",
            path: self.tree.path(place).to_string(),
            source: std::io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()),
        }
    }

    /// The folder that was opened must be the one that was seen: another one under the same name is a race.
    fn check(&self, node: NodeId, dir: &F::Dir) -> Result<(), FolderError> {
        let Some(key) = self.key(node) else { return Ok(()) };
        let found = self.folder.folder_metadata(dir)?.key;
        if found == key {
            return Ok(());
        }
        Err(FolderError {
            verb: "open",
            path: self.places.of(node).map_or_else(String::new, |place| self.tree.path(place).to_string()),
            source: std::io::Error::from_raw_os_error(rustix::io::Errno::NOTDIR.raw_os_error()),
        })
    }

    /// The open folder and name where a node stands; `None` if it is gone, or its folder is not made yet.
    pub fn stand(&mut self, node: NodeId) -> Result<Option<(F::Dir, Name)>, FolderError> {
        let stood = match self.spots.get(&node).cloned() {
            Some(Spot::In(parent, name)) => {
                let dir = self.dir(parent)?;
                if let Some(dir) = &dir {
                    self.touch(parent, dir);
                }
                dir.map(|dir| (dir, name))
            }
            Some(Spot::Parked(slot)) => self.parking.clone().map(|dir| (dir, slot)),
            Some(Spot::Gone) => None,
            None => match self.places.of(node) {
                Some(place) => {
                    let name = self.tree.at(place).name.clone();
                    let dir = self.parent_dir_of(place)?;
                    if let Some(parent) = self.nodes[self.tree.at(place).parent.0 as usize] {
                        self.check(parent, &dir)?;
                        self.touch(parent, &dir);
                    }
                    Some((dir, name))
                }
                None => None,
            },
        };
        Ok(stood)
    }

    fn touch(&mut self, node: NodeId, dir: &F::Dir) {
        if self.touched.len() <= OPEN_MAX {
            self.touched.entry(node).or_insert_with(|| dir.clone());
        }
    }

    fn spot(&self, node: NodeId) -> Option<(NodeId, Name)> {
        match self.spots.get(&node) {
            Some(Spot::In(parent, name)) => Some((*parent, name.clone())),
            Some(_) => None,
            None => {
                let entry = self.tree.at(self.places.of(node)?);
                Some((self.nodes[entry.parent.0 as usize]?, entry.name.clone()))
            }
        }
    }

    /// Answers whether a node stands exactly where a value says.
    pub fn is_at(&self, node: NodeId, value: &Value) -> bool {
        self.spot(node).is_some_and(|(parent, name)| parent == value.parent && name == value.name)
    }

    /// Answers whether a node is another one, or stands below it, now.
    pub fn is_below(&self, node: NodeId, above: NodeId) -> bool {
        let mut at = node;
        for _ in 0..=u16::MAX {
            if at == above {
                return true;
            }
            match self.spot(at) {
                Some((parent, _)) if at != NodeId::ROOT => at = parent,
                _ => return false,
            }
        }
        true
    }

    /// Notes which names the pending steps will free.
    pub fn note_leaving(&mut self, pending: &[Step]) {
        self.leaving.clear();
        self.leavers.clear();
        self.awaited.clear();
        for step in pending {
            if matches!(step.kind, StepKind::Move | StepKind::RemoveLeaf | StepKind::RemoveFolder)
                && let Some(spot) = self.spot(step.node)
            {
                self.awaited.insert(spot.0);
                self.leavers.insert(step.node, spot.clone());
                let key = self.name_key(spot.0, &spot.1);
                self.leaving.insert(key, step.node);
            }
        }
    }

    /// A step is done or failed: it frees no name any more.
    pub fn forget_leaving(&mut self, node: NodeId, kind: StepKind) {
        if matches!(kind, StepKind::Move | StepKind::RemoveLeaf | StepKind::RemoveFolder) {
            self.stay(node);
        }
    }

    fn stay(&mut self, node: NodeId) {
        if let Some(spot) = self.leavers.remove(&node) {
            let key = self.name_key(spot.0, &spot.1);
            self.leaving.remove(&key);
        }
    }

    /// Answers whether something is still to leave this folder.
    pub fn is_awaited(&self, folder: NodeId) -> bool {
        self.awaited.contains(&folder)
    }

    /// The node that holds the name a value wants, and is still to leave it.
    pub fn holder(&self, wanted: &Value, but: NodeId) -> Option<NodeId> {
        let key = self.name_key(wanted.parent, &wanted.name);
        self.leaving.get(&key).copied().filter(|holder| *holder != but)
    }

    /// A name in a folder, as the disk compares it.
    fn name_key(&self, parent: NodeId, name: &Name) -> (NodeId, Vec<u8>) {
        (parent, self.folder.abilities().fold.key(name).into_owned())
    }

    /// Answers whether the name a value wants is still held by a node that is to leave it.
    pub fn is_taken(&self, wanted: &Value, but: NodeId) -> bool {
        self.holder(wanted, but).is_some()
    }

    /// A node was made.
    pub fn put(&mut self, node: NodeId, value: &Value, key: Key) {
        self.keys.insert(node, key);
        self.spots.insert(node, Spot::In(value.parent, value.name.clone()));
    }

    /// A node has another identity now: its file was exchanged.
    pub fn rekey(&mut self, node: NodeId, key: Key) {
        self.keys.insert(node, key);
    }

    /// A node stands elsewhere now.
    pub fn relocate(&mut self, node: NodeId, value: &Value) {
        self.stay(node);
        self.spots.insert(node, Spot::In(value.parent, value.name.clone()));
    }

    /// Two nodes changed places.
    pub fn swap(&mut self, one: NodeId, other: NodeId) {
        let (first, second) = (self.spot(one), self.spot(other));
        for (node, spot) in [(one, second), (other, first)] {
            if let Some((parent, name)) = spot {
                self.spots.insert(node, Spot::In(parent, name.clone()));
                if node == other {
                    self.stay(other);
                    self.leavers.insert(other, (parent, name.clone()));
                    let key = self.name_key(parent, &name);
                    self.leaving.insert(key, other);
                }
            }
        }
    }

    /// A node is no more.
    pub fn remove(&mut self, node: NodeId) {
        self.spots.insert(node, Spot::Gone);
        self.open.remove(&node);
        self.touched.remove(&node);
    }

    /// A node steps aside.
    pub fn park(&mut self, node: NodeId, slot: Name, parking: F::Dir) {
        self.stay(node);
        self.parking = Some(parking);
        self.spots.insert(node, Spot::Parked(slot));
    }

    /// Answers whether a node stands aside.
    pub fn is_parked(&self, node: NodeId) -> bool {
        matches!(self.spots.get(&node), Some(Spot::Parked(_)))
    }

    /// Makes the new names durable, and the way to them: each folder for a handful of changes, else all at once.
    pub fn sync(
        &mut self,
        changes: usize,
        contents: &Contents<'_, F>,
        staging: &F::Dir,
    ) -> Result<(), FolderError> {
        const HANDFUL: usize = 8;
        if instep_core::mutant::is_on("names-not-durable") {
            return Ok(());
        }
        if changes <= HANDFUL && !instep_core::mutant::is_on("way-not-durable") {
            self.touch_ways()?;
        }
        if changes > HANDFUL || self.touched.len() > HANDFUL {
            return self.folder.sync_all();
        }
        for dir in self.touched.values() {
            match self.folder.sync_folder(dir) {
                // Somebody removed it meanwhile, and some file systems say so.
                Err(error) if error.failure() == FolderFailure::Missing => {}
                done => done?,
            }
        }
        contents.sync()?;
        self.folder.sync_folder(staging)
    }

    /// A folder on the way may have been renamed away and back, and a power cut would leave the first of it.
    fn touch_ways(&mut self) -> Result<(), FolderError> {
        for mut at in self.touched.keys().copied().collect::<Vec<_>>() {
            while at != NodeId::ROOT
                && let Some((parent, _)) =
                    self.spot(at).filter(|(parent, _)| !self.touched.contains_key(parent))
            {
                match self.dir(parent) {
                    Ok(Some(dir)) => self.touch(parent, &dir),
                    Ok(None) => break,
                    // Whoever moves it now does so after this sync began.
                    Err(error) if error.is_gone() => break,
                    Err(error) => return Err(error),
                }
                at = parent;
            }
        }
        Ok(())
    }
}
