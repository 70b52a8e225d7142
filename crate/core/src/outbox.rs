//! The outbox: which devices are to be told something, which publishes are on their way, and what is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use slotmap::SlotMap;

use crate::device::{Device, InFlight, State};
use crate::key::DeviceId;

/// Where ids and chance come from. The engine has none of its own.
pub trait Random {
    /// 128 bits that nobody can guess.
    fn secret(&mut self) -> [u8; 16];
    /// A number from 0 up to, but not including, 1.
    fn fraction(&mut self) -> f64;
}

/// The devices that something is to be done with. A device is in the queue at most once, has at most one
/// publish in flight, and at most one deadline.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<DeviceId>,
    deadlines: BinaryHeap<Reverse<Deadline>>,
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

impl Outbox {
    /// A device has something to be told. One that waits for an answer or a retry goes on waiting.
    pub fn announce(&mut self, id: DeviceId, device: &mut Device) {
        if matches!(device.state, State::Idle) && device.has_pending() {
            device.state = State::Queued;
            self.queue.push_back(id);
        }
    }

    /// The next device of the queue.
    pub fn pop(&mut self) -> Option<DeviceId> {
        self.queue.pop_front()
    }

    /// A publish is on its way; without an answer it is due at `deadline`.
    pub fn sent(&mut self, device: &mut Device, in_flight: InFlight, deadline: f64) {
        let id = in_flight.id.device;
        device.state = State::InFlight(Box::new(in_flight));
        self.arm(id, device, deadline);
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
        while self.deadlines.peek().is_some_and(|Reverse(deadline)| deadline.at <= now) {
            let Some(Reverse(Deadline { at, device: id })) = self.deadlines.pop() else { break };
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
            self.deadlines.peek().map(|Reverse(deadline)| deadline.at)
        } else {
            Some(f64::NEG_INFINITY)
        }
    }

    fn arm(&mut self, id: DeviceId, device: &mut Device, at: f64) {
        if device.armed.is_none_or(|armed| armed > at) {
            device.armed = Some(at);
            self.deadlines.push(Reverse(Deadline { at, device: id }));
        }
    }
}
