//! Copies of contents in a folder of their own, for an editor, a merge program or one that shows differences; gone when the work is done.

use std::path::PathBuf;

use instep_core::clock::Clock;

use crate::clock::SystemClock;
use crate::failure::CommandError;

/// A folder with copies.
#[derive(Debug)]
pub struct Desk {
    folder: PathBuf,
    name: String,
}

impl Desk {
    /// Makes the folder for copies of the file at a path, as it is shown; readable by its owner alone, and puts the copies in it. Each keeps the ending of the file, so that
    /// programs know its kind.
    pub fn lay_out(path: &str, copies: &[(&str, &Vec<u8>)]) -> Result<Self, CommandError> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = std::env::temp_dir().join(format!("instep-{:016x}", SystemClock.random()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| CommandError::file("make", &folder, &error))?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let desk = Desk { folder, name: name.replace('\\', "_") };
        for (role, bytes) in copies {
            let path = desk.path(role);
            std::fs::write(&path, bytes).map_err(|error| CommandError::file("write", &path, &error))?;
        }
        Ok(desk)
    }

    /// Where the copy of that role stands.
    pub fn path(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{}.{}", role.to_lowercase(), self.name))
    }

    /// Reads a copy back.
    pub fn read(&self, role: &str) -> Result<Vec<u8>, CommandError> {
        let path = self.path(role);
        std::fs::read(&path).map_err(|error| CommandError::file("read", &path, &error))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
