//! Speaks to the places outside that hold a workspace's snapshots.
//!
//! ```text
//! what was typed --parse--> Address --open--> dyn Remote
//! ```
//!
//! Each kind of place implements [`Remote`] and passes the same conformance suite; what is common to all (trying again)
//! is a layer, a remote around a remote. Nothing here knows the engine or the user's folder.
//!
//! ```
//! use instep_core::remote::Remote;
//! use instep_remote::memory::MemoryPlace;
//!
//! let place = MemoryPlace::new();
//! let (one, other) = (place.open(), place.open());
//! assert_eq!(one.head()?, other.head()?);
//! # Ok::<(), instep_core::remote::RemoteError>(())
//! ```
//!
//! - Nothing is seen by others before a commit, and a commit replaces exactly the head that was expected, or nothing.
//! - A child of the head is the only thing that ever follows it: no call here rewrites a history.
//! - An address is checked before any program sees it; nothing that was fetched is ever run.
//! - What comes from outside is checked entry by entry; it may fill no memory and lead nowhere.

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
