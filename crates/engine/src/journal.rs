//! The journal: what apply is about to do to a person's files, on disk first; and recovery.
//!
//! Only steps that displace something are written down: after a crash, a slot of the staging folder holds either our new
//! version (the step did not happen) or the person's old one (it did), and its content tells which. Creations and plain
//! renames need no entry: whether they happened or not, the next cycle finds out by looking.

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::operation::{
    Counts, Held, HeldKind, Operation, OperationId, OperationKind, PathRecord, SideRecord, Trigger,
};
use instep_core::path::{Name, TreePath};
use serde::{Deserialize, Serialize};

use crate::failure::EngineError;
use crate::folder::{DiskKind, Folder, FolderError, FolderFailure, Metadata};
use crate::history::contents::{Contents, content_of};
use crate::state::{Kept, State};

/// One step that is about to displace something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Entry {
    /// A slot with a new version is exchanged with a file.
    Write {
        /// The slot's name in the staging folder.
        slot: String,
        /// The file's path, as bytes.
        path: Vec<u8>,
        /// The content that the file was seen to hold.
        old: String,
        /// The content in the slot; `None` while nothing is there (a removal).
        new: Option<String>,
    },
    /// A file that belongs to a database leaves with its old version.
    Beside {
        /// Its name in the staging folder.
        slot: String,
        /// Where it stood, as bytes.
        path: Vec<u8>,
        /// Its content.
        old: String,
        /// The database's path, as bytes.
        database: Vec<u8>,
        /// The content that stands there once the step is done; `None` for nothing (a removal).
        new: Option<String>,
    },
    /// A file or folder steps aside into the staging folder, to come back at another place.
    Park {
        /// Its name in the staging folder.
        slot: String,
        /// Where it stood, as bytes.
        from: Vec<u8>,
        /// Where it is to stand, as bytes.
        to: Vec<u8>,
    },
}

/// What recovery did: sentences for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many journal entries were open.
    pub entries: usize,
    /// What was put where, for people.
    pub notices: Vec<String>,
}

/// Puts right what a crash left half done. Safe to be interrupted and run again. With the machine's name, what the
/// interrupted operation displaced goes into the log; without it, the operation goes on and does that itself.
pub fn recover<F: Folder>(
    folder: &F,
    state: &mut State,
    now: Timestamp,
    machine: Option<&str>,
) -> Result<Recovered, EngineError> {
    let open = state.journal()?;
    if open.is_empty() {
        return Ok(Recovered::default());
    }
    let staging = folder.open_folder(&folder.state(), &slot_name("staging")?)?;
    let contents = Contents::open(folder)?;
    let mut recovery = Recovery {
        folder,
        staging,
        contents,
        now,
        kept: Vec::new(),
        displaced: BTreeMap::new(),
        notices: Vec::new(),
    };
    for (operation, text) in &open {
        // An entry that makes no sense is refused: its path is looked at anew by the next scan.
        let Ok(entry) = serde_json::from_str::<Entry>(text) else { continue };
        recovery.settle(operation, &entry)?;
    }
    let Recovery { kept, displaced, notices, .. } = recovery;
    if !mutant::is_on("recovery-not-durable") {
        folder.sync_all()?;
    }
    state.transact(|write| {
        write.kept(&kept)?;
        for (id, paths) in displaced {
            let Some((id, machine)) = OperationId::parse(&id).zip(machine) else { continue };
            let operation = interrupted(id, machine, now, paths);
            let value = serde_json::to_string(&operation).expect("because an operation is plain data");
            write.operation(&id.to_string(), now, &value)?;
        }
        write.clear_journal()
    })?;
    Ok(Recovered { entries: open.len(), notices })
}

struct Recovery<'a, F: Folder> {
    folder: &'a F,
    staging: F::Dir,
    contents: Contents<'a, F>,
    now: Timestamp,
    kept: Vec<Kept>,
    /// What was displaced, by operation.
    displaced: BTreeMap<String, Vec<PathRecord>>,
    notices: Vec<String>,
}

impl<F: Folder> Recovery<'_, F> {
    fn settle(&mut self, operation: &str, entry: &Entry) -> Result<(), EngineError> {
        let (Entry::Write { slot, .. } | Entry::Beside { slot, .. } | Entry::Park { slot, .. }) = entry;
        // As an entry that makes no sense: nothing of ours stands under such a name.
        let Ok(slot) = slot_name(slot) else { return Ok(()) };
        let Some(found) = self.folder.metadata(&self.staging, &slot)? else {
            return match entry {
                Entry::Write { path, old, new, .. } => self.note_kept(operation, path, old, new.as_deref()),
                Entry::Beside { path, old, .. } => self.note_kept(operation, path, old, None),
                Entry::Park { .. } => Ok(()),
            };
        };
        match entry {
            // Somebody put a folder in the file's place in that moment: it has no content to be known by.
            Entry::Write { path, .. } if found.kind == DiskKind::Folder => {
                self.bring_back(&slot, &[path, path])
            }
            Entry::Write { path, old, new, .. } => {
                self.settle_slot(operation, &slot, path, old, new.as_deref())
            }
            Entry::Beside { path, database, new, .. } => {
                self.settle_beside(operation, &slot, path, (database, new.as_deref()))
            }
            Entry::Park { .. } if mutant::is_on("recovery-skips-parked") => Ok(()),
            Entry::Park { from, to, .. } => self.bring_back(&slot, &[to, from]),
        }
    }

    /// What belongs to a database goes where that went: back, unless the step came to its end. The database's own slot is
    /// settled before.
    fn settle_beside(
        &mut self,
        operation: &str,
        slot: &Name,
        path: &[u8],
        (database, new): (&[u8], Option<&str>),
    ) -> Result<(), EngineError> {
        let stands = self.standing(database)?.map(|(content, _)| content.to_string());
        if stands.as_deref() != new && self.put_back(slot, path, None)? {
            return Ok(());
        }
        let content = content_of(self.folder, &self.staging, slot, &mut std::io::sink())?;
        self.keep(operation, slot, path, (content, None))
    }

    fn settle_slot(
        &mut self,
        operation: &str,
        slot: &Name,
        path: &[u8],
        old: &str,
        new: Option<&str>,
    ) -> Result<(), EngineError> {
        let found = content_of(self.folder, &self.staging, slot, &mut std::io::sink())?;
        let text = found.to_string();
        if new == Some(text.as_str()) && text != old {
            // Our own version: the exchange did not happen, or was taken back for an edit.
            let stands = self.standing(path)?.map(|(content, _)| content.to_string());
            let is_copy = [Some(old), new].contains(&stands.as_deref());
            if is_copy || mutant::is_on("recovery-drops-ours") {
                return Ok(self.folder.remove_file(&self.staging, slot)?);
            }
            return self.keep_ours(operation, slot, path, found);
        }
        if mutant::is_on("recovery-drops-old") {
            return Ok(self.folder.remove_file(&self.staging, slot)?);
        }
        let is_vacant = new.is_some() && self.may_stand_aside() && self.is_free(path)?;
        if is_vacant && self.put_back(slot, path, None)? {
            return Ok(());
        }
        if text != old {
            self.make_durable(slot)?;
            if self.put_back(slot, path, new)? {
                if let Some(ours) = new.and_then(ContentId::parse) {
                    self.keep_ours(operation, slot, path, ours)?;
                }
                self.notices.push(format!(
                    "the file {} was edited in the moment in which it was replaced; the edit is back in place.",
                    instep_core::path::escape(path)
                ));
                return Ok(());
            }
        }
        self.keep(operation, slot, path, (found, new))
    }

    /// If a power cut took an edit that just got its name back, our version would be taken for a copy that never had it.
    fn make_durable(&self, slot: &Name) -> Result<(), EngineError> {
        let found = self.folder.metadata(&self.staging, slot)?;
        if found.is_some_and(|found| found.kind == DiskKind::File) && !mutant::is_on("edit-back-not-durable")
        {
            self.folder.sync_file(&self.staging, slot)?;
        }
        Ok(())
    }

    /// Where the disk knows no exchange, the old version stands aside for a moment in which nothing has its name.
    fn may_stand_aside(&self) -> bool {
        !self.folder.abilities().exchange && !mutant::is_on("stood-aside-is-gone")
    }

    /// Answers whether a path's folder is there, and the path is not.
    fn is_free(&self, path: &[u8]) -> Result<bool, EngineError> {
        let Some((dir, name)) = self.locate(path)? else { return Ok(false) };
        Ok(self.folder.metadata(&dir, &name)?.is_none())
    }

    /// The step did not begin, or it came to its end and nobody wrote down what it kept. Then a person must be able to
    /// find it.
    fn note_kept(
        &mut self,
        operation: &str,
        path: &[u8],
        old: &str,
        new: Option<&str>,
    ) -> Result<(), EngineError> {
        let Some(content) = ContentId::parse(old) else { return Ok(()) };
        let stands = self.standing(path)?.map(|(content, _)| content);
        if let Some(metadata) = self.contents.look(content)?.filter(|_| stands != Some(content)) {
            self.note(operation, path, (content, metadata), new)?;
        }
        Ok(())
    }

    /// What stands at a path now.
    fn standing(&self, path: &[u8]) -> Result<Option<(ContentId, Metadata)>, EngineError> {
        let Some((dir, name)) = self.locate(path)? else { return Ok(None) };
        let found = self.folder.metadata(&dir, &name)?;
        let Some(metadata) = found.filter(|found| matches!(found.kind, DiskKind::File | DiskKind::Link))
        else {
            return Ok(None);
        };
        Ok(Some((content_of(self.folder, &dir, &name, &mut std::io::sink())?, metadata)))
    }

    fn keep(
        &mut self,
        operation: &str,
        slot: &Name,
        path: &[u8],
        (content, new): (ContentId, Option<&str>),
    ) -> Result<(), EngineError> {
        let metadata = self.folder.metadata(&self.staging, slot)?;
        self.contents.keep((&self.staging, slot), content)?;
        if let Some(metadata) = metadata {
            self.note(operation, path, (content, metadata), new)?;
        }
        Ok(())
    }

    /// Keeps a version that was brought here and gave way to an edit, if it stands in the slot: what it was made from may
    /// be gone by now.
    fn keep_ours(
        &mut self,
        operation: &str,
        slot: &Name,
        path: &[u8],
        content: ContentId,
    ) -> Result<(), EngineError> {
        let Some(metadata) = self.folder.metadata(&self.staging, slot)? else { return Ok(()) };
        self.contents.keep((&self.staging, slot), content)?;
        self.kept.push(self.kept(operation, path, (content, metadata)));
        Ok(())
    }

    fn note(
        &mut self,
        operation: &str,
        path: &[u8],
        (content, metadata): (ContentId, Metadata),
        new: Option<&str>,
    ) -> Result<(), EngineError> {
        let after = match new.and_then(ContentId::parse) {
            Some(new) => self.standing(path)?.map(|(_, metadata)| held(new, &metadata)),
            None => None,
        };
        if let Ok(path) = TreePath::new(path) {
            let local = Some(SideRecord { before: Some(held(content, &metadata)), after, moved_from: None });
            self.displaced.entry(operation.to_owned()).or_default().push(PathRecord {
                path,
                local,
                remote: None,
            });
        }
        self.kept.push(self.kept(operation, path, (content, metadata)));
        Ok(())
    }

    fn kept(&self, operation: &str, path: &[u8], (content, metadata): (ContentId, Metadata)) -> Kept {
        Kept {
            content,
            path: path.to_vec(),
            operation: operation.to_owned(),
            time: self.now,
            size: metadata.size,
            kind: kept_kind(metadata.kind, metadata.exec()).to_owned(),
        }
    }

    /// An edit that nobody knew of was displaced: gives it its name back; what stood there of ours is in the slot then.
    /// Answers false where that can't be done without displacing something else.
    fn put_back(&self, slot: &Name, path: &[u8], new: Option<&str>) -> Result<bool, EngineError> {
        let Some((dir, name)) = self.locate(path)? else { return Ok(false) };
        if self.folder.metadata(&dir, &name)?.is_none() {
            return Ok(placed(self.folder.place((&self.staging, slot), (&dir, &name)))?);
        }
        let Some(new) = new else { return Ok(false) };
        let standing = content_of(self.folder, &dir, &name, &mut std::io::sink());
        if !standing.is_ok_and(|content| content.to_string() == new) {
            return Ok(false);
        }
        let swap = || self.folder.exchange((&self.staging, slot), (&dir, &name));
        match swap() {
            Ok(()) => {
                let given = content_of(self.folder, &self.staging, slot, &mut std::io::sink())?;
                if given.to_string() != new && !mutant::is_on("recovery-does-not-look-again") {
                    // Somebody saved in this very moment: that keeps the name.
                    swap()?;
                    return Ok(false);
                }
                Ok(true)
            }
            Err(error) if error.failure() == FolderFailure::Unsupported => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn bring_back(&mut self, slot: &Name, paths: &[&Vec<u8>]) -> Result<(), EngineError> {
        for path in paths {
            let place = || -> Result<bool, EngineError> {
                let Some((dir, name)) = self.locate(path)? else { return Ok(false) };
                Ok(placed(self.folder.place((&self.staging, slot), (&dir, &name)))?)
            };
            match place() {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // A folder that is closed to us keeps nothing from standing elsewhere.
                Err(EngineError::Folder(error)) if error.failure() == FolderFailure::Denied => {}
                Err(error) => return Err(error),
            }
        }
        let root = self.folder.root();
        for number in 1..1000 {
            let name = slot_name(&format!("recovered-{number}"))?;
            if placed(self.folder.place((&self.staging, slot), (&root, &name)))? {
                let was = instep_core::path::escape(paths[1]);
                self.notices
                    .push(format!("what stood at {was} could not go back there; it stands at {name}."));
                return Ok(());
            }
        }
        Err(EngineError::Refused(format!("{slot} in the staging folder finds no place to go back to")))
    }

    /// Opens the folder of a path; `None` if it is not there.
    fn locate(&self, path: &[u8]) -> Result<Option<(F::Dir, Name)>, EngineError> {
        let Ok(path) = TreePath::new(path) else { return Ok(None) };
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else { return Ok(None) };
        let mut dir = self.folder.root();
        for part in parent.names() {
            if part.is_reserved() {
                return Ok(None);
            }
            match self.folder.open_folder(&dir, &part) {
                Ok(next) => dir = next,
                Err(error) if error.is_gone() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok((!name.is_reserved()).then_some((dir, name)))
    }
}

/// The entry in the log of an operation that came to no end.
fn interrupted(id: OperationId, machine: &str, time: Timestamp, mut paths: Vec<PathRecord>) -> Operation {
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    Operation {
        id,
        time,
        machine: machine.to_owned(),
        kind: OperationKind::Sync,
        trigger: Trigger::default(),
        person: None,
        message: Some("interrupted".to_owned()),
        counts: Counts::default(),
        remote: None,
        address: None,
        undoes: None,
        paths,
    }
}

/// A file or link as the log words it.
fn held(content: ContentId, metadata: &Metadata) -> Held {
    let kind = if metadata.kind == DiskKind::Link { HeldKind::Link } else { HeldKind::File };
    Held { kind, content: Some(content), size: metadata.size, exec: metadata.exec() }
}

/// Reads a slot's name as the journal wrote it: one of ours, and nothing else.
fn slot_name(text: &str) -> Result<Name, EngineError> {
    Name::new(text.as_bytes()).map_err(|_| EngineError::StateCorrupt("a journal entry names no slot".into()))
}

fn placed(answer: Result<(), FolderError>) -> Result<bool, FolderError> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.failure() == FolderFailure::Taken => Ok(false),
        Err(error) => Err(error),
    }
}

/// The word that the history keeps for a kind.
pub fn kept_kind(kind: DiskKind, exec: bool) -> &'static str {
    match (kind, exec) {
        (DiskKind::Link, _) => "link",
        (_, true) => "exec",
        _ => "file",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::Ordering;

    use rustix::io::Errno;

    use super::*;
    use crate::folder::disk::DiskFolder;
    use crate::folder::faulty::{Fault, Faulty};

    /// Recovers from one entry; `f` holds the new version, the slot something. Answers what stands where then: the
    /// files of the workspace and those of the history.
    fn recovered(slot: &str, entry: &Entry, meanwhile: Option<&'static str>) -> (Vec<String>, Vec<String>) {
        recovered_from(("new", slot), entry, meanwhile)
    }

    fn recovered_from(
        (file_holds, slot): (&str, &str),
        entry: &Entry,
        meanwhile: Option<&'static str>,
    ) -> (Vec<String>, Vec<String>) {
        let home = tempfile::tempdir().unwrap();
        let disk = DiskFolder::create(home.path()).unwrap();
        let file = home.path().join("f");
        fs::write(&file, file_holds).unwrap();
        fs::write(home.path().join(".instep/staging/q-1"), slot).unwrap();
        let act = move || {
            if let Some(text) = meanwhile {
                fs::write(&file, text).unwrap();
            }
        };
        let faults = vec![("f", Fault::Exchanged(Box::new(act))), ("closed", Fault::Open(Errno::ACCESS))];
        let folder = Faulty::new(disk, faults);
        let mut state = State::in_memory().unwrap();
        let text = serde_json::to_string(entry).unwrap();
        state.transact(|write| write.journal("0000000000000001", 0, &[text])).unwrap();
        let found = recover(&folder, &mut state, Timestamp::from_seconds(1), None).unwrap();
        assert_eq!(found.entries, 1);
        assert!(state.journal().unwrap().is_empty());
        assert!(
            folder.syncs.load(Ordering::SeqCst) > 0,
            "what was settled is durable before the journal ends"
        );
        let read = |folder: &str| {
            let entries = fs::read_dir(home.path().join(folder)).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<String> = entries
                .filter(|path| path.is_file())
                .map(|path| {
                    let name =
                        if folder.is_empty() { path.file_name().unwrap().to_str().unwrap() } else { "" };
                    format!("{name}={}", fs::read_to_string(&path).unwrap())
                })
                .collect();
            files.sort();
            files
        };
        assert_eq!(fs::read_dir(home.path().join(".instep/staging")).unwrap().count(), 0);
        (read(""), read(".instep/history"))
    }

    fn write() -> Entry {
        let id = |text: &str| ContentId::of(text.as_bytes()).to_string();
        Entry::Write { slot: "q-1".to_owned(), path: b"f".to_vec(), old: id("old"), new: Some(id("new")) }
    }

    fn texts(found: (Vec<String>, Vec<String>)) -> String {
        format!("{} | {}", found.0.join(" "), found.1.join(" "))
    }

    #[test]
    fn a_slot_is_settled_by_what_it_holds() {
        assert_eq!(texts(recovered("old", &write(), None)), "f=new | =old");
        assert_eq!(texts(recovered("new", &write(), None)), "f=new | ");
        assert_eq!(texts(recovered("an edit", &write(), None)), "f=an edit | =new");
    }

    #[test]
    fn what_was_brought_here_and_gave_way_to_an_edit_is_kept_though_recovery_was_killed_in_between() {
        assert_eq!(texts(recovered_from(("old", "new"), &write(), None)), "f=old | ");
        assert_eq!(texts(recovered_from(("an edit", "new"), &write(), None)), "f=an edit | =new");
    }

    /// Else a power cut could leave what looks as if our version had never had the name.
    #[test]
    fn an_edit_is_durable_before_it_gets_its_name_back() {
        let home = tempfile::tempdir().unwrap();
        let folder = Faulty::new(DiskFolder::create(home.path()).unwrap(), Vec::new());
        fs::write(home.path().join("f"), "new").unwrap();
        fs::write(home.path().join(".instep/staging/q-1"), "an edit").unwrap();
        let mut state = State::in_memory().unwrap();
        let text = serde_json::to_string(&write()).unwrap();
        state.transact(|write| write.journal("0000000000000001", 0, &[text])).unwrap();
        recover(&folder, &mut state, Timestamp::from_seconds(1), None).unwrap();
        assert_eq!(*folder.synced.lock().unwrap(), ["q-1", "exchange f"]);
    }

    #[test]
    fn a_save_in_the_moment_in_which_an_edit_gets_its_name_back_keeps_the_name() {
        let found = recovered("an edit", &write(), Some("saved just now"));
        assert_eq!(texts(found), "f=saved just now | =an edit");
    }

    #[test]
    fn an_old_version_that_stood_aside_gets_its_name_back_where_nothing_can_be_exchanged() {
        let home = tempfile::tempdir().unwrap();
        let recovered = |exchange: bool| {
            let mut folder = Faulty::new(DiskFolder::create(home.path()).unwrap(), Vec::new());
            folder.exchange = exchange;
            fs::write(home.path().join(".instep/staging/q-1"), "old").unwrap();
            let mut state = State::in_memory().unwrap();
            let text = serde_json::to_string(&write()).unwrap();
            state.transact(|write| write.journal("0000000000000001", 0, &[text])).unwrap();
            recover(&folder, &mut state, Timestamp::from_seconds(1), None).unwrap();
            fs::read_to_string(home.path().join("f")).ok()
        };
        // Elsewhere the name was never free: somebody removed the new version since.
        assert_eq!(recovered(true), None);
        assert_eq!(recovered(false).as_deref(), Some("old"));
    }

    #[test]
    fn what_was_parked_goes_where_it_was_to_stand_or_where_it_stood() {
        let park = |to: &str| Entry::Park {
            slot: "q-1".to_owned(),
            from: b"from".to_vec(),
            to: to.as_bytes().to_vec(),
        };
        assert_eq!(texts(recovered("parked", &park("to"), None)), "f=new to=parked | ");
        assert_eq!(texts(recovered("parked", &park("f"), None)), "f=new from=parked | ");
    }

    #[test]
    fn what_was_parked_is_not_kept_from_its_place_by_a_folder_that_is_closed() {
        let park = |from: &str| Entry::Park {
            slot: "q-1".to_owned(),
            from: from.as_bytes().to_vec(),
            to: b"closed/to".to_vec(),
        };
        assert_eq!(texts(recovered("parked", &park("from"), None)), "f=new from=parked | ");
        assert_eq!(texts(recovered("parked", &park("closed/from"), None)), "f=new recovered-1=parked | ");
    }
}
