//! `conflicts`: list them, or show one.
use clap::Args;

/// Options of `conflicts`.
#[derive(Debug, Args)]
pub struct ConflictsArguments {
    /// Show this one: `c3`, or its path.
    #[arg(value_name = "ID-OR-PATH")]
    pub which: Option<String>,
    /// Only of this kind: content, name, move, held, problem.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only with this machine.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
}
