//! All workspaces of a person at a glance.

use std::fs;

use expect_test::expect;
use instep_testkit::machine::Pair;
use serde_json::Value;

#[test]
fn every_known_workspace_has_a_line_and_problems_stand_last() {
    let pair = Pair::new(&crate::program());
    let none = pair.left.run(["status", "--all"]);
    assert_eq!((none.code, none.stdout.as_str()), (0, "No workspace of yours is known on this machine.\n"));
    let folders = ["away", "changed", "quiet"].map(|name| pair.left.at(&pair.area().join(name)));
    for machine in &folders {
        fs::create_dir(machine.folder()).unwrap();
        fs::write(machine.folder().join("x"), "1\n").unwrap();
        let address = format!("--remote={}.git", machine.folder().display());
        assert_eq!(machine.run(["init", "--yes", "--name=left", &address]).code, 0);
    }
    fs::write(folders[1].folder().join("x"), "2\n").unwrap();
    fs::rename(folders[0].folder(), pair.area().join("elsewhere")).unwrap();
    let area = pair.area().display().to_string();
    let all = pair.left.run(["status", "--all"]);
    expect![[r#"
        AREA/quiet    ✓ In sync    checked just now
        AREA/changed  ↑ 1 to send    checked just now
        AREA/away     ✗ E-GUARD-ROOT  The folder of this workspace is gone.
    "#]]
    .assert_eq(&all.stdout.replace(&area, "AREA"));
    expect![[r#"

        Hint: one needs a look: `instep -C AREA/away status`.
    "#]]
    .assert_eq(&all.stderr.replace(&area, "AREA"));
    assert_eq!((all.code, pair.left.run(["status", "--all", "--exit-code"]).code), (0, 6));
    let object: Value = serde_json::from_str(&pair.left.run(["status", "--all", "--json"]).stdout).unwrap();
    let states: Vec<&Value> =
        object["workspaces"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["in-sync", "waiting", "problem"]);
    assert_eq!(object["workspaces"][2]["error"]["code"], "E-GUARD-ROOT");
}
