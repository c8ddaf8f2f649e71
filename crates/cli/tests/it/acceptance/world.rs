//! One scenario being played: two machines, what was drawn on each, and what they said.

use std::fs;
use std::path::Path;

use instep_testkit::bare::Bare;
use instep_testkit::drawing::disk::{self, Footprint, Times};
use instep_testkit::drawing::{Drawing, Mark};
use instep_testkit::ledger::Ledger;
use instep_testkit::machine::{Machine, Output, Pair};

use super::policy::Policy;
use super::story::{Act, Story};
use crate::reports::{self, Recorded};

/// Syncs after which two machines must have come to rest, the last of each of them quiet.
const SYNCS_MAX: usize = 10;

/// Left or right.
pub type SideIndex = usize;

/// What a halt may be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `sync --allow delete`.
    Delete,
    /// `sync --allow rewind`.
    Rewind,
    /// `init` again in the folder.
    InitAgain,
}

/// Two machines in the middle of a scenario.
pub struct World {
    pub pair: Pair,
    pub policy: Policy,
    pub ledger: Ledger,
    /// What a person made of each side, with marks.
    pub drawn: [Drawing; 2],
    /// Which side syncs first.
    pub first: SideIndex,
    /// How a halt is answered; without it a halt is a failure.
    pub consent: Option<Consent>,
    /// How often a machine stopped to ask.
    pub halts: usize,
    /// What each machine said last.
    pub said: [Option<Output>; 2],
    /// All that machines said of conflicts on the way.
    pub heard: Vec<Recorded>,
}

/// All that a quiet sync must leave as it was: the trees that are there, and the repository.
pub type State = (Vec<Option<Footprint>>, String);

impl World {
    /// Makes two machines with nothing on them.
    pub fn new(program: &Path, policy: Policy, first: SideIndex, unprivileged: bool) -> Self {
        let pair = if unprivileged { Pair::unprivileged(program) } else { Pair::new(program) };
        World {
            pair,
            policy,
            ledger: Ledger::new(),
            drawn: [Drawing::default(), Drawing::default()],
            first,
            consent: None,
            halts: 0,
            said: [None, None],
            heard: Vec::new(),
        }
    }

    /// One of the machines.
    pub fn machine(&self, side: SideIndex) -> &Machine {
        self.pair.machines()[side]
    }

    /// Sides in the order in which they sync.
    fn order(&self) -> [SideIndex; 2] {
        [self.first, 1 - self.first]
    }

    /// Builds the base on both machines, connects them and lets them agree.
    pub fn begin(&mut self, base: &Drawing) -> Result<(), String> {
        for side in [0, 1] {
            self.become_drawn(side, base, Times::BASE)?;
        }
        self.pair.hand_over();
        for side in self.order() {
            let output = self.machine(side).connect(&self.pair.bare);
            if output.code != 0 {
                return Err(format!("init on {}: {output}", self.machine(side).name()));
            }
            let tree = io(disk::read(self.machine(side).folder()))?;
            if tree != base.unmarked() {
                return Err(format!("init on {} made {tree} of {base}", self.machine(side).name()));
            }
        }
        Ok(())
    }

    /// Makes both folders workspaces. The side that syncs second is left to sync by the scenario's policy.
    pub fn connect(&mut self) -> Result<(), String> {
        self.pair.hand_over();
        for (number, side) in self.order().into_iter().enumerate() {
            let flags: &[&str] = if number == 0 { &[] } else { &["--no-sync"] };
            let output = self.machine(side).init(&self.pair.bare, flags);
            if !matches!(output.code, 0 | 3) {
                return Err(format!("init on {}: {output}", self.machine(side).name()));
            }
        }
        Ok(())
    }

    /// Plays both sides' stories, with the syncs between their parts.
    pub fn play(&mut self, stories: &[Story; 2]) -> Result<(), String> {
        let parts =
            stories.each_ref().map(|story| story.acts.split(|act| *act == Act::Sync).collect::<Vec<_>>());
        let count = parts[0].len().max(parts[1].len());
        for number in 0..count {
            for side in [0, 1] {
                for act in parts[side].get(number).copied().unwrap_or_default() {
                    self.act(side, act, stories[side].times)?;
                }
            }
            self.pair.hand_over();
            if number + 1 < count {
                self.settle()?;
            }
        }
        Ok(())
    }

    /// Lets one thing happen on one side.
    pub fn act(&mut self, side: SideIndex, act: &Act, times: Times) -> Result<(), String> {
        let folder = self.machine(side).folder().to_owned();
        match act {
            Act::Become(drawing) => self.become_drawn(side, drawing, times)?,
            Act::Touch => touch_all(&self.drawn[side], &folder)?,
            Act::Exclude(pattern) => self.configure(side, &["add", "exclude", pattern, "--machine"])?,
            Act::ExcludeForAll(pattern) => self.configure(side, &["add", "exclude", pattern])?,
            Act::Include(pattern) => self.configure(side, &["unset", "exclude", pattern, "--machine"])?,
            Act::Sync => self.settle()?,
            Act::DropRoot => io(fs::remove_dir_all(&folder))?,
            Act::FileForRoot => {
                io(fs::remove_dir_all(&folder))?;
                io(fs::write(&folder, "a file"))?;
            }
            Act::ReplaceRoot(drawing) => {
                io(fs::remove_dir_all(&folder))?;
                io(fs::create_dir(&folder))?;
                self.drawn[side] = Drawing::default();
                self.become_drawn(side, drawing, times)?;
                self.consent = Some(Consent::InitAgain);
            }
            Act::LoseState => {
                lose_state(&folder)?;
                self.consent = Some(Consent::InitAgain);
            }
            Act::Rewind => {
                let head = self.pair.bare.head().ok_or("the repository has no head")?;
                self.pair.bare.set_head(&format!("{head}~1"));
                self.consent = Some(Consent::Rewind);
            }
        }
        Ok(())
    }

    fn become_drawn(&mut self, side: SideIndex, drawing: &Drawing, times: Times) -> Result<(), String> {
        for path in drawing.marked(Mark::Ignored) {
            let known = self.drawn[side].0.get(path).is_some_and(|drawn| drawn.mark == Mark::Ignored);
            if !known {
                let pattern = format!("/{}", String::from_utf8_lossy(path));
                self.configure(side, &["add", "exclude", &pattern, "--machine"])?;
            }
        }
        let folder = self.machine(side).folder().to_owned();
        io(disk::change(&self.drawn[side], drawing, &folder, times))?;
        let name = self.machine(side).name().to_owned();
        self.ledger.record_drawing(&name, drawing);
        self.drawn[side] = drawing.clone();
        Ok(())
    }

    fn configure(&self, side: SideIndex, words: &[&str]) -> Result<(), String> {
        let output = self.machine(side).run(["config"].iter().chain(words));
        if output.code == 0 { Ok(()) } else { Err(format!("config {words:?}: {output}")) }
    }

    /// Syncs both in turn until a sync of each changes nothing. From then on what is on disk is what is drawn.
    pub fn settle(&mut self) -> Result<(), String> {
        let mut before = self.state();
        let mut quiet = 0;
        for number in 0..SYNCS_MAX {
            let halts = self.halts;
            self.sync(self.order()[number % 2])?;
            let after = self.state();
            quiet = if after == before && self.halts == halts { quiet + 1 } else { 0 };
            if quiet == 2 {
                return self.redraw();
            }
            before = after;
        }
        Err(format!("still not at rest after {SYNCS_MAX} syncs"))
    }

    /// Takes what is on disk for drawn, and keeps the marks.
    fn redraw(&mut self) -> Result<(), String> {
        for side in [0, 1] {
            let mut now = io(disk::read(self.machine(side).folder()))?;
            for (path, drawn) in &mut now.0 {
                if let Some(known) = self.drawn[side].0.get(path) {
                    drawn.mark = known.mark;
                }
            }
            self.drawn[side] = now;
        }
        Ok(())
    }

    /// Lets one machine sync by the policy; a halt is answered with consent where the scenario gives it.
    pub fn sync(&mut self, side: SideIndex) -> Result<(), String> {
        let words = if side == 0 { self.policy.left() } else { self.policy.right() };
        let mut output = self.run(side, words, &[]);
        if let (6 | 10, Some(consent)) = (output.code, self.consent) {
            self.halts += 1;
            output = match consent {
                Consent::Delete => self.run(side, words, &["--allow", "delete"]),
                Consent::Rewind => self.run(side, words, &["--allow", "rewind"]),
                Consent::InitAgain => self.machine(side).init(&self.pair.bare, &["--no-sync"]),
            };
        }
        let code = output.code;
        let said = format!("{} on {}: {output}", words.join(" "), self.machine(side).name());
        self.said[side] = Some(output);
        if matches!(code, 0 | 3 | 4) { Ok(()) } else { Err(said) }
    }

    fn run(&mut self, side: SideIndex, words: &[&str], more: &[&str]) -> Output {
        let output = self.machine(side).run(words.iter().chain(more).chain(&["--json"]));
        self.heard.extend(reports::conflicts_in_lines(&output.stdout));
        output
    }

    /// What a quiet sync, and one that stops, leave as it is.
    pub fn state(&self) -> State {
        let print = |machine: &&Machine| disk::footprint(machine.folder()).ok();
        (self.pair.machines().iter().map(print).collect(), self.pair.bare.refs())
    }

    /// What can't be found any more.
    pub fn missing(&mut self) -> Result<Vec<String>, String> {
        let bare = Bare::open(self.pair.bare.path());
        io(self.ledger.missing(&self.pair.machines(), &bare))
    }
}

fn touch_all(drawing: &Drawing, folder: &Path) -> Result<(), String> {
    drawing.contents().try_for_each(|(path, _)| io(disk::touch(&disk::on_disk(folder, path), Times::LATER)))
}

/// Takes the database away, and leaves identity, history and repository.
pub fn lose_state(folder: &Path) -> Result<(), String> {
    let is_database =
        |name: &str| [".db", ".sqlite", "-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(end));
    let mut lost = 0;
    for entry in io(fs::read_dir(folder.join(".instep")))? {
        let path = io(entry)?.path();
        if path.file_name().is_some_and(|name| is_database(&name.to_string_lossy())) {
            io(fs::remove_file(path))?;
            lost += 1;
        }
    }
    if lost > 0 { Ok(()) } else { Err("there is no state database to lose".to_owned()) }
}

fn io<T>(result: std::io::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("the harness failed: {error}"))
}
