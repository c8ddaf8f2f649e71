//! Surroundings that refuse: a full disk, a folder that may not be written, few open files, a bare environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use instep_testkit::machine::{Machine, Pair};

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

/// A file system in memory that is taken down again.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// `None` where mounting is not allowed.
    fn new(at: &'a Path, options: &str) -> Option<Self> {
        mount(at, options).then_some(Mounted(at))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn mount(at: &Path, options: &str) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "instep-test"]).arg(at);
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_shows_no_partial_file_and_goes_on_later() {
    let pair = connected();
    for number in 0..6 {
        fs::write(pair.left.folder().join(format!("large{number}")), vec![number; 1 << 20]).unwrap();
    }
    assert_eq!(pair.left.run(["sync"]).code, 0);
    // As an ordinary user there is nothing to mount, and nothing to see.
    let Some(_mounted) = Mounted::new(pair.right.folder(), "size=5m") else { return };
    let output = pair.right.connect(&pair.bare);
    all_right(wrong_error("E1", &output, &[1, 3, 5], &["E-DISK-FULL"]).into_iter().collect());
    for number in 0..6 {
        let path = pair.right.folder().join(format!("large{number}"));
        let whole = fs::read(&path).map_or(true, |bytes| bytes == vec![number; 1 << 20]);
        assert!(whole, "E1: {} is there in part", path.display());
    }
    assert!(mount(pair.right.folder(), "remount,size=64m"));
    let output = pair.right.run(["sync"]);
    let output = if output.code == 10 { pair.right.connect(&pair.bare) } else { output };
    assert_eq!(output.code, 0, "E1: {output}");
    assert!(pair.right.folder().join("large5").exists(), "E1: {output}");
    nothing_lost_or_touched("E1", &pair);
}

#[test]
fn a_folder_that_may_not_be_written_costs_only_itself() {
    let pair = Pair::unprivileged(&crate::program());
    fs::create_dir(pair.left.folder().join("closed")).unwrap();
    fs::write(pair.left.folder().join("closed/file"), "1").unwrap();
    fs::write(pair.left.folder().join("open"), "1").unwrap();
    pair.hand_over();
    pair.connect();
    fs::write(pair.left.folder().join("closed/file"), "2").unwrap();
    fs::write(pair.left.folder().join("open"), "2").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    let closed = pair.right.folder().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let output = pair.right.run(["sync"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    all_right(wrong_error("E3", &output, &[3], &["E-IO-PERM"]).into_iter().collect());
    assert_eq!(fs::read_to_string(pair.right.folder().join("open")).unwrap(), "2", "E3: {output}");
    assert_eq!(fs::read_to_string(closed.join("file")).unwrap(), "1", "E3: {output}");
    let output = pair.right.run(["sync"]);
    assert_eq!(output.code, 0, "E3: {output}");
    assert_eq!(fs::read_to_string(closed.join("file")).unwrap(), "2", "E3: {output}");
}

#[test]
fn few_open_files_are_enough() {
    let pair = connected();
    for number in 0..300 {
        let folder = pair.left.folder().join(format!("d{}/e{}", number % 10, number % 7));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(number.to_string()), number.to_string()).unwrap();
    }
    let script = pair.left.home().join("few");
    let text = format!("#!/bin/sh\nulimit -n 64\nexec {} \"$@\"\n", crate::program().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let few = Machine::new(&script, pair.area(), "left");
    let output = few.run(["sync"]);
    assert_eq!(output.code, 0, "E6: {output}");
    nothing_lost_or_touched("E6", &pair);
}

#[test]
fn a_bare_environment_gets_a_clear_sentence() {
    let pair = connected();
    let mut command = Command::new(crate::program());
    command.env_clear().args(["-C".as_ref(), pair.left.folder().as_os_str()]).args(["sync", "--no-input"]);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "E11: {stderr}");
    let clear = output.status.success() || stderr.contains("E-");
    assert!(clear, "E11: {stderr}");
    nothing_lost_or_touched("E11", &pair);
}

#[test]
fn a_disk_without_room_for_more_names_says_so_and_goes_on_later() {
    let pair = connected();
    for number in 0..200 {
        fs::write(pair.left.folder().join(format!("small{number}")), number.to_string()).unwrap();
    }
    assert_eq!(pair.left.run(["sync"]).code, 0);
    let Some(_mounted) = Mounted::new(pair.right.folder(), "nr_inodes=160") else { return };
    let output = pair.right.connect(&pair.bare);
    all_right(wrong_error("E2", &output, &[1, 3, 5], &["E-DISK-FULL"]).into_iter().collect());
    assert!(mount(pair.right.folder(), "remount,nr_inodes=5000"));
    let output = pair.right.run(["sync"]);
    let output = if output.code == 10 { pair.right.connect(&pair.bare) } else { output };
    assert_eq!(output.code, 0, "E2: {output}");
    assert_eq!(fs::read_to_string(pair.right.folder().join("small199")).unwrap(), "199", "E2");
    nothing_lost_or_touched("E2", &pair);
}

#[test]
fn a_root_on_another_kind_of_disk_syncs() {
    const CASES: &[(&str, &[&str])] = &[
        ("tmpfs", &["-t", "tmpfs"]),
        ("ramfs", &["-t", "ramfs"]),
        ("overlay", &["-t", "overlay", "-o", "lowerdir=IN/lower,upperdir=IN/upper,workdir=IN/work"]),
    ];
    for (kind, words) in CASES {
        let pair = connected();
        let over = pair.area().join("right-home/over");
        fs::create_dir(&over).unwrap();
        // An overlay's own folders lie on a disk in memory: not every disk can carry one. As an ordinary user there is
        // nothing to mount.
        let Some(_below) = Mounted::new(&over, "size=64m") else { return };
        ["upper", "work", "lower"].iter().for_each(|name| fs::create_dir(over.join(name)).unwrap());
        let mut command = Command::new("mount");
        let inside = over.display().to_string();
        command.args(words.iter().map(|word| word.replace("IN/", &format!("{inside}/"))));
        command.arg("instep-test").arg(pair.right.folder());
        if !command.output().is_ok_and(|output| output.status.success()) {
            continue; // This system does not know that kind.
        }
        let _mounted = Mounted(pair.right.folder());
        let output = pair.right.connect(&pair.bare);
        assert_eq!(output.code, 0, "E13 {kind}: {output}");
        fs::write(pair.right.folder().join("new"), "1").unwrap();
        fs::write(pair.right.folder().join("keep"), "2").unwrap();
        assert_eq!(pair.right.run(["sync"]).code, 0, "E13 {kind}");
        let doctor = pair.right.run(["doctor"]);
        assert!(doctor.code == 0 && doctor.mentions("disk"), "E13 {kind}: {doctor}");
        assert_eq!(pair.left.run(["sync"]).code, 0, "E13 {kind}");
        fs::write(pair.left.folder().join("keep"), "1").unwrap();
        assert_eq!(pair.left.run(["sync"]).code, 0, "E13 {kind}");
        assert_eq!(pair.right.run(["sync"]).code, 0, "E13 {kind}");
        assert_eq!(fs::read_to_string(pair.right.folder().join("keep")).unwrap(), "1", "E13 {kind}");
        nothing_lost_or_touched("E13", &pair);
    }
}
