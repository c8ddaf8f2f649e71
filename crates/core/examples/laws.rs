//! Merges random files, case after case, until one breaks a law:
//! `cargo run --release -p instep-core --features testing --example laws -- --kind yaml --cases 1000000 --from 0`.
//! With `--law staying`, keys stay on each machine, and one version arrives where another lies.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use instep_core::merge::laws::{Kind, Told, check, check_staying};

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn number(name: &str, usual: u64) -> u64 {
    option(name).and_then(|word| word.parse().ok()).unwrap_or(usual)
}

fn main() -> ExitCode {
    let kinds = match option("--kind") {
        None => Kind::ALL.to_vec(),
        Some(name) => match Kind::named(&name) {
            Some(kind) => vec![kind],
            None => {
                eprintln!("no kind of that name: {name}");
                return ExitCode::FAILURE;
            }
        },
    };
    let (cases, from, most) = (number("--cases", 100_000), number("--from", 0), number("--failures", 1));
    let law = if option("--law").as_deref() == Some("staying") { check_staying } else { check };
    let mut failed = false;
    for kind in kinds {
        let (mut failures, mut clean, mut played) = (0, 0_u64, 0_u64);
        for seed in from..from + cases {
            match catch_unwind(AssertUnwindSafe(|| law(kind, seed))) {
                Ok(Ok(told)) => clean += u64::from(told == Told::Clean),
                Ok(Err(why)) => {
                    println!("{kind:?} seed {seed}: {why}");
                    failures += 1;
                }
                Err(_) => {
                    println!("{kind:?} seed {seed}: panicked");
                    failures += 1;
                }
            }
            played += 1;
            if failures >= most {
                break;
            }
        }
        println!(
            "{kind:?}: {played} cases from {from}: {failures} failures, {clean} came to an end in all orders"
        );
        failed |= failures > 0;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
