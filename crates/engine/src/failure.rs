//! What can end a cycle, or any other act on a workspace.

use std::path::PathBuf;

use instep_core::clock::Timestamp;
use instep_core::remote::RemoteError;
use instep_core::safety::Halt;

use crate::folder::{FolderError, FolderFailure};
use crate::registry::RegistryError;

/// Why an act on a workspace did not come to its end. Whatever it is, nothing is lost and the next try goes on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The cycle stopped before it changed anything, to protect data.
    #[error("stopped before changing anything")]
    Halted(Danger),
    /// The remote failed.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The disk failed where no single path can be blamed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The state database failed.
    #[error("the state database failed")]
    State(#[from] rusqlite::Error),
    /// The state database holds something that makes no sense.
    #[error("the state database is damaged: {0}")]
    StateCorrupt(String),
    /// The state was written by a newer Instep.
    #[error("the state was written by a newer instep (format {found}, this one knows {known})")]
    StateVersion {
        /// The format found.
        found: u32,
        /// The newest known here.
        known: u32,
    },
    /// The list of this person's workspaces failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no workspace here.
    #[error("{0} is not in a workspace")]
    NoWorkspace(PathBuf),
    /// The workspace is known, but its folder is gone.
    #[error("the workspace at {0} is gone")]
    Gone(PathBuf),
    /// Another process holds the workspace.
    #[error("another process holds the workspace")]
    Locked {
        /// Its process id, if it could be read.
        holder: Option<u32>,
    },
    /// Syncing is switched off, or was never set up.
    #[error("no remote is set up")]
    NoRemote,
    /// The plan to be carried out does not fit the present state.
    #[error("the plan no longer fits: {0}")]
    PlanStale(String),
    /// The remote moved on again and again while we tried.
    #[error("the remote changed {0} times while it was being written")]
    RemoteBusy(u32),
    /// No such operation, conflict, path or version.
    #[error("{0}")]
    NotFound(String),
    /// The settings are not valid; nothing is done by half-understood ones.
    #[error("{why}")]
    Settings {
        /// The stable code, such as `E-CONF-PARSE`.
        code: &'static str,
        /// What is wrong, and where.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It can't be done as asked; the text says why.
    #[error("{0}")]
    Refused(String),
    /// A person asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl EngineError {
    /// What the disk did to the state database, where it was the disk that failed it.
    pub fn disk(&self) -> Option<FolderFailure> {
        let EngineError::State(error) = self else { return None };
        match error.sqlite_error_code()? {
            rusqlite::ErrorCode::DiskFull => Some(FolderFailure::Full),
            rusqlite::ErrorCode::SystemIoFailure => Some(FolderFailure::Broken),
            _ => None,
        }
    }
}

/// What a cycle stopped for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// Too much would be deleted, or a side is empty.
    Deletions(Halt),
    /// The workspace folder is not the one that is known: another root, or a copy of its state.
    Replaced(String),
    /// The remote's head comes before the one known.
    Rewound {
        /// The head known before.
        known: String,
        /// The head found.
        found: String,
        /// When the known one was last seen.
        seen: Option<Timestamp>,
    },
    /// The remote's history was rewritten or made anew.
    Rewritten {
        /// The head known before.
        known: String,
        /// The head found; `None` if the branch is gone.
        found: Option<String>,
        /// The histories have nothing in common.
        unrelated: bool,
    },
}

impl Danger {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Danger::Deletions(Halt::Emptied { .. }) => "E-GUARD-EMPTIED",
            Danger::Deletions(Halt::MassDelete { .. }) => "E-GUARD-DELETE",
            Danger::Replaced(_) => "E-GUARD-ROOT",
            Danger::Rewound { .. } => "E-HEAD-ROLLBACK",
            Danger::Rewritten { unrelated: true, .. } => "E-HEAD-UNRELATED",
            Danger::Rewritten { unrelated: false, .. } => "E-HEAD-FORK",
        }
    }
}
