//! What goes wrong while a command runs: others who are always quicker, a disk that can't read or keep what it holds.

use std::fs;
use std::path::Path;

use instep_testkit::bare::Bare;
use instep_testkit::calls::Effect;
use instep_testkit::machine::{Machine, Output};
use instep_testkit::tracer::{self, Act, Call, Watch};
use nix::errno::Errno;

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

/// Runs the program under a tracer.
fn watched(machine: &Machine, words: &[&str], watch: Watch, mut act: impl FnMut(&Call) -> Act) -> Output {
    let command = machine.command(words);
    let ended = tracer::run(&command, watch, &mut act).unwrap();
    let said = fs::read_to_string(tracer::said_path(&command)).unwrap_or_default();
    Output { code: ended.code, stdout: said, stderr: String::new() }
}

/// Somebody else's commit: one more file on top of what is there.
fn overtake(bare: &Path, number: usize) {
    let bare = bare.to_owned();
    // A thread of its own, because the tracer waits for whatever this one starts.
    let commit = move || {
        let bare = Bare::open(&bare);
        let blob = bare.blob(format!("{number}\n").as_bytes());
        bare.commit_onto_head(&[("100644", format!("quick{number}").as_bytes(), &blob)], "quicker");
    };
    std::thread::spawn(commit).join().unwrap();
}

#[test]
fn a_push_that_is_always_overtaken_gives_up_after_some_tries_and_loses_nothing() {
    // How often others are quicker, and how that ends.
    for (others, code) in [(2, 0), (usize::MAX, 5)] {
        let pair = connected();
        fs::write(pair.left.folder().join("mine"), "1").unwrap();
        let mut pushes = 0;
        let output = watched(&pair.left, &["sync"], Watch::Changes, |call| {
            if call.name == "execve" && call.about.ends_with("git-receive-pack") {
                pushes += 1;
                if pushes <= others {
                    overtake(pair.bare.path(), pushes);
                }
            }
            Act::Pass
        });
        assert_eq!(output.code, code, "G18: {output}");
        if code == 5 {
            assert_eq!(pushes, 5, "G18: {output}");
            all_right(wrong_error("G18", &output, &[5], &["E-REMOTE-BUSY"]).into_iter().collect());
            nothing_lost_or_touched("G18", &pair);
            assert_eq!(pair.left.run(["sync"]).code, 0);
        }
        for (path, content) in [("mine", "1"), ("quick1", "1\n"), ("quick2", "2\n")] {
            let here = fs::read_to_string(pair.left.folder().join(path)).unwrap();
            let there = pair.bare.git(["show", &format!("main:{path}")], b"");
            assert_eq!(
                (here.as_bytes(), &there[..]),
                (content.as_bytes(), content.as_bytes()),
                "G18: {path}"
            );
        }
        nothing_lost_or_touched("G18", &pair);
    }
}

#[test]
fn a_file_that_the_disk_can_not_read_is_listed_and_not_taken_for_deleted() {
    let pair = connected();
    fs::write(pair.left.folder().join("keep"), "changed").unwrap();
    fs::write(pair.left.folder().join("other"), "1").unwrap();
    let output = watched(&pair.left, &["sync"], Watch::Own, |call| {
        let reads = call.effect == Effect::Reads && matches!(call.name, "read" | "pread64" | "readv");
        if reads && (call.about == "keep" || call.about.ends_with("/keep")) {
            return Act::Fail(Errno::EIO);
        }
        Act::Pass
    });
    all_right(wrong_error("E4", &output, &[3], &["E-IO"]).into_iter().collect());
    assert!(output.mentions("keep"), "E4: {output}");
    assert_eq!(pair.bare.git(["show", "main:keep"], b""), b"1", "E4: {output}");
    assert_eq!(pair.bare.git(["show", "main:other"], b""), b"1", "E4: the rest did not go: {output}");
    let output = pair.left.run(["sync"]);
    assert_eq!(output.code, 0, "E4: {output}");
    assert_eq!(pair.bare.git(["show", "main:keep"], b""), b"changed", "E4: {output}");
}

#[test]
fn what_a_disk_can_not_keep_is_not_recorded_as_kept() {
    let pair = connected();
    let blob = pair.bare.blob(b"new");
    pair.bare.commit_onto_head(&[("100644", b"arrives", &blob)], "new");
    fs::write(pair.left.folder().join("leaves"), "1").unwrap();
    let output = watched(&pair.left, &["sync"], Watch::Own, |call| {
        if call.effect == Effect::Syncs && call.by_program { Act::Fail(Errno::EIO) } else { Act::Pass }
    });
    assert!(output.code != 0 && output.mentions("E-"), "E4: {output}");
    nothing_lost_or_touched("E4", &pair);
    let output = pair.left.run(["sync"]);
    assert_eq!(output.code, 0, "E4: {output}");
    assert_eq!(fs::read_to_string(pair.left.folder().join("arrives")).unwrap(), "new", "E4: {output}");
    assert_eq!(pair.bare.git(["show", "main:leaves"], b""), b"1", "E4: {output}");
    nothing_lost_or_touched("E4", &pair);
}

#[test]
fn a_disk_that_can_do_little_is_found_out_at_the_set_up_and_used_with_its_limits() {
    let pair = connected();
    std::os::unix::fs::symlink("keep", pair.left.folder().join("link")).unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    // As on vfat: no exchange of names, no links, and whatever name is taken gets replaced.
    let poor = |call: &Call| match call.name {
        "renameat2" if ["other", "taken", "free"].contains(&&call.about[..]) => Act::Fail(Errno::EINVAL),
        "symlink" | "symlinkat" => Act::Fail(Errno::EPERM),
        _ => Act::Pass,
    };
    let address = pair.bare.path().to_str().unwrap();
    let init = ["init", "--yes", "--name", "right", "--remote", address];
    let output = watched(&pair.right, &init, Watch::Own, poor);
    all_right(wrong_error("E13", &output, &[3], &["E-IO-UNSUPPORTED"]).into_iter().collect());
    let doctor = pair.right.run(["doctor"]);
    for limit in ["can't exchange two names in one step", "holds no symbolic links"] {
        assert!(doctor.mentions(limit), "E13: {doctor}");
    }
    fs::write(pair.left.folder().join("folder/inside"), "3").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    fs::write(pair.right.folder().join("keep"), "3").unwrap();
    let output = watched(&pair.right, &["sync"], Watch::Own, poor);
    assert_eq!(output.code, 3, "E13: {output}");
    assert_eq!(fs::read_to_string(pair.right.folder().join("folder/inside")).unwrap(), "3", "E13: {output}");
    // What this disk can't hold is not taken for deleted.
    assert_eq!(pair.bare.git(["show", "main:keep"], b""), b"3", "E13: {output}");
    assert_eq!(pair.bare.git(["show", "main:link"], b""), b"keep", "E13: {output}");
}

#[test]
fn a_file_that_is_cut_while_it_is_read_goes_whole_or_not_at_all() {
    let pair = connected();
    let path = pair.left.folder().join("long");
    let versions = [vec![b'a'; 3 << 20], vec![b'b'; 3 << 20], b"cut".to_vec()];
    fs::write(&path, &versions[0]).unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    fs::write(&path, &versions[1]).unwrap();
    let mut reads = 0;
    let output = watched(&pair.left, &["sync"], Watch::Own, |call| {
        let reads_it = matches!(call.name, "read" | "pread64") && call.about.ends_with("/long");
        reads += u32::from(reads_it);
        if reads_it && reads == 2 {
            fs::write(&path, &versions[2]).unwrap();
        }
        Act::Pass
    });
    assert!(reads >= 2 && [0, 3].contains(&output.code), "L16: {reads} reads, {output}");
    let there = pair.bare.git(["show", "main:long"], b"");
    assert!(versions.contains(&there), "L16: {} bytes that nobody wrote went out: {output}", there.len());
    assert_eq!(pair.left.run(["sync"]).code, 0, "L16");
    assert_eq!(pair.bare.git(["show", "main:long"], b""), b"cut", "L16");
    nothing_lost_or_touched("L16", &pair);
}

#[test]
fn a_disk_that_takes_no_more_in_the_middle_of_a_sync_says_so_and_goes_on_later() {
    // Where the database is the first to meet it, it tells a quota from no other failure.
    let rows = [
        ("E1", Errno::ENOSPC, "E-DISK-FULL", "free some space"),
        ("E2", Errno::EDQUOT, "E-STATE", "see whether the disk can be written"),
        ("E3", Errno::EROFS, "E-IO-RO", "make the disk writable"),
    ];
    for (id, error, code, words) in rows {
        let pair = connected();
        let blob = pair.bare.blob(b"new");
        pair.bare.commit_onto_head(&[("100644", b"arrives", &blob), ("100644", b"too", &blob)], "new");
        fs::write(pair.left.folder().join("keep2"), "1").unwrap();
        let mut is_full = false;
        let output = watched(&pair.left, &["sync"], Watch::Own, |call| {
            // From the first file that would be placed on.
            is_full |= call.name == "renameat2" && ["arrives", "too"].contains(&&call.about[..]);
            let grows = call.effect == Effect::Grows || call.name.starts_with("rename");
            let changes = grows || error == Errno::EROFS && call.effect == Effect::Changes;
            let is_told = call.about.ends_with("said.txt");
            if is_full && changes && !is_told && call.name != "execve" { Act::Fail(error) } else { Act::Pass }
        });
        assert!(is_full, "{id}: {output}");
        all_right(wrong_error(id, &output, &[1, 3], &[code]).into_iter().collect());
        assert!(output.mentions(words), "{id}: {output}");
        let output = pair.left.run(["sync"]);
        assert_eq!(output.code, 0, "{id}: {output}");
        for name in ["arrives", "too"] {
            assert_eq!(fs::read_to_string(pair.left.folder().join(name)).unwrap(), "new", "{id}: {output}");
        }
        nothing_lost_or_touched(id, &pair);
    }
}

/// As some disks of cameras and phones, and what is mounted with the wrong letters.
#[test]
fn a_disk_that_holds_no_letters_beyond_ascii_is_used_for_the_rest() {
    for error in [Errno::EPERM, Errno::EINVAL, Errno::EILSEQ] {
        let pair = connected();
        for name in ["\u{e9}t\u{e9}", "plain"] {
            fs::write(pair.left.folder().join(name), "1").unwrap();
        }
        assert_eq!(pair.left.run(["sync"]).code, 0);
        let poor = |call: &Call| {
            let names = call.name.starts_with("open") || call.name.starts_with("rename");
            if names && !call.about.is_ascii() { Act::Fail(error) } else { Act::Pass }
        };
        let address = pair.bare.path().to_str().unwrap();
        let init = ["init", "--yes", "--name", "right", "--remote", address];
        let output = watched(&pair.right, &init, Watch::Own, poor);
        assert!(output.code == 3 && output.mentions("E-"), "E13 {error}: {output}");
        fs::write(pair.right.folder().join("plain"), "2").unwrap();
        let output = watched(&pair.right, &["sync"], Watch::Own, poor);
        assert_eq!(output.code, 3, "E13 {error}: {output}");
        let there =
            ["\u{e9}t\u{e9}", "plain"].map(|name| pair.bare.git(["show", &format!("main:{name}")], b""));
        assert_eq!(there, [b"1", b"2"], "E13 {error}: {output}");
        assert_eq!(fs::read_to_string(pair.right.folder().join("keep")).unwrap(), "1", "E13 {error}");
        nothing_lost_or_touched("E13", &pair);
    }
}
