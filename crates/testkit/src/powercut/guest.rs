//! What runs inside the machine whose power is cut: check, then edit and sync until the lights go out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use instep_core::content::ContentId;

use super::{CONNECTED, KEPT, STANDING, STEPS, Step, contents, note, read_text};
use crate::bare::Bare;
use crate::drawing::Drawing;
use crate::drawing::disk::{self, Times};
use crate::ledger::Ledger;
use crate::machine::{Machine, Output};
use crate::person::{Deed, Person};
use crate::rest;
use instep_core::generate::Random;

/// Where the guest finds what it works with.
#[derive(Debug, Clone)]
pub struct Places {
    /// The host's folder, which no cut touches.
    pub area: PathBuf,
    /// The disk of the machines.
    pub machines: PathBuf,
    /// The disk of the repository.
    pub remote: PathBuf,
}

/// Checks, then works until the power goes. Comes back only when something does not hold.
pub fn run(places: &Places, seed: u64) -> io::Result<()> {
    let mut guest = Guest::open(places, seed)?;
    guest.say(&Step::Checking)?;
    let outcome = guest.check().and_then(|()| {
        guest.say(&Step::Checked)?;
        loop {
            guest.turn()?;
        }
    });
    outcome.or_else(|failure: io::Error| guest.say(&Step::Failed(failure.to_string())))
}

struct Guest {
    area: PathBuf,
    disk: File,
    machines: [Machine; 2],
    bare: Bare,
    chance: Random,
    person: Person,
}

impl Guest {
    /// Takes what stands on the disks, and makes what a first start or an early cut left out.
    fn open(places: &Places, seed: u64) -> io::Result<Self> {
        let program = places.area.join("instep");
        let path = places.remote.join("remote.git");
        if !path.join("made").exists() {
            Bare::create(&path);
            File::create(path.join("made"))?;
            rustix::fs::syncfs(File::open(&places.remote)?)?;
        }
        let machines = ["left", "right"].map(|name| Machine::new(&program, &places.machines, name));
        let disk = File::open(&places.machines)?;
        rustix::fs::syncfs(&disk)?;
        Ok(Guest {
            area: places.area.clone(),
            disk,
            machines,
            bare: Bare::open(&path),
            chance: Random::new(seed),
            person: Person::new(seed),
        })
    }

    fn say(&self, step: &Step) -> io::Result<()> {
        self.note(STEPS, &[step.to_string()])
    }

    /// Adds lines to a file of the host.
    fn note(&self, file: &str, lines: &[String]) -> io::Result<()> {
        note(&self.area.join(file), lines)
    }

    /// All that was promised: no help is needed, nothing is lost, nothing vanished, no damage went out.
    fn check(&self) -> io::Result<()> {
        for machine in &self.machines {
            self.connect(machine)?;
        }
        let rest = rest::come_to_rest([&self.machines[0], &self.machines[1]], &self.bare, true)?;
        if let Some(failure) = rest.failure {
            return Err(io::Error::other(failure));
        }
        let tree = disk::read(self.machines[0].folder())?;
        let mut ledger = Ledger::new();
        for (id, what) in contents(&self.area.join(KEPT))? {
            ledger.record_id(&what, id);
        }
        let mut wrong: Vec<String> = ledger
            .missing(&[&self.machines[0], &self.machines[1]], &self.bare)?
            .into_iter()
            .map(|lost| format!("lost: {lost}"))
            .collect();
        for path in self.standing()? {
            match tree.content(path.as_bytes()) {
                None => wrong.push(format!("vanished: {path} was in step and nobody took it away")),
                // What a program wrote and did not wait for may be torn; but nothing is no version of anything.
                Some(content) if content.iter().all(|&byte| byte == 0) => {
                    wrong.push(format!("damaged: {path} holds nothing but {} zeros", content.len()));
                }
                Some(_) => {}
            }
        }
        self.bare.git(["fsck", "--full", "--no-dangling"], b"");
        if wrong.is_empty() { Ok(()) } else { Err(io::Error::other(wrong.join("\n"))) }
    }

    /// Makes the folder a workspace, unless that was done: an `init` that a cut broke off is typed again.
    fn connect(&self, machine: &Machine) -> io::Result<()> {
        let done = format!("connected {}", machine.name());
        if read_text(&self.area.join(CONNECTED))?.lines().any(|line| line == done) {
            return Ok(());
        }
        if disk::read(machine.folder())?.contents().next().is_none() {
            let drawing = Person::new(machine.name().len() as u64).begin();
            disk::build(&drawing, machine.folder(), Times::BASE)?;
            rustix::fs::syncfs(&self.disk)?;
            self.note(KEPT, &lines(&drawing))?;
        }
        self.judged(machine, &["init", "--strategy", "both"], |machine| {
            machine.init(&self.bare, &["--no-sync"])
        })?;
        self.note(CONNECTED, &[done])?;
        self.sync(machine)
    }

    /// One sitting of a person, and one run of the program.
    fn turn(&mut self) -> io::Result<()> {
        let deed = self.person.deed();
        let side = self.chance.below(2);
        let machine = self.machines[side].clone();
        if deed == Deed::Undo {
            // What an undo takes away is not what somebody left standing.
            std::fs::write(self.area.join(STANDING), "")?;
            self.judged(&machine, &["undo"], |machine| machine.run(["undo", "--yes", "--no-pager"]))?;
        } else {
            self.sit(side, deed)?;
            if self.chance.percent(40) {
                self.sit(1 - side, deed)?;
                self.sync(&self.machines[1 - side].clone())?;
            }
        }
        self.sync(&machine)?;
        std::thread::sleep(Duration::from_millis(self.chance.number() % 200));
        Ok(())
    }

    /// Edits a folder. Most people's programs make sure of what they write; some don't, and then only what was sent
    /// counts.
    fn sit(&mut self, side: usize, deed: Deed) -> io::Result<()> {
        self.say(&Step::Editing)?;
        let folder = self.machines[side].folder();
        let before = disk::read(folder)?;
        let after = self.person.edit(&before, deed);
        let standing: Vec<String> = self.standing()?.into_iter().collect();
        let left = standing.into_iter().filter(|path| after.body(path.as_bytes()).is_some());
        let left: String = left.flat_map(|path| [path, "\n".to_owned()]).collect();
        std::fs::write(self.area.join(STANDING), left)?;
        disk::change(&before, &after, folder, Times::USUAL)?;
        if self.chance.percent(60) {
            rustix::fs::syncfs(&self.disk)?;
            self.note(KEPT, &lines(&after))?;
        }
        Ok(())
    }

    /// Syncs; what it found is in step then, and must be there for ever.
    fn sync(&self, machine: &Machine) -> io::Result<()> {
        let seen = disk::read(machine.folder())?;
        let output =
            self.judged(machine, &["sync"], |machine| machine.run(["sync", "--strategy", "both"]))?;
        if output.code == 0 {
            self.note(KEPT, &lines(&seen))?;
            // What the other one has moved or deleted, or not yet received, is still on its way.
            let [left, right] =
                [disk::read(self.machines[0].folder())?, disk::read(self.machines[1].folder())?];
            let both = left.contents().filter(|(path, _)| right.body(path).is_some());
            let paths = both.map(|(path, _)| String::from_utf8_lossy(path).into_owned());
            self.note(STANDING, &paths.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn judged(
        &self,
        machine: &Machine,
        words: &[&str],
        run: impl Fn(&Machine) -> Output,
    ) -> io::Result<Output> {
        self.say(&Step::Running(format!("{} on {}", words.join(" "), machine.name())))?;
        let mut output = run(machine);
        if output.code == 6 && output.mentions("E-GUARD-") {
            output = machine.run(["sync", "--strategy", "both", "--allow", "delete"]);
        }
        self.say(&Step::Idle)?;
        // 1: nothing left to undo.
        let fine = matches!(output.code, 0 | 3 | 4) || words[0] == "undo";
        if fine { Ok(output) } else { Err(io::Error::other(format!("{words:?}: {output}"))) }
    }

    fn standing(&self) -> io::Result<BTreeSet<String>> {
        Ok(read_text(&self.area.join(STANDING))?.lines().map(str::to_owned).collect())
    }
}

fn lines(drawing: &Drawing) -> Vec<String> {
    let line = |(path, content): (&[u8], &[u8])| {
        format!("{} {}", ContentId::of(content), String::from_utf8_lossy(path))
    };
    drawing.contents().map(line).collect()
}

/// Turns the machine off, as a person does.
pub fn turn_off() {
    _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
}

/// Where the boot script of the host mounts what.
pub fn places(area: &Path) -> Places {
    let below = |name: &str| Path::new(std::ffi::OsStr::from_bytes(b"/mnt")).join(name);
    Places { area: area.to_owned(), machines: below("machines"), remote: below("remote") }
}
