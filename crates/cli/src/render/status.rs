//! Where a workspace stands: one sentence, lists, problems, one hint.

use std::fmt::Write as _;

use instep_core::clock::Timestamp;
use instep_core::node::Side;
use instep_core::path::{TreePath, escape};
use instep_core::plan::ChangeKind;
use instep_engine::cycle::outcome::{Done, Outcome};
use instep_engine::state::Failures;
use serde_json::{Map, Value, json};

use super::outcome::{Counts, done_json, held_json, place};
use super::{Columns, Icon, Look, Tone, conflict, count, path_object, rfc3339, units, units_json};
use crate::failure::{CommandError, Exit};

/// Where the data lives, as people may see it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The remote's name: `origin`.
    pub name: String,
    /// Its address without secrets.
    pub address: String,
}

/// A file as both sides last agreed on it, for `--files`.
#[derive(Debug, Clone)]
pub struct KnownFile {
    /// Its path.
    pub path: TreePath,
    /// The name of its content.
    pub hash: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was modified here, where that is known.
    pub modified: Option<Timestamp>,
}

/// Something that takes no part, for `--ignored`.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Its path.
    pub path: TreePath,
    /// Only this machine's own rules leave it out: others have it, or may.
    pub elsewhere: bool,
    /// One phrase: the rule and where it stands, or another reason.
    pub why: String,
}

/// How the last tries went.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// When something last went to the remote.
    pub sent: Option<Timestamp>,
    /// When something last came here.
    pub received: Option<Timestamp>,
    /// When a sync last came to its end.
    pub last_sync: Option<Timestamp>,
    /// How the tries since then failed.
    pub failures: Option<Failures>,
}

/// All that `status` tells of one workspace.
#[derive(Debug)]
pub struct Status {
    /// The workspace's name: its folder's.
    pub workspace: String,
    /// This machine.
    pub machine: String,
    /// The remote; `None` if there is none (any more).
    pub remote: Option<Place>,
    /// Syncing is switched off by a setting.
    pub paused: bool,
    /// Another process works in the workspace.
    pub working: bool,
    /// Why the remote can't be reached, where that was found out: then all is as it was known last.
    pub unreachable: Option<CommandError>,
    /// What a sync would do, and what waits.
    pub outcome: Outcome,
    /// How the last tries went.
    pub health: Health,
    /// What takes no part, if asked for.
    pub left_out: Option<Vec<LeftOut>>,
    /// The files both sides agreed on, if asked for.
    pub files: Option<Vec<KnownFile>>,
}

/// The six states that people learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Another process is at work.
    Working,
    /// Both sides agree.
    InSync,
    /// There is something to send or receive.
    Waiting,
    /// A person must decide.
    NeedsYou,
    /// Switched off, or no remote.
    Paused,
    /// Something can't be synced.
    Problem,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Working => "Working",
            State::InSync => "In sync",
            State::Waiting => "Waiting",
            State::NeedsYou => "Needs you",
            State::Paused => "Paused",
            State::Problem => "Problem",
        }
    }
}

impl Status {
    /// The one word for all of it: the most urgent.
    pub fn state(&self) -> State {
        if self.open_conflicts() > 0 {
            State::NeedsYou
        } else if self.unreachable.is_some() || !self.outcome.held.is_empty() {
            State::Problem
        } else if self.remote.is_none() || self.paused {
            State::Paused
        } else if self.working {
            State::Working
        } else if self.health.failures.is_some() {
            State::Problem
        } else if self.has_changes() {
            State::Waiting
        } else {
            State::InSync
        }
    }

    /// Answers whether a sync would do something.
    pub fn has_changes(&self) -> bool {
        !self.outcome.done.is_empty()
    }

    fn open_conflicts(&self) -> u64 {
        self.outcome.conflicts.iter().filter(|open| !open.conflict.settled).count() as u64
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.outcome)
    }
}

/// The full text.
pub fn text(look: &Look, status: &Status) -> String {
    let mut text = format!("{}\n{}\n", title(look, status), sentence(look, status));
    in_units(&mut text, status);
    let there = match &status.outcome.other_machine {
        Some(machine) => format!("Changed on {}", escape(machine.as_bytes())),
        None => "Changed there".to_owned(),
    };
    let (merged, rest): (Vec<_>, Vec<_>) = status.outcome.done.iter().partition(|done| done.merged.is_some());
    let (here, arriving): (Vec<_>, Vec<_>) = rest.into_iter().partition(|done| done.side == Side::Remote);
    let merged: Vec<&Done> = merged.into_iter().filter(|done| done.side == Side::Local).collect();
    for (title, list) in
        [("Changed here", here), (&there, arriving), ("Changed on both, will be merged", merged)]
    {
        group(look, &mut text, title, &list);
    }
    left_out(look, &mut text, status);
    failed(look, &mut text, status);
    needs_you(look, &mut text, status);
    text
}

fn title(look: &Look, status: &Status) -> String {
    let place = status.remote.as_ref().map_or_else(
        || "no remote".to_owned(),
        |remote| format!("{} {}", remote.name, escape(remote.address.as_bytes())),
    );
    let (dot, name) = (look.dot(), look.paint(Tone::Strong, &escape(status.workspace.as_bytes())));
    format!("{name} {dot} {} (here) {dot} {place}", escape(status.machine.as_bytes()))
}

/// The second line: what stands out, and how old the knowledge of the remote is.
pub fn sentence(look: &Look, status: &Status) -> String {
    let counts = status.counts();
    let mut parts = Vec::new();
    for (how_many, icon, words) in [
        (counts.sent, Icon::Up, "to send"),
        (counts.received, Icon::Down, "to receive"),
        (counts.merged, Icon::Merged, "to merge"),
    ] {
        if how_many > 0 {
            parts.push(format!("{} {} {words}", look.icon(icon), super::number(how_many)));
        }
    }
    let open = status.open_conflicts();
    if open > 0 {
        parts.push(format!("{} {}", look.icon(Icon::NeedsYou), count(open, "conflict")));
    }
    if !status.outcome.held.is_empty() {
        parts.push(format!("{} {} held", look.icon(Icon::NotSynced), status.outcome.held.len()));
    }
    if let Some(error) = &status.unreachable {
        let what = match error.exit {
            Exit::NoWorkspace => "is not there",
            Exit::Refused => "refuses us",
            _ => "can't be reached",
        };
        let sign = look.icon(Icon::Problem);
        parts.insert(0, format!("{sign} Problem: the remote {what} ({})", error.code));
    } else if status.working {
        parts.insert(0, format!("{} Working", look.icon(Icon::Working)));
    } else if let Some(failures) = &status.health.failures {
        let (sign, times) = (look.icon(Icon::Problem), count(failures.count, "sync"));
        parts.insert(0, format!("{sign} Problem: {times} failed, the last {}", look.ago(failures.last)));
    } else if status.paused || status.remote.is_none() {
        parts.insert(0, format!("{} Paused", look.icon(Icon::Paused)));
    } else if parts.is_empty() {
        parts.push(format!("{} In sync", look.icon(Icon::InSync)));
    }
    let checked = status.outcome.checked.map_or_else(
        || "the remote was never asked".to_owned(),
        |checked| {
            let word = if status.unreachable.is_some() { "as of" } else { "checked" };
            format!("{word} {}", look.ago(checked))
        },
    );
    format!("{}    {}", parts.join("   "), look.paint(Tone::Quiet, &checked))
}

fn group(look: &Look, text: &mut String, title: &str, list: &[&Done]) {
    const LINES_MAX: usize = 40;
    if list.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, title));
    let shown = if look.verbose { list.len() } else { LINES_MAX.min(list.len()) };
    let mut columns = Columns::indented(2);
    for done in &list[..shown] {
        let when = done.modified.map(|modified| look.ago(modified)).unwrap_or_default();
        columns.row(look, &[(None, letter(done)), (None, &place(look, done)), (Some(Tone::Quiet), &when)]);
    }
    text.push_str(&columns.finish());
    if shown < list.len() {
        let left = super::number((list.len() - shown) as u64);
        let _ = writeln!(text, "  {} and {left} more; `-v` shows all.", look.dots());
    }
}

/// What keeps us from the remote now, and how the last sync failed if that was something else.
fn failed(look: &Look, text: &mut String, status: &Status) {
    let now = status.unreachable.as_ref();
    if let Some(error) = now {
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, "Not reached"));
        let _ = writeln!(text, "  {}  {}", error.code, escape(error.what.as_bytes()));
        for why in &error.why {
            let _ = writeln!(text, "  {}", look.paint(Tone::Quiet, why));
        }
    }
    let before = status.health.failures.as_ref();
    if let Some(failures) = before.filter(|failures| now.is_none_or(|error| error.code != failures.code)) {
        let _ = writeln!(
            text,
            "\n{}\n  {}  {}",
            look.paint(Tone::Strong, "Failed"),
            failures.code,
            escape(failures.message.as_bytes())
        );
    }
}

/// One letter for the kind of change: added, modified, deleted, renamed.
pub fn letter(done: &Done) -> &'static str {
    match done.kind {
        ChangeKind::Create => "A",
        ChangeKind::Write => "M",
        ChangeKind::Remove => "D",
        ChangeKind::Move | ChangeKind::MoveAndWrite => "R",
    }
}

fn left_out(look: &Look, text: &mut String, status: &Status) {
    let Some(list) = &status.left_out else { return };
    if list.is_empty() {
        text.push_str("\nNothing is left out.\n");
        return;
    }
    let of = |elsewhere| list.iter().filter(move |left| left.elsewhere == elsewhere);
    for (title, (sign, ascii), list) in
        [("Left out on purpose", ("○", "o"), of(false)), ("Not on this machine", ("◌", "-"), of(true))]
    {
        let mut list = list.peekable();
        if list.peek().is_none() {
            continue;
        }
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, title));
        let mut columns = Columns::indented(2);
        let sign = if look.unicode { sign } else { ascii };
        for left in list {
            columns.row(
                look,
                &[(Some(Tone::Quiet), sign), (None, &left.path.to_string()), (Some(Tone::Quiet), &left.why)],
            );
        }
        text.push_str(&columns.finish());
    }
}

/// What stands here and what waits, in what people count in.
fn in_units(text: &mut String, status: &Status) {
    let outcome = &status.outcome;
    if let Some(here) = units(&outcome.units_here) {
        let _ = write!(text, "{here} here");
        for (word, counts) in [("to send", &outcome.units.remote), ("to receive", &outcome.units.local)] {
            if let Some(waiting) = units(counts) {
                let _ = write!(text, "; {waiting} {word}");
            }
        }
        text.push('\n');
    }
}

fn needs_you(look: &Look, text: &mut String, status: &Status) {
    let outcome = &status.outcome;
    let sign = |unicode, ascii| if look.unicode { unicode } else { ascii };
    if !outcome.held.is_empty() {
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, "Held"));
        let mut columns = Columns::indented(2);
        for held in &outcome.held {
            columns.row(
                look,
                &[
                    (Some(Tone::Quiet), sign("○", "o")),
                    (None, &held.path.to_string()),
                    (None, held.code),
                    (None, &held.why),
                ],
            );
        }
        text.push_str(&columns.finish());
    }
    if !outcome.conflicts.is_empty() {
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, "Needs you"));
        let mut columns = Columns::indented(2);
        for open in &outcome.conflicts {
            columns.row(
                look,
                &[
                    (Some(Tone::Attention), sign("⚠", "!")),
                    (None, &open.conflict.path.to_string()),
                    (Some(Tone::Quiet), &conflict::sides(look, open)),
                    (None, &conflict::reason(open)),
                    (Some(Tone::Attention), &open.short()),
                ],
            );
        }
        text.push_str(&columns.finish());
    }
}

/// The one hint.
pub fn hint(status: &Status) -> Option<String> {
    let settles =
        match status.outcome.conflicts.iter().filter(|open| !open.conflict.settled).collect::<Vec<_>>() {
            open if open.is_empty() => None,
            open if open.len() == 1 => {
                Some(format!("`instep resolve {}` settles the conflict.", open[0].short()))
            }
            _ => Some("`instep resolve` settles the conflicts one by one.".to_owned()),
        };
    if status.remote.is_none() {
        return Some("`instep init --remote ADDRESS` says where your private copy lives.".to_owned());
    }
    if status.unreachable.is_some() {
        return Some("`instep doctor` says what is wrong. Nothing is lost; what is here waits.".to_owned());
    }
    if status.paused {
        return Some("`instep config set sync.enabled true --machine` switches it on.".to_owned());
    }
    let counts = status.counts();
    let verbs = match (counts.sent > 0 || counts.merged > 0, counts.received > 0 || counts.merged > 0) {
        (true, true) => "sends and receives",
        (true, false) => "sends",
        (false, true) => "receives",
        (false, false) => return settles.or_else(|| super::outcome::hint(&status.outcome)),
    };
    let what = if settles.is_some() { "the rest" } else { "it" };
    Some(match settles {
        Some(settles) => format!("`instep sync` {verbs} {what}. {settles}"),
        None => format!("`instep sync` {verbs} {what}."),
    })
}

/// One line, for prompts and many workspaces: state, counts, name.
pub fn short(look: &Look, status: &Status) -> String {
    format!("{}  {}\n", escape(status.workspace.as_bytes()), sentence(look, status))
}

/// The object for programs: the fields that dashboards of other tools know, and ours.
pub fn to_json(status: &Status) -> Value {
    let counts = status.counts();
    let conflicts: Vec<_> = status.outcome.conflicts.iter().filter(|open| !open.conflict.settled).collect();
    let pending: Vec<Value> = conflicts.iter().map(|open| conflict::to_json(open)).collect();
    let mut object = json!({
        "schema": 1,
        "command": "status",
        "workspace": status.workspace,
        "machine": status.machine,
        "state": status.state().word().to_lowercase().replace(' ', "-"),
        "in_sync": status.state() == State::InSync,
        "paused": status.paused,
        "is_initialized": status.remote.is_some(),
        "remote": status.remote.as_ref().map(|remote| json!({"name": remote.name, "url": remote.address})),
        "unreachable": status.unreachable.as_ref().map(CommandError::to_json),
        "remote_url": status.remote.as_ref().map(|remote| &remote.address),
        "other_machine": status.outcome.other_machine,
        "checked": status.outcome.checked.and_then(rfc3339),
        "local_changes": counts.sent + counts.merged,
        "ahead": counts.sent + counts.merged,
        "behind": counts.received + counts.merged,
        "last_sync": status.health.last_sync.and_then(rfc3339),
        "conflicts": conflicts.iter().map(|open| open.conflict.path.to_string()).collect::<Vec<_>>(),
        "units": {
            "here": units_json(&status.outcome.units_here),
            "to_send": units_json(&status.outcome.units.remote),
            "to_receive": units_json(&status.outcome.units.local),
        },
        "changes": status.outcome.done.iter().map(done_json).collect::<Vec<_>>(),
        "held": status.outcome.held.iter().map(held_json).collect::<Vec<_>>(),
        "pending_conflicts": pending,
        "version": "1.0.0",
        "last_sync_times": times(&status.health),
        "sync_health": health(status),
    });
    if let Value::Object(fields) = &mut object {
        if let Some(list) = &status.left_out {
            let ignored = list
                .iter()
                .map(|left| path_object(&left.path, json!({"why": left.why, "elsewhere": left.elsewhere})));
            fields.insert("ignored".into(), ignored.collect());
        }
        if let Some(list) = &status.files {
            fields.insert("files".into(), files(list));
        }
    }
    object
}

fn times(health: &Health) -> Value {
    json!({
        "local_to_remote": health.sent.and_then(rfc3339),
        "remote_to_local": health.received.and_then(rfc3339),
    })
}

fn health(status: &Status) -> Value {
    let word = match status.state() {
        State::InSync | State::Waiting | State::Working => "healthy",
        State::Paused => "paused",
        State::NeedsYou | State::Problem => "attention",
    };
    let failures = status.health.failures.as_ref();
    json!({
        "status": word,
        "last_error": failures.map(|failures| &failures.message),
        "last_error_code": failures.map(|failures| &failures.code),
        "last_error_time": failures.and_then(|failures| rfc3339(failures.last)),
        "consecutive_failures": failures.map_or(0, |failures| failures.count),
    })
}

fn files(list: &[KnownFile]) -> Value {
    let mut files = Map::new();
    for file in list {
        let value = json!({
            "hash": format!("blake3:{}", file.hash),
            "size": file.size,
            "last_modified": file.modified.and_then(rfc3339),
            "source": "local",
        });
        files.insert(file.path.to_string(), value);
    }
    files.into()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::outcome::tests::busy;
    use super::super::tests::{before, plain};
    use super::*;

    fn status(outcome: Outcome) -> Status {
        Status {
            workspace: "planalign".into(),
            machine: "laptop".into(),
            remote: Some(Place { name: "origin".into(), address: "github.com/ana/planalign-sync".into() }),
            paused: false,
            working: false,
            unreachable: None,
            outcome,
            health: Health { last_sync: Some(before(180)), ..Health::default() },
            left_out: None,
            files: None,
        }
    }

    #[test]
    fn a_busy_workspace_says_what_moves_and_what_needs_a_person() {
        let status = status(busy());
        expect![[r#"
            planalign · laptop (here) · origin github.com/ana/planalign-sync
            ↑ 2 to send   ↓ 1 to receive   ⇄ 1 to merge   ⚠ 1 conflict    checked 3 min ago

            Changed here
              A  runs/2026-02-08/run_metadata.json  2 min ago
              M  scenarios/q4/config.yaml           2 min ago

            Changed on desktop
              M  base_config.yaml  2 min ago

            Changed on both, will be merged
              M  memories/user.json  2 min ago

            Needs you
              ⚠  notes/plan.md  laptop 10:02 · desktop 09:58  changed on both: 2 places overlap  c3
        "#]]
        .assert_eq(&text(&plain(), &status));
        expect!["`instep sync` sends and receives the rest. `instep resolve c3` settles the conflict."]
            .assert_eq(&hint(&status).unwrap());
        assert_eq!(status.state(), State::NeedsYou);
    }

    #[test]
    fn a_quiet_workspace_is_two_lines() {
        let status = status(Outcome { checked: Some(before(10)), ..Outcome::default() });
        expect![[r#"
            planalign · laptop (here) · origin github.com/ana/planalign-sync
            ✓ In sync    checked 10 s ago
        "#]]
        .assert_eq(&text(&plain(), &status));
        assert_eq!(hint(&status), None);
    }

    #[test]
    fn a_remote_that_is_away_is_a_problem_and_what_is_known_has_an_age() {
        let away = |exit, code, what: &str| Status {
            unreachable: Some(CommandError::new(code, exit, what).because("the cause")),
            ..status(Outcome { checked: Some(before(7_200)), ..Outcome::default() })
        };
        let missing = away(Exit::NoWorkspace, "E-REMOTE-MISSING", "/disk/p.git does not exist.");
        expect![[r#"
            planalign · laptop (here) · origin github.com/ana/planalign-sync
            ✗ Problem: the remote is not there (E-REMOTE-MISSING)    as of 2 h ago

            Not reached
              E-REMOTE-MISSING  /disk/p.git does not exist.
              the cause
        "#]]
        .assert_eq(&text(&plain(), &missing));
        assert_eq!((missing.state(), &to_json(&missing)["in_sync"]), (State::Problem, &false.into()));
        assert_eq!(to_json(&missing)["unreachable"]["code"], "E-REMOTE-MISSING");
        let short = |exit, code| short(&plain(), &away(exit, code, ""));
        expect![[r#"
            planalign  ✗ Problem: the remote can't be reached (E-NET-OFFLINE)    as of 2 h ago
        "#]]
        .assert_eq(&short(Exit::Temporary, "E-NET-OFFLINE"));
        expect![[r#"
            planalign  ✗ Problem: the remote refuses us (E-AUTH)    as of 2 h ago
        "#]]
        .assert_eq(&short(Exit::Refused, "E-AUTH"));
    }

    #[test]
    fn without_a_remote_it_is_paused_and_says_how_to_go_on() {
        let status = Status { remote: None, ..status(Outcome::default()) };
        expect![[r#"
            planalign · laptop (here) · no remote
            ⏸ Paused    the remote was never asked
        "#]]
        .assert_eq(&text(&plain(), &status));
    }

    #[test]
    fn programs_find_the_fields_they_know() {
        let object = to_json(&status(busy()));
        for field in
            ["is_initialized", "remote_url", "local_changes", "ahead", "behind", "last_sync", "conflicts"]
        {
            assert!(object.get(field).is_some(), "{field}");
        }
        assert_eq!(object["ahead"], 3);
        assert_eq!(object["conflicts"][0], "notes/plan.md");
        assert_eq!(object["pending_conflicts"][0]["id"], "c3");
        assert!(object.get("files").is_none());
    }
}
