//! The only door to a person's files: [`Folder`].
//!
//! All names are relative to an open folder, one component at a time, and no link is ever followed: whatever another
//! program does to the tree meanwhile, nothing outside the workspace can be reached. Two rooms stand behind the door:
//! [`DiskFolder`](disk::DiskFolder), and the simulated one of the test kit.
//!
//! Nothing here overwrites or unlinks what a person may have written: [`Folder::place`] refuses a taken name,
//! [`Folder::exchange`] keeps both, and [`Folder::remove_file`] and [`Folder::replace`] are for our own state folder.

pub mod disk;
#[cfg(test)]
pub(crate) mod faulty;
pub mod openers;
pub mod placed;
mod probe;
mod system;
pub mod whole;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use instep_core::clock::Timestamp;
use instep_core::mutant;
use instep_core::path::{self, Name, TreePath};
use instep_core::places::Places;
use instep_core::policy::Fold;
use instep_core::tree::Key;

use openers::Openers;

/// What kind of thing a name is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A socket, device, pipe or the like.
    Special,
}

/// What the file system says of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// What kind of thing it is.
    pub kind: DiskKind,
    /// Its identity.
    pub key: Key,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was last modified.
    pub modified: Timestamp,
    /// When it was last changed in any way; programs can't set this.
    pub changed: Timestamp,
    /// The permission bits (07777).
    pub mode: u32,
    /// How many names it has.
    pub names: u64,
}

impl Metadata {
    /// Answers whether its owner may execute it.
    pub fn exec(&self) -> bool {
        self.kind == DiskKind::File && self.mode & 0o100 != 0
    }

    /// Answers whether other names lead to this file, hard links, in the workspace or outside.
    pub fn has_other_names(&self) -> bool {
        self.kind == DiskKind::File && self.names > 1
    }

    /// Answers whether two observations can be of the same content: same identity, length and times.
    pub fn same_content(&self, other: &Metadata) -> bool {
        self.key == other.key
            && self.kind == other.kind
            && self.size == other.size
            && (self.modified == other.modified || mutant::is_on("only-length-compared"))
            && (self.changed == other.changed
                || mutant::is_on("only-length-compared")
                || mutant::is_on("modified-is-believed"))
    }
}

/// What a folder's disk can do; probed once, when the workspace is made, and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Two names can be exchanged in one step.
    pub exchange: bool,
    /// A rename can refuse a taken name.
    pub no_replace: bool,
    /// Symbolic links can be made.
    pub links: bool,
    /// The executable bit is kept.
    pub exec: bool,
    /// Which names are taken for the same.
    pub fold: Fold,
    /// The longest name, in bytes.
    pub name_bytes_max: usize,
}

/// A failure of the disk, with the path it is about.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {path}")]
pub struct FolderError {
    /// What was tried, as a verb: `open`, `read`, `exchange`.
    pub verb: &'static str,
    /// The path or name, escaped for people.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What a failure of the disk means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderFailure {
    /// There is no such name.
    Missing,
    /// The name is taken.
    Taken,
    /// Not what was expected there (a link where a folder was, a folder where a file was).
    Raced,
    /// The folder is not empty.
    NotEmpty,
    /// No permission.
    Denied,
    /// No space, or no quota, left.
    Full,
    /// The disk can only be read.
    ReadOnly,
    /// Too many open files.
    Exhausted,
    /// The name is too long or of a form that the disk can't hold.
    Unnameable,
    /// The file system renames nothing from there to here: a lower layer of it, or a mount, is in the way.
    Fixed,
    /// The file system can't do this.
    Unsupported,
    /// Anything else, a failing disk among it.
    Broken,
}

impl FolderError {
    /// Wraps what the system said of a name or path.
    pub fn new(verb: &'static str, path: &[u8], source: impl Into<io::Error>) -> Self {
        FolderError { verb, path: path::escape(path), source: source.into() }
    }

    /// What the failure means.
    pub fn failure(&self) -> FolderFailure {
        use rustix::io::Errno;
        let Some(code) = self.source.raw_os_error() else { return FolderFailure::Broken };
        match Errno::from_raw_os_error(code) {
            Errno::XDEV if matches!(self.verb, "place" | "exchange" | "replace") => FolderFailure::Fixed,
            Errno::NOENT => FolderFailure::Missing,
            Errno::EXIST => FolderFailure::Taken,
            Errno::NOTEMPTY => FolderFailure::NotEmpty,
            Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::XDEV | Errno::STALE => FolderFailure::Raced,
            Errno::ACCESS | Errno::PERM => FolderFailure::Denied,
            Errno::NOSPC | Errno::DQUOT => FolderFailure::Full,
            Errno::ROFS => FolderFailure::ReadOnly,
            Errno::MFILE | Errno::NFILE => FolderFailure::Exhausted,
            Errno::NAMETOOLONG | Errno::ILSEQ | Errno::INVAL => FolderFailure::Unnameable,
            Errno::NOSYS | Errno::OPNOTSUPP => FolderFailure::Unsupported,
            _ => FolderFailure::Broken,
        }
    }

    /// Answers whether the name is gone, or another thing stands there than was asked for.
    pub fn is_gone(&self) -> bool {
        matches!(self.failure(), FolderFailure::Missing | FolderFailure::Raced)
    }

    /// The stable code for people.
    pub fn code(&self) -> &'static str {
        match self.failure() {
            FolderFailure::Full => "E-DISK-FULL",
            FolderFailure::ReadOnly => "E-IO-RO",
            FolderFailure::Denied => "E-IO-PERM",
            FolderFailure::Raced
            | FolderFailure::Missing
            | FolderFailure::Taken
            | FolderFailure::NotEmpty => "E-RACE",
            FolderFailure::Exhausted => "E-IO-FILES",
            FolderFailure::Unnameable => "E-PATH-LONG",
            FolderFailure::Fixed | FolderFailure::Unsupported | FolderFailure::Broken => "E-IO",
        }
    }
}

/// A file that is being written in our state folder, not yet visible to anyone.
pub trait NewFile: Write + Send {
    /// Ends the writing; makes the content durable if asked. Answers what the file system says of it.
    fn finish(self: Box<Self>, durable: bool) -> Result<Metadata, FolderError>;
}

/// A file open for reading.
pub trait OpenFile: Read + Send {
    /// What the file system says of the open file now, whatever became of its name.
    fn metadata(&self) -> Result<Metadata, FolderError>;
}

/// The names in a folder, as a listing gives them.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// The names that are valid.
    pub names: Vec<Name>,
    /// What kind each name was, in the same order, as far as the listing told: a hint. May be empty.
    pub kinds: Vec<Option<DiskKind>>,
    /// How many raw names could not be taken (none on Unix).
    pub skipped: usize,
}

/// A folder with files in it, and our state folder `.instep` inside it on the same file system.
pub trait Folder: Send + Sync {
    /// An open folder. Clones share it. It stays the same folder wherever it is moved to.
    type Dir: Clone + Send + Sync;

    /// Where the workspace stands for what opens files by path, which is SQLite alone; `None` where there is no such path.
    fn location(&self) -> Option<PathBuf> {
        None
    }

    /// Names what stands for paths of this machine by these places from now on; see [`placed`]. `None`: as it is.
    fn name_by(&self, _places: Option<Arc<Places>>) {}

    /// Gives what was seen under another name that means the same its right one. Answers whether what was seen there
    /// changed by it.
    fn right_names(&self) -> Result<bool, FolderError> {
        Ok(false)
    }

    /// The names that a path has on the disk.
    fn path_on_disk(&self, path: &TreePath) -> TreePath {
        path.clone()
    }

    /// Who has a regular file open, besides this process; nobody where nobody else can.
    fn openers(&self, _folder: &Self::Dir, _name: &Name) -> Result<Openers, FolderError> {
        Ok(Openers::default())
    }

    /// What the disk can do.
    fn abilities(&self) -> Abilities;

    /// The workspace itself.
    fn root(&self) -> Self::Dir;

    /// Our state folder.
    fn state(&self) -> Self::Dir;

    /// Opens a folder in a folder; fails if the name is a link or no folder.
    fn open_folder(&self, parent: &Self::Dir, name: &Name) -> Result<Self::Dir, FolderError>;

    /// What the file system says of an open folder.
    fn folder_metadata(&self, folder: &Self::Dir) -> Result<Metadata, FolderError>;

    /// All names in a folder, in no order.
    fn list(&self, folder: &Self::Dir) -> Result<Listing, FolderError>;

    /// What the file system says of a name; `None` if there is none. Follows no link.
    fn metadata(&self, folder: &Self::Dir, name: &Name) -> Result<Option<Metadata>, FolderError>;

    /// Opens a regular file for reading; fails if it is anything else.
    fn open(&self, folder: &Self::Dir, name: &Name) -> Result<Box<dyn OpenFile>, FolderError>;

    /// Reads a link's target.
    fn read_link(&self, folder: &Self::Dir, name: &Name) -> Result<Vec<u8>, FolderError>;

    /// Starts a new file under a free name; the person's umask decides its mode.
    fn create(&self, folder: &Self::Dir, name: &Name) -> Result<Box<dyn NewFile>, FolderError>;

    /// Makes a link under a free name.
    fn create_link(&self, folder: &Self::Dir, name: &Name, target: &[u8]) -> Result<(), FolderError>;

    /// Makes a folder under a free name.
    fn create_folder(&self, folder: &Self::Dir, name: &Name) -> Result<(), FolderError>;

    /// Removes a folder if it is empty.
    fn remove_folder(&self, folder: &Self::Dir, name: &Name) -> Result<(), FolderError>;

    /// Renames; fails with `Taken` if the target name exists.
    fn place(&self, from: (&Self::Dir, &Name), to: (&Self::Dir, &Name)) -> Result<(), FolderError>;

    /// Exchanges two names in one step; fails with `Unsupported` where the disk can't.
    fn exchange(&self, one: (&Self::Dir, &Name), other: (&Self::Dir, &Name)) -> Result<(), FolderError>;

    /// Renames over whatever file stands at the target. In our state folder; elsewhere only where the disk has no
    /// exchange and what stands there has been kept.
    fn replace(&self, from: (&Self::Dir, &Name), to: (&Self::Dir, &Name)) -> Result<(), FolderError>;

    /// Unlinks a file or link of our state folder.
    fn remove_file(&self, folder: &Self::Dir, name: &Name) -> Result<(), FolderError>;

    /// Sets or takes the executable bit of a file, if it still is the one with this key; a read bit lends its place to
    /// each executable bit, as `chmod +x` under the usual umask does.
    fn set_exec(&self, folder: &Self::Dir, name: &Name, key: Key, exec: bool) -> Result<(), FolderError>;

    /// Gives a staged file the mode (but for the executable bit), owner, and extended attributes of the file that it
    /// will replace, as far as this person may.
    fn copy_attributes(&self, from: (&Self::Dir, &Name), to: (&Self::Dir, &Name)) -> Result<(), FolderError>;

    /// Takes a staged file's mode bits from everybody but its owner, where the disk has such.
    fn make_private(&self, folder: &Self::Dir, name: &Name) -> Result<(), FolderError>;

    /// Makes a file's content durable; answers which file it was that had the name.
    fn sync_file(&self, folder: &Self::Dir, name: &Name) -> Result<Key, FolderError>;

    /// Makes a folder's names durable.
    fn sync_folder(&self, folder: &Self::Dir) -> Result<(), FolderError>;

    /// Makes all that was written to this file system durable.
    fn sync_all(&self) -> Result<(), FolderError>;

    /// How often a wait for the disk, for contents, has failed since this folder was opened.
    fn refusals(&self) -> u64;

    /// The present moment by the file system's own clock, to which times of modification compare.
    fn now(&self) -> Result<Timestamp, FolderError>;
}
