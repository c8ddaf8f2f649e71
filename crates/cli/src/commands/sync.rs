//! `sync`, `pull`, `push`: send and receive now.
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Options of `sync`.
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// Only what lies here or below.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The remote to use.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
    /// Do exactly what this plan says (from `sync -n --json`), or refuse.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Allow what a guard stopped; may be repeated.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub allow: Vec<Allowed>,
    /// The answer for conflicts, this time only.
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<String>,
    /// What to say of this sync in the log.
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Use at most so much of the line, as in `2MB/s`.
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<String>,
}

/// Options of `pull` and `push`.
#[derive(Debug, Args)]
pub struct OneWayArguments {
    /// Options that `sync` has too.
    #[command(flatten)]
    pub sync: SyncArguments,
    /// Make the changed side equal to the other, its own changes included; what is replaced is kept.
    #[arg(long)]
    pub mirror: bool,
}

/// What a guard stops and a person may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allowed {
    /// Many deletions.
    Delete,
    /// A remote that was put back or made anew.
    Rewind,
}
