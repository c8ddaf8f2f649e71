//! `log`: what happened, or one file's versions.

mod follow;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use instep_core::filter::Units;
use instep_core::node::Side;
use instep_core::operation::{Held, HeldKind, Operation, OperationId, PathRecord};
use instep_core::path::TreePath;
use instep_core::plan::ChangeKind;
use instep_engine::cycle::outcome::Done;
use instep_engine::history::{log, restore};
use serde_json::json;

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::moment;
use crate::opening::Opened;
use crate::render::audit;
use crate::render::log::{self as render, FileVersion, Logged};
use crate::render::outcome::quoted;
use crate::render::path_object;

/// Options of `log`.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// Show this file's versions.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Show one operation in full.
    #[arg(long, value_name = "OPERATION")]
    pub op: Option<String>,
    /// Only what this machine did.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Only what happened since then: `2 days ago`, `2026-02-04`, `18:00`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many: 50 if none is said, 10 with --follow, all with --audit.
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
    /// Show the last ones, and new ones as they come, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["op", "since"])]
    pub follow: bool,
    /// For records: a line of JSON a change, oldest first, with who, when, and what was before and after.
    #[arg(long)]
    pub audit: bool,
}

/// How many operations are listed.
const SHOWN: usize = 50;

/// Among more operations than this, ids are not shortened to the fewest digits.
const COMPARED_MAX: usize = 2_000;

/// Shows operations, one operation, or the versions of a file.
pub fn run(context: &Context, arguments: &LogArguments) -> Result<Exit, CommandError> {
    if arguments.follow {
        return follow::run(context, arguments);
    }
    let opened = context.open_to_read()?;
    let state = &opened.workspace.state;
    // A log is read with the words of today.
    let units = Units::new(&opened.loaded.settings.config().units).unwrap_or_default();
    let words = Words { units, remotes: opened.names() };
    if let Some(typed) = &arguments.op {
        let operation = log::find(state, typed)?;
        if arguments.audit {
            tell_changes(context, &words, &[operation]);
            return Ok(Exit::Done);
        }
        tell_one(context, &logged(&operation, &words, &operation.id.to_string()[..8]));
        return Ok(Exit::Done);
    }
    let path = arguments.path.as_deref().map(|typed| opened.tree_path(context, typed)).transpose()?;
    if let Some(path) = path.as_ref().filter(|_| !arguments.audit)
        && tell_versions(context, &opened, path)?
    {
        return Ok(Exit::Done);
    }
    let since =
        arguments.since.as_deref().map(|typed| moment::parse(&context.terminal.look, typed)).transpose()?;
    let limit = arguments.limit.or((!arguments.audit).then_some(SHOWN));
    let wanted = log::Wanted { path: path.as_ref(), machine: arguments.machine.as_deref(), since, limit };
    let mut operations = log::find_all(state, wanted)?;
    let ids = state.operation_ids(COMPARED_MAX + 1)?;
    let ids: Vec<OperationId> = ids.iter().filter_map(|id| OperationId::parse(id)).collect();
    if arguments.audit {
        operations.reverse();
        tell_changes(context, &words, &operations);
        return Ok(Exit::Done);
    }
    let list: Vec<Logged> =
        operations.iter().map(|operation| logged(operation, &words, &short(operation.id, &ids))).collect();
    tell(context, &list);
    Ok(Exit::Done)
}

/// Prints a line a change.
fn tell_changes(context: &Context, words: &Words, operations: &[Operation]) {
    for operation in operations {
        let one = logged(operation, words, &operation.id.to_string()[..8]);
        audit::lines(operation, &one).iter().for_each(|line| context.terminal.object(line));
    }
}

/// As few digits as tell it from the others; for a long log not worth the search.
fn short(id: OperationId, all: &[OperationId]) -> String {
    let all = if all.len() > COMPARED_MAX { &[][..] } else { all };
    let digits = id.short(all.iter().copied());
    if all.is_empty() { id.to_string()[..8].to_owned() } else { digits }
}

fn tell(context: &Context, list: &[Logged]) {
    let terminal = &context.terminal;
    if terminal.json {
        let list: Vec<_> = list.iter().map(render::to_json).collect();
        terminal.object(&json!({"schema": 1, "command": "log", "operations": list}));
    } else {
        terminal.page(&render::list(&terminal.look, list));
    }
}

fn tell_one(context: &Context, logged: &Logged) {
    let terminal = &context.terminal;
    if terminal.json {
        terminal.object(&json!({"schema": 1, "command": "log", "operations": [render::to_json(logged)]}));
    } else {
        terminal.page(&render::one(&terminal.look, logged));
    }
}

/// Shows the versions of a file; answers false if the path is no file that the log knows.
fn tell_versions(context: &Context, opened: &Opened, path: &TreePath) -> Result<bool, CommandError> {
    let versions = restore::versions(&opened.workspace, path)?;
    let is_file = |held: &Held| held.kind != HeldKind::Folder;
    if !versions.iter().any(|version| version.held.as_ref().is_some_and(is_file)) {
        return Ok(false);
    }
    let ids: Vec<OperationId> = versions.iter().map(|version| version.operation).collect();
    let list: Vec<FileVersion> = versions
        .iter()
        .map(|version| FileVersion {
            operation: Some(short(version.operation, &ids)),
            time: version.time,
            size: version.held.map_or(0, |held| held.size),
            hash: version.held.and_then(|held| held.content).map(|id| id.to_string()).unwrap_or_default(),
            note: if version.held.is_none() { "deleted".to_owned() } else { String::new() },
        })
        .collect();
    let terminal = &context.terminal;
    if terminal.json {
        let list: Vec<_> = list.iter().map(render::version_json).collect();
        terminal.object(&path_object(path, json!({"schema": 1, "command": "log", "versions": list})));
    } else {
        terminal.page(&render::versions(&terminal.look, &path.to_string(), &list));
        terminal.hint(Some(format!("`instep restore {} --at OPERATION` brings one back.", quoted(path))));
    }
    Ok(true)
}

/// What people call things here.
#[derive(Default)]
struct Words {
    units: Units,
    /// The names of the remotes by address, where there are several.
    remotes: BTreeMap<String, String>,
}

/// An operation as people read it.
fn logged(operation: &Operation, words: &Words, id: &str) -> Logged {
    let counts = &operation.counts;
    let mut note: Vec<String> = Vec::new();
    note.extend(operation.undoes.map(|undone| format!("of {}", &undone.to_string()[..8])));
    let remote = operation.address.as_ref().and_then(|address| words.remotes.get(address));
    note.extend(remote.map(|name| format!("with {name}")));
    note.extend(operation.message.clone());
    note.extend(operation.person.clone());
    let changes: Vec<Done> = operation.paths.iter().flat_map(changes).collect();
    let is_move = |done: &Done| done.kind == ChangeKind::Move && done.from.as_ref() != Some(&done.path);
    let moved = |side: Side| changes.iter().filter(|done| done.side == side && is_move(done)).count() as u64;
    Logged {
        id: id.to_owned(),
        time: operation.time,
        machine: operation.machine.clone(),
        verb: operation.kind.word().to_owned(),
        sent: counts.sent + counts.deleted_there + moved(Side::Remote),
        received: counts.received + counts.deleted_here + moved(Side::Local),
        merged: counts.merged,
        conflicts: counts.conflicts,
        note: note.join(", "),
        address: operation.address.clone(),
        units: words.units.count(changes.iter().map(|done| (&done.path, done.folder))),
        changes,
    }
}

/// What happened to one path, on each side.
fn changes(record: &PathRecord) -> Vec<Done> {
    let sides = record.sides();
    let mut changes = Vec::new();
    for side in Side::BOTH {
        let Some(change) = sides[side] else { continue };
        let same = change.before.and_then(|held| held.content) == change.after.and_then(|held| held.content);
        let kind = audit::change_kind(change);
        let held = change.after.or(change.before);
        changes.push(Done {
            side,
            kind,
            path: record.path.clone(),
            from: change.moved_from.clone(),
            folder: held.is_some_and(|held| held.kind == HeldKind::Folder),
            size: held.filter(|held| held.kind != HeldKind::Folder).map(|held| held.size),
            modified: None,
            merged: None,
            kept: side == Side::Local && change.before.is_some_and(|held| held.content.is_some()) && !same,
        });
    }
    changes
}
