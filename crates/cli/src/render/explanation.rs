//! Why a path is synced, waits, or is not synced: a verdict, facts, and what to type.

use serde_json::{Value, json};

use super::{Columns, Look, Tone};

/// The answer to `explain`.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// The path, escaped.
    pub path: String,
    /// One sentence: `Not synced.`
    pub verdict: String,
    /// A word for programs: `synced`, `waiting`, `conflict`, `excluded`, …
    pub reason: &'static str,
    /// Label and words, in order: `because`, `here`, `there`, `last agreed`.
    pub facts: Vec<(String, String)>,
    /// What to type to change it.
    pub hint: Option<String>,
}

impl Explanation {
    /// Adds a fact.
    pub fn fact(mut self, label: &str, words: impl Into<String>) -> Self {
        self.facts.push((label.to_owned(), words.into()));
        self
    }
}

/// The text.
pub fn text(look: &Look, explanation: &Explanation) -> String {
    let mut columns = Columns::indented(2);
    for (label, words) in &explanation.facts {
        columns.row(look, &[(Some(Tone::Quiet), label), (None, words)]);
    }
    format!("{}\n{}", look.paint(Tone::Strong, &explanation.verdict), columns.finish())
}

/// The object for programs.
pub fn to_json(explanation: &Explanation) -> Value {
    let facts: serde_json::Map<String, Value> =
        explanation.facts.iter().map(|(label, words)| (label.clone(), words.as_str().into())).collect();
    json!({
        "schema": 1,
        "command": "explain",
        "path": explanation.path,
        "reason": explanation.reason,
        "verdict": explanation.verdict,
        "facts": facts,
        "hint": explanation.hint,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::plain;
    use super::*;

    #[test]
    fn an_excluded_file_names_the_rule() {
        let explanation = Explanation {
            path: "data/simulation.duckdb".into(),
            verdict: "Not synced.".into(),
            reason: "excluded",
            ..Explanation::default()
        }
        .fact("because", "instep.yaml line 14: exclude \"*.duckdb\"")
        .fact("here", "212 MB, changed 09:12");
        expect![[r#"
            Not synced.
              because  instep.yaml line 14: exclude "*.duckdb"
              here     212 MB, changed 09:12
        "#]]
        .assert_eq(&text(&plain(), &explanation));
    }
}
