//! What is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::ids::DeviceId;
use crate::time::Instant;

/// The time at which something is due with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) device: DeviceId,
}

/// What is due when. Nearly all deadlines are those of publishes, which pass in the order in which they are set.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Those that were the last to pass when they were set.
    in_order: VecDeque<Deadline>,
    /// The others.
    out_of_order: BinaryHeap<Reverse<Deadline>>,
}

impl Deadlines {
    pub(super) fn set(&mut self, deadline: Deadline) {
        if self.in_order.back().is_none_or(|last| *last <= deadline) {
            self.in_order.push_back(deadline);
        } else {
            self.out_of_order.push(Reverse(deadline));
        }
    }

    /// The next one to pass.
    pub(super) fn next(&self) -> Option<&Deadline> {
        let first = self.in_order.front();
        let other = self.out_of_order.peek().map(|Reverse(deadline)| deadline);
        first.into_iter().chain(other).min()
    }

    /// Takes the next one out, if it has passed at `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Deadline> {
        let next = self.next().filter(|deadline| deadline.at <= now)?;
        if self.in_order.front() == Some(next) {
            self.in_order.pop_front()
        } else {
            self.out_of_order.pop().map(|Reverse(deadline)| deadline)
        }
    }
}
