//! Time as a value: the engine is handed a [`Clock`], so that a simulation can turn it.

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970, UTC; negative before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since 1970.
    pub const fn from_ns(ns: i64) -> Self {
        Timestamp(ns)
    }

    /// From seconds since 1970; held at the ends of what fits (years 1677 to 2262).
    pub const fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970.
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// Where time and chance come from.
pub trait Clock: Send + Sync {
    /// The present moment, as the machine believes it.
    fn now(&self) -> Timestamp;

    /// The next random number, for ids; unpredictable in the program, seeded in a simulation.
    fn random(&self) -> u64;
}
