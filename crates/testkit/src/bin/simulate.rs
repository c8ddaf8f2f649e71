//! Lives through worlds, one a seed, each twice, and tells what was not as promised:
//! `cargo run --release -p instep-testkit --bin simulate -- --seeds 1000`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool of the test kit prints its report")]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use instep_testkit::simulated::chaos::{Counts, Layer};
use instep_testkit::simulated::shrink::{run_twice, shrink};
use instep_testkit::simulated::world::{self, Scenario};

struct Asked {
    seeds: u64,
    from: u64,
    minutes: Option<u64>,
    steps: u64,
    only: Option<Vec<u64>>,
    layers: BTreeSet<Layer>,
    failures: u64,
    tells: bool,
    shrinks: bool,
}

fn main() -> ExitCode {
    let asked = match arguments(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!(
                "{why}\nusage: simulate [--seeds N] [--from S] [--minutes M] [--steps K] [--only 3,7,…] \
                 [--without crashes,disk,…] [--with …] [--failures N] [--tell yes] [--shrink no]\nlayers: {}",
                Layer::ALL.map(Layer::word).join(" ")
            );
            return ExitCode::from(2);
        }
    };
    if !asked.tells {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let started = Instant::now();
    let limit = asked.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    let (mut counts, mut done, mut failures) = (Counts::default(), 0, 0);
    for seed in asked.from..asked.from.saturating_add(asked.seeds) {
        if limit.is_some_and(|limit| started.elapsed() > limit) || failures == asked.failures {
            break;
        }
        let steps = asked.only.clone().unwrap_or_else(|| (0..asked.steps).collect());
        let scenario = Scenario { seed, layers: asked.layers.clone(), steps };
        let ended = run_twice(&scenario);
        counts.add(ended.counts);
        done += 1;
        if asked.tells {
            world::run(&scenario, true).lines.iter().for_each(|line| println!("{line}"));
        }
        if let Some(broken) = ended.broken {
            failures += 1;
            println!("seed {seed}: {}", broken.0);
            if !asked.shrinks {
                continue;
            }
            let small = shrink(&scenario, &broken, 3000);
            let list: Vec<String> = small.steps.iter().map(u64::to_string).collect();
            let layers: Vec<String> = small.layers.iter().map(|layer| layer.word()).collect();
            let told = world::run(&small, true);
            println!("  --from {seed} --seeds 1 --only {} --with {}", list.join(","), layers.join(","));
            told.lines.iter().for_each(|line| println!("    {line}"));
            println!("  {}\n", told.broken.map_or_else(String::new, |broken| broken.0));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{done} seeds, each twice, in {seconds:.0} s ({:.1} a second): {} acts, {} calls, {} kills, {} power cuts, \
         {} disk faults, {} remote faults, {} edits ({} in the middle of an act), {} joins, {} files that rot, {} contents that count; \
         {failures} failed",
        done as f64 / seconds,
        counts.acts,
        counts.calls,
        counts.kills,
        counts.power_cuts,
        counts.disk_faults,
        counts.remote_faults,
        counts.edits,
        counts.edits_meanwhile,
        counts.joins,
        counts.rots,
        counts.contents,
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 100,
        from: 1,
        minutes: None,
        steps: 40,
        only: None,
        layers: Layer::ALL.into_iter().collect(),
        failures: 3,
        tells: false,
        shrinks: true,
    };
    while let Some(flag) = given.next() {
        let value = given.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag} needs a number"));
        let words = value.split(',').filter(|word| !word.is_empty());
        let layers = || -> Result<BTreeSet<Layer>, String> {
            words.clone().map(|word| Layer::parse(word).ok_or_else(|| format!("no layer {word}"))).collect()
        };
        match flag.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--from" => asked.from = number()?,
            "--minutes" => {
                asked.minutes = Some(number()?);
                asked.seeds = u64::MAX;
            }
            "--steps" => asked.steps = number()?,
            "--failures" => asked.failures = number()?,
            "--tell" => asked.tells = value == "yes",
            "--shrink" => asked.shrinks = value == "yes",
            "--only" => {
                let steps: Result<Vec<u64>, _> = words.clone().map(str::parse).collect();
                asked.only = Some(steps.map_err(|_| "--only needs numbers")?);
            }
            "--without" => asked.layers = &asked.layers - &layers()?,
            "--with" => asked.layers = layers()?,
            _ => return Err(format!("unknown option {flag}")),
        }
    }
    Ok(asked)
}
