//! `explain`: why a path is synced, waits, or is not synced.
use clap::Args;
use std::path::PathBuf;

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The path.
    pub path: PathBuf,
    /// List the rules that were looked at.
    #[arg(long)]
    pub rules: bool,
}
