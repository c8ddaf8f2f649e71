//! Conflicts as values: what both sides changed and no rule decides.

use std::fmt;

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::node::{NodeId, Side};
use crate::path::{Name, TreePath};
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

    /// Where it stands on one side, or would stand.
    pub fn path_on(&self, side: Side) -> &TreePath {
        self.version(side).map_or(&self.path, |version| &version.path)
    }
}

/// The longest name that common disks hold.
const NAME_BYTES_MAX: usize = 255;

/// Names a conflict copy: `plan.md` of machine `laptop` becomes `plan.laptop-3f9c2a1b.md`, with `-2`, `-3` and so on
/// before the ending from the second `number` on. Depends on nothing else, so that every machine finds the same name.
pub fn copy_name(name: &Name, machine: &str, content: ContentId, number: u32) -> Name {
    let (stem, ending) = split_ending(name.as_bytes());
    let mut middle = format!(".{}-{}", machine_word(machine), content.short());
    if number > 1 {
        middle.push_str(&format!("-{number}"));
    }
    let room = NAME_BYTES_MAX - middle.len() - ending.len();
    let mut bytes = shorten(stem, room).to_vec();
    bytes.extend_from_slice(middle.as_bytes());
    bytes.extend_from_slice(ending);
    Name::new(&bytes).expect("because it is made of parts of a name and of plain letters")
}

/// Splits before the last dot, unless the name starts with it or what follows is too long to be an ending.
fn split_ending(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|&b| b == b'.') {
        Some(at) if at > 0 && name.len() - at <= 64 => name.split_at(at),
        _ => (name, b""),
    }
}

fn machine_word(machine: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let word: String = machine.chars().map(plain).take(40).collect();
    let word = word.trim_matches('-');
    if word.is_empty() { "machine".to_owned() } else { word.to_owned() }
}

/// Cuts at the end, never inside a character.
fn shorten(bytes: &[u8], room: usize) -> &[u8] {
    let mut end = bytes.len().min(room);
    while end < bytes.len() && end > 0 && bytes[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, machine: &str, number: u32) -> String {
        let content = ContentId::parse(&"3f9c2a1b".repeat(8)).unwrap();
        copy_name(&Name::new(name.as_bytes()).unwrap(), machine, content, number).to_string()
    }

    #[test]
    fn a_copy_keeps_stem_and_ending() {
        assert_eq!(named("plan.md", "laptop", 1), "plan.laptop-3f9c2a1b.md");
        assert_eq!(named("plan.md", "laptop", 2), "plan.laptop-3f9c2a1b-2.md");
        assert_eq!(named("a.tar.gz", "x", 1), "a.tar.x-3f9c2a1b.gz");
        assert_eq!(named("Makefile", "x", 1), "Makefile.x-3f9c2a1b");
        assert_eq!(named(".env", "x", 1), ".env.x-3f9c2a1b");
        assert_eq!(named("plan.md", "Ann's Laptop", 1), "plan.ann-s-laptop-3f9c2a1b.md");
        assert_eq!(named("plan.md", "\u{e9}", 1), "plan.machine-3f9c2a1b.md");
    }

    #[test]
    fn a_copy_of_a_long_name_still_fits() {
        for name in [
            "x".repeat(255),
            "\u{e9}".repeat(127),
            format!("{}.md", "x".repeat(252)),
            format!("a.{}", "x".repeat(253)),
        ] {
            let copy = named(&name, &"m".repeat(100), 12);
            assert!(copy.len() <= 255, "{copy}");
            assert!(!copy.contains("\\x"), "no half characters: {copy}");
        }
    }
}
