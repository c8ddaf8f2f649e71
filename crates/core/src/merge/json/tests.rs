//! Merges of JSON as tables: what comes together, what is asked, what is refused.

use super::super::{Merged, contents};
use super::*;
use crate::config::FileKind;
use crate::path::Name;

/// What is said of a file beside its three contents.
#[derive(Clone, Copy, Default)]
struct Said<'s> {
    kind: Option<FileKind>,
    id: Option<&'s str>,
    newest: bool,
    later: Option<Side>,
}

const RECORDS: Said<'_> = Said { kind: Some(FileKind::Records), id: None, newest: false, later: None };
const SETTINGS: Said<'_> =
    Said { kind: Some(FileKind::Settings), id: None, newest: false, later: Some(Side::Remote) };

fn joined(
    name: &str,
    said: Said<'_>,
    base: Option<&str>,
    sides: [&str; 2],
) -> Result<(String, Summary), Reason> {
    let name = Name::new(name.as_bytes()).unwrap();
    let answer = |[local, remote]: [&str; 2], later| {
        let Said { kind, id, newest, .. } = said;
        let terms = Terms { kind, id, newest, later, ..Terms::of(&name) };
        let versions =
            Versions { base: base.map(str::as_bytes), local: local.as_bytes(), remote: remote.as_bytes() };
        match contents(&terms, &versions) {
            Merged::Clean(joined) => Ok((String::from_utf8(joined.content).unwrap(), joined.summary)),
            Merged::Marked { .. } => panic!("markers in JSON"),
            Merged::Undecided(reason) => Err(reason),
        }
    };
    let forth = answer(sides, said.later);
    let back = answer([sides[1], sides[0]], said.later.map(Side::other));
    assert_eq!(
        forth.clone().map(|(text, _)| text),
        back.map(|(text, _)| text),
        "sides are not equal in rights"
    );
    forth
}

fn merged(base: &str, local: &str, remote: &str) -> Result<String, Reason> {
    joined("a.json", Said::default(), Some(base), [local, remote]).map(|(text, _)| text)
}

fn overlap<T>(places: usize) -> Result<T, Reason> {
    Err(Reason::Overlap { places })
}

#[test]
fn objects_merge_by_key() {
    for (base, local, remote, expected) in [
        // Different keys.
        (r#"{"a":1,"b":2}"#, r#"{"a":9,"b":2}"#, r#"{"a":1,"b":8}"#, r#"{"a":9,"b":8}"#),
        (
            r#"{"a": {"x": 1, "y": 1}}"#,
            r#"{"a": {"x": 2, "y": 1}}"#,
            r#"{"a": {"x": 1, "y": 2}}"#,
            r#"{"a": {"x": 2, "y": 2}}"#,
        ),
        // Neighbours, and the last one without its comma.
        (r#"{"a":1,"b":2,"c":3}"#, r#"{"b":2,"c":3}"#, r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, r#"{"a":1,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#),
        (r#"{"a":1}"#, r#"{"a":1,"z":2}"#, r#"{"b":3,"a":1}"#, r#"{"b":3,"a":1,"z":2}"#),
        ("{}", r#"{"b":1}"#, r#"{"a":1}"#, r#"{"a":1,"b":1}"#),
        (r#"{"a":1}"#, "{}", r#"{"a":1,"b":1}"#, r#"{"b":1}"#),
        // Both the same.
        (r#"{"a":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":2,"c":1}"#, r#"{"a":2,"b":1,"c":1}"#),
        (r#"{"a":1,"b":1}"#, r#"{"c":1}"#, r#"{"d":1}"#, r#"{"c":1,"d":1}"#),
        // A key that both put, with what differs inside.
        ("{}", r#"{"a":{"x":1}}"#, r#"{"a":{"y":1}}"#, r#"{"a":{"x":1,"y":1}}"#),
        // The same text, differently written.
        (r#"{"a":"x"}"#, r#"{"a":"\u0041"}"#, r#"{"a":"A"}"#, r#"{"a":"\u0041"}"#),
        // What stood in a key that goes, in another order only.
        (r#"{"a":{"x":1,"y":1},"b":1}"#, r#"{"b":1}"#, r#"{"a":{"y":1,"x":1},"b":1}"#, r#"{"b":1}"#),
        // A move of a key is no change of it.
        (
            r#"{"a":1,"b":2,"c":3}"#,
            r#"{"c":3,"a":1,"b":2}"#,
            r#"{"a":1,"b":9,"c":3}"#,
            r#"{"c":3,"a":1,"b":9}"#,
        ),
    ] {
        assert_eq!(merged(base, local, remote), Ok(expected.to_owned()), "{base} {local} {remote}");
    }
}

#[test]
fn a_key_that_both_changed_is_a_question() {
    for (base, local, remote, places) in [
        (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, 1),
        (r#"{"a":1,"b":1}"#, r#"{"a":2,"b":2}"#, r#"{"a":3,"b":3}"#, 2),
        (r#"{"a":1}"#, r#"{"a":0.1}"#, r#"{"a":0.10}"#, 1),
        (r#"{"a":1,"b":1}"#, r#"{"b":1}"#, r#"{"a":2,"b":1}"#, 1),
        (r#"{"a":{"x":1}}"#, r#"{"a":{"x":2}}"#, r#"{"a":5}"#, 1),
        ("{}", r#"{"a":1}"#, r#"{"a":2}"#, 1),
        ("1", "2", "3", 1),
    ] {
        assert_eq!(merged(base, local, remote), overlap(places), "{base} {local} {remote}");
    }
}

#[test]
fn looks_stay_and_commas_come_right() {
    let base = "{\n  \"a\": 1,\n\n  \"list\": [\n    1,\n    2\n  ],\n  \"z\": 1e400\n}\n";
    let local = base
        .replace("1e400\n", "1e400,\n  \"new\": {}\n")
        .replace("{\n  \"a\": 1", "{\n  \"first\": -0,\n  \"a\": 1");
    let remote = base.replace("\"a\": 1,\n\n  ", "").replace("1,\n    2", "1,\n    2,\n    3");
    let expected = "{\n  \"first\": -0,\n  \"list\": [\n    1,\n    2,\n    3\n  ],\n  \"z\": 1e400,\n  \"new\": {}\n}\n";
    assert_eq!(merged(base, &local, &remote), Ok(expected.to_owned()));

    // One side indents anew, or ends lines otherwise; the other's change takes part.
    let wide = base.replace("  ", "    ");
    assert_eq!(merged(base, &wide, &base.replace("1e400", "2")), Ok(wide.replace("1e400", "2")));
    let crlf = base.replace('\n', "\r\n");
    assert_eq!(merged(base, &crlf, &base.replace("1e400", "2")), Ok(crlf.replace("1e400", "2")));
    let added = base.replace("1e400", "1e400,\n  \"new\": 1");
    assert_eq!(merged(base, &crlf, &added), Ok(crlf.replace("1e400", "1e400,\r\n  \"new\": 1")));
    assert_eq!(merged("[1]", "[1]\n", "[2]"), Ok("[2]\n".to_owned()));
    assert_eq!(merged("\u{feff}{\"a\":1}", "\u{feff}{\"a\":2}", "{\"a\":1}"), Ok("{\"a\":2}".to_owned()));
    // One line each, another line.
    let line = r#"{"a": 1, "b": 2}"#;
    assert_eq!(
        merged(line, r#"{"x": 0, "a": 1, "b": 2}"#, r#"{"a": 1, "b": 2, "c": 3}"#),
        Ok(r#"{"x": 0, "a": 1, "b": 2, "c": 3}"#.to_owned())
    );
    assert_eq!(
        merged(line, r#"{"x": 0, "a": 1, "b": 2}"#, r#"{"y": 0, "a": 1, "b": 2}"#),
        Ok(r#"{"x": 0, "y": 0, "a": 1, "b": 2}"#.to_owned())
    );
}

#[test]
fn comments_stay_where_a_file_may_have_them() {
    let base = "{\n  // the size\n  \"size\": 12, // points\n  \"tabs\": true,\n}\n";
    let local = base.replace("12", "14");
    let remote = base.replace("true,\n", "true, // not spaces\n  /* new */\n  \"wrap\": 80,\n");
    for name in ["settings.json", "a.jsonc", "tsconfig.json"] {
        let got = joined(name, Said::default(), Some(base), [&local, &remote]).map(|(text, _)| text);
        assert_eq!(got, Ok(remote.replace("12", "14")), "{name}");
    }
    let got = joined("a.json", Said::default(), Some(base), [&local, &remote]);
    assert_eq!(got.unwrap_err(), Reason::NotValid("JSON"));
    // A comment that both changed is a question, and so is one that would be lost.
    let said = |size: &str| base.replace("the size", size);
    let got = joined("a.jsonc", Said::default(), Some(base), [&said("x"), &said("y")]);
    assert_eq!(got, overlap(1));
    let gone = base.replace("  // the size\n  \"size\": 12, // points\n", "");
    assert_eq!(joined("a.jsonc", Said::default(), Some(base), [&gone, &said("x")]), overlap(1));
}

#[test]
fn in_settings_the_newer_value_wins() {
    let (base, local, remote) =
        (r#"{"a":{"b":1},"c":1}"#, r#"{"a":{"b":2},"c":2}"#, r#"{"a":{"b":3},"c":1}"#);
    let (text, summary) = joined("a.json", SETTINGS, Some(base), [local, remote]).unwrap();
    assert_eq!(text, r#"{"a":{"b":3},"c":2}"#);
    let clash = Clash {
        key: "a.b".to_owned(),
        kept: b"3".to_vec(),
        dropped: b"2".to_vec(),
        loser: Side::Local,
        base: b"1".to_vec(),
    };
    assert_eq!(summary.clashes, [clash]);
    let newest = Said { newest: true, later: Some(Side::Local), ..Said::default() };
    for (name, said, expected) in [
        ("settings.json", Said { later: Some(Side::Local), ..Said::default() }, Ok(r#"{"a":{"b":2},"c":2}"#)),
        ("a.json", newest, Ok(r#"{"a":{"b":2},"c":2}"#)),
        // Nobody knows what is newer.
        ("settings.json", Said::default(), overlap(1)),
        ("a.json", Said { later: Some(Side::Local), ..Said::default() }, overlap(1)),
    ] {
        let got = joined(name, said, Some(base), [local, remote]).map(|(text, _)| text);
        assert_eq!(got, expected.map(str::to_owned), "{name}");
    }
    // What one removed and the other changed, and what both created, no time decides.
    assert_eq!(joined("a.json", SETTINGS, Some(base), [r#"{"c":1}"#, remote]), overlap(1));
    assert_eq!(joined("a.json", SETTINGS, None, [local, remote]).unwrap_err(), Reason::NoBase);
}

#[test]
fn arrays_without_ids_are_sequences() {
    for (base, local, remote, expected) in [
        ("[1,2,3]", "[0,1,2,3]", "[1,2,3,4]", Ok("[0,1,2,3,4]")),
        ("[1,2,3]", "[1,3]", "[1,2,3,4]", Ok("[1,3,4]")),
        ("[1,2,3]", "[1,2,3,4]", "[1,2,3,5]", overlap(1)),
        ("[1,2,3]", "[1,2,3,4]", "[1,2,3,4]", Ok("[1,2,3,4]")),
        ("[1,1,1]", "[1,1,1,2]", "[3,1,1,1]", Ok("[3,1,1,1,2]")),
        ("[1, 2]", "[ 1,  2 ]", "[1, 2, 3]", Ok("[ 1,  2,  3 ]")),
        (r#"[{"a":1},{"b":1}]"#, r#"[{"a":1},{"b":1},{"c":1}]"#, r#"[{"b":1}]"#, Ok(r#"[{"b":1},{"c":1}]"#)),
    ] {
        assert_eq!(merged(base, local, remote), expected.map(str::to_owned), "{base} {local} {remote}");
    }
}

#[test]
fn records_are_joined_by_id() {
    let file = |records: &[&str]| format!("{{\"memories\": [\n  {}\n]}}", records.join(",\n  "));
    let [one, two, three, four] =
        [1, 2, 3, 4].map(|id| format!("{{\"id\": {id}, \"text\": \"t{id}\", \"n\": 0}}"));
    let base = file(&[&one, &two]);
    let edited = two.replace("t2", "other");
    let local = file(&[&one, &edited, &three, &four]);
    let remote = file(&[&one, &two.replace('0', "5"), &three]);
    for said in [Said::default(), RECORDS] {
        let (text, summary) = joined("a.json", said, Some(&base), [&local, &remote]).unwrap();
        assert_eq!(text, file(&[&one, &edited.replace('0', "5"), &three, &four]));
        assert_eq!(summary.to_string(), "3 + 2 records joined, 1 duplicate dropped");
    }
    // What one removed is gone, unless the other changed it.
    let text = |base: &str, local: &str, remote: &str| {
        joined("a.json", RECORDS, Some(base), [local, remote]).map(|(text, _)| text)
    };
    assert_eq!(text(&base, &file(&[&one]), &file(&[&one, &two, &three])), Ok(file(&[&one, &three])));
    assert_eq!(text(&base, &file(&[&one]), &file(&[&one, &edited])), overlap(1));
    // One id, two bodies; two records of one id; a number that became a text.
    assert_eq!(
        text(&base, &file(&[&one, &two, &three]), &file(&[&one, &two, &three.replace("t3", "x")])),
        overlap(1)
    );
    assert_eq!(text("[]", r#"[{"id":1,"a":1}]"#, r#"[{"id":1,"b":1}]"#), overlap(1));
    assert_eq!(text(&base, &file(&[&one, &two, &two]), &file(&[&one])), Err(Reason::Ids));
    assert_eq!(
        text(&base, &file(&[&one, &two.replace("2,", "\"2\",")]), &file(&[&one, &two, &three])),
        Err(Reason::Ids)
    );
    // Without a base, too, as far as they do not contradict each other.
    let union = joined("a.json", RECORDS, None, [&file(&[&one, &three]), &file(&[&two, &three])]);
    assert_eq!(union.unwrap().0, file(&[&one, &two, &three]));
    assert_eq!(joined("a.json", RECORDS, None, [&file(&[&two]), &file(&[&edited])]), overlap(1));
    assert_eq!(
        joined("a.json", Said::default(), None, [&file(&[&two]), &file(&[&one])]).unwrap_err(),
        Reason::NoBase
    );
    // A field of another name.
    let (base, local, remote) = (r#"[{"n":"a"}]"#, r#"[{"n":"a"},{"n":"c"}]"#, r#"[{"n":"a"},{"n":"b"}]"#);
    let named = Said { id: Some("n"), ..RECORDS };
    let both = r#"[{"n":"a"},{"n":"b"},{"n":"c"}]"#;
    assert_eq!(joined("a.json", named, Some(base), [local, remote]).unwrap().0, both);
}

#[test]
fn records_without_ids_are_joined_by_what_they_say() {
    let (base, local, remote) =
        (r#"[{"a":1},{"b":1}]"#, r#"[{"a":1},{"d":1,"e":2},{"c":1}]"#, r#"[{"a":1},{"b":1},{"e":2, "d":1}]"#);
    let (text, summary) = joined("a.json", RECORDS, Some(base), [local, remote]).unwrap();
    assert_eq!(text, r#"[{"a":1},{"c":1},{"d":1, "e":2}]"#);
    assert_eq!(summary.to_string(), "2 + 1 records joined, 1 duplicate dropped");
    // Some with ids, some without; equal ones as often as they stand in a version.
    let (base, local, remote) = ("[]", r#"[{"id":1},{"a":1},{"a":1}]"#, r#"[{"a":1},{"id":2}]"#);
    let text = joined("a.json", RECORDS, Some(base), [local, remote]).unwrap().0;
    assert_eq!(text, r#"[{"id":1},{"id":2},{"a":1},{"a":1}]"#);
}

#[test]
fn new_records_stand_in_the_order_of_their_times() {
    let record = |id: u32, at: &str| format!(r#"{{"id":{id},"at":0,"created_at":"2026-02-{at}"}}"#);
    let list = |records: &[String]| format!("[{}]", records.join(","));
    let base = list(&[record(9, "01")]);
    let local = list(&[record(9, "01"), record(3, "05"), record(4, "09")]);
    let remote = list(&[record(9, "01"), record(1, "07"), record(2, "04T10:00:00+02:00")]);
    let expected = list(&[
        record(9, "01"),
        record(2, "04T10:00:00+02:00"),
        record(3, "05"),
        record(1, "07"),
        record(4, "09"),
    ]);
    assert_eq!(merged(&base, &local, &remote), Ok(expected));
}

#[test]
fn a_records_own_time_tells_what_is_newer() {
    let record =
        |text: &str, at: &str| format!(r#"[{{"id":1,"text":"{text}","updated_at":"2026-02-{at}"}}]"#);
    let (base, local, remote) = (record("a", "01"), record("b", "09"), record("c", "05"));
    let newest = Said { newest: true, later: Some(Side::Remote), ..RECORDS };
    let (text, summary) = joined("a.json", newest, Some(&base), [&local, &remote]).unwrap();
    assert_eq!(text, local);
    assert_eq!((&summary.clashes[0].key[..], summary.clashes[0].loser), ("[1].text", Side::Remote));
    // Without such a rule the text is a question; the time itself never is: it is that of the later change.
    assert_eq!(joined("a.json", RECORDS, Some(&base), [&local, &remote]), overlap(1));
    let moved = joined("a.json", RECORDS, Some(&base), [&local, &record("a", "12")]).unwrap().0;
    assert_eq!(moved, record("b", "12"));
}

#[test]
fn a_record_that_one_changed_outlives_its_removal_where_the_newer_value_wins() {
    let base = r#"[{"id":1,"a":0},{"id":2,"a":0}]"#;
    let (removed, changed) = (r#"[{"id":2,"a":0},{"id":3,"a":1}]"#, r#"[{"id":1,"a":5},{"id":2,"a":0}]"#);
    let expected = r#"[{"id":1,"a":5},{"id":2,"a":0},{"id":3,"a":1}]"#;
    for later in Side::BOTH {
        let newest = Said { newest: true, later: Some(later), ..RECORDS };
        let (text, summary) = joined("a.json", newest, Some(base), [removed, changed]).unwrap();
        assert_eq!(text, expected, "no other record is lost by it, and time has no say");
        assert_eq!(summary.to_string(), "1 + 1 records joined, changed, so not removed: [1]");
    }
    assert_eq!(joined("a.json", RECORDS, Some(base), [removed, changed]), overlap(1));
    // A key of a record is asked about, as everywhere.
    let newest = Said { newest: true, later: Some(Side::Local), ..RECORDS };
    let (gone, other) = (r#"[{"id":1},{"id":2,"a":0}]"#, r#"[{"id":1,"a":5},{"id":2,"a":0}]"#);
    assert_eq!(joined("a.json", newest, Some(base), [gone, other]), overlap(1));
}

#[test]
fn records_stand_one_a_line_too() {
    let (base, local, remote) = (
        "{\"id\":1,\"a\":0,\"b\":0}\n",
        "{\"id\":1,\"a\":5,\"b\":0}\n{\"id\":3}\n",
        "{\"id\":1,\"a\":0,\"b\":7}\n{\"id\":2}",
    );
    let expected = "{\"id\":1,\"a\":5,\"b\":7}\n{\"id\":2}\n{\"id\":3}";
    for name in ["a.jsonl", "memory"] {
        let got = joined(name, RECORDS, Some(base), [local, remote]);
        assert_eq!(got.map(|(text, _)| text), Ok(expected.to_owned()), "{name}");
    }
    assert_eq!(
        joined("a.jsonl", RECORDS, Some(base), ["{\"id\":1}\n{\"id\":1}\n", remote]).unwrap_err(),
        Reason::Ids
    );
}

#[test]
fn the_cells_of_a_notebook_keep_their_order() {
    let cells =
        |ids: &[&str]| ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect::<Vec<_>>().join(",");
    let of = |ids: &[&str]| format!("{{\"cells\":[{}]}}", cells(ids));
    let merged = |base: &str, local: &str, remote: &str| {
        joined("a.ipynb", Said::default(), Some(base), [local, remote]).map(|(text, _)| text)
    };
    assert_eq!(merged(&of(&["a"]), &of(&["a", "b"]), &of(&["a", "c"])), overlap(1));
    assert_eq!(merged(&of(&["a"]), &of(&["a", "b"]), &of(&["c", "a"])), Ok(of(&["c", "a", "b"])));
}

/// What a parser must refuse: none of it is rewritten.
const MALFORMED: &[&str] = &[
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[1]]",
    "[1]x",
    "[a]",
    "x",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{\"a\":1,}",
    "{\"a\":1,,\"b\":2}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "{'a':1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"::1}",
    "{\"a\":1",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{null:1}",
    "[+1]",
    "[.5]",
    "[1.]",
    "[01]",
    "[-]",
    "[--1]",
    "[1e]",
    "[1e+]",
    "[1.e1]",
    "[0x1]",
    "[1_0]",
    "[Infinity]",
    "[-Infinity]",
    "[NaN]",
    "[nul]",
    "[True]",
    "[truee]",
    "[tru",
    "\"",
    "\"a",
    "\"\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\a\"",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"a\u{1}b\"",
    "'a'",
    "[1]//",
    "/**/[1]",
    "[1/*x*/]",
    "#[1]",
    "\u{feff}",
    "\u{feff}\u{feff}[1]",
    "[1]\u{0}",
    "\u{a0}[1]",
    "[\u{2028}1]",
    "\u{c}[1]",
    "\u{b}[1]",
    "<a/>",
    "[\u{ff11}]",
];

/// What parsers treat each in their way: it is kept to the byte.
const DISPUTED: &[&str] = &[
    "1e400",
    "-1e400",
    "-0",
    "-0.0",
    "0e0",
    "1E+2",
    "123456789012345678901234567890",
    "9223372036854775808",
    "0.1000000000000000055511151231257827",
    "1e-10000",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud800\\n\"",
    "\"\\uD834\\uDD1E\"",
    "\"\\u0000\"",
    "\"\\uffff\"",
    "\"\u{ffff}\"",
    "\"\u{2028}\"",
    "\"\u{7f}\"",
    "\"\\/\"",
    "\"\u{e9}\"",
    "\"e\u{301}\"",
    "{\"\":0}",
    "{\"\\ud800\":0}",
    "{\"a\":1,\"A\":1}",
    "{\"\u{e9}\":1,\"e\u{301}\":1}",
    "[[[[[[[[[[]]]]]]]]]]",
    "{\"__proto__\":1}",
    "\"<<<<<<< a\\n=======\\n\"",
];

#[test]
fn what_is_malformed_is_not_touched() {
    assert!(MALFORMED.len() >= 60);
    for bad in MALFORMED {
        for (base, local, remote) in [("[1]", "[2]", *bad), (*bad, "[2]", "[3]")] {
            for said in [Said::default(), RECORDS] {
                let reason = joined("a.json", said, Some(base), [local, remote]).unwrap_err();
                assert!(matches!(reason, Reason::NotValid("JSON") | Reason::Binary), "{bad:?}: {reason}");
            }
        }
    }
    let reason = joined("a.json", Said::default(), Some("[1]"), ["[2]", "{\"a\":1,\"a\":2}"]).unwrap_err();
    assert_eq!(reason.code(), Some("E-MERGE-PARSE"));
    let latin = Versions { base: Some(b"[1]"), local: b"[2]", remote: b"[\"\xe9\"]" };
    let name = Name::new(b"a.json").unwrap();
    assert_eq!(contents(&Terms::of(&name), &latin), Merged::Undecided(Reason::NotValid("JSON")));
}

#[test]
fn what_is_disputed_keeps_its_bytes() {
    for text in DISPUTED {
        let list = |text: &str, last: &str| format!("{{\"x\": {text}, \"last\": {last}}}");
        let both = merged(&list("0", "0"), &list(text, "0"), &list("0", "1"));
        assert_eq!(both, Ok(list(text, "1")), "{text}");
        let kept =
            merged(&list(text, "[]"), &list(text, "[1]"), &list(text, "[]").replace('{', "{\"new\": 0, "))
                .is_ok();
        assert!(kept || text.starts_with('{'), "{text}");
    }
}

#[test]
fn depth_has_an_end() {
    let deep = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let nested =
        |depth: usize, inner: &str| format!("{}{inner}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let object = |inner: &str| nested(127, &format!("[{inner}]"));
    assert_eq!(merged(&object("1"), &object("1,2"), &object("0,1")), Ok(object("0,1,2")));
    for depth in [129, 100_000] {
        for make in [deep as fn(usize, &str) -> String, nested] {
            let reason = merged(&make(depth, "1"), &make(depth, "2"), &make(depth, "3")).unwrap_err();
            assert_eq!((reason, reason.code()), (Reason::TooDeep, Some("E-LIMIT-DEPTH")));
        }
    }
}
