//! [`SimulatedFolder`]: the door to a simulated disk, at which every call may meet an edit, a fault or a crash.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::path::Name;
use instep_core::tree::Key;
use instep_engine::folder::{Abilities, Folder, FolderError, Listing, Metadata, NewFile, OpenFile};
use rustix::io::Errno;

use super::chaos::{Layer, Rotten};
use super::disk::{Body, Disk, Number, ROOT, Rename, STATE};
use super::ledger::Reason;
use super::station::{Does, Entered, Failure, Shared};

/// A simulated folder.
pub struct SimulatedFolder {
    /// The machine that it is on.
    pub shared: Shared,
}

/// An open folder.
#[derive(Debug, Clone)]
pub struct SimulatedDir(Number);

fn failed(verb: &'static str, name: &[u8], failure: Failure) -> FolderError {
    match failure {
        Failure::Down => FolderError::new(verb, name, io::Error::other("the machine is down")),
        Failure::Errno(errno) => FolderError::new(verb, name, errno),
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Failure::Errno(errno)
    }
}

/// The files and links that a person sees, with what they hold.
pub(super) fn in_sight(disk: &Disk) -> BTreeMap<Number, ContentId> {
    let data = |(_, number)| Some((number, ContentId::of(disk.data(number).ok()?)));
    disk.walk().into_iter().filter_map(data).collect()
}

/// What of these stands under more names than of those.
fn more(
    these: &BTreeMap<Number, (ContentId, usize)>,
    those: &BTreeMap<Number, (ContentId, usize)>,
) -> Vec<(Number, ContentId)> {
    let names = |number| those.get(number).map_or(0, |(_, names)| *names);
    let more = these.iter().filter(|(number, (_, count))| *count > names(*number));
    more.map(|(number, (content, _))| (*number, *content)).collect()
}

/// What a person sees, with what it holds and under how many names.
fn names_in_sight(disk: &Disk) -> BTreeMap<Number, (ContentId, usize)> {
    let mut found: BTreeMap<Number, (ContentId, usize)> = BTreeMap::new();
    for (_, number) in disk.walk() {
        if let Ok(data) = disk.data(number) {
            found.entry(number).or_insert_with(|| (ContentId::of(data), 0)).1 += 1;
        }
    }
    found
}

impl SimulatedFolder {
    fn call<T>(
        &self,
        does: Does,
        verb: &'static str,
        name: &[u8],
        act: impl FnOnce(&mut Entered<'_>) -> Result<T, Errno>,
    ) -> Result<T, FolderError> {
        let shown = String::from_utf8_lossy(name);
        let mut entered =
            self.shared.call(does, format_args!("{verb} {shown}")).map_err(|e| failed(verb, name, e))?;
        let answer = act(&mut entered);
        entered.chaos.trace(format_args!("{:?}", answer.as_ref().err()));
        answer.map_err(|errno| failed(verb, name, errno.into()))
    }

    /// A call that changes names: what leaves a person's sight counts from now on.
    fn change(
        &self,
        verb: &'static str,
        name: &Name,
        ends: &[(&SimulatedDir, &Name)],
        act: impl FnOnce(&mut Disk) -> Result<(), Errno>,
    ) -> Result<(), FolderError> {
        self.call(Does::Writes, verb, name.as_bytes(), |entered| {
            let before = names_in_sight(&entered.station.disk);
            act(&mut entered.station.disk)?;
            let after = names_in_sight(&entered.station.disk);
            let machine = entered.station.index;
            if entered.chaos.tells() {
                let path = |(dir, name): &(&SimulatedDir, &Name)| {
                    format!("{}/{name}", entered.station.disk.path(dir.0))
                };
                let paths: Vec<String> = ends.iter().map(path).collect();
                entered.tell(format_args!("  {verb} {}", paths.join(" ")));
            }
            for (number, content) in more(&before, &after) {
                // What came into sight in this very act is nobody's: it is where we have it from.
                let is_ours = entered.station.placed.remove(&number)
                    && entered.station.disk.inode(number).is_ok_and(|inode| !inode.by_person);
                // Moved, it has other times: nobody can tell any more that it changed by itself.
                let moved = |rot: &&mut Rotten| rot.machine == machine && rot.number == number;
                entered.chaos.rotten.values_mut().filter(moved).for_each(|rot| rot.excused = true);
                if !is_ours && !entered.station.disk.is_refused_unheard(number) {
                    let what = format!("{verb} {name} at {}", entered.station.name);
                    entered.chaos.ledger.record(content, Reason::Displaced(machine, number), what);
                }
            }
            for (number, content) in more(&after, &before) {
                if !entered.chaos.ledger.give_back(machine, number) {
                    entered.station.placed.insert(number);
                }
                if entered.chaos.spoiled.contains(&content) {
                    let broken =
                        format!("R3 a damaged copy is given back: {name} at {}", entered.station.name);
                    entered.chaos.broken.get_or_insert(broken);
                }
            }
            Ok(())
        })
    }

    fn file(&self, entered: &Entered<'_>, folder: Number, name: &Name) -> Result<Number, Errno> {
        let number = entered.station.disk.find(folder, name.as_bytes())?;
        match entered.station.disk.inode(number)?.body {
            Body::File(_) => Ok(number),
            Body::Folder(_) => Err(Errno::ISDIR),
            Body::Link(_) => Err(Errno::LOOP),
        }
    }
}

struct File {
    shared: Shared,
    number: Number,
    at: usize,
    name: Name,
}

impl File {
    fn call<T>(
        &self,
        does: Does,
        verb: &'static str,
        act: impl FnOnce(&mut Entered<'_>) -> Result<T, Errno>,
    ) -> Result<T, FolderError> {
        SimulatedFolder { shared: self.shared.clone() }.call(does, verb, self.name.as_bytes(), act)
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (number, at) = (self.number, self.at);
        let read = self.call(Does::Reads, "read", |entered| {
            let data = entered.station.disk.data(number)?;
            let rest = &data[at.min(data.len())..];
            let mut count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            if count > 1 && entered.chaos.strikes(Layer::Disk, 20) {
                count = 1 + entered.chaos.chance.below(count - 1);
            }
            Ok(count)
        });
        let count = read.map_err(|error| error.source)?;
        self.at += count;
        Ok(count)
    }
}

impl OpenFile for File {
    fn metadata(&self) -> Result<Metadata, FolderError> {
        self.call(Does::Reads, "look at", |entered| entered.station.disk.metadata(self.number))
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let number = self.number;
        let written = self.call(Does::Writes, "write", |entered| {
            let mut count = bytes.len();
            if count > 1 && entered.chaos.strikes(Layer::Disk, 10) {
                count = 1 + entered.chaos.chance.below(count - 1);
            }
            entered.station.disk.write(number, |data| data.extend_from_slice(&bytes[..count]))?;
            Ok(count)
        });
        written.map_err(|error| error.source)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for File {
    fn finish(self: Box<Self>, durable: bool) -> Result<Metadata, FolderError> {
        if durable {
            sync(&self.shared, self.number, self.name.as_bytes())?;
        }
        self.call(Does::Reads, "look at", |entered| entered.station.disk.metadata(self.number))
    }
}

/// Makes a file durable. One that fails loses what was written, and says so only once.
fn sync(shared: &Shared, number: Number, name: &[u8]) -> Result<(), FolderError> {
    let folder = SimulatedFolder { shared: shared.clone() };
    let answer = folder.call(Does::Syncs, "sync", name, |entered| entered.station.disk.sync_file(number));
    let mut entered = shared.enter();
    if answer.is_err() && !entered.station.down {
        entered.station.disk.fail_sync(number);
        entered.station.refusals += 1;
    }
    drop(entered);
    answer
}

impl Folder for SimulatedFolder {
    type Dir = SimulatedDir;

    fn abilities(&self) -> Abilities {
        let kind = self.shared.enter().station.disk.kind;
        Abilities {
            exchange: kind.exchange,
            no_replace: true,
            links: true,
            exec: true,
            fold: kind.fold,
            name_bytes_max: 255,
        }
    }

    fn root(&self) -> SimulatedDir {
        SimulatedDir(ROOT)
    }

    fn state(&self) -> SimulatedDir {
        SimulatedDir(STATE)
    }

    fn open_folder(&self, parent: &SimulatedDir, name: &Name) -> Result<SimulatedDir, FolderError> {
        self.call(Does::Reads, "open", name.as_bytes(), |entered| {
            let number = entered.station.disk.find(parent.0, name.as_bytes())?;
            entered.station.disk.entries(number)?;
            Ok(SimulatedDir(number))
        })
    }

    fn folder_metadata(&self, folder: &SimulatedDir) -> Result<Metadata, FolderError> {
        self.call(Does::Reads, "look at", b"folder", |entered| entered.station.disk.metadata(folder.0))
    }

    fn list(&self, folder: &SimulatedDir) -> Result<Listing, FolderError> {
        self.call(Does::Reads, "list", b"folder", |entered| {
            let disk = &entered.station.disk;
            let mut listing = Listing::default();
            for (name, number) in disk.entries(folder.0)?.values() {
                listing.names.push(Name::new(name).map_err(|_| Errno::ILSEQ)?);
                listing.kinds.push(Some(disk.metadata(*number)?.kind));
            }
            Ok(listing)
        })
    }

    fn metadata(&self, folder: &SimulatedDir, name: &Name) -> Result<Option<Metadata>, FolderError> {
        self.call(Does::Reads, "look at", name.as_bytes(), |entered| {
            match entered.station.disk.find(folder.0, name.as_bytes()) {
                Ok(number) => entered.station.disk.metadata(number).map(Some),
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn open(&self, folder: &SimulatedDir, name: &Name) -> Result<Box<dyn OpenFile>, FolderError> {
        let number =
            self.call(Does::Reads, "open", name.as_bytes(), |entered| self.file(entered, folder.0, name))?;
        Ok(Box::new(File { shared: self.shared.clone(), number, at: 0, name: name.clone() }))
    }

    fn read_link(&self, folder: &SimulatedDir, name: &Name) -> Result<Vec<u8>, FolderError> {
        self.call(Does::Reads, "read", name.as_bytes(), |entered| {
            let number = entered.station.disk.find(folder.0, name.as_bytes())?;
            match &entered.station.disk.inode(number)?.body {
                Body::Link(target) => Ok(target.clone()),
                _ => Err(Errno::STALE),
            }
        })
    }

    fn create(&self, folder: &SimulatedDir, name: &Name) -> Result<Box<dyn NewFile>, FolderError> {
        let number = self.call(Does::Writes, "create", name.as_bytes(), |entered| {
            entered.station.disk.create_file(folder.0, name.as_bytes())
        })?;
        Ok(Box::new(File { shared: self.shared.clone(), number, at: 0, name: name.clone() }))
    }

    fn create_link(&self, folder: &SimulatedDir, name: &Name, target: &[u8]) -> Result<(), FolderError> {
        self.call(Does::Writes, "create", name.as_bytes(), |entered| {
            entered.station.disk.create_link(folder.0, name.as_bytes(), target).map(|_| ())
        })
    }

    fn create_folder(&self, folder: &SimulatedDir, name: &Name) -> Result<(), FolderError> {
        self.change("create folder", name, &[(folder, name)], |disk| {
            disk.create_folder(folder.0, name.as_bytes()).map(|_| ())
        })
    }

    fn remove_folder(&self, folder: &SimulatedDir, name: &Name) -> Result<(), FolderError> {
        self.change("remove folder", name, &[(folder, name)], |disk| {
            disk.remove(folder.0, name.as_bytes(), true)
        })
    }

    fn place(&self, from: (&SimulatedDir, &Name), to: (&SimulatedDir, &Name)) -> Result<(), FolderError> {
        self.change("place", to.1, &[from, to], |disk| {
            disk.rename((from.0.0, from.1.as_bytes()), (to.0.0, to.1.as_bytes()), Rename::Refusing)
        })
    }

    fn exchange(
        &self,
        one: (&SimulatedDir, &Name),
        other: (&SimulatedDir, &Name),
    ) -> Result<(), FolderError> {
        self.change("exchange", other.1, &[one, other], |disk| {
            if !disk.kind.exchange {
                return Err(Errno::OPNOTSUPP);
            }
            disk.rename((one.0.0, one.1.as_bytes()), (other.0.0, other.1.as_bytes()), Rename::Exchanging)
        })
    }

    fn replace(&self, from: (&SimulatedDir, &Name), to: (&SimulatedDir, &Name)) -> Result<(), FolderError> {
        self.change("replace", to.1, &[from, to], |disk| {
            disk.rename((from.0.0, from.1.as_bytes()), (to.0.0, to.1.as_bytes()), Rename::Replacing)
        })
    }

    fn remove_file(&self, folder: &SimulatedDir, name: &Name) -> Result<(), FolderError> {
        self.change("unlink", name, &[(folder, name)], |disk| disk.remove(folder.0, name.as_bytes(), false))
    }

    fn set_exec(&self, folder: &SimulatedDir, name: &Name, key: Key, exec: bool) -> Result<(), FolderError> {
        self.call(Does::Writes, "change", name.as_bytes(), |entered| {
            let number = self.file(entered, folder.0, name)?;
            let now = entered.station.disk.metadata(number)?;
            if now.key != key {
                return Err(Errno::STALE);
            }
            let mode = if exec { now.mode | (now.mode & 0o444) >> 2 } else { now.mode & !0o111 };
            if mode == now.mode { Ok(()) } else { entered.station.disk.set_mode(number, mode) }
        })
    }

    fn copy_attributes(
        &self,
        from: (&SimulatedDir, &Name),
        to: (&SimulatedDir, &Name),
    ) -> Result<(), FolderError> {
        self.call(Does::Writes, "change", to.1.as_bytes(), |entered| {
            let old = self.file(entered, from.0.0, from.1)?;
            let new = self.file(entered, to.0.0, to.1)?;
            let exec = entered.station.disk.metadata(new)?.mode & 0o111;
            let mode = entered.station.disk.metadata(old)?.mode & 0o666 | exec;
            entered.station.disk.set_mode(new, mode)
        })
    }

    fn make_private(&self, folder: &SimulatedDir, name: &Name) -> Result<(), FolderError> {
        self.call(Does::Writes, "change", name.as_bytes(), |entered| {
            let number = self.file(entered, folder.0, name)?;
            let mode = entered.station.disk.metadata(number)?.mode & 0o700;
            entered.station.disk.set_mode(number, mode)
        })
    }

    fn sync_file(&self, folder: &SimulatedDir, name: &Name) -> Result<Key, FolderError> {
        let number =
            self.call(Does::Reads, "open", name.as_bytes(), |entered| self.file(entered, folder.0, name))?;
        sync(&self.shared, number, name.as_bytes())?;
        let look = |entered: &mut Entered<'_>| entered.station.disk.metadata(number);
        Ok(self.call(Does::Reads, "look at", name.as_bytes(), look)?.key)
    }

    fn sync_folder(&self, folder: &SimulatedDir) -> Result<(), FolderError> {
        self.call(Does::Syncs, "sync", b"folder", |entered| entered.station.disk.sync_folder(folder.0))
    }

    fn sync_all(&self) -> Result<(), FolderError> {
        let answer = self.call(Does::Syncs, "sync", b"all", |entered| {
            entered.station.disk.sync_all();
            Ok(())
        });
        if answer.is_err() {
            let mut entered = self.shared.enter();
            let is_down = entered.station.down;
            entered.station.refusals += u64::from(!is_down);
            for number in entered.station.disk.dirty().into_iter().filter(|_| !is_down) {
                if entered.chaos.chance.percent(50) {
                    entered.station.disk.fail_sync(number);
                }
            }
        }
        answer
    }

    fn refusals(&self) -> u64 {
        self.shared.enter().station.refusals
    }

    fn now(&self) -> Result<Timestamp, FolderError> {
        self.call(Does::Writes, "touch", b"clock", |entered| {
            Ok(Timestamp::from_ns(entered.station.disk.tick()))
        })
    }
}
