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
    /// What most devices have nothing of.
    rare: Option<Box<Rare>>,
}

/// What most devices have nothing of.
#[derive(Debug, Default, Clone)]
struct Rare {
    /// The messages that have bounced.
    bounces: Bounces,
    /// What is new since the device was told off for its turn, and is not in the store yet: the turn is about what is pending.
    apart: Notifications,
}

impl Rare {
    fn is_empty(&self) -> bool {
        self.bounces.is_empty() && self.apart.is_empty()
    }
}

impl Unread {
    /// A message was sent while the owner was absent. Returns whether nothing of the room was pending before.
    pub(super) fn add(&mut self, room: RoomId, notification: Notification) -> bool {
        let count = self.count_mut(room);
        *count = count.saturating_add(notification.messages());
        self.pending.add(room, notification)
    }

    /// The same, where it is kept apart from what is pending: see [`Unread::join_apart`].
    pub(super) fn add_apart(&mut self, room: RoomId, notification: Notification) {
        let count = self.count_mut(room);
        *count = count.saturating_add(notification.messages());
        self.rare.get_or_insert_default().apart.add(room, notification);
    }

    /// Takes note of a message that bounced, and was sent when the owner seemed to be present. Returns what it is to be told
    /// as; nothing where it is not the first time. Messages from after that are newer, whenever they came to be known.
    pub(super) fn note_bounced(
        &mut self,
        room: RoomId,
        mut notification: Notification,
        key: MessageKey,
    ) -> Option<Notification> {
        let sent = notification.newest().identity.sent;
        let before = self.rare.get_or_insert_default().bounces.add(room, key, sent)?;
        let unread_before = self.messages(room);
        let is_newest = unread_before <= before.count && before.newest <= Some(sent);
        if !is_newest {
            notification.forget_words();
        }
        Some(notification)
    }

    /// What is kept apart is in the store by now: it is pending from now on. Returns whether anything of it need not keep its
    /// distance from the last push: it mentions the owner, or nothing of its room was pending.
    pub(super) fn join_apart(&mut self) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let newer = std::mem::take(&mut rare.apart);
        self.tidy();
        let mut rooms = newer.rooms();
        let is_urgent = rooms.any(|(room, newer)| newer.is_mention() || self.pending.of_room(room).is_none());
        drop(rooms);
        let older = std::mem::replace(&mut self.pending, newer);
        self.pending.absorb(older);
        is_urgent
    }

    /// What is kept apart, if anything is.
    pub(crate) fn apart(&self) -> Option<&Notifications> {
        self.rare.as_ref().map(|rare| &rare.apart).filter(|apart| !apart.is_empty())
    }

    fn apart_mut(&mut self) -> Option<&mut Notifications> {
        self.rare.as_mut().map(|rare| &mut rare.apart)
    }

    fn tidy(&mut self) {
        self.rare.take_if(|rare| rare.is_empty());
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

    /// What is unread in a room according to the journal, in which each entry stands in the place of those before it. Nothing
    /// is known of the room but what these have said.
    pub(super) fn replace(&mut self, room: RoomId, messages: u32, pending: Option<Notification>) {
        self.pending.drop_room(room);
        if messages == 0 {
            self.drop_count(room);
        } else {
            *self.count_mut(room) = messages;
        }
        if let Some(pending) = pending {
            self.pending.add(room, pending);
        }
    }

    /// The owner is in a room again, or has no business there any more. Returns whether anything was unread.
    pub(super) fn mark_read(&mut self, room: RoomId) -> bool {
        let was_unread = self.drop_count(room);
        self.pending.drop_room(room);
        if let Some(rare) = &mut self.rare {
            rare.bounces.forget(room);
            rare.apart.drop_room(room);
            self.tidy();
        }
        was_unread
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
        let newest = self.apart_mut().and_then(|apart| apart.revise(room, revising));
        newest.or_else(|| self.pending.revise(room, revising))
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
        let left = unread.messages;
        if let Some(rare) = &mut self.rare {
            rare.bounces.subtract(room, bounced, left);
        }
        if left == 0 {
            self.counts.remove(place);
            self.pending.drop_room(room);
            if let Some(apart) = self.apart_mut() {
                apart.drop_room(room);
            }
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

    /// How many messages of a room are unread.
    pub(crate) fn messages(&self, room: RoomId) -> u32 {
        let unread = self.place(room).ok().and_then(|place| self.counts.get(place));
        unread.map_or(0, |unread| unread.messages)
    }

    /// How many messages are unread that the app server knows of: in all rooms, but for those that it has yet to hear of.
    pub(super) fn known(&self) -> u32 {
        let apart = self.apart().into_iter().flat_map(Notifications::rooms);
        let apart = apart.fold(0, |sum: u32, (_, apart)| sum.saturating_add(apart.messages()));
        self.not_pending().saturating_sub(apart)
    }

    fn not_pending(&self) -> u32 {
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

    /// How many messages of a room are unread: none so far, where it is a new one.
    fn count_mut(&mut self, room: RoomId) -> &mut u32 {
        let place = self.place(room).unwrap_or_else(|place| {
            self.counts.insert(place, UnreadCount { room, messages: 0 });
            place
        });
        &mut self.counts[place].messages
    }

    /// Returns whether there was any.
    fn drop_count(&mut self, room: RoomId) -> bool {
        let place = self.place(room);
        if let Ok(place) = place {
            self.counts.remove(place);
        }
        place.is_ok()
    }

    /// Where the count of a room is, or would have to be: a user may be a member of very many rooms.
    fn place(&self, room: RoomId) -> Result<usize, usize> {
        by_room::find(&self.counts, room, |unread| unread.room)
    }
}
