//! A workspace: one folder on this machine, its state, and who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instep_core::clock::Clock;
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::remote::MachineStamp;

use crate::cycle::naming;
use crate::failure::{Danger, EngineError};
use crate::folder::disk::{DiskFolder, STATE};
use crate::folder::placed::Placed;
use crate::folder::{Folder, FolderFailure};
use crate::identity::{self, Identity, Standing};
use crate::lock::{self, WorkspaceLock};
use crate::registry::{KnownWorkspace, Registry};
use crate::state::{State, is_damage};

/// The name of the database in our state folder.
const DATABASE: &str = "state.db";

/// Where the database of a workspace stands.
pub(crate) fn database(root: &Path) -> PathBuf {
    root.join(STATE).join(DATABASE)
}

/// A folder that is kept the same elsewhere, open for work.
pub struct Workspace<F: Folder = Placed<DiskFolder>> {
    /// The door to its files.
    pub folder: Arc<F>,
    /// Its database.
    pub state: State,
    /// Its name and id.
    pub machine: MachineStamp,
    /// Where time and chance come from.
    pub clock: Arc<dyn Clock>,
    /// Who works here, as the system knows them; for the log.
    pub person: Option<String>,
    /// The system's own name for its present start, where it has one; a new one means that the machine was off.
    pub boot: Option<String>,
    /// How it is waited between two tries; a simulation does not wait.
    pub wait: fn(Duration),
    /// Its database was damaged when it was opened: it was put aside and made anew.
    pub renewed: bool,
    /// How many refusals of the disk are on record; see [`Folder::refusals`].
    pub refusals: u64,
    root: PathBuf,
    _lock: Option<WorkspaceLock>,
}

/// How to open a workspace.
pub struct Opening<'a> {
    /// This machine's own folder: it knows all workspaces of this person.
    pub home: &'a Path,
    /// The machine's name in this workspace.
    pub machine: &'a str,
    /// Where time and chance come from.
    pub clock: Arc<dyn Clock>,
    /// How long to wait for another process.
    pub patience: Duration,
    /// Told once, with the other process's id where that is known, before the waiting begins.
    pub waiting: &'a dyn Fn(Option<u32>),
}

/// The workspace that a path lies in. One that is known and whose folder is gone is told apart from none at all: an
/// unmounted disk must not look like a fresh start.
pub fn find(start: &Path, home: &Path) -> Result<PathBuf, EngineError> {
    for folder in start.ancestors() {
        if folder.join(STATE).join("staging").is_dir() {
            return Ok(folder.to_owned());
        }
    }
    match Registry::load(home)?.lookup(start).filter(|_| !mutant::is_on("gone-is-new")) {
        Some(known) => Err(EngineError::Gone(known.path.clone())),
        None => Err(EngineError::NoWorkspace(start.to_owned())),
    }
}

impl Workspace {
    /// Makes a folder a workspace, or takes one up again: a root that was replaced becomes a first contact.
    pub fn create(root: &Path, opening: &Opening<'_>) -> Result<Self, EngineError> {
        let folder = DiskFolder::create(root)?;
        let lock = lock::take(&folder, opening.patience, opening.waiting)?;
        let standing = standing(&folder, root, opening.home)?;
        let mut state = open_state(&folder, root)?.0;
        let identity = match standing {
            Standing::Same(identity) => identity,
            Standing::Missing => identity::establish(&folder, &*opening.clock)?,
            Standing::Replaced(_) | Standing::Copied(_) => {
                state.transact(|write| write.forget_all_remotes())?;
                identity::establish(&folder, &*opening.clock)?
            }
        };
        Workspace::finish(root, folder, state, identity, lock, opening)
    }

    /// Opens a workspace. A copy of one takes a new id and starts as on first contact; a root that was replaced is a
    /// halt until a person says `init` there.
    pub fn open(root: &Path, opening: &Opening<'_>) -> Result<Self, EngineError> {
        let folder = DiskFolder::open(root).map_err(|error| match error.failure() {
            FolderFailure::Missing | FolderFailure::Raced => EngineError::Gone(root.to_owned()),
            _ => error.into(),
        })?;
        let lock = lock::take(&folder, opening.patience, opening.waiting)?;
        let standing = standing(&folder, root, opening.home)?;
        if let Standing::Replaced(identity) = &standing {
            return Err(EngineError::Halted(Danger::Replaced(identity.id.to_string())));
        }
        let (mut state, renewed) = open_state(&folder, root)?;
        let identity = match standing {
            Standing::Same(identity) | Standing::Replaced(identity) => identity,
            Standing::Missing => identity::establish(&folder, &*opening.clock)?,
            Standing::Copied(_) => {
                state.transact(|write| write.forget_all_remotes())?;
                identity::establish(&folder, &*opening.clock)?
            }
        };
        let workspace = Workspace::finish(root, folder, state, identity, lock, opening)?;
        Ok(Workspace { renewed, ..workspace })
    }

    /// Puts the database aside and makes a new one: for one that says what can't be.
    pub fn renew(&mut self) -> Result<(), EngineError> {
        self.state = State::in_memory()?;
        put_aside(&*self.folder)?;
        self.state = State::open(&self.root.join(STATE).join(DATABASE))?;
        self.renewed = true;
        Ok(())
    }

    /// Opens a workspace to read in it, whoever works there: nothing is written, no lock is taken. What needs to be put
    /// right first, such as a copy or a damaged database, is left to whoever opens it to work.
    pub fn read(root: &Path, opening: &Opening<'_>) -> Result<Self, EngineError> {
        let folder = DiskFolder::open(root).map_err(|error| match error.failure() {
            FolderFailure::Missing | FolderFailure::Raced => EngineError::Gone(root.to_owned()),
            _ => error.into(),
        })?;
        let identity = match standing(&folder, root, opening.home)? {
            Standing::Same(identity) => identity,
            Standing::Replaced(identity) => {
                return Err(EngineError::Halted(Danger::Replaced(identity.id.to_string())));
            }
            Standing::Missing | Standing::Copied(_) => {
                return Err(EngineError::StateCorrupt("it is not this workspace's own".to_owned()));
            }
        };
        let state = State::open_to_read(&root.join(STATE).join(DATABASE))?;
        let folder = Arc::new(Placed::new(folder));
        folder.name_by(naming::in_use(&state)?);
        Ok(Workspace {
            folder,
            state,
            machine: MachineStamp { name: opening.machine.to_owned(), id: identity.id.to_string() },
            clock: Arc::clone(&opening.clock),
            person: None,
            boot: boot(),
            wait: std::thread::sleep,
            renewed: false,
            refusals: 0,
            root: root.to_owned(),
            _lock: None,
        })
    }

    fn finish(
        root: &Path,
        folder: DiskFolder,
        state: State,
        identity: Identity,
        lock: WorkspaceLock,
        opening: &Opening<'_>,
    ) -> Result<Self, EngineError> {
        let known = KnownWorkspace { path: root.to_owned(), id: identity.id, root: identity.marks.root };
        Registry::load(opening.home)?.remember(known)?;
        let machine = MachineStamp { name: opening.machine.to_owned(), id: identity.id.to_string() };
        let clock = Arc::clone(&opening.clock);
        let folder = Arc::new(Placed::new(folder));
        folder.name_by(naming::in_use(&state)?);
        Ok(Workspace {
            folder,
            state,
            machine,
            clock,
            person: None,
            boot: boot(),
            wait: std::thread::sleep,
            renewed: false,
            refusals: 0,
            root: root.to_owned(),
            _lock: Some(lock),
        })
    }
}

impl<F: Folder> Workspace<F> {
    /// Puts a workspace together from its parts; for simulations and tests.
    pub fn assemble(
        folder: Arc<F>,
        state: State,
        machine: MachineStamp,
        clock: Arc<dyn Clock>,
        root: PathBuf,
    ) -> Self {
        let wait = std::thread::sleep;
        Workspace {
            folder,
            state,
            machine,
            clock,
            person: None,
            boot: None,
            wait,
            renewed: false,
            refusals: 0,
            root,
            _lock: None,
        }
    }

    /// The workspace's folder, for people and for other programs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the git remote keeps what it fetched.
    pub fn git_dir(&self) -> PathBuf {
        self.root.join(STATE).join("git")
    }

    /// A new operation's id: 16 hexadecimal digits.
    pub fn new_operation(&self) -> String {
        format!("{:016x}", self.clock.random())
    }
}

/// How the folder here compares to the workspace that is written in it. Where our state has another number, and nothing
/// but the number says that it is a copy, the list of this machine's workspaces decides: a copy stands elsewhere.
fn standing(folder: &DiskFolder, root: &Path, home: &Path) -> Result<Standing, EngineError> {
    let found = identity::check(folder)?;
    let Standing::Copied(identity) = found else { return Ok(found) };
    let marks = identity::observe(folder)?;
    let stands_here = |known: &KnownWorkspace| known.path == root && known.id == identity.id;
    if identity.marks.may_be_same(&marks) && Registry::load(home)?.workspaces().iter().any(stands_here) {
        return Ok(Standing::Same(Identity { marks, ..identity }));
    }
    Ok(found)
}

/// Opens the database. One that is damaged is put aside and made anew: what both sides agreed on is lost, so that the
/// next cycle is a first contact, which deletes nothing.
fn open_state(folder: &DiskFolder, root: &Path) -> Result<(State, bool), EngineError> {
    let path = root.join(STATE).join(DATABASE);
    let is_damaged = |opened: &Result<State, EngineError>| match opened {
        Err(EngineError::State(error)) => is_damage(error),
        _ => false,
    };
    let mut opened = State::open(&path);
    // A read that the disk failed once looks like damage to SQLite.
    if is_damaged(&opened) {
        opened = State::open(&path);
    }
    if is_damaged(&opened) {
        put_aside(folder)?;
        return Ok((State::open(&path)?, true));
    }
    Ok((opened?, false))
}

/// Gives the database and what belongs to it other names.
fn put_aside<F: Folder>(folder: &F) -> Result<(), EngineError> {
    for suffix in ["", "-wal", "-shm"] {
        let name = |text: String| Name::new(text.as_bytes()).expect("because names of ours are valid");
        let (from, to) = (name(format!("{DATABASE}{suffix}")), name(format!("{DATABASE}.damaged{suffix}")));
        let dir = folder.state();
        match folder.replace((&dir, &from), (&dir, &to)) {
            Err(error) if error.failure() != FolderFailure::Missing => return Err(error.into()),
            _ => {}
        }
    }
    tracing::warn!("the state database was damaged; it was put aside and is made anew");
    Ok(())
}

/// What Linux calls its present start; nothing elsewhere.
fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
