//! YAML as settings use it: plain trees with places, within tight limits.
//!
//! The only file that knows the YAML parser, but for [`written`]. Anchors, aliases, tags and several documents are refused: settings need
//! none of them, and they are how a small text becomes a large one.

pub(crate) mod written;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, Span, StrInput, options};

use super::error::{ConfigError, Place};

/// The largest text that is read as settings, in bytes.
pub const SETTINGS_BYTES_MAX: usize = 1 << 20;
/// How deep settings may nest.
const DEPTH_MAX: usize = 32;
/// How many values they may hold.
const NODES_MAX: usize = 100_000;
const TOO_DEEP: &str = "the text nests deeper than 32 levels";

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub place: Place,
    pub value: Tree,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// A text; `plain` if it stands without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the text.
    Map(Vec<(Key, Node)>),
}

/// A key of a map and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub name: String,
    pub place: Place,
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Tree::Scalar { .. } => "a single value",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a block of keys",
        }
    }

    /// Finds the value under these words.
    pub(super) fn at(&self, path: &[String]) -> Option<&Node> {
        path.iter().try_fold(self, |node, word| match &node.value {
            Tree::Map(entries) => entries.iter().find(|(key, _)| key.name == *word).map(|(_, inner)| inner),
            _ => None,
        })
    }

    /// Answers whether nothing is given: an empty value, `null` or `~`.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.value, Tree::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// Reads a text as one tree; `None` if there is nothing but comments.
pub(super) fn parse(file: &Arc<str>, bytes: &[u8]) -> Result<Option<Node>, ConfigError> {
    let text = check_text(file, bytes)?;
    let mut builder = Builder { file, text, open: Vec::new(), root: None, nodes: 0, documents: 0 };
    for event in events(text) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) if *error.kind() == ErrorKind::RecursionLimitExceeded => {
                let place = builder.place(error.marker().line(), error.marker().col());
                return Err(ConfigError::Limit { place, why: TOO_DEEP });
            }
            Err(error) => {
                let mark = error.marker();
                let place = builder.place(mark.line(), mark.col());
                return Err(builder.parse_error(place, reason(error.kind())));
            }
        }
    }
    Ok(builder.root)
}

/// Answers whether a text of any size that a merge may meet is YAML, with no key twice in one block; nothing is kept.
pub(crate) fn is_yaml(text: &str) -> bool {
    let mut open: Vec<Block> = Vec::new();
    events(text).all(|event| match event {
        Ok((Event::Scalar(text, ..), _)) => match open.last_mut() {
            Some(Block { keys: Some(keys), at_key: at_key @ true }) => {
                *at_key = false;
                keys.insert(text.into_owned())
            }
            _ => ends_value(&mut open),
        },
        Ok((Event::MappingStart(..), _)) => opens(&mut open, Some(HashSet::new())),
        Ok((Event::SequenceStart(..), _)) => opens(&mut open, None),
        Ok((Event::MappingEnd | Event::SequenceEnd, _)) => {
            open.pop();
            ends_value(&mut open)
        }
        Ok((Event::Alias(_), _)) => ends_value(&mut open),
        event => event.is_ok(),
    })
}

/// A block that is not closed yet; a list has no keys.
struct Block {
    keys: Option<HashSet<String>>,
    at_key: bool,
}

fn opens(open: &mut Vec<Block>, keys: Option<HashSet<String>>) -> bool {
    open.push(Block { keys, at_key: true });
    open.len() < 1_000
}

/// After a key comes its value, after a value the next key; a key may be a block itself.
fn ends_value(open: &mut [Block]) -> bool {
    if let Some(block) = open.last_mut() {
        block.at_key = !block.at_key;
    }
    true
}

/// Comments are skipped, so that no number of them is too many for the parser.
fn events(text: &str) -> Parser<'_, StrInput<'_>> {
    let options: Options = options! { emit_comments: false };
    Parser::new_from_str_with_options(text, options)
}

fn reason(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::UnknownAnchor => "a text that starts with `*` needs quotes".to_owned(),
        kind => format!("this is not YAML: {kind}"),
    }
}

fn check_text<'t>(file: &Arc<str>, bytes: &'t [u8]) -> Result<&'t str, ConfigError> {
    if bytes.len() > SETTINGS_BYTES_MAX {
        let why = "the text is larger than 1 MiB";
        return Err(ConfigError::Limit { place: Place::named(file.clone()), why });
    }
    let at = |line, column| Place { file: file.clone(), line: Some(line), column: Some(column) };
    let fail = |place, why: &str, text: String| Err(ConfigError::Parse { place, why: why.to_owned(), text });
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return fail(at(1, 1), "the text is UTF-16: save it as UTF-8", String::new());
        }
        [0xef, 0xbb, 0xbf, ..] => {
            let why = "the text starts with a byte order mark: save it as UTF-8 without one";
            return fail(at(1, 1), why, String::new());
        }
        _ => {}
    }
    std::str::from_utf8(bytes).or_else(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        let end = bytes[start..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| start + at);
        let line_text = String::from_utf8_lossy(&bytes[start..end]).into_owned();
        fail(at(line as u32, column as u32), "this is not UTF-8", line_text)
    })
}

/// A list or map that is not closed yet.
enum Open {
    List(Place, Vec<Node>),
    Map { place: Place, entries: Vec<(Key, Node)>, seen: HashMap<String, Place>, key: Option<Key> },
}

struct Builder<'t> {
    file: &'t Arc<str>,
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ConfigError> {
        let place = self.place(span.start.line(), span.start.col());
        if event.anchor_id().is_some() || event.alias_id().is_some() {
            return Err(ConfigError::Limit { place, why: "anchors and aliases have no place in settings" });
        }
        if event.tag().is_some() {
            return Err(ConfigError::Limit { place, why: "a text that starts with `!` needs quotes" });
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.parse_error(place, "a second document starts here".to_owned()));
                }
            }
            Event::Scalar(text, style, ..) => return self.scalar(place, text, style == ScalarStyle::Plain),
            Event::SequenceStart(..) => self.begin(place.clone(), Open::List(place, Vec::new()))?,
            Event::MappingStart(..) => {
                let map =
                    Open::Map { place: place.clone(), entries: Vec::new(), seen: HashMap::new(), key: None };
                self.begin(place, map)?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(place, items)) => self.add(Node { place, value: Tree::List(items) }),
                Some(Open::Map { place, entries, .. }) => self.add(Node { place, value: Tree::Map(entries) }),
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, open: Open) -> Result<(), ConfigError> {
        if let Some(Open::Map { key: None, .. }) = self.open.last() {
            return Err(self.parse_error(place, "a key must be a single word".to_owned()));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(ConfigError::Limit { place, why: TOO_DEEP });
        }
        self.count(&place)?;
        self.open.push(open);
        Ok(())
    }

    fn scalar(&mut self, place: Place, text: Cow<'_, str>, plain: bool) -> Result<(), ConfigError> {
        self.count(&place)?;
        if let Some(Open::Map { seen, key: key @ None, .. }) = self.open.last_mut() {
            let name = text.into_owned();
            if let Some(first) = seen.insert(name.clone(), place.clone()) {
                return Err(ConfigError::Duplicate { key: name, first, second: place });
            }
            *key = Some(Key { name, place });
            return Ok(());
        }
        self.add(Node { place, value: Tree::Scalar { text: text.into_owned(), plain } });
        Ok(())
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, key, .. }) => entries.extend(key.take().map(|key| (key, node))),
        }
    }

    fn count(&mut self, place: &Place) -> Result<(), ConfigError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ConfigError::Limit {
                place: place.clone(),
                why: "the text holds more than 100,000 values",
            });
        }
        Ok(())
    }

    fn place(&self, line: usize, column: usize) -> Place {
        Place { file: self.file.clone(), line: Some(line as u32), column: Some(column as u32 + 1) }
    }

    fn parse_error(&self, place: Place, why: String) -> ConfigError {
        let line = place.line.unwrap_or(1).max(1) as usize;
        let text: String = self.text.lines().nth(line - 1).unwrap_or_default().chars().take(160).collect();
        ConfigError::Parse { place, why, text }
    }
}
