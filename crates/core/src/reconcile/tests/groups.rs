//! Groups with directions and standing answers of their own.

use super::{World, check, draw_both, policy};
use crate::node::Side;

#[test]
fn a_group_that_is_only_sent_is_never_changed_here() {
    let push = "out/**:push";
    check("-", "-", "out/f=1", push, "L out/ R out/f=1");
    check("out/f=1", "^", "out/f=2", push, "L out/f=1 R out/f=2 conf(content out/f)");
    check("out/f=1", "^", "out/", push, "= out/f=1");
    check("out/f=1", "out/", "^", push, "= out/");
    check("out/f=1;f=1", "out/f=2;f=1", "out/f=1;f=2", push, "= f=2;out/f=2");
}

#[test]
fn a_group_that_is_only_received_never_goes_out() {
    let pull = "in/**:pull";
    check("-", "in/f=1", "-", pull, "L in/f=1 R in/");
    check("in/f=1", "in/f=2", "^", pull, "L in/f=2 R in/f=1 conf(content in/f)");
    check("in/f=1", "in/", "^", pull, "= in/f=1");
    check("in/f=1;g=1", "in/f=1;g=2", "in/f=2;g=1", pull, "= g=2;in/f=2");
}

#[test]
fn the_last_group_that_names_a_path_says_its_way_and_none_means_the_workspaces() {
    check("-", "a/b/f=1;a/f=1;f=1", "-", "a/**:pull a/b/**:push", "L a/b/f=1;a/f=1;f=1 R a/;f=1");
    check("-", "a/f=1;f=1", "-", "pull a:push", "L a/f=1;f=1 R a/f=1");
    check("-", "a/f=1;f=1", "-", "push a:ask-user", "= a/f=1;f=1");
}

#[test]
fn what_leaves_or_enters_a_one_way_group_waits() {
    check("in/f=1", "in/;f=1", "^", "in/**:pull", "L f=1;in/ R in/f=1 conf(content f)");
    check("f=1;in/", "in/f=1", "^", "in/**:pull", "L in/f=1 R f=1;in/ conf(content in/f)");
}

#[test]
fn a_folder_does_not_take_along_what_goes_only_the_other_way() {
    let told = "L d/in/f=1;d/x=1 R e/in/f=1;e/x=1 conf(held d)";
    check("d/in/f=1;d/x=1", "^", "e/in/f=1;e/x=1", "d/in/**:push", told);
    let told = "L e/in/f=1;e/x=1 R d/in/f=1;d/x=1 conf(held e)";
    check("d/in/f=1;d/x=1", "e/in/f=1;e/x=1", "^", "d/in/**:pull", told);
}

#[test]
fn a_mirror_keeps_to_the_directions_of_groups() {
    check("-", "in/f=1", "in/f=2", "push mirror in/**:pull", "L in/f=1 R in/f=2");
    check("-", "f=1;in/f=1", "f=2;in/f=2", "push mirror in/**:pull", "L f=1;in/f=1 R f=1;in/f=2");
}

#[test]
fn each_group_has_its_own_answer() {
    let groups = "a/**:keep-local b/**:keep-remote";
    check(
        "a/f=1;b/f=1;f=1",
        "a/f=2;b/f=2;f=2",
        "a/f=3;b/f=3;f=3",
        groups,
        "L a/f=2;b/f=3;f=2 R a/f=2;b/f=3;f=3 conf(content f)",
    );
    check("a/f=1", "a/f=2", "a/f=3", "keep-local a/**:ask-user", "L a/f=2 R a/f=3 conf(content a/f)");
}

#[test]
fn what_goes_no_way_has_its_name_all_the_same() {
    let told = "L c/b=1;c/f=2 R c/B/;c/b=1;c/f=2 conf(name c/b)";
    check("c/b=1;c/f=1", "^", "c/B/;c/b=1;c/f=2", "fold only-pull b:push", told);
    check("c/b=1;c/f=1", "^", "c/B/;c/b=1;c/f=2", "fold pull c/b:push", told);
}

#[test]
fn what_left_a_folder_does_not_keep_it_from_going() {
    let mut world = World::new("a=1;b/g=2;h=1", policy("pull mirror a/f:push"));
    world.edit(Side::Local, "a?;b/f=3;b/g=2;h=1");
    world.edit(Side::Remote, "a/g=2;h=1");
    for _ in 0..2 {
        let plan = world.cycle();
        let told: Vec<String> = plan.conflicts.iter().map(|c| format!("{}: {}", c.path, c.why)).collect();
        assert_eq!(
            told,
            [
                "a: It can't be seen here, and it changed at the remote.",
                "b: Something that is not synced has this name here."
            ]
        );
    }
    assert_eq!(draw_both(&world, &["b=2;h=1"]), "L a?;b/g=2;h=1 R a/g=2;h=1");
}
