//! What came of breaking runs, for whoever reads it.

use std::collections::BTreeMap;
use std::fmt;

use super::Kind;
use crate::walk::Walk;

/// What came of one scene and kind.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The calls that a whole run makes.
    pub calls: u64,
    /// Points at which a run was disturbed.
    pub points: u64,
    /// Kills, or calls that failed.
    pub hits: u64,
}

/// What came of it all.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// By scene and kind.
    pub tallies: BTreeMap<(&'static str, Kind), Tally>,
    /// How often each error was told.
    pub errors: BTreeMap<String, u64>,
    /// The exit codes of runs that were told of an error.
    pub codes: BTreeMap<i32, u64>,
    /// Contents that were written.
    pub contents: usize,
    /// What can't be found any more; must be empty.
    pub losses: Vec<String>,
    /// Anything else that must not be.
    pub failures: Vec<String>,
    /// The time was over before all points were met.
    pub cut_short: bool,
    /// How far the walk is, if it was one, and the scenes and kinds that are not at their end.
    pub walk: Option<(Walk, Vec<(&'static str, &'static str)>)>,
}

impl Report {
    /// Answers whether all went as it must.
    pub fn is_clean(&self) -> bool {
        self.losses.is_empty() && self.failures.is_empty()
    }

    /// All points at which something was disturbed.
    pub fn points(&self) -> u64 {
        self.tallies.values().map(|tally| tally.points).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:12} {:9} {:>7} {:>7} {:>7}", "scene", "kind", "calls", "points", "hits")?;
        for ((scene, kind), tally) in &self.tallies {
            let Tally { calls, points, hits } = tally;
            writeln!(f, "{scene:12} {:9} {calls:7} {points:7} {hits:7}", kind.name())?;
        }
        if !self.errors.is_empty() {
            writeln!(f, "errors told: {:?}; exit codes: {:?}", self.errors, self.codes)?;
        }
        let hits: u64 = self.tallies.values().map(|tally| tally.hits).sum();
        write!(f, "{} points, {hits} hits, {} contents written, ", self.points(), self.contents)?;
        write!(f, "{} losses, {} failures", self.losses.len(), self.failures.len())?;
        if self.cut_short {
            write!(f, "; the time was over before the end")?;
        }
        if let Some((walk, left)) = &self.walk {
            write!(f, "\n{walk}; ")?;
            match &left[..] {
                [] => write!(f, "all points of all scenes and kinds that were asked for")?,
                left => write!(f, "{} scenes and kinds are not at their end", left.len())?,
            }
        }
        self.losses.iter().try_for_each(|loss| write!(f, "\n  lost: {loss}"))?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  failed: {failure}"))
    }
}
