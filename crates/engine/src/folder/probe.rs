//! What a disk can do: tried with files of ours, in our state folder, and written down there.
//!
//! A file system lies about some of it and says nothing of the rest, so everything is tried once. It is tried again
//! when the workspace turns up on another file system.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use instep_core::policy::Fold;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::system::{self, Device, Opener};
use super::{Abilities, FolderError};

/// Where the findings are written down.
const FINDINGS: &str = "disk.json";
/// Where it is tried.
const PLACE: &str = "probe";
/// What every file system in use can hold, if it isn't told otherwise.
const NAME_BYTES_MAX: usize = 255;

#[derive(Serialize, Deserialize)]
struct Findings {
    /// In text, since readers of JSON round large numbers.
    filesystem: String,
    exchange: bool,
    no_replace: bool,
    links: bool,
    exec: bool,
    fold_case: bool,
    fold_unicode: bool,
    name_bytes_max: usize,
}

/// Answers what was found before, or else tries.
pub fn recall(state: &OwnedFd, opener: Opener, device: Device) -> Result<Abilities, FolderError> {
    let filesystem = format!("{:016x}", device.number());
    if let Some(found) = read(state, opener).filter(|found| found.filesystem == filesystem) {
        return Ok(found.into());
    }
    let abilities = probe(state, opener).map_err(|e| FolderError::new("probe", b".instep", e))?;
    write(state, opener, &Findings::new(filesystem, abilities))?;
    Ok(abilities)
}

impl Findings {
    fn new(filesystem: String, found: Abilities) -> Self {
        Findings {
            filesystem,
            exchange: found.exchange,
            no_replace: found.no_replace,
            links: found.links,
            exec: found.exec,
            fold_case: found.fold.case,
            fold_unicode: found.fold.unicode,
            name_bytes_max: found.name_bytes_max,
        }
    }
}

impl From<Findings> for Abilities {
    fn from(found: Findings) -> Self {
        Abilities {
            exchange: found.exchange,
            no_replace: found.no_replace,
            links: found.links,
            exec: found.exec,
            fold: Fold { case: found.fold_case, unicode: found.fold_unicode },
            name_bytes_max: found.name_bytes_max,
        }
    }
}

/// A file that can't be read or understood is as good as none.
fn read(state: &OwnedFd, opener: Opener) -> Option<Findings> {
    let fd = opener.open(state, FINDINGS.as_bytes(), system::FILE, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(fd).take(4096).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Not durable on purpose: what is lost is tried again.
fn write(state: &OwnedFd, opener: Opener, found: &Findings) -> Result<(), FolderError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
    let text = serde_json::to_vec(found).expect("because plain fields always become JSON");
    opener
        .open(state, FINDINGS.as_bytes(), flags, Mode::from_raw_mode(0o600))
        .map_err(std::io::Error::from)
        .and_then(|fd| File::from(fd).write_all(&text))
        .map_err(|e| FolderError::new("write", b".instep/disk.json", e))
}

fn probe(state: &OwnedFd, opener: Opener) -> rustix::io::Result<Abilities> {
    match rustix::fs::mkdirat(state, PLACE, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(e),
    }
    let folder = opener.open(state, PLACE.as_bytes(), system::FOLDER, Mode::empty())?;
    let bench = Bench { folder, opener };
    bench.clear()?;
    let abilities = Abilities {
        exchange: bench.exchanges()?,
        no_replace: bench.refuses_taken()?,
        links: bench.links(),
        exec: bench.keeps_exec()?,
        fold: Fold { case: bench.folds("case", "CASE")?, unicode: bench.folds("\u{e9}", "e\u{301}")? },
        name_bytes_max: bench.longest_name(),
    };
    bench.clear()?;
    // Only tidiness: a leftover folder of ours harms nobody.
    let _ = rustix::fs::unlinkat(state, PLACE, AtFlags::REMOVEDIR);
    Ok(abilities)
}

/// An empty folder to try things in.
struct Bench {
    folder: OwnedFd,
    opener: Opener,
}

impl Bench {
    fn clear(&self) -> rustix::io::Result<()> {
        system::rewind(&self.folder)?;
        for name in system::list(&self.folder)?.names {
            rustix::fs::unlinkat(&self.folder, name.as_bytes(), AtFlags::empty())?;
        }
        Ok(())
    }

    fn make(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        self.opener.open(&self.folder, name.as_bytes(), flags, Mode::from_raw_mode(0o600))
    }

    fn inode(&self, name: &str) -> rustix::io::Result<u64> {
        Ok(rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino)
    }

    fn exchanges(&self) -> rustix::io::Result<bool> {
        let (_one, _other) = (self.make("one")?, self.make("other")?);
        let before = (self.inode("one")?, self.inode("other")?);
        let tried =
            rustix::fs::renameat_with(&self.folder, "one", &self.folder, "other", RenameFlags::EXCHANGE);
        Ok(tried.is_ok() && before == (self.inode("other")?, self.inode("one")?))
    }

    fn refuses_taken(&self) -> rustix::io::Result<bool> {
        let (_from, _taken) = (self.make("from")?, self.make("taken")?);
        let place = |to: &str| {
            rustix::fs::renameat_with(&self.folder, "from", &self.folder, to, RenameFlags::NOREPLACE)
        };
        Ok(place("taken") == Err(Errno::EXIST) && place("free").is_ok())
    }

    fn links(&self) -> bool {
        rustix::fs::symlinkat("target", &self.folder, "link").is_ok()
            && rustix::fs::readlinkat(&self.folder, "link", Vec::new())
                .is_ok_and(|target| target.as_bytes() == b"target")
    }

    fn keeps_exec(&self) -> rustix::io::Result<bool> {
        let file = self.make("exec")?;
        let kept = |mode: u32| {
            let set = rustix::fs::fchmod(&file, Mode::from_raw_mode(mode));
            set.is_ok() && rustix::fs::fstat(&file).is_ok_and(|stat| stat.st_mode & 0o777 == mode)
        };
        Ok(kept(0o700) && kept(0o600))
    }

    /// The other name was not made: it is there only if it means the same file. Some disks number each spelling. A disk
    /// that can't hold the name at all takes nothing for the same.
    fn folds(&self, name: &str, other: &str) -> rustix::io::Result<bool> {
        match self.make(name) {
            Ok(_file) => Ok(self.inode(other).is_ok()),
            Err(Errno::PERM | Errno::INVAL | Errno::ILSEQ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn longest_name(&self) -> usize {
        if self.make(&"n".repeat(NAME_BYTES_MAX)).is_ok() {
            return NAME_BYTES_MAX;
        }
        let said = rustix::fs::fstatvfs(&self.folder).map_or(0, |stat| stat.f_namemax as usize);
        (1..=said.min(NAME_BYTES_MAX))
            .rev()
            .find(|&length| self.make(&"n".repeat(length)).is_ok())
            .unwrap_or(said)
    }
}
