//! Whether the end of a scenario is what its claims say.

use std::collections::BTreeSet;

use instep_core::content::ContentId;
use instep_testkit::bare::Bare;
use instep_testkit::drawing::disk::Footprint;
use instep_testkit::drawing::{Body, Drawing, Mark, is_within};

use super::outcome::{Claim, Tree};
use super::world::World;
use crate::reports::{self, Recorded};

/// The trees that a scenario is about.
pub struct Before {
    pub base: Drawing,
    /// What the person made of each side, with marks.
    pub sides: [Drawing; 2],
    /// The same as the disk saw it.
    pub prints: [Footprint; 2],
}

/// All that is looked at in the end.
struct End<'a> {
    before: &'a Before,
    /// The trees, without what only one machine may see.
    shared: [Drawing; 2],
    open: Vec<Recorded>,
    /// All conflicts that were ever told of.
    heard: Vec<Recorded>,
    codes: [i32; 2],
    copies: bool,
}

/// Checks all claims, and what holds for every scenario. `Err` says what is wrong.
pub fn check(world: &mut World, before: &Before, claims: &[Claim]) -> Result<(), String> {
    let missing = world.missing()?;
    if !missing.is_empty() {
        return Err(format!("lost: {}", missing.join(", ")));
    }
    let listed = [reports::conflicts(world.machine(0))?, reports::conflicts(world.machine(1))?];
    let open_on = |side: usize| listed[side].iter().filter(|conflict| !conflict.settled).count();
    let codes = [0, 1].map(|side| world.said[side].as_ref().map_or(0, |output| output.code));
    for side in [0, 1] {
        if (codes[side] == 4) != (open_on(side) > 0) {
            return Err(format!("exit {} with {} open conflicts", codes[side], open_on(side)));
        }
    }
    let end = End {
        before,
        shared: [0, 1].map(|side| without_hidden(&world.drawn[side], &before.sides[side])),
        open: listed.concat().into_iter().filter(|conflict| !conflict.settled).collect(),
        heard: listed.concat().into_iter().chain(world.heard.clone()).collect(),
        codes,
        copies: world.policy.copies(),
    };
    end.hidden_is_there(world)?;
    end.code_is_explained(claims)?;
    end.conflicts_are_claimed(claims)?;
    for claim in claims {
        end.holds(world, claim, claims)?;
    }
    Ok(())
}

/// What was excluded or unreadable, or is no file, belongs to one machine alone.
fn without_hidden(now: &Drawing, drawn: &Drawing) -> Drawing {
    let mut shared = now.shared();
    for (path, _) in drawn.0.iter().filter(|(_, drawn)| drawn.mark != Mark::Plain) {
        shared.remove(path);
    }
    shared.unmarked()
}

impl End<'_> {
    /// What is excluded stays on its machine: at its place, or with its folder if that moved.
    fn hidden_is_there(&self, world: &World) -> Result<(), String> {
        for side in [0, 1] {
            for (path, drawn) in &self.before.sides[side].0 {
                let hidden = drawn.mark != Mark::Plain || drawn.body == Body::Socket;
                let name = |path: &[u8]| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
                let same = |(at, now): (&Vec<u8>, _)| name(at) == name(path) && now == &drawn.body;
                let there = world.drawn[side].0.iter().any(|(at, now)| same((at, &now.body)));
                if hidden && !there {
                    return Err(format!("{} is gone on {}", show(path), world.machine(side).name()));
                }
            }
        }
        Ok(())
    }

    fn hides(&self) -> bool {
        let hides = |drawing: &Drawing| drawing.shared() != *drawing;
        self.before.sides.iter().any(hides)
    }

    fn code_is_explained(&self, claims: &[Claim]) -> Result<(), String> {
        let reported = claims.iter().any(|claim| matches!(claim, Claim::Problem | Claim::Refused));
        let says = self.codes.iter().any(|code| matches!(code, 3 | 4));
        if reported && !says {
            return Err(format!("nothing is reported: exit codes {:?}", self.codes));
        }
        if self.codes.contains(&3) && !reported && !self.hides() {
            return Err("exit 3, but nothing should be held".to_owned());
        }
        Ok(())
    }

    /// Conflicts are on record where the outcome says so, and nowhere else.
    fn conflicts_are_claimed(&self, claims: &[Claim]) -> Result<(), String> {
        let expects = |claim: &Claim| {
            use Claim::{Conflict, Kept, MoveRecorded, PathByPath, Preview, Problem, Refused};
            matches!(claim, Conflict(_) | Kept | MoveRecorded | PathByPath | Preview | Problem | Refused)
        };
        match self.open.first() {
            Some(open) if !claims.iter().any(expects) => Err(format!("{} is in conflict", show(&open.path))),
            _ => Ok(()),
        }
    }

    fn holds(&self, world: &mut World, claim: &Claim, claims: &[Claim]) -> Result<(), String> {
        match claim {
            Claim::Both(tree) => self.side_is(0, tree).and_then(|()| self.side_is(1, tree)),
            Claim::Left(tree) => self.side_is(0, tree),
            Claim::Right(tree) => self.side_is(1, tree),
            Claim::Conflict(path) => self.is_in_conflict(path.as_bytes(), claims),
            Claim::OnlyConflict if self.open.len() == 1 => Ok(()),
            Claim::OnlyConflict => Err(format!("{} conflicts instead of 1", self.open.len())),
            Claim::MoveRecorded => self.move_is_recorded(),
            Claim::Noop => self.untouched().and_then(|()| self.no_inode_changed(world)),
            Claim::Refused | Claim::Untouched => self.untouched(),
            Claim::InHistory(contents) => self.in_history(world, contents),
            Claim::AllInHistory => Ok(()),
            Claim::Moved => self.was_renamed(world),
            Claim::Agree => self.agree(),
            Claim::Copies => self.agree().and_then(|()| self.copies_are_there()),
            Claim::Count(count) => self.counts(*count),
            Claim::Shared => self.agree(),
            Claim::PathByPath | Claim::Preview => self.path_by_path(),
            Claim::Halt | Claim::Problem | Claim::Kept => Ok(()),
        }
    }

    fn side_is(&self, side: usize, tree: &Tree) -> Result<(), String> {
        let expected = self.expected(tree)?;
        let (found, name) = (&self.shared[side], ["left", "right"][side]);
        let same = if self.copies { same_but_for_copies(&expected, found) } else { expected == *found };
        if same { Ok(()) } else { Err(format!("{name} holds {found} instead of {expected}")) }
    }

    /// The tree as it must stand: what neither side touched stays, whether the outcome speaks of it or not.
    fn expected(&self, tree: &Tree) -> Result<Drawing, String> {
        let [local, remote] = &self.before.sides;
        let base = &self.before.base;
        let named = match tree {
            Tree::Local => local.shared(),
            Tree::Remote => remote.shared(),
            Tree::Base => base.shared(),
            Tree::Union => base.union(local).union(remote).shared(),
            Tree::Drawn(text) => {
                let drawn = Drawing::parse(text, base).map_err(|error| error.to_string())?;
                drawn.settled(&[local, remote, base]).shared()
            }
        };
        let mut expected = named.unmarked();
        for (path, drawn) in &base.0 {
            let kept = [local, remote].iter().all(|side| side.0.get(path) == Some(drawn));
            if kept && !expected.0.contains_key(path) && drawn.body != Body::Folder {
                expected.put(path, drawn.body.clone());
            }
        }
        Ok(expected)
    }

    fn is_in_conflict(&self, path: &[u8], claims: &[Claim]) -> Result<(), String> {
        let about = |conflict: &&Recorded| is_within(&conflict.path, path) || is_within(path, &conflict.path);
        if !self.open.iter().any(|conflict| about(&conflict)) {
            // Keeping both settles the conflict in the cycle that finds it: the copy is its trace.
            if self.copies {
                return self.agree().and_then(|()| self.copies_are_there());
            }
            let open: Vec<_> = self.open.iter().map(|conflict| show(&conflict.path)).collect();
            return Err(format!("{} is not in conflict; open: {open:?}", show(path)));
        }
        let told = |claim: &Claim| matches!(claim, Claim::Both(_) | Claim::Left(_) | Claim::Right(_));
        if claims.iter().any(told) { Ok(()) } else { self.untouched() }
    }

    fn untouched(&self) -> Result<(), String> {
        for side in [0, 1] {
            let was = without_hidden(&self.before.sides[side], &self.before.sides[side]);
            if self.shared[side] != was {
                let name = ["left", "right"][side];
                return Err(format!("{name} held {was} and now holds {}", self.shared[side]));
            }
        }
        Ok(())
    }

    fn no_inode_changed(&self, world: &World) -> Result<(), String> {
        let (now, _) = world.state();
        match [0, 1].into_iter().find(|&side| now[side].as_ref() != Some(&self.before.prints[side])) {
            Some(side) => Err(format!("something was rewritten on {}", world.machine(side).name())),
            None => Ok(()),
        }
    }

    fn agree(&self) -> Result<(), String> {
        let [left, right] = &self.shared;
        if left == right { Ok(()) } else { Err(format!("left holds {left}, right holds {right}")) }
    }

    fn move_is_recorded(&self) -> Result<(), String> {
        self.agree()?;
        if !self.heard.iter().any(|conflict| conflict.kind == "move") {
            return Err("no move is on record".to_owned());
        }
        let name = |path: &Vec<u8>| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
        let names: Vec<_> = self.shared[0].0.keys().filter_map(name).collect();
        let unique: BTreeSet<_> = names.iter().collect();
        if unique.len() == names.len() {
            Ok(())
        } else {
            Err(format!("something stands twice: {}", self.shared[0]))
        }
    }

    fn in_history(&self, world: &mut World, named: &[String]) -> Result<(), String> {
        let bare = Bare::open(world.pair.bare.path());
        let kept =
            world.ledger.kept_apart(&world.pair.machines(), &bare).map_err(|error| error.to_string())?;
        for name in named {
            let content = self.content(name);
            if !kept.contains(&ContentId::of(&content)) {
                return Err(format!("{name} is not in the history"));
            }
        }
        Ok(())
    }

    /// `f=1` is content 1; `c/b` what stood at that path; anything else is the content itself.
    fn content(&self, name: &str) -> Vec<u8> {
        if let Some((_, content)) = name.split_once('=') {
            return content.as_bytes().to_vec();
        }
        let known = [&self.before.base, &self.before.sides[0], &self.before.sides[1]];
        let there = known.iter().find_map(|drawing| drawing.body(name.as_bytes()));
        match there {
            Some(Body::File { content, .. } | Body::Link(content)) => content.clone(),
            _ => name.as_bytes().to_vec(),
        }
    }

    /// At least one file was renamed by the program: it stands elsewhere, and is the same file.
    fn was_renamed(&self, world: &World) -> Result<(), String> {
        let (now, _) = world.state();
        for side in [0, 1] {
            let now = now[side].as_ref().ok_or("a folder is gone")?;
            let was = &self.before.prints[side];
            let gone =
                was.iter().filter(|(path, print)| now.get(*path).is_none_or(|now| now.inode != print.inode));
            for (_, print) in gone {
                if now.values().any(|now| now.inode == print.inode) {
                    return Ok(());
                }
            }
        }
        Err("nothing was renamed: what moved is another file on the other side".to_owned())
    }

    fn copies_are_there(&self) -> Result<(), String> {
        let found: BTreeSet<_> = self.shared[0].contents().map(|(_, content)| content).collect();
        let [local, remote] = &self.before.sides;
        for path in local.0.keys().chain(remote.0.keys()) {
            let bodies = [local.body(path), remote.body(path)];
            let base = self.before.base.body(path);
            if bodies[0] == bodies[1] || bodies.contains(&base) {
                continue;
            }
            for body in bodies.into_iter().flatten() {
                let (Body::File { content, .. } | Body::Link(content)) = body else { continue };
                if !found.contains(&content[..]) {
                    return Err(format!("a version of {} is not in {}", show(path), self.shared[0]));
                }
            }
        }
        Ok(())
    }

    fn counts(&self, count: usize) -> Result<(), String> {
        let found = self.shared[0].contents().count();
        if found == count {
            Ok(())
        } else {
            Err(format!("{found} files instead of {count}: {}", self.shared[0]))
        }
    }

    /// The outcome of a story without moves, path by path.
    fn path_by_path(&self) -> Result<(), String> {
        let [local, remote] = &self.before.sides;
        let base = &self.before.base;
        let paths: BTreeSet<_> = base.0.keys().chain(local.0.keys()).chain(remote.0.keys()).collect();
        for path in paths {
            let (l, r) = (local.body(path), remote.body(path));
            let changed = |side: Option<&Body>| side != base.body(path);
            let expected = match (l, r) {
                _ if !changed(r) => l,
                _ if !changed(l) || l == r => r,
                (None, edited) | (edited, None) => edited,
                _ => {
                    let listed = self.open.iter().any(|conflict| conflict.path == *path);
                    let copied = self.copies && self.copies_are_there().is_ok();
                    if listed || copied {
                        continue;
                    }
                    return Err(format!("{} was changed on both sides and is not in conflict", show(path)));
                }
            };
            if [0, 1].iter().any(|&side| self.shared[side].body(path) != expected) {
                return Err(format!(
                    "{} came out wrong: {} and {}",
                    show(path),
                    self.shared[0],
                    self.shared[1]
                ));
            }
        }
        Ok(())
    }
}

/// Equal, if what the outcome calls a copy may have another name here.
fn same_but_for_copies(expected: &Drawing, found: &Drawing) -> bool {
    let rest = |a: &Drawing, b: &Drawing| {
        let only = a.0.iter().filter(|(path, drawn)| b.0.get(*path) != Some(drawn));
        let mut bodies: Vec<_> = only.map(|(_, drawn)| format!("{drawn}")).collect();
        bodies.sort();
        bodies
    };
    let (missing, more) = (rest(expected, found), rest(found, expected));
    let replaced =
        expected.0.keys().any(|path| found.0.get(path).is_some_and(|now| Some(now) != expected.0.get(path)));
    missing == more && !replaced
}

fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_may_have_another_name() {
        let drawing = |text: &str| Drawing::parse(text, &Drawing::default()).unwrap();
        let same = |expected, found| same_but_for_copies(&drawing(expected), &drawing(found));
        assert!(same("f=R;f.conflict1=L", "f=R;f.left-12345678=L"));
        assert!(!same("f=R;f.conflict1=L", "f=L;f.left-12345678=R"));
        assert!(!same("f=R;f.conflict1=L", "f=R"));
    }
}
