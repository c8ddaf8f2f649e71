//! Notes: what machines lay down beside a remote's snapshots, for each other.
//!
//! A note is replaced whole by its author and seen by all. It is part of no snapshot, and nothing is lost if it goes. The
//! remote reads nothing of it: bytes go in, and the same bytes come out.

use crate::content::ContentId;
use crate::remote::ObjectId;

/// The longest text that is laid down, or taken from another machine, in bytes.
pub const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// How many notes of one remote are read.
pub const NOTES_MAX: usize = 1_000;
/// How many contents of one note are looked at.
pub const CONTENTS_MAX: usize = 10_000;

/// What one machine laid down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The id of the machine, as the remote has it.
    pub author: String,
    /// The text.
    pub text: Vec<u8>,
    /// The contents that came with it, each with the remote's name for it. That they are what they are called is only the
    /// author's word.
    pub contents: Vec<(ContentId, ObjectId)>,
}

/// All notes of a remote at one moment, in order of author.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// Stands for exactly these notes: as long as it is the same, nothing was laid down. Empty if there are none.
    pub mark: String,
    /// The notes. Those that can't be read are left out.
    pub notes: Vec<Note>,
}

/// Answers whether a machine's id can stand for an author: 1 to 64 plain letters and digits.
pub fn is_author(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_plain() {
        let long = "a".repeat(65);
        for (id, is) in [("3f9c2a1b", true), ("", false), ("a/b", false), ("..", false), (&long, false)] {
            assert_eq!(is_author(id), is, "{id}");
        }
    }
}
