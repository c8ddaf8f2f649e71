//! `sync`, `pull`, `push`: send and receive now.

use clap::{Args, ValueEnum};
use instep_core::policy::{Direction, Strategy};
use instep_engine::cycle;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::plan_file::PlanFile;
use instep_engine::cycle::request::Request;

use super::Context;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::opening::{ORIGIN, Opened};
use crate::render::{outcome, plan};
use crate::terminal::progress::Progress;
use std::path::PathBuf;

/// Options of `sync`.
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// Only what lies here or below.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The remote to use.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
    /// Do exactly what this plan says (from `sync -n --json`), or refuse.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Allow what a guard stopped; may be repeated.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub allow: Vec<Allowed>,
    /// The answer for conflicts, this time only.
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<String>,
    /// What to say of this sync in the log.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Use at most so much of the line, as in `2MB/s`; not for git, which knows no such limit.
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<String>,
}

/// Options of `pull` and `push`.
#[derive(Debug, Args)]
pub struct OneWayArguments {
    /// Options that `sync` has too.
    #[command(flatten)]
    pub sync: SyncArguments,
    /// Make the changed side equal to the other, its own changes included; what is replaced is kept.
    #[arg(long)]
    pub mirror: bool,
}

/// What a guard stops and a person may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allowed {
    /// Many deletions.
    Delete,
    /// A remote that was put back or made anew.
    Rewind,
}

/// Sends and receives.
pub fn run(context: &Context, arguments: &SyncArguments) -> Result<Exit, CommandError> {
    cycle_of(context, arguments, Direction::Both, false)
}

/// Receives only.
pub fn pull(context: &Context, arguments: &OneWayArguments) -> Result<Exit, CommandError> {
    cycle_of(context, &arguments.sync, Direction::Pull, arguments.mirror)
}

/// Sends only.
pub fn push(context: &Context, arguments: &OneWayArguments) -> Result<Exit, CommandError> {
    cycle_of(context, &arguments.sync, Direction::Push, arguments.mirror)
}

fn cycle_of(
    context: &Context,
    arguments: &SyncArguments,
    direction: Direction,
    mirror: bool,
) -> Result<Exit, CommandError> {
    only_origin(arguments.remote.as_deref())?;
    if arguments.bwlimit.is_some() {
        return Err(CommandError::later("`--bwlimit`")
            .because("The remote is reached through git, which knows no limit for its line."));
    }
    let mut opened = context.open()?;
    opened.check_enabled()?;
    if direction != Direction::Pull && !context.global.dry_run {
        opened.check_may_send()?;
        exposure::check_again(&mut opened)?;
    }
    let request = request(context, &opened, arguments, direction, mirror)?;
    run_cycle(context, &mut opened, &request)
}

/// Refuses the name of a remote that is not there; this version keeps one.
pub fn only_origin(name: Option<&str>) -> Result<(), CommandError> {
    match name {
        None | Some(ORIGIN) => Ok(()),
        Some(other) => Err(CommandError::new("E-REMOTE-UNKNOWN", Exit::Usage, "There is no such remote.")
            .at(instep_core::path::escape(other.as_bytes()))
            .because("This version keeps one remote, origin.")),
    }
}

fn request(
    context: &Context,
    opened: &Opened,
    arguments: &SyncArguments,
    direction: Direction,
    mirror: bool,
) -> Result<Request, CommandError> {
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let expected = arguments.plan.as_deref().map(|file| read_plan(context, file)).transpose()?;
    let (direction, mirror) = match (&expected, direction) {
        (Some(plan), Direction::Both) => (direction_of(plan)?, plan.mirror),
        _ => (direction, mirror),
    };
    Ok(Request {
        direction,
        mirror,
        strategy: arguments.strategy.as_deref().map(strategy).transpose()?,
        paths: paths.collect::<Result<_, _>>()?,
        allow_delete: arguments.allow.contains(&Allowed::Delete),
        allow_rewind: arguments.allow.contains(&Allowed::Rewind),
        thorough: false,
        dry_run: context.global.dry_run,
        message: arguments.message.clone(),
        expected,
        explicit: true,
        kind: None,
    })
}

fn strategy(typed: &str) -> Result<Strategy, CommandError> {
    const ALL: [Strategy; 6] = [
        Strategy::Merge,
        Strategy::AskUser,
        Strategy::LastWriteWins,
        Strategy::KeepLocal,
        Strategy::KeepRemote,
        Strategy::Both,
    ];
    ALL.into_iter().find(|known| known.word() == typed).ok_or_else(|| {
        let words = ALL.map(Strategy::word).join(", ");
        CommandError::usage(format!("There is no strategy {}.", instep_core::path::escape(typed.as_bytes())))
            .because(format!("It is one of: {words}."))
    })
}

fn read_plan(context: &Context, file: &std::path::Path) -> Result<PlanFile, CommandError> {
    let path = context.surroundings.folder.join(file);
    let bytes = std::fs::read(&path).map_err(|error| CommandError::named_file(&path, &error))?;
    let plan: PlanFile = serde_json::from_slice(&bytes).map_err(|error| {
        CommandError::new("E-PLAN-PARSE", Exit::Usage, "This file is not a plan.")
            .at(crate::place::shown(&path))
            .because(error)
            .hinted("`instep sync -n --json > plan.json` makes one.")
    })?;
    if plan.schema == 1 { Ok(plan) } else { Err(CommandError::later("This form of plan")) }
}

fn direction_of(plan: &PlanFile) -> Result<Direction, CommandError> {
    match plan.direction.as_str() {
        "both" => Ok(Direction::Both),
        "pull" => Ok(Direction::Pull),
        "push" => Ok(Direction::Push),
        _ => {
            Err(CommandError::new("E-PLAN-PARSE", Exit::Usage, "The plan names no direction that is known."))
        }
    }
}

/// Runs one cycle and tells what it did. That it failed is written down for `status`.
pub fn run_cycle(context: &Context, opened: &mut Opened, request: &Request) -> Result<Exit, CommandError> {
    let answer = cycle_and_tell(context, opened, request);
    if let Err(error) = &answer
        && !request.dry_run
        && !matches!(error.exit, Exit::Usage | Exit::Interrupted)
    {
        opened.note_failure(error);
    }
    answer
}

fn cycle_and_tell(context: &Context, opened: &mut Opened, request: &Request) -> Result<Exit, CommandError> {
    let remote = opened.remote()?;
    let source = opened.source();
    let progress = Progress::new(&context.terminal, !request.dry_run);
    let workspace = &mut opened.workspace;
    let outcome = if request.dry_run {
        cycle::look(workspace, remote.as_ref(), &source, request, true, &progress)?
    } else {
        cycle::run(workspace, remote.as_ref(), &source, request, &progress)?
    };
    drop(progress);
    tell(context, &outcome, request);
    Ok(outcome::exit(&outcome))
}

fn tell(context: &Context, outcome: &Outcome, request: &Request) {
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    match (terminal.json, request.dry_run) {
        (true, true) => terminal.object(&plan::to_json(outcome.plan.as_ref())),
        (true, false) => {
            let exit = outcome::exit(outcome);
            outcome::json_lines(outcome, exit).iter().for_each(|line| terminal.object(line));
        }
        (false, true) => terminal.data(&plan::text(look, outcome)),
        (false, false) => terminal.done(&outcome::text(look, outcome)),
    }
    if terminal.quiet
        && !terminal.json
        && !request.dry_run
        && let Some(waiting) = outcome::in_brief(outcome)
    {
        terminal.warn(&waiting);
    }
    outcome.notices.iter().for_each(|notice| terminal.say(&crate::failure::sentence(notice)));
    terminal.hint(outcome::hint(outcome));
}
