//! In which rooms something has begun to spread since a user was last told of all that there was. To look at all rooms for each
//! push would take long where very many are spreading something.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{RoomId, UserId};
use crate::work;

/// The rooms where something is spreading, in the order in which something began there last.
#[derive(Debug, Default)]
pub(super) struct News {
    /// By numbers that grow.
    rooms: BTreeMap<u64, RoomId>,
    /// The number of each room.
    numbers: HashMap<RoomId, u64>,
    last: u64,
    /// The last number of which a user was told.
    told: HashMap<UserId, u64>,
}

impl News {
    /// Something begins to spread in a room.
    pub(super) fn begin(&mut self, room: RoomId) {
        self.last += 1;
        if let Some(before) = self.numbers.insert(room, self.last) {
            self.rooms.remove(&before);
        }
        self.rooms.insert(self.last, room);
    }

    /// Nothing is spreading in a room any more.
    pub(super) fn end(&mut self, room: RoomId) {
        if let Some(number) = self.numbers.remove(&room) {
            self.rooms.remove(&number);
        }
        if self.rooms.is_empty() {
            self.told = HashMap::new();
        }
    }

    /// The rooms of which a user may have yet to hear, and now does, and whether these are all: until so many fan-outs are looked at,
    /// of which there are so many in each room.
    pub(super) fn take(
        &mut self,
        user: UserId,
        at_most: &mut usize,
        len_of: impl Fn(RoomId) -> usize,
    ) -> (Vec<RoomId>, bool) {
        if self.rooms.is_empty() {
            return (Vec::new(), true);
        }
        let mut told = self.told.get(&user).copied().unwrap_or(0);
        let (mut rooms, mut are_all) = (Vec::new(), true);
        for (number, room) in self.rooms.range(told + 1..) {
            if *at_most == 0 {
                are_all = false;
                break;
            }
            *at_most = at_most.saturating_sub(len_of(*room).max(1));
            rooms.push(*room);
            told = *number;
        }
        self.told.insert(user, if are_all { self.last } else { told });
        work::count(rooms.len());
        (rooms, are_all)
    }
}
