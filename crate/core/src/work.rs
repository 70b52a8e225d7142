//! How much of what comes in is looked at, and how often: counted for tests, which hold it against the size of the input.
//!
//! Time would depend on the machine. Whatever goes through something that others make, or compares it with something that
//! others make, counts here: a byte, up to sixteen of them that are compared at once, an element, a range.

#[cfg(feature = "work-count")]
use std::cell::Cell;

#[cfg(feature = "work-count")]
thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// So much is looked at now.
pub(crate) fn count(_amount: usize) {
    #[cfg(feature = "work-count")]
    DONE.with(|done| done.set(done.get().saturating_add(_amount)));
}

/// How much was looked at in this thread.
#[cfg(feature = "work-count")]
pub fn work_done() -> usize {
    DONE.with(Cell::get)
}
