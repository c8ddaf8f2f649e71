//! Why a path is synced, waits, or is not synced: a verdict, facts, and what to type.

use serde_json::{Value, json};

use super::{Columns, Look, Tone, joined};

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

/// The text; the remote is told where there are several.
pub fn text(look: &Look, remote: Option<&str>, explanation: &Explanation) -> String {
    let mut columns = Columns::indented(2);
    for (label, words) in &explanation.facts {
        columns.row(look, &[(Some(Tone::Quiet), label), (None, words)]);
    }
    let verdict = match remote {
        Some(remote) => format!("{remote}: {}", explanation.verdict),
        None => explanation.verdict.clone(),
    };
    format!("{}\n{}", look.paint(Tone::Strong, &verdict), columns.finish())
}

/// The object for programs: what holds with the first remote, and with each.
pub fn to_json(remotes: &[String], explanations: &[Explanation]) -> Value {
    let mut object = json!({"schema": 1, "command": "explain"});
    let fields = |explanation: &Explanation| {
        let facts: serde_json::Map<String, Value> =
            explanation.facts.iter().map(|(label, words)| (label.clone(), words.as_str().into())).collect();
        json!({
            "path": explanation.path,
            "reason": explanation.reason,
            "verdict": explanation.verdict,
            "facts": facts,
            "hint": explanation.hint,
        })
    };
    let named = remotes
        .iter()
        .zip(explanations)
        .map(|(remote, explanation)| joined(&json!({"remote": remote}), fields(explanation)));
    let named: Vec<Value> = named.collect();
    if let Some(first) = explanations.first() {
        object = joined(&object, fields(first));
    }
    joined(&object, json!({"remotes": named}))
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
        .assert_eq(&text(&plain(), None, &explanation));
    }
}
