//! A plan: what a cycle will do on each side, as a value that can be shown, kept, compared and carried out.

use crate::conflict::Conflict;
use crate::content::ContentId;
use crate::node::{NodeId, PerSide, Row, Side, Value};
use crate::path::TreePath;
use crate::tree::Place;

/// What happens to one node on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The node.
    pub node: NodeId,
    /// What the side holds now; `None` if the node is to be created there.
    pub before: Option<Value>,
    /// What the side is to hold; `None` if the node is to be removed there.
    pub after: Option<Value>,
    /// Where it stands on that side now.
    pub from: Option<TreePath>,
    /// Where it will stand on that side, in the planned tree.
    pub to: Option<TreePath>,
}

/// The kinds of change that people tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It comes into being.
    Create,
    /// It goes.
    Remove,
    /// It gets another place, and keeps its content.
    Move,
    /// It gets another content (or kind, or executable bit) and keeps its place.
    Write,
    /// It gets another place and another content.
    MoveAndWrite,
}

impl Change {
    /// Which kind of change this is.
    pub fn kind(&self) -> ChangeKind {
        match (&self.before, &self.after) {
            (None, _) => ChangeKind::Create,
            (_, None) => ChangeKind::Remove,
            (Some(before), Some(after)) => {
                let moved = before.parent != after.parent || before.name != after.name;
                match (moved, before.body != after.body) {
                    (true, true) => ChangeKind::MoveAndWrite,
                    (true, false) => ChangeKind::Move,
                    (false, _) => ChangeKind::Write,
                }
            }
        }
    }

    /// The path that people know it by: where it will be, or where it was.
    pub fn path(&self) -> &TreePath {
        self.to.as_ref().or(self.from.as_ref()).expect("because a change has a before or an after")
    }
}

/// Three contents that are to become one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeInput {
    /// What both last agreed on; `None` if both created the file.
    pub base: Option<ContentId>,
    /// The content here.
    pub local: ContentId,
    /// The content there.
    pub remote: ContentId,
    /// Where the file stands: its name may tell its kind.
    pub path: TreePath,
}

/// What became of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeAnswer {
    /// Not tried yet: the plan lists it in `merges` and is provisional.
    Unknown,
    /// One content that holds both changes.
    Clean {
        /// The result's name.
        content: ContentId,
        /// The result's length in bytes.
        size: u64,
    },
    /// No merge can be sure.
    Undecided,
}

/// Something a person would want to know, and that needs no decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The path it is about.
    pub path: TreePath,
    /// What happened.
    pub kind: NoteKind,
}

/// The kinds of note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// One side deleted it, the other edited it: the edit stays.
    EditBeatsDelete,
    /// One side deleted it, the other moved it: it stays at the new place.
    MoveBeatsDelete,
    /// One side deleted a folder, the other put or changed something inside: the folder stays with only that.
    FolderStays,
    /// A standing answer decided a conflict; the version of the named side lost and is kept.
    Decided {
        /// Whose version lost.
        loser: Side,
    },
    /// Both versions were kept; the loser stands beside under a name of its own.
    Copied,
}

/// Which entry of each side's tree each node is.
#[derive(Debug, Clone, Default)]
pub struct Places {
    by_node: Vec<(NodeId, Place)>,
}

impl Places {
    /// Takes the pairs, in any order.
    pub fn new(mut by_node: Vec<(NodeId, Place)>) -> Self {
        if !by_node.is_sorted_by_key(|pair| pair.0) {
            by_node.sort_by_key(|pair| pair.0);
        }
        Places { by_node }
    }

    /// The entry that a node is, if it stands on this side.
    pub fn of(&self, node: NodeId) -> Option<Place> {
        if node == NodeId::ROOT {
            return Some(Place::ROOT);
        }
        let at = self.by_node.binary_search_by_key(&node, |pair| pair.0).ok()?;
        Some(self.by_node[at].1)
    }

    /// All pairs, in order of node.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Place)> + '_ {
        self.by_node.iter().copied()
    }
}

/// What a cycle will do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What happens on each side, in order of the path where each node stood in base, then of node.
    pub changes: PerSide<Vec<Change>>,
    /// The rows to record when all of it is done: those that differ from what is known, in order of id. The local key of
    /// a node that is created or rewritten here is left out; whoever carries out the change fills it in.
    pub rows: Vec<Row>,
    /// The nodes to forget, in order.
    pub forgotten: Vec<NodeId>,
    /// Disagreements, in order of path; those known before are among them as long as they last.
    pub conflicts: Vec<Conflict>,
    /// What a person would want to know, in order of path.
    pub notes: Vec<Note>,
    /// The merges that the plan needs an answer for. While there are any, the plan is provisional: answer and ask again.
    pub merges: Vec<MergeInput>,
    /// Which entry each node is, on each side.
    pub places: PerSide<Places>,
    /// The id that the next new node gets.
    pub next: u64,
    /// How many changes wait because only the other side may change this time.
    pub waits: usize,
}

impl Plan {
    /// Answers whether neither side changes.
    pub fn is_quiet(&self) -> bool {
        self.changes.local.is_empty() && self.changes.remote.is_empty()
    }
}
