//! Shared rules: they decide before anything else does, both versions while they are in conflict, and the last good
//! ones while what stands somewhere is not valid.

use std::fs;
use std::path::{Path, PathBuf};

use instep_core::config::{Layer, Settings, Trust};
use instep_core::filter::Filter;
use instep_core::path::TreePath;
use instep_core::progress::Silent;
use instep_core::tree::Unknown;
use instep_engine::conflict::resolve::{Choice, resolve};
use instep_engine::cycle;
use instep_engine::cycle::outcome::Outcome;
use instep_engine::cycle::request::Request;
use instep_engine::cycle::settings::{SettingsSource, SyncSettings};
use instep_engine::explain::{Verdict, explain};
use instep_engine::failure::EngineError;
use instep_engine::reach::Reach;

use crate::world::{Machine, pair};

/// The settings as `instep.yaml` in a folder gives them.
struct FromFile(PathBuf);

impl SettingsSource for FromFile {
    fn read(&self) -> Result<SyncSettings, EngineError> {
        self.read_as(&self.shared()?.unwrap())
    }

    fn shared(&self) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(Some(fs::read(self.0.join("instep.yaml")).unwrap_or_default()))
    }

    fn read_as(&self, shared: &[u8]) -> Result<SyncSettings, EngineError> {
        let layer = Layer::shared("instep.yaml", shared);
        let settings =
            layer.and_then(|layer| Settings::resolve(vec![layer], Trust::Withheld)).map_err(|error| {
                EngineError::Settings { code: error.code(), why: error.to_string(), hint: None }
            })?;
        let filter = Filter::new(&settings.config().filter_rules("here")).unwrap();
        Ok(SyncSettings { filter, ..SyncSettings::default() })
    }
}

fn run(machine: &mut Machine, request: Request) -> Result<Outcome, EngineError> {
    let source = FromFile(machine.root.clone());
    let request = Request { explicit: true, ..request };
    cycle::run(&mut machine.workspace, &machine.remote, &source, &request, &Silent)
}

fn sync(machine: &mut Machine) -> Outcome {
    run(machine, Request::default()).unwrap()
}

fn preview(machine: &mut Machine) -> Vec<String> {
    let outcome = run(machine, Request { dry_run: true, ..Request::default() }).unwrap();
    outcome.done.iter().map(|done| done.path.to_string()).collect()
}

fn exclude(patterns: &str) -> String {
    format!("sync:\n  exclude: [{patterns}]\n")
}

fn held(outcome: &Outcome) -> Vec<(String, &'static str)> {
    outcome.held.iter().map(|held| (held.path.to_string(), held.code)).collect()
}

fn stands(machine: &Machine, path: &str) -> bool {
    Path::new(&machine.root).join(path).exists()
}

#[test]
fn a_preview_plans_by_the_rules_that_arrive_as_a_sync_does() {
    for (file, text) in [("instep.yaml", exclude("'*.log'")), (".instepignore", "*.log\n".to_owned())] {
        let (mut left, mut right) = pair(&[("a", "1"), (file, "")]);
        left.write(file, &text);
        sync(&mut left);
        right.write("x.log", "mine");
        right.write("z", "2");
        assert_eq!(preview(&mut right), [file, "z"]);
        let done: Vec<String> = sync(&mut right).done.iter().map(|done| done.path.to_string()).collect();
        assert_eq!(done, [file, "z"]);
        sync(&mut left);
        assert!(!stands(&left, "x.log") && stands(&left, "z"));
        assert!(sync(&mut right).done.is_empty());
    }
}

#[test]
fn rules_that_go_decide_as_rules_that_come() {
    let (mut left, mut right) = pair(&[("a", "1"), ("d/.instepignore", "*.log\n")]);
    right.write("d/x.log", "hidden until now");
    assert!(sync(&mut right).done.is_empty());
    left.remove("d/.instepignore");
    sync(&mut left);
    assert_eq!(preview(&mut right), ["d/.instepignore", "d/x.log"]);
    sync(&mut right);
    sync(&mut left);
    assert!(stands(&left, "d/x.log"));
}

#[test]
fn a_halt_leaves_the_rules_that_were_to_arrive_outside() {
    let names: Vec<String> = (0..300).map(|number| format!("big/{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let (mut left, mut right) = pair(&[&files[..], &[("instep.yaml", ""), ("f", "1")]].concat());
    left.write("instep.yaml", &exclude("'*.log'"));
    sync(&mut left);
    right.remove("big");
    assert!(matches!(run(&mut right, Request::default()), Err(EngineError::Halted(_))));
    assert_eq!(fs::read_to_string(right.root.join("instep.yaml")).unwrap(), "");
}

/// A pair whose rules are in conflict: the left one leaves out `*.tmp`, the right one `*.log`.
fn in_conflict(file: &str, texts: [&str; 3]) -> (Machine, Machine) {
    let (mut left, right) = pair(&[("a", "1"), (file, texts[0])]);
    left.write(file, texts[1]);
    right.write(file, texts[2]);
    sync(&mut left);
    (left, right)
}

#[test]
fn while_rules_are_in_conflict_a_path_takes_part_only_by_both() {
    let texts = [("'x'", 25), ("'*.tmp'", 10), ("'*.log'", 50)]
        .map(|(left_out, percent)| exclude(left_out) + &format!("  max_delete: {percent}%\n"));
    let settings = ("instep.yaml", [texts[0].as_str(), &texts[1], &texts[2]]);
    for (file, texts) in [settings, (".instepignore", ["x\n", "*.tmp\n!kept.tmp\n", "*.log\n"])] {
        let (mut left, mut right) = in_conflict(file, texts);
        for name in ["here.tmp", "here.log", "here.txt"] {
            right.write(name, "1");
        }
        // In the cycle that finds the conflict, and in those that meet it on record.
        assert_eq!(preview(&mut right), ["here.txt"], "{file}");
        assert_eq!(sync(&mut right).conflicts.len(), 1);
        right.write("later.tmp", "1");
        right.write("d/later.log", "1");
        assert!(sync(&mut right).done.iter().all(|done| done.path.to_string() == "d"));
        let source = FromFile(right.root.clone());
        let reach = Reach::open(&right.remote);
        let path = TreePath::new(b"later.tmp").unwrap();
        let explained = explain(&right.workspace, Some(&reach), &source, &path, &Silent).unwrap();
        assert!(matches!(explained.verdict, Verdict::NotSynced(Unknown::Excluded(_))), "{explained:?}");
        sync(&mut left);
        assert!(stands(&left, "here.txt") && !stands(&left, "later.tmp") && !stands(&left, "here.tmp"));
        // Once it is settled, the one version decides.
        resolve(&mut right.workspace, &right.remote, &source, &[(1, Choice::Here)], &Silent).unwrap();
        sync(&mut right);
        sync(&mut left);
        assert!(stands(&left, "here.tmp") && stands(&left, "later.tmp") && !stands(&left, "d/later.log"));
    }
}

const BROKEN: &str = "sync:\n  exclude: [\n";

#[test]
fn settings_that_are_broken_here_are_held_and_the_last_good_ones_stay_in_force() {
    let (mut left, mut right) = pair(&[("a", "1"), ("instep.yaml", &exclude("'*.log'"))]);
    sync(&mut left);
    left.write("instep.yaml", BROKEN);
    left.write("x.log", "still left out");
    left.write("b", "2");
    let outcome = sync(&mut left);
    assert_eq!(held(&outcome), [("instep.yaml".to_owned(), "E-CONF-PARSE")]);
    assert!(outcome.held[0].why.contains("last good settings"), "{:?}", outcome.held);
    assert_eq!(held(&sync(&mut left)).len(), 1, "said again");
    sync(&mut right);
    assert!(stands(&right, "b") && !stands(&right, "x.log"));
    assert_eq!(fs::read_to_string(right.root.join("instep.yaml")).unwrap(), exclude("'*.log'"));
    // Repaired, it goes.
    left.write("instep.yaml", &exclude("'*.tmp'"));
    assert!(sync(&mut left).held.is_empty());
    sync(&mut right);
    assert_eq!(fs::read_to_string(right.root.join("instep.yaml")).unwrap(), exclude("'*.tmp'"));
    assert!(stands(&right, "x.log"));
}

#[test]
fn broken_settings_without_good_ones_before_end_a_sync() {
    let place = instep_remote::memory::MemoryPlace::new();
    let mut left = Machine::new("left", &place);
    left.write("instep.yaml", BROKEN);
    let ended = run(&mut left, Request::default());
    assert!(matches!(ended, Err(EngineError::Settings { code: "E-CONF-PARSE", .. })), "{ended:?}");
}

/// A pair, and a machine that sends whatever it has, as plain git does.
fn with_careless() -> (Machine, Machine, Machine) {
    let place = instep_remote::memory::MemoryPlace::new();
    let [mut left, mut right, mut careless] =
        ["left", "right", "careless"].map(|name| Machine::new(name, &place));
    left.write("a", "1");
    left.write("instep.yaml", &exclude("'*.log'"));
    sync(&mut left);
    sync(&mut right);
    careless.sync();
    careless.write("instep.yaml", BROKEN);
    careless.write("b", "2");
    careless.sync();
    (left, right, careless)
}

#[test]
fn broken_settings_that_arrive_stay_outside_until_they_are_repaired() {
    let (mut left, mut right, mut careless) = with_careless();
    let outcome = sync(&mut right);
    assert_eq!(held(&outcome), [("instep.yaml".to_owned(), "E-CONF-PARSE")]);
    assert!(stands(&right, "b"), "all else goes on");
    assert_eq!(fs::read_to_string(right.root.join("instep.yaml")).unwrap(), exclude("'*.log'"));
    assert_eq!(held(&sync(&mut right)).len(), 1);
    let (source, reach) = (FromFile(right.root.clone()), Reach::open(&right.remote));
    let path = TreePath::new(b"instep.yaml").unwrap();
    let explained = explain(&right.workspace, Some(&reach), &source, &path, &Silent).unwrap();
    assert!(matches!(explained.verdict, Verdict::InvalidThere(_)), "{explained:?}");
    careless.write("instep.yaml", &exclude("'*.tmp'"));
    careless.sync();
    for machine in [&mut left, &mut right] {
        assert!(sync(machine).held.is_empty());
        assert_eq!(fs::read_to_string(machine.root.join("instep.yaml")).unwrap(), exclude("'*.tmp'"));
    }
}

#[test]
fn whoever_edits_good_settings_may_repair_the_broken_ones() {
    let (mut left, mut right, _) = with_careless();
    right.write("instep.yaml", &exclude("'*.tmp'"));
    let outcome = sync(&mut right);
    assert_eq!(outcome.conflicts.len(), 1, "{:?}", outcome.held);
    let source = FromFile(right.root.clone());
    resolve(&mut right.workspace, &right.remote, &source, &[(1, Choice::Here)], &Silent).unwrap();
    sync(&mut right);
    assert!(sync(&mut left).held.is_empty());
    assert_eq!(fs::read_to_string(left.root.join("instep.yaml")).unwrap(), exclude("'*.tmp'"));
}

#[test]
fn a_merge_that_would_break_the_settings_is_a_conflict() {
    let base = "sync:\n  branch: main\n\n\n\n\n  max_delete: 25%\n";
    let (mut left, mut right) = pair(&[("instep.yaml", base)]);
    left.write("instep.yaml", &base.replace("  branch: main\n", "  branch: main\n  gitignore: off\n"));
    right.write("instep.yaml", &base.replace("25%\n", "25%\n  gitignore: respect\n"));
    sync(&mut left);
    assert_eq!(sync(&mut right).conflicts.len(), 1);
}

#[test]
fn the_last_file_that_takes_part_in_a_folder_may_go_and_another_come() {
    let (mut left, mut right) = pair(&[]);
    let place = instep_core::filter::RulePlace { file: "instep.yaml".into(), line: None, here: false };
    let include = vec![instep_core::filter::RuleText { text: "*.db".to_owned(), place }];
    let rules = instep_core::filter::FilterRules { include, ..Default::default() };
    for machine in [&mut left, &mut right] {
        machine.settings.filter = Filter::new(&rules).unwrap();
    }
    left.write("d/a.db", "1");
    left.write("d/other.txt", "x");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "d/a.db=1");
    left.remove("d/a.db");
    left.sync();
    right.sync();
    assert_eq!(right.drawing(), "d/");
    right.write("d/b.db", "2");
    right.sync();
    left.sync();
    assert_eq!(left.drawing(), "d/b.db=2;d/other.txt=x");
    assert!(left.sync().done.is_empty());
}
