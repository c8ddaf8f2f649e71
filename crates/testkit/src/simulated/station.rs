//! One simulated machine below the engine: its disk, its clock, what fails on it, and whether it runs at all.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use instep_core::clock::{Clock, Timestamp};
use rustix::io::Errno;

use super::chaos::{Chaos, Layer};
use super::disk::{Disk, Number, ROOT, STATE};
use super::{folder, person};
use instep_core::generate::Random;

/// How a machine goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed; the system goes on and loses nothing.
    Kill,
    /// The power goes.
    Power,
}

/// Which calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Those that look and read.
    Reads,
    /// Those that change something.
    Writes,
    /// Those that make something durable.
    Syncs,
}

/// Calls that fail.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which; none for all.
    pub only: Option<Does>,
    /// What the system says.
    pub errno: Errno,
    /// How many such calls come before.
    pub after: u64,
    /// How many fail.
    pub count: u64,
}

/// One machine.
#[derive(Debug)]
pub struct Station {
    /// Its number in the world.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its disk.
    pub disk: Disk,
    /// The files that the person has open.
    pub handles: Vec<Number>,
    /// How far its clock is off.
    pub offset: i64,
    /// It does not run.
    pub down: bool,
    /// It goes down after so many calls.
    pub crash_in: Option<(u64, Crash)>,
    /// How it went down.
    pub crashed: Crash,
    /// What fails.
    pub fault: Option<Fault>,
    /// How often a wait for the disk has failed, as far as the program knows.
    pub refusals: u64,
    /// What the engine brought into sight in the present act.
    pub placed: BTreeSet<Number>,
    /// The engine works on it.
    pub acting: bool,
    /// When the present act began, by the true time.
    pub began: i64,
    /// A fault or an edit came in the present act.
    pub faulted: bool,
    /// The person did something in the present act.
    pub edited: bool,
    /// Files that the person wrote to, or gave one more name, in the present act: the engine may have looked before.
    pub touched: BTreeSet<Number>,
}

/// A machine and its world, shared by all that work on it.
#[derive(Clone)]
pub struct Shared {
    /// The machine.
    pub station: Arc<Mutex<Station>>,
    /// The world.
    pub chaos: Arc<Mutex<Chaos>>,
}

/// Locks; a panic elsewhere is told elsewhere.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both, locked.
pub struct Entered<'s> {
    /// The machine.
    pub station: MutexGuard<'s, Station>,
    /// The world.
    pub chaos: MutexGuard<'s, Chaos>,
}

/// Why a call fails.
pub enum Failure {
    /// The machine is down.
    Down,
    /// The system says so.
    Errno(Errno),
}

impl Shared {
    /// Locks both.
    pub fn enter(&self) -> Entered<'_> {
        let mut entered = Entered { station: lock(&self.station), chaos: lock(&self.chaos) };
        entered.set_clock();
        entered
    }

    /// One call of the engine: time passes, the person may act, the machine may go down, the call may fail.
    pub fn call(&self, does: Does, what: fmt::Arguments<'_>) -> Result<Entered<'_>, Failure> {
        let mut entered = self.enter();
        entered.chaos.counts.calls += 1;
        entered.chaos.trace(what);
        entered.pass_time();
        if entered.goes_down() {
            return Err(Failure::Down);
        }
        if entered.chaos.strikes(Layer::Edits, 3) {
            entered.chaos.counts.edits_meanwhile += 1;
            entered.edit();
        }
        match entered.fails(does) {
            Some(errno) => {
                entered.tell(format_args!("  {errno:?} at {what}"));
                Err(Failure::Errno(errno))
            }
            None => Ok(entered),
        }
    }

    /// A transaction is about to be committed: answers whether it must not be.
    pub fn refuses_commit(&self) -> bool {
        let mut entered = self.enter();
        if entered.station.down {
            return true;
        }
        if let Some((0, _)) = entered.station.crash_in {
            // The power goes while the database writes: before it was durable, or right after.
            let is_late = entered.chaos.chance.percent(50);
            entered.tell(format_args!("  at a commit, {}:", if is_late { "after it" } else { "before it" }));
            entered.goes_down();
            return !is_late;
        }
        entered.goes_down();
        let fails = entered.station.acting && entered.chaos.strikes(Layer::Disk, 1);
        if fails {
            entered.chaos.counts.disk_faults += 1;
            entered.station.faulted = true;
            entered.tell(format_args!("  the database can't commit"));
        }
        fails
    }
}

impl Entered<'_> {
    fn set_clock(&mut self) {
        let now = self.chaos.now;
        self.station.disk.true_now = now;
        self.station.disk.now = now + self.station.offset;
    }

    fn pass_time(&mut self) {
        let passes = match self.chaos.chance.below(100) {
            0 => 30_000_000,
            1..=20 => 0,
            _ => 1_000 + self.chaos.chance.below(400_000) as i64,
        };
        self.chaos.now += passes;
        self.set_clock();
    }

    /// A line for people, with the machine's name.
    pub fn tell(&mut self, what: fmt::Arguments<'_>) {
        let name = self.station.name.clone();
        self.chaos.tell(format_args!("{name}: {what}"));
    }

    /// Counts a call towards the crash that is due; answers whether the machine is down.
    pub fn goes_down(&mut self) -> bool {
        if let Some((left, crash)) = self.station.crash_in {
            self.station.crash_in = left.checked_sub(1).map(|left| (left, crash));
            if left == 0 {
                self.tell(format_args!("  {crash:?}"));
                (self.station.down, self.station.crashed) = (true, crash);
            }
        }
        self.station.down
    }

    fn fails(&mut self, does: Does) -> Option<Errno> {
        let fault = self.station.fault.as_mut().filter(|fault| fault.only.is_none_or(|only| only == does))?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        if fault.count == 0 {
            return None;
        }
        fault.count -= 1;
        let errno = fault.errno;
        self.chaos.counts.disk_faults += 1;
        self.station.faulted = true;
        Some(errno)
    }

    /// The person does something.
    pub fn edit(&mut self) {
        self.chaos.counts.edits += 1;
        self.station.edited = true;
        self.station.disk.by_person = true;
        person::act(&mut self.station, &mut self.chaos);
        self.station.disk.by_person = false;
    }

    /// The machine starts again.
    pub fn restart(&mut self) {
        if !self.station.down {
            return;
        }
        match self.station.crashed {
            Crash::Kill => self.chaos.counts.kills += 1,
            Crash::Power => {
                self.chaos.counts.power_cuts += 1;
                self.station.handles.clear();
                let (index, began) = (self.station.index, self.station.began);
                for number in self.station.disk.dirty() {
                    let raced = self.station.disk.was_written_since(number, began);
                    self.chaos.ledger.power_cut(index, number, raced);
                }
                // Its program waited for what it holds, not for its name.
                for number in self.station.disk.nameless_since(began) {
                    self.chaos.ledger.give_back(index, number);
                }
                let mut chance = Random::new(self.chaos.chance.number());
                self.station.disk.power_cut(&mut chance);
                // A file that was put away, and stands at its name again, is the person's again.
                for number in folder::in_sight(&self.station.disk).into_keys() {
                    self.chaos.ledger.give_back(self.station.index, number);
                }
            }
        }
        self.station.down = false;
        self.tell(format_args!("starts again"));
    }

    /// What is known of files at this machine is lost: what changed by itself looks like an edit from now on.
    pub fn forget_rot(&mut self) {
        let machine = self.station.index;
        self.chaos.rotten.retain(|_, rot| rot.machine != machine);
    }

    /// What stands here counts as a change made here.
    pub fn excuse_rot(&mut self) {
        let machine = self.station.index;
        self.chaos
            .rotten
            .values_mut()
            .filter(|rot| rot.machine == machine)
            .for_each(|rot| rot.excused = true);
    }

    /// A person removes our state folder's contents, or all that stands in the workspace with them.
    pub fn give_up(&mut self, whole: bool) {
        self.station.disk.by_person = true;
        let disk = &mut self.station.disk;
        let mut folders = vec![b"history".to_vec(), b"staging".to_vec()];
        folders.retain(|name| disk.find(STATE, name).is_ok());
        for name in folders {
            let folder = disk.find(STATE, &name).unwrap();
            person::empty(disk, folder);
        }
        if whole {
            person::empty(disk, ROOT);
        }
        disk.forget_refusals();
        self.station.disk.by_person = false;
        self.forget_rot();
    }

    /// What the system does by itself.
    pub fn write_back(&mut self, all: bool) {
        let open: BTreeSet<Number> = self.station.handles.iter().copied().collect();
        self.station.disk.write_back(all, &open);
    }
}

/// A machine's clock, right or wrong, and its own stream of chance.
pub struct SimulatedClock {
    /// Whose.
    pub shared: Shared,
    /// Its chance.
    pub chance: Mutex<Random>,
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ns(self.shared.enter().station.disk.now)
    }

    fn random(&self) -> u64 {
        lock(&self.chance).number()
    }
}
