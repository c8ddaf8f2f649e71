//! What takes part, as tables.

use super::*;
use crate::path::Name;

fn texts(file: &str, here: bool, list: &[&str]) -> Vec<RuleText> {
    (1..)
        .zip(list)
        .map(|(line, text)| RuleText {
            text: (*text).to_owned(),
            place: RulePlace { file: file.into(), line: Some(line), here },
        })
        .collect()
}

/// Rules from text: each line is `key: pattern`, with `here-exclude` and `here-include` for this machine's.
fn rules(text: &str) -> FilterRules {
    let mut rules = FilterRules::default();
    for (key, value) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
        match key {
            "gitignore" if value == "respect" => rules.gitignore = GitignoreMode::Respect,
            "gitignore" => rules.gitignore = GitignoreMode::OnlyIgnored,
            "exclude" => rules.exclude.extend(texts("instep.yaml", false, &[value])),
            "here-exclude" => rules.exclude.extend(texts("instep.local.yaml", true, &[value])),
            "include" => rules.include.extend(texts("instep.yaml", false, &[value])),
            "within" => rules.within.extend(texts("instep.local.yaml", true, &[value])),
            "here-include" => rules.include.extend(texts("instep.local.yaml", true, &[value])),
            group => rules.groups.push(GroupRules {
                name: group.trim_start_matches('-').to_owned(),
                paths: texts("instep.yaml", false, &[value]),
                enabled: !group.starts_with('-'),
            }),
        }
    }
    rules
}

/// Ignore files from pairs of `folder/file` and text.
fn files(list: &[(&str, &str)]) -> IgnoreFiles {
    let mut files = IgnoreFiles::default();
    for (path, text) in list {
        let path = TreePath::new(path.as_bytes()).unwrap();
        let folder = path.parent().unwrap();
        match path.name().unwrap().as_bytes() {
            b".gitignore" => files.gitignore.insert(folder, text.as_bytes().to_vec()),
            _ => files.instepignore.insert(folder, text.as_bytes().to_vec()),
        };
    }
    files
}

/// One line for each path: `+` included, `~` passage, `-` excluded, `h` excluded here only, `r` reserved.
fn check(text: &str, ignore: &[(&str, &str)], expected: &str) {
    let filter = Filter::new(&rules(text)).unwrap();
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (sign, path) = line.split_once(' ').unwrap();
        let is_folder = path.ends_with('/');
        let path = TreePath::new(path.trim_end_matches('/').as_bytes()).unwrap();
        let got = match filter.decide_path(&path, is_folder, &files(ignore)) {
            Decision::Included => "+",
            Decision::Passage => "~",
            Decision::Excluded { here_only: true, .. } => "h",
            Decision::Excluded { .. } => "-",
            Decision::Reserved => "r",
        };
        assert_eq!(got, sign, "{path} with\n{text}");
    }
}

#[test]
fn everything_takes_part_but_what_is_built_in() {
    check(
        "",
        &[],
        "+ a
         + a/
         - node_modules/
         - x/node_modules/a/b
         + node_modules
         - .ssh/
         - .env.local
         - a.local.yaml
         + .env
         r .git/
         r .git/config
         r instep.local.yaml
         r x/.instep/
         + instep.yaml
         + .gitignore
         - .DS_Store",
    );
}

#[test]
fn the_last_match_wins_and_takes_back() {
    check(
        "exclude: *.log
         exclude: !keep.log
         exclude: !node_modules/
         exclude: build/
         exclude: !build/x",
        &[],
        "- a.log
         + keep.log
         + node_modules/
         + node_modules/a
         - build/
         - build/x",
    );
}

#[test]
fn only_this_machine_takes_back_what_is_protected() {
    check(
        "exclude: !*.local
         exclude: !.ssh/",
        &[(".instepignore", "!*.local\n!.ssh/\n")],
        "- a.local
         - .ssh/",
    );
    check(
        "exclude: *.local
         exclude: !*.local",
        &[],
        "- a.local",
    );
    check(
        "here-exclude: !*.local
         here-exclude: !.ssh/",
        &[],
        "+ a.local
         + .ssh/
         + .ssh/id",
    );
    check("here-exclude: !*.local", &[(".instepignore", "b.local\n")], "+ a.local\n- b.local");
    check("gitignore: respect", &[(".gitignore", "!a.local\n")], "- a.local");
}

#[test]
fn ignore_files_hold_from_their_folder_on() {
    check(
        "exclude: *.tmp",
        &[(".instepignore", "*.o\n/top\n"), ("x/.instepignore", "!keep.o\n/y\n!a.tmp\n")],
        "- a.o
         - x/a.o
         + x/keep.o
         + x/z/keep.o
         - top
         + x/top
         - x/y
         + y
         + x/z/y
         + x/a.tmp
         - a.tmp",
    );
}

#[test]
fn what_git_ignores_can_be_left_out() {
    let ignore = &[(".gitignore", "*.o\nout/\n!node_modules/\n"), ("x/.gitignore", "!a.o\n")][..];
    check("gitignore: respect", ignore, "- b.o\n+ x/a.o\n- out/\n- out/x\n+ out\n+ node_modules/");
    check("", ignore, "+ b.o\n+ out/\n- node_modules/");
    check("gitignore: respect\n exclude: !b.o", ignore, "+ b.o\n- c.o");
}

#[test]
fn only_what_git_ignores_can_take_part() {
    check(
        "gitignore: only-ignored
         exclude: *.o",
        &[(".gitignore", ".env\nout/\nnode_modules/\n*.o\n*.local\n")],
        "+ .env
         - a.c
         ~ src/
         - src/a.c
         + src/.env
         + out/
         + out/a.c
         - node_modules/
         - a.o
         - a.local
         + instep.yaml
         + src/.instepignore
         - src/instep.yaml
         - .gitignore",
    );
}

#[test]
fn include_narrows() {
    check(
        "include: *.json
         include: notes/**
         exclude: secret.json",
        &[],
        "+ a.json
         - a.txt
         - secret.json
         ~ src/
         + src/a.json
         ~ notes/
         + notes/a.txt
         + notes/deep/
         + notes/deep/a.txt
         + instep.yaml
         - src/instep.yaml
         - node_modules/",
    );
    check("include: /a/b/*.md", &[], "~ a/\n~ a/b/\n+ a/b/c.md\n- a/c/\n- b/\n- a/x.md");
    check("include: docs", &[], "+ docs/\n+ docs/a/b\n+ x/docs/a\n~ x/\n- x/a");
}

#[test]
fn this_machine_narrows_for_itself() {
    check(
        "here-include: notes/**
         here-exclude: big/
         exclude: *.tmp",
        &[],
        "+ notes/a
         - notes/a.tmp
         h other/
         h a
         h big/
         - x.tmp",
    );
    check("include: *.md\n here-include: notes/", &[], "+ notes/a.md\n- notes/a.txt\nh a.md\n- a.txt");
    check("exclude: *.log\n here-exclude: *.log", &[], "- a.log");
    check("exclude: *.log\n exclude: !b.log\n here-exclude: *.log", &[], "- a.log\nh b.log");
}

#[test]
fn a_path_belongs_to_the_last_group_that_names_it() {
    check(
        "-cache: cache/
         keep: cache/keep/**
         -logs: logs/**
         reports: reports/**",
        &[],
        "~ cache/
         - cache/a
         - cache/other/
         ~ cache/keep/
         + cache/keep/a
         + logs/
         - logs/a
         + reports/a
         + other",
    );
}

#[test]
fn the_answer_names_the_rule_and_the_place() {
    let rules = rules("exclude: *.log\n here-exclude: a.log");
    let filter = Filter::new(&rules).unwrap();
    let files = files(&[("x/.instepignore", "# note\n!b.log\nbad\u{1b}\n")]);
    let explain = |path: &str| filter.explain(&TreePath::new(path.as_bytes()).unwrap(), false, &files);
    let by = |path: &str| match explain(path).decision {
        Decision::Excluded { by, .. } => by.to_string(),
        decision => format!("{decision:?}"),
    };
    assert_eq!(by("c.log"), "instep.yaml line 1: exclude \"*.log\"");
    assert_eq!(by("a.log"), "instep.local.yaml line 1: exclude \"a.log\"");
    assert_eq!(by("node_modules/x"), "built in: \"node_modules/\"");
    assert_eq!(by("x/bad\u{1b}"), "x/.instepignore line 3: \"bad\\x1b\"");
    assert_eq!(by("x/b.log"), "Included");
    assert_eq!(explain("node_modules/x").at, TreePath::new(b"node_modules").unwrap());
    let all: Vec<String> = explain("x/b.log").rules.iter().map(RuleRef::to_string).collect();
    assert_eq!(all, ["instep.yaml line 1: exclude \"*.log\"", "x/.instepignore line 2: \"!b.log\""]);
}

#[test]
fn a_bad_pattern_is_refused_with_its_position() {
    let long = "a".repeat(1_001);
    let deep = "**/".repeat(50);
    let braces = "{a,b}".repeat(1_000);
    for (pattern, at, why) in [
        ("", 1, GlobFault::Empty),
        ("!", 1, GlobFault::Empty),
        ("/", 1, GlobFault::Empty),
        ("  ", 1, GlobFault::Empty),
        ("#a", 1, GlobFault::Comment),
        ("a[", 2, GlobFault::Class),
        ("[", 1, GlobFault::Class),
        ("[[:alpha:]", 1, GlobFault::Class),
        ("*.{a,b}", 3, GlobFault::Braces),
        ("build\\out", 6, GlobFault::Backslash),
        ("a\\", 2, GlobFault::Backslash),
        ("a\nb", 2, GlobFault::Control),
        (&deep, 25, GlobFault::Deep),
        (&long, 1_001, GlobFault::Long),
        (&braces, 1_001, GlobFault::Long),
    ] {
        let rules = FilterRules { exclude: texts("instep.yaml", false, &[pattern]), ..Default::default() };
        let error = Filter::new(&rules).unwrap_err();
        assert_eq!((error.at, error.why, error.code()), (at, why, "E-GLOB"), "{pattern}");
    }
    for pattern in ["[[:alpha:]]x", "[]]", "[!]]", "\\[", "\\{a,b}", "a\\ ", "*.[ch]", "{a", "!x", "\\!x"] {
        let rules = FilterRules { exclude: texts("instep.yaml", false, &[pattern]), ..Default::default() };
        assert!(Filter::new(&rules).is_ok(), "{pattern}");
    }
    let rules = FilterRules { include: texts("instep.yaml", false, &["!a"]), ..Default::default() };
    assert_eq!(Filter::new(&rules).unwrap_err().why, GlobFault::Negated);
}

#[test]
fn equal_rules_have_equal_hashes() {
    let hash = |text: &str| Filter::new(&rules(text)).unwrap().rules_hash();
    assert_eq!(hash("exclude: a"), hash("exclude: a"));
    let different =
        ["", "exclude: a", "include: a", "here-exclude: a", "gitignore: respect", "a: a", "-a: a"];
    for (at, one) in different.iter().enumerate() {
        for other in &different[at + 1..] {
            assert_ne!(hash(one), hash(other));
        }
    }
}

#[test]
fn names_that_are_no_text_take_part_like_others() {
    let filter = Filter::new(&rules("exclude: *.log")).unwrap();
    let root = filter.root(FolderFiles { instepignore: Some(b"\xff\xfe*\n"), ..FolderFiles::default() });
    let decide = |bytes: &[u8]| root.decide(&Name::new(bytes).unwrap(), false);
    assert_eq!(decide(b"\xff"), Decision::Included);
    assert!(matches!(decide(b"\xff.log"), Decision::Excluded { .. }));
    assert!(matches!(decide(b"\xff\xfea"), Decision::Excluded { .. }));
}

/// As `check`, by two versions of the rules that are in conflict: of the settings, and of the root's ignore file.
fn check_both(texts: [&str; 2], ignore: [&str; 2], expected: &str) {
    let [here, there] = texts.map(|text| Filter::new(&rules(text)).unwrap());
    let mut files = files(&[(".instepignore", ignore[0])]);
    if ignore[0] != ignore[1] {
        files.contested.insert(TreePath::root(), ignore[1].as_bytes().to_vec());
    }
    for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (sign, path) = line.split_once(' ').unwrap();
        let path = TreePath::new(path.as_bytes()).unwrap();
        for filter in [here.and(&there), there.and(&here)] {
            let got = if filter.decide_path(&path, false, &files).is_entered() { "+" } else { "-" };
            assert_eq!(got, sign, "{path}");
        }
    }
}

#[test]
fn while_rules_are_in_conflict_a_path_takes_part_only_by_both() {
    check_both(["exclude: *.log", "exclude: *.tmp"], ["", ""], "- a.log\n- d/b.tmp\n+ a.txt\n+ instep.yaml");
    check_both(["", ""], ["*.log\n", "*.tmp\n"], "- a.log\n- d/e/b.tmp\n+ a.txt\n+ .instepignore");
    check_both(["include: docs/**", "exclude: *.md"], ["", ""], "- docs/a.md\n+ docs/a.txt\n- other/a.txt");
    check_both(["exclude: *.log", ""], ["*\n!a.log\n", "secret\n"], "- b.txt\n- secret");
    // A file of rules that one version leaves out stays in sight, so that the conflict can end.
    check_both(["", "exclude: d.txt"], ["", "instep.*\n"], "- d.txt\n+ instep.yaml");
}

#[test]
fn two_versions_have_a_name_of_their_own_and_equal_ones_are_one() {
    let [one, two] = ["exclude: *.log", "exclude: *.tmp"].map(|text| Filter::new(&rules(text)).unwrap());
    assert_eq!(one.and(&one).rules_hash(), one.rules_hash());
    assert!(![one.rules_hash(), two.rules_hash()].contains(&one.and(&two).rules_hash()));
}

#[test]
fn what_a_remote_does_not_hold_takes_no_part_with_it() {
    let text = "exclude: *.log\ninclude: plans/\nwithin: plans/team/**\nwithin: *.duckdb";
    check(
        text,
        &[],
        "~ plans/
         ~ notes/
         + plans/team/a.txt
         - plans/team/a.log
         - plans/mine/a.txt
         - a.duckdb
         + plans/mine/b.duckdb
         - instep.yaml
         - .instepignore
         + plans/team/.instepignore",
    );
    // Whose machine says so makes no difference: it holds for both sides.
    check("within: team/**", &[], "- mine.txt\n + team/a.txt\n - instep.yaml");
}
