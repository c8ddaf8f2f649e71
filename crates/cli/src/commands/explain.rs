//! `explain`: why a path is synced, waits, or is not synced.

use std::path::PathBuf;

use clap::Args;
use instep_core::path::TreePath;
use instep_core::tree::Unknown;
use instep_engine::explain::{self, Explained, Verdict};
use instep_engine::state::Failures;

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::explanation::{self as render, Explanation};
use crate::render::outcome::quoted;
use crate::render::{Look, bytes, conflict};
use crate::terminal::progress::Progress;

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The path.
    pub path: PathBuf,
    /// List the rules that were looked at.
    #[arg(long)]
    pub rules: bool,
    /// Why, as far as this remote is concerned.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}

/// How a rule ends that keeps a path from a remote alone.
const OUTSIDE: &str = ": the remote's paths do not name it";

/// Explains one path, with each remote there is. Asks nobody.
pub fn run(context: &Context, arguments: &ExplainArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open_to_read()?;
    let path = opened.tree_path(context, &arguments.path)?;
    let names = opened.asked_for(arguments.remote.as_deref());
    let mut explanations = Vec::new();
    for name in &names {
        opened.choose(name)?;
        explanations.push(one(context, &opened, arguments, &path)?);
    }
    if names.is_empty() {
        explanations.push(one(context, &opened, arguments, &path)?);
    }
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    let is_told = opened.places().len() > 1;
    if terminal.json {
        terminal.object(&render::to_json(&names, &explanations));
    } else {
        for (at, explanation) in explanations.iter().enumerate() {
            let name = names.get(at).filter(|_| is_told);
            terminal.data(&render::text(look, name.map(String::as_str), explanation));
        }
        let outside = explanations.iter().all(|explanation| explanation.reason == "outside");
        let concerned =
            explanations.into_iter().filter(|explanation| outside || explanation.reason != "outside");
        terminal.hint(concerned.into_iter().find_map(|explanation| explanation.hint));
    }
    Ok(Exit::Done)
}

fn one(
    context: &Context,
    opened: &Opened,
    arguments: &ExplainArguments,
    path: &TreePath,
) -> Result<Explanation, CommandError> {
    let remote = opened.remote_if_any(context);
    let reach = opened.reach(remote.as_deref());
    let progress = Progress::new(&context.terminal, false);
    let explained = explain::explain(&opened.workspace, reach.as_ref(), &opened.source(), path, &progress)?;
    drop(progress);
    let mut explanation = worded(&context.terminal.look, &explained);
    if let (Verdict::NotSynced(Unknown::Excluded(rule)), Some(place)) = (&explained.verdict, opened.place())
        && rule.ends_with(OUTSIDE)
    {
        let path = quoted(path);
        explanation.verdict = "Not one of its paths.".to_owned();
        explanation.reason = "outside";
        explanation.facts = vec![("because".to_owned(), rule.clone())];
        explanation.hint =
            Some(format!("`instep config add {} {path} --machine` adds it.", place.key("paths")));
    }
    if arguments.rules {
        for rule in &explained.rules.rules {
            explanation = explanation.fact("rule", rule.to_string());
        }
    }
    Ok(explanation)
}

/// The answer in words.
fn worded(look: &Look, explained: &Explained) -> Explanation {
    let path = quoted(explained.above.as_ref().unwrap_or(&explained.path));
    let (reason, verdict, hint) = match &explained.verdict {
        Verdict::InStep => ("synced", "Synced: both sides hold the same.".to_owned(), None),
        Verdict::WaitsToSend => (
            "waiting",
            "Waits: it goes with the next sync.".to_owned(),
            Some("`instep sync` sends it.".to_owned()),
        ),
        Verdict::InConflict(open) => (
            "conflict",
            format!("In conflict since {} ({}).", look.moment(open.since), open.short()),
            Some(format!("`instep resolve {}` settles it.", open.short())),
        ),
        Verdict::WaitsFor(open) => (
            "waiting",
            format!("Waits, because {} is in conflict ({}).", open.conflict.path, open.short()),
            Some(format!("`instep resolve {}` settles it.", open.short())),
        ),
        Verdict::HeldAfterUndo(operation) => (
            "held-after-undo",
            format!("Held after undo {}.", operation.get(..8).unwrap_or(operation)),
            Some("`instep sync` sends what is here.".to_owned()),
        ),
        Verdict::InUse(_) => (
            "in-use",
            "Waits: it is to change here, and a program has it open.".to_owned(),
            Some("close that program, then `instep sync`.".to_owned()),
        ),
        Verdict::Held(..) => (
            "held",
            "Held: the last sync could not do it, and the next one tries again.".to_owned(),
            Some("`instep sync` tries again once the cause is gone.".to_owned()),
        ),
        Verdict::InvalidThere(_) => (
            "invalid-there",
            "Waits: what the remote holds is not valid, and what stands here stays in force.".to_owned(),
            Some("repair it where it was changed; or change it here, and settle the conflict.".to_owned()),
        ),
        Verdict::NotSynced(unknown) => return finish(look, explained, not_synced(unknown, &path)),
        Verdict::Nothing => ("nothing", "Nothing stands here, and nothing is known of it.".to_owned(), None),
    };
    let explanation = Explanation { verdict, reason, hint, ..Explanation::default() };
    let explanation = match &explained.verdict {
        Verdict::InConflict(open) => {
            explanation.fact("because", conflict::reason(open)).fact("versions", conflict::sides(look, open))
        }
        Verdict::InUse(why) | Verdict::InvalidThere(why) => explanation.fact("because", why.clone()),
        Verdict::Held(code, why) => explanation.fact("because", format!("{why} ({code})")),
        _ => explanation,
    };
    finish(look, explained, explanation)
}

/// Why something takes no part, and how to change that.
fn not_synced(unknown: &Unknown, path: &str) -> Explanation {
    let include = |more: &str| Some(format!("`instep config add exclude '!{path}'{more}` takes it back in."));
    let (reason, because, hint) = match unknown {
        Unknown::Excluded(rule) => ("excluded", rule.clone(), include("")),
        Unknown::ExcludedHere(rule) => {
            let narrows = rule.contains(": include ");
            let selects = || Some(format!("`instep config add include '{path}' --machine` brings it here."));
            ("excluded-here", rule.clone(), if narrows { selects() } else { include(" --machine") })
        }
        Unknown::Reserved => ("reserved", "names like this never travel".to_owned(), None),
        Unknown::Unreadable(why) => {
            ("unreadable", format!("it can't be read: {why}"), Some(format!("`chmod u+r {path}`.")))
        }
        Unknown::Changing => ("changing", "it is being written now; the next sync takes it".to_owned(), None),
        Unknown::Special => ("special", "it is a socket, device or pipe".to_owned(), None),
        Unknown::Foreign(why) => ("foreign", why.clone(), None),
        Unknown::LinkOutside => (
            "link",
            "the link leads out of the workspace, or means another place on other machines".to_owned(),
            Some("`instep config set symlinks any --machine` carries all links as they are.".to_owned()),
        ),
        Unknown::Unfit { code, why } => ("unfit", format!("{why} ({code})"), None),
    };
    let verdict = match unknown {
        Unknown::ExcludedHere(_) => "Not on this machine: a rule of its own leaves it out here.",
        _ => "Not synced.",
    };
    let verdict = verdict.to_owned();
    Explanation { verdict, reason, hint, ..Explanation::default() }.fact("because", because)
}

/// Adds what holds for every answer: the path, and what stands where.
fn finish(look: &Look, explained: &Explained, explanation: Explanation) -> Explanation {
    let side = |held: &Option<(&'static str, u64)>, nothing: &str| match held {
        Some(("folder", _)) => "a folder".to_owned(),
        Some((_, size)) => bytes(*size),
        None => nothing.to_owned(),
    };
    let mut here = side(&explained.here, "nothing");
    if let Some(modified) = explained.modified {
        here.push_str(&format!(", changed {}", look.ago(modified)));
    }
    let mut there = side(&explained.there, "nothing, as far as is known");
    if let Some(checked) = explained.checked {
        there.push_str(&format!(" (checked {})", look.ago(checked)));
    }
    let mut explanation = Explanation { path: explained.path.to_string(), ..explanation };
    // What takes no part was not looked into.
    if explained.here.is_some() || !matches!(explained.verdict, Verdict::NotSynced(_)) {
        explanation = explanation.fact("here", here);
    }
    explanation = explanation.fact("there", there);
    let waits = matches!(explained.verdict, Verdict::WaitsToSend | Verdict::Held(..));
    if let Some(failed) = explained.failures.as_ref().filter(|_| waits) {
        let Failures { last, code, message, .. } = failed;
        explanation =
            explanation.fact("last sync", format!("failed {}: {message} ({code})", look.ago(*last)));
    }
    if explained.is_marked {
        let words = "both versions stand between markers; `instep sync` settles it once they are gone";
        explanation = explanation.fact("in the text", words);
    }
    if let Some(on_disk) = &explained.on_disk {
        explanation = explanation.fact("on this disk", on_disk.to_string());
    }
    if !explained.places.is_empty() {
        explanation = explanation
            .fact("paths of", format!("{}: each machine has its own", explained.places.join(", ")));
    }
    if !explained.stays.is_empty() {
        let keys = instep_core::path::escape(explained.stays.join(", ").as_bytes());
        explanation = explanation.fact("stays here", keys);
    }
    match explained.agreed {
        Some((id, time)) => explanation
            .fact("last change", format!("{}, operation {}", look.moment(time), &id.to_string()[..8])),
        None => explanation,
    }
}
