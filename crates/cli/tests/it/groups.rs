//! Groups, units and what a machine keeps, as people meet them in the program.

use std::fs;

use instep_testkit::machine::{Machine, Output, Pair};
use serde_json::Value;

fn write(machine: &Machine, path: &str, text: &str) {
    let file = machine.folder().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn read(machine: &Machine, path: &str) -> Option<String> {
    fs::read_to_string(machine.folder().join(path)).ok()
}

/// Both machines hold the same, by these settings.
fn agreed(settings: &str, files: &[(&str, &str)]) -> Pair {
    let pair = Pair::new(&crate::program());
    files.iter().for_each(|(path, text)| write(&pair.left, path, text));
    write(&pair.left, "instep.yaml", settings);
    done(&pair.left.init(&pair.bare, &[]));
    done(&pair.right.init(&pair.bare, &[]));
    pair
}

#[track_caller]
fn done(output: &Output) {
    assert_eq!(output.code, 0, "{output}");
}

#[track_caller]
fn sync(machine: &Machine) {
    done(&machine.run(["sync"]));
}

fn json(output: &Output) -> Value {
    serde_json::from_str(output.stdout.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn a_group_that_only_goes_out_is_not_changed_here_and_nothing_of_it_is_deleted() {
    let pair =
        agreed("groups:\n  out: { paths: ['out/**'], direction: push }\n", &[("out/a", "1\n"), ("b", "1\n")]);
    assert_eq!(read(&pair.right, "out/a"), None, "the group comes to nobody");
    // This machine alone takes the group both ways.
    done(&pair.right.run(["config", "set", "groups.out.direction", "both", "--machine"]));
    sync(&pair.right);
    assert_eq!(read(&pair.right, "out/a").as_deref(), Some("1\n"));
    write(&pair.right, "out/a", "2\n");
    write(&pair.right, "out/new", "2\n");
    write(&pair.right, "b", "2\n");
    sync(&pair.right);
    let left = pair.left.run(["sync"]);
    assert_eq!(left.code, 4, "{left}");
    assert_eq!(read(&pair.left, "out/a").as_deref(), Some("1\n"));
    assert_eq!((read(&pair.left, "out/new"), read(&pair.left, "b").as_deref()), (None, Some("2\n")));
    // Once the group goes both ways, what was left alone arrives; nothing was taken for deleted.
    write(&pair.left, "instep.yaml", "groups: {}\n");
    pair.left.run(["sync"]);
    assert_eq!(read(&pair.left, "out/new").as_deref(), Some("2\n"));
    assert_eq!(read(&pair.left, "out/a").as_deref(), Some("2\n"), "only the other machine changed it");
}

#[test]
fn a_group_that_only_comes_in_never_goes_out() {
    let pair = agreed("groups:\n  in: { paths: ['in/**'], direction: pull }\n", &[("b", "1\n")]);
    write(&pair.left, "in/mine", "1\n");
    write(&pair.left, "b", "2\n");
    sync(&pair.left);
    let preview = pair.left.run(["push", "--mirror", "-n"]);
    assert!(!preview.mentions("in/mine"), "{preview}");
    sync(&pair.right);
    assert_eq!((read(&pair.right, "in/mine"), read(&pair.right, "b").as_deref()), (None, Some("2\n")));
    assert_eq!(read(&pair.left, "in/mine").as_deref(), Some("1\n"));
}

#[test]
fn a_pull_does_not_break_the_direction_of_a_group() {
    let pair = agreed("groups:\n  out: { paths: ['out/**'], direction: push }\n", &[("out/a", "1\n")]);
    write(&pair.right, "out/new", "2\n");
    sync(&pair.right);
    for command in [&["pull"][..], &["pull", "--mirror", "--yes"]] {
        done(&pair.left.run(command));
        assert_eq!((read(&pair.left, "out/a").as_deref(), read(&pair.left, "out/new")), (Some("1\n"), None));
    }
}

#[test]
fn each_group_has_its_own_answer_and_one_given_with_a_command_is_for_all() {
    let settings = "groups:\n  a: { paths: ['a/**'], conflict_strategy: keep-local }\n";
    let pair = agreed(settings, &[("a/x", "1\n"), ("y", "1\n")]);
    for (machine, text) in [(&pair.right, "right\n"), (&pair.left, "left\n")] {
        write(machine, "a/x", text);
        write(machine, "y", text);
    }
    sync(&pair.right);
    let left = pair.left.run(["sync"]);
    assert_eq!(left.code, 4, "{left}");
    assert_eq!(json(&pair.left.run(["status", "--json"]))["conflicts"], serde_json::json!(["y"]));
    pair.right.run(["sync"]);
    assert_eq!(read(&pair.right, "a/x").as_deref(), Some("left\n"));
    write(&pair.left, "a/x", "left again\n");
    write(&pair.right, "a/x", "right again\n");
    pair.right.run(["sync"]);
    done(&pair.left.run(["sync", "--strategy", "keep-remote"]));
    assert_eq!(read(&pair.left, "a/x").as_deref(), Some("right again\n"));
}

#[test]
fn a_kind_lets_files_merge_first_whatever_the_answer() {
    let settings = "sync:\n  conflict_strategy: keep-local\ngroups:\n  texts: { paths: ['texts/**'], kind: text }\n  \
        plain: { paths: ['plain/**'] }\n  data: { paths: ['data/**'], kind: records, id: id }\n";
    let lines = |first: &str, last: &str| format!("{first}\n2\n3\n4\n5\n6\n7\n{last}\n");
    let record = |id: u32| format!("{{\"id\": {id}}}");
    let list = |records: &[String]| format!("[{}]\n", records.join(", "));
    let base = lines("1", "8");
    let pair =
        agreed(settings, &[("texts/t", &base), ("plain/t", &base), ("data/m.json", &list(&[record(1)]))]);
    for (machine, first, last, id) in [(&pair.right, "one", "8", 2), (&pair.left, "1", "eight", 3)] {
        write(machine, "texts/t", &lines(first, last));
        write(machine, "plain/t", &lines(first, last));
        write(machine, "data/m.json", &list(&[record(1), record(id)]));
    }
    sync(&pair.right);
    sync(&pair.left);
    assert_eq!(read(&pair.left, "texts/t"), Some(lines("one", "eight")));
    assert_eq!(read(&pair.left, "plain/t"), Some(lines("1", "eight")));
    let data: Value = serde_json::from_str(&read(&pair.left, "data/m.json").unwrap()).unwrap();
    assert_eq!(data.as_array().unwrap().len(), 3, "{data}");
}

#[test]
fn what_asks_for_encryption_does_not_leave_in_the_clear() {
    let pair = agreed("sync: {}\n", &[("a", "1\n")]);
    write(&pair.left, "instep.yaml", "groups:\n  s: { paths: ['s/**'], encrypt: true }\n");
    write(&pair.left, "s/key", "secret\n");
    let left = pair.left.run(["sync"]);
    assert!(left.code == 2 && left.mentions("E-CONF-LATER"), "{left}");
    sync(&pair.right);
    assert_eq!(read(&pair.right, "s/key"), None);
}

#[test]
fn changes_are_counted_in_the_words_of_the_workspace() {
    let settings = "units:\n  workspaces: ['/*/']\n  scenarios: ['/*/scenarios/*/']\n  runs: ['/*/scenarios/*/runs/*/']\n";
    let pair = agreed(settings, &[("w/workspace.json", "{}\n"), ("w/scenarios/q3/scenario.json", "{}\n")]);
    write(&pair.left, "w/scenarios/q4/scenario.json", "{}\n");
    write(&pair.left, "w/scenarios/q4/runs/1/run_metadata.json", "{}\n");
    write(&pair.left, "w/scenarios/q4/runs/2/run_metadata.json", "{}\n");
    let status = pair.left.run(["status"]);
    let expected = "1 workspace, 2 scenarios, 2 runs here; 1 workspace, 1 scenario, 2 runs to send\n";
    assert!(status.stdout.contains(expected), "{status}");
    assert_eq!(json(&pair.left.run(["status", "--json"]))["units"]["to_send"]["runs"], 2);
    let synced = pair.left.run(["sync"]);
    assert!(synced.mentions("Sent 1 workspace, 1 scenario, 2 runs."), "{synced}");
    let received = pair.right.run(["pull", "--json"]);
    assert_eq!(json(&received)["units"]["received"]["scenarios"], 1, "{received}");
    let log = json(&pair.left.run(["log", "--json"]));
    assert_eq!(log["operations"][0]["scenarios_affected"], 1, "{log}");
    assert!(pair.left.run(["log"]).stdout.contains("1 workspace, 1 scenario, 2 runs"));
}

#[test]
fn what_a_machine_does_not_keep_is_told_and_never_deleted_elsewhere() {
    let settings = "machines:\n  right: { only: ['notes/**'] }\n";
    let pair = agreed(settings, &[("notes/a", "1\n"), ("big/b", "1\n"), ("big/c", "1\n")]);
    assert_eq!((read(&pair.right, "notes/a").as_deref(), read(&pair.right, "big/b")), (Some("1\n"), None));
    let status = pair.right.run(["status", "--ignored", "--exit-code"]);
    assert!(status.code == 0 && status.stdout.contains("Not on this machine"), "{status}");
    assert!(status.stdout.contains("◌  big  instep.yaml line 2"), "{status}");
    let explained = pair.right.run(["explain", "big/b"]);
    assert!(
        explained.stdout.contains("Not on this machine") && explained.mentions("config add include"),
        "{explained}"
    );
    // A new selection brings it; the old one leaves what is here, and deletes nothing anywhere.
    done(&pair.right.run(["config", "add", "include", "big/**", "--machine"]));
    sync(&pair.right);
    assert_eq!(read(&pair.right, "big/b").as_deref(), Some("1\n"));
    done(&pair.right.run(["config", "unset", "include", "--machine"]));
    fs::remove_file(pair.right.folder().join("big/b")).unwrap();
    sync(&pair.right);
    write(&pair.left, "big/b", "2\n");
    sync(&pair.left);
    assert_eq!(read(&pair.left, "big/b").as_deref(), Some("2\n"));
    sync(&pair.right);
    assert_eq!(read(&pair.right, "big/b"), None);
    done(&pair.right.run(["config", "add", "include", "big/**", "--machine"]));
    sync(&pair.right);
    sync(&pair.left);
    assert_eq!(
        (read(&pair.right, "big/b"), read(&pair.left, "big/b")),
        (Some("2\n".to_owned()), Some("2\n".to_owned()))
    );
}

#[test]
fn a_clone_brings_only_what_it_is_told_to() {
    let pair = agreed("sync: {}\n", &[("notes/a", "1\n"), ("big/b", "1\n")]);
    let folder = pair.left.folder().parent().unwrap().join("third");
    let third = Machine::new(&crate::program(), folder.parent().unwrap(), "third");
    let place = folder.join("copy");
    let address = pair.bare.path().to_str().unwrap().to_owned();
    let cloned =
        third.run(["clone", &address, place.to_str().unwrap(), "--only", "notes/**", "--name", "third"]);
    done(&cloned);
    assert!(place.join("notes/a").exists() && !place.join("big").exists());
    let third = third.at(&place);
    fs::write(place.join("notes/a"), "2\n").unwrap();
    sync(&third);
    sync(&pair.left);
    assert_eq!(
        (read(&pair.left, "big/b").as_deref(), read(&pair.left, "notes/a").as_deref()),
        (Some("1\n"), Some("2\n"))
    );
}

#[test]
fn addresses_that_travel_are_inert_until_trusted_and_any_edit_withdraws_that() {
    let pair = agreed("sync: {}\n", &[("a", "1\n")]);
    write(
        &pair.left,
        "instep.yaml",
        "sync:\n  remote: /somewhere/else.git\n  enabled: false\n  auto_sync: true\n\
        groups:\n  d: { paths: ['d/**'], regenerate: 'touch /tmp/made' }\n",
    );
    sync(&pair.left);
    sync(&pair.right);
    // Nothing of it acts: the next syncs still go to the old place.
    write(&pair.left, "a", "2\n");
    sync(&pair.left);
    sync(&pair.right);
    assert_eq!(read(&pair.right, "a").as_deref(), Some("2\n"));
    let shown = pair.right.run(["config", "trust"]);
    assert!(shown.mentions("touch /tmp/made") && shown.mentions("/somewhere/else.git"), "{shown}");
    done(&pair.right.run(["config", "trust", "--yes"]));
    let trusted = pair.right.run(["config", "show", "--origin", "--json"]);
    assert!(trusted.stdout.contains("touch /tmp/made"), "{trusted}");
    write(&pair.left, "instep.yaml", "groups:\n  d: { paths: ['d/**'], regenerate: 'touch /tmp/other' }\n");
    sync(&pair.left);
    sync(&pair.right);
    let shown = pair.right.run(["config", "trust"]);
    assert!(shown.mentions("touch /tmp/other"), "an edit withdraws the trust: {shown}");
}
