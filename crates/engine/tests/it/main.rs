//! The engine as a whole: machines with real folders round a remote in memory.
#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod abroad;
mod cycle;
mod damage;
mod databases;
mod history;
mod keys;
mod line;
mod lives;
mod markers;
mod places;
mod races;
mod remap;
mod renames;
mod retention;
mod rules;
mod state;
mod verify;
mod world;
