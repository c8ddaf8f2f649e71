//! Folders as git keeps them: reading a whole tree into a list, and writing the folders that changed.
//!
//! Trees are read as the bytes they are, never through an index or a checkout, and every name is checked: what could
//! lead elsewhere refuses the whole tree, what no workspace can hold is listed as unfit.

use std::collections::HashSet;

use instep_core::path::{Name, PathError, escape};
use instep_core::remote::{Draft, Drafted, Listed, ListedKind, ObjectId, RemoteError};
use instep_core::tree::LeafKind;

use super::failure;
use super::objects::{Kind, Objects, Oid, missing};
use super::pack::Pack;
use super::shelf::Shelf;

/// The longest name that file systems hold.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// The longest target of a link that disks hold.
const TARGET_BYTES_MAX: u64 = 4095;
/// How deep folders may be nested.
pub(super) const DEPTH_MAX: usize = 256;
/// The largest single folder, and the most entries: a tree of few objects may name itself over and over.
const TREE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const ENTRIES_MAX: usize = 2_000_000;

/// The part of a mode that tells what it is.
const TYPE_MASK: u32 = 0o170000;
const FILE: u32 = 0o100644;
const FOLDER: u32 = 0o040000;
const LINK: u32 = 0o120000;
const SUBMODULE: u32 = 0o160000;

/// One entry of one folder, as it stands there.
struct Raw<'a> {
    mode: u32,
    name: &'a [u8],
    oid: Oid,
}

/// A folder still to be read.
struct Folder {
    oid: Oid,
    index: Option<u32>,
    depth: usize,
}

/// Lists all below a tree, parents before children. What the shelf does not hold is read from our repository.
pub(super) fn list(
    objects: &mut Objects<'_>,
    shelf: &mut Shelf,
    root: Oid,
) -> Result<Vec<Listed>, RemoteError> {
    let mut entries = Vec::new();
    let mut level = vec![Folder { oid: root, index: None, depth: 1 }];
    while !level.is_empty() {
        let absent: Vec<Oid> =
            level.iter().map(|folder| folder.oid).filter(|oid| !shelf.has(*oid, Kind::Tree)).collect();
        bring(objects, shelf, absent)?;
        let mut below = Vec::new();
        for folder in &level {
            let body = shelf.get(folder.oid, Kind::Tree).ok_or_else(|| missing(folder.oid))?;
            below.extend(take_folder(body, folder, &mut entries)?);
        }
        level = below;
    }
    check_links(objects, shelf, &mut entries)?;
    Ok(entries)
}

/// Brings folders to the shelf.
fn bring(objects: &mut Objects<'_>, shelf: &mut Shelf, mut wanted: Vec<Oid>) -> Result<(), RemoteError> {
    wanted.sort_unstable();
    wanted.dedup();
    objects.walk(wanted.clone(), |objects, header, at| {
        let Some(header) = header else { return Err(missing(wanted[at])) };
        if header.kind != Kind::Tree {
            return Err(failure::corrupt("E-GIT-TREE", "The remote holds a folder that is none."));
        }
        shelf.put(wanted[at], Kind::Tree, &objects.body(header, TREE_BYTES_MAX)?);
        Ok(Vec::new())
    })
}

/// Marks the links as unfit whose targets no disk can hold. They are few and short, so that they are just read.
fn check_links(
    objects: &mut Objects<'_>,
    shelf: &mut Shelf,
    entries: &mut [Listed],
) -> Result<(), RemoteError> {
    let is_link = |entry: &Listed| matches!(entry.kind, ListedKind::Leaf { kind: LeafKind::Link, .. });
    let mut unread = Vec::new();
    for (at, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| is_link(entry)) {
        let oid = Oid::of(&entry.object)?;
        match shelf.get(oid, Kind::Blob).map(why_unfit) {
            Some(why) => judge_link(entry, oid, why),
            None => unread.push((at, oid)),
        }
    }
    let oids = unread.iter().map(|(_, oid)| *oid).collect();
    objects.walk(oids, |objects, header, asked| {
        // What is missing, or no content, is told when it is wanted.
        let Some(header) = header else { return Ok(Vec::new()) };
        let (at, oid) = unread[asked];
        let why = if header.kind != Kind::Blob || header.size > TARGET_BYTES_MAX {
            objects.skip(header.size)?;
            let long = format!("its target is {} bytes long, disks allow {TARGET_BYTES_MAX}", header.size);
            (header.kind == Kind::Blob).then_some(long)
        } else {
            let target = objects.body(header, TARGET_BYTES_MAX)?;
            shelf.put(oid, Kind::Blob, &target);
            why_unfit(&target)
        };
        judge_link(&mut entries[at], oid, why);
        Ok(Vec::new())
    })
}

/// Why no disk can hold a link to this target, if so.
fn why_unfit(target: &[u8]) -> Option<String> {
    match target {
        [] => Some("its target is empty".to_owned()),
        target if target.contains(&0) => Some("its target holds a zero byte".to_owned()),
        _ => None,
    }
}

fn judge_link(entry: &mut Listed, oid: Oid, why: Option<String>) {
    if let Some(why) = why {
        entry.kind = ListedKind::Unfit { code: "E-LINK-TARGET", why };
        entry.object = with_mode(oid, LINK);
    }
}

/// Adds one folder's entries; answers the folders among them.
fn take_folder(body: &[u8], folder: &Folder, entries: &mut Vec<Listed>) -> Result<Vec<Folder>, RemoteError> {
    let (parent, depth) = (folder.index, folder.depth);
    let mut folders = Vec::new();
    let mut seen: HashSet<&[u8]> = HashSet::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (raw, after) = split_entry(rest).ok_or_else(|| {
            failure::corrupt("E-GIT-TREE", "The remote holds a folder that git can't read.")
        })?;
        rest = after;
        let name = Name::new(raw.name).map_err(|error| bad_name(raw.name, &error))?;
        if !seen.insert(raw.name) {
            return Err(failure::corrupt(
                "E-TREE-PREFIX",
                format!("The remote holds two entries named {name} in one folder."),
            ));
        }
        let kind = kind_of(&raw, &name, depth);
        let object = match kind {
            ListedKind::Unfit { .. } => with_mode(raw.oid, raw.mode),
            _ => raw.oid.into(),
        };
        if kind == ListedKind::Folder {
            folders.push(Folder { oid: raw.oid, index: Some(entries.len() as u32), depth: depth + 1 });
        }
        entries.push(Listed { parent, name, kind, object });
        if entries.len() > ENTRIES_MAX {
            return Err(failure::corrupt(
                "E-LIMIT-TREE",
                format!("The remote holds more than {ENTRIES_MAX} entries."),
            ));
        }
    }
    Ok(folders)
}

/// `MODE NAME`, a zero byte, twenty bytes.
fn split_entry(bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let space = bytes.iter().take(8).position(|&b| b == b' ')?;
    let mode = u32::from_str_radix(std::str::from_utf8(&bytes[..space]).ok()?, 8).ok()?;
    let rest = &bytes[space + 1..];
    let zero = rest.iter().position(|&b| b == 0)?;
    let oid = rest.get(zero + 1..zero + 21)?.try_into().ok()?;
    Some((Raw { mode, name: &rest[..zero], oid: Oid(oid) }, &rest[zero + 21..]))
}

fn bad_name(name: &[u8], error: &PathError) -> RemoteError {
    let name = escape(&name[..name.len().min(200)]);
    failure::corrupt(error.code(), format!("The remote holds a name that must not be, \"{name}\": {error}."))
}

fn kind_of(raw: &Raw<'_>, name: &Name, depth: usize) -> ListedKind {
    let unfit = |code, why: String| ListedKind::Unfit { code, why };
    if name.is_reserved() {
        return unfit("E-PATH-RESERVED", format!("{name} is never synced"));
    }
    if raw.name.len() > NAME_BYTES_MAX {
        return unfit("E-PATH-LONG", format!("the name is {} bytes long, disks allow 255", raw.name.len()));
    }
    if depth > DEPTH_MAX {
        return unfit("E-PATH-DEEP", format!("it lies more than {DEPTH_MAX} folders deep"));
    }
    match raw.mode {
        FOLDER => ListedKind::Folder,
        // Git itself takes the group's bit of old histories for nothing.
        0o100644 | 0o100664 => ListedKind::Leaf { kind: LeafKind::File, exec: false },
        0o100755 => ListedKind::Leaf { kind: LeafKind::File, exec: true },
        LINK => ListedKind::Leaf { kind: LeafKind::Link, exec: false },
        SUBMODULE => unfit("E-GIT-SUBMODULE", "submodules are not supported here".to_owned()),
        mode => unfit("E-GIT-MODE", format!("its mode {mode:o} is none that git writes")),
    }
}

/// An unfit entry's name carries its mode, so that it can be put back as it was.
fn with_mode(oid: Oid, mode: u32) -> ObjectId {
    let mut bytes = oid.0.to_vec();
    bytes.extend_from_slice(&mode.to_be_bytes());
    ObjectId::new(&bytes).expect("because 24 bytes fit")
}

fn mode_of(drafted: &Drafted) -> Result<u32, RemoteError> {
    Ok(match &drafted.kind {
        ListedKind::Folder => FOLDER,
        ListedKind::Leaf { kind: LeafKind::Link, .. } => LINK,
        ListedKind::Leaf { exec: true, .. } => 0o100755,
        ListedKind::Leaf { exec: false, .. } => 0o100644,
        ListedKind::Unfit { .. } => {
            let mode = drafted.object.and_then(|object| object.as_bytes().get(20..24)?.try_into().ok());
            u32::from_be_bytes(mode.ok_or_else(|| unnamed(drafted))?)
        }
    })
}

/// Adds the folders of a draft that have no name yet, innermost first; answers the whole tree's name.
pub(super) fn write(pack: &mut Pack, draft: &Draft) -> Result<Oid, RemoteError> {
    let mut folders: Vec<Vec<u32>> = vec![Vec::new(); draft.entries.len()];
    let mut root = Vec::new();
    let mut covered = vec![false; draft.entries.len()];
    for (at, entry) in draft.entries.iter().enumerate() {
        let above = entry.parent.map(|parent| parent as usize);
        if above.is_some_and(|parent| parent >= at || draft.entries[parent].kind != ListedKind::Folder) {
            return Err(failure::protocol("A draft's parents stand after their children", &[]));
        }
        covered[at] = above.is_some_and(|parent| covered[parent] || draft.entries[parent].object.is_some());
        match above {
            Some(parent) => folders[parent].push(at as u32),
            None => root.push(at as u32),
        }
    }
    let mut named: Vec<Option<ObjectId>> = draft.entries.iter().map(|entry| entry.object).collect();
    for at in (0..draft.entries.len()).rev() {
        if draft.entries[at].kind == ListedKind::Folder && named[at].is_none() && !covered[at] {
            named[at] = Some(add_folder(pack, draft, &folders[at], &named)?.into());
        }
    }
    add_folder(pack, draft, &root, &named)
}

fn add_folder(
    pack: &mut Pack,
    draft: &Draft,
    children: &[u32],
    named: &[Option<ObjectId>],
) -> Result<Oid, RemoteError> {
    let mut rows = Vec::with_capacity(children.len());
    let mut seen = HashSet::new();
    for &child in children {
        let entry = &draft.entries[child as usize];
        let object = named[child as usize].ok_or_else(|| unnamed(entry))?;
        let twice = !seen.insert(entry.name.as_bytes());
        let reserved = entry.name.is_reserved() && !matches!(entry.kind, ListedKind::Unfit { .. });
        if twice || reserved {
            return Err(failure::protocol("A draft holds a name that must not be", entry.name.as_bytes()));
        }
        rows.push(Raw { mode: mode_of(entry)?, name: entry.name.as_bytes(), oid: Oid::of(&object)? });
    }
    pack.add(Kind::Tree, &body_of(rows))
}

/// A folder of files, and of one folder more.
pub(super) fn body_of_files<'a>(
    files: impl Iterator<Item = (&'a str, Oid)>,
    folder: Option<(&'a str, Oid)>,
) -> Vec<u8> {
    let row = |mode, (name, oid): (&'a str, Oid)| Raw { mode, name: name.as_bytes(), oid };
    body_of(files.map(|file| row(FILE, file)).chain(folder.map(|folder| row(FOLDER, folder))).collect())
}

/// The bytes of a folder. An unfit entry is carried over as it is, even if git's own commands would not write it, such as
/// a mode that means nothing or a submodule that names a file.
fn body_of(mut rows: Vec<Raw<'_>>) -> Vec<u8> {
    // A folder is sorted as if its name ended in a slash.
    let end = |row: &Raw<'_>| (row.mode & TYPE_MASK == FOLDER).then_some(b'/');
    rows.sort_by(|a, b| {
        let (ends, names) = ((end(a), end(b)), (a.name.iter(), b.name.iter()));
        names.0.copied().chain(ends.0).cmp(names.1.copied().chain(ends.1))
    });
    let mut body = Vec::with_capacity(rows.iter().map(|row| row.name.len() + 28).sum());
    for row in &rows {
        body.extend_from_slice(format!("{:o} ", row.mode).as_bytes());
        body.extend_from_slice(row.name);
        body.push(0);
        body.extend_from_slice(&row.oid.0);
    }
    body
}

fn unnamed(entry: &Drafted) -> RemoteError {
    failure::protocol("A draft holds an entry without content", entry.name.as_bytes())
}
