//! Shared rules and settings as a person meets them.

use std::fs;

use instep_testkit::machine::{Machine, Pair};

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a", "1\n");
    write(&pair.left, "instep.yaml", "sync:\n  exclude: ['*.log']\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    assert_eq!(pair.right.init(&pair.bare, &[]).code, 0);
    pair
}

#[test]
fn settings_that_are_broken_here_are_told_everywhere_and_stay_here() {
    let pair = agreed();
    let left = &pair.left;
    write(left, "instep.yaml", "sync:\n  exclude: [\n");
    write(left, "x.log", "left out\n");
    write(left, "b", "2\n");
    let synced = left.run(["sync"]);
    assert!(
        synced.code == 3 && synced.mentions("E-CONF-PARSE") && synced.mentions("instep.yaml"),
        "{synced}"
    );
    let status = left.run(["status", "--exit-code"]);
    assert!(status.code == 3 && status.stdout.contains("E-CONF-PARSE"), "{status}");
    let explained = left.run(["explain", "instep.yaml"]);
    assert!(explained.code == 0 && explained.stdout.contains("last good settings"), "{explained}");
    assert_eq!(left.run(["config", "check"]).code, 2);
    let doctor = left.run(["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains("E-CONF-PARSE"), "{doctor}");
    assert_eq!(pair.right.run(["sync"]).code, 0);
    let there = |path: &str| pair.right.folder().join(path);
    assert!(there("b").exists() && !there("x.log").exists());
    assert!(fs::read_to_string(there("instep.yaml")).unwrap().contains("*.log"));
    // Nobody else's settings are at fault if this machine's own file is.
    write(left, "instep.local.yaml", "sync: [\n");
    assert_eq!(left.run(["sync"]).code, 2);
}

#[test]
fn a_preview_says_what_a_sync_will_do_by_rules_that_arrive() {
    let pair = agreed();
    write(&pair.left, ".instepignore", "*.tmp\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    write(&pair.right, "x.tmp", "mine\n");
    let preview = pair.right.run(["sync", "-n"]);
    assert!(preview.mentions(".instepignore") && !preview.mentions("x.tmp"), "{preview}");
    assert_eq!(pair.right.run(["sync"]).code, 0);
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert!(!pair.left.folder().join("x.tmp").exists());
}
