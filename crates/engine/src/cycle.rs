//! One pass: scan, ask, reconcile, stage, commit, apply, record; each one call.
//!
//! The remote is changed before the folder here: until it has accepted, nothing that a person can see has changed, so
//! that a remote that moved on costs only a new plan. A crash in between is harmless: what was offered is written down,
//! and what is known of each path moves only when it is true on the disk.

pub mod draft;
pub mod far;
pub mod glance;
pub mod outcome;
pub mod plan_file;
pub mod quiet;
pub mod request;
pub mod rules;
pub mod settings;

mod abroad;
mod anew;
pub(crate) mod ask;
pub(crate) mod damage;
mod deliver;
pub(crate) mod durable;
mod marking;
pub(crate) mod merging;
pub(crate) mod naming;
mod occupied;
mod record;
pub(crate) mod report;
mod select;
pub(crate) mod think;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::node::{Known, NodeId, PerSide};
use instep_core::path::TreePath;
use instep_core::policy::{Direction, Strategy};
use instep_core::progress::{Event, Observer, Phase};
use instep_core::remote::{Class, Remote, RemoteError, Revision, Snapshot};
use instep_core::tree::{Tree, Unknown};

use crate::conflict::marked;
use crate::failure::{Danger, EngineError};
use crate::folder::Folder;
use crate::form;
use crate::history::contents::Contents;
use crate::history::retention;
use crate::history::undo::finish_half_undone;
use crate::journal;
use crate::scan::{Scan, ScanOptions};
use crate::stage::Staging;
use crate::state::RemoteRecord;
use crate::workspace::Workspace;

use abroad::Believed;
use anew::Anew;
use damage::Damaged;
use far::Objects;
use marking::Marking;
use outcome::{Held, Outcome};
use request::Request;
use rules::Rules;
use settings::{SettingsSource, SyncSettings};
use think::Thought;

/// How often a cycle plans anew because the remote moved on while it worked.
const STALE_TRIES: u32 = 5;

/// How often the first cycle after a restart looks for damage: what it could not help is held, and not met again.
const MENDING_TRIES: u32 = 3;

/// How often new shared rules may arrive within one cycle before it goes on with what it has.
const RULE_TRIES: u32 = 3;

/// Makes the folder and the remote agree, as far as the request lets it.
pub fn run<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    source: &dyn SettingsSource,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    let outcome = passes(workspace, remote, source, request, observer);
    workspace.note_refusals();
    outcome
}

fn passes<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    source: &dyn SettingsSource,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    let started = std::time::Instant::now();
    let mut notices = recover(workspace)?;
    if !request.dry_run {
        rules::remember_good(&mut workspace.state, source)?;
    }
    let mut held_back = BTreeSet::new();
    if may_finish_undos(request) {
        let settings = rules::in_force(&workspace.state, &*workspace.folder, source, Rules::default())?;
        if settings.way() != Direction::Pull {
            match finish_half_undone(workspace, remote, &settings, observer) {
                Ok(finished) => {
                    notices.extend(finished.notices);
                    if !mutant::is_on("undone-goes-again-at-once") {
                        held_back = finished.paths;
                    }
                }
                // The person's leave is for the cycle: the undo waits until the remote is one to build on again.
                Err(EngineError::Halted(_)) if request.allow_rewind => {}
                Err(error) => return Err(error),
            }
        }
    }
    let mut restless = BTreeMap::<TreePath, u32>::new();
    let mut anew = Anew::default();
    for attempt in 1..=STALE_TRIES {
        let mut cycle = Cycle::new(workspace, remote, source, request, observer, &restless, &mut notices);
        cycle.held_back.clone_from(&held_back);
        cycle.anew.clone_from(&anew);
        match cycle.pass(true) {
            Ok(mut outcome) => {
                if !request.dry_run {
                    rules::remember_good(&mut workspace.state, source)?;
                }
                notices.append(&mut outcome.notices);
                outcome.notices = notices;
                outcome.duration_ms = started.elapsed().as_millis() as u64;
                return Ok(outcome);
            }
            Err(PassEnd::Changed(paths)) => {
                paths.into_iter().for_each(|path| *restless.entry(path).or_default() += 1);
                // What was to travel in place of a file may not be had from it any more.
                workspace.state.transact(|write| write.forget_forms())?;
                let why = "files changed while they were sent; looking again".to_owned();
                observer.observe(Event::Retrying { why, wait_ms: 0 });
            }
            Err(PassEnd::Anew(written)) => {
                anew = written;
                let why = "files were written anew that the disk had refused; looking again".to_owned();
                observer.observe(Event::Retrying { why, wait_ms: 0 });
            }
            Err(PassEnd::Failed(EngineError::Remote(error))) if error.class() == Class::Stale => {
                let why = "the remote changed meanwhile; planning again".to_owned();
                observer.observe(Event::Retrying { why, wait_ms: 0 });
                (workspace.wait)(pause(workspace, attempt));
            }
            Err(PassEnd::Failed(error)) => return Err(error),
        }
        // The next pass begins with an empty staging folder, as the first did.
        notices.append(&mut Staging::open(&*workspace.folder)?.sweep()?);
    }
    Err(EngineError::RemoteBusy(STALE_TRIES))
}

/// Says what a cycle would do, against the remote as it was when last asked; with `fetch`, asks it.
pub fn look<F: Folder>(
    workspace: &mut Workspace<F>,
    remote: &dyn Remote,
    source: &dyn SettingsSource,
    request: &Request,
    fetch: bool,
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    let mut notices = recover(workspace)?;
    let request = Request { dry_run: true, ..request.clone() };
    let none = BTreeMap::new();
    let cycle = Cycle::new(workspace, remote, source, &request, observer, &none, &mut notices);
    let mut outcome = match cycle.pass(fetch) {
        Ok(outcome) => outcome,
        Err(PassEnd::Failed(error)) => return Err(error),
        Err(PassEnd::Changed(_) | PassEnd::Anew(_)) => unreachable!("because a preview sends nothing"),
    };
    outcome.notices.splice(0..0, notices);
    Ok(outcome)
}

/// Answers whether a request may complete an undo at the remote first: one that sends, and not an exact plan.
fn may_finish_undos(request: &Request) -> bool {
    !request.dry_run && request.direction != Direction::Pull && request.expected.is_none()
}

/// Puts right what an interruption left half done; answers what there is to say about it.
pub fn recover<F: Folder>(workspace: &mut Workspace<F>) -> Result<Vec<String>, EngineError> {
    let now = workspace.clock.now();
    let folder = Arc::clone(&workspace.folder);
    folder.name_by(naming::in_use(&workspace.state)?);
    let recovered = journal::recover(&*folder, &mut workspace.state, now, Some(&workspace.machine.name))?;
    let mut notices = recovered.notices;
    notices.append(&mut Staging::open(&*folder)?.sweep()?);
    Ok(notices)
}

/// A pause that differs between machines, so that two that met do not meet again.
fn pause<F: Folder>(workspace: &Workspace<F>, attempt: u32) -> Duration {
    Duration::from_millis(20 * u64::from(attempt) + workspace.clock.random() % 100)
}

/// What a state in which nothing is open depends on, besides the folder: the remote's head, the rules, the policy.
pub(crate) fn settled_at(settings: &SyncSettings, head: &Revision) -> String {
    format!("{head} {} {}", settings.filter.rules_hash(), policy_words(settings))
}

/// The standing answers, as far as a plan depends on them.
fn policy_words(settings: &SyncSettings) -> String {
    let SyncSettings { direction, limit, groups, strategy, links, file_bytes_max, .. } = settings;
    format!("{direction:?} {limit:?} {strategy:?} {links:?} {file_bytes_max:?} {}", groups.words())
}

/// The note of the state in which a cycle left nothing open with a remote.
pub(crate) fn settled_note(remote: i64) -> String {
    format!("settled-{remote}")
}

/// One pass on its way.
struct Cycle<'a, F: Folder> {
    workspace: &'a mut Workspace<F>,
    remote: &'a dyn Remote,
    source: &'a dyn SettingsSource,
    request: &'a Request,
    observer: &'a dyn Observer,
    operation: String,
    /// The files that would not hold still in earlier passes.
    restless: BTreeSet<TreePath>,
    /// The files that lost what they had when the system stopped, and could not be helped yet.
    damaged: Damaged,
    /// The system was started anew since the last cycle.
    restarted: bool,
    /// A person allowed a remote that was put back.
    rewound: bool,
    /// What an undo was completed for at the remote just now: it must not go out again in the same breath.
    held_back: BTreeSet<TreePath>,
    /// What was written anew in earlier passes.
    anew: Anew,
    /// What can't change here now, and why.
    waiting: Vec<Held>,
    /// The conflicts that this cycle settles as it was answered on other machines.
    believed: Vec<Believed>,
    /// What they chose for conflicts that are not of contents, by node.
    believed_choices: BTreeMap<NodeId, Strategy>,
    /// The texts that it gives markers, or takes them from.
    marking: Marking,
    /// What there is to say beside the outcome.
    notices: &'a mut Vec<String>,
}

/// Why a pass ended early.
enum PassEnd {
    /// It failed.
    Failed(EngineError),
    /// These files changed while they were sent.
    Changed(Vec<TreePath>),
    /// Files were written anew that may not be on the disk.
    Anew(Anew),
}

impl<E: Into<EngineError>> From<E> for PassEnd {
    fn from(error: E) -> Self {
        PassEnd::Failed(error.into())
    }
}

/// What the folder here and the remote's head were found to be.
struct Look {
    scan: Scan,
    head: Option<Revision>,
    /// When the remote was asked for the head; `None` if it never was.
    asked: Option<Timestamp>,
    /// What a head holds that is not the known one, read while the folder was scanned.
    ahead: Option<Ahead>,
    /// What is remembered, if it was read already.
    known: Option<Known>,
    /// The contents behind the remote's names, if they were read already.
    objects: Option<Objects>,
}

/// A listing that was asked for before anybody knew whether the head is to be trusted.
struct Ahead {
    /// The head that was known then.
    known: Option<Revision>,
    listed: Result<Snapshot, RemoteError>,
}

/// The staging folder and the kept contents, open.
struct Tools<'f, F: Folder> {
    folder: &'f F,
    staging: Staging<'f, F>,
    contents: Contents<'f, F>,
}

impl<'a, F: Folder> Cycle<'a, F> {
    fn new(
        workspace: &'a mut Workspace<F>,
        remote: &'a dyn Remote,
        source: &'a dyn SettingsSource,
        request: &'a Request,
        observer: &'a dyn Observer,
        restless: &BTreeMap<TreePath, u32>,
        notices: &'a mut Vec<String>,
    ) -> Self {
        let operation = workspace.new_operation();
        // A file that changed twice while it was sent waits for a quieter moment; the rest goes on.
        let restless =
            restless.iter().filter(|(_, times)| **times > 1).map(|(path, _)| path.clone()).collect();
        Cycle {
            workspace,
            remote,
            source,
            request,
            observer,
            operation,
            restless,
            damaged: Damaged::new(),
            notices,
            restarted: false,
            rewound: false,
            held_back: BTreeSet::new(),
            anew: Anew::default(),
            waiting: Vec::new(),
            believed: Vec::new(),
            believed_choices: BTreeMap::new(),
            marking: Marking::default(),
        }
    }

    fn pass(mut self, fetch: bool) -> Result<Outcome, PassEnd> {
        let folder = Arc::clone(&self.workspace.folder);
        let (staging, contents) = (Staging::open(&*folder)?, Contents::open(&*folder)?);
        let mut tools = Tools { folder: &*folder, staging, contents };
        let mut record = self.workspace.state.remote(&self.remote.describe().address)?;
        let mut rules = Rules::contested(&self.workspace.state, record.id, &tools.contents)?;
        self.restarted = self.has_restarted()?;
        let mut rounds = 0;
        loop {
            let settings = self.settings(rules.clone())?;
            let mut look = self.look(&settings, &record, fetch, &mut tools)?;
            // What could not be seen at first may be damaged, too.
            let looks = if self.restarted && rounds == 0 { MENDING_TRIES } else { 0 };
            for _ in 0..looks {
                let mut damaged = self.find_damaged(&record, &look.scan)?;
                if damaged.is_empty() {
                    break;
                }
                if !self.request.dry_run {
                    damaged = self.mend(&record, &look, damaged)?;
                }
                self.damaged.append(&mut damaged);
                look = self.look(&settings, &record, fetch, &mut tools)?;
            }
            if !self.request.dry_run {
                naming::remember(&mut self.workspace.state, &settings.groups)?;
                let righted = folder.right_names();
                if let Err(error) = &righted {
                    self.notices.push(format!("{error}: {}", error.source));
                }
                if righted.unwrap_or(true) {
                    look = self.look(&settings, &record, fetch, &mut tools)?;
                }
            }
            if fetch && !self.request.dry_run {
                self.hear(&mut record)?;
            }
            if let Some(mut outcome) = self.nothing_to_do(&settings, &record, &mut look)? {
                self.lay_down(&settings, &record, &mut outcome);
                self.tidy(&settings, &tools, &mut outcome);
                outcome.count(&settings.units, &look.scan.tree);
                return Ok(outcome);
            }
            self.trust_head(&mut record, &mut look)?;
            let thought = self.think(&settings, &record, &mut look, &mut tools)?;
            // Shared rules come first: what this plan makes of them decides about all else, before anything changes.
            let after = self.rules_after(&thought, &look, &record, &mut tools)?;
            if rounds < RULE_TRIES && after != rules {
                rounds += 1;
                rules = after;
                continue;
            }
            self.guard(&settings, &thought, &look)?;
            if self.request.dry_run {
                let mut outcome = self.preview(&settings, &record, &look, thought)?;
                outcome.count(&settings.units, &look.scan.tree);
                return Ok(outcome);
            }
            let mut outcome = self.carry_out(&settings, &record, &look, thought, &mut tools)?;
            self.lay_down(&settings, &record, &mut outcome);
            self.tidy(&settings, &tools, &mut outcome);
            outcome.count(&settings.units, &look.scan.tree);
            return Ok(outcome);
        }
    }

    /// Drops what is over its time. A failure of it is told, and takes nothing from what the cycle did.
    fn tidy(&mut self, settings: &SyncSettings, tools: &Tools<'_, F>, outcome: &mut Outcome) {
        if self.request.dry_run {
            return;
        }
        let now = self.workspace.clock.now();
        let tidied = retention::run(&mut self.workspace.state, &tools.contents, &settings.retention, now);
        if let Err(error) = tidied {
            outcome.notices.push(format!("old versions could not be dropped: {error}"));
        }
    }

    /// The settings for this request: its direction and strategy win over the workspace's own. The direction of a group
    /// stays a limit.
    fn settings(&self, rules: Rules) -> Result<SyncSettings, EngineError> {
        let workspace = &*self.workspace;
        let mut settings = rules::in_force(&workspace.state, &*workspace.folder, self.source, rules)?;
        // A workspace that goes one way may be asked to go the other for once; one that goes both is only limited.
        let overrides = settings.direction != Direction::Both || self.request.mirror;
        if self.request.direction != Direction::Both && overrides {
            settings.direction = self.request.direction;
        }
        // A limit of the settings, as of a remote that is only read, holds whatever was asked for.
        if settings.limit == Direction::Both {
            settings.limit = self.request.direction;
        }
        if let Some(strategy) = self.request.strategy {
            settings.strategy = strategy;
            settings.groups = settings.groups.without_strategies();
        }
        Ok(settings)
    }

    /// Looks at the folder and asks for the remote's head, both at once.
    fn look(
        &self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        fetch: bool,
        tools: &mut Tools<'_, F>,
    ) -> Result<Look, EngineError> {
        // Without asking, what is known is as old as the last question.
        let asked = if fetch { Some(self.workspace.clock.now()) } else { record.checked };
        let (remote, restless, damaged) = (self.remote, &self.restless, &self.damaged);
        let unsure = &self.anew.unsure;
        let seen = record.seen.clone();
        let refuses = |path: &TreePath, size: u64| {
            if restless.contains(path) {
                return Some(Unknown::Changing);
            }
            if damaged.contains_key(path) {
                let why =
                    "it lost its content when the machine stopped; a sync that reaches the remote brings it \
                           back, and deleting it says that nobody needs it"
                        .to_owned();
                return Some(Unknown::Unfit { code: "E-DAMAGED", why });
            }
            if let Some(held) = unsure.get(path) {
                return Some(Unknown::Unfit { code: held.code, why: held.why.clone() });
            }
            if let Some(invalid) = settings.invalid_at(path) {
                return Some(invalid);
            }
            if let Some(max) = settings.file_bytes_max.filter(|max| size > *max) {
                let why = format!("{size} bytes is above max_file_size, {max} bytes");
                return Some(Unknown::Unfit { code: "E-SIZE", why });
            }
            let refusal = remote.refuses(path, size)?;
            Some(Unknown::Unfit { code: refusal.code, why: refusal.why })
        };
        let scan = || {
            let mut digests = self.workspace.state.digests()?;
            if let Some(since) = self.doubted_since(record)? {
                digests.doubt_since(since);
            }
            let options = ScanOptions {
                filter: &settings.filter,
                rules: &settings.rules,
                links: settings.links,
                digests: &digests,
                workers: settings.workers,
                refuses: &refuses,
                observer: self.observer,
            };
            crate::scan::scan(&*self.workspace.folder, &options)
        };
        let ask = || if fetch { remote.head() } else { Ok(seen) };
        // A new head is brought here and listed while the folder is scanned.
        let is_new = AtomicBool::new(false);
        let ask_and_list = || {
            let head = remote.head()?;
            let new = head.as_ref().filter(|head| record.head.as_ref() != Some(head));
            is_new.store(new.is_some(), Ordering::Relaxed);
            let ahead = new.map(|head| Ahead {
                known: record.head.clone(),
                listed: remote.snapshot(head, record.head.as_ref()),
            });
            Ok((head, ahead))
        };
        let (mut known, mut objects) = (None, None);
        let (asked_for, scan) = if settings.workers > 1 && fetch {
            std::thread::scope(|scope| {
                let asking = scope.spawn(ask_and_list);
                let scan = scan();
                if is_new.load(Ordering::Relaxed) && !asking.is_finished() {
                    // There will be a plan; what it is made from is read while the new head is brought.
                    known = self.workspace.state.known(record.id).ok();
                    objects = self.workspace.state.objects(record.id).ok();
                }
                (asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), scan)
            })
        } else {
            (ask().map(|head| (head, None)), scan())
        };
        let mut scan = scan?;
        let (head, ahead) = asked_for?;
        let forms = self.workspace.state.forms()?;
        form::outgoing(tools.folder, &mut scan, &forms, &settings.groups, Some(&mut tools.staging))?;
        marked::outgoing(tools.folder, &mut scan, marked::all(&self.workspace.state)?)?;
        crate::scan::exec::recall(&*self.workspace.folder, &self.workspace.state, &mut scan.tree)?;
        Ok(Look { scan, head, asked, ahead, known, objects })
    }

    /// The short way: all is as it was when the last cycle found nothing left to do.
    fn nothing_to_do(
        &mut self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &mut Look,
    ) -> Result<Option<Outcome>, EngineError> {
        let is_settled = !look.scan.marked.settled.is_empty();
        if record.head.is_none() || record.head != look.head || !self.is_whole() || is_settled {
            return Ok(None);
        }
        let stamp = self.stamp(settings, &look.scan.tree, look.head.as_ref());
        if record.quiet != Some(stamp) && !self.is_as_known(settings, record, look)? {
            return Ok(None);
        }
        if !self.request.dry_run {
            let (fresh, formed) = (&look.scan.fresh, &look.scan.formed);
            let (stale, asked) = (look.scan.stale_if_whole(), look.asked);
            let notes = if self.restarted { self.restart_notes(record)? } else { Vec::new() };
            // Should a power cut take this, the next cycle finds the same once more, doubts no less (the time of the last
            // cycle and the system's start go back together), and writes it again.
            self.workspace.state.transact_soon(|write| {
                write.digests(fresh)?;
                write.forget_digests(stale)?;
                write.forms(formed)?;
                for (name, value) in &notes {
                    write.note(name, value)?;
                }
                write.head(record.id, look.head.as_ref(), Some(stamp))?;
                write.times(record.id, asked, asked)
            })?;
        }
        Ok(Some(self.quiet_outcome(settings, record, look)?))
    }

    /// Answers whether the last cycle left nothing open at this head, and the folder is as it left it: as after a cycle
    /// that brought something here.
    fn is_as_known(
        &self,
        settings: &SyncSettings,
        record: &RemoteRecord,
        look: &mut Look,
    ) -> Result<bool, EngineError> {
        let state = &self.workspace.state;
        let settled = state.note(&settled_note(record.id))?;
        if settled != look.head.as_ref().map(|head| settled_at(settings, head))
            || !state.unseen(record.id)?.is_empty()
            || !state.choices(record.id)?.is_empty()
        {
            return Ok(false);
        }
        let known = state.known(record.id)?;
        let is_as_known = quiet::is_as_known(&known, &look.scan.tree);
        look.known = Some(known);
        Ok(is_as_known)
    }

    /// Answers whether the request is for everything, in the workspace's own way.
    fn is_whole(&self) -> bool {
        self.request.paths.is_empty()
            && !self.request.mirror
            && !self.request.thorough
            && self.request.expected.is_none()
            && self.held_back.is_empty()
    }

    fn stamp(&self, settings: &SyncSettings, tree: &Tree, head: Option<&Revision>) -> ContentId {
        quiet::stamp(tree, head, settings.filter.rules_hash(), &policy_words(settings))
    }

    /// Stops before anything is changed if a plan looks like an accident.
    fn guard(&self, settings: &SyncSettings, thought: &Thought, look: &Look) -> Result<(), EngineError> {
        if self.request.allow_delete {
            return Ok(());
        }
        let trees = PerSide { local: &look.scan.tree, remote: &thought.far.tree };
        match instep_core::safety::check(&thought.known, trees, &thought.plan, &settings.limits) {
            Some(halt) if !thought.is_allowed(&halt) => Err(EngineError::Halted(Danger::Deletions(halt))),
            _ => Ok(()),
        }
    }

    fn began(&self, phase: Phase, files: Option<u64>, bytes: Option<u64>) {
        self.observer.observe(Event::Began { phase, files, bytes });
    }

    fn ended(&self, phase: Phase) {
        self.observer.observe(Event::Ended { phase });
    }
}
