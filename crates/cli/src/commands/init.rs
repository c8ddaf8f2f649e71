//! `init`: make a folder a synced workspace.
use clap::Args;
use std::path::PathBuf;

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The folder; the present one if none is named.
    pub directory: Option<PathBuf>,
    /// Where your private copy lives: the address of a git repository.
    #[arg(long, value_name = "ADDRESS")]
    pub remote: Option<String>,
    /// The branch to use.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Take the address as this kind of place.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// A ready set of rules for a kind of folder.
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// What to encrypt before it leaves this machine; this version knows `none`.
    #[arg(long, value_name = "WHAT")]
    pub encrypt: Option<String>,
    /// Only what matches travels; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// What matches stays here; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Take the settings of another tool's file.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The name of this machine; its host name if none is given.
    #[arg(long, value_name = "MACHINE")]
    pub name: Option<String>,
    /// Use a repository that everyone can read.
    #[arg(long)]
    pub allow_public: bool,
    /// Use an address without encryption on the way.
    #[arg(long)]
    pub allow_http: bool,
    /// Set up, and leave the first sync for later.
    #[arg(long)]
    pub no_sync: bool,
}
