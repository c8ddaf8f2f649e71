//! `verify`: check disk, base, history and remote against each other.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use instep_engine::verify::{VerifyRequest, verify};

use super::Context;
use crate::failure::{CommandError, Exit};
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
}

/// Checks, says what is wrong, and changes nothing.
pub fn run(context: &Context, arguments: &VerifyArguments) -> Result<Exit, CommandError> {
    let started = Instant::now();
    let opened = context.open()?;
    let paths = arguments.paths.iter().map(|typed| opened.tree_path(context, typed));
    let request = VerifyRequest { paths: paths.collect::<Result<_, _>>()?, read_data: arguments.read_data };
    let remote = opened.remote_if_any(context);
    let reach = opened.reach(remote.as_deref());
    let progress = Progress::new(&context.terminal, false);
    let found = verify(&opened.workspace, reach.as_ref(), &opened.source(), &request, &progress)?;
    drop(progress);
    let (terminal, look) = (&context.terminal, &context.terminal.look);
    if terminal.json {
        terminal.object(&render::to_json(look, &found, request.read_data));
    } else if !terminal.quiet || render::exit(&found) != Exit::Done {
        let spent = started.elapsed().as_millis() as u64;
        terminal.data(&render::text(look, &found, spent));
        let more = !request.read_data && found.faults.is_empty();
        terminal.hint(more.then(|| "`instep verify --read-data` reads every content too.".to_owned()));
    }
    Ok(render::exit(&found))
}
