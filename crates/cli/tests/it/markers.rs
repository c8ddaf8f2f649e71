//! Markers in documents, as people meet them in the program.

use std::fs;

use expect_test::{Expect, expect};
use instep_testkit::machine::{Machine, Output, Pair};

const SETTINGS: &str = "groups:\n  documents: { paths: ['*.md'], conflict_style: markers }\n";
const PLAN: &str = "# Plan\n\n## Budget\nQ4: 120k\n\n## People\nAna\n";

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.folder().join(path), text).unwrap();
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.folder().join(path)).unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert_eq!(output.code, 0, "{output}");
}

/// A plan and settings that both changed.
fn contested() -> Pair {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "instep.yaml", SETTINGS);
    write(&pair.left, "plan.md", PLAN);
    write(&pair.left, "data.json", "{\"a\": 1}\n");
    pair.connect();
    for (machine, sum, code) in [(&pair.left, "128k", 0), (&pair.right, "135k", 4)] {
        write(machine, "plan.md", &PLAN.replace("120k", sum));
        write(machine, "data.json", &format!("{{\"a\": \"{sum}\"}}\n"));
        let sync = machine.run(["sync"]);
        assert_eq!(sync.code, code, "{sync}");
    }
    pair
}

/// What was said, without moments and what depends on them.
fn says(text: &str, expected: &Expect) {
    let line = |line: &str| {
        let cut = [", changed ", " (checked ", "operation "].iter().filter_map(|word| line.find(word)).min();
        let moment = |word: &str| word.trim_end_matches(',').len() == 5 && word.as_bytes()[2] == b':';
        let kept = &line[..cut.unwrap_or(line.len())];
        let words = kept.split(' ').map(|word| if moment(word) { "HH:MM" } else { word });
        words.collect::<Vec<_>>().join(" ").trim_end_matches([' ', ',']).to_owned() + "\n"
    };
    let lines = text.lines().filter(|line| !line.contains(" · origin ") && !line.contains("Done in"));
    expected.assert_eq(&lines.map(line).collect::<String>());
}

#[test]
fn a_document_shows_both_versions_until_the_markers_are_gone() {
    let pair = contested();
    expect![[r#"
        # Plan

        ## Budget
        <<<<<<< right
        Q4: 135k
        ||||||| base
        Q4: 120k
        =======
        Q4: 128k
        >>>>>>> left

        ## People
        Ana
    "#]]
    .assert_eq(&read(&pair.right, "plan.md"));
    assert_eq!(read(&pair.right, "data.json"), "{\"a\": \"135k\"}\n", "never in a file that programs read");
    assert_eq!(read(&pair.left, "plan.md"), PLAN.replace("120k", "128k"));
    done(&pair.left.run(["sync"]));
    says(
        &pair.right.run(["explain", "plan.md"]).stdout,
        &expect![[r#"
            In conflict since HH:MM (c2).
              because      changed on both: 1 place overlaps
              versions     right HH:MM · left HH:MM
              here         108 B
              there        42 B
              in the text  both versions stand between markers; `instep sync` settles it once they are gone
              last change  HH:MM
        "#]],
    );
    says(
        &pair.right.run(["diff", "plan.md"]).stdout,
        &expect![[r#"
        --- plan.md (left)
        +++ plan.md (right, here)
        @@ -1,7 +1,7 @@
         # Plan

         ## Budget
        -Q4: 128k
        +Q4: 135k

         ## People
         Ana
    "#]],
    );
    done(&pair.right.run(["verify", "--read-data"]));
    done(&pair.right.run(["resolve", "data.json", "--keep", "here"]));
    write(&pair.right, "plan.md", &PLAN.replace("120k", "130k"));
    done(&pair.right.run(["sync"]));
    done(&pair.left.run(["sync"]));
    assert_eq!(read(&pair.left, "plan.md"), PLAN.replace("120k", "130k"));
    done(&pair.right.run(["verify", "--read-data"]));
}

#[test]
fn a_preview_says_it_and_an_undo_takes_it_back() {
    let pair = contested();
    done(&pair.right.run(["undo", "--yes"]));
    assert_eq!(read(&pair.right, "plan.md"), PLAN.replace("120k", "135k"));
    let preview = pair.right.run(["sync", "-n"]);
    says(
        &preview.stdout,
        &expect![[r#"
              ⚠  data.json  changed on both: 1 place overlaps; both versions kept (c1)
              ⚠  plan.md    changed on both: 1 place overlaps; both versions kept (c2)
            Nothing would be sent or received.
        "#]],
    );
    assert!(preview.mentions("plan.md would show both versions between markers"), "{preview}");
    assert_eq!(read(&pair.right, "plan.md"), PLAN.replace("120k", "135k"));
    let sync = pair.right.run(["sync"]);
    assert_eq!(sync.code, 4, "{sync}");
    assert!(read(&pair.right, "plan.md").contains("<<<<<<< right"));
    done(&pair.right.run(["resolve", "--all", "--keep", "there"]));
    assert_eq!(read(&pair.right, "plan.md"), PLAN.replace("120k", "128k"));
    done(&pair.right.run(["sync"]));
}

#[test]
fn a_copy_stands_beside_and_deleting_it_is_the_answer() {
    let pair = Pair::new(&crate::program());
    write(&pair.left, "instep.yaml", &SETTINGS.replace("markers", "copy"));
    write(&pair.left, "plan.md", PLAN);
    pair.connect();
    write(&pair.left, "plan.md", &PLAN.replace("120k", "128k"));
    done(&pair.left.run(["sync"]));
    write(&pair.right, "plan.md", &PLAN.replace("120k", "135k"));
    let sync = pair.right.run(["sync"]);
    assert_eq!(sync.code, 4, "{sync}");
    let entries = fs::read_dir(pair.right.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let copy =
        entries.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("plan.left-")).unwrap();
    assert!(sync.mentions(&format!("stands beside it as {copy}")), "{sync}");
    assert_eq!(read(&pair.right, &copy), PLAN.replace("120k", "128k"));
    let explained = pair.right.run(["explain", &copy]);
    says(
        &explained.stdout,
        &expect![[r#"
            Not synced.
              because      it shows the other version of plan.md, which is in conflict, and goes when that is settled
              there        nothing, as far as is known
              last change  HH:MM
        "#]],
    );
    let status = pair.right.run(["status"]);
    assert!(!status.mentions(&copy), "{status}");
    fs::remove_file(pair.right.folder().join(&copy)).unwrap();
    done(&pair.right.run(["sync"]));
    done(&pair.left.run(["sync"]));
    assert_eq!(read(&pair.left, "plan.md"), PLAN.replace("120k", "135k"));
}

#[test]
fn a_marked_text_that_is_edited_and_moved_between_two_syncs_does_not_travel() {
    let pair = contested();
    let begun = read(&pair.right, "plan.md").replace("Ana", "Ana, Bo");
    // As an editor saves, and a person renames.
    write(&pair.right, "plan.md.tmp", &begun);
    fs::remove_file(pair.right.folder().join("plan.md")).unwrap();
    fs::rename(pair.right.folder().join("plan.md.tmp"), pair.right.folder().join("plans.md")).unwrap();
    write(&pair.right, "other.md", "# Other\n");
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let there = pair.bare.git(["cat-file", "--batch", "--batch-all-objects", "--unordered"], b"");
    assert!(!String::from_utf8_lossy(&there).contains("<<<<<<<"), "markers travelled");
    assert_eq!(read(&pair.right, "plans.md"), begun);
    // Settled under its new name, it goes on as any file.
    done(&pair.right.run(["resolve", "data.json", "--keep", "here"]));
    write(&pair.right, "plans.md", &PLAN.replace("120k", "130k").replace("Ana", "Ana, Bo"));
    done(&pair.right.run(["sync"]));
    done(&pair.left.run(["sync"]));
    assert_eq!(read(&pair.left, "plans.md"), PLAN.replace("120k", "130k").replace("Ana", "Ana, Bo"));
    assert!(!pair.left.folder().join("plan.md").exists());
}
