//! Writes versions into a folder outside the workspace: only what is not there yet is made, and nothing is replaced.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use instep_core::content::ContentId;
use instep_core::operation::HeldKind;
use instep_core::progress::Observer;
use instep_core::remote::Remote;
use instep_engine::history::export::{self, Exported};

use crate::failure::CommandError;
use crate::opening::Opened;
use crate::place::on_disk;

/// What became of one entry.
pub enum Fate {
    /// It was made.
    Made,
    /// A folder that was there already.
    There,
    /// It was left out, for this reason and with this code.
    Left(&'static str, String),
}

/// A folder that versions are written to.
pub struct Export<'a> {
    /// The folder.
    pub to: &'a Path,
    /// Where the versions are known.
    pub opened: &'a Opened,
    /// Where older contents may be found.
    pub remotes: &'a [Box<dyn Remote>],
    /// Who is told of progress.
    pub observer: &'a dyn Observer,
}

impl Export<'_> {
    /// Writes one entry.
    pub fn write(&self, one: &Exported) -> Result<Fate, CommandError> {
        let target = on_disk(self.to, &one.target);
        if let Some(above) = target.parent() {
            if let Some(other) = self.no_folder(above) {
                return Ok(Fate::Left("E-EXISTS", other));
            }
            let _ = fs::create_dir_all(above);
        }
        let made = match (one.held.kind, one.held.content) {
            (HeldKind::Folder, _) => match fs::create_dir(&target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(&target) => {
                    return Ok(Fate::There);
                }
                made => made.map(|()| true),
            },
            (_, None) => Ok(false),
            (HeldKind::Link, Some(content)) => self.link(&target, content)?,
            (HeldKind::File, Some(content)) => self.file(&target, content, one)?,
        };
        Ok(match made {
            Ok(true) => Fate::Made,
            Ok(false) => Fate::Left("E-NOT-FOUND", "that version is not kept any more".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Fate::Left("E-EXISTS", "something stands there already".to_owned())
            }
            Err(error) => Fate::Left("E-IO", error.to_string()),
        })
    }

    /// Says which folder on the way is something else: a link would lead out of the export.
    fn no_folder(&self, above: &Path) -> Option<String> {
        let below = above.strip_prefix(self.to).ok()?;
        let mut path = self.to.to_path_buf();
        for part in below.components() {
            path.push(part);
            if path.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                return Some(format!("{} is no folder", crate::place::shown(&path)));
            }
        }
        None
    }

    fn file(
        &self,
        target: &Path,
        content: ContentId,
        one: &Exported,
    ) -> Result<io::Result<bool>, CommandError> {
        let mode = if one.held.exec { 0o777 } else { 0o666 };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(target);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        let whole = match self.copy(content, &mut file) {
            Ok(true) => Ok(true),
            // What was neither displaced nor sent may still stand in its place.
            Ok(false) => self.copy_from_disk(&mut file, content, one),
            Err(error) => {
                let _ = fs::remove_file(target);
                return Err(error);
            }
        };
        let whole = whole.and_then(|whole| file.sync_all().map(|()| whole));
        if !matches!(whole, Ok(true)) {
            // Ours: it was made a moment ago, and is not whole.
            let _ = fs::remove_file(target);
        }
        Ok(whole)
    }

    /// Copies from the history, or from the first remote that has it.
    fn copy(&self, content: ContentId, out: &mut dyn io::Write) -> Result<bool, CommandError> {
        let workspace = &self.opened.workspace;
        if export::copy(workspace, None, content, out, self.observer)? {
            return Ok(true);
        }
        for remote in self.remotes {
            if export::copy(workspace, Some(remote.as_ref()), content, out, self.observer)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn copy_from_disk(&self, file: &mut File, content: ContentId, one: &Exported) -> io::Result<bool> {
        let path: PathBuf = self.opened.on_disk(&one.path);
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Ok(false);
        }
        let bytes = fs::read(&path)?;
        if ContentId::of(&bytes) != content {
            return Ok(false);
        }
        file.set_len(0)?;
        io::Seek::rewind(file)?;
        io::Write::write_all(file, &bytes).map(|()| true)
    }

    fn link(&self, target: &Path, content: ContentId) -> Result<io::Result<bool>, CommandError> {
        let mut text = Vec::new();
        if !self.copy(content, &mut text)? {
            return Ok(Ok(false));
        }
        Ok(symlink(std::ffi::OsStr::from_bytes(&text), target).map(|()| true))
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}
