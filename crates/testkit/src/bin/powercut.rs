//! Cuts the power of two machines that sync, again and again, and counts what was lost:
//! `cargo run --release -p instep-testkit --bin powercut -- --program target/release/instep --cuts 300`.
//! Needs Debian's `user-mode-linux`, `e2fsprogs`, and `btrfs-progs` or `xfsprogs` for these file systems.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use instep_testkit::powercut::{guest, host};

/// The exit code where a Linux can't run as a program: nothing was tested.
const NOT_HERE: u8 = 3;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, seed] = &words[..]
        && word == "guest"
    {
        let outcome = guest::run(&guest::places(Path::new("/mnt/host")), seed.parse().unwrap_or(0));
        if let Err(error) = outcome {
            eprintln!("the guest can't work: {error}");
        }
        guest::turn_off();
        return ExitCode::FAILURE;
    }
    let request = match arguments(words.into_iter()) {
        Ok(request) => request,
        Err(why) => {
            eprintln!(
                "{why}\nusage: powercut --program PATH [--cuts N] [--minutes N] [--seed N] [--filesystem NAME]"
            );
            return ExitCode::from(2);
        }
    };
    match host::run(&request) {
        Ok(report) => {
            println!("{}, seed {}: {report}", request.filesystem.name, request.seed);
            if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the harness failed: {error}");
            if error.kind() == ErrorKind::Unsupported { ExitCode::from(NOT_HERE) } else { ExitCode::FAILURE }
        }
    }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<host::Request, String> {
    let mut program = std::env::var_os("INSTEP_PROGRAM").map(PathBuf::from);
    let (mut cuts, mut seed, mut time_max) = (300, 1, None);
    let mut filesystem = host::FILESYSTEMS[0];
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} needs a number"));
        match flag.as_str() {
            "--program" => program = Some(PathBuf::from(value)),
            "--cuts" => cuts = number()?,
            "--minutes" => time_max = Some(Duration::from_secs(60 * number()?)),
            "--seed" => seed = number()?,
            "--filesystem" => {
                let found = host::FILESYSTEMS.into_iter().find(|filesystem| filesystem.name == value);
                let names = host::FILESYSTEMS.map(|filesystem| filesystem.name).join(", ");
                filesystem = found.ok_or_else(|| format!("file systems: {names}"))?;
            }
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    let program = program.ok_or("no program is named")?;
    let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
    let kernel = host::kernel().ok_or("linux.uml is not installed (Debian: user-mode-linux)")?;
    let tool = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(host::Request { program, tool, kernel, filesystem, cuts, seed, time_max })
}
