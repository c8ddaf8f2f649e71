//! The difference of two contents for people: lines that went and came, or that the contents are no text.

use std::fmt::Write as _;

use similar::TextDiff;

use super::{Columns, Look, Tone, bytes, count};

/// Two contents under one name.
#[derive(Debug, Clone)]
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
                similar::ChangeTag::Insert => lines.added += 1,
                similar::ChangeTag::Delete => lines.removed += 1,
                similar::ChangeTag::Equal => {}
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
    let Some((old, new)) = pair.text() else {
        let size = |content: &Option<Vec<u8>>| content.as_ref().map_or(0, Vec::len) as u64;
        let _ =
            writeln!(text, "Not text: {} before, {} after.", bytes(size(&pair.old)), bytes(size(&pair.new)));
        return text;
    };
    for hunk in TextDiff::from_lines(old, new).unified_diff().context_radius(3).iter_hunks() {
        let _ = writeln!(text, "{}", look.paint(Tone::Moving, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (sign, tone) = match change.tag() {
                similar::ChangeTag::Insert => ('+', Some(Tone::Good)),
                similar::ChangeTag::Delete => ('-', Some(Tone::Problem)),
                similar::ChangeTag::Equal => (' ', None),
            };
            let line = harmless(change.value().trim_end_matches(['\n', '\r']));
            let line = format!("{sign}{line}");
            let _ = writeln!(text, "{}", tone.map_or_else(|| line.clone(), |tone| look.paint(tone, &line)));
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    text
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

/// Tabs stay; all else that a terminal would obey becomes visible.
fn harmless(line: &str) -> String {
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
