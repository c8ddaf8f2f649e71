//! Settings as tables: what is read, what is refused, who wins.

use super::*;
use crate::filter::Filter;

fn shared(text: &str) -> Result<Layer, ConfigError> {
    Layer::shared("instep.yaml", text.as_bytes())
}

fn resolve(layers: Vec<Layer>) -> Settings {
    Settings::resolve(layers, Trust::Withheld).unwrap()
}

/// What the shared file alone leads to.
fn config(text: &str) -> Config {
    resolve(vec![shared(text).unwrap()]).config().clone()
}

/// The error that the shared file gets: its code and its words.
fn refusal(text: &[u8]) -> String {
    let layer = Layer::shared("instep.yaml", text);
    let error = layer.and_then(|layer| Settings::resolve(vec![layer], Trust::Withheld)).unwrap_err();
    assert!(!error.hint().is_empty());
    format!("{} {error}", error.code())
}

const EXAMPLE: &str = r#"
version: 1
sync:
  enabled: true                      # a comment
  remote: "git@github.com:ana/planalign-sync.git"
  branch: main
  auto_sync: false
  sync_interval: 15m
  on_change: true
  conflict_strategy: merge
  include: ["**/*.json", "**/*.yaml", "**/*.md", ".env*"]
  exclude: ["*.duckdb", "*.xlsx", "*.log", "node_modules/", ".git/", "*.local", "*.local.*"]
  gitignore: off
  max_file_size: 100MB
  max_delete: 25%
groups:
  checkpoints: { paths: ["checkpoints/**"], enabled: true,  encrypt: true }
  reports:     { paths: ["reports/**"],     enabled: true,  encrypt: false }
  cache:       { paths: ["cache/**"],       enabled: false, encrypt: true }
  logs:        { paths: ["logs/**"],        enabled: false }
  secrets:     { paths: [".env*", "**/*.key"], encrypt: true, kind: dotenv, show_values: false }
  memories:    { paths: ["memories/**/*.json"], kind: records, id: id }
  documents:   { paths: ["documents/**"], kind: text, conflict_style: markers }
  settings:    { paths: ["**/settings.json"], kind: settings, conflict_strategy: last-write-wins,
                 keep_local_keys: ["proxy", "window.zoomLevel"] }
  derived:     { paths: ["**/*.xlsx"], enabled: false, regenerate: "planalign export {dir}" }
remotes:
  origin: { url: "git@github.com:ana/planalign-sync.git", paths: ["**"], limit: 100MB }
  nas:    { url: "ssh://nas/volume1/sync", paths: ["**/*.duckdb"] }
  team:   { url: "https://hub.example.org/t/planning", paths: ["scenarios/**"], read_only: false }
encryption: { mode: all, names: true }
retention:  { keep_last: 20, keep_within: 90d, deleted: 30d }
notify:     { desktop: true, stale_after: 4, heartbeat: "" }
machines:
  phone:    { only: ["notes/**"] }
telemetry:  { enabled: false }
"#;

#[test]
fn the_whole_example_is_read() {
    let settings = resolve(vec![shared(EXAMPLE).unwrap()]);
    let config = settings.config();
    let names: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    let expected = [
        "checkpoints",
        "reports",
        "cache",
        "logs",
        "secrets",
        "memories",
        "documents",
        "settings",
        "derived",
    ];
    assert_eq!(names, expected);
    assert_eq!(config.groups[7].keep_local_keys, ["proxy", "window.zoomLevel"]);
    assert_eq!(config.groups[6].style, Style::Markers);
    assert_eq!(config.groups[4].kind, Some(FileKind::Dotenv));
    assert_eq!(config.file_bytes_max, Some(100_000_000));
    assert_eq!(config.remotes.len(), 3);
    assert_eq!(config.encryption, EncryptionMode::All);
    assert_eq!(config.retention, Retention::default());
    assert!(!config.telemetry);
    assert!(Filter::new(&config.filter_rules("phone")).is_ok());
    assert_eq!(config.filter_rules("phone").include.len(), 5);
    assert_eq!(config.filter_rules("laptop").include.len(), 4);

    let later: Vec<String> = settings.not_in_effect().into_iter().map(|one| one.key).collect();
    assert!(later.contains(&"groups.checkpoints.encrypt".to_owned()), "{later:?}");
    assert!(!later.contains(&"groups.documents.conflict_style".to_owned()), "{later:?}");
    assert!(!later.contains(&"groups.reports.encrypt".to_owned()), "false is the default");
    let guards = settings.not_in_effect().into_iter().filter(|one| one.guards);
    let guards: Vec<String> =
        guards.map(|one| format!("{}: {} ({})", one.key, one.value, one.origin)).collect();
    assert_eq!(guards[0], "groups.checkpoints.encrypt: true (instep.yaml line 17)");
    assert_eq!(guards.last().unwrap(), "encryption.mode: all (instep.yaml line 31)");
}

#[test]
fn keys_can_stay_only_where_files_have_keys() {
    let group =
        |kind: &str| format!("groups:\n  g: {{ paths: ['g/**'], {kind} keep_local_keys: [proxy] }}\n");
    for kind in ["", "kind: settings,", "kind: dotenv,"] {
        assert_eq!(config(&group(kind)).groups[0].keep_local_keys, ["proxy"], "{kind}");
    }
    for kind in ["text", "records", "binary"] {
        let layer = shared(&group(&format!("kind: {kind},"))).unwrap();
        let error = Settings::resolve(vec![layer], Trust::Withheld).unwrap_err();
        let expected = format!(
            "instep.yaml:2:8: `groups.g.keep_local_keys` is for kind settings or dotenv, whose files have keys, not \
             kind {kind}"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn nothing_is_needed() {
    for text in ["", "# only a note\n", "sync:\n", "~\n", "version: 1\n", "sync: {}\n", "---\nsync: {}\n"] {
        let config = config(text);
        assert!(config.enabled && !config.auto_sync && config.on_change);
        assert_eq!(config.sync_interval, Duration::from_secs(900));
        assert_eq!((config.branch, config.remote, config.delete_percent_max), (None, None, 25.0));
        assert!(config.exclude.is_empty() && config.groups.is_empty());
    }
}

#[test]
fn words_of_other_programs_are_read() {
    let here = Layer::here(
        "instep.local.yaml",
        b"privateSync:
  enabled: true
  repositoryUrl: 'https://github.com/u/r.git'
  branch: main
  encryptionKey: 'abc123'
  syncInterval: 60
  includeCheckpoints: true
  includeCache: false
  includeReports: true
  includeLogs: false
  excludePatterns: ['*secret*']
",
    );
    let settings = resolve(vec![here.unwrap()]);
    let config = settings.config();
    assert_eq!(config.remote.as_deref(), Some("https://github.com/u/r.git"));
    assert_eq!(config.sync_interval, Duration::from_secs(3_600));
    assert_eq!(config.exclude[0].text, "*secret*");
    let groups: Vec<(&str, bool, &str)> =
        config.groups.iter().map(|g| (g.name.as_str(), g.enabled, g.paths[0].text.as_str())).collect();
    let expected = [
        ("checkpoints", true, "checkpoints/**"),
        ("cache", false, "cache/**"),
        ("reports", true, "reports/**"),
        ("logs", false, "logs/**"),
    ];
    assert_eq!(groups, expected);
    assert_eq!(config.encryption_key.as_ref().unwrap().expose(), "abc123");
    assert!(!format!("{settings:?}").contains("abc123"));
    assert!(settings.not_in_effect().iter().all(|one| !one.value.contains("abc123")));
}

#[test]
fn what_is_not_valid_is_refused_with_its_place() {
    let deep = format!("sync: {}", "[".repeat(10_000));
    let bomb = "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n";
    let many = format!("sync:\n  exclude: [{}]\n", "'{a,b}',".repeat(1_000));
    for (text, expected) in [
        ("sync:\n\tbranch: x\n", "E-CONF-PARSE instep.yaml:2:2: this is not YAML: tabs"),
        ("sync: [\n", "E-CONF-PARSE instep.yaml:1:7: this is not YAML: unclosed bracket"),
        (
            "sync:\n  exclude: [*.log]\n",
            "E-CONF-PARSE instep.yaml:2:13: a text that starts with `*` needs quotes\n    exclude: [*.log]",
        ),
        ("\u{feff}sync: {}\n", "E-CONF-PARSE instep.yaml:1:1: the text starts with a byte order mark"),
        ("a: 1\n---\nb: 2\n", "E-CONF-PARSE instep.yaml:2:1: a second document starts here"),
        (
            "sync:\n  branch: a\n  branch: b\n",
            "E-CONF-DUP instep.yaml:3:3: `branch` is already given in line 2",
        ),
        (
            "sync:\n  syncInterval: 5\n  sync_interval: 6\n",
            "E-CONF-DUP instep.yaml:3:3: `sync.sync_interval` is already given in line 2",
        ),
        (
            "sync:\n  enabled: yes\n",
            "E-CONF-TYPE instep.yaml:2:12: `sync.enabled` is either true or false, not `yes`",
        ),
        ("sync:\n  enabled: 'true'\n", "E-CONF-TYPE instep.yaml:2:12: "),
        (
            "sync:\n  enabled: [true]\n",
            "E-CONF-TYPE instep.yaml:2:12: `sync.enabled` is either true or false, not a list",
        ),
        ("sync: 5\n", "E-CONF-TYPE instep.yaml:1:7: `sync` is a block of keys, not a single value"),
        ("- a\n", "E-CONF-TYPE instep.yaml:1:1: `the file` is a block of keys, not a list"),
        (
            "groups:\n  mine: { enabled: true }\n",
            "E-CONF-TYPE instep.yaml:2:11: `groups.mine.paths` is a list of the group's paths, not missing",
        ),
        ("sync:\n  exclude: [a, [b]]\n", "E-CONF-TYPE instep.yaml:2:16: "),
        (
            "sync:\n  conflict_strategy: newest\n",
            "E-CONF-RANGE instep.yaml:2:22: `sync.conflict_strategy` is one of merge, ",
        ),
        ("sync:\n  max_delete: 0%\n", "E-CONF-RANGE "),
        ("sync:\n  max_delete: 25\n", "E-CONF-RANGE "),
        ("sync:\n  branch: ' '\n", "E-CONF-RANGE "),
        ("sync:\n  max_file_size: abc\n", "E-CONF-RANGE "),
        ("retention: { keep_last: -1 }\n", "E-CONF-RANGE "),
        ("retention: { keep_last: many }\n", "E-CONF-TYPE "),
        ("retention: { deleted: 30 }\n", "E-CONF-RANGE "),
        ("groups:\n  'a.b': { paths: [x] }\n", "E-CONF-RANGE instep.yaml:2:3: `groups` is a block of names"),
        ("sync:\n  brnch: x\n", "E-CONF-KEY instep.yaml:2:3: there is no setting `sync.brnch`"),
        ("version: 9\nnew: [{}]\n", "E-CONF-VERSION instep.yaml:1:10: these settings are of version 9"),
        ("version: 0\n", "E-CONF-RANGE "),
        ("version: one\n", "E-CONF-TYPE "),
        ("sync:\n  encryptionKey: topsecret\n", "E-CONF-SECRET instep.yaml:2:3: `encryptionKey` is a secret"),
        ("encryptionKey: topsecret\n", "E-CONF-SECRET instep.yaml:1:1: "),
        (
            "sync:\n  exclude:\n  - a\n  - 'b['\n",
            "E-GLOB instep.yaml line 4: the pattern \"b[\" can't be used: at position 2, `[` is never closed",
        ),
        ("sync:\n  include: ['!a']\n", "E-GLOB instep.yaml line 2: "),
        ("sync:\n  exclude: [!a]\n", "E-CONF-LIMIT instep.yaml:2:"),
        (&many, "E-GLOB instep.yaml line 2: "),
        (&deep, "E-CONF-LIMIT instep.yaml:1:"),
        (bomb, "E-CONF-LIMIT instep.yaml:1:"),
    ] {
        let got = refusal(text.as_bytes());
        assert!(got.starts_with(expected), "{text:.80}\n got      {got}\n expected {expected}");
        assert!(!got.contains("topsecret"));
    }
    assert!(
        refusal(b"sync:\n  branch: \xff\n").starts_with("E-CONF-PARSE instep.yaml:2:11: this is not UTF-8")
    );
    assert!(refusal(b"\xff\xfes\0y\0").starts_with("E-CONF-PARSE instep.yaml:1:1: the text is UTF-16"));
    assert!(refusal(&vec![b' '; SETTINGS_BYTES_MAX + 1]).starts_with("E-CONF-LIMIT instep.yaml: "));
}

#[test]
fn intervals_have_limits() {
    for (text, seconds) in [
        ("5s", 5),
        ("15m", 900),
        ("60", 3_600),
        ("1h30m", 5_400),
        ("1.5 h", 5_400),
        ("'15m'", 900),
        ("7d", 604_800),
        ("1w", 604_800),
        ("0.5", 30),
        ("90 seconds", 90),
    ] {
        let config = config(&format!("privateSync: {{ syncInterval: {text} }}"));
        assert_eq!(config.sync_interval, Duration::from_secs(seconds), "{text}");
    }
    for text in
        ["-5", "0", "1e99", "'60'", "NaN", ".nan", "inf", "4s", "8d", "soon", "5 parsecs", "m", "1h-5m"]
    {
        let got = refusal(format!("privateSync: {{ syncInterval: {text} }}").as_bytes());
        assert!(got.starts_with("E-CONF-RANGE") && got.contains("between 5 s and 7 days"), "{text}: {got}");
    }
}

#[test]
fn sizes_are_read_and_shown() {
    for (text, bytes, shown) in [
        ("100MB", 100_000_000, "100MB"),
        ("1.5 GiB", 1_610_612_736, "1536MiB"),
        ("4096", 4_096, "4KiB"),
        ("100M", 100_000_000, "100MB"),
        ("1 TB", 1_000_000_000_000, "1TB"),
        ("777", 777, "777"),
    ] {
        let settings = resolve(vec![shared(&format!("sync: {{ max_file_size: {text} }}")).unwrap()]);
        assert_eq!(settings.config().file_bytes_max, Some(bytes), "{text}");
        assert_eq!(settings.entry("sync.max_file_size").unwrap().value().unwrap().to_string(), shown);
    }
    for text in ["-1", "0", "1e9MB", "10 PB", "''", "MB"] {
        assert!(refusal(format!("sync: {{ max_file_size: {text} }}").as_bytes()).starts_with("E-CONF-RANGE"));
    }
}

#[test]
fn a_misspelt_key_is_guessed() {
    for (text, meant) in [
        ("sync: { brnch: x }", Some("sync.branch")),
        ("sync: { syncinterval: 5 }", Some("sync.sync_interval")),
        ("snc: {}", Some("sync")),
        ("branch: x", Some("sync.branch")),
        ("groups: { a: { pathes: [x] } }", Some("groups.a.paths")),
        ("retention: { keeplast: 5 }", Some("retention.keep_last")),
        ("zebra: 1", None),
        ("private_sync: {}", None),
    ] {
        match shared(text).unwrap_err() {
            ConfigError::Key { meant: got, .. } => assert_eq!(got.as_deref(), meant, "{text}"),
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn later_layers_win_and_losers_are_listed() {
    let layers = || {
        vec![
            shared("sync:\n  branch: a\n  exclude: ['*.a']").unwrap(),
            Layer::here("instep.local.yaml", b"sync:\n  branch: b\n  exclude: ['*.b']\n").unwrap(),
            Layer::variables(LayerKind::DotEnv, [("INSTEP_BRANCH", "c"), ("HOME", "/")]).unwrap(),
            Layer::variables(LayerKind::Environment, [("INSTEP_BRANCH", "d"), ("INSTEP_EXCLUDE", "*.d,*.e")])
                .unwrap(),
            Layer::flags(&[Flag { key: "sync.branch", name: "--branch", value: "e" }]).unwrap(),
        ]
    };
    let mut reversed = layers();
    reversed.reverse();
    for layers in [layers(), reversed] {
        let settings = resolve(layers);
        let entry = settings.entry("sync.branch").unwrap();
        assert_eq!(entry.acting[0].origin.to_string(), "--branch");
        let losers: Vec<String> =
            entry.inert.iter().map(|(given, _)| format!("{} {}", given.value, given.origin)).collect();
        let expected = [
            "d INSTEP_BRANCH",
            "c .env INSTEP_BRANCH",
            "b instep.local.yaml line 2",
            "a instep.yaml line 2",
            "main built in",
        ];
        assert_eq!(losers, expected);
        let excludes: Vec<(&str, bool)> =
            settings.config().exclude.iter().map(|rule| (rule.text.as_str(), rule.place.here)).collect();
        assert_eq!(excludes, [("*.a", false), ("*.b", true), ("*.d", true), ("*.e", true)]);
    }
}

#[test]
fn the_shared_file_can_neither_stop_nor_redirect_a_machine() {
    let text = "sync:\n  enabled: false\n  auto_sync: true\n  remote: git@evil:x\n  symlinks: any\n  branch: b\n\
                groups: { d: { paths: [d], regenerate: 'rm -rf' } }\nmachine: other\n";
    let settings = resolve(vec![shared(text).unwrap()]);
    let config = settings.config();
    assert!(config.enabled && !config.auto_sync);
    assert_eq!((config.remote.as_deref(), config.machine.as_deref()), (None, None));
    assert_eq!((config.symlinks, config.groups[0].regenerate.as_deref()), (Symlinks::Portable, None));
    let awaiting: Vec<&str> = settings.awaiting_trust().iter().map(|given| given.key.as_str()).collect();
    assert_eq!(awaiting, ["sync.remote", "groups.d.regenerate"]);

    let trusted = Settings::resolve(vec![shared(text).unwrap()], Trust::Given).unwrap();
    assert_eq!(trusted.config().remote.as_deref(), Some("git@evil:x"));
    assert!(trusted.config().enabled, "trust is about addresses and commands alone");
    assert!(trusted.awaiting_trust().is_empty());

    let here =
        Layer::here("instep.local.yaml", b"sync: { enabled: false, symlinks: any, remote: mine }\n").unwrap();
    let settings = resolve(vec![shared(text).unwrap(), here]);
    assert!(!settings.config().enabled);
    assert_eq!(settings.config().symlinks, Symlinks::Any);
    assert_eq!(settings.config().remote.as_deref(), Some("mine"));
}

#[test]
fn every_key_has_its_variable() {
    for (variable, key) in [
        ("INSTEP_REMOTE", "sync.remote"),
        ("INSTEP_BRANCH", "sync.branch"),
        ("INSTEP_SYNC_INTERVAL", "sync.sync_interval"),
        ("INSTEP_BWLIMIT", "sync.bwlimit"),
        ("INSTEP_CONFLICT_STRATEGY", "sync.conflict_strategy"),
        ("INSTEP_RETENTION_KEEP_LAST", "retention.keep_last"),
        ("INSTEP_GROUPS_CACHE_ENABLED", "groups.cache.enabled"),
        ("INSTEP_GROUPS_CACHE_CONFLICT_STYLE", "groups.cache.conflict_style"),
    ] {
        assert_eq!(key::of_variable(variable).map(|(key, _)| key).as_deref(), Some(key));
        assert_eq!(key::variable(key), variable);
    }
    for variable in ["INSTEP_HOME", "INSTEP_KEY", "PATH", "INSTEP_"] {
        assert_eq!(key::of_variable(variable), None);
    }
    let error = Layer::variables(LayerKind::Environment, [("INSTEP_ENABLED", "no")]).unwrap_err();
    assert_eq!(error.to_string(), "INSTEP_ENABLED: `sync.enabled` is either true or false, not `no`");
    let empty = Layer::variables(LayerKind::Environment, [("INSTEP_BRANCH", "")]).unwrap();
    assert!(empty.given.is_empty());
    for spec in key::KEYS {
        assert!(spec.default.is_none() || spec.default_value().is_some(), "{}", spec.path);
        assert_eq!(key::find(&spec.path.replace('*', "name")), Some(spec));
    }
}
