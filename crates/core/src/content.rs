//! What bytes are called: the BLAKE3 hash of a file's content or of a link's target.

use std::fmt;

/// The BLAKE3 hash of a content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId([u8; 32]);

impl ContentId {
    /// Names the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        ContentId(*blake3::hash(bytes).as_bytes())
    }

    /// Takes a hash as computed or stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        ContentId(bytes)
    }

    /// Borrows the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The name of nothing.
    pub fn empty() -> Self {
        ContentId::of(b"")
    }

    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        let hash = blake3::Hash::from_hex(text).ok()?;
        Some(ContentId(*hash.as_bytes()))
    }

    /// The first eight digits, for people and for names of conflict copies.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Names a content as it streams by.
#[derive(Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Starts with nothing.
    pub fn new() -> Self {
        ContentHasher::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Answers the name of all that went by.
    pub fn finish(&self) -> ContentId {
        ContentId(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_text() {
        let id = ContentId::of(b"x");
        assert_eq!(ContentId::parse(&id.to_string()), Some(id));
        assert_eq!(ContentId::parse("12"), None);
        assert_eq!(ContentId::parse(&id.to_string().to_uppercase()), None);
    }

    #[test]
    fn streaming_and_whole_agree() {
        let mut hasher = ContentHasher::new();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish(), ContentId::of(b"abc"));
    }
}
