//! [`Placed`]: a folder in which names that stand for paths of this machine are those that travel.
//!
//! Nobody behind this door knows that a disk has other names for some things: trees, rows, the journal and the remote say
//! the name that travels. What stands under a name that it had while the place was another, or not known here, is found by
//! that, and gets its right name when a sync comes by.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use instep_core::clock::Timestamp;
use instep_core::path::{Name, TreePath};
use instep_core::places::Places;
use instep_core::tree::Key;

use super::openers::Openers;
use super::{Abilities, Folder, FolderError, FolderFailure, Listing, Metadata, NewFile, OpenFile};

/// A folder whose names are those that travel.
pub struct Placed<F: Folder> {
    folder: F,
    places: RwLock<Option<Arc<Places>>>,
    /// What was seen under a name that is not its right one: where, the name, and the right one.
    misnamed: Mutex<Vec<(F::Dir, Name, Name)>>,
}

impl<F: Folder> Placed<F> {
    /// Takes a folder; its names are what they are until it is told the places.
    pub fn new(folder: F) -> Self {
        Placed { folder, places: RwLock::default(), misnamed: Mutex::default() }
    }

    fn places(&self) -> Option<Arc<Places>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The name that a thing has on the disk, or gets if it is not there.
    fn on_disk<'n>(&self, folder: &F::Dir, name: &'n Name) -> Result<Cow<'n, Name>, FolderError> {
        let Some(places) = self.places().filter(|_| name.as_bytes().starts_with(b"-")) else {
            return Ok(Cow::Borrowed(name));
        };
        let mut stands = |name: &Name| Ok(self.folder.metadata(folder, name)?.is_some());
        match places.name_on_disk(name, &mut stands)? {
            Some(on_disk) => Ok(Cow::Owned(on_disk)),
            None => {
                let why = "on this machine that name means something else; see `places` in the settings";
                Err(FolderError::new("name", name.as_bytes(), io::Error::other(why)))
            }
        }
    }

    /// Puts what is in a folder into the one beside it that means the same; answers what could not be.
    fn unite(&self, dir: &F::Dir, name: &Name, right: &Name) -> Result<(), FolderError> {
        let (from, to) = (self.folder.open_folder(dir, name)?, self.folder.open_folder(dir, right)?);
        let mut left = None;
        for inside in self.folder.list(&from)?.names {
            match self.folder.place((&from, &inside), (&to, &inside)) {
                Err(error) if error.failure() == FolderFailure::Taken => left = Some(inside),
                placed => placed?,
            }
        }
        match left {
            None => self.folder.remove_folder(dir, name),
            Some(inside) => {
                let why = format!(
                    "{right} means the same here, and holds another {inside}; move one of them yourself"
                );
                Err(FolderError::new("unite", name.as_bytes(), io::Error::other(why)))
            }
        }
    }
}

impl<F: Folder> Folder for Placed<F> {
    type Dir = F::Dir;

    fn name_by(&self, places: Option<Arc<Places>>) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
        self.misnamed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn right_names(&self) -> Result<bool, FolderError> {
        let misnamed = std::mem::take(&mut *self.misnamed.lock().unwrap_or_else(PoisonError::into_inner));
        let mut united = false;
        for (folder, name, right) in misnamed {
            match self.folder.place((&folder, &name), (&folder, &right)) {
                Err(error) if error.failure() == FolderFailure::Taken => {
                    united = true;
                    self.unite(&folder, &name, &right)?;
                }
                placed => placed?,
            }
        }
        Ok(united)
    }

    fn path_on_disk(&self, path: &TreePath) -> TreePath {
        let Some(places) = self.places() else { return path.clone() };
        let (mut on_disk, mut dir) = (TreePath::default(), Some(self.folder.root()));
        for name in path.names() {
            let found = dir.as_ref().and_then(|dir| Some(self.on_disk(dir, &name).ok()?.into_owned()));
            let found =
                found.unwrap_or_else(|| places.incoming_names(&name).into_iter().next().unwrap_or(name));
            dir = dir.and_then(|dir| self.folder.open_folder(&dir, &found).ok());
            on_disk = on_disk.join(&found);
        }
        on_disk
    }

    fn location(&self) -> Option<PathBuf> {
        self.folder.location()
    }

    fn openers(&self, folder: &F::Dir, name: &Name) -> Result<Openers, FolderError> {
        self.folder.openers(folder, &*self.on_disk(folder, name)?)
    }

    fn abilities(&self) -> Abilities {
        self.folder.abilities()
    }

    fn root(&self) -> F::Dir {
        self.folder.root()
    }

    fn state(&self) -> F::Dir {
        self.folder.state()
    }

    fn open_folder(&self, parent: &F::Dir, name: &Name) -> Result<F::Dir, FolderError> {
        self.folder.open_folder(parent, &*self.on_disk(parent, name)?)
    }

    fn folder_metadata(&self, folder: &F::Dir) -> Result<Metadata, FolderError> {
        self.folder.folder_metadata(folder)
    }

    fn list(&self, folder: &F::Dir) -> Result<Listing, FolderError> {
        let found = self.folder.list(folder)?;
        let Some(places) = self.places() else { return Ok(found) };
        let Listing { names, kinds, skipped } = found;
        let mut listing = Listing { skipped, ..Listing::default() };
        for (at, on_disk) in names.iter().enumerate() {
            let mut stands = |name: &Name| Ok::<_, FolderError>(names.contains(name));
            let name = places.name_that_travels(on_disk, &mut stands)?;
            if let Some(right) = places.incoming_names(&name).first().filter(|right| *right != on_disk) {
                let misnamed = (folder.clone(), on_disk.clone(), right.clone());
                self.misnamed.lock().unwrap_or_else(PoisonError::into_inner).push(misnamed);
            }
            listing.names.push(name);
            listing.kinds.extend(kinds.get(at).copied());
        }
        Ok(listing)
    }

    fn metadata(&self, folder: &F::Dir, name: &Name) -> Result<Option<Metadata>, FolderError> {
        self.folder.metadata(folder, &*self.on_disk(folder, name)?)
    }

    fn open(&self, folder: &F::Dir, name: &Name) -> Result<Box<dyn OpenFile>, FolderError> {
        self.folder.open(folder, &*self.on_disk(folder, name)?)
    }

    fn read_link(&self, folder: &F::Dir, name: &Name) -> Result<Vec<u8>, FolderError> {
        self.folder.read_link(folder, &*self.on_disk(folder, name)?)
    }

    fn create(&self, folder: &F::Dir, name: &Name) -> Result<Box<dyn NewFile>, FolderError> {
        self.folder.create(folder, &*self.on_disk(folder, name)?)
    }

    fn create_link(&self, folder: &F::Dir, name: &Name, target: &[u8]) -> Result<(), FolderError> {
        self.folder.create_link(folder, &*self.on_disk(folder, name)?, target)
    }

    fn create_folder(&self, folder: &F::Dir, name: &Name) -> Result<(), FolderError> {
        self.folder.create_folder(folder, &*self.on_disk(folder, name)?)
    }

    fn remove_folder(&self, folder: &F::Dir, name: &Name) -> Result<(), FolderError> {
        self.folder.remove_folder(folder, &*self.on_disk(folder, name)?)
    }

    fn place(&self, from: (&F::Dir, &Name), to: (&F::Dir, &Name)) -> Result<(), FolderError> {
        let (one, other) = (self.on_disk(from.0, from.1)?, self.on_disk(to.0, to.1)?);
        self.folder.place((from.0, &one), (to.0, &other))
    }

    fn exchange(&self, one: (&F::Dir, &Name), other: (&F::Dir, &Name)) -> Result<(), FolderError> {
        let names = (self.on_disk(one.0, one.1)?, self.on_disk(other.0, other.1)?);
        self.folder.exchange((one.0, &names.0), (other.0, &names.1))
    }

    fn replace(&self, from: (&F::Dir, &Name), to: (&F::Dir, &Name)) -> Result<(), FolderError> {
        let (one, other) = (self.on_disk(from.0, from.1)?, self.on_disk(to.0, to.1)?);
        self.folder.replace((from.0, &one), (to.0, &other))
    }

    fn remove_file(&self, folder: &F::Dir, name: &Name) -> Result<(), FolderError> {
        self.folder.remove_file(folder, &*self.on_disk(folder, name)?)
    }

    fn set_exec(&self, folder: &F::Dir, name: &Name, key: Key, exec: bool) -> Result<(), FolderError> {
        self.folder.set_exec(folder, &*self.on_disk(folder, name)?, key, exec)
    }

    fn copy_attributes(&self, from: (&F::Dir, &Name), to: (&F::Dir, &Name)) -> Result<(), FolderError> {
        let (one, other) = (self.on_disk(from.0, from.1)?, self.on_disk(to.0, to.1)?);
        self.folder.copy_attributes((from.0, &one), (to.0, &other))
    }

    fn make_private(&self, folder: &F::Dir, name: &Name) -> Result<(), FolderError> {
        self.folder.make_private(folder, &*self.on_disk(folder, name)?)
    }

    fn sync_file(&self, folder: &F::Dir, name: &Name) -> Result<Key, FolderError> {
        self.folder.sync_file(folder, &*self.on_disk(folder, name)?)
    }

    fn sync_folder(&self, folder: &F::Dir) -> Result<(), FolderError> {
        self.folder.sync_folder(folder)
    }

    fn sync_all(&self) -> Result<(), FolderError> {
        self.folder.sync_all()
    }

    fn refusals(&self) -> u64 {
        self.folder.refusals()
    }

    fn now(&self) -> Result<Timestamp, FolderError> {
        self.folder.now()
    }
}
