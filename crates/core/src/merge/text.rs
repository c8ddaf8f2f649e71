//! The line merge: what `git merge-file` makes of three texts, and where it sees an overlap.
//!
//! Both sides are compared with the base; changes that touch no common place are taken, equal ones once. Two changes
//! that meet, even if only side by side, overlap.

use std::ops::Range;

use gix_imara_diff::sources::byte_lines;
use gix_imara_diff::{Algorithm, Diff, InternedInput, Token};

use super::{Reason, check, check_cost};
use crate::mutant;
use crate::node::{PerSide, Side};

/// A part of what three versions make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Region {
    /// Lines on which there is no disagreement, changed or not.
    Settled(Vec<u8>),
    /// Lines that both sides changed, each in its way.
    Overlap {
        /// What both last agreed on.
        base: Vec<u8>,
        /// What stands here.
        local: Vec<u8>,
        /// What stands there.
        remote: Vec<u8>,
    },
}

/// Merges line by line; undecided if any place overlaps.
pub(super) fn merge(base: &[u8], local: &[u8], remote: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut merged = Vec::with_capacity(local.len().max(remote.len()));
    let mut places = 0;
    for region in parts(base, local, remote)? {
        match region {
            Region::Settled(lines) => merged.extend_from_slice(&lines),
            Region::Overlap { local, .. } if mutant::is_on("overlap-takes-ours") => merged.extend(local),
            Region::Overlap { .. } => places += 1,
        }
    }
    if places == 0 { Ok(merged) } else { Err(Reason::Overlap { places }) }
}

/// How many bytes a side has behind all that the base has.
pub(super) fn grown(base: &[u8], side: &[u8]) -> Result<usize, Reason> {
    if let Some(tail) = side.strip_prefix(base) {
        return Ok(tail.len());
    }
    let input = InternedInput::new(byte_lines(base), byte_lines(side));
    let changes = changes(&input)?;
    let last = changes.last().filter(|last| last.base.is_empty() && last.base.end == input.before.len());
    let lines = last.map_or(&[][..], |last| &input.after[last.side.clone()]);
    Ok(lines.iter().map(|&line| input.interner[line].len()).sum())
}

/// A place where a side changed the base.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// These lines of the base.
    pub base: Range<usize>,
    /// What stands there now.
    pub now: Vec<u8>,
}

/// Where a side changed the base, line by line.
pub(super) fn changed(base: &[u8], side: &[u8]) -> Result<Vec<Changed>, Reason> {
    let input = InternedInput::new(byte_lines(base), byte_lines(side));
    let now = |lines: Range<usize>| input.after[lines].iter().flat_map(|&line| input.interner[line]).copied();
    let changes = changes(&input)?.into_iter();
    Ok(changes.map(|change| Changed { base: change.base, now: now(change.side).collect() }).collect())
}

/// Takes three versions apart into what is settled and what overlaps, in order.
pub fn regions(base: &[u8], local: &[u8], remote: &[u8]) -> Result<Vec<Region>, Reason> {
    check(&[base, local, remote])?;
    parts(base, local, remote)
}

/// Takes two versions without a base apart: where they are equal it is settled, all else overlaps.
pub fn differences(local: &[u8], remote: &[u8]) -> Result<Vec<Region>, Reason> {
    check(&[local, remote])?;
    let input = InternedInput::new(byte_lines(local), byte_lines(remote));
    let text = |tokens: &[Token]| tokens.iter().flat_map(|&token| input.interner[token]).copied().collect();
    let (mut regions, mut at) = (Vec::new(), 0);
    for Change { base: here, side: there } in changes(&input)? {
        settle(&mut text(&input.before[at..here.start]), &mut regions);
        at = here.end;
        let (local, remote) = (text(&input.before[here]), text(&input.after[there]));
        regions.push(Region::Overlap { base: Vec::new(), local, remote });
    }
    settle(&mut text(&input.before[at..]), &mut regions);
    Ok(regions)
}

/// What a person takes where both sides changed the same lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// What stands here.
    Here,
    /// What stands there.
    There,
    /// What stands here, then what stands there.
    Both,
    /// What both last agreed on.
    Base,
    /// Lines of their own.
    Lines(Vec<u8>),
}

/// Puts regions together again, with one pick for each overlap, in order.
///
/// # Panics
///
/// If there are fewer picks than overlaps.
pub fn put_together(regions: &[Region], picks: &[Pick]) -> Vec<u8> {
    let mut picks = picks.iter();
    let mut whole = Vec::new();
    for region in regions {
        let (base, local, remote) = match region {
            Region::Settled(lines) => {
                add_lines(&mut whole, lines);
                continue;
            }
            Region::Overlap { base, local, remote } => (base, local, remote),
        };
        match picks.next().expect("because each overlap has its pick") {
            Pick::Here => add_lines(&mut whole, local),
            Pick::There => add_lines(&mut whole, remote),
            Pick::Base => add_lines(&mut whole, base),
            Pick::Lines(lines) => add_lines(&mut whole, lines),
            Pick::Both => {
                add_lines(&mut whole, local);
                add_lines(&mut whole, remote);
            }
        }
    }
    whole
}

/// Adds lines. Only the end of a file may lack its line break: what comes after such a line gets a line of its own.
fn add_lines(whole: &mut Vec<u8>, lines: &[u8]) {
    if !lines.is_empty() && whole.last().is_some_and(|&byte| byte != b'\n') {
        whole.push(b'\n');
    }
    whole.extend_from_slice(lines);
}

/// How many places overlap.
pub fn overlaps(regions: &[Region]) -> usize {
    regions.iter().filter(|region| matches!(region, Region::Overlap { .. })).count()
}

/// One change of a side: these lines of the base became those of the side.
#[derive(Debug, Clone)]
struct Change {
    base: Range<usize>,
    side: Range<usize>,
}

/// What happens to some lines of the base.
#[derive(Debug)]
struct Block {
    base: Range<usize>,
    sides: PerSide<Range<usize>>,
    /// The side that alone changed it, or that both agree with; none for an overlap.
    winner: Option<Side>,
}

/// Three texts as lines: equal lines have equal tokens.
struct Lines<'t> {
    input: InternedInput<&'t [u8]>,
    base: Vec<Token>,
    sides: PerSide<Vec<Token>>,
}

fn parts(base: &[u8], local: &[u8], remote: &[u8]) -> Result<Vec<Region>, Reason> {
    let mut input = InternedInput::new(byte_lines(base), byte_lines(local));
    let local_changes = changes(&input)?;
    let local = std::mem::take(&mut input.after);
    input.update_after(byte_lines(remote));
    let remote_changes = changes(&input)?;
    let remote = std::mem::take(&mut input.after);
    let base = std::mem::take(&mut input.before);
    let lines = Lines { input, base, sides: PerSide { local, remote } };
    let blocks = blocks(&lines, PerSide { local: local_changes, remote: remote_changes });
    Ok(write(&lines, &blocks))
}

fn changes(input: &InternedInput<&[u8]>) -> Result<Vec<Change>, Reason> {
    check_cost(input)?;
    let mut diff = Diff::compute(Algorithm::Myers, input);
    // Where a change can slide among equal lines, it comes to rest as it does in git.
    diff.postprocess_no_heuristic(input);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    Ok(diff.hunks().map(|hunk| Change { base: range(hunk.before), side: range(hunk.after) }).collect())
}

/// Pairs the changes of both sides, in order of the base.
fn blocks(lines: &Lines<'_>, changes: PerSide<Vec<Change>>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut next = PerSide { local: 0, remote: 0 };
    loop {
        let pair = (changes.local.get(next.local), changes.remote.get(next.remote));
        let (local, remote) = match pair {
            (Some(local), Some(remote)) => (local, remote),
            (None, None) => return blocks,
            (Some(_), None) => {
                take_alone(&mut blocks, &changes, &mut next, Side::Local);
                continue;
            }
            (None, Some(_)) => {
                take_alone(&mut blocks, &changes, &mut next, Side::Remote);
                continue;
            }
        };
        if local.base.end < remote.base.start {
            take_alone(&mut blocks, &changes, &mut next, Side::Local);
            continue;
        }
        if remote.base.end < local.base.start {
            take_alone(&mut blocks, &changes, &mut next, Side::Remote);
            continue;
        }
        append(&mut blocks, meet(lines, local, remote));
        next.local += usize::from(remote.base.end >= local.base.end);
        next.remote += usize::from(local.base.end >= remote.base.end);
    }
}

/// A change that meets none of the other side, whose lines are those of the base here.
fn take_alone(
    blocks: &mut Vec<Block>,
    changes: &PerSide<Vec<Change>>,
    next: &mut PerSide<usize>,
    side: Side,
) {
    let change = &changes[side][next[side]];
    let other = &changes[side.other()];
    // How far the other side is shifted against the base: by its last change before this one.
    let before = next[side.other()].checked_sub(1).map(|at| &other[at]);
    let (base_at, other_at) = before.map_or((0, 0), |change| (change.base.end, change.side.end));
    let shift = |at: usize| (at + other_at).saturating_sub(base_at);
    let mut sides = PerSide { local: change.side.clone(), remote: change.side.clone() };
    sides[side.other()] = shift(change.base.start)..shift(change.base.end);
    append(blocks, Block { base: change.base.clone(), sides, winner: Some(side) });
    next[side] += 1;
}

/// Two changes that touch: equal ones are one, others overlap over all that either covers.
fn meet(lines: &Lines<'_>, local: &Change, remote: &Change) -> Block {
    let same = local.base == remote.base
        && lines.sides.local[local.side.clone()] == lines.sides.remote[remote.side.clone()];
    if same {
        let sides = PerSide { local: local.side.clone(), remote: remote.side.clone() };
        return Block { base: local.base.clone(), sides, winner: Some(Side::Local) };
    }
    let base = local.base.start.min(remote.base.start)..local.base.end.max(remote.base.end);
    // Where an earlier change of the same side lies in between, the start is of no meaning: the block before has it.
    let widen = |change: &Change| {
        let start = change.side.start.saturating_sub(change.base.start - base.start);
        start..change.side.end + (base.end - change.base.end)
    };
    Block { sides: PerSide { local: widen(local), remote: widen(remote) }, base, winner: None }
}

/// Adds a block; one that meets the block before becomes one with it.
fn append(blocks: &mut Vec<Block>, block: Block) {
    let Some(last) = blocks.last_mut() else {
        blocks.push(block);
        return;
    };
    let meets = Side::BOTH.iter().any(|&side| block.sides[side].start <= last.sides[side].end);
    if !meets {
        blocks.push(block);
        return;
    }
    if block.winner != last.winner {
        last.winner = None;
    }
    // The later block knows of all changes up to its end; the earlier one had to guess.
    last.base.end = block.base.end;
    for side in Side::BOTH {
        last.sides[side].end = block.sides[side].end;
    }
}

fn write(lines: &Lines<'_>, blocks: &[Block]) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut settled = Vec::new();
    let mut at = 0;
    for block in blocks {
        lines.copy(&lines.base[at..block.base.start], &mut settled);
        at = block.base.end;
        match block.winner {
            Some(Side::Remote) if mutant::is_on("merge-drops-hunk") => {
                lines.copy(&lines.base[block.base.clone()], &mut settled);
            }
            Some(side) => lines.copy(&lines.sides[side][block.sides[side].clone()], &mut settled),
            None => overlap(lines, block, &mut settled, &mut regions),
        }
    }
    lines.copy(&lines.base[at..], &mut settled);
    settle(&mut settled, &mut regions);
    regions
}

/// Writes an overlap; what both sides have alike at its start and end is no part of the question.
fn overlap(lines: &Lines<'_>, block: &Block, settled: &mut Vec<u8>, regions: &mut Vec<Region>) {
    let [local, remote] = Side::BOTH.map(|side| &lines.sides[side][block.sides[side].clone()]);
    let alike = |(a, b): &(&Token, &Token)| a == b;
    let lead = local.iter().zip(remote).take_while(alike).count();
    if local.len() == remote.len() && lead == local.len() {
        lines.copy(local, settled);
        return;
    }
    let tail = local[lead..].iter().rev().zip(remote[lead..].iter().rev()).take_while(alike).count();
    lines.copy(&local[..lead], settled);
    settle(settled, regions);
    let text = |tokens: &[Token]| {
        let mut text = Vec::new();
        lines.copy(tokens, &mut text);
        text
    };
    regions.push(Region::Overlap {
        base: text(&lines.base[block.base.clone()]),
        local: text(&local[lead..local.len() - tail]),
        remote: text(&remote[lead..remote.len() - tail]),
    });
    lines.copy(&local[local.len() - tail..], settled);
}

fn settle(lines: &mut Vec<u8>, regions: &mut Vec<Region>) {
    if !lines.is_empty() {
        regions.push(Region::Settled(std::mem::take(lines)));
    }
}

impl Lines<'_> {
    fn copy(&self, tokens: &[Token], to: &mut Vec<u8>) {
        for &token in tokens {
            to.extend_from_slice(self.input.interner[token]);
        }
    }
}
