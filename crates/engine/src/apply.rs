//! Carries a plan out on the folder: every step at a directory handle, nothing overwritten, what is displaced kept.
//!
//! Contents are staged and durable before the first step. Steps run round after round, each when it is ready; a round
//! without progress parks one thing in the staging folder, which breaks rotations. A step that meets something else than
//! the plan saw fails alone, and so do those that need it; the rest goes on.

mod beside;
mod ground;
mod keys;
mod leaf;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::filter::Groups;
use instep_core::mutant;
use instep_core::node::{Body, NodeId, Side, Value};
use instep_core::path::TreePath;
use instep_core::plan::{Change, Places};
use instep_core::progress::{Event, Observer, Phase};
use instep_core::tree::{Key, Place, Tree};

use crate::cycle::durable::sync_names;
use crate::cycle::naming;
use crate::cycle::outcome::Held;
use crate::digest::Digest;
use crate::failure::EngineError;
use crate::folder::{Folder, FolderError, FolderFailure, Metadata};
use crate::form::Forms;
use crate::history::contents::Contents;
use crate::stage::Staging;
use crate::state::{Kept, State};

use ground::Ground;
use order::{Step, StepKind};

/// Up to so many files, each is made durable by itself: the disk may hold much that is none of ours.
const HANDFUL: usize = 8;
/// Why a step fails that meets something else than the plan saw.
const CHANGED: &str = "it changed while the sync was running; the next sync looks again";

/// All that an apply works with.
pub struct Setting<'a, 'f, F: Folder> {
    /// The workspace's folder.
    pub folder: &'a F,
    /// Its database, for the journal.
    pub state: &'a mut State,
    /// Its kept contents.
    pub contents: &'a Contents<'f, F>,
    /// The staged contents.
    pub staging: &'a mut Staging<'f, F>,
    /// What the folder was seen to hold.
    pub tree: &'a Tree,
    /// What lies on the disk, where that is not what travels.
    pub forms: &'a Forms,
    /// The groups, which say what is to lie there of what comes.
    pub groups: &'a Groups,
    /// Which entry each node is.
    pub places: &'a Places,
    /// The operation's id, for the journal and the history.
    pub operation: &'a str,
    /// The present moment.
    pub now: Timestamp,
    /// Up to when nothing is believed to be durable; see [`doubt`](crate::doubt).
    pub doubt: Option<Timestamp>,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
}

/// What an apply came to.
#[derive(Debug, Default)]
pub struct Applied {
    /// The nodes whose change was not carried out, each with the reason.
    pub failed: BTreeMap<NodeId, Held>,
    /// The identity that each created or rewritten node has now.
    pub keys: BTreeMap<NodeId, Key>,
    /// What the new files were found to hold.
    pub fresh: Vec<Digest>,
    /// The versions that were displaced.
    pub kept: Vec<Kept>,
    /// What was settled at the end, for people.
    pub notices: Vec<String>,
}

/// A file that was put in place, to be looked at once more when all is durable.
struct Placed {
    node: NodeId,
    staged: Metadata,
    content: ContentId,
}

/// Carries out the changes of the local side.
pub fn apply<F: Folder>(mut setting: Setting<'_, '_, F>, changes: &[Change]) -> Result<Applied, EngineError> {
    naming::remember(setting.state, setting.groups)?;
    let arriving = keys::arriving(&mut setting, changes)?;
    let changes = &arriving.changes[..];
    for (content, uses) in count_uses(changes) {
        setting.staging.multiply(content, uses)?;
    }
    let steps = order::steps(changes);
    // Many files that are to be displaced are made durable in one call, and what is staged with them; of a handful, the
    // names now, and what each holds before its turn.
    let displaced: Vec<NodeId> =
        steps.iter().filter(|step| step.kind.displaces()).map(|step| step.node).collect();
    let all_durable = displaced.len() > HANDFUL;
    let mut gone = Vec::new();
    if all_durable && !mutant::is_on("displaced-not-durable") {
        setting.folder.sync_all()?;
    } else {
        setting.staging.sync()?;
        if !mutant::is_on("displaced-names-not-durable") {
            let places = displaced.iter().filter_map(|node| setting.places.of(*node));
            gone = sync_names(setting.folder, setting.tree, places)?;
        }
    }
    let mut work = Work {
        ground: Ground::new(setting.folder, setting.tree, setting.places),
        changes: changes.iter().map(|change| (change.node, change)).collect(),
        applied: Applied { failed: arriving.failed, ..Applied::default() },
        placed: Vec::new(),
        journaled: 0,
        all_durable,
        setting,
    };
    // The way to it may be back at its turn, and durable nowhere.
    let (unsure, mut steps): (Vec<Step>, Vec<Step>) =
        steps.into_iter().partition(|step| step.kind.displaces() && work.is_below(step.node, &gone));
    work.fail_all(unsure, "E-RACE", CHANGED);
    work.write_journal(&mut steps)?;
    work.run(steps)?;
    work.finish()
}

/// How often each content is asked for.
fn count_uses(changes: &[Change]) -> BTreeMap<ContentId, usize> {
    let mut uses = BTreeMap::new();
    for change in changes {
        let Some(Body::Leaf(leaf)) = change.after.as_ref().map(|value| value.body) else { continue };
        let after = change.after.as_ref();
        if change.before.as_ref().zip(after).is_none_or(|(before, after)| order::is_written(before, after)) {
            *uses.entry(leaf.content).or_default() += 1;
        }
    }
    uses
}

struct Work<'a, 'f, F: Folder> {
    setting: Setting<'a, 'f, F>,
    ground: Ground<'a, F>,
    changes: BTreeMap<NodeId, &'a Change>,
    applied: Applied,
    placed: Vec<Placed>,
    journaled: usize,
    /// All that stood in the folder before the first step is durable.
    all_durable: bool,
}

/// What became of one try of a step.
enum Tried {
    /// It is done.
    Done,
    /// It can't be done yet.
    Blocked,
}

/// Why a step failed: the path's own trouble, or the end of everything.
enum StepError {
    /// Only this path.
    Held(Held),
    /// All of it.
    Engine(EngineError),
}

impl From<EngineError> for StepError {
    fn from(error: EngineError) -> Self {
        StepError::Engine(error)
    }
}

impl<F: Folder> Work<'_, '_, F> {
    /// Runs the steps, round after round, until none is left or none can go on.
    fn run(&mut self, mut pending: Vec<Step>) -> Result<(), EngineError> {
        while !pending.is_empty() {
            if self.setting.observer.is_cancelled() {
                self.fail_all(pending, "E-CANCELLED", "it was interrupted before this file's turn");
                return Ok(());
            }
            let before = pending.len();
            self.ground.note_leaving(&pending);
            pending = self.round(pending)?;
            if pending.len() < before {
                continue;
            }
            match pending
                .iter()
                .position(|step| step.kind == StepKind::Move && !self.ground.is_parked(step.node))
            {
                Some(at) => self.park(pending[at].node)?,
                None => {
                    self.fail_all(
                        pending,
                        "E-RACE",
                        "something else stands in its way; the next sync looks again",
                    );
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Tries each step once: folders are removed last and from the leaves up, so that one round empties a tree.
    fn round(&mut self, pending: Vec<Step>) -> Result<Vec<Step>, EngineError> {
        let (removals, others): (Vec<Step>, Vec<Step>) =
            pending.into_iter().partition(|step| step.kind == StepKind::RemoveFolder);
        let mut left: Vec<Step> = Vec::new();
        // A move is sure of what it moves by what the scan saw: nothing is written into it before.
        let mut waiting = BTreeSet::new();
        for step in others.into_iter().chain(removals.into_iter().rev()) {
            if self.applied.failed.contains_key(&step.node) {
                continue;
            }
            if waiting.contains(&step.node) {
                left.push(step);
                continue;
            }
            match self.attempt(&step) {
                Ok(Tried::Done) => {
                    self.ground.forget_leaving(step.node, step.kind);
                    self.setting.observer.observe(Event::Advanced {
                        phase: Phase::Apply,
                        files: 1,
                        bytes: 0,
                    });
                }
                Ok(Tried::Blocked) => {
                    waiting.insert(step.node);
                    left.push(step);
                }
                Err(StepError::Held(held)) => {
                    self.ground.forget_leaving(step.node, step.kind);
                    self.applied.failed.insert(step.node, held);
                }
                Err(StepError::Engine(error)) => return Err(error),
            }
        }
        left.sort_by_key(|step| step.turn);
        Ok(left)
    }

    /// Answers whether a node was seen at one of these places, or in a folder there.
    fn is_below(&self, node: NodeId, places: &[Place]) -> bool {
        let tree = self.setting.tree;
        let up = |at: &Place| (*at != Place::ROOT).then(|| tree.at(*at).parent);
        std::iter::successors(self.setting.places.of(node), up).any(|at| places.contains(&at))
    }

    fn attempt(&mut self, step: &Step) -> Result<Tried, StepError> {
        let change = self.changes[&step.node];
        match step.kind {
            StepKind::CreateFolder => self.create_folder(change),
            StepKind::CreateLeaf => self.create_leaf(change),
            StepKind::Move => self.move_node(change),
            StepKind::Write => self.write_leaf(change, step),
            StepKind::SetExec => self.set_exec(change),
            StepKind::RemoveLeaf => self.remove_leaf(change, step),
            StepKind::RemoveFolder => self.remove_folder(change),
        }
    }

    /// The reason, worded, of a failure at a change's path.
    fn held(&self, change: &Change, error: &FolderError) -> StepError {
        let why = match error.failure() {
            FolderFailure::Full => "the disk is full".to_owned(),
            FolderFailure::Denied => "permission denied".to_owned(),
            FolderFailure::ReadOnly => "the disk can only be read".to_owned(),
            FolderFailure::Taken | FolderFailure::Raced | FolderFailure::Missing => CHANGED.to_owned(),
            FolderFailure::NotEmpty => "the folder holds something that is not synced".to_owned(),
            FolderFailure::Unnameable => "this disk can't hold the name".to_owned(),
            FolderFailure::Fixed => self.fixed(change),
            _ => format!("{error}: {}", error.source),
        };
        StepError::Held(Held { path: change.path().clone(), side: Side::Local, code: error.code(), why })
    }

    /// Why a move fails for good.
    fn fixed(&self, change: &Change) -> String {
        let seen = self.setting.places.of(change.node);
        let from = seen.map_or_else(|| change.path().clone(), |at| self.setting.tree.path(at));
        format!(
            "this file system can't rename {from}, which holds a mount, or lies in a layer of a container's image; move it \
             yourself (`mv`), then sync again"
        )
    }

    fn raced(&self, change: &Change) -> StepError {
        let path = change.path().clone();
        StepError::Held(Held { path, side: Side::Local, code: "E-RACE", why: CHANGED.to_owned() })
    }

    fn fail_all(&mut self, steps: Vec<Step>, code: &'static str, why: &str) {
        for step in steps {
            let path = self.changes[&step.node].path().clone();
            let held = Held { path, side: Side::Local, code, why: why.to_owned() };
            self.applied.failed.entry(step.node).or_insert(held);
        }
    }

    /// A step whose folder could not be made, or moved, fails with it.
    fn needs_parent(&self, change: &Change, after: &Value) -> Result<(), StepError> {
        match self.applied.failed.get(&after.parent) {
            Some(parent) => Err(StepError::Held(Held {
                path: change.path().clone(),
                side: Side::Local,
                code: parent.code,
                why: format!("its folder could not be brought up to date: {}", parent.why),
            })),
            None => Ok(()),
        }
    }

    fn create_folder(&mut self, change: &Change) -> Result<Tried, StepError> {
        let after = change.after.as_ref().expect("because a creation has an after");
        self.needs_parent(change, after)?;
        if self.ground.is_taken(after, change.node) {
            return Ok(Tried::Blocked);
        }
        let Some(dir) = self.ground.dir(after.parent).map_err(|error| self.held(change, &error))? else {
            return Ok(Tried::Blocked);
        };
        let folder = self.setting.folder;
        folder.create_folder(&dir, &after.name).map_err(|error| self.held(change, &error))?;
        let metadata = folder.open_folder(&dir, &after.name).and_then(|made| folder.folder_metadata(&made));
        let metadata = metadata.map_err(|error| {
            // It would be taken for a person's own, and for durable.
            _ = folder.remove_folder(&dir, &after.name);
            self.held(change, &error)
        })?;
        self.applied.keys.insert(change.node, metadata.key);
        self.ground.put(change.node, after, metadata.key);
        self.touch(change.node, change)?;
        Ok(Tried::Done)
    }

    /// The folder in which a node stands now got a name, and must be made durable.
    fn touch(&mut self, node: NodeId, change: &Change) -> Result<(), StepError> {
        self.ground.stand(node).map(|_| ()).map_err(|error| self.held(change, &error))
    }

    fn remove_folder(&mut self, change: &Change) -> Result<Tried, StepError> {
        let Some((dir, name)) = self.ground.stand(change.node).map_err(|error| self.held(change, &error))?
        else {
            return Ok(Tried::Blocked);
        };
        match self.setting.folder.remove_folder(&dir, &name) {
            Ok(()) => {
                self.ground.remove(change.node);
                Ok(Tried::Done)
            }
            Err(error)
                if error.failure() == FolderFailure::NotEmpty && self.ground.is_awaited(change.node) =>
            {
                Ok(Tried::Blocked)
            }
            Err(error) if error.failure() == FolderFailure::Missing => {
                self.ground.remove(change.node);
                Ok(Tried::Done)
            }
            Err(error) => Err(self.held(change, &error)),
        }
    }

    fn move_node(&mut self, change: &Change) -> Result<Tried, StepError> {
        let after = change.after.as_ref().expect("because a move has an after");
        self.needs_parent(change, after)?;
        if self.ground.is_below(after.parent, change.node) {
            return Ok(Tried::Blocked);
        }
        let Some(target) = self.ground.dir(after.parent).map_err(|error| self.held(change, &error))? else {
            return Ok(Tried::Blocked);
        };
        let Some((dir, name)) = self.ground.stand(change.node).map_err(|error| self.held(change, &error))?
        else {
            return Ok(Tried::Blocked);
        };
        let found = self.look_before(change, &dir, &name)?;
        let asides = self.clear_to_move(change, (&dir, &name), &found)?;
        if let Some(other) = self.ground.holder(after, change.node) {
            return self.move_onto(change, after, other, (&dir, &name), &target);
        }
        let folder = self.setting.folder;
        match folder.place((&dir, &name), (&target, &after.name)) {
            Ok(()) => {}
            // A change of case on a disk that folds it: the name that is taken is our own.
            Err(error)
                if error.failure() == FolderFailure::Taken
                    && self.is_same_file(change, &name, &target, after)? =>
            {
                folder
                    .replace((&dir, &name), (&target, &after.name))
                    .map_err(|error| self.held(change, &error))?;
            }
            Err(error) => return Err(self.held(change, &error)),
        }
        self.ground.relocate(change.node, after);
        self.touch(change.node, change)?;
        self.keep_aside(change, asides)?;
        Ok(Tried::Done)
    }

    /// Answers whether the file under the wanted name is the one that is to be moved there. Some disks number each
    /// spelling of a name: there it is, if nothing is listed under the wanted one.
    fn is_same_file(
        &self,
        change: &Change,
        name: &instep_core::path::Name,
        target: &F::Dir,
        after: &Value,
    ) -> Result<bool, StepError> {
        let folder = self.setting.folder;
        let found = folder.metadata(target, &after.name).map_err(|error| self.held(change, &error))?;
        if found.is_some_and(|found| Some(found.key) == self.ground.key(change.node)) {
            return Ok(true);
        }
        let fold = folder.abilities().fold;
        let stays = change.before.as_ref().is_some_and(|before| before.parent == after.parent);
        if !stays || fold.key(name) != fold.key(&after.name) {
            return Ok(false);
        }
        let listed = folder.list(target).map_err(|error| self.held(change, &error))?;
        Ok(!listed.names.contains(&after.name))
    }

    /// The target's name is held by a node that leaves it: one that wants exactly our place changes places with us, a
    /// file that is to be removed steps into our place and is removed from there. Else wait.
    fn move_onto(
        &mut self,
        change: &Change,
        after: &Value,
        other: NodeId,
        from: (&F::Dir, &instep_core::path::Name),
        target: &F::Dir,
    ) -> Result<Tried, StepError> {
        let Some(other_change) = self.changes.get(&other).copied() else { return Ok(Tried::Blocked) };
        let swaps = other_change.after.as_ref().is_some_and(|wanted| self.ground.is_at(change.node, wanted));
        let leaves_for_good = other_change.after.is_none()
            && other_change.before.as_ref().is_some_and(|v| v.body != Body::Folder);
        // Under another spelling of the name, which the disk takes for the same, they can't change places.
        if !(swaps || leaves_for_good)
            || !self.ground.is_at(other, after)
            || self.ground.is_below(other, change.node)
            || self.ground.is_below(change.node, other)
        {
            return Ok(Tried::Blocked);
        }
        let folder = self.setting.folder;
        match folder.exchange(from, (target, &after.name)) {
            Ok(()) => {
                self.ground.swap(change.node, other);
                self.touch(change.node, change)?;
                Ok(Tried::Done)
            }
            Err(error) if error.failure() == FolderFailure::Unsupported => Ok(Tried::Blocked),
            Err(error) => Err(self.held(change, &error)),
        }
    }

    /// Puts one node aside so that others can pass.
    fn park(&mut self, node: NodeId) -> Result<(), EngineError> {
        let change = self.changes[&node];
        let slot = self.setting.staging.slot('p', self.setting.operation);
        let path =
            |path: &Option<TreePath>| path.as_ref().map_or(Vec::new(), |path| path.as_bytes().to_vec());
        let entry = crate::journal::Entry::Park {
            slot: String::from_utf8_lossy(slot.as_bytes()).into_owned(),
            from: path(&change.from),
            to: path(&change.to),
        };
        self.write_entries(&[entry])?;
        let stood = self.ground.stand(node)?;
        let parked = stood
            .map(|(dir, name)| self.setting.folder.place((&dir, &name), (self.setting.staging.dir(), &slot)));
        match parked {
            Some(Ok(())) => self.ground.park(node, slot, self.setting.staging.dir().clone()),
            Some(Err(error)) => {
                if let StepError::Held(held) = self.held(change, &error) {
                    self.applied.failed.insert(node, held);
                }
            }
            None => {
                if let StepError::Held(held) = self.raced(change) {
                    self.applied.failed.insert(node, held);
                }
            }
        }
        Ok(())
    }

    fn write_journal(&mut self, steps: &mut [Step]) -> Result<(), EngineError> {
        let mut entries = Vec::new();
        for step in steps.iter_mut().filter(|step| step.kind.displaces()) {
            let change = self.changes[&step.node];
            let slot = self.setting.staging.slot('q', self.setting.operation);
            let content = |value: &Option<Value>| value.as_ref().and_then(|v| v.body.content());
            let old = self.lies_there(change).or(content(&change.before));
            entries.push(crate::journal::Entry::Write {
                slot: String::from_utf8_lossy(slot.as_bytes()).into_owned(),
                path: change.from.as_ref().map_or(Vec::new(), |path| path.as_bytes().to_vec()),
                old: old.map_or(String::new(), |content| content.to_string()),
                new: content(&change.after).map(|content| content.to_string()),
            });
            step.slot = Some(slot);
        }
        self.write_entries(&entries)
    }

    /// What the file of a change was seen to hold, where that is not what travels.
    fn lies_there(&self, change: &Change) -> Option<ContentId> {
        self.setting.forms.get(&self.ground.place(change.node)?)?.disk
    }

    fn write_entries(&mut self, entries: &[crate::journal::Entry]) -> Result<(), EngineError> {
        if entries.is_empty() || mutant::is_on("journal-not-written") {
            return Ok(());
        }
        let texts: Vec<String> = entries
            .iter()
            .map(|entry| serde_json::to_string(entry).expect("because an entry has only strings and bytes"))
            .collect();
        let (operation, first) = (self.setting.operation, self.journaled);
        self.setting.state.transact(|write| write.journal(operation, first, &texts))?;
        self.journaled += texts.len();
        Ok(())
    }

    /// Makes it all durable, and looks once more at what was put in place: a file that is still as we staged it needs
    /// no reading next time.
    fn finish(mut self) -> Result<Applied, EngineError> {
        if self.changes.is_empty() {
            return Ok(self.applied);
        }
        self.ground.sync(self.changes.len(), self.setting.contents, self.setting.staging.dir())?;
        let observed = self.setting.folder.now()?;
        for placed in std::mem::take(&mut self.placed) {
            let Ok(Some((dir, name))) = self.ground.stand(placed.node) else { continue };
            let Ok(Some(metadata)) = self.setting.folder.metadata(&dir, &name) else { continue };
            let digest = Digest { metadata, content: placed.content, observed };
            let untouched = leaf::is_untouched(&metadata, &placed.staged);
            // Written and placed within one tick: an edit in the same tick would leave no trace in the times.
            if untouched && metadata.changed.ns() - metadata.modified.ns() > crate::digest::TICK_NS {
                self.applied.fresh.push(digest);
            }
        }
        self.settle()?;
        Ok(self.applied)
    }

    /// A step that failed half-way left something in its slot, or parked it, and the next cycle drops all that stands in
    /// the staging folder without an open journal: each slot is settled now, as after a crash.
    fn settle(&mut self) -> Result<(), EngineError> {
        let has_failed = !self.applied.failed.is_empty() && !mutant::is_on("failed-steps-unsettled");
        if self.journaled > 0 && has_failed {
            let Setting { folder, state, now, .. } = &mut self.setting;
            self.applied.notices = crate::journal::recover(*folder, state, *now, None)?.notices;
        }
        Ok(())
    }
}
