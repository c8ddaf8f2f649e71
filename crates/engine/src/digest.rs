//! The digest cache: which content a file has, as long as the file system says that nothing happened to it.
//!
//! Keyed by the file system's own number, so that a renamed folder costs nothing. An entry is believed only if identity,
//! length, time of modification and time of change are all the same, and only if both times were safely past when the
//! content was read: a file written twice within one tick of the disk's clock looks unchanged (the "racy" entries of
//! git's index).

use std::collections::BTreeSet;

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::mutant;
use instep_core::tree::Key;

use crate::folder::Metadata;

/// What was found when a file was last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// What the file system said of the file, before and after the reading.
    pub metadata: Metadata,
    /// The content's name.
    pub content: ContentId,
    /// The moment, by the file system's clock, at which the reading began.
    pub observed: Timestamp,
}

/// How long a file must have been left alone, by the disk's clock, before an observation of it is believed. Disks keep
/// times in steps of up to 10 ms; those that keep whole seconds only (FAT: two) are told by their times.
pub(crate) const TICK_NS: i64 = 20_000_000;
const COARSE_TICK_NS: i64 = 2_000_000_000;

impl Digest {
    /// Answers whether the file could have been written again without a trace in its times.
    pub fn is_racy(&self) -> bool {
        self.metadata.is_racy(self.observed)
    }
}

impl Metadata {
    /// Answers whether a file that is observed at this moment could be written again without a trace in its times.
    pub fn is_racy(&self, observed: Timestamp) -> bool {
        let last = self.modified.max(self.changed).ns();
        let tick = if last % 1_000_000_000 == 0 { COARSE_TICK_NS } else { TICK_NS };
        last.saturating_add(tick) >= observed.ns() && !mutant::is_on("racy-is-believed")
    }
}

/// All digests, in order of file number.
#[derive(Debug, Clone, Default)]
pub struct DigestCache {
    digests: Vec<Digest>,
    /// The number of each, side by side: a search through the digests themselves would touch far more memory.
    inodes: Vec<u64>,
}

impl DigestCache {
    /// Takes the digests, in any order.
    pub fn new(mut digests: Vec<Digest>) -> Self {
        let order = |digest: &Digest| (digest.metadata.key.inode, digest.metadata.key.device);
        if !digests.is_sorted_by_key(order) {
            digests.sort_by_key(order);
        }
        let inodes = digests.iter().map(|digest| digest.metadata.key.inode).collect();
        DigestCache { digests, inodes }
    }

    /// The content of a file, if nothing can have happened to it since it was read.
    pub fn content(&self, metadata: &Metadata) -> Option<ContentId> {
        self.content_at(self.place(metadata.key)?, metadata)
    }

    /// Where the digest of the file with this number stands, be it still true or not.
    pub fn place(&self, key: Key) -> Option<usize> {
        let first = self.inodes.partition_point(|&inode| inode < key.inode);
        let same = self.inodes[first..].iter().take_while(|&&inode| inode == key.inode).count();
        (first..first + same).find(|&place| self.digests[place].metadata.key.device == key.device)
    }

    /// The content of a file whose digest stands there, if nothing can have happened to it since it was read.
    pub fn content_at(&self, place: usize, metadata: &Metadata) -> Option<ContentId> {
        let digest = &self.digests[place];
        (digest.metadata.same_content(metadata) && !digest.is_racy()).then_some(digest.content)
    }

    /// The files that were read again and hold something else, though their identity, length and times are the same:
    /// nobody wrote to them.
    pub fn changed_without_trace<'d>(&self, read: impl Iterator<Item = &'d Digest>) -> BTreeSet<Key> {
        let differs = |now: &&Digest| self.content(&now.metadata).is_some_and(|before| before != now.content);
        read.filter(differs).map(|now| now.metadata.key).collect()
    }

    /// Drops what is known of some files: they are read again.
    pub fn doubt(&mut self, keys: &BTreeSet<Key>) {
        let mut digests = std::mem::take(&mut self.digests);
        digests.retain(|digest| !keys.contains(&digest.metadata.key));
        *self = DigestCache::new(digests);
    }

    /// All digests, in order of file number.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Drops what was found since a moment: the files are read again.
    pub fn doubt_since(&mut self, since: Timestamp) {
        let mut digests = std::mem::take(&mut self.digests);
        digests.retain(|digest| digest.observed < since);
        *self = DigestCache::new(digests);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Answers whether there are none.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::DiskKind;

    fn digest(inode: u64, observed: i64) -> Digest {
        let time = Timestamp::from_ns(1);
        let metadata = Metadata {
            kind: DiskKind::File,
            key: Key { device: 1, inode, birth_ns: 0 },
            size: 3,
            modified: time,
            changed: time,
            mode: 0o644,
            names: 1,
        };
        Digest { metadata, content: ContentId::of(b"abc"), observed: Timestamp::from_ns(observed) }
    }

    #[test]
    fn what_is_doubted_is_not_found_any_more() {
        let old = digest(7, 1_000_000_000_000);
        let new = digest(3, 2_000_000_000_000);
        let mut cache = DigestCache::new(vec![old, new]);
        assert_eq!(cache.content(&new.metadata), Some(new.content));
        cache.doubt_since(new.observed);
        assert_eq!(cache.content(&new.metadata), None);
        assert_eq!(cache.content(&old.metadata), Some(old.content));
        cache.doubt_since(old.observed);
        assert_eq!(cache.content(&old.metadata), None);
        assert!(cache.is_empty());
    }
}
