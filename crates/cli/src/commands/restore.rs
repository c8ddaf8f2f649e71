//! `restore`: bring back a version or a deleted file.

use std::path::PathBuf;

use clap::Args;
use instep_engine::history::act::Acted;
use instep_engine::history::log;
use instep_engine::history::restore::{self, Moment, RestoreRequest};
use serde_json::json;

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::moment;
use crate::opening::Opened;
use crate::render::{count, outcome, path_object};
use crate::terminal::progress::Progress;

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// What to bring back.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// As it was then: an operation, or a time such as `yesterday 18:00`; the last kept version if none is given.
    #[arg(long, value_name = "OPERATION-OR-TIME")]
    pub at: Option<String>,
    /// Put it below this folder instead.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}

/// Brings paths back as they were.
pub fn run(context: &Context, arguments: &RestoreArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let request = RestoreRequest {
        paths: paths.collect::<Result<_, _>>()?,
        moment: moment(context, &opened, arguments.at.as_deref())?,
        to: arguments.to.as_deref().map(|typed| opened.tree_path(context, typed)).transpose()?,
        dry_run: context.global.dry_run,
    };
    let remote = opened.remote_if_any(context);
    let source = opened.source();
    let progress = Progress::new(&context.terminal, true);
    let acted = restore::restore(&mut opened.workspace, remote.as_deref(), &source, &request, &progress)?;
    drop(progress);
    Ok(tell(context, &request, &acted))
}

/// An operation's id, or a time.
fn moment(context: &Context, opened: &Opened, typed: Option<&str>) -> Result<Moment, CommandError> {
    let Some(typed) = typed else { return Ok(Moment::Previous) };
    if log::find(&opened.workspace.state, typed).is_ok() {
        return Ok(Moment::After(typed.to_owned()));
    }
    moment::parse(&context.terminal.look, typed).map(Moment::At).map_err(|error| {
        error.because("It is no operation of the log either.").hinted("`instep log` lists the operations.")
    })
}

fn tell(context: &Context, request: &RestoreRequest, acted: &Acted) -> Exit {
    let terminal = &context.terminal;
    let exit = if acted.held.is_empty() { Exit::Done } else { Exit::Partial };
    let operation = acted.operation.map(|id| id.to_string()[..8].to_owned());
    if terminal.json {
        for path in &acted.changed {
            terminal.object(&path_object(path, json!({"type": "file", "action": "restore"})));
        }
        for held in &acted.held {
            terminal.object(&outcome::held_json(held));
        }
        terminal.object(&json!({
            "type": "summary", "schema": 1, "command": "restore", "operation": operation,
            "restored": acted.changed.len(), "held": acted.held.len(), "dry_run": request.dry_run,
            "exit_code": exit.code(),
        }));
        return exit;
    }
    let print = |text: &str| if request.dry_run { terminal.data(text) } else { terminal.done(text) };
    for path in &acted.changed {
        print(&format!("  {path}\n"));
    }
    for held in &acted.held {
        let line = format!("{}  {}  {}", held.path, held.code, held.why);
        if terminal.quiet { terminal.warn(&line) } else { print(&format!("  {line}\n")) }
    }
    let files = count(acted.changed.len() as u64, "path");
    print(&match (&operation, request.dry_run) {
        (_, true) => format!("{files} would be restored. Nothing was changed.\n"),
        (None, false) => "Nothing to restore: it is as it was then.\n".to_owned(),
        (Some(operation), false) => {
            format!("Restored {files}; what stood there is kept. Operation {operation}.\n")
        }
    });
    if operation.is_some() {
        terminal.hint(Some(
            "`instep sync` brings it to the other machines; `instep undo` takes it back.".to_owned(),
        ));
    }
    exit
}
