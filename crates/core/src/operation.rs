//! Operations: the entries of the history, with what `log` shows and what `undo` needs. Plain data, kept as JSON.
//!
//! An operation is written once and never changed. Fields are only ever added: an older program reads what it knows, and
//! a newer one takes what is missing as not there.

pub(crate) mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::content::ContentId;
use crate::node::{Body, PerSide};
use crate::path::TreePath;
use crate::tree::LeafKind;

/// The name of an operation on its machine: sixteen hexadecimal digits, of which people see and type the first few.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// How many digits of an id people see at least.
pub const ID_DIGITS_MIN: usize = 4;

impl OperationId {
    /// Reads sixteen lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 16 && digits { u64::from_str_radix(text, 16).ok().map(OperationId) } else { None }
    }

    /// Answers whether the typed text is this id or the start of it.
    pub fn starts_with(&self, typed: &str) -> bool {
        typed.len() >= ID_DIGITS_MIN && self.to_string().starts_with(&typed.to_ascii_lowercase())
    }

    /// The fewest digits that tell this id from the others.
    pub fn short(&self, others: impl IntoIterator<Item = OperationId>) -> String {
        let common = |other: OperationId| (self.0 ^ other.0).leading_zeros() as usize / 4;
        let shared = others.into_iter().filter(|other| other != self).map(common).max();
        let digits = shared.map_or(0, |shared| shared + 1).max(ID_DIGITS_MIN);
        self.to_string()[..digits].to_owned()
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// A folder became a workspace.
    Init,
    /// A workspace came to this machine.
    Clone,
    /// Both ways.
    Sync,
    /// Only from the remote.
    Pull,
    /// Only to the remote.
    Push,
    /// A conflict was settled.
    Resolve,
    /// An earlier version was brought back.
    Restore,
    /// An operation was taken back.
    Undo,
    /// An undo was taken back.
    Redo,
    /// The remote was forgotten.
    Disconnect,
    /// Something that a newer program wrote.
    #[serde(other)]
    Other,
}

impl OperationKind {
    /// The word in lists and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            OperationKind::Init => "init",
            OperationKind::Clone => "clone",
            OperationKind::Sync => "sync",
            OperationKind::Pull => "pull",
            OperationKind::Push => "push",
            OperationKind::Resolve => "resolve",
            OperationKind::Restore => "restore",
            OperationKind::Undo => "undo",
            OperationKind::Redo => "redo",
            OperationKind::Disconnect => "disconnect",
            OperationKind::Other => "other",
        }
    }
}

/// What started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A person, by a command.
    #[default]
    Person,
    /// A change in the folder.
    Change,
    /// The passing of time.
    Interval,
    /// A program that told of an event.
    Event,
    /// A change at the remote.
    Remote,
    /// Something that a newer program wrote.
    #[serde(other)]
    Other,
}

/// How much an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Files that went to the remote.
    pub sent: u64,
    /// Files that came from the remote.
    pub received: u64,
    /// Files whose contents were merged.
    pub merged: u64,
    /// Files and folders that got another place, on either side.
    pub moved: u64,
    /// Files that went here.
    pub deleted_here: u64,
    /// Files that went at the remote.
    pub deleted_there: u64,
    /// Conflicts that wait.
    pub conflicts: u64,
    /// Paths that are held.
    pub held: u64,
    /// Bytes that went to the remote.
    pub bytes_sent: u64,
    /// Bytes that came from the remote.
    pub bytes_received: u64,
}

/// One recorded act, and what takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name on this machine.
    pub id: OperationId,
    /// When it ended, by this machine's clock.
    pub time: Timestamp,
    /// The machine's name at that time.
    pub machine: String,
    /// What was done.
    pub kind: OperationKind,
    /// What started it.
    #[serde(default)]
    pub trigger: Trigger,
    /// Who started it, as the system knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// What the person wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How much it did.
    #[serde(default)]
    pub counts: Counts,
    /// The remote's revisions, if it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RemoteStep>,
    /// The address of the remote that it was done with, as the state calls it; none for what concerns the folder alone,
    /// and for what an older program wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The operation that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<OperationId>,
    /// What changed, path by path, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathRecord>,
}

/// The remote's head before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteStep {
    /// Before; none if it held nothing.
    pub before: Option<String>,
    /// After; the same if nothing was sent.
    pub after: Option<String>,
}

/// What happened to one file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRecord {
    /// Where it stands, or stood last.
    #[serde(with = "text::path")]
    pub path: TreePath,
    /// What happened here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<SideRecord>,
    /// What happened at the remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<SideRecord>,
}

/// What happened to one file or folder on one side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SideRecord {
    /// What it held before; none if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Held>,
    /// What it holds after; none if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Held>,
    /// Where it stood before, if that was elsewhere.
    #[serde(default, with = "text::optional_path", skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<TreePath>,
}

/// What a path held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// Folder, file or link.
    pub kind: HeldKind,
    /// The content's name; none for a folder.
    #[serde(default, with = "text::optional_content", skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentId>,
    /// The content's length in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub size: u64,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exec: bool,
}

/// What kind of thing a path held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
}

impl From<&Body> for Held {
    fn from(body: &Body) -> Self {
        match body {
            Body::Folder => Held { kind: HeldKind::Folder, content: None, size: 0, exec: false },
            Body::Leaf(leaf) => Held {
                kind: match leaf.kind {
                    LeafKind::File => HeldKind::File,
                    LeafKind::Link => HeldKind::Link,
                },
                content: Some(leaf.content),
                size: leaf.size,
                exec: leaf.exec,
            },
        }
    }
}

impl PathRecord {
    /// What happened on each side.
    pub fn sides(&self) -> PerSide<Option<&SideRecord>> {
        PerSide { local: self.local.as_ref(), remote: self.remote.as_ref() }
    }

    /// The contents that taking this back would need.
    pub fn contents_before(&self) -> impl Iterator<Item = ContentId> {
        let sides = [self.local.as_ref(), self.remote.as_ref()];
        sides.into_iter().flatten().filter_map(|side| side.before?.content)
    }
}

/// Bytes as base64 text (RFC 4648), for paths that are not UTF-8.
pub fn base64(bytes: &[u8]) -> String {
    text::encode(bytes)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Operation {
        let held = |text: &[u8]| Held {
            kind: HeldKind::File,
            content: Some(ContentId::of(text)),
            size: text.len() as u64,
            exec: false,
        };
        let folder = Held { kind: HeldKind::Folder, content: None, size: 0, exec: false };
        Operation {
            id: OperationId(0x7f3a_0000_0000_0001),
            time: Timestamp::from_seconds(1_700_000_000),
            machine: "laptop".to_owned(),
            kind: OperationKind::Sync,
            trigger: Trigger::Change,
            person: Some("ana".to_owned()),
            message: None,
            counts: Counts { sent: 2, ..Counts::default() },
            remote: Some(RemoteStep { before: None, after: Some("abc".to_owned()) }),
            address: Some("/srv/notes.git".to_owned()),
            undoes: None,
            paths: vec![
                PathRecord {
                    path: TreePath::new("é/a".as_bytes()).unwrap(),
                    local: None,
                    remote: Some(SideRecord { after: Some(held(b"x")), ..SideRecord::default() }),
                },
                PathRecord {
                    path: TreePath::new(b"\xff\xfe").unwrap(),
                    local: Some(SideRecord {
                        before: Some(folder),
                        after: Some(folder),
                        moved_from: Some(TreePath::new(b"b/\x80").unwrap()),
                    }),
                    remote: None,
                },
            ],
        }
    }

    #[test]
    fn an_operation_survives_json() {
        let json = serde_json::to_string(&example()).unwrap();
        assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), example());
        assert!(json.contains(r#""id":"7f3a000000000001""#), "{json}");
        assert!(json.contains(r#""path":"é/a""#), "{json}");
        assert!(json.contains(r#""path":{"base64":"//4="},"local":{"before":{"kind":"folder"}"#), "{json}");
    }

    #[test]
    fn what_is_missing_or_new_does_no_harm() {
        let json = r#"{"id":"00000000000000ff","time":5,"machine":"m","kind":"teleport","new":[1]}"#;
        let read: Operation = serde_json::from_str(json).unwrap();
        assert_eq!((read.kind, read.trigger, read.paths.len()), (OperationKind::Other, Trigger::Person, 0));
        for bad in [
            r#"{"id":"ff","time":5,"machine":"m","kind":"sync"}"#,
            r#"{"id":"00000000000000ff","time":5,"machine":"m","kind":"sync","paths":[{"path":"a/../b"}]}"#,
            r#"{"id":"00000000000000ff","time":5,"machine":"m","kind":"sync","paths":[{"path":{"base64":"/"}}]}"#,
        ] {
            assert!(serde_json::from_str::<Operation>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_as_short_as_it_can_be() {
        let ids = [0x7f3a_1000_0000_0000, 0x7f3a_2000_0000_0000, 0x91be_0000_0000_0000].map(OperationId);
        let short: Vec<String> = ids.iter().map(|id| id.short(ids)).collect();
        assert_eq!(short, ["7f3a1", "7f3a2", "91be"]);
        assert!(ids[0].starts_with("7f3A") && !ids[0].starts_with("7f3") && !ids[2].starts_with("7f3a"));
    }

    #[test]
    fn undo_knows_what_it_needs() {
        let needed: Vec<ContentId> = example().paths.iter().flat_map(PathRecord::contents_before).collect();
        assert!(needed.is_empty());
    }
}
