//! Repositories made to lead astray.

use instep_core::remote::{Class, Drafted, ListedKind, Remote, RemoteError};
use instep_testkit::remote_suite::{Sketch, Thing, draft_of, name, publish, read};

use super::lab::Lab;

/// One entry as it stands in a tree object: `MODE NAME`, a zero byte, the object.
fn entry(mode: &str, name: &[u8], oid: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&oid[at..at + 2], 16).unwrap();
    let mut bytes = format!("{mode} ").into_bytes();
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend((0..20).map(|at| digits(2 * at)));
    bytes
}

fn put(lab: &Lab, kind: &str, bytes: &[u8]) -> String {
    lab.git_place(["hash-object", "-t", kind, "-w", "--stdin", "--literally"], bytes)
}

fn blob(lab: &Lab) -> String {
    put(lab, "blob", b"content")
}

fn make_head(lab: &Lab, tree: &str) {
    let oid = lab.git_place(["commit-tree", "-m", "x", tree], b"");
    lab.git_place(["update-ref", "refs/heads/main", &oid], b"");
}

/// Makes a tree the head; answers what a machine makes of it.
fn look(lab: &Lab, entries: &[Vec<u8>]) -> Result<Sketch, RemoteError> {
    make_head(lab, &put(lab, "tree", &entries.concat()));
    let remote = lab.open();
    let head = remote.head()?.unwrap();
    remote.snapshot(&head, None)?;
    Ok(read(&remote, &head))
}

#[test]
fn names_that_lead_elsewhere_refuse_the_whole() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    for (bytes, code) in [
        (&b".."[..], "E-PATH-DOTDOT"),
        (b".", "E-PATH-DOT"),
        (b"", "E-PATH-EMPTY"),
        (b"a/b", "E-PATH-SLASH"),
        (b"../../x", "E-PATH-SLASH"),
        (b"/etc/passwd", "E-PATH-SLASH"),
        (b".git", "E-PATH-RESERVED"),
        (b".GIT", "E-PATH-RESERVED"),
        (b"git~1", "E-PATH-RESERVED"),
        (b".git ", "E-PATH-RESERVED"),
        (b".git::$INDEX_ALLOCATION", "E-PATH-RESERVED"),
    ] {
        let error = look(&lab, &[entry("100644", bytes, &blob)]).unwrap_err();
        let name = String::from_utf8_lossy(bytes);
        assert_eq!((error.code, error.class()), (code, Class::Corrupt), "{name}: {error} {:?}", error.source);
    }
}

#[test]
fn folders_that_git_cannot_read_are_told_apart() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    for (bytes, code) in [
        (entry("100644", b"", &blob), "E-PATH-EMPTY"),
        (entry("100x44", b"a", &blob), "E-GIT-MODE"),
        (entry("", b"a", &blob), "E-GIT-MODE"),
        (b"100644 a\0short".to_vec(), "E-GIT-TREE"),
        (entry("100644", b"a", &"00".repeat(20)), "E-GIT-TREE"),
        (entry("160000", b"a", &"00".repeat(20)), "E-GIT-TREE"),
    ] {
        let error = look(&lab, &[bytes]).unwrap_err();
        assert_eq!((error.code, error.class()), (code, Class::Corrupt), "{error} {:?}", error.source);
    }
}

/// The same without git's own check, which may be older than an attack.
#[test]
fn our_own_reading_refuses_them_too() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    for (bytes, code) in
        [(&b".."[..], "E-PATH-DOTDOT"), (b".", "E-PATH-DOT"), (b"", "E-PATH-EMPTY"), (b"a/b", "E-PATH-SLASH")]
    {
        make_head(&lab, &put(&lab, "tree", &entry("100644", bytes, &blob)));
        copy_as_ours(&lab);
        let remote = lab.try_open_in("ours.git", "main", false).unwrap();
        let head = remote.head().unwrap().unwrap();
        assert_eq!(remote.snapshot(&head, None).unwrap_err().code, code);
    }
    for (bytes, code) in [(&b".git"[..], "E-PATH-RESERVED"), (b".instep", "E-PATH-RESERVED")] {
        make_head(&lab, &put(&lab, "tree", &entry("100644", bytes, &blob)));
        copy_as_ours(&lab);
        let remote = lab.try_open_in("ours.git", "main", false).unwrap();
        let head = remote.head().unwrap().unwrap();
        assert_eq!(read(&remote, &head).0[bytes], Thing::Unfit(code));
    }
}

/// Puts the place's objects where our own repository is expected, past the check of a fetch.
fn copy_as_ours(lab: &Lab) {
    let _ = std::fs::remove_dir_all(lab.folder.path().join("ours.git"));
    lab.git(["clone", "-q", "--bare", "-c", "transfer.fsckObjects=false", "place.git", "ours.git"]);
}

#[test]
fn a_name_twice_refuses_the_whole() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    let tree = put(&lab, "tree", &entry("100644", b"x", &blob));
    let link_and_folder = [entry("120000", b"d", &blob), entry("40000", b"d", &tree)];
    let twice = [entry("100644", b"f", &blob), entry("100644", b"f", &blob)];
    for entries in [&link_and_folder, &twice] {
        assert_eq!(look(&lab, entries).unwrap_err().code, "E-TREE-PREFIX");
        copy_as_ours(&lab);
        let remote = lab.try_open_in("ours.git", "main", false).unwrap();
        let head = remote.head().unwrap().unwrap();
        assert_eq!(remote.snapshot(&head, None).unwrap_err().code, "E-TREE-PREFIX");
    }
}

#[test]
fn links_where_git_reads_settings_refuse_the_whole() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    let error = look(&lab, &[entry("120000", b".gitmodules", &blob)]).unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-TREE", Class::Corrupt));
}

#[test]
fn what_a_workspace_cannot_hold_is_listed_as_unfit() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    let long = [b'n'; 256];
    let entries = [
        entry("100644", b".instep", &blob),
        entry("160000", b"module", &"ab".repeat(20)),
        entry("100644", &long, &blob),
        entry("104755", b"setuid", &blob),
        entry("100644", b"well", &blob),
    ];
    let sketch = look(&lab, &entries).unwrap();
    assert_eq!(sketch.0[b".instep".as_slice()], Thing::Unfit("E-PATH-RESERVED"));
    assert_eq!(sketch.0[b"module".as_slice()], Thing::Unfit("E-GIT-SUBMODULE"));
    assert_eq!(sketch.0[long.as_slice()], Thing::Unfit("E-PATH-LONG"));
    assert_eq!(sketch.0[b"setuid".as_slice()], Thing::Unfit("E-GIT-MODE"));
    assert_eq!(sketch.0[b"well".as_slice()], Thing::File(b"content".to_vec()));
}

#[test]
fn links_with_targets_that_no_disk_holds_are_unfit() {
    let lab = Lab::by_path();
    let targets: [&[u8]; 5] = [&[b't'; 5000], b"a\0b", b"", &[b't'; 4095], b"well"];
    let entries: Vec<Vec<u8>> = targets
        .iter()
        .enumerate()
        .map(|(at, target)| entry("120000", format!("l{at}").as_bytes(), &put(&lab, "blob", target)))
        .collect();
    let sketch = look(&lab, &entries).unwrap();
    for name in ["l0", "l1", "l2"] {
        assert_eq!(sketch.0[name.as_bytes()], Thing::Unfit("E-LINK-TARGET"), "{name}");
    }
    assert_eq!(sketch.0[&b"l3"[..]], Thing::Link(vec![b't'; 4095]));
    assert_eq!(sketch.0[&b"l4"[..]], Thing::Link(b"well".to_vec()));
    carry_over(&lab, &entries);
}

#[test]
fn names_that_only_look_odd_arrive() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    let names: &[&[u8]] = &[
        b"a\\b",
        b"con",
        b"aux.txt",
        b"x.",
        b"x ",
        b"a:b",
        b"new\nline",
        b"\x1b[2J",
        b"\xff\xfe",
        b".gitattributes",
        b".gitmodules",
    ];
    let mut sorted: Vec<&[u8]> = names.to_vec();
    sorted.sort_unstable();
    let entries: Vec<Vec<u8>> = sorted.iter().map(|name| entry("100644", name, &blob)).collect();
    let sketch = look(&lab, &entries).unwrap();
    assert_eq!(sketch.0.len(), names.len());
    assert!(sketch.0.values().all(|thing| *thing == Thing::File(b"content".to_vec())));
}

#[test]
fn an_unfit_entry_is_carried_over_as_it_was() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    carry_over(&lab, &[entry("100644", b".instep", &blob), entry("160000", b"module", &"ab".repeat(20))]);
}

#[test]
fn entries_that_git_would_not_write_are_carried_over() {
    let lab = Lab::by_path();
    let blob = blob(&lab);
    let tree = put(&lab, "tree", &entry("100644", b"x", &blob));
    for (mode, oid) in [
        ("777777", &blob),
        ("7777777", &blob),
        ("0", &blob),
        ("100600", &blob),
        ("160000", &blob),
        ("160000", &tree),
        ("160000", &"12".repeat(20)),
    ] {
        let entries = [
            entry("100644", b"a", &blob),
            entry(mode, b"bad", oid),
            entry("100644", b"bad.txt", &blob),
            entry("40000", b"c", &tree),
        ];
        carry_over(&lab, &entries);
    }
    // As a folder it stands behind what begins with its name and a dot.
    carry_over(&lab, &[entry("100644", b"bad.txt", &blob), entry("40755", b"bad", &tree)]);
}

/// Sends a file beside entries that stay.
fn carry_over(lab: &Lab, entries: &[Vec<u8>]) {
    look(lab, entries).unwrap_or_else(|error| {
        panic!("{}: {error:?}", String::from_utf8_lossy(&entries.concat()));
    });
    let before = lab.git_place(["ls-tree", "main"], b"");
    let remote = lab.open();
    let head = remote.head().unwrap().unwrap();
    let snapshot = remote.snapshot(&head, None).unwrap();
    let mut draft = draft_of(&remote, &Sketch::new().file("z", "1"));
    let in_root = snapshot.entries.into_iter().filter(|listed| listed.parent.is_none());
    draft.entries.extend(in_root.map(|listed| Drafted {
        parent: None,
        name: listed.name,
        kind: listed.kind,
        object: Some(listed.object),
    }));
    let prepared = remote.prepare(Some(&head), &draft).unwrap();
    remote.commit(Some(&head), &prepared).unwrap();
    let after = lab.git_place(["ls-tree", "main"], b"");
    assert!(after.starts_with(&before), "{before}\nbecame\n{after}");
}

#[test]
fn a_reserved_name_of_ours_is_a_mistake() {
    let lab = Lab::by_path();
    let remote = lab.open();
    for bytes in [&b".git"[..], b".instep", b"GIT~1"] {
        let mut draft = draft_of(&remote, &Sketch::new().file("z", "1"));
        draft.entries[0].name = name(bytes);
        assert!(remote.prepare(None, &draft).is_err());
        assert!(remote.refuses(&instep_testkit::remote_suite::path(bytes), 0).is_some());
    }
}

/// Few objects that name each other over and over: a tree of ten billion files in a kilobyte.
#[test]
fn a_tree_that_grows_without_end_is_refused() {
    let lab = Lab::by_path();
    let mut oid = blob(&lab);
    for level in 0..10 {
        let mode = if level == 0 { "100644" } else { "40000" };
        let entries: Vec<Vec<u8>> = (b'0'..=b'9').map(|digit| entry(mode, &[digit], &oid)).collect();
        oid = put(&lab, "tree", &entries.concat());
    }
    make_head(&lab, &oid);
    let remote = lab.open();
    let head = remote.head().unwrap().unwrap();
    assert_eq!(remote.snapshot(&head, None).unwrap_err().code, "E-LIMIT-TREE");
}

#[test]
fn folders_deeper_than_any_use_are_unfit() {
    let lab = Lab::by_path();
    let mut oid = put(&lab, "tree", &entry("100644", b"f", &blob(&lab)));
    for _ in 0..300 {
        oid = put(&lab, "tree", &entry("40000", b"d", &oid));
    }
    make_head(&lab, &oid);
    let remote = lab.open();
    let head = remote.head().unwrap().unwrap();
    let entries = remote.snapshot(&head, None).unwrap().entries;
    let last = &entries.last().unwrap().kind;
    assert!(matches!(last, ListedKind::Unfit { code: "E-PATH-DEEP", .. }), "{last:?}");
}

/// Nothing of a repository is run: no hook, no filter, no monitor.
#[test]
fn nothing_of_the_repository_is_run() {
    let lab = Lab::by_path();
    let canary = lab.folder.path().join("canary");
    let script = format!("#!/bin/sh\ntouch {}\n", canary.display());
    let hooks = lab.place().join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in
        ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"]
    {
        let path = hooks.join(hook);
        std::fs::write(&path, &script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    let command = format!("touch {}; cat", canary.display());
    lab.git_place(["config", "core.fsmonitor", &command], b"");
    lab.git_place(["config", "uploadpack.packObjectsHook", &command], b"");
    let first = publish(&lab.open(), None, &Sketch::new().file("a", "1"));
    let remote = lab.open();
    read(&remote, &first);
    publish(&remote, Some(&first), &Sketch::new().file("a", "2"));
    assert!(!canary.exists());
}
