//! The history as text and JSON: operations, one operation, one file's versions.

use std::fmt::Write as _;

use instep_core::clock::Timestamp;
use instep_core::path::escape;
use instep_engine::cycle::outcome::Done;
use serde_json::{Value, json};

use super::outcome::{done_json, place};
use super::status::letter;
use super::{Columns, Icon, Look, Tone, bytes, number, rfc3339, units, units_json};

/// One operation, as people read it.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its name in the log: `7f3a`.
    pub id: String,
    /// When it ended.
    pub time: Timestamp,
    /// The machine that did it.
    pub machine: String,
    /// What was done: `sync`, `pull`, `undo`, …
    pub verb: String,
    /// How many changes went to the remote.
    pub sent: u64,
    /// How many came here.
    pub received: u64,
    /// How many were joined of both.
    pub merged: u64,
    /// How many conflicts it found.
    pub conflicts: u64,
    /// Who or what started it, or the message given with it.
    pub note: String,
    /// The address of the remote that it was done with.
    pub address: Option<String>,
    /// Its changes, where they are known here.
    pub changes: Vec<Done>,
    /// What it changed, in what people count in.
    pub units: Vec<(String, u64)>,
}

/// One version of a file.
#[derive(Debug, Clone)]
pub struct FileVersion {
    /// The operation that put it away; `None` for the present one.
    pub operation: Option<String>,
    /// When it was put away, or modified.
    pub time: Timestamp,
    /// Its length in bytes.
    pub size: u64,
    /// The name of its content.
    pub hash: String,
    /// What replaced it, in words.
    pub note: String,
}

impl Logged {
    /// `↑2 ↓1 ⇄1 ⚠1`, without what is none.
    fn counts(&self, look: &Look) -> String {
        let parts = [
            (Icon::Up, self.sent),
            (Icon::Down, self.received),
            (Icon::Merged, self.merged),
            (Icon::NeedsYou, self.conflicts),
        ];
        let shown = |(icon, how_many): &(Icon, u64)| {
            let (unicode, ascii) = icon.forms();
            format!("{}{}", if look.unicode { unicode } else { ascii }, number(*how_many))
        };
        parts.iter().filter(|(_, how_many)| *how_many > 0).map(shown).collect::<Vec<_>>().join(" ")
    }
}

impl Logged {
    /// What it changed in the words of the workspace, and the note.
    fn remark(&self) -> String {
        let note = Some(escape(self.note.as_bytes())).filter(|note| !note.is_empty());
        units(&self.units).into_iter().chain(note).collect::<Vec<_>>().join(", ")
    }
}

/// The word that other programs' logs know: `push`, `pull`, `init` or `conflict`.
pub fn word(logged: &Logged) -> &str {
    match logged.verb.as_str() {
        "init" | "clone" => "init",
        _ if logged.sent > 0 => "push",
        _ if logged.received > 0 || logged.merged > 0 => "pull",
        _ if logged.conflicts > 0 => "conflict",
        "push" => "push",
        _ => "pull",
    }
}

/// The operations, newest first.
pub fn list(look: &Look, operations: &[Logged]) -> String {
    if operations.is_empty() {
        return "Nothing has happened yet.\n".to_owned();
    }
    let mut columns = Columns::default();
    for logged in operations {
        columns.row(
            look,
            &[
                (Some(Tone::Moving), &logged.id),
                (None, &look.moment(logged.time)),
                (None, &escape(logged.machine.as_bytes())),
                (None, &logged.verb),
                (None, &logged.counts(look)),
                (Some(Tone::Quiet), &logged.remark()),
            ],
        );
    }
    columns.finish()
}

/// One operation in full.
pub fn one(look: &Look, logged: &Logged) -> String {
    let mut text = list(look, std::slice::from_ref(logged));
    let mut columns = Columns::indented(2);
    for done in &logged.changes {
        let icon = match (done.merged.is_some(), done.side) {
            (true, _) => Icon::Merged,
            (false, instep_core::node::Side::Remote) => Icon::Up,
            (false, instep_core::node::Side::Local) => Icon::Down,
        };
        let (unicode, ascii) = icon.forms();
        let sign = if look.unicode { unicode } else { ascii };
        let kept = if done.kept { "previous version kept" } else { "" };
        columns.row(
            look,
            &[
                (Some(icon.tone()), sign),
                (None, letter(done)),
                (None, &place(look, done)),
                (None, &done.size.map(bytes).unwrap_or_default()),
                (Some(Tone::Quiet), kept),
            ],
        );
    }
    text.push_str(&columns.finish());
    text
}

/// The versions of one file, newest first.
pub fn versions(look: &Look, path: &str, versions: &[FileVersion]) -> String {
    if versions.is_empty() {
        return format!("No version of {path} is known here.\n");
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}", look.paint(Tone::Strong, path));
    let mut columns = Columns::indented(2);
    for version in versions {
        columns.row(
            look,
            &[
                (Some(Tone::Moving), version.operation.as_deref().unwrap_or("now")),
                (None, &look.moment(version.time)),
                (None, &bytes(version.size)),
                (None, version.hash.get(..8).unwrap_or(&version.hash)),
                (Some(Tone::Quiet), &version.note),
            ],
        );
    }
    text.push_str(&columns.finish());
    text
}

/// One operation for programs.
pub fn to_json(logged: &Logged) -> Value {
    json!({
        "id": logged.id,
        "timestamp": rfc3339(logged.time),
        "operation": word(logged),
        "verb": logged.verb,
        "machine": logged.machine,
        "message": logged.note,
        "remote_url": logged.address,
        "workspaces_affected": affected(logged, "workspaces").unwrap_or(1),
        "scenarios_affected": affected(logged, "scenarios")
            .unwrap_or(logged.sent + logged.received + logged.merged),
        "units": units_json(&logged.units),
        "sent": logged.sent,
        "received": logged.received,
        "merged": logged.merged,
        "conflicts": logged.conflicts,
        "changes": logged.changes.iter().map(done_json).collect::<Vec<_>>(),
    })
}

/// How many of a unit an operation changed, if people count in it.
fn affected(logged: &Logged, unit: &str) -> Option<u64> {
    logged.units.iter().find(|(name, _)| name == unit).map(|(_, how_many)| *how_many)
}

/// One version of a file for programs.
pub fn version_json(version: &FileVersion) -> Value {
    json!({
        "operation": version.operation,
        "timestamp": rfc3339(version.time),
        "size": version.size,
        "hash": format!("blake3:{}", version.hash),
        "note": version.note,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::{before, plain};
    use super::*;

    fn logged(id: &str, ago: i64) -> Logged {
        Logged {
            id: id.into(),
            time: before(ago),
            machine: "laptop".into(),
            verb: "sync".into(),
            sent: 2,
            received: 1,
            merged: 1,
            conflicts: 1,
            note: "Ana".into(),
            address: None,
            changes: Vec::new(),
            units: Vec::new(),
        }
    }

    #[test]
    fn the_log_is_a_line_an_operation() {
        let mut old = logged("51cc", 86_400 * 4);
        (old.machine, old.received, old.merged, old.conflicts) = ("desktop".into(), 0, 0, 0);
        expect![[r#"
            7f3a  10:03        laptop   sync  ↑2 ↓1 ⇄1 ⚠1  Ana
            51cc  4 Feb 10:03  desktop  sync  ↑2           Ana
        "#]]
        .assert_eq(&list(&plain(), &[logged("7f3a", 0), old]));
    }

    #[test]
    fn an_empty_log_says_so() {
        assert_eq!(list(&plain(), &[]), "Nothing has happened yet.\n");
    }

    #[test]
    fn programs_find_the_words_they_know() {
        let object = to_json(&logged("7f3a", 0));
        assert_eq!(object["operation"], "push");
        assert_eq!(object["timestamp"], "2026-02-08T10:03:00Z");
    }

    #[test]
    fn a_files_versions_name_the_operation_that_put_them_away() {
        let version = FileVersion {
            operation: Some("7f3a".into()),
            time: before(60),
            size: 19,
            hash: "0123456789abcdef".into(),
            note: "replaced".into(),
        };
        expect![[r#"
            notes/plan.md
              7f3a  10:02  19 B  01234567  replaced
        "#]]
        .assert_eq(&versions(&plain(), "notes/plan.md", &[version]));
    }
}
