//! Power cuts for real: two machines and a repository live on the disks of a user-mode Linux, which is killed.
//!
//! What the guest's kernel had not written to its disks is gone then, as it is when a plug is pulled. The guest tells
//! the host what it does, by files outside of its disks, so that what must be found again is known whatever the disks
//! say. [`host`] starts, kills and judges; [`guest`] edits, syncs, and checks after each cut.
//!
//! Two disks: the machines on one, the repository on the other, so that nothing is durable merely because the other end
//! asked its own disk to write.

pub mod guest;
pub mod host;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use instep_core::content::ContentId;

/// The file that says what the guest is doing: one line a step.
const STEPS: &str = "steps";
/// The file that says which machines are workspaces.
const CONNECTED: &str = "connected";
/// The file of contents that must be found again: one line each.
const KEPT: &str = "kept";
/// The file of paths that a finished sync left in a tree, and that nobody took away since.
const STANDING: &str = "standing";

/// What the guest is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The host turns the power on.
    Started,
    /// Checks what the last cut left.
    Checking,
    /// All that was promised holds.
    Checked,
    /// A person edits.
    Editing,
    /// The program runs, with these words.
    Running(String),
    /// Nothing runs.
    Idle,
    /// Something does not hold; the guest stops.
    Failed(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Started => f.write_str("started"),
            Step::Checking => f.write_str("checking"),
            Step::Checked => f.write_str("checked"),
            Step::Editing => f.write_str("editing"),
            Step::Running(words) => write!(f, "running {words}"),
            Step::Idle => f.write_str("idle"),
            Step::Failed(why) => write!(f, "failed {}", why.replace('\n', "\u{2028}")),
        }
    }
}

impl Step {
    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "started" => Step::Started,
            "checking" => Step::Checking,
            "checked" => Step::Checked,
            "editing" => Step::Editing,
            "running" => Step::Running(rest.to_owned()),
            "idle" => Step::Idle,
            "failed" => Step::Failed(rest.replace('\u{2028}', "\n")),
            _ => return None,
        })
    }
}

/// The steps since the last start; a line that was cut off does not count.
fn steps(area: &Path) -> io::Result<Vec<Step>> {
    let text = read_text(&area.join(STEPS))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let all: Vec<Step> = whole.lines().filter_map(Step::parse).collect();
    let start = all.iter().rposition(|step| *step == Step::Started).map_or(0, |at| at + 1);
    Ok(all[start..].to_vec())
}

/// Adds lines to a file, all at once.
fn note(path: &Path, lines: &[String]) -> io::Result<()> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// The contents named by a file of lines `ID what`.
fn contents(path: &Path) -> io::Result<Vec<(ContentId, String)>> {
    let text = read_text(path)?;
    let named = text.lines().filter_map(|line| {
        let (id, what) = line.split_once(' ')?;
        Some((ContentId::parse(id)?, what.to_owned()))
    });
    Ok(named.collect())
}

fn read_text(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}
