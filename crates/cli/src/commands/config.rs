//! `config`: read and change settings.

use clap::{Args, Subcommand};
use instep_core::config::edit::Edit;
use instep_core::config::{Layer, key};
use instep_core::path::escape;
use instep_engine::failure::EngineError;
use instep_engine::workspace;
use serde_json::json;

use super::Context;
use crate::configuration::layers::{self, Loaded, Sources};
use crate::configuration::{change, files, trust};
use crate::failure::{CommandError, Exit};
use crate::opening::check_alone;
use crate::place::shown;
use crate::render::settings;
use crate::terminal::program;
use crate::terminal::prompt::Question;

/// Options of `config`.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// What to do; shows the settings if nothing is said.
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
}

/// Which file a change goes to.
#[derive(Debug, Clone, Copy, Args)]
pub struct Target {
    /// Only for this machine: `instep.local.yaml`, which never travels.
    #[arg(long, conflicts_with = "shared")]
    pub machine: bool,
    /// For all machines: `instep.yaml`.
    #[arg(long)]
    pub shared: bool,
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Show all settings that hold.
    Show {
        /// Show where each value comes from, and what it overrides.
        #[arg(long)]
        origin: bool,
    },
    /// Print one value.
    Get {
        /// The key, such as `sync.branch`.
        key: String,
    },
    /// Set one value.
    Set {
        /// The key.
        key: String,
        /// The value.
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        target: Target,
    },
    /// Add to a list, such as `exclude`.
    Add {
        /// The key.
        key: String,
        /// What to add.
        #[arg(required = true)]
        values: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Take a value out, or one entry of a list.
    Unset {
        /// The key.
        key: String,
        /// The entry of a list.
        value: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Open the settings in your editor, and check them afterwards.
    Edit {
        #[command(flatten)]
        target: Target,
    },
    /// Print where the settings stand.
    Path,
    /// Check the settings.
    Check,
    /// Look at what another machine wants this one to use, and allow it.
    Trust,
}

/// Reads or changes settings.
pub fn run(context: &Context, arguments: &ConfigArguments) -> Result<Exit, CommandError> {
    // Settings may stand in a folder before it becomes a workspace.
    let root = match workspace::find(&context.surroundings.folder, &context.surroundings.home) {
        Err(EngineError::NoWorkspace(folder)) => folder,
        found => found?,
    };
    let sources = context.sources(&root);
    match &arguments.action {
        None => show(context, &sources, false),
        Some(ConfigAction::Show { origin }) => show(context, &sources, *origin),
        Some(ConfigAction::Get { key }) => get(context, &sources, key),
        Some(ConfigAction::Path) => path(context, &sources),
        Some(ConfigAction::Check) => check(context, &sources),
        Some(ConfigAction::Trust) => trust_shared(context, &sources),
        Some(ConfigAction::Edit { target }) => edit(context, &sources, *target),
        Some(ConfigAction::Set { key, value, target }) => set(context, &sources, key, value, *target),
        Some(ConfigAction::Add { key, values, target }) => add(context, &sources, key, values, *target),
        Some(ConfigAction::Unset { key, value, target }) => {
            unset(context, &sources, key, value.as_deref(), *target)
        }
    }
}

fn show(context: &Context, sources: &Sources, origin: bool) -> Result<Exit, CommandError> {
    let loaded = sources.load(&[])?;
    if context.terminal.json {
        context.terminal.object(&settings::to_json(&loaded.settings));
    } else {
        context.terminal.page(&settings::text(&context.terminal.look, &loaded.settings, origin));
    }
    advise(context, &loaded);
    Ok(Exit::Done)
}

fn get(context: &Context, sources: &Sources, key: &str) -> Result<Exit, CommandError> {
    let key = full_key(key)?;
    let loaded = sources.load(&[])?;
    let held = loaded.settings.entry(&key).and_then(settings::held);
    if context.terminal.json {
        context.terminal.object(&json!({"schema": 1, "command": "config", "key": key, "value": held}));
    } else if let Some(held) = held {
        context.terminal.data(&format!("{held}\n"));
    }
    Ok(Exit::Done)
}

/// The dotted key; one of the block `sync` may be named by its last word alone, and any by another program's word.
pub fn full_key(typed: &str) -> Result<String, CommandError> {
    key::meant(typed).ok_or_else(|| {
        CommandError::new("E-CONF-KEY", Exit::Usage, "There is no such setting.")
            .at(escape(typed.as_bytes()))
            .hinted(match key::guess(typed) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`instep config show` lists all settings.".to_owned(),
            })
    })
}

fn set(
    context: &Context,
    sources: &Sources,
    key: &str,
    value: &str,
    target: Target,
) -> Result<Exit, CommandError> {
    let key = full_key(key)?;
    change(context, sources, &key, target, &[Edit::Set { key: &key, value }])
}

fn add(
    context: &Context,
    sources: &Sources,
    key: &str,
    values: &[String],
    target: Target,
) -> Result<Exit, CommandError> {
    let key = full_key(key)?;
    let edits: Vec<Edit<'_>> = values.iter().map(|item| Edit::Add { key: &key, item }).collect();
    change(context, sources, &key, target, &edits)
}

fn unset(
    context: &Context,
    sources: &Sources,
    key: &str,
    value: Option<&str>,
    target: Target,
) -> Result<Exit, CommandError> {
    let key = full_key(key)?;
    let edit = value.map_or(Edit::Unset { key: &key }, |item| Edit::Remove { key: &key, item });
    change(context, sources, &key, target, &[edit])
}

/// Changes one key in the file that was named, or where the key belongs.
fn change(
    context: &Context,
    sources: &Sources,
    key: &str,
    target: Target,
    edits: &[Edit<'_>],
) -> Result<Exit, CommandError> {
    let file = match (target.machine, target.shared) {
        (true, _) => change::Target::Here,
        (_, true) => change::Target::Shared,
        _ => change::Target::usual(key),
    };
    if context.global.dry_run {
        context.terminal.data(&format!("Would change {key} in {}.\n", file.name()));
        return Ok(Exit::Done);
    }
    let changed = sources.change(file, edits)?;
    if context.terminal.json {
        context.terminal.object(&json!({
            "schema": 1, "command": "config", "key": key, "file": file.name(), "changed": changed,
        }));
    } else if changed {
        context.terminal.done(&format!("Changed {key} in {}.\n", file.name()));
        warn_if_overruled(context, sources, key, file)?;
    } else {
        context.terminal.done(&format!("{key} stays as it is in {}.\n", file.name()));
    }
    Ok(Exit::Done)
}

/// A value that another place overrules has no effect, which a person would look for long.
fn warn_if_overruled(
    context: &Context,
    sources: &Sources,
    key: &str,
    file: change::Target,
) -> Result<(), CommandError> {
    let loaded = sources.load(&[])?;
    let Some(entry) = loaded.settings.entry(key).filter(|entry| !entry.spec.is_joined()) else {
        return Ok(());
    };
    let given_here = |origin: &str| origin.starts_with(file.name());
    let lost = entry.inert.iter().any(|(given, _)| given_here(&given.origin.to_string()));
    if let Some(winner) =
        entry.acting.first().filter(|winner| lost && !given_here(&winner.origin.to_string()))
    {
        context.terminal.warn(&format!("{} gives another value, which wins.", winner.origin));
    }
    Ok(())
}

fn path(context: &Context, sources: &Sources) -> Result<Exit, CommandError> {
    let (shared, here) = (shown(&sources.shared()), shown(&sources.here()));
    if context.terminal.json {
        context
            .terminal
            .object(&json!({"schema": 1, "command": "config", "shared": shared, "machine": here}));
    } else {
        context.terminal.data(&format!("{shared}\n{here}\n"));
    }
    Ok(Exit::Done)
}

fn check(context: &Context, sources: &Sources) -> Result<Exit, CommandError> {
    let loaded = sources.load(&[])?;
    check_alone(&loaded.settings, &sources.root)?;
    let idle = loaded.settings.not_in_effect();
    if context.terminal.json {
        let idle: Vec<_> = idle.iter().map(|idle| json!({"key": idle.key, "origin": idle.origin})).collect();
        context
            .terminal
            .object(&json!({"schema": 1, "command": "config", "valid": true, "not_in_effect": idle}));
        return Ok(Exit::Done);
    }
    context.terminal.data("The settings are valid.\n");
    for idle in idle {
        context.terminal.warn(&format!("{} ({}) has no effect in this version.", idle.key, idle.origin));
    }
    advise(context, &loaded);
    Ok(Exit::Done)
}

/// Says what a person would wonder about: a `.env` left aside, an address that waits.
fn advise(context: &Context, loaded: &Loaded) {
    if loaded.dotenv_synced {
        context
            .terminal
            .warn("`.env` is synced, so its INSTEP_ variables are not read: other machines could set them.");
    }
    if !loaded.settings.awaiting_trust().is_empty() {
        context.terminal.hint(Some("`instep config trust` shows what waits for your trust.".to_owned()));
    }
}

fn trust_shared(context: &Context, sources: &Sources) -> Result<Exit, CommandError> {
    let loaded = sources.load(&[])?;
    let waiting = loaded.settings.awaiting_trust();
    if waiting.is_empty() {
        context.terminal.data("Nothing waits for your trust.\n");
        return Ok(Exit::Done);
    }
    let mut text = String::from("The shared settings would make this machine use:\n");
    for given in &waiting {
        text.push_str(&format!("  {}: {}    ({})\n", given.key, settings::value(&given.value), given.origin));
    }
    context.terminal.data(&text);
    let question = Question { text: "Trust this text on this machine?", option: "--yes" };
    if context.global.dry_run || !context.terminal.confirm(question, false)? {
        context.terminal.data("Not trusted; nothing was changed.\n");
        return Ok(Exit::Done);
    }
    trust::give(&sources.surroundings.home, &sources.root, &loaded.shared)?;
    context.terminal.done("Trusted. Any edit of the shared settings withdraws it.\n");
    Ok(Exit::Done)
}

/// Lets the person edit a copy, and takes it only if it is valid.
fn edit(context: &Context, sources: &Sources, target: Target) -> Result<Exit, CommandError> {
    if context.terminal.no_input {
        return Err(CommandError::new("E-NO-INPUT", Exit::Usage, "An editor needs a person at a terminal.")
            .hinted("`instep config set KEY VALUE` changes one value."));
    }
    let file = if target.machine { sources.here() } else { sources.shared() };
    let old = files::read(&file)?.unwrap_or_default();
    let copy = std::env::temp_dir().join(format!("instep-settings-{}.yaml", std::process::id()));
    files::write(&copy, &old)?;
    let edited = program::edit(&copy).map_err(|error| CommandError::file("edit", &copy, &error));
    let new = edited.and_then(|_| files::read(&copy));
    let _ = std::fs::remove_file(&copy);
    let new = new?.unwrap_or_default();
    if new == old {
        context.terminal.data("Nothing was changed.\n");
        return Ok(Exit::Done);
    }
    let name = if target.machine { layers::HERE } else { layers::SHARED };
    let layer = if target.machine { Layer::here(name, &new) } else { Layer::shared(name, &new) };
    layer?;
    files::write(&file, &new)?;
    context.terminal.done(&format!("Saved {}.\n", shown(&file)));
    Ok(Exit::Done)
}
