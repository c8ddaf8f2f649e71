//! Merges by key as tables: variables, patterns, TOML, YAML.

use super::*;
use crate::merge::laws;

/// One case: a file's name, base, local, remote, and what becomes of it; none if it stays undecided.
type Case<'c> = (&'c str, &'c str, &'c str, &'c str, Option<&'c str>);

fn check(cases: &[Case<'_>]) {
    for &(name, base, local, remote, expected) in cases {
        for sides in [[local, remote], [remote, local]] {
            let got = merged_by(&Terms::of(&named(name)), Some(base), sides);
            assert_eq!(
                got.as_deref().ok(),
                expected,
                "{name}\n{base}---\n{}---\n{}{got:?}",
                sides[0],
                sides[1]
            );
        }
    }
}

fn newest(name: &str, base: &str, local: &str, remote: &str) -> (String, String) {
    let name = named(name);
    let mut results =
        [(Side::Local, [local, remote]), (Side::Remote, [remote, local])].map(|(later, sides)| {
            let terms = Terms { later: Some(later), ..Terms::of(&name) };
            let versions = Versions {
                base: Some(base.as_bytes()),
                local: sides[0].as_bytes(),
                remote: sides[1].as_bytes(),
            };
            let Merged::Clean(joined) = contents(&terms, &versions) else { panic!("{base}{local}{remote}") };
            assert!(joined.summary.clashes.iter().all(|clash| clash.loser == later.other()));
            (String::from_utf8(joined.content).unwrap(), joined.summary.to_string())
        });
    assert_eq!(results[0], results[1]);
    std::mem::take(&mut results[0])
}

#[test]
fn variables_are_merged_by_name() {
    check(&[
        (".env", "A=1\nB=2\n", "A=9\nB=2\n", "A=1\nB=8\n", Some("A=9\nB=8\n")),
        (".env", "A=1\n", "A=1\nB=2\n", "A=1\nC=3\n", Some("A=1\nB=2\nC=3\n")),
        (".env", "A=1\n", "A=1\nN=2\nB=1\n", "A=1\nN=2\nC=1\n", Some("A=1\nN=2\nB=1\nC=1\n")),
        (".env", "A=1\nB=2\n", "A=1\n", "A=2\nB=2\n", Some("A=2\n")),
        // A secret is never decided, nor is one that is gone on one side.
        (".env", "A=1\n", "A=2\n", "A=3\n", None),
        (".env", "A=1\nB=2\n", "B=2\n", "A=3\nB=2\n", None),
        (".env", "A=1\n", "A=1\nN=2\n", "A=1\nN=3\n", None),
        (".env", "A=1\nA=2\nB=3\n", "A=1\nA=2\nB=4\n", "A=1\nA=2\nB=3\nC=1\n", None),
        // Comments go with what is below them.
        (
            ".env",
            "# db\nHOST=a\nPORT=1\n",
            "# db\nHOST=a\n# new\nX=1\nPORT=1\n",
            "PORT=2\n",
            Some("# new\nX=1\nPORT=2\n"),
        ),
        (".env", "# one\nA=1\n", "# two\nA=1\n", "# three\nA=1\n", None),
        (".env", "# one\nA=1\n", "# two\nA=1\n", "# one\nA=2\n", Some("# two\nA=2\n")),
        // Quotes, exports, several lines.
        (
            ".env",
            "export A='x' # why\nKEY=\"-----BEGIN\nabc=\n-----END\"\n",
            "export A='y' # why\nKEY=\"-----BEGIN\nabc=\n-----END\"\n",
            "export A='x' # that is why\nKEY=\"-----BEGIN\nxyz=\n-----END\"\n",
            Some("export A='y' # that is why\nKEY=\"-----BEGIN\nxyz=\n-----END\"\n"),
        ),
        (".env", "A=1\r\nB=2\r\n", "A=1\r\nB=2\r\nC=3\r\n", "A=0\r\nB=2\r\n", Some("A=0\r\nB=2\r\nC=3\r\n")),
        // The last line has no end.
        (".env", "A=1", "A=1\nB=2", "A=1\nC=3", Some("A=1\nB=2\nC=3")),
        (".env", "A=1", "A=1\nB=2\n", "A=0", Some("A=0\nB=2\n")),
        ("\u{e9}.env", "\u{feff}A=1\nB=1\n", "\u{feff}A=2\nB=1\n", "A=1\nB=2\n", Some("A=2\nB=2\n")),
        (".env", "A=1", "A=2", "A=1\r\nB=2\r\n", None),
        // A quote that one side left open.
        (".env", "A=\"x\n y\"\nB=1\n", "A=\"x\nB=1\n", "A=\"x\n y\" # c\nB=1\n", None),
        // Comments at the end stay there, or above what is new.
        (".env", "A=1\n# end\n", "A=1\n# end\nB=1\n", "A=1\nC=1\n# end\n", Some("A=1\nC=1\n# end\nB=1\n")),
        (".env", "# db\nA=1\n", "# db\nB=1\nA=1\n", "# db\nC=1\nA=1\n", Some("# db\nB=1\nC=1\nA=1\n")),
        (".env", "A=1\n# -\n", "A=1\n# -\nB=1\n# -\n", "A=1\n# -\nC=1\n", None),
        // Lines that are no variables stay; they belong together.
        (".env", "-\nab\ncd\nef\n-\n", "-\nxx\ncd\nef\n-\n", "-\nab\ncd\nyy\n-\n", None),
        (".env", "what\nA=1\nB=1\n", "what\nA=2\nB=1\n", "what\nA=1\nB=2\n", Some("what\nA=2\nB=2\n")),
    ]);
}

#[test]
fn no_secret_is_told() {
    let reason = merged(".env", "TOKEN=old\n", "TOKEN=mine\n", "TOKEN=theirs\n").unwrap_err();
    assert_eq!(reason.to_string(), "1 place overlaps");
}

#[test]
fn patterns_are_a_set_unless_one_takes_back() {
    check(&[
        (".gitignore", "a\nb\n", "a\nb\nc\n", "a\nb\nd\n", Some("a\nb\nc\nd\n")),
        (".gitignore", "a\nb\n", "b\nx\n", "a\nb\nx\n", Some("b\nx\n")),
        (".gitignore", "a\n", "x\na\n", "a\nx\n", Some("x\na\n")),
        (".dockerignore", "*\n!keep\n", "*\ntmp\n!keep\n", "*\n!keep\nlog\n", Some("*\ntmp\n!keep\nlog\n")),
        (".gitignore", "*\n!keep\n", "*\n!keep\nx\n", "*\n!keep\ny\n", Some("*\n!keep\nx\ny\n")),
        // Which of both should win?
        (".gitignore", "a\n", "a\n!b\n", "*\na\n", None),
        (".gitignore", "*\n!a\n", "!a\n*\n", "*\n!a\nb\n", None),
        (".gitignore", "*\n!a\n", "!a\n*\n", "*\n", None),
        (".gitignore", "*\n!a\n", "*\n!a\n!b\n", "*\n!a\n!b\n", Some("*\n!a\n!b\n")),
        (".npmignore", "*\n!a\nb\n", "*\n!a\n!c\nb\n", "*\n!a\n", Some("*\n!a\n!c\n")),
        (
            ".ignore",
            "# logs\n*.log\n",
            "# logs\n*.log\n# mine\nx",
            "# logs\n*.log\ny\n",
            Some("# logs\n*.log\n# mine\nx\ny"),
        ),
        (".ignore", "a\nb\na\n", "a\nb\na\nc\n", "a\nb\n", Some("a\nb\nc\n")),
    ]);
    // Other names are texts.
    assert!(merged("list.txt", "a\n", "a\nb\n", "a\nc\n").is_err());
}

#[test]
fn toml_is_merged_by_key() {
    let base = "# top\ntitle = 'x'   # why\n\n[server]\nport = 80\nhost = \"a\"\n\n# end\n";
    check(&[
        (
            "a.toml",
            base,
            &base.replace("80", "81"),
            &base.replace("'x'", "'y'").replace("host", "name = 1\nhost"),
            Some("# top\ntitle = 'y'   # why\n\n[server]\nport = 81\nname = 1\nhost = \"a\"\n\n# end\n"),
        ),
        ("a.toml", "a = 1\n", "a = 2\n", "a = 3\n", None),
        ("a.toml", "a = 1\n", "a = 2\n", "", None),
        ("a.toml", "a = 0x10\n", "a = 17\n", "a = 0x11\n", Some("a = 0x11\n")),
        // Tables that both add, dotted keys, keys in quotes.
        (
            "a.toml",
            "a = 1\n",
            "a = 1\n\n[z]\nb = 1\n",
            "a = 1\n\n[c]\nd = 1\n",
            Some("a = 1\n\n[c]\nd = 1\n\n[z]\nb = 1\n"),
        ),
        ("a.toml", "[t]\n", "[t]\na.b = 1\n", "[t]\na.c = 2\n", Some("[t]\na.b = 1\na.c = 2\n")),
        (
            "a.toml",
            "[t]\n\"a.b\" = 1\n",
            "[t]\n\"a.b\" = 2\n",
            "[t]\n\"a.b\" = 1\na.b = 1\n",
            Some("[t]\n\"a.b\" = 2\na.b = 1\n"),
        ),
        ("a.toml", "a = 1\n", "a = 1\nt.x = 1\n", "a = 1\n[t]\ny = 1\n", None),
        // A key at the end of the top stays above the tables.
        ("a.toml", "", "[t]\na = 1\n", "b = 1\n", Some("b = 1\n[t]\na = 1\n")),
        // Inline tables and arrays.
        (
            "a.toml",
            "d = { v = 1, f = [\"a\"] }\n",
            "d = { v = 2, f = [\"a\"] }\n",
            "d = { v = 1, f = [\"a\", \"b\"] }\n",
            Some("d = { v = 2, f = [\"a\", \"b\"] }\n"),
        ),
        (
            "a.toml",
            "f = [\"a\", \"b\"]\n",
            "f = [\"b\"]\n",
            "f = [\"a\", \"b\", \"c\"]\n",
            Some("f = [\"b\", \"c\"]\n"),
        ),
        (
            "a.toml",
            "f = [\n  \"a\",\n]\n",
            "f = [\n  \"a\",\n  \"c\",\n]\n",
            "f = [\n  \"a\",\n  \"b\",\n]\n",
            Some("f = [\n  \"a\",\n  \"b\",\n  \"c\",\n]\n"),
        ),
        (
            "a.toml",
            "f = [\n  'a',\n  'b',\n]\n",
            "f = [\n  'b',\n]\n",
            "f = [\n  'c',\n  'a',\n  'b',\n]\n",
            Some("f = [\n  'c',\n  'b',\n]\n"),
        ),
        ("a.toml", "f = [1, 2, 3]\n", "f = [9, 2, 3]\n", "f = [1, 2, 4]\n", Some("f = [9, 2, 4]\n")),
        ("a.toml", "f = [0, 10]\n", "f = [1, 10]\n", "f = [0, 11]\n", None),
        ("a.toml", "f = [\"x\"]\n", "f = [\"x\", \"-a\", \"1\"]\n", "f = [\"x\", \"-b\", \"2\"]\n", None),
        ("a.toml", "f = []\n", "f = [\"a\"]\n", "f = [\"b\"]\n", Some("f = [\"a\", \"b\"]\n")),
        // Tables of an array by id, by name if their order is plain, by place.
        (
            "a.toml",
            "[[p]]\nid = 1\nv = 1\n[[p]]\nid = 2\nv = 1\n",
            "[[p]]\nid = 0\nv = 1\n[[p]]\nid = 1\nv = 2\n[[p]]\nid = 2\nv = 1\n",
            "[[p]]\nid = 1\nv = 1\n[[p]]\nid = 2\nv = 3\n[p.s]\nx = 1\n",
            Some("[[p]]\nid = 0\nv = 1\n[[p]]\nid = 1\nv = 2\n[[p]]\nid = 2\nv = 3\n[p.s]\nx = 1\n"),
        ),
        ("a.toml", "", "[[p]]\nid = 1\n", "[[p]]\nid = 2\n", None),
        (
            "a.toml",
            "[[p]]\nid = 0\n",
            "[[p]]\nid = 0\n[[p]]\nid = 1\n",
            "[[p]]\nid = 0\n[[p]]\nid = 2\n",
            Some("[[p]]\nid = 0\n[[p]]\nid = 1\n[[p]]\nid = 2\n"),
        ),
        (
            "a.toml",
            "[[p]]\nname = 0\n",
            "[[p]]\nname = 0\n[[p]]\nname = 1\n",
            "[[p]]\nname = 0\n[[p]]\nname = 2\n",
            None,
        ),
        (
            "a.toml",
            "[[p]]\nv = 1\n[[p]]\nv = 2\n[[p]]\nv = 3\n",
            "[[p]]\nv = 0\n[[p]]\nv = 2\n[[p]]\nv = 3\n",
            "[[p]]\nv = 1\n[[p]]\nv = 2\n[[p]]\nv = 4\n",
            Some("[[p]]\nv = 0\n[[p]]\nv = 2\n[[p]]\nv = 4\n"),
        ),
        ("a.toml", "[[p]]\nv = 1\n[[p]]\nv = 2\n", "[[p]]\nv = 2\n", "[[p]]\nv = 1\n[[p]]\nv = 3\n", None),
        // Texts of several lines.
        (
            "a.toml",
            "t = \"\"\"\n[x]\na = 1\n\"\"\"\nb = 1\n",
            "t = \"\"\"\n[x]\na = 2\n\"\"\"\nb = 1\n",
            "t = \"\"\"\n[x]\na = 1\n\"\"\"\nb = 2\n",
            Some("t = \"\"\"\n[x]\na = 2\n\"\"\"\nb = 2\n"),
        ),
        (
            "a.toml",
            "a = 1\r\nb = 1\r\n",
            "a = 2\r\nb = 1\r\n",
            "a = 1\r\nb = 2\r\nc = 3\r\n",
            Some("a = 2\r\nb = 2\r\nc = 3\r\n"),
        ),
        ("a.toml", "a = \n", "a = 1\n", "b = 1\n", None),
    ]);
    assert_eq!(
        newest("a.toml", "[s]\na = 1\nb = 1\n", "[s]\na = 2 # new\nb = 1\n", "[s]\na = 3 # old\nb = 2\n"),
        ("[s]\na = 2 # new\nb = 2\n".to_owned(), "the newer value won: s.a".to_owned())
    );
}

#[test]
fn yaml_is_merged_by_key() {
    let base = "# top\nsync:\n  enabled: true   # why\n  list:\n    - a\n    - b\n\n# end\nlast: 'x'\n";
    check(&[
        (
            "a.yaml",
            base,
            &base.replace("true", "false").replace("    - b\n", "    - b\n    - d\n"),
            &base.replace("    - b\n", "    - b\n    - c\n  # more\n  added: 1\n").replace("'x'", "\"y\""),
            Some(
                "# top\nsync:\n  enabled: false   # why\n  list:\n    - a\n    - b\n    - c\n    - d\n  # more\n  added: \
                 1\n\n# end\nlast: \"y\"\n",
            ),
        ),
        ("a.yml", "a: 1\n", "a: 2\n", "a: 3\n", None),
        ("a.yml", "a: 1\nb: 1\n", "a: 2\nb: 1\n", "b: 1\n", None),
        ("a.yml", "a: x\n", "a: \"z\"\n", "a: z\n", Some("a: \"z\"\n")),
        ("a.yml", "a: 1\n", "a: \"2\"\n", "a: 2\n", None),
        // Lists and maps in brackets.
        (
            "a.yml",
            "a: [x, y]\nb: {p: 1, q: 2}\n",
            "a: [x, y, z]\nb: {p: 3, q: 2}\n",
            "a: [y]\nb: {p: 1, q: 4}\n",
            Some("a: [y, z]\nb: {p: 3, q: 4}\n"),
        ),
        // Records by id; the dash stays with the first line.
        (
            "a.yml",
            "r:\n- id: 1\n  v: 1\n- id: 2\n  v: 1\n",
            "r:\n- id: 1\n  v: 2\n- id: 2\n  v: 1\n- id: 4\n",
            "r:\n- id: 1\n  v: 1\n  w: 1\n- new: 1\n  id: 2\n  v: 1\n- id: 3\n",
            Some("r:\n- id: 1\n  v: 2\n  w: 1\n- new: 1\n  id: 2\n  v: 1\n- id: 3\n- id: 4\n"),
        ),
        // Steps have an order.
        (
            "a.yml",
            "- run: a\n- run: b\n- run: c\n",
            "- run: x\n- run: b\n- run: c\n",
            "- run: a\n- run: b\n- run: y\n",
            Some("- run: x\n- run: b\n- run: y\n"),
        ),
        ("a.yml", "- run: a\n", "- run: a\n- run: b\n", "- run: a\n- run: c\n", None),
        // Texts of lines.
        (
            "a.yml",
            "t: |\n  a: 1\n  # no comment\n\nb: 1\n",
            "t: |\n  a: 2\n  # no comment\n\nb: 1\n",
            "t: |\n  a: 1\n  # no comment\n\nb: 2\n",
            Some("t: |\n  a: 2\n  # no comment\n\nb: 2\n"),
        ),
        (
            "a.yml",
            "t: |+\n  a\n\nb: 1\n",
            "t: |+\n  a\n\n\nb: 1\n",
            "t: |+\n  a\n\nb: 2\n",
            Some("t: |+\n  a\n\n\nb: 2\n"),
        ),
        (
            "a.yml",
            "- |\n  a\n- b\n- c\n",
            "- |\n  x\n- b\n- c\n",
            "- |\n  a\n- b\n- d\n",
            Some("- |\n  x\n- b\n- d\n"),
        ),
        // Nothing, and what comes of it.
        ("a.yml", "a:\nb: 1\n", "a: 1\nb: 1\n", "a:\nb: 2\n", Some("a: 1\nb: 2\n")),
        ("a.yml", "a:\nb: 1\n", "a:\n  x: 1\nb: 1\n", "a: # c\nb: 1\n", None),
        ("a.yml", "# nothing\n", "# nothing\na: 1\n", "# nothing\nb: 1\n", Some("# nothing\na: 1\nb: 1\n")),
        ("a.yml", "---\na: 1\n", "---\na: 2\n", "---\na: 1\nb: 1\n", Some("---\na: 2\nb: 1\n")),
        // Both add a block of the same name.
        ("a.yml", "a: 1\n", "a: 1\nn:\n  x: 1\n", "a: 1\nn:\n  y: 1\n", Some("a: 1\nn:\n  x: 1\n  y: 1\n")),
        // What is merged by lines: anchors, tags, documents.
        (
            "a.yml",
            "a: &x 1\nb: 1\nc: *x\n",
            "a: &x 2\nb: 1\nc: *x\n",
            "a: &x 1\nb: 1\nc: 3\n",
            Some("a: &x 2\nb: 1\nc: 3\n"),
        ),
        ("a.yml", "a: !t 1\nb: 1\n", "a: !t 1\nb: 1\nc: 1\n", "a: !t 1\nb: 1\nd: 1\n", None),
        (
            "a.yml",
            "a: 1\n---\nb: 1\n---\nc: 1\n",
            "a: 2\n---\nb: 1\n---\nc: 1\n",
            "a: 1\n---\nb: 1\n---\nc: 2\n",
            Some("a: 2\n---\nb: 1\n---\nc: 2\n"),
        ),
        // Another indentation does not fit what is new.
        ("a.yml", "a:\n  x: 1\n  y: 1\n", "a:\n    x: 1\n    y: 1\n", "a:\n  x: 1\n  y: 1\n  z: 1\n", None),
        ("a.yml", "a: 1\na: 2\n", "a: 1\n", "a: 2\n", None),
        (
            "a.yml",
            "a:\r\n  b: 1\r\n  c: 1\r\n",
            "a:\r\n  b: 2\r\n  c: 1\r\n",
            "a:\r\n  b: 1\r\n  c: 2\r\n",
            Some("a:\r\n  b: 2\r\n  c: 2\r\n"),
        ),
    ]);
    assert_eq!(
        newest(
            "a.yml",
            "s:\n  a: 1\n  b: [0, 1]\n",
            "s:\n  a: 2\n  b: [0, 2]\n",
            "s:\n  a: 3\n  b: [1, 1]\n"
        ),
        ("s:\n  a: 2\n  b: [0, 2]\n".to_owned(), "the newer value won: s.a, s.b".to_owned())
    );
}

#[test]
fn the_laws_hold() {
    for kind in laws::Kind::ALL {
        for seed in 0..60 {
            if let Err(why) = laws::check(kind, seed) {
                panic!("{kind:?} seed {seed}: {why}");
            }
        }
    }
}

#[test]
fn seeds_that_broke_a_law_keep_it_now() {
    let dotenv = [37_735, 203_694, 230_557, 233_471, 295_573, 298_062].map(|seed| (laws::Kind::Dotenv, seed));
    let set = [
        207_735, 224_135, 233_471, 242_388, 264_005, 282_170, 49_849, 64_615, 87_169, 99_070, 155_252,
        291_982, 328_162, 360_306, 362_226,
    ]
    .map(|seed| (laws::Kind::Set, seed));
    for (kind, seed) in dotenv.into_iter().chain(set).chain([(laws::Kind::Yaml, 15_640)]) {
        if let Err(why) = laws::check(kind, seed) {
            panic!("{kind:?} seed {seed}: {why}");
        }
    }
}

#[test]
fn spacing_is_merged_line_by_line_or_asked_about() {
    check(&[
        // One put a blank line in, the other wrote a comment further down.
        (
            ".env",
            "# a\n# b\n# c\nA=1\n",
            "\n# a\n# b\n# c\nA=1\n",
            "# a\n# b\n# d\nA=1\n",
            Some("\n# a\n# b\n# d\nA=1\n"),
        ),
        // Both changed the same lines, one of them their spacing alone.
        (".env", "\n# a\nA=1\n", "# a\nA=1\n", "\n# a\n# b\nA=1\n", Some("# a\n# b\nA=1\n")),
        (".gitignore", "# a\n# b\nx\n", "# a\n\n# b\nx\n", "# a\n# c\nx\n", None),
    ]);
}

#[test]
fn a_list_of_variables_with_an_open_quote_merges_by_lines_far_from_each_other() {
    check(&[
        // One side's quote ends nowhere, so no variable can be told from the text of another.
        (
            ".env",
            "# a\nA=1\nB=1\n",
            "# a\nA=2\nB=1\n",
            "# a\nA=1\nB=1\nC=\"x\n",
            Some("# a\nA=2\nB=1\nC=\"x\n"),
        ),
        // Above one variable both changed something.
        (".env", "\n# a\n# b\nA=1\n", " \n# a\n# b\nA=1\n", "\n# a\n# c\n# b\nA=1\nC=\"x\n", None),
    ]);
}

#[test]
fn what_stays_on_a_machine_stays_there_and_the_rest_travels() {
    for kind in [laws::Kind::Dotenv, laws::Kind::Toml, laws::Kind::Yaml] {
        let mut clean = 0;
        for seed in 0..400 {
            match laws::check_staying(kind, seed) {
                Ok(told) => clean += usize::from(told == laws::Told::Clean),
                Err(why) => panic!("{kind:?} seed {seed}: {why}"),
            }
        }
        assert!(clean > 100, "{kind:?}: only {clean} came to an end");
    }
}
