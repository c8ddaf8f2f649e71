//! The remote is away: its disk is not mounted.

use std::fs;

use instep_testkit::machine::Pair;

#[test]
fn an_undo_does_its_half_here_and_the_rest_when_the_remote_is_back() {
    let pair = Pair::new(&crate::program());
    let (left, right) = (&pair.left, &pair.right);
    let file = |machine: &instep_testkit::machine::Machine| machine.folder().join("x.txt");
    fs::write(file(left), "one\n").unwrap();
    assert_eq!(left.init(&pair.bare, &[]).code, 0);
    assert_eq!(right.init(&pair.bare, &[]).code, 0);
    fs::write(file(left), "two\n").unwrap();
    assert_eq!(left.run(["sync"]).code, 0);
    let (there, elsewhere) = (pair.bare.path().to_owned(), pair.area().join("unmounted"));
    fs::rename(&there, &elsewhere).unwrap();
    let undone = left.run(["undo", "--yes"]);
    assert_eq!(undone.code, 0, "{undone}");
    assert!(undone.stdout.contains("its part goes with the next sync"), "{undone}");
    assert_eq!(left.run(["sync"]).code, 10);
    fs::rename(&elsewhere, &there).unwrap();
    let synced = left.run(["sync"]);
    assert!(synced.code == 0 && synced.mentions("its part at the remote was taken back"), "{synced}");
    assert_eq!(right.run(["sync"]).code, 0);
    assert_eq!(fs::read_to_string(file(right)).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(file(left)).unwrap(), "two\n");
}
