//! `diff`: what differs.

mod past;

use std::path::PathBuf;

use clap::Args;
use instep_core::conflict::Version;
use instep_core::content::ContentId;
use instep_core::filter::{Groups, Values};
use instep_core::node::{PerSide, Side};
use instep_core::path::{TreePath, escape};
use instep_core::plan::ChangeKind;
use instep_core::remote::Remote;
use instep_engine::cycle;
use instep_engine::cycle::glance::glance;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::request::Request;
use instep_engine::cycle::rules;
use instep_engine::form::keys;
use instep_engine::history::restore;
use instep_engine::reach::Reach;
use serde_json::json;

use super::Context;
use super::status::BESIDE;
use crate::desk::Desk;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::Look;
use crate::render::difference::{self, Pair};
use crate::render::outcome::side_word;
use crate::terminal::program;
use crate::terminal::progress::Progress;

/// Options of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// Only what lies here or below.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only names and counts.
    #[arg(long)]
    pub stat: bool,
    /// From what both last agreed on to what is here.
    #[arg(long, conflicts_with_all = ["there", "base"])]
    pub here: bool,
    /// From what both last agreed on to what is there.
    #[arg(long, conflicts_with = "base")]
    pub there: bool,
    /// From what both last agreed on to each side.
    #[arg(long)]
    pub base: bool,
    /// Show values, also of files whose values are not shown by themselves.
    #[arg(long)]
    pub show_values: bool,
    /// From how it was after this operation to how it is here; with two, from one to the other.
    #[arg(long, value_name = "OPERATION", num_args = 1..=2, conflicts_with_all = ["here", "there", "base"])]
    pub at: Vec<String>,
    /// Show each in this program: its words are parted at spaces, and the two files come last.
    #[arg(long, value_name = "COMMAND", conflicts_with = "stat")]
    pub tool: Option<String>,
    /// Only with this remote.
    #[arg(long, value_name = "NAME", conflicts_with = "at")]
    pub remote: Option<String>,
}

/// The largest file that is compared line by line.
const COMPARED_BYTES_MAX: u64 = 64 << 20;

/// Shows what differs between here and there, as far as was last asked.
pub fn run(context: &Context, arguments: &DiffArguments) -> Result<Exit, CommandError> {
    let mut opened =
        if arguments.at.is_empty() { context.open_for_a_look()? } else { context.open_to_read()? };
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let paths: Vec<TreePath> = paths.collect::<Result<_, _>>()?;
    let wanted = |path: &TreePath| paths.is_empty() || paths.iter().any(|asked| path.is_within(asked));
    let mut pairs = match arguments.at.as_slice() {
        [] => with_each(context, &mut opened, arguments, &wanted)?,
        [from, to @ ..] => past::pairs(context, &mut opened, from, to.first().map(String::as_str), &wanted)?,
    };
    if arguments.show_values {
        pairs.iter_mut().for_each(|pair| pair.values = Values::Shown);
    }
    // Others may work while it is read.
    drop(opened);
    match &arguments.tool {
        Some(tool) => show_in(tool, &pairs)?,
        None => tell(context, arguments, &pairs),
    }
    Ok(Exit::Done)
}

/// What differs with each remote. What differs alike with several is shown once.
fn with_each(
    context: &Context,
    opened: &mut Opened,
    arguments: &DiffArguments,
    wanted: &dyn Fn(&TreePath) -> bool,
) -> Result<Vec<Pair>, CommandError> {
    let names = opened.asked_for(arguments.remote.as_deref());
    if opened.places().len() < 2 {
        opened.choose_if_named(arguments.remote.as_deref())?;
        return present(context, opened, arguments, wanted);
    }
    let mut found: Vec<(Pair, Vec<&str>)> = Vec::new();
    for name in &names {
        opened.choose(name)?;
        for pair in present(context, opened, arguments, wanted)? {
            match found.iter_mut().find(|(known, _)| *known == pair) {
                Some((_, names)) => names.push(name),
                None => found.push((pair, vec![name])),
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let named = found.into_iter().map(|(pair, names)| Pair {
        old_name: format!("{}, {}", pair.old_name, names.join(" and ")),
        ..pair
    });
    Ok(named.collect())
}

/// What differs between here, there and what was last agreed on.
fn present(
    context: &Context,
    opened: &mut Opened,
    arguments: &DiffArguments,
    wanted: &dyn Fn(&TreePath) -> bool,
) -> Result<Vec<Pair>, CommandError> {
    let remote = opened.remote()?;
    let source = opened.source();
    let progress = Progress::new(&context.terminal, false);
    let outcome = if opened.beside {
        context.terminal.say(&crate::failure::sentence(BESIDE));
        glance(&opened.workspace, &Reach::open(remote.as_ref()), &source, &progress)?
    } else {
        let request = Request { dry_run: true, ..Request::default() };
        cycle::look(&mut opened.workspace, remote.as_ref(), &source, &request, false, &progress)?
    };
    let groups = rules::now(&opened.workspace.state, &*opened.workspace.folder, &source, None)?.groups;
    let mut pairs = Vec::new();
    for difference in differences(&outcome).into_iter().filter(|one| wanted(&one.path)) {
        for ends in difference.ends(arguments) {
            let reader = Reader { opened, remote: remote.as_ref(), groups: &groups, progress: &progress };
            pairs.push(reader.pair(&outcome, &difference, ends)?);
        }
    }
    Ok(pairs)
}

/// Shows each pair in a program of the person's, one after the other. That it tells of differences by its exit code is
/// no failure.
fn show_in(tool: &str, pairs: &[Pair]) -> Result<(), CommandError> {
    for pair in pairs {
        if crate::interrupt::is_asked() {
            return Err(CommandError::interrupted());
        }
        let (old, new) = (pair.old.clone().unwrap_or_default(), pair.new.clone().unwrap_or_default());
        let desk = Desk::lay_out(&pair.path, &[("OLD", &old), ("NEW", &new)])?;
        program::difference_tool(tool, &desk.path("OLD"), &desk.path("NEW")).map_err(|error| {
            CommandError::usage("The program that was to show differences can't be started.")
                .at(escape(tool.as_bytes()))
                .because(error)
        })?;
    }
    Ok(())
}

/// One path that differs, with the content's name on each side.
#[derive(Debug)]
struct Difference {
    path: TreePath,
    base: Option<ContentId>,
    there: Option<ContentId>,
    /// The version here of a conflict: what stands here may show both.
    here: Option<ContentId>,
    /// It differs here from what was last agreed on; and there.
    changed: PerSide<bool>,
}

/// One end of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Base,
    Here,
    There,
}

impl Difference {
    /// What to compare; nothing of a side that did not change.
    fn ends(&self, arguments: &DiffArguments) -> Vec<(End, End)> {
        if !arguments.here && !arguments.there && !arguments.base {
            return vec![(End::There, End::Here)];
        }
        let here = (arguments.here || arguments.base) && self.changed.local;
        let there = (arguments.there || arguments.base) && self.changed.remote;
        let ends = [(here, End::Here), (there, End::There)];
        ends.into_iter().filter(|(wanted, _)| *wanted).map(|(_, end)| (End::Base, end)).collect()
    }
}

/// All files that differ, in order of path. One side's plan tells what the other holds.
fn differences(outcome: &Outcome) -> Vec<Difference> {
    let planned = outcome.plan.iter().flat_map(|plan| &plan.changes);
    let find = |side: Side, path: &TreePath| {
        planned.clone().find(|change| change.side == side_word(side) && change.path == path.to_string())
    };
    let mut differences = Vec::new();
    for done in outcome.done.iter().filter(|done| !done.folder && done.kind != ChangeKind::Move) {
        let change = find(done.side, &done.path);
        let seen = change.and_then(|change| content(change.seen.as_deref()));
        let becomes = change.and_then(|change| content(change.becomes.as_deref()));
        let sent = done.side == Side::Remote;
        let merged = done.merged.is_some();
        if merged && sent {
            continue;
        }
        differences.push(Difference {
            path: done.path.clone(),
            base: seen,
            there: if sent { seen } else { becomes },
            here: None,
            changed: PerSide { local: sent || merged, remote: !sent || merged },
        });
    }
    differences.extend(outcome.conflicts.iter().map(|open| {
        let content = |version: &Option<Version>| version.as_ref()?.leaf.map(|leaf| leaf.content);
        let conflict = &open.conflict;
        Difference {
            path: conflict.path.clone(),
            base: content(&conflict.base),
            there: content(&conflict.remote),
            here: content(&conflict.local),
            changed: PerSide { local: true, remote: true },
        }
    }));
    differences.sort_by(|a, b| a.path.cmp(&b.path));
    differences
}

/// `file:HASH+x` as plans name contents.
fn content(planned: Option<&str>) -> Option<ContentId> {
    let (_, hash) = planned?.split_once(':')?;
    ContentId::parse(hash.trim_end_matches("+x"))
}

/// Reads the contents to compare.
struct Reader<'a> {
    opened: &'a Opened,
    remote: &'a dyn Remote,
    groups: &'a Groups,
    progress: &'a Progress<'a>,
}

impl Reader<'_> {
    fn pair(
        &self,
        outcome: &Outcome,
        difference: &Difference,
        (old, new): (End, End),
    ) -> Result<Pair, CommandError> {
        let there = outcome.other_machine.as_deref().unwrap_or("there");
        let name = |end: End| match end {
            End::Base => "last agreed".to_owned(),
            End::Here => format!("{}, here", escape(self.opened.machine().as_bytes())),
            End::There => escape(there.as_bytes()),
        };
        Ok(Pair {
            path: difference.path.to_string(),
            old_name: name(old),
            new_name: name(new),
            old: self.read(difference, old)?,
            new: self.read(difference, new)?,
            values: self.groups.values(&difference.path),
        })
    }

    fn read(&self, difference: &Difference, end: End) -> Result<Option<Vec<u8>>, CommandError> {
        let content = match end {
            End::Here => {
                let standing = standing(self.opened, self.groups, &difference.path);
                let shows = standing.as_deref().map(ContentId::of) != difference.here;
                match difference.here.filter(|_| shows) {
                    Some(here) => return Ok(self.kept(here)?.or(standing)),
                    None => return Ok(standing),
                }
            }
            End::Base => difference.base,
            End::There => difference.there,
        };
        let Some(content) = content else { return Ok(None) };
        self.kept(content)
    }

    fn kept(&self, content: ContentId) -> Result<Option<Vec<u8>>, CommandError> {
        Ok(restore::read_version(&self.opened.workspace, Some(self.remote), content, self.progress)?)
    }
}

/// What stands here, as it travels; a link's target for a link, nothing for what can't be read.
fn standing(opened: &Opened, groups: &Groups, path: &TreePath) -> Option<Vec<u8>> {
    let at = path;
    let path = opened.on_disk(path);
    let metadata = path.symlink_metadata().ok()?;
    if metadata.is_symlink() {
        return Some(std::fs::read_link(&path).ok()?.into_os_string().into_encoded_bytes());
    }
    let bytes =
        (metadata.is_file() && metadata.len() <= COMPARED_BYTES_MAX).then(|| std::fs::read(&path).ok())??;
    keys::travelling(groups, at, bytes).ok()
}

fn tell(context: &Context, arguments: &DiffArguments, pairs: &[Pair]) {
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        let list = pairs.iter().map(|pair| {
            let lines = pair.lines();
            json!({
                "path": pair.path, "from": pair.old_name, "to": pair.new_name, "text": lines.is_some(),
                "added": lines.map(|lines| lines.added), "removed": lines.map(|lines| lines.removed),
                "diff": (!arguments.stat).then(|| difference::unified(&Look { color: false, ..look.clone() }, pair)),
            })
        });
        terminal.object(&json!({"schema": 1, "command": "diff", "files": list.collect::<Vec<_>>()}));
    } else if pairs.is_empty() {
        terminal.say("Nothing differs.");
    } else if arguments.stat {
        terminal.page(&difference::stat(look, pairs));
    } else {
        terminal.page(&pairs.iter().map(|pair| difference::unified(look, pair)).collect::<String>());
    }
}
