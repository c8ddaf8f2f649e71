//! Whether anybody at all may read the repository: asked as a stranger would ask.

use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::failure;
use super::program::{Program, Scope};

/// Who may read a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Anybody, without a login.
    Public,
    /// Whoever the host lets in.
    Private,
    /// It was not found out; the text says why, as a part of a sentence.
    Unknown(String),
}

/// What a host answers that got no login, as far as the packets show that a git host answers at all.
const PACKETS: &[&str] = &["# service=git-upload-pack", "< version 2"];

/// Asks for the head without any of the person's logins.
pub(super) fn probe(program: &Program) -> Result<Visibility, RemoteError> {
    let mut call = program.call(Scope::Stranger)?;
    call.args(["ls-remote", "--quiet", "--", program.url(), "HEAD"]).as_question();
    let outcome = call.env("GIT_TRACE_PACKET", "1").run(&[])?;
    if outcome.status.success() && outcome.timed_out.is_none() {
        return Ok(match answers_as_git(&outcome.stderr) {
            true => Visibility::Public,
            false => Visibility::Unknown("what answers there is no git host".to_owned()),
        });
    }
    let error = failure::of(&outcome);
    Ok(match error.kind {
        RemoteErrorKind::Unauthorized | RemoteErrorKind::NotFound => Visibility::Private,
        RemoteErrorKind::Local => return Err(error),
        // Whoever asks it next would wait as long again.
        RemoteErrorKind::Offline if error.code == "E-NET-TIMEOUT" => return Err(error),
        _ => Visibility::Unknown(format!("the host could not be asked: {}", error.message)),
    })
}

/// A login page of some network answers everything with success, and git takes it for an empty repository. What its
/// trace of packets says tells them apart.
pub(super) fn answers_as_git(trace: &[u8]) -> bool {
    let said = String::from_utf8_lossy(trace);
    PACKETS.iter().any(|packet| said.contains(packet))
}
