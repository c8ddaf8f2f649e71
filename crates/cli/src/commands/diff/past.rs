//! `diff --at`: from one moment of the history to another, or to the present.

use instep_core::content::ContentId;
use instep_core::filter::Groups;
use instep_core::operation::{Held, HeldKind, OperationId};
use instep_core::path::TreePath;
use instep_core::remote::Remote;
use instep_core::tree::Tree;
use instep_engine::cycle::settings::SettingsSource as _;
use instep_engine::history::restore::{self, Moment, Past};
use instep_engine::history::{act, log};

use super::{COMPARED_BYTES_MAX, standing};
use crate::commands::Context;
use crate::failure::CommandError;
use crate::opening::Opened;
use crate::render::difference::Pair;
use crate::terminal::progress::Progress;

/// The log counts no further than this.
const SEARCHED_MAX: usize = 1_000_000;

/// The folder as it was at one moment.
struct Side {
    name: String,
    /// Right after this operation; `None` for the present.
    after: Option<OperationId>,
    holds: Past,
}

impl Side {
    fn held(&self, path: &TreePath) -> Option<Held> {
        self.holds.get(path).copied().flatten().filter(|held| held.kind != HeldKind::Folder)
    }
}

/// All files that differ between two moments. What is not kept any more is said, and left out.
pub fn pairs(
    context: &Context,
    opened: &mut Opened,
    from: &str,
    to: Option<&str>,
    wanted: &dyn Fn(&TreePath) -> bool,
) -> Result<Vec<Pair>, CommandError> {
    let remotes = opened.remotes_if_any(context);
    opened.choose_none();
    let progress = Progress::new(&context.terminal, false);
    let settings = opened.source().read()?;
    let (tree, groups) = (act::scan(&opened.workspace, &settings, &progress)?.tree, &settings.groups);
    let (old, new) = (side(context, opened, &tree, Some(from))?, side(context, opened, &tree, to)?);
    let mut paths: Vec<&TreePath> = old.holds.keys().chain(new.holds.keys()).collect();
    paths.sort();
    paths.dedup();
    let mut pairs = Vec::new();
    for path in paths.into_iter().filter(|path| wanted(path) && old.held(path) != new.held(path)) {
        let read = |side: &Side| read(opened, groups, &remotes, &progress, side, path);
        let (Some(before), Some(after)) = (read(&old)?, read(&new)?) else {
            context.terminal.say(&format!("{path}: too large to compare, or not kept here any more."));
            continue;
        };
        let (old_name, new_name) = (old.name.clone(), new.name.clone());
        let values = groups.values(path);
        pairs.push(Pair { path: path.to_string(), old_name, new_name, old: before, new: after, values });
    }
    Ok(pairs)
}

fn side(context: &Context, opened: &Opened, tree: &Tree, typed: Option<&str>) -> Result<Side, CommandError> {
    let state = &opened.workspace.state;
    let (name, after, moment) = match typed {
        None => (format!("{}, here", instep_core::path::escape(opened.machine().as_bytes())), None, None),
        Some(typed) => {
            let operation = log::find(state, typed)?;
            let when = context.terminal.look.moment(operation.time);
            let id = operation.id.to_string();
            (format!("{}, {when}", &id[..8]), Some(operation.id), Some(id))
        }
    };
    // The present is what was after the newest operation, and what was changed since.
    let operations = if moment.is_some() { log::log(state, None, SEARCHED_MAX)? } else { Vec::new() };
    let moment = moment.map_or(Moment::At(context.terminal.look.now), Moment::After);
    let holds = restore::past(tree, &operations, &TreePath::root(), &moment)?;
    Ok(Side { name, after, holds })
}

/// What a path held: `None` if that can't be read, `Some(None)` if there was nothing.
#[expect(clippy::option_option, reason = "nothing there and nothing kept are two answers")]
fn read(
    opened: &Opened,
    groups: &Groups,
    remotes: &[Box<dyn Remote>],
    progress: &Progress<'_>,
    side: &Side,
    path: &TreePath,
) -> Result<Option<Option<Vec<u8>>>, CommandError> {
    let Some(held) = side.held(path) else { return Ok(Some(None)) };
    let Some(content) = held.content.filter(|_| held.size <= COMPARED_BYTES_MAX) else { return Ok(None) };
    let there = match side.after {
        None => standing(opened, groups, path),
        Some(_) => {
            let mut kept = restore::read_version(&opened.workspace, None, content, progress)?;
            for remote in remotes.iter() {
                if kept.is_none() {
                    kept =
                        restore::read_version(&opened.workspace, Some(remote.as_ref()), content, progress)?;
                }
            }
            // What was never displaced nor sent may still stand here.
            kept.or_else(|| standing(opened, groups, path).filter(|bytes| ContentId::of(bytes) == content))
        }
    };
    Ok(there.map(Some))
}
