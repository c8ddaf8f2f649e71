//! `log`: what happened, or one file's versions.
use clap::Args;
use std::path::PathBuf;

/// Options of `log`.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// Show this file's versions.
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Show one operation in full.
    #[arg(long, value_name = "OPERATION")]
    pub op: Option<String>,
    /// Only what this machine did.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Only what happened since then: `2 days ago`, `2026-02-04`, `18:00`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: usize,
}
