//! Git remotes: the suite on each way to reach one, then what only git can do wrong.

pub mod lab;

use instep_testkit::remote_suite;
use lab::Lab;

remote_suite!(by_path, Lab::by_path().bench());
