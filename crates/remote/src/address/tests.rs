//! Tests of what is understood and what is refused.

use super::*;

fn parse(text: &str) -> Result<Address, RemoteError> {
    parse_as(text, None)
}

fn parse_as(text: &str, kind: Option<&str>) -> Result<Address, RemoteError> {
    Address::parse(&Typed { text, kind, cwd: Path::new("/nowhere"), root: None, allow_http: false })
}

fn code(text: &str) -> &'static str {
    match parse(text) {
        Ok(address) => panic!("{text} was understood as {address}"),
        Err(error) => error.code,
    }
}

#[test]
fn what_means_git_is_git() {
    for (text, url) in [
        ("git@h.example:team/x.git", "git@h.example:team/x.git"),
        ("git@h.example:team/x", "git@h.example:team/x"),
        ("bob@h.example:x.git", "bob@h.example:x.git"),
        ("h.example:x.git", "h.example:x.git"),
        ("ssh://git@h.example:2222/x.git", "ssh://git@h.example:2222/x.git"),
        ("git+ssh://h.example/x", "ssh://h.example/x"),
        ("git+https://h.example/x", "https://h.example/x"),
        ("https://h.example/x.git", "https://h.example/x.git"),
        ("https://h.example/x.git/", "https://h.example/x.git/"),
        ("https://bob@h.example/x.git", "https://bob@h.example/x.git"),
        ("https://github.com/o/n", "https://github.com/o/n"),
        ("HTTPS://GitHub.com/o/n", "https://GitHub.com/o/n"),
        ("ssh://git@github.com/o/n", "ssh://git@github.com/o/n"),
        ("me@github.com:o/n", "me@github.com:o/n"),
        ("gh:o/n", "https://github.com/o/n.git"),
        ("gl:group/sub/n.git", "https://gitlab.com/group/sub/n.git"),
        (" gh:o/n ", "https://github.com/o/n.git"),
    ] {
        assert_eq!(parse(text).unwrap().place(), &Place::Url(url.to_owned()), "{text}");
    }
    assert!(parse_as("https://h.example/x", Some("git")).is_ok());
    assert!(parse_as("h.example:x", Some("git")).is_ok());
}

#[test]
fn other_kinds_are_refused_by_name() {
    for (text, word) in [
        ("h.example:folder", "on a server"),
        ("ssh://h.example/folder", "on a server"),
        ("s3://bucket/x", "object store"),
        ("s3:bucket", "object store"),
        ("gs:bucket", "object store"),
        ("az:x", "object store"),
        ("store:/x", "object store"),
        ("https://h.example/x", "a hub"),
        ("/", "on this machine"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.code, "E-REMOTE-KIND", "{text}");
        assert!(error.message.contains(word), "{text}: {}", error.message);
    }
    assert_eq!(parse_as("gh:o/n", Some("hub")).unwrap_err().code, "E-REMOTE-KIND");
    assert_eq!(parse_as("gh:o/n", Some("nonsense")).unwrap_err().code, "E-REMOTE-KIND");
}

#[test]
fn attacks_are_refused_before_any_program_sees_them() {
    for (text, expected) in [
        ("", "E-URL-EMPTY"),
        ("  ", "E-URL-EMPTY"),
        ("--upload-pack=touch x", "E-URL-DASH"),
        ("-oProxyCommand=x", "E-URL-DASH"),
        ("ssh://-oProxyCommand=touch%20x/y.git", "E-URL-DASH"),
        ("ssh://-Fcfg@example.com/abc", "E-URL-DASH"),
        ("ssh://bob@-oProxyCommand=x/y.git", "E-URL-DASH"),
        ("ssh://h.example/-x.git", "E-URL-DASH"),
        ("-oProxyCommand=x:y.git", "E-URL-DASH"),
        ("bob@-h:x.git", "E-URL-DASH"),
        ("h.example:-x.git", "E-URL-DASH"),
        ("https://h.example/x\n.git", "E-URL-CONTROL"),
        ("https://h.example/x\r.git", "E-URL-CONTROL"),
        ("https://h.example/x\0.git", "E-URL-CONTROL"),
        ("https://h.example/x\t.git", "E-URL-CONTROL"),
        ("http://h.example/x.git", "E-URL-PLAIN"),
        ("http://127.0.0.1/x.git", "E-URL-PLAIN"),
        ("https://gіthub.com/o/n.git", "E-URL-IDN"),
        ("git@gіthub.com:o/n.git", "E-URL-IDN"),
        ("ssh://git@bücher.example/n.git", "E-URL-IDN"),
        ("git://h.example/x.git", "E-URL-SCHEME"),
        ("ftp://h.example/x.git", "E-URL-SCHEME"),
        ("file:///x.git", "E-URL-SCHEME"),
        ("file:/x.git", "E-URL-SCHEME"),
        ("ext::sh -c touch% x", "E-URL-SCHEME"),
        ("fd::17", "E-URL-SCHEME"),
        ("foo::https://h.example/x.git", "E-URL-SCHEME"),
        ("git+ext://x/y.git", "E-URL-SCHEME"),
        ("https://bob:hunter2@h.example/x.git", "E-URL-SECRET"),
        ("ssh://bob:hunter2@h.example/x.git", "E-URL-SECRET"),
        ("https://ghp_0123456789@github.com/o/n", "E-URL-SECRET"),
        ("https://glpat-0123@gitlab.com/o/n.git", "E-URL-SECRET"),
        ("https://h.example", "E-URL-PATH"),
        ("https:///x.git", "E-URL-PATH"),
        ("git@h.example:", "E-URL-PATH"),
        ("/nowhere/at/all", "E-REMOTE-MISSING"),
        ("/nowhere/at/all.git", "E-REMOTE-MISSING"),
        ("/dev/null", "E-REMOTE-FILE"),
    ] {
        assert_eq!(code(text), expected, "{text:?}");
    }
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    let allowed = |text| {
        Address::parse(&Typed { text, kind: None, cwd: Path::new("/"), root: None, allow_http: true }).is_ok()
    };
    assert!(allowed("http://127.0.0.1:8080/x.git"));
    assert!(allowed("http://localhost/x.git"));
    assert!(allowed("http://[::1]:80/x.git"));
    assert!(!allowed("http://127.0.0.1.evil.example/x.git"));
    assert!(!allowed("http://10.0.0.1/x.git"));
    assert!(!allowed("http://localhost@evil.example/x.git"));
}

#[test]
fn no_display_shows_a_secret() {
    for text in ["https://bob:hunter2@h/x.git\n", "https://bob:hunter2@h/x.git", "ssh://bob:hunter2@h/x"] {
        let error = parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    assert_eq!(redact("https://token@h/x"), "https://…@h/x");
    assert_eq!(redact("https://a:b@c@h/x"), "https://…@h/x");
    assert_eq!(redact("ssh://git@h/x"), "ssh://git@h/x");
    assert_eq!(redact("git@h:x.git"), "git@h:x.git");
}

#[test]
fn only_known_hosts_limit_a_file() {
    let limit = |text: &str| parse(text).unwrap().content_bytes_max();
    assert_eq!(limit("git@github.com:o/n.git"), Some(HOST_CONTENT_BYTES_MAX));
    assert_eq!(limit("ssh://git@gitlab.com:22/o/n.git"), Some(HOST_CONTENT_BYTES_MAX));
    assert_eq!(limit("gh:o/n"), Some(HOST_CONTENT_BYTES_MAX));
    assert_eq!(limit("git@h.example:o/n.git"), None);
    assert_eq!(limit("https://github.com.evil.example/n.git"), None);
}

#[test]
fn paths_are_judged_by_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["bare", "bare.git", "work/.git", "empty", "empty.git", "full.git/x", "root/sub"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    for repository in ["bare", "bare.git", "work/.git"] {
        for part in ["HEAD", "objects", "refs"] {
            std::fs::create_dir_all(at(repository).join(part)).unwrap();
        }
    }
    let root = at("root");
    let judge = |text: &str| {
        let cwd = folder.path();
        let typed = Typed { text, kind: None, cwd, root: Some(&root), allow_http: false };
        Address::parse(&typed).map_err(|error| error.code)
    };
    for text in ["bare", "./bare.git", "work", "empty.git", "new.git", "x/../new.git", "./-x.git"] {
        let address = judge(text).unwrap();
        assert!(matches!(address.place(), Place::Path(path) if path.is_absolute()), "{text}");
        assert!(!address.to_text().contains(".."), "{text}");
    }
    for (text, expected) in [
        ("empty", "E-REMOTE-KIND"),
        ("full.git", "E-REMOTE-NOREPO"),
        ("new", "E-REMOTE-MISSING"),
        ("no/new.git", "E-REMOTE-MISSING"),
        ("root", "E-REMOTE-NESTED"),
        ("root/sub/new.git", "E-REMOTE-NESTED"),
        (".", "E-REMOTE-NESTED"),
        ("..", "E-REMOTE-NESTED"),
    ] {
        assert_eq!(judge(text), Err(expected), "{text}");
    }
    std::os::unix::fs::symlink(&root, at("elsewhere")).unwrap();
    assert_eq!(judge("elsewhere/new.git"), Err("E-REMOTE-NESTED"), "links do not hide it");
}

#[test]
fn names_of_branches_follow_gits_rules() {
    for name in ["main", "instep", "team/work", "v1.2", "a@b", "é", "x.lockx", "a"] {
        assert!(check_branch(name).is_ok(), "{name}");
    }
    let long = "x".repeat(300);
    for name in [
        "-x",
        "a..b",
        "a.lock",
        "a.lock/b",
        "HEAD",
        "refs/x",
        "refs/heads/main",
        &long,
        "a\x07",
        "a b",
        " ",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "@",
        "a@{1}",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.",
        "\u{7f}",
    ] {
        assert_eq!(check_branch(name).unwrap_err().code, "E-GIT-REFNAME", "{name}");
    }
}
