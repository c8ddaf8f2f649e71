//! Names and paths: what may stand in a tree, whoever sent it.
//!
//! A [`Name`] is one component, a [`TreePath`] a relative path of them. Both are bytes, as on Unix; nothing is folded or
//! normalised here. They cannot be wrong once made: no empty part, no `.` or `..`, no slash, no NUL. Whether a name is
//! *reserved*, or can be held by a given disk, is another question (see [`Name::is_reserved`]).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How many names a path may have; what lies deeper is held.
pub const DEPTH_MAX: usize = 300;

/// How long a path may be, in bytes; what is longer is held.
pub const PATH_BYTES_MAX: usize = 4_096;

/// One component of a path: non-empty bytes without `/` and NUL, and not `.` or `..`.
///
/// A clone costs no memory of its own: short names, which most are, lie in the value itself; of long ones the bytes are
/// shared.
#[derive(Clone)]
pub struct Name(Bytes);

/// How long a name may be that lies in the value itself.
const SHORT_MAX: usize = 22;

#[derive(Clone)]
enum Bytes {
    /// Behind the name there are zeros, which are in no name: so the arrays are in the order of the names.
    Short {
        length: u8,
        bytes: [u8; SHORT_MAX],
    },
    Long(Arc<[u8]>),
}

/// A relative path of [`Name`]s joined by `/`; empty for the workspace itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreePath(Box<[u8]>);

/// Why bytes are no name or path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A part between two slashes is empty.
    #[error("the name has an empty part")]
    Empty,
    /// A part is `.`.
    #[error("the name has a part that is only a dot")]
    Dot,
    /// A part is `..`.
    #[error("the name tries to leave the folder")]
    DotDot,
    /// The path starts with a slash.
    #[error("the path is absolute")]
    Absolute,
    /// One name holds a slash.
    #[error("one name holds a slash")]
    Slash,
    /// A name holds a NUL byte.
    #[error("the name holds a NUL byte")]
    Nul,
}

impl PathError {
    /// Answers the stable code that people can search for.
    pub fn code(&self) -> &'static str {
        match self {
            PathError::Empty => "E-PATH-EMPTY",
            PathError::Dot => "E-PATH-DOT",
            PathError::DotDot => "E-PATH-DOTDOT",
            PathError::Absolute => "E-PATH-ABSOLUTE",
            PathError::Slash => "E-PATH-SLASH",
            PathError::Nul => "E-PATH-NUL",
        }
    }
}

impl Name {
    /// Checks and takes one component.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        match bytes {
            b"" => Err(PathError::Empty),
            b"." => Err(PathError::Dot),
            b".." => Err(PathError::DotDot),
            _ if bytes.contains(&b'/') => Err(PathError::Slash),
            _ if bytes.contains(&0) => Err(PathError::Nul),
            _ => Ok(Name::of_checked(bytes)),
        }
    }

    fn of_checked(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT_MAX];
        Name(match short.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Bytes::Short { length: bytes.len() as u8, bytes: short }
            }
            None => Bytes::Long(bytes.into()),
        })
    }

    /// Borrows the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }

    /// Answers whether this name is never synced, whatever the rules: our own state and settings of one machine, and
    /// `.git` in all the forms that some file system or program takes for it.
    pub fn is_reserved(&self) -> bool {
        is_reserved(self.as_bytes())
    }

    /// The stable code and the reason for a name that Windows reads as a drive or as another computer: one that must not
    /// travel, since it would lead out of the workspace there.
    pub fn leads_elsewhere_on_windows(&self) -> Option<(&'static str, &'static str)> {
        match self.as_bytes() {
            [b'\\', b'\\', ..] => Some(("E-PATH-UNC", "Windows reads the name as another computer's")),
            [letter, b':', ..] if letter.is_ascii_alphabetic() => {
                Some(("E-PATH-DRIVE", "Windows reads the name as a drive's"))
            }
            _ => None,
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Bytes::Short { bytes, .. }, Bytes::Short { bytes: others, .. }) => bytes == others,
            _ => self.as_bytes() == other.as_bytes(),
        }
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Bytes::Short { bytes, .. }, Bytes::Short { bytes: others, .. }) => {
                words(bytes).cmp(&words(others))
            }
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

/// The bytes of a short name as numbers in the same order: these are compared without a call.
fn words(bytes: &[u8; SHORT_MAX]) -> (u128, u64) {
    let (mut first, mut last) = ([0; 16], [0; 8]);
    first.copy_from_slice(&bytes[..16]);
    last[..SHORT_MAX - 16].copy_from_slice(&bytes[16..]);
    (u128::from_be_bytes(first), u64::from_be_bytes(last))
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// As [`Name::is_reserved`], of the bytes of a name.
pub fn is_reserved(bytes: &[u8]) -> bool {
    bytes == b".instep" || bytes == b"instep.local.yaml" || is_git_name(bytes)
}

/// The zero-width and direction marks that HFS+ drops when it compares names (CVE-2014-9390).
const HFS_IGNORED: [char; 16] = [
    '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}',
    '\u{202e}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}', '\u{feff}',
];

fn is_git_name(bytes: &[u8]) -> bool {
    if is_git_prefix(bytes) {
        return true;
    }
    if bytes.is_ascii() {
        return false;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let seen: String = text.chars().filter(|c| !HFS_IGNORED.contains(c)).collect();
    seen.eq_ignore_ascii_case(".git")
}

/// NTFS drops trailing dots and spaces, reads `git~1` as the short form, and `:` starts a stream.
fn is_git_prefix(bytes: &[u8]) -> bool {
    let rest = if bytes.len() >= 4 && bytes[..4].eq_ignore_ascii_case(b".git") {
        &bytes[4..]
    } else if bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"git~1") {
        &bytes[5..]
    } else {
        return false;
    };
    let end = rest.iter().position(|&b| b == b':').unwrap_or(rest.len());
    rest[..end].iter().all(|&b| b == b'.' || b == b' ')
}

impl TreePath {
    /// The workspace itself.
    pub fn root() -> Self {
        TreePath::default()
    }

    /// Checks and takes a path; the empty one is the root.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.is_empty() {
            return Ok(TreePath::root());
        }
        if bytes[0] == b'/' {
            return Err(PathError::Absolute);
        }
        for part in bytes.split(|&b| b == b'/') {
            Name::new(part)?;
        }
        Ok(TreePath(bytes.into()))
    }

    /// Appends one name.
    pub fn join(&self, name: &Name) -> Self {
        if self.is_root() {
            return TreePath(name.as_bytes().into());
        }
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + name.as_bytes().len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(name.as_bytes());
        TreePath(bytes.into())
    }

    /// Borrows the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Answers whether this is the workspace itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The parts, outermost first.
    pub fn names(&self) -> impl Iterator<Item = Name> + '_ {
        self.parts().map(Name::of_checked)
    }

    /// The bytes of the parts, outermost first.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty())
    }

    /// The path without its last part; `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Some(TreePath(self.0[..cut].into()))
    }

    /// The last part; `None` for the root.
    pub fn name(&self) -> Option<Name> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        Some(Name::of_checked(&self.0[cut..]))
    }

    /// Answers whether this path is `folder` or lies below it.
    pub fn is_within(&self, folder: &TreePath) -> bool {
        folder.is_root()
            || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }

    /// How many names it has.
    pub fn depth(&self) -> usize {
        if self.is_root() { 0 } else { 1 + self.0.iter().filter(|&&b| b == b'/').count() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.as_bytes()))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(".") } else { f.write_str(&escape(self.as_bytes())) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Makes bytes from elsewhere safe and readable on a terminal: control characters, direction marks and bytes that are
/// not UTF-8 become C-style escapes; a backslash is doubled only where an escape follows it.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\t' => text.push_str("\\t"),
                '\r' => text.push_str("\\r"),
                c if c.is_control() => text.push_str(&format!("\\x{:02x}", c as u32)),
                c if is_direction_mark(c) => text.push_str(&format!("\\u{{{:x}}}", c as u32)),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_lead_elsewhere_is_refused() {
        for (bytes, why) in [
            (&b""[..], PathError::Empty),
            (b".", PathError::Dot),
            (b"..", PathError::DotDot),
            (b"a/b", PathError::Slash),
            (b"a\0b", PathError::Nul),
        ] {
            assert_eq!(Name::new(bytes), Err(why));
        }
        assert_eq!(TreePath::new(b"a//b"), Err(PathError::Empty));
        assert_eq!(TreePath::new(b"a/../../x"), Err(PathError::DotDot));
        assert_eq!(TreePath::new(b"/etc/passwd"), Err(PathError::Absolute));
    }

    #[test]
    fn git_is_reserved_in_all_its_forms() {
        for name in
            [".git", ".GIT", ".git ", ".git.", "git~1", "GIT~1", ".git::$INDEX_ALLOCATION", ".g\u{200c}it"]
        {
            assert!(Name::new(name.as_bytes()).unwrap().is_reserved(), "{name}");
        }
        for name in [".gitignore", ".github", "git", "git~2", "a.git", ".gitx"] {
            assert!(!Name::new(name.as_bytes()).unwrap().is_reserved(), "{name}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_on_windows_are_told() {
        let code =
            |name: &str| Name::new(name.as_bytes()).unwrap().leads_elsewhere_on_windows().map(|one| one.0);
        assert_eq!(code("C:\\x"), Some("E-PATH-DRIVE"));
        assert_eq!(code("c:x"), Some("E-PATH-DRIVE"));
        assert_eq!(code("\\\\server\\share"), Some("E-PATH-UNC"));
        for name in ["a\\b", "12:30", "ab:c", ":x", "\\x"] {
            assert_eq!(code(name), None, "{name}");
        }
    }

    #[test]
    fn short_and_long_names_are_the_same_to_all() {
        let ends = |length: usize| [1, b'a', 255].map(|end| [vec![b'a'; length - 1], vec![end]].concat());
        let names: Vec<Name> =
            (1..=24).chain([255, 4_000]).flat_map(ends).map(|bytes| Name::new(&bytes).unwrap()).collect();
        for one in &names {
            assert_eq!(&TreePath::new(one.as_bytes()).unwrap().name().unwrap(), one);
            for other in &names {
                assert_eq!(one.cmp(other), one.as_bytes().cmp(other.as_bytes()));
                assert_eq!(one == other, one.as_bytes() == other.as_bytes());
            }
        }
        assert_eq!(size_of::<Name>(), 24);
    }

    #[test]
    fn a_path_knows_its_parts() {
        let path = TreePath::new(b"a/b/c").unwrap();
        assert_eq!(path.parent(), Some(TreePath::new(b"a/b").unwrap()));
        assert_eq!(path.name(), Some(Name::new(b"c").unwrap()));
        assert_eq!(path.depth(), 3);
        assert!(path.is_within(&TreePath::new(b"a").unwrap()));
        assert!(!TreePath::new(b"ab").unwrap().is_within(&TreePath::new(b"a").unwrap()));
        assert_eq!(TreePath::root().join(&Name::new(b"x").unwrap()), TreePath::new(b"x").unwrap());
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(escape(b"a\x1b[31m\n\xff"), "a\\x1b[31m\\n\\xff");
        assert_eq!(escape("\u{202e}gpj".as_bytes()), "\\u{202e}gpj");
        assert_eq!(escape("é".as_bytes()), "é");
    }
}
