//! One world from its seed: steps with trouble, then calm, then the checks.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use instep_core::content::ContentId;
use instep_core::node::PerSide;
use instep_core::path::TreePath;
use instep_core::policy::{Fold, Strategy};
use instep_core::progress::Silent;
use instep_core::remote::Revision;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::request::Request;
use instep_engine::failure::{Danger, EngineError};
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;

use super::chaos::{Chaos, Counts, Layer, Rotten};
use super::disk::{Disk, Kind, ROOT};
use super::folder;
use super::machine::{Broken, Drawn, Machine, words};
use super::person;
use super::remote::Place;
use super::station::{Crash, lock};
use instep_core::generate::Random;

/// How often every machine syncs before it is asked whether all is at rest.
const ROUNDS: usize = 3;
/// How often at most: five machines with disks that fold names, each with a standing answer of its own, settle one name
/// after the other.
const ROUNDS_MAX: usize = 8;

/// All that a world is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// What goes wrong.
    pub layers: BTreeSet<Layer>,
    /// The steps, each by its number: what one does depends on the seed and this number alone.
    pub steps: Vec<u64>,
}

/// What came of a world.
#[derive(Debug)]
pub struct Ended {
    /// The hash of all that happened.
    pub trace: u64,
    /// How much happened.
    pub counts: Counts,
    /// What was not as promised.
    pub broken: Option<Broken>,
    /// All that happened, for people, if asked for.
    pub lines: Vec<String>,
}

struct World {
    chaos: Arc<Mutex<Chaos>>,
    machines: Arc<Vec<Mutex<Machine>>>,
    place: Place,
}

/// Lives through a scenario.
pub fn run(scenario: &Scenario, tells: bool) -> Ended {
    let chaos = Arc::new(Mutex::new(Chaos::new(scenario.seed, scenario.layers.clone(), tells)));
    let lived = catch_unwind(AssertUnwindSafe(|| live(scenario, &chaos)));
    let mut chaos = lock(&chaos);
    let panicked = lived.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    });
    let broken = panicked.or_else(|| chaos.broken.take()).map(Broken);
    let mut counts = chaos.counts;
    counts.contents = chaos.ledger.len() as u64;
    Ended { trace: chaos.hash(), counts, broken, lines: chaos.take_lines() }
}

fn live(scenario: &Scenario, chaos: &Arc<Mutex<Chaos>>) {
    let world = World::new(chaos);
    let ok = |world: &World| lock(&world.chaos).broken.is_none();
    for step in &scenario.steps {
        world.step(scenario.seed, *step);
        if !ok(&world) {
            return;
        }
    }
    lock(chaos).chance = Random::new(scenario.seed ^ 0x00e5_dead);
    world.settle();
    if ok(&world) && lock(chaos).knows(Layer::History) {
        world.take_back();
    }
    if ok(&world) {
        world.resolve_all();
    }
}

impl World {
    fn new(chaos: &Arc<Mutex<Chaos>>) -> Self {
        let place = Place::default();
        let (count, kinds) = {
            let mut chaos = lock(chaos);
            let count = [2, 2, 2, 3, 3, 5][chaos.chance.below(6)];
            let knows = chaos.knows(Layer::Disks);
            let policies = chaos.knows(Layer::Policies);
            let kinds: Vec<(Kind, Strategy)> = (0..count)
                .map(|_| {
                    let strategy =
                        if policies { Strategy::ALL[chaos.chance.below(6)] } else { Strategy::Merge };
                    (disk_kind(&mut chaos.chance, knows), strategy)
                })
                .collect();
            (count, kinds)
        };
        let now = lock(chaos).now;
        let machines = Arc::new_cyclic(|world| {
            (0..count)
                .map(|index| {
                    let (kind, strategy) = kinds[index];
                    let disk = Disk::new(index as u64 + 1, kind, now);
                    Mutex::new(Machine::new(index, disk, strategy, &place, chaos, world.clone()))
                })
                .collect()
        });
        let world = World { chaos: Arc::clone(chaos), machines, place };
        for machine in world.machines.iter().skip(1) {
            let mut chaos = lock(chaos);
            let is_late = chaos.knows(Layer::Joins) && chaos.chance.percent(30);
            drop(chaos);
            lock(machine).is_away = is_late;
        }
        world
    }

    fn fail(&self, what: String) {
        lock(&self.chaos).broken.get_or_insert(what);
    }

    fn step(&self, seed: u64, step: u64) {
        let (at, what) = {
            let mut chaos = lock(&self.chaos);
            chaos.calm = false;
            chaos.chance = Random::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(step + 1));
            chaos.chance.number();
            chaos.now += [0, 5_000_000, 100_000_000, 3_000_000_000, 3_600_000_000_000][chaos.chance.below(5)];
            chaos.tell(format_args!("-- step {step}"));
            (chaos.chance.below(self.machines.len()), chaos.chance.below(100))
        };
        if lock(&self.chaos).strikes(Layer::Joins, 4) || lock(&self.machines[at]).is_away {
            return self.join(at);
        }
        if lock(&self.chaos).strikes(Layer::Rot, 12) {
            self.rot(at);
        }
        let mut machine = lock(&self.machines[at]);
        if lock(&self.chaos).chance.percent(50) {
            let all = lock(&self.chaos).chance.percent(30);
            machine.shared.enter().write_back(all);
        }
        match what {
            0..=44 => {
                machine.restart();
                let edits = 1 + lock(&self.chaos).chance.below(4);
                for _ in 0..edits {
                    let mut entered = machine.shared.enter();
                    entered.chaos.now += 10_000_000;
                    entered.edit();
                }
            }
            45..=79 => machine.sync_somehow(),
            80..=86 if lock(&self.chaos).has(Layer::History) => machine.use_history(),
            87..=89 if lock(&self.chaos).has(Layer::Clocks) => {
                let mut entered = machine.shared.enter();
                let by = [1, 60, 3_600, 86_400, 400 * 86_400, 3650 * 86_400][entered.chaos.chance.below(6)];
                let by = if entered.chaos.chance.percent(50) { by } else { -by };
                entered.station.offset += by * 1_000_000_000;
                entered.tell(format_args!("clock jumps by {by} s"));
            }
            90..=93 if lock(&self.chaos).has(Layer::Crashes) => {
                let mut entered = machine.shared.enter();
                if !entered.station.down {
                    let crash = if entered.chaos.chance.percent(50) { Crash::Kill } else { Crash::Power };
                    entered.tell(format_args!("{crash:?} at rest"));
                    (entered.station.down, entered.station.crashed) = (true, crash);
                }
            }
            94..=95 if lock(&self.chaos).has(Layer::Backups) => machine.drop_database(),
            96..=97 if lock(&self.chaos).has(Layer::Backups) => {
                drop(machine);
                self.put_back();
            }
            98 if lock(&self.chaos).has(Layer::Contact) => machine.disconnect(),
            _ => machine.sync_somehow(),
        }
    }

    /// A machine joins that was away, with an empty folder or one that somebody carried over; or it is set up anew.
    fn join(&self, at: usize) {
        let (waits, carries, edits) = {
            let chance = &mut lock(&self.chaos).chance;
            (chance.percent(70), chance.percent(50), chance.below(3))
        };
        let mut machine = lock(&self.machines[at]);
        if !machine.is_away {
            machine.give_up();
            lock(&self.chaos).ledger.give_up(at);
        } else if waits {
            return;
        } else if carries {
            let other = (at + 1) % self.machines.len();
            let from = lock(&lock(&self.machines[other]).shared.station).disk.clone();
            let mut entered = machine.shared.enter();
            entered.tell(format_args!("person: carries a folder over from machine {other}"));
            entered.station.disk.by_person = true;
            // What two disks hold under names that are one for this one, is carried over once.
            let carried = person::carry_over(&from, ROOT, &mut entered.station.disk, ROOT);
            entered.chaos.trace(format_args!("{carried:?}"));
            entered.station.disk.by_person = false;
        }
        for _ in 0..edits {
            machine.shared.enter().edit();
        }
        machine.join();
    }

    /// A file that is at rest changes by itself: one of the workspace, or one that is kept for a person.
    fn rot(&self, at: usize) {
        let machine = lock(&self.machines[at]);
        machine.shared.enter();
        let in_sight = lock(&self.chaos).chance.percent(50);
        let numbers = if in_sight { machine.known_at_rest() } else { machine.kept_files() };
        let mut entered = machine.shared.enter();
        let Some(&number) = entered.chaos.chance.pick(&numbers) else { return };
        let before = ContentId::of(entered.station.disk.data(number).unwrap());
        let size = entered.station.disk.data(number).unwrap().len().max(1);
        let byte = entered.chaos.chance.below(size);
        let damage = entered.chaos.counts.rots as u8;
        if !entered.station.disk.rot(number, byte, damage) {
            return;
        }
        let after = ContentId::of(entered.station.disk.data(number).unwrap());
        if before == after {
            return;
        }
        entered.chaos.counts.rots += 1;
        let place = if in_sight { "in the workspace" } else { "that is kept" };
        entered.tell(format_args!("a file {place} rots: {} is {}", before.short(), after.short()));
        if in_sight {
            let changed = entered.station.disk.metadata(number).unwrap().changed;
            let rot = Rotten { machine: at, number, changed, excused: false };
            entered.chaos.rotten.insert(after, rot);
            return;
        }
        // What lay in a slot when the machine stopped may be an edit of that moment, for all we know; and where it lay is
        // not certain before the machine runs again.
        if !entered.station.down && entered.station.disk.is_in_history(number) {
            entered.chaos.spoiled.insert(after);
        }
        drop(entered);
        drop(machine);
        let mut found = self.place.reachable();
        found.extend(self.machines.iter().flat_map(|machine| lock(machine).kept()));
        let ledger = &mut lock(&self.chaos).ledger;
        ledger.excuse(at, before);
        if !found.contains(&before) {
            ledger.forget(before);
        }
    }

    /// The person finds what changed by itself, and writes it anew.
    fn mend_rot(&self) {
        let rotten = std::mem::take(&mut lock(&self.chaos).rotten);
        for (content, rot) in rotten {
            let mut machine = lock(&self.machines[rot.machine]);
            machine.restart();
            let mut entered = machine.shared.enter();
            if folder::in_sight(&entered.station.disk).get(&rot.number) == Some(&content) {
                entered.chaos.serial += 1;
                let bytes = format!("mended {}\n", entered.chaos.serial).into_bytes();
                entered.tell(format_args!("person: writes a file anew that had rotted"));
                entered.station.disk.by_person = true;
                entered.station.disk.write(rot.number, |data| *data = bytes).unwrap();
                entered.station.disk.by_person = false;
            }
        }
    }

    /// An old backup of the remote is put in its place.
    fn put_back(&self) {
        let heads = lock(&self.place.heads).clone();
        if heads.is_empty() {
            return;
        }
        let to: Option<Revision> = {
            let mut chaos = lock(&self.chaos);
            let at = chaos.chance.below(heads.len() + 1);
            chaos.put_back = true;
            chaos
                .tell(format_args!("the remote is put back to {:?}", heads.get(at).map(|head| &head.0[..8])));
            heads.get(at).cloned()
        };
        self.place.memory.put_back(to.as_ref());
        let at_machines = self.machines.iter().flat_map(|machine| lock(machine).kept()).collect();
        lock(&self.chaos).ledger.put_back(&self.place.reachable(), &at_machines);
    }

    /// No more trouble: all comes to rest, and is checked.
    fn settle(&self) {
        {
            let mut chaos = lock(&self.chaos);
            chaos.calm = true;
            chaos.tell(format_args!("-- calm"));
        }
        self.place.deliver_late(&self.chaos);
        self.mend_rot();
        for machine in self.machines.iter().map(lock).filter(|machine| machine.is_away) {
            { machine }.join();
        }
        self.bring_to_rest("calm");
    }

    fn bring_to_rest(&self, when: &str) {
        for round in 0..ROUNDS_MAX {
            let mut busy = false;
            for machine in self.machines.iter() {
                let outcome = self.sync(machine, when);
                if lock(&self.chaos).broken.is_some() {
                    return;
                }
                busy |= outcome.is_some_and(|outcome| !outcome.done.is_empty());
            }
            if round + 1 >= ROUNDS && !busy {
                break;
            }
        }
        let mut outcomes = Vec::new();
        for machine in self.machines.iter() {
            let before = lock(machine).drawing();
            let Some(outcome) = self.sync(machine, when) else { return };
            let name = lock(&lock(machine).shared.station).name.clone();
            if !outcome.done.is_empty() || before != lock(machine).drawing() {
                let done: Vec<String> = outcome
                    .done
                    .iter()
                    .map(|done| format!("{:?} {:?} {}", done.side, done.kind, done.path))
                    .collect();
                return self.fail(format!("R9 no rest ({when}): {name} still does {done:?}"));
            }
            outcomes.push(outcome);
        }
        self.compare(&outcomes, when);
        self.check_ledger(when);
    }

    fn sync(&self, machine: &Mutex<Machine>, when: &str) -> Option<Outcome> {
        let mut machine = lock(machine);
        let mut request = Request { explicit: true, ..Request::default() };
        for _ in 0..4 {
            lock(&self.chaos).now += 5_000_000_000;
            match machine.sync(&request) {
                Ok(Some(outcome)) => return Some(outcome),
                Ok(None) => {}
                Err(EngineError::Halted(Danger::Deletions(_))) => request.allow_delete = true,
                Err(EngineError::Halted(_)) => request.allow_rewind = true,
                Err(error) => {
                    self.fail(format!("an error in calm ({when}): {}", words(&error)));
                    return None;
                }
            }
        }
        self.fail(format!("no end ({when}): a machine halts whatever it is allowed"));
        None
    }

    /// All folders are the same, but for what is listed.
    fn compare(&self, outcomes: &[Outcome], when: &str) {
        let drawings: Vec<Drawn> = self.machines.iter().map(|machine| lock(machine).drawing()).collect();
        let mut listed: BTreeSet<TreePath> = BTreeSet::new();
        for (outcome, machine) in outcomes.iter().zip(self.machines.iter()) {
            listed.extend(outcome.held.iter().map(|held| held.path.clone()));
            for open in outcome.conflicts.iter().filter(|open| !open.conflict.settled) {
                let conflict = &open.conflict;
                listed.insert(conflict.path.clone());
                listed.extend(conflict.waiting.iter().cloned());
                listed.extend(lock(machine).paths_of_waiting(&conflict.waiting));
                listed.extend(lock(machine).paths_of(&conflict.nodes));
                for version in [&conflict.base, &conflict.local, &conflict.remote].into_iter().flatten() {
                    listed.insert(version.path.clone());
                }
            }
        }
        for (at, drawing) in drawings.iter().enumerate().skip(1) {
            let paths: BTreeSet<&Vec<u8>> = drawings[0].keys().chain(drawing.keys()).collect();
            for path in paths {
                let found = PerSide { local: drawings[0].get(path), remote: drawing.get(path) };
                if found.local == found.remote {
                    continue;
                }
                let path = TreePath::new(path).unwrap();
                let explained = listed.iter().any(|one| path.is_within(one) || one.is_within(&path));
                if !explained {
                    return self.fail(format!(
                        "R9 not the same ({when}): {path} is {:?} on machine 0 and {:?} on machine {at}",
                        found.local, found.remote
                    ));
                }
            }
        }
    }

    fn check_ledger(&self, when: &str) {
        let mut found = self.place.reachable();
        let at_machines: Vec<BTreeSet<ContentId>> =
            self.machines.iter().map(|machine| lock(machine).contents().into_iter().collect()).collect();
        found.extend(at_machines.iter().flatten());
        let missing = lock(&self.chaos).ledger.missing(&found, &at_machines);
        if !missing.is_empty() {
            self.fail(format!("R1 lost ({when}): {}", missing.join("; ")));
        }
    }

    /// In calm: what is undone comes back, byte for byte, and redo brings it forward again.
    fn take_back(&self) {
        let (here, there, edits) = {
            let mut chaos = lock(&self.chaos);
            chaos.tell(format_args!("-- undo in calm"));
            let here = chaos.chance.below(self.machines.len());
            let there = (here + 1) % self.machines.len();
            (here, there, 1 + chaos.chance.below(4))
        };
        for _ in 0..edits {
            lock(&self.machines[there]).shared.enter().edit();
        }
        if self.sync(&self.machines[there], "undo").is_none() {
            return;
        }
        let before = lock(&self.machines[here]).drawing();
        let Some(outcome) = self.sync(&self.machines[here], "undo") else { return };
        let Some(operation) = outcome.operation else { return };
        let after = lock(&self.machines[here]).drawing();
        for (redo, wanted) in [(false, &before), (true, &after)] {
            let mut machine = lock(&self.machines[here]);
            let machine = &mut *machine;
            let named = (!redo).then(|| operation.clone());
            let request = UndoRequest { redo, operation: named, ..UndoRequest::default() };
            let reach = Reach::open(&machine.remote);
            let undone = undo(&mut machine.workspace, Some(&reach), &machine.settings, &request, &Silent);
            match undone {
                Err(error) => return self.fail(format!("R13 undo redo={redo} fails: {}", words(&error))),
                Ok(undone) if undone.operation.is_none() => break,
                Ok(undone) if undone.left_alone.is_empty() && undone.held.is_empty() => {
                    if machine.drawing() != *wanted {
                        let found = machine.drawing();
                        return self.fail(format!(
                            "R13 undo redo={redo} is not what it was: {:?} != {:?}",
                            found, wanted
                        ));
                    }
                }
                Ok(_) => break,
            }
        }
        self.bring_to_rest("after undo");
    }

    /// In calm: a person settles all conflicts, and all folders become the same.
    fn resolve_all(&self) {
        lock(&self.chaos).tell(format_args!("-- resolve in calm"));
        for machine in self.machines.iter() {
            let open = lock(machine).conflicts();
            for one in open {
                let pick = lock(&self.chaos).chance.number();
                lock(machine).resolve(&one, pick);
            }
            self.sync(machine, "resolve");
            if lock(&self.chaos).broken.is_some() {
                return;
            }
        }
        self.bring_to_rest("after resolve");
    }
}

fn disk_kind(chance: &mut Random, knows: bool) -> Kind {
    let mut kind = Kind {
        fold: Fold::default(),
        exchange: true,
        tick_ns: 1,
        births: true,
        reuses: false,
        ordered: chance.percent(50),
    };
    if knows {
        kind.fold.case = chance.percent(15);
        kind.exchange = chance.percent(80);
        // It stood for something once; without it, every seed would be another world.
        _ = chance.percent(80);
        kind.tick_ns = [1, 4_000_000, 10_000_000, 1_000_000_000, 2_000_000_000][chance.below(5)];
        kind.births = chance.percent(60);
        kind.reuses = chance.percent(50);
    }
    kind
}
