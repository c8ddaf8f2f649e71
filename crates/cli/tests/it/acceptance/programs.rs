//! Scenarios that no drawing holds: seeded random edits on two or three machines, and a sparse file.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use instep_core::generate::Random;
use instep_testkit::drawing::disk::{self, Times};
use instep_testkit::drawing::{Body, Drawing};
use instep_testkit::ledger::Ledger;
use instep_testkit::machine::{Machine, Pair};

use super::row::Row;
use super::world::lose_state;
use crate::reports;

const SEEDS: u64 = 2;
const ROUNDS: usize = 3;
const ROUNDS_TO_REST_MAX: usize = 8;

/// A scenario as a program.
pub enum Program {
    /// Random edits.
    Random(Edits),
    /// A file that is mostly a hole, of so many MiB.
    Sparse(u64),
}

/// Which random edits, and where.
pub struct Edits {
    machines: usize,
    acting: usize,
    switches: bool,
    loses_state: bool,
}

/// The program of a row, if it is one.
pub fn of(row: &Row) -> Option<Program> {
    let sides = [&row.local, &row.remote];
    if sides.iter().any(|side| side.contains("GiB zeros")) {
        return Some(Program::Sparse(64));
    }
    let acting = sides.iter().filter(|side| side.starts_with("random")).count();
    let edits = Edits {
        machines: if row.what.contains("three nodes") { 3 } else { 2 },
        acting,
        switches: sides.iter().any(|side| side.contains("type switch") || *side == "random"),
        loses_state: row.what.contains("state DB dropped"),
    };
    (acting > 0).then_some(Program::Random(edits))
}

impl Program {
    /// Runs it; answers how many worlds it made.
    pub fn run(&self, program: &Path) -> Result<usize, String> {
        match self {
            Program::Sparse(mebibytes) => sparse(program, *mebibytes).map(|()| 1),
            Program::Random(edits) => {
                for seed in 0..SEEDS {
                    edits.run(program, seed).map_err(|why| format!("[seed {seed}] {why}"))?;
                }
                Ok(SEEDS as usize)
            }
        }
    }
}

impl Edits {
    fn run(&self, program: &Path, seed: u64) -> Result<(), String> {
        let pair = Pair::new(program);
        let mut machines = vec![pair.left.clone(), pair.right.clone()];
        if self.machines == 3 {
            machines.push(pair.third());
        }
        let (mut chance, mut ledger) = (Random::new(seed), Ledger::new());
        let mut drawing = Drawing::default();
        for _ in 0..100 {
            add_file(&mut drawing, &mut chance);
        }
        disk::build(&drawing, pair.left.folder(), Times::BASE).map_err(text)?;
        ledger.record_drawing("first", &drawing);
        for machine in &machines {
            let output = machine.connect(&pair.bare);
            if output.code != 0 {
                return Err(format!("init on {}: {output}", machine.name()));
            }
        }
        for round in 0..ROUNDS {
            for machine in &machines[..self.acting] {
                let before = disk::read(machine.folder()).map_err(text)?;
                let after = self.edited(&before, &mut chance);
                ledger.record_drawing(&format!("round {round} on {}", machine.name()), &after);
                disk::change(&before, &after, machine.folder(), Times::USUAL).map_err(text)?;
            }
            if self.loses_state {
                lose_state(machines[chance.below(machines.len())].folder())?;
            }
            self.rest(&machines, &pair)?;
            let all: Vec<_> = machines.iter().collect();
            let missing = ledger.missing(&all, &pair.bare).map_err(text)?;
            if !missing.is_empty() {
                return Err(format!("lost in round {round}: {}", missing.join(", ")));
            }
        }
        Ok(())
    }

    /// Syncs all until nothing changes; then all must hold the same, but for what is in conflict.
    fn rest(&self, machines: &[Machine], pair: &Pair) -> Result<(), String> {
        let look = || -> Result<_, String> {
            let prints = machines.iter().map(|machine| disk::footprint(machine.folder()).map_err(text));
            Ok((prints.collect::<Result<Vec<_>, _>>()?, pair.bare.refs()))
        };
        let mut before = look()?;
        for _ in 0..ROUNDS_TO_REST_MAX {
            for machine in machines {
                let mut output = machine.run(["sync", "--strategy", "both"]);
                if self.loses_state && matches!(output.code, 6 | 10) {
                    output = machine.init(&pair.bare, &["--no-sync"]);
                }
                if !matches!(output.code, 0 | 4) {
                    return Err(format!("sync on {}: {output}", machine.name()));
                }
            }
            let after = look()?;
            if after == before {
                return self.agree(machines);
            }
            before = after;
        }
        Err("still not at rest".to_owned())
    }

    fn agree(&self, machines: &[Machine]) -> Result<(), String> {
        let mut open = Vec::new();
        for machine in machines {
            open.extend(reports::conflicts(machine)?.into_iter().filter(|conflict| !conflict.settled));
        }
        if !open.is_empty() && self.acting == 1 {
            return Err(format!("{} conflicts, though only one machine was edited", open.len()));
        }
        let first = disk::read(machines[0].folder()).map_err(text)?;
        for other in &machines[1..] {
            let tree = disk::read(other.folder()).map_err(text)?;
            if open.is_empty() && tree != first {
                return Err(format!("{} and {} differ", machines[0].name(), other.name()));
            }
        }
        Ok(())
    }

    fn edited(&self, tree: &Drawing, chance: &mut Random) -> Drawing {
        let mut edited = tree.clone();
        for (path, drawn) in &tree.0 {
            let is_file = matches!(drawn.body, Body::File { .. });
            match chance.below(10) {
                0 if is_file => _ = edited.remove(path),
                1 if is_file && edited.0.contains_key(path) => {
                    edited.put(path, Body::File { content: chance.bytes(1024), exec: false });
                }
                2 if is_file && chance.percent(30) && edited.0.contains_key(path) => {
                    let upper = String::from_utf8_lossy(path).to_uppercase();
                    let name = upper.rsplit('/').next().unwrap_or_default().as_bytes().to_vec();
                    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                    let target = [&path[..start], &name[..]].concat();
                    if !edited.0.contains_key(&target) {
                        edited.rename(path, &target);
                    }
                }
                3 if self.switches && chance.percent(40) => switch(&mut edited, path, chance),
                _ => {}
            }
        }
        for _ in 0..25 {
            add_file(&mut edited, chance);
        }
        edited
    }
}

/// A file becomes a folder, a folder a file.
fn switch(tree: &mut Drawing, path: &[u8], chance: &mut Random) {
    let Some(body) = tree.body(path).cloned() else { return };
    tree.remove(path);
    let content = Body::File { content: chance.bytes(100), exec: false };
    match body {
        Body::Folder => tree.put(path, content),
        _ => tree.put(&[path, b"/inside"].concat(), content),
    }
}

fn add_file(tree: &mut Drawing, chance: &mut Random) {
    let path = format!("d{}/e{}/f{}", chance.below(5), chance.below(4), chance.below(100_000));
    let above = path.match_indices('/').map(|(at, _)| &path.as_bytes()[..at]);
    let free = above.into_iter().all(|folder| tree.body(folder).is_none_or(|body| *body == Body::Folder));
    if free && !tree.0.contains_key(path.as_bytes()) {
        tree.put(path.as_bytes(), Body::File { content: chance.bytes(300), exec: false });
    }
}

/// A hole costs next to nothing on its way, and arrives in full.
fn sparse(program: &Path, mebibytes: u64) -> Result<(), String> {
    const MIB: u64 = 1 << 20;
    let pair = Pair::new(program);
    let data = Random::new(1).bytes(MIB as usize);
    let mut file = File::create(pair.left.folder().join("z")).map_err(text)?;
    file.seek(SeekFrom::Start(mebibytes * MIB)).and_then(|_| file.write_all(&data)).map_err(text)?;
    for machine in pair.machines() {
        let output = machine.connect(&pair.bare);
        if output.code != 0 {
            return Err(format!("init on {}: {output}", machine.name()));
        }
    }
    let same = fs::read(pair.right.folder().join("z")).map_err(text)?;
    if same.len() as u64 != (mebibytes + 1) * MIB || same[(mebibytes * MIB) as usize..] != data {
        return Err("the file did not arrive as it is".to_owned());
    }
    match size(pair.bare.path())? {
        bytes if bytes > 4 * MIB => Err(format!("{bytes} bytes travelled for 1 MiB of data")),
        _ => Ok(()),
    }
}

fn size(folder: &Path) -> Result<u64, String> {
    let mut total = 0;
    for entry in fs::read_dir(folder).map_err(text)? {
        let entry = entry.map_err(text)?;
        let metadata = entry.metadata().map_err(text)?;
        total += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}

fn text(error: std::io::Error) -> String {
    format!("the harness failed: {error}")
}
