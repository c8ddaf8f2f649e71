//! A person parts from remotes: what was agreed on with them is forgotten, and the log says so.

use instep_core::operation::{Counts, Operation, OperationId, OperationKind, Trigger};

use crate::failure::EngineError;
use crate::folder::Folder;
use crate::workspace::Workspace;

/// Forgets all remotes but those at these addresses. Where none is left, that stands in the log: no undo takes back at
/// another place, or after a new beginning, what was sent before.
pub fn disconnect<F: Folder>(workspace: &mut Workspace<F>, kept: &[String]) -> Result<(), EngineError> {
    let operation = Operation {
        id: OperationId(workspace.clock.random()),
        time: workspace.clock.now(),
        machine: workspace.machine.name.clone(),
        kind: OperationKind::Disconnect,
        trigger: Trigger::Person,
        person: workspace.person.clone(),
        message: None,
        counts: Counts::default(),
        remote: None,
        address: None,
        undoes: None,
        paths: Vec::new(),
    };
    let text = serde_json::to_string(&operation).expect("because an operation is plain data");
    workspace.state.transact(|write| {
        write.forget_remotes_but(kept)?;
        if !kept.is_empty() {
            return Ok(());
        }
        write.operation(&operation.id.to_string(), operation.time, &text)
    })
}
