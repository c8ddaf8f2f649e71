//! A repository that everybody can read takes nothing, unless a person of this machine says so.

use std::fs;

use instep_testkit::bare::Bare;
use instep_testkit::git_host::HttpHost;
use instep_testkit::machine::{Machine, Output, Pair};
use serde_json::Value;

/// `ann:secret`, as a login over HTTP says it.
const LOGIN: &str = "Basic YW5uOnNlY3JldA==";

/// A machine with a file, and a folder that hosts serve.
fn lab() -> (Pair, Bare) {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("x"), "1\n").unwrap();
    let bare = Bare::create(&pair.area().join("hosted/place.git"));
    (pair, bare)
}

fn init(machine: &Machine, url: &str, more: &[&str]) -> Output {
    let words = ["init", "--yes", "--allow-http", "--name", machine.name(), "--remote", url];
    machine.run(words.iter().chain(more))
}

/// The person's own login for the host.
fn log_in(machine: &Machine) {
    let text = "machine 127.0.0.1 login ann password secret\n";
    fs::write(machine.home().join(".netrc"), text).unwrap();
}

fn refused(output: &Output) {
    assert!(output.code == 6 && output.mentions("E-REMOTE-PUBLIC"), "{output}");
}

#[test]
fn a_public_repository_is_refused_before_anything_is_sent() {
    let (pair, bare) = lab();
    let host = HttpHost::serve(&pair.area().join("hosted"));
    let url = host.url("place.git");
    refused(&init(&pair.left, &url, &[]));
    let left: Vec<_> =
        fs::read_dir(pair.left.folder()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!((bare.refs().as_str(), left), ("", vec!["x".into()]));
    let allowed = init(&pair.left, &url, &["--allow-public"]);
    assert_eq!(allowed.code, 0, "{allowed}");
    fs::write(pair.left.folder().join("x"), "2\n").unwrap();
    assert_eq!(pair.left.run(["sync"]).code, 0);
    let doctor = pair.left.run(["doctor"]);
    assert!(
        doctor.code == 0 && doctor.mentions("everybody can read the repository, which you allowed"),
        "{doctor}"
    );

    // Who clones may read it, and is told before the first word is sent.
    let third = pair.right.at(pair.area());
    let cloned = third.run(["clone", "--allow-http", &url, "third"]);
    assert!(cloned.code == 0 && cloned.mentions("Everybody can read this repository."), "{cloned}");
    let third = pair.right.at(&pair.area().join("third"));
    let head = bare.head();
    fs::write(third.folder().join("y"), "mine\n").unwrap();
    refused(&third.run(["sync"]));
    assert_eq!((third.run(["pull"]).code, bare.head()), (0, head));
    let tested = third.run(["remote", "test", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&tested.stdout).unwrap()["public"], true);
    assert_eq!(third.run(["doctor"]).code, 1);
    assert_eq!(third.run(["config", "set", "sync.allow_public", "true", "--machine"]).code, 0);
    assert_eq!(third.run(["sync"]).code, 0);
}

#[test]
fn a_repository_behind_a_login_is_used_until_it_is_opened_to_the_world() {
    let (pair, bare) = lab();
    log_in(&pair.left);
    let hosted = pair.area().join("hosted");
    let private = HttpHost::serve_to(&hosted, LOGIN);
    let done = init(&pair.left, &private.url("place.git"), &[]);
    assert_eq!(done.code, 0, "{done}");
    let doctor = pair.left.run(["doctor"]);
    assert!(doctor.mentions("the repository asks for a login"), "{doctor}");
    assert_eq!(pair.left.run(["sync"]).code, 0);

    // The same place at another door, which is open: the answer of the first does not hold for it.
    let public = HttpHost::serve(&hosted);
    let url = public.url("place.git");
    refused(&pair.left.run(["remote", "set", "origin", &url, "--allow-http"]));
    assert_eq!(pair.left.run(["config", "set", "sync.remote", &url]).code, 0);
    fs::write(pair.left.folder().join("x"), "2\n").unwrap();
    let head = bare.head();
    refused(&pair.left.run(["sync"]));
    assert_eq!(bare.head(), head);
    let set = pair.left.run(["remote", "set", "origin", &url, "--allow-http", "--allow-public"]);
    assert_eq!(set.code, 0, "{set}");
    assert_eq!(pair.left.run(["sync", "--strategy", "keep-local"]).code, 0);
    assert_ne!(bare.head(), head);
    // Another place does not inherit the word.
    assert_eq!(pair.left.run(["remote", "set", "origin", &private.url("place.git"), "--allow-http"]).code, 0);
    assert_eq!(pair.left.run(["config", "get", "sync.allow_public"]).stdout, "false\n");
}

#[test]
fn a_remote_takes_nothing_above_its_limit_and_the_rest_goes() {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("small"), "1\n").unwrap();
    assert_eq!(pair.left.connect(&pair.bare).code, 0);
    let address = pair.bare.path().display().to_string();
    assert_eq!(pair.left.run(["remote", "set", "origin", &address, "--limit", "1KB"]).code, 0);
    fs::write(pair.left.folder().join("large"), [b'x'; 1001]).unwrap();
    fs::write(pair.left.folder().join("small"), "2\n").unwrap();
    let synced = pair.left.run(["sync"]);
    assert!(synced.code == 3 && synced.mentions("E-SIZE-REMOTE"), "{synced}");
    assert!(synced.mentions("1 sent") && synced.mentions("1 path held"), "{synced}");
    let explained = pair.left.run(["explain", "large"]);
    assert!(explained.mentions("1001 bytes are more than the 1000 that the remote takes"), "{explained}");
    let overruled = pair.left.run(["config", "set", "sync.limit", "2KB"]);
    assert!(overruled.mentions("Warning: instep.local.yaml line"), "{overruled}");
    assert_eq!(pair.left.run(["config", "set", "sync.limit", "2KB", "--machine"]).code, 0);
    assert_eq!(pair.left.run(["sync"]).code, 0);
}
