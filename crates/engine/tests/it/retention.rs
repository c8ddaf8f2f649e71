//! Retention: what a person set is what holds, and nothing goes that stands nowhere else.

use std::time::Duration;

use instep_core::content::ContentId;
use instep_core::progress::Silent;
use instep_core::retention::Retention;
use instep_engine::conflict::resolve::{Choice, contents, resolve};
use instep_engine::cycle::request::Request;

use crate::world::{Machine, pair, written_to_after_it_was_replaced};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// The paths of all kept versions, each as often as it has some.
fn kept(machine: &Machine) -> Vec<String> {
    let kept = machine.workspace.state.kept(b"").unwrap();
    for version in &kept {
        assert!(machine.keeps(version.content), "a version is on record and not kept");
    }
    let mut paths: Vec<String> =
        kept.iter().map(|kept| String::from_utf8(kept.path.clone()).unwrap()).collect();
    paths.sort();
    paths
}

/// A pair of which the right one has displaced a replaced and a deleted version.
fn with_history() -> (Machine, Machine) {
    let (mut left, mut right) = pair(&[("deleted", "gone"), ("replaced", "old"), ("stays", "1")]);
    left.write("replaced", "new");
    left.remove("deleted");
    left.sync();
    right.sync();
    assert_eq!(kept(&right), ["deleted", "replaced"]);
    (left, right)
}

#[test]
fn the_retention_that_a_person_sets_is_the_one_that_a_cycle_uses() {
    let (_left, mut right) = with_history();
    right.settings.retention = Retention { keep_last: 0, keep_within: DAY * 10, deleted: DAY * 20 };
    right.live_days(11);
    assert_eq!(kept(&right), ["deleted"]);
    right.live_days(10);
    assert_eq!(kept(&right), [""; 0]);
}

#[test]
fn both_versions_of_a_conflict_are_kept_where_their_folder_moves_with_it() {
    let (mut left, mut right) = pair(&[("c/f", "base"), ("c/g", "1")]);
    std::fs::rename(right.root.join("c"), right.root.join("b")).unwrap();
    right.write("b/f", "there");
    right.sync();
    left.write("c/f", "here");
    assert_eq!(left.sync().conflicts.len(), 1);
    for version in ["here", "there"] {
        assert!(left.keeps(ContentId::of(version.as_bytes())), "{version}");
    }
}

#[test]
fn what_a_conflict_names_is_kept_apart_from_a_file_that_a_program_has_open() {
    let (left, _right) = written_to_after_it_was_replaced();
    for version in ["the same", "the same file goes on"] {
        assert!(left.keeps(ContentId::of(version.as_bytes())), "{version}");
    }
}

#[test]
fn what_an_open_conflict_needs_stays_whatever_its_age() {
    let (mut left, mut right) = pair(&[("f", "base")]);
    left.write("f", "here");
    right.write("f", "there");
    right.sync();
    assert_eq!(left.sync().conflicts.len(), 1);
    left.settings.retention = Retention { keep_last: 0, keep_within: DAY, deleted: DAY };
    left.live_days(5);
    assert_eq!(kept(&left), ["f", "f"]);
}

#[test]
fn the_last_version_of_a_file_that_lives_on_is_not_one_of_a_deleted_file() {
    let (_left, mut right) = with_history();
    right.settings.retention = Retention { keep_last: 1, keep_within: DAY, deleted: DAY * 3 };
    right.live_days(5);
    assert_eq!(kept(&right), ["replaced"]);
}

#[test]
fn retention_rests_for_a_day_and_runs_in_a_cycle_that_has_nothing_else_to_do() {
    let (_left, mut right) = with_history();
    right.settings.retention = Retention { keep_last: 0, keep_within: DAY, deleted: DAY };
    right.live_days(1);
    right.wait_days(1);
    right.try_sync(Request { dry_run: true, ..Request::default() }).unwrap();
    assert_eq!(kept(&right), ["deleted", "replaced"]);
    assert!(right.sync().done.is_empty());
    assert_eq!(kept(&right), [""; 0]);
}

#[test]
fn a_version_that_was_offered_and_never_taken_counts_as_never_sent() {
    let (mut left, mut right) = pair(&[("a", "1"), ("b", "1")]);
    right.write("a", "only here");
    right.remote.die_before_commit();
    assert!(right.try_sync(Request { explicit: true, ..Request::default() }).is_err());
    // Before it goes out again, a mirror of the remote displaces it.
    left.write("a", "2");
    left.sync();
    let mirror = Request {
        direction: instep_core::policy::Direction::Pull,
        mirror: true,
        explicit: true,
        ..Request::default()
    };
    right.try_sync(mirror).unwrap();
    assert_eq!(right.drawing(), "a=2;b=1");
    right.settings.retention = Retention { keep_last: 0, keep_within: DAY, deleted: DAY };
    right.live_days(5);
    assert_eq!(kept(&right), ["a"]);
}

#[test]
fn a_content_that_was_kept_twice_leaves_no_copy_behind() {
    let (mut left, mut right) = pair(&[("a", "same"), ("b", "same"), ("c", "1")]);
    left.write("a", "2");
    left.write("b", "2");
    left.sync();
    right.sync();
    right.settings.retention = Retention { keep_last: 0, keep_within: DAY, deleted: DAY };
    right.live_days(5);
    let left_over = std::fs::read_dir(right.root.join(".instep/history")).unwrap().count();
    assert_eq!((kept(&right), left_over), (Vec::new(), 0));
}

#[test]
fn nothing_that_an_open_conflict_needs_goes() {
    let (mut left, mut right) = pair(&[("base", "1"), ("here", "1"), ("idle", "1"), ("there", "1")]);
    // The right one puts "1" away, four times.
    for path in ["base", "here", "idle", "there"] {
        left.write(path, &format!("2 {path}"));
    }
    left.sync();
    right.sync();
    // Once more "1" is what was agreed on, what stands here, and what stands there.
    left.write("base", "1");
    left.sync();
    right.sync();
    for (path, here, there) in [("base", "3", "4"), ("here", "1", "4"), ("there", "3", "1")] {
        right.write(path, here);
        left.write(path, there);
    }
    left.sync();
    assert_eq!(right.sync().conflicts.len(), 3);
    right.settings.retention = Retention { keep_last: 0, keep_within: DAY, deleted: DAY };
    right.live_days(5);
    assert_eq!(right.sync().conflicts.len(), 3);
    let one = ContentId::of(b"1").to_string();
    assert!(right.root.join(".instep/history").join(&one).exists());
    assert!(!kept(&right).is_empty());
    for one in right.sync().conflicts {
        let contents = contents(&right.workspace, &right.remote, &one.conflict, &Silent).unwrap();
        assert!(contents.base.is_some() && contents.local.is_some() && contents.remote.is_some());
    }
    // Settled, nothing needs it any more.
    for number in 1..=3 {
        let choice = Choice::Content(b"settled".to_vec());
        resolve(&mut right.workspace, &right.remote, &right.settings, &[(number, choice)], &Silent).unwrap();
    }
    right.live_days(2);
    assert!(!right.root.join(".instep/history").join(&one).exists());
}

#[test]
fn a_clock_that_leaps_lets_no_version_go() {
    for leaps in [[400, -400], [-4_000, 4_000]] {
        let (mut left, mut right) = pair(&[("deleted", "gone"), ("replaced", "old"), ("stays", "1")]);
        right.settings.retention = Retention { keep_last: 0, keep_within: DAY * 10, deleted: DAY * 10 };
        right.live_days(2);
        // The versions are put away under a clock that is wrong.
        right.wait_days(leaps[0]);
        left.write("replaced", "new");
        left.remove("deleted");
        left.sync();
        right.sync();
        right.live_days(3);
        right.wait_days(leaps[1]);
        right.live_days(3);
        assert_eq!(kept(&right), ["deleted", "replaced"], "{leaps:?}");
        right.live_days(6);
        assert_eq!(kept(&right), [""; 0], "{leaps:?}");
    }
}
