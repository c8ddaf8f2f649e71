//! Trying again: whichever call fails, and whether or not it had its effect, the scenario ends as if none had.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use instep_core::progress::Silent;
use instep_core::remote::{Class, Remote, RemoteErrorKind};
use instep_remote::layer::retry::{Pace, Retry};
use instep_remote::memory::MemoryPlace;
use instep_testkit::flaky::{Cue, Flaky, When};
use instep_testkit::remote_suite::{Sketch, publish, read, upload};

fn retry(place: &MemoryPlace, cue: Cue, calls: &Arc<AtomicU64>) -> Retry {
    let flaky = Flaky::new(Box::new(place.open()), cue).counting_in(Arc::clone(calls));
    Retry::new(Box::new(flaky), Pace::default(), |_| ())
}

fn scenario(cue: Cue) -> u64 {
    let place = MemoryPlace::new();
    let calls = Arc::new(AtomicU64::new(0));
    let remote = retry(&place, cue, &calls);
    let first = publish(&remote, None, &Sketch::new().file("a", "1").file("d/b", "2"));
    let second = publish(&remote, Some(&first), &Sketch::new().file("a", "2"));
    assert_eq!(remote.head().unwrap().as_ref(), Some(&second));
    remote.lineage(&first, &second).unwrap();
    assert_eq!(read(&remote, &second), Sketch::new().file("a", "2"), "{cue:?}");
    assert_eq!(place.open().history(9).unwrap().len(), 2, "{cue:?}");
    calls.load(Ordering::SeqCst)
}

#[test]
fn each_call_may_fail_in_turn() {
    let calls = scenario(Cue::never());
    for when in [When::Before, When::After] {
        for call in 1..=calls {
            scenario(Cue::cut(call, when));
        }
    }
}

#[test]
fn it_gives_up_and_leaves_what_is_no_passing_failure() {
    let place = MemoryPlace::new();
    let calls = Arc::new(AtomicU64::new(0));
    let remote = retry(&place, Cue { count: 99, ..Cue::cut(1, When::Before) }, &calls);
    assert_eq!(remote.head().unwrap_err().class(), Class::Retry(None));
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    for kind in [RemoteErrorKind::Unauthorized, RemoteErrorKind::Stale, RemoteErrorKind::Corrupt] {
        let calls = Arc::new(AtomicU64::new(0));
        let cue = Cue { kind, ..Cue::cut(1, When::Before) };
        retry(&place, cue, &calls).head().unwrap_err();
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{kind:?}");
    }
}

#[test]
fn waits_grow_and_end() {
    let waits = Arc::new(std::sync::Mutex::new(Vec::new()));
    let flaky =
        Flaky::new(Box::new(MemoryPlace::new().open()), Cue { count: 99, ..Cue::cut(1, When::Before) });
    let pace = Pace {
        tries_max: 5,
        first_wait: Duration::from_secs(2),
        wait_max: Duration::from_secs(9),
        ..Pace::default()
    };
    let noted = Arc::clone(&waits);
    let remote = Retry::new(Box::new(flaky), pace, move |wait| noted.lock().unwrap().push(wait.as_secs()));
    assert!(remote.head().is_err());
    assert_eq!(*waits.lock().unwrap(), [2, 4, 8, 9]);
}

#[test]
fn what_arrived_is_not_asked_for_again() {
    let place = MemoryPlace::new();
    let calls = Arc::new(AtomicU64::new(0));
    let objects = upload(&place.open(), &[b"a", b"b"]);
    let remote = retry(&place, Cue::cut(1, When::After), &calls);
    let mut sink = instep_testkit::remote_suite::Collected::default();
    remote.fetch(&objects, &mut sink, &Silent).unwrap();
    assert_eq!(sink.0.len(), 2);
}
