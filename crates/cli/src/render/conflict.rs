//! Conflicts as text and JSON: the list, one alone, and the line in other commands' output.

use std::fmt::Write as _;

use instep_core::conflict::{ConflictKind, Version};
use instep_core::node::Side;
use instep_core::path::escape;
use instep_engine::cycle::outcome::OpenConflict;
use serde_json::{Value, json};

use super::{Columns, Icon, Look, Tone, bytes, count, path_object, rfc3339};

/// What both machines did, in a few words: `laptop 10:02 · desktop 09:58`, or who deleted it or never had it.
pub fn sides(look: &Look, open: &OpenConflict) -> String {
    let side = |side: Side| {
        let machine = escape(open.machines[side].as_bytes());
        match open.conflict.version(side) {
            None if open.conflict.kind == ConflictKind::Problem => machine,
            None if open.conflict.base.is_none() => format!("{machine} has none"),
            None => format!("{machine} deleted it"),
            Some(Version { modified: Some(modified), .. }) => format!("{machine} {}", look.moment(*modified)),
            Some(_) => machine,
        }
    };
    format!("{} {} {}", side(Side::Local), look.dot(), side(Side::Remote))
}

/// What kind of disagreement it is, in words.
pub fn kind(open: &OpenConflict) -> String {
    let conflict = &open.conflict;
    let machine = |side: Side| escape(open.machines[side].as_bytes());
    match (conflict.kind, &conflict.local, &conflict.remote) {
        (ConflictKind::Content, None, Some(_)) => {
            format!("deleted on {}, changed on {}", machine(Side::Local), machine(Side::Remote))
        }
        (ConflictKind::Content, Some(_), None) => {
            format!("deleted on {}, changed on {}", machine(Side::Remote), machine(Side::Local))
        }
        (ConflictKind::Content, ..) if conflict.base.is_none() => "created on both".to_owned(),
        (ConflictKind::Content, ..) => "changed on both".to_owned(),
        (ConflictKind::Name, ..) => "one name, two things".to_owned(),
        (ConflictKind::Move, ..) => "moved on both".to_owned(),
        (ConflictKind::Held, ..) => "waits".to_owned(),
        (ConflictKind::Problem, ..) => "can't be read on one side".to_owned(),
    }
}

/// The reason that the conflict carries, as words among others; empty where the kind says all of it.
fn why(open: &OpenConflict) -> String {
    let conflict = &open.conflict;
    let versions = [&conflict.base, &conflict.local, &conflict.remote];
    if conflict.kind == ConflictKind::Content && versions.iter().any(|version| version.is_none()) {
        return String::new();
    }
    let mut chars = conflict.why.trim_end_matches('.').chars();
    let words: String =
        chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default();
    escape(words.as_bytes())
}

/// What kind of disagreement it is, and why it stays open: `changed on both: 2 places overlap`.
pub fn reason(open: &OpenConflict) -> String {
    let (kind, why) = (kind(open), why(open));
    if why.is_empty() { kind } else { format!("{kind}: {why}") }
}

/// Conflicts with one remote.
#[derive(Debug, Clone)]
pub struct With {
    /// The remote's name.
    pub remote: String,
    /// It is told: there are several remotes.
    pub is_told: bool,
    /// The conflicts.
    pub open: Vec<OpenConflict>,
}

/// The list that `conflicts` shows: for each remote those here, then those of each other machine.
pub fn list(look: &Look, groups: &[With]) -> String {
    if groups.iter().all(|with| with.open.is_empty()) {
        return format!("{} No conflicts.\n", look.icon(Icon::InSync));
    }
    let mut text = String::new();
    for With { remote, is_told, open } in groups {
        for those in open.chunk_by(|a, b| a.abroad == b.abroad) {
            let head = match (&those[0].abroad, is_told) {
                (None, false) => None,
                (None, true) => Some(format!("With {remote}")),
                (Some(machine), false) => Some(format!("On {}", escape(machine.name.as_bytes()))),
                (Some(machine), true) => {
                    Some(format!("On {}, with {remote}", escape(machine.name.as_bytes())))
                }
            };
            if let Some(head) = head {
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}{}", look.paint(Tone::Strong, &head));
            }
            text.push_str(&rows(look, those));
        }
    }
    text
}

fn rows(look: &Look, conflicts: &[OpenConflict]) -> String {
    let mut columns = Columns::default();
    for open in conflicts {
        columns.row(
            look,
            &[
                (Some(Tone::Attention), &open.short()),
                (None, &open.conflict.path.to_string()),
                (None, &reason(open)),
                (Some(Tone::Quiet), &sides(look, open)),
            ],
        );
    }
    format!("{}{}.\n", columns.finish(), count(conflicts.len() as u64, "conflict"))
}

/// One conflict alone: all that a person needs to decide.
pub fn one(look: &Look, open: &OpenConflict) -> String {
    let conflict = &open.conflict;
    let path = conflict.path.to_string();
    let mut text = format!(
        "{} {}  {}  since {}\n",
        look.icon(Icon::NeedsYou),
        look.paint(Tone::Strong, &path),
        open.short(),
        look.moment(open.since)
    );
    let _ = writeln!(text, "{}.", capital(&reason(open)));
    let mut columns = Columns::indented(2);
    let agreed = conflict.base.as_ref().map_or_else(|| "never".to_owned(), |base| version(look, open, base));
    columns.row(look, &[(Some(Tone::Quiet), "last agreed"), (None, &agreed)]);
    for side in Side::BOTH {
        let here = if side == Side::Local { " (here)" } else { "" };
        let machine = format!("{}{here}", escape(open.machines[side].as_bytes()));
        let missing = match conflict.kind {
            ConflictKind::Problem => "can't be read",
            _ => "deleted",
        };
        let held =
            conflict.version(side).map_or_else(|| missing.to_owned(), |held| version(look, open, held));
        columns.row(look, &[(None, &machine), (None, &held)]);
    }
    text.push_str(&columns.finish());
    if !conflict.waiting.is_empty() {
        let _ = writeln!(text, "Waiting for it: {}.", waiting(open));
    }
    text
}

/// The line above one of its places: `notes/plan.md  1 of 2  last agreed 4 Feb · laptop 10:02 · desktop 09:58`.
pub fn place_head(look: &Look, open: &OpenConflict, (at, of): (usize, usize)) -> String {
    let agreed = open.conflict.base.as_ref().and_then(|base| base.modified);
    let agreed =
        agreed.map_or_else(String::new, |then| format!("last agreed {} {} ", look.moment(then), look.dot()));
    let path = look.paint(Tone::Strong, &open.conflict.path.to_string());
    let facts = look.paint(Tone::Quiet, &format!("{agreed}{}", sides(look, open)));
    format!("\n{path}  {at} of {of}  {facts}\n")
}

fn waiting(open: &OpenConflict) -> String {
    let paths: Vec<String> = open.conflict.waiting.iter().map(ToString::to_string).collect();
    paths.join(", ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Length and time of a version, and its place where that is another one than the contested path.
fn version(look: &Look, open: &OpenConflict, version: &Version) -> String {
    let mut facts = vec![version.leaf.map_or_else(|| "a folder".to_owned(), |leaf| bytes(leaf.size))];
    if version.leaf.is_some_and(|leaf| leaf.exec) {
        facts.push("executable".to_owned());
    }
    if let Some(modified) = version.modified {
        facts.push(look.moment(modified));
    }
    if version.path != open.conflict.path {
        facts.push(format!("at {}", version.path));
    }
    facts.join(", ")
}

/// A conflict for programs, with the name of the remote that it is with.
pub fn to_json_with(open: &OpenConflict, remote: &str) -> Value {
    let mut object = to_json(open);
    if let Value::Object(fields) = &mut object {
        fields.insert("remote".to_owned(), remote.into());
    }
    object
}

/// A conflict for programs.
pub fn to_json(open: &OpenConflict) -> Value {
    let conflict = &open.conflict;
    let version = |version: &Option<Version>, machine: Option<&str>| {
        version.as_ref().map(|version| {
            let leaf = version.leaf;
            path_object(
                &version.path,
                json!({
                    "machine": machine,
                    "hash": leaf.map(|leaf| format!("blake3:{}", leaf.content)),
                    "size": leaf.map(|leaf| leaf.size),
                    "executable": leaf.map(|leaf| leaf.exec),
                    "modified": version.modified.and_then(rfc3339),
                }),
            )
        })
    };
    path_object(
        &conflict.path,
        json!({
            "id": open.short(),
            "full_id": conflict.id.to_string(),
            "kind": conflict.kind.word(),
            "since": rfc3339(open.since),
            "why": conflict.why,
            "base": version(&conflict.base, None),
            "here": version(&conflict.local, Some(&open.machines.local)),
            "there": version(&conflict.remote, Some(&open.machines.remote)),
            "machines": {"here": open.machines.local, "there": open.machines.remote},
            "settled": conflict.settled,
            "machine": open.abroad.as_ref().map(|machine| json!({"name": machine.name, "id": machine.id})),
            "waiting": conflict.waiting.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::expect;
    use instep_core::conflict::{Conflict, ConflictId, VersionLeaf};
    use instep_core::content::ContentId;
    use instep_core::node::{NodeId, PerSide};
    use instep_core::path::TreePath;
    use instep_core::remote::MachineStamp;
    use instep_core::tree::LeafKind;

    use super::super::tests::{before, plain};
    use super::*;

    fn held(path: &str, content: &str, ago: i64) -> Version {
        Version {
            path: TreePath::new(path.as_bytes()).unwrap(),
            leaf: Some(VersionLeaf {
                kind: LeafKind::File,
                content: ContentId::of(content.as_bytes()),
                size: content.len() as u64,
                exec: false,
            }),
            modified: Some(before(ago)),
        }
    }

    /// A file that laptop (here) and desktop both changed.
    pub fn changed(number: u64, path: &str) -> OpenConflict {
        OpenConflict {
            number,
            since: before(30),
            machines: PerSide { local: "laptop".into(), remote: "desktop".into() },
            abroad: None,
            conflict: Conflict {
                id: ConflictId(ContentId::of(path.as_bytes())),
                kind: ConflictKind::Content,
                path: TreePath::new(path.as_bytes()).unwrap(),
                node: NodeId(1),
                nodes: vec![NodeId(1)],
                base: Some(held(path, "Q4: 120k\n", 86_400 * 4)),
                local: Some(held(path, "Q4: 135k, approved\n", 60)),
                remote: Some(held(path, "Q4: 128k\n", 300)),
                why: "2 places overlap".into(),
                waiting: Vec::new(),
                settled: false,
            },
        }
    }

    fn alone(open: &[OpenConflict]) -> [With; 1] {
        [With { remote: "origin".to_owned(), is_told: false, open: open.to_vec() }]
    }

    #[test]
    fn the_list_names_machines_and_times() {
        let mut deleted = changed(5, "runs/old.json");
        deleted.conflict.remote = None;
        expect![[r#"
            c3  notes/plan.md  changed on both: 2 places overlap      laptop 10:02 · desktop 09:58
            c5  runs/old.json  deleted on desktop, changed on laptop  laptop 10:02 · desktop deleted it
            2 conflicts.
        "#]]
        .assert_eq(&list(&plain(), &alone(&[changed(3, "notes/plan.md"), deleted])));
        expect!["✓ No conflicts.\n"].assert_eq(&list(&plain(), &[]));
    }

    #[test]
    fn those_of_other_machines_stand_below_their_names() {
        let of = |name: &str, number| OpenConflict {
            abroad: Some(MachineStamp { name: name.into(), id: format!("id-of-{name}") }),
            ..changed(number, "notes/plan.md")
        };
        let all = [changed(3, "a.md"), of("desk\u{1b}top", 1), of("desk\u{1b}top", 2), of("mac", 1)];
        expect![[r#"
            c3  a.md  changed on both: 2 places overlap  laptop 10:02 · desktop 09:58
            1 conflict.

            On desk\x1btop
            desk\x1btop:c1  notes/plan.md  changed on both: 2 places overlap  laptop 10:02 · desktop 09:58
            desk\x1btop:c2  notes/plan.md  changed on both: 2 places overlap  laptop 10:02 · desktop 09:58
            2 conflicts.

            On mac
            mac:c1  notes/plan.md  changed on both: 2 places overlap  laptop 10:02 · desktop 09:58
            1 conflict.
        "#]]
        .assert_eq(&list(&plain(), &alone(&all)));
        expect![[r#"
            On mac
            mac:c1  notes/plan.md  changed on both: 2 places overlap  laptop 10:02 · desktop 09:58
            1 conflict.
        "#]]
        .assert_eq(&list(&plain(), &alone(&all[3..])));
    }

    #[test]
    fn one_alone_shows_all_that_is_needed_to_decide() {
        expect![[r#"
            ⚠ notes/plan.md  c3  since 10:02
            Changed on both: 2 places overlap.
              last agreed    9 B, 4 Feb 10:03
              laptop (here)  19 B, 10:02
              desktop        9 B, 09:58
        "#]]
        .assert_eq(&one(&plain(), &changed(3, "notes/plan.md")));
    }
}
