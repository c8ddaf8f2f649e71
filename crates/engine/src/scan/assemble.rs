//! From what the workers found, in whatever order, to one tree.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::filter::Groups;
use instep_core::path::{Name, TreePath};
use instep_core::tree::{Entry, Key, NewEntry, Place, Tree, TreeBuilder, Unknown};

use super::look::file_leaf;
use super::walk::{FileRead, Inside, Walked};
use super::{Scan, ScanCounts};
use crate::conflict::marked::Met;
use crate::digest::{Digest, DigestCache};
use crate::form::Forms;

/// Puts everything in its place.
pub fn assemble(walked: Walked, digests: &DigestCache, started: Timestamp) -> Scan {
    let counts: ScanCounts = walked.counts;
    let stale = stale(digests, &walked.met);
    let mut folders: Vec<Option<Result<Inside, Unknown>>> = Vec::new();
    folders.resize_with(walked.folders.len(), || None);
    for found in walked.folders {
        folders[found.id as usize] = Some(found.inside);
    }
    let databases =
        walked.files.iter().filter(|file| file.database).map(|file| (file.folder, file.at)).collect();
    let (racy, fresh) = fill_in(&mut folders, walked.files).into_iter().partition(Digest::is_racy);
    let empty = settle(&mut folders);
    let mut ways = BTreeMap::new();
    let (tree, databases) = build(walked.root, folders, &databases, &empty, &mut ways);
    let (ignore, forms) = (walked.ignore, Forms::default());
    let (formed, groups) = (Vec::new(), Groups::default());
    let marked = Met::default();
    Scan { tree, fresh, racy, stale, databases, forms, formed, marked, groups, counts, ignore, ways, started }
}

fn stale(digests: &DigestCache, met: &[u64]) -> Vec<Key> {
    let is_met = |place: usize| met[place / 64] >> (place % 64) & 1 == 1;
    let places = digests.digests().iter().enumerate();
    places.filter(|&(place, _)| !is_met(place)).map(|(_, digest)| digest.metadata.key).collect()
}

/// Puts what was read into its folder; answers its digests.
fn fill_in(folders: &mut [Option<Result<Inside, Unknown>>], files: Vec<FileRead>) -> Vec<Digest> {
    let mut fresh = Vec::with_capacity(files.len());
    for file in files {
        let Some(Ok(inside)) = &mut folders[file.folder as usize] else { continue };
        let entry = &mut inside.entries[file.at as usize];
        match file.digest {
            Ok(digest) => {
                entry.entry = Entry::Leaf(file_leaf(&digest.metadata, digest.content));
                entry.key = Some(digest.metadata.key);
                entry.modified = Some(digest.metadata.modified);
                fresh.push(digest);
            }
            Err(unknown) => entry.entry = Entry::Unknown(unknown),
        }
    }
    fresh.sort_unstable_by_key(|digest| (digest.metadata.key.inode, digest.metadata.key.device));
    // A file with several names is read once for each.
    fresh.dedup_by_key(|digest| digest.metadata.key);
    fresh
}

/// Tells each folder what became of those in it, innermost first: a folder has a greater number than its parent.
/// Answers those in which nothing takes part, by the folder that they stand in.
fn settle(folders: &mut [Option<Result<Inside, Unknown>>]) -> EmptyWays {
    let mut empty = EmptyWays::new();
    for id in (0..folders.len()).rev() {
        let (above, below) = folders.split_at_mut(id + 1);
        let Some(Ok(inside)) = &mut above[id] else { continue };
        inside.folders.retain(|inner| {
            let NewEntry { name, key, entry, .. } = &mut inside.entries[inner.at as usize];
            match &below[inner.id as usize - id - 1] {
                Some(Ok(found)) if inner.passage && !takes_part(found) => {
                    empty.entry(id as u32).or_default().push((name.clone(), *key, inner.id));
                    *entry = Entry::Unknown(Unknown::Excluded(NOTHING_INSIDE.to_owned()));
                    false
                }
                Some(Ok(_)) => true,
                Some(Err(unknown)) => {
                    *entry = Entry::Unknown(unknown.clone());
                    false
                }
                None => {
                    *entry = Entry::Unknown(Unknown::Changing);
                    false
                }
            }
        });
    }
    empty
}

/// Folders in which nothing takes part, by the number of the folder that they stand in: name, identity and own number.
type EmptyWays = BTreeMap<u32, Vec<(Name, Option<Key>, u32)>>;

/// Notes the folders below those in which nothing takes part.
fn note_ways(above: &TreePath, id: u32, empty: &EmptyWays, ways: &mut BTreeMap<TreePath, Option<Key>>) {
    for (name, key, id) in empty.get(&id).into_iter().flatten() {
        let path = above.join(name);
        note_ways(&path, *id, empty, ways);
        ways.insert(path, *key);
    }
}

/// Why a folder takes no part that is only the way to what the rules name, and holds nothing of it.
pub(crate) const NOTHING_INSIDE: &str = "nothing in this folder takes part";

/// Answers whether a rule lets anything in the folder take part, readable or not.
fn takes_part(inside: &Inside) -> bool {
    let left_out = |entry: &Entry| {
        matches!(entry, Entry::Unknown(Unknown::Excluded(_) | Unknown::ExcludedHere(_) | Unknown::Reserved))
    };
    inside.entries.iter().any(|entry| !left_out(&entry.entry))
}

/// Builds the tree along its folders, so that it is the same whoever came first; finds the places of the databases.
fn build(
    root: Key,
    mut folders: Vec<Option<Result<Inside, Unknown>>>,
    databases: &BTreeSet<(u32, u32)>,
    empty: &EmptyWays,
    ways: &mut BTreeMap<TreePath, Option<Key>>,
) -> (Tree, Vec<Place>) {
    let mut found = Vec::with_capacity(databases.len());
    let mut builder = TreeBuilder::new(Some(root));
    builder.reserve(folders.iter().flatten().flatten().map(|inside| inside.entries.len()).sum());
    let mut waiting = vec![(Place::ROOT, 0)];
    while let Some((place, id)) = waiting.pop() {
        let Some(Ok(inside)) = folders[id as usize].take() else { continue };
        let places: Vec<Place> = builder.fill(place, inside.entries).collect();
        for (name, _, id) in empty.get(&id).into_iter().flatten() {
            note_ways(&builder.tree().path(place).join(name), *id, empty, ways);
        }
        let here = databases.range((id, 0)..=(id, u32::MAX));
        found.extend(here.map(|(_, at)| places[*at as usize]));
        let inner = inside.folders.iter().rev();
        waiting.extend(inner.map(|inner| (places[inner.at as usize], inner.id)));
    }
    (builder.finish(), found)
}
