//! The program as people meet it: real machines, a real repository, whole runs. Few tests here, and wide ones; the
//! levels below prove the cases.
#![allow(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod abroad;
mod acceptance;
mod away;
mod bad_inputs;
mod beside;
// Calls are counted and changed where the kit knows their registers.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod broken;
mod contact;
mod conversations;
mod daily;
mod databases;
mod diff;
mod explain;
mod export;
mod exposure;
mod first;
mod groups;
mod import;
mod keys;
mod kill;
mod lost_objects;
mod markers;
mod moves;
mod network;
mod notify;
mod overview;
mod people;
mod places;
mod records;
mod remotes;
mod reports;
mod rules;

/// The program under test.
fn program() -> std::path::PathBuf {
    instep_testkit::machine::program(option_env!("CARGO_BIN_EXE_instep"))
}
