//! What the owner of a device has not read, and what the device has yet to hear of it.
//!
//! The two differ: an app server that was told of ten messages knows of them, but they are unread until their reader is in
//! the room again. So the count of a push never depends on how many pushes got through.

use std::cmp::Ordering;
use std::sync::Arc;

use minidom::Element;
use smallvec::{SmallVec, smallvec};

use super::bounces::{Bounces, MessageKey};
use crate::ids::RoomId;
use crate::time::Instant;

/// What a push says about the newest message of a room, shared by all devices that get one.
#[derive(Debug)]
pub(crate) struct MessageDigest {
    /// The room's bare JID.
    pub(crate) room: Arc<str>,
    /// The occupant JID of the author, where the app server may know it.
    pub(crate) sender: Option<Arc<str>>,
    /// The text, where the app server may know it.
    pub(crate) body: Option<Arc<str>>,
    /// The broadcast message, where another module wants to see it.
    pub(crate) original: Option<Element>,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// Tells which of two messages the engine came to know later.
    pub(crate) order: u64,
}

impl MessageDigest {
    /// The same message without its words: newer ones were already pushed.
    fn without_words(&self) -> Self {
        let (room, original) = (self.room.clone(), self.original.clone());
        MessageDigest { room, sender: None, body: None, original, ..*self }
    }
}

/// Something of a room that a device has yet to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    /// The newest message.
    pub(crate) newest: Arc<MessageDigest>,
    /// The newest message that mentions the owner.
    pub(crate) mention: Option<Arc<MessageDigest>>,
    /// How many messages it stands for.
    pub(crate) messages: u32,
}

impl Notification {
    /// That of one message.
    pub(crate) fn of(message: &Arc<MessageDigest>, is_mention: bool) -> Self {
        let mention = is_mention.then(|| message.clone());
        Notification { newest: message.clone(), mention, messages: 1 }
    }

    /// Which of two has the message that was sent later.
    fn cmp_sent(&self, other: &Self) -> Ordering {
        let (one, other) = (&self.newest, &other.newest);
        one.sent.cmp(&other.sent).then(one.order.cmp(&other.order))
    }

    /// Takes over what another one stands for. The message that was sent later speaks for both.
    fn merge(&mut self, mut other: Notification) {
        if other.newest.sent > self.newest.sent {
            std::mem::swap(self, &mut other);
        }
        self.mention = self.mention.take().or(other.mention);
        self.messages = self.messages.saturating_add(other.messages);
    }
}

/// Notifications, room by room. Nearly always that is one room, for which no memory is to be asked for: there is one of
/// this for every push.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notifications(SmallVec<[(RoomId, Notification); 1]>);

impl Notifications {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That of a room.
    pub(crate) fn of_room(&self, room: RoomId) -> Option<&Notification> {
        self.0.iter().find(|(other, _)| *other == room).map(|(_, notification)| notification)
    }

    /// The message that was sent last of all.
    pub(crate) fn newest(&self) -> Option<&Arc<MessageDigest>> {
        let newest = self.0.iter().max_by(|(_, one), (_, other)| one.cmp_sent(other));
        newest.map(|(_, notification)| &notification.newest)
    }

    /// The newest message that mentions the owner.
    pub(crate) fn newest_mention(&self) -> Option<&Arc<MessageDigest>> {
        let mentions = self.0.iter().filter(|(_, notification)| notification.mention.is_some());
        mentions
            .max_by(|(_, one), (_, other)| one.cmp_sent(other))
            .and_then(|(_, last)| last.mention.as_ref())
    }

    /// Drops that of a room.
    pub(super) fn drop_room(&mut self, room: RoomId) {
        self.0.retain(|(other, _)| *other != room);
    }

    fn of_room_mut(&mut self, room: RoomId) -> Option<&mut Notification> {
        self.0.iter_mut().find(|(other, _)| *other == room).map(|(_, notification)| notification)
    }

    fn push(&mut self, room: RoomId, notification: Notification) {
        self.0.push((room, notification));
    }

    /// Takes out that of the room which has waited longest.
    fn take_oldest(&mut self) -> Self {
        let oldest = self.0.iter().enumerate().min_by_key(|(_, (_, other))| other.newest.order);
        let oldest = oldest.map(|(index, _)| index);
        oldest.map_or_else(Self::default, |index| Notifications(smallvec![self.0.swap_remove(index)]))
    }
}

/// How many messages of one room are unread.
#[derive(Debug)]
struct UnreadCount {
    room: RoomId,
    messages: u32,
}

/// Of how many rooms a push may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of all in which there is something new.
    AllRooms,
    /// Of one. Other modules judge each push by a message of its room, and what they stop must not take the other rooms
    /// with it.
    OneRoom,
}

/// What the owner of a device has not read.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// The rooms in which something is unread.
    counts: Vec<UnreadCount>,
    /// What of them the device has yet to hear of. It is not among the counts: there are many rooms, and most of the time
    /// nothing is new in any.
    pending: Notifications,
    /// The messages that have bounced. Most devices have none.
    bounces: Option<Box<Bounces>>,
}

impl Unread {
    /// A message was sent while the owner was absent.
    pub(super) fn add(&mut self, room: RoomId, notification: Notification) {
        self.count(room);
        self.notify(room, notification);
    }

    /// A message bounced that was sent when the owner seemed to be present. Returns whether it is the first time. Messages
    /// from after that are newer, whenever they came to be known.
    pub(super) fn add_bounced(
        &mut self,
        room: RoomId,
        mut notification: Notification,
        key: MessageKey,
    ) -> bool {
        let sent = notification.newest.sent;
        let bounces = self.bounces.get_or_insert_default();
        let Some(before) = bounces.add(room, key, sent) else { return false };
        let unread_before = self.count(room);
        let is_newest = usize::try_from(unread_before).is_ok_and(|unread| unread <= before.count)
            && before.newest <= Some(sent);
        if !is_newest {
            notification.newest = Arc::new(notification.newest.without_words());
        }
        self.notify(room, notification);
        true
    }

    /// What is unread in a room according to a snapshot, and what of it is still pending.
    pub(super) fn restore(&mut self, room: RoomId, messages: u32, pending: Option<Notification>) {
        self.counts.push(UnreadCount { room, messages });
        if let Some(pending) = pending {
            self.pending.push(room, pending);
        }
    }

    /// The owner is in a room again, or has no business there any more.
    pub(super) fn mark_read(&mut self, room: RoomId) {
        self.counts.retain(|unread| unread.room != room);
        self.pending.drop_room(room);
        self.bounces.take_if(|bounces| bounces.forget(room));
    }

    /// Messages from before `oldest` are not worth a push any more.
    pub(super) fn expire(&mut self, oldest: Instant) {
        self.pending.0.retain(|(_, pending)| pending.newest.sent >= oldest);
    }

    /// Takes out what a push is about.
    pub(super) fn take(&mut self, scope: Scope) -> Notifications {
        match scope {
            Scope::AllRooms => std::mem::take(&mut self.pending),
            Scope::OneRoom => self.pending.take_oldest(),
        }
    }

    /// Puts back what could not be pushed. It merges into what is new meanwhile, unless it was read.
    pub(super) fn requeue(&mut self, notifications: Notifications) {
        for (room, notification) in notifications.0 {
            if !self.counts.iter().any(|unread| unread.room == room) {
                continue;
            }
            match self.pending.of_room_mut(room) {
                Some(newer) => newer.merge(notification),
                None => self.pending.push(room, notification),
            }
        }
    }

    /// Another module did not want these to be pushed: they do not count as unread.
    pub(super) fn retract(&mut self, notifications: &Notifications) {
        for (room, notification) in &notifications.0 {
            if let Some(unread) = self.counts.iter_mut().find(|unread| unread.room == *room) {
                unread.messages = unread.messages.saturating_sub(notification.messages);
            }
        }
        self.counts.retain(|unread| unread.messages > 0);
        let counts = &self.counts;
        self.pending.0.retain(|(room, _)| counts.iter().any(|unread| unread.room == *room));
    }

    /// What the device has yet to hear of.
    pub(crate) fn pending(&self) -> &Notifications {
        &self.pending
    }

    /// The rooms in which something is unread, and how many messages each.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (RoomId, u32)> {
        self.counts.iter().map(|unread| (unread.room, unread.messages))
    }

    /// How many messages are unread that the app server knows of: in all rooms, but for those that are pending.
    pub(super) fn known(&self) -> u32 {
        self.counts.iter().fold(0, |sum, unread| {
            let pending = self.pending.of_room(unread.room).map_or(0, |pending| pending.messages);
            sum.saturating_add(unread.messages.saturating_sub(pending))
        })
    }

    /// Something of what will be changed when a message is added: looking at it fetches it into the cache.
    pub(crate) fn touch(&self) -> u32 {
        self.counts.last().map_or(0, |unread| unread.messages)
    }

    /// Counts one more message, and returns how many there were before.
    fn count(&mut self, room: RoomId) -> u32 {
        match self.counts.iter_mut().find(|unread| unread.room == room) {
            Some(unread) => {
                unread.messages = unread.messages.saturating_add(1);
                unread.messages - 1
            }
            None => {
                self.counts.push(UnreadCount { room, messages: 1 });
                0
            }
        }
    }

    /// Something is new in a room, besides what already is.
    fn notify(&mut self, room: RoomId, notification: Notification) {
        match self.pending.of_room_mut(room) {
            Some(newest) => {
                let before = std::mem::replace(newest, notification);
                newest.merge(before);
            }
            None => self.pending.push(room, notification),
        }
    }
}
