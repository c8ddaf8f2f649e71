//! Lock files that killed programs left, and who still works in a repository.
//!
//! Git makes a lock as a file and trusts that whoever made it removes it; after `kill -9` nobody does. Nobody but Instep
//! works in our own repository, and only one Instep at a time writes there, so that a lock which no living program can
//! have made is removed. A program that outlived its parent is given a moment to end by itself.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use instep_core::mutant;

use super::local::RECORD;

/// How long a living program is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
/// Where it can't be known who lives, a lock that stands as long as this belongs to nobody.
const AGE_MIN: Duration = Duration::from_secs(10);

/// Removes the lock in our own repository that git complained of, unless a living program may hold it. Answers whether
/// another try is worth it.
pub(super) fn remove_named(said: &str, ours: &Path) -> bool {
    remove_named_within(said, ours, ours)
}

/// As [`remove_named`], in a folder of a repository where nobody writes but this machine.
pub(super) fn remove_named_within(said: &str, ours: &Path, within: &Path) -> bool {
    let Some(lock) = named(said).filter(|lock| is_inside(lock, within)) else { return false };
    let began = Instant::now();
    loop {
        if fs::symlink_metadata(&lock).is_err() {
            return true;
        }
        let is_free = match is_in_use(ours) {
            Some(in_use) => !in_use || mutant::is_on("living-lock-removed"),
            None => is_old(&lock),
        };
        if is_free {
            return fs::remove_file(&lock).is_ok();
        }
        if began.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Answers whether git found one of our own refs changed while it worked: by a git that outlived its program, which had
/// the same to do. Another try is worth it.
pub(super) fn is_overtaken(said: &str) -> bool {
    let is_ours = |line: &&str| line.starts_with("error: cannot lock ref 'refs/instep/");
    said.lines().filter(is_ours).any(|line| line.contains(" but expected "))
}

/// The file of `Unable to create 'FILE.lock': File exists.`
fn named(said: &str) -> Option<PathBuf> {
    let before = &said[..said.find(".lock': File exists")?];
    let start = before.rfind("Unable to create '")? + "Unable to create '".len();
    Some(PathBuf::from(format!("{}.lock", &before[start..])))
}

fn is_inside(lock: &Path, directory: &Path) -> bool {
    let real = lock.parent().and_then(|parent| parent.canonicalize().ok());
    match (real, directory.canonicalize()) {
        (Some(parent), Ok(directory)) => parent.starts_with(directory),
        _ => false,
    }
}

fn is_old(lock: &Path) -> bool {
    let modified = fs::symlink_metadata(lock).and_then(|found| found.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > AGE_MIN))
}

/// Answers whether a living git program may work in a repository; `None` where that can't be known.
pub(super) fn is_in_use(directory: &Path) -> Option<bool> {
    let real = directory.canonicalize().ok()?;
    let mut any = false;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let process = process.path();
        let is_process =
            process.file_name().is_some_and(|name| name.as_bytes().iter().all(u8::is_ascii_digit));
        if !is_process {
            continue;
        }
        any = true;
        // One that ended meanwhile, or that has ended and waits for its parent, holds nothing.
        let Ok(name) = fs::read(process.join("comm")) else { continue };
        if name.starts_with(b"git") && uses(&process, directory, &real) {
            return Some(true);
        }
    }
    any.then_some(false)
}

/// A reader of objects is no writer: we may have one open ourselves.
fn uses(process: &Path, directory: &Path, real: &Path) -> bool {
    let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
    if arguments.is_empty() || arguments.split(|&b| b == 0).any(|argument| argument == b"cat-file") {
        return false;
    }
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let said = |text: &[u8], path: &Path| {
        let path = path.as_os_str().as_bytes();
        text.windows(path.len()).any(|part| part == path)
    };
    if [directory, real].iter().any(|path| said(&arguments, path) || said(&environment, path)) {
        return true;
    }
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten().map(|file| file.path());
    files
        .chain([process.join("cwd")])
        .any(|link| fs::read_link(link).is_ok_and(|target| target.starts_with(real) && !is_record(&target)))
}

/// The record of a push has a lock of its own that tells who lives; a program that merely inherited it works elsewhere.
fn is_record(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == RECORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_read_from_the_words() {
        let said =
            "fatal: cannot lock ref 'refs/x': Unable to create '/a b/refs/x.lock': File exists.\n\nAnother";
        assert_eq!(named(said), Some(PathBuf::from("/a b/refs/x.lock")));
        assert_eq!(named("fatal: no"), None);
    }

    #[test]
    fn only_a_ref_of_our_own_repository_is_overtaken() {
        let said = "cannot lock ref 'refs/instep/head': is at 87c2 but expected d999\n";
        assert!(is_overtaken(&format!("warning: x\nerror: {said}")));
        assert!(!is_overtaken(&format!("remote: error: {said}")));
        assert!(!is_overtaken("error: cannot lock ref 'refs/heads/main': is at 1 but expected 2"));
    }
}
