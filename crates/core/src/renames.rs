//! What somebody says was renamed: a hint, never a fact.
//!
//! Whoever commits may say it, and may lie. So a rename only ever tells where to look for what is gone: `moved` believes
//! it where the source is known and gone, and the target is new. What follows then is no more than whoever said it could
//! have done by renaming and editing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::operation::text;
use crate::path::{DEPTH_MAX, TreePath};

/// How many renames are carried from commit to commit at most, counted anew for each. A past that was made to cost more
/// says nothing.
const STEPS_MAX: usize = 2_000_000;

/// Where things stood in one tree, and where they stand in a later one, as far as somebody said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Renames(Vec<Rename>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rename {
    /// Where it stood.
    #[serde(with = "text::path")]
    pub from: TreePath,
    /// Where it stands now.
    #[serde(with = "text::path")]
    pub to: TreePath,
}

impl Renames {
    /// Puts together what each of some commits renamed, the oldest first. Within one, all happens at once, and of two
    /// renames with one source or one target neither counts.
    pub fn through<'a>(commits: impl IntoIterator<Item = &'a [Rename]>) -> Self {
        let (mut now_of, mut steps) = (Paths::new(), 0_usize);
        for commit in commits {
            let commit = unambiguous(commit);
            if commit.is_empty() {
                continue;
            }
            steps = steps.saturating_add(now_of.len() + commit.len());
            if steps > STEPS_MAX {
                return Renames::default();
            }
            let was_at: Paths = now_of.iter().map(|(was, now)| (now.clone(), was.clone())).collect();
            let targets: BTreeSet<&TreePath> = commit.values().collect();
            now_of.retain(|_, now| {
                let before = std::mem::replace(now, carried(&commit, now));
                // What stands where another thing comes to stand is gone.
                commit.get(&before) == Some(now) || !targets.contains(now)
            });
            for (from, to) in commit {
                now_of.entry(carried(&was_at, &from)).or_insert(to);
            }
        }
        now_of.retain(|was, now| was != now);
        Renames(now_of.into_iter().map(|(from, to)| Rename { from, to }).collect())
    }

    /// All of them, by source; each source once.
    pub fn all(&self) -> &[Rename] {
        &self.0
    }
}

type Paths = BTreeMap<TreePath, TreePath>;

fn unambiguous(commit: &[Rename]) -> Paths {
    let is_sound = |path: &TreePath| !path.is_root() && path.depth() <= DEPTH_MAX;
    let sound: BTreeSet<&Rename> =
        commit.iter().filter(|one| is_sound(&one.from) && is_sound(&one.to) && one.from != one.to).collect();
    let mut counts: [BTreeMap<&TreePath, u32>; 2] = Default::default();
    for one in &sound {
        *counts[0].entry(&one.from).or_default() += 1;
        *counts[1].entry(&one.to).or_default() += 1;
    }
    let alone = sound.iter().filter(|one| counts[0][&one.from] == 1 && counts[1][&one.to] == 1);
    alone.map(|one| (one.from.clone(), one.to.clone())).collect()
}

/// Where a path comes to stand: with the innermost folder of it, or itself, that is renamed.
fn carried(renames: &Paths, path: &TreePath) -> TreePath {
    let mut folder = path.clone();
    let mut below = Vec::new();
    loop {
        if let Some(to) = renames.get(&folder) {
            return below.iter().rev().fold(to.clone(), |path, name| path.join(name));
        }
        match (folder.parent(), folder.name()) {
            (Some(parent), Some(name)) => {
                below.push(name);
                folder = parent;
            }
            _ => return path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(text: &str) -> Rename {
        let (from, to) = text.split_once('>').unwrap();
        let path = |text: &str| TreePath::new(text.as_bytes()).unwrap();
        Rename { from: path(from), to: path(to) }
    }

    #[track_caller]
    fn check(commits: &[&str], expected: &str) {
        let commits: Vec<Vec<Rename>> =
            commits.iter().map(|commit| commit.split_whitespace().map(rename).collect()).collect();
        let told = Renames::through(commits.iter().map(Vec::as_slice));
        let told: Vec<String> = told.all().iter().map(|one| format!("{}>{}", one.from, one.to)).collect();
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn renames_go_on_from_commit_to_commit() {
        check(&[], "");
        check(&["a>b"], "a>b");
        check(&["a>b", "b>c"], "a>c");
        check(&["a>b", "b>a"], "");
        check(&["a>b", "a>c"], "a>b");
        check(&["a>b b>a"], "a>b b>a");
        check(&["a>b b>a", "a>c"], "a>b b>c");
        check(&["a>b", "c>b"], "c>b");
        check(&["a>b", "b>x c>b"], "a>x c>b");
        check(&["a>d/b", "d>e c>d/b"], "a>e/b c>d/b d>e");
    }

    #[test]
    fn what_lies_in_a_folder_goes_with_it() {
        check(&["d/a>d/b", "d>e"], "d>e d/a>e/b");
        check(&["d>e", "e/a>f"], "d>e d/a>f");
        check(&["d>e", "e/a>e/b", "e>g"], "d>g d/a>g/b");
        check(&["d>e d/a>f"], "d>e d/a>f");
        check(&["d>e", "e/s/a>x", "e/s>y"], "d>e d/s>y d/s/a>x");
        check(&["dd/a>x", "d>e"], "d>e dd/a>x");
    }

    #[test]
    fn what_is_told_twice_is_not_believed() {
        check(&["a>b a>c"], "");
        check(&["a>c b>c"], "");
        check(&["a>b a>b"], "a>b");
        check(&["a>b a>c d>e"], "d>e");
        check(&["a>a"], "");
    }

    #[test]
    fn a_past_made_to_be_costly_says_nothing() {
        let commits: Vec<Vec<Rename>> = (0..3000)
            .map(|at| vec![rename(&format!("{at}>x{at}")), rename(&format!("d{at}>d{}", at + 1))])
            .collect();
        assert_eq!(Renames::through(commits.iter().map(Vec::as_slice)), Renames::default());
        assert!(!Renames::through(commits[..900].iter().map(Vec::as_slice)).all().is_empty());
        let deep = Rename {
            from: TreePath::new(&b"d/".repeat(DEPTH_MAX + 1)[..2 * DEPTH_MAX + 1]).unwrap(),
            ..rename("a>b")
        };
        assert_eq!(Renames::through([&[deep][..]]).all(), []);
    }

    #[test]
    fn they_are_read_as_they_were_written() {
        let odd = Rename {
            from: TreePath::new(b"\xff\n").unwrap(),
            to: TreePath::new("é -> \"".as_bytes()).unwrap(),
        };
        let told = Renames::through([&[odd, rename("a>b")][..]]);
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Renames>(&text).unwrap(), told);
    }
}
