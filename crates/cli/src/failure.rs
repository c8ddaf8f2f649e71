//! What a command can end with: an [`Exit`] code, or a [`CommandError`] worded for people and scripts.
//!
//! Every failure has four parts and a code: what failed, why, what is safe, what to type next. The engine's and the
//! remotes' errors are translated here and nowhere else.

use std::path::Path;
use std::time::Duration;

use instep_core::remote::{RemoteError, RemoteErrorKind};
use instep_core::safety::Halt;
use instep_engine::failure::{Danger, EngineError};
use instep_engine::folder::{FolderError, FolderFailure};

/// How a command ends. The numbers are a promise to scripts; these are the only ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, in sync.
    Done = 0,
    /// An error that no other code covers.
    Failed = 1,
    /// Wrong usage, settings that are not valid, or an answer is missing.
    Usage = 2,
    /// Done, but some files were held or failed.
    Partial = 3,
    /// Done, conflicts are waiting.
    Conflicts = 4,
    /// Temporary: the work waits and will be tried again.
    Temporary = 5,
    /// Stopped by a safety guard, nothing changed.
    Guard = 6,
    /// Refused for good: login, permission.
    Refused = 7,
    /// There are changes to sync; only where the code was asked for.
    Changes = 8,
    /// Not a workspace, or the remote is not set up.
    NoWorkspace = 10,
    /// Another process holds the workspace.
    Locked = 11,
    /// Interrupted by the person; safe to run again.
    Interrupted = 130,
}

/// Which code wins when several apply: a conflict is never hidden by a held file, nor an error by a conflict.
const PRECEDENCE: [Exit; 12] = [
    Exit::Interrupted,
    Exit::Usage,
    Exit::Failed,
    Exit::Refused,
    Exit::NoWorkspace,
    Exit::Locked,
    Exit::Guard,
    Exit::Temporary,
    Exit::Conflicts,
    Exit::Partial,
    Exit::Changes,
    Exit::Done,
];

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one of two that must be told.
    pub fn and(self, other: Exit) -> Exit {
        PRECEDENCE.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(Exit::Failed)
    }
}

/// A failure as people and scripts read it.
#[derive(Debug)]
pub struct CommandError {
    /// The stable code, such as `E-WORKSPACE-NONE`.
    pub code: &'static str,
    /// How the program ends.
    pub exit: Exit,
    /// One sentence: what failed.
    pub what: String,
    /// The path it is about, escaped.
    pub path: Option<Box<str>>,
    /// Sentences or lines: why. The first matters most.
    pub why: Vec<String>,
    /// One sentence: what is safe.
    pub safe: &'static str,
    /// What to type next, without the word `Hint`.
    pub hint: Option<Box<str>>,
}

/// What holds for nearly every failure.
const NOTHING_CHANGED: &str = "Nothing was changed.";
const GOES_ON: &str = "Nothing is lost; the next run goes on where this one stopped.";

impl CommandError {
    /// A failure before which nothing was changed.
    pub fn new(code: &'static str, exit: Exit, what: impl Into<String>) -> Self {
        CommandError {
            code,
            exit,
            what: what.into(),
            path: None,
            why: Vec::new(),
            safe: NOTHING_CHANGED,
            hint: None,
        }
    }

    /// Wrong usage: exit 2.
    pub fn usage(what: impl Into<String>) -> Self {
        CommandError::new("E-USAGE", Exit::Usage, what)
    }

    /// Something that a later version brings.
    pub fn later(what: &str) -> Self {
        let mut error =
            CommandError::new("E-LATER", Exit::Usage, format!("{what} comes in a later version."));
        error.why.push(format!("This is instep {}.", env!("CARGO_PKG_VERSION")));
        error
    }

    /// A file that the program itself had to read or write failed.
    pub fn file(verb: &str, path: &Path, source: &std::io::Error) -> Self {
        let path = instep_core::path::escape(path.as_os_str().as_encoded_bytes());
        CommandError::new("E-IO", Exit::Failed, format!("Could not {verb} a file.")).at(path).because(source)
    }

    /// A file that a person named could not be read: that is wrong usage where it is not there.
    pub fn named_file(path: &Path, source: &std::io::Error) -> Self {
        let failed = CommandError::file("read", path, source);
        match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory => {
                CommandError { code: "E-USAGE", exit: Exit::Usage, ..failed }
            }
            _ => failed,
        }
    }

    /// Adds the path, which must be escaped already.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into().into());
        self
    }

    /// Adds a sentence of why.
    pub fn because(mut self, why: impl ToString) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Says what is safe.
    pub fn safe(mut self, safe: &'static str) -> Self {
        self.safe = safe;
        self
    }

    /// Says what to type next.
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }

    /// The person asked to stop.
    pub fn interrupted() -> Self {
        CommandError::new("E-INTERRUPTED", Exit::Interrupted, "Interrupted.")
            .safe("Nothing is lost; run the command again and it goes on.")
    }

    /// The object on standard error with `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "type": "error",
            "code": self.code,
            "exit_code": self.exit.code(),
            "message": self.what,
            "why": self.why,
            "safe": self.safe,
            "hint": self.hint,
            "path": self.path,
        })
    }
}

/// The causes of an error, outermost first, each once.
fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}

impl From<RemoteError> for CommandError {
    fn from(error: RemoteError) -> Self {
        let (exit, safe, hint) = match error.kind {
            RemoteErrorKind::Offline => (
                Exit::Temporary,
                "Nothing is lost; what is here waits and goes with the next sync.",
                Some("`instep sync` when you are back online.".to_owned()),
            ),
            RemoteErrorKind::Busy => (Exit::Temporary, GOES_ON, error.wait.map(come_back)),
            RemoteErrorKind::Unauthorized | RemoteErrorKind::Rejected => {
                (Exit::Refused, NOTHING_CHANGED, Some("`instep doctor` checks the login.".to_owned()))
            }
            RemoteErrorKind::NotFound => (
                Exit::NoWorkspace,
                NOTHING_CHANGED,
                Some("`instep remote set origin ADDRESS` if the place has moved.".to_owned()),
            ),
            // An address that must not be used is a word that was typed wrong; the rest is a danger out there.
            RemoteErrorKind::Unsafe if error.code.starts_with("E-URL") => {
                (Exit::Usage, NOTHING_CHANGED, None)
            }
            RemoteErrorKind::Unsafe => (Exit::Guard, NOTHING_CHANGED, None),
            RemoteErrorKind::Invalid => (Exit::Usage, NOTHING_CHANGED, None),
            RemoteErrorKind::Stale => (Exit::Temporary, GOES_ON, Some("`instep sync` again.".to_owned())),
            RemoteErrorKind::Cancelled => return CommandError::interrupted(),
            RemoteErrorKind::Corrupt | RemoteErrorKind::Protocol | RemoteErrorKind::Local => {
                (Exit::Failed, GOES_ON, Some("`instep doctor` looks for the cause.".to_owned()))
            }
        };
        let mut why = causes(&error);
        why.dedup();
        CommandError {
            code: error.code,
            exit,
            what: sentence(&error.message),
            path: None,
            why,
            safe,
            hint: error.hint.or(hint).map(Into::into),
        }
    }
}

fn come_back(wait: Duration) -> String {
    format!("`instep sync` again in {} s.", wait.as_secs().max(1))
}

/// Makes the words of a library into a sentence: a capital first, a period last.
pub fn sentence(text: &str) -> String {
    let mut chars = text.trim_end().chars();
    let Some(first) = chars.next() else { return String::new() };
    // A word such as `instep.yaml` or a quoted name keeps its form.
    let word = text.split(' ').next().unwrap_or_default();
    let plain = word.chars().all(|c| c.is_ascii_alphabetic());
    let head = if plain { first.to_ascii_uppercase() } else { first };
    let mut sentence: String = std::iter::once(head).chain(chars).collect();
    if !sentence.ends_with(['.', '?', '!', ':', '`']) {
        sentence.push('.');
    }
    sentence
}

impl From<FolderError> for CommandError {
    fn from(error: FolderError) -> Self {
        let (code, hint) = match error.failure() {
            FolderFailure::Full => ("E-DISK-FULL", Some("free some space, then `instep sync` again.")),
            FolderFailure::ReadOnly => ("E-IO-RO", Some("make the disk writable, then `instep sync` again.")),
            FolderFailure::Denied => ("E-IO-PERM", Some("check the permissions of that path.")),
            FolderFailure::Exhausted => {
                ("E-IO-FILES", Some("`ulimit -n 4096` in this shell allows more open files."))
            }
            FolderFailure::Broken => ("E-IO", Some("if this repeats, the disk may be failing.")),
            FolderFailure::Missing => ("E-IO-MISSING", None),
            FolderFailure::Raced | FolderFailure::Taken | FolderFailure::NotEmpty => ("E-RACE", None),
            FolderFailure::Unnameable => ("E-PATH-NAME", None),
            FolderFailure::Fixed | FolderFailure::Unsupported => {
                ("E-IO-UNSUPPORTED", Some("`instep doctor` lists what this disk can do."))
            }
        };
        let mut failed = CommandError::new(code, Exit::Failed, format!("Could not {} a path.", error.verb))
            .at(error.path.clone())
            .because(&error.source)
            .safe(GOES_ON);
        failed.hint = hint.map(Into::into);
        failed
    }
}

impl From<EngineError> for CommandError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Halted(danger) => stopped(&danger),
            EngineError::Remote(error) => error.into(),
            EngineError::Folder(error) => error.into(),
            EngineError::State(ref source) => {
                let (code, hint) = match error.disk() {
                    Some(FolderFailure::Full) => {
                        ("E-DISK-FULL", "free some space, then `instep sync` again.")
                    }
                    // It is not told which: a quota that is used up, a disk that became read-only, one that fails.
                    Some(_) => {
                        ("E-STATE", "see whether the disk can be written; `instep doctor` checks the state.")
                    }
                    None => ("E-STATE", "`instep doctor` checks the state."),
                };
                CommandError::new(code, Exit::Failed, sentence(&error.to_string()))
                    .because(source)
                    .safe("Your files are untouched.")
                    .hinted(hint)
            }
            EngineError::StateCorrupt(ref why) => {
                CommandError::new("E-STATE-CORRUPT", Exit::Failed, "The state database is damaged.")
                    .because(why)
                    .safe("Your files are untouched.")
                    .hinted("`instep doctor --fix` rebuilds it from what is on disk.")
            }
            EngineError::StateVersion { .. } => {
                CommandError::new("E-STATE-VERSION", Exit::Failed, sentence(&error.to_string()))
                    .hinted("install the newest instep on this machine.")
            }
            EngineError::Registry(ref source) => {
                CommandError::new("E-HOME", Exit::Failed, "The list of this user's workspaces can't be used.")
                    .because(source)
                    .hinted("check the folder that INSTEP_HOME, or the state folder of this user, names.")
            }
            EngineError::NoWorkspace(path) => no_workspace(&path),
            EngineError::Gone(path) => gone(&path),
            EngineError::Locked { holder } => locked(holder),
            EngineError::NoRemote => {
                CommandError::new("E-REMOTE-NONE", Exit::NoWorkspace, "No remote is set up.")
                    .hinted("`instep init --remote ADDRESS` says where your private copy lives.")
            }
            EngineError::PlanStale(why) => {
                CommandError::new("E-PLAN-STALE", Exit::Guard, "The plan no longer fits.")
                    .because(sentence(&why))
                    .hinted("`instep sync -n --json > plan.json` makes a new one.")
            }
            EngineError::RemoteBusy(tries) => CommandError::new(
                "E-REMOTE-BUSY",
                Exit::Temporary,
                format!("The remote changed {tries} times while it was being written."),
            )
            .safe(GOES_ON)
            .hinted("`instep sync` again in a moment."),
            EngineError::NotFound(what) => CommandError::new("E-NOT-FOUND", Exit::Usage, sentence(&what)),
            EngineError::Settings { code, why, hint } => {
                let error = CommandError::new(code, Exit::Usage, "The settings are not valid.")
                    .because(sentence(&why));
                match hint {
                    Some(hint) => error.hinted(hint),
                    None => error,
                }
            }
            EngineError::Refused(why) => CommandError::new("E-REFUSED", Exit::Usage, sentence(&why)),
            EngineError::Cancelled => CommandError::interrupted(),
        }
    }
}

fn shown(path: &Path) -> String {
    instep_core::path::escape(path.as_os_str().as_encoded_bytes())
}

fn no_workspace(path: &Path) -> CommandError {
    CommandError::new("E-WORKSPACE-NONE", Exit::NoWorkspace, "This folder is not in a workspace.")
        .at(shown(path))
        .because("Neither it nor a folder above it was set up with instep.")
        .hinted("`instep init` makes it one; `instep clone ADDRESS` brings an existing one here.")
}

fn gone(path: &Path) -> CommandError {
    if path.is_dir() {
        return CommandError::new("E-GUARD-ROOT", Exit::Guard, "The folder of this workspace has no `.instep`.")
            .at(shown(path))
            .because("Its disk may not be mounted, or `.instep` was deleted, as `git clean -x` does.")
            .hinted(
                "mount the disk or bring `.instep` back; or `instep init` joins what is in the folder as a first contact: \
                 nothing is deleted on either side.",
            );
    }
    CommandError::new("E-GUARD-ROOT", Exit::Guard, "The folder of this workspace is gone.")
        .at(shown(path))
        .because("The disk may not be mounted, or the folder was moved or deleted.")
        .hinted("mount the disk or bring the folder back; `instep clone` makes a new copy elsewhere.")
}

fn locked(holder: Option<u32>) -> CommandError {
    let what = match holder {
        Some(process) => format!("Another instep (process {process}) is working in this workspace."),
        None => "Another instep is working in this workspace.".to_owned(),
    };
    CommandError::new("E-LOCKED", Exit::Locked, what)
        .because("It did not finish within the time this command waits.")
        .hinted("wait for it to end, then run this again.")
}

/// A guard stopped a cycle: says what was seen and how to go on either way.
fn stopped(danger: &Danger) -> CommandError {
    let stop = |what: String| CommandError::new(danger.code(), Exit::Guard, what);
    match danger {
        Danger::Deletions(halt) => deletions(danger.code(), halt),
        Danger::Replaced(id) => stop(
            "Stopped before changing anything: another folder stands in the place of this one.".to_owned(),
        )
        .because(format!("The state in it belongs to workspace {id}, whose folder was another one."))
        .because("What is missing in this one was not deleted by anybody.")
        .hinted("`instep init` here joins it as a first contact: nothing is deleted on either side."),
        Danger::Rewound { known, found, .. } => {
            stop("Stopped before changing anything: the remote was put back to an older state.".to_owned())
                .because(format!("Last seen: {known}."))
                .because(format!("Now: {found}."))
                .hinted("`instep sync --allow rewind` joins both sides again and deletes nothing.")
        }
        Danger::Rewritten { known, found, unrelated } => {
            let what = if *unrelated {
                "Stopped before changing anything: another repository stands in the place of the remote."
            } else {
                "Stopped before changing anything: the history of the remote was rewritten."
            };
            stop(what.to_owned())
                .because(format!("Last seen: {known}."))
                .because(match found {
                    Some(found) => format!("Now: {found}."),
                    None => "Now: the branch is gone.".to_owned(),
                })
                .hinted("`instep sync --allow rewind` joins both sides again and deletes nothing.")
        }
    }
}

fn deletions(code: &'static str, halt: &Halt) -> CommandError {
    use instep_core::node::Side;
    let place = |side: &Side| match side {
        Side::Local => "here",
        Side::Remote => "at the remote",
    };
    let what = match halt {
        Halt::Emptied { side, files } => format!(
            "Stopped before changing anything: all your files ({}) are missing {}.",
            crate::render::number(*files),
            place(side)
        ),
        Halt::MassDelete { missing, files, of } => format!(
            "Stopped before changing anything: {}% of your files ({} of {}) are missing {}.",
            (files * 100).checked_div(*of).unwrap_or(100),
            crate::render::number(*files),
            crate::render::number(*of),
            place(missing)
        ),
    };
    CommandError::new(code, Exit::Guard, what)
        .because("If the disk is not mounted or the folder moved, fix that and run sync again.")
        .hinted("if you meant to delete them: `instep sync --allow delete` (contents stay restorable).")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use instep_engine::workspace::{Opening, Workspace};

    use super::*;

    #[test]
    fn the_worse_code_wins() {
        assert_eq!(Exit::Partial.and(Exit::Conflicts), Exit::Conflicts);
        assert_eq!(Exit::Done.and(Exit::Changes), Exit::Changes);
        assert_eq!(Exit::Interrupted.and(Exit::Usage), Exit::Interrupted);
        assert_eq!(Exit::Temporary.and(Exit::Guard), Exit::Guard);
        assert_eq!(Exit::Usage.and(Exit::Failed), Exit::Usage);
    }

    #[test]
    fn a_wrong_word_is_wrong_usage_and_a_changed_host_key_is_a_guard() {
        let exit = |kind, code| CommandError::from(RemoteError::new(kind, code, "")).exit;
        for code in ["E-URL-DASH", "E-URL-IDN", "E-URL-PLAIN", "E-URL-SCHEME", "E-URL-SECRET"] {
            assert_eq!(exit(RemoteErrorKind::Unsafe, code), Exit::Usage, "{code}");
        }
        for code in ["E-URL-CONTROL", "E-REMOTE-NESTED", "E-GIT-REFNAME", "E-REMOTE-KIND"] {
            assert_eq!(exit(RemoteErrorKind::Invalid, code), Exit::Usage, "{code}");
        }
        assert_eq!(exit(RemoteErrorKind::Unsafe, "E-SSH-HOSTKEY"), Exit::Guard);
    }

    #[test]
    fn a_replaced_folder_is_joined_by_init() {
        let error = CommandError::from(EngineError::Halted(Danger::Replaced("ab".into())));
        assert_eq!((error.code, error.exit), ("E-GUARD-ROOT", Exit::Guard));
        assert!(error.what.contains("another folder stands in the place"), "{error:?}");
        assert!(error.hint.unwrap().starts_with("`instep init` here joins it as a first contact"));
    }

    #[test]
    fn a_workspace_that_another_holds_longer_than_one_waits_ends_with_11() {
        let area = tempfile::tempdir().unwrap();
        let opening = Opening {
            home: &area.path().join("home"),
            machine: "left",
            clock: Arc::new(crate::clock::SystemClock),
            patience: Duration::from_millis(1),
            waiting: &|_| {},
        };
        std::fs::create_dir(opening.home).unwrap();
        let root = area.path().join("work");
        let held = Workspace::create(&root, &opening).unwrap();
        let error = CommandError::from(Workspace::open(&root, &opening).err().unwrap());
        assert_eq!((error.code, error.exit.code()), ("E-LOCKED", 11));
        let process = std::process::id();
        assert_eq!(error.what, format!("Another instep (process {process}) is working in this workspace."));
        assert_eq!(error.to_json()["exit_code"], 11);
        drop(held);
        assert!(Workspace::open(&root, &opening).is_ok());
    }

    #[test]
    fn words_become_sentences() {
        assert_eq!(sentence("the state is damaged"), "The state is damaged.");
        assert_eq!(sentence("instep.yaml is odd"), "instep.yaml is odd.");
        assert_eq!(sentence("Done."), "Done.");
    }

    #[test]
    fn a_guard_names_the_share_and_the_way_on() {
        let halt = Halt::MassDelete { missing: instep_core::node::Side::Local, files: 862, of: 1412 };
        let error = CommandError::from(EngineError::Halted(Danger::Deletions(halt)));
        assert_eq!(error.exit, Exit::Guard);
        assert_eq!(
            error.what,
            "Stopped before changing anything: 61% of your files (862 of 1,412) are missing here."
        );
        assert_eq!(error.code, "E-GUARD-DELETE");
    }
}
