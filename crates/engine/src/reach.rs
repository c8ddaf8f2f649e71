//! A remote as a command has it at hand: always by its address, and openly where it is to be reached now.
//!
//! A repository on a disk that is not mounted, or a network that is away, keeps nobody from working with what is known.

use instep_core::remote::{Remote, RemoteErrorKind};

use crate::failure::EngineError;
use crate::state::{RemoteRecord, State};

/// One remote, near or away.
#[derive(Clone)]
pub struct Reach<'a> {
    address: String,
    remote: Option<&'a dyn Remote>,
}

impl<'a> Reach<'a> {
    /// A remote that was opened. It may still turn out to be away.
    pub fn open(remote: &'a dyn Remote) -> Self {
        Reach { address: remote.describe().address, remote: Some(remote) }
    }

    /// A remote that can't be opened now; only its address is known.
    pub fn away(address: &str) -> Self {
        Reach { address: address.to_owned(), remote: None }
    }

    /// What the state calls it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The remote, if it was opened.
    pub fn remote(&self) -> Option<&'a dyn Remote> {
        self.remote
    }

    /// What the state knows of it.
    pub fn record(&self, state: &State) -> Result<RemoteRecord, EngineError> {
        state.remote(&self.address)
    }

    /// The remote with its number here, if it was opened.
    pub fn numbered(&self, state: &State) -> Result<Option<(&'a dyn Remote, i64)>, EngineError> {
        match self.remote {
            Some(remote) => Ok(Some((remote, self.record(state)?.id))),
            None => Ok(None),
        }
    }
}

/// Answers whether a failure means that the remote is away: what is meant for it can wait.
pub fn is_away(error: &EngineError) -> bool {
    use RemoteErrorKind::{Busy, NotFound, Offline, Unauthorized};
    matches!(error, EngineError::Remote(error) if matches!(error.kind, Busy | NotFound | Offline | Unauthorized))
}
