//! `clone`: bring an existing workspace to this machine.
use clap::Args;
use std::path::PathBuf;

/// Options of `clone`.
#[derive(Debug, Args)]
pub struct CloneArguments {
    /// Where the workspace's data lives: the address of a git repository.
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The folder to make; named after the address if none is given.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// The branch to use.
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Bring only what matches to this machine; may be repeated.
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// The name of this machine; its host name if none is given.
    #[arg(long, value_name = "MACHINE")]
    pub name: Option<String>,
    /// Use an address without encryption on the way.
    #[arg(long)]
    pub allow_http: bool,
}
