//! From what was seen to a plan: the remote's tree, what is known, and the merges of contents that the plan asks for.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::conflict::{Conflict, ConflictKind, Version};
use instep_core::content::ContentId;
use instep_core::node::{Body, Known, NodeId, PerSide, Row, Side, Value, Views};
use instep_core::path::{Name, TreePath};
use instep_core::plan::{MergeAnswer, MergeInput, Plan};
use instep_core::policy::{Policy, Strategy};
use instep_core::progress::Phase;
use instep_core::reconcile::reconcile;
use instep_core::remote::{ObjectId, Snapshot};
use instep_core::renames::Renames;
use instep_core::safety::Halt;
use instep_core::tree::{Entry, Key, LeafKind, NewEntry, Place, Tree, Unknown};

use super::far::{Far, Objects, View};
use super::merging::Tried;
use super::rules::Invalid;
use super::settings::SyncSettings;
use super::{Cycle, Look, Tools};
use crate::conflict;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::scan::NOTHING_INSIDE;
use crate::stage::Receiver;
use crate::state::RemoteRecord;

/// A plan, and all that it was made from.
pub(super) struct Thought {
    pub known: Known,
    pub snapshot: Option<Snapshot>,
    pub far: Far,
    pub objects: Objects,
    pub policy: Policy,
    pub plan: Plan,
    /// The contents that merges made, with what there is to say of each.
    pub merged: BTreeMap<ContentId, String>,
    pub first_contact: bool,
    /// Nodes that are known, though nobody made durable what stands here: of a commit that was taken after its cycle had
    /// ended, saved anew since, as they were; or found alike on both sides when a rewind was allowed.
    pub unsure: BTreeSet<NodeId>,
    /// Nodes that vanished while they could not be seen: nobody can say that they were deleted.
    pub given_up: Vec<NodeId>,
    /// What is wrong with the shared settings that the remote holds.
    pub invalid_there: Option<Invalid>,
    /// Bytes that were fetched to think.
    pub received_bytes: u64,
}

impl Thought {
    /// Deletions that a person allowed on another machine are not asked about again here.
    pub fn is_allowed(&self, halt: &Halt) -> bool {
        let allowed = self.snapshot.as_ref().is_some_and(|snapshot| snapshot.stamp.allows_deletes);
        let missing = match halt {
            Halt::Emptied { side, .. } => *side,
            Halt::MassDelete { missing, .. } => *missing,
        };
        allowed && missing == Side::Remote
    }
}

impl<F: Folder> Cycle<'_, F> {
    /// Reads what the remote holds and decides what must happen.
    pub(super) fn think(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &mut Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<Thought, EngineError> {
        let (snapshot, known, mut objects) = self.gather(settings, record, look)?;
        let (mut known, mut given_up) =
            give_up_unseen(known, &self.workspace.state.unseen(record.id)?, &look.scan.tree);
        let first_contact = known.is_first_contact();
        let mut unsure = self.workspace.state.taken_late(record.id)?;
        let mut learned = self.workspace.state.targets()?;
        let mut received_bytes = 0;
        let mut invalid = None;
        let mut far = loop {
            let targets = learned.clone();
            let view = View {
                snapshot: snapshot.as_ref(),
                known: &known,
                settings,
                ignore: &look.scan.ignore,
                local: &look.scan.tree,
                abilities: tools.folder.abilities(),
                targets: &targets,
                invalid: invalid.as_ref(),
            };
            let mut built = view.build(&objects);
            while !built.missing.is_empty() {
                received_bytes += self.learn(record, &built.missing, &mut objects, &mut learned, tools)?;
                View { targets: &learned, ..view }.complete(&mut built, &objects);
            }
            if invalid.is_none() {
                invalid = self.invalid_there(&known, look, &built.far.tree, record, tools)?;
                if invalid.is_some() {
                    continue;
                }
            }
            break built.far;
        };
        let open = conflict::open(&self.workspace.state, record.id)?;
        if let Some(snapshot) = &snapshot {
            far.date(&open, &snapshot.times);
        }
        reopen(&mut look.scan.tree, &far.tree, &look.scan.ways);
        if self.rewound {
            known = common_ground(&look.scan.tree, &far.tree);
            unsure.extend(known.rows().iter().map(|row| row.id));
        }
        let (known, answered) = self.believe(known, record, look, &far.tree)?;
        given_up.extend(answered);
        let known = self.settle_marked(known, record, look);
        let policy = self.policy(settings, record, snapshot.as_ref(), tools)?;
        self.began(Phase::Plan, None, None);
        let (plan, merged) = self.decide(&known, look, &far.tree, &policy, record, tools)?;
        let plan = super::select::select(plan, &self.request.paths, &known);
        let plan = super::select::hold_back(plan, &self.held_back, &known);
        let occupied = self.occupied(&plan, look, tools)?;
        let mut plan = super::select::leave(plan, &occupied, &known);
        self.marking.open = open;
        self.marking.writers =
            snapshot.as_ref().map_or_else(BTreeMap::new, |snapshot| snapshot.writers.clone());
        self.mark(&mut plan, &known, &policy, record, (look, tools))?;
        self.waiting = occupied.into_values().collect();
        self.ended(Phase::Plan);
        Ok(Thought {
            known,
            snapshot,
            far,
            objects,
            policy,
            plan,
            merged,
            first_contact,
            unsure,
            given_up,
            invalid_there: invalid,
            received_bytes,
        })
    }

    /// Lists what the remote's head holds, and meanwhile reads what is remembered, unless it was read already.
    fn gather(
        &self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &mut Look,
    ) -> Result<(Option<Snapshot>, Known, Objects), EngineError> {
        let before = self.workspace.state.heard(record.id, record.head.as_ref())?;
        let (remote, head) = (self.remote, look.head.clone());
        let ahead = look.ahead.take().filter(|ahead| ahead.known == before);
        let list = move || match (head, ahead) {
            (None, _) => Ok(None),
            (Some(_), Some(ahead)) => ahead.listed.map(Some),
            (Some(head), None) => remote.snapshot(&head, before.as_ref()).map(Some),
        };
        let (state, known, objects) = (&self.workspace.state, look.known.take(), look.objects.take());
        let read = || -> Result<(Known, Objects), EngineError> {
            let known = known.map_or_else(|| state.known(record.id), Ok)?;
            Ok((known, objects.map_or_else(|| state.objects(record.id), Ok)?))
        };
        if look.head.is_some() {
            self.began(Phase::Ask, None, None);
        }
        let (listed, read) = if settings.workers > 1 {
            std::thread::scope(|scope| {
                let listing = scope.spawn(list);
                let read = read();
                (listing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), read)
            })
        } else {
            (list(), read())
        };
        let listed = listed?;
        if look.head.is_some() {
            self.ended(Phase::Ask);
        }
        let (known, objects) = read?;
        Ok((listed, known, objects))
    }

    /// Fetches contents that nobody here knows yet into the staging folder, and remembers their names.
    fn learn(
        &mut self,
        record: &RemoteRecord,
        missing: &[(ObjectId, LeafKind)],
        objects: &mut Objects,
        targets: &mut BTreeMap<ContentId, Vec<u8>>,
        tools: &mut Tools<'_, F>,
    ) -> Result<u64, EngineError> {
        let wanted: Vec<ObjectId> = missing.iter().map(|(object, _)| *object).collect();
        let received = self.fetch(&wanted, tools)?;
        let links: BTreeSet<ObjectId> =
            missing.iter().filter(|(_, kind)| *kind == LeafKind::Link).map(|(object, _)| *object).collect();
        let mut new_targets = Vec::new();
        for (object, content, size) in &received {
            objects.insert(*object, (*content, *size));
            if links.contains(object)
                && let Some(target) = tools.staging.read(*content)?
            {
                new_targets.push((*content, target.clone()));
                targets.insert(*content, target);
            }
        }
        if let Some(object) = wanted.iter().find(|object| !objects.contains_key(object)) {
            return Err(EngineError::StateCorrupt(format!("the remote did not hand over {object}")));
        }
        let id = record.id;
        self.workspace.state.transact(|write| {
            write.targets(&new_targets)?;
            write.objects(id, &received)
        })?;
        Ok(received.iter().map(|one| one.2).sum())
    }

    /// Fetches contents into the staging folder; answers the name, content and length of each.
    pub(super) fn fetch(
        &self,
        wanted: &[ObjectId],
        tools: &mut Tools<'_, F>,
    ) -> Result<Vec<(ObjectId, ContentId, u64)>, EngineError> {
        self.began(Phase::Receive, Some(wanted.len() as u64), None);
        let mut receiver = Receiver {
            staging: &mut tools.staging,
            observer: self.observer,
            received: Vec::with_capacity(wanted.len()),
            failure: None,
        };
        let answer = self.remote.fetch(wanted, &mut receiver, self.observer);
        let Receiver { received, failure, .. } = receiver;
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        answer?;
        self.ended(Phase::Receive);
        Ok(received)
    }

    fn policy(
        &self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        snapshot: Option<&Snapshot>,
        tools: &Tools<'_, F>,
    ) -> Result<Policy, EngineError> {
        let mut chosen = self.believed_choices.clone();
        for (node, word) in self.workspace.state.choices(record.id)? {
            if let Some(strategy) = Strategy::parse(&word) {
                chosen.insert(node, strategy);
            }
        }
        let stamp = snapshot.map(|snapshot| &snapshot.stamp);
        let there = stamp.map_or_else(String::new, |stamp| stamp.writer().to_owned());
        Ok(Policy {
            direction: settings.direction,
            limit: settings.limit,
            groups: settings.groups.clone(),
            mirror: self.request.mirror,
            strategy: settings.strategy,
            chosen,
            fold: PerSide { local: tools.folder.abilities().fold, remote: Default::default() },
            machines: PerSide { local: self.workspace.machine.name.clone(), remote: there },
            renames: PerSide { local: Renames::default(), remote: self.renames(record, snapshot)? },
        })
    }

    /// What the remote is said to have renamed: by the commits since the known head, and by earlier ones where not all
    /// that they brought was carried out.
    fn renames(&self, record: &RemoteRecord, snapshot: Option<&Snapshot>) -> Result<Renames, EngineError> {
        let state = &self.workspace.state;
        let waiting = state.renames(record.id, state.heard(record.id, record.head.as_ref())?.as_ref())?;
        let new = snapshot.map_or(&[][..], |snapshot| snapshot.renames.all());
        Ok(Renames::through([waiting.all(), new]))
    }

    /// Plans, answers the merges that the plan asks for, and plans again until it asks for none.
    fn decide(
        &mut self,
        known: &Known,
        look: &Look,
        far: &Tree,
        policy: &Policy,
        record: &RemoteRecord,
        tools: &mut Tools<'_, F>,
    ) -> Result<(Plan, BTreeMap<ContentId, String>), EngineError> {
        let local = &look.scan.tree;
        let mut tried: BTreeMap<MergeInput, Tried> = BTreeMap::new();
        loop {
            let answer = |input: &MergeInput| tried.get(input).map_or(MergeAnswer::Unknown, |one| one.answer);
            let mut plan = reconcile(known, PerSide { local, remote: far }, policy, &answer);
            if plan.merges.is_empty() {
                say_why(&mut plan.conflicts, &tried);
                let merged = tried.into_values().filter_map(|one| match one.answer {
                    MergeAnswer::Clean { content, .. } => Some((content, one.words)),
                    _ => None,
                });
                return Ok((plan, merged.collect()));
            }
            for input in &plan.merges {
                let one = self.merge(input, look, far, policy, record, tools)?;
                tried.insert(input.clone(), one);
            }
        }
    }
}

/// A path that was out of sight when the last cycle ended, and is gone now that it would be seen, was not seen being
/// deleted: what is known of it is given up, so that the remote's version counts as new.
pub(super) fn give_up_unseen(known: Known, unseen: &BTreeSet<NodeId>, tree: &Tree) -> (Known, Vec<NodeId>) {
    let is_gone = |node: NodeId| {
        let mut names = Vec::new();
        let mut at = node;
        while at != NodeId::ROOT {
            let Some(value) = known.row(at).and_then(|row| row.views.side(Side::Local)) else { return false };
            names.push(value.name.clone());
            at = value.parent;
        }
        let mut place = Place::ROOT;
        for name in names.iter().rev() {
            if is_empty_way(&tree.at(place).entry) {
                return true;
            }
            if matches!(tree.at(place).entry, Entry::Unknown(_)) {
                return false;
            }
            match tree.child(place, name) {
                Some(child) => place = child,
                None => return true,
            }
        }
        false
    };
    let given_up: Vec<NodeId> = unseen.iter().copied().filter(|node| is_gone(*node)).collect();
    if given_up.is_empty() {
        return (known, given_up);
    }
    let rows = known.rows().iter().filter(|row| !given_up.contains(&row.id)).cloned().collect();
    (Known::new(rows, known.next), given_up)
}

/// Answers whether a folder is only the way to what the rules name, and holds nothing of it.
fn is_empty_way(entry: &Entry) -> bool {
    matches!(entry, Entry::Unknown(Unknown::Excluded(why)) if why == NOTHING_INSIDE)
}

/// A folder that is only the way to what the rules name takes no part while it holds nothing of it. Where the remote
/// holds that folder it is one all the same: its last file was deleted here, or the first one is to come.
pub(crate) fn reopen(local: &mut Tree, far: &Tree, ways: &BTreeMap<TreePath, Option<Key>>) {
    if !local.places().any(|place| is_empty_way(&local.at(place).entry)) {
        return;
    }
    let mut twins: Vec<Option<Place>> = vec![Some(Place::ROOT)];
    for place in far.places().skip(1) {
        let entry = far.at(place);
        let twin = twins[entry.parent.0 as usize].and_then(|folder| local.child(folder, &entry.name));
        if let Some(twin) =
            twin.filter(|twin| entry.entry == Entry::Folder && is_empty_way(&local.at(*twin).entry))
        {
            // What stands in it is such a folder too, and may be opened in its turn.
            let path = local.path(twin);
            let inside = inside(&path, ways).map(|(name, key)| NewEntry {
                name,
                entry: Entry::Unknown(Unknown::Excluded(NOTHING_INSIDE.to_owned())),
                key,
                modified: None,
            });
            local.tell_folder(twin, inside.collect());
        }
        twins.push(twin);
    }
}

/// The folders of these that stand in a folder.
fn inside<'a>(
    folder: &'a TreePath,
    ways: &'a BTreeMap<TreePath, Option<Key>>,
) -> impl Iterator<Item = (Name, Option<Key>)> + 'a {
    let from_it = ways.range(folder.clone()..);
    let below = from_it.take_while(|(path, _)| path.as_bytes().starts_with(folder.as_bytes()));
    let children = below.filter(|(path, _)| path.parent().as_ref() == Some(folder));
    children.filter_map(|(path, key)| Some((path.name()?, *key)))
}

/// A conflict that a merge left open says what the merge found.
fn say_why(conflicts: &mut [Conflict], tried: &BTreeMap<MergeInput, Tried>) {
    let content = |version: &Option<Version>| {
        version.as_ref().and_then(|version| version.leaf).map(|leaf| leaf.content)
    };
    for conflict in conflicts.iter_mut().filter(|conflict| conflict.kind == ConflictKind::Content) {
        let versions = (content(&conflict.base), content(&conflict.local), content(&conflict.remote));
        let found =
            tried.iter().find(|(input, _)| (input.base, Some(input.local), Some(input.remote)) == versions);
        if let Some((_, one)) = found.filter(|(_, one)| !one.words.is_empty()) {
            conflict.why = one.words.clone();
        }
    }
}

/// What both trees hold at the same path, as if it had been agreed on as the remote has it: the newer state here wins.
fn common_ground(local: &Tree, far: &Tree) -> Known {
    let mut rows = Vec::new();
    let mut nodes: BTreeMap<Place, (NodeId, Place)> =
        BTreeMap::from([(Place::ROOT, (NodeId::ROOT, Place::ROOT))]);
    for place in far.places().skip(1) {
        let entry = far.at(place);
        let Some((parent, here)) = nodes.get(&entry.parent).copied() else { continue };
        let Some(twin) = local.child(here, &entry.name) else { continue };
        let body = match (&entry.entry, &local.at(twin).entry) {
            (Entry::Folder, Entry::Folder) => Body::Folder,
            (Entry::Leaf(leaf), Entry::Leaf(_)) => Body::Leaf(*leaf),
            _ => continue,
        };
        let id = NodeId(rows.len() as u64 + 1);
        let value = Value { parent, name: entry.name.clone(), body };
        let keys = PerSide { local: local.at(twin).key, remote: None };
        rows.push(Row { id, views: Views::Agreed(value), keys });
        nodes.insert(place, (id, twin));
    }
    Known::new(rows, 0)
}
