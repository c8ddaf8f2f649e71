//! Our own repository is a copy, and may be damaged or lost: what notices it, and what makes it anew.

use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::ours::{make_ours, put_aside};
use super::program::{self, Scope};
use super::push::Push;
use super::{GitRemote, locked};

impl GitRemote {
    /// Our own repository is a copy, and most of it is not waited for to reach the disk: if a power cut damaged it, it
    /// is made anew, and the step is done once more.
    pub(super) fn mended<T>(&self, step: impl Fn() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        match step() {
            Err(error) if self.remake(&error)? => step(),
            other => other,
        }
    }

    /// As [`GitRemote::mended`], for a step that needs what was sent before: the caller begins again.
    pub(super) fn mended_from_start<T>(
        &self,
        step: impl FnOnce() -> Result<T, RemoteError>,
    ) -> Result<T, RemoteError> {
        match step() {
            Err(error) if self.remake(&error)? => Err(RemoteError::new(
                RemoteErrorKind::Stale,
                "E-GIT-REMADE",
                "Our own copy of the repository was damaged and was made anew; nothing is lost.",
            )
            .caused_by(error)),
            other => other,
        }
    }

    /// If an error comes from damage in our own repository, puts that aside and makes an empty one.
    pub(super) fn remake(&self, error: &RemoteError) -> Result<bool, RemoteError> {
        if self.beside || !matches!(error.code, "E-GIT-CORRUPT" | "E-GIT-FAILED" | "E-GIT-OBJECT") {
            return Ok(false);
        }
        let mut call = self.program.call(Scope::Ours)?;
        for oddity in program::HARMLESS {
            call.args(["-c".to_owned(), format!("fsck.{oddity}=ignore")]);
        }
        let is_sound = call.args(["fsck", "--no-dangling", "--no-progress"]).run(&[])?.status.success();
        // An object that no ref reaches is missed by nobody but the draft that names it: git's check is silent of it.
        if is_sound && error.code != "E-GIT-OBJECT" {
            return Ok(false);
        }
        put_aside(self.program.directory())?;
        *locked(&self.written) = None;
        locked(&self.sent).clear();
        self.program.forget();
        make_ours(&self.program)?;
        Ok(true)
    }

    /// Answers whether our copy has all that a commit adds to the head: asked when the commit did not arrive.
    pub(super) fn is_all_here(&self, push: &Push<'_>) -> bool {
        let past = push.expected.map(|oid| format!("^{oid}"));
        let mut call = match self.program.call(Scope::Ours) {
            Ok(call) => call,
            Err(_) => return true,
        };
        call.args(["rev-list", "--objects", "--quiet"]).args([push.new.to_string()]).args(past);
        call.run(&[]).is_ok_and(|outcome| outcome.status.success())
    }
}
