//! The commands: one file each. A command turns its arguments into a request, asks the engine, and renders the answer.

pub mod clone;
pub mod completions;
pub mod config;
pub mod conflicts;
pub mod diff;
pub mod disconnect;
pub mod doctor;
pub mod explain;
pub mod init;
pub mod log;
pub mod remote;
pub mod resolve;
pub mod restore;
pub mod status;
pub mod sync;
pub mod undo;

use std::path::{Path, PathBuf};

use instep_engine::failure::EngineError;

use crate::arguments::{Command, GlobalArguments};
use crate::configuration::Surroundings;
use crate::configuration::layers::{self, Sources};
use crate::failure::{CommandError, Exit};
use crate::terminal::Terminal;

/// What every command is handed.
pub struct Context {
    /// How to talk.
    pub terminal: Terminal,
    /// What was typed that all commands take.
    pub global: GlobalArguments,
    /// Where the program was started, and by whom.
    pub surroundings: Surroundings,
}

impl Context {
    /// The workspace around the folder a person stands in.
    pub fn root(&self) -> Result<PathBuf, CommandError> {
        find(&self.surroundings.folder)
    }

    /// Where the settings of a workspace stand.
    pub fn sources(&self, root: &Path) -> Sources {
        layers::sources(root, &self.surroundings, self.global.config.as_deref())
    }
}

fn find(start: &Path) -> Result<PathBuf, CommandError> {
    let found = start.ancestors().find(|folder| folder.join(".instep").is_dir());
    found.map(Path::to_path_buf).ok_or_else(|| EngineError::NoWorkspace(start.to_path_buf()).into())
}

/// Runs a command to its end.
pub fn run(context: &Context, command: Option<&Command>) -> Result<Exit, CommandError> {
    match command {
        Some(Command::Completions(arguments)) => completions::run(context, arguments),
        Some(Command::Config(arguments)) => config::run(context, arguments),
        _ => Err(CommandError::later("This command")),
    }
}
