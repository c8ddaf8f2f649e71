//! What can be typed: the commands, the options that all of them take, and the environment's form of each.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Command as Clap, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::*;
use crate::failure::CommandError;
use crate::terminal::color::ColorChoice;
use crate::terminal::progress::ProgressMode;

/// Keeps your working folders the same on every machine, in a private place you own. Nothing is ever lost.
#[derive(Debug, Parser)]
#[command(name = "instep", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// What to do; without it, a short status.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "\
Before instep changes or deletes a file it keeps the old one: `instep undo` takes back any sync.
Every option has a form in the environment: `--remote` is INSTEP_REMOTE.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 some paths are held, 4 conflicts wait, 5 temporary, 6 stopped by a guard,
7 refused, 8 there are changes (--exit-code), 10 not a workspace, 11 in use, 130 interrupted.";

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for every command")]
pub struct GlobalArguments {
    /// Work as if started in this folder.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Read this file in place of `instep.yaml`.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Show what would be done, change nothing.
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,
    /// Print objects for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress, no hints, no word of success.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show all of long lists; twice: log what happens.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, global = true, hide_default_value = true)]
    pub color: ColorChoice,
    /// Never ask; a missing answer ends the command with code 2.
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer yes to every question.
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Print long output as it is.
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// How to show progress.
    #[arg(long, value_name = "HOW", value_enum, default_value_t, global = true, hide_default_value = true)]
    pub progress: ProgressMode,
}

impl GlobalArguments {
    /// What holds when the command line could not be read.
    pub fn unread(json: bool) -> Self {
        GlobalArguments {
            directory: None,
            config: None,
            dry_run: false,
            json,
            quiet: false,
            verbose: 0,
            color: ColorChoice::Auto,
            no_input: true,
            yes: false,
            no_pager: true,
            progress: ProgressMode::None,
        }
    }
}

/// The commands, in the order of a day with them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a folder a synced workspace.
    Init(init::InitArguments),
    /// Bring an existing workspace to this machine.
    Clone(clone::CloneArguments),
    /// Check everything and say how to fix it.
    Doctor(doctor::DoctorArguments),
    /// Show where this workspace stands.
    #[command(visible_alias = "st")]
    Status(status::StatusArguments),
    /// Send and receive now.
    Sync(sync::SyncArguments),
    /// Receive only: the remote stays as it is.
    Pull(sync::OneWayArguments),
    /// Send only: this folder stays as it is.
    Push(sync::OneWayArguments),
    /// Show what differs: here, there, last agreed.
    Diff(diff::DiffArguments),
    /// Say why a path is synced, waits, or is not synced.
    Explain(explain::ExplainArguments),
    /// List conflicts, or show one.
    Conflicts(conflicts::ConflictsArguments),
    /// Settle conflicts.
    Resolve(resolve::ResolveArguments),
    /// Show what happened, or one file's versions.
    Log(log::LogArguments),
    /// Bring back a version or a deleted file.
    Restore(restore::RestoreArguments),
    /// Take back an operation.
    Undo(undo::UndoArguments),
    /// Check disk, state, history and remote against each other.
    Verify(verify::VerifyArguments),
    /// Say where the data lives.
    Remote(remote::RemoteArguments),
    /// Read and change settings.
    Config(config::ConfigArguments),
    /// Stop syncing and keep all files.
    Disconnect(disconnect::DisconnectArguments),
    /// Print completions for a shell, or man pages.
    Completions(completions::CompletionsArguments),
}

/// Commands of later versions: known by name, so that nobody hunts for a typing mistake.
const LATER: [&str; 8] = ["watch", "notify", "prune", "peer", "key", "service", "serve", "web"];

/// Options whose name means something else among the settings: `INSTEP_REMOTE` is an address, `sync --remote` a name.
const NOT_FROM_ENVIRONMENT: [&str; 2] = ["help", "version"];
const NAMES_A_REMOTE: [&str; 7] = ["sync", "pull", "push", "doctor", "status", "conflicts", "resolve"];

/// The whole command line as clap knows it, for parsing, completions, man pages and the reference.
pub fn command_line() -> Clap {
    Arguments::command()
}

/// Parses what was typed. The error is what to print and how to end.
pub fn parse(
    typed: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Arguments, clap::Error> {
    let mut command = with_environment(command_line(), environment);
    let matches = command.try_get_matches_from_mut(typed)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Lets every option be given as `INSTEP_NAME`. A variable that is set to nothing counts as not set.
fn with_environment(command: Clap, environment: &dyn Fn(&str) -> Option<OsString>) -> Clap {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let Some(long) = arg.get_long() else { return arg };
        let other_meaning = long == "remote" && NAMES_A_REMOTE.contains(&name.as_str());
        if NOT_FROM_ENVIRONMENT.contains(&long) || other_meaning {
            return arg;
        }
        let variable = format!("INSTEP_{}", long.to_ascii_uppercase().replace('-', "_"));
        let Some(value) = environment(&variable).filter(|value| !value.is_empty()) else { return arg };
        match arg.get_action() {
            ArgAction::SetTrue => arg.default_value(switch(&value)),
            _ => arg.default_value(value).hide_default_value(true),
        }
    });
    command.mut_subcommands(|sub| with_environment(sub, environment))
}

/// A switch is on for any word but those that mean off.
fn switch(value: &OsString) -> OsString {
    let off = value.to_str().is_some_and(|text| ["0", "false", "no", "off"].contains(&text));
    OsString::from(if off { "false" } else { "true" })
}

/// Turns what the parser refused into our form. Help and version are no failure: `None`.
pub fn refused(error: &clap::Error) -> Option<CommandError> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return None;
    }
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand)
        && LATER.contains(&typed.as_str())
    {
        return Some(CommandError::later(&format!("`instep {typed}`")));
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let what = parts.next().unwrap_or("This can't be understood.").trim_start_matches("error: ");
    let mut refused = CommandError::usage(crate::failure::sentence(&what.replace("\n", " ")));
    let meant = option_of_value(error);
    for part in parts {
        let part = part.trim_start();
        if let Some(tip) = part.strip_prefix("tip: ") {
            if meant.is_some() {
                continue;
            }
            refused.why.push(crate::failure::sentence(tip));
        } else if let Some(usage) = part.strip_prefix("Usage:") {
            refused.why.push(format!("Usage: {}", usage.trim()));
        } else if !part.starts_with("For more information") {
            refused.why.push(part.to_owned());
        }
    }
    let hint = meant.unwrap_or_else(|| "`--help` after a command lists its options.".to_owned());
    Some(refused.hinted(hint))
}

/// Where a value was typed as an option (`resolve c1 --both`), how it is said.
fn option_of_value(error: &clap::Error) -> Option<String> {
    let ContextValue::String(typed) = error.get(ContextKind::InvalidArg)? else { return None };
    let word = typed.strip_prefix("--")?;
    let usage = error.get(ContextKind::Usage)?.to_string();
    let command = command_line();
    let name = usage.trim_start_matches("Usage:").split_whitespace().nth(1)?;
    let options = command.find_subcommand(name)?.get_arguments();
    let takes =
        |option: &&clap::Arg| option.get_possible_values().iter().any(|value| value.matches(word, false));
    Some(format!(
        "`instep {name} … --{} {word}` says that.",
        options.filter(takes).find_map(|option| option.get_long())?
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn parsed(typed: &[&str], environment: &[(&str, &str)]) -> Result<Arguments, clap::Error> {
        let look_up = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        parse(std::iter::once("instep").chain(typed.iter().copied()).map(OsString::from), &look_up)
    }

    fn refusal(typed: &[&str]) -> String {
        let error = refused(&parsed(typed, &[]).unwrap_err()).unwrap();
        format!("{} {} {}\n{}", error.exit.code(), error.code, error.what, error.why.join("\n"))
    }

    #[test]
    fn the_command_line_is_sound() {
        command_line().debug_assert();
    }

    #[test]
    fn commands_of_later_versions_are_refused_by_name() {
        for name in LATER {
            let error = refused(&parsed(&[name], &[]).unwrap_err()).unwrap();
            assert_eq!(error.code, "E-LATER", "{name}");
            assert_eq!(error.exit.code(), 2);
            let help = command_line().render_long_help().to_string();
            assert!(!help.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))), "{name}");
        }
    }

    #[test]
    fn wrong_usage_names_the_mistake_and_the_usage() {
        expect![[r#"
            2 E-USAGE Unrecognized subcommand 'syn'.
            A similar subcommand exists: 'sync'.
            Usage: instep [OPTIONS] [COMMAND]"#]]
        .assert_eq(&refusal(&["syn"]));
        expect![[r#"
            2 E-USAGE Unexpected argument '--frobnicate' found.
            To pass '--frobnicate' as a value, use '-- --frobnicate'.
            Usage: instep sync [OPTIONS] [PATH]..."#]]
        .assert_eq(&refusal(&["sync", "--frobnicate"]));
    }

    #[test]
    fn a_value_typed_as_an_option_is_answered_with_its_option() {
        let error = refused(&parsed(&["resolve", "c1", "--both"], &[]).unwrap_err()).unwrap();
        assert_eq!(error.hint.as_deref(), Some("`instep resolve … --keep both` says that."));
        expect![[r#"
            2 E-USAGE Unexpected argument '--both' found.
            Usage: instep resolve <ID-OR-PATH>..."#]]
        .assert_eq(&refusal(&["resolve", "c1", "--both"]));
    }

    #[test]
    fn an_option_may_stand_in_the_environment_and_the_typed_one_wins() {
        let environment = [("INSTEP_NO_INPUT", "1"), ("INSTEP_PROGRESS", "none"), ("INSTEP_COLOR", "")];
        let arguments = parsed(&["status", "--progress", "plain"], &environment).unwrap();
        assert!(arguments.global.no_input);
        assert_eq!(arguments.global.progress, ProgressMode::Plain);
        assert_eq!(arguments.global.color, ColorChoice::Auto);
    }
}
