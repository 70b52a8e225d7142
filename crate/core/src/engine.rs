//! The engine of one MUC service: facts go in, decisions come out.
//!
//! Inputs are the `handle_*` methods and those named after what has happened; outputs are [`Engine::poll_push`] and
//! [`Engine::poll_event`], and [`Engine::next_deadline`] says when to ask again. This file only sees to it that the parts
//! hear of what concerns them.

mod awaited_rooms;
mod consent;
mod delivery;
mod fanout;
mod leases;
mod messages;
mod pace;
mod recent_revisions;
mod registrations;
mod revisions;
mod rooms;
mod snapshot;
mod stats;

pub use delivery::{Push, PushDetails};
pub use leases::AgedDevice;
pub use messages::{Bounce, Broadcast};
pub use snapshot::{
    Detail, DeviceState, DomainState, MessageState, NicknameState, PendingState, Snapshot, SnapshotPlan,
    StanzaIdsState, UnreadState,
};
pub use stats::Stats;

use std::collections::VecDeque;
use std::sync::Arc;

use minidom::Element;

use crate::change::Change;
use crate::device::{Device, MessageKey, Notification, Revising, Scope};
use crate::devices::{Deadline, Devices};
use crate::error::RequestError;
use crate::event::{Answered, Disabled, Event, Reason};
use crate::ids::{DeviceId, PushId, RoomId, UserId};
use crate::message::{Message, MessageIds, OwnedRevision, Revision};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::registration::{Record, Registration};
use crate::request::EnableFacts;
use crate::room::{Coverage, Membership, Room};
use crate::summary::Summary;
use crate::time::{Instant, UnixTime};
use awaited_rooms::AwaitedRooms;
use consent::UnaskedPushes;
use delivery::Delivery;
use fanout::{FanOut, FanOuts, Progress, Told};
use leases::LeaseCheck;
use messages::{Audience, Digests, Found};
use registrations::Registrations;
use rooms::Rooms;

/// How many absent members are looked at for one that has a device.
const LOOKED_AT: usize = 1000;

/// The engine of one MUC service.
///
/// Users, rooms and occupants are named by JIDs as the server has prepared them.
#[derive(Debug)]
pub struct Engine {
    host: Box<str>,
    options: Options,
    registrations: Registrations,
    rooms: Rooms,
    awaited_rooms: AwaitedRooms,
    devices: Devices,
    digests: Digests,
    fan_outs: FanOuts,
    delivery: Delivery,
    lease_check: LeaseCheck,
    unasked: UnaskedPushes,
    events: VecDeque<Event>,
}

/// Requests: what they make of a user's record. Nothing changes before [`Engine::set_registrations`].
impl Engine {
    /// The engine of the service `host`, with nobody registered.
    pub fn new(host: &str, options: Options, random: impl Random + 'static) -> Self {
        let mut devices = Devices::default();
        devices.domains_mut().configure(options.app_server_domains());
        Engine {
            host: host.into(),
            delivery: Delivery::new(&options, Box::new(random)),
            options,
            registrations: Registrations::default(),
            rooms: Rooms::default(),
            awaited_rooms: AwaitedRooms::default(),
            devices,
            digests: Digests::default(),
            lease_check: LeaseCheck::default(),
            unasked: UnaskedPushes::default(),
            fan_outs: FanOuts::default(),
            events: VecDeque::new(),
        }
    }

    /// The options were read again.
    pub fn configure(&mut self, options: Options) {
        self.delivery.configure(&options);
        self.devices.domains_mut().configure(options.app_server_domains());
        self.options = options;
    }

    /// What an IQ with `<enable/>` makes of the record of the user who sends it (XEP-0357, section 5).
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with.
    pub fn prepare_enable(
        &self,
        facts: &EnableFacts<'_>,
        iq: &Element,
        record: Record,
        now: UnixTime,
    ) -> Result<Change, RequestError> {
        let before = record.registrations.len();
        let change = Change::enable(iq, facts, &self.host, record, now, &self.options)?;
        if change.record.registrations.len() > before {
            self.registrations.admit(facts, before > 0, &self.options)?;
        }
        Ok(change)
    }

    /// What an IQ with `<disable/>` makes of a user's record (XEP-0357, section 6). `app_server`: its `jid` attribute as the
    /// server has prepared it; `None` where that is no JID.
    ///
    /// # Errors
    ///
    /// A [`RequestError`] to answer with. That nothing was registered is none.
    pub fn prepare_disable(
        &self,
        iq: &Element,
        app_server: Option<&str>,
        record: Record,
    ) -> Result<Change, RequestError> {
        Change::disable(iq, app_server, record)
    }
}

/// Facts about users and rooms.
impl Engine {
    /// A user's record is in the store: from now on it counts. `renewed` is the push identifier of a registration that the
    /// user has just asked for. Returns whether the user had no device before, and so is in the index of no room.
    pub fn set_registrations(
        &mut self,
        user: &str,
        registrations: Vec<Registration>,
        renewed: Option<&str>,
    ) -> bool {
        if let Some(user) = self.registrations.id(user) {
            self.catch_up(user);
        }
        let registered = self.registrations.set(&mut self.devices, user, registrations, renewed);
        self.events.extend(registered.changed.into_iter().map(Event::AddresseeChanged));
        registered.is_first_device
    }

    /// A user with a device is no stranger: they have an account on this server, or are a member of a room.
    pub fn establish(&mut self, user: &str) {
        if let Some(id) = self.registrations.id(user) {
            self.registrations.establish(id);
        }
    }

    /// The account of a user with a device is disabled, or enabled again. Until then nothing is pushed to their devices, but
    /// everything counts, and is kept.
    pub fn set_suspended(&mut self, user: &str, is_suspended: bool) {
        self.registrations.set_suspended(&mut self.devices, user, is_suspended);
    }

    /// A room's members are about to be read.
    pub fn begin_members(&mut self, room: &str) {
        let id = self.rooms.id_or_insert(room);
        if let Some(room) = self.rooms.get_mut(id) {
            room.begin_members();
        }
    }

    /// Some of a room's members, as they are: bare JID and registered nickname of those with an affiliation of member or
    /// above. Of members without a device only the nickname is of interest: others can be inside of it. `without_consent`
    /// are those of them who have not consented to their membership.
    pub fn add_members<'a>(
        &mut self,
        room: &str,
        members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        without_consent: impl IntoIterator<Item = &'a str>,
    ) {
        let Some(room) = self.rooms.id(room).and_then(|id| self.rooms.get_mut(id)) else { return };
        for (jid, nick) in members {
            let user = self.registrations.id(jid);
            if let Some(nick) = nick {
                room.take_nickname(user, nick);
            }
            match user {
                Some(user) => {
                    self.registrations.establish(user);
                    room.read_member(user, nick);
                }
                None => room.set_other_nickname(jid, nick),
            }
        }
        for user in without_consent.into_iter().filter_map(|jid| self.registrations.id(jid)) {
            room.set_consent(user, false);
        }
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
        gone.into_iter().for_each(|user| self.mark_read(user, id));
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
        let Some((id, room)) = self.rooms.remove(room) else { return };
        if self.awaited_rooms.remove(id) {
            self.awaited_rooms.release(room.members().collect());
        }
        let Engine { fan_outs, registrations, devices, unasked, options, .. } = self;
        fan_outs.room_destroyed(id, room, &mut Told { registrations, devices, unasked, options });
        self.go_on_releasing();
    }

    /// An affiliation or a registered nickname changed. To users who are no members any more nothing is pushed.
    pub fn affiliation_changed(
        &mut self,
        room: &str,
        bare_jid: &str,
        membership: Membership,
        nick: Option<&str>,
    ) {
        let is_member = membership != Membership::None;
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
                Some(user) => room.remove_member(user),
                None => {}
            }
        }
        if let (Some(user), false) = (user, is_member) {
            self.mark_read(user, id);
        }
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
    fn mark_read(&mut self, user: UserId, room: RoomId) {
        for id in self.registrations.devices_of(user) {
            self.delivery.end_pace(id, room);
            self.devices.update(id, |device| {
                device.mark_read(room);
                device.end_wait(|room| self.awaited_rooms.contains(room));
            });
        }
    }

    /// A room was read, of which something has waited since the last run: it can be told now.
    fn end_wait(&mut self, room: RoomId) {
        if self.awaited_rooms.remove(room) {
            self.awaited_rooms.release(self.rooms.get(room).into_iter().flat_map(Room::members).collect());
            self.go_on_releasing();
        }
    }

    /// Lets those devices of some users go on that have waited for a room, where it was the last one.
    fn go_on_releasing(&mut self) {
        let users = self.awaited_rooms.next_released(self.options.members_at_once);
        for id in users.into_iter().flat_map(|user| self.registrations.devices_of(user)) {
            if self.devices.get(id).is_some_and(Device::is_waiting) {
                self.devices.update(id, |device| device.end_wait(|room| self.awaited_rooms.contains(room)));
            }
        }
    }
}

/// Facts that lead to pushes, or follow from them.
impl Engine {
    /// A room broadcasts a message. Returns how many devices are to be pushed to so far: none where [`Engine::coverage`] of
    /// the room is not complete. In a large room the rest follows with [`Engine::handle_timeout`].
    pub fn handle_message(&mut self, broadcast: Broadcast<'_>, now: Instant) -> usize {
        let Some(room_id) = self.rooms.id(broadcast.room).filter(|id| !self.fan_outs.is_full(*id)) else {
            return 0;
        };
        if let Some(revision) = Revision::read(broadcast.message, broadcast.room, broadcast.sender) {
            self.revise(room_id, &broadcast, revision, now);
            return 0;
        }
        let Engine { rooms, registrations, devices, digests, fan_outs, unasked, options, .. } = self;
        let Some(room) = rooms.get_mut(room_id) else { return 0 };
        let message = Message::read(broadcast.message, broadcast.room);
        let Some(mut audience) = Audience::of(&broadcast, &message, room, registrations) else { return 0 };
        let has_to_wait = fan_outs.has_any_of(room_id);
        let (members, known) = room.members_and_nicknames();
        let mut progress = Progress::begin(members, options, has_to_wait);
        let mut found = Found::default();
        let mut told = Told { registrations, devices, unasked, options };
        if !has_to_wait {
            let places = progress.step(members, options);
            found = audience.find(members.at_mut(places), &progress, known, &told);
            found.without_device.iter().for_each(|user| room.remove_member(*user));
        }
        if found.is_empty() && progress.is_done() {
            return 0;
        }
        let Broadcast { keep_original, sender, .. } = broadcast;
        let identity = digests.identity(MessageIds::read(broadcast.message, broadcast.room, sender), now);
        let digest = Arc::new(digests.digest(Some(&message), keep_original, room, identity, options));
        let devices = told.add_unread(room_id, &digest, &found);
        if !progress.is_done() {
            fan_outs.add(room_id, FanOut::of_message(digest, audience, progress));
        }
        devices
    }

    /// A message bounced at `now`. It counts as if its recipient had been absent when it was sent, unless they are present
    /// with another session, or were absent then and so were pushed to, or it was taken back meanwhile. One that takes back or
    /// corrects another does so for its recipient. Returns how many devices are to be pushed to.
    pub fn handle_bounce(&mut self, bounce: Bounce<'_>, now: Instant) -> usize {
        let Some(room_id) = self.rooms.id(bounce.room) else { return 0 };
        let read = |message| Revision::read(message, bounce.room, bounce.sender);
        if let Some(revision) = bounce.message.and_then(read) {
            self.revise_bounced(room_id, &bounce, revision, now);
            return 0;
        }
        let Some(room) = self.rooms.get_mut(room_id) else { return 0 };
        if let Some(user) = self.registrations.id(bounce.user) {
            room.set_consent(user, true);
        }
        let message = bounce.message.map(|message| Message::read(message, bounce.room));
        let message = message.as_ref();
        let devices = messages::bounce_recipients(&bounce, message, room, &self.registrations, &self.options);
        if devices.is_empty() {
            return 0;
        }
        let ids = bounce.message.map(|message| MessageIds::read(message, bounce.room, bounce.sender));
        let identity = self.digests.bounced_identity(ids.unwrap_or_default(), bounce.sent.unwrap_or(now));
        let digest = self.digests.digest(message, bounce.keep_original, room, identity, &self.options);
        let Some(digest) = self.rooms.revised(room_id, digest) else { return 0 };
        let (digest, key) = (Arc::new(digest), MessageKey::new(bounce.message_key));
        let mut added = 0;
        for (id, is_mention) in devices {
            let notification = Notification::of(&digest, is_mention);
            let is_new = self.devices.update(id, |device| device.add_bounced(room_id, notification, key));
            added += usize::from(is_new == Some(true));
        }
        if let (Some(room), Some(user)) = (self.rooms.get_mut(room_id), self.registrations.id(bounce.user)) {
            room.note_bounced(user);
        }
        added
    }

    /// Another module wants every device of a user to be pushed to, without a message. Returns how many there are.
    pub fn handle_ping(&mut self, user: &str) -> usize {
        let Some(user) = self.registrations.id(user) else { return 0 };
        let devices = self.registrations.devices_of(user);
        for &id in &devices {
            self.devices.update(id, |device| device.ping());
        }
        devices.len()
    }

    /// An IQ result with this `id` came from this JID. Returns whether it answers a publish that was sent there.
    pub fn handle_result(&mut self, id: &str, from: &str, now: Instant) -> bool {
        self.handle_answer(id, from, Outcome::Delivered, now)
    }

    /// An IQ error with this `id` came from this JID, with a `type` and a defined condition. Returns whether it answers a
    /// publish that was sent there.
    pub fn handle_error(
        &mut self,
        id: &str,
        from: &str,
        error_type: Option<&str>,
        condition: Option<&str>,
        now: Instant,
    ) -> bool {
        self.handle_answer(id, from, Outcome::of_error(error_type, condition), now)
    }

    /// A push that was polled could not be sent, as when an app server in the same process fails: it is tried again later.
    pub fn handle_send_failure(&mut self, id: &str, now: Instant) {
        if let Ok(id) = id.parse() {
            self.handle_outcome(id, Outcome::Silent, now);
        }
    }

    /// A push that was polled is not sent, as it has become pointless. What it was about still counts as unread.
    pub fn withdraw(&mut self, id: &str) {
        if let Ok(id) = id.parse::<PushId>() {
            self.catch_up_device(id.device());
            self.devices.end_push(id, None, |_, in_flight| self.delivery.take_back(id, in_flight));
        }
    }

    /// A push that was polled is not sent, as another module has stopped it. What it was about does not count as unread.
    pub fn suppress(&mut self, id: &str) {
        if let Ok(id) = id.parse() {
            self.devices.end_push(id, None, |device, in_flight| {
                self.delivery.take_back(id, in_flight);
                device.discount(&in_flight.notifications);
            });
        }
    }

    /// Sees to what is due at `now`: publishes without an answer, retries, and what has not come to all members of a room.
    /// Where much is due it does a part of it, and the next deadline is past.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.spread();
        for (id, reason) in self.delivery.handle_timeout(&mut self.devices, now, &self.options) {
            self.disable(id, reason);
        }
    }

    /// Goes on with what has not come to all members of a room, as far as that is done at once. Returns whether anything is
    /// left: what has not come to a device is in no snapshot.
    pub fn spread(&mut self) -> bool {
        self.go_on_releasing();
        let Engine { rooms, registrations, devices, fan_outs, unasked, options, .. } = self;
        fan_outs.step(rooms, &mut Told { registrations, devices, unasked, options });
        self.is_anything_left()
    }

    fn is_anything_left(&self) -> bool {
        !self.fan_outs.is_empty() || self.awaited_rooms.is_releasing()
    }

    /// Takes up what a part of a snapshot holds of the devices that are still registered. What was unread adds to what has
    /// come in since. What waits in a room is not told before that was read: see [`Engine::awaited_rooms`]. Returns how many
    /// entries were passed over, as they make no sense.
    pub fn restore(&mut self, part: &Snapshot, now: Instant) -> usize {
        let Engine { registrations, rooms, awaited_rooms, devices, digests, options, .. } = self;
        part.restore(
            &mut snapshot::Targets { registrations, rooms, awaited_rooms, devices, digests, options },
            now,
        )
    }

    /// A message of a room takes back or corrects an earlier one.
    fn revise(&mut self, id: RoomId, broadcast: &Broadcast<'_>, revision: Revision<'_>, now: Instant) {
        let Broadcast { message, keep_original, .. } = *broadcast;
        let Engine { rooms, registrations, devices, digests, fan_outs, unasked, options, .. } = self;
        let has_to_wait = fan_outs.has_any_of(id);
        let Some(room) = rooms.get_mut(id) else { return };
        let digest = revisions::digest(&revision, message, keep_original, room, now, digests, options);
        let revision = OwnedRevision::from(revision);
        let progress = Progress::begin(room.members_and_nicknames().0, options, has_to_wait);
        let mut fan_out = FanOut::of_revision(Revising::new(revision.clone(), digest.clone()), progress);
        let mut told = Told { registrations, devices, unasked, options };
        fan_out.begin(id, room, has_to_wait, &mut told);
        fan_outs.add(id, fan_out);
        rooms.add_revision(id, revision, digest);
    }

    /// The same of one that bounced. Others than its recipient have got it.
    fn revise_bounced(&mut self, id: RoomId, bounce: &Bounce<'_>, revision: Revision<'_>, now: Instant) {
        let (Some(room), Some(message)) = (self.rooms.get(id), bounce.message) else { return };
        let Some(user) = self.registrations.id(bounce.user) else { return };
        let sent = bounce.sent.unwrap_or(now);
        let digest = revisions::digest(
            &revision,
            message,
            bounce.keep_original,
            room,
            sent,
            &mut self.digests,
            &self.options,
        );
        let mut revising = Revising::new(revision.into(), digest);
        for device in self.registrations.devices_of(user) {
            self.devices.revise(device, id, &mut revising);
        }
    }

    fn handle_answer(&mut self, id: &str, from: &str, outcome: Outcome, now: Instant) -> bool {
        let Ok(id) = id.parse::<PushId>() else { return false };
        let Some(device) = self.devices.get(id.device()) else {
            self.delivery.handle_orphaned(&mut self.devices, (id, from), outcome, now, &self.options);
            return false;
        };
        if device.in_flight(id).is_none() || device.registration().app_server.as_str() != from {
            return false;
        }
        if outcome == Outcome::Delivered {
            self.note_sign_of_life(id.device());
        }
        self.catch_up_device(id.device());
        self.handle_outcome(id, outcome, now);
        true
    }

    /// A device has had a result: where its lease has aged, that has to be stored.
    fn note_sign_of_life(&mut self, id: DeviceId) {
        if self.devices.take_aged(id)
            && let Some((user, registration)) = self.addressee(id)
        {
            let push_identifier = registration.push_identifier().into();
            let answered = Answered { user: user.into(), push_identifier };
            self.events.push_back(Event::DeviceAnswered(answered));
        }
    }

    /// Something is about to change for a user: they are told what they have yet to hear of.
    fn catch_up(&mut self, user: UserId) {
        let Engine { rooms, registrations, devices, fan_outs, unasked, options, .. } = self;
        fan_outs.catch_up(user, rooms, &mut Told { registrations, devices, unasked, options });
    }

    /// The same for the owner of a device.
    fn catch_up_device(&mut self, device: DeviceId) {
        let Engine { rooms, registrations, devices, fan_outs, unasked, options, .. } = self;
        fan_outs.catch_up_device(device, rooms, &mut Told { registrations, devices, unasked, options });
    }

    fn handle_outcome(&mut self, id: PushId, outcome: Outcome, now: Instant) {
        let reason = self.delivery.handle_outcome(&mut self.devices, id, outcome, now, &self.options);
        if let Some(reason) = reason {
            self.disable(id.device(), reason);
        }
    }

    fn disable(&mut self, device: DeviceId, reason: Reason) {
        let removed = self.registrations.remove_device(&mut self.devices, device);
        let Some((user, registration)) = removed else { return };
        let push_identifier = registration.push_identifier().into();
        let app_server = registration.app_server;
        self.events.push_back(Event::DeviceDisabled(Disabled { user, push_identifier, app_server, reason }));
    }
}

/// Decisions.
impl Engine {
    /// The next push, which counts as sent from now on; the caller sends it when it has left the engine. `None` where there
    /// is none at the moment: with very much to look at there may be one a moment later, and then the deadline says so.
    pub fn poll_push(&mut self, now: Instant, scope: Scope) -> Option<Push> {
        let Engine { rooms, registrations, devices, fan_outs, delivery, unasked, options, .. } = self;
        let catch_up = |devices: &mut Devices, device| {
            fan_outs.catch_up_device(device, rooms, &mut Told { registrations, devices, unasked, options });
        };
        delivery.poll_push(devices, catch_up, scope, now, options)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Begins to look at the leases of all devices.
    pub fn begin_lease_check(&mut self) {
        self.lease_check.begin(&self.devices);
    }

    /// Looks at the leases of some devices, and returns those of which there was no sign of life for a while. `None` where all
    /// were looked at. No lease counts from before `since`. From then on, the next result of such a device is an event.
    pub fn next_aged_devices(&mut self, now: UnixTime, since: UnixTime) -> Option<Vec<AgedDevice>> {
        self.lease_check.next(&mut self.devices, &self.registrations, now, since, &self.options)
    }

    /// When [`Engine::handle_timeout`] and [`Engine::poll_push`] are to be called next; `None`: not before something happens.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let deadline = self.devices.next_deadline();
        let is_spreading = deadline != Some(Deadline::PushWaiting) && self.is_anything_left();
        if is_spreading { Some(Deadline::MessageSpreading) } else { deadline }
    }
}

/// What the ids mean, and a look inside.
impl Engine {
    /// Whether a user has a device.
    pub fn is_registered(&self, user: &str) -> bool {
        self.registrations.id(user).is_some()
    }

    /// The bare JID of a device's owner, and its registration.
    pub fn addressee(&self, device: DeviceId) -> Option<(&str, &Registration)> {
        let device = self.devices.get(device)?;
        Some((self.registrations.user(device.owner())?.jid(), device.registration()))
    }

    /// What a push says. `None` where it is too long ago.
    pub fn summary(&self, number: u64) -> Option<&Summary> {
        self.delivery.summary(number)
    }

    /// What other modules want to know of a push that was polled. `None` where it is not wanted any more.
    pub fn push_details(&self, id: &str) -> Option<PushDetails<'_>> {
        let id = id.parse().ok().filter(|id| self.is_in_demand(*id))?;
        delivery::details(&self.devices, id)
    }

    /// Whether a push that was polled still is to be sent: its device may be gone by now, and its user back.
    pub fn is_wanted(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id| self.is_in_demand(id))
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

    /// How much the engine holds.
    pub fn stats(&self) -> Stats {
        Stats::of(&self.registrations, &self.devices, &self.fan_outs, self.next_deadline())
    }

    /// The rooms that have to be read, as something waits there since the last run; in the order of its value.
    pub fn awaited_rooms(&self) -> impl Iterator<Item = &str> {
        self.awaited_rooms.iter().filter_map(|room| Some(&**self.rooms.get(room)?.jid()))
    }

    /// What outlives a clean stop, in the order in which it is to be stored: see [`Engine::next_part`].
    pub fn plan_snapshot(&self) -> SnapshotPlan {
        SnapshotPlan::new(self.snapshot_sources())
    }

    /// The next part of a snapshot, as it is at `now`, of so many devices at most; `None` where nothing is left.
    pub fn next_part(
        &self,
        plan: &mut SnapshotPlan,
        devices: usize,
        detail: Detail,
        now: Instant,
    ) -> Option<Snapshot> {
        plan.next(self.snapshot_sources(), devices, detail, now)
    }

    fn snapshot_sources(&self) -> snapshot::Sources<'_> {
        let Engine { registrations, rooms, devices, options, .. } = self;
        snapshot::Sources { registrations, rooms, devices, options }
    }

    fn is_in_demand(&self, id: PushId) -> bool {
        let in_flight = self.devices.get(id.device()).and_then(|device| device.in_flight(id));
        in_flight.is_some_and(|in_flight| {
            // That a room is gone comes to its members bit by bit.
            in_flight.is_ping
                || in_flight.notifications.rooms().any(|(room, _)| self.rooms.get(room).is_some())
        })
    }
}
