//! What outlives a clean stop: what is unread, what is still to be pushed, and failures.
//!
//! Registrations are not in it: they are in the store all the time.

mod domains;
mod messages;
mod nicknames;

pub use domains::DomainState;
pub use messages::{MessageState, StanzaIdsState};
pub use nicknames::NicknameState;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{Device, Failures, MessageDigest, MessageIdentity, Notification};
use crate::devices::Devices;
use crate::ids::{DeviceId, RoomId, UserId};
use crate::message::MessageIds;
use crate::options::Options;
use crate::time::Instant;

use super::messages::Digests;
use super::registrations::Registrations;
use super::rooms::Rooms;
use messages::Messages;

/// The state of every device that has any, and what it refers to. Times are ages: seconds before the snapshot was taken.
///
/// The names of the fields are those of the store, see the documentation for operators: they stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The devices.
    pub devices: Vec<DeviceState>,
    /// The messages that are still to be pushed, in the order in which they came to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageState>,
    /// The nicknames that members have last used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nicknames: Vec<NicknameState>,
    /// The domains of app servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainState>,
}

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
    pub errors: u32,
    /// Transient errors in a row.
    pub attempts: u32,
    /// How long it has had nothing but transient errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_for: Option<f64>,
    /// Whether a push without a message was asked for.
    pub pinged: bool,
    /// Whether its app server has taken no push so far.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
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
    /// What of it is still to be pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingState>,
}

/// What of a room is still to be pushed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PendingState {
    /// The occupant JID of the newest message's author, where the app server may know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Its text, where the app server may know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether the owner is mentioned.
    pub mentioned: bool,
    /// How many messages it stands for.
    pub messages: u32,
    /// How old the newest message is.
    pub age: f64,
    /// Which messages they are, as far as that is known, the newest last: places in [`Snapshot::messages`], from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<usize>,
    /// Which of them mention the owner, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<usize>,
}

/// What a snapshot is restored into.
pub(super) struct Parts<'a> {
    pub(super) registrations: &'a Registrations,
    pub(super) rooms: &'a mut Rooms,
    pub(super) devices: &'a mut Devices,
    pub(super) digests: &'a mut Digests,
    pub(super) options: &'a Options,
}

impl Snapshot {
    pub(super) fn take(
        devices: &Devices,
        registrations: &Registrations,
        rooms: &Rooms,
        options: &Options,
        now: Instant,
    ) -> Self {
        let messages = Messages::of(devices);
        let state = |device| {
            let mut state = DeviceState::of(device, registrations, rooms, &messages, now)?;
            state.forget_words(options);
            Some(state)
        };
        Snapshot {
            devices: devices.iter().filter_map(state).collect(),
            messages: messages.states(now),
            nicknames: nicknames::take(registrations, rooms, now),
            domains: domains::take(devices, now),
        }
    }

    /// Takes up what it holds of the devices that are still registered. Returns the rooms in which something is unread.
    pub(super) fn restore(&self, parts: &mut Parts<'_>, now: Instant) -> Vec<String> {
        domains::restore(&self.domains, parts.devices, parts.options, now);
        let messages = messages::restore(&self.messages, parts.digests, now);
        let mut rooms = Vec::new();
        for state in &self.devices {
            let Some((owner, device)) = parts.find_device(state) else { continue };
            for unread in &state.unread {
                parts.restore_unread(owner, device, unread, &messages, now);
            }
            parts.devices.update(device, |device| {
                device.restore(state.failures(now), state.pinged);
                if state.unanswered {
                    device.set_unanswered();
                }
            });
            rooms.extend(state.unread.iter().map(|unread| unread.room.clone()));
        }
        nicknames::restore(&self.nicknames, parts.registrations, parts.rooms, now);
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }
}

impl Parts<'_> {
    fn find_device(&self, state: &DeviceState) -> Option<(UserId, DeviceId)> {
        let owner = self.registrations.id(&state.user)?;
        let mut devices = self.registrations.user(owner)?.devices().iter().copied();
        let device = devices.find(|&id| {
            let device = self.devices.get(id);
            device.is_some_and(|device| device.registration().push_identifier() == state.push_identifier)
        })?;
        Some((owner, device))
    }

    fn restore_unread(
        &mut self,
        owner: UserId,
        device: DeviceId,
        state: &UnreadState,
        messages: &[Arc<MessageIdentity>],
        now: Instant,
    ) {
        let id = self.rooms.id_or_insert(&state.room);
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.presume_member(owner);
        let pending = state.pending.as_ref();
        let pending = pending
            .map(|pending| pending.notification(room.jid(), messages, self.digests, self.options, now));
        self.devices.update(device, |device| device.restore_unread(id, state.count, pending));
    }
}

impl DeviceState {
    /// App servers may know no more than what the options say now: nothing else is worth storing.
    fn forget_words(&mut self, options: &Options) {
        for pending in self.unread.iter_mut().filter_map(|unread| unread.pending.as_mut()) {
            pending.sender.take_if(|_| !options.with_sender);
            pending.body.take_if(|_| !options.with_body);
        }
    }

    /// The state of a device, if it has any. A publish that was not answered yet is in it as if it had not been sent:
    /// better pushed twice than never.
    fn of(
        device: &Device,
        registrations: &Registrations,
        rooms: &Rooms,
        messages: &Messages,
        now: Instant,
    ) -> Option<Self> {
        let in_flight = device.delivery().in_flight();
        let failures = device.delivery().failures();
        let mut unread: Vec<(Option<u64>, UnreadState)> = device
            .unread()
            .counts()
            .filter_map(|count| unread_state(device, count, rooms, messages, now))
            .collect();
        unread.sort_by_key(|(order, _)| *order);
        let unread: Vec<UnreadState> = unread.into_iter().map(|(_, state)| state).collect();
        let pinged = device.is_pinged() || in_flight.is_some_and(|in_flight| in_flight.is_ping);
        let has_state = !unread.is_empty() || failures.is_some() || pinged;
        let failures = failures.copied().unwrap_or_default();
        has_state.then(|| DeviceState {
            user: registrations.user(device.owner()).map_or_else(String::new, |user| user.jid().to_string()),
            push_identifier: device.registration().push_identifier().into_owned(),
            errors: failures.errors,
            attempts: failures.attempts,
            failing_for: failures.since.map(|since| now.seconds_since(since)),
            pinged,
            unanswered: !device.has_answered(),
            unread,
        })
    }

    /// What had gone wrong with the device.
    fn failures(&self, now: Instant) -> Option<Failures> {
        let has_any = self.errors > 0 || self.attempts > 0 || self.failing_for.is_some();
        has_any.then(|| Failures {
            errors: self.errors,
            attempts: self.attempts,
            since: self.failing_for.map(|age| now - age),
        })
    }
}

impl PendingState {
    /// What of a notification app servers may know.
    fn of(notification: &Notification, messages: &Messages, now: Instant) -> Self {
        let newest = notification.newest();
        PendingState {
            sender: newest.sender.as_deref().map(str::to_owned),
            body: newest.body.as_deref().map(str::to_owned),
            mentioned: notification.is_mention(),
            messages: notification.messages(),
            age: now.seconds_since(newest.identity.sent),
            places: messages.places(notification.identities()),
            mentions: messages.places(notification.mentions()),
        }
    }

    /// What was still to be pushed, with a digest of its newest message.
    fn notification(
        &self,
        room: &Arc<str>,
        messages: &[Arc<MessageIdentity>],
        digests: &mut Digests,
        options: &Options,
        now: Instant,
    ) -> Notification {
        let found = |places: &[usize]| -> Vec<Arc<MessageIdentity>> {
            places.iter().filter_map(|place| messages.get(place.checked_sub(1)?)).cloned().collect()
        };
        let (mut known, mut mentions) = (found(&self.places), found(&self.mentions));
        // Earlier versions have stored none.
        let newest = known.pop();
        let newest = newest.unwrap_or_else(|| digests.identity(MessageIds::default(), now - self.age));
        if self.mentioned && mentions.is_empty() {
            mentions.push(newest.clone());
        }
        let sender = self.sender.as_deref().filter(|_| options.with_sender).map(Into::into);
        let body = self.body.as_deref().filter(|_| options.with_body).map(Into::into);
        let digest = MessageDigest { sender, body, ..MessageDigest::without_words(room, &newest) };
        Notification::restored(&Arc::new(digest), self.messages, &known, &mentions)
    }
}

/// What is unread in a room, with what tells how new it is.
fn unread_state(
    device: &Device,
    (room, count): (RoomId, u32),
    rooms: &Rooms,
    messages: &Messages,
    now: Instant,
) -> Option<(Option<u64>, UnreadState)> {
    let in_flight = device.delivery().in_flight();
    let in_flight = in_flight.and_then(|in_flight| in_flight.notifications.of_room(room));
    let pending = device.unread().pending().of_room(room);
    let both = pending.into_iter().chain(in_flight).cloned().reduce(|mut pending, in_flight| {
        pending.merge(in_flight);
        pending
    });
    let state = UnreadState {
        room: rooms.get(room)?.jid().to_string(),
        count,
        pending: both.as_ref().map(|notification| PendingState::of(notification, messages, now)),
    };
    Some((both.map(|notification| notification.newest().identity.order), state))
}
