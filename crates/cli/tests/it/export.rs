//! `restore --to` a folder outside the workspace: copies, and nothing replaced.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use expect_test::expect;
use instep_testkit::machine::Pair;

#[test]
fn versions_are_copied_out_and_nothing_there_is_replaced() {
    let pair = Pair::new(&crate::program());
    let folder = pair.left.folder();
    fs::create_dir_all(folder.join("sub/deep")).unwrap();
    for (path, text) in [("sub/a", "one\n"), ("sub/deep/b", "two\n"), ("sub/run", "#!\n"), ("other", "3\n")] {
        fs::write(folder.join(path), text).unwrap();
    }
    fs::set_permissions(folder.join("sub/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a", folder.join("sub/link")).unwrap();
    assert_eq!(pair.left.connect(&pair.bare).code, 0);
    fs::remove_dir_all(folder.join("sub")).unwrap();
    assert_eq!(pair.left.run(["sync", "--allow", "delete"]).code, 0);
    let out = pair.area().join("out");
    let area = pair.area().display().to_string();
    let run =
        |arguments: &[&str]| pair.left.run(["restore", "sub", "--to", "../out"].iter().chain(arguments));
    let preview = run(&["-n"]);
    assert!(preview.code == 0 && preview.mentions("would be written") && !out.exists(), "{preview}");
    let copied = run(&[]);
    expect![[r#"
          sub
          sub/a
          sub/deep
          sub/deep/b
          sub/link
          sub/run
        6 paths written to AREA/out. The workspace was not changed.
    "#]]
    .assert_eq(&copied.stdout.replace(&area, "AREA"));
    assert_eq!(copied.code, 0, "{copied}");
    assert_eq!(fs::read_to_string(out.join("sub/deep/b")).unwrap(), "two\n");
    assert_eq!(fs::read_link(out.join("sub/link")).unwrap().to_str(), Some("a"));
    assert_eq!(fs::metadata(out.join("sub/run")).unwrap().mode() & 0o100, 0o100);
    assert!(!folder.join("sub").exists());

    // Again: what stands there stays, whatever it is, and a link in the way is not followed.
    fs::write(out.join("sub/a"), "mine\n").unwrap();
    fs::remove_dir_all(out.join("sub/deep")).unwrap();
    fs::create_dir(pair.area().join("elsewhere")).unwrap();
    symlink("../../elsewhere", out.join("sub/deep")).unwrap();
    let again = run(&[]);
    expect![[r#"
          sub/a  E-EXISTS  something stands there already
          sub/deep  E-EXISTS  something stands there already
          sub/deep/b  E-EXISTS  AREA/out/sub/deep is no folder
          sub/link  E-EXISTS  something stands there already
          sub/run  E-EXISTS  something stands there already
        0 paths written to AREA/out. The workspace was not changed.
    "#]]
    .assert_eq(&again.stdout.replace(&area, "AREA"));
    assert_eq!(again.code, 3, "{again}");
    assert_eq!(fs::read_to_string(out.join("sub/a")).unwrap(), "mine\n");
    assert_eq!(fs::read_dir(pair.area().join("elsewhere")).unwrap().count(), 0);
    assert!(pair.left.run(["status"]).mentions("In sync"));
}
