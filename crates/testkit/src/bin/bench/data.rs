//! The data of the bench, from a seed: many small files in nested folders, or one large file; and what changes in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use instep_core::generate::Random;

/// What a folder begins with.
#[derive(Debug, Clone, Copy)]
pub enum Files {
    /// So many small files.
    Many(usize),
    /// One file of so many MiB.
    Large(usize),
}

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    First,
    Large,
    Quiet,
    Edited,
    Renamed,
    Inserted,
}

impl Workload {
    /// For many small files, in order.
    pub const MANY: [Workload; 4] = [Workload::First, Workload::Quiet, Workload::Edited, Workload::Renamed];
    /// For one large file, in order.
    pub const LARGE: [Workload; 3] = [Workload::Large, Workload::Quiet, Workload::Inserted];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Workload::First => "first",
            Workload::Quiet => "quiet",
            Workload::Edited => "edited",
            Workload::Renamed => "renamed",
            Workload::Large => "large",
            Workload::Inserted => "inserted",
        }
    }
}

/// Fills an empty folder.
pub fn build(files: Files, folder: &Path, seed: u64) -> io::Result<()> {
    let mut chance = Random::new(seed);
    match files {
        Files::Many(count) => (0..count).try_for_each(|number| write_small(folder, number, &mut chance)),
        Files::Large(mebibytes) => {
            let mut file = File::create(folder.join("large.bin"))?;
            (0..mebibytes).try_for_each(|_| file.write_all(&chance.bytes(1 << 20)))
        }
    }
}

/// Changes the folder as a workload says, before it is measured.
pub fn change(workload: Workload, files: Files, folder: &Path, seed: u64) -> io::Result<()> {
    let mut chance = Random::new(!seed);
    match (workload, files) {
        (Workload::Edited, Files::Many(count)) => {
            (0..count).step_by(100).try_for_each(|number| write_small(folder, number, &mut chance))
        }
        (Workload::Renamed, _) => fs::rename(folder.join("part3"), folder.join("renamed")),
        (Workload::Inserted, _) => insert_byte(&folder.join("large.bin")),
        _ => Ok(()),
    }
}

/// Ten parts, each with a tenth of the files, thirty files a folder.
fn place(folder: &Path, number: usize) -> PathBuf {
    let (part, rest) = (number % 10, number / 10);
    let folder = folder.join(format!("part{part}/group{}/topic{}", rest / 900, rest / 30));
    folder.join(format!("note{number}.md"))
}

/// Text of words, about 2.3 KB, so that programs that compress can.
fn write_small(folder: &Path, number: usize, chance: &mut Random) -> io::Result<()> {
    let length = 1800 + chance.below(1000);
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        let word = chance.below(4000);
        text.push_str(&format!(
            "{:x}{}",
            word * 2_654_435_761 % 0xfff_ffff,
            if word.is_multiple_of(11) { '\n' } else { ' ' }
        ));
    }
    let path = place(folder, number);
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

fn insert_byte(path: &Path) -> io::Result<()> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    bytes.insert(bytes.len() / 10, b'!');
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(&bytes)
}
