//! Files and links: put in place, exchanged with a new version, taken away; and what was displaced, kept.

use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::Body;
use instep_core::path::Name;
use instep_core::plan::Change;
use instep_core::secret::is_secret;
use instep_core::tree::{Leaf, LeafKind};

use super::order::Step;
use super::{Placed, Setting, StepError, Tried, Work};
use crate::doubt::is_doubtful;
use crate::folder::{DiskKind, Folder, FolderError, FolderFailure, Metadata};
use crate::history::contents::content_of;
use crate::journal::kept_kind;
use crate::stage::Staged;
use crate::state::Kept;

/// What was found in a slot after an exchange or removal.
enum Displaced {
    /// What the plan knew: it is kept now.
    Known,
    /// An edit that nobody knew of: it was given its name back.
    PutBack,
}

impl<F: Folder> Work<'_, '_, F> {
    pub(super) fn create_leaf(&mut self, change: &Change) -> Result<Tried, StepError> {
        let after = change.after.as_ref().expect("because a creation has an after");
        self.needs_parent(change, after)?;
        if self.ground.is_taken(after, change.node) {
            return Ok(Tried::Blocked);
        }
        let Some(dir) = self.ground.dir(after.parent).map_err(|error| self.held(change, &error))? else {
            return Ok(Tried::Blocked);
        };
        self.refuse_sidecar(change, (&dir, &after.name))?;
        let leaf = leaf_of(&after.body);
        let staged = self.take_staged(change, leaf)?;
        let staging = self.setting.staging.dir().clone();
        let size = staged.metadata.size;
        let asides = match &change.to {
            Some(to) if self.is_database(change, (&staging, &staged.name), size)? => {
                self.set_aside(change, (&dir, &after.name), to, Some(leaf.content))?
            }
            _ => Vec::new(),
        };
        match self.setting.folder.place((&staging, &staged.name), (&dir, &after.name)) {
            Ok(()) => {}
            Err(error) => {
                self.setting.staging.give_back(leaf.content, staged);
                return Err(self.held(change, &error));
            }
        }
        self.ground.put(change.node, after, staged.metadata.key);
        self.ground.stand(change.node).map_err(|error| self.held(change, &error))?;
        self.note_placed(change, leaf, &staged);
        self.keep_aside(change, asides)?;
        Ok(Tried::Done)
    }

    fn note_placed(&mut self, change: &Change, leaf: Leaf, staged: &Staged) {
        self.applied.keys.insert(change.node, staged.metadata.key);
        self.placed.push(Placed { node: change.node, staged: staged.metadata, content: leaf.content });
    }

    /// A staged file of the change's own: with the content, or a link to it, and the executable bit. What looks like a
    /// secret is its owner's alone, unless it comes to inherit the mode of what it replaces.
    fn take_staged(&mut self, change: &Change, leaf: Leaf) -> Result<Staged, StepError> {
        if leaf.kind == LeafKind::Link {
            return self.stage_link(change, leaf.content);
        }
        let Some(mut staged) = self.setting.staging.take(leaf.content) else {
            return Err(self.raced(change));
        };
        let (folder, dir) = (self.setting.folder, self.setting.staging.dir());
        if change.after.as_ref().is_some_and(|after| is_secret(&after.name)) {
            folder.make_private(dir, &staged.name).map_err(|error| self.held(change, &error))?;
        }
        if leaf.exec {
            folder
                .set_exec(dir, &staged.name, staged.metadata.key, true)
                .map_err(|error| self.held(change, &error))?;
            staged.metadata.mode |= 0o100;
        }
        Ok(staged)
    }

    fn stage_link(&mut self, change: &Change, content: ContentId) -> Result<Staged, StepError> {
        let target = self.setting.staging.read(content).map_err(|error| self.held(change, &error))?;
        let Some(target) = target else { return Err(self.raced(change)) };
        let slot = self.setting.staging.slot('l', self.setting.operation);
        let (folder, dir) = (self.setting.folder, self.setting.staging.dir());
        let made = folder.create_link(dir, &slot, &target).and_then(|()| folder.metadata(dir, &slot));
        match made.map_err(|error| self.held(change, &error))? {
            Some(metadata) => Ok(Staged { name: slot, metadata }),
            None => Err(self.raced(change)),
        }
    }

    /// What stands at the name must be what the plan saw: same identity, kind, length and time.
    pub(super) fn look_before(
        &self,
        change: &Change,
        dir: &F::Dir,
        name: &Name,
    ) -> Result<Metadata, StepError> {
        let found = self.setting.folder.metadata(dir, name).map_err(|error| self.held(change, &error))?;
        let Some(found) = found else { return Err(self.raced(change)) };
        let same_key = self.ground.key(change.node).is_none_or(|key| key == found.key);
        let same_content = match change.before.as_ref().map(|value| value.body) {
            Some(Body::Leaf(leaf)) if leaf.kind == LeafKind::File => {
                let place = self.ground.place(change.node);
                let formed = place.and_then(|place| self.setting.forms.get(&place));
                let seen = place.and_then(|place| self.setting.tree.at(place).modified);
                let seen = formed.map(|formed| formed.modified).or(seen);
                found.kind == DiskKind::File
                    && found.size == formed.map_or(leaf.size, |formed| formed.size)
                    && seen.is_none_or(|seen| seen == found.modified)
            }
            Some(Body::Leaf(_)) => found.kind == DiskKind::Link,
            _ => found.kind == DiskKind::Folder,
        };
        if same_key && same_content { Ok(found) } else { Err(self.raced(change)) }
    }

    /// What is about to be displaced is to be found again, whatever its writer waited for: the new version is durable,
    /// and a power cut must not leave that alone.
    fn make_durable(
        &mut self,
        change: &Change,
        (dir, name): (&F::Dir, &Name),
        found: &Metadata,
    ) -> Result<(), StepError> {
        // Under another name, somebody may write to it as soon as it is displaced.
        let is_shared = found.has_other_names() && !mutant::is_on("other-names-forgotten");
        if is_shared || found.kind == DiskKind::File && is_doubtful(found, self.setting.doubt) {
            self.keep_copy(change, (dir, name))?;
        }
        let is_done = self.all_durable || mutant::is_on("displaced-not-durable");
        if is_done || found.kind != DiskKind::File {
            return Ok(());
        }
        match self.setting.folder.sync_file(dir, name).map_err(|error| self.held(change, &error))? {
            key if key == found.key => Ok(()),
            _ => Err(self.raced(change)),
        }
    }

    /// A copy in the history, which is durable by itself: the one that is displaced may not be.
    fn keep_copy(&mut self, change: &Change, at: (&F::Dir, &Name)) -> Result<(), StepError> {
        let expected = self.lies_there(change).or(change.before.as_ref().and_then(|v| v.body.content()));
        let Some(content) = expected else { return Err(self.raced(change)) };
        self.keep_anew(change, at, content)
    }

    /// Writes a content into a file of ours in the history, and waits for the disk.
    fn keep_anew(
        &mut self,
        change: &Change,
        at: (&F::Dir, &Name),
        content: ContentId,
    ) -> Result<(), StepError> {
        let Setting { staging, contents, .. } = &mut self.setting;
        let kept = staging.stage_copy(at, content).and_then(|is_same| {
            if is_same { staging.keep(content, contents).map(|()| true) } else { Ok(false) }
        });
        match kept {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.raced(change)),
            Err(error) => Err(self.held(change, &error)),
        }
    }

    /// A file that is about to be displaced: if it is a database, nobody has it open and what it holds is kept whole.
    /// Answers whether it is one.
    fn clear_database(
        &mut self,
        change: &Change,
        at: (&F::Dir, &Name),
        found: &Metadata,
    ) -> Result<bool, StepError> {
        if found.kind != DiskKind::File || !self.is_database(change, at, found.size)? {
            return Ok(false);
        }
        self.refuse_open(change, at, false)?;
        self.keep_whole(change, at)?;
        Ok(true)
    }

    pub(super) fn write_leaf(&mut self, change: &Change, step: &Step) -> Result<Tried, StepError> {
        let slot = step.slot.as_ref().expect("because steps that displace have a slot");
        let Some((dir, name)) = self.ground.stand(change.node).map_err(|error| self.held(change, &error))?
        else {
            return Err(self.raced(change));
        };
        let found = self.look_before(change, &dir, &name)?;
        self.keep_travelling(change, (&dir, &name))?;
        let database = self.clear_database(change, (&dir, &name), &found)?;
        self.make_durable(change, (&dir, &name), &found)?;
        let leaf = leaf_of(&change.after.as_ref().expect("because a write has an after").body);
        let staged = self.take_staged(change, leaf)?;
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir().clone());
        let prepare = || -> Result<(), FolderError> {
            if leaf.kind == LeafKind::File && found.kind == DiskKind::File {
                folder.copy_attributes((&dir, &name), (&staging, &staged.name))?;
                folder.set_exec(&staging, &staged.name, staged.metadata.key, leaf.exec)?;
            }
            folder.place((&staging, &staged.name), (&staging, slot))
        };
        prepare().map_err(|error| self.held(change, &error))?;
        let asides = match change.from.as_ref().filter(|_| database) {
            Some(from) => self.set_aside(change, (&dir, &name), from, Some(leaf.content))?,
            None => Vec::new(),
        };
        self.exchange(change, (&dir, &name), slot)?;
        // Who has it open is asked of every process: of databases alone.
        if database
            && let Some(open) = self.opened_meanwhile(change, slot)
            && self.give_name_back(change, (&dir, &name), slot, Some(&staged.metadata))?
        {
            return Err(open);
        }
        match self.keep_displaced(change, (&dir, &name, &found), slot, Some(&staged.metadata))? {
            Displaced::Known => {
                self.ground.rekey(change.node, staged.metadata.key);
                self.note_placed(change, leaf, &staged);
                self.keep_aside(change, asides)?;
                Ok(Tried::Done)
            }
            Displaced::PutBack => Err(self.raced(change)),
        }
    }

    /// Gives the new version the name; the old one stands in the slot afterwards.
    fn exchange(&mut self, change: &Change, target: (&F::Dir, &Name), slot: &Name) -> Result<(), StepError> {
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir().clone());
        match folder.exchange((&staging, slot), target) {
            Ok(()) => Ok(()),
            Err(error) if error.failure() == FolderFailure::Unsupported => {
                let aside = self.setting.staging.free_name();
                self.step_aside(target, slot, &aside).map_err(|error| self.held(change, &error))
            }
            Err(error) => Err(self.held(change, &error)),
        }
    }

    /// Where the disk knows no exchange: the old version steps into the slot before the new one takes the name, and the
    /// name is free for a moment. Whoever saves in that moment keeps it.
    fn step_aside(&self, target: (&F::Dir, &Name), slot: &Name, aside: &Name) -> Result<(), FolderError> {
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir());
        folder.place((staging, slot), (staging, aside))?;
        folder.place(target, (staging, slot))?;
        let placed = folder.place((staging, aside), target);
        if placed.as_ref().is_err_and(|error| error.failure() != FolderFailure::Taken) {
            folder.place((staging, slot), target)?;
        }
        placed
    }

    /// Names what was displaced into the slot. What the plan knew goes to the history; anything else is an edit made
    /// meanwhile, and gets its name back. `found` is what was made durable, and `ours` what took the name, if anything did.
    fn keep_displaced(
        &mut self,
        change: &Change,
        (dir, name, found): (&F::Dir, &Name, &Metadata),
        slot: &Name,
        ours: Option<&Metadata>,
    ) -> Result<Displaced, StepError> {
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir().clone());
        let content = content_of(folder, &staging, slot, &mut std::io::sink());
        let metadata = folder.metadata(&staging, slot).map_err(|error| self.held(change, &error))?;
        let content = content.map_err(|error| self.held(change, &error))?;
        let expected =
            self.lies_there(change).or(change.before.as_ref().and_then(|value| value.body.content()));
        let differs = expected != Some(content) && !mutant::is_on("displaced-not-compared");
        if differs && self.give_name_back(change, (dir, name), slot, ours)? {
            return Ok(Displaced::PutBack);
        }
        let is_other = |now: Metadata| now.key != found.key || now.modified != found.modified;
        let was_saved = found.kind == DiskKind::File && metadata.is_some_and(is_other);
        let is_raced = differs || was_saved && !mutant::is_on("saved-alike-not-durable");
        if is_raced && !mutant::is_on("raced-not-durable") {
            // It was written after it had been made durable, or saved anew as it was. If the disk refuses it, a later wait may
            // succeed with nothing written.
            if let Err(error) = folder.sync_file(&staging, slot) {
                let is_dropped = mutant::is_on("refused-is-kept");
                if is_dropped || self.keep_anew(change, (&staging, slot), content).is_err() {
                    return Err(self.held(change, &error));
                }
            }
        }
        let kept = match mutant::is_on("displaced-is-deleted") {
            true => folder.remove_file(&staging, slot),
            false => self.setting.contents.keep((&staging, slot), content),
        };
        kept.map_err(|error| self.held(change, &error))?;
        if let Some(path) = change.from.as_ref().filter(|_| ours.is_some())
            && metadata.is_some_and(|metadata| metadata.has_other_names())
        {
            self.applied
                .notices
                .push(format!("other names of {path} (hard links) still lead to what it held before"));
        }
        if let Some(metadata) = metadata.filter(|_| !mutant::is_on("kept-without-a-row")) {
            self.applied.kept.push(Kept {
                content,
                path: change.from.as_ref().map_or(Vec::new(), |path| path.as_bytes().to_vec()),
                operation: self.setting.operation.to_owned(),
                time: self.setting.now,
                size: metadata.size,
                kind: kept_kind(metadata.kind, metadata.exec()).to_owned(),
            });
        }
        Ok(Displaced::Known)
    }

    /// Puts an unknown edit back under its name: in exchange for our version after a write, into the free name after a
    /// removal. Answers false if something else took the name meanwhile. What stays in the slot is settled at the end.
    fn give_name_back(
        &self,
        change: &Change,
        target: (&F::Dir, &Name),
        slot: &Name,
        ours: Option<&Metadata>,
    ) -> Result<bool, StepError> {
        let (folder, staging) = (self.setting.folder, self.setting.staging.dir());
        let swap = || folder.exchange((staging, slot), target);
        let give = || -> Result<(), FolderError> {
            let Some(ours) = ours else { return folder.place((staging, slot), target) };
            swap()?;
            // Somebody saved once more, into our version or in its place: the newest save keeps the name.
            match folder.metadata(staging, slot)? {
                Some(found) if !is_untouched(&found, ours) && !mutant::is_on("second-save-unseen") => swap(),
                _ => Ok(()),
            }
        };
        match give() {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.failure(), FolderFailure::Taken | FolderFailure::Unsupported) => {
                Ok(false)
            }
            Err(error) => Err(self.held(change, &error)),
        }
    }

    pub(super) fn remove_leaf(&mut self, change: &Change, step: &Step) -> Result<Tried, StepError> {
        let slot = step.slot.as_ref().expect("because steps that displace have a slot");
        let Some((dir, name)) = self.ground.stand(change.node).map_err(|error| self.held(change, &error))?
        else {
            return Err(self.raced(change));
        };
        let found = self.look_before(change, &dir, &name)?;
        self.keep_travelling(change, (&dir, &name))?;
        let database = self.clear_database(change, (&dir, &name), &found)?;
        self.make_durable(change, (&dir, &name), &found)?;
        let asides = match change.from.as_ref().filter(|_| database) {
            Some(from) => self.set_aside(change, (&dir, &name), from, None)?,
            None => Vec::new(),
        };
        let staging = self.setting.staging.dir().clone();
        self.setting
            .folder
            .place((&dir, &name), (&staging, slot))
            .map_err(|error| self.held(change, &error))?;
        // Who has it open is asked of every process: of databases alone.
        if database
            && let Some(open) = self.opened_meanwhile(change, slot)
            && self.give_name_back(change, (&dir, &name), slot, None)?
        {
            return Err(open);
        }
        match self.keep_displaced(change, (&dir, &name, &found), slot, None)? {
            Displaced::Known => {
                self.keep_aside(change, asides)?;
                self.ground.remove(change.node);
                Ok(Tried::Done)
            }
            Displaced::PutBack => Err(self.raced(change)),
        }
    }

    pub(super) fn set_exec(&mut self, change: &Change) -> Result<Tried, StepError> {
        let Some((dir, name)) = self.ground.stand(change.node).map_err(|error| self.held(change, &error))?
        else {
            return Err(self.raced(change));
        };
        let found = self.look_before(change, &dir, &name)?;
        let leaf = leaf_of(&change.after.as_ref().expect("because a write has an after").body);
        self.setting
            .folder
            .set_exec(&dir, &name, found.key, leaf.exec)
            .map_err(|error| self.held(change, &error))?;
        self.applied.keys.insert(change.node, found.key);
        Ok(Tried::Done)
    }
}

/// Answers whether a file that we staged is as we staged it.
pub(super) fn is_untouched(found: &Metadata, staged: &Metadata) -> bool {
    found.key == staged.key && found.size == staged.size && found.modified == staged.modified
}

fn leaf_of(body: &Body) -> Leaf {
    match body {
        Body::Leaf(leaf) => *leaf,
        Body::Folder => unreachable!("because folders have steps of their own"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use instep_core::progress::{Event, Observer, Silent};
    use instep_core::remote::MachineStamp;
    use instep_remote::memory::MemoryPlace;
    use rustix::io::Errno;

    use crate::cycle::outcome::Outcome;
    use crate::cycle::request::Request;
    use crate::cycle::settings::SyncSettings;
    use crate::folder::disk::DiskFolder;
    use crate::folder::faulty::{Fault, Faulty};
    use crate::state::State;
    use crate::still::Still;
    use crate::workspace::Workspace;

    fn sync(root: &Path, place: &MemoryPlace, name: &str, state: State, faults: Vec<(&str, Fault)>) -> State {
        sync_told(root, place, name, state, faults, &Silent).0
    }

    /// Answers the outcome too, and how often it was asked who has a file open.
    fn sync_told(
        root: &Path,
        place: &MemoryPlace,
        name: &str,
        state: State,
        faults: Vec<(&str, Fault)>,
        observer: &dyn Observer,
    ) -> (State, Outcome, usize) {
        let folder = Arc::new(Faulty::new(DiskFolder::create(root).unwrap(), faults));
        let stamp = MachineStamp { name: name.to_owned(), id: name.to_owned() };
        let clock = Arc::new(Still(name.len() as u64));
        let mut workspace = Workspace::assemble(folder, state, stamp, clock, root.to_owned());
        let settings = SyncSettings { workers: 1, ..SyncSettings::default() };
        let (remote, request) = (place.open(), Request { explicit: true, ..Request::default() });
        let outcome = crate::cycle::run(&mut workspace, &remote, &settings, &request, observer).unwrap();
        let questions = workspace.folder.questions.load(Ordering::SeqCst);
        (workspace.state, outcome, questions)
    }

    /// Answers what was made durable, and exchanged, while the left took an edit of `d/f` from the right.
    fn synced_by_an_edit(
        home: &Path,
        faults: impl FnOnce(&Path) -> Vec<(&'static str, Fault)>,
    ) -> Vec<String> {
        let [left, right] = ["left", "right"].map(|name| home.join(name));
        let (place, new) = (MemoryPlace::new(), || State::in_memory().unwrap());
        fs::create_dir_all(right.join("d")).unwrap();
        fs::write(right.join("d/f"), "base").unwrap();
        let theirs = sync(&right, &place, "right", new(), Vec::new());
        let ours = sync(&left, &place, "left", new(), Vec::new());
        fs::write(right.join("d/f"), "from the right").unwrap();
        sync(&right, &place, "right", theirs, Vec::new());
        let folder = Arc::new(Faulty::new(DiskFolder::create(&left).unwrap(), faults(&left)));
        let stamp = MachineStamp { name: "left".to_owned(), id: "left".to_owned() };
        let mut workspace = Workspace::assemble(folder, ours, stamp, Arc::new(Still(4)), left.clone());
        let settings = SyncSettings { workers: 1, ..SyncSettings::default() };
        let request = Request { explicit: true, ..Request::default() };
        // What had to wait goes through in the second one.
        for _ in 0..2 {
            crate::cycle::run(&mut workspace, &place.open(), &settings, &request, &Silent).unwrap();
        }
        assert_eq!(fs::read_to_string(left.join("d/f")).unwrap(), "from the right");
        workspace.folder.synced.lock().unwrap().clone()
    }

    /// Two folders in step: these files at the left, and at the right what came of them.
    fn pair(home: &Path, files: &[(&str, &str)]) -> (MemoryPlace, [std::path::PathBuf; 2], [State; 2]) {
        let roots = ["left", "right"].map(|name| home.join(name));
        let (place, new) = (MemoryPlace::new(), || State::in_memory().unwrap());
        fs::create_dir(&roots[0]).unwrap();
        for (name, text) in files {
            let path = roots[0].join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let left = sync(&roots[0], &place, "left", new(), Vec::new());
        let right = sync(&roots[1], &place, "right", new(), Vec::new());
        (place, roots, [left, right])
    }

    /// Interrupts as soon as one of the files has left its place.
    struct Parked(std::path::PathBuf);

    impl Observer for Parked {
        fn observe(&self, _: Event) {}

        fn is_cancelled(&self) -> bool {
            self.0.is_dir() && ["a", "b"].iter().any(|name| !self.0.join(name).exists())
        }
    }

    #[test]
    fn a_parked_file_that_is_left_behind_does_not_come_back_under_another_name() {
        let home = tempfile::tempdir().unwrap();
        let (place, [left, right], [ours, theirs]) =
            pair(home.path(), &[("a", "first content"), ("b", "second content")]);
        fs::rename(right.join("a"), right.join("c")).unwrap();
        fs::rename(right.join("b"), right.join("a")).unwrap();
        fs::rename(right.join("c"), right.join("b")).unwrap();
        sync(&right, &place, "right", theirs, Vec::new());
        // Two files that change places on a disk without exchange: one steps aside for the other.
        let alone = || Fault::Alone(Box::new(|| ()));
        let faults = vec![("a", alone()), ("b", alone())];
        let (ours, outcome, _) = sync_told(&left, &place, "left", ours, faults, &Parked(left.clone()));
        assert_eq!(outcome.held.len(), 2, "it was not interrupted: {outcome:?}");
        let names = |root: &Path| {
            let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = entries.filter_map(|name| name.into_string().ok()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&left), [".instep", "a", "b"]);
        assert_eq!(fs::read_to_string(left.join("a")).unwrap(), "first content");
        sync(&left, &place, "left", ours, Vec::new());
        assert_eq!(names(&left), [".instep", "a", "b"]);
        assert_eq!(fs::read_to_string(left.join("a")).unwrap(), "second content");
    }

    #[test]
    fn who_has_a_file_open_is_asked_of_databases_alone() {
        let home = tempfile::tempdir().unwrap();
        let (place, [left, right], [ours, theirs]) = pair(home.path(), &[("f", "1"), ("g", "1"), ("h", "1")]);
        for name in ["f", "g"] {
            fs::write(right.join(name), "changed").unwrap();
        }
        fs::remove_file(right.join("h")).unwrap();
        let base = rusqlite::Connection::open(right.join("d.db")).unwrap();
        base.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
        drop(base);
        let theirs = sync(&right, &place, "right", theirs, Vec::new());
        let (ours, _, questions) = sync_told(&left, &place, "left", ours, Vec::new(), &Silent);
        assert_eq!(fs::read_to_string(left.join("f")).unwrap(), "changed");
        assert_eq!(questions, 0, "each question looks at the open files of all processes");
        let base = rusqlite::Connection::open(right.join("d.db")).unwrap();
        base.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        drop(base);
        sync(&right, &place, "right", theirs, Vec::new());
        let (_, _, questions) = sync_told(&left, &place, "left", ours, Vec::new(), &Silent);
        assert!(questions > 0, "a database that is replaced may be open");
    }

    #[test]
    fn a_save_in_the_moment_in_which_the_old_version_stands_aside_keeps_the_name() {
        let home = tempfile::tempdir().unwrap();
        let [left, right] = ["left", "right"].map(|name| home.path().join(name));
        let (place, new) = (MemoryPlace::new(), || State::in_memory().unwrap());
        fs::create_dir(&left).unwrap();
        fs::write(left.join("f"), "base").unwrap();
        let state = sync(&left, &place, "left", new(), Vec::new());
        let theirs = sync(&right, &place, "right", new(), Vec::new());
        fs::write(right.join("f"), "from the right").unwrap();
        sync(&right, &place, "right", theirs, Vec::new());
        let file = left.join("f");
        let save = move || fs::write(&file, "saved in that moment").unwrap();
        sync(&left, &place, "left", state, vec![("f", Fault::Alone(Box::new(save)))]);
        let kept = fs::read_dir(left.join(".instep/history")).unwrap();
        let kept = kept.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        let found: Vec<String> = kept.chain([fs::read_to_string(left.join("f")).unwrap()]).collect();
        assert_eq!(found, ["base", "saved in that moment"]);
    }

    #[test]
    fn what_is_displaced_is_durable_before_with_all_names_that_lead_to_it() {
        let home = tempfile::tempdir().unwrap();
        let synced = synced_by_an_edit(home.path(), |_| Vec::new());
        let before: Vec<&String> = synced.iter().take_while(|what| *what != "exchange f").collect();
        assert!(before.len() < synced.len(), "it was not exchanged: {synced:?}");
        for what in ["/", "d/", "f"] {
            assert!(before.iter().any(|done| *done == what), "{what} waits: {synced:?}");
        }
    }

    #[test]
    fn what_was_saved_anew_as_it_was_in_the_moment_of_an_exchange_is_durable_before_it_counts_as_kept() {
        let home = tempfile::tempdir().unwrap();
        let synced = synced_by_an_edit(home.path(), |left| vec![("f", saved_alike(left))]);
        assert!(synced.iter().any(|what| what.starts_with("q-")), "{synced:?}");
    }

    #[test]
    fn what_the_disk_refuses_of_a_save_in_the_moment_of_an_exchange_is_kept_in_a_file_of_ours() {
        let [first, home] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let synced = synced_by_an_edit(first.path(), |left| vec![("f", saved_alike(left))]);
        let slot = synced.into_iter().find(|what| what.starts_with("q-")).unwrap().leak();
        let synced = synced_by_an_edit(home.path(), |left| {
            vec![("f", saved_alike(left)), (slot, Fault::SyncOnce(Errno::IO))]
        });
        let next = synced.iter().skip_while(|what| *what != "exchange f").nth(1);
        assert!(next.is_some_and(|what| what.starts_with("c-")), "{synced:?}");
    }

    /// In the moment of its exchange, `d/f` is saved anew as it is.
    fn saved_alike(left: &Path) -> Fault {
        let (beside, name) = (left.join("d/beside"), left.join("d/f"));
        let save = move || fs::write(&beside, "base").and_then(|()| fs::rename(&beside, &name)).unwrap();
        Fault::Exchanged(Box::new(save))
    }

    #[test]
    fn what_has_other_names_is_copied_before_it_is_displaced() {
        let copies = |links: bool| {
            let home = tempfile::tempdir().unwrap();
            let other = home.path().join("another name");
            let synced = synced_by_an_edit(home.path(), |left| {
                if links {
                    fs::hard_link(left.join("d/f"), other).unwrap();
                }
                Vec::new()
            });
            let before = synced.iter().take_while(|what| *what != "exchange f");
            before.filter(|what| what.starts_with("c-")).count()
        };
        // The new version, and the old one.
        assert_eq!((copies(false), copies(true)), (1, 2));
    }

    #[test]
    fn what_arrives_is_durable_with_all_names_that_lead_to_it() {
        let home = tempfile::tempdir().unwrap();
        let (place, [left, right], [ours, theirs]) = pair(home.path(), &[("d/e/f", "base")]);
        fs::write(right.join("d/e/new"), "from the right").unwrap();
        sync(&right, &place, "right", theirs, Vec::new());
        let folder = Arc::new(Faulty::new(DiskFolder::create(&left).unwrap(), Vec::new()));
        let stamp = MachineStamp { name: "left".to_owned(), id: "left".to_owned() };
        let mut workspace = Workspace::assemble(folder, ours, stamp, Arc::new(Still(4)), left.clone());
        let (settings, request) =
            (SyncSettings { workers: 1, ..SyncSettings::default() }, Request::default());
        crate::cycle::run(&mut workspace, &place.open(), &settings, &request, &Silent).unwrap();
        assert!(left.join("d/e/new").exists());
        let synced = workspace.folder.synced.lock().unwrap().clone();
        for what in ["/", "d/", "e/"] {
            assert!(synced.iter().any(|done| done == what), "{what} waits: {synced:?}");
        }
    }

    #[test]
    fn what_was_away_when_its_names_were_to_be_made_durable_is_not_displaced_before_they_are() {
        let home = tempfile::tempdir().unwrap();
        // As if the folder was renamed just then, and back.
        let synced = synced_by_an_edit(home.path(), |_| vec![("d", Fault::SyncOnce(Errno::NOENT))]);
        let before: Vec<&String> = synced.iter().take_while(|what| *what != "exchange f").collect();
        assert!(before.iter().any(|done| *done == "d/"), "{synced:?}");
    }

    #[test]
    fn a_folder_that_went_with_what_was_in_it_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let [left, right] = ["left", "right"].map(|name| home.path().join(name));
        let (place, new) = (MemoryPlace::new(), || State::in_memory().unwrap());
        fs::create_dir_all(right.join("d")).unwrap();
        fs::write(right.join("d/f"), "base").unwrap();
        fs::write(right.join("other"), "stays").unwrap();
        let theirs = sync(&right, &place, "right", new(), Vec::new());
        let ours = sync(&left, &place, "left", new(), Vec::new());
        fs::remove_dir_all(right.join("d")).unwrap();
        sync(&right, &place, "right", theirs, Vec::new());
        sync(&left, &place, "left", ours, Vec::new());
        assert!(!left.join("d").exists() && left.join("other").exists());
    }

    #[test]
    fn what_was_written_to_the_version_that_stands_aside_is_durable_before_it_counts_as_kept() {
        let home = tempfile::tempdir().unwrap();
        let synced = synced_by_an_edit(home.path(), |left| {
            let open = fs::OpenOptions::new().append(true).open(left.join("d/f")).unwrap();
            let append = move || std::io::Write::write_all(&mut &open, b", and more").unwrap();
            vec![("f", Fault::Alone(Box::new(append)))]
        });
        assert!(synced.iter().any(|what| what.starts_with("q-")), "{synced:?}");
    }
}
