//! `resolve`: settle conflicts.
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Options of `resolve`.
#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// Which: `c3`, a path, a folder or a pattern; all, one after the other, if none is named.
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
