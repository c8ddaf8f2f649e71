//! The world simulation: machines with the real engine on simulated disks, clocks and remotes, from one seed.
//!
//! One thread runs it all, and every call of the engine is a moment at which the person may edit, the machine may
//! crash, the disk may fail, or another machine may sync. One seed gives one trace. At the end the trouble stops, and
//! nothing may be lost, all folders must be the same, and rest must come within three rounds.
//!
//! What it can't see: the real kernel, SQLite's own durability (the database is in memory, its committed transactions
//! survive a crash), the git program, real threads.

pub mod chaos;
pub mod disk;
pub mod folder;
pub mod ledger;
pub mod machine;
pub mod person;
pub mod remote;
pub mod shrink;
pub mod station;
pub mod world;
