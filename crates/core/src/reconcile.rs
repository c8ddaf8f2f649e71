//! Three trees become a plan. See `docs/design/engine.md`.

use crate::node::{Known, PerSide};
use crate::plan::{MergeAnswer, MergeInput, Plan};
use crate::policy::Policy;
use crate::tree::Tree;

/// Decides what must happen so that both sides hold the same, from what is known and what each side holds now.
///
/// `merged` answers merges of contents; what it answers `Unknown` is listed in [`Plan::merges`].
pub fn reconcile(
    known: &Known,
    trees: PerSide<&Tree>,
    policy: &Policy,
    merged: &dyn Fn(&MergeInput) -> MergeAnswer,
) -> Plan {
    let _ = (known, trees, policy, merged);
    Plan::default()
}
