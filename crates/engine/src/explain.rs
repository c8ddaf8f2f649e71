//! Why a path is, or is not, synced: every reason that the program knows, with the rule and the line.

use instep_core::clock::Timestamp;
use instep_core::filter::{Decision, Explanation as RuleExplanation};
use instep_core::node::{Known, NodeId, Side, Value};
use instep_core::operation::OperationId;
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::tree::{Entry, Tree, Unknown};

use crate::conflict::{self, marked};
use crate::cycle::outcome::OpenConflict;
use crate::cycle::rules::{self, SETTINGS};
use crate::cycle::settings::SettingsSource;
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::keys;
use crate::history::act::scan_agreed;
use crate::history::{log, wish};
use crate::reach::Reach;
use crate::state::Failures;
use crate::workspace::Workspace;

/// What a path's state is, in one word each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both sides hold the same, as far as was last asked.
    InStep,
    /// Changed here; the next sync sends it.
    WaitsToSend,
    /// Both sides changed it and no rule decides.
    InConflict(Box<OpenConflict>),
    /// It takes no part, for this reason.
    NotSynced(Unknown),
    /// It waits only because another path does.
    WaitsFor(Box<OpenConflict>),
    /// An undo holds it until a person syncs.
    HeldAfterUndo(String),
    /// It is to change here, and a program has it open: who, in one sentence.
    InUse(String),
    /// It could not be put in place, or sent, the last time: the code, and why.
    Held(String, String),
    /// The shared settings that the remote holds are not valid, for this reason: those that stand here stay in force.
    InvalidThere(String),
    /// Nothing stands at the path, here or there.
    Nothing,
}

/// All there is to say about one path.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The path.
    pub path: TreePath,
    /// Why.
    pub verdict: Verdict,
    /// What the rules say, with those that were overruled.
    pub rules: RuleExplanation,
    /// What stands here: a word, and the length in bytes of a file.
    pub here: Option<(&'static str, u64)>,
    /// When it was last modified here.
    pub modified: Option<Timestamp>,
    /// What the remote held when it was last asked.
    pub there: Option<(&'static str, u64)>,
    /// The folder above for which all of this holds, where the path itself can't be seen because of it.
    pub above: Option<TreePath>,
    /// It shows a conflict between markers.
    pub is_marked: bool,
    /// The keys of it that stay on this machine.
    pub stays: Vec<String>,
    /// The names of this machine's places, whose paths in it travel by these.
    pub places: Vec<String>,
    /// Its path on this disk, where that is not the one that travels.
    pub on_disk: Option<TreePath>,
    /// The operation in which both sides last agreed on it.
    pub agreed: Option<(OperationId, Timestamp)>,
    /// When the remote was last asked.
    pub checked: Option<Timestamp>,
    /// The syncs that failed since one came to its end.
    pub failures: Option<Failures>,
}

/// Explains one path. Asks nobody.
pub fn explain<F: Folder>(
    workspace: &Workspace<F>,
    reach: Option<&Reach<'_>>,
    source: &dyn SettingsSource,
    path: &TreePath,
    observer: &dyn Observer,
) -> Result<Explained, EngineError> {
    let record = reach.map(|reach| reach.record(&workspace.state)).transpose()?;
    let settings = rules::now(&workspace.state, &*workspace.folder, source, record.as_ref())?;
    let seen = scan_agreed(workspace, &settings, record.as_ref(), observer)?;
    let marked = marked::meet(&*workspace.folder, &seen, marked::all(&workspace.state)?)?;
    let known = match &record {
        Some(record) => workspace.state.known(record.id)?,
        None => Known::default(),
    };
    let row = find(&known, path);
    let place = seen.tree.find(path);
    let entry = place.map(|place| &seen.tree.at(place).entry);
    let apart = marked.copies.iter().find(|seen| seen.path == *path);
    let apart = apart.map(|seen| Entry::Unknown(marked::why_apart(&seen.marked)));
    let above = if place.is_none() { unseen_above(&seen.tree, path) } else { None };
    let entry_above =
        above.as_ref().and_then(|folder| seen.tree.find(folder)).map(|place| &seen.tree.at(place).entry);
    let entry = apart.as_ref().or(entry).or(entry_above);
    let is_folder = matches!(entry, Some(Entry::Folder)) || workspace_folder(&seen.tree, path);
    let rules = settings.filter.explain(path, is_folder, &seen.ignore);
    let agreed =
        log::log(&workspace.state, Some(path), 1)?.first().map(|operation| (operation.id, operation.time));
    let agrees = row.and_then(|id| known.row(id)).map(|row| {
        let here = entry.and_then(wish::held).as_ref().and_then(wish::body);
        row.views.base().map(|value| value.body) == here
    });
    let verdict = verdict(workspace, record.as_ref().map(|record| record.id), path, entry, agrees, &rules)?;
    let refused = match entry {
        Some(Entry::Leaf(leaf)) => {
            reach.and_then(Reach::remote).and_then(|remote| remote.refuses(path, leaf.size))
        }
        _ => None,
    };
    let verdict = match (verdict, refused) {
        (Verdict::WaitsToSend, Some(refusal)) => {
            Verdict::NotSynced(Unknown::Unfit { code: refusal.code, why: refusal.why })
        }
        (verdict, _) => verdict,
    };
    let word = |value: &Value| word(&value.body);
    let is_file = !matches!(entry, Some(Entry::Folder) | None);
    let staying = is_file.then(|| keys::staying(&settings.groups, path)).flatten();
    Ok(Explained {
        path: path.clone(),
        verdict,
        rules,
        here: entry.and_then(wish::held).as_ref().and_then(wish::body).as_ref().map(self::word),
        modified: place.and_then(|place| seen.tree.at(place).modified),
        there: row.and_then(|id| known.row(id)?.views.side(Side::Remote)).map(word),
        above,
        is_marked: marked.shown.iter().any(|seen| seen.path == *path),
        stays: staying.as_ref().map_or_else(Vec::new, |staying| staying.keys.clone()),
        places: staying.and_then(|staying| staying.places).map_or_else(Vec::new, |places| {
            let mut names: Vec<String> = places.now().iter().map(|spot| spot.name.clone()).collect();
            names.sort();
            names
        }),
        on_disk: Some(workspace.folder.path_on_disk(path)).filter(|on_disk| on_disk != path),
        agreed,
        failures: record.as_ref().map(|record| workspace.state.failures(record.id)).transpose()?.flatten(),
        checked: record.and_then(|record| record.checked),
    })
}

/// The folder above a path that can't be seen, or takes no part: what lies in it doesn't either.
fn unseen_above(tree: &Tree, path: &TreePath) -> Option<TreePath> {
    let mut above = std::iter::successors(path.parent(), TreePath::parent);
    let (place, folder) = above.find_map(|folder| Some((tree.find(&folder)?, folder)))?;
    matches!(tree.at(place).entry, Entry::Unknown(_)).then_some(folder)
}

fn workspace_folder(tree: &Tree, path: &TreePath) -> bool {
    path.is_root() || tree.find(path).is_some_and(|place| tree.at(place).entry == Entry::Folder)
}

fn word(body: &instep_core::node::Body) -> (&'static str, u64) {
    match body {
        instep_core::node::Body::Folder => ("folder", 0),
        instep_core::node::Body::Leaf(leaf) => (crate::history::kind_word(leaf.kind, leaf.exec), leaf.size),
    }
}

fn verdict<F: Folder>(
    workspace: &Workspace<F>,
    remote: Option<i64>,
    path: &TreePath,
    entry: Option<&Entry>,
    agrees: Option<bool>,
    rules: &RuleExplanation,
) -> Result<Verdict, EngineError> {
    if let Some(remote) = remote {
        for (held, operation) in workspace.state.undone(remote)? {
            if held == path.as_bytes() {
                return Ok(Verdict::HeldAfterUndo(operation));
            }
        }
        for open in conflict::open(&workspace.state, remote)? {
            let is_of = |version: &Option<instep_core::conflict::Version>| {
                version.as_ref().is_some_and(|version| version.path == *path)
            };
            let conflict = &open.conflict;
            if conflict.path == *path || is_of(&conflict.local) || is_of(&conflict.remote) {
                return Ok(Verdict::InConflict(Box::new(open)));
            }
            if conflict.waiting.contains(path) {
                return Ok(Verdict::WaitsFor(Box::new(open)));
            }
        }
        if let Some(why) = workspace.state.occupied(remote)?.remove(path.as_bytes()) {
            return Ok(Verdict::InUse(why));
        }
        if path.as_bytes() == SETTINGS.as_bytes()
            && !matches!(entry, Some(Entry::Unknown(_)))
            && let Some(why) = workspace.state.invalid_there(remote)?
        {
            return Ok(Verdict::InvalidThere(why));
        }
    }
    let held = match (remote, entry, agrees) {
        // What is the same on both sides was settled since, and what can't be seen here says so itself.
        (_, Some(Entry::Unknown(_)), _) | (_, _, Some(true)) | (None, ..) => None,
        (Some(remote), ..) => workspace.state.held(remote, path)?,
    };
    Ok(match (entry, &rules.decision) {
        (Some(Entry::Unknown(unknown)), _) => Verdict::NotSynced(unknown.clone()),
        (_, Decision::Excluded { by, here_only: true }) => {
            Verdict::NotSynced(Unknown::ExcludedHere(by.to_string()))
        }
        (_, Decision::Excluded { by, .. }) => Verdict::NotSynced(Unknown::Excluded(by.to_string())),
        (_, Decision::Reserved) => Verdict::NotSynced(Unknown::Reserved),
        _ if held.is_some() => {
            let (code, why) = held.unwrap_or_default();
            Verdict::Held(code, why)
        }
        (None, _) if agrees.is_none() => Verdict::Nothing,
        _ if agrees == Some(true) => Verdict::InStep,
        _ => Verdict::WaitsToSend,
    })
}

/// The node that both sides knew at a path.
fn find(known: &Known, path: &TreePath) -> Option<NodeId> {
    path.names().try_fold(NodeId::ROOT, |folder, name| {
        let rows = known.rows().iter();
        let mut found = rows.filter(|row| {
            row.views.side(Side::Local).is_some_and(|value| value.parent == folder && value.name == name)
        });
        Some(found.next()?.id)
    })
}
