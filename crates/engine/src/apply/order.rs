//! A change as one or two steps, and their first order.

use instep_core::node::{Body, NodeId, Value};
use instep_core::path::Name;
use instep_core::plan::Change;

/// The kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// Makes a folder.
    CreateFolder,
    /// Puts a new file or link in place.
    CreateLeaf,
    /// Renames.
    Move,
    /// Exchanges a file or link with its new version.
    Write,
    /// Sets or takes the executable bit.
    SetExec,
    /// Takes a file or link away.
    RemoveLeaf,
    /// Removes an empty folder.
    RemoveFolder,
}

impl StepKind {
    /// Answers whether a person's content loses its name by it: such steps are journaled.
    pub fn displaces(self) -> bool {
        matches!(self, StepKind::Write | StepKind::RemoveLeaf)
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// What is done to it.
    pub kind: StepKind,
    /// Its place in the first order.
    pub turn: usize,
    /// The name in the staging folder through which it goes, for those that displace something.
    pub slot: Option<Name>,
}

/// The steps of all changes, in the order in which they are tried first: the plan's own, with creations after their
/// folders.
pub fn steps(changes: &[Change]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(changes.len());
    let mut creations: Vec<&Change> = Vec::new();
    for change in changes {
        match (&change.before, &change.after) {
            (None, _) => creations.push(change),
            (Some(before), None) => {
                let kind =
                    if before.body == Body::Folder { StepKind::RemoveFolder } else { StepKind::RemoveLeaf };
                push(&mut steps, change.node, kind);
            }
            (Some(before), Some(after)) => {
                if before.parent != after.parent || before.name != after.name {
                    push(&mut steps, change.node, StepKind::Move);
                }
                if is_written(before, after) {
                    push(&mut steps, change.node, StepKind::Write);
                } else if before.body != after.body {
                    push(&mut steps, change.node, StepKind::SetExec);
                }
            }
        }
    }
    creations.sort_by_key(|change| change.to.as_ref().map(|path| path.depth()));
    for change in creations {
        let folder = change.after.as_ref().is_some_and(|after| after.body == Body::Folder);
        push(&mut steps, change.node, if folder { StepKind::CreateFolder } else { StepKind::CreateLeaf });
    }
    steps
}

/// Answers whether a change writes. One that changes nothing is asked for to write the same anew.
pub fn is_written(before: &Value, after: &Value) -> bool {
    before.body.kind_and_content() != after.body.kind_and_content() || before == after
}

fn push(steps: &mut Vec<Step>, node: NodeId, kind: StepKind) {
    steps.push(Step { node, kind, turn: steps.len(), slot: None });
}
