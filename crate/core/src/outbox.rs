//! The outbox: which devices have something to be pushed, and when something is due with which.

mod deadlines;

use std::collections::VecDeque;

use crate::device::{Device, InFlight};
use crate::ids::DeviceId;
use crate::time::Instant;
use deadlines::{Deadlines, Entry};

/// How many boxes are kept of publishes that have ended.
const RECYCLED: usize = 1000;

/// The devices that something is to be done with. A device is in the queue at most once, has at most one publish in
/// flight, and at most one deadline that is valid.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<DeviceId>,
    deadlines: Deadlines,
    /// Boxes of publishes that have ended, for the next ones: they are at hand, what the allocator finds in a large
    /// heap is not.
    #[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
    recycled: Vec<Box<InFlight>>,
}

impl Outbox {
    /// A device has changed: it is put into the queue if it has something to be pushed and nothing to wait for, and its
    /// deadline is set if it has one.
    pub(crate) fn update(&mut self, id: DeviceId, device: &mut Device) {
        self.enqueue(id, device);
        if let Some(at) = device.arm() {
            self.deadlines.set(Entry { at, device: id });
        }
    }

    /// The same for a change that cannot set a deadline: what is looked at then need not be in the cache.
    pub(crate) fn enqueue(&mut self, id: DeviceId, device: &mut Device) {
        if device.enqueue() {
            self.queue.push_back(id);
        }
    }

    /// How many devices are in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The next device of the queue, which may be gone by now.
    pub(crate) fn pop_queue(&mut self) -> Option<DeviceId> {
        self.queue.pop_front()
    }

    /// The next deadline that has passed at `now`, which may not be valid any more.
    pub(crate) fn pop_deadline(&mut self, now: Instant) -> Option<(DeviceId, Instant)> {
        self.deadlines.pop(now).map(|entry| (entry.device, entry.at))
    }

    /// The next deadline, which may not be valid any more.
    pub(crate) fn next_deadline(&self) -> Option<(DeviceId, Instant)> {
        self.deadlines.next().map(|entry| (entry.device, entry.at))
    }

    /// A box for a publish.
    pub(crate) fn boxed(&mut self, in_flight: InFlight) -> Box<InFlight> {
        match self.recycled.pop() {
            Some(mut recycled) => {
                *recycled = in_flight;
                recycled
            }
            None => Box::new(in_flight),
        }
    }

    /// A publish has ended; what it was about is not in it any more.
    pub(crate) fn recycle(&mut self, in_flight: Box<InFlight>) {
        if self.recycled.len() < RECYCLED {
            self.recycled.push(in_flight);
        }
    }
}
