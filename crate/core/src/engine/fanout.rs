//! Fan-outs: what happens in a room comes to its members bit by bit, so that nobody waits for all of a large room.
//!
//! A fan-out goes through those who were absent when it began. Before something changes for a user, what they have yet to
//! hear of is told to them: so each gets what they would have got if everybody had been told at once.

mod news;
mod progress;
mod remains;
mod subject;
mod weights;

use std::collections::{HashMap, VecDeque};
use std::slice;
use std::sync::Arc;

use crate::device::{Device, MessageDigest, Revising};
use crate::devices::Devices;
use crate::ids::{DeviceId, RoomId, UserId};
use crate::journal::Group;
use crate::room::{Gone, Remains, Room};
use crate::work;

use super::Engine;
use super::messages::Audience;
use super::rooms::Rooms;
use news::News;
use remains::mark_read;
use subject::Subject;
use weights::Weights;

pub(super) use progress::Progress;
pub(super) use subject::Told;

/// How many fan-outs of one room may be left. A message that comes on top of that is not pushed: a room that is so far behind
/// has more messages than can be told to everybody in it.
const KEPT: usize = 1000;

/// The same with those of revisions that come on top: what was said before is not to be told once it was taken back.
const KEPT_WITH_REVISIONS: usize = 2 * KEPT;

/// How many are looked at for the owners of devices, before something is pushed to these.
pub(super) const LOOKED_AT_ONCE: usize = 1000;

/// How many devices are let go at once that have waited for the journal.
pub(super) const LET_GO_AT_ONCE: usize = 2000;

/// Something that the absent members of a room have yet to be told.
#[derive(Debug)]
pub(super) struct FanOut {
    progress: Progress,
    subject: Subject,
    /// Those that it has come to.
    group: Group,
    /// What it takes, in bytes.
    weight: usize,
}

/// The fan-outs of a room.
#[derive(Debug, Default)]
struct OfRoom {
    /// In the order in which they began.
    fan_outs: VecDeque<FanOut>,
    /// What they take, in bytes.
    weight: usize,
}

impl FanOut {
    /// That of a message, of which this group was told.
    pub(super) fn of_message(
        digest: Arc<MessageDigest>,
        audience: Audience,
        progress: Progress,
        group: Group,
    ) -> Self {
        let weight = weights::of_message(&digest, &audience);
        FanOut { progress, subject: Subject::Message { digest, audience: Box::new(audience) }, group, weight }
    }

    /// That of a revision, of which nobody was told.
    pub(super) fn of_revision(revising: Revising, progress: Progress) -> Self {
        let weight = weights::of_revision(revising.digest());
        FanOut { progress, subject: Subject::Revision(Box::new(revising)), group: Group::new(None), weight }
    }

    /// Those that it has come to, where nothing of it is held back for others any more.
    fn take_group(&mut self) -> Group {
        std::mem::replace(&mut self.group, Group::new(None))
    }

    /// Whether everybody was told.
    pub(super) fn is_done(&self) -> bool {
        self.progress.is_done()
    }

    /// Tells those who are not absent, but have something unread. Tells others too, unless they have to hear of something
    /// else first.
    pub(super) fn begin(&mut self, id: RoomId, room: &mut Room, has_to_wait: bool, told: &mut Told<'_>) {
        self.subject.tell_leaving(id, room, told);
        if !has_to_wait {
            self.step(id, room, told);
        }
    }

    /// Tells as many as are told at once.
    fn step(&mut self, id: RoomId, room: &mut Room, told: &mut Told<'_>) {
        let (members, known) = room.members_and_nicknames();
        let places = self.progress.step(members, told.options);
        let members = members.at_mut(places);
        let without_device = self.subject.tell(id, members, known, &self.progress, &mut self.group, told);
        without_device.into_iter().for_each(|user| _ = room.remove_member(user));
    }

    /// Tells one user, if they have yet to be told.
    fn catch_up(&mut self, id: RoomId, room: &mut Room, user: UserId, told: &mut Told<'_>) {
        let (members, known) = room.members_and_nicknames();
        let Some(member) = members.entry_mut(user) else { return };
        let member = slice::from_mut(member);
        self.subject.tell(id, member, known, &self.progress, &mut self.group, told);
    }
}

/// The fan-outs that are not done.
#[derive(Debug, Default)]
pub(super) struct FanOuts {
    of_rooms: HashMap<RoomId, OfRoom>,
    weights: Weights,
    /// These rooms, that which is next in front.
    turns: VecDeque<RoomId>,
    /// Which users have yet to be looked at for which of these rooms.
    news: News,
    /// Rooms that are gone, whose members may still have something unread there.
    gone: VecDeque<(RoomId, Remains)>,
    /// Those of their members who have just been told, and to whom messages may have been forwarded.
    asked: Vec<Gone>,
}

impl FanOuts {
    /// Whether everything is done.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.gone.is_empty()
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.of_rooms.values().map(|of_room| of_room.fan_outs.len()).sum::<usize>() + self.gone.len()
    }

    /// Whether any of a room are left: what happens there now has to wait.
    pub(super) fn has_any_of(&self, room: RoomId) -> bool {
        self.of_rooms.contains_key(&room)
    }

    /// Whether a room has so many that it can have no more of a message.
    pub(super) fn is_full(&self, room: RoomId) -> bool {
        self.len_of(room) >= KEPT
    }

    /// Whether all of them have so much that a room can have no more of a message: then it is kept without its words, if that will
    /// do.
    pub(super) fn admit(&self, room: RoomId, digest: &MessageDigest, audience: &mut Audience) -> bool {
        self.weights.admit(self.size_of(room), digest, audience)
    }

    /// Whether a room can have one more revision.
    pub(super) fn admit_revision(&self, room: RoomId, digest: &MessageDigest) -> bool {
        let (count, weight) = self.size_of(room);
        let is_full = count >= KEPT_WITH_REVISIONS;
        !is_full && self.weights.admit_revision((count, weight), weights::of_revision(digest))
    }

    fn size_of(&self, room: RoomId) -> (usize, usize) {
        self.of_rooms.get(&room).map_or((0, 0), |of_room| (of_room.fan_outs.len(), of_room.weight))
    }

    fn len_of(&self, room: RoomId) -> usize {
        self.size_of(room).0
    }

    /// One that is not done goes on later, after those of the room that are there.
    pub(super) fn add(&mut self, room: RoomId, fan_out: FanOut) {
        if fan_out.is_done() {
            return;
        }
        let of_room = self.of_rooms.entry(room).or_default();
        if of_room.fan_outs.is_empty() {
            self.turns.push_back(room);
        }
        of_room.weight += fan_out.weight;
        self.weights.add(fan_out.weight);
        of_room.fan_outs.push_back(fan_out);
        self.news.begin(room);
    }

    /// A room is gone: nobody is told of anything there any more, and nothing of it is unread.
    pub(super) fn room_destroyed(&mut self, id: RoomId, room: Room, told: &mut Told<'_>) {
        if let Some(of_room) = self.of_rooms.remove(&id) {
            self.turns.retain(|other| *other != id);
            self.news.end(id);
            self.weights.remove(of_room.weight);
            for mut fan_out in of_room.fan_outs {
                told.devices.add_group(fan_out.take_group());
            }
        }
        let mut remains = room.into_remains();
        if !mark_read(id, &mut remains, &mut self.asked, told) {
            self.gone.push_back((id, remains));
        }
    }

    /// Nothing is held back any more for those that they have yet to come to.
    pub(super) fn give_groups(&mut self, devices: &mut Devices) {
        for fan_out in self.of_rooms.values_mut().flat_map(|of_room| &mut of_room.fan_outs) {
            devices.add_group(fan_out.take_group());
        }
    }

    /// One step of one of them, where there is any.
    pub(super) fn step(&mut self, rooms: &mut Rooms, told: &mut Told<'_>) {
        if let Some((id, remains)) = self.gone.front_mut() {
            if mark_read(*id, remains, &mut self.asked, told) {
                self.gone.pop_front();
            }
            return;
        }
        let Some(id) = self.turns.pop_front() else { return };
        let (Some(of_room), Some(room)) = (self.of_rooms.get_mut(&id), rooms.get_mut(id)) else { return };
        if let Some(first) = of_room.fan_outs.front_mut() {
            first.step(id, room, told);
            if first.is_done() {
                told.devices.add_group(first.take_group());
                of_room.weight = of_room.weight.saturating_sub(first.weight);
                self.weights.remove(first.weight);
                of_room.fan_outs.pop_front();
            }
        }
        if of_room.fan_outs.is_empty() {
            self.of_rooms.remove(&id);
            self.news.end(id);
        } else {
            self.turns.push_back(id);
        }
    }

    /// Tells a user all that they have yet to hear of: something is about to change for them. Or of a part of it, where so many
    /// fan-outs were looked at and that was not all. Returns whether it was.
    fn catch_up(
        &mut self,
        user: UserId,
        at_most: &mut usize,
        rooms: &mut Rooms,
        told: &mut Told<'_>,
    ) -> bool {
        let of_rooms = &self.of_rooms;
        let len_of = |id| of_rooms.get(&id).map_or(0, |of_room| of_room.fan_outs.len());
        let (ids, are_all) = self.news.take(user, at_most, len_of);
        for id in ids {
            let (Some(of_room), Some(room)) = (self.of_rooms.get_mut(&id), rooms.get_mut(id)) else {
                continue;
            };
            if room.members_and_nicknames().0.get(user).is_some() {
                work::count(of_room.fan_outs.len());
                of_room.fan_outs.iter_mut().for_each(|fan_out| fan_out.catch_up(id, room, user, told));
            }
        }
        are_all
    }

    /// The same for the owner of a device, of which something is about to be pushed, or was answered.
    pub(super) fn catch_up_device(
        &mut self,
        device: DeviceId,
        at_most: &mut usize,
        rooms: &mut Rooms,
        told: &mut Told<'_>,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        let owner = told.devices.get(device).map(Device::owner);
        let was_all = owner.is_none_or(|owner| self.catch_up(owner, at_most, rooms, told));
        work::count(self.gone.len());
        *at_most = at_most.saturating_sub(self.gone.len());
        for (room, _) in &self.gone {
            told.devices.drop_room(device, *room);
        }
        was_all
    }
}

/// What comes to the members of a room bit by bit.
impl Engine {
    /// Goes on with what has not come to all members of a room, as far as that is done at once. Returns whether anything is
    /// left: what has not come to a device is in no snapshot.
    pub fn spread(&mut self) -> bool {
        self.go_on_releasing();
        self.devices.release(LET_GO_AT_ONCE);
        let Engine { rooms, registrations, devices, fan_outs, without_consent, options, .. } = self;
        fan_outs.step(rooms, &mut Told { registrations, devices, without_consent, options });
        self.end_asked_of_gone();
        self.is_anything_left()
    }

    /// Rooms are gone: nothing is forwarded any more to those who had asked for it there, and nowhere else.
    pub(super) fn end_asked_of_gone(&mut self) {
        for gone in std::mem::take(&mut self.fan_outs.asked) {
            self.end_asked(gone);
        }
    }

    /// How much memory is taken by what has not come to all members of a room, in bytes; for tests.
    #[cfg(feature = "work-count")]
    pub fn spreading_weight(&self) -> usize {
        self.fan_outs.weights.all()
    }

    /// Whether anything has not come to all members of a room.
    pub(super) fn is_anything_left(&self) -> bool {
        !self.fan_outs.is_empty()
            || self.awaited_rooms.is_releasing()
            || self.devices.journal().is_releasing()
    }

    /// Something is about to change for a user: they are told what they have yet to hear of.
    pub(super) fn catch_up(&mut self, user: UserId) {
        let Engine { rooms, registrations, devices, fan_outs, without_consent, options, .. } = self;
        let told = &mut Told { registrations, devices, without_consent, options };
        let mut at_most = usize::MAX;
        fan_outs.catch_up(user, &mut at_most, rooms, told);
    }

    /// The same for the owner of a device.
    pub(super) fn catch_up_device(&mut self, device: DeviceId) {
        let Engine { rooms, registrations, devices, fan_outs, without_consent, options, .. } = self;
        let told = &mut Told { registrations, devices, without_consent, options };
        let mut at_most = usize::MAX;
        fan_outs.catch_up_device(device, &mut at_most, rooms, told);
    }
}
