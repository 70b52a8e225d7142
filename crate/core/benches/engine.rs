//! What the engine takes for a message, a turn, a reply and a registration, in services of which one is a
//! hundred times as large as the other (`QUICK=1`: ten times). It should take the same in both.
//!
//! `cargo bench --bench engine` prints `engine/message/1000000` and so on, and leaves its results under
//! `criterion/` in the target directory, or in `$CRITERION_HOME`. Without `--bench`, as under `cargo test`, it runs everything once.
//!
//! | benchmark | what is timed |
//! |---|---|
//! | `engine/message` | a message that concerns 100 devices, up to all of them being queued |
//! | `engine/turn` | the turn that hands out those 100 pushes |
//! | `engine/reply` | one answer to a publish |
//! | `engine/enable` | a request of a user who has a device already, with the registration that follows |
//! | `engine/enable-new` | the same for a user who had none |
//! | `engine/journal-message`, `-turn`, `-reply` | the same as those above, with a journal |
//! | `engine/journal-batch` | the batch that such a message takes, with the 100 answers before it |
//! | `engine/journal-large-batch` | one that is as large as it may be |

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};

use muc_cloud_notify_testing::sim_load::{self, ABSENT, Round, SimLoad};

/// With more, not all of them fit into it.
const ROOMS_OF_LARGE_BATCH: usize = 100;

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let is_quick = is_test || sim_load::is_quick();
    let mut criterion = criterion(is_quick).configure_from_args();
    for devices in sim_load::sizes(is_quick) {
        bench(&mut criterion, devices);
    }
    criterion.final_summary();
}

/// Short times: what is not timed takes several times as long again.
fn criterion(is_quick: bool) -> Criterion {
    let criterion = Criterion::default();
    if is_quick {
        let moment = Duration::from_millis(50);
        criterion.sample_size(10).nresamples(1000).warm_up_time(moment).measurement_time(moment)
    } else {
        criterion
            .sample_size(50)
            .warm_up_time(Duration::from_secs(1))
            .measurement_time(Duration::from_secs(2))
    }
}

fn bench(criterion: &mut Criterion, devices: usize) {
    let start = Instant::now();
    let mut load = SimLoad::new(devices);
    let setup = start.elapsed();

    run(criterion, "enable-new", devices, |iterations| (0..iterations).map(|_| load.enable_new()).sum());
    load.dismiss_newcomers();

    let start = Instant::now();
    load.read_rooms();
    load.warm_up();
    report(devices, setup + start.elapsed());

    bench_rounds(criterion, &mut load, devices, "");
    run(criterion, "enable", devices, |iterations| (0..iterations).map(|_| load.enable_again()).sum());

    load.begin_journal();
    bench_rounds(criterion, &mut load, devices, "journal-");
    run(criterion, "journal-batch", devices, |iterations| (0..iterations).map(|_| load.round().batch).sum());
    run(criterion, "journal-large-batch", devices, |iterations| {
        (0..iterations).map(|_| load.large_batch(ROOMS_OF_LARGE_BATCH)).sum()
    });
}

/// A message, the pushes of it, and their answers.
fn bench_rounds(criterion: &mut Criterion, load: &mut SimLoad, devices: usize, prefix: &str) {
    let mut rounds = |iterations: u64, part: fn(&Round) -> Duration| -> Duration {
        (0..iterations).map(|_| part(&load.round())).sum()
    };
    let name = |part: &str| format!("{prefix}{part}");
    run(criterion, &name("message"), devices, |iterations| rounds(iterations, |round| round.message));
    run(criterion, &name("turn"), devices, |iterations| rounds(iterations, |round| round.turn));
    run(criterion, &name("reply"), devices, |iterations| {
        // A round has many replies. Those that are too many count in proportion.
        let count = iterations.div_ceil(ABSENT as u64);
        let took = rounds(count, |round| round.replies);
        took.mul_f64(iterations as f64 / (count * ABSENT as u64) as f64)
    });
}

/// Runs a benchmark that takes a number of iterations and returns how long they took.
fn run(criterion: &mut Criterion, name: &str, devices: usize, mut routine: impl FnMut(u64) -> Duration) {
    criterion
        .benchmark_group(format!("engine/{name}"))
        .bench_function(BenchmarkId::from_parameter(devices), |bencher| bencher.iter_custom(&mut routine));
}

/// Says how long it took to set up a service: that takes longer than it looks, and is not measured.
#[expect(clippy::print_stderr, reason = "for the person running the benchmark")]
fn report(devices: usize, setup: Duration) {
    eprintln!("{devices} devices were made in {:.1} s", setup.as_secs_f64());
}
