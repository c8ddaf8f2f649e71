//! Keys that stay on each machine, and values that are not shown, as people meet them in the program.

use std::fs;

use expect_test::{Expect, expect};
use instep_testkit::conversation::converse;
use instep_testkit::machine::{Machine, Output, Pair};

const SETTINGS: &str = "groups:\n  editor: { paths: ['**/settings.json'], kind: settings, keep_local_keys: [proxy, window.zoomLevel] }\n  \
    secrets: { paths: ['.env*'], keep_local_keys: [PORT] }\n";

fn write(machine: &Machine, path: &str, text: &str) {
    let file = machine.folder().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.folder().join(path)).unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert_eq!(output.code, 0, "{output}");
}

/// Two machines with keys of their own in the same files.
fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "instep.yaml", SETTINGS);
    write(&pair.left, ".env", "API=one\nPORT=1111\n");
    write(&pair.left, "settings.json", "{\n  \"theme\": \"dark\",\n  \"proxy\": \"left-proxy\"\n}\n");
    pair.connect();
    write(&pair.right, ".env", "API=one\nPORT=2222\n");
    done(&pair.right.run(["sync"]));
    pair
}

/// What was said, without moments and what depends on them.
fn says(text: &str, expected: &Expect) {
    let line = |line: &str| {
        let cut = ["changed ", "(checked ", "operation "].iter().filter_map(|word| line.find(word)).min();
        let moment = |word: &str| word.trim_end_matches(',').len() == 5 && word.as_bytes()[2] == b':';
        let kept = &line[..cut.unwrap_or(line.len())];
        let words = kept.split(' ').map(|word| if moment(word) { "HH:MM" } else { word });
        words.collect::<Vec<_>>().join(" ").trim_end_matches([' ', ',']).to_owned() + "\n"
    };
    let lines = text.lines().filter(|line| !line.contains(" · origin "));
    expected.assert_eq(&lines.map(line).collect::<String>());
}

/// All that the repository ever held.
fn sent(pair: &Pair) -> String {
    let objects = pair.bare.git(["cat-file", "--batch", "--batch-all-objects", "--unordered"], b"");
    String::from_utf8_lossy(&objects).into_owned()
}

#[test]
fn what_stays_never_reaches_the_repository_and_each_machine_keeps_its_own() {
    let pair = agreed();
    write(&pair.right, "settings.json", "{\n  \"theme\": \"light\",\n  \"proxy\": \"right-proxy\"\n}\n");
    done(&pair.right.run(["sync"]));
    let left = pair.left.run(["sync"]);
    done(&left);
    assert_eq!(
        read(&pair.left, "settings.json"),
        "{\n  \"theme\": \"light\",\n  \"proxy\": \"left-proxy\"\n}\n"
    );
    assert_eq!(read(&pair.right, ".env"), "API=one\nPORT=2222\n");
    let sent = sent(&pair);
    for secret in ["left-proxy", "right-proxy", "1111", "2222"] {
        assert!(!sent.contains(secret), "{secret}");
    }
    assert!(sent.contains("light") && sent.contains("API=one"));
    write(&pair.left, ".env", "API=one\nPORT=3333\n");
    says(
        &pair.left.run(["status"]).stdout,
        &expect![[r#"
        ✓ In sync    checked just now
    "#]],
    );
    says(&pair.left.run(["diff"]).stdout, &expect![[r#""#]]);
    says(
        &pair.left.run(["explain", ".env"]).stdout,
        &expect![[r#"
        Synced: both sides hold the same.
          here         8 B
          there        8 B
          stays here   PORT
          last change  HH:MM
    "#]],
    );
}

#[test]
fn a_file_whose_keys_cant_be_told_is_held_and_says_why() {
    let pair = agreed();
    write(&pair.left, "settings.json", "{\n  \"theme\": \"light\"\n  \"proxy\": \"left-proxy\"\n}\n");
    let sync = pair.left.run(["sync"]);
    assert_eq!(sync.code, 3, "{sync}");
    says(
        &pair.left.run(["status"]).stdout,
        &expect![[r#"
        ○ 1 held    checked just now

        Held
          ○  settings.json  E-KEYS-UNTOLD  some of its keys are to stay on this machine, and it is not valid JSON: nothing of it is sent
    "#]],
    );
    says(
        &pair.left.run(["explain", "settings.json"]).stdout,
        &expect![[r#"
            Not synced.
              because      some of its keys are to stay on this machine, and it is not valid JSON: nothing of it is sent (E-KEYS-UNTOLD)
              there        22 B
              stays here   proxy, window.zoomLevel
              last change  HH:MM
        "#]],
    );
    assert!(!sent(&pair).contains("light"));
}

#[test]
fn an_undo_and_a_restore_leave_what_stays_as_it_is() {
    let pair = agreed();
    write(&pair.right, ".env", "API=two\nPORT=2222\n");
    done(&pair.right.run(["sync"]));
    done(&pair.left.run(["sync"]));
    assert_eq!(read(&pair.left, ".env"), "API=two\nPORT=1111\n");
    fs::rename(pair.bare.path(), pair.bare.path().with_extension("away")).unwrap();
    done(&pair.left.run(["undo", "--here-only", "--yes"]));
    assert_eq!(read(&pair.left, ".env"), "API=one\nPORT=1111\n");
    done(&pair.left.run(["undo", "--redo", "--here-only", "--yes"]));
    assert_eq!(read(&pair.left, ".env"), "API=two\nPORT=1111\n");
    fs::rename(pair.bare.path().with_extension("away"), pair.bare.path()).unwrap();
    done(&pair.left.run(["restore", ".env"]));
    assert_eq!(read(&pair.left, ".env"), "API=one\nPORT=1111\n");
    done(&pair.left.run(["verify", "--read-data"]));
}

#[test]
fn values_are_shown_to_whoever_asks_for_them() {
    let pair = agreed();
    write(&pair.right, ".env", "API=two\nPORT=2222\n");
    done(&pair.right.run(["sync"]));
    write(&pair.left, ".env", "API=three\nPORT=1111\nNEW=1\n");
    says(
        &pair.left.run(["diff"]).stdout,
        &expect![[r#"
        --- .env (left)
        +++ .env (left, here)
        ~API
        +NEW
        +2 -1 lines; values are not shown (`--show-values` shows them).
    "#]],
    );
    says(
        &pair.left.run(["diff", "--show-values"]).stdout,
        &expect![[r#"
        --- .env (left)
        +++ .env (left, here)
        @@ -1 +1,2 @@
        -API=one
        +API=three
        +NEW=1
    "#]],
    );
    let sync = pair.left.run(["sync"]);
    assert_eq!(sync.code, 4, "{sync}");
    says(
        &pair.left.run(["conflicts", "c1"]).stdout,
        &expect![[r#"
        ⚠ .env  c1  since HH:MM
        Changed on both: 1 place overlaps.
          last agreed  8 B
          left (here)  16 B, HH:MM
          right        8 B, HH:MM

        --- .env (last agreed)
        +++ .env (left, here)
        ~API
        +NEW
        +2 -1 lines; values are not shown (`--show-values` shows them).

        --- .env (last agreed)
        +++ .env (right)
        ~API
        +1 -1 lines; values are not shown (`--show-values` shows them).
    "#]],
    );
    let asked = converse(&pair.left, ["resolve", "c1"], &["l", "d", "s"]);
    assert!(!asked.mentions("two") && !asked.mentions("three"), "{asked}");
    says(
        &asked.stdout,
        &expect![[r#"

            .env  1 of 1  left HH:MM · right HH:MM
              API
                 - (hidden)   last agreed
                 A (hidden)   left (here)
                 B (hidden)   right
            keep  [s] skip the file  [a] left  [b] right  [v] show the values  [l] line by line, or the whole file
            [s] ⚠ .env  c1  since HH:MM
            Changed on both: 1 place overlaps.
              last agreed  8 B
              left (here)  16 B, HH:MM
              right        8 B, HH:MM
            1 of 1: what becomes of .env?
              [s] skip it for now
              [h] keep left (here)
              [t] keep right
              [b] keep both, side by side
              [o] back to what was last agreed
              [e] edit it, and take the result
              [d] show the differences
            [s] ⚠ .env  c1  since HH:MM
            Changed on both: 1 place overlaps.
              last agreed  8 B
              left (here)  16 B, HH:MM
              right        8 B, HH:MM

            --- .env (last agreed)
            +++ .env (left, here)
            ~API
            +NEW
            +2 -1 lines; values are not shown (`--show-values` shows them).

            --- .env (last agreed)
            +++ .env (right)
            ~API
            +1 -1 lines; values are not shown (`--show-values` shows them).

            Hint: `instep resolve c1` settles it.
            1 of 1: what becomes of .env?
              [s] skip it for now
              [h] keep left (here)
              [t] keep right
              [b] keep both, side by side
              [o] back to what was last agreed
              [e] edit it, and take the result
              [d] show the differences
            [s] 0 of 1 settled.
        "#]],
    );
    let asked = converse(&pair.left, ["resolve", "c1", "--show-values"], &["s"]);
    assert!(asked.mentions("A three") && asked.mentions("B two"), "{asked}");
    done(&pair.left.run(["resolve", "c1", "--keep", "there"]));
    assert_eq!(read(&pair.left, ".env"), "API=two\nPORT=1111\n");
}

#[test]
fn a_group_says_whether_its_values_are_shown() {
    let pair = agreed();
    let settings = SETTINGS.replace("paths: ['.env*']", "paths: ['.env*'], show_values: true")
        + "  keys: { paths: ['*.key'], show_values: false }\n";
    write(&pair.left, "instep.yaml", &settings);
    write(&pair.left, "service.key", "private\n");
    done(&pair.left.run(["sync"]));
    write(&pair.left, "service.key", "private\nmore\n");
    write(&pair.left, ".env", "API=two\nPORT=1111\n");
    says(
        &pair.left.run(["diff"]).stdout,
        &expect![[r#"
        --- .env (left)
        +++ .env (left, here)
        @@ -1 +1 @@
        -API=one
        +API=two
        --- service.key (left)
        +++ service.key (left, here)
        +1 -0 lines; values are not shown (`--show-values` shows them).
    "#]],
    );
}

#[test]
fn an_edit_of_a_key_that_stays_makes_no_version_newer() {
    let pair = agreed();
    let text = |api: &str, port: u64| format!("API={api}\nPORT={port}\n");
    let at = |machine: &Machine, hour: u64| {
        let file = fs::File::options().write(true).open(machine.folder().join(".env")).unwrap();
        file.set_modified(
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + hour * 3600),
        )
        .unwrap();
    };
    write(&pair.left, ".env", &text("older", 1111));
    at(&pair.left, 1);
    write(&pair.right, ".env", &text("newer", 2222));
    at(&pair.right, 2);
    done(&pair.right.run(["sync"]));
    assert_eq!(pair.left.run(["sync"]).code, 4);
    // Of what travels nothing changes here any more.
    write(&pair.left, ".env", &text("older", 3333));
    at(&pair.left, 3);
    assert_eq!(pair.left.run(["sync"]).code, 4);
    done(&pair.left.run(["resolve", "--all", "--keep", "newest"]));
    done(&pair.left.run(["sync"]));
    assert_eq!(read(&pair.left, ".env"), text("newer", 3333));
}
