//! From a seed that fails to the shortest story that fails in the same way.

use std::collections::BTreeSet;

use super::chaos::Layer;
use super::machine::Broken;
use super::world::{self, Ended, Scenario};

/// Runs a scenario twice; a second trace that differs is a failure too.
pub fn run_twice(scenario: &Scenario) -> Ended {
    let mut first = world::run(scenario, false);
    let second = world::run(scenario, false);
    if first.broken.is_none() && first.trace != second.trace {
        first.broken = Some(Broken("not deterministic: two runs of one seed differ".to_owned()));
    }
    first
}

/// What kind of failure it is: its first two words.
fn class(broken: &Broken) -> String {
    broken.0.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Leaves out steps and layers as long as it fails in the same way; tries so many times at most.
pub fn shrink(scenario: &Scenario, broken: &Broken, mut tries: u32) -> Scenario {
    let wanted = class(broken);
    let mut best = scenario.clone();
    let mut fails = |candidate: &Scenario| {
        tries = tries.saturating_sub(1);
        let ended = if tries == 0 { None } else { world::run(candidate, false).broken };
        ended.is_some_and(|broken| class(&broken) == wanted)
    };
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < best.steps.len() {
            let mut candidate = best.clone();
            candidate.steps.drain(at..(at + size).min(best.steps.len()));
            if fails(&candidate) { best = candidate } else { at += size }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    for layer in Layer::ALL {
        let layers: BTreeSet<Layer> = best.layers.iter().copied().filter(|one| *one != layer).collect();
        let candidate = Scenario { layers, ..best.clone() };
        if candidate != best && fails(&candidate) {
            best = candidate;
        }
    }
    best
}
