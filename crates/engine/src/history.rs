//! What was: kept contents, the log, undo and restore.

pub mod act;
pub mod contents;
pub mod disconnect;
pub mod export;
pub mod follow;
pub mod log;
pub mod restore;
pub mod retention;
pub mod undo;
pub mod wish;

use instep_core::tree::LeafKind;

/// The word for a kind of file in the history and in plans.
pub fn kind_word(kind: LeafKind, exec: bool) -> &'static str {
    match (kind, exec) {
        (LeafKind::Link, _) => "link",
        (LeafKind::File, true) => "exec",
        (LeafKind::File, false) => "file",
    }
}
