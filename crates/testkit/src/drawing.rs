//! Trees as one line of text: `a=1;d/b=2+x;e/;l->a;x!`.
//!
//! | drawn | means |
//! |---|---|
//! | `p=X` | a file with content X; `p=X+x` may be executed |
//! | `p` | a file whose content does not matter; `f1..f7` is seven of them |
//! | `p/` | a folder |
//! | `p->t` | a symbolic link |
//! | `p!` | something there that is excluded on this machine |
//! | `p?` | a file that can't be read |
//! | `sock` as last name | a socket |
//! | `-` | nothing |
//! | `^` | what the base has |
//! | `<ff>` | one raw byte, in a name or content |
//!
//! [`disk`] builds and reads them.

pub mod disk;

use std::collections::BTreeMap;
use std::fmt;

/// What stands at one path of a drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its content.
        content: Vec<u8>,
        /// Whether it may be executed.
        exec: bool,
    },
    /// A file of which only the name is drawn.
    Named,
    /// A symbolic link, with its target.
    Link(Vec<u8>),
    /// A socket.
    Socket,
}

/// How an entry is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// As any other.
    #[default]
    Plain,
    /// Excluded on this machine.
    Ignored,
    /// Not readable.
    Unreadable,
}

/// One entry of a drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// What stands there.
    pub body: Body,
    /// How it is treated.
    pub mark: Mark,
}

/// A tree, by path in bytes. Parents of what is in it are in it too.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Drawing(pub BTreeMap<Vec<u8>, Drawn>);

/// A piece of text that is no drawing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("can't read {item:?}: {why}")]
pub struct DrawingError {
    /// The piece.
    pub item: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Drawing {
    /// Reads a drawing; `base` is what `^` stands for.
    pub fn parse(text: &str, base: &Drawing) -> Result<Self, DrawingError> {
        let mut drawing = Drawing::default();
        for item in text.split(';').map(str::trim) {
            match item {
                "-" => {}
                "^" => drawing.0.extend(base.0.clone()),
                "" => return Err(DrawingError { item: text.to_owned(), why: "an item is empty" }),
                item => drawing.add(item)?,
            }
        }
        Ok(drawing)
    }

    fn add(&mut self, item: &str) -> Result<(), DrawingError> {
        let fail = |why| DrawingError { item: item.to_owned(), why };
        if item.contains([' ', '(', ')', '|']) {
            return Err(fail("it is no item of a tree"));
        }
        let (path, drawn) = split_item(item);
        for path in expand(path) {
            let bytes = unescape(&path);
            if bytes.is_empty() || bytes.split(|&byte| byte == b'/').any(|part| part.is_empty()) {
                return Err(fail("its path has an empty part"));
            }
            // `parent/ignored!/keep/`: a mark inside a path belongs to that folder.
            self.put_marked(&bytes, drawn.clone());
        }
        Ok(())
    }

    fn put_marked(&mut self, path: &[u8], drawn: Drawn) {
        let mut clean = Vec::new();
        for (depth, part) in path.split(|&byte| byte == b'/').enumerate() {
            if depth > 0 {
                self.0.entry(clean.clone()).or_insert(Drawn { body: Body::Folder, mark: Mark::Plain });
                clean.push(b'/');
            }
            clean.extend_from_slice(part);
            if let Some(name) = part.strip_suffix(b"!").filter(|_| clean.len() < path.len()) {
                clean.truncate(clean.len() - (part.len() - name.len()));
                self.0.insert(clean.clone(), Drawn { body: Body::Folder, mark: Mark::Ignored });
            }
        }
        self.0.insert(clean, drawn);
    }

    /// Puts an entry, and the folders above it.
    pub fn put(&mut self, path: &[u8], body: Body) {
        self.put_marked(path, Drawn { body, mark: Mark::Plain });
    }

    /// Takes away an entry and all below it; answers whether it was there.
    pub fn remove(&mut self, path: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|at, _| !is_within(at, path));
        self.0.len() < before
    }

    /// Puts an entry, with all below it, to another place.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) {
        let moved: Vec<_> = self.0.iter().filter(|(at, _)| is_within(at, from)).collect();
        let moved: Vec<_> =
            moved.into_iter().map(|(at, drawn)| ([to, &at[from.len()..]].concat(), drawn.clone())).collect();
        self.remove(from);
        for (at, drawn) in moved {
            self.put_marked(&at, drawn);
        }
    }

    /// The body at a path.
    pub fn body(&self, path: &[u8]) -> Option<&Body> {
        self.0.get(path).map(|drawn| &drawn.body)
    }

    /// The files and links in it with their contents (a link's is its target).
    pub fn contents(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().filter_map(|(path, drawn)| match &drawn.body {
            Body::File { content, .. } | Body::Link(content) => Some((&path[..], &content[..])),
            Body::Folder | Body::Named | Body::Socket => None,
        })
    }

    /// The content of the file or link at a path.
    pub fn content(&self, path: &[u8]) -> Option<&[u8]> {
        match self.body(path)? {
            Body::File { content, .. } | Body::Link(content) => Some(content),
            Body::Folder | Body::Named | Body::Socket => None,
        }
    }

    /// The same with a content for each file of which only the name is drawn: what stands at that path in the first of
    /// the drawings that knows, else the path itself.
    pub fn settled(&self, known: &[&Drawing]) -> Drawing {
        let mut settled = self.clone();
        for (path, drawn) in &mut settled.0 {
            if drawn.body == Body::Named {
                let there = known.iter().find_map(|drawing| drawing.body(path)).cloned();
                let other = Body::File { content: path.clone(), exec: false };
                drawn.body = there.filter(|body| *body != Body::Named).unwrap_or(other);
            }
        }
        settled
    }

    /// The same without marks: what stands on a disk.
    pub fn unmarked(&self) -> Drawing {
        let plain = |drawn: &Drawn| Drawn { body: drawn.body.clone(), mark: Mark::Plain };
        Drawing(self.0.iter().map(|(path, drawn)| (path.clone(), plain(drawn))).collect())
    }

    /// The same without what is excluded or has no part in a sync: what another machine may see.
    pub fn shared(&self) -> Drawing {
        let hidden: Vec<_> =
            self.0.iter().filter(|(_, drawn)| drawn.is_hidden()).map(|(path, _)| path.clone()).collect();
        let mut shared = self.clone();
        hidden.iter().for_each(|path| _ = shared.remove(path));
        shared
    }

    /// The paths with a mark.
    pub fn marked(&self, mark: Mark) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(_, drawn)| drawn.mark == mark).map(|(path, _)| &path[..])
    }

    /// Both, with the entries of `other` winning.
    pub fn union(&self, other: &Drawing) -> Drawing {
        let mut union = self.clone();
        union.0.extend(other.0.clone());
        union
    }
}

impl Drawn {
    fn is_hidden(&self) -> bool {
        self.mark != Mark::Plain || self.body == Body::Socket
    }
}

/// Answers whether a path is a folder or lies below it.
pub fn is_within(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

fn split_item(item: &str) -> (&str, Drawn) {
    let plain = |body| Drawn { body, mark: Mark::Plain };
    let equals = item.find('=').unwrap_or(item.len());
    let arrow = item.find("->").unwrap_or(item.len());
    if arrow < equals {
        return (&item[..arrow], plain(Body::Link(unescape(&item[arrow + 2..]))));
    }
    if equals < item.len() {
        let text = &item[equals + 1..];
        let exec = text.ends_with("+x");
        let content = unescape(text.strip_suffix("+x").unwrap_or(text));
        return (&item[..equals], plain(Body::File { content, exec }));
    }
    let file = |text: &str| Body::File { content: text.as_bytes().to_vec(), exec: false };
    if let Some(path) = item.strip_suffix('/') {
        (path, plain(Body::Folder))
    } else if let Some(path) = item.strip_suffix('!') {
        (path, Drawn { body: file("ignored"), mark: Mark::Ignored })
    } else if let Some(path) = item.strip_suffix('?') {
        (path, Drawn { body: file("unreadable"), mark: Mark::Unreadable })
    } else if item == "sock" || item.ends_with("/sock") {
        (item, plain(Body::Socket))
    } else {
        (item, plain(Body::Named))
    }
}

/// `f1..f7`, `file1..3` and `big/1..300` name a row of files.
fn expand(path: &str) -> Vec<String> {
    expand_range(path).unwrap_or_else(|| vec![path.to_owned()])
}

fn expand_range(path: &str) -> Option<Vec<String>> {
    let (first, last) = path.split_once("..")?;
    let digits = |text: &str| text.len() - text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (prefix, from) = first.split_at(digits(first));
    let (_, to) = last.split_at(digits(last));
    let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
    Some((from..=to).map(|number| format!("{prefix}{number}")).collect())
}

/// `<hh>` is one byte, `\n` a newline.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let raw =
            rest.strip_prefix('<').and_then(|inner| inner.split_once('>')).filter(|(hh, _)| hh.len() == 2);
        if let Some((byte, after)) =
            raw.and_then(|(hh, after)| Some((u8::from_str_radix(hh, 16).ok()?, after)))
        {
            bytes.push(byte);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\n") {
            bytes.push(b'\n');
            rest = after;
        } else {
            bytes.extend_from_slice(&rest.as_bytes()[..next.len_utf8()]);
            rest = &rest[next.len_utf8()..];
        }
    }
    bytes
}

fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const SHOWN: usize = 60;
    for &byte in &bytes[..bytes.len().min(SHOWN)] {
        match byte {
            b';' | b'<' | b'>' | 0..=0x20 | 0x7f.. => write!(f, "<{byte:02x}>")?,
            byte => write!(f, "{}", char::from(byte))?,
        }
    }
    if bytes.len() > SHOWN { write!(f, "…({} bytes)", bytes.len()) } else { Ok(()) }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paths = self.0.iter().peekable();
        let mut first = true;
        while let Some((path, drawn)) = paths.next() {
            let holds = paths.peek().is_some_and(|(next, _)| is_within(next, path));
            if drawn.body == Body::Folder && drawn.mark == Mark::Plain && holds {
                continue;
            }
            if !std::mem::take(&mut first) {
                f.write_str(";")?;
            }
            escape(f, path)?;
            drawn.fmt(f)?;
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.body, self.mark) {
            (Body::Folder, Mark::Ignored) => f.write_str("!/"),
            (_, Mark::Ignored) => f.write_str("!"),
            (_, Mark::Unreadable) => f.write_str("?"),
            (Body::Folder, _) => f.write_str("/"),
            (Body::Named | Body::Socket, _) => Ok(()),
            (Body::Link(target), _) => {
                f.write_str("->")?;
                escape(f, target)
            }
            (Body::File { content, exec }, _) => {
                f.write_str("=")?;
                escape(f, content)?;
                f.write_str(if *exec { "+x" } else { "" })
            }
        }
    }
}

impl fmt::Debug for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Drawing {
        Drawing::parse(text, &Drawing::default()).unwrap()
    }

    #[test]
    fn a_drawing_survives_text() {
        for text in
            ["-", "a=1;d/b=2+x;e/;l->no/such", "d/p?;x!", "e=", "d/<ff>=1", "a=<0a>", "s=it's", "d/sock"]
        {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("d/;d/f=1").to_string(), "d/f=1");
        assert_eq!(parse("ma=x\\n").to_string(), "ma=x<0a>");
    }

    #[test]
    fn a_row_of_names_is_several_files() {
        assert_eq!(parse("f1..f3").to_string(), "f1;f2;f3");
        assert_eq!(parse("file1..2;k").to_string(), "file1;file2;k");
        assert_eq!(parse("big/9..11").to_string(), "big/10;big/11;big/9");
        assert_eq!(parse("a..b").to_string(), "a..b");
    }

    #[test]
    fn a_name_alone_takes_the_content_that_is_known() {
        let known = parse("f1=one");
        assert_eq!(parse("f1;f2").settled(&[&known]).to_string(), "f1=one;f2=f2");
    }

    #[test]
    fn the_sign_for_base_stands_for_its_entries() {
        let base = parse("a=1;d/b=2");
        assert_eq!(Drawing::parse("^", &base).unwrap(), base);
        assert_eq!(Drawing::parse("^;a=2", &base).unwrap().to_string(), "a=2;d/b=2");
    }

    #[test]
    fn what_is_excluded_is_not_shared() {
        let drawing = parse("a=1;d/u!;p/i!/k/;d/sock");
        assert_eq!(drawing.to_string(), "a=1;d/sock;d/u!;p/i!/;p/i/k/");
        assert_eq!(drawing.shared().to_string(), "a=1;d/;p/");
        assert_eq!(drawing.marked(Mark::Ignored).collect::<Vec<_>>(), [&b"d/u"[..], b"p/i"]);
    }

    #[test]
    fn text_that_is_no_tree_is_refused() {
        for text in ["8 files", "a=1;;b=2", "random(x)", "a//b=1", "=1"] {
            assert!(Drawing::parse(text, &Drawing::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rename_takes_all_below_along() {
        let mut drawing = parse("A/x=1;D/");
        drawing.rename(b"A", b"D/A");
        assert_eq!(drawing.to_string(), "D/A/x=1");
        assert!(drawing.remove(b"D/A/x"));
        assert!(!drawing.remove(b"gone"));
    }
}
