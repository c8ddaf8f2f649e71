//! Merges lists of patterns, as `.gitignore` is one: each line is for itself.
//!
//! A pattern that a side removed is gone, one that a side added is there, one that both added is there once. Comments
//! belong to the pattern below them. Without `!` the order of patterns means nothing. With it the last match wins, so
//! what is there keeps its order, and nothing is guessed about what is new: if one side adds a pattern with `!` and the
//! other adds any, which of the two is meant to win is for a person to say.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::dotenv::line;
use super::outline::{self, Block, Body, Entry, Frame, Name};
use super::value::Value;
use super::{Grammar, Joined, Judge, Reason, Three};
use crate::path::Name as FileName;

/// Files that are such lists. Of those that have other rules for order, as `.stignore`, none is here.
const NAMES: [&str; 12] = [
    ".dockerignore",
    ".eslintignore",
    ".fdignore",
    ".gcloudignore",
    ".gitignore",
    ".helmignore",
    ".ignore",
    ".instepignore",
    ".npmignore",
    ".prettierignore",
    ".rgignore",
    ".vscodeignore",
];

/// Answers whether a file's name says that it is such a list.
pub(super) fn is_named(name: &FileName) -> bool {
    NAMES.iter().any(|it| it.as_bytes() == name.as_bytes())
}

pub(super) fn merge(three: &Three<'_>) -> Result<Joined, Reason> {
    let opened = Frame::open_all(three)?;
    let [base, local, remote] = opened.each_ref().map(|(_, text)| parse(text));
    let (old, ours, theirs) = (patterns(&base), patterns(&local), patterns(&remote));
    let [mine, other] = [&ours, &theirs].map(|side| side.difference(&old).collect::<BTreeSet<_>>());
    let undoes = |side: &BTreeSet<&&Name>| side.iter().any(|name| name.is_fixed);
    if mine != other && !mine.is_empty() && !other.is_empty() && (undoes(&mine) || undoes(&other)) {
        return Err(Reason::Overlap { places: 1 });
    }
    let (merged, clashes) = outline::merge(&base, &local, &remote, Judge::Nobody)?;
    let joined = outline::joined(&merged, opened.each_ref().map(|(frame, _)| *frame), clashes);
    let (_, text) = Frame::open(&joined.content);
    let (written, kept) = (parse(&text), |name: &&&Name| ours.contains(*name) && theirs.contains(*name));
    let wanted: BTreeSet<&Name> = old.iter().filter(kept).chain(mine).chain(other).copied().collect();
    if patterns(&written) == wanted { Ok(joined) } else { Err(Reason::WouldBreak(Grammar::List.word())) }
}

fn patterns<'b>(block: &'b Block<'_>) -> BTreeSet<&'b Name> {
    block.entries.iter().map(|entry| &entry.name).collect()
}

fn parse(text: &[u8]) -> Block<'_> {
    let mut block = Block::default();
    let mut seen: BTreeMap<&[u8], u32> = BTreeMap::new();
    let (mut at, mut lead) = (0, 0);
    while at < text.len() {
        let end = at + line(&text[at..]);
        let pattern = text[at..end].strip_suffix(b"\n").unwrap_or(&text[at..end]);
        let pattern = pattern.strip_suffix(b"\r").unwrap_or(pattern);
        if !pattern.trim_ascii().is_empty() && !pattern.starts_with(b"#") {
            let times = seen.entry(pattern).or_default();
            *times += 1;
            // A pattern that stands there again is another entry, of the same words.
            let again = if *times > 1 { format!("\n{times}") } else { String::new() };
            let bytes = [pattern, again.as_bytes()].concat();
            block.entries.push(Entry {
                name: Name { is_fixed: pattern.starts_with(b"!"), ..Name::of(bytes) },
                lead: Cow::Borrowed(&text[lead..at]),
                head: Cow::Borrowed(pattern),
                body: Body::Leaf(Cow::Borrowed(b"")),
                tail: Cow::Borrowed(&text[at + pattern.len()..end]),
                value: Value::Other(String::new()),
            });
            lead = end;
        }
        at = end;
    }
    block.close = Cow::Borrowed(&text[lead..]);
    block
}
