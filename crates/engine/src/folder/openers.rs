//! Who has a file open: asked of the system (Linux: the open files of all processes, and the locks on the file).

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Flock, FlockType, fcntl_getlk};

/// A process other than this one that has a file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opener {
    /// Its number.
    pub process: u32,
    /// The name of its program.
    pub program: String,
}

/// Who has a file open, as far as could be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Openers {
    /// Those that were seen, in order of number.
    pub seen: Vec<Opener>,
    /// Somebody, seen or not, holds a lock on it.
    pub locked: bool,
    /// There are processes whose files could not be looked at.
    pub unsure: bool,
}

/// Looks for all who have an open file open.
pub fn openers(file: impl AsFd) -> std::io::Result<Openers> {
    let stat = rustix::fs::fstat(&file)?;
    let mut openers = Openers { locked: is_locked(&file), ..Openers::default() };
    let Ok(processes) = fs::read_dir("/proc") else {
        return Ok(Openers { unsure: true, ..openers });
    };
    // Where processes of others are hidden, only root knows that it saw all.
    openers.unsure = !rustix::process::geteuid().is_root();
    for entry in processes.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if process == std::process::id() {
            continue;
        }
        match has_open(&entry.path().join("fd"), (stat.st_dev, stat.st_ino)) {
            Ok(true) => {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                openers.seen.push(Opener { process, program: name.trim().to_owned() });
            }
            Ok(false) => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => openers.unsure = true,
            // It came to its end meanwhile.
            Err(_) => {}
        }
    }
    openers.seen.sort_by_key(|opener| opener.process);
    Ok(openers)
}

/// Answers whether one of these open files is the one with this device and number.
fn has_open(files: &Path, file: (u64, u64)) -> std::io::Result<bool> {
    for entry in fs::read_dir(files)?.flatten() {
        // What is no file of a file system has no path; it is not worth the look.
        let is_file = fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str().as_bytes().starts_with(b"/"));
        let is_same = |stat: fs::Metadata| (stat.dev(), stat.ino()) == file;
        if is_file && fs::metadata(entry.path()).is_ok_and(is_same) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Answers whether somebody else would keep us from writing to any byte of it.
fn is_locked(file: impl AsFd) -> bool {
    fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).is_ok_and(|lock| lock.is_some())
}
