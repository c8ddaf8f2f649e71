//! One-way workspaces, gentle and as mirrors.

use super::{World, check, policy};
use crate::node::Side;
use crate::plan::ChangeKind;

#[test]
fn a_push_leaves_alone_what_only_the_remote_changed() {
    check("-", "-", "f=1", "push", "L - R f=1");
    check("f=1", "-", "f=2", "push", "L - R f=2");
    check("-", "f=1", "f=2", "push", "L f=1 R f=2 conf(content f)");
    check("f=1", "f=2", "f=3", "push", "L f=2 R f=3 conf(content f)");
    check("f=1", "^", "f=2", "push", "L f=1 R f=2 conf(content f)");
    check("f=1", "^", "-", "push", "= f=1");
    check("f=1", "f=2", "-", "push", "= f=2");
    check("f=1", "-", "^", "push", "= -");
    check("d/f=1", "-", "d/", "push", "= -");
    check("d/f=1", "-", "d/f=1;d/new=2", "push", "L - R d/new=2");
}

#[test]
fn a_pull_is_a_push_with_exchanged_sides() {
    check("-", "f=1", "-", "pull", "L f=1 R -");
    check("f=1", "f=2", "-", "pull", "L f=2 R -");
    check("f=1", "f=2", "^", "pull", "L f=2 R f=1 conf(content f)");
    check("f=1", "-", "^", "pull", "= f=1");
    check("f=1", "^", "f=2", "pull", "= f=2");
}

#[test]
fn a_mirror_knows_no_exception() {
    check("-", "-", "f=1", "push mirror", "= -");
    check("f=1", "^", "f=2", "push mirror", "= f=1");
    check("f=1", "^", "f=2", "pull mirror", "= f=2");
    check("a=1;d/b=2", "a=1;d/b=2", "x/y=3;d=4", "push mirror", "= a=1;d/b=2");
    check("-", "f=1", "f=2", "push mirror", "= f=1");
}

#[test]
fn a_mirror_undoes_a_move_as_a_move() {
    let mut world = World::new("d/a=1;d/b=2", policy("push mirror"));
    world.edit(Side::Remote, "e/a=1;e/b=2");
    let plan = world.cycle();
    assert_eq!(plan.changes.remote.len(), 1);
    assert_eq!(plan.changes.remote[0].kind(), ChangeKind::Move);
}

#[test]
fn a_mirror_keeps_what_takes_no_part() {
    check("d/f=1", "-", "d/f=1;d/u!", "push mirror", "L - R d/u! conf(held d)");
}

#[test]
fn what_may_not_change_this_time_waits_and_is_no_conflict() {
    // Only the side that may not be sent to is behind.
    check("f=1", "f=2", "^", "only-pull", "L f=2 R f=1");
    check("f=1", "-", "^", "only-pull", "L - R f=1");
    check("f=1", "f=1;new=2", "^", "only-pull", "L f=1;new=2 R f=1");
    check("f=1", "g=1", "^", "only-pull", "L g=1 R f=1");
    check("f=1", "^", "f=2", "only-push", "L f=1 R f=2");
    check("f=1", "^", "-", "only-push", "L f=1 R -");
    check("d/f=1", "d/f=1", "e/f=1", "only-push", "L d/f=1 R e/f=1");
    // What may come comes, beside what waits.
    check("f=1;g=1", "f=2;g=1", "f=1;g=3", "only-pull", "L f=2;g=3 R f=1;g=3");
    check("f=1;g=1", "f=2;g=1", "f=1;g=3", "only-push", "L f=2;g=1 R f=2;g=3");
    check("f=1", "f=1;d/x=2", "-", "only-pull", "L d/x=2 R -");
    // An edit is kept where the other side removed the file.
    check("f=1", "f=2", "-", "only-pull", "L f=2 R -");
    check("d/f=1", "-", "d/f=2", "only-pull", "= d/f=2");
}

#[test]
fn what_both_changed_is_decided_on_the_side_that_may_change() {
    check("f=1", "f=2", "f=3", "only-pull", "L f=2 R f=3 conf(content f)");
    check("f=1", "f=2", "f=3", "only-pull keep-remote", "= f=3");
    check("f=1", "f=2", "f=3", "only-pull keep-local", "L f=2 R f=3");
    check("f=1", "f=2", "f=3", "only-push keep-local", "= f=2");
    check("f=1", "f=2", "f=3", "only-push keep-remote", "L f=2 R f=3");
}

#[test]
fn a_merge_is_written_where_it_may_be_and_is_an_edit_there() {
    for (limit, side) in [("only-pull", Side::Local), ("only-push", Side::Remote)] {
        let mut world = World::new("f=1", policy(&format!("{limit} merge")));
        world.joined = Some("23");
        world.edit(Side::Local, "f=2");
        world.edit(Side::Remote, "f=3");
        let plan = world.cycle();
        assert!(plan.conflicts.is_empty(), "{limit}: {:?}", plan.conflicts);
        assert_eq!((plan.changes[side].len(), plan.changes[side.other()].len()), (1, 0), "{limit}");
        let plan = world.cycle();
        assert!(plan.is_quiet(), "{limit}");
        world.policy.limit = crate::policy::Direction::Both;
        let plan = world.cycle();
        assert_eq!((plan.changes[side].len(), plan.changes[side.other()].len()), (0, 1), "{limit}");
        assert!(plan.conflicts.is_empty() && world.cycle().is_quiet(), "{limit}");
    }
}
