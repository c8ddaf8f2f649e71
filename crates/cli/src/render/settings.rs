//! Settings as text and JSON: what holds, where it comes from, and what it overrules.

use std::fmt::Write as _;

use instep_core::config::{Entry, Given, Inert, LayerKind, Settings, Value};
use instep_core::path::escape;
use serde_json::json;

use super::{Columns, Look, Tone};

/// A value on one line.
pub fn value(value: &Value) -> String {
    escape(value.to_string().as_bytes())
}

/// The value that holds for a key: of lists that are joined, all of them.
pub fn held(entry: &Entry) -> Option<String> {
    if !entry.spec.is_joined() {
        return entry.value().map(value);
    }
    let values: Vec<String> = entry.acting.iter().map(|given| value(&given.value)).collect();
    (!values.is_empty()).then(|| values.join(" + "))
}

/// All settings that hold; with `origin` also where each comes from, and the losers.
pub fn text(look: &Look, settings: &Settings, origin: bool) -> String {
    let mut columns = Columns::default();
    for entry in settings.entries() {
        let built_in = |given: &Given| given.origin.layer == LayerKind::BuiltIn;
        if origin {
            rows(look, entry, &mut columns);
        } else if let Some(held) = held(entry) {
            let tone = entry.acting.iter().all(built_in).then_some(Tone::Quiet);
            columns.row(look, &[(tone, &entry.key), (tone, &held)]);
        }
    }
    let mut text = columns.finish();
    for idle in settings.not_in_effect() {
        let _ = writeln!(
            text,
            "{}: {} is given in {}, and this version does not act on it yet.",
            idle.key,
            escape(idle.value.as_bytes()),
            idle.origin
        );
    }
    text
}

fn rows(look: &Look, entry: &Entry, columns: &mut Columns) {
    let mut key = entry.key.as_str();
    for given in entry.acting.iter().rev() {
        columns.row(
            look,
            &[(None, key), (None, &value(&given.value)), (Some(Tone::Quiet), &given.origin.to_string())],
        );
        key = "";
    }
    for (given, why) in &entry.inert {
        let words = format!("{}: {}", given.origin, reason(*why));
        columns.row(
            look,
            &[(None, key), (Some(Tone::Quiet), &value(&given.value)), (Some(Tone::Quiet), &words)],
        );
        key = "";
    }
}

/// Why a value that was given does not act.
pub fn reason(why: Inert) -> &'static str {
    match why {
        Inert::Overruled => "overruled",
        Inert::HereOnly => "acts only from this machine's own settings",
        Inert::Untrusted => "waits for `instep config trust`",
    }
}

/// The object for programs.
pub fn to_json(settings: &Settings) -> serde_json::Value {
    let given = |given: &Given| json!({"value": value(&given.value), "origin": given.origin.to_string()});
    let entries = settings.entries().iter().map(|entry| {
        let inert = entry.inert.iter().map(|(loser, why)| {
            json!({"value": value(&loser.value), "origin": loser.origin.to_string(), "why": reason(*why)})
        });
        json!({
            "key": entry.key,
            "value": held(entry),
            "acting": entry.acting.iter().map(given).collect::<Vec<_>>(),
            "inert": inert.collect::<Vec<_>>(),
        })
    });
    json!({"schema": 1, "command": "config", "settings": entries.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use instep_core::config::{Layer, Trust};

    use super::super::tests::plain;
    use super::*;

    #[test]
    fn the_winner_stands_first_and_the_losers_below_with_the_reason() {
        let shared = b"sync:\n  branch: main\n  enabled: false\n  exclude: ['*.log']\n  remote: 'https://x.org/a.git'\n";
        let layers = vec![
            Layer::shared("instep.yaml", shared).unwrap(),
            Layer::variables(LayerKind::Environment, [("INSTEP_BRANCH", "notes")]).unwrap(),
        ];
        let settings = Settings::resolve(layers, Trust::Withheld).unwrap();
        let text = text(&plain(), &settings, true);
        let shown: Vec<&str> = text.lines().take(8).collect();
        expect![[r#"
            version                 1                    built in
            sync.enabled            true                 built in
                                    false                instep.yaml line 3: acts only from this machine's own settings
            sync.remote             https://x.org/a.git  instep.yaml line 5: waits for `instep config trust`
            sync.branch             notes                INSTEP_BRANCH
                                    main                 instep.yaml line 2: overruled
                                    main                 built in: overruled
            sync.allow_public       false                built in"#]]
        .assert_eq(&shown.join("\n"));
    }
}
