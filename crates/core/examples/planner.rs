//! Runs lives of two sides, seed after seed, until one breaks a promise:
//! `cargo run --release -p instep-core --features testing --example planner -- --seeds 1000000 --from 0`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use instep_core::generate::case::run;

fn option(name: &str) -> Option<u64> {
    let mut words = std::env::args().skip_while(|word| word != name);
    words.nth(1)?.parse().ok()
}

fn main() -> ExitCode {
    let (seeds, from) = (option("--seeds").unwrap_or(100_000), option("--from").unwrap_or(0));
    let most = option("--failures").unwrap_or(1);
    let (start, mut failures, mut cycles, mut lives) = (Instant::now(), 0, 0u64, 0u64);
    for seed in from..from + seeds {
        match catch_unwind(AssertUnwindSafe(|| run(seed))) {
            Ok(Ok(count)) => cycles += u64::from(count),
            Ok(Err(failure)) => {
                println!("seed {seed}: {}\n{}\n", failure.why, failure.story);
                failures += 1;
            }
            Err(_) => {
                println!("seed {seed}: panicked");
                failures += 1;
            }
        }
        lives += 1;
        if failures >= most {
            break;
        }
    }
    let rate = lives as f64 / start.elapsed().as_secs_f64();
    println!("{lives} seeds from {from}: {failures} failures, {cycles} cycles, {rate:.0} seeds/s");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
