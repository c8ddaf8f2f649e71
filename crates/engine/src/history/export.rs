//! Export: what paths held at a moment, for a copy outside of the workspace. Nothing in the workspace changes.

use std::io::Write;

use instep_core::content::{ContentHasher, ContentId};
use instep_core::operation::Held;
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::remote::{ObjectId, Remote, RemoteError, RemoteErrorKind, Sink};

use super::act::scan;
use super::contents::Contents;
use super::log;
use super::restore::{Moment, past, rebase};
use crate::cycle::settings::SettingsSource;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::workspace::Workspace;

/// One file, link or folder to be written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Where it stood.
    pub path: TreePath,
    /// Where it goes, below the folder of the export: what was asked for keeps its own name there.
    pub target: TreePath,
    /// What it held.
    pub held: Held,
}

/// What the paths, and all below them, held at a moment, folders before what is in them.
pub fn find<F: Folder>(
    workspace: &Workspace<F>,
    source: &dyn SettingsSource,
    paths: &[TreePath],
    moment: &Moment,
    observer: &dyn Observer,
) -> Result<Vec<Exported>, EngineError> {
    let seen = scan(workspace, &source.read()?, observer)?;
    let operations = log::log(&workspace.state, None, usize::MAX >> 1)?;
    let mut found = Vec::new();
    for asked in paths {
        let past = past(&seen.tree, &operations, asked, moment)?;
        if past.is_empty() {
            return Err(EngineError::NotFound(format!(
                "no such version of {asked} is known; `instep log {asked}` lists those that are"
            )));
        }
        let there = past.into_iter().filter_map(|(path, held)| Some((path, held?)));
        found.extend(there.map(|(path, held)| Exported {
            target: rebase(&path, asked, &TreePath::root()),
            path,
            held,
        }));
    }
    found.sort_by(|a, b| a.target.cmp(&b.target));
    found.dedup_by(|a, b| a.target == b.target);
    Ok(found)
}

/// Copies a content that the history keeps, or that was fetched of the remote. Answers false if neither has all of it;
/// then what was written is worth nothing.
pub fn copy<F: Folder>(
    workspace: &Workspace<F>,
    remote: Option<&dyn Remote>,
    content: ContentId,
    out: &mut dyn Write,
    observer: &dyn Observer,
) -> Result<bool, EngineError> {
    let kept = Contents::open(&*workspace.folder)?;
    if kept.holds(content)? {
        return Ok(kept.copy_to(content, out)?);
    }
    let Some(remote) = remote else { return Ok(false) };
    let id = workspace.state.remote(&remote.describe().address)?.id;
    let Some(object) = workspace.state.object_of(id, content)? else { return Ok(false) };
    let mut pipe = Pipe { out, hasher: ContentHasher::new() };
    remote.fetch(&[object], &mut pipe, observer)?;
    Ok(pipe.hasher.finish() == content)
}

/// Hands one content on and names it.
struct Pipe<'a> {
    out: &'a mut dyn Write,
    hasher: ContentHasher,
}

impl Sink for Pipe<'_> {
    fn receive(
        &mut self,
        _object: ObjectId,
        _size: u64,
        content: &mut dyn std::io::Read,
    ) -> Result<(), RemoteError> {
        let failed = |error| {
            RemoteError::new(RemoteErrorKind::Local, "E-IO", "a version could not be copied").caused_by(error)
        };
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = content.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..count]);
            self.out.write_all(&buffer[..count]).map_err(failed)?;
        }
    }
}
