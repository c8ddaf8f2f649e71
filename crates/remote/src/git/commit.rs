//! Commits: what one says of itself, in its headers and in the trailers that Instep writes.
//!
//! A trailer holds what git has no place for. All of it is data from elsewhere: what can't be read is left out.

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::path::TreePath;
use instep_core::remote::{Draft, MachineStamp, RemoteError, Stamp};
use instep_core::renames::Rename;

use super::failure;
use super::objects::{Kind, Oid};
use super::pack::Pack;
use super::program::{Program, Scope};
use super::quote::{quote, unquote};

/// The version of the trailers.
const VERSION: &str = "1";

/// One commit, as far as we read it.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub tree: Option<Oid>,
    pub parents: Vec<Oid>,
    pub author: String,
    pub time: Timestamp,
    pub message: String,
}

/// What the trailers say.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers {
    version: bool,
    machine: Option<MachineStamp>,
    operation: Option<String>,
    allows_deletes: bool,
    pub times: BTreeMap<TreePath, Timestamp>,
    pub renames: Vec<Rename>,
}

impl Commit {
    /// Reads a commit object.
    pub fn parse(raw: &[u8]) -> Result<Self, RemoteError> {
        let text = String::from_utf8_lossy(raw);
        let (headers, message) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut commit = Commit {
            tree: None,
            parents: Vec::new(),
            author: String::new(),
            time: Timestamp::default(),
            message: message.to_owned(),
        };
        for line in headers.lines() {
            match line.split_once(' ') {
                Some(("tree", oid)) => commit.tree = Oid::parse(oid.as_bytes()),
                Some(("parent", oid)) => commit.parents.extend(Oid::parse(oid.as_bytes())),
                Some(("author", who)) => {
                    let (name, rest) = who.split_once('<').unwrap_or((who, ""));
                    let (email, date) = rest.split_once('>').unwrap_or((rest, ""));
                    commit.author = shown_author(name, email);
                    commit.time = parse_date(date.split_ascii_whitespace().next().unwrap_or(""));
                }
                _ => {}
            }
        }
        match commit.tree {
            Some(_) => Ok(commit),
            None => Err(failure::corrupt("E-GIT-TREE", "The remote's head is a commit without a tree.")),
        }
    }

    /// Answers whether Instep wrote it, by itself and on one parent at most: then it speaks of folders without files.
    pub fn is_ours(&self) -> bool {
        self.parents.len() <= 1 && Trailers::of(&self.message).version
    }

    /// What it says of itself.
    pub fn stamp(&self, trailers: &Trailers, speaks_of_folders: bool) -> Stamp {
        Stamp {
            author: self.author.clone(),
            machine: if trailers.version { trailers.machine.clone() } else { None },
            time: self.time,
            message: self.message.lines().next().unwrap_or("").to_owned(),
            operation: trailers.operation.clone(),
            allows_deletes: trailers.allows_deletes,
            speaks_of_folders,
        }
    }
}

/// A person as a remote shows them: the name, else the address.
pub(super) fn shown_author(name: &str, email: &str) -> String {
    let name = name.trim();
    if name.is_empty() { email.trim().to_owned() } else { name.to_owned() }
}

/// Any number of seconds; data, never used for order.
pub(super) fn parse_date(text: &str) -> Timestamp {
    let seconds = text.parse::<i128>().unwrap_or(0);
    Timestamp::from_seconds(seconds.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

impl Trailers {
    /// Reads the last paragraph of a message.
    pub fn of(message: &str) -> Self {
        let mut trailers = Trailers::default();
        let paragraph = message.trim_end().rsplit("\n\n").next().unwrap_or("");
        for line in paragraph.lines() {
            if let Some((name, value)) = line.strip_prefix("Instep-").and_then(|rest| rest.split_once(": ")) {
                trailers.take(name, value);
            }
        }
        trailers
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "Version" => self.version = value.trim().parse::<u32>().is_ok(),
            "Machine" => self.machine = parse_machine(value),
            "Operation" => self.operation = Some(value.trim().to_owned()),
            "Allow" => self.allows_deletes |= value.trim() == "delete",
            "Time" => {
                if let Some((path, time)) = parse_time(value) {
                    self.times.insert(path, time);
                }
            }
            "Move" => self.renames.extend(parse_move(value)),
            _ => {}
        }
    }
}

fn parse_machine(value: &str) -> Option<MachineStamp> {
    let (name, id) = unquote(value)?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Some(MachineStamp { name, id: id.trim().to_owned() })
}

fn parse_time(value: &str) -> Option<(TreePath, Timestamp)> {
    let (time, path) = value.split_once(' ')?;
    let (seconds, ns) = time.split_once('.').unwrap_or((time, "0"));
    let ns: i64 = if ns.len() <= 9 { format!("{ns:0<9}").parse().ok()? } else { return None };
    let time = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(ns)?;
    let (path, _) = unquote(path)?;
    let path = TreePath::new(&path).ok().filter(|path| !path.is_root())?;
    Some((path, Timestamp::from_ns(time)))
}

fn parse_move(value: &str) -> Option<Rename> {
    let (from, rest) = unquote(value)?;
    let (to, rest) = unquote(rest.strip_prefix(" -> ")?)?;
    let path = |bytes: &[u8]| TreePath::new(bytes).ok().filter(|path| !path.is_root());
    Some(Rename { from: path(&from)?, to: path(&to)? }).filter(|_| rest.is_empty())
}

/// The message of a draft, trailers and all.
pub(super) fn message_of(draft: &Draft) -> String {
    let title = draft.message.trim();
    let mut text = if title.is_empty() { "Sync".to_owned() } else { title.to_owned() };
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.push_str("\n\nInstep-Version: ");
    text.push_str(VERSION);
    let machine = &draft.machine;
    text.push_str(&format!("\nInstep-Machine: {} {}", quote(machine.name.as_bytes()), one_line(&machine.id)));
    text.push_str(&format!("\nInstep-Operation: {}", one_line(&draft.operation)));
    if draft.allows_deletes {
        text.push_str("\nInstep-Allow: delete");
    }
    for (path, time) in &draft.times {
        let ns = time.ns().rem_euclid(1_000_000_000);
        let part = if ns == 0 { String::new() } else { format!(".{ns:09}") };
        text.push_str(&format!("\nInstep-Time: {}{part} {}", time.seconds(), quote(path.as_bytes())));
    }
    for Rename { from, to } in &draft.renames {
        text.push_str(&format!("\nInstep-Move: {} -> {}", quote(from.as_bytes()), quote(to.as_bytes())));
    }
    text.push('\n');
    // A commit that holds one ends there, to git.
    text.replace('\0', " ")
}

/// Adds the commit of a draft whose folders are in the pack, and puts all of it into our repository; nobody sees it yet.
pub(super) fn write(
    program: &Program,
    mut pack: Pack,
    draft: &Draft,
    tree: Oid,
    parent: Option<Oid>,
    now: Timestamp,
) -> Result<Oid, RemoteError> {
    let settings = program.settings()?;
    let machine = if draft.machine.name.is_empty() { "instep" } else { &draft.machine.name };
    let name = printable(settings.name.as_deref().unwrap_or(machine));
    let email = printable(settings.email.as_deref().unwrap_or(&format!("{machine}@instep")));
    let now = now.seconds().max(0);
    let author = draft.time.seconds().clamp(0, now);
    let message = message_of(draft);
    if settings.signs {
        pack.take_in(program)?;
        return sign(program, (&name, &email), (author, now), tree, parent, &message);
    }
    let mut body = format!("tree {tree}\n");
    if let Some(parent) = parent {
        body.push_str(&format!("parent {parent}\n"));
    }
    body.push_str(&format!("author {name} <{email}> {author} +0000\n"));
    body.push_str(&format!("committer {name} <{email}> {now} +0000\n\n{message}"));
    let oid = pack.add(Kind::Commit, body.as_bytes())?;
    pack.take_in(program)?;
    Ok(oid)
}

/// Writes a commit that git signs, with the key and the program that the person has chosen for it.
fn sign(
    program: &Program,
    (name, email): (&str, &str),
    (author, now): (i64, i64),
    tree: Oid,
    parent: Option<Oid>,
    message: &str,
) -> Result<Oid, RemoteError> {
    let mut call = program.call(Scope::Talking)?;
    call.args(["-c", "core.fsync=none", "-c", "i18n.commitEncoding=UTF-8", "commit-tree", "-S"]);
    if let Some(parent) = parent {
        call.args(["-p".to_owned(), parent.to_string()]);
    }
    call.args(["-F", "-"]).args([tree.to_string()]);
    for (role, seconds) in [("AUTHOR", author), ("COMMITTER", now)] {
        call.env(&format!("GIT_{role}_NAME"), name);
        call.env(&format!("GIT_{role}_EMAIL"), email);
        call.env(&format!("GIT_{role}_DATE"), format!("@{seconds} +0000"));
    }
    let answer = call.answer_to(message.as_bytes()).map_err(|error| match error.code {
        // The program that signs says why in words of its own.
        "E-GIT-FAILED" => failure::not_signed(error),
        _ => error,
    })?;
    Oid::parse(answer.trim_ascii_end()).ok_or_else(|| failure::protocol("git did not name a commit", &answer))
}

/// What an identity may be: git's own commands refuse one of punctuation alone, and drop what would end it early.
fn printable(text: &str) -> String {
    let is_crude = |c: char| c <= ' ' || ".,:;<>\"\\'".contains(c);
    let text: String = text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect();
    let text = text.trim_matches(is_crude);
    if text.chars().any(char::is_alphanumeric) { text.to_owned() } else { "instep".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Git's name for the folder that holds nothing.
    const EMPTY: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn draft() -> Draft {
        let path = |bytes: &[u8]| TreePath::new(bytes).unwrap();
        Draft {
            entries: Vec::new(),
            message: "Sync 2 files\n\nNot a trailer: x".to_owned(),
            machine: MachineStamp { name: "my laptop\n\"é\"".to_owned(), id: "3f9c".to_owned() },
            operation: "op7".to_owned(),
            time: Timestamp::from_seconds(1000),
            times: BTreeMap::from([
                (path(b"a b"), Timestamp::from_ns(-500_000_000)),
                (path("n\nl/é".as_bytes()), Timestamp::from_ns(1_700_000_000_000_000_001)),
                (path(b"plain"), Timestamp::from_seconds(5)),
            ]),
            allows_deletes: true,
            renames: vec![
                Rename { from: path(b"x"), to: path(b"y z") },
                Rename { from: path(b"a -> b"), to: path(b"\xff\n -> \"q\"") },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let draft = draft();
        let message = message_of(&draft);
        let people = "author A <a@x> 1000 +0000\ncommitter A <a@x> 1 +0000";
        let raw = format!("tree {EMPTY}\n{people}\n\n{message}");
        let commit = Commit::parse(raw.as_bytes()).unwrap();
        let trailers = Trailers::of(&commit.message);
        assert_eq!(trailers.times, draft.times);
        assert_eq!(trailers.renames, draft.renames);
        let stamp = commit.stamp(&trailers, true);
        assert_eq!(stamp.machine, Some(draft.machine));
        assert_eq!(stamp.operation.as_deref(), Some("op7"));
        assert_eq!((stamp.message.as_str(), stamp.author.as_str()), ("Sync 2 files", "A"));
        assert!(stamp.allows_deletes && commit.is_ours());
        assert_eq!(stamp.time, Timestamp::from_seconds(1000));
    }

    #[test]
    fn foreign_and_broken_commits_are_data() {
        for date in ["99999999999999999999999", "-5", "x", ""] {
            let raw = format!("tree {EMPTY}\nauthor <> {date} +9999\n\n");
            assert!(Commit::parse(raw.as_bytes()).is_ok(), "{date}");
        }
        assert!(Commit::parse(b"author x\n\n").is_err());
        let trailers =
            Trailers::of("x\n\nInstep-Version: 1\n\nInstep-Time: 5 ../x\nInstep-Time: z a\nInstep-Time: 1 a");
        assert_eq!(trailers.times.len(), 1);
        assert!(!trailers.version, "only the last paragraph counts");
    }

    #[test]
    fn moves_that_make_no_sense_are_left_out() {
        for bad in [
            "a",
            "a -> ",
            "a ->b",
            "a -> b c",
            "../a -> b",
            "a -> ../../b",
            "/etc/passwd -> b",
            "a//b -> c",
            "a -> \"b",
            "\"\" -> /",
            "a -> b/./c",
            "a -> \"nul\\000\"",
            "-> b",
            "a => b",
        ] {
            let trailers =
                Trailers::of(&format!("x\n\nInstep-Version: 1\nInstep-Move: {bad}\nInstep-Move: c -> d"));
            assert_eq!(trailers.renames.len(), 1, "{bad}");
        }
    }
}
