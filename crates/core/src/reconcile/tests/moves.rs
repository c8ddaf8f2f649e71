//! Files and folders that keep their identity when they are renamed.

use super::{World, check, check_all, policy};
use crate::node::Side;
use crate::path::Name;
use crate::plan::{ChangeKind, NoteKind};
use crate::reconcile::value::{Idx, Val};
use crate::reconcile::world::climb;

const FOUR: &str = "x=foo;y=bar;c/b=quu;d/a=barr";

/// What one side did is one change on the other.
#[track_caller]
fn check_one_move(base: &str, remote: &str) {
    let mut world = World::new(base, policy("ask-user"));
    world.edit(Side::Remote, remote);
    let plan = world.cycle();
    let moves: Vec<ChangeKind> = plan.changes.local.iter().map(|change| change.kind()).collect();
    assert_eq!(
        moves.iter().filter(|kind| **kind == ChangeKind::Move).count(),
        1,
        "{:#?}",
        plan.changes.local
    );
    assert!(!moves.iter().any(|kind| matches!(kind, ChangeKind::Create | ChangeKind::Write)));
    assert_eq!(plan.changes.remote, vec![]);
    assert_eq!(plan.conflicts, vec![]);
}

#[test]
fn a_rename_is_one_change_without_bytes() {
    check_one_move("x=foo;d/a=barr", "y=foo;d/a=barr");
    check_one_move("y=foo;d/a=barr", "y=foo;e/a=barr");
    check_one_move("d/e/a=1;d/e/b=2;d/c=3", "f/e/a=1;f/e/b=2;f/c=3");
    check_one_move(FOUR, "c=foo;y=bar;d/a=barr");
    check_one_move(FOUR, "x=foo;c/b=quu;y/a=barr");
}

#[test]
fn a_move_over_something_displaces_it() {
    check_all(FOUR, "c=foo;y=bar;d/a=barr", "^", "= c=foo;d/a=barr;y=bar");
    check_all(FOUR, "x=foo;c/b=quu;y/a=barr", "^", "= c/b=quu;x=foo;y/a=barr");
    check_all(FOUR, "c=foo;y=bar;d/a=barr", "x=foo;y=bar;d/a=barr", "= c=foo;d/a=barr;y=bar");
}

#[test]
fn a_rename_here_and_an_edit_there_both_apply() {
    check_all(
        FOUR,
        "z=foo;y=bar;c/b=quu;d/a=barr",
        "x=fooz;y=bar;c/b=quu;d/a=barr",
        "= c/b=quu;d/a=barr;y=bar;z=fooz",
    );
    check_all("d/a=1;d/b=2", "e/a=1;e/b=2", "d/a=1+x;d/b=2", "= e/a=1+x;e/b=2");
    check_all("d/a=1;d/b=2", "e/a=1;e/b=2", "d/a=11;d/b=2", "= e/a=11;e/b=2");
    check_all("x=foo;d/a=barr", "x=foo;e/a=barr", "x=foo;d/b=barr", "= e/b=barr;x=foo");
}

#[test]
fn a_renamed_folder_takes_what_comes_and_goes_inside() {
    check_all("d/a=1;d/b=2;d/c=3", "e/a=1;e/b=2;e/c=3", "d/a=1;d/b=2;d/n=4", "= e/a=1;e/b=2;e/n=4");
}

#[test]
fn folders_moved_into_each_other() {
    for words in ["ask-user", "merge", "last-write-wins", "both", "keep-local"] {
        check("A/;D/", "D/A/", "A/D/", words, "= D/A/ settled conf(move D)");
        check("A/f=1;D/g=2", "D/A/f=1;D/g=2", "A/f=1;A/D/g=2", words, "= D/A/f=1;D/g=2 settled conf(move D)");
    }
    check("A/;D/", "D/A/", "A/D/", "keep-remote", "= A/D/ settled conf(move A)");
}

#[test]
fn one_thing_moved_to_two_places() {
    for words in ["ask-user", "merge", "last-write-wins", "both", "keep-local"] {
        check("f=1", "A/f=1", "B/f=1", words, "= A/f=1;B/ settled conf(move A/f)");
    }
    check("f=1", "A/f=1", "B/f=1", "keep-remote", "= A/;B/f=1 settled conf(move B/f)");
    check("A/;B/;C/", "B/A/;C/", "B/;C/A/", "ask-user", "= B/A/;C/ settled conf(move B/A)");
}

#[test]
fn a_new_folder_and_a_new_name_combine() {
    check_all("f=1;d/", "d/f=1", "g=1;d/", "= d/g=1");
    // The combined place is taken by a third: one of the two moves must do.
    check("f=1;d/", "d/f=1", "g=1;d/g=other", "ask-user", "= d/f=1;d/g=other settled conf(move d/f)");
}

#[test]
fn two_folders_of_one_name_are_joined() {
    check_all("c/b=1;d/a=2", "z/b=1;d/a=2", "c/b=1;z/a=2", "= z/a=2;z/b=1");
}

#[test]
fn a_name_that_is_taken() {
    let (local, remote) = ("z=foo", "x=foo;z=fooz");
    check("x=foo", local, remote, "ask-user", "L z=foo R x=foo;z=fooz conf(name z)");
    check("x=foo", local, remote, "keep-local", "= z=foo");
    check("x=foo", local, remote, "keep-remote", "= x=foo;z=fooz");
    let kept = "= z.here-#foo=foo;z=fooz";
    check("x=foo", local, remote, "both", kept);
    check(
        FOUR,
        "z=foo;y=bar;c/b=quu;d/a=barr",
        "x=foo;z=bar;c/b=quu;d/a=barr",
        "ask-user",
        "L c/b=quu;d/a=barr;y=bar;z=foo R c/b=quu;d/a=barr;x=foo;z=bar conf(name z)",
    );
    check(
        FOUR,
        "z=foo;y=bar;c/b=quu;d/a=barr",
        "x=foo;y=bar;z=fooz;c/b=quu;d/a=barr",
        "keep-local",
        "= c/b=quu;d/a=barr;y=bar;z=foo",
    );
}

#[test]
fn a_move_over_something_that_the_other_side_edited() {
    check("a=A;b=B", "a=A;b=X", "b=A", "ask-user", "L a=A;b=X R b=A conf(name b)");
    check("a=A;b=B", "a=A;b=X", "b=A", "both", "= b.here-#X=X;b=A");
}

#[test]
fn deleted_here_and_renamed_there() {
    check_all("d/a=1;d/b=2", "-", "e/a=1;e/b=2", "= e/a=1;e/b=2");
    check_all("f=1", "-", "g=1", "= g=1");
    let mut world = World::new("d/a=1;d/b=2", policy("ask-user"));
    world.edit(Side::Local, "-");
    world.edit(Side::Remote, "e/a=1;e/b=2");
    assert_eq!(world.cycle().notes[0].kind, NoteKind::MoveBeatsDelete);
}

#[test]
fn what_was_deleted_before_the_move_stays_deleted() {
    // Only what went together with the folder comes back with it.
    let mut world = World::new("d/a=1;d/b=2;d/c=3", policy("ask-user"));
    world.edit(Side::Local, "-");
    world.edit(Side::Remote, "e/a=1;e/b=2");
    world.cycle();
    assert_eq!(crate::generate::draw::draw(&world.disks.local, &["1", "2", "3"]), "e/a=1;e/b=2");
}

#[test]
fn rotations_and_swaps_are_moves() {
    let mut world = World::new("a=1;b=2;c=3", policy("ask-user"));
    world.edit(Side::Remote, "a=3;b=1;c=2");
    let plan = world.cycle();
    assert!(plan.changes.local.iter().all(|change| change.kind() == ChangeKind::Move));
    assert_eq!(plan.changes.local.len(), 3);
    check_all("a=1;b=2;c=3", "a=3;b=1;c=2", "a=1;b=22;c=3", "= a=3;b=1;c=22");
}

#[test]
fn weak_signs_are_no_moves() {
    // A tiny file at another name in another folder may be anything.
    check_all("d/a=1;d/b=2", "d/b=2;e/c=1", "d/a=5;d/b=2", "= d/a=5;d/b=2;e/c=1");
    // Two candidates are none.
    check_all("a=same", "b=same;c=same", "a=new", "= a=new;b=same;c=same");
}

#[test]
fn names_that_a_folding_disk_takes_for_one() {
    check("-", "HeLlO.txt=1", "hello.txt=1", "fold", "= HeLlO.txt=1");
    check("-", "HeLlO.txt=1", "hello.txt=2", "fold", "L HeLlO.txt=1 R hello.txt=2 conf(content HeLlO.txt)");
    check("-", "n\u{e9}/e=1", "ne\u{301}/e=1", "fold", "= ne\u{301}/e=1");
    check("-", "-", "a=1;A=2", "fold", "L - R A=2;a=1 conf(name A)");
    check("-", "-", "a=1;A=2", "ask-user", "= A=2;a=1");
    check("readme=1", "README=1", "^", "fold", "= README=1");
}

#[test]
fn a_missing_letter_case_is_a_rename() {
    check_all("file=1", "FILE=1", "^", "= FILE=1");
}

#[test]
fn a_side_is_not_sent_one_name_in_two_spellings() {
    // Another machine that folds would join them again, into the other one.
    let (base, local, remote) = ("a/x=1;e/d=4;f/g=5", "a/e/g=5;a/x=1;e/d=4", "A/d=4;A/e=6;f/g=5");
    let told = "L a/e/g=5;e/d=4 R A/d=4;A/e=6;f/g=5 conf(name a/e) waits(A) waits(a) waits(e)";
    check(base, local, remote, "fold", told);
}

#[test]
fn a_path_that_leads_in_a_circle_is_none() {
    let name = Name::new(b"n").unwrap();
    for (length, circle) in [(1, 1), (1, 2), (7, 1), (5, 9), (300, 400)] {
        let last = length + circle - 1;
        let up = |at: Idx| Val { parent: if at < last { at + 1 } else { length }, name: &name, leaf: None };
        let climbed = climb(1, |at| {
            assert!(at <= last);
            Some(up(at))
        });
        assert_eq!(climbed, None, "{length} {circle}");
    }
    let path = climb(3, |at| Some(Val { parent: at - 1, name: &name, leaf: None }));
    assert_eq!(path.map(|path| path.to_string()), Some("n/n/n".to_owned()));
}
