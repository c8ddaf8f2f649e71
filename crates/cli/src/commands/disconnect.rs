//! `disconnect`: stop syncing and keep all files.
use clap::Args;

/// Options of `disconnect`.
#[derive(Debug, Args)]
pub struct DisconnectArguments {}
