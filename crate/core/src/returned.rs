//! Which messages came back undelivered: one that comes back from two sessions of a user is missed once.

use std::collections::{HashMap, HashSet};

use crate::key::RoomId;

/// How many messages of a room are told apart. Beyond that, one that comes back twice counts twice.
const KEPT: usize = 1000;

/// The messages that came back since their recipient was last in the room, by hashes of what tells them apart.
#[derive(Debug, Default)]
pub struct Returned(HashMap<RoomId, HashSet<u64>>);

impl Returned {
    /// Takes note of a message, and returns how many came back before it; `None` if it is one of them.
    pub fn add(&mut self, room: RoomId, key: u64) -> Option<usize> {
        let keys = self.0.entry(room).or_default();
        let before = keys.len();
        (before >= KEPT || keys.insert(key)).then_some(before)
    }

    /// Its recipient is in the room again. Returns whether there is nothing left of any room.
    pub fn forget(&mut self, room: RoomId) -> bool {
        self.0.remove(&room);
        self.0.is_empty()
    }
}
