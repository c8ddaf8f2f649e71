//! Undo and redo: an operation is taken back by new changes, here and at the remote.
//!
//! Here, each path that still is as the operation left it gets back what it held before; one that changed since is left
//! alone. At the remote a new commit takes back what was sent. What is known of the paths is set to what the remote
//! holds then, so that whatever stands here counts as a change made here: the next sync that a person starts sends it.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{Known, NodeId, PerSide, Row, Side, Value, Views};
use instep_core::operation::{Operation, OperationId, OperationKind, PathRecord, SideRecord};
use instep_core::path::TreePath;
use instep_core::plan::Change;
use instep_core::progress::Observer;
use instep_core::remote::{Class, Draft, ObjectId, Remote, RemoteError, RemoteErrorKind};
use instep_core::tree::Tree;

use super::act::{Deed, Sources, act, scan, side_record};
use super::contents::{Contents, Kept};
use super::log;
use super::wish::{self, Wishes};
use crate::conflict::abroad;
use crate::cycle::ask;
use crate::cycle::draft::draft;
use crate::cycle::far::{Far, View};
use crate::cycle::outcome::Held;
use crate::cycle::rules;
use crate::cycle::settings::{SettingsSource, SyncSettings};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::reach::{Reach, is_away};
use crate::state::{Offered, Settlement, State};
use crate::workspace::Workspace;

/// How often the way back is planned anew because the remote moved on meanwhile.
const STALE_TRIES: u32 = 5;

/// What to take back.
#[derive(Debug, Clone, Default)]
pub struct UndoRequest {
    /// The start of an operation's id; the newest that is not taken back already, if none is given.
    pub operation: Option<String>,
    /// Where none is given, the newest that was done with the remote at this address.
    pub address: Option<String>,
    /// Take back an undo instead.
    pub redo: bool,
    /// Leave the remote as it is.
    pub here_only: bool,
    /// Say what would be done, change nothing.
    pub dry_run: bool,
}

/// What an undo did, or would do.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The undo itself, in the log; `None` if nothing changed.
    pub operation: Option<OperationId>,
    /// What it took back.
    pub of: Operation,
    /// The paths that changed here.
    pub here: Vec<TreePath>,
    /// The paths that changed at the remote.
    pub there: Vec<TreePath>,
    /// The paths that changed since, and were left alone.
    pub left_alone: Vec<TreePath>,
    /// The paths that could not be changed here.
    pub held: Vec<Held>,
    /// The remote could not be reached: its part is taken back by the next sync.
    pub waits_for_remote: bool,
}

/// Takes an operation back.
pub fn undo<F: Folder>(
    workspace: &mut Workspace<F>,
    reach: Option<&Reach<'_>>,
    source: &dyn SettingsSource,
    request: &UndoRequest,
    observer: &dyn Observer,
) -> Result<Undone, EngineError> {
    crate::cycle::recover(workspace)?;
    let target = target(&workspace.state, request)?;
    let record = reach.map(|reach| reach.record(&workspace.state)).transpose()?;
    let settings = rules::now(&workspace.state, &*workspace.folder, source, record.as_ref())?;
    let seen = scan(workspace, &settings, observer)?;
    let (changes, left_alone) = take_back(&seen.tree, &target, Side::Local);
    let connected = !was_disconnected_since(&workspace.state, target.id)?;
    let there = reach.filter(|reach| {
        // What was sent to another place is not looked for at this one.
        let is_its_own = target.address.as_deref().is_none_or(|address| address == reach.address());
        let has_a_part = target.paths.iter().any(|path| path.remote.is_some());
        connected && is_its_own && !request.here_only && has_a_part
    });
    let mut undone = Undone {
        operation: None,
        here: changes.iter().map(|change| change.path().clone()).collect(),
        there: Vec::new(),
        left_alone,
        held: Vec::new(),
        waits_for_remote: false,
        of: target.clone(),
    };
    let id = OperationId(workspace.clock.random());
    let kind = if request.redo { OperationKind::Redo } else { OperationKind::Undo };
    let address = reach.map(|reach| reach.address().to_owned());
    let mut deed = Deed { id, kind, undoes: Some(target.id), message: None, address, waits: false };
    let mut sent = Vec::new();
    if let Some(reach) = there {
        let part = Part { workspace, settings: &settings, local: &seen.tree, target: &target, observer };
        match part.take_back(reach, (!request.dry_run).then_some(&deed)) {
            Ok(taken) => {
                undone.there = taken.paths;
                undone.left_alone.extend(taken.left_alone);
                sent = taken.records;
            }
            Err(error) if is_away(&error) => undone.waits_for_remote = true,
            Err(error) => return Err(error),
        }
    }
    undone.left_alone.sort();
    undone.left_alone.dedup();
    if request.dry_run {
        return Ok(undone);
    }
    let withdrawn = abroad::withdraw(&workspace.state, &target.id.to_string(), &id.to_string())?;
    deed.waits = undone.waits_for_remote || !withdrawn.is_empty();
    let sources = Sources::at(reach.map_or(&[], std::slice::from_ref), &workspace.state)?;
    let acted = act(workspace, &seen, &changes, &deed, &sources, sent, observer)?;
    undone.operation = acted.operation;
    undone.here = acted.changed;
    undone.held = acted.held;
    let reopened = reopen(workspace, &target)?;
    let remote_id = match reach {
        Some(reach) => Some(reach.record(&workspace.state)?.id),
        None => None,
    };
    workspace.state.transact(|write| {
        write.unchoose(&target.id.to_string())?;
        for (name, answers) in &withdrawn {
            write.note(name, answers)?;
        }
        if let Some(Settlement { remote, before, .. }) = &reopened {
            write.nodes(*remote, before, &[], 0)?;
        }
        let Some(remote) = remote_id else { return Ok(()) };
        // What waited to be taken back there, and is brought forward again, needs no way back and forth.
        write.half_undone(remote, &target.id.to_string(), false)?;
        if undone.waits_for_remote { write.half_undone(remote, &id.to_string(), true) } else { Ok(()) }
    })?;
    Ok(undone)
}

/// Answers whether the remote was forgotten after an operation: then there is another now, or a new beginning with it,
/// and nothing of what went there before is taken back there.
fn was_disconnected_since(state: &State, id: OperationId) -> Result<bool, EngineError> {
    let operations = log::log(state, None, usize::MAX >> 1)?;
    let newer = operations.iter().take_while(|operation| operation.id != id);
    Ok(newer.into_iter().any(|operation| operation.kind == OperationKind::Disconnect))
}

/// What was known before a resolve, if nothing has become of its answer yet: then the conflict opens again.
fn reopen<F: Folder>(
    workspace: &Workspace<F>,
    target: &Operation,
) -> Result<Option<Settlement>, EngineError> {
    let Some(settlement) = workspace.state.settlement(&target.id.to_string())? else { return Ok(None) };
    let known = workspace.state.known(settlement.remote)?;
    let untouched = settlement.after.iter().all(|row| known.row(row.id) == Some(row));
    Ok(untouched.then_some(settlement))
}

/// What the remote's part of undos came to, once it could be reached.
#[derive(Debug, Default)]
pub struct Finished {
    /// The paths that were taken back there: what stands here goes again, but not in the same breath.
    pub paths: BTreeSet<TreePath>,
    /// What there is to say about it.
    pub notices: Vec<String>,
}

/// Takes back at the remote what could not be taken back while it was out of reach. Called before a cycle that may send.
pub fn finish_half_undone<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    settings: &SyncSettings,
    observer: &dyn Observer,
) -> Result<Finished, EngineError> {
    let reach = Reach::open(remote);
    let remote_id = reach.record(&workspace.state)?.id;
    let mut finished = Finished::default();
    for id in workspace.state.half_undone(remote_id)? {
        let mut undo = log::find(&workspace.state, &id)?;
        let Some(of) = undo.undoes else { continue };
        let target = log::find(&workspace.state, &of.to_string())?;
        let seen = scan(workspace, settings, observer)?;
        let address = undo.address.clone();
        let deed =
            Deed { id: undo.id, kind: undo.kind, undoes: undo.undoes, message: None, address, waits: false };
        let part = Part { workspace, settings, local: &seen.tree, target: &target, observer };
        let taken = match part.take_back(&reach, Some(&deed)) {
            Err(EngineError::Remote(error)) if error.code == "E-HISTORY-MISSING" => {
                // It would be missing at the next try, too, and no sync would ever come to its turn.
                workspace.state.transact(|write| write.half_undone(remote_id, &id, false))?;
                finished.notices.push(format!(
                    "undo {} is done here alone: a version that was to come back at the remote is not in the history \
                     any more",
                    &id[..8]
                ));
                continue;
            }
            taken => taken?,
        };
        undo.paths.extend(taken.records);
        undo.paths.sort_by(|a, b| a.path.cmp(&b.path));
        let value = serde_json::to_string(&undo).expect("because an operation is plain data");
        let paths: Vec<Vec<u8>> = taken.paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        workspace.state.transact(|write| {
            write.operation(&id, undo.time, &value)?;
            write.hold(remote_id, &paths, &id)?;
            write.half_undone(remote_id, &id, false)
        })?;
        if !taken.paths.is_empty() {
            finished.notices.push(format!(
                "undo {} is complete: its part at the remote was taken back now; what stands here goes with \
                 the next sync",
                &id[..8]
            ));
        }
        finished.paths.extend(taken.paths);
    }
    Ok(finished)
}

/// The operation that is to be taken back.
pub fn target(state: &State, request: &UndoRequest) -> Result<Operation, EngineError> {
    if let Some(typed) = &request.operation {
        return log::find(state, typed);
    }
    let mut operations = log::log(state, None, usize::MAX >> 1)?;
    if let Some(address) = &request.address {
        operations.retain(|operation| operation.address.as_ref() == Some(address));
    }
    let found = if request.redo { log::next_to_redo(&operations) } else { log::next_to_undo(&operations) };
    found.cloned().ok_or_else(|| {
        let what = if request.redo { "there is no undo to take back" } else { "there is nothing to undo" };
        EngineError::NotFound(what.to_owned())
    })
}

/// The changes that take back an operation's part on one side, and the paths that changed since.
fn take_back(tree: &Tree, target: &Operation, side: Side) -> (Vec<Change>, Vec<TreePath>) {
    let mut wishes = Wishes::new(tree);
    let mut left_alone = Vec::new();
    let records: Vec<(&TreePath, &SideRecord)> = target
        .paths
        .iter()
        .filter_map(|record| record.sides()[side].map(|change| (&record.path, change)))
        .collect();
    // What came goes first, from the leaves up; then things move back; then what went comes again, folders first.
    for (path, record) in records.iter().rev().filter(|(_, record)| record.before.is_none()) {
        if !is_as_left(&wishes, path, record) || !wishes.remove(path) {
            left_alone.push((*path).clone());
        }
    }
    let moves =
        records.iter().filter_map(|(path, record)| Some((record.moved_from.as_ref()?, *path, *record)));
    for (from, path, record) in folders_first(moves.collect()) {
        let free = wishes.at(from).is_none() || records.iter().any(|(other, _)| *other == from);
        if !free || !is_as_left(&wishes, path, record) || !wishes.relocate(path, from) {
            left_alone.push(path.clone());
        }
    }
    for (path, record) in records.iter().filter(|(_, record)| record.before.is_some()) {
        let Some(before) = &record.before else { continue };
        if record.moved_from.is_some() && record.after.as_ref() == Some(before) {
            continue;
        }
        // It was removed, and something else moved there, which has gone back by now.
        let is_free_again = record.moved_from.is_none() && record.after.is_none() && wishes.is_vacated(path);
        let is_back = match is_free_again {
            true => wishes.bring(path, before),
            false => is_as_left(&wishes, path, record) && wishes.put(path, before),
        };
        if !is_back {
            left_alone.push((*path).clone());
        }
    }
    left_alone.extend(wishes.give_up_unsound());
    (wishes.finish(), left_alone)
}

/// A move that is taken back: from where, to where, and the record of it.
type Moved<'a> = (&'a TreePath, &'a TreePath, &'a SideRecord);

/// Moves in an order in which each can go back: a folder before what goes back into it, and what took a folder's place
/// before what goes back into that.
fn folders_first(mut moves: Vec<Moved<'_>>) -> Vec<Moved<'_>> {
    moves.sort_by_key(|(from, ..)| *from);
    let mut sorted = Vec::with_capacity(moves.len());
    while !moves.is_empty() {
        let pending: BTreeSet<&TreePath> = moves.iter().flat_map(|(from, path, _)| [*from, *path]).collect();
        let waits = |(from, path, _): &Moved<'_>| {
            let mut above = std::iter::successors(from.parent(), TreePath::parent);
            above.any(|folder| pending.contains(&folder) && folder != **path)
        };
        let (later, now): (Vec<_>, Vec<_>) = moves.into_iter().partition(waits);
        // Folders that go round in a circle have no first: the wishes that leave no tree are given up.
        let is_stuck = now.is_empty();
        sorted.extend(now);
        moves = later;
        if is_stuck {
            sorted.append(&mut moves);
        }
    }
    sorted
}

/// Answers whether a path still is as the operation left it. A folder is, whatever it holds.
fn is_as_left(wishes: &Wishes<'_>, path: &TreePath, record: &SideRecord) -> bool {
    wishes.at(path).and_then(wish::held) == record.after || mutant::is_on("undo-takes-newer")
}

/// The remote's part of an undo, as it is asked for.
struct Part<'a, F: Folder> {
    workspace: &'a mut Workspace<F>,
    settings: &'a SyncSettings,
    local: &'a Tree,
    target: &'a Operation,
    observer: &'a dyn Observer,
}

/// The remote's part of an undo, as it came out.
struct Taken {
    paths: Vec<TreePath>,
    left_alone: Vec<TreePath>,
    records: Vec<PathRecord>,
}

impl<F: Folder> Part<'_, F> {
    /// Looks at the remote, and commits the way back if there is a deed; anew if another machine was faster.
    fn take_back(self, reach: &Reach<'_>, deed: Option<&Deed>) -> Result<Taken, EngineError> {
        let Some(remote) = reach.remote() else {
            let why = "the remote can't be opened now";
            return Err(RemoteError::new(RemoteErrorKind::Offline, "E-NET-OFFLINE", why).into());
        };
        let Part { workspace, settings, local, target, observer } = self;
        for _ in 0..STALE_TRIES {
            let far = FarSide::look(workspace, remote, settings, local, target)?;
            let paths = far.changes.iter().map(|change| change.path().clone()).collect();
            let left_alone = far.left_alone.clone();
            let sent = match deed {
                Some(deed) => far.send(workspace, remote, deed, observer),
                None => Ok(Vec::new()),
            };
            match sent {
                Err(EngineError::Remote(error)) if error.class() == Class::Stale => {}
                sent => return Ok(Taken { paths, left_alone, records: sent? }),
            }
        }
        Err(EngineError::RemoteBusy(STALE_TRIES))
    }
}

/// The remote as it is, and the way back there.
struct FarSide {
    far: Far,
    snapshot: Option<instep_core::remote::Snapshot>,
    changes: Vec<Change>,
    left_alone: Vec<TreePath>,
    known: Known,
    remote_id: i64,
    is_up_to_date: bool,
}

impl FarSide {
    fn look<F: Folder>(
        workspace: &mut Workspace<F>,
        remote: &dyn Remote,
        settings: &SyncSettings,
        local: &Tree,
        target: &Operation,
    ) -> Result<Self, EngineError> {
        let mut record = workspace.state.remote(&remote.describe().address)?;
        let head = remote.head()?;
        // What a killed cycle sent is known first: the note of this commit takes the place of that one.
        ask::settle_offer(&mut workspace.state, remote, &mut record, head.as_ref())?;
        if let Some(danger) = ask::danger(remote, &record, head.as_ref())? {
            return Err(EngineError::Halted(danger));
        }
        let snapshot = match &head {
            Some(head) => Some(remote.snapshot(head, record.head.as_ref())?),
            None => None,
        };
        let known = workspace.state.known(record.id)?;
        let view = View {
            snapshot: snapshot.as_ref(),
            known: &known,
            settings,
            ignore: &Default::default(),
            local,
            abilities: workspace.folder.abilities(),
            targets: &workspace.state.targets()?,
            invalid: None,
        };
        let far = view.build(&workspace.state.objects(record.id)?).far;
        let (changes, left_alone) = take_back(&far.tree, target, Side::Remote);
        let is_up_to_date = head == record.head;
        Ok(FarSide { far, snapshot, changes, left_alone, known, remote_id: record.id, is_up_to_date })
    }

    /// Commits the changes on top of the head; answers what the log says of it.
    fn send<F: Folder>(
        self,
        workspace: &mut Workspace<F>,
        remote: &dyn Remote,
        deed: &Deed,
        observer: &dyn Observer,
    ) -> Result<Vec<PathRecord>, EngineError> {
        if self.changes.is_empty() {
            return Ok(Vec::new());
        }
        let object_of = self.objects(workspace, remote, observer)?;
        let places = wish::places(&self.far.tree);
        let now = workspace.clock.now();
        let verb = if deed.kind == OperationKind::Redo { "redo" } else { "undo" };
        let undone = deed.undoes.map_or_else(String::new, |id| format!(" {}", &id.to_string()[..4]));
        let draft = Draft {
            entries: draft(&self.far, self.snapshot.as_ref(), &places, &self.changes, &object_of),
            message: format!("{}: {verb}{undone}", workspace.machine.name),
            machine: workspace.machine.clone(),
            operation: deed.id.to_string(),
            time: now,
            times: BTreeMap::new(),
            allows_deletes: true,
            renames: Vec::new(),
        };
        let expected = self.snapshot.as_ref().map(|snapshot| &snapshot.revision);
        let revision = remote.prepare(expected, &draft)?;
        let rows = self.rows();
        let offered = Offered {
            expected: expected.cloned(),
            revision: revision.clone(),
            rows: rows.hold.clone(),
            forgotten: rows.forgotten.clone(),
            next: rows.next,
        };
        let (id, is_up_to_date) = (self.remote_id, self.is_up_to_date);
        if !mutant::is_on("undo-offer-not-written") {
            workspace.state.transact(|write| write.offer(id, &offered))?;
        }
        remote.commit(expected, &revision)?;
        workspace.state.transact(|write| {
            write.nodes(id, &rows.hold, &rows.forgotten, rows.next)?;
            write.settle_offers(id, Some(&revision))?;
            if is_up_to_date { write.head(id, Some(&revision), None) } else { Ok(()) }
        })?;
        let record = |change: &Change| PathRecord {
            path: change.path().clone(),
            local: None,
            remote: Some(side_record(change)),
        };
        Ok(self.changes.iter().map(record).collect())
    }

    /// The remote's names of all contents that come back there; what it never named is sent from the history.
    fn objects<F: Folder>(
        &self,
        workspace: &mut Workspace<F>,
        remote: &dyn Remote,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<ContentId, ObjectId>, EngineError> {
        let mut named = BTreeMap::new();
        let mut unnamed = BTreeSet::new();
        for content in self.changes.iter().filter_map(|change| change.after.as_ref()?.body.content()) {
            match workspace.state.object_of(self.remote_id, content)? {
                Some(object) => {
                    named.insert(content, object);
                }
                None => {
                    unnamed.insert(content);
                }
            }
        }
        let unnamed: Vec<ContentId> = unnamed.into_iter().collect();
        let kept = Kept { contents: Contents::open(&*workspace.folder)? };
        let objects = remote.upload(&unnamed, &kept, observer)?;
        named.extend(unnamed.into_iter().zip(objects));
        Ok(named)
    }

    /// What is known of the paths afterwards: that both sides agreed on what the remote holds then.
    fn rows(&self) -> Rows {
        let mut real: BTreeMap<NodeId, NodeId> = BTreeMap::from([(NodeId::ROOT, NodeId::ROOT)]);
        let paths = remembered_paths(&self.known);
        for place in self.far.tree.places().skip(1) {
            if let Some(node) = paths.get(&self.far.tree.path(place)) {
                real.insert(wish::node(place), *node);
            }
        }
        let mut next = self.known.next;
        for change in self.changes.iter().filter(|change| change.before.is_none()) {
            real.insert(change.node, NodeId(next));
            next += 1;
        }
        let mut rows = Rows { hold: Vec::new(), forgotten: Vec::new(), next };
        for change in &self.changes {
            let Some(node) = real.get(&change.node).copied() else { continue };
            let Some(after) = &change.after else {
                rows.forgotten.push(node);
                continue;
            };
            let Some(parent) = real.get(&after.parent).copied() else { continue };
            let value = Value { parent, name: after.name.clone(), body: after.body };
            // Which file of this machine holds it, if one does, the next cycle finds out, and makes it durable.
            let keys = self.known.row(node).map_or_else(PerSide::default, |row| row.keys);
            let keys = PerSide { local: None, ..keys };
            rows.hold.push(Row { id: node, views: Views::Agreed(value), keys });
        }
        rows
    }
}

struct Rows {
    hold: Vec<Row>,
    forgotten: Vec<NodeId>,
    next: u64,
}

/// Where each node stood at the remote when the last cycle ended.
fn remembered_paths(known: &Known) -> BTreeMap<TreePath, NodeId> {
    let mut paths: BTreeMap<NodeId, TreePath> = BTreeMap::from([(NodeId::ROOT, TreePath::root())]);
    let mut waiting: Vec<(NodeId, &Value)> =
        known.rows().iter().filter_map(|row| Some((row.id, row.views.side(Side::Remote)?))).collect();
    loop {
        let before = waiting.len();
        waiting.retain(|(node, value)| match paths.get(&value.parent) {
            Some(parent) => {
                let path = parent.join(&value.name);
                paths.insert(*node, path);
                false
            }
            None => true,
        });
        if waiting.len() == before {
            break;
        }
    }
    paths.into_iter().map(|(node, path)| (path, node)).collect()
}
