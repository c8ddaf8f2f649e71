//! [`DiskFolder`]: the door to a real disk.
//!
//! Every call is relative to a folder that is already open, names one component, and follows no link. So a parent that
//! another program swaps for a link meanwhile leads nowhere: the call fails, or reaches the folder that was meant,
//! wherever it stands now.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use instep_core::clock::Timestamp;
use instep_core::path::Name;
use instep_core::tree::Key;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::openers::{self, Openers};
use super::probe;
use super::system::{self, Device, Opener, retried};
use super::{Abilities, DiskKind, Folder, FolderError, Listing, Metadata, NewFile, OpenFile};

/// The folder of ours inside a workspace.
pub const STATE: &str = ".instep";
/// The folders in it: what was fetched and is not in place yet, and what was displaced.
pub const STATE_FOLDERS: [&str; 2] = ["staging", "history"];

/// An open folder on a disk. Clones share the handle.
#[derive(Debug, Clone)]
pub struct DiskDir(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    fd: OwnedFd,
    /// A handle has one position: two listings at once would each get a part. True once it was moved.
    moved: Mutex<bool>,
}

impl DiskDir {
    fn new(fd: OwnedFd) -> Self {
        DiskDir(Arc::new(Handle { fd, moved: Mutex::new(false) }))
    }
}

impl AsFd for DiskDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// A workspace on a disk.
#[derive(Debug)]
pub struct DiskFolder {
    path: PathBuf,
    root: DiskDir,
    state: DiskDir,
    clock: OwnedFd,
    device: Device,
    opener: Opener,
    abilities: Abilities,
    refusals: AtomicU64,
}

impl DiskFolder {
    /// Opens a workspace; fails with `Missing` if the folder, or our state in it, is not there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let root = open_path(path)?;
        let opener = Opener::probe(&root);
        let state = open_state(opener, &root, path)?;
        Self::assemble(path, opener, root, state)
    }

    /// Makes a folder a workspace: our state folder in it, which no work tree of git takes in. What is there already
    /// stays.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(path).map_err(|e| FolderError::new("create", path_bytes(path), e))?;
        let root = open_path(path)?;
        let opener = Opener::probe(&root);
        create_unless_there(&root, STATE)?;
        let state = open_state(opener, &root, path)?;
        for name in STATE_FOLDERS {
            create_unless_there(&state, name)?;
        }
        let ignore = opener.open(
            &state,
            b".gitignore",
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW,
            Mode::from_raw_mode(0o644),
        );
        let written = ignore.map_err(io::Error::from).and_then(|fd| File::from(fd).write_all(b"*\n"));
        written.map_err(|e| FolderError::new("write", b".instep/.gitignore", e))?;
        for made in [&state, &root] {
            rustix::fs::fsync(made).map_err(|e| FolderError::new("sync", path_bytes(path), e))?;
        }
        Self::assemble(path, opener, root, state)
    }

    /// Counts a wait for the disk that failed.
    fn heard(&self, answer: rustix::io::Result<()>) -> rustix::io::Result<()> {
        if answer.is_err() {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn assemble(path: &Path, opener: Opener, root: OwnedFd, state: OwnedFd) -> Result<Self, FolderError> {
        let failed = |verb, name: &str, e: Errno| FolderError::new(verb, name.as_bytes(), e);
        let device = Device::of(&root).map_err(|e| FolderError::new("look at", path_bytes(path), e))?;
        let clock = opener
            .open(
                &state,
                b"clock",
                OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW,
                Mode::from_raw_mode(0o600),
            )
            .map_err(|e| failed("open", ".instep/clock", e))?;
        let abilities = probe::recall(&state, opener, device)?;
        Ok(DiskFolder {
            path: path.to_owned(),
            root: DiskDir::new(root),
            state: DiskDir::new(state),
            clock,
            device,
            opener,
            abilities,
            refusals: AtomicU64::new(0),
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens or makes a file of our state folder that processes lock, and that holds a few bytes for people.
    pub(crate) fn lock_file(&self, name: &Name) -> Result<File, FolderError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        self.opener
            .open(&self.state, name.as_bytes(), flags, Mode::from_raw_mode(0o600))
            .map(File::from)
            .map_err(|e| failed("open", name, e))
    }

    fn open_file(&self, folder: &DiskDir, name: &Name) -> Result<DiskFile, FolderError> {
        let fd = self
            .opener
            .open(folder, name.as_bytes(), system::FILE, Mode::empty())
            .map_err(|e| failed("open", name, e))?;
        let file = DiskFile { file: File::from(fd), name: name.clone(), device: self.device };
        match file.metadata()?.kind {
            DiskKind::File => Ok(file),
            DiskKind::Folder => Err(failed("open", name, Errno::ISDIR)),
            _ => Err(failed("open", name, Errno::STALE)),
        }
    }

    /// Places without a rename that refuses: a second name refuses too, and so does making a folder.
    fn place_by_steps(&self, from: (&DiskDir, &Name), to: (&DiskDir, &Name)) -> rustix::io::Result<()> {
        let is_folder = system::metadata_at(from.0, from.1, self.device)?.kind == DiskKind::Folder;
        if is_folder {
            let mode = Mode::from_raw_mode(0o700);
            rustix::fs::mkdirat(to.0, to.1.as_bytes(), mode)?;
            let placed = rustix::fs::renameat(from.0, from.1.as_bytes(), to.0, to.1.as_bytes());
            if placed.is_err() {
                // It would be taken for a person's own.
                let _ = rustix::fs::unlinkat(to.0, to.1.as_bytes(), AtFlags::REMOVEDIR);
            }
            return placed;
        }
        let linked = rustix::fs::linkat(from.0, from.1.as_bytes(), to.0, to.1.as_bytes(), AtFlags::empty());
        match linked.map_err(unsupported_link) {
            Ok(()) => rustix::fs::unlinkat(from.0, from.1.as_bytes(), AtFlags::empty()),
            Err(Errno::OPNOTSUPP) => self.place_over_own(from, to),
            Err(error) => Err(error),
        }
    }

    /// Places on a disk that knows no second names either: an empty file of ours takes the name, which fails if it is
    /// taken, and is renamed over if it still is empty. What is left after a kill in between is that empty file.
    fn place_over_own(&self, from: (&DiskDir, &Name), to: (&DiskDir, &Name)) -> rustix::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        drop(self.opener.open(to.0, to.1.as_bytes(), flags, Mode::from_raw_mode(0o600))?);
        let is_ours = || {
            let found = system::metadata_at(to.0, to.1, self.device)?;
            rustix::io::Result::Ok(found.kind == DiskKind::File && found.size == 0)
        };
        if !is_ours()? {
            return Err(Errno::EXIST);
        }
        let placed = rustix::fs::renameat(from.0, from.1.as_bytes(), to.0, to.1.as_bytes());
        if placed.is_err() && is_ours().unwrap_or(false) {
            let _ = rustix::fs::unlinkat(to.0, to.1.as_bytes(), AtFlags::empty());
        }
        placed
    }
}

impl Folder for DiskFolder {
    type Dir = DiskDir;

    fn location(&self) -> Option<PathBuf> {
        self.path.canonicalize().ok()
    }

    fn openers(&self, folder: &DiskDir, name: &Name) -> Result<Openers, FolderError> {
        let file = self.open_file(folder, name)?;
        openers::openers(&file.file).map_err(|e| FolderError::new("look at", name.as_bytes(), e))
    }

    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn root(&self) -> DiskDir {
        self.root.clone()
    }

    fn state(&self) -> DiskDir {
        self.state.clone()
    }

    fn open_folder(&self, parent: &DiskDir, name: &Name) -> Result<DiskDir, FolderError> {
        self.opener
            .open(parent, name.as_bytes(), system::FOLDER, Mode::empty())
            .map(DiskDir::new)
            .map_err(|e| failed("open", name, e))
    }

    fn folder_metadata(&self, folder: &DiskDir) -> Result<Metadata, FolderError> {
        system::metadata_open(folder, self.device).map_err(|e| failed_at("look at", folder, e))
    }

    fn list(&self, folder: &DiskDir) -> Result<Listing, FolderError> {
        let mut moved = folder.0.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *moved, true) {
            system::rewind(folder).map_err(|e| failed_at("list", folder, e))?;
        }
        system::list(folder).map_err(|e| failed_at("list", folder, e))
    }

    fn metadata(&self, folder: &DiskDir, name: &Name) -> Result<Option<Metadata>, FolderError> {
        match system::metadata_at(folder, name, self.device) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(failed("look at", name, e)),
        }
    }

    fn open(&self, folder: &DiskDir, name: &Name) -> Result<Box<dyn OpenFile>, FolderError> {
        Ok(Box::new(self.open_file(folder, name)?))
    }

    fn read_link(&self, folder: &DiskDir, name: &Name) -> Result<Vec<u8>, FolderError> {
        retried(|| rustix::fs::readlinkat(folder, name.as_bytes(), Vec::new()))
            .map(|target| target.into_bytes())
            .map_err(|e| failed("read", name, if e == Errno::INVAL { Errno::STALE } else { e }))
    }

    fn create(&self, folder: &DiskDir, name: &Name) -> Result<Box<dyn NewFile>, FolderError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd = self
            .opener
            .open(folder, name.as_bytes(), flags, Mode::from_raw_mode(0o666))
            .map_err(|e| failed("create", name, e))?;
        Ok(Box::new(DiskFile { file: File::from(fd), name: name.clone(), device: self.device }))
    }

    fn create_link(&self, folder: &DiskDir, name: &Name, target: &[u8]) -> Result<(), FolderError> {
        retried(|| rustix::fs::symlinkat(target, folder, name.as_bytes()))
            .map_err(|e| failed("create", name, unsupported_link(e)))
    }

    fn create_folder(&self, folder: &DiskDir, name: &Name) -> Result<(), FolderError> {
        retried(|| rustix::fs::mkdirat(folder, name.as_bytes(), Mode::from_raw_mode(0o777)))
            .map_err(|e| failed("create", name, e))
    }

    fn remove_folder(&self, folder: &DiskDir, name: &Name) -> Result<(), FolderError> {
        retried(|| rustix::fs::unlinkat(folder, name.as_bytes(), AtFlags::REMOVEDIR)).map_err(|e| {
            // Some file systems say "exists" of a folder that is not empty.
            failed("remove", name, if e == Errno::EXIST { Errno::NOTEMPTY } else { e })
        })
    }

    fn place(&self, from: (&DiskDir, &Name), to: (&DiskDir, &Name)) -> Result<(), FolderError> {
        let placed = if self.abilities.no_replace {
            rename(from, to, RenameFlags::NOREPLACE)
        } else {
            self.place_by_steps(from, to)
        };
        // A folder with things in it is as taken as a file.
        placed.map_err(|e| failed("place", to.1, if e == Errno::NOTEMPTY { Errno::EXIST } else { e }))
    }

    fn exchange(&self, one: (&DiskDir, &Name), other: (&DiskDir, &Name)) -> Result<(), FolderError> {
        if !self.abilities.exchange {
            return Err(failed("exchange", other.1, Errno::OPNOTSUPP));
        }
        rename(one, other, RenameFlags::EXCHANGE).map_err(|e| failed("exchange", other.1, e))
    }

    fn replace(&self, from: (&DiskDir, &Name), to: (&DiskDir, &Name)) -> Result<(), FolderError> {
        rename(from, to, RenameFlags::empty()).map_err(|e| failed("replace", to.1, e))
    }

    fn remove_file(&self, folder: &DiskDir, name: &Name) -> Result<(), FolderError> {
        retried(|| rustix::fs::unlinkat(folder, name.as_bytes(), AtFlags::empty()))
            .map_err(|e| failed("remove", name, e))
    }

    fn set_exec(&self, folder: &DiskDir, name: &Name, key: Key, exec: bool) -> Result<(), FolderError> {
        // What is known of the file says it there.
        if !self.abilities.exec {
            return Ok(());
        }
        let file = self.open_file(folder, name)?;
        let now = file.metadata()?;
        if now.key != key {
            return Err(failed("change", name, Errno::STALE));
        }
        let mode = if exec { now.mode | (now.mode & 0o444) >> 2 } else { now.mode & !0o111 };
        if mode == now.mode {
            return Ok(());
        }
        retried(|| rustix::fs::fchmod(&file.file, Mode::from_raw_mode(mode)))
            .map_err(|e| failed("change", name, e))
    }

    fn copy_attributes(&self, from: (&DiskDir, &Name), to: (&DiskDir, &Name)) -> Result<(), FolderError> {
        let (old, new) = (self.open_file(from.0, from.1)?, self.open_file(to.0, to.1)?);
        let modes = (old.metadata()?, new.metadata()?);
        let owner = retried(|| rustix::fs::fstat(&old.file)).map_err(|e| failed("look at", from.1, e))?;
        let (user, group) =
            (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
        if rustix::fs::fchown(&new.file, Some(user), Some(group)).is_err() {
            // Only root gives files away; a group that one is in can be kept, and the rest can't be helped.
            let _ = rustix::fs::fchown(&new.file, None, Some(group));
        }
        for (name, value) in system::inherited_attributes(&old.file).unwrap_or_default() {
            let _ = rustix::fs::fsetxattr(&new.file, &*name, &value, rustix::fs::XattrFlags::empty());
        }
        let mode = inherited_mode(&modes.0, &modes.1);
        retried(|| rustix::fs::fchmod(&new.file, Mode::from_raw_mode(mode)))
            .map_err(|e| failed("change", to.1, e))
    }

    fn make_private(&self, folder: &DiskDir, name: &Name) -> Result<(), FolderError> {
        let file = self.open_file(folder, name)?;
        let mode = Mode::from_raw_mode(file.metadata()?.mode & 0o700);
        match retried(|| rustix::fs::fchmod(&file.file, mode)) {
            // A disk without modes has none to take.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(failed("change", name, error)),
        }
    }

    fn sync_file(&self, folder: &DiskDir, name: &Name) -> Result<Key, FolderError> {
        let file = self.open_file(folder, name)?;
        // Not repeated: after a failed one the next would succeed, with nothing written.
        self.heard(rustix::fs::fsync(&file.file)).map_err(|e| failed("sync", name, e))?;
        Ok(file.metadata()?.key)
    }

    fn sync_folder(&self, folder: &DiskDir) -> Result<(), FolderError> {
        rustix::fs::fsync(folder).map_err(|e| failed_at("sync", folder, e))
    }

    fn sync_all(&self) -> Result<(), FolderError> {
        let answer = self.heard(rustix::fs::syncfs(&self.root));
        answer.map_err(|e| FolderError::new("sync", path_bytes(&self.path), e))
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    fn now(&self) -> Result<Timestamp, FolderError> {
        system::touch(&self.clock)
            .and_then(|()| system::metadata_open(&self.clock, self.device))
            .map(|metadata| metadata.modified)
            .map_err(|e| FolderError::new("touch", b".instep/clock", e))
    }
}

/// The mode of a file that replaces another: the old one's, with the executable bit of the new.
fn inherited_mode(old: &Metadata, new: &Metadata) -> u32 {
    match (old.exec(), new.exec()) {
        (_, false) => old.mode & 0o666,
        (true, true) => old.mode & 0o777,
        (false, true) => old.mode & 0o666 | (old.mode & 0o444) >> 2,
    }
}

fn rename(one: (&DiskDir, &Name), other: (&DiskDir, &Name), how: RenameFlags) -> rustix::io::Result<()> {
    retried(|| rustix::fs::renameat_with(one.0, one.1.as_bytes(), other.0, other.1.as_bytes(), how))
}

/// Disks without links answer that it is "not permitted".
fn unsupported_link(error: Errno) -> Errno {
    if matches!(error, Errno::PERM | Errno::NOSYS) { Errno::OPNOTSUPP } else { error }
}

fn failed(verb: &'static str, name: &Name, error: Errno) -> FolderError {
    FolderError::new(verb, name.as_bytes(), error)
}

fn failed_at(verb: &'static str, folder: &DiskDir, error: Errno) -> FolderError {
    FolderError::new(verb, &system::place_of(folder), error)
}

fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn open_path(path: &Path) -> Result<OwnedFd, FolderError> {
    system::open_path(path).map_err(|e| FolderError::new("open", path_bytes(path), e))
}

fn open_state(opener: Opener, root: &OwnedFd, path: &Path) -> Result<OwnedFd, FolderError> {
    opener
        .open(root, STATE.as_bytes(), system::FOLDER, Mode::empty())
        .map_err(|e| FolderError::new("open", path_bytes(&path.join(STATE)), e))
}

fn create_unless_there(parent: &OwnedFd, name: &str) -> Result<(), FolderError> {
    match retried(|| rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(FolderError::new("create", name.as_bytes(), e)),
    }
}

/// A file on a disk, for reading or new.
#[derive(Debug)]
struct DiskFile {
    file: File,
    name: Name,
    device: Device,
}

impl DiskFile {
    fn metadata(&self) -> Result<Metadata, FolderError> {
        system::metadata_open(&self.file, self.device).map_err(|e| failed("look at", &self.name, e))
    }
}

impl Read for DiskFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(retried(|| rustix::io::read(&self.file, &mut *buffer))?)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(retried(|| rustix::io::write(&self.file, bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl OpenFile for DiskFile {
    fn metadata(&self) -> Result<Metadata, FolderError> {
        DiskFile::metadata(self)
    }
}

impl NewFile for DiskFile {
    fn finish(self: Box<Self>, durable: bool) -> Result<Metadata, FolderError> {
        if durable {
            rustix::fs::fsync(&self.file).map_err(|e| failed("sync", &self.name, e))?;
        }
        DiskFile::metadata(&self)
    }
}

#[cfg(test)]
mod tests;
