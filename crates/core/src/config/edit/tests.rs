//! Edits as tables: the text before, the change, the text after.

use super::*;

const TEXT: &str = "\
# Our notes.
version: 1

sync:
  # How often.
  sync_interval: 15m   # minutes
  exclude:
    - \"*.log\"   # noise
    # build output
    - out/
  include: [\"*.md\", \"*.txt\"]

groups:
  cache: { paths: [\"cache/**\"], enabled: false }
";

fn done(text: &str, change: Edit<'_>) -> String {
    edit(LayerKind::Shared, "instep.yaml", text, &change)
        .unwrap_or_else(|error| panic!("{change:?}: {error}"))
}

fn refused(kind: LayerKind, text: &str, change: Edit<'_>) -> &'static str {
    edit(kind, "instep.yaml", text, &change).unwrap_err().code()
}

#[test]
fn only_what_was_meant_changes() {
    for (key, value, old, new) in [
        ("sync.sync_interval", "5m", "sync_interval: 15m ", "sync_interval: 5m "),
        ("sync.sync_interval", "60", "sync_interval: 15m ", "sync_interval: 60 "),
        ("groups.cache.enabled", "true", "enabled: false", "enabled: true"),
        ("version", "1", "version: 1", "version: 1"),
    ] {
        assert_eq!(done(TEXT, Edit::Set { key, value }), TEXT.replace(old, new), "{key}");
    }
    let added = done(TEXT, Edit::Add { key: "sync.exclude", item: "*.tmp" });
    assert!(added.contains("*.log\"   # noise\n    # build output\n    - out/\n    - "), "{added}");
    let added = done(TEXT, Edit::Add { key: "sync.include", item: "*.rs" });
    assert!(added.contains("[\"*.md\", \"*.txt\", "), "{added}");
    assert_eq!(done(TEXT, Edit::Add { key: "sync.exclude", item: "out/" }), TEXT);
    assert_eq!(done(TEXT, Edit::Unset { key: "sync.branch" }), TEXT);
    let removed = done(TEXT, Edit::Remove { key: "sync.include", item: "*.md" });
    assert!(removed.contains("include: [\"*.txt\"]"), "{removed}");
}

#[test]
fn taking_out_leaves_the_rest() {
    for (change, gone) in [
        (Edit::Unset { key: "sync.include" }, "  include: [\"*.md\", \"*.txt\"]\n"),
        (Edit::Unset { key: "sync.sync_interval" }, "  sync_interval: 15m   # minutes\n"),
        (Edit::Unset { key: "groups.cache.enabled" }, ", enabled: false "),
        (Edit::Remove { key: "sync.exclude", item: "out/" }, "    - out/\n"),
        (Edit::Remove { key: "sync.exclude", item: "*.log" }, "    - \"*.log\"   # noise\n"),
        (Edit::Remove { key: "sync.exclude", item: "none" }, ""),
    ] {
        let edited = edit(LayerKind::Shared, "instep.yaml", TEXT, &change);
        assert_eq!(edited.unwrap(), TEXT.replacen(gone, "", 1), "{change:?}");
    }
}

#[test]
fn every_key_can_be_set_into_any_text() {
    let texts = ["", "# only a note", "version: 1\n", "sync:\n  branch: x\n", TEXT, "sync: {}\n", "sync:\n"];
    for spec in key::KEYS {
        let key = spec.path.replace('*', "mine");
        let value = match spec.kind {
            Kind::Bool => "true",
            Kind::Word(words) => words[0],
            Kind::Interval => "20",
            Kind::Span => "5d",
            Kind::Wait => "20s",
            Kind::Size | Kind::Rate => "5MB",
            Kind::Percent => "5%",
            Kind::Count(..) => "1",
            Kind::Text | Kind::List | Kind::Secret => "no: \"x\" # y",
            Kind::Patterns => "*.x, #a",
        };
        if spec.kind == Kind::Patterns {
            assert_eq!(refused(LayerKind::Here, TEXT, Edit::Set { key: &key, value }), "E-GLOB");
        }
        let value = if spec.kind == Kind::Patterns { "*.x, a b" } else { value };
        for text in texts {
            match edit(LayerKind::Here, "instep.local.yaml", text, &Edit::Set { key: &key, value }) {
                Ok(edited) => assert!(Layer::here("x", edited.as_bytes()).is_ok()),
                Err(error) => panic!("{key} into {text:?}: {error}"),
            }
        }
    }
}

#[test]
fn words_of_other_programs_are_changed_where_they_stand() {
    let text = "privateSync:\n  syncInterval: 60 # hourly\n";
    let set = done(text, Edit::Set { key: "sync.sync_interval", value: "5m" });
    assert_eq!(set, "privateSync:\n  syncInterval: 5m # hourly\n");
    let set = done(text, Edit::Set { key: "sync.branch", value: "b" });
    assert_eq!(set, "privateSync:\n  syncInterval: 60 # hourly\n  branch: b\n");
}

#[test]
fn what_makes_no_sense_is_refused() {
    use LayerKind::{Here, Shared};
    for (kind, change, code) in [
        (Shared, Edit::Set { key: "sync.brnch", value: "x" }, "E-CONF-KEY"),
        (Shared, Edit::Set { key: "sync.sync_interval", value: "1s" }, "E-CONF-RANGE"),
        (Shared, Edit::Set { key: "sync.on_change", value: "yes" }, "E-CONF-TYPE"),
        (Shared, Edit::Set { key: "sync.enabled", value: "false" }, "E-CONF-HERE"),
        (Shared, Edit::Set { key: "sync.encryption_key", value: "x" }, "E-CONF-SECRET"),
        (Here, Edit::Add { key: "sync.branch", item: "x" }, "E-CONF-TYPE"),
        (Here, Edit::Add { key: "sync.exclude", item: "a[" }, "E-GLOB"),
        (Shared, Edit::Set { key: "groups.a b.paths", value: "x" }, "E-CONF-RANGE"),
    ] {
        assert_eq!(refused(kind, TEXT, change), code, "{change:?}");
    }
    assert_eq!(refused(Shared, "sync: [", Edit::Unset { key: "sync.branch" }), "E-CONF-PARSE");
    assert_eq!(usual_layer("sync.enabled"), Here);
    assert_eq!(usual_layer("sync.remote"), Here);
    assert_eq!(usual_layer("sync.exclude"), Shared);
}

#[test]
fn a_block_of_a_block_goes_with_its_last_key() {
    let text = "machine: a\nremotes:\n  one:\n    url: /x\n    limit: 1MB\n  two:\n    url: /y\n";
    let first = done(text, Edit::Unset { key: "remotes.one.url" });
    assert_eq!(first, text.replace("    url: /x\n", ""));
    let second = done(&first, Edit::Unset { key: "remotes.one.limit" });
    assert_eq!(second, "machine: a\nremotes:\n  two:\n    url: /y\n");
    let third = done(&second, Edit::Unset { key: "remotes.two.url" });
    assert_eq!(third, "machine: a\n");
    let again = done(&third, Edit::Set { key: "remotes.three.url", value: "/z" });
    assert!(again.contains("three"), "{again}");
}

#[test]
fn what_is_taken_out_leaves_no_empty_block_and_the_rest_byte_for_byte() {
    for (text, key, left) in [
        ("sync:\n  branch: x\n", "sync.branch", ""),
        ("sync:\n  branch: x", "sync.branch", ""),
        ("sync: {branch: x}\nmachine:   m  # me\n", "sync.branch", "machine:   m  # me\n"),
        ("sync: { branch: x, remote: '/a' }\n", "sync.branch", "sync: { remote: '/a' }\n"),
        (
            "# all\nsync:\r\n  branch: x\r\n\r\n# me\r\nmachine: m\r\n",
            "sync.branch",
            "# all\n\r\n# me\r\nmachine: m\r\n",
        ),
        ("---\nsync:\n  branch: x\n...\n", "sync.branch", "---\n...\n"),
        ("\"sync\":\n  'branch': x\nmachine: m\n", "sync.branch", "machine: m\n"),
        (
            "sync:\n  exclude:\n  - a\n  # b\n  - c\n  branch: x\n",
            "sync.branch",
            "sync:\n  exclude:\n  - a\n  # b\n  - c\n",
        ),
        ("sync:\n  exclude:\n  - a\n  - c\n  branch: x\n", "sync.exclude", "sync:\n  branch: x\n"),
        ("sync:\n  exclude: [a,\n    b]\nmachine: m\n", "sync.exclude", "machine: m\n"),
        // A comment is no part of the key, and keeps the block that it stands in.
        ("sync:   # ours\n    branch: x   # b\n    # tail\n", "sync.branch", "sync:   # ours\n    # tail\n"),
        ("sync:\n  # why\n  branch: x\n", "sync.branch", "sync:\n  # why\n"),
        (
            "remotes:\n  a: {url: /x, limit: 1MB}\n  b:\n    url: /y\n",
            "remotes.b.url",
            "remotes:\n  a: {url: /x, limit: 1MB}\n",
        ),
        ("remotes: { a: { url: /x } }\n", "remotes.a.url", ""),
        // Nothing to take out.
        ("sync: {}\n", "sync.branch", "sync: {}\n"),
        ("sync:\nmachine: m\n", "sync.branch", "sync:\nmachine: m\n"),
    ] {
        let edited = edit(LayerKind::Here, "x", text, &Edit::Unset { key });
        assert_eq!(edited.as_deref(), Ok(left), "{key} from {text:?}");
    }
}
