//! [`SimulatedRemote`]: one machine's way to a remote in memory, on which calls get lost, happen twice, or late.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};

use instep_core::content::ContentId;
use instep_core::note::Notes;
use instep_core::path::TreePath;
use instep_core::progress::Observer;
use instep_core::remote::{
    Committed, Description, Draft, Lineage, ListedKind, ObjectId, Refusal, Remote, RemoteError,
    RemoteErrorKind, Revision, Sink, Snapshot, Source,
};
use instep_remote::memory::{MemoryPlace, MemoryRemote};

use super::chaos::{Chaos, Layer, Rotten};
use super::folder;
use super::ledger::Reason;
use super::machine::Machine;
use super::station::{Entered, Shared, lock};

/// The head that a commit expects, and the one that it makes.
type Commit = (Option<Revision>, Revision);

/// The place, and what is still on its way to it.
#[derive(Clone, Default)]
pub struct Place {
    /// The place itself.
    pub memory: MemoryPlace,
    /// Commits that will arrive when nobody thinks of them any more.
    late: Arc<Mutex<Vec<Commit>>>,
    /// All heads that there were, oldest first.
    pub heads: Arc<Mutex<Vec<Revision>>>,
}

impl Place {
    /// Lets what is on its way arrive.
    pub fn deliver_late(&self, chaos: &Mutex<Chaos>) {
        let waiting = std::mem::take(&mut *lock(&self.late));
        for (expected, prepared) in waiting {
            let taken = self.memory.open().commit(expected.as_ref(), &prepared).is_ok();
            lock(chaos).tell(format_args!("remote: a late commit arrives, taken: {taken}"));
            if taken {
                self.note_head(&prepared, &mut lock(chaos));
            }
        }
    }

    /// A new head: what it holds counts.
    fn note_head(&self, head: &Revision, chaos: &mut Chaos) {
        lock(&self.heads).push(head.clone());
        for content in self.contents_at(head) {
            chaos.ledger.record(content, Reason::Sent, format!("in head {}", &head.0[..8]));
        }
    }

    fn contents_at(&self, at: &Revision) -> BTreeSet<ContentId> {
        let Ok(snapshot) = self.memory.open().snapshot(at, None) else { return BTreeSet::new() };
        let leaves = snapshot.entries.iter().filter(|entry| matches!(entry.kind, ListedKind::Leaf { .. }));
        leaves
            .filter_map(|entry| Some(ContentId::from_bytes(entry.object.as_bytes().try_into().ok()?)))
            .collect()
    }

    /// All contents in the head's past.
    pub fn reachable(&self) -> BTreeSet<ContentId> {
        let past = self.memory.open().history(usize::MAX).unwrap();
        past.iter().flat_map(|committed| self.contents_at(&committed.revision)).collect()
    }
}

/// One machine's way to the place.
pub struct SimulatedRemote {
    /// The place.
    pub place: Place,
    inner: MemoryRemote,
    shared: Shared,
    world: Weak<Vec<Mutex<Machine>>>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    NeverArrives,
    AnswerLost,
    Twice,
    Late,
    Busy,
}

fn offline(what: &str) -> RemoteError {
    RemoteError::new(RemoteErrorKind::Offline, "E-NET-OFFLINE", what)
}

impl SimulatedRemote {
    /// A machine's way to a place.
    pub fn new(place: &Place, shared: Shared, world: Weak<Vec<Mutex<Machine>>>) -> Self {
        SimulatedRemote { place: place.clone(), inner: place.memory.open(), shared, world }
    }

    fn call<T>(&self, verb: &str, act: impl Fn() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        self.let_others_work();
        let arrives = lock(&self.shared.chaos).chance.percent(30);
        if arrives {
            self.place.deliver_late(&self.shared.chaos);
        }
        let fate = {
            let mut entered = self.shared.enter();
            entered.chaos.now += 2_000_000;
            entered.chaos.trace(format_args!("{verb}"));
            if entered.goes_down() {
                return Err(offline("the machine is down"));
            }
            let fate = match entered.chaos.strikes(Layer::Remote, 6) {
                false => Fate::Good,
                true => match entered.chaos.chance.below(10) {
                    0..=2 => Fate::NeverArrives,
                    3..=5 => Fate::AnswerLost,
                    6 => Fate::Twice,
                    7..=8 => Fate::Late,
                    _ => Fate::Busy,
                },
            };
            if fate != Fate::Good {
                entered.chaos.counts.remote_faults += 1;
                entered.tell(format_args!("  remote {verb}: {fate:?}"));
            }
            fate
        };
        let answer = match fate {
            Fate::Good => act(),
            Fate::NeverArrives | Fate::Late => Err(offline("no answer")),
            Fate::Busy => Err(RemoteError::new(RemoteErrorKind::Busy, "E-NET-BUSY", "come back later")),
            Fate::AnswerLost => act().and(Err(offline("the answer was lost"))),
            Fate::Twice => act().and_then(|_| act()),
        };
        // The machine may go down with the answer on its way.
        if self.shared.enter().goes_down() { Err(offline("the machine is down")) } else { answer }
    }

    /// What changed by itself here must not go out, as long as its times can tell it from an edit. What a person made of
    /// it, as a copy, may; also one that was carried to another machine, and came from there.
    fn watch_rot(&self, (before, head): (Option<&Revision>, &Revision), entered: &mut Entered<'_>) {
        if entered.chaos.rotten.is_empty() {
            return;
        }
        let (index, disk) = (entered.station.index, &entered.station.disk);
        let was_there = before.map_or_else(BTreeSet::new, |before| self.place.contents_at(before));
        let mut sent = self.place.contents_at(head);
        sent.retain(|content| !was_there.contains(content));
        let in_sight = folder::in_sight(disk);
        let goes_out = |(content, rot): &(&ContentId, &Rotten)| {
            let is_untouched = disk.metadata(rot.number).is_ok_and(|here| here.changed == rot.changed);
            let is_alone = in_sight.values().filter(|held| held == content).count() == 1;
            !rot.excused && rot.machine == index && sent.contains(content) && is_untouched && is_alone
        };
        let found = entered.chaos.rotten.iter().find(goes_out).map(|(content, _)| *content);
        if let Some(content) = found {
            let broken = format!("R3 rot goes out: {} of {}", content.short(), entered.station.name);
            entered.chaos.broken.get_or_insert(broken);
        }
    }

    /// Other machines do not wait.
    fn let_others_work(&self) {
        let Some(world) = self.world.upgrade() else { return };
        let other = {
            let mut chaos = lock(&self.shared.chaos);
            if chaos.depth > 2 || !chaos.strikes(Layer::Meanwhile, 5) {
                return;
            }
            chaos.chance.below(world.len())
        };
        if let Ok(mut machine) = world[other].try_lock() {
            machine.edit_and_sync();
        }
    }
}

impl Remote for SimulatedRemote {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn head(&self) -> Result<Option<Revision>, RemoteError> {
        self.call("head", || self.inner.head())
    }

    fn lineage(&self, known: &Revision, head: &Revision) -> Result<Lineage, RemoteError> {
        self.call("lineage", || self.inner.lineage(known, head))
    }

    fn snapshot(&self, at: &Revision, known: Option<&Revision>) -> Result<Snapshot, RemoteError> {
        self.call("snapshot", || self.inner.snapshot(at, known))
    }

    fn fetch(
        &self,
        wanted: &[ObjectId],
        into: &mut dyn Sink,
        observer: &dyn Observer,
    ) -> Result<(), RemoteError> {
        // Some contents come, then the line is cut.
        let cut = {
            let mut chaos = lock(&self.shared.chaos);
            let cut = chaos.strikes(Layer::Remote, 4) && !wanted.is_empty();
            cut.then(|| chaos.chance.below(wanted.len()))
        };
        self.call("fetch", || Ok(()))?;
        self.inner.fetch(&wanted[..cut.unwrap_or(wanted.len())], into, observer)?;
        if cut.is_some() { Err(offline("cut in the middle of a fetch")) } else { Ok(()) }
    }

    fn upload(
        &self,
        offered: &[ContentId],
        from: &dyn Source,
        observer: &dyn Observer,
    ) -> Result<Vec<ObjectId>, RemoteError> {
        self.call("upload", || self.inner.upload(offered, from, observer))
    }

    fn prepare(&self, expected: Option<&Revision>, draft: &Draft) -> Result<Revision, RemoteError> {
        self.call("prepare", || self.inner.prepare(expected, draft))
    }

    fn commit(&self, expected: Option<&Revision>, prepared: &Revision) -> Result<(), RemoteError> {
        let late = lock(&self.shared.chaos).strikes(Layer::Remote, 3);
        if late {
            lock(&self.place.late).push((expected.cloned(), prepared.clone()));
            self.shared.enter().tell(format_args!("  remote commit {}: will arrive late", &prepared.0[..8]));
            return Err(offline("no answer"));
        }
        self.call("commit", || {
            let answer = self.inner.commit(expected, prepared);
            let mut entered = self.shared.enter();
            entered.tell(format_args!("  remote commit {}: {:?}", &prepared.0[..8], answer.as_ref().err()));
            if answer.is_ok() {
                self.place.note_head(prepared, &mut entered.chaos);
                self.watch_rot((expected, prepared), &mut entered);
            }
            answer
        })
    }

    fn history(&self, limit: usize) -> Result<Vec<Committed>, RemoteError> {
        self.call("history", || self.inner.history(limit))
    }

    fn lay_down(
        &self,
        author: &str,
        text: &[u8],
        contents: &[ContentId],
        from: &dyn Source,
    ) -> Result<bool, RemoteError> {
        self.call("lay down", || self.inner.lay_down(author, text, contents, from))
    }

    fn notes(&self, known: Option<&str>) -> Result<Option<Notes>, RemoteError> {
        self.call("notes", || self.inner.notes(known))
    }

    fn refuses(&self, path: &TreePath, size: u64) -> Option<Refusal> {
        self.inner.refuses(path, size)
    }
}
