//! The outbox: which devices are to be told something, which publishes are on their way, and what is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use slotmap::SlotMap;

use crate::device::{Device, InFlight, State};
use crate::ids::DeviceId;

/// Where ids and chance come from. The engine has none of its own.
pub trait Random {
    /// 128 bits that nobody can guess.
    fn secret(&mut self) -> [u8; 16];
    /// A number from 0 up to, but not including, 1.
    fn fraction(&mut self) -> f64;
}

/// How many boxes are kept of publishes that have ended.
const LANDED: usize = 1000;

/// The devices that something is to be done with. A device is in the queue at most once, has at most one
/// publish in flight, and at most one deadline.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<DeviceId>,
    deadlines: Deadlines,
    /// Boxes of publishes that have ended, for the next ones: they are at hand, what the allocator finds in a large
    /// heap is not.
    #[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
    landed: Vec<Box<InFlight>>,
}

/// What is due when. Nearly all deadlines are those of publishes, which pass in the order in which they are set.
#[derive(Debug, Default)]
struct Deadlines {
    /// Those that were the last to pass when they were set.
    in_order: VecDeque<Deadline>,
    /// The others.
    out_of_order: BinaryHeap<Reverse<Deadline>>,
}

#[derive(Debug, PartialEq)]
struct Deadline {
    at: f64,
    device: DeviceId,
}

impl Eq for Deadline {}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.total_cmp(&other.at).then_with(|| self.device.cmp(&other.device))
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Deadlines {
    fn set(&mut self, deadline: Deadline) {
        if self.in_order.back().is_none_or(|last| *last <= deadline) {
            self.in_order.push_back(deadline);
        } else {
            self.out_of_order.push(Reverse(deadline));
        }
    }

    /// The next one to pass.
    fn next(&self) -> Option<&Deadline> {
        let first = self.in_order.front();
        let other = self.out_of_order.peek().map(|Reverse(deadline)| deadline);
        first.into_iter().chain(other).min()
    }

    /// Takes the next one out, if it has passed at `now`.
    fn pop(&mut self, now: f64) -> Option<Deadline> {
        let next = self.next().filter(|deadline| deadline.at <= now)?;
        if self.in_order.front() == Some(next) {
            self.in_order.pop_front()
        } else {
            self.out_of_order.pop().map(|Reverse(deadline)| deadline)
        }
    }
}

impl Outbox {
    /// A device has something to be told. One that waits for an answer or a retry goes on waiting.
    pub fn announce(&mut self, id: DeviceId, device: &mut Device) {
        if matches!(device.state, State::Idle) && device.has_pending() {
            device.state = State::Queued;
            self.queue.push_back(id);
        }
    }

    /// How many devices are in the queue.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The next device of the queue.
    pub fn pop(&mut self) -> Option<DeviceId> {
        self.queue.pop_front()
    }

    /// A publish is on its way; without an answer it is due at `deadline`.
    pub fn sent(&mut self, device: &mut Device, in_flight: InFlight, deadline: f64) {
        let id = in_flight.id.device;
        let in_flight = match self.landed.pop() {
            Some(mut landed) => {
                *landed = in_flight;
                landed
            }
            None => Box::new(in_flight),
        };
        device.state = State::InFlight(in_flight);
        self.arm(id, device, deadline);
    }

    /// A publish has ended.
    pub fn landed(&mut self, in_flight: Box<InFlight>) {
        if self.landed.len() < LANDED {
            self.landed.push(in_flight);
        }
    }

    /// A device is not to be asked before `until`.
    pub fn rest(&mut self, id: DeviceId, device: &mut Device, until: f64) {
        device.state = State::Resting { until };
        self.arm(id, device, until);
    }

    /// The next device whose deadline has passed at `now`. Deadlines that were put off meanwhile are armed
    /// again, so that a device keeps no more than one however many publishes it gets.
    pub fn due(
        &mut self,
        devices: &mut SlotMap<DeviceId, Device>,
        now: f64,
        reply_timeout: f64,
    ) -> Option<DeviceId> {
        while let Some(Deadline { at, device: id }) = self.deadlines.pop(now) {
            let Some(device) = devices.get_mut(id).filter(|device| device.armed == Some(at)) else {
                continue;
            };
            device.armed = None;
            let due = match &device.state {
                State::InFlight(in_flight) => in_flight.since + reply_timeout,
                State::Resting { until } => *until,
                State::Idle | State::Queued => continue,
            };
            if due <= now {
                return Some(id);
            }
            self.arm(id, device, due);
        }
        None
    }

    /// When there is something to be done: at once, or at a later time, or never.
    pub fn next_turn(&self) -> Option<f64> {
        if self.queue.is_empty() {
            self.deadlines.next().map(|deadline| deadline.at)
        } else {
            Some(f64::NEG_INFINITY)
        }
    }

    fn arm(&mut self, id: DeviceId, device: &mut Device, at: f64) {
        if device.armed.is_none_or(|armed| armed > at) {
            device.armed = Some(at);
            self.deadlines.set(Deadline { at, device: id });
        }
    }
}
