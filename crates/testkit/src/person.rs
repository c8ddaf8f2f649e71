//! A person at random: what somebody does to a folder between two syncs, from a seed.

use crate::drawing::{Body, Drawing};
use instep_core::generate::Random;

/// How many files a folder begins with. Never more than half of them are deleted.
const FILES: usize = 40;
/// The most entries that one sitting touches.
const TOUCHED_MAX: usize = 5;

/// What a person sets out to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Gives files other contents.
    Update,
    /// Moves files and folders.
    Move,
    /// Deletes files.
    Delete,
    /// Takes back an operation; touches no file.
    Undo,
    /// Some of the first three.
    Mixed,
}

impl Deed {
    /// All of them.
    pub const ALL: [Deed; 5] = [Deed::Update, Deed::Move, Deed::Delete, Deed::Undo, Deed::Mixed];
}

/// Somebody who edits; the same seed makes the same edits.
#[derive(Debug)]
pub struct Person(Random);

impl Person {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Person(Random::new(seed))
    }

    /// What the folder holds at first.
    pub fn begin(&mut self) -> Drawing {
        let mut drawing = Drawing::default();
        for _ in 0..FILES {
            self.add_file(&mut drawing);
        }
        drawing
    }

    /// What they will do next.
    pub fn deed(&mut self) -> Deed {
        Deed::ALL[self.0.below(Deed::ALL.len())]
    }

    /// What the folder holds after a sitting, which always adds a file too.
    pub fn edit(&mut self, before: &Drawing, deed: Deed) -> Drawing {
        let mut after = before.clone();
        let files: Vec<_> = before.contents().map(|(path, _)| path.to_vec()).collect();
        let count = if files.is_empty() { 0 } else { 1 + self.0.below(TOUCHED_MAX) };
        for _ in 0..count {
            let path = &files[self.0.below(files.len())];
            let deed = if deed == Deed::Mixed { Deed::ALL[self.0.below(3)] } else { deed };
            match deed {
                Deed::Update => {
                    let content = self.content();
                    if after.0.contains_key(path) {
                        after.put(path, Body::File { content, exec: false });
                    }
                }
                Deed::Delete if after.contents().count() > FILES / 2 => _ = after.remove(path),
                Deed::Move => self.move_something(&mut after, path),
                _ => {}
            }
        }
        self.add_file(&mut after);
        after
    }

    /// Moves a file, or the folder that it stands in.
    fn move_something(&mut self, tree: &mut Drawing, path: &[u8]) {
        let cut = path.iter().rposition(|&byte| byte == b'/');
        let source = match cut {
            Some(cut) if self.0.percent(40) => &path[..cut],
            _ => path,
        };
        let target = format!("m{}", self.0.below(100_000));
        if tree.0.contains_key(source) {
            tree.rename(source, target.as_bytes());
        }
    }

    fn add_file(&mut self, tree: &mut Drawing) {
        let path = format!("d{}/e{}/f{}", self.0.below(4), self.0.below(3), self.0.below(1_000_000));
        let above = path.match_indices('/').map(|(at, _)| &path.as_bytes()[..at]);
        let free = above.into_iter().all(|folder| tree.body(folder).is_none_or(|body| *body == Body::Folder));
        if free {
            let content = self.content();
            tree.put(path.as_bytes(), Body::File { content, exec: false });
        }
    }

    /// Mostly small files, now and then one that takes a while to write.
    fn content(&mut self) -> Vec<u8> {
        let length = if self.0.percent(5) { 400_000 } else { 10 + self.0.below(3000) };
        self.0.bytes(length)
    }
}
