//! What belongs to a database goes out of the way with it: an old log beside a new database would bring the old rows back.

use instep_core::content::ContentId;
use instep_core::database::{owner, sidecars};
use instep_core::path::{Name, TreePath};
use instep_core::plan::Change;

use super::{StepError, Work};
use crate::cycle::outcome::Held;
use crate::folder::{DiskKind, Folder, FolderError, Metadata};
use crate::form::FormCache;
use crate::form::database::{self, Look};
use crate::history::contents::content_of;
use crate::journal::Entry;
use crate::state::Kept;

/// A file that stepped aside into the staging folder.
pub(super) struct Aside {
    slot: Name,
    path: Vec<u8>,
    content: ContentId,
    size: u64,
}

impl<F: Folder> Work<'_, '_, F> {
    /// Answers whether a file is a database.
    pub(super) fn is_database(
        &self,
        change: &Change,
        (dir, name): (&F::Dir, &Name),
        size: u64,
    ) -> Result<bool, StepError> {
        // All pages are of one length, and a look at the length is cheap.
        let may_be = size > 0 && size.is_multiple_of(512);
        let starts = || database::starts_as_database(self.setting.folder, dir, name);
        if may_be { starts().map_err(|error| self.held(change, &error)) } else { Ok(false) }
    }

    /// A database that a program has open stays as it is.
    pub(super) fn refuse_open(
        &self,
        change: &Change,
        (dir, name): (&F::Dir, &Name),
        moves: bool,
    ) -> Result<(), StepError> {
        let why = database::why_it_waits(self.setting.folder, dir, name, moves);
        match why.map_err(|error| self.held(change, &error))? {
            None => Ok(()),
            Some(why) => Err(StepError::Held(self.open_here(change, &why))),
        }
    }

    fn open_here(&self, change: &Change, why: &str) -> Held {
        let why = format!("the database is in use here and waits: {why}");
        Held { path: change.path().clone(), side: instep_core::node::Side::Local, code: database::OPEN, why }
    }

    /// A file that is about to move: if it is a database, nobody has it open, and it leaves nothing behind.
    pub(super) fn clear_to_move(
        &mut self,
        change: &Change,
        at: (&F::Dir, &Name),
        found: &Metadata,
    ) -> Result<Vec<Aside>, StepError> {
        let Some(from) = change.from.clone().filter(|_| found.kind == DiskKind::File) else {
            return Ok(Vec::new());
        };
        if !self.is_database(change, at, found.size)? {
            return Ok(Vec::new());
        }
        self.refuse_open(change, at, true)?;
        self.set_aside(change, at, &from, None)
    }

    /// Keeps a copy of what a database holds together with its log or journal: apart from each other they are not whole.
    /// It must be what the plan knew.
    pub(super) fn keep_whole(&mut self, change: &Change, at: (&F::Dir, &Name)) -> Result<(), StepError> {
        let Some(place) = self.ground.place(change.node) else { return Ok(()) };
        let (folder, tree) = (self.setting.folder, self.setting.tree);
        let known = FormCache::default();
        let look = Look { folder, tree, place, dir: at.0, name: at.1, known: &known, read_now: false };
        let copied = match look.needs_nothing_beside() {
            Ok(true) => return Ok(()),
            Ok(false) => look.stage(self.setting.staging),
            Err(error) => Err(error),
        };
        let copied = copied.map_err(|error| self.held(change, &error))?;
        let expected = self.setting.forms.get(&place).map(|formed| formed.name);
        let Some(copied) = copied.filter(|copied| Some(copied.name) == expected) else {
            return Err(self.raced(change));
        };
        let kept = self.setting.staging.keep(copied.name, self.setting.contents);
        kept.map_err(|error| self.held(change, &error))?;
        self.applied.kept.push(Kept {
            content: copied.name,
            path: change.from.as_ref().map_or(Vec::new(), |path| path.as_bytes().to_vec()),
            operation: self.setting.operation.to_owned(),
            time: self.setting.now,
            size: copied.size,
            kind: "file".to_owned(),
        });
        Ok(())
    }

    /// Moves what belongs to a database of this name into the staging folder, journaled. `new` is what takes the
    /// database's name then. Should that fail, all goes back when the slots are settled.
    pub(super) fn set_aside(
        &mut self,
        change: &Change,
        (dir, name): (&F::Dir, &Name),
        at: &TreePath,
        new: Option<ContentId>,
    ) -> Result<Vec<Aside>, StepError> {
        let found = self.found_beside(at, (dir, name)).map_err(|error| self.held(change, &error))?;
        let mut asides = Vec::new();
        let mut entries = Vec::new();
        for (sidecar, path, content, size) in found {
            let slot = self.setting.staging.slot('q', self.setting.operation);
            entries.push(Entry::Beside {
                slot: slot.to_string(),
                path: path.clone(),
                old: content.to_string(),
                database: at.as_bytes().to_vec(),
                new: new.map(|new| new.to_string()),
            });
            asides.push((sidecar, Aside { slot, path, content, size }));
        }
        self.write_entries(&entries)?;
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir());
        for (sidecar, aside) in &asides {
            folder
                .place((dir, sidecar), (staging, &aside.slot))
                .map_err(|error| self.held(change, &error))?;
        }
        Ok(asides.into_iter().map(|(_, aside)| aside).collect())
    }

    #[expect(clippy::type_complexity, reason = "a row of four, taken apart at once")]
    fn found_beside(
        &self,
        at: &TreePath,
        (dir, name): (&F::Dir, &Name),
    ) -> Result<Vec<(Name, Vec<u8>, ContentId, u64)>, FolderError> {
        let folder = self.setting.folder;
        let mut found = Vec::new();
        for sidecar in sidecars(name) {
            let Some(metadata) = folder.metadata(dir, &sidecar)? else { continue };
            if metadata.kind != DiskKind::File {
                continue;
            }
            let content = content_of(folder, dir, &sidecar, &mut std::io::sink())?;
            let path = at.parent().map_or_else(Vec::new, |parent| parent.join(&sidecar).as_bytes().to_vec());
            found.push((sidecar, path, content, metadata.size));
        }
        Ok(found)
    }

    /// The database has its new version: what belonged to the old one is kept.
    pub(super) fn keep_aside(&mut self, change: &Change, asides: Vec<Aside>) -> Result<(), StepError> {
        let staging = self.setting.staging.dir().clone();
        for Aside { slot, path, content, size } in asides {
            let kept = self.setting.contents.keep((&staging, &slot), content);
            kept.map_err(|error| self.held(change, &error))?;
            self.applied.kept.push(Kept {
                content,
                path,
                operation: self.setting.operation.to_owned(),
                time: self.setting.now,
                size,
                kind: "file".to_owned(),
            });
        }
        Ok(())
    }

    /// Somebody opened a database in the moment in which it was displaced: he is to find it in its place.
    pub(super) fn opened_meanwhile(&self, change: &Change, slot: &Name) -> Option<StepError> {
        let openers = self.setting.folder.openers(self.setting.staging.dir(), slot).ok()?;
        let is_open = openers.locked || !openers.seen.is_empty();
        is_open.then(|| StepError::Held(self.open_here(change, "a program opened it just now")))
    }

    /// A file whose name makes it a part of a database that stands here would change what is in that.
    pub(super) fn refuse_sidecar(
        &self,
        change: &Change,
        (dir, name): (&F::Dir, &Name),
    ) -> Result<(), StepError> {
        let Some(owner) = owner(name) else { return Ok(()) };
        let found = self.setting.folder.metadata(dir, &owner).map_err(|error| self.held(change, &error))?;
        let Some(found) = found.filter(|found| found.kind == DiskKind::File) else { return Ok(()) };
        if !self.is_database(change, (dir, &owner), found.size)? {
            return Ok(());
        }
        Err(StepError::Held(Held {
            path: change.path().clone(),
            side: instep_core::node::Side::Local,
            code: "E-DB-SIDECAR",
            why: format!(
                "SQLite would take it for a part of the database {owner}, and change what that holds"
            ),
        }))
    }
}
