//! The only file that prints, with its folder: data to standard output, everything else to standard error.
//!
//! A reader that went away (`instep log | head`) is no failure. Any other failure of standard output is kept and told
//! when the command ends.

pub mod color;
pub mod program;
pub mod progress;
pub mod prompt;

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use serde_json::Value;

use crate::failure::{CommandError, Exit};
use crate::render::Look;
use progress::ProgressMode;

/// How the program talks in this run.
#[derive(Debug)]
pub struct Terminal {
    /// How text is to look.
    pub look: Look,
    /// Objects for programs in place of text.
    pub json: bool,
    /// No progress, no hints, no word of success.
    pub quiet: bool,
    /// Questions are not asked: a missing answer ends the command.
    pub no_input: bool,
    /// Questions with a yes are answered so.
    pub yes: bool,
    /// How progress is shown.
    pub progress: ProgressMode,
    /// Long text goes through a pager.
    pub pager: bool,
    /// The first failure of standard output.
    failed: Mutex<Option<io::Error>>,
}

/// What decides how the program talks.
#[derive(Debug)]
pub struct Manner {
    /// How text is to look.
    pub look: Look,
    /// Objects for programs in place of text.
    pub json: bool,
    /// No progress, no hints, no word of success.
    pub quiet: bool,
    /// Questions are not asked.
    pub no_input: bool,
    /// Questions with a yes are answered so.
    pub yes: bool,
    /// How progress is shown.
    pub progress: ProgressMode,
    /// A pager may be used.
    pub pager: bool,
}

impl Terminal {
    /// Takes the manner; a pager and questions also need someone who reads and answers.
    pub fn new(manner: Manner) -> Self {
        let seen = io::stdout().is_terminal();
        Terminal {
            look: manner.look,
            json: manner.json,
            quiet: manner.quiet,
            no_input: manner.no_input || !io::stdin().is_terminal(),
            yes: manner.yes,
            progress: manner.progress,
            pager: manner.pager && seen && !manner.json,
            failed: Mutex::new(None),
        }
    }

    /// Prints data as it is.
    pub fn data(&self, text: &str) {
        self.write(text.as_bytes());
    }

    /// Prints what a command did, which `--quiet` leaves out: the exit code says that it went well.
    pub fn done(&self, text: &str) {
        if !self.quiet {
            self.data(text);
        }
    }

    /// Prints bytes as they are: a file's content.
    pub fn bytes(&self, bytes: &[u8]) {
        self.write(bytes);
    }

    /// Prints one object for programs, on one line.
    pub fn object(&self, value: &Value) {
        self.write(format!("{value}\n").as_bytes());
    }

    /// Prints long data, through a pager where a person reads.
    pub fn page(&self, text: &str) {
        const SCREEN_LINES: usize = 24;
        if !self.pager || text.lines().count() <= SCREEN_LINES || !program::page(text) {
            self.data(text);
        }
    }

    /// Says something to the person that is no data; silent with `--quiet`.
    pub fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            self.aside(text);
        }
    }

    /// Warns; never silent. Programs get an object.
    pub fn warn(&self, text: &str) {
        if self.json {
            self.aside(&serde_json::json!({"type": "notice", "message": text}).to_string());
        } else {
            let word = self.look.paint(crate::render::Tone::Attention, "Warning:");
            self.aside(&format!("{word} {text}"));
        }
    }

    /// Gives the one hint that closes a command.
    pub fn hint(&self, hint: Option<String>) {
        if let Some(hint) = hint {
            self.say(&format!("\nHint: {hint}"));
        }
    }

    /// Tells a failure in its four parts, or as an object.
    pub fn failure(&self, error: &CommandError) {
        if self.json {
            self.aside(&error.to_json().to_string());
        } else {
            self.aside(&failure_text(&self.look, error));
        }
    }

    /// Answers whether somebody still takes the data.
    pub fn is_heard(&self) -> bool {
        self.failed.lock().is_ok_and(|failed| failed.is_none())
    }

    /// Answers how the program must end when standard output failed: the data did not arrive.
    pub fn finish(&self) -> Option<CommandError> {
        let _ = io::stdout().flush();
        let failed = self.failed.lock().ok()?.take()?;
        if failed.kind() == io::ErrorKind::BrokenPipe {
            return None;
        }
        let error =
            CommandError::new("E-OUTPUT", Exit::Failed, "Could not write the output.").because(failed);
        Some(error.safe("What the command did is done."))
    }

    fn write(&self, bytes: &[u8]) {
        let Ok(mut failed) = self.failed.lock() else { return };
        if failed.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        *failed = out.write_all(bytes).and_then(|()| out.flush()).err();
    }

    /// A line to standard error. Nobody can be told if that fails.
    fn aside(&self, text: &str) {
        progress::clear_line();
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Prints text before a [`Terminal`] exists: usage errors, help, version.
pub fn print_early(text: &str, to_stdout: bool) {
    let _ = if to_stdout {
        io::stdout().lock().write_all(text.as_bytes())
    } else {
        io::stderr().lock().write_all(text.as_bytes())
    };
}

/// What failed, where, why, what is safe, what to type.
fn failure_text(look: &Look, error: &CommandError) -> String {
    use crate::render::Tone;
    let mut text = format!("{} {}  {}", look.paint(Tone::Problem, "Error:"), error.code, error.what);
    if let Some(path) = &error.path {
        text.push_str(&format!("\n  where  {path}"));
    }
    for (at, why) in error.why.iter().flat_map(|why| why.lines()).enumerate() {
        let label = if at == 0 { "why  " } else { "     " };
        text.push_str(&format!("\n  {label}  {why}"));
    }
    text.push_str(&format!("\n  safe   {}", error.safe));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\nHint: {hint}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_failure_has_four_parts_and_a_code() {
        let error = CommandError::new("E-IO-PERM", Exit::Failed, "Could not read a file.")
            .at("notes/a\\x1b.md")
            .because("Permission denied.\nThe owner is root.")
            .hinted("`chmod u+r` on it.");
        expect![[r#"
            Error: E-IO-PERM  Could not read a file.
              where  notes/a\x1b.md
              why    Permission denied.
                     The owner is root.
              safe   Nothing was changed.
            Hint: `chmod u+r` on it."#]]
        .assert_eq(&failure_text(&crate::render::tests::plain(), &error));
    }
}
