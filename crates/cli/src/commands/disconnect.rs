//! `disconnect`: stop syncing and keep all files.

use clap::Args;
use instep_core::config::LayerKind;
use instep_core::config::edit::Edit;
use instep_engine::failure::EngineError;
use serde_json::json;

use super::Context;
use crate::configuration::change::Target;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::terminal::prompt::Question;

/// Options of `disconnect`.
#[derive(Debug, Args)]
pub struct DisconnectArguments {}

/// Forgets the address and what was agreed on with it. Files, history and log stay.
pub fn run(context: &Context, _arguments: &DisconnectArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    let Some(address) = opened.remote_key() else { return Err(EngineError::NoRemote.into()) };
    let question =
        Question { text: &format!("Stop syncing with {address}? All files stay."), option: "--yes" };
    if context.global.dry_run || !context.terminal.confirm(question, true)? {
        context.terminal.data("Nothing was changed.\n");
        return Ok(Exit::Done);
    }
    forget(&mut opened)?;
    if context.terminal.json {
        context.terminal.object(&json!({"schema": 1, "command": "disconnect", "remote": address}));
    } else {
        context.terminal.done("Sync disconnected. All files and their history stay here.\n");
        context.terminal.hint(Some("`instep init --remote ADDRESS` connects again.".to_owned()));
    }
    Ok(Exit::Done)
}

/// Takes the address out of this machine's settings, and forgets the base. Settings first: a cycle that comes in
/// between finds no remote rather than a first contact.
pub fn forget(opened: &mut Opened) -> Result<(), CommandError> {
    let mut edits = vec![Edit::Unset { key: "sync.remote" }];
    if given_here(opened, "sync.branch") {
        edits.push(Edit::Unset { key: "sync.branch" });
    }
    if given_here(opened, exposure::ALLOWED) {
        edits.push(Edit::Unset { key: exposure::ALLOWED });
    }
    opened.sources.change(Target::Here, &edits)?;
    // All of them: a base with a place used before the present one would outlive what a person said.
    Ok(opened.workspace.state.transact(|write| write.forget_all_remotes())?)
}

fn given_here(opened: &Opened, key: &str) -> bool {
    let entry = opened.loaded.settings.entry(key);
    entry.is_some_and(|entry| entry.acting.iter().any(|given| given.origin.layer == LayerKind::Here))
}
