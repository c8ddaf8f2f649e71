//! A preview: every path that a sync would touch, what for, and what would be deleted.

use std::fmt::Write as _;

use instep_core::node::Side;
use instep_core::plan::ChangeKind;
use instep_engine::cycle::outcome::{Done, Outcome};
use instep_engine::cycle::plan_file::PlanFile;
use serde_json::{Value, json};

use super::outcome::{notes, place, problems, told};
use super::{Columns, Icon, Look, Tone, bytes, count};

/// The text of a dry run. It lists all of it, however long: a preview that only counts can't be trusted.
pub fn text(look: &Look, outcome: &Outcome) -> String {
    let mut columns = Columns::indented(2);
    for done in told(&outcome.done) {
        let icon = if done.side == Side::Remote { Icon::Up } else { Icon::Down };
        let (sign, ascii) = icon.forms();
        let sign = if look.unicode { sign } else { ascii };
        let tone = if done.kind == ChangeKind::Remove { Tone::Attention } else { icon.tone() };
        columns.row(
            look,
            &[(Some(tone), sign), (None, verb(done)), (None, &place(look, done)), (None, &weight(done))],
        );
    }
    let mut text = columns.finish();
    text.push_str(&notes(look, &outcome.notes));
    text.push_str(&problems(look, outcome));
    let _ = writeln!(text, "{}", sentence(look, outcome));
    text
}

/// The line before the first sync: how much would go where, and that nothing is deleted.
pub fn in_one_line(look: &Look, outcome: &Outcome, address: &str) -> String {
    let amount = |side: Side| {
        let files = outcome.done.iter().filter(|done| done.side == side && !done.folder);
        let size: u64 = files.clone().filter_map(|done| done.size).sum();
        (files.count() as u64, bytes(size))
    };
    let mut parts = Vec::new();
    for (side, icon, place) in [(Side::Remote, Icon::Up, address), (Side::Local, Icon::Down, "here")] {
        let (files, size) = amount(side);
        if files > 0 {
            parts.push(format!(
                "{} {}, {size} {} {place}",
                look.icon(icon),
                count(files, "file"),
                look.arrow()
            ));
        }
    }
    if parts.is_empty() {
        parts.push("both sides hold the same".to_owned());
    }
    if !outcome.conflicts.is_empty() {
        parts.push(format!("{} to settle later", count(outcome.conflicts.len() as u64, "conflict")));
    }
    let deleted = outcome.done.iter().filter(|done| done.kind == ChangeKind::Remove).count();
    parts.push(if deleted == 0 { "nothing is deleted".to_owned() } else { format!("{deleted} deleted") });
    format!("Plan   {}", parts.join("   "))
}

fn verb(done: &Done) -> &'static str {
    match (done.merged.is_some(), done.kind) {
        (true, _) => "merge",
        (false, ChangeKind::Create) => "add",
        (false, ChangeKind::Remove) => "delete",
        (false, ChangeKind::Move) => "move",
        (false, ChangeKind::Write) => "replace",
        (false, ChangeKind::MoveAndWrite) => "move and replace",
    }
}

fn weight(done: &Done) -> String {
    match (done.kind, done.size) {
        (ChangeKind::Remove | ChangeKind::Move, _) | (_, None) => String::new(),
        (_, Some(size)) => bytes(size),
    }
}

fn sentence(look: &Look, outcome: &Outcome) -> String {
    if outcome.done.is_empty() {
        let sentence = "Nothing would be sent or received.";
        return if outcome.conflicts.is_empty() && outcome.held.is_empty() {
            format!("{} In sync. {sentence}", look.icon(Icon::InSync))
        } else {
            sentence.to_owned()
        };
    }
    let mut parts = Vec::new();
    for (side, words, place) in [(Side::Remote, "send", "there"), (Side::Local, "receive", "here")] {
        let (removed, rest): (Vec<_>, Vec<_>) = told(&outcome.done)
            .into_iter()
            .filter(|done| done.side == side)
            .partition(|done| done.kind == ChangeKind::Remove);
        if !rest.is_empty() {
            let size: u64 =
                rest.iter().filter(|done| done.kind != ChangeKind::Move).filter_map(|done| done.size).sum();
            parts.push(format!("{words} {} ({})", count(rest.len() as u64, "change"), bytes(size)));
        }
        if !removed.is_empty() {
            parts.push(format!("delete {} {place}", removed.len()));
        }
    }
    format!("A sync would {}. Nothing was changed.", parts.join(", "))
}

/// The one object of `sync -n --json`: the plan itself, as `sync --plan` takes it back. Where all is quiet there may be
/// none, and nothing to do.
pub fn to_json(plan: Option<&PlanFile>) -> Value {
    let quiet = || json!({"schema": 1, "changes": [], "conflicts": []});
    plan.and_then(|plan| serde_json::to_value(plan).ok()).unwrap_or_else(quiet)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::outcome::tests::{busy, done};
    use super::super::tests::plain;
    use super::*;

    #[test]
    fn a_preview_lists_every_path_and_every_deletion() {
        let mut outcome = busy();
        outcome.done.push(done(Side::Remote, ChangeKind::Remove, "old.txt", 9));
        expect![[r#"
              ↓  replace  base_config.yaml                   2.0 KB
              ↓  merge    memories/user.json                 300 B
              ↑  merge    memories/user.json                 300 B
              ↑  add      runs/2026-02-08/run_metadata.json  1.1 KB
              ↑  replace  scenarios/q4/config.yaml           2.9 KB
              ↑  delete   old.txt
              ⚠  notes/plan.md  changed on both: 2 places overlap; both versions kept (c3)
            A sync would send 3 changes (4.3 KB), delete 1 there, receive 2 changes (2.3 KB). Nothing was changed.
        "#]]
        .assert_eq(&text(&plain(), &outcome));
    }

    #[test]
    fn a_quiet_preview_says_so() {
        expect!["✓ In sync. Nothing would be sent or received.\n"]
            .assert_eq(&text(&plain(), &Outcome::default()));
    }
}
