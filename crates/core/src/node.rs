//! Nodes: files and folders that keep their identity when they are renamed, and what is remembered of each.

use crate::content::ContentId;
use crate::path::Name;
use crate::tree::{Key, Leaf, LeafKind};

/// One of the two sides that a cycle brings together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The folder on this machine.
    Local,
    /// The place outside.
    Remote,
}

impl Side {
    /// Both, local first.
    pub const BOTH: [Side; 2] = [Side::Local, Side::Remote];

    /// The opposite side.
    pub const fn other(self) -> Side {
        match self {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        }
    }
}

/// One value for each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerSide<T> {
    /// The local one.
    pub local: T,
    /// The remote one.
    pub remote: T,
}

impl<T> PerSide<T> {
    /// Makes both from a function.
    pub fn from_fn(mut make: impl FnMut(Side) -> T) -> Self {
        PerSide { local: make(Side::Local), remote: make(Side::Remote) }
    }
}

impl<T> std::ops::Index<Side> for PerSide<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }
}

impl<T> std::ops::IndexMut<Side> for PerSide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Local => &mut self.local,
            Side::Remote => &mut self.remote,
        }
    }
}

/// The identity of a node within one workspace and remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The workspace itself; it is no row, never moves and is never deleted.
    pub const ROOT: NodeId = NodeId(0);
}

/// What a node holds: nothing but itself (a folder), or a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Body {
    /// A folder.
    Folder,
    /// A file or link.
    Leaf(Leaf),
}

impl Body {
    /// Answers whether both are folders or both have content: the two classes between which a node never changes.
    pub fn same_class(&self, other: &Body) -> bool {
        matches!((self, other), (Body::Folder, Body::Folder) | (Body::Leaf(_), Body::Leaf(_)))
    }

    /// The content, where there is one.
    pub fn content(&self) -> Option<ContentId> {
        match self {
            Body::Folder => None,
            Body::Leaf(leaf) => Some(leaf.content),
        }
    }

    /// Kind and content without the executable bit; `None` for a folder.
    pub fn kind_and_content(&self) -> Option<(LeafKind, ContentId)> {
        match self {
            Body::Folder => None,
            Body::Leaf(leaf) => Some((leaf.kind, leaf.content)),
        }
    }
}

/// Where a node stands and what it holds, on one side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Value {
    /// The folder it stands in.
    pub parent: NodeId,
    /// Its name there.
    pub name: Name,
    /// What it holds.
    pub body: Body,
}

/// What the last cycle knew of a node on the three sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Views {
    /// All three agree.
    Agreed(Value),
    /// The node is held: the sides differ, on purpose, until something changes or a person settles it.
    Held(Box<HeldViews>),
}

/// The three values of a held node; `None` where it did not exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldViews {
    /// What both sides last agreed on.
    pub base: Option<Value>,
    /// What the folder here held when the last cycle ended.
    pub local: Option<Value>,
    /// What the remote held when the last cycle ended.
    pub remote: Option<Value>,
}

impl Views {
    /// Makes the shorter form where all three agree.
    pub fn of(base: Option<Value>, local: Option<Value>, remote: Option<Value>) -> Self {
        match base {
            Some(value) if local.as_ref() == Some(&value) && remote.as_ref() == Some(&value) => {
                Views::Agreed(value)
            }
            base => Views::Held(Box::new(HeldViews { base, local, remote })),
        }
    }

    /// What both sides last agreed on.
    pub fn base(&self) -> Option<&Value> {
        match self {
            Views::Agreed(value) => Some(value),
            Views::Held(views) => views.base.as_ref(),
        }
    }

    /// What one side held when the last cycle ended.
    pub fn side(&self, side: Side) -> Option<&Value> {
        match (self, side) {
            (Views::Agreed(value), _) => Some(value),
            (Views::Held(views), Side::Local) => views.local.as_ref(),
            (Views::Held(views), Side::Remote) => views.remote.as_ref(),
        }
    }
}

/// What is remembered of one node between two cycles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The node.
    pub id: NodeId,
    /// Its three values.
    pub views: Views,
    /// Its identity on each side that has one.
    pub keys: PerSide<Option<Key>>,
}

/// All that is remembered: one row a node, in order of id.
#[derive(Debug, Clone, Default)]
pub struct Known {
    rows: Vec<Row>,
    /// The id that the next new node gets; greater than every id ever given.
    pub next: u64,
}

impl Known {
    /// Takes the rows, in any order; `next` as it was recorded (0 at first).
    pub fn new(mut rows: Vec<Row>, next: u64) -> Self {
        if !rows.is_sorted_by_key(|row| row.id) {
            rows.sort_by_key(|row| row.id);
        }
        let least = rows.last().map_or(1, |row| row.id.0 + 1);
        Known { rows, next: next.max(least) }
    }

    /// All rows, in order of id.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Finds a node's row.
    pub fn row(&self, id: NodeId) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        Some(&self.rows[at])
    }

    /// Answers whether this is a first contact: nothing is agreed on yet.
    pub fn is_first_contact(&self) -> bool {
        self.rows.is_empty()
    }
}
