//! Questions and answers at a terminal.

use std::fs;

use expect_test::{Expect, expect};
use instep_testkit::conversation::converse;
use instep_testkit::machine::{Machine, Pair};

/// Right's side of a plan on which both changed three places, one of them alike.
fn contested() -> Pair {
    let pair = Pair::new(&crate::program());
    let plan = "# Plan\n\n## Budget\nQ4: 120k\n\n## People\nAna\n\n## Risks\nnone\n";
    write(&pair.left, plan);
    pair.connect();
    write(
        &pair.left,
        &plan.replace("120k", "128k").replace("Ana", "Ana, Bo").replace("# Plan", "# The plan"),
    );
    write(&pair.right, &plan.replace("120k", "135k").replace("Ana", "Ana, Cy"));
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    pair
}

fn write(machine: &Machine, text: &str) {
    fs::write(machine.folder().join("plan.md"), text).unwrap();
}

fn read(machine: &Machine) -> String {
    fs::read_to_string(machine.folder().join("plan.md")).unwrap()
}

/// What was said, without moments.
fn says(text: &str, expected: &Expect) {
    let steady = |word: &str| {
        if word.len() == 5 && word.as_bytes()[2] == b':' { "HH:MM".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(steady).collect::<Vec<_>>().join(" ").trim_end().to_owned();
    expected.assert_eq(&text.lines().map(|one| line(one) + "\n").collect::<String>());
}

#[test]
fn a_conflict_is_settled_place_by_place() {
    let pair = contested();
    let answers = ["a", "b", "u", "2", "p", "y"];
    let said = converse(&pair.right, ["resolve", "c1"], &answers);
    says(
        &said.stdout,
        &expect![[r#"

        plan.md  1 of 2  right HH:MM · left HH:MM
           2
           3   ## Budget
             - Q4: 120k   last agreed
             A Q4: 135k   right (here)
             B Q4: 128k   left
           5
           6   ## People
        keep  [s] skip the file  [a] right  [b] left  [2] both  [o] last agreed  [e] edit  [w] the whole file
        [s]
        plan.md  2 of 2  right HH:MM · left HH:MM
           5
           6   ## People
             - Ana       last agreed
             A Ana, Cy   right (here)
             B Ana, Bo   left
           8
           9   ## Risks
        keep  [s] skip the file  [a] right  [b] left  [2] both  [o] last agreed  [e] edit  [w] the whole file  [u] undo the last
        [s] 2 places settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y]
        plan.md  2 of 2  right HH:MM · left HH:MM
           5
           6   ## People
             - Ana       last agreed
             A Ana, Cy   right (here)
             B Ana, Bo   left
           8
           9   ## Risks
        keep  [s] skip the file  [a] right  [b] left  [2] both  [o] last agreed  [e] edit  [w] the whole file  [u] undo the last
        [s] 2 places settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y] --- plan.md (right (here))
        +++ plan.md (result)
        @@ -1,10 +1,11 @@
        -# Plan
        +# The plan

         ## Budget
         Q4: 135k

         ## People
         Ana, Cy
        +Ana, Bo

         ## Risks
         none
        2 places settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y] c1  plan.md  merged
        1 of 1 settled.

        Hint: `instep sync` tells the other machines; `instep undo` takes it back.
    "#]],
    );
    assert_eq!(said.code, 0);
    let settled = "# The plan\n\n## Budget\nQ4: 135k\n\n## People\nAna, Cy\nAna, Bo\n\n## Risks\nnone\n";
    assert_eq!(read(&pair.right), settled);
    assert_eq!((pair.right.run(["sync"]).code, pair.left.run(["sync"]).code), (0, 0));
    assert_eq!(read(&pair.left), settled);
}

#[test]
fn a_conflict_that_is_skipped_stays_as_it_is() {
    let pair = contested();
    let before = read(&pair.right);
    for answers in [&["s"][..], &["a", "s"], &["a", "b", "s"], &["w", "s"], &["a"]] {
        let said = converse(&pair.right, ["resolve"], answers);
        let is_left = said.code == 4 || (said.code == 2 && said.mentions("E-NO-INPUT"));
        assert!(is_left && read(&pair.right) == before, "{answers:?}: {said}");
        assert!(pair.right.run(["conflicts"]).mentions("c1"), "{answers:?}");
    }
}

#[test]
fn records_are_settled_one_by_one_and_what_is_new_stays() {
    let pair = Pair::new(&crate::program());
    let memories = |machine: &Machine, text: &str| {
        fs::create_dir_all(machine.folder().join("memories")).unwrap();
        fs::write(machine.folder().join("memories/m.json"), text).unwrap();
    };
    let one = |id: &str, text: &str| format!("  {{\"id\": \"{id}\", \"text\": \"{text}\"}}");
    let all = |records: &[String]| format!("[\n{}\n]\n", records.join(",\n"));
    let rules = "version: 1\ngroups:\n  memories:\n    paths: [memories/]\n    kind: records\n";
    fs::write(pair.left.folder().join("instep.yaml"), rules).unwrap();
    memories(&pair.left, &all(&[one("a", "tea"), one("b", "Porto")]));
    pair.connect();
    memories(&pair.left, &all(&[one("a", "green tea"), one("b", "Lisbon"), one("l", "left")]));
    memories(&pair.right, &all(&[one("a", "black tea"), one("b", "Faro"), one("r", "right")]));
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let said = converse(&pair.right, ["resolve"], &["a", "b", "y"]);
    says(
        &said.stdout,
        &expect![[r#"

        memories/m.json  1 of 2  right HH:MM · left HH:MM
          [a].text
             - "tea"         last agreed
             A "black tea"   right (here)
             B "green tea"   left
        keep  [s] skip the file  [a] right  [b] left  [l] line by line, or the whole file
        [s]
        memories/m.json  2 of 2  right HH:MM · left HH:MM
          [b].text
             - "Porto"    last agreed
             A "Faro"     right (here)
             B "Lisbon"   left
        keep  [s] skip the file  [a] right  [b] left  [l] line by line, or the whole file  [u] undo the last
        [s] 2 places settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y] c1  memories/m.json  merged
        1 of 1 settled.

        Hint: `instep sync` tells the other machines; `instep undo` takes it back.
    "#]],
    );
    let settled = fs::read_to_string(pair.right.folder().join("memories/m.json")).unwrap();
    assert_eq!(
        settled,
        all(&[one("a", "black tea"), one("b", "Lisbon"), one("l", "left"), one("r", "right")])
    );
    assert_eq!((pair.right.run(["sync"]).code, pair.left.run(["sync"]).code), (0, 0));
    assert_eq!(fs::read_to_string(pair.left.folder().join("memories/m.json")).unwrap(), settled);
}

#[test]
fn secrets_are_settled_by_name_and_seen_only_when_asked_for() {
    let pair = Pair::new(&crate::program());
    let env = |machine: &Machine, text: &str| fs::write(machine.folder().join(".env"), text).unwrap();
    env(&pair.left, "# keys\nTOKEN=old1\nURL=u\n");
    pair.connect();
    env(&pair.left, "# keys\nTOKEN=left1\nURL=u\nNEW=1\n");
    env(&pair.right, "# keys\nTOKEN=right1\nURL=u2\n");
    assert_eq!(pair.left.run(["sync"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let said = converse(&pair.right, ["resolve"], &["b", "y"]);
    assert!(!said.mentions("left1") && !said.mentions("right1") && !said.mentions("old1"), "{said}");
    assert_eq!(
        fs::read_to_string(pair.right.folder().join(".env")).unwrap(),
        "# keys\nTOKEN=left1\nURL=u2\nNEW=1\n"
    );
    assert_eq!(pair.right.run(["undo", "--yes"]).code, 0);
    assert_eq!(pair.right.run(["sync"]).code, 4);
    let said = converse(&pair.right, ["resolve"], &["v", "a", "p", "y"]);
    says(
        &said.stdout,
        &expect![[r#"

        .env  1 of 1  right HH:MM · left HH:MM
          TOKEN
             - (hidden)   last agreed
             A (hidden)   right (here)
             B (hidden)   left
        keep  [s] skip the file  [a] right  [b] left  [v] show the values  [l] line by line, or the whole file
        [s]
        .env  1 of 1  right HH:MM · left HH:MM
          TOKEN
             - old1     last agreed
             A right1   right (here)
             B left1    left
        keep  [s] skip the file  [a] right  [b] left  [l] line by line, or the whole file
        [s] 1 place settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y] --- .env (right (here))
        +++ .env (result)
        @@ -1,3 +1,4 @@
         # keys
         TOKEN=right1
         URL=u2
        +NEW=1
        1 place settled:  [y] save  [p] preview  [u] undo the last  [s] skip the file
        [y] c2  .env  merged
        1 of 1 settled.

        Hint: `instep sync` tells the other machines; `instep undo` takes it back.
    "#]],
    );
}
