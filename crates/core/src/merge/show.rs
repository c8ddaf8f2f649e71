//! Differences for people: unified-diff hunks as values, without colours and words.

use std::collections::BTreeSet;
use std::ops::Range;

use gix_imara_diff::sources::byte_lines;
use gix_imara_diff::{Algorithm, Diff, InternedInput};

use super::{Reason, check, check_cost, dotenv};

/// How many unchanged lines are shown around a change.
const CONTEXT: u32 = 3;

/// One changed place with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Its lines before, from 0.
    pub before: Range<u32>,
    /// Its lines after, from 0.
    pub after: Range<u32>,
    /// Both together, in the order in which they are read.
    pub lines: Vec<Line>,
}

/// One line of a [`Hunk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happened to it.
    pub kind: LineKind,
    /// Its bytes, with the line break if it has one; to be escaped before a terminal sees them.
    pub text: Vec<u8>,
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// Nothing.
    Same,
    /// It is gone.
    Removed,
    /// It is new.
    Added,
}

impl LineKind {
    /// The sign in front of it.
    pub const fn sign(self) -> char {
        match self {
            LineKind::Same => ' ',
            LineKind::Removed => '-',
            LineKind::Added => '+',
        }
    }
}

impl Hunk {
    /// The line that announces it: `@@ -1,4 +1,5 @@`.
    pub fn header(&self) -> String {
        let part = |range: &Range<u32>| match range.len() {
            1 => format!("{}", range.start + 1),
            0 => format!("{},0", range.start),
            length => format!("{},{length}", range.start + 1),
        };
        format!("@@ -{} +{} @@", part(&self.before), part(&self.after))
    }
}

/// Compares two contents line by line; undecided if they are no text or too large.
pub fn diff(before: &[u8], after: &[u8]) -> Result<Vec<Hunk>, Reason> {
    check(&[before, after])?;
    let input = InternedInput::new(byte_lines(before), byte_lines(after));
    check_cost(&input)?;
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let changes: Vec<Change> =
        diff.hunks().map(|change| Change { before: change.before, after: change.after }).collect();
    let near = |one: &Change, other: &Change| other.before.start - one.before.end <= 2 * CONTEXT;
    Ok(changes.chunk_by(near).map(|changes| hunk(&input, changes)).collect())
}

/// A variable that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name; to be escaped before a terminal sees it.
    pub name: Vec<u8>,
    /// It is new or gone; [`LineKind::Same`] if it has another value.
    pub kind: LineKind,
}

/// The variables of `.env` files that differ, by name, without their values; none if either is not plainly a list of
/// variables.
pub fn variables(before: &[u8], after: &[u8]) -> Option<Vec<Variable>> {
    let (before, after) = (dotenv::variables(before)?, dotenv::variables(after)?);
    let names: BTreeSet<&Vec<u8>> = before.keys().chain(after.keys()).collect();
    let differs = names.into_iter().filter_map(|name| {
        let kind = match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(_), Some(_)) => LineKind::Same,
            (Some(_), None) => LineKind::Removed,
            (None, _) => LineKind::Added,
        };
        Some(Variable { name: name.clone(), kind })
    });
    Some(differs.collect())
}

struct Change {
    before: Range<u32>,
    after: Range<u32>,
}

fn hunk(input: &InternedInput<&[u8]>, changes: &[Change]) -> Hunk {
    let (first, last) = (&changes[0], &changes[changes.len() - 1]);
    let lead = first.before.start.min(CONTEXT);
    let tail = (input.before.len() as u32 - last.before.end).min(CONTEXT);
    let mut lines = Vec::new();
    let mut add = |kind, tokens: &[gix_imara_diff::Token]| {
        lines.extend(tokens.iter().map(|&token| Line { kind, text: input.interner[token].to_vec() }));
    };
    let slice = |range: Range<u32>| range.start as usize..range.end as usize;
    let mut at = first.before.start - lead;
    for change in changes {
        add(LineKind::Same, &input.before[slice(at..change.before.start)]);
        add(LineKind::Removed, &input.before[slice(change.before.clone())]);
        add(LineKind::Added, &input.after[slice(change.after.clone())]);
        at = change.before.end;
    }
    add(LineKind::Same, &input.before[slice(at..at + tail)]);
    Hunk {
        before: first.before.start - lead..last.before.end + tail,
        after: first.after.start - lead..last.after.end + tail,
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let hunks = diff(before.as_bytes(), after.as_bytes()).unwrap();
        let lines = |hunk: &Hunk| -> String {
            let text = |line: &Line| {
                format!("{}{}\n", line.kind.sign(), String::from_utf8_lossy(&line.text).trim_end())
            };
            hunk.lines.iter().map(text).collect()
        };
        hunks.iter().map(|hunk| format!("{}\n{}", hunk.header(), lines(hunk))).collect()
    }

    #[test]
    fn variables_that_differ_are_named_without_values() {
        let differ = |before: &str, after: &str| -> Option<String> {
            let signs = variables(before.as_bytes(), after.as_bytes())?.into_iter().map(|variable| {
                let sign = if variable.kind == LineKind::Same { '~' } else { variable.kind.sign() };
                format!("{sign}{} ", String::from_utf8(variable.name).unwrap())
            });
            Some(signs.collect())
        };
        let before = "A=1\nB='2\n3=4'\n# note\nC=5\n";
        assert_eq!(differ(before, "B='2\n3=5'\nC=5\nD=6\n").as_deref(), Some("-A ~B +D "));
        assert_eq!(differ(before, before).as_deref(), Some(""));
        assert_eq!(differ(before, "A='1\n"), None, "a quote does not end");
    }

    #[test]
    fn changes_are_shown_with_what_surrounds_them() {
        let before: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let after = before.replace("\n3\n", "\nthree\n").replace("\n18\n", "\n");
        let expected = "@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n@@ -15,6 +15,5 @@\n 15\n 16\n 17\n-18\n 19\n 20\n";
        assert_eq!(shown(&before, &after), expected);
        assert_eq!(shown("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(shown("a\n", ""), "@@ -1 +0,0 @@\n-a\n");
        assert_eq!(shown("a", "a"), "");
        assert_eq!(shown("a", "a\n"), "@@ -1 +1 @@\n-a\n+a\n");
    }
}
