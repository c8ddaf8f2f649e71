//! Trees that no honest program writes, made by hand in the repository.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use instep_testkit::bare::Bare;
use instep_testkit::machine::Pair;

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

/// What becomes of an entry.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// The whole snapshot is refused, and nothing here changes.
    Rejected,
    /// It stays at the repository; the rest arrives.
    Held,
    /// Either of these.
    Kept,
    /// It stays at the repository, as what is excluded does; the rest arrives.
    Ignored,
    /// It arrives as it is.
    Synced,
}

use Fate::{Held, Ignored, Kept, Rejected, Synced};

/// What an entry holds.
enum Holds<'a> {
    File,
    Link(&'a [u8]),
    Submodule,
    Mode(&'a str),
    /// A folder with one file of this name, so many levels deep.
    Folder(&'a [u8], usize),
}

use Holds::{File, Folder, Link, Mode, Submodule};

const LONG: [u8; 256] = [b'n'; 256];
const LONG_TARGET: [u8; 5000] = [b't'; 5000];

/// Row, name, what it holds, what becomes of it, and the codes that say so.
type Case<'a> = (&'a str, &'a [u8], Holds<'a>, Fate, &'a [&'a str]);

#[test]
fn hostile_entries_reach_nothing() {
    let rows: [Case<'_>; 51] = [
        ("P1", b"", File, Rejected, &["E-PATH-EMPTY"]),
        ("P2", b".", File, Rejected, &["E-PATH-DOT"]),
        ("P3", b"..", File, Rejected, &["E-PATH-DOTDOT"]),
        ("P4", b"a", Folder(b"..", 1), Rejected, &["E-PATH-DOTDOT"]),
        ("P5", b"/etc/passwd", File, Rejected, &["E-PATH-ABSOLUTE", "E-PATH-SLASH"]),
        ("P6a", b"C:\\x", File, Held, &["E-PATH-DRIVE"]),
        ("P6b", b"C:x", File, Held, &["E-PATH-DRIVE"]),
        ("P7", b"\\\\server\\share\\x", File, Held, &["E-PATH-UNC"]),
        ("P8", b"\\\\?\\C:\\x", File, Held, &["E-PATH-UNC"]),
        ("P9", b"a/b", File, Rejected, &["E-PATH-SLASH"]),
        ("P11a", b".git", File, Rejected, &["E-PATH-RESERVED"]),
        ("P11b", b".GIT", Folder(b"hooks", 1), Rejected, &["E-PATH-RESERVED"]),
        ("P11c", b"git~1", File, Rejected, &["E-PATH-RESERVED"]),
        ("P14a", b".git ", File, Rejected, &["E-PATH-RESERVED"]),
        ("P14b", b".git.", File, Kept, &["E-PATH-RESERVED"]),
        ("P14c", b".instep", Folder(b"state.db", 1), Ignored, &[]),
        ("P14d", b"instep.local.yaml", File, Ignored, &[]),
        ("P20", b"COM1", File, Synced, &[]),
        ("P21", "COM¹".as_bytes(), File, Synced, &[]),
        ("P22", b"COM0", File, Synced, &[]),
        ("P26a", "\u{e9}".as_bytes(), File, Synced, &[]),
        ("P26b", "e\u{301}".as_bytes(), File, Synced, &[]),
        ("P29", &LONG, File, Held, &["E-PATH-LONG"]),
        ("P30", b"deep", Folder(b"d", 300), Held, &["E-PATH-DEEP"]),
        ("P33", "\u{202e}gpj.exe".as_bytes(), File, Synced, &[]),
        ("P34", b"\xff\xfe", File, Synced, &[]),
        ("P36a", b"--help", File, Synced, &[]),
        ("P36b", b"-rf", File, Synced, &[]),
        ("P36c", b"@file", File, Synced, &[]),
        ("P36d", b"$(touch PWN)", File, Synced, &[]),
        ("P36e", b"`touch PWN`", File, Synced, &[]),
        ("P36f", b";touch PWN", File, Synced, &[]),
        ("P36g", b"new\nline", File, Synced, &[]),
        ("P36h", b"\x1b[31mred", File, Synced, &[]),
        ("P38", b"plan.laptop-3f9c2a1b.md", File, Synced, &[]),
        ("L1", b"out", Link(b"/etc/passwd"), Held, &["E-LINK-OUTSIDE"]),
        ("L2", b"out", Link(b"../../x"), Held, &["E-LINK-OUTSIDE"]),
        ("L2b", b"out", Link(b"folder/../../witness/file"), Held, &["E-LINK-OUTSIDE"]),
        ("L3", b"self", Link(b"self"), Synced, &[]),
        ("L6a", b"far", Link(&LONG_TARGET), Held, &["E-LINK-TARGET"]),
        ("L6b", b"nul", Link(b"a\0b"), Held, &["E-LINK-TARGET"]),
        ("L10a", b"suid", Mode("104755"), Kept, &["E-GIT-MODE", "E-GIT-TREE"]),
        ("L10b", b"mode", Mode("777777"), Kept, &["E-GIT-MODE", "E-GIT-TREE"]),
        ("L12", b".envrc", File, Synced, &[]),
        ("L12b", b".vscode", Folder(b"tasks.json", 1), Synced, &[]),
        ("G3a", b".gitmodules", Link(b"keep"), Kept, &["E-GIT-TREE"]),
        ("G3b", b".gitattributes", Link(b"keep"), Synced, &[]),
        ("G3c", b".gitignore", Link(b"keep"), Synced, &[]),
        ("G4", b".gitmodules", File, Synced, &[]),
        ("G4b", b".gitattributes", File, Synced, &[]),
        ("G5", b"module", Submodule, Held, &["E-GIT-SUBMODULE"]),
    ];
    let wrong = rows.iter().filter_map(|(id, name, holds, fate, codes)| {
        let pair = connected();
        let result = entry(&pair, name, holds, *fate, codes).map_err(|why| format!("{id}: {why}"));
        nothing_lost_or_touched(id, &pair);
        result.err()
    });
    all_right(wrong.collect());
}

/// Puts one entry and an innocent file into the repository, and looks at what a sync makes of it.
fn entry(pair: &Pair, name: &[u8], holds: &Holds<'_>, fate: Fate, codes: &[&str]) -> Result<(), String> {
    let bare = &pair.bare;
    let (mode, object) = made(bare, holds);
    let innocent = bare.blob(b"innocent");
    bare.commit_onto_head(&[(&mode, name, &object), ("100644", b"innocent", &innocent)], "hostile");
    let output = pair.left.run(["sync"]);
    let arrived = pair.left.folder().join("innocent").exists();
    // Our own names are there anyway; of a deep folder only the depth is held.
    let ours = name.starts_with(b".instep") || name.starts_with(b"instep.") || matches!(holds, Folder(..));
    let there = fs::symlink_metadata(pair.left.folder().join(OsStr::from_bytes(name))).is_ok();
    let fate = match (fate, output.code) {
        (Kept, 3) => Held,
        (Kept, _) => Rejected,
        (fate, _) => fate,
    };
    match fate {
        Rejected if arrived => return Err(format!("it was taken: {output}")),
        Rejected => wrong_error("", &output, &[1, 3, 6, 7], codes).map_or(Ok(()), Err)?,
        Held | Ignored if !arrived || there && !ours => {
            return Err(format!("only the rest should arrive: {output}"));
        }
        Ignored if !matches!(output.code, 0 | 3) => return Err(format!("it did some harm: {output}")),
        Held => wrong_error("", &output, &[3], codes).map_or(Ok(()), Err)?,
        Synced | Kept if output.code != 0 || !arrived || !there => {
            return Err(format!("it did not arrive: {output}"));
        }
        Synced | Kept | Ignored => {}
    }
    carries_over(pair, name, fate)
}

/// Our next commit leaves what is held where it is.
fn carries_over(pair: &Pair, name: &[u8], fate: Fate) -> Result<(), String> {
    fs::write(pair.left.folder().join("later"), "3").map_err(|error| error.to_string())?;
    let output = pair.left.run(["sync"]);
    let head = pair.bare.head().ok_or("the repository has no head")?;
    let listed = pair.bare.entries(&head).iter().any(|(_, known, _)| known == name);
    match fate {
        Rejected => Ok(()),
        _ if listed && matches!(output.code, 0 | 3) => Ok(()),
        _ => Err(format!("the next sync took it out of the repository, or failed: {output}")),
    }
}

fn made(bare: &Bare, holds: &Holds<'_>) -> (String, String) {
    match holds {
        File => ("100644".to_owned(), bare.blob(b"content")),
        Link(target) => ("120000".to_owned(), bare.blob(target)),
        Submodule => ("160000".to_owned(), "1".repeat(40)),
        Mode(mode) => ((*mode).to_owned(), bare.blob(b"content")),
        Folder(name, depth) => {
            let blob = bare.blob(b"content");
            let innermost = bare.tree(&[("100644", name, &blob)]);
            let tree = (1..*depth).fold(innermost, |inside, _| bare.tree(&[("40000", name, &inside)]));
            ("40000".to_owned(), tree)
        }
    }
}

#[test]
fn two_things_under_one_name_are_refused() {
    let pair = connected();
    let blob = pair.bare.blob(b"../witness");
    let folder = pair.bare.tree(&[("100644", b"file", &blob)]);
    pair.bare.commit_onto_head(&[("120000", b"d", &blob), ("40000", b"d", &folder)], "twice");
    let output = pair.left.run(["sync"]);
    all_right(
        wrong_error("L4", &output, &[1, 3, 6, 7], &["E-TREE-PREFIX", "E-GIT-TREE"]).into_iter().collect(),
    );
    nothing_lost_or_touched("L4", &pair);
}

#[test]
fn two_spellings_of_one_letter_are_two_files_where_the_disk_tells_them_apart() {
    let pair = connected();
    let spellings = [("e\u{301}", "two letters"), ("\u{e9}", "one letter")];
    let blobs = spellings.map(|(_, content)| pair.bare.blob(content.as_bytes()));
    let entries = [0, 1].map(|at| ("100644", spellings[at].0.as_bytes(), &blobs[at][..]));
    pair.bare.commit_onto_head(&entries, "both");
    for _ in 0..2 {
        assert_eq!(pair.left.run(["sync"]).code, 0, "P26");
        for (name, content) in spellings {
            assert_eq!(fs::read_to_string(pair.left.folder().join(name)).unwrap(), content, "P26");
        }
    }
    nothing_lost_or_touched("P26", &pair);
}

#[test]
fn a_history_made_anew_deletes_nothing() {
    let pair = connected();
    let tree = pair.bare.tree(&[("100644", b"other", &pair.bare.blob(b"9"))]);
    pair.bare.set_head(&pair.bare.commit(&tree, None, "made anew"));
    let output = pair.left.run(["sync"]);
    all_right(wrong_error("G10", &output, &[6], &["E-HEAD-UNRELATED"]).into_iter().collect());
    nothing_lost_or_touched("G10", &pair);
    let output = pair.left.run(["sync", "--allow", "rewind"]);
    assert_eq!(output.code, 0, "G10: {output}");
    nothing_lost_or_touched("G10", &pair);
    assert!(pair.left.folder().join("other").exists(), "G10: what the new history holds did not arrive");
}

#[test]
fn a_branch_put_back_is_shown_and_deletes_nothing() {
    let pair = connected();
    fs::write(pair.left.folder().join("newer"), "3").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    let head = pair.bare.head().unwrap();
    pair.bare.set_head(&format!("{head}~1"));
    let output = pair.left.run(["sync"]);
    all_right(wrong_error("G9", &output, &[6], &["E-HEAD-ROLLBACK"]).into_iter().collect());
    assert!(output.mentions(&head[..7]), "G9: the known head is not shown: {output}");
    nothing_lost_or_touched("G9", &pair);
    assert!(pair.left.folder().join("newer").exists());
}

#[test]
fn a_damaged_repository_is_named_and_survived() {
    let pair = connected();
    let blob = pair.bare.blob(b"to be damaged");
    pair.bare.commit_onto_head(&[("100644", b"damaged", &blob)], "new");
    let object = pair.bare.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "").unwrap();
    let output = pair.left.run(["sync"]);
    all_right(wrong_error("G7", &output, &[1, 3, 5, 6, 7], &["E-GIT-CORRUPT"]).into_iter().collect());
    nothing_lost_or_touched("G7", &pair);
    fs::remove_file(&object).unwrap();
    pair.bare.blob(b"to be damaged");
    assert_eq!(pair.left.run(["sync"]).code, 0, "G7: it does not go on when the damage is mended");
}

#[test]
fn dates_of_commits_are_only_data() {
    for (number, date) in ["99999999999999 +0000", "-5 +0000", "1700000000 +9999"].into_iter().enumerate() {
        let pair = connected();
        let parent = pair.bare.head().unwrap();
        let known = pair.bare.entries(&parent);
        let blob = pair.bare.blob(b"x");
        let mut entries: Vec<_> =
            known.iter().map(|(mode, name, object)| (&mode[..], &name[..], &object[..])).collect();
        entries.push(("100644", b"zzz", &blob));
        let tree = pair.bare.tree(&entries);
        let who = format!("A <a@example.org> {date}");
        let commit = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nodd\n");
        pair.bare.set_head(&pair.bare.object("commit", commit.as_bytes()));
        let output = pair.left.run(["sync"]);
        assert_eq!(output.code, 0, "G13.{number}: {output}");
        assert!(pair.left.folder().join("zzz").exists(), "G13.{number}: {output}");
        nothing_lost_or_touched("G13", &pair);
    }
}
