//! What is excluded or can't be read is never touched, and what depends on it waits.

use super::{World, check, check_all, policy};
use crate::conflict::ConflictKind;
use crate::node::Side;

#[test]
fn an_excluded_entry_stays_on_its_side() {
    check_all("-", "d/u!", "-", "L d/u! R d/");
    check_all("d/", "d/u!", "^", "L d/u! R d/");
    check_all("-", "d/p?", "-", "L d/p? R d/");
    check_all("-", "x!", "x=1", "L x! R x=1 conf(held x)");
    check_all("-", "x=1", "x!", "L x=1 R x! conf(held x)");
}

#[test]
fn what_becomes_excluded_is_not_deleted() {
    check_all("f=1", "^", "f!", "L f=1 R f!");
    check_all("d/f=1", "d!", "^", "L d! R d/f=1");
    check_all("a=1;b.log=1", "a=1;b.log!", "a=1;b.log!", "= a=1;b.log!");
    check_all("f=1", "f?", "^", "L f? R f=1");
}

#[test]
fn what_can_not_be_seen_here_waits_for_what_changed_there() {
    check_all("d/f=1", "d!", "d/f=2", "L d! R d/f=2 conf(problem d/f)");
    check_all("d/f=1", "d?", "d/f=1;d/g=2", "L d? R d/f=1;d/g=2 conf(problem d) waits(d/g)");
    check_all("f=1", "f!", "-", "L f! R - conf(problem f)");
}

#[test]
fn what_can_not_be_seen_has_no_version_in_a_conflict() {
    let mut world = World::new("f=1", policy("ask-user"));
    world.edit(Side::Local, "f?");
    world.edit(Side::Remote, "f=2");
    let conflict = world.cycle().conflicts.remove(0);
    let told = [&conflict.base, &conflict.local, &conflict.remote].map(Option::is_some);
    assert_eq!((conflict.kind, told), (ConflictKind::Problem, [true, false, true]));
}

#[test]
fn a_deletion_stops_where_something_excluded_stands() {
    check_all("d/f=1", "-", "d/u!", "L - R d/u! conf(held d)");
    check_all("d/f=1", "-", "d/f=1;d/u!", "L - R d/u! conf(held d)");
    check_all("d/e/f=1", "-", "d/e/u!", "L - R d/e/u! conf(held d/e) waits(d)");
}

#[test]
fn a_switched_type_waits_for_something_excluded() {
    check("d/f=1", "d=2", "d/u!", "ask-user", "L d=2 R d/u! conf(held d) waits(d)");
    check("d/f=1", "d/u!", "d=2", "ask-user", "L d/u! R d=2 conf(held d) waits(d)");
}

#[test]
fn an_excluded_entry_travels_with_its_folder() {
    check_all("D/f=x", "D/f=x;D/P!", "D2/f=x", "L D2/P!;D2/f=x R D2/f=x");
}

#[test]
fn folders_join_into_the_one_where_something_excluded_stands() {
    check("c/b=1;d/a=2", "z/b=1;z/u!;d/a=2", "c/b=1;z/a=2", "ask-user", "L z/a=2;z/b=1;z/u! R z/a=2;z/b=1");
    check("c/b=1;d/a=2", "z/b=1;d/a=2", "c/b=1;z/a=2;z/u!", "ask-user", "L z/a=2;z/b=1 R z/a=2;z/b=1;z/u!");
    check(
        "c/b=1;d/a=2",
        "z/b=1;z/v!;d/a=2",
        "c/b=1;z/a=2;z/u!",
        "ask-user",
        "L d/a=2;z/b=1;z/v! R c/b=1;z/a=2;z/u! conf(name z)",
    );
}
