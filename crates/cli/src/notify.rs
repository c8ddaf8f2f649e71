//! The command by which a person wants to be told: of a new conflict, of a halt that protects data, of a failure.
//!
//! What was told is noted, so that the same open conflict or the same failure is told of once. A success is never told
//! of, nor what passes by itself, such as being offline. Nothing here fails a command.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use instep_core::path::escape;
use instep_engine::cycle::outcome::{OpenConflict, Outcome};
use instep_engine::failure::EngineError;
use instep_engine::state::told_note;
use serde_json::{Value, json};

use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::{count, joined, path_object};
use crate::terminal::{Terminal, program};

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(10);

/// One call of the command, to be made when the workspace is free again.
#[derive(Debug)]
pub struct Call {
    command: String,
    folder: PathBuf,
    event: &'static str,
    message: String,
    document: Value,
}

impl Call {
    /// Runs the command, and says if it failed.
    pub fn make(&self, terminal: &Terminal) {
        let variables = [("INSTEP_NOTIFY_EVENT", self.event), ("INSTEP_NOTIFY_MESSAGE", &self.message)];
        let document = format!("{}\n", self.document);
        let went = program::notify(&self.command, &self.folder, &variables, document, LIMIT);
        let how = match went {
            Ok(Some(status)) if status.success() => return,
            Ok(Some(status)) => format!("failed ({status})"),
            Ok(None) => format!("did not end within {} s, and was ended", LIMIT.as_secs()),
            Err(error) => format!("could not be started ({error})"),
        };
        terminal.warn(&format!(
            "The command that tells you of news (`notify.command`) {how}. The sync itself is not concerned."
        ));
    }
}

/// What a person was told of: the paths in conflict, and the code of the failure that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    conflicts: BTreeSet<String>,
    failure: Option<String>,
}

impl Told {
    fn parse(text: &str) -> Self {
        let mut told = Told::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("conflict", path)) => _ = told.conflicts.insert(path.to_owned()),
                Some(("failure", code)) => told.failure = Some(code.to_owned()),
                _ => {}
            }
        }
        told
    }

    fn text(&self) -> String {
        let failure = self.failure.iter().map(|code| format!("failure {code}\n"));
        failure.chain(self.conflicts.iter().map(|path| format!("conflict {path}\n"))).collect()
    }
}

/// What is to be told after a sync that ended so, if anything is new and there is a command to tell it. It counts as
/// told from here on.
pub fn due(opened: &mut Opened, answer: &Result<Outcome, CommandError>) -> Option<Call> {
    let command = opened.loaded.settings.config().notify.command.clone()?;
    let (before, note) = told(opened).ok()??;
    let mut now = before.clone();
    let (event, message, rest) = match answer {
        Ok(outcome) => {
            let open: Vec<&OpenConflict> =
                outcome.conflicts.iter().filter(|open| !open.conflict.settled).collect();
            now = Told { conflicts: open.iter().map(|open| path(open)).collect(), failure: None };
            let new: Vec<&OpenConflict> =
                open.into_iter().filter(|open| !before.conflicts.contains(&path(open))).collect();
            (
                "conflict",
                in_words(&new),
                json!({"conflicts": new.iter().map(|open| object(open)).collect::<Vec<_>>()}),
            )
        }
        Err(error) if is_told(error.exit) => {
            now.failure = Some(error.code.to_owned());
            let event = if error.exit == Exit::Guard { "halt" } else { "failure" };
            let message = if now.failure == before.failure { String::new() } else { error.what.clone() };
            (event, message, json!({"code": error.code, "exit_code": error.exit.code(), "hint": error.hint}))
        }
        Err(_) => return None,
    };
    if now != before {
        opened.workspace.state.transact(|write| write.note(&note, &now.text())).ok()?;
    }
    let (root, remote) = (opened.workspace.root().to_path_buf(), opened.place().map(|place| &place.name));
    let head = json!({
        "schema": 1,
        "event": event,
        "message": message,
        "workspace": escape(root.as_os_str().as_encoded_bytes()),
        "machine": opened.machine(),
        "remote": remote,
    });
    let document = joined(&head, rest);
    (!message.is_empty()).then_some(Call { command, folder: root, event, message, document })
}

fn told(opened: &Opened) -> Result<Option<(Told, String)>, EngineError> {
    let Some(key) = opened.remote_key() else { return Ok(None) };
    let state = &opened.workspace.state;
    let note = told_note(state.remote(&key)?.id);
    Ok(Some((Told::parse(&state.note(&note)?.unwrap_or_default()), note)))
}

/// Answers whether such an end is worth telling: not what the person typed wrong or stopped, nor what passes by itself.
fn is_told(exit: Exit) -> bool {
    !matches!(exit, Exit::Usage | Exit::Interrupted | Exit::Temporary | Exit::Locked)
}

fn path(open: &OpenConflict) -> String {
    escape(open.conflict.path.as_bytes())
}

fn object(open: &OpenConflict) -> Value {
    path_object(&open.conflict.path, json!({"id": open.short(), "kind": open.conflict.kind.word()}))
}

/// What is new, in one sentence; empty if nothing is.
fn in_words(new: &[&OpenConflict]) -> String {
    const NAMED_MAX: usize = 3;
    if new.is_empty() {
        return String::new();
    }
    let named = new.iter().take(NAMED_MAX).map(|open| format!("{} ({})", path(open), open.short()));
    let mut names: Vec<String> = named.collect();
    if new.len() > NAMED_MAX {
        names.push(format!("and {} more", new.len() - NAMED_MAX));
    }
    format!("{}: {}.", count(new.len() as u64, "new conflict"), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_read_back_as_it_was_noted() {
        let conflicts = ["a b".to_owned(), "c\\n".to_owned()].into();
        let told = Told { conflicts, failure: Some("E-GUARD-DELETE".to_owned()) };
        assert_eq!(Told::parse(&told.text()), told);
        assert_eq!(Told::parse(""), Told::default());
    }
}
