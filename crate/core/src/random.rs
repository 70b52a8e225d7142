//! Where ids and chance come from: the engine has none of its own.

/// A source of randomness, which the engine is given when it is made.
pub trait Random: Send {
    /// 128 bits that nobody can guess.
    fn secret(&mut self) -> [u8; 16];
    /// A number from 0 up to, but not including, 1.
    fn fraction(&mut self) -> f64;
}
