//! The difference of two contents for people: lines that went and came, or that the contents are no text.

use std::fmt::Write as _;

use instep_core::filter::Values;
use instep_core::merge::show::{self, LineKind, Variable};
use similar::{ChangeTag, InlineChange, TextDiff};

use super::{Columns, Look, Tone, bytes, count};

/// Two contents under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The path, escaped.
    pub path: String,
    /// What the old content is called: a machine's name, or `last agreed`.
    pub old_name: String,
    /// What the new content is called.
    pub new_name: String,
    /// The old content; `None` where there is none.
    pub old: Option<Vec<u8>>,
    /// The new content; `None` where there is none.
    pub new: Option<Vec<u8>>,
    /// How much of them is shown.
    pub values: Values,
}

/// How many lines came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// Lines that came.
    pub added: u64,
    /// Lines that went.
    pub removed: u64,
}

/// Above this, lines are not compared: the answer would take long and be no help.
const COMPARED_BYTES_MAX: usize = 8 << 20;

impl Pair {
    fn text(&self) -> Option<(&str, &str)> {
        let side = |content: &Option<Vec<u8>>| content.as_ref().map_or(0, Vec::len);
        if side(&self.old).max(side(&self.new)) > COMPARED_BYTES_MAX {
            return None;
        }
        let old = std::str::from_utf8(self.old.as_deref().unwrap_or_default()).ok()?;
        let new = std::str::from_utf8(self.new.as_deref().unwrap_or_default()).ok()?;
        (!old.contains('\0') && !new.contains('\0')).then_some((old, new))
    }

    /// Counts the lines that came and went; `None` if the contents are no text.
    pub fn lines(&self) -> Option<Lines> {
        let (old, new) = self.text()?;
        let mut lines = Lines::default();
        for change in TextDiff::from_lines(old, new).iter_all_changes() {
            match change.tag() {
                ChangeTag::Insert => lines.added += 1,
                ChangeTag::Delete => lines.removed += 1,
                ChangeTag::Equal => {}
            }
        }
        Some(lines)
    }
}

/// The unified form, with what a terminal would obey made harmless.
pub fn unified(look: &Look, pair: &Pair) -> String {
    let mut text = String::new();
    let side = |content: &Option<Vec<u8>>, name: &str| match content {
        Some(_) => format!("{} ({name})", pair.path),
        None => format!("nothing ({name})"),
    };
    let _ =
        writeln!(text, "{}", look.paint(Tone::Strong, &format!("--- {}", side(&pair.old, &pair.old_name))));
    let _ =
        writeln!(text, "{}", look.paint(Tone::Strong, &format!("+++ {}", side(&pair.new, &pair.new_name))));
    if pair.values != Values::Shown {
        text.push_str(&without_values(look, pair));
        return text;
    }
    let Some((old, new)) = pair.text() else {
        let size = |content: &Option<Vec<u8>>| content.as_ref().map_or(0, Vec::len) as u64;
        let _ =
            writeln!(text, "Not text: {} before, {} after.", bytes(size(&pair.old)), bytes(size(&pair.new)));
        return text;
    };
    let diff = TextDiff::from_lines(old, new);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        let _ = writeln!(text, "{}", look.paint(Tone::Moving, &hunk.header().to_string()));
        for change in hunk.ops().iter().flat_map(|op| diff.iter_inline_changes(op)) {
            text.push_str(&changed_line(look, &change));
            text.push('\n');
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    text
}

/// What differs, without a value: the names of variables, or no more than how many lines.
fn without_values(look: &Look, pair: &Pair) -> String {
    let side = |content: &Option<Vec<u8>>| content.clone().unwrap_or_default();
    let named = (pair.values == Values::Named).then(|| show::variables(&side(&pair.old), &side(&pair.new)));
    let mut text = String::new();
    for Variable { name, kind } in named.flatten().unwrap_or_default() {
        let name = instep_core::path::escape(&name);
        let (line, tone) = match kind {
            LineKind::Added => (format!("+{name}"), Tone::Good),
            LineKind::Removed => (format!("-{name}"), Tone::Problem),
            LineKind::Same => (format!("~{name}"), Tone::Attention),
        };
        let _ = writeln!(text, "{}", look.paint(tone, &line));
    }
    let lines = pair
        .lines()
        .map_or_else(String::new, |Lines { added, removed }| format!("+{added} -{removed} lines; "));
    let _ = writeln!(text, "{lines}values are not shown (`--show-values` shows them).");
    text
}

/// One line with its sign; in colour, the words that changed stand out.
fn changed_line(look: &Look, change: &InlineChange<'_, str>) -> String {
    let (sign, tone) = match change.tag() {
        ChangeTag::Insert => ("+", Some(Tone::Good)),
        ChangeTag::Delete => ("-", Some(Tone::Problem)),
        ChangeTag::Equal => (" ", None),
    };
    let Some(tone) = tone else {
        return change
            .values()
            .iter()
            .map(|(_, words)| harmless(words))
            .fold(sign.to_owned(), |line, words| line + &words);
    };
    let words = change.values().iter().map(|(differs, words)| match (differs, harmless(words)) {
        (_, words) if words.is_empty() => words,
        (true, words) => look.mark(tone, &words),
        (false, words) => look.paint(tone, &words),
    });
    look.paint(tone, sign) + &words.collect::<String>()
}

/// One line a file: how many lines came and went.
pub fn stat(look: &Look, pairs: &[Pair]) -> String {
    let mut columns = Columns::default();
    let mut all = Lines::default();
    for pair in pairs {
        let words = match pair.lines() {
            Some(lines) => {
                all.added += lines.added;
                all.removed += lines.removed;
                format!("+{} -{}", lines.added, lines.removed)
            }
            None => "not text".to_owned(),
        };
        columns.row(look, &[(None, &pair.path), (None, &words)]);
    }
    let files = count(pairs.len() as u64, "file");
    let differ = if pairs.len() == 1 { "differs" } else { "differ" };
    format!("{}{files} {differ}, +{} -{}\n", columns.finish(), all.added, all.removed)
}

/// A line or a part of one: its break goes, tabs stay, all else that a terminal would obey becomes visible.
fn harmless(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    line.split('\t').map(|part| instep_core::path::escape(part.as_bytes())).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::plain;
    use super::*;

    fn pair(old: Option<&[u8]>, new: Option<&[u8]>) -> Pair {
        Pair {
            path: "notes/plan.md".into(),
            old_name: "desktop".into(),
            new_name: "laptop".into(),
            old: old.map(<[u8]>::to_vec),
            new: new.map(<[u8]>::to_vec),
            values: Values::Shown,
        }
    }

    #[test]
    fn lines_that_differ_are_shown_with_whose_they_are() {
        expect![[r#"
            --- notes/plan.md (desktop)
            +++ notes/plan.md (laptop)
            @@ -1,2 +1,2 @@
             one
            -two
            +2\x1b[0m
        "#]]
        .assert_eq(&unified(&plain(), &pair(Some(b"one\ntwo\n"), Some(b"one\n2\x1b[0m\n"))));
    }

    #[test]
    fn in_colour_the_words_that_changed_stand_out() {
        let look = Look { color: true, ..plain() };
        let drawn = unified(&look, &pair(Some(b"Q4: 120k for us\n"), Some(b"Q4: 135k for us\n")));
        let changed = |color: u8, word: &str| format!("\u{1b}[1m\u{1b}[4m\u{1b}[{color}m{word}\u{1b}[0m");
        assert!(drawn.contains(&changed(31, "120k")) && drawn.contains(&changed(32, "135k")), "{drawn:?}");
    }

    #[test]
    fn values_that_are_not_to_be_shown_are_not() {
        let shown = |values, old: &[u8], new: &[u8]| {
            unified(&plain(), &Pair { values, ..pair(Some(old), Some(new)) })
        };
        expect![[r#"
            --- notes/plan.md (desktop)
            +++ notes/plan.md (laptop)
            ~KEY
            +NEW
            -OLD
            +2 -2 lines; values are not shown (`--show-values` shows them).
        "#]]
        .assert_eq(&shown(Values::Named, b"KEY=secret\nOLD=secret\n", b"KEY=secret2\nNEW=secret\n"));
        let hidden = "--- notes/plan.md (desktop)\n+++ notes/plan.md (laptop)\n+1 -1 lines; values are not shown \
                      (`--show-values` shows them).\n";
        assert_eq!(shown(Values::Hidden, b"KEY=secret\n", b"KEY=other\n"), hidden);
        assert_eq!(
            shown(Values::Named, b"KEY='secret\n", b"KEY='other\n"),
            hidden,
            "what has no names has none shown"
        );
    }

    #[test]
    fn what_is_no_text_is_told_by_its_length() {
        expect![[r#"
            --- nothing (desktop)
            +++ notes/plan.md (laptop)
            Not text: 0 B before, 2 B after.
        "#]]
        .assert_eq(&unified(&plain(), &pair(None, Some(b"\xff\0"))));
        assert_eq!(pair(Some(b"\0"), None).lines(), None);
        assert_eq!(pair(Some(b"a\n"), Some(b"a\nb\n")).lines(), Some(Lines { added: 1, removed: 0 }));
    }
}
