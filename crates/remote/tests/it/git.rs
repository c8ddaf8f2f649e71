//! Git remotes: the suite on each way to reach one, then what only git can do wrong.

pub mod lab;

use instep_testkit::remote_suite;
use lab::Lab;

remote_suite!(by_path, Lab::by_path().bench());
remote_suite!(by_http, Lab::by_http().bench());

/// Over ssh each call is a handshake: a few cases stand for all.
#[test]
fn by_ssh() {
    use instep_testkit::remote_suite as suite;
    for case in [suite::a_first_commit_is_seen_by_all, suite::of_two_racers_one_wins] {
        case(&Lab::by_ssh().bench());
    }
}

mod damage;
mod foreign;
mod hostile;
mod hosts;
mod places;
mod visibility;
