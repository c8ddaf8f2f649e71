//! How long a reconciliation takes on large trees:
//! `cargo run --release -p instep-core --features testing --example timing -- 1000000`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use instep_core::content::ContentId;
use instep_core::generate::Random;
use instep_core::node::{Known, PerSide, Row, Side};
use instep_core::path::Name;
use instep_core::plan::{MergeAnswer, Plan};
use instep_core::policy::Policy;
use instep_core::reconcile::reconcile;
use instep_core::tree::{Entry, Key, Leaf, LeafKind, NewEntry, Place, Tree, TreeBuilder};

/// How a tree differs from the first one.
#[derive(Clone, Copy, PartialEq)]
enum Edit {
    None,
    RenameTop,
    RewriteSome,
    DeleteHalf,
}

/// A thousand files a folder, ten folders a folder.
fn tree(entries: u64, keyed: bool, edit: Edit) -> Tree {
    let mut builder = TreeBuilder::new(None);
    let (mut open, mut made) = (vec![(Place::ROOT, 0u64)], 0u64);
    let mut random = Random::new(7);
    while made < entries {
        let (folder, depth) = open.remove(0);
        let mut inside = Vec::new();
        for at in 0..1010u64.min(entries - made) {
            made += 1;
            let is_folder = at < 10;
            let prefix =
                if edit == Edit::RenameTop && depth == 0 && at == 0 { "renamed" } else { "some-name" };
            let mut number = random.number();
            if edit == Edit::RewriteSome && number.is_multiple_of(100) {
                number += 1;
            }
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let leaf =
                Leaf { kind: LeafKind::File, content: ContentId::from_bytes(bytes), size: 1000, exec: false };
            if edit == Edit::DeleteHalf && !is_folder && made.is_multiple_of(2) {
                continue;
            }
            let key = keyed.then_some(Key { device: 1, inode: made, birth_ns: 5 });
            inside.push(NewEntry {
                name: Name::new(format!("{prefix}-{at:05}").as_bytes()).expect("because it is a good name"),
                entry: if is_folder { Entry::Folder } else { Entry::Leaf(leaf) },
                key,
                modified: None,
            });
        }
        let folders = inside.iter().filter(|new| matches!(new.entry, Entry::Folder)).count();
        let places: Vec<Place> = builder.fill(folder, inside).collect();

        open.extend(places.into_iter().take(folders).map(|place| (place, depth + 1)));
    }
    builder.finish()
}

fn time(what: &str, known: &Known, local: &Tree, remote: &Tree) -> Plan {
    let start = Instant::now();
    let trees = PerSide { local, remote };
    let plan = reconcile(known, trees, &Policy::default(), &|_| MergeAnswer::Undecided);
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    let changes = Side::BOTH.map(|side| plan.changes[side].len());
    println!("{what:40} {ms:8.1} ms   {changes:?} changes, {} rows", plan.rows.len());
    plan
}

fn main() {
    let entries = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let (local, remote) = (tree(entries, true, Edit::None), tree(entries, false, Edit::None));
    println!("{entries} entries");
    time("first contact, remote empty", &Known::default(), &local, &Tree::empty());
    let plan = time("first contact, both the same", &Known::default(), &local, &remote);
    let rows: Vec<Row> = plan.rows;
    let known = Known::new(rows, plan.next);
    time("unchanged", &known, &local, &remote);
    for (what, edit) in [
        ("folder renamed", Edit::RenameTop),
        ("one of a hundred files rewritten", Edit::RewriteSome),
        ("half of the files deleted", Edit::DeleteHalf),
    ] {
        time(&format!("{what}, here"), &known, &tree(entries, true, edit), &remote);
        time(&format!("{what}, there"), &known, &local, &tree(entries, false, edit));
    }
}
