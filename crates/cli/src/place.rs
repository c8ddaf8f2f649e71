//! From what a person typed to a path of the workspace, whatever folder they stand in.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use instep_core::config::Config;
use instep_core::path::{TreePath, escape};
use instep_core::places::{Places, Spot};

use crate::failure::{CommandError, Exit};

/// The name of the place that needs no setting.
const HOME: &str = "home";

/// The path in the workspace at `root` that `typed` means in `folder`. Nothing on disk is looked at: what was deleted
/// has a path too.
pub fn tree_path(root: &Path, folder: &Path, typed: &Path) -> Result<TreePath, CommandError> {
    let whole = plain(&folder.join(typed));
    let outside = || {
        CommandError::new("E-PATH-OUTSIDE", Exit::Usage, "This path is not in the workspace.")
            .at(shown(typed))
            .because(format!("The workspace is {}.", shown(root)))
    };
    let inside = whole.strip_prefix(root).map_err(|_| outside())?;
    TreePath::new(inside.as_os_str().as_bytes()).map_err(|error| {
        CommandError::new(error.code(), Exit::Usage, crate::failure::sentence(&error.to_string()))
            .at(shown(typed))
    })
}

/// The place on disk of a path in the workspace.
pub fn on_disk(root: &Path, path: &TreePath) -> PathBuf {
    root.join(OsStr::from_bytes(path.as_bytes()))
}

/// The places of this machine, if paths of some group travel by their names: those of its settings, and its user's home.
pub fn places(config: &Config) -> Places {
    if !config.groups.iter().any(|group| group.remap_paths) {
        return Places::default();
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    // Programs are told where they stand without links.
    let home = home.canonicalize().unwrap_or(home);
    let of_settings = config.places.iter().map(|(name, folder)| {
        let below_home = folder.strip_prefix('~').map(|rest| format!("{}{rest}", home.display()));
        (name.as_str(), below_home.unwrap_or_else(|| folder.clone()))
    });
    let is_named = config.places.iter().any(|(name, _)| name == HOME);
    let usual = (!is_named).then(|| (HOME, home.display().to_string()));
    let spots = of_settings.chain(usual).filter_map(|(name, folder)| Spot::new(name, &folder).ok());
    Places::new(spots.collect(), Vec::new())
}

/// A path of this machine, escaped for people.
pub fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// Takes `.` and `..` out by their words alone.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(typed: &str) -> Result<String, String> {
        tree_path(Path::new("/w"), Path::new("/w/sub"), Path::new(typed))
            .map(|path| path.to_string())
            .map_err(|error| error.code.to_owned())
    }

    #[test]
    fn a_path_is_understood_from_where_a_person_stands() {
        assert_eq!(found("./x"), Ok("sub/x".into()));
        assert_eq!(found("../y/"), Ok("y".into()));
        assert_eq!(found("/w/z"), Ok("z".into()));
        assert_eq!(found(".."), Ok(".".into()));
        assert_eq!(found("../../etc"), Err("E-PATH-OUTSIDE".into()));
    }
}
