//! Kinds of file with a grammar that a line merge could break.
//!
//! A merge of lines may drop a comma, or give one key twice: then a program reads less than what stands there. Such a
//! result is not accepted. Nothing is rewritten here.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Terms, set};
use crate::config::{FileKind, dotenv, yaml};
use crate::path::Name;

/// What a file's name says of its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Lines.
    Text,
    Json,
    /// One JSON value a line.
    JsonLines,
    Yaml,
    Toml,
    /// One variable a line, each name once.
    Dotenv,
    /// One pattern a line.
    List,
    /// One that only its own program can check.
    Opaque,
}

impl Grammar {
    /// What the file's group says goes before what the file's name says.
    pub(super) fn of(terms: &Terms<'_>) -> Self {
        match terms.kind {
            Some(FileKind::Binary) => Grammar::Opaque,
            Some(FileKind::Dotenv) => Grammar::Dotenv,
            // These are merges, not grammars: what the contents are written in, the name tells.
            None | Some(FileKind::Text | FileKind::Records | FileKind::Settings) => {
                Grammar::named(terms.name)
            }
        }
    }

    fn named(name: &Name) -> Self {
        if set::is_named(name) {
            return Grammar::List;
        }
        let name = name.as_bytes().to_ascii_lowercase();
        if name == b".env" || name.starts_with(b".env.") {
            return Grammar::Dotenv;
        }
        let dot = name.iter().rposition(|&byte| byte == b'.');
        match dot.map_or(&b""[..], |dot| &name[dot + 1..]) {
            b"json" | b"ipynb" | b"geojson" | b"webmanifest" => Grammar::Json,
            b"jsonl" | b"ndjson" => Grammar::JsonLines,
            b"yaml" | b"yml" => Grammar::Yaml,
            b"toml" => Grammar::Toml,
            b"env" => Grammar::Dotenv,
            b"jsonc" | b"json5" | b"lock" | b"plist" | b"svg" | b"xml" => Grammar::Opaque,
            _ => Grammar::Text,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Grammar::Text => "text",
            Grammar::Json => "JSON",
            Grammar::JsonLines => "JSON Lines",
            Grammar::Yaml => "YAML",
            Grammar::Toml => "TOML",
            Grammar::Dotenv => "dotenv",
            Grammar::List => "patterns",
            Grammar::Opaque => "content",
        }
    }

    /// Answers whether a content obeys the grammar and says nothing twice.
    pub(super) fn accepts(self, content: &[u8]) -> bool {
        let text = std::str::from_utf8(content);
        match self {
            Grammar::Text | Grammar::List => true,
            Grammar::Opaque => false,
            Grammar::Json => is_json(content),
            Grammar::JsonLines => {
                content.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).all(is_json)
            }
            Grammar::Yaml => text.is_ok_and(yaml::is_yaml),
            Grammar::Toml => text.is_ok_and(|text| toml_edit::Document::parse(text).is_ok()),
            Grammar::Dotenv => has_distinct_names(content),
        }
    }
}

fn has_distinct_names(content: &[u8]) -> bool {
    let mut names = BTreeSet::new();
    dotenv::parse(content).into_iter().all(|variable| names.insert(variable.name))
}

fn is_json(content: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(content);
    Distinct.deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

/// Takes any JSON value in which no object has a key twice, and keeps nothing of it.
struct Distinct;

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Distinct)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key stands there twice"));
            }
            entries.next_value_seed(Distinct)?;
        }
        Ok(())
    }
}
