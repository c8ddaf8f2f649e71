//! Overlaps written into a text, as git writes them with the base in between.

use super::text::Region;
use crate::node::{PerSide, Side};

/// How long a marker is, if no line of the text looks like one.
const MARKER_LENGTH: usize = 7;
const SIGNS: [u8; 4] = [b'<', b'|', b'=', b'>'];

/// Writes what is settled as it is, and what overlaps between markers, longer than any that stand in the text; tells how
/// long they are.
pub(super) fn write(regions: &[Region], names: PerSide<&str>) -> (Vec<u8>, usize) {
    let length = length(regions);
    let ending: &[u8] = if uses_crlf(regions) { b"\r\n" } else { b"\n" };
    let mut text = Vec::new();
    for region in regions {
        let (base, local, remote) = match region {
            Region::Settled(lines) => {
                text.extend_from_slice(lines);
                continue;
            }
            Region::Overlap { base, local, remote } => (base, local, remote),
        };
        let words = [names[Side::Local], "base", "", names[Side::Remote]];
        let parts: [&[u8]; 4] = [local, base, remote, b""];
        for ((sign, word), lines) in SIGNS.iter().zip(words).zip(parts) {
            text.extend(std::iter::repeat_n(*sign, length));
            let space = if word.is_empty() { "" } else { " " };
            text.extend_from_slice(space.as_bytes());
            text.extend(word.bytes().filter(|byte| !byte.is_ascii_control()));
            text.extend_from_slice(ending);
            text.extend_from_slice(lines);
            if !lines.is_empty() && !lines.ends_with(b"\n") {
                text.extend_from_slice(ending);
            }
        }
    }
    (text, length)
}

/// Answers whether a marker with so many signs stands in a text. A line of `=` alone is none: it underlines headings.
pub fn remain(text: &[u8], signs: usize) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| {
        let run = line.iter().take_while(|byte| Some(*byte) == line.first()).count();
        let is_sign = line.first().is_some_and(|first| *first != b'=' && SIGNS.contains(first));
        is_sign && run == signs && matches!(line.get(run), None | Some(b' ' | b'\r'))
    })
}

fn texts(regions: &[Region]) -> impl Iterator<Item = &[u8]> {
    regions.iter().flat_map(|region| match region {
        Region::Settled(lines) => vec![&lines[..]],
        Region::Overlap { base, local, remote } => vec![&base[..], local, remote],
    })
}

/// One more than the longest run of a marker's sign at the start of a line, and as long as git's at least.
fn length(regions: &[Region]) -> usize {
    let lines = texts(regions).flat_map(|text| text.split(|&byte| byte == b'\n'));
    let runs = lines.map(|line| match line.first() {
        Some(first) if SIGNS.contains(first) => line.iter().take_while(|byte| *byte == first).count(),
        _ => 0,
    });
    let longest = runs.max().unwrap_or(0);
    if longest < MARKER_LENGTH { MARKER_LENGTH } else { longest + 1 }
}

fn uses_crlf(regions: &[Region]) -> bool {
    let first = texts(regions).find_map(|text| text.split_inclusive(|&byte| byte == b'\n').next());
    first.is_some_and(|line| line.ends_with(b"\r\n"))
}
