//! Random lives of two machines round one remote: whatever they do, no version is lost, and at the end they agree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use instep_core::content::ContentId;
use instep_core::generate::Random;
use instep_core::path::TreePath;
use instep_core::policy::{Direction, Strategy};
use instep_core::progress::Silent;
use instep_core::remote::Remote;
use instep_engine::conflict::resolve::{Choice, resolve};
use instep_engine::cycle::request::Request;
use instep_engine::failure::EngineError;
use instep_engine::history::restore::{Moment, RestoreRequest, restore};
use instep_engine::history::undo::{UndoRequest, undo};
use instep_engine::reach::Reach;

use crate::world::Machine;

const NAMES: [&str; 7] = ["a", "b", "d/a", "d/b", "d/e/c", "e", "f/a"];

fn files(folder: &Path, found: &mut BTreeMap<String, ContentId>, below: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == ".instep" {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found, &path);
        } else {
            found.insert(path, ContentId::of(&fs::read(entry.path()).unwrap()));
        }
    }
}

fn standing(machine: &Machine) -> BTreeMap<String, ContentId> {
    let mut found = BTreeMap::new();
    files(&machine.root, &mut found, "");
    found
}

struct Life {
    random: Random,
    machines: [Machine; 2],
    story: Vec<String>,
    counter: u64,
}

impl Life {
    fn edit(&mut self, at: usize) {
        let name = *self.random.pick(&NAMES).unwrap();
        let machine = &self.machines[at];
        let path = machine.root.join(name);
        let what = self.random.below(10);
        if what < 6 {
            if path.is_dir()
                || path.ancestors().skip(1).take_while(|up| **up != machine.root).any(Path::is_file)
            {
                return;
            }
            self.counter += 1;
            let text = format!("one\ntwo {}\nthree {}\n", self.counter, self.random.below(3));
            self.story.push(format!("{at} writes {name} {}", self.counter));
            machine.write(name, &text);
        } else if what < 8 {
            if path.exists() {
                self.story.push(format!("{at} removes {name}"));
                machine.remove(name);
            }
        } else {
            let to = *self.random.pick(&["moved", "d", "g/x", "d/e", "b"]).unwrap();
            let target = machine.root.join(to);
            let from = machine.root.join(name.split('/').next().unwrap());
            let free =
                target.ancestors().skip(1).take_while(|up| **up != machine.root).all(|up| !up.is_file());
            if from.exists() && !target.exists() && !target.starts_with(&from) && free {
                self.story.push(format!("{at} moves {} to {to}", from.display()));
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::rename(from, target).unwrap();
            }
        }
    }

    fn request(&mut self) -> Request {
        let direction = match self.random.below(6) {
            0 => Direction::Pull,
            1 => Direction::Push,
            _ => Direction::Both,
        };
        let strategies = [
            Strategy::AskUser,
            Strategy::LastWriteWins,
            Strategy::KeepLocal,
            Strategy::KeepRemote,
            Strategy::Both,
        ];
        let strategy = self.random.percent(25).then(|| *self.random.pick(&strategies).unwrap());
        let paths = if self.random.percent(10) {
            vec![TreePath::new(self.random.pick(&NAMES).unwrap().as_bytes()).unwrap()]
        } else {
            Vec::new()
        };
        let mirror = direction != Direction::Both && self.random.percent(30);
        Request {
            direction,
            mirror,
            strategy,
            paths,
            allow_delete: true,
            explicit: true,
            ..Request::default()
        }
    }

    fn act(&mut self, at: usize) {
        let what = self.random.below(12);
        let request = self.request();
        let name = *self.random.pick(&NAMES).unwrap();
        let choice =
            self.random.pick(&[Choice::Here, Choice::There, Choice::Both, Choice::Base]).unwrap().clone();
        let cut = self.random.percent(15);
        let die = self.random.below(10);
        let before = standing(&self.machines[at]);
        let machine = &mut self.machines[at];
        machine.remote.cut(cut);
        match die {
            0 => machine.remote.die_after_commit(),
            1 => machine.remote.die_before_commit(),
            _ => {}
        }
        let told = match what {
            0 | 1 => {
                let undo_request =
                    UndoRequest { redo: what == 1, here_only: die == 5, ..UndoRequest::default() };
                let reach = Reach::open(&machine.remote);
                let done =
                    undo(&mut machine.workspace, Some(&reach), &machine.settings, &undo_request, &Silent);
                format!(
                    "{at} undoes (redo {}, {die} {cut}): {:?}",
                    what == 1,
                    done.map(|done| (
                        done.of.paths.len(),
                        done.here,
                        done.there,
                        done.left_alone,
                        done.held.len(),
                        done.waits_for_remote
                    ))
                )
            }
            2 => {
                let request = RestoreRequest {
                    paths: vec![TreePath::new(name.as_bytes()).unwrap()],
                    moment: Moment::Previous,
                    to: None,
                    dry_run: false,
                };
                let reach = Reach::open(&machine.remote);
                let done = restore(&mut machine.workspace, &[reach], &machine.settings, &request, &Silent);
                format!("{at} restores {name}: {:?}", done.map(|done| done.changed))
            }
            3 => {
                let id = machine.workspace.state.remote("memory:").unwrap().id;
                let first =
                    machine.workspace.state.conflicts(id).unwrap().first().map(|record| record.number);
                let Some(number) = first else {
                    machine.remote.forgive();
                    return;
                };
                let done = resolve(
                    &mut machine.workspace,
                    &machine.remote,
                    &machine.settings,
                    &[(number, choice.clone())],
                    &Silent,
                );
                format!("{at} resolves {choice:?}: {:?}", done.map(|done| (done.acted.changed, done.refused)))
            }
            _ => {
                let words = format!(
                    "{:?} mirror {} {:?} {:?} cut {cut} die {die}",
                    request.direction, request.mirror, request.strategy, request.paths
                );
                let done = machine.try_sync(request);
                if let Err(error) = &done {
                    assert!(
                        matches!(error, EngineError::Remote(_)),
                        "{words}: {error:?}\n{}",
                        self.story.join("\n")
                    );
                }
                let done = done.map(|outcome| {
                    let done = outcome.done.iter();
                    done.map(|one| format!("{:?} {:?} {}", one.side, one.kind, one.path)).collect::<Vec<_>>()
                });
                format!("{at} syncs {words}: {done:?}")
            }
        };
        self.machines[at].remote.forgive();
        self.story.push(format!("{told}\n    remote: {}", self.there()));
        self.nothing_lost(at, &before);
    }

    /// What the remote lists.
    fn there(&self) -> String {
        let remote = &self.machines[0].remote;
        let Some(head) = remote.head().unwrap() else { return String::new() };
        let entries = remote.snapshot(&head, None).unwrap().entries;
        let mut paths: Vec<String> = Vec::new();
        for entry in &entries {
            let above = entry.parent.map_or(String::new(), |parent| format!("{}/", paths[parent as usize]));
            paths.push(format!("{above}{}", entry.name));
        }
        paths.join(" ")
    }

    /// All that stood here before the engine acted stands here now, or in the history.
    fn nothing_lost(&self, at: usize, before: &BTreeMap<String, ContentId>) {
        let now = standing(&self.machines[at]);
        for (path, content) in before {
            let stands = now.values().any(|one| one == content);
            let kept = self.machines[at].root.join(".instep/history").join(content.to_string()).exists();
            let parked = fs::read_dir(self.machines[at].root.join(".instep/staging")).unwrap().count() > 0;
            assert!(stands || kept || parked, "{path} is lost on {at}\n{}", self.story.join("\n"));
        }
    }

    fn end(&mut self) {
        for _ in 0..4 {
            for at in [0, 1] {
                self.machines[at].remote.forgive();
                let request = Request { allow_delete: true, explicit: true, ..Request::default() };
                let outcome = self.machines[at].try_sync(request);
                let outcome = outcome.unwrap_or_else(|error| panic!("{error:?}\n{}", self.story.join("\n")));
                let done: Vec<_> = outcome
                    .done
                    .iter()
                    .map(|one| format!("{:?} {:?} {}", one.side, one.kind, one.path))
                    .collect();
                self.story.push(format!(
                    "{at} at the end: {done:?} {} conflicts, held {:?}",
                    outcome.conflicts.len(),
                    outcome.held
                ));
            }
        }
        // What is open is settled, and then both are the same.
        for round in 0..20 {
            for at in [0, 1] {
                let machine = &mut self.machines[at];
                let id = machine.workspace.state.remote("memory:").unwrap().id;
                for record in machine.workspace.state.conflicts(id).unwrap() {
                    let number = record.number;
                    // What can't be settled one way, as two names in a knot, can be another.
                    let mut choices = [Choice::There, Choice::Here, Choice::Both];
                    choices.rotate_left(round % 3);
                    for choice in choices {
                        let (remote, settings) = (&machine.remote, &machine.settings);
                        let settled =
                            resolve(&mut machine.workspace, remote, settings, &[(number, choice)], &Silent);
                        if settled.is_ok_and(|settled| settled.refused.is_empty()) {
                            break;
                        }
                    }
                }
                let request = Request { allow_delete: true, explicit: true, ..Request::default() };
                machine.try_sync(request).unwrap();
            }
            if self.machines[0].drawing() == self.machines[1].drawing() {
                break;
            }
        }
        let [left, right] = &mut self.machines;
        assert_eq!(left.drawing(), right.drawing(), "they do not agree\n{}", self.story.join("\n"));
        for machine in [left, right] {
            let request = Request { allow_delete: true, explicit: true, ..Request::default() };
            machine.try_sync(request.clone()).unwrap();
            let outcome = machine.try_sync(request).unwrap();
            assert!(outcome.done.is_empty(), "not quiet: {:?}\n{}", outcome.done, self.story.join("\n"));
        }
    }
}

fn live(seed: u64, steps: usize) {
    let place = instep_remote::memory::MemoryPlace::new();
    let machines = ["left", "right"].map(|name| Machine::new(name, &place));
    let mut life =
        Life { random: Random::new(seed), machines, story: vec![format!("seed {seed}")], counter: 0 };
    for _ in 0..steps {
        let at = life.random.below(2);
        if life.random.percent(60) { life.edit(at) } else { life.act(at) }
    }
    life.end();
}

#[test]
fn no_version_is_lost_and_all_agree_whatever_they_do() {
    let first = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let count = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    for seed in first..first + count {
        live(seed, 40);
    }
}
