//! `disconnect`: stop syncing and keep all files.

use clap::Args;
use instep_core::config::edit::Edit;
use instep_core::config::{Entry, LayerKind, RemotePlace};
use instep_engine::failure::EngineError;
use serde_json::json;

use super::Context;
use crate::configuration::change::Target;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::terminal::prompt::Question;

/// Options of `disconnect`.
#[derive(Debug, Default, Args)]
pub struct DisconnectArguments {
    /// Forget the keys of this workspace too; this version has none.
    #[arg(long)]
    pub forget_keys: bool,
}

/// Forgets the address and what was agreed on with it. Files, history and log stay.
pub fn run(context: &Context, arguments: &DisconnectArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    let addresses = opened.keys_but("");
    if addresses.is_empty() {
        return Err(EngineError::NoRemote.into());
    }
    let address = addresses.join(", ");
    let question =
        Question { text: &format!("Stop syncing with {address}? All files stay."), option: "--yes" };
    if context.global.dry_run || !context.terminal.confirm(question, true)? {
        context.terminal.data("Nothing was changed.\n");
        return Ok(Exit::Done);
    }
    forget(&mut opened)?;
    if context.terminal.json {
        context.terminal.object(&json!({
            "schema": 1, "command": "disconnect", "remote": address, "keys_forgotten": 0,
        }));
    } else {
        context.terminal.done("Sync disconnected. All files and their history stay here.\n");
        if arguments.forget_keys {
            context.terminal.done("There are no keys to forget: this version does not encrypt.\n");
        }
        context.terminal.hint(Some("`instep init --remote ADDRESS` connects again.".to_owned()));
    }
    Ok(Exit::Done)
}

/// Takes the address out of this machine's settings, and forgets the base. Settings first: a cycle that comes in
/// between finds no remote rather than a first contact.
pub fn forget(opened: &mut Opened) -> Result<(), CommandError> {
    let keys: Vec<String> = opened.places().iter().flat_map(|place| keys_here(opened, place)).collect();
    forget_keys(opened, &keys, &[])
}

/// Forgets what was agreed on with one remote, and with places used before.
pub fn forget_base(opened: &mut Opened, place: &RemotePlace) -> Result<(), CommandError> {
    let kept = opened.keys_but(&place.name);
    forget_keys(opened, &[place.key("url")], &kept)
}

/// Forgets one remote: what this machine's settings say of it, and its base.
pub fn forget_place(opened: &mut Opened, place: &RemotePlace) -> Result<(), CommandError> {
    let kept = opened.keys_but(&place.name);
    let keys = keys_here(opened, place);
    forget_keys(opened, &keys, &kept)
}

fn forget_keys(opened: &mut Opened, keys: &[String], kept: &[String]) -> Result<(), CommandError> {
    let edits: Vec<Edit<'_>> = keys.iter().map(|key| Edit::Unset { key }).collect();
    opened.sources.change(Target::Here, &edits)?;
    // A base with a place used before the present one would outlive what a person said.
    Ok(instep_engine::history::disconnect::disconnect(&mut opened.workspace, kept)?)
}

/// What this machine's own file says of a remote, by key; its address first.
fn keys_here(opened: &Opened, place: &RemotePlace) -> Vec<String> {
    let settings = &opened.loaded.settings;
    let is_here = |entry: &&Entry| entry.acting.iter().any(|given| given.origin.layer == LayerKind::Here);
    let long = format!("remotes.{}.", place.name);
    let short = ["url", "branch", "allow_public"].map(|word| place.key(word));
    let mut keys: Vec<String> = settings
        .entries()
        .iter()
        .filter(is_here)
        .map(|entry| entry.key.clone())
        .filter(|key| key.starts_with(&long) || short.contains(key))
        .collect();
    keys.sort_by_key(|key| *key != short[0]);
    keys
}
