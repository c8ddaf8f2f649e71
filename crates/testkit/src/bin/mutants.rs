//! Plants faults in the program, one at a time, and asks the tests for them: a fault that no harness catches is a test
//! that is missing. `cargo run --release -p instep-testkit --bin mutants`.
//!
//! The faults stand in the sources, as `mutant::is_on("NAME")`. All is built once, with all of them and none switched
//! on; each harness must be content with that before its verdict on a fault counts.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use instep_testkit::machine::MUTANT;

const USAGE: &str = "usage: mutants [--only NAME]... [--minutes N]";
/// A harness that takes so many times as long as without a fault hangs.
const PATIENCE: u32 = 8;
/// But no less than this many seconds, for busy machines.
const SECONDS_MIN: u64 = 60;

/// So many tests of a harness may be left out because they fail now and then; after that its word is taken.
const DOUBTFUL_MAX: usize = 3;

/// One way to look for a fault.
struct Harness {
    name: &'static str,
    /// The package, and the kind and name of the target in it.
    target: (&'static str, &'static str, &'static str),
    arguments: &'static [&'static str],
}

const fn harness(
    name: &'static str,
    target: (&'static str, &'static str, &'static str),
    arguments: &'static [&'static str],
) -> Harness {
    Harness { name, target, arguments }
}

/// All of them, cheapest first. What is broken or killed at random has a part of its own below.
const HARNESSES: &[Harness] = &[
    harness("core", ("core", "lib", "instep_core"), &[]),
    harness("core with git", ("core", "test", "git"), &[]),
    harness("planner", ("core", "example", "planner"), &["--seeds", "4000"]),
    harness("engine", ("engine", "lib", "instep_engine"), &[]),
    harness("machines", ("engine", "test", "it"), &[]),
    harness("remote", ("remote", "lib", "instep_remote"), &[]),
    harness("git", ("remote", "test", "it"), &[]),
    harness("stories", ("testkit", "test", "simulation"), &[]),
    harness(
        "program",
        ("cli", "test", "it"),
        &["--skip", "broken::runs_", "--skip", "kill::", "--skip", "acceptance::"],
    ),
    harness("acceptance", ("cli", "test", "it"), &["acceptance::"]),
    harness("breaker", ("cli", "test", "it"), &["broken::runs_"]),
    harness("killer", ("cli", "test", "it"), &["kill::"]),
    harness(
        "simulation",
        ("testkit", "bin", "simulate"),
        &["--seeds", "120", "--failures", "1", "--shrink", "no"],
    ),
];

/// The harnesses that come into question for a fault in a crate.
fn chain(package: &str) -> Vec<&'static Harness> {
    let names: &[&str] = match package {
        "core" => &["core", "core with git", "planner", "machines", "stories", "program", "acceptance"],
        "engine" => {
            &["engine", "machines", "stories", "simulation", "breaker", "acceptance", "program", "killer"]
        }
        _ => &["remote", "git", "breaker", "acceptance", "program", "killer"],
    };
    names.iter().filter_map(|name| HARNESSES.iter().find(|harness| harness.name == *name)).collect()
}

/// A planted fault.
struct Mutant {
    name: String,
    /// Its crate, as `engine`.
    package: String,
    /// Where it stands.
    file: String,
}

/// What became of a fault.
struct Verdict {
    /// The harness that caught it, and what that said; `None` if all were content.
    caught: Option<(&'static str, String)>,
    /// How long it took.
    took: Duration,
}

struct Asked {
    only: Vec<String>,
    time_max: Option<Duration>,
}

fn main() -> ExitCode {
    let asked = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { only: Vec::new(), time_max: None };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--only" => asked.only.push(value),
            "--minutes" => {
                let minutes: u64 = value.parse().map_err(|_| format!("{flag} needs a number"))?;
                asked.time_max = Some(Duration::from_secs(60 * minutes));
            }
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    Ok(asked)
}

/// Answers whether every fault was caught.
fn run(asked: &Asked) -> Result<bool, String> {
    let started = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().map_err(told)?;
    let mut mutants = planted(&root).map_err(told)?;
    if let Some(unknown) = asked.only.iter().find(|only| mutants.iter().all(|one| one.name != **only)) {
        let names: Vec<_> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        return Err(format!("no fault is called {unknown}; there are {}", names.join(", ")));
    }
    mutants.retain(|mutant| asked.only.is_empty() || asked.only.contains(&mutant.name));
    let hints = Bench::hints(&root);
    let mut bench = Bench { programs: build(&root)?, usual: BTreeMap::new(), hints, root };
    let mut verdicts = Vec::new();
    for mutant in &mutants {
        if asked.time_max.is_some_and(|limit| started.elapsed() > limit) {
            println!("the time was over before the end");
            break;
        }
        let verdict = bench.judge(mutant)?;
        println!("{}", line(mutant, &verdict));
        verdicts.push(verdict);
    }
    println!("\n| fault | in | caught by | after |\n|---|---|---|---|");
    for (mutant, verdict) in mutants.iter().zip(&verdicts) {
        let caught = verdict.caught.as_ref().map_or("**nothing**", |caught| caught.0);
        let Mutant { name, file, .. } = mutant;
        println!("| `{name}` | `{file}` | {caught} | {:.0} s |", verdict.took.as_secs_f64());
    }
    let missed = verdicts.iter().filter(|verdict| verdict.caught.is_none()).count();
    let (planted, caught) = (verdicts.len(), verdicts.len() - missed);
    println!("\n{planted} planted, {caught} caught, {missed} missed");
    Ok(missed == 0 && verdicts.len() == mutants.len())
}

fn line(mutant: &Mutant, verdict: &Verdict) -> String {
    let seconds = verdict.took.as_secs_f64();
    match &verdict.caught {
        Some((harness, said)) => format!("caught  {:32} {harness}, {seconds:.0} s: {said}", mutant.name),
        None => format!("MISSED  {:32} {} after {seconds:.0} s", mutant.name, mutant.file),
    }
}

fn told(error: io::Error) -> String {
    error.to_string()
}

/// All faults that stand in the sources, in order of file.
fn planted(root: &Path) -> io::Result<Vec<Mutant>> {
    let mut mutants: Vec<Mutant> = Vec::new();
    for package in ["core", "engine", "remote"] {
        let crate_folder = root.join("crates").join(package).join("src");
        let mut files = sources(&crate_folder)?;
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file)?;
            for rest in text.split("mutant::is_on(\"").skip(1) {
                let name = rest.split('"').next().unwrap_or_default().to_owned();
                // One fault may stand in several places.
                if mutants.iter().all(|mutant| mutant.name != name) {
                    let file = file.strip_prefix(root.join("crates")).unwrap_or(&file);
                    let file = file.display().to_string().replace("/src/", "/");
                    mutants.push(Mutant { name, package: package.to_owned(), file });
                }
            }
        }
    }
    Ok(mutants)
}

fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// What was built: by package, kind and name of the target.
type Programs = BTreeMap<(String, String, String), PathBuf>;

/// Builds all with the planted faults.
fn build(root: &Path) -> Result<Programs, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["test", "--workspace", "--no-run", "--quiet"]);
    command.args(["--features", "instep-core/mutants,instep-core/testing", "--target-dir", "target/mutants"]);
    let output = command.arg("--message-format=json-render-diagnostics").output().map_err(told)?;
    if !output.status.success() {
        return Err(format!("it can't be built: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let mut programs = Programs::new();
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let said: serde_json::Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let (target, is_test) = (&said["target"], said["profile"]["test"] == true);
        let kind = target["kind"][0].as_str().unwrap_or_default();
        let manifest = Path::new(said["manifest_path"].as_str().unwrap_or_default());
        let package = manifest.parent().and_then(|folder| folder.file_name()).unwrap_or_default();
        // A program has tests of its own, which are not meant here.
        if let Some(file) = said["executable"].as_str().filter(|_| kind != "bin" || !is_test) {
            let name = target["name"].as_str().unwrap_or_default().to_owned();
            let key = (package.to_string_lossy().into_owned(), kind.to_owned(), name);
            programs.insert(key, PathBuf::from(file));
        }
    }
    Ok(programs)
}

/// Where faults are tried.
struct Bench {
    root: PathBuf,
    programs: Programs,
    /// How long each harness takes without a fault.
    usual: BTreeMap<&'static str, Duration>,
    /// Which test of which harness caught each fault the last time: it is asked first.
    hints: BTreeMap<String, (String, String)>,
}

impl Bench {
    fn hints_file(root: &Path) -> PathBuf {
        root.join("target/mutants/caught")
    }

    /// Lines of fault, harness and test.
    fn hints(root: &Path) -> BTreeMap<String, (String, String)> {
        let text = fs::read_to_string(Bench::hints_file(root)).unwrap_or_default();
        let words = text.lines().filter_map(|line| {
            let mut words = line.split('\t').map(str::to_owned);
            Some((words.next()?, (words.next()?, words.next()?)))
        });
        words.collect()
    }

    /// Notes which test caught a fault, if it was one.
    fn remember(&mut self, mutant: &str, harness: &str, said: &str) -> Result<(), String> {
        if said.contains(' ') {
            return Ok(());
        }
        self.hints.insert(mutant.to_owned(), (harness.to_owned(), said.to_owned()));
        let line = |(mutant, (harness, test)): (&String, &(String, String))| {
            format!("{mutant}\t{harness}\t{test}\n")
        };
        let lines: String = self.hints.iter().map(line).collect();
        fs::write(Bench::hints_file(&self.root), lines).map_err(told)
    }

    fn judge(&mut self, mutant: &Mutant) -> Result<Verdict, String> {
        let mut took = Duration::ZERO;
        if let Some((harness, test)) = self.hints.get(&mutant.name).cloned()
            && let Some(harness) = HARNESSES.iter().find(|one| one.name == harness)
        {
            let began = Instant::now();
            let only = ["--exact", &test];
            let is_content = self.ask(harness, &only, None, Duration::from_secs(900))?.is_none();
            let said = self.ask(harness, &only, Some(&mutant.name), Duration::from_secs(900))?;
            took += began.elapsed();
            if let Some(said) = said.filter(|_| is_content) {
                return Ok(Verdict { caught: Some((harness.name, said)), took });
            }
        }
        for harness in chain(&mutant.package) {
            let usual = self.usual(harness)?;
            let began = Instant::now();
            let said = self.sure(harness, &mutant.name, usual * PATIENCE)?;
            took += began.elapsed();
            if let Some(said) = said {
                self.remember(&mutant.name, harness.name, &said)?;
                return Ok(Verdict { caught: Some((harness.name, said)), took });
            }
        }
        Ok(Verdict { caught: None, took })
    }

    /// Runs a harness against a fault; answers what it has against that. A test that fails on a busy machine is no verdict:
    /// it must be content without the fault, and fail with it once more.
    fn sure(&self, harness: &Harness, mutant: &str, limit: Duration) -> Result<Option<String>, String> {
        let mut doubtful: Vec<String> = Vec::new();
        loop {
            let more: Vec<&str> = doubtful.iter().flat_map(|test| ["--skip", test.as_str()]).collect();
            let Some(said) = self.ask(harness, &more, Some(mutant), limit)? else { return Ok(None) };
            if said.contains(' ') || doubtful.len() == DOUBTFUL_MAX {
                return Ok(Some(said));
            }
            let only = ["--exact", &said];
            let is_content = self.ask(harness, &only, None, limit)?.is_none();
            if is_content && self.ask(harness, &only, Some(mutant), limit)?.is_some() {
                return Ok(Some(said));
            }
            println!("doubtful {mutant}: {said} fails now and then");
            doubtful.push(said);
        }
    }

    /// How long a harness takes without a fault, with which it must be content.
    fn usual(&mut self, harness: &'static Harness) -> Result<Duration, String> {
        if let Some(usual) = self.usual.get(harness.name) {
            return Ok(*usual);
        }
        let began = Instant::now();
        let mut said = self.ask(harness, &[], None, Duration::from_secs(900))?;
        if said.is_some() {
            // Other work on the machine may have been in its way.
            said = self.ask(harness, &[], None, Duration::from_secs(900))?;
        }
        if let Some(said) = said {
            return Err(format!("{} is not content without any fault: {said}", harness.name));
        }
        let took = began.elapsed();
        println!("content {:32} {:.0} s without a fault", harness.name, took.as_secs_f64());
        self.usual.insert(harness.name, took);
        Ok(took)
    }

    /// Runs a harness; answers what it has against the fault.
    fn ask(
        &self,
        harness: &Harness,
        more: &[&str],
        mutant: Option<&str>,
        limit: Duration,
    ) -> Result<Option<String>, String> {
        let (package, kind, name) = harness.target;
        let key = (package.to_owned(), kind.to_owned(), name.to_owned());
        let program = self.programs.get(&key).ok_or_else(|| format!("{key:?} was not built"))?;
        let seconds = limit.as_secs().max(SECONDS_MIN).to_string();
        let mut command = Command::new("timeout");
        command.args(["-k", "5", &seconds]).arg(program).args(harness.arguments).args(more);
        command.current_dir(self.root.join("crates").join(package)).env("RUST_BACKTRACE", "0");
        // What fails because of a planted fault is no case to try for ever.
        command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
        match mutant {
            Some(mutant) => command.env(MUTANT, mutant),
            None => command.env_remove(MUTANT),
        };
        let output = command.output().map_err(told)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(match output.status.code() {
            Some(0) => None,
            Some(124 | 137) => Some("it comes to no end".to_owned()),
            _ => Some(first_failure(&text)),
        })
    }
}

/// The first line that tells of a failure.
fn first_failure(text: &str) -> String {
    let failed = |line: &&str| line.ends_with("FAILED") || line.starts_with("seed ");
    let line = text.lines().find(failed).unwrap_or("it fails");
    line.trim_start_matches("test ").trim_end_matches(" ... FAILED").chars().take(120).collect()
}
