//! Failures on demand, for the specs: that nothing of ours reaches Prosody is only shown by failing.

use mlua::{Error, Lua, Result};
use parking_lot::Mutex;

static ARMED: Mutex<Option<(String, String)>> = Mutex::new(None);

/// `fault(method, kind)`: every call of this method of an engine fails from now on, with an `"error"` or a
/// `"panic"`; `fault()` ends it.
pub(crate) fn arm(_: &Lua, (method, kind): (Option<String>, Option<String>)) -> Result<()> {
    *ARMED.lock() = method.zip(kind);
    Ok(())
}

/// Fails, if this is the method that is to fail.
///
/// # Errors
///
/// On demand.
///
/// # Panics
///
/// On demand.
#[allow(clippy::panic)]
pub(crate) fn strike(method: &str) -> Result<()> {
    let kind = ARMED.lock().as_ref().filter(|(armed, _)| armed == method).map(|(_, kind)| kind.clone());
    match kind.as_deref() {
        Some("panic") => panic!("a panic in {method}, as ordered"),
        Some(_) => Err(Error::runtime(format!("an error in {method}, as ordered"))),
        None => Ok(()),
    }
}
