//! Undo, redo, restore and resolve: what a person takes back comes back, byte for byte.

use instep_core::content::ContentId;
use instep_core::path::TreePath;
use instep_core::policy::Direction;
use instep_core::progress::Silent;
use instep_engine::conflict::resolve::{Choice, resolve};
use instep_engine::cycle::request::Request;
use instep_engine::failure::EngineError;
use instep_engine::history::export;
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, Undone, undo};
use instep_engine::reach::Reach;

use crate::world::{Machine, pair};

fn take_back(machine: &mut Machine, request: UndoRequest) -> Undone {
    let reach = Reach::open(&machine.remote);
    undo(&mut machine.workspace, Some(&reach), &machine.settings, &request, &Silent).unwrap()
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
fn what_was_removed_where_something_else_moved_comes_back_with_an_undo() {
    let (mut left, mut right) = pair(&[("a", "first"), ("b", "second")]);
    left.rename("b", "a");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "a=second");
    let undone = take_back(&mut right, UndoRequest::default());
    assert_eq!((right.drawing().as_str(), undone.left_alone.len()), ("a=first;b=second", 0));
    take_back(&mut right, redo());
    assert_eq!(right.drawing(), "a=second");
}

#[test]
fn a_file_of_ones_own_stays_where_a_folder_goes_back_that_took_the_place_of_another() {
    let (mut left, mut right) = pair(&[("a/x", "in a"), ("b/y", "in b")]);
    left.remove("b");
    left.rename("a", "b");
    left.sync();
    right.write("b/own", "made here");
    let before = right.drawing();
    right.sync();
    let after = right.drawing();
    assert_eq!(after, "b/own=made here;b/x=in a");
    let undone = take_back(&mut right, UndoRequest::default());
    assert_eq!((right.drawing(), undone.left_alone.len()), (before, 0));
    take_back(&mut right, UndoRequest { redo: true, ..UndoRequest::default() });
    assert_eq!(right.drawing(), after);
}

#[test]
fn what_left_a_folder_goes_back_into_it_where_it_goes_back_itself() {
    let (mut left, mut right) = pair(&[("d/a", "first"), ("d/b", "second"), ("d/c", "third")]);
    left.rename("d/a", "a");
    left.remove("d/b");
    left.rename("d", "e");
    left.sync();
    let before = right.drawing();
    right.sync();
    let after = right.drawing();
    assert_eq!(after, "a=first;e/c=third");
    let undone = take_back(&mut right, UndoRequest::default());
    assert_eq!((right.drawing(), undone.left_alone.len()), (before, 0));
    take_back(&mut right, UndoRequest { redo: true, ..UndoRequest::default() });
    assert_eq!(right.drawing(), after);
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
    let reach = Reach::open(&machine.remote);
    restore(&mut machine.workspace, &[reach], &machine.settings, &request, &Silent).unwrap();
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
    resolve(&mut machine.workspace, &machine.remote, &machine.settings, &[(1, choice)], &Silent).unwrap();
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
    let copy = format!("f.right-{}", ContentId::of(b"right\n").short());
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

fn redo() -> UndoRequest {
    UndoRequest { redo: true, ..UndoRequest::default() }
}

#[test]
fn an_undo_while_the_remote_is_away_does_its_half_here_and_the_rest_with_the_next_sync() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    left.write("a", "2 from left");
    left.sync();
    right.write("b", "2 from right");
    right.write("new", "right");
    right.sync();
    right.remote.cut(true);
    let undone = take_back(&mut right, UndoRequest::default());
    assert!(undone.waits_for_remote);
    assert_eq!(right.drawing(), "a=1;b=2 from right;new=right");
    right.remote.cut(false);
    // The sync that completes the undo takes back there, and does not send the same again in one breath.
    let outcome = right.sync();
    assert_eq!(outcome.notices.len(), 1, "{:?}", outcome.notices);
    left.sync();
    assert_eq!(left.drawing(), "a=1;b=1");
    assert_eq!(right.drawing(), "a=1;b=2 from right;new=right");
    // The one after it sends what is here, as after any undo.
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), right.drawing());
    assert_eq!(left.drawing(), "a=1;b=2 from right;new=right");
}

#[test]
fn the_first_send_undone_while_offline_is_taken_back_there_and_not_sent_again_at_once() {
    let place = instep_remote::memory::MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("a", "1");
    left.write("d/b", "1");
    left.sync();
    left.remote.cut(true);
    let undone = take_back(&mut left, UndoRequest::default());
    assert!(undone.waits_for_remote && undone.operation.is_some(), "it is in the log, to be redone");
    left.remote.cut(false);
    left.sync();
    right.sync();
    assert_eq!((left.drawing().as_str(), right.drawing().as_str()), ("a=1;d/b=1", ""));
    take_back(&mut left, redo());
    right.sync();
    assert_eq!(right.drawing(), "a=1;d/b=1");
}

#[test]
fn an_undo_that_waits_for_the_remote_and_is_redone_leaves_the_remote_alone() {
    let (mut left, mut right) = pair(&[("a", "1")]);
    right.write("a", "2");
    right.sync();
    right.remote.cut(true);
    take_back(&mut right, UndoRequest::default());
    take_back(&mut right, redo());
    right.remote.cut(false);
    assert!(right.sync().done.is_empty());
    left.sync();
    assert_eq!((left.drawing().as_str(), right.drawing().as_str()), ("a=2", "a=2"));
}

#[test]
fn a_pull_does_not_complete_an_undo_at_the_remote() {
    let (mut left, mut right) = pair(&[("a", "1")]);
    right.write("a", "2");
    right.sync();
    right.remote.cut(true);
    take_back(&mut right, UndoRequest::default());
    right.remote.cut(false);
    let pull = Request { direction: Direction::Pull, explicit: true, ..Request::default() };
    right.try_sync(pull).unwrap();
    left.sync();
    assert_eq!((left.drawing().as_str(), right.drawing().as_str()), ("a=2", "a=2"));
}

#[test]
fn an_undo_after_a_killed_sync_knows_what_that_one_sent() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    right.write("b", "2");
    right.sync();
    right.write("a", "2");
    right.remote.die_after_commit();
    assert!(right.try_sync(Request { explicit: true, ..Request::default() }).is_err());
    take_back(&mut right, UndoRequest::default());
    right.write("a", "3");
    assert_eq!(right.sync().conflicts.len(), 0, "nobody is in conflict with himself");
    left.sync();
    assert_eq!(left.drawing(), right.drawing());
    assert_eq!(left.drawing(), "a=3;b=2");
}

#[test]
fn an_undo_does_not_build_on_a_remote_that_was_put_back() {
    let place = instep_remote::memory::MemoryPlace::new();
    let mut left = Machine::new("left", &place);
    left.write("a", "1");
    left.sync();
    let first = instep_core::remote::Remote::head(&left.remote).unwrap();
    left.write("b", "1");
    left.sync();
    place.put_back(first.as_ref());
    let reach = Reach::open(&left.remote);
    let undone = undo(&mut left.workspace, Some(&reach), &left.settings, &UndoRequest::default(), &Silent);
    assert!(matches!(undone, Err(EngineError::Halted(_))), "{undone:?}");
    assert_eq!(instep_core::remote::Remote::head(&left.remote).unwrap(), first);
}

#[test]
fn a_remote_that_was_put_back_is_allowed_while_an_undo_waits_for_it() {
    let place = instep_remote::memory::MemoryPlace::new();
    let mut left = Machine::new("left", &place);
    left.write("a", "1");
    left.sync();
    let first = instep_core::remote::Remote::head(&left.remote).unwrap();
    left.write("b", "1");
    left.sync();
    left.remote.cut(true);
    assert!(take_back(&mut left, UndoRequest::default()).waits_for_remote);
    left.remote.cut(false);
    place.put_back(first.as_ref());
    let refused = left.try_sync(Request { explicit: true, ..Request::default() });
    assert!(matches!(refused, Err(EngineError::Halted(_))), "{refused:?}");
    left.try_sync(Request { explicit: true, allow_rewind: true, ..Request::default() }).unwrap();
    assert!(left.sync().conflicts.is_empty());
    assert!(left.drawing().starts_with("a=1"), "{}", left.drawing());
}

#[test]
fn what_an_allowed_rewind_left_alone_is_known_afterwards() {
    let place = instep_remote::memory::MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    ["a", "b", "c"].into_iter().for_each(|path| left.write(path, "1"));
    left.sync();
    let first = instep_core::remote::Remote::head(&left.remote).unwrap();
    left.write("d", "1");
    left.sync();
    place.put_back(first.as_ref());
    left.try_sync(Request { explicit: true, allow_rewind: true, ..Request::default() }).unwrap();
    left.remove("a");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "b=1;c=1;d=1");
}

#[test]
fn a_folder_that_took_the_place_of_another_gives_back_what_stood_in_that() {
    let (mut left, mut right) = pair(&[("g/x", "1")]);
    left.rename("g", "e");
    left.sync();
    right.write("e/c", "mine");
    right.sync();
    assert_eq!(right.drawing(), "e/c=mine;e/x=1");
    let undone = take_back(&mut right, UndoRequest::default());
    assert!(undone.left_alone.is_empty(), "{undone:?}");
    assert_eq!(right.drawing(), "e/c=mine;g/x=1");
}

#[test]
fn an_undo_goes_on_when_another_machine_was_faster() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    right.write("a", "2");
    right.sync();
    left.write("b", "2");
    right.remote.before_commit(move || drop(left.sync()));
    take_back(&mut right, UndoRequest::default());
    right.sync();
    assert_eq!(right.drawing(), "a=2;b=2");
}

#[test]
fn a_way_back_that_is_blocked_at_the_remote_leaves_one_thing_a_name_there() {
    let (mut left, mut right) = pair(&[("d/a", "first"), ("z", "1")]);
    left.rename("d", "b");
    left.write("d/x", "new");
    left.sync();
    right.sync();
    right.write("d/y", "of another");
    right.sync();
    // `d` can't go, as it holds `d/y` now; so `b` can't become `d` again.
    let undone = take_back(&mut left, UndoRequest::default());
    let left_alone: Vec<String> = undone.left_alone.iter().map(ToString::to_string).collect();
    assert_eq!(left_alone, ["b", "d"]);
    for _ in 0..2 {
        right.sync();
        left.sync();
    }
    assert_eq!(left.drawing(), right.drawing());
    assert!(left.drawing().contains("d/y=of another"), "{}", left.drawing());
}

#[test]
fn what_was_deleted_or_edited_since_the_last_sync_comes_back_as_the_sync_left_it() {
    let (mut left, _) = pair(&[("d/a", "1"), ("d/b", "1")]);
    left.write("d/a", "2");
    left.sync();
    left.remove("d");
    bring_back(&mut left, "d", Moment::Previous);
    assert_eq!(left.drawing(), "d/a=2;d/b=1");
    left.write("d/b", "edited");
    left.write("d/new", "new");
    bring_back(&mut left, "d", Moment::Previous);
    assert_eq!(left.drawing(), "d/a=2;d/b=1;d/new=new");
}

#[test]
fn a_restored_version_gives_way_to_the_one_that_it_replaced() {
    let (mut left, _) = pair(&[("a", "1")]);
    left.write("a", "2");
    left.sync();
    for then in ["1", "2", "1"] {
        bring_back(&mut left, "a", Moment::Previous);
        assert_eq!(left.drawing(), format!("a={then}"));
    }
}

/// As `cp -al` and package stores make them.
#[test]
fn a_replaced_version_stays_what_it_was_whatever_is_written_under_another_name_of_its_file() {
    let (mut left, mut right) = pair(&[("a", "1"), ("gone", "of the removed one")]);
    let outside = tempfile::tempdir().unwrap();
    for name in ["a", "gone"] {
        std::fs::hard_link(right.root.join(name), outside.path().join(name)).unwrap();
    }
    left.write("a", "2");
    left.remove("gone");
    left.sync();
    let notices = right.sync().notices;
    let told = "other names of a (hard links) still lead to what it held before";
    assert_eq!(notices, [told]);
    std::fs::write(outside.path().join("a"), "written to outside").unwrap();
    std::fs::write(outside.path().join("gone"), "too").unwrap();
    for content in ["1", "of the removed one"] {
        assert!(right.keeps(ContentId::of(content.as_bytes())), "{content}");
    }
    take_back(&mut right, UndoRequest::default());
    assert_eq!(right.drawing(), "a=1;gone=of the removed one");
}

#[test]
fn a_copy_that_is_kept_is_none_of_those_that_arrive() {
    let (mut left, mut right) = pair(&[("a/d", "the same")]);
    std::fs::hard_link(left.root.join("a/d"), left.root.parent().unwrap().join("another name")).unwrap();
    right.remove("a");
    right.write("a", "the same");
    right.write("e", "the same");
    right.sync();
    assert_eq!(left.sync().held, []);
    assert_eq!(left.drawing(), "a=the same;e=the same");
}

#[test]
fn a_version_of_which_the_kept_copy_is_damaged_is_read_from_the_remote() {
    let (mut left, mut right) = pair(&[("a", "1")]);
    left.write("a", "2");
    left.sync();
    right.sync();
    let one = ContentId::of(b"1");
    std::fs::write(right.root.join(".instep/history").join(one.to_string()), "?").unwrap();
    let mut bytes = Vec::new();
    assert!(!export::copy(&right.workspace, None, one, &mut bytes, &Silent).unwrap());
    assert!(export::copy(&right.workspace, Some(&right.remote), one, &mut bytes, &Silent).unwrap());
    assert_eq!(bytes, b"1");
}
