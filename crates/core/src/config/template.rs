//! The first text of the two settings files: short, with what a person may want to change.

use super::LayerKind;

/// What was chosen when the workspace was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// Patterns of what alone takes part.
    pub include: Vec<String>,
    /// Patterns of what takes no part.
    pub exclude: Vec<String>,
    /// The word for the gitignore mode, if not `off`.
    pub gitignore: Option<String>,
    /// The word for the strategy, if not `merge`.
    pub conflict_strategy: Option<String>,
    /// The word for the direction, if not `both`.
    pub direction: Option<String>,
}

/// What holds on this machine alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HereChoices {
    /// The machine's name.
    pub machine: String,
    /// The remote's address.
    pub remote: Option<String>,
    /// The branch, where one was named.
    pub branch: Option<String>,
}

/// The text of the settings that travel.
pub fn shared(choices: &Choices) -> String {
    let mut text = String::from(
        "# Settings of this workspace. They travel: every machine that takes part reads them.\n\
         # Addresses and whatever holds on one machine alone stand in instep.local.yaml, which never leaves it.\n\
         version: 1\nsync:\n",
    );
    word(&mut text, "conflict_strategy", &choices.conflict_strategy, "merge", STRATEGY);
    if let Some(direction) = &choices.direction {
        text.push_str(&format!("  direction: {direction}\n"));
    }
    word(&mut text, "gitignore", &choices.gitignore, "off", "off, respect, or only-ignored");
    text.push_str("  # Patterns as in .gitignore; the last that matches wins, and \"!\" takes back.\n");
    list(&mut text, "exclude", &choices.exclude);
    if !choices.include.is_empty() {
        text.push_str("  # Only this takes part.\n");
        list(&mut text, "include", &choices.include);
    }
    text
}

/// The text of the settings of this machine.
pub fn here(choices: &HereChoices) -> String {
    let mut text = String::from("# Settings of this machine. This file is never synced.\n");
    text.push_str(&format!("machine: {}\n", quoted(&choices.machine)));
    if choices.remote.is_none() && choices.branch.is_none() {
        return text;
    }
    text.push_str("sync:\n");
    for (key, value) in [("remote", &choices.remote), ("branch", &choices.branch)] {
        if let Some(value) = value {
            text.push_str(&format!("  {key}: {}\n", quoted(value)));
        }
    }
    text
}

/// The name of a settings file.
pub const fn file_name(kind: LayerKind) -> Option<&'static str> {
    match kind {
        LayerKind::Shared => Some("instep.yaml"),
        LayerKind::Here => Some("instep.local.yaml"),
        _ => None,
    }
}

const STRATEGY: &str = "merge, ask-user, last-write-wins, keep-local, keep-remote, or both";

fn word(text: &mut String, key: &str, chosen: &Option<String>, usual: &str, words: &str) {
    text.push_str(&format!("  {key}: {}   # {words}\n", chosen.as_deref().unwrap_or(usual)));
}

fn list(text: &mut String, key: &str, items: &[String]) {
    if items.is_empty() {
        text.push_str(&format!("  {key}: []\n"));
        return;
    }
    text.push_str(&format!("  {key}:\n"));
    items.iter().for_each(|item| text.push_str(&format!("    - {}\n", quoted(item))));
}

/// A text in quotes that YAML reads back as it is.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layer, Settings, Trust};

    #[test]
    fn what_was_chosen_is_read_back() {
        let choices = Choices {
            include: vec!["*.md".to_owned()],
            exclude: vec!["*.log".to_owned(), "!a\"b".to_owned(), "\\#é".to_owned()],
            gitignore: Some("respect".to_owned()),
            conflict_strategy: Some("ask-user".to_owned()),
            direction: Some("push".to_owned()),
        };
        let here_choices = HereChoices {
            machine: "laptop".to_owned(),
            remote: Some("git@host:x \"y\".git".to_owned()),
            branch: Some("no".to_owned()),
        };
        for choices in [choices, Choices::default()] {
            let layers = vec![
                Layer::shared("instep.yaml", shared(&choices).as_bytes()).unwrap(),
                Layer::here("instep.local.yaml", here(&here_choices).as_bytes()).unwrap(),
            ];
            let settings = Settings::resolve(layers, Trust::Withheld).unwrap();
            let config = settings.config();
            let texts = |rules: &[crate::filter::RuleText]| -> Vec<String> {
                rules.iter().map(|rule| rule.text.clone()).collect()
            };
            assert_eq!(texts(&config.exclude), choices.exclude);
            assert_eq!(texts(&config.include), choices.include);
            assert_eq!(config.gitignore.word(), choices.gitignore.as_deref().unwrap_or("off"));
            assert_eq!(config.strategy.word(), choices.conflict_strategy.as_deref().unwrap_or("merge"));
            assert_eq!((&config.remote, &config.branch), (&here_choices.remote, &here_choices.branch));
            assert_eq!(config.machine.as_deref(), Some("laptop"));
            assert!(settings.not_in_effect().is_empty());
        }
    }
}
