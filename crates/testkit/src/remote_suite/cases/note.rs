//! Notes: what machines lay down beside the head.

use instep_core::content::ContentId;
use instep_core::remote::{Lineage, ObjectId};

use super::one_file;
use crate::remote_suite::{Bench, Bytes, collect, publish, read};

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
