//! Makes one folder and its remotes agree, and survives anything in between.

pub mod apply;
pub mod conflict;
pub mod cycle;
pub mod digest;
pub mod doubt;
pub mod explain;
pub mod failure;
pub mod folder;
pub mod form;
pub mod history;
pub mod identity;
pub mod journal;
pub mod lock;
pub mod reach;
pub mod registry;
pub mod scan;
pub mod stage;
pub mod state;
#[cfg(test)]
pub(crate) mod still;
pub mod verify;
pub mod workspace;
