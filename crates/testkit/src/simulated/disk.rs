//! A disk in memory: what stands on it now, and what of that would be there after a power cut.
//!
//! Every file and folder has what programs see (`body`) and what the platters hold (`ground`). Changes of names wait in
//! a log, in order; a power cut keeps some of them, but never a later one in a folder without the earlier ones. What was
//! written to a file waits too; a power cut may keep all of it, none, or single blocks.

mod durable;

use std::collections::BTreeMap;

use instep_core::clock::Timestamp;
use instep_core::path::Name;
use instep_core::policy::Fold;
use instep_core::tree::Key;
use instep_engine::folder::{DiskKind, Metadata};
use rustix::io::Errno;

/// The number of a file, folder or link.
pub type Number = u64;

/// The names in a folder, by the form in which the disk compares them.
pub type Entries = BTreeMap<Vec<u8>, (Vec<u8>, Number)>;

/// What a number stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A folder.
    Folder(Entries),
    /// A file.
    File(Vec<u8>),
    /// A symbolic link.
    Link(Vec<u8>),
}

/// One file, folder or link.
#[derive(Debug, Clone)]
pub struct Inode {
    /// What programs see.
    pub body: Body,
    /// What a power cut would leave.
    ground: Body,
    /// What was written is not on the platters yet, since this moment of true time.
    dirty: Option<i64>,
    /// The person wrote it last, and not the engine.
    pub by_person: bool,
    dropped: Dropped,
    /// When the disk last refused to keep it, by its clock.
    refused: i64,
    modified: i64,
    changed: i64,
    born: i64,
    mode: u32,
    names: u64,
    parent: Option<Number>,
}

/// Whether writing a file back failed: then what was written is gone, and the system says so only that one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropped {
    /// It did not.
    No,
    /// It did, in the present act.
    Now,
    /// It did, and that is on record.
    Heard,
    /// It did, and the program that was told ended before it could write that down, or its record is lost.
    Forgotten,
}

/// What kind of disk it is.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Which names it takes for the same.
    pub fold: Fold,
    /// It can exchange two names.
    pub exchange: bool,
    /// The steps of its clock.
    pub tick_ns: i64,
    /// It says when a file was born.
    pub births: bool,
    /// It gives the numbers of what is gone to what is new.
    pub reuses: bool,
    /// Its journal keeps all changes of names in one order.
    pub ordered: bool,
}

/// A folder, a name as the disk compares it, and what stands under it from now on.
type Set = (Number, Vec<u8>, Option<(Vec<u8>, Number)>);

/// One change of names, whole or not at all.
#[derive(Debug, Clone)]
struct Change {
    sets: Vec<Set>,
    at: i64,
    by_person: bool,
    /// A folder leaves its place: no disk lets that overtake others, or folders would come to lie in each other, and what
    /// was taken out of one before would go with it.
    moves_folder: bool,
}

/// A disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// What kind it is.
    pub kind: Kind,
    /// The present moment as this machine's clock has it.
    pub now: i64,
    /// The present moment as it is.
    pub true_now: i64,
    /// Whoever acts now is the person.
    pub by_person: bool,
    device: u64,
    inodes: BTreeMap<Number, Inode>,
    log: Vec<Change>,
    next: Number,
    free: Vec<Number>,
}

/// How a rename treats what stands at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// It fails if the name is taken.
    Refusing,
    /// It replaces a file.
    Replacing,
    /// Both change places.
    Exchanging,
}

/// The workspace itself.
pub const ROOT: Number = 1;
/// Our state folder.
pub const STATE: Number = 2;

impl Disk {
    /// An empty workspace with our state folder in it, all of it durable.
    pub fn new(device: u64, kind: Kind, now: i64) -> Self {
        let mut disk = Disk {
            kind,
            now,
            true_now: now,
            by_person: false,
            device,
            inodes: BTreeMap::new(),
            log: Vec::new(),
            next: ROOT,
            free: Vec::new(),
        };
        disk.add(Body::Folder(Entries::new()), None, 0o755);
        let made = [(ROOT, &b".instep"[..]), (STATE, b"staging"), (STATE, b"history")];
        for (parent, name) in made {
            disk.create_folder(parent, name).unwrap();
        }
        disk.create_file(STATE, b"clock").unwrap();
        disk.sync_all();
        disk
    }

    fn add(&mut self, body: Body, parent: Option<Number>, mode: u32) -> Number {
        let number = match self.free.pop().filter(|_| self.kind.reuses) {
            Some(number) => number,
            None => {
                self.next += 1;
                self.next - 1
            }
        };
        let now = self.tick();
        let ground = match &body {
            Body::Folder(_) => Body::Folder(Entries::new()),
            Body::File(_) => Body::File(Vec::new()),
            Body::Link(target) => Body::Link(target.clone()),
        };
        let inode = Inode {
            body,
            ground,
            dirty: None,
            by_person: self.by_person,
            dropped: Dropped::No,
            refused: i64::MIN,
            modified: now,
            changed: now,
            born: now,
            mode,
            names: 0,
            parent,
        };
        self.inodes.insert(number, inode);
        number
    }

    /// The moment as the disk writes it down.
    pub fn tick(&self) -> i64 {
        self.now.div_euclid(self.kind.tick_ns) * self.kind.tick_ns
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        match Name::new(name) {
            Ok(name) => self.kind.fold.key(&name).into_owned(),
            Err(_) => name.to_vec(),
        }
    }

    /// One file, folder or link.
    pub fn inode(&self, number: Number) -> Result<&Inode, Errno> {
        self.inodes.get(&number).ok_or(Errno::STALE)
    }

    fn inode_mut(&mut self, number: Number) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&number).ok_or(Errno::STALE)
    }

    /// The names in a folder.
    pub fn entries(&self, folder: Number) -> Result<&Entries, Errno> {
        match &self.inode(folder)?.body {
            Body::Folder(entries) => Ok(entries),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// What stands under a name.
    pub fn find(&self, folder: Number, name: &[u8]) -> Result<Number, Errno> {
        self.entries(folder)?.get(&self.key(name)).map(|entry| entry.1).ok_or(Errno::NOENT)
    }

    /// What stands at a path, names one after the other.
    pub fn find_path(&self, path: &[&[u8]]) -> Result<Number, Errno> {
        path.iter().try_fold(ROOT, |folder, name| self.find(folder, name))
    }

    /// What the system says of it.
    pub fn metadata(&self, number: Number) -> Result<Metadata, Errno> {
        let inode = self.inode(number)?;
        let (kind, size) = match &inode.body {
            Body::Folder(_) => (DiskKind::Folder, 4096),
            Body::File(data) => (DiskKind::File, data.len() as u64),
            Body::Link(target) => (DiskKind::Link, target.len() as u64),
        };
        let birth_ns = if self.kind.births { inode.born } else { 0 };
        Ok(Metadata {
            kind,
            key: Key { device: self.device, inode: number, birth_ns },
            size,
            modified: Timestamp::from_ns(inode.modified),
            changed: Timestamp::from_ns(inode.changed),
            mode: inode.mode,
            names: inode.names,
        })
    }

    /// Answers whether a folder lies in our state folder, or is it.
    pub fn is_ours(&self, folder: Number) -> bool {
        let mut at = Some(folder);
        while let Some(number) = at {
            if number == STATE {
                return true;
            }
            at = self.inodes.get(&number).and_then(|inode| inode.parent);
        }
        false
    }

    /// Answers whether a file is a kept version.
    pub fn is_in_history(&self, number: Number) -> bool {
        let history = self.find(STATE, b"history").and_then(|folder| self.entries(folder));
        history.is_ok_and(|entries| entries.values().any(|entry| entry.1 == number))
    }

    /// A folder's path, for people.
    pub fn path(&self, folder: Number) -> String {
        let mut names = Vec::new();
        let mut at = folder;
        while let Some(parent) = self.inodes.get(&at).and_then(|inode| inode.parent) {
            let Ok(entries) = self.entries(parent) else { break };
            let Some((name, _)) = entries.values().find(|entry| entry.1 == at) else { break };
            names.push(String::from_utf8_lossy(name).into_owned());
            at = parent;
        }
        names.reverse();
        names.join("/")
    }

    /// All that stands in the workspace, our state left out: path and number, in order of path.
    pub fn walk(&self) -> Vec<(Vec<u8>, Number)> {
        self.walk_from(ROOT)
    }

    /// All that stands below a folder.
    pub fn walk_from(&self, folder: Number) -> Vec<(Vec<u8>, Number)> {
        let mut found = Vec::new();
        let mut folders = vec![(Vec::new(), folder)];
        while let Some((path, folder)) = folders.pop() {
            for (name, number) in self.entries(folder).into_iter().flatten().map(|(_, entry)| entry) {
                if *number == STATE {
                    continue;
                }
                let mut at: Vec<u8> = path.clone();
                if !at.is_empty() {
                    at.push(b'/');
                }
                at.extend_from_slice(name);
                if matches!(self.inodes[number].body, Body::Folder(_)) {
                    folders.push((at.clone(), *number));
                }
                found.push((at, *number));
            }
        }
        found.sort();
        found
    }

    /// Changes names: all of these, or none after a power cut.
    fn set(&mut self, sets: Vec<Set>) {
        let (now, mut moves_folder) = (self.tick(), false);
        for (folder, key, entry) in &sets {
            if let Some((_, number)) = entry {
                let inode = self.inodes.get_mut(number).unwrap();
                inode.changed = now;
                if matches!(inode.body, Body::Folder(_)) {
                    inode.parent = Some(*folder);
                }
                inode.names += 1;
            }
            let inode = self.inodes.get_mut(folder).unwrap();
            (inode.modified, inode.changed) = (now, now);
            let Body::Folder(entries) = &mut inode.body else { continue };
            let before = match entry {
                Some(entry) => entries.insert(key.clone(), entry.clone()),
                None => entries.remove(key),
            };
            if let Some((_, number)) = before {
                let inode = self.inodes.get_mut(&number).unwrap();
                inode.names -= 1;
                inode.changed = now;
                moves_folder |= matches!(inode.body, Body::Folder(_));
            }
        }
        self.log.push(Change { sets, at: self.true_now, by_person: self.by_person, moves_folder });
    }

    fn free_name(&self, folder: Number, name: &[u8]) -> Result<Vec<u8>, Errno> {
        if folder != ROOT && self.inode(folder)?.names == 0 {
            return Err(Errno::NOENT);
        }
        match self.find(folder, name) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => Ok(self.key(name)),
            Err(error) => Err(error),
        }
    }

    fn create(&mut self, folder: Number, name: &[u8], body: Body, mode: u32) -> Result<Number, Errno> {
        let key = self.free_name(folder, name)?;
        let number = self.add(body, None, mode);
        self.set(vec![(folder, key, Some((name.to_vec(), number)))]);
        Ok(number)
    }

    /// Makes an empty file.
    pub fn create_file(&mut self, folder: Number, name: &[u8]) -> Result<Number, Errno> {
        self.create(folder, name, Body::File(Vec::new()), 0o644)
    }

    /// Makes an empty folder.
    pub fn create_folder(&mut self, folder: Number, name: &[u8]) -> Result<Number, Errno> {
        self.create(folder, name, Body::Folder(Entries::new()), 0o755)
    }

    /// Makes a link.
    pub fn create_link(&mut self, folder: Number, name: &[u8], target: &[u8]) -> Result<Number, Errno> {
        self.create(folder, name, Body::Link(target.to_vec()), 0o777)
    }

    /// Gives a file one more name: a hard link.
    pub fn name_again(&mut self, number: Number, folder: Number, name: &[u8]) -> Result<(), Errno> {
        let key = self.free_name(folder, name)?;
        self.set(vec![(folder, key, Some((name.to_vec(), number)))]);
        Ok(())
    }

    /// Takes a name away: a file's, or an empty folder's.
    pub fn remove(&mut self, folder: Number, name: &[u8], is_folder: bool) -> Result<(), Errno> {
        let number = self.find(folder, name)?;
        match (&self.inode(number)?.body, is_folder) {
            (Body::Folder(_), false) => return Err(Errno::ISDIR),
            (Body::Folder(entries), true) if !entries.is_empty() => return Err(Errno::NOTEMPTY),
            (Body::Folder(_), true) | (_, false) => {}
            (_, true) => return Err(Errno::NOTDIR),
        }
        let key = self.key(name);
        self.set(vec![(folder, key, None)]);
        Ok(())
    }

    /// Renames.
    pub fn rename(&mut self, from: (Number, &[u8]), to: (Number, &[u8]), how: Rename) -> Result<(), Errno> {
        let number = self.find(from.0, from.1)?;
        if to.0 != ROOT && self.inode(to.0)?.names == 0 {
            return Err(Errno::NOENT);
        }
        let target = match self.find(to.0, to.1) {
            Ok(target) => Some(target),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error),
        };
        if self.is_within(to.0, number) || target.is_some_and(|target| self.is_within(from.0, target)) {
            let nests = self.is_within(to.0, number) || how == Rename::Exchanging;
            return Err(if nests { Errno::INVAL } else { Errno::NOTEMPTY });
        }
        let (key, target_key) = (self.key(from.1), self.key(to.1));
        match (how, target) {
            (Rename::Exchanging, None) => return Err(Errno::NOENT),
            (Rename::Exchanging, Some(target)) => {
                if target != number {
                    self.set(vec![
                        (from.0, key, Some((from.1.to_vec(), target))),
                        (to.0, target_key, Some((to.1.to_vec(), number))),
                    ]);
                }
                return Ok(());
            }
            (Rename::Refusing, Some(_)) => return Err(Errno::EXIST),
            (Rename::Replacing, Some(target)) if target != number => {
                match (&self.inode(number)?.body, &self.inode(target)?.body) {
                    (Body::Folder(_), Body::Folder(entries)) if entries.is_empty() => {}
                    (Body::Folder(_), Body::Folder(_)) => return Err(Errno::NOTEMPTY),
                    (Body::Folder(_), _) => return Err(Errno::NOTDIR),
                    (_, Body::Folder(_)) => return Err(Errno::ISDIR),
                    _ => {}
                }
            }
            // Two names of one file: the system does nothing. One name in another case: it is changed.
            (Rename::Replacing, Some(_)) if (from.0, &key) != (to.0, &target_key) => return Ok(()),
            _ => {}
        }
        let moved = Some((to.1.to_vec(), number));
        if (from.0, &key) == (to.0, &target_key) {
            self.set(vec![(to.0, target_key, moved)]);
        } else {
            self.set(vec![(from.0, key, None), (to.0, target_key, moved)]);
        }
        Ok(())
    }

    fn is_within(&self, folder: Number, above: Number) -> bool {
        let mut at = Some(folder);
        while let Some(number) = at {
            if number == above {
                return true;
            }
            at = self.inodes.get(&number).and_then(|inode| inode.parent);
        }
        false
    }

    /// The bytes of a file or link.
    pub fn data(&self, number: Number) -> Result<&[u8], Errno> {
        match &self.inode(number)?.body {
            Body::File(data) | Body::Link(data) => Ok(data),
            Body::Folder(_) => Err(Errno::ISDIR),
        }
    }

    /// Changes what a file holds.
    pub fn write(&mut self, number: Number, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Errno> {
        let (now, true_now, by_person) = (self.tick(), self.true_now, self.by_person);
        let inode = self.inode_mut(number)?;
        let Body::File(data) = &mut inode.body else { return Err(Errno::ISDIR) };
        change(data);
        (inode.modified, inode.changed) = (now, now);
        inode.dirty.get_or_insert(true_now);
        (inode.by_person, inode.dropped) = (by_person, Dropped::No);
        Ok(())
    }

    /// Damages a file that is at rest, without a trace in its times; the byte becomes one that no text has, and that
    /// tells this damage from any other. Answers whether it could.
    pub fn rot(&mut self, number: Number, at: usize, damage: u8) -> bool {
        let Some(Inode {
            body: Body::File(data), ground: Body::File(ground), dirty: None, names: 0..=1, ..
        }) = self.inodes.get_mut(&number)
        else {
            return false;
        };
        let (Some(byte), Some(below)) = (data.get_mut(at), ground.get_mut(at)) else { return false };
        (*byte, *below) = (damage | 0x80, damage | 0x80);
        true
    }

    /// Sets the permission bits.
    pub fn set_mode(&mut self, number: Number, mode: u32) -> Result<(), Errno> {
        let now = self.tick();
        let inode = self.inode_mut(number)?;
        (inode.mode, inode.changed) = (mode, now);
        Ok(())
    }

    /// Sets the time of modification, as programs may.
    pub fn set_modified(&mut self, number: Number, modified: i64) -> Result<(), Errno> {
        let now = self.tick();
        let inode = self.inode_mut(number)?;
        (inode.modified, inode.changed) = (modified, now);
        Ok(())
    }
}
