//! Comments as entries by themselves, so that what a side adds may stand above or below them; and where nobody knows which
//! lines belong to which.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Block, Body, Entry, Name, Text, unspaced};
use crate::merge::value::Value;

/// The comments above each entry of the base, and those at its end, as entries by themselves: what a side adds may stand
/// above or below them. Also tells how many of them could be meant by more than one that stands there.
pub(super) fn headed<'t>(base: &Block<'t>, block: &Block<'t>) -> (Block<'t>, usize) {
    let heading = |above: Option<&Name>, text: Text<'t>| Entry {
        name: heading_of(above),
        lead: text,
        head: Cow::Borrowed(b""),
        body: Body::Leaf(Cow::Borrowed(b"")),
        tail: Cow::Borrowed(b""),
        value: Value::Other(String::new()),
    };
    let known: BTreeMap<&Name, &Entry<'t>> = base.entries.iter().map(|it| (&it.name, it)).collect();
    let mut entries: Vec<Entry<'t>> = Vec::with_capacity(block.entries.len());
    // Where what was added last starts.
    let mut run = 0;
    let mut unsure = 0;
    let mut settle = |entries: &mut Vec<Entry<'t>>,
                      above: Option<&Name>,
                      old: &Text<'t>,
                      lead: &mut Text<'t>,
                      run: usize| {
        if unspaced(old).is_empty() {
            return;
        }
        let added = entries.get(run..).unwrap_or_default();
        let holders =
            added.iter().map(|entry| &entry.lead).chain([&*lead]).filter(|text| holds(text, old)).count();
        unsure += usize::from(holders > 1);
        let first = added.iter().position(|entry| entry.lead.starts_with(old)).map(|at| run + at);
        if lead.starts_with(old) {
            *lead = cut(lead, old.len());
            entries.push(heading(above, old.clone()));
        } else if let Some(first) = first {
            entries[first].lead = cut(&entries[first].lead, old.len());
            entries.insert(first, heading(above, old.clone()));
        } else if !lead.is_empty() {
            entries.push(heading(above, std::mem::take(lead)));
        }
    };
    for entry in &block.entries {
        let mut entry = entry.clone();
        if let Some(old) = known.get(&entry.name) {
            settle(&mut entries, Some(&entry.name), &old.lead, &mut entry.lead, run);
            run = entries.len() + 1;
        }
        entries.push(entry);
    }
    let mut close = block.close.clone();
    settle(&mut entries, None, &base.close, &mut close, run);
    (Block { entries, close, open: block.open.clone(), ..*block }, unsure)
}

/// The name of the comments above an entry, or of those at the end.
fn heading_of(above: Option<&Name>) -> Name {
    let rank = above.map_or(u8::MAX, |name| name.rank);
    let bytes = above.map_or(&b""[..], |name| &name.bytes);
    Name::of([&[0, rank], bytes].concat())
}

/// How often one side wrote the comments at a place anew, where the other added some behind them: which come first?
pub(super) fn rewritten_and_added(base: &Block<'_>, rewriter: &Block<'_>, adder: &Block<'_>) -> usize {
    let heads = |block: &Block<'_>| -> BTreeMap<Name, Vec<u8>> {
        let heads = block.entries.iter().filter(|entry| entry.name.bytes.first() == Some(&0));
        heads.map(|entry| (entry.name.clone(), unspaced(&entry.lead))).collect()
    };
    let (old, new) = (heads(base), heads(rewriter));
    let added = adder.entries.iter().map(|entry| (Some(&entry.name), &entry.lead));
    let all = added.chain(std::iter::once((None, &adder.close)));
    let has_both = |(name, lead): &(Option<&Name>, &Text<'_>)| {
        let head = heading_of(*name);
        !unspaced(lead).is_empty() && old.contains_key(&head) && old.get(&head) != new.get(&head)
    };
    all.filter(has_both).count()
}

/// How often one side both added something above an entry and left the comments there not as they were, where the other
/// changed something there too: nobody knows then which lines belong to which.
pub(super) fn broken_and_touched(base: &Block<'_>, sides: [&Block<'_>; 2]) -> usize {
    let old = runs(base, base);
    let new = sides.map(|side| runs(base, side));
    let is_touched = |side: usize, above: &Option<&Name>| new[side].get(above) != old.get(above);
    let is_broken = |side: usize, above: &Option<&Name>, heading: &(&Name, &Text<'_>)| {
        let run = new[side].get(above).map_or(&[][..], |run| run);
        run.iter().any(|it| it.0 != heading.0) && !run.contains(heading)
    };
    let headings = old.iter().filter_map(|(above, run)| Some((above, run.first()?)));
    headings
        .filter(|(above, heading)| {
            [0, 1].iter().any(|&side| is_broken(side, above, heading) && is_touched(1 - side, above))
        })
        .count()
}

/// What stands between the entries of the base: comments by themselves, and what was added; by the entry below it.
fn runs<'b, 't>(
    base: &Block<'t>,
    block: &'b Block<'t>,
) -> BTreeMap<Option<&'b Name>, Vec<(&'b Name, &'b Text<'t>)>> {
    let is_heading = |name: &&Name| name.bytes.first() == Some(&0);
    let known: BTreeSet<&Name> = base.names().filter(|name| !is_heading(name)).collect();
    let (mut runs, mut run) = (BTreeMap::new(), Vec::new());
    for entry in &block.entries {
        if known.contains(&entry.name) {
            runs.insert(Some(&entry.name), std::mem::take(&mut run));
        } else {
            run.push((&entry.name, &entry.lead));
        }
    }
    runs.insert(None, run);
    runs
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

/// The text without its start.
pub(super) fn cut<'t>(text: &Text<'t>, length: usize) -> Text<'t> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[length..]),
        Cow::Owned(text) => Cow::Owned(text[length..].to_vec()),
    }
}
