//! A disk that fails where it is told to, and counts what is open.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::disk::{DiskDir, DiskFolder};
use super::*;

/// What happens to a name.
pub enum Fault {
    /// It can't be opened.
    Open(Errno),
    /// It can't be read.
    Read(Errno),
    /// It can't be listed.
    List(Errno),
    /// It can't be looked at.
    Look(Errno),
    /// It can't be removed.
    Remove(Errno),
    /// It can't be made durable the first time; the next time succeeds, as Linux has it.
    SyncOnce(Errno),
    /// This happens each time before it is made durable.
    Synced(Box<dyn Fn() + Send + Sync>),
    /// This happens between opening and reading it.
    Meanwhile(Box<dyn Fn() + Send + Sync>),
    /// It can't be exchanged, and this happens before anything takes its name.
    Alone(Box<dyn Fn() + Send + Sync>),
    /// This happens before the first exchange with it.
    Exchanged(Box<dyn Fn() + Send + Sync>),
}

/// A disk with faults, by name wherever it stands; the workspace's is empty.
pub struct Faulty {
    disk: DiskFolder,
    faults: BTreeMap<Vec<u8>, Fault>,
    /// How many folders and files may be open at once, besides the workspace itself.
    pub room: usize,
    /// Whether it knows an exchange at all.
    pub exchange: bool,
    open: Arc<AtomicUsize>,
    open_max: AtomicUsize,
    exchanges: AtomicUsize,
    /// How often all was made durable.
    pub syncs: AtomicUsize,
    /// What was made durable, by name, a folder as `d/`; and what was exchanged, as `exchange f`.
    pub synced: Mutex<Vec<String>>,
    /// How often it was asked who has a file open.
    pub questions: AtomicUsize,
    refused: AtomicUsize,
}

/// An open folder that knows its name.
#[derive(Clone)]
pub struct FaultyDir {
    dir: DiskDir,
    name: Vec<u8>,
    _counted: Option<Arc<Counted>>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Faulty {
    pub fn new(disk: DiskFolder, faults: Vec<(&str, Fault)>) -> Self {
        let faults = faults.into_iter().map(|(name, fault)| (name.as_bytes().to_vec(), fault)).collect();
        let zero = || AtomicUsize::new(0);
        let (open_max, exchanges, syncs, questions, refused) = (zero(), zero(), zero(), zero(), zero());
        Faulty {
            disk,
            faults,
            room: usize::MAX,
            exchange: true,
            open: Arc::default(),
            open_max,
            exchanges,
            syncs,
            synced: Mutex::default(),
            questions,
            refused,
        }
    }

    /// The most folders and files that were open at once.
    pub fn open_max(&self) -> usize {
        self.open_max.load(Ordering::SeqCst)
    }

    fn check_open(&self, name: &Name) -> Result<(), FolderError> {
        let failed = |errno: Errno| Err(FolderError::new("open", name.as_bytes(), errno));
        match self.faults.get(name.as_bytes()) {
            Some(Fault::Open(errno)) => failed(*errno),
            _ => Ok(()),
        }
    }

    fn check_plain(&self, verb: &'static str, name: &Name) -> Result<(), FolderError> {
        match self.faults.get(name.as_bytes()) {
            Some(Fault::Alone(_)) => Err(FolderError::new(verb, name.as_bytes(), Errno::OPNOTSUPP)),
            _ => Ok(()),
        }
    }

    fn check_sync(&self, name: &[u8]) -> Result<(), FolderError> {
        match self.faults.get(name) {
            Some(Fault::SyncOnce(errno)) if self.refused.fetch_or(1, Ordering::SeqCst) == 0 => {
                Err(FolderError::new("sync", name, *errno))
            }
            _ => Ok(()),
        }
    }

    /// Counts a handle in, if there is room for it.
    fn count(&self, name: &Name) -> Result<Arc<Counted>, FolderError> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        let counted = Arc::new(Counted(self.open.clone()));
        if open > self.room {
            return Err(FolderError::new("open", name.as_bytes(), Errno::MFILE));
        }
        self.open_max.fetch_max(open, Ordering::SeqCst);
        Ok(counted)
    }
}

struct FaultyFile {
    file: Box<dyn OpenFile>,
    fault: Option<Errno>,
    _counted: Arc<Counted>,
}

impl Read for FaultyFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.fault {
            Some(errno) => Err(errno.into()),
            None => self.file.read(buffer),
        }
    }
}

impl OpenFile for FaultyFile {
    fn metadata(&self) -> Result<Metadata, FolderError> {
        self.file.metadata()
    }
}

impl Folder for Faulty {
    type Dir = FaultyDir;

    fn abilities(&self) -> Abilities {
        let abilities = self.disk.abilities();
        Abilities { exchange: abilities.exchange && self.exchange, ..abilities }
    }

    fn location(&self) -> Option<PathBuf> {
        self.disk.location()
    }

    fn openers(&self, folder: &FaultyDir, name: &Name) -> Result<Openers, FolderError> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        self.disk.openers(&folder.dir, name)
    }

    fn root(&self) -> FaultyDir {
        FaultyDir { dir: self.disk.root(), name: Vec::new(), _counted: None }
    }

    fn state(&self) -> FaultyDir {
        FaultyDir { dir: self.disk.state(), name: Vec::new(), _counted: None }
    }

    fn open_folder(&self, parent: &FaultyDir, name: &Name) -> Result<FaultyDir, FolderError> {
        self.check_open(name)?;
        let counted = self.count(name)?;
        let dir = self.disk.open_folder(&parent.dir, name)?;
        Ok(FaultyDir { dir, name: name.as_bytes().to_vec(), _counted: Some(counted) })
    }

    fn folder_metadata(&self, folder: &FaultyDir) -> Result<Metadata, FolderError> {
        self.disk.folder_metadata(&folder.dir)
    }

    fn list(&self, folder: &FaultyDir) -> Result<Listing, FolderError> {
        if let Some(Fault::List(errno)) = self.faults.get(&folder.name) {
            return Err(FolderError::new("list", &folder.name, *errno));
        }
        self.disk.list(&folder.dir)
    }

    fn metadata(&self, folder: &FaultyDir, name: &Name) -> Result<Option<Metadata>, FolderError> {
        if let Some(Fault::Look(errno)) = self.faults.get(name.as_bytes()) {
            return Err(FolderError::new("look at", name.as_bytes(), *errno));
        }
        self.disk.metadata(&folder.dir, name)
    }

    fn open(&self, folder: &FaultyDir, name: &Name) -> Result<Box<dyn OpenFile>, FolderError> {
        self.check_open(name)?;
        let counted = self.count(name)?;
        let file = self.disk.open(&folder.dir, name)?;
        let fault = match self.faults.get(name.as_bytes()) {
            Some(Fault::Read(errno)) => Some(*errno),
            Some(Fault::Meanwhile(act)) => {
                act();
                None
            }
            _ => None,
        };
        Ok(Box::new(FaultyFile { file, fault, _counted: counted }))
    }

    fn read_link(&self, folder: &FaultyDir, name: &Name) -> Result<Vec<u8>, FolderError> {
        self.disk.read_link(&folder.dir, name)
    }

    fn create(&self, folder: &FaultyDir, name: &Name) -> Result<Box<dyn NewFile>, FolderError> {
        self.disk.create(&folder.dir, name)
    }

    fn create_link(&self, folder: &FaultyDir, name: &Name, target: &[u8]) -> Result<(), FolderError> {
        self.disk.create_link(&folder.dir, name, target)
    }

    fn create_folder(&self, folder: &FaultyDir, name: &Name) -> Result<(), FolderError> {
        self.disk.create_folder(&folder.dir, name)
    }

    fn remove_folder(&self, folder: &FaultyDir, name: &Name) -> Result<(), FolderError> {
        self.disk.remove_folder(&folder.dir, name)
    }

    fn place(&self, from: (&FaultyDir, &Name), to: (&FaultyDir, &Name)) -> Result<(), FolderError> {
        if let Some(Fault::Alone(act)) = self.faults.get(to.1.as_bytes()) {
            act();
        }
        self.disk.place((&from.0.dir, from.1), (&to.0.dir, to.1))
    }

    fn exchange(&self, one: (&FaultyDir, &Name), other: (&FaultyDir, &Name)) -> Result<(), FolderError> {
        self.check_plain("exchange", other.1)?;
        if let Some(Fault::Exchanged(act)) = self.faults.get(other.1.as_bytes())
            && self.exchanges.fetch_add(1, Ordering::SeqCst) == 0
        {
            act();
        }
        self.synced.lock().unwrap().push(format!("exchange {}", other.1));
        self.disk.exchange((&one.0.dir, one.1), (&other.0.dir, other.1))
    }

    fn replace(&self, from: (&FaultyDir, &Name), to: (&FaultyDir, &Name)) -> Result<(), FolderError> {
        self.disk.replace((&from.0.dir, from.1), (&to.0.dir, to.1))
    }

    fn remove_file(&self, folder: &FaultyDir, name: &Name) -> Result<(), FolderError> {
        if let Some(Fault::Remove(errno)) = self.faults.get(name.as_bytes()) {
            return Err(FolderError::new("remove", name.as_bytes(), *errno));
        }
        self.disk.remove_file(&folder.dir, name)
    }

    fn set_exec(&self, folder: &FaultyDir, name: &Name, key: Key, exec: bool) -> Result<(), FolderError> {
        self.disk.set_exec(&folder.dir, name, key, exec)
    }

    fn copy_attributes(&self, from: (&FaultyDir, &Name), to: (&FaultyDir, &Name)) -> Result<(), FolderError> {
        self.disk.copy_attributes((&from.0.dir, from.1), (&to.0.dir, to.1))
    }

    fn make_private(&self, folder: &FaultyDir, name: &Name) -> Result<(), FolderError> {
        self.disk.make_private(&folder.dir, name)
    }

    fn sync_file(&self, folder: &FaultyDir, name: &Name) -> Result<Key, FolderError> {
        if let Some(Fault::Synced(act)) = self.faults.get(name.as_bytes()) {
            act();
        }
        self.check_sync(name.as_bytes())?;
        self.synced.lock().unwrap().push(name.to_string());
        self.disk.sync_file(&folder.dir, name)
    }

    fn sync_folder(&self, folder: &FaultyDir) -> Result<(), FolderError> {
        // As a file system behind FUSE has it; the kernel's own make durable what is gone.
        if rustix::fs::fstat(&folder.dir).unwrap().st_nlink == 0 {
            return Err(FolderError::new("sync", &folder.name, Errno::NOENT));
        }
        self.check_sync(&folder.name)?;
        self.synced.lock().unwrap().push(format!("{}/", String::from_utf8_lossy(&folder.name)));
        self.disk.sync_folder(&folder.dir)
    }

    fn sync_all(&self) -> Result<(), FolderError> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        self.disk.sync_all()
    }

    fn refusals(&self) -> u64 {
        self.disk.refusals() + self.refused.load(Ordering::SeqCst) as u64
    }

    fn now(&self) -> Result<Timestamp, FolderError> {
        self.disk.now()
    }
}
