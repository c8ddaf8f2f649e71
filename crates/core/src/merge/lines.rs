//! The merge of files that grow at their end: logs, and data with one JSON value a line.
//!
//! What both appended is joined; each side's lines keep their order, and a line that both appended at one place stands
//! once. What is edited further up merges line by line.
//!
//! Appended lines are joined as a tree in which a line hangs below the last one before it that is greater, by time and
//! then by its bytes. So lines with times come into the order of time, lines without one stay with the line that they
//! follow, and three machines come to the same file whoever meets whom first: trees with equal heads are joined below
//! these heads, others stand one after another.

use super::grammar::Grammar;
use super::json::tree::{Dialect, parse};
use super::moment::Moment;
use super::{Joined, Reason, Three, records, text};
use crate::node::{PerSide, Side};

/// By what lines are ordered: those without a time are less than all with one.
type Rank<'t> = (Option<Moment>, &'t [u8]);

/// Merges texts that grow at their end; `grammar` is what each of their lines obeys.
pub(super) fn merge(grammar: Grammar, three: &Three<'_>) -> Result<Joined, Reason> {
    if three.all().iter().any(|version| !grammar.accepts(version)) {
        return Err(Reason::NotValid(grammar.word()));
    }
    let [base, local, remote] = three.all().map(complete);
    let sides = PerSide { local: &local[..], remote: &remote[..] };
    let grown =
        PerSide { local: text::grown(&base, sides.local)?, remote: text::grown(&base, sides.remote)? };
    let stems = PerSide::from_fn(|side| &sides[side][..sides[side].len() - grown[side]]);
    let tails = PerSide::from_fn(|side| &sides[side][sides[side].len() - grown[side]..]);
    let mut content = text::merge(&base, stems.local, stems.remote)?;
    content.extend(join(tails.local, tails.remote));
    let ends = three.all().map(|version| version.is_empty() || version.ends_with(b"\n"));
    let has_grown = grown.local + grown.remote > 0;
    let is_ended = match ends {
        [_, local, remote] if has_grown => local || remote,
        [base, local, remote] => {
            if local == base {
                remote
            } else {
                local
            }
        }
    };
    if !is_ended && content.ends_with(b"\n") {
        content.pop();
    }
    if grammar.accepts(&content) { Ok(content.into()) } else { Err(Reason::WouldBreak(grammar.word())) }
}

/// A last line that is not ended yet is a line all the same.
fn complete(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

/// Appended lines, each with its rank and where the next begins that is not less.
struct Run<'t> {
    lines: Vec<&'t [u8]>,
    ranks: Vec<Rank<'t>>,
    next: Vec<usize>,
}

impl<'t> Run<'t> {
    fn new(text: &'t [u8]) -> Self {
        let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
        let ranks: Vec<Rank<'_>> = lines.iter().map(|line| (moment(line), *line)).collect();
        let mut next = vec![lines.len(); lines.len()];
        let mut open: Vec<usize> = Vec::new();
        for at in 0..lines.len() {
            while let Some(before) = open.pop_if(|before| ranks[*before] <= ranks[at]) {
                next[before] = at;
            }
            open.push(at);
        }
        Run { lines, ranks, next }
    }
}

/// Joins what both appended.
fn join(local: &[u8], remote: &[u8]) -> Vec<u8> {
    let runs = PerSide { local: Run::new(local), remote: Run::new(remote) };
    let mut joined = Vec::with_capacity(local.len() + remote.len());
    let mut at = PerSide { local: 0, remote: 0 };
    // Below equal heads both sides' lines are joined up to here, then what stands beside these heads.
    let mut ends = vec![PerSide { local: runs.local.lines.len(), remote: runs.remote.lines.len() }];
    let mut take = |side: Side, at: &mut PerSide<usize>, end: usize| {
        runs[side].lines[at[side]..end].iter().for_each(|line| joined.extend_from_slice(line));
        at[side] = end;
    };
    while let Some(end) = ends.last().copied() {
        let left = Side::BOTH.map(|side| at[side] < end[side]);
        let [local, remote] = Side::BOTH.map(|side| runs[side].ranks.get(at[side]));
        match left {
            [false, false] => drop(ends.pop()),
            [true, false] => take(Side::Local, &mut at, end.local),
            [false, true] => take(Side::Remote, &mut at, end.remote),
            [true, true] if local == remote => {
                ends.push(PerSide::from_fn(|side| runs[side].next[at[side]].min(end[side])));
                let next = at.local + 1;
                take(Side::Local, &mut at, next);
                at.remote += 1;
            }
            [true, true] => {
                let lesser = if local < remote { Side::Local } else { Side::Remote };
                let end = runs[lesser].next[at[lesser]].min(end[lesser]);
                take(lesser, &mut at, end);
            }
        }
    }
    joined
}

/// When a line says that it is from: by a field of its JSON, or at its start.
fn moment(line: &[u8]) -> Option<Moment> {
    let line = line.trim_ascii();
    if line.starts_with(b"{") {
        return parse(line, Dialect::Strict).ok().and_then(|record| records::created(&record.value));
    }
    Moment::at_start(line.strip_prefix(b"[").unwrap_or(line)).map(|(moment, _)| moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(grammar: Grammar, base: &str, local: &str, remote: &str) -> Result<String, Reason> {
        let answer = |local: &str, remote: &str| {
            let three = Three { base: base.as_bytes(), local: local.as_bytes(), remote: remote.as_bytes() };
            merge(grammar, &three).map(|joined| String::from_utf8(joined.content).unwrap())
        };
        let forth = answer(local, remote);
        assert_eq!(forth, answer(remote, local), "sides are not equal in rights");
        forth
    }

    #[test]
    fn what_both_appended_is_joined() {
        for (base, local, remote, expected) in [
            ("1\n", "1\n2\n", "1\n3\n", Ok("1\n2\n3\n")),
            ("1\n", "1\n3\n2\n", "1\n4\n5\n", Ok("1\n3\n2\n4\n5\n")),
            // What both appended alike stands once; below it, what each put there.
            ("", "a\nz\nb\n", "a\nz\nc\n", Ok("a\nz\nb\nc\n")),
            ("", "z\nb\nc\n", "z\nb\n", Ok("z\nb\nc\n")),
            ("x\n", "x\nx\nx\n", "x\nx\n", Ok("x\nx\nx\n")),
            // A last line that is not ended.
            ("1\n", "1\n2", "1\n3\n", Ok("1\n2\n3\n")),
            ("1\n", "1\n3", "1\n2", Ok("1\n2\n3")),
            ("1", "1\n3", "1\n2", Ok("1\n2\n3")),
            ("1", "1\n3\n", "1\n2", Ok("1\n2\n3\n")),
            ("1\n2", "1\n2x\n", "1\n2y\n", Err(Reason::Overlap { places: 1 })),
            // Edits further up merge by line.
            ("1\n2\n3\n4\n", "0\n2\n3\n4\n6\n", "1\n2\nx\n4\n5\n", Ok("0\n2\nx\n4\n5\n6\n")),
            ("1\n2\n3\n", "2\n3\n4\n", "1\n2\n3\n5\n", Ok("2\n3\n4\n5\n")),
            ("1\n2\n3\n", "x\n2\n3\n", "y\n2\n3\n", Err(Reason::Overlap { places: 1 })),
            ("1\r\n", "1\r\n2\r\n", "1\r\n3\r\n", Ok("1\r\n2\r\n3\r\n")),
        ] {
            let got = merged(Grammar::Log, base, local, remote);
            assert_eq!(got, expected.map(str::to_owned), "{base:?} {local:?} {remote:?}");
        }
    }

    #[test]
    fn lines_with_a_time_stand_in_its_order() {
        let base = "2026-02-08T10:00:00Z start\n";
        let local = format!("{base}2026-02-08T10:05:00Z failed:\n  at b\n  at a\n2026-02-08T10:09:00Z end\n");
        let remote = format!("{base}[2026-02-08 10:07:00] other\n2026-02-08T12:08:00+02:00 zone\n");
        let expected = format!(
            "{base}2026-02-08T10:05:00Z failed:\n  at b\n  at a\n[2026-02-08 10:07:00] other\n\
             2026-02-08T12:08:00+02:00 zone\n2026-02-08T10:09:00Z end\n"
        );
        assert_eq!(merged(Grammar::Log, base, &local, &remote), Ok(expected));

        let line = |at: u32, text: &str| format!("{{\"text\":\"{text}\",\"timestamp\":{at}}}\n");
        let base = line(1_000, "a");
        let local = [base.clone(), line(1_003, "x"), line(1_009, "b")].concat();
        let remote = [base.clone(), line(1_001, "z"), line(1_003, "x"), line(1_020, "a")].concat();
        let expected = [&base, &line(1_001, "z"), &line(1_003, "x"), &line(1_009, "b"), &line(1_020, "a")];
        let expected = expected.into_iter().map(String::as_str).collect::<String>();
        assert_eq!(merged(Grammar::JsonLines, &base, &local, &remote), Ok(expected));
    }

    #[test]
    fn a_line_that_is_no_json_is_a_question() {
        let broken = merged(Grammar::JsonLines, "1\n", "1\n2\n", "1\n{\"a\":");
        assert_eq!(broken, Err(Reason::NotValid("JSON Lines")));
        // A value that both made longer.
        assert_eq!(merged(Grammar::JsonLines, "1", "12\n", "13\n"), Err(Reason::Overlap { places: 1 }));
    }

    #[test]
    fn a_long_descent_needs_no_deep_stack() {
        let lines =
            |from: u32| (0..100_000).rev().map(|n| format!("{:06}\n", 2 * n + from)).collect::<String>();
        let joined = merged(Grammar::Log, "", &lines(0), &lines(1)).unwrap();
        assert_eq!(joined.lines().count(), 200_000);
        assert_eq!(
            merged(Grammar::Log, "", &lines(0), &format!("{}x\n", lines(0))).unwrap().lines().count(),
            100_001
        );
    }
}
