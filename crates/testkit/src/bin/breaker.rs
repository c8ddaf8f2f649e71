//! Breaks runs of the program at their system calls and counts what was lost:
//! `cargo run --release -p instep-testkit --bin breaker -- --minutes 30 --program target/release/instep`; with
//! `--walk FILE` it goes through all points, and goes on where it ended.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use instep_testkit::breaker::{self, Kind, Request};
use instep_testkit::scenes;

const USAGE: &str = "usage: breaker --program PATH [--minutes N] [--scene NAME]... [--kind NAME]... [--points N] \
                     [--walk FILE] [--put-back yes|no] [--seed N]";

fn main() -> ExitCode {
    let (program, request) = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            let scenes: Vec<_> = scenes::SCENES.iter().map(|scene| scene.name).collect();
            let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            eprintln!("{why}\n{USAGE}\nscenes: {}\nkinds: {}", scenes.join(" "), kinds.join(" "));
            return ExitCode::from(2);
        }
    };
    let report = match breaker::run(&program, &request, &mut |line| eprintln!("{line}")) {
        Ok(report) => report,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}\n{report}", request.seed);
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(PathBuf, Request), String> {
    let mut program = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from);
    let mut request = Request {
        scenes: Vec::new(),
        kinds: Vec::new(),
        points_max: 0,
        seed: 1,
        time_max: None,
        puts_back: false,
        walk: None,
    };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} needs a number"));
        match flag.as_str() {
            "--program" => program = Some(PathBuf::from(value)),
            "--scene" => {
                let found = scenes::find(&value).ok_or_else(|| format!("no scene is called {value}"))?;
                request.scenes.push(found);
            }
            "--kind" => {
                let found = Kind::ALL.into_iter().find(|kind| kind.name() == value);
                request.kinds.push(found.ok_or_else(|| format!("no kind is called {value}"))?);
            }
            "--points" => request.points_max = number()?,
            "--walk" => request.walk = Some(PathBuf::from(value)),
            "--put-back" => request.puts_back = value == "yes",
            "--minutes" => request.time_max = Some(Duration::from_secs(60 * number()?)),
            "--seed" => request.seed = number()?,
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    let program = program.ok_or("no program is named")?;
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    Ok((program, request))
}
