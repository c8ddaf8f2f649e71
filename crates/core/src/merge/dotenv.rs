//! Merges `.env` files by name.
//!
//! A variable may be exported, quoted, and go over several lines within its quotes; its text is kept as it stands.
//! Comments belong to the variable below them. These are secrets: two values for one name are never decided by time,
//! and no message holds a value. What is not plainly a list of variables is left to the merge of lines.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::outline::{self, Block, Body, Entry, Frame, Name};
use super::value::{Value, agrees};
use super::{Grammar, Joined, Judge, Reason, Three, by_lines, text};
use crate::node::{PerSide, Side};

pub(super) fn merge(three: &Three<'_>, judge: Judge<'_>) -> Result<Joined, Reason> {
    let opened = Frame::open_all(three)?;
    let blocks = opened.each_ref().map(|(_, text)| parse(text));
    let [Some(base), Some(local), Some(remote)] = &blocks else {
        return if change_one_lead(three)? {
            Err(Reason::Overlap { places: 1 })
        } else {
            by_lines(Grammar::Dotenv, three)
        };
    };
    if ![base, local, remote].into_iter().all(Block::is_distinct) {
        return Err(Reason::NotValid(Grammar::Dotenv.word()));
    }
    let [old, mine, other] = [base, local, remote].map(strange);
    let is_changed = |side: &Vec<_>| *side != old;
    // Where one side has them at other variables, the variables of the other say nothing of their places.
    let is_moved = mine != other
        && (is_changed(&mine) && names(remote) != names(base)
            || is_changed(&other) && names(local) != names(base));
    if is_moved || is_changed(&mine) && is_changed(&other) && mine != other {
        return Err(Reason::Overlap { places: 1 });
    }
    let (merged, clashes) = outline::merge(base, local, remote, judge)?;
    let joined = outline::joined(&merged, opened.each_ref().map(|(frame, _)| *frame), clashes);
    let [base, local, remote] = [base, local, remote].map(value);
    let sides = PerSide { local: Some(&local), remote: Some(&remote) };
    let (_, text) = Frame::open(&joined.content);
    let says = |it: Block<'_>| it.is_distinct() && agrees(Some(&value(&it)), Some(&base), sides, judge);
    if parse(&text).is_some_and(says) { Ok(joined) } else { Err(Reason::WouldBreak(Grammar::Dotenv.word())) }
}

/// Answers whether both sides changed something above one variable, each in its way. There a merge by name sets the
/// spacing of one side, and one by lines that of both: which it is must not depend on who meets whom first.
fn change_one_lead(three: &Three<'_>) -> Result<bool, Reason> {
    // How many variables stand before each line of the base, and before its end.
    let mut before = vec![0];
    for line in three.base.split_inclusive(|&byte| byte == b'\n') {
        before.push(before[before.len() - 1] + usize::from(head(line).is_some()));
    }
    let mut touched = PerSide { local: BTreeSet::new(), remote: BTreeSet::new() };
    let all = PerSide {
        local: text::changed(three.base, three.local)?,
        remote: text::changed(three.base, three.remote)?,
    };
    for side in Side::BOTH {
        for text::Changed { base, .. } in
            all[side].iter().filter(|change| !all[side.other()].contains(change))
        {
            touched[side].extend(before[base.start]..=before[base.end]);
        }
    }
    Ok(!touched.local.is_disjoint(&touched.remote))
}

/// The text without some variables and the comments above them; none if it is not plainly a list of variables, each of
/// which it names once. A line that is neither variable nor comment could be one that another program understands.
pub(super) fn without(text: &[u8], is_left_out: &dyn Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let has_mark = text.starts_with(b"\xef\xbb\xbf");
    let is_plain = |block: &Block<'_>| !has_mark && block.is_distinct() && strange(block).is_empty();
    let mut block = parse(text).filter(is_plain)?;
    block.entries.retain(|entry| !is_left_out(&entry.name.bytes));
    let mut written = Vec::with_capacity(text.len());
    block.write(&mut written);
    Some(written)
}

/// The variables by name, as they stand; none if it is not plainly a list of variables.
pub(super) fn variables(text: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let (_, text) = Frame::open(text);
    let block = parse(&text).filter(Block::is_distinct)?;
    let entries = block.entries.into_iter().map(|entry| {
        let mut value = Vec::new();
        entry.body.write(&mut value);
        (entry.name.bytes, value)
    });
    Some(entries.collect())
}

/// Lines that are neither variables nor comments, each with the variable below it: a key file may be kept as a secret
/// too, and its lines belong together.
fn strange<'b>(block: &'b Block<'_>) -> Vec<(Option<&'b Name>, &'b [u8])> {
    let texts =
        block.entries.iter().map(|entry| (Some(&entry.name), &entry.lead)).chain([(None, &block.close)]);
    let lines = texts.flat_map(|(below, text)| {
        text.split(|&byte| byte == b'\n').map(move |line| (below, line.trim_ascii()))
    });
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#")).collect()
}

fn names<'b>(block: &'b Block<'_>) -> Vec<&'b Name> {
    block.entries.iter().map(|entry| &entry.name).collect()
}

fn value(block: &Block<'_>) -> Value {
    let entries = block.entries.iter().map(|entry| (letters(&entry.name.bytes), entry.value.clone()));
    Value::Map(entries.collect::<BTreeMap<String, Value>>())
}

/// Bytes as letters, one each, so that different ones stay different.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// None if a quote does not end, or ends where more follows: programs read that differently.
fn parse(text: &[u8]) -> Option<Block<'_>> {
    let mut block = Block::default();
    let (mut at, mut lead) = (0, 0);
    while at < text.len() {
        let Some(head) = head(&text[at..]) else {
            at += line(&text[at..]);
            continue;
        };
        let start = at + head.length;
        let length = value_length(&text[start..])?;
        let end = start + length + line(&text[start + length..]);
        block.entries.push(Entry {
            name: Name::of(head.name),
            lead: Cow::Borrowed(&text[lead..at]),
            head: Cow::Borrowed(&text[at..start]),
            body: Body::Leaf(Cow::Borrowed(&text[start..start + length])),
            tail: Cow::Borrowed(&text[start + length..end]),
            value: Value::Other(letters(&text[start..start + length])),
        });
        (at, lead) = (end, end);
    }
    block.close = Cow::Borrowed(&text[lead..]);
    Some(block)
}

/// The length of the first line, with its end.
pub(super) fn line(text: &[u8]) -> usize {
    text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// What stands before a value.
struct Head<'t> {
    name: &'t [u8],
    length: usize,
}

fn head(text: &[u8]) -> Option<Head<'_>> {
    let line = &text[..line(text)];
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let name = line[..equals].trim_ascii();
    let name = match name.strip_prefix(b"export") {
        Some(rest) if rest.starts_with(b" ") || rest.starts_with(b"\t") => rest.trim_ascii_start(),
        _ => name,
    };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_name = name.iter().all(is_plain) && name.first().is_some_and(|first| !first.is_ascii_digit());
    let blank = line[equals + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    is_name.then_some(Head { name, length: equals + 1 + blank })
}

/// How long a value is, with its quotes, without a comment behind it.
fn value_length(text: &[u8]) -> Option<usize> {
    let line_length = line(text);
    let first = text.first().copied();
    if let Some(quote @ (b'"' | b'\'' | b'`')) = first {
        let close = closing(text, quote)?;
        let rest = text[close + 1..close + 1 + line(&text[close + 1..])].trim_ascii();
        return (rest.is_empty() || rest.starts_with(b"#")).then_some(close + 1);
    }
    let value = &text[..line_length];
    let comment = value.windows(2).position(|pair| pair == b" #" || pair == b"\t#");
    let value = if first == Some(b'#') { b"" } else { &value[..comment.unwrap_or(value.len())] };
    Some(value.trim_ascii_end().len())
}

fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut escaped = false;
    text.iter().enumerate().skip(1).find_map(|(at, &byte)| {
        let closes = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped && quote == b'"';
        closes.then_some(at)
    })
}
