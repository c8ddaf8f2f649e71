//! Settings files on disk: read whole and bounded, written whole or not at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use instep_core::config::SETTINGS_BYTES_MAX;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::failure::{CommandError, Exit};

/// Reads a file that may be missing. One byte more than allowed is read, so that the parser sees that it is too long.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, CommandError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::file("read", path, &error)),
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(not_a_file(path)),
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| CommandError::file("open", path, &error))?;
    file.take(SETTINGS_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::file("read", path, &error))?;
    Ok(Some(bytes))
}

/// Puts new text in the place of the old: elsewhere first, then by renaming, so that no reader sees half of it. In a
/// workspace that is our state folder, so that a run which is killed leaves nothing among a person's files.
pub fn write(path: &Path, text: &[u8]) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::file("write", path, &error);
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(not_a_file(path));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let state = folder.join(".instep");
    let ours = fs::symlink_metadata(&state).is_ok_and(|metadata| metadata.is_dir());
    let near = if ours { &state } else { folder };
    let start = format!(".{name}.local.");
    remove_leftovers(near, &start);
    // `.local.` in the name: it is never synced, should a cycle of another process see it.
    let beside = near.join(format!("{start}{}", std::process::id()));
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(text)?;
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    });
    let placed =
        written.and_then(|()| fs::rename(&beside, path)).and_then(|()| File::open(folder)?.sync_all());
    placed.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

/// Removes what runs that were killed left of texts that they were about to put in place.
fn remove_leftovers(folder: &Path, start: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let writer = name.to_str().and_then(|name| name.strip_prefix(start)?.parse::<i32>().ok());
        let Some(writer) = writer.and_then(Pid::from_raw) else { continue };
        // Another's process can't be asked, but lives.
        if test_kill_process(writer) == Err(Errno::SRCH) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn not_a_file(path: &Path) -> CommandError {
    CommandError::new(
        "E-CONF-FILE",
        Exit::Usage,
        "The settings must be an ordinary file, not a link or a folder.",
    )
    .at(instep_core::path::escape(path.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.yaml");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"version: 1\n").unwrap();
        write(&path, b"version: 1\nsync: {}\n").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"version: 1\nsync: {}\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_run_was_writing_does_not_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.yaml");
        // No process has a number as high as that.
        let (left, other) = (".instep.yaml.local.2147483646", ".instep.yaml.local.mine");
        fs::write(folder.path().join(left), "half").unwrap();
        fs::write(folder.path().join(other), "a person's").unwrap();
        write(&path, b"version: 1\n").unwrap();
        assert!(!folder.path().join(left).exists() && folder.path().join(other).exists());
        let state = folder.path().join(".instep");
        fs::create_dir(&state).unwrap();
        fs::write(state.join(left), "half").unwrap();
        write(&path, b"version: 1\nsync: {}\n").unwrap();
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
    }

    #[test]
    fn a_link_is_neither_read_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instep.yaml");
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(read(&path).unwrap_err().code, "E-CONF-FILE");
        assert_eq!(write(&path, b"x").unwrap_err().code, "E-CONF-FILE");
    }
}
