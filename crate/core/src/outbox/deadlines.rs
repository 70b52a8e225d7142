//! What is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::ids::DeviceId;
use crate::time::Instant;

/// The time at which something is due with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) at: Instant,
    pub(super) device: DeviceId,
}

/// What is due when. Nearly all deadlines are those of publishes, which pass in the order in which they are set.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Those that were the last to pass when they were set.
    in_order: VecDeque<Entry>,
    /// The others.
    out_of_order: BinaryHeap<Reverse<Entry>>,
}

impl Deadlines {
    pub(super) fn set(&mut self, entry: Entry) {
        if self.in_order.back().is_none_or(|last| *last <= entry) {
            self.in_order.push_back(entry);
        } else {
            self.out_of_order.push(Reverse(entry));
        }
    }

    /// The next one to pass.
    pub(super) fn next(&self) -> Option<&Entry> {
        let first = self.in_order.front();
        let other = self.out_of_order.peek().map(|Reverse(entry)| entry);
        first.into_iter().chain(other).min()
    }

    /// Takes the next one out, if it has passed at `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Entry> {
        let next = self.next().filter(|entry| entry.at <= now)?;
        if self.in_order.front() == Some(next) {
            self.in_order.pop_front()
        } else {
            self.out_of_order.pop().map(|Reverse(entry)| entry)
        }
    }
}
