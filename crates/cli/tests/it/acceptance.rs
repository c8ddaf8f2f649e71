//! Runs the acceptance scenarios: small worlds with known outcomes, on two real machines round one bare repository.
//!
//! The rows stand in `scenarios.psv` beside the tests; `INSTEP_SCENARIOS` names another file of the same form, and
//! `INSTEP_ONLY` picks rows by id (`MU01,UN08`). Every row prints one line: pass, fail, or not supported and why. A row
//! that can't be read has failed. Besides its own claims, every row must come to rest, lose nothing, and be quiet then.

mod judge;
mod outcome;
mod policy;
mod programs;
mod row;
mod story;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use instep_testkit::drawing::disk::Times;
use instep_testkit::drawing::{Drawing, Mark};

use self::judge::Before;
use self::outcome::Claim;
use self::policy::Policy;
use self::row::{BadRow, Row};
use self::story::{Act, NoStory, Story};
use self::world::{Consent, World};

/// How a row came out.
enum Verdict {
    Pass { worlds: usize, remarks: Vec<String> },
    Fail(String),
    NotHere(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass { worlds, remarks } if remarks.is_empty() => write!(f, "pass ({worlds} worlds)"),
            Verdict::Pass { worlds, remarks } => {
                write!(f, "pass ({worlds} worlds; not acted on: {})", remarks.join(", "))
            }
            Verdict::Fail(why) => write!(f, "fail: {}", why.replace('\n', "\n      ")),
            Verdict::NotHere(why) => write!(f, "not supported: {why}"),
        }
    }
}

/// Words of stories in which something happens while a sync runs.
const IN_THE_MIDDLE: [&str; 10] = [
    "after scan",
    "after plan",
    "before apply",
    "during",
    "mid-run",
    "mid-way",
    "staging wiped",
    "staged content vanished",
    "unseen",
    "in the window",
];

/// Words of stories that need a folder of another kind.
const FOLDED: [&str; 3] = ["NFC", "fold on", "wrong casing"];

#[test]
fn scenarios_come_out_right() {
    let path = std::env::var_os("INSTEP_SCENARIOS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios.psv"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let program = crate::program();
    let rows = row::read(&text);
    let readable = rows.iter().flatten().map(|row| (row.id.clone(), row.clone()));
    let book = Book { program, rows: readable.collect() };
    let only = std::env::var("INSTEP_ONLY").unwrap_or_default();
    let wanted = |row: &Result<Row, BadRow>| match row {
        Ok(row) => only.is_empty() || only.split(',').any(|id| id == row.id),
        Err(_) => only.is_empty(),
    };
    let rows: Vec<_> = rows.into_iter().filter(wanted).collect();
    say("\n");
    let verdicts = in_parallel(&rows, |row| {
        let (id, verdict) = match row {
            Ok(row) => (row.id.clone(), book.verdict(row)),
            Err(BadRow { line, why }) => {
                (format!("line {line}"), Verdict::Fail(format!("can't be read: {why}")))
            }
        };
        say(&format!("{id} {verdict}\n"));
        verdict
    });
    report(&verdicts);
}

/// Prints past the test harness's capture, so that the list is always seen.
fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).expect("the list can be printed");
}

fn report(verdicts: &[Verdict]) {
    let count = |of: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| of(verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Pass { .. }));
    let failed = count(|verdict| matches!(verdict, Verdict::Fail(_)));
    let absent = count(|verdict| matches!(verdict, Verdict::NotHere(_)));
    say(&format!("scenarios: {passed} passed, {failed} failed, {absent} not supported here\n"));
    assert_eq!(failed, 0, "scenarios failed");
}

/// Does one thing for each, on all processors; answers in order.
fn in_parallel<T: Sync, U: Send>(these: &[T], each: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = these.get(at) else { break };
                    let answer = each(one);
                    done.lock().expect("no worker panics").insert(at, answer);
                }
            });
        }
    });
    done.into_inner().expect("no worker panics").into_values().collect()
}

/// The program under test and all rows, which may refer to each other.
struct Book {
    program: PathBuf,
    rows: BTreeMap<String, Row>,
}

/// A row that is understood.
struct Scenario {
    base: Drawing,
    earlier: Option<Drawing>,
    sides: [Story; 2],
    claims: Vec<Claim>,
    first_contact: bool,
    unprivileged: bool,
}

impl Book {
    fn verdict(&self, row: &Row) -> Verdict {
        match self.play(row) {
            Ok(verdict) => verdict,
            Err(NoStory::NotHere(why)) => Verdict::NotHere(why),
            Err(NoStory::Unreadable(why)) => Verdict::Fail(format!("can't be read: {why}")),
        }
    }

    fn play(&self, row: &Row) -> Result<Verdict, NoStory> {
        if let Some(program) = programs::of(row) {
            return Ok(match program.run(&self.program) {
                Ok(worlds) => Verdict::Pass { worlds, remarks: Vec::new() },
                Err(why) => Verdict::Fail(why),
            });
        }
        elsewhere(row)?;
        let (outcome, only) = row.outcome();
        let policies = policy::read(only.unwrap_or(&row.policy))?;
        let row = self.resolved(row)?;
        let scenario = understand(&row, &outcome)?;
        let mirror = understand(&row.swapped(), &outcome)?.mirrored();
        let mut worlds = 0;
        for policy in policies {
            // A side that lost its state must meet the other's change, or it would agree on the old one first.
            let first = usize::from(!scenario.sides[1].acts.contains(&Act::LoseState));
            let mut variants = vec![(["left first", "right first"][first], &scenario, first)];
            if policy.is_symmetric() {
                // This is the other order, too: the left side first is the exchanged sides with the right one first.
                variants.push(("sides exchanged", &mirror, 1));
            }
            for (name, scenario, first) in variants {
                worlds += 1;
                if let Err(why) = scenario.play(&self.program, policy, first) {
                    return Ok(Verdict::Fail(format!("[{policy:?}, {name}] {why}")));
                }
            }
        }
        let remarks = scenario.sides.iter().flat_map(|side| side.remarks.clone()).collect();
        match unrecordable(&scenario) {
            Some(why) => Err(NoStory::NotHere(why)),
            None => Ok(Verdict::Pass { worlds, remarks }),
        }
    }

    /// `@UN14` stands for that row's base, `as RC20` for the same column of that row.
    fn resolved(&self, row: &Row) -> Result<Row, NoStory> {
        let other =
            |id: &str| self.rows.get(id).ok_or_else(|| NoStory::Unreadable(format!("there is no row {id}")));
        let same_column = |text: &String, column: fn(&Row) -> &String| match text.strip_prefix("as ") {
            Some(rest) => {
                other(rest.split([',', ' ']).next().unwrap_or_default()).map(|row| column(row).clone())
            }
            None => Ok(text.clone()),
        };
        let base = match row.base.strip_prefix('@') {
            Some(id) => other(id)?.base.clone(),
            None => row.base.clone(),
        };
        let local = same_column(&row.local, |row| &row.local)?;
        let remote = same_column(&row.remote, |row| &row.remote)?;
        Ok(Row { base, local, remote, ..row.clone() })
    }
}

/// Reads the columns of a row.
fn understand(row: &Row, outcome: &str) -> Result<Scenario, NoStory> {
    let (base, earlier) = read_base(&row.base)?;
    let sides = [story::read(&row.local, &base, &row.remote)?, story::read(&row.remote, &base, &row.local)?];
    let tops = base.0.keys().filter(|path| !path.contains(&b'/')).count();
    let mut claims = outcome::read(outcome, tops);
    if claims.is_empty() {
        return Err(NoStory::Unreadable(format!("nobody knows what the outcome {outcome:?} means")));
    }
    let drawn = |mark: Mark| {
        let marked = |act: &Act| matches!(act, Act::Become(drawing) if drawing.marked(mark).next().is_some());
        sides.iter().any(|side| side.acts.iter().any(marked))
    };
    if names_git(&sides) {
        claims = vec![Claim::Untouched];
    }
    let first_contact =
        ["first contact", "initial merge"].iter().any(|word| row.what.contains(word)) && base.0.is_empty();
    Ok(Scenario { base, earlier, claims, first_contact, unprivileged: drawn(Mark::Unreadable), sides })
}

/// Rows that need more than two folders and time.
fn elsewhere(row: &Row) -> Result<(), NoStory> {
    let not_here = |why: String| Err(NoStory::NotHere(why));
    if let Some(word) = row.tells_of(&FOLDED) {
        return not_here(format!("needs a folder that takes two names for one ({word})"));
    }
    if let Some(word) = row.tells_of(&IN_THE_MIDDLE) {
        return not_here(format!(
            "needs an edit in the middle of a run ({word}); see the engine's tests of apply"
        ));
    }
    if row.expected.contains("rejected at protocol") {
        return not_here("a git tree can't draw an entry without its folder".to_owned());
    }
    match row.tells_of(&["(follow)"]) {
        Some(_) => not_here("links are never followed".to_owned()),
        None => Ok(()),
    }
}

fn names_git(sides: &[Story; 2]) -> bool {
    let is_git = |path: &Vec<u8>| path.split(|&byte| byte == b'/').any(|name| name == b".git");
    let draws = |act: &Act| matches!(act, Act::Become(drawing) if drawing.0.keys().any(is_git));
    sides.iter().any(|side| side.acts.iter().any(draws))
}

/// What is checked as far as it goes, and still no pass.
fn unrecordable(scenario: &Scenario) -> Option<String> {
    let why = "`.git` never takes part, so it can't be in conflict; both sides stayed as they were";
    names_git(&scenario.sides).then(|| why.to_owned())
}

/// Reads the base column: a tree, `8 files`, or `v2 tree`, which follows a first version.
fn read_base(text: &str) -> Result<(Drawing, Option<Drawing>), NoStory> {
    let parse = |text: &str| Drawing::parse(text, &Drawing::default());
    let text = story::without_remarks(text);
    let tree = match text.split(' ').collect::<Vec<_>>()[..] {
        [count, "files"] if count.parse::<u32>().is_ok() => story::files(count),
        ["v2", "tree"] => {
            let read = |text| parse(text).map_err(|error| NoStory::Unreadable(error.to_string()));
            return Ok((read("a=v2;b=same;d/new=v2")?, Some(read("a=v1;b=same")?)));
        }
        _ => parse(&text).map_err(|error| NoStory::Unreadable(error.to_string()))?,
    };
    Ok((tree.settled(&[]), None))
}

impl Scenario {
    /// Claims of exchanged columns, said of the sides as they now stand.
    fn mirrored(mut self) -> Self {
        self.claims = self.claims.iter().map(Claim::swapped).collect();
        self
    }

    fn play(&self, program: &Path, policy: Policy, first: usize) -> Result<(), String> {
        let mut world = World::new(program, policy, first, self.unprivileged);
        if self.sides.iter().any(|side| side.deletes_all) {
            world.consent = Some(Consent::Delete);
        }
        if self.first_contact {
            world.play(&self.sides)?;
            let before = self.before(&world)?;
            world.connect()?;
            world.settle()?;
            return judge::check(&mut world, &before, &self.claims);
        }
        world.begin(self.earlier.as_ref().unwrap_or(&self.base))?;
        if self.earlier.is_some() {
            world.act(0, &Act::Become(self.base.clone()), Times::BASE)?;
            world.settle()?;
        }
        world.play(&self.sides)?;
        if self.claims.contains(&Claim::Halt) {
            return self.halts(&mut world);
        }
        let before = self.before(&world)?;
        if self.claims.contains(&Claim::Preview) {
            world.sync(first)?;
            preview_changes_nothing(&world, 1 - first)?;
        }
        self.stops_first(&mut world)?;
        world.settle()?;
        judge::check(&mut world, &before, &self.claims)
    }

    fn before(&self, world: &World) -> Result<Before, String> {
        let (prints, _) = world.state();
        let [Some(left), Some(right)] = &prints[..] else { return Err("a folder is gone".to_owned()) };
        Ok(Before {
            base: self.base.clone(),
            sides: world.drawn.clone(),
            prints: [left.clone(), right.clone()],
        })
    }

    /// Where the row goes on after a halt, the halt comes first, and changes nothing.
    fn stops_first(&self, world: &mut World) -> Result<(), String> {
        let stops = |act: &Act| matches!(act, Act::ReplaceRoot(_) | Act::Rewind);
        let Some(side) = (0..2).find(|&side| self.sides[side].acts.iter().any(stops)) else { return Ok(()) };
        // A rewound repository stops whoever knows it; a replaced root stops its own machine.
        let consent = world.consent.take();
        let before = world.state();
        let error = world.sync(side).err();
        let code = world.said[side].as_ref().map_or(0, |output| output.code);
        if code != 6 {
            return Err(format!("did not stop: {}", error.unwrap_or_else(|| format!("exit {code}"))));
        }
        world.consent = consent;
        if world.state() == before { Ok(()) } else { Err("stopped, but changed something".to_owned()) }
    }

    /// Whatever order the machines sync in, one of them stops with exit 6, and nothing changes on either.
    fn halts(&self, world: &mut World) -> Result<(), String> {
        let before = world.state();
        let mut codes = BTreeSet::new();
        for side in [world.first, 1 - world.first, world.first] {
            _ = world.sync(side);
            codes.extend(world.said[side].as_ref().map(|output| output.code));
            if world.state() != before {
                return Err(format!("something changed; exit codes {codes:?}"));
            }
        }
        if !codes.contains(&6) {
            return Err(format!("nothing stopped; exit codes {codes:?}"));
        }
        match world.missing()? {
            missing if missing.is_empty() => Ok(()),
            missing => Err(format!("lost: {}", missing.join(", "))),
        }
    }
}

fn preview_changes_nothing(world: &World, side: usize) -> Result<(), String> {
    let before = world.state();
    let output = world.machine(side).run(["sync", "--strategy", "ask-user", "--dry-run", "--json"]);
    if !matches!(output.code, 0 | 3 | 4) {
        return Err(format!("the preview failed: {output}"));
    }
    if world.state() == before { Ok(()) } else { Err("the preview changed something".to_owned()) }
}
