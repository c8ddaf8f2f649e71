//! `conflicts`: list them, or show one.

use std::path::Path;

use clap::Args;
use instep_core::filter::{Decision, Filter, FilterRules, IgnoreFiles, RulePlace, RuleText, Values};
use instep_core::node::Side;
use instep_core::path::escape;
use instep_core::remote::Remote;
use instep_engine::conflict::resolve::{self, ConflictContents};
use instep_engine::conflict::{self, abroad};
use instep_engine::cycle::outcome::OpenConflict;
use serde_json::json;

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::conflict::{self as render, With};
use crate::render::difference::{self, Pair};
use crate::terminal::progress::Progress;

/// Options of `conflicts`.
#[derive(Debug, Args)]
pub struct ConflictsArguments {
    /// Show this one: `c3`, or its path; `desktop:c3` of another machine.
    #[arg(value_name = "ID-OR-PATH")]
    pub which: Option<String>,
    /// Only of this kind.
    #[arg(long, value_name = "KIND", value_parser = ["content", "name", "move", "held", "problem"])]
    pub kind: Option<String>,
    /// Only with this machine.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Show values, also of files whose values are not shown by themselves.
    #[arg(long)]
    pub show_values: bool,
    /// Only those with this remote.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}

/// Lists the open conflicts, or shows one with its differences.
pub fn run(context: &Context, arguments: &ConflictsArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open_to_read()?;
    let mut groups = groups(&mut opened, arguments.remote.as_deref(), |opened| {
        let mut open = of(opened)?;
        open.extend(elsewhere(opened)?);
        Ok(open)
    })?;
    let is_meant = |one: &OpenConflict| {
        let of_kind = arguments.kind.as_ref().is_none_or(|kind| one.conflict.kind.word() == kind);
        let with = |machine: &String| Side::BOTH.into_iter().any(|side| one.machines[side] == *machine);
        of_kind && arguments.machine.as_ref().is_none_or(with)
    };
    groups.iter_mut().for_each(|with| with.open.retain(is_meant));
    let Some(which) = &arguments.which else {
        tell(context, &groups);
        return Ok(Exit::Done);
    };
    let chosen = choose(context, &opened, &groups, which)?;
    if let ([With { remote, open, .. }], false) = (chosen.as_slice(), context.terminal.json)
        && let [only] = open.as_slice()
    {
        opened.choose(remote)?;
        show(context, &opened, opened.remote()?.as_ref(), only, arguments.show_values)?;
        return Ok(Exit::Done);
    }
    tell(context, &chosen);
    Ok(Exit::Done)
}

/// Conflicts by the remote that they are with: the one that a person named, or all.
pub fn groups(
    opened: &mut Opened,
    remote: Option<&str>,
    find: impl Fn(&Opened) -> Result<Vec<OpenConflict>, CommandError>,
) -> Result<Vec<With>, CommandError> {
    let is_told = opened.places().len() > 1;
    let mut groups = Vec::new();
    for name in opened.asked_for(remote) {
        opened.choose(&name)?;
        groups.push(With { remote: name, is_told, open: find(opened)? });
    }
    Ok(groups)
}

/// The conflicts on record with the remote, whether it can be reached or not.
pub fn of(opened: &Opened) -> Result<Vec<OpenConflict>, CommandError> {
    let Some(key) = opened.remote_key() else { return Ok(Vec::new()) };
    let record = opened.workspace.state.remote(&key)?;
    Ok(conflict::open(&opened.workspace.state, record.id)?)
}

/// Those of other machines, as they were told with the last sync, seen from here.
pub fn elsewhere(opened: &Opened) -> Result<Vec<OpenConflict>, CommandError> {
    let Some(key) = opened.remote_key() else { return Ok(Vec::new()) };
    let state = &opened.workspace.state;
    Ok(abroad::list(state, state.remote(&key)?.id, &opened.workspace.machine)?)
}

/// Answers whether a person means this conflict by a name: `c3`, `desktop:c3`, or by the id of that machine.
pub fn is_name_of(one: &OpenConflict, which: &str) -> bool {
    let by_id = one.abroad.as_ref().and_then(|machine| which.strip_prefix(machine.id.as_str()));
    one.short() == which || by_id.is_some_and(|rest| rest == format!(":c{}", one.number))
}

/// Those that a short name, a path, a folder or a pattern means, by remote.
pub fn choose(
    context: &Context,
    opened: &Opened,
    groups: &[With],
    which: &str,
) -> Result<Vec<With>, CommandError> {
    let by_name = only(groups, |one| is_name_of(one, which) || is_full_id(one, which));
    if !by_name.is_empty() {
        return Ok(by_name);
    }
    let typed = opened.tree_path(context, Path::new(which));
    let rule = RuleText { text: pattern(opened, context, which), place: RulePlace::default() };
    let pattern = which.contains(['*', '?', '[']).then(|| Filter::new(&rules_of(rule))).transpose();
    let pattern = pattern.map_err(|error| {
        CommandError::new(error.code(), Exit::Usage, "This pattern can't be used.").because(error)
    })?;
    let chosen = only(groups, |one| {
        let path = &one.conflict.path;
        let below = typed.as_ref().is_ok_and(|typed| path.is_within(typed));
        let fits = pattern.as_ref().is_some_and(|filter| {
            filter.decide_path(path, false, &IgnoreFiles::default()) == Decision::Included
        });
        below || fits
    });
    if chosen.is_empty() {
        return Err(CommandError::new("E-NOT-FOUND", Exit::Usage, "There is no such conflict.")
            .at(escape(which.as_bytes()))
            .hinted("`instep conflicts` lists them."));
    }
    Ok(chosen)
}

/// Of each remote those that are meant; nothing of a remote with which none is.
fn only(groups: &[With], is_meant: impl Fn(&OpenConflict) -> bool) -> Vec<With> {
    let those = groups.iter().map(|with| With {
        open: with.open.iter().filter(|one| is_meant(one)).cloned().collect(),
        ..with.clone()
    });
    those.filter(|with| !with.open.is_empty()).collect()
}

fn is_full_id(one: &OpenConflict, which: &str) -> bool {
    which.len() >= 8 && one.conflict.id.to_string().starts_with(which)
}

/// The pattern as it holds from the folder that the person stands in.
fn pattern(opened: &Opened, context: &Context, which: &str) -> String {
    let inside = context.surroundings.folder.strip_prefix(opened.workspace.root()).ok();
    match inside.and_then(Path::to_str) {
        Some(folder) if !folder.is_empty() && which.contains('/') => format!("{folder}/{which}"),
        _ => which.to_owned(),
    }
}

/// Rules by which only what a pattern names takes part.
fn rules_of(rule: RuleText) -> FilterRules {
    FilterRules { include: vec![rule], ..FilterRules::default() }
}

fn tell(context: &Context, groups: &[With]) {
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        let list = |is_elsewhere: bool| {
            let of = |with: &'_ With| {
                let those = with.open.iter().filter(|one| one.abroad.is_some() == is_elsewhere);
                those.map(|one| render::to_json_with(one, &with.remote)).collect::<Vec<_>>()
            };
            groups.iter().flat_map(of).collect::<Vec<_>>()
        };
        terminal.object(&json!({
            "schema": 1, "command": "conflicts", "conflicts": list(false), "elsewhere": list(true),
        }));
        return;
    }
    terminal.data(&render::list(look, groups));
    let all: Vec<&OpenConflict> = groups.iter().flat_map(|with| &with.open).collect();
    terminal.hint(match all.as_slice() {
        [] => None,
        [only] => Some(format!("`instep resolve {}` settles it.", only.short())),
        all if all.iter().all(|one| one.abroad.is_some()) => {
            Some(format!("`instep resolve {}` settles the first.", all[0].short()))
        }
        _ => Some("`instep resolve --all --keep newest -n` shows what one rule would do.".to_owned()),
    });
}

/// One conflict with what each side did to the base, or with the two versions where there is none.
pub fn show(
    context: &Context,
    opened: &Opened,
    remote: &dyn Remote,
    open: &OpenConflict,
    show_values: bool,
) -> Result<(), CommandError> {
    let look = &context.terminal.look;
    let progress = Progress::new(&context.terminal, false);
    let contents = resolve::contents(&opened.workspace, remote, &open.conflict, &progress)?;
    drop(progress);
    let mut text = render::one(look, open);
    let values = opened.values(&open.conflict.path, show_values)?;
    for pair in pairs(open, contents, values) {
        text.push('\n');
        text.push_str(&difference::unified(look, &pair));
    }
    context.terminal.page(&text);
    context.terminal.hint(Some(format!("`instep resolve {}` settles it.", open.short())));
    Ok(())
}

/// What to compare: base with each side, or the sides with each other.
fn pairs(open: &OpenConflict, contents: ConflictContents, values: Values) -> Vec<Pair> {
    let name = |side: Side| {
        let here = if side == Side::Local { ", here" } else { "" };
        format!("{}{here}", escape(open.machines[side].as_bytes()))
    };
    let pair = |old: (&str, &Option<Vec<u8>>), new: (&str, &Option<Vec<u8>>)| Pair {
        path: open.conflict.path.to_string(),
        old_name: old.0.to_owned(),
        new_name: new.0.to_owned(),
        old: old.1.clone(),
        new: new.1.clone(),
        values,
    };
    let (here, there) = (name(Side::Local), name(Side::Remote));
    match &contents.base {
        Some(_) => vec![
            pair(("last agreed", &contents.base), (&here, &contents.local)),
            pair(("last agreed", &contents.base), (&there, &contents.remote)),
        ],
        None => vec![pair((&there, &contents.remote), (&here, &contents.local))],
    }
}
