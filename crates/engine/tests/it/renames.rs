//! What was renamed and edited in one go elsewhere, and edited here under its old name, becomes one file.

use std::fs;

use instep_core::path::TreePath;
use instep_engine::cycle::request::Request;
use instep_remote::memory::MemoryPlace;

use crate::world::{Machine, pair};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

/// The left machine renames and edits, the right one edits under the old name.
fn renamed_and_edited() -> (Machine, Machine) {
    let (left, right) = pair(&[("f", TEXT), ("other", "1")]);
    left.rename("f", "d/g");
    left.write("d/g", &TEXT.replace("one", "ONE"));
    right.write("f", &TEXT.replace("seven", "SEVEN"));
    (left, right)
}

fn merged() -> String {
    format!("d/g={};other=1", TEXT.replace("one", "ONE").replace("seven", "SEVEN"))
}

#[test]
fn whoever_edited_under_the_old_name_follows() {
    let (mut left, mut right) = renamed_and_edited();
    left.sync();
    let outcome = right.sync();
    assert!(outcome.conflicts.is_empty(), "{:?}", outcome.conflicts);
    left.sync();
    assert_eq!((left.drawing(), right.drawing()), (merged(), merged()));
    assert!(right.sync().done.is_empty());
}

#[test]
fn whoever_renamed_takes_the_edit_along() {
    let (mut left, mut right) = renamed_and_edited();
    right.sync();
    left.sync();
    right.sync();
    assert_eq!((left.drawing(), right.drawing()), (merged(), merged()));
}

#[test]
fn a_machine_that_was_away_follows_through_many_commits() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("d/f", TEXT);
    left.sync();
    right.sync();
    for (from, to, word) in [("d/f", "d/g", "one"), ("d", "e", "two"), ("e/g", "h", "three")] {
        left.rename(from, to);
        let file = ["d/g", "e/g", "h"].into_iter().find(|path| left.root.join(path).exists()).unwrap();
        let text = fs::read_to_string(left.root.join(file)).unwrap();
        left.write(file, &text.replace(word, &word.to_uppercase()));
        left.sync();
    }
    right.write("d/f", &TEXT.replace("seven", "SEVEN"));
    right.sync();
    assert_eq!(right.drawing(), "e/;h=ONE\nTWO\nTHREE\nfour\nfive\nsix\nSEVEN\n");
}

#[test]
fn a_folder_of_which_every_file_was_edited_is_still_that_folder() {
    let (mut left, mut right) = pair(&[("d/a", TEXT), ("d/b", TEXT)]);
    left.rename("d", "e");
    for file in ["e/a", "e/b"] {
        left.write(file, &TEXT.replace("one", file));
    }
    right.write("d/a", &TEXT.replace("seven", "SEVEN"));
    right.write("d/new", "1");
    left.sync();
    right.sync();
    left.sync();
    let a = TEXT.replace("one", "e/a").replace("seven", "SEVEN");
    assert_eq!(right.drawing(), format!("e/a={a};e/b={};e/new=1", TEXT.replace("one", "e/b")));
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn a_sync_of_other_paths_before_forgets_nothing() {
    let (mut left, mut right) = renamed_and_edited();
    left.write("other", "2");
    left.sync();
    let paths = vec![TreePath::new(b"other").unwrap()];
    right.try_sync(Request { explicit: true, paths, ..Request::default() }).unwrap();
    right.sync();
    assert_eq!(right.drawing(), merged().replace("other=1", "other=2"));
}

#[test]
fn a_machine_killed_right_after_its_commit_forgets_nothing() {
    let (mut left, mut right) = renamed_and_edited();
    left.sync();
    right.remote.die_after_commit();
    right.try_sync(Request::default()).unwrap_err();
    right.sync();
    left.sync();
    assert_eq!((left.drawing(), right.drawing()), (merged(), merged()));
}
