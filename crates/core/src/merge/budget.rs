//! How much work a comparison may be: counted in steps, as nothing here has a clock.
//!
//! Two long texts of few different lines in another order take a diff hours. Such texts have nothing to be merged, and
//! they are found out by trying: the number of edits between them is searched for, and given up when it costs too much.

use gix_imara_diff::Token;

/// How many steps are tried: some tenths of a second.
const STEPS_MAX: usize = 40_000_000;
/// How many edits are tried; each costs as many steps as there were edits before it.
const EDITS_MAX: usize = 9_000;

/// Answers whether a diff of the two sequences ends soon.
pub(super) fn is_affordable(before: &[Token], after: &[Token], kinds: u32) -> bool {
    ends_within(STEPS_MAX, before, after, kinds)
}

fn ends_within(steps_max: usize, before: &[Token], after: &[Token], kinds: u32) -> bool {
    // Lines that the other text does not have cost a diff nothing.
    let (before, after) = (only_shared(before, after, kinds), only_shared(after, before, kinds));
    let lead = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[lead..], &after[lead..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
    before.is_empty() || after.is_empty() || count_edits(before, after, steps_max).is_some()
}

fn only_shared(of: &[Token], other: &[Token], kinds: u32) -> Vec<Token> {
    let mut known = vec![false; kinds as usize];
    other.iter().for_each(|token| known[token.0 as usize] = true);
    of.iter().copied().filter(|token| known[token.0 as usize]).collect()
}

/// Myers' search from the start: how far each diagonal gets with so many edits. None if the budget is spent.
fn count_edits(before: &[Token], after: &[Token], steps_max: usize) -> Option<usize> {
    let middle = EDITS_MAX as isize + 1;
    let mut reached = vec![0_usize; 2 * EDITS_MAX + 3];
    let mut steps = 0;
    for edits in 0..=EDITS_MAX as isize {
        for diagonal in (-edits..=edits).step_by(2) {
            let at = (middle + diagonal) as usize;
            let down = diagonal == -edits || (diagonal != edits && reached[at - 1] < reached[at + 1]);
            let x = if down { reached[at + 1] } else { reached[at - 1] + 1 };
            let y = (x as isize - diagonal) as usize;
            let snake = match (before.get(x..), after.get(y..)) {
                (Some(a), Some(b)) => a.iter().zip(b).take_while(|(a, b)| a == b).count(),
                _ => 0,
            };
            reached[at] = x + snake;
            steps += snake + 1;
            if x + snake >= before.len() && y + snake >= after.len() {
                return Some(edits as usize);
            }
        }
        if steps > steps_max {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        text.bytes().map(|byte| Token(u32::from(byte))).collect()
    }

    #[test]
    fn edits_are_counted() {
        for (before, after, edits) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("abcabba", "cbabac", 5),
            ("abc", "axc", 2),
            ("xabc", "abc", 1),
        ] {
            assert_eq!(count_edits(&tokens(before), &tokens(after), 1_000), Some(edits), "{before} {after}");
        }
    }

    #[test]
    fn shuffled_lines_cost_too_much_and_new_ones_nothing() {
        let mut state = 1_u32;
        let mut shuffled = |kinds: u32| -> Vec<Token> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Token((state >> 16) % kinds)
            };
            (0..200_000).map(|_| next()).collect()
        };
        let ends_soon = |before: &[Token], after: &[Token]| ends_within(300_000, before, after, 400_000);
        assert!(!ends_soon(&shuffled(2), &shuffled(2)));
        assert!(!ends_soon(&shuffled(1_000), &shuffled(1_000)));
        let [old, new] = [0, 200_000].map(|from| (from..from + 200_000).map(Token).collect::<Vec<_>>());
        assert!(ends_soon(&old, &new));
        assert!(ends_soon(&[Token(0)].repeat(200_000), &[Token(0)].repeat(100_000)));
    }
}
