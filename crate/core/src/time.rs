//! The two clocks of the engine's caller. They have nothing in common, so neither is a bare number.

use std::cmp::Ordering;
use std::ops::{Add, Sub};

/// A point in time on a clock that never goes back, by which everything is measured that the engine waits for.
#[derive(Debug, Clone, Copy)]
pub struct Instant(f64);

impl Instant {
    /// So many seconds after the clock's zero, which may be anywhere.
    pub const fn from_seconds(seconds: f64) -> Self {
        Instant(seconds)
    }

    /// The seconds since the clock's zero.
    pub const fn as_seconds(self) -> f64 {
        self.0
    }

    /// How many seconds lie between an earlier time and this one; negative if that is the later one.
    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }
}

impl Add<f64> for Instant {
    type Output = Instant;

    fn add(self, seconds: f64) -> Instant {
        Instant(self.0 + seconds)
    }
}

impl Sub<f64> for Instant {
    type Output = Instant;

    fn sub(self, seconds: f64) -> Instant {
        Instant(self.0 - seconds)
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Instant {}

/// The time of day, which an operator may set at any time: good for what is stored, and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnixTime(f64);

impl UnixTime {
    /// So many seconds after the beginning of 1970.
    pub const fn from_seconds(seconds: f64) -> Self {
        UnixTime(seconds)
    }

    /// The seconds since the beginning of 1970.
    pub const fn as_seconds(self) -> f64 {
        self.0
    }
}
