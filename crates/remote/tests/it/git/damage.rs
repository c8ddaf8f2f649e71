//! What power cuts and dead programs leave behind.

use std::fs;
use std::path::Path;

use instep_core::remote::{Class, Remote};
use instep_testkit::bare::Bare;
use instep_testkit::remote_suite::{Sketch, draft_of, publish, read};

use super::lab::Lab;

fn one_file(content: &str) -> Sketch {
    Sketch::new().file("f", content)
}

/// Empties all files below a folder whose names look like objects, as a power cut does.
fn empty_objects(repository: &Path) {
    for folder in fs::read_dir(repository.join("objects")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.file_name().unwrap().len() != 2 {
            continue;
        }
        for object in fs::read_dir(folder).unwrap() {
            let object = object.unwrap().path();
            fs::remove_file(&object).unwrap();
            fs::write(&object, "").unwrap();
        }
    }
}

#[test]
fn our_own_copy_is_made_anew() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let ours = lab.folder.path().join("ours.git");
    let open = || lab.try_open_in("ours.git", "main", false).unwrap();
    read(&open(), &first);
    empty_objects(&ours);
    assert_eq!(read(&open(), &first), one_file("1"));
    fs::remove_dir_all(&ours).unwrap();
    assert_eq!(read(&open(), &first), one_file("1"));
    fs::write(ours.join("refs/instep/head"), "").unwrap();
    let second = publish(&lab.open(), Some(&first), &one_file("2"));
    assert_eq!(read(&open(), &second), one_file("2"));
}

#[test]
fn what_is_read_from_a_damaged_copy_comes_at_once() {
    for lab in each_way() {
        let drawn = Sketch::new().file("f", "1").file("g", "2").file("h", "3");
        let first = publish(&lab.open(), None, &drawn);
        let ours = lab.folder.path().join("ours.git");
        let open = || lab.try_open_in("ours.git", "main", false).unwrap();
        let listed = open().snapshot(&first, None).unwrap().entries;
        let wanted: Vec<_> = listed.iter().map(|entry| entry.object).collect();
        read(&open(), &first);
        empty_objects(&ours);
        let mut taken = Taken::default();
        // A restore, an undo, a verify ask once and don't begin again.
        open().fetch(&wanted, &mut taken, &instep_core::progress::Silent).unwrap();
        taken.0.sort();
        assert_eq!(taken.0, ["1", "2", "3"], "{}", lab.address);
    }
}

#[test]
fn a_repository_of_ours_that_lost_its_first_files_is_made_anew() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let ours = lab.folder.path().join("ours.git");
    for file in ["HEAD", "config"] {
        let open = || lab.try_open_in("ours.git", "main", false).unwrap();
        read(&open(), &first);
        fs::write(ours.join(file), "").unwrap();
        assert_eq!(read(&open(), &first), one_file("1"), "without its {file}");
    }
}

#[test]
fn a_damaged_shelf_is_read_from_git_again() {
    let lab = Lab::by_path();
    let drawn = one_file("1").folder("d/e").file("d/f", "2");
    let first = publish(&lab.open(), None, &drawn);
    let whole = lab.open().snapshot(&first, None).unwrap();
    let shelf = lab.folder.path().join("ours.git/instep.shelf.1");
    let open = || lab.try_open_in("ours.git", "main", false).unwrap();
    open().snapshot(&first, None).unwrap();
    let bytes = fs::read(&shelf).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        for damaged in [&flipped, &bytes[..at].to_vec()] {
            fs::write(&shelf, damaged).unwrap();
            assert_eq!(open().snapshot(&first, None).unwrap(), whole, "at {at}");
        }
    }
    assert_eq!(fs::read(&shelf).unwrap().len(), bytes.len(), "what was lost was added again");
}

#[test]
fn the_shelf_does_not_grow_with_the_past() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let mut head = None;
    let large =
        |round: u32| (0..1000).fold(one_file(&round.to_string()), |all, at| all.file(format!("{at}"), "x"));
    for round in 0..8 {
        head = Some(publish(&remote, head.as_ref(), &large(round)));
        remote.snapshot(head.as_ref().unwrap(), None).unwrap();
    }
    let shelf = fs::metadata(lab.folder.path().join("ours.git/instep.shelf.1")).unwrap();
    assert!(shelf.len() < 3 * 40_000 + 64 * 1024, "{}", shelf.len());
}

#[test]
fn a_repository_whose_making_was_killed_is_made_anew() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let leave_half = |name: &str| {
        let half = lab.folder.path().join(name);
        fs::create_dir_all(half.join("refs")).unwrap();
        fs::write(half.join("config.lock"), "[core]\n").unwrap();
        half
    };
    let half = leave_half("ours.new");
    read(&lab.try_open_in("ours.git", "main", false).unwrap(), &first);
    assert!(!half.exists());
    let mut lab = Lab::by_path();
    lab.address = lab.folder.path().join("there/notes.git").display().to_string();
    let half = lab.folder.path().join("there/.notes.git.instep-new");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("config.lock"), "[core]\n").unwrap();
    let made = lab.try_open("main", true).unwrap();
    assert_eq!(made.head().unwrap(), None);
    publish(&made, None, &one_file("1"));
    assert!(!half.exists());
}

#[test]
fn a_damaged_draft_is_begun_again() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    remote.snapshot(&first, None).unwrap();
    let draft = draft_of(&remote, &one_file("2"));
    empty_objects(&lab.folder.path().join("ours.git"));
    let prepared = remote.prepare(Some(&first), &draft);
    let error = prepared.and_then(|prepared| remote.commit(Some(&first), &prepared)).unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-REMADE", Class::Stale), "{error:?}");
    let second = publish(&remote, Some(&first), &one_file("2"));
    assert_eq!(read(&lab.open(), &second), one_file("2"));
}

#[test]
fn a_lost_copy_is_fetched_before_a_draft() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &Sketch::new().file("keep/a", "1").file("f", "1"));
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let keep =
        remote.snapshot(&first, None).unwrap().entries.into_iter().find(|e| e.parent.is_none()).unwrap();
    fs::remove_dir_all(lab.folder.path().join("ours.git")).unwrap();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let mut draft = draft_of(&remote, &Sketch::new().file("g", "2"));
    draft.entries.push(instep_core::remote::Drafted {
        parent: None,
        name: keep.name,
        kind: keep.kind,
        object: Some(keep.object),
    });
    let second = remote.prepare(Some(&first), &draft).unwrap();
    remote.commit(Some(&first), &second).unwrap();
}

#[test]
fn a_draft_of_objects_that_a_power_cut_took_is_begun_again() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    remote.snapshot(&first, None).unwrap();
    let draft = draft_of(&remote, &one_file("2"));
    drop(remote);
    // Neither objects nor refs had reached the disk: to git, nothing is missing.
    let ours = lab.folder.path().join("ours.git");
    for folder in ["objects", "refs"] {
        fs::remove_dir_all(ours.join(folder)).unwrap();
        fs::create_dir(ours.join(folder)).unwrap();
    }
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let prepared = remote.prepare(Some(&first), &draft);
    let error = prepared.and_then(|prepared| remote.commit(Some(&first), &prepared)).unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-REMADE", Class::Stale), "{error:?}");
    let second = publish(&remote, Some(&first), &one_file("2"));
    assert_eq!(read(&lab.open(), &second), one_file("2"));
}

#[test]
fn a_damaged_remote_is_told_and_left_alone() {
    let lab = Lab::by_path();
    publish(&lab.open(), None, &one_file("1"));
    empty_objects(&lab.place());
    let error = lab.open().head().unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-CORRUPT", Class::Corrupt));
}

#[test]
fn a_damaged_branch_is_not_an_empty_remote() {
    let lab = Lab::by_path();
    publish(&lab.open(), None, &one_file("1"));
    fs::write(lab.place().join("refs/heads/main"), "").unwrap();
    assert_eq!(lab.open().head().unwrap_err().class(), Class::Corrupt);
    fs::write(lab.place().join("refs/heads/main"), "1234567890123456789012345678901234567890\n").unwrap();
    assert_eq!(lab.open().head().unwrap_err().class(), Class::Corrupt);
}

#[test]
fn a_lock_of_ours_is_removed_when_its_push_is_dead() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let first = publish(&remote, None, &one_file("1"));
    let lock = lab.place().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    // The record that a push leaves when the power goes.
    fs::write(lab.place().join("instep.push"), "refs/heads/main").unwrap();
    publish(&remote, Some(&first), &one_file("2"));
    assert!(!lock.exists());
}

#[test]
fn a_lock_of_another_machines_dead_push_is_removed_too() {
    let lab = Lab::by_path();
    let left = lab.try_open_in("left.git", "main", false).unwrap();
    let first = publish(&left, None, &one_file("1"));
    let lock = lab.place().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    fs::write(lab.place().join("instep.push"), "refs/heads/main").unwrap();
    let right = lab.try_open_in("right.git", "main", false).unwrap();
    assert_eq!(read(&right, &first), one_file("1"));
    publish(&right, Some(&first), &one_file("2"));
    assert!(!lock.exists());
}

#[test]
fn a_push_beside_another_does_not_end_its_record() {
    let lab = Lab::by_path();
    let left = lab.try_open_in("left.git", "main", false).unwrap();
    let first = publish(&left, None, &one_file("1"));
    let record = lab.place().join("instep.push");
    assert_eq!(fs::read_to_string(&record).unwrap(), "");
    // A push of another machine goes on for all of this one, and dies only then.
    let other = fs::OpenOptions::new().read(true).append(true).open(&record).unwrap();
    other.lock_shared().unwrap();
    fs::write(&record, "refs/heads/main\n").unwrap();
    let second = publish(&left, Some(&first), &one_file("2"));
    assert_eq!(fs::read_to_string(&record).unwrap(), "refs/heads/main\n".repeat(2));
    let lock = lab.place().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    other.unlock().unwrap();
    publish(&left, Some(&second), &one_file("3"));
    assert!(!lock.exists());
    assert_eq!(fs::read_to_string(&record).unwrap(), "");
}

#[test]
fn all_locks_of_our_dead_push_are_removed() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let first = publish(&remote, None, &one_file("1"));
    let lock = lab.place().join("refs/heads/main.lock");
    let locks = [lock.clone(), lab.place().join("HEAD.lock"), lab.place().join("packed-refs.lock")];
    for each in &locks {
        fs::write(each, "").unwrap();
    }
    fs::write(lab.place().join("instep.push"), "refs/heads/main").unwrap();
    publish(&remote, Some(&first), &one_file("2"));
    assert!(!locks.iter().any(|lock| lock.exists()));
}

#[test]
fn what_a_killed_upload_left_is_in_nobodys_way() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let ours = lab.folder.path().join("ours.git");
    let left = ["instep.marks0", "instep.marks0.lock", "instep.marks-1-0.lock"].map(|name| ours.join(name));
    for each in &left {
        fs::write(each, "").unwrap();
    }
    publish(&remote, None, &one_file("1"));
    assert!(!left.iter().any(|file| file.exists()));
}

#[test]
fn a_lock_in_our_own_copy_is_removed_when_nobody_lives() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let ours = lab.folder.path().join("ours.git");
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    fs::create_dir_all(ours.join("refs/instep")).unwrap();
    let lock = ours.join("refs/instep/head.lock");
    fs::write(&lock, "").unwrap();
    assert_eq!(read(&remote, &first), one_file("1"));
    assert!(!lock.exists(), "a fetch met it");
    fs::write(&lock, "").unwrap();
    publish(&remote, Some(&first), &one_file("2"));
    assert!(!lock.exists(), "a push met it");
    assert_eq!(remote.history(9).unwrap().len(), 2);
}

#[test]
fn a_lock_in_our_own_copy_is_left_alone_while_a_program_lives() {
    let lab = Lab::by_path();
    let first = publish(&lab.open(), None, &one_file("1"));
    let ours = lab.folder.path().join("ours.git");
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let lock = ours.join("refs/instep/head.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let mut command = std::process::Command::new("git");
    command.arg("--git-dir").arg(&ours).args(["update-ref", "--stdin"]);
    let mut living = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let error = remote.snapshot(&first, None).unwrap_err();
    assert_eq!(error.code, "E-GIT-LOCKED", "{error:?}");
    assert!(lock.exists());
    drop(living.stdin.take());
    living.wait().unwrap();
    assert_eq!(read(&remote, &first), one_file("1"));
}

#[test]
fn a_lock_of_another_is_left_alone() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let first = publish(&remote, None, &one_file("1"));
    let lock = lab.place().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let prepared = remote.prepare(Some(&first), &draft_of(&remote, &one_file("2"))).unwrap();
    let error = remote.commit(Some(&first), &prepared).unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-LOCKED", Class::Retry(None)), "{error:?}");
    assert!(lock.exists());
    // Our record stands, but a program of that push still lives and holds it.
    let record = lab.place().join("instep.push");
    fs::write(&record, "refs/heads/main").unwrap();
    let held = fs::File::open(&record).unwrap();
    held.lock().unwrap();
    assert_eq!(remote.commit(Some(&first), &prepared).unwrap_err().code, "E-GIT-LOCKED");
    assert!(lock.exists());
}

/// A host that is reached in each way that git knows.
fn each_way() -> Vec<Lab> {
    vec![Lab::by_path(), Lab::by_http(), Lab::by_ssh()]
}

#[test]
fn an_object_that_our_copy_alone_lost_is_brought_again() {
    for lab in each_way() {
        let drawn = one_file("1").file("d/g", "2");
        let first = publish(&lab.open(), None, &drawn);
        let ours = lab.folder.path().join("ours.git");
        let open = || lab.try_open_in("ours.git", "main", false).unwrap();
        assert_eq!(read(&open(), &first), drawn);
        for lost in
            [format!("{first}:f"), format!("{first}:d"), format!("{first}^{{tree}}"), first.to_string()]
        {
            let oid = lab.git_place(["rev-parse", &lost], b"");
            assert_eq!(Bare::open(&ours).lose(&[oid]), 1);
            fs::remove_file(ours.join("instep.shelf.1")).unwrap();
            // One question, one answer: nobody begins again for it.
            assert_eq!(read(&open(), &first), drawn, "{} without {lost}", lab.address);
        }
    }
}

#[test]
fn an_object_that_nobody_has_is_told_and_costs_our_copy_nothing() {
    for lab in each_way() {
        let first = publish(&lab.open(), None, &one_file("1"));
        let remote = lab.try_open_in("ours.git", "main", false).unwrap();
        read(&remote, &first);
        let nowhere = instep_core::remote::ObjectId::new(&[7; 20]).unwrap();
        let ours = lab.folder.path().join("ours.git");
        for _ in 0..2 {
            let error = remote.fetch(&[nowhere], &mut Nothing, &instep_core::progress::Silent).unwrap_err();
            assert_eq!((error.code, error.class()), ("E-GIT-OBJECT", Class::Corrupt), "{error:?}");
        }
        assert!(!ours.with_extension("damaged").exists(), "nothing was put aside");
        assert_eq!(read(&remote, &first), one_file("1"));
    }
}

/// Notes what came.
#[derive(Default)]
struct Taken(Vec<String>);

impl instep_core::remote::Sink for Taken {
    fn receive(
        &mut self,
        _: instep_core::remote::ObjectId,
        _: u64,
        content: &mut dyn std::io::Read,
    ) -> Result<(), instep_core::remote::RemoteError> {
        self.0.push(std::io::read_to_string(content).unwrap());
        Ok(())
    }
}

/// Takes nothing, as nothing is to come.
struct Nothing;

impl instep_core::remote::Sink for Nothing {
    fn receive(
        &mut self,
        object: instep_core::remote::ObjectId,
        _: u64,
        _: &mut dyn std::io::Read,
    ) -> Result<(), instep_core::remote::RemoteError> {
        panic!("{object} came")
    }
}
