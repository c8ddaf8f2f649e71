//! A plan for some paths only: what lies at or below them, and the folders on the way there.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::node::{Known, NodeId};
use instep_core::path::TreePath;
use instep_core::plan::{Change, Plan};

use super::outcome::Held;

/// Leaves out of a plan what the paths do not name. Rows of nodes whose change is left out keep what they had.
pub fn select(plan: Plan, paths: &[TreePath], known: &Known) -> Plan {
    if paths.is_empty() { plan } else { retain(plan, |change| is_named(change, paths), known) }
}

/// Leaves out of a plan what would change just these paths at the remote.
pub fn hold_back(plan: Plan, paths: &BTreeSet<TreePath>, known: &Known) -> Plan {
    if paths.is_empty() {
        return plan;
    }
    let held: BTreeSet<NodeId> = plan
        .changes
        .remote
        .iter()
        .filter(|change| [&change.from, &change.to].into_iter().flatten().any(|path| paths.contains(path)))
        .map(|change| change.node)
        .collect();
    retain(plan, |change| !held.contains(&change.node), known)
}

/// Leaves out of a plan what would change these nodes.
pub fn leave(plan: Plan, nodes: &BTreeMap<NodeId, Held>, known: &Known) -> Plan {
    if nodes.is_empty() { plan } else { retain(plan, |change| !nodes.contains_key(&change.node), known) }
}

/// Keeps the changes that are wanted, and the folders that must be made for them.
fn retain(mut plan: Plan, is_wanted: impl Fn(&Change) -> bool, known: &Known) -> Plan {
    let changes = || plan.changes.local.iter().chain(&plan.changes.remote);
    let parent = |change: &Change| change.after.as_ref().map(|after| after.parent);
    let made: BTreeMap<NodeId, Option<NodeId>> = changes()
        .filter(|change| change.before.is_none())
        .map(|change| (change.node, parent(change)))
        .collect();
    let mut kept = BTreeSet::new();
    for change in changes().filter(|change| is_wanted(change)) {
        kept.insert(change.node);
        // The folders that must be made on the way to where it comes to stand, be it new or moved.
        let mut at = parent(change);
        while let Some((folder, above)) = at.and_then(|folder| Some((folder, made.get(&folder)?))) {
            kept.insert(folder);
            at = *above;
        }
    }
    let changed: BTreeSet<NodeId> =
        plan.changes.local.iter().chain(&plan.changes.remote).map(|change| change.node).collect();
    let goes_on = |node: &NodeId| kept.contains(node) || !changed.contains(node);
    plan.changes.local.retain(|change| kept.contains(&change.node));
    plan.changes.remote.retain(|change| kept.contains(&change.node));
    plan.forgotten.retain(goes_on);
    keep_rows_with_parents(&mut plan, goes_on, known);
    plan
}

fn is_named(change: &Change, paths: &[TreePath]) -> bool {
    let within = |path: &Option<TreePath>| {
        path.as_ref().is_none_or(|path| paths.iter().any(|named| path.is_within(named)))
    };
    within(&change.from) && within(&change.to)
}

/// Keeps the rows of what goes on, unless their folder would not be known.
fn keep_rows_with_parents(plan: &mut Plan, goes_on: impl Fn(&NodeId) -> bool, known: &Known) {
    loop {
        let ids: BTreeSet<NodeId> = plan.rows.iter().map(|row| row.id).filter(&goes_on).collect();
        let before = plan.rows.len();
        plan.rows.retain(|row| {
            let parent = row.views.base().map(|value| value.parent);
            ids.contains(&row.id)
                && parent.is_none_or(|parent| {
                    parent == NodeId::ROOT || ids.contains(&parent) || known.row(parent).is_some()
                })
        });
        if plan.rows.len() == before {
            return;
        }
    }
}
