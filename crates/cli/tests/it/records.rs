//! The log for programs and for records: every change on a line, and operations as they come.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use expect_test::expect;
use instep_testkit::machine::{Machine, Pair};
use serde_json::Value;

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

#[test]
fn every_change_is_a_line_with_who_and_what_was_before() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a", "one\n");
    pair.connect();
    write(&pair.left, "a", "two\n");
    assert_eq!(pair.left.run(["sync", "-m", "better"]).code, 0);
    fs::rename(pair.left.folder().join("a"), pair.left.folder().join("b")).unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 0);
    let shown = |machine: &Machine| {
        let output = machine.run(["log", "--audit"]);
        assert_eq!(output.code, 0, "{output}");
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["id"].as_str().unwrap().len() == 16 && line["timestamp"].is_string(), "{line}");
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            let hash = |side: &str| line[side]["hash"].as_str().map_or("-", |hash| &hash[..13]).to_owned();
            let words =
                ["operation", "verb", "machine", "message", "side", "action", "path", "from"].map(text);
            format!("{} {} {}\n", words.join(" "), hash("before"), hash("after"))
        };
        output.stdout.lines().map(line).filter(|line| !line.contains("instep.yaml")).collect::<String>()
    };
    expect![[r#"
        init init left - there create a - - blake3:e0e63a
        push sync left better there write a - blake3:e0e63a blake3:ef4008
        push sync left - there move b a blake3:ef4008 blake3:ef4008
    "#]]
    .assert_eq(&shown(&pair.left));
    expect![[r#"
        init init right - here create a - - blake3:e0e63a
        pull sync right - here move-and-write b a blake3:e0e63a blake3:ef4008
    "#]]
    .assert_eq(&shown(&pair.right));
    let of_path = pair.left.run(["log", "--audit", "b", "--json"]);
    assert_eq!(of_path.stdout.lines().count(), 1, "{of_path}");
}

#[test]
fn operations_are_shown_as_they_come_until_ctrl_c() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "a", "one\n");
    assert_eq!(pair.left.connect(&pair.bare).code, 0);
    // timeout(1) hands Ctrl-C on, and keeps a test that fails from waiting for ever.
    let mut follows = Command::new("timeout");
    follows
        .arg("60")
        .arg(crate::program())
        .arg("-C")
        .arg(pair.left.folder())
        .args(["log", "--follow", "--json"]);
    follows.env("INSTEP_HOME", pair.left.home().join("state")).env("HOME", pair.left.home());
    let mut follows = follows.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follows.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["verb"], "init");
    // It holds no lock: others work meanwhile.
    write(&pair.left, "a", "two\n");
    for (verb, words) in [("sync", &["sync"][..]), ("undo", &["undo", "--yes"])] {
        let done = pair.left.run(words);
        assert_eq!(done.code, 0, "{done}");
        let line = next();
        assert_eq!((&line["type"], &line["verb"]), (&"operation".into(), &verb.into()));
    }
    let id = rustix::process::Pid::from_child(&follows);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(follows.wait().unwrap().code(), Some(130));
}

#[test]
fn a_bundle_for_a_report_names_nobody_and_no_place() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "diary-of-ana.md", "hush\n");
    assert_eq!(pair.left.init(&pair.bare, &["--exclude=ana-private/"]).code, 0);
    let bundle = pair.area().join("bundle.txt");
    let doctor = pair.left.run(["doctor", "--bundle", "../bundle.txt"]);
    assert!(doctor.code == 0 && doctor.mentions("Read it before you send it."), "{doctor}");
    let text = fs::read_to_string(&bundle).unwrap();
    let area = pair.area().display().to_string();
    for hidden in [area.as_str(), "ana", "hush", "machine: left", "remote.git", "x-private"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    for told in [
        "instep 0",
        "remote origin",
        "sync.exclude: <1 hidden>",
        "sync.conflict_strategy: merge",
        "\"sent\":",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // A failure names a path in its error, and none in the bundle.
    fs::rename(pair.bare.path(), pair.area().join("gone.git")).unwrap();
    fs::remove_file(&bundle).unwrap();
    assert_eq!(pair.left.run(["doctor", "--bundle", "../bundle.txt"]).code, 1);
    let text = fs::read_to_string(&bundle).unwrap();
    assert!(
        text.contains("E-REMOTE-MISSING") && !text.contains("remote.git") && !text.contains(&area),
        "{text}"
    );
    let again = pair.left.run(["doctor", "--bundle", "../bundle.txt"]);
    assert!(again.code == 1 && again.mentions("Could not write a file."), "{again}");
}
