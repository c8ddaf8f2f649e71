//! Worlds that must stop, and such that must not.
#![allow(clippy::unwrap_used)]

use super::{Halt, Limits, check};
use crate::generate::Random;
use crate::generate::disk::Disk;
use crate::generate::draw::build;
use crate::generate::rows::record;
use crate::node::{Known, PerSide, Side};
use crate::plan::MergeAnswer;
use crate::policy::{Fold, Policy};
use crate::reconcile::reconcile;

fn disk(drawing: &str) -> Disk {
    let mut disk = Disk::new(false, false, Fold::default());
    build(&mut disk, drawing);
    disk
}

fn halt(base: &str, local: &str, remote: &str) -> Option<Halt> {
    let known = if base == "-" { Known::default() } else { agreed(base) };
    let disks = PerSide { local: disk(local), remote: disk(remote) };
    let seen = PerSide::from_fn(|side| disks[side].list(&mut Random::new(1)));
    let trees = PerSide { local: &seen.local.tree, remote: &seen.remote.tree };
    let plan = reconcile(&known, trees, &Policy::default(), &|_| MergeAnswer::Undecided);
    check(&known, trees, &plan, &Limits::default())
}

fn agreed(base: &str) -> Known {
    let mut disks = PerSide { local: disk(base), remote: disk(base) };
    let seen = PerSide::from_fn(|side| disks[side].list(&mut Random::new(1)));
    let trees = PerSide { local: &seen.local.tree, remote: &seen.remote.tree };
    let plan = reconcile(&Known::default(), trees, &Policy::default(), &|_| MergeAnswer::Undecided);
    let local = disks.local.apply(Side::Local, &plan, &seen.local, disks.local.now()).unwrap();
    let remote = disks.remote.apply(Side::Remote, &plan, &seen.remote, disks.remote.now()).unwrap();
    let disks = PerSide { local: &disks.local, remote: &disks.remote };
    record(&Known::default(), &plan, disks, PerSide { local: &local, remote: &remote })
}

fn many(count: usize, path: &str) -> String {
    (0..count).map(|n| format!("{path}{n}={path}{n}")).collect::<Vec<_>>().join(";")
}

#[test]
fn an_emptied_side_stops() {
    assert_eq!(halt("a=1;b=1", "a=1;b=1", "-"), Some(Halt::Emptied { side: Side::Remote, files: 2 }));
    assert_eq!(halt("a/x=1;b=1", "-", "a/x=1;b=1"), Some(Halt::Emptied { side: Side::Local, files: 2 }));
    // Replaced by a strange tree: nothing is left of what was known.
    assert_eq!(halt("a=1;b=2", "a=1;b=2", "other=9"), Some(Halt::Emptied { side: Side::Remote, files: 2 }));
    // Our own files say nothing.
    let base = "a=1;b=1;instep.yaml=x;.instepignore=y";
    assert_eq!(
        halt(base, base, "instep.yaml=x;.instepignore=y"),
        Some(Halt::Emptied { side: Side::Remote, files: 4 })
    );
}

#[test]
fn what_is_no_danger_goes_on() {
    assert_eq!(halt("n=v", "n=v", "-"), None);
    assert_eq!(halt("n=v;instep.yaml=x", "n=v;instep.yaml=x", "instep.yaml=x"), None);
    assert_eq!(halt("-", "a=1;b=2", "-"), None);
    // Both emptied it: nothing is left that could be lost.
    assert_eq!(halt("a=1;b=1", "-", "-"), None);
    // All moved into one new folder, or not to be seen any more.
    assert_eq!(halt("a=1;b=2", "d/a=1;d/b=2", "a=1;b=2"), None);
    assert_eq!(halt("a=1;b=2", "a!", "a=1;b=2"), None);
}

#[test]
fn mass_deletion_stops_above_both_limits() {
    let base = format!("keep=1;{}", many(301, "big/"));
    let left = format!("keep=1;{}", many(1, "big/"));
    assert_eq!(
        halt(&base, &base, &left),
        Some(Halt::MassDelete { missing: Side::Remote, files: 300, of: 302 })
    );
    assert_eq!(
        halt(&base, &left, &base),
        Some(Halt::MassDelete { missing: Side::Local, files: 300, of: 302 })
    );
    // A hundred may always go, and a quarter of many.
    let base = format!("keep=1;{}", many(120, "big/"));
    assert_eq!(halt(&base, &base, &format!("keep=1;{}", many(20, "big/"))), None);
    let base = format!("keep=1;{}", many(800, "big/"));
    assert_eq!(halt(&base, &base, &format!("keep=1;{}", many(600, "big/"))), None);
    assert!(halt(&base, &base, &format!("keep=1;{}", many(599, "big/"))).is_some());
}

#[test]
fn moves_are_no_deletions() {
    let base = format!("keep=1;{}", many(300, "big/"));
    let moved = base.replace("big/", "huge/").replace("=huge/", "=big/");
    assert_eq!(halt(&base, &base, &moved), None);
}
