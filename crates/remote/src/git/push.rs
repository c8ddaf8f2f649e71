//! The push: the one moment at which others see something, as an exact compare-and-swap.
//!
//! It carries the expected head as a lease, never force. Whatever ends it, the head itself is asked before anything is
//! said about it: an answer that was lost on the way is no failure, and a refusal may be a race.

use std::path::Path;

use instep_core::mutant;
use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::failure;
use super::local::{self, PushRecord};
use super::objects::Oid;
use super::program::{Call, Outcome, Program, Scope, sync_file_system};

/// How often a push is tried while another holds the lock of the branch.
const TRIES_MAX: u32 = 3;

/// What is to become the head of what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push<'a> {
    pub reference: &'a str,
    /// Our own note of its head.
    pub noted: &'a str,
    pub expected: Option<Oid>,
    pub new: Oid,
    /// The repository's own directory, if it is on a path.
    pub git_dir: Option<&'a Path>,
    /// A large content is in it: a repository on a path is to keep it as it is sent, not as a file of its own.
    pub as_pack: bool,
}

impl Push<'_> {
    /// Does it; `head` asks the remote.
    pub fn run(
        &self,
        program: &Program,
        head: impl Fn() -> Result<Option<Oid>, RemoteError>,
    ) -> Result<(), RemoteError> {
        let mut record = match self.git_dir {
            Some(git_dir) => Some(PushRecord::begin(program.directory(), git_dir, self.reference)?),
            None => None,
        };
        let mut outcome = self.call(program)?.run(&[])?;
        for _ in 1..TRIES_MAX {
            if !is_locked(&outcome) {
                break;
            }
            // Another's lock is gone in a moment; those of our own that nobody holds never go by themselves.
            record.as_mut().map(PushRecord::remove_leftovers);
            outcome = self.call(program)?.run(&[])?;
        }
        let judged = self.judge(&outcome, head);
        if let Some(record) = record {
            record.end();
        }
        judged?;
        let git_dir = self.git_dir.filter(|_| !mutant::is_on("push-not-durable"));
        git_dir.map_or(Ok(()), sync_file_system)
    }

    fn call(&self, program: &Program) -> Result<Call, RemoteError> {
        let mut call = program.call(Scope::Talking)?;
        call.args(program.patience_with_a_push());
        call.args(["-c", "pack.window=0", "-c", "pack.compression=1", "-c", "push.negotiate=false"]);
        // What the remote took is our own note of its head too: no wait for the disk, and no call of its own.
        call.args(["-c".to_owned(), format!("remote.instep.fetch=+{}:{}", self.reference, self.noted)]);
        call.args(["-c", "core.fsync=none", "-c", "core.logAllRefUpdates=always"]);
        call.args(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-progress", "--no-signed"]);
        call.args(["--recurse-submodules=no"]);
        if self.as_pack && self.git_dir.is_some() {
            call.args(["--receive-pack=git -c receive.unpackLimit=1 receive-pack"]);
        }
        let expected = self.expected.map(|oid| oid.to_string()).unwrap_or_default();
        if mutant::is_on("push-by-force") {
            call.args(["--force"]);
        } else {
            call.args([format!("--force-with-lease={}:{expected}", self.reference)]);
        }
        call.args(["--".to_owned(), "instep".to_owned(), format!("{}:{}", self.new, self.reference)]);
        Ok(call)
    }

    fn judge(
        &self,
        outcome: &Outcome,
        head: impl Fn() -> Result<Option<Oid>, RemoteError>,
    ) -> Result<(), RemoteError> {
        if outcome.status.success() {
            return Ok(());
        }
        let refused = refusal(&outcome.stdout);
        match head() {
            Ok(found) if found == Some(self.new) => Ok(()),
            Ok(found) if found != self.expected && mutant::is_on("stale-push-is-done") => Ok(()),
            Ok(found) if found != self.expected => Err(stale()),
            Ok(_) => Err(match refused {
                Some(reason) if local::is_passing(&reason) => failure::of(outcome),
                // What was sent was not whole: the words above it say whose fault that is.
                Some(reason) if reason.contains("unpacker error") => failure::of(outcome),
                Some(reason) if reason.contains("checked out") => local::checked_out(self.reference),
                Some(reason) => failure::rejected(&reason).caused_by(said(outcome)),
                None => failure::of(outcome),
            }),
            Err(offline) => Err(offline),
        }
    }
}

fn is_locked(outcome: &Outcome) -> bool {
    !outcome.status.success() && String::from_utf8_lossy(&outcome.stderr).contains(".lock': File exists")
}

fn said(outcome: &Outcome) -> String {
    failure::last_words(&String::from_utf8_lossy(&outcome.stderr))
}

/// The words in brackets behind a refused ref, such as `remote rejected] (hook declined)`.
pub(super) fn refusal(stdout: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().find(|line| line.starts_with('!'))?;
    Some(line.rsplit('\t').next().unwrap_or(line).trim().to_owned())
}

/// The head is not the expected one.
pub(super) fn stale() -> RemoteError {
    RemoteError::new(RemoteErrorKind::Stale, "E-HEAD-MOVED", "Another machine committed first.")
}
