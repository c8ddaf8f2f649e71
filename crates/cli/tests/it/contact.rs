//! How a folder comes to be a workspace: first contacts, workspaces in one another, roots that were replaced.

use std::fs;
use std::path::Path;

use expect_test::expect;
use instep_testkit::machine::{Machine, Pair};
use serde_json::Value;

fn write(machine: &Machine, path: &str, text: &str) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.folder().join(path)).unwrap()
}

#[test]
fn two_full_folders_are_joined_and_the_first_settings_govern() {
    let pair = Pair::new(&crate::program());
    for machine in pair.machines() {
        write(machine, "same", "same\n");
        write(machine, "differs", &format!("{}\n", machine.name()));
        write(machine, &format!("only-{}", machine.name()), "1\n");
    }
    assert_eq!(pair.left.init(&pair.bare, &["--exclude=*.log"]).code, 0);
    let settings = read(&pair.left, "instep.yaml");
    let joined = pair.right.init(&pair.bare, &[]);
    assert_eq!(joined.code, 4, "{joined}");
    // The repository holds the left version: only the right machine has something to decide.
    let synced = pair.left.run(["sync"]);
    assert_eq!(synced.code, 0, "{synced}");
    for machine in pair.machines() {
        assert_eq!(read(machine, "differs"), format!("{}\n", machine.name()));
        assert_eq!((read(machine, "only-left"), read(machine, "only-right")), ("1\n".into(), "1\n".into()));
        assert_eq!(read(machine, "instep.yaml"), settings);
    }
    let listed = pair.right.run(["conflicts", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let paths: Vec<_> = listed["conflicts"].as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, ["differs"]);
}

#[test]
fn a_folder_in_a_workspace_is_refused_unless_that_one_leaves_it_out() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "in/x", "1\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    let inner = pair.left.at(&pair.left.folder().join("in"));
    let other = format!("--remote={}", pair.area().join("other.git").display());
    let refused = inner.run(["init", "--yes", &other]);
    assert!(refused.code == 2 && refused.mentions("E-CONF-OVERLAP"), "{refused}");
    assert!(!inner.folder().join(".instep").exists() && !pair.area().join("other.git").exists());
    assert_eq!(pair.left.run(["config", "add", "exclude", "/in/"]).code, 0);
    let taken = inner.run(["init", "--yes", &other]);
    assert_eq!(taken.code, 0, "{taken}");
}

#[test]
fn a_workspace_below_a_new_one_is_left_alone() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "in/x", "1\n");
    write(&pair.left, "y", "2\n");
    let inner = pair.left.at(&pair.left.folder().join("in"));
    let other = format!("--remote={}", pair.area().join("other.git").display());
    assert_eq!(inner.run(["init", "--yes", &other]).code, 0);
    let outer = pair.left.init(&pair.bare, &[]);
    assert_eq!(outer.code, 0, "{outer}");
    assert_eq!(pair.right.init(&pair.bare, &[]).code, 0);
    assert_eq!(read(&pair.right, "y"), "2\n");
    assert!(!pair.right.folder().join("in/x").exists());
}

#[test]
fn the_whole_disk_is_refused() {
    let pair = Pair::new(&crate::program());
    let other = format!("--remote={}", pair.area().join("other.git").display());
    let refused = pair.left.run(["init", "/", "--yes", &other]);
    assert!(refused.code == 2 && refused.mentions("E-CONF-ROOT"), "{refused}");
    assert!(!pair.area().join("other.git").exists());
}

#[test]
fn an_address_in_the_place_of_the_folder_is_told_apart() {
    let pair = Pair::new(&crate::program());
    let bare = pair.bare.path().display().to_string();
    for address in [&bare[..], "git@host.invalid:me/notes.git", "https://host.invalid/notes.git"] {
        let refused = pair.left.run(["init", "--yes", address]);
        let hint = format!("instep init --remote {address}");
        assert!(refused.code == 2 && refused.mentions(&hint), "{refused}");
    }
    assert!(!pair.left.folder().join(".instep").exists());
}

#[test]
fn a_replaced_root_joins_as_a_first_contact() {
    for again in [&["init", "--yes"][..], &["init", "--yes", "--remote=REMOTE"]] {
        let pair = Pair::new(&crate::program());
        write(&pair.left, "x", "1\n");
        write(&pair.left, "z", "1\n");
        assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
        let aside = pair.area().join("aside");
        fs::rename(pair.left.folder(), &aside).unwrap();
        fs::create_dir(pair.left.folder()).unwrap();
        for ours in [".instep", "instep.local.yaml"] {
            fs::rename(aside.join(ours), pair.left.folder().join(ours)).unwrap();
        }
        write(&pair.left, "x", "other\n");
        let stopped = pair.left.run(["sync"]);
        assert!(stopped.code == 6 && stopped.mentions("E-GUARD-ROOT"), "{stopped}");
        assert!(stopped.mentions("`instep init` here joins it as a first contact"), "{stopped}");
        let address = pair.bare.path().display().to_string();
        let joined = pair.left.run(again.iter().map(|word| word.replace("REMOTE", &address)));
        assert_eq!(joined.code, 4, "{joined}");
        assert_eq!((read(&pair.left, "x"), read(&pair.left, "z")), ("other\n".into(), "1\n".into()));
    }
}

#[test]
fn a_folder_whose_state_was_cleaned_away_says_so_and_joins_again() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    write(left, "x", "1\n");
    write(left, "z", "1\n");
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    fs::remove_dir_all(left.folder().join(".instep")).unwrap();
    fs::remove_file(left.folder().join("z")).unwrap();
    let stopped = left.run(["sync"]);
    expect![[r#"
        Error: E-GUARD-ROOT  The folder of this workspace has no `.instep`.
          where  FOLDER
          why    Its disk may not be mounted, or `.instep` was deleted, as `git clean -x` does.
          safe   Nothing was changed.
        Hint: mount the disk or bring `.instep` back; or `instep init` joins what is in the folder as a first contact: nothing is deleted on either side.
    "#]]
    .assert_eq(&stopped.stderr.replace(&left.folder().display().to_string(), "FOLDER"));
    assert_eq!(stopped.code, 6);
    assert_eq!(left.run(["init", "--yes"]).code, 0);
    assert_eq!((read(left, "x"), read(left, "z")), ("1\n".into(), "1\n".into()));
}

/// As on a disk that numbers everything anew when it is mounted.
#[test]
fn a_folder_of_which_only_the_number_changed_stays_the_workspace_that_it_is() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    for name in ["x", "y", "z"] {
        write(left, name, "1\n");
    }
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    let renumber = |folder: &Path| {
        let path = folder.join(".instep/identity");
        let mut identity: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        identity["state"]["inode"] = 1.into();
        fs::write(&path, identity.to_string()).unwrap();
        identity["id"].clone()
    };
    let id = renumber(left.folder());
    fs::remove_file(left.folder().join("z")).unwrap();
    assert_eq!(left.run(["status"]).code, 0);
    let synced = left.run(["sync"]);
    assert!(synced.code == 0 && !left.folder().join("z").exists(), "{synced}");
    assert_eq!(renumber(left.folder()), id);
    // Elsewhere it is a copy.
    let copy = left.at(&pair.area().join("copy"));
    fs::rename(left.folder(), copy.folder()).unwrap();
    assert_eq!(copy.run(["sync"]).code, 0);
    assert_ne!(renumber(copy.folder()), id);
}

#[test]
fn a_disconnected_folder_forgets_what_was_agreed_with_every_place() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "x", "1\n");
    write(&pair.left, "y", "1\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    let other = pair.area().join("other.git").display().to_string();
    assert_eq!(pair.left.run(["config", "set", "sync.remote", &other]).code, 0);
    assert_eq!(pair.left.run(["disconnect", "--yes"]).code, 0);
    fs::remove_file(pair.left.folder().join("x")).unwrap();
    let joined = pair.left.init(&pair.bare, &[]);
    assert_eq!(joined.code, 0, "{joined}");
    assert_eq!(read(&pair.left, "x"), "1\n");
}

#[test]
fn an_undo_takes_nothing_back_at_a_remote_that_was_disconnected_since() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "x", "1\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    assert_eq!(pair.left.run(["disconnect", "--yes"]).code, 0);
    let log = pair.left.run(["log"]);
    assert!(log.mentions("disconnect"), "{log}");
    let joined = pair.left.init(&pair.bare, &[]);
    assert_eq!(joined.code, 0, "{joined}");
    let head = pair.bare.head();
    pair.left.run(["undo", "--yes", "--no-pager"]);
    assert_eq!(pair.bare.head(), head, "what was sent before the disconnect was taken back");
}

#[test]
fn a_merge_program_that_fails_leaves_the_conflict_open() {
    let pair = Pair::new(&crate::program());
    for machine in pair.machines() {
        write(machine, "x", &format!("{}\n", machine.name()));
        machine.init(&pair.bare, &[]);
    }
    let failed = pair.right.run(["resolve", "x", "--tool", "false"]);
    assert_eq!(failed.code, 4, "{failed}");
    let settled = pair.right.run(["resolve", "x", "--tool", "cat \"$LOCAL\" \"$REMOTE\" > \"$MERGED\""]);
    assert_eq!((settled.code, read(&pair.right, "x").as_str()), (0, "right\nleft\n"), "{settled}");
}
