//! Three contents become one, or stay undecided: which merge for which kind of file.
//!
//! A merge never guesses. Text merges line by line, as in git; where a file has a grammar, the result must still obey
//! it, and what a line merge could silently break is left to a person. What changed on one side only is that side's.

mod budget;
mod dotenv;
mod grammar;
pub(crate) mod json;
#[cfg(any(test, feature = "testing"))]
pub mod laws;
mod lines;
pub mod local;
mod markers;
mod moment;
mod order;
mod outline;
mod records;
mod set;
pub mod show;
mod summary;
pub mod text;
mod toml;
mod value;
mod without;
mod yaml;

use gix_imara_diff::InternedInput;

use crate::config::FileKind;
use crate::node::{PerSide, Side};
use crate::path::Name;
use grammar::Grammar;

pub use markers::remain as markers_remain;
pub use summary::{Clash, Summary};
pub use text::{Pick, Region, differences, overlaps, put_together, regions};

/// The largest content that is merged, in bytes.
pub const CONTENT_BYTES_MAX: usize = 16 << 20;
/// How many lines all three contents may have together.
const LINES_MAX: usize = 4_000_000;
/// Where a NUL is looked for: what has one there is not text, for git too.
const TEXT_PROBE_BYTES: usize = 8_000;

/// The three contents of one file.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'v> {
    /// What both last agreed on; `None` if both created the file.
    pub base: Option<&'v [u8]>,
    /// What stands here.
    pub local: &'v [u8],
    /// What stands there.
    pub remote: &'v [u8],
}

/// What is known of a file beside its contents. [`Terms::of`] knows no more than the name.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'t> {
    /// The file's name; it tells the kind where nobody said it.
    pub name: &'t Name,
    /// How the file's group says that its contents merge.
    pub kind: Option<FileKind>,
    /// The field that names a record, as the file's group says.
    pub id: Option<&'t str>,
    /// Whether places that overlap may stand in a text, between markers.
    pub style: Style<'t>,
    /// Whether the file's group says that the newer value wins where both sides changed one.
    pub newest: bool,
    /// The side that was modified later, if that is known.
    pub later: Option<Side>,
    /// What a person decided; where both sides changed one value, nothing else decides then.
    pub picks: Option<&'t [Side]>,
}

/// Who decides where both sides gave one key different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judge<'t> {
    /// Nobody: it is a conflict.
    Nobody,
    /// The value of the side that was modified later is taken.
    Later(Side),
    /// A person, place by place, as the merge meets them. Where nothing is said yet, this machine's value stands.
    Person(&'t [Side]),
}

impl Judge<'_> {
    /// Whose value is taken at the place of that number.
    fn winner(self, place: usize) -> Option<Side> {
        match self {
            Judge::Nobody => None,
            Judge::Later(side) => Some(side),
            Judge::Person(picks) => Some(picks.get(place).copied().unwrap_or(Side::Local)),
        }
    }

    /// Answers whether a value may stand in the result where both sides have another.
    fn allows<T: PartialEq>(self, value: &T, sides: PerSide<&T>) -> bool {
        match self {
            Judge::Nobody => false,
            Judge::Later(side) => value == sides[side],
            Judge::Person(_) => value == sides.local || value == sides.remote,
        }
    }
}

/// What a text shows where both sides changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style<'t> {
    /// Nothing: it stays as it is.
    #[default]
    None,
    /// Both versions between markers that bear these names.
    Markers(PerSide<&'t str>),
}

impl<'t> Terms<'t> {
    /// The terms of a file of which nothing is known but its name.
    pub fn of(name: &'t Name) -> Self {
        Terms { name, kind: None, id: None, style: Style::None, newest: false, later: None, picks: None }
    }

    /// Who decides, if time may.
    fn judge(&self) -> Judge<'t> {
        match (self.picks, self.later) {
            (Some(picks), _) => Judge::Person(picks),
            (None, Some(later)) => Judge::Later(later),
            (None, None) => Judge::Nobody,
        }
    }
}

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// One content that holds both changes.
    Clean(Joined),
    /// A text that shows both versions between markers, for a person to settle: only where [`Style`] asks for it.
    Marked {
        /// The text with its markers.
        content: Vec<u8>,
        /// How many places overlap.
        places: usize,
        /// How many signs a marker has.
        signs: usize,
    },
    /// No merge can be sure.
    Undecided(Reason),
}

/// One content that holds both changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The content.
    pub content: Vec<u8>,
    /// What a person would want to know of it.
    pub summary: Summary,
}

impl From<Vec<u8>> for Joined {
    fn from(content: Vec<u8>) -> Self {
        Joined { content, summary: Summary::default() }
    }
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
    /// A version nests deeper than any program should have to read.
    #[error("it nests too deep")]
    TooDeep,
    /// Two records of one version have one id, or one id is a number here and a text there.
    #[error("ids do not tell its records apart")]
    Ids,
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
            Reason::TooDeep => Some("E-LIMIT-DEPTH"),
            Reason::NoBase | Reason::Binary | Reason::Overlap { .. } | Reason::Opaque | Reason::Ids => None,
        }
    }
}

/// Merges two versions of a file that both come from `base`.
///
/// Sides are equal in rights: exchanged, together with what the terms say of them, they lead to the same.
pub fn contents(terms: &Terms<'_>, versions: &Versions<'_>) -> Merged {
    let Versions { base, local, remote } = *versions;
    if local == remote || base == Some(remote) {
        return Merged::Clean(local.to_vec().into());
    }
    if base == Some(local) {
        return Merged::Clean(remote.to_vec().into());
    }
    match join(terms, versions) {
        Ok(joined) => Merged::Clean(joined),
        Err(reason) => mark(terms, versions, reason),
    }
}

/// Merges as a person decides about each key that both sides changed: `picks` holds their answers in order, and this
/// machine's value stands where there is none yet. The clashes of the summary are the places. None where more than the
/// values of keys is in question, or nothing is.
pub fn by_picks(terms: &Terms<'_>, versions: &Versions<'_>, picks: &[Side]) -> Option<Joined> {
    match contents(&Terms { picks: Some(picks), style: Style::None, ..*terms }, versions) {
        Merged::Clean(joined) if !joined.summary.clashes.is_empty() => Some(joined),
        _ => None,
    }
}

/// Three contents of which no two are equal.
#[derive(Debug, Clone, Copy)]
struct Three<'v> {
    base: &'v [u8],
    local: &'v [u8],
    remote: &'v [u8],
}

impl<'v> Three<'v> {
    fn all(&self) -> [&'v [u8]; 3] {
        [self.base, self.local, self.remote]
    }
}

/// Which merge for which kind of file: one file here a kind.
fn join(terms: &Terms<'_>, versions: &Versions<'_>) -> Result<Joined, Reason> {
    let Versions { base, local, remote } = *versions;
    let all: Vec<&[u8]> = base.into_iter().chain([local, remote]).collect();
    let grammar = Grammar::of(terms, &all);
    // Records that both have differ by their ids: without a base, too, all of them are known.
    if terms.kind == Some(FileKind::Records) && matches!(grammar, Grammar::Json | Grammar::JsonLines) {
        check(&all)?;
        return match grammar {
            Grammar::Json => json::merge(terms, versions),
            _ => json::merge_lines(terms, versions),
        };
    }
    let three = &Three { base: base.ok_or(Reason::NoBase)?, local, remote };
    check(&all)?;
    match grammar {
        Grammar::Opaque => Err(Reason::Opaque),
        _ if terms.kind == Some(FileKind::Text) => by_lines(grammar, three),
        Grammar::Text => by_lines(grammar, three),
        Grammar::Json => json::merge(terms, versions),
        Grammar::JsonLines | Grammar::Log => lines::merge(grammar, three),
        Grammar::Dotenv => dotenv::merge(three, terms.picks.map_or(Judge::Nobody, Judge::Person)),
        Grammar::List => set::merge(three),
        Grammar::Toml => toml::merge(three, terms.judge()),
        Grammar::Yaml => yaml::merge(three, terms.judge()),
    }
}

/// Merges line by line, if all three obey the grammar and the result does so too.
fn by_lines(grammar: Grammar, three: &Three<'_>) -> Result<Joined, Reason> {
    if three.all().iter().any(|version| !grammar.accepts(version)) {
        return Err(Reason::NotValid(grammar.word()));
    }
    let merged = text::merge(three.base, three.local, three.remote)?;
    if grammar.accepts(&merged) { Ok(merged.into()) } else { Err(Reason::WouldBreak(grammar.word())) }
}

/// What stays undecided in a text may stand there between markers, if its group says so.
fn mark(terms: &Terms<'_>, versions: &Versions<'_>, reason: Reason) -> Merged {
    let Versions { base, local, remote } = *versions;
    match (terms.style, reason, base) {
        (Style::Markers(names), Reason::Overlap { places }, Some(base))
            if Grammar::of(terms, &[base, local, remote]) == Grammar::Text =>
        {
            match regions(base, local, remote) {
                Ok(regions) => {
                    let (content, signs) = markers::write(&regions, names);
                    Merged::Marked { content, places, signs }
                }
                Err(reason) => Merged::Undecided(reason),
            }
        }
        _ => Merged::Undecided(reason),
    }
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

/// Answers whether a file is a list of variables: its group says so, or its name.
pub fn is_dotenv(name: &Name, kind: Option<FileKind>) -> bool {
    let is_merge = matches!(kind, Some(FileKind::Records | FileKind::Settings));
    Grammar::of(&Terms { kind: kind.filter(|_| !is_merge), ..Terms::of(name) }, &[]) == Grammar::Dotenv
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
