//! `explain`: every answer to "why is this not the same everywhere?", as a person reads it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use expect_test::expect;
use instep_testkit::machine::{Machine, Output, Pair};

fn write(machine: &Machine, path: &str, text: &str) {
    let file = machine.folder().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[track_caller]
fn done(output: &Output) {
    assert_eq!(output.code, 0, "{output}");
}

/// All that is said of some paths, without moments and what else differs between runs.
fn explained(machine: &Machine, paths: &[&str]) -> String {
    let mut text = String::new();
    for path in paths {
        let output = machine.run(["explain", path]);
        text.push_str(&format!("$ instep explain {}\n", &path[..path.len().min(20)]));
        for line in output.stdout.lines().chain(output.stderr.lines()).filter(|line| !line.is_empty()) {
            let cut = [", changed ", " (checked ", ", operation ", " since "];
            let cut = cut.iter().filter_map(|word| line.find(word)).min().unwrap_or(line.len());
            let line = line[..cut].replace(&machine.folder().parent().unwrap().display().to_string(), "…");
            let words = line.split(' ').map(|word| if is_moment(word) { "HH:MM" } else { word });
            let line = words.collect::<Vec<_>>().join(" ");
            text.push_str(line.replace(path, &path[..path.len().min(20)]).trim_end());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

fn is_moment(word: &str) -> bool {
    word.len() == 5 && word.as_bytes()[2] == b':' && word.bytes().filter(u8::is_ascii_digit).count() == 4
}

#[test]
fn what_takes_no_part_says_by_which_rule() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    write(left, "instep.yaml", "sync:\n  gitignore: respect\n  exclude: ['*.tmp']\n  limit: 1KB\n");
    write(left, "instep.local.yaml", "sync:\n  exclude: [mine/]\n");
    write(left, ".gitignore", "build/\n");
    write(left, ".instepignore", "notes.old\n");
    for path in ["a.tmp", "mine/a", "build/a", "notes.old", "sub/.env.local", "node_modules/a", ".git/config"]
    {
        write(left, path, "x");
    }
    write(left, "large", &"x".repeat(2_000));
    fs::create_dir_all(left.folder().join("other/.instep/staging")).unwrap();
    symlink("/etc/hosts", left.folder().join("outside")).unwrap();
    let _socket = UnixListener::bind(left.folder().join("socket")).unwrap();
    assert_eq!(left.connect(&pair.bare).code, 3, "some of it is held");
    expect![[r#"
        $ instep explain a.tmp
        Not synced.
          because  instep.yaml line 3: exclude "*.tmp"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!a.tmp'` takes it back in.

        $ instep explain mine/a
        Not on this machine: a rule of its own leaves it out here.
          because  instep.local.yaml line 2: exclude "mine/"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!mine' --machine` takes it back in.

        $ instep explain build/a
        Not synced.
          because  .gitignore line 1: "build/"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!build'` takes it back in.

        $ instep explain notes.old
        Not synced.
          because  .instepignore line 1: "notes.old"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!notes.old'` takes it back in.

        $ instep explain sub/.env.local
        Not synced.
          because  built in: "*.local"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!sub/.env.local'` takes it back in.

        $ instep explain node_modules/a
        Not synced.
          because  built in: "node_modules/"
          there    nothing, as far as is known
        Hint: `instep config add exclude '!node_modules'` takes it back in.

        $ instep explain .git/config
        Not synced.
          because  names like this never travel
          there    nothing, as far as is known

        $ instep explain large
        Not synced.
          because  2000 bytes are more than the 1000 that the remote takes (E-SIZE-REMOTE)
          here     2.0 KB
          there    nothing, as far as is known

        $ instep explain other/x
        Not synced.
          because  another workspace
          there    nothing, as far as is known

        $ instep explain outside
        Not synced.
          because  the link leads out of the workspace, or means another place on other machines
          there    nothing, as far as is known
        Hint: `instep config set symlinks any --machine` carries all links as they are.

        $ instep explain socket
        Not synced.
          because  it is a socket, device or pipe
          there    nothing, as far as is known

        $ instep explain nowhere
        Nothing stands here, and nothing is known of it.
          here   nothing
          there  nothing, as far as is known

    "#]]
    .assert_eq(&explained(
        left,
        &[
            "a.tmp",
            "mine/a",
            "build/a",
            "notes.old",
            "sub/.env.local",
            "node_modules/a",
            ".git/config",
            "large",
            "other/x",
            "outside",
            "socket",
            "nowhere",
        ],
    ));
}

#[test]
fn what_waits_says_for_what() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    write(left, "same", "1");
    write(left, "torn", "1\n");
    pair.connect();
    write(&pair.right, "torn", "right\n");
    done(&pair.right.run(["sync"]));
    write(left, "torn", "left\n");
    assert_eq!(left.run(["sync"]).code, 4);
    write(left, "undone", "1");
    assert_eq!(left.run(["sync"]).code, 4);
    done(&left.run(["undo", "--yes"]));
    let long = "x".repeat(300);
    let blob = pair.bare.blob(b"long");
    pair.bare.commit_onto_head(&[("100644", long.as_bytes(), &blob)], "a long name");
    assert_eq!(left.run(["sync"]).code, 4);
    let away = pair.area().join("away.git");
    fs::rename(pair.bare.path(), &away).unwrap();
    write(left, "new", "1");
    assert_eq!(left.run(["sync"]).code, 10);
    expect![[r#"
        $ instep explain same
        Synced: both sides hold the same.
          here         1 B
          there        1 B
          last change  HH:MM

        $ instep explain torn
        In conflict
          because      changed on both: 1 place overlaps
          versions     left HH:MM · right HH:MM
          here         5 B
          there        6 B
          last change  HH:MM
        Hint: `instep resolve c1` settles it.

        $ instep explain undone
        Synced: both sides hold the same.
          here         1 B
          there        1 B
          last change  HH:MM

        $ instep explain xxxxxxxxxxxxxxxxxxxx
        Held: the last sync could not do it, and the next one tries again.
          because    the name is 300 bytes, this disk allows 255 (E-PATH-LONG)
          here       nothing
          there      nothing, as far as is known
          last sync  failed just now: …/remote.git does not exist. (E-REMOTE-MISSING)
        Hint: `instep sync` tries again once the cause is gone.

        $ instep explain new
        Waits: it goes with the next sync.
          here       1 B
          there      nothing, as far as is known
          last sync  failed just now: …/remote.git does not exist. (E-REMOTE-MISSING)
        Hint: `instep sync` sends it.

    "#]]
    .assert_eq(&explained(left, &["same", "torn", "undone", &long, "new"]));
}

#[test]
fn what_a_guard_stopped_is_told_where_something_waits() {
    let pair = Pair::new(&crate::program());
    let left = &pair.left;
    (0..140).for_each(|at| write(left, &format!("d/{at}"), &format!("{at}")));
    pair.connect();
    fs::remove_dir_all(left.folder().join("d")).unwrap();
    write(left, "new", "1");
    assert_eq!(left.run(["sync"]).code, 6);
    expect![[r#"
        $ instep explain new
        Waits: it goes with the next sync.
          here       1 B
          there      nothing, as far as is known
          last sync  failed just now: Stopped before changing anything: 99% of your files (140 of 141) are missing here. (E-GUARD-DELETE)
        Hint: `instep sync` sends it.

        $ instep explain d/7
        Waits: it goes with the next sync.
          here         nothing
          there        1 B
          last sync    failed just now: Stopped before changing anything: 99% of your files (140 of 141) are missing here. (E-GUARD-DELETE)
          last change  HH:MM
        Hint: `instep sync` sends it.

    "#]].assert_eq(&explained(left, &["new", "d/7"]));
}

#[test]
fn what_can_not_be_read_says_how_to_change_that() {
    let pair = Pair::unprivileged(&crate::program());
    let left = &pair.left;
    write(left, "secret", "1");
    write(left, "locked/a", "1");
    pair.hand_over();
    fs::set_permissions(left.folder().join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(left.folder().join("locked"), fs::Permissions::from_mode(0o000)).unwrap();
    left.connect(&pair.bare);
    expect![[r#"
        $ instep explain secret
        Not synced.
          because  it can't be read: permission denied
          there    nothing, as far as is known
        Hint: `chmod u+r secret`.

        $ instep explain locked/a
        Not synced.
          because  it can't be read: permission denied
          there    nothing, as far as is known
        Hint: `chmod u+r locked`.

    "#]]
    .assert_eq(&explained(left, &["secret", "locked/a"]));
    fs::set_permissions(left.folder().join("locked"), fs::Permissions::from_mode(0o700)).unwrap();
}
