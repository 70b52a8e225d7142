//! Runs the simulation of many shards that share app servers, all of them at once.
//!
//! `SEED=n` says which run, `SHARDS=n` and `DEVICES=n` how many shards there are, and devices in each; as many as fit into the
//! memory: a device takes less than 1.5 kB.

use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use muc_cloud_notify_testing::sim_shards::{Simulation, Size};

fn main() -> io::Result<()> {
    let size = Size::with_shards(number("SHARDS", 100), number("DEVICES", 100_000));
    let seed = number("SEED", 1) as u64;
    let mut out = io::stdout().lock();
    writeln!(out, "seed {seed}: {} shards with {} devices each", size.shards, size.devices)?;
    let (started, before) = (Instant::now(), memory("VmRSS"));
    let mut simulation = Simulation::new(seed, size);
    let registered = memory("VmRSS") - before;
    writeln!(out, "registered after {} s", started.elapsed().as_secs())?;
    out.flush()?;
    let figures = simulation.run();
    write!(out, "{figures}")?;
    let bytes = |kilobytes: f64| kilobytes * 1024.0 / figures.devices as f64;
    let (registered, most) = (bytes(registered), bytes(memory("VmHWM") - before));
    writeln!(
        out,
        "bytes a device, with what the simulation knows of it: {registered:.0} registered, {most:.0} at most"
    )?;
    writeln!(out, "{} s", started.elapsed().as_secs())
}

/// What the kernel says of the memory of this process, in kilobytes; 0 where it says nothing.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
