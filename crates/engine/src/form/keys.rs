//! What stays on each machine: keys, without which a file travels, and the paths of its places, whose names travel.
//!
//! What travels follows from what lies on the disk and from the keys and places alone, so nothing needs to be staged to
//! name it, and what was found is known by all of them. A file whose keys can't be told apart does not travel at all:
//! nobody could be sure that what is to stay does not leave with it.

use std::borrow::Cow;

use instep_core::content::{ContentHasher, ContentId};
use instep_core::filter::{Groups, Staying};
use instep_core::merge::local::LocalKeys;
use instep_core::merge::{CONTENT_BYTES_MAX, Reason};
use instep_core::mutant;
use instep_core::path::{Name, TreePath};
use instep_core::places;
use instep_core::tree::{Entry, Leaf, LeafKind, Place, Unknown};

use super::{FormCache, FormRecord, Formed, Way};
use crate::cycle::damage::zeros;
use crate::cycle::merging::open_parent;
use crate::cycle::rules::SETTINGS;
use crate::failure::EngineError;
use crate::folder::{Folder, FolderError};
use crate::history::contents::content_of;
use crate::scan::{Scan, unknown};

/// The code of a file whose keys can't be told apart.
pub const UNTOLD: &str = "E-KEYS-UNTOLD";

/// Puts into the tree of a scan what travels of the files whose keys stay here.
pub(super) fn outgoing<F: Folder>(folder: &F, scan: &mut Scan, known: &FormCache) -> Result<(), EngineError> {
    if !scan.groups.have_staying() {
        return Ok(());
    }
    let places: Vec<Place> = scan.tree.places().filter(|place| !scan.forms.contains_key(place)).collect();
    for place in places {
        let entry = scan.tree.at(place);
        let (Entry::Leaf(leaf), Some(key), Some(modified)) = (entry.entry.clone(), entry.key, entry.modified)
        else {
            continue;
        };
        let path = scan.tree.path(place);
        let Some(staying) = staying(&scan.groups, &path).filter(|_| leaf.kind == LeafKind::File) else {
            continue;
        };
        if staying.keys.is_empty() && leaf.size > places::CONTENT_BYTES_MAX {
            continue;
        }
        let witness = witness(leaf.content, &staying);
        let record = match known.get(key).filter(|record| record.witness == witness) {
            Some(record) => *record,
            None => match find(folder, scan, place, leaf, &staying)? {
                Ok(travels) => {
                    let (content, size) = (ContentId::of(&travels), travels.len() as u64);
                    let record = FormRecord { key, witness, name: content, content, size };
                    scan.formed.push(record);
                    record
                }
                // There is no key among zeros; whether they are damage is asked as of any file.
                Err(_) if leaf.content == zeros(leaf.size) => continue,
                Err(_) if mutant::is_on("untold-keys-travel") => continue,
                Err(why) => {
                    scan.tree.tell(place, Entry::Unknown(why), Some(modified));
                    continue;
                }
            },
        };
        if record.content != leaf.content {
            let travels = Leaf { content: record.content, size: record.size, ..leaf };
            scan.tree.tell(place, Entry::Leaf(travels), Some(modified));
            let formed = Formed {
                way: Way::Keys,
                disk: Some(leaf.content),
                size: leaf.size,
                modified,
                name: record.content,
            };
            scan.forms.insert(place, formed);
        }
    }
    Ok(())
}

/// What travels of one file, or why it can't.
fn find<F: Folder>(
    folder: &F,
    scan: &Scan,
    place: Place,
    leaf: Leaf,
    staying: &Staying,
) -> Result<Result<Vec<u8>, Unknown>, EngineError> {
    let read = || -> Result<Option<Vec<u8>>, EngineError> {
        let (dir, name) = open_parent(folder, &scan.tree, place)?;
        let mut bytes = Vec::new();
        let found = content_of(folder, &dir, &name, &mut bytes)?;
        Ok((found == leaf.content).then_some(bytes))
    };
    let name = &scan.tree.at(place).name;
    if !staying.keys.is_empty() && leaf.size > CONTENT_BYTES_MAX as u64 {
        return Ok(Err(untold(Reason::TooLarge)));
    }
    Ok(match read() {
        Ok(Some(disk)) if mutant::is_on("staying-keys-travel") => Ok(disk),
        Ok(Some(disk)) => without(name, staying, &disk).map_err(untold),
        Ok(None) => Err(Unknown::Changing),
        Err(EngineError::Folder(error)) => Err(unknown(&error)),
        Err(error) => return Err(error),
    })
}

/// What of a file stays here. The shared rules themselves travel whole.
pub fn staying(groups: &Groups, path: &TreePath) -> Option<Staying> {
    groups.staying(path).filter(|_| path.as_bytes() != SETTINGS.as_bytes())
}

fn keys_of<'k>(name: &'k Name, staying: &'k Staying) -> Option<LocalKeys<'k>> {
    (!staying.keys.is_empty()).then(|| LocalKeys::new(name, staying.kind, &staying.keys))
}

/// A file without what stays here.
fn without(name: &Name, staying: &Staying, disk: &[u8]) -> Result<Vec<u8>, Reason> {
    let placed = placed(staying, disk);
    match keys_of(name, staying) {
        Some(keys) => keys.outgoing(&placed),
        None => Ok(placed.into_owned()),
    }
}

/// A file with the names of places in the stead of their paths.
fn placed<'d>(staying: &Staying, disk: &'d [u8]) -> Cow<'d, [u8]> {
    staying.places.as_ref().map_or(Cow::Borrowed(disk), |places| places.outgoing(disk))
}

fn untold(reason: Reason) -> Unknown {
    let why = match reason {
        Reason::Opaque => "files of this kind have no keys that could be told apart".to_owned(),
        reason => reason.to_string().replace("a version", "it"),
    };
    let why = format!("some of its keys are to stay on this machine, and {why}: nothing of it is sent");
    Unknown::Unfit { code: UNTOLD, why }
}

/// All on which what travels depends.
fn witness(disk: ContentId, staying: &Staying) -> ContentId {
    let mut hasher = ContentHasher::new();
    hasher.update(b"keys that stay");
    hasher.update(disk.as_bytes());
    hasher.update(format!("{staying:?}").as_bytes());
    hasher.finish()
}

/// Answers whether a record was made here of what a place holds as it lies there, and needs no look of another form.
pub(super) fn is_of(record: &FormRecord, scan: &Scan, place: Place) -> bool {
    let Entry::Leaf(leaf) = scan.tree.at(place).entry else { return false };
    let staying = staying(&scan.groups, &scan.tree.path(place));
    staying.is_some_and(|staying| witness(leaf.content, &staying) == record.witness)
}

/// Reads what travels of a file that lies here; `None` if its keys can't be told apart.
pub(super) fn read<F: Folder>(
    folder: &F,
    (dir, name): (&F::Dir, &Name),
    path: &TreePath,
    groups: &Groups,
) -> Result<Option<Vec<u8>>, FolderError> {
    let mut bytes = Vec::new();
    content_of(folder, dir, name, &mut bytes)?;
    Ok(travelling(groups, path, bytes).ok())
}

/// What travels of these bytes at a path: all of them as they are, where nothing stays.
pub fn travelling(groups: &Groups, path: &TreePath, bytes: Vec<u8>) -> Result<Vec<u8>, Reason> {
    match (staying(groups, path), path.name()) {
        (Some(staying), Some(name)) => without(&name, &staying, &bytes),
        _ => Ok(bytes),
    }
}

/// What is to lie at a path when this travels there: with the keys that this machine has in what lies there now, and with
/// the paths of its own places.
pub fn arriving(
    staying: &Staying,
    path: &TreePath,
    travelling: &[u8],
    disk: Option<&[u8]>,
) -> Result<Vec<u8>, Reason> {
    let Some(name) = path.name() else { return Ok(travelling.to_vec()) };
    let lies = match keys_of(&name, staying) {
        Some(keys) => {
            let placed = disk.map(|disk| placed(staying, disk));
            Cow::Owned(keys.incoming(travelling, placed.as_deref())?)
        }
        None => Cow::Borrowed(travelling),
    };
    Ok(match &staying.places {
        Some(places) => places.incoming(&lies, disk).into_owned(),
        None => lies.into_owned(),
    })
}
