//! Undo, redo, restore and resolve: what a person takes back comes back, byte for byte.

use instep_core::path::TreePath;
use instep_core::progress::Silent;
use instep_engine::conflict::resolve::{Choice, resolve};
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, Undone, undo};

use crate::world::{Machine, pair};

fn take_back(machine: &mut Machine, request: UndoRequest) -> Undone {
    undo(&mut machine.workspace, Some(&machine.remote), &machine.settings, &request, &Silent).unwrap()
}

#[test]
fn an_undone_sync_takes_back_what_came_and_what_went() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1"), ("d/c", "1")]);
    left.write("a", "2 from left");
    left.remove("d/c");
    left.write("new", "left");
    left.sync();
    right.write("b", "2 from right");
    right.sync();
    let before = right.drawing();
    let undone = take_back(&mut right, UndoRequest::default());
    assert!(undone.left_alone.is_empty(), "{:?}", undone.left_alone);
    assert_eq!(right.drawing(), "a=1;b=2 from right;d/c=1");
    // The remote lost what this machine sent.
    left.sync();
    assert_eq!(left.drawing(), "a=2 from left;b=1;d/;new=left");
    // Redo brings all of it back.
    take_back(&mut right, UndoRequest { redo: true, ..UndoRequest::default() });
    assert_eq!(right.drawing(), before);
}

#[test]
fn after_an_undo_the_next_sync_sends_what_is_here() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    left.write("a", "2");
    left.sync();
    right.write("b", "2");
    right.sync();
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "a=1;b=2");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "a=1;b=2");
    assert_eq!(right.drawing(), left.drawing());
}

#[test]
fn a_path_that_changed_since_is_left_alone() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    left.write("a", "2");
    left.write("b", "2");
    left.sync();
    right.sync();
    right.write("a", "edited since");
    let undone = take_back(&mut right, UndoRequest::default());
    assert_eq!(undone.left_alone, [TreePath::new(b"a").unwrap()]);
    assert_eq!(right.drawing(), "a=edited since;b=1");
}

#[test]
fn moves_are_undone_as_moves() {
    let (mut left, mut right) = pair(&[("d/a", "first"), ("d/b", "second")]);
    left.rename("d", "e");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "e/a=first;e/b=second");
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "d/a=first;d/b=second");
}

#[test]
fn undo_goes_back_step_by_step() {
    let (mut left, mut right) = pair(&[("a", "1")]);
    for content in ["2", "3"] {
        left.write("a", content);
        left.sync();
        right.sync();
    }
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "a=2");
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "a=1");
}

fn bring_back(machine: &mut Machine, path: &str, moment: Moment) {
    let paths = vec![TreePath::new(path.as_bytes()).unwrap()];
    let request = RestoreRequest { paths, moment, to: None, dry_run: false };
    restore(&mut machine.workspace, Some(&machine.remote), &machine.settings, &request, &Silent).unwrap();
}

#[test]
fn a_deleted_file_and_an_earlier_version_come_back() {
    let (mut left, mut right) = pair(&[("a", "1"), ("d/b", "1")]);
    left.write("a", "2");
    left.sync();
    let after_two = left.sync().operation;
    assert_eq!(after_two, None);
    left.remove("d/b");
    left.sync();
    right.sync();
    bring_back(&mut right, "d/b", Moment::Previous);
    bring_back(&mut right, "a", Moment::Previous);
    assert_eq!(right.drawing(), "a=1;d/b=1");
    // What was edited here, and never displaced, comes from what was sent.
    bring_back(&mut left, "a", Moment::Previous);
    assert_eq!(left.drawing(), "a=1;d/");
}

fn conflicting() -> (Machine, Machine) {
    let (mut left, mut right) = pair(&[("f", "base\n")]);
    left.write("f", "left\n");
    right.write("f", "right\n");
    left.sync();
    assert_eq!(right.sync().conflicts.len(), 1);
    (left, right)
}

fn settle(machine: &mut Machine, choice: Choice) {
    resolve(&mut machine.workspace, &machine.remote, &machine.settings, 1, &choice, &Silent).unwrap();
}

#[test]
fn a_conflict_is_settled_by_what_a_person_chose() {
    for (choice, expected) in [
        (Choice::Here, "f=right\n"),
        (Choice::There, "f=left\n"),
        (Choice::Base, "f=base\n"),
        (Choice::Content(b"both\n".to_vec()), "f=both\n"),
    ] {
        let (mut left, mut right) = conflicting();
        settle(&mut right, choice.clone());
        let outcome = right.sync();
        assert!(outcome.conflicts.is_empty(), "{choice:?}");
        left.sync();
        assert_eq!(right.drawing(), expected, "{choice:?}");
        assert_eq!(left.drawing(), expected, "{choice:?}");
    }
}

#[test]
fn keeping_both_leaves_a_copy_named_after_its_machine_and_content() {
    let (mut left, mut right) = conflicting();
    settle(&mut right, Choice::Both);
    right.sync();
    left.sync();
    let copy = format!("f.right-{}", instep_core::content::ContentId::of(b"right\n").short());
    assert_eq!(right.drawing(), format!("f=left\n;{copy}=right\n"));
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn an_undone_resolve_opens_the_conflict_again() {
    let (_left, mut right) = conflicting();
    settle(&mut right, Choice::There);
    assert_eq!(right.drawing(), "f=left\n");
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "f=right\n");
    assert_eq!(right.sync().conflicts.len(), 1);
    assert_eq!(right.drawing(), "f=right\n");
}
