//! Conflicts that travel: what one machine has to settle, another one settles.

use std::fs;

use instep_core::note::is_author;
use instep_core::policy::Strategy;
use instep_core::progress::Silent;
use instep_core::remote::Remote;
use instep_engine::conflict::abroad;
use instep_engine::conflict::resolve::{self, Choice};
use instep_engine::cycle::outcome::{OpenConflict, Outcome};
use instep_engine::cycle::request::Request;
use instep_engine::failure::EngineError;
use instep_engine::history::act::Acted;
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;
use instep_remote::memory::MemoryPlace;

use crate::world::Machine;

/// Left and third in step; right changed what left changed and sent first.
struct World {
    place: MemoryPlace,
    left: Machine,
    right: Machine,
    third: Machine,
}

fn world(base: Option<&str>, left: Option<&str>, right: Option<&str>) -> World {
    let place = MemoryPlace::new();
    let [mut here, mut there, mut third] = ["left", "right", "third"].map(|name| {
        let mut machine = Machine::new(name, &place);
        machine.settings.strategy = Strategy::AskUser;
        machine
    });
    here.write("other", "same");
    set(&here, base);
    here.sync();
    there.sync();
    third.sync();
    set(&here, left);
    set(&there, right);
    here.sync();
    there.sync();
    third.sync();
    World { place, left: here, right: there, third }
}

fn set(machine: &Machine, content: Option<&str>) {
    match content {
        Some(content) => machine.write("f", content),
        None => drop(fs::remove_file(machine.root.join("f"))),
    }
}

fn remote_id(machine: &Machine) -> i64 {
    machine.workspace.state.remote(&machine.remote.describe().address).unwrap().id
}

fn abroad_of(machine: &Machine) -> Vec<OpenConflict> {
    abroad::list(&machine.workspace.state, remote_id(machine), &machine.workspace.machine).unwrap()
}

fn names(machine: &Machine) -> Vec<String> {
    abroad_of(machine).iter().map(|one| format!("{} {}", one.short(), one.conflict.path)).collect()
}

fn try_settle(machine: &mut Machine, choice: &Choice) -> Result<Acted, EngineError> {
    let open = abroad_of(machine).remove(0);
    let Machine { workspace, remote, settings, .. } = machine;
    abroad::settle(workspace, remote, settings, &open, choice, &Silent)
}

fn settle(machine: &mut Machine, choice: &Choice) -> Acted {
    try_settle(machine, choice).unwrap()
}

fn open_here(outcome: &Outcome) -> usize {
    outcome.conflicts.len()
}

#[test]
fn a_conflict_is_seen_on_other_machines() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    assert_eq!(names(&world.third), ["right:c1 f"]);
    world.left.sync();
    assert_eq!(names(&world.left), ["right:c1 f"]);
    assert_eq!(names(&world.right), Vec::<String>::new());
    let seen = abroad_of(&world.third).remove(0);
    let third = &mut world.third;
    let contents = resolve::contents(&third.workspace, &third.remote, &seen.conflict, &Silent).unwrap();
    let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.unwrap()).unwrap();
    assert_eq!(text(contents.base), "0\n");
    assert_eq!(text(contents.local), "1\n", "what stands at the remote");
    assert_eq!(text(contents.remote), "2\n", "what stands on the other machine");
    assert_eq!((&*seen.machines.local, &*seen.machines.remote), ("third", "right"));
}

#[test]
fn a_third_machine_settles_it_for_all() {
    let merged = || Choice::Content(b"1 and 2\n".to_vec());
    for (choice, result) in [
        (Choice::Here, "f=1\n;other=same"),
        (Choice::There, "f=2\n;other=same"),
        (Choice::Base, "f=0\n;other=same"),
        (merged(), "f=1 and 2\n;other=same"),
    ] {
        let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
        settle(&mut world.third, &choice);
        assert_eq!(world.third.drawing(), result, "{choice:?}: here at once");
        assert_eq!(names(&world.third), Vec::<String>::new(), "{choice:?}: answered");
        world.third.sync();
        let outcome = world.right.sync();
        assert_eq!(open_here(&outcome), 0, "{choice:?}: it closes where it is");
        world.left.sync();
        for machine in [&world.left, &world.right, &world.third] {
            assert_eq!(machine.drawing(), result, "{choice:?}");
        }
        // What lost is kept where it was.
        let kept = world.right.workspace.state.kept(b"f").unwrap();
        assert!(kept.iter().any(|version| version.content == instep_core::content::ContentId::of(b"2\n")));
        world.third.sync();
        for machine in [&mut world.left, &mut world.right, &mut world.third] {
            assert_eq!(machine.sync().done, [], "{choice:?}: nothing is left to do");
            assert_eq!(names(machine), Vec::<String>::new());
        }
    }
}

#[test]
fn both_stand_side_by_side_under_the_name_of_the_machine() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    settle(&mut world.third, &Choice::Both);
    world.third.sync();
    assert_eq!(open_here(&world.right.sync()), 0);
    let drawing = world.right.drawing();
    assert!(drawing.starts_with("f=1\n;f.right-") && drawing.contains("=2\n;other"), "{drawing}");
    assert_eq!(drawing, world.third.drawing());
}

#[test]
fn a_deletion_is_a_version_too() {
    for (choice, result) in [(Choice::Here, "f=1\n;other=same"), (Choice::There, "other=same")] {
        let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
        let note = world.third.remote.notes(None).unwrap().unwrap().notes.remove(0);
        let mut told: serde_json::Value = serde_json::from_slice(&note.text).unwrap();
        told["conflicts"][0]["value"]["local"] = serde_json::Value::Null;
        world.place.forge_note(&note.author, told.to_string().as_bytes());
        world.third.sync();
        settle(&mut world.third, &choice);
        assert_eq!(world.third.drawing(), result, "{choice:?}");
        assert_eq!(names(&world.third), Vec::<String>::new());
    }
}

#[test]
fn the_one_that_caused_it_may_settle_it_too() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    world.left.sync();
    settle(&mut world.left, &Choice::Here);
    world.left.sync();
    let outcome = world.right.sync();
    assert_eq!(outcome.notices, ["c1 f was settled on left"]);
    assert_eq!(world.right.drawing(), "f=1\n;other=same");
    let log = instep_engine::history::log::log(&world.right.workspace.state, None, 1).unwrap();
    assert_eq!(log[0].message.as_deref(), Some("c1 f was settled on left"));
}

#[test]
fn an_edit_since_then_keeps_it_open() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    settle(&mut world.third, &Choice::Here);
    world.third.sync();
    world.right.write("f", "3\n");
    assert_eq!(open_here(&world.right.sync()), 1);
    assert_eq!(world.right.drawing(), "f=3\n;other=same");
    // The answer is over, and the conflict is told anew.
    world.third.sync();
    assert_eq!(names(&world.third).len(), 1);
}

#[test]
fn an_answer_that_the_remote_does_not_hold_any_more_is_not_believed() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    settle(&mut world.third, &Choice::Here);
    world.third.sync();
    world.left.write("f", "4\n");
    world.left.sync();
    assert_eq!(open_here(&world.right.sync()), 1);
    assert_eq!(world.right.drawing(), "f=2\n;other=same");
}

#[test]
fn what_is_not_the_version_in_conflict_is_not_settled() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    world.third.write("f", "mine\n");
    let error = try_settle(&mut world.third, &Choice::There).unwrap_err();
    assert!(error.to_string().contains("`instep sync` first"), "{error}");
    assert_eq!(world.third.drawing(), "f=mine\n;other=same");
}

#[test]
fn an_undo_takes_the_answer_back() {
    for choice in [Choice::Here, Choice::There] {
        let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
        settle(&mut world.third, &choice);
        let Machine { workspace, remote, settings, .. } = &mut world.third;
        let reach = Reach::open(remote);
        let request = UndoRequest::default();
        let undone = undo(workspace, Some(&reach), settings, &request, &Silent).unwrap();
        assert!(undone.operation.is_some(), "{choice:?}: it stands in the log, and is not taken back twice");
        assert_eq!(world.third.drawing(), "f=1\n;other=same", "{choice:?}");
        assert_eq!(names(&world.third), ["right:c1 f"], "{choice:?}");
        world.third.sync();
        assert_eq!(open_here(&world.right.sync()), 1, "{choice:?}");
    }
}

#[test]
fn a_conflict_settled_at_home_goes_from_the_others() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    let Machine { workspace, remote, settings, .. } = &mut world.right;
    resolve::resolve(workspace, remote, settings, &[(1, Choice::Here)], &Silent).unwrap();
    world.right.sync();
    world.third.sync();
    assert_eq!(names(&world.third), Vec::<String>::new());
    assert_eq!(world.third.drawing(), "f=2\n;other=same");
}

#[test]
fn notes_that_make_no_sense_are_left_out() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    let long = "x".repeat(3_000_000);
    let reserved = r#"{"version":1,"machine":"evil","conflicts":[{"id":"ID","number":1,"since":0,"here":"a","there":"b",
        "value":{"kind":"content","path":[46,103,105,116],"node":1,"nodes":[1],"base":null,"local":null,"remote":null,
        "why":"","waiting":[],"settled":false}}]}"#;
    let id = "0".repeat(64);
    for (number, text) in [
        "",
        "{",
        "[]",
        r#"{"version":2,"machine":"new","conflicts":[]}"#,
        r#"{"version":1,"machine":"m","conflicts":[{"id":"x","number":1,"since":0,"here":"","there":"","value":7}]}"#,
        &reserved.replace("ID", &id),
        &long,
        r#"{"version":1,"machine":"m","what":"later","answers":[{"machine":"","path":[],"version":null,"result":"no","operation":""}]}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let author = format!("forged{number}");
        assert!(is_author(&author));
        world.place.forge_note(&author, text.as_bytes());
    }
    world.place.forge_note("forged99", b"\xff\xfe");
    for machine in [&mut world.left, &mut world.right, &mut world.third] {
        machine.sync();
    }
    assert_eq!(names(&world.third), ["right:c1 f"]);
    assert_eq!(world.right.drawing(), "f=2\n;other=same");
}

#[test]
fn while_the_line_is_cut_it_is_told_later() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    settle(&mut world.third, &Choice::There);
    world.third.remote.cut(true);
    assert!(world.third.try_sync(Default::default()).is_err());
    assert_eq!(names(&world.third), Vec::<String>::new(), "it stays answered");
    world.third.remote.cut(false);
    world.third.sync();
    assert_eq!(open_here(&world.right.sync()), 0);
}

#[test]
fn a_result_that_comes_before_its_answer_is_believed_all_the_same() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    settle(&mut world.third, &Choice::Content(b"3\n".to_vec()));
    // The commit arrives, and nothing more is heard of third for a while.
    world.third.remote.die_after_commit();
    assert!(world.third.try_sync(Request::default()).is_err());
    let outcome = world.right.sync();
    assert_eq!((open_here(&outcome), world.right.drawing()), (1, "f=2\n;other=same".to_owned()));
    world.third.remote.forgive();
    world.third.sync();
    assert_eq!(open_here(&world.right.sync()), 0);
    assert_eq!(world.right.drawing(), "f=3\n;other=same");
}

#[test]
fn a_note_that_was_lost_is_laid_down_again() {
    let mut world = world(Some("0\n"), Some("1\n"), Some("2\n"));
    let note = world.third.remote.notes(None).unwrap().unwrap().notes.remove(0);
    world.place.forge_note(&note.author, b"");
    world.third.sync();
    assert_eq!(names(&world.third), Vec::<String>::new());
    world.right.sync();
    world.third.sync();
    assert_eq!(names(&world.third), ["right:c1 f"]);
}

#[test]
fn many_conflicts_are_told_as_far_as_they_fit() {
    let place = MemoryPlace::new();
    let [mut left, mut right] = ["left", "right"].map(|name| Machine::new(name, &place));
    let name = |number: usize| format!("{}/{number}", "a-long-name-of-a-folder".repeat(8));
    for (machine, text) in [(&mut left, "1\n"), (&mut right, "2\n")] {
        (0..1_200).for_each(|number| machine.write(&name(number), text));
        machine.sync();
    }
    assert_eq!(right.workspace.state.conflicts(remote_id(&right)).unwrap().len(), 1_200);
    left.sync();
    let told = abroad_of(&left).len();
    assert!((100..=1_000).contains(&told), "{told}");
}

/// A file on the left, a folder of its name on the right, who came second and has the conflict.
fn named() -> World {
    let mut world = world(None, None, None);
    world.left.write("f", "a file");
    world.right.write("f/x", "in a folder");
    world.left.sync();
    assert_eq!(open_here(&world.right.sync()), 1);
    world.third.sync();
    world
}

#[test]
fn a_conflict_of_names_is_settled_from_another_machine() {
    for (choice, end) in
        [(Choice::Here, "f=a file;other=same"), (Choice::There, "f/x=in a folder;other=same")]
    {
        let mut world = named();
        assert_eq!(abroad_of(&world.third)[0].conflict.path.to_string(), "f");
        let before = world.third.drawing();
        let acted = settle(&mut world.third, &choice);
        assert!(acted.held.is_empty() && abroad_of(&world.third).is_empty());
        assert_eq!(world.third.drawing(), before, "it is settled where it is");
        world.third.sync();
        let outcome = world.right.sync();
        assert_eq!(open_here(&outcome), 0, "{outcome:?}");
        assert!(outcome.notices.iter().any(|notice| notice.contains("was settled on third")), "{outcome:?}");
        world.left.sync();
        world.third.sync();
        world.right.sync();
        let drawn = [&world.left, &world.right, &world.third].map(Machine::drawing);
        assert_eq!(drawn, [end; 3], "{choice:?}");
    }
}

#[test]
fn both_of_two_names_stay_by_a_choice_made_elsewhere() {
    let mut world = named();
    settle(&mut world.third, &Choice::Both);
    world.third.sync();
    assert_eq!(open_here(&world.right.sync()), 0);
    world.left.sync();
    world.third.sync();
    let drawn = world.left.drawing();
    assert!(drawn.contains("=a file") && drawn.contains("/x=in a folder"), "{drawn}");
    assert_eq!([world.right.drawing(), world.third.drawing()], [drawn.clone(), drawn]);
}

#[test]
fn a_choice_of_a_conflict_that_is_another_by_now_is_not_believed() {
    let mut world = world(None, None, None);
    world.left.write("f/x", "in a folder");
    world.right.write("f", "a file");
    world.left.sync();
    world.right.sync();
    world.third.sync();
    settle(&mut world.third, &Choice::Here);
    world.right.write("f", "another file");
    world.right.sync();
    world.third.sync();
    let outcome = world.right.sync();
    assert_eq!(open_here(&outcome), 1, "{outcome:?}");
    assert_eq!(world.right.drawing(), "f=another file;other=same");
}

#[test]
fn an_undo_takes_a_choice_back_and_no_content_answers_a_conflict_of_names() {
    let mut world = named();
    let refused = try_settle(&mut world.third, &Choice::Content(b"x".to_vec()));
    assert!(matches!(refused, Err(EngineError::Refused(why)) if why.contains("`--keep here`")));
    settle(&mut world.third, &Choice::There);
    let Machine { workspace, remote, settings, .. } = &mut world.third;
    let reach = Reach::open(&*remote);
    undo(workspace, Some(&reach), &*settings, &UndoRequest::default(), &Silent).unwrap();
    assert_eq!(names(&world.third).len(), 1);
    world.third.sync();
    assert_eq!(open_here(&world.right.sync()), 1);
}
