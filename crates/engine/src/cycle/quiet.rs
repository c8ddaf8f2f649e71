//! The stamp of a state in which nothing is left to do.
//!
//! When a cycle ends, it hashes all that its answer depended on: every entry that was seen, the remote's head, the rules.
//! When the next one sees the same, it is done, without loading what is known and without asking the remote for more
//! than its head.

use instep_core::content::{ContentHasher, ContentId};
use instep_core::remote::Revision;
use instep_core::tree::{Entry, LeafKind, Tree};

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

fn put(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    buffer.extend_from_slice(bytes);
}
