//! The cases: each a sentence that is true of every remote.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Barrier;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::progress::{Event, Observer, Silent};
use instep_core::remote::{
    Class, Drafted, Lineage, ListedKind, ObjectId, OfferedContent, RemoteError, RemoteErrorKind, Revision,
    Sink, Source,
};
use instep_core::renames::Rename;
use instep_core::tree::LeafKind;

use super::Bench;
use super::sketch::{Bytes, Sketch, Thing, collect, draft_of, name, path, publish, read, upload};
use instep_core::generate::Random;

fn is_stale(result: Result<(), RemoteError>) -> bool {
    matches!(result, Err(error) if error.class() == Class::Stale)
}

fn one_file(content: &str) -> Sketch {
    Sketch::new().file("f", content)
}

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

/// Files, programs, links and folders come back as what they were.
pub fn every_kind_of_entry_survives(bench: &Bench) {
    let sketch = Sketch::new()
        .file("file", b"text\r\nwith\0bytes\xff")
        .file("empty", "")
        .with("program", Thing::Program(b"#!/bin/sh\n".to_vec()))
        .with("link", Thing::Link(b"folder/file".to_vec()))
        .with("dangling", Thing::Link(b"\xffnowhere".to_vec()))
        .file("folder/file", "inside")
        .file("folder/.gitattributes", "* text eol=crlf\n")
        .file("folder/.gitignore", "*\n");
    let revision = publish(&*bench.open(), None, &sketch);
    assert_eq!(read(&*bench.open(), &revision), sketch);
}

/// A name is bytes, whatever they look like.
pub fn odd_names_survive(bench: &Bench) {
    let mut sketch = Sketch::new();
    let long = "n".repeat(255);
    let odd: &[&[u8]] = &[
        b"--help",
        b"-rf",
        b"@file",
        b"$(x)",
        b"`x`",
        b";rm",
        b"new\nline",
        b"tab\tand \"quotes\"",
        b"\x1b[31m",
        b"\xff\xfe",
        b"\x01",
        b" ",
        b"back\\slash",
        b"a:b",
        b"con",
        b"trailing. ",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
        "\u{202e}gpj".as_bytes(),
        b"Case",
        b"case",
        b"a",
        b"a.b",
        b"a-",
        long.as_bytes(),
    ];
    for name in odd {
        sketch = sketch.file(name, name);
        sketch = sketch.file([b"in/".as_slice(), name, b"/x"].concat(), name);
    }
    let revision = publish(&*bench.open(), None, &sketch);
    assert_eq!(read(&*bench.open(), &revision), sketch);
}

/// A folder without files is there, at any depth.
pub fn empty_folders_survive(bench: &Bench) {
    let sketch = Sketch::new().folder("a").folder("b/c/d").file("e/f", "x").folder("e/g");
    let one = bench.open();
    let revision = publish(&*one, None, &sketch);
    assert_eq!(read(&*bench.open(), &revision), sketch);
    let fewer = Sketch::new().folder("b/c");
    let second = publish(&*one, Some(&revision), &fewer);
    assert_eq!(read(&*bench.open(), &second), fewer);
}

/// Even nothing can be committed.
pub fn an_empty_root_survives(bench: &Bench) {
    let one = bench.open();
    let first = publish(&*one, None, &Sketch::new());
    assert_eq!(read(&*bench.open(), &first), Sketch::new());
    let second = publish(&*one, Some(&first), &one_file("1"));
    let third = publish(&*one, Some(&second), &Sketch::new());
    assert_eq!(read(&*bench.open(), &third), Sketch::new());
}

/// A folder whose name is known needs no listing of what is in it.
pub fn an_unchanged_folder_goes_by_name(bench: &Bench) {
    let remote = bench.open();
    let sketch = Sketch::new().file("keep/deep/one", "1").file("keep/two", "2").file("f", "old");
    let first = publish(&*remote, None, &sketch);
    let snapshot = remote.snapshot(&first, None).unwrap();
    let keep = snapshot.entries.iter().find(|entry| entry.name == name(b"keep")).unwrap();
    let mut draft = draft_of(&*remote, &one_file("new"));
    draft.entries.push(Drafted {
        parent: None,
        name: name(b"moved"),
        kind: ListedKind::Folder,
        object: Some(keep.object),
    });
    let second = remote.prepare(Some(&first), &draft).unwrap();
    remote.commit(Some(&first), &second).unwrap();
    let expected = Sketch::new().file("moved/deep/one", "1").file("moved/two", "2").file("f", "new");
    assert_eq!(read(&*bench.open(), &second), expected);
}

/// A name may change its kind.
pub fn a_file_becomes_a_folder(bench: &Bench) {
    let remote = bench.open();
    let first = publish(&*remote, None, &Sketch::new().file("x", "file").file("y/z", "in folder"));
    let turned = Sketch::new().file("x/inside", "1").with("y", Thing::Link(b"x".to_vec()));
    let second = publish(&*remote, Some(&first), &turned);
    assert_eq!(read(&*bench.open(), &second), turned);
}

/// The name of a folder says what is in it.
pub fn equal_trees_have_equal_names(bench: &Bench) {
    let remote = bench.open();
    let sketch = Sketch::new().file("a/f", "1").file("b/f", "1");
    let first = publish(&*remote, None, &sketch);
    let one = remote.snapshot(&first, None).unwrap();
    assert_eq!(one.entries[0].object, one.entries[1].object);
    let second = publish(&*remote, Some(&first), &one_file("2"));
    let third = publish(&*remote, Some(&second), &sketch);
    assert_eq!(remote.snapshot(&third, None).unwrap().root, one.root);
}

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

/// What a sink leaves unread is not taken for the next content.
pub fn a_sink_need_not_read(bench: &Bench) {
    struct Lazy(Vec<(u64, Vec<u8>)>);
    impl Sink for Lazy {
        fn receive(&mut self, _: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
            let mut some = Vec::new();
            content.take(self.0.len() as u64).read_to_end(&mut some).unwrap();
            self.0.push((size, some));
            Ok(())
        }
    }
    let remote = bench.open();
    let named = upload(&*remote, &[b"aaaa", b"bbbbb", b"cccccc"]);
    let mut lazy = Lazy(Vec::new());
    remote.fetch(&named, &mut lazy, &Silent).unwrap();
    lazy.0.sort();
    let sizes: Vec<u64> = lazy.0.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes, [4, 5, 6]);
}

/// A sink's failure is the fetch's.
pub fn a_failing_sink_stops_the_fetch(bench: &Bench) {
    struct Full;
    impl Sink for Full {
        fn receive(&mut self, _: ObjectId, _: u64, _: &mut dyn Read) -> Result<(), RemoteError> {
            Err(RemoteError::new(RemoteErrorKind::Local, "E-DISK-FULL", "full"))
        }
    }
    let remote = bench.open();
    let named = upload(&*remote, &[b"a", &[0; 1_000_000]]);
    let error = remote.fetch(&named, &mut Full, &Silent).unwrap_err();
    assert_eq!(error.code, "E-DISK-FULL");
    assert_eq!(collect(&*remote, &named).len(), 2);
}

struct Lying {
    announced: u64,
    held: usize,
}

impl Source for Lying {
    fn open(&self, _: ContentId) -> Result<OfferedContent, RemoteError> {
        Ok(OfferedContent { size: self.announced, bytes: Box::new(Cursor::new(vec![b'x'; self.held])) })
    }
}

/// A file that grew or shrank while it was read is not sent as something else.
pub fn a_content_of_another_length_is_refused(bench: &Bench) {
    let remote = bench.open();
    for (announced, held) in [(5, 4), (5, 6), (0, 1), (300_000, 299_999), (300_000, 300_001)] {
        let id = ContentId::of(b"whatever");
        let result = remote.upload(&[id], &Lying { announced, held }, &Silent);
        assert!(result.is_err(), "{announced} announced, {held} there");
    }
    let revision = publish(&*remote, None, &one_file("still works"));
    assert_eq!(read(&*remote, &revision), one_file("still works"));
}

/// A source's failure is the upload's.
pub fn a_failing_source_stops_the_upload(bench: &Bench) {
    let remote = bench.open();
    let mut bytes = Bytes::default();
    let ids = [bytes.add(b"a"), ContentId::of(b"not there")];
    assert_eq!(remote.upload(&ids, &bytes, &Silent).unwrap_err().code, "E-TEST");
    assert_eq!(upload(&*remote, &[b"a"]).len(), 1);
}

/// A person who asks to stop is heard; nothing is seen of what was sent.
pub fn a_cancelled_upload_stops(bench: &Bench) {
    struct Stop;
    impl Observer for Stop {
        fn observe(&self, _: Event) {}
        fn is_cancelled(&self) -> bool {
            true
        }
    }
    let remote = bench.open();
    let mut bytes = Bytes::default();
    let id = bytes.add(b"a");
    assert_eq!(remote.upload(&[id], &bytes, &Stop).unwrap_err().kind, RemoteErrorKind::Cancelled);
    assert_eq!(remote.head().unwrap(), None);
    assert_eq!(upload(&*remote, &[b"a"]).len(), 1);
}

/// Bytes that no compression makes smaller and no buffer holds; read in pieces of a multiple of eight.
struct Noise {
    state: u64,
    left: u64,
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.left as usize);
        for piece in buffer[..length].chunks_mut(8) {
            let word = splitmix(self.state);
            piece.copy_from_slice(&word.to_le_bytes()[..piece.len()]);
            self.state += 1;
        }
        self.left -= length as u64;
        Ok(length)
    }
}

fn splitmix(number: u64) -> u64 {
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// How large "large" is.
const LARGE: u64 = 32 * 1024 * 1024;

struct LargeSource;

impl Source for LargeSource {
    fn open(&self, _: ContentId) -> Result<OfferedContent, RemoteError> {
        Ok(OfferedContent { size: LARGE, bytes: Box::new(Noise { state: 7, left: LARGE }) })
    }
}

struct LargeSink(u64);

impl Sink for LargeSink {
    fn receive(&mut self, _: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        assert_eq!(size, LARGE);
        let mut expected = Noise { state: 7, left: LARGE };
        let (mut ours, mut theirs) = (vec![0; 65536], vec![0; 65536]);
        while self.0 < LARGE {
            content.read_exact(&mut theirs).unwrap();
            expected.read_exact(&mut ours).unwrap();
            assert!(ours == theirs, "differs near {}", self.0);
            self.0 += ours.len() as u64;
        }
        assert_eq!(content.read(&mut theirs).unwrap(), 0);
        Ok(())
    }
}

/// A content much larger than any buffer arrives byte for byte.
pub fn a_large_content_streams(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let mut hasher = instep_core::content::ContentHasher::new();
    let mut noise = Noise { state: 7, left: LARGE };
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = noise.read(&mut buffer) {
        hasher.update(&buffer[..length]);
    }
    let named = one.upload(&[hasher.finish()], &LargeSource, &Silent).unwrap();
    let mut draft = draft_of(&*one, &Sketch::new());
    let kind = ListedKind::Leaf { kind: LeafKind::File, exec: false };
    draft.entries.push(Drafted { parent: None, name: name(b"large"), kind, object: Some(named[0]) });
    let revision = one.prepare(None, &draft).unwrap();
    one.commit(None, &revision).unwrap();
    two.snapshot(&revision, None).unwrap();
    let mut sink = LargeSink(0);
    two.fetch(&named, &mut sink, &Silent).unwrap();
    assert_eq!(sink.0, LARGE);
}

/// More entries than fit any window, and folders in folders.
pub fn many_files_and_deep_folders_survive(bench: &Bench) {
    let mut sketch = Sketch::new();
    for number in 0..1500 {
        sketch = sketch.file(format!("d{}/e{number}/f", number % 7), format!("{}", number % 100));
    }
    let deep = vec!["deep"; 60].join("/");
    sketch = sketch.file(format!("{deep}/bottom"), "here").folder(format!("{deep}/empty"));
    let revision = publish(&*bench.open(), None, &sketch);
    assert_eq!(read(&*bench.open(), &revision), sketch);
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

fn lay_down(bench: &Bench, author: &str, text: &str, contents: &[&str]) {
    let mut bytes = Bytes::default();
    let ids: Vec<ContentId> = contents.iter().map(|content| bytes.add(content.as_bytes())).collect();
    assert!(bench.open().lay_down(author, text.as_bytes(), &ids, &bytes).unwrap(), "it takes notes");
}

/// Who laid down what.
fn told(bench: &Bench) -> Vec<(String, String)> {
    let notes = bench.open().notes(None).unwrap().expect("nothing was known").notes;
    notes.into_iter().map(|note| (note.author, String::from_utf8(note.text).unwrap())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(author, text)| ((*author).to_owned(), (*text).to_owned())).collect()
}

/// What one machine lays down, all see, in order of their ids; also where nothing was ever committed.
pub fn a_note_is_seen_by_all(bench: &Bench) {
    assert_eq!(told(bench), []);
    lay_down(bench, "bb", "of two", &[]);
    lay_down(bench, "aa", "of one", &["a content"]);
    assert_eq!(told(bench), pairs(&[("aa", "of one"), ("bb", "of two")]));
    assert_eq!(bench.open().head().unwrap(), None);
}

/// Each machine has one note; those of others stay as they are.
pub fn a_note_takes_the_place_of_its_former_one(bench: &Bench) {
    lay_down(bench, "aa", "first", &["a content"]);
    lay_down(bench, "bb", "another", &[]);
    lay_down(bench, "aa", "second", &["a content", "one more"]);
    lay_down(bench, "aa", "", &[]);
    assert_eq!(told(bench), pairs(&[("aa", ""), ("bb", "another")]));
}

/// Neither the head nor what it lists knows of a note.
pub fn a_note_is_part_of_no_snapshot(bench: &Bench) {
    let remote = bench.open();
    let first = publish(&*remote, None, &one_file("1"));
    lay_down(bench, "aa", "text", &["2"]);
    assert_eq!(remote.head().unwrap().as_ref(), Some(&first));
    assert_eq!(read(&*remote, &first), one_file("1"));
    let second = publish(&*remote, Some(&first), &one_file("2"));
    assert_eq!(bench.open().lineage(&first, &second).unwrap(), Lineage::Ahead);
    assert_eq!(remote.history(5).unwrap().len(), 2);
    assert_eq!(told(bench), pairs(&[("aa", "text")]));
}

/// Another machine reads them by the names that the note tells.
pub fn the_contents_of_a_note_can_be_fetched(bench: &Bench) {
    publish(&*bench.open(), None, &one_file("1"));
    lay_down(bench, "aa", "text", &["text", "here", ""]);
    let other = bench.open();
    let note = other.notes(None).unwrap().unwrap().notes.remove(0);
    let mut expected: Vec<ContentId> = ["text", "here", ""].map(|text| ContentId::of(text.as_bytes())).into();
    let mut named: Vec<ContentId> = note.contents.iter().map(|(content, _)| *content).collect();
    expected.sort();
    named.sort();
    assert_eq!(named, expected);
    let objects: Vec<ObjectId> = note.contents.iter().map(|(_, object)| *object).collect();
    let collected = collect(&*other, &objects);
    for (content, object) in &note.contents {
        assert_eq!(ContentId::of(&collected[object]), *content);
    }
}

/// Who knows the mark hears nothing until something is laid down.
pub fn notes_are_read_once(bench: &Bench) {
    let remote = bench.open();
    lay_down(bench, "aa", "first", &[]);
    remote.head().unwrap();
    let mark = remote.notes(None).unwrap().unwrap().mark;
    remote.head().unwrap();
    assert_eq!(remote.notes(Some(&mark)).unwrap(), None);
    lay_down(bench, "aa", "second", &[]);
    remote.head().unwrap();
    let after = remote.notes(Some(&mark)).unwrap().unwrap();
    assert_ne!(after.mark, mark);
    assert_eq!(after.notes[0].text, b"second");
}
