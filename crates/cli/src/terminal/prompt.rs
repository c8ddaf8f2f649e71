//! Questions. Each has a form that needs no answer: an option, or `--yes`. Where nobody can answer, a missing answer
//! ends the command with exit code 2.
//!
//! Answers are lines, not single keys: a screen reader reads them out, and they can be taken back before Enter. They
//! come from a terminal only, never from a pipe that was meant for something else.

use std::io::{self, BufRead, Write};

use super::Terminal;
use crate::failure::CommandError;

/// What a question is about, and how to answer it without being asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The question.
    pub text: &'a str,
    /// The option that answers it: `--remote ADDRESS`.
    pub option: &'a str,
}

/// One of several answers.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The letters or digits that choose it.
    pub key: &'a str,
    /// What it means.
    pub words: &'a str,
}

impl Terminal {
    /// Asks for a yes; Enter takes `default`. With `--yes` the answer is yes.
    pub fn confirm(&self, question: Question<'_>, default: bool) -> Result<bool, CommandError> {
        if self.yes {
            return Ok(true);
        }
        let ends = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            let answer = self.line(question, &format!("{} {ends} ", question.text))?;
            match answer.to_ascii_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.aside("Please answer y or n."),
            }
        }
    }

    /// Asks for a line of text; an empty one takes `default`, or is asked for again where there is none.
    pub fn ask(&self, question: Question<'_>, default: Option<&str>) -> Result<String, CommandError> {
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        loop {
            let answer = self.line(question, &format!("{}{shown} ", question.text))?;
            match (answer.is_empty(), default) {
                (false, _) => return Ok(answer),
                (true, Some(default)) => return Ok(default.to_owned()),
                (true, None) => self.aside("An answer is needed here; Ctrl-C leaves."),
            }
        }
    }

    /// Asks for one of several answers by its key; answers its place. An empty line takes the first.
    pub fn choose(&self, question: Question<'_>, choices: &[Choice<'_>]) -> Result<usize, CommandError> {
        self.aside(question.text);
        for choice in choices {
            self.aside(&format!("  [{}] {}", choice.key, choice.words));
        }
        self.answer(question, choices)
    }

    /// As [`Terminal::choose`], with all answers in one line, for questions that come often.
    pub fn choose_inline(
        &self,
        question: Question<'_>,
        choices: &[Choice<'_>],
    ) -> Result<usize, CommandError> {
        let list: Vec<_> =
            choices.iter().map(|choice| format!("[{}] {}", choice.key, choice.words)).collect();
        self.aside(&format!("{}  {}", question.text, list.join("  ")));
        self.answer(question, choices)
    }

    fn answer(&self, question: Question<'_>, choices: &[Choice<'_>]) -> Result<usize, CommandError> {
        let first = choices.first().map_or("", |choice| choice.key);
        loop {
            let answer = self.line(question, &format!("[{first}] "))?;
            if answer.is_empty() {
                return Ok(0);
            }
            let answer = answer.to_ascii_lowercase();
            match choices.iter().position(|choice| choice.key == answer) {
                Some(at) => return Ok(at),
                None => self.aside("Please answer with one of the keys above."),
            }
        }
    }

    /// Reads one line, trimmed; the end of input is a missing answer.
    fn line(&self, question: Question<'_>, prompt: &str) -> Result<String, CommandError> {
        if self.no_input {
            return Err(missing(question));
        }
        super::progress::clear_line();
        let _ = write!(io::stderr().lock(), "{prompt}").and_then(|()| io::stderr().flush());
        let mut answer = String::new();
        let asked = crate::interrupt::while_asking(|| io::stdin().lock().read_line(&mut answer));
        match asked {
            Ok(0) => Err(missing(question)),
            Ok(_) => Ok(answer.trim().to_owned()),
            Err(error) => Err(missing(question).because(error)),
        }
    }
}

fn missing(question: Question<'_>) -> CommandError {
    CommandError::new(
        "E-NO-INPUT",
        crate::failure::Exit::Usage,
        "An answer is missing, and nobody can be asked.",
    )
    .because(format!("The question: {}", question.text))
    .hinted(format!("`{}` answers it.", question.option))
}
