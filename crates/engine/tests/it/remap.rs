//! Places of a machine: what says where a project lies travels by the name of the place, and becomes each machine's own.

use std::fs;

use instep_core::config::{FileKind, Group};
use instep_core::filter::Groups;
use instep_core::places::{Places, Spot};
use instep_core::progress::Silent;
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;
use instep_remote::memory::MemoryPlace;

use crate::world::Machine;

/// Says where the places of a machine are.
fn at(machine: &mut Machine, places: &[(&str, &str)]) {
    let keys = Group {
        kind: Some(FileKind::Settings),
        remap_paths: true,
        keep_local_keys: vec!["proxy".to_owned()],
        ..Group::of("settings", &["settings.json"])
    };
    let paths = Group { remap_paths: true, ..Group::of("sessions", &["s/**"]) };
    let spots = places.iter().map(|(name, folder)| Spot::new(name, folder).unwrap()).collect();
    machine.settings.groups = Groups::new(&[keys, paths]).unwrap().at(Places::new(spots, Vec::new()));
}

/// Two machines with a home each and a project elsewhere in it; what is given stands on the left one, and was synced.
fn pair(files: &[(&str, &str)]) -> (Machine, Machine, MemoryPlace) {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    at(&mut left, &[("home", "/home/ann"), ("app", "/home/ann/code/app")]);
    at(&mut right, &[("home", "/home/bob"), ("app", "/srv/app")]);
    files.iter().for_each(|(path, text)| left.write(path, text));
    left.sync();
    right.sync();
    (left, right, place)
}

/// What a machine that knows of no places gets.
fn travels(place: &MemoryPlace) -> String {
    let mut other = Machine::new("reader", place);
    other.sync();
    other.drawing()
}

fn quiet(machine: &mut Machine) {
    let outcome = machine.sync();
    assert!(outcome.done.is_empty() && outcome.operation.is_none() && outcome.held.is_empty(), "{outcome:?}");
}

#[test]
fn the_same_project_at_two_paths_is_one() {
    let (mut left, mut right, place) = pair(&[("s/-home-ann-code-app/1", "in /home/ann/code/app/x")]);
    assert_eq!(travels(&place), "s/-instep.app/1=in /instep.app/x");
    assert_eq!(right.drawing(), "s/-srv-app/1=in /srv/app/x");
    right.write("s/-srv-app/2", "/srv/app and /home/bob");
    right.sync();
    left.sync();
    let both = "s/-home-ann-code-app/1=in /home/ann/code/app/x;s/-home-ann-code-app/2=/home/ann/code/app and /home/ann";
    assert_eq!(left.drawing(), both);
    quiet(&mut left);
    quiet(&mut right);
}

#[test]
fn both_write_on_in_one_file_and_both_get_their_own_paths() {
    let (mut left, mut right, _) = pair(&[("s/log", "1 /home/ann\n2\n3\n4\n")]);
    left.write("s/log", "1 /home/ann\n2\n3\n4\n5 /home/ann/code/app\n");
    right.write("s/log", "0 /srv/app\n1 /home/bob\n2\n3\n4\n");
    right.sync();
    left.sync();
    right.sync();
    assert_eq!(left.drawing(), "s/log=0 /home/ann/code/app\n1 /home/ann\n2\n3\n4\n5 /home/ann/code/app\n");
    assert_eq!(right.drawing(), "s/log=0 /srv/app\n1 /home/bob\n2\n3\n4\n5 /srv/app\n");
    quiet(&mut left);
    quiet(&mut right);
}

#[test]
fn keys_that_stay_and_paths_go_together() {
    let (mut left, mut right, place) =
        pair(&[("settings.json", "{\"hook\": \"/home/ann/h\", \"proxy\": \"/home/ann/p\"}")]);
    assert_eq!(travels(&place), "settings.json={\"hook\": \"/instep.home/h\"}");
    right.write("settings.json", "{\"hook\": \"/home/bob/new\", \"proxy\": \"/home/bob/p\"}");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "settings.json={\"hook\": \"/home/ann/new\", \"proxy\": \"/home/ann/p\"}");
    assert_eq!(right.drawing(), "settings.json={\"hook\": \"/home/bob/new\", \"proxy\": \"/home/bob/p\"}");
    quiet(&mut left);
    quiet(&mut right);
}

#[test]
fn folders_that_move_are_deleted_and_come_back_keep_their_names_on_each_machine() {
    let (mut left, mut right, _) = pair(&[("s/-home-ann-code-app/1", "one"), ("s/-home-ann-x/2", "two")]);
    left.rename("s/-home-ann-x", "s/-home-ann-y");
    left.remove("s/-home-ann-code-app");
    left.sync();
    let outcome = right.sync();
    assert_eq!(right.drawing(), "s/-home-bob-y/2=two", "{:?}", outcome.held);
    let reach = Reach::open(&right.remote);
    undo(&mut right.workspace, Some(&reach), &right.settings, &UndoRequest::default(), &Silent).unwrap();
    assert_eq!(right.drawing(), "s/-home-bob-x/2=two;s/-srv-app/1=one");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "s/-home-ann-code-app/1=one;s/-home-ann-x/2=two");
}

#[test]
fn a_place_that_moves_on_one_machine_moves_nothing_elsewhere() {
    let (mut left, mut right, _) = pair(&[("s/-home-ann-code-app/1", "in /home/ann/code/app")]);
    at(&mut right, &[("home", "/home/bob"), ("app", "/new/app")]);
    let outcome = right.sync();
    assert!(outcome.done.is_empty(), "{:?}", outcome.done);
    // What a program keys by its path is found by the new one; what stands in files is history.
    assert_eq!(right.drawing(), "s/-new-app/1=in /srv/app");
    right.write("s/-new-app/1", "in /srv/app\nin /new/app");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "s/-home-ann-code-app/1=in /home/ann/code/app\nin /home/ann/code/app");
    quiet(&mut right);
}

#[test]
fn what_came_before_its_place_was_known_is_united_with_what_stood_there() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    at(&mut left, &[("app", "/home/ann/code/app")]);
    at(&mut right, &[("home", "/home/bob")]);
    left.write("s/-home-ann-code-app/1", "one");
    right.write("s/-home-bob-app/2", "two");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "s/-home-bob-app/2=two;s/-instep.app/1=one");
    at(&mut right, &[("home", "/home/bob"), ("app", "/home/bob/app")]);
    let outcome = right.sync();
    assert_eq!(right.drawing(), "s/-home-bob-app/1=one;s/-home-bob-app/2=two", "{:?}", outcome.notices);
    left.sync();
    assert_eq!(left.drawing(), "s/-home-ann-code-app/1=one;s/-home-ann-code-app/2=two");
    quiet(&mut left);
    quiet(&mut right);
}

#[test]
fn two_files_of_one_name_are_not_united_and_none_is_lost() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    at(&mut left, &[("app", "/home/ann/code/app")]);
    at(&mut right, &[("home", "/home/bob")]);
    left.write("s/-home-ann-code-app/1", "left");
    right.write("s/-home-bob-app/1", "right");
    left.sync();
    right.sync();
    at(&mut right, &[("home", "/home/bob"), ("app", "/home/bob/app")]);
    let outcome = right.sync();
    assert!(outcome.notices[0].contains("holds another 1"), "{:?}", outcome.notices);
    assert_eq!(right.drawing(), "s/-home-bob-app/1=right;s/-instep.app/1=left");
    left.sync();
    assert_eq!(left.drawing(), "s/-home-ann-code-app/1=left;s/-instep.home-app/1=right");
}

#[test]
fn a_name_that_means_something_else_here_is_held_and_told() {
    let place = MemoryPlace::new();
    let mut left = Machine::new("left", &place);
    left.write("s/-srv-app/1", "of one who knows no places");
    left.sync();
    let mut right = Machine::new("right", &place);
    at(&mut right, &[("app", "/srv/app")]);
    let outcome = right.sync();
    assert!(outcome.held.iter().any(|held| held.why.contains("means something else")), "{:?}", outcome.held);
    assert_eq!(fs::read_dir(&right.root).unwrap().count(), 2, "only our state, and the folder above");
    left.sync();
    assert_eq!(left.drawing(), "s/-srv-app/1=of one who knows no places");
}

#[test]
fn an_earlier_version_comes_back_with_the_paths_of_today() {
    let (mut left, mut right, _) = pair(&[("s/-home-ann-code-app/1", "in /home/ann/code/app")]);
    right.remove("s/-srv-app");
    let request = RestoreRequest {
        paths: vec![instep_core::path::TreePath::new(b"s/-instep.app").unwrap()],
        moment: Moment::Previous,
        to: None,
        dry_run: false,
    };
    let reach = [Reach::open(&right.remote)];
    restore(&mut right.workspace, &reach, &right.settings, &request, &Silent).unwrap();
    assert_eq!(right.drawing(), "s/-srv-app/1=in /srv/app");
    quiet(&mut left);
}
