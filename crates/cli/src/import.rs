//! `init --from`: rules and settings of other programs, as far as ours can say the same. What can't be carried over is told
//! line by line, and never guessed.

mod filter;
mod settings;

use std::path::Path;

use crate::configuration::files;
use crate::failure::{CommandError, Exit};

/// What a file of another program comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Where the data lives.
    pub address: Option<String>,
    /// The branch there, unless it is the usual one.
    pub branch: Option<String>,
    /// Values to set.
    pub sets: Vec<(String, String)>,
    /// Items to add to lists, in order.
    pub adds: Vec<(&'static str, String)>,
    /// What was left out: the line, and why.
    pub left: Vec<(usize, String)>,
    /// The other program encrypted what it sent.
    pub encrypted: bool,
    /// It holds what is for one machine alone: a key, or where the data lives.
    pub is_private: bool,
}

impl Imported {
    /// Leaves out what matches the pattern.
    pub fn exclude(&mut self, pattern: String) {
        self.adds.push(("sync.exclude", pattern));
    }
}

/// Reads a file, whose kind its name and its lines tell.
pub fn read(path: &Path) -> Result<Imported, CommandError> {
    let missing = || CommandError::named_file(path, &std::io::ErrorKind::NotFound.into());
    let bytes = files::read(path)?.ok_or_else(missing)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        CommandError::new("E-IMPORT", Exit::Usage, "This file is no text in UTF-8.")
            .at(crate::place::shown(path))
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(match name.as_ref() {
        ".stignore" => filter::of_syncthing(&text),
        name if name.contains("rsync") => filter::of_rsync(&text),
        name if name.starts_with(".env") || name.ends_with(".env") => settings::of_dotenv(&text),
        name if name.ends_with(".yaml") || name.ends_with(".yml") => settings::of_yaml(&text),
        _ => filter::of_rclone(&text),
    })
}
