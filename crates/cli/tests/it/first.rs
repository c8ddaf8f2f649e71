//! The first minutes: `init` in a terminal, which asks where the copy is to live and what is to travel.

use std::fs;

use expect_test::{Expect, expect};
use instep_testkit::conversation::converse;
use instep_testkit::machine::{Output, Pair};

fn project() -> Pair {
    let pair = Pair::new(&crate::program());
    for (path, text) in [
        (".gitignore", ".env\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".env", "KEY=1\n"),
        ("plan.md", "# Plan\n"),
        ("node_modules/a/index.js", "export {}\n"),
    ] {
        let file = pair.left.folder().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    pair
}

/// Sets the left machine up by answers, of which the first is the address.
fn init(pair: &Pair, answers: &[&str]) -> Output {
    let address = pair.bare.path().display().to_string();
    let answers: Vec<&str> = [address.as_str()].into_iter().chain(answers.iter().copied()).collect();
    converse(&pair.left, ["init"], &answers)
}

/// What was said, without what differs between runs.
fn says(pair: &Pair, output: &Output, expected: &Expect) {
    let cut = |line: &str| {
        let cut = ["operation ", "    0."].iter().filter_map(|word| line.find(word)).min();
        line[..cut.unwrap_or(line.len())].trim_end().replace(&pair.area().display().to_string(), "…") + "\n"
    };
    let lines = output.stdout.lines().filter(|line| !line.starts_with("Done in"));
    expected.assert_eq(&lines.map(cut).collect::<String>());
}

fn settings(pair: &Pair) -> String {
    let text = fs::read_to_string(pair.left.folder().join("instep.yaml")).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn enter_takes_what_is_usual_and_says_what_that_leaves_out() {
    let pair = project();
    let output = init(&pair, &["", "y"]);
    assert_eq!(output.code, 0, "{output}");
    says(
        &pair,
        &output,
        &expect![[r#"
        Where should your private copy live? Give the address of a git repository of yours,
        such as git@github.com:you/notes-sync.git, gh:you/notes-sync, or /media/disk/notes.git.
        Address: Your private copy lives in the git repository …/remote.git.
        Whoever can read that repository can read your files: this version does not encrypt.
        What should travel?
          [1] Your files: 3 files, 18 B; left out: node_modules/ 10 B
          [2] Only what git ignores, but for what builds make (.env, local settings): 1 file, 6 B
          [3] By a ready set of rules
        [1] Plan   ↑ 4 files, 465 B → …/remote.git   nothing is deleted
        Send now? [Y/n] Checked  4 here · 0 there
          ↑  .env         6 B
          ↑  .gitignore   5 B
          ↑  instep.yaml  447 B
          ↑  plan.md      7 B

        Settings are in instep.yaml and instep.local.yaml.

        On your other machine:     instep clone …/remote.git
        Same thing, no questions:  instep init --remote …/remote.git --yes
    "#]],
    );
}

#[test]
fn only_what_git_ignores_can_travel() {
    let pair = project();
    let output = init(&pair, &["2", "y"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.mentions("--preset secrets"), "the same without questions: {output}");
    let sent = pair.bare.git(["ls-tree", "-r", "--name-only", "main"], b"");
    assert_eq!(String::from_utf8(sent).unwrap(), ".env\ninstep.yaml\n");
}

#[test]
fn a_ready_set_of_rules_can_be_chosen() {
    let pair = project();
    let output = init(&pair, &["3", "2", "y"]);
    assert_eq!(output.code, 0, "{output}");
    assert!(output.mentions("--preset development") && settings(&pair).contains("'*.sqlite'"), "{output}");
}

#[test]
fn nobody_is_asked_who_said_it_or_who_joins_others() {
    let pair = project();
    let address = pair.bare.path().display().to_string();
    let output = converse(&pair.left, ["init", "--remote", &address, "--exclude", "*.bak"], &["y"]);
    assert!(output.code == 0 && !output.mentions("What should travel?"), "{output}");
    let output = converse(&pair.right, ["init", "--remote", &address], &["y"]);
    assert!(output.code == 0 && !output.mentions("What should travel?"), "{output}");
}
