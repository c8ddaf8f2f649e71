//! SQLite databases by their bytes and names: what is one, which files belong to it, and which bytes of it say nothing.
//!
//! A database is its file together with what its journal or write-ahead log holds. Two copies of one state differ in a
//! few bytes of the header that count how often it was written and by which version; with those settled, they are equal.

use crate::path::Name;

/// How long the header is that settling needs, in bytes.
pub const HEADER_BYTES: usize = 100;

/// The endings of the names of the files that belong to a database: its log, the log's index, its journal.
pub const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Answers whether a file that begins like this is a database that can be read. One that is encrypted can't.
pub fn is_database(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
        && start.len() >= 24
        && page_bytes(start).is_some()
        && start[21..24] == [64, 32, 32]
}

/// The length of a page, which is a power of two.
fn page_bytes(start: &[u8]) -> Option<u64> {
    match u64::from(u16::from_be_bytes([start[16], start[17]])) {
        1 => Some(65_536),
        bytes if bytes >= 512 && bytes.is_power_of_two() => Some(bytes),
        _ => None,
    }
}

/// Gives a header the form that all copies of one state have; `size` is the length of the whole file in bytes.
///
/// ```
/// use instep_core::database::{is_database, settle};
///
/// let mut one = [0; 100];
/// one[..24].copy_from_slice(b"SQLite format 3\0\x10\x00\x01\x01\x00\x40\x20\x20");
/// assert!(is_database(&one));
/// let mut other = one;
/// other[27] = 7; // It was written seven times.
/// settle(&mut one, 4096);
/// settle(&mut other, 4096);
/// assert_eq!(one, other);
/// ```
pub fn settle(header: &mut [u8; HEADER_BYTES], size: u64) {
    let one = 1_u32.to_be_bytes();
    if let Some(pages) = page_bytes(header).map(|page| u32::try_from(size / page).unwrap_or_default()) {
        header[28..32].copy_from_slice(&pages.to_be_bytes());
    }
    // How often it was written, how often its schema was, and for which of those the number of pages holds.
    for at in [24, 40, 92] {
        header[at..at + 4].copy_from_slice(&one);
    }
    // The version of SQLite that wrote last.
    header[96..100].copy_from_slice(&3_007_000_u32.to_be_bytes());
}

/// Answers whether a database that begins like this keeps a log.
pub fn keeps_log(start: &[u8]) -> bool {
    start.get(19) == Some(&2)
}

/// Answers whether a journal that begins like this holds what an interrupted change overwrote: the database is not whole
/// without it.
pub fn is_hot(journal: &[u8]) -> bool {
    journal.starts_with(&JOURNAL_MAGIC)
}

/// The names of the files that may belong to a database of this name.
pub fn sidecars(database: &Name) -> impl Iterator<Item = Name> {
    let name = |ending: &str| Name::new(&[database.as_bytes(), ending.as_bytes()].concat());
    SIDECARS.into_iter().filter_map(move |ending| name(ending).ok())
}

/// The name of the database that a file of this name would belong to.
pub fn owner(name: &Name) -> Option<Name> {
    let bytes = name.as_bytes();
    let ending = SIDECARS.into_iter().find(|ending| bytes.ends_with(ending.as_bytes()))?;
    Name::new(&bytes[..bytes.len() - ending.len()]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_database_is_told_by_its_start() {
        let start = |page: [u8; 2]| [MAGIC.as_slice(), &page, &[1, 1, 0, 64, 32, 32]].concat();
        let cases: [(Vec<u8>, bool); 7] = [
            (start([0x10, 0]), true),
            (start([0, 1]), true),
            (start([2, 0]), true),
            (start([0, 0]), false),
            (start([3, 0]), false),
            (start([0x10, 0])[..20].to_vec(), false),
            (b"SQLite format 3, or so".to_vec(), false),
        ];
        for (bytes, expected) in cases {
            assert_eq!(is_database(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn sidecars_and_their_owner_name_each_other() {
        let database = name("app.db");
        let names: Vec<Name> = sidecars(&database).collect();
        assert_eq!(names, [name("app.db-wal"), name("app.db-shm"), name("app.db-journal")]);
        assert!(names.iter().all(|sidecar| owner(sidecar).as_ref() == Some(&database)));
        assert_eq!((owner(&database), owner(&name("-wal"))), (None, None));
    }
}
