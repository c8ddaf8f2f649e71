//! Conflicts of other machines, settled from here: `resolve desktop:c1`.

use instep_core::remote::Remote;
use instep_engine::conflict::abroad;
use instep_engine::cycle::outcome::OpenConflict;
use instep_engine::failure::EngineError;

use super::{Answer, ResolveArguments, decide, rule, tell, with_tool};
use crate::commands::{Context, conflicts};
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::conflict::With;
use crate::terminal::progress::Progress;

/// Those of other machines that a person named, and the remote by which they are told; none if all that was named is of
/// this one.
pub fn named(
    opened: &mut Opened,
    arguments: &ResolveArguments,
) -> Result<Option<(String, Vec<OpenConflict>)>, CommandError> {
    let mut found = None;
    for With { remote, open, .. } in
        conflicts::groups(opened, arguments.remote.as_deref(), conflicts::elsewhere)?
    {
        let named = among(&open, &arguments.which)?;
        if named.is_empty() {
            continue;
        }
        if found.is_some() {
            return Err(CommandError::usage("These are told by two remotes.")
                .hinted("settle them one remote after the other: `--remote NAME`."));
        }
        found = Some((remote, named));
    }
    Ok(found)
}

fn among(open: &[OpenConflict], which: &[String]) -> Result<Vec<OpenConflict>, CommandError> {
    let mut named = Vec::new();
    let mut others = 0;
    for which in which {
        let mut found = open.iter().filter(|one| conflicts::is_name_of(one, which));
        match (found.next(), found.next()) {
            (None, _) => others += 1,
            (Some(one), None) => named.push(one.clone()),
            (Some(one), Some(other)) => {
                let id = |one: &OpenConflict| {
                    one.abroad.as_ref().map(|machine| format!("{}:c{}", machine.id, one.number))
                };
                let ids = [one, other].into_iter().filter_map(id).collect::<Vec<_>>().join("` or `");
                return Err(CommandError::usage("Two machines have this name.")
                    .at(which.clone())
                    .hinted(format!("name it by the machine's id: `{ids}`.")));
            }
        }
    }
    if !named.is_empty() && others > 0 {
        return Err(CommandError::usage(
            "Conflicts here and on other machines are settled one after the other.",
        )
        .hinted("name those of other machines alone."));
    }
    named.dedup();
    Ok(named)
}

/// Answers them one by one.
pub fn run(
    context: &Context,
    opened: &mut Opened,
    remote: &dyn Remote,
    arguments: &ResolveArguments,
    chosen: &[OpenConflict],
) -> Result<Exit, CommandError> {
    let rule = rule(context, arguments)?;
    if arguments.use_file.is_some() && chosen.len() > 1 {
        return Err(CommandError::usage("One file can't be the answer to several conflicts."));
    }
    let mut settled = Vec::new();
    let mut held = 0;
    for (at, open) in chosen.iter().enumerate() {
        if crate::interrupt::is_asked() {
            return Err(CommandError::interrupted());
        }
        let answer = match (&rule, &arguments.tool) {
            (Some(choice), _) => Answer::Settle(choice.clone()),
            (None, Some(tool)) => with_tool(context, opened, remote, open, tool)?,
            (None, None) => {
                decide(context, opened, remote, open, (at + 1, chosen.len()), arguments.show_values)?
            }
        };
        let Answer::Settle(choice) = answer else { continue };
        if !context.global.dry_run {
            let progress = Progress::new(&context.terminal, false);
            let source = opened.source();
            let acted = abroad::settle(&mut opened.workspace, remote, &source, open, &choice, &progress);
            drop(progress);
            let acted = match acted {
                Err(EngineError::Refused(why)) => {
                    context.terminal.warn(&format!("{} stays open: {why}", open.short()));
                    continue;
                }
                acted => acted?,
            };
            held += acted.held.len();
            for held in &acted.held {
                context.terminal.warn(&format!("{}: {} ({})", held.path, held.why, held.code));
            }
            if !acted.held.is_empty() {
                continue;
            }
        }
        settled.push((open, choice));
    }
    tell(context, &settled, chosen.len());
    let open = if settled.len() < chosen.len() { Exit::Conflicts } else { Exit::Done };
    Ok(open.and(if held > 0 { Exit::Partial } else { Exit::Done }))
}
