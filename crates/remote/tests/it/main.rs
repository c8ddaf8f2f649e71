//! The conformance suite on every remote of this crate, and what is particular to git.
#![allow(clippy::unwrap_used, reason = "a failure of the lab is a failure of the test")]

mod git;
mod memory;
mod retry;
