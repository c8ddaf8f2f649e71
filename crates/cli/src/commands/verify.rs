//! `verify`: check disk, base, history and remote against each other.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use instep_engine::verify::{Verified, VerifyRequest, verify};

use super::Context;
use crate::failure::{CommandError, Exit};
use crate::opening::Opened;
use crate::render::verify as render;
use crate::terminal::progress::Progress;

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Only these files and folders.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Read every content too: here, in the history, and at the remote.
    #[arg(long)]
    pub read_data: bool,
    /// Only with this remote; with each, one after the other, if none is named.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}

/// Checks, says what is wrong, and changes nothing.
pub fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, CommandError> {
    let started = Instant::now();
    let mut opened = context.open_for_a_look()?;
    let (mut names, mut found) = check(context, &mut opened, arguments)?;
    if opened.beside && exit_of(&found) != Exit::Done {
        // What another process has under way can look like a fault: it is looked at again when that has ended.
        drop(opened);
        opened = context.open()?;
        (names, found) = check(context, &mut opened, arguments)?;
    }
    let is_told = opened.places().len() > 1;
    let exit = exit_of(&found);
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        terminal.object(&render::to_json(look, &names, &found, arguments.read_data));
    } else if !terminal.quiet || exit != Exit::Done {
        let spent = started.elapsed().as_millis() as u64;
        for (at, found) in found.iter().enumerate() {
            let name = names.get(at).filter(|_| is_told);
            terminal.data(&render::text(look, name.map(String::as_str), found, spent));
        }
        let more = !arguments.read_data && found.iter().all(|found| found.faults.is_empty());
        terminal.hint(more.then(|| "`instep verify --read-data` reads every content too.".to_owned()));
    }
    Ok(exit)
}

fn exit_of(found: &[Verified]) -> Exit {
    found.iter().map(render::exit).fold(Exit::Done, Exit::and)
}

/// The names of the remotes that are looked at, and what was found with each.
fn check(
    context: &Context,
    opened: &mut Opened,
    arguments: &VerifyArguments,
) -> Result<(Vec<String>, Vec<Verified>), CommandError> {
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let mut request = VerifyRequest {
        paths: paths.collect::<Result<_, _>>()?,
        read_data: arguments.read_data,
        is_further: false,
    };
    let names = opened.asked_for(arguments.remote.as_deref());
    let mut found = Vec::new();
    for name in &names {
        opened.choose(name)?;
        found.push(with(context, opened, &request)?);
        request.is_further = true;
    }
    if names.is_empty() {
        found.push(with(context, opened, &request)?);
    }
    if opened.beside {
        // These are the steps of whoever is at work.
        found.iter_mut().for_each(|found| found.unfinished = 0);
    }
    Ok((names, found))
}

fn with(context: &Context, opened: &Opened, request: &VerifyRequest) -> Result<Verified, CommandError> {
    let remote = opened.remote_if_any(context);
    let reach = opened.reach(remote.as_deref());
    let progress = Progress::new(&context.terminal, false);
    Ok(verify(&opened.workspace, reach.as_ref(), &opened.source(), request, &progress)?)
}
