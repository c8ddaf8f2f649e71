//! Runs that are broken at one of their system calls: the short form of `breaker` of the test kit, and what it found.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use instep_testkit::breaker::{self, Kind, Request};
use instep_testkit::calls::Effect;
use instep_testkit::machine::{Machine, Pair};
use instep_testkit::scenes;
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

/// Breaks each scene in each way once. All of it must have been met: a scene without calls, or a fault that hit nothing,
/// proves nothing.
fn broken(names: [&str; 3], kinds: &[Kind], seed: u64) {
    let scenes = names.map(|name| scenes::find(name).unwrap());
    let request = Request {
        scenes: scenes.to_vec(),
        kinds: kinds.to_vec(),
        points_max: 1,
        seed,
        time_max: None,
        puts_back: false,
        walk: None,
    };
    let report = breaker::run(&crate::program(), &request, &mut |_| {}).unwrap();
    assert!(report.is_clean() && !report.cut_short, "{report}");
    for (name, kind) in names.iter().flat_map(|name| kinds.iter().map(move |kind| (*name, *kind))) {
        let tally = &report.tallies[&(name, kind)];
        let was_met = tally.calls > 10 && tally.points == 1 && tally.hits > 0;
        assert!(was_met, "{name} {}: {tally:?}\n{report}", kind.name());
    }
}

#[test]
fn runs_that_take_something_in_and_are_broken_at_any_call_come_right() {
    broken(["receive", "type", "conflict"], &[Kind::Kill, Kind::Save, Kind::Fail, Kind::Flip], 3);
}

#[test]
fn runs_that_send_something_and_are_broken_at_any_call_come_right() {
    broken(["send", "undo", "clone"], &[Kind::Kill, Kind::Late, Kind::KillOne], 4);
}

/// All calls of a run that change something or wait for the disk.
struct Course(Vec<Call>);

impl Course {
    fn of(machine: &Machine, words: &[&str]) -> Self {
        let mut calls = Vec::new();
        let mut act = |call: &Call| {
            calls.push(call.clone());
            Act::Pass
        };
        let ended = tracer::run(&machine.command(words), Watch::Changes, &mut act).unwrap();
        assert!(matches!(ended.code, 0 | 4), "{}", ended.code);
        Course(calls)
    }

    /// The first such call from one on.
    fn find(&self, from: usize, what: &str, fits: impl Fn(&Call) -> bool) -> usize {
        let found = self.0[from..].iter().position(fits);
        from + found.unwrap_or_else(|| panic!("{what} is missing after call {from}: {:#?}", self.0))
    }

    /// Where the program waits for a file or folder.
    fn waits(&self, from: usize, path: &Path) -> usize {
        let path = path.to_str().unwrap();
        let fits = |call: &Call| {
            call.by_program
                && call.effect == Effect::Syncs
                && call.name != "syncfs"
                && call.about.starts_with(path)
        };
        self.find(from, path, fits)
    }
}

#[test]
fn nothing_is_told_or_written_down_before_it_is_on_the_disk() {
    let pair = one_file_to_receive();
    let left = pair.left.folder();
    fs::write(left.join("g"), "to send").unwrap();
    let course = Course::of(&pair.left, &["sync"]);
    let displaced = course.find(0, "the exchange", |call| call.name == "renameat2" && call.about == "f");
    let locked = course.find(0, "the branch's lock", |call| {
        call.about.ends_with("refs/heads/main.lock") && !call.by_program
    });
    // What goes out is durable here, with its name, before the remote hears of it, and there before it is the head.
    assert!(course.waits(0, &left.join("g")) < locked, "the file");
    let its_name = |call: &Call| call.name == "fsync" && call.by_program && Path::new(&call.about) == left;
    assert!(course.find(0, "its name", its_name) < locked);
    let objects =
        |call: &Call| !call.by_program && call.effect == Effect::Syncs && call.about.contains("remote.git");
    assert!(course.find(0, "the contents there", objects) < locked);
    let synced = |call: &Call| call.name == "syncfs" && call.about.contains("remote.git");
    let synced = course.find(locked, "the whole repository", synced);
    assert!(synced < displaced, "the remote comes first");
    // What comes in is durable, and so is what it takes the place of.
    assert!(course.waits(0, &left.join(".instep/staging/")) < displaced, "the new version");
    assert!(course.waits(0, &left.join("f")) < displaced, "the old version");
    // The names are durable before the database speaks of them.
    let names = course.find(displaced, "the name", its_name);
    let kept = course.waits(displaced, &left.join(".instep/history"));
    let last =
        course.0.iter().rposition(|call| call.effect == Effect::Syncs && call.about.contains("state.db"));
    assert!(last.unwrap() > names.max(kept), "the last thing is the database");
}

#[test]
fn the_copies_of_a_conflict_are_on_the_disk_before_it_is_on_record() {
    let pair = one_file_to_receive();
    let left = pair.left.folder();
    fs::write(left.join("f"), "from the left").unwrap();
    let course = Course::of(&pair.left, &["sync"]);
    let first = course.waits(0, &left.join(".instep/staging/c-"));
    let second = course.waits(first + 1, &left.join(".instep/staging/c-"));
    let names = course.waits(second, &left.join(".instep/history"));
    let last =
        course.0.iter().rposition(|call| call.effect == Effect::Syncs && call.about.contains("state.db"));
    assert!(last.unwrap() > names);
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

#[test]
fn a_version_that_was_displaced_before_a_kill_can_be_restored() {
    let pair = one_file_to_receive();
    fs::write(pair.left.folder().join("f"), "only here").unwrap();
    let mut kept = false;
    assert!(killed(&pair.left, &["sync", "--strategy", "keep-remote"], |call| {
        let now = kept && call.by_program;
        kept |= call.name == "renameat2" && call.about.len() == 64;
        now
    }));
    assert_eq!(fs::read_to_string(pair.left.folder().join("f")).unwrap(), "from the right");
    let restored = pair.left.run(["restore", "--yes", "--no-pager", "f"]);
    assert_eq!(restored.code, 0, "{restored}");
    assert_eq!(fs::read_to_string(pair.left.folder().join("f")).unwrap(), "only here", "{restored}");
}

#[test]
fn an_edit_that_was_displaced_and_never_sent_is_the_previous_version() {
    let pair = one_file_to_receive();
    fs::write(pair.left.folder().join("f"), "only here").unwrap();
    assert_eq!(pair.left.run(["sync", "--strategy", "keep-remote"]).code, 0);
    assert_eq!(fs::read_to_string(pair.left.folder().join("f")).unwrap(), "from the right");
    assert_eq!(pair.left.run(["restore", "--yes", "--no-pager", "f"]).code, 0);
    assert_eq!(fs::read_to_string(pair.left.folder().join("f")).unwrap(), "only here");
}

/// A `PATH` with a git that does something else where its words fit: one case of the shell.
fn git_that(machine: &Machine, case: &str) -> String {
    let area = machine.home().join("another-git");
    fs::create_dir_all(&area).unwrap();
    let path = std::env::var("PATH").unwrap();
    let script = format!("#!/bin/sh\nPATH='{path}'\ncase \" $* \" in {case};; esac\nexec git \"$@\"\n");
    fs::write(area.join("git"), script).unwrap();
    fs::set_permissions(area.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", area.display())
}

#[test]
fn a_read_of_our_database_that_fails_once_is_not_taken_for_damage() {
    let pair = Pair::new(&crate::program());
    pair.connect();
    let state = pair.left.folder().join(".instep");
    let mut hits = 0;
    for number in 1..=40 {
        let mut reads = 0;
        let mut act = |call: &Call| {
            let is_read = call.name == "pread64" && call.about.contains("/.instep/state.db");
            reads += u32::from(is_read);
            if is_read && reads == number { Act::Fail(Errno::EIO) } else { Act::Pass }
        };
        let ended = tracer::run_fast(&pair.left.command(["sync"]), Watch::Own, &mut act).unwrap();
        hits += ended.hit.len();
        assert!(!state.join("state.db.damaged").exists(), "read {number}");
    }
    assert!(hits > 10, "{hits}");
}

#[test]
fn a_fetch_that_is_overtaken_by_one_that_outlived_its_program_is_tried_again() {
    let pair = Pair::new(&crate::program());
    pair.connect();
    fs::write(pair.left.folder().join("f"), "one").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    let overtaken = "*' fetch '*) if mkdir \"$HOME/once\"; then git \"$@\"; \
        echo \"error: cannot lock ref 'refs/instep/head': is at 1 but expected 2\" >&2; exit 1; fi";
    let path = git_that(&pair.right, overtaken);
    let synced = pair.right.run_with(&[("PATH", path.as_ref())], ["sync"]);
    assert!(synced.code == 0 && pair.right.home().join("once").exists(), "{synced}");
    assert_eq!(fs::read_to_string(pair.right.folder().join("f")).unwrap(), "one");
}

/// A terminal gives Ctrl-C to all that runs in it, so git ends of it as well.
#[test]
fn an_interrupt_that_git_hears_too_is_not_noted_as_a_failure() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    fs::write(left.folder().join("f"), "one").unwrap();
    pair.connect();
    fs::write(left.folder().join("f"), "two").unwrap();
    let path = git_that(left, "*' fast-import '*) kill -INT $PPID; kill -INT $$");
    let interrupted = left.run_with(&[("PATH", path.as_ref())], ["sync"]);
    assert!(interrupted.code == 130 && interrupted.mentions("E-INTERRUPTED"), "{interrupted}");
    let status = left.run(["status"]);
    assert!(status.mentions("1 to send") && !status.mentions("failed"), "{status}");
    assert_eq!(left.run(["sync"]).code, 0);
}
