//! Every key that settings have: what it takes, where it acts from, and whether this version acts on it.

use super::value::Kind;

/// One key, or one family of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// The dotted key; `*` stands for a name that people choose.
    pub path: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// Where it acts from.
    pub reach: Reach,
    /// What holds when nobody gives it, as it would be written.
    pub default: Option<&'static str>,
    /// Whether this version acts on it.
    pub effect: Effect,
}

/// Where a key acts from. A file that travels can be written by any machine that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From everywhere.
    Anywhere,
    /// Only from this machine: its local file, environment and options.
    HereOnly,
    /// From the shared file only after a person of this machine trusted that text.
    Trusted,
    /// A secret: never from the shared file.
    Secret,
}

/// Whether this version acts on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does.
    Full,
    /// It does not yet: the program says so, and works without it.
    Later,
    /// It does not yet, and whoever gave it relies on it to keep something in: the program must not send.
    LaterGuard,
}

/// How `kind` may be given for a group.
const FILE_KINDS: &[&str] = &["text", "records", "settings", "dotenv", "binary"];
/// The standing answers for conflicts.
const STRATEGIES: &[&str] = &["merge", "ask-user", "last-write-wins", "keep-local", "keep-remote", "both"];
/// The directions.
const DIRECTIONS: &[&str] = &["both", "push", "pull"];

const fn key(path: &'static str, kind: Kind) -> KeySpec {
    KeySpec { path, kind, reach: Reach::Anywhere, default: None, effect: Effect::Full }
}

impl KeySpec {
    const fn or(self, default: &'static str) -> Self {
        KeySpec { default: Some(default), ..self }
    }

    const fn reach(self, reach: Reach) -> Self {
        KeySpec { reach, ..self }
    }

    const fn effect(self, effect: Effect) -> Self {
        KeySpec { effect, ..self }
    }

    /// Answers whether a dotted key is this one, or one of this family.
    pub fn matches(&self, path: &str) -> bool {
        let mut given = path.split('.');
        let fits =
            self.path.split('.').all(|part| given.next().is_some_and(|word| part == "*" || part == word));
        fits && given.next().is_none()
    }

    /// Answers whether lists of several layers are joined, rather than one winning.
    pub fn is_joined(&self) -> bool {
        matches!(self.path, "sync.exclude" | "sync.include")
    }
}

/// Every key, in the order of the settings file.
pub const KEYS: &[KeySpec] = &[
    key("version", Kind::Count(1, u64::MAX)).or("1"),
    key("machine", Kind::Text).reach(Reach::HereOnly),
    key("sync.enabled", Kind::Bool).reach(Reach::HereOnly).or("true"),
    key("sync.remote", Kind::Text).reach(Reach::Trusted),
    key("sync.branch", Kind::Text).or("main"),
    key("sync.allow_public", Kind::Bool).reach(Reach::HereOnly).or("false"),
    key("sync.direction", Kind::Word(DIRECTIONS)).or("both"),
    key("sync.auto_sync", Kind::Bool).reach(Reach::HereOnly).or("false"),
    key("sync.sync_interval", Kind::Interval).or("15m"),
    key("sync.on_change", Kind::Bool).or("true"),
    key("sync.conflict_strategy", Kind::Word(STRATEGIES)).or("merge"),
    key("sync.include", Kind::Patterns),
    key("sync.exclude", Kind::Patterns),
    key("sync.gitignore", Kind::Word(&["off", "respect", "only-ignored"])).or("off"),
    key("sync.symlinks", Kind::Word(&["portable", "any", "skip"])).or("portable"),
    key("sync.max_file_size", Kind::Size),
    key("sync.max_delete", Kind::Percent).or("25%"),
    key("sync.limit", Kind::Size),
    key("sync.patience", Kind::Wait).reach(Reach::HereOnly).or("30s"),
    key("sync.bwlimit", Kind::Rate).effect(Effect::Later),
    key("sync.encryption_key", Kind::Secret).reach(Reach::Secret).effect(Effect::LaterGuard),
    key("groups.*.paths", Kind::Patterns),
    key("groups.*.enabled", Kind::Bool).or("true"),
    key("groups.*.encrypt", Kind::Bool).effect(Effect::LaterGuard).or("false"),
    key("groups.*.direction", Kind::Word(DIRECTIONS)),
    key("groups.*.kind", Kind::Word(FILE_KINDS)),
    key("groups.*.id", Kind::Text),
    key("groups.*.conflict_strategy", Kind::Word(STRATEGIES)),
    key("groups.*.conflict_style", Kind::Word(&["none", "copy", "markers"])).or("none"),
    key("groups.*.show_values", Kind::Bool),
    key("groups.*.keep_local_keys", Kind::List),
    key("groups.*.remap_paths", Kind::Bool).or("false"),
    key("groups.*.regenerate", Kind::Text).reach(Reach::Trusted).effect(Effect::Later),
    key("remotes.*.url", Kind::Text).reach(Reach::Trusted),
    key("remotes.*.branch", Kind::Text),
    key("remotes.*.paths", Kind::Patterns),
    key("remotes.*.limit", Kind::Size),
    key("remotes.*.read_only", Kind::Bool).or("false"),
    key("remotes.*.allow_public", Kind::Bool).reach(Reach::HereOnly).or("false"),
    key("encryption.mode", Kind::Word(&["all", "secrets", "none"])).effect(Effect::LaterGuard).or("none"),
    key("encryption.names", Kind::Bool).effect(Effect::Later),
    key("retention.keep_last", Kind::Count(0, 1_000_000)).or("20"),
    key("retention.keep_within", Kind::Span).or("90d"),
    key("retention.deleted", Kind::Span).or("30d"),
    key("notify.command", Kind::Text).reach(Reach::Trusted),
    key("notify.desktop", Kind::Bool).effect(Effect::Later),
    key("notify.stale_after", Kind::Count(1, 1_000)).effect(Effect::Later),
    key("notify.heartbeat", Kind::Text).reach(Reach::Trusted).effect(Effect::Later),
    key("machines.*.only", Kind::Patterns),
    key("places.*", Kind::Text).reach(Reach::HereOnly),
    key("telemetry.enabled", Kind::Bool).reach(Reach::HereOnly).effect(Effect::Later).or("false"),
    key("units.*", Kind::Patterns),
];

/// Finds the key that a dotted path names.
pub fn find(path: &str) -> Option<&'static KeySpec> {
    KEYS.iter().find(|spec| spec.matches(path))
}

/// The dotted key that a person means: it, its last word if it is of the block `sync`, or another program's word for it.
pub fn meant(typed: &str) -> Option<String> {
    let inside = format!("sync.{typed}");
    let words = [typed, &inside].map(super::layer::meant);
    [typed.to_owned(), inside].into_iter().chain(words).find(|path| find(path).is_some())
}

/// Guesses which key a misspelt one was meant to be; one of the block `sync` may be named by its last word.
pub fn guess(given: &str) -> Option<&'static str> {
    let given = given.strip_prefix("sync.").unwrap_or(given);
    let plain = KEYS.iter().map(|spec| spec.path).filter(|path| !path.contains('*'));
    nearest(given, plain.map(|path| path.strip_prefix("sync.").unwrap_or(path)))
}

/// Finds the key that an environment variable gives: `INSTEP_` and the key in upper case with `_`, without `sync`.
pub fn of_variable(variable: &str) -> Option<(String, &'static KeySpec)> {
    let wanted = variable.strip_prefix("INSTEP_")?.to_ascii_lowercase();
    KEYS.iter().find_map(|spec| {
        let flat = spec.path.strip_prefix("sync.").unwrap_or(spec.path).replace('.', "_");
        match flat.split_once('*') {
            None => (flat == wanted).then(|| (spec.path.to_owned(), spec)),
            Some((before, after)) => {
                let name = wanted.strip_prefix(before)?.strip_suffix(after)?;
                (!name.is_empty()).then(|| (spec.path.replace('*', name), spec))
            }
        }
    })
}

/// The environment variable that gives a key.
pub fn variable(path: &str) -> String {
    let flat = path.strip_prefix("sync.").unwrap_or(path).replace(['.', '-'], "_");
    format!("INSTEP_{}", flat.to_ascii_uppercase())
}

/// Guesses which of the known words a misspelt one was meant to be.
pub(super) fn nearest<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let near = known.map(|word| (distance(given, word), word)).min()?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}

/// How many letters must be changed, added or dropped to make one word of the other; case and `_` count for nothing.
fn distance(one: &str, other: &str) -> usize {
    let plain = |word: &str| -> Vec<u8> {
        word.bytes()
            .filter(|byte| !b"_-".contains(byte))
            .map(|byte| byte.to_ascii_lowercase())
            .take(64)
            .collect()
    };
    let (one, other) = (plain(one), plain(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
