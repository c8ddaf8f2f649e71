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
pub mod verify;

use std::cell::RefCell;
use std::path::Path;

use crate::arguments::{Command, GlobalArguments};
use crate::configuration::Surroundings;
use crate::configuration::layers::{self, Sources};
use crate::failure::{CommandError, Exit};
use crate::notify::Call;
use crate::terminal::Terminal;

/// What every command is handed.
pub struct Context {
    /// How to talk.
    pub terminal: Terminal,
    /// What was typed that all commands take.
    pub global: GlobalArguments,
    /// Where the program was started, and by whom.
    pub surroundings: Surroundings,
    /// What is to be told by the person's own command when this one has ended.
    pub due: RefCell<Vec<Call>>,
}

impl Context {
    /// Where the settings of a workspace stand.
    pub fn sources(&self, root: &Path) -> Sources {
        layers::sources(root, &self.surroundings, self.global.config.as_deref())
    }
}

/// Runs a command to its end.
pub fn run(context: &Context, command: Option<&Command>) -> Result<Exit, CommandError> {
    match command {
        None => status::first_look(context),
        Some(Command::Clone(arguments)) => clone::run(context, arguments),
        Some(Command::Completions(arguments)) => completions::run(context, arguments),
        Some(Command::Config(arguments)) => config::run(context, arguments),
        Some(Command::Conflicts(arguments)) => conflicts::run(context, arguments),
        Some(Command::Diff(arguments)) => diff::run(context, arguments),
        Some(Command::Disconnect(arguments)) => disconnect::run(context, arguments),
        Some(Command::Doctor(arguments)) => doctor::run(context, arguments),
        Some(Command::Explain(arguments)) => explain::run(context, arguments),
        Some(Command::Init(arguments)) => init::run(context, arguments),
        Some(Command::Log(arguments)) => log::run(context, arguments),
        Some(Command::Pull(arguments)) => sync::pull(context, arguments),
        Some(Command::Push(arguments)) => sync::push(context, arguments),
        Some(Command::Remote(arguments)) => remote::run(context, arguments),
        Some(Command::Resolve(arguments)) => resolve::run(context, arguments),
        Some(Command::Restore(arguments)) => restore::run(context, arguments),
        Some(Command::Status(arguments)) => status::run(context, arguments),
        Some(Command::Sync(arguments)) => sync::run(context, arguments),
        Some(Command::Undo(arguments)) => undo::run(context, arguments),
        Some(Command::Verify(arguments)) => verify::run(context, arguments),
    }
}
