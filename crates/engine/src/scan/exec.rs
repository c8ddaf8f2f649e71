//! The executable bit on a disk that keeps none: what is known of a file says it, never what the disk pretends.
//!
//! Such a disk shows all files as programs, or none: taken for true, one sync would make them so on every machine.

use std::collections::HashMap;

use instep_core::node::{Body, Known, NodeId, Row, Side};
use instep_core::path::Name;
use instep_core::tree::{Entry, Key, LeafKind, Place, Tree};

use crate::failure::EngineError;
use crate::folder::Folder;
use crate::state::State;

/// Gives each file of a tree the bit that is known of it, where the disk keeps none; a file that nobody knows has none.
pub fn recall<F: Folder>(folder: &F, state: &State, tree: &mut Tree) -> Result<(), EngineError> {
    if folder.abilities().exec {
        return Ok(());
    }
    let known: Result<Vec<Known>, EngineError> =
        state.remotes()?.into_iter().map(|remote| state.known(remote)).collect();
    fill_in(tree, &known?);
    Ok(())
}

fn fill_in(tree: &mut Tree, known: &[Known]) {
    for place in tree.places() {
        tell(tree, place, false);
    }
    for known in known {
        let mut named: HashMap<(NodeId, &Name), &Row> = HashMap::new();
        let mut keyed: HashMap<Key, &Row> = HashMap::new();
        for row in known.rows() {
            let Some(value) = row.views.side(Side::Local) else { continue };
            named.insert((value.parent, &value.name), row);
            keyed.extend(row.keys.local.map(|key| (key, row)));
        }
        let mut nodes: HashMap<Place, NodeId> = HashMap::from([(Place::ROOT, NodeId::ROOT)]);
        let mut programs = Vec::new();
        for place in tree.places().skip(1) {
            let entry = tree.at(place);
            let by_name = nodes.get(&entry.parent).and_then(|parent| named.get(&(*parent, &entry.name)));
            let Some(row) = by_name.or_else(|| keyed.get(&entry.key?)) else { continue };
            nodes.insert(place, row.id);
            let body = row.views.side(Side::Local).map(|value| value.body);
            if matches!(body, Some(Body::Leaf(leaf)) if leaf.exec) {
                programs.push(place);
            }
        }
        for place in programs {
            tell(tree, place, true);
        }
    }
}

fn tell(tree: &mut Tree, place: Place, exec: bool) {
    let entry = tree.at(place);
    let modified = entry.modified;
    match entry.entry {
        Entry::Leaf(leaf) if leaf.kind == LeafKind::File && leaf.exec != exec => {
            let mut leaf = leaf;
            leaf.exec = exec;
            tree.tell(place, Entry::Leaf(leaf), modified);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use instep_core::content::ContentId;
    use instep_core::node::{PerSide, Value, Views};
    use instep_core::path::TreePath;
    use instep_core::tree::{Leaf, NewEntry, TreeBuilder};

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn file(exec: bool) -> Leaf {
        Leaf { kind: LeafKind::File, content: ContentId::of(b""), size: 0, exec }
    }

    fn key(inode: u64) -> Key {
        Key { device: 1, inode, birth_ns: 0 }
    }

    /// The names of the programs in a tree of files that the disk shows as programs, or not; with their inodes.
    fn programs(files: &[(&str, u64)], shown: bool) -> Vec<String> {
        let row = |id: u64, text: &str, inode: u64, exec: bool| {
            let value = Value { parent: NodeId::ROOT, name: name(text), body: Body::Leaf(file(exec)) };
            let keys = PerSide { local: Some(key(inode)), remote: None };
            Row { id: NodeId(id), views: Views::Agreed(value), keys }
        };
        let known = Known::new(vec![row(1, "plain", 11, false), row(2, "program", 12, true)], 3);
        let entry = |&(text, inode): &(&str, u64)| NewEntry {
            name: name(text),
            entry: Entry::Leaf(file(shown)),
            key: Some(key(inode)),
            modified: None,
        };
        let mut builder = TreeBuilder::new(None);
        builder.fill(Place::ROOT, files.iter().map(entry).collect()).for_each(drop);
        let mut tree = builder.finish();
        fill_in(&mut tree, &[known]);
        let is_program = |path: &&str| {
            let place = tree.find(&TreePath::new(path.as_bytes()).unwrap()).unwrap();
            matches!(tree.at(place).entry, Entry::Leaf(leaf) if leaf.exec)
        };
        files.iter().map(|(path, _)| *path).filter(is_program).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_known_decides_what_is_a_program_and_not_the_disk() {
        for shown in [false, true] {
            assert_eq!(programs(&[("new", 9), ("plain", 11), ("program", 12)], shown), ["program"]);
            // It is found by its name, whatever its number is now; and by its number, under another name.
            assert_eq!(programs(&[("plain", 5), ("program", 6)], shown), ["program"]);
            assert_eq!(programs(&[("moved", 12), ("plain", 11)], shown), ["moved"]);
        }
    }
}
