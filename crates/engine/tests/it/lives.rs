//! Random lives of two machines round one remote, or two: whatever they do, no version is lost, and at the end they agree.

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
use instep_remote::memory::MemoryPlace;

use crate::line::Line;
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
    /// Each machine's line to the remote that it does not speak to now, if there are two.
    resting: [Option<Line>; 2],
    story: Vec<String>,
    counter: u64,
}

/// What went wrong is told with what came before.
impl Drop for Life {
    #[expect(clippy::print_stderr, reason = "a test that fails prints its story")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story.join("\n"));
        }
    }
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

    /// From now on, the machine speaks to its other remote, if it has one.
    fn turn(&mut self, at: usize) {
        if let Some(other) = &mut self.resting[at] {
            std::mem::swap(&mut self.machines[at].remote, other);
            self.story.push(format!("{at} turns to {}", self.machines[at].remote.describe().address));
        }
    }

    fn act(&mut self, at: usize) {
        if self.random.percent(30) {
            self.turn(at);
        }
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
                let first = conflicts(machine).first().copied();
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
                    assert!(matches!(error, EngineError::Remote(_)), "{words}: {error:?}");
                }
                let done = done.map(|outcome| {
                    let done = outcome.done.iter();
                    done.map(|one| format!("{:?} {:?} {}", one.side, one.kind, one.path)).collect::<Vec<_>>()
                });
                format!("{at} syncs {words}: {done:?}")
            }
        };
        self.machines[at].remote.forgive();
        self.story.push(format!("{told}\n    remote: {}", self.there(at)));
        self.nothing_lost(at, &before);
    }

    /// What a machine's remote lists.
    fn there(&self, at: usize) -> String {
        let remote = &self.machines[at].remote;
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
            assert!(stands || kept || parked, "{path} is lost on {at}");
        }
    }

    /// Does something with each machine at each of its remotes, one after the other, as a sync with all of them does.
    fn everywhere(&mut self, mut what: impl FnMut(&mut Life, usize)) {
        for at in [0, 1] {
            what(self, at);
            if self.resting[at].is_some() {
                self.turn(at);
                what(self, at);
            }
        }
    }

    /// Syncs as a person does who waits for it; answers what was done.
    fn sync(&mut self, at: usize) -> Vec<String> {
        let machine = &mut self.machines[at];
        machine.remote.forgive();
        let request = Request { allow_delete: true, explicit: true, ..Request::default() };
        let outcome = machine.try_sync(request).unwrap();
        let done = outcome.done.iter().map(|one| format!("{:?} {:?} {}", one.side, one.kind, one.path));
        let done: Vec<String> = done.collect();
        let (open, held) = (outcome.conflicts.len(), outcome.held);
        self.story.push(format!("{at} at the end: {done:?} {open} conflicts, held {held:?}"));
        self.story.push(format!("    remote: {}", self.there(at)));
        done
    }

    /// Settles what is open, one way or another: what can't be settled one way, as two names in a knot, can be another.
    fn settle(&mut self, at: usize, round: usize) {
        let machine = &mut self.machines[at];
        for number in conflicts(machine) {
            let mut choices = [Choice::There, Choice::Here, Choice::Both];
            choices.rotate_left(round % 3);
            for choice in choices {
                let (remote, settings) = (&machine.remote, &machine.settings);
                let chosen = [(number, choice)];
                let settled = resolve(&mut machine.workspace, remote, settings, &chosen, &Silent);
                if settled.is_ok_and(|settled| settled.refused.is_empty()) {
                    break;
                }
            }
        }
    }

    fn end(&mut self) {
        let mut is_quiet = false;
        for round in 0..24 {
            is_quiet = true;
            self.everywhere(|life, at| {
                // At first it is seen whether what can be settled by itself is.
                if round > 3 {
                    life.settle(at, round);
                }
                let done = life.sync(at);
                is_quiet &= done.is_empty() && conflicts(&life.machines[at]).is_empty();
            });
            if is_quiet {
                break;
            }
        }
        assert!(is_quiet, "it never ends");
        let [left, right] = &self.machines;
        assert_eq!(left.drawing(), right.drawing(), "they do not agree");
    }
}

/// The numbers of the conflicts with the remote that a machine speaks to.
fn conflicts(machine: &Machine) -> Vec<u64> {
    let state = &machine.workspace.state;
    let id = state.remote(&machine.remote.describe().address).unwrap().id;
    state.conflicts(id).unwrap().iter().map(|record| record.number).collect()
}

fn live(seed: u64, steps: usize, resting: [Option<Line>; 2]) {
    let place = MemoryPlace::new();
    let machines = ["left", "right"].map(|name| Machine::new(name, &place));
    let (random, story) = (Random::new(seed), vec![format!("seed {seed}")]);
    let mut life = Life { random, machines, resting, story, counter: 0 };
    for _ in 0..steps {
        let at = life.random.below(2);
        if life.random.percent(60) { life.edit(at) } else { life.act(at) }
    }
    life.end();
}

fn seeds() -> std::ops::Range<u64> {
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = set("SEED").unwrap_or(0);
    first..first + set("SEEDS").unwrap_or(6)
}

#[test]
fn no_version_is_lost_and_all_agree_whatever_they_do() {
    seeds().for_each(|seed| live(seed, 40, [None, None]));
}

#[test]
fn no_version_is_lost_and_all_agree_round_two_remotes() {
    for seed in seeds() {
        let other = MemoryPlace::new();
        live(seed, 40, [(); 2].map(|()| Some(Line::at("memory:other", other.open()))));
    }
}
