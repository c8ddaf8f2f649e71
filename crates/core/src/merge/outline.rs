//! A text as entries within blocks: what the merges by key have in common.
//!
//! An outline takes a text apart without losing a byte: written again it is the text. Each entry has its name and the
//! comments above it, so that three outlines of one file are merged by name, part by part. A part that only one side
//! changed is that side's, byte for byte; so nothing outside a change is touched. Comments are never dropped: two sides
//! that wrote different ones at one place stay undecided.

mod headings;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use self::headings::{broken_and_touched, cut, headed, rewritten_and_added};
use super::order::{self, Place};
use super::summary::{Clash, Summary};
use super::value::{Identity, Value, weave};
use super::{Joined, Judge, Reason, Three, text};
use crate::node::{PerSide, Side};

/// A part of a text.
pub(super) type Text<'t> = Cow<'t, [u8]>;

/// Entries that stand together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Block<'t> {
    /// Whether commas stand between the entries; else each has its own lines.
    pub commas: bool,
    /// Whether the entries are told apart by what they are, not by a name.
    pub is_list: bool,
    /// What stands before all entries.
    pub open: Text<'t>,
    /// The entries in the order of the text. Names are distinct.
    pub entries: Vec<Entry<'t>>,
    /// What stands behind all entries.
    pub close: Text<'t>,
}

/// One entry of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    pub name: Name,
    /// Comments and empty lines above it.
    pub lead: Text<'t>,
    /// What introduces the body, and names it.
    pub head: Text<'t>,
    pub body: Body<'t>,
    /// What follows the body: a comment, the end of the line.
    pub tail: Text<'t>,
    /// What it says; of use where the body is a leaf, or an item of a list.
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body<'t> {
    /// What is not looked into.
    Leaf(Text<'t>),
    Block(Block<'t>),
    /// A block whose first entry starts behind a dash, which stands in this column; the block has a space there.
    Dashed(usize, Block<'t>),
}

/// The name of an entry within its block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// What sorts entries of different kinds: smaller ones stand first.
    pub rank: u8,
    /// The name as its program reads it.
    pub bytes: Vec<u8>,
    /// Whether its place among the others means something.
    pub is_fixed: bool,
}

impl Place for Name {
    fn is_fixed(&self) -> bool {
        self.is_fixed
    }
}

impl Name {
    /// The name of an entry whose place means nothing.
    pub(super) fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Name { rank: 1, bytes: bytes.into(), is_fixed: false }
    }
}

impl Block<'_> {
    /// Writes the text that this was taken from.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.open);
        for (at, entry) in self.entries.iter().enumerate() {
            if self.commas && at > 0 {
                to.push(b',');
            }
            // What stands before the first of them belongs to the bracket.
            if !self.commas || at > 0 {
                to.extend_from_slice(&entry.lead);
            }
            entry.write(to);
        }
        to.extend_from_slice(&self.close);
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.iter().map(|entry| &entry.name)
    }

    /// Answers whether no entry has the name of another.
    pub(super) fn is_distinct(&self) -> bool {
        let mut seen = BTreeSet::new();
        self.names().all(|name| seen.insert(name))
    }

    fn values(&self) -> Vec<Value> {
        self.entries.iter().map(|entry| entry.value.clone()).collect()
    }
}

impl<'t> Entry<'t> {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.head);
        self.body.write(to);
        to.extend_from_slice(&self.tail);
    }

    /// Answers whether both say the same, however they are spaced.
    fn says(&self, other: &Entry<'t>) -> bool {
        let parts = |entry: &Entry<'t>| [&entry.lead, &entry.head, &entry.tail].map(|part| unspaced(part));
        parts(self) == parts(other) && self.body.says(&other.body)
    }
}

impl<'t> Body<'t> {
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Body::Leaf(text) => to.extend_from_slice(text),
            Body::Block(block) => block.write(to),
            Body::Dashed(column, block) => {
                let mut inner = Vec::new();
                block.write(&mut inner);
                put_dash(&mut inner, *column);
                to.extend_from_slice(&inner);
            }
        }
    }

    fn written(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
    }

    /// Answers whether both are of one form.
    fn is_like(&self, other: &Body<'t>) -> bool {
        match (self, other) {
            (Body::Leaf(_), Body::Leaf(_)) | (Body::Dashed(..), Body::Dashed(..)) => true,
            (Body::Block(one), Body::Block(other)) => {
                (one.commas, one.is_list) == (other.commas, other.is_list)
            }
            _ => false,
        }
    }

    fn says(&self, other: &Body<'t>) -> bool {
        match (self, other) {
            (Body::Block(one), Body::Block(other)) | (Body::Dashed(_, one), Body::Dashed(_, other)) => {
                unspaced(&one.close) == unspaced(&other.close)
                    && one.names().eq(other.names())
                    && one.entries.iter().zip(&other.entries).all(|(one, other)| one.says(other))
            }
            _ => self == other,
        }
    }
}

/// Gives the first line that is no comment its dash.
fn put_dash(lines: &mut [u8], column: usize) {
    let is_entry = |line: &&mut [u8]| !matches!(line.trim_ascii_start(), [] | [b'#', ..]);
    if let Some(line) = lines.split_inclusive_mut(|&byte| byte == b'\n').find(is_entry)
        && let Some(place) = line.get_mut(column)
        && *place == b' '
    {
        *place = b'-';
    }
}

fn unspaced(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// Merges three outlines of one file. Where both sides gave one entry different values, the judge's is taken and the
/// other is told; if there is none, it overlaps.
pub(super) fn merge<'t>(
    base: &Block<'t>,
    local: &Block<'t>,
    remote: &Block<'t>,
    judge: Judge<'_>,
) -> Result<(Block<'t>, Vec<Clash>), Reason> {
    if let Some(one) = one_of(Some(base), local, remote) {
        return Ok((one.clone(), Vec::new()));
    }
    if [local.is_list, remote.is_list] != [base.is_list; 2] {
        return Err(Reason::Overlap { places: 1 });
    }
    let mut merging = Merging { judge, clashes: Vec::new(), places: 0, path: Vec::new() };
    let block = merging.block(Some(base), PerSide { local, remote });
    let Some(block) = block.filter(|_| merging.places == 0) else {
        return Err(Reason::Overlap { places: merging.places.max(1) });
    };
    if keeps_comments(base, local, remote, &block) {
        Ok((block, merging.clashes))
    } else {
        Err(Reason::Overlap { places: 1 })
    }
}

struct Merging<'j> {
    judge: Judge<'j>,
    clashes: Vec<Clash>,
    /// How many places need a decision.
    places: usize,
    /// The names on the way to where it is.
    path: Vec<String>,
}

/// What one of three is, if the others agree on the rest.
fn one_of<T: PartialEq>(base: Option<T>, local: T, remote: T) -> Option<T> {
    if local == remote || base.as_ref() == Some(&remote) {
        Some(local)
    } else if base.as_ref() == Some(&local) {
        Some(remote)
    } else {
        None
    }
}

impl Merging<'_> {
    /// None if no order of the entries can be sure; then nothing else was decided either.
    fn block<'t>(&mut self, base: Option<&Block<'t>>, sides: PerSide<&Block<'t>>) -> Option<Block<'t>> {
        if sides.local.is_list {
            let entries = self.items(base?, sides)?;
            return Some(self.around(base, sides, entries));
        }
        if sides.local.commas {
            let named =
                |block: &Block<'t>| block.entries.iter().map(|it| (it.name.clone(), it.clone())).collect();
            let all =
                [base, Some(sides.local), Some(sides.remote)].map(|block| block.map_or_else(Vec::new, named));
            let entries = self.entries(all)?;
            return Some(self.around(base, sides, entries));
        }
        let nothing = Block::default();
        let base = base.unwrap_or(&nothing);
        let headed = [base, sides.local, sides.remote].map(|block| headed(base, block));
        self.places += headed.iter().map(|(_, unsure)| unsure).sum::<usize>();
        let [base, local, remote] = headed.map(|(block, _)| block);
        self.places +=
            rewritten_and_added(&base, &local, &remote) + rewritten_and_added(&base, &remote, &local);
        self.places += broken_and_touched(&base, [&local, &remote]);
        let all = [&base, &local, &remote]
            .map(|block| block.entries.iter().map(|it| (it.name.clone(), it.clone())).collect::<Vec<_>>());
        let entries = self.entries(all)?;
        Some(self.around(Some(&base), PerSide { local: &local, remote: &remote }, entries))
    }

    /// Puts entries between what three blocks have around theirs.
    fn around<'t>(
        &mut self,
        base: Option<&Block<'t>>,
        sides: PerSide<&Block<'t>>,
        entries: Vec<Entry<'t>>,
    ) -> Block<'t> {
        // An empty pair of brackets tells nothing of how full ones are spaced.
        let is_full = |block: &&Block<'t>| !block.commas || entries.is_empty() || !block.entries.is_empty();
        let [local, remote] = match [sides.local, sides.remote] {
            [full, empty] | [empty, full] if is_full(&full) && !is_full(&empty) => [full, full],
            both => both,
        };
        let base = base.filter(is_full);
        let open = self.comments(base.map(|it| &it.open), &local.open, &remote.open);
        let close = self.comments(base.map(|it| &it.close), &local.close, &remote.close);
        Block { open, entries, close, ..*sides.local }
    }

    /// The entries of three blocks in one order, each merged by itself.
    fn entries<'t>(&mut self, all: [Vec<(Name, Entry<'t>)>; 3]) -> Option<Vec<Entry<'t>>> {
        let [base, local, remote] =
            all.each_ref().map(|entries| entries.iter().map(|(name, _)| name.clone()).collect::<Vec<Name>>());
        let order = order::merge(&base, [&local, &remote])?;
        let maps = all.map(|entries| entries.into_iter().collect::<BTreeMap<Name, Entry<'t>>>());
        // Names that a side lacks are in no order: they are gone, unless the other side changed what it has.
        for (name, old) in &maps[0] {
            // Comments by themselves are nothing but their text: who spaced them anew changed them.
            let is_heading = name.bytes.first() == Some(&0);
            let changed = |entry: &&Entry<'t>| if is_heading { *entry != old } else { !entry.says(old) };
            let gone = [&maps[1], &maps[2]].map(|map| map.get(name));
            if let [None, Some(kept)] | [Some(kept), None] = gone {
                self.places += usize::from(changed(&kept));
            }
        }
        let merged = order.into_iter().filter_map(|name| {
            let [base, local, remote] = maps.each_ref().map(|map| map.get(&name));
            let mut entry = match (local, remote) {
                (Some(local), Some(remote)) => self.entry(base, local, remote),
                (Some(only), None) | (None, Some(only)) => only.clone(),
                (None, None) => return None,
            };
            entry.name = name;
            Some(entry)
        });
        Some(merged.collect())
    }

    /// The items of three lists: by what tells them apart, or in their order as lines are merged.
    fn items<'t>(&mut self, base: &Block<'t>, sides: PerSide<&Block<'t>>) -> Option<Vec<Entry<'t>>> {
        let blocks = [base, sides.local, sides.remote];
        let values = blocks.map(Block::values);
        if let Some(identity) = Identity::of(&values.each_ref().map(|values| &values[..])) {
            let is_fixed = identity.is_ordered();
            return self.entries(blocks.map(|block| {
                let named = block.entries.iter().filter_map(|entry| {
                    let bytes = identity.name(&entry.value)?.as_bytes().to_vec();
                    Some((Name { rank: 1, bytes, is_fixed }, entry.clone()))
                });
                named.collect()
            }));
        }
        let texts = blocks.map(|block| {
            let text = |entry: &Entry<'t>| {
                let mut text = entry.lead.to_vec();
                entry.write(&mut text);
                text
            };
            block.entries.iter().map(text).collect::<Vec<Vec<u8>>>()
        });
        let woven = weave(&texts[0], &texts[1], &texts[2])?;
        let all = texts.iter().flatten().zip(blocks.iter().flat_map(|block| &block.entries));
        let by_text: BTreeMap<&Vec<u8>, &Entry<'t>> = all.collect();
        woven.iter().map(|text| by_text.get(text).map(|&entry| entry.clone())).collect()
    }

    fn entry<'t>(&mut self, base: Option<&Entry<'t>>, local: &Entry<'t>, remote: &Entry<'t>) -> Entry<'t> {
        if let Some(one) = one_of(base, local, remote) {
            return one.clone();
        }
        let word = String::from_utf8_lossy(&remote.name.bytes).into_owned();
        self.path.push(word);
        let lead = self.comments(base.map(|it| &it.lead), &local.lead, &remote.lead);
        let sides = PerSide { local, remote };
        let entry = match self.body(base, sides) {
            Ok(body) if !local.body.is_like(&remote.body) => {
                // What stands around a body of another form belongs to that form.
                let winner = if body == local.body { Side::Local } else { Side::Remote };
                let around = |entry: &Entry<'t>| [&entry.head, &entry.tail].map(|part| unspaced(part));
                if base.map(around) != Some(around(sides[winner.other()])) {
                    self.places += 1;
                }
                Entry { lead, ..sides[winner].clone() }
            }
            Ok(body) => {
                let head = self.spelling(base.map(|it| &it.head), &local.head, &remote.head);
                let tail = self.comments(base.map(|it| &it.tail), &local.tail, &remote.tail);
                Entry { lead, head, body, tail, ..local.clone() }
            }
            Err(winner) => Entry { lead, ..sides[winner].clone() },
        };
        self.path.pop();
        entry
    }

    /// The body of both; or the side whose body is taken as a whole.
    fn body<'t>(&mut self, base: Option<&Entry<'t>>, sides: PerSide<&Entry<'t>>) -> Result<Body<'t>, Side> {
        let PerSide { local, remote } = sides;
        if let Some(body) = one_of(base.map(|it| &it.body), &local.body, &remote.body) {
            return Ok(body.clone());
        }
        let old = base.map(|it| &it.body);
        let merged = match (old, &local.body, &remote.body) {
            (Some(Body::Block(_)) | None, Body::Block(l), Body::Block(r)) => {
                let old = old.and_then(|old| if let Body::Block(old) = old { Some(old) } else { None });
                let inner = PerSide { local: l, remote: r };
                let is_old_like = base.is_none_or(|base| base.body.is_like(&local.body));
                if is_old_like && local.body.is_like(&remote.body) {
                    self.block(old, inner).map(Body::Block)
                } else {
                    None
                }
            }
            (Some(Body::Dashed(a, old)), Body::Dashed(b, l), Body::Dashed(c, r)) if a == b && b == c => {
                let inner = PerSide { local: l, remote: r };
                self.block(Some(old), inner).map(|block| Body::Dashed(*a, block))
            }
            (_, Body::Leaf(l), Body::Leaf(r)) if local.value == remote.value => {
                return Err(if l <= r { Side::Local } else { Side::Remote });
            }
            _ => None,
        };
        merged.ok_or_else(|| self.clash(base, sides))
    }

    /// Both gave it different values.
    fn clash(&mut self, base: Option<&Entry<'_>>, sides: PerSide<&Entry<'_>>) -> Side {
        let Some(winner) = self.judge.winner(self.clashes.len()) else {
            self.places += 1;
            return Side::Local;
        };
        let loser = winner.other();
        let (kept, dropped) = (sides[winner].body.written(), sides[loser].body.written());
        let base = base.map(|base| base.body.written()).unwrap_or_default();
        self.clashes.push(Clash { key: self.path.join("."), kept, dropped, loser, base });
        winner
    }

    /// How a name is written; both may have spaced it anew.
    fn spelling<'t>(&mut self, base: Option<&Text<'t>>, local: &Text<'t>, remote: &Text<'t>) -> Text<'t> {
        one_of(base, local, remote).unwrap_or(local.min(remote)).clone()
    }

    /// Comments and empty lines.
    fn comments<'t>(&mut self, base: Option<&Text<'t>>, local: &Text<'t>, remote: &Text<'t>) -> Text<'t> {
        if let Some(one) = one_of(base, local, remote) {
            return one.clone();
        }
        match text::merge(base.map_or(b"", |base| base), local, remote) {
            Ok(merged) => Cow::Owned(merged),
            Err(_) => {
                self.places += 1;
                local.clone()
            }
        }
    }
}

/// Answers whether the comments, and other lines that are in no entry, are there as often as both sides together want them.
fn keeps_comments(base: &Block<'_>, local: &Block<'_>, remote: &Block<'_>, merged: &Block<'_>) -> bool {
    let [base, local, remote, merged] = [base, local, remote, merged].map(|block| {
        let mut counts = BTreeMap::new();
        count_comments(block, &mut counts);
        counts
    });
    let lines: BTreeSet<&&[u8]> =
        [&base, &local, &remote, &merged].into_iter().flat_map(BTreeMap::keys).collect();
    lines.into_iter().all(|line| {
        let [base, local, remote, merged] =
            [&base, &local, &remote, &merged].map(|of| of.get(line).copied().unwrap_or(0));
        if let Some(one) = one_of(Some(base), local, remote) {
            return merged == one;
        }
        let (added, gone) = (
            [local, remote].map(|side| side.saturating_sub(base)),
            [local, remote].map(|side| base.saturating_sub(side)),
        );
        let least = (base + added[0].max(added[1])).saturating_sub(gone[0] + gone[1]);
        let most = (base + added[0] + added[1]).saturating_sub(gone[0].max(gone[1]));
        (least..=most).contains(&merged)
    })
}

fn count_comments<'b>(block: &'b Block<'_>, counts: &mut BTreeMap<&'b [u8], usize>) {
    let mut count = |text: &'b [u8]| {
        for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
        {
            *counts.entry(line).or_default() += 1;
        }
    };
    if !block.commas {
        count(&block.open);
        count(&block.close);
        block.entries.iter().for_each(|entry| count(&entry.lead));
    }
    for entry in &block.entries {
        if let Body::Block(inner) | Body::Dashed(_, inner) = &entry.body {
            count_comments(inner, counts);
        }
    }
}

/// How a file starts and ends, which is no part of any entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    has_mark: bool,
    ends_open: bool,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Frame {
    /// Takes three texts out of their frames. What has no line end of its own gets that of the base, and what is empty
    /// ends as the base does.
    pub(super) fn open_all<'t>(three: &Three<'t>) -> Result<[(Frame, Text<'t>); 3], Reason> {
        let base = three.base;
        let has_end = |text: &[u8]| text.contains(&b'\n');
        let is_open = |text: &[u8]| !text.is_empty() && !has_end(text);
        let has_return = |text: &[u8]| text.windows(2).any(|pair| pair == b"\r\n");
        // Nothing says how one line ends; if another side has line ends of two bytes, either could be right.
        let is_question = base != three.local && base != three.remote && three.local != three.remote;
        if is_question
            && !has_end(base)
            && three.all().into_iter().any(is_open)
            && three.all().into_iter().any(has_return)
        {
            return Err(Reason::Overlap { places: 1 });
        }
        let (of_base, _) = Frame::open(base);
        Ok(three.all().map(|text| match Frame::open_like(text, if has_end(text) { text } else { base }) {
            (_, text) if text.is_empty() => (of_base, text),
            opened => opened,
        }))
    }

    /// Takes a text out of its frame: without byte order mark, its last line ended.
    pub(super) fn open(text: &[u8]) -> (Frame, Text<'_>) {
        Frame::open_like(text, text)
    }

    fn open_like<'t>(text: &'t [u8], like: &[u8]) -> (Frame, Text<'t>) {
        let has_mark = text.starts_with(MARK);
        let text = text.strip_prefix(MARK).unwrap_or(text);
        let ends_open = text.last().is_some_and(|&last| last != b'\n');
        if !ends_open {
            return (Frame { has_mark, ends_open }, Cow::Borrowed(text));
        }
        let end = if like.windows(2).any(|pair| pair == b"\r\n") { &b"\r\n"[..] } else { b"\n" };
        (Frame { has_mark, ends_open }, Cow::Owned([text, end].concat()))
    }

    /// Puts what three make together into the frame that their frames make together.
    pub(super) fn close(frames: [Frame; 3], mut text: Vec<u8>) -> Vec<u8> {
        let of = |part: fn(&Frame) -> bool| {
            let [base, local, remote] = frames.each_ref().map(part);
            if local == remote { local } else { !base }
        };
        if of(|frame| frame.ends_open) && text.last() == Some(&b'\n') {
            text.truncate(text.len() - if text.ends_with(b"\r\n") { 2 } else { 1 });
        }
        if of(|frame| frame.has_mark) {
            text.splice(0..0, MARK.iter().copied());
        }
        text
    }
}

/// What a merge of outlines comes to.
pub(super) fn joined(block: &Block<'_>, frames: [Frame; 3], clashes: Vec<Clash>) -> Joined {
    let mut content = Vec::new();
    block.write(&mut content);
    Joined { content: Frame::close(frames, content), summary: Summary { clashes, ..Summary::default() } }
}

/// Takes apart what stands in brackets at `span`, its entries being these. Each starts with its head and ends with its
/// body. None if anything but blanks and commas stands between them, as a comment does.
pub(super) fn flow<'t>(
    text: &'t [u8],
    span: std::ops::Range<usize>,
    parts: Vec<(std::ops::Range<usize>, Entry<'t>)>,
    is_list: bool,
) -> Option<Block<'t>> {
    let between = |from: usize, to: usize| text.get(from..to).map(Cow::Borrowed);
    let is_blank = |text: &[u8]| text.iter().all(u8::is_ascii_whitespace);
    let inside = span.start + 1..span.end.checked_sub(1)?;
    let first = parts.first().map_or(inside.start, |(range, _)| range.start);
    let mut block = Block { commas: true, is_list, open: between(span.start, first)?, ..Block::default() };
    let mut end = first;
    for (range, mut entry) in parts {
        if let Some(last) = block.entries.last_mut() {
            let gap = text.get(end..range.start)?;
            let comma = gap.iter().position(|&byte| byte == b',')?;
            last.tail = Cow::Borrowed(&gap[..comma]);
            entry.lead = Cow::Borrowed(&gap[comma + 1..]);
            if !is_blank(&last.tail) || !is_blank(&entry.lead) {
                return None;
            }
        }
        end = range.end;
        block.entries.push(entry);
    }
    block.close = between(end, span.end)?;
    // What stands before an entry that is the first is not its own; as a later one it would be set off as others are.
    let usual = match block.entries.get(1) {
        Some(second) => second.lead.clone(),
        None if block.open.contains(&b'\n') => cut(&block.open, 1),
        None => Cow::Borrowed(&b" "[..]),
    };
    if let Some(first) = block.entries.first_mut() {
        first.lead = usual;
    }
    let close = text.get(end..inside.end)?.trim_ascii();
    let is_whole =
        is_blank(&block.open[1..]) && (close.is_empty() || (close == b"," && !block.entries.is_empty()));
    (is_whole && (is_list || block.is_distinct())).then_some(block)
}
