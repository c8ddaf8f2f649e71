//! One line of the scenario file, taken apart into text columns; what the text means is for others.

/// The columns of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub what: String,
    pub base: String,
    pub local: String,
    pub remote: String,
    pub policy: String,
    pub expected: String,
    pub ours: String,
}

/// A line that is no row: its number, from 1, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRow {
    pub line: usize,
    pub why: String,
}

const COLUMNS: &str = "id|src|base|local|remote|policy|expected|ours";

/// Reads a whole file. The first line must name the columns.
pub fn read(text: &str) -> Vec<Result<Row, BadRow>> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let bad = |why: &str| Err(BadRow { line: index + 1, why: why.to_owned() });
        if index == 0 {
            if line.trim() != COLUMNS {
                rows.push(bad("the first line does not name the columns"));
            }
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let columns: Vec<_> = line.split('|').map(|column| column.trim().to_owned()).collect();
        match <[String; 8]>::try_from(columns) {
            Ok([id, what, base, local, remote, policy, expected, ours]) => {
                rows.push(Ok(Row { id, what, base, local, remote, policy, expected, ours }));
            }
            Err(columns) => rows.push(bad(&format!("{} columns instead of 8", columns.len()))),
        }
    }
    rows
}

impl Row {
    /// The outcome that Instep must give, as text, and the one policy it holds for if it names one.
    pub fn outcome(&self) -> (String, Option<&'static str>) {
        if let Some(outcome) = self.ours.strip_prefix("safe:") {
            return (outcome.replace("same", &self.expected), Some("safe"));
        }
        // `=` takes over the expected outcome; what follows it in words is added.
        match self.ours.strip_prefix('=') {
            Some(rest) if rest.is_empty() || rest.starts_with([' ', ';']) => {
                let more = rest.trim_start_matches(';').trim_start();
                match more.strip_prefix("and ").or_else(|| more.strip_prefix("plus ")) {
                    Some(more) => (format!("{}; {more}", self.expected), None),
                    None if rest.starts_with(' ') => (self.ours.clone(), None),
                    None => (self.expected.clone(), None),
                }
            }
            _ => (self.ours.clone(), None),
        }
    }

    /// Answers whether any column of the story holds one of the words.
    pub fn tells_of(&self, words: &[&str]) -> Option<String> {
        let columns = [&self.what, &self.local, &self.remote];
        let found = words.iter().find(|word| columns.iter().any(|column| column.contains(**word)));
        found.map(|word| (*word).to_owned())
    }

    /// The same with the sides exchanged.
    pub fn swapped(&self) -> Row {
        Row { local: self.remote.clone(), remote: self.local.clone(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expected: &str, ours: &str) -> Row {
        let line = format!("{COLUMNS}\nX1|what|-|^|^|safe|{expected}|{ours}");
        read(&line).remove(0).unwrap()
    }

    #[test]
    fn our_outcome_takes_over_the_expected_one_or_replaces_it() {
        let outcome = |expected, ours| row(expected, ours).outcome();
        assert_eq!(outcome("noop", "="), ("noop".into(), None));
        assert_eq!(outcome("= -", "= and f=1 in history"), ("= -; f=1 in history".into(), None));
        assert_eq!(outcome("= f=2", "= plus note"), ("= f=2; note".into(), None));
        assert_eq!(outcome("refused", "=; next cycle resolves"), ("refused".into(), None));
        assert_eq!(outcome("lost", "conf(f)"), ("conf(f)".into(), None));
        assert_eq!(outcome("lost", "= f=2"), ("= f=2".into(), None));
        assert_eq!(outcome("= local", "safe: same without a conflict").0, " = local without a conflict");
        assert_eq!(outcome("x", "safe: conf(z)").1, Some("safe"));
    }

    #[test]
    fn a_line_with_other_columns_is_no_row() {
        let rows = read(&format!("{COLUMNS}\na|b|c\n"));
        assert_eq!(rows, [Err(BadRow { line: 2, why: "3 columns instead of 8".into() })]);
        assert!(read("something else")[0].is_err());
    }
}
