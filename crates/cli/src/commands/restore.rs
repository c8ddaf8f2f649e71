//! `restore`: bring back a version or a deleted file.

use std::path::{Path, PathBuf};

use clap::Args;
use instep_core::node::Side;
use instep_core::path::TreePath;
use instep_engine::cycle::outcome::Held;
use instep_engine::history::act::Acted;
use instep_engine::history::restore::{self, Moment, RestoreRequest};
use instep_engine::history::{export, log};
use serde_json::json;

use super::Context;
use crate::export::{Export, Fate};
use crate::failure::{CommandError, Exit};
use crate::moment;
use crate::opening::Opened;
use crate::place::{plain, shown};
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
    /// Put it below this folder instead; outside the workspace, only what is not there yet is written.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Make it by the recipe of its group.
    #[arg(long, hide = true)]
    pub derived: bool,
}

/// Brings paths back as they were.
pub fn run(context: &Context, arguments: &RestoreArguments) -> Result<Exit, CommandError> {
    if arguments.derived {
        return Err(CommandError::later("`instep restore --derived`")
            .because("`regenerate` of a group is read, and not run yet.")
            .hinted("run its command yourself: `instep config show` has it."));
    }
    let mut opened = context.open()?;
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    if let Some(folder) = arguments.to.as_deref().map(|typed| plain(&context.surroundings.folder.join(typed)))
        && opened.tree_path(context, &folder).is_err()
    {
        return outside(context, &mut opened, arguments, &folder);
    }
    let request = RestoreRequest {
        paths: paths.collect::<Result<_, _>>()?,
        moment: moment(context, &opened, arguments.at.as_deref())?,
        to: arguments.to.as_deref().map(|typed| opened.tree_path(context, typed)).transpose()?,
        dry_run: context.global.dry_run,
    };
    // What one remote does not hold another may; and the folder is one, whatever each of them holds of it.
    let remotes = opened.remotes_if_any(context);
    let reaches = opened.reaches(&remotes);
    opened.choose_none();
    let source = opened.source();
    let progress = Progress::new(&context.terminal, true);
    let acted = restore::restore(&mut opened.workspace, &reaches, &source, &request, &progress)?;
    drop(progress);
    let files = count(acted.changed.len() as u64, "path");
    let sentence = match (acted.operation, request.dry_run) {
        (_, true) => format!("{files} would be restored. Nothing was changed.\n"),
        (None, false) => "Nothing to restore: it is as it was then.\n".to_owned(),
        (Some(operation), false) => {
            let operation = &operation.to_string()[..8];
            format!("Restored {files}; what stood there is kept. Operation {operation}.\n")
        }
    };
    Ok(tell(context, request.dry_run, &acted, &sentence))
}

/// Writes copies into a folder outside the workspace, where nothing is synced and nothing is replaced.
fn outside(
    context: &Context,
    opened: &mut Opened,
    arguments: &RestoreArguments,
    folder: &Path,
) -> Result<Exit, CommandError> {
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let paths: Vec<TreePath> = paths.collect::<Result<_, _>>()?;
    let moment = moment(context, opened, arguments.at.as_deref())?;
    let remotes = opened.remotes_if_any(context);
    opened.choose_none();
    let progress = Progress::new(&context.terminal, true);
    let found = export::find(&opened.workspace, &opened.source(), &paths, &moment, &progress)?;
    let export = Export { to: folder, opened, remotes: &remotes, observer: &progress };
    let mut acted = Acted::default();
    for one in &found {
        if crate::interrupt::is_asked() {
            return Err(CommandError::interrupted());
        }
        let fate = if context.global.dry_run { Fate::Made } else { export.write(one)? };
        match fate {
            Fate::Made => acted.changed.push(one.target.clone()),
            Fate::There => {}
            Fate::Left(code, why) => {
                acted.held.push(Held { path: one.target.clone(), side: Side::Local, code, why });
            }
        }
    }
    drop(progress);
    let files = count(acted.changed.len() as u64, "path");
    let verb = if context.global.dry_run { "would be written to" } else { "written to" };
    let sentence = format!("{files} {verb} {}. The workspace was not changed.\n", shown(folder));
    Ok(tell(context, context.global.dry_run, &acted, &sentence))
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

fn tell(context: &Context, dry_run: bool, acted: &Acted, sentence: &str) -> Exit {
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
            "restored": acted.changed.len(), "held": acted.held.len(), "dry_run": dry_run,
            "exit_code": exit.code(),
        }));
        return exit;
    }
    let print = |text: &str| if dry_run { terminal.data(text) } else { terminal.done(text) };
    for path in &acted.changed {
        print(&format!("  {path}\n"));
    }
    for held in &acted.held {
        let line = format!("{}  {}  {}", held.path, held.code, held.why);
        if terminal.quiet { terminal.warn(&line) } else { print(&format!("  {line}\n")) }
    }
    print(sentence);
    if operation.is_some() {
        terminal.hint(Some(
            "`instep sync` brings it to the other machines; `instep undo` takes it back.".to_owned(),
        ));
    }
    exit
}
