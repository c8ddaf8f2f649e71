//! Surroundings that refuse: a full disk, a folder that may not be written, few open files, a bare environment.
//!
//! A test that mounts something runs once more in a mount namespace of its own, where it is root: nothing it mounts is
//! seen outside or outlives it. Where that is refused it fails, and says what the system must allow.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use instep_testkit::machine::{Machine, Pair};

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

/// Says that a test runs in a namespace of its own already.
const INSIDE: &str = "INSTEP_TEST_MOUNTS";

/// Plays a test of this file where it may mount. As an ordinary user, and as a root who may not, that is a user
/// namespace.
fn mounting(test: &str, play: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return play();
    }
    let area = tempfile::tempdir().unwrap();
    let mut refused = Vec::new();
    for words in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let enter = || {
            let mut command = Command::new("unshare");
            command.args(words).env(INSIDE, "1");
            command
        };
        let mut probe = enter();
        probe.args(["mount", "-t", "tmpfs", "instep-test"]).arg(area.path());
        match probe.output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                refused.push(String::from_utf8_lossy(&output.stderr).trim().to_owned());
                continue;
            }
            Err(error) => {
                refused.push(format!("unshare: {error}"));
                continue;
            }
        }
        let name = format!("bad_inputs::disks::{test}");
        let this = std::env::current_exe().unwrap();
        let output = enter().arg(this).args(["--exact", &name, "--nocapture"]).output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (said(&output.stdout), said(&output.stderr));
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
        return;
    }
    panic!(
        "this test mounts disks of its own, and the system lets nobody: {refused:?}. Run the tests as root (in a \
         container with CAP_SYS_ADMIN), or where an ordinary user may make user namespaces."
    );
}

/// Mounts something; in our namespace it is gone with the test.
fn mount(at: &Path, words: &[&str]) {
    let output = Command::new("mount").args(words).arg(at).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "mount {words:?}: {said}");
}

fn mount_memory(at: &Path, options: &str) {
    mount(at, &["-t", "tmpfs", "-o", options, "instep-test"]);
}

#[test]
fn a_full_disk_shows_no_partial_file_and_goes_on_later() {
    mounting("a_full_disk_shows_no_partial_file_and_goes_on_later", || {
        let pair = connected();
        for number in 0..6 {
            fs::write(pair.left.folder().join(format!("large{number}")), vec![number; 1 << 20]).unwrap();
        }
        assert_eq!(pair.left.run(["sync"]).code, 0);
        mount_memory(pair.right.folder(), "size=5m");
        let output = pair.right.connect(&pair.bare);
        all_right(wrong_error("E1", &output, &[1, 3, 5], &["E-DISK-FULL"]).into_iter().collect());
        for number in 0..6 {
            let path = pair.right.folder().join(format!("large{number}"));
            let whole = fs::read(&path).map_or(true, |bytes| bytes == vec![number; 1 << 20]);
            assert!(whole, "E1: {} is there in part", path.display());
        }
        mount_memory(pair.right.folder(), "remount,size=64m");
        let output = pair.right.run(["sync"]);
        let output = if output.code == 10 { pair.right.connect(&pair.bare) } else { output };
        assert_eq!(output.code, 0, "E1: {output}");
        assert!(pair.right.folder().join("large5").exists(), "E1: {output}");
        nothing_lost_or_touched("E1", &pair);
    });
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
fn a_disk_that_became_read_only_is_named_and_used_again_later() {
    mounting("a_disk_that_became_read_only_is_named_and_used_again_later", || {
        let pair = connected();
        mount_memory(pair.right.folder(), "size=64m");
        assert_eq!(pair.right.connect(&pair.bare).code, 0);
        fs::write(pair.right.folder().join("mine"), "1").unwrap();
        fs::write(pair.left.folder().join("arrives"), "2").unwrap();
        assert_eq!(pair.left.run(["sync"]).code, 0);
        mount_memory(pair.right.folder(), "remount,ro");
        let output = pair.right.run(["sync"]);
        all_right(wrong_error("E3", &output, &[1, 3], &["E-IO-RO"]).into_iter().collect());
        let status = pair.right.run(["status"]);
        assert!(!status.mentions("panicked") && !status.mentions("deleted"), "E3: {status}");
        mount_memory(pair.right.folder(), "remount,rw");
        let output = pair.right.run(["sync"]);
        assert_eq!(output.code, 0, "E3: {output}");
        assert_eq!(fs::read_to_string(pair.right.folder().join("arrives")).unwrap(), "2", "E3");
        assert_eq!(pair.bare.git(["show", "main:mine"], b""), b"1", "E3");
    });
}

#[test]
fn a_whole_disk_is_asked_about_first() {
    mounting("a_whole_disk_is_asked_about_first", || {
        let pair = connected();
        mount_memory(pair.right.folder(), "size=64m");
        let address = pair.bare.path().display().to_string();
        let output = pair.right.run(["init", "--remote", &address]);
        all_right(wrong_error("Y15", &output, &[2], &["E-NO-INPUT"]).into_iter().collect());
        assert!(output.mentions("whole disk"), "Y15: {output}");
        assert!(!pair.right.folder().join(".instep").exists(), "Y15: {output}");
    });
}

#[test]
fn a_repository_that_may_not_be_written_is_named_and_what_is_here_waits() {
    let pair = Pair::unprivileged(&crate::program());
    fs::write(pair.left.folder().join("file"), "1").unwrap();
    pair.hand_over();
    pair.connect();
    fs::write(pair.left.folder().join("file"), "2").unwrap();
    let everything = |mode: &str| {
        let done = Command::new("chmod").args(["-R", mode]).arg(pair.bare.path()).status().unwrap();
        assert!(done.success());
    };
    everything("a-w");
    let output = pair.left.run(["sync"]);
    everything("u+w");
    let codes = ["E-REMOTE-READONLY", "E-IO-PERM"];
    all_right(wrong_error("U15", &output, &[1, 7], &codes).into_iter().collect());
    assert!(output.mentions("remote.git"), "U15: {output}");
    let output = pair.left.run(["sync"]);
    assert_eq!(output.code, 0, "U15: {output}");
    assert_eq!(pair.bare.git(["show", "main:file"], b""), b"2", "U15");
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

/// Whoever has no entry in the list of users, no home, no terminal and no language.
#[test]
fn a_user_that_the_system_does_not_know_gets_a_clear_sentence() {
    use std::os::unix::process::CommandExt;
    const NOBODY_KNOWN: u32 = 54321;
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else; without a home, everybody gets the same sentence.
        return a_bare_environment_gets_a_clear_sentence();
    }
    let area = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let at = |name: &str| area.path().join(name);
    // Written by another process: one that a test beside this one starts just then must not inherit it open for writing.
    let copied = Command::new("cp").arg(crate::program()).arg(at("instep")).status().unwrap();
    assert!(copied.success(), "{copied}");
    for folder in ["folder", "home"] {
        fs::create_dir(at(folder)).unwrap();
        std::os::unix::fs::chown(at(folder), Some(NOBODY_KNOWN), Some(NOBODY_KNOWN)).unwrap();
    }
    let run = |home: Option<&str>| {
        let mut command = Command::new(at("instep"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.uid(NOBODY_KNOWN).gid(NOBODY_KNOWN).current_dir(at("folder"));
        if let Some(home) = home {
            command.env("HOME", at(home));
        }
        let remote = at("home/place.git").display().to_string();
        let output = command.args(["init", "--yes", "--remote", &remote]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for home in [None, Some("nowhere")] {
        let (code, said) = run(home);
        assert!(code == Some(1) && said.contains("E-HOME") && said.contains("INSTEP_HOME"), "E11: {said}");
    }
    let (code, said) = run(Some("home"));
    assert_eq!(code, Some(0), "E11: {said}");
}

#[test]
fn a_disk_without_room_for_more_names_says_so_and_goes_on_later() {
    mounting("a_disk_without_room_for_more_names_says_so_and_goes_on_later", || {
        let pair = connected();
        for number in 0..200 {
            fs::write(pair.left.folder().join(format!("small{number}")), number.to_string()).unwrap();
        }
        assert_eq!(pair.left.run(["sync"]).code, 0);
        mount_memory(pair.right.folder(), "nr_inodes=160");
        let output = pair.right.connect(&pair.bare);
        all_right(wrong_error("E2", &output, &[1, 3, 5], &["E-DISK-FULL"]).into_iter().collect());
        mount_memory(pair.right.folder(), "remount,nr_inodes=5000");
        let output = pair.right.run(["sync"]);
        let output = if output.code == 10 { pair.right.connect(&pair.bare) } else { output };
        assert_eq!(output.code, 0, "E2: {output}");
        assert_eq!(fs::read_to_string(pair.right.folder().join("small199")).unwrap(), "199", "E2");
        nothing_lost_or_touched("E2", &pair);
    });
}

#[test]
fn a_root_on_another_kind_of_disk_syncs() {
    mounting("a_root_on_another_kind_of_disk_syncs", || {
        for (kind, words) in [
            ("tmpfs", &["-t", "tmpfs", "instep-test"][..]),
            ("ramfs", &["-t", "ramfs", "instep-test"]),
            (
                "overlay",
                &["-t", "overlay", "instep-test", "-o", "lowerdir=lower,upperdir=upper,workdir=work"],
            ),
        ] {
            let pair = connected();
            let inside = format!("dir={}/", layers(&pair).display());
            let words: Vec<String> = words.iter().map(|word| word.replace("dir=", &inside)).collect();
            mount(pair.right.folder(), &words.iter().map(String::as_str).collect::<Vec<_>>());
            syncs_here(kind, &pair);
        }
    });
}

/// Where an overlay on the right machine has its own folders, on a disk in memory: not every disk can carry one.
fn layers(pair: &Pair) -> PathBuf {
    let over = pair.area().join("right-home/over");
    fs::create_dir(&over).unwrap();
    mount_memory(&over, "size=64m");
    ["upper", "work", "lower"].iter().for_each(|name| fs::create_dir(over.join(name)).unwrap());
    over
}

/// As in a container, of the folders that came with its image.
#[test]
fn a_folder_that_its_disk_does_not_rename_is_named_and_mv_helps() {
    mounting("a_folder_that_its_disk_does_not_rename_is_named_and_mv_helps", || {
        let pair = connected();
        let over = layers(&pair);
        fs::create_dir(over.join("lower/logs")).unwrap();
        fs::write(over.join("lower/logs/first"), "1").unwrap();
        let folders =
            "lowerdir=lower,upperdir=upper,workdir=work".replace("dir=", &format!("dir={}/", over.display()));
        let options = format!("{folders},redirect_dir=off");
        mount(pair.right.folder(), &["-t", "overlay", "instep-test", "-o", &options]);
        assert_eq!(pair.right.connect(&pair.bare).code, 0);
        assert_eq!((pair.right.run(["sync"]).code, pair.left.run(["sync"]).code), (0, 0));
        fs::rename(pair.left.folder().join("logs"), pair.left.folder().join("records")).unwrap();
        assert_eq!(pair.left.run(["sync"]).code, 0);
        let output = pair.right.run(["sync"]);
        all_right(wrong_error("E13", &output, &[3], &["E-IO"]).into_iter().collect());
        assert!(output.mentions("can't rename logs") && output.mentions("`mv`"), "E13: {output}");
        let moved = Command::new("mv").args(["logs", "records"]).current_dir(pair.right.folder()).status();
        assert!(moved.unwrap().success());
        for machine in [&pair.right, &pair.left, &pair.right] {
            let output = machine.run(["sync"]);
            assert_eq!(output.code, 0, "E13: {output}");
            assert_eq!(fs::read_to_string(machine.folder().join("records/first")).unwrap(), "1", "E13");
            assert!(!machine.folder().join("logs").exists(), "E13: {output}");
        }
        nothing_lost_or_touched("E13", &pair);
    });
}

/// The right machine's folder is on a disk of that kind: files go to it and come from it.
fn syncs_here(kind: &str, pair: &Pair) {
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
    nothing_lost_or_touched("E13", pair);
}

/// A disk as cameras and sticks have it: no links, no executable bit, no rename that refuses, case is folded.
#[test]
fn a_root_on_exfat_syncs_and_makes_no_file_a_program() {
    // Whoever runs the tests says so, aloud: without a word it fails.
    if std::env::var_os("INSTEP_WITHOUT_EXFAT").is_some() {
        return;
    }
    mounting("a_root_on_exfat_syncs_and_makes_no_file_a_program", || {
        let pair = connected();
        let (left, right) = (&pair.left, &pair.right);
        let program = left.folder().join("program");
        fs::write(&program, "#!/bin/sh").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(left.run(["sync"]).code, 0);
        let _disk = Exfat::mount(&pair.area().join("right-home/disk"), right.folder());
        syncs_here("exfat", &pair);
        let is_program = |name: &str| {
            let mode = fs::metadata(left.folder().join(name)).unwrap().permissions().mode();
            mode & 0o111 != 0
        };
        assert!(is_program("program") && !is_program("keep") && !is_program("new"), "E13 exfat");
        // Case is folded: a change of it goes through, two spellings at once are a conflict, and nothing is lost.
        fs::rename(left.folder().join("new"), left.folder().join("New")).unwrap();
        assert_eq!(left.run(["sync"]).code, 0);
        let renamed = right.run(["sync"]);
        let entries = fs::read_dir(right.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        assert!(renamed.code == 0 && names.contains(&"New".to_owned()), "E13 exfat: {names:?} {renamed}");
        fs::write(left.folder().join("KEEP"), "another").unwrap();
        std::os::unix::fs::symlink("keep", left.folder().join("link")).unwrap();
        assert_eq!(left.run(["sync"]).code, 0);
        let clash = right.run(["sync"]);
        assert!(clash.code == 4 && clash.mentions("one name, two things"), "E13 exfat: {clash}");
        assert!(clash.mentions("holds no symbolic links"), "E13 exfat: {clash}");
        assert_eq!(fs::read_to_string(right.folder().join("keep")).unwrap(), "1", "E13 exfat");
        assert_eq!(left.run(["sync"]).code, 0);
        assert_eq!(fs::read_to_string(left.folder().join("KEEP")).unwrap(), "another", "E13 exfat");
        nothing_lost_or_touched("E13", &pair);
    });
}

/// Such a disk tells no births, and numbers everything anew: by number it is another folder, and each file is another one.
#[test]
fn a_stick_with_exfat_is_the_same_workspace_when_it_is_put_in_again() {
    if std::env::var_os("INSTEP_WITHOUT_EXFAT").is_some() {
        return;
    }
    mounting("a_stick_with_exfat_is_the_same_workspace_when_it_is_put_in_again", || {
        let pair = Pair::new(&crate::program());
        let (left, right) = (&pair.left, &pair.right);
        let disk = Exfat::mount(&pair.area().join("right-home/disk"), right.folder());
        let write = |path: &str, text: &str| {
            let path = right.folder().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for folder in ["a", "b", "c"] {
            write(&format!("{folder}/readme"), &format!("of {folder}\n"));
        }
        pair.connect();
        assert_eq!((right.run(["sync"]).code, left.run(["sync"]).code), (0, 0));
        for round in 0..2 {
            disk.mount_again();
            // Whoever is looked at first gets the first number.
            let looked_at =
                ["c", "b/readme", "a"].map(|path| fs::metadata(right.folder().join(path)).is_ok());
            assert_eq!(looked_at, [true, true, round == 0]);
            if round == 0 {
                fs::rename(right.folder().join("a"), right.folder().join("z")).unwrap();
            }
            write("c/readme", &format!("of c, {round}\n"));
            fs::write(left.folder().join("b/readme"), format!("of b, {round}\n")).unwrap();
            for machine in [left, right, left] {
                let synced = machine.run(["sync"]);
                assert_eq!(synced.code, 0, "{synced}");
            }
            let texts = [left, right].map(|machine| {
                ["z", "b", "c"]
                    .map(|name| fs::read_to_string(machine.folder().join(name).join("readme")).unwrap())
            });
            let wanted = ["of a\n".to_owned(), format!("of b, {round}\n"), format!("of c, {round}\n")];
            assert_eq!(texts, [wanted.clone(), wanted]);
            assert!(!left.folder().join("a").exists(), "what was moved is not there twice");
        }
    });
}

/// An exFAT disk in a file, through FUSE: its program wants a device, which only root can make of a file.
struct Exfat {
    device: String,
    at: PathBuf,
}

impl Exfat {
    fn mount(image: &Path, at: &Path) -> Self {
        let done = |words: &[&str]| {
            let output = Command::new(words[0]).args(&words[1..]).output();
            let fine = output.as_ref().is_ok_and(|output| output.status.success());
            assert!(
                fine,
                "this test needs root, a loop device, /dev/fuse, exfatprogs and exfat-fuse (.ci/run installs \
                 them); {words:?}: {output:?}"
            );
            String::from_utf8_lossy(&output.unwrap().stdout).trim().to_owned()
        };
        fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        let device = done(&["losetup", "--find", "--show", image.to_str().unwrap()]);
        let disk = Exfat { device: device.clone(), at: at.to_owned() };
        done(&["mkfs.exfat", &device]);
        done(&["mount.exfat-fuse", &device, at.to_str().unwrap()]);
        disk
    }

    /// Takes it out and puts it in again.
    fn mount_again(&self) {
        let at = self.at.to_str().unwrap();
        for words in [&["umount", at][..], &["mount.exfat-fuse", &self.device, at]] {
            let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
            assert!(output.status.success(), "{words:?}: {output:?}");
        }
    }
}

impl Drop for Exfat {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.at).output();
        let _ = Command::new("losetup").args(["--detach", &self.device]).output();
    }
}
