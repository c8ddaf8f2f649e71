//! `completions`: completions for a shell, or man pages.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clap_complete::Shell as Known;
use clap_complete_nushell::Nushell;

use super::Context;
use crate::arguments::command_line;
use crate::failure::{CommandError, Exit};

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell; `man` writes man pages.
    #[arg(value_enum)]
    pub shell: Shell,
    /// With `man`: the folder to write the pages to.
    #[arg(long = "man", value_name = "DIR")]
    pub man: Option<PathBuf>,
}

/// What completions are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Elvish.
    Elvish,
    /// Nushell.
    Nushell,
    /// Man pages.
    Man,
}

/// Prints a completion script, or writes one man page a command.
pub fn run(context: &Context, arguments: &CompletionsArguments) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    let known = match arguments.shell {
        Shell::Bash => Known::Bash,
        Shell::Zsh => Known::Zsh,
        Shell::Fish => Known::Fish,
        Shell::Powershell => Known::PowerShell,
        Shell::Elvish => Known::Elvish,
        Shell::Nushell => {
            clap_complete::generate(Nushell, &mut command_line(), "instep", &mut script);
            context.terminal.bytes(&script);
            return Ok(Exit::Done);
        }
        Shell::Man => return man(context, arguments.man.as_deref()),
    };
    clap_complete::generate(known, &mut command_line(), "instep", &mut script);
    context.terminal.bytes(&script);
    Ok(Exit::Done)
}

fn man(context: &Context, folder: Option<&Path>) -> Result<Exit, CommandError> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(command_line()).render(&mut page);
        made.map_err(|error| {
            CommandError::new("E-IO", Exit::Failed, "Could not make the page.").because(error)
        })?;
        context.terminal.bytes(&page);
        return Ok(Exit::Done);
    };
    let folder = context.surroundings.folder.join(folder);
    std::fs::create_dir_all(&folder).map_err(|error| CommandError::file("make", &folder, &error))?;
    clap_mangen::generate_to(command_line(), &folder)
        .map_err(|error| CommandError::file("write", &folder, &error))?;
    context.terminal.say("Man pages written.");
    Ok(Exit::Done)
}
