//! Texts here that show an undecided conflict between markers, as their group asks for.
//!
//! The text with its markers is this machine's alone. What travels is the version that stood there before, so the
//! conflict stays what it was, on every machine. The conflict is settled when no marker is left in the text: what stands
//! there then is the answer to the version that the markers showed. Which texts are shown so is noted in the database: at
//! first as meant, and as placed once the cycle that wrote the markers came to its end. Only a text that is noted as placed
//! can be an answer, so that no interruption looks like one.

use instep_core::clock::Timestamp;
use instep_core::conflict::VersionLeaf;
use instep_core::content::ContentId;
use instep_core::merge::markers_remain;
use instep_core::path::TreePath;
use instep_core::plan::Change;
use instep_core::tree::{Entry, Leaf, LeafKind, Place, Tree, Unknown};
use serde::{Deserialize, Serialize};

use crate::cycle::merging::{open_parent, place_of};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::{Formed, Way};
use crate::history::contents::content_of;
use crate::scan::Scan;
use crate::state::{State, Write};

/// The name of the note.
const NOTE: &str = "marked";

/// One such text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// The number of the remote that the conflict is with.
    pub remote: i64,
    path: Vec<u8>,
    here: Shown,
    there: Shown,
    text: String,
    signs: usize,
    modified: Option<Timestamp>,
    /// The cycle that wrote the markers came to its end.
    pub is_placed: bool,
}

/// A version between the markers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    content: String,
    size: u64,
    exec: bool,
}

impl Shown {
    fn of(leaf: &VersionLeaf) -> Self {
        Shown { content: leaf.content.to_string(), size: leaf.size, exec: leaf.exec }
    }

    fn leaf(&self) -> Option<Leaf> {
        let content = ContentId::parse(&self.content)?;
        Some(Leaf { kind: LeafKind::File, content, size: self.size, exec: self.exec })
    }
}

/// A text with markers, and how long those are.
pub struct Text {
    /// Its content.
    pub content: ContentId,
    /// How many signs a marker has.
    pub signs: usize,
}

impl Marked {
    /// Notes what is about to be shown at a path.
    pub fn new(
        remote: i64,
        path: &TreePath,
        (here, there): (&VersionLeaf, &VersionLeaf),
        modified: Option<Timestamp>,
        text: &Text,
    ) -> Self {
        Marked {
            remote,
            path: path.as_bytes().to_vec(),
            here: Shown::of(here),
            there: Shown::of(there),
            text: text.content.to_string(),
            signs: text.signs,
            modified,
            is_placed: false,
        }
    }

    /// Where the text stands.
    pub fn path(&self) -> Option<TreePath> {
        TreePath::new(&self.path).ok()
    }

    /// The version that stood here before.
    pub fn here(&self) -> Option<Leaf> {
        self.here.leaf()
    }

    /// The version there, as the markers show it.
    pub fn there(&self) -> Option<Leaf> {
        self.there.leaf()
    }

    /// The text as it was written.
    pub fn text(&self) -> Option<ContentId> {
        ContentId::parse(&self.text)
    }

    /// Answers whether it shows these versions.
    pub fn shows(&self, here: &VersionLeaf, there: &VersionLeaf) -> bool {
        self.here == Shown::of(here) && self.there == Shown::of(there)
    }

    /// The same at another place.
    pub fn at(self, path: &TreePath) -> Self {
        Marked { path: path.as_bytes().to_vec(), ..self }
    }

    /// The same, as it is noted before the text stands there.
    pub fn meant(self) -> Self {
        Marked { is_placed: false, ..self }
    }

    /// The same, once the text stands there for good.
    pub fn placed(self) -> Self {
        Marked { is_placed: true, ..self }
    }
}

/// All such texts.
pub fn all(state: &State) -> Result<Vec<Marked>, EngineError> {
    // What can't be read is a text like any other, and is in conflict as that.
    Ok(state.note(NOTE)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Notes them.
pub fn note(write: &Write<'_>, all: &[Marked]) -> Result<(), EngineError> {
    write.note(NOTE, &serde_json::to_string(all).expect("because it is plain data"))
}

/// The texts that these changes replace, by an act of a person, are no answers any more, even if it is interrupted.
/// Answers what was noted before.
pub fn unplace(state: &mut State, changes: &[Change]) -> Result<Vec<Marked>, EngineError> {
    let before = all(state)?;
    let mut marked = before.clone();
    for one in &mut marked {
        one.is_placed &=
            !changes.iter().any(|change| change.from.as_ref().map(TreePath::as_bytes) == Some(&one.path));
    }
    if marked != before {
        state.transact(|write| note(write, &marked))?;
    }
    Ok(before)
}

/// A text that still shows a conflict.
#[derive(Debug)]
pub struct Seen {
    /// Where it stands.
    pub place: Place,
    /// What is noted of it.
    pub marked: Marked,
    /// Where it stands, as a path.
    pub path: TreePath,
    /// It stands as it was written: nobody has begun to settle it.
    pub is_as_written: bool,
}

/// What a scan makes of such texts.
#[derive(Debug, Default)]
pub struct Met {
    /// Those that still show the conflict.
    pub shown: Vec<Seen>,
    /// Those from which the markers are gone.
    pub settled: Vec<Marked>,
    /// Those that could not be read just now.
    unread: Vec<Place>,
}

/// Looks at such texts as a scan found them.
pub fn meet<F: Folder>(folder: &F, scan: &Scan, marked: Vec<Marked>) -> Result<Met, EngineError> {
    let mut met = Met::default();
    for one in marked {
        let (Some(path), Some(text)) = (one.path(), one.text()) else { continue };
        // A person may have moved it.
        let Some(place) = scan.tree.find(&path).or_else(|| place_of(&scan.tree, text)) else { continue };
        let Entry::Leaf(leaf) = scan.tree.at(place).entry else { continue };
        if leaf.kind != LeafKind::File || scan.forms.contains_key(&place) {
            continue;
        }
        let path = scan.tree.path(place);
        if leaf.content == text {
            met.shown.push(Seen { place, marked: one, path, is_as_written: true });
        } else if one.is_placed {
            match shows(folder, &scan.tree, place, one.signs) {
                Ok(true) => met.shown.push(Seen { place, marked: one, path, is_as_written: false }),
                Ok(false) => met.settled.push(one),
                Err(EngineError::Folder(_)) => met.unread.push(place),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(met)
}

/// Puts the version that stood there before into the tree of a scan, where a text shows a conflict.
pub fn outgoing<F: Folder>(folder: &F, scan: &mut Scan, marked: Vec<Marked>) -> Result<(), EngineError> {
    scan.marked = meet(folder, scan, marked)?;
    for Seen { place, marked: one, .. } in &scan.marked.shown {
        let entry = scan.tree.at(*place);
        let (Entry::Leaf(leaf), Some(here), Some(modified)) =
            (entry.entry.clone(), one.here(), entry.modified)
        else {
            continue;
        };
        let (disk, name) = (Some(leaf.content), here.content);
        let formed = Formed { way: Way::Markers, disk, size: leaf.size, modified, name };
        scan.forms.insert(*place, formed);
        scan.tree.tell(*place, Entry::Leaf(Leaf { exec: leaf.exec, ..here }), one.modified);
    }
    for place in &scan.marked.unread {
        scan.tree.tell(*place, Entry::Unknown(Unknown::Changing), None);
    }
    Ok(())
}

fn shows<F: Folder>(folder: &F, tree: &Tree, place: Place, signs: usize) -> Result<bool, EngineError> {
    let (dir, name) = open_parent(folder, tree, place)?;
    let mut bytes = Vec::new();
    content_of(folder, &dir, &name, &mut bytes)?;
    Ok(markers_remain(&bytes, signs))
}
