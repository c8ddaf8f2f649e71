//! `diff`: what differs.
use clap::Args;
use std::path::PathBuf;

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
    #[arg(long, conflicts_with = "there")]
    pub here: bool,
    /// From what both last agreed on to what is there.
    #[arg(long)]
    pub there: bool,
}
