//! All devices of a service, and the outbox that follows from their states.

use std::hint::black_box;
use std::sync::Arc;

use slotmap::SlotMap;

use crate::device::{Device, Due, InFlight, MessageDigest, Notification, Revising};
use crate::ids::{DeviceId, PushId, RoomId, UserId};
use crate::outbox::Outbox;
use crate::registration::Registration;
use crate::time::Instant;

/// How many devices are fetched at once: they and what belongs to them fit into any cache.
const FETCHED: usize = 100;

/// When the engine is to be asked again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At once: a push waits to be sent.
    PushWaiting,
    /// At this time a publish should have been answered.
    AnswerOverdue(Instant),
    /// At this time the back-off of a device ends.
    RetryDue(Instant),
}

/// The devices of a service. Only the methods of this type change a device, and each of them leaves the outbox in step: a
/// device that has something to be pushed, and nothing to wait for, is in the queue; one that waits has a deadline.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    devices: SlotMap<DeviceId, Device>,
    outbox: Outbox,
}

impl Devices {
    /// A device was registered.
    pub(crate) fn insert(&mut self, owner: UserId, registration: Registration) -> DeviceId {
        self.devices.insert(Device::new(owner, registration))
    }

    /// A device is registered no more. What the outbox has of it finds nothing.
    pub(crate) fn remove(&mut self, id: DeviceId) -> Option<Device> {
        self.devices.remove(id)
    }

    /// A device.
    pub(crate) fn get(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// All of them, with their ids.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.devices.len()
    }

    /// How many wait for an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.iter().filter(|device| device.delivery().in_flight().is_some()).count()
    }

    /// How many wait for their turn.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// Changes a device, and sees to it that the outbox knows what is to be done with it.
    pub(crate) fn update<T>(&mut self, id: DeviceId, change: impl FnOnce(&mut Device) -> T) -> Option<T> {
        let device = self.devices.get_mut(id)?;
        let result = change(device);
        self.outbox.update(id, device);
        Some(result)
    }

    /// Goes through the queue until prepare() finds that there is something to send to a device, and sends it; a device that
    /// it finds nothing for has only changed. At most so many devices are looked at.
    pub(crate) fn poll<T>(
        &mut self,
        at_most: usize,
        mut prepare: impl FnMut(DeviceId, &mut Device) -> Option<(InFlight, T)>,
    ) -> Option<T> {
        for _ in 0..at_most {
            let id = self.outbox.pop_queue()?;
            let Some(device) = self.devices.get_mut(id) else { continue };
            if !device.dequeue() {
                continue;
            }
            let sent = prepare(id, device).map(|(in_flight, result)| {
                device.send(self.outbox.boxed(in_flight));
                result
            });
            self.outbox.update(id, device);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// Ends a publish, if it is the one that is on its way to its device, and changes the device accordingly.
    pub(crate) fn end_push<T>(
        &mut self,
        id: PushId,
        change: impl FnOnce(&mut Device, &mut InFlight) -> T,
    ) -> Option<T> {
        let device = self.devices.get_mut(id.device())?;
        let mut in_flight = device.take_in_flight(id)?;
        let result = change(device, &mut in_flight);
        self.outbox.update(id.device(), device);
        in_flight.notifications = Default::default();
        self.outbox.recycle(in_flight);
        Some(result)
    }

    /// Sees to what is due at `now`, of at most so many devices: back-offs end, and end() is told of each publish that was
    /// not answered in time. Returns what it says of them.
    pub(crate) fn handle_due<T>(
        &mut self,
        now: Instant,
        at_most: usize,
        mut end: impl FnMut(&mut Device, &mut InFlight) -> T,
    ) -> Vec<(DeviceId, T)> {
        let mut ended = Vec::new();
        for _ in 0..at_most {
            let Some((id, at)) = self.outbox.pop_deadline(now) else { break };
            let Some(device) = self.devices.get_mut(id) else { continue };
            if !device.disarm(at) {
                continue;
            }
            match device.delivery().due().filter(|(time, _)| *time <= now) {
                Some((_, Due::Retry)) => device.resume(),
                Some((_, Due::AnswerOverdue(push))) => {
                    ended.extend(self.end_push(push, &mut end).map(|result| (id, result)));
                    continue;
                }
                // It was put off meanwhile.
                None => {}
            }
            self.outbox.update(id, device);
        }
        ended
    }

    /// When something is to be done next. What is due may have become pointless by then.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        if self.outbox.queued() > 0 {
            return Some(Deadline::PushWaiting);
        }
        let (id, at) = self.outbox.next_deadline()?;
        let due = self.devices.get(id).and_then(|device| device.delivery().due());
        Some(match due {
            Some((_, Due::Retry)) => Deadline::RetryDue(at),
            _ => Deadline::AnswerOverdue(at),
        })
    }

    /// A message was sent in a room while the owners of these devices were absent; each with whether it mentions the owner.
    pub(crate) fn add_unread(
        &mut self,
        room: RoomId,
        message: &Arc<MessageDigest>,
        recipients: &[(DeviceId, bool)],
    ) {
        for some in recipients.chunks(FETCHED) {
            self.fetch(some);
            for &(id, is_mention) in some {
                if let Some(device) = self.devices.get_mut(id) {
                    device.add_unread(room, Notification::of(message, is_mention));
                    // It sets no deadline: a device that waits goes on waiting.
                    self.outbox.enqueue(id, device);
                }
            }
        }
    }

    /// A message of a room is taken back or corrected, and this device may have yet to hear of it.
    pub(crate) fn revise(&mut self, id: DeviceId, room: RoomId, revising: &mut Revising<'_>) {
        if self.devices.get(id).is_some_and(|device| device.tells_of(room)) {
            self.update(id, |device| device.revise(room, revising));
        }
    }

    /// Makes the processor fetch devices that are about to be changed. They are scattered over all of the memory, and
    /// this way it waits for many of them at once, instead of for one after the other.
    fn fetch(&self, recipients: &[(DeviceId, bool)]) {
        let found = || recipients.iter().filter_map(|&(id, _)| self.devices.get(id));
        black_box(found().filter(|device| device.has_pending()).count());
        black_box(found().map(|device| u64::from(device.unread().touch())).sum::<u64>());
    }
}
