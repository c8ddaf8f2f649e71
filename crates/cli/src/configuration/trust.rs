//! What a person of this machine trusted: the exact text of a workspace's shared settings. Any edit withdraws it.

use std::path::{Path, PathBuf};

use instep_core::config::Trust;
use instep_core::content::ContentId;
use instep_core::path::escape;

use super::files;
use crate::failure::CommandError;

/// The list of trusted texts: one line each, the text's name and the workspace.
fn list(home: &Path) -> PathBuf {
    home.join("trusted")
}

fn line(root: &Path, text: &[u8]) -> String {
    format!("{} {}", ContentId::of(text), escape(root.as_os_str().as_encoded_bytes()))
}

/// Answers whether this text of this workspace was trusted. A list that can't be read trusts nothing.
pub fn look_up(home: &Path, root: &Path, text: &[u8]) -> Trust {
    let wanted = line(root, text);
    let known = files::read(&list(home)).ok().flatten().unwrap_or_default();
    let trusted = String::from_utf8_lossy(&known).lines().any(|known| known == wanted);
    if trusted { Trust::Given } else { Trust::Withheld }
}

/// Writes down that this text was trusted; what was trusted of the same workspace before is forgotten.
pub fn give(home: &Path, root: &Path, text: &[u8]) -> Result<(), CommandError> {
    let known = files::read(&list(home))?.unwrap_or_default();
    let workspace = format!(" {}", escape(root.as_os_str().as_encoded_bytes()));
    let known = String::from_utf8_lossy(&known);
    let mut lines: Vec<&str> = known.lines().filter(|known| !known.ends_with(&workspace)).collect();
    let new = line(root, text);
    lines.push(&new);
    files::write(&list(home), format!("{}\n", lines.join("\n")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_holds_for_one_text_of_one_workspace() {
        let home = tempfile::tempdir().unwrap();
        let (here, there) = (Path::new("/w/a"), Path::new("/w/b"));
        assert_eq!(look_up(home.path(), here, b"x"), Trust::Withheld);
        give(home.path(), here, b"x").unwrap();
        give(home.path(), there, b"x").unwrap();
        assert_eq!(look_up(home.path(), here, b"x"), Trust::Given);
        give(home.path(), here, b"y").unwrap();
        assert_eq!(look_up(home.path(), here, b"x"), Trust::Withheld);
        assert_eq!(look_up(home.path(), there, b"x"), Trust::Given);
    }
}
