//! The door to a real disk, tried on one.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::folder::FolderFailure;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn workspace() -> (tempfile::TempDir, DiskFolder) {
    let home = tempfile::tempdir().unwrap();
    let folder = DiskFolder::create(home.path()).unwrap();
    (home, folder)
}

fn contents(folder: &DiskFolder, dir: &DiskDir, file: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    folder.open(dir, &name(file)).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_workspace_has_a_state_folder_for_its_owner_alone() {
    let (home, folder) = workspace();
    let state = fs::metadata(home.path().join(".instep")).unwrap();
    assert_eq!(state.mode() & 0o777, 0o700);
    assert_eq!(fs::read(home.path().join(".instep/.gitignore")).unwrap(), b"*\n");
    let mut names: Vec<String> =
        folder.list(&folder.state()).unwrap().names.iter().map(Name::to_string).collect();
    names.sort();
    assert_eq!(names, [".gitignore", "clock", "disk.json", "history", "staging"]);
    DiskFolder::create(home.path()).unwrap();
    let again = DiskFolder::open(home.path()).unwrap();
    assert_eq!(again.abilities(), folder.abilities());
}

#[test]
fn a_failure_about_an_open_folder_says_where_it_stands_now() {
    let (home, folder) = workspace();
    fs::create_dir(home.path().join("d")).unwrap();
    let dir = folder.open_folder(&folder.root(), &name("d")).unwrap();
    fs::rename(home.path().join("d"), home.path().join("e")).unwrap();
    let place = home.path().canonicalize().unwrap().join("e");
    assert_eq!(failed_at("sync", &dir, Errno::IO).path, place.to_str().unwrap());
}

#[test]
fn a_folder_that_is_no_workspace_is_missing_and_not_made() {
    let home = tempfile::tempdir().unwrap();
    let error = DiskFolder::open(home.path()).unwrap_err();
    assert_eq!(error.failure(), FolderFailure::Missing);
    assert!(!home.path().join(".instep").exists());
}

#[test]
fn our_state_behind_a_link_is_refused() {
    let (home, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(elsewhere.path(), home.path().join(".instep")).unwrap();
    assert_eq!(DiskFolder::create(home.path()).unwrap_err().failure(), FolderFailure::Raced);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_disk_of_the_tests_can_do_everything() {
    let (_home, folder) = workspace();
    let expected = Abilities {
        exchange: true,
        no_replace: true,
        links: true,
        exec: true,
        fold: Default::default(),
        name_bytes_max: 255,
    };
    assert_eq!(folder.abilities(), expected);
}

#[test]
fn no_link_is_followed() {
    let (home, folder) = workspace();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    symlink(outside.path(), home.path().join("door")).unwrap();
    symlink(outside.path().join("secret"), home.path().join("leaf")).unwrap();
    let root = folder.root();
    assert_eq!(folder.open_folder(&root, &name("door")).unwrap_err().failure(), FolderFailure::Raced);
    assert_eq!(folder.open(&root, &name("leaf")).err().unwrap().failure(), FolderFailure::Raced);
    assert_eq!(folder.metadata(&root, &name("leaf")).unwrap().unwrap().kind, DiskKind::Link);
    let target = folder.read_link(&root, &name("leaf")).unwrap();
    assert_eq!(target, outside.path().join("secret").as_os_str().as_bytes());
    assert_eq!(folder.create(&root, &name("leaf")).err().unwrap().failure(), FolderFailure::Taken);
}

#[test]
fn a_parent_swapped_for_a_link_leads_nowhere() {
    let (home, folder) = workspace();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("d")).unwrap();
    let held = folder.open_folder(&folder.root(), &name("d")).unwrap();
    fs::rename(home.path().join("d"), home.path().join("moved")).unwrap();
    symlink(outside.path(), home.path().join("d")).unwrap();

    folder.create(&held, &name("new")).unwrap().finish(true).unwrap();
    assert!(home.path().join("moved/new").exists());
    assert_eq!(folder.open_folder(&folder.root(), &name("d")).unwrap_err().failure(), FolderFailure::Raced);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn placing_refuses_a_taken_name() {
    let (home, folder) = workspace();
    let (root, state) = (folder.root(), folder.state());
    fs::write(home.path().join(".instep/new"), "new").unwrap();
    fs::write(home.path().join("taken"), "mine").unwrap();
    let placed = folder.place((&state, &name("new")), (&root, &name("taken")));
    assert_eq!(placed.unwrap_err().failure(), FolderFailure::Taken);
    assert_eq!(contents(&folder, &root, "taken"), b"mine");
    folder.place((&state, &name("new")), (&root, &name("free"))).unwrap();
    assert_eq!(contents(&folder, &root, "free"), b"new");
}

#[test]
fn placing_by_steps_refuses_a_taken_name_too() {
    let (home, mut folder) = workspace();
    folder.abilities.no_replace = false;
    let (root, state) = (folder.root(), folder.state());
    fs::write(home.path().join(".instep/new"), "new").unwrap();
    fs::write(home.path().join("taken"), "mine").unwrap();
    fs::create_dir_all(home.path().join("old/x")).unwrap();
    let file = |to: &str| folder.place((&state, &name("new")), (&root, &name(to)));
    assert_eq!(file("taken").unwrap_err().failure(), FolderFailure::Taken);
    assert_eq!(file("old").unwrap_err().failure(), FolderFailure::Taken);
    file("free").unwrap();
    let dir = |to: &str| folder.place((&root, &name("old")), (&root, &name(to)));
    assert_eq!(dir("taken").unwrap_err().failure(), FolderFailure::Taken);
    dir("fresh").unwrap();
    assert!(home.path().join("fresh/x").is_dir());
    assert_eq!(contents(&folder, &root, "taken"), b"mine");
    assert!(!home.path().join(".instep/new").exists());
}

#[test]
fn a_disk_that_knows_neither_a_refusing_rename_nor_second_names_refuses_a_taken_name_too() {
    let (home, folder) = workspace();
    let (root, state) = (folder.root(), folder.state());
    fs::write(home.path().join(".instep/new"), "new").unwrap();
    fs::write(home.path().join("taken"), "mine").unwrap();
    fs::create_dir(home.path().join("folder")).unwrap();
    let place = |from: &str, to: &str| folder.place_over_own((&state, &name(from)), (&root, &name(to)));
    assert_eq!(place("new", "taken"), Err(Errno::EXIST));
    assert_eq!(place("new", "folder"), Err(Errno::EXIST));
    // What could not be placed leaves no empty file behind.
    assert_eq!(place("missing", "free"), Err(Errno::NOENT));
    assert!(!home.path().join("free").exists());
    place("new", "free").unwrap();
    assert_eq!(contents(&folder, &root, "free"), b"new");
    assert_eq!(contents(&folder, &root, "taken"), b"mine");
    assert!(!home.path().join(".instep/new").exists());
}

#[test]
fn a_folder_that_can_not_be_placed_by_steps_leaves_no_empty_one() {
    let (home, folder) = workspace();
    fs::create_dir_all(home.path().join("d")).unwrap();
    let (root, name) = (folder.root(), name("d"));
    let inside = folder.open_folder(&root, &name).unwrap();
    assert_eq!(folder.place_by_steps((&root, &name), (&inside, &name)), Err(Errno::INVAL));
    assert!(!home.path().join("d/d").exists());
}

#[test]
fn what_a_file_system_does_not_rename_is_no_race() {
    let failure = |verb: &'static str| FolderError::new(verb, b"d", Errno::XDEV).failure();
    assert_eq!(failure("place"), FolderFailure::Fixed, "a folder in a lower layer of overlayfs");
    assert_eq!(failure("open"), FolderFailure::Raced, "a mount that came in between");
}

#[test]
fn an_exchange_keeps_both_even_a_file_and_a_full_folder() {
    let (home, folder) = workspace();
    let (root, state) = (folder.root(), folder.state());
    fs::write(home.path().join(".instep/new"), "new").unwrap();
    fs::create_dir_all(home.path().join("d/inner")).unwrap();
    folder.exchange((&state, &name("new")), (&root, &name("d"))).unwrap();
    assert_eq!(contents(&folder, &root, "d"), b"new");
    assert!(home.path().join(".instep/new/inner").is_dir());
}

#[test]
fn a_disk_without_exchange_says_so() {
    let (_home, mut folder) = workspace();
    folder.abilities.exchange = false;
    let error = folder.exchange((&folder.root(), &name("a")), (&folder.root(), &name("b"))).unwrap_err();
    assert_eq!(error.failure(), FolderFailure::Unsupported);
}

#[test]
fn the_executable_bit_is_set_only_on_the_file_that_was_meant() {
    let (home, folder) = workspace();
    let (root, path) = (folder.root(), home.path().join("run"));
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let key = folder.metadata(&root, &name("run")).unwrap().unwrap().key;
    folder.set_exec(&root, &name("run"), key, true).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o750);
    folder.set_exec(&root, &name("run"), key, false).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);

    fs::write(home.path().join("other"), "y").unwrap();
    fs::rename(home.path().join("other"), &path).unwrap();
    let error = folder.set_exec(&root, &name("run"), key, true).unwrap_err();
    assert_eq!(error.failure(), FolderFailure::Raced);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o111, 0);
}

#[test]
fn a_replacement_inherits_mode_and_attributes_but_not_the_executable_bit() {
    let (home, folder) = workspace();
    let (old, new) = (home.path().join("old"), home.path().join("new"));
    fs::write(&old, "x").unwrap();
    fs::write(&new, "y").unwrap();
    let set = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let tag = |path: &Path| {
        let mut value = Vec::with_capacity(16);
        let file = File::open(path).unwrap();
        rustix::fs::fgetxattr(&file, "user.tag", rustix::buffer::spare_capacity(&mut value)).map(|_| value)
    };
    let tagged = rustix::fs::setxattr(&old, "user.tag", b"blue", rustix::fs::XattrFlags::empty()).is_ok();
    for (from, to, expected) in
        [(0o4751, 0o644, 0o640), (0o600, 0o755, 0o700), (0o750, 0o755, 0o750), (0o664, 0o600, 0o664)]
    {
        set(&old, from);
        set(&new, to);
        let root = folder.root();
        folder.copy_attributes((&root, &name("old")), (&root, &name("new"))).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o7777, expected, "{from:o} {to:o}");
    }
    if tagged {
        assert_eq!(tag(&new).unwrap(), b"blue");
    }
}

#[test]
fn a_pipe_does_not_hold_us_up() {
    let (home, folder) = workspace();
    let pipe = home.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::from_raw_mode(0o600)).unwrap();
    assert_eq!(folder.open(&folder.root(), &name("pipe")).err().unwrap().failure(), FolderFailure::Raced);
    assert_eq!(folder.metadata(&folder.root(), &name("pipe")).unwrap().unwrap().kind, DiskKind::Special);
}

#[test]
fn a_folder_is_removed_only_if_empty() {
    let (home, folder) = workspace();
    fs::create_dir_all(home.path().join("d/x")).unwrap();
    let error = folder.remove_folder(&folder.root(), &name("d")).unwrap_err();
    assert_eq!(error.failure(), FolderFailure::NotEmpty);
    fs::remove_dir(home.path().join("d/x")).unwrap();
    folder.remove_folder(&folder.root(), &name("d")).unwrap();
}

#[test]
fn times_of_writing_lie_between_two_moments_of_the_same_clock() {
    let (home, folder) = workspace();
    let before = folder.now().unwrap();
    fs::write(home.path().join("f"), "x").unwrap();
    let written = folder.metadata(&folder.root(), &name("f")).unwrap().unwrap();
    let after = folder.now().unwrap();
    assert!(before <= written.modified && written.modified <= after);
    assert!(written.key.birth_ns != 0);
}

#[test]
fn names_are_bytes() {
    let (_home, folder) = workspace();
    let root = folder.root();
    for bytes in [&b"\xff\xfe"[..], b"--help", b"a\nb", b"$(x)", b"-rf"] {
        let odd = Name::new(bytes).unwrap();
        let mut file = folder.create(&root, &odd).unwrap();
        file.write_all(bytes).unwrap();
        file.finish(false).unwrap();
        assert!(folder.list(&root).unwrap().names.contains(&odd));
        folder.remove_file(&root, &odd).unwrap();
    }
    let long = name(&"n".repeat(256));
    let error = folder.create(&root, &long).err().unwrap();
    assert_eq!((error.failure(), error.code()), (FolderFailure::Unnameable, "E-PATH-LONG"));
}

#[test]
fn two_that_list_one_folder_see_all_of_it() {
    let (home, folder) = workspace();
    for n in 0..2000 {
        fs::write(home.path().join(format!("file-{n:05}")), "").unwrap();
    }
    let root = folder.root();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(folder.list(&root).unwrap().names.len(), 2001);
                }
            });
        }
    });
}

#[test]
fn without_the_newer_system_call_no_link_is_followed_either() {
    let (home, mut folder) = workspace();
    folder.opener = Opener::plain();
    symlink("/etc", home.path().join("door")).unwrap();
    symlink("/etc/passwd", home.path().join("leaf")).unwrap();
    let root = folder.root();
    assert!(folder.open_folder(&root, &name("door")).is_err());
    assert!(folder.open(&root, &name("leaf")).is_err());
}

#[test]
fn a_parent_that_flips_between_folder_and_link_never_leads_out() {
    let (home, folder) = workspace();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("witness"), "w").unwrap();
    let (d, link) = (home.path().join("d"), home.path().join("link"));
    fs::create_dir(&d).unwrap();
    symlink(outside.path(), &link).unwrap();
    let (root, state) = (folder.root(), folder.state());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The two names change places until the other thread has had its rounds.
            while !done.load(Ordering::Relaxed) {
                folder.exchange((&root, &name("d")), (&root, &name("link"))).unwrap();
            }
        });
        let staged = name("staged");
        for _ in 0..2_000 {
            let Ok(dir) = folder.open_folder(&root, &name("d")) else { continue };
            folder.create(&state, &staged).unwrap().finish(false).unwrap();
            folder.place((&state, &staged), (&dir, &name("new"))).unwrap();
            assert!(folder.metadata(&dir, &name("witness")).unwrap().is_none());
            folder.remove_file(&dir, &name("new")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let names: Vec<_> =
        fs::read_dir(outside.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["witness"]);
}
