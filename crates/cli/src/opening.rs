//! Opens what a command works on: the workspace around a person, its settings, and the remote behind its address.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instep_core::config::{Flag, RemotePlace, Settings, Symlinks};
use instep_core::content::ContentId;
use instep_core::filter::{Filter, GlobError, Groups, Units, Values};
use instep_core::operation::Operation;
use instep_core::path::{TreePath, escape};
use instep_core::policy::{Direction, Links};
use instep_core::remote::Remote;
use instep_engine::cycle::settings::{SettingsSource, SyncSettings};
use instep_engine::failure::EngineError;
use instep_engine::folder::Folder as _;
use instep_engine::reach::Reach;
use instep_engine::state::Failures;
use instep_engine::workspace::{self, Opening, Workspace};
use instep_remote::address::{Address, Place, Typed, redact};
use instep_remote::git::{Environment, GitOptions, GitRemote};
use instep_remote::layer::retry::{Pace, Retry};

use crate::clock::SystemClock;
use crate::commands::Context;
use crate::configuration::layers::{Loaded, SHARED, Sources};
use crate::failure::{CommandError, Exit};
use crate::set_up::host_name;

/// How long a command waits for another one in the same workspace.
const PATIENCE: Duration = Duration::from_secs(30);

/// What there is to say when the database was made anew.
pub const RENEWED: &str = "The state database was damaged (E-STATE-CORRUPT); it was put aside as \
                           `.instep/state.db.damaged` and made anew. The next sync compares both sides anew and deletes nothing.";

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
    /// It was opened without its lock, beside whoever works in it: there is only reading.
    pub beside: bool,
    /// The remote that is worked with: the first, unless a person chose another.
    place: Option<RemotePlace>,
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

    /// Opens it for a look: to work in it if it is free, else to read beside whoever works there.
    pub fn open_for_a_look(&self) -> Result<Opened, CommandError> {
        self.look_at(&self.root()?)
    }

    /// Opens the workspace in a folder for a look.
    pub fn look_at(&self, root: &Path) -> Result<Opened, CommandError> {
        let free = self.open_with(root, |machine| {
            self.enter_within(None, machine, |opening| Workspace::open(root, opening))
        });
        match free {
            Err(error) if error.exit == Exit::Locked => {
                Ok(Opened { beside: true, ..self.open_with(root, |machine| self.read(machine, root))? })
            }
            opened => opened,
        }
    }

    /// Opens it to read what is written down, whoever works in it. Only what must be put right first needs the lock.
    pub fn open_to_read(&self) -> Result<Opened, CommandError> {
        let root = self.root()?;
        match self.open_with(&root, |machine| self.read(machine, &root)) {
            Err(error) if error.code == "E-STATE" || error.code == "E-STATE-CORRUPT" => self.open(),
            opened => Ok(Opened { beside: true, ..opened? }),
        }
    }

    fn read(&self, machine: &str, root: &Path) -> Result<Workspace, CommandError> {
        self.enter_within(None, machine, |opening| Workspace::read(root, opening))
    }

    fn open_within(&self, root: &Path, patience: Duration) -> Result<Opened, CommandError> {
        self.open_with(root, |machine| {
            self.enter_within(Some(patience), machine, |opening| Workspace::open(root, opening))
        })
    }

    fn open_with(
        &self,
        root: &Path,
        enter: impl FnOnce(&str) -> Result<Workspace, CommandError>,
    ) -> Result<Opened, CommandError> {
        let sources = self.sources(root);
        let (mut loaded, invalid) = match sources.load(&[]) {
            Ok(loaded) => (loaded, None),
            // Should the shared file be the one that is wrong, all but it says how to open the workspace.
            Err(error) => match sources.load_with(Vec::new(), &[]) {
                Ok(without) if sources.instead.is_none() => (without, Some(error)),
                _ => return Err(error),
            },
        };
        let machine = loaded.settings.config().machine.clone().unwrap_or_else(host_name);
        let workspace = enter(&machine)?;
        if workspace.renewed {
            self.terminal.warn(RENEWED);
        }
        if let Some(error) = invalid {
            let good = workspace.state.good_settings()?.and_then(|good| sources.load_with(good, &[]).ok());
            let Some(good) = good else { return Err(error) };
            loaded = good;
            let why = error.why.join(" ");
            self.terminal.warn(&format!(
                "`{SHARED}` is not valid ({}: {}); it is held, and the last good settings stay in force.",
                error.code,
                why.trim_end_matches('.')
            ));
        }
        if loaded.dotenv_synced {
            self.terminal.warn("`.env` is synced, so its INSTEP_ variables are not read.");
        }
        Ok(Opened::new(workspace, sources, loaded))
    }

    /// Opens or makes a workspace in the usual manner: with patience, and saying so.
    pub fn enter(
        &self,
        machine: &str,
        enter: impl FnOnce(&Opening<'_>) -> Result<Workspace, EngineError>,
    ) -> Result<Workspace, CommandError> {
        self.enter_within(Some(PATIENCE), machine, enter)
    }

    fn enter_within(
        &self,
        patience: Option<Duration>,
        machine: &str,
        enter: impl FnOnce(&Opening<'_>) -> Result<Workspace, EngineError>,
    ) -> Result<Workspace, CommandError> {
        let opening = Opening {
            home: &self.surroundings.home,
            machine,
            clock: Arc::new(SystemClock),
            patience: patience.unwrap_or_default(),
            waiting: &|holder| {
                let Some(patience) = patience else { return };
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
    /// How long its host may keep us waiting for nothing, where the settings are known.
    pub patience: Option<Duration>,
    /// It is one of several remotes, and not the first.
    pub is_further: bool,
}

impl Opened {
    /// This machine's name.
    pub fn machine(&self) -> &str {
        &self.workspace.machine.name
    }

    /// A workspace with these settings; the first remote is the one that is worked with.
    pub fn new(workspace: Workspace, sources: Sources, loaded: Loaded) -> Self {
        let place = places(&loaded.settings).next().cloned();
        Opened { workspace, sources, loaded, beside: false, place }
    }

    /// The remote that is worked with.
    pub fn place(&self) -> Option<&RemotePlace> {
        self.place.as_ref()
    }

    /// The remotes that have an address here.
    pub fn places(&self) -> Vec<RemotePlace> {
        places(&self.loaded.settings).cloned().collect()
    }

    /// Works with the remote of this name from now on.
    pub fn choose(&mut self, name: &str) -> Result<(), CommandError> {
        let known = self.places();
        let Some(place) = known.iter().find(|place| place.name == name) else {
            let names: Vec<&str> = known.iter().map(|place| place.name.as_str()).collect();
            let why = if names.is_empty() {
                "This workspace has none.".to_owned()
            } else {
                format!("This workspace knows: {}.", names.join(", "))
            };
            return Err(CommandError::new("E-REMOTE-UNKNOWN", Exit::Usage, "There is no such remote.")
                .at(escape(name.as_bytes()))
                .because(why));
        };
        self.place = Some(place.clone());
        Ok(())
    }

    /// Works with the folder as a whole from now on, and with no remote.
    pub fn choose_none(&mut self) {
        self.place = None;
    }

    /// Works with the remote that an operation was done with; with none if that is gone, or if the operation is of the
    /// folder alone and there are several.
    pub fn choose_of(&mut self, operation: &Operation) {
        let places = self.places();
        let is_its = |place: &&RemotePlace| {
            let key = place.url.as_deref().map(|url| self.key_of(url));
            key.is_some() && key == operation.address
        };
        match &operation.address {
            Some(_) => self.place = places.iter().find(is_its).cloned(),
            // An older program told no address, and knew one remote.
            None if places.len() > 1 && operation.paths.iter().all(|path| path.remote.is_none()) => {
                self.place = None;
            }
            None => {}
        }
    }

    /// The names of the remotes by what the state calls them, where there are several.
    pub fn names(&self) -> BTreeMap<String, String> {
        let places = self.places().into_iter().filter(|_| self.places().len() > 1);
        places.filter_map(|place| Some((self.key_of(place.url.as_deref()?), place.name))).collect()
    }

    /// The names of the remotes that a command is about: the one that a person named, else all.
    pub fn asked_for(&self, name: Option<&str>) -> Vec<String> {
        match name {
            Some(name) => vec![name.to_owned()],
            None => self.places().into_iter().map(|place| place.name).collect(),
        }
    }

    /// The same, where a person named one.
    pub fn choose_if_named(&mut self, name: Option<&str>) -> Result<(), CommandError> {
        name.map_or(Ok(()), |name| self.choose(name))
    }

    /// The address of the remote; none, and syncing is not set up.
    pub fn address(&self) -> Result<Address, CommandError> {
        let Some(text) = self.url() else { return Err(no_remote(&self.loaded.settings)) };
        check_alone(&self.loaded.settings, self.workspace.root())?;
        address_of(text, self.workspace.root())
    }

    fn url(&self) -> Option<&str> {
        self.place.as_ref()?.url.as_deref()
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
        let place = self.place.as_ref();
        let is_further =
            places(&self.loaded.settings).next().map(|first| &first.name) != place.map(|place| &place.name);
        let branch = place.and_then(|place| place.branch.as_deref());
        let patience = Some(self.loaded.settings.config().patience);
        let access = Access { branch, create: false, is_further, patience };
        let git = match self.beside {
            true => GitRemote::open_beside(address, git_options(&self.workspace, address, access))?,
            false => open_git(&self.workspace, address, access)?,
        };
        Ok(match place.and_then(|place| place.content_bytes_max) {
            Some(limit) => git.limited(limit),
            None => git,
        })
    }

    /// The remote, where there is one that can be opened: for commands that can do without. A repository on a disk that
    /// is not mounted now must not keep anyone from reading the log.
    pub fn remote_if_any(&self, context: &Context) -> Option<Box<dyn Remote>> {
        self.url()?;
        match self.remote() {
            Ok(remote) => Some(remote),
            Err(error) => {
                context.terminal.warn(&format!("{} Going on without the remote.", error.what));
                None
            }
        }
    }

    /// All remotes that can be opened: for what is not kept here. Nobody outside is asked yet.
    pub fn remotes_if_any(&mut self, context: &Context) -> Vec<Box<dyn Remote>> {
        let before = self.place.clone();
        let mut remotes = Vec::new();
        for place in self.places() {
            self.place = Some(place);
            remotes.extend(self.remote_if_any(context));
        }
        self.place = before;
        remotes
    }

    /// The remote for whoever only looks, and what keeps us from it as far as this machine can see: what was fetched
    /// before can be read all the same. No host is asked.
    pub fn remote_for_a_look(&self) -> (Option<Box<dyn Remote>>, Option<CommandError>) {
        match self.address().and_then(|address| self.git(&address)) {
            Ok(git) => {
                let away = git.check_place().err().map(CommandError::from);
                (Some(retrying(git)), away)
            }
            Err(error) => (None, Some(error)),
        }
    }

    /// The remote as it is at hand: near, or only by its address.
    pub fn reach<'r>(&self, remote: Option<&'r dyn Remote>) -> Option<Reach<'r>> {
        match remote {
            Some(remote) => Some(Reach::open(remote)),
            None => Some(Reach::away(&self.remote_key()?)),
        }
    }

    /// All remotes as they are at hand: near, if they are among these, or only by their addresses.
    pub fn reaches<'r>(&self, remotes: &'r [Box<dyn Remote>]) -> Vec<Reach<'r>> {
        let near = |key: &str| remotes.iter().find(|remote| remote.describe().address == key);
        let keys = self.keys_but("").into_iter();
        keys.map(|key| near(&key).map_or_else(|| Reach::away(&key), |remote| Reach::open(remote.as_ref())))
            .collect()
    }

    /// What the state calls the remote; known even if it can't be opened.
    pub fn remote_key(&self) -> Option<String> {
        Some(self.key_of(self.url()?))
    }

    /// What the state calls all remotes but the one of this name.
    pub fn keys_but(&self, name: &str) -> Vec<String> {
        let others = places(&self.loaded.settings).filter(|place| place.name != name);
        others.filter_map(|place| Some(self.key_of(place.url.as_deref()?))).collect()
    }

    fn key_of(&self, text: &str) -> String {
        let parsed = address_of(text, self.workspace.root()).map(|address| address.to_string());
        parsed.unwrap_or_else(|_| escape(redact(text).as_bytes()))
    }

    /// The settings as a cycle takes them, read again when new ones arrive.
    pub fn source(&self) -> FromFiles {
        FromFiles {
            sources: self.sources.clone(),
            machine: self.machine().to_owned(),
            place: self.place.clone(),
        }
    }

    /// The settings as they hold for the folder as a whole, whatever each remote holds of it.
    pub fn source_of_all(&self) -> FromFiles {
        FromFiles { place: None, ..self.source() }
    }

    /// How much of a file's contents is shown, unless a person asks to see them.
    pub fn values(&self, path: &TreePath, are_asked_for: bool) -> Result<Values, CommandError> {
        Ok(if are_asked_for { Values::Shown } else { self.source().read()?.groups.values(path) })
    }

    /// The path of the workspace that a typed one means.
    pub fn tree_path(&self, context: &Context, typed: &Path) -> Result<TreePath, CommandError> {
        let path = crate::place::tree_path(self.workspace.root(), &context.surroundings.folder, typed)?;
        // What stands for a path of this machine has another name where it travels.
        let groups = self.source().read().map(|settings| settings.groups).unwrap_or_default();
        Ok(groups.places().map(|places| places.outgoing_path(&path)).unwrap_or(path))
    }

    /// The place on disk of a path of the workspace.
    pub fn on_disk(&self, path: &TreePath) -> PathBuf {
        crate::place::on_disk(self.workspace.root(), &self.workspace.folder.path_on_disk(path))
    }

    /// Writes down that a sync failed. That this can't be done is not worth another failure.
    pub fn note_failure(&mut self, error: &CommandError) {
        let Some(key) = self.remote_key() else { return };
        let now = self.workspace.clock.now();
        let state = &mut self.workspace.state;
        let _not_noted = state.remote(&key).and_then(|record| {
            let before = state.failures(record.id)?.map_or(0, |failures| failures.count);
            let (code, message) = (error.code.to_owned(), error.what.clone());
            let failures = Failures { count: before + 1, last: now, code, message };
            state.transact(|write| write.failed(record.id, &failures))
        });
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
    Ok(GitRemote::open(address, git_options(workspace, address, access))?)
}

fn git_options(workspace: &Workspace, address: &Address, access: Access<'_>) -> GitOptions {
    let environment = Environment::of_process().until(crate::interrupt::is_asked);
    // By the address, as all that is known of it: a remote may get another name.
    let slot = || ContentId::of(address.to_string().as_bytes()).short();
    GitOptions {
        slot: access.is_further.then(slot),
        directory: workspace.git_dir(),
        branch: access.branch.unwrap_or(BRANCH).to_owned(),
        create: access.create,
        environment: match access.patience {
            Some(patience) => environment.patient_for(patience),
            None => environment,
        },
        clock: Arc::clone(&workspace.clock),
    }
}

/// A remote that tries again what failed in passing.
pub fn retrying(remote: GitRemote) -> Box<dyn Remote> {
    let pace = Pace { patience: remote.patience(), ..Pace::default() };
    Box::new(Retry::new(Box::new(remote), pace, crate::interrupt::pause))
}

/// The remotes that have an address here, in order.
fn places(settings: &Settings) -> impl Iterator<Item = &RemotePlace> {
    settings.config().remotes.iter().filter(|place| place.url.is_some())
}

/// Refuses two remotes at one address: they would share what is agreed on, and a branch that one of them does not have
/// would look as if all on it had been deleted.
pub fn check_alone(settings: &Settings, root: &Path) -> Result<(), CommandError> {
    let mut known: Vec<(&str, String)> = Vec::new();
    for place in places(settings) {
        let Some(address) = place.url.as_deref().and_then(|text| address_of(text, root).ok()) else {
            continue;
        };
        let address = address.to_string();
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == address) {
            return Err(CommandError::new("E-REMOTE-TWICE", Exit::Usage, "Two remotes are one place.")
                .at(address)
                .because(format!("{other} and {} have the same address; a branch of its own makes no second place.", place.name))
                .safe("Nothing was sent or changed.")
                .hinted(format!(
                    "use another repository for one of them, or take it out: `instep config unset remotes.{}`.",
                    place.name
                )));
        }
        known.push((&place.name, address));
    }
    Ok(())
}

/// Understands an address that stands in the settings of a workspace.
pub fn address_of(text: &str, root: &Path) -> Result<Address, CommandError> {
    if text.starts_with('.') || (!text.starts_with('/') && !text.contains(':')) {
        return Err(relative(text));
    }
    let typed = Typed { text, kind: Some("git"), cwd: root, root: Some(root), allow_http: true };
    Ok(Address::parse(&typed)?)
}

fn no_remote(settings: &Settings) -> CommandError {
    let error = CommandError::from(EngineError::NoRemote);
    let is_address =
        |key: &str| key == "sync.remote" || (key.starts_with("remotes.") && key.ends_with(".url"));
    let offered = settings.awaiting_trust().iter().any(|given| is_address(&given.key));
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
    place: Option<RemotePlace>,
}

impl FromFiles {
    /// What holds for the remote, as the settings say now; if they name it no more, as they did.
    fn sync(&self, settings: &Settings) -> Result<SyncSettings, EngineError> {
        let name = self.place.as_ref().map(|place| &place.name);
        let now = settings.config().remotes.iter().find(|place| Some(&place.name) == name);
        to_sync(settings, &self.machine, now.or(self.place.as_ref())).map_err(as_settings)
    }
}

impl SettingsSource for FromFiles {
    fn read(&self) -> Result<SyncSettings, EngineError> {
        let none: [Flag<'_>; 0] = [];
        let loaded = self.sources.load(&none).map_err(as_settings)?;
        self.sync(&loaded.settings)
    }

    fn shared(&self) -> Result<Option<Vec<u8>>, EngineError> {
        if self.sources.instead.is_some() {
            return Ok(None);
        }
        self.sources.shared_text().map(Some).map_err(as_settings)
    }

    fn read_as(&self, shared: &[u8]) -> Result<SyncSettings, EngineError> {
        // A file that a person named decides, whatever arrives.
        if self.sources.instead.is_some() {
            return self.read();
        }
        let loaded = self.sources.load_with(shared.to_vec(), &[]).map_err(as_settings)?;
        self.sync(&loaded.settings)
    }
}

/// A failure of the settings, as the engine hands it on.
fn as_settings(error: CommandError) -> EngineError {
    let why = error.path.iter().map(|path| path.to_string()).chain(error.why).collect::<Vec<_>>().join(" ");
    EngineError::Settings { code: error.code, why, hint: error.hint.map(String::from) }
}

/// The settings as a cycle with a remote takes them.
pub fn to_sync(
    settings: &Settings,
    machine: &str,
    place: Option<&RemotePlace>,
) -> Result<SyncSettings, CommandError> {
    let config = settings.config();
    let mut rules = config.filter_rules(machine);
    rules.within = place.map(|place| place.paths.clone()).unwrap_or_default();
    let places = crate::place::places(config);
    rules.also(&|text| places.outgoing_patterns(text));
    let is_read_only = place.is_some_and(|place| place.read_only);
    if is_read_only && config.direction == Direction::Push {
        return Err(CommandError::usage("Nothing can go either way.")
            .because("`sync.direction` is push, and the remote is `read_only`."));
    }
    let unusable = |error: GlobError| {
        CommandError::new(error.code(), Exit::Usage, "A pattern in the settings can't be used.")
            .because(error)
    };
    Ok(SyncSettings {
        filter: Filter::new(&rules).map_err(unusable)?,
        groups: Groups::new(&config.groups).map_err(unusable)?.at(places),
        units: Units::new(&config.units).map_err(unusable)?,
        links: match config.symlinks {
            Symlinks::Portable => Links::Portable,
            Symlinks::Any => Links::Any,
            Symlinks::Skip => Links::Skip,
        },
        strategy: config.strategy,
        direction: if is_read_only { Direction::Pull } else { config.direction },
        limit: if is_read_only { Direction::Pull } else { Direction::Both },
        file_bytes_max: config.file_bytes_max,
        limits: config.limits(),
        retention: config.retention,
        ..SyncSettings::default()
    })
}
