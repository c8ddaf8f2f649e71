//! Whether everybody can read what is sent: a repository that is open to the world stops before anything goes out, unless
//! a person of this machine allowed it.

use instep_core::clock::Timestamp;
use instep_core::config::edit::Edit;
use instep_remote::address::Address;
use instep_remote::git::{GitRemote, Visibility};

use crate::configuration::change::Target;
use crate::configuration::layers::Sources;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;

/// The setting that allows it, for this machine and the present place.
pub const ALLOWED: &str = "sync.allow_public";

/// How long an answer holds.
const DAY_SECONDS: i64 = 86_400;

/// The note that keeps the last answer: address and moment.
const NOTE: &str = "seen private";

/// Refuses a repository that everybody can read, unless that is allowed.
pub fn check(git: &GitRemote, address: &Address, allowed: bool) -> Result<(), CommandError> {
    if allowed || git.visibility()? != Visibility::Public {
        return Ok(());
    }
    Err(public(&address.to_string())
        .hinted("make it private; or, if everybody may read your files, `--allow-public`."))
}

/// The same before something is sent, at most once a day: a repository may have been opened since.
pub fn check_again(opened: &mut Opened) -> Result<(), CommandError> {
    let Some(git) = opened.git_over_http()? else { return Ok(()) };
    if opened.loaded.settings.config().allow_public {
        return Ok(());
    }
    let address = opened.address()?.to_string();
    let now = opened.workspace.clock.now();
    if opened.workspace.state.note(NOTE)?.is_some_and(|note| is_fresh(&note, &address, now)) {
        return Ok(());
    }
    match git.visibility()? {
        Visibility::Public => Err(public(&address).hinted(format!(
            "make it private; or, if everybody may read your files, `instep config set {ALLOWED} true --machine`."
        ))),
        Visibility::Private => {
            let note = format!("{} {address}", now.seconds());
            Ok(opened.workspace.state.transact(|write| write.note(NOTE, &note))?)
        }
        // A host that does not answer now is asked at the next sync.
        Visibility::Unknown(_) => Ok(()),
    }
}

/// Answers whether everybody can read the repository; `None` where that can't be found out.
pub fn is_public(opened: &Opened) -> Result<Option<bool>, CommandError> {
    let Some(git) = opened.git_over_http()? else { return Ok(None) };
    Ok(match git.visibility()? {
        Visibility::Public => Some(true),
        Visibility::Private => Some(false),
        Visibility::Unknown(_) => None,
    })
}

/// Writes down what a person allowed for a place, or that a new place has no such word.
pub fn remember(sources: &Sources, allowed: bool) -> Result<(), CommandError> {
    let known = sources.load(&[])?.settings.config().allow_public;
    let edit = match (allowed, known) {
        (true, false) => Edit::Set { key: ALLOWED, value: "true" },
        (false, true) => Edit::Unset { key: ALLOWED },
        _ => return Ok(()),
    };
    sources.change(Target::Here, &[edit]).map(drop)
}

fn is_fresh(note: &str, address: &str, now: Timestamp) -> bool {
    let Some((asked, known)) = note.split_once(' ') else { return false };
    let Ok(asked) = asked.parse::<i64>() else { return false };
    known == address && (asked..asked + DAY_SECONDS).contains(&now.seconds())
}

fn public(address: &str) -> CommandError {
    CommandError::new("E-REMOTE-PUBLIC", Exit::Guard, "Everybody can read this repository.")
        .at(address)
        .because("It answers without a login, and this version sends files as they are.")
        .safe("Nothing was sent, and nothing was changed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_a_day_and_for_one_place() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert!(is_fresh("100 https://a/b", "https://a/b", at(100)));
        assert!(is_fresh("100 https://a/b", "https://a/b", at(86_499)));
        for (note, now) in
            [("100 https://a/b", 86_500), ("100 https://a/c", 101), ("x", 1), ("200 https://a/b", 100)]
        {
            assert!(!is_fresh(note, "https://a/b", at(now)), "{note}");
        }
    }
}
