//! The staging folder: contents on their way, on the workspace's own file system, seen by nobody.
//!
//! Three kinds of file stand here. *Contents* that were fetched or merged; they are copies and may be dropped. *Slots*
//! (`q-…`): a new version before it is exchanged with an old one, and then the old one, until it is named and kept; the
//! journal knows them. *Parked* things (`p-…`): what had to step aside for a moment; the journal knows them too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Read, Write};

use instep_core::content::{ContentHasher, ContentId};
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::progress::{Event, Observer, Phase};
use instep_core::remote::{ObjectId, RemoteError, RemoteErrorKind, Sink};

use crate::folder::{Folder, FolderError, FolderFailure, Metadata};
use crate::history::contents::{Contents, content_of};

/// How the names of slots begin into which a person's files step.
const DISPLACING: [&[u8]; 2] = [b"q-", b"p-"];

/// A content that waits in the staging folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its name there.
    pub name: Name,
    /// What the file system said when it was written.
    pub metadata: Metadata,
}

/// The staging folder of one workspace, and what this cycle put there.
pub struct Staging<'a, F: Folder> {
    folder: &'a F,
    dir: F::Dir,
    staged: BTreeMap<ContentId, Vec<Staged>>,
    /// What the names of copies bear, so that two that stage at once don't meet.
    tag: String,
    counter: u64,
}

impl<'a, F: Folder> Staging<'a, F> {
    /// Opens the staging folder.
    pub fn open(folder: &'a F) -> Result<Self, FolderError> {
        let dir = folder.open_folder(&folder.state(), &name("staging"))?;
        Ok(Staging { folder, dir, staged: BTreeMap::new(), tag: String::new(), counter: 0 })
    }

    /// Opens it beside one that a cycle has open.
    pub fn open_for(folder: &'a F, operation: &str) -> Result<Self, FolderError> {
        Ok(Staging { tag: format!("{operation}-"), ..Staging::open(folder)? })
    }

    /// The open staging folder.
    pub fn dir(&self) -> &F::Dir {
        &self.dir
    }

    /// Drops the copies that an earlier cycle left, once the journal is settled. A slot that no journal knows of, because
    /// the database was lost, may hold all that is left of a person's file: it gets a name in the workspace. Answers
    /// what there is to say of that.
    pub fn sweep(&self) -> Result<Vec<String>, FolderError> {
        let mut notices = Vec::new();
        for name in self.folder.list(&self.dir)?.names {
            let is_slot = DISPLACING.iter().any(|kind| name.as_bytes().starts_with(kind));
            if is_slot && !mutant::is_on("sweep-drops-slots") {
                notices.push(self.recover(&name)?);
            } else {
                self.folder.remove_file(&self.dir, &name)?;
            }
        }
        Ok(notices)
    }

    fn recover(&self, slot: &Name) -> Result<String, FolderError> {
        let root = self.folder.root();
        for number in 1_u64.. {
            let free = name(&format!("recovered-{number}"));
            match self.folder.place((&self.dir, slot), (&root, &free)) {
                Ok(()) => {
                    return Ok(format!(
                        "an interrupted sync had moved something aside, and what it was is not on record: it stands \
                         at {free} now."
                    ));
                }
                Err(error) if error.failure() == FolderFailure::Taken => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("because a folder is full long before")
    }

    /// Answers whether a content is staged.
    pub fn has(&self, content: ContentId) -> bool {
        self.staged.contains_key(&content)
    }

    /// All staged contents.
    pub fn contents(&self) -> impl Iterator<Item = ContentId> + '_ {
        self.staged.keys().copied()
    }

    /// A name that is free in this cycle: `q-OPERATION-7`.
    pub fn slot(&mut self, kind: char, operation: &str) -> Name {
        self.counter += 1;
        name(&format!("{kind}-{operation}-{}", self.counter))
    }

    /// A name that is free in this cycle, for a copy.
    pub fn free_name(&mut self) -> Name {
        self.counter += 1;
        name(&format!("c-{}{}", self.tag, self.counter))
    }

    /// Stages bytes as they stream by, and names them. Not yet durable.
    pub fn write(&mut self, bytes: &mut dyn Read) -> Result<(ContentId, Metadata), FolderError> {
        let name = self.free_name();
        let (content, metadata) = self.write_as(&name, bytes)?;
        match self.staged.entry(content) {
            Entry::Occupied(_) => self.folder.remove_file(&self.dir, &name)?,
            Entry::Vacant(free) => {
                free.insert(vec![Staged { name, metadata }]);
            }
        }
        Ok((content, metadata))
    }

    fn write_as(&self, name: &Name, bytes: &mut dyn Read) -> Result<(ContentId, Metadata), FolderError> {
        let failed = |verb| move |source| FolderError { verb, path: name.to_string(), source };
        let mut file = self.folder.create(&self.dir, name)?;
        let mut hasher = ContentHasher::new();
        let mut buffer = [0; 64 * 1024];
        loop {
            let count = bytes.read(&mut buffer).map_err(failed("receive"))?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(failed("write"))?;
        }
        Ok((hasher.finish(), file.finish(false)?))
    }

    /// Stages a kept content; answers false if no whole copy of it is kept.
    pub fn stage_kept(&mut self, kept: &Contents<'_, F>, content: ContentId) -> Result<bool, FolderError> {
        self.copy_kept(kept, content, false)
    }

    /// Stages a kept content with the mode, owner and attributes of the kept file: for what comes back.
    pub fn bring_back(&mut self, kept: &Contents<'_, F>, content: ContentId) -> Result<bool, FolderError> {
        self.copy_kept(kept, content, true)
    }

    fn copy_kept(
        &mut self,
        kept: &Contents<'_, F>,
        content: ContentId,
        as_it_was: bool,
    ) -> Result<bool, FolderError> {
        if self.has(content) {
            return Ok(true);
        }
        let name = self.free_name();
        let mut file = self.folder.create(&self.dir, &name)?;
        let whole = kept.copy_to(content, &mut file)?;
        if whole && as_it_was {
            kept.lend_attributes(content, (&self.dir, &name))?;
        }
        let metadata = file.finish(false)?;
        if whole {
            self.staged.insert(content, vec![Staged { name, metadata }]);
        } else {
            self.folder.remove_file(&self.dir, &name)?;
        }
        Ok(whole)
    }

    /// Stages a copy of a file of the workspace, if it holds the content still.
    pub fn stage_copy(&mut self, from: (&F::Dir, &Name), content: ContentId) -> Result<bool, FolderError> {
        if self.has(content) {
            return Ok(true);
        }
        let name = self.free_name();
        let mut file = self.folder.create(&self.dir, &name)?;
        let found = content_of(self.folder, from.0, from.1, &mut file)?;
        let metadata = file.finish(false)?;
        let is_same = found == content || mutant::is_on("staged-copy-unverified");
        if is_same {
            self.staged.insert(content, vec![Staged { name, metadata }]);
        } else {
            self.folder.remove_file(&self.dir, &name)?;
        }
        Ok(is_same)
    }

    /// Makes sure that a staged content stands here in so many files: each place it goes to gets a file of its own.
    pub fn multiply(&mut self, content: ContentId, files: usize) -> Result<(), FolderError> {
        let Some(first) = self.staged.get(&content).and_then(|files| files.first()) else { return Ok(()) };
        let from = first.name.clone();
        for _ in self.staged[&content].len()..files {
            let name = self.free_name();
            let mut file = self.folder.create(&self.dir, &name)?;
            content_of(self.folder, &self.dir, &from, &mut file)?;
            self.folder.copy_attributes((&self.dir, &from), (&self.dir, &name))?;
            let metadata = file.finish(false)?;
            self.staged.entry(content).or_default().push(Staged { name, metadata });
        }
        Ok(())
    }

    /// Hands out one file with a staged content; `None` if none is left.
    pub fn take(&mut self, content: ContentId) -> Option<Staged> {
        let files = self.staged.get_mut(&content)?;
        let staged = files.pop();
        if files.is_empty() {
            self.staged.remove(&content);
        }
        staged
    }

    /// Gives a file back that was not needed after all.
    pub fn give_back(&mut self, content: ContentId, staged: Staged) {
        self.staged.entry(content).or_default().push(staged);
    }

    /// Reads a staged content whole; for merges and links.
    pub fn read(&self, content: ContentId) -> Result<Option<Vec<u8>>, FolderError> {
        let Some(staged) = self.staged.get(&content).and_then(|files| files.first()) else { return Ok(None) };
        let mut bytes = Vec::new();
        content_of(self.folder, &self.dir, &staged.name, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The length of a staged content in bytes.
    pub fn size(&self, content: ContentId) -> Option<u64> {
        Some(self.staged.get(&content)?.first()?.metadata.size)
    }

    /// Opens a staged content for reading.
    pub fn reader(&self, content: ContentId) -> Result<Option<Box<dyn Read + Send>>, FolderError> {
        let Some(staged) = self.staged.get(&content).and_then(|files| files.first()) else { return Ok(None) };
        Ok(Some(Box::new(self.folder.open(&self.dir, &staged.name)?)))
    }

    /// Gives one more file with a staged content to the history, as a copy of [its own](Contents::keep_own).
    pub fn keep(&mut self, content: ContentId, kept: &Contents<'_, F>) -> Result<(), FolderError> {
        // Those that are staged go elsewhere.
        let staged = self.staged.get(&content).map_or(0, Vec::len);
        self.multiply(content, staged + 1)?;
        let Some(staged) = self.take(content) else { return Ok(()) };
        if !mutant::is_on("conflict-copy-not-durable") {
            self.folder.sync_file(&self.dir, &staged.name)?;
        }
        kept.keep_own((&self.dir, &staged.name), content)
    }

    /// Makes all that is staged durable: one call for many files, one each for a handful.
    pub fn sync(&self) -> Result<(), FolderError> {
        if mutant::is_on("staged-not-durable") {
            return Ok(());
        }
        const HANDFUL: usize = 8;
        if self.staged.len() > HANDFUL {
            return self.folder.sync_all();
        }
        for staged in self.staged.values().flatten() {
            self.folder.sync_file(&self.dir, &staged.name)?;
        }
        self.folder.sync_folder(&self.dir)
    }
}

/// Stages contents as a remote hands them over, and remembers which name of the remote's stands for which content.
pub struct Receiver<'s, 'a, F: Folder> {
    /// Where they go.
    pub staging: &'s mut Staging<'a, F>,
    /// Who hears of it.
    pub observer: &'s dyn Observer,
    /// What came: the remote's name, the content's, and its length.
    pub received: Vec<(ObjectId, ContentId, u64)>,
    /// A failure of our disk, which the remote can't word.
    pub failure: Option<FolderError>,
}

impl<F: Folder> Sink for Receiver<'_, '_, F> {
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        if self.observer.is_cancelled() {
            return Err(RemoteError::new(RemoteErrorKind::Cancelled, "E-CANCELLED", "interrupted"));
        }
        match self.staging.write(content) {
            Ok((id, metadata)) if metadata.size == size || mutant::is_on("cut-content-taken") => {
                self.received.push((object, id, size));
                self.observer.observe(Event::Advanced { phase: Phase::Receive, files: 1, bytes: size });
                Ok(())
            }
            Ok((_, metadata)) => Err(RemoteError::new(
                RemoteErrorKind::Corrupt,
                "E-STORE-REPLY",
                format!("a content of {size} bytes arrived with {} bytes", metadata.size),
            )),
            Err(error) => {
                let answer = RemoteError::new(RemoteErrorKind::Local, error.code(), error.to_string());
                self.failure = Some(error);
                Err(answer)
            }
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).expect("because names of ours are valid")
}

#[cfg(test)]
mod tests {
    use instep_core::progress::Silent;

    use super::*;
    use crate::folder::disk::DiskFolder;

    #[test]
    fn a_content_that_comes_cut_is_not_taken() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        let mut staging = Staging::open(&folder).unwrap();
        let mut receiver =
            Receiver { staging: &mut staging, observer: &Silent, received: Vec::new(), failure: None };
        let object = ObjectId::from(ContentId::of(b"whole"));
        let answer = receiver.receive(object, 5, &mut &b"who"[..]);
        assert_eq!(answer.unwrap_err().code, "E-STORE-REPLY");
        assert!(receiver.received.is_empty());
        receiver.receive(object, 5, &mut &b"whole"[..]).unwrap();
        assert_eq!(receiver.received, [(object, ContentId::of(b"whole"), 5)]);
    }
}
