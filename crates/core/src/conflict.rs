//! Conflicts as values: what both sides changed and no rule decides.

use std::fmt;

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::node::{NodeId, Side};
use crate::path::TreePath;
use crate::tree::LeafKind;

/// A conflict's full id: from its kind, its own name and its versions, in no order of sides, without parent folders. So
/// it is the same on every machine, and stays the same while a parent moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictId(pub ContentId);

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What kind of disagreement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// Both sides changed, or created, the content.
    Content,
    /// Two different things want one name.
    Name,
    /// Both sides moved it, to different places. It is settled already; the other place is on record.
    Move,
    /// A change that can't be carried out without touching what must not be touched.
    Held,
    /// It can't be seen on one side (frozen or lost), and the other side changed it.
    Problem,
}

impl ConflictKind {
    /// The word in lists and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            ConflictKind::Content => "content",
            ConflictKind::Name => "name",
            ConflictKind::Move => "move",
            ConflictKind::Held => "held",
            ConflictKind::Problem => "problem",
        }
    }
}

/// One version that takes part in a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Where it stands on its side.
    pub path: TreePath,
    /// Kind, content, length and executable bit; `None` for a folder.
    pub leaf: Option<VersionLeaf>,
    /// When it was modified, where that is known.
    pub modified: Option<Timestamp>,
}

/// The content of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionLeaf {
    /// File or link.
    pub kind: LeafKind,
    /// The content's name.
    pub content: ContentId,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub exec: bool,
}

/// One recorded disagreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its name on every machine.
    pub id: ConflictId,
    /// What kind it is.
    pub kind: ConflictKind,
    /// The contested path, for people.
    pub path: TreePath,
    /// The node it is about; for a contested name, the node that holds the name here, else the other claimant.
    pub node: NodeId,
    /// All the nodes it is about, `node` among them, in order: the claimants of a contested name, the members of a
    /// cycle. A person's choice for the conflict is a choice for all of them.
    pub nodes: Vec<NodeId>,
    /// What both sides last agreed on.
    pub base: Option<Version>,
    /// The version here; `None` if it is deleted here.
    pub local: Option<Version>,
    /// The version there; `None` if it is deleted there.
    pub remote: Option<Version>,
    /// One sentence: why it could not be decided.
    pub why: String,
    /// Paths that wait only because this one does.
    pub waiting: Vec<TreePath>,
    /// A move conflict that was settled when it was found: nothing waits for it.
    pub settled: bool,
}

impl Conflict {
    /// The version of one side.
    pub fn version(&self, side: Side) -> Option<&Version> {
        match side {
            Side::Local => self.local.as_ref(),
            Side::Remote => self.remote.as_ref(),
        }
    }
}
