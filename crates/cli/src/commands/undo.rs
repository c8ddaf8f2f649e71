//! `undo`: take back an operation.
use clap::Args;

/// Options of `undo`.
#[derive(Debug, Args)]
pub struct UndoArguments {
    /// Which operation; the last one if none is named.
    #[arg(value_name = "OPERATION")]
    pub operation: Option<String>,
    /// Take back the last undo.
    #[arg(long, conflicts_with = "operation")]
    pub redo: bool,
    /// Change only this folder, not the remote.
    #[arg(long)]
    pub here_only: bool,
}
