//! A part of a plan: what some paths name, or all but what must wait. What is left is a plan again: no name is taken
//! twice, no folder goes with something in it, and nothing comes to stand where nothing is.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::mutant;
use instep_core::node::{Body, Known, NodeId, Value};
use instep_core::path::{Name, TreePath};
use instep_core::plan::{Change, Plan};

use super::outcome::Held;

/// Leaves out of a plan what the paths do not name, but for what makes way for it, and the folders that it comes to stand
/// in. Rows of nodes whose change is left out keep what they had.
pub fn select(plan: Plan, paths: &[TreePath], known: &Known) -> Plan {
    if paths.is_empty() {
        return plan;
    }
    let needs = Needs::of(&plan);
    let kept = closure(nodes(&plan, |change| is_named(change, paths)), |node| needs.of_node(node));
    retain(plan, |node| kept.contains(node), known)
}

/// Leaves out of a plan what would change just these paths at the remote, and what can't be done without that.
pub fn hold_back(plan: Plan, paths: &BTreeSet<TreePath>, known: &Known) -> Plan {
    if paths.is_empty() {
        return plan;
    }
    let touches =
        |change: &Change| [&change.from, &change.to].into_iter().flatten().any(|path| paths.contains(path));
    let held =
        plan.changes.remote.iter().filter(|change| touches(change)).map(|change| change.node).collect();
    leave_out(plan, held, known)
}

/// Leaves out of a plan what would change these nodes, and what can't be done without that.
pub fn leave(plan: Plan, nodes: &BTreeMap<NodeId, Held>, known: &Known) -> Plan {
    if nodes.is_empty() { plan } else { leave_out(plan, nodes.keys().copied().collect(), known) }
}

fn leave_out(plan: Plan, held: BTreeSet<NodeId>, known: &Known) -> Plan {
    let needs = Needs::of(&plan);
    let held = closure(held, |node| needs.on_node(node));
    retain(plan, |node| !held.contains(node), known)
}

/// Which changes can't be done without which others, by their nodes.
#[derive(Default)]
struct Needs {
    needed: BTreeMap<NodeId, BTreeSet<NodeId>>,
    needing: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Needs {
    fn of(plan: &Plan) -> Self {
        let mut needs = Needs::default();
        if !mutant::is_on("parts-need-nothing") {
            needs.add(&plan.changes.local);
            needs.add(&plan.changes.remote);
        }
        needs
    }

    /// Adds those of one side.
    fn add(&mut self, changes: &[Change]) {
        let made = changes.iter().filter(|change| change.before.is_none());
        let made: BTreeSet<NodeId> = made.map(|change| change.node).collect();
        let leaving: Vec<&Change> =
            changes.iter().filter(|change| spot(change).0 != spot(change).1).collect();
        let mut holders: BTreeMap<Spot<'_>, NodeId> = BTreeMap::new();
        let mut inside: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for change in &leaving {
            let Some(held) = spot(change).0 else { continue };
            holders.insert(held, change.node);
            inside.entry(held.0).or_default().push(change.node);
        }
        let is_folder = |change: &&&Change| {
            let body = change.after.as_ref().map(|after| after.body);
            body == Some(Body::Folder) && change.before.is_some()
        };
        let moving: Vec<&&Change> = leaving.iter().filter(is_folder).collect();
        for change in &leaving {
            let Some(taken) = spot(change).1 else {
                // What it held goes, or goes elsewhere, before it.
                let held = inside.get(&change.node).into_iter().flatten();
                held.for_each(|held| self.insert(change.node, *held));
                continue;
            };
            if made.contains(&taken.0) {
                self.insert(change.node, taken.0);
            }
            if let Some(holder) = holders.get(&taken) {
                self.insert(change.node, *holder);
            }
        }
        for change in &moving {
            // A folder that comes to stand in what it holds now: that leaves it first.
            for other in &moving {
                if is_below(&change.to, &other.to) && is_below(&other.from, &change.from) {
                    self.insert(change.node, other.node);
                }
            }
        }
    }

    fn insert(&mut self, node: NodeId, needed: NodeId) {
        self.needed.entry(node).or_default().insert(needed);
        self.needing.entry(needed).or_default().insert(node);
    }

    /// What a node's change can't be done without.
    fn of_node(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.needed.get(&node).into_iter().flatten().copied()
    }

    /// What can't be done without a node's change.
    fn on_node(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.needing.get(&node).into_iter().flatten().copied()
    }
}

/// A name in a folder.
type Spot<'c> = (NodeId, &'c Name);

/// Where a change's node stands, and where it comes to stand.
fn spot(change: &Change) -> (Option<Spot<'_>>, Option<Spot<'_>>) {
    fn at(value: &Option<Value>) -> Option<Spot<'_>> {
        value.as_ref().map(|value| (value.parent, &value.name))
    }
    (at(&change.before), at(&change.after))
}

fn is_below(path: &Option<TreePath>, above: &Option<TreePath>) -> bool {
    matches!((path, above), (Some(path), Some(above)) if path != above && path.is_within(above))
}

/// The nodes of the changes for which something is true.
fn nodes(plan: &Plan, is: impl Fn(&Change) -> bool) -> BTreeSet<NodeId> {
    let changes = plan.changes.local.iter().chain(&plan.changes.remote);
    changes.filter(|change| is(change)).map(|change| change.node).collect()
}

/// All that can be come to from some nodes.
fn closure<I: Iterator<Item = NodeId>>(
    mut all: BTreeSet<NodeId>,
    next: impl Fn(NodeId) -> I,
) -> BTreeSet<NodeId> {
    let mut pending: Vec<NodeId> = all.iter().copied().collect();
    while let Some(node) = pending.pop() {
        pending.extend(next(node).filter(|next| all.insert(*next)));
    }
    all
}

/// Keeps the changes of some nodes.
fn retain(mut plan: Plan, is_kept: impl Fn(&NodeId) -> bool, known: &Known) -> Plan {
    let changed = nodes(&plan, |_| true);
    let goes_on = |node: &NodeId| is_kept(node) || !changed.contains(node);
    plan.changes.local.retain(|change| is_kept(&change.node));
    plan.changes.remote.retain(|change| is_kept(&change.node));
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

#[cfg(test)]
mod tests {
    use super::*;
    use instep_core::content::ContentId;
    use instep_core::tree::{Leaf, LeafKind};

    const FILE: Body = Body::Leaf(Leaf {
        kind: LeafKind::File,
        exec: false,
        size: 0,
        content: ContentId::from_bytes([0; 32]),
    });

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    /// A change of node `id`: where it stands and where it comes to stand, each with its folder's node; "" is nowhere.
    fn change(id: u64, body: Body, from: (u64, &str), to: (u64, &str)) -> Change {
        let place = |(_, text): (u64, &str)| (!text.is_empty()).then(|| path(text));
        let value = |at: (u64, &str)| {
            let name = place(at)?.name()?.clone();
            Some(Value { parent: NodeId(at.0), name, body })
        };
        Change { node: NodeId(id), before: value(from), after: value(to), from: place(from), to: place(to) }
    }

    fn plan(remote: Vec<Change>) -> Plan {
        let mut plan = Plan::default();
        plan.changes.remote = remote;
        plan
    }

    fn left(plan: &Plan) -> Vec<u64> {
        plan.changes.remote.iter().map(|change| change.node.0).collect()
    }

    struct Case {
        name: &'static str,
        changes: Vec<Change>,
        /// The paths that are named, and what goes.
        asked: &'static str,
        goes: &'static [u64],
        /// The path that is held, and what is left.
        held: &'static str,
        stays: &'static [u64],
    }

    #[test]
    fn what_a_part_of_a_plan_needs_goes_with_it_or_waits_with_it() {
        let root = NodeId::ROOT.0;
        let nowhere = (root, "");
        let cases = [
            Case {
                name: "a folder takes a file's name",
                changes: vec![
                    change(1, FILE, (root, "b"), nowhere),
                    change(2, Body::Folder, nowhere, (root, "b")),
                    change(3, FILE, nowhere, (2, "b/a")),
                    change(4, FILE, nowhere, (root, "other")),
                ],
                asked: "b/a",
                goes: &[1, 2, 3],
                held: "b",
                stays: &[4],
            },
            Case {
                name: "a file takes the name of a folder that moves",
                changes: vec![
                    change(1, Body::Folder, (root, "r"), (root, "s")),
                    change(2, FILE, nowhere, (root, "r")),
                    change(3, FILE, nowhere, (root, "other")),
                ],
                asked: "r",
                goes: &[1, 2],
                held: "s",
                stays: &[3],
            },
            Case {
                name: "a folder goes whose file moves out",
                changes: vec![
                    change(2, FILE, (1, "d/x"), (root, "x")),
                    change(1, Body::Folder, (root, "d"), nowhere),
                    change(3, FILE, nowhere, (root, "other")),
                ],
                asked: "d",
                goes: &[2, 1],
                held: "x",
                stays: &[3],
            },
            Case {
                name: "two folders change places, one in the other",
                changes: vec![
                    change(1, Body::Folder, (root, "a"), (2, "b/a")),
                    change(2, Body::Folder, (1, "a/b"), (root, "b")),
                    change(3, FILE, nowhere, (root, "other")),
                ],
                asked: "a b/a",
                goes: &[1, 2],
                held: "b",
                stays: &[3],
            },
        ];
        for Case { name, changes, asked, goes, held, stays } in cases {
            let known = Known::default();
            let asked_for: Vec<TreePath> = asked.split(' ').map(path).collect();
            let selected = select(plan(changes.clone()), &asked_for, &known);
            assert_eq!(left(&selected), goes, "{name}: only {asked}");
            let rest = hold_back(plan(changes), &BTreeSet::from([path(held)]), &known);
            assert_eq!(left(&rest), stays, "{name}: all but {held}");
        }
    }
}
