//! Commits that people make with plain git.

use instep_core::clock::Timestamp;
use instep_core::remote::Remote;
use instep_testkit::remote_suite::{Sketch, Thing, draft_of, path, publish, read};

use super::lab::Lab;

/// A work tree of the place, in which a person works.
fn clone(lab: &Lab) {
    lab.git(["clone", "-q", "place.git", "work"]);
}

fn commit_all(lab: &Lab, message: &str) {
    lab.git(["-C", "work", "add", "-A"]);
    lab.git(["-C", "work", "commit", "-q", "-m", message]);
    lab.git(["-C", "work", "push", "-q", "origin", "HEAD:refs/heads/main"]);
}

#[test]
fn a_persons_commit_arrives_and_does_not_speak_of_folders() {
    let lab = Lab::by_path();
    let remote = lab.open();
    let sketch = Sketch::new().file("a", "1").file("d/b", "2").folder("empty");
    let first = publish(&remote, None, &sketch);
    clone(&lab);
    assert_eq!(lab.git(["-C", "work", "status", "--porcelain"]), "", "a clone shows our tree as clean");
    std::fs::write(lab.folder.path().join("work/a"), "changed").unwrap();
    std::fs::remove_file(lab.folder.path().join("work/d/b")).unwrap();
    commit_all(&lab, "By hand\n\nWords.");
    let head = remote.head().unwrap().unwrap();
    let snapshot = remote.snapshot(&head, Some(&first)).unwrap();
    assert!(!snapshot.stamp.speaks_of_folders);
    assert_eq!(snapshot.stamp.machine, None);
    assert_eq!((snapshot.stamp.author.as_str(), snapshot.stamp.message.as_str()), ("Ann", "By hand"));
    assert_eq!(read(&remote, &head), Sketch::new().file("a", "changed"));
    assert!(!remote.snapshot(&head, None).unwrap().stamp.speaks_of_folders);
}

#[test]
fn one_foreign_commit_between_ours_takes_the_word_away() {
    let lab = Lab::by_path();
    let remote = lab.open();
    let first = publish(&remote, None, &Sketch::new().file("a", "1"));
    clone(&lab);
    std::fs::write(lab.folder.path().join("work/b"), "2").unwrap();
    commit_all(&lab, "By hand");
    let second = remote.head().unwrap().unwrap();
    remote.snapshot(&second, Some(&first)).unwrap();
    let third = publish(&remote, Some(&second), &Sketch::new().file("a", "3").file("b", "2"));
    let machine = lab.open();
    assert!(!machine.snapshot(&third, Some(&first)).unwrap().stamp.speaks_of_folders);
    assert!(machine.snapshot(&third, Some(&second)).unwrap().stamp.speaks_of_folders);
    assert!(machine.snapshot(&third, None).unwrap().stamp.speaks_of_folders);
}

#[test]
fn a_merge_by_hand_is_read() {
    let lab = Lab::by_path();
    let remote = lab.open();
    let first = publish(&remote, None, &Sketch::new().file("a", "1"));
    clone(&lab);
    for (branch, file) in [("one", "x"), ("two", "y")] {
        lab.git(["-C", "work", "checkout", "-q", "-b", branch, "origin/main"]);
        std::fs::write(lab.folder.path().join("work").join(file), file).unwrap();
        lab.git(["-C", "work", "add", "-A"]);
        lab.git(["-C", "work", "commit", "-q", "-m", branch]);
    }
    lab.git(["-C", "work", "merge", "-q", "-m", "Merged", "one"]);
    lab.git(["-C", "work", "push", "-q", "origin", "HEAD:refs/heads/main"]);
    let head = remote.head().unwrap().unwrap();
    let snapshot = remote.snapshot(&head, Some(&first)).unwrap();
    assert!(!snapshot.stamp.speaks_of_folders);
    assert!(snapshot.times.contains_key(&path("x")) && snapshot.times.contains_key(&path("y")));
    assert_eq!(read(&remote, &head), Sketch::new().file("a", "1").file("x", "x").file("y", "y"));
}

#[test]
fn dates_beyond_reason_are_data() {
    let lab = Lab::by_path();
    let tree = lab.git_place(["mktree"], b"");
    let mut parent = String::new();
    for date in ["99999999999 +0000", "1 +9999", "9223372036854775807 +0000"] {
        let commit = format!("tree {tree}\n{parent}author A <a@x> {date}\ncommitter A <a@x> {date}\n\nx\n");
        let options = ["hash-object", "-t", "commit", "-w", "--stdin", "--literally"];
        let oid = lab.git_place(options, commit.as_bytes());
        parent = format!("parent {oid}\n");
        lab.git_place(["update-ref", "refs/heads/main", &oid], b"");
        let remote = lab.open();
        let head = remote.head().unwrap().unwrap();
        remote.snapshot(&head, None).unwrap();
        assert_eq!(remote.history(1).unwrap().len(), 1, "{date}");
    }
}

#[test]
fn the_author_is_the_person_and_the_date_the_newest_change() {
    let lab = Lab::by_path();
    lab.set("user.name", "Bob");
    lab.set("user.email", "bob@example");
    let remote = lab.open();
    let mut expected = None;
    for (seconds, shown) in [(1_700_000_000, 1_700_000_000_i64), (-5, 0), (4_000_000_000, 1_800_000_000)] {
        let mut draft = draft_of(&remote, &Sketch::new().file("a", format!("{seconds}")));
        draft.time = Timestamp::from_seconds(seconds);
        let prepared = remote.prepare(expected.as_ref(), &draft).unwrap();
        remote.commit(expected.as_ref(), &prepared).unwrap();
        let told = lab.git_place(["log", "-1", "--format=%an <%ae> %at %ct", "main"], b"");
        assert_eq!(told, format!("Bob <bob@example> {shown} 1800000000"));
        expected = Some(prepared);
    }
}

#[test]
fn without_a_name_the_machine_is_the_author() {
    let lab = Lab::by_path();
    publish(&lab.open(), None, &Sketch::new().file("a", "1"));
    assert_eq!(lab.git_place(["log", "-1", "--format=%an <%ae>", "main"], b""), "laptop <laptop@instep>");
}

#[test]
fn attributes_and_filters_of_the_repository_change_nothing() {
    let lab = Lab::by_path();
    lab.set("core.autocrlf", "true");
    lab.set("filter.shout.clean", "tr a-z A-Z");
    let text = "* text eol=crlf filter=shout ident\n*.x export-ignore\n";
    let sketch =
        Sketch::new().file(".gitattributes", text).file("a.txt", "one\ntwo\r\n$Id$\n").file("b.x", "b");
    let revision = publish(&lab.open(), None, &sketch);
    assert_eq!(read(&lab.open(), &revision), sketch);
    assert_eq!(lab.git_place(["show", "main:a.txt"], b""), "one\ntwo\r\n$Id$");
    assert!(matches!(sketch.0.get(b"a.txt".as_slice()), Some(Thing::File(_))));
}
