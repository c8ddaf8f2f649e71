//! Places: folders that lie elsewhere on each machine, and the paths and names in files that point there.
//!
//! A place has a name that all machines know, and a folder that each machine has of its own. What travels says the name:
//!
//! ```text
//! on disk, here             what travels              on disk, on another machine
//! /home/ann/code/app/x      /instep.app/x             /srv/app/x             in files
//! -home-ann-code-app        -instep.app               -srv-app               as a name
//! ```
//!
//! A name is a path in which all but letters and digits became `-`: so several tools name the folder in which they keep
//! what belongs to a project. `-` in a name may have been anything, so a name belongs to the longest place that begins it.
//! A place that is not known here stays as it travels.
//!
//! `incoming(outgoing(disk), disk)` is `disk`, byte for byte.

use std::borrow::Cow;
use std::fmt;

use crate::path::{Name, TreePath};

/// How every path and name begins that travels in place of one of this machine.
const MARK: &str = "instep.";
/// What is longer travels as it is, in bytes: it would have to be held in memory.
pub const CONTENT_BYTES_MAX: u64 = 256 << 20;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Its name: small letters, digits and `_`.
    pub name: String,
    /// Its folder here: an absolute path, without a slash at its end.
    pub folder: String,
}

/// Why a place can't be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Its name has other signs, or none.
    #[error("a place whose name is of small letters, digits and _, 32 at most")]
    Name,
    /// Its folder is no absolute path, or the root of all.
    #[error("an absolute path, or one that begins with ~/")]
    Folder,
}

impl Spot {
    /// Takes a name and an absolute path.
    pub fn new(name: &str, folder: &str) -> Result<Self, PlaceError> {
        let is_sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(is_sign) {
            return Err(PlaceError::Name);
        }
        let folder = folder.trim_end_matches('/');
        let is_plain = TreePath::new(folder.trim_start_matches('/').as_bytes()).is_ok();
        if !folder.starts_with('/') || folder.starts_with("//") || !is_plain {
            return Err(PlaceError::Folder);
        }
        Ok(Spot { name: name.to_owned(), folder: folder.to_owned() })
    }

    /// Its folder as tools make a name of it.
    fn as_name(&self) -> String {
        self.folder.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect()
    }
}

/// The places of this machine.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Those that are, the longest folder first.
    now: Vec<Spot>,
    /// Those that were, so that what still says it is understood.
    once: Vec<Spot>,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.now.iter().map(|spot| format!("{}={}", spot.name, spot.folder))).finish()
    }
}

impl Places {
    /// Takes the places that are, and those that once were.
    pub fn new(mut now: Vec<Spot>, mut once: Vec<Spot>) -> Self {
        once.retain(|old| !now.iter().any(|spot| spot.folder == old.folder));
        let longest_first = |spot: &Spot| (std::cmp::Reverse(spot.folder.len()), spot.name.clone());
        now.sort_by_key(longest_first);
        now.dedup_by(|one, other| one.folder == other.folder);
        once.sort_by_key(longest_first);
        Places { now, once }
    }

    /// Those that are, the longest folder first.
    pub fn now(&self) -> &[Spot] {
        &self.now
    }

    /// Answers whether there are none.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty()
    }

    fn known(&self, name: &[u8]) -> Option<&Spot> {
        self.now.iter().find(|spot| spot.name.as_bytes() == name)
    }

    fn all(&self) -> impl Iterator<Item = &Spot> {
        self.now.iter().chain(&self.once)
    }

    /// What travels of a text.
    pub fn outgoing<'t>(&self, disk: &'t [u8]) -> Cow<'t, [u8]> {
        self.replace(disk, |rest, before| {
            // The longest that fits, and one that is before one that was.
            let mut fitting: Vec<&Spot> =
                self.all().filter(|spot| rest.starts_with(spot.folder.as_bytes())).collect();
            fitting.sort_by_key(|spot| std::cmp::Reverse(spot.folder.len()));
            let spot = fitting.into_iter().find(|spot| ends(&rest[spot.folder.len()..]))?;
            begins(before).then(|| (spot.folder.len(), format!("/{MARK}{}", spot.name)))
        })
    }

    /// What is to lie on the disk when this text travels there; `disk` is what lies there now.
    pub fn incoming<'t>(&self, travelling: &'t [u8], disk: Option<&'t [u8]>) -> Cow<'t, [u8]> {
        if let Some(disk) = disk.filter(|disk| self.outgoing(disk) == travelling) {
            return Cow::Borrowed(disk);
        }
        self.replace(travelling, |rest, before| {
            let after = rest.strip_prefix(b"/")?.strip_prefix(MARK.as_bytes())?;
            let length = after.iter().take_while(|byte| is_of_name(**byte)).count();
            let spot = self.known(&after[..length])?;
            let fits = begins(before) && ends(&after[length..]);
            fits.then(|| (1 + MARK.len() + length, spot.folder.clone()))
        })
    }

    /// Replaces whatever `found` finds at a slash: how many bytes, and by what. It is given what follows and what precedes.
    fn replace<'t>(
        &self,
        text: &'t [u8],
        found: impl Fn(&[u8], &[u8]) -> Option<(usize, String)>,
    ) -> Cow<'t, [u8]> {
        // What holds a NUL is no text; nobody would look for a path in it.
        if self.is_empty()
            || text.len() as u64 > CONTENT_BYTES_MAX
            || text.iter().take(8_000).any(|byte| *byte == 0)
        {
            return Cow::Borrowed(text);
        }
        let (mut to, mut done, mut at) = (Vec::new(), 0, 0);
        while let Some(slash) = text[at..].iter().position(|byte| *byte == b'/') {
            at += slash;
            match found(&text[at..], &text[..at]) {
                Some((length, other)) => {
                    to.extend_from_slice(&text[done..at]);
                    to.extend_from_slice(other.as_bytes());
                    at += length;
                    done = at;
                }
                None => at += 1,
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        to.extend_from_slice(&text[done..]);
        Cow::Owned(to)
    }

    /// What a name of this disk may be where it travels, the best first; none if it stands for no path of a place.
    pub fn outgoing_names(&self, disk: &Name) -> Vec<Name> {
        // All of them begin with the slash of an absolute path.
        if self.is_empty() || !disk.as_bytes().starts_with(b"-") {
            return Vec::new();
        }
        let mut fitting: Vec<(String, &Spot)> = self.all().map(|spot| (spot.as_name(), spot)).collect();
        fitting.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
        let named = fitting.iter().filter_map(|(start, spot)| {
            let rest = rest_of_name(disk.as_bytes(), start.as_bytes())?;
            Some(joined(&format!("-{MARK}{}", spot.name), rest))
        });
        named.filter(|name| self.incoming_names(name).contains(disk)).collect()
    }

    /// The names that this disk may have for one that travels, the right one first; none if it is the same. The others
    /// are those that it had while the place was another, or not known yet.
    pub fn incoming_names(&self, travelling: &Name) -> Vec<Name> {
        let after =
            travelling.as_bytes().strip_prefix(b"-").and_then(|text| text.strip_prefix(MARK.as_bytes()));
        let Some(after) = after else { return Vec::new() };
        let length = after.iter().take_while(|byte| is_of_name(**byte)).count();
        let (name, rest) = after.split_at(length);
        if self.known(name).is_none() || !(rest.is_empty() || rest.starts_with(b"-")) {
            return Vec::new();
        }
        let of_name = self.all().filter(|spot| spot.name.as_bytes() == name);
        of_name.map(|spot| joined(&spot.as_name(), rest)).chain([travelling.clone()]).collect()
    }

    /// What a name on the disk is where it travels. Of several that mean the same, the one that had it first keeps it:
    /// what is agreed on must not seem to be gone.
    pub fn name_that_travels<E>(
        &self,
        disk: &Name,
        stands: &mut impl FnMut(&Name) -> Result<bool, E>,
    ) -> Result<Name, E> {
        for travelling in self.outgoing_names(disk) {
            if self.claimant(&travelling, stands)?.as_ref() == Some(disk) {
                return Ok(travelling);
            }
        }
        Ok(disk.clone())
    }

    /// The name on the disk of one that travels: of what stands there, or for what comes. `None` if that name means
    /// something else here.
    pub fn name_on_disk<E>(
        &self,
        travelling: &Name,
        stands: &mut impl FnMut(&Name) -> Result<bool, E>,
    ) -> Result<Option<Name>, E> {
        let disk = self.claimant(travelling, stands)?.unwrap_or_else(|| travelling.clone());
        Ok((self.name_that_travels(&disk, stands)? == *travelling).then_some(disk))
    }

    fn claimant<E>(
        &self,
        travelling: &Name,
        stands: &mut impl FnMut(&Name) -> Result<bool, E>,
    ) -> Result<Option<Name>, E> {
        let mut names = self.incoming_names(travelling);
        for at in (1..names.len()).rev() {
            if stands(&names[at])? {
                return Ok(Some(names.swap_remove(at)));
            }
        }
        Ok(if names.is_empty() { None } else { Some(names.swap_remove(0)) })
    }

    /// The patterns that mean where it travels what this one means on this disk, besides it.
    pub fn outgoing_patterns(&self, pattern: &str) -> Vec<String> {
        let parts: Vec<&str> = pattern.split('/').collect();
        let mut patterns = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let (not, name) =
                part.strip_prefix('!').filter(|_| at == 0).map_or(("", *part), |name| ("!", name));
            // What begins like a place, or like the way to one, and may go on.
            let exact =
                Name::new(name.as_bytes()).ok().into_iter().flat_map(|name| self.outgoing_names(&name));
            let start = name
                .strip_suffix('*')
                .filter(|start| start.starts_with('-') && !start.contains(['*', '?', '[']));
            let below =
                self.all().filter(|spot| start.is_some_and(|start| spot.as_name().starts_with(start)));
            let below = below.map(|spot| format!("-{MARK}{}*", spot.name));
            for other in exact.map(|name| name.to_string()).chain(below) {
                let mut parts = parts.clone();
                let other = format!("{not}{other}");
                parts[at] = &other;
                patterns.push(parts.join("/"));
            }
        }
        patterns.sort();
        patterns.dedup();
        patterns
    }

    /// What a path of this disk is where it travels, if everything has its right name.
    pub fn outgoing_path(&self, disk: &TreePath) -> TreePath {
        let travelling = |name: Name| self.outgoing_names(&name).into_iter().next().unwrap_or(name);
        disk.names().map(travelling).fold(TreePath::default(), |path, name| path.join(&name))
    }
}

/// What follows a start in a name that stands for a path: nothing, or what comes below.
fn rest_of_name<'n>(name: &'n [u8], start: &[u8]) -> Option<&'n [u8]> {
    name.strip_prefix(start).filter(|rest| rest.is_empty() || rest.starts_with(b"-"))
}

fn joined(start: &str, rest: &[u8]) -> Name {
    Name::new(&[start.as_bytes(), rest].concat()).expect("because it is a name with another start")
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether a byte can go on with a name in a path.
fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-~}%+".contains(&byte) || byte >= 0x80
}

/// Whether an absolute path can begin after this.
fn begins(before: &[u8]) -> bool {
    match before {
        // A sign that is written with a backslash, as in JSON: \n, \t, \".
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        // An address of a file.
        [.., b':', b'/', b'/'] => true,
        [.., last] => !is_of_path(*last) && *last != b'/' && *last != b'.',
        [] => true,
    }
}

/// Whether the last name of a path can end before this.
fn ends(after: &[u8]) -> bool {
    match after {
        // The dot that ends a sentence.
        [b'.', rest @ ..] => rest.first().is_none_or(|byte| !is_of_path(*byte) && *byte != b'.'),
        [first, ..] => !is_of_path(*first),
        [] => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(now: &[(&str, &str)], once: &[(&str, &str)]) -> Places {
        let spots = |of: &[(&str, &str)]| of.iter().map(|(name, at)| Spot::new(name, at).unwrap()).collect();
        Places::new(spots(now), spots(once))
    }

    fn ann() -> Places {
        places(&[("home", "/home/ann"), ("app", "/home/ann/code/app/")], &[])
    }

    fn bob() -> Places {
        places(&[("home", "/Users/bob"), ("app", "/srv/app")], &[])
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_path_travels_by_the_name_of_its_place_and_becomes_the_other_machines_own() {
        for (here, travels, there) in [
            ("/home/ann", "/instep.home", "/Users/bob"),
            ("/home/ann/code/app/src", "/instep.app/src", "/srv/app/src"),
            ("/home/ann/code/apple", "/instep.home/code/apple", "/Users/bob/code/apple"),
            (r#"{"cwd":"/home/ann/code/app"}"#, r#"{"cwd":"/instep.app"}"#, r#"{"cwd":"/srv/app"}"#),
            (r#""ls\n/home/ann/x\n""#, r#""ls\n/instep.home/x\n""#, r#""ls\n/Users/bob/x\n""#),
            ("It is in /home/ann. So", "It is in /instep.home. So", "It is in /Users/bob. So"),
            ("file:///home/ann/x", "file:///instep.home/x", "file:///Users/bob/x"),
            ("PATH=/bin:/home/ann/bin", "PATH=/bin:/instep.home/bin", "PATH=/bin:/Users/bob/bin"),
        ] {
            let outgoing = ann().outgoing(here.as_bytes()).into_owned();
            assert_eq!(text(&outgoing), travels, "{here}");
            assert_eq!(text(&bob().incoming(&outgoing, None)), there, "{here}");
            assert_eq!(text(&ann().incoming(&outgoing, None)), here);
        }
    }

    #[test]
    fn what_only_looks_like_a_path_of_a_place_stays() {
        for here in [
            "/mnt/home/ann/x",
            "/home/anna",
            "/home/ann.bak",
            "./home/ann",
            "~/home/ann",
            "${ROOT}/home/ann",
            "/instep.nowhere/x",
            "é/home/ann",
            "/home/ann-old",
        ] {
            assert_eq!(text(&ann().outgoing(here.as_bytes())), here);
            assert_eq!(text(&ann().incoming(here.as_bytes(), None)), here);
        }
        let binary = b"\0/home/ann/x";
        assert_eq!(&*ann().outgoing(binary), binary);
    }

    #[test]
    fn what_lies_there_comes_back_byte_for_byte_even_if_it_says_the_travelling_form_itself() {
        let disk = b"see /instep.app and /home/ann/code/app";
        let travels = ann().outgoing(disk).into_owned();
        assert_eq!(text(&travels), "see /instep.app and /instep.app");
        assert_eq!(&*ann().incoming(&travels, Some(disk)), disk);
    }

    #[test]
    fn a_name_that_stands_for_a_path_belongs_to_the_longest_place() {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        for (here, travels, there) in [
            ("-home-ann-code-app", "-instep.app", "-srv-app"),
            ("-home-ann-code-app-src", "-instep.app-src", "-srv-app-src"),
            ("-home-ann-code-apple", "-instep.home-code-apple", "-Users-bob-code-apple"),
            ("-home-ann", "-instep.home", "-Users-bob"),
        ] {
            assert_eq!(ann().outgoing_names(&name(here))[0], name(travels));
            assert_eq!(bob().incoming_names(&name(travels)), [name(there), name(travels)]);
        }
        for same in ["-home-anna", "home-ann", "x", "-instep.other", "-instep.apple"] {
            assert_eq!(ann().outgoing_names(&name(same)), [], "{same}");
            assert_eq!(ann().incoming_names(&name(same)), [], "{same}");
        }
    }

    #[test]
    fn a_place_that_moved_is_understood_by_where_it_was() {
        let moved = places(&[("app", "/new/app")], &[("app", "/old/app"), ("app", "/new/app")]);
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        assert_eq!(text(&moved.outgoing(b"/old/app/x /new/app/x")), "/instep.app/x /instep.app/x");
        assert_eq!(moved.outgoing_names(&name("-old-app")), [name("-instep.app")]);
        assert_eq!(
            moved.incoming_names(&name("-instep.app")),
            [name("-new-app"), name("-old-app"), name("-instep.app")]
        );
    }

    /// What each name in a folder travels as; all of them are found again by that.
    fn travelling(places: &Places, names: &[&str]) -> Vec<String> {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        let mut stands = |wanted: &Name| Ok::<_, ()>(names.iter().any(|found| name(found) == *wanted));
        let mut travel = |disk: &&str| {
            let travels = places.name_that_travels(&name(disk), &mut stands).unwrap();
            assert_eq!(
                places.name_on_disk(&travels, &mut stands),
                Ok(Some(name(disk))),
                "{disk} as {travels}"
            );
            travels.to_string()
        };
        names.iter().map(&mut travel).collect()
    }

    #[test]
    fn of_several_names_that_mean_the_same_the_one_that_had_it_first_keeps_it() {
        assert_eq!(travelling(&ann(), &["-home-ann-code-app"]), ["-instep.app"]);
        assert_eq!(
            travelling(&ann(), &["-home-ann-code-app", "-instep.app"]),
            ["-instep.home-code-app", "-instep.app"]
        );
        let moved = places(&[("app", "/new/app")], &[("app", "/old/app")]);
        assert_eq!(travelling(&moved, &["-new-app", "-old-app"]), ["-new-app", "-instep.app"]);
        assert_eq!(
            travelling(&moved, &["-new-app", "-old-app", "-instep.app"]),
            ["-new-app", "-old-app", "-instep.app"]
        );
    }

    #[test]
    fn a_name_that_means_something_else_here_has_no_place() {
        let name = Name::new(b"-home-ann-code-app").unwrap();
        assert_eq!(ann().name_on_disk(&name, &mut |_| Ok::<_, ()>(false)), Ok(None));
        let name = Name::new(b"-instep.home-code-app").unwrap();
        assert_eq!(ann().name_on_disk(&name, &mut |_| Ok::<_, ()>(false)), Ok(None));
    }

    #[test]
    fn a_pattern_means_where_it_travels_what_it_means_on_the_disk() {
        for (pattern, others) in [
            (
                "projects/-home-ann-code-app/",
                &["projects/-instep.app/", "projects/-instep.home-code-app/"][..],
            ),
            ("!/-home-ann-x/*.md", &["!/-instep.home-x/*.md"]),
            ("-home-ann-x*", &["-instep.home-x*"]),
            ("!-home-ann-co*", &["!-instep.app*", "!-instep.home-co*"]),
            ("-home-*/x", &["-instep.app*/x", "-instep.home*/x"]),
            ("*.md", &[]),
            ("home-ann", &[]),
        ] {
            assert_eq!(ann().outgoing_patterns(pattern), others, "{pattern}");
        }
    }

    #[test]
    fn a_place_has_a_plain_name_and_an_absolute_folder() {
        assert_eq!(Spot::new("app", "/srv/app/").unwrap().folder, "/srv/app");
        for (name, folder, error) in [
            ("", "/x", PlaceError::Name),
            ("App", "/x", PlaceError::Name),
            ("a-b", "/x", PlaceError::Name),
            ("app", "x", PlaceError::Folder),
            ("app", "/", PlaceError::Folder),
            ("app", "//x", PlaceError::Folder),
            ("app", "/x/../y", PlaceError::Folder),
        ] {
            assert_eq!(Spot::new(name, folder), Err(error), "{name} {folder}");
        }
    }
}
