//! A side with inodes: what they prove, and what they don't.

use super::{World, policy};
use crate::conflict::ConflictKind;
use crate::generate::disk::{Id, TOP, file};
use crate::generate::draw::draw;
use crate::node::{Body, Row, Side};
use crate::path::{Name, TreePath};
use crate::plan::{ChangeKind, Plan};
use crate::policy::{Fold, Strategy};
use crate::tree::Unknown;

const TEXTS: [&str; 6] = ["1", "2", "3", "4", "excluded", ""];

/// A world in which the local side has keys, with birth times or without.
fn world(base: &str, births: bool) -> World {
    let mut world = World::new(base, policy("ask-user"));
    world.disks.local.keyed = true;
    world.disks.local.births = births;
    assert!(world.cycle().is_quiet());
    world
}

fn at(world: &World, path: &str) -> Id {
    world.disks.local.find(&TreePath::new(path.as_bytes()).unwrap()).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn rename(world: &mut World, path: &str, new: &str) {
    let id = at(world, path);
    world.disks.local.change(id, |thing| thing.name = name(new));
}

fn exclude(world: &mut World, path: &str, excluded: bool) {
    let id = at(world, path);
    let unknown = excluded.then(|| Unknown::Excluded("rule".to_owned()));
    world.disks.local.change(id, |thing| thing.unknown = unknown);
}

fn kinds(plan: &Plan) -> Vec<ChangeKind> {
    plan.changes.remote.iter().map(|change| change.kind()).collect()
}

fn drawn(world: &World) -> [String; 2] {
    Side::BOTH.map(|side| draw(&world.disks[side], &TEXTS))
}

#[test]
fn a_renamed_folder_is_one_move_even_if_every_file_in_it_changed() {
    let mut world = world("d/a=1;d/b=2", true);
    rename(&mut world, "d", "e");
    for path in ["e/a", "e/b"] {
        let id = at(&world, path);
        world.disks.local.write(id, file("3"));
    }
    assert_eq!(kinds(&world.cycle()), [ChangeKind::Move, ChangeKind::Write, ChangeKind::Write]);
}

#[test]
fn a_safe_save_is_an_edit_and_a_new_backup() {
    for births in [true, false] {
        let mut world = world("f=1", births);
        rename(&mut world, "f", "f~");
        world.disks.local.create(TOP, name("f"), Some(file("2")));
        assert_eq!(kinds(&world.cycle()), [ChangeKind::Create, ChangeKind::Write]);
        assert_eq!(drawn(&world), ["f=2;f~=1", "f=2;f~=1"]);
    }
}

#[test]
fn two_files_that_changed_places_are_two_moves() {
    let mut world = world("a=1;b=2", true);
    rename(&mut world, "a", "c");
    rename(&mut world, "b", "a");
    rename(&mut world, "c", "b");
    assert_eq!(kinds(&world.cycle()), [ChangeKind::Move, ChangeKind::Move]);
}

#[test]
fn a_number_used_again_is_another_file() {
    for (births, content, wanted) in [
        (true, "1", vec![ChangeKind::Remove, ChangeKind::Create]),
        (false, "2", vec![ChangeKind::Create, ChangeKind::Remove]),
        (false, "1", vec![ChangeKind::Create, ChangeKind::Remove]),
    ] {
        let mut world = world("d/a=1;d/k=3", births);
        let old = at(&world, "d/a");
        let mut key = world.disks.local.key(old).unwrap();
        key.birth_ns = 0;
        world.disks.local.remove(old);
        let folder = world.disks.local.create(TOP, name("e"), None);
        let new = world.disks.local.create(folder, name("z"), Some(file(content)));
        world.disks.local.give_inode(new, key);
        let mut told = kinds(&world.cycle());
        // The new folder.
        let made = told.iter().position(|kind| *kind == ChangeKind::Create).unwrap();
        told.remove(made);
        told.sort();
        let mut wanted = wanted;
        wanted.sort();
        assert_eq!(told, wanted, "births {births}, content {content}");
    }
}

#[test]
fn a_second_hard_link_is_new() {
    let mut world = world("f=1", true);
    let old = at(&world, "f");
    let key = world.disks.local.key(old).unwrap();
    let new = world.disks.local.create(TOP, name("a"), Some(file("1")));
    world.disks.local.give_inode(new, key);
    let plan = world.cycle();
    assert_eq!(kinds(&plan), [ChangeKind::Create]);
    assert_eq!(plan.changes.remote[0].path().to_string(), "a");
}

#[test]
fn what_is_moved_out_of_sight_is_lost_and_found() {
    let mut world = world("d/f=1;g=2", true);
    rename(&mut world, "d", "e");
    exclude(&mut world, "e", true);
    let plan = world.cycle();
    assert!(plan.is_quiet() && plan.rows.is_empty() && plan.conflicts.is_empty(), "{plan:#?}");
    assert_eq!(drawn(&world)[1], "d/f=1;g=2");
    // It is edited there meanwhile: that waits.
    world.edit(Side::Remote, "d/f=3;g=2");
    let plan = world.cycle();
    assert_eq!(plan.conflicts[0].kind, ConflictKind::Problem);
    // Back in sight, the move and the edit both apply.
    exclude(&mut world, "e", false);
    assert_eq!(world.cycle().conflicts, vec![]);
    assert_eq!(drawn(&world), ["e/f=3;g=2", "e/f=3;g=2"]);
}

#[test]
fn a_safe_save_with_an_excluded_backup_is_an_edit() {
    let mut world = world("f=1", true);
    rename(&mut world, "f", "x");
    exclude(&mut world, "x", true);
    world.disks.local.create(TOP, name("f"), Some(file("2")));
    let plan = world.cycle();
    // Nobody knew the new inode at its home: it is the node, edited.
    assert_eq!(kinds(&plan), [ChangeKind::Write]);
    assert_eq!(drawn(&world)[1], "f=2");
}

#[test]
fn what_is_out_of_sight_is_remembered_in_the_folder_that_its_own_became_one_with() {
    let mut world = World::new("f=1;n/b=3", policy("ask-user push"));
    (world.disks.remote.keyed, world.disks.remote.births) = (true, true);
    world.cycle();
    let find = |world: &World, path: &str| {
        world.disks.remote.find(&TreePath::new(path.as_bytes()).unwrap()).unwrap()
    };
    // There the file is moved into a new folder, and what is a folder here changed.
    let (moved, other, parent) = (find(&world, "f"), find(&world, "n/b"), find(&world, "n"));
    let folder = world.disks.remote.create(parent, name("d"), None);
    world.disks.remote.change(moved, |thing| thing.parent = folder);
    world.disks.remote.write(other, file("4"));
    world.edit(Side::Local, "f=2;n/b/");
    world.cycle();
    // Now that folder has its name there, nobody can look at the file, and here it is deleted.
    world.disks.remote.remove(other);
    world.disks.remote.change(folder, |thing| thing.name = name("b"));
    world.disks.remote.change(moved, |thing| thing.unknown = Some(Unknown::Unreadable("denied".to_owned())));
    world.edit(Side::Local, "n/b/");
    world.cycle();
    let rows = world.known.rows();
    let last_seen: Vec<_> = rows.iter().filter_map(|row| row.views.side(Side::Remote)).collect();
    let [file, _, united] = last_seen[..] else { panic!("{rows:#?}") };
    assert_eq!([&file.name, &united.name], [&name("f"), &name("b")]);
    assert_eq!(file.parent, rows[2].id, "{rows:#?}");
}

#[test]
fn a_conflict_over_what_is_out_of_sight_stays_the_same_though_its_folder_was_made_anew() {
    let mut world = world("d/f=1", true);
    let (file, old) = (at(&world, "d/f"), at(&world, "d"));
    world.disks.local.change(file, |thing| thing.parent = TOP);
    world.disks.local.remove(old);
    let new = world.disks.local.create(TOP, name("d"), None);
    world.disks.local.change(file, |thing| thing.parent = new);
    exclude(&mut world, "d/f", true);
    world.edit(Side::Remote, "-");
    let ids = |plan: &Plan| plan.conflicts.iter().map(|conflict| conflict.id).collect::<Vec<_>>();
    let told = ids(&world.cycle());
    assert_eq!(told.len(), 2);
    assert_eq!(ids(&world.plan()), told);
}

#[test]
fn a_choice_counts_at_once_where_another_one_brought_its_conflict_to_light() {
    let mut asked = policy("ask-user");
    asked.fold.remote = Fold { case: true, unicode: true };
    let mut world = World::new("a/f=1;e=2", asked);
    (world.disks.local.keyed, world.disks.local.births) = (true, true);
    world.cycle();
    // Two files of one name for the other side, in a folder that is a file there, beside something excluded.
    rename(&mut world, "a/f", "b");
    let (moved, folder) = (at(&world, "e"), at(&world, "a"));
    world.disks.local.change(moved, |thing| (thing.parent, thing.name) = (folder, name("B")));
    world.disks.local.create(folder, name("u"), Some(file("excluded")));
    exclude(&mut world, "a/u", true);
    world.edit(Side::Remote, "a=3;e=2");
    assert_eq!(world.cycle().conflicts.len(), 2);
    let choice = |row: &Row| {
        let is_folder = row.views.side(Side::Local).is_none_or(|value| value.body == Body::Folder);
        (row.id, if is_folder { Strategy::KeepLocal } else { Strategy::KeepRemote })
    };
    world.policy.chosen = world.known.rows().iter().map(choice).collect();
    assert_eq!(world.cycle().conflicts, vec![]);
    assert_eq!(drawn(&world), ["a/u!;e=2", "a/;e=2"]);
}

#[test]
fn numbers_of_a_disk_without_births_say_nothing_of_moves() {
    // Mounted anew, each folder has the number that the other one had.
    let mut world = world("a/readme=1;a/x=2;b/readme=3;b/y=4", false);
    let (one, other) = (at(&world, "a"), at(&world, "b"));
    let keys = [one, other].map(|id| world.disks.local.key(id).unwrap());
    world.disks.local.give_inode(one, keys[1]);
    world.disks.local.give_inode(other, keys[0]);
    let plan = world.cycle();
    assert!(plan.is_quiet(), "{plan:?}");
}
