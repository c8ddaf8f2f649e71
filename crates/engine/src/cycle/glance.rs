//! A look that changes nothing, needs no lock and asks nobody: the folder as it is, against what is known.
//!
//! For whoever only wants to see where things stand while a sync runs, or while the remote is away. What the remote got
//! meanwhile is not in it.

use instep_core::node::{PerSide, Side};
use instep_core::plan::MergeAnswer;
use instep_core::policy::Policy;
use instep_core::progress::Observer;
use instep_core::reconcile::reconcile;

use super::far::as_known;
use super::occupied;
use super::outcome::{Done, Outcome};
use super::plan_file::PlanFile;
use super::report::held_in;
use super::rules;
use super::settings::SettingsSource;
use super::think::give_up_unseen;
use crate::conflict::{self, marked};
use crate::failure::EngineError;
use crate::folder::Folder;
use crate::history::act::scan;
use crate::reach::Reach;
use crate::workspace::Workspace;

/// Says what a cycle would do if the remote still held what it held when the last one ended.
pub fn glance<F: Folder>(
    workspace: &Workspace<F>,
    reach: &Reach<'_>,
    source: &dyn SettingsSource,
    observer: &dyn Observer,
) -> Result<Outcome, EngineError> {
    let state = &workspace.state;
    let record = reach.record(state)?;
    let settings = rules::now(state, &*workspace.folder, source, Some(&record))?;
    let mut seen = scan(workspace, &settings, observer)?;
    marked::outgoing(&*workspace.folder, &mut seen, marked::all(state)?)?;
    let (known, _) = give_up_unseen(state.known(record.id)?, &state.unseen(record.id)?, &seen.tree);
    let far = as_known(&known);
    let policy = Policy {
        direction: settings.direction,
        limit: settings.limit,
        groups: settings.groups.clone(),
        mirror: false,
        strategy: settings.strategy,
        chosen: Default::default(),
        fold: PerSide { local: workspace.folder.abilities().fold, remote: Default::default() },
        machines: PerSide { local: workspace.machine.name.clone(), remote: String::new() },
        renames: Default::default(),
    };
    let trees = PerSide { local: &seen.tree, remote: &far };
    let plan = reconcile(&known, trees, &policy, &|_| MergeAnswer::Undecided);
    let modified = |node| plan.places.local.of(node).and_then(|place| seen.tree.at(place).modified);
    let done = plan.changes.remote.iter();
    let mut done: Vec<Done> =
        done.map(|change| Done::of(Side::Remote, change, modified(change.node), None)).collect();
    done.extend(plan.changes.local.iter().map(|change| Done::of(Side::Local, change, None, None)));
    done.sort_by(|a, b| (&a.path, a.side).cmp(&(&b.path, b.side)));
    let mut held = held_in(&seen.tree, Side::Local);
    held.extend(occupied::noted(state, record.id)?);
    held.sort_by(|a, b| a.path.cmp(&b.path));
    let mut outcome = Outcome {
        seen: PerSide { local: seen.counts.files, remote: far.leaf_count() as u64 },
        done,
        held,
        conflicts: conflict::open(state, record.id)?,
        checked: record.checked,
        plan: Some(PlanFile::of(&plan, &workspace.machine.id, record.head.as_ref(), &settings, false)),
        ..Outcome::default()
    };
    outcome.count(&settings.units, &seen.tree);
    Ok(outcome)
}
