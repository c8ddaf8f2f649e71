//! Forms: what travels, where that is not what lies on the disk.
//!
//! The tree of a scan holds what travels, so that no one further on needs to know of forms; what lies on the disk stands
//! beside it, in [`Forms`], for whoever touches the file. What was found is remembered ([`FormRecord`]), so that a file
//! to which nothing happened costs a look. There are two: a database travels as a copy of one moment, see [`database`];
//! a file of settings travels without the keys that stay on each machine, see [`keys`]. A text that shows a conflict is a
//! third case, see [`marked`](crate::conflict::marked).

pub mod database;
pub mod keys;

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::database::{owner, sidecars};
use instep_core::filter::Groups;
use instep_core::tree::{Entry, Key, Place, Unknown};

use crate::cycle::merging::open_parent;
use crate::failure::EngineError;
use crate::folder::{DiskKind, Folder};
use crate::scan::{Scan, unknown};
use crate::stage::Staging;

/// Why something else travels than what lies on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is a database.
    Database,
    /// Some of its keys stay here.
    Keys,
    /// It shows a conflict between markers, and the version that stood there before is what travels.
    Markers,
}

/// What lies on the disk, where that is not what travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formed {
    /// Why.
    pub way: Way,
    /// The content of the file itself; `None` if it would not hold still.
    pub disk: Option<ContentId>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last modified.
    pub modified: Timestamp,
    /// The name of the form that it was found to have: what would travel if nothing were agreed on.
    pub name: ContentId,
}

/// What lies on the disk, by place in the tree of the scan.
pub type Forms = BTreeMap<Place, Formed>;

/// What was found of a file that travels in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormRecord {
    /// The file.
    pub key: Key,
    /// What the file system said of it and of what belongs to it, hashed; of nothing, if that is not to be trusted later.
    pub witness: ContentId,
    /// The name of the form.
    pub name: ContentId,
    /// What travels in its place.
    pub content: ContentId,
    /// The length of that in bytes.
    pub size: u64,
}

/// All that was found of such files.
#[derive(Debug, Clone, Default)]
pub struct FormCache(BTreeMap<Key, FormRecord>);

impl FormCache {
    /// Takes the records, in any order.
    pub fn new(records: impl IntoIterator<Item = FormRecord>) -> Self {
        FormCache(records.into_iter().map(|record| (record.key, record)).collect())
    }

    fn get(&self, key: Key) -> Option<&FormRecord> {
        self.0.get(&key)
    }
}

/// Puts into the tree of a scan what travels, by what the groups say. Copies go to the staging folder; without one nothing
/// is written, and what can't be named without a copy gets a name that nothing else has.
pub fn outgoing<F: Folder>(
    folder: &F,
    scan: &mut Scan,
    known: &FormCache,
    groups: &Groups,
    staging: Option<&mut Staging<'_, F>>,
) -> Result<(), EngineError> {
    scan.groups = groups.clone();
    databases(folder, scan, known, staging)?;
    keys::outgoing(folder, scan, known)
}

fn databases<F: Folder>(
    folder: &F,
    scan: &mut Scan,
    known: &FormCache,
    mut staging: Option<&mut Staging<'_, F>>,
) -> Result<(), EngineError> {
    for place in candidates(scan, known) {
        let (dir, name) = match open_parent(folder, &scan.tree, place) {
            Ok(opened) => opened,
            Err(EngineError::Folder(error)) => {
                let unknown = unknown(&error);
                scan.tree.tell(place, Entry::Unknown(unknown.clone()), None);
                hide_sidecars(scan, place, &unknown);
                continue;
            }
            Err(error) => return Err(error),
        };
        let read_now = scan.databases.contains(&place);
        let look =
            database::Look { folder, tree: &scan.tree, place, dir: &dir, name: &name, known, read_now };
        match look.outgoing(staging.as_deref_mut()) {
            Ok(database::Found::Ordinary) => continue,
            Ok(database::Found::Whole) => {}
            Ok(database::Found::Formed(form)) => {
                let database::Form { entry, modified, formed, record } = *form;
                scan.tree.tell(place, entry, Some(modified));
                scan.forms.extend(formed.map(|formed| (place, formed)));
                scan.formed.extend(record);
            }
            Err(error) => scan.tree.tell(place, Entry::Unknown(unknown(&error)), None),
        }
        let why = format!("it belongs to the database {name}, which travels whole");
        hide_sidecars(scan, place, &Unknown::Excluded(why));
    }
    Ok(())
}

/// The files that may travel in a form, in order: those that were found to, those with a log or a journal beside them, and
/// the databases that were read just now.
fn candidates(scan: &Scan, known: &FormCache) -> BTreeSet<Place> {
    let tree = &scan.tree;
    let mut candidates: BTreeSet<Place> = scan.databases.iter().copied().collect();
    for place in tree.places() {
        let entry = tree.at(place);
        let record = entry.key.and_then(|key| known.get(key));
        let is_known = record.is_some_and(|record| !keys::is_of(record, scan, place));
        if is_known && !matches!(entry.entry, Entry::Folder) {
            candidates.insert(place);
        }
        candidates.extend(owner(&entry.name).and_then(|owner| tree.child(entry.parent, &owner)));
    }
    let may_be = |entry: &Entry| matches!(entry, Entry::Leaf(_) | Entry::Unknown(Unknown::Changing));
    candidates.retain(|place| may_be(&tree.at(*place).entry));
    candidates
}

/// What belongs to a database never travels by itself, least of all while that can't be seen.
fn hide_sidecars(scan: &mut Scan, database: Place, unknown: &Unknown) {
    let tree = &mut scan.tree;
    let (parent, name) = (tree.at(database).parent, tree.at(database).name.clone());
    for sidecar in sidecars(&name) {
        let Some(place) = tree.child(parent, &sidecar) else { continue };
        if let Entry::Leaf(leaf) = tree.at(place).entry {
            scan.counts.files -= 1;
            scan.counts.bytes -= leaf.size;
        }
        if tree.at(place).entry != Entry::Folder {
            tree.tell(place, Entry::Unknown(unknown.clone()), None);
        }
    }
}

/// Stages what travels in place of a file, if that still is this content; answers whether it is staged.
pub fn stage<F: Folder>(
    folder: &F,
    scan: &Scan,
    place: Place,
    content: ContentId,
    staging: &mut Staging<'_, F>,
) -> Result<bool, EngineError> {
    if staging.has(content) {
        return Ok(true);
    }
    let tree = &scan.tree;
    let (dir, name) = open_parent(folder, tree, place)?;
    if folder.metadata(&dir, &name)?.is_none_or(|found| found.kind != DiskKind::File) {
        return Ok(false);
    }
    if scan.forms.get(&place).is_some_and(|formed| formed.way == Way::Keys) {
        let travels = keys::read(folder, (&dir, &name), &tree.path(place), &scan.groups)?;
        if let Some(travels) = travels {
            staging.write(&mut travels.as_slice())?;
        }
        return Ok(staging.has(content));
    }
    if scan.forms.get(&place).is_some_and(|formed| formed.way == Way::Markers) {
        // The version that stood there before is kept, and found among what is.
        return Ok(false);
    }
    let known = FormCache::default();
    let look = database::Look { folder, tree, place, dir: &dir, name: &name, known: &known, read_now: false };
    look.stage(staging)?;
    Ok(staging.has(content))
}
