//! Who may read a repository, asked as a stranger.

use instep_core::remote::Remote;
use instep_remote::git::Visibility;
use instep_testkit::git_host::{Answer, HttpHost};

use super::lab::Lab;

/// `ann:secret`, as a login over HTTP says it.
const LOGIN: &str = "Basic YW5uOnNlY3JldA==";

#[test]
fn a_repository_that_anybody_reads_is_public_even_if_empty() {
    let lab = Lab::by_http();
    assert_eq!(lab.open().visibility().unwrap(), Visibility::Public);
}

#[test]
fn a_repository_behind_a_login_is_private() {
    let lab = Lab::by_http_with(LOGIN);
    assert_eq!(lab.open().visibility().unwrap(), Visibility::Private);
}

/// All the ways in which git could find a login by itself.
#[test]
fn the_persons_own_logins_do_not_make_it_public() {
    for way in ["netrc", "helper", "header"] {
        let lab = Lab::by_http_with(LOGIN);
        match way {
            "netrc" => {
                let text = "machine 127.0.0.1 login ann password secret\n";
                std::fs::write(lab.folder.path().join(".netrc"), text).unwrap();
            }
            "helper" => {
                lab.set("credential.helper", "!f() { echo username=ann; echo password=secret; }; f");
            }
            _ => lab.set("http.extraHeader", &format!("Authorization: {LOGIN}")),
        }
        assert_eq!(lab.open().head().unwrap(), None, "{way}: the login works");
        assert_eq!(lab.open().visibility().unwrap(), Visibility::Private, "{way}");
    }
}

#[test]
fn what_can_not_be_asked_is_unknown() {
    let unknown = |lab: &Lab| match lab.open().visibility().unwrap() {
        Visibility::Unknown(why) => why,
        known => panic!("{known:?}"),
    };
    assert!(unknown(&Lab::by_path()).contains("path"));
    assert!(unknown(&Lab::by_ssh()).contains("ssh"));
    let answers = |status: &str| {
        let status = status.to_owned();
        let page = HttpHost::answer(Answer { status, headers: Vec::new(), body: "<html>".to_owned() });
        let mut lab = Lab::by_path();
        lab.address = page.url("place.git");
        unknown(&lab)
    };
    assert_eq!(answers("200 OK"), "what answers there is no git host");
    assert!(answers("503 Service Unavailable").starts_with("the host could not be asked: "));
}
