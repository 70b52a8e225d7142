//! Which messages have bounced: one that bounces from two sessions of a user is unread once.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::ids::RoomId;
use crate::time::Instant;

/// How many messages of a room are told apart. Beyond that, one that bounces twice counts twice.
const KEPT: usize = 1000;

/// What tells a message from all others of its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MessageKey(u64);

impl MessageKey {
    /// The key that stands for this text.
    pub(crate) fn new(text: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        MessageKey(hasher.finish())
    }
}

/// The messages that have bounced since their recipient was last in the room.
#[derive(Debug, Default)]
pub(super) struct Bounces(HashMap<RoomId, OfRoom>);

#[derive(Debug, Default)]
struct OfRoom {
    keys: HashSet<MessageKey>,
    newest: Option<Instant>,
}

/// What had bounced of a room before a message did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// How many messages.
    pub(super) count: usize,
    /// When the last one of them was sent.
    pub(super) newest: Option<Instant>,
}

impl Bounces {
    /// Takes note of a message and when it was sent, and returns what had bounced before; `None` if this one had.
    pub(super) fn add(&mut self, room: RoomId, key: MessageKey, sent: Instant) -> Option<Before> {
        let room = self.0.entry(room).or_default();
        let before = Before { count: room.keys.len(), newest: room.newest };
        if before.count < KEPT && !room.keys.insert(key) {
            return None;
        }
        room.newest = before.newest.max(Some(sent));
        Some(before)
    }

    /// Its recipient is in the room again. Returns whether nothing is left of any room.
    pub(super) fn forget(&mut self, room: RoomId) -> bool {
        self.0.remove(&room);
        self.0.is_empty()
    }
}
