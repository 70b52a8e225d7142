//! The two clocks of the engine's caller. They have nothing in common, so neither is a bare number.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, Sub};

/// A point in time on a clock that never goes back, by which everything is measured that the engine waits for.
///
/// It is kept as the complement of its bits, of which at least one is set for every number, so that an `Option` of it, of which
/// there are many, takes no more memory.
#[derive(Clone, Copy)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// So many seconds after the clock's zero, which may be anywhere.
    pub const fn from_seconds(seconds: f64) -> Self {
        match NonZeroU64::new(!seconds.to_bits()) {
            Some(bits) => Instant(bits),
            // One of the bit patterns that are no number.
            None => Instant(NonZeroU64::MIN),
        }
    }

    /// The seconds since the clock's zero.
    pub const fn as_seconds(self) -> f64 {
        f64::from_bits(!self.0.get())
    }

    /// How many seconds lie between an earlier time and this one; negative if that is the later one.
    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        self.as_seconds() - earlier.as_seconds()
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} s", self.as_seconds())
    }
}

impl Add<f64> for Instant {
    type Output = Instant;

    fn add(self, seconds: f64) -> Instant {
        Instant::from_seconds(self.as_seconds() + seconds)
    }
}

impl Sub<f64> for Instant {
    type Output = Instant;

    fn sub(self, seconds: f64) -> Instant {
        Instant::from_seconds(self.as_seconds() - seconds)
    }
}

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_seconds().total_cmp(&other.as_seconds())
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

    /// How many seconds lie between an earlier time and this one; negative if that is the later one.
    pub(crate) fn seconds_since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }

    /// The later one of two.
    pub(crate) fn max(self, other: Self) -> Self {
        UnixTime(self.0.max(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_what_it_was_made_of_and_takes_no_more_memory_where_there_may_be_none() {
        for seconds in [0.0, -0.0, 1.5, -3.25, 1e300, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Instant::from_seconds(seconds).as_seconds().to_bits(), seconds.to_bits());
        }
        assert!(Instant::from_seconds(f64::from_bits(u64::MAX)).as_seconds().is_nan());
        assert_eq!(size_of::<Option<Instant>>(), size_of::<f64>());
    }

    #[test]
    fn instants_are_in_the_order_of_their_seconds() {
        let mut seconds = [2.0, -1.0, 0.0, 100.0, 0.5];
        let mut instants = seconds.map(Instant::from_seconds);
        seconds.sort_by(f64::total_cmp);
        instants.sort();
        assert_eq!(instants.map(Instant::as_seconds), seconds);
        assert_eq!((instants[0] + 1.5).seconds_since(instants[0]), 1.5);
    }
}
