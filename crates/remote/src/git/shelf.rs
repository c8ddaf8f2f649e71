//! The small objects that the last listing needed (its commit, its folders, the targets of its links) in one file beside
//! our repository, so that the next listing asks git only for those that are new.
//!
//! An object's name is made from its bytes, so that nothing here is ever out of date. The file is a copy: records are
//! added at its end, each with a sum of its own, and what a crash left torn is read from git again.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use instep_core::content::ContentId;

use super::objects::{Kind, Oid};

/// The file's name; the number is the version of its format.
const NAME: &str = "instep.shelf.1";
/// A name, a kind, a length; behind them the bytes, and then the sum.
const HEAD_BYTES: usize = 20 + 1 + 4;
const SUM_BYTES: usize = 8;
/// How much of what is not needed any more may stay, beside as much as is needed.
const SLACK_BYTES: usize = 64 * 1024;

/// The objects, in memory while a listing is made.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    bytes: Vec<u8>,
    places: HashMap<Oid, (Kind, Range<usize>)>,
    /// How much of the bytes the file holds.
    written: usize,
    /// Where in them the records stand that this listing needed.
    used: Vec<Range<usize>>,
}

impl Shelf {
    /// Reads what is there; a file that can't be read is an empty one.
    pub fn open(directory: &Path) -> Self {
        let path = directory.join(NAME);
        let bytes = fs::read(&path).unwrap_or_default();
        let mut shelf = Shelf { path, bytes, places: HashMap::new(), written: 0, used: Vec::new() };
        while let Some(record) = shelf.record(shelf.written) {
            let end = record.1.end + SUM_BYTES;
            shelf.places.insert(record.0, (record.2, record.1));
            shelf.written = end;
        }
        shelf.bytes.truncate(shelf.written);
        shelf
    }

    fn record(&self, at: usize) -> Option<(Oid, Range<usize>, Kind)> {
        let head = self.bytes.get(at..at + HEAD_BYTES)?;
        let oid = Oid(head[..20].try_into().ok()?);
        let kind = Kind::of_byte(head[20])?;
        let length = u32::from_le_bytes(head[21..].try_into().ok()?) as usize;
        let body = at + HEAD_BYTES..at + HEAD_BYTES + length;
        let found = self.bytes.get(body.end..body.end + SUM_BYTES)?;
        (found == sum(&self.bytes[at..body.end])).then_some((oid, body, kind))
    }

    /// An object of that kind, if it is here.
    pub fn get(&mut self, oid: Oid, kind: Kind) -> Option<&[u8]> {
        let (held, place) = self.places.get(&oid)?;
        if *held != kind {
            return None;
        }
        self.used.push(place.start - HEAD_BYTES..place.end + SUM_BYTES);
        Some(&self.bytes[place.clone()])
    }

    /// Answers whether an object of that kind is here.
    pub fn has(&self, oid: Oid, kind: Kind) -> bool {
        self.places.get(&oid).is_some_and(|(held, _)| *held == kind)
    }

    /// Puts one there.
    pub fn put(&mut self, oid: Oid, kind: Kind, body: &[u8]) {
        let (at, Ok(length)) = (self.bytes.len(), u32::try_from(body.len())) else { return };
        if self.has(oid, kind) {
            return;
        }
        self.bytes.extend_from_slice(&oid.0);
        self.bytes.push(kind.byte());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(body);
        let sum = sum(&self.bytes[at..]);
        self.bytes.extend_from_slice(&sum);
        self.places.insert(oid, (kind, at + HEAD_BYTES..at + HEAD_BYTES + body.len()));
    }

    /// Writes what is new to the file; without what was not needed this time, where that has become the larger part.
    /// What can't be written is read from git the next time.
    pub fn close(mut self) {
        self.used.sort_unstable_by_key(|record| record.start);
        self.used.dedup();
        let used: usize = self.used.iter().map(Range::len).sum();
        let _ = if self.bytes.len() > 2 * used + SLACK_BYTES { self.renew() } else { self.add() };
    }

    fn add(&self) -> io::Result<()> {
        if self.written == self.bytes.len() {
            return Ok(());
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        file.set_len(self.written as u64)?;
        file.seek(SeekFrom::Start(self.written as u64))?;
        file.write_all(&self.bytes[self.written..])
    }

    fn renew(&self) -> io::Result<()> {
        let needed: Vec<u8> =
            self.used.iter().flat_map(|record| &self.bytes[record.clone()]).copied().collect();
        let fresh = self.path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(&needed)?;
        fs::rename(&fresh, &self.path)
    }
}

fn sum(bytes: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&ContentId::of(bytes).as_bytes()[..SUM_BYTES]);
    sum
}
