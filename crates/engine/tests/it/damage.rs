//! Damaged state is made anew and loses nothing; damaged files do not go out over good ones.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use instep_core::clock::{Clock, Timestamp};
use instep_core::content::ContentId;
use instep_core::path::Name;
use instep_engine::digest::Digest;
use instep_engine::failure::EngineError;
use instep_engine::folder::Folder;
use instep_engine::workspace::{Opening, Workspace, find};
use instep_remote::memory::MemoryPlace;

use crate::line::Line;
use crate::world::{Machine, pair};

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }

    fn random(&self) -> u64 {
        7
    }
}

#[test]
fn a_damaged_database_is_put_aside_and_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("work");
    let own = home.path().join("home");
    fs::create_dir_all(&own).unwrap();
    let opening = Opening {
        home: &own,
        machine: "left",
        clock: Arc::new(Frozen),
        patience: Duration::ZERO,
        waiting: &|_| {},
    };
    let id = Workspace::create(&root, &opening).unwrap().machine.id;
    for bytes in [
        &b"not a database at all, and longer than its header would be ................................"[..],
        b"",
    ] {
        fs::write(root.join(".instep/state.db"), bytes).unwrap();
        let workspace = Workspace::open(&root, &opening).unwrap();
        assert_eq!(workspace.machine.id, id);
    }
    assert!(root.join(".instep/state.db.damaged").exists());
    fs::remove_file(root.join(".instep/state.db")).unwrap();
    assert_eq!(find(&root, &own).unwrap(), root);
    Workspace::open(&root, &opening).unwrap();
    // A disk that is not mounted is no fresh start.
    fs::rename(&root, home.path().join("elsewhere")).unwrap();
    assert!(matches!(find(&root, &own), Err(EngineError::Gone(gone)) if gone == root));
}

#[test]
fn a_file_that_a_power_cut_emptied_gets_back_what_it_had() {
    for left_over in ["", "\0\0\0\0\0"] {
        let (mut left, mut right) = pair(&[("f", "content"), ("g", "1")]);
        left.workspace.boot = Some("first".to_owned());
        left.write("g", "2");
        left.sync();
        left.workspace.boot = Some("second".to_owned());
        left.write("f", left_over);
        let outcome = left.sync();
        assert_eq!(outcome.notices.len(), 1, "{:?}", outcome.notices);
        assert!(outcome.notices[0].starts_with("the file f had lost its content"), "{:?}", outcome.notices);
        assert_eq!(left.drawing(), "f=content;g=2");
        right.sync();
        assert_eq!(right.drawing(), "f=content;g=2");
        // Without a restart it is what the person says it is.
        left.write("f", left_over);
        left.sync();
        right.sync();
        assert_eq!(right.drawing(), format!("f={left_over};g=2"));
    }
}

/// The blocks of a file that is in step get other bytes while its identity, length and times stay.
fn rot(machine: &mut Machine, path: &str, bytes: &str) {
    let good = ContentId::of(&fs::read(machine.root.join(path)).unwrap());
    machine.write(path, bytes);
    let folder = Arc::clone(&machine.workspace.folder);
    let name = Name::new(path.as_bytes()).unwrap();
    let noted = loop {
        let (metadata, observed) = (folder.metadata(&folder.root(), &name).unwrap(), folder.now().unwrap());
        let digest = Digest { metadata: metadata.unwrap(), content: good, observed };
        if !digest.is_racy() {
            break digest;
        }
        std::thread::yield_now();
    };
    machine.workspace.state.transact(|write| write.digests(&[noted])).unwrap();
}

#[test]
fn a_file_that_changed_without_a_trace_gets_back_what_it_had() {
    let (mut left, mut right) = pair(&[("f", "good"), ("g", "1")]);
    left.workspace.boot = Some("first".to_owned());
    left.write("g", "2");
    left.sync();
    right.sync();
    rot(&mut left, "f", "rot!");
    assert_eq!((left.sync().done.len(), left.drawing()), (0, "f=rot!;g=2".to_owned()), "nothing tells it");
    left.workspace.boot = Some("second".to_owned());
    let outcome = left.sync();
    assert_eq!(outcome.notices.len(), 1, "{:?}", outcome.notices);
    assert!(outcome.notices[0].starts_with("the file f had lost its content"), "{:?}", outcome.notices);
    assert_eq!(left.drawing(), "f=good;g=2");
    right.sync();
    assert_eq!(right.drawing(), "f=good;g=2");
    let kept = left.workspace.state.kept(b"f").unwrap();
    assert!(kept.iter().any(|kept| kept.content == ContentId::of(b"rot!")), "what was left is kept");
}

#[test]
fn a_damaged_file_is_not_forgotten_while_its_content_cannot_be_had() {
    let (place, good) = (MemoryPlace::new(), ContentId::of(b"good"));
    let mut machine = Machine::new("left", &place);
    machine.workspace.boot = Some("first".to_owned());
    machine.write("f", "good");
    machine.sync();
    rot(&mut machine, "f", "rot!");
    machine.workspace.boot = Some("second".to_owned());
    place.damage(good, None);
    for _ in 0..3 {
        let held = machine.sync().held;
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(held[0].code, "E-DAMAGED");
        machine.wait_days(1);
    }
    place.damage(good, Some(b"good"));
    machine.sync();
    assert_eq!(machine.drawing(), "f=good");
}

#[test]
fn a_remote_that_is_new_does_not_look_for_damage_in_the_place_of_the_one_that_is_known() {
    let mut machine = Machine::new("left", &MemoryPlace::new());
    machine.workspace.boot = Some("first".to_owned());
    machine.write("f", "good");
    machine.sync();
    machine.write("f", "");
    machine.workspace.boot = Some("second".to_owned());
    let known = std::mem::replace(&mut machine.remote, Line::at("another:", MemoryPlace::new().open()));
    machine.sync();
    machine.remote = known;
    machine.sync();
    assert_eq!(machine.drawing(), "f=good");
}

#[test]
fn what_stepped_aside_before_the_database_was_lost_comes_back() {
    let (mut left, _) = pair(&[("f", "content")]);
    let staging = left.root.join(".instep/staging");
    fs::write(staging.join("q-1234-1"), "an edit").unwrap();
    fs::create_dir(staging.join("p-1234-2")).unwrap();
    fs::write(staging.join("p-1234-2/inside"), "more").unwrap();
    fs::write(staging.join("c-1"), "a copy").unwrap();
    let outcome = left.sync();
    assert_eq!(outcome.notices.len(), 2, "{:?}", outcome.notices);
    let drawing = left.drawing();
    assert!(drawing.contains("=an edit") && drawing.contains("/inside=more"), "{drawing}");
    assert!(!drawing.contains("a copy"), "{drawing}");
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}
