//! Conflicts on record: how they lie in the database, and what they are called here.

pub mod abroad;
pub mod marked;
pub mod resolve;

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::conflict::{Conflict, ConflictId, ConflictKind, Version, VersionLeaf};
use instep_core::content::ContentId;
use instep_core::node::{NodeId, PerSide};
use instep_core::path::TreePath;
use instep_core::tree::LeafKind;
use serde::{Deserialize, Serialize};

use crate::cycle::outcome::OpenConflict;
use crate::failure::EngineError;
use crate::state::{ConflictRecord, State};

/// A conflict's stored form.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    kind: String,
    path: Vec<u8>,
    node: u64,
    nodes: Vec<u64>,
    base: Option<StoredVersion>,
    local: Option<StoredVersion>,
    remote: Option<StoredVersion>,
    why: String,
    waiting: Vec<Vec<u8>>,
    settled: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredVersion {
    path: Vec<u8>,
    leaf: Option<StoredLeaf>,
    modified: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredLeaf {
    link: bool,
    content: String,
    size: u64,
    exec: bool,
}

const KINDS: [ConflictKind; 5] = [
    ConflictKind::Content,
    ConflictKind::Name,
    ConflictKind::Move,
    ConflictKind::Held,
    ConflictKind::Problem,
];

/// The open conflicts with a remote, in order of number.
pub fn open(state: &State, remote: i64) -> Result<Vec<OpenConflict>, EngineError> {
    state.conflicts(remote)?.into_iter().map(read).collect()
}

/// Reads a conflict's stored form.
pub fn read(record: ConflictRecord) -> Result<OpenConflict, EngineError> {
    let nonsense = || EngineError::StateCorrupt(format!("conflict c{} makes no sense", record.number));
    let stored: Stored = serde_json::from_str(&record.value).map_err(|_| nonsense())?;
    let kind = KINDS.into_iter().find(|kind| kind.word() == stored.kind).ok_or_else(nonsense)?;
    let path = |bytes: &[u8]| TreePath::new(bytes).map_err(|_| nonsense());
    let version =
        |stored: Option<StoredVersion>| stored.map(|one| one.read().ok_or_else(nonsense)).transpose();
    Ok(OpenConflict {
        number: record.number,
        since: record.since,
        machines: PerSide { local: record.here, remote: record.there },
        abroad: None,
        conflict: Conflict {
            id: ConflictId(record.id),
            kind,
            path: path(&stored.path)?,
            node: NodeId(stored.node),
            nodes: stored.nodes.into_iter().map(NodeId).collect(),
            base: version(stored.base)?,
            local: version(stored.local)?,
            remote: version(stored.remote)?,
            why: stored.why,
            waiting: stored.waiting.iter().map(|bytes| path(bytes)).collect::<Result<_, _>>()?,
            settled: stored.settled,
        },
    })
}

impl StoredVersion {
    fn read(self) -> Option<Version> {
        let leaf = match self.leaf {
            None => None,
            Some(leaf) => Some(VersionLeaf {
                kind: if leaf.link { LeafKind::Link } else { LeafKind::File },
                content: ContentId::parse(&leaf.content)?,
                size: leaf.size,
                exec: leaf.exec,
            }),
        };
        Some(Version { path: TreePath::new(&self.path).ok()?, leaf, modified: self.modified })
    }

    fn of(version: &Version) -> Self {
        StoredVersion {
            path: version.path.as_bytes().to_vec(),
            leaf: version.leaf.map(|leaf| StoredLeaf {
                link: leaf.kind == LeafKind::Link,
                content: leaf.content.to_string(),
                size: leaf.size,
                exec: leaf.exec,
            }),
            modified: version.modified,
        }
    }
}

fn store(conflict: &Conflict) -> String {
    let version = |version: &Option<Version>| version.as_ref().map(StoredVersion::of);
    let stored = Stored {
        kind: conflict.kind.word().to_owned(),
        path: conflict.path.as_bytes().to_vec(),
        node: conflict.node.0,
        nodes: conflict.nodes.iter().map(|node| node.0).collect(),
        base: version(&conflict.base),
        local: version(&conflict.local),
        remote: version(&conflict.remote),
        why: conflict.why.clone(),
        waiting: conflict.waiting.iter().map(|path| path.as_bytes().to_vec()).collect(),
        settled: conflict.settled,
    };
    serde_json::to_string(&stored).expect("because it holds only text, bytes and numbers")
}

/// What a cycle leaves on record.
pub struct Recorded {
    /// All that are open now.
    pub records: Vec<ConflictRecord>,
    /// How many of them are new.
    pub new: usize,
    /// The number that the next new one gets.
    pub next: u64,
}

/// Brings the record up to date: what lasts keeps its number and its date, what is new gets the next number, what is no
/// more goes. A settled move stays until a person closes it or the node changes again.
pub fn update(
    before: Vec<ConflictRecord>,
    found: &[Conflict],
    keeps: impl Fn(&Conflict) -> bool,
    machines: impl Fn(&Conflict) -> PerSide<String>,
    now: Timestamp,
    mut next: u64,
) -> Recorded {
    // Equal files in two folders, in the same conflict, share an id: each keeps a record of its own.
    let mut known: BTreeMap<ContentId, Vec<ConflictRecord>> = BTreeMap::new();
    for record in before {
        known.entry(record.id).or_default().push(record);
    }
    let mut records = Vec::new();
    let mut new = 0;
    for conflict in found {
        records.push(match take(&mut known, conflict) {
            Some(record) => ConflictRecord { value: store(&as_dated(conflict, &record)), ..record },
            None => {
                let value = store(conflict);
                new += 1;
                next += 1;
                let PerSide { local: here, remote: there } = machines(conflict);
                ConflictRecord { id: conflict.id.0, number: next - 1, since: now, here, there, value }
            }
        });
    }
    records.extend(
        known
            .into_values()
            .flatten()
            .filter(|record| read(record.clone()).is_ok_and(|open| keeps(&open.conflict))),
    );
    records.sort_by_key(|record| record.number);
    Recorded { records, new, next }
}

/// The conflict with the times that are on record. Its versions are the same: a file that was written since, without any
/// change of what travels, is no newer version.
fn as_dated(conflict: &Conflict, record: &ConflictRecord) -> Conflict {
    let mut dated = conflict.clone();
    let Ok(OpenConflict { conflict: before, .. }) = read(record.clone()) else { return dated };
    for (now, before) in [(&mut dated.local, before.local), (&mut dated.remote, before.remote)] {
        if let (Some(now), Some(before)) = (now, before)
            && now.leaf == before.leaf
            && before.modified.is_some()
        {
            now.modified = before.modified;
        }
    }
    dated
}

/// The record of a conflict known before: the one at its path, else any of its id.
fn take(known: &mut BTreeMap<ContentId, Vec<ConflictRecord>>, conflict: &Conflict) -> Option<ConflictRecord> {
    let records = known.get_mut(&conflict.id.0)?;
    let path = |record: &ConflictRecord| read(record.clone()).ok().map(|open| open.conflict.path);
    let at = records.iter().position(|record| path(record).as_ref() == Some(&conflict.path)).unwrap_or(0);
    (at < records.len()).then(|| records.remove(at))
}
