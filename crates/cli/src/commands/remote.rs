//! `remote`: where the data lives.

use clap::{Args, Subcommand};
use instep_core::config::edit::Edit;
use instep_core::config::{Entry, LayerKind, ORIGIN, RemotePlace, Value};
use instep_core::path::escape;
use instep_remote::address::{Address, Place, Typed};
use serde_json::json;

use super::{Context, disconnect};
use crate::configuration::change::Target;
use crate::configuration::layers::HERE;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::opening::{Access, BRANCH, Opened, address_of, open_git};
use crate::render::Icon;
use crate::terminal::prompt::Question;

/// Options of `remote`.
#[derive(Debug, Args)]
pub struct RemoteArguments {
    /// What to do; lists if nothing is said.
    #[command(subcommand)]
    pub action: Option<RemoteAction>,
}

/// What can be done with remotes.
#[derive(Debug, Subcommand)]
pub enum RemoteAction {
    /// List the remotes.
    List,
    /// Add a remote.
    Add(PlaceArguments),
    /// Give a remote another address.
    Set(PlaceArguments),
    /// Give a remote another name; all that is known of it stays.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Forget a remote; all files stay.
    Remove {
        /// Its name.
        name: String,
    },
    /// Check that a remote can be reached.
    Test {
        /// Its name; the first remote if none is given.
        name: Option<String>,
    },
}

/// A place, and what holds for it.
#[derive(Debug, Args)]
pub struct PlaceArguments {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The branch to use.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Files above this size are held, as in `100MB`.
    #[arg(long, value_name = "SIZE")]
    pub limit: Option<String>,
    /// Only what this pattern names goes there and comes from there; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub paths: Vec<String>,
    /// Only receive from there, and never send.
    #[arg(long)]
    pub read_only: bool,
    /// Use a repository that everybody can read.
    #[arg(long)]
    pub allow_public: bool,
    /// Use an address without encryption on the way.
    #[arg(long)]
    pub allow_http: bool,
}

/// Shows or changes where the data lives.
pub fn run(context: &Context, arguments: &RemoteArguments) -> Result<Exit, CommandError> {
    match &arguments.action {
        None | Some(RemoteAction::List) => list(context),
        Some(RemoteAction::Add(place)) => {
            let opened = context.open()?;
            check_free(&opened, &place.name)?;
            let is_first = opened.places().is_empty() && place.name == ORIGIN;
            let new = RemotePlace { name: place.name.clone(), is_short: is_first, ..RemotePlace::short() };
            set(context, opened, place, &new)
        }
        Some(RemoteAction::Set(place)) => {
            let mut opened = context.open()?;
            // In a workspace without a remote, the first one may be set.
            if opened.places().is_empty() && place.name == ORIGIN {
                return set(context, opened, place, &RemotePlace::short());
            }
            opened.choose(&place.name)?;
            let known = opened.place().cloned().unwrap_or_else(RemotePlace::short);
            set(context, opened, place, &known)
        }
        Some(RemoteAction::Rename { name, to }) => rename(context, name, to),
        Some(RemoteAction::Remove { name }) => remove(context, name),
        Some(RemoteAction::Test { name }) => test(context, name.as_deref()),
    }
}

fn list(context: &Context) -> Result<Exit, CommandError> {
    let mut opened = context.open_to_read()?;
    let places = opened.places();
    let mut lines = String::new();
    let mut remotes = Vec::new();
    for place in &places {
        opened.choose(&place.name)?;
        let address = opened.remote_key().unwrap_or_default();
        let branch = place.branch.as_deref().unwrap_or(BRANCH);
        let paths: Vec<&str> = place.paths.iter().map(|rule| rule.text.as_str()).collect();
        lines.push_str(&format!("{}  git  {address}  branch {branch}", place.name));
        if !paths.is_empty() {
            lines.push_str(&format!("  paths {}", escape(paths.join(", ").as_bytes())));
        }
        lines.push_str(if place.read_only { "  read only\n" } else { "\n" });
        remotes.push(json!({
            "name": place.name, "kind": "git", "url": address, "branch": branch, "paths": paths,
            "limit": place.content_bytes_max, "read_only": place.read_only,
        }));
    }
    if context.terminal.json {
        context.terminal.object(&json!({"schema": 1, "command": "remote", "remotes": remotes}));
    } else if places.is_empty() {
        context.terminal.data("No remote.\n");
        context
            .terminal
            .hint(Some("`instep remote add origin ADDRESS` says where your private copy lives.".to_owned()));
    } else {
        context.terminal.data(&lines);
    }
    Ok(Exit::Done)
}

/// Takes another address. The next sync is a first contact with it: both are joined and nothing is deleted.
fn set(
    context: &Context,
    mut opened: Opened,
    place: &PlaceArguments,
    known: &RemotePlace,
) -> Result<Exit, CommandError> {
    let root = opened.workspace.root().to_path_buf();
    let address = Address::parse(&Typed {
        text: &place.address,
        kind: None,
        cwd: &context.surroundings.folder,
        root: Some(&root),
        allow_http: place.allow_http,
    })?;
    check_alone(&opened, &address, &known.name)?;
    if context.global.dry_run {
        context.terminal.data(&format!("Would use {address}. Nothing was changed.\n"));
        return Ok(Exit::Done);
    }
    let branch = place.branch.as_deref();
    let create = branch.is_some() || matches!(address.place(), Place::Path(path) if !path.exists());
    let config = opened.loaded.settings.config();
    let is_further = opened.places().first().is_some_and(|first| first.name != known.name);
    let access = Access {
        branch: branch.or(known.branch.as_deref()),
        create,
        is_further,
        patience: Some(config.patience),
    };
    let git = open_git(&opened.workspace, &address, access)?;
    // What was allowed for the present place says nothing of another one.
    let before = known.url.as_deref().and_then(|text| address_of(text, &root).ok());
    let is_same = before.is_some_and(|before| before.to_string() == address.to_string());
    let allowed = place.allow_public || (is_same && known.allow_public);
    if !place.read_only {
        exposure::check(&git, &address, allowed)?;
    }
    git.survey()?;
    let text = address.to_text();
    let keys = ["url", "branch", "limit", "paths", "read_only"].map(|word| known.key(word));
    let [url, branch_key, limit, paths, read_only] = &keys;
    // What narrows is said before the address is known: no sync in between may send more.
    let mut edits: Vec<Edit<'_>> =
        place.paths.iter().map(|item| Edit::Add { key: paths, item: item.as_str() }).collect();
    if place.read_only {
        edits.push(Edit::Set { key: read_only, value: "true" });
    }
    edits.extend(branch.map(|branch| Edit::Set { key: branch_key, value: branch }));
    edits.extend(place.limit.as_deref().map(|limit_text| Edit::Set { key: limit, value: limit_text }));
    if known.url.is_some() && !is_same {
        disconnect::forget_base(&mut opened, known)?;
    }
    edits.push(Edit::Set { key: url, value: &text });
    opened.sources.change(Target::Here, &edits)?;
    exposure::remember(&opened.sources, &known.key("allow_public"), allowed)?;
    let whose =
        if known.name == ORIGIN { "The remote".to_owned() } else { format!("The remote {}", known.name) };
    context.terminal.done(&format!("{whose} is {address} now.\n"));
    if !is_same {
        context.terminal.hint(Some("`instep sync` joins both sides and deletes nothing.".to_owned()));
    }
    Ok(Exit::Done)
}

/// One place under two names would be synced twice over one base.
fn check_alone(opened: &Opened, address: &Address, name: &str) -> Result<(), CommandError> {
    if !opened.keys_but(name).contains(&address.to_string()) {
        return Ok(());
    }
    Err(CommandError::new("E-REMOTE-TWICE", Exit::Usage, "This place is a remote already.")
        .at(address.to_string())
        .because("One address is one remote; a branch of its own makes no second one.")
        .hinted("`instep remote list` shows its name; use another repository for a second remote."))
}

/// Refuses a name that can't be one, or is one already, with or without an address.
fn check_free(opened: &Opened, name: &str) -> Result<(), CommandError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let error =
        |what: &str| CommandError::new("E-REMOTE-NAME", Exit::Usage, what).at(escape(name.as_bytes()));
    if name.is_empty() || name.len() > 32 || !name.chars().all(fits) || name.starts_with('-') {
        return Err(error("This can't be the name of a remote.")
            .because("It may hold letters, digits, `-` and `_`, at most 32.")
            .hinted("`team`, for example."));
    }
    if opened.loaded.settings.config().remotes.iter().any(|place| place.name == name) {
        return Err(error("There is a remote of this name already.")
            .hinted("`instep remote list` shows all; `instep remote set NAME ADDRESS` moves one."));
    }
    Ok(())
}

/// Moves what this machine's settings say of a remote to another name. What is known of it stands under its address,
/// and stays.
fn rename(context: &Context, name: &str, to: &str) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    opened.choose(name)?;
    check_free(&opened, to)?;
    let place = opened.place().cloned().unwrap_or_else(RemotePlace::short);
    let entries = said_of(&opened, &place);
    if let Some(given) = entries
        .iter()
        .flat_map(|(entry, _)| &entry.acting)
        .find(|given| !matches!(given.origin.layer, LayerKind::Here | LayerKind::BuiltIn))
    {
        return Err(CommandError::new(
            "E-REMOTE-NAME",
            Exit::Usage,
            "This remote can't be renamed from here.",
        )
        .at(given.origin.to_string())
        .because(format!("{} is said there, not in `{HERE}` alone.", given.key))
        .hinted("rename it there."));
    }
    if context.global.dry_run {
        context.terminal.data(&format!("Would call {name} {to}. Nothing was changed.\n"));
        return Ok(Exit::Done);
    }
    let moved: Vec<(String, String, Value)> = entries
        .iter()
        .filter_map(|(entry, word)| {
            let value = entry.value()?.clone();
            Some((entry.key.clone(), format!("remotes.{to}.{word}"), value))
        })
        .collect();
    let texts: Vec<Vec<String>> = moved.iter().map(|(_, _, value)| written(value)).collect();
    let mut edits: Vec<Edit<'_>> = moved.iter().map(|(old, _, _)| Edit::Unset { key: old }).collect();
    for ((_, key, value), texts) in moved.iter().zip(&texts) {
        edits.extend(texts.iter().map(|text| match value {
            Value::List(_) => Edit::Add { key, item: text },
            _ => Edit::Set { key, value: text },
        }));
    }
    opened.sources.change(Target::Here, &edits)?;
    if context.terminal.json {
        context.terminal.object(&json!({"schema": 1, "command": "remote", "name": to, "was": name}));
    } else {
        context.terminal.done(&format!("The remote {name} is called {to} now.\n"));
    }
    Ok(Exit::Done)
}

/// A value as it is written in settings; a list as its items.
fn written(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.iter().map(|(item, _)| item.clone()).collect(),
        other => vec![other.to_string()],
    }
}

/// What is said of a remote alone, with the last word of the key in the long form. In the short form that is what
/// stands in this machine's file.
fn said_of<'o>(opened: &'o Opened, place: &RemotePlace) -> Vec<(&'o Entry, String)> {
    let long = format!("remotes.{}.", place.name);
    let short = ["branch", "limit", "allow_public"];
    let word = |entry: &Entry| {
        let key = entry.key.as_str();
        if place.is_short && key == "sync.remote" {
            return Some("url".to_owned());
        }
        let is_here = || entry.acting.iter().any(|given| given.origin.layer == LayerKind::Here);
        let found = short.iter().find(|word| place.is_short && key == place.key(word) && is_here());
        found.map(|word| (*word).to_owned()).or_else(|| key.strip_prefix(&long).map(str::to_owned))
    };
    let entries = opened.loaded.settings.entries().iter().filter(|entry| !entry.acting.is_empty());
    entries.filter_map(|entry| Some((entry, word(entry)?))).collect()
}

fn remove(context: &Context, name: &str) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    opened.choose(name)?;
    if opened.places().len() == 1 {
        drop(opened);
        return disconnect::run(context, &disconnect::DisconnectArguments::default());
    }
    let place = opened.place().cloned().unwrap_or_else(RemotePlace::short);
    let text = format!("Stop syncing with {name}? All files stay.");
    let question = Question { text: &text, option: "--yes" };
    if context.global.dry_run || !context.terminal.confirm(question, true)? {
        context.terminal.data("Nothing was changed.\n");
        return Ok(Exit::Done);
    }
    disconnect::forget_place(&mut opened, &place)?;
    context
        .terminal
        .done(&format!("The remote {name} is forgotten. All files and their history stay here.\n"));
    Ok(Exit::Done)
}

/// Asks the remote for its head.
fn test(context: &Context, name: Option<&str>) -> Result<Exit, CommandError> {
    let mut opened = context.open_to_read()?;
    opened.choose_if_named(name)?;
    let remote = opened.remote()?;
    let head = remote.head()?;
    let address = remote.describe().address;
    let public = exposure::is_public(&opened)?;
    if context.terminal.json {
        let head = head.as_ref().map(ToString::to_string);
        context
            .terminal
            .object(&json!({"schema": 1, "command": "remote", "url": address, "ok": true, "head": head, "public": public}));
    } else {
        let holds = if head.is_some() { "it holds data" } else { "it is empty" };
        context
            .terminal
            .data(&format!("{} {address} answers; {holds}.\n", context.terminal.look.icon(Icon::InSync)));
        if public == Some(true) {
            context.terminal.warn("Everybody can read this repository, and files are sent as they are.");
        }
    }
    Ok(Exit::Done)
}
