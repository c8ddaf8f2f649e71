//! One pass: scan, ask, reconcile, stage, commit, apply, record; each one call.

pub mod outcome;
pub mod plan_file;
pub mod request;
