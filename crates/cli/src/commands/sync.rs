//! `sync`, `pull`, `push`: send and receive now.

use clap::{Args, ValueEnum};
use instep_core::config::RemotePlace;
use instep_core::filter::GitignoreMode;
use instep_core::node::Side;
use instep_core::policy::{Direction, Strategy};
use instep_engine::cycle;
use instep_engine::cycle::outcome::{Done, Outcome};
use instep_engine::cycle::plan_file::PlanFile;
use instep_engine::cycle::request::Request;
use instep_engine::cycle::rules::SETTINGS;

use super::Context;
use crate::exposure;
use crate::failure::{CommandError, Exit};
use crate::interrupt;
use crate::notify;
use crate::opening::Opened;
use crate::render::{outcome, plan};
use crate::terminal::progress::Progress;
use serde_json::Value;
use std::path::PathBuf;

/// How often what came from one remote may go on to the others before the next sync.
const ROUNDS_MAX: usize = 3;

/// Options of `sync`.
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// Only what lies here or below.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The remote to use; all of them, one after the other, if none is named.
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
    if arguments.bwlimit.is_some() {
        return Err(CommandError::later("`--bwlimit`")
            .because("The remote is reached through git, which knows no limit for its line."));
    }
    let mut opened = context.open()?;
    opened.check_enabled()?;
    opened.choose_if_named(arguments.remote.as_deref())?;
    let request = request(context, &opened, arguments, direction, mirror)?;
    let places = opened.places();
    if arguments.remote.is_none() && places.len() > 1 {
        if arguments.plan.is_some() {
            return Err(
                CommandError::usage("A plan is made for one remote.").hinted("name it: `--remote NAME`.")
            );
        }
        return all(context, &mut opened, &places, &request);
    }
    let outcome = noting(context, &mut opened, &request, |opened| {
        check_may_go(context, opened, &request)?;
        cycle_and_tell(context, opened, &request, None)
    })?;
    Ok(outcome::exit(&outcome))
}

/// Refuses to send where nothing may be sent.
fn check_may_go(context: &Context, opened: &mut Opened, request: &Request) -> Result<(), CommandError> {
    if let Some(place) =
        opened.place().filter(|place| place.read_only && request.direction == Direction::Push)
    {
        return Err(CommandError::new("E-REMOTE-READ-ONLY", Exit::Usage, "Nothing is sent to this remote.")
            .at(place.name.clone())
            .because("The settings say `read_only`."));
    }
    if request.direction != Direction::Pull && !context.global.dry_run {
        opened.check_may_send()?;
        exposure::check_again(opened)?;
    }
    Ok(())
}

/// One remote after the other, each with its own base. What came from one goes on to those before it; one that fails
/// keeps no other from its turn.
fn all(
    context: &Context,
    opened: &mut Opened,
    places: &[RemotePlace],
    request: &Request,
) -> Result<Exit, CommandError> {
    let goes = |place: &RemotePlace| !(place.read_only && request.direction == Direction::Push);
    let mut due: Vec<bool> = places.iter().map(goes).collect();
    let mut ends: Vec<Result<Exit, CommandError>> = places.iter().map(|_| Ok(Exit::Done)).collect();
    for _ in 0..ROUNDS_MAX {
        for (at, place) in places.iter().enumerate() {
            if !std::mem::take(&mut due[at]) {
                continue;
            }
            opened.choose(&place.name)?;
            let name = Some(place.name.as_str());
            let answer = noting(context, opened, request, |opened| {
                check_may_go(context, opened, request)?;
                cycle_and_tell(context, opened, request, name)
            });
            if matches!(&answer, Err(error) if error.exit == Exit::Interrupted) {
                return answer.map(|outcome| outcome::exit(&outcome));
            }
            if answer.as_ref().is_ok_and(|outcome| !request.dry_run && has_received(outcome)) {
                due.iter_mut().zip(places).take(at).for_each(|(due, place)| *due = goes(place));
            }
            ends[at] = answer.map(|outcome| outcome::exit(&outcome));
        }
        if !due.contains(&true) {
            break;
        }
    }
    let mut exit = Exit::Done;
    let mut failed = None;
    for (place, end) in places.iter().zip(ends) {
        match end {
            Ok(end) => {
                exit = exit.and(end);
            }
            Err(error) => {
                context
                    .terminal
                    .warn(&format!("{} was left out: {} ({})", place.name, error.what, error.code));
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(exit), Err)
}

/// Answers whether anything here changed.
fn has_received(outcome: &Outcome) -> bool {
    outcome.done.iter().any(|done| done.side == Side::Local)
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
pub fn run_cycle(context: &Context, opened: &mut Opened, request: &Request) -> Result<Outcome, CommandError> {
    noting(context, opened, request, |opened| cycle_and_tell(context, opened, request, None))
}

fn noting(
    context: &Context,
    opened: &mut Opened,
    request: &Request,
    cycle: impl FnOnce(&mut Opened) -> Result<Outcome, CommandError>,
) -> Result<Outcome, CommandError> {
    // A program that we run gets the same Ctrl-C, and fails of it.
    let told = |error| if interrupt::is_asked() { CommandError::interrupted() } else { error };
    let answer = cycle(opened).map_err(told);
    if let Err(error) = &answer
        && !request.dry_run
        && !matches!(error.exit, Exit::Usage | Exit::Interrupted)
    {
        opened.note_failure(error);
    }
    if !request.dry_run {
        context.due.borrow_mut().extend(notify::due(opened, &answer));
    }
    answer
}

/// Says after a first sync that nothing can travel: only what git ignores does, and here git ignores nothing. The rules are
/// read anew, as they may have come with that sync.
pub fn warn_if_bare(context: &Context, opened: &Opened, outcome: &Outcome) -> Result<(), CommandError> {
    let loaded = opened.sources.load(&[])?;
    if loaded.settings.config().gitignore == GitignoreMode::OnlyIgnored && is_bare(outcome) {
        context.terminal.warn(
            "Only what git ignores travels, and git ignores nothing that stands here: no `.gitignore` names it.",
        );
        let hint = "bring the project with its `.gitignore` here, then `instep sync`; or `instep config unset gitignore` \
                    lets everything travel.";
        context.terminal.hint(Some(hint.to_owned()));
    }
    Ok(())
}

/// Answers whether nothing but the settings takes part, here or there.
fn is_bare(outcome: &Outcome) -> bool {
    let is_settings = |done: &Done| done.path.as_bytes() == SETTINGS.as_bytes();
    outcome.seen.local <= 1 && outcome.done.iter().all(is_settings) && outcome.conflicts.is_empty()
}

/// Runs one cycle with the chosen remote; `name` is told where there are several.
fn cycle_and_tell(
    context: &Context,
    opened: &mut Opened,
    request: &Request,
    name: Option<&str>,
) -> Result<Outcome, CommandError> {
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
    tell(context, &outcome, request, name);
    Ok(outcome)
}

fn tell(context: &Context, outcome: &Outcome, request: &Request, name: Option<&str>) {
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    let object = |mut line: Value| {
        if let (Value::Object(fields), Some(name)) = (&mut line, name) {
            fields.insert("remote".to_owned(), name.into());
        }
        terminal.object(&line);
    };
    if let (Some(name), false) = (name, terminal.json) {
        terminal.done(&format!("{name}\n"));
    }
    match (terminal.json, request.dry_run) {
        (true, true) => object(plan::to_json(outcome.plan.as_ref())),
        (true, false) => outcome::json_lines(outcome, outcome::exit(outcome)).into_iter().for_each(object),
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
