//! The simulation of many shards, for a seed that is always the same and for one that never is. `SEED=n` repeats what one has found.

use std::time::{SystemTime, UNIX_EPOCH};

use muc_cloud_notify_testing::sim_shards::{Figures, Simulation, Size};

#[expect(clippy::print_stderr, reason = "it is shown where the seed finds something")]
fn run(seed: u64) -> Figures {
    eprintln!("SEED={seed} cargo test --package muc-cloud-notify-testing --test shards repeats it");
    Simulation::new(seed, Size::SMALL).run()
}

#[test]
fn everybody_is_told_by_shards_that_end_and_app_servers_that_go_away() {
    let figures = run(1);
    assert!(figures.pushes > 20_000, "much happens: {figures}");
    assert!(figures.ends.iter().all(|ends| *ends > 0), "shards end in each way: {figures}");
    let leaves = figures.of_one_that_leaves();
    assert!(leaves.told_after > 0.0, "somebody has waited for it: {figures}");
}

#[test]
fn a_seed_that_was_never_tried_finds_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    run(std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now));
}
