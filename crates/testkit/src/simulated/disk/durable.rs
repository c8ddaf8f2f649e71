//! What is on the platters: what programs and the system bring there, and what a power cut leaves.

use std::collections::BTreeSet;

use instep_core::generate::Random;
use rustix::io::Errno;

use super::{Body, Change, Disk, Dropped, Inode, Number, ROOT, STATE};

/// What is written of a file at once, or not.
const BLOCK: usize = 512;
/// What the system writes back by itself after this time.
const WRITE_BACK_NS: i64 = 30_000_000_000;

impl Change {
    /// What it gives a name to.
    fn named(&self) -> impl Iterator<Item = Number> {
        self.sets.iter().filter_map(|set| Some(set.2.as_ref()?.1))
    }
}

impl Inode {
    /// Answers whether the disk refused to keep it, and nobody can know of it any more: there is no record of that, or it
    /// is younger than the refusal, as the clock was put back in between. Its name may have changed since.
    fn is_refused_unheard(&self) -> bool {
        let is_younger = self.modified.min(self.changed) > self.refused;
        self.dropped == Dropped::Forgotten || self.dropped != Dropped::No && is_younger
    }
}

impl Disk {
    /// Makes a file's content durable, not its name.
    pub fn sync_file(&mut self, number: Number) -> Result<(), Errno> {
        let inode = self.inode_mut(number)?;
        if let Body::File(data) = &inode.body
            && inode.dropped == Dropped::No
        {
            inode.ground = Body::File(data.clone());
            inode.dirty = None;
        }
        Ok(())
    }

    /// Writing a file back fails: the next try will succeed, with nothing written.
    pub fn fail_sync(&mut self, number: Number) {
        let now = self.tick();
        if let Some(inode) = self.inodes.get_mut(&number).filter(|inode| inode.dirty.is_some()) {
            (inode.dropped, inode.refused) = (Dropped::Now, now);
        }
    }

    /// An act ended: what could not be written back in it is on record, or nobody knows of it any more.
    pub fn end_act(&mut self, on_record: bool) {
        let ended = if on_record { Dropped::Heard } else { Dropped::Forgotten };
        let now = self.inodes.values_mut().filter(|inode| inode.dropped == Dropped::Now);
        now.for_each(|inode| inode.dropped = ended);
    }

    /// The record of what could not be written back is lost.
    pub fn forget_refusals(&mut self) {
        let dropped = self.inodes.values_mut().filter(|inode| inode.dropped != Dropped::No);
        dropped.for_each(|inode| inode.dropped = Dropped::Forgotten);
    }

    /// All files that wait to be written back.
    pub fn dirty(&self) -> Vec<Number> {
        let dirty = self.inodes.iter().filter(|(_, inode)| inode.dirty.is_some());
        dirty.map(|(number, _)| *number).collect()
    }

    /// Answers whether what waits of a file is of a person and from a moment on: its content, its first name, or that a
    /// folder was carried elsewhere, where no wait for the way to the file meets it.
    pub fn was_written_since(&self, number: Number, since: i64) -> bool {
        let is_folder = |number| matches!(self.inode(number).map(|inode| &inode.body), Ok(Body::Folder(_)));
        let written = self.inode(number).is_ok_and(|inode| inode.dirty.is_some_and(|at| at >= since));
        let mut late = self.log.iter().filter(|change| change.by_person && change.at >= since);
        let carried = |change: &Change| change.sets.len() > 1 && change.named().any(is_folder);
        written || self.named_since(since).contains(&number) || late.any(carried)
    }

    /// What no durable name leads to, and of which a person gave the first that waits, from a moment on.
    pub fn nameless_since(&self, since: i64) -> BTreeSet<Number> {
        let mut late = self.named_since(since);
        for inode in self.inodes.values() {
            if let Body::Folder(entries) = &inode.ground {
                entries.values().for_each(|(_, number)| _ = late.remove(number));
            }
        }
        late
    }

    /// What has a name that waits, of which the first is from a person, and from a moment on.
    fn named_since(&self, since: i64) -> BTreeSet<Number> {
        let (mut met, mut late) = (BTreeSet::new(), BTreeSet::new());
        for change in &self.log {
            let first = change.named().filter(|number| met.insert(*number));
            late.extend(first.filter(|_| change.by_person && change.at >= since));
        }
        late
    }

    /// Answers whether the disk refused to keep a file, and nobody can know of it any more.
    pub fn is_refused_unheard(&self, number: Number) -> bool {
        self.inode(number).is_ok_and(Inode::is_refused_unheard)
    }

    /// Makes a folder's names durable, and what they depend on.
    pub fn sync_folder(&mut self, folder: Number) -> Result<(), Errno> {
        self.inode(folder)?;
        self.settle(|change| change.sets.iter().any(|set| set.0 == folder));
        Ok(())
    }

    /// Makes all of it durable.
    pub fn sync_all(&mut self) {
        self.settle(|_| true);
        let numbers: Vec<Number> = self.inodes.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.sync_file(number).unwrap());
    }

    /// Brings changes of names to the platters, with all earlier ones in the same folders.
    fn settle(&mut self, wanted: impl Fn(&Change) -> bool) {
        let mut folders: BTreeSet<Number> = BTreeSet::new();
        let mut marked = vec![false; self.log.len()];
        let mut all = false;
        for (at, change) in self.log.iter().enumerate().rev() {
            let touches = change.sets.iter().any(|set| folders.contains(&set.0));
            if all || touches || wanted(change) {
                all |= self.kind.ordered || change.moves_folder;
                marked[at] = true;
                folders.extend(change.sets.iter().map(|set| set.0));
            }
        }
        let log = std::mem::take(&mut self.log);
        for (change, settles) in log.into_iter().zip(marked) {
            if settles { self.bring_down(&change) } else { self.log.push(change) }
        }
    }

    fn bring_down(&mut self, change: &Change) {
        for (folder, key, entry) in &change.sets {
            let Some(Inode { ground: Body::Folder(entries), .. }) = self.inodes.get_mut(folder) else {
                continue;
            };
            match entry {
                Some(entry) => entries.insert(key.clone(), entry.clone()),
                None => entries.remove(key),
            };
        }
    }

    /// The system writes back what waits for long, and forgets the numbers of what is gone.
    pub fn write_back(&mut self, all: bool, open: &BTreeSet<Number>) {
        let old = self.true_now - WRITE_BACK_NS;
        self.settle(|change| all || change.at < old);
        let dirty = |inode: &Inode| inode.dirty.is_some_and(|since| all || since < old);
        let numbers: Vec<Number> =
            self.inodes.iter().filter(|(_, inode)| dirty(inode)).map(|(number, _)| *number).collect();
        numbers.into_iter().for_each(|number| self.sync_file(number).unwrap());
        if self.log.is_empty() {
            self.collect(open);
        }
    }

    fn collect(&mut self, open: &BTreeSet<Number>) {
        let gone: Vec<Number> = self
            .inodes
            .iter()
            .filter(|(number, inode)| inode.names == 0 && **number > STATE && !open.contains(number))
            .map(|(number, _)| *number)
            .collect();
        for number in gone {
            self.inodes.remove(&number);
            self.free.push(number);
        }
    }

    /// The power goes: what waits is kept or lost by chance.
    pub fn power_cut(&mut self, chance: &mut Random) {
        let keeps = [0, 50, 90, 100][chance.below(4)];
        let mut lost: BTreeSet<Number> = BTreeSet::new();
        let mut all_lost = false;
        for change in std::mem::take(&mut self.log) {
            let blocked = all_lost
                || change.sets.iter().any(|set| lost.contains(&set.0))
                || (change.moves_folder && !lost.is_empty());
            if !blocked && chance.percent(keeps) {
                self.bring_down(&change);
            } else {
                lost.extend(change.sets.iter().map(|set| set.0));
                all_lost |= self.kind.ordered || change.moves_folder;
            }
        }
        for inode in self.inodes.values_mut().filter(|inode| inode.dirty.is_some()) {
            if let (Body::File(data), Body::File(ground)) = (&inode.body, &inode.ground) {
                let left =
                    if inode.dropped != Dropped::No { ground.clone() } else { torn(data, ground, chance) };
                inode.ground = Body::File(left);
            }
        }
        self.fall();
    }

    /// What a power cut would leave at its worst, if nothing that a person did since a moment were lost.
    pub fn without_what_waits(&self, since: i64) -> Disk {
        let mut disk = self.clone();
        disk.settle(|change| change.by_person && change.at >= since);
        disk.log.clear();
        // Also what the disk refused, if no sync can know of it any more.
        let is_theirs = |inode: &Inode| {
            inode.by_person && (inode.is_refused_unheard() || inode.dirty.is_some_and(|at| at >= since))
        };
        let theirs: Vec<Number> =
            disk.inodes.iter().filter(|(_, inode)| is_theirs(inode)).map(|(number, _)| *number).collect();
        for number in theirs {
            disk.inodes.get_mut(&number).unwrap().dropped = Dropped::No;
            disk.sync_file(number).unwrap();
        }
        disk.fall();
        disk
    }

    /// What programs see is what the platters hold.
    fn fall(&mut self) {
        self.log.clear();
        for inode in self.inodes.values_mut() {
            inode.body = inode.ground.clone();
            (inode.names, inode.parent, inode.dirty) = (0, None, None);
            inode.dropped = Dropped::No;
        }
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = self.entries(folder).cloned() else { continue };
            for (_, (_, number)) in entries {
                let inode = self.inodes.get_mut(&number).unwrap();
                inode.names += 1;
                if matches!(inode.body, Body::Folder(_)) {
                    inode.parent = Some(folder);
                    folders.push(number);
                }
            }
        }
        self.collect(&BTreeSet::new());
    }
}

/// What a power cut leaves of a file that was being written.
fn torn(new: &[u8], old: &[u8], chance: &mut Random) -> Vec<u8> {
    match chance.below(5) {
        0 => old.to_vec(),
        1 => new.to_vec(),
        2 => new[..chance.below(new.len() + 1)].to_vec(),
        3 => vec![0; new.len()],
        _ => {
            let mut mixed = vec![0; new.len()];
            for at in (0..new.len()).step_by(BLOCK) {
                let end = new.len().min(at + BLOCK);
                match chance.below(3) {
                    0 => {}
                    1 if old.len() >= end => mixed[at..end].copy_from_slice(&old[at..end]),
                    _ => mixed[at..end].copy_from_slice(&new[at..end]),
                }
            }
            mixed
        }
    }
}
