//! One layer of settings: what one file, the environment or the command line gives, each value with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::error::{ConfigError, Place, shown};
use super::key::{self, KEYS, KeySpec, Reach};
use super::value::{Fault, Kind, Value};
use super::yaml::{self, Key, Node, Tree};
use crate::filter::rule::{TakesBack, check_pattern};
use crate::filter::{RulePlace, RuleText};

/// The newest version of the settings file that is understood.
pub const VERSION: u64 = 1;

/// Who gives a value; a later one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerKind {
    /// Instep itself.
    BuiltIn,
    /// `instep.yaml`, which travels.
    Shared,
    /// `instep.local.yaml`, which never leaves this machine.
    Here,
    /// `.env` in the workspace.
    DotEnv,
    /// The environment.
    Environment,
    /// The command line.
    Flags,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who gives it.
    pub layer: LayerKind,
    /// The file and line, or the name of the variable or option.
    pub place: Place,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.line {
            Some(line) => write!(f, "{} line {line}", self.place.file),
            None => f.write_str(&self.place.file),
        }
    }
}

/// One value with its key and origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The dotted key.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// All that one source gives, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Who gives it.
    pub kind: LayerKind,
    /// What it gives.
    pub given: Vec<Given>,
}

/// One value of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag<'a> {
    /// The dotted key.
    pub key: &'a str,
    /// The option as it was typed, such as `--branch`.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Layer {
    /// What holds when nobody says anything.
    pub fn built_in() -> Self {
        let given = KEYS.iter().filter(|spec| !spec.path.contains('*')).filter_map(|spec| {
            let value = spec.default_value()?;
            let origin = Origin { layer: LayerKind::BuiltIn, place: Place::named("built in") };
            Some(Given { key: spec.path.to_owned(), value, origin })
        });
        Layer { kind: LayerKind::BuiltIn, given: given.collect() }
    }

    /// Reads the settings that travel; `file` is their name as people know it.
    pub fn shared(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        Layer::file(LayerKind::Shared, file, bytes)
    }

    /// Reads the settings of this machine.
    pub fn here(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        Layer::file(LayerKind::Here, file, bytes)
    }

    /// Takes the variables of the environment, or of a `.env` file; those that are no settings are passed over.
    pub fn variables<N: AsRef<str>, V: AsRef<str>>(
        kind: LayerKind,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ConfigError> {
        let mut given = Vec::new();
        for (name, text) in variables {
            let (name, text) = (name.as_ref(), text.as_ref());
            let Some((path, spec)) = key::of_variable(name) else { continue };
            if text.is_empty() || spec.reach == Reach::Secret {
                continue;
            }
            let place = match kind {
                LayerKind::DotEnv => Place::named(format!(".env {name}")),
                _ => Place::named(name),
            };
            given.push(read_text(kind, spec, path, text, place)?);
        }
        Ok(Layer { kind, given })
    }

    /// Takes the options of the command line.
    pub fn flags(flags: &[Flag<'_>]) -> Result<Self, ConfigError> {
        let read = |flag: &Flag<'_>| {
            let place = Place::named(flag.name);
            let unknown = || unknown_key(flag.key, flag.key, &place);
            let spec = key::find(flag.key).ok_or_else(unknown)?;
            read_text(LayerKind::Flags, spec, flag.key.to_owned(), flag.value, place)
        };
        Ok(Layer { kind: LayerKind::Flags, given: flags.iter().map(read).collect::<Result<_, _>>()? })
    }

    fn file(kind: LayerKind, file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let file: Arc<str> = file.into();
        let mut reader = Reader { kind, given: Vec::new(), seen: BTreeMap::new() };
        if let Some(root) = yaml::parse(&file, bytes)?.filter(|root| !root.is_nothing()) {
            check_version(&root)?;
            reader.read_block("", &root)?;
        }
        Ok(Layer { kind, given: reader.given })
    }
}

impl KeySpec {
    /// The value that holds when nobody gives it.
    pub fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        Some(
            self.kind
                .read(text, true)
                .unwrap_or_else(|_| unreachable!("the default of {} is valid", self.path)),
        )
    }
}

/// Reads one value that has no structure of its own.
pub(super) fn read_text(
    layer: LayerKind,
    spec: &KeySpec,
    key: String,
    text: &str,
    place: Place,
) -> Result<Given, ConfigError> {
    let value = spec.kind.read(text, true).map_err(|fault| fault_at(fault, spec, &key, text, &place))?;
    let given = Given { key, value, origin: Origin { layer, place } };
    check_patterns(spec, &given)?;
    Ok(given)
}

fn fault_at(fault: Fault, spec: &KeySpec, key: &str, text: &str, place: &Place) -> ConfigError {
    let (key, expected, found, place) = (key.to_owned(), spec.kind.expected(), shown(text), place.clone());
    match fault {
        Fault::Type => ConfigError::Type { place, key, expected, found },
        Fault::Range => ConfigError::Range { place, key, expected, found },
    }
}

fn check_patterns(spec: &KeySpec, given: &Given) -> Result<(), ConfigError> {
    if spec.kind != Kind::Patterns {
        return Ok(());
    }
    let takes_back = if spec.path == "sync.exclude" { TakesBack::Yes } else { TakesBack::No };
    given.rules().iter().try_for_each(|rule| check_pattern(rule, takes_back)).map_err(ConfigError::Glob)
}

impl Given {
    /// The patterns of a list, each with its place.
    pub fn rules(&self) -> Vec<RuleText> {
        let Value::List(items) = &self.value else { return Vec::new() };
        let place = |line: &Option<u32>| RulePlace {
            file: self.origin.place.file.clone(),
            line: *line,
            here: self.origin.layer > LayerKind::Shared,
        };
        items.iter().map(|(text, line)| RuleText { text: text.clone(), place: place(line) }).collect()
    }
}

/// A newer file may hold anything: its version is looked at before all else.
fn check_version(root: &Node) -> Result<(), ConfigError> {
    let Tree::Map(entries) = &root.value else { return Ok(()) };
    let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "version") else { return Ok(()) };
    match &node.value {
        Tree::Scalar { text, plain: true } => match text.parse::<u64>() {
            Ok(found) if found > VERSION => Err(ConfigError::Version { place: node.place.clone(), found }),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

struct Reader {
    kind: LayerKind,
    given: Vec<Given>,
    /// Where each key stands: an alias and its key may both be there.
    seen: BTreeMap<String, Place>,
}

impl Reader {
    fn read_block(&mut self, prefix: &str, node: &Node) -> Result<(), ConfigError> {
        if node.is_nothing() {
            return Ok(());
        }
        let Tree::Map(entries) = &node.value else {
            let key = if prefix.is_empty() { "the file" } else { prefix };
            return Err(ConfigError::Type {
                place: node.place.clone(),
                key: key.to_owned(),
                expected: "a block of keys".to_owned(),
                found: node.kind().to_owned(),
            });
        };
        for (key, node) in entries {
            if takes_names(prefix) {
                check_name(prefix, &key.name, &key.place)?;
            }
            let path = canonical(prefix, &key.name);
            if let Some(spec) = key::find(&path) {
                self.read_value(spec, path, key, node)?;
            } else if is_block(&path) {
                self.read_block(&path, node)?;
            } else {
                let written =
                    if prefix.is_empty() { key.name.clone() } else { format!("{prefix}.{}", key.name) };
                return Err(unknown_key(&written, &path, &key.place));
            }
        }
        Ok(())
    }

    fn read_value(
        &mut self,
        spec: &KeySpec,
        path: String,
        key: &Key,
        node: &Node,
    ) -> Result<(), ConfigError> {
        let at = &key.place;
        if spec.reach == Reach::Secret && self.kind == LayerKind::Shared {
            return Err(ConfigError::Secret { place: at.clone(), key: key.name.clone() });
        }
        if let Some(first) = self.seen.insert(path.clone(), at.clone()) {
            return Err(ConfigError::Duplicate { key: path, first, second: at.clone() });
        }
        if node.is_nothing() {
            return Ok(());
        }
        let value = match (&node.value, spec.kind) {
            (Tree::Scalar { text, .. }, Kind::List | Kind::Patterns) => {
                Value::List(vec![(text.clone(), node.place.line)])
            }
            (Tree::List(items), Kind::List | Kind::Patterns) => Value::List(read_items(&path, items)?),
            // An empty text in quotes gives nothing.
            (Tree::Scalar { text, plain: false }, Kind::Text) if text.is_empty() => return Ok(()),
            (Tree::Scalar { text, plain }, kind) => {
                kind.read(text, *plain).map_err(|fault| fault_at(fault, spec, &path, text, &node.place))?
            }
            _ => return Err(wrong_kind(&path, &spec.kind, node)),
        };
        let given = Given { key: path, value, origin: Origin { layer: self.kind, place: at.clone() } };
        check_patterns(spec, &given)?;
        self.given.push(given);
        Ok(())
    }
}

fn read_items(path: &str, items: &[Node]) -> Result<Vec<(String, Option<u32>)>, ConfigError> {
    let read = |item: &Node| match &item.value {
        Tree::Scalar { text, .. } if !item.is_nothing() => Ok((text.clone(), item.place.line)),
        _ => Err(ConfigError::Type {
            place: item.place.clone(),
            key: path.to_owned(),
            expected: "a list of texts".to_owned(),
            found: if item.is_nothing() { "an empty item".to_owned() } else { item.kind().to_owned() },
        }),
    };
    items.iter().map(read).collect()
}

fn wrong_kind(path: &str, kind: &Kind, node: &Node) -> ConfigError {
    ConfigError::Type {
        place: node.place.clone(),
        key: path.to_owned(),
        expected: kind.expected(),
        found: node.kind().to_owned(),
    }
}

/// The key that a word means below a block: other programs' words for the same are read, never written.
fn canonical(prefix: &str, word: &str) -> String {
    let known = match (prefix, word) {
        ("", "privateSync") => "sync",
        ("sync", "repositoryUrl" | "repositoryPath") => "sync.remote",
        ("sync", "syncInterval") => "sync.sync_interval",
        ("sync", "excludePatterns") => "sync.exclude",
        ("sync", "encryptionKey") => "sync.encryption_key",
        ("sync", "includeCheckpoints") => "groups.checkpoints.enabled",
        ("sync", "includeReports") => "groups.reports.enabled",
        ("sync", "includeCache") => "groups.cache.enabled",
        ("sync", "includeLogs") => "groups.logs.enabled",
        ("", "encryptionKey") => "sync.encryption_key",
        ("", word) => return word.to_owned(),
        (prefix, word) => return format!("{prefix}.{word}"),
    };
    known.to_owned()
}

/// The key that a dotted path of other programs' words means.
pub(super) fn meant(typed: &str) -> String {
    typed.split('.').fold(String::new(), |prefix, word| canonical(&prefix, word))
}

/// The words under which a key stands in a text, or would stand: another program's where that is there already.
pub(super) fn written_path(root: Option<&Node>, key: &str) -> Vec<String> {
    let mut written = Vec::new();
    let mut prefix = String::new();
    let mut node = root;
    for word in key.split('.') {
        let wanted = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}.{word}") };
        let entries = match node.map(|node| &node.value) {
            Some(Tree::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let direct = entries.iter().find(|(known, _)| known.name == word);
        let found =
            direct.or_else(|| entries.iter().find(|(known, _)| canonical(&prefix, &known.name) == wanted));
        written.push(found.map_or(word, |(known, _)| known.name.as_str()).to_owned());
        node = found.map(|(_, node)| node);
        prefix = wanted;
    }
    written
}

/// Answers whether keys stand below this path.
fn is_block(path: &str) -> bool {
    let depth = path.split('.').count();
    KEYS.iter().any(|spec| {
        let words = spec.path.split('.');
        words.clone().count() > depth
            && path.split('.').zip(words).all(|(word, part)| part == "*" || part == word)
    })
}

/// Answers whether the keys of a block are names that people choose.
fn takes_names(block: &str) -> bool {
    let names = format!("{block}.*");
    KEYS.iter().any(|spec| spec.path.starts_with(&names))
}

/// Names of groups, remotes and machines are part of keys and of variables: plain words.
fn check_name(block: &str, name: &str, place: &Place) -> Result<(), ConfigError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    Err(ConfigError::Range {
        place: place.clone(),
        key: block.to_owned(),
        expected: "a block of names, each up to 64 letters, digits, `-` and `_`".to_owned(),
        found: shown(name),
    })
}

pub(super) fn unknown_key(written: &str, path: &str, place: &Place) -> ConfigError {
    let depth = path.split('.').count();
    let (parent, word) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings = KEYS.iter().filter_map(|spec| {
        let mut parts = spec.path.split('.');
        let above = parent.split('.').filter(|part| !part.is_empty());
        above
            .into_iter()
            .all(|given| parts.next().is_some_and(|part| part == "*" || part == given))
            .then_some(())?;
        parts.next().filter(|part| *part != "*")
    });
    let elsewhere = || KEYS.iter().find(|spec| depth == 1 && spec.path.ends_with(&format!(".{word}")));
    let meant = match key::nearest(word, siblings) {
        Some(near) if parent.is_empty() => Some(near.to_owned()),
        Some(near) => Some(format!("{parent}.{near}")),
        None => elsewhere().map(|spec| spec.path.to_owned()),
    };
    ConfigError::Key { place: place.clone(), key: written.to_owned(), meant }
}
