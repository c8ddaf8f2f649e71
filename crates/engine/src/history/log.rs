//! The log: what was done here, newest first.

use std::collections::BTreeSet;

use instep_core::operation::{Operation, OperationId, OperationKind};
use instep_core::path::TreePath;

use crate::failure::EngineError;
use crate::state::State;

/// How many operations are looked at, at most.
const OPERATIONS_MAX: usize = 1_000_000;

/// The newest operations, newest first; those that touch a path or something below it, if one is given.
pub fn log(state: &State, path: Option<&TreePath>, limit: usize) -> Result<Vec<Operation>, EngineError> {
    let read = if path.is_some() { OPERATIONS_MAX } else { limit };
    let mut operations = Vec::new();
    for text in state.operations(read)? {
        let operation = parse(&text)?;
        if path.is_none_or(|path| touches(&operation, path)) {
            operations.push(operation);
        }
        if operations.len() == limit {
            break;
        }
    }
    Ok(operations)
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
    let mut found: Vec<Operation> = log(state, None, OPERATIONS_MAX)?
        .into_iter()
        .filter(|operation| operation.id.starts_with(typed))
        .collect();
    match (found.pop(), found.len()) {
        (Some(operation), 0) => Ok(operation),
        (None, _) => {
            Err(EngineError::NotFound(format!("there is no operation {typed}; `instep log` lists them")))
        }
        (Some(_), more) => {
            Err(EngineError::NotFound(format!("{} operations begin with {typed}; type more of it", more + 1)))
        }
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
