//! The simulation of many shards, for a seed that is always the same and for one that never is. `SEED=n` repeats what one has found.
//! Where `STEPS` is set, as it is for what is optimised, there are more shards.

use std::time::{SystemTime, UNIX_EPOCH};

use muc_cloud_notify_testing::sim_shards::{Figures, Simulation, Size};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::print_stderr, reason = "it is shown where the seed finds something")]
fn run(seed: u64) -> Figures {
    eprintln!("STEPS=1 SEED={seed} cargo test --package muc-cloud-notify-testing --test shards repeats it");
    let shards = number("STEPS").map_or(3, |_| Size::SMALL.shards);
    Simulation::new(seed, Size { shards, ..Size::SMALL }).run()
}

#[test]
fn everybody_is_told_by_shards_that_end_and_app_servers_that_go_away() {
    let figures = run(2);
    assert!(figures.pushes > 2 * figures.devices as u64, "much happens: {figures}");
    assert!(figures.ends.iter().sum::<u32>() > 0, "shards end: {figures}");
    assert!(
        figures.of_one_that_leaves().told_after > 0.0,
        "somebody has waited for an app server: {figures}"
    );
}

#[test]
fn a_seed_that_was_never_tried_finds_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
    run(number("SEED").unwrap_or(now));
}
