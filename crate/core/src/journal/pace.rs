//! How often a batch is written: what comes up alone waits for nobody, and under load batches become larger, not more.

use crate::time::Instant;

/// How many batches may be written one after the other, and how many a second.
const BURST: f64 = 3.0;
const A_SECOND: f64 = 4.0;

/// After a batch the store is left alone for so many times as long as it took, but no longer than so many seconds; pushes wait for
/// that. Where even a single write takes longer, it is left alone for twice as long as that.
const REST: f64 = 10.0;
const LONGEST_REST: f64 = 2.5;
const LEAST_REST: f64 = 2.0;

/// The longest delay after batches that could not be written, in seconds.
const MAX_DELAY: f64 = 60.0;

/// When the next batch may be written.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many may be, as of `since`.
    tokens: f64,
    since: Instant,
    /// None before.
    not_before: Instant,
    /// How many in a row could not be written.
    failures: u32,
}

impl Default for Pace {
    fn default() -> Self {
        let zero = Instant::from_seconds(f64::NEG_INFINITY);
        Pace { tokens: BURST, since: zero, not_before: zero, failures: 0 }
    }
}

impl Pace {
    /// When the next one may be written; `is_rest`: it holds what has not fit into the last one.
    pub(super) fn next(&self, is_rest: bool) -> Instant {
        if is_rest || self.tokens >= 1.0 {
            return self.not_before;
        }
        self.not_before.max(self.since + (1.0 - self.tokens) / A_SECOND)
    }

    /// When one may be written that leaves another one to what may come up.
    pub(super) fn next_spare(&self) -> Instant {
        let missing = (2.0 - self.tokens).max(0.0);
        if missing > 0.0 { self.not_before.max(self.since + missing / A_SECOND) } else { self.not_before }
    }

    /// One is written. Those that hold a rest do not count: their number follows the devices that are pushed to.
    pub(super) fn spend(&mut self, now: Instant, is_rest: bool) {
        let passed = now.seconds_since(self.since).max(0.0);
        self.tokens = (self.tokens + passed * A_SECOND).min(BURST);
        self.since = now;
        if !is_rest {
            self.tokens = (self.tokens - 1.0).max(0.0);
        }
    }

    /// It took so many seconds.
    pub(super) fn stored(&mut self, now: Instant, seconds: f64) {
        let seconds = if seconds.is_finite() { seconds.clamp(0.0, MAX_DELAY) } else { 0.0 };
        self.failures = 0;
        self.not_before = now + rest_after(seconds);
    }

    /// It could not be written.
    pub(super) fn failed(&mut self, now: Instant) {
        self.not_before = now + 2_f64.powi(self.failures.min(30).cast_signed()).min(MAX_DELAY);
        self.failures = self.failures.saturating_add(1);
    }
}

/// For how many seconds the store is left alone after a batch that took so many.
fn rest_after(seconds: f64) -> f64 {
    (seconds * REST).min(LONGEST_REST.max(seconds * LEAST_REST))
}
