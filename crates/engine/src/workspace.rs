//! A workspace: one folder on this machine, its state, and who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use instep_core::clock::Clock;
use instep_core::remote::MachineStamp;

use crate::folder::Folder;
use crate::folder::disk::DiskFolder;
use crate::state::State;

/// A folder that is kept the same elsewhere, open for work.
pub struct Workspace<F: Folder = DiskFolder> {
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
    pub(crate) root: PathBuf,
}

impl<F: Folder> Workspace<F> {
    /// Puts a workspace together from its parts; for simulations and tests.
    pub fn assemble(folder: Arc<F>, state: State, machine: MachineStamp, clock: Arc<dyn Clock>, root: PathBuf) -> Self {
        Workspace { folder, state, machine, clock, person: None, root }
    }

    /// The workspace's folder, for people and for other programs.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new operation's id: 16 hexadecimal digits.
    pub fn new_operation(&self) -> String {
        format!("{:016x}", self.clock.random())
    }
}
