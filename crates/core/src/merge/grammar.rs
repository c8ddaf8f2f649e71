//! Kinds of file with a grammar that a line merge could break.
//!
//! A merge of lines may drop a comma, or give one key twice: then a program reads less than what stands there. Such a
//! result is not accepted. Nothing is rewritten here.

use std::collections::BTreeSet;

use super::json::tree::{Dialect, parse, parse_lines};
use super::{Terms, set};
use crate::config::{FileKind, dotenv, yaml};
use crate::path::Name;

/// What a file's name says of its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// Lines.
    Text,
    /// Lines that are only ever appended.
    Log,
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
    /// What the file's group says goes before what the file's name says, and that before what the versions look like.
    pub(super) fn of(terms: &Terms<'_>, versions: &[&[u8]]) -> Self {
        let named = Grammar::named(terms.name);
        match terms.kind {
            Some(FileKind::Binary) => Grammar::Opaque,
            Some(FileKind::Dotenv) => Grammar::Dotenv,
            // These are merges, not grammars: what the contents are written in, their looks tell.
            Some(FileKind::Records | FileKind::Settings) if matches!(named, Grammar::Text | Grammar::Log) => {
                let all = |is: fn(&[u8]) -> bool| versions.iter().all(|version| is(version));
                match () {
                    () if all(|version| parse(version, Dialect::Commented).is_ok()) => Grammar::Json,
                    () if terms.kind == Some(FileKind::Records)
                        && all(|version| parse_lines(version).is_ok()) =>
                    {
                        Grammar::JsonLines
                    }
                    () => named,
                }
            }
            Some(FileKind::Text) if named == Grammar::Log => Grammar::Text,
            None | Some(FileKind::Text | FileKind::Records | FileKind::Settings) => named,
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
            b"json" | b"jsonc" | b"ipynb" | b"geojson" | b"webmanifest" => Grammar::Json,
            b"jsonl" | b"ndjson" => Grammar::JsonLines,
            b"log" => Grammar::Log,
            b"yaml" | b"yml" => Grammar::Yaml,
            b"toml" => Grammar::Toml,
            b"env" => Grammar::Dotenv,
            b"json5" | b"lock" | b"plist" | b"svg" | b"xml" => Grammar::Opaque,
            _ => Grammar::Text,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Grammar::Text | Grammar::Log => "text",
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
            Grammar::Text | Grammar::Log | Grammar::List => true,
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
    parse(content, Dialect::Strict).is_ok()
}
