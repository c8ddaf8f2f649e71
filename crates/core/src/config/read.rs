//! From resolved entries to typed values.

use std::time::Duration;

use super::error::{ConfigError, Place};
use super::settings::Entry;
use super::value::{Secret, Value};
use super::{Config, EncryptionMode, FileKind, Group, Notify, ORIGIN, RemotePlace, Style, Symlinks, Unit};
use crate::filter::{GitignoreMode, RulePlace, RuleText};
use crate::places::{PlaceError, Spot};
use crate::policy::{Direction, Strategy};
use crate::retention::Retention;

/// Groups whose paths need not be written: the folder has the group's name.
const NAMED_GROUPS: [&str; 4] = ["checkpoints", "reports", "cache", "logs"];

pub(super) fn config(entries: &[Entry]) -> Result<Config, ConfigError> {
    let at = Values { entries, prefix: String::new() };
    let sync = at.below("sync");
    let notify = at.below("notify");
    Ok(Config {
        machine: at.text("machine"),
        enabled: sync.bool("enabled").unwrap_or(true),
        remote: sync.text("remote"),
        branch: sync.text_of_someone("branch"),
        direction: sync.word("direction", DIRECTIONS).unwrap_or_default(),
        allow_public: sync.bool("allow_public").unwrap_or(false),
        auto_sync: sync.bool("auto_sync").unwrap_or(false),
        sync_interval: sync.time("sync_interval").unwrap_or(Duration::from_secs(900)),
        on_change: sync.bool("on_change").unwrap_or(true),
        strategy: sync.word("conflict_strategy", STRATEGIES).unwrap_or_default(),
        include: sync.rules("include"),
        exclude: sync.rules("exclude"),
        gitignore: sync.word("gitignore", GITIGNORE).unwrap_or_default(),
        symlinks: sync.word("symlinks", SYMLINKS).unwrap_or_default(),
        file_bytes_max: sync.bytes("max_file_size"),
        delete_percent_max: sync.percent("max_delete").unwrap_or(25.0),
        content_bytes_max: sync.bytes("limit"),
        patience: sync.time("patience").unwrap_or(Duration::from_secs(30)),
        bytes_per_second_max: sync.bytes("bwlimit"),
        encryption_key: sync.secret("encryption_key"),
        groups: at.names("groups").iter().map(|name| group(name, &at)).collect::<Result<_, _>>()?,
        remotes: remotes(&at),
        encryption: at.below("encryption").word("mode", ENCRYPTION).unwrap_or_default(),
        encrypt_names: at.below("encryption").bool("names").unwrap_or(true),
        retention: retention(&at.below("retention")),
        notify: Notify {
            command: notify.text("command"),
            desktop: notify.bool("desktop").unwrap_or(true),
            stale_after: notify.count("stale_after").unwrap_or(4),
            heartbeat: notify.text("heartbeat"),
        },
        only: at
            .names("machines")
            .into_iter()
            .map(|name| {
                let rules = at.below("machines").below(&name).rules("only");
                (name, rules)
            })
            .collect(),
        telemetry: at.below("telemetry").bool("enabled").unwrap_or(false),
        units: at
            .names("units")
            .into_iter()
            .map(|name| {
                let paths = at.below("units").rules(&name);
                Unit { name, paths }
            })
            .collect(),
        places: at.names("places").iter().filter_map(|name| place(name, &at)).collect::<Result<_, _>>()?,
    })
}

/// A place, if this machine says where it is.
fn place(name: &str, at: &Values<'_>) -> Option<Result<(String, String), ConfigError>> {
    let of = at.below("places");
    let folder = of.text(name)?;
    // Whose home it is does not matter for whether it is a folder.
    let absolute = folder.strip_prefix('~').map_or(folder.clone(), |rest| format!("/~{rest}"));
    Some(match Spot::new(name, &absolute) {
        Ok(_) => Ok((name.to_owned(), folder)),
        Err(error) => Err(ConfigError::Type {
            place: of.first_place(),
            key: format!("places.{name}"),
            expected: error.to_string(),
            found: if error == PlaceError::Name { name.to_owned() } else { folder },
        }),
    })
}

fn group(name: &str, at: &Values<'_>) -> Result<Group, ConfigError> {
    let of = at.below("groups").below(name);
    let mut paths = of.rules("paths");
    if paths.is_empty() && NAMED_GROUPS.contains(&name) {
        let place = RulePlace { file: "built in".into(), line: None, here: false };
        paths.push(RuleText { text: format!("{name}/**"), place });
    }
    if paths.is_empty() {
        return Err(ConfigError::Type {
            place: of.first_place(),
            key: format!("groups.{name}.paths"),
            expected: "a list of the group's paths".to_owned(),
            found: "missing".to_owned(),
        });
    }
    let kind = of.word("kind", FILE_KINDS);
    let keep_local_keys = of.texts("keep_local_keys");
    let has_keys = matches!(kind, None | Some(FileKind::Settings | FileKind::Dotenv));
    if !keep_local_keys.is_empty() && !has_keys {
        return Err(ConfigError::Type {
            place: of.first_place(),
            key: format!("groups.{name}.keep_local_keys"),
            expected: "for kind settings or dotenv, whose files have keys".to_owned(),
            found: format!("kind {}", of.text("kind").unwrap_or_default()),
        });
    }
    Ok(Group {
        name: name.to_owned(),
        paths,
        enabled: of.bool("enabled").unwrap_or(true),
        encrypt: of.bool("encrypt").unwrap_or(false),
        direction: of.word("direction", DIRECTIONS),
        kind,
        id: of.text("id"),
        strategy: of.word("conflict_strategy", STRATEGIES),
        style: of.word("conflict_style", STYLES).unwrap_or_default(),
        show_values: of.bool("show_values"),
        keep_local_keys,
        remap_paths: of.bool("remap_paths").unwrap_or(false),
        regenerate: of.text("regenerate"),
    })
}

fn remotes(at: &Values<'_>) -> Vec<RemotePlace> {
    let mut names = at.names("remotes");
    if at.below("sync").text("remote").is_some() {
        names.retain(|name| name != ORIGIN);
        names.insert(0, ORIGIN.to_owned());
    }
    names.iter().map(|name| remote(name, at)).collect()
}

fn remote(name: &str, at: &Values<'_>) -> RemotePlace {
    let (of, sync) = (at.below("remotes").below(name), at.below("sync"));
    let (long, short) = (of.text("url"), sync.text("remote").filter(|_| name == ORIGIN));
    let is_short = long.is_none() && short.is_some();
    let allowed = |values: &Values<'_>| values.bool("allow_public").unwrap_or(false);
    RemotePlace {
        name: name.to_owned(),
        is_short,
        url: long.or(short),
        branch: of.text("branch").or_else(|| sync.text_of_someone("branch")),
        paths: of.rules("paths"),
        content_bytes_max: of.bytes("limit").or_else(|| sync.bytes("limit")),
        read_only: of.bool("read_only").unwrap_or(false),
        allow_public: allowed(&of) || (is_short && allowed(&sync)),
    }
}

fn retention(of: &Values<'_>) -> Retention {
    let usual = Retention::default();
    Retention {
        keep_last: of.count("keep_last").unwrap_or(usual.keep_last),
        keep_within: of.time("keep_within").unwrap_or(usual.keep_within),
        deleted: of.time("deleted").unwrap_or(usual.deleted),
    }
}

type Words<T> = &'static [(&'static str, T)];

const DIRECTIONS: Words<Direction> =
    &[("both", Direction::Both), ("push", Direction::Push), ("pull", Direction::Pull)];
const STRATEGIES: Words<Strategy> = &[
    ("merge", Strategy::Merge),
    ("ask-user", Strategy::AskUser),
    ("last-write-wins", Strategy::LastWriteWins),
    ("keep-local", Strategy::KeepLocal),
    ("keep-remote", Strategy::KeepRemote),
    ("both", Strategy::Both),
];
const GITIGNORE: Words<GitignoreMode> = &[
    ("off", GitignoreMode::Off),
    ("respect", GitignoreMode::Respect),
    ("only-ignored", GitignoreMode::OnlyIgnored),
];
const SYMLINKS: Words<Symlinks> =
    &[("portable", Symlinks::Portable), ("any", Symlinks::Any), ("skip", Symlinks::Skip)];
const ENCRYPTION: Words<EncryptionMode> =
    &[("none", EncryptionMode::None), ("secrets", EncryptionMode::Secrets), ("all", EncryptionMode::All)];
const FILE_KINDS: Words<FileKind> = &[
    ("text", FileKind::Text),
    ("records", FileKind::Records),
    ("settings", FileKind::Settings),
    ("dotenv", FileKind::Dotenv),
    ("binary", FileKind::Binary),
];
const STYLES: Words<Style> = &[("none", Style::None), ("copy", Style::Copy), ("markers", Style::Markers)];

/// The values below one block.
struct Values<'e> {
    entries: &'e [Entry],
    prefix: String,
}

impl Values<'_> {
    fn below(&self, word: &str) -> Self {
        Values { entries: self.entries, prefix: format!("{}{word}.", self.prefix) }
    }

    fn entry(&self, word: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key.strip_prefix(&self.prefix) == Some(word))
    }

    fn value(&self, word: &str) -> Option<&Value> {
        self.entry(word)?.value()
    }

    fn bool(&self, word: &str) -> Option<bool> {
        if let Some(Value::Bool(answer)) = self.value(word) { Some(*answer) } else { None }
    }

    fn text(&self, word: &str) -> Option<String> {
        if let Some(Value::Text(text)) = self.value(word) { Some(text.clone()) } else { None }
    }

    /// A text that somebody gave; the built-in one is none.
    fn text_of_someone(&self, word: &str) -> Option<String> {
        let given = self.entry(word)?.acting.last()?;
        if given.origin.layer == super::LayerKind::BuiltIn { None } else { self.text(word) }
    }

    fn word<T: Copy>(&self, word: &str, words: Words<T>) -> Option<T> {
        let text = self.text(word)?;
        words.iter().find(|(known, _)| *known == text).map(|(_, value)| *value)
    }

    fn time(&self, word: &str) -> Option<Duration> {
        if let Some(Value::Time(time)) = self.value(word) { Some(*time) } else { None }
    }

    fn bytes(&self, word: &str) -> Option<u64> {
        if let Some(Value::Bytes(bytes)) = self.value(word) { Some(*bytes) } else { None }
    }

    fn percent(&self, word: &str) -> Option<f64> {
        if let Some(Value::Percent(percent)) = self.value(word) { Some(*percent) } else { None }
    }

    fn count(&self, word: &str) -> Option<u64> {
        if let Some(Value::Count(count)) = self.value(word) { Some(*count) } else { None }
    }

    fn secret(&self, word: &str) -> Option<Secret> {
        if let Some(Value::Secret(secret)) = self.value(word) { Some(secret.clone()) } else { None }
    }

    fn rules(&self, word: &str) -> Vec<RuleText> {
        self.entry(word).into_iter().flat_map(|entry| &entry.acting).flat_map(|given| given.rules()).collect()
    }

    fn texts(&self, word: &str) -> Vec<String> {
        self.rules(word).into_iter().map(|rule| rule.text).collect()
    }

    /// The names that people chose in a block, in the order in which they were first given.
    fn names(&self, block: &str) -> Vec<String> {
        let block = format!("{}{block}.", self.prefix);
        let mut names: Vec<String> = Vec::new();
        for entry in self.entries {
            let name = entry.key.strip_prefix(&block).and_then(|rest| rest.split('.').next());
            names.extend(name.filter(|name| !names.iter().any(|known| known == name)).map(str::to_owned));
        }
        names
    }

    fn first_place(&self) -> Place {
        let entries = self.entries.iter().filter(|entry| entry.key.starts_with(&self.prefix));
        let places = entries.flat_map(|entry| &entry.acting).map(|given| given.origin.place.clone());
        places.min_by_key(|place| place.line).unwrap_or_default()
    }
}
