//! Keys that stay on each machine: a file of settings, and what each machine has of it.

use std::fs;

use instep_core::config::{FileKind, Group};
use instep_core::filter::Groups;
use instep_core::progress::Silent;
use instep_engine::conflict::resolve::{self, Choice};
use instep_engine::cycle;
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;
use instep_remote::memory::MemoryPlace;

use crate::world::Machine;

fn groups() -> Groups {
    let keep_local_keys = ["proxy", "window.zoomLevel", "PORT"].map(str::to_owned).to_vec();
    let group = Group {
        kind: None,
        keep_local_keys,
        ..Group::of("settings", &["**/settings.*", ".env", "texts/**"])
    };
    Groups::new(&[group]).unwrap()
}

/// Two machines that keep keys of their own; the left one has begun.
fn pair(files: &[(&str, &str)]) -> (Machine, Machine, MemoryPlace) {
    let place = MemoryPlace::new();
    let machines = ["left", "right"].map(|name| {
        let mut machine = Machine::new(name, &place);
        machine.settings.groups = groups();
        machine
    });
    let [mut left, mut right] = machines;
    files.iter().for_each(|(path, text)| left.write(path, text));
    left.sync();
    right.sync();
    (left, right, place)
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.root.join(path)).unwrap()
}

/// What a machine that keeps nothing to itself gets.
fn travels(place: &MemoryPlace) -> String {
    let mut other = Machine::new("reader", place);
    other.sync();
    other.drawing()
}

const LEFT: &str = "{\n  \"a\": 1,\n  \"proxy\": \"left\"\n}\n";

#[test]
fn each_machine_keeps_its_own_and_the_rest_is_the_same() {
    let (mut left, mut right, place) = pair(&[("settings.json", LEFT), (".env", "A=1\nPORT=1\n")]);
    assert_eq!(travels(&place), ".env=A=1\n;settings.json={\n  \"a\": 1\n}\n");
    assert_eq!(right.drawing(), ".env=A=1\n;settings.json={\n  \"a\": 1\n}\n");
    right.write("settings.json", "{\n  \"a\": 2,\n  \"proxy\": \"right\"\n}\n");
    right.write(".env", "A=1\nPORT=2\nB=2\n");
    right.sync();
    left.sync();
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 2,\n  \"proxy\": \"left\"\n}\n");
    assert_eq!(read(&left, ".env"), "A=1\nB=2\nPORT=1\n");
    assert_eq!(read(&right, ".env"), "A=1\nPORT=2\nB=2\n");
    for machine in [&mut left, &mut right] {
        let outcome = machine.sync();
        assert!(outcome.done.is_empty() && outcome.operation.is_none(), "{outcome:?}");
    }
}

#[test]
fn it_works_for_every_kind_of_file_with_keys() {
    let cases = [
        ("toml", "a = 1\nproxy = 'left'\n", "a = 2\nproxy = 'right'\n[window]\ntitle = 't'\n"),
        ("yaml", "a: 1\nproxy: left\n", "a: 2\nproxy: right\nwindow:\n  title: t\n"),
        ("json", "{\"a\": 1, \"proxy\": \"left\"}\n", "{\"a\": 2, \"proxy\": \"right\", \"window\": {}}\n"),
    ];
    for (ending, mine, other) in cases {
        let file = format!("settings.{ending}");
        let (mut left, mut right, place) = pair(&[(&file, mine)]);
        right.write(&file, other);
        right.sync();
        left.sync();
        let (mine, there) = (read(&left, &file), travels(&place));
        assert!(mine.contains("left") && mine.contains('2') && mine.contains("window"), "{mine}");
        assert!(!there.contains("left") && !there.contains("right") && there.contains('2'), "{there}");
        assert_eq!(read(&right, &file), other);
        assert_eq!(left.sync().done.len() + right.sync().done.len(), 0);
    }
}

#[test]
fn a_change_of_what_stays_is_no_change() {
    let (mut left, mut right, _) = pair(&[("settings.json", LEFT)]);
    left.write("settings.json", &LEFT.replace("left", "another"));
    let outcome = left.sync();
    assert_eq!((outcome.done.len(), outcome.operation), (0, None));
    assert_eq!(right.sync().done.len(), 0);
    assert_eq!(read(&left, "settings.json"), LEFT.replace("left", "another"));
}

#[test]
fn both_edit_at_once_and_nobody_sees_the_others_keys() {
    let (mut left, mut right, _) = pair(&[("settings.json", LEFT)]);
    right.write("settings.json", "{\n  \"a\": 1,\n  \"proxy\": \"right\",\n  \"right\": 2\n}\n");
    right.sync();
    left.write("settings.json", "{\n  \"a\": 3,\n  \"proxy\": \"left\"\n}\n");
    left.sync();
    right.sync();
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 3,\n  \"proxy\": \"left\",\n  \"right\": 2\n}\n");
    assert_eq!(read(&right, "settings.json"), "{\n  \"a\": 3,\n  \"proxy\": \"right\",\n  \"right\": 2\n}\n");
}

#[test]
fn what_was_sent_before_the_rule_goes_from_the_remote_and_stays_here() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("settings.json", LEFT);
    left.sync();
    right.sync();
    assert_eq!(read(&right, "settings.json"), LEFT);
    for machine in [&mut left, &mut right] {
        machine.settings.groups = groups();
        machine.sync();
        assert_eq!(read(machine, "settings.json"), LEFT);
    }
    assert_eq!(travels(&place), "settings.json={\n  \"a\": 1\n}\n");
    // One that does not know the rule yet sends its own: it comes to nobody.
    right.settings.groups = Groups::default();
    right.write("settings.json", "{\n  \"a\": 9,\n  \"proxy\": \"right\"\n}\n");
    right.sync();
    left.sync();
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 9,\n  \"proxy\": \"left\"\n}\n");
    left.sync();
    assert_eq!(travels(&place), "settings.json={\n  \"a\": 9\n}\n");
}

#[test]
fn what_cant_be_told_apart_is_not_sent_and_says_why() {
    let (mut left, mut right, place) = pair(&[("x", "x")]);
    left.write("settings.json", "{ \"proxy\": \"secret\"");
    left.write("texts/t.txt", "proxy = secret\n");
    left.write(".env", "PORT=1\nsomething else\n");
    let outcome = left.sync();
    let held: Vec<String> =
        outcome.held.iter().map(|held| format!("{} {}: {}", held.path, held.code, held.why)).collect();
    let why = |path: &str, why: &str| {
        format!(
            "{path} E-KEYS-UNTOLD: some of its keys are to stay on this machine, and {why}: nothing of it is sent"
        )
    };
    let expected = [
        why(".env", "it is not valid dotenv"),
        why("settings.json", "it is not valid JSON"),
        why("texts/t.txt", "files of this kind have no keys that could be told apart"),
    ];
    assert_eq!(held, expected);
    assert_eq!(travels(&place), "texts/;x=x");
    left.write("settings.json", "{ \"proxy\": \"secret\" }\n");
    left.sync();
    right.sync();
    assert_eq!(read(&right, "settings.json"), "{ }\n");
}

#[test]
fn an_undo_brings_the_rest_back_without_asking_anybody() {
    let (mut left, mut right, _) = pair(&[("settings.json", LEFT)]);
    right.write("settings.json", "{\n  \"a\": 2\n}\n");
    right.sync();
    left.sync();
    left.write("settings.json", "{\n  \"a\": 2,\n  \"proxy\": \"another\"\n}\n");
    left.sync();
    let settings = left.settings.clone();
    let request = UndoRequest { here_only: true, ..UndoRequest::default() };
    let undone = undo(&mut left.workspace, None, &settings, &request, &Silent).unwrap();
    assert_eq!(undone.here.len(), 1, "{undone:?}");
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 1,\n  \"proxy\": \"another\"\n}\n");
}

#[test]
fn a_file_that_comes_back_has_the_keys_that_it_had_here() {
    let (mut left, mut right, _) = pair(&[("settings.json", LEFT), ("x", "x")]);
    right.remove("settings.json");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "x=x");
    right.write("settings.json", "{\n  \"a\": 5\n}\n");
    right.sync();
    left.sync();
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 5,\n  \"proxy\": \"left\"\n}\n");
    let request = RestoreRequest {
        paths: vec![instep_core::path::TreePath::new(b"settings.json").unwrap()],
        moment: Moment::Previous,
        to: None,
        dry_run: false,
    };
    let settings = left.settings.clone();
    left.write("settings.json", "{\n  \"a\": 6,\n  \"proxy\": \"new\"\n}\n");
    left.sync();
    let reach = Reach::open(&left.remote);
    restore(&mut left.workspace, std::slice::from_ref(&reach), &settings, &request, &Silent).unwrap();
    assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 5,\n  \"proxy\": \"new\"\n}\n");
}

#[test]
fn a_conflict_holds_what_travels_and_its_answer_keeps_what_stays() {
    let (mut left, mut right, _) = pair(&[(".env", "A=1\nPORT=1\n")]);
    right.write(".env", "A=2\nPORT=2\n");
    right.sync();
    left.write(".env", "A=3\nPORT=1\n");
    let outcome = left.sync();
    assert_eq!(outcome.conflicts.len(), 1);
    let settings = left.settings.clone();
    let conflict = outcome.conflicts[0].conflict.clone();
    let contents = resolve::contents(&left.workspace, &left.remote, &conflict, &Silent).unwrap();
    assert_eq!((contents.local.unwrap(), contents.remote.unwrap()), (b"A=3\n".to_vec(), b"A=2\n".to_vec()));
    let choice = Choice::Content(b"A=4\nPORT=9\n".to_vec());
    let number = outcome.conflicts[0].number;
    resolve::resolve(&mut left.workspace, &left.remote, &settings, &[(number, choice)], &Silent).unwrap();
    assert_eq!(read(&left, ".env"), "A=4\nPORT=1\n");
    assert_eq!(left.sync().conflicts.len(), 0);
    right.sync();
    assert_eq!(read(&right, ".env"), "A=4\nPORT=2\n");
}

#[test]
fn two_who_meet_for_the_first_time_agree_on_all_but_what_stays() {
    let place = MemoryPlace::new();
    for (theirs, conflicts) in [(LEFT.replace("left", "right"), 0), (LEFT.replace('1', "2"), 1)] {
        let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
        left.settings.groups = groups();
        right.settings.groups = groups();
        left.write("settings.json", LEFT);
        left.sync();
        right.write("settings.json", &theirs);
        assert_eq!(right.sync().conflicts.len(), conflicts);
        assert_eq!((read(&left, "settings.json"), read(&right, "settings.json")), (LEFT.to_owned(), theirs));
    }
}

#[test]
fn a_move_made_elsewhere_does_not_take_what_stays_out_of_its_group() {
    let (mut left, mut right, place) = pair(&[("d/settings.json", LEFT), ("x", "x")]);
    right.rename("d/settings.json", "plain.json");
    right.sync();
    let outcome = left.sync();
    assert_eq!(outcome.held.iter().map(|held| held.code).collect::<Vec<_>>(), ["E-KEYS-LEAVE"]);
    left.sync();
    assert_eq!(read(&left, "d/settings.json"), LEFT);
    assert!(!travels(&place).contains("left"), "{}", travels(&place));
    right.rename("plain.json", "e/settings.json");
    right.sync();
    left.sync();
    assert_eq!(read(&left, "e/settings.json"), LEFT, "to another place of the group it goes");
}

#[test]
fn after_a_kill_this_machine_has_its_keys() {
    use instep_core::content::ContentId;
    use instep_engine::journal::Entry;
    let (mut left, mut right, _) = pair(&[("settings.json", LEFT)]);
    right.write("settings.json", "{\n  \"a\": 2\n}\n");
    right.sync();
    // Killed after the exchange: the new version, with the keys, stands there, and the old one in the slot.
    let new = "{\n  \"a\": 2,\n  \"proxy\": \"left\"\n}\n";
    left.write("settings.json", new);
    left.write(".instep/staging/q-1-1", LEFT);
    let entry = Entry::Write {
        slot: "q-1-1".to_owned(),
        path: b"settings.json".to_vec(),
        old: ContentId::of(LEFT.as_bytes()).to_string(),
        new: Some(ContentId::of(new.as_bytes()).to_string()),
    };
    let text = serde_json::to_string(&entry).unwrap();
    left.workspace.state.transact(|write| write.journal("0000000000000001", 0, &[text])).unwrap();
    cycle::recover(&mut left.workspace).unwrap();
    let outcome = left.sync();
    assert_eq!((outcome.conflicts.len(), outcome.done.len()), (0, 0), "{outcome:?}");
    assert_eq!(read(&left, "settings.json"), new);
    let kept = left.root.join(".instep/history").join(ContentId::of(LEFT.as_bytes()).to_string());
    assert!(kept.exists());
}

#[test]
fn a_group_of_the_kind_dotenv_tells_files_of_any_name() {
    let (mut left, mut right, _) = pair(&[("x", "x")]);
    let keep_local_keys = vec!["PORT".to_owned()];
    let group =
        Group { kind: Some(FileKind::Dotenv), keep_local_keys, ..Group::of("keys", &["service.conf"]) };
    for machine in [&mut left, &mut right] {
        machine.settings.groups = Groups::new(std::slice::from_ref(&group)).unwrap();
    }
    left.write("service.conf", "A=1\nPORT=1\n");
    left.sync();
    right.sync();
    assert_eq!(read(&right, "service.conf"), "A=1\n");
}

#[test]
fn a_file_that_a_power_cut_emptied_gets_back_what_travelled_and_its_own_keys_where_they_are_kept() {
    for left_over in ["", "\0\0\0\0\0"] {
        let (mut left, mut right, place) =
            pair(&[("settings.json", LEFT), (".env", "A=1\nPORT=1\n"), ("g", "1")]);
        left.workspace.boot = Some("first".to_owned());
        // An older version of one of them is in the history.
        right.write("settings.json", "{\n  \"a\": 2\n}\n");
        right.sync();
        left.write("g", "2");
        left.sync();
        left.workspace.boot = Some("second".to_owned());
        for path in ["settings.json", ".env"] {
            left.write(path, left_over);
        }
        let outcome = left.sync();
        assert_eq!(outcome.notices.len(), 2, "{left_over:?}: {outcome:?}");
        assert!(outcome.held.is_empty(), "{outcome:?}");
        assert_eq!(read(&left, "settings.json"), "{\n  \"a\": 2,\n  \"proxy\": \"left\"\n}\n");
        assert_eq!(read(&left, ".env"), "A=1\n");
        assert_eq!(travels(&place), ".env=A=1\n;g=2;settings.json={\n  \"a\": 2\n}\n");
    }
}
