//! Repositories on paths and their branches, before and after the first commit.

use std::fs;

use instep_core::remote::{Class, Remote};
use instep_testkit::remote_suite::{Sketch, draft_of, publish, read};

use super::lab::Lab;

fn one_file(content: &str) -> Sketch {
    Sketch::new().file("f", content)
}

#[test]
fn a_missing_repository_is_made_when_asked() {
    let mut lab = Lab::by_path();
    lab.address = lab.folder.path().join("new.git").display().to_string();
    let error = lab.open().head().unwrap_err();
    assert_eq!(error.code, "E-REMOTE-MISSING");
    assert_eq!(lab.open().survey().unwrap_err().code, "E-REMOTE-MISSING");
    assert!(!lab.folder.path().join("new.git").exists());
    let remote = lab.try_open("trunk", true).unwrap();
    assert_eq!(remote.head().unwrap(), None);
    let first = publish(&remote, None, &one_file("1"));
    assert_eq!(read(&lab.try_open("trunk", false).unwrap(), &first), one_file("1"));
    lab.git(["clone", "-q", "new.git", "work"]);
    assert_eq!(fs::read_to_string(lab.folder.path().join("work/f")).unwrap(), "1");
}

#[test]
fn a_missing_branch_beside_others_is_told() {
    for lab in [Lab::by_path(), Lab::by_http()] {
        let first = publish(&lab.try_open("master", true).unwrap(), None, &one_file("1"));
        let remote = lab.open();
        let error = remote.head().unwrap_err();
        assert_eq!((error.code, error.class()), ("E-GIT-BRANCH", Class::Refused));
        assert!(error.message.contains("master"), "{error}");
        assert_eq!(remote.survey().unwrap_err().code, "E-GIT-BRANCH");
        let asked = lab.try_open("main", true).unwrap();
        assert_eq!(asked.head().unwrap(), None);
        assert_eq!(asked.survey().unwrap().branches, ["master"]);
        publish(&asked, None, &one_file("2"));
        assert_eq!(lab.open().survey().unwrap().branches, ["main", "master"]);
        assert_eq!(lab.try_open("master", false).unwrap().head().unwrap(), Some(first));
    }
}

#[test]
fn branches_of_similar_names_are_told_apart() {
    let lab = Lab::by_path();
    let remote = lab.try_open("main/sub", true).unwrap();
    publish(&remote, None, &one_file("1"));
    assert_eq!(lab.try_open("main", true).unwrap().head().unwrap(), None);
    assert_eq!(lab.try_open("sub", true).unwrap().head().unwrap(), None);
}

#[test]
fn a_branch_that_a_work_tree_shows_is_refused() {
    let mut lab = Lab::by_path();
    lab.git(["init", "-q", "--initial-branch=main", "work"]);
    lab.address = lab.folder.path().join("work").display().to_string();
    assert_eq!(lab.open().survey().unwrap_err().code, "E-GIT-CHECKEDOUT", "before the first commit");
    fs::write(lab.folder.path().join("work/f"), "1").unwrap();
    lab.git(["-C", "work", "add", "-A"]);
    lab.git(["-C", "work", "commit", "-q", "-m", "x"]);
    let remote = lab.open();
    assert_eq!(remote.survey().unwrap_err().code, "E-GIT-CHECKEDOUT");
    let head = remote.head().unwrap().unwrap();
    assert_eq!(read(&remote, &head), one_file("1"), "it may be read");
    let prepared = remote.prepare(Some(&head), &draft_of(&remote, &one_file("2"))).unwrap();
    assert_eq!(remote.commit(Some(&head), &prepared).unwrap_err().code, "E-GIT-CHECKEDOUT");
    let other = lab.try_open("instep", true).unwrap();
    other.survey().unwrap();
    publish(&other, None, &one_file("3"));
    lab.git(["-C", "work", "worktree", "add", "-q", "../second", "instep"]);
    assert_eq!(lab.try_open("instep", false).unwrap().survey().unwrap_err().code, "E-GIT-CHECKEDOUT");
}

#[test]
fn hooks_that_the_repository_sets_itself_are_told() {
    let lab = Lab::by_path();
    assert_eq!(lab.open().survey().unwrap().hooks, None);
    lab.git_place(["config", "core.hooksPath", "/opt/hooks"], b"");
    assert_eq!(lab.open().survey().unwrap().hooks.as_deref(), Some("/opt/hooks"));
}

#[test]
fn a_repository_that_went_away_is_not_an_empty_one() {
    let lab = Lab::by_path();
    let remote = lab.open();
    publish(&remote, None, &one_file("1"));
    fs::rename(lab.place(), lab.folder.path().join("gone.git")).unwrap();
    let error = remote.head().unwrap_err();
    assert_eq!(error.code, "E-REMOTE-MISSING", "{error:?}");
}

#[test]
fn what_was_fetched_is_read_while_the_place_is_away() {
    let lab = Lab::by_path();
    let open = || lab.try_open_in("ours.git", "main", false).unwrap();
    let first = publish(&open(), None, &one_file("1"));
    let away = lab.folder.path().join("away.git");
    fs::rename(lab.place(), &away).unwrap();
    let remote = open();
    assert_eq!(remote.history(10).unwrap().len(), 1);
    assert_eq!(read(&remote, &first), one_file("1"));
    assert_eq!(remote.head().unwrap_err().code, "E-REMOTE-MISSING");
    fs::create_dir(lab.place()).unwrap();
    assert_eq!(
        open().head().unwrap_err().code,
        "E-REMOTE-MISSING",
        "an empty place is not made a repository"
    );
    fs::remove_dir(lab.place()).unwrap();
    fs::rename(&away, lab.place()).unwrap();
    assert_eq!(remote.head().unwrap(), Some(first.clone()), "it came back");
    publish(&remote, Some(&first), &one_file("2"));
}

#[test]
fn the_settings_of_the_person_reach_the_remote() {
    let mut lab = Lab::by_path();
    let real = lab.address.clone();
    lab.address = "https://h.example/team.git".to_owned();
    lab.set(&format!("url.{real}.insteadOf"), "https://h.example/team.git");
    let error = lab.open().head().unwrap_err();
    assert_eq!(
        error.code, "E-URL-SCHEME",
        "what an address becomes must be as safe as what was typed: {error:?}"
    );
}

#[test]
fn our_files_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::by_path();
    lab.set("http.extraHeader", "Authorization: Bearer canary");
    publish(&lab.try_open_in("ours.git", "main", false).unwrap(), None, &one_file("1"));
    let config = lab.folder.path().join("ours.git/instep.config");
    assert!(fs::read_to_string(&config).unwrap().contains("canary"), "it is the person's own value");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn without_a_home_it_still_works() {
    let mut lab = Lab::by_path();
    let path = std::env::var_os("PATH").unwrap();
    lab.environment = instep_remote::git::Environment::default().with("PATH", path);
    publish(&lab.open(), None, &one_file("1"));
}

#[test]
fn without_git_it_says_so() {
    let mut lab = Lab::by_path();
    lab.environment = instep_remote::git::Environment::default().with("PATH", lab.folder.path());
    assert_eq!(lab.try_open("main", false).unwrap_err().code, "E-GIT-MISSING");
}

#[test]
fn commits_are_signed_where_the_person_asks_for_it() {
    let lab = Lab::by_path();
    let key = lab.folder.path().join("key");
    let mut command = std::process::Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    assert!(command.status().unwrap().success());
    lab.set("gpg.format", "ssh");
    lab.set("user.signingKey", &key.display().to_string());
    lab.set("commit.gpgSign", "true");
    let first = publish(&lab.open(), None, &one_file("1"));
    assert!(lab.git_place(["cat-file", "commit", "main"], b"").contains("BEGIN SSH SIGNATURE"));
    assert!(lab.open().snapshot(&first, None).unwrap().stamp.speaks_of_folders);
    lab.set("user.signingKey", "/nowhere");
    let remote = lab.open();
    let error = remote.prepare(Some(&first), &draft_of(&remote, &one_file("2"))).unwrap_err();
    assert_eq!(error.code, "E-GIT-SIGN", "{error:?}");
}

#[test]
fn a_stopped_upload_leaves_nothing_behind() {
    let lab = Lab::by_path();
    let remote = lab.try_open_in("ours.git", "main", false).unwrap();
    let packs = lab.folder.path().join("ours.git/objects/pack");
    fs::create_dir_all(&packs).unwrap();
    fs::write(packs.join("tmp_pack_x"), "half").unwrap();
    publish(&remote, None, &one_file("1"));
    let left = fs::read_dir(packs).unwrap().count()
        + fs::read_dir(lab.folder.path().join("ours.git"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("instep.marks"))
            .count();
    assert_eq!(left, 0);
}

#[test]
fn a_path_that_a_shell_would_read_is_only_a_path() {
    let mut lab = Lab::by_path();
    for name in ["it's $(touch canary) `touch canary`.git", "a b;\"x\\y.git", "-x.git", "c:d.git", "é.git"] {
        lab.address = lab.folder.path().join(name).display().to_string();
        let remote = lab.try_open("main", true).unwrap();
        let first = publish(&remote, None, &one_file("1"));
        assert_eq!(read(&lab.open(), &first), one_file("1"), "{name}");
    }
    assert!(!lab.folder.path().join("canary").exists() && !std::path::Path::new("canary").exists());
}

#[test]
fn a_repository_of_another_format_is_told() {
    for mut lab in [Lab::by_path(), Lab::by_http()] {
        lab.git(["init", "-q", "--bare", "--initial-branch=main", "--object-format=sha256", "other.git"]);
        let tree = lab.git(["--git-dir=other.git", "hash-object", "-t", "tree", "-w", "/dev/null"]);
        let commit = lab.git(["--git-dir=other.git", "commit-tree", "-m", "x", &tree]);
        lab.git(["--git-dir=other.git", "update-ref", "refs/heads/main", &commit]);
        lab.address = lab.address.replace("place.git", "other.git");
        assert_eq!(lab.open().head().unwrap_err().code, "E-GIT-FORMAT");
    }
}

#[test]
fn our_own_copy_stays_in_few_files() {
    let lab = Lab::by_path();
    let (writer, reader) = (lab.open(), lab.try_open_in("ours.git", "main", false).unwrap());
    let packs = lab.folder.path().join("ours.git/objects/pack");
    let (mut head, mut most) = (None, 0);
    for round in 0..40 {
        let many = (0..110).fold(Sketch::new(), |all, at| all.file(format!("{at}"), format!("{round} {at}")));
        head = Some(publish(&writer, head.as_ref(), &many));
        reader.snapshot(head.as_ref().unwrap(), None).unwrap();
        let count = fs::read_dir(&packs)
            .unwrap()
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|extension| extension == "pack"));
        most = most.max(count.count());
        if round == 39 {
            assert_eq!(read(&reader, head.as_ref().unwrap()), many);
        }
    }
    assert!((10..=31).contains(&most), "{most} packs");
    let history = reader.history(99).unwrap();
    assert_eq!(history.len(), 40);
    assert_eq!(read(&reader, &history[39].revision).0.len(), 110, "what is old is still there");
    lab.git(["--git-dir", "ours.git", "fsck", "--strict"]);
}
