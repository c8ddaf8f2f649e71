//! Makes one folder and its remotes agree, and survives anything in between.

pub mod cycle;
pub mod digest;
pub mod failure;
pub mod folder;
pub mod identity;
pub mod lock;
pub mod registry;
pub mod scan;
