//! A network that fails: lines that are cut or go silent, hosts that are no git hosts, a person who has waited enough.

use std::fs;

use instep_testkit::bare::Bare;
use instep_testkit::git_host::{Answer, HttpHost};
use instep_testkit::machine::{Machine, Output, Pair, exit_code};
use instep_testkit::proxy::{Line, Weather};
use rustix::process::{Pid, Signal, kill_process_group};

/// Two machines that sync over HTTP; the left one by a line that may fail.
struct Net {
    pair: Pair,
    bare: Bare,
    line: Line,
    _host: HttpHost,
}

impl Net {
    fn new() -> Self {
        let pair = Pair::new(&crate::program());
        let bare = Bare::create(&pair.area().join("hosted/place.git"));
        let host = HttpHost::serve(&pair.area().join("hosted"));
        let line = Line::to(host.address());
        fs::write(pair.left.folder().join("x"), "1\n").unwrap();
        let joined = [
            (&pair.left, format!("http://{}/place.git", line.address())),
            (&pair.right, host.url("place.git")),
        ];
        for (machine, url) in joined {
            let words =
                ["init", "--yes", "--allow-http", "--allow-public", "--name", machine.name(), "--remote"];
            let done = machine.run(words.into_iter().chain([url.as_str()]));
            assert_eq!(done.code, 0, "{done}");
        }
        Net { pair, bare, line, _host: host }
    }
}

/// Bytes that do not compress, different for each seed.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..length).map(|_| next()).collect()
}

fn write(machine: &Machine, path: &str, bytes: &[u8]) {
    fs::write(machine.folder().join(path), bytes).unwrap();
}

fn temporary(output: &Output, when: &str) {
    assert!(output.code == 5 && output.mentions("E-NET-"), "{when}: {output}");
    assert!(output.mentions("Nothing is lost"), "{when}: {output}");
}

#[test]
fn a_line_that_is_cut_costs_only_time() {
    let net = Net::new();
    let (left, right) = (&net.pair.left, &net.pair.right);
    for (round, weather) in
        [Weather::Refused, Weather::CutAfter(0), Weather::CutAfter(700), Weather::CutAfter(3_000)]
            .into_iter()
            .enumerate()
    {
        let when = format!("{weather:?}");
        let (mine, theirs) = (noise(round as u32, 20_000), noise(round as u32 + 100, 20_000));
        write(left, "mine", &mine);
        write(right, "theirs", &theirs);
        assert_eq!(right.run(["sync"]).code, 0);
        net.line.set(weather);
        temporary(&left.run(["sync"]), &when);
        assert_eq!(fs::read(left.folder().join("mine")).unwrap(), mine, "{when}");
        let status = left.run(["status"]);
        assert!(status.code == 0 && status.mentions("to send"), "{when}: {status}");
        net.line.set(Weather::Fair);
        let done = left.run(["sync"]);
        assert_eq!(done.code, 0, "{when}: {done}");
        assert_eq!(fs::read(left.folder().join("theirs")).unwrap(), theirs, "{when}");
        assert_eq!(right.run(["sync"]).code, 0);
        assert_eq!(fs::read(right.folder().join("mine")).unwrap(), mine, "{when}");
    }
    net.bare.git(["fsck", "--strict", "--no-progress"], b"");
}

#[test]
fn a_silent_host_is_waited_for_once() {
    let net = Net::new();
    let left = &net.pair.left;
    assert_eq!(left.run(["config", "set", "sync.patience", "1s", "--machine"]).code, 0);
    write(left, "mine", &noise(7, 20_000));
    for (weather, command) in [
        (Weather::Silent, &["sync"][..]),
        (Weather::Silent, &["status", "--fetch"]),
        (Weather::SilentAfter(100), &["push"]),
        (Weather::SilentAfter(700), &["pull"]),
    ] {
        net.line.set(weather);
        let when = format!("{weather:?} {command:?}");
        let before = net.line.connections();
        let started = std::time::Instant::now();
        let output = left.run(command);
        temporary(&output, &when);
        assert!(output.mentions("E-NET-TIMEOUT"), "{when}: {output}");
        // One question, and no other one that would wait as long; the usual patience alone would be 30 s.
        assert!(net.line.connections() - before <= 2, "{when}: {output}");
        assert!(started.elapsed().as_secs() < 20, "{when}: {output}");
    }
    net.line.set(Weather::Fair);
    assert_eq!(left.run(["sync"]).code, 0);
}

#[test]
fn a_host_that_falls_silent_in_a_push_is_not_waited_for_again() {
    let net = Net::new();
    let left = &net.pair.left;
    assert_eq!(left.run(["config", "set", "sync.patience", "1s", "--machine"]).code, 0);
    // It answers what the head is, and nothing that comes later.
    for (round, answered) in [1, 2, 3].into_iter().enumerate() {
        write(left, "mine", &noise(round as u32, 20_000));
        net.line.set(Weather::Fair);
        net.line.change_after(answered, Weather::Silent);
        let started = std::time::Instant::now();
        let output = left.run(["sync"]);
        if output.code != 0 {
            temporary(&output, &format!("{answered}"));
            assert!(output.mentions("E-NET-TIMEOUT"), "{answered}: {output}");
        }
        assert!(started.elapsed().as_secs() < 20, "{answered}: {output}");
        net.line.set(Weather::Fair);
        assert_eq!(left.run(["sync"]).code, 0);
    }
}

#[test]
fn a_line_that_is_only_slow_is_no_silent_one() {
    let net = Net::new();
    let (left, right) = (&net.pair.left, &net.pair.right);
    assert_eq!(left.run(["config", "set", "sync.patience", "3s", "--machine"]).code, 0);
    let (mine, theirs) = (noise(1, 48_000), noise(2, 5_000));
    write(right, "theirs", &theirs);
    assert_eq!(right.run(["sync"]).code, 0);
    write(left, "mine", &mine);
    // To send takes longer than a host may be silent, and nothing comes back meanwhile.
    net.line.set(Weather::Slow(12_000));
    let slow = left.run(["sync"]);
    assert!(slow.code == 0 && slow.mentions("1 sent, 1 received"), "E9: {slow}");
    assert_eq!(right.run(["sync"]).code, 0);
    assert_eq!(fs::read(right.folder().join("mine")).unwrap(), mine, "E9");
    assert_eq!(fs::read(left.folder().join("theirs")).unwrap(), theirs, "E9");
}

#[test]
fn a_status_that_can_not_ask_says_why_and_shows_what_changed_here() {
    let net = Net::new();
    let left = &net.pair.left;
    write(left, "mine", b"1\n");
    net.line.set(Weather::Refused);
    let asked = left.run(["status", "--fetch"]);
    temporary(&asked, "status --fetch");
    assert!(asked.stdout.contains("Problem: the remote can't be reached (E-NET-OFFLINE)"), "{asked}");
    assert!(asked.stdout.contains("Changed here\n  A  mine"), "{asked}");
    // Without asking, it answers from what is known.
    let status = left.run(["status"]);
    assert!(status.code == 0 && !status.mentions("can't be reached"), "{status}");
}

#[test]
fn a_login_page_of_a_network_is_no_git_host() {
    let net = Net::new();
    let head = net.bare.head();
    let page = HttpHost::answer(Answer {
        status: "200 OK".to_owned(),
        headers: vec!["Content-Type: text/html".to_owned()],
        body: "<html>Welcome to our hotel</html>".to_owned(),
    });
    let left = &net.pair.left;
    assert_eq!(left.run(["config", "set", "sync.remote", &page.url("place.git")]).code, 0);
    write(left, "x", b"2\n");
    let answer = left.run(["sync"]);
    assert!(answer.code == 5 && answer.mentions("E-NET-PORTAL"), "{answer}");
    assert_eq!((net.bare.head(), fs::read(left.folder().join("x")).unwrap()), (head, b"2\n".to_vec()));
}

#[test]
fn ctrl_c_while_a_host_is_silent_ends_with_130_and_the_next_run_goes_on() {
    let net = Net::new();
    let left = &net.pair.left;
    write(left, "x", b"2\n");
    net.line.set(Weather::Silent);
    let before = net.line.connections();
    let mut running = left.start(["sync"]);
    while net.line.connections() == before {
        std::thread::yield_now();
    }
    let started = std::time::Instant::now();
    kill_process_group(Pid::from_child(&running), Signal::INT).unwrap();
    let code = exit_code(running.wait().unwrap());
    assert_eq!(code, 130);
    assert!(started.elapsed().as_secs() < 20, "it waited for the host");
    net.line.set(Weather::Fair);
    let done = left.run(["sync"]);
    assert!(done.code == 0 && done.mentions("1 sent"), "{done}");
}

/// The processes stand still, and when they go on, nobody knows their connections any more.
#[test]
fn a_machine_that_slept_in_the_middle_of_a_transfer_goes_on() {
    let net = Net::new();
    let (left, right) = (&net.pair.left, &net.pair.right);
    let mine = noise(3, 400_000);
    write(left, "mine", &mine);
    net.line.set(Weather::Slow(200_000));
    let before = net.line.connections();
    let mut running = left.start(["sync"]);
    // The second connection carries the push.
    while net.line.connections() < before + 2 {
        std::thread::yield_now();
    }
    let group = Pid::from_child(&running);
    kill_process_group(group, Signal::STOP).unwrap();
    net.line.cut();
    net.line.set(Weather::Fair);
    kill_process_group(group, Signal::CONT).unwrap();
    let code = exit_code(running.wait().unwrap());
    assert!([0, 5].contains(&code), "E8: {code}");
    let done = left.run(["sync"]);
    assert_eq!(done.code, 0, "E8: {done}");
    assert_eq!(right.run(["sync"]).code, 0);
    assert_eq!(fs::read(right.folder().join("mine")).unwrap(), mine, "E8");
}
