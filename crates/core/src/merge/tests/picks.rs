//! What a person decides key by key.

use super::*;

/// The places that are asked about, and what comes of each choice of sides.
fn places(name: &str, kind: Option<FileKind>, base: Option<&str>, sides: [&str; 2]) -> Option<Vec<Clash>> {
    picked(name, kind, base, sides, &[]).map(|joined| joined.summary.clashes)
}

fn picked(
    name: &str,
    kind: Option<FileKind>,
    base: Option<&str>,
    [local, remote]: [&str; 2],
    picks: &[Side],
) -> Option<Joined> {
    let name = Name::new(name.as_bytes()).unwrap();
    let versions =
        Versions { base: base.map(str::as_bytes), local: local.as_bytes(), remote: remote.as_bytes() };
    by_picks(&Terms { kind, ..Terms::of(&name) }, &versions, picks)
}

fn text(joined: Option<Joined>) -> String {
    String::from_utf8(joined.unwrap().content).unwrap()
}

#[test]
fn each_key_is_one_place() {
    use Side::{Local, Remote};
    type Case<'c> = (&'c str, [&'c str; 3], &'c [&'c str], &'c [(&'c [Side], &'c str)]);
    let cases: &[Case<'_>] = &[
        (
            "a.json",
            [r#"{"a":1,"b":{"c":2},"d":0}"#, r#"{"a":3,"b":{"c":4},"d":1}"#, r#"{"a":5,"b":{"c":6},"e":7}"#],
            &["d", "a", "b.c"],
            &[
                (&[], r#"{"a":3,"b":{"c":4},"d":1,"e":7}"#),
                (&[Remote, Local, Remote], r#"{"a":3,"b":{"c":6},"e":7}"#),
                (&[Remote, Remote, Remote], r#"{"a":5,"b":{"c":6},"e":7}"#),
            ],
        ),
        (
            ".env",
            ["# mine\nA=1\nB=2\n", "# mine\nA=3\nB=2\nC=1\n", "# mine\nA=5\nB=7\n"],
            &["A"],
            &[(&[], "# mine\nA=3\nB=7\nC=1\n"), (&[Remote], "# mine\nA=5\nB=7\nC=1\n")],
        ),
        (
            "a.yaml",
            ["a: 1\nb:\n  c: 2 # why\n", "a: 3\nb:\n  c: 4 # why\n", "a: 5\nb:\n  c: 6 # why\n"],
            &["a", "b.c"],
            &[(&[Remote, Local], "a: 5\nb:\n  c: 4 # why\n"), (&[Local, Remote], "a: 3\nb:\n  c: 6 # why\n")],
        ),
        (
            "a.toml",
            ["[t]\na = 1\nb = 2\n", "[t]\na = 3\nb = 2\n", "[t]\na = 5\nb = 9\n"],
            &["t.a"],
            &[(&[], "[t]\na = 3\nb = 9\n"), (&[Remote], "[t]\na = 5\nb = 9\n")],
        ),
    ];
    for (name, [base, local, remote], keys, results) in cases {
        let found = places(name, None, Some(base), [local, remote]).unwrap();
        assert_eq!(found.iter().map(|clash| &clash.key[..]).collect::<Vec<_>>(), *keys, "{name}");
        assert!(found.iter().all(|clash| clash.loser == Remote), "{name}");
        for (picks, expected) in *results {
            assert_eq!(
                text(picked(name, None, Some(base), [local, remote], picks)),
                *expected,
                "{name} {picks:?}"
            );
            // From the other machine the same choice is the opposite one.
            let across: Vec<Side> =
                (0..keys.len()).map(|at| picks.get(at).copied().unwrap_or(Local).other()).collect();
            let mirrored = picked(name, None, Some(base), [remote, local], &across);
            assert_eq!(text(mirrored), *expected, "{name} {picks:?} from there");
        }
    }
}

#[test]
fn each_record_is_one_place_and_the_others_come_together() {
    let base = r#"[{"id":1,"t":"a"},{"id":2,"t":"b"}]"#;
    let local = r#"[{"id":1,"t":"here"},{"id":2,"t":"b"},{"id":3,"t":"new here"},{"id":9,"t":"x"}]"#;
    let remote = r#"[{"id":1,"t":"there"},{"id":4,"t":"new there"},{"id":9,"t":"y"}]"#;
    let kind = Some(FileKind::Records);
    let found = places("m.json", kind, Some(base), [local, remote]).unwrap();
    let keys: Vec<&str> = found.iter().map(|clash| &clash.key[..]).collect();
    assert_eq!(keys, ["[1].t", "[9]"]);
    assert_eq!(found[0].base, br#""a""#);
    let result = text(picked("m.json", kind, Some(base), [local, remote], &[Side::Remote, Side::Local]));
    for part in [r#""there""#, "new here", "new there", r#"{"id":9,"t":"x"}"#] {
        assert!(result.contains(part), "{part}: {result}");
    }
    assert!(!result.contains(r#""id":2"#), "{result}");
}

#[test]
fn what_one_removed_and_the_other_changed_is_asked() {
    let base = r#"[{"id":1,"t":"a"},{"id":2,"t":"b"}]"#;
    let (local, remote) = (r#"[{"id":1,"t":"a"}]"#, r#"[{"id":1,"t":"a"},{"id":2,"t":"c"}]"#);
    let kind = Some(FileKind::Records);
    let found = places("m.json", kind, Some(base), [local, remote]).unwrap();
    assert_eq!((found.len(), &found[0].key[..], &found[0].kept[..]), (1, "[2]", &b""[..]));
    assert_eq!(text(picked("m.json", kind, Some(base), [local, remote], &[Side::Local])), local);
    assert_eq!(text(picked("m.json", kind, Some(base), [local, remote], &[Side::Remote])), remote);
}

#[test]
fn where_more_than_values_is_in_question_nothing_is_asked_by_key() {
    for (name, base, local, remote) in [
        ("a.txt", "a\n", "b\n", "c\n"),
        ("a.json", "{", r#"{"a":1}"#, r#"{"a":2}"#),
        (".env", "# one\nA=1\n", "# two\nA=2\n", "# three\nA=3\n"),
        // Nothing to ask: it merges.
        ("a.json", r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":1,"b":2}"#),
    ] {
        assert_eq!(places(name, None, Some(base), [local, remote]), None, "{name} {base}");
    }
    // Without a base, records that both made are asked one by one; other files are not known to be one.
    let [local, remote] = [r#"[{"id":1,"t":"a"}]"#, r#"[{"id":1,"t":"b"}]"#];
    assert_eq!(places("m.json", Some(FileKind::Records), None, [local, remote]).unwrap().len(), 1);
    assert_eq!(places("a.json", None, None, [r#"{"a":1}"#, r#"{"a":2}"#]), None);
}
