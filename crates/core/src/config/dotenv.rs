//! A `.env` text: names and values. Of these, only settings of Instep are taken, and none that starts a program or
//! reads a file.

/// One line that gives a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The line, from 1.
    pub line: u32,
    /// The name.
    pub name: String,
    /// The value, without quotes.
    pub value: String,
}

/// Reads all variables; a line that gives none is passed over, as the file belongs to others.
pub fn parse(text: &[u8]) -> Vec<Variable> {
    let text = String::from_utf8_lossy(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text));
    let lines = (1..).zip(text.lines());
    lines
        .filter_map(|(line, text)| parse_line(text).map(|(name, value)| Variable { line, name, value }))
        .collect()
}

/// The variables that settings are taken from: `INSTEP_*`, but for `*_COMMAND` and `*_FILE`.
pub fn settings(text: &[u8]) -> Vec<Variable> {
    let mut variables = parse(text);
    variables.retain(|variable| {
        let name = variable.name.as_str();
        name.starts_with("INSTEP_") && !name.ends_with("_COMMAND") && !name.ends_with("_FILE")
    });
    variables
}

fn parse_line(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, rest) = line.split_once('=')?;
    let name = name.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let rest = rest.trim_start();
    let value = match rest.chars().next() {
        Some('\'') => rest[1..].split('\'').next().unwrap_or_default().to_owned(),
        Some('"') => unquote(&rest[1..]),
        _ => {
            let end = rest.find(" #").or(rest.starts_with('#').then_some(0)).unwrap_or(rest.len());
            rest[..end].trim_end().to_owned()
        }
    };
    Some((name.to_owned(), value))
}

/// The text up to the closing quote, with its escapes resolved.
fn unquote(rest: &str) -> String {
    let mut value = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_shells_write_them() {
        for (line, expected) in [
            ("A=b", Some(("A", "b"))),
            ("export A = b # note", Some(("A", "b"))),
            ("A='b # c' # d", Some(("A", "b # c"))),
            (r#"A="b\n\"c" d"#, Some(("A", "b\n\"c"))),
            ("A=", Some(("A", ""))),
            ("A=#b", Some(("A", ""))),
            ("A=b#c", Some(("A", "b#c"))),
            ("# A=b", None),
            ("1A=b", None),
            ("no variable", None),
            ("A B=c", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(parse_line(line), expected, "{line}");
        }
    }

    #[test]
    fn nothing_that_runs_or_reads_is_taken() {
        let text =
            b"PATH=x\nINSTEP_BRANCH=b\r\nINSTEP_KEY_COMMAND=rm\nINSTEP_KEY_FILE=/x\n\nINSTEP_LIMIT=1MB\n";
        let names: Vec<(u32, String)> = settings(text).into_iter().map(|v| (v.line, v.name)).collect();
        assert_eq!(names, [(2, "INSTEP_BRANCH".to_owned()), (6, "INSTEP_LIMIT".to_owned())]);
    }
}
