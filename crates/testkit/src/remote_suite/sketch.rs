//! Trees as tests draw them, and the long way from a drawing to a head and back.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::path::{Name, TreePath};
use instep_core::progress::Silent;
use instep_core::remote::{
    Draft, Drafted, ListedKind, MachineStamp, ObjectId, OfferedContent, Remote, RemoteError, RemoteErrorKind,
    Revision, Sink, Source,
};
use instep_core::tree::LeafKind;

/// What one path of a sketch holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A folder, with or without things in it.
    Folder,
    /// A file.
    File(Vec<u8>),
    /// A file that may be executed.
    Program(Vec<u8>),
    /// A link.
    Link(Vec<u8>),
    /// Something unfit, by its code.
    Unfit(&'static str),
}

/// A whole tree; folders above a path need not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch(pub BTreeMap<Vec<u8>, Thing>);

impl Sketch {
    /// Nothing.
    pub fn new() -> Self {
        Sketch::default()
    }

    /// Adds a file.
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.with(path, Thing::File(content.as_ref().to_vec()))
    }

    /// Adds a folder.
    pub fn folder(self, path: impl AsRef<[u8]>) -> Self {
        self.with(path, Thing::Folder)
    }

    /// Adds anything, and the folders above it.
    pub fn with(mut self, path: impl AsRef<[u8]>, thing: Thing) -> Self {
        let path = path.as_ref();
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            self.0.entry(path[..at].to_vec()).or_insert(Thing::Folder);
        }
        self.0.insert(path.to_vec(), thing);
        self
    }
}

/// A name that a test writes.
pub fn name(bytes: &[u8]) -> Name {
    Name::new(bytes).unwrap()
}

/// A path that a test writes.
pub fn path(bytes: impl AsRef<[u8]>) -> TreePath {
    TreePath::new(bytes.as_ref()).unwrap()
}

/// Contents held in memory.
#[derive(Debug, Default)]
pub struct Bytes(HashMap<ContentId, Vec<u8>>);

impl Bytes {
    /// Adds one.
    pub fn add(&mut self, content: &[u8]) -> ContentId {
        let id = ContentId::of(content);
        self.0.insert(id, content.to_vec());
        id
    }
}

impl Source for Bytes {
    fn open(&self, content: ContentId) -> Result<OfferedContent, RemoteError> {
        let bytes =
            self.0.get(&content).cloned().ok_or_else(|| {
                RemoteError::new(RemoteErrorKind::Local, "E-TEST", "there is no such content")
            })?;
        Ok(OfferedContent { size: bytes.len() as u64, bytes: Box::new(std::io::Cursor::new(bytes)) })
    }
}

/// Uploads contents; answers their names.
pub fn upload(remote: &dyn Remote, contents: &[&[u8]]) -> Vec<ObjectId> {
    let mut bytes = Bytes::default();
    let ids: Vec<ContentId> = contents.iter().map(|content| bytes.add(content)).collect();
    remote.upload(&ids, &bytes, &Silent).unwrap()
}

/// Uploads a sketch's contents and draws it as a draft, to which a test adds what it likes.
pub fn draft_of(remote: &dyn Remote, sketch: &Sketch) -> Draft {
    let leaves: Vec<&[u8]> = sketch
        .0
        .values()
        .filter_map(|thing| match thing {
            Thing::File(content) | Thing::Program(content) | Thing::Link(content) => Some(&content[..]),
            _ => None,
        })
        .collect();
    let mut objects = upload(remote, &leaves).into_iter();
    let mut entries = Vec::new();
    let mut places: HashMap<TreePath, u32> = HashMap::new();
    let leaf = |kind, exec| ListedKind::Leaf { kind, exec };
    for (at, thing) in &sketch.0 {
        let at = path(at);
        let parent = at.parent().filter(|parent| !parent.is_root());
        let kind = match thing {
            Thing::Folder => ListedKind::Folder,
            Thing::File(_) => leaf(LeafKind::File, false),
            Thing::Program(_) => leaf(LeafKind::File, true),
            Thing::Link(_) => leaf(LeafKind::Link, false),
            Thing::Unfit(_) => continue,
        };
        places.insert(at.clone(), entries.len() as u32);
        let object = if kind == ListedKind::Folder { None } else { objects.next() };
        let parent = parent.map(|parent| places[&parent]);
        entries.push(Drafted { parent, name: at.name().unwrap(), kind, object });
    }
    Draft {
        entries,
        message: "Sync".to_owned(),
        machine: MachineStamp { name: "laptop".to_owned(), id: "3f9c2a1b".to_owned() },
        operation: "op1".to_owned(),
        time: Timestamp::from_seconds(1_700_000_000),
        times: BTreeMap::new(),
        allows_deletes: false,
        renames: Vec::new(),
    }
}

/// Makes a sketch the head.
pub fn publish(remote: &dyn Remote, expected: Option<&Revision>, sketch: &Sketch) -> Revision {
    let draft = draft_of(remote, sketch);
    let prepared = remote.prepare(expected, &draft).unwrap();
    remote.commit(expected, &prepared).unwrap();
    prepared
}

/// Takes contents into memory.
#[derive(Debug, Default)]
pub struct Collected(pub Vec<(ObjectId, Vec<u8>)>);

impl Sink for Collected {
    fn receive(&mut self, object: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, size, "the announced size is the size");
        self.0.push((object, bytes));
        Ok(())
    }
}

/// Fetches contents.
pub fn collect(remote: &dyn Remote, wanted: &[ObjectId]) -> HashMap<ObjectId, Vec<u8>> {
    let mut collected = Collected::default();
    remote.fetch(wanted, &mut collected, &Silent).unwrap();
    assert_eq!(collected.0.len(), wanted.len(), "each content comes once");
    collected.0.into_iter().collect()
}

/// Reads a revision back into a sketch.
pub fn read(remote: &dyn Remote, at: &Revision) -> Sketch {
    let snapshot = remote.snapshot(at, None).unwrap();
    let leaves = snapshot.entries.iter().filter(|entry| matches!(entry.kind, ListedKind::Leaf { .. }));
    let mut wanted: Vec<ObjectId> = leaves.map(|entry| entry.object).collect();
    wanted.sort();
    wanted.dedup();
    let contents = collect(remote, &wanted);
    let mut paths: Vec<TreePath> = Vec::new();
    let mut sketch = Sketch::new();
    for entry in &snapshot.entries {
        let parent = entry.parent.map_or_else(TreePath::root, |at| paths[at as usize].clone());
        let at = parent.join(&entry.name);
        paths.push(at.clone());
        let content = || contents[&entry.object].clone();
        let thing = match &entry.kind {
            ListedKind::Folder => Thing::Folder,
            ListedKind::Leaf { kind: LeafKind::Link, .. } => Thing::Link(content()),
            ListedKind::Leaf { exec: true, .. } => Thing::Program(content()),
            ListedKind::Leaf { exec: false, .. } => Thing::File(content()),
            ListedKind::Unfit { code, .. } => Thing::Unfit(code),
        };
        let double = sketch.0.insert(at.as_bytes().to_vec(), thing);
        assert!(double.is_none(), "{at} is listed twice");
    }
    sketch
}
