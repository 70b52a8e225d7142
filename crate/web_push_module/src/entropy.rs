//! Randomness, from the operating system.

use mlua::{Error, Result};
use web_push_app_server_core::{Ephemeral, KeyError, Keys};

/// # Errors
///
/// The operating system has no randomness.
fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(Error::external)?;
    Ok(bytes)
}

/// Random bytes are a key, but for one time in four billions.
fn drawn<T>(draw: impl Fn() -> Result<std::result::Result<T, KeyError>>) -> Result<T> {
    draw()?.or_else(|_| draw()?.map_err(Error::external))
}

/// New keys for an app server.
///
/// # Errors
///
/// The operating system has no randomness.
pub(crate) fn keys() -> Result<Keys> {
    drawn(|| Ok(Keys::from_random(bytes()?, bytes()?)))
}

/// What is new for each push.
///
/// # Errors
///
/// The operating system has no randomness.
pub(crate) fn ephemeral() -> Result<Ephemeral> {
    drawn(|| Ok(Ephemeral::from_random(bytes()?, bytes()?)))
}
