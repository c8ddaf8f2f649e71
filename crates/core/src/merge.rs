//! Three contents become one, or stay undecided: which merge for which kind of file.
//!
//! A merge never guesses. Text merges line by line, as in git; where a file has a grammar, the result must still obey
//! it, and what a line merge could silently break is left to a person. What changed on one side only is that side's.

mod budget;
mod grammar;
pub mod show;
pub mod text;

use gix_imara_diff::InternedInput;

use crate::path::Name;
use grammar::Grammar;

pub use text::{Pick, Region, differences, overlaps, put_together, regions};

/// The largest content that is merged, in bytes.
pub const CONTENT_BYTES_MAX: usize = 16 << 20;
/// How many lines all three contents may have together.
const LINES_MAX: usize = 4_000_000;
/// Where a NUL is looked for: what has one there is not text, for git too.
const TEXT_PROBE_BYTES: usize = 8_000;

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// One content that holds both changes.
    Clean(Vec<u8>),
    /// No merge can be sure.
    Undecided(Reason),
}

/// Why a merge stays undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// Both sides created it: nothing says what either changed.
    #[error("both created it")]
    NoBase,
    /// At least one version is not text.
    #[error("it is not text")]
    Binary,
    /// A version is larger than what is merged.
    #[error("it is too large to be merged")]
    TooLarge,
    /// Two versions are long and differ so much that comparing them would take too long.
    #[error("the versions differ too much to be compared")]
    TooDifferent,
    /// Both changed the same places.
    #[error("{places} place{} overlap{}", if *.places == 1 { "" } else { "s" }, if *.places == 1 { "s" } else { "" })]
    Overlap {
        /// How many.
        places: usize,
    },
    /// A file of a kind where lines mean nothing by themselves.
    #[error("files of this kind are not merged line by line")]
    Opaque,
    /// A version does not obey the grammar of its kind.
    #[error("a version is not valid {0}")]
    NotValid(&'static str),
    /// The result would not obey the grammar of its kind.
    #[error("line by line, the result would not be valid {0}")]
    WouldBreak(&'static str),
}

impl Reason {
    /// The stable code that people can search for, where it is more than a plain conflict.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Reason::NotValid(_) | Reason::WouldBreak(_) => Some("E-MERGE-PARSE"),
            Reason::TooLarge | Reason::TooDifferent => Some("E-MERGE-SIZE"),
            Reason::NoBase | Reason::Binary | Reason::Overlap { .. } | Reason::Opaque => None,
        }
    }
}

/// Merges two versions of a file that both come from `base`. The file's name tells its kind.
///
/// Sides are equal in rights: exchanged, they lead to the same.
pub fn contents(name: &Name, base: Option<&[u8]>, local: &[u8], remote: &[u8]) -> Merged {
    if local == remote {
        return Merged::Clean(local.to_vec());
    }
    let Some(base) = base else { return Merged::Undecided(Reason::NoBase) };
    if base == local {
        return Merged::Clean(remote.to_vec());
    }
    if base == remote {
        return Merged::Clean(local.to_vec());
    }
    merge_all_three(name, [base, local, remote]).map_or_else(Merged::Undecided, Merged::Clean)
}

fn merge_all_three(name: &Name, versions: [&[u8]; 3]) -> Result<Vec<u8>, Reason> {
    check(&versions)?;
    let grammar = Grammar::of(name);
    if grammar == Grammar::Opaque {
        return Err(Reason::Opaque);
    }
    if versions.iter().any(|version| !grammar.accepts(version)) {
        return Err(Reason::NotValid(grammar.word()));
    }
    let [base, local, remote] = versions;
    let merged = text::merge(base, local, remote)?;
    if grammar.accepts(&merged) { Ok(merged) } else { Err(Reason::WouldBreak(grammar.word())) }
}

/// Looks whether contents can be merged, or shown, line by line.
fn check(versions: &[&[u8]]) -> Result<(), Reason> {
    if versions.iter().any(|version| version.len() > CONTENT_BYTES_MAX) {
        return Err(Reason::TooLarge);
    }
    if !versions.iter().all(|version| is_text(version)) {
        return Err(Reason::Binary);
    }
    let lines = |version: &&[u8]| version.iter().filter(|&&byte| byte == b'\n').count();
    if versions.iter().map(lines).sum::<usize>() > LINES_MAX {
        return Err(Reason::TooLarge);
    }
    Ok(())
}

/// Looks whether two texts can be compared in a time that a person would wait.
fn check_cost(input: &InternedInput<&[u8]>) -> Result<(), Reason> {
    let is_affordable = budget::is_affordable(&input.before, &input.after, input.interner.num_tokens());
    if is_affordable { Ok(()) } else { Err(Reason::TooDifferent) }
}

/// Answers whether a content is text. Bytes that are not UTF-8 are no obstacle, as older encodings have them; control
/// characters beside them are.
pub fn is_text(content: &[u8]) -> bool {
    let probe = &content[..content.len().min(TEXT_PROBE_BYTES)];
    if probe.contains(&0) {
        return false;
    }
    let control = |byte: &u8| matches!(byte, 0x01..=0x06 | 0x0e..=0x1a | 0x1c..=0x1f);
    std::str::from_utf8(content).is_ok() || !content.iter().any(|byte| *byte == 0 || control(byte))
}

#[cfg(test)]
mod tests;
