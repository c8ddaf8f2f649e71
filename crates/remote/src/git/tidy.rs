//! Keeps our own repository in few files. Every sync leaves a pack or some single objects; where there are many, each
//! look for an object takes longer.
//!
//! Small packs and single objects are put together into larger ones, so that the work follows what came since, not all
//! there is. Nothing is dropped, referenced or not: what no branch names may still be the base of a merge. A kill in
//! between leaves both forms, and the next time removes one.

use std::fs;
use std::path::Path;

use instep_core::remote::RemoteError;

use super::program::{Program, Scope};

/// How many packs may stand.
const PACKS_MAX: usize = 30;
/// How many single objects may stand in one of their 256 folders: about 5,000 in all.
const SINGLES_MAX: usize = 20;

/// Puts together what lies in too many files.
pub(super) fn tidy(program: &Program) -> Result<(), RemoteError> {
    let objects = program.directory().join("objects");
    let is_pack = |name: &str| name.ends_with(".pack");
    if count(&objects.join("pack"), is_pack) <= PACKS_MAX
        && count(&objects.join("17"), |_| true) <= SINGLES_MAX
    {
        return Ok(());
    }
    // It would hold the old packs open.
    drop(program.rested());
    let mut call = program.call(Scope::Ours)?;
    call.args(["-c", "pack.window=0", "-c", "pack.compression=1", "-c", "repack.writeBitmaps=false"]);
    call.args(["repack", "-q", "-d", "-l", "--geometric=2"]).answer().map(drop)
}

fn count(folder: &Path, counts: impl Fn(&str) -> bool) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_str().is_some_and(&counts)).count()
}
