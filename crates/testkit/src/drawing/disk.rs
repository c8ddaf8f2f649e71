//! Drawings on a disk: built, changed as a person would change them, and read back.
//!
//! A change from one drawing to another renames what only moved, so that it keeps its inode; it writes edited files in
//! place. Times are given, never taken from the clock of the moment: [`Times`].

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use super::{Body, Drawing, Drawn, Mark, is_within};

/// Names at the top of a workspace that are no part of a tree.
const OURS: [&[u8]; 4] = [b".instep", b".instepignore", b"instep.local.yaml", b"instep.yaml"];

/// How long ago the files of a change were modified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Times(pub Duration);

impl Times {
    /// For what both sides begin with.
    pub const BASE: Times = Times(Duration::from_secs(4000));
    /// For an edit that is drawn as older than the other.
    pub const EARLIER: Times = Times(Duration::from_secs(3000));
    /// For any edit.
    pub const USUAL: Times = Times(Duration::from_secs(2000));
    /// For an edit that is drawn as newer than the other.
    pub const LATER: Times = Times(Duration::from_secs(1000));

    fn moment(self) -> SystemTime {
        // One "now" for the whole process, so that times of one kind are equal.
        static NOW: OnceLock<SystemTime> = OnceLock::new();
        *NOW.get_or_init(SystemTime::now) - self.0
    }
}

/// What tells whether an entry was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// The inode.
    pub inode: u64,
    /// When it was modified, in nanoseconds since 1970; 0 for a folder.
    pub modified_ns: i128,
    /// Its length in bytes; 0 for a folder.
    pub length: u64,
    /// Its kind and permissions.
    pub mode: u32,
}

/// The prints of all that a folder holds, by path.
pub type Footprint = BTreeMap<Vec<u8>, Print>;

/// Reads what a folder holds; a file that can't be read counts as empty.
pub fn read(folder: &Path) -> io::Result<Drawing> {
    let mut drawing = Drawing::default();
    walk(folder, &mut |path, at, metadata| {
        let kind = metadata.file_type();
        let body = if kind.is_dir() {
            Body::Folder
        } else if kind.is_symlink() {
            Body::Link(fs::read_link(at)?.into_os_string().into_vec())
        } else if kind.is_file() {
            Body::File { content: fs::read(at).unwrap_or_default(), exec: metadata.mode() & 0o100 != 0 }
        } else {
            Body::Socket
        };
        drawing.0.insert(path.to_vec(), Drawn { body, mark: Mark::Plain });
        Ok(())
    })?;
    Ok(drawing)
}

/// Looks at inodes, times, lengths and modes of all that a folder holds.
pub fn footprint(folder: &Path) -> io::Result<Footprint> {
    let mut prints = Footprint::new();
    walk(folder, &mut |path, _, metadata| {
        let time = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        let (modified_ns, length) = if metadata.is_dir() { (0, 0) } else { (time, metadata.len()) };
        let print = Print { inode: metadata.ino(), modified_ns, length, mode: metadata.mode() };
        prints.insert(path.to_vec(), print);
        Ok(())
    })?;
    Ok(prints)
}

type Seen<'a> = dyn FnMut(&[u8], &Path, &fs::Metadata) -> io::Result<()> + 'a;

fn walk(folder: &Path, seen: &mut Seen<'_>) -> io::Result<()> {
    let mut folders = vec![Vec::new()];
    while let Some(parent) = folders.pop() {
        for entry in fs::read_dir(on_disk(folder, &parent))? {
            let name = entry?.file_name().into_vec();
            if parent.is_empty() && OURS.contains(&&name[..]) {
                continue;
            }
            let path = if parent.is_empty() { name } else { [&parent[..], b"/", &name[..]].concat() };
            let at = on_disk(folder, &path);
            let metadata = fs::symlink_metadata(&at)?;
            seen(&path, &at, &metadata)?;
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

/// Where a drawn path lies.
pub fn on_disk(folder: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { folder.to_owned() } else { folder.join(OsStr::from_bytes(path)) }
}

/// Builds a drawing in an empty folder.
pub fn build(drawing: &Drawing, folder: &Path, times: Times) -> io::Result<()> {
    change(&Drawing::default(), drawing, folder, times)
}

/// Changes a folder that holds `from` so that it holds `to`.
pub fn change(from: &Drawing, to: &Drawing, folder: &Path, times: Times) -> io::Result<()> {
    let moves = moves(from, to);
    let parked = folder.with_extension("parked");
    // What a change that was cut off had on its way is gone, as if somebody had moved it elsewhere.
    if parked.is_dir() {
        fs::remove_dir_all(&parked)?;
    }
    fs::create_dir(&parked)?;
    let mut now = from.clone();
    for (number, one) in moves.iter().enumerate() {
        fs::rename(on_disk(folder, &one.from), parked.join(number.to_string()))?;
        now.remove(&one.from);
    }
    clear(&mut now, to, folder)?;
    for (number, one) in moves.iter().enumerate() {
        let place = on_disk(folder, &one.to);
        fs::create_dir_all(place.parent().expect("because it lies in the folder"))?;
        fs::rename(parked.join(number.to_string()), place)?;
        now.0.extend(moved(from, one));
    }
    fs::remove_dir(parked)?;
    for (path, drawn) in &to.0 {
        if now.0.get(path) != Some(drawn) {
            write(&on_disk(folder, path), drawn, times)?;
        }
    }
    Ok(())
}

/// Takes away what is not to stay, leaves first.
fn clear(now: &mut Drawing, to: &Drawing, folder: &Path) -> io::Result<()> {
    let stays = |path: &Vec<u8>, body: &Body| to.body(path).is_some_and(|other| can_become(body, other));
    for (path, drawn) in now.0.iter().rev().filter(|(path, drawn)| !stays(path, &drawn.body)) {
        match drawn.body {
            Body::Folder => fs::remove_dir(on_disk(folder, path))?,
            _ => fs::remove_file(on_disk(folder, path))?,
        }
    }
    now.0.retain(|path, drawn| stays(path, &drawn.body));
    Ok(())
}

/// Answers whether one thing becomes the other without going first: a file is written in place.
fn can_become(body: &Body, other: &Body) -> bool {
    body == other || matches!((body, other), (Body::File { .. }, Body::File { .. }))
}

/// One thing that a person would have renamed.
struct Move {
    from: Vec<u8>,
    to: Vec<u8>,
}

fn moved<'a>(from: &'a Drawing, one: &'a Move) -> impl Iterator<Item = (Vec<u8>, Drawn)> + 'a {
    let inside = from.0.iter().filter(|(path, _)| is_within(path, &one.from));
    inside.map(|(path, drawn)| ([&one.to[..], &path[one.from.len()..]].concat(), drawn.clone()))
}

/// Whole folders that stand elsewhere as they were, then files; only what is unique on both sides.
fn moves(from: &Drawing, to: &Drawing) -> Vec<Move> {
    let (before, after) = (shapes(from), shapes(to));
    let new = places(&after, &before);
    let gone = places(&before, &after);
    let mut moves: Vec<Move> = Vec::new();
    for (shape, sources) in &gone {
        let twins = before.values().filter(|other| other == shape).count();
        let targets = new.get(shape).map_or(&[][..], |targets| &targets[..]);
        let ([source], [target], 1) = (&sources[..], targets, twins) else { continue };
        if shape.is_empty() {
            continue;
        }
        moves.push(Move { from: source.to_vec(), to: target.to_vec() });
    }
    moves.sort_by(|a, b| a.from.cmp(&b.from));
    // What lies in something that moves goes with it; and nothing moves into what moves.
    let all: Vec<_> = moves.iter().map(|one| (one.from.clone(), one.to.clone())).collect();
    let inside = |path: &[u8], folder: &[u8]| path != folder && is_within(path, folder);
    moves.retain(|one| !all.iter().any(|(from, to)| inside(&one.from, from) || inside(&one.to, to)));
    moves
}

/// The paths of `these` that do not stand the same way in `those`, by shape.
fn places<'a>(
    these: &'a HashMap<&[u8], String>,
    those: &HashMap<&[u8], String>,
) -> BTreeMap<&'a String, Vec<&'a [u8]>> {
    let mut places: BTreeMap<&String, Vec<&[u8]>> = BTreeMap::new();
    for (path, shape) in these.iter().filter(|(path, shape)| those.get(*path) != Some(shape)) {
        places.entry(shape).or_default().push(path);
    }
    places
}

/// What stands at each path with all below it, as text; empty for a folder without anything.
fn shapes(drawing: &Drawing) -> HashMap<&[u8], String> {
    let mut shapes: HashMap<&[u8], String> = HashMap::new();
    for (path, drawn) in drawing.0.iter().rev() {
        let text = drawn.to_string();
        if drawn.body != Body::Folder {
            shapes.insert(path, text);
        } else {
            shapes.entry(path).or_default();
        }
        let shape = shapes[&path[..]].clone();
        if let Some(cut) = path.iter().rposition(|&byte| byte == b'/') {
            let name = String::from_utf8_lossy(&path[cut + 1..]);
            shapes.entry(&path[..cut]).or_default().push_str(&format!("({name}:{shape})"));
        }
    }
    shapes
}

fn write(at: &Path, drawn: &Drawn, times: Times) -> io::Result<()> {
    match &drawn.body {
        Body::Folder => return fs::create_dir_all(at),
        Body::Link(target) => return symlink(OsStr::from_bytes(target), at),
        Body::Socket => return UnixListener::bind(at).map(drop),
        Body::Named => panic!("{} has no content; settle the drawing first", at.display()),
        Body::File { content, exec } => {
            if fs::read(at).ok().as_ref() != Some(content) {
                let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(at)?;
                file.write_all(content)?;
                set_time(&file, times)?;
            }
            let mode = if *exec { 0o755 } else { 0o644 };
            fs::set_permissions(at, Permissions::from_mode(mode))?;
        }
    }
    if drawn.mark == Mark::Unreadable {
        fs::set_permissions(at, Permissions::from_mode(0o000))?;
    }
    Ok(())
}

/// Sets when a file was modified.
pub fn touch(at: &Path, times: Times) -> io::Result<()> {
    set_time(&File::options().write(true).open(at)?, times)
}

fn set_time(file: &File, times: Times) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(times.moment()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Drawing {
        Drawing::parse(text, &Drawing::default()).unwrap()
    }

    /// Builds one drawing, changes it into the other, and answers the prints before and after.
    fn changed(from: &str, to: &str) -> (Footprint, Footprint) {
        let area = tempfile::tempdir().unwrap();
        let folder = area.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let (from, to) = (parse(from), parse(to));
        build(&from, &folder, Times::BASE).unwrap();
        assert_eq!(read(&folder).unwrap(), from.unmarked());
        let before = footprint(&folder).unwrap();
        change(&from, &to, &folder, Times::USUAL).unwrap();
        assert_eq!(read(&folder).unwrap(), to.unmarked(), "from {from}");
        (before, footprint(&folder).unwrap())
    }

    #[test]
    fn any_drawing_can_follow_any_other() {
        let drawings = [
            "-",
            "a=1;d/b=2+x;e/;l->no/such",
            "a/;d->a",
            "x=foo;y=bar;c/b=quu;d/a=barr",
            "c=foo;y=bar;d/a=barr",
            "x=foo;c/b=quu;y/a=barr",
            "x=2;d/<ff>=1",
            "D/A/f=1",
            "A/D/f=1",
            "A/D/f=1;A/D/g=1;A/h=2",
            "A/h=2;D/f=1;D/g=1",
        ];
        for from in drawings {
            for to in drawings {
                changed(from, to);
            }
        }
    }

    #[test]
    fn what_moves_keeps_its_inode() {
        for (from, to, source, target) in [
            ("x=foo;d/a=barr", "y=foo;d/a=barr", "x", "y"),
            ("y=foo;d/a=barr", "y=foo;e/a=barr", "d", "e"),
            ("x=foo;y=bar;c/b=quu", "c=foo;y=bar", "x", "c"),
            ("x=foo;y=bar;d/a=barr", "x=foo;y/a=barr", "d", "y"),
            ("D/f=x", "E/D2/f=x", "D", "E/D2"),
        ] {
            let (before, after) = changed(from, to);
            assert_eq!(before[source.as_bytes()].inode, after[target.as_bytes()].inode, "{from} -> {to}");
        }
    }

    #[test]
    fn an_edit_keeps_the_inode_and_gets_its_time() {
        let (before, after) = changed("f=1;g=1", "f=2;g=1");
        assert_eq!(before[&b"f"[..]].inode, after[&b"f"[..]].inode);
        assert_eq!(after[&b"f"[..]].modified_ns - before[&b"f"[..]].modified_ns, 2_000_000_000_000);
        assert_eq!(before[&b"g"[..]], after[&b"g"[..]]);
    }

    #[test]
    fn our_own_files_are_no_part_of_a_tree() {
        let area = tempfile::tempdir().unwrap();
        fs::create_dir(area.path().join(".instep")).unwrap();
        fs::write(area.path().join("instep.yaml"), "version: 1\n").unwrap();
        fs::create_dir(area.path().join("d")).unwrap();
        fs::write(area.path().join("d/instep.yaml"), "").unwrap();
        assert_eq!(read(area.path()).unwrap().to_string(), "d/instep.yaml=");
    }
}
