//! One pattern in the syntax of `.gitignore`, with git's meaning to the letter.
//!
//! A pattern works on bytes, and in time linear in the name: it is read into a small automaton that looks at each byte
//! once, so that no pattern, whoever wrote it, can make a scan slow. It does not know where it stands or what follows
//! from a match.

use std::fmt;

use super::glob::Glob;

/// One pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it was written, without trailing spaces.
    text: Box<[u8]>,
    negated: bool,
    folders_only: bool,
    /// It is compared with the whole path; else with the last name alone.
    on_path: bool,
    shape: Shape,
}

/// How a pattern is compared. All but the last are short cuts for what people mostly write.
#[derive(Debug, Clone)]
enum Shape {
    /// Equal to this.
    Whole(Box<[u8]>),
    /// `*x`, on a name: ends with this.
    Ends(Box<[u8]>),
    /// `*x*`, on a name: holds this.
    Holds(Box<[u8]>),
    /// Anything else.
    Glob(Glob),
}

/// What a pattern is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The path, from the folder where the pattern stands.
    pub path: &'a [u8],
    /// Where the last name starts in it.
    pub name_at: usize,
    /// Whether it is a folder.
    pub is_folder: bool,
}

impl Pattern {
    /// Reads one line of an ignore file; `None` if it is blank or a comment.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if line.first() == Some(&b'#') {
            return None;
        }
        let text = without_trailing_spaces(line);
        let (negated, body) = match text.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (folders_only, body) = match body.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, body),
        };
        if body.is_empty() {
            return None;
        }
        let on_path = body.contains(&b'/');
        let body = body.strip_prefix(b"/").unwrap_or(body);
        let shape = Shape::of(body, on_path);
        Some(Pattern { text: text.into(), negated, folders_only, on_path, shape })
    }

    /// Answers whether it takes back what an earlier pattern said.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// As it was written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Answers whether it matches the path itself; what lies below a matching folder is not its question.
    pub fn matches(&self, probe: Probe<'_>) -> bool {
        if self.folders_only && !probe.is_folder {
            return false;
        }
        let subject = if self.on_path { probe.path } else { &probe.path[probe.name_at..] };
        match &self.shape {
            Shape::Whole(text) => **text == *subject,
            Shape::Ends(text) => subject.ends_with(text),
            Shape::Holds(text) => holds(subject, text),
            Shape::Glob(glob) => glob.matches(subject),
        }
    }

    /// Answers whether something below a folder could match.
    pub fn could_match_below(&self, folder: &[u8]) -> bool {
        if !self.on_path {
            return true;
        }
        match &self.shape {
            Shape::Whole(text) => text.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/")),
            Shape::Glob(glob) => glob.could_match_below(folder),
            Shape::Ends(_) | Shape::Holds(_) => true,
        }
    }
}

impl Shape {
    fn of(body: &[u8], on_path: bool) -> Self {
        if !body.iter().any(is_special) {
            return Shape::Whole(body.into());
        }
        if !on_path && let Some(rest) = body.strip_prefix(b"*") {
            if !rest.iter().any(is_special) {
                return Shape::Ends(rest.into());
            }
            if let Some(inner) = rest.strip_suffix(b"*")
                && !inner.iter().any(is_special)
            {
                return Shape::Holds(inner.into());
            }
        }
        Shape::Glob(Glob::parse(body))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::path::escape(&self.text))
    }
}

/// Reads a whole ignore file: each pattern with the number of its line, from 1.
pub fn parse_file(bytes: &[u8]) -> Vec<(u32, Pattern)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = bytes.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    (1..).zip(lines).filter_map(|(number, line)| Some((number, Pattern::parse(line)?))).collect()
}

pub(super) fn is_special(byte: &u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

fn holds(subject: &[u8], text: &[u8]) -> bool {
    text.is_empty() || subject.windows(text.len()).any(|window| window == text)
}

/// Git drops spaces at the end, but for one that a backslash protects.
fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let mut end = 0;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b' ' => at += 1,
            b'\\' => {
                at = (at + 2).min(line.len());
                end = at;
            }
            _ => {
                at += 1;
                end = at;
            }
        }
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let (is_folder, path) = match path.strip_suffix('/') {
            Some(path) => (true, path),
            None => (false, path),
        };
        let name_at = path.rfind('/').map_or(0, |at| at + 1);
        let pattern = Pattern::parse(pattern.as_bytes()).unwrap();
        pattern.matches(Probe { path: path.as_bytes(), name_at, is_folder })
    }

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        for (pattern, yes, no) in [
            ("a", "a x/a x/y/a a/", "b ab x/ab"),
            ("a/", "a/ x/a/", "a x/a"),
            ("/a", "a a/", "x/a"),
            ("x/a", "x/a", "a y/x/a"),
            ("*.log", ".log a.log x/a.log", "a.logs alog"),
            ("*.local.*", "a.local.b .local. x/a.local.yaml", "a.local local.x"),
            ("*", "a x/a", ""),
            ("a*b", "ab axb a*b", "a abx x/a/b"),
            ("a?b", "axb", "ab a/b"),
            ("x/*", "x/a x/a/", "x x/a/b"),
            ("x/**", "x/a x/a/b", "x y/x/a"),
            ("**/a", "a x/a x/y/a", "xa x/b"),
            ("x/**/a", "x/a x/y/a x/y/z/a", "xa x/ya a"),
            ("**", "a x/y", ""),
            ("a**b", "ab axyb", "a/b"),
            ("a**/b", "ab a/b ax/b ax/y/b", "a b/b"),
            ("?a**/b", "xa/b xay/b", "xab xa/y/b"),
            ("x/a**b", "x/ab x/axyb", "x/a/b"),
            ("[a-c]x", "ax bx", "dx -x"),
            ("[!a-c]x", "dx", "ax"),
            ("[^a-c]x", "dx", "ax"),
            ("[]-]x", "]x -x", "ax"),
            ("[[:digit:]]x", "1x", "ax :x"),
            ("a[/]b", "", "a/b ab"),
            ("[", "", "[ a"),
            ("a\\", "", "a a\\"),
            ("\\*", "*", "a"),
            ("\\!a", "!a", "a"),
            ("\\#a", "#a", "a"),
            ("a\\ ", "", "a"),
            ("{a,b}", "{a,b}", "a b"),
            ("foo//", "", "foo foo/"),
        ] {
            for path in yes.split(' ').filter(|path| !path.is_empty()) {
                assert!(matches(pattern, path), "{pattern} should match {path}");
            }
            for path in no.split(' ').filter(|path| !path.is_empty()) {
                assert!(!matches(pattern, path), "{pattern} should not match {path}");
            }
        }
        assert!(matches("a\\ ", "a "));
    }

    #[test]
    fn names_need_not_be_text() {
        let pattern = Pattern::parse(b"*\xff").unwrap();
        assert!(pattern.matches(Probe { path: b"a\xfe\xff", name_at: 0, is_folder: false }));
        let pattern = Pattern::parse(b"a?b[\xf0-\xff]").unwrap();
        assert!(pattern.matches(Probe { path: b"a\xfeb\xf1", name_at: 0, is_folder: false }));
    }

    #[test]
    fn a_file_is_read_line_by_line() {
        let lines = parse_file(b"\xef\xbb\xbf# note\r\n\r\na  \r\n!b/\n  \n\\#c\n/\n!");
        let read: Vec<String> = lines.iter().map(|(line, pattern)| format!("{line} {pattern}")).collect();
        assert_eq!(read, ["3 a", "4 !b/", "6 \\#c"]);
        assert!(lines[1].1.is_negated());
    }

    #[test]
    fn a_folder_is_worth_a_look_if_something_below_could_match() {
        for (pattern, folder, expected) in [
            ("*.md", "x", true),
            ("/a", "x", false),
            ("notes/**", "notes", true),
            ("notes/**", "notes/x", true),
            ("notes/**", "other", false),
            ("a/*/c", "a", true),
            ("a/*/c", "a/b", true),
            ("a/*/c", "a/b/c", false),
            ("**/x", "deep/er", true),
            ("a/b", "a", true),
            ("a/b", "a/b", false),
            ("ab/c", "a", false),
        ] {
            let parsed = Pattern::parse(pattern.as_bytes()).unwrap();
            assert_eq!(parsed.could_match_below(folder.as_bytes()), expected, "{pattern} below {folder}");
        }
    }
}
