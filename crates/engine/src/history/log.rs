//! The log: what was done here, newest first.

use std::collections::BTreeSet;

use instep_core::clock::Timestamp;
use instep_core::operation::{ID_DIGITS_MIN, Operation, OperationId, OperationKind};
use instep_core::path::TreePath;

use crate::failure::EngineError;
use crate::state::State;

/// Which operations are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Those that touch this path or something below it.
    pub path: Option<&'a TreePath>,
    /// Those of this machine.
    pub machine: Option<&'a str>,
    /// Those since then.
    pub since: Option<Timestamp>,
    /// At most so many, the newest; all if nothing is said.
    pub limit: Option<usize>,
}

/// The newest operations, newest first; those that touch a path or something below it, if one is given.
pub fn log(state: &State, path: Option<&TreePath>, limit: usize) -> Result<Vec<Operation>, EngineError> {
    find_all(state, Wanted { path, limit: Some(limit), ..Wanted::default() })
}

/// The operations that are wanted, newest first. What is not wanted is hardly read.
pub fn find_all(state: &State, wanted: Wanted<'_>) -> Result<Vec<Operation>, EngineError> {
    let Wanted { path, machine, since, limit } = wanted;
    let limit = limit.unwrap_or(usize::MAX);
    let mut operations = Vec::new();
    if limit == 0 {
        return Ok(operations);
    }
    state.each_operation(since, path.and_then(as_stored).as_deref(), |text| {
        let operation = parse(text)?;
        if machine.is_none_or(|name| *name == operation.machine)
            && path.is_none_or(|path| touches(&operation, path))
        {
            operations.push(operation);
        }
        Ok(operations.len() < limit)
    })?;
    Ok(operations)
}

/// How a path, or the beginning of one below it, stands in the stored form; none for one that is not stored as text.
fn as_stored(path: &TreePath) -> Option<String> {
    let text = std::str::from_utf8(path.as_bytes()).ok().filter(|text| !text.is_empty())?;
    let quoted = serde_json::to_string(text).ok()?;
    Some(quoted[1..quoted.len() - 1].to_owned())
}

/// Reads an operation as it is stored.
pub(super) fn parse(text: &str) -> Result<Operation, EngineError> {
    serde_json::from_str(text)
        .map_err(|error| EngineError::StateCorrupt(format!("an operation makes no sense: {error}")))
}

/// Answers whether an operation changed a path or something below it.
pub fn touches(operation: &Operation, path: &TreePath) -> bool {
    operation.paths.iter().any(|record| {
        let moved = record.sides();
        let from =
            [moved.local, moved.remote].into_iter().flatten().filter_map(|side| side.moved_from.as_ref());
        record.path.is_within(path) || from.into_iter().any(|from| from.is_within(path))
    })
}

/// Finds the one operation whose id starts with what was typed.
pub fn find(state: &State, typed: &str) -> Result<Operation, EngineError> {
    let none = || EngineError::NotFound(format!("there is no operation {typed}; `instep log` lists them"));
    let start = typed.to_ascii_lowercase();
    if start.len() < ID_DIGITS_MIN || !start.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(none());
    }
    match state.operations_named(&start)?.as_slice() {
        [] => Err(none()),
        [one] => parse(one),
        several => Err(EngineError::NotFound(format!(
            "{} operations begin with {typed}; type more of it",
            several.len()
        ))),
    }
}

/// The operation that an undo takes back next: the newest that is not taken back already.
pub fn next_to_undo(operations: &[Operation]) -> Option<&Operation> {
    let taken_back = taken_back(operations);
    operations.iter().find(|operation| {
        let own =
            matches!(operation.kind, OperationKind::Undo | OperationKind::Redo | OperationKind::Disconnect);
        !own && !taken_back.contains(&operation.id)
    })
}

/// The undo that a redo takes back next: the newest that is not taken back already.
pub fn next_to_redo(operations: &[Operation]) -> Option<&Operation> {
    let taken_back = taken_back(operations);
    operations
        .iter()
        .find(|operation| operation.kind == OperationKind::Undo && !taken_back.contains(&operation.id))
}

/// All operations that an undo or a redo took back, and that none brought forward again.
pub fn taken_back(operations: &[Operation]) -> BTreeSet<OperationId> {
    let mut taken_back = BTreeSet::new();
    // Newest first: an undo that was itself taken back takes nothing back.
    for operation in operations {
        if let Some(target) = operation.undoes
            && !taken_back.contains(&operation.id)
        {
            taken_back.insert(target);
        }
    }
    taken_back
}
