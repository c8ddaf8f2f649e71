//! Addresses of remotes: what a person typed, understood or refused by name.
//!
//! The kind is decided here once and never tried out. An address is refused, before any program sees it, if a part of
//! it could be taken for an option, if it holds control bytes, if its protocol is not safe, or if it holds a secret.

mod plain_host;

use std::fmt;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use instep_core::path::escape;
use instep_core::remote::{RemoteError, RemoteErrorKind};

/// The kinds of place that this version can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A git repository.
    Git,
}

/// Where a git repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An absolute path of this machine.
    Path(PathBuf),
    /// A URL, or the short form of ssh.
    Url(String),
}

/// The address of a remote: valid, absolute and without secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    place: Place,
}

/// What was typed, and where.
#[derive(Debug, Clone, Copy)]
pub struct Typed<'a> {
    /// The words.
    pub text: &'a str,
    /// The kind, if the person named it.
    pub kind: Option<&'a str>,
    /// Where a relative path starts.
    pub cwd: &'a Path,
    /// The workspace, which must not contain the remote nor lie in it; `None` before there is one.
    pub root: Option<&'a Path>,
    /// A person allowed a connection without encryption to this machine itself.
    pub allow_http: bool,
}

/// Hosts that hold git repositories and take no file above a hundred megabytes.
const GIT_HOSTS: &[&str] = &[
    "bitbucket.org",
    "codeberg.org",
    "dev.azure.com",
    "git.sr.ht",
    "github.com",
    "gitlab.com",
    "ssh.dev.azure.com",
];

/// What these hosts take.
const HOST_CONTENT_BYTES_MAX: u64 = 100 * 1024 * 1024;

/// The beginnings of tokens, which some put where a user name belongs.
const TOKEN_STARTS: &[&str] = &["ATBB", "ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "x-token"];

impl Address {
    /// Understands what was typed.
    pub fn parse(typed: &Typed<'_>) -> Result<Self, RemoteError> {
        let text = typed.text.trim_matches(' ');
        check_bytes(text)?;
        if typed.kind.is_some_and(|kind| kind != "git") {
            return Err(unsupported(text, typed.kind.unwrap_or_default()));
        }
        let text = &expand(text);
        let place = match Form::of(text) {
            Form::Url { scheme, rest } => Place::Url(check_url(typed, text, &scheme, rest)?),
            Form::Scp { host, path } => Place::Url(check_scp(typed, text, host, path)?),
            Form::Path => Place::Path(check_path(typed, text)?),
        };
        Ok(Address { place })
    }

    /// The kind of place.
    pub fn kind(&self) -> Kind {
        Kind::Git
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The largest file that is taken there, where that is known.
    pub fn content_bytes_max(&self) -> Option<u64> {
        match &self.place {
            Place::Url(url) if is_git_host(host_of(url)) => Some(HOST_CONTENT_BYTES_MAX),
            _ => None,
        }
    }

    /// The whole address, as it is kept in the settings of a machine: [`Address::parse`] understands it again.
    pub fn to_text(&self) -> String {
        match &self.place {
            Place::Path(path) => path.to_string_lossy().into_owned(),
            Place::Url(url) => url.clone(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Path(path) => f.write_str(&escape(path.as_os_str().as_encoded_bytes())),
            Place::Url(url) => f.write_str(&escape(redact(url).as_bytes())),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Takes the user part out of a URL, as far as it is one.
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) if scheme != "ssh" || rest[..at].contains(':') => format!("{scheme}://…{}", &rest[at..]),
        _ => text.to_owned(),
    }
}

/// The three ways to write an address.
enum Form<'a> {
    Url { scheme: String, rest: &'a str },
    Scp { host: &'a str, path: &'a str },
    Path,
}

impl<'a> Form<'a> {
    fn of(text: &'a str) -> Self {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Form::Url { scheme: scheme.to_ascii_lowercase(), rest };
        }
        match text.split_once(':') {
            Some((host, path)) if !host.contains('/') && !host.is_empty() => Form::Scp { host, path },
            _ => Form::Path,
        }
    }
}

/// `gh:OWNER/NAME`, `gl:OWNER/NAME` and `git+SCHEME://…` are short for others.
fn expand(text: &str) -> String {
    let host = |rest: &str, host: &str| {
        let rest = rest.trim_matches('/').trim_end_matches(".git");
        format!("https://{host}/{rest}.git")
    };
    if let Some(rest) = text.strip_prefix("gh:") {
        return host(rest, "github.com");
    }
    if let Some(rest) = text.strip_prefix("gl:") {
        return host(rest, "gitlab.com");
    }
    text.to_owned()
}

fn check_bytes(text: &str) -> Result<(), RemoteError> {
    if text.is_empty() {
        return Err(invalid("E-URL-EMPTY", "The address is empty.".to_owned()));
    }
    if text.chars().any(char::is_control) {
        let shown = escape(redact(text).as_bytes());
        return Err(invalid("E-URL-CONTROL", format!("The address {shown} holds a control character.")));
    }
    if text.starts_with('-') {
        return Err(dash(text));
    }
    Ok(())
}

fn check_url(typed: &Typed<'_>, text: &str, scheme: &str, rest: &str) -> Result<String, RemoteError> {
    let (scheme, named_git) = match scheme.strip_prefix("git+") {
        Some(scheme) => (scheme, true),
        None => (scheme, typed.kind.is_some()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rfind('@') {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    check_scheme(typed, text, scheme, host)?;
    check_letters(text, host)?;
    if is_dash(host) || is_dash(path.trim_start_matches('/')) || user.is_some_and(is_dash) {
        return Err(dash(text));
    }
    if user.is_some_and(|user| holds_secret(user, scheme)) {
        return Err(secret(text));
    }
    if host.is_empty() || path.trim_matches('/').is_empty() {
        return Err(invalid("E-URL-PATH", format!("The address {} names no repository.", shown(text))));
    }
    if !named_git && !is_git_path(path) && !is_git_host(host_of(&format!("{scheme}://{rest}"))) {
        let kind = if scheme == "ssh" { "server" } else { "hub" };
        return Err(unsupported(text, kind));
    }
    Ok(format!("{scheme}://{rest}"))
}

fn check_scheme(typed: &Typed<'_>, text: &str, scheme: &str, host: &str) -> Result<(), RemoteError> {
    match scheme {
        "https" | "ssh" => Ok(()),
        "http" if typed.allow_http && is_loopback(host) => Ok(()),
        "http" => {
            let why = format!("The address {} is not encrypted.", shown(text));
            Err(unsafe_address("E-URL-PLAIN", why).hinted("use https or ssh"))
        }
        "s3" | "gs" | "az" | "store" => Err(unsupported(text, "store")),
        _ => {
            let why = format!("The protocol of {} is not safe or not known.", shown(text));
            Err(unsafe_address("E-URL-SCHEME", why).hinted("use https, ssh or a path"))
        }
    }
}

/// A host whose name looks like another one's must be typed as what it is.
fn check_letters(text: &str, host: &str) -> Result<(), RemoteError> {
    let Some(plain) = plain_host::of(host) else { return Ok(()) };
    let why = format!("The host in {} has letters that can look like those of another host.", shown(text));
    Err(unsafe_address("E-URL-IDN", why)
        .hinted(format!("its plain name is {plain}; if you mean that host, type it so")))
}

fn check_scp(typed: &Typed<'_>, text: &str, host: &str, path: &str) -> Result<String, RemoteError> {
    if matches!(host, "s3" | "gs" | "az" | "store") {
        return Err(unsupported(text, "store"));
    }
    if path.starts_with(':') || matches!(host, "ext" | "fd" | "file") {
        let why = format!("The protocol of {} is not safe or not known.", shown(text));
        return Err(unsafe_address("E-URL-SCHEME", why).hinted("use https, ssh or a path"));
    }
    let (user, name) = host.rsplit_once('@').map_or((None, host), |(user, name)| (Some(user), name));
    if is_dash(name) || is_dash(path) || user.is_some_and(is_dash) {
        return Err(dash(text));
    }
    check_letters(text, name)?;
    if path.trim_matches('/').is_empty() {
        return Err(invalid("E-URL-PATH", format!("The address {} names no repository.", shown(text))));
    }
    let is_git = typed.kind.is_some() || user == Some("git") || is_git_path(path) || is_git_host(name);
    if is_git { Ok(text.to_owned()) } else { Err(unsupported(text, "server")) }
}

fn check_path(typed: &Typed<'_>, text: &str) -> Result<PathBuf, RemoteError> {
    let path = absolute(typed.cwd, Path::new(text));
    if let Some(root) = typed.root {
        check_nesting(&path, &absolute(typed.cwd, root))?;
    }
    let shown = escape(path.as_os_str().as_encoded_bytes());
    let missing = |code, why| RemoteError::new(RemoteErrorKind::NotFound, code, why);
    match std::fs::metadata(&path) {
        Ok(found) if !found.is_dir() => {
            Err(missing("E-REMOTE-FILE", format!("{shown} is a file, not a folder.")))
        }
        Ok(_) if holds_repository(&path) => Ok(path),
        Ok(_) if is_git_path(text) && is_empty(&path) => Ok(path),
        Ok(_) if is_git_path(text) || typed.kind.is_some() => {
            Err(missing("E-REMOTE-NOREPO", format!("{shown} holds no git repository.")))
        }
        Ok(_) => Err(unsupported(text, "folder")),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(RemoteError::new(
            RemoteErrorKind::Unauthorized,
            "E-REMOTE-READONLY",
            format!("{shown} can't be read by this user."),
        )),
        Err(_) if is_git_path(text) && path.parent().is_some_and(Path::is_dir) => Ok(path),
        Err(_) => Err(missing("E-REMOTE-MISSING", format!("{shown} does not exist."))
            .hinted("a path that ends in .git becomes a new repository, if its folder exists")),
    }
}

/// Neither may contain the other, by name or by what the names lead to.
fn check_nesting(path: &Path, root: &Path) -> Result<(), RemoteError> {
    let real = |path: &Path| {
        let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
        path.canonicalize().ok().or_else(|| Some(parent?.join(path.file_name()?))).unwrap_or(path.to_owned())
    };
    for (path, root) in [(path.to_owned(), root.to_owned()), (real(path), real(root))] {
        if path.starts_with(&root) || root.starts_with(&path) {
            let why = format!(
                "The remote {} and the workspace {} lie in one another.",
                escape(path.as_os_str().as_encoded_bytes()),
                escape(root.as_os_str().as_encoded_bytes())
            );
            return Err(invalid("E-REMOTE-NESTED", why).hinted("put the repository beside the workspace"));
        }
    }
    Ok(())
}

/// Joins and takes `.` and `..` out, without asking the disk.
fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    whole
}

/// Answers whether a folder is git's own directory, as a bare repository is.
pub fn is_bare_repository(path: &Path) -> bool {
    ["HEAD", "objects", "refs"].iter().all(|part| path.join(part).exists())
}

fn holds_repository(path: &Path) -> bool {
    path.join(".git").exists() || is_bare_repository(path)
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn is_git_path(path: &str) -> bool {
    path.trim_end_matches('/').ends_with(".git")
}

fn is_git_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    GIT_HOSTS.contains(&host.as_str()) || host.ends_with(".visualstudio.com")
}

/// The host of a valid URL or short form, without user and port.
fn host_of(url: &str) -> &str {
    let (authority, is_url) = match url.split_once("://") {
        Some((_, rest)) => (rest.split('/').next().unwrap_or(rest), true),
        None => (url.split(':').next().unwrap_or(url), false),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if is_url && !host.starts_with('[') { host.split(':').next().unwrap_or(host) } else { host }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_dash(part: &str) -> bool {
    part.starts_with('-')
}

fn holds_secret(user: &str, scheme: &str) -> bool {
    let is_token = TOKEN_STARTS.iter().any(|start| user.starts_with(start)) || user.len() > 64;
    user.contains(':') || (scheme != "ssh" && is_token)
}

fn shown(text: &str) -> String {
    escape(redact(text).as_bytes())
}

fn invalid(code: &'static str, why: String) -> RemoteError {
    RemoteError::new(RemoteErrorKind::Invalid, code, why)
}

fn unsafe_address(code: &'static str, why: String) -> RemoteError {
    RemoteError::new(RemoteErrorKind::Unsafe, code, why)
}

fn dash(text: &str) -> RemoteError {
    unsafe_address("E-URL-DASH", format!("A part of the address {} starts with a dash.", shown(text)))
}

fn secret(text: &str) -> RemoteError {
    unsafe_address("E-URL-SECRET", format!("The address {} holds a password or token.", shown(text)))
        .hinted("leave it out, and let git's credential helper keep it")
}

fn unsupported(text: &str, kind: &str) -> RemoteError {
    let what = match kind {
        "folder" => "a live folder on this machine",
        "server" => "a live folder on a server",
        "store" => "an object store",
        "hub" => "a hub",
        _ => "a kind of remote that is not known",
    };
    let why = format!("{} is {what}, which this version can't do.", shown(text));
    invalid("E-REMOTE-KIND", why).hinted("use a git repository; if it is one: --kind git")
}

/// Checks the name of a branch by git's rules for names of refs, and refuses those that would mislead.
pub fn check_branch(name: &str) -> Result<(), RemoteError> {
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    let is_bad = name.is_empty()
        || name.len() > 200
        || name.starts_with('-')
        || name.ends_with('.')
        || name == "@"
        || name == "HEAD"
        || name.starts_with("refs/")
        || name.contains("..")
        || name.contains("@{")
        || name.chars().any(bad_char)
        || name.split('/').any(bad_part);
    if !is_bad {
        return Ok(());
    }
    let shown: String = escape(name.as_bytes()).chars().take(60).collect();
    Err(invalid("E-GIT-REFNAME", format!("\"{shown}\" can't be the name of a branch.")))
}

#[cfg(test)]
mod tests;
