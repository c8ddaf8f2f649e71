//! A pack of our own making: folders and commits, which git's own commands would write as a file each.
//!
//! The format is version 2 of gitformat-pack(5): a header, each object as its kind and length in front of its deflated
//! bytes, and the SHA-1 of all that. Git itself takes it in, and checks every object while it does.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use instep_core::remote::RemoteError;
use sha1::{Digest, Sha1};

use super::failure;
use super::objects::{Kind, Oid};
use super::program::{Program, Scope};

/// So many objects and more stay together as a pack in our repository; fewer become a file each, or every small sync
/// would leave a pack.
const TOGETHER_MIN: u32 = 40;
/// The signature and the version; behind them stands the number of objects.
const HEADER: &[u8] = b"PACK\0\0\0\x02\0\0\0\0";

/// Objects that git is to take in together. Nothing is in our repository before [`Pack::take_in`].
pub(super) struct Pack {
    bytes: Vec<u8>,
    count: u32,
}

impl Pack {
    /// An empty one.
    pub fn new() -> Self {
        Pack { bytes: HEADER.to_vec(), count: 0 }
    }

    /// Adds a folder or a commit; answers its name.
    pub fn add(&mut self, kind: Kind, body: &[u8]) -> Result<Oid, RemoteError> {
        let (word, number) = match kind {
            Kind::Commit => ("commit", 1),
            Kind::Tree => ("tree", 2),
            Kind::Blob => ("blob", 3),
            Kind::Other => return Err(failure::protocol("A pack of ours takes no such object", &[])),
        };
        let name = Sha1::new().chain_update(format!("{word} {}\0", body.len())).chain_update(body).finalize();
        self.write_head(number, body.len());
        let mut deflated = ZlibEncoder::new(&mut self.bytes, Compression::fast());
        let written = deflated.write_all(body).and_then(|()| deflated.finish().map(drop));
        written.map_err(|error| failure::local("packing a folder", error))?;
        self.count += 1;
        Ok(Oid(name.into()))
    }

    /// Four bits of the length beside the kind, then seven a byte while there are more.
    fn write_head(&mut self, kind: u8, length: usize) {
        let mut byte = (kind << 4) | (length & 15) as u8;
        let mut left = length >> 4;
        while left > 0 {
            self.bytes.push(byte | 0x80);
            byte = (left & 0x7f) as u8;
            left >>= 7;
        }
        self.bytes.push(byte);
    }

    /// Puts all of it into our repository.
    pub fn take_in(mut self, program: &Program) -> Result<(), RemoteError> {
        if self.count == 0 {
            return Ok(());
        }
        self.bytes[8..12].copy_from_slice(&self.count.to_be_bytes());
        let sum = Sha1::digest(&self.bytes);
        self.bytes.extend_from_slice(&sum);
        let mut call = program.call(Scope::Ours)?;
        call.args(["-c", "core.fsync=none", "-c", "core.compression=1"]);
        if self.count < TOGETHER_MIN {
            call.args(["unpack-objects", "-q"]);
        } else {
            call.args(["index-pack", "--stdin"]);
        }
        call.answer_to(&self.bytes).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_the_names_that_git_gives_them() {
        let mut pack = Pack::new();
        let names = [(Kind::Tree, &b""[..]), (Kind::Blob, b""), (Kind::Blob, b"hello\n")]
            .map(|(kind, body)| pack.add(kind, body).unwrap().to_string());
        assert_eq!(names[0], "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(names[1], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(names[2], "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn a_length_is_written_in_as_many_bytes_as_it_needs() {
        for (length, written) in [
            (0, &[0x20][..]),
            (15, &[0x2f]),
            (16, &[0xa0, 0x01]),
            (0x7ff, &[0xaf, 0x7f]),
            (0x800, &[0xa0, 0x80, 0x01]),
        ] {
            let mut pack = Pack::new();
            pack.write_head(2, length);
            assert_eq!(&pack.bytes[HEADER.len()..], written, "{length}");
        }
    }
}
