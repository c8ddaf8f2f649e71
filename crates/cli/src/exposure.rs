//! Whether everybody can read what is sent: a repository that is open to the world stops before anything goes out, unless
//! a person of this machine allowed it.

use instep_core::clock::Timestamp;
use instep_core::config::Value;
use instep_core::config::edit::Edit;
use instep_remote::address::Address;
use instep_remote::git::{GitRemote, Visibility};

use crate::configuration::change::Target;
use crate::configuration::layers::Sources;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;

/// The setting that allows it, for this machine and the present place, in the short form.
pub const ALLOWED: &str = "sync.allow_public";

/// How long an answer holds.
const DAY_SECONDS: i64 = 86_400;

/// The note that keeps the moment of the last answer, for each address.
const NOTE: &str = "seen private: ";

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
    let Some(place) = opened.place().filter(|place| !place.allow_public && !place.read_only) else {
        return Ok(());
    };
    let key = place.key("allow_public");
    let address = opened.address()?.to_string();
    let now = opened.workspace.clock.now();
    let note = format!("{NOTE}{address}");
    if opened.workspace.state.note(&note)?.is_some_and(|asked| is_fresh(&asked, now)) {
        return Ok(());
    }
    match git.visibility()? {
        Visibility::Public => Err(public(&address).hinted(format!(
            "make it private; or, if everybody may read your files, `instep config set {key} true --machine`."
        ))),
        Visibility::Private => {
            let asked = now.seconds().to_string();
            Ok(opened.workspace.state.transact(|write| write.note(&note, &asked))?)
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
pub fn remember(sources: &Sources, key: &str, allowed: bool) -> Result<(), CommandError> {
    let settings = sources.load(&[])?.settings;
    let known = settings.entry(key).and_then(|entry| entry.value()) == Some(&Value::Bool(true));
    let edit = match (allowed, known) {
        (true, false) => Edit::Set { key, value: "true" },
        (false, true) => Edit::Unset { key },
        _ => return Ok(()),
    };
    sources.change(Target::Here, &[edit]).map(drop)
}

fn is_fresh(asked: &str, now: Timestamp) -> bool {
    asked
        .parse::<i64>()
        .is_ok_and(|asked| (asked..asked.saturating_add(DAY_SECONDS)).contains(&now.seconds()))
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
    fn an_answer_holds_for_a_day() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        assert!(is_fresh("100", at(100)) && is_fresh("100", at(86_499)));
        for (asked, now) in [("100", 86_500), ("x", 1), ("200", 100), ("9223372036854775807", 1)] {
            assert!(!is_fresh(asked, at(now)), "{asked}");
        }
    }
}
