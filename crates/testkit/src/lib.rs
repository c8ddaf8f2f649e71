//! What tests stand on: machines, drawings, the ledger of what must never be lost, the conformance suite of
//! remotes, remotes that fail on cue, and hosts on the loopback. Never shipped.
//!
//! ```
//! use instep_testkit::drawing::Drawing;
//!
//! let base = Drawing::default();
//! let drawing = Drawing::parse("notes/plan.md=1;run=2+x;link->notes", &base).unwrap();
//! assert_eq!(drawing.to_string(), "link->notes;notes/plan.md=1;run=2+x");
//! ```
#![allow(clippy::unwrap_used, reason = "a failure of the kit is a failure of the test")]

pub mod bare;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod breaker;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod calls;
pub mod conversation;
pub mod drawing;
pub mod flaky;
pub mod git_host;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod image;
pub mod kills;
pub mod ledger;
pub mod machine;
pub mod meddler;
pub mod person;
pub mod powercut;
pub mod proxy;
pub mod remote_suite;
pub mod replay;
pub mod rest;
pub mod scenes;
pub mod simulated;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod tracer;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod walk;
