//! A day with the commands: what each prints, and how it ends, on real machines with a real repository.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use expect_test::{Expect, expect};
use instep_testkit::machine::{Machine, Output, Pair};
use serde_json::Value;

/// Two machines that agree on `x.txt` and `sub/y`.
fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "x.txt", "one\ntwo\nthree\n");
    write(&pair.left, "sub/y", "y\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    assert_eq!(pair.right.init(&pair.bare, &[]).code, 0);
    pair
}

fn write(machine: &Machine, path: &str, text: &str) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.folder().join(path)).unwrap()
}

/// The exit code and the data, with what differs between runs taken out: ids, spans and moments.
fn shows(output: &Output, expected: &Expect) {
    let steady = |word: &str| {
        let is_id = word.len() >= 4 && word.len() <= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_clock = word.len() == 5 && word.as_bytes()[2] == b':';
        match word {
            word if is_id && word.bytes().any(|b| b.is_ascii_digit()) => "ID".to_owned(),
            _ if is_clock => "HH:MM".to_owned(),
            word if word.parse::<f64>().is_ok() && word.contains('.') => "N".to_owned(),
            word => word.to_owned(),
        }
    };
    let line = |line: &str| line.split(' ').map(steady).collect::<Vec<_>>().join(" ");
    let text: Vec<String> = output.stdout.lines().map(line).collect();
    expected.assert_eq(&format!("[{}]\n{}\n", output.code, text.join("\n")));
}

fn json(output: &Output) -> Value {
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn a_change_is_seen_sent_and_received() {
    let pair = agreed();
    write(&pair.left, "x.txt", "one\n2\nthree\n");
    let changes = expect![[r#"
        [0]
        left · left (here) · origin REMOTE
        ↑ 1 to send    checked just now

        Changed here
          M  x.txt  just now
    "#]];
    let mut output = pair.left.run(["status"]);
    output.stdout = output.stdout.replace(&pair.bare.path().display().to_string(), "REMOTE");
    shows(&output, &changes);
    assert_eq!(pair.left.run(["status", "--exit-code", "-q"]).code, 8);
    let sent = expect![[r#"
        [0]
        Checked  3 here · 3 there    N s
          ↑  x.txt  12 B
        Done in N s: 1 sent.    operation ID
    "#]];
    shows(&pair.left.run(["sync"]), &sent);
    let received = expect![[r#"
        [0]
        Checked  3 here · 3 there    N s
          ↓  x.txt  12 B  previous version kept
        Done in N s: 1 received.    operation ID
    "#]];
    shows(&pair.right.run(["sync"]), &received);
    assert_eq!(read(&pair.right, "x.txt"), "one\n2\nthree\n");
}

#[test]
fn everything_is_checked_and_what_is_wrong_is_named() {
    let pair = agreed();
    write(&pair.left, "x.txt", "one\n2\nthree\n");
    assert_eq!((pair.left.run(["sync"]).code, pair.right.run(["sync"]).code), (0, 0));
    write(&pair.right, "sub/y", "edited\n");
    let sound = expect![[r#"
        [0]
        Checked  2 files here (19 B) · 1 version kept (14 B) · 2 contents there, 2 read (14 B)    N s
        1 file changed here since the last sync.
        ✓ No faults.
    "#]];
    shows(&pair.right.run(["verify", "x.txt", "sub", "--read-data"]), &sound);
    assert_eq!(pair.left.run(["verify", "-q"]).stdout, "");
    let history = pair.right.folder().join(".instep/history");
    let kept = fs::read_dir(history).unwrap().next().unwrap().unwrap().path();
    fs::write(kept, "one\ntwo\nth3ee\n").unwrap();
    let trusting = json(&pair.right.run(["verify", "--json"]));
    assert_eq!((&trusting["ok"], &trusting["counts"]["versions"]), (&true.into(), &1.into()));
    let spoiled = expect![[r#"
        [1]
        Checked  1 file here (12 B) · 1 version kept (14 B) · 1 content there, 1 read (12 B)    N s
          ✗ x.txt  E-HISTORY-DAMAGED  The version that operation ID put away at HH:MM is not what it was.
              safe: That content was at the remote, whose past may hold it still.
              fix: `instep log x.txt` lists its versions; one that the remote has comes from there.
        A version of x.txt changed after it was put away: a program had it open, or the disk damaged it.
          What it holds now: .instep/history/10e1a16f0805bd7128d2ff11264ffd33566f0ad1d980ebd0f2b3848815d2e72b
        1 fault. Nothing was changed.
    "#]];
    shows(&pair.right.run(["verify", "x.txt", "--read-data"]), &spoiled);
    let faults = json(&pair.right.run(["verify", "--json", "--read-data"]))["faults"].clone();
    assert_eq!((&faults[0]["path"], &faults[0]["code"]), (&"x.txt".into(), &"E-HISTORY-DAMAGED".into()));
}

#[test]
fn a_conflict_is_listed_settled_and_taken_back() {
    let pair = agreed();
    write(&pair.left, "x.txt", "one\nleft\nthree\n");
    write(&pair.right, "x.txt", "one\nright\nthree\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let listed = json(&pair.right.run(["conflicts", "--json"]));
    assert_eq!(
        (&listed["conflicts"][0]["id"], &listed["conflicts"][0]["path"]),
        (&"c1".into(), &"x.txt".into())
    );
    assert_eq!(json(&pair.right.run(["status", "--json"]))["in_sync"], false);
    let preview = expect![[r#"
        [0]
        c1  x.txt  there
        1 of 1 would be settled.
    "#]];
    shows(&pair.right.run(["resolve", "c1", "--keep", "there", "-n"]), &preview);
    assert_eq!(read(&pair.right, "x.txt"), "one\nright\nthree\n");
    assert_eq!(pair.right.run(["resolve", "x.*", "--keep", "there"]).code, 0);
    assert_eq!(read(&pair.right, "x.txt"), "one\nleft\nthree\n");
    assert_eq!(pair.right.run(["conflicts"]).stdout, "✓ No conflicts.\n");
    let undone = pair.right.run(["undo", "--yes"]);
    assert_eq!((undone.code, read(&pair.right, "x.txt").as_str()), (0, "one\nright\nthree\n"), "{undone}");
}

#[test]
fn a_sync_of_one_path_makes_the_new_folder_that_it_was_moved_into() {
    let pair = agreed();
    fs::create_dir(pair.left.folder().join("new")).unwrap();
    fs::rename(pair.left.folder().join("x.txt"), pair.left.folder().join("new/x.txt")).unwrap();
    write(&pair.left, "new/other", "waits");
    let synced = pair.left.run(["sync", "x.txt", "new/x.txt"]);
    assert_eq!((synced.code, pair.right.run(["sync"]).code), (0, 0), "{synced}");
    assert_eq!(read(&pair.right, "new/x.txt"), "one\ntwo\nthree\n");
    assert!(!pair.right.folder().join("x.txt").exists() && !pair.right.folder().join("new/other").exists());
}

/// Two machines that each have memories of their own before they meet, one of them the same.
#[test]
fn memories_of_two_machines_are_joined_at_first_contact_and_later() {
    let pair = Pair::new(&crate::program());
    let settings = "version: 1\ngroups:\n  memories:\n    paths: [memories/]\n    kind: records\n";
    let memories = |list: &[&str]| {
        let records: Vec<_> =
            list.iter().map(|id| format!("  {{\"id\": \"{id}\", \"text\": \"{id}!\"}}")).collect();
        format!("[\n{}\n]\n", records.join(",\n"))
    };
    write(&pair.left, "instep.yaml", settings);
    write(&pair.left, "memories/user.json", &memories(&["a", "b", "c"]));
    write(&pair.right, "memories/user.json", &memories(&["a", "d"]));
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    let met = pair.right.init(&pair.bare, &[]);
    assert!(met.code == 0 && met.mentions("2 + 3 records joined, 1 duplicate dropped"), "{met}");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(read(&pair.left, "memories/user.json"), read(&pair.right, "memories/user.json"));
    write(&pair.left, "memories/user.json", &memories(&["a", "b", "c", "d", "e"]));
    write(&pair.right, "memories/user.json", &memories(&["a", "b", "d", "f"]));
    for machine in [&pair.left, &pair.right, &pair.left] {
        assert_eq!(machine.run(["sync"]).code, 0);
    }
    let joined = read(&pair.left, "memories/user.json");
    assert_eq!(joined, read(&pair.right, "memories/user.json"));
    let ids: Vec<Value> = serde_json::from_str::<Vec<Value>>(&joined).unwrap();
    let ids: std::collections::BTreeSet<&str> =
        ids.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.into_iter().collect::<String>(), "abdef", "{joined}");
}

#[test]
fn a_conflict_that_was_settled_for_the_version_here_opens_again_by_undo() {
    let pair = agreed();
    write(&pair.left, "x.txt", "left\n");
    write(&pair.right, "x.txt", "right\n");
    assert_eq!((pair.left.run(["sync"]).code, pair.right.run(["sync"]).code), (0, 4));
    assert_eq!(pair.right.run(["resolve", "c1", "--keep", "here"]).code, 0);
    let log = json(&pair.right.run(["log", "--json"]));
    assert_eq!(log["operations"][0]["verb"], "resolve", "{log}");
    let undone = pair.right.run(["undo", "--yes"]);
    assert_eq!((undone.code, read(&pair.right, "x.txt").as_str()), (0, "right\n"), "{undone}");
    let synced = pair.right.run(["sync"]);
    assert!(synced.code == 4 && synced.mentions("x.txt"), "{synced}");
    pair.left.run(["sync"]);
    assert_eq!(read(&pair.left, "x.txt"), "left\n");
}

#[test]
fn many_conflicts_are_settled_and_taken_back_at_once() {
    let pair = agreed();
    let names: Vec<String> = (0..40).map(|number| format!("notes/{number}.md")).collect();
    for machine in pair.machines() {
        names.iter().for_each(|name| write(machine, name, machine.name()));
        machine.run(["sync"]);
    }
    let stand = |name: &str| names.iter().all(|path| read(&pair.right, path) == name);
    let settled = pair.right.run(["resolve", "--all", "--keep", "there"]);
    assert!(settled.code == 0 && settled.mentions("40 of 40 settled") && stand("left"), "{settled}");
    let undone = pair.right.run(["undo", "--yes"]);
    assert!(undone.code == 0 && stand("right"), "{undone}");
    let again = pair.right.run(["undo", "--redo", "--yes"]);
    assert!(again.code == 0 && stand("left"), "{again}");
    assert_eq!(
        (pair.right.run(["sync"]).code, pair.right.run(["conflicts"]).stdout.as_str()),
        (0, "✓ No conflicts.\n")
    );
}

#[test]
fn what_was_deleted_comes_back() {
    let pair = agreed();
    fs::remove_file(pair.left.folder().join("x.txt")).unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.left.run(["restore", "x.txt"]).code, 0);
    assert_eq!(read(&pair.left, "x.txt"), "one\ntwo\nthree\n");
    let kinds = json(&pair.left.run(["log", "--json"]));
    let verbs: Vec<_> =
        kinds["operations"].as_array().unwrap().iter().map(|one| one["verb"].clone()).collect();
    assert_eq!(verbs, ["restore", "sync", "init"]);
}

#[test]
fn paths_are_meant_from_where_a_person_stands() {
    let pair = agreed();
    let below = pair.left.at(&pair.left.folder().join("sub"));
    let explained = below.run(["explain", "./y", "--json"]);
    assert_eq!(json(&explained)["path"], "sub/y");
    assert_eq!(json(&explained)["reason"], "synced");
    let outside = below.run(["explain", "../../elsewhere"]);
    assert!(outside.code == 2 && outside.stderr.contains("E-PATH-OUTSIDE"), "{outside}");
}

#[test]
fn a_workspace_comes_to_another_machine_and_only_into_a_new_folder() {
    let pair = agreed();
    let address = pair.bare.path().display().to_string();
    let third = pair.right.at(pair.area());
    let cloned = third.run(["clone", &address, "third", "--name", "third"]);
    assert_eq!(cloned.code, 0, "{cloned}");
    assert_eq!(fs::read_to_string(pair.area().join("third/sub/y")).unwrap(), "y\n");
    let again = third.run(["clone", &address, "third"]);
    assert!(again.code == 2 && again.stderr.contains("E-CLONE-FULL"), "{again}");
    let nothing = third.run(["clone", "no-such.git"]);
    assert!(nothing.code == 10 && !pair.area().join("no-such").exists(), "{nothing}");
    assert!(!Path::new(&pair.area().join("no-such.git")).exists());
}

#[test]
fn a_disconnected_workspace_keeps_all_and_can_join_again() {
    let pair = agreed();
    assert_eq!(pair.left.run(["disconnect", "--yes"]).code, 0);
    assert_eq!(pair.left.run(["sync"]).code, 10);
    assert_eq!(read(&pair.left, "x.txt"), "one\ntwo\nthree\n");
    let joined = pair.left.init(&pair.bare, &[]);
    assert_eq!(joined.code, 0, "{joined}");
    assert!(joined.stdout.contains("In sync"), "{joined}");
}

#[test]
fn nobody_is_asked_where_nobody_can_answer() {
    let pair = Pair::new(&crate::program());
    let address = pair.bare.path().display().to_string();
    for words in [vec!["init"], vec!["init", "--remote", &address]] {
        let output = pair.left.run(&words);
        assert!(output.code == 2 && output.stderr.contains("E-NO-INPUT"), "{output}");
        assert_eq!(fs::read_dir(pair.left.folder()).unwrap().count(), 0, "a trace is left");
    }
    let error: Value = serde_json::from_str(pair.left.run(["sync", "--json"]).stderr.trim()).unwrap();
    assert_eq!((&error["code"], &error["exit_code"]), (&"E-WORKSPACE-NONE".into(), &10.into()));
}

#[test]
fn quiet_says_nothing_of_success_and_one_line_of_what_waits() {
    let pair = agreed();
    write(&pair.left, "x.txt", "one\nleft\nthree\n");
    write(&pair.right, "x.txt", "one\nright\nthree\n");
    let sent = pair.left.run(["sync", "-q"]);
    assert_eq!((sent.code, sent.stdout.as_str(), sent.stderr.as_str()), (0, "", ""), "{sent}");
    let waits = pair.right.run(["sync", "-q"]);
    let line = "Warning: 1 conflict waiting: x.txt (c1).\n";
    assert_eq!((waits.code, waits.stdout.as_str(), waits.stderr.as_str()), (4, "", line), "{waits}");
    for words in [
        &["resolve", "--all", "--keep", "here", "-q"][..],
        &["undo", "-q", "--yes"],
        &["config", "-q", "add", "exclude", "*.tmp"],
    ] {
        let done = pair.right.run(words);
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", ""), "{words:?}: {done}");
    }
    fs::remove_dir_all(pair.left.folder().join("sub")).unwrap();
    fs::remove_file(pair.left.folder().join("x.txt")).unwrap();
    let halted = pair.left.run(["sync", "-q"]);
    assert!(halted.code == 6 && halted.stdout.is_empty() && halted.mentions("E-GUARD"), "{halted}");
}

#[test]
fn a_file_that_was_named_and_is_not_there_is_wrong_usage() {
    let pair = agreed();
    write(&pair.left, "x.txt", "left\n");
    write(&pair.right, "x.txt", "right\n");
    assert_eq!((pair.left.run(["sync"]).code, pair.right.run(["sync"]).code), (0, 4));
    for words in [
        &["sync", "--plan", "no-such"][..],
        &["resolve", "x.txt", "--use", "no-such"],
        &["resolve", "x.txt", "--use", "sub"],
    ] {
        let refused = pair.right.run(words);
        assert!(
            refused.code == 2 && refused.mentions("E-USAGE  Could not read a file."),
            "{words:?}: {refused}"
        );
    }
    assert_eq!(read(&pair.right, "x.txt"), "right\n");
}

#[test]
fn a_sync_that_finds_nothing_new_tells_what_the_remote_holds() {
    let pair = agreed();
    write(&pair.left, "n", "a file\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    ["n/a", "n/b"].into_iter().for_each(|path| write(&pair.right, path, "in a folder\n"));
    let met = pair.right.run(["sync"]);
    let line = |output: &Output| {
        let line = output.stdout.lines().find(|line| line.starts_with("Checked")).unwrap_or_default();
        line.split("    ").next().unwrap_or_default().to_owned()
    };
    let again = pair.right.run(["sync"]);
    assert_eq!((met.code, again.code), (4, 4), "{met}{again}");
    assert_eq!(
        (line(&met), line(&again)),
        ("Checked  5 here · 4 there".to_owned(), line(&met)),
        "{met}{again}"
    );
}

#[test]
fn a_version_in_conflict_keeps_its_time_while_other_files_are_sent() {
    let pair = agreed();
    let date = |machine: &Machine, year: u64| {
        let file = fs::File::options().write(true).open(machine.folder().join("x.txt")).unwrap();
        let years = std::time::Duration::from_secs((year - 1970) * 31_557_600);
        file.set_modified(std::time::UNIX_EPOCH + years).unwrap();
    };
    write(&pair.left, "x.txt", "left\n");
    date(&pair.left, 2020);
    write(&pair.right, "x.txt", "right\n");
    date(&pair.right, 2022);
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    write(&pair.left, "other", "1");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let shown = json(&pair.right.run(["conflicts", "--json"]));
    let there = shown["conflicts"][0]["there"]["modified"].as_str().unwrap();
    assert!(there.starts_with("2020") || there.starts_with("2019-12-31"), "{shown}");
    assert_eq!(pair.right.run(["resolve", "--all", "--keep", "newest"]).code, 0);
    assert_eq!(read(&pair.right, "x.txt"), "right\n");
}

#[test]
fn a_pull_leaves_what_was_edited_here_and_says_so() {
    let pair = agreed();
    write(&pair.left, "x.txt", "one\ntwo\n3\n");
    write(&pair.left, "sub/new", "new\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    write(&pair.right, "x.txt", "1\ntwo\nthree\n");
    write(&pair.right, "mine", "mine\n");
    fs::remove_file(pair.right.folder().join("sub/y")).unwrap();
    shows(
        &pair.right.run(["pull"]),
        &expect![[r#"
        [0]
        Checked  3 here · 4 there    N s
          ↓  sub/new  4 B
          ⇄  x.txt    8 B  both changes joined
        Done in N s: 1 received, 1 merged, 3 changes left for `instep sync`.    operation ID
    "#]],
    );
    assert_eq!(read(&pair.right, "x.txt"), "1\ntwo\n3\n");
    assert!(!pair.right.folder().join("sub/y").exists(), "what was deleted here came back");
    shows(
        &pair.right.run(["pull"]),
        &expect![[r#"
        [0]
        Checked  4 here · 4 there    N s
        Done in N s: nothing to send or receive, 3 changes left for `instep sync`.
    "#]],
    );
    shows(
        &pair.right.run(["push"]),
        &expect![[r#"
        [0]
        Checked  4 here · 4 there    N s
          ↑  mine   5 B
          ↑  sub/y  deleted
          ↑  x.txt  8 B
        Done in N s: 3 sent.    operation ID
    "#]],
    );
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(read(&pair.left, "x.txt"), "1\ntwo\n3\n");
    assert!(pair.left.folder().join("mine").exists() && !pair.left.folder().join("sub/y").exists());
    assert!(pair.right.run(["log"]).stdout.contains("pull  ↓1 ⇄1"), "the merge is in the log");
}

#[test]
fn settings_answer_to_other_programs_words_for_them() {
    let pair = Pair::new(&crate::program());
    let machine = &pair.left;
    fs::write(machine.folder().join("a"), "1\n").unwrap();
    assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    for key in ["syncInterval", "privateSync.syncInterval", "sync_interval"] {
        assert_eq!(machine.run(["config", "get", key]).stdout, "15m\n", "{key}");
    }
    let set = machine.run(["config", "set", "privateSync.syncInterval", "5"]);
    assert_eq!(set.stdout, "Changed sync.sync_interval in instep.yaml.\n", "{set}");
    assert_eq!(machine.run(["config", "get", "syncInterval"]).stdout, "5m\n");
    let set = machine.run(["config", "set", "includeCache", "false"]);
    assert_eq!(set.stdout, "Changed groups.cache.enabled in instep.yaml.\n", "{set}");
    assert_eq!(machine.run(["config", "get", "includeCache"]).stdout, "false\n");
    let refused = machine.run(["config", "set", "encryptionKey", "00", "--shared"]);
    assert_eq!(refused.code, 2, "{refused}");
}

#[test]
fn what_this_version_has_not_is_said_where_it_is_asked_for() {
    let pair = Pair::new(&crate::program());
    let machine = &pair.left;
    fs::write(machine.folder().join("a"), "1\n").unwrap();
    assert_eq!(machine.init(&pair.bare, &[]).code, 0);
    let derived = machine.run(["restore", "--derived", "a.xlsx"]);
    assert_eq!(derived.code, 2, "{derived}");
    expect![[r#"
        Error: E-LATER  `instep restore --derived` comes in a later version.
          why    This is instep 0.1.0.
                 `regenerate` of a group is read, and not run yet.
          safe   Nothing was changed.
        Hint: run its command yourself: `instep config show` has it.
    "#]]
    .assert_eq(&derived.stderr);
    let disconnected = machine.run(["disconnect", "--forget-keys", "--yes"]);
    expect![[r#"
        Sync disconnected. All files and their history stay here.
        There are no keys to forget: this version does not encrypt.
    "#]]
    .assert_eq(&disconnected.stdout);
}

#[test]
fn a_folder_in_a_git_work_tree_is_told_what_must_not_be_committed() {
    let pair = Pair::new(&crate::program());
    let machine = &pair.left;
    fs::write(machine.folder().join("a"), "1\n").unwrap();
    let made =
        std::process::Command::new("git").arg("init").arg("-q").arg(machine.folder()).status().unwrap();
    assert!(made.success());
    let said = machine.init(&pair.bare, &[]);
    assert!(said.stderr.contains("`instep.local.yaml` into its `.gitignore`"), "{said}");
    fs::write(machine.folder().join(".gitignore"), "*.local.yaml\n").unwrap();
    assert_eq!(machine.run(["disconnect", "--yes"]).code, 0);
    let said = machine.init(&pair.bare, &[]);
    assert!(!said.stderr.contains(".gitignore"), "{said}");
    // Elsewhere there is nothing to say.
    let said = pair.right.init(&pair.bare, &[]);
    assert!(!said.stderr.contains(".gitignore"), "{said}");
}

/// The bits of a file's mode.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_looks_like_a_secret_arrives_for_its_owner_alone() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    for name in [".env", ".env.example", "id_rsa"] {
        fs::write(left.folder().join(name), "KEY=1\n").unwrap();
    }
    pair.connect();
    let usual = mode(&left.folder().join(".env.example"));
    let modes = [".env", ".env.example", "id_rsa"].map(|name| mode(&right.folder().join(name)));
    assert_eq!(modes, [0o600, usual, 0o600]);
    // What a person allowed stays allowed.
    fs::set_permissions(right.folder().join(".env"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(left.folder().join(".env"), "KEY=2\n").unwrap();
    assert_eq!((left.run(["sync"]).code, right.run(["sync"]).code), (0, 0));
    assert_eq!(mode(&right.folder().join(".env")), 0o640);
}

#[test]
fn what_comes_back_has_the_mode_that_it_had() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    for (name, text) in [("diary", "one\n"), ("run", "two\n"), ("stays", "three\n")] {
        fs::write(left.folder().join(name), text).unwrap();
    }
    pair.connect();
    let files = ["diary", "run"].map(|name| right.folder().join(name));
    for (path, mode) in files.iter().zip([0o600, 0o750]) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!((right.run(["sync"]).code, left.run(["sync"]).code), (0, 0));
    for name in ["diary", "run"] {
        fs::remove_file(left.folder().join(name)).unwrap();
    }
    assert_eq!((left.run(["sync"]).code, right.run(["sync"]).code), (0, 0));
    assert_eq!(right.run(["undo", "--yes"]).code, 0);
    assert_eq!([mode(&files[0]), mode(&files[1])], [0o600, 0o750]);
    // So has one that its owner deleted, and restores from the history of a sync.
    fs::remove_file(&files[0]).unwrap();
    assert_eq!(right.run(["sync"]).code, 0);
    assert_eq!(right.run(["restore", "diary"]).code, 0);
    assert_eq!(mode(&files[0]), 0o600);
}
