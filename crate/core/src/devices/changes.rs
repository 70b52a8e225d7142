//! What is unread and waits to be pushed becomes more or less. The journal takes note of each of these changes.

use std::hint::black_box;
use std::sync::Arc;

use crate::device::{MessageDigest, MessageKey, Notification, Revising};
use crate::ids::{DeviceId, RoomId};
use crate::journal::Group;

use super::Devices;

/// How many devices are fetched at once: they and what belongs to them fit into any cache.
const FETCHED: usize = 100;

impl Devices {
    /// A device has an id that the journal does not know: all that is unread is written anew. What waited for that still does.
    pub(super) fn note_all(&mut self, id: DeviceId, is_unstored: bool) {
        let Devices { devices, journal, .. } = self;
        let Some(device) = devices.get_mut(id).filter(|_| journal.is_on()) else { return };
        let is_strict = is_unstored && journal.is_strict();
        let rooms: Vec<RoomId> = device.unread().counts().map(|(room, _)| room).collect();
        for room in rooms {
            if is_strict && device.tells_of(room) {
                device.hold(journal.add((id, Some(room))));
            } else {
                journal.note_changed((id, Some(room)));
            }
        }
        journal.note_changed((id, None));
    }

    /// The owner of a device is in a room again, or has no business there any more; is_awaited() says of which rooms it is not
    /// known yet whether that is so.
    pub(crate) fn mark_read(&mut self, id: DeviceId, room: RoomId, is_awaited: impl Fn(RoomId) -> bool) {
        let was_unread = self.update(id, |device| {
            let was_unread = device.mark_read(room);
            device.end_wait(is_awaited);
            was_unread
        });
        if was_unread == Some(true) {
            self.journal.note_read((id, Some(room)));
        }
    }

    /// The same where the room is gone, which the journal knows.
    pub(crate) fn drop_room(&mut self, id: DeviceId, room: RoomId) {
        self.update(id, |device| device.mark_read(room));
    }

    /// Another module asks for a push without a message.
    pub(crate) fn ping(&mut self, id: DeviceId) {
        if self.devices.get(id).is_some() {
            let gate = self.journal.add((id, None));
            self.update(id, |device| device.ping(gate));
        }
    }

    /// A message bounced that was sent when the owner of a device seemed to be present. Returns whether it is the first time.
    pub(crate) fn add_bounced(
        &mut self,
        id: DeviceId,
        room: RoomId,
        notification: Notification,
        key: MessageKey,
    ) -> bool {
        let Devices { devices, outbox, journal, .. } = self;
        let Some(device) = devices.get_mut(id) else { return false };
        let is_new = device.add_bounced(room, notification, key, || journal.add((id, Some(room))));
        outbox.update(id, device);
        is_new
    }

    /// Lets go of some devices that have waited for the journal, of however many messages. Returns whether any are left.
    pub(crate) fn release(&mut self, at_most: usize) -> bool {
        let mut left = at_most;
        while left > 0 && self.journal.is_releasing() {
            let released = self.journal.next_released(left);
            left = left.saturating_sub(released.len().max(1));
            for (id, room) in released {
                if let Some(device) = self.devices.get_mut(id) {
                    device.let_go();
                    self.outbox.enqueue(id, device, room);
                }
            }
        }
        self.journal.is_releasing()
    }

    /// A message was sent in a room while the owners of these devices were absent; each with whether it mentions the owner.
    /// Nothing of it is pushed before it is stored for all of the group.
    pub(crate) fn add_unread(
        &mut self,
        room: RoomId,
        message: &Arc<MessageDigest>,
        recipients: &[(DeviceId, bool)],
        group: &mut Group,
    ) {
        for some in recipients.chunks(FETCHED) {
            self.fetch(some);
            for &(id, is_mention) in some {
                if let Some(device) = self.devices.get_mut(id) {
                    let gate = self.journal.gate((id, room), group);
                    device.add_unread(room, Notification::of(message, is_mention), gate);
                    self.outbox.hasten(device);
                    // It sets no deadline: a device that waits goes on waiting.
                    self.outbox.enqueue(id, device, Some(room));
                }
            }
        }
    }

    /// A message has come to all of a group, bit by bit.
    pub(crate) fn add_group(&mut self, group: Group) {
        for id in self.journal.add_group(group) {
            if let Some(device) = self.devices.get_mut(id) {
                device.let_go();
            }
        }
    }

    /// A message of a room is taken back or corrected, and this device may have yet to hear of it. Returns whether it had.
    pub(crate) fn revise(&mut self, id: DeviceId, room: RoomId, revising: &mut Revising) -> bool {
        let is_known = self.devices.get(id).is_some_and(|device| device.tells_of(room));
        let is_revised = is_known && self.update(id, |device| device.revise(room, revising)) == Some(true);
        if is_revised {
            self.journal.note_revised((id, Some(room)));
        }
        is_revised
    }

    /// Makes the processor fetch devices that are about to be changed. They are scattered over all of the memory, and
    /// this way it waits for many of them at once, instead of for one after the other.
    fn fetch(&self, recipients: &[(DeviceId, bool)]) {
        let found = || recipients.iter().filter_map(|&(id, _)| self.devices.get(id));
        black_box(found().filter(|device| device.has_pending()).count());
        black_box(found().map(|device| u64::from(device.unread().touch())).sum::<u64>());
    }
}
