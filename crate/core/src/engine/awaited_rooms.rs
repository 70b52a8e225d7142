//! The rooms of which something waits since the last run. They have to be read before it is told: by now a member may be
//! there, or be no member any more.

use std::collections::{HashMap, VecDeque};
use std::vec;

use crate::device::Device;
use crate::ids::{DeviceId, RoomId, UserId};
use crate::room::Room;

use super::Engine;

/// The rooms that are awaited, in the order in which they are to be read.
#[derive(Debug, Default)]
pub(super) struct AwaitedRooms {
    /// For how many devices something waits there.
    awaited: HashMap<RoomId, usize>,
    /// Those that have been read since are still in it, unless they were its first.
    order: VecDeque<RoomId>,
    /// The members of rooms that are not awaited any more, whose devices have yet to be looked at: there may be very many.
    released: VecDeque<vec::IntoIter<UserId>>,
}

impl AwaitedRooms {
    /// A room is awaited, for one more device.
    pub(super) fn insert(&mut self, room: RoomId) {
        let devices = self.awaited.entry(room).or_insert_with(|| {
            self.order.push_back(room);
            0
        });
        *devices += 1;
    }

    /// For one of the devices nothing waits there.
    pub(super) fn withdraw(&mut self, room: RoomId) {
        let Some(devices) = self.awaited.get_mut(&room) else { return };
        *devices -= 1;
        if *devices == 0 {
            self.remove(room);
        }
    }

    /// A room was read, or is gone. Returns whether it was awaited.
    pub(super) fn remove(&mut self, room: RoomId) -> bool {
        let was_awaited = self.awaited.remove(&room).is_some();
        while self.order.front().is_some_and(|first| !self.awaited.contains_key(first)) {
            self.order.pop_front();
        }
        was_awaited
    }

    /// These members of a room have waited for it, and need not any more: their devices are to be looked at, bit by bit.
    pub(super) fn release(&mut self, members: Vec<UserId>) {
        if !members.is_empty() {
            self.released.push_back(members.into_iter());
        }
    }

    /// The next of those who were released, so many at most.
    pub(super) fn next_released(&mut self, count: usize) -> Vec<UserId> {
        let Some(first) = self.released.front_mut() else { return Vec::new() };
        let users = first.take(count).collect();
        if first.len() == 0 {
            self.released.pop_front();
        }
        users
    }

    /// Whether any who were released have yet to be looked at.
    pub(super) fn is_releasing(&self) -> bool {
        !self.released.is_empty()
    }

    /// Whether a room is awaited.
    pub(super) fn contains(&self, room: RoomId) -> bool {
        self.awaited.contains_key(&room)
    }

    /// The rooms, in the order in which they are to be read.
    pub(super) fn iter(&self) -> impl Iterator<Item = RoomId> {
        self.order.iter().copied().filter(|&room| self.contains(room))
    }
}

/// What waits for a room to be read.
impl Engine {
    /// The rooms that have to be read, as something waits there since the last run; in the order of its value.
    pub fn awaited_rooms(&self) -> impl Iterator<Item = &str> {
        self.awaited_rooms.iter().filter_map(|room| Some(&**self.rooms.get(room)?.jid()))
    }

    /// A device has taken over what waits for rooms to be read.
    pub(super) fn await_rooms_of(&mut self, device: DeviceId) {
        let Some(device) = self.devices.get(device) else { return };
        for (room, _) in device.unread().pending().rooms() {
            if self.awaited_rooms.contains(room) {
                self.awaited_rooms.insert(room);
            }
        }
    }

    /// A room was read, of which something has waited since the last run: it can be told now.
    pub(super) fn end_wait(&mut self, room: RoomId) {
        if self.awaited_rooms.remove(room) {
            self.awaited_rooms.release(self.rooms.get(room).into_iter().flat_map(Room::members).collect());
            self.go_on_releasing();
        }
    }

    /// Lets those devices of some users go on that have waited for a room, where it was the last one.
    pub(super) fn go_on_releasing(&mut self) {
        let users = self.awaited_rooms.next_released(self.options.members_at_once);
        for id in users.into_iter().flat_map(|user| self.registrations.devices_of(user)) {
            if self.devices.get(id).is_some_and(Device::is_waiting) {
                self.devices.update(id, |device| device.end_wait(|room| self.awaited_rooms.contains(room)));
            }
        }
    }
}
