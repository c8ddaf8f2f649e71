//! Plays the history of a git repository on two machines, and compares with git:
//! `cargo run --release -p instep-testkit --bin replay -- --repository PATH --program target/release/instep`.
//! With `--files yes`, it only compares what both make of each file that both sides of a merge changed; no program is
//! needed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use instep_testkit::replay::{self, Request, files};

struct Asked {
    /// None: files are compared, and no machine is needed.
    program: Option<PathBuf>,
    repository: PathBuf,
    request: Request,
}

fn main() -> ExitCode {
    let asked = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            let options =
                "--program PATH --repository PATH [--commits N] [--merges N] [--minutes N] [--files yes]";
            eprintln!("{why}\nusage: replay {options}");
            return ExitCode::from(2);
        }
    };
    let Some(program) = &asked.program else {
        let Request { merges, time_max, .. } = asked.request;
        return match files::run(&asked.repository, merges, time_max) {
            Ok(compared) => {
                println!("{compared}");
                if compared.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                eprintln!("the harness failed: {error}");
                ExitCode::FAILURE
            }
        };
    };
    match replay::run(program, &asked.repository, asked.request) {
        Ok(report) => {
            println!("{report}");
            if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the harness failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut program = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from);
    let (mut repository, mut compares) = (None, false);
    let mut request = Request { commits: 100, merges: 100, time_max: None };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} needs a number"));
        match flag.as_str() {
            "--program" => program = Some(PathBuf::from(value)),
            "--repository" => repository = Some(PathBuf::from(value)),
            "--commits" => request.commits = number()? as usize,
            "--merges" => request.merges = number()? as usize,
            "--files" => compares = value == "yes",
            "--minutes" => request.time_max = Some(Duration::from_secs(60 * number()?)),
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    let repository = repository.ok_or("no repository is named")?;
    if compares {
        return Ok(Asked { program: None, repository, request });
    }
    let program = program.ok_or("no program is named")?;
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(Asked { program: Some(program), repository, request })
}
