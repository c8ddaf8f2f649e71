//! Says the same as git: patterns as `git check-ignore`, merges as `git merge-file`. Needs the `git` program.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use instep_core::filter::{Decision, Filter, FilterRules, GitignoreMode, IgnoreFiles};
use instep_core::merge::{Merged, Terms, Versions, contents};
use instep_core::path::{Name, TreePath};

/// Small numbers from a seed, so that every run compares the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

#[test]
fn patterns_mean_what_git_means() {
    let folder = tempfile::tempdir().unwrap();
    assert!(git(folder.path()).args(["init", "-q"]).status().unwrap().success());
    let mut dice = Dice(1);
    let paths: Vec<String> = (0..150).map(|_| random_path(&mut dice)).collect();
    for round in 0..60 {
        let mut files = IgnoreFiles::default();
        for place in ["", "a", "a/b"] {
            let lines: String = (0..1 + dice.roll(4)).map(|_| random_pattern(&mut dice) + "\n").collect();
            std::fs::create_dir_all(folder.path().join(place)).unwrap();
            std::fs::write(folder.path().join(place).join(".gitignore"), &lines).unwrap();
            files.gitignore.insert(TreePath::new(place.as_bytes()).unwrap(), lines.into_bytes());
        }
        let expected = ignored_by_git(folder.path(), &paths);
        let rules = FilterRules { gitignore: GitignoreMode::Respect, ..FilterRules::default() };
        let filter = Filter::new(&rules).unwrap();
        for (path, expected) in paths.iter().zip(expected) {
            let tree_path = TreePath::new(path.as_bytes()).unwrap();
            // Git asks the disk what is a folder: the three that hold an ignore file are there.
            let is_folder = files.gitignore.contains_key(&tree_path);
            let decision = filter.decide_path(&tree_path, is_folder, &files);
            let ignored = matches!(decision, Decision::Excluded { .. });
            let shown: Vec<String> = files
                .gitignore
                .iter()
                .map(|(at, text)| format!("{at}: {:?}", String::from_utf8_lossy(text)))
                .collect();
            assert_eq!(ignored, expected, "round {round}: {path} with {shown:#?}");
        }
    }
}

fn random_path(dice: &mut Dice) -> String {
    let names = ["a", "b", "c", "ab", "abc", "a.c", "x-1", "a b", "{a,b}", "]", "!a", "#b", "a\\b"];
    let depth = 1 + dice.roll(4);
    let path: Vec<&str> = (0..depth).map(|_| dice.pick(&names)).collect();
    path.join("/")
}

fn random_pattern(dice: &mut Dice) -> String {
    let parts = [
        "a",
        "b",
        "c",
        "*",
        "**",
        "?",
        "/",
        "/",
        "**/",
        "/**",
        "[a-c]",
        "[!a]",
        "[^b]",
        "[]x]",
        "[a-",
        "\\",
        "\\*",
        ".",
        "-",
        "[[:alpha:]]",
        "[[:digit:]-]",
        "{a,b}",
        " ",
        "a*",
        "[a\\]b]",
        "***",
        "x",
    ];
    let negation = if dice.roll(5) == 0 { "!" } else { "" };
    let body: String = (0..1 + dice.roll(5)).map(|_| dice.pick(&parts)).collect();
    let end = if dice.roll(6) == 0 { "/" } else { "" };
    format!("{negation}{body}{end}")
}

fn ignored_by_git(folder: &Path, paths: &[String]) -> Vec<bool> {
    let mut child = git(folder)
        .args(["check-ignore", "--no-index", "-z", "--stdin", "-v", "-n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes: Vec<u8> = paths.iter().flat_map(|path| path.bytes().chain([0])).collect();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    // Four fields for each path: the file, the line, the pattern, the path.
    let text = String::from_utf8(output.stdout).unwrap();
    let fields: Vec<&str> = text.split('\0').collect();
    let patterns = fields.chunks_exact(4).map(|record| record[2]);
    patterns.map(|pattern| !pattern.is_empty() && !pattern.starts_with('!')).collect()
}

#[test]
fn merges_agree_with_git() {
    let folder = tempfile::tempdir().unwrap();
    let name = Name::new(b"a.txt").unwrap();
    let mut dice = Dice(2);
    let mut clean = 0;
    for round in 0..200 {
        let base = random_text(&mut dice);
        let [local, remote] = [0, 1].map(|_| edited(&base, &mut dice));
        for (file, text) in [("base", &base), ("local", &local), ("remote", &remote)] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let output =
            git(folder.path()).args(["merge-file", "-p", "local", "base", "remote"]).output().unwrap();
        let expected = if output.status.success() { Some(output.stdout) } else { None };
        let versions =
            Versions { base: Some(base.as_bytes()), local: local.as_bytes(), remote: remote.as_bytes() };
        let got = match contents(&Terms::of(&name), &versions) {
            Merged::Clean(joined) => Some(joined.content),
            Merged::Marked { .. } | Merged::Undecided(_) => None,
        };
        clean += usize::from(got.is_some());
        assert_eq!(got, expected, "round {round}: {base:?} {local:?} {remote:?}");
    }
    assert!((50..150).contains(&clean), "{clean} of 200 are clean: the texts prove little");
}

fn random_text(dice: &mut Dice) -> String {
    let lines = ["a", "b", "c", "d", "e", "f", "", "  x"];
    (0..dice.roll(14)).map(|_| format!("{}\n", dice.pick(&lines))).collect()
}

fn edited(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..1 + dice.roll(2) {
        let at = dice.roll(lines.len() + 1);
        match dice.roll(3) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines[at] = dice.pick(&["g", "h", "a"]).to_owned(),
            _ => lines.insert(at, dice.pick(&["g", "h", "b", ""]).to_owned()),
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
