//! What is unread, as the journal has it: by room and state, with the devices that share it. A message to very many of them
//! is one entry.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::device::{Device, Notification, UnreadInRoom};
use crate::ids::{DeviceId, RoomId};
use crate::journal::{DeviceHash, NameHash};
use crate::time::Instant;

use super::devices::{PendingState, UnreadState, is_false, is_zero};
use super::found::Found;
use super::messages::{MessageState, Messages, RestoredMessages};
use super::{Sources, Targets, is_age};

/// What is unread in a room for some devices, in the place of what earlier entries have said of them and the room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnreadEntry {
    /// The room's bare JID.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// How many messages.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: u32,
    /// As in [`UnreadState::age`].
    #[serde(skip_serializing_if = "is_zero")]
    pub age: u32,
    /// What of it is still to be pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingState>,
    /// The room is gone; without a room, the devices are. Nothing is left of what earlier entries have said of it.
    #[serde(skip_serializing_if = "is_false")]
    pub gone: bool,
    /// The devices: the hashes of their names, see [`Snapshot::key`](super::Snapshot::key).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub devices: String,
}

impl UnreadEntry {
    /// Whether its numbers can be what they stand for.
    pub(super) fn is_valid(&self) -> bool {
        self.pending.as_ref().is_none_or(|pending| is_age(pending.age))
    }

    /// A room is gone.
    pub(in crate::engine) fn room_gone(room: &str) -> Self {
        UnreadEntry { room: room.to_owned(), gone: true, ..UnreadEntry::default() }
    }

    /// These devices are gone.
    pub(in crate::engine) fn devices_gone(names: &[NameHash]) -> Self {
        let mut devices = String::new();
        names.iter().for_each(|name| name.append_to(&mut devices));
        UnreadEntry { gone: true, devices, ..UnreadEntry::default() }
    }

    fn state(&self) -> UnreadState {
        UnreadState {
            room: self.room.clone(),
            count: self.count,
            age: self.age,
            pending: self.pending.clone(),
        }
    }
}

/// What is unread in a room, and for which devices.
struct Group {
    room: RoomId,
    messages: u32,
    pending: Option<Notification>,
    devices: String,
}

/// All of which two devices are in the same group: numbers, and addresses of what they share.
type Content = SmallVec<[usize; 8]>;

/// The entries of a batch.
#[derive(Default)]
pub(in crate::engine) struct Entries {
    groups: Vec<Group>,
    places: HashMap<Content, usize>,
    /// That of the device that was added last: most are like the one before.
    last: Option<(Content, usize)>,
    messages: Messages,
}

impl Entries {
    /// Adds what is unread in a room for a device of this name. Returns about how many bytes this takes.
    pub(in crate::engine) fn add(&mut self, room: RoomId, device: &Device, name: NameHash) -> usize {
        let messages = device.unread().messages(room);
        let pending = pending(device, room);
        let mut content = Content::new();
        content.extend([room_number(room), messages as usize]);
        if let Some(pending) = &pending {
            pending.append_content(&mut content);
        }
        let mut size = NameHash::LENGTH;
        let place = match &self.last {
            Some((last, place)) if *last == content => *place,
            _ => {
                let place = *self.places.entry(content.clone()).or_insert(self.groups.len());
                self.last = Some((content, place));
                place
            }
        };
        if place == self.groups.len() {
            if let Some(pending) = &pending {
                size += 50 + self.messages.add_notification(pending);
            }
            size += 100;
            let pending = pending.map(Cow::into_owned);
            self.groups.push(Group { room, messages, pending, devices: String::new() });
        }
        if let Some(group) = self.groups.get_mut(place) {
            name.append_to(&mut group.devices);
        }
        size
    }

    /// The entries, and the messages that they refer to.
    pub(in crate::engine) fn finish(
        mut self,
        sources: Sources<'_>,
        now: Instant,
    ) -> (Vec<UnreadEntry>, Vec<MessageState>) {
        self.messages.sort();
        let messages = &self.messages;
        let entry = |Group { room, messages: count, pending, devices }: Group| {
            let pending = pending.map(|pending| PendingState::of(&pending, messages, sources.options, now));
            let age = sources.rooms.seconds_unread(room, now) as u32;
            let room = sources.rooms.get(room)?.jid().to_string();
            Some(UnreadEntry { room, count, age, pending, gone: false, devices })
        };
        let entries = self.groups.into_iter().filter_map(entry).collect();
        (entries, self.messages.states(sources.options, now))
    }
}

fn room_number(room: RoomId) -> usize {
    use slotmap::Key;
    room.data().as_ffi() as usize
}

/// What a device has yet to hear of in a room, and what is on its way.
fn pending(device: &Device, room: RoomId) -> Option<Cow<'_, Notification>> {
    let of_room = device.notifications_of(room).map(Cow::Borrowed);
    of_room.reduce(|one, other| {
        let mut one = one.into_owned();
        one.merge(other.into_owned());
        Cow::Owned(one)
    })
}

impl Targets<'_> {
    /// Takes up an entry, for the devices of these names that are registered still. Returns how many names are none.
    pub(super) fn replace_all(
        &mut self,
        entry: &UnreadEntry,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) -> usize {
        let state = entry.state();
        let mut lost = 0;
        for name in NameHash::all_of(&entry.devices) {
            match name {
                Some(name) => {
                    if let Some(found) = self.find_named(name) {
                        self.replace(&found, name.device(), &state, messages, now);
                    }
                }
                None => lost += 1,
            }
        }
        lost
    }

    /// What was unread in a room for a device of this name is this, whatever was said before.
    pub(super) fn replace(
        &mut self,
        found: &Found,
        name: DeviceHash,
        state: &UnreadState,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) {
        match found {
            Found::Devices(ids) | Found::Represented(ids) => {
                for &id in ids {
                    if let Some(unread) = self.unread_or_none(id, state, messages, now) {
                        self.replace_unread(id, unread);
                    }
                }
            }
            Found::StandIn(id) => {
                if let Some(unread) = self.unread_or_none(*id, state, messages, now) {
                    self.replace_one_of(*id, name, unread);
                }
            }
        }
    }

    /// What is unread in a room for a device according to the journal; `None` where the room is not known, and nothing is.
    fn unread_or_none(
        &mut self,
        id: DeviceId,
        state: &UnreadState,
        messages: &mut RestoredMessages<'_>,
        now: Instant,
    ) -> Option<UnreadInRoom> {
        let owner = self.devices.get(id)?.owner();
        let unread = self.unread(owner, state, messages, now);
        let none = |room| UnreadInRoom { room, messages: 0, pending: None };
        unread.or_else(|| self.rooms.id(&state.room).map(none))
    }

    /// This is unread in a room for one of those devices that another one stands for.
    fn replace_one_of(&mut self, stand_in: DeviceId, name: DeviceHash, unread: UnreadInRoom) {
        let room = unread.room;
        if self.devices.get(stand_in).is_some_and(|device| !device.unread().has_any_of(room)) {
            self.gathered.forget_room(stand_in, room);
        }
        let has_pending = unread.pending.is_some();
        let unread = self.gathered.replace(stand_in, name, unread);
        if !has_pending {
            self.await_again(&unread);
        }
        self.replace_unread(stand_in, unread);
    }

    /// What waits of a room goes on waiting for it to be read.
    fn await_again(&mut self, unread: &UnreadInRoom) {
        if unread.pending.is_some() && self.awaited_rooms.contains(unread.room) {
            self.awaited_rooms.insert(unread.room);
        }
    }

    fn replace_unread(&mut self, id: DeviceId, unread: UnreadInRoom) {
        let room = unread.room;
        let is_waiting = unread.pending.is_some() && self.awaited_rooms.contains(room);
        self.withdraw(id, room);
        let awaited_rooms = &*self.awaited_rooms;
        self.devices.update(id, |device| {
            device.replace_unread(unread, is_waiting);
            device.end_wait(|room| awaited_rooms.contains(room));
        });
    }

    /// A device of this name that was there before begins anew. What stood for a user's devices is gone where there were none.
    pub(super) fn forget(&mut self, name: NameHash) {
        match self.find_named(name) {
            Some(Found::Devices(ids) | Found::Represented(ids)) => {
                ids.into_iter().for_each(|id| self.begin_anew(id));
            }
            Some(Found::StandIn(id)) if name.device().is_of_stand_in() => {
                self.gathered.forget_all(id);
                self.begin_anew(id);
            }
            Some(Found::StandIn(id)) => {
                for unread in self.gathered.forget(id, name.device()) {
                    self.await_again(&unread);
                    self.replace_unread(id, unread);
                }
                let is_pinged = self.gathered.is_pinged(id);
                self.devices.update(id, |device| device.replace_ping(is_pinged));
            }
            None => {}
        }
    }

    fn begin_anew(&mut self, id: DeviceId) {
        let Some(device) = self.devices.get(id) else { return };
        let rooms: Vec<RoomId> = device.unread().pending().rooms().map(|(room, _)| room).collect();
        rooms.into_iter().for_each(|room| self.withdraw(id, room));
        self.devices.update(id, Device::begin_anew);
    }

    /// What waits of a room for a device does not wait any more, for now.
    fn withdraw(&mut self, id: DeviceId, room: RoomId) {
        let pending = self.devices.get(id).map(|device| device.unread().pending());
        if pending.is_some_and(|pending| pending.of_room(room).is_some()) {
            self.awaited_rooms.withdraw(room);
        }
    }
}
