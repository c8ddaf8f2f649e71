//! Merges as tables, and what holds for all of them.

mod picks;
mod settings;

use proptest::prelude::*;

use super::*;

fn named(name: &str) -> Name {
    Name::new(name.as_bytes()).unwrap()
}

fn merged(name: &str, base: &str, local: &str, remote: &str) -> Result<String, Reason> {
    let name = named(name);
    merged_by(&Terms::of(&name), Some(base), [local, remote])
}

fn merged_by(terms: &Terms<'_>, base: Option<&str>, [local, remote]: [&str; 2]) -> Result<String, Reason> {
    let versions =
        Versions { base: base.map(str::as_bytes), local: local.as_bytes(), remote: remote.as_bytes() };
    match contents(terms, &versions) {
        Merged::Clean(joined) => Ok(String::from_utf8(joined.content).unwrap()),
        Merged::Marked { content, .. } => panic!("{}", String::from_utf8_lossy(&content)),
        Merged::Undecided(reason) => Err(reason),
    }
}

#[test]
fn changes_in_different_places_are_joined() {
    let clean = |text: &str| Ok(text.to_owned());
    for (base, local, remote, expected) in [
        ("1\n2\n3\n", "x\n2\n3\n", "1\n2\ny\n", clean("x\n2\ny\n")),
        ("1\n2\n3\n", "1\n2\n", "1\n2\n3\n4\n", Err(Reason::Overlap { places: 1 })),
        ("1\n2\n3\n4\n", "1\n3\n4\n", "1\n2\n3\n4\n5\n", clean("1\n3\n4\n5\n")),
        ("1\n", "x\n", "y\n", Err(Reason::Overlap { places: 1 })),
        ("1\n2\n3\n4\n5\n", "x\n2\n3\n4\ny\n", "a\n2\n3\n4\nb\n", Err(Reason::Overlap { places: 2 })),
        ("1\n2\n3\n", "x\n2\n3\n", "x\n2\ny\n", clean("x\n2\ny\n")),
        ("1\r\n2\r\n3\r\n", "x\r\n2\r\n3\r\n", "1\r\n2\r\ny\r\n", clean("x\r\n2\r\ny\r\n")),
        ("1\n2\n3", "x\n2\n3", "1\n2\n3\n", clean("x\n2\n3\n")),
        ("<<<<<<< a\n2\n3\n", "<<<<<<< b\n2\n3\n", "<<<<<<< a\n2\n4\n", clean("<<<<<<< b\n2\n4\n")),
        ("<<<<<<<\n2\n", "<<<<<<< b\n2\n", "=======\n2\n", Err(Reason::Overlap { places: 1 })),
    ] {
        assert_eq!(merged("a.txt", base, local, remote), expected, "{base:?} {local:?} {remote:?}");
    }
}

#[test]
fn what_has_a_grammar_keeps_it() {
    let yaml = "a: 1\nb: 2\nc: 3\nd: 4\n";
    assert_eq!(
        merged("a.yml", yaml, "x: 0\na: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nx: 1\nd: 4\n"),
        Err(Reason::Overlap { places: 1 })
    );
    assert!(merged("a.yaml", yaml, "x: 0\na: 1\nb: 2\nc: 3\nd: 4\n", "a: 1\nb: 2\nc: 3\nd: 5\n").is_ok());

    let env = "A=1\nB=2\nC=3\nD=4\n";
    assert_eq!(
        merged(".env.test", env, "X=0\nA=1\nB=2\nC=3\nD=4\n", "A=1\nB=2\nC=3\nX=1\nD=4\n"),
        Err(Reason::Overlap { places: 1 })
    );
    assert!(merged(".env", env, "A=0\nB=2\nC=3\nD=4\n", "A=1\nB=2\nC=3\nD=5\n").is_ok());

    let toml = "a = 1\nb = 2\nc = 3\nd = 4\n";
    assert_eq!(
        merged("a.toml", toml, "x = 0\na = 1\nb = 2\nc = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nx = 1\nd = 4\n"),
        Err(Reason::Overlap { places: 1 })
    );
    assert!(merged("a.toml", toml, "a = 0\nb = 2\nc = 3\nd = 4\n", "a = 1\nb = 2\nc = 3\nd = 5\n").is_ok());

    let lines = "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n";
    assert!(
        merged("a.jsonl", lines, "{\"a\":0}\n{\"b\":2}\n{\"c\":3}\n", "{\"a\":1}\n{\"b\":2}\n{\"c\":4}\n")
            .is_ok()
    );
    for name in ["a.xml", "Cargo.lock", "A.XML"] {
        assert_eq!(merged(name, "1\n2\n3\n", "x\n2\n3\n", "1\n2\ny\n"), Err(Reason::Opaque), "{name}");
    }
}

#[test]
fn deep_data_stays_undecided() {
    let deep = |end: &str| format!("{}1{}\n{end}", "[".repeat(100_000), "]".repeat(100_000));
    for name in ["a.json", "a.yaml"] {
        let reason = merged(name, &deep(""), &deep(" "), &deep("\n")).unwrap_err();
        let expected = if name == "a.json" { Reason::TooDeep } else { Reason::NotValid("YAML") };
        assert_eq!(reason, expected, "{name}");
    }
}

#[test]
fn what_is_not_text_stays_undecided() {
    let name = named("a");
    let all = |base: Option<&[u8]>, local: &[u8], remote: &[u8]| {
        contents(&Terms::of(&name), &Versions { base, local, remote })
    };
    let undecided = |base: &[u8], local: &[u8], remote: &[u8]| all(Some(base), local, remote);
    let clean = |content: &[u8]| Merged::Clean(content.to_vec().into());
    for bytes in [&b"1\n\x002\n3\n"[..], b"\xff\x01\n2\n3\n"] {
        assert_eq!(undecided(bytes, b"1\n2\n4\n", b"0\n2\n3\n"), Merged::Undecided(Reason::Binary));
        assert_eq!(undecided(b"1\n2\n3\n", bytes, b"0\n2\n3\n"), Merged::Undecided(Reason::Binary));
    }
    let latin = undecided(b"\xe9\n2\n3\n", b"\xe8\n2\n3\n", b"\xe9\n2\n\xea\n");
    assert_eq!(latin, clean(b"\xe8\n2\n\xea\n"));
    let large = vec![b'x'; CONTENT_BYTES_MAX + 1];
    assert_eq!(undecided(b"1", &large, b"2"), Merged::Undecided(Reason::TooLarge));
    assert_eq!(all(None, b"1", b"2"), Merged::Undecided(Reason::NoBase));
    assert_eq!(all(None, b"1", b"1"), clean(b"1"));
    assert_eq!(undecided(b"\0", b"\0", b"\x001"), clean(b"\x001"));
}

#[test]
fn a_conflict_can_be_taken_apart() {
    let settled = |text: &str| Region::Settled(text.into());
    let overlap = |base: &str, local: &str, remote: &str| Region::Overlap {
        base: base.into(),
        local: local.into(),
        remote: remote.into(),
    };
    let got = regions(b"1\n2\n3\n4\n5\n", b"x\n2\n3\n4\n<<<<<<<\n", b"y\n2\nz\n4\n=========\n").unwrap();
    let expected =
        [overlap("1\n", "x\n", "y\n"), settled("2\nz\n4\n"), overlap("5\n", "<<<<<<<\n", "=========\n")];
    assert_eq!(got, expected);
    assert_eq!(overlaps(&got), 2);
    assert_eq!(Reason::Overlap { places: 2 }.to_string(), "2 places overlap");
    assert_eq!(Reason::Overlap { places: 1 }.to_string(), "1 place overlaps");
}

#[test]
fn a_conflict_is_put_together_as_it_is_picked() {
    let regions = regions(b"1\n2\n3", b"x\n2\nhere", b"y\n2\nthere").unwrap();
    let put = |first: Pick, last: Pick| String::from_utf8(put_together(&regions, &[first, last])).unwrap();
    assert_eq!(put(Pick::Here, Pick::There), "x\n2\nthere");
    assert_eq!(put(Pick::Base, Pick::Both), "1\n2\nhere\nthere");
    assert_eq!(put(Pick::Lines(b"own".to_vec()), Pick::Lines(Vec::new())), "own\n2\n");
}

#[test]
fn versions_without_a_base_differ_where_they_are_not_equal() {
    let got = differences(b"1\n2\n3\n", b"1\nx\n3\n4\n").unwrap();
    let settled = |text: &str| Region::Settled(text.into());
    let overlap = |local: &str, remote: &str| Region::Overlap {
        base: Vec::new(),
        local: local.into(),
        remote: remote.into(),
    };
    assert_eq!(got, [settled("1\n"), overlap("2\n", "x\n"), settled("3\n"), overlap("", "4\n")]);
}

#[test]
fn the_group_goes_before_the_name() {
    let text = named("a.txt");
    let of = |kind| Terms { kind: Some(kind), ..Terms::of(&text) };
    let one_each = ["A=2\nB=1\nC=1\n", "A=1\nB=1\nC=2\n"];
    let base = Some("A=1\nB=1\nC=1\n");
    assert_eq!(merged_by(&of(FileKind::Text), base, one_each), Ok("A=2\nB=1\nC=2\n".to_owned()));
    assert_eq!(merged_by(&of(FileKind::Binary), base, one_each), Err(Reason::Opaque));
    assert_eq!(merged_by(&of(FileKind::Dotenv), base, one_each), Ok("A=2\nB=1\nC=2\n".to_owned()));
}

#[test]
fn overlaps_stand_between_markers_only_in_texts_whose_group_says_so() {
    let marked = |name: &str, base: &str, local: &str, remote: &str| {
        let name = named(name);
        let style = Style::Markers(PerSide { local: "laptop", remote: "desktop" });
        let terms = Terms { style, ..Terms::of(&name) };
        let versions =
            Versions { base: Some(base.as_bytes()), local: local.as_bytes(), remote: remote.as_bytes() };
        match contents(&terms, &versions) {
            Merged::Marked { content, places, signs } => {
                assert!(markers_remain(&content, signs), "its own markers are found");
                for version in [versions.base.unwrap(), versions.local, versions.remote] {
                    assert!(!markers_remain(version, signs), "and none in what it was made from");
                }
                (String::from_utf8(content).unwrap(), places)
            }
            other => (format!("{other:?}"), 0),
        }
    };
    let shown = "0\n<<<<<<< laptop\nx\n||||||| base\n1\n=======\ny\n>>>>>>> desktop\n2\n";
    assert_eq!(marked("a.md", "0\n1\n2\n", "0\nx\n2\n", "0\ny\n2\n"), (shown.to_owned(), 1));
    let shown = "=======\n<<<<<<<< laptop\nx\n|||||||| base\n1\n========\ny\n>>>>>>>> desktop\n";
    assert_eq!(marked("a.md", "=======\n1\n", "=======\nx", "=======\ny\n"), (shown.to_owned(), 1));
    let crlf = "<<<<<<< laptop\r\nx\r\n||||||| base\r\n1\r\n=======\r\ny\r\n>>>>>>> desktop\r\n";
    assert_eq!(marked("a.md", "1\r\n", "x\r\n", "y\r\n"), (crlf.to_owned(), 1));
    for name in ["a.json", "a.yaml", "a.toml", ".env", "a.lock"] {
        assert_eq!(marked(name, "1\n", "2\n", "3\n").1, 0, "{name}");
    }
}

#[test]
fn long_texts_are_merged() {
    let equal = "x\n".repeat(100_000);
    let grown = format!("a\n{equal}b\n");
    assert_eq!(merged("a", &equal, &format!("a\n{equal}"), &format!("{equal}b\n")), Ok(grown));
    let line = "a".repeat(1 << 20);
    assert_eq!(
        merged("a", &line, &format!("{line}b"), &format!("{line}c")),
        Err(Reason::Overlap { places: 1 })
    );
}

/// Texts of few different lines, so that they meet often.
fn lines() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a\n", "b\n", "c\n", "d\n", "\n", "e"]), 0..14)
        .prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn sides_are_equal_in_rights(base in lines(), one in lines(), other in lines()) {
        let forth = merged("a", &base, &one, &other);
        let back = merged("a", &base, &other, &one);
        prop_assert_eq!(forth.is_ok(), back.is_ok());
        if forth.is_ok() {
            prop_assert_eq!(forth, back);
        }
    }

    #[test]
    fn one_change_is_no_question(base in lines(), one in lines()) {
        prop_assert_eq!(merged("a", &base, &one, &base), Ok(one.clone()));
        prop_assert_eq!(merged("a", &base, &base, &one), Ok(one.clone()));
        prop_assert_eq!(merged("a", &base, &one, &one), Ok(one.clone()));
    }

    #[test]
    fn regions_hold_all_lines_of_both(base in lines(), one in lines(), other in lines()) {
        let regions = regions(base.as_bytes(), one.as_bytes(), other.as_bytes()).unwrap();
        let undecided = matches!(merged("a", &base, &one, &other), Err(Reason::Overlap { .. }));
        if base != one && base != other && one != other {
            prop_assert_eq!(undecided, overlaps(&regions) > 0);
        }
    }

    #[test]
    fn without_a_base_each_version_can_be_had_whole(one in lines(), other in lines()) {
        let regions = differences(one.as_bytes(), other.as_bytes()).unwrap();
        let all = |pick: Pick| put_together(&regions, &vec![pick; overlaps(&regions)]);
        prop_assert_eq!(all(Pick::Here), one.as_bytes());
        prop_assert_eq!(all(Pick::There), other.as_bytes());
    }
}
