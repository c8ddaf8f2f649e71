//! Repositories that we make: our own copy, and a missing one on a path. Each gets its name when it is whole.

use std::fs;
use std::path::Path;

use instep_core::path::escape;
use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::failure;
use super::local;
use super::program::{self, Program};

/// The oldest version that works.
const VERSION_MIN: (u32, u32) = (2, 39);

pub(super) fn make_ours(program: &Program) -> Result<(), RemoteError> {
    let directory = program.directory();
    if is_whole(directory) {
        return Ok(());
    }
    if directory.exists() {
        put_aside(directory)?;
    }
    let version = program.version()?;
    if version < VERSION_MIN {
        return Err(RemoteError::new(
            RemoteErrorKind::Local,
            "E-GIT-VERSION",
            format!("The program git is version {}.{}; 2.39 or newer is needed.", version.0, version.1),
        ));
    }
    make_whole(program, directory, &directory.with_extension("new"), "main")
}

/// Makes a repository under another name, and gives it its own when it is whole and durable: git makes one file after
/// the other, and one that was killed on the way would be taken for a repository, or for something in its place.
fn make_whole(program: &Program, path: &Path, fresh: &Path, branch: &str) -> Result<(), RemoteError> {
    let failed = |error| failure::at_path("making", path, error);
    match fs::remove_dir_all(fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    program.init(fresh, branch)?;
    program::sync_file_system(fresh)?;
    fs::rename(fresh, path).map_err(failed)?;
    program::sync_file_system(path)
}

/// Answers whether a directory is a repository to git: a power cut right after it was made can leave its files empty.
pub(super) fn is_whole(directory: &Path) -> bool {
    let read = |name: &str| fs::read(directory.join(name)).unwrap_or_default();
    let has = |name: &str| directory.join(name).is_dir();
    read("HEAD").starts_with(b"ref: ") && !read("config").is_empty() && has("objects") && has("refs")
}

pub(super) fn put_aside(directory: &Path) -> Result<(), RemoteError> {
    let aside = directory.with_extension("damaged");
    let _ = fs::remove_dir_all(&aside);
    fs::rename(directory, &aside).map_err(|error| failure::at_path("putting aside", directory, error))
}

/// Makes a repository where nothing is.
pub(super) fn make_missing(program: &Program, path: &Path, branch: &str) -> Result<(), RemoteError> {
    if local::git_dir(path).is_some() {
        return Ok(());
    }
    let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if path.exists() && !is_empty {
        return Err(not_there(path));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    make_whole(program, path, &path.with_file_name(format!(".{name}.instep-new")), branch)
}

/// Only who works with our copy may bring something into it.
pub(super) fn not_here() -> RemoteError {
    RemoteError::new(
        RemoteErrorKind::Busy,
        "E-GIT-NOT-HERE",
        "What this needs is not in our copy of the repository yet.",
    )
    .hinted("`instep sync` brings it")
}

pub(super) fn not_there(path: &Path) -> RemoteError {
    let shown = escape(path.as_os_str().as_encoded_bytes());
    let what = if path.exists() { "holds no git repository" } else { "does not exist" };
    RemoteError::new(RemoteErrorKind::NotFound, "E-REMOTE-MISSING", format!("{shown} {what}."))
}
