//! Who a workspace is: an id of its own, and the file system's numbers of its folder and of our state in it.
//!
//! The numbers tell when the id has come to stand in another folder, so that a folder which is not the one that was
//! synced is never taken for one in which everything was deleted. A copy made below the file system, of a whole disk or
//! virtual machine, has the same numbers and can't be told from the original.

use std::fmt;

use instep_core::clock::{Clock, Timestamp};
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::tree::Key;
use serde::{Deserialize, Serialize};

use crate::failure::EngineError;
use crate::folder::whole::{read_whole, write_whole};
use crate::folder::{Folder, FolderError};

/// The file in our state folder.
const FILE: &[u8] = b"identity";

/// The random id of one workspace on one machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspaceId(u128);

impl WorkspaceId {
    /// Draws a new one.
    pub fn random(clock: &dyn Clock) -> Self {
        WorkspaceId(u128::from(clock.random()) << 64 | u128::from(clock.random()))
    }

    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_id).map(WorkspaceId)
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for WorkspaceId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        WorkspaceId::parse(&text).ok_or("not a workspace id")
    }
}

impl From<WorkspaceId> for String {
    fn from(id: WorkspaceId) -> Self {
        id.to_string()
    }
}

/// What a folder was when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The file system.
    pub device: u64,
    /// The number in it.
    pub inode: u64,
    /// When it was born; 0 where that is not known.
    pub birth_ns: i64,
}

impl From<Key> for Mark {
    fn from(key: Key) -> Self {
        Mark { device: key.device, inode: key.inode, birth_ns: key.birth_ns }
    }
}

impl Mark {
    /// Answers whether both are of one folder. Where births are known, number and birth decide: the id of a file system
    /// is not the same after each restart everywhere.
    pub fn is_same(&self, other: &Mark) -> bool {
        let births_known = self.birth_ns != 0 && other.birth_ns != 0;
        self.inode == other.inode
            && if births_known { self.birth_ns == other.birth_ns } else { self.device == other.device }
    }
}

/// A workspace's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The workspace itself.
    pub root: Mark,
    /// Our state folder in it.
    pub state: Mark,
}

impl Marks {
    /// Answers whether both can be of the same folders on a disk that numbers everything anew when it is mounted, as those
    /// behind FUSE do: their births are the same, or not known.
    pub fn may_be_same(&self, other: &Marks) -> bool {
        let births = |marks: &Marks| [marks.root.birth_ns, marks.state.birth_ns];
        births(self) == births(other)
    }
}

/// Who a workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: WorkspaceId,
    /// When it got it.
    pub created: Timestamp,
    /// What its folders were then.
    #[serde(flatten)]
    pub marks: Marks,
}

/// How what is written of a workspace compares to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the workspace that was known.
    Same(Identity),
    /// Our state is the one that was known, in another folder: somebody put a new folder in the place of the old one.
    Replaced(Identity),
    /// Our state itself is a copy: of the workspace here, from a backup or from elsewhere. It must take a new id, and
    /// start as on first contact.
    Copied(Identity),
    /// It never got an id.
    Missing,
}

/// Compares what is written with what is there.
pub fn compare(written: Option<Identity>, seen: &Marks) -> Standing {
    match written {
        None => Standing::Missing,
        Some(identity) if mutant::is_on("another-folder-is-the-same") => Standing::Same(identity),
        Some(identity) if !identity.marks.state.is_same(&seen.state) => Standing::Copied(identity),
        Some(identity) if !identity.marks.root.is_same(&seen.root) => Standing::Replaced(identity),
        Some(identity) => Standing::Same(identity),
    }
}

/// Looks at a workspace's folders.
pub fn observe<F: Folder>(folder: &F) -> Result<Marks, FolderError> {
    let mark = |dir| folder.folder_metadata(&dir).map(|metadata| Mark::from(metadata.key));
    Ok(Marks { root: mark(folder.root())?, state: mark(folder.state())? })
}

/// Reads who a workspace is and compares it with what is there.
pub fn check<F: Folder>(folder: &F) -> Result<Standing, EngineError> {
    let written = match read_whole(folder, &folder.state(), &file())? {
        None => None,
        Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| {
            EngineError::StateCorrupt(format!("the identity of the workspace can't be read ({error})"))
        })?),
    };
    Ok(compare(written, &observe(folder)?))
}

/// Gives a workspace a new id.
pub fn establish<F: Folder>(folder: &F, clock: &dyn Clock) -> Result<Identity, EngineError> {
    let marks = observe(folder)?;
    write(folder, Identity { id: WorkspaceId::random(clock), created: clock.now(), marks })
}

/// Keeps the id for the folders that are there now: a person said that they are the right ones.
pub fn adopt<F: Folder>(folder: &F, identity: &Identity) -> Result<Identity, EngineError> {
    let marks = observe(folder)?;
    write(folder, Identity { marks, ..*identity })
}

fn write<F: Folder>(folder: &F, identity: Identity) -> Result<Identity, EngineError> {
    let mut text = serde_json::to_vec_pretty(&identity).expect("because plain fields always become JSON");
    text.push(b'\n');
    write_whole(folder, &folder.state(), &file(), &text)?;
    Ok(identity)
}

fn file() -> Name {
    Name::new(FILE).expect("because it is a name")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::folder::disk::DiskFolder;

    struct Counting(std::sync::atomic::AtomicU64);

    impl Clock for Counting {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(1)
        }

        fn random(&self) -> u64 {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        }
    }

    fn standing(path: &Path) -> Standing {
        check(&DiskFolder::open(path).unwrap()).unwrap()
    }

    #[test]
    fn a_workspace_is_the_same_until_its_folder_or_state_is_another() {
        let home = tempfile::tempdir().unwrap();
        let (at, moved, copy) = (home.path().join("w"), home.path().join("m"), home.path().join("c"));
        let folder = DiskFolder::create(&at).unwrap();
        let clock = Counting(7.into());
        assert_eq!(check(&folder).unwrap(), Standing::Missing);
        let identity = establish(&folder, &clock).unwrap();
        assert_eq!(identity.id.to_string(), "00000000000000070000000000000008");
        assert_eq!(standing(&at), Standing::Same(identity));

        fs::rename(&at, &moved).unwrap();
        assert_eq!(standing(&moved), Standing::Same(identity));

        let copied = Command::new("cp").args(["-a", "--"]).args([&moved, &copy]).status().unwrap();
        assert!(copied.success());
        assert_eq!(standing(&copy), Standing::Copied(identity));
        let other = establish(&DiskFolder::open(&copy).unwrap(), &clock).unwrap();
        assert_ne!(other.id, identity.id);
        assert_eq!(standing(&copy), Standing::Same(other));

        fs::create_dir(&at).unwrap();
        fs::rename(moved.join(".instep"), at.join(".instep")).unwrap();
        assert_eq!(standing(&at), Standing::Replaced(identity));
        let adopted = adopt(&DiskFolder::open(&at).unwrap(), &identity).unwrap();
        assert_eq!((standing(&at), adopted.id), (Standing::Same(adopted), identity.id));
    }

    #[test]
    fn a_reused_number_is_told_by_the_birth_and_a_remount_by_it_too() {
        let mark = Mark { device: 1, inode: 2, birth_ns: 3 };
        assert!(mark.is_same(&Mark { device: 9, ..mark }));
        assert!(!mark.is_same(&Mark { birth_ns: 4, ..mark }));
        assert!(!mark.is_same(&Mark { inode: 4, ..mark }));
        let unknown = Mark { birth_ns: 0, ..mark };
        assert!(unknown.is_same(&mark));
        assert!(!unknown.is_same(&Mark { device: 9, ..mark }));
    }

    #[test]
    fn a_damaged_identity_is_an_error_and_not_a_new_workspace() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        fs::write(home.path().join(".instep/identity"), "{\"id\":").unwrap();
        assert!(matches!(check(&folder), Err(EngineError::StateCorrupt(_))));
    }
}
