//! A person's own change of the folder here, apart from a cycle: scanned, staged, applied, and written into the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use instep_core::content::ContentId;
use instep_core::operation::{
    Counts, Operation, OperationId, OperationKind, PathRecord, SideRecord, Trigger,
};
use instep_core::path::TreePath;
use instep_core::plan::{Change, ChangeKind};
use instep_core::progress::{Event, Observer, Phase};
use instep_core::remote::{ObjectId, Remote};

use super::contents::Contents;
use super::wish;
use crate::apply::{self, Applied, Setting};
use crate::conflict::marked;
use crate::cycle::far::as_known;
use crate::cycle::outcome::Held;
use crate::cycle::settings::SyncSettings;
use crate::cycle::think::reopen;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form;
use crate::reach::Reach;
use crate::scan::{Scan, ScanOptions};
use crate::stage::{Receiver, Staging};
use crate::state::{RemoteRecord, State};
use crate::workspace::Workspace;

/// What an act came to.
#[derive(Debug, Clone, Default)]
pub struct Acted {
    /// The operation in the log; `None` if nothing changed.
    pub operation: Option<OperationId>,
    /// The paths that changed here.
    pub changed: Vec<TreePath>,
    /// The paths that did not, each with the reason.
    pub held: Vec<Held>,
}

/// Looks at the folder as a cycle does.
pub fn scan<F: Folder>(
    workspace: &Workspace<F>,
    settings: &SyncSettings,
    observer: &dyn Observer,
) -> Result<Scan, EngineError> {
    let digests = workspace.state.digests()?;
    let options = ScanOptions {
        filter: &settings.filter,
        rules: &settings.rules,
        links: settings.links,
        digests: &digests,
        refuses: &|path, _| settings.invalid_at(path),
        workers: settings.workers,
        observer,
    };
    let mut scan = crate::scan::scan(&*workspace.folder, &options)?;
    form::outgoing(&*workspace.folder, &mut scan, &workspace.state.forms()?, &settings.groups, None)?;
    crate::scan::exec::recall(&*workspace.folder, &workspace.state, &mut scan.tree)?;
    Ok(scan)
}

/// Looks at the folder as a cycle with a remote does: a folder that is agreed on is one, though nothing that takes part
/// stands in it now.
pub fn scan_agreed<F: Folder>(
    workspace: &Workspace<F>,
    settings: &SyncSettings,
    record: Option<&RemoteRecord>,
    observer: &dyn Observer,
) -> Result<Scan, EngineError> {
    let mut seen = scan(workspace, settings, observer)?;
    if let Some(record) = record {
        reopen(&mut seen.tree, &as_known(&workspace.state.known(record.id)?), &seen.ways);
    }
    Ok(seen)
}

/// What an act is, for the log.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Its id.
    pub id: OperationId,
    /// What kind.
    pub kind: OperationKind,
    /// What it takes back.
    pub undoes: Option<OperationId>,
    /// What the person said of it.
    pub message: Option<String>,
    /// The address of the remote that it concerns, where it concerns one.
    pub address: Option<String>,
    /// A part of it is still to be done: it stands in the log even if nothing changed yet.
    pub waits: bool,
}

/// Where contents may be found.
pub struct Sources<'a> {
    /// The remotes, for what is not kept here; only what was fetched before is asked of them.
    pub remotes: Vec<(&'a dyn Remote, i64)>,
    /// Bytes that are new.
    pub bytes: Vec<Vec<u8>>,
}

impl<'a> Sources<'a> {
    /// What is kept here, and what the remotes handed over before.
    pub fn at(reaches: &[Reach<'a>], state: &State) -> Result<Self, EngineError> {
        let mut remotes = Vec::new();
        for reach in reaches {
            remotes.extend(reach.numbered(state)?);
        }
        Ok(Sources { remotes, bytes: Vec::new() })
    }
}

/// Carries out changes of the folder here and logs them, with the remote's part if there was one.
pub fn act<F: Folder>(
    workspace: &mut Workspace<F>,
    seen: &Scan,
    changes: &[Change],
    deed: &Deed,
    sources: &Sources<'_>,
    there: Vec<PathRecord>,
    observer: &dyn Observer,
) -> Result<Acted, EngineError> {
    let acted = carry_out(workspace, seen, changes, deed, sources, there, observer);
    workspace.note_refusals();
    acted
}

fn carry_out<F: Folder>(
    workspace: &mut Workspace<F>,
    seen: &Scan,
    changes: &[Change],
    deed: &Deed,
    sources: &Sources<'_>,
    there: Vec<PathRecord>,
    observer: &dyn Observer,
) -> Result<Acted, EngineError> {
    let doubt = workspace.doubt()?;
    let folder = Arc::clone(&workspace.folder);
    let contents = Contents::open(&*folder)?;
    let id = deed.id.to_string();
    let mut staging = Staging::open_for(&*folder, &id)?;
    let marked = marked::unplace(&mut workspace.state, changes)?;
    gather(&workspace.state, changes, sources, &contents, &mut staging, observer)?;
    observer.observe(Event::Began { phase: Phase::Apply, files: Some(changes.len() as u64), bytes: None });
    let setting = Setting {
        folder: &*folder,
        state: &mut workspace.state,
        contents: &contents,
        staging: &mut staging,
        tree: &seen.tree,
        forms: &seen.forms,
        groups: &seen.groups,
        places: &wish::places(&seen.tree),
        operation: &id,
        now: workspace.clock.now(),
        doubt,
        observer,
    };
    let applied = apply::apply(setting, changes)?;
    observer.observe(Event::Ended { phase: Phase::Apply });
    if !applied.failed.is_empty() {
        // What could not be changed stands as it did.
        let done: Vec<Change> =
            changes.iter().filter(|one| !applied.failed.contains_key(&one.node)).cloned().collect();
        workspace.state.transact(|write| marked::note(write, &marked))?;
        marked::unplace(&mut workspace.state, &done)?;
    }
    match deed.kind {
        OperationKind::Resolve => log(workspace, &marked::as_logged(changes, &marked), deed, there, applied),
        _ => log(workspace, changes, deed, there, applied),
    }
}

/// Brings every content that is needed into the staging folder.
fn gather<F: Folder>(
    state: &State,
    changes: &[Change],
    sources: &Sources<'_>,
    contents: &Contents<'_, F>,
    staging: &mut Staging<'_, F>,
    observer: &dyn Observer,
) -> Result<(), EngineError> {
    for bytes in &sources.bytes {
        staging.write(&mut bytes.as_slice())?;
    }
    let needed: BTreeSet<ContentId> = changes
        .iter()
        .filter(|change| change.kind() != ChangeKind::Move)
        .filter_map(|change| change.after.as_ref()?.body.content())
        .collect();
    let mut wanted: Vec<Vec<ObjectId>> = vec![Vec::new(); sources.remotes.len()];
    for content in needed {
        if staging.bring_back(contents, content)? {
            continue;
        }
        for (at, (_, id)) in sources.remotes.iter().enumerate() {
            if let Some(object) = state.object_of(*id, content)? {
                wanted[at].push(object);
                break;
            }
        }
    }
    for ((remote, _), wanted) in sources.remotes.iter().zip(&wanted).filter(|(_, wanted)| !wanted.is_empty())
    {
        let mut receiver = Receiver { staging, observer, received: Vec::new(), failure: None };
        let answer = remote.fetch(wanted, &mut receiver, observer);
        if let Some(failure) = receiver.failure {
            return Err(failure.into());
        }
        answer?;
    }
    Ok(())
}

fn log<F: Folder>(
    workspace: &mut Workspace<F>,
    changes: &[Change],
    deed: &Deed,
    there: Vec<PathRecord>,
    applied: Applied,
) -> Result<Acted, EngineError> {
    let done: Vec<&Change> =
        changes.iter().filter(|change| !applied.failed.contains_key(&change.node)).collect();
    let mut paths: Vec<PathRecord> = done
        .iter()
        .map(|change| PathRecord {
            path: change.path().clone(),
            local: Some(side_record(change)),
            remote: None,
        })
        .collect();
    paths.extend(there);
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    let now = workspace.clock.now();
    let operation = Operation {
        id: deed.id,
        time: now,
        machine: workspace.machine.name.clone(),
        kind: deed.kind,
        trigger: Trigger::Person,
        person: workspace.person.clone(),
        message: deed.message.clone(),
        counts: Counts::default(),
        remote: None,
        address: deed.address.clone(),
        undoes: deed.undoes,
        paths,
    };
    let logged = deed.waits || !operation.paths.is_empty();
    let value = serde_json::to_string(&operation).expect("because an operation is plain data");
    workspace.state.transact(|write| {
        write.digests(&applied.fresh)?;
        write.kept(&applied.kept)?;
        write.clear_journal()?;
        if logged { write.operation(&deed.id.to_string(), now, &value) } else { Ok(()) }
    })?;
    Ok(Acted {
        operation: logged.then_some(deed.id),
        changed: done.iter().map(|change| change.path().clone()).collect(),
        held: applied.failed.into_values().collect(),
    })
}

/// What happened to one side, as the history words it.
pub fn side_record(change: &Change) -> SideRecord {
    let held = |value: &Option<instep_core::node::Value>| {
        value.as_ref().map(|value| instep_core::operation::Held::from(&value.body))
    };
    let moved = matches!(change.kind(), ChangeKind::Move | ChangeKind::MoveAndWrite);
    SideRecord {
        before: held(&change.before),
        after: held(&change.after),
        moved_from: change.from.clone().filter(|_| moved),
    }
}
