//! Words that can't be right: addresses, branches, options, settings.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use instep_testkit::bare::Bare;
use instep_testkit::machine::{Machine, Pair};

use super::{all_right, connected, nothing_lost_or_touched, wrong_error};

#[test]
fn addresses_that_could_do_harm_are_refused() {
    let rows: [(&str, &[u8], &[i32], &str); 21] = [
        ("U2a", b"--upload-pack=touch x", &[2], "E-URL-DASH"),
        ("U2b", b"-oProxyCommand=touch x", &[2], "E-URL-DASH"),
        ("U4a", b"ssh://-Fcfg@example.com/abc", &[2], "E-URL-DASH"),
        ("U4b", b"ssh://-oProxyCommand=touch%20x/abc.git", &[2], "E-URL-DASH"),
        ("U4c", b"ssh://example.com/-abc.git", &[2], "E-URL-DASH"),
        ("U6a", b"https://example.com/a\nb.git", &[2], "E-URL-CONTROL"),
        ("U6b", b"https://example.com/a\rb.git", &[2], "E-URL-CONTROL"),
        ("U6c", b"https://example.com/a\tb.git", &[2], "E-URL-CONTROL"),
        ("U8a", b"http://example.com/a.git", &[2], "E-URL-PLAIN"),
        ("U8b", b"http://127.0.0.1:1/a.git", &[2], "E-URL-PLAIN"),
        ("U9a", b"git://example.com/a.git", &[2], "E-URL-SCHEME"),
        ("U9b", b"ftp://example.com/a.git", &[2], "E-URL-SCHEME"),
        ("U9c", b"file:///tmp/a.git", &[2], "E-URL-SCHEME"),
        ("U9d", b"ext::sh -c touch% x", &[2], "E-URL-SCHEME"),
        ("U13a", "https://g\u{456}thub.com/o/n.git".as_bytes(), &[2, 6], "xn--gthub-n2e.com"),
        ("U13b", "git@g\u{456}thub.com:o/n.git".as_bytes(), &[2, 6], "E-URL-IDN"),
        ("U14a", b".", &[2], "E-REMOTE-NESTED"),
        ("U14b", b"inside.git", &[2], "E-REMOTE-NESTED"),
        ("U15a", b"../a-file", &[2, 10], "E-REMOTE-FILE"),
        ("U15b", b"../no/such.git", &[2, 10], "E-REMOTE-MISSING"),
        ("U15c", b"../just-a-folder", &[2, 10], "E-REMOTE-"),
    ];
    let mut wrong = Vec::new();
    for (id, address, exits, code) in rows {
        let pair = Pair::new(&crate::program());
        fs::write(pair.area().join("a-file"), "").unwrap();
        fs::create_dir(pair.area().join("just-a-folder")).unwrap();
        fs::write(pair.area().join("just-a-folder/x"), "").unwrap();
        fs::write(pair.left.folder().join("keep"), "1").unwrap();
        let address = [b"--remote=", address].concat();
        let words = ["init", "--yes"].map(OsStr::new).into_iter().chain([OsStr::from_bytes(&address)]);
        let output = pair.left.run(words);
        wrong.extend(wrong_error(id, &output, exits, &[code]));
        if pair.left.folder().join(".instep").exists() || pair.left.folder().join("x").exists() {
            wrong.push(format!("{id}: it left a trace"));
        }
    }
    all_right(wrong);
}

#[test]
fn branches_that_no_git_takes_are_refused() {
    let long = "b".repeat(300);
    let rows = ["-x", "a..b", "a.lock", "HEAD", "refs/x", &long, "a\tb", "a b", ""];
    let wrong = rows.iter().filter_map(|branch| {
        let pair = Pair::new(&crate::program());
        let output = pair.left.init(&pair.bare, &[&format!("--branch={branch}")]);
        let codes = if branch.is_empty() { vec!["E-"] } else { vec!["E-GIT-REFNAME"] };
        wrong_error(&format!("G12 {branch:?}"), &output, &[2], &codes)
    });
    all_right(wrong.collect());
}

#[test]
fn a_missing_branch_lists_those_that_are_there() {
    let pair = Pair::new(&crate::program());
    let commit = pair.bare.commit(&pair.bare.tree(&[("100644", b"f", &pair.bare.blob(b"1"))]), None, "first");
    pair.bare.git(["update-ref", "refs/heads/master", &commit], b"");
    let output = pair.left.connect(&pair.bare);
    all_right(wrong_error("G11", &output, &[2, 10], &["E-GIT-BRANCH"]).into_iter().collect());
    assert!(output.mentions("master"), "G11: {output}");
    let output = pair.left.init(&pair.bare, &["--branch", "master"]);
    assert_eq!(output.code, 0, "G11: {output}");
}

#[test]
fn wrong_usage_names_the_command_and_exits_with_2() {
    let pair = connected();
    let rows: [&[&str]; 10] = [
        &["remote", "set", "origin", ""],
        &["init", "--branch", " "],
        &["sync", "--frobnicate"],
        &["sync", "--strategy"],
        &["sync", "--strategy", "coin-toss"],
        &["sync", "--allow", "everything"],
        &["restore"],
        &["frobnicate"],
        &["conflicts", "--kind", "nonsense"],
        &["watch"],
    ];
    let wrong = rows.iter().filter_map(|words| {
        let output = pair.left.run(*words);
        (output.code != 2 || !output.stderr.contains("E-")).then(|| format!("Y16 {words:?}: {output}"))
    });
    all_right(wrong.collect());
}

#[test]
fn settings_that_are_not_valid_are_named_with_their_place() {
    let deep = format!("groups: {}1{}", "{a: ".repeat(10_000), "}".repeat(10_000));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]\n";
    let globs = format!("sync:\n  exclude: [\"{{{}\"]\n", "a,".repeat(1000));
    let rows: [(&str, &[u8], &str); 18] = [
        ("Y1a", b"sync: [", "E-CONF-PARSE"),
        ("Y1b", b"sync:\n\tbranch: x\n", "E-CONF-PARSE"),
        ("Y1c", b"\xff\xfes\0y\0n\0c\0", "E-CONF-PARSE"),
        ("Y3", b"version: 1\nsync:\n  branch: a\n  branch: b\n", "E-CONF-DUP"),
        ("Y4a", b"sync:\n  sync_interval: -5\n", "E-CONF-"),
        ("Y4b", b"sync:\n  sync_interval: 0\n", "E-CONF-RANGE"),
        ("Y4c", b"sync:\n  sync_interval: 1e99\n", "E-CONF-"),
        ("Y4d", b"sync:\n  sync_interval: .nan\n", "E-CONF-"),
        ("Y5", b"sync:\n  enabled: yes\n", "E-CONF-TYPE"),
        ("Y6a", bomb.as_bytes(), "E-CONF-"),
        ("Y6b", deep.as_bytes(), "E-CONF-"),
        ("Y7", b"encryptionKey: sesame-opens\n", "E-CONF-SECRET"),
        ("Y11a", b"sync:\n  exclude: [\"a[\"]\n", "E-GLOB"),
        ("Y11b", globs.as_bytes(), "E-GLOB"),
        ("Y11c", b"sync:\n  exclude: [\"\"]\n", "E-"),
        ("Y19", b"version: 9\n", "E-CONF-VERSION"),
        ("Ykey", b"sync:\n  exlude: [a]\n", "E-CONF-KEY"),
        ("Ystrategy", b"sync:\n  conflict_strategy: coin-toss\n", "E-CONF-"),
    ];
    let mut wrong = Vec::new();
    for (id, text, code) in rows {
        let pair = connected();
        fs::write(pair.left.folder().join("instep.yaml"), text).unwrap();
        let refs = pair.bare.refs();
        let output = pair.left.run(["config", "check"]);
        wrong.extend(wrong_error(id, &output, &[2], &[code]));
        if output.mentions("sesame") {
            wrong.push(format!("{id}: the secret is printed"));
        }
        let output = pair.left.run(["sync"]);
        wrong.extend(wrong_error(&format!("{id} sync"), &output, &[2, 3], &[code]));
        let untouched = fs::read(pair.left.folder().join("instep.yaml")).ok().as_deref() == Some(text);
        if !untouched || pair.bare.refs() != refs {
            wrong.push(format!("{id}: the settings were touched or sent"));
        }
        nothing_lost_or_touched(id, &pair);
    }
    all_right(wrong);
}

#[test]
fn settings_without_end_cost_neither_time_nor_memory() {
    const MEMORY_KIB_MAX: &str = "200000";
    let pair = connected();
    let script = pair.left.home().join("little");
    let text = format!("#!/bin/sh\nulimit -v {MEMORY_KIB_MAX}\nexec {} \"$@\"\n", crate::program().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let little = Machine::new(&script, pair.area(), "left");
    // Each line names the one before it nine times: a thousand million words.
    let names = |number: usize| vec![format!("*a{}", number - 1); 9].join(",");
    let lines = (1..10).map(|number| format!("a{number}: &a{number} [{}]\n", names(number)));
    let bomb = format!("a0: &a0 [x]\n{}", lines.collect::<String>());
    let path = pair.left.folder().join("instep.yaml");
    let rows = [
        ("bomb", bomb),
        ("lists", format!("groups: {}", "[".repeat(100_000))),
        ("maps", format!("groups: {}", "{a: ".repeat(100_000))),
        ("long", format!("groups: {}", "a".repeat(20_000_000))),
        ("holes", String::new()),
    ];
    let mut wrong = Vec::new();
    for (id, text) in rows {
        fs::write(&path, text).unwrap();
        if id == "holes" {
            fs::File::create(&path).unwrap().set_len(2 << 30).unwrap();
        }
        for words in [&["config", "check"][..], &["sync"]] {
            let output = little.run(words);
            wrong.extend(wrong_error(&format!("Y6 {id} {words:?}"), &output, &[2, 3], &["E-CONF-LIMIT"]));
        }
    }
    all_right(wrong);
    nothing_lost_or_touched("Y6", &pair);
}

#[test]
fn a_whole_home_is_asked_about_first() {
    let pair = connected();
    let home = pair.left.at(pair.left.home());
    let output = home.run(["init", "--remote", &pair.bare.path().display().to_string()]);
    all_right(wrong_error("Y15", &output, &[2], &["E-NO-INPUT"]).into_iter().collect());
    assert!(output.mentions("whole home folder"), "Y15: {output}");
    assert!(!home.folder().join(".instep").exists(), "Y15: {output}");
}

#[test]
fn workspaces_do_not_nest_and_are_never_the_whole_disk() {
    let pair = connected();
    let inside = pair.left.folder().join("folder");
    let other = Bare::create(&pair.area().join("right/other.git"));
    let output = pair.left.at(&inside).connect(&other);
    all_right(wrong_error("Y14", &output, &[2, 6], &["E-"]).into_iter().collect());
    let root: Machine = pair.left.at("/".as_ref());
    let output = root.run(["init", "--no-input", "--remote", &other.path().display().to_string()]);
    all_right(wrong_error("Y15", &output, &[2, 6], &["E-"]).into_iter().collect());
    nothing_lost_or_touched("Y14", &pair);
}

#[test]
fn a_backslash_between_folders_is_explained() {
    let pair = connected();
    let mut wrong = Vec::new();
    for pattern in ["build\\out", "C:\\data\\x", "\\\\server\\share"] {
        let output = pair.left.run(["config", "add", "exclude", pattern]);
        wrong.extend(wrong_error(&format!("Y13 {pattern}"), &output, &[2], &["write `/` between folders"]));
    }
    // Where it protects a special character it is one, as in git.
    assert_eq!(pair.left.run(["config", "add", "exclude", "\\*.tmp"]).code, 0);
    all_right(wrong);
}

#[test]
fn which_of_several_values_acts_is_printed_with_the_losers() {
    let pair = connected();
    let shared = "version: 1\nsync:\n  branch: shared\n  exclude: ['.env']\n";
    fs::write(pair.left.folder().join("instep.yaml"), shared).unwrap();
    fs::write(pair.left.folder().join(".env"), "INSTEP_BRANCH=dotenv\n").unwrap();
    let shown = |variable: &str| {
        let variables = [("INSTEP_BRANCH", OsStr::new(variable))];
        let output = pair.left.run_with(&variables, ["config", "show", "--origin"]);
        let lines = output.stdout.lines().skip_while(|line| !line.starts_with("sync.branch"));
        let first = lines.clone().next().into_iter();
        let rest = lines.skip(1).take_while(|line| line.starts_with(' '));
        first
            .chain(rest)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let file = ["shared instep.yaml line 3: overruled", "main built in: overruled"];
    let dotenv = "dotenv .env INSTEP_BRANCH";
    let overruled = format!("{dotenv}: overruled");
    assert_eq!(
        shown("environment"),
        ["sync.branch environment INSTEP_BRANCH", &overruled, file[0], file[1]],
        "Y18"
    );
    // A variable that is set to nothing is not set.
    assert_eq!(shown(""), [&format!("sync.branch {dotenv}"), file[0], file[1]], "Y18 empty");
    fs::write(pair.left.folder().join(".env"), "INSTEP_BRANCH=\n").unwrap();
    assert_eq!(shown(""), ["sync.branch shared instep.yaml line 3", file[1]], "Y18 both empty");
}
