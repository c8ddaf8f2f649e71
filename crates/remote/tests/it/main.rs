//! The conformance suite on every remote of this crate, and what is particular to git.

mod git;
mod memory;
