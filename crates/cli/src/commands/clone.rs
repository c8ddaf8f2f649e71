//! `clone`: bring an existing workspace to this machine.

use std::path::{Path, PathBuf};

use clap::Args;
use instep_core::config::edit::Edit;
use instep_core::operation::OperationKind;
use instep_engine::cycle::request::Request;
use instep_remote::address::{Address, Typed};

use super::Context;
use super::sync::{run_cycle, warn_if_bare};
use crate::failure::{CommandError, Exit};
use crate::interrupt::Traces;
use crate::place::shown;
use crate::render::outcome;
use crate::set_up::{Public, SetUp};

/// Options of `clone`.
#[derive(Debug, Args)]
pub struct CloneArguments {
    /// Where the workspace's data lives: the address of a git repository.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The folder to make; named after the address if none is given.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// The branch to use.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Bring only what matches to this machine; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// The name of this machine; its host name if none is given.
    #[arg(long, value_name = "MACHINE")]
    pub name: Option<String>,
    /// Use an address without encryption on the way.
    #[arg(long)]
    pub allow_http: bool,
}

/// Makes a folder, joins the workspace whose data lives at the address, and brings everything in.
pub fn run(context: &Context, arguments: &CloneArguments) -> Result<Exit, CommandError> {
    let address = Address::parse(&Typed {
        text: &arguments.address,
        kind: None,
        cwd: &context.surroundings.folder,
        root: None,
        allow_http: arguments.allow_http,
    })?;
    let root = folder(context, arguments, &address)?;
    if context.global.dry_run {
        context.terminal.data(&format!("Would bring {address} to {}. Nothing was changed.\n", shown(&root)));
        return Ok(Exit::Done);
    }
    let traces = Traces::begin();
    traces.remember(root.clone());
    std::fs::create_dir_all(&root).map_err(|error| CommandError::file("make", &root, &error))?;
    let root = root.canonicalize().map_err(|error| CommandError::file("open", &root, &error))?;
    let set_up = SetUp {
        root: &root,
        address: &address,
        branch: arguments.branch.as_deref(),
        name: arguments.name.as_deref(),
        create: false,
        public: Public::Warned,
    };
    let only = arguments.only.iter().map(|item| Edit::Add { key: "sync.include", item }).collect();
    let mut opened = set_up.run(context, &traces, |_, _| Ok(only))?;
    if opened.remote()?.head()?.is_none() {
        return Err(empty(&address));
    }
    let request = Request { explicit: true, kind: Some(OperationKind::Clone), ..Request::default() };
    let ended = run_cycle(context, &mut opened, &request);
    // Once files have come, the folder stays: the next sync goes on from there.
    if ended.is_ok() || !holds_only_ours(&root) {
        traces.keep();
    }
    let outcome = ended?;
    context.terminal.say(&format!("\n{} is ready in {}.", opened.machine(), shown(&root)));
    warn_if_bare(context, &opened, &outcome)?;
    Ok(outcome::exit(&outcome))
}

/// The folder to make: the one that was named, or one named after the address. What a clone left that was killed before
/// any file came is no hindrance: it goes on from there.
fn folder(context: &Context, arguments: &CloneArguments, address: &Address) -> Result<PathBuf, CommandError> {
    let named = match &arguments.folder {
        Some(named) => named.clone(),
        None => PathBuf::from(name_of(&address.to_text())?),
    };
    let root = context.surroundings.folder.join(named);
    if !holds_only_ours(&root) && root.is_dir()
        || root.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
    {
        return Err(CommandError::new("E-CLONE-FULL", Exit::Usage, "This folder holds something already.")
            .at(shown(&root))
            .because("`clone` brings a workspace into a new folder.")
            .hinted("`instep init --remote ADDRESS` in that folder joins both and deletes nothing."));
    }
    Ok(root)
}

/// The last part of an address without `.git`.
fn name_of(address: &str) -> Result<String, CommandError> {
    let last = address.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let name = last.strip_suffix(".git").unwrap_or(last);
    if name.is_empty() || name.starts_with('.') {
        return Err(CommandError::usage("The address gives no name for a folder.")
            .hinted("name one after the address."));
    }
    Ok(name.to_owned())
}

fn empty(address: &Address) -> CommandError {
    CommandError::new("E-REMOTE-EMPTY", Exit::NoWorkspace, "There is nothing at this address yet.")
        .at(address.to_string())
        .hinted("`instep init --remote ADDRESS` in the folder that you want to keep there.")
}

/// Answers whether nothing but our own state stands in a folder.
fn holds_only_ours(root: &Path) -> bool {
    let ours = |name: std::ffi::OsString| name == ".instep" || name == "instep.local.yaml";
    std::fs::read_dir(root).is_ok_and(|entries| entries.flatten().all(|entry| ours(entry.file_name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_after_the_address() {
        for (address, name) in [
            ("git@github.com:ana/notes-sync.git", "notes-sync"),
            ("https://github.com/ana/notes.git/", "notes"),
            ("/srv/r.git", "r"),
            ("host:notes.git", "notes"),
        ] {
            assert_eq!(name_of(address).unwrap(), name);
        }
        assert!(name_of("/srv/.git").is_err());
    }
}
