//! `undo`: take back an operation.

use clap::Args;
use instep_core::path::TreePath;
use instep_engine::history::undo::{self, UndoRequest, Undone};
use serde_json::json;

use super::Context;
use crate::failure::{CommandError, Exit};
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
}

/// Takes an operation back, after showing what that means.
pub fn run(context: &Context, arguments: &UndoArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    let remote = opened.remote_if_any(context);
    let reach = opened.reach(remote.as_deref());
    let source = opened.source();
    let mut request = UndoRequest {
        operation: arguments.operation.clone(),
        redo: arguments.redo,
        here_only: arguments.here_only,
        dry_run: true,
    };
    if context.global.dry_run || !context.terminal.yes {
        let progress = Progress::new(&context.terminal, false);
        let would = undo::undo(&mut opened.workspace, reach.as_ref(), &source, &request, &progress)?;
        drop(progress);
        if context.global.dry_run {
            tell(context, &would, true);
            return Ok(Exit::Done);
        }
        if !agreed(context, &would)? {
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
    tell(context, &undone, false);
    Ok(if undone.held.is_empty() { Exit::Done } else { Exit::Partial })
}

/// The operation in a few words: `7f3a (sync, 10:03)`.
fn named(context: &Context, undone: &Undone) -> String {
    let (of, look) = (&undone.of, &context.terminal.look);
    format!("{} ({}, {})", &of.id.to_string()[..8], of.kind.word(), look.moment(of.time))
}

fn agreed(context: &Context, would: &Undone) -> Result<bool, CommandError> {
    let terminal = &context.terminal;
    terminal.say(&list(would));
    let paths = |paths: usize| count(paths as u64, "path");
    let (here, there) = (would.here.len(), would.there.len());
    let what = match (here, there) {
        (here, 0) => format!("{} here", paths(here)),
        (0, there) => format!("{} at the remote", paths(there)),
        (here, there) => format!("{} here, {} at the remote", paths(here), paths(there)),
    };
    let verb = if here + there == 1 { "goes" } else { "go" };
    let text = format!("Undo {}?  {what} {verb} back, as a new change.", named(context, would));
    terminal.confirm(Question { text: &text, option: "--yes" }, false)
}

fn list(undone: &Undone) -> String {
    let mut text = String::new();
    let groups = [
        ("Here", &undone.here),
        ("At the remote", &undone.there),
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

fn tell(context: &Context, undone: &Undone, dry_run: bool) {
    let terminal = &context.terminal;
    let operation = undone.operation.map(|id| id.to_string()[..8].to_owned());
    if terminal.json {
        let paths = |paths: &[TreePath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        terminal.object(&json!({
            "schema": 1, "command": "undo", "operation": operation, "of": undone.of.id.to_string(),
            "here": paths(&undone.here), "there": paths(&undone.there), "left_alone": paths(&undone.left_alone),
            "held": undone.held.iter().map(held_json).collect::<Vec<_>>(),
            "waits_for_remote": undone.waits_for_remote, "dry_run": dry_run,
        }));
        return;
    }
    let print = |text: &str| if dry_run { terminal.data(text) } else { terminal.done(text) };
    print(&list(undone));
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
        terminal.done("The remote could not be reached: its part goes with the next sync.\n");
    }
    let held = "What went back is held: it moves again at your next `instep sync`.";
    terminal.hint(Some(format!("{held} Take it back: `instep undo --redo`.")));
}
