//! The system calls behind the door (Linux): one component at a time, relative to an open folder, tried again when the
//! system was only interrupted. What they mean is decided in [`disk`](super::disk).

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use instep_core::clock::Timestamp;
use instep_core::mutant;
use instep_core::path::Name;
use instep_core::tree::Key;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Statx, StatxAttributes, StatxFlags,
    StatxTimestamp, Timespec, Timestamps,
};
use rustix::io::{Errno, Result};

use super::{DiskKind, Listing, Metadata};

/// For folders: nothing else, and no link.
pub const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

/// For files: no link, and a pipe that nobody writes to does not hold us up.
pub const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// How often a call is repeated that was interrupted, or that met a rename on its way.
const TRIES: usize = 8;

/// Calls until the answer is final.
pub fn retried<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 1..TRIES {
        match call() {
            Err(Errno::INTR | Errno::AGAIN) => {}
            answer => return answer,
        }
    }
    call()
}

/// Where an open folder stands, to tell people; `folder` if the system does not say.
pub fn place_of(folder: impl AsFd) -> Vec<u8> {
    let link = format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd());
    rustix::fs::readlink(link, Vec::new()).map_or_else(|_| b"folder".to_vec(), CString::into_bytes)
}

/// How names are opened: see [`Opener::probe`].
#[derive(Debug, Clone, Copy)]
pub struct Opener {
    /// The system can be told to stay beneath the folder and on its file system.
    beneath: bool,
}

impl Opener {
    /// Asks the system whether it can stay beneath a folder. Where it can't (Linux before 5.6, some containers), one
    /// component without following a link is still safe.
    pub fn probe(folder: impl AsFd) -> Self {
        let opener = Opener { beneath: true };
        Opener { beneath: opener.open(folder, b".", FOLDER, Mode::empty()).is_ok() }
    }

    /// Does without.
    #[cfg(test)]
    pub fn plain() -> Self {
        Opener { beneath: false }
    }

    /// Opens one component of a folder.
    pub fn open(self, folder: impl AsFd, name: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let stay = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let (flags, stay) = match mutant::is_on("links-are-followed") {
            true => (flags.difference(OFlags::NOFOLLOW), ResolveFlags::empty()),
            false => (flags, stay),
        };
        retried(|| {
            if self.beneath {
                rustix::fs::openat2(folder.as_fd(), name, flags, mode, stay)
            } else {
                rustix::fs::openat(folder.as_fd(), name, flags, mode)
            }
        })
    }
}

/// Opens the folder at a path that a person gave; the only place where links are followed.
pub fn open_path(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retried(|| rustix::fs::open(path, flags, Mode::empty()))
}

/// The number that stands for a file system in keys.
///
/// The device number that a mount happens to get may be another one after a restart, and every key with it. The file
/// system's own id does not change, where it has one.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    mounted: (u32, u32),
    number: u64,
    /// Whether a file has the same number as long as it is there.
    numbers_last: bool,
}

/// File systems that keep no numbers and make them up as files are looked at, by their magic numbers (linux/magic.h):
/// exFAT and FAT. They tell births, of which many are the same, as they count in steps of 10 ms or 2 s.
const NUMBERED_ANEW: [u64; 2] = [0x2011_BAB0, 0x4D44];

impl Device {
    /// The file system of an open folder.
    pub fn of(folder: impl AsFd) -> Result<Self> {
        let stat = stat_open(&folder)?;
        let mounted = (stat.stx_dev_major, stat.stx_dev_minor);
        let id = filesystem_id(&folder).unwrap_or(0);
        let number = if id != 0 { id } else { raw_number(mounted) };
        let kind = retried(|| rustix::fs::fstatfs(&folder))?.f_type as u64;
        Ok(Device { mounted, number, numbers_last: !NUMBERED_ANEW.contains(&kind) })
    }

    /// The stable number.
    pub fn number(self) -> u64 {
        self.number
    }

    fn number_of(self, stat: &Statx, by_name: bool) -> u64 {
        let mounted = (stat.stx_dev_major, stat.stx_dev_minor);
        if by_name && stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            // Something is mounted here, be it from the same disk: it is not ours to move or look into.
            !raw_number(mounted)
        } else if mounted == self.mounted {
            self.number
        } else {
            raw_number(mounted)
        }
    }
}

fn raw_number((major, minor): (u32, u32)) -> u64 {
    u64::from(major) << 32 | u64::from(minor)
}

/// The id that the file system gives itself.
fn filesystem_id(folder: impl AsFd) -> Option<u64> {
    let stat = retried(|| rustix::fs::fstatvfs(&folder)).ok()?;
    Some(stat.f_fsid)
}

fn stat_open(file: impl AsFd) -> Result<Statx> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    retried(|| rustix::fs::statx(file.as_fd(), c"", AtFlags::EMPTY_PATH, mask))
}

/// What the system says of an open file or folder.
pub fn metadata_open(file: impl AsFd, device: Device) -> Result<Metadata> {
    stat_open(file).map(|stat| metadata(&stat, device, false))
}

/// What the system says of a name; follows no link and mounts nothing.
pub fn metadata_at(folder: impl AsFd, name: &Name, device: Device) -> Result<Metadata> {
    let mask = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    retried(|| rustix::fs::statx(folder.as_fd(), name.as_bytes(), flags, mask))
        .map(|stat| metadata(&stat, device, true))
}

fn metadata(stat: &Statx, device: Device, by_name: bool) -> Metadata {
    // A birth proves whose number it is; where numbers don't last, it would prove too much.
    let born = stat.stx_mask & StatxFlags::BTIME.bits() != 0 && device.numbers_last;
    Metadata {
        kind: kind(FileType::from_raw_mode(stat.stx_mode.into())).unwrap_or(DiskKind::Special),
        key: Key {
            device: device.number_of(stat, by_name),
            inode: stat.stx_ino,
            birth_ns: if born { timestamp(&stat.stx_btime).ns() } else { 0 },
        },
        size: stat.stx_size,
        modified: timestamp(&stat.stx_mtime),
        changed: timestamp(&stat.stx_ctime),
        mode: u32::from(stat.stx_mode) & 0o7777,
        names: stat.stx_nlink.into(),
    }
}

fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp::from_ns(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.into()))
}

fn kind(file_type: FileType) -> Option<DiskKind> {
    match file_type {
        FileType::Directory => Some(DiskKind::Folder),
        FileType::RegularFile => Some(DiskKind::File),
        FileType::Symlink => Some(DiskKind::Link),
        FileType::Unknown => None,
        _ => Some(DiskKind::Special),
    }
}

/// Goes back to the start of a folder.
pub fn rewind(folder: impl AsFd) -> Result<()> {
    retried(|| rustix::fs::seek(&folder, SeekFrom::Start(0))).map(drop)
}

/// All names in a folder, from where its handle stands: at first at the start. The position is shared by all who hold
/// the handle, and it is the caller who sees to it that no two list at once.
pub fn list(folder: impl AsFd) -> Result<Listing> {
    let mut buffer = [const { MaybeUninit::uninit() }; 32 * 1024];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut listing = Listing::default();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Err(Errno::INTR) => continue,
            entry => entry?,
        };
        match entry.file_name().to_bytes() {
            b"." | b".." => {}
            bytes => match Name::new(bytes) {
                Ok(name) => {
                    listing.names.push(name);
                    listing.kinds.push(kind(entry.file_type()));
                }
                Err(_) => listing.skipped += 1,
            },
        }
    }
    Ok(listing)
}

/// Sets a file's times to the present moment of its file system.
pub fn touch(file: impl AsFd) -> Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    retried(|| rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now }))
}

/// The extended attributes of an open file that a replacement inherits. What vouches for one content (capabilities,
/// signatures) is not handed to another.
pub fn inherited_attributes(file: impl AsFd) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    const CONTENT_BOUND: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];
    let mut names = Vec::with_capacity(rustix::fs::flistxattr_query(&file)?);
    if names.capacity() > 0 {
        rustix::fs::flistxattr(&file, rustix::buffer::spare_capacity(&mut names))?;
    }
    let mut attributes = Vec::new();
    for name in names.split(|&byte| byte == 0) {
        if name.is_empty() || CONTENT_BOUND.contains(&name) {
            continue;
        }
        let mut value = Vec::with_capacity(rustix::fs::fgetxattr_query(&file, name)?);
        if value.capacity() > 0 {
            rustix::fs::fgetxattr(&file, name, rustix::buffer::spare_capacity(&mut value))?;
        }
        attributes.push((name.to_vec(), value));
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_numbers_anew_tells_no_births() {
        let home = tempfile::tempdir().unwrap();
        let folder = open_path(home.path()).unwrap();
        let device = Device::of(&folder).unwrap();
        assert!(device.numbers_last);
        let key = |device| metadata_open(&folder, device).unwrap().key;
        let (lasting, anew) = (key(device), key(Device { numbers_last: false, ..device }));
        assert_eq!((anew.inode, anew.birth_ns), (lasting.inode, 0));
    }
}
