//! Runs the simulation of a whole service for one seed after the other, until there were so many steps.
//!
//! `SEED=n` begins with that seed, `STEPS=n` says how many steps there are in all, and `STEPS_EACH=n` how many of each seed. A
//! seed that finds something is printed, with what happened last; it finds the same again.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use muc_cloud_notify_testing::sim_service::{Figures, Simulation};

fn main() -> io::Result<ExitCode> {
    let first = number("SEED", 1);
    let all = number("STEPS", 1_000_000);
    let each = number("STEPS_EACH", 20_000);
    let mut sum = Figures::default();
    let mut out = io::stdout().lock();
    let started = Instant::now();
    let mut seed = first;
    while sum.steps < all {
        match catch_unwind(|| Simulation::new(seed).run(each)) {
            Ok(figures) => sum += figures,
            Err(_) => {
                report(&mut out, seed, each)?;
                return Ok(ExitCode::FAILURE);
            }
        }
        seed += 1;
    }
    let seconds = started.elapsed().as_secs();
    writeln!(out, "seeds {first} to {}, each {each} steps and more: {sum:?} in {seconds} s", seed - 1)?;
    Ok(ExitCode::SUCCESS)
}

/// What happened before a seed found something.
fn report(out: &mut impl Write, seed: u64, each: u64) -> io::Result<()> {
    let mut simulation = Simulation::new(seed);
    simulation.trace();
    let _ = catch_unwind(AssertUnwindSafe(|| simulation.run(each)));
    let lines: Vec<&str> = simulation.traced().collect();
    let last = number("LINES", 40) as usize;
    lines.iter().skip(lines.len().saturating_sub(last)).try_for_each(|line| writeln!(out, "{line}"))?;
    writeln!(out, "SEED={seed} STEPS_EACH={each} finds this again")
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
