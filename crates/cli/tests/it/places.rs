//! Paths that differ between machines, as people meet them: a project that lies elsewhere on each of two machines.

use std::fs;

use expect_test::expect;
use instep_testkit::machine::{Machine, Output, Pair};

fn write(machine: &Machine, path: &str, text: &str) {
    let file = machine.folder().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[track_caller]
fn done(output: &Output) -> String {
    assert_eq!(output.code, 0, "{output}");
    output.stdout.clone()
}

/// A session of a project that lies elsewhere on each machine, seen by both.
fn agreed() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "instep.yaml", "groups:\n  sessions: { paths: ['projects/**'], remap_paths: true }\n");
    write(&pair.left, "instep.local.yaml", "places: { app: /home/ann/code/app }\n");
    write(&pair.left, "projects/-home-ann-code-app/1.jsonl", "{\"cwd\":\"/home/ann/code/app\"}\n");
    write(&pair.right, "instep.local.yaml", "places: { app: /srv/app }\n");
    pair.connect();
    pair
}

#[test]
fn a_project_at_two_paths_has_one_folder_of_sessions() {
    let pair = agreed();
    let there = pair.right.folder().join("projects/-srv-app/1.jsonl");
    assert_eq!(fs::read_to_string(&there).unwrap(), "{\"cwd\":\"/srv/app\"}\n");
    let sent = pair.bare.git(["show", "main:projects/-instep.app/1.jsonl"], b"");
    assert_eq!(sent, b"{\"cwd\":\"/instep.app\"}\n");
    write(&pair.right, "projects/-srv-app/2.jsonl", "{\"cwd\":\"/srv/app/sub\"}\n");
    done(&pair.right.run(["sync"]));
    done(&pair.left.run(["sync"]));
    let here = pair.left.folder().join("projects/-home-ann-code-app/2.jsonl");
    assert_eq!(fs::read_to_string(here).unwrap(), "{\"cwd\":\"/home/ann/code/app/sub\"}\n");
    for machine in [&pair.left, &pair.right] {
        assert!(done(&machine.run(["sync"])).contains("In sync"));
        done(&machine.run(["verify", "--read-data"]));
    }
}

#[test]
fn a_person_may_type_either_path_and_is_told_both() {
    let pair = agreed();
    for typed in ["projects/-srv-app/1.jsonl", "projects/-instep.app/1.jsonl"] {
        let told = done(&pair.right.run(["explain", typed]));
        let lines = told.lines().filter(|line| line.contains("disk") || line.contains("paths of"));
        let lines: String = lines.map(|line| format!("{}\n", line.trim())).collect();
        expect![[r#"
            on this disk  projects/-srv-app/1.jsonl
            paths of      app, home: each machine has its own
        "#]]
        .assert_eq(&lines);
    }
    write(&pair.right, "projects/-srv-app/1.jsonl", "{\"cwd\":\"/srv/app\"}\n{\"cwd\":\"/srv/app\"}\n");
    let told = done(&pair.right.run(["diff"]));
    assert!(told.contains("+{\"cwd\":\"/instep.app\"}") && !told.contains("/srv/app"), "{told}");
    fs::remove_dir_all(pair.right.folder().join("projects")).unwrap();
    done(&pair.right.run(["restore", "projects/-srv-app"]));
    let there = pair.right.folder().join("projects/-srv-app/1.jsonl");
    assert_eq!(fs::read_to_string(there).unwrap(), "{\"cwd\":\"/srv/app\"}\n");
}

#[test]
fn what_is_excluded_by_its_path_here_does_not_travel_by_another_name() {
    let pair = agreed();
    done(&pair.left.run(["config", "add", "exclude", "projects/-home-ann-code-app-x*/", "--machine"]));
    write(&pair.left, "projects/-home-ann-code-app-xy/1", "secret");
    let told = pair.left.run(["sync", "-n", "--json"]);
    assert!(told.code == 0 && !told.mentions("app-xy"), "{told}");
    let why = done(&pair.left.run(["explain", "projects/-home-ann-code-app-xy/1"]));
    assert!(why.contains("exclude \"projects/-instep.app-x*/\""), "{why}");
}

#[test]
fn a_place_that_is_none_is_told_with_its_line() {
    let pair = agreed();
    for (places, why) in [
        (
            "places: { app: code/app }\n",
            "`places.app` is an absolute path, or one that begins with ~/, not code/app",
        ),
        (
            "places: { App: /code/app }\n",
            "`places.App` is a place whose name is of small letters, digits and _, 32 at most, not App",
        ),
    ] {
        write(&pair.right, "instep.local.yaml", places);
        let told = pair.right.run(["sync"]);
        assert!(told.code == 2 && told.mentions(why) && told.mentions("instep.local.yaml"), "{told}");
    }
}

#[test]
fn where_a_place_is_on_one_machine_is_no_others_to_say() {
    let pair = agreed();
    let shared = fs::read_to_string(pair.left.folder().join("instep.yaml")).unwrap();
    write(&pair.left, "instep.yaml", &format!("{shared}places: {{ web: /home/ann/web }}\n"));
    write(&pair.left, "projects/-home-ann-web/1.jsonl", "{\"cwd\":\"/home/ann/web\"}\n");
    done(&pair.left.run(["sync"]));
    let sent = pair.bare.git(["show", "main:projects/-home-ann-web/1.jsonl"], b"");
    assert_eq!(sent, b"{\"cwd\":\"/home/ann/web\"}\n");
}
