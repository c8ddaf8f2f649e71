//! Kills the program at random moments, many times, and counts what was lost:
//! `cargo run --release -p instep-testkit --bin killer -- --rounds 1000 --program target/release/instep`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::path::PathBuf;
use std::process::ExitCode;

use instep_testkit::kills::{self, Request};

fn main() -> ExitCode {
    let (program, request) = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}\nusage: killer --program PATH [--rounds N] [--seed N]");
            return ExitCode::from(2);
        }
    };
    match kills::run(&program, request) {
        Ok(report) => {
            println!("seed {}: {report}", request.seed);
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the harness failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<(PathBuf, Request), String> {
    let mut program = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from);
    let mut request = Request { rounds: 1000, seed: 1, time_max: None };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} needs a number"));
        match flag.as_str() {
            "--program" => program = Some(PathBuf::from(value)),
            "--rounds" => request.rounds = number()?,
            "--seed" => request.seed = number()?,
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    let program = program.ok_or("no program is named")?;
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    Ok((program, request))
}
