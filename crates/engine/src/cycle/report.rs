//! What a cycle did or would do, said as values.

use std::collections::BTreeSet;

use instep_core::clock::Timestamp;
use instep_core::conflict::Conflict;
use instep_core::node::{Body, Known, PerSide, Side};
use instep_core::path::{TreePath, escape};
use instep_core::plan::{Change, ChangeKind, Plan};
use instep_core::remote::Revision;
use instep_core::tree::{Entry, Tree, Unknown};

use super::deliver::Sent;
use super::outcome::{Done, Held, Outcome};
use super::plan_file::{PlanFile, PlannedChange};
use super::settings::SyncSettings;
use super::think::Thought;
use super::{Cycle, Look};
use crate::apply::Applied;
use crate::conflict;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::state::RemoteRecord;

impl<F: Folder> Cycle<'_, F> {
    /// What there is to say when nothing is left to do.
    pub(super) fn quiet_outcome(
        &self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &Look,
    ) -> Result<Outcome, EngineError> {
        let files = look.scan.counts.files;
        let plan = self.request.dry_run.then(|| self.plan_file(settings, look, &Plan::default()));
        let conflicts = conflict::open(&self.workspace.state, record.id)?;
        let held = held_in(&look.scan.tree, Side::Local);
        let remote = match (conflicts.is_empty() && held.is_empty(), &look.known) {
            (true, _) => files,
            (false, Some(known)) => files_there(known),
            (false, None) => files_there(&self.workspace.state.known(record.id)?),
        };
        Ok(Outcome {
            seen: PerSide { local: files, remote },
            conflicts,
            held,
            checked: look.asked,
            plan,
            ..Outcome::default()
        })
    }

    /// What a cycle would do.
    pub(super) fn preview(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &Look,
        thought: Thought,
    ) -> Result<Outcome, EngineError> {
        self.note_seen(record, look.head.as_ref(), look)?;
        let mut outcome = self.report(look, &thought, None, &Applied::default());
        let next = self.workspace.state.next_conflict()?;
        let before = self.workspace.state.conflicts(record.id)?;
        let now = self.workspace.clock.now();
        let who = |conflict: &Conflict| self.who(&thought.policy, conflict);
        let recorded = conflict::update(before, &thought.plan.conflicts, |_| false, who, now, next);
        outcome.conflicts_new = recorded.new;
        outcome.conflicts = recorded.records.into_iter().map(conflict::read).collect::<Result<_, _>>()?;
        outcome.plan = Some(self.plan_file(settings, look, &thought.plan));
        outcome.notices.extend(self.said_of_markers(&Applied::default()));
        Ok(outcome)
    }

    /// What was done, apart from what failed.
    pub(super) fn report(
        &self,
        look: &Look,
        thought: &Thought,
        sent: Option<&Sent>,
        applied: &Applied,
    ) -> Outcome {
        let mut done: Vec<Done> = Vec::new();
        for side in Side::BOTH {
            for change in thought.plan.changes[side].iter().filter(|change| !self.marking.is_of(change.node))
            {
                if side == Side::Remote || !applied.failed.contains_key(&change.node) {
                    done.push(done_of(side, change, look, thought));
                }
            }
        }
        done.sort_by(|a, b| (&a.path, a.side).cmp(&(&b.path, b.side)));
        leave_unsaid(&mut done);
        let mut held = held_in(&look.scan.tree, Side::Local);
        held.extend(held_in(&thought.far.tree, Side::Remote));
        held.extend(self.waiting.iter().cloned());
        held.extend(applied.failed.values().cloned());
        held.sort_by(|a, b| a.path.cmp(&b.path));
        let stamp = thought.snapshot.as_ref().map(|snapshot| &snapshot.stamp);
        let received: u64 = thought.received_bytes;
        Outcome {
            seen: PerSide { local: look.scan.counts.files, remote: thought.far.tree.leaf_count() as u64 },
            done,
            held,
            waits: thought.plan.waits,
            notes: thought.plan.notes.clone(),
            bytes: PerSide { local: received, remote: sent.map_or(0, |sent| sent.bytes) },
            elsewhere: if self.request.thorough { elsewhere(&thought.far.tree) } else { Vec::new() },
            first_contact: thought.first_contact,
            other_machine: stamp.and_then(|stamp| Some(stamp.machine.as_ref()?.name.clone())),
            checked: look.asked,
            ..Outcome::default()
        }
    }

    /// The plan on paper.
    pub(super) fn plan_file(&self, settings: &SyncSettings, look: &Look, plan: &Plan) -> PlanFile {
        let (workspace, mirror) = (&self.workspace.machine.id, self.request.mirror);
        PlanFile::of(plan, workspace, look.head.as_ref(), settings, mirror)
    }

    /// Refuses to carry out anything but the plan that a person looked at.
    pub(super) fn hold_to_plan(
        &self,
        settings: &SyncSettings,
        look: &Look,
        thought: &Thought,
    ) -> Result<(), EngineError> {
        let Some(expected) = &self.request.expected else { return Ok(()) };
        let found = self.plan_file(settings, look, &thought.plan);
        let difference = if expected.workspace != found.workspace {
            "it was made for another workspace"
        } else if expected.remote_head != found.remote_head {
            "the remote changed since it was made"
        } else if expected.rules != found.rules {
            "the rules changed since it was made"
        } else if *expected != found {
            "what is here changed since it was made"
        } else {
            return Ok(());
        };
        Err(EngineError::PlanStale(difference.to_owned()))
    }
}

/// How many files the remote holds, as it was last seen.
fn files_there(known: &Known) -> u64 {
    let theirs = known.rows().iter().filter_map(|row| row.views.side(Side::Remote));
    theirs.filter(|value| matches!(value.body, Body::Leaf(_))).count() as u64
}

/// A folder in whose place another one comes is not gone, and what it hands over stays where it is.
fn leave_unsaid(done: &mut Vec<Done>) {
    let is_removal = |done: &Done| done.kind == ChangeKind::Remove;
    let folders = done.iter().filter(|done| done.folder && !is_removal(done));
    let taken: BTreeSet<(TreePath, Side)> = folders.map(|done| (done.path.clone(), done.side)).collect();
    done.retain(|done| {
        let stands = done.folder && is_removal(done) && taken.contains(&(done.path.clone(), done.side));
        !stands && (done.kind != ChangeKind::Move || done.from.as_ref() != Some(&done.path))
    });
}

fn done_of(side: Side, change: &Change, look: &Look, thought: &Thought) -> Done {
    let content = change.after.as_ref().and_then(|after| after.body.content());
    let merged = content.and_then(|content| thought.merged.get(&content).cloned());
    let modified = match side {
        Side::Local => {
            thought.plan.places.remote.of(change.node).map(|place| thought.far.tree.at(place).modified)
        }
        Side::Remote => {
            thought.plan.places.local.of(change.node).map(|place| look.scan.tree.at(place).modified)
        }
    };
    Done::of(side, change, modified.flatten(), merged)
}

impl Done {
    /// One change of one side, as people hear of it.
    pub(super) fn of(
        side: Side,
        change: &Change,
        modified: Option<Timestamp>,
        merged: Option<String>,
    ) -> Self {
        let value = change.after.as_ref().or(change.before.as_ref());
        let leaf = value.and_then(|value| match value.body {
            Body::Leaf(leaf) => Some(leaf),
            Body::Folder => None,
        });
        let kind = change.kind();
        let moves = matches!(kind, ChangeKind::Move | ChangeKind::MoveAndWrite);
        let displaces = matches!(kind, ChangeKind::Write | ChangeKind::MoveAndWrite | ChangeKind::Remove);
        Done {
            side,
            kind,
            path: change.path().clone(),
            from: change.from.clone().filter(|_| moves),
            folder: leaf.is_none(),
            size: leaf
                .map(|leaf| leaf.size)
                .filter(|_| !matches!(kind, ChangeKind::Move | ChangeKind::Remove)),
            modified,
            merged,
            kept: side == Side::Local && leaf.is_some() && displaces,
        }
    }
}

/// What this machine's own rules keep away from here, each with its rule.
fn elsewhere(far: &Tree) -> Vec<(TreePath, String)> {
    let kept_away = far.places().filter_map(|place| match &far.at(place).entry {
        Entry::Unknown(Unknown::ExcludedHere(rule)) => Some((far.path(place), rule.clone())),
        _ => None,
    });
    let mut list: Vec<(TreePath, String)> = kept_away.collect();
    list.sort();
    list
}

/// The paths of a tree that wait, each with its reason. What rules leave out does not wait.
pub(crate) fn held_in(tree: &Tree, side: Side) -> Vec<Held> {
    let mut held = Vec::new();
    for place in tree.places() {
        let Entry::Unknown(unknown) = &tree.at(place).entry else { continue };
        let (code, why) = match unknown {
            Unknown::Excluded(_) | Unknown::ExcludedHere(_) | Unknown::Reserved => continue,
            Unknown::Special | Unknown::Foreign(_) => continue,
            Unknown::Unreadable(why) => ("E-IO-PERM", format!("it can't be read: {why}")),
            Unknown::Changing => ("E-RACE", "it is being written now".to_owned()),
            Unknown::LinkOutside => (
                "E-LINK-OUTSIDE",
                "the link leads out of the workspace, or means another place elsewhere".to_owned(),
            ),
            Unknown::Unfit { code, why } => (*code, why.clone()),
        };
        held.push(Held { path: tree.path(place), side, code, why });
    }
    held
}

impl PlanFile {
    /// A plan, bound to what it was made from.
    pub(super) fn of(
        plan: &Plan,
        workspace: &str,
        head: Option<&Revision>,
        settings: &SyncSettings,
        mirror: bool,
    ) -> Self {
        let mut changes: Vec<PlannedChange> = Side::BOTH
            .into_iter()
            .flat_map(|side| plan.changes[side].iter().map(move |change| planned(side, change)))
            .collect();
        changes.sort();
        PlanFile {
            schema: 1,
            workspace: workspace.to_owned(),
            remote_head: head.map(|head| head.0.clone()),
            rules: settings.filter.rules_hash().to_string(),
            direction: format!("{:?}", settings.way()).to_lowercase(),
            mirror,
            changes,
            conflicts: plan.conflicts.iter().map(|conflict| conflict.id.to_string()).collect(),
        }
    }
}

fn planned(side: Side, change: &Change) -> PlannedChange {
    let path = change.path().as_bytes();
    let utf8 = std::str::from_utf8(path).is_ok();
    let word = |value: &instep_core::node::Value| match value.body {
        Body::Folder => "folder".to_owned(),
        Body::Leaf(leaf) => {
            let kind = crate::history::kind_word(leaf.kind, false);
            format!("{kind}:{}{}", leaf.content, if leaf.exec { "+x" } else { "" })
        }
    };
    let kind = change.kind();
    let action = match kind {
        ChangeKind::Create => "create",
        ChangeKind::Remove => "remove",
        ChangeKind::Move => "move",
        ChangeKind::Write => "write",
        ChangeKind::MoveAndWrite => "move-and-write",
    };
    let moved = matches!(kind, ChangeKind::Move | ChangeKind::MoveAndWrite);
    PlannedChange {
        side: if side == Side::Local { "here" } else { "there" }.to_owned(),
        action: action.to_owned(),
        path: escape(path),
        path_base64: (!utf8).then(|| instep_core::operation::base64(path)),
        from: change.from.as_ref().filter(|_| moved).map(|from| escape(from.as_bytes())),
        seen: change.before.as_ref().map(word),
        becomes: change.after.as_ref().map(word),
        size: change.after.as_ref().and_then(|after| match after.body {
            Body::Leaf(leaf) if !moved || kind == ChangeKind::MoveAndWrite => Some(leaf.size),
            _ => None,
        }),
    }
}
