//! What can't change here now: it waits, and nothing else waits for it.
//!
//! A program that has a database open would go on writing to the old file, or write what it remembers of the old one into
//! the new. So the change is left out of the plan until nobody has the database open. So is a move, made elsewhere, after
//! which keys that stay on this machine would not stay any more.

use std::collections::BTreeMap;

use instep_core::node::{Body, NodeId, Side};
use instep_core::path::TreePath;
use instep_core::plan::{Change, ChangeKind, Plan};
use instep_core::tree::{Place, Tree};

use super::merging::open_parent;
use super::outcome::Held;
use super::{Cycle, Look, Tools};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::form::{Way, database, keys};
use crate::state::State;

/// What waited in the last cycle.
pub(super) fn noted(state: &State, remote: i64) -> Result<Vec<Held>, EngineError> {
    let noted = state.occupied(remote)?.into_iter();
    let held = |(path, why): (Vec<u8>, String)| {
        let path = TreePath::new(&path).ok()?;
        Some(Held { path, side: Side::Local, code: database::OPEN, why })
    };
    Ok(noted.filter_map(held).collect())
}

impl<F: Folder> Cycle<'_, F> {
    /// The nodes that can't change here now, each with the reason.
    pub(super) fn occupied(
        &self,
        plan: &Plan,
        look: &Look,
        tools: &Tools<'_, F>,
    ) -> Result<BTreeMap<NodeId, Held>, EngineError> {
        let tree = &look.scan.tree;
        let mut occupied = BTreeMap::new();
        for change in &plan.changes.local {
            let Some(place) = plan.places.local.of(change.node) else { continue };
            if let Some(held) = is_being_settled(look, change, place) {
                occupied.insert(change.node, held);
                continue;
            }
            let moves = matches!(change.kind(), ChangeKind::Move | ChangeKind::MoveAndWrite);
            if moves && let Some(held) = would_leave(look, change, place) {
                occupied.insert(change.node, held);
                continue;
            }
            let databases: Vec<Place> = match change.before.as_ref().map(|before| before.body) {
                // A folder that moves takes along what is in it; what it is removed with has a change of its own.
                Some(Body::Folder) if moves => {
                    look.scan.forms.keys().copied().filter(|at| is_below(tree, *at, place)).collect()
                }
                // All pages of a database are of one length, and most files need no look.
                Some(Body::Leaf(leaf)) if leaf.size.is_multiple_of(512) => vec![place],
                _ => continue,
            };
            for database in databases {
                if let Some(why) = why_it_waits(tools.folder, tree, database, moves)? {
                    let held = held(change, tree, database, &why);
                    occupied.insert(change.node, held);
                }
            }
        }
        Ok(occupied)
    }
}

/// A person is taking the markers out of a text, and something comes for it.
fn is_being_settled(look: &Look, change: &Change, place: Place) -> Option<Held> {
    let mut shown = look.scan.marked.shown.iter();
    shown.find(|seen| seen.place == place && !seen.is_as_written)?;
    let why = "it changes elsewhere too, and waits until its markers are settled here".to_owned();
    let writes = change.kind() != ChangeKind::Move;
    writes.then(|| Held { path: change.path().clone(), side: Side::Local, code: "E-MARKERS", why })
}

/// A file, or one in a folder, has keys here that stay by where it stands, and would travel with it where it is to go.
fn would_leave(look: &Look, change: &Change, place: Place) -> Option<Held> {
    let (tree, groups) = (&look.scan.tree, &look.scan.groups);
    let (from, to) = (change.from.as_ref()?, change.to.as_ref()?);
    let keyed = look.scan.forms.iter().filter(|(_, formed)| formed.way == Way::Keys).map(|(at, _)| *at);
    for at in keyed.filter(|at| *at == place || is_below(tree, *at, place)) {
        let path = tree.path(at);
        let then = path.names().skip(from.depth()).fold(to.clone(), |path, name| path.join(&name));
        let stay =
            |path: &TreePath| keys::staying(groups, path).map_or_else(Vec::new, |staying| staying.keys);
        let after = stay(&then);
        if let Some(key) = stay(&path).into_iter().find(|key| !after.contains(key)) {
            let why = format!(
                "it was moved to {then}, where no group says that its key {key} stays on this machine; name that path \
                 in the group's paths, or move it here yourself"
            );
            return Some(Held { path, side: Side::Local, code: "E-KEYS-LEAVE", why });
        }
    }
    None
}

fn why_it_waits<F: Folder>(
    folder: &F,
    tree: &Tree,
    place: Place,
    moves: bool,
) -> Result<Option<String>, EngineError> {
    let looked = (|| {
        let (dir, name) = open_parent(folder, tree, place)?;
        Ok::<_, EngineError>(database::why_it_waits(folder, &dir, &name, moves)?)
    })();
    match looked {
        // What happened to it meanwhile is noticed where it is to change.
        Err(EngineError::Folder(_)) => Ok(None),
        looked => looked,
    }
}

fn is_below(tree: &Tree, place: Place, folder: Place) -> bool {
    let mut at = place;
    while at != Place::ROOT {
        at = tree.at(at).parent;
        if at == folder {
            return true;
        }
    }
    false
}

fn held(change: &Change, tree: &Tree, database: Place, why: &str) -> Held {
    let path = tree.path(database);
    let what = if change.from.as_ref() == Some(&path) { "the database".to_owned() } else { path.to_string() };
    Held {
        path: change.path().clone(),
        side: Side::Local,
        code: database::OPEN,
        why: format!("{what} is in use here and waits: {why}"),
    }
}
