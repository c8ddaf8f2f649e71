//! Hosts that say too much: floods with signs that a terminal would obey, and places to fetch from that nobody asked for.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;

use instep_testkit::bare::Bare;
use instep_testkit::git_host::{Answer, HttpHost, SshHost};
use instep_testkit::machine::Pair;
use instep_testkit::proxy::Line;

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

#[test]
fn a_flood_of_words_is_cut_and_made_harmless() {
    const SAID_BYTES_MAX: usize = 100 << 10;
    let pair = connected();
    let host = HttpHost::answer(Answer {
        status: "403 Forbidden".to_owned(),
        headers: vec!["Content-Type: text/plain".to_owned()],
        body: "\u{1b}]0;owned\u{7}\u{1b}[2J flood of words\n".repeat(200_000),
    });
    assert_eq!(pair.left.run(["config", "set", "sync.remote", &host.url("place.git")]).code, 0);
    let synced = pair.left.run(["sync"]);
    let said = synced.stdout.len() + synced.stderr.len();
    assert!(synced.code == 7 && synced.mentions("E-"), "G20: exit {}, {said} bytes", synced.code);
    assert!(said < SAID_BYTES_MAX, "G20: {said} bytes were said");
    assert!(!synced.mentions("\u{1b}") && !synced.mentions("\u{7}"), "G20: a terminal would obey");
    nothing_lost_or_touched("G20", &pair);
}

#[test]
fn a_bundle_that_the_host_names_is_not_fetched() {
    let pair = Pair::new(&crate::program());
    let bare = Bare::create(&pair.area().join("hosted/place.git"));
    let host = HttpHost::serve(&pair.area().join("hosted"));
    let words = ["init", "--yes", "--allow-http", "--allow-public", "--name", "left", "--remote"];
    fs::write(pair.left.folder().join("x"), "1\n").unwrap();
    assert_eq!(pair.left.run(words.into_iter().chain([host.url("place.git").as_str()])).code, 0);
    let trap = HttpHost::answer(Answer { status: "200 OK".to_owned(), ..Answer::default() });
    let line = Line::to(trap.address());
    let bundle = format!("http://{}/all.bundle", line.address());
    for (key, value) in [
        ("uploadpack.advertiseBundleURIs", "true"),
        ("bundle.version", "1"),
        ("bundle.mode", "all"),
        ("bundle.all.uri", &bundle),
    ] {
        bare.git(["config", key, value], b"");
    }
    // The person's own git would fetch it.
    let config = pair.right.home().join(".gitconfig");
    let own = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{own}[transfer]\n\tbundleURI = true\n")).unwrap();
    let url = host.url("place.git");
    let joined = pair.right.run(["init", "--yes", "--allow-http", "--allow-public", "--remote", &url]);
    assert_eq!(joined.code, 0, "G17: {joined}");
    assert_eq!(fs::read_to_string(pair.right.folder().join("x")).unwrap(), "1\n");
    assert_eq!(line.connections(), 0, "G17: the bundle was asked for");
}

#[test]
fn a_network_that_answers_for_the_host_is_named() {
    let page = |status: &str, header: &str, body: &str| Answer {
        status: status.to_owned(),
        headers: vec![header.to_owned()],
        body: body.to_owned(),
    };
    let html = "Content-Type: text/html";
    let mut wrong = Vec::new();
    for (id, answer, exits, codes) in [
        ("a page", page("200 OK", html, "<html>Welcome</html>"), [5, 5], ["E-NET-PORTAL"]),
        ("nothing", page("200 OK", html, ""), [5, 5], ["E-NET-PORTAL"]),
        ("text", page("200 OK", "Content-Type: text/plain", "log in"), [5, 5], ["E-NET-PORTAL"]),
        ("login", page("511 Network Authentication Required", html, "log in"), [5, 5], ["E-NET-PORTAL"]),
        ("sent on", page("302 Found", "Location: http://127.0.0.1:1/login", ""), [6, 6], ["E-REDIRECT"]),
        ("sent to https", page("307 Moved", "Location: https://127.0.0.1:1/", ""), [6, 6], ["E-REDIRECT"]),
        ("too often", page("429 Too Many Requests", "Retry-After: 60", ""), [5, 5], ["E-NET-RATE"]),
        ("too often for ever", page("429 Too Many Requests", html, ""), [5, 5], ["E-NET-RATE"]),
        ("overloaded", page("503 Service Unavailable", html, "later"), [5, 5], ["E-NET-SERVER"]),
    ] {
        let pair = connected();
        let host = HttpHost::answer(answer);
        assert_eq!(pair.left.run(["config", "set", "sync.remote", &host.url("place.git")]).code, 0);
        let synced = pair.left.run(["sync"]);
        wrong.extend(wrong_error(&format!("E9 {id}"), &synced, &exits, &codes));
        nothing_lost_or_touched("E9", &pair);
    }
    all_right(wrong);
}

#[test]
fn what_a_host_says_while_it_takes_a_push_is_cut_and_made_harmless() {
    const SAID_BYTES_MAX: usize = 100 << 10;
    for (id, code) in [("accepts", 0), ("refuses", 7)] {
        let pair = Pair::new(&crate::program());
        let bare = Bare::create(&pair.area().join("hosted/place.git"));
        let host = HttpHost::serve(&pair.area().join("hosted"));
        fs::write(pair.left.folder().join("x"), "1\n").unwrap();
        let words = ["init", "--yes", "--allow-http", "--allow-public", "--name", "left", "--remote"];
        let url = host.url("place.git");
        assert_eq!(pair.left.run(words.into_iter().chain([url.as_str()])).code, 0, "G20");
        let hook = bare.path().join("hooks/pre-receive");
        let flood = "yes \"$(printf '\\033[2J\\007 flood of words')\" | head -c 20000000";
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{flood}\nexit {code}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(pair.left.folder().join("x"), "2\n").unwrap();
        let synced = pair.left.run(["sync"]);
        let said = synced.stdout.len() + synced.stderr.len();
        assert_eq!(synced.code, code, "G20 {id}: {said} bytes, {}", &synced.stderr[..said.min(2000)]);
        assert!(said < SAID_BYTES_MAX, "G20 {id}: {said} bytes were said");
        assert!(!synced.mentions("\u{1b}") && !synced.mentions("\u{7}"), "G20 {id}: a terminal would obey");
    }
}

#[test]
fn a_host_key_that_is_new_is_asked_about_and_one_that_changed_stops() {
    let pair = Pair::new(&crate::program());
    fs::write(pair.left.folder().join("x"), "1\n").unwrap();
    let host = SshHost::prepare(&pair.area().join("ssh"));
    let config = pair.left.home().join(".gitconfig");
    let mut config = fs::OpenOptions::new().append(true).open(config).unwrap();
    writeln!(config, "[core]\n\tsshCommand = {}", host.command()).unwrap();
    let url = format!("ssh://place{}", pair.bare.path().display());
    let joined = pair.left.run(["init", "--yes", "--name", "left", "--remote", &url]);
    assert_eq!(joined.code, 0, "U16: {joined}");
    host.forget();
    let mut wrong: Vec<_> =
        wrong_error("U16 unknown", &pair.left.run(["sync"]), &[7], &["E-SSH-HOSTKEY"]).into_iter().collect();
    host.trust("user");
    wrong.extend(wrong_error("U16 changed", &pair.left.run(["sync"]), &[6], &["E-SSH-HOSTKEY"]));
    host.trust("host");
    assert_eq!(pair.left.run(["sync"]).code, 0, "U16");
    all_right(wrong);
}
