//! What can be wrong with settings: always where, why, and what to do next.

use std::fmt;
use std::sync::Arc;

use crate::filter::GlobError;
use crate::path::escape;

/// Where something in the settings stands: a place in a file, or the variable or option that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// The file as people know it, or the name of the variable or option.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    pub column: Option<u32>,
}

impl Place {
    /// A place that is not in a file.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Place { file: name.into(), line: None, column: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

/// Why settings can't be used. Nothing was changed; the last good settings stay in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not YAML, or not the kind of text that settings are.
    #[error("{place}: {}\n  {}", .why, escape(.text.as_bytes()))]
    Parse {
        /// Where.
        place: Place,
        /// What is wrong.
        why: String,
        /// The line as it stands there.
        text: String,
    },
    /// One key stands there twice.
    #[error("{second}: `{}` is already given in line {}", escape(.key.as_bytes()), .first.line.unwrap_or(0))]
    Duplicate {
        /// The key.
        key: String,
        /// Where it stands first.
        first: Place,
        /// Where it stands again.
        second: Place,
    },
    /// A value is of the wrong kind.
    #[error("{place}: `{key}` is {expected}, not {found}")]
    Type {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What it takes, in words.
        expected: String,
        /// What is there, shortened and escaped.
        found: String,
    },
    /// A value is of the right kind, and not one that can be.
    #[error("{place}: `{key}` is {expected}, not {found}")]
    Range {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What it takes, in words.
        expected: String,
        /// What is there, shortened and escaped.
        found: String,
    },
    /// There is no such key.
    #[error("{place}: there is no setting `{}`", escape(.key.as_bytes()))]
    Key {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What may have been meant.
        meant: Option<String>,
    },
    /// It is larger or deeper than settings can be, or uses what settings may not.
    #[error("{place}: {why}")]
    Limit {
        /// Where.
        place: Place,
        /// Which limit.
        why: &'static str,
    },
    /// A secret in a file that travels.
    #[error("{place}: `{key}` is a secret, and this file goes to every machine; it was not used")]
    Secret {
        /// Where.
        place: Place,
        /// The key.
        key: String,
    },
    /// A newer version wrote it.
    #[error("{place}: these settings are of version {found}, written by a newer instep")]
    Version {
        /// Where.
        place: Place,
        /// The version found.
        found: u64,
    },
    /// A pattern that can't be used.
    #[error("{place}: {0}", place = .0.place)]
    Glob(GlobError),
}

impl ConfigError {
    /// The stable code that people can search for.
    pub fn code(&self) -> &'static str {
        match self {
            ConfigError::Parse { .. } => "E-CONF-PARSE",
            ConfigError::Duplicate { .. } => "E-CONF-DUP",
            ConfigError::Type { .. } => "E-CONF-TYPE",
            ConfigError::Range { .. } => "E-CONF-RANGE",
            ConfigError::Key { .. } => "E-CONF-KEY",
            ConfigError::Limit { .. } => "E-CONF-LIMIT",
            ConfigError::Secret { .. } => "E-CONF-SECRET",
            ConfigError::Version { .. } => "E-CONF-VERSION",
            ConfigError::Glob(_) => "E-GLOB",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            ConfigError::Parse { place, .. } => {
                format!("Correct the line in {}, then run again.", place.file)
            }
            ConfigError::Duplicate { first, second, .. } => format!(
                "Keep one of the lines {} and {} in {}.",
                first.line.unwrap_or(0),
                second.line.unwrap_or(0),
                second.file
            ),
            ConfigError::Type { key, .. } | ConfigError::Range { key, .. } => {
                format!("Change it by hand, or with `instep config set {key} VALUE`.")
            }
            ConfigError::Key { meant: Some(meant), .. } => format!("Did you mean `{meant}`?"),
            ConfigError::Key { meant: None, .. } => "`instep config show` lists all settings.".to_owned(),
            ConfigError::Limit { .. } => "Settings are short texts: look at what the file holds.".to_owned(),
            ConfigError::Secret { .. } => {
                "Move it with `instep key import`, then take the line out of the file.".to_owned()
            }
            ConfigError::Version { .. } => {
                "Update instep on this machine; the file was left as it is.".to_owned()
            }
            ConfigError::Glob(_) => {
                "Correct the pattern; `instep explain PATH` shows what rules do.".to_owned()
            }
        }
    }
}

/// Shows what was found: on one line, escaped, not longer than people read.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", escape(short.as_bytes()))
}
