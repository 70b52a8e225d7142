//! Which messages came back undelivered: one that comes back from two sessions of a user is missed once.

use std::collections::{HashMap, HashSet};

use crate::ids::RoomId;

/// How many messages of a room are told apart. Beyond that, one that comes back twice counts twice.
const KEPT: usize = 1000;

/// The messages that came back since their recipient was last in the room.
#[derive(Debug, Default)]
pub struct Returned(HashMap<RoomId, OfRoom>);

#[derive(Debug)]
struct OfRoom {
    /// Hashes of what tells them apart.
    keys: HashSet<u64>,
    newest: f64,
}

/// What came back of a room before a message did.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// How many messages.
    pub count: usize,
    /// When the last one of them was sent.
    pub newest: f64,
}

impl Returned {
    /// Takes note of a message and when it was sent, and returns what came back before it; `None` if it did already.
    pub fn add(&mut self, room: RoomId, key: u64, sent: f64) -> Option<Before> {
        let new = || OfRoom { keys: HashSet::new(), newest: f64::NEG_INFINITY };
        let room = self.0.entry(room).or_insert_with(new);
        let before = Before { count: room.keys.len(), newest: room.newest };
        if before.count < KEPT && !room.keys.insert(key) {
            return None;
        }
        room.newest = before.newest.max(sent);
        Some(before)
    }

    /// Its recipient is in the room again. Returns whether there is nothing left of any room.
    pub fn forget(&mut self, room: RoomId) -> bool {
        self.0.remove(&room);
        self.0.is_empty()
    }
}
