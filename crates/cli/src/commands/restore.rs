//! `restore`: bring back a version or a deleted file.
use clap::Args;
use std::path::PathBuf;

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// What to bring back.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// As it was then: an operation, or a time such as `yesterday 18:00`; the last kept version if none is given.
    #[arg(long, value_name = "OPERATION-OR-TIME")]
    pub at: Option<String>,
    /// Put it below this folder instead.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
}
