//! Rest: both machines sync undisturbed until nothing changes, as they must after any accident, without help; then each
//! must find no fault with itself.

use std::io;
use std::time::{Duration, Instant};

use crate::bare::Bare;
use crate::drawing::disk::{self, Footprint};
use crate::machine::Machine;

/// Syncs of both machines within which they must agree.
const ROUNDS_MAX: usize = 8;

/// How machines came to rest.
#[derive(Debug, Clone, Default)]
pub struct Rest {
    /// What must not be: a sync that failed, trees that differ, no end.
    pub failure: Option<String>,
    /// How long the last sync took that changed something.
    pub worked: Option<Duration>,
}

/// Syncs two machines in turn until both say that all is in step and nothing changes; their trees must be equal then.
/// `may_empty`: a first sync was taken back, which empties a folder. Asking about that is right, and a person says yes.
pub fn come_to_rest(machines: [&Machine; 2], bare: &Bare, may_empty: bool) -> io::Result<Rest> {
    let mut rest = Rest::default();
    let mut before = look(machines, bare)?;
    for _ in 0..ROUNDS_MAX {
        let mut codes = Vec::new();
        for machine in machines {
            let began = Instant::now();
            let mut output = machine.run(["sync", "--strategy", "both"]);
            if may_empty && output.code == 6 && output.mentions("E-GUARD-") {
                output = machine.run(["sync", "--strategy", "both", "--allow", "delete"]);
            }
            if look(machines, bare)? != before {
                rest.worked = Some(began.elapsed());
            }
            // What a power cut emptied is held for one sync.
            if !matches!(output.code, 0 | 3 | 4) {
                rest.failure = Some(format!("sync on {}: {output}", machine.name()));
                return Ok(rest);
            }
            codes.push(output.code);
        }
        let after = look(machines, bare)?;
        if after == before && codes == [0, 0] {
            let [left, right] = machines.map(|machine| disk::read(machine.folder()));
            rest.failure =
                (left? != right?).then(|| "the trees differ".to_owned()).or_else(|| faults(machines));
            return Ok(rest);
        }
        before = after;
    }
    rest.failure = Some(format!("not at rest after {ROUNDS_MAX} rounds"));
    Ok(rest)
}

/// What a machine finds wrong with itself, every byte read.
pub fn faults(machines: [&Machine; 2]) -> Option<String> {
    let outputs = machines.map(|machine| (machine.name(), machine.run(["verify", "--read-data"])));
    let wrong = outputs.into_iter().find(|(_, output)| output.code != 0);
    wrong.map(|(name, output)| format!("verify on {name}: {output}"))
}

fn look(machines: [&Machine; 2], bare: &Bare) -> io::Result<([Footprint; 2], String)> {
    let [left, right] = machines.map(|machine| disk::footprint(machine.folder()));
    Ok(([left?, right?], bare.refs()))
}
