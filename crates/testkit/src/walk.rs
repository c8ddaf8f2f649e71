//! How far a walk over all points has come, in a file, so that it can be ended at any moment and gone on with.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// One scene broken in one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leg {
    /// Points that were walked to.
    pub done: u64,
    /// All of its points.
    pub all: u64,
    /// Those of the walked at which something was disturbed; another run may end a call or two earlier.
    pub met: u64,
    /// Losses and failures.
    pub wrong: u64,
}

/// A walk: its legs by scene and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    path: PathBuf,
    legs: BTreeMap<(String, String), Leg>,
}

impl Walk {
    /// Goes on where a file says; one that is not there is a walk that has not begun.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut walk = Walk { path: path.to_owned(), legs: BTreeMap::new() };
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let numbers: Vec<u64> = words.iter().skip(2).filter_map(|word| word.parse().ok()).collect();
            let ([scene, kind, ..], [done, all, met, wrong]) = (&words[..], &numbers[..]) else {
                return Err(io::Error::other(format!("{}: {line:?} is no leg of a walk", path.display())));
            };
            let leg = Leg { done: *done, all: *all, met: *met, wrong: *wrong };
            walk.legs.insert(((*scene).to_owned(), (*kind).to_owned()), leg);
        }
        Ok(walk)
    }

    /// How far a leg has come.
    pub fn leg(&self, scene: &str, kind: &str) -> Leg {
        self.legs.get(&(scene.to_owned(), kind.to_owned())).copied().unwrap_or_default()
    }

    /// Writes down how far a leg has come.
    pub fn note(&mut self, scene: &str, kind: &str, leg: Leg) -> io::Result<()> {
        self.legs.insert((scene.to_owned(), kind.to_owned()), leg);
        let line = |((scene, kind), leg): (&(String, String), &Leg)| {
            format!("{scene} {kind} {} {} {} {}\n", leg.done, leg.all, leg.met, leg.wrong)
        };
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, self.legs.iter().map(line).collect::<String>())?;
        fs::rename(fresh, &self.path)
    }

    /// The legs that are not walked to their end.
    pub fn left<'a>(&self, asked: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
        let is_open = |(scene, kind): &(&str, &str)| {
            let leg = self.legs.get(&((*scene).to_owned(), (*kind).to_owned()));
            leg.is_none_or(|leg| leg.done < leg.all)
        };
        asked.into_iter().filter(is_open).collect()
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sum = Leg::default();
        writeln!(
            f,
            "{:12} {:9} {:>7} {:>7} {:>7} {:>7}",
            "scene", "kind", "points", "walked", "met", "wrong"
        )?;
        for ((scene, kind), Leg { done, all, met, wrong }) in &self.legs {
            writeln!(f, "{scene:12} {kind:9} {all:7} {done:7} {met:7} {wrong:7}")?;
            sum.done += done;
            sum.all += all;
            sum.met += met;
            sum.wrong += wrong;
        }
        let Leg { done, all, met, wrong } = sum;
        write!(f, "walked to {done} of {all} points in {} legs, {met} met, {wrong} wrong", self.legs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_on_where_it_ended() {
        let area = tempfile::tempdir().unwrap();
        let path = area.path().join("walk");
        let mut walk = Walk::open(&path).unwrap();
        walk.note("send", "kill", Leg { done: 3, all: 9, met: 3, wrong: 0 }).unwrap();
        walk.note("send", "late", Leg { done: 2, all: 2, met: 1, wrong: 1 }).unwrap();
        let again = Walk::open(&path).unwrap();
        assert_eq!(again, walk);
        assert_eq!(again.leg("send", "kill").done, 3);
        let asked = [("send", "kill"), ("send", "late"), ("send", "save")];
        assert_eq!(again.left(asked), [("send", "kill"), ("send", "save")]);
        assert!(again.to_string().ends_with("walked to 5 of 11 points in 2 legs, 4 met, 1 wrong"));
    }
}
