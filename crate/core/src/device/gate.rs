//! What of a device waits for the store before it is pushed.

/// Whether something new waits for the store before it is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It does not.
    Open,
    /// It waits until what it changes is stored. `is_new`: that does not wait yet for something else.
    Closed {
        /// See above.
        is_new: bool,
    },
}

impl Gate {
    pub(super) fn is_closed(self) -> bool {
        matches!(self, Gate::Closed { .. })
    }
}

/// How many changes of a device wait for the store. Where there are more than can be counted, it waits for so many of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unstored(u16);

impl Unstored {
    pub(super) fn is_any(self) -> bool {
        self.0 > 0
    }

    pub(super) fn add(&mut self, gate: Gate) {
        if gate == (Gate::Closed { is_new: true }) {
            self.0 = self.0.saturating_add(1);
        }
    }

    pub(super) fn subtract(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}
