//! Rules that come ready, and rules of other programs.

use std::fs;

use expect_test::expect;
use instep_testkit::machine::{Output, Pair};

fn init(pair: &Pair, more: &[&str]) -> Output {
    pair.left.init(&pair.bare, &[&["--no-sync"], more].concat())
}

/// The settings of all machines without our own words about them.
fn settings(pair: &Pair) -> String {
    let text = fs::read_to_string(pair.left.folder().join("instep.yaml")).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_preset_makes_settings_that_are_valid_and_act() {
    for name in ["agent-memory", "development", "notes", "secrets", "workflow", "workspace"] {
        let pair = Pair::new(&crate::program());
        let done = init(&pair, &["--preset", name]);
        assert_eq!(done.code, 0, "{name}: {done}");
        let checked = pair.left.run(["config", "check"]);
        assert_eq!(
            (checked.stdout.as_str(), checked.stderr.as_str()),
            ("The settings are valid.\n", ""),
            "{name}"
        );
    }
    let pair = Pair::new(&crate::program());
    let unknown = init(&pair, &["--preset", "kitchen"]);
    assert!(unknown.code == 2 && unknown.mentions("secrets: only what git ignores"), "{unknown}");
}

#[test]
fn a_workflow_sends_checkpoints_and_keeps_logs_and_secrets_here() {
    let pair = Pair::new(&crate::program());
    for path in ["checkpoints/1.json", "checkpoints/my-secret.json", "logs/1.log", "cache/x", "reports/r.md"]
    {
        let path = pair.left.folder().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1\n").unwrap();
    }
    assert_eq!(pair.left.init(&pair.bare, &["--preset", "workflow"]).code, 0);
    assert_eq!(pair.right.connect(&pair.bare).code, 0);
    let names = |folder: &str| {
        let Ok(list) = fs::read_dir(pair.right.folder().join(folder)) else { return Vec::new() };
        list.map(|one| one.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("checkpoints"), names("reports")),
        (vec!["1.json".to_owned()], vec!["r.md".to_owned()])
    );
    assert_eq!((names("logs"), names("cache")), (Vec::new(), Vec::new()));
}

#[test]
fn settings_of_a_private_sync_are_taken_over_but_for_its_key() {
    let pair = Pair::new(&crate::program());
    let text = format!(
        "mode: fast\nprivateSync:\n  enabled: true\n  repositoryPath: \"{}\"\n  branch: \"main\"\n  \
         encryptionKey: \"0123456789abcdef\"  # optional\n  syncInterval: 60  # Minutes\n  includeCheckpoints: true\n  \
         includeCache: false\n  excludePatterns:\n    - \"*secret*\"\n    - \"checkpoint-*test*\"\n  colour: blue\n",
        pair.bare.path().display()
    );
    let file = pair.left.folder().join("orchestrator.config.yml");
    fs::write(&file, text).unwrap();
    let words = ["init", "--yes", "--no-sync", "--name", "left", "--from", "orchestrator.config.yml"];
    let refused = pair.left.run(words);
    assert!(refused.code == 2 && refused.mentions("E-LATER"), "{refused}");
    assert!(
        !refused.mentions("0123456789abcdef") && !pair.left.folder().join(".instep").exists(),
        "{refused}"
    );
    let taken = pair.left.run(words.iter().chain(&["--encrypt", "none"]));
    assert_eq!(taken.code, 0, "{taken}");
    let warnings: String = taken
        .stderr
        .lines()
        .filter(|line| line.starts_with("Warning"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        Warning: orchestrator.config.yml line 1 is left out: it is no setting of a sync.
        Warning: orchestrator.config.yml line 6 is left out: encryptionKey: a key is never imported, and this version does not encrypt.
        Warning: orchestrator.config.yml line 13 is left out: colour: not known here.
    "#]].assert_eq(&warnings);
    expect![[r#"
        version: 1
        sync:
          conflict_strategy: merge   # merge, ask-user, last-write-wins, keep-local, keep-remote, or both
          gitignore: off   # off, respect, or only-ignored
          exclude: ['*secret*', 'checkpoint-*test*', /orchestrator.config.yml]
          sync_interval: 60
        groups:
          checkpoints:
            paths: ['checkpoints/**']
            enabled: true
          cache:
            paths: ['cache/**']
            enabled: false
    "#]]
    .assert_eq(&settings(&pair));
    assert_eq!(pair.left.run(["config", "check"]).stderr, "");
}

#[test]
fn lists_of_patterns_are_taken_over_in_their_order() {
    let pair = Pair::new(&crate::program());
    fs::write(
        pair.left.folder().join(".rsync-exclude"),
        "# mine\nbuild/\n+ keep.log\n*.log\nsub/tmp/\n.env.local\n",
    )
    .unwrap();
    assert_eq!(init(&pair, &["--from", ".rsync-exclude"]).code, 0);
    expect![[r#"
        version: 1
        sync:
          conflict_strategy: merge   # merge, ask-user, last-write-wins, keep-local, keep-remote, or both
          gitignore: off   # off, respect, or only-ignored
          exclude: [.env.local, '**/sub/tmp/', '*.log', '!keep.log', build/]
    "#]]
    .assert_eq(&settings(&pair));
    for (name, reason) in [("a.log", "excluded"), ("keep.log", "nothing"), ("deep/sub/tmp/x", "excluded")] {
        let explained = pair.left.run(["explain", name, "--json"]);
        assert!(explained.stdout.contains(&format!(r#""reason":"{reason}"#)), "{name}: {explained}");
    }
    let missing = init(&pair, &["--from", "no-such"]);
    assert!(missing.code == 2 && missing.mentions("E-USAGE"), "{missing}");
}
