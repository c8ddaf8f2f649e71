//! Merges random files of every kind, case after case, until one breaks a law:
//! `cargo run --release -p instep-core --features testing --example laws -- --cases 1000000 --from 0`.
//!
//! `--kind yaml` plays one kind, `--failures 20` goes on after the first, `--minutes 10` ends each kind after that time,
//! `--workers 2` plays two kinds at once. With `--law staying`, keys stay on each machine, and one version arrives where
//! another lies.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use instep_core::generate::merges::{self, Sort};
use instep_core::merge::laws::{self, Kind, Told};

/// One kind of file, and what plays a case of it: whether all three versions merge, or which law does not hold.
struct Played {
    name: String,
    case: Box<dyn Fn(u64) -> Result<bool, String> + Sync>,
}

fn option(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

fn number(name: &str, usual: u64) -> u64 {
    option(name).and_then(|word| word.parse().ok()).unwrap_or(usual)
}

/// All kinds that the law is about.
fn all() -> Vec<Played> {
    let stays = option("--law").as_deref() == Some("staying");
    let law = if stays { laws::check_staying } else { laws::check };
    let by_key = Kind::ALL.into_iter().map(|kind| Played {
        name: format!("{kind:?}").to_lowercase(),
        case: Box::new(move |seed| law(kind, seed).map(|told| told == Told::Clean)),
    });
    let json = Sort::ALL.into_iter().filter(|_| !stays).map(|sort| Played {
        name: format!("{sort:?}").to_lowercase(),
        case: Box::new(move |seed| merges::check(sort, seed).map(|tried| tried.three)),
    });
    by_key.chain(json).collect()
}

/// Plays one kind; answers whether every case held.
fn play(played: &Played) -> bool {
    let (cases, from, most) = (number("--cases", 100_000), number("--from", 0), number("--failures", 1));
    let limit =
        option("--minutes").and_then(|word| word.parse().ok()).map(|it: u64| Duration::from_secs(it * 60));
    let (start, name) = (Instant::now(), &played.name);
    let (mut failures, mut clean, mut done) = (0, 0_u64, 0_u64);
    for seed in from..from + cases {
        match catch_unwind(AssertUnwindSafe(|| (played.case)(seed))) {
            Ok(Ok(is_clean)) => clean += u64::from(is_clean),
            Ok(Err(why)) => {
                println!("{name} seed {seed}: {why}");
                failures += 1;
            }
            Err(_) => {
                println!("{name} seed {seed}: panicked");
                failures += 1;
            }
        }
        done += 1;
        if failures >= most || limit.is_some_and(|limit| start.elapsed() > limit) {
            break;
        }
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!(
        "{name}: {done} cases from {from}: {failures} failures, {clean} came to an end in all orders, {rate:.0} cases/s"
    );
    failures == 0
}

fn main() -> ExitCode {
    let only = option("--kind").map(|kind| kind.to_lowercase());
    let mut kinds = all();
    kinds.retain(|played| only.as_ref().is_none_or(|only| *only == played.name));
    if kinds.is_empty() {
        eprintln!("no kind of that name: {}", only.unwrap_or_default());
        return ExitCode::FAILURE;
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while let Some(played) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
            failed.fetch_or(!play(played), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| (0..number("--workers", 1).max(1)).for_each(|_| drop(scope.spawn(work))));
    if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
