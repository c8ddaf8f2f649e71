//! What a command costs: wall time, processor time and memory of all its processes, and bytes sent.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What something cost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// As a person waits.
    pub wall: Duration,
    /// User and system time of the program and all that it waited for.
    pub processor: Duration,
    /// The memory of the largest process, in KiB.
    pub peak_kib: u64,
    /// What travelled, in bytes, where that can be known.
    pub sent: Option<u64>,
}

impl Cost {
    /// Both, one after the other.
    pub fn then(self, next: Cost) -> Cost {
        Cost {
            wall: self.wall + next.wall,
            processor: self.processor + next.processor,
            peak_kib: self.peak_kib.max(next.peak_kib),
            sent: self.sent.or(next.sent),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wall, processor) = (self.wall.as_secs_f64(), self.processor.as_secs_f64());
        write!(f, "{wall:.2} s, processor {processor:.2} s, {} MiB", self.peak_kib / 1024)
    }
}

/// Runs a command to its end under time(1). Answers the cost and what it printed.
///
/// `fine` are the exit codes that are no failure.
pub fn run(command: &Command, fine: &[i32], area: &Path) -> io::Result<(Cost, String)> {
    let report = area.join("time");
    let mut timed = Command::new("time");
    timed.args(["--quiet", "--format=%U %S %M", "--output"]).arg(&report);
    timed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => timed.env(name, value),
            None => timed.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let began = Instant::now();
    let output = timed.stdin(Stdio::null()).output()?;
    let wall = began.elapsed();
    let code = output.status.code().unwrap_or(-1);
    if !fine.contains(&code) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{command:?} ended with {code}: {stderr}")));
    }
    let cost = read_report(&fs::read_to_string(report)?, wall)?;
    Ok((cost, String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn read_report(text: &str, wall: Duration) -> io::Result<Cost> {
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, peak] = numbers[..] else {
        return Err(io::Error::other(format!("time(1) said {text:?}")));
    };
    let processor = Duration::from_secs_f64(user + system);
    Ok(Cost { wall, processor, peak_kib: peak as u64, sent: None })
}

/// How many bytes lie in a folder.
pub fn size(folder: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(total)
}
