//! Remotes by name: what is said of them, and what a name costs.

use std::fs;
use std::path::Path;

use instep_testkit::bare::Bare;
use instep_testkit::machine::{Machine, Output, Pair};

fn write(machine: &Machine, path: &str, text: &str) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn local_settings(machine: &Machine) -> String {
    fs::read_to_string(machine.folder().join("instep.local.yaml")).unwrap()
}

/// Runs it to a good end.
#[track_caller]
fn good<const N: usize>(machine: &Machine, arguments: [&str; N]) -> Output {
    let output = machine.run(arguments);
    assert_eq!(output.code, 0, "{arguments:?}: {output}");
    output
}

#[track_caller]
fn refused<const N: usize>(machine: &Machine, arguments: [&str; N], code: &str) {
    let before = local_settings(machine);
    let output = machine.run(arguments);
    assert!(output.code == 2 && output.mentions(code), "{arguments:?}: {output}");
    assert_eq!(local_settings(machine), before, "{arguments:?}");
}

fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a.txt", "1\n");
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    assert_eq!(pair.right.init(&pair.bare, &[]).code, 0);
    pair
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn another_name_costs_nothing_and_loses_nothing() {
    let pair = agreed();
    let (left, address) = (&pair.left, text(pair.bare.path()));
    good(left, ["remote", "set", "origin", address, "--limit", "1MB", "--branch", "main"]);
    for (from, to) in [("origin", "home"), ("home", "my-place_2"), ("my-place_2", "origin")] {
        // A deletion shows whether the base is still known: on a first contact the file would come back.
        write(left, "b.txt", "2\n");
        good(left, ["sync"]);
        fs::remove_file(left.folder().join("b.txt")).unwrap();
        let head = pair.bare.head();
        good(left, ["remote", "rename", from, to]);
        assert_eq!(pair.bare.head(), head, "a name is no matter of the repository");
        let listed = good(left, ["remote", "list"]);
        assert_eq!(listed.stdout, format!("{to}  git  {address}  branch main\n"));
        assert!(good(left, ["remote", "list", "--json"]).mentions("\"limit\":1000000"));
        good(left, ["sync", "--remote", to]);
        assert!(!left.folder().join("b.txt").exists(), "after {from} became {to}");
        assert!(good(left, ["status"]).stdout.contains(&format!("{to} ")));
        assert!(good(left, ["doctor"]).stdout.contains(&format!("remote {to}")));
        good(left, ["remote", "test", to]);
        refused(left, ["sync", "--remote", "nobody"], "E-REMOTE-UNKNOWN");
        refused(left, ["remote", "test", "nobody"], "E-REMOTE-UNKNOWN");
    }
    // An `init` again finds it under its name.
    good(left, ["remote", "rename", "origin", "home"]);
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    assert_eq!(good(left, ["remote", "list"]).stdout, format!("home  git  {address}  branch main\n"));
    good(left, ["disconnect", "--yes"]);
    assert_eq!(good(left, ["remote", "list"]).stdout, "No remote.\n");
    good(left, ["remote", "add", "mine", address]);
    good(left, ["sync"]);
    assert!(local_settings(left).contains("mine:"), "{}", local_settings(left));
}

#[test]
fn names_that_can_not_be_are_refused() {
    let pair = agreed();
    let (left, address) = (&pair.left, text(pair.bare.path()));
    for name in ["", "a.b", "a b", "../x", "-x", "é", "x\n", &"n".repeat(33)] {
        refused(left, ["remote", "rename", "--", "origin", name], "E-REMOTE-NAME");
        refused(left, ["remote", "add", "--", name, "/tmp/x.git"], "E-REMOTE-NAME");
    }
    refused(left, ["remote", "rename", "origin", "origin"], "E-REMOTE-NAME");
    refused(left, ["remote", "rename", "nobody", "x"], "E-REMOTE-UNKNOWN");
    refused(left, ["remote", "remove", "nobody"], "E-REMOTE-UNKNOWN");
    refused(left, ["remote", "set", "nobody", address], "E-REMOTE-UNKNOWN");
    refused(left, ["remote", "add", "twice", address], "E-REMOTE-TWICE");
    // What all machines are told of a remote stays with its name.
    fs::write(left.folder().join("instep.yaml"), "version: 1\nremotes:\n  origin: { paths: [\"a.txt\"] }\n")
        .unwrap();
    refused(left, ["remote", "rename", "origin", "x"], "E-REMOTE-NAME");
}

/// A person's two machines on a place of their own; a team's place, and the machine of somebody in it.
struct Two {
    pair: Pair,
    team: Bare,
    mate: Machine,
}

impl Two {
    /// The left machine has both places: of the team's it holds `plans/`.
    fn new(flags: &[&str]) -> Self {
        let pair = agreed();
        let team = Bare::create(&pair.area().join("team.git"));
        let mate = Machine::new(&crate::program(), pair.area(), "mate");
        write(&mate, "plans/one.txt", "1\n2\n3\n4\n5\n");
        write(&mate, "mine/of-the-mate.txt", "m\n");
        assert_eq!(mate.init(&team, &[]).code, 0);
        let address = text(team.path()).to_owned();
        let fixed = ["remote", "add", "team", &address, "--paths", "plans/**"];
        let output = pair.left.run(fixed.into_iter().chain(flags.iter().copied()));
        assert_eq!(output.code, 0, "{output}");
        Two { pair, team, mate }
    }

    fn sync_left(&self, code: i32) -> Output {
        let output = self.pair.left.run(["sync"]);
        assert_eq!(output.code, code, "{output}");
        output
    }
}

/// The paths of all files of a branch.
fn listed(bare: &Bare) -> String {
    let paths = bare.git(["ls-tree", "-r", "--name-only", "refs/heads/main"], b"");
    String::from_utf8(paths).unwrap().lines().collect::<Vec<_>>().join(" ")
}

fn holds(machine: &Machine, path: &str) -> Option<String> {
    fs::read_to_string(machine.folder().join(path)).ok()
}

#[test]
fn two_remotes_hold_what_each_is_to_hold() {
    let two = Two::new(&[]);
    let (left, right, mate) = (&two.pair.left, &two.pair.right, &two.mate);
    write(left, "plans/two.txt", "2\n");
    write(left, "notes/own.txt", "o\n");
    two.sync_left(0);
    assert_eq!(listed(&two.team), "instep.yaml mine/of-the-mate.txt plans/one.txt plans/two.txt");
    // What came from the team goes on to the person's own place in the same breath.
    assert_eq!(listed(&two.pair.bare), "a.txt instep.yaml notes/own.txt plans/one.txt plans/two.txt");
    assert_eq!(holds(left, "mine/of-the-mate.txt"), None);
    good(right, ["sync"]);
    assert_eq!(holds(right, "plans/one.txt").as_deref(), Some("1\n2\n3\n4\n5\n"));
    // Nothing to do is nothing done.
    let heads = (two.pair.bare.head(), two.team.head());
    two.sync_left(0);
    assert_eq!((two.pair.bare.head(), two.team.head()), heads);

    // A merge of three machines through two places.
    write(right, "plans/one.txt", "one\n2\n3\n4\n5\n");
    good(right, ["sync"]);
    write(mate, "plans/one.txt", "1\n2\n3\n4\nfive\n");
    fs::remove_file(mate.folder().join("mine/of-the-mate.txt")).unwrap();
    good(mate, ["sync"]);
    two.sync_left(0);
    good(right, ["sync"]);
    good(mate, ["sync"]);
    for machine in [left, right, mate] {
        assert_eq!(
            holds(machine, "plans/one.txt").as_deref(),
            Some("one\n2\n3\n4\nfive\n"),
            "{}",
            machine.name()
        );
    }

    // A deletion within goes everywhere; one outside is no matter of the team.
    fs::remove_file(mate.folder().join("plans/two.txt")).unwrap();
    good(mate, ["sync"]);
    let team = two.team.head();
    fs::remove_file(left.folder().join("notes/own.txt")).unwrap();
    two.sync_left(0);
    assert_eq!(two.team.head(), team);
    assert_eq!(listed(&two.pair.bare), "a.txt instep.yaml plans/one.txt");
    assert_eq!(listed(&two.team), "instep.yaml plans/one.txt");
}

#[test]
fn a_path_that_a_remote_holds_no_more_is_deleted_nowhere() {
    let two = Two::new(&[]);
    let left = &two.pair.left;
    two.sync_left(0);
    let team = two.team.head();
    good(left, ["config", "unset", "remotes.team.paths", "--machine"]);
    good(left, ["config", "add", "remotes.team.paths", "other/**", "--machine"]);
    two.sync_left(0);
    fs::remove_file(left.folder().join("plans/one.txt")).unwrap();
    two.sync_left(0);
    assert_eq!(two.team.head(), team, "what was deleted while it was no matter of the team stays there");
    assert_eq!(listed(&two.pair.bare), "a.txt instep.yaml");
    good(left, ["config", "add", "remotes.team.paths", "plans/**", "--machine"]);
    two.sync_left(0);
    assert_eq!(listed(&two.team), "instep.yaml mine/of-the-mate.txt plans/one.txt");
    assert!(holds(left, "plans/one.txt").is_some(), "nobody saw it being deleted with the team");
    // The other name of one remote is no matter of the other, and neither is its end.
    good(left, ["remote", "rename", "team", "club"]);
    good(left, ["remote", "remove", "club", "--yes"]);
    let heads = (two.pair.bare.head(), two.team.head());
    fs::remove_file(left.folder().join("plans/one.txt")).unwrap();
    two.sync_left(0);
    assert!(heads.0 != two.pair.bare.head() && heads.1 == two.team.head());
}

#[test]
fn a_read_only_remote_is_only_received_from() {
    let two = Two::new(&["--read-only"]);
    let (left, mate) = (&two.pair.left, &two.mate);
    two.sync_left(0);
    let team = two.team.head();
    write(left, "plans/two.txt", "2\n");
    two.sync_left(0);
    assert_eq!(two.team.head(), team);
    assert!(listed(&two.pair.bare).contains("plans/two.txt"));
    good(left, ["push"]);
    assert_eq!(two.team.head(), team);
    refused(left, ["push", "--remote", "team"], "E-REMOTE-READ-ONLY");
    write(mate, "plans/one.txt", "new\n");
    good(mate, ["sync"]);
    two.sync_left(0);
    assert_eq!(holds(left, "plans/one.txt").as_deref(), Some("new\n"));
    assert!(good(left, ["remote", "list"]).stdout.ends_with("branch main  paths plans/**  read only\n"));
}

#[test]
fn a_limit_holds_for_its_remote_alone() {
    let two = Two::new(&["--limit", "1KB"]);
    write(&two.pair.left, "plans/large.txt", &"x".repeat(2000));
    let output = two.sync_left(3);
    assert!(output.mentions("E-SIZE-REMOTE"), "{output}");
    assert!(!listed(&two.team).contains("large"));
    assert!(listed(&two.pair.bare).contains("plans/large.txt"));
}

#[test]
fn a_remote_that_is_away_keeps_no_other_from_its_turn() {
    let two = Two::new(&[]);
    let left = &two.pair.left;
    two.sync_left(0);
    for (away, other) in [(&two.pair.bare, &two.team), (&two.team, &two.pair.bare)] {
        let aside = two.pair.area().join("aside.git");
        fs::rename(away.path(), &aside).unwrap();
        let before = other.head();
        write(left, "plans/one.txt", &format!("while {:?} is away\n", away.path()));
        let output = left.run(["sync"]);
        assert!(output.code != 0 && output.mentions("E-REMOTE-MISSING"), "{output}");
        assert_ne!(other.head(), before);
        fs::rename(&aside, away.path()).unwrap();
        two.sync_left(0);
    }
    good(&two.mate, ["sync"]);
    assert_eq!(holds(&two.mate, "plans/one.txt"), holds(left, "plans/one.txt"));
}

#[test]
fn a_conflict_with_one_remote_is_settled_there() {
    let two = Two::new(&[]);
    let (left, mate) = (&two.pair.left, &two.mate);
    two.sync_left(0);
    write(left, "plans/one.txt", "left\n");
    write(mate, "plans/one.txt", "mate\n");
    good(mate, ["sync"]);
    two.sync_left(4);
    // Each command tells of all remotes, and each conflict has a name of its own.
    assert!(good(left, ["conflicts"]).stdout.starts_with("With team\nc1  plans/one.txt"));
    assert!(!good(left, ["conflicts", "--remote", "origin"]).mentions("plans/one.txt"));
    let status = good(left, ["status"]).stdout;
    assert!(status.contains("\nNeeds you, with team\n"), "{status}");
    let object = json(&good(left, ["status", "--json"]));
    assert_eq!(
        (object["state"].as_str(), object["conflicts"][0].as_str()),
        (Some("needs-you"), Some("plans/one.txt"))
    );
    assert_eq!(object["remotes"][0]["state"], "in-sync");
    assert_eq!(object["remotes"][1]["pending_conflicts"][0]["remote"], "team");
    assert_eq!(left.run(["status", "--exit-code"]).code, 4);
    assert_eq!(left.run(["status", "--exit-code", "--remote", "origin"]).code, 0);
    good(left, ["resolve", "c1", "--keep", "there"]);
    two.sync_left(0);
    assert_eq!(holds(left, "plans/one.txt").as_deref(), Some("mate\n"));
    good(&two.pair.right, ["sync"]);
    assert_eq!(holds(&two.pair.right, "plans/one.txt").as_deref(), Some("mate\n"));
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout).unwrap()
}

/// Both remotes are in conflict with what stands here.
fn in_two_conflicts() -> Two {
    let two = Two::new(&[]);
    let (left, right, mate) = (&two.pair.left, &two.pair.right, &two.mate);
    two.sync_left(0);
    for (machine, path, text) in [
        (left, "a.txt", "left\n"),
        (right, "a.txt", "right\n"),
        (left, "plans/one.txt", "left\n"),
        (mate, "plans/one.txt", "mate\n"),
    ] {
        write(machine, path, text);
    }
    good(right, ["sync"]);
    good(mate, ["sync"]);
    two
}

#[test]
fn a_conflicts_number_means_one_conflict_of_all_remotes() {
    let two = in_two_conflicts();
    let left = &two.pair.left;
    // A look counts as the sync does that puts them on record.
    for when in ["before", "after"] {
        let status = good(left, ["status", "--fetch"]).stdout;
        let lines: Vec<&str> =
            status.lines().filter(|line| line.contains('⚠') && line.contains("overlap")).collect();
        assert!(lines[0].contains("a.txt") && lines[0].ends_with("c1"), "{when}: {status}");
        assert!(lines[1].contains("plans/one.txt") && lines[1].ends_with("c2"), "{when}: {status}");
        two.sync_left(4);
    }
    let listed = good(left, ["conflicts"]).stdout;
    assert!(
        listed.contains("With origin\nc1  a.txt") && listed.contains("With team\nc2  plans/one.txt"),
        "{listed}"
    );
    assert!(good(left, ["conflicts", "c2"]).mentions("mate"));
    let output = good(left, ["resolve", "--all", "--keep", "there"]);
    assert_eq!(output.stdout, "c1  a.txt  there\nc2  plans/one.txt  there\n2 of 2 settled.\n");
    two.sync_left(0);
    assert_eq!(holds(left, "a.txt").as_deref(), Some("right\n"));
    assert_eq!(holds(left, "plans/one.txt").as_deref(), Some("mate\n"));
}

#[test]
fn two_conflicts_that_an_older_program_gave_one_number_are_told_apart() {
    let two = in_two_conflicts();
    let left = &two.pair.left;
    two.sync_left(4);
    let state = rusqlite::Connection::open(left.folder().join(".instep/state.db")).unwrap();
    state.execute_batch("UPDATE conflict SET number = 1; UPDATE remote SET next_conflict = 2").unwrap();
    drop(state);
    // Whoever only reads may still meet both.
    let both = good(left, ["conflicts", "c1"]).stdout;
    assert!(both.contains("c1  a.txt") && both.contains("c1  plans/one.txt"), "{both}");
    let output = good(left, ["resolve", "c1", "--keep", "there"]);
    assert_eq!(output.stdout, "c1  a.txt  there\n1 of 1 settled.\n");
    assert!(good(left, ["conflicts"]).stdout.starts_with("With team\nc2  plans/one.txt"));
}

#[test]
fn an_undo_reaches_the_remote_that_the_operation_was_done_with() {
    let two = Two::new(&[]);
    let (left, own, team) = (&two.pair.left, &two.pair.bare, &two.team);
    two.sync_left(0);
    write(left, "plans/one.txt", "edited here\n");
    two.sync_left(0);
    // The last operation sent it to the team.
    let (own_before, team_before) = (own.head(), team.head());
    let shown = good(left, ["undo", "-n"]).stdout;
    assert!(shown.starts_with("At team\n  plans/one.txt\n"), "{shown}");
    assert_eq!(json(&good(left, ["undo", "--json", "--yes"]))["remote"], "team");
    assert!(own.head() == own_before && team.head() != team_before);
    good(&two.mate, ["sync"]);
    assert_eq!(holds(&two.mate, "plans/one.txt").as_deref(), Some("1\n2\n3\n4\n5\n"));
    // The one before that sent it to the person's own place; and an undo is taken back where it was done.
    good(left, ["undo", "--yes"]);
    assert_ne!(own.head(), own_before);
    let own_before = own.head();
    good(left, ["undo", "--redo", "--yes"]);
    good(left, ["undo", "--redo", "--yes"]);
    assert_ne!(own.head(), own_before);
    good(&two.mate, ["sync"]);
    assert_eq!(holds(&two.mate, "plans/one.txt").as_deref(), Some("edited here\n"));
    // A remote can be named.
    two.sync_left(0);
    assert!(good(left, ["undo", "-n", "--remote", "origin"]).stdout.contains("At origin\n  plans/one.txt\n"));
    assert!(left.run(["undo", "-n", "--remote", "nobody"]).mentions("E-REMOTE-UNKNOWN"));
    // Where it went is no remote any more: only what is here goes back.
    good(left, ["remote", "remove", "team", "--yes"]);
    let ids = json(&good(left, ["log", "--json"]))["operations"].clone();
    let sent =
        ids.as_array().unwrap().iter().find(|one| one["remote_url"] == text(team.path()) && one["sent"] == 1);
    let id = sent.unwrap()["id"].as_str().unwrap().to_owned();
    let team_before = team.head();
    let output = good(left, ["undo", &id, "--yes"]);
    assert!(output.mentions("is no remote of this workspace any more"), "{output}");
    assert_eq!(team.head(), team_before);
}

#[test]
fn an_undo_that_waits_for_one_remote_is_finished_with_that_one() {
    let two = Two::new(&[]);
    let (left, team) = (&two.pair.left, &two.team);
    two.sync_left(0);
    write(left, "plans/two.txt", "2\n");
    two.sync_left(0);
    let aside = two.pair.area().join("aside.git");
    fs::rename(team.path(), &aside).unwrap();
    let output = good(left, ["undo", "--yes"]);
    assert!(output.mentions("Team could not be reached: its part goes with the next sync."), "{output}");
    fs::rename(&aside, team.path()).unwrap();
    let output = two.sync_left(0);
    assert!(output.mentions("its part at the remote was taken back now"), "{output}");
    assert_eq!(listed(team), "instep.yaml mine/of-the-mate.txt plans/one.txt");
}

#[test]
fn a_version_that_only_the_second_remote_holds_comes_back() {
    let two = Two::new(&[]);
    let left = &two.pair.left;
    // The person's own place holds no plans.
    good(left, ["config", "add", "remotes.origin.paths", "a.txt", "--machine"]);
    two.sync_left(0);
    assert!(!listed(&two.pair.bare).contains("plans"));
    fs::remove_file(left.folder().join("plans/one.txt")).unwrap();
    good(left, ["restore", "plans/one.txt", "--at", &last_operation(left)]);
    assert_eq!(holds(left, "plans/one.txt").as_deref(), Some("1\n2\n3\n4\n5\n"));
}

fn last_operation(machine: &Machine) -> String {
    json(&good(machine, ["log", "--json"]))["operations"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_path_is_explained_compared_and_verified_with_each_remote_it_belongs_to() {
    let two = Two::new(&[]);
    let (left, mate) = (&two.pair.left, &two.mate);
    two.sync_left(0);
    write(mate, "plans/one.txt", "mate\n");
    good(mate, ["sync"]);
    good(left, ["status", "--fetch"]);
    let explained = good(left, ["explain", "a.txt"]);
    assert!(explained.stdout.starts_with("origin: Synced: both sides hold the same.\n"), "{explained}");
    let outside = "team: Not one of its paths.\n  because  instep.local.yaml line 6: the remote's paths do not name it\n";
    assert!(explained.stdout.ends_with(outside) && !explained.mentions("Hint"), "{explained}");
    let alone = good(left, ["explain", "a.txt", "--remote", "team"]);
    assert!(alone.mentions("`instep config add remotes.team.paths a.txt --machine`"), "{alone}");
    let object = json(&good(left, ["explain", "plans/one.txt", "--json"]));
    assert_eq!(
        (&object["remotes"][0]["remote"], &object["remotes"][1]["remote"]),
        (&"origin".into(), &"team".into())
    );

    let differs = good(left, ["diff"]).stdout;
    assert!(
        differs.starts_with("--- plans/one.txt (mate, team)\n+++ plans/one.txt (left, here)\n"),
        "{differs}"
    );
    assert!(good(left, ["diff", "--remote", "origin"]).stdout.is_empty());
    write(left, "a.txt", "edited\n");
    assert_eq!(
        good(left, ["diff", "--stat"]).stdout,
        "a.txt          +1 -1\nplans/one.txt  +5 -1\n2 files differ, +6 -2\n"
    );

    let verified = json(&good(left, ["verify", "--json", "--read-data"]));
    assert_eq!((&verified["ok"], &verified["remotes"][1]["name"]), (&true.into(), &"team".into()));
    assert_eq!(verified["remotes"][1]["counts"]["objects_read"], 1);
    // What the team's place has lost is told of the team's place.
    let object = String::from_utf8(two.team.git(["rev-parse", "main~1:plans/one.txt"], b"")).unwrap();
    let (folder, file) = object.trim().split_at(2);
    fs::remove_file(two.team.path().join("objects").join(folder).join(file)).unwrap();
    let broken = left.run(["verify", "--json"]);
    let broken = json(&broken);
    assert_eq!(broken["remotes"][0]["ok"], true);
    assert!(good(left, ["verify", "--remote", "origin"]).mentions("No faults."));
    assert!(left.run(["verify"]).stdout.contains("\nteam\nChecked"));
}

#[test]
fn two_remotes_at_one_address_are_refused_however_they_come_about() {
    let two = Two::new(&[]);
    let (left, address) = (&two.pair.left, text(two.pair.bare.path()));
    refused(left, ["remote", "add", "twice", address, "--branch", "other"], "E-REMOTE-TWICE");
    let settings = local_settings(left);
    let by_hand = settings.replace(text(two.team.path()), address);
    assert_ne!(by_hand, settings);
    fs::write(left.folder().join("instep.local.yaml"), by_hand).unwrap();
    let heads = (two.pair.bare.head(), two.team.head());
    for arguments in [vec!["sync"], vec!["config", "check"], vec!["diff"], vec!["status", "--fetch"]] {
        let output = left.run(arguments.iter());
        assert!(output.code == 2 && output.mentions("E-REMOTE-TWICE"), "{arguments:?}: {output}");
    }
    assert_eq!((two.pair.bare.head(), two.team.head()), heads);
}
