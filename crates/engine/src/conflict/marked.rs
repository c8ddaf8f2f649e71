//! Undecided conflicts that are shown in the folder here, as their group asks for: between markers in the text, or by a copy
//! of the other version beside it.
//!
//! The text with its markers is this machine's alone. What travels is the version that stood there before, so the
//! conflict stays what it was, on every machine. It is settled when no marker is left in the text: what stands there then
//! is the answer to the version that the markers showed. A copy takes no part either; the conflict is settled when it is
//! gone.
//!
//! What is shown so is noted in the database: at first as meant, and as placed once the cycle that wrote it came to its
//! end. Only what is noted as placed can be an answer, so that no interruption looks like one.

use std::collections::BTreeSet;

use instep_core::clock::Timestamp;
use instep_core::conflict::VersionLeaf;
use instep_core::content::ContentId;
use instep_core::merge::markers_remain;
use instep_core::mutant;
use instep_core::node::Body;
use instep_core::path::TreePath;
use instep_core::plan::Change;
use instep_core::tree::{Entry, Key, Leaf, LeafKind, Place, Tree, Unknown};
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
    /// The other version stands here, and no marker in the text.
    #[serde(default)]
    copy: Option<Vec<u8>>,
    /// The cycle that wrote it came to its end.
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
            copy: None,
            is_placed: false,
        }
    }

    /// Notes that the version there is about to be shown by a copy.
    pub fn beside(
        remote: i64,
        path: &TreePath,
        copy: &TreePath,
        (here, there): (&VersionLeaf, &VersionLeaf),
    ) -> Self {
        let text = Text { content: there.content, signs: 0 };
        let copy = Some(copy.as_bytes().to_vec());
        Marked { copy, ..Marked::new(remote, path, (here, there), None, &text) }
    }

    /// Where the copy stands, if it is one that shows the other version.
    pub fn copy(&self) -> Option<TreePath> {
        TreePath::new(self.copy.as_ref()?).ok()
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

    /// Answers whether both were noted of the same thing.
    pub fn is_that(&self, other: &Marked) -> bool {
        let of = |one: &Marked| (one.remote, one.path.clone(), one.copy.clone(), one.text.clone());
        of(self) == of(other)
    }

    /// Answers whether it shows these versions.
    pub fn shows(&self, here: &VersionLeaf, there: &VersionLeaf) -> bool {
        self.here == Shown::of(here) && self.there == Shown::of(there)
    }

    /// The same at another place.
    pub fn at(self, path: &TreePath) -> Self {
        let copy = self.copy().and_then(|copy| Some(path.parent()?.join(&copy.name()?).as_bytes().to_vec()));
        Marked { path: path.as_bytes().to_vec(), copy, ..self }
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
    let is_changed = |path: &Vec<u8>| {
        changes.iter().any(|change| change.from.as_ref().is_some_and(|from| from.as_bytes() == path))
    };
    for one in &mut marked {
        one.is_placed &= !is_changed(&one.path) && !one.copy.as_ref().is_some_and(is_changed);
    }
    if marked != before {
        state.transact(|write| note(write, &marked))?;
    }
    Ok(before)
}

/// Changes as the log is to know them: what showed a conflict that is settled is not to come back with an undo, but the
/// version that it stood for.
pub fn as_logged(changes: &[Change], marked: &[Marked]) -> Vec<Change> {
    let path = |change: &Change| change.from.clone();
    let is_copy =
        |change: &&Change| marked.iter().any(|one| one.copy().is_some() && one.copy() == path(change));
    let logged = changes.iter().filter(|change| !is_copy(change)).map(|change| {
        let mut change = change.clone();
        let shown = marked.iter().find(|one| one.copy.is_none() && one.path() == change.from);
        if let (Some(one), Some(before)) = (shown, &mut change.before)
            && before.body.content() == one.text()
            && let Some(here) = one.here()
        {
            before.body = Body::Leaf(here);
        }
        change
    });
    logged.collect()
}

/// A text that still shows a conflict, or a copy that does.
#[derive(Debug)]
pub struct Seen {
    /// What it holds.
    pub leaf: Leaf,
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
    /// The copies that show one.
    pub copies: Vec<Seen>,
    /// Those from which the markers are gone, or whose copy is.
    pub settled: Vec<Marked>,
    /// Those that could not be read just now.
    unread: Vec<Place>,
}

/// Looks at such texts as a scan found them.
pub fn meet<F: Folder>(folder: &F, scan: &Scan, marked: Vec<Marked>) -> Result<Met, EngineError> {
    let mut met = Met::default();
    for one in marked {
        let (Some(path), Some(text)) = (one.path(), one.text()) else { continue };
        if let Some(copy) = one.copy() {
            meet_copy(&scan.tree, one, &path, copy, &mut met);
            continue;
        }
        // A person may have moved it, and gone on with it.
        let moved = || place_of(&scan.tree, text);
        let Some(place) = scan.tree.find(&path).or_else(moved).or_else(|| gone_on(folder, scan, &one)) else {
            continue;
        };
        let Entry::Leaf(leaf) = scan.tree.at(place).entry else { continue };
        if leaf.kind != LeafKind::File || scan.forms.contains_key(&place) {
            continue;
        }
        let path = scan.tree.path(place);
        if leaf.content == text {
            met.shown.push(Seen { leaf, place, marked: one, path, is_as_written: true });
        } else if one.is_placed || mutant::is_on("meant-is-an-answer") {
            match shows(folder, &scan.tree, place, one.signs) {
                Ok(true) => met.shown.push(Seen { leaf, place, marked: one, path, is_as_written: false }),
                Ok(false) => met.settled.push(one),
                Err(EngineError::Folder(_)) => met.unread.push(place),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(met)
}

/// The file that a text with markers became, where it was moved and edited: one that was read just now, and that has such
/// markers. Whatever else it may be, it must not travel.
fn gone_on<F: Folder>(folder: &F, scan: &Scan, one: &Marked) -> Option<Place> {
    if !one.is_placed {
        return None;
    }
    let read: BTreeSet<Key> = scan.read_now().map(|digest| digest.metadata.key).collect();
    let is_read = |place: &Place| {
        let entry = scan.tree.at(*place);
        let is_file = matches!(entry.entry, Entry::Leaf(leaf) if leaf.kind == LeafKind::File);
        is_file && entry.key.is_some_and(|key| read.contains(&key)) && !scan.forms.contains_key(place)
    };
    // What can't be read now is looked at again when it can.
    let mut read = scan.tree.places().filter(is_read);
    read.find(|place| shows(folder, &scan.tree, *place, one.signs).unwrap_or(false))
}

fn meet_copy(tree: &Tree, one: Marked, of: &TreePath, copy: TreePath, met: &mut Met) {
    let entry = |path: &TreePath| tree.find(path).map(|place| (place, tree.at(place).entry.clone()));
    match entry(&copy) {
        Some((place, Entry::Leaf(leaf))) => {
            let is_as_written = Some(leaf.content) == one.text();
            met.copies.push(Seen { leaf, place, marked: one, path: copy, is_as_written });
        }
        // It is an answer only where all else can be seen.
        None if one.is_placed && matches!(entry(of), Some((_, Entry::Leaf(_)))) => met.settled.push(one),
        _ => {}
    }
}

/// Why a copy takes no part.
pub fn why_apart(one: &Marked) -> Unknown {
    let of = one.path().map_or_else(String::new, |path| path.to_string());
    Unknown::Foreign(format!(
        "it shows the other version of {of}, which is in conflict, and goes when that is settled"
    ))
}

/// Puts the version that stood there before into the tree of a scan, where a text shows a conflict.
pub fn outgoing<F: Folder>(folder: &F, scan: &mut Scan, marked: Vec<Marked>) -> Result<(), EngineError> {
    scan.marked = meet(folder, scan, marked)?;
    if mutant::is_on("marked-texts-travel") {
        scan.marked.shown.clear();
    }
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
    for Seen { place, marked: one, .. } in &scan.marked.copies {
        let modified = scan.tree.at(*place).modified;
        scan.tree.tell(*place, Entry::Unknown(why_apart(one)), modified);
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
