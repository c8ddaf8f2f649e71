//! What the tests of several crates share: the conformance suite of remotes, remotes that fail on cue, and hosts on the
//! loopback. Never shipped.
#![allow(clippy::unwrap_used, reason = "a failure of the kit is a failure of the test")]

pub mod flaky;
pub mod git_host;
pub mod remote_suite;
