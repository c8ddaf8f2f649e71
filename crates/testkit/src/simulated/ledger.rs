//! The ledger of the simulation: every content that counts under the promise that nothing is lost.
//!
//! A content counts when the engine took the file that held it out of a person's sight, when a cycle sent it, and when a
//! conflict recorded it. It stops to count when the engine puts that very file back, since then it is the person's again.

use std::collections::{BTreeMap, BTreeSet};

use instep_core::content::ContentId;

use super::disk::Number;

/// Why the content of a file counts that its program went on writing to.
const REWRITTEN: &str = "written to after it was displaced";

/// Why a content counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The engine took this file, of this machine, out of sight.
    Displaced(usize, Number),
    /// A head of the remote held it.
    Sent,
    /// This machine has a conflict on record that names it.
    Conflict(usize),
}

/// All contents that count.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: BTreeMap<(ContentId, Reason), String>,
    /// Those of which the last kept copy was damaged.
    damaged: BTreeSet<ContentId>,
    /// Those of which the copy that a machine kept was damaged, while there was another.
    damaged_at: BTreeSet<(usize, ContentId)>,
}

impl Ledger {
    /// Writes a content down.
    pub fn record(&mut self, content: ContentId, reason: Reason, what: String) {
        // What is kept for a conflict that goes on is not read again at every sync.
        let is_excused = |at| self.damaged.contains(&content) || self.damaged_at.contains(&(at, content));
        if matches!(reason, Reason::Conflict(at) if is_excused(at)) {
            return;
        }
        self.entries.entry((content, reason)).or_insert(what);
    }

    /// The engine gave a file back to the person: it is theirs again. Answers whether it had been taken away.
    pub fn give_back(&mut self, machine: usize, number: Number) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(_, reason), _| *reason != Reason::Displaced(machine, number));
        self.entries.len() < before
    }

    /// The person wrote, through an open handle, to a file that the engine had put away.
    pub fn rewrite(&mut self, machine: usize, number: Number, content: ContentId) {
        let reason = Reason::Displaced(machine, number);
        let counted = self.entries.keys().any(|(_, other)| *other == reason);
        if counted {
            self.give_back(machine, number);
            self.record(content, reason, REWRITTEN.to_owned());
        }
    }

    /// The power goes before what the person wrote to a file was durable: nobody promised that it stays. What the file
    /// held when the engine displaced it had to be durable by then, unless it was written in that very act: `raced`.
    pub fn power_cut(&mut self, machine: usize, number: Number, raced: bool) {
        let reason = Reason::Displaced(machine, number);
        self.entries.retain(|(_, other), what| *other != reason || !(raced || what == REWRITTEN));
    }

    /// An older remote was put in place: what only the lost part held can't be asked of anyone. What was sent stands in
    /// for itself no more; the machines answer for what they put away, and for their conflicts.
    pub fn put_back(&mut self, at_remote: &BTreeSet<ContentId>, at_machines: &BTreeSet<ContentId>) {
        self.entries.retain(|(content, reason), _| match reason {
            Reason::Sent => at_remote.contains(content),
            Reason::Displaced(..) | Reason::Conflict(_) => {
                at_remote.contains(content) || at_machines.contains(content)
            }
        });
    }

    /// A person removed all that a machine had put away: it is asked for nothing of that.
    pub fn give_up(&mut self, machine: usize) {
        self.entries.retain(|(_, reason), _| match reason {
            Reason::Displaced(of, _) | Reason::Conflict(of) => *of != machine,
            Reason::Sent => true,
        });
    }

    /// The last copy of a content that was kept is damaged: nobody can be asked for it. A conflict that goes on names it
    /// still.
    pub fn forget(&mut self, lost: ContentId) {
        self.damaged.insert(lost);
        self.entries.retain(|(content, _), _| *content != lost);
    }

    /// What a machine kept of a content is damaged: that machine is not asked for it any more, also where a conflict that
    /// goes on names it still.
    pub fn excuse(&mut self, machine: usize, lost: ContentId) {
        self.damaged_at.insert((machine, lost));
        self.entries.retain(|(content, reason), _| {
            let is_theirs =
                matches!(reason, Reason::Displaced(of, _) | Reason::Conflict(of) if *of == machine);
            *content != lost || !is_theirs
        });
    }

    /// How many contents count.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Answers whether nothing counts yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What counts and is not among what was found; what a machine put away must be at that machine.
    pub fn missing(&self, found: &BTreeSet<ContentId>, at_machines: &[BTreeSet<ContentId>]) -> Vec<String> {
        let is_there = |content: &ContentId, reason: &Reason| match reason {
            Reason::Displaced(machine, _) | Reason::Conflict(machine) => {
                at_machines[*machine].contains(content)
            }
            Reason::Sent => found.contains(content),
        };
        let lost = self.entries.iter().filter(|((content, reason), _)| !is_there(content, reason));
        lost.map(|((content, reason), what)| format!("{} {reason:?}: {what}", content.short())).collect()
    }
}
