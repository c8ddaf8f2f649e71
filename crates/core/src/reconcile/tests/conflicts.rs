//! Both sides changed it, and what each strategy makes of that.

use super::{World, check, copy_of, draw_both, policy};
use crate::conflict::ConflictKind;
use crate::content::ContentId;
use crate::generate::draw::draw;
use crate::node::Side;
use crate::plan::{ChangeKind, NoteKind};
use crate::policy::{Direction, Strategy};

#[test]
fn different_contents() {
    for words in ["ask-user", "merge"] {
        check("f=1", "f=2", "f=3", words, "L f=2 R f=3 conf(content f)");
        check("-", "f=1", "f=2", words, "L f=1 R f=2 conf(content f)");
        check("-", "d/f=1", "d/f=2", words, "L d/f=1 R d/f=2 conf(content d/f)");
        check("s->base", "s->one", "s->two", words, "L s->one R s->two conf(content s)");
        check("-", "f3=old", "f3=new", words, "L f3=old R f3=new conf(content f3)");
    }
    check("f=1", "f=2", "f=3", "keep-local", "= f=2");
    check("f=1", "f=2", "f=3", "keep-remote", "= f=3");
    check("-", "f=2", "f=3", "keep-remote", "= f=3");
}

#[test]
fn both_keeps_both() {
    check("t=hello", "t=hello1", "t=hello2", "both", "= t.here-#hello1=hello1;t=hello2");
    check(
        "-",
        "file1=goodbye;file3=g",
        "file1=hello;file2=h",
        "both",
        "= file1.here-#goodbye=goodbye;file1=hello;file2=h;file3=g",
    );
    check("foo=1", "foo=2", "foo->bar", "both", "= foo->bar;foo.here-#2=2");
    check("foo=1", "foo->bar", "foo=2", "both", "= foo->bar;foo.there-#2=2");
    // Both machines did so already: nothing is made twice.
    let copy = copy_of("c", "here", "2");
    check("c=1", &format!("c=2;{copy}=2"), &format!("c=3;{copy}=2"), "both", "= c.here-#2=2;c=3");
}

#[test]
fn a_taken_copy_name_gets_a_number() {
    let copy = copy_of("c", "here", "2");
    check("c=1", &format!("c=2;{copy}=9"), "c=3", "both", "= c.here-#2-2=2;c.here-#2=9;c=3");
    check(
        "c=1",
        &format!("c=2;{copy}!"),
        "c=3",
        "both",
        "L c.here-#2!;c.here-#2-2=2;c=3 R c.here-#2-2=2;c=3",
    );
}

#[test]
fn a_merged_bit_and_a_kept_content_stand_together() {
    check("f=1", "f=2+x", "f=3", "keep-remote", "= f=3+x");
    check("f=1", "f=1+x", "f=2", "ask-user", "= f=2+x");
    check("-", "f=1+x", "f=1", "ask-user", "= f=1+x");
}

#[test]
fn a_file_and_a_folder_want_one_name() {
    check("-", "x=1", "x/y=1", "ask-user", "L x=1 R x/y=1 conf(name x) waits(x/y)");
    // What waits on its way to another place is named by both.
    let both = "L x/g=1 R g=1;x=2 conf(name x) waits(g) waits(x/g)";
    check("g=1", "x/g=1", "g=1;x=2", "ask-user", both);
    check("-", "x=1", "x/y=1", "both", "= x.here-#1=1;x/y=1");
    check("-", "x=1", "x/y=1", "keep-remote", "= x/y=1");
    check("-", "x=1", "x/y=1", "keep-local", "= x=1");
}

#[test]
fn the_later_one_wins_only_over_a_common_base() {
    for later in Side::BOTH {
        let mut world = World::new("f=1", policy("last-write-wins"));
        world.edit(Side::Local, "f=2");
        world.edit(Side::Remote, "f=3");
        let id = world.disks[later].all().next().unwrap().0;
        world.disks[later].change(id, |thing| thing.modified += 1000);
        let plan = world.cycle();
        let texts = ["1", "2", "3"];
        let wanted = if later == Side::Local { "f=2" } else { "f=3" };
        assert_eq!(Side::BOTH.map(|side| draw(&world.disks[side], &texts)), [wanted, wanted]);
        assert_eq!(plan.notes[0].kind, NoteKind::Decided { loser: later.other() });
    }
    // A tie holds, and so does what both created.
    check("f=1", "f=2", "f=3", "last-write-wins", "L f=2 R f=3 conf(content f)");
    let mut world = World::new("-", policy("last-write-wins"));
    world.edit(Side::Local, "f=2");
    world.edit(Side::Remote, "g=1;f=3");
    assert_eq!(world.cycle().conflicts[0].kind, ConflictKind::Content);
}

#[test]
fn a_conflict_tells_each_side_what_it_holds_itself() {
    let mut world = World::new("f=1", policy("ask-user"));
    world.edit(Side::Local, "f=2");
    world.edit(Side::Remote, "f=3");
    let conflict = world.cycle().conflicts[0].clone();
    let told = [&conflict.base, &conflict.local, &conflict.remote]
        .map(|version| version.as_ref().unwrap().leaf.unwrap().content);
    assert_eq!(told, ["1", "2", "3"].map(|text| ContentId::of(text.as_bytes())));
}

#[test]
fn a_known_conflict_is_told_again_until_it_is_settled() {
    let both = format!("{}=2;f=3", copy_of("f", "here", "2"));
    for (choice, wanted) in
        [(Strategy::KeepLocal, "f=2"), (Strategy::KeepRemote, "f=3"), (Strategy::Both, &*both)]
    {
        let mut world = World::new("f=1", policy("ask-user"));
        world.edit(Side::Local, "f=2");
        world.edit(Side::Remote, "f=3");
        let first = world.cycle();
        let again = world.cycle();
        assert!(again.is_quiet() && again.rows.is_empty());
        assert_eq!(first.conflicts, again.conflicts);
        let nodes = first.conflicts[0].nodes.clone();
        world.policy.chosen = nodes.into_iter().map(|node| (node, choice)).collect();
        assert_eq!(world.cycle().conflicts, vec![]);
        assert_eq!(Side::BOTH.map(|side| draw(&world.disks[side], &["1", "2", "3"])), [wanted, wanted]);
    }
}

#[test]
fn a_person_settles_what_no_strategy_can() {
    // Deleted here, something excluded inside there: the folder comes back, or stays in conflict.
    let mut world = World::new("d/f=1", policy("ask-user"));
    world.edit(Side::Local, "-");
    world.edit(Side::Remote, "d/u!");
    let nodes = world.cycle().conflicts[0].nodes.clone();
    world.policy.chosen = nodes.into_iter().map(|node| (node, Strategy::KeepRemote)).collect();
    assert_eq!(world.cycle().conflicts, vec![]);
    assert_eq!(draw(&world.disks.local, &[]), "d/");
    assert_eq!(draw(&world.disks.remote, &[]), "d/u!");
}

#[test]
fn a_conflict_id_is_the_same_on_both_machines_and_while_folders_move() {
    let mut world = World::new("d/f=1;d/g=5", policy("ask-user"));
    world.edit(Side::Local, "d/f=2;d/g=5");
    world.edit(Side::Remote, "d/f=3;d/g=5");
    let here = world.cycle().conflicts[0].clone();
    world.edit(Side::Local, "e/f=2;e/g=5");
    let moved = world.cycle().conflicts[0].clone();
    assert_eq!((here.id, moved.path.to_string()), (moved.id, "e/f".to_owned()));
    let mut other = World::new("d/f=1;d/g=5", policy("ask-user"));
    other.edit(Side::Local, "d/f=3;d/g=5");
    other.edit(Side::Remote, "d/f=2;d/g=5");
    assert_eq!(other.cycle().conflicts[0].id, here.id);
}

#[test]
fn a_resolution_here_and_one_there_agree() {
    check("ee=base", "ee=aaa", "ee=aaa", "ask-user", "= ee=aaa");
}

#[test]
fn a_choice_counts_in_a_one_way_workspace() {
    let mut world = World::new("f=1", policy("push"));
    world.edit(Side::Local, "f=2");
    world.edit(Side::Remote, "f=3");
    let nodes = world.cycle().conflicts[0].nodes.clone();
    world.policy.chosen = nodes.into_iter().map(|node| (node, Strategy::KeepLocal)).collect();
    assert_eq!(world.policy.direction, Direction::Push);
    let plan = world.cycle();
    assert_eq!(plan.changes.remote[0].kind(), ChangeKind::Write);
    assert_eq!(draw(&world.disks.remote, &["2"]), "f=2");
}

#[test]
fn a_name_that_folders_brought_together_is_asked_about_where_the_loser_has_no_way_back() {
    let sides = "L a/g=7;c/c=quu;c/g=1 R A/g=1;a/g=7;c=quu";
    for words in ["fold ask-user", "fold keep-local", "fold keep-remote"] {
        let told = super::outcome("a/g=7;c/c=quu;c/g=1", "^", "a/g=7;A/g=1;c=quu", words);
        assert_eq!(told, format!("{sides} conf(name a/g) waits(A) waits(c) waits(c/c)"), "{words}");
    }
}

/// Whoever folds names shows one folder for two. If one can't be taken into the other as a whole, two such machines that
/// hold the one and the other took from one another what could be moved, without end.
#[test]
fn of_two_folders_that_one_side_takes_for_one_all_moves_or_nothing() {
    check("-", "-", "A/g=1;a/z=3", "fold ask-user", "= A/g=1;A/z=3");
    check(
        "-",
        "-",
        "A/g=1;A/y=4;a/g=2;a/z=3",
        "fold ask-user",
        "L A/y=4 R A/g=1;A/y=4;a/g=2;a/z=3 conf(name A/g) waits(a) waits(a/z)",
    );
    check(
        "a/g=2;a/z=3",
        "^",
        "A/g=1;A/y=4;a/g=2;a/z=3",
        "fold ask-user",
        "L a/g=2;a/z=3 R A/g=1;A/y=4;a/g=2;a/z=3 conf(name a/g) waits(A) waits(A/y)",
    );
}

/// Two folders become one; each side has a new folder in its own, where the other one's edit of a known file stands.
#[test]
fn what_both_sides_made_anew_is_one_before_an_older_claimant_is_heard() {
    let (one, other) = ("m/a/;m/x=9;q/y=8", "m/a/;m/y=8;p/a=2;p/x=9");
    let base = "p/a=1;p/x=9;q/y=8";
    check(base, one, other, "keep-local", "= m/a/;m/x=9;m/y=8");
    check(base, other, one, "keep-remote", "= m/a/;m/x=9;m/y=8");
}

/// A file returns to a folder that became one with another, and something else in that folder is held.
#[test]
fn what_waits_for_a_conflict_is_told_there_and_not_as_a_circle() {
    let (one, other) = ("m/x=2;m/z=1;q/k=7;q/z=3", "m/c=2;m/k=7;p/c=6;p/z=1");
    let base = "p/z=1;q/k=7;q/x=2";
    let waits = "waits(m) waits(m/c) waits(m/x) waits(p) waits(q)";
    let (here, there) = ("m/c=6;m/x=2;m/z=1;q/k=7;q/z=3", "m/c=2;m/k=7;p/c=6;p/z=1");
    check(base, one, other, "ask-user", &format!("L {here} R {there} conf(name m/z) {waits}"));
    check(base, other, one, "ask-user", &format!("L {there} R {here} conf(name p/z) {waits}"));
}

/// A folder took the name of a new one, and in both is another `f`: until that is settled the new one's other files
/// stay in it. Moved to the old folder at the remote, a machine that has the new one would move them back, without end.
#[test]
fn what_is_handed_over_stays_where_it_is_while_a_name_in_it_is_contested() {
    let (one, other) = ("b/f/x=2;b/k=1", "b/a=3;b/f=4;g/f/x=2;g/k=1");
    let waits = "waits(b) waits(b/a) waits(g)";
    check("g/f/x=2;g/k=1", one, other, "ask-user", &format!("L {one} R {other} conf(name b/f) {waits}"));
    check("g/f/x=2;g/k=1", other, one, "ask-user", &format!("L {other} R {one} conf(name g/f) {waits}"));
}

/// Nothing but the folders' own places can make room for what was chosen: they stay two.
#[test]
fn a_choice_of_a_name_in_folders_that_would_become_one_is_taken_with_the_folders() {
    let (one, other) = ("b/f/x=2;b/k=1", "b/a=3;b/f=4;g/f/x=2;g/k=1");
    for (side, choice) in [(Side::Local, Strategy::KeepRemote), (Side::Remote, Strategy::KeepLocal)] {
        let mut world = World::new("g/f/x=2;g/k=1", policy("ask-user"));
        world.edit(side, one);
        world.edit(side.other(), other);
        let conflict = world.cycle().conflicts[0].clone();
        let bodies =
            [&conflict.local, &conflict.remote].map(|version| version.as_ref().unwrap().leaf.is_some());
        assert_eq!(bodies, [side == Side::Remote, side == Side::Local], "a folder and a file want the name");
        world.policy.chosen = conflict.nodes.iter().map(|&node| (node, choice)).collect();
        assert_eq!(world.cycle().conflicts, vec![]);
        assert_eq!(draw_both(&world, &[one, other]), format!("= {other}"));
    }
}

/// A new folder in the one that is taken in becomes one with a new folder of the other side.
#[test]
fn what_is_handed_over_stays_if_its_folder_does_also_where_it_became_one_with_another() {
    let [p, q] = ["p", "q"].map(|letter| letter.repeat(64));
    let (one, other) = (format!("A/k/;A/x={p};a/x/q={q}"), format!("a/A/k/;a/A/x/p={p};a/x={q}"));
    let base = format!("a/A/k/;a/A/x={p};a/x={q}");
    check(&base, &one, &other, "only-push,fold-there", &format!("L {one} R {other}"));
    check(&base, &other, &one, "only-pull,fold", &format!("L {other} R {one}"));
}

/// One was seen in the cycle before, its equal is new; where names fold they become one, and the removal of one waits.
#[test]
fn of_two_equals_that_become_one_the_same_one_waits_in_the_next_cycle() {
    let mut world = World::new("d=1", policy("only-pull,fold"));
    world.edit(Side::Local, "d=2");
    world.edit(Side::Remote, "d/a=5");
    world.cycle();
    world.edit(Side::Remote, "d/A=5;d/a=5");
    world.cycle();
    assert_eq!(draw_both(&world, &["d=2", "d/a=5"]), "L d=2 R d/A=5;d/a=5");
}
