//! Measures scans of a folder: `cargo run --release --example scan -- FOLDER [WORKERS]`. Makes it a workspace.
#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use instep_core::filter::Filter;
use instep_core::policy::Links;
use instep_core::progress::Silent;
use instep_engine::cycle::rules::Rules;
use instep_engine::digest::DigestCache;
use instep_engine::folder::disk::DiskFolder;
use instep_engine::scan::{ScanOptions, scan};

const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which folder?")?;
    let workers = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let folder = DiskFolder::create(Path::new(&path))?;
    let (filter, rules) = (Filter::default(), Rules::default());
    let mut options = ScanOptions {
        filter: &filter,
        rules: &rules,
        links: Links::Portable,
        refuses: &|_, _| None,
        digests: &DigestCache::default(),
        workers,
        observer: &Silent,
    };

    let began = Instant::now();
    let first = scan(&folder, &options)?;
    println!("nothing known: {:.1} ms, {:?}", ms(began.elapsed()), first.counts);

    let digests = DigestCache::new(first.fresh);
    drop(first.tree);
    drop(first.stale);
    options.digests = &digests;
    // Forgets the most memory held so far.
    std::fs::write("/proc/self/clear_refs", "5")?;
    println!("memory before: {}", memory()?);
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let again = scan(&folder, &options)?;
        times.push(began.elapsed());
        assert_eq!(again.counts.hashed_files, 0, "everything is known");
    }
    times.sort();
    println!("all known: best {:.1} ms, median {:.1} ms", ms(times[0]), ms(times[ROUNDS / 2]));
    println!("memory after: {}", memory()?);
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The most memory this process ever held.
fn memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).ok_or("no such line")?;
    Ok(line.trim_start_matches("VmHWM:").trim().to_owned())
}
