//! A plan becomes true: contents are staged, the remote takes its part, the folder here gets its own, and what is true
//! now is written down.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use instep_core::clock::Timestamp;
use instep_core::content::{ContentHasher, ContentId};
use instep_core::mutant;
use instep_core::node::{Body, NodeId, Row};
use instep_core::path::{Name, TreePath};
use instep_core::plan::{Change, ChangeKind};
use instep_core::progress::Phase;
use instep_core::remote::{
    Class, Draft, ObjectId, OfferedContent, RemoteError, RemoteErrorKind, Revision, Source,
};
use instep_core::renames::Rename;
use instep_core::tree::{Entry, Place, Tree};

use super::durable::make_durable;
use super::merging::{open_parent, place_of, stage_here};
use super::outcome::Outcome;
use super::settings::SyncSettings;
use super::think::Thought;
use super::{Cycle, Look, PassEnd, Tools};
use crate::apply::{self, Applied, Setting};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::{self, Way};
use crate::stage::Staging;
use crate::state::{Offered, RemoteRecord};

/// What the remote took.
pub(super) struct Sent {
    pub revision: Revision,
    pub bytes: u64,
}

/// What is ready to be committed: the revision, the names and lengths of its new contents, their bytes in all.
struct Prepared {
    revision: Revision,
    objects: Vec<(ObjectId, ContentId, u64)>,
    bytes: u64,
}

impl<F: Folder> Cycle<'_, F> {
    /// Carries a plan out.
    pub(super) fn carry_out(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &Look,
        mut thought: Thought,
        tools: &mut Tools<'_, F>,
    ) -> Result<Outcome, PassEnd> {
        self.hold_to_plan(settings, look, &thought)?;
        self.write_anew(look, &thought, tools)?;
        let changes = std::mem::take(&mut thought.plan.changes.local);
        thought.received_bytes += self.stage(&changes, &thought, look, tools)?;
        thought.plan.changes.local = changes;
        self.keep_conflicts(record, &thought, look, tools)?;
        self.note_meant()?;
        let sent = match self.send(settings, record, look, &thought, tools) {
            Err(PassEnd::Failed(EngineError::Remote(error)))
                if error.class() == Class::Stale && mutant::is_on("stale-is-done") =>
            {
                None
            }
            sent => sent?,
        };
        let applied = self.apply(&thought.plan.changes.local, &thought, look, tools)?;
        Ok(self.record(settings, record, look, &thought, sent, applied)?)
    }

    /// Brings every content that the folder here is to get into the staging folder; answers how many bytes travelled.
    fn stage(
        &mut self,
        changes: &[Change],
        thought: &Thought,
        look: &Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<u64, EngineError> {
        let mut needed: BTreeSet<ContentId> = changes
            .iter()
            .filter(|change| change.kind() != ChangeKind::Move)
            .filter_map(|change| change.after.as_ref()?.body.content())
            .filter(|content| !tools.staging.has(*content))
            .collect();
        if needed.is_empty() {
            return Ok(0);
        }
        let wanted = names_of(&thought.objects, &needed);
        let received = self.fetch(&wanted.values().copied().collect::<Vec<_>>(), tools)?;
        needed.retain(|content| !tools.staging.has(*content));
        for content in needed {
            if tools.staging.stage_kept(&tools.contents, content)? {
                continue;
            }
            if let Some(place) = place_of(&look.scan.tree, content) {
                stage_here(look, place, content, tools)?;
            }
        }
        Ok(received.iter().map(|one| one.2).sum())
    }

    fn apply(
        &mut self,
        changes: &[Change],
        thought: &Thought,
        look: &Look,
        tools: &mut Tools<'_, F>,
    ) -> Result<Applied, EngineError> {
        if changes.is_empty() {
            return Ok(Applied::default());
        }
        self.began(Phase::Apply, Some(changes.len() as u64), None);
        let now = self.workspace.clock.now();
        let doubt = self.workspace.doubt()?;
        let setting = Setting {
            folder: tools.folder,
            state: &mut self.workspace.state,
            contents: &tools.contents,
            staging: &mut tools.staging,
            tree: &look.scan.tree,
            forms: &look.scan.forms,
            groups: &look.scan.groups,
            places: &thought.plan.places.local,
            operation: &self.operation,
            now,
            doubt,
            observer: self.observer,
        };
        let applied = apply::apply(setting, changes)?;
        self.ended(Phase::Apply);
        Ok(applied)
    }

    /// Makes durable what is about to be agreed on, sends contents, and makes the new tree the remote's head if it still
    /// is the one that was planned on.
    fn send(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &Look,
        thought: &Thought,
        tools: &mut Tools<'_, F>,
    ) -> Result<Option<Sent>, PassEnd> {
        let (folder, tree) = (tools.folder, &look.scan.tree);
        let make_durable = || make_durable(folder, tree, thought);
        if thought.plan.changes.remote.is_empty() {
            make_durable()?;
            return Ok(None);
        }
        // Nothing is offered before both are done: until then, what was prepared is unreferenced, and seen by nobody.
        let prepared = if settings.workers > 1 {
            std::thread::scope(|scope| {
                let syncing = scope.spawn(make_durable);
                let prepared = self.prepare(look, thought, tools);
                syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                prepared
            })
        } else {
            make_durable()?;
            self.prepare(look, thought, tools)
        };
        let Prepared { revision, objects, bytes } = prepared?;
        let expected = look.head.as_ref();
        self.write_offer(record, thought, (expected, &revision))?;
        self.remote.commit(expected, &revision)?;
        // A content has a name there once a commit holds it: what was only offered counts as never sent.
        let id = record.id;
        self.workspace.state.transact(|write| write.objects(id, &objects))?;
        self.ended(Phase::Send);
        Ok(Some(Sent { revision, bytes }))
    }

    /// Brings contents and the new tree to where a commit can name them.
    fn prepare(&self, look: &Look, thought: &Thought, tools: &mut Tools<'_, F>) -> Result<Prepared, PassEnd> {
        let changes = &thought.plan.changes.remote;
        let needed: BTreeSet<ContentId> =
            changes.iter().filter_map(|change| change.after.as_ref()?.body.content()).collect();
        let mut object_of = still_there(thought, names_of(&thought.objects, &needed));
        let offered: Vec<ContentId> =
            needed.iter().copied().filter(|content| !object_of.contains_key(content)).collect();
        self.stage_forms(look, &offered, tools)?;
        let source = Offer::new(tools, &look.scan.tree, &offered);
        let bytes = source.bytes(&offered);
        self.began(Phase::Send, Some(offered.len() as u64), Some(bytes));
        let named = self.remote.upload(&offered, &source, self.observer)?;
        if let Some(end) = source.changed_meanwhile().filter(|_| !mutant::is_on("sent-unverified")) {
            return Err(end);
        }
        let mut objects = Vec::with_capacity(offered.len());
        for (content, object) in offered.iter().zip(named) {
            object_of.insert(*content, object);
            objects.push((object, *content, source.size(*content)));
        }
        let draft = self.draft(thought, &look.scan.tree, &object_of);
        let revision = self.remote.prepare(look.head.as_ref(), &draft)?;
        Ok(Prepared { revision, objects, bytes })
    }

    /// Stages what is offered in place of files that travel in a form.
    fn stage_forms(
        &self,
        look: &Look,
        offered: &[ContentId],
        tools: &mut Tools<'_, F>,
    ) -> Result<(), PassEnd> {
        let tree = &look.scan.tree;
        for (place, formed) in &look.scan.forms {
            let Entry::Leaf(leaf) = tree.at(*place).entry else { continue };
            let is_offered = offered.contains(&leaf.content) && formed.disk != Some(leaf.content);
            if !is_offered {
                continue;
            }
            let is_staged = match formed.way {
                Way::Markers => tools.staging.stage_kept(&tools.contents, leaf.content)?,
                _ => form::stage(tools.folder, &look.scan, *place, leaf.content, &mut tools.staging)?,
            };
            if !is_staged {
                return Err(PassEnd::Changed(vec![tree.path(*place)]));
            }
        }
        Ok(())
    }

    /// Writes down what the commit offers: for what changes at the remote alone, that is what both sides agree on if
    /// it is taken.
    fn write_offer(
        &mut self,
        record: &RemoteRecord,
        thought: &Thought,
        (expected, revision): (Option<&Revision>, &Revision),
    ) -> Result<(), EngineError> {
        let here: BTreeSet<NodeId> = thought.plan.changes.local.iter().map(|change| change.node).collect();
        let rows: Vec<Row> =
            thought.plan.rows.iter().filter(|row| !here.contains(&row.id)).cloned().collect();
        let (expected, revision, next) = (expected.cloned(), revision.clone(), thought.plan.next);
        let offered = Offered { expected, revision, rows, forgotten: Vec::new(), next };
        let id = record.id;
        if mutant::is_on("offer-not-written") {
            return Ok(());
        }
        let heard = self.workspace.state.heard(id, record.head.as_ref())?;
        self.workspace.state.transact(|write| {
            write.offer(id, &offered)?;
            // If it is taken and nothing more comes to pass here, what the commits before it say is still to be heard.
            write.heard(id, heard.as_ref())
        })
    }

    fn draft(&self, thought: &Thought, local: &Tree, object_of: &BTreeMap<ContentId, ObjectId>) -> Draft {
        let plan = &thought.plan;
        let entries = super::draft::draft(
            &thought.far,
            thought.snapshot.as_ref(),
            &plan.places.remote,
            &plan.changes.remote,
            object_of,
        );
        let now = self.workspace.clock.now();
        let modified = |change: &Change| {
            let place = plan.places.local.of(change.node)?;
            matches!(change.after.as_ref()?.body, Body::Leaf(_)).then(|| local.at(place).modified)?
        };
        let time =
            plan.changes.remote.iter().filter_map(modified).filter(|time| *time <= now).max().unwrap_or(now);
        let edits = plan
            .changes
            .remote
            .iter()
            .filter(|change| matches!(change.kind(), ChangeKind::Write | ChangeKind::MoveAndWrite));
        let times = edits
            .filter_map(|change| Some((change.to.clone()?, modified(change)?)))
            .filter(|(_, at)| at.seconds().abs_diff(time.seconds()) > 1)
            .collect();
        let moves = plan
            .changes
            .remote
            .iter()
            .filter(|change| matches!(change.kind(), ChangeKind::Move | ChangeKind::MoveAndWrite));
        let renames =
            moves.filter_map(|change| Some(Rename { from: change.from.clone()?, to: change.to.clone()? }));
        Draft {
            entries,
            message: self.message(&plan.changes.remote),
            machine: self.workspace.machine.clone(),
            operation: self.operation.clone(),
            time: time.max(Timestamp::from_ns(0)),
            times,
            allows_deletes: self.request.allow_delete,
            renames: renames.collect(),
        }
    }

    /// The message for people at the remote: who sent what, in one line.
    fn message(&self, changes: &[Change]) -> String {
        if let Some(message) = &self.request.message {
            return message.clone();
        }
        let machine = &self.workspace.machine.name;
        let verb = |kind| match kind {
            ChangeKind::Create => "add",
            ChangeKind::Remove => "remove",
            ChangeKind::Move => "move",
            ChangeKind::Write | ChangeKind::MoveAndWrite => "change",
        };
        let files: Vec<&Change> = changes.iter().filter(|change| !is_folder(change)).collect();
        let told = if files.is_empty() { changes.iter().collect() } else { files };
        if let [one] = told.as_slice() {
            return format!("{machine}: {} {}", verb(one.kind()), one.path());
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for change in &told {
            *counts.entry(verb(change.kind())).or_default() += 1;
        }
        let parts: Vec<String> = counts.iter().map(|(verb, count)| format!("{verb} {count}")).collect();
        format!("{machine}: {}", parts.join(", "))
    }
}

fn is_folder(change: &Change) -> bool {
    change.after.as_ref().or(change.before.as_ref()).is_some_and(|value| value.body == Body::Folder)
}

/// The names among these that the remote's head lists: what was sent once and is in no head may be gone from there.
fn still_there(thought: &Thought, mut names: BTreeMap<ContentId, ObjectId>) -> BTreeMap<ContentId, ObjectId> {
    let asked: BTreeSet<ObjectId> = names.values().copied().collect();
    let entries = thought.snapshot.iter().flat_map(|snapshot| &snapshot.entries);
    let listed: BTreeSet<ObjectId> =
        entries.map(|entry| entry.object).filter(|object| asked.contains(object)).collect();
    names.retain(|_, object| listed.contains(object) || mutant::is_on("sent-once-is-there"));
    names
}

/// The remote's names of contents, where it has any; of several the greatest.
fn names_of(objects: &super::far::Objects, contents: &BTreeSet<ContentId>) -> BTreeMap<ContentId, ObjectId> {
    let mut names = BTreeMap::new();
    if contents.is_empty() {
        return names;
    }
    let wanted: HashSet<ContentId> = contents.iter().copied().collect();
    for (object, (content, _)) in objects.iter().filter(|(_, (content, _))| wanted.contains(content)) {
        let name = names.entry(*content).or_insert(*object);
        *name = (*name).max(*object);
    }
    names
}

/// Contents on their way out, from the folder here or the staging folder. Each is named again while it is read: a file
/// that changed since the scan is noticed.
struct Offer<'t, 'f, F: Folder> {
    folder: &'f F,
    staging: &'t Staging<'f, F>,
    tree: &'t Tree,
    places: BTreeMap<ContentId, (Place, u64)>,
    last: Mutex<Option<(Place, F::Dir)>>,
    changed: std::sync::Arc<Mutex<Vec<ContentId>>>,
}

impl<'t, 'f, F: Folder> Offer<'t, 'f, F> {
    fn new(tools: &'t Tools<'f, F>, tree: &'t Tree, offered: &[ContentId]) -> Self {
        let wanted: HashSet<ContentId> = offered.iter().copied().collect();
        let mut places = BTreeMap::new();
        for place in tree.places() {
            if let Entry::Leaf(leaf) = tree.at(place).entry
                && wanted.contains(&leaf.content)
            {
                places.entry(leaf.content).or_insert((place, leaf.size));
            }
        }
        let changed = std::sync::Arc::default();
        Offer { folder: tools.folder, staging: &tools.staging, tree, places, last: Mutex::new(None), changed }
    }

    fn size(&self, content: ContentId) -> u64 {
        match self.staging.size(content) {
            Some(size) => size,
            None => self.places.get(&content).map_or(0, |found| found.1),
        }
    }

    fn bytes(&self, offered: &[ContentId]) -> u64 {
        offered.iter().map(|content| self.size(*content)).sum()
    }

    /// The paths of files that changed while they were sent.
    fn changed_meanwhile(&self) -> Option<PassEnd> {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let paths: Vec<TreePath> = changed
            .iter()
            .filter_map(|content| self.places.get(content))
            .map(|(place, _)| self.tree.path(*place))
            .collect();
        (!changed.is_empty()).then_some(PassEnd::Changed(paths))
    }

    fn parent(&self, place: Place) -> Result<(F::Dir, Name), EngineError> {
        let parent = self.tree.at(place).parent;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, dir)) = last.as_ref()
            && *at == parent
        {
            return Ok((dir.clone(), self.tree.at(place).name.clone()));
        }
        let (dir, name) = open_parent(self.folder, self.tree, place)?;
        *last = Some((parent, dir.clone()));
        Ok((dir, name))
    }

    fn bytes_of(&self, content: ContentId) -> Result<Box<dyn Read + Send>, EngineError> {
        if let Some(bytes) = self.staging.reader(content)? {
            return Ok(bytes);
        }
        let Some((place, _)) = self.places.get(&content) else {
            return Err(EngineError::StateCorrupt(format!("no file holds the content {content}")));
        };
        let (dir, name) = self.parent(*place)?;
        let is_link = matches!(self.tree.at(*place).entry,
            Entry::Leaf(leaf) if leaf.kind == instep_core::tree::LeafKind::Link);
        if is_link {
            return Ok(Box::new(std::io::Cursor::new(self.folder.read_link(&dir, &name)?)));
        }
        Ok(Box::new(self.folder.open(&dir, &name)?))
    }
}

impl<F: Folder> Source for Offer<'_, '_, F> {
    fn open(&self, content: ContentId) -> Result<OfferedContent, RemoteError> {
        let size = self.size(content);
        let changed = std::sync::Arc::clone(&self.changed);
        let bytes = match self.bytes_of(content) {
            Ok(bytes) => bytes,
            // It is gone, or not what it was: nothing is read, and the content is noted as changed.
            Err(EngineError::Folder(_)) => Box::new(std::io::empty()),
            Err(error) => {
                return Err(RemoteError::new(RemoteErrorKind::Local, "E-STATE", error.to_string()));
            }
        };
        let bytes = Box::new(Exactly { bytes, left: size, hasher: ContentHasher::new(), content, changed });
        Ok(OfferedContent { size, bytes })
    }
}

/// Reads exactly as many bytes as were promised, and notes if they are not the promised ones.
struct Exactly {
    bytes: Box<dyn Read + Send>,
    left: u64,
    hasher: ContentHasher,
    content: ContentId,
    changed: std::sync::Arc<Mutex<Vec<ContentId>>>,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let mut count = self.bytes.read(&mut buffer[..room]).unwrap_or(0);
        if count == 0 {
            buffer[..room].fill(0);
            count = room;
        }
        self.hasher.update(&buffer[..count]);
        self.left -= count as u64;
        if self.left == 0 && self.hasher.finish() != self.content {
            self.changed.lock().unwrap_or_else(PoisonError::into_inner).push(self.content);
        }
        Ok(count)
    }
}
