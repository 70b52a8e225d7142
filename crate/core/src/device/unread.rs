//! What the owner of a device has not read, and what the device has yet to hear of it.
//!
//! The two differ: an app server that was pushed ten messages knows of them, but they are unread until their reader is in
//! the room again. So the count of a push never depends on how many pushes got through.

use std::sync::Arc;

use super::bounces::{Bounces, MessageKey};
use super::by_room;
use super::notification::{MessageIdentity, Notification, Notifications};
use super::revising::Revising;
use crate::ids::RoomId;
use crate::time::Instant;

/// How many messages of one room are unread.
#[derive(Debug, Clone)]
struct UnreadCount {
    room: RoomId,
    messages: u32,
}

/// What is unread in a room according to a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct UnreadInRoom {
    /// The room.
    pub(crate) room: RoomId,
    /// How many messages.
    pub(crate) messages: u32,
    /// What of it is still to be pushed.
    pub(crate) pending: Option<Notification>,
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
#[derive(Debug, Default, Clone)]
pub(crate) struct Unread {
    /// The rooms in which something is unread, in the order of their ids.
    counts: Vec<UnreadCount>,
    /// What of them the device has yet to hear of. It is not among the counts: there are many rooms, and most of the time
    /// nothing is new in any.
    pending: Notifications,
    /// The messages that have bounced. Most devices have none.
    bounces: Option<Box<Bounces>>,
}

impl Unread {
    /// A message was sent while the owner was absent. Returns whether nothing of the room was pending before.
    pub(super) fn add(&mut self, room: RoomId, notification: Notification) -> bool {
        let count = self.count_mut(room);
        *count = count.saturating_add(notification.messages());
        self.pending.add(room, notification)
    }

    /// A message bounced that was sent when the owner seemed to be present. Returns whether it is the first time. Messages
    /// from after that are newer, whenever they came to be known.
    pub(super) fn add_bounced(
        &mut self,
        room: RoomId,
        mut notification: Notification,
        key: MessageKey,
    ) -> bool {
        let sent = notification.newest().identity.sent;
        let bounces = self.bounces.get_or_insert_default();
        let Some(before) = bounces.add(room, key, sent) else { return false };
        let unread_before = self.count(room);
        let is_newest = unread_before <= before.count && before.newest <= Some(sent);
        if !is_newest {
            notification.forget_words();
        }
        self.pending.add(room, notification);
        true
    }

    /// What is unread in rooms according to a snapshot. It adds to what has come in since.
    pub(super) fn restore(&mut self, mut unread: Vec<UnreadInRoom>) {
        // Each after the one before: there may be very many.
        unread.sort_by_key(|unread| unread.room);
        let mut older = Notifications::default();
        for UnreadInRoom { room, messages, pending } in unread {
            let count = self.count_mut(room);
            *count = count.saturating_add(messages);
            if let Some(pending) = pending {
                older.add(room, pending);
            }
        }
        self.pending.absorb(older);
    }

    /// The owner is in a room again, or has no business there any more.
    pub(super) fn mark_read(&mut self, room: RoomId) {
        self.drop_count(room);
        self.pending.drop_room(room);
        self.bounces.take_if(|bounces| bounces.forget(room));
    }

    /// Messages from before `oldest` are not worth a push any more.
    pub(super) fn expire(&mut self, oldest: Instant) {
        self.pending.retain(|_, pending| pending.newest().identity.sent >= oldest);
    }

    /// Takes out what a push is about: of one room, the one that has waited longest of those that are ready.
    pub(super) fn take(
        &mut self,
        scope: Scope,
        is_ready: impl Fn(RoomId, &Notification) -> bool,
    ) -> Notifications {
        match scope {
            Scope::AllRooms => std::mem::take(&mut self.pending),
            Scope::OneRoom => self.pending.take_oldest(is_ready),
        }
    }

    /// Puts back what could not be pushed. It merges into what is new meanwhile, unless it was read.
    pub(super) fn requeue(&mut self, mut notifications: Notifications) {
        notifications.retain(|room, _| self.place(room).is_ok());
        self.pending.absorb(notifications);
    }

    /// Another module did not want these to be pushed: they do not count as unread.
    pub(super) fn discount(&mut self, notifications: &Notifications) {
        for (room, notification) in notifications.rooms() {
            let others = notification.identities().filter(|identity| !identity.has_bounced).count();
            let messages = notification.messages();
            // Of what is not known no more is assumed than that it may have bounced.
            let bounced = messages.saturating_sub(u32::try_from(others).unwrap_or(u32::MAX));
            self.subtract(room, messages, bounced);
        }
    }

    /// A message of a room is taken back or corrected. Returns which one it was, if the device has yet to hear of it.
    pub(super) fn revise(&mut self, room: RoomId, revising: &mut Revising) -> Option<Arc<MessageIdentity>> {
        self.pending.revise(room, revising)
    }

    /// A message of a room does not count as unread.
    pub(super) fn subtract_one(&mut self, room: RoomId, message: &MessageIdentity) {
        self.subtract(room, 1, u32::from(message.has_bounced));
    }

    /// So many messages of a room do not count as unread, of which so many have bounced.
    fn subtract(&mut self, room: RoomId, messages: u32, bounced: u32) {
        let Ok(place) = self.place(room) else { return };
        let Some(unread) = self.counts.get_mut(place) else { return };
        unread.messages = unread.messages.saturating_sub(messages);
        if let Some(bounces) = &mut self.bounces {
            bounces.subtract(room, bounced, unread.messages);
        }
        if unread.messages == 0 {
            self.counts.remove(place);
            self.pending.drop_room(room);
        }
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
        // Both are in the order of the rooms.
        let mut pending = self.pending.rooms().peekable();
        self.counts.iter().fold(0, |sum, unread| {
            while pending.next_if(|(room, _)| *room < unread.room).is_some() {}
            let pending = pending.next_if(|(room, _)| *room == unread.room);
            let pending = pending.map_or(0, |(_, notification)| notification.messages());
            sum.saturating_add(unread.messages.saturating_sub(pending))
        })
    }

    /// Whether anything of a room is unread.
    pub(crate) fn has_any_of(&self, room: RoomId) -> bool {
        self.place(room).is_ok()
    }

    /// Something of what will be changed when a message is added: looking at it fetches it into the cache.
    pub(crate) fn touch(&self) -> u32 {
        self.counts.last().map_or(0, |unread| unread.messages)
    }

    /// Counts one more message, and returns how many there were before.
    fn count(&mut self, room: RoomId) -> u32 {
        let unread = self.count_mut(room);
        let before = *unread;
        *unread = before.saturating_add(1);
        before
    }

    /// How many messages of a room are unread: none so far, where it is a new one.
    fn count_mut(&mut self, room: RoomId) -> &mut u32 {
        let place = self.place(room).unwrap_or_else(|place| {
            self.counts.insert(place, UnreadCount { room, messages: 0 });
            place
        });
        &mut self.counts[place].messages
    }

    fn drop_count(&mut self, room: RoomId) {
        if let Ok(place) = self.place(room) {
            self.counts.remove(place);
        }
    }

    /// Where the count of a room is, or would have to be: a user may be a member of very many rooms.
    fn place(&self, room: RoomId) -> Result<usize, usize> {
        by_room::find(&self.counts, room, |unread| unread.room)
    }
}
