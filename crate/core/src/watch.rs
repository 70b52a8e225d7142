//! What happens in rooms: who is affiliated, who comes and goes, and what is said.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;

use minidom::Element;
use smallvec::SmallVec;

use crate::device::{Content, Pending};
use crate::engine::{Engine, User};
use crate::ids::{DeviceId, RoomId, UserId};
use crate::importance;
use crate::mention::Mentions;
use crate::notify_level::{Level, RoomPrivacy};
use crate::room::{Knowledge, Member, Room};

/// How many devices are fetched at once: they and what belongs to them fit into any cache.
const FETCHED: usize = 100;

/// A groupchat message that a room broadcasts (XEP-0045, section 7.4).
#[derive(Debug, Clone, Copy)]
pub struct Broadcast<'a> {
    /// The room's bare JID.
    pub room: &'a str,
    /// The bare JID of who wrote it; `None` where it is the room itself.
    pub sender: Option<&'a str>,
    /// The message as the room sends it, `from` an occupant JID.
    pub message: &'a Element,
    /// How private the room is.
    pub privacy: RoomPrivacy,
    /// Whether another module wants to see the message with each push.
    pub keep_original: bool,
    /// The bare JIDs of who was in the room when it was sent, where that was not just now.
    pub present: &'a [String],
}

/// Who is to be told of a message.
#[derive(Debug, Default)]
struct Recipients {
    /// The devices, each with whether the message mentions its owner.
    devices: Vec<(DeviceId, bool)>,
    /// Whether somebody was come across who has no device any more: they stay in a room's index until then.
    are_strangers_among: bool,
}

impl Engine {
    /// How much of a room is known: what has to be read before a message can be judged.
    pub fn knowledge(&self, room: &str) -> Knowledge {
        self.room(room).map_or(Knowledge::Nothing, Room::knowledge)
    }

    /// Takes over a room's members as they are: bare JID and registered nickname of everybody with an
    /// affiliation of member or above. Who has no device is passed over.
    pub fn set_members<'a>(
        &mut self,
        room: &str,
        members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) {
        let id = self.room_id(room);
        let users = &self.user_ids;
        let members = members.into_iter().filter_map(|(jid, nick)| Some((*users.get(jid)?, nick)));
        let gone = self.rooms.get_mut(id).map_or_else(Vec::new, |room| room.set_members(members));
        for user in gone {
            self.catch_up(user, id);
        }
    }

    /// Takes over a room's occupants as they are at `now`: bare JID and nickname. Who is there has missed nothing.
    pub fn set_occupants<'a>(
        &mut self,
        room: &str,
        occupants: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: f64,
    ) {
        let id = self.room_id(room);
        let users = &self.user_ids;
        let occupants: Vec<(UserId, &str)> =
            occupants.into_iter().filter_map(|(jid, nick)| Some((*users.get(jid)?, nick))).collect();
        for (user, _) in &occupants {
            self.catch_up(*user, id);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.set_occupants(occupants, now);
        }
    }

    /// A room was restored from storage: what was known of it may be wrong.
    pub fn room_restored(&mut self, room: &str) {
        if let Some(id) = self.room_ids.get(room)
            && let Some(room) = self.rooms.get_mut(*id)
        {
            room.forget();
        }
    }

    /// Rooms went unwatched for a while: what was known of them may be wrong.
    pub fn rooms_unwatched(&mut self) {
        self.rooms.values_mut().for_each(Room::forget);
    }

    /// A room is gone, and with it all that anybody missed there.
    pub fn room_destroyed(&mut self, room: &str) {
        let Some(id) = self.room_ids.remove(room) else { return };
        let Some(room) = self.rooms.remove(id) else { return };
        for user in room.members() {
            self.catch_up(user, id);
        }
    }

    /// An affiliation or a registered nickname changed. Who is no member any more is told nothing more.
    pub fn affiliation_changed(&mut self, room: &str, jid: &str, is_member: bool, nick: Option<&str>) {
        let Some(&id) = self.room_ids.get(room) else { return };
        let user = self.user_ids.get(jid).copied();
        if let Some(room) = self.rooms.get_mut(id) {
            if let Some(nick) = nick {
                room.take_nickname(user, nick);
            }
            match user {
                Some(user) if is_member => room.add_member(user, nick),
                Some(user) => room.remove_member(user),
                None => {}
            }
        }
        if let (Some(user), false) = (user, is_member) {
            self.catch_up(user, id);
        }
    }

    /// An occupant, one or more sessions of a user under one nickname, is there now.
    pub fn occupant_present(&mut self, room: &str, jid: &str, nick: &str) {
        let Some(&id) = self.room_ids.get(room) else { return };
        let user = self.user_ids.get(jid).copied();
        if let Some(room) = self.rooms.get_mut(id) {
            room.enter(user, nick);
        }
        if let Some(user) = user {
            self.catch_up(user, id);
        }
    }

    /// The last session of an occupant is gone at `now`.
    pub fn occupant_gone(&mut self, room: &str, jid: &str, nick: &str, now: f64) {
        let (Some(&room), Some(&user)) = (self.room_ids.get(room), self.user_ids.get(jid)) else { return };
        if let Some(room) = self.rooms.get_mut(room) {
            room.leave(user, nick, now);
        }
    }

    /// The bare JIDs of the members with a device who are not in the room.
    pub fn absent(&self, room: &str) -> Vec<&str> {
        let absent = self.room(room).into_iter().flat_map(Room::absent);
        absent.filter_map(|(user, _)| Some(&*self.users.get(user)?.jid)).collect()
    }

    /// Whether any member with a device is not in the room: if not, no message concerns anybody.
    pub fn is_anybody_absent(&self, room: &str) -> bool {
        let mut absent = self.room(room).into_iter().flat_map(Room::absent);
        absent.any(|(user, _)| self.users.contains_key(user))
    }

    /// A room broadcasts a message. Returns how many devices are told: none where [`Engine::knowledge`] of the
    /// room is not complete.
    pub fn message(&mut self, broadcast: Broadcast<'_>, now: f64) -> usize {
        let Some(&room_id) = self.room_ids.get(broadcast.room) else { return 0 };
        let Recipients { devices, are_strangers_among } = self.recipients(&broadcast, room_id);
        if let (true, Some(room)) = (are_strangers_among, self.rooms.get_mut(room_id)) {
            room.forget_all_but(|user| self.users.contains_key(user));
        }
        if devices.is_empty() {
            return 0;
        }
        let Some(room) = self.rooms.get(room_id) else { return 0 };
        self.messages += 1;
        let content = Arc::new(self.content(Some(broadcast.message), broadcast.keep_original, room, now));
        for some in devices.chunks(FETCHED) {
            self.fetch(some);
            for &(id, mentioned) in some {
                if let Some(device) = self.devices.get_mut(id) {
                    let pending = Pending {
                        content: content.clone(),
                        mention: mentioned.then(|| content.clone()),
                        messages: 1,
                    };
                    device.miss(room_id, pending);
                    self.outbox.announce(id, device);
                }
            }
        }
        devices.len()
    }

    /// Another module wants every device of a user to be pushed, without a message. Returns how many are.
    pub fn ping(&mut self, user: &str) -> usize {
        let user = self.user_ids.get(user).and_then(|&id| self.users.get(id));
        let devices = user.map_or_else(SmallVec::new, |user| user.devices.clone());
        for &id in &devices {
            if let Some(device) = self.devices.get_mut(id) {
                device.pinged = true;
                self.outbox.announce(id, device);
            }
        }
        devices.len()
    }

    /// Who is to be told of a message.
    fn recipients(&self, broadcast: &Broadcast<'_>, room: RoomId) -> Recipients {
        let mut recipients = Recipients::default();
        let room = self.rooms.get(room).filter(|room| room.knowledge() == Knowledge::Complete);
        let Some(room) = room else { return recipients };
        if !importance::is_important(broadcast.message, broadcast.room) {
            return recipients;
        }
        let mentions = Mentions::read(broadcast.message, broadcast.room);
        let mentions = Some(mentions).filter(|mentions| !mentions.is_empty());
        // The members' JIDs are not looked at: that would cost a wait for memory for each of them.
        let sender = broadcast.sender.and_then(|jid| self.user_ids.get(jid).copied());
        let present: HashSet<UserId> =
            broadcast.present.iter().filter_map(|jid| self.user_ids.get(jid.as_str()).copied()).collect();
        recipients.devices.reserve_exact(room.members().len());
        for (id, member) in room.absent() {
            let Some(user) = self.users.get(id) else {
                recipients.are_strangers_among = true;
                continue;
            };
            if sender == Some(id) || present.contains(&id) {
                continue;
            }
            let mentioned =
                mentions.as_ref().is_some_and(|mentions| mentions.concern(&user.jid, member.nicknames()));
            recipients.devices.extend(self.wanting(user, member, mentioned, broadcast.privacy));
        }
        recipients
    }

    /// The devices of a member that want to hear of a message, each with whether it mentions the member.
    pub(crate) fn wanting(
        &self,
        user: &User,
        member: &Member,
        mentioned: bool,
        privacy: RoomPrivacy,
    ) -> impl Iterator<Item = (DeviceId, bool)> {
        let wanting = user.devices.iter().filter(move |&&device| match self.level(device, member, privacy) {
            Level::Always => true,
            Level::OnMention => mentioned,
            Level::Never => false,
        });
        wanting.map(move |&device| (device, mentioned))
    }

    /// Makes the processor fetch devices that are about to be changed. They are scattered over all of the memory, and
    /// this way it waits for many of them at once, instead of for one after the other.
    fn fetch(&self, devices: &[(DeviceId, bool)]) {
        let found = || devices.iter().filter_map(|&(id, _)| self.devices.get(id));
        black_box(found().filter(|device| device.has_pending()).count());
        let missed = found().filter_map(|device| device.missed.last());
        black_box(missed.map(|missed| u64::from(missed.count)).sum::<u64>());
    }

    /// Which messages of a room a device is told of. So far nobody can say: the room's default decides.
    fn level(&self, _device: DeviceId, _member: &Member, privacy: RoomPrivacy) -> Level {
        self.options.default_level.level(privacy)
    }

    /// What may be told of a message: nothing is kept that the app server may not know.
    pub(crate) fn content(
        &self,
        message: Option<&Element>,
        keep_original: bool,
        room: &Room,
        since: f64,
    ) -> Content {
        let sender = message.and_then(|message| message.attr("from")).filter(|_| self.options.with_sender);
        let body = message.and_then(|message| message.get_child("body", crate::ns::CLIENT));
        let body = body.filter(|_| self.options.with_body).map(Element::text);
        Content {
            room: room.jid.clone(),
            sender: sender.map(Into::into),
            body: body.filter(|body| !body.is_empty()).map(Into::into),
            original: message.filter(|_| keep_original).cloned(),
            since,
            order: self.messages,
        }
    }

    /// A user is where they can read the room, or may not read it any more.
    fn catch_up(&mut self, user: UserId, room: RoomId) {
        let Some(user) = self.users.get(user) else { return };
        for &id in &user.devices {
            if let Some(device) = self.devices.get_mut(id) {
                device.catch_up(room);
            }
        }
    }

    fn room(&self, jid: &str) -> Option<&Room> {
        self.rooms.get(*self.room_ids.get(jid)?)
    }

    pub(crate) fn room_id(&mut self, jid: &str) -> RoomId {
        if let Some(&id) = self.room_ids.get(jid) {
            return id;
        }
        let jid: Arc<str> = jid.into();
        let id = self.rooms.insert(Room::new(jid.clone()));
        self.room_ids.insert(jid, id);
        id
    }
}
