//! The past: how two heads are related, and what can be read of older ones.

use instep_core::generate::Random;
use instep_core::remote::{Lineage, Revision};

use super::{is_stale, one_file};
use crate::remote_suite::{Bench, Sketch, Thing, draft_of, publish, read};

/// The usual two.
pub fn lineage_tells_same_and_ahead(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    let second = publish(&*one, Some(&first), &one_file("2"));
    let third = publish(&*one, Some(&second), &one_file("3"));
    assert_eq!(two.lineage(&first, &first).unwrap(), Lineage::Same);
    assert_eq!(two.lineage(&second, &third).unwrap(), Lineage::Ahead);
    assert_eq!(two.lineage(&first, &third).unwrap(), Lineage::Ahead);
}

/// The remote was put back; then others went on from there.
pub fn lineage_tells_rewound_and_diverged(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    let second = publish(&*one, Some(&first), &one_file("2"));
    read(&*two, &second);
    (bench.put_back)(Some(&first));
    assert_eq!(two.head().unwrap(), Some(first.clone()));
    assert_eq!(two.lineage(&second, &first).unwrap(), Lineage::Rewound);
    let other = publish(&*one, Some(&first), &one_file("other"));
    assert_eq!(two.lineage(&second, &other).unwrap(), Lineage::Diverged);
    assert_eq!(read(&*two, &other), one_file("other"));
}

/// The remote was made anew.
pub fn lineage_tells_unrelated(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    read(&*two, &first);
    (bench.put_back)(None);
    let anew = publish(&*one, None, &one_file("anew"));
    assert_eq!(two.lineage(&first, &anew).unwrap(), Lineage::Unrelated);
}

/// A head that is gone is not there.
pub fn a_removed_head_is_none(bench: &Bench) {
    let remote = bench.open();
    publish(&*remote, None, &one_file("1"));
    (bench.put_back)(None);
    assert_eq!(remote.head().unwrap(), None);
}

/// An owner who put the remote back meant it: a commit on the later head is stale.
pub fn a_rewound_head_is_not_brought_back(bench: &Bench) {
    let remote = bench.open();
    let first = publish(&*remote, None, &one_file("1"));
    let second = publish(&*remote, Some(&first), &one_file("2"));
    let prepared = remote.prepare(Some(&second), &draft_of(&*remote, &one_file("3"))).unwrap();
    (bench.put_back)(Some(&first));
    assert!(is_stale(remote.commit(Some(&second), &prepared)));
    assert_eq!(remote.head().unwrap(), Some(first.clone()));
    (bench.put_back)(None);
    assert!(is_stale(remote.commit(Some(&second), &prepared)));
    assert_eq!(remote.head().unwrap(), None);
}

/// The past stays readable.
pub fn an_old_revision_can_be_read(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    let second = publish(&*one, Some(&first), &one_file("2"));
    assert_eq!(read(&*two, &second), one_file("2"));
    assert_eq!(read(&*two, &first), one_file("1"));
}

/// As many as asked for, newest first.
pub fn history_is_newest_first(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    let second = publish(&*one, Some(&first), &one_file("2"));
    let third = publish(&*one, Some(&second), &one_file("3"));
    read(&*two, &third);
    for remote in [one, two] {
        let history = remote.history(2).unwrap();
        let revisions: Vec<&Revision> = history.iter().map(|committed| &committed.revision).collect();
        assert_eq!(revisions, [&third, &second]);
        assert_eq!(history[0].stamp.operation.as_deref(), Some("op1"));
        assert_eq!(remote.history(100).unwrap().len(), 3);
    }
}

/// What a machine remembers of earlier listings must not show in the next.
pub fn a_listing_after_others_is_whole(bench: &Bench) {
    for seed in 0..3 {
        let (writer, watcher) = (bench.open(), bench.open());
        let (mut chance, mut sketch) = (Random::new(seed), Sketch::new());
        let mut heads: Vec<Revision> = writer.head().unwrap().into_iter().collect();
        for _ in 0..8 {
            for _ in 0..1 + chance.below(4) {
                let folder = format!("{}/{}", chance.below(3), chance.below(3));
                let (path, text) = (format!("{folder}/{}", chance.below(4)), chance.below(4).to_string());
                match chance.below(6) {
                    0 => sketch.0.retain(|path, _| !path.starts_with(folder.as_bytes())),
                    1 => sketch = sketch.folder(format!("{folder}/empty")),
                    2 => sketch = sketch.with(path, Thing::Link(text.into_bytes())),
                    _ => sketch = sketch.file(path, text),
                }
            }
            let known = heads.last().cloned();
            heads.push(publish(&*writer, known.as_ref(), &sketch));
            let at = &heads[heads.len() - 1 - chance.below(heads.len().min(3))];
            let found = watcher.snapshot(at, None).unwrap();
            assert_eq!(found, bench.open().snapshot(at, None).unwrap(), "seed {seed}");
        }
        assert_eq!(read(&*watcher, heads.last().unwrap()), sketch, "seed {seed}");
    }
}
