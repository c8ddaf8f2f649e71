//! How rows and digests lie in the database: little-endian fields, lengths before bytes, a version byte first.
//!
//! Decoding trusts nothing: a row that is too short, too long, or names a kind that does not exist is an error.

use instep_core::clock::Timestamp;
use instep_core::content::ContentId;
use instep_core::node::{Body, NodeId, PerSide, Row, Value, Views};
use instep_core::path::Name;
use instep_core::tree::{Key, Leaf, LeafKind};

use crate::digest::Digest;
use crate::folder::{DiskKind, Metadata};
use crate::form::FormRecord;

/// The only form so far.
const VERSION: u8 = 1;

/// Bytes that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored row makes no sense")]
pub struct Nonsense;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Nonsense> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Nonsense)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Nonsense> {
        self.take(N)?.try_into().map_err(|_| Nonsense)
    }

    fn u8(&mut self) -> Result<u8, Nonsense> {
        Ok(self.array::<1>()?[0])
    }

    fn u64(&mut self) -> Result<u64, Nonsense> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Nonsense> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn end(&self) -> Result<(), Nonsense> {
        if self.0.is_empty() { Ok(()) } else { Err(Nonsense) }
    }
}

/// Writes a node's row; the node's id is the database's key and not part of it.
pub fn encode_row(row: &Row) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.push(VERSION);
    match &row.views {
        Views::Agreed(value) => {
            out.push(0);
            put_value(&mut out, Some(value));
        }
        Views::Held(views) => {
            out.push(1);
            for value in [&views.base, &views.local, &views.remote] {
                put_value(&mut out, value.as_ref());
            }
        }
    }
    put_key(&mut out, row.keys.local);
    put_key(&mut out, row.keys.remote);
    out
}

/// Reads a node's row.
pub fn decode_row(id: NodeId, bytes: &[u8]) -> Result<Row, Nonsense> {
    let mut reader = Reader(bytes);
    if reader.u8()? != VERSION {
        return Err(Nonsense);
    }
    let views = match reader.u8()? {
        0 => Views::Agreed(take_value(&mut reader)?.ok_or(Nonsense)?),
        1 => {
            let base = take_value(&mut reader)?;
            let local = take_value(&mut reader)?;
            Views::of(base, local, take_value(&mut reader)?)
        }
        _ => return Err(Nonsense),
    };
    let keys = PerSide { local: take_key(&mut reader)?, remote: take_key(&mut reader)? };
    reader.end()?;
    Ok(Row { id, views, keys })
}

fn put_value(out: &mut Vec<u8>, value: Option<&Value>) {
    let Some(value) = value else { return out.push(0) };
    let leaf = match &value.body {
        Body::Folder => {
            out.push(1);
            None
        }
        Body::Leaf(leaf) => {
            out.push(2 + u8::from(leaf.kind == LeafKind::Link) * 2 + u8::from(leaf.exec));
            Some(leaf)
        }
    };
    out.extend_from_slice(&value.parent.0.to_le_bytes());
    out.extend_from_slice(&(value.name.as_bytes().len() as u32).to_le_bytes());
    out.extend_from_slice(value.name.as_bytes());
    if let Some(leaf) = leaf {
        out.extend_from_slice(leaf.content.as_bytes());
        out.extend_from_slice(&leaf.size.to_le_bytes());
    }
}

fn take_value(reader: &mut Reader<'_>) -> Result<Option<Value>, Nonsense> {
    let tag = reader.u8()?;
    if tag == 0 {
        return Ok(None);
    }
    let parent = NodeId(reader.u64()?);
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let name = Name::new(reader.take(length)?).map_err(|_| Nonsense)?;
    let body = match tag {
        1 => Body::Folder,
        2..=5 => Body::Leaf(Leaf {
            kind: if tag >= 4 { LeafKind::Link } else { LeafKind::File },
            exec: tag % 2 == 1,
            content: ContentId::from_bytes(reader.array()?),
            size: reader.u64()?,
        }),
        _ => return Err(Nonsense),
    };
    Ok(Some(Value { parent, name, body }))
}

fn put_key(out: &mut Vec<u8>, key: Option<Key>) {
    let Some(key) = key else { return out.push(0) };
    out.push(1);
    out.extend_from_slice(&key.device.to_le_bytes());
    out.extend_from_slice(&key.inode.to_le_bytes());
    out.extend_from_slice(&key.birth_ns.to_le_bytes());
}

fn take_key(reader: &mut Reader<'_>) -> Result<Option<Key>, Nonsense> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(Key { device: reader.u64()?, inode: reader.u64()?, birth_ns: reader.i64()? })),
        _ => Err(Nonsense),
    }
}

/// Writes a digest; the file's number is the database's key and not part of it.
pub fn encode_digest(digest: &Digest) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    let metadata = &digest.metadata;
    out.push(VERSION);
    out.push(u8::from(metadata.kind == DiskKind::Link));
    out.extend_from_slice(&metadata.key.device.to_le_bytes());
    out.extend_from_slice(&metadata.key.birth_ns.to_le_bytes());
    out.extend_from_slice(&metadata.size.to_le_bytes());
    out.extend_from_slice(&metadata.modified.ns().to_le_bytes());
    out.extend_from_slice(&metadata.changed.ns().to_le_bytes());
    out.extend_from_slice(&digest.observed.ns().to_le_bytes());
    out.extend_from_slice(digest.content.as_bytes());
    out
}

/// Reads a digest.
pub fn decode_digest(inode: u64, bytes: &[u8]) -> Result<Digest, Nonsense> {
    let mut reader = Reader(bytes);
    if reader.u8()? != VERSION {
        return Err(Nonsense);
    }
    let kind = match reader.u8()? {
        0 => DiskKind::File,
        1 => DiskKind::Link,
        _ => return Err(Nonsense),
    };
    let key = Key { device: reader.u64()?, inode, birth_ns: reader.i64()? };
    let size = reader.u64()?;
    let modified = Timestamp::from_ns(reader.i64()?);
    let changed = Timestamp::from_ns(reader.i64()?);
    let observed = Timestamp::from_ns(reader.i64()?);
    let content = ContentId::from_bytes(reader.array()?);
    reader.end()?;
    // Mode and number of names do not take part in the comparison that a digest serves.
    let metadata = Metadata { kind, key, size, modified, changed, mode: 0, names: 0 };
    Ok(Digest { metadata, content, observed })
}

/// Writes what was found of a file that travels in a form; the file's number is the database's key and not part of it.
pub fn encode_form(record: &FormRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.push(VERSION);
    out.extend_from_slice(&record.key.device.to_le_bytes());
    out.extend_from_slice(&record.key.birth_ns.to_le_bytes());
    out.extend_from_slice(&record.size.to_le_bytes());
    for content in [record.witness, record.name, record.content] {
        out.extend_from_slice(content.as_bytes());
    }
    out
}

/// Reads what was found of such a file.
pub fn decode_form(inode: u64, bytes: &[u8]) -> Result<FormRecord, Nonsense> {
    let mut reader = Reader(bytes);
    if reader.u8()? != VERSION {
        return Err(Nonsense);
    }
    let key = Key { device: reader.u64()?, inode, birth_ns: reader.i64()? };
    let size = reader.u64()?;
    let mut content = || reader.array().map(ContentId::from_bytes);
    let (witness, name, content) = (content()?, content()?, content()?);
    reader.end()?;
    Ok(FormRecord { key, witness, name, content, size })
}

/// Writes many rows, ids included.
pub fn encode_rows(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        let bytes = encode_row(row);
        out.extend_from_slice(&row.id.0.to_le_bytes());
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

/// Reads many rows.
pub fn decode_rows(bytes: &[u8]) -> Result<Vec<Row>, Nonsense> {
    let mut reader = Reader(bytes);
    let mut rows = Vec::new();
    while !reader.0.is_empty() {
        let id = NodeId(reader.u64()?);
        let length = u32::from_le_bytes(reader.array()?) as usize;
        rows.push(decode_row(id, reader.take(length)?)?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, body: Body) -> Value {
        Value { parent: NodeId(7), name: Name::new(name.as_bytes()).unwrap(), body }
    }

    fn leaf(kind: LeafKind, exec: bool) -> Body {
        Body::Leaf(Leaf { kind, content: ContentId::of(b"x"), size: 1, exec })
    }

    fn rows() -> Vec<Row> {
        let key = Key { device: 3, inode: 9, birth_ns: -4 };
        let agreed = Views::Agreed(value("a", leaf(LeafKind::File, true)));
        let held =
            Views::of(None, Some(value("l", Body::Folder)), Some(value("r", leaf(LeafKind::Link, false))));
        vec![
            Row { id: NodeId(1), views: agreed, keys: PerSide { local: Some(key), remote: None } },
            Row { id: NodeId(2), views: held, keys: PerSide::default() },
        ]
    }

    #[test]
    fn rows_come_back_as_they_were() {
        assert_eq!(decode_rows(&encode_rows(&rows())), Ok(rows()));
    }

    #[test]
    fn a_cut_or_changed_row_is_refused_and_never_panics() {
        for row in rows() {
            let bytes = encode_row(&row);
            for cut in 0..bytes.len() {
                assert_eq!(decode_row(row.id, &bytes[..cut]), Err(Nonsense));
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert_eq!(decode_row(row.id, &longer), Err(Nonsense));
        }
    }
}
