//! What people and programs do to a folder between two cycles.

use super::Random;
use super::disk::{Disk, Id, TOP, file, link};
use crate::path::Name;
use crate::tree::{Leaf, LeafKind, Unknown};

const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "A", "B", "a.txt", "b.txt", "n"];

/// Edits of one side.
pub(super) struct Editor<'w> {
    pub(super) disk: &'w mut Disk,
    pub(super) random: &'w mut Random,
    /// Makes contents unique: a letter for the side and a number for the round.
    pub(super) mark: String,
    /// The name at the top that most edits aim at.
    pub(super) aim: Option<Name>,
    pub(super) made: u32,
    /// What was done, for people.
    pub(super) log: Vec<String>,
}

/// Whether an edit only moved things.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Moved,
    Other,
}

impl Editor<'_> {
    /// Makes a leaf: mostly a file of its own, now and then a link, an empty file, or one that others have too.
    pub(super) fn leaf(&mut self) -> Leaf {
        self.made += 1;
        match self.random.below(20) {
            0 => file(""),
            1 | 2 => file(
                ["same", "the same again, but long enough that its content alone can speak for it"]
                    [self.random.below(2)],
            ),
            3 => link(&format!("to-{}-{}", self.mark, self.made)),
            4..=10 => file(&format!("{}{}", self.mark, self.made)),
            _ => file(&format!("{}{} {}", self.mark, self.made, "long ".repeat(15))),
        }
    }

    /// Fills a folder.
    pub(super) fn fill(&mut self, entries: usize) {
        for _ in 0..entries {
            let folder = self.folder();
            if let Some(name) = self.free_name(folder) {
                let leaf = if self.random.percent(35) { None } else { Some(self.leaf()) };
                self.disk.create(folder, name, leaf);
            }
        }
    }

    fn name(&mut self) -> Name {
        let text = NAMES[self.random.below(NAMES.len())];
        Name::new(text.as_bytes()).expect("because they are good names")
    }

    fn free_name(&mut self, folder: Id) -> Option<Name> {
        for _ in 0..6 {
            let name = self.name();
            if self.disk.child(folder, &name).is_none() {
                return Some(name);
            }
        }
        None
    }

    fn aimed(&self, id: Id) -> bool {
        let Some(aim) = &self.aim else { return true };
        self.disk.path(id).names().next().is_some_and(|name| name == *aim)
    }

    fn pick(&mut self, wanted: impl Fn(&Disk, Id) -> bool) -> Option<Id> {
        let mut all: Vec<Id> =
            self.disk.all().map(|(id, _)| id).filter(|&id| wanted(self.disk, id)).collect();
        if self.random.percent(80) {
            let aimed: Vec<Id> = all.iter().copied().filter(|&id| self.aimed(id)).collect();
            if !aimed.is_empty() {
                all = aimed;
            }
        }
        self.random.pick(&all).copied()
    }

    fn any(&mut self) -> Option<Id> {
        self.pick(|disk, id| disk.is_seen(id))
    }

    fn any_leaf(&mut self) -> Option<Id> {
        self.pick(|disk, id| disk.is_seen(id) && disk.at(id).leaf.is_some())
    }

    fn folder(&mut self) -> Id {
        if self.random.percent(25) {
            return TOP;
        }
        self.pick(|disk, id| disk.is_seen(id) && disk.at(id).leaf.is_none()).unwrap_or(TOP)
    }

    /// Does one thing, if it can be done here.
    pub(super) fn edit(&mut self) -> Option<Effect> {
        let kind = self.random.below(24);
        let effect = match kind {
            0..=2 => self.rewrite(),
            3 => self.create(),
            4 | 5 => self.delete(),
            6 | 7 => self.rename(),
            8..=10 => self.relocate(),
            11 => self.swap(),
            12 => self.rotate(),
            13 => self.switch_type(),
            14 => self.recase(),
            15 => self.flip_unknown(Unknown::Excluded("rule".to_owned()), false),
            16 => self.flip_unknown(Unknown::Unreadable("denied".to_owned()), false),
            17 => self.flip_unknown(Unknown::Excluded("rule".to_owned()), true),
            18 => self.flip_exec(),
            19 => self.save_safely(),
            20 => self.move_onto(),
            21 => self.copy(),
            22 => self.wrap(),
            _ => self.switch_link(),
        }?;
        Some(effect)
    }

    fn say(&mut self, what: &str, id: Id) {
        let path = self.disk.path(id);
        self.log.push(format!("{what} {path}"));
    }

    fn rewrite(&mut self) -> Option<Effect> {
        let id = self.any_leaf()?;
        self.say("rewrite", id);
        let leaf = self.leaf();
        self.disk.write(id, leaf);
        if self.random.percent(30) {
            self.disk.renew(id);
        }
        Some(Effect::Other)
    }

    fn create(&mut self) -> Option<Effect> {
        let folder = self.folder();
        let name = self.free_name(folder)?;
        let leaf = if self.random.percent(35) { None } else { Some(self.leaf()) };
        let id = self.disk.create(folder, name, leaf);
        self.say("create", id);
        Some(Effect::Other)
    }

    fn delete(&mut self) -> Option<Effect> {
        let id = self.any()?;
        self.say("delete", id);
        self.disk.remove(id);
        Some(Effect::Other)
    }

    fn rename(&mut self) -> Option<Effect> {
        let id = self.any()?;
        let name = self.free_name(self.disk.at(id).parent)?;
        self.say("rename", id);
        self.disk.change(id, |thing| thing.name = name);
        self.say("    to", id);
        Some(Effect::Moved)
    }

    fn relocate(&mut self) -> Option<Effect> {
        let (id, folder) = (self.any()?, self.folder());
        if self.disk.is_within(folder, id) {
            return None;
        }
        let old = self.disk.at(id).name.clone();
        let name = if self.random.percent(60) { old } else { self.name() };
        if self.disk.child(folder, &name).is_some() {
            return None;
        }
        self.say("move", id);
        self.disk.change(id, |thing| {
            thing.parent = folder;
            thing.name = name;
        });
        self.say("    to", id);
        Some(Effect::Moved)
    }

    fn swap(&mut self) -> Option<Effect> {
        let (a, b) = (self.any()?, self.any()?);
        if a == b || self.disk.is_within(a, b) || self.disk.is_within(b, a) {
            return None;
        }
        self.say("swap", a);
        self.say("with", b);
        let [one, two] = [a, b].map(|id| (self.disk.at(id).parent, self.disk.at(id).name.clone()));
        self.disk.change(a, |thing| (thing.parent, thing.name) = two);
        self.disk.change(b, |thing| (thing.parent, thing.name) = one);
        Some(Effect::Moved)
    }

    /// Each entry of a folder takes the next one's name; now and then one more gets a new name.
    fn rotate(&mut self) -> Option<Effect> {
        let folder = self.folder();
        let inside: Vec<Id> =
            self.disk.children(folder).into_iter().filter(|&id| self.disk.is_seen(id)).collect();
        if inside.len() < 2 {
            return None;
        }
        let names: Vec<Name> = inside.iter().map(|&id| self.disk.at(id).name.clone()).collect();
        for (at, &id) in inside.iter().enumerate() {
            let name = names[(at + 1) % names.len()].clone();
            self.disk.change(id, |thing| thing.name = name);
        }
        self.say("rotate in", inside[0]);
        if self.random.percent(50)
            && let Some(name) = self.free_name(folder)
        {
            self.disk.change(inside[0], |thing| thing.name = name);
            self.say("  renamed", inside[0]);
        }
        Some(Effect::Moved)
    }

    fn switch_type(&mut self) -> Option<Effect> {
        let id = self.any()?;
        self.say("switch", id);
        let (parent, name) = (self.disk.at(id).parent, self.disk.at(id).name.clone());
        let was_folder = self.disk.at(id).leaf.is_none();
        self.disk.remove(id);
        let leaf = if was_folder { Some(self.leaf()) } else { None };
        let new = self.disk.create(parent, name, leaf);
        if !was_folder && self.random.percent(60) {
            let (name, leaf) = (self.name(), self.leaf());
            self.disk.create(new, name, Some(leaf));
        }
        Some(Effect::Other)
    }

    fn recase(&mut self) -> Option<Effect> {
        let id = self.any()?;
        let old = self.disk.at(id).name.clone();
        let text = String::from_utf8_lossy(old.as_bytes()).into_owned();
        let other = if text.to_lowercase() == text { text.to_uppercase() } else { text.to_lowercase() };
        let name = Name::new(other.as_bytes()).ok()?;
        let taken = self.disk.child(self.disk.at(id).parent, &name);
        if taken.is_some_and(|other| other != id) {
            return None;
        }
        self.say("recase", id);
        self.disk.change(id, |thing| thing.name = name);
        Some(Effect::Moved)
    }

    fn flip_unknown(&mut self, unknown: Unknown, and_rename: bool) -> Option<Effect> {
        let id = self.pick(|disk, id| disk.is_seen(id) || disk.at(id).unknown.is_some())?;
        self.say("flip", id);
        if and_rename {
            let name = self.free_name(self.disk.at(id).parent)?;
            self.disk.change(id, |thing| thing.name = name);
        }
        self.disk.change(id, |thing| {
            thing.unknown = if thing.unknown.is_some() { None } else { Some(unknown) };
        });
        Some(Effect::Other)
    }

    fn flip_exec(&mut self) -> Option<Effect> {
        let id = self.any_leaf()?;
        self.say("chmod", id);
        self.disk.change(id, |thing| {
            if let Some(leaf) = &mut thing.leaf {
                leaf.exec = leaf.kind == LeafKind::File && !leaf.exec;
            }
        });
        Some(Effect::Other)
    }

    /// The old file goes aside (and stays there, or goes), a new one takes its name.
    fn save_safely(&mut self) -> Option<Effect> {
        let id = self.any_leaf()?;
        let (parent, name) = (self.disk.at(id).parent, self.disk.at(id).name.clone());
        let aside = Name::new(&[name.as_bytes(), b"~"].concat()).ok()?;
        if self.disk.child(parent, &aside).is_some() {
            return None;
        }
        self.say("save", id);
        self.disk.change(id, |thing| thing.name = aside);
        let leaf = self.leaf();
        self.disk.create(parent, name, Some(leaf));
        if self.random.percent(40) {
            self.disk.remove(id);
        }
        Some(Effect::Other)
    }

    fn move_onto(&mut self) -> Option<Effect> {
        let (id, target) = (self.any()?, self.any()?);
        if id == target || self.disk.is_within(target, id) || self.disk.is_within(id, target) {
            return None;
        }
        self.say("move", id);
        self.say("  onto", target);
        let (parent, name) = (self.disk.at(target).parent, self.disk.at(target).name.clone());
        self.disk.remove(target);
        self.disk.change(id, |thing| (thing.parent, thing.name) = (parent, name));
        Some(Effect::Other)
    }

    fn copy(&mut self) -> Option<Effect> {
        let (id, folder) = (self.any_leaf()?, self.folder());
        let name = self.free_name(folder)?;
        self.say("copy", id);
        let leaf = self.disk.at(id).leaf;
        let new = self.disk.create(folder, name, leaf);
        self.say("    to", new);
        Some(Effect::Other)
    }

    /// A thing goes into a new folder of its own name.
    fn wrap(&mut self) -> Option<Effect> {
        let id = self.any()?;
        self.say("wrap", id);
        let (parent, name) = (self.disk.at(id).parent, self.disk.at(id).name.clone());
        let folder = self.disk.create(parent, name, None);
        let inner = self.name();
        self.disk.change(id, |thing| (thing.parent, thing.name) = (folder, inner));
        Some(Effect::Other)
    }

    fn switch_link(&mut self) -> Option<Effect> {
        let id = self.any_leaf()?;
        self.say("relink", id);
        self.made += 1;
        let text = format!("{}{}", self.mark, self.made);
        let is_link = self.disk.at(id).leaf.is_some_and(|leaf| leaf.kind == LeafKind::Link);
        self.disk.write(id, if is_link { file(&text) } else { link(&text) });
        self.disk.renew(id);
        Some(Effect::Other)
    }
}
