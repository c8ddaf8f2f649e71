//! Renames that a commit tells of, true and false ones, between real machines with a real repository.

use std::fs;

use instep_testkit::machine::{Machine, Pair};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

fn write(machine: &Machine, path: &str, text: &str) {
    let path = machine.folder().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn sync(machine: &Machine, code: i32) {
    let output = machine.run(["sync"]);
    assert_eq!(output.code, code, "{output}");
}

/// All files of a workspace with what they hold; settings left out.
fn files(machine: &Machine) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![machine.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(machine.folder()).unwrap().to_string_lossy().into_owned();
            if path.is_dir() && shown != ".instep" {
                folders.push(path);
            } else if path.is_file() && !shown.starts_with("instep.") {
                found.push((shown, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn agreed(names: &[&str]) -> Pair {
    let pair = Pair::new(&crate::program());
    names.iter().for_each(|name| write(&pair.left, name, TEXT));
    assert_eq!(pair.left.init(&pair.bare, &[]).code, 0);
    assert_eq!(pair.right.init(&pair.bare, &[]).code, 0);
    pair
}

#[test]
fn a_rename_and_an_edit_meet_an_edit_under_the_old_name() {
    for left_first in [true, false] {
        let Pair { left, right, .. } = &agreed(&["notes.txt"]);
        fs::create_dir(left.folder().join("old stuff")).unwrap();
        fs::rename(left.folder().join("notes.txt"), left.folder().join("old stuff/ñotes -> \".txt")).unwrap();
        write(left, "old stuff/ñotes -> \".txt", &TEXT.replace("one", "ONE"));
        write(right, "notes.txt", &TEXT.replace("seven", "SEVEN"));
        let order = if left_first { [left, right] } else { [right, left] };
        order.into_iter().chain(order).for_each(|machine| sync(machine, 0));
        let merged = TEXT.replace("one", "ONE").replace("seven", "SEVEN");
        let expected = vec![("old stuff/ñotes -> \".txt".to_owned(), merged)];
        assert_eq!((files(left), files(right)), (expected.clone(), expected));
    }
}

#[test]
fn folders_that_become_one_are_told_as_one_move() {
    let Pair { left, right, .. } = &agreed(&["d/x"]);
    fs::rename(left.folder().join("d"), left.folder().join("e")).unwrap();
    write(right, "e/c", "3\n");
    sync(left, 0);
    let told = right.run(["sync"]);
    let arrows: Vec<_> =
        told.stdout.lines().filter(|line| line.contains(['↑', '↓'])).map(str::trim).collect();
    assert_eq!(arrows, ["↓  d/ → e/  moved", "↑  e/c      2 B"], "{told}");
    assert!(told.stdout.contains(": 1 sent, 1 received."), "{told}");
    let logged = right.run(["log", "--limit", "1"]);
    assert!(logged.stdout.contains("↑1 ↓1"), "{logged}");
    sync(left, 0);
    assert_eq!(files(left), files(right));
}

/// A commit of a stranger who writes as Instep does: `notes.txt` is gone, `new.txt` holds something else, and its
/// trailers say these things.
fn lie(pair: &Pair, said: &[u8]) {
    let head = pair.bare.head().unwrap();
    let other = pair.bare.blob(b"theirs\n");
    let known = pair.bare.entries(&head);
    let mut entries: Vec<_> = known
        .iter()
        .filter(|(_, name, _)| name != b"notes.txt")
        .map(|(mode, name, object)| (&mode[..], &name[..], &object[..]))
        .collect();
    entries.push(("100644", b"new.txt", &other));
    entries.sort_by_key(|entry| entry.1.to_vec());
    let tree = pair.bare.tree(&entries);
    let who = "a <a@example.org> 1700000000 +0000";
    let start =
        format!("tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\n\nSync\n\nInstep-Version: 1\n");
    let commit = pair.bare.object("commit", &[start.as_bytes(), said].concat());
    pair.bare.set_head(&commit);
}

#[test]
fn what_a_hostile_commit_says_of_moves_loses_nothing() {
    let many = (0..60_000)
        .map(|at| format!("Instep-Move: notes{at}.txt -> a/rather/long/way/down/to/new{at}.txt\n"));
    let many: String = many.chain(["Instep-Move: x -> y\n".to_owned()]).collect();
    assert!(many.len() > 3_000_000);
    for said in [
        &b"Instep-Move: ../../etc/passwd -> new.txt\nInstep-Move: notes.txt -> ../outside\n"[..],
        b"Instep-Move: /etc/passwd -> new.txt\nInstep-Move: notes.txt -> /tmp/outside\n",
        b"Instep-Move: notes.txt -> new.txt\nInstep-Move: notes.txt -> keep.txt\n",
        b"Instep-Move: notes.txt -> new.txt\nInstep-Move: keep.txt -> new.txt\n",
        b"Instep-Move: notes.txt -> keep.txt\nInstep-Move: keep.txt -> notes.txt\n",
        b"Instep-Move: keep.txt -> new.txt\n",
        b"Instep-Move: notes.txt -> notes.txt/new.txt\nInstep-Move: d -> d/d\n",
        b"Instep-Move: notes.txt -> .instep/state\nInstep-Move: .instep -> new.txt\n",
        b"Instep-Move: n\xffotes.txt -> \xfe\nInstep-Move: \"notes.txt -> new.txt\nInstep-Move: \"\\400\" -> \"\\9\"\n",
        b"Instep-Move: \"\\000\" -> new.txt\nInstep-Move:  -> \nInstep-Move: \"\" -> \"\"\n",
        many.as_bytes(),
    ] {
        let pair = agreed(&["notes.txt", "keep.txt", "d/f"]);
        write(&pair.right, "notes.txt", "mine\n");
        write(&pair.right, "keep.txt", &TEXT.replace("one", "ONE"));
        lie(&pair, said);
        sync(&pair.right, 0);
        let shown = String::from_utf8_lossy(&said[..said.len().min(200)]).into_owned();
        let expected = [
            ("d/f", TEXT.to_owned()),
            ("keep.txt", TEXT.replace("one", "ONE")),
            ("new.txt", "theirs\n".to_owned()),
            ("notes.txt", "mine\n".to_owned()),
        ];
        let expected: Vec<(String, String)> = expected.map(|(path, text)| (path.to_owned(), text)).into();
        assert_eq!(files(&pair.right), expected, "{shown}");
        sync(&pair.left, 0);
        assert_eq!(files(&pair.left), expected, "{shown}");
    }
}

#[test]
fn a_move_that_might_be_true_keeps_both_versions() {
    let pair = agreed(&["notes.txt", "keep.txt"]);
    write(&pair.right, "notes.txt", "mine\n");
    lie(&pair, b"Instep-Move: notes.txt -> new.txt\n");
    sync(&pair.right, 4);
    let shown = pair.right.run(["conflicts", "c1"]);
    assert!(shown.mentions("mine") && shown.mentions("theirs"), "{shown}");
    assert_eq!(pair.right.run(["resolve", "c1", "--keep", "both"]).code, 0);
    sync(&pair.right, 0);
    let texts: Vec<String> = files(&pair.right).into_iter().map(|(_, text)| text).collect();
    assert!(["mine\n", "theirs\n", TEXT].iter().all(|text| texts.contains(&(*text).to_owned())), "{texts:?}");
}
