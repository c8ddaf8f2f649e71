//! The short form of the kill loop; `killer` of the test kit is the long one.

use std::io::Write;
use std::time::Duration;

use instep_testkit::kills::{self, Request};

#[test]
fn kills_at_any_moment_lose_nothing() {
    let request = Request { rounds: 45, seed: 20, time_max: Some(Duration::from_secs(40)) };
    let report = kills::run(&crate::program(), request).unwrap();
    writeln!(std::io::stdout(), "kill loop: {report}").unwrap();
    assert!(report.is_clean(), "{report}");
}
