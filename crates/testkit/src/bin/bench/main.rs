//! Instep beside Unison, rsync and git on the same data: `bench/run`.
//!
//! Every tool gets the same two folders, made anew from the same seed for each round, and does each workload in turn.
//! What is measured is what a person waits for: on the sending machine, then on the receiving one.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

mod data;
mod measure;
mod table;
mod tools;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use self::data::{Files, Workload};
use self::table::Table;
use self::tools::{Tool, World};

/// What was asked for.
struct Request {
    program: PathBuf,
    rounds: usize,
    files: Vec<usize>,
    large_mib: usize,
    only: Option<String>,
}

fn main() -> ExitCode {
    let request = match Request::read(std::env::args().skip(1)) {
        Ok(request) => request,
        Err(why) => {
            eprintln!(
                "{why}\nusage: bench --program PATH [--rounds N] [--files N]... [--large MIB] [--only WORKLOAD]"
            );
            return ExitCode::from(2);
        }
    };
    match request.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the bench failed: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Request {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let program = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from).unwrap_or_default();
        let mut request = Request { program, rounds: 3, files: Vec::new(), large_mib: 256, only: None };
        while let Some(flag) = given.next() {
            let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
            let number = || value.parse::<usize>().map_err(|_| format!("{flag} needs a number"));
            match flag.as_str() {
                "--program" => request.program = PathBuf::from(value),
                "--rounds" => request.rounds = number()?.max(1),
                "--files" => request.files.push(number()?),
                "--large" => request.large_mib = number()?,
                "--only" => request.only = Some(value),
                _ => return Err(format!("unknown option {flag}")),
            }
        }
        if request.files.is_empty() {
            request.files = vec![20_000, 100_000];
        }
        request.program = request.program.canonicalize().map_err(|error| format!("the program: {error}"))?;
        Ok(request)
    }

    fn run(&self) -> io::Result<()> {
        println!("{}\n", tools::versions(&self.program)?);
        for &count in &self.files {
            let files = Files::Many(count);
            self.compare(&format!("{count} files of about 2.3 KB"), files, &Workload::MANY)?;
        }
        if self.large_mib > 0 {
            let files = Files::Large(self.large_mib);
            self.compare(&format!("one file of {} MiB", self.large_mib), files, &Workload::LARGE)?;
        }
        Ok(())
    }

    /// Lets every tool do all workloads on fresh folders, round after round, and prints the medians.
    fn compare(&self, title: &str, files: Files, workloads: &[Workload]) -> io::Result<()> {
        let mut table = Table::new(title);
        for round in 0..self.rounds {
            for tool in Tool::ALL {
                let mut world = World::new(tool, &self.program)?;
                data::build(files, &world.left(), round as u64)?;
                for &workload in workloads {
                    data::change(workload, files, &world.left(), round as u64)?;
                    let cost = world.transfer(workload)?;
                    world.check()?;
                    if self.wants(workload) {
                        table.add(workload, tool, cost);
                    }
                    eprintln!("{title}, round {}: {} {}: {cost}", round + 1, tool.name(), workload.name());
                }
            }
        }
        println!("{table}");
        Ok(())
    }

    fn wants(&self, workload: Workload) -> bool {
        self.only.as_ref().is_none_or(|only| only == workload.name())
    }
}
