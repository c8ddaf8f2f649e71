//! Commits: which are taken, which are refused, and what is seen of them before.

use std::sync::Barrier;

use instep_core::progress::Silent;
use instep_core::remote::{Class, RemoteError, Revision};

use super::{is_stale, one_file};
use crate::remote_suite::{Bench, Bytes, Sketch, collect, draft_of, publish, read, upload};

/// Nothing was ever committed: that is no failure.
pub fn an_empty_place_has_no_head(bench: &Bench) {
    let remote = bench.open();
    assert_eq!(remote.head().unwrap(), None);
    assert_eq!(remote.history(5).unwrap(), vec![]);
}

/// What one machine commits, another sees as its head, and reads.
pub fn a_first_commit_is_seen_by_all(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let revision = publish(&*one, None, &one_file("hello"));
    assert_eq!(one.head().unwrap().as_ref(), Some(&revision));
    assert_eq!(two.head().unwrap().as_ref(), Some(&revision));
    assert_eq!(read(&*two, &revision), one_file("hello"));
}

/// "Nothing is there" is an expectation like any other.
pub fn a_first_commit_must_find_nothing(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let prepared = two.prepare(None, &draft_of(&*two, &one_file("two"))).unwrap();
    let first = publish(&*one, None, &one_file("one"));
    assert!(is_stale(two.commit(None, &prepared)));
    assert_eq!(two.head().unwrap(), Some(first));
}

/// A commit on a head that has moved changes nothing.
pub fn a_stale_commit_is_refused(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let first = publish(&*one, None, &one_file("1"));
    read(&*two, &first);
    let late = two.prepare(Some(&first), &draft_of(&*two, &one_file("late"))).unwrap();
    let second = publish(&*one, Some(&first), &one_file("2"));
    assert!(is_stale(two.commit(Some(&first), &late)));
    assert_eq!(one.head().unwrap().as_ref(), Some(&second));
    assert_eq!(read(&*two, &second), one_file("2"));
}

/// Several machines commit at the same moment: one wins, the others hear that they are stale.
pub fn of_two_racers_one_wins(bench: &Bench) {
    let first = publish(&*bench.open(), None, &one_file("start"));
    let barrier = Barrier::new(3);
    let results: Vec<(Revision, Result<(), RemoteError>)> = std::thread::scope(|scope| {
        let race = |number: usize| {
            let (barrier, first) = (&barrier, &first);
            scope.spawn(move || {
                let remote = bench.open();
                read(&*remote, first);
                let sketch = one_file(&format!("racer {number}"));
                let prepared = remote.prepare(Some(first), &draft_of(&*remote, &sketch)).unwrap();
                barrier.wait();
                let result = remote.commit(Some(first), &prepared);
                (prepared, result)
            })
        };
        let threads: Vec<_> = (0..3).map(race).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<&Revision> =
        results.iter().filter(|(_, result)| result.is_ok()).map(|(prepared, _)| prepared).collect();
    assert_eq!(winners.len(), 1, "{results:?}");
    assert_eq!(bench.open().head().unwrap().as_ref(), winners.first().copied());
    for (_, result) in &results {
        assert!(result.as_ref().map_or_else(|error| error.class() == Class::Stale, |()| true), "{result:?}");
    }
}

/// Before the commit, nobody can tell that anything was sent.
pub fn uploads_and_drafts_are_invisible(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    one.prepare(None, &draft_of(&*one, &one_file("secret"))).unwrap();
    assert_eq!(two.head().unwrap(), None);
    let first = publish(&*one, None, &one_file("1"));
    one.prepare(Some(&first), &draft_of(&*one, &one_file("2"))).unwrap();
    assert_eq!(two.head().unwrap(), Some(first.clone()));
    assert_eq!(read(&*two, &first), one_file("1"));
}

/// Sending the same again gives the same name.
pub fn an_upload_may_be_repeated(bench: &Bench) {
    let remote = bench.open();
    let first = upload(&*remote, &[b"a", b"b"]);
    assert_eq!(upload(&*remote, &[b"a", b"b"]), first);
    assert_eq!(upload(&*bench.open(), &[b"b"]), first[1..]);
}

/// Names come in the order of the contents; equal contents have equal names; nothing is a content too.
pub fn an_upload_answers_in_order(bench: &Bench) {
    let remote = bench.open();
    let named = upload(&*remote, &[b"x", b"", b"y", b"x"]);
    assert_eq!(named.len(), 4);
    assert_eq!(named[0], named[3]);
    assert_ne!(named[0], named[2]);
    let contents = collect(&*remote, &[named[2], named[1], named[0]]);
    assert_eq!(contents[&named[0]], b"x");
    assert_eq!(contents[&named[1]], b"");
    assert_eq!(contents[&named[2]], b"y");
    assert_eq!(remote.upload(&[], &Bytes::default(), &Silent).unwrap(), vec![]);
}

/// A commit that already happened is no failure: its answer may have been lost on the way.
pub fn a_commit_may_be_repeated(bench: &Bench) {
    let remote = bench.open();
    let prepared = remote.prepare(None, &draft_of(&*remote, &one_file("1"))).unwrap();
    remote.commit(None, &prepared).unwrap();
    remote.commit(None, &prepared).unwrap();
    assert_eq!(remote.head().unwrap(), Some(prepared));
}

/// Of two drafts on the same head, any may be committed.
pub fn a_draft_may_be_prepared_twice(bench: &Bench) {
    let remote = bench.open();
    let first = remote.prepare(None, &draft_of(&*remote, &one_file("1"))).unwrap();
    let second = remote.prepare(None, &draft_of(&*remote, &one_file("2"))).unwrap();
    remote.commit(None, &second).unwrap();
    assert_eq!(read(&*bench.open(), &second), one_file("2"));
    assert!(is_stale(remote.commit(None, &first)));
}

/// A mistake of ours is an error, not a head.
pub fn a_draft_in_disorder_is_refused(bench: &Bench) {
    let remote = bench.open();
    let mut draft = draft_of(&*remote, &Sketch::new().file("d/f", "1"));
    draft.entries.reverse();
    for entry in &mut draft.entries {
        entry.parent = entry.parent.map(|_| 1);
    }
    assert!(remote.prepare(None, &draft).is_err());
    let mut draft = draft_of(&*remote, &one_file("1"));
    draft.entries[0].object = None;
    assert!(remote.prepare(None, &draft).is_err());
    let mut draft = draft_of(&*remote, &one_file("1"));
    draft.entries.push(draft.entries[0].clone());
    assert!(remote.prepare(None, &draft).is_err(), "one name twice");
    assert_eq!(remote.head().unwrap(), None);
}

/// A head is only ever followed by its child: a draft made for another head would take back what came between.
pub fn a_draft_for_another_head_is_refused(bench: &Bench) {
    let remote = bench.open();
    let first = publish(&*remote, None, &one_file("1"));
    let late = remote.prepare(Some(&first), &draft_of(&*remote, &one_file("late"))).unwrap();
    let anew = remote.prepare(None, &draft_of(&*remote, &one_file("anew"))).unwrap();
    let second = publish(&*remote, Some(&first), &one_file("2"));
    for prepared in [late, anew] {
        assert!(remote.commit(Some(&second), &prepared).is_err());
        assert_eq!(remote.head().unwrap().as_ref(), Some(&second));
    }
}
