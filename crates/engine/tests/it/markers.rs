//! Conflicts shown in the folder, between markers or by a copy: what stands on the disk, what travels, and how they close.

use std::fs;

use instep_core::config::{Group, Style};
use instep_core::filter::Groups;
use instep_core::progress::Silent;
use instep_core::tree::Entry;
use instep_engine::conflict::marked;
use instep_engine::conflict::resolve::{self, Choice};
use instep_engine::cycle::outcome::Outcome;
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;
use instep_remote::memory::MemoryPlace;

use crate::world::Machine;

const BASE: &str = "one\ntwo\n-\n-\nthree\n";
const MARKED: &str =
    "one\n<<<<<<< left\nleft\n||||||| base\ntwo\n=======\nright\n>>>>>>> right\n-\n-\nthree\n";

/// Two machines, both of which changed the second line of each file; the right one was first.
fn contested(files: &[&str]) -> (Machine, Machine, MemoryPlace) {
    contested_as(Style::Markers, files)
}

fn contested_as(style: Style, files: &[&str]) -> (Machine, Machine, MemoryPlace) {
    let place = MemoryPlace::new();
    let group = Group { style, ..Group::of("documents", &["**"]) };
    let machines = ["left", "right"].map(|name| {
        let mut machine = Machine::new(name, &place);
        machine.settings.groups = Groups::new(std::slice::from_ref(&group)).unwrap();
        machine
    });
    let [mut left, mut right] = machines;
    files.iter().for_each(|path| left.write(path, BASE));
    left.sync();
    right.sync();
    for (machine, line) in [(&mut right, "right"), (&mut left, "left")] {
        files.iter().for_each(|path| machine.write(path, &BASE.replace("two", line)));
    }
    right.sync();
    left.sync();
    (left, right, place)
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.root.join(path)).unwrap()
}

fn version(line: &str) -> String {
    BASE.replace("two", line)
}

/// What the remote holds.
fn there(place: &MemoryPlace) -> String {
    let mut reader = Machine::new("reader", place);
    reader.sync();
    reader.drawing()
}

fn is_quiet(outcome: &Outcome) -> bool {
    outcome.done.is_empty() && outcome.operation.is_none() && outcome.notices.is_empty()
}

#[test]
fn the_other_version_is_shown_as_of_who_wrote_it_though_we_committed_since() {
    let (mut left, _right, _place) = contested_as(Style::None, &["a.md"]);
    left.write("b.md", "ours");
    left.sync();
    let group = Group { style: Style::Markers, ..Group::of("documents", &["**"]) };
    left.settings.groups = Groups::new(&[group]).unwrap();
    left.sync();
    assert_eq!(read(&left, "a.md"), MARKED);
}

#[test]
fn the_text_here_shows_both_and_nothing_of_it_leaves() {
    let (mut left, mut right, place) = contested(&["a.md"]);
    assert_eq!(read(&left, "a.md"), MARKED);
    for _ in 0..3 {
        let outcome = left.sync();
        assert_eq!((outcome.conflicts.len(), outcome.conflicts_new), (1, 0), "{outcome:?}");
        assert!(is_quiet(&outcome), "{outcome:?}");
        let conflict = &outcome.conflicts[0].conflict;
        let contents = resolve::contents(&left.workspace, &left.remote, conflict, &Silent).unwrap();
        assert_eq!(contents.local, Some(version("left").into_bytes()), "the versions are kept as they were");
        assert_eq!(contents.remote, Some(version("right").into_bytes()));
    }
    right.sync();
    assert_eq!(
        (read(&right, "a.md"), there(&place)),
        (version("right"), format!("a.md={}", version("right")))
    );
    // Half of it edited is not settled.
    left.write("a.md", &MARKED.replace("one", "ONE").replace("<<<<<<< left\n", ""));
    assert_eq!(left.sync().conflicts.len(), 1);
    assert_eq!(there(&place), format!("a.md={}", version("right")));
}

#[test]
fn the_conflict_closes_when_no_marker_is_left() {
    for (answer, sends) in [("both", 1), ("left", 1), ("right", 0), ("two", 1)] {
        let (mut left, mut right, place) = contested(&["a.md"]);
        left.write("a.md", &version(answer));
        let outcome = left.sync();
        assert_eq!((outcome.conflicts.len(), outcome.done.len()), (0, sends), "{answer}: {outcome:?}");
        assert_eq!(there(&place), format!("a.md={}", version(answer)));
        assert!(is_quiet(&left.sync()), "{answer}");
        right.sync();
        assert_eq!(read(&right, "a.md"), version(answer));
        assert!(marked::all(&left.workspace.state).unwrap().is_empty(), "{answer}");
    }
}

#[test]
fn what_came_meanwhile_is_merged_with_the_answer() {
    let (mut left, mut right, place) = contested(&["a.md"]);
    right.write("a.md", &version("right").replace("three", "3"));
    right.sync();
    left.write("a.md", &version("both"));
    assert_eq!(left.sync().conflicts.len(), 0);
    assert_eq!(there(&place), format!("a.md={}", version("both").replace("three", "3")));
    right.sync();
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn new_versions_are_shown_anew_unless_somebody_is_at_it() {
    let (mut left, mut right, _) = contested(&["a.md", "b.md"]);
    left.write("b.md", &MARKED.replace("one", "mine"));
    for path in ["a.md", "b.md"] {
        right.write(path, &version("right again"));
    }
    right.sync();
    left.sync();
    assert_eq!(read(&left, "a.md"), MARKED.replace("\nright\n", "\nright again\n"));
    assert_eq!(read(&left, "b.md"), MARKED.replace("one", "mine"));
    // What they agree on now comes to the one, and waits for the other.
    for path in ["a.md", "b.md"] {
        right.write(path, &version("left"));
    }
    right.sync();
    let outcome = left.sync();
    assert_eq!((outcome.conflicts.len(), read(&left, "a.md")), (0, version("left")), "{outcome:?}");
    assert_eq!(read(&left, "b.md"), MARKED.replace("one", "mine"), "{outcome:?}");
    left.write("b.md", &version("left"));
    left.sync();
    right.sync();
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn the_version_here_gets_its_place_back_when_the_other_gives_way() {
    let (mut left, mut right, place) = contested(&["a.md"]);
    right.write("a.md", BASE);
    right.sync();
    let outcome = left.sync();
    assert_eq!(outcome.conflicts.len(), 0, "{outcome:?}");
    assert_eq!((read(&left, "a.md"), there(&place)), (version("left"), format!("a.md={}", version("left"))));
    assert!(is_quiet(&left.sync()));
}

#[test]
fn a_resolution_takes_the_markers_out() {
    let cases = [
        (Choice::Here, version("left")),
        (Choice::There, version("right")),
        (Choice::Base, version("two")),
        (Choice::Content(b"x\n".to_vec()), "x\n".to_owned()),
    ];
    for (choice, expected) in cases {
        let (mut left, mut right, place) = contested(&["a.md"]);
        let settings = left.settings.clone();
        let choices = [(1, choice.clone())];
        let settled =
            resolve::resolve(&mut left.workspace, &left.remote, &settings, &choices, &Silent).unwrap();
        assert_eq!((settled.numbers.len(), read(&left, "a.md")), (1, expected.clone()), "{choice:?}");
        assert_eq!(left.sync().conflicts.len(), 0, "{choice:?}");
        assert_eq!(there(&place), format!("a.md={expected}"), "{choice:?}");
        right.sync();
        assert_eq!(read(&right, "a.md"), expected);
        let is_there = |name: &str| fs::read_dir(left.root.join(".instep").join(name)).unwrap().count() > 0;
        assert!(is_there("history"));
    }
}

#[test]
fn an_undo_takes_the_markers_out_and_leaves_the_conflict_open() {
    let (mut left, mut right, place) = contested(&["a.md"]);
    let settings = left.settings.clone();
    let reach = Reach::open(&left.remote);
    let undone =
        undo(&mut left.workspace, Some(&reach), &settings, &UndoRequest::default(), &Silent).unwrap();
    assert_eq!((undone.here.len(), undone.there.len(), read(&left, "a.md")), (1, 0, version("left")));
    let outcome = left.sync();
    assert_eq!((outcome.conflicts.len(), read(&left, "a.md")), (1, MARKED.to_owned()), "it was no answer");
    right.sync();
    assert_eq!(there(&place), format!("a.md={}", version("right")));
    // The undo of an answer brings back what stood here before, and the question.
    let choices = [(outcome.conflicts[0].number, Choice::There)];
    resolve::resolve(&mut left.workspace, &left.remote, &settings, &choices, &Silent).unwrap();
    let reach = Reach::open(&left.remote);
    undo(&mut left.workspace, Some(&reach), &settings, &UndoRequest::default(), &Silent).unwrap();
    assert_eq!(read(&left, "a.md"), version("left"));
    assert_eq!(left.sync().conflicts.len(), 1);
    assert_eq!(
        (read(&left, "a.md"), there(&place)),
        (MARKED.to_owned(), format!("a.md={}", version("right")))
    );
}

#[test]
fn an_undo_long_after_the_answer_brings_no_marker_back() {
    let (mut left, mut right, place) = contested(&["a.md"]);
    let settings = left.settings.clone();
    resolve::resolve(&mut left.workspace, &left.remote, &settings, &[(1, Choice::There)], &Silent).unwrap();
    left.sync();
    right.sync();
    let reach = Reach::open(&left.remote);
    undo(&mut left.workspace, Some(&reach), &settings, &UndoRequest::default(), &Silent).unwrap();
    left.sync();
    assert_eq!(there(&place), format!("a.md={}", version("left")));
}

#[test]
fn files_with_a_grammar_never_get_markers() {
    let files = ["a.json", "a.yaml", "a.toml", ".env", "a.lock", "a.csv"];
    let (left, ..) = contested(&files);
    for path in files {
        let is_text = path == "a.csv";
        assert_eq!(read(&left, path) == MARKED, is_text, "{path}");
        assert_eq!(read(&left, path) == version("left"), !is_text, "{path}");
    }
}

#[test]
fn a_text_with_markers_moves_as_any_file() {
    let (mut left, mut right, place) = contested(&["d/a.md"]);
    left.sync();
    left.rename("d/a.md", "f.md");
    assert_eq!(left.sync().conflicts.len(), 1);
    assert_eq!(read(&left, "f.md"), MARKED);
    left.write("f.md", &version("both"));
    assert_eq!(left.sync().conflicts.len(), 0);
    right.sync();
    assert_eq!((right.drawing(), there(&place)), (left.drawing(), left.drawing()));
}

#[test]
fn a_move_made_elsewhere_waits_for_the_answer() {
    let (mut left, mut right, place) = contested(&["d/a.md"]);
    right.rename("d/a.md", "e/a.md");
    right.sync();
    assert_eq!(left.sync().conflicts.len(), 1);
    assert_eq!(read(&left, "d/a.md"), MARKED);
    left.write("d/a.md", &version("both"));
    assert_eq!(left.sync().conflicts.len(), 0);
    assert_eq!(read(&left, "e/a.md"), version("both"));
    right.sync();
    assert_eq!((right.drawing(), there(&place)), (left.drawing(), left.drawing()));
}

#[test]
fn killed_before_the_end_of_the_cycle_the_text_is_no_answer() {
    // The markers were meant and written, or only meant, and the cycle came to no end.
    for (stands, written) in [(MARKED.to_owned(), true), (version("left"), false)] {
        let (mut left, mut right, place) = contested(&["a.md"]);
        let meant: Vec<marked::Marked> =
            marked::all(&left.workspace.state).unwrap().into_iter().map(|one| one.meant()).collect();
        left.workspace.state.transact(|write| marked::note(write, &meant)).unwrap();
        left.write("a.md", &stands);
        let outcome = left.sync();
        assert_eq!((outcome.conflicts.len(), read(&left, "a.md")), (1, MARKED.to_owned()), "{written}");
        right.sync();
        assert_eq!(there(&place), format!("a.md={}", version("right")), "{written}");
        left.write("a.md", &version("both"));
        assert_eq!(left.sync().conflicts.len(), 0, "{written}");
    }
}

#[test]
fn an_answer_given_elsewhere_arrives_over_the_markers() {
    use instep_engine::conflict::abroad;
    let (mut left, mut right, _) = contested(&["a.md"]);
    right.sync();
    let me = right.workspace.machine.clone();
    let open = abroad::list(&right.workspace.state, 1, &me).unwrap();
    let settings = right.settings.clone();
    let choice = Choice::Content(version("settled there").into_bytes());
    abroad::settle(&mut right.workspace, &right.remote, &settings, &open[0], &choice, &Silent).unwrap();
    right.sync();
    let outcome = left.sync();
    assert_eq!((outcome.conflicts.len(), read(&left, "a.md")), (0, version("settled there")), "{outcome:?}");
}

/// The name of the copy that stands in the folder.
fn copy(machine: &Machine) -> Option<String> {
    let entries = fs::read_dir(&machine.root).unwrap().map(|entry| entry.unwrap().file_name());
    entries.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("a.right-"))
}

#[test]
fn a_copy_shows_the_other_version_beside_and_nothing_of_it_leaves() {
    for file in ["a.md", "a.json"] {
        let (mut left, mut right, place) = contested_as(Style::Copy, &[file]);
        let name = copy(&left).unwrap();
        assert_eq!((read(&left, file), read(&left, &name)), (version("left"), version("right")));
        for _ in 0..2 {
            let outcome = left.sync();
            assert_eq!((outcome.conflicts.len(), outcome.conflicts_new), (1, 0));
            assert!(is_quiet(&outcome), "{outcome:?}");
        }
        left.write(&name, "notes of my own\n");
        left.sync();
        right.sync();
        assert_eq!((there(&place), right.drawing()), (format!("{file}={}", version("right")), there(&place)));
        // Once the conflict is over, what somebody wrote into it is a file like any other.
        let settings = left.settings.clone();
        resolve::resolve(&mut left.workspace, &left.remote, &settings, &[(1, Choice::Here)], &Silent)
            .unwrap();
        left.sync();
        left.sync();
        assert_eq!(there(&place), format!("{file}={};{name}=notes of my own\n", version("left")));
    }
}

#[test]
fn a_copy_that_is_gone_says_that_what_stands_here_is_the_answer() {
    let (mut left, mut right, place) = contested_as(Style::Copy, &["a.md"]);
    left.write("a.md", &version("both"));
    assert_eq!(left.sync().conflicts.len(), 1, "an edit alone is no answer");
    let name = copy(&left).unwrap();
    left.remove(&name);
    let outcome = left.sync();
    assert_eq!(
        (outcome.conflicts.len(), there(&place)),
        (0, format!("a.md={}", version("both"))),
        "{outcome:?}"
    );
    right.sync();
    assert_eq!(right.drawing(), left.drawing());
    assert!(is_quiet(&left.sync()) && marked::all(&left.workspace.state).unwrap().is_empty());
}

#[test]
fn a_copy_goes_with_its_conflict_and_is_kept() {
    type Ending = fn(&mut Machine, &mut Machine);
    let endings: [(&str, Ending); 3] = [
        ("the other gave way", |_, right| right.write("a.md", BASE)),
        ("the other has the same now", |_, right| right.write("a.md", &version("left"))),
        ("it was resolved", |left, _| {
            let settings = left.settings.clone();
            resolve::resolve(&mut left.workspace, &left.remote, &settings, &[(1, Choice::There)], &Silent)
                .unwrap();
        }),
    ];
    for (what, end) in endings {
        let (mut left, mut right, place) = contested_as(Style::Copy, &["a.md"]);
        end(&mut left, &mut right);
        right.sync();
        assert_eq!(left.sync().conflicts.len(), 0, "{what}");
        assert_eq!(copy(&left), None, "{what}");
        assert!(is_quiet(&left.sync()), "{what}");
        right.sync();
        assert_eq!((left.drawing(), right.drawing()), (there(&place), there(&place)), "{what}");
    }
}

#[test]
fn a_newer_version_takes_the_place_of_the_copy_and_an_undo_is_no_answer() {
    let (mut left, mut right, place) = contested_as(Style::Copy, &["a.md"]);
    let first = copy(&left).unwrap();
    right.write("a.md", &version("right again"));
    right.sync();
    left.sync();
    let second = copy(&left).unwrap();
    assert!(first != second && read(&left, &second) == version("right again"));
    let settings = left.settings.clone();
    let reach = Reach::open(&left.remote);
    undo(&mut left.workspace, Some(&reach), &settings, &UndoRequest::default(), &Silent).unwrap();
    let outcome = left.sync();
    assert_eq!(outcome.conflicts.len(), 1, "{outcome:?}");
    assert_eq!(there(&place), format!("a.md={}", version("right again")));
}

#[test]
fn whoever_asks_by_hand_sees_the_text_as_it_stands() {
    let (left, ..) = contested(&["a.md"]);
    let seen = instep_engine::history::act::scan(&left.workspace, &left.settings, &Silent).unwrap();
    let place = seen.tree.find(&instep_core::path::TreePath::new(b"a.md").unwrap()).unwrap();
    let Entry::Leaf(leaf) = seen.tree.at(place).entry else { panic!("a file") };
    assert_eq!(leaf.size, MARKED.len() as u64);
}
