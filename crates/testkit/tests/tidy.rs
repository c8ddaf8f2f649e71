//! The rules of the house that no compiler holds: where files open, who may depend on whom, which doors lead outside.
//!
//! A file is read as text; what stands below its `#[cfg(test)]` at the left margin is no production code.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates a crate may use in production.
const MAY_USE: [(&str, &[&str]); 7] = [
    ("cli", &["core", "engine", "remote", "server", "store"]),
    ("core", &[]),
    ("engine", &["core", "store"]),
    ("remote", &["core", "store"]),
    ("server", &["core", "engine", "store"]),
    ("store", &["core"]),
    ("testkit", &["core", "engine", "remote", "store"]),
];

/// Where text may be printed.
const PRINTS: [&str; 2] = ["crates/cli/src/main.rs", "crates/cli/src/terminal"];

/// Where paths of the disk may be changed: the engine's door, git's own folder, and files that are the program's own
/// (settings, what an editor or merge program is handed, copies outside of the workspace, man pages, a folder that `clone` makes and an interrupt unmakes).
const CHANGES_DISK: [&str; 12] = [
    "crates/cli/src/commands/clone",
    "crates/cli/src/commands/completions",
    "crates/cli/src/commands/config",
    "crates/cli/src/commands/doctor",
    "crates/cli/src/configuration",
    "crates/cli/src/desk",
    "crates/cli/src/export",
    "crates/cli/src/interrupt",
    "crates/engine/src/folder",
    "crates/engine/src/workspace",
    "crates/remote/src/git",
    "crates/store/src/blobs/folder",
];

/// Where other programs may be started.
const STARTS_PROGRAMS: [&str; 4] = [
    "crates/cli/src/commands/resolve",
    "crates/cli/src/terminal",
    "crates/remote/src/git/local",
    "crates/remote/src/git/program",
];

const PRODUCTION_LINES_MAX: usize = 700;
const README_LINES_MAX: usize = 200;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files of the project with their paths from its root, without what is built or belongs to git.
fn files() -> Vec<(String, PathBuf)> {
    let root = root();
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(&name[..], "target" | ".git") {
                folders.push(path);
            } else if path.is_file() && name != ".git" {
                files.push((path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(), path));
            }
        }
    }
    files.sort();
    files
}

/// The Rust files with their text.
fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|(name, _)| name.ends_with(".rs"));
    rust.map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

/// The lines that ship, with their numbers; none for tests, test kit, examples and benches.
fn production(name: &str, text: &str) -> Vec<(usize, String)> {
    let is_test = |part: &str| matches!(part, "benches" | "examples" | "testkit" | "tests" | "tests.rs");
    if name.split('/').any(is_test) {
        return Vec::new();
    }
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
    lines.map(|(number, line)| (number + 1, line.to_owned())).collect()
}

/// Lines of production code that hold one of the words, outside the places where they may.
fn strays(words: &[&str], places: &[&str]) -> Vec<String> {
    let mut strays = Vec::new();
    let outside = |name: &String| !places.iter().any(|place| name.starts_with(place));
    for (name, text) in sources().into_iter().filter(|(name, _)| outside(name)) {
        for (number, line) in production(&name, &text) {
            let code = line.trim_start();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                strays.push(format!("{name}:{number}: {code}"));
            }
        }
    }
    strays
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    none("files that do not open with `//!`", silent.map(|(name, _)| name).collect());
}

#[test]
fn a_folder_is_introduced_by_the_file_beside_it() {
    let names = files().into_iter().map(|(name, _)| name).filter(|name| name.ends_with("/mod.rs"));
    none("no `mod.rs`", names.collect());
}

#[test]
fn no_file_is_too_long() {
    let long = sources().into_iter().filter_map(|(name, text)| {
        let lines = production(&name, &text).len();
        (lines > PRODUCTION_LINES_MAX).then(|| format!("{name}: {lines} lines"))
    });
    none("files to be split", long.collect());
}

#[test]
fn crates_depend_only_downwards() {
    let known: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for (name, path) in files() {
        let Some(own) = name.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml")) else {
            continue;
        };
        let Some(allowed) = known.get(own) else {
            wrong.push(format!("{name}: a crate that the house does not know"));
            continue;
        };
        let used = dependencies(&fs::read_to_string(path).unwrap());
        wrong.extend(
            used.iter().filter(|used| !allowed.contains(&&used[..])).map(|used| format!("{own} uses {used}")),
        );
    }
    none("dependencies that point the wrong way", wrong);
}

/// Our own crates among the production dependencies of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut used = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]"
            && let Some(name) = line.strip_prefix("instep-")
        {
            used.push(name.split(['.', ' ', '=']).next().unwrap_or_default().to_owned());
        }
    }
    used
}

#[test]
fn only_the_terminal_prints() {
    let words = ["println!", "print!(", "eprint!(", "io::stdout()", "io::stderr()"];
    none("printing elsewhere", strays(&words, &PRINTS));
}

#[test]
fn only_the_doors_change_the_disk() {
    let words = [
        "File::create",
        "OpenOptions::new()",
        "fs::copy(",
        "fs::create_dir",
        "fs::hard_link(",
        "fs::remove_",
        "fs::rename(",
        "fs::set_permissions(",
        "fs::write(",
    ];
    none("changes of the disk outside the doors", strays(&words, &CHANGES_DISK));
}

#[test]
fn only_the_doors_start_programs() {
    none("programs started outside the doors", strays(&["Command::new("], &STARTS_PROGRAMS));
}

#[test]
fn nothing_refers_to_a_place_that_readers_do_not_have() {
    // Written apart, so that this file does not name them.
    let places = [["../", "shared"].concat(), ["/", "work", "/"].concat(), ["/", "root", "/"].concat()];
    let mut found = Vec::new();
    for (name, path) in files() {
        let Ok(text) = fs::read_to_string(path) else { continue };
        found.extend(
            places.iter().filter(|place| text.contains(&place[..])).map(|place| format!("{name}: {place}")),
        );
    }
    none("references to elsewhere", found);
}

#[test]
fn the_first_page_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines");
}

#[test]
fn changes_are_told_in_fragments() {
    let fragments = files().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("changelog/"));
    none("changelog fragments that are no `.md`", fragments.filter(|name| !name.ends_with(".md")).collect());
}
