//! One process at a time works on a workspace.
//!
//! The system gives the lock back when a process ends, however it ends: there is no stale lock to remove.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use instep_core::mutant;
use instep_core::path::Name;

use crate::failure::EngineError;
use crate::folder::disk::DiskFolder;
use crate::folder::{Folder, FolderError};

/// How long to sleep between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// How many bytes the process id takes in the file.
const SIGNATURE_BYTES: usize = 10;

/// The right to work on a workspace, until it is dropped.
#[derive(Debug)]
pub struct WorkspaceLock(#[expect(dead_code, reason = "it is held, not used")] File);

/// Takes the lock of a workspace. If another process has it, says so once through `waiting`, with its process id where
/// that is known, and waits as long as `patience`.
pub fn take(
    folder: &DiskFolder,
    patience: Duration,
    waiting: impl FnOnce(Option<u32>),
) -> Result<WorkspaceLock, EngineError> {
    let until = Instant::now() + patience;
    let mut waiting = Some(waiting);
    loop {
        let mut file = folder.lock_file(&name())?;
        match if mutant::is_on("lock-not-taken") { Ok(()) } else { file.try_lock() } {
            Ok(()) if is_still_there(folder, &file)? => {
                sign(&mut file).map_err(|error| FolderError::new("write", b".instep/lock", error))?;
                return Ok(WorkspaceLock(file));
            }
            Ok(()) => continue,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(FolderError::new("lock", b".instep/lock", error).into());
            }
        }
        let holder = holder(&mut file);
        if Instant::now() >= until {
            return Err(EngineError::Locked { holder });
        }
        if let Some(waiting) = waiting.take() {
            waiting(holder);
        }
        std::thread::sleep(PAUSE.min(until.saturating_duration_since(Instant::now())));
    }
}

/// A lock on a file that was removed keeps nobody out.
fn is_still_there(folder: &DiskFolder, file: &File) -> Result<bool, EngineError> {
    let inode = file.metadata().map_err(|error| FolderError::new("look at", b".instep/lock", error))?.ino();
    Ok(folder.metadata(&folder.state(), &name())?.is_some_and(|named| named.key.inode == inode))
}

/// Written over what stands there, at one length: a disk takes care to make a file durable that was emptied and written
/// anew, which nobody needs here.
fn sign(file: &mut File) -> std::io::Result<()> {
    let signature = format!("{:<SIGNATURE_BYTES$}\n", std::process::id());
    file.rewind()?;
    file.write_all(signature.as_bytes())?;
    let length = signature.len() as u64;
    if file.metadata()?.len() != length { file.set_len(length) } else { Ok(()) }
}

/// The process that wrote its id; it may be just about to.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn name() -> Name {
    Name::new(b"lock").expect("because it is a name")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;

    #[test]
    fn the_second_waits_says_for_whom_and_gives_up() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        let told = Cell::new(None);
        let lock = take(&folder, Duration::ZERO, |_| unreachable!()).unwrap();
        let second = take(&folder, Duration::from_millis(60), |holder| told.set(holder));
        let me = Some(std::process::id());
        assert!(matches!(second, Err(EngineError::Locked { holder }) if holder == me));
        assert_eq!(told.get(), me);
        drop(lock);
        take(&folder, Duration::ZERO, |_| unreachable!()).unwrap();
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        let lock = take(&folder, Duration::ZERO, |_| {}).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| take(&folder, Duration::from_secs(30), |_| {}).is_ok());
            drop(lock);
            assert!(second.join().unwrap());
        });
    }

    #[test]
    fn a_lock_whose_file_was_removed_is_taken_anew() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        drop(take(&folder, Duration::ZERO, |_| {}).unwrap());
        let file = folder.lock_file(&name()).unwrap();
        fs::remove_file(home.path().join(".instep/lock")).unwrap();
        assert!(!is_still_there(&folder, &file).unwrap());
        let lock = take(&folder, Duration::ZERO, |_| {}).unwrap();
        assert!(matches!(take(&folder, Duration::ZERO, |_| {}), Err(EngineError::Locked { .. })));
        drop(lock);
    }
}
