//! The workspaces that this machine knows, by path: in the machine's own folder, outside of all of them.
//!
//! It is there for the one question that a workspace can't answer itself: is there none here, or is it gone, because
//! its disk is not mounted or its folder was removed? It decides nothing about data, and is made anew as workspaces are
//! used.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folder::FolderError;
use crate::folder::whole::{open_own, read_own, write_own};
use crate::identity::{Mark, WorkspaceId};

/// A workspace that was used on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownWorkspace {
    /// Where it stood, from the root of the file system.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// Its id.
    pub id: WorkspaceId,
    /// What its folder was when it was last used.
    pub root: Mark,
}

/// The known workspaces, as the file held them when it was read.
#[derive(Debug)]
pub struct Registry {
    home: PathBuf,
    workspaces: Vec<KnownWorkspace>,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    schema: u32,
    workspaces: Vec<KnownWorkspace>,
}

/// Why the registry can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The disk failed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The file makes no sense. It is safe to delete: it is made anew as workspaces are used.
    #[error("{0} can't be read")]
    Damaged(PathBuf, #[source] serde_json::Error),
}

impl Registry {
    /// Reads the registry in the machine's own folder; none is an empty one.
    pub fn load(home: &Path) -> Result<Self, RegistryError> {
        Ok(Registry { home: home.to_owned(), workspaces: read(home)? })
    }

    /// All workspaces, in order of path.
    pub fn workspaces(&self) -> &[KnownWorkspace] {
        &self.workspaces
    }

    /// The known workspace that a path is in, or would be if it were there: the innermost one.
    pub fn lookup(&self, path: &Path) -> Option<&KnownWorkspace> {
        let holding = self.workspaces.iter().filter(|known| path.starts_with(&known.path));
        holding.max_by_key(|known| known.path.components().count())
    }

    /// Notes where a workspace stands. Another one that stood there is forgotten; the same one elsewhere is too, if it
    /// was the same folder, which then was moved.
    pub fn remember(&mut self, workspace: KnownWorkspace) -> Result<(), RegistryError> {
        if self.workspaces.contains(&workspace) {
            return Ok(());
        }
        self.change(|workspaces| {
            let moved =
                |known: &KnownWorkspace| known.id == workspace.id && known.root.is_same(&workspace.root);
            workspaces.retain(|known| known.path != workspace.path && !moved(known));
            workspaces.push(workspace);
        })
    }

    /// Forgets a path: a person said that the workspace there is given up.
    pub fn forget(&mut self, path: &Path) -> Result<(), RegistryError> {
        self.change(|workspaces| workspaces.retain(|known| known.path != path))
    }

    /// Reads anew, changes and writes, while no other process does.
    fn change(&mut self, change: impl FnOnce(&mut Vec<KnownWorkspace>)) -> Result<(), RegistryError> {
        let path = self.home.join("workspaces.lock");
        let lock = open_own(&path)?;
        lock.lock().map_err(|error| FolderError::new("lock", path.as_os_str().as_bytes(), error))?;
        let mut workspaces = read(&self.home)?;
        change(&mut workspaces);
        workspaces.sort_by(|a, b| a.path.cmp(&b.path));
        let contents = Contents { schema: 1, workspaces };
        let mut text = serde_json::to_vec_pretty(&contents).expect("because plain fields always become JSON");
        text.push(b'\n');
        write_own(&file(&self.home), &text)?;
        self.workspaces = contents.workspaces;
        Ok(())
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("workspaces.json")
}

fn read(home: &Path) -> Result<Vec<KnownWorkspace>, RegistryError> {
    let path = file(home);
    let Some(bytes) = read_own(&path)? else { return Ok(Vec::new()) };
    let contents: Contents =
        serde_json::from_slice(&bytes).map_err(|error| RegistryError::Damaged(path, error))?;
    Ok(contents.workspaces)
}

/// A path in JSON: text, or its bytes where it is none.
mod path_text {
    use serde::{Deserializer, Serializer};

    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Text(String),
        Bytes { bytes: Vec<u8> },
    }

    pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        let stored = match path.to_str() {
            Some(text) => Stored::Text(text.to_owned()),
            None => Stored::Bytes { bytes: path.as_os_str().as_bytes().to_vec() },
        };
        stored.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(match Stored::deserialize(from)? {
            Stored::Text(text) => text.into(),
            Stored::Bytes { bytes } => OsString::from_vec(bytes).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use super::*;

    fn known(path: impl Into<PathBuf>, id: char, inode: u64) -> KnownWorkspace {
        let id = WorkspaceId::parse(&id.to_string().repeat(32)).unwrap();
        KnownWorkspace { path: path.into(), id, root: Mark { device: 1, inode, birth_ns: 5 } }
    }

    #[test]
    fn what_is_remembered_is_found_by_any_path_inside() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().join("made/on/the/way");
        let mut registry = Registry::load(&home).unwrap();
        assert!(registry.workspaces().is_empty());
        let odd = Path::new("/mnt").join(OsStr::from_bytes(b"\xff\xfe"));
        registry.remember(known("/mnt/disk", 'a', 1)).unwrap();
        registry.remember(known("/mnt/disk/inner", 'b', 2)).unwrap();
        registry.remember(known(&odd, 'c', 3)).unwrap();

        let registry = Registry::load(&home).unwrap();
        let found = |path: &Path| registry.lookup(path).map(|known| known.path.clone());
        assert_eq!(found(Path::new("/mnt/disk")), Some("/mnt/disk".into()));
        assert_eq!(found(Path::new("/mnt/disk/a/b")), Some("/mnt/disk".into()));
        assert_eq!(found(Path::new("/mnt/disk/inner/x")), Some("/mnt/disk/inner".into()));
        assert_eq!(found(&odd.join("x")), Some(odd.clone()));
        assert_eq!(found(Path::new("/mnt/disk2")), None);
        assert_eq!(found(Path::new("/mnt")), None);
    }

    #[test]
    fn a_moved_workspace_is_known_in_one_place_and_a_copy_in_two() {
        let home = tempfile::tempdir().unwrap();
        let mut registry = Registry::load(home.path()).unwrap();
        registry.remember(known("/a", 'a', 1)).unwrap();
        registry.remember(known("/b", 'a', 1)).unwrap();
        assert_eq!(registry.workspaces(), [known("/b", 'a', 1)]);
        registry.remember(known("/c", 'a', 2)).unwrap();
        assert_eq!(registry.workspaces().len(), 2);
        registry.remember(known("/b", 'd', 7)).unwrap();
        assert_eq!(registry.workspaces(), [known("/b", 'd', 7), known("/c", 'a', 2)]);
        registry.forget(Path::new("/c")).unwrap();
        assert_eq!(Registry::load(home.path()).unwrap().workspaces(), [known("/b", 'd', 7)]);
    }

    #[test]
    fn two_that_write_at_once_keep_what_the_other_wrote() {
        let home = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let home = home.path();
                scope.spawn(move || {
                    for n in 0..10 {
                        let mut registry = Registry::load(home).unwrap();
                        let inode = thread * 100 + n;
                        registry.remember(known(format!("/w{inode}"), 'a', inode)).unwrap();
                    }
                });
            }
        });
        assert_eq!(Registry::load(home.path()).unwrap().workspaces().len(), 40);
    }

    #[test]
    fn a_damaged_registry_says_so_and_is_not_overwritten() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("workspaces.json"), "[").unwrap();
        assert!(matches!(Registry::load(home.path()), Err(RegistryError::Damaged(..))));
    }
}
