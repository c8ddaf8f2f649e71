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
