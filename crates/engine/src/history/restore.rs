//! Restore: a path as it was, by operation or time.
//!
//! The log holds what each path held before and after every operation, so that walking it backwards from the present
//! gives the state at any moment. A version that was never synced nor displaced is in no log: it was a person's own.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::operation::{Held, HeldKind, Operation, OperationId, OperationKind, SideRecord};
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::remote::Remote;
use instep_core::tree::Tree;

use super::act::{Acted, Deed, Sources, act, scan};
use super::log;
use super::wish::{self, Wishes};
use crate::conflict::abroad;
use crate::cycle::rules;
use crate::cycle::settings::SettingsSource;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::reach::Reach;
use crate::workspace::Workspace;

/// A moment of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// Before the last change of what is asked for: of one that no operation knows yet, or of the last that one made.
    Previous,
    /// Right after an operation; the start of its id.
    After(String),
    /// At a time.
    At(Timestamp),
}

/// What to bring back.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// The files and folders.
    pub paths: Vec<TreePath>,
    /// From when.
    pub moment: Moment,
    /// Into this folder of the workspace instead of its own place.
    pub to: Option<TreePath>,
    /// Say what would be done, change nothing.
    pub dry_run: bool,
}

/// What a path held at a moment.
pub type Past = BTreeMap<TreePath, Option<Held>>;

/// Brings paths back as they were. What stands there now is kept.
pub fn restore<F: Folder>(
    workspace: &mut Workspace<F>,
    reaches: &[Reach<'_>],
    source: &dyn SettingsSource,
    request: &RestoreRequest,
    observer: &dyn Observer,
) -> Result<Acted, EngineError> {
    crate::cycle::recover(workspace)?;
    let record = reaches.first().map(|reach| reach.record(&workspace.state)).transpose()?;
    let settings = rules::now(&workspace.state, &*workspace.folder, source, record.as_ref())?;
    let seen = scan(workspace, &settings, observer)?;
    let operations = log::log(&workspace.state, None, usize::MAX >> 1)?;
    let mut wishes = Wishes::new(&seen.tree);
    for path in &request.paths {
        let past = past(&seen.tree, &operations, path, &request.moment)?;
        if past.is_empty() {
            return Err(EngineError::NotFound(format!(
                "no such version of {path} is known; `instep log {path}` lists those that are"
            )));
        }
        wish_for(&mut wishes, &past, path, request.to.as_ref())?;
    }
    let changes = wishes.finish();
    if request.dry_run {
        let changed = changes.iter().map(|change| change.path().clone()).collect();
        return Ok(Acted { changed, ..Acted::default() });
    }
    let id = OperationId(workspace.clock.random());
    let deed =
        Deed { id, kind: OperationKind::Restore, undoes: None, message: None, address: None, waits: false };
    let sources = Sources::at(reaches, &workspace.state)?;
    act(workspace, &seen, &changes, &deed, &sources, Vec::new(), observer)
}

/// Wants all that existed at the moment; what came later stays where it is.
fn wish_for(
    wishes: &mut Wishes<'_>,
    past: &Past,
    asked: &TreePath,
    to: Option<&TreePath>,
) -> Result<(), EngineError> {
    for (path, held) in past {
        let Some(held) = held else { continue };
        let target = match to {
            Some(folder) => rebase(path, asked, folder),
            None => path.clone(),
        };
        if held.kind == HeldKind::Folder && wishes.at(&target).is_some() {
            continue;
        }
        if !wishes.put(&target, held) {
            return Err(EngineError::Refused(format!(
                "{target} can't come back: something of another kind stands there; move it away first"
            )));
        }
    }
    Ok(())
}

/// The place of a path below another folder: what was asked for keeps its own name there.
pub(super) fn rebase(path: &TreePath, asked: &TreePath, folder: &TreePath) -> TreePath {
    let above = asked.parent().map_or(0, |parent| parent.depth());
    path.names().skip(above).fold(folder.clone(), |path, name| path.join(&name))
}

/// What a path, and all below it, held at a moment; empty if nothing is known of it then.
pub fn past(
    tree: &Tree,
    operations: &[Operation],
    path: &TreePath,
    moment: &Moment,
) -> Result<Past, EngineError> {
    let present = present(tree, path);
    let until = match moment {
        Moment::Previous => return Ok(previous(present, operations, path)),
        Moment::After(typed) => {
            let found = operations.iter().position(|operation| operation.id.starts_with(typed));
            found.ok_or_else(|| EngineError::NotFound(format!("there is no operation {typed}")))?
        }
        Moment::At(time) => {
            operations.iter().position(|operation| operation.time <= *time).unwrap_or(operations.len())
        }
    };
    let mut past = present;
    for operation in &operations[..until] {
        for record in &operation.paths {
            if let Some(side) = record.local.as_ref().or(record.remote.as_ref()) {
                step_back(&mut past, path, &record.path, side);
            }
        }
    }
    settle(&mut past, &operations[until..], path);
    if past.values().all(Option::is_none) {
        past.clear();
    }
    Ok(past)
}

/// What stands here may hold edits that no operation knows of yet. What the last operation up to the moment left at a
/// path was there at the moment, whatever stands there now.
fn settle(past: &mut Past, until_then: &[Operation], asked: &TreePath) {
    let mut settled = BTreeSet::new();
    for record in until_then.iter().flat_map(|operation| &operation.paths) {
        let Some(side) = record.local.as_ref().or(record.remote.as_ref()) else { continue };
        let left = side.moved_from.as_ref().map(|from| (from, None));
        for (path, held) in std::iter::once((&record.path, side.after)).chain(left) {
            if path.is_within(asked) && settled.insert(path.clone()) {
                past.insert(path.clone(), held);
            }
        }
    }
}

/// The latest state that held something else than stands here now: what the operations left, if a person deleted or edited
/// it since, else what one of them left or displaced.
fn previous(present: Past, operations: &[Operation], path: &TreePath) -> Past {
    let is_other =
        |past: &Past| past.iter().any(|(path, held)| held.is_some() && present.get(path) != Some(held));
    let mut past = present.clone();
    settle(&mut past, operations, path);
    for operation in operations {
        // An edit of which no operation knew may lie between what one left and what the next displaced.
        settle(&mut past, std::slice::from_ref(operation), path);
        if is_other(&past) {
            return past;
        }
        for record in &operation.paths {
            if let Some(side) = record.local.as_ref().or(record.remote.as_ref()) {
                step_back(&mut past, path, &record.path, side);
            }
        }
        if is_other(&past) {
            return past;
        }
    }
    Past::new()
}

fn present(tree: &Tree, path: &TreePath) -> Past {
    let mut past = Past::new();
    for place in tree.places().skip(1) {
        let at = tree.path(place);
        if at.is_within(path)
            && let Some(held) = wish::held(&tree.at(place).entry)
        {
            past.insert(at, Some(held));
        }
    }
    past
}

fn step_back(past: &mut Past, asked: &TreePath, path: &TreePath, side: &SideRecord) {
    let stood = side.moved_from.as_ref().unwrap_or(path);
    if side.moved_from.is_some() && path.is_within(asked) {
        past.insert(path.clone(), None);
    }
    if stood.is_within(asked) {
        past.insert(stood.clone(), side.before);
    }
}

/// One version of a file, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// The operation that brought it.
    pub operation: OperationId,
    /// When.
    pub time: Timestamp,
    /// What it held then; `None` if it was gone.
    pub held: Option<Held>,
}

/// All versions of one file that the log knows, newest first.
pub fn versions<F: Folder>(
    workspace: &Workspace<F>,
    path: &TreePath,
) -> Result<Vec<FileVersion>, EngineError> {
    let mut versions = Vec::new();
    for operation in log::log(&workspace.state, Some(path), usize::MAX >> 1)? {
        for record in operation.paths.iter().filter(|record| record.path == *path) {
            if let Some(side) = record.local.as_ref().or(record.remote.as_ref()) {
                versions.push(FileVersion {
                    operation: operation.id,
                    time: operation.time,
                    held: side.after,
                });
            }
        }
    }
    Ok(versions)
}

/// Reads a version whole: from the history here, or from what was fetched of the remote.
pub fn read_version<F: Folder>(
    workspace: &Workspace<F>,
    remote: Option<&dyn Remote>,
    content: ContentId,
    observer: &dyn Observer,
) -> Result<Option<Vec<u8>>, EngineError> {
    let contents = super::contents::Contents::open(&*workspace.folder)?;
    let mut bytes = Vec::new();
    if contents.copy_to(content, &mut bytes)? {
        return Ok(Some(bytes));
    }
    let Some(remote) = remote else { return Ok(None) };
    let id = workspace.state.remote(&remote.describe().address)?.id;
    let object = match workspace.state.object_of(id, content)? {
        Some(object) => Some(object),
        None => abroad::object_of(&workspace.state, id, content)?,
    };
    let Some(object) = object else { return Ok(None) };
    let mut sink = Memory(Vec::new());
    remote.fetch(&[object], &mut sink, observer)?;
    Ok((ContentId::of(&sink.0) == content).then_some(sink.0))
}

struct Memory(Vec<u8>);

impl instep_core::remote::Sink for Memory {
    fn receive(
        &mut self,
        _object: instep_core::remote::ObjectId,
        _size: u64,
        content: &mut dyn std::io::Read,
    ) -> Result<(), instep_core::remote::RemoteError> {
        use instep_core::remote::{RemoteError, RemoteErrorKind};
        self.0.clear();
        content.read_to_end(&mut self.0).map(drop).map_err(|error| {
            RemoteError::new(RemoteErrorKind::Local, "E-IO", "a version could not be read").caused_by(error)
        })
    }
}
