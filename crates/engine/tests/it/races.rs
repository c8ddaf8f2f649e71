//! Somebody saves, or swaps folders for links, in another thread while a cycle replaces and removes files.
//!
//! What must be found in the end is exact: each file that was written to keeps an inode of its own, held open to the end,
//! and the last version that was written to an inode was destroyed by nobody but the cycle. `INSTEP_RACES` says how many
//! files are raced for with each pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use instep_core::policy::Strategy;
use instep_engine::cycle::request::Request;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::world::{Machine, pair};

/// Files of one world.
const FILES: usize = 40;

#[derive(Debug, Clone, Copy)]
enum Pattern {
    /// Written over from its start.
    InPlace,
    /// Cut first, then written.
    Cut,
    /// A new file takes the name; what had it is put aside by the one who saves.
    RenameOver,
    /// Written on at its end, through a file that stays open.
    Append,
}

/// How many files are raced for.
fn raced() -> usize {
    std::env::var("INSTEP_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(5 * FILES)
}

/// What somebody saved, by the inode that it went to.
#[derive(Default)]
struct Saved {
    last: BTreeMap<u64, String>,
    open: Vec<File>,
    count: usize,
}

impl Saved {
    fn note(&mut self, file: File, content: String) {
        self.last.insert(file.metadata().unwrap().ino(), content);
        self.open.push(file);
        self.count += 1;
    }
}

/// Saves file after file until it is told to stop.
fn save_on(root: &Path, aside: &Path, pattern: Pattern, over: &AtomicBool) -> Saved {
    let mut saved = Saved::default();
    let mut opened: BTreeMap<usize, File> = BTreeMap::new();
    if matches!(pattern, Pattern::Append) {
        for at in 0..FILES {
            opened.insert(at, OpenOptions::new().append(true).read(true).open(root.join(name(at))).unwrap());
        }
    }
    let mut at = 0;
    while !over.load(Ordering::Relaxed) && saved.open.len() < 400 {
        at = (at * 5 + 7) % FILES;
        let (path, text) = (root.join(name(at)), format!("save {} of {at}\n", saved.count));
        match pattern {
            Pattern::InPlace | Pattern::Cut => {
                let cuts = matches!(pattern, Pattern::Cut);
                let Ok(file) = OpenOptions::new().write(true).truncate(cuts).open(&path) else { continue };
                // One write, so that nobody sees half of it; a longer version before it is cut to fit.
                file.write_all_at(text.as_bytes(), 0).unwrap();
                file.set_len(text.len() as u64).unwrap();
                saved.note(file, text);
            }
            Pattern::RenameOver => {
                let fresh = aside.join(format!("{}", saved.count));
                fs::write(&fresh, &text).unwrap();
                let file = File::open(&fresh).unwrap();
                if renameat_with(CWD, &fresh, CWD, &path, RenameFlags::EXCHANGE).is_ok() {
                    saved.note(file, text);
                }
            }
            Pattern::Append => {
                let mut file = &opened[&at];
                file.write_all(text.as_bytes()).unwrap();
                let mut all = vec![0; file.metadata().unwrap().len() as usize];
                file.read_exact_at(&mut all, 0).unwrap();
                saved.note(file.try_clone().unwrap(), String::from_utf8(all).unwrap());
            }
        }
        std::thread::yield_now();
    }
    saved
}

fn name(at: usize) -> String {
    format!("d{}/f{at}", at % 4)
}

/// The contents of all files below a folder, but not of what is only staged.
fn contents(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "staging") {
            contents(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.insert(text);
        }
    }
}

/// A world in which the right machine has replaced half of the files and removed a quarter.
fn changed_there() -> (Machine, Machine) {
    let names: Vec<String> = (0..FILES).map(name).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "base")).collect();
    let (left, mut right) = pair(&files);
    for (at, name) in names.iter().enumerate() {
        match at % 4 {
            0 => right.remove(name),
            1 => {}
            _ => right.write(name, &format!("from the right {at}")),
        }
    }
    right.sync();
    (left, right)
}

fn nothing_saved_is_lost(pattern: Pattern) {
    let worlds = raced().div_ceil(FILES);
    let mut saves = 0;
    for _ in 0..worlds {
        let (mut left, mut right) = changed_there();
        let aside = tempfile::tempdir_in(left.root.parent().unwrap()).unwrap();
        let over = AtomicBool::new(false);
        let saved = std::thread::scope(|scope| {
            let (root, aside, over) = (left.root.clone(), aside.path(), &over);
            let writer = scope.spawn(move || save_on(&root, aside, pattern, over));
            for _ in 0..2 {
                _ = left.try_sync(Request::default());
            }
            over.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        let request = Request { strategy: Some(Strategy::Both), ..Request::default() };
        for _ in 0..3 {
            left.try_sync(request.clone()).unwrap();
            right.try_sync(request.clone()).unwrap();
        }
        let mut found = BTreeSet::new();
        [&left.root, &right.root, aside.path()].into_iter().for_each(|place| contents(place, &mut found));
        let lost: Vec<_> = saved.last.values().filter(|text| !found.contains(*text)).collect();
        assert!(lost.is_empty(), "{pattern:?}: {} of {} saves are lost: {lost:?}", lost.len(), saved.count);
        assert_eq!(left.drawing(), right.drawing(), "{pattern:?}");
        saves += saved.count;
    }
    writeln!(std::io::stdout(), "{pattern:?}: {} files raced for, {saves} saves", worlds * FILES).unwrap();
}

#[test]
fn a_file_written_over_in_the_moment_of_apply_is_kept() {
    nothing_saved_is_lost(Pattern::InPlace);
}

#[test]
fn a_file_cut_in_the_moment_of_apply_is_kept() {
    nothing_saved_is_lost(Pattern::Cut);
}

#[test]
fn a_file_renamed_over_in_the_moment_of_apply_is_kept() {
    nothing_saved_is_lost(Pattern::RenameOver);
}

#[test]
fn a_file_appended_to_in_the_moment_of_apply_is_kept() {
    nothing_saved_is_lost(Pattern::Append);
}

#[test]
fn a_folder_swapped_for_a_link_in_the_moment_of_apply_leads_nowhere() {
    let worlds = raced().div_ceil(FILES);
    let mut flips = 0;
    for _ in 0..worlds {
        let (mut left, _right) = changed_there();
        let outside = tempfile::tempdir().unwrap();
        for at in 0..FILES {
            fs::write(outside.path().join(format!("f{at}")), "base").unwrap();
        }
        let look = || -> BTreeMap<_, _> {
            let entries = fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap());
            let print = |entry: &fs::DirEntry| {
                let found = entry.metadata().unwrap();
                (fs::read_to_string(entry.path()).unwrap(), found.ino(), found.mode(), found.ctime_nsec())
            };
            entries.map(|entry| (entry.file_name(), print(&entry))).collect()
        };
        let before = look();
        let (link, over) = (left.root.with_extension("link"), AtomicBool::new(false));
        symlink(outside.path(), &link).unwrap();
        flips += std::thread::scope(|scope| {
            let (folder, link, over) = (left.root.join("d2"), &link, &over);
            let flipper = scope.spawn(move || {
                let mut flips = 0;
                while !over.load(Ordering::Relaxed) || flips % 2 == 1 {
                    flips += u64::from(renameat_with(CWD, &folder, CWD, link, RenameFlags::EXCHANGE).is_ok());
                    std::thread::yield_now();
                }
                flips
            });
            for _ in 0..3 {
                _ = left.try_sync(Request::default());
            }
            over.store(true, Ordering::Relaxed);
            flipper.join().unwrap()
        });
        assert_eq!(look(), before);
    }
    writeln!(std::io::stdout(), "{} files raced for, {flips} swaps", worlds * FILES).unwrap();
}
