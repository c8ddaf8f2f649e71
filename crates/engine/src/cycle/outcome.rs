//! What a cycle did, as a value for people and programs.

use instep_core::clock::Timestamp;
use instep_core::conflict::Conflict;
use instep_core::filter::{UnitCounts, Units};
use instep_core::node::{PerSide, Side};
use instep_core::path::{TreePath, escape};
use instep_core::plan::{ChangeKind, Note};
use instep_core::remote::MachineStamp;
use instep_core::tree::{Entry, Tree};

use super::plan_file::PlanFile;

/// One change that was carried out, or in a preview would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The side that changed: `Local` is received, `Remote` is sent.
    pub side: Side,
    /// What kind of change.
    pub kind: ChangeKind,
    /// Where it stands now, or stood.
    pub path: TreePath,
    /// Where it stood, if it moved.
    pub from: Option<TreePath>,
    /// It is a folder.
    pub folder: bool,
    /// The content's length in bytes; `None` for a folder and where nothing travels.
    pub size: Option<u64>,
    /// When it was modified, where known.
    pub modified: Option<Timestamp>,
    /// Both sides' changes were merged into it: what the merge did, in words, where there is something to say.
    pub merged: Option<String>,
    /// A previous version was kept in the history here.
    pub kept: bool,
}

/// A path that waits: kept where it is, listed with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The path.
    pub path: TreePath,
    /// The side on which it waits.
    pub side: Side,
    /// The stable code, such as `E-IO-PERM`.
    pub code: &'static str,
    /// One sentence.
    pub why: String,
}

/// A conflict as this machine has it on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenConflict {
    /// Its short name here: `c3` is number 3.
    pub number: u64,
    /// Since when.
    pub since: Timestamp,
    /// The machines of the two versions.
    pub machines: PerSide<String>,
    /// The disagreement.
    pub conflict: Conflict,
    /// The machine that has it, if that is another one: then it is seen from here, and settled by an answer.
    pub abroad: Option<MachineStamp>,
}

impl OpenConflict {
    /// The short name: `c3`, or `desktop:c3` of another machine.
    pub fn short(&self) -> String {
        match &self.abroad {
            None => format!("c{}", self.number),
            Some(machine) => format!("{}:c{}", escape(machine.name.as_bytes()), self.number),
        }
    }
}

/// What a cycle, or a preview of one, came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The operation in the log; `None` if nothing changed.
    pub operation: Option<String>,
    /// How many files were seen on each side.
    pub seen: PerSide<u64>,
    /// What was done, in order of path.
    pub done: Vec<Done>,
    /// All open conflicts, in order of number.
    pub conflicts: Vec<OpenConflict>,
    /// How many of them are new in this cycle.
    pub conflicts_new: usize,
    /// Paths that wait, in order.
    pub held: Vec<Held>,
    /// How many changes wait because only the other side may change this time.
    pub waits: usize,
    /// What a person would want to know, in order of path.
    pub notes: Vec<Note>,
    /// Sentences that a person should see once.
    pub notices: Vec<String>,
    /// Bytes of contents that travelled to each side.
    pub bytes: PerSide<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Nothing was agreed on before.
    pub first_contact: bool,
    /// The machine that wrote the remote's head.
    pub other_machine: Option<String>,
    /// What changed on each side, in what people count in.
    pub units: PerSide<UnitCounts>,
    /// What stands here, in what people count in.
    pub units_here: UnitCounts,
    /// What the remote holds and this machine's own rules keep away from here, in order: listed on request.
    pub elsewhere: Vec<(TreePath, String)>,
    /// When the remote was last asked.
    pub checked: Option<Timestamp>,
    /// The plan, for a dry run.
    pub plan: Option<PlanFile>,
}

impl Outcome {
    /// Counts what changed, and what stands here, in what people count in.
    pub(super) fn count(&mut self, units: &Units, here: &Tree) {
        if units.is_empty() {
            return;
        }
        self.units = PerSide::from_fn(|side| {
            let done = self.done.iter().filter(|done| done.side == side);
            units.count(done.map(|done| (&done.path, done.folder)))
        });
        let seen = here.places().skip(1).filter(|place| !matches!(here.at(*place).entry, Entry::Unknown(_)));
        let seen: Vec<(TreePath, bool)> =
            seen.map(|place| (here.path(place), here.at(place).entry == Entry::Folder)).collect();
        self.units_here = units.count(seen.iter().map(|(path, is_folder)| (path, *is_folder)));
    }
}
