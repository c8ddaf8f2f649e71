//! Repositories on a path: made whole or not at all, and put aside where they are damaged.

use std::fs;
use std::path::Path;

use instep_core::remote::RemoteError;

use super::failure;
use super::program::{self, Program};

/// Makes a repository under another name, and gives it its own when it is whole and durable: git makes one file after
/// the other, and one that was killed on the way would be taken for a repository, or for something in its place.
pub(super) fn make_whole(
    program: &Program,
    path: &Path,
    fresh: &Path,
    branch: &str,
) -> Result<(), RemoteError> {
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
