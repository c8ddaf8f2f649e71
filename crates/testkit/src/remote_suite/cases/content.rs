//! Contents on their way: large ones, ones that fail, ones that are given up.

use std::io::{Cursor, Read};

use instep_core::content::ContentId;
use instep_core::progress::{Event, Observer, Silent};
use instep_core::remote::{
    Drafted, ListedKind, ObjectId, OfferedContent, RemoteError, RemoteErrorKind, Sink, Source,
};
use instep_core::tree::LeafKind;

use super::one_file;
use crate::remote_suite::{Bench, Bytes, Sketch, collect, draft_of, name, publish, read, upload};

/// What a sink leaves unread is not taken for the next content.
pub fn a_sink_need_not_read(bench: &Bench) {
    struct Lazy(Vec<(u64, Vec<u8>)>);
    impl Sink for Lazy {
        fn receive(&mut self, _: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
            let mut some = Vec::new();
            content.take(self.0.len() as u64).read_to_end(&mut some).unwrap();
            self.0.push((size, some));
            Ok(())
        }
    }
    let remote = bench.open();
    let named = upload(&*remote, &[b"aaaa", b"bbbbb", b"cccccc"]);
    let mut lazy = Lazy(Vec::new());
    remote.fetch(&named, &mut lazy, &Silent).unwrap();
    lazy.0.sort();
    let sizes: Vec<u64> = lazy.0.iter().map(|(size, _)| *size).collect();
    assert_eq!(sizes, [4, 5, 6]);
}

/// A sink's failure is the fetch's.
pub fn a_failing_sink_stops_the_fetch(bench: &Bench) {
    struct Full;
    impl Sink for Full {
        fn receive(&mut self, _: ObjectId, _: u64, _: &mut dyn Read) -> Result<(), RemoteError> {
            Err(RemoteError::new(RemoteErrorKind::Local, "E-DISK-FULL", "full"))
        }
    }
    let remote = bench.open();
    let named = upload(&*remote, &[b"a", &[0; 1_000_000]]);
    let error = remote.fetch(&named, &mut Full, &Silent).unwrap_err();
    assert_eq!(error.code, "E-DISK-FULL");
    assert_eq!(collect(&*remote, &named).len(), 2);
}

struct Lying {
    announced: u64,
    held: usize,
}

impl Source for Lying {
    fn open(&self, _: ContentId) -> Result<OfferedContent, RemoteError> {
        Ok(OfferedContent { size: self.announced, bytes: Box::new(Cursor::new(vec![b'x'; self.held])) })
    }
}

/// A file that grew or shrank while it was read is not sent as something else.
pub fn a_content_of_another_length_is_refused(bench: &Bench) {
    let remote = bench.open();
    for (announced, held) in [(5, 4), (5, 6), (0, 1), (300_000, 299_999), (300_000, 300_001)] {
        let id = ContentId::of(b"whatever");
        let result = remote.upload(&[id], &Lying { announced, held }, &Silent);
        assert!(result.is_err(), "{announced} announced, {held} there");
    }
    let revision = publish(&*remote, None, &one_file("still works"));
    assert_eq!(read(&*remote, &revision), one_file("still works"));
}

/// A source's failure is the upload's.
pub fn a_failing_source_stops_the_upload(bench: &Bench) {
    let remote = bench.open();
    let mut bytes = Bytes::default();
    let ids = [bytes.add(b"a"), ContentId::of(b"not there")];
    assert_eq!(remote.upload(&ids, &bytes, &Silent).unwrap_err().code, "E-TEST");
    assert_eq!(upload(&*remote, &[b"a"]).len(), 1);
}

/// A person who asks to stop is heard; nothing is seen of what was sent.
pub fn a_cancelled_upload_stops(bench: &Bench) {
    struct Stop;
    impl Observer for Stop {
        fn observe(&self, _: Event) {}
        fn is_cancelled(&self) -> bool {
            true
        }
    }
    let remote = bench.open();
    let mut bytes = Bytes::default();
    let id = bytes.add(b"a");
    assert_eq!(remote.upload(&[id], &bytes, &Stop).unwrap_err().kind, RemoteErrorKind::Cancelled);
    assert_eq!(remote.head().unwrap(), None);
    assert_eq!(upload(&*remote, &[b"a"]).len(), 1);
}

/// Bytes that no compression makes smaller and no buffer holds; read in pieces of a multiple of eight.
struct Noise {
    state: u64,
    left: u64,
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.left as usize);
        for piece in buffer[..length].chunks_mut(8) {
            let word = splitmix(self.state);
            piece.copy_from_slice(&word.to_le_bytes()[..piece.len()]);
            self.state += 1;
        }
        self.left -= length as u64;
        Ok(length)
    }
}

fn splitmix(number: u64) -> u64 {
    let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// How large "large" is.
const LARGE: u64 = 32 * 1024 * 1024;

struct LargeSource;

impl Source for LargeSource {
    fn open(&self, _: ContentId) -> Result<OfferedContent, RemoteError> {
        Ok(OfferedContent { size: LARGE, bytes: Box::new(Noise { state: 7, left: LARGE }) })
    }
}

struct LargeSink(u64);

impl Sink for LargeSink {
    fn receive(&mut self, _: ObjectId, size: u64, content: &mut dyn Read) -> Result<(), RemoteError> {
        assert_eq!(size, LARGE);
        let mut expected = Noise { state: 7, left: LARGE };
        let (mut ours, mut theirs) = (vec![0; 65536], vec![0; 65536]);
        while self.0 < LARGE {
            content.read_exact(&mut theirs).unwrap();
            expected.read_exact(&mut ours).unwrap();
            assert!(ours == theirs, "differs near {}", self.0);
            self.0 += ours.len() as u64;
        }
        assert_eq!(content.read(&mut theirs).unwrap(), 0);
        Ok(())
    }
}

/// A content much larger than any buffer arrives byte for byte.
pub fn a_large_content_streams(bench: &Bench) {
    let (one, two) = (bench.open(), bench.open());
    let mut hasher = instep_core::content::ContentHasher::new();
    let mut noise = Noise { state: 7, left: LARGE };
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = noise.read(&mut buffer) {
        hasher.update(&buffer[..length]);
    }
    let named = one.upload(&[hasher.finish()], &LargeSource, &Silent).unwrap();
    let mut draft = draft_of(&*one, &Sketch::new());
    let kind = ListedKind::Leaf { kind: LeafKind::File, exec: false };
    draft.entries.push(Drafted { parent: None, name: name(b"large"), kind, object: Some(named[0]) });
    let revision = one.prepare(None, &draft).unwrap();
    one.commit(None, &revision).unwrap();
    two.snapshot(&revision, None).unwrap();
    let mut sink = LargeSink(0);
    two.fetch(&named, &mut sink, &Silent).unwrap();
    assert_eq!(sink.0, LARGE);
}
