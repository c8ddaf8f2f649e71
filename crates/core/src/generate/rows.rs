//! What a store of state does between two cycles: takes a plan's rows, and fills in the keys of what was written.

use std::collections::BTreeMap;

use super::disk::{Disk, Id};
use crate::node::{Known, NodeId, PerSide, Row, Side};
use crate::plan::Plan;

/// Records a plan that was carried out on both disks.
pub(crate) fn record(
    known: &Known,
    plan: &Plan,
    disks: PerSide<&Disk>,
    things: PerSide<&BTreeMap<NodeId, Id>>,
) -> Known {
    let mut rows: BTreeMap<NodeId, Row> = known.rows().iter().map(|row| (row.id, row.clone())).collect();
    for id in &plan.forgotten {
        rows.remove(id);
    }
    for row in &plan.rows {
        let mut row = row.clone();
        for side in Side::BOTH {
            let written = |node| {
                plan.changes[side].iter().any(|change| {
                    let before = change.before.as_ref().map(|value| &value.body);
                    let after = change.after.as_ref().map(|value| &value.body);
                    change.node == node && after.is_some() && before != after
                })
            };
            if row.keys[side].is_none() && written(row.id) {
                row.keys[side] = things[side].get(&row.id).and_then(|&id| disks[side].key(id));
            }
        }
        rows.insert(row.id, row);
    }
    Known::new(rows.into_values().collect(), plan.next)
}
