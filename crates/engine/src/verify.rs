//! Verify: the folder, the state, the history and the remote held against each other.
//!
//! ```text
//! state    the database is sound; what is written down about a path is so
//! disk     with all data read: no file changed without anybody writing to it
//! history  every kept version is there, and with all data read is what it was
//! remote   its head is known, it lists what is remembered of it; with all data read, it has every content
//! ```
//!
//! Nothing is changed, here or there. What a person did since the last sync is no fault: it is counted. Where the last
//! sync left something open, what is remembered of the remote may lag behind it, and only contents are asked for.

mod kept;
mod there;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::node::{Body, Known, NodeId, Row, Side};
use instep_core::operation::{Operation, OperationId};
use instep_core::path::{Name, TreePath};
use instep_core::progress::Observer;
use instep_core::remote::Lineage;
use instep_core::tree::{Entry, Key, Leaf, Place, Tree, Unknown};

use crate::conflict;
use crate::cycle::outcome::{Held, OpenConflict};
use crate::cycle::report::held_in;
use crate::cycle::rules;
use crate::cycle::settings::{SettingsSource, SyncSettings};
use crate::digest::DigestCache;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form;
use crate::history::log;
use crate::reach::Reach;
use crate::scan::{Scan, ScanOptions};
use crate::state::{Kept, RemoteRecord};
use crate::workspace::Workspace;

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct VerifyRequest {
    /// These paths and what is below them; all if there are none.
    pub paths: Vec<TreePath>,
    /// Read every content, here, in the history and at the remote.
    pub read_data: bool,
    /// The history was looked at already, together with another remote.
    pub is_further: bool,
}

impl VerifyRequest {
    fn covers(&self, path: &TreePath) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|asked| path == asked || path.is_within(asked))
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// How much was looked at.
    pub counts: Counts,
    /// What is wrong, in order of path.
    pub faults: Vec<Fault>,
    /// What could not be looked at here, in order of path.
    pub held: Vec<Held>,
    /// How far the remote was looked at.
    pub remote: Looked,
    /// Steps of an interrupted run that wait to be finished.
    pub unfinished: u64,
    /// Files of the history that hold something else by now, by name.
    pub written_to: Vec<WrittenTo>,
}

/// A file of the history that holds something else than what it was kept for: a program that had it open went on writing,
/// or the disk damaged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTo {
    /// Where it stood, if all versions of that content that are written down stood there.
    pub path: Option<TreePath>,
    /// Its name in the folder of the history.
    pub name: Name,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Files and links here; with all data read, each was read.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Files here that a person made, changed or removed since the last sync.
    pub changed: u64,
    /// Versions in the history.
    pub versions: u64,
    /// Their bytes.
    pub version_bytes: u64,
    /// Files that hold them and were read.
    pub versions_read: u64,
    /// Open conflicts.
    pub conflicts: u64,
    /// Contents that the remote lists.
    pub objects: u64,
    /// Those that were fetched and read.
    pub objects_read: u64,
    /// Their bytes.
    pub object_bytes_read: u64,
}

/// How far the remote was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Looked {
    /// There is none, or nothing was ever synced with it.
    #[default]
    Nothing,
    /// It could not be asked: one sentence.
    Away(String),
    /// It was looked at as the last sync left it.
    Whole {
        /// It got something since.
        ahead: bool,
    },
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path, where one is concerned.
    pub path: Option<TreePath>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The database's own structure is damaged; the first line of what it says.
    Database(String),
    /// A file here changed, and nobody wrote to it.
    Rotten {
        /// The newest operation that left what it held there: it can be brought back as it was then.
        operation: Option<OperationId>,
        /// Where what it held stands still.
        copy: Option<Copy>,
    },
    /// A version is not in the history any more.
    Lost {
        /// The operation that displaced it.
        operation: String,
        /// When.
        time: Timestamp,
        /// Where the same content stands still.
        copy: Option<Copy>,
    },
    /// A version in the history holds something else now.
    Spoiled {
        /// The operation that displaced it.
        operation: String,
        /// When.
        time: Timestamp,
        /// Where the same content stands still.
        copy: Option<Copy>,
    },
    /// A version of an open conflict stands nowhere.
    Version {
        /// The conflict's number.
        conflict: u64,
        /// Which version: `here`, `there` or `base`.
        version: &'static str,
    },
    /// The head is not what it must be.
    Head(HeadFault),
    /// The remote is remembered to hold something that it does not list.
    Unlisted {
        /// Where the content stands still.
        copy: Option<Copy>,
    },
    /// The remote lists something else than is remembered.
    Differs {
        /// Where the remembered content stands still.
        copy: Option<Copy>,
    },
    /// The remote lists a content that it does not hand over whole.
    Object {
        /// The stable code.
        code: &'static str,
        /// One sentence.
        message: String,
        /// What to do at the remote, where that is known.
        hint: Option<String>,
        /// Where the content stands still.
        copy: Option<Copy>,
    },
}

/// What can be wrong with a remote's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadFault {
    /// There is none any more.
    Gone,
    /// It is another history, or an older state.
    Lineage(Lineage),
    /// The remote could not list what it held: code, sentence and what to do.
    Unreadable(&'static str, String, Option<String>),
}

/// Where a content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// In a file here.
    Here,
    /// In the history.
    Kept,
    /// At the remote.
    There,
    /// The remote had it once: its past may hold it still.
    Past,
}

/// Holds everything against everything.
pub fn verify<F: Folder>(
    workspace: &Workspace<F>,
    reach: Option<&Reach<'_>>,
    source: &dyn SettingsSource,
    request: &VerifyRequest,
    observer: &dyn Observer,
) -> Result<Verified, EngineError> {
    let state = &workspace.state;
    if let Some(line) = state.damage()?.into_iter().next() {
        // Nothing that such a database says can be held against anything.
        let fault = Fault { path: None, kind: FaultKind::Database(line) };
        return Ok(Verified { faults: vec![fault], ..Verified::default() });
    }
    let record = reach.map(|reach| reach.record(state)).transpose()?;
    let settings = rules::now(state, &*workspace.folder, source, record.as_ref())?;
    let known = record.as_ref().map(|record| state.known(record.id)).transpose()?.unwrap_or_default();
    let before = state.digests()?;
    let scan = look(workspace, reach, &settings, &before, request, observer)?;
    let conflicts = record.as_ref().map(|record| conflict::open(state, record.id)).transpose()?;
    let mut past = HashSet::new();
    for remote in state.remotes()? {
        past.extend(state.objects(remote)?.into_values().map(|(content, _)| content));
    }
    let mut check = Check {
        workspace,
        request,
        observer,
        record,
        settings,
        known,
        rotten: before.changed_without_trace(scan.read_now()),
        before,
        scan,
        conflicts: conflicts.unwrap_or_default(),
        here: HashSet::new(),
        kept: BTreeMap::new(),
        there: HashSet::new(),
        past,
        found: Verified { unfinished: state.journal()?.len() as u64, ..Verified::default() },
    };
    check.conflicts.retain(|open| request.covers(&open.conflict.path));
    check.disk();
    let versions = check.history()?;
    if let Some(reach) = reach {
        check.remote(reach)?;
    }
    // Only now is it known where else a content stands.
    check.rot()?;
    if !request.is_further {
        check.versions(&versions);
    }
    check.open_conflicts();
    let mut found = check.found;
    found.faults.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Scans the folder as a cycle does; what is to be read is read whatever is known of it.
fn look<F: Folder>(
    workspace: &Workspace<F>,
    reach: Option<&Reach<'_>>,
    settings: &SyncSettings,
    before: &DigestCache,
    request: &VerifyRequest,
    observer: &dyn Observer,
) -> Result<Scan, EngineError> {
    let remote = reach.and_then(Reach::remote);
    let refuses = |path: &TreePath, size: u64| {
        if let Some(invalid) = settings.invalid_at(path) {
            return Some(invalid);
        }
        if let Some(max) = settings.file_bytes_max.filter(|max| size > *max) {
            let why = format!("{size} bytes is above max_file_size, {max} bytes");
            return Some(Unknown::Unfit { code: "E-SIZE", why });
        }
        let refusal = remote?.refuses(path, size)?;
        Some(Unknown::Unfit { code: refusal.code, why: refusal.why })
    };
    let forms = workspace.state.forms()?;
    let scan = |digests: &DigestCache| -> Result<Scan, EngineError> {
        let options = ScanOptions {
            filter: &settings.filter,
            rules: &settings.rules,
            links: settings.links,
            digests,
            workers: settings.workers,
            refuses: &refuses,
            observer,
        };
        let mut scan = crate::scan::scan(&*workspace.folder, &options)?;
        form::outgoing(&*workspace.folder, &mut scan, &forms, &settings.groups, None)?;
        crate::scan::exec::recall(&*workspace.folder, &workspace.state, &mut scan.tree)?;
        Ok(scan)
    };
    if !request.read_data {
        return scan(before);
    }
    if request.paths.is_empty() {
        return scan(&DigestCache::default());
    }
    let tree = scan(before)?.tree;
    let asked = tree.places().filter(|place| request.covers(&tree.path(*place)));
    let keys: BTreeSet<Key> = asked.filter_map(|place| tree.at(place).key).collect();
    let mut doubted = before.clone();
    doubted.doubt(&keys);
    scan(&doubted)
}

/// A verification on its way.
struct Check<'a, F: Folder> {
    workspace: &'a Workspace<F>,
    request: &'a VerifyRequest,
    observer: &'a dyn Observer,
    record: Option<RemoteRecord>,
    settings: SyncSettings,
    known: Known,
    /// What the files were found to hold when they were read before.
    before: DigestCache,
    scan: Scan,
    /// The files that changed without anybody writing to them.
    rotten: BTreeSet<Key>,
    conflicts: Vec<OpenConflict>,
    /// What stands here.
    here: HashSet<ContentId>,
    /// What should be kept: whether it is.
    kept: BTreeMap<ContentId, kept::Copies>,
    /// What the remote has.
    there: HashSet<ContentId>,
    /// What any remote ever had, as far as is known here.
    past: HashSet<ContentId>,
    found: Verified,
}

impl<F: Folder> Check<'_, F> {
    fn fault(&mut self, path: Option<TreePath>, kind: FaultKind) {
        self.found.faults.push(Fault { path, kind });
    }

    /// Where a content stands, its best place first.
    fn copy(&self, content: ContentId) -> Option<Copy> {
        let kept = self.kept.get(&content).is_some_and(|copies| copies.sound > 0);
        match () {
            () if self.here.contains(&content) => Some(Copy::Here),
            () if kept => Some(Copy::Kept),
            () if self.there.contains(&content) => Some(Copy::There),
            () if self.past.contains(&content) => Some(Copy::Past),
            () => None,
        }
    }

    /// Counts what stands here, and what a person did since the last sync.
    fn disk(&mut self) {
        let tree = &self.scan.tree;
        let mut known: BTreeSet<Place> = BTreeSet::new();
        let mut gone = 0;
        for row in self.known.rows() {
            let Some(Body::Leaf(leaf)) = row.views.side(Side::Local).map(|value| value.body) else {
                continue;
            };
            let Some(path) = path(&self.known, row, Side::Local).filter(|path| self.request.covers(path))
            else {
                continue;
            };
            match meet(tree, &path) {
                Met::At(place) if is_same(&tree.at(place).entry, &leaf) => {
                    known.insert(place);
                }
                // It stands there changed and is counted with what is here; or it is out of sight.
                Met::At(_) | Met::Unknown => {}
                Met::Nothing => gone += 1,
            }
        }
        let counts = &mut self.found.counts;
        for place in tree.places() {
            let (Entry::Leaf(leaf), true) = (&tree.at(place).entry, self.request.covers(&tree.path(place)))
            else {
                continue;
            };
            counts.files += 1;
            counts.file_bytes += leaf.size;
            let is_rotten = tree.at(place).key.is_some_and(|key| self.rotten.contains(&key));
            counts.changed += u64::from(!known.contains(&place) && !is_rotten);
        }
        counts.changed += gone;
        let leaves = tree.places().filter_map(|place| match tree.at(place).entry {
            Entry::Leaf(leaf) => Some(leaf.content),
            _ => None,
        });
        self.here = leaves.collect();
        let held = held_in(tree, Side::Local).into_iter().filter(|held| self.request.covers(&held.path));
        self.found.held = held.collect();
        self.found.held.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// The files whose content is another though nobody wrote to them.
    fn rot(&mut self) -> Result<(), EngineError> {
        let (tree, digests) = (&self.scan.tree, self.before.digests());
        let rotten = tree.places().filter_map(|place| {
            let key = tree.at(place).key.filter(|key| self.rotten.contains(key))?;
            Some((tree.path(place), digests[self.before.place(key)?].content))
        });
        for (path, content) in rotten.collect::<Vec<_>>() {
            let copy = self.copy(content);
            let operations = log::log(&self.workspace.state, Some(&path), usize::MAX >> 1)?;
            let left = operations.iter().find(|operation| leaves(operation, &path, content));
            let operation = left.map(|operation| operation.id);
            self.fault(Some(path), FaultKind::Rotten { operation, copy });
        }
        Ok(())
    }

    /// The versions of open conflicts that stand nowhere.
    fn open_conflicts(&mut self) {
        let open = std::mem::take(&mut self.conflicts);
        self.found.counts.conflicts = open.len() as u64;
        for OpenConflict { number, conflict, .. } in &open {
            let versions = [("here", &conflict.local), ("there", &conflict.remote), ("base", &conflict.base)];
            for (word, version) in versions {
                let Some(leaf) = version.as_ref().and_then(|version| version.leaf) else { continue };
                if self.copy(leaf.content).is_none() {
                    let kind = FaultKind::Version { conflict: *number, version: word };
                    self.fault(Some(conflict.path.clone()), kind);
                }
            }
        }
    }
}

/// Where a node was on one side when the last cycle ended.
fn path(known: &Known, row: &Row, side: Side) -> Option<TreePath> {
    let mut names = Vec::new();
    let mut value = row.views.side(side)?;
    loop {
        names.push(&value.name);
        if value.parent == NodeId::ROOT {
            return Some(names.into_iter().rev().fold(TreePath::root(), |path, name| path.join(name)));
        }
        value = known.row(value.parent)?.views.side(side)?;
    }
}

/// What a tree has at a path.
enum Met {
    At(Place),
    /// It, or a folder above it, takes no part.
    Unknown,
    Nothing,
}

fn meet(tree: &Tree, path: &TreePath) -> Met {
    let mut at = Place::ROOT;
    for name in path.names() {
        match tree.child(at, &name) {
            Some(place) if matches!(tree.at(place).entry, Entry::Unknown(_)) => return Met::Unknown,
            Some(place) => at = place,
            None => return Met::Nothing,
        }
    }
    Met::At(at)
}

/// Answers whether an operation left a content at a path.
fn leaves(operation: &Operation, path: &TreePath, content: ContentId) -> bool {
    operation.paths.iter().filter(|record| record.path == *path).any(|record| {
        let side = record.local.as_ref().or(record.remote.as_ref());
        side.and_then(|side| side.after).is_some_and(|held| held.content == Some(content))
    })
}

fn is_same(entry: &Entry, leaf: &Leaf) -> bool {
    matches!(entry, Entry::Leaf(found) if found == leaf)
}
