//! Settings: all layers laid over each other, each value with the origins of winner and losers.

use super::error::ConfigError;
use super::key::{self, Effect, KEYS, KeySpec, Reach};
use super::layer::{Given, Layer, LayerKind};
use super::value::Value;
use super::{Config, read};

/// Whether a person of this machine trusted the text of the shared file as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody did: its addresses and commands are only offered.
    #[default]
    Withheld,
    /// Somebody did.
    Given,
}

/// Why a value that was given does not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inert {
    /// A later layer gives another.
    Overruled,
    /// It acts only from this machine's own settings.
    HereOnly,
    /// The shared file is not trusted on this machine.
    Untrusted,
}

/// All that was given for one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The dotted key.
    pub key: String,
    /// What it is.
    pub spec: &'static KeySpec,
    /// What acts: one value, or for lists that are joined all of them, in order.
    pub acting: Vec<Given>,
    /// What does not act, the nearest loser first.
    pub inert: Vec<(Given, Inert)>,
}

/// A setting that was given and that this version does not act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInEffect {
    /// The dotted key.
    pub key: String,
    /// The value, as text.
    pub value: String,
    /// Where it was given.
    pub origin: String,
    /// Whoever gave it relies on it to keep something in: nothing may be sent.
    pub guards: bool,
}

/// The resolved settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    entries: Vec<Entry>,
    config: Config,
}

impl Settings {
    /// Lays the layers over the built-in values; a later kind wins, in whatever order they are given.
    pub fn resolve(mut layers: Vec<Layer>, trust: Trust) -> Result<Self, ConfigError> {
        layers.push(Layer::built_in());
        layers.sort_by_key(|layer| layer.kind);
        let mut entries: Vec<Entry> = Vec::new();
        for given in layers.into_iter().flat_map(|layer| layer.given) {
            let at = entries.iter().position(|entry| entry.key == given.key).unwrap_or_else(|| {
                let spec = key::find(&given.key).expect("because layers only hold known keys");
                entries.push(Entry { key: given.key.clone(), spec, acting: Vec::new(), inert: Vec::new() });
                entries.len() - 1
            });
            entries[at].take(given, trust);
        }
        let config = read::config(&entries)?;
        Ok(Settings { entries: in_order(entries), config })
    }

    /// The values that act.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All keys that anyone gives, in the order of the settings file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All that was given for one key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// What acts, and this version does nothing about.
    pub fn not_in_effect(&self) -> Vec<NotInEffect> {
        let later = self.entries.iter().filter(|entry| entry.spec.effect != Effect::Full);
        let given = later.filter_map(|entry| Some((entry, entry.acting.last()?)));
        given
            .filter(|(entry, given)| match entry.spec.effect {
                Effect::LaterFor(word) => given.value.to_string() == word,
                _ => true,
            })
            .filter(|(entry, given)| {
                given.origin.layer > LayerKind::BuiltIn
                    && entry.spec.default_value().as_ref() != Some(&given.value)
            })
            .map(|(entry, given)| NotInEffect {
                key: entry.key.clone(),
                value: given.value.to_string(),
                origin: given.origin.to_string(),
                guards: entry.spec.effect == Effect::LaterGuard,
            })
            .collect()
    }

    /// What the shared file would do if it were trusted: addresses and commands, to be shown before they are confirmed.
    pub fn awaiting_trust(&self) -> Vec<&Given> {
        let inert = self.entries.iter().flat_map(|entry| &entry.inert);
        inert.filter(|(_, why)| *why == Inert::Untrusted).map(|(given, _)| given).collect()
    }
}

/// The order of the settings file: block by block, name by name as they were first given, key by key.
fn in_order(entries: Vec<Entry>) -> Vec<Entry> {
    let first_word = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
    let name = |entry: &Entry| -> String {
        let parts = entry.spec.path.split('.').zip(entry.key.split('.'));
        parts.filter(|(part, _)| *part == "*").map(|(_, name)| name.to_owned()).collect()
    };
    let mut names: Vec<String> = Vec::new();
    for entry in &entries {
        if !names.contains(&name(entry)) {
            names.push(name(entry));
        }
    }
    let mut ranked: Vec<_> = entries
        .into_iter()
        .map(|entry| {
            let block = KEYS.iter().position(|spec| first_word(spec.path) == first_word(&entry.key));
            let named = names.iter().position(|known| *known == name(&entry));
            let key = KEYS.iter().position(|spec| spec == entry.spec);
            ((block, named, key), entry)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, entry)| entry).collect()
}

impl Entry {
    fn take(&mut self, given: Given, trust: Trust) {
        let shared = given.origin.layer == LayerKind::Shared;
        // A link to anywhere is a danger that a file from elsewhere may not choose.
        let any_link = self.spec.path == "sync.symlinks" && given.value == Value::Text("any".to_owned());
        let held = match self.spec.reach {
            _ if shared && any_link => Some(Inert::HereOnly),
            Reach::HereOnly if shared => Some(Inert::HereOnly),
            Reach::Trusted if shared && trust == Trust::Withheld => Some(Inert::Untrusted),
            _ => None,
        };
        if let Some(why) = held {
            self.inert.insert(0, (given, why));
            return;
        }
        if !self.spec.is_joined() {
            let overruled = self.acting.drain(..).map(|loser| (loser, Inert::Overruled));
            self.inert.splice(0..0, overruled);
        }
        self.acting.push(given);
    }

    /// The value that acts, if it is a single one.
    pub fn value(&self) -> Option<&Value> {
        self.acting.last().map(|given| &given.value)
    }
}
