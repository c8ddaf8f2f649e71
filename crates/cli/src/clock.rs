//! The machine's own clock and chance.

use std::time::{SystemTime, UNIX_EPOCH};

use instep_core::clock::{Clock, Timestamp};

/// Time as the system tells it, and random numbers that nobody can foresee.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let ns = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        };
        Timestamp::from_ns(ns)
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        let mut filled = 0;
        while filled < bytes.len() {
            match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
                Ok(more) => filled += more,
                Err(rustix::io::Errno::INTR) => {}
                // Without chance there are no ids that are unique: nothing may go on.
                Err(error) => unreachable!("because every Linux since 3.17 has random numbers: {error}"),
            }
        }
        u64::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_does_not_repeat() {
        assert_ne!(SystemClock.random(), SystemClock.random());
        assert!(SystemClock.now() > Timestamp::from_seconds(1_600_000_000));
    }
}
