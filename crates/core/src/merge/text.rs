//! The line merge: the verdict that `git merge-file` gives.

use std::num::NonZeroU8;

use gix_imara_diff::{Algorithm, InternedInput};
use gix_merge::blob::Resolution;
use gix_merge::blob::builtin_driver::text::{Conflict, ConflictStyle, Labels, Merge};

use super::{Reason, check};

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
    let (merged, resolution) = run(base, local, remote, Conflict::DEFAULT_MARKER_SIZE);
    if resolution == Resolution::Complete {
        return Ok(merged);
    }
    let places = regions(base, local, remote).map_or(1, |regions| overlaps(&regions));
    Err(Reason::Overlap { places })
}

/// Takes three versions apart into what is settled and what overlaps, in order.
pub fn regions(base: &[u8], local: &[u8], remote: &[u8]) -> Result<Vec<Region>, Reason> {
    check(&[base, local, remote])?;
    let marker = free_marker_size(&[base, local, remote]).ok_or(Reason::Opaque)?;
    let (merged, _) = run(base, local, remote, marker);
    Ok(parse(&merged, usize::from(marker)))
}

/// How many places overlap.
pub fn overlaps(regions: &[Region]) -> usize {
    regions.iter().filter(|region| matches!(region, Region::Overlap { .. })).count()
}

fn run(base: &[u8], local: &[u8], remote: &[u8], marker: u8) -> (Vec<u8>, Resolution) {
    let mut input = InternedInput::default();
    let mut merged = Vec::new();
    let marker_size = NonZeroU8::new(marker).expect("because a marker has at least seven characters");
    // This style alone agrees with git in every verdict, and shows what both last agreed on.
    let conflict = Conflict::Keep { style: ConflictStyle::ZealousDiff3, marker_size };
    let merge = Merge::new(&mut input, local, base, remote, Algorithm::Myers);
    let resolution = merge.run(&mut merged, Labels::default(), conflict);
    (merged, resolution)
}

/// A length of marker that no line of the contents starts with, if there is one.
fn free_marker_size(versions: &[&[u8]]) -> Option<u8> {
    let run = |line: &[u8]| match line.first() {
        Some(&first @ (b'<' | b'|' | b'=' | b'>')) => line.iter().take_while(|&&byte| byte == first).count(),
        _ => 0,
    };
    let longest = versions.iter().flat_map(|version| version.split(|&byte| byte == b'\n')).map(run).max();
    u8::try_from(longest.unwrap_or(0).max(6) + 1).ok()
}

fn parse(merged: &[u8], marker: usize) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut parts: [Vec<u8>; 4] = Default::default();
    let mut part = 0;
    for line in merged.split_inclusive(|&byte| byte == b'\n') {
        let text = line.trim_ascii_end();
        let is_marker = text.len() == marker && text.iter().all(|&byte| byte == text[0]);
        let turn = if is_marker { b"<|=>".iter().position(|&sign| sign == text[0]) } else { None };
        match turn {
            None => parts[part].extend_from_slice(line),
            Some(0) => {
                part = 1;
                settle(&mut parts[0], &mut regions);
            }
            Some(1) => part = 2,
            Some(2) => part = 3,
            Some(_) => {
                part = 0;
                let [local, base, remote] = [1, 2, 3].map(|at| std::mem::take(&mut parts[at]));
                regions.push(Region::Overlap { base, local, remote });
            }
        }
    }
    settle(&mut parts[0], &mut regions);
    regions
}

fn settle(lines: &mut Vec<u8>, regions: &mut Vec<Region>) {
    if !lines.is_empty() {
        regions.push(Region::Settled(std::mem::take(lines)));
    }
}
