//! The state of devices in a snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{Device, Failures, MessageDigest, Notification, UnreadInRoom};
use crate::ids::{DeviceId, RoomId, UserId};
use crate::message::MessageIds;
use crate::options::Options;
use crate::room::Coverage;
use crate::time::Instant;
use crate::way::Way;

use super::found::Found;
use super::messages::{Messages, RestoredMessages};
use super::nicknames::MAX_AGE;
use super::{Sources, Targets, is_age};

/// The longest bare JID, in bytes (RFC 7622, section 3.1).
const MAX_JID: usize = 2047;

/// The state of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceState {
    /// The bare JID of its owner.
    pub user: String,
    /// Its push identifier.
    #[serde(rename = "key")]
    pub push_identifier: String,
    /// Persistent errors in a row.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors: u32,
    /// Transient errors in a row.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// How long it has had nothing but transient errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_for: Option<f64>,
    /// Whether a push without a message was asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub pinged: bool,
    /// Whether its app server has taken no push so far.
    #[serde(skip_serializing_if = "is_false")]
    pub unanswered: bool,
    /// What is unread, room by room; the newest last.
    #[serde(rename = "missed")]
    pub unread: Vec<UnreadState>,
}

/// What is unread in one room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnreadState {
    /// The room's bare JID.
    pub room: String,
    /// How many messages.
    pub count: u32,
    /// For how many seconds the room has not been read, where it has not been since before the last start.
    #[serde(skip_serializing_if = "is_zero")]
    pub age: u32,
    /// What of it is still to be pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingState>,
}

/// What of a room is still to be pushed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PendingState {
    /// The occupant JID of the newest message's author, where the app server may know it, and where it is not that of
    /// [`MessageState`](super::MessageState).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Its text, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether its author and its text are those of [`MessageState`](super::MessageState).
    #[serde(skip_serializing_if = "is_false")]
    pub words: bool,
    /// Whether the owner is mentioned.
    #[serde(skip_serializing_if = "is_false")]
    pub mentioned: bool,
    /// How many messages it stands for.
    pub messages: u32,
    /// How old the newest message is.
    pub age: f64,
    /// Which messages they are, as far as that is known, the newest last: places in
    /// [`Snapshot::messages`](super::Snapshot::messages), from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<usize>,
    /// Which of them mention the owner, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn is_false(value: &bool) -> bool {
    !*value
}

/// Whether a text may be a bare JID, by its length.
pub(super) fn is_bare_jid(text: &str) -> bool {
    (1..=MAX_JID).contains(&text.len())
}

impl DeviceState {
    /// Whether its numbers can be what they stand for.
    pub(super) fn is_valid(&self) -> bool {
        let mut pending = self.unread.iter().filter_map(|unread| unread.pending.as_ref());
        self.failing_for.is_none_or(is_age) && pending.all(|pending| is_age(pending.age))
    }

    /// The way by which its owner is reached, where it stands for one: no record says that there is such a user.
    pub(in crate::engine) fn way(&self) -> Option<Way> {
        let ways = [Way::Account, Way::Forward].into_iter();
        let mut named = ways.filter(|way| self.push_identifier == way.push_identifier());
        named.next().filter(|_| is_bare_jid(&self.user))
    }

    /// About how many bytes it takes, without the messages.
    pub(super) fn size(device: &Device) -> usize {
        200 + device.unread().counts().count() * 200
    }

    /// The state of a device, if it has any. A publish that was not answered yet is in it as if it had not been sent:
    /// better pushed twice than never.
    pub(super) fn of(
        device: &Device,
        sources: Sources<'_>,
        messages: &Messages,
        now: Instant,
    ) -> Option<Self> {
        let rooms = sources.rooms;
        let notifications = notifications(device);
        let mut unread: Vec<(Option<u64>, UnreadState)> = Vec::new();
        for (room, count) in device.unread().counts() {
            let notification = found(&notifications, room);
            let age = rooms.seconds_unread(room, now);
            if notification.is_none() && age > MAX_AGE {
                continue;
            }
            let Some(room) = rooms.get(room) else { continue };
            let order = notification.as_ref().map(|notification| notification.newest().identity.order);
            let pending = notification
                .map(|notification| PendingState::of(&notification, messages, sources.options, now));
            let room = room.jid().to_string();
            unread.push((order, UnreadState { room, count, age: age as u32, pending }));
        }
        unread.sort_by_key(|(order, _)| *order);
        let unread: Vec<UnreadState> = unread.into_iter().map(|(_, state)| state).collect();
        let has_state =
            !unread.is_empty() || device.delivery().failures().is_some() || device.is_ping_wanted();
        has_state.then(|| DeviceState { unread, ..Self::without_rooms(device, sources, now) })
    }

    /// The same without what is unread, if it has any state or not.
    pub(in crate::engine) fn without_rooms(device: &Device, sources: Sources<'_>, now: Instant) -> Self {
        let user = sources.registrations.user(device.owner());
        let failures = device.delivery().failures().copied().unwrap_or_default();
        DeviceState {
            user: user.map_or_else(String::new, |user| user.jid().to_string()),
            push_identifier: device.registration().push_identifier().into_owned(),
            errors: failures.errors,
            attempts: failures.attempts,
            failing_for: failures.since.map(|since| now.seconds_since(since).max(0.0)),
            pinged: device.is_ping_wanted(),
            unanswered: !device.has_answered(),
            unread: Vec::new(),
        }
    }

    /// It is that of what has this push identifier, and begins: with what is unread, and nothing else that was so.
    pub(in crate::engine) fn begin_as(&mut self, push_identifier: &str, is_unanswered: bool) {
        self.push_identifier = push_identifier.to_owned();
        (self.errors, self.attempts, self.failing_for) = (0, 0, None);
        self.unanswered = is_unanswered;
    }

    /// What had gone wrong with the device.
    fn failures(&self, now: Instant) -> Option<Failures> {
        let has_any = self.errors > 0 || self.attempts > 0 || self.failing_for.is_some();
        has_any.then(|| Failures {
            errors: self.errors,
            attempts: self.attempts,
            // Whose they were is not stored: the back-off begins anew.
            silences: self.attempts,
            since: self.failing_for.map(|age| now - age),
        })
    }
}

/// What a device has yet to hear of, and what is on its way, by room.
fn notifications(device: &Device) -> Vec<(RoomId, &Notification)> {
    let mut notifications: Vec<_> = device.notifications().collect();
    notifications.sort_by_key(|(room, _)| *room);
    notifications
}

/// Those of a room in one.
fn found(notifications: &[(RoomId, &Notification)], room: RoomId) -> Option<Notification> {
    let first = notifications.partition_point(|(other, _)| *other < room);
    let of_room = notifications.iter().skip(first).take_while(|(other, _)| *other == room);
    of_room.map(|(_, notification)| (*notification).clone()).reduce(|mut one, other| {
        one.merge(other);
        one
    })
}

impl PendingState {
    /// What of a notification app servers may know.
    pub(super) fn of(
        notification: &Notification,
        messages: &Messages,
        options: &Options,
        now: Instant,
    ) -> Self {
        let newest = notification.newest();
        let words = messages.tells(newest);
        let inline = Some(newest).filter(|_| !words && !messages.is_empty());
        PendingState {
            // App servers may know no more than what the options say now.
            sender: inline
                .and_then(|it| it.sender.as_deref())
                .filter(|_| options.with_sender)
                .map(str::to_owned),
            body: inline.and_then(|it| it.body.as_deref()).filter(|_| options.with_body).map(str::to_owned),
            words,
            mentioned: notification.is_mention(),
            messages: notification.messages(),
            age: now.seconds_since(newest.identity.sent).max(0.0),
            places: messages.places(notification.identities()),
            mentions: messages.places(notification.mentions()),
        }
    }
}

impl Targets<'_> {
    /// Takes up the state of a device, if that is registered still: in the place of what is known, or in addition to it.
    pub(super) fn restore_device(
        &mut self,
        state: &DeviceState,
        is_replaced: bool,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) {
        let Some((owner, found)) = self.find_devices(state) else { return };
        if is_replaced {
            self.replace_device(state, &found, messages, now);
            return;
        }
        let mut unread = Vec::with_capacity(state.unread.len());
        let mut is_waiting = false;
        for of_room in &state.unread {
            let Some(of_room) = self.unread(owner, of_room, messages, now) else { continue };
            is_waiting |= of_room.pending.is_some() && self.awaited_rooms.contains(of_room.room);
            unread.push(of_room);
        }
        match found {
            Found::Devices(ids) => ids.into_iter().for_each(|id| {
                self.devices.update(id, |device| {
                    device.restore_unread(unread.clone());
                    device.restore(state.failures(now), state.pinged, is_waiting);
                    if state.unanswered {
                        device.set_unanswered();
                    }
                });
            }),
            Found::StandIn(id) => self.restore_once(id, &unread, is_waiting),
            Found::Represented(ids) => {
                ids.into_iter().for_each(|id| self.restore_once(id, &unread, is_waiting));
            }
        }
    }

    /// The state of a device is this, whatever was said before.
    fn replace_device(
        &mut self,
        state: &DeviceState,
        found: &Found,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) {
        let device = self.device_hash(state);
        for unread in &state.unread {
            self.replace(found, device, unread, messages, now);
        }
        match found {
            Found::Devices(ids) => {
                let failures = state.failures(now);
                let replace =
                    |device: &mut Device| device.replace_state(failures, state.pinged, !state.unanswered);
                ids.iter().for_each(|&id| _ = self.devices.update(id, replace));
            }
            Found::StandIn(id) => {
                let is_pinged = self.gathered.ping(*id, device, state.pinged);
                self.devices.update(*id, |device| device.replace_ping(is_pinged));
            }
            Found::Represented(ids) => ids.iter().for_each(|&id| {
                self.devices.update(id, |device| device.replace_ping(state.pinged));
            }),
        }
    }

    /// What is unread according to several devices, or one that stood for them, is so once.
    fn restore_once(&mut self, id: DeviceId, unread: &[UnreadInRoom], is_waiting: bool) {
        self.devices.update(id, |device| {
            let is_new = |of_room: &&UnreadInRoom| !device.unread().has_any_of(of_room.room);
            let unread = unread.iter().filter(is_new).cloned().collect();
            device.restore_unread(unread);
            device.restore(None, false, is_waiting);
        });
    }

    /// What is unread in a room, as far as that is known not to have been read meanwhile.
    pub(super) fn unread(
        &mut self,
        owner: UserId,
        state: &UnreadState,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) -> Option<UnreadInRoom> {
        let oldest = now - self.options.time_to_live;
        // The two ages may differ in what is stored, and that of the message is the one that counts from now on.
        let sent = |pending: &PendingState| {
            messages.newest(&pending.places).map_or_else(|| now - pending.age, |newest| newest.sent)
        };
        let pending = state.pending.as_ref().filter(|pending| sent(pending) >= oldest);
        if state.count == 0 && pending.is_none() {
            return None;
        }
        let id = self.rooms.id_or_insert(&state.room);
        let room = self.rooms.get_mut(id)?;
        let (coverage, jid) = (room.coverage(), room.jid().clone());
        if coverage == Coverage::Nothing {
            room.presume_member(owner);
            self.rooms.set_last_read(id, now - f64::from(state.age));
        } else if !room.misses_messages(owner) {
            return None;
        }
        if pending.is_some() && coverage != Coverage::Complete {
            self.awaited_rooms.insert(id);
        }
        let pending = pending.map(|pending| self.notification(pending, (id, &jid), messages, now));
        let messages = pending.as_ref().map_or(state.count, |pending| state.count.max(pending.messages()));
        Some(UnreadInRoom { room: id, messages, pending })
    }

    /// What was still to be pushed, with a digest of its newest message.
    fn notification(
        &mut self,
        state: &PendingState,
        (room, jid): (RoomId, &Arc<str>),
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) -> Notification {
        let (mut known, mut mentions) = (messages.found(&state.places), messages.found(&state.mentions));
        // Earlier versions have stored none, and neither does a stop in a hurry.
        let newest = known.pop();
        let newest = newest.unwrap_or_else(|| self.digests.identity(MessageIds::default(), now - state.age));
        if state.mentioned && mentions.is_empty() {
            mentions.push(newest.clone());
        }
        let digest = if state.sender.is_none() && state.body.is_none() {
            let place = state.places.last().copied().filter(|_| state.words);
            messages.digest(&newest, (room, jid), place, self.options)
        } else {
            let sender = state.sender.as_deref().filter(|_| self.options.with_sender).map(Into::into);
            let body = state.body.as_deref().filter(|_| self.options.with_body).map(Into::into);
            MessageDigest { sender, body, ..MessageDigest::without_words(jid, &newest) }.into()
        };
        Notification::restored(&digest, state.messages, &known, &mentions)
    }
}
