//! Values as the planner handles them: small, copied, borrowed from the trees and the rows.

use crate::node::{Body, Side, Value};
use crate::path::Name;
use crate::tree::Leaf;

/// A node's position in all dense vectors: 0 is the root, then the known rows in order, then what is new.
pub(crate) type Idx = u32;

/// The root's position.
pub(crate) const ROOT: Idx = 0;

/// No node, no place.
pub(crate) const NONE: u32 = u32::MAX;

/// Where a node stands and what it holds.
#[derive(Clone, Copy)]
pub(crate) struct Val<'a> {
    pub(crate) parent: Idx,
    pub(crate) name: &'a Name,
    /// `None` for a folder.
    pub(crate) leaf: Option<&'a Leaf>,
}

impl<'a> Val<'a> {
    pub(crate) fn of(parent: Idx, value: &'a Value) -> Self {
        let leaf = match &value.body {
            Body::Folder => None,
            Body::Leaf(leaf) => Some(leaf),
        };
        Val { parent, name: &value.name, leaf }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.leaf.is_none()
    }

    pub(crate) fn same_name(&self, other: &Val<'_>) -> bool {
        std::ptr::eq(self.name, other.name) || self.name == other.name
    }

    pub(crate) fn same_place(&self, other: &Val<'_>) -> bool {
        self.parent == other.parent && self.same_name(other)
    }

    /// Answers whether kind and content are the same; the executable bit is apart.
    pub(crate) fn same_content(&self, other: &Val<'_>) -> bool {
        match (self.leaf, other.leaf) {
            (None, None) => true,
            (Some(a), Some(b)) => std::ptr::eq(a, b) || (a.kind == b.kind && a.content == b.content),
            _ => false,
        }
    }

    pub(crate) fn same_body(&self, other: &Val<'_>) -> bool {
        self.same_content(other) && self.exec() == other.exec()
    }

    pub(crate) fn exec(&self) -> bool {
        self.leaf.is_some_and(|leaf| leaf.exec)
    }

    /// The same at another place.
    pub(crate) fn at(&self, place: &Val<'a>) -> Val<'a> {
        Val { parent: place.parent, name: place.name, leaf: self.leaf }
    }

    pub(crate) fn body(&self) -> Body {
        self.leaf.map_or(Body::Folder, |leaf| Body::Leaf(*leaf))
    }
}

impl PartialEq for Val<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.same_place(other) && self.same_body(other)
    }
}

/// The three that a node is compared on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stand {
    Base,
    Local,
    Remote,
}

impl Stand {
    pub(crate) const ALL: [Stand; 3] = [Stand::Base, Stand::Local, Stand::Remote];

    pub(crate) fn side(self) -> Option<Side> {
        match self {
            Stand::Base => None,
            Stand::Local => Some(Side::Local),
            Stand::Remote => Some(Side::Remote),
        }
    }
}

impl From<Side> for Stand {
    fn from(side: Side) -> Self {
        match side {
            Side::Local => Stand::Local,
            Side::Remote => Stand::Remote,
        }
    }
}
