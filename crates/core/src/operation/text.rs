//! Paths, contents and ids as JSON: text where they are text, base64 where they are not.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::OperationId;
use crate::content::ContentId;
use crate::path::TreePath;

/// Bytes that are mostly text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes<'a> {
    Text(std::borrow::Cow<'a, str>),
    Other { base64: String },
}

impl<'a> From<&'a TreePath> for Bytes<'a> {
    fn from(path: &'a TreePath) -> Self {
        match std::str::from_utf8(path.as_bytes()) {
            Ok(text) => Bytes::Text(text.into()),
            Err(_) => Bytes::Other { base64: encode(path.as_bytes()) },
        }
    }
}

impl Bytes<'_> {
    fn path<E: Error>(self) -> Result<TreePath, E> {
        let bytes = match self {
            Bytes::Text(text) => text.into_owned().into_bytes(),
            Bytes::Other { base64 } => decode(&base64).ok_or_else(|| E::custom("this is not base64"))?,
        };
        TreePath::new(&bytes).map_err(E::custom)
    }
}

/// A path.
pub(crate) mod path {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(path: &TreePath, to: S) -> Result<S::Ok, S::Error> {
        Bytes::from(path).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TreePath, D::Error> {
        Bytes::deserialize(from)?.path()
    }
}

/// A path that may not be there.
pub(super) mod optional_path {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(path: &Option<TreePath>, to: S) -> Result<S::Ok, S::Error> {
        path.as_ref().map(Bytes::from).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TreePath>, D::Error> {
        Option::<Bytes>::deserialize(from)?.map(Bytes::path).transpose()
    }
}

/// A content's name that may not be there.
pub(super) mod optional_content {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(content: &Option<ContentId>, to: S) -> Result<S::Ok, S::Error> {
        content.map(|content| content.to_string()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ContentId>, D::Error> {
        let parse =
            |text: String| ContentId::parse(&text).ok_or_else(|| D::Error::custom("this names no content"));
        Option::<String>::deserialize(from)?.map(parse).transpose()
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        OperationId::parse(&text).ok_or_else(|| D::Error::custom("this names no operation"))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, at| group << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Only the one text that `encode` writes for some bytes is taken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut group = 0_u32;
        for at in 0..4 {
            let value = match chunk.get(at) {
                Some(letter) => ALPHABET.iter().position(|known| known == letter)?,
                None => 0,
            };
            group = group << 6 | value as u32;
        }
        bytes.extend_from_slice(&group.to_be_bytes()[1..chunk.len()]);
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_it_is_written() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"\xff\xfe\x00\x80", "//4AgA=="),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        for bad in ["Zg", "Zg=", "Zh==", "Z", "Zm9v=", "Zm 9", "=", "Zg==Zg=="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
