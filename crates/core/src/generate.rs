//! Small worlds for tests: disks as models, edits as people make them, trees drawn as text, and the check that runs a
//! whole life of two sides from one seed.
//!
//! Only for tests, behind the feature `testing`. A seed gives the same world on every machine.

pub mod case;
pub mod disk;
pub mod draw;
mod edit;
pub mod merges;
mod random;
pub(crate) mod rows;

pub use random::Random;
