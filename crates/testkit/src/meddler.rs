//! Somebody who meddles while a run is under way: saves files in the ways that programs save them, or swaps a folder for a
//! link that leads outside. All of it happens between two system calls of the run, so that no moment is left out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use instep_core::generate::Random;

use crate::drawing::disk;
use crate::drawing::{Body, Drawing};

/// How a file is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Save {
    /// It is opened, written over and cut.
    InPlace,
    /// It is cut first, and written some calls later.
    Cut,
    /// A new file is renamed over it.
    RenameOver,
    /// More is written at its end.
    Append,
    /// More is written at its end through a file that was opened before the run.
    AppendOpened,
}

const SAVES: [Save; 5] = [Save::InPlace, Save::Cut, Save::RenameOver, Save::Append, Save::AppendOpened];

/// Somebody who saves, once or twice.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    chance: Random,
    number: u64,
    save: Save,
    opened: Vec<(PathBuf, File)>,
    last: Option<usize>,
    /// A file that was cut, and what is still to be written.
    cut: Option<(File, Vec<u8>)>,
    /// What was saved, and whether it must stand in the folder afterwards: what went into a file that was opened before
    /// may have been displaced with it.
    pub saved: Vec<(Vec<u8>, bool)>,
    /// What they wrote over, and destroyed.
    pub destroyed: Vec<Vec<u8>>,
    /// What was done, for people.
    pub done: Vec<String>,
}

impl Writer {
    /// Looks at a folder before the run; the seed decides what is saved and how.
    pub fn new(folder: &Path, seed: u64) -> io::Result<Self> {
        let mut chance = Random::new(seed);
        let save = SAVES[chance.below(SAVES.len())];
        let mut opened = Vec::new();
        if save == Save::AppendOpened {
            for path in files(folder)? {
                opened.push((path.clone(), OpenOptions::new().append(true).open(path)?));
            }
        }
        let folder = folder.to_owned();
        Ok(Writer {
            folder,
            chance,
            number: seed,
            save,
            opened,
            last: None,
            cut: None,
            saved: vec![],
            destroyed: vec![],
            done: vec![],
        })
    }

    /// Saves some file.
    pub fn save(&mut self) -> io::Result<()> {
        self.finish()?;
        let files = match self.save {
            Save::AppendOpened => self.opened.iter().map(|(path, _)| path.clone()).collect(),
            _ => files(&self.folder)?,
        };
        if files.is_empty() {
            return Ok(());
        }
        self.number += 1;
        // Often the same file once more.
        let at = match self.last {
            Some(last) if last < files.len() && self.chance.percent(60) => last,
            _ => self.chance.below(files.len()),
        };
        self.last = Some(at);
        let path = &files[at];
        let fresh = format!("#save\nsaved {} as {:?}\n", self.number, self.save).into_bytes();
        self.done.push(format!(
            "{:?} of {}",
            self.save,
            path.strip_prefix(&self.folder).unwrap_or(path).display()
        ));
        if let Ok(before) = fs::read(path) {
            self.destroyed.push(before);
        }
        match self.save {
            Save::InPlace => {
                let mut file = OpenOptions::new().write(true).open(path)?;
                file.write_all(&fresh)?;
                file.set_len(fresh.len() as u64)?;
                self.saved.push((fresh, true));
            }
            Save::Cut => {
                let file = OpenOptions::new().write(true).truncate(true).open(path)?;
                self.cut = Some((file, fresh));
            }
            Save::RenameOver => {
                let beside = self.folder.with_extension("beside");
                fs::write(&beside, &fresh)?;
                fs::rename(&beside, path)?;
                self.saved.push((fresh, true));
            }
            Save::Append => {
                let before = fs::read(path)?;
                OpenOptions::new().append(true).open(path)?.write_all(&fresh)?;
                self.saved.push(([before, fresh].concat(), true));
            }
            Save::AppendOpened => {
                use std::os::unix::fs::FileExt;
                let file = &mut self.opened[at].1;
                let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file));
                let reader = File::open(path)?;
                let mut before = vec![0; reader.metadata()?.len() as usize];
                reader.read_exact_at(&mut before, 0)?;
                self.destroyed.push(before.clone());
                file.write_all(&fresh)?;
                self.saved.push(([before, fresh].concat(), false));
            }
        }
        Ok(())
    }

    /// Writes what a file that was cut is still to get.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some((mut file, content)) = self.cut.take() {
            file.write_all(&content)?;
            // The file may have been displaced since it was opened.
            self.saved.push((content, false));
        }
        Ok(())
    }
}

/// All files of a folder but ours, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let drawing: Drawing = disk::read(folder)?;
    let is_file = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.is_file());
    Ok(drawing.0.keys().map(|path| disk::on_disk(folder, path)).filter(is_file).collect())
}

/// Somebody who swaps folders of a workspace for links to a folder outside.
#[derive(Debug)]
pub struct Flipper {
    folder: PathBuf,
    beside: PathBuf,
    outside: PathBuf,
    witness: String,
    flipped: Option<PathBuf>,
    chance: Random,
}

impl Flipper {
    /// Makes the folder outside, with files of the same names as those inside.
    pub fn new(folder: &Path, seed: u64) -> io::Result<Self> {
        let outside = folder.with_extension("outside");
        _ = fs::remove_dir_all(&outside);
        fs::create_dir_all(&outside)?;
        let inside = disk::read(folder)?;
        for (path, drawn) in &inside.0 {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if drawn.body != Body::Folder {
                fs::write(disk::on_disk(&outside, name), "a witness")?;
            }
        }
        let beside = folder.with_extension("flip");
        _ = fs::remove_file(&beside);
        symlink(&outside, &beside)?;
        let witness = look(&outside)?;
        Ok(Flipper {
            folder: folder.to_owned(),
            beside,
            outside,
            witness,
            flipped: None,
            chance: Random::new(seed),
        })
    }

    /// Swaps some folder and the link.
    pub fn flip(&mut self) {
        // Those that stand there now: a run may have made them.
        let inside = disk::read(&self.folder).unwrap_or_default();
        let folders = inside.0.iter().filter(|(_, drawn)| drawn.body == Body::Folder);
        let folders: Vec<_> = folders.map(|(path, _)| disk::on_disk(&self.folder, path)).collect();
        if self.flipped.is_none() && !folders.is_empty() {
            let folder = folders[self.chance.below(folders.len())].clone();
            if folder.symlink_metadata().is_ok_and(|found| found.is_dir()) && self.exchange(&folder) {
                self.flipped = Some(folder);
            }
        }
    }

    /// Swaps them back.
    pub fn flip_back(&mut self) -> Result<(), String> {
        let Some(folder) = self.flipped.take() else { return Ok(()) };
        // The run may have moved what the link stands in.
        let link = self.link().map_err(|error| error.to_string())?.unwrap_or(folder);
        if self.exchange(&link) { Ok(()) } else { Err(format!("{} can't be put back", link.display())) }
    }

    /// Where the link that leads outside stands now.
    fn link(&self) -> io::Result<Option<PathBuf>> {
        let target = self.outside.as_os_str().as_encoded_bytes();
        let drawing = disk::read(&self.folder)?;
        let mut links =
            drawing.0.iter().filter(|(_, drawn)| matches!(&drawn.body, Body::Link(to) if to == target));
        Ok(links.next().map(|(path, _)| disk::on_disk(&self.folder, path)))
    }

    fn exchange(&self, folder: &Path) -> bool {
        renameat_with(CWD, folder, CWD, &self.beside, RenameFlags::EXCHANGE).is_ok()
    }

    /// Says what became of the folder outside, if anything did.
    pub fn harm(&self) -> Result<(), String> {
        let now = look(&self.outside).map_err(|error| error.to_string())?;
        if now == self.witness {
            return Ok(());
        }
        Err(format!("the folder outside was {} and is {now}", self.witness))
    }
}

/// What a folder holds, with inodes, times and modes.
fn look(folder: &Path) -> io::Result<String> {
    Ok(format!("{} {:?}", disk::read(folder)?, disk::footprint(folder)?))
}
