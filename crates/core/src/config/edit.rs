//! One change to a settings text, with comments and order kept.
//!
//! The text is edited as a text, then read again: it must say exactly what it said before, but for the one change. If it
//! does not, nothing is answered but the advice to edit by hand.

use std::str::FromStr;
use std::sync::Arc;

use yaml_edit::path::YamlPath;
use yaml_edit::{Document, Mapping, Sequence};

use super::error::{ConfigError, Place};
use super::key::{self, KeySpec, Reach};
use super::layer::{self, Layer, LayerKind};
use super::value::{Kind, Value};
use super::yaml::{self, Node, Tree};

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'a> {
    /// Gives a key this value; a list takes its items separated by commas.
    Set {
        /// The dotted key.
        key: &'a str,
        /// The value.
        value: &'a str,
    },
    /// Appends to a list, unless the item is there.
    Add {
        /// The dotted key.
        key: &'a str,
        /// The item.
        item: &'a str,
    },
    /// Takes one item out of a list.
    Remove {
        /// The dotted key.
        key: &'a str,
        /// The item.
        item: &'a str,
    },
    /// Takes a key out.
    Unset {
        /// The dotted key.
        key: &'a str,
    },
}

/// Why a text was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text, or the value, is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key acts only from this machine's own settings.
    #[error("`{key}` acts only from this machine's own settings")]
    HereOnly {
        /// The key.
        key: String,
    },
    /// The key takes one value, not a list.
    #[error("`{key}` is no list")]
    NoList {
        /// The key.
        key: String,
    },
    /// The change could not be made without touching something else.
    #[error("{file} is written in a way that can't be changed from here: change `{key}` by hand")]
    ByHand {
        /// The file.
        file: String,
        /// The key.
        key: String,
    },
}

impl EditError {
    /// The stable code that people can search for.
    pub fn code(&self) -> &'static str {
        match self {
            EditError::Config(error) => error.code(),
            EditError::HereOnly { .. } => "E-CONF-HERE",
            EditError::NoList { .. } => "E-CONF-TYPE",
            EditError::ByHand { .. } => "E-CONF-EDIT",
        }
    }
}

/// Answers where `config set` writes a key unless told otherwise.
pub fn usual_layer(key: &str) -> LayerKind {
    match key::find(key).map(|spec| spec.reach) {
        Some(Reach::Anywhere) => LayerKind::Shared,
        _ => LayerKind::Here,
    }
}

/// Makes one change in the text of a settings file of the given kind (shared or here); `file` is its name.
pub fn edit(kind: LayerKind, file: &str, text: &str, change: &Edit<'_>) -> Result<String, EditError> {
    let spec = check(kind, change)?;
    let root = yaml::parse(&Arc::from(file), text.as_bytes())?;
    let path = layer::written_path(root.as_ref(), change.key());
    let current = root.as_ref().and_then(|root| root.at(&path)).cloned();
    let wanted = wanted(spec, current.as_ref(), change)?;
    let wanted_root = with(root.as_ref(), &path, wanted.as_ref());
    let by_hand = || EditError::ByHand { file: file.to_owned(), key: change.key().to_owned() };
    let is_good = |edited: &String| {
        let read = yaml::parse(&Arc::from(file), edited.as_bytes());
        read.is_ok_and(|read| same(read.as_ref(), wanted_root.as_ref())) && comments(edited) == comments(text)
    };
    let edited = match root.filter(|root| !root.is_nothing()) {
        Some(_) if wanted.is_none() && current.is_none() => Some(text.to_owned()),
        Some(root) if wanted.is_none() => {
            // The line goes with the blocks that would be empty; else alone; or what stands in braces goes from there.
            let whole = emptied(&root, &path);
            let cuts = [cut(text, &root, whole, path.len()), cut(text, &root, &path, path.len())];
            let last = || rewrite(text, whole, None).filter(is_good);
            cuts.into_iter().flatten().find(is_good).or_else(last)
        }
        Some(_) => rewrite(text, &path, wanted.as_ref()).filter(is_good),
        None => Some(append(text, &path, wanted.as_ref())).filter(is_good),
    };
    let edited = edited.ok_or_else(by_hand)?;
    match kind {
        LayerKind::Shared => Layer::shared(file, edited.as_bytes())?,
        _ => Layer::here(file, edited.as_bytes())?,
    };
    Ok(edited)
}

impl Edit<'_> {
    fn key(&self) -> &str {
        match self {
            Edit::Set { key, .. }
            | Edit::Add { key, .. }
            | Edit::Remove { key, .. }
            | Edit::Unset { key } => key,
        }
    }
}

/// Looks whether the change makes sense, before any text is looked at.
fn check(kind: LayerKind, change: &Edit<'_>) -> Result<&'static KeySpec, EditError> {
    let path = change.key();
    let spec = key::find(path).ok_or_else(|| layer::unknown_key(path, path, &Place::named("config")))?;
    let is_list = matches!(spec.kind, Kind::List | Kind::Patterns);
    match change {
        Edit::Add { .. } | Edit::Remove { .. } if !is_list => {
            return Err(EditError::NoList { key: path.to_owned() });
        }
        Edit::Set { value, .. } | Edit::Add { item: value, .. } => {
            if kind == LayerKind::Shared && spec.reach == Reach::HereOnly {
                return Err(EditError::HereOnly { key: path.to_owned() });
            }
            layer::read_text(kind, spec, path.to_owned(), value, Place::named(path))?;
        }
        Edit::Remove { .. } | Edit::Unset { .. } => {}
    }
    Ok(spec)
}

/// What a key is to hold; none if it is to go.
#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Plain(String),
    Text(String),
    List(Vec<String>),
}

fn wanted(spec: &KeySpec, current: Option<&Node>, change: &Edit<'_>) -> Result<Option<Wanted>, EditError> {
    let items = || -> Vec<String> {
        let text = |node: &Node| {
            if let Tree::Scalar { text, .. } = &node.value { text.clone() } else { String::new() }
        };
        match current.map(|node| &node.value) {
            Some(Tree::List(nodes)) => nodes.iter().map(text).collect(),
            Some(Tree::Scalar { text, .. }) if !text.is_empty() => vec![text.clone()],
            _ => Vec::new(),
        }
    };
    Ok(match change {
        Edit::Set { value, .. } => match spec.kind.read(value, true) {
            Ok(Value::List(items)) => Some(Wanted::List(items.into_iter().map(|(item, _)| item).collect())),
            _ if matches!(spec.kind, Kind::Text | Kind::Secret) => Some(Wanted::Text((*value).to_owned())),
            _ => Some(Wanted::Plain((*value).to_owned())),
        },
        Edit::Add { item, .. } => {
            let mut items = items();
            if !items.iter().any(|known| known == item) {
                items.push((*item).to_owned());
            }
            Some(Wanted::List(items))
        }
        Edit::Remove { item, .. } => {
            let mut items = items();
            items.retain(|known| known != item);
            if items.is_empty() { None } else { Some(Wanted::List(items)) }
        }
        Edit::Unset { .. } => None,
    })
}

/// The tree as it is to be read afterwards.
fn with(root: Option<&Node>, path: &[String], wanted: Option<&Wanted>) -> Option<Node> {
    let node = |value| Node { place: Place::default(), value };
    let Some((first, rest)) = path.split_first() else {
        let scalar = |text: &String, plain| node(Tree::Scalar { text: text.clone(), plain });
        return wanted.map(|wanted| match wanted {
            Wanted::Plain(text) => scalar(text, true),
            Wanted::Text(text) => scalar(text, false),
            Wanted::List(items) => node(Tree::List(items.iter().map(|item| scalar(item, false)).collect())),
        });
    };
    let mut entries = match root.map(|root| &root.value) {
        Some(Tree::Map(entries)) => entries.clone(),
        _ => Vec::new(),
    };
    let at = entries.iter().position(|(key, _)| key.name == *first);
    let inner = with(at.map(|at| &entries[at].1), rest, wanted);
    match (at, inner) {
        (Some(at), Some(inner)) => entries[at].1 = inner,
        (Some(at), None) => drop(entries.remove(at)),
        (None, Some(inner)) => {
            entries.push((yaml::Key { name: first.clone(), place: Place::default() }, inner));
        }
        (None, None) => {}
    }
    if entries.is_empty() { None } else { Some(node(Tree::Map(entries))) }
}

/// Answers whether two trees say the same, in whatever order and quotes. What is empty says nothing.
fn same(one: Option<&Node>, other: Option<&Node>) -> bool {
    fn nothing(node: &Node) -> bool {
        let is_empty = |entries: &[(yaml::Key, Node)]| entries.iter().all(|(_, inner)| nothing(inner));
        node.is_nothing() || matches!(&node.value, Tree::Map(entries) if is_empty(entries))
    }
    let (one, other) = (one.filter(|node| !nothing(node)), other.filter(|node| !nothing(node)));
    match (one.map(|node| &node.value), other.map(|node| &node.value)) {
        (None, None) => true,
        (Some(Tree::Scalar { text: a, .. }), Some(Tree::Scalar { text: b, .. })) => a == b,
        (Some(Tree::List(a)), Some(Tree::List(b))) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(Some(a), Some(b)))
        }
        (Some(Tree::Map(a)), Some(Tree::Map(b))) => {
            let find = |of: &[(yaml::Key, Node)], name: &str| -> Option<Node> {
                of.iter().find(|(key, _)| key.name == name).map(|(_, node)| node.clone())
            };
            let names = a.iter().chain(b).map(|(key, _)| key.name.as_str());
            names.into_iter().all(|name| same(find(a, name).as_ref(), find(b, name).as_ref()))
        }
        _ => false,
    }
}

/// What goes with a key: the blocks around it that would hold nothing any more.
fn emptied<'p>(root: &Node, path: &'p [String]) -> &'p [String] {
    let is_alone = |length: &usize| {
        let block = root.at(&path[..*length]).map(|node| &node.value);
        matches!(block, Some(Tree::Map(entries)) if entries.len() == 1)
    };
    let shortest = (1..path.len()).rev().take_while(is_alone).last();
    &path[..shortest.unwrap_or(path.len())]
}

/// Takes a key out by its lines, where it begins one: up to the next line that stands no deeper. Blank lines and comments
/// before that one are of what follows. A remark behind a block that would go with it keeps the block; `depth` is that of
/// the key itself.
fn cut(text: &str, root: &Node, path: &[String], depth: usize) -> Option<String> {
    let (last, above) = path.split_last()?;
    let Tree::Map(entries) = &root.at(above)?.value else { return None };
    let (key, _) = entries.iter().find(|(key, _)| key.name == *last)?;
    let first = key.place.line?.checked_sub(1)? as usize;
    let indent = key.place.column?.checked_sub(1)? as usize;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begins = lines.get(first)?.chars().take(indent).all(|c| c == ' ');
    if !begins || (path.len() < depth && lines[first].contains(" #")) {
        return None;
    }
    let deeper = |line: &str| {
        let spaces = line.chars().take_while(|c| *c == ' ').count();
        spaces > indent || (spaces == indent && line[spaces..].starts_with("- "))
    };
    let is_quiet = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let mut end = first + 1;
    for (at, line) in lines.iter().enumerate().skip(first + 1).filter(|(_, line)| !is_quiet(line)) {
        if !deeper(line) {
            break;
        }
        end = at + 1;
    }
    Some([&lines[..first], &lines[end..]].concat().concat())
}

/// The comments of a text, as far as one can tell without reading it as YAML: no edit may lose one.
fn comments(text: &str) -> Vec<&str> {
    let whole = text.lines().map(str::trim).filter(|line| line.starts_with('#'));
    whole.collect()
}

/// Makes the change in the syntax tree; none if that is not possible.
fn rewrite(text: &str, path: &[String], wanted: Option<&Wanted>) -> Option<String> {
    let document = Document::from_str(text).ok()?;
    let dotted = path.join(".");
    match wanted {
        None => match document.try_remove_path(&dotted) {
            Ok(_) | Err(yaml_edit::path::PathError::NotFound { .. }) => {}
            Err(_) => return None,
        },
        Some(Wanted::List(items)) => set_list(&document, path, items)?,
        Some(Wanted::Text(value)) => document.try_set_path(&dotted, value.as_str()).ok()?,
        Some(Wanted::Plain(value)) => set_plain(&document, &dotted, value)?,
    }
    Some(document.to_string())
}

/// Numbers and truth values stand without quotes, or they would be texts.
fn set_plain(document: &Document, path: &str, value: &str) -> Option<()> {
    let set = match (value.parse::<bool>(), value.parse::<i64>(), value.parse::<f64>()) {
        (Ok(answer), ..) => document.try_set_path(path, answer),
        (_, Ok(number), _) => document.try_set_path(path, number),
        (.., Ok(number)) => document.try_set_path(path, number),
        _ => document.try_set_path(path, value),
    };
    set.ok()
}

/// Changes a list item by item, so that the comments between them stay.
fn set_list(document: &Document, path: &[String], items: &[String]) -> Option<()> {
    let existing = block_of(document, path).and_then(|block| block.get_sequence(path.last()?.as_str()));
    let Some(list) = existing else {
        let list = Sequence::new_flow();
        items.iter().for_each(|item| list.push(item.as_str()));
        return document.try_set_path(&path.join("."), &list).ok();
    };
    let current: Vec<String> = list.values().map(|value| scalar_text(&value)).collect();
    for at in (0..current.len()).rev().filter(|&at| !items.contains(&current[at])) {
        list.remove(at);
    }
    for item in items.iter().filter(|item| !current.contains(item)) {
        list.push(item.as_str());
    }
    Some(())
}

fn block_of(document: &Document, path: &[String]) -> Option<Mapping> {
    let mut block = document.as_mapping()?;
    for word in &path[..path.len() - 1] {
        block = block.get_mapping(word.as_str())?;
    }
    Some(block)
}

fn scalar_text(value: &yaml_edit::YamlNode) -> String {
    value.as_scalar().map(|scalar| scalar.as_string()).unwrap_or_default()
}

/// A text without keys gets its first block at the end.
fn append(text: &str, path: &[String], wanted: Option<&Wanted>) -> String {
    let Some(wanted) = wanted else { return text.to_owned() };
    let line_break = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let mut appended = format!("{text}{line_break}");
    for (depth, word) in path.iter().enumerate() {
        appended.push_str(&format!("{}{word}:", "  ".repeat(depth)));
        appended.push_str(if depth + 1 == path.len() { " " } else { "\n" });
    }
    let quoted = |text: &String| super::template::quoted(text);
    match wanted {
        Wanted::Plain(value) => appended.push_str(value),
        Wanted::Text(value) => appended.push_str(&quoted(value)),
        Wanted::List(items) => {
            appended.push_str(&format!("[{}]", items.iter().map(quoted).collect::<Vec<_>>().join(", ")));
        }
    }
    appended.push('\n');
    appended
}

#[cfg(test)]
mod tests;
