//! What a person decided in advance: directions, and standing answers for conflicts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::filter::Groups;
use crate::node::{NodeId, PerSide, Side};
use crate::path::{Name, TreePath};
use crate::renames::Renames;

/// Which way changes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// Only from the remote to this folder.
    Pull,
    /// Only from this folder to the remote.
    Push,
}

impl Direction {
    /// Answers whether a side may change.
    pub const fn changes(self, side: Side) -> bool {
        match self {
            Direction::Both => true,
            Direction::Pull => matches!(side, Side::Local),
            Direction::Push => matches!(side, Side::Remote),
        }
    }
}

/// The standing answer for conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Merge contents by their kind; what a merge leaves open is asked.
    #[default]
    Merge,
    /// Record a conflict; both versions stay where they are.
    AskUser,
    /// The later modification shows; the other version is kept.
    LastWriteWins,
    /// The version here shows; the other is kept.
    KeepLocal,
    /// The version at the remote shows; the other is kept.
    KeepRemote,
    /// The version the remote holds keeps the name; the other becomes a copy beside it.
    Both,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 6] = [
        Strategy::Merge,
        Strategy::AskUser,
        Strategy::LastWriteWins,
        Strategy::KeepLocal,
        Strategy::KeepRemote,
        Strategy::Both,
    ];

    /// Reads the word; `None` if it is none.
    pub fn parse(word: &str) -> Option<Self> {
        Strategy::ALL.into_iter().find(|strategy| strategy.word() == word)
    }

    /// The word in settings and options.
    pub const fn word(self) -> &'static str {
        match self {
            Strategy::Merge => "merge",
            Strategy::AskUser => "ask-user",
            Strategy::LastWriteWins => "last-write-wins",
            Strategy::KeepLocal => "keep-local",
            Strategy::KeepRemote => "keep-remote",
            Strategy::Both => "both",
        }
    }
}

/// Which symbolic links travel. None is ever followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// Those that mean the same on every machine: relative, and not leading out of the workspace.
    #[default]
    Portable,
    /// All, whatever they say.
    Any,
    /// None.
    Skip,
}

impl Links {
    /// The word in settings.
    pub const fn word(self) -> &'static str {
        match self {
            Links::Portable => "portable",
            Links::Any => "any",
            Links::Skip => "skip",
        }
    }

    /// Answers whether a link with this target travels that stands so many folders below the workspace.
    ///
    /// The target is read as text: what other links make of it on the way is not asked.
    pub fn carries(self, target: &[u8], folders_above: usize) -> bool {
        match self {
            Links::Any => true,
            Links::Skip => false,
            Links::Portable => {
                let step = |depth: usize, part: &[u8]| match part {
                    b"" | b"." => Some(depth),
                    b".." => depth.checked_sub(1),
                    _ => Some(depth + 1),
                };
                !target.starts_with(b"/")
                    && target.split(|&byte| byte == b'/').try_fold(folders_above, step).is_some()
            }
        }
    }
}

/// Which names a folder takes for the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fold {
    /// Upper and lower case are one (`README` and `readme`).
    pub case: bool,
    /// Composed and decomposed Unicode forms are one.
    pub unicode: bool,
}

impl Fold {
    /// Takes for one what either takes for one.
    pub fn or(self, other: Fold) -> Fold {
        Fold { case: self.case || other.case, unicode: self.unicode || other.unicode }
    }

    /// Answers the same bytes for names that are one here. Bytes that are no text are never folded.
    pub fn key(self, name: &Name) -> Cow<'_, [u8]> {
        let bytes = name.as_bytes();
        if self == Fold::default() {
            return Cow::Borrowed(bytes);
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Cow::Borrowed(bytes) };
        match (self.case, self.unicode) {
            (false, false) => Cow::Borrowed(bytes),
            (true, false) => Cow::Owned(text.to_lowercase().into_bytes()),
            (false, true) => Cow::Owned(text.nfc().collect::<String>().into_bytes()),
            (true, true) => {
                let lower = text.nfc().collect::<String>().to_lowercase();
                Cow::Owned(lower.nfc().collect::<String>().into_bytes())
            }
        }
    }
}

/// What a conflict of one path comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The standing answer.
    pub strategy: Strategy,
    /// The contents are merged first, and the answer decides what that leaves open.
    pub merges: bool,
}

/// All that `reconcile` must know besides the trees.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Which way changes go, where a path's group does not say it.
    pub direction: Direction,
    /// Which way changes go at most, whatever a path's group says.
    pub limit: Direction,
    /// With a limit of `Pull` or `Push`: the changed side is made equal to the other, its own changes included.
    pub mirror: bool,
    /// The standing answer for conflicts, where a path's group has none.
    pub strategy: Strategy,
    /// What holds for some paths only.
    pub groups: Groups,
    /// What a person chose for single nodes in conflict; it wins over `strategy`.
    pub chosen: BTreeMap<NodeId, Strategy>,
    /// Which names each side takes for the same.
    pub fold: PerSide<Fold>,
    /// The name of this machine, and of the machine that wrote the remote's head: for names of conflict copies.
    pub machines: PerSide<String>,
    /// What each side is said to have renamed since the last cycle.
    pub renames: PerSide<Renames>,
}

impl Policy {
    /// Answers whether one side is made equal to the other.
    pub fn mirrors(&self) -> bool {
        self.mirror && self.limit != Direction::Both
    }

    /// The side that alone counts: where all goes one way for good, or one side is made equal to the other.
    pub fn source(&self) -> Option<Side> {
        let way = if self.mirrors() { self.limit } else { self.direction };
        match way {
            Direction::Both => None,
            Direction::Push => Some(Side::Local),
            Direction::Pull => Some(Side::Remote),
        }
    }

    /// The side that alone may change this time, where changes go both ways otherwise: those of the other side wait.
    pub fn limited_to(&self) -> Option<Side> {
        let is_limit = self.direction == Direction::Both && !self.mirrors();
        Side::BOTH.into_iter().find(|side| is_limit && !self.limit.changes(side.other()))
    }

    /// Which sides a path may change on.
    pub fn ways(&self, path: &TreePath, is_folder: bool) -> PerSide<bool> {
        let ways = self.groups.ways(path, is_folder, self.direction);
        PerSide::from_fn(|side| ways[side] && self.limit.changes(side))
    }

    /// The standing answer for a path.
    pub fn answer(&self, path: &TreePath, is_folder: bool) -> Answer {
        let group = self.groups.of(path, is_folder);
        let strategy = group.and_then(|group| group.strategy).unwrap_or(self.strategy);
        let merges = strategy == Strategy::Merge || group.is_some_and(|group| group.kind.is_some());
        Answer { strategy, merges }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portable_link_is_relative_and_stays_inside() {
        for (target, folders_above, carried) in [
            (&b"x"[..], 0, true),
            (b"d/../x", 0, true),
            (b"../x", 1, true),
            (b"./../a/../x", 1, true),
            (b".", 0, true),
            (b"..", 1, true),
            (b"../x", 0, false),
            (b"../../x", 1, false),
            (b"d/../../x", 0, false),
            (b"/etc/passwd", 3, false),
        ] {
            assert_eq!(Links::Portable.carries(target, folders_above), carried, "{target:?}");
            assert!(Links::Any.carries(target, folders_above));
            assert!(!Links::Skip.carries(target, folders_above));
        }
    }
}
