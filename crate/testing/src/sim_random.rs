//! Randomness without chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muc_cloud_notify_core::Random;

/// Ids that look like chance, and a fraction that is always the same, until it is set to another one. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimRandom {
    ids: u64,
    /// The bits of what every fraction is.
    fraction: Arc<AtomicU64>,
    /// Whether each fraction is another one.
    varies: bool,
}

impl SimRandom {
    /// Ids and fractions that follow from a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        SimRandom { ids: scatter(seed), varies: true, ..SimRandom::default() }
    }

    /// Sets what every fraction is from now on: from 0 up to, but not including, 1.
    pub(crate) fn set_fraction(&self, fraction: f64) {
        self.fraction.store(fraction.to_bits(), Ordering::Relaxed);
    }
}

impl Random for SimRandom {
    fn secret(&mut self) -> [u8; 16] {
        self.ids = self.ids.wrapping_add(1);
        u128::from(scatter(self.ids)).to_be_bytes()
    }

    fn fraction(&mut self) -> f64 {
        if self.varies {
            self.ids = self.ids.wrapping_add(1);
            return (scatter(self.ids) >> 11) as f64 / (1_u64 << 53) as f64;
        }
        f64::from_bits(self.fraction.load(Ordering::Relaxed))
    }
}

/// A number that looks like chance (the finaliser of SplitMix64).
pub(crate) fn scatter(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
