//! How many bytes a registered device takes: what the engine has allocated, shared among its devices. Members of
//! rooms and the rooms themselves are part of it.
//!
//! `cargo run --release --example bytes_per_device` prints a table and writes `engine-bytes.json` into the
//! target directory: for each number of devices the bytes per device of an idle service whose rooms are known.
//! `QUICK=1` makes the services smaller, and writes `engine-bytes-quick.json`. They are those that the benchmark
//! `engine` times.

use std::alloc::System;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use muc_cloud_notify_testing::sim_load::{self, SimLoad};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What is allocated and not yet freed.
#[derive(Debug, Clone, Copy)]
struct Live {
    bytes: usize,
    blocks: usize,
}

impl Live {
    fn now() -> Self {
        let stats = ALLOCATOR.stats();
        Live {
            bytes: stats.bytes_allocated - stats.bytes_deallocated,
            blocks: stats.allocations - stats.deallocations,
        }
    }
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:>9}  {:32}  {:>9}  {:>9}", "devices", "state", "bytes", "blocks")?;
    let mut results = Vec::new();
    for devices in sim_load::sizes(sim_load::is_quick()) {
        let before = Live::now();
        let mut row = |state: &str| {
            let live = Live::now();
            let share = |all: usize, before: usize| (all - before) as f64 / devices as f64;
            let bytes = share(live.bytes, before.bytes);
            let blocks = share(live.blocks, before.blocks);
            writeln!(out, "{devices:>9}  {state:32}  {bytes:>9.1}  {blocks:>9.2}").map(|()| bytes)
        };
        let mut load = SimLoad::new(devices);
        row("registered")?;
        load.read_rooms();
        results.push(format!("\"{devices}\": {:.0}", row("and members of rooms")?));
        load.warm_up();
        row("and pushed to for every room")?;
    }
    let name = if sim_load::is_quick() { "engine-bytes-quick.json" } else { "engine-bytes.json" };
    let path = target_directory().join(name);
    fs::write(&path, format!("{{{}}}\n", results.join(", ")))?;
    writeln!(out, "written to {}", path.display())
}

/// Where Cargo puts what it builds.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")), PathBuf::from)
}
