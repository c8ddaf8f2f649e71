//! Where the program stands: folder, home, environment; and the settings, read in layers.

pub mod change;
pub mod files;
pub mod layers;
pub mod trust;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::arguments::GlobalArguments;
use crate::failure::{CommandError, Exit};

/// Where the program was started, and by whom.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// Where this user's workspaces are known.
    pub home: PathBuf,
    /// The variables of the environment that are ours to read.
    pub variables: BTreeMap<String, String>,
}

impl Surroundings {
    /// Looks around. `-C` moves the start; `INSTEP_HOME` moves the home.
    pub fn look(global: &GlobalArguments) -> Result<Self, CommandError> {
        let folder = start(global.directory.as_deref())?;
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with("INSTEP_") && !value.is_empty())
            .collect();
        let home = match std::env::var_os("INSTEP_HOME").filter(|home| !home.is_empty()) {
            Some(home) => folder_of(home)?,
            None => state_folder()?,
        };
        Ok(Surroundings { folder, home, variables })
    }
}

fn folder_of(home: OsString) -> Result<PathBuf, CommandError> {
    std::path::absolute(&home).map_err(|error| CommandError::file("find", Path::new(&home), &error))
}

/// The folder that the command works from, absolute, links resolved where it exists. One that is gone may be a
/// workspace that is known: whoever needs it says so.
fn start(named: Option<&Path>) -> Result<PathBuf, CommandError> {
    let present = || {
        std::env::current_dir().map_err(|error| {
            CommandError::new("E-FOLDER-GONE", Exit::NoWorkspace, "The folder you stand in is gone.")
                .because(error)
        })
    };
    let Some(named) = named else { return present() };
    let path = if named.is_absolute() { named.to_path_buf() } else { present()?.join(named) };
    Ok(path.canonicalize().unwrap_or(path))
}

/// Where this user's state belongs.
fn state_folder() -> Result<PathBuf, CommandError> {
    let none = || {
        CommandError::new("E-HOME", Exit::Failed, "The folder for this user's state can't be found.")
            .because("HOME is not set, and this user has no home folder.")
            .hinted("`INSTEP_HOME=/some/folder instep …` names one.")
    };
    let strategy = etcetera::choose_base_strategy().map_err(|_| none())?;
    let folder = strategy.state_dir().ok_or_else(none)?;
    Ok(folder.join("instep"))
}
