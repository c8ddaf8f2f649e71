//! One place of a conflict: the lines around it or the key above it, and what each side made of it.

use std::fmt::Write as _;

use instep_core::filter::Values;
use instep_core::merge::{Clash, Region};
use instep_core::path::escape;

use super::{Look, Tone, count};

/// How many settled lines are shown on either side of a place.
const CONTEXT: usize = 2;
/// How many lines of one version are shown.
const SHOWN_MAX: usize = 40;
/// Where the name of a version stands at the latest, in columns after its first line.
const NAME_COLUMN_MAX: usize = 60;

/// Whose version a line is.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// This machine.
    pub here: &'a str,
    /// The other machine.
    pub there: &'a str,
}

/// Draws the overlap that stands at `at` among the regions of a file.
pub fn place(look: &Look, regions: &[Region], at: usize, names: Names<'_>) -> String {
    let Region::Overlap { base, local, remote } = &regions[at] else { return String::new() };
    let mut text = String::new();
    let line = line_number(&regions[..at]);
    let before = at.checked_sub(1).map_or(&[][..], |before| settled(&regions[before]));
    let before = lines(before);
    let before = &before[before.len().saturating_sub(CONTEXT)..];
    for (above, words) in before.iter().enumerate() {
        let _ = writeln!(text, "{}", format!("{:>4}   {words}", line - before.len() + above).trim_end());
    }
    let here = format!("{} (here)", names.here);
    let versions = [
        ('-', base, "last agreed", Tone::Quiet),
        ('A', local, here.as_str(), Tone::Good),
        ('B', remote, names.there, Tone::Moving),
    ];
    let versions = versions.map(|(sign, bytes, name, tone)| (sign, lines(bytes), name, tone));
    let first = |lines: &[String]| lines.first().map_or(0, |line| line.chars().count());
    let column = versions.iter().map(|(_, lines, ..)| first(lines)).max().unwrap_or(0).min(NAME_COLUMN_MAX);
    for (sign, lines, name, tone) in versions {
        if sign == '-' && lines.is_empty() {
            continue;
        }
        version(look, &mut text, sign, &lines, (name, column), tone);
    }
    for (below, words) in lines(regions.get(at + 1).map_or(&[][..], settled)).iter().take(CONTEXT).enumerate()
    {
        let _ =
            writeln!(text, "{}", format!("{:>4}   {words}", line + lines(local).len() + below).trim_end());
    }
    text
}

/// Draws a key, or a record, that both sides changed; what is kept is this machine's.
pub fn key(look: &Look, clash: &Clash, values: Values, names: Names<'_>) -> String {
    let here = format!("{} (here)", names.here);
    let versions = [
        ('-', &clash.base, "last agreed", Tone::Quiet),
        ('A', &clash.kept, here.as_str(), Tone::Good),
        ('B', &clash.dropped, names.there, Tone::Moving),
    ];
    let shown = |bytes: &[u8]| match values {
        _ if bytes.is_empty() => vec!["(removed)".to_owned()],
        Values::Shown => lines(bytes),
        Values::Named | Values::Hidden => vec!["(hidden)".to_owned()],
    };
    let versions = versions.map(|(sign, bytes, name, tone)| (sign, bytes, shown(bytes), name, tone));
    let first = |lines: &[String]| lines.first().map_or(0, |line| line.chars().count());
    let column = versions.iter().map(|(_, _, lines, ..)| first(lines)).max().unwrap_or(0);
    let mut text = format!("  {}\n", look.paint(Tone::Strong, &escape(clash.key.as_bytes())));
    for (sign, bytes, lines, name, tone) in versions {
        if sign != '-' || !bytes.is_empty() {
            version(look, &mut text, sign, &lines, (name, column.min(NAME_COLUMN_MAX)), tone);
        }
    }
    text
}

fn version(look: &Look, text: &mut String, sign: char, lines: &[String], name: (&str, usize), tone: Tone) {
    let (name, column) = name;
    let nothing = [String::new()];
    let shown = if lines.is_empty() { &nothing[..] } else { &lines[..lines.len().min(SHOWN_MAX)] };
    for (at, line) in shown.iter().enumerate() {
        let line = if lines.is_empty() { "(no lines)" } else { line };
        let named = if at == 0 {
            let room = column.saturating_sub(line.chars().count());
            format!("{}   {}", " ".repeat(room), look.paint(Tone::Quiet, name))
        } else {
            String::new()
        };
        let _ =
            writeln!(text, "     {} {}{named}", look.paint(tone, &sign.to_string()), look.paint(tone, line));
    }
    if lines.len() > SHOWN_MAX {
        let more = count((lines.len() - SHOWN_MAX) as u64, "more line");
        let _ = writeln!(text, "     {sign} {}", look.paint(Tone::Quiet, &format!("({more})")));
    }
}

/// The number of the first line after these regions, from 1, as the version here would have it.
fn line_number(regions: &[Region]) -> usize {
    let count = |region: &Region| match region {
        Region::Settled(lines) | Region::Overlap { local: lines, .. } => {
            lines.iter().filter(|&&byte| byte == b'\n').count()
        }
    };
    1 + regions.iter().map(count).sum::<usize>()
}

fn settled(region: &Region) -> &[u8] {
    match region {
        Region::Settled(lines) => lines,
        Region::Overlap { .. } => &[],
    }
}

/// Lines for people: without their breaks, with what a terminal would obey made harmless.
fn lines(bytes: &[u8]) -> Vec<String> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    let harmless = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.split(|&byte| byte == b'\t').map(escape).collect::<Vec<_>>().join("\t")
    };
    whole.split(|&byte| byte == b'\n').map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use instep_core::merge::regions;

    use super::super::tests::plain;
    use super::*;

    const NAMES: Names<'static> = Names { here: "laptop", there: "desktop" };

    #[test]
    fn a_place_shows_who_wrote_what() {
        let base = "# Plan\n\n## Budget\nQ4: 120k\n\n## People\nAna\n";
        let here = base.replace("120k", "135k,\tapproved\x1b");
        let there = base.replace("Q4: 120k\n", "");
        let regions = regions(base.as_bytes(), here.as_bytes(), there.as_bytes()).unwrap();
        expect![[r#"
            plan.md
               2
               3   ## Budget
                 - Q4: 120k                 last agreed
                 A Q4: 135k,	approved\x1b   laptop (here)
                 B (no lines)               desktop
               5
               6   ## People
        "#]]
        .assert_eq(&format!("plan.md\n{}", place(&plain(), &regions, 1, NAMES)));
    }

    #[test]
    fn long_versions_are_cut() {
        let many = "x\n".repeat(50);
        let regions = regions(b"", many.as_bytes(), b"y").unwrap();
        let drawn = place(&plain(), &regions, 0, NAMES);
        assert_eq!(drawn.lines().count(), SHOWN_MAX + 2);
        assert!(drawn.contains("A (10 more lines)"), "{drawn}");
    }
}
