//! Makes one folder and its remotes agree, and survives anything in between.

pub mod digest;
pub mod folder;
