//! Speaks to the places outside that hold a workspace's snapshots.
//!
//! ```text
//! what was typed --parse--> Address --open--> dyn Remote
//! ```
//!
//! Each kind of place implements [`Remote`] and passes the same conformance suite; what is common to all (trying again)
//! is a layer, a remote around a remote. Nothing here knows the engine or the user's folder.

pub mod address;
pub mod git;
pub mod layer;
pub mod memory;

use instep_core::remote::{Remote, RemoteError};

use address::{Address, Kind};
use git::{GitOptions, GitRemote};

/// Opens the remote at an address: the one table of kinds.
pub fn open(address: &Address, options: GitOptions) -> Result<Box<dyn Remote>, RemoteError> {
    match address.kind() {
        Kind::Git => Ok(Box::new(GitRemote::open(address, options)?)),
    }
}
