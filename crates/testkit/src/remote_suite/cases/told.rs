//! What commits tell beside their trees: times, renames, who wrote them.

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::remote::Revision;
use instep_core::renames::Rename;

use super::one_file;
use crate::remote_suite::{Bench, Sketch, draft_of, path, publish};

/// The time of a commit to the second, and the times of its files as they were.
pub fn times_survive(bench: &Bench) {
    let remote = bench.open();
    let mut draft = draft_of(&*remote, &Sketch::new().file("a b", "1").file("d/\"x\"\n", "2").file("z", "3"));
    draft.times = BTreeMap::from([
        (path("a b"), Timestamp::from_ns(1_600_000_000_123_456_789)),
        (path("d/\"x\"\n"), Timestamp::from_seconds(-5)),
    ]);
    let first = remote.prepare(None, &draft).unwrap();
    remote.commit(None, &first).unwrap();
    let snapshot = bench.open().snapshot(&first, None).unwrap();
    assert_eq!(snapshot.stamp.time, draft.time);
    assert_eq!(snapshot.times, draft.times);
}

/// Of several commits since the known one, each says when its own files were modified, and who wrote them.
pub fn times_between_are_gathered(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &Sketch::new().file("a", "1").file("b", "1").file("c", "1"));
    two.snapshot(&first, None).unwrap();
    let commit = |expected: &Revision, sketch: &Sketch, seconds| {
        let mut draft = draft_of(&*one, sketch);
        draft.time = Timestamp::from_seconds(seconds);
        draft.machine.name = format!("m{seconds}");
        let prepared = one.prepare(Some(expected), &draft).unwrap();
        one.commit(Some(expected), &prepared).unwrap();
        prepared
    };
    let second = commit(&first, &Sketch::new().file("a", "2").file("b", "1").file("c", "2"), 1000);
    let third = commit(&second, &Sketch::new().file("a", "2").file("b", "1").file("c", "3"), 2000);
    let fourth =
        commit(&third, &Sketch::new().file("a", "2").file("b", "1").file("c", "3").file("d", "1"), 3000);
    let snapshot = two.snapshot(&fourth, Some(&first)).unwrap();
    let time = |name: &str| snapshot.times.get(&path(name)).copied().unwrap_or(snapshot.stamp.time).seconds();
    assert_eq!((time("a"), time("c"), time("d")), (1000, 2000, 3000));
    let writer =
        |name: &str| snapshot.writers.get(&path(name)).map_or(snapshot.stamp.writer(), String::as_str);
    assert_eq!((writer("a"), writer("c"), writer("d")), ("m1000", "m2000", "m3000"));
    assert!(snapshot.stamp.speaks_of_folders);
}

/// What was renamed since the known revision is told, from commit to commit; never more than that.
pub fn renames_between_are_told(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let commit = |expected: Option<&Revision>, sketch: &Sketch, renames: &[(&str, &str)]| {
        let mut draft = draft_of(&*one, sketch);
        let rename = |(from, to): &(&str, &str)| Rename { from: path(from), to: path(to) };
        draft.renames = renames.iter().map(rename).collect();
        let prepared = one.prepare(expected, &draft).unwrap();
        one.commit(expected, &prepared).unwrap();
        prepared
    };
    let told = |at: &Revision, known: Option<&Revision>| -> Vec<String> {
        let snapshot = two.snapshot(at, known).unwrap();
        snapshot.renames.all().iter().map(|one| format!("{} to {}", one.from, one.to)).collect()
    };
    let first = commit(None, &Sketch::new().file("a b", "1").file("d/c", "1"), &[("x", "d/c")]);
    let second = commit(Some(&first), &Sketch::new().file("d/é", "2").file("d/c", "1"), &[("a b", "d/é")]);
    let third =
        commit(Some(&second), &Sketch::new().file("e -> \"/é", "2").file("d/c", "1"), &[("d", "e -> \"")]);
    assert_eq!(told(&first, None), Vec::<String>::new());
    assert_eq!(told(&second, Some(&first)), ["a b to d/é"]);
    assert_eq!(told(&third, Some(&second)), ["d to e -> \""]);
    assert_eq!(told(&third, Some(&first)), ["a b to e -> \"/é", "d to e -> \""]);
    assert_eq!(told(&third, Some(&third)), Vec::<String>::new());
}

/// Who, by which operation, with which words.
pub fn a_commit_says_who_wrote_it(bench: &Bench) {
    let remote = bench.open();
    let mut draft = draft_of(&*remote, &one_file("1"));
    draft.message = "Sync 1 file\n\nMore words.\nInstep-Allow: delete".to_owned();
    draft.machine.name = "Bob's \"laptop\"".to_owned();
    let first = remote.prepare(None, &draft).unwrap();
    remote.commit(None, &first).unwrap();
    let stamp = bench.open().snapshot(&first, None).unwrap().stamp;
    assert_eq!(stamp.machine, Some(draft.machine));
    assert_eq!(stamp.operation.as_deref(), Some("op1"));
    assert_eq!(stamp.message, "Sync 1 file");
    assert!(!stamp.author.is_empty());
    assert!(!stamp.allows_deletes, "words in a message are no permission");
}

/// A deletion that a person allowed is not asked about again.
pub fn a_permission_to_delete_travels(bench: &Bench) {
    let remote = bench.open();
    let mut draft = draft_of(&*remote, &one_file("1"));
    draft.allows_deletes = true;
    draft.renames = vec![Rename { from: path("from here"), to: path("to") }];
    let first = remote.prepare(None, &draft).unwrap();
    remote.commit(None, &first).unwrap();
    assert!(bench.open().snapshot(&first, None).unwrap().stamp.allows_deletes);
}

/// What we wrote alone can say that a folder is gone.
pub fn our_commits_speak_of_folders(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    assert!(two.snapshot(&first, None).unwrap().stamp.speaks_of_folders);
    let second = publish(&*one, Some(&first), &one_file("2"));
    assert!(two.snapshot(&second, Some(&first)).unwrap().stamp.speaks_of_folders);
    let third = publish(&*one, Some(&second), &one_file("3"));
    let snapshot = two.snapshot(&third, Some(&first)).unwrap();
    assert!(snapshot.stamp.speaks_of_folders);
    assert!(two.snapshot(&third, Some(&third)).unwrap().stamp.speaks_of_folders);
}
