//! What is known to be true: who is where, what they have not read, what they were told, and what of it is in the store.

use std::collections::{BTreeMap, BTreeSet};

use super::blocking::Blocked;
use super::devices::{Flight, PushScope, TruthDevice};
use super::promises::InRoom;
use super::settings::Settings;
use crate::driver::{Forwarding, Publish};

/// A device: its user, its app server and its node, all of them numbers. For a way see [`Truth::way`].
pub(super) type Key = (usize, usize, usize);

/// What a user is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affiliation {
    None,
    /// Made a member by somebody else, and not seen since.
    WithoutConsent,
    Member,
}

/// A room as it is, whether or not the engine knows.
#[derive(Debug)]
pub(super) struct TruthRoom {
    pub(super) affiliations: Vec<Affiliation>,
    /// What members have said of messages being forwarded, and of their accounts being told.
    pub(super) choices: Vec<Forwarding>,
    /// Users and nicknames.
    pub(super) occupants: BTreeSet<(usize, usize)>,
    /// Whether its members were read since the start.
    pub(super) is_known: bool,
    /// Whether every message is wanted there, or only those that mention the member.
    pub(super) is_private: bool,
}

impl TruthRoom {
    pub(super) fn is_present(&self, user: usize) -> bool {
        self.occupants.range((user, 0)..=(user, usize::MAX)).next().is_some()
    }
}

/// A message that somebody sends.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) number: u32,
    pub(super) room: usize,
    pub(super) sender: Option<usize>,
    pub(super) mentions: Option<usize>,
    pub(super) at: f64,
}

/// How many pushes a user gets from rooms whose membership they have not consented to: in a day, and how long after one of
/// the same room.
const WITHOUT_CONSENT: (usize, f64, f64) = (3, 86400.0, 3600.0);

/// All that is true.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) rooms: Vec<TruthRoom>,
    pub(super) devices: BTreeMap<Key, TruthDevice>,
    /// What the store may still say of devices that are gone.
    pub(super) graves: BTreeMap<Key, TruthDevice>,
    /// The registered devices of each user, in the order of the record.
    pub(super) order: BTreeMap<usize, Vec<Key>>,
    /// The number of app servers: what comes after them stands for ways.
    pub(super) app_servers: usize,
    /// Users whose accounts have devices, as far as the engine was told.
    pub(super) accounts: BTreeSet<usize>,
    /// Users and rooms where they have asked for messages to be forwarded, as far as the engine was told.
    pub(super) asked: BTreeSet<(usize, usize)>,
    /// What each user has blocked.
    pub(super) blocked: Vec<BTreeSet<Blocked>>,
    pub(super) suspended: BTreeSet<usize>,
    /// The devices whose lease has aged, as far as somebody has looked.
    pub(super) aged: BTreeSet<Key>,
    /// Whether the engine has taken up all that the last run has left. Until then it does not know what is unread, so who
    /// looks into a room may hear of what was there.
    pub(super) is_filled: bool,
    /// Whether what is new waits until it is in the store.
    pub(super) is_strict: bool,
    /// Whether what happens in a room comes to its members bit by bit. Then it is not known here how far it has come.
    pub(super) is_bit_by_bit: bool,
    /// Whether what waits for too long is not told any more. It is not known here what that is.
    pub(super) has_time_to_live: bool,
    /// Of users, when they got a push of which room without having consented.
    without_consent: BTreeMap<usize, Vec<(usize, f64)>>,
}

impl Truth {
    pub(super) fn new(rooms: Vec<TruthRoom>, settings: &Settings) -> Self {
        Truth {
            rooms,
            order: BTreeMap::new(),
            app_servers: settings.app_servers,
            accounts: BTreeSet::new(),
            asked: BTreeSet::new(),
            blocked: vec![BTreeSet::new(); settings.users],
            is_strict: false,
            is_bit_by_bit: settings.is_bit_by_bit(),
            has_time_to_live: settings.options.time_to_live.is_finite(),
            devices: BTreeMap::new(),
            graves: BTreeMap::new(),
            suspended: BTreeSet::new(),
            aged: BTreeSet::new(),
            is_filled: true,
            without_consent: BTreeMap::new(),
        }
    }

    pub(super) fn has_device(&self, user: usize) -> bool {
        self.devices.range((user, 0, 0)..).next().is_some_and(|((owner, ..), _)| *owner == user)
    }

    /// A user has registered these devices.
    pub(super) fn set_devices(&mut self, user: usize, keys: &[Key], is_asked_for: bool) {
        if keys.is_empty() {
            return self.end_registered(user);
        }
        let gone: Vec<Key> =
            self.devices_of(user).map(|(key, _)| *key).filter(|key| !keys.contains(key)).collect();
        let by_way = gone.iter().find(|key| self.way(**key).is_some()).map(|key| self.devices[key].clone());
        gone.into_iter().for_each(|key| self.take_device(key));
        for key in keys {
            if !self.devices.contains_key(key) {
                let mut device = self.begun(*key);
                device.has_begun_early = is_asked_for && !self.is_filled;
                by_way.iter().for_each(|other| self.inherit(&mut device, other));
                self.devices.insert(*key, device);
            }
        }
        self.order.insert(user, keys.to_vec());
    }

    /// A device takes the place of another one.
    pub(super) fn inherit(&self, device: &mut TruthDevice, other: &TruthDevice) {
        device.inherit(other);
        if self.is_strict && !self.is_bit_by_bit {
            device.hold(self.has_time_to_live);
        }
    }

    /// A device that begins.
    pub(super) fn begun(&mut self, key: Key) -> TruthDevice {
        let fresh = || TruthDevice::new(self.rooms.len());
        let mut device = self.graves.remove(&key).unwrap_or_else(fresh);
        // The store may still speak of an earlier registration, and what was not read then is not read now.
        device.parts().for_each(InRoom::forget);
        device
    }

    /// A device is registered no more. Of what the store says of it nothing is true.
    pub(super) fn remove_device(&mut self, key: Key) {
        let is_last = self.order.get(&key.0).is_some_and(|order| **order == [key]);
        if is_last {
            return self.end_registered(key.0);
        }
        self.order.entry(key.0).or_default().retain(|other| *other != key);
        self.take_device(key);
        self.forget_without_device(key.0);
    }

    pub(super) fn take_device(&mut self, key: Key) {
        let Some(mut device) = self.devices.remove(&key) else { return };
        self.aged.remove(&key);
        device.stop();
        device.parts().for_each(|part| part.read(true));
        self.graves.insert(key, device);
    }

    /// What is known of a user goes with the last device.
    pub(super) fn forget_without_device(&mut self, user: usize) {
        if !self.has_device(user) {
            self.order.remove(&user);
            self.accounts.remove(&user);
            self.asked.retain(|(other, _)| *other != user);
            self.suspended.remove(&user);
            self.without_consent.remove(&user);
        }
    }

    pub(super) fn devices_of(&self, user: usize) -> impl Iterator<Item = (&Key, &TruthDevice)> {
        self.devices.range((user, 0, 0)..(user + 1, 0, 0))
    }

    fn devices_of_mut(&mut self, user: usize) -> impl Iterator<Item = (&Key, &mut TruthDevice)> {
        self.devices.range_mut((user, 0, 0)..(user + 1, 0, 0))
    }

    /// A user is seen in a room, or has no business there any more.
    pub(super) fn read(&mut self, user: usize, room: usize) {
        let is_known = self.is_filled;
        self.devices_of_mut(user).for_each(|(_, device)| device.rooms[room].read(is_known));
    }

    /// A user is seen in a room.
    pub(super) fn seen(&mut self, user: usize, room: usize) {
        let affiliation = &mut self.rooms[room].affiliations[user];
        if *affiliation == Affiliation::WithoutConsent {
            *affiliation = Affiliation::Member;
        }
        self.read(user, room);
    }

    /// Whom a message concerns hears of it, unless they were present. Returns how many devices that are.
    pub(super) fn hear(&mut self, said: &Said, present: &[usize]) -> usize {
        let mut devices = 0;
        for user in 0..self.rooms[said.room].affiliations.len() {
            // Who was there has used up nothing of what they may get without consent.
            if self.has_device(user) && !present.contains(&user) && self.concerns(said, user) {
                let has_to_be_stored = self.is_strict && !self.is_bit_by_bit;
                for (_, device) in self.devices_of_mut(user) {
                    device.rooms[said.room].hear(said.number, has_to_be_stored);
                    devices += 1;
                }
            }
        }
        devices
    }

    /// How many devices of a user have not heard of a message that comes back.
    pub(super) fn count_without(&self, user: usize, said: &Said) -> usize {
        let devices = self.devices_of(user);
        devices.filter(|(_, device)| !device.rooms[said.room].has_come_back(said.number)).count()
    }

    /// A message comes back, and counts as one that has this number for those that have not heard of it.
    pub(super) fn hear_again(&mut self, user: usize, said: &Said, number: u32) {
        let has_to_be_stored = self.is_strict;
        let rooms = self.devices_of_mut(user).map(|(_, device)| &mut device.rooms[said.room]);
        for room in rooms.filter(|room| !room.has_come_back(said.number)) {
            room.hear(number, has_to_be_stored);
            room.come_back(said.number, number);
        }
    }

    fn concerns(&mut self, said: &Said, user: usize) -> bool {
        if !self.is_told_of(user, said.room) || self.is_blocked(user, said) {
            return false;
        }
        let room = &self.rooms[said.room];
        let is_mention = said.mentions == Some(user);
        let is_absent = !room.is_present(user) && said.sender != Some(user);
        match room.affiliations[user] {
            Affiliation::None => false,
            Affiliation::Member => is_absent && (room.is_private || is_mention),
            Affiliation::WithoutConsent => is_absent && is_mention && self.permit(user, said.room, said.at),
        }
    }

    fn permit(&mut self, user: usize, room: usize, now: f64) -> bool {
        let (most, lately, of_room) = WITHOUT_CONSENT;
        let pushes = self.without_consent.entry(user).or_default();
        pushes.retain(|(_, at)| now - *at < lately);
        let had_one = pushes.iter().any(|(of, at)| *of == room && now - *at < of_room);
        let is_permitted = !had_one && pushes.len() < most;
        if is_permitted {
            pushes.push((room, now));
        }
        is_permitted
    }

    /// Another module wants a push to all devices that a user has registered.
    pub(super) fn ping(&mut self, user: usize) {
        let app_servers = self.app_servers;
        let registered = self.devices_of_mut(user).filter(|(key, _)| key.1 < app_servers);
        registered.for_each(|(_, device)| device.ping.ask());
    }

    /// A room is gone.
    pub(super) fn destroy(&mut self, room: usize) {
        let truth = &mut self.rooms[room];
        truth.affiliations.fill(Affiliation::None);
        truth.occupants.clear();
        truth.choices.fill(Forwarding::Unset);
        self.asked.retain(|(_, other)| *other != room);
        // One that gets its name later is another one.
        let pushes = self.without_consent.values_mut().flatten();
        pushes.filter(|(of, _)| *of == room).for_each(|(of, _)| *of = usize::MAX);
        let is_known = self.is_filled;
        self.devices.values_mut().for_each(|device| device.rooms[room].read(is_known));
    }

    /// A push leaves, which tells of this message if of any. Panics where it must not.
    pub(super) fn push(
        &mut self,
        key: Key,
        push: &Publish,
        (scope, told): (PushScope, Option<u32>),
        at: f64,
        (reply_timeout, way_interval): (f64, f64),
    ) {
        assert!(!self.suspended.contains(&key.0), "nothing is pushed while an account is disabled: {key:?}");
        let is_bit_by_bit = self.is_bit_by_bit;
        let is_by_way = self.way(key).is_some();
        let device = self.devices.get_mut(&key).expect("only devices that are registered get a push");
        if let Some(flight) = &device.flight {
            assert!(flight.since + reply_timeout <= at, "one publish in flight a device: {key:?}");
            device.fail_flight();
        }
        let is_about_any = device.is_pending() || is_bit_by_bit && device.count() > 0;
        assert!(is_about_any, "a push to {key:?} is about nothing: {push:?}");
        if let Some(number) = told {
            let knows = |room: &InRoom| (room.pending > 0 || is_bit_by_bit) && room.has_heard(number);
            assert!(device.rooms.iter().any(knows), "{key:?} is to hear of {number}: {device:#?}");
        }
        device.flight = Some(Flight { id: push.id.clone(), since: at });
        if is_by_way {
            device.pace(at, way_interval, key);
        }
        device.fly(push.count(), scope, told);
    }

    /// A push is about to leave for a device, about everything or one room. Panics where the store does not know that, or does not
    /// know of the newest message for all others that it has come to.
    pub(super) fn assert_stored(&self, key: Key, scope: PushScope) {
        if self.is_bit_by_bit || !self.is_filled || !self.is_strict {
            return;
        }
        let device = &self.devices[&key];
        for (number, of_room) in device.rooms.iter().enumerate() {
            let is_about = match scope {
                PushScope::All { .. } => true,
                PushScope::One(room) => room == number,
                PushScope::None => false,
            };
            if of_room.pending <= of_room.unstored || !is_about {
                continue;
            }
            assert!(of_room.is_pending_stored(), "what is pushed to {key:?} is in the store: {device:#?}");
            let newest = of_room.newest_stored();
            for (other, device) in &self.devices {
                let is_stored = device.rooms[number].is_stored(newest);
                assert!(
                    is_stored,
                    "{newest} is pushed to {key:?}, and not stored for {other:?}: {device:#?}"
                );
            }
        }
    }

    /// Whose publish this is.
    pub(super) fn flying(&self, id: &str) -> Option<Key> {
        let is_it = |device: &TruthDevice| device.flight.as_ref().is_some_and(|flight| flight.id == id);
        self.devices.iter().find(|(_, device)| is_it(device)).map(|(key, _)| *key)
    }

    /// A publish has ended. `is_final`: it is not to be repeated.
    pub(super) fn land(&mut self, key: Key, is_final: bool) {
        let Some(device) = self.devices.get_mut(&key) else { return };
        if is_final { device.end_flight() } else { device.fail_flight() }
    }

    /// A publish was stopped by another module: what it was about is not unread.
    pub(super) fn suppress(&mut self, key: Key) {
        let Some(device) = self.devices.get_mut(&key) else { return };
        device.flight = None;
        device.parts().for_each(InRoom::discount);
    }

    /// The server is gone, and with it all sessions and all that was on its way.
    pub(super) fn stop(&mut self) {
        self.rooms.iter_mut().for_each(|room| room.occupants.clear());
        for device in self.devices.values_mut() {
            if device.has_begun_early {
                device.parts().for_each(InRoom::lose_track);
            }
            device.stop();
            // What was true is found in the store, or lost.
            device.parts().for_each(InRoom::forget);
        }
        self.graves.values_mut().for_each(|device| device.is_bequeathed = false);
        self.forget_ways();
        (self.is_filled, self.is_strict) = (false, false);
        self.suspended.clear();
        self.aged.clear();
        self.without_consent.clear();
    }

    /// All that is true of devices.
    pub(super) fn device_parts(&mut self) -> impl Iterator<Item = &mut InRoom> {
        self.devices.values_mut().flat_map(TruthDevice::parts)
    }

    /// All that is true, of devices that are gone too, as far as it matters what the store says.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = &mut InRoom> {
        self.devices.values_mut().chain(self.graves.values_mut()).flat_map(TruthDevice::parts)
    }

    /// The store has nothing of what was removed.
    pub(super) fn bury(&mut self) {
        self.graves.clear();
    }
}
