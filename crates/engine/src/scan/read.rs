//! Naming a file's content by reading it, and telling whether it changed meanwhile.

use std::io::{self, Read};

use instep_core::clock::Timestamp;
use instep_core::content::{ContentHasher, ContentId};
use instep_core::database::is_database;
use instep_core::path::Name;
use instep_core::progress::Observer;

use super::patience::Patience;
use crate::digest::Digest;
use crate::folder::{DiskKind, Folder, FolderError, Metadata};

/// How often a file is read that keeps changing.
const TRIES: usize = 3;

const BUFFER_BYTES: usize = 1 << 20;

/// What came of reading a file.
pub enum Reading {
    /// This content, which stood there unchanged from the one look to the other.
    Read(Digest),
    /// It changed each time, or is gone.
    Changing,
    /// It can't be read.
    Failed(FolderError),
}

/// Reads files one after the other, with one buffer.
pub struct Reader<'a, F: Folder> {
    folder: &'a F,
    observer: &'a dyn Observer,
    patience: &'a Patience<'a, F::Dir>,
    started: Timestamp,
    buffer: Vec<u8>,
    /// What was read last is a database.
    database: bool,
}

impl<'a, F: Folder> Reader<'a, F> {
    /// Starts with nothing read.
    pub fn new(
        folder: &'a F,
        observer: &'a dyn Observer,
        patience: &'a Patience<'a, F::Dir>,
        started: Timestamp,
    ) -> Self {
        Reader { folder, observer, patience, started, buffer: Vec::new(), database: false }
    }

    /// Answers whether the file that was read last is a database, by its first bytes.
    pub fn met_database(&self) -> bool {
        self.database
    }

    /// Reads a file that was just looked at.
    pub fn read(&mut self, dir: &F::Dir, name: &Name, seen: Metadata) -> Reading {
        let mut seen = seen;
        self.database = false;
        for _ in 0..TRIES {
            match self.read_once(dir, name, &seen) {
                Ok(Some(digest)) => return Reading::Read(digest),
                Ok(None) => {}
                Err(error) if is_change(&error) => {}
                Err(error) => return Reading::Failed(error),
            }
            match self.folder.metadata(dir, name) {
                Ok(Some(now)) if now.kind == DiskKind::File => seen = now,
                Ok(_) => return Reading::Changing,
                Err(error) => return Reading::Failed(error),
            }
        }
        Reading::Changing
    }

    /// Reads once; `None` if it is not the file that was seen, or no longer as it was.
    fn read_once(
        &mut self,
        dir: &F::Dir,
        name: &Name,
        seen: &Metadata,
    ) -> Result<Option<Digest>, FolderError> {
        // Asking for the moment costs two system calls, and most files are older than the scan.
        let observed = if seen.is_racy(self.started) { self.folder.now()? } else { self.started };
        let mut file = self.patience.open(|| self.folder.open(dir, name))?;
        let content = self
            .name_content(&mut *file, seen.size)
            .map_err(|error| FolderError::new("read", name.as_bytes(), error))?;
        // The name was looked at before, the open file is after: if they agree, nothing happened in between, neither
        // to the content nor to the name.
        let metadata = file.metadata()?;
        Ok(content.filter(|_| metadata.same_content(seen)).map(|content| Digest {
            metadata,
            content,
            observed,
        }))
    }

    /// The content's name; `None` if it has not the length that was seen, or the person asked to stop.
    fn name_content(&mut self, file: &mut dyn Read, size: u64) -> io::Result<Option<ContentId>> {
        if self.buffer.is_empty() {
            self.buffer.resize(BUFFER_BYTES, 0);
        }
        let mut hasher = ContentHasher::new();
        let mut read = 0;
        while read < size && !self.observer.is_cancelled() {
            let count = file.read(&mut self.buffer)?;
            if count == 0 {
                break;
            }
            if read == 0 {
                self.database = is_database(&self.buffer[..count]);
            }
            hasher.update(&self.buffer[..count]);
            read += count as u64;
        }
        Ok((read == size).then(|| hasher.finish()))
    }
}

/// Answers whether a failure says that the name is not what it was when it was looked at.
fn is_change(error: &FolderError) -> bool {
    error.is_gone() && error.source.raw_os_error() != Some(rustix::io::Errno::XDEV.raw_os_error())
}
