//! Contents on their way in and out: one `cat-file --batch`, one `fast-import`, and never more in memory than a buffer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use instep_core::content::ContentId;
use instep_core::progress::{Event, Observer, Phase};
use instep_core::remote::{ObjectId, OfferedContent, RemoteError, RemoteErrorKind, Sink, Source};

use super::failure;
use super::objects::{Kind, Objects, Oid};
use super::program::{Program, Running, Scope};

/// How much of a content is in memory at once.
const BUFFER_BYTES: usize = 128 * 1024;
/// What the files start with in which the program names what it took.
const MARKS: &str = "instep.marks";
/// From which size on a content is large.
pub(super) const LARGE_BYTES_MIN: u64 = 1024 * 1024;
/// From how many bits a byte on the start of a content looks packed or encrypted already.
const PACKED_BITS_MIN: f64 = 7.8;

/// Hands contents that are here to the sink; answers those that are not.
pub(super) fn receive(
    program: &Program,
    wanted: &[Oid],
    into: &mut dyn Sink,
    observer: &dyn Observer,
) -> Result<Vec<Oid>, RemoteError> {
    let mut absent = Vec::new();
    if wanted.is_empty() {
        return Ok(absent);
    }
    let mut objects = Objects::of(program);
    objects.walk(wanted.to_vec(), |objects, header, at| {
        if observer.is_cancelled() {
            return Err(failure::cancelled());
        }
        let Some(header) = header else {
            absent.push(wanted[at]);
            return Ok(Vec::new());
        };
        if header.kind != Kind::Blob {
            return Err(failure::corrupt("E-GIT-TREE", "The remote holds a file that is none."));
        }
        let mut content = objects.stream(header);
        into.receive(wanted[at].into(), header.size, &mut content)?;
        let left = content.limit();
        objects.skip(left)?;
        observer.observe(Event::Advanced { phase: Phase::Receive, files: 1, bytes: header.size });
        Ok(Vec::new())
    })?;
    Ok(absent)
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The names, in order.
    pub named: Vec<ObjectId>,
    /// The lengths in bytes, in the same order.
    pub sizes: Vec<u64>,
}

/// Writes contents into our repository; answers their names in order.
pub(super) fn send(
    program: &Program,
    offered: &[ContentId],
    from: &dyn Source,
    observer: &dyn Observer,
) -> Result<Sent, RemoteError> {
    sweep(program.directory());
    let mut named = vec![None; offered.len()];
    let (mut sizes, mut feeds) = (Vec::with_capacity(offered.len()), BTreeMap::new());
    for (at, &content) in offered.iter().enumerate() {
        if observer.is_cancelled() {
            return Err(failure::cancelled());
        }
        let mut offered = from.open(content)?;
        let size = offered.size;
        sizes.push(size);
        let bulk = Bulk::of(&mut offered)?;
        let feed = match feeds.entry(bulk) {
            Entry::Occupied(feed) => feed.into_mut(),
            Entry::Vacant(free) => free.insert(Feed::start(program, bulk)?),
        };
        feed.write_blob(at + 1, offered)?;
        observer.observe(Event::Advanced { phase: Phase::Send, files: 1, bytes: size });
    }
    for feed in feeds.into_values() {
        let marks = feed.finish()?;
        parse_marks(&marks, &mut named).ok_or_else(|| failure::protocol("git misnamed a content", &marks))?;
    }
    match named.into_iter().collect::<Option<Vec<_>>>() {
        Some(named) => Ok(Sent { named, sizes }),
        None => Err(failure::protocol("git did not name all contents", &[])),
    }
}

/// How a content is best kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bulk {
    /// Few of them become a file each.
    Small,
    /// It stays in a pack as it was written, or it would be packed and unpacked once more.
    Large,
    /// As `Large`, and packed or encrypted already: to compress it once more takes most of the time and gains nothing.
    Packed,
}

impl Bulk {
    /// Looks at the start of a large content, which is still read from there.
    fn of(offered: &mut OfferedContent) -> Result<Self, RemoteError> {
        if offered.size < LARGE_BYTES_MIN {
            return Ok(Bulk::Small);
        }
        let mut start = Vec::with_capacity(BUFFER_BYTES);
        let read = (&mut offered.bytes).take(BUFFER_BYTES as u64).read_to_end(&mut start);
        read.map_err(|error| failure::local("reading a file", error))?;
        let bulk = if bits_a_byte(&start) < PACKED_BITS_MIN { Bulk::Large } else { Bulk::Packed };
        let rest = std::mem::replace(&mut offered.bytes, Box::new(std::io::empty()));
        offered.bytes = Box::new(Cursor::new(start).chain(rest));
        Ok(bulk)
    }
}

/// How many bits each byte is worth, by how often each value stands there.
fn bits_a_byte(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let shares =
        counts.iter().filter(|count| **count > 0).map(|&count| f64::from(count) / bytes.len() as f64);
    shares.map(|share| -share * share.log2()).sum()
}

/// What goes to the program, in writes of some size: most files are small.
struct Feed {
    running: Running,
    buffer: Vec<u8>,
    marks: PathBuf,
}

impl Feed {
    /// Starts the program.
    fn start(program: &Program, bulk: Bulk) -> Result<Self, RemoteError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let limit = if bulk == Bulk::Small { 100 } else { 0 };
        let level = if bulk == Bulk::Packed { 0 } else { 1 };
        let own = format!("{MARKS}-{}-", std::process::id());
        sweep_marks(program.directory(), &own);
        let marks = program.directory().join(format!("{own}{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut call = program.call(Scope::Ours)?;
        call.args(["-c", "core.fsync=none"]);
        for setting in [
            format!("core.compression={level}"),
            format!("pack.compression={level}"),
            format!("fastimport.unpackLimit={limit}"),
        ] {
            call.args(["-c".to_owned(), setting]);
        }
        call.args(["fast-import", "--quiet", "--depth=0"]);
        let running = call.args([format!("--export-marks={}", marks.display())]).start()?;
        Ok(Feed { running, buffer: Vec::with_capacity(2 * BUFFER_BYTES), marks })
    }

    /// Ends it; answers what it named.
    fn finish(mut self) -> Result<Vec<u8>, RemoteError> {
        self.flush()?;
        let ended = self.running.finish()?;
        if !ended.status.success() {
            return Err(ended.failure());
        }
        let marks = fs::read(&self.marks);
        let _ = fs::remove_file(&self.marks);
        marks.map_err(|error| failure::at_path("reading", &self.marks, error))
    }

    fn write_blob(&mut self, mark: usize, mut offered: OfferedContent) -> Result<(), RemoteError> {
        self.put(format!("blob\nmark :{mark}\ndata {}\n", offered.size).as_bytes())?;
        let mut left = offered.size;
        while left > 0 {
            let room = (BUFFER_BYTES as u64).min(left);
            let taken = (&mut offered.bytes).take(room).read_to_end(&mut self.buffer);
            let taken = taken.map_err(|error| failure::local("reading a file", error))? as u64;
            if taken < room {
                return Err(changed());
            }
            left -= taken;
            self.put(b"")?;
        }
        // One byte more than announced is another content.
        let more = offered.bytes.read(&mut [0]).map_err(|error| failure::local("reading a file", error))?;
        if more > 0 { Err(changed()) } else { self.put(b"\n") }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), RemoteError> {
        self.running.send(&self.buffer).map_err(|error| self.running.fail(error))?;
        self.buffer.clear();
        Ok(())
    }
}

/// Removes what uploads that were stopped left half-written; nobody else writes into our repository.
fn sweep(directory: &Path) {
    let packs = directory.join("objects/pack");
    for (folder, start) in
        [(directory, "fast_import_crash_"), (&packs, "tmp_pack_"), (&packs, "tmp_idx_"), (&packs, ".tmp-")]
    {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(start.as_bytes()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Removes what killed runs left: the names of their files, and git's locks on these. No two processes share a name, so
/// that a program that outlived its own run disturbs nobody.
fn sweep_marks(directory: &Path, own: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(MARKS) && !name.starts_with(own) {
            // One that stays is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Lines of `:NUMBER NAME`, in any order.
fn parse_marks(text: &[u8], named: &mut [Option<ObjectId>]) -> Option<()> {
    for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let space = line.iter().position(|&b| b == b' ')?;
        let mark: usize = std::str::from_utf8(line.get(1..space)?).ok()?.parse().ok()?;
        *named.get_mut(mark.checked_sub(1)?)? = Some(Oid::parse(&line[space + 1..])?.into());
    }
    Some(())
}

fn changed() -> RemoteError {
    RemoteError::new(RemoteErrorKind::Local, "E-IO-CHANGED", "A file changed while it was read.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_already_is_told_from_what_is_not() {
        let text = b"what a person writes, or a program in words for people\n".repeat(100);
        let machine: Vec<u8> = (0..20_000_u32).flat_map(|number| (number * 77).to_le_bytes()).collect();
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..BUFFER_BYTES).map(|_| noise()).collect();
        assert!(bits_a_byte(&text) < 5.0 && bits_a_byte(&machine) < PACKED_BITS_MIN);
        assert!(bits_a_byte(&noise) > PACKED_BITS_MIN);
        assert_eq!(bits_a_byte(b""), 0.0);
    }
}
