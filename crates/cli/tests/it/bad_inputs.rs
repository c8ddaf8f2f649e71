//! Bad inputs, and the error each gets: hostile trees in the repository, words that can't be right, disks that refuse.
//!
//! Every family is a table of input, code and exit. Whatever the input, nothing is lost, nothing outside the workspace
//! is touched, and the error has a code that people can search for.

mod disks;
// Calls are counted and changed where the kit knows their registers.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod faults;
mod files;
mod hosts;
mod merges;
mod packs;
mod state;
mod trees;
mod words;

use std::fs;
use std::path::Path;

use instep_testkit::drawing::Drawing;
use instep_testkit::drawing::disk;
use instep_testkit::machine::{Output, Pair};

/// A machine that is in sync with its repository: it holds `keep` and `folder/inside`. Beside it stands a witness.
fn connected() -> Pair {
    let pair = Pair::new(&crate::program());
    let drawing = Drawing::parse("keep=1;folder/inside=2", &Drawing::default()).expect("a drawing");
    disk::build(&drawing, pair.left.folder(), disk::Times::BASE).expect("a tree can be built");
    let output = pair.left.connect(&pair.bare);
    assert_eq!(output.code, 0, "{output}");
    fs::create_dir(pair.area().join("witness")).expect("a folder can be made");
    fs::write(pair.area().join("witness/file"), "as it was").expect("a file can be written");
    pair
}

/// What must hold after any bad input; `id` names the row.
fn nothing_lost_or_touched(id: &str, pair: &Pair) {
    let tree = disk::read(pair.left.folder()).expect("the folder can be read");
    for (path, content) in [("keep", "1"), ("folder/inside", "2")] {
        let there = fs::read(pair.left.folder().join(path));
        assert_eq!(there.ok().as_deref(), Some(content.as_bytes()), "{id}: {path} is not as it was; {tree}");
    }
    assert_eq!(names(&pair.area().join("witness")), ["file"], "{id}: something stands outside the workspace");
    let witness = fs::read_to_string(pair.area().join("witness/file")).expect("the witness is there");
    assert_eq!(witness, "as it was", "{id}: a file outside the workspace was written");
    let allowed = ["left", "left-home", "remote.git", "right", "right-home", "witness"];
    let strange: Vec<_> =
        names(pair.area()).into_iter().filter(|name| !allowed.contains(&&name[..])).collect();
    assert!(strange.is_empty(), "{id}: {strange:?} came into being outside the workspace");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// Answers what is wrong with an error: its exit code and its stable code.
fn wrong_error(id: &str, output: &Output, exits: &[i32], codes: &[&str]) -> Option<String> {
    let coded = codes.iter().any(|code| output.mentions(code));
    let complaint = || format!("{id}: expected exit {exits:?} and one of {codes:?}, got {output}");
    (!exits.contains(&output.code) || !coded).then(complaint)
}

/// Fails with all that is wrong in a table.
fn all_right(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} rows came out wrong:\n{}", wrong.len(), wrong.join("\n"));
}
