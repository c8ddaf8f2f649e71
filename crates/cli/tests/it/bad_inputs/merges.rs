//! Data that can't be merged: what no parser takes, what each takes in its way, what is too deep, too long or twice there.

use std::fs;

use instep_testkit::machine::{Machine, Output, Pair};

use super::{all_right, connected, nothing_lost_or_touched};

fn write(machine: &Machine, path: &str, bytes: &[u8]) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn read(machine: &Machine, path: &str) -> Vec<u8> {
    fs::read(machine.folder().join(path)).unwrap_or_default()
}

/// What the remote holds.
fn there(pair: &Pair, path: &str) -> Vec<u8> {
    pair.bare.git(["cat-file", "blob", &format!("main:{path}")], b"")
}

/// What both agree on of a file, and what each makes of it.
struct Row<'r> {
    name: &'r str,
    base: &'r [u8],
    here: &'r [u8],
    there: &'r [u8],
    /// What it comes to; none where it is to be a conflict.
    merged: Option<&'r [u8]>,
    /// What is said of it.
    says: &'r str,
}

/// Plays all rows in one sync of two machines; answers what is wrong.
fn play(settings: &str, rows: &[Row<'_>]) -> (Pair, Output, Vec<String>) {
    let pair = connected();
    write(&pair.left, "instep.yaml", settings.as_bytes());
    rows.iter().for_each(|row| write(&pair.left, row.name, row.base));
    let agreed = pair.left.run(["sync"]);
    assert_eq!(agreed.code, 0, "{agreed}");
    assert_eq!(pair.right.connect(&pair.bare).code, 0);
    for row in rows {
        write(&pair.left, row.name, row.here);
        write(&pair.right, row.name, row.there);
    }
    assert_eq!(pair.right.run(["sync"]).code, 0);
    let synced = pair.left.run(["sync", "-v"]);
    let mut wrong = Vec::new();
    for row in rows {
        let name = row.name;
        let stands = read(&pair.left, name);
        let line = synced.stdout.lines().find(|line| line.contains(&format!(" {name} "))).unwrap_or_default();
        let is_conflict = line.contains('⚠') && line.contains("both versions kept");
        match row.merged {
            Some(merged) if stands != merged || is_conflict => {
                wrong.push(format!("{name}: {:?} {line}", String::from_utf8_lossy(&stands)));
            }
            None if stands != row.here || !is_conflict || !line.contains(row.says) => {
                wrong.push(format!("{name}: {line:?}"));
            }
            _ => {}
        }
        if row.merged.is_none() && there(&pair, name) != row.there {
            wrong.push(format!("{name}: the version at the remote was rewritten"));
        }
    }
    (pair, synced, wrong)
}

const RECORDS: &str = "version: 1\ngroups:\n  data: { paths: ['*.json'], kind: records, id: id }\n";

/// Texts that a parser of JSON must refuse, each in place of a valid one.
const MALFORMED: &[&str] = &[
    "[1,]",
    "[1,,2]",
    "[,1]",
    "[1 true]",
    "[1",
    "[1,\n1\n,1",
    "[",
    "]",
    "[a]",
    "[*]",
    "[\"a\",\n4\n,1,",
    "[1]]",
    "[1]x",
    "[++1]",
    "[+1]",
    "[-01]",
    "[-1.0.]",
    "[-NaN]",
    "[.5]",
    "[0.1.2]",
    "[0.3e+]",
    "[0.e1]",
    "[0E]",
    "[1.0e]",
    "[1eE2]",
    "[1 000.0]",
    "[0x1]",
    "[2.e3]",
    "[9.e+]",
    "[Inf]",
    "[NaN]",
    "[1+2]",
    "[- 1]",
    "[012]",
    "[1.]",
    "[-.123]",
    "{\"x\", null}",
    "{\"x\"::1}",
    "{[: \"x\"}",
    "{\"a\":1 b}",
    "{:1}",
    "{\"a\" 1}",
    "{1:1}",
    "{'a':0}",
    "{\"id\":0,,,}",
    "{\"a\":\"b\"}#",
    "{\"a\":\"b\"}//",
    "{\"a\":/*c*/\"b\"}",
    "{\"a\":1,\"b\"}",
    "{\"a\":tru}",
    "{key: 'v'}",
    "{\"a\":\"b\",}",
    " ",
    "<null>",
    "[<null>]",
    "aa",
    "[\"",
    "[\"\\\"]",
    "[\"\\u00A\"]",
    "[\"\\uD834\\u\"]",
    "[\"\\x00\"]",
    "[\"a\u{1}\"]",
    "[\"new\nline\"]",
    "[\"\t\"]",
    "\"\\",
    "[\u{2060}]",
    "\u{feff}",
    "[\u{c}]",
    "[True]",
    "[nul]",
    "[fals]",
    "{\"a\":1}}",
    "[1]\u{feff}",
    "*",
    "{\"\":",
    "1]",
    "[\"a\" \"b\"]",
    "[{}{}]",
    "{\"a\":1,\"a\":2}",
    "\u{e5}",
    "[\u{3000}1]",
];

#[test]
fn what_no_parser_takes_is_a_conflict_and_keeps_its_bytes() {
    let names: Vec<String> = (0..MALFORMED.len()).map(|at| format!("n{at}.json")).collect();
    let mut rows: Vec<Row<'_>> = names
        .iter()
        .zip(MALFORMED)
        .map(|(name, text)| Row {
            name,
            base: b"[{\"id\": 1}]",
            here: b"[{\"id\": 1}, {\"id\": 2}]",
            there: text.as_bytes(),
            merged: None,
            says: "not valid JSON",
        })
        .collect();
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    for (name, bad, says) in [
        ("latin.json", &b"[\"\xe9\"]"[..], "not valid JSON"),
        ("cut.json", b"[\"\xe2\x82\"]", "not valid JSON"),
        ("wide.json", b"\xff\xfe[\0]\0", ""),
        ("zero.json", b"[1]\0", ""),
        ("deep.json", deep.as_bytes(), "deep"),
    ] {
        rows.push(Row { name, base: b"[{\"id\": 1}]", here: b"[]", there: bad, merged: None, says });
    }
    let (pair, synced, mut wrong) = play(RECORDS, &rows);
    if synced.code != 4 {
        wrong.push(format!("exit {}", synced.code));
    }
    nothing_lost_or_touched("J1", &pair);
    all_right(wrong);
}

#[test]
fn what_parsers_take_each_in_their_way_comes_out_as_it_went_in() {
    let disputed = [
        "1e400",
        "-1e400",
        "123123e100000",
        "1e-10000",
        "-0",
        "-0.0",
        "0.1",
        "0.10",
        "1E+2",
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800\\n\"",
        "\"\\u0000\"",
        "\"\\uffff\"",
        "\"\\/\"",
        "\"\u{7f}\"",
        "\"\u{2028}\"",
        "\"e\u{301}\"",
        "[[[[[[[[[[]]]]]]]]]]",
    ];
    let texts: Vec<[String; 5]> = disputed
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let of = |value: &str, last: u8| format!("{{\"x\": {value}, \"last\": {last}}}\n");
            [format!("i{at}.json"), of("0", 0), of(value, 0), of("0", 1), of(value, 1)]
        })
        .collect();
    let rows: Vec<Row<'_>> = texts
        .iter()
        .map(|[name, base, here, there, merged]| Row {
            name,
            base: base.as_bytes(),
            here: here.as_bytes(),
            there: there.as_bytes(),
            merged: Some(merged.as_bytes()),
            says: "",
        })
        .collect();
    let (pair, synced, mut wrong) = play("version: 1\n", &rows);
    if synced.code != 0 {
        wrong.push(format!("exit {}", synced.code));
    }
    nothing_lost_or_touched("J2", &pair);
    all_right(wrong);
}

#[test]
fn records_settings_and_texts_merge_or_ask_and_lose_nothing() {
    let settings = "version: 1\ngroups:\n  data: { paths: ['*.json'], kind: records, id: id }\n  \
                    mine: { paths: ['*.conf.json'], kind: settings, conflict_strategy: last-write-wins }\n";
    let long = "x".repeat(70 << 20);
    let many = "y\n".repeat(1_000_000);
    let (more, other) = (format!("a\n{many}"), format!("b\n{many}"));
    let marks = "1\n<<<<<<< a\n=======\n>>>>>>> b\n2\n3\n4\n";
    let rows = [
        ("J4.json", "[]", "{\"a\": 1, \"a\": 2}", "{\"b\": 1}", None, "not valid JSON"),
        ("J6.json", "[]", "[1,] // c", "[2]", None, "not valid JSON"),
        ("J7a.json", "[]", "[{\"a\": 1}]", "[{\"b\": 1}]", Some("[{\"a\": 1},{\"b\": 1}]"), ""),
        ("J7b.json", "[]", "[{\"id\": 1, \"a\": 1}]", "[{\"id\": 1, \"a\": 2}]", None, "overlap"),
        ("J7c.json", "[]", "[{\"id\": 1}, {\"id\": 1}]", "[{\"id\": 2}]", None, "id"),
        ("J7d.json", "[{\"id\": 1}]", "[{\"id\": \"1\"}]", "[{\"id\": 1}, {\"id\": 2}]", None, "id"),
        (
            "J9.conf.json",
            "{\"a\": 0, \"b\": 0}",
            "{\"a\": 1, \"b\": 0}",
            "{\"a\": 0, \"b\": 1}",
            Some("{\"a\": 1, \"b\": 1}"),
            "",
        ),
        (
            "J11.md",
            marks,
            &marks.replace("4\n", "four\n"),
            &marks.replace("1\n", "one\n"),
            Some(&marks.replace("4\n", "four\n").replace("1\n", "one\n")),
            "",
        ),
        ("J12a.txt", "x", &long, "y", None, "large"),
        ("J12b.txt", &many, &more, &other, None, ""),
    ];
    let rows: Vec<Row<'_>> = rows
        .iter()
        .map(|(name, base, here, there, merged, says)| Row {
            name,
            base: base.as_bytes(),
            here: here.as_bytes(),
            there: there.as_bytes(),
            merged: merged.map(str::as_bytes),
            says,
        })
        .collect();
    let (pair, _synced, wrong) = play(settings, &rows);
    nothing_lost_or_touched("J", &pair);
    all_right(wrong);
}
