//! Runs that are killed: the short forms of the kill loop and of the breaker, whose long forms are `killer` and `breaker`
//! of the test kit; and what a kill once left behind.

use std::fs;
use std::io::Write;
use std::time::Duration;

use instep_testkit::kills::{self, Request};
use instep_testkit::machine::{Machine, Pair};
use instep_testkit::tracer::{self, Act, Call, Watch};
use nix::errno::Errno;

/// Both machines hold `f`, and the right one sent a new version of it.
fn one_file_to_receive() -> Pair {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("f"), "base").unwrap();
    pair.connect();
    fs::write(pair.right.folder().join("f"), "from the right").unwrap();
    assert_eq!(pair.right.run(["sync"]).code, 0);
    pair
}

/// Writes a file beside and renames it over, as editors do.
fn save(machine: &Machine, text: &str) {
    let beside = machine.folder().with_extension("beside");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, machine.folder().join("f")).unwrap();
}

/// All contents that the left machine keeps, in its folder and in its history.
fn kept_by_left(pair: &Pair) -> Vec<String> {
    let history = fs::read_dir(pair.left.folder().join(".instep/history")).unwrap();
    let files = history.map(|entry| entry.unwrap().path()).chain([pair.left.folder().join("f")]);
    files.map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Runs the program and kills it, with all that it started, before the first call for which `when` holds. Answers
/// whether there was one.
fn killed(machine: &Machine, words: &[&str], mut when: impl FnMut(&Call) -> bool) -> bool {
    let mut act = |call: &Call| if when(call) { Act::KillAll } else { Act::Pass };
    !tracer::run(&machine.command(words), Watch::Changes, &mut act).unwrap().hit.is_empty()
}

#[test]
fn kills_at_any_moment_lose_nothing() {
    let request = Request { rounds: 45, seed: 20, time_max: Some(Duration::from_secs(40)) };
    let report = kills::run(&crate::program(), request).unwrap();
    writeln!(std::io::stdout(), "kill loop: {report}").unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_clone_that_was_killed_goes_on_when_it_is_typed_again() {
    for call in [10, 40, 80, 120, 200] {
        let pair = Pair::new(&crate::program());
        fs::write(pair.left.folder().join("f"), "1").unwrap();
        assert_eq!(pair.left.connect(&pair.bare).code, 0);
        let right = &pair.right;
        let (address, folder) = (pair.bare.path().to_str().unwrap(), right.folder().to_str().unwrap());
        let clone = ["clone", "--name=right", address, folder];
        assert!(killed(right, &clone, |other| other.number == call));
        // Before the remote is written down there is nothing to sync; from then on a sync goes on.
        if right.run(["sync"]).code != 0 {
            let again = right.run(clone);
            assert_eq!(again.code, 0, "killed at call {call}: {again}");
        }
        assert_eq!(fs::read_to_string(right.folder().join("f")).unwrap(), "1", "killed at call {call}");
    }
}

#[test]
fn the_rules_of_an_init_that_was_killed_hold() {
    let pair = Pair::new(&crate::program());
    for name in ["f", "x.log"] {
        fs::write(pair.left.folder().join(name), name).unwrap();
    }
    let address = pair.bare.path().to_str().unwrap();
    let init = ["init", "--yes", "--name=left", "--exclude=*.log", "--remote", address];
    let mut connected = false;
    let killed = killed(&pair.left, &init, |call| {
        let now = connected;
        connected |= call.name.starts_with("rename") && call.about.ends_with("instep.local.yaml");
        now
    });
    assert!(killed, "the remote is written down");
    let synced = pair.left.run(["sync"]);
    assert_eq!(synced.code, 0, "{synced}");
    let sent = pair.bare.git(["ls-tree", "-r", "--name-only", "main"], b"");
    assert_eq!(String::from_utf8_lossy(&sent), "f\ninstep.yaml\n");
}

#[test]
fn somebody_who_saves_twice_while_a_file_is_replaced_loses_nothing() {
    let pair = one_file_to_receive();
    let mut exchanges = 0;
    let mut act = |call: &Call| {
        if call.name == "renameat2" && call.about == "f" {
            exchanges += 1;
            match exchanges {
                1 => save(&pair.left, "first save"),
                2 => save(&pair.left, "second save"),
                _ => {}
            }
        }
        Act::Pass
    };
    let ended = tracer::run(&pair.left.command(["sync"]), Watch::Own, &mut act).unwrap();
    assert!(exchanges >= 2, "the first save is given its name back");
    assert_eq!(ended.code, 3);
    let again = pair.left.run(["sync"]);
    assert_eq!(again.code, 4, "{again}");
    assert_eq!(fs::read_to_string(pair.left.folder().join("f")).unwrap(), "second save");
    assert!(kept_by_left(&pair).contains(&"first save".to_owned()), "{:?}", kept_by_left(&pair));
}

#[test]
fn an_edit_that_was_displaced_and_could_not_be_read_is_not_dropped() {
    let pair = one_file_to_receive();
    let mut displaced = false;
    let mut act = |call: &Call| {
        if call.name == "renameat2" && call.about == "f" && !displaced {
            save(&pair.left, "saved meanwhile");
            displaced = true;
        } else if displaced && call.name.starts_with("open") && call.about.starts_with("q-") {
            return Act::Fail(Errno::EIO);
        }
        Act::Pass
    };
    tracer::run(&pair.left.command(["sync"]), Watch::Own, &mut act).unwrap();
    assert!(displaced);
    for _ in 0..2 {
        pair.left.run(["sync"]);
        assert!(kept_by_left(&pair).contains(&"saved meanwhile".to_owned()), "{:?}", kept_by_left(&pair));
    }
}

#[test]
fn a_lock_left_by_a_part_of_a_push_that_died_alone_is_removed() {
    let pair = Pair::new(&crate::program());
    pair.connect();
    fs::write(pair.left.folder().join("f"), "1").unwrap();
    let mut died = false;
    let mut act = |call: &Call| {
        let locked = call.about.ends_with("refs/heads/main.lock") && call.name == "fsync";
        if !locked || died {
            return Act::Pass;
        }
        died = true;
        Act::KillOne
    };
    let ended = tracer::run(&pair.left.command(["sync"]), Watch::Changes, &mut act).unwrap();
    assert_eq!((ended.code, ended.hit.len()), (0, 1), "{ended:?}");
    assert!(!pair.bare.path().join("refs/heads/main.lock").exists());
    for machine in pair.machines() {
        let output = machine.run(["sync"]);
        assert_eq!(output.code, 0, "{output}");
    }
    assert_eq!(fs::read_to_string(pair.right.folder().join("f")).unwrap(), "1");
}

#[test]
fn a_push_that_died_beside_another_is_in_nobodys_way() {
    let pair = Pair::new(&crate::program());
    pair.connect();
    for machine in pair.machines() {
        fs::write(machine.folder().join(machine.name()), "1").unwrap();
    }
    // The right machine begins and dies with the branch locked, all while the left one's push goes on.
    let mut died = false;
    let mut act = |call: &Call| {
        if !died && call.name == "execve" && call.about.ends_with("git-receive-pack") {
            let right = pair.right.clone();
            let run = move || {
                killed(&right, &["sync"], |call| {
                    call.name == "rename" && call.about.ends_with("refs/heads/main")
                })
            };
            died = std::thread::spawn(run).join().unwrap();
            assert!(died, "the right one's push is killed");
        }
        Act::Pass
    };
    let ended = tracer::run(&pair.left.command(["sync"]), Watch::Changes, &mut act).unwrap();
    assert!(died && matches!(ended.code, 0 | 5), "{ended:?}");
    for machine in [&pair.left, &pair.right, &pair.left] {
        let output = machine.run(["sync"]);
        assert_eq!(output.code, 0, "{output}");
    }
    for machine in pair.machines() {
        assert!(["left", "right"].iter().all(|name| machine.folder().join(name).exists()));
    }
}

/// The left machine holds `new` and `old`, and is about to take back that it sent `new`.
fn one_file_to_take_back() -> Pair {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("old"), "1").unwrap();
    pair.connect();
    fs::write(pair.left.folder().join("new"), "2").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    pair
}

/// Both machines sync; what an undo took away at the remote alone stands here still, and goes there again.
fn new_stands_everywhere(pair: &Pair) {
    for machine in [&pair.left, &pair.right] {
        let output = machine.run(["sync"]);
        assert_eq!(output.code, 0, "{output}");
        assert!(machine.folder().join("new").exists(), "on {}: {output}", machine.name());
    }
}

fn moves_main(call: &Call) -> bool {
    call.name == "rename" && call.about.ends_with("refs/heads/main")
}

#[test]
fn an_undo_that_was_killed_after_its_push_deletes_nothing_here() {
    let pair = one_file_to_take_back();
    let mut pushed = false;
    let undo = ["undo", "--yes", "--no-pager"];
    assert!(killed(&pair.left, &undo, |call| {
        pushed |= moves_main(call);
        pushed && call.by_program
    }));
    new_stands_everywhere(&pair);
}

#[test]
fn an_undo_that_is_pushed_after_the_next_run_deletes_nothing_here() {
    let pair = one_file_to_take_back();
    let mut act = |call: &Call| if moves_main(call) { Act::Hold } else { Act::Pass };
    let ended =
        tracer::run(&pair.left.command(["undo", "--yes", "--no-pager"]), Watch::Changes, &mut act).unwrap();
    assert!(ended.left.is_any());
    let before = pair.bare.head();
    pair.left.run(["sync"]);
    assert_eq!(pair.bare.head(), before);
    ended.left.release().unwrap();
    assert_ne!(pair.bare.head(), before, "the push has landed");
    new_stands_everywhere(&pair);
}
