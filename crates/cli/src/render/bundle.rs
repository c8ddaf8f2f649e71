//! What goes with a report of a bug: checks, settings and counts, without names, addresses and contents.

use std::fmt::Write as _;

use instep_core::config::{Settings, Value};
use instep_core::operation::Operation;

use super::checks::Check;
use super::rfc3339;

/// The text of the bundle.
pub fn text(checks: &[Check], settings: Option<&Settings>, operations: &[Operation]) -> String {
    let mut text = String::from(
        "A report of instep. It holds versions, checks, settings and counts. Paths, addresses, names of machines and\n\
         people, patterns and messages stand as <hidden>; there are no contents and no keys in it.\n\nChecks\n",
    );
    for check in checks {
        let found = if check.level == super::checks::Level::Error { &check.brief } else { &check.found };
        let _ = writeln!(text, "  {:7}  {}  {}", check.level.word(), hidden(&check.name), hidden(found));
    }
    text.push_str("\nSettings that were given\n");
    for entry in settings.iter().flat_map(|settings| settings.entries()) {
        for given in &entry.acting {
            let path = entry.spec.path;
            let _ = writeln!(text, "  {}: {}", path.replace('*', "<hidden>"), value(path, &given.value));
        }
    }
    text.push_str("\nThe last operations\n");
    for operation in operations {
        let counts = serde_json::to_string(&operation.counts).unwrap_or_default();
        let when = rfc3339(operation.time).unwrap_or_default();
        let _ = writeln!(text, "  {when}  {}  {counts}", operation.kind.word());
    }
    text
}

/// The keys whose values are words of ours.
const WORDS: [&str; 5] = ["conflict_strategy", "direction", "gitignore", "mode", "symlinks"];

/// Switches, numbers and words of ours say something; texts of people are hidden, lists counted.
fn value(path: &str, value: &Value) -> String {
    let is_ours = path.rsplit('.').next().is_some_and(|key| WORDS.contains(&key));
    match value {
        Value::Text(word) if is_ours => word.clone(),
        Value::Text(_) | Value::Secret(_) => "<hidden>".to_owned(),
        Value::List(list) => format!("<{} hidden>", list.len()),
        other => other.to_string(),
    }
}

/// Words that may name a place or a person are hidden.
fn hidden(text: &str) -> String {
    let is_name = |word: &str| {
        let bare = word.trim_matches(['.', ',', ';', ':', '`', '(', ')']);
        bare.contains(['/', '@', '\\']) || (bare.contains('.') && bare.chars().any(char::is_alphabetic))
    };
    text.split(' ').map(|word| if is_name(word) { "<hidden>" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_name_places_or_people_are_hidden() {
        assert_eq!(hidden("git@host:ana/notes.git answers"), "<hidden> answers");
        assert_eq!(hidden("/home/ana/x, 3 workspaces known"), "<hidden> 3 workspaces known");
        assert_eq!(
            hidden("E-NET-OFFLINE example.org can't be reached."),
            "E-NET-OFFLINE <hidden> can't be reached."
        );
        assert_eq!(hidden("2.47.3"), "2.47.3");
    }
}
