//! What a person, or the daemon, asks of a cycle.

use instep_core::operation::OperationKind;
use instep_core::path::TreePath;
use instep_core::policy::{Direction, Strategy};

use super::plan_file::PlanFile;

/// One request for a cycle.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which sides may change.
    pub direction: Direction,
    /// With `Pull` or `Push`: make that side equal to the other.
    pub mirror: bool,
    /// A strategy for this cycle alone.
    pub strategy: Option<Strategy>,
    /// Only what lies at or below these; empty for everything.
    pub paths: Vec<TreePath>,
    /// A person allowed the deletions that a guard stopped.
    pub allow_delete: bool,
    /// A person allowed a remote that was put back or made anew: first contact with it.
    pub allow_rewind: bool,
    /// Look even where nothing changed, and list what is kept away from here.
    pub thorough: bool,
    /// Decide, change nothing.
    pub dry_run: bool,
    /// The message for people, at the remote and in the log.
    pub message: Option<String>,
    /// Do exactly this, or refuse.
    pub expected: Option<PlanFile>,
    /// A person started it, not a timer: what an undo holds is released.
    pub explicit: bool,
    /// What it is for the log, if not just what its direction says: `init`, `clone`.
    pub kind: Option<OperationKind>,
}
