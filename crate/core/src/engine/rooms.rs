//! The rooms of a service, by JID, and the facts about them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::device::MessageDigest;
use crate::ids::{RoomId, UserId};
use crate::message::OwnedRevision;
use crate::room::{Coverage, Gone, Membership, Room};
use crate::slots::Slots;
use crate::tables::Tables;
use crate::time::Instant;
use crate::way::Forwarding;

use super::Engine;
use super::fanout::Told;
use super::recent_revisions::RecentRevisions;

/// How many absent members are looked at for one that has a device.
const LOOKED_AT: usize = 1000;

/// The rooms of which anything is known.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Slots<RoomId, Room>,
    ids: Tables<Arc<str>, RoomId>,
    revisions: RecentRevisions,
    /// When rooms were last read that were not since the start.
    last_read: Tables<RoomId, Instant>,
    /// How often all of them were forgotten.
    forgotten: u32,
}

impl Rooms {
    /// The id of a room.
    pub(super) fn id(&self, jid: &str) -> Option<RoomId> {
        self.ids.get(jid)
    }

    /// The id of a room, of which nothing need be known yet.
    pub(super) fn id_or_insert(&mut self, jid: &str) -> RoomId {
        if let Some(id) = self.ids.get(jid) {
            return id;
        }
        let jid: Arc<str> = jid.into();
        let id = self.rooms.insert(Room::new(jid.clone()));
        self.ids.insert(jid, id);
        id
    }

    /// A room.
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.rooms.get(id)
    }

    /// A room, to be changed.
    pub(super) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        let room = self.rooms.get_mut(id)?;
        room.forget_before(self.forgotten);
        Some(room)
    }

    /// How much of a room is known.
    pub(super) fn coverage(&self, jid: &str) -> Coverage {
        self.by_jid(jid).map_or(Coverage::Nothing, |room| room.coverage_since(self.forgotten))
    }

    /// What is known of all rooms may be wrong. There may be very many: each is told when it is looked at.
    pub(super) fn forget_all(&mut self) {
        self.forgotten = self.forgotten.wrapping_add(1);
    }

    /// A room by its JID.
    pub(super) fn by_jid(&self, jid: &str) -> Option<&Room> {
        self.rooms.get(self.id(jid)?)
    }

    /// All of them, to be gone through.
    pub(super) fn slots(&self) -> &Slots<RoomId, Room> {
        &self.rooms
    }

    /// A message of a room was taken back or corrected, and a push says this in its place.
    pub(super) fn add_revision(&mut self, id: RoomId, revision: OwnedRevision, digest: Arc<MessageDigest>) {
        self.revisions.add(id, revision, digest);
    }

    /// What a push says of a message that came back from a session; `None` where it was taken back meanwhile.
    pub(super) fn revised(&self, id: RoomId, message: MessageDigest) -> Option<MessageDigest> {
        self.revisions.apply(id, message)
    }

    /// A room was read.
    pub(super) fn set_read(&mut self, id: RoomId) {
        self.last_read.remove(&id);
    }

    /// A room was last read at this time, before a restart.
    pub(super) fn set_last_read(&mut self, id: RoomId, at: Instant) {
        let last = self.last_read.get(&id).map_or(at, |last| last.max(at));
        self.last_read.insert(id, last);
    }

    /// Whether nothing is known of a room from before a restart, or it was read since.
    pub(super) fn was_read(&self, id: RoomId) -> bool {
        self.last_read.get(&id).is_none()
    }

    /// For how many seconds a room has not been read, where it has not been since before a restart.
    pub(super) fn seconds_unread(&self, id: RoomId, now: Instant) -> f64 {
        self.last_read.get(&id).map_or(0.0, |since| now.seconds_since(since))
    }

    /// A room is gone.
    pub(super) fn remove(&mut self, jid: &str) -> Option<(RoomId, Room)> {
        let id = self.ids.remove(jid)?;
        self.revisions.forget(id);
        self.last_read.remove(&id);
        Some((id, self.rooms.remove(id)?))
    }
}

/// Facts about rooms, and what is known of them.
impl Engine {
    /// A room's members are about to be read.
    pub fn begin_members(&mut self, room: &str) {
        let id = self.rooms.id_or_insert(room);
        if let Some(room) = self.rooms.get_mut(id) {
            room.begin_members();
        }
    }

    /// Some of a room's members, as they are: bare JID and registered nickname of those with an affiliation of member or
    /// above. Of members without a device only the nickname is of interest: others can be inside of it. `without_consent`
    /// are those of them who have not consented to their membership; `forwarding`: what they have said of it, who have.
    pub fn add_members<'a>(
        &mut self,
        room: &str,
        members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        without_consent: impl IntoIterator<Item = &'a str>,
        forwarding: impl IntoIterator<Item = (&'a str, Forwarding)>,
    ) {
        let forwarding: HashMap<&str, Forwarding> = forwarding.into_iter().collect();
        for (jid, _) in forwarding.iter().filter(|(_, forwarding)| **forwarding == Forwarding::Asked) {
            self.presume_forwarding(jid);
        }
        let Some(id) = self.rooms.id(room) else { return };
        let Some(room) = self.rooms.get_mut(id) else { return };
        let mut read = Vec::new();
        for (jid, nick) in members {
            let user = self.registrations.id(jid);
            if let Some(nick) = nick {
                room.take_nickname(user, nick);
            }
            match user {
                Some(user) => {
                    self.registrations.establish(user);
                    room.read_member(user, nick);
                    read.push((user, forwarding.get(jid).copied().unwrap_or_default()));
                }
                None => room.set_other_nickname(jid, nick),
            }
        }
        for user in without_consent.into_iter().filter_map(|jid| self.registrations.id(jid)) {
            room.set_consent(user, false);
        }
        read.into_iter().for_each(|(user, forwarding)| self.set_forwarding(id, user, forwarding));
    }

    /// A room's members are read: those who were not among them are members no more. Returns whether that is done; otherwise
    /// it is to be called again.
    pub fn end_members(&mut self, room: &str) -> bool {
        let Some(id) = self.rooms.id(room) else { return true };
        let Some(room) = self.rooms.get_mut(id) else { return true };
        let Some(gone) = room.end_members(self.options.members_at_once) else {
            self.rooms.set_read(id);
            return true;
        };
        gone.into_iter().for_each(|gone| self.note_left(id, gone));
        false
    }

    /// Takes over a room's occupants as they are at `now`: bare JID and nickname. Users who are there have read everything.
    pub fn set_occupants<'a>(
        &mut self,
        room: &str,
        occupants: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: Instant,
    ) {
        let id = self.rooms.id_or_insert(room);
        let users = &self.registrations;
        let occupants: Vec<(Option<UserId>, &str)> =
            occupants.into_iter().map(|(jid, nick)| (users.id(jid), nick)).collect();
        for user in occupants.iter().filter_map(|(user, _)| *user) {
            self.mark_read(user, id);
        }
        let Some(room) = self.rooms.get_mut(id) else { return };
        room.set_occupants(occupants, now);
        if room.coverage() == Coverage::Complete {
            self.end_wait(id);
        }
    }

    /// A room was restored from storage: what was known of it may be wrong.
    pub fn forget_room(&mut self, room: &str) {
        if let Some(room) = self.rooms.id(room).and_then(|id| self.rooms.get_mut(id)) {
            room.forget();
        }
    }

    /// Nobody has looked at the rooms for a while: what was known of them may be wrong.
    pub fn forget_rooms(&mut self) {
        self.rooms.forget_all();
    }

    /// A room is gone, and with it all that is unread there.
    pub fn room_destroyed(&mut self, room: &str) {
        if let Some(gone) = self.rooms.by_jid(room) {
            self.devices.journal_mut().note_room_gone(gone.jid().clone());
            self.drop_room(room);
        }
    }

    /// The same where the journal knows.
    pub(super) fn drop_room(&mut self, room: &str) {
        let Some((id, room)) = self.rooms.remove(room) else { return };
        if self.awaited_rooms.remove(id) {
            self.awaited_rooms.release(room.members().collect());
        }
        let Engine { fan_outs, registrations, devices, without_consent, options, .. } = self;
        fan_outs.room_destroyed(id, room, &mut Told { registrations, devices, without_consent, options });
        self.end_asked_of_gone();
        self.go_on_releasing();
    }

    /// An affiliation, a registered nickname, or what a member says of messages being forwarded changed. To users who are no members
    /// any more nothing is pushed.
    pub fn affiliation_changed(
        &mut self,
        room: &str,
        bare_jid: &str,
        membership: Membership,
        nick: Option<&str>,
        forwarding: Forwarding,
    ) {
        let is_member = membership != Membership::None;
        let is_known = self.rooms.coverage(room) != Coverage::Nothing;
        if is_member && is_known && forwarding == Forwarding::Asked {
            self.presume_forwarding(bare_jid);
        }
        let user = self.registrations.id(bare_jid);
        if let Some(user) = user.filter(|_| is_member) {
            self.registrations.establish(user);
        }
        let Some(id) = self.rooms.id(room) else { return };
        if let Some(room) = self.rooms.get_mut(id) {
            if let Some(nick) = nick {
                room.take_nickname(user, nick);
            }
            room.set_other_nickname(bare_jid, nick.filter(|_| is_member && user.is_none()));
            match user {
                Some(user) if is_member => {
                    room.add_member(user, nick);
                    room.set_consent(user, membership == Membership::Consented);
                    room.forget_without_device(|user| self.registrations.user(user).is_some());
                }
                _ => {}
            }
        }
        match user {
            Some(user) if is_member => self.set_forwarding(id, user, forwarding),
            Some(user) => self.remove_member(user, id),
            None => {}
        }
    }

    /// A user with a device is no member of a room any more.
    fn remove_member(&mut self, user: UserId, room: RoomId) {
        let gone = self.rooms.get_mut(room).and_then(|room| room.remove_member(user));
        self.note_left(room, gone.unwrap_or(Gone { user, forwarding: Forwarding::Unset }));
    }

    /// An occupant, one or more sessions of a user under one nickname, is there now.
    pub fn occupant_present(&mut self, room: &str, bare_jid: &str, nick: &str) {
        let Some(id) = self.rooms.id(room) else { return };
        let user = self.registrations.id(bare_jid);
        if let Some(room) = self.rooms.get_mut(id) {
            room.enter(user, nick);
        }
        if let Some(user) = user {
            self.mark_read(user, id);
        }
    }

    /// The last session of an occupant is gone at `now`.
    pub fn occupant_gone(&mut self, room: &str, bare_jid: &str, nick: &str, now: Instant) {
        let user = self.registrations.id(bare_jid);
        if let Some(room) = self.rooms.id(room).and_then(|id| self.rooms.get_mut(id)) {
            room.leave(user, nick, now);
        }
    }

    /// A user is where the room can be read, or may not read it any more.
    pub(super) fn mark_read(&mut self, user: UserId, room: RoomId) {
        for id in self.registrations.devices_of(user) {
            self.delivery.end_pace(id, room);
            self.devices.mark_read(id, room, |room| self.awaited_rooms.contains(room));
        }
    }

    /// How much of a room is known: what has to be read before a message can be judged.
    pub fn coverage(&self, room: &str) -> Coverage {
        self.rooms.coverage(room)
    }

    /// Whether any member with a device is absent: if not, no message concerns anybody.
    pub fn is_anybody_absent(&self, room: &str) -> bool {
        let mut absent = self.rooms.by_jid(room).into_iter().flat_map(Room::absent).zip(0..=LOOKED_AT);
        // With very many without a device, a message sees to it that they are forgotten.
        absent.any(|((user, _), looked_at)| looked_at == LOOKED_AT || self.registrations.user(user).is_some())
    }

    /// Whether any member has a device, as far as they are known: if not, nothing of the room concerns anybody.
    pub fn has_devices(&self, room: &str) -> bool {
        let mut members = self.rooms.by_jid(room).into_iter().flat_map(Room::members).zip(0..=LOOKED_AT);
        members.any(|(user, looked_at)| looked_at == LOOKED_AT || self.registrations.user(user).is_some())
    }

    /// The bare JIDs of the members with a device who are absent.
    pub fn absent_members(&self, room: &str) -> Vec<&str> {
        let absent = self.rooms.by_jid(room).into_iter().flat_map(Room::absent);
        absent.filter_map(|(user, _)| Some(&**self.registrations.user(user)?.jid())).collect()
    }
}
