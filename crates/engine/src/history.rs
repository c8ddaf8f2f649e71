//! What was: kept contents, the log, undo and restore.

pub mod contents;
