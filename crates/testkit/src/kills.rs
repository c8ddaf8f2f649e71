//! The kill loop: the program is killed again and again while it syncs, and nothing may be lost.
//!
//! A round edits the folders as a person would, starts the program, and kills its whole process group after a moment
//! between nothing and the usual duration of such a run; sometimes it kills the next start too. Then both machines sync
//! without being disturbed: that must need no help, both trees must be equal, and every content that was ever written
//! must be found. A version counts as written when a run was given the time to see it: nobody edits between a kill and
//! the quiet syncs that follow.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::chance::Chance;
use crate::drawing::disk::{self, Times};
use crate::ledger::Ledger;
use crate::machine::{Machine, Pair};
use crate::person::{Deed, Person};
use crate::rest;

/// A world is thrown away after so many rounds, so that checking stays quick.
const ROUNDS_OF_A_WORLD: u64 = 25;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// How many rounds.
    pub rounds: u64,
    /// Where chance begins.
    pub seed: u64,
    /// Stop after this long, even if rounds are left.
    pub time_max: Option<Duration>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Rounds played.
    pub rounds: u64,
    /// Times the program was started to be killed.
    pub starts: u64,
    /// Times it was still running when the kill came.
    pub hits: u64,
    /// Contents that were written.
    pub contents: usize,
    /// What can't be found any more; must be empty.
    pub losses: Vec<String>,
    /// Anything else that must not be: an error of a quiet sync, trees that differ.
    pub failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { rounds, starts, hits, contents, .. } = self;
        write!(f, "{rounds} rounds, {starts} starts, {hits} kills that hit, {contents} contents written, ")?;
        write!(f, "{} losses, {} failures", self.losses.len(), self.failures.len())?;
        self.losses.iter().try_for_each(|loss| write!(f, "\n  lost: {loss}"))?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  failed: {failure}"))
    }
}

impl Report {
    /// Answers whether all went as it must.
    pub fn is_clean(&self) -> bool {
        self.losses.is_empty() && self.failures.is_empty()
    }
}

/// Runs the loop; stops at the first loss or failure, and says where the folders were left.
pub fn run(program: &Path, request: Request) -> io::Result<Report> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut chance = Chance::new(request.seed);
    let over = || request.time_max.is_some_and(|limit| began.elapsed() > limit);
    while report.rounds < request.rounds && report.is_clean() && !over() {
        let mut world = World::new(program, chance.number())?;
        world.first_sync(&mut report)?;
        for _ in 0..ROUNDS_OF_A_WORLD {
            if report.rounds >= request.rounds || !report.is_clean() || over() {
                break;
            }
            world.round(&mut report)?;
        }
        report.contents += world.ledger.len();
        if !report.is_clean() {
            let area = world.pair.keep();
            report.failures.push(format!("the folders are left in {}", area.display()));
        }
    }
    Ok(report)
}

struct World {
    pair: Pair,
    chance: Chance,
    person: Person,
    ledger: Ledger,
    /// How long a run that has something to do usually takes.
    usual: Duration,
}

impl World {
    fn new(program: &Path, seed: u64) -> io::Result<Self> {
        let mut world = World {
            pair: Pair::new(program),
            chance: Chance::new(seed),
            person: Person::new(seed),
            ledger: Ledger::new(),
            usual: Duration::from_millis(150),
        };
        let drawing = world.person.begin();
        disk::build(&drawing, world.pair.left.folder(), Times::BASE)?;
        world.ledger.record_drawing("first", &drawing);
        Ok(world)
    }

    /// Kills the first sync on each side.
    fn first_sync(&mut self, report: &mut Report) -> io::Result<()> {
        for side in [0, 1] {
            let machine = self.pair.machines()[side].clone();
            let output = machine.init(&self.pair.bare, &["--no-sync"]);
            if output.code != 0 {
                report.failures.push(format!("init on {}: {output}", machine.name()));
                return Ok(());
            }
            self.kill(&machine, &["sync", "--strategy", "both"], report)?;
            let began = Instant::now();
            machine.run(["sync", "--strategy", "both"]);
            self.usual = began.elapsed();
        }
        report.rounds += 1;
        self.rest("first sync", report)
    }

    fn round(&mut self, report: &mut Report) -> io::Result<()> {
        let deed = self.person.deed();
        let mut words = ["sync", "--strategy", "both"];
        if deed == Deed::Undo {
            words = ["undo", "--yes", "--no-pager"];
        } else {
            for side in [0, 1] {
                if side == 0 || self.chance.percent(40) {
                    let folder = self.pair.machines()[side].folder();
                    let before = disk::read(folder)?;
                    let after = self.person.edit(&before, deed);
                    self.ledger.record_drawing(["left", "right"][side], &after);
                    disk::change(&before, &after, folder, Times::USUAL)?;
                }
            }
        }
        let machine = self.pair.machines()[self.chance.index(2)].clone();
        self.kill(&machine, &words, report)?;
        if self.chance.percent(40) {
            let other = self.pair.machines()[self.chance.index(2)].clone();
            self.kill(&other, &["sync", "--strategy", "both"], report)?;
        }
        report.rounds += 1;
        self.rest(&format!("{deed:?}"), report)
    }

    /// Starts the program and kills it, with all that it started, after a moment.
    fn kill(&mut self, machine: &Machine, words: &[&str], report: &mut Report) -> io::Result<()> {
        let most = self.usual.as_micros() as u64 * 11 / 10 + 1;
        let delay = Duration::from_micros(self.chance.below(most));
        let mut child = machine.start(words);
        wait(&mut child, delay)?;
        report.starts += 1;
        if child.try_wait()?.is_none() {
            let group = Pid::from_raw(child.id() as i32).expect("because a process has an id");
            kill_process_group(group, Signal::KILL)?;
            report.hits += 1;
        }
        child.wait()?;
        Ok(())
    }

    /// Lets both sync in peace until nothing changes, and checks all that must hold then.
    fn rest(&mut self, what: &str, report: &mut Report) -> io::Result<()> {
        let round = report.rounds;
        let may_empty = what == "Undo";
        let rest = rest::come_to_rest(self.pair.machines(), &self.pair.bare, may_empty)?;
        self.usual = rest.worked.unwrap_or(self.usual);
        report.failures.extend(rest.failure.map(|failure| format!("round {round}, {what}: {failure}")));
        let missing = self.ledger.missing(&self.pair.machines(), &self.pair.bare)?;
        report.losses.extend(missing.into_iter().map(|lost| format!("round {round}, {what}: {lost}")));
        Ok(())
    }
}

/// Waits for a child, but not longer than so long.
fn wait(child: &mut Child, delay: Duration) -> io::Result<()> {
    let until = Instant::now() + delay;
    while child.try_wait()?.is_none() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(Duration::from_millis(1)));
    }
    Ok(())
}
