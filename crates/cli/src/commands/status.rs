//! `status`: where this workspace stands.
use clap::Args;

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Ask the remote first.
    #[arg(long)]
    pub fetch: bool,
    /// End with code 8 if there is something to sync, 4 if conflicts wait, 3 if paths are held.
    #[arg(long)]
    pub exit_code: bool,
    /// One line.
    #[arg(long)]
    pub short: bool,
    /// List what takes no part, with the reason.
    #[arg(long)]
    pub ignored: bool,
    /// With --json: list every file with its hash.
    #[arg(long, requires = "json")]
    pub files: bool,
    /// All workspaces of this user.
    #[arg(long)]
    pub all: bool,
    /// Wait until everything is in sync, at most so long.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "10m", require_equals = true)]
    pub wait: Option<String>,
}
