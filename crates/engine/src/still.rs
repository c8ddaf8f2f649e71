//! A clock for tests that stands still, and draws the same number always: another for each program.

use instep_core::clock::{Clock, Timestamp};

/// The number that it draws.
pub struct Still(pub u64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    fn random(&self) -> u64 {
        self.0
    }
}
