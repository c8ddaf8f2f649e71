//! What `init` and `clone` share: a folder becomes a workspace with a name, an address and a remote that answers.

use std::collections::BTreeSet;
use std::path::Path;

use instep_core::config::RemotePlace;
use instep_core::config::edit::Edit;
use instep_core::filter::IgnoreFiles;
use instep_core::path::escape;
use instep_core::remote::Remote;
use instep_engine::workspace::{self, Workspace};
use instep_remote::address::{Address, Place};
use instep_remote::git::GitRemote;

use crate::commands::Context;
use crate::configuration::change::Target;
use crate::configuration::layers::Sources;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::interrupt::Traces;
use crate::opening::{Access, Opened, open_git, to_sync};
use crate::place::{shown, tree_path};
use crate::terminal::prompt::Question;

/// How far back the remote's history is searched for names of machines.
const HISTORY_MAX: usize = 1_000;

/// A folder that is to become a workspace.
#[derive(Debug, Clone, Copy)]
pub struct SetUp<'a> {
    /// The folder.
    pub root: &'a Path,
    /// Where its data is to live.
    pub address: &'a Address,
    /// The branch that a person named.
    pub branch: Option<&'a str>,
    /// The name for this machine that a person gave.
    pub name: Option<&'a str>,
    /// A missing repository on a path may be made.
    pub create: bool,
    /// A repository that everybody can read is one to be asked about, or may be used.
    pub public: Public,
}

/// What becomes of a repository that everybody can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    /// It is refused.
    Refused,
    /// A person said that it may be used.
    Allowed,
    /// It is used, with a warning: nothing is sent yet.
    Warned,
}

impl SetUp<'_> {
    /// Does it. All that is made is remembered in `traces`. `rules` writes down which paths take part, or answers what
    /// is to be written for this machine: the remote is known only together with them, so that no sync after a kill
    /// goes by other rules than those that were typed.
    pub fn run<'e>(
        &self,
        context: &Context,
        traces: &Traces,
        rules: impl FnOnce(&Sources, &GitRemote) -> Result<Vec<Edit<'e>>, CommandError>,
    ) -> Result<Opened, CommandError> {
        check_overlap(context, self.root)?;
        let sources = context.sources(self.root);
        let loaded = sources.load(&[])?;
        let place = loaded.settings.config().remotes.iter().find(|place| place.url.is_some());
        let known = place.and_then(|place| place.url.as_deref());
        let state = self.root.join(".instep");
        if state.exists() && known.is_some_and(|known| known != self.address.to_text()) {
            return Err(other_remote(known.unwrap_or_default()));
        }
        let wish = self.name.or(loaded.settings.config().machine.as_deref()).map(str::to_owned);
        let wish = wish.map_or_else(|| Ok(host_name()), |name| check_name(&name).map(|()| name))?;
        traces.remember(state);
        traces.remember_known(&context.surroundings.home, self.root);
        traces.remember(sources.here());
        let mut workspace = context.enter(&wish, |opening| Workspace::create(self.root, opening))?;
        let git = self.open_remote(context, &workspace, traces)?;
        let name = free_name(&wish, &workspace.machine.id, &git)?;
        workspace.machine.name.clone_from(&name);
        let address = self.address.to_text();
        // One that has a name of its own keeps it.
        let key = |word| match place.filter(|place| place.url.as_ref() == Some(&address)) {
            Some(known) => known.key(word),
            None => RemotePlace::short().key(word),
        };
        let keys = ["url", "branch", "allow_public"].map(key);
        let mut changes =
            vec![Edit::Set { key: "machine", value: &name }, Edit::Set { key: &keys[0], value: &address }];
        changes.extend(self.branch.map(|branch| Edit::Set { key: &keys[1], value: branch }));
        changes.extend(rules(&sources, &git)?);
        sources.change(Target::Here, &changes)?;
        if self.public == Public::Allowed {
            exposure::remember(&sources, &keys[2], true)?;
        }
        let loaded = sources.load(&[])?;
        Ok(Opened::new(workspace, sources, loaded))
    }

    /// Opens the remote and looks at it once: can it be used, and does it run hooks of its own?
    fn open_remote(
        &self,
        context: &Context,
        workspace: &Workspace,
        traces: &Traces,
    ) -> Result<GitRemote, CommandError> {
        let mut create = self.create && self.branch.is_some();
        if let Place::Path(path) = self.address.place() {
            create |= self.create && !path.exists();
            traces.remember(path.clone());
        }
        let git =
            open_git(workspace, self.address, Access { branch: self.branch, create, ..Access::default() })?;
        self.check_public(context, &git)?;
        if let Some(hooks) = git.survey()?.hooks {
            context
                .terminal
                .warn(&format!("The repository runs hooks of its own from {}.", escape(hooks.as_bytes())));
            let question = Question { text: "They would run on every sync. Go on?", option: "--yes" };
            if !context.terminal.confirm(question, false)? {
                return Err(CommandError::new("E-GIT-HOOKS", Exit::Usage, "Not set up."));
            }
        }
        Ok(git)
    }

    fn check_public(&self, context: &Context, git: &GitRemote) -> Result<(), CommandError> {
        match exposure::check(git, self.address, self.public == Public::Allowed) {
            Err(error) if error.code == "E-REMOTE-PUBLIC" && self.public == Public::Warned => {
                context.terminal.warn(&format!(
                    "{} Nothing is sent there unless `instep config set {} true --machine` allows it.",
                    error.what,
                    exposure::ALLOWED
                ));
                Ok(())
            }
            checked => checked,
        }
    }
}

/// Refuses a folder inside another workspace, unless that one leaves it out.
fn check_overlap(context: &Context, root: &Path) -> Result<(), CommandError> {
    let Some(above) = root.parent() else { return Ok(()) };
    let Ok(outer) = workspace::find(above, &context.surroundings.home) else { return Ok(()) };
    let path = tree_path(&outer, root, Path::new("."))?;
    let loaded = context.sources(&outer).load(&[])?;
    let machine = loaded.settings.config().machine.clone().unwrap_or_default();
    let filter = to_sync(&loaded.settings, &machine, None)?.filter;
    if !filter.decide_path(&path, true, &IgnoreFiles::default()).is_entered() {
        return Ok(());
    }
    Err(CommandError::new("E-CONF-OVERLAP", Exit::Usage, "This folder lies in a workspace.")
        .at(shown(root))
        .because(format!("The workspace {} syncs it already.", shown(&outer)))
        .hinted(format!(
            "choose a folder beside it, or leave it out there: `instep config add exclude /{path}/`."
        )))
}

fn other_remote(known: &str) -> CommandError {
    CommandError::new("E-CONF-EXISTS", Exit::Usage, "This folder is a workspace already.")
        .because(format!("Its remote is {}.", escape(instep_remote::address::redact(known).as_bytes())))
        .hinted("`instep remote set origin ADDRESS` moves it; `instep disconnect` forgets the remote.")
}

/// The host's short name in lower case, with only what a file name can hold everywhere.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let short = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let plain: String =
        short.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "machine".to_owned() } else { plain.to_owned() }
}

/// A machine's name stands in file names and messages.
fn check_name(name: &str) -> Result<(), CommandError> {
    let fits = |c: char| c.is_alphanumeric() || "-_ .".contains(c);
    let edge = |c: char| c == '.' || c == ' ' || c == '-';
    if !name.is_empty()
        && name.len() <= 64
        && name.chars().all(fits)
        && !name.starts_with(edge)
        && !name.ends_with(edge)
    {
        return Ok(());
    }
    Err(CommandError::new("E-CONF-NAME", Exit::Usage, "This can't be the name of a machine.")
        .at(escape(name.as_bytes()))
        .because("It may hold letters, digits, `-`, `_`, and a dot or space inside; at most 64 bytes.")
        .hinted("`--name laptop`, for example."))
}

/// The wished name, or the next free one: other machines that wrote to the remote keep theirs.
fn free_name(wish: &str, id: &str, remote: &GitRemote) -> Result<String, CommandError> {
    let Some(head) = remote.head()? else { return Ok(wish.to_owned()) };
    // The past is known only once the head was fetched.
    remote.snapshot(&head, None)?;
    let taken: BTreeSet<String> = remote
        .history(HISTORY_MAX)?
        .into_iter()
        .filter_map(|committed| committed.stamp.machine)
        .filter(|machine| machine.id != id)
        .map(|machine| machine.name)
        .collect();
    let numbered = (2..).map(|number| format!("{wish}-{number}"));
    Ok(std::iter::once(wish.to_owned())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_name_is_safe_in_file_names_and_messages() {
        for name in ["laptop", "Ana's", "a/b", "..", "", "-x", "x\n", "büro 2"] {
            assert_eq!(check_name(name).is_ok(), matches!(name, "laptop" | "büro 2"), "{name}");
        }
        assert!(check_name(&host_name()).is_ok());
    }
}
