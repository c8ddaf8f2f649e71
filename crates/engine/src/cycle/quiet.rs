//! The stamp of a state in which nothing is left to do.
//!
//! When a cycle ends, it hashes all that its answer depended on: every entry that was seen, the remote's head, the rules.
//! When the next one sees the same, it is done, without loading what is known and without asking the remote for more
//! than its head.

use instep_core::content::{ContentHasher, ContentId};
use instep_core::node::{Body, Known, NodeId, Value, Views};
use instep_core::remote::Revision;
use instep_core::tree::{Entry, Key, LeafKind, Tree};

/// Hashes a state.
pub fn stamp(tree: &Tree, head: Option<&Revision>, rules: ContentId, policy: &str) -> ContentId {
    let mut hasher = ContentHasher::new();
    let mut buffer = Vec::with_capacity(64 * 1024);
    for text in [head.map_or("", |head| head.0.as_str()), policy] {
        put(&mut buffer, text.as_bytes());
    }
    buffer.extend_from_slice(rules.as_bytes());
    for place in tree.places() {
        let entry = tree.at(place);
        buffer.extend_from_slice(&entry.parent.0.to_le_bytes());
        put(&mut buffer, entry.name.as_bytes());
        let key = entry.key.map_or([0, 0, 0], |key| [key.device, key.inode, key.birth_ns as u64]);
        key.iter().for_each(|part| buffer.extend_from_slice(&part.to_le_bytes()));
        match &entry.entry {
            Entry::Folder => buffer.push(0),
            Entry::Leaf(leaf) => {
                buffer.push(1 + u8::from(leaf.kind == LeafKind::Link) * 2 + u8::from(leaf.exec));
                buffer.extend_from_slice(leaf.content.as_bytes());
            }
            Entry::Unknown(_) => buffer.push(9),
        }
        if buffer.len() > 60 * 1024 {
            hasher.update(&buffer);
            buffer.clear();
        }
    }
    hasher.update(&buffer);
    hasher.finish()
}

/// Answers whether a folder holds exactly what is known of it: every entry with its content and identity, and no more.
pub fn is_as_known(known: &Known, tree: &Tree) -> bool {
    let mut rows: Vec<(&Value, NodeId, Option<Key>)> = Vec::with_capacity(known.rows().len());
    for row in known.rows() {
        match &row.views {
            Views::Agreed(value) => rows.push((value, row.id, row.keys.local)),
            Views::Held(_) => return false,
        }
    }
    rows.sort_unstable_by(|a, b| (a.0.parent, &a.0.name).cmp(&(b.0.parent, &b.0.name)));
    let mut nodes = vec![None; tree.len()];
    nodes[0] = Some(NodeId::ROOT);
    let mut met = 0;
    for place in tree.places().skip(1) {
        let entry = tree.at(place);
        let body = match &entry.entry {
            Entry::Folder => Body::Folder,
            Entry::Leaf(leaf) => Body::Leaf(*leaf),
            Entry::Unknown(_) => continue,
        };
        let Some(parent) = nodes[entry.parent.0 as usize] else { return false };
        let found = rows.binary_search_by(|row| (row.0.parent, &row.0.name).cmp(&(parent, &entry.name)));
        match found.map(|at| rows[at]) {
            Ok((value, node, key)) if value.body == body && key == entry.key => {
                nodes[place.0 as usize] = Some(node)
            }
            _ => return false,
        }
        met += 1;
    }
    met == rows.len()
}

fn put(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
}
