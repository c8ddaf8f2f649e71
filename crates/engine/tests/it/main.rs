//! The engine as a whole: machines with real folders round a remote in memory.

mod cycle;
mod history;
mod world;
