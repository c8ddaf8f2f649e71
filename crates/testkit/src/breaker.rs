//! Breaks a run at every system call: killed there, alone or with all that it started, or told that the call failed;
//! and looks whether the next runs, without any help, come to what a run without trouble could have come to.
//!
//! A round sets a scene up, disturbs its command at one point, and lets both machines sync: that must need no help, both
//! must hold what they would hold if the command had come to its end or had never begun, a further sync must change
//! nothing, every content that was written must be found, and git must find the repository whole.

mod kind;
mod report;
mod ways;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::drawing::Drawing;
use crate::image::Image;
use crate::machine::Machine;
use crate::scenes::{Past, Rest, SCENES, Scene, Start, World};
use crate::tracer::{self, Act, Call, Ended, Left, Watch};
use crate::walk::{Leg, Walk};
use instep_core::generate::Random;
pub use kind::Kind;
pub use report::{Report, Tally};
use ways::{ERRORS, chain, failing, fits, flipping, saving};

/// A world is thrown away after so many rounds, so that checking stays quick.
const ROUNDS_OF_A_WORLD: u64 = 25;
/// So many failures are enough to look at.
const FAILURES_MAX: usize = 12;

/// What to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which scenes; all but the heavy ones if none is named.
    pub scenes: Vec<&'static Scene>,
    /// Which kinds; all if none is named.
    pub kinds: Vec<Kind>,
    /// At most so many points for each scene and kind, spread evenly; all of them if 0.
    pub points_max: u64,
    /// Where chance begins.
    pub seed: u64,
    /// Stop after this long.
    pub time_max: Option<Duration>,
    /// Play on a disk in a file that is put back for each round: a scene is set up once, and begins the same each time.
    pub puts_back: bool,
    /// Walk to every point (or to `points_max` of them), with every error that its call can have, and write down in this
    /// file how far it is: the next run goes on there.
    pub walk: Option<PathBuf>,
}

/// Goes through the scenes; `told` hears of each scene and kind that is done.
pub fn run(program: &Path, request: &Request, told: &mut dyn FnMut(&str)) -> Result<Report, String> {
    let walk = request.walk.as_deref().map(Walk::open).transpose().map_err(|error| error.to_string())?;
    let mut breaker = Breaker {
        program: program.to_owned(),
        until: request.time_max.map(|limit| Instant::now() + limit),
        chance: Random::new(request.seed),
        salt: request.seed.wrapping_mul(1_000_000) % 1_000_000_007,
        report: Report::default(),
        puts_back: request.puts_back,
        world: None,
        stage: None,
        rounds: 0,
        walk,
        goals: BTreeMap::new(),
        calls: BTreeMap::new(),
    };
    let all: Vec<_> = SCENES.iter().filter(|scene| !scene.is_heavy).collect();
    let scenes = if request.scenes.is_empty() { &all } else { &request.scenes };
    let kinds = if request.kinds.is_empty() { &Kind::ALL[..] } else { &request.kinds };
    // On a disk that is put back, all that is done with one scene is done with one setting up.
    let mut asked: Vec<(&Scene, Kind)> = match request.puts_back {
        true => scenes.iter().flat_map(|scene| kinds.iter().map(move |kind| (*scene, *kind))).collect(),
        false => kinds.iter().flat_map(|kind| scenes.iter().map(move |scene| (*scene, *kind))).collect(),
    };
    asked.retain(|(scene, kind)| {
        let bears = *kind != Kind::Save || scene.is_plain();
        if !bears {
            told(&format!(
                "{} {}: left out, what is saved there is to be of a form",
                scene.name,
                kind.name()
            ));
        }
        bears
    });
    for (scene, kind) in &asked {
        if breaker.is_over() {
            breaker.report.cut_short = true;
            break;
        }
        let before = breaker.report.failures.len();
        breaker.go_through(scene, *kind, request.points_max);
        breaker.report.failures[before..].iter().for_each(|failure| told(failure));
        if let Some(tally) = breaker.report.tallies.get(&(scene.name, *kind)) {
            told(&format!("{} {}: {tally:?}", scene.name, kind.name()));
        }
    }
    breaker.leave();
    let names = asked.iter().map(|(scene, kind)| (scene.name, kind.name()));
    breaker.report.walk = breaker.walk.map(|walk| {
        let left = walk.left(names);
        (walk, left)
    });
    Ok(breaker.report)
}

/// A point at which a run is disturbed.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// The number of the call.
    call: u64,
    /// Which of the ways to disturb it there; chance decides if none is named.
    choice: Option<u64>,
}

/// A disk with a scene that is set up on it.
struct Stage {
    scene: &'static str,
    /// What came to pass until it was set up.
    past: Past,
    image: Image,
}

struct Breaker {
    program: PathBuf,
    until: Option<Instant>,
    chance: Random,
    salt: u64,
    report: Report,
    puts_back: bool,
    // Before the disk on which it may lie, so that it goes first.
    world: Option<World>,
    stage: Option<Stage>,
    rounds: u64,
    walk: Option<Walk>,
    /// What both machines may hold in the end, by scene.
    goals: BTreeMap<&'static str, Vec<Rest>>,
    /// The calls of a whole run, by scene and watch.
    calls: BTreeMap<(&'static str, Watch), Vec<Call>>,
}

impl Breaker {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
            || self.report.failures.len() + self.report.losses.len() >= FAILURES_MAX
    }

    /// What both machines may hold in the end: as after the command, or as without it.
    fn goals(&mut self, scene: &'static Scene) -> Result<Vec<Rest>, String> {
        let mut goals = Vec::new();
        for does in [true, false] {
            if !does && scene.is_sync() {
                break;
            }
            let mut world = self.enter(scene)?;
            if does {
                let (machine, words) = world.deed(scene);
                let output = machine.run(&words);
                if !matches!(output.code, 0 | 4) {
                    return Err(format!("{words:?}: {output}"));
                }
            }
            world.recover(scene, true)?;
            let rest = world.rest()?;
            world.clear(&rest)?;
            goals.push(rest);
            self.stay(scene, world);
        }
        Ok(goals)
    }

    fn go_through(&mut self, scene: &'static Scene, kind: Kind, points_max: u64) {
        if !self.goals.contains_key(scene.name) {
            match self.goals(scene) {
                Ok(goals) => _ = self.goals.insert(scene.name, goals),
                Err(why) => {
                    let name = scene.name;
                    return self.report.failures.push(format!("{name} without any trouble: {why}"));
                }
            }
        }
        let goals = &self.goals[scene.name].clone();
        let watch = kind.watch();
        if !self.calls.contains_key(&(scene.name, watch)) {
            let calls = self.count(scene, kind, goals);
            self.calls.insert((scene.name, watch), calls);
        }
        let calls = &self.calls[&(scene.name, watch)];
        let calls: Vec<Call> = calls.iter().filter(|call| kind.takes(call)).cloned().collect();
        self.report.tallies.entry((scene.name, kind)).or_default().calls = calls.len() as u64;
        if self.walk.is_some() {
            return self.walk_to(scene, kind, &calls, points_max, goals);
        }
        for call in spread(&calls, points_max, self.chance.below(1000) as f64 / 1000.0) {
            if self.is_over() {
                self.report.cut_short = true;
                return;
            }
            // No two runs of several processes make the same calls: one that ended before its point is played again.
            let point = Point { call: call.number, choice: None };
            if !self.round(scene, kind, point, goals) {
                self.round(scene, kind, Point { call: 1 + point.call / 2, ..point }, goals);
            }
        }
    }

    /// Every point of a scene and kind, or so many of them, from where the walk is.
    fn walk_to(
        &mut self,
        scene: &'static Scene,
        kind: Kind,
        calls: &[Call],
        points_max: u64,
        goals: &[Rest],
    ) {
        let mut points = Vec::new();
        for call in calls {
            let point = |choice| Point { call: call.number, choice };
            if kind.fails() {
                let errors = ERRORS.iter().filter(|error| fits(**error, call, kind));
                points.extend(errors.zip(0..).map(|(_, choice)| point(Some(choice))));
            } else {
                points.push(point(None));
            }
        }
        let mut leg = self.walk.as_ref().map_or(Leg::default(), |walk| walk.leg(scene.name, kind.name()));
        let points = spread(&points, points_max, 0.0);
        leg.all = points.len() as u64;
        leg.done = leg.done.min(leg.all);
        for point in scattered(&points).skip(leg.done as usize) {
            if self.is_over() {
                self.report.cut_short = true;
                return;
            }
            let wrong = self.wrong();
            leg.met += u64::from(self.round(scene, kind, point, goals));
            leg.wrong += self.wrong() - wrong;
            leg.done += 1;
            let noted = self.walk.as_mut().map_or(Ok(()), |walk| walk.note(scene.name, kind.name(), leg));
            self.report.failures.extend(noted.err().map(|error| format!("the walk's file: {error}")));
        }
    }

    /// Losses and failures until now.
    fn wrong(&self) -> u64 {
        (self.report.losses.len() + self.report.failures.len()) as u64
    }

    /// The world for the next round of a scene, at the moment before its deed.
    fn enter(&mut self, scene: &'static Scene) -> Result<World, String> {
        let set_up = |mut world: World, salt| {
            world.set_up(scene, salt).map(|()| world).map_err(|why| format!("before it: {why}"))
        };
        if !self.puts_back {
            let keep = self.rounds < ROUNDS_OF_A_WORLD;
            let kept = self.world.take().filter(|world| keep && world.fits(scene));
            self.rounds = if kept.is_some() { self.rounds + 1 } else { 1 };
            self.salt += 1;
            let world = kept.unwrap_or_else(|| World::new(&self.program, &std::env::temp_dir()));
            return set_up(world, self.salt);
        }
        let old = self.world.take();
        if let (Some(mut world), Some(stage)) =
            (old, self.stage.as_ref().filter(|stage| stage.scene == scene.name))
        {
            stage.image.put_back()?;
            world.past = stage.past.clone();
            return Ok(world);
        }
        self.stage = None;
        self.salt += 1;
        let image = Image::new()?;
        let world = set_up(World::new(&self.program, &image.at()), self.salt)?;
        image.keep()?;
        self.stage = Some(Stage { scene: scene.name, past: world.past.clone(), image });
        Ok(world)
    }

    /// Keeps a world for the next round, if it can serve it.
    fn stay(&mut self, scene: &Scene, world: World) {
        let agrees = scene.start == Start::Agreed && !scene.is_heavy && self.report.losses.is_empty();
        if self.puts_back || agrees {
            self.world = Some(world);
        } else {
            self.report.contents += world.past.ledger.len();
        }
    }

    fn leave(&mut self) {
        if let Some(world) = self.world.take() {
            self.report.contents += world.past.ledger.len();
        }
    }

    /// Runs the command without trouble and lists its calls.
    fn count(&mut self, scene: &'static Scene, kind: Kind, goals: &[Rest]) -> Vec<Call> {
        let mut calls = Vec::new();
        self.play(scene, &format!("{} {} counted", scene.name, kind.name()), goals, |_, machine, words| {
            let ended = traced(tracer::run_fast, machine, words, kind.watch(), &mut |call| {
                calls.push(call.clone());
                Act::Pass
            })?;
            if !matches!(ended.code, 0 | 4) {
                return Err(format!("exit {} without any trouble: {}", ended.code, said(machine)));
            }
            Ok(Left::default())
        });
        calls
    }

    /// Answers whether the run came to its point.
    fn round(&mut self, scene: &'static Scene, kind: Kind, point: Point, goals: &[Rest]) -> bool {
        let choice = point.choice.unwrap_or_else(|| self.chance.number());
        let point = point.call;
        let mut seen = Seen::default();
        let name = format!("{} {} at call {point}", scene.name, kind.name());
        self.play(scene, &name, goals, |world, machine, words| {
            if kind == Kind::Chain {
                return chain(scene, machine, words, point, &mut seen);
            }
            if kind == Kind::Save {
                return saving(world, machine, words, (point, choice), &mut seen);
            }
            if kind == Kind::Flip {
                return flipping(machine, words, (point, choice), &mut seen);
            }
            if kind.fails() {
                return failing(world, scene, machine, words, (kind, point, choice), &mut seen);
            }
            // What is left to itself can't be filtered.
            let run = if kind == Kind::Orphan { tracer::run } else { tracer::run_fast };
            let ended = traced(run, machine, words, kind.watch(), &mut |call| match kind {
                Kind::Kill if call.number == point => Act::KillAll,
                Kind::KillOne if call.number == point => Act::KillOne,
                Kind::Orphan if call.number >= point && kind.takes(call) => Act::Orphan,
                Kind::Late if call.number >= point && kind.takes(call) => Act::Hold,
                _ => Act::Pass,
            })?;
            seen.take(&ended);
            check_end(machine, &ended)?;
            Ok(ended.left)
        });
        let tally = self.report.tallies.entry((scene.name, kind)).or_default();
        let was_met = !seen.hit.is_empty() || seen.count > 0;
        tally.points += u64::from(was_met);
        tally.hits += seen.hit.len() as u64 + seen.count;
        if let Some(error) = seen.error {
            *self
                .report
                .errors
                .entry(error.to_string().split(':').next().unwrap_or("").to_owned())
                .or_default() += seen.hit.len() as u64;
            *self.report.codes.entry(seen.code).or_default() += 1;
        }
        if let Some(failure) = self.report.failures.last_mut()
            && failure.starts_with(&name)
        {
            failure.push_str(&format!("\n    {}", seen.note));
        }
        if let (Some(failure), Some(call)) = (self.report.failures.last_mut(), seen.hit.first())
            && failure.starts_with(&name)
        {
            let error = seen.error.map_or(String::new(), |error| format!(" told {error}"));
            let who =
                if call.by_program { "the program".into() } else { format!("process {}", call.process) };
            failure.push_str(&format!(
                "\n    at {} of {who} on {}{error}; the run ended with {}",
                call.name, call.about, seen.code
            ));
        }
        was_met
    }

    /// One round: the scene, something that disturbs it, and all that must hold then.
    fn play(
        &mut self,
        scene: &'static Scene,
        name: &str,
        goals: &[Rest],
        disturb: impl FnOnce(&mut World, &Machine, &[String]) -> Result<Left, String>,
    ) {
        let mut world = match self.enter(scene) {
            Ok(world) => world,
            Err(why) => return self.report.failures.push(format!("{name}: {why}")),
        };
        let mut failed = play_in(&mut world, scene, goals, disturb).err();
        let lost = world.missing().unwrap_or_else(|why| {
            failed = failed.take().or(Some(why));
            Vec::new()
        });
        let is_wrong = failed.is_some() || !lost.is_empty();
        self.report.losses.extend(lost.into_iter().map(|lost| format!("{name}: {lost}")));
        if !is_wrong {
            return self.stay(scene, world);
        }
        let left = if self.puts_back {
            let copy = copied(world.pair.area());
            self.stay(scene, world);
            copy
        } else {
            self.report.contents += world.past.ledger.len();
            world.pair.keep()
        };
        let why = failed.unwrap_or_else(|| "something is lost".to_owned());
        self.report.failures.push(format!("{name}: {why}\n    the folders are left in {}", left.display()));
    }
}

/// Copies what a person is to look at from a disk that goes with this process.
fn copied(area: &Path) -> PathBuf {
    let to = std::env::temp_dir().join(area.file_name().unwrap_or_default()).with_extension("wrong");
    _ = Command::new("cp").arg("-a").args([area, &to]).status();
    to
}

fn play_in(
    world: &mut World,
    scene: &Scene,
    goals: &[Rest],
    disturb: impl FnOnce(&mut World, &Machine, &[String]) -> Result<Left, String>,
) -> Result<(), String> {
    let (machine, words) = world.deed(scene);
    let left = disturb(world, &machine, &words)?;
    if left.is_any() {
        // What stands still, or goes on by itself, may be in the way; it must only do no harm.
        world.recover(scene, false)?;
        left.release().map_err(|error| error.to_string())?;
    }
    world.recover(scene, true)?;
    let rest = world.rest()?;
    if let Some(lost) = world.saved_and_gone() {
        return Err(lost);
    }
    let reached = match scene.is_sync() {
        true => goals.iter().any(|goal| goal.left == rest.left && goal.right == rest.right),
        false => is_mixed_of(&rest, goals),
    };
    if !world.past.was_saved && !reached {
        let goals: Vec<_> = goals.iter().map(|goal| format!("{} | {}", goal.left, goal.right)).collect();
        return Err(format!("they hold {} | {}, and not {}", rest.left, rest.right, goals.join("  or  ")));
    }
    if let Some(damage) = world.damage() {
        return Err(damage);
    }
    world.clear(&rest)
}

/// At most so many of the points, spread evenly, all of them if 0; `first` says where in its share each is.
fn spread<T: Clone>(points: &[T], points_max: u64, first: f64) -> Vec<T> {
    if points_max == 0 || points.len() as u64 <= points_max {
        return points.to_vec();
    }
    let step = points.len() as f64 / points_max as f64;
    (0..points_max).map(|at| points[((first + at as f64) * step) as usize].clone()).collect()
}

/// All of the points in an order in which each part of them comes from everywhere; always the same one.
fn scattered<T: Copy>(points: &[T]) -> impl Iterator<Item = T> {
    let stride = (1 + points.len() * 5 / 8..).find(|stride| divisor(*stride, points.len()) <= 1).unwrap_or(1);
    (0..points.len()).map(move |at| points[at * stride % points.len()])
}

fn divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { divisor(other, one % other) }
}

/// A command that changes several paths changes one after the other, and is typed again after a kill: each path holds
/// what it held before the command or what it holds after it.
fn is_mixed_of(rest: &Rest, goals: &[Rest]) -> bool {
    let sides = |rest: &Rest| [rest.left.clone(), rest.right.clone()];
    [0, 1].into_iter().all(|side| {
        let now = &sides(rest)[side];
        let goals: Vec<Drawing> = goals.iter().map(|goal| sides(goal)[side].clone()).collect();
        let paths = goals.iter().chain([now]).flat_map(|drawing| drawing.0.keys());
        let mut paths: Vec<_> = paths.collect();
        paths.dedup();
        paths.iter().all(|path| goals.iter().any(|goal| goal.body(path) == now.body(path)))
    })
}

/// What a disturbed run met.
#[derive(Debug, Default)]
struct Seen {
    hit: Vec<Call>,
    error: Option<Errno>,
    code: i32,
    /// What else was done to it.
    note: String,
    /// How often something else was done to it.
    count: u64,
}

impl Seen {
    fn take(&mut self, ended: &Ended) {
        self.hit.extend(ended.hit.iter().cloned());
        self.code = ended.code;
    }
}

/// A way to watch a run.
type Run = fn(&Command, Watch, &mut dyn FnMut(&Call) -> Act) -> io::Result<Ended>;

fn traced(
    run: Run,
    machine: &Machine,
    words: &[String],
    watch: Watch,
    act: &mut dyn FnMut(&Call) -> Act,
) -> Result<Ended, String> {
    let mut command = machine.command(words);
    // Looking for git in folder after folder makes calls that tell nothing.
    let all = std::env::var_os("PATH").unwrap_or_default();
    let holds_git = |folder: &PathBuf| folder.join("git").is_file();
    let first = std::env::split_paths(&all).find(holds_git).unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(first).chain(std::env::split_paths(&all)));
    command.env("PATH", path.map_err(|error| error.to_string())?);
    run(&command, watch, act).map_err(|error| format!("the harness failed: {error}"))
}

fn said(machine: &Machine) -> String {
    fs::read_to_string(tracer::said_path(&machine.command::<&str>([]))).unwrap_or_default()
}

/// A run that was not killed itself must end properly, whatever happened to it.
fn check_end(machine: &Machine, ended: &Ended) -> Result<(), String> {
    let said = said(machine);
    if said.contains("panicked") || ended.code == 101 {
        return Err(format!("it panicked: {said}"));
    }
    match ended.code {
        0..100 | 130 | 137 => Ok(()),
        code => Err(format!("it ended with {code}: {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_meets_each_point_once_and_its_first_part_comes_from_everywhere() {
        for count in [0, 1, 2, 7, 64, 500, 501] {
            let points: Vec<usize> = (0..count).collect();
            let mut walked: Vec<usize> = scattered(&points).collect();
            let early = walked.iter().take(count / 10).filter(|point| **point < count / 2).count();
            assert!(early.abs_diff(count / 20) <= 1, "{count}: {early}");
            walked.sort_unstable();
            assert_eq!(walked, points);
        }
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 5, 0.0), [0, 2, 4, 6, 8]);
        assert_eq!(spread(&[0, 1], 0, 0.5), [0, 1]);
    }
}
