//! Small files of ours, read and written whole: in the state folder of a workspace through the door, and in the
//! machine's own folder, which is no workspace.
//!
//! What is written is durable when the call returns, and is either all there or not there at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use instep_core::path::Name;

use super::{Folder, FolderError, FolderFailure};

/// How long such a file may be. A longer one is not ours.
pub const BYTES_MAX: u64 = 16 << 20;

/// Reads a file of our state folder; `None` if there is none.
pub fn read_whole<F: Folder>(folder: &F, dir: &F::Dir, name: &Name) -> Result<Option<Vec<u8>>, FolderError> {
    let file = match folder.open(dir, name) {
        Ok(file) => file,
        Err(error) if error.failure() == FolderFailure::Missing => return Ok(None),
        Err(error) => return Err(error),
    };
    read_limited(file).map(Some).map_err(|error| FolderError::new("read", name.as_bytes(), error))
}

/// Writes a file of our state folder, in place of an older one.
pub fn write_whole<F: Folder>(
    folder: &F,
    dir: &F::Dir,
    name: &Name,
    bytes: &[u8],
) -> Result<(), FolderError> {
    let staged = [name.as_bytes(), b".new"].concat();
    let staged = Name::new(&staged).expect("because a name with an ending is a name");
    match folder.remove_file(dir, &staged) {
        Err(error) if error.failure() != FolderFailure::Missing => return Err(error),
        _ => {}
    }
    let mut file = folder.create(dir, &staged)?;
    file.write_all(bytes).map_err(|error| FolderError::new("write", staged.as_bytes(), error))?;
    file.finish(true)?;
    folder.replace((dir, &staged), (dir, name))?;
    folder.sync_folder(dir)
}

/// Reads a file of the machine's own folder; `None` if there is none.
pub fn read_own(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    let read = File::open(path).and_then(read_limited);
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Writes a file of the machine's own folder, readable for its owner alone, in place of an older one. Two that write at
/// once must be kept apart by the caller.
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let staged = path.with_added_extension("new");
    let write = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&staged, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| failed("write", path, error))
}

/// Opens or makes an empty file of the machine's own folder, for locks; makes the folder too.
pub fn open_own(path: &Path) -> Result<File, FolderError> {
    let open = || {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    open().map_err(|error| failed("open", path, error))
}

fn read_limited(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is far longer than any file of ours"));
    }
    Ok(bytes)
}

fn failed(verb: &'static str, path: &Path, error: io::Error) -> FolderError {
    FolderError::new(verb, path.as_os_str().as_bytes(), error)
}
