//! What a failed call of the `git` program means: its words, which are the same in every language since we ask for
//! none, become a kind, a code, a sentence and a hint.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use instep_core::path::escape;
use instep_core::remote::{RemoteError, RemoteErrorKind};

use super::program::Outcome;

use RemoteErrorKind::{Busy, Corrupt, Invalid, Local, NotFound, Offline, Rejected, Unauthorized, Unsafe};

/// What to look for in the words, and what it means.
struct Sign {
    words: &'static [&'static str],
    kind: RemoteErrorKind,
    code: &'static str,
    message: &'static str,
    hint: Option<&'static str>,
}

const fn sign(
    words: &'static [&'static str],
    kind: RemoteErrorKind,
    code: &'static str,
    message: &'static str,
    hint: Option<&'static str>,
) -> Sign {
    Sign { words, kind, code, message, hint }
}

const OTHER_FORMAT: &str = "The repository has a format that this version can't use.";
const NO_GIT_HOST: &str = "What answers at this address is no git host: perhaps a login page of the network.";

/// In this order: a later sign may stand in the words of an earlier one.
const SIGNS: &[Sign] = &[
    sign(
        &["REMOTE HOST IDENTIFICATION HAS CHANGED", "POSSIBLE DNS SPOOFING"],
        Unsafe,
        "E-SSH-HOSTKEY",
        "The host shows another key than before: it may be another machine.",
        Some("ask its owner for the new fingerprint; then remove the old key with ssh-keygen -R HOST"),
    ),
    sign(
        &["Host key verification failed", "No ED25519 host key is known", "host key is known for"],
        Unauthorized,
        "E-SSH-HOSTKEY",
        "The host is not known yet.",
        Some("run ssh HOST once and compare the fingerprint that it shows"),
    ),
    sign(
        &[
            "unable to update url base from redirection",
            "error: 301",
            "error: 302",
            "error: 303",
            "error: 307",
            "error: 308",
        ],
        Unsafe,
        "E-REDIRECT",
        "The host sends us to another address; no credentials were sent there.",
        Some("use the new address, if you trust it"),
    ),
    sign(
        &["transport '", "not allowed"],
        Unsafe,
        "E-URL-SCHEME",
        "The address uses a protocol that is not safe.",
        Some("use https or ssh"),
    ),
    sign(
        &["strange hostname"],
        Unsafe,
        "E-URL-DASH",
        "The address holds a part that starts with a dash.",
        None,
    ),
    sign(
        &["strange pathname"],
        Unsafe,
        "E-URL-DASH",
        "The address holds a part that starts with a dash.",
        None,
    ),
    sign(
        &["uses plaintext credentials"],
        Unsafe,
        "E-URL-SECRET",
        "The address holds a password.",
        Some("let git's credential helper keep it"),
    ),
    sign(
        &["dubious ownership"],
        Unsafe,
        "E-GIT-OWNER",
        "The repository belongs to another user of this machine.",
        Some("if you trust it: git config --global --add safe.directory PATH"),
    ),
    sign(
        &["SSL certificate", "server certificate verification failed", "certificate verify"],
        Unsafe,
        "E-NET-TLS",
        "The host's certificate is not valid.",
        Some("for a host of your own: git config --global http.sslCAInfo FILE"),
    ),
    sign(
        &["No space left on device"],
        Local,
        "E-DISK-FULL",
        "There is no space left on the disk.",
        Some("free some space; nothing is lost"),
    ),
    sign(
        &["Disk quota exceeded"],
        Local,
        "E-DISK-FULL",
        "The disk quota is used up.",
        Some("free some space"),
    ),
    sign(
        &["Read-only file system"],
        Local,
        "E-IO-RO",
        "The file system of the repository can only be read.",
        None,
    ),
    sign(
        &[".lock': File exists"],
        Busy,
        "E-GIT-LOCKED",
        "The repository is locked by another program.",
        Some("if no git program runs there, remove the file that ends in .lock"),
    ),
    sign(&["error: 429"], Busy, "E-NET-RATE", "The host asks us to come back later.", None),
    sign(
        &[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "Permission denied (",
            "error: 401",
            "error: 403",
            "Write access to repository not granted",
            "Too many authentication failures",
            "access denied or repository not exported",
        ],
        Unauthorized,
        "E-AUTH",
        "The host does not let us in.",
        Some("check the login: for https git's credential helper, for ssh your key or agent"),
    ),
    sign(
        &["insufficient permission", "unable to create temporary", "Permission denied"],
        Unauthorized,
        "E-REMOTE-READONLY",
        "The repository can't be read or written by this user.",
        None,
    ),
    sign(
        &["COLLISION FOUND", "part of a collision attack"],
        Unsafe,
        "E-INTEGRITY",
        "The remote holds two contents under one name: somebody made one to be taken for the other.",
        Some("ask who writes to this repository before anybody uses what it holds"),
    ),
    sign(
        &["Out of memory", "out of memory"],
        Local,
        "E-LIMIT-DELTA",
        "Something in the repository is larger, unpacked, than the memory of this machine.",
        Some("see who sent it, or free some memory"),
    ),
    sign(&["is unavailable"], Corrupt, "E-GIT-OBJECT", "An object of a git repository is missing.", None),
    sign(
        &[
            "object file",
            "is corrupt",
            "bad object",
            "bad tree object",
            "broken ref",
            "missing object",
            "missing blob",
            "missing tree",
            "missing commit",
            "index file",
            "does not match index",
            "inflate",
            "hash mismatch",
            "bad signature 0x",
            "did not send all necessary objects",
            "did not receive expected object",
            "garbage at end of",
            "bad config",
            "not a valid object",
            "unable to read",
            "invalid object",
            "unable to unpack",
            "corruption on the remote side",
        ],
        Corrupt,
        "E-GIT-CORRUPT",
        "A git repository is damaged.",
        Some("see what git fsck says"),
    ),
    sign(
        &["mismatched algorithms", "unknown repository extension", "Expected git repo version"],
        Invalid,
        "E-GIT-FORMAT",
        OTHER_FORMAT,
        None,
    ),
    sign(
        &["not valid: is this a git repository", "invalid server response", "error: 511"],
        Offline,
        "E-NET-PORTAL",
        NO_GIT_HOST,
        Some("open the address in a browser"),
    ),
    sign(
        &[
            "Repository not found",
            "does not appear to be a git repository",
            "not a git repository",
            "repository not found",
            "error: 404",
            "not found",
            "does not exist",
            "Could not find the requested",
        ],
        NotFound,
        "E-REMOTE-MISSING",
        "There is no repository at this address, or it is not shown to us.",
        None,
    ),
    sign(
        &["error: 500", "error: 502", "error: 503", "error: 504"],
        Offline,
        "E-NET-SERVER",
        "The host has a failure of its own.",
        None,
    ),
    sign(
        &[
            "Could not resolve host",
            "name resolution",
            "Connection refused",
            "onnection timed out",
            "peration timed out",
            "Failed to connect",
            "Couldn't connect",
            "Network is unreachable",
            "No route to host",
            "Connection reset",
            "Connection closed",
            "Broken pipe",
            "hung up unexpectedly",
            "early EOF",
            "unexpected disconnect",
            "Recv failure",
            "Send failure",
            "transfer closed",
            "kex_exchange_identification",
            "Timeout, server",
            "Empty reply from server",
            "of body are still expected",
            "expected flush after",
        ],
        Offline,
        "E-NET-OFFLINE",
        "The host can't be reached.",
        None,
    ),
    sign(&["cannot run ssh"], Local, "E-SSH-MISSING", "The program ssh is not installed.", None),
];

/// What git's own check of received objects says about names and trees that must not be.
const CHECKS: &[(&str, &str, &str)] = &[
    ("hasDotdot", "E-PATH-DOTDOT", "The remote holds a name that tries to leave the folder."),
    ("hasDotgit", "E-PATH-RESERVED", "The remote holds an entry named .git, which is never synced."),
    ("hasDot:", "E-PATH-DOT", "The remote holds a name that is only a dot."),
    ("fullPathname", "E-PATH-SLASH", "The remote holds one name with a slash in it."),
    ("emptyName", "E-PATH-EMPTY", "The remote holds an empty name."),
    ("duplicateEntries", "E-TREE-PREFIX", "The remote holds two entries of the same name."),
    ("treeNotSorted", "E-GIT-TREE", "The remote holds a folder that is not in order."),
    ("Symlink", "E-GIT-TREE", "The remote holds a link where git reads its own settings."),
    ("badTree", "E-GIT-TREE", "The remote holds a folder that git can't read."),
    ("nullSha1", "E-GIT-TREE", "The remote holds an entry that names nothing."),
    ("badFilemode", "E-GIT-MODE", "The remote holds an entry with a mode that git never writes."),
    ("fsck", "E-GIT-TREE", "The remote holds an object that git does not accept."),
];

/// What the other side says when it can't read its own folders: then nothing arrives that could be checked.
const REMOTE_WORDS: &[(&str, &str, &str)] = &[
    ("remote: fatal: empty filename in tree", "E-PATH-EMPTY", "The remote holds an empty name."),
    ("remote: fatal: malformed mode in tree", "E-GIT-MODE", "The remote holds an entry without a mode."),
    ("remote: fatal: too-short tree", "E-GIT-TREE", "The remote holds a folder that git can't read."),
    (
        "remote: fatal: unable to read 0000000000000000000000000000000000000000",
        "E-GIT-TREE",
        "The remote holds an entry that names nothing.",
    ),
];

/// What git and ssh say when a host that was connected to kept silent for longer than we allow.
const SILENCE: &[&str] = &["Operation too slow", "Timeout, server", "during banner exchange"];

/// Answers whether a call failed because nothing came from the host any more.
pub(super) fn is_silence(stderr: &[u8]) -> bool {
    let said = String::from_utf8_lossy(stderr);
    SILENCE.iter().any(|words| said.contains(words))
}

fn silent(when: &str) -> RemoteError {
    RemoteError::new(Offline, "E-NET-TIMEOUT", format!("The host did not answer {when}."))
        .hinted("a host that is only slow: `instep config set sync.patience 2m --machine`")
}

/// What a call that did not succeed means.
pub(super) fn of(outcome: &Outcome) -> RemoteError {
    if is_interrupted(outcome.status) {
        return cancelled();
    }
    if let Some(waited) = outcome.timed_out {
        return silent(&format!("within {} s", waited.as_secs_f64().round().max(1.0)));
    }
    if is_silence(&outcome.stderr) {
        return silent("any more");
    }
    let said = String::from_utf8_lossy(&outcome.stderr);
    if let Some(error) = of_check(&said) {
        return error;
    }
    match SIGNS.iter().find(|sign| is_seen(sign, &said)) {
        Some(sign) => {
            let error = RemoteError::new(sign.kind, sign.code, sign.message).caused_by(last_words(&said));
            match sign.hint {
                Some(hint) => error.hinted(hint),
                None => error,
            }
        }
        None => RemoteError::new(
            RemoteErrorKind::Protocol,
            "E-GIT-FAILED",
            "The git program failed for a reason that we do not know.",
        )
        .caused_by(last_words(&said)),
    }
}

/// Answers whether a program ended of Ctrl-C, which a terminal gives to all that runs in it: itself, or what it waited
/// for, as shells tell it. It may end before we hear of it ourselves.
fn is_interrupted(status: ExitStatus) -> bool {
    let interrupt = rustix::process::Signal::INT.as_raw();
    status.signal() == Some(interrupt) || status.code() == Some(128 + interrupt)
}

fn is_seen(sign: &Sign, said: &str) -> bool {
    if sign.code == "E-URL-SCHEME" {
        return sign.words.iter().all(|word| said.contains(word));
    }
    sign.words.iter().any(|word| said.contains(word))
}

fn of_check(said: &str) -> Option<RemoteError> {
    let refused = said.contains("fsck error") || said.contains("error: object ");
    let checked = CHECKS.iter().find(|(word, ..)| refused && said.contains(word));
    let told = || REMOTE_WORDS.iter().find(|(words, ..)| said.contains(words));
    let (_, code, message) = checked.or_else(told)?;
    Some(RemoteError::new(Corrupt, code, *message).caused_by(last_words(said)))
}

/// Lines that say nothing of what went wrong.
const BOILERPLATE: &[&str] = &[
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
];

/// The end of what was said, on one line, without addresses' secrets and without anything that a terminal would obey.
pub(super) fn last_words(said: &str) -> String {
    let told = |line: &&str| !line.starts_with("hint:") && !line.trim().is_empty();
    let mut lines: Vec<&str> = said.lines().filter(told).collect();
    // What git says below every failure of ssh: the cause stands above it.
    if lines.iter().any(|line| !BOILERPLATE.contains(line)) {
        lines.retain(|line| !BOILERPLATE.contains(line));
    }
    let start = lines.len().saturating_sub(4);
    let text = lines.split_off(start).join("; ");
    let mut text = escape(hide_secrets(&text).as_bytes());
    if text.chars().count() > 600 {
        text = text.chars().take(600).chain("…".chars()).collect();
    }
    if text.is_empty() { "git said nothing".to_owned() } else { text }
}

/// Takes the user part out of every `scheme://user:secret@host`.
pub(super) fn hide_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                shown.push('…');
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    shown
}

/// The person's configuration asks for a signature, and there is none.
pub(super) fn not_signed(cause: RemoteError) -> RemoteError {
    let message = "The commit could not be signed, as git's configuration asks.";
    let error = RemoteError::new(Local, "E-GIT-SIGN", message);
    let error = error.hinted("see that git commit -S works, or turn commit.gpgSign off");
    match cause.source {
        Some(source) => error.caused_by(source),
        None => error,
    }
}

/// The repository names its objects otherwise.
pub(super) fn other_format() -> RemoteError {
    RemoteError::new(Invalid, "E-GIT-FORMAT", OTHER_FORMAT)
        .hinted("make it with git init --object-format=sha1")
}

/// Something answers, but it does not speak git.
pub(super) fn no_git_host() -> RemoteError {
    RemoteError::new(Offline, "E-NET-PORTAL", NO_GIT_HOST).hinted("open the address in a browser")
}

/// An answer that makes no sense.
pub(super) fn protocol(message: &str, said: &[u8]) -> RemoteError {
    let said = String::from_utf8_lossy(&said[..said.len().min(2000)]).into_owned();
    RemoteError::new(RemoteErrorKind::Protocol, "E-GIT-FAILED", format!("{message}."))
        .caused_by(last_words(&said))
}

/// Damaged or hostile data.
pub(super) fn corrupt(code: &'static str, message: impl Into<String>) -> RemoteError {
    RemoteError::new(Corrupt, code, message)
}

/// A failure of this machine, without a path that would say more.
pub(super) fn local(doing: &str, error: io::Error) -> RemoteError {
    RemoteError::new(Local, code_of(&error), format!("{} failed.", capital(doing))).caused_by(error)
}

/// A failure of this machine at a path.
pub(super) fn at_path(doing: &str, path: &Path, error: io::Error) -> RemoteError {
    let path = escape(path.as_os_str().as_encoded_bytes());
    RemoteError::new(Local, code_of(&error), format!("{} {path} failed.", capital(doing))).caused_by(error)
}

/// The host, or the repository, does not take what we send.
pub(super) fn rejected(reason: &str) -> RemoteError {
    RemoteError::new(
        Rejected,
        "E-GIT-REJECTED",
        format!("The remote does not take the commit: {}.", escape(reason.as_bytes())),
    )
    .hinted("see the rules of its branch, and its size limits")
}

fn code_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "E-DISK-FULL",
        io::ErrorKind::ReadOnlyFilesystem => "E-IO-RO",
        io::ErrorKind::PermissionDenied => "E-IO-PERM",
        _ => "E-IO",
    }
}

/// A person asked to stop.
pub(super) fn cancelled() -> RemoteError {
    RemoteError::new(RemoteErrorKind::Cancelled, "E-CANCELLED", "Stopped on request.")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn meaning(said: &str) -> (RemoteErrorKind, &'static str) {
        ended(128 << 8, said)
    }

    fn ended(status: i32, said: &str) -> (RemoteErrorKind, &'static str) {
        let error = of(&Outcome {
            status: ExitStatus::from_raw(status),
            stdout: Vec::new(),
            stderr: said.as_bytes().to_vec(),
            timed_out: None,
        });
        (error.kind, error.code)
    }

    #[test]
    fn who_ends_of_ctrl_c_was_stopped_on_request() {
        for status in [2, 130 << 8] {
            assert_eq!(ended(status, "fatal: the end"), (RemoteErrorKind::Cancelled, "E-CANCELLED"));
        }
    }

    #[test]
    fn what_git_says_below_every_failure_of_ssh_is_left_out() {
        let boilerplate = BOILERPLATE.join("\n");
        assert_eq!(last_words(&format!("ssh: no route\n{boilerplate}\n")), "ssh: no route");
        assert!(last_words(&boilerplate).starts_with("fatal: Could not read"));
    }

    #[test]
    fn words_of_git_have_a_meaning() {
        for (said, kind, code) in [
            ("fatal: unable to access 'https://x/': Could not resolve host: x", Offline, "E-NET-OFFLINE"),
            ("error: 22 bytes of body are still expected", Offline, "E-NET-OFFLINE"),
            ("ssh: connect to host x port 22: Connection refused", Offline, "E-NET-OFFLINE"),
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", Unsafe, "E-SSH-HOSTKEY"),
            (
                "No ED25519 host key is known for x and you have requested strict checking.\n\
                 Host key verification failed.",
                Unauthorized,
                "E-SSH-HOSTKEY",
            ),
            ("git@x: Permission denied (publickey).", Unauthorized, "E-AUTH"),
            (
                "fatal: could not read Username for 'https://x': terminal prompts disabled",
                Unauthorized,
                "E-AUTH",
            ),
            ("fatal: transport 'ext' not allowed", Unsafe, "E-URL-SCHEME"),
            (
                "fatal: unable to access 'https://x/': The requested URL returned error: 301",
                Unsafe,
                "E-REDIRECT",
            ),
            ("fatal: unable to access 'x': The requested URL returned error: 429", Busy, "E-NET-RATE"),
            ("fatal: '/x' does not appear to be a git repository", NotFound, "E-REMOTE-MISSING"),
            ("error: object file .git/objects/5f/51 is empty", Corrupt, "E-GIT-CORRUPT"),
            ("warning: ignoring broken ref refs/heads/main", Corrupt, "E-GIT-CORRUPT"),
            (
                "error: object 1: hasDotdot: contains '..'\nfatal: fsck error in packed object",
                Corrupt,
                "E-PATH-DOTDOT",
            ),
            ("error: unable to write file: No space left on device", Local, "E-DISK-FULL"),
            ("fatal: SHA1 COLLISION FOUND WITH 5f51 !", Unsafe, "E-INTEGRITY"),
            ("fatal: SHA-1 appears to be part of a collision attack: 5f51", Unsafe, "E-INTEGRITY"),
            (
                "fatal: Out of memory, malloc failed (tried to allocate 1099511627777 bytes)",
                Local,
                "E-LIMIT-DELTA",
            ),
            (
                "fatal: did not receive expected object 5f51\nfatal: index-pack failed",
                Corrupt,
                "E-GIT-CORRUPT",
            ),
            ("fatal: unable to access 'x': The requested URL returned error: 511", Offline, "E-NET-PORTAL"),
            ("something else", RemoteErrorKind::Protocol, "E-GIT-FAILED"),
        ] {
            assert_eq!(meaning(said), (kind, code), "{said}");
        }
    }

    #[test]
    fn secrets_and_escapes_are_not_shown() {
        let shown = last_words("fatal: https://bob:hunter2@h.example/x.git \x1b[31m\n");
        assert!(!shown.contains("hunter2") && !shown.contains('\x1b'), "{shown}");
        assert!(shown.contains("https://…@h.example/x.git"), "{shown}");
    }
}
