//! What the journal says of the devices of users whose records cannot be read: one device stands for all of a user's, and for it
//! is unread what is so for any of them.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::device::UnreadInRoom;
use crate::ids::{DeviceId, RoomId};
use crate::journal::DeviceHash;

/// What was said of each of those devices that something stands for, until all is taken up. Entries of a device stand in the
/// place of earlier ones of that device only.
#[derive(Debug, Default)]
pub(in crate::engine) struct Gathered(HashMap<DeviceId, OfUser>);

/// What was said of the devices of a user.
#[derive(Debug, Default)]
struct OfUser {
    rooms: HashMap<RoomId, SmallVec<[(DeviceHash, UnreadInRoom); 1]>>,
    /// Those that a push without a message was asked for.
    pinged: SmallVec<[DeviceHash; 1]>,
}

impl Gathered {
    /// This is unread in a room for a device that another one stands for. Returns what is unread for the latter.
    ///
    /// What has stood for devices earlier has told of all of them, and they of all that it had: each stands in the place of the
    /// other.
    pub(super) fn replace(
        &mut self,
        stand_in: DeviceId,
        device: DeviceHash,
        unread: UnreadInRoom,
    ) -> UnreadInRoom {
        let room = unread.room;
        let all = self.0.entry(stand_in).or_default().rooms.entry(room).or_default();
        all.retain(|(other, _)| *other != device && !device.is_of_stand_in() && !other.is_of_stand_in());
        all.push((device, unread));
        together(room, all.iter().map(|(_, unread)| unread))
    }

    /// What was said of a room counts no more, as that was read since.
    pub(super) fn forget_room(&mut self, stand_in: DeviceId, room: RoomId) {
        if let Some(user) = self.0.get_mut(&stand_in) {
            user.rooms.remove(&room);
        }
    }

    /// A device is gone. Returns what is unread for the one that stands for it, in the rooms where something was said of it.
    pub(super) fn forget(&mut self, stand_in: DeviceId, device: DeviceHash) -> Vec<UnreadInRoom> {
        let Some(user) = self.0.get_mut(&stand_in) else { return Vec::new() };
        user.pinged.retain(|other| *other != device);
        let mut changed = Vec::new();
        for (&room, all) in &mut user.rooms {
            let before = all.len();
            all.retain(|(other, _)| *other != device);
            if all.len() < before {
                changed.push(together(room, all.iter().map(|(_, unread)| unread)));
            }
        }
        changed
    }

    /// All of the devices that one stands for are gone.
    pub(super) fn forget_all(&mut self, stand_in: DeviceId) {
        self.0.remove(&stand_in);
    }

    /// A push without a message was asked for, or not. Returns whether one was for any of the devices.
    pub(super) fn ping(&mut self, stand_in: DeviceId, device: DeviceHash, is_pinged: bool) -> bool {
        let pinged = &mut self.0.entry(stand_in).or_default().pinged;
        pinged.retain(|other| *other != device && !device.is_of_stand_in() && !other.is_of_stand_in());
        if is_pinged {
            pinged.push(device);
        }
        self.is_pinged(stand_in)
    }

    /// Whether a push without a message was asked for, for any of the devices.
    pub(super) fn is_pinged(&self, stand_in: DeviceId) -> bool {
        self.0.get(&stand_in).is_some_and(|user| !user.pinged.is_empty())
    }
}

/// What is unread in a room for any of several devices: as much as for the one for which most is.
fn together<'a>(room: RoomId, all: impl Iterator<Item = &'a UnreadInRoom> + Clone) -> UnreadInRoom {
    let messages = all.clone().map(|unread| unread.messages).max().unwrap_or_default();
    let pending = all.filter_map(|unread| unread.pending.as_ref());
    let pending = pending.max_by_key(|pending| pending.messages()).cloned();
    UnreadInRoom { room, messages, pending }
}
