//! `remote`: where the data lives.
use clap::{Args, Subcommand};

/// Options of `remote`.
#[derive(Debug, Args)]
pub struct RemoteArguments {
    /// What to do; lists if nothing is said.
    #[command(subcommand)]
    pub action: Option<RemoteAction>,
}

/// What can be done with remotes.
#[derive(Debug, Subcommand)]
pub enum RemoteAction {
    /// List the remotes.
    List,
    /// Add a remote; this version keeps one.
    Add {
        /// Its name.
        name: String,
        /// Its address.
        address: String,
        /// The branch to use.
        #[arg(long, value_name = "BRANCH")]
        branch: Option<String>,
    },
    /// Give the remote another address.
    Set {
        /// Its name.
        name: String,
        /// Its address.
        address: String,
        /// The branch to use.
        #[arg(long, value_name = "BRANCH")]
        branch: Option<String>,
    },
    /// Give the remote another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Forget the remote; all files stay.
    Remove {
        /// Its name.
        name: String,
    },
    /// Check that the remote can be reached.
    Test {
        /// Its name.
        #[arg(default_value = "origin")]
        name: String,
    },
}
