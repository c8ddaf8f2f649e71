//! A repository on a path of this machine: its branches, and the record of our pushes into it.
//!
//! A push that dies with the power leaves a lock file that stops every later push. It is removed only when our own
//! record says that a push of ours was under way, that no process of that push lives, and when the same lock has stood
//! there through a whole push of today.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use instep_core::path::escape;
use instep_core::remote::{RemoteError, RemoteErrorKind};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags};

use super::failure;
use super::locks;
use super::notes;
use super::objects::Oid;
use super::program::{Program, Scope};
use crate::address::is_bare_repository;

/// What a repository holds under `refs/heads/`.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub name: String,
    pub head: Oid,
    /// A work tree shows it.
    pub checked_out: bool,
}

/// Finds the repository's own directory at a path that a person typed.
pub(super) fn git_dir(path: &Path) -> Option<PathBuf> {
    let inside = path.join(".git");
    if inside.exists() {
        return Some(inside);
    }
    is_bare_repository(path).then(|| path.to_owned())
}

/// Lists a branch, and the notes beside it. A note that is damaged must not stand in the branch's way.
pub(super) fn branch_and_notes(
    program: &Program,
    git_dir: &Path,
    reference: &str,
) -> Result<Vec<Branch>, RemoteError> {
    branches(program, git_dir, &[reference, notes::FOLDER])
        .or_else(|_| branches(program, git_dir, &[reference]))
}

/// Answers whether a refusal of a ref comes from what others do to it just now, and passes.
pub(super) fn is_passing(reason: &str) -> bool {
    reason.contains("lock") || reason.contains("failed to update ref")
}

/// Lists the branches whose names match a pattern of git's.
pub(super) fn branches(
    program: &Program,
    git_dir: &Path,
    patterns: &[&str],
) -> Result<Vec<Branch>, RemoteError> {
    let mut call = program.call(Scope::At(git_dir))?;
    call.args(["for-each-ref", "--format=%(objectname) %(objecttype) %(worktreepath)%00%(refname)%00"]);
    let outcome = call.args(patterns).run(&[])?;
    // A branch whose file is damaged is left out with a warning; it must not look like one that is not there.
    if !outcome.status.success() || !outcome.stderr.is_empty() {
        return Err(failure::of(&outcome));
    }
    let mut branches = Vec::new();
    let mut fields = outcome.stdout.split(|&b| b == 0);
    while let (Some(head), Some(name)) = (fields.next(), fields.next()) {
        let head = head.trim_ascii_start();
        let end = head.iter().position(|&b| b == b' ').unwrap_or(head.len());
        let oid = Oid::told(&head[..end])?;
        if name.starts_with(notes::FOLDER.as_bytes()) {
            let name = String::from_utf8_lossy(name).into_owned();
            branches.push(Branch { name, head: oid, checked_out: false });
            continue;
        }
        let Some(shown_in) = head[end..].strip_prefix(b" commit ") else {
            return Err(failure::corrupt("E-GIT-CORRUPT", "A branch of the repository names no commit."));
        };
        let name = String::from_utf8_lossy(name).trim_start_matches("refs/heads/").to_owned();
        // A bare repository counts as the work tree of its own first branch.
        let shown_in = Path::new(OsStr::from_bytes(shown_in));
        let is_bare = shown_in.canonicalize().ok() == git_dir.canonicalize().ok();
        let checked_out = !shown_in.as_os_str().is_empty() && !is_bare;
        branches.push(Branch { name, head: oid, checked_out });
    }
    Ok(branches)
}

/// Answers whether a work tree at the path shows the branch, even if nothing was committed to it yet.
pub(super) fn is_checked_out(program: &Program, git_dir: &Path, branch: &str) -> Result<bool, RemoteError> {
    let reference = format!("refs/heads/{branch}");
    let listed = branches(program, git_dir, &[&reference])?;
    if listed.iter().any(|found| found.name == branch && found.checked_out) {
        return Ok(true);
    }
    let has_work_tree = git_dir.file_name().is_some_and(|name| name == ".git");
    let head = fs::read_to_string(git_dir.join("HEAD")).unwrap_or_default();
    Ok(has_work_tree && head.trim() == format!("ref: {reference}"))
}

/// The refusal to write to a branch that a work tree shows: its files would not follow.
pub(super) fn checked_out(reference: &str) -> RemoteError {
    let branch = reference.trim_start_matches("refs/heads/");
    let message = format!("The repository has a work tree that shows the branch {branch}.");
    RemoteError::new(RemoteErrorKind::Invalid, "E-GIT-CHECKEDOUT", message)
        .hinted("name another branch with --branch, or use a bare repository")
}

/// The name of the record.
pub(super) const RECORD: &str = "instep.push";
/// How often the record is asked for while another push writes into it, and the pause in between.
const TRIES_MAX: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// The record of the pushes that are under way: a line for each, and a lock that each of them shares.
#[derive(Debug)]
pub(super) struct PushRecord {
    file: File,
    git_dir: PathBuf,
    reference: String,
    /// The locks left by an earlier push of ours, as they stood before this one.
    leftovers: Vec<Leftover>,
    /// The locks that stood before this one and that no push of ours can have left.
    foreign: Vec<Leftover>,
}

#[derive(Debug, PartialEq, Eq)]
struct Leftover {
    path: PathBuf,
    inode: u64,
    modified_ns: i64,
}

impl Leftover {
    fn at(path: PathBuf) -> Option<Self> {
        let found = fs::symlink_metadata(&path).ok()?;
        let modified_ns = found.mtime().wrapping_mul(1_000_000_000).wrapping_add(found.mtime_nsec());
        Some(Leftover { path, inode: found.ino(), modified_ns })
    }

    /// The locks that stand now. A push to the branch that a bare repository shows locks its HEAD too.
    fn all(git_dir: &Path, reference: &str) -> Vec<Self> {
        let branch = format!("{reference}.lock");
        [&branch[..], "HEAD.lock", "packed-refs.lock"]
            .into_iter()
            .filter_map(|name| Leftover::at(git_dir.join(name)))
            .collect()
    }
}

impl PushRecord {
    /// Writes down, durably, that a push of ours begins: in the repository itself, where every machine that works on it
    /// finds it, so that whoever comes next can clear up after a push that was killed; in our own copy where another
    /// person's record must not be written. Pushes share the record's lock, and their programs inherit it: who gets it
    /// alone knows that all of them have ended; while nobody does, a push goes on and no lock of git is touched.
    pub fn begin(ours: &Path, git_dir: &Path, reference: &str) -> Result<Self, RemoteError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut path = git_dir.join(RECORD);
        let mut is_new = !path.exists();
        let mut opened = options.open(&path);
        if opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            path = ours.join(RECORD);
            is_new = !path.exists();
            opened = options.open(&path);
        }
        let io = |error| failure::at_path("writing", &path, error);
        let mut file = opened.map_err(io)?;
        let all_dead = locked(&file, FlockOperation::NonBlockingLockExclusive).map_err(io)?;
        if !all_dead {
            share(&file).map_err(io)?;
        }
        let line = format!("{reference}\n");
        let mut before = String::new();
        file.read_to_string(&mut before).map_err(io)?;
        let standing = Leftover::all(git_dir, reference);
        let (leftovers, foreign) = match (all_dead, before.lines().any(|line| line == reference)) {
            (true, true) => (standing, Vec::new()),
            (true, false) => (Vec::new(), standing),
            (false, _) => (Vec::new(), Vec::new()),
        };
        let mut write = || -> io::Result<()> {
            if !all_dead || before != line {
                if all_dead {
                    file.set_len(0)?;
                }
                file.write_all(line.as_bytes())?;
                file.sync_all()?;
            }
            if is_new {
                File::open(path.parent().unwrap_or(ours))?.sync_all()?;
            }
            rustix::io::fcntl_setfd(&file, FdFlags::empty())?;
            Ok(())
        };
        write().map_err(io)?;
        share(&file).map_err(io)?;
        let (git_dir, reference) = (git_dir.to_owned(), reference.to_owned());
        Ok(PushRecord { file, git_dir, reference, leftovers, foreign })
    }

    /// Removes the locks that a dead push of ours left, if they have stood there all the time and no program that could
    /// hold them is seen.
    pub fn remove_leftovers(&mut self) {
        let leftovers = std::mem::take(&mut self.leftovers);
        if leftovers.is_empty() || locks::is_in_use(&self.git_dir) == Some(true) {
            return;
        }
        for leftover in leftovers {
            if Leftover::at(leftover.path.clone()).as_ref() == Some(&leftover) {
                // If it can't be removed, the next try says so.
                let _ = fs::remove_file(&leftover.path);
            }
        }
    }

    /// The push has ended: nothing of it may be left. While another goes on, or a lock stands that one of ours may have
    /// left, the record stays for whoever comes next: a program of a push may die alone, too.
    pub fn end(self) {
        if let Ok(true) = locked(&self.file, FlockOperation::NonBlockingLockExclusive) {
            let standing = Leftover::all(&self.git_dir, &self.reference);
            if standing.iter().all(|lock| self.foreign.contains(lock)) {
                // Not durable on purpose: after a power cut an old record only allows to look.
                let _ = self.file.set_len(0);
            }
        }
        // For all that inherited it, also a program that another thread started at the wrong moment.
        let _ = self.file.unlock();
    }
}

/// Takes a share in the lock of a record. Who has it alone has it for a moment only; a push goes on without it rather
/// than wait for a program that stands still.
fn share(file: &File) -> io::Result<()> {
    for _ in 0..TRIES_MAX {
        if locked(file, FlockOperation::NonBlockingLockShared)? {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Takes or changes the lock of a record; answers false if another's is in the way.
fn locked(file: &File, operation: FlockOperation) -> io::Result<bool> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A repository's own directory for hooks, where it sets one: those run even for our pushes.
pub(super) fn own_hooks(program: &Program, git_dir: &Path) -> Result<Option<String>, RemoteError> {
    let config = git_dir.join("config");
    let mut call = program.call(Scope::Ours)?;
    let outcome = call.args(["config", "--file"]).args([config]).args(["--get", "core.hooksPath"]).run(&[])?;
    let path = escape(outcome.stdout.trim_ascii());
    Ok(if path.is_empty() { None } else { Some(path) })
}
