//! What is true now is written down: one transaction, after all of it is durable.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::conflict::{Conflict, Version};
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{NodeId, Row, Side};
use instep_core::operation::{
    Counts, Operation, OperationId, OperationKind, PathRecord, RemoteStep, Trigger,
};
use instep_core::path::TreePath;
use instep_core::plan::ChangeKind;
use instep_core::policy::Direction;
use instep_core::remote::Revision;
use instep_core::renames::Renames;
use instep_core::tree::{Entry, Key, Unknown};

use super::deliver::Sent;
use super::merging::{place_of, stage_here};
use super::outcome::{Done, Held, Outcome};
use super::settings::SyncSettings;
use super::think::Thought;
use super::{Cycle, Look, PassEnd, Tools};
use crate::apply::Applied;
use crate::conflict::{self, marked};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::database;
use crate::history::act::side_record;
use crate::state::{Kept, RemoteRecord};

/// How many held paths are noted, to be explained later.
const HELD_MAX: usize = 1_000;

impl<F: Folder> Cycle<'_, F> {
    /// Keeps copies of the versions of new conflicts, so that nothing that happens to either side later can lose them.
    pub(super) fn keep_conflicts(
        &mut self,
        record: &RemoteRecord,
        thought: &Thought,
        look: &Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<(), PassEnd> {
        if mutant::is_on("conflict-keeps-nothing") {
            return Ok(());
        }
        // While a conflict goes on, it may come to name another version.
        let mut named = BTreeSet::new();
        for open in conflict::open(&self.workspace.state, record.id)? {
            let leaves = Side::BOTH.into_iter().filter_map(|side| open.conflict.version(side)?.leaf);
            named.extend(leaves.map(|leaf| (open.conflict.id.0, leaf.content)));
        }
        let mut kept = Vec::new();
        for conflict in &thought.plan.conflicts {
            for side in Side::BOTH {
                if let Some(version) = conflict.version(side)
                    && version.leaf.is_some_and(|leaf| !named.contains(&(conflict.id.0, leaf.content)))
                    && let Some(entry) = self.keep_version(side, version, thought, look, tools)?
                {
                    kept.push(entry);
                }
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        if !mutant::is_on("conflict-names-not-durable") {
            tools.contents.sync()?;
        }
        Ok(self.workspace.state.transact(|write| write.kept(&kept))?)
    }

    fn keep_version(
        &self,
        side: Side,
        version: &Version,
        thought: &Thought,
        look: &Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<Option<Kept>, PassEnd> {
        let Some(leaf) = version.leaf else { return Ok(None) };
        // A copy that is damaged is none, nor is one that a program may still have open.
        if !tools.contents.holds_own(leaf.content)? {
            let has_twin = tools.contents.has(leaf.content)?;
            let is_staged = has_twin && tools.staging.stage_kept(&tools.contents, leaf.content)?;
            if !is_staged && !self.stage_version(side, version, leaf.content, thought, look, tools)? {
                return Ok(None);
            }
            tools.staging.keep(leaf.content, &tools.contents)?;
        }
        Ok(Some(Kept {
            content: leaf.content,
            path: version.path.as_bytes().to_vec(),
            operation: self.operation.clone(),
            time: self.workspace.clock.now(),
            size: leaf.size,
            kind: crate::history::kind_word(leaf.kind, leaf.exec).to_owned(),
        }))
    }

    /// Stages a version from where its side has it; answers whether it is staged.
    fn stage_version(
        &self,
        side: Side,
        version: &Version,
        content: ContentId,
        thought: &Thought,
        look: &Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<bool, PassEnd> {
        // It may stand in a folder that is to move with this very plan: its content tells it, not its path.
        let place = Some(&look.scan.tree).filter(|_| side == Side::Local);
        let Some(place) = place.and_then(|tree| place_of(tree, content)) else {
            return Ok(tools.staging.has(content) || self.fetch_known(content, thought, tools)?);
        };
        // If it has a form of its own, it travels as something that was sent before.
        let is_formed = look.scan.forms.contains_key(&place);
        if stage_here(look, place, content, tools)?
            || is_formed && self.fetch_known(content, thought, tools)?
        {
            return Ok(true);
        }
        // It was edited since the scan: a conflict must not name a version that nobody has.
        Err(PassEnd::Changed(vec![version.path.clone()]))
    }

    /// Fetches a content that the remote has, or had; answers whether it is staged.
    fn fetch_known(
        &self,
        content: ContentId,
        thought: &Thought,
        tools: &mut Tools<'_, F>,
    ) -> Result<bool, EngineError> {
        let object = thought.objects.iter().find(|(_, (known, _))| *known == content);
        if let Some((object, _)) = object {
            self.fetch(&[*object], tools)?;
        }
        Ok(tools.staging.has(content))
    }

    /// Writes down what is true now, and says it.
    pub(super) fn record(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &Look,
        thought: &Thought,
        sent: Option<Sent>,
        applied: Applied,
    ) -> Result<Outcome, EngineError> {
        let head = sent.as_ref().map(|sent| &sent.revision).or(look.head.as_ref()).cloned();
        let rows = rows_that_hold(thought, &applied);
        let quiet = self.stamp_after(settings, look, thought, &applied, head.as_ref());
        let now = self.workspace.clock.now();
        let next = self.workspace.state.next_conflict()?;
        let before = self.workspace.state.conflicts(record.id)?;
        let changed: BTreeSet<NodeId> = thought.plan.changes.local.iter().map(|change| change.node).collect();
        let keeps = |conflict: &Conflict| {
            // A partial cycle says nothing of what it left out; a settled move waits for a person.
            !self.request.paths.is_empty() || (conflict.settled && !changed.contains(&conflict.node))
        };
        let who = |conflict: &Conflict| self.who(&thought.policy, conflict);
        let conflicts = conflict::update(before, &thought.plan.conflicts, keeps, who, now, next);
        let mut outcome = self.report(look, thought, sent.as_ref(), &applied);
        outcome.notices.extend(applied.notices.iter().cloned());
        outcome.notices.extend(self.said_of_markers(&applied));
        let marked = self.marked_after(record, look, thought, &applied, &conflicts.records)?;
        outcome.conflicts_new = conflicts.new;
        let settled_elsewhere = self.settled_elsewhere(&conflicts.records);
        outcome.notices.extend(settled_elsewhere.iter().cloned());
        let waiting = conflicts.records.len() as u64;
        let mut operation = self.operation_of(look, thought, sent.as_ref(), &applied, &outcome, waiting);
        if let Some(operation) = operation.as_mut().filter(|_| !settled_elsewhere.is_empty()) {
            operation.message.get_or_insert(settled_elsewhere.join("; "));
        }
        let in_use = self.in_use(&applied);
        let tree = &look.scan.tree;
        let is_seen = |held: &&Held| {
            tree.find(&held.path).is_some_and(|place| matches!(tree.at(place).entry, Entry::Unknown(_)))
        };
        let held: Vec<&Held> = outcome.held.iter().filter(|held| !is_seen(held)).take(HELD_MAX).collect();
        let (id, request, notes) = (record.id, self.request, self.restart_notes(record)?);
        let rewound = self.rewound;
        let forget = thought.first_contact || rewound;
        let unseen = unseen(thought);
        // What is known of a file that is out of sight tells rot from an edit when it comes into sight again.
        let key = |node: &NodeId| thought.known.row(*node).and_then(|row| row.keys.local);
        let hidden: BTreeSet<Key> =
            unseen.iter().filter_map(key).filter(|_| !mutant::is_on("hidden-is-gone")).collect();
        // Where all else was forgotten, nobody can say whose they are.
        let stale = if forget { look.scan.stale_if_whole() } else { &look.scan.stale };
        let stale: Vec<Key> = stale.iter().copied().filter(|key| !hidden.contains(key)).collect();
        let renames = head.as_ref().filter(|_| !thought.policy.renames.remote.all().is_empty());
        let all_done = applied.failed.is_empty() && self.waiting.is_empty();
        let all_heard = all_done && request.paths.is_empty() && self.held_back.is_empty();
        let none = Renames::default();
        let waiting = if all_heard { &none } else { &thought.policy.renames.remote };
        let is_released = self.held_back.is_empty();
        let is_settled = self.leaves_nothing_open(thought, &applied);
        let settled = head.as_ref().filter(|_| is_settled).map(|head| super::settled_at(settings, head));
        self.workspace.state.transact(|write| {
            if forget {
                write.forget_nodes(id)?;
            }
            if rewound && !mutant::is_on("rewound-is-forgotten") {
                // What nobody changed since is known from now on, too: a plan has rows for changes alone.
                write.nodes(id, thought.known.rows(), &[], thought.plan.next)?;
            }
            write.nodes(id, &[], &thought.given_up, 0)?;
            write.nodes(id, &rows.hold, &rows.forgotten, thought.plan.next)?;
            write.unseen(id, &unseen)?;
            write.digests(&look.scan.fresh)?;
            write.digests(&applied.fresh)?;
            write.forget_digests(&stale)?;
            write.forms(&look.scan.formed)?;
            write.kept(&applied.kept)?;
            write.conflicts(id, &conflicts.records, conflicts.next)?;
            marked::note(write, &marked)?;
            write.settle_offers(id, head.as_ref())?;
            write.taken_late(id, &BTreeSet::new())?;
            write.heard(id, None)?;
            if let Some(head) = renames {
                write.renames(id, head, waiting)?;
            }
            write.clear_journal()?;
            write.head(id, head.as_ref(), quiet)?;
            write.note(&super::settled_note(id), settled.as_deref().unwrap_or_default())?;
            write.times(id, look.asked, Some(now))?;
            write.invalid_there(id, thought.invalid_there.as_ref())?;
            write.occupied(id, &in_use)?;
            if request.paths.is_empty() {
                write.held(id, &held)?;
            }
            for (name, value) in &notes {
                write.note(name, value)?;
            }
            if request.paths.is_empty() && applied.failed.is_empty() {
                write.clear_choices(id)?;
            }
            if request.explicit && is_released {
                write.release(id)?;
            }
            match &operation {
                Some(operation) => {
                    let value = serde_json::to_string(operation).expect("because an operation is plain data");
                    write.operation(&self.operation, operation.time, &value)
                }
                None => Ok(()),
            }
        })?;
        let conflicts = conflict::open(&self.workspace.state, record.id)?;
        let operation = operation.is_some().then(|| self.operation.clone());
        Ok(Outcome { operation, conflicts, ..outcome })
    }

    /// What could not change here because a program has it open.
    fn in_use(&self, applied: &Applied) -> Vec<Held> {
        let failed = applied.failed.values().filter(|held| held.code == database::OPEN);
        self.waiting.iter().filter(|held| held.code == database::OPEN).chain(failed).cloned().collect()
    }

    /// What the log says of it; `None` if nothing changed.
    fn operation_of(
        &self,
        look: &Look,
        thought: &Thought,
        sent: Option<&Sent>,
        applied: &Applied,
        outcome: &Outcome,
        conflicts: u64,
    ) -> Option<Operation> {
        // What was removed from a place, and what moved there, are two things: each has a record of its own.
        let mut paths: BTreeMap<(TreePath, bool), PathRecord> = BTreeMap::new();
        for side in Side::BOTH {
            // What showed a conflict that is over is not to come back with an undo.
            let changes =
                thought.plan.changes[side].iter().filter(|change| !self.marking.clears(change.node));
            for change in
                changes.filter(|change| side == Side::Remote || !applied.failed.contains_key(&change.node))
            {
                let path = change.path().clone();
                let stands = change.after.is_some();
                let record = paths.entry((path.clone(), stands)).or_insert_with(|| PathRecord {
                    path,
                    local: None,
                    remote: None,
                });
                match side {
                    Side::Local => record.local = Some(side_record(change)),
                    Side::Remote => record.remote = Some(side_record(change)),
                }
            }
        }
        if paths.is_empty() && outcome.conflicts_new == 0 {
            return None;
        }
        let now = self.workspace.clock.now();
        let before = look.head.as_ref().map(|head| head.0.clone());
        let after = sent.map(|sent| sent.revision.0.clone()).or_else(|| before.clone());
        Some(Operation {
            id: self.operation_id(),
            time: now,
            machine: self.workspace.machine.name.clone(),
            kind: self.request.kind.unwrap_or(match self.request.direction {
                Direction::Both => OperationKind::Sync,
                Direction::Pull => OperationKind::Pull,
                Direction::Push => OperationKind::Push,
            }),
            trigger: if self.request.explicit { Trigger::Person } else { Trigger::Interval },
            person: self.workspace.person.clone(),
            message: self.request.message.clone(),
            counts: counts_of(outcome, conflicts),
            remote: Some(RemoteStep { before, after }),
            address: Some(self.remote.describe().address),
            undoes: None,
            paths: paths.into_values().collect(),
        })
    }

    fn operation_id(&self) -> OperationId {
        OperationId::parse(&self.operation).expect("because it was made from 16 hexadecimal digits")
    }

    /// The stamp of this state, if the next cycle would find nothing to do in it.
    fn stamp_after(
        &self,
        settings: &SyncSettings,
        look: &Look,
        thought: &Thought,
        applied: &Applied,
        head: Option<&Revision>,
    ) -> Option<ContentId> {
        let all_done = thought.plan.changes.local.is_empty() && self.leaves_nothing_open(thought, applied);
        all_done.then(|| self.stamp(settings, &look.scan.tree, head))
    }

    /// Answers whether all was carried out, and the remote holds nothing that can't stand here.
    fn leaves_nothing_open(&self, thought: &Thought, applied: &Applied) -> bool {
        let far = &thought.far.tree;
        let far_is_whole =
            far.places().all(|place| !matches!(far.at(place).entry, Entry::Unknown(Unknown::Unfit { .. })));
        far_is_whole && applied.failed.is_empty() && self.waiting.is_empty() && self.is_whole()
    }
}

/// How much was done, in files.
fn counts_of(outcome: &Outcome, conflicts: u64) -> Counts {
    let count = |wanted: &dyn Fn(&Done) -> bool| {
        outcome.done.iter().filter(|done| !done.folder && wanted(done)).count() as u64
    };
    let brings = |kind| matches!(kind, ChangeKind::Create | ChangeKind::Write | ChangeKind::MoveAndWrite);
    let moves = |kind| matches!(kind, ChangeKind::Move | ChangeKind::MoveAndWrite);
    // A merge may change one side alone, or both.
    let is_merge = |done: &&Done| !done.folder && done.merged.is_some();
    let merged: BTreeSet<_> = outcome.done.iter().filter(is_merge).map(|done| &done.path).collect();
    let moved = outcome.done.iter().filter(|done| moves(done.kind)).count() as u64;
    Counts {
        sent: count(&|done| done.side == Side::Remote && done.merged.is_none() && brings(done.kind)),
        received: count(&|done| done.side == Side::Local && done.merged.is_none() && brings(done.kind)),
        merged: merged.len() as u64,
        moved,
        deleted_here: count(&|done| done.side == Side::Local && done.kind == ChangeKind::Remove),
        deleted_there: count(&|done| done.side == Side::Remote && done.kind == ChangeKind::Remove),
        conflicts,
        held: outcome.held.len() as u64,
        bytes_sent: outcome.bytes.remote,
        bytes_received: outcome.bytes.local,
    }
}

/// The nodes that both sides know and that can't be seen here now.
fn unseen(thought: &Thought) -> Vec<NodeId> {
    let plan = &thought.plan;
    let known = thought.known.rows().iter().filter(|row| row.views.side(Side::Local).is_some());
    let gone = |node: &NodeId| plan.forgotten.binary_search(node).is_ok();
    let changed: BTreeSet<NodeId> =
        plan.changes.local.iter().chain(&plan.changes.remote).map(|change| change.node).collect();
    known
        .map(|row| row.id)
        .filter(|node| plan.places.local.of(*node).is_none() && !gone(node) && !changed.contains(node))
        .collect()
}

struct Rows {
    hold: Vec<Row>,
    forgotten: Vec<NodeId>,
}

/// The rows of all that was carried out. Where a change failed, its row and those of the folders it was known in stay
/// as they were, so that the next cycle sees the difference again.
fn rows_that_hold(thought: &Thought, applied: &Applied) -> Rows {
    let mut stay: BTreeSet<NodeId> = BTreeSet::new();
    for failed in applied.failed.keys().filter(|_| !mutant::is_on("held-is-agreed")) {
        let mut at = *failed;
        while at != NodeId::ROOT && stay.insert(at) {
            match thought.known.row(at).and_then(|row| row.views.base().or(row.views.side(Side::Local))) {
                Some(value) => at = value.parent,
                None => break,
            }
        }
    }
    let mut hold = Vec::with_capacity(thought.plan.rows.len());
    for row in thought.plan.rows.iter().filter(|row| !stay.contains(&row.id)) {
        let mut row = row.clone();
        if let Some(key) = applied.keys.get(&row.id) {
            row.keys.local = Some(*key);
        }
        hold.push(row);
    }
    let forgotten = thought.plan.forgotten.iter().copied().filter(|id| !stay.contains(id)).collect();
    Rows { hold, forgotten }
}
