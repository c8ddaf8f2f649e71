//! `resolve`: settle conflicts.

mod abroad;
mod keys;
mod places;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use instep_core::filter::Values;
use instep_core::path::escape;
use instep_core::progress::Silent;
use instep_core::remote::Remote;
use instep_engine::conflict::resolve::{self, Choice};
use instep_engine::cycle::outcome::OpenConflict;
use serde_json::json;

use super::{Context, conflicts};
use crate::desk::Desk;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::conflict::{self as render, With};
use crate::terminal::program;
use crate::terminal::progress::Progress;
use crate::terminal::prompt::{self, Question};

/// Options of `resolve`.
#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// Which: `c3`, a path, a folder or a pattern, or `desktop:c3` of another machine; all that are open here, one after
    /// the other, if none is named.
    #[arg(value_name = "ID-OR-PATH")]
    pub which: Vec<String>,
    /// All that are open.
    #[arg(long, conflicts_with = "which")]
    pub all: bool,
    /// Which version stays.
    #[arg(long, value_name = "VERSION", value_enum, conflicts_with_all = ["use_file", "tool"])]
    pub keep: Option<Keep>,
    /// This file's content is the answer.
    #[arg(long = "use", value_name = "FILE", conflicts_with = "tool")]
    pub use_file: Option<PathBuf>,
    /// A merge program; it finds the files in BASE, LOCAL, REMOTE and MERGED.
    #[arg(long, value_name = "COMMAND")]
    pub tool: Option<String>,
    /// The same as --keep here.
    #[arg(long, conflicts_with_all = ["keep", "use_file", "tool", "theirs"], hide = true)]
    pub ours: bool,
    /// The same as --keep there.
    #[arg(long, conflicts_with_all = ["keep", "use_file", "tool"], hide = true)]
    pub theirs: bool,
    /// Show values, also of files whose values are not shown by themselves.
    #[arg(long)]
    pub show_values: bool,
    /// Only those with this remote.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}

/// Which version stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// The one on this machine.
    #[value(alias = "local")]
    Here,
    /// The one at the remote.
    #[value(alias = "remote")]
    There,
    /// Both, side by side.
    Both,
    /// The one that was modified last.
    Newest,
    /// What both last agreed on.
    Base,
}

/// What becomes of one conflict.
enum Answer {
    Settle(Choice),
    Skip,
}

/// Settles conflicts: by a rule, by a file, by a program, or asking for each.
pub fn run(context: &Context, arguments: &ResolveArguments) -> Result<Exit, CommandError> {
    let mut opened = context.open()?;
    opened.choose_if_named(arguments.remote.as_deref())?;
    // Without any remote, that is what there is to say.
    opened.address()?;
    if let Some((remote, elsewhere)) = abroad::named(&mut opened, arguments)? {
        opened.choose(&remote)?;
        let remote = opened.remote()?;
        return abroad::run(context, &mut opened, remote.as_ref(), arguments, &elsewhere);
    }
    let groups = chosen(context, &mut opened, arguments)?;
    let rule = rule(context, arguments)?;
    let of = groups.iter().map(|with| with.open.len()).sum();
    if arguments.use_file.is_some() && of > 1 {
        return Err(CommandError::usage("One file can't be the answer to several conflicts."));
    }
    if of == 0 {
        context.terminal.done(&render::list(&context.terminal.look, &[]));
        return Ok(Exit::Done);
    }
    let (mut settled, mut held, mut at) = (Vec::new(), 0, 0);
    for With { remote, open, .. } in &groups {
        opened.choose(remote)?;
        let remote = opened.remote()?;
        let mut desk = Settling { context, opened: &mut opened, remote, settled: Vec::new(), held: 0 };
        match &rule {
            // A rule is one deed with a remote: it is logged once, and taken back once.
            Some(choice) => desk.settle(open.iter().map(|open| (open, choice.clone())).collect())?,
            None => {
                for open in open {
                    if crate::interrupt::is_asked() {
                        return Err(CommandError::interrupted());
                    }
                    at += 1;
                    if let Answer::Settle(choice) = desk.ask(arguments, open, (at, of))? {
                        desk.settle(vec![(open, choice)])?;
                    }
                }
            }
        }
        settled.append(&mut desk.settled);
        held += desk.held;
    }
    tell(context, &settled, of);
    let open = if settled.len() < of { Exit::Conflicts } else { Exit::Done };
    Ok(open.and(if held > 0 { Exit::Partial } else { Exit::Done }))
}

/// Conflicts on their way to being settled.
struct Settling<'a, 'o> {
    context: &'a Context,
    opened: &'o mut Opened,
    remote: Box<dyn Remote>,
    settled: Vec<(&'a OpenConflict, Choice)>,
    held: usize,
}

impl<'a> Settling<'a, '_> {
    fn ask(
        &self,
        arguments: &ResolveArguments,
        open: &OpenConflict,
        count: (usize, usize),
    ) -> Result<Answer, CommandError> {
        match &arguments.tool {
            Some(tool) => with_tool(self.context, self.opened, self.remote.as_ref(), open, tool),
            None => {
                decide(self.context, self.opened, self.remote.as_ref(), open, count, arguments.show_values)
            }
        }
    }

    /// Settles what can be, and says why the rest can't.
    fn settle(&mut self, choices: Vec<(&'a OpenConflict, Choice)>) -> Result<(), CommandError> {
        let mut decided = Vec::new();
        let mut refused = Vec::new();
        for (open, choice) in choices {
            match resolve::decide(&open.conflict, &choice) {
                Ok(choice) => decided.push((open, choice)),
                Err(error) => refused.push((open.number, error)),
            }
        }
        if !self.context.global.dry_run && !decided.is_empty() {
            let numbered: Vec<_> =
                decided.iter().map(|(open, choice)| (open.number, choice.clone())).collect();
            let progress = Progress::new(&self.context.terminal, false);
            let source = self.opened.source();
            let workspace = &mut self.opened.workspace;
            let came = resolve::resolve(workspace, self.remote.as_ref(), &source, &numbered, &progress)?;
            decided.retain(|(open, _)| came.numbers.contains(&open.number));
            refused.extend(came.refused);
            self.held += came.acted.held.len();
            for held in &came.acted.held {
                let warning = format!("{}: {} ({})", held.path, held.why, held.code);
                self.context.terminal.warn(&warning);
            }
        }
        for (number, error) in refused {
            self.context.terminal.warn(&format!("c{number} stays open: {error}"));
        }
        self.settled.extend(decided);
        Ok(())
    }
}

fn chosen(
    context: &Context,
    opened: &mut Opened,
    arguments: &ResolveArguments,
) -> Result<Vec<With>, CommandError> {
    let mut groups = conflicts::groups(opened, arguments.remote.as_deref(), conflicts::of)?;
    if arguments.which.is_empty() {
        let by_rule =
            arguments.keep.is_some() || arguments.tool.is_some() || arguments.ours || arguments.theirs;
        if by_rule && !arguments.all {
            return Err(CommandError::usage("Which conflicts?").hinted("name them, or add `--all`."));
        }
        // A move that is settled already is only looked at by name.
        groups.iter_mut().for_each(|with| with.open.retain(|one| !one.conflict.settled));
    } else {
        let mut chosen: Vec<With> = Vec::new();
        for which in &arguments.which {
            chosen.extend(conflicts::choose(context, opened, &groups, which)?);
        }
        let is_chosen = |remote: &str, one: &OpenConflict| {
            chosen.iter().any(|with| with.remote == remote && with.open.contains(one))
        };
        groups.iter_mut().for_each(|With { remote, open, .. }| open.retain(|one| is_chosen(remote, one)));
    }
    groups.retain(|with| !with.open.is_empty());
    Ok(groups)
}

fn rule(context: &Context, arguments: &ResolveArguments) -> Result<Option<Choice>, CommandError> {
    if let Some(file) = &arguments.use_file {
        let path = context.surroundings.folder.join(file);
        let bytes = std::fs::read(&path).map_err(|error| CommandError::named_file(&path, &error))?;
        return Ok(Some(Choice::Content(bytes)));
    }
    let keep = match (arguments.ours, arguments.theirs) {
        (true, _) => Some(Keep::Here),
        (_, true) => Some(Keep::There),
        _ => arguments.keep,
    };
    Ok(keep.map(|keep| match keep {
        Keep::Here => Choice::Here,
        Keep::There => Choice::There,
        Keep::Both => Choice::Both,
        Keep::Newest => Choice::Newest,
        Keep::Base => Choice::Base,
    }))
}

/// Asks key by key or place by place where keys or lines are in conflict, else about the whole.
fn decide(
    context: &Context,
    opened: &Opened,
    remote: &dyn Remote,
    open: &OpenConflict,
    count: (usize, usize),
    show_values: bool,
) -> Result<Answer, CommandError> {
    let values = opened.values(&open.conflict.path, show_values)?;
    let contents = resolve::contents(&opened.workspace, remote, &open.conflict, &Silent)?;
    let name = open.conflict.path.name();
    if let Some(name) = &name
        && let Some(keys) = keys::Keys::of(keys::terms(opened, open, name, &mut None), &contents, values)
        && let Some(answer) = keys.ask(context, open, &contents)?
    {
        return Ok(answer);
    }
    if let Some(regions) = places::regions(&contents).filter(|_| values == Values::Shown)
        && let Some(answer) = places::ask(context, open, &contents, &regions)?
    {
        return Ok(answer);
    }
    ask(context, opened, remote, open, count, show_values)
}

/// Asks what becomes of one conflict, and shows more until the person knows.
fn ask(
    context: &Context,
    opened: &Opened,
    remote: &dyn Remote,
    open: &OpenConflict,
    (at, of): (usize, usize),
    show_values: bool,
) -> Result<Answer, CommandError> {
    let terminal = &context.terminal;
    terminal.data(&render::one(&terminal.look, open));
    let there = escape(open.machines.remote.as_bytes());
    let (here, there) =
        (format!("keep {} (here)", escape(open.machines.local.as_bytes())), format!("keep {there}"));
    let choices = [
        prompt::Choice { key: "s", words: "skip it for now" },
        prompt::Choice { key: "h", words: &here },
        prompt::Choice { key: "t", words: &there },
        prompt::Choice { key: "b", words: "keep both, side by side" },
        prompt::Choice { key: "o", words: "back to what was last agreed" },
        prompt::Choice { key: "e", words: "edit it, and take the result" },
        prompt::Choice { key: "d", words: "show the differences" },
    ];
    let text = format!("{} of {of}: what becomes of {}?", at, open.conflict.path);
    let question = Question { text: &text, option: "--keep here|there|both|newest|base" };
    loop {
        return Ok(match choices[terminal.choose(question, &choices)?].key {
            "h" => Answer::Settle(Choice::Here),
            "t" => Answer::Settle(Choice::There),
            "b" => Answer::Settle(Choice::Both),
            "o" => Answer::Settle(Choice::Base),
            "e" => with_editor(opened, remote, open)?,
            "d" => {
                conflicts::show(context, opened, remote, open, show_values)?;
                continue;
            }
            _ => Answer::Skip,
        });
    }
}

/// Lets the person edit this machine's version; an unchanged one is no answer.
fn with_editor(opened: &Opened, remote: &dyn Remote, open: &OpenConflict) -> Result<Answer, CommandError> {
    let contents = resolve::contents(&opened.workspace, remote, &open.conflict, &Silent)?;
    let start = contents.local.or(contents.remote).unwrap_or_default();
    let result = edited(open, &start)?;
    Ok(if result == start { Answer::Skip } else { Answer::Settle(Choice::Content(result)) })
}

/// What a person makes of these bytes in their editor.
fn edited(open: &OpenConflict, start: &[u8]) -> Result<Vec<u8>, CommandError> {
    let start = start.to_vec();
    let files = Desk::lay_out(&open.conflict.path.to_string(), &[("MERGED", &start)])?;
    let merged = files.path("MERGED");
    program::edit(&merged).map_err(|error| CommandError::file("edit", &merged, &error))?;
    files.read("MERGED")
}

/// Runs a merge program on copies. What it leaves in MERGED is the answer, if it says that all went well.
fn with_tool(
    context: &Context,
    opened: &Opened,
    remote: &dyn Remote,
    open: &OpenConflict,
    tool: &str,
) -> Result<Answer, CommandError> {
    let contents = resolve::contents(&opened.workspace, remote, &open.conflict, &Silent)?;
    let local = contents.local.unwrap_or_default();
    let sides = [
        ("BASE", contents.base.unwrap_or_default()),
        ("LOCAL", local.clone()),
        ("REMOTE", contents.remote.unwrap_or_default()),
        ("MERGED", local),
    ];
    let borrowed: Vec<(&str, &Vec<u8>)> = sides.iter().map(|(name, bytes)| (*name, bytes)).collect();
    let files = Desk::lay_out(&open.conflict.path.to_string(), &borrowed)?;
    let paths = sides.each_ref().map(|(name, _)| (*name, files.path(name)));
    let variables = paths.each_ref().map(|(name, path)| (*name, path.as_path()));
    let ended = program::merge_tool(tool, &variables);
    let ended = ended
        .map_err(|error| CommandError::file("run the merge program on", &files.path("MERGED"), &error))?;
    if !ended.success() {
        context
            .terminal
            .warn(&format!("The merge program did not settle {}; it stays open.", open.conflict.path));
        return Ok(Answer::Skip);
    }
    Ok(Answer::Settle(Choice::Content(files.read("MERGED")?)))
}

fn tell(context: &Context, settled: &[(&OpenConflict, Choice)], of: usize) {
    let terminal = &context.terminal;
    if terminal.json {
        let list = settled.iter().map(|(open, choice)| {
            json!({"id": open.short(), "path": open.conflict.path.to_string(), "keep": word(choice)})
        });
        let (list, dry_run) = (list.collect::<Vec<_>>(), context.global.dry_run);
        terminal.object(&json!({"schema": 1, "command": "resolve", "settled": list, "dry_run": dry_run}));
        return;
    }
    let print = |text: &str| if context.global.dry_run { terminal.data(text) } else { terminal.done(text) };
    for (open, choice) in settled {
        print(&format!("{}  {}  {}\n", open.short(), open.conflict.path, word(choice)));
    }
    let (count, verb) = (settled.len(), if context.global.dry_run { "would be settled" } else { "settled" });
    print(&format!("{count} of {of} {verb}.\n"));
    if count > 0 && !context.global.dry_run {
        let back = if count == 1 { "takes it back" } else { "takes them back, one at a time" };
        terminal.hint(Some(format!("`instep sync` tells the other machines; `instep undo` {back}.")));
    }
}

fn word(choice: &Choice) -> &'static str {
    match choice {
        Choice::Here => "here",
        Choice::There => "there",
        Choice::Both => "both",
        Choice::Newest => "newest",
        Choice::Base => "base",
        Choice::Content(_) => "merged",
    }
}
