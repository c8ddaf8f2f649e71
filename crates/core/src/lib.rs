//! What should happen, decided from values alone.
//!
//! ```text
//! folder --scan--> Tree (local) --+
//! remote --list--> Tree (remote) -+--> reconcile --> Plan
//! state  --------> Known ---------+    pure          a value
//! ```
//!
//! Nothing here opens a file, asks the time, draws a random number or starts a thread. The same values give the same
//! plan, on every machine.

pub mod clock;
pub mod config;
pub mod conflict;
pub mod content;
pub mod database;
pub mod filter;
#[cfg(any(test, feature = "testing"))]
pub mod generate;
pub mod merge;
mod moved;
pub mod mutant;
pub mod node;
pub mod note;
pub mod operation;
pub mod path;
pub mod places;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod reconcile;
pub mod remote;
pub mod renames;
pub mod retention;
pub mod safety;
pub mod secret;
pub mod tree;
