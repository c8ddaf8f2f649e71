//! Trees: what is committed comes back as what it was.

use instep_core::remote::{Drafted, ListedKind};

use super::one_file;
use crate::remote_suite::{Bench, Sketch, Thing, draft_of, name, publish, read};

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
