//! What a cycle did, as text and as JSON lines.

use std::fmt::Write as _;

use instep_core::node::Side;
use instep_core::path::{TreePath, escape};
use instep_core::plan::{ChangeKind, Note, NoteKind};
use instep_engine::cycle::outcome::{Done, Held, Outcome};
use serde_json::{Value, json};

use super::{
    Columns, Icon, Look, Tone, bytes, conflict, count, duration, number, path_object, units, units_json,
};
use crate::failure::Exit;

/// How many lines of a list are shown, unless a person asked for all.
const LINES_MAX: usize = 40;

/// How many changes of each kind an outcome holds. A folder counts where it moved, or where there are no files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// To the remote.
    pub sent: u64,
    /// To this folder.
    pub received: u64,
    /// Both changes became one.
    pub merged: u64,
    /// Removed on either side.
    pub deleted: u64,
}

impl Counts {
    /// Counts an outcome's changes. A merge changes up to both sides and counts once.
    pub fn of(outcome: &Outcome) -> Self {
        let mut counts = Counts::default();
        let mut merged = std::collections::BTreeSet::new();
        let files = outcome.done.iter().any(|done| !done.folder);
        let counts_as_one = |done: &&Done| !done.folder || !files || done.kind == ChangeKind::Move;
        for done in outcome.done.iter().filter(counts_as_one) {
            counts.deleted += u64::from(done.kind == ChangeKind::Remove);
            match (done.merged.is_some(), done.side) {
                (true, _) => {
                    merged.insert(&done.path);
                }
                (false, Side::Remote) => counts.sent += 1,
                (false, Side::Local) => counts.received += 1,
            }
        }
        counts.merged = merged.len() as u64;
        counts
    }

    /// Answers whether nothing happened.
    pub fn is_empty(&self) -> bool {
        *self == Counts::default()
    }
}

/// How the program ends after such an outcome.
pub fn exit(outcome: &Outcome) -> Exit {
    let open = outcome.conflicts.iter().any(|open| !open.conflict.settled);
    let conflicts = if open { Exit::Conflicts } else { Exit::Done };
    let held = if outcome.held.is_empty() { Exit::Done } else { Exit::Partial };
    conflicts.and(held)
}

/// The text of a finished cycle.
pub fn text(look: &Look, outcome: &Outcome) -> String {
    let mut text = format!(
        "Checked  {} here {} {} there    {}\n",
        number(outcome.seen.local),
        look.dot(),
        number(outcome.seen.remote),
        look.paint(Tone::Quiet, &duration(outcome.duration_ms))
    );
    text.push_str(&changes(look, outcome));
    text.push_str(&notes(look, &outcome.notes));
    text.push_str(&problems(look, outcome));
    text.push_str(&in_units(outcome));
    text.push_str(&sentence(look, outcome));
    text
}

/// What changed on each side, in what people count in.
fn in_units(outcome: &Outcome) -> String {
    let line = |(word, side): (&str, Side)| Some(format!("{word} {}.\n", units(&outcome.units[side])?));
    [("Sent", Side::Remote), ("Received", Side::Local)].into_iter().filter_map(line).collect()
}

/// The closing sentence: what was done, and what waits.
fn sentence(look: &Look, outcome: &Outcome) -> String {
    let counts = Counts::of(outcome);
    let waiting = waiting(outcome);
    if counts.is_empty() && waiting.is_empty() {
        return format!("{} In sync.\n", look.icon(Icon::InSync));
    }
    let mut parts = done_words(&counts);
    if parts.is_empty() {
        parts.push("nothing to send or receive".to_owned());
    }
    parts.extend(waiting);
    let mut line = format!("Done in {}: {}.", duration(outcome.duration_ms), parts.join(", "));
    if let Some(operation) = &outcome.operation {
        let _ =
            write!(line, "    {}", look.paint(Tone::Quiet, &format!("operation {}", short_id(operation))));
    }
    line + "\n"
}

/// The first digits of an operation's id: enough to type.
pub fn short_id(operation: &str) -> &str {
    operation.get(..8).unwrap_or(operation)
}

fn done_words(counts: &Counts) -> Vec<String> {
    [(counts.sent, "sent"), (counts.received, "received"), (counts.merged, "merged")]
        .into_iter()
        .filter(|(how_many, _)| *how_many > 0)
        .map(|(how_many, word)| format!("{} {word}", number(how_many)))
        .collect()
}

fn waiting(outcome: &Outcome) -> Vec<String> {
    let open = outcome.conflicts.iter().filter(|open| !open.conflict.settled).count() as u64;
    let mut parts = Vec::new();
    if open > 0 {
        parts.push(format!("{} waiting", count(open, "conflict")));
    }
    if !outcome.held.is_empty() {
        parts.push(format!("{} held", count(outcome.held.len() as u64, "path")));
    }
    if outcome.waits > 0 {
        let changes = count(outcome.waits as u64, "change");
        parts.push(format!("{changes} left for `instep sync`"));
    }
    parts
}

/// What waits, in one sentence with names: all that `--quiet` says.
pub fn in_brief(outcome: &Outcome) -> Option<String> {
    const NAMED_MAX: usize = 3;
    let open = outcome.conflicts.iter().filter(|open| !open.conflict.settled);
    let conflicts = open.map(|open| format!("{} ({})", open.conflict.path, open.short()));
    let held = outcome.held.iter().map(|held| format!("{} ({})", held.path, held.code));
    let names: Vec<String> = conflicts.chain(held).collect();
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED_MAX);
    let rest = if more > 0 { format!(" and {} more", number(more as u64)) } else { String::new() };
    let named = names[..NAMED_MAX.min(names.len())].join(", ");
    Some(format!("{}: {named}{rest}.", waiting(outcome).join(", ")))
}

/// One line a change; merges of both sides once.
pub fn changes(look: &Look, outcome: &Outcome) -> String {
    let mut columns = Columns::indented(2);
    let mut lines = Vec::new();
    let mut merged = std::collections::BTreeSet::new();
    for done in told(&outcome.done) {
        if done.merged.is_none() || merged.insert(&done.path) {
            lines.push(done);
        }
    }
    let shown = if look.verbose { lines.len() } else { LINES_MAX.min(lines.len()) };
    for done in &lines[..shown] {
        let icon = icon(done);
        let (sign, ascii) = icon.forms();
        let sign = if look.unicode { sign } else { ascii };
        columns.row(
            look,
            &[
                (Some(icon.tone()), sign),
                (None, &place(look, done)),
                (None, &weight(done)),
                (None, &escape(remark(done).as_bytes())),
            ],
        );
    }
    let mut text = columns.finish();
    if shown < lines.len() {
        let left = number((lines.len() - shown) as u64);
        let _ = writeln!(text, "  {} and {left} more; `-v` shows all.", look.dots());
    }
    text
}

/// The changes that have a line of their own: a folder that comes with something in it goes without saying. They are in
/// order of path.
pub fn told(all: &[Done]) -> Vec<&Done> {
    let goes_without_saying = |at: usize, done: &Done| {
        let below =
            all[at + 1..].iter().take_while(|other| other.path.as_bytes().starts_with(done.path.as_bytes()));
        let brings = |other: &Done| {
            other.side == done.side
                && other.kind != ChangeKind::Remove
                && other.path != done.path
                && other.path.is_within(&done.path)
        };
        done.folder && done.kind == ChangeKind::Create && below.into_iter().any(brings)
    };
    all.iter()
        .enumerate()
        .filter(|(at, done)| !goes_without_saying(*at, done))
        .map(|(_, done)| done)
        .collect()
}

fn icon(done: &Done) -> Icon {
    match (done.merged.is_some(), done.side) {
        (true, _) => Icon::Merged,
        (false, Side::Remote) => Icon::Up,
        (false, Side::Local) => Icon::Down,
    }
}

/// The path as people know it: a folder ends in a slash, a move shows both places.
pub fn place(look: &Look, done: &Done) -> String {
    let slash = if done.folder { "/" } else { "" };
    match &done.from {
        Some(from) if *from != done.path => format!("{from}{slash} {} {}{slash}", look.arrow(), done.path),
        _ => format!("{}{slash}", done.path),
    }
}

fn weight(done: &Done) -> String {
    match (done.kind, done.size) {
        (ChangeKind::Remove, _) => "deleted".to_owned(),
        (ChangeKind::Move, _) => "moved".to_owned(),
        (_, Some(size)) => bytes(size),
        (_, None) => String::new(),
    }
}

fn remark(done: &Done) -> &str {
    match (&done.merged, done.kept) {
        (Some(words), _) if words.is_empty() => "both changes joined",
        (Some(words), _) => words,
        (None, true) => "previous version kept",
        (None, false) => "",
    }
}

/// What a person would want to know of single paths.
pub fn notes(look: &Look, notes: &[Note]) -> String {
    let mut columns = Columns::indented(2);
    for note in notes {
        let words = match note.kind {
            NoteKind::EditBeatsDelete => "deleted on one side, edited on the other: the edit stays",
            NoteKind::MoveBeatsDelete => "deleted on one side, moved on the other: it stays at the new place",
            NoteKind::FolderStays => {
                "deleted on one side, changed inside on the other: the folder stays with that"
            }
            NoteKind::Decided { loser: Side::Local } => "the version there shows; the one from here is kept",
            NoteKind::Decided { loser: Side::Remote } => "the version here shows; the one from there is kept",
            NoteKind::Copied => "both versions kept, side by side",
        };
        let sign = if look.unicode { "·" } else { "-" };
        columns.row(look, &[(Some(Tone::Quiet), sign), (None, &note.path.to_string()), (None, words)]);
    }
    columns.finish()
}

/// Conflicts and held paths, last, where they are not scrolled away.
pub fn problems(look: &Look, outcome: &Outcome) -> String {
    let mut columns = Columns::indented(2);
    let sign = if look.unicode { "⚠" } else { "!" };
    for open in &outcome.conflicts {
        let why = if open.conflict.settled {
            format!("{} ({})", conflict::kind(open), open.short())
        } else {
            format!("{}; both versions kept ({})", conflict::reason(open), open.short())
        };
        columns.row(
            look,
            &[(Some(Tone::Attention), sign), (None, &open.conflict.path.to_string()), (None, &why)],
        );
    }
    for held in &outcome.held {
        let sign = if look.unicode { "○" } else { "o" };
        columns.row(
            look,
            &[
                (Some(Tone::Quiet), sign),
                (None, &held.path.to_string()),
                (None, held.code),
                (None, &held.why),
            ],
        );
    }
    columns.finish()
}

/// The one hint after a cycle, for what waits.
pub fn hint(outcome: &Outcome) -> Option<String> {
    let open: Vec<_> = outcome.conflicts.iter().filter(|open| !open.conflict.settled).collect();
    match open.as_slice() {
        [] => outcome
            .held
            .first()
            .map(|held| format!("`instep explain {}` says why it waits.", quoted(&held.path))),
        [only] => Some(format!("`instep resolve {}` settles the conflict.", only.short())),
        _ => Some("`instep conflicts` lists them; `instep resolve` settles them one by one.".to_owned()),
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &TreePath) -> String {
    quoted_text(&escape(path.as_bytes()))
}

/// A word as a shell takes it.
pub fn quoted_text(text: &str) -> String {
    let simple = |c: char| c.is_alphanumeric() || "/._-+=:@,".contains(c);
    let plain = text.chars().all(simple) && !text.starts_with('-') && !text.is_empty();
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// One change for programs.
pub fn done_json(done: &Done) -> Value {
    let from = done.from.as_ref().map(ToString::to_string);
    path_object(
        &done.path,
        json!({
            "type": "file",
            "side": side_word(done.side),
            "action": action(done.kind),
            "from": from,
            "folder": done.folder,
            "size": done.size,
            "modified": done.modified.and_then(super::rfc3339),
            "merged": done.merged.is_some(),
            "merge": done.merged.as_deref().filter(|words| !words.is_empty()),
            "kept": done.kept,
        }),
    )
}

/// `here` or `there`: the side that changes.
pub fn side_word(side: Side) -> &'static str {
    match side {
        Side::Local => "here",
        Side::Remote => "there",
    }
}

/// The kind of change for programs, as plans name it.
pub fn action(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Create => "create",
        ChangeKind::Remove => "remove",
        ChangeKind::Move => "move",
        ChangeKind::Write => "write",
        ChangeKind::MoveAndWrite => "move-and-write",
    }
}

/// A held path for programs.
pub fn held_json(held: &Held) -> Value {
    path_object(&held.path, json!({"code": held.code, "side": side_word(held.side), "why": held.why}))
}

/// The lines of a finished cycle for programs: files, conflicts, notices, and a summary last.
pub fn json_lines(outcome: &Outcome, exit: Exit) -> Vec<Value> {
    let typed = |kind: &str, mut value: Value| {
        if let Value::Object(fields) = &mut value {
            fields.insert("type".into(), kind.into());
        }
        value
    };
    let mut lines: Vec<Value> = outcome.done.iter().map(done_json).collect();
    lines.extend(outcome.conflicts.iter().map(|open| typed("conflict", conflict::to_json(open))));
    lines.extend(outcome.held.iter().map(|held| typed("notice", held_json(held))));
    lines.extend(outcome.notices.iter().map(|notice| json!({"type": "notice", "message": notice})));
    lines.push(summary(outcome, exit));
    lines
}

fn summary(outcome: &Outcome, exit: Exit) -> Value {
    let counts = Counts::of(outcome);
    json!({
        "type": "summary",
        "schema": 1,
        "operation": outcome.operation,
        "exit_code": exit.code(),
        "in_sync": outcome.conflicts.iter().all(|open| open.conflict.settled) && outcome.held.is_empty(),
        "sent": counts.sent,
        "received": counts.received,
        "merged": counts.merged,
        "deleted": counts.deleted,
        "conflicts": outcome.conflicts.iter().filter(|open| !open.conflict.settled).count(),
        "conflicts_new": outcome.conflicts_new,
        "held": outcome.held.len(),
        "bytes_sent": outcome.bytes.remote,
        "bytes_received": outcome.bytes.local,
        "units": {"sent": units_json(&outcome.units.remote), "received": units_json(&outcome.units.local)},
        "seen": {"here": outcome.seen.local, "there": outcome.seen.remote},
        "duration_ms": outcome.duration_ms,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::expect;
    use instep_core::node::PerSide;

    use super::super::conflict::tests::changed;
    use super::super::tests::{before, plain};
    use super::*;

    pub fn done(side: Side, kind: ChangeKind, path: &str, size: u64) -> Done {
        Done {
            side,
            kind,
            path: TreePath::new(path.as_bytes()).unwrap(),
            from: None,
            folder: false,
            size: Some(size),
            modified: Some(before(120)),
            merged: None,
            kept: false,
        }
    }

    /// Two sent, one received, one merged, one in conflict.
    pub fn busy() -> Outcome {
        let received = Done { kept: true, ..done(Side::Local, ChangeKind::Write, "base_config.yaml", 2_000) };
        let merge = |side| Done {
            merged: Some("3 + 2 records joined, 1 duplicate dropped".into()),
            ..done(side, ChangeKind::Write, "memories/user.json", 300)
        };
        Outcome {
            operation: Some("7f3a".into()),
            seen: PerSide { local: 1_412, remote: 1_409 },
            done: vec![
                received,
                merge(Side::Local),
                merge(Side::Remote),
                done(Side::Remote, ChangeKind::Create, "runs/2026-02-08/run_metadata.json", 1_100),
                done(Side::Remote, ChangeKind::Write, "scenarios/q4/config.yaml", 2_900),
            ],
            conflicts: vec![changed(3, "notes/plan.md")],
            conflicts_new: 1,
            duration_ms: 1_800,
            other_machine: Some("desktop".into()),
            checked: Some(before(180)),
            ..Outcome::default()
        }
    }

    #[test]
    fn a_cycle_reads_from_the_check_to_the_sentence() {
        expect![[r#"
            Checked  1,412 here · 1,409 there    1.8 s
              ↓  base_config.yaml                   2.0 KB  previous version kept
              ⇄  memories/user.json                 300 B   3 + 2 records joined, 1 duplicate dropped
              ↑  runs/2026-02-08/run_metadata.json  1.1 KB
              ↑  scenarios/q4/config.yaml           2.9 KB
              ⚠  notes/plan.md  changed on both: 2 places overlap; both versions kept (c3)
            Done in 1.8 s: 2 sent, 1 received, 1 merged, 1 conflict waiting.    operation 7f3a
        "#]]
        .assert_eq(&text(&plain(), &busy()));
        assert_eq!(exit(&busy()), Exit::Conflicts);
        assert_eq!(hint(&busy()).unwrap(), "`instep resolve c3` settles the conflict.");
    }

    #[test]
    fn nothing_to_do_is_one_sentence() {
        let quiet = Outcome { seen: PerSide { local: 2, remote: 2 }, duration_ms: 40, ..Outcome::default() };
        expect![[r#"
            Checked  2 here · 2 there    0.0 s
            ✓ In sync.
        "#]]
        .assert_eq(&text(&plain(), &quiet));
        assert_eq!(exit(&quiet), Exit::Done);
    }

    #[test]
    fn what_is_held_is_listed_with_its_reason_and_never_called_in_sync() {
        let held = Held {
            path: TreePath::new(b"secret.bin").unwrap(),
            side: Side::Remote,
            code: "E-IO-PERM",
            why: "It can't be read.".into(),
        };
        let outcome = Outcome { held: vec![held], ..Outcome::default() };
        expect![[r#"
            Checked  0 here · 0 there    0.0 s
              ○  secret.bin  E-IO-PERM  It can't be read.
            Done in 0.0 s: nothing to send or receive, 1 path held.
        "#]]
        .assert_eq(&text(&plain(), &outcome));
        assert_eq!(exit(&outcome), Exit::Partial);
        assert_eq!(hint(&outcome).unwrap(), "`instep explain secret.bin` says why it waits.");
    }

    #[test]
    fn a_terminal_without_unicode_gets_words_and_signs_it_can_show() {
        let look = Look { unicode: false, ..plain() };
        let shown = text(&look, &busy());
        assert!(shown.is_ascii(), "{shown}");
    }

    #[test]
    fn programs_get_one_line_a_fact_and_a_summary_last() {
        let lines = json_lines(&busy(), exit(&busy()));
        let kinds: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
        assert_eq!(kinds, ["file", "file", "file", "file", "file", "conflict", "summary"]);
        assert_eq!(lines.last().unwrap()["exit_code"], 4);
    }

    #[test]
    fn a_path_is_quoted_for_the_shell() {
        let path = TreePath::new(b"it's here.txt").unwrap();
        assert_eq!(quoted(&path), r"'it'\''s here.txt'");
    }
}
