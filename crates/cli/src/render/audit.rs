//! The audit export: a line a change, with who, when, where, and what a path held before and after.

use instep_core::node::Side;
use instep_core::operation::{Held, HeldKind, Operation, PathRecord, SideRecord};
use serde_json::{Value, json};

use super::log::{Logged, word};
use super::{joined, path_object, rfc3339};
use crate::render::outcome::{action, side_word};

/// The lines of one operation, in order of path; one line without a path for an operation that changed none.
pub fn lines(operation: &Operation, logged: &Logged) -> Vec<Value> {
    let whole = json!({
        "schema": 1,
        "type": "change",
        "id": operation.id.to_string(),
        "timestamp": rfc3339(operation.time),
        "operation": word(logged),
        "verb": logged.verb,
        "machine": operation.machine,
        "person": operation.person,
        "message": operation.message,
        "undoes": operation.undoes.map(|undone| undone.to_string()),
    });
    let mut lines = Vec::new();
    for record in &operation.paths {
        let sides = record.sides();
        let changed = Side::BOTH.into_iter().filter_map(|side| Some((side, sides[side]?)));
        lines.extend(changed.map(|(side, change)| joined(&whole, of_path(record, side, change))));
    }
    if lines.is_empty() { vec![whole] } else { lines }
}

fn of_path(record: &PathRecord, side: Side, change: &SideRecord) -> Value {
    path_object(
        &record.path,
        json!({
            "side": side_word(side),
            "action": action(change_kind(change)),
            "from": change.moved_from.as_ref().map(ToString::to_string),
            "before": change.before.as_ref().map(held),
            "after": change.after.as_ref().map(held),
        }),
    )
}

/// What kind of change one side of a record is.
pub fn change_kind(change: &SideRecord) -> instep_core::plan::ChangeKind {
    use instep_core::plan::ChangeKind;
    let same = change.before.and_then(|held| held.content) == change.after.and_then(|held| held.content);
    match (change.before, change.after, change.moved_from.is_some()) {
        (None, ..) => ChangeKind::Create,
        (_, None, _) => ChangeKind::Remove,
        (_, _, true) if same => ChangeKind::Move,
        (_, _, true) => ChangeKind::MoveAndWrite,
        _ => ChangeKind::Write,
    }
}

fn held(held: &Held) -> Value {
    let kind = match held.kind {
        HeldKind::Folder => "folder",
        HeldKind::File => "file",
        HeldKind::Link => "link",
    };
    json!({
        "kind": kind,
        "hash": held.content.map(|content| format!("blake3:{content}")),
        "size": held.size,
        "executable": held.exec,
    })
}
