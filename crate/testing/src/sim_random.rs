//! Randomness without chance.

use muc_cloud_notify_core::outbox::Random;

/// Ids that look like chance, and a fraction that is always the same.
#[derive(Debug, Default)]
pub(crate) struct SimRandom {
    ids: u64,
    /// What every fraction is: from 0 up to, but not including, 1.
    pub(crate) fraction: f64,
}

impl Random for SimRandom {
    fn secret(&mut self) -> [u8; 16] {
        self.ids += 1;
        u128::from(scatter(self.ids)).to_be_bytes()
    }

    fn fraction(&mut self) -> f64 {
        self.fraction
    }
}

/// A number that looks like chance (the finaliser of SplitMix64).
pub(crate) fn scatter(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
