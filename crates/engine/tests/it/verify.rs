//! Verify: a world in order has no faults, whatever a person does to it; each kind of damage is found and named.

use std::fs;

use instep_core::content::ContentId;
use instep_core::path::TreePath;
use instep_core::progress::Silent;
use instep_engine::cycle::request::Request;
use instep_engine::history::log::log;
use instep_engine::reach::Reach;
use instep_engine::state::State;
use instep_engine::verify::{
    Copy, Counts, Fault, FaultKind, HeadFault, Looked, Verified, VerifyRequest, verify,
};
use instep_remote::memory::MemoryPlace;

use crate::world::{Machine, pair, written_to_after_it_was_replaced};

fn check(machine: &Machine, request: &VerifyRequest) -> Verified {
    let reach = Reach::open(&machine.remote);
    verify(&machine.workspace, Some(&reach), &machine.settings, request, &Silent).unwrap()
}

fn all(machine: &Machine) -> Verified {
    check(machine, &VerifyRequest { read_data: true, ..VerifyRequest::default() })
}

fn quick(machine: &Machine) -> Verified {
    check(machine, &VerifyRequest::default())
}

fn path(text: &str) -> Option<TreePath> {
    Some(TreePath::new(text.as_bytes()).unwrap())
}

/// The paths of what is wrong, each with the kind and where another copy stands.
fn told(found: &Verified) -> Vec<(String, &'static str, Option<Copy>)> {
    let word = |fault: &Fault| match &fault.kind {
        FaultKind::Database(_) => ("database", None),
        FaultKind::Rotten { copy, .. } => ("rotten", *copy),
        FaultKind::Lost { copy, .. } => ("lost", *copy),
        FaultKind::Spoiled { copy, .. } => ("spoiled", *copy),
        FaultKind::Version { version, .. } => (*version, None),
        FaultKind::Head(_) => ("head", None),
        FaultKind::Unlisted { copy } => ("unlisted", *copy),
        FaultKind::Differs { copy } => ("differs", *copy),
        FaultKind::Object { copy, .. } => ("object", *copy),
    };
    let line = |fault: &Fault| {
        let (kind, copy) = word(fault);
        (fault.path.as_ref().map(ToString::to_string).unwrap_or_default(), kind, copy)
    };
    found.faults.iter().map(line).collect()
}

/// Two machines round a place; the left one changed `a` twice and holds what it was in its history.
fn lived() -> (MemoryPlace, Machine, Machine) {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("a", "one");
    left.write("d/b", "bb");
    left.sync();
    right.sync();
    right.write("a", "second");
    right.sync();
    left.sync();
    (place, left, right)
}

#[test]
fn a_world_in_order_has_no_faults() {
    let (_place, left, right) = lived();
    for machine in [&left, &right] {
        for found in [quick(machine), all(machine)] {
            assert_eq!(told(&found), []);
            assert_eq!((&found.remote, found.unfinished), (&Looked::Whole { ahead: false }, 0));
        }
    }
    let counts = Counts {
        files: 2,
        file_bytes: 8,
        versions: 1,
        version_bytes: 3,
        versions_read: 1,
        objects: 2,
        objects_read: 2,
        object_bytes_read: 8,
        ..Counts::default()
    };
    assert_eq!(all(&left).counts, counts);
}

#[test]
fn what_a_person_does_is_counted_and_no_fault() {
    let (_place, left, mut right) = lived();
    left.write("a", "edited");
    left.write("new", "n");
    left.remove("d/b");
    right.write("d/b", "from right");
    right.sync();
    let found = all(&left);
    assert_eq!(told(&found), []);
    assert_eq!((found.counts.changed, found.remote), (3, Looked::Whole { ahead: true }));
}

#[test]
fn what_waits_is_no_fault() {
    let (mut left, mut right) = pair(&[("f", "base\n"), ("g", "1")]);
    left.write("f", "left\n");
    right.write("f", "right\n");
    right.write("g", "2");
    left.sync();
    let paths = vec![TreePath::new(b"f").unwrap()];
    right.try_sync(Request { explicit: true, paths, ..Request::default() }).unwrap();
    let found = all(&right);
    assert_eq!((told(&found), found.counts.conflicts), (vec![], 1));
    right.sync();
    left.sync();
    for machine in [&left, &right] {
        assert_eq!(told(&all(machine)), []);
    }
}

#[test]
fn what_a_program_wrote_to_a_version_that_was_replaced_can_be_found() {
    let (left, _right) = written_to_after_it_was_replaced();
    let found = quick(&left);
    // The conflict over g keeps a copy of its own.
    assert_eq!(told(&found), []);
    let [written_to] = &found.written_to[..] else { panic!("{:?}", found.written_to) };
    assert_eq!(written_to.path, None, "it may be of f or of g");
    let file = left.root.join(".instep/history").join(written_to.name.to_string());
    assert_eq!(fs::read_to_string(file).unwrap(), "the same file goes on");
}

#[test]
fn what_was_written_under_another_name_of_a_replaced_file_needs_no_looking_for() {
    let (mut left, mut right) = pair(&[("f", "one")]);
    let another = left.root.parent().unwrap().join("another name");
    fs::hard_link(left.root.join("f"), &another).unwrap();
    right.write("f", "new");
    right.sync();
    left.sync();
    fs::write(another, "written to later").unwrap();
    let found = all(&left);
    assert_eq!((told(&found), found.written_to), (vec![], vec![]));
}

#[test]
fn a_kept_version_that_is_gone_or_spoiled_is_named() {
    let (_place, left, _right) = lived();
    let kept = left.root.join(".instep/history").join(ContentId::of(b"one").to_string());
    fs::write(&kept, "0ne").unwrap();
    assert_eq!(told(&quick(&left)), []);
    assert_eq!(told(&all(&left)), [("a".to_owned(), "spoiled", Some(Copy::Past))]);
    fs::write(&kept, "longer").unwrap();
    assert_eq!(told(&quick(&left)), [("a".to_owned(), "spoiled", Some(Copy::Past))]);
    fs::remove_file(&kept).unwrap();
    for found in [quick(&left), all(&left)] {
        assert_eq!(told(&found), [("a".to_owned(), "lost", Some(Copy::Past))]);
    }
    // The same content stands here again: the version can be had.
    left.write("copy", "one");
    assert_eq!(told(&quick(&left)), [("a".to_owned(), "lost", Some(Copy::Here))]);
    let elsewhere = VerifyRequest {
        paths: vec![TreePath::new(b"d").unwrap()],
        read_data: true,
        ..VerifyRequest::default()
    };
    let found = check(&left, &elsewhere);
    assert_eq!((told(&found), found.counts.files, found.counts.versions), (vec![], 1, 0));
}

#[test]
fn a_file_that_changed_without_anybody_writing_is_told_from_an_edit() {
    let (_place, mut left, _right) = lived();
    // What was written in this very moment is not believed yet.
    let mut digest = loop {
        left.sync();
        let digests = left.workspace.state.digests().unwrap();
        let found = digests.digests().iter().find(|digest| digest.content == ContentId::of(b"second"));
        match found.copied().filter(|digest| !digest.is_racy()) {
            Some(digest) => break digest,
            None => std::thread::yield_now(),
        }
    };
    digest.content = ContentId::of(b"another");
    left.workspace.state.transact(|write| write.digests(&[digest])).unwrap();
    let kind = FaultKind::Rotten { operation: None, copy: None };
    assert_eq!(all(&left).faults, [Fault { path: path("a"), kind }]);
    // The version before is known: who put it there, and where another copy is.
    digest.content = ContentId::of(b"one");
    left.workspace.state.transact(|write| write.digests(&[digest])).unwrap();
    let first = log(&left.workspace.state, None, 9).unwrap().last().unwrap().id;
    let kind = FaultKind::Rotten { operation: Some(first), copy: Some(Copy::Kept) };
    assert_eq!(all(&left).faults, [Fault { path: path("a"), kind }]);
    assert_eq!(told(&quick(&left)), [], "only who reads finds it");
}

#[test]
fn a_link_is_no_fault_on_the_machine_that_made_it() {
    let place = MemoryPlace::new();
    let (mut left, mut right) = (Machine::new("left", &place), Machine::new("right", &place));
    left.write("a", "one");
    std::os::unix::fs::symlink("a", left.root.join("link")).unwrap();
    left.sync();
    right.sync();
    for machine in [&left, &right] {
        assert_eq!(told(&quick(machine)), []);
        assert_eq!(told(&all(machine)), []);
    }
}

#[test]
fn what_the_remote_lost_or_spoiled_is_named_and_the_rest_is_read() {
    let (place, left, _right) = lived();
    place.damage(ContentId::of(b"bb"), None);
    assert_eq!(told(&quick(&left)), [], "without reading, what is listed is believed");
    let found = all(&left);
    assert_eq!(told(&found), [("d/b".to_owned(), "object", Some(Copy::Here))]);
    assert_eq!((found.counts.objects, found.counts.objects_read), (2, 1));
    place.damage(ContentId::of(b"bb"), Some(b"xx"));
    assert_eq!(told(&all(&left)), [("d/b".to_owned(), "object", Some(Copy::Here))]);
    left.remove("d/b");
    assert_eq!(told(&all(&left)), [("d/b".to_owned(), "object", None)]);
}

#[test]
fn a_remote_that_is_away_or_was_put_back_is_told() {
    let (place, left, _right) = lived();
    left.remote.cut(true);
    let found = all(&left);
    assert_eq!(told(&found), []);
    assert!(matches!(found.remote, Looked::Away(_)), "{:?}", found.remote);
    left.remote.cut(false);
    place.put_back(None);
    let gone = Fault { path: None, kind: FaultKind::Head(HeadFault::Gone) };
    assert_eq!(quick(&left).faults, [gone]);
}

#[test]
fn what_is_remembered_of_the_remote_and_not_listed_there_is_named() {
    let (_place, mut left, _right) = lived();
    let id = left.workspace.state.remote("memory:").unwrap().id;
    let known = left.workspace.state.known(id).unwrap();
    let rows = known.rows().to_vec();
    let stray = rows.iter().find(|row| row.views.base().unwrap().name.as_bytes() == b"a").unwrap();
    let mut stray = stray.clone();
    stray.id = instep_core::node::NodeId(known.next);
    let instep_core::node::Views::Agreed(value) = &mut stray.views else { panic!("not agreed") };
    value.name = instep_core::path::Name::new(b"stray").unwrap();
    let next = known.next + 1;
    left.workspace.state.transact(|write| write.nodes(id, &[stray], &[], next)).unwrap();
    let found = quick(&left);
    assert_eq!(told(&found), [("stray".to_owned(), "unlisted", Some(Copy::Here))]);
}

#[test]
fn a_damaged_database_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("state.db");
    let mut state = State::open(&file).unwrap();
    assert!(state.damage().unwrap().is_empty());
    state.transact(|write| write.note("name", "value")).unwrap();
    drop(state);
    let mut bytes = fs::read(&file).unwrap();
    let page = 4096;
    assert!(bytes.len() > 3 * page);
    bytes[page..3 * page].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    let state = State::open(&file).unwrap();
    assert!(!state.damage().unwrap().is_empty());
}
