//! The simulation of a whole service, for seeds that are always the same and for one that never is. `STEPS=n` says how many steps
//! there are in all; `SEED=n` repeats what a seed has found.

use std::time::{SystemTime, UNIX_EPOCH};

use muc_cloud_notify_testing::sim_service::Simulation;

/// How many steps there are of each seed.
const STEPS_EACH: u64 = 20_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many seeds there are. Without optimisation they take their time.
fn seeds() -> u64 {
    number("STEPS").unwrap_or(5 * STEPS_EACH).div_ceil(STEPS_EACH).max(2)
}

#[expect(clippy::print_stderr, reason = "it is shown where the seed finds something")]
fn run(seed: u64) {
    eprintln!("SEED={seed} make simulate repeats it");
    Simulation::new(seed).run(STEPS_EACH);
}

#[test]
fn seeds_that_are_always_the_same_find_nothing() {
    (1..seeds() / 2 + 1).for_each(run);
}

#[test]
fn a_seed_that_was_never_tried_finds_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    let first = number("SEED").unwrap_or(now);
    (first..first + seeds().div_ceil(2)).for_each(run);
}
