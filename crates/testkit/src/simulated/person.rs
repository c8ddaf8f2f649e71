//! The person at a simulated machine: edits of all kinds, few names, so that the machines meet.

use instep_core::content::ContentId;
use rustix::io::Errno;

use super::chaos::{Chaos, Layer};
use super::disk::{Body, Disk, Number, ROOT, Rename, STATE};
use super::station::Station;

/// The names that things get; files and folders share them.
const NAMES: [&str; 8] = ["a", "b", "c", "A", "d", "e", "f.txt", "g.json"];
/// Contents that several files have.
const COMMON: [&str; 3] = ["common\n", "the same\nin many\nplaces\n", "{\"k\": 1}\n"];
/// How many files one person makes, about.
const FILES_MAX: usize = 14;

/// Does one thing.
pub fn act(station: &mut Station, chaos: &mut Chaos) {
    if chaos.knows(Layer::Names) && chaos.chance.percent(6) {
        let done = name_twice(station, chaos);
        return chaos.trace(format_args!("{}", done.is_ok()));
    }
    let done = match chaos.chance.below(100) {
        0..=24 => write(station, chaos),
        25..=34 => save_over(station, chaos),
        35..=48 => rename(station, chaos),
        49..=60 => remove(station, chaos),
        61..=68 => make_folder(station, chaos),
        69..=72 => make_link(station, chaos),
        73..=77 => change_mode(station, chaos),
        78..=90 => use_handle(station, chaos),
        91..=94 => copy(station, chaos),
        _ => replace_kind(station, chaos),
    };
    // What can't be done is not done: a person shrugs.
    chaos.trace(format_args!("{}", done.is_ok()));
}

fn tell(station: &Station, chaos: &mut Chaos, what: std::fmt::Arguments<'_>) {
    chaos.tell(format_args!("{}: person: {what}", station.name));
}

/// A folder of the workspace, by chance.
fn some_folder(station: &Station, chaos: &mut Chaos) -> Number {
    let disk = &station.disk;
    let is_folder =
        |number: &Number| matches!(disk.inode(*number).map(|inode| &inode.body), Ok(Body::Folder(_)));
    let mut folders: Vec<Number> =
        disk.walk().into_iter().map(|(_, number)| number).filter(is_folder).collect();
    folders.push(ROOT);
    folders.push(ROOT);
    folders[chaos.chance.below(folders.len())]
}

/// Something that stands in the workspace: its folder and name.
fn something(
    station: &Station,
    chaos: &mut Chaos,
    wanted: impl Fn(&Body) -> bool,
) -> Result<(Number, Vec<u8>, Number), Errno> {
    let disk = &station.disk;
    let mut found = Vec::new();
    let mut folders = vec![ROOT];
    while let Some(folder) = folders.pop() {
        for (name, number) in disk.entries(folder)?.values() {
            let body = &disk.inode(*number)?.body;
            if *number == STATE {
                continue;
            }
            if matches!(body, Body::Folder(_)) {
                folders.push(*number);
            }
            if wanted(body) {
                found.push((folder, name.clone(), *number));
            }
        }
    }
    if found.is_empty() {
        return Err(Errno::NOENT);
    }
    Ok(found[chaos.chance.below(found.len())].clone())
}

fn is_file(body: &Body) -> bool {
    matches!(body, Body::File(_))
}

fn some_name(chaos: &mut Chaos) -> &'static str {
    NAMES[chaos.chance.below(NAMES.len())]
}

fn path(station: &Station, folder: Number, name: &[u8]) -> String {
    let above = station.disk.path(folder);
    let name = String::from_utf8_lossy(name);
    if above.is_empty() { name.into_owned() } else { format!("{above}/{name}") }
}

/// What is written: an edit of what stood there, something new, something common, something long, or nothing.
fn content(chaos: &mut Chaos, before: &[u8]) -> Vec<u8> {
    chaos.serial += 1;
    let serial = chaos.serial;
    match chaos.chance.below(100) {
        0..=44 => {
            let text = String::from_utf8_lossy(before).into_owned();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() < 4 {
                lines = (1..=6).map(|line| format!("line {line}")).collect();
            }
            let at = chaos.chance.below(lines.len());
            lines[at] = format!("line {serial}");
            let mut text = lines.join("\n");
            text.push('\n');
            text.into_bytes()
        }
        45..=69 => format!("version {serial}\n").into_bytes(),
        70..=81 => COMMON[chaos.chance.below(COMMON.len())].as_bytes().to_vec(),
        82..=91 => {
            let mut bytes = format!("long {serial}\n").into_bytes();
            bytes.resize(600 + chaos.chance.below(4000), b'x');
            bytes
        }
        // The same length as before.
        92..=96 if !before.is_empty() => {
            let mut bytes = format!("{serial}").into_bytes();
            bytes.resize(before.len(), b'.');
            bytes
        }
        _ => Vec::new(),
    }
}

fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).replace('\n', "|");
    format!("{text:?} ({} bytes, {})", bytes.len(), ContentId::of(bytes).short())
}

/// Writes through the file that stands there, or makes one.
fn write(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let files = station.disk.walk().len();
    let (folder, name, number) = if files > FILES_MAX || chaos.chance.percent(50) {
        something(station, chaos, is_file)?
    } else {
        let (folder, name) = (some_folder(station, chaos), some_name(chaos).as_bytes());
        let number = match station.disk.find(folder, name) {
            Ok(number) => number,
            Err(_) => station.disk.create_file(folder, name)?,
        };
        (folder, name.to_vec(), number)
    };
    let before = station.disk.data(number)?.to_vec();
    let bytes = content(chaos, &before);
    let at = path(station, folder, &name);
    tell(station, chaos, format_args!("write {at} = {}", words(&bytes)));
    let was = station.disk.metadata(number)?.modified.ns();
    edit(station, chaos, number, |data| *data = bytes)?;
    if chaos.chance.percent(5) {
        tell(station, chaos, format_args!("  with its old time"));
        station.disk.set_modified(number, was)?;
    }
    if chaos.chance.percent(15) {
        station.handles.push(number);
    }
    Ok(())
}

/// Writes to a file as it stands. If it got another name just now, or what it held, and was displaced under the first name,
/// that version is the person's own to overwrite.
fn edit(
    station: &mut Station,
    chaos: &mut Chaos,
    number: Number,
    act: impl FnOnce(&mut Vec<u8>),
) -> Result<(), Errno> {
    if station.acting && !station.touched.insert(number) && is_in_sight(station, number) {
        chaos.ledger.give_back(station.index, number);
    }
    station.disk.write(number, act)
}

fn is_in_sight(station: &Station, number: Number) -> bool {
    station.disk.walk().iter().any(|(_, other)| *other == number)
}

/// Saves as editors do: a new file, renamed over the old one.
fn save_over(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, is_file)?;
    let bytes = content(chaos, station.disk.data(number)?);
    let at = path(station, folder, &name);
    tell(station, chaos, format_args!("save {at} = {}", words(&bytes)));
    let new = station.disk.create_file(folder, b"~tmp")?;
    station.disk.write(new, |data| *data = bytes)?;
    if chaos.chance.percent(50) {
        station.disk.sync_file(new)?;
    }
    station.disk.rename((folder, b"~tmp"), (folder, &name), Rename::Replacing)
}

/// A copy of what changed by itself is a file like any other, and so is what was carried elsewhere with its folder.
fn excuse_rot(station: &Station, chaos: &mut Chaos) {
    chaos.rotten.values_mut().filter(|rot| rot.machine == station.index).for_each(|rot| rot.excused = true);
}

fn rename(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, _) = something(station, chaos, |_| true)?;
    let (to, new) = (some_folder(station, chaos), some_name(chaos).as_bytes());
    let how = match chaos.chance.below(10) {
        0 => Rename::Exchanging,
        1..=2 => Rename::Replacing,
        _ => Rename::Refusing,
    };
    let (from, target) = (path(station, folder, &name), path(station, to, new));
    station.disk.rename((folder, &name), (to, new), how)?;
    tell(station, chaos, format_args!("rename {from} -> {target} {how:?}"));
    excuse_rot(station, chaos);
    Ok(())
}

fn remove(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, |_| true)?;
    let at = path(station, folder, &name);
    tell(station, chaos, format_args!("remove {at}"));
    remove_all(station, folder, &name, number)
}

fn remove_all(station: &mut Station, folder: Number, name: &[u8], number: Number) -> Result<(), Errno> {
    let Ok(entries) = station.disk.entries(number) else { return station.disk.remove(folder, name, false) };
    let inside: Vec<(Vec<u8>, Number)> = entries.values().cloned().collect();
    for (inner, inner_number) in inside {
        remove_all(station, number, &inner, inner_number)?;
    }
    station.disk.remove(folder, name, true)
}

/// Removes all that stands in a folder, but for our state.
pub fn empty(disk: &mut Disk, folder: Number) {
    let inside: Vec<(Vec<u8>, Number)> = disk.entries(folder).unwrap().values().cloned().collect();
    for (name, number) in inside.into_iter().filter(|(_, number)| *number != STATE) {
        let is_folder = disk.entries(number).is_ok();
        if is_folder {
            empty(disk, number);
        }
        disk.remove(folder, &name, is_folder).unwrap();
    }
}

/// Copies all that stands in one workspace into another that is empty, as by a drive that is carried over.
pub fn carry_over(from: &Disk, source: Number, to: &mut Disk, target: Number) -> Result<(), Errno> {
    for (name, number) in from.entries(source)?.values().filter(|(_, number)| *number != STATE) {
        match &from.inode(*number)?.body {
            Body::Folder(_) => {
                let made = to.create_folder(target, name)?;
                carry_over(from, *number, to, made)?;
            }
            Body::File(data) => {
                let (made, data) = (to.create_file(target, name)?, data.clone());
                to.write(made, |bytes| *bytes = data)?;
                to.set_mode(made, from.metadata(*number)?.mode)?;
            }
            Body::Link(goal) => drop(to.create_link(target, name, goal)?),
        }
    }
    Ok(())
}

fn make_folder(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name) = (some_folder(station, chaos), some_name(chaos));
    if station.disk.path(folder).matches('/').count() >= 2 {
        return Err(Errno::NAMETOOLONG);
    }
    station.disk.create_folder(folder, name.as_bytes())?;
    let at = path(station, folder, name.as_bytes());
    tell(station, chaos, format_args!("mkdir {at}"));
    Ok(())
}

fn make_link(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name) = (some_folder(station, chaos), some_name(chaos));
    let target = ["a", "b", "d/a", "missing"][chaos.chance.below(4)];
    station.disk.create_link(folder, name.as_bytes(), target.as_bytes())?;
    let at = path(station, folder, name.as_bytes());
    tell(station, chaos, format_args!("link {at} -> {target}"));
    Ok(())
}

fn change_mode(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, is_file)?;
    let mode = station.disk.metadata(number)?.mode ^ 0o111;
    station.disk.set_mode(number, mode)?;
    let at = path(station, folder, &name);
    tell(station, chaos, format_args!("chmod {mode:o} {at}"));
    Ok(())
}

/// Opens a file, or writes to one that is open, wherever it stands by now; or closes it.
fn use_handle(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    if station.handles.is_empty() || chaos.chance.percent(25) {
        let (folder, name, number) = something(station, chaos, is_file)?;
        let at = path(station, folder, &name);
        tell(station, chaos, format_args!("open {at}"));
        station.handles.push(number);
        if chaos.chance.percent(30) {
            tell(station, chaos, format_args!("  and truncate it"));
            edit(station, chaos, number, Vec::clear)?;
        }
        return Ok(());
    }
    let at = chaos.chance.below(station.handles.len());
    let number = station.handles[at];
    if chaos.chance.percent(25) {
        tell(station, chaos, format_args!("close {number}"));
        station.handles.remove(at);
        return Ok(());
    }
    chaos.serial += 1;
    let line = format!("appended {}\n", chaos.serial);
    let whole = chaos.chance.percent(40);
    edit(station, chaos, number, |data| {
        if whole {
            data.clear();
        }
        data.extend_from_slice(line.as_bytes());
    })?;
    let bytes = station.disk.data(number)?.to_vec();
    let verb = if whole { "rewrite" } else { "append to" };
    tell(station, chaos, format_args!("{verb} open file {number} = {}", words(&bytes)));
    // If it has a name still, it is edited under that.
    if !is_in_sight(station, number) {
        chaos.ledger.rewrite(station.index, number, ContentId::of(&bytes));
    }
    Ok(())
}

/// Gives a file one more name.
fn name_twice(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, is_file)?;
    let (to, new) = (some_folder(station, chaos), some_name(chaos).as_bytes());
    station.disk.name_again(number, to, new)?;
    let (from, target) = (path(station, folder, &name), path(station, to, new));
    tell(station, chaos, format_args!("hard link {from} -> {target}"));
    station.touched.insert(number);
    excuse_rot(station, chaos);
    Ok(())
}

fn copy(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, is_file)?;
    let (to, new) = (some_folder(station, chaos), some_name(chaos).as_bytes());
    let bytes = station.disk.data(number)?.to_vec();
    let made = station.disk.create_file(to, new)?;
    let (from, target) = (path(station, folder, &name), path(station, to, new));
    tell(station, chaos, format_args!("copy {from} -> {target}"));
    excuse_rot(station, chaos);
    station.disk.write(made, |data| *data = bytes)
}

/// A file where a folder was, or the other way round.
fn replace_kind(station: &mut Station, chaos: &mut Chaos) -> Result<(), Errno> {
    let (folder, name, number) = something(station, chaos, |_| true)?;
    let was_folder = station.disk.entries(number).is_ok();
    let at = path(station, folder, &name);
    remove_all(station, folder, &name, number)?;
    if was_folder {
        let bytes = content(chaos, b"");
        tell(station, chaos, format_args!("file for folder {at} = {}", words(&bytes)));
        let made = station.disk.create_file(folder, &name)?;
        return station.disk.write(made, |data| *data = bytes);
    }
    tell(station, chaos, format_args!("folder for file {at}"));
    let made = station.disk.create_folder(folder, &name)?;
    if chaos.chance.percent(60) {
        let inner = some_name(chaos).as_bytes();
        let bytes = content(chaos, b"");
        tell(station, chaos, format_args!("  with {} = {}", String::from_utf8_lossy(inner), words(&bytes)));
        let file = station.disk.create_file(made, inner)?;
        return station.disk.write(file, |data| *data = bytes);
    }
    Ok(())
}
