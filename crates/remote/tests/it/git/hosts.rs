//! What hosts answer when something is wrong.

use instep_core::generate::Random;
use instep_core::remote::{Class, Remote, RemoteErrorKind};
use instep_testkit::git_host::{Answer, HttpHost};
use instep_testkit::remote_suite::{Sketch, draft_of, publish, read};

use super::lab::Lab;

fn asked(status: &str, header: &str, body: &str) -> (RemoteErrorKind, &'static str) {
    let host = HttpHost::answer(Answer {
        status: status.to_owned(),
        headers: vec![header.to_owned()],
        body: body.to_owned(),
    });
    let mut lab = Lab::by_path();
    lab.address = host.url("place.git");
    let error = lab.open().head().unwrap_err();
    (error.kind, error.code)
}

#[test]
fn each_answer_has_its_meaning() {
    use RemoteErrorKind::{Busy, NotFound, Offline, Unauthorized, Unsafe};
    let html = "Content-Type: text/html";
    for (status, header, body, kind, code) in [
        ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"", "", Unauthorized, "E-AUTH"),
        ("403 Forbidden", html, "", Unauthorized, "E-AUTH"),
        ("404 Not Found", html, "", NotFound, "E-REMOTE-MISSING"),
        ("429 Too Many Requests", "Retry-After: 60", "", Busy, "E-NET-RATE"),
        ("503 Service Unavailable", html, "", Offline, "E-NET-SERVER"),
        ("302 Found", "Location: http://127.0.0.1:1/elsewhere.git", "", Unsafe, "E-REDIRECT"),
        ("200 OK", html, "<html>Please log in</html>", Offline, "E-NET-PORTAL"),
    ] {
        assert_eq!(asked(status, header, body), (kind, code), "{status}");
    }
}

#[test]
fn a_closed_port_is_offline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut lab = Lab::by_path();
    lab.address = format!("http://{}/x.git", listener.local_addr().unwrap());
    drop(listener);
    let error = lab.open().head().unwrap_err();
    assert_eq!((error.code, error.class()), ("E-NET-OFFLINE", Class::Retry(None)));
}

#[test]
fn an_unknown_or_changed_host_key_stops() {
    let lab = Lab::by_ssh();
    lab.open().head().unwrap();
    lab.ssh().forget();
    let error = lab.open().head().unwrap_err();
    assert_eq!((error.kind, error.code), (RemoteErrorKind::Unauthorized, "E-SSH-HOSTKEY"), "{error:?}");
    lab.ssh().trust("user");
    let error = lab.open().head().unwrap_err();
    assert_eq!((error.kind, error.code), (RemoteErrorKind::Unsafe, "E-SSH-HOSTKEY"), "{error:?}");
}

#[test]
fn a_host_that_refuses_the_push_is_told() {
    use instep_testkit::remote_suite::{Sketch, draft_of};
    let lab = Lab::by_http();
    lab.git_place(["config", "receive.denyCreates", "true"], b"");
    let hook = lab.place().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'no \x1b[31mway'\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let remote = lab.open();
    let prepared = remote.prepare(None, &draft_of(&remote, &Sketch::new().file("f", "1"))).unwrap();
    let error = remote.commit(None, &prepared).unwrap_err();
    assert_eq!((error.code, error.class()), ("E-GIT-REJECTED", Class::Refused));
    assert!(error.message.contains("pre-receive hook declined"), "{error}");
    let cause = error.source.unwrap().to_string();
    assert!(cause.contains("way") && !cause.contains('\x1b'), "{cause}");
}

#[test]
fn what_a_host_would_not_take_at_once_goes_in_parts() {
    let lab = Lab::by_http();
    let drawn =
        (0..5).fold(Sketch::new(), |all, at| all.file(format!("{at}"), Random::new(at).bytes(40_000)));
    // The host refuses any pack of more than two of the files.
    lab.git_place(["config", "receive.maxInputSize", "100000"], b"");
    let error = {
        let remote = lab.open();
        let prepared = remote.prepare(None, &draft_of(&remote, &drawn)).unwrap();
        remote.commit(None, &prepared).unwrap_err()
    };
    assert_ne!(error.class(), Class::Stale, "{error:?}");
    let remote = lab.open().with_part_bytes_max(90_000);
    let head = publish(&remote, None, &drawn);
    assert_eq!(read(&lab.open(), &head), drawn);
    let names = |pattern: &str| lab.git_place(["for-each-ref", "--format=%(refname)", pattern], b"");
    assert_eq!(names("refs/"), "refs/heads/main", "nothing else is left");
    let small = drawn.file("small", "1");
    assert_eq!(read(&lab.open(), &publish(&remote, Some(&head), &small)), small);
}
