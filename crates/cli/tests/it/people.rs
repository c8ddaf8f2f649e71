//! Several people, and several processes of one, at one place.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use expect_test::expect;
use instep_testkit::drawing::disk;
use instep_testkit::machine::{Machine, Pair, exit_code};

#[test]
fn two_people_at_one_repository_each_sign_what_they_did_and_hold_the_same() {
    let pair = Pair::new(&crate::program());
    for (machine, person) in [(&pair.left, "Ana Díaz"), (&pair.right, "Bo Li")] {
        let identity = format!("[user]\n\tname = {person}\n\temail = {}@example.org\n", person[..2].trim());
        fs::write(machine.home().join(".gitconfig"), identity).unwrap();
    }
    fs::write(pair.left.folder().join("plan.md"), "one\n\ntwo\n\nthree\n").unwrap();
    pair.connect();
    // Both change the same file in different places, and each a file of their own.
    fs::write(pair.left.folder().join("plan.md"), "one, by Ana\n\ntwo\n\nthree\n").unwrap();
    fs::write(pair.left.folder().join("ana.txt"), "a\n").unwrap();
    fs::write(pair.right.folder().join("plan.md"), "one\n\ntwo\n\nthree, by Bo\n").unwrap();
    fs::write(pair.right.folder().join("bo.txt"), "b\n").unwrap();
    for machine in [&pair.left, &pair.right, &pair.left] {
        let output = machine.run(["sync"]);
        assert_eq!(output.code, 0, "{output}");
    }
    let log = pair.bare.git(["log", "--reverse", "--format=%an <%ae> %cn", "--name-status", "main"], b"");
    let log = String::from_utf8(log).unwrap();
    expect![[r#"
        Ana Díaz <An@example.org> Ana Díaz

        A	instep.yaml
        A	plan.md
        Ana Díaz <An@example.org> Ana Díaz

        A	ana.txt
        M	plan.md
        Bo Li <Bo@example.org> Bo Li

        A	bo.txt
        M	plan.md
    "#]]
    .assert_eq(&log);
    let tree = |machine: &Machine| disk::read(machine.folder()).unwrap().to_string();
    assert_eq!(tree(&pair.left), tree(&pair.right));
    let merged = fs::read_to_string(pair.right.folder().join("plan.md")).unwrap();
    assert_eq!(merged, "one, by Ana\n\ntwo\n\nthree, by Bo\n");
}

#[test]
fn a_command_that_finds_another_at_work_says_so_and_waits_for_it() {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("a"), "1\n").unwrap();
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    fs::write(pair.left.folder().join("a"), "2\n").unwrap();
    let held = fs::File::open(pair.left.folder().join(".instep/lock")).unwrap();
    held.lock().unwrap();
    let mut command = pair.left.command(["sync"]);
    let mut waiting =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut words = BufReader::new(waiting.stderr.take().unwrap());
    words.read_line(&mut said).unwrap();
    assert!(said.starts_with("Another instep (process ") && said.contains("waiting up to 30 s"), "{said}");
    assert_eq!(pair.bare.git(["show", "main:a"], b""), b"1\n", "it did not wait");
    drop(held);
    words.read_to_string(&mut said).unwrap();
    assert_eq!(exit_code(waiting.wait().unwrap()), 0, "{said}");
    assert_eq!(pair.bare.git(["show", "main:a"], b""), b"2\n");
}
