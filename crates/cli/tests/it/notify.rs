//! The command that tells a person of news: when it is run, what it gets, and that it can't hurt.

use std::fs;

use expect_test::{Expect, expect};
use instep_testkit::machine::{Machine, Output, Pair};

/// Writes down what it was handed, outside of the workspace.
const WRITES_DOWN: &str =
    "{ printf '%s | %s\\n' \"$INSTEP_NOTIFY_EVENT\" \"$INSTEP_NOTIFY_MESSAGE\"; cat; } >> ~/told";

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    assert_eq!(output.code, code, "{output}");
}

/// What the command wrote down since it was last asked.
#[track_caller]
fn told(machine: &Machine, expected: &Expect) {
    let file = machine.home().join("told");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    let area = machine.home().parent().unwrap().to_str().unwrap().to_owned();
    expected.assert_eq(&text.replace(&area, "AREA"));
}

/// Two machines in conflict about a file, seen on the right one.
fn in_conflict(settings: &[&str]) -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a $(touch x).md", "1\n");
    write(&pair.left, "b", "1\n");
    pair.connect();
    ends(&pair.right.run(settings), 0);
    write(&pair.left, "a $(touch x).md", "left\n");
    ends(&pair.left.run(["sync"]), 0);
    write(&pair.right, "a $(touch x).md", "right\n");
    pair
}

#[test]
fn a_new_conflict_is_told_once_and_the_next_one_alone() {
    let pair = in_conflict(&["config", "set", "notify.command", WRITES_DOWN]);
    ends(&pair.right.run(["sync", "-n"]), 4);
    told(&pair.right, &expect![[r#""#]]);
    let sync = pair.right.run(["sync"]);
    ends(&sync, 4);
    assert_eq!(sync.stderr.lines().filter(|line| line.contains("notify")).count(), 0, "{sync}");
    told(
        &pair.right,
        &expect![[r#"
        conflict | 1 new conflict: a $(touch x).md (c1).
        {"conflicts":[{"id":"c1","kind":"content","path":"a $(touch x).md"}],"event":"conflict","machine":"right","message":"1 new conflict: a $(touch x).md (c1).","remote":"origin","schema":1,"workspace":"AREA/right"}
    "#]],
    );
    // Neither again, nor because the file goes on changing.
    ends(&pair.right.run(["sync"]), 4);
    write(&pair.right, "a $(touch x).md", "right again\n");
    ends(&pair.right.run(["sync"]), 4);
    told(&pair.right, &expect![[r#""#]]);
    write(&pair.left, "b", "left\n");
    ends(&pair.left.run(["sync"]), 0);
    write(&pair.right, "b", "right\n");
    ends(&pair.right.run(["sync"]), 4);
    told(
        &pair.right,
        &expect![[r#"
        conflict | 1 new conflict: b (c3).
        {"conflicts":[{"id":"c3","kind":"content","path":"b"}],"event":"conflict","machine":"right","message":"1 new conflict: b (c3).","remote":"origin","schema":1,"workspace":"AREA/right"}
    "#]],
    );
    assert!(!pair.right.folder().join("x").exists(), "a name is never part of what the shell reads");
}

#[test]
fn a_halt_and_a_failure_are_told_once_and_anew_after_a_sync_that_went_well() {
    let pair = Pair::new(&crate::program());
    for number in 0..20 {
        write(&pair.left, &format!("f{number}"), "1\n");
    }
    pair.connect();
    ends(&pair.right.run(["config", "set", "notify.command", WRITES_DOWN]), 0);
    for number in 0..20 {
        fs::remove_file(pair.right.folder().join(format!("f{number}"))).unwrap();
    }
    ends(&pair.right.run(["sync"]), 6);
    ends(&pair.right.run(["sync"]), 6);
    told(
        &pair.right,
        &expect![[r#"
        halt | Stopped before changing anything: all your files (21) are missing here.
        {"code":"E-GUARD-EMPTIED","event":"halt","exit_code":6,"hint":"if you meant to delete them: `instep sync --allow delete` (contents stay restorable).","machine":"right","message":"Stopped before changing anything: all your files (21) are missing here.","remote":"origin","schema":1,"workspace":"AREA/right"}
    "#]],
    );
    ends(&pair.right.run(["sync", "--allow", "delete"]), 0);
    ends(&pair.left.run(["sync"]), 0);
    told(&pair.right, &expect![[r#""#]]);
    // A repository that is not there is a failure.
    let away = pair.bare.path().with_extension("away");
    for _ in 0..2 {
        fs::rename(pair.bare.path(), &away).unwrap();
        pair.right.run(["sync"]);
        fs::rename(&away, pair.bare.path()).unwrap();
        ends(&pair.right.run(["sync"]), 0);
    }
    told(
        &pair.right,
        &expect![[r#"
        failure | AREA/remote.git does not exist.
        {"code":"E-REMOTE-MISSING","event":"failure","exit_code":10,"hint":"`instep remote set origin ADDRESS` if the place has moved.","machine":"right","message":"AREA/remote.git does not exist.","remote":"origin","schema":1,"workspace":"AREA/right"}
        failure | AREA/remote.git does not exist.
        {"code":"E-REMOTE-MISSING","event":"failure","exit_code":10,"hint":"`instep remote set origin ADDRESS` if the place has moved.","machine":"right","message":"AREA/remote.git does not exist.","remote":"origin","schema":1,"workspace":"AREA/right"}
    "#]],
    );
}

#[test]
fn a_command_that_travels_runs_only_where_it_is_trusted() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a", "1\n");
    pair.connect();
    ends(&pair.left.run(["config", "set", "notify.command", "touch ~/ran", "--shared"]), 0);
    ends(&pair.left.run(["sync"]), 0);
    ends(&pair.right.run(["sync"]), 0);
    write(&pair.left, "a", "left\n");
    ends(&pair.left.run(["sync"]), 0);
    write(&pair.right, "a", "right\n");
    ends(&pair.right.run(["sync"]), 4);
    assert!(!pair.right.home().join("ran").exists());
    let trust = pair.right.run(["config", "trust", "--yes"]);
    expect![[r#"
        The shared settings would make this machine use:
          notify.command: touch ~/ran    (instep.yaml line 10)
        Trusted. Any edit of the shared settings withdraws it.
    "#]]
    .assert_eq(&trust.stdout);
    // What was open before there was anybody to tell is told now.
    ends(&pair.right.run(["sync"]), 4);
    assert!(pair.right.home().join("ran").exists());
    assert!(!pair.left.home().join("ran").exists());
}

#[test]
fn a_command_that_fails_is_said_and_fails_no_sync() {
    let pair = in_conflict(&["config", "set", "notify.command", "cat > /dev/null; exit 3"]);
    let sync = pair.right.run(["sync", "--quiet"]);
    ends(&sync, 4);
    expect![[r#"
        Warning: 1 conflict waiting: a $(touch x).md (c1).
        Warning: The command that tells you of news (`notify.command`) failed (exit status: 3). The sync itself is not concerned.
    "#]].assert_eq(&sync.stderr);
    // What programs read is a notice.
    fs::remove_file(pair.right.folder().join("b")).unwrap();
    write(&pair.left, "b", "left\n");
    ends(&pair.left.run(["sync"]), 0);
    let sync = pair.right.run(["sync", "--json"]);
    ends(&sync, 4);
    expect![[r#""#]].assert_eq(&sync.stderr);
}

#[test]
fn a_command_may_use_the_workspace_and_hears_no_secrets() {
    let command =
        "\"$PROGRAM\" resolve --all --keep there --no-input -q; env | grep ^INSTEP_ | sort > ~/heard";
    let pair = in_conflict(&["config", "set", "notify.command", command]);
    let program = crate::program();
    let variables = [("PROGRAM", program.as_os_str()), ("INSTEP_TOKEN", "secret".as_ref())];
    ends(&pair.right.run_with(&variables, ["sync"]), 4);
    let status = pair.right.run(["conflicts"]);
    assert!(status.stdout.contains("No conflicts"), "{status}");
    let heard = fs::read_to_string(pair.right.home().join("heard")).unwrap();
    let area = pair.right.home().parent().unwrap().to_str().unwrap().to_owned();
    expect![[r#"
        INSTEP_HOME=AREA/right-home/state
        INSTEP_NOTIFY_EVENT=conflict
        INSTEP_NOTIFY_MESSAGE=1 new conflict: a $(touch x).md (c1).
    "#]]
    .assert_eq(&heard.replace(&area, "AREA"));
}
