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
#[derive(Debug, Default, Clone)]
pub(super) struct Bounces(HashMap<RoomId, OfRoom>);

#[derive(Debug, Default, Clone)]
struct OfRoom {
    keys: HashSet<MessageKey>,
    /// How many of them count as unread: not those that were taken back.
    counted: u32,
    newest: Option<Instant>,
}

/// What had bounced of a room before a message did, and counts as unread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// How many messages.
    pub(super) count: u32,
    /// When the last one of them was sent.
    pub(super) newest: Option<Instant>,
}

impl Bounces {
    /// Takes note of a message and when it was sent, and returns what had bounced before; `None` if this one had.
    pub(super) fn add(&mut self, room: RoomId, key: MessageKey, sent: Instant) -> Option<Before> {
        let room = self.0.entry(room).or_default();
        let before = Before { count: room.counted, newest: room.newest };
        if room.keys.len() < KEPT && !room.keys.insert(key) {
            return None;
        }
        room.counted = room.counted.saturating_add(1);
        room.newest = before.newest.max(Some(sent));
        Some(before)
    }

    /// So many of a room do not count as unread any more, after which this many messages do. They are told apart from new
    /// ones still. Where nothing is unread, nothing newer than what may yet bounce was pushed.
    pub(super) fn subtract(&mut self, room: RoomId, messages: u32, unread: u32) {
        let Some(room) = self.0.get_mut(&room) else { return };
        room.counted = room.counted.saturating_sub(messages).min(unread);
        if unread == 0 {
            room.newest = None;
        }
    }

    /// Its recipient is in the room again.
    pub(super) fn forget(&mut self, room: RoomId) {
        self.0.remove(&room);
    }

    /// Whether none is known of any room.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
