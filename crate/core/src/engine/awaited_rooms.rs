//! The rooms of which something waits since the last run. They have to be read before it is told: by now a member may be
//! there, or be no member any more.

use std::collections::{HashSet, VecDeque};

use crate::ids::RoomId;

/// The rooms that are awaited, in the order in which they are to be read.
#[derive(Debug, Default)]
pub(super) struct AwaitedRooms {
    awaited: HashSet<RoomId>,
    /// Those that have been read since are still in it, unless they were its first.
    order: VecDeque<RoomId>,
}

impl AwaitedRooms {
    /// A room is awaited.
    pub(super) fn insert(&mut self, room: RoomId) {
        if self.awaited.insert(room) {
            self.order.push_back(room);
        }
    }

    /// A room was read, or is gone. Returns whether it was awaited.
    pub(super) fn remove(&mut self, room: RoomId) -> bool {
        let was_awaited = self.awaited.remove(&room);
        while self.order.front().is_some_and(|first| !self.awaited.contains(first)) {
            self.order.pop_front();
        }
        was_awaited
    }

    /// Whether a room is awaited.
    pub(super) fn contains(&self, room: RoomId) -> bool {
        self.awaited.contains(&room)
    }

    /// The rooms, in the order in which they are to be read.
    pub(super) fn iter(&self) -> impl Iterator<Item = RoomId> {
        self.order.iter().copied().filter(|&room| self.contains(room))
    }
}
