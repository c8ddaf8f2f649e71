//! Databases of SQLite: what travels is a copy of one moment, with all that its log or journal holds.
//!
//! A database that nobody has open, and that needs nothing beside it, is a file like any other and travels as it is. The
//! others are copied:
//!
//! - While a program has it open, the copy is made by SQLite, through a connection that only reads. It takes part in the
//!   program's own locks, so that it sees one moment and hinders nobody for longer than a reader does.
//! - Else the database and what belongs to it are copied as files, and SQLite puts the copies together in the staging
//!   folder. SQLite would make and write files beside the original.
//!
//! The copy differs from the file in bytes that say nothing; with those settled ([`settle`]), all copies of one state are
//! equal, and their content is the *name* of the state. A file whose state has the name that it had is unchanged, and
//! goes on travelling as what it did.

use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::time::Duration;

use instep_core::clock::Timestamp;
use instep_core::content::{ContentHasher, ContentId};
use instep_core::database::{HEADER_BYTES, is_database, is_hot, keeps_log, settle, sidecars};
use instep_core::path::Name;
use instep_core::tree::{Entry, Leaf, LeafKind, Place, Tree, Unknown};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::io::Errno;

use super::{FormCache, FormRecord, Formed, Way};
use crate::folder::disk::STATE;
use crate::folder::{DiskKind, Folder, FolderError, FolderFailure, Metadata};
use crate::history::contents::{content_of, read_through};
use crate::stage::Staging;

/// The code of a database that waits because somebody has it open.
pub const OPEN: &str = "E-DB-OPEN";

/// How long a program may keep a database locked before the copy waits for the next cycle.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long is waited between two looks at such a lock.
const PAUSE: Duration = Duration::from_micros(500);
/// How many pages are copied at once where a reader keeps writers waiting.
const PAGES_PER_STEP: i32 = 1_000;
/// How often such a copy begins anew because of them before it keeps them waiting to its end.
const RESTARTS_MAX: u32 = 3;
/// For how long a log or journal that was written speaks for a program that can't be seen.
const FRESH_NS: i64 = 10 * 60 * 1_000_000_000;

/// What a file was found to be.
pub enum Found {
    /// No database, or one that can't be read: a file like any other, and so are those that are named after it.
    Ordinary,
    /// A database that travels as it lies there.
    Whole,
    /// A database that travels in a form, or waits.
    Formed(Box<Form>),
}

/// What travels in place of a database.
pub struct Form {
    /// What travels.
    pub entry: Entry,
    /// When it was last modified, be it in its log.
    pub modified: Timestamp,
    /// What lies on the disk.
    pub formed: Option<Formed>,
    /// What is to be remembered.
    pub record: Option<FormRecord>,
}

/// Why there is no copy.
enum Trouble {
    /// The disk failed.
    Folder(FolderError),
    /// SQLite does not take it for a database.
    NoDatabase,
    /// It does not hold still, or is locked: one sentence.
    Busy(String),
}

impl From<FolderError> for Trouble {
    fn from(error: FolderError) -> Self {
        match error.failure() {
            FolderFailure::Missing | FolderFailure::Raced => Trouble::Busy("it is being written".to_owned()),
            _ => Trouble::Folder(error),
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Trouble::NoDatabase,
            _ => Trouble::Busy(format!("SQLite says: {error}")),
        }
    }
}

/// A database with what belongs to it, as the file system speaks of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    file: Metadata,
    wal: Option<Metadata>,
    journal: Option<Metadata>,
}

impl Set {
    fn look<F: Folder>(folder: &F, dir: &F::Dir, name: &Name) -> Result<Option<Set>, FolderError> {
        let is_file = |found: &Metadata| found.kind == DiskKind::File;
        let beside = |ending: &str| match Name::new(&[name.as_bytes(), ending.as_bytes()].concat()) {
            // SQLite gives a log to the owner of its database whenever it opens it, which changes it in no other way.
            Ok(name) => Ok(folder
                .metadata(dir, &name)?
                .filter(is_file)
                .map(|found| Metadata { changed: found.modified, ..found })),
            Err(_) => Ok(None),
        };
        let Some(file) = folder.metadata(dir, name)?.filter(is_file) else { return Ok(None) };
        Ok(Some(Set { file, wal: beside("-wal")?, journal: beside("-journal")? }))
    }

    fn files(&self) -> impl Iterator<Item = &Metadata> {
        [Some(&self.file), self.wal.as_ref(), self.journal.as_ref()].into_iter().flatten()
    }

    fn same_content(&self, other: &Set) -> bool {
        self.witness() == other.witness()
    }

    /// All on which the state depends.
    fn witness(&self) -> ContentId {
        let mut hasher = ContentHasher::new();
        for file in [Some(&self.file), self.wal.as_ref(), self.journal.as_ref()] {
            let Some(Metadata { key, size, modified, changed, .. }) = file else {
                hasher.update(b"-");
                continue;
            };
            let parts = [key.device, key.inode, key.birth_ns as u64, *size];
            parts.iter().for_each(|part| hasher.update(&part.to_le_bytes()));
            [modified, changed].iter().for_each(|time| hasher.update(&time.ns().to_le_bytes()));
        }
        hasher.finish()
    }

    fn is_racy(&self, observed: Timestamp) -> bool {
        self.files().any(|file| file.is_racy(observed))
    }

    fn modified(&self) -> Timestamp {
        self.files().map(|file| file.modified).fold(self.file.modified, Timestamp::max)
    }
}

/// A look at one file that may be a database.
pub struct Look<'a, F: Folder> {
    /// The workspace's folder.
    pub folder: &'a F,
    /// What was seen in it.
    pub tree: &'a Tree,
    /// The file.
    pub place: Place,
    /// The open folder that holds it.
    pub dir: &'a F::Dir,
    /// Its name there.
    pub name: &'a Name,
    /// What was found before.
    pub known: &'a FormCache,
    /// The scan read it, because something happened to it.
    pub read_now: bool,
}

impl<F: Folder> Look<'_, F> {
    /// Finds out what travels.
    pub fn outgoing(&self, mut staging: Option<&mut Staging<'_, F>>) -> Result<Found, FolderError> {
        let Some(set) = Set::look(self.folder, self.dir, self.name)? else {
            // The scan saw a file: what belongs to it is none for being alone for a moment.
            return Err(FolderError::new("look at", self.name.as_bytes(), Errno::NOENT));
        };
        let known = self.known.get(set.file.key).copied();
        let raw = self.as_read(&set);
        if let Some(record) = known.filter(|record| record.witness == set.witness()) {
            return Ok(formed(&set, raw, &record, None));
        }
        if !starts_as_database(self.folder, self.dir, self.name)? {
            return Ok(Found::Ordinary);
        }
        let observed = self.folder.now()?;
        let is_trusted = !set.is_racy(observed);
        let whole = self.needs_nothing(&set)?;
        if let Some(raw) = raw.filter(|_| whole)
            && (is_trusted || self.is_left_alone(&set, raw.content)?)
            && self.is_held_fast(&set, raw.content, staging.as_deref_mut())?
            && let Some(found) = self.as_it_lies(&set, raw, known, is_trusted)?
        {
            return Ok(found);
        }
        let Some(staging) = staging else {
            // Nobody else has this name: what it stands for is told by the next sync.
            let (name, size) = (set.witness(), set.file.size);
            let record = FormRecord { key: set.file.key, witness: name, name, content: name, size };
            return Ok(formed(&set, raw, &record, None));
        };
        match self.copy(&set, staging) {
            Ok(copy) => {
                let (content, size) = match known {
                    Some(before) if before.name == copy.name => (before.content, before.size),
                    Some(_) => (copy.name, copy.size),
                    None => match raw {
                        Some(raw) if self.name_as_it_lies(&set)? == copy.name => (raw.content, raw.size),
                        _ => (copy.name, copy.size),
                    },
                };
                let after = Set::look(self.folder, self.dir, self.name)?;
                let is_trusted = is_trusted && after.is_some_and(|after| after.same_content(&set));
                let witness = witness(&set, is_trusted);
                let record = FormRecord { key: set.file.key, witness, name: copy.name, content, size };
                Ok(formed(&set, raw, &record, Some(record)))
            }
            Err(Trouble::NoDatabase) => Ok(Found::Ordinary),
            Err(Trouble::Busy(why)) => {
                let why = format!("the database can't be copied now: {why}");
                Ok(waits(&set, Unknown::Unfit { code: "E-DB-BUSY", why }))
            }
            Err(Trouble::Folder(error)) => Err(error),
        }
    }

    /// What a database is that needs nothing beside it; `None` if it was changed meanwhile.
    fn as_it_lies(
        &self,
        set: &Set,
        raw: Leaf,
        known: Option<FormRecord>,
        is_trusted: bool,
    ) -> Result<Option<Found>, FolderError> {
        let Some(before) = known else { return Ok(Some(Found::Whole)) };
        let name = self.name_as_it_lies(set)?;
        let after = Set::look(self.folder, self.dir, self.name)?;
        if after.is_none_or(|after| !after.same_content(set)) {
            return Ok(None);
        }
        let same = before.name == name;
        let (content, size) = if same { (before.content, before.size) } else { (raw.content, raw.size) };
        let record = FormRecord { key: set.file.key, witness: witness(set, is_trusted), name, content, size };
        Ok(Some(formed(set, Some(raw), &record, Some(record))))
    }

    /// Stages what the database holds now, in the form in which all copies of it are equal; `None` if that can't be had.
    pub fn stage(&self, staging: &mut Staging<'_, F>) -> Result<Option<Copied>, FolderError> {
        let Some(set) = Set::look(self.folder, self.dir, self.name)? else { return Ok(None) };
        if self.needs_nothing(&set)? {
            let size = set.file.size;
            let (name, _) = staging.write(&mut settled(self.folder.open(self.dir, self.name)?, size)?)?;
            return Ok(Some(Copied { name, size }));
        }
        match self.copy(&set, staging) {
            Ok(copied) => Ok(Some(copied)),
            Err(Trouble::Folder(error)) => Err(error),
            Err(Trouble::NoDatabase | Trouble::Busy(_)) => Ok(None),
        }
    }

    /// Answers whether nothing beside the file is needed to read it now.
    pub fn needs_nothing_beside(&self) -> Result<bool, FolderError> {
        match Set::look(self.folder, self.dir, self.name)? {
            Some(set) => self.needs_nothing(&set),
            None => Ok(true),
        }
    }

    /// What the scan read, if nothing happened to the file since.
    fn as_read(&self, set: &Set) -> Option<Leaf> {
        let entry = self.tree.at(self.place);
        match entry.entry {
            Entry::Leaf(leaf) if leaf.kind == LeafKind::File => {
                let is_same = entry.key == Some(set.file.key) && entry.modified == Some(set.file.modified);
                (is_same && leaf.size == set.file.size).then_some(leaf)
            }
            _ => None,
        }
    }

    /// Answers whether nothing beside the file is needed to read it.
    fn needs_nothing(&self, set: &Set) -> Result<bool, FolderError> {
        let has_log = set.wal.as_ref().is_some_and(|wal| wal.size > 0);
        Ok(!has_log && !self.has_hot_journal(set)?)
    }

    fn has_hot_journal(&self, set: &Set) -> Result<bool, FolderError> {
        if set.journal.as_ref().is_none_or(|journal| journal.size == 0) {
            return Ok(false);
        }
        let Some(journal) = sidecars(self.name).last() else { return Ok(false) };
        match start_of(self.folder, self.dir, &journal) {
            Ok(start) => Ok(is_hot(&start)),
            Err(error) if error.failure() == FolderFailure::Missing => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file that was written a moment ago may have been read half written, with nothing in its times to tell. It is
    /// what was read if nobody has it open and it reads the same.
    fn is_left_alone(&self, set: &Set, content: ContentId) -> Result<bool, FolderError> {
        Ok(self.open_by(set)?.is_none()
            && content_of(self.folder, self.dir, self.name, &mut io::sink())? == content)
    }

    /// What was read just now is likely to be sent, and its program may write to it before that: a copy is staged.
    /// Answers false if the program was quicker.
    fn is_held_fast(
        &self,
        set: &Set,
        content: ContentId,
        staging: Option<&mut Staging<'_, F>>,
    ) -> Result<bool, FolderError> {
        match staging {
            Some(staging) if self.read_now && self.open_by(set)?.is_some() => {
                staging.stage_copy((self.dir, self.name), content)
            }
            _ => Ok(true),
        }
    }

    fn open_by(&self, set: &Set) -> Result<Option<String>, FolderError> {
        let fresh = fresh(self.folder, set)?;
        who_has_open(self.folder, self.dir, self.name, fresh)
    }

    /// The name of the state that the file holds by itself.
    fn name_as_it_lies(&self, set: &Set) -> Result<ContentId, FolderError> {
        let mut bytes = settled(self.folder.open(self.dir, self.name)?, set.file.size)?;
        read_through(&mut bytes, self.name, &mut io::sink())
    }

    fn copy(&self, set: &Set, staging: &mut Staging<'_, F>) -> Result<Copied, Trouble> {
        if self.open_by(set)?.is_none() {
            return self.copy_apart(set, staging);
        }
        let why = match self.has_log_to_come(set)? {
            true => "its program is about to write".to_owned(),
            false => match self.copy_live(set, staging) {
                Err(Trouble::Busy(why)) => why,
                copied => return copied,
            },
        };
        // A program that lets nobody else in may rest all the same.
        if set.is_racy(self.folder.now()?) {
            return Err(Trouble::Busy(why));
        }
        self.copy_apart(set, staging).map_err(|error| match error {
            Trouble::Busy(_) => Trouble::Busy(why),
            error => error,
        })
    }

    /// Answers whether the first who reads the database makes its log. That is not to be us.
    fn has_log_to_come(&self, set: &Set) -> Result<bool, FolderError> {
        Ok(set.wal.is_none() && keeps_log(&start_of(self.folder, self.dir, self.name)?))
    }

    /// Copies a database that a program works with.
    fn copy_live(&self, set: &Set, staging: &mut Staging<'_, F>) -> Result<Copied, Trouble> {
        let path = self.path()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(path, flags)?;
        source.busy_handler(Some(wait_for_its_program))?;
        let copied = self.copy_from(&source, staging)?;
        let still = self.folder.metadata(self.dir, self.name)?;
        if still.is_none_or(|still| still.key != set.file.key) {
            return Err(Trouble::Busy("it was replaced meanwhile".to_owned()));
        }
        Ok(copied)
    }

    /// Copies the files of a database that nobody works with, and reads the copies.
    fn copy_apart(&self, set: &Set, staging: &mut Staging<'_, F>) -> Result<Copied, Trouble> {
        let files = Files::copy(self, staging)?;
        let answer = (|| {
            if Set::look(self.folder, self.dir, self.name)?.is_none_or(|now| !now.same_content(set)) {
                return Err(Trouble::Busy("it is being written".to_owned()));
            }
            let source = Connection::open_with_flags(
                self.staged_path(&files.name)?,
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            self.copy_from(&source, staging)
        })();
        files.remove(self.folder, staging)?;
        answer
    }

    fn copy_from(&self, source: &Connection, staging: &mut Staging<'_, F>) -> Result<Copied, Trouble> {
        let name = staging.free_name();
        let made = self.back_up(source, &name);
        let copied = made.and_then(|()| {
            let file = self.folder.open(staging.dir(), &name)?;
            let size = file.metadata()?.size;
            let (name, _) = staging.write(&mut settled(file, size)?)?;
            Ok(Copied { name, size })
        });
        match self.folder.remove_file(staging.dir(), &name) {
            Err(error) if error.failure() != FolderFailure::Missing => Err(error.into()),
            _ => copied,
        }
    }

    /// Has SQLite write one moment of a database into a new file of the staging folder.
    fn back_up(&self, source: &Connection, name: &Name) -> Result<(), Trouble> {
        let mut copy = Connection::open_with_flags(
            self.staged_path(name)?,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NOFOLLOW
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        // Nobody sees it before it is whole, and it is made durable when it is put in place.
        copy.pragma_update(None, "synchronous", "OFF")?;
        let _: String = copy.query_row("PRAGMA journal_mode = OFF", [], |row| row.get(0))?;
        let mode: String = source.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let backup = Backup::new(source, &mut copy)?;
        // With a log, readers and writers do not wait for each other.
        let mut pages = if mode == "wal" { -1 } else { PAGES_PER_STEP };
        let (mut left, mut restarts) = (i32::MAX, 0);
        loop {
            match backup.step(pages)? {
                StepResult::Done => return Ok(()),
                StepResult::More => {
                    let now = backup.progress().remaining;
                    restarts += u32::from(now >= left);
                    left = now;
                    if restarts >= RESTARTS_MAX {
                        pages = -1;
                    }
                }
                _ => return Err(Trouble::Busy("its program keeps it locked".to_owned())),
            }
        }
    }

    fn location(&self) -> Result<PathBuf, Trouble> {
        let nowhere = || Trouble::Busy("the workspace has no path".to_owned());
        self.folder.location().ok_or_else(nowhere)
    }

    fn path(&self) -> Result<PathBuf, Trouble> {
        let path = self.folder.path_on_disk(&self.tree.path(self.place));
        Ok(self.location()?.join(as_path(path.as_bytes())))
    }

    fn staged_path(&self, name: &Name) -> Result<PathBuf, Trouble> {
        Ok(self.location()?.join(STATE).join("staging").join(as_path(name.as_bytes())))
    }
}

/// A copy that is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Its content, which names the state.
    pub name: ContentId,
    /// Its length in bytes.
    pub size: u64,
}

/// Copies of a database and of what belongs to it, in the staging folder.
struct Files {
    name: Name,
}

impl Files {
    fn copy<F: Folder>(look: &Look<'_, F>, staging: &mut Staging<'_, F>) -> Result<Files, Trouble> {
        let files = Files { name: staging.free_name() };
        let from = std::iter::once(look.name.clone()).chain(sidecars(look.name));
        let to = std::iter::once(files.name.clone()).chain(sidecars(&files.name));
        for (from, to) in from.zip(to).filter(|(from, _)| !from.as_bytes().ends_with(b"-shm")) {
            if look.folder.metadata(look.dir, &from)?.is_none_or(|found| found.kind != DiskKind::File) {
                continue;
            }
            let mut file = look.folder.create(staging.dir(), &to)?;
            content_of(look.folder, look.dir, &from, &mut file)?;
            file.finish(false)?;
        }
        Ok(files)
    }

    fn remove<F: Folder>(&self, folder: &F, staging: &Staging<'_, F>) -> Result<(), FolderError> {
        for name in std::iter::once(self.name.clone()).chain(sidecars(&self.name)) {
            match folder.remove_file(staging.dir(), &name) {
                Err(error) if error.failure() != FolderFailure::Missing => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn formed(set: &Set, raw: Option<Leaf>, record: &FormRecord, fresh: Option<FormRecord>) -> Found {
    let FormRecord { content, size, name, .. } = *record;
    let leaf = Leaf { kind: LeafKind::File, content, size, exec: set.file.exec() };
    let disk = raw.map(|raw| raw.content);
    let formed = Formed { way: Way::Database, disk, size: set.file.size, modified: set.file.modified, name };
    let form =
        Form { entry: Entry::Leaf(leaf), modified: set.modified(), formed: Some(formed), record: fresh };
    Found::Formed(Box::new(form))
}

fn waits(set: &Set, why: Unknown) -> Found {
    let form = Form { entry: Entry::Unknown(why), modified: set.modified(), formed: None, record: None };
    Found::Formed(Box::new(form))
}

/// What vouches for a set of files later: nothing, if they could be written again without a trace.
fn witness(set: &Set, is_trusted: bool) -> ContentId {
    if is_trusted { set.witness() } else { ContentId::empty() }
}

/// Answers whether a file begins as a database does.
pub fn starts_as_database<F: Folder>(folder: &F, dir: &F::Dir, name: &Name) -> Result<bool, FolderError> {
    Ok(is_database(&start_of(folder, dir, name)?))
}

fn start_of<F: Folder>(folder: &F, dir: &F::Dir, name: &Name) -> Result<Vec<u8>, FolderError> {
    let mut file = folder.open(dir, name)?;
    let mut start = Vec::with_capacity(HEADER_BYTES);
    (&mut file as &mut dyn Read)
        .take(HEADER_BYTES as u64)
        .read_to_end(&mut start)
        .map_err(|error| FolderError::new("read", name.as_bytes(), error))?;
    Ok(start)
}

/// The bytes of a database with its header settled.
fn settled<R: Read>(mut file: R, size: u64) -> Result<impl Read, FolderError> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(|error| FolderError::new("read", b"database", error))?;
    settle(&mut header, size);
    Ok(Cursor::new(header).chain(file))
}

/// Answers whether a database's log or journal was written a short while ago.
fn fresh<F: Folder>(folder: &F, set: &Set) -> Result<bool, FolderError> {
    let now = folder.now()?;
    let beside = [&set.wal, &set.journal].into_iter().flatten();
    Ok(beside.into_iter().any(|file| file.modified.ns().saturating_add(FRESH_NS) >= now.ns()))
}

/// Waits for a moment in which its program lets readers in. They may be short and far between.
fn wait_for_its_program(tries: i32) -> bool {
    std::thread::sleep(PAUSE);
    PAUSE.saturating_mul(tries.unsigned_abs()) < PATIENCE
}

/// Who has a database open, in words; `None` if nobody has. Where not all processes can be seen, a fresh log or journal
/// beside it says that somebody has.
fn who_has_open<F: Folder>(
    folder: &F,
    dir: &F::Dir,
    name: &Name,
    fresh: bool,
) -> Result<Option<String>, FolderError> {
    let openers = folder.openers(dir, name)?;
    Ok(match openers.seen.first() {
        Some(opener) => Some(format!("{} (process {}) has it open", opener.program, opener.process)),
        None if openers.locked => Some("a program holds a lock on it".to_owned()),
        None if openers.unsure && fresh => Some("what stands beside it was written a moment ago".to_owned()),
        None => None,
    })
}

/// Why a file can't change now, if it is a database: who has it open, in words, or that what its log holds would not move
/// along.
pub fn why_it_waits<F: Folder>(
    folder: &F,
    dir: &F::Dir,
    name: &Name,
    moves: bool,
) -> Result<Option<String>, FolderError> {
    let Some(set) = Set::look(folder, dir, name)? else { return Ok(None) };
    // All pages are of one length, and a look at the length is cheap.
    if !set.file.size.is_multiple_of(512) || !starts_as_database(folder, dir, name)? {
        return Ok(None);
    }
    if let Some(who) = who_has_open(folder, dir, name, fresh(folder, &set)?)? {
        return Ok(Some(who));
    }
    let log = set.files().skip(1).any(|file| file.size > 0);
    let unfinished =
        "its log holds changes; open it with its program once, so that they are put in".to_owned();
    Ok((moves && log).then_some(unfinished))
}

fn as_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
