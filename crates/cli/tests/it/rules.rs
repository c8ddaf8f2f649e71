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

/// The folders of a machine, without our own.
fn folders(machine: &Machine) -> Vec<String> {
    fn below(at: &std::path::Path, path: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() && name != ".instep" {
                found.push(format!("{path}{name}"));
                below(&entry.path(), &format!("{path}{name}/"), found);
            }
        }
    }
    let mut found = Vec::new();
    below(machine.folder(), "", &mut found);
    found.sort();
    found
}

fn put(machine: &Machine, path: &str) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "1\n").unwrap();
}

#[track_caller]
fn peaceful(machine: &Machine) {
    let output = machine.run(["sync"]);
    assert!(output.code == 0 && !output.mentions("E-RACE"), "{output}");
}

#[test]
fn a_folder_without_anything_that_is_included_is_made_nowhere() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    for path in ["a/1.y", "b/1.x", "c/d/1.y", "c/e/f/1.y"] {
        put(left, path);
    }
    fs::create_dir(left.folder().join("empty")).unwrap();
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    assert_eq!(right.init(&pair.bare, &["--include", "**/*.x"]).code, 0);
    assert_eq!(folders(right), ["b"]);
    let status = right.run(["status", "--ignored"]);
    assert!(status.stdout.contains("In sync"), "{status}");
    assert!(status.stdout.lines().any(|line| line.starts_with("  ◌  a ")), "{status}");
    // Once there is something in them they come, with nothing else.
    put(left, "c/d/2.x");
    peaceful(left);
    peaceful(right);
    assert_eq!(folders(right), ["b", "c", "c/d"]);
    // A folder of that name here joins the one there.
    put(right, "a/3.x");
    peaceful(right);
    peaceful(left);
    assert!(left.folder().join("a/3.x").exists() && left.folder().join("a/1.y").exists());
}

#[test]
fn a_folder_whose_last_included_file_goes_stays_a_folder_however_deep() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    for path in ["b/1.x", "c/d/1.x", "c/d/1.y"] {
        put(left, path);
    }
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    assert_eq!(right.init(&pair.bare, &["--include", "**/*.x"]).code, 0);
    for path in ["b/1.x", "c/d/1.x"] {
        fs::remove_file(right.folder().join(path)).unwrap();
    }
    peaceful(right);
    for folder in ["b", "c/d"] {
        let explained = right.run(["explain", folder]);
        assert!(explained.stdout.starts_with("Synced: both sides hold the same.\n"), "{explained}");
    }
    let status = right.run(["status", "--ignored"]);
    assert!(!status.stdout.contains("nothing in this folder"), "{status}");
    peaceful(left);
    assert!(left.folder().join("c/d/1.y").exists() && !left.folder().join("c/d/1.x").exists());
    for path in ["b/2.x", "c/d/2.x"] {
        put(left, path);
    }
    peaceful(left);
    peaceful(right);
    assert!(right.folder().join("b/2.x").exists() && right.folder().join("c/d/2.x").exists());
}

#[test]
fn a_preview_names_no_folder_that_comes_with_its_files() {
    let pair = Pair::new(&crate::program());
    put(&pair.left, "a/b/1");
    fs::create_dir_all(pair.left.folder().join("e/f")).unwrap();
    let preview = pair.left.init(&pair.bare, &["-n"]);
    assert!(
        preview.stdout.starts_with("  ↑  add  a/b/1        2 B\n  ↑  add  e/f/\n  ↑  add  instep.yaml  "),
        "{preview}"
    );
    assert!(preview.stdout.contains("would send 3 changes"), "{preview}");
}

#[test]
fn secrets_that_git_does_not_ignore_are_missed_aloud() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, ".env", "A=1\n");
    let init = pair.left.init(&pair.bare, &["--preset", "secrets"]);
    assert!(init.code == 0 && init.mentions("git ignores nothing that stands here"), "{init}");
    // The rules come with the first sync.
    let joined = pair.right.init(&pair.bare, &[]);
    assert!(joined.code == 0 && joined.mentions("git ignores nothing that stands here"), "{joined}");
    let pair = Pair::new(&crate::program());
    write(&pair.right, ".env", "A=1\n");
    write(&pair.right, ".gitignore", ".env\n");
    let init = pair.right.init(&pair.bare, &["--preset", "secrets"]);
    assert!(init.code == 0 && !init.mentions("git ignores nothing"), "{init}");
    let address = pair.bare.path().display().to_string();
    let cloned = pair.left.run(["clone", &address, "fresh"]);
    assert!(cloned.code == 0 && cloned.mentions("git ignores nothing that stands here"), "{cloned}");
}

#[test]
fn a_report_that_would_be_synced_is_refused() {
    let pair = agreed();
    let left = &pair.left;
    let refused = left.run(["doctor", "--bundle", "report.txt"]);
    assert!(refused.code == 2 && refused.mentions("E-SYNCED"), "{refused}");
    assert!(!left.folder().join("report.txt").exists());
    for here in ["report.log", "report.local.txt", "../report.txt"] {
        assert_eq!(left.run(["doctor", "--bundle", here]).code, 0, "{here}");
    }
}
