//! Conflicts that travel: three machines, of which one settles what another one has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use expect_test::expect;
use instep_testkit::machine::{Machine, Output, Pair};
use serde_json::Value;

/// Right has a conflict with left; third is in step with left.
struct World {
    pair: Pair,
    third: Machine,
    /// What right said when it found the conflict.
    said: Output,
}

fn write(machine: &Machine, text: &str) {
    fs::write(machine.folder().join("plan.md"), text).unwrap();
}

fn read(machine: &Machine) -> String {
    fs::read_to_string(machine.folder().join("plan.md")).unwrap()
}

fn done(output: Output) -> Output {
    assert_eq!(output.code, 0, "{output}");
    output
}

fn world_with(prepare: impl FnOnce(&Pair)) -> World {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "0\n");
    pair.connect();
    let area = pair.left.folder().parent().unwrap().to_owned();
    let third = Machine::new(&crate::program(), &area, "third");
    done(third.connect(&pair.bare));
    prepare(&pair);
    write(&pair.left, "1\n");
    write(&pair.right, "2\n");
    done(pair.left.run(["sync"]));
    let said = pair.right.run(["sync"]);
    assert_eq!(said.code, 4, "{said}");
    World { pair, third, said }
}

fn world() -> World {
    let world = world_with(|_| ());
    done(world.third.run(["sync"]));
    world
}

fn open_on(machine: &Machine) -> (usize, usize) {
    let listed = done(machine.run(["conflicts", "--json"]));
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let count = |name: &str| listed[name].as_array().unwrap().len();
    (count("conflicts"), count("elsewhere"))
}

/// Without moments.
fn steady(text: &str) -> String {
    let steady = |word: &str| {
        let is_moment = word.len() == 5 && word.as_bytes()[2] == b':';
        if is_moment { "HH:MM".to_owned() } else { word.to_owned() }
    };
    text.lines().map(|line| line.split(' ').map(steady).collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn a_third_machine_lists_shows_and_settles_a_conflict() {
    let World { pair, third, .. } = world();
    expect![[r#"
        On right
        right:c1  plan.md  changed on both: 1 place overlaps  third HH:MM · right HH:MM
        1 conflict.
    "#]]
    .assert_eq(&steady(&done(third.run(["conflicts"])).stdout));
    expect![[r#"
        ⚠ plan.md  right:c1  since HH:MM
        Changed on both: 1 place overlaps.
          last agreed   2 B
          third (here)  2 B, HH:MM
          right         2 B, HH:MM

        --- plan.md (last agreed)
        +++ plan.md (third, here)
        @@ -1 +1 @@
        -0
        +1

        --- plan.md (last agreed)
        +++ plan.md (right)
        @@ -1 +1 @@
        -0
        +2
    "#]]
    .assert_eq(&steady(&done(third.run(["conflicts", "right:c1"])).stdout));
    let status = done(third.run(["status"]));
    assert!(status.stderr.contains("1 conflict waits on other machines"), "{status}");
    let said = done(third.run(["resolve", "right:c1", "--keep", "there"]));
    expect![[r#"
        right:c1  plan.md  there
        1 of 1 settled.
    "#]]
    .assert_eq(&said.stdout);
    assert_eq!(read(&third), "2\n");
    assert_eq!(open_on(&third), (0, 0));
    done(third.run(["sync"]));
    let said = done(pair.right.run(["sync"]));
    assert!(said.stderr.contains("was settled on third"), "{said}");
    done(pair.left.run(["sync"]));
    for machine in [&pair.left, &pair.right, &third] {
        assert_eq!(read(machine), "2\n");
        assert_eq!(open_on(machine).0, 0);
    }
}

#[test]
fn every_form_of_an_answer_reaches_the_machine_with_the_conflict() {
    for (form, result) in [
        (&["--keep", "here"][..], "1\n"),
        (&["--keep", "base"], "0\n"),
        (&["--keep", "both"], "1\n"),
        (&["--use", "../mine"], "mine\n"),
        (&["--tool", "cat \"$LOCAL\" \"$REMOTE\" > \"$MERGED\""], "1\n2\n"),
    ] {
        let World { pair, third, .. } = world();
        fs::write(third.folder().parent().unwrap().join("mine"), "mine\n").unwrap();
        done(third.run(["resolve", "right:c1"].iter().chain(form)));
        done(third.run(["sync"]));
        done(pair.right.run(["sync"]));
        assert_eq!(read(&pair.right), result, "{form:?}");
        assert_eq!(open_on(&pair.right), (0, 0), "{form:?}");
        // What was here is not lost.
        done(pair.right.run(["undo", "--yes"]));
        assert_eq!(read(&pair.right), "2\n", "{form:?}");
    }
}

#[test]
fn the_machine_that_sent_first_settles_it_for_the_other() {
    let World { pair, .. } = world();
    done(pair.left.run(["sync"]));
    assert_eq!(open_on(&pair.left), (0, 1));
    done(pair.left.run(["resolve", "right:c1", "--keep", "here"]));
    done(pair.left.run(["sync"]));
    done(pair.right.run(["sync"]));
    assert_eq!((read(&pair.right), open_on(&pair.right)), ("1\n".to_owned(), (0, 0)));
    done(pair.left.run(["sync"]));
    assert_eq!(open_on(&pair.left), (0, 0));
}

#[test]
fn an_answer_is_taken_back_before_it_went_out() {
    let World { pair, third, .. } = world();
    done(third.run(["resolve", "right:c1", "--keep", "there"]));
    done(third.run(["undo", "--yes"]));
    assert_eq!((read(&third), open_on(&third)), ("1\n".to_owned(), (0, 1)));
    done(third.run(["sync"]));
    assert_eq!(pair.right.run(["sync"]).code, 4);
}

#[test]
fn an_answer_that_was_taken_back_holds_again_after_a_redo() {
    for is_told_between in [false, true] {
        let World { pair, third, .. } = world();
        done(third.run(["resolve", "right:c1", "--keep", "there"]));
        done(third.run(["undo", "--yes"]));
        if is_told_between {
            done(third.run(["sync"]));
            assert_eq!(pair.right.run(["sync"]).code, 4);
        }
        done(third.run(["undo", "--redo", "--yes"]));
        assert_eq!((read(&third), open_on(&third)), ("2\n".to_owned(), (0, 0)));
        done(third.run(["sync"]));
        done(pair.right.run(["sync"]));
        assert_eq!((read(&pair.right), open_on(&pair.right)), ("2\n".to_owned(), (0, 0)));
    }
}

#[test]
fn a_file_that_was_edited_is_not_answered_with() {
    let World { pair: _pair, third, .. } = world();
    write(&third, "mine\n");
    let said = third.run(["resolve", "right:c1", "--keep", "there"]);
    assert_eq!(said.code, 4, "{said}");
    assert!(said.stderr.contains("`instep sync` first"), "{said}");
    assert_eq!(read(&third), "mine\n");
}

#[test]
fn a_host_that_takes_no_such_ref_leaves_conflicts_where_they_are() {
    let World { pair, third, said } = world_with(|pair| {
        let hide = ["config", "receive.hideRefs", "refs/instep"];
        assert!(Command::new("git").arg("-C").arg(pair.bare.path()).args(hide).status().unwrap().success());
    });
    done(third.run(["sync"]));
    assert_eq!(open_on(&third), (0, 0));
    // It is said once.
    assert!(said.stderr.contains("takes nothing beside its branch"), "{said}");
    let again = pair.right.run(["sync"]);
    assert_eq!(again.code, 4, "{again}");
    assert!(!again.stderr.contains("takes nothing beside its branch"), "{again}");
    done(pair.right.run(["resolve", "c1", "--keep", "here"]));
    done(pair.right.run(["sync"]));
}

#[test]
fn notes_that_are_none_disturb_nobody() {
    let World { pair, third, .. } = world();
    let git = |arguments: &[&str]| {
        let ran = Command::new("git").arg("-C").arg(pair.bare.path()).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    let blob = git(&["rev-parse", "main:plan.md"]);
    let tree = git(&["rev-parse", "main^{tree}"]);
    let commit = git(&["rev-parse", "main"]);
    for (name, object) in
        [("blob", &blob), ("tree", &tree), ("commit", &commit), ("deep/er", &tree), ("a.b", &blob)]
    {
        git(&["update-ref", &format!("refs/instep/notes/{name}"), object]);
    }
    // One whose file a power cut emptied.
    fs::write(pair.bare.path().join("refs/instep/notes/empty"), "").unwrap();
    for _ in 0..2 {
        done(third.run(["sync"]));
        assert_eq!(pair.right.run(["sync"]).code, 4);
    }
    fs::remove_file(pair.bare.path().join("refs/instep/notes/empty")).unwrap();
    done(third.run(["sync"]));
    assert_eq!(open_on(&third), (0, 1));
}

/// How often git is started by a sync with nothing to do, and with what verbs.
fn quiet_calls(machine: &Machine) -> String {
    let area = machine.home().join("counted");
    fs::create_dir_all(&area).unwrap();
    let log = area.join("calls");
    let path = std::env::var("PATH").unwrap();
    let script = format!("#!/bin/sh\necho \"$@\" >> {}\nPATH='{path}' exec git \"$@\"\n", log.display());
    fs::write(area.join("git"), script).unwrap();
    fs::set_permissions(area.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(&log);
    let path = format!("{}:{path}", area.display());
    machine.run_with(&[("PATH", path.as_ref())], ["sync"]);
    let calls = fs::read_to_string(&log).unwrap();
    let verbs = calls.lines().map(|line| {
        let known =
            ["for-each-ref", "fetch", "push", "cat-file", "fast-import", "mktree", "ls-remote", "config"];
        known.into_iter().find(|verb| line.split(' ').any(|word| word == *verb)).unwrap_or("another")
    });
    verbs.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_quiet_cycle_asks_and_sends_no_more_because_of_conflicts_elsewhere() {
    let plain = Pair::new(&crate::program());
    write(&plain.left, "0\n");
    plain.connect();
    done(plain.left.run(["sync"]));
    let usual = quiet_calls(&plain.left);
    assert_eq!(usual, "for-each-ref");
    let World { pair, third, .. } = world();
    for machine in [&pair.left, &pair.right, &third] {
        machine.run(["sync"]);
        machine.run(["sync"]);
        assert_eq!(quiet_calls(machine), usual, "{}", machine.name());
    }
    // Nor because of an answer that waits to be heard.
    done(third.run(["resolve", "right:c1", "--keep", "here"]));
    done(third.run(["sync"]));
    done(third.run(["sync"]));
    assert_eq!(quiet_calls(&third), usual);
}

#[test]
fn a_lock_that_a_killed_push_of_a_note_left_is_removed() {
    let World { pair, third, .. } = world();
    let notes = pair.bare.path().join("refs/instep/notes");
    let name = fs::read_dir(&notes).unwrap().next().unwrap().unwrap().file_name();
    let lock = notes.join(format!("{}.lock", name.to_str().unwrap()));
    fs::write(&lock, "").unwrap();
    done(pair.right.run(["resolve", "c1", "--keep", "there"]));
    let said = done(pair.right.run(["sync"]));
    assert!(!said.stderr.contains("could not be told"), "{said}");
    done(third.run(["sync"]));
    assert_eq!(open_on(&third), (0, 0));
}
