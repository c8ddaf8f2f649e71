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
