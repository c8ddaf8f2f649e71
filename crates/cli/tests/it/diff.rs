//! What differs: between the sides, between moments, and in a program of the person's own.

use std::fs;

use expect_test::expect;
use instep_testkit::machine::{Machine, Pair};
use serde_json::Value;

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

/// Two machines that agree on three files.
fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    for name in ["a", "b", "c"] {
        write(&pair.left, name, "one\n");
    }
    pair.connect();
    pair
}

/// The ids of the operations, newest first.
fn operations(machine: &Machine) -> Vec<String> {
    let log: Value = serde_json::from_str(&machine.run(["log", "--json"]).stdout).unwrap();
    log["operations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_side_is_compared_with_what_was_agreed() {
    let pair = agreed();
    write(&pair.right, "a", "one\ntwo\n");
    assert_eq!(pair.right.run(["sync"]).code, 0);
    write(&pair.left, "b", "1\n");
    assert_eq!(pair.left.run(["status", "--fetch"]).code, 0);
    let both = pair.left.run(["diff", "--base"]);
    expect![[r#"
        --- a (last agreed)
        +++ a (right)
        @@ -1 +1,2 @@
         one
        +two
        --- b (last agreed)
        +++ b (left, here)
        @@ -1 +1 @@
        -one
        +1
    "#]]
    .assert_eq(&both.stdout);
    for (option, path) in [("--here", "b"), ("--there", "a")] {
        let stat = pair.left.run(["diff", option, "--stat"]);
        assert!(stat.stdout.starts_with(&format!("{path}  +1 -")), "{stat}");
        assert!(stat.stdout.contains("1 file differs"), "{stat}");
    }
    assert_eq!(pair.left.run(["diff", "--base", "--here"]).code, 2);
}

#[test]
fn two_moments_of_the_history_are_compared() {
    let pair = agreed();
    write(&pair.left, "a", "two\n");
    fs::remove_file(pair.left.folder().join("b")).unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    write(&pair.left, "a", "three\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    write(&pair.left, "c", "not yet\n");
    let ids = operations(&pair.left);
    let [third, second, first] = ids.as_slice() else { panic!("{ids:?}") };
    let show = |arguments: &[&str]| {
        let output = pair.left.run(["diff"].iter().chain(arguments));
        assert_eq!(output.code, 0, "{output}");
        let hide = |text: &str, id: &String, name: &str| {
            let lines = text.lines().map(|line| match line.split_once(&format!("({id}")) {
                Some((before, _)) => format!("{before}({name})\n"),
                None => format!("{line}\n"),
            });
            lines.collect::<String>()
        };
        hide(&hide(&hide(&output.stdout, first, "first"), second, "second"), third, "third")
    };
    expect![[r#"
        --- a (first)
        +++ a (second)
        @@ -1 +1 @@
        -one
        +two
        --- b (first)
        +++ nothing (second)
        @@ -1 +0,0 @@
        -one
    "#]]
    .assert_eq(&show(&["--at", first, second]));
    expect![[r#"
        --- a (second)
        +++ a (left, here)
        @@ -1 +1 @@
        -two
        +three
        --- c (second)
        +++ c (left, here)
        @@ -1 +1 @@
        -one
        +not yet
    "#]]
    .assert_eq(&show(&["--at", second]));
    assert_eq!(show(&["b", "--at", second]), "");
    // An edit that no operation knows of was not there then.
    assert_eq!(pair.left.run(["restore", "c", "--at", second]).code, 0);
    assert_eq!(fs::read_to_string(pair.left.folder().join("c")).unwrap(), "one\n");
    let unknown = pair.left.run(["diff", "--at", "0000beef"]);
    assert!(unknown.code == 2 && unknown.mentions("E-NOT-FOUND"), "{unknown}");
}

#[test]
fn a_program_that_shows_differences_gets_two_files_and_no_shell() {
    let pair = agreed();
    write(&pair.left, "a", "two\n");
    let trap = pair.area().join("trap");
    let shown = pair.left.run(["diff", "--tool", &format!("cat -- $(touch {})", trap.display())]);
    assert_eq!((shown.code, shown.stdout.as_str()), (0, "one\ntwo\n"), "{shown}");
    assert!(!trap.exists());
    let missing = pair.left.run(["diff", "--tool", "no-such-program"]);
    assert!(missing.code == 2 && missing.mentions("E-USAGE"), "{missing}");
}
