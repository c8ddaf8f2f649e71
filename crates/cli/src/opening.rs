//! Opens what a command works on: the workspace around a person, its settings, and the remote behind its address.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instep_core::config::{Flag, Settings, Symlinks};
use instep_core::filter::Filter;
use instep_core::path::escape;
use instep_core::policy::Links;
use instep_core::remote::Remote;
use instep_engine::cycle::settings::{SettingsSource, SyncSettings};
use instep_engine::failure::EngineError;
use instep_engine::workspace::{self, Opening, Workspace};
use instep_remote::address::{Address, Place, Typed, redact};
use instep_remote::git::{Environment, GitOptions, GitRemote};
use instep_remote::layer::retry::{Pace, Retry};

use crate::clock::SystemClock;
use crate::commands::Context;
use crate::configuration::layers::{Loaded, Sources};
use crate::failure::{CommandError, Exit};
use crate::set_up::host_name;

/// How long a command waits for another one in the same workspace.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a command waits that only looks.
const GLANCE: Duration = Duration::from_secs(2);

/// Why there is no answer now.
const BUSY: &str = "A sync, or another command that changes files, is running.";

/// The name of the one remote of this version.
pub const ORIGIN: &str = "origin";

/// The branch, unless the settings or a person name another.
pub const BRANCH: &str = "main";

/// A workspace, open for work, with its settings.
pub struct Opened {
    /// The workspace; no other process works in it now.
    pub workspace: Workspace,
    /// Where its settings stand.
    pub sources: Sources,
    /// Its settings.
    pub loaded: Loaded,
}

impl Context {
    /// The workspace around the folder that a person stands in.
    pub fn root(&self) -> Result<PathBuf, CommandError> {
        Ok(workspace::find(&self.surroundings.folder, &self.surroundings.home)?)
    }

    /// Opens it, waiting for another process if need be.
    pub fn open(&self) -> Result<Opened, CommandError> {
        self.open_within(&self.root()?, PATIENCE)
    }

    /// Opens it for a look, which is not worth a long wait.
    pub fn open_for_a_look(&self) -> Result<Opened, CommandError> {
        self.look_at(&self.root()?)
    }

    /// Opens the workspace in a folder for a look.
    pub fn look_at(&self, root: &Path) -> Result<Opened, CommandError> {
        self.open_within(root, GLANCE).map_err(|error| match error.exit {
            Exit::Locked => CommandError { why: vec![BUSY.to_owned()], ..error }
                .hinted("the same again when it has ended; `instep status --wait` waits for it."),
            _ => error,
        })
    }

    fn open_within(&self, root: &Path, patience: Duration) -> Result<Opened, CommandError> {
        let sources = self.sources(root);
        let loaded = sources.load(&[])?;
        let machine = loaded.settings.config().machine.clone().unwrap_or_else(host_name);
        let workspace = self.enter_within(patience, &machine, |opening| Workspace::open(root, opening))?;
        if loaded.dotenv_synced {
            self.terminal.warn("`.env` is synced, so its INSTEP_ variables are not read.");
        }
        Ok(Opened { workspace, sources, loaded })
    }

    /// Opens or makes a workspace in the usual manner: with patience, and saying so.
    pub fn enter(
        &self,
        machine: &str,
        enter: impl FnOnce(&Opening<'_>) -> Result<Workspace, EngineError>,
    ) -> Result<Workspace, CommandError> {
        self.enter_within(PATIENCE, machine, enter)
    }

    fn enter_within(
        &self,
        patience: Duration,
        machine: &str,
        enter: impl FnOnce(&Opening<'_>) -> Result<Workspace, EngineError>,
    ) -> Result<Workspace, CommandError> {
        let opening = Opening {
            home: &self.surroundings.home,
            machine,
            clock: Arc::new(SystemClock),
            patience,
            waiting: &|holder| {
                let whose = holder.map(|process| format!(" (process {process})")).unwrap_or_default();
                let seconds = patience.as_secs();
                self.terminal.say(&format!(
                    "Another instep{whose} works in this workspace; waiting up to {seconds} s."
                ));
            },
        };
        let mut workspace = enter(&opening)?;
        workspace.person = person();
        Ok(workspace)
    }
}

/// Who works here, as the system names them.
fn person() -> Option<String> {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|person| !person.is_empty()))
}

/// What decides how a remote is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access<'a> {
    /// The branch that a person named.
    pub branch: Option<&'a str>,
    /// A missing repository or branch may be made.
    pub create: bool,
}

impl Opened {
    /// This machine's name.
    pub fn machine(&self) -> &str {
        &self.workspace.machine.name
    }

    /// The address in the settings; none, and syncing is not set up.
    pub fn address(&self) -> Result<Address, CommandError> {
        let config = self.loaded.settings.config();
        let Some(text) = &config.remote else { return Err(no_remote(&self.loaded.settings)) };
        if text.starts_with('.') || (!text.starts_with('/') && !text.contains(':')) {
            return Err(relative(text));
        }
        let root = self.workspace.root();
        let typed = Typed { text, kind: Some("git"), cwd: root, root: Some(root), allow_http: true };
        Ok(Address::parse(&typed)?)
    }

    /// Opens the remote. Nobody outside is asked yet.
    pub fn remote(&self) -> Result<Box<dyn Remote>, CommandError> {
        Ok(retrying(self.git(&self.address()?)?))
    }

    /// The remote as git, where strangers could ask it too: over HTTP.
    pub fn git_over_http(&self) -> Result<Option<GitRemote>, CommandError> {
        let address = self.address()?;
        let over_http = matches!(address.place(), Place::Url(url) if url.starts_with("http"));
        over_http.then(|| self.git(&address)).transpose()
    }

    fn git(&self, address: &Address) -> Result<GitRemote, CommandError> {
        let access = Access { branch: self.loaded.settings.config().branch.as_deref(), create: false };
        let git = open_git(&self.workspace, address, access)?;
        Ok(match self.loaded.settings.config().content_bytes_max {
            Some(limit) => git.limited(limit),
            None => git,
        })
    }

    /// The remote, where there is one that can be opened: for commands that can do without. A repository on a disk that
    /// is not mounted now must not keep anyone from reading the log.
    pub fn remote_if_any(&self, context: &Context) -> Option<Box<dyn Remote>> {
        self.loaded.settings.config().remote.as_ref()?;
        match self.remote() {
            Ok(remote) => Some(remote),
            Err(error) => {
                context.terminal.warn(&format!("{} Going on without the remote.", error.what));
                None
            }
        }
    }

    /// What the state calls the remote; known even if it can't be opened.
    pub fn remote_key(&self) -> Option<String> {
        let text = self.loaded.settings.config().remote.as_deref()?;
        let parsed = self.address().map(|address| address.to_string());
        Some(parsed.unwrap_or_else(|_| escape(redact(text).as_bytes())))
    }

    /// The settings as a cycle takes them, read again when new ones arrive.
    pub fn source(&self) -> FromFiles {
        FromFiles { sources: self.sources.clone(), machine: self.machine().to_owned() }
    }

    /// The path of the workspace that a typed one means.
    pub fn tree_path(
        &self,
        context: &Context,
        typed: &Path,
    ) -> Result<instep_core::path::TreePath, CommandError> {
        crate::place::tree_path(self.workspace.root(), &context.surroundings.folder, typed)
    }

    /// Refuses to send while a setting is given that this version can't keep its word on.
    pub fn check_may_send(&self) -> Result<(), CommandError> {
        let idle = self.loaded.settings.not_in_effect();
        let Some(guard) = idle.iter().find(|idle| idle.guards) else { return Ok(()) };
        Err(CommandError::new(
            "E-CONF-LATER",
            Exit::Usage,
            "A setting that keeps something in can't be followed yet.",
        )
        .at(format!("{}: {} ({})", guard.key, escape(guard.value.as_bytes()), guard.origin))
        .because("This version does not know it, so nothing is sent.")
        .hinted(format!("`instep config unset {}` if it may go out as it is.", guard.key)))
    }

    /// Refuses while syncing is switched off.
    pub fn check_enabled(&self) -> Result<(), CommandError> {
        if self.loaded.settings.config().enabled {
            return Ok(());
        }
        Err(CommandError::new("E-PAUSED", Exit::NoWorkspace, "Syncing is switched off on this machine.")
            .because("`sync.enabled` is false: everything stays here.")
            .hinted("`instep config set sync.enabled true --machine` switches it on."))
    }
}

/// Opens our git repository for an address.
pub fn open_git(
    workspace: &Workspace,
    address: &Address,
    access: Access<'_>,
) -> Result<GitRemote, CommandError> {
    let options = GitOptions {
        directory: workspace.git_dir(),
        branch: access.branch.unwrap_or(BRANCH).to_owned(),
        create: access.create,
        environment: Environment::of_process().until(crate::interrupt::is_asked),
        clock: Arc::clone(&workspace.clock),
    };
    Ok(GitRemote::open(address, options)?)
}

/// A remote that tries again what failed in passing.
pub fn retrying(remote: GitRemote) -> Box<dyn Remote> {
    Box::new(Retry::new(Box::new(remote), Pace::default(), crate::interrupt::pause))
}

fn no_remote(settings: &Settings) -> CommandError {
    let error = CommandError::from(EngineError::NoRemote);
    let offered = settings.awaiting_trust().iter().any(|given| given.key == "sync.remote");
    if offered {
        return error
            .because("The shared settings name one, and wait for your trust.")
            .hinted("`instep config trust` shows it.");
    }
    error
}

fn relative(text: &str) -> CommandError {
    CommandError::new("E-REMOTE-NESTED", Exit::Usage, "An address in a settings file must be whole.")
        .at(escape(text.as_bytes()))
        .because("A relative path would mean another place in every folder.")
        .hinted("`instep remote set origin ADDRESS` keeps it whole.")
}

/// Reads the settings of a cycle from the files, each time anew.
pub struct FromFiles {
    sources: Sources,
    machine: String,
}

impl SettingsSource for FromFiles {
    fn read(&self) -> Result<SyncSettings, EngineError> {
        let none: [Flag<'_>; 0] = [];
        let loaded = self.sources.load(&none).map_err(as_settings)?;
        to_sync(&loaded.settings, &self.machine).map_err(as_settings)
    }
}

/// A failure of the settings, as the engine hands it on.
fn as_settings(error: CommandError) -> EngineError {
    let why = error.path.iter().map(|path| path.to_string()).chain(error.why).collect::<Vec<_>>().join(" ");
    EngineError::Settings { code: error.code, why, hint: error.hint.map(String::from) }
}

/// The settings as a cycle takes them.
pub fn to_sync(settings: &Settings, machine: &str) -> Result<SyncSettings, CommandError> {
    let config = settings.config();
    let filter = Filter::new(&config.filter_rules(machine)).map_err(|error| {
        CommandError::new(error.code(), Exit::Usage, "A pattern in the settings can't be used.")
            .because(error)
    })?;
    Ok(SyncSettings {
        filter,
        links: match config.symlinks {
            Symlinks::Portable => Links::Portable,
            Symlinks::Any => Links::Any,
            Symlinks::Skip => Links::Skip,
        },
        strategy: config.strategy,
        direction: config.direction,
        file_bytes_max: config.file_bytes_max,
        limits: config.limits(),
        retention: config.retention,
        ..SyncSettings::default()
    })
}
