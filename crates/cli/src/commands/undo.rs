//! `undo`: take back an operation.

use clap::Args;
use instep_core::operation::Operation;
use instep_core::path::{TreePath, escape};
use instep_engine::history::undo::{self, UndoRequest, Undone};
use serde_json::json;

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::count;
use crate::render::outcome::held_json;
use crate::terminal::progress::Progress;
use crate::terminal::prompt::Question;

/// Options of `undo`.
#[derive(Debug, Args)]
pub struct UndoArguments {
    /// Which operation; the last one if none is named.
    #[arg(value_name = "OPERATION")]
    pub operation: Option<String>,
    /// Take back the last undo.
    #[arg(long, conflicts_with = "operation")]
    pub redo: bool,
    /// Change only this folder, not the remote.
    #[arg(long)]
    pub here_only: bool,
    /// The last operation with this remote.
    #[arg(long, value_name = "NAME", conflicts_with = "operation")]
    pub remote: Option<String>,
}

/// Takes an operation back, after showing what that means.
pub fn run(context: &Context, arguments: &UndoArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    opened.choose_if_named(arguments.remote.as_deref())?;
    let mut request = UndoRequest {
        operation: arguments.operation.clone(),
        address: arguments.remote.as_ref().and_then(|_| opened.remote_key()),
        redo: arguments.redo,
        here_only: arguments.here_only,
        dry_run: true,
    };
    let target = undo::target(&opened.workspace.state, &request)?;
    opened.choose_of(&target);
    tell_of_gone(context, &opened, &target);
    let remote = opened.remote_if_any(context);
    let reach = opened.reach(remote.as_deref());
    let source = opened.source();
    let place = Place::of(&opened);
    if context.global.dry_run || !context.terminal.yes {
        let progress = Progress::new(&context.terminal, false);
        let would = undo::undo(&mut opened.workspace, reach.as_ref(), &source, &request, &progress)?;
        drop(progress);
        if context.global.dry_run {
            tell(context, &would, &place, true);
            return Ok(Exit::Done);
        }
        if !agreed(context, &would, &place)? {
            context.terminal.data("Nothing was undone.\n");
            return Ok(Exit::Done);
        }
        // Exactly what was shown, should another operation have come in between.
        request.operation = (!request.redo).then(|| would.of.id.to_string());
    }
    request.dry_run = false;
    let progress = Progress::new(&context.terminal, false);
    let undone = undo::undo(&mut opened.workspace, reach.as_ref(), &source, &request, &progress)?;
    drop(progress);
    tell(context, &undone, &place, false);
    Ok(if undone.held.is_empty() { Exit::Done } else { Exit::Partial })
}

/// Says that an operation went to a place that is no remote any more: there, nothing can be taken back.
fn tell_of_gone(context: &Context, opened: &Opened, target: &Operation) {
    if let (None, Some(address)) = (opened.place(), &target.address)
        && target.paths.iter().any(|path| path.remote.is_some())
    {
        let address = escape(address.as_bytes());
        context.terminal.say(&format!(
            "{address} is no remote of this workspace any more: what was sent there stays as it is."
        ));
    }
}

/// The remote's part of an undo, in words: `the remote`, or its name where there are several.
struct Place {
    name: Option<String>,
    there: String,
    words: String,
}

impl Place {
    fn of(opened: &Opened) -> Self {
        let name = opened.place().map(|place| place.name.clone());
        let several = name.as_ref().filter(|_| opened.places().len() > 1);
        Place {
            there: several.map_or_else(|| "At the remote".to_owned(), |name| format!("At {name}")),
            words: several.map_or_else(|| "the remote".to_owned(), Clone::clone),
            name,
        }
    }
}

/// The operation in a few words: `7f3a (sync, 10:03)`.
fn named(context: &Context, undone: &Undone) -> String {
    let (of, look) = (&undone.of, &context.terminal.look);
    format!("{} ({}, {})", &of.id.to_string()[..8], of.kind.word(), look.moment(of.time))
}

fn agreed(context: &Context, would: &Undone, place: &Place) -> Result<bool, CommandError> {
    let terminal = &context.terminal;
    terminal.say(&list(would, place));
    let paths = |paths: usize| count(paths as u64, "path");
    let (here, there) = (would.here.len(), would.there.len());
    let what = match (here, there) {
        (here, 0) => format!("{} here", paths(here)),
        (0, there) => format!("{} at {}", paths(there), place.words),
        (here, there) => format!("{} here, {} at {}", paths(here), paths(there), place.words),
    };
    let verb = if here + there == 1 { "goes" } else { "go" };
    let text = format!("Undo {}?  {what} {verb} back, as a new change.", named(context, would));
    terminal.confirm(Question { text: &text, option: "--yes" }, false)
}

fn list(undone: &Undone, place: &Place) -> String {
    let mut text = String::new();
    let groups = [
        ("Here", &undone.here),
        (place.there.as_str(), &undone.there),
        ("Changed since, left alone", &undone.left_alone),
    ];
    for (title, paths) in groups {
        if !paths.is_empty() {
            text.push_str(&format!("{title}\n"));
            paths.iter().for_each(|path| text.push_str(&format!("  {path}\n")));
        }
    }
    for held in &undone.held {
        text.push_str(&format!("  {}  {}  {}\n", held.path, held.code, held.why));
    }
    text
}

fn tell(context: &Context, undone: &Undone, place: &Place, dry_run: bool) {
    let terminal = &context.terminal;
    let operation = undone.operation.map(|id| id.to_string()[..8].to_owned());
    if terminal.json {
        let paths = |paths: &[TreePath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        terminal.object(&json!({
            "schema": 1, "command": "undo", "operation": operation, "of": undone.of.id.to_string(),
            "here": paths(&undone.here), "there": paths(&undone.there), "left_alone": paths(&undone.left_alone),
            "held": undone.held.iter().map(held_json).collect::<Vec<_>>(),
            "remote": place.name, "waits_for_remote": undone.waits_for_remote, "dry_run": dry_run,
        }));
        return;
    }
    let print = |text: &str| if dry_run { terminal.data(text) } else { terminal.done(text) };
    print(&list(undone, place));
    let Some(operation) = operation else {
        let words = if dry_run {
            "would be undone. Nothing was changed."
        } else {
            "needs no undoing: all is as it was."
        };
        print(&format!("{} {words}\n", named(context, undone)));
        return;
    };
    terminal.done(&format!("Undone as {operation}.\n"));
    if undone.waits_for_remote {
        let words = crate::failure::sentence(&format!(
            "{} could not be reached: its part goes with the next sync",
            place.words
        ));
        terminal.done(&format!("{words}\n"));
    }
    let held = "What went back is held: it moves again at your next `instep sync`.";
    terminal.hint(Some(format!("{held} Take it back: `instep undo --redo`.")));
}
