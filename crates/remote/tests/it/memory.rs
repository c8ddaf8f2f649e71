//! The reference passes.

use instep_remote::memory::MemoryPlace;
use instep_testkit::remote_suite::Bench;

fn bench() -> Bench {
    let place = MemoryPlace::new();
    let owner = place.clone();
    Bench {
        open: Box::new(move || Box::new(place.open())),
        put_back: Box::new(move |to| owner.put_back(to)),
        keep: Box::new(()),
    }
}

instep_testkit::remote_suite!(suite, bench());
