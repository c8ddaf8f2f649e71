//! The seam to every place outside: [`Remote`].
//!
//! Contract: everything before [`Remote::commit`] is invisible to others and may be repeated; `commit` happens whole,
//! only if the head is still the expected one, else [`RemoteErrorKind::Stale`]. The conformance suite of the test kit
//! says the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::note::Notes;
use crate::path::{Name, TreePath};
use crate::progress::Observer;
use crate::renames::{Rename, Renames};
use crate::tree::LeafKind;

/// A remote's own name for one of its snapshots.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub String);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A remote's own name for a content or a folder: up to 32 bytes, of no meaning elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    length: u8,
    bytes: [u8; 32],
}

impl ObjectId {
    /// Takes the bytes; `None` if there are more than 32.
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(ObjectId { length: name.len() as u8, bytes })
    }

    /// Borrows the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }
}

impl From<ContentId> for ObjectId {
    fn from(id: ContentId) -> Self {
        ObjectId { length: 32, bytes: *id.as_bytes() }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What an entry of a remote's snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedKind {
    /// A folder.
    Folder,
    /// A file or link with its content's name at the remote.
    Leaf {
        /// File or link.
        kind: LeafKind,
        /// Whether it may be executed.
        exec: bool,
    },
    /// Something that no workspace can hold; the code is searchable, the text says why. It stays where it is.
    Unfit {
        /// The stable code, such as `E-GIT-SUBMODULE`.
        code: &'static str,
        /// One sentence.
        why: String,
    },
}

/// One entry of a remote's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The index of its folder in [`Snapshot::entries`]; `None` in the root.
    pub parent: Option<u32>,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: ListedKind,
    /// The remote's name for its content, or for the folder with all in it.
    pub object: ObjectId,
}

/// What a remote held at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Which revision.
    pub revision: Revision,
    /// All entries, parents before children.
    pub entries: Vec<Listed>,
    /// The remote's name for the whole tree.
    pub root: ObjectId,
    /// Who, when, and what its head said of itself.
    pub stamp: Stamp,
    /// When each file was modified, for those that the remote knows apart from `stamp.time`.
    pub times: BTreeMap<TreePath, Timestamp>,
    /// Who wrote each file that changed since the known revision; nothing where that is who wrote the head.
    pub writers: BTreeMap<TreePath, String>,
    /// What Instep's commits since the known revision say they renamed; nothing if none was given.
    pub renames: Renames,
}

/// What a snapshot says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The person, as the remote shows them.
    pub author: String,
    /// The machine's name and id; `None` if Instep did not write it.
    pub machine: Option<MachineStamp>,
    /// The newest modification it carries.
    pub time: Timestamp,
    /// The first line of its message.
    pub message: String,
    /// The operation that wrote it, as that machine's log names it.
    pub operation: Option<String>,
    /// A person allowed its deletions: they are not asked about again.
    pub allows_deletes: bool,
    /// Whether it, and all between it and the known revision, can speak of folders without files. If not, the absence
    /// of such a folder is not a deletion.
    pub speaks_of_folders: bool,
}

impl Stamp {
    /// Who wrote it: the machine, or the person if Instep did not.
    pub fn writer(&self) -> &str {
        self.machine.as_ref().map_or(&self.author, |machine| &machine.name)
    }
}

/// Which machine wrote a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineStamp {
    /// Its name.
    pub name: String,
    /// Its random id.
    pub id: String,
}

/// How a revision relates to one known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// It is the same.
    Same,
    /// It comes after the known one.
    Ahead,
    /// It comes before the known one: the remote was put back.
    Rewound,
    /// The known one is not in its past, but both have a common one: the remote was rewritten.
    Diverged,
    /// They have nothing in common: the remote was made anew.
    Unrelated,
}

/// One entry of the tree that is to become a remote's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// The index of its folder in [`Draft::entries`]; `None` in the root.
    pub parent: Option<u32>,
    /// Its name.
    pub name: Name,
    /// What it is; `Unfit` entries are carried over as they are.
    pub kind: ListedKind,
    /// The remote's name for it, as an upload or a listing gave it; `None` for a folder that changed, which gets a new
    /// one.
    pub object: Option<ObjectId>,
}

/// A tree that is to become a remote's head, and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// All entries, parents before children. Below a folder with a known object nothing need be listed.
    pub entries: Vec<Drafted>,
    /// The message for people.
    pub message: String,
    /// Which machine writes it.
    pub machine: MachineStamp,
    /// This machine's operation.
    pub operation: String,
    /// The newest modification it carries.
    pub time: Timestamp,
    /// The files that were modified at another time, with that time.
    pub times: BTreeMap<TreePath, Timestamp>,
    /// A person allowed its deletions.
    pub allows_deletes: bool,
    /// What was renamed since the head before.
    pub renames: Vec<Rename>,
}

/// One committed revision of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Which.
    pub revision: Revision,
    /// What it said of itself.
    pub stamp: Stamp,
}

/// What a remote is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The kind's word: `git`, `memory`.
    pub kind: &'static str,
    /// The address as people may see it, without secrets.
    pub address: String,
    /// The largest content it takes, in bytes; `None` for no limit.
    pub content_bytes_max: Option<u64>,
}

/// Why a remote can't hold an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code, such as `E-SIZE-REMOTE`.
    pub code: &'static str,
    /// One sentence.
    pub why: String,
}

/// Where fetched contents go.
pub trait Sink {
    /// Takes one content, in whole, from `content`; its length is known.
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError>;
}

/// Where offered contents come from.
pub trait Source {
    /// Opens a content for one reading from the start; its length must be `size`.
    fn open(&self, content: ContentId) -> Result<OfferedContent, RemoteError>;
}

/// One content on its way out.
pub struct OfferedContent {
    /// Its length in bytes.
    pub size: u64,
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
}

/// A place outside the workspace that holds its snapshots.
pub trait Remote: Send + Sync {
    /// What it is and can do; asks nobody.
    fn describe(&self) -> Description;

    /// The head's revision; `None` if nothing was ever committed.
    fn head(&self) -> Result<Option<Revision>, RemoteError>;

    /// How `head` relates to a revision known before. May fetch.
    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError>;

    /// Lists the tree at a revision. `known` is a revision that was listed before, if any: only what came after it
    /// decides whether the snapshot speaks of folders, and what was renamed.
    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError>;

    /// Hands the wanted contents to the sink, each once, in any order. What was fetched before is read again without
    /// asking the remote, where it keeps a copy: so does a merge find the contents of its base.
    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError>;

    /// Sends contents, invisibly; answers the remote's name for each, in the same order. May be repeated. What no commit
    /// holds may be forgotten at any time: only what the head lists is there without being sent.
    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError>;

    /// Prepares the commit of a draft on top of `expected`, and of nothing else: answers the revision that it will have.
    /// Invisible.
    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError>;

    /// Makes a prepared revision the head: whole, and only if the head is still `expected`; else `Stale`. It is no
    /// failure if it is the head already: the answer to an earlier try may have been lost. An error that is not `Stale`
    /// says that it had not happened when the head was last asked; whoever tries again asks the head first.
    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError>;

    /// The newest revisions, newest first, from what was fetched.
    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError>;

    /// Lays down a machine's note beside the snapshots, in the place of its former one, with the contents that it speaks
    /// of. `author` is the machine's id; see [`crate::note`]. Answers false if the remote takes no notes.
    fn lay_down(
        &self,
        _author: &str,
        _text: &[u8],
        _contents: &[ContentId],
        _from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        Ok(false)
    }

    /// All notes as they were when the head was last asked for; `None` if that is what `known` is the mark of. Their
    /// contents can be fetched.
    fn notes(&self, _known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        Ok(None)
    }

    /// Answers why the remote can't hold an entry, if so; asks nobody.
    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal>;
}

/// What a failure means for whoever called, and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Passing: try again, after the wait if one is given.
    Retry(Option<Duration>),
    /// Credentials, permission, quota, address: a person must act.
    Refused,
    /// The world moved on: plan again.
    Stale,
    /// Damaged data: stop and verify.
    Corrupt,
    /// Our own mistake.
    Bug,
}

/// What went wrong at a remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RemoteErrorKind {
    /// It can't be reached now.
    Offline,
    /// It asks us to come back later.
    Busy,
    /// Login or permission.
    Unauthorized,
    /// There is nothing at the address, or not what we can use.
    NotFound,
    /// It won't take what we send (size, quota, a rule of the host).
    Rejected,
    /// A danger to data or to this machine: a changed host key, a redirect, an address that must not be used.
    Unsafe,
    /// The address or the branch is not valid.
    Invalid,
    /// The head is not the expected one.
    Stale,
    /// What it holds is damaged.
    Corrupt,
    /// It said something that makes no sense.
    Protocol,
    /// This machine failed (disk, memory, a program that is missing).
    Local,
    /// A person asked to stop.
    Cancelled,
}

/// A failure of a remote, worded for people and classed for programs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    /// What kind of failure.
    pub kind: RemoteErrorKind,
    /// The stable code, such as `E-NET-OFFLINE`.
    pub code: &'static str,
    /// One sentence, without secrets, escaped.
    pub message: String,
    /// What to type or do next, where we know.
    pub hint: Option<String>,
    /// How long the remote asked us to wait.
    pub wait: Option<Duration>,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RemoteError {
    /// A failure without hint, wait or cause.
    pub fn new(kind: RemoteErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        RemoteError { kind, code, message: message.into(), hint: None, wait: None, source: None }
    }

    /// Adds what to do next.
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What it means for whoever called.
    pub fn class(&self) -> Class {
        match self.kind {
            RemoteErrorKind::Offline | RemoteErrorKind::Busy => Class::Retry(self.wait),
            RemoteErrorKind::Unauthorized
            | RemoteErrorKind::NotFound
            | RemoteErrorKind::Rejected
            | RemoteErrorKind::Unsafe
            | RemoteErrorKind::Invalid
            | RemoteErrorKind::Local
            | RemoteErrorKind::Cancelled => Class::Refused,
            RemoteErrorKind::Stale => Class::Stale,
            RemoteErrorKind::Corrupt => Class::Corrupt,
            RemoteErrorKind::Protocol => Class::Bug,
        }
    }
}
