//! `remote`: where the data lives.

use clap::{Args, Subcommand};
use instep_core::config::edit::Edit;
use instep_remote::address::{Address, Place, Typed};
use serde_json::json;

use super::sync::only_origin;
use super::{Context, disconnect};
use crate::configuration::change::Target;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::opening::{Access, BRANCH, ORIGIN, Opened, open_git};
use crate::render::Icon;

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
    /// Add a remote; this version keeps one.
    Add(PlaceArguments),
    /// Give the remote another address.
    Set(PlaceArguments),
    /// Give the remote another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Forget the remote; all files stay.
    Remove {
        /// Its name.
        name: String,
    },
    /// Check that the remote can be reached.
    Test {
        /// Its name.
        #[arg(default_value = "origin")]
        name: String,
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
            if opened.loaded.settings.config().remote.is_some() {
                return Err(CommandError::later("More than one remote")
                    .because("This workspace has one already.")
                    .hinted("`instep remote set origin ADDRESS` moves it."));
            }
            set(context, opened, place)
        }
        Some(RemoteAction::Set(place)) => set(context, context.open()?, place),
        Some(RemoteAction::Rename { .. }) => Err(CommandError::later("Another name for the remote")),
        Some(RemoteAction::Remove { name }) => {
            only_origin(Some(name))?;
            disconnect::run(context, &disconnect::DisconnectArguments {})
        }
        Some(RemoteAction::Test { name }) => test(context, name),
    }
}

fn list(context: &Context) -> Result<Exit, CommandError> {
    let opened = context.open_to_read()?;
    let address = opened.remote_key();
    let branch = opened.loaded.settings.config().branch.as_deref().unwrap_or(BRANCH).to_owned();
    if context.terminal.json {
        let remotes: Vec<_> = address
            .iter()
            .map(|address| json!({"name": ORIGIN, "kind": "git", "url": address, "branch": branch}))
            .collect();
        context.terminal.object(&json!({"schema": 1, "command": "remote", "remotes": remotes}));
    } else if let Some(address) = address {
        context.terminal.data(&format!("{ORIGIN}  git  {address}  branch {branch}\n"));
    } else {
        context.terminal.data("No remote.\n");
        context
            .terminal
            .hint(Some("`instep remote add origin ADDRESS` says where your private copy lives.".to_owned()));
    }
    Ok(Exit::Done)
}

/// Takes another address. The next sync is a first contact with it: both are joined and nothing is deleted.
fn set(context: &Context, mut opened: Opened, place: &PlaceArguments) -> Result<Exit, CommandError> {
    only_origin(Some(&place.name))?;
    let root = opened.workspace.root().to_path_buf();
    let address = Address::parse(&Typed {
        text: &place.address,
        kind: None,
        cwd: &context.surroundings.folder,
        root: Some(&root),
        allow_http: place.allow_http,
    })?;
    if context.global.dry_run {
        context.terminal.data(&format!("Would use {address}. Nothing was changed.\n"));
        return Ok(Exit::Done);
    }
    let branch = place.branch.as_deref();
    let create = branch.is_some() || matches!(address.place(), Place::Path(path) if !path.exists());
    let config = opened.loaded.settings.config();
    let access =
        Access { branch: branch.or(config.branch.as_deref()), create, patience: Some(config.patience) };
    let git = open_git(&opened.workspace, &address, access)?;
    // What was allowed for the present place says nothing of another one.
    let is_same = opened.remote_key().is_some_and(|known| known == address.to_string());
    let allowed = place.allow_public || (is_same && config.allow_public);
    exposure::check(&git, &address, allowed)?;
    git.survey()?;
    if config.remote.is_some() && !is_same {
        disconnect::forget(&mut opened)?;
    }
    let text = address.to_text();
    let mut edits = vec![Edit::Set { key: "sync.remote", value: &text }];
    edits.extend(branch.map(|branch| Edit::Set { key: "sync.branch", value: branch }));
    edits.extend(place.limit.as_deref().map(|limit| Edit::Set { key: "sync.limit", value: limit }));
    opened.sources.change(Target::Here, &edits)?;
    exposure::remember(&opened.sources, allowed)?;
    context.terminal.done(&format!("The remote is {address} now.\n"));
    if !is_same {
        context.terminal.hint(Some("`instep sync` joins both sides and deletes nothing.".to_owned()));
    }
    Ok(Exit::Done)
}

/// Asks the remote for its head.
fn test(context: &Context, name: &str) -> Result<Exit, CommandError> {
    only_origin(Some(name))?;
    let opened = context.open_to_read()?;
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
