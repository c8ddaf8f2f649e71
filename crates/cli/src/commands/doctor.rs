//! `doctor`: check everything and say how to fix it.
use clap::Args;

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Carry out the fixes that can do no harm.
    #[arg(long)]
    pub fix: bool,
    /// Check only this remote.
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,
}
