//! One rule: a pattern, why it is there and where it was written.

use std::fmt;
use std::sync::Arc;

use super::pattern::Pattern;
use crate::path::TreePath;

/// The longest pattern that settings may hold, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1_000;

/// How often `**` may stand in one pattern of the settings.
pub const DEEP_MAX: usize = 8;

/// Where a rule was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RulePlace {
    /// The file as people know it (`instep.yaml`), or the option or variable that gave it.
    pub file: Arc<str>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// It holds on this machine alone.
    pub here: bool,
}

impl fmt::Display for RulePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} line {line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// A pattern as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RuleText {
    /// The pattern, in the syntax of `.gitignore`.
    pub text: String,
    /// Where it was written.
    pub place: RulePlace,
}

/// A rule that decided, or took part in a decision. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef(pub(super) Arc<Rule>);

#[derive(Debug)]
pub(super) struct Rule {
    pub pattern: Pattern,
    pub kind: Kind,
    pub place: RulePlace,
}

/// Why a rule is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    BuiltIn,
    Exclude,
    Include,
    Within,
    Group(String),
    IgnoreFile,
    NotIgnored,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.text() == other.pattern.text() && self.kind == other.kind && self.place == other.place
    }
}

impl Eq for Rule {}

impl Rule {
    /// Reads a pattern of the settings, which is held to more than a line of an ignore file.
    pub(super) fn parse(rule: &RuleText, kind: Kind) -> Result<Self, GlobError> {
        let refuse = |(at, why)| GlobError { pattern: rule.text.clone(), at, why, place: rule.place.clone() };
        check(&rule.text).map_err(refuse)?;
        let pattern = Pattern::parse(rule.text.as_bytes()).ok_or_else(|| refuse((1, GlobFault::Empty)))?;
        if pattern.is_negated() && matches!(kind, Kind::Include | Kind::Within | Kind::Group(_)) {
            return Err(refuse((1, GlobFault::Negated)));
        }
        Ok(Rule { pattern, kind, place: rule.place.clone() })
    }

    pub(super) fn built_in(text: &str) -> Self {
        let pattern = Pattern::parse(text.as_bytes()).expect("because built-in patterns are valid");
        let place = RulePlace { file: "built in".into(), line: None, here: false };
        Rule { pattern, kind: Kind::BuiltIn, place }
    }

    pub(super) fn not_ignored() -> Self {
        let pattern = Pattern::parse(b"*").expect("because a star is a pattern");
        let place = RulePlace { file: "settings".into(), line: None, here: false };
        Rule { pattern, kind: Kind::NotIgnored, place }
    }

    /// The rules of an ignore file named `file` in a folder.
    pub(super) fn read_file(folder: &TreePath, file: &str, bytes: &[u8]) -> Vec<Arc<Rule>> {
        let path: Arc<str> = if folder.is_root() { file.into() } else { format!("{folder}/{file}").into() };
        let place = |line| RulePlace { file: path.clone(), line: Some(line), here: false };
        super::pattern::parse_file(bytes)
            .into_iter()
            .map(|(line, pattern)| Arc::new(Rule { pattern, kind: Kind::IgnoreFile, place: place(line) }))
            .collect()
    }
}

/// Checks a pattern of the settings, more strictly than a line of an ignore file: the mistake can still be told to a
/// person. `!` is for lists that take back.
pub fn check_pattern(rule: &RuleText, takes_back: TakesBack) -> Result<(), GlobError> {
    let kind = if takes_back == TakesBack::Yes { Kind::Exclude } else { Kind::Include };
    Rule::parse(rule, kind).map(drop)
}

/// Whether a list may hold patterns that take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesBack {
    /// It may.
    Yes,
    /// It may not.
    No,
}

impl RuleRef {
    /// The pattern as it was written, escaped for a terminal.
    pub fn text(&self) -> String {
        self.0.pattern.to_string()
    }

    /// Where it was written.
    pub fn place(&self) -> &RulePlace {
        &self.0.place
    }

    /// Answers whether it takes back what an earlier rule said.
    pub fn is_negated(&self) -> bool {
        self.0.pattern.is_negated()
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { pattern, kind, place } = &*self.0;
        match kind {
            Kind::BuiltIn => write!(f, "built in: \"{pattern}\""),
            Kind::Exclude => write!(f, "{place}: exclude \"{pattern}\""),
            Kind::Include => write!(f, "{place}: include does not name it"),
            Kind::Within => write!(f, "{place}: the remote's paths do not name it"),
            Kind::Group(name) => write!(f, "{place}: group {name} is disabled, \"{pattern}\""),
            Kind::IgnoreFile => write!(f, "{place}: \"{pattern}\""),
            Kind::NotIgnored => write!(f, "gitignore: only-ignored, and git does not ignore it"),
        }
    }
}

/// A pattern that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern \"{}\" can't be used: at position {at}, {why}", crate::path::escape(.pattern.as_bytes()))]
pub struct GlobError {
    /// The pattern.
    pub pattern: String,
    /// The position of the fault, in characters from 1.
    pub at: usize,
    /// What is wrong.
    pub why: GlobFault,
    /// Where it was written.
    pub place: RulePlace,
}

impl GlobError {
    /// The stable code that people can search for.
    pub fn code(&self) -> &'static str {
        "E-GLOB"
    }
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobFault {
    /// There is nothing in it.
    #[error("there is no name: write what it is about, such as `*.log`")]
    Empty,
    /// It starts with `#`.
    #[error("`#` starts a comment: write `\\#` for a name that starts with it")]
    Comment,
    /// `[` without `]`.
    #[error("`[` is never closed: write `\\[` for the character itself")]
    Class,
    /// Braces, which this syntax does not have.
    #[error("braces list nothing here: write one pattern for each, or `\\{{` for the character itself")]
    Braces,
    /// A backslash at the end or before a letter or digit.
    #[error("a backslash only protects a special character: write `/` between folders")]
    Backslash,
    /// It holds `**` too often.
    #[error("`**` stands in it too often: {DEEP_MAX} times are enough")]
    Deep,
    /// It is too long.
    #[error("it is longer than {PATTERN_BYTES_MAX} bytes")]
    Long,
    /// A line break or NUL.
    #[error("a name can't hold this character")]
    Control,
    /// `!` where nothing is there to be taken back.
    #[error("`!` takes nothing back here: use `exclude` for what is to stay out")]
    Negated,
}

/// Finds the first fault: its position, from 1, and what it is.
fn check(text: &str) -> Result<(), (usize, GlobFault)> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err((PATTERN_BYTES_MAX + 1, GlobFault::Long));
    }
    if text.starts_with('#') {
        return Err((1, GlobFault::Comment));
    }
    let letters: Vec<char> = text.chars().collect();
    let mut deep = 0;
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        match rest[0] {
            '\\' if rest.get(1).is_none_or(|next| next.is_alphanumeric()) => {
                return Err((at + 1, GlobFault::Backslash));
            }
            '\\' => at += 1,
            '[' => at += class_end(rest).ok_or((at + 1, GlobFault::Class))?,
            '{' if rest.contains(&'}') => return Err((at + 1, GlobFault::Braces)),
            '*' if rest.get(1) == Some(&'*') => {
                deep += 1;
                if deep > DEEP_MAX {
                    return Err((at + 1, GlobFault::Deep));
                }
                at += rest.iter().take_while(|&&c| c == '*').count() - 1;
            }
            '\n' | '\r' | '\0' => return Err((at + 1, GlobFault::Control)),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// How far behind a `[` its `]` stands.
fn class_end(rest: &[char]) -> Option<usize> {
    let first = if matches!(rest.get(1), Some('!' | '^')) { 2 } else { 1 };
    let mut at = first;
    loop {
        match rest.get(at)? {
            ']' if at > first => return Some(at),
            '\\' => at += 2,
            '[' if rest.get(at + 1) == Some(&':') => {
                let close = rest[at..].iter().position(|&c| c == ']')?;
                at += if rest[at + close - 1] == ':' && close > 2 { close + 1 } else { 1 };
            }
            _ => at += 1,
        }
    }
}
