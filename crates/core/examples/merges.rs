//! Merges of every kind, seed after seed, until one breaks a promise:
//! `cargo run --release -p instep-core --features testing --example merges -- --cases 1000000 --from 0`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use instep_core::generate::merges::{Sort, check};

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn main() -> ExitCode {
    let number = |name: &str| option(name).and_then(|text| text.parse::<u64>().ok());
    let (cases, from) = (number("--cases").unwrap_or(100_000), number("--from").unwrap_or(0));
    let most = number("--failures").unwrap_or(1);
    let only = option("--kind").map(|kind| kind.to_lowercase());
    let mut failed = false;
    for sort in Sort::ALL {
        let word = format!("{sort:?}").to_lowercase();
        if only.as_ref().is_some_and(|only| *only != word) {
            continue;
        }
        let (start, mut failures, mut clean, mut three, mut done) = (Instant::now(), 0, 0u64, 0u64, 0u64);
        for seed in from..from + cases {
            match catch_unwind(AssertUnwindSafe(|| check(sort, seed))) {
                Ok(Ok(tried)) => {
                    clean += u64::from(tried.clean);
                    three += u64::from(tried.three);
                }
                Ok(Err(story)) => {
                    println!("{story}");
                    failures += 1;
                }
                Err(_) => {
                    println!("{sort:?} {seed}: panicked");
                    failures += 1;
                }
            }
            done += 1;
            if failures >= most {
                break;
            }
        }
        let rate = done as f64 / start.elapsed().as_secs_f64();
        println!(
            "{word}: {done} cases from {from}, {failures} failures, {clean} merge, {three} of three, {rate:.0} cases/s"
        );
        failed |= failures > 0;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
