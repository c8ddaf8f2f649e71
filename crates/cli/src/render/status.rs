//! Where a workspace stands: one sentence, lists, problems, one hint.

use std::fmt::Write as _;

use instep_core::clock::Timestamp;
use instep_core::node::Side;
use instep_core::path::{TreePath, escape};
use instep_core::plan::ChangeKind;
use instep_engine::cycle::outcome::{Done, OpenConflict, Outcome};
use instep_engine::state::Failures;
use serde_json::{Map, Value, json};

use super::outcome::{Counts, done_json, held_json, place, told};
use super::{Columns, Icon, Look, Tone, conflict, count, joined, path_object, rfc3339, units, units_json};
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

/// The six states that people learn, the most urgent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Both sides agree.
    InSync,
    /// Another process is at work.
    Working,
    /// There is something to send or receive.
    Waiting,
    /// Switched off, or no remote.
    Paused,
    /// Something can't be synced.
    Problem,
    /// A person must decide.
    NeedsYou,
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

    fn open(&self) -> impl Iterator<Item = &OpenConflict> {
        self.outcome.conflicts.iter().filter(|open| !open.conflict.settled)
    }

    fn open_conflicts(&self) -> u64 {
        self.open().count() as u64
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.outcome)
    }
}

/// The one word for all remotes of a workspace: that of the one that is most urgent.
pub fn state(all: &[Status]) -> State {
    all.iter().map(Status::state).max().unwrap_or(State::Paused)
}

/// The full text: one remote, or all of a workspace, each with its own part.
pub fn text(look: &Look, all: &[Status]) -> String {
    let mut text = String::new();
    match all {
        [status] => {
            text = format!("{}\n", title(look, status, &place_of(status)));
            part(look, &mut text, status);
        }
        several => {
            if let Some(first) = several.first() {
                let remotes = count(several.len() as u64, "remote");
                text = format!("{}\n", title(look, first, &remotes));
            }
            for status in several {
                let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, &place_of(status)));
                part(look, &mut text, status);
            }
        }
    }
    all.iter().for_each(|status| left_out(look, &mut text, status));
    all.iter().for_each(|status| failed(look, &mut text, status, all.len() > 1));
    all.iter().for_each(|status| needs_you(look, &mut text, status, all.len() > 1));
    text
}

/// What there is to say of one remote, but for the problems: those come last.
fn part(look: &Look, text: &mut String, status: &Status) {
    let _ = writeln!(text, "{}", sentence(look, status));
    in_units(text, status);
    let there = match &status.outcome.other_machine {
        Some(machine) => format!("Changed on {}", escape(machine.as_bytes())),
        None => "Changed there".to_owned(),
    };
    let (merged, rest): (Vec<&Done>, Vec<_>) =
        told(&status.outcome.done).into_iter().partition(|done| done.merged.is_some());
    let (here, arriving): (Vec<_>, Vec<_>) = rest.into_iter().partition(|done| done.side == Side::Remote);
    let merged: Vec<&Done> = merged.into_iter().filter(|done| done.side == Side::Local).collect();
    for (title, list) in
        [("Changed here", here), (&there, arriving), ("Changed on both, will be merged", merged)]
    {
        group(look, text, title, &list);
    }
}

fn place_of(status: &Status) -> String {
    status.remote.as_ref().map_or_else(
        || "no remote".to_owned(),
        |remote| format!("{} {}", remote.name, escape(remote.address.as_bytes())),
    )
}

fn title(look: &Look, status: &Status, place: &str) -> String {
    let (dot, name) = (look.dot(), look.paint(Tone::Strong, &escape(status.workspace.as_bytes())));
    format!("{name} {dot} {} (here) {dot} {place}", escape(status.machine.as_bytes()))
}

/// What stands out, of all remotes in one line.
pub fn sentences(look: &Look, all: &[Status]) -> String {
    if let [status] = all {
        return sentence(look, status);
    }
    let of = |status: &Status| {
        let name = status.remote.as_ref().map(|remote| remote.name.as_str()).unwrap_or_default();
        format!("{name} {}", sentence(look, status))
    };
    all.iter().map(of).collect::<Vec<_>>().join("    ")
}

/// What stands out with one remote, and how old the knowledge of it is.
fn sentence(look: &Look, status: &Status) -> String {
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
fn failed(look: &Look, text: &mut String, status: &Status, is_told: bool) {
    let now = status.unreachable.as_ref();
    if let Some(error) = now {
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, &headed("Not reached", status, is_told)));
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
            look.paint(Tone::Strong, &headed("Failed", status, is_told)),
            failures.code,
            escape(failures.message.as_bytes())
        );
    }
}

/// A title, with the remote's name where there are several.
fn headed(title: &str, status: &Status, is_told: bool) -> String {
    match status.remote.as_ref().filter(|_| is_told) {
        Some(remote) => format!("{title}, with {}", remote.name),
        None => title.to_owned(),
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

fn needs_you(look: &Look, text: &mut String, status: &Status, is_told: bool) {
    let outcome = &status.outcome;
    let sign = |unicode, ascii| if look.unicode { unicode } else { ascii };
    if !outcome.held.is_empty() {
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, &headed("Held", status, is_told)));
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
        let _ = writeln!(text, "\n{}", look.paint(Tone::Strong, &headed("Needs you", status, is_told)));
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

/// The one hint: of the remote that is most urgent, and for all where it is the same for all.
pub fn hint(all: &[Status]) -> Option<String> {
    let open: Vec<&OpenConflict> = all.iter().flat_map(Status::open).collect();
    let settles = match open.as_slice() {
        [] => None,
        [one] => Some(format!("`instep resolve {}` settles the conflict.", one.short())),
        _ => Some("`instep resolve` settles the conflicts one by one.".to_owned()),
    };
    if all.iter().all(|status| status.remote.is_none()) {
        return Some("`instep init --remote ADDRESS` says where your private copy lives.".to_owned());
    }
    if all.iter().any(|status| status.unreachable.is_some()) {
        return Some("`instep doctor` says what is wrong. Nothing is lost; what is here waits.".to_owned());
    }
    if all.iter().any(|status| status.paused) {
        return Some("`instep config set sync.enabled true --machine` switches it on.".to_owned());
    }
    let counts: Vec<Counts> = all.iter().map(Status::counts).collect();
    let sends = counts.iter().any(|counts| counts.sent > 0 || counts.merged > 0);
    let receives = counts.iter().any(|counts| counts.received > 0 || counts.merged > 0);
    let verbs = match (sends, receives) {
        (true, true) => "sends and receives",
        (true, false) => "sends",
        (false, true) => "receives",
        (false, false) => {
            return settles.or_else(|| all.iter().find_map(|status| super::outcome::hint(&status.outcome)));
        }
    };
    let what = if settles.is_some() { "the rest" } else { "it" };
    Some(match settles {
        Some(settles) => format!("`instep sync` {verbs} {what}. {settles}"),
        None => format!("`instep sync` {verbs} {what}."),
    })
}

/// One line, for prompts and many workspaces: state, counts, name.
pub fn short(look: &Look, all: &[Status]) -> String {
    let name = all.first().map(|status| escape(status.workspace.as_bytes())).unwrap_or_default();
    format!("{name}  {}\n", sentences(look, all))
}

/// The object for programs: the fields that dashboards of other tools know, and ours. With several remotes they tell of
/// all of them together, and `remotes` of each.
pub fn to_json(all: &[Status]) -> Value {
    let each: Vec<Value> = all.iter().map(of_one).collect();
    let head = json!({"schema": 1, "command": "status"});
    let whole = joined(&head, each.first().cloned().unwrap_or_default());
    let lists = ["conflicts", "changes", "held", "pending_conflicts"];
    let sums = ["local_changes", "ahead", "behind"];
    let state = state(all);
    let mut together = json!({
        "state": state.word().to_lowercase().replace(' ', "-"),
        "in_sync": state == State::InSync,
        "sync_health": health(all.iter().max_by_key(|status| status.state())),
    });
    if let Value::Object(fields) = &mut together {
        for key in lists {
            let items = each.iter().filter_map(|one| one[key].as_array()).flatten().cloned();
            fields.insert(key.to_owned(), items.collect());
        }
        for key in sums {
            let sum: u64 = each.iter().filter_map(|one| one[key].as_u64()).sum();
            fields.insert(key.to_owned(), sum.into());
        }
    }
    let known = all.iter().zip(each).filter(|(status, _)| status.remote.is_some());
    joined(&joined(&whole, together), json!({"remotes": known.map(|(_, one)| one).collect::<Vec<_>>()}))
}

fn of_one(status: &Status) -> Value {
    let counts = status.counts();
    let conflicts: Vec<&OpenConflict> = status.open().collect();
    let remote = status.remote.as_ref().map(|remote| remote.name.as_str()).unwrap_or_default();
    let pending: Vec<Value> = conflicts.iter().map(|open| conflict::to_json_with(open, remote)).collect();
    let mut object = json!({
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
        "sync_health": health(Some(status)),
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

fn health(status: Option<&Status>) -> Value {
    let word = match status.map(Status::state) {
        Some(State::InSync | State::Waiting | State::Working) => "healthy",
        Some(State::Paused) | None => "paused",
        Some(State::NeedsYou | State::Problem) => "attention",
    };
    let failures = status.and_then(|status| status.health.failures.as_ref());
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
        let all = [status(busy())];
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
        .assert_eq(&text(&plain(), &all));
        expect!["`instep sync` sends and receives the rest. `instep resolve c3` settles the conflict."]
            .assert_eq(&hint(&all).unwrap());
        assert_eq!(state(&all), State::NeedsYou);
    }

    #[test]
    fn a_quiet_workspace_is_two_lines() {
        let all = [status(Outcome { checked: Some(before(10)), ..Outcome::default() })];
        expect![[r#"
            planalign · laptop (here) · origin github.com/ana/planalign-sync
            ✓ In sync    checked 10 s ago
        "#]]
        .assert_eq(&text(&plain(), &all));
        assert_eq!(hint(&all), None);
    }

    #[test]
    fn a_remote_that_is_away_is_a_problem_and_what_is_known_has_an_age() {
        let away = |exit, code, what: &str| {
            let unreachable = Some(CommandError::new(code, exit, what).because("the cause"));
            let known = Outcome { checked: Some(before(7_200)), ..Outcome::default() };
            [Status { unreachable, ..status(known) }]
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
        assert_eq!((state(&missing), &to_json(&missing)["in_sync"]), (State::Problem, &false.into()));
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
        let all = [Status { remote: None, ..status(Outcome::default()) }];
        expect![[r#"
            planalign · laptop (here) · no remote
            ⏸ Paused    the remote was never asked
        "#]]
        .assert_eq(&text(&plain(), &all));
    }

    #[test]
    fn programs_find_the_fields_they_know() {
        let object = to_json(&[status(busy())]);
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
