//! What `verify` found: how much was checked, each fault with what is safe and what to type, and the verdict.

use std::fmt::Write as _;

use instep_core::remote::Lineage;
use instep_engine::verify::{Copy, Fault, FaultKind, HeadFault, Looked, Verified, WrittenTo};
use serde_json::{Value, json};

use super::outcome::{held_json, quoted, short_id};
use super::{Icon, Look, Tone, bytes, count, duration, joined, number, path_object};
use crate::failure::{Exit, sentence};

/// How the program ends after it.
pub fn exit(found: &Verified) -> Exit {
    match (found.faults.is_empty(), found.held.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Partial,
        (true, true) => Exit::Done,
    }
}

/// A fault in words.
struct Words {
    code: &'static str,
    what: String,
    safe: String,
    fix: String,
}

/// The text; the remote is told where there are several; `spent` is how long it took, in milliseconds.
pub fn text(look: &Look, remote: Option<&str>, found: &Verified, spent: u64) -> String {
    let counts = &found.counts;
    let parts = [
        format!("{} here ({})", count(counts.files, "file"), bytes(counts.file_bytes)),
        format!("{} kept ({})", count(counts.versions, "version"), bytes(counts.version_bytes)),
        match counts.objects_read {
            0 => format!("{} there", count(counts.objects, "content")),
            read => format!(
                "{} there, {} read ({})",
                count(counts.objects, "content"),
                number(read),
                bytes(counts.object_bytes_read)
            ),
        },
    ];
    let spent = look.paint(Tone::Quiet, &duration(spent));
    let mut text = remote.map(|name| format!("{}\n", look.paint(Tone::Strong, name))).unwrap_or_default();
    let _ = writeln!(text, "Checked  {}    {spent}", parts.join(&format!(" {} ", look.dot())));
    for fault in &found.faults {
        let words = words(look, fault);
        let path = fault.path.as_ref().map(|path| format!("{path}  ")).unwrap_or_default();
        let _ = writeln!(text, "  {} {path}{}  {}", look.icon(Icon::Problem), words.code, words.what);
        let _ = writeln!(text, "      safe: {}", sentence(&words.safe));
        let _ = writeln!(text, "      fix: {}", words.fix);
    }
    for held in &found.held {
        let _ = writeln!(text, "  {} {}  {}  {}", look.icon(Icon::NotSynced), held.path, held.code, held.why);
    }
    remarks(found).iter().for_each(|remark| text.push_str(&format!("{remark}\n")));
    text.push_str(&match (found.faults.len() as u64, found.held.len() as u64) {
        (0, 0) => format!("{} No faults.\n", look.icon(Icon::InSync)),
        (0, held) => format!("No faults; {} could not be checked.\n", count(held, "path")),
        (faults, _) => format!("{}. Nothing was changed.\n", count(faults, "fault")),
    });
    text
}

/// What is no fault and worth a word.
fn remarks(found: &Verified) -> Vec<String> {
    let mut remarks = Vec::new();
    if found.counts.changed > 0 {
        remarks.push(format!("{} changed here since the last sync.", count(found.counts.changed, "file")));
    }
    if found.unfinished > 0 {
        remarks.push("A sync was interrupted; the next one finishes it.".to_owned());
    }
    for WrittenTo { path, name } in &found.written_to {
        let of = path.as_ref().map_or_else(String::new, |path| format!(" of {path}"));
        remarks.push(format!(
            "A version{of} changed after it was put away: a program had it open, or the disk damaged it.\n  What it \
             holds now: .instep/history/{name}"
        ));
    }
    match &found.remote {
        Looked::Away(why) => remarks.push(format!("The remote was not checked: {}", sentence(why))),
        Looked::Whole { ahead: true } => {
            remarks.push("The remote got something since the last sync; that was not checked.".to_owned());
        }
        Looked::Nothing | Looked::Whole { ahead: false } => {}
    }
    remarks
}

fn words(look: &Look, fault: &Fault) -> Words {
    let path = fault.path.as_ref().map(quoted).unwrap_or_default();
    let version = |operation: &str, time| {
        format!("The version that operation {} put away at {}", short_id(operation), look.moment(time))
    };
    let log = format!("`instep log {path}` lists its versions; one that the remote has comes from there.");
    match &fault.kind {
        FaultKind::Database(why) => Words {
            code: "E-STATE-CORRUPT",
            what: format!("The state database is damaged: {}", sentence(why)),
            safe: "All files, here and at the remote. The database holds only what was seen and done."
                .to_owned(),
            fix: "move `.instep/state.db*` elsewhere, then `instep sync`: it compares both sides anew."
                .to_owned(),
        },
        FaultKind::Rotten { operation, copy } => Words {
            code: "E-DAMAGED",
            what: "Its content changed though nobody wrote to it; the disk may be failing.".to_owned(),
            safe: safe(*copy, "what it held"),
            fix: match operation.map(|id| id.to_string()) {
                Some(id) => format!(
                    "`mv {path} {path}.damaged`, then `instep restore {path} --at {}`.",
                    short_id(&id)
                ),
                None => "put it aside, and take the file from another machine.".to_owned(),
            },
        },
        FaultKind::Lost { operation, time, copy } => Words {
            code: "E-HISTORY-LOST",
            what: format!("{} is not in the history any more.", version(operation, *time)),
            safe: safe(*copy, "that content"),
            fix: log,
        },
        FaultKind::Spoiled { operation, time, copy } => Words {
            code: "E-HISTORY-DAMAGED",
            what: format!("{} is not what it was.", version(operation, *time)),
            safe: safe(*copy, "that content"),
            fix: log,
        },
        FaultKind::Version { conflict, version } => Words {
            code: "E-CONFLICT-LOST",
            what: format!(
                "Conflict c{conflict}: the version {} stands nowhere any more.",
                version_word(version)
            ),
            safe: "The other versions, and what stands here.".to_owned(),
            fix: format!("`instep conflicts c{conflict}` shows the versions that are there."),
        },
        FaultKind::Head(head) => head_words(head),
        FaultKind::Unlisted { copy } => Words {
            code: "E-REMOTE-LOST",
            what: "The last sync left it at the remote, which does not list it.".to_owned(),
            safe: safe(*copy, "its content"),
            fix: "`instep sync -n` shows what a sync makes of it; put a copy aside first.".to_owned(),
        },
        FaultKind::Differs { copy } => Words {
            code: "E-REMOTE-DIFFERS",
            what: "The remote lists something else than the last sync left there.".to_owned(),
            safe: safe(*copy, "what was left there"),
            fix: "`instep sync -n` shows what a sync makes of it; put a copy aside first.".to_owned(),
        },
        FaultKind::Object { code, message, hint, copy } => Words {
            code,
            what: sentence(message),
            safe: safe(*copy, "its content"),
            fix: hint.as_deref().map_or_else(
                || {
                    "put a copy of the file aside; a backup of the remote can bring the object back."
                        .to_owned()
                },
                |hint| format!("{}.", hint.trim_end_matches('.')),
            ),
        },
    }
}

fn head_words(head: &HeadFault) -> Words {
    const FIX: &str = "`instep sync` stops there, and says what there is to choose.";
    let safe = "All files here, and the history here.".to_owned();
    match head {
        HeadFault::Gone => Words {
            code: "E-HEAD-UNRELATED",
            what: "The remote holds nothing any more.".to_owned(),
            safe,
            fix: FIX.to_owned(),
        },
        HeadFault::Lineage(lineage) => {
            let (code, what) = match lineage {
                Lineage::Rewound => ("E-HEAD-ROLLBACK", "The remote was put back to an earlier state."),
                Lineage::Unrelated => ("E-HEAD-UNRELATED", "The remote was made anew."),
                _ => ("E-HEAD-FORK", "The remote's history was rewritten."),
            };
            Words { code, what: what.to_owned(), safe, fix: FIX.to_owned() }
        }
        HeadFault::Unreadable(code, message, hint) => Words {
            code,
            what: sentence(message),
            safe,
            fix: hint.clone().unwrap_or_else(|| "`instep doctor` looks for the cause.".to_owned()),
        },
    }
}

fn version_word(version: &str) -> &'static str {
    match version {
        "here" => "from here",
        "there" => "from there",
        _ => "that both sides last agreed on",
    }
}

fn safe(copy: Option<Copy>, what: &str) -> String {
    match copy {
        Some(Copy::Here) => format!("{what} stands in a file here."),
        Some(Copy::Kept) => format!("{what} is in the history here."),
        Some(Copy::There) => format!("{what} is at the remote."),
        Some(Copy::Past) => format!("{what} was at the remote, whose past may hold it still."),
        None => "all else; another copy of this content was not found.".to_owned(),
    }
}

/// The object for programs: what was found with the first remote, all faults, and what was found with each remote.
pub fn to_json(look: &Look, remotes: &[String], found: &[Verified], read_data: bool) -> Value {
    let each: Vec<Value> = found.iter().map(|found| fields(look, found)).collect();
    let all: Vec<&Value> = each.iter().filter_map(|one| one["faults"].as_array()).flatten().collect();
    let faults = json!({"ok": all.is_empty(), "faults": all});
    let named = remotes.iter().zip(&each);
    let named = named.map(|(remote, one)| joined(&json!({"name": remote}), one.clone()));
    let named = json!({"remotes": named.collect::<Vec<_>>()});
    let head = json!({"schema": 1, "command": "verify", "read_data": read_data});
    let whole = joined(&head, each.first().cloned().unwrap_or_default());
    joined(&joined(&whole, faults), named)
}

fn fields(look: &Look, found: &Verified) -> Value {
    let counts = &found.counts;
    let faults = found.faults.iter().map(|fault| {
        let Words { code, what, safe, fix } = words(look, fault);
        let rest = json!({"code": code, "what": what, "safe": safe, "fix": fix});
        match &fault.path {
            Some(path) => path_object(path, rest),
            None => rest,
        }
    });
    let remote = match &found.remote {
        Looked::Nothing => json!({"checked": false}),
        Looked::Away(why) => json!({"checked": false, "why": why}),
        Looked::Whole { ahead } => json!({"checked": true, "ahead": ahead}),
    };
    json!({
        "ok": found.faults.is_empty(),
        "counts": {
            "files": counts.files,
            "file_bytes": counts.file_bytes,
            "changed": counts.changed,
            "versions": counts.versions,
            "version_bytes": counts.version_bytes,
            "versions_read": counts.versions_read,
            "conflicts": counts.conflicts,
            "objects": counts.objects,
            "objects_read": counts.objects_read,
            "object_bytes_read": counts.object_bytes_read,
        },
        "remote": remote,
        "unfinished": found.unfinished,
        "faults": faults.collect::<Vec<_>>(),
        "written_to": found.written_to.iter().map(written_to_json).collect::<Vec<_>>(),
        "held": found.held.iter().map(held_json).collect::<Vec<_>>(),
    })
}

fn written_to_json(WrittenTo { path, name }: &WrittenTo) -> Value {
    let rest = json!({"file": format!(".instep/history/{name}")});
    match path {
        Some(path) => path_object(path, rest),
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use instep_core::operation::OperationId;
    use instep_core::path::{Name, TreePath};
    use instep_engine::verify::Counts;

    use super::super::tests::{before, plain};
    use super::*;

    #[test]
    fn each_fault_says_what_is_safe_and_what_to_type() {
        let path = |text: &str| Some(TreePath::new(text.as_bytes()).unwrap());
        let (operation, time) = ("7f3a0c11aabbccdd".to_owned(), before(3_600));
        let kinds = [
            (None, FaultKind::Database("page 3 is never used".to_owned())),
            (None, FaultKind::Head(HeadFault::Lineage(Lineage::Rewound))),
            (
                path("a b"),
                FaultKind::Rotten { operation: OperationId::parse(&operation), copy: Some(Copy::There) },
            ),
            (path("k"), FaultKind::Lost { operation: operation.clone(), time, copy: None }),
            (path("k"), FaultKind::Spoiled { operation, time, copy: Some(Copy::Here) }),
            (path("k"), FaultKind::Version { conflict: 3, version: "base" }),
            (path("r"), FaultKind::Unlisted { copy: None }),
            (path("r"), FaultKind::Differs { copy: Some(Copy::Kept) }),
        ];
        let faults = kinds.into_iter().map(|(path, kind)| Fault { path, kind }).collect();
        let counts = Counts { files: 3, changed: 1, objects: 2, objects_read: 1, ..Counts::default() };
        let remote = Looked::Whole { ahead: true };
        let name = Name::new(b"8fb7024b").unwrap();
        let written_to = vec![WrittenTo { path: path("k"), name }];
        let found = Verified { counts, faults, remote, unfinished: 1, written_to, ..Verified::default() };
        expect![[r#"
            Checked  3 files here (0 B) · 0 versions kept (0 B) · 2 contents there, 1 read (0 B)    0.1 s
              ✗ E-STATE-CORRUPT  The state database is damaged: Page 3 is never used.
                  safe: All files, here and at the remote. The database holds only what was seen and done.
                  fix: move `.instep/state.db*` elsewhere, then `instep sync`: it compares both sides anew.
              ✗ E-HEAD-ROLLBACK  The remote was put back to an earlier state.
                  safe: All files here, and the history here.
                  fix: `instep sync` stops there, and says what there is to choose.
              ✗ a b  E-DAMAGED  Its content changed though nobody wrote to it; the disk may be failing.
                  safe: What it held is at the remote.
                  fix: `mv 'a b' 'a b'.damaged`, then `instep restore 'a b' --at 7f3a0c11`.
              ✗ k  E-HISTORY-LOST  The version that operation 7f3a0c11 put away at 09:03 is not in the history any more.
                  safe: All else; another copy of this content was not found.
                  fix: `instep log k` lists its versions; one that the remote has comes from there.
              ✗ k  E-HISTORY-DAMAGED  The version that operation 7f3a0c11 put away at 09:03 is not what it was.
                  safe: That content stands in a file here.
                  fix: `instep log k` lists its versions; one that the remote has comes from there.
              ✗ k  E-CONFLICT-LOST  Conflict c3: the version that both sides last agreed on stands nowhere any more.
                  safe: The other versions, and what stands here.
                  fix: `instep conflicts c3` shows the versions that are there.
              ✗ r  E-REMOTE-LOST  The last sync left it at the remote, which does not list it.
                  safe: All else; another copy of this content was not found.
                  fix: `instep sync -n` shows what a sync makes of it; put a copy aside first.
              ✗ r  E-REMOTE-DIFFERS  The remote lists something else than the last sync left there.
                  safe: What was left there is in the history here.
                  fix: `instep sync -n` shows what a sync makes of it; put a copy aside first.
            1 file changed here since the last sync.
            A sync was interrupted; the next one finishes it.
            A version of k changed after it was put away: a program had it open, or the disk damaged it.
              What it holds now: .instep/history/8fb7024b
            The remote got something since the last sync; that was not checked.
            8 faults. Nothing was changed.
        "#]].assert_eq(&text(&plain(), None, &found, 100));
        assert_eq!(exit(&found), Exit::Failed);
        let away = Verified { remote: Looked::Away("Can't connect".to_owned()), ..Verified::default() };
        expect![[r#"
            Checked  0 files here (0 B) · 0 versions kept (0 B) · 0 contents there    0.1 s
            The remote was not checked: Can't connect.
            ✓ No faults.
        "#]]
        .assert_eq(&text(&plain(), None, &away, 100));
    }
}
