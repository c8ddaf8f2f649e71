//! Settings as values: read from texts, laid over each other, checked.
//!
//! ```text
//! built in < instep.yaml < instep.local.yaml < .env < environment < command line
//! ```
//!
//! The shared file travels, so any machine that takes part can write it: it holds no secrets, its addresses and
//! commands act only once a person here trusted its text, and some keys act only from this machine's own settings (see
//! [`key::Reach`]). No file is opened here: whoever reads them hands in the bytes.
//!
//! ```
//! use instep_core::config::{Layer, LayerKind, Settings, Trust};
//!
//! let shared = Layer::shared("instep.yaml", b"sync:\n  sync_interval: 5m\n  exclude: ['*.log']\n")?;
//! let variables = Layer::variables(LayerKind::Environment, [("INSTEP_BRANCH", "notes")])?;
//! let settings = Settings::resolve(vec![shared, variables], Trust::Withheld)?;
//! assert_eq!(settings.config().branch.as_deref(), Some("notes"));
//! assert_eq!(settings.entry("sync.sync_interval").unwrap().acting[0].origin.to_string(), "instep.yaml line 2");
//! # Ok::<(), instep_core::config::ConfigError>(())
//! ```

pub mod dotenv;
pub mod edit;
pub mod error;
pub mod key;
pub mod layer;
mod read;
pub mod settings;
pub mod template;
pub mod value;
pub(crate) mod yaml;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::filter::{FilterRules, GitignoreMode, GroupRules, RuleText};
use crate::policy::{Direction, Strategy};
use crate::retention::Retention;
use crate::safety::Limits;

pub use error::{ConfigError, Place};
pub use layer::{Flag, Given, Layer, LayerKind, Origin};
pub use settings::{Entry, Inert, NotInEffect, Settings, Trust};
pub use value::{Secret, Value};
pub use yaml::SETTINGS_BYTES_MAX;

/// The values that act.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// This machine's name, where it was given one.
    pub machine: Option<String>,
    /// Whether anything is synced at all.
    pub enabled: bool,
    /// The address of the remote, in the short form.
    pub remote: Option<String>,
    /// The branch, if anyone named one.
    pub branch: Option<String>,
    /// Which way changes go.
    pub direction: Direction,
    /// Whether a repository that everybody can read may be used.
    pub allow_public: bool,
    /// Whether the background sync runs by itself.
    pub auto_sync: bool,
    /// How long between two full scans.
    pub sync_interval: Duration,
    /// Whether a change starts a cycle.
    pub on_change: bool,
    /// The standing answer for conflicts.
    pub strategy: Strategy,
    /// If not empty, only this takes part.
    pub include: Vec<RuleText>,
    /// What takes no part.
    pub exclude: Vec<RuleText>,
    /// What `.gitignore` files mean.
    pub gitignore: GitignoreMode,
    /// Which links are carried.
    pub symlinks: Symlinks,
    /// Larger files take no part.
    pub file_bytes_max: Option<u64>,
    /// The share of deletions beyond which a cycle stops and asks.
    pub delete_percent_max: f64,
    /// The largest content that the remote takes, if someone said so.
    pub content_bytes_max: Option<u64>,
    /// How long a host may keep us waiting for nothing.
    pub patience: Duration,
    /// How fast contents may travel.
    pub bytes_per_second_max: Option<u64>,
    /// A key in the machine's own file, as other programs keep it there; to be moved to a safer place.
    pub encryption_key: Option<Secret>,
    /// Named sets of paths, in order: a path belongs to the last that names it.
    pub groups: Vec<Group>,
    /// The remotes, those without an address too. The one that is given in the short form, as `sync.remote`, is called
    /// `origin` and comes first.
    pub remotes: Vec<RemotePlace>,
    /// What is encrypted.
    pub encryption: EncryptionMode,
    /// Whether names are encrypted too.
    pub encrypt_names: bool,
    /// How long history is kept.
    pub retention: Retention,
    /// Who is told of trouble.
    pub notify: Notify,
    /// For machines by name: if there, only this takes part on them.
    pub only: BTreeMap<String, Vec<RuleText>>,
    /// Whether anything is reported to anybody.
    pub telemetry: bool,
    /// What people count in: a name and the paths of one each.
    pub units: Vec<Unit>,
    /// Folders that lie elsewhere on each machine: a name and the folder here, absolute or below `~/`.
    pub places: Vec<(String, String)>,
}

/// Which symbolic links are carried. None is ever followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Symlinks {
    /// Those that are relative and stay inside the workspace.
    #[default]
    Portable,
    /// All, as they are.
    Any,
    /// None.
    Skip,
}

/// What is encrypted before it leaves this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EncryptionMode {
    /// Nothing but the groups that say so.
    #[default]
    None,
    /// Secrets.
    Secrets,
    /// Everything.
    All,
}

/// How contents of a group merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Line by line.
    Text,
    /// Record by record.
    Records,
    /// Key by key.
    Settings,
    /// Variable by variable.
    Dotenv,
    /// Not at all.
    Binary,
}

/// Where the version of the other side is shown while a conflict lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// In the store alone.
    #[default]
    None,
    /// In a file beside it.
    Copy,
    /// In the text, between markers.
    Markers,
}

/// A named set of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its paths.
    pub paths: Vec<RuleText>,
    /// Whether they take part.
    pub enabled: bool,
    /// Whether they are encrypted.
    pub encrypt: bool,
    /// Which way they go, if not as all others.
    pub direction: Option<Direction>,
    /// How they merge, if not by their names.
    pub kind: Option<FileKind>,
    /// The field that names a record.
    pub id: Option<String>,
    /// The standing answer for their conflicts, if not the general one.
    pub strategy: Option<Strategy>,
    /// Where the other version is shown in a conflict.
    pub style: Style,
    /// Whether their values are shown, if somebody said it.
    pub show_values: Option<bool>,
    /// The keys that stay on each machine.
    pub keep_local_keys: Vec<String>,
    /// Whether paths below this machine's places travel by the name of the place.
    pub remap_paths: bool,
    /// The command that makes them anew.
    pub regenerate: Option<String>,
}

/// The name of the remote that is given in the short form.
pub const ORIGIN: &str = "origin";

impl Group {
    /// A group of which nothing is said but its paths.
    pub fn of(name: &str, paths: &[&str]) -> Self {
        let rule = |text: &&str| RuleText { text: (*text).to_owned(), ..RuleText::default() };
        Group {
            name: name.to_owned(),
            paths: paths.iter().map(rule).collect(),
            enabled: true,
            encrypt: false,
            direction: None,
            kind: None,
            id: None,
            strategy: None,
            style: Style::None,
            show_values: None,
            keep_local_keys: Vec::new(),
            remap_paths: false,
            regenerate: None,
        }
    }
}

/// A remote, and what holds for it; what is not said of it alone is taken from what holds for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemotePlace {
    /// Its name here.
    pub name: String,
    /// Its address is given in the short form.
    pub is_short: bool,
    /// Its address, if it may be used.
    pub url: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// What goes there.
    pub paths: Vec<RuleText>,
    /// The largest content it takes.
    pub content_bytes_max: Option<u64>,
    /// Whether nothing is sent there.
    pub read_only: bool,
    /// Whether everybody may be able to read it.
    pub allow_public: bool,
}

impl RemotePlace {
    /// One that is to be given in the short form.
    pub fn short() -> Self {
        RemotePlace {
            name: ORIGIN.to_owned(),
            is_short: true,
            url: None,
            branch: None,
            paths: Vec::new(),
            content_bytes_max: None,
            read_only: false,
            allow_public: false,
        }
    }

    /// The dotted key of something that is said of it: `url`, `branch`, `limit`, `allow_public`; or, in the long form,
    /// any other.
    pub fn key(&self, word: &str) -> String {
        match (self.is_short, word) {
            (true, "url") => "sync.remote".to_owned(),
            (true, "branch" | "limit" | "allow_public") => format!("sync.{word}"),
            _ => format!("remotes.{}.{word}", self.name),
        }
    }
}

/// Who is told of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The command that is run when a person should know of something, if it may be used.
    pub command: Option<String>,
    /// The person at this machine.
    pub desktop: bool,
    /// After how many intervals without success.
    pub stale_after: u64,
    /// An address that is told of each success.
    pub heartbeat: Option<String>,
}

/// What people count in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The plural that is shown.
    pub name: String,
    /// What is one.
    pub paths: Vec<RuleText>,
}

impl Config {
    /// The rules that decide what takes part on a machine of this name.
    pub fn filter_rules(&self, machine: &str) -> FilterRules {
        let mut include = self.include.clone();
        include.extend(self.only.get(machine).into_iter().flatten().cloned().map(|mut rule| {
            rule.place.here = true;
            rule
        }));
        let groups = self.groups.iter().map(|group| GroupRules {
            name: group.name.clone(),
            paths: group.paths.clone(),
            enabled: group.enabled,
        });
        FilterRules {
            gitignore: self.gitignore,
            exclude: self.exclude.clone(),
            include,
            groups: groups.collect(),
            within: Vec::new(),
        }
    }

    /// The limits beyond which deletions are asked about.
    pub fn limits(&self) -> Limits {
        Limits { percent: self.delete_percent_max, ..Limits::default() }
    }
}

#[cfg(test)]
mod tests;
