//! Cycles: what goes where, and what never gets lost on the way.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, UNIX_EPOCH};

use instep_core::clock::Timestamp;
use instep_core::conflict::ConflictKind;
use instep_core::node::PerSide;
use instep_core::path::TreePath;
use instep_engine::cycle::request::Request;
use instep_engine::failure::{Danger, EngineError};
use instep_remote::memory::MemoryPlace;

use crate::world::{Machine, pair};

#[test]
fn what_is_new_here_arrives_there() {
    let (left, right) = pair(&[("a", "1"), ("d/e/f", "2"), (".env", "KEY=1")]);
    assert_eq!(right.drawing(), ".env=KEY=1;a=1;d/e/f=2");
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn a_second_sync_has_nothing_to_do() {
    let (mut left, mut right) = pair(&[("a", "1"), ("d/e", "2")]);
    for machine in [&mut left, &mut right] {
        for _ in 0..3 {
            let outcome = machine.sync();
            assert!(outcome.done.is_empty(), "{:?}", outcome.done);
            assert_eq!(outcome.operation, None);
        }
    }
}

#[test]
fn what_the_remote_forgot_is_sent_again() {
    let place = MemoryPlace::new();
    let mut left = Machine::new("left", &place);
    for content in ["1", "2"] {
        left.write("a", content);
        left.sync();
    }
    place.drop_past_contents();
    left.write("a", "1");
    left.sync();
    let mut right = Machine::new("right", &place);
    right.sync();
    assert_eq!(right.drawing(), "a=1");
}

#[test]
fn edits_deletions_and_empty_folders_travel() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "2"), ("d/x", "3")]);
    left.write("a", "1 and more");
    left.remove("b");
    left.remove("d/x");
    fs::create_dir(left.root.join("e")).unwrap();
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "a=1 and more;d/;e/");
    right.remove("e");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "a=1 and more;d/");
}

#[test]
fn a_renamed_folder_takes_the_edits_inside_with_it_and_sends_no_content() {
    let (mut left, mut right) = pair(&[("d/a", "first"), ("d/b", "second"), ("d/sub/c", "third")]);
    left.rename("d", "e");
    let sent = left.sync();
    assert_eq!(sent.bytes.remote, 0);
    right.write("d/a", "first, edited");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "e/a=first, edited;e/b=second;e/sub/c=third");
    assert_eq!(right.drawing(), left.drawing());
}

#[test]
fn rotations_and_swaps_come_out_right() {
    let (mut left, mut right) =
        pair(&[("a", "first content"), ("b", "second content"), ("c", "third content")]);
    left.rename("a", "parked");
    left.rename("b", "a");
    left.rename("c", "b");
    left.rename("parked", "c");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "a=second content;b=third content;c=first content");
}

#[test]
fn edits_in_different_places_of_a_text_are_merged() {
    let text = "one\ntwo\nthree\nfour\nfive\nsix\n";
    let (mut left, mut right) = pair(&[("notes.md", text)]);
    left.write("notes.md", &text.replace("one", "ONE"));
    right.write("notes.md", &text.replace("six", "SIX"));
    left.sync();
    let outcome = right.sync();
    assert!(outcome.done.iter().any(|done| done.merged.is_some()));
    left.sync();
    assert_eq!(left.drawing(), "notes.md=ONE\ntwo\nthree\nfour\nfive\nSIX\n");
    assert_eq!(left.drawing(), right.drawing());
}

#[test]
fn edits_of_the_same_place_are_a_conflict_and_nothing_else_waits() {
    let (mut left, mut right) = pair(&[("f", "base\n"), ("g", "1")]);
    left.write("f", "left\n");
    left.write("g", "2");
    right.write("f", "right\n");
    left.sync();
    let outcome = right.sync();
    assert_eq!(outcome.conflicts.len(), 1);
    assert_eq!(outcome.conflicts[0].conflict.kind, ConflictKind::Content);
    assert_eq!(outcome.conflicts[0].short(), "c1");
    assert_eq!(right.drawing(), "f=right\n;g=2");
    assert_eq!(left.drawing(), "f=left\n;g=2");
    let again = right.sync();
    assert!(again.done.is_empty());
    assert_eq!(again.conflicts.len(), 1);
}

#[test]
fn too_many_deletions_halt_until_a_person_allows_them() {
    let names: Vec<String> = (0..300).map(|number| format!("big/{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let (mut left, mut right) = pair(&[&files[..], &[("keep", "1"), ("f", "2")]].concat());
    left.remove("big");
    let halted = left.try_sync(Request::default());
    assert!(matches!(halted, Err(EngineError::Halted(Danger::Deletions(_)))), "{halted:?}");
    left.try_sync(Request { allow_delete: true, ..Request::default() }).unwrap();
    // A person allowed it there: it is not asked about again here.
    right.sync();
    assert_eq!(right.drawing(), "f=2;keep=1");
}

#[test]
fn what_was_displaced_is_kept() {
    let (mut left, mut right) = pair(&[("a", "old"), ("b", "gone")]);
    left.write("a", "new");
    left.remove("b");
    left.sync();
    right.sync();
    let kept = right.workspace.state.kept(b"").unwrap();
    let paths: Vec<&[u8]> = kept.iter().map(|kept| kept.path.as_slice()).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    for version in kept {
        let name = right.root.join(".instep/history").join(version.content.to_string());
        assert!(name.exists());
    }
}

#[test]
fn two_folders_moved_into_each_other_end_as_a_tree_and_the_draft_ends() {
    let (mut left, mut right) = pair(&[("A/x", "in A"), ("D/y", "in D")]);
    left.rename("A", "D/A");
    right.rename("D", "A/D");
    left.sync();
    let outcome = right.sync();
    assert_eq!(outcome.conflicts.len(), 1);
    left.sync();
    right.sync();
    assert_eq!(left.drawing(), right.drawing());
    assert!(left.drawing().contains("in A") && left.drawing().contains("in D"));
}

#[test]
fn equal_files_in_the_same_conflict_in_two_folders_each_keep_a_record() {
    let (mut left, mut right) = pair(&[("a/f", "base\n"), ("b/f", "base\n")]);
    for (machine, content) in [(&left, "left\n"), (&right, "right\n")] {
        machine.write("a/f", content);
        machine.write("b/f", content);
    }
    left.sync();
    for _ in 0..2 {
        let outcome = right.sync();
        let shorts: Vec<String> = outcome.conflicts.iter().map(|conflict| conflict.short()).collect();
        assert_eq!(shorts, ["c1", "c2"]);
    }
}

#[test]
fn a_file_that_is_saved_while_it_is_sent_goes_as_it_is_then() {
    let (mut left, mut right) = pair(&[("a", "1")]);
    left.write("a", "first save");
    let file = left.root.join("a");
    left.remote.before_upload(move || fs::write(&file, "other save").unwrap());
    left.sync();
    assert!(left.sync().done.is_empty(), "what went is what was written down");
    right.sync();
    assert_eq!((left.drawing(), right.drawing()), ("a=other save".to_owned(), "a=other save".to_owned()));
}

#[test]
fn a_remote_that_moves_on_while_contents_are_staged_costs_only_a_new_plan() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    left.write("a", "2 from left");
    left.sync();
    right.write("b", "2 from right");
    left.write("c", "in the moment of the commit");
    let left = std::sync::Mutex::new(left);
    let left = std::sync::Arc::new(left);
    let other = std::sync::Arc::clone(&left);
    right.remote.before_commit(move || drop(other.lock().unwrap().sync()));
    right.sync();
    assert_eq!(right.drawing(), "a=2 from left;b=2 from right;c=in the moment of the commit");
    left.lock().unwrap().sync();
    assert_eq!(left.lock().unwrap().drawing(), right.drawing());
}

#[test]
fn a_merge_whose_base_nobody_has_is_a_conflict() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("a", "1\n2\n3\n4\n5\n");
    left.sync();
    right.sync();
    left.write("a", "1\n2\n3\n4\nfive\n");
    left.sync();
    right.write("a", "one\n2\n3\n4\n5\n");
    place.drop_past_contents();
    let outcome = right.sync();
    assert_eq!(outcome.conflicts.len(), 1, "{:?}", outcome.conflicts);
    assert_eq!(right.drawing(), "a=one\n2\n3\n4\n5\n");
}

#[test]
fn a_version_is_told_by_who_wrote_it_though_another_committed_since() {
    let place = MemoryPlace::new();
    let [mut one, mut two, mut three] = ["one", "two", "three"].map(|name| Machine::new(name, &place));
    for path in ["f", "g"] {
        one.write(path, "base");
    }
    one.sync();
    two.sync();
    three.sync();
    two.write("f", "of two");
    two.sync();
    three.write("g", "of three");
    three.sync();
    one.write("f", "of one");
    let outcome = one.sync();
    assert_eq!(outcome.conflicts[0].machines, PerSide { local: "one".to_owned(), remote: "two".to_owned() });
}

#[test]
fn a_version_that_came_while_nobody_could_look_is_of_who_wrote_it_and_as_old_as_it_was() {
    let (mut left, mut right) = pair(&[("f", "base"), ("g", "base")]);
    right.write("f", "of the right");
    right.sync();
    let written = fs::metadata(right.root.join("f")).unwrap().modified().unwrap();
    left.remove("f");
    let socket = UnixListener::bind(left.root.join("f")).unwrap();
    left.write("g", "another file");
    left.sync();
    drop(socket);
    left.remove("f");
    left.write("f", "of the left");
    let outcome = left.sync();
    let open = &outcome.conflicts[0];
    assert_eq!(open.machines, PerSide { local: "left".to_owned(), remote: "right".to_owned() });
    let since = written.duration_since(UNIX_EPOCH).unwrap();
    let modified = Timestamp::from_ns(since.as_nanos() as i64);
    assert_eq!(open.conflict.remote.as_ref().unwrap().modified, Some(modified));
}

#[test]
fn after_a_commit_that_was_taken_late_a_version_is_as_old_as_it_was_and_of_who_wrote_it() {
    let (mut left, mut right) = pair(&[("f", "base"), ("g", "base")]);
    let date = |machine: &Machine, path: &str, seconds: u64| {
        let file = fs::File::options().write(true).open(machine.root.join(path)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    right.write("f", "of the right");
    date(&right, "f", 1_000);
    right.sync();
    left.write("f", "of the left");
    date(&left, "f", 2_000);
    left.write("g", "another file");
    date(&left, "g", 3_000);
    // What the second one offers is another commit.
    left.remote.die_after_commit();
    for _ in 0..2 {
        left.try_sync(Request { explicit: true, ..Request::default() }).unwrap_err();
        left.write("h", "one more file");
        left.remote.die_before_commit();
    }
    left.remote.forgive();
    let outcome = left.sync();
    let open = &outcome.conflicts[0];
    assert_eq!(open.conflict.remote.as_ref().unwrap().modified, Some(Timestamp::from_seconds(1_000)));
    assert_eq!(open.machines.remote, "right");
}

#[test]
fn a_sync_of_some_paths_takes_along_what_stands_in_their_way() {
    let (mut left, mut right) = pair(&[("b", "a file"), ("r/a", "in a folder"), ("other", "1")]);
    left.remove("b");
    left.write("b/a", "now a folder");
    left.rename("r", "s");
    left.write("r", "now a file");
    left.write("other", "2");
    let paths = ["b/a", "r"].map(|path| TreePath::new(path.as_bytes()).unwrap()).to_vec();
    left.try_sync(Request { paths, explicit: true, ..Request::default() }).unwrap();
    right.sync();
    assert_eq!(right.drawing(), "b/a=now a folder;other=1;r=now a file;s/a=in a folder");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), left.drawing());
}
