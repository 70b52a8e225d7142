//! Randomness for the engine.

use mlua::{Error, Result};
use muc_cloud_notify_core::Random;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A generator that is seeded by the operating system once, and whose output cannot be guessed.
pub(crate) struct Entropy(StdRng);

impl Entropy {
    /// # Errors
    ///
    /// The operating system has no randomness.
    pub(crate) fn new() -> Result<Self> {
        StdRng::try_from_rng(&mut rand::rngs::SysRng).map(Entropy).map_err(Error::external)
    }
}

impl Random for Entropy {
    fn secret(&mut self) -> [u8; 16] {
        self.0.random()
    }

    fn fraction(&mut self) -> f64 {
        self.0.random()
    }
}
