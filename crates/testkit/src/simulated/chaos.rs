//! What goes wrong, when: one stream of chance for a whole world, its clock, and the trace of all that happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;

use super::disk::Number;
use super::ledger::Ledger;
use instep_core::generate::Random;

/// One kind of trouble that a world may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The remote loses, doubles and delays answers.
    Remote,
    /// Other machines sync in the middle of a sync.
    Meanwhile,
    /// The person edits in the middle of a step.
    Edits,
    /// Machines crash, by a kill or a power cut.
    Crashes,
    /// Disks fail, are full, or read short.
    Disk,
    /// Clocks are wrong and jump.
    Clocks,
    /// Databases are dropped, and old backups of the remote restored.
    Backups,
    /// Disks fold case, know no exchange, keep coarse times, reuse numbers.
    Disks,
    /// Undo, redo, restore, resolve.
    History,
    /// Strategies and directions.
    Policies,
    /// Machines disconnect, and come back as on first contact.
    Contact,
    /// Machines join late, or are set up anew.
    Joins,
    /// What is at rest on a disk changes by itself.
    Rot,
    /// Files have several names: hard links.
    Names,
}

impl Layer {
    /// All of them.
    pub const ALL: [Layer; 14] = [
        Layer::Remote,
        Layer::Meanwhile,
        Layer::Edits,
        Layer::Crashes,
        Layer::Disk,
        Layer::Clocks,
        Layer::Backups,
        Layer::Disks,
        Layer::History,
        Layer::Policies,
        Layer::Contact,
        Layer::Joins,
        Layer::Rot,
        Layer::Names,
    ];

    /// Reads a word, as `crashes`.
    pub fn parse(word: &str) -> Option<Self> {
        Layer::ALL.into_iter().find(|layer| layer.word() == word)
    }

    /// Its word.
    pub fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cycles and other acts of the engine.
    pub acts: u64,
    /// Calls of the engine to a folder.
    pub calls: u64,
    /// Crashes by a kill.
    pub kills: u64,
    /// Crashes by a power cut.
    pub power_cuts: u64,
    /// Faults of disks and databases that came true.
    pub disk_faults: u64,
    /// Faults of the remote.
    pub remote_faults: u64,
    /// Edits of the person.
    pub edits: u64,
    /// Of them in the middle of an act.
    pub edits_meanwhile: u64,
    /// Machines that joined late, or were set up anew.
    pub joins: u64,
    /// Files that changed by themselves.
    pub rots: u64,
    /// Contents that counted.
    pub contents: u64,
}

impl Counts {
    /// Adds those of another world.
    pub fn add(&mut self, other: Counts) {
        self.acts += other.acts;
        self.calls += other.calls;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.disk_faults += other.disk_faults;
        self.remote_faults += other.remote_faults;
        self.edits += other.edits;
        self.edits_meanwhile += other.edits_meanwhile;
        self.joins += other.joins;
        self.rots += other.rots;
        self.contents += other.contents;
    }
}

/// A file of a workspace that changed by itself, of which a cycle had read and agreed what it held.
#[derive(Debug, Clone, Copy)]
pub struct Rotten {
    /// On which machine.
    pub machine: usize,
    /// Which file.
    pub number: Number,
    /// When anything was done to it last, as its disk has it. Once that is another moment, nobody can tell any more.
    pub changed: Timestamp,
    /// It was copied, or carried elsewhere: what holds it may be taken for an edit.
    pub excused: bool,
}

/// The chance, the time and the memory of a world.
#[derive(Debug)]
pub struct Chaos {
    /// What happens next.
    pub chance: Random,
    /// What may go wrong.
    pub layers: BTreeSet<Layer>,
    /// Nothing goes wrong any more.
    pub calm: bool,
    /// The true time, in nanoseconds since 1970.
    pub now: i64,
    /// How much happened.
    pub counts: Counts,
    /// What must not be lost.
    pub ledger: Ledger,
    /// Contents that nobody wrote, and the files that hold them.
    pub rotten: BTreeMap<ContentId, Rotten>,
    /// What kept versions became that changed by themselves: nobody may be given one of these.
    pub spoiled: BTreeSet<ContentId>,
    /// Tells contents apart.
    pub serial: u64,
    /// An older remote was put in place, or it was made anew.
    pub put_back: bool,
    /// How many acts are under way, one in the other.
    pub depth: u32,
    /// What was found that is not as promised.
    pub broken: Option<String>,
    trace: Fnv,
    lines: Option<Vec<String>>,
}

#[derive(Debug)]
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Chaos {
    /// A world's chance from its seed.
    pub fn new(seed: u64, layers: BTreeSet<Layer>, tells: bool) -> Self {
        Chaos {
            chance: Random::new(seed),
            layers,
            calm: true,
            now: 1_750_000_000_000_000_000,
            counts: Counts::default(),
            ledger: Ledger::default(),
            rotten: BTreeMap::new(),
            spoiled: BTreeSet::new(),
            serial: 0,
            put_back: false,
            depth: 0,
            broken: None,
            trace: Fnv(0xcbf2_9ce4_8422_2325),
            lines: tells.then(Vec::new),
        }
    }

    /// Answers whether a kind of trouble may come now.
    pub fn has(&self, layer: Layer) -> bool {
        self.layers.contains(&layer) && !self.calm
    }

    /// Answers whether a disk is of a kind, or a person of a mind, that belongs to a layer; calm or not.
    pub fn knows(&self, layer: Layer) -> bool {
        self.layers.contains(&layer)
    }

    /// Chance in percent, if the layer is on.
    pub fn strikes(&mut self, layer: Layer, percent: u64) -> bool {
        self.has(layer) && self.chance.percent(percent as usize)
    }

    /// Adds to the trace.
    pub fn trace(&mut self, what: fmt::Arguments<'_>) {
        let _ = self.trace.write_fmt(what);
    }

    /// Adds a line to the trace that people may read.
    pub fn tell(&mut self, what: fmt::Arguments<'_>) {
        self.trace(what);
        if let Some(lines) = &mut self.lines {
            lines.push(what.to_string());
        }
    }

    /// Answers whether lines are kept for people.
    pub fn tells(&self) -> bool {
        self.lines.is_some()
    }

    /// The hash of all that happened.
    pub fn hash(&self) -> u64 {
        self.trace.0
    }

    /// The lines for people.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
