//! `config`: read and change settings.
use clap::{Args, Subcommand};

/// Options of `config`.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// What to do; shows the settings if nothing is said.
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
}

/// Which file a change goes to.
#[derive(Debug, Clone, Copy, Args)]
pub struct Target {
    /// Only for this machine: `instep.local.yaml`, which never travels.
    #[arg(long, conflicts_with = "shared")]
    pub machine: bool,
    /// For all machines: `instep.yaml`.
    #[arg(long)]
    pub shared: bool,
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Show all settings that hold.
    Show {
        /// Show where each value comes from, and what it overrides.
        #[arg(long)]
        origin: bool,
    },
    /// Print one value.
    Get {
        /// The key, such as `sync.branch`.
        key: String,
    },
    /// Set one value.
    Set {
        /// The key.
        key: String,
        /// The value.
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        target: Target,
    },
    /// Add to a list, such as `exclude`.
    Add {
        /// The key.
        key: String,
        /// What to add.
        #[arg(required = true)]
        values: Vec<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Take a value out, or one entry of a list.
    Unset {
        /// The key.
        key: String,
        /// The entry of a list.
        value: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Open the settings in your editor, and check them afterwards.
    Edit {
        #[command(flatten)]
        target: Target,
    },
    /// Print where the settings stand.
    Path,
    /// Check the settings.
    Check,
    /// Look at what another machine wants this one to use, and allow it.
    Trust,
}
