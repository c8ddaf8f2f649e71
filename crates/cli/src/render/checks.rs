//! What `doctor` found: a line a check, with the exact fix below each that failed.

use serde_json::{Value, json};

use super::{Look, Tone, count};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    Ok,
    /// Worth knowing.
    Info,
    /// Works, but not as it could.
    Warning,
    /// Does not work.
    Error,
}

impl Level {
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Level::Ok => Tone::Good,
            Level::Info => Tone::Quiet,
            Level::Warning => Tone::Attention,
            Level::Error => Tone::Problem,
        }
    }
}

/// One check.
#[derive(Debug, Clone)]
pub struct Check {
    /// How it came out.
    pub level: Level,
    /// What was looked at, in a word or two.
    pub name: String,
    /// What was found.
    pub found: String,
    /// The same without what names a path or says why.
    pub brief: String,
    /// What to type.
    pub fix: Option<String>,
}

impl Check {
    /// A check without a fix.
    pub fn new(level: Level, name: &str, found: impl Into<String>) -> Self {
        let found = found.into();
        Check { level, name: name.to_owned(), brief: found.clone(), found, fix: None }
    }

    /// Says the same without what names a path or says why.
    pub fn brief(mut self, brief: impl Into<String>) -> Self {
        self.brief = brief.into();
        self
    }

    /// Adds what to type.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// The text.
pub fn text(look: &Look, checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let word = look.paint(check.level.tone(), &format!("{:7}", check.level.word()));
        text.push_str(&format!("{word}  {:width$}  {}\n", check.name, check.found));
        if let Some(fix) = &check.fix {
            text.push_str(&format!("{:9}{:width$}  fix: {fix}\n", "", ""));
        }
    }
    let number = |level| checks.iter().filter(|check| check.level == level).count() as u64;
    let (errors, warnings) = (number(Level::Error), number(Level::Warning));
    text.push_str(&match (errors, warnings) {
        (0, 0) => "All is well.\n".to_owned(),
        _ => format!("{}, {}\n", count(errors, "error"), count(warnings, "warning")),
    });
    text
}

/// The object for programs.
pub fn to_json(checks: &[Check]) -> Value {
    let list = checks.iter().map(|check| {
        json!({"result": check.level.word(), "check": check.name, "message": check.found, "fix": check.fix})
    });
    let ok = checks.iter().all(|check| check.level < Level::Error);
    json!({"schema": 1, "command": "doctor", "ok": ok, "checks": list.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::plain;
    use super::*;

    #[test]
    fn each_failed_check_prints_its_fix() {
        let checks = [
            Check::new(Level::Ok, "version", "instep 0.1.0"),
            Check::new(Level::Error, "remote origin", "Can't connect.")
                .fix("`instep remote test` when back online."),
        ];
        expect![[r#"
            ok       version        instep 0.1.0
            error    remote origin  Can't connect.
                                    fix: `instep remote test` when back online.
            1 error, 0 warnings
        "#]]
        .assert_eq(&text(&plain(), &checks));
    }
}
