//! How much of one message is compared.

use std::cell::Cell;

use crate::work;

/// What is compared of one message with nicknames, in bytes, ranges and text together; and what is prepared of the addresses
/// in it. It is far more than a message to people needs, and keeps one that is made to be compared from taking long.
const COMPARED_MAX: usize = 64 * 1024;

/// What may still be compared of a message.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Cell::new(COMPARED_MAX))
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.0.get() == 0
    }

    /// Takes `bytes` out. Returns whether there were so many left; where there were not, nothing is left.
    pub(super) fn take(&self, bytes: usize) -> bool {
        work::count(bytes);
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}
