//! Who is reached by a way, and what takes the place of what.

use super::devices::TruthDevice;
use super::promises::InRoom;
use super::truth::{Affiliation, Key, Truth};
use crate::driver::{Forwarding, Way};

/// Whether a way tells of a room whose member has said this.
pub(super) fn tells_of(way: Way, choice: Forwarding) -> bool {
    match way {
        Way::Account => choice != Forwarding::Refused,
        Way::Forward => choice == Forwarding::Asked,
    }
}

impl Truth {
    /// The way that a device stands for, where it does: it has a number in the place of its app server's.
    pub(super) fn way(&self, key: Key) -> Option<Way> {
        match key.1.checked_sub(self.app_servers)? {
            0 => Some(Way::Account),
            _ => Some(Way::Forward),
        }
    }

    /// The device that stands for a way.
    pub(super) fn way_key(&self, user: usize, way: Way) -> Key {
        match way {
            Way::Account => (user, self.app_servers, 0),
            // Each has an address of their own.
            Way::Forward => (user, self.app_servers + 1 + user, 0),
        }
    }

    /// The way by which a user is reached.
    pub(super) fn way_of(&self, user: usize) -> Option<Way> {
        self.devices_of(user).find_map(|(key, _)| self.way(*key))
    }

    /// How many users are reached by a way.
    pub(super) fn count_by(&self, way: Way) -> usize {
        self.devices.keys().filter(|key| self.way(**key) == Some(way)).count()
    }

    /// Whether a user hears of a room at all, as far as that is their own choice.
    pub(super) fn is_told_of(&self, user: usize, room: usize) -> bool {
        self.way_of(user).is_none_or(|way| tells_of(way, self.rooms[room].choices[user]))
    }

    /// The account of a user on this server has devices, or has none.
    pub(super) fn set_account(&mut self, user: usize, has_devices: bool, is_asked_for: bool) {
        let is_new = !self.has_device(user);
        if has_devices {
            self.accounts.insert(user);
        } else {
            self.accounts.remove(&user);
        }
        if has_devices && is_new {
            self.begin_way(user, Way::Account, None);
            let is_early = is_asked_for && !self.is_filled;
            let key = self.way_key(user, Way::Account);
            self.devices.entry(key).and_modify(|device| device.has_begun_early = is_early);
        } else if !has_devices && self.way_of(user) == Some(Way::Account) {
            self.take_device(self.way_key(user, Way::Account));
            self.forget_without_device(user);
        }
    }

    /// The engine hears what a member says of messages being forwarded. is_known: so are the members of the room.
    pub(super) fn choose(&mut self, user: usize, room: usize, is_known: bool) {
        let has_asked = self.rooms[room].choices[user] == Forwarding::Asked;
        if has_asked && is_known && !self.has_device(user) {
            self.begin_way(user, Way::Forward, None);
        }
        if !self.has_device(user) {
            return;
        }
        if has_asked && is_known {
            self.asked.insert((user, room));
        } else {
            self.asked.remove(&(user, room));
        }
        if !self.is_told_of(user, room) {
            self.read(user, room);
        }
    }

    /// Somebody is no member any more.
    pub(super) fn leave(&mut self, user: usize, room: usize) {
        self.rooms[room].affiliations[user] = Affiliation::None;
        self.rooms[room].choices[user] = Forwarding::Unset;
        self.asked.remove(&(user, room));
        self.read(user, room);
    }

    /// The way by which a user is reached where nothing is registered.
    pub(super) fn next_way(&self, user: usize) -> Option<Way> {
        let has_asked = self.asked.iter().any(|(other, _)| *other == user);
        let forward = has_asked.then_some(Way::Forward);
        if self.accounts.contains(&user) { Some(Way::Account) } else { forward }
    }

    /// A user has nothing registered any more: a way takes the place of that, if there is one.
    pub(super) fn end_registered(&mut self, user: usize) {
        let Some(order) = self.order.remove(&user) else { return };
        let first = order.first().and_then(|key| self.devices.get(key)).cloned();
        let way = self.next_way(user);
        order.iter().for_each(|key| self.take_device(*key));
        if let Some(way) = way {
            self.begin_way(user, way, first.as_ref());
        }
        self.forget_without_device(user);
    }

    /// A way takes the place of a device, or of none.
    fn begin_way(&mut self, user: usize, way: Way, before: Option<&TruthDevice>) {
        let key = self.way_key(user, way);
        let mut device = self.begun(key);
        if self.is_filled {
            device.parts().for_each(|part| part.read(true));
        }
        before.into_iter().for_each(|before| self.inherit(&mut device, before));
        self.devices.insert(key, device);
        self.read_untold(user);
    }

    /// What a user does not hear of by the way that is left is not unread.
    fn read_untold(&mut self, user: usize) {
        for room in 0..self.rooms.len() {
            // Of a room that was not read since the start it is not known what they have said.
            if self.rooms[room].is_known && !self.is_told_of(user, room) {
                self.read(user, room);
            }
        }
    }

    /// The engine is a new one: which ways there are it has to be told, or finds in the store.
    pub(super) fn forget_ways(&mut self) {
        let ways: Vec<Key> = self.devices.keys().copied().filter(|key| self.way(*key).is_some()).collect();
        for key in ways {
            let device = self.devices.remove(&key);
            self.graves.extend(device.map(|device| (key, device)));
        }
        self.rooms.iter_mut().for_each(|room| room.is_known = false);
        self.accounts.clear();
        self.asked.clear();
    }

    /// All that the last run has left is taken up. What it said of what is there no more need not be in what is stored next.
    pub(super) fn lose_graves(&mut self) {
        self.graves.values_mut().flat_map(TruthDevice::parts).for_each(InRoom::lose);
    }

    /// The engine has found in the store that messages are forwarded to a user.
    pub(super) fn find_forward(&mut self, user: usize) {
        let key = self.way_key(user, Way::Forward);
        let device = self.begun(key);
        self.devices.insert(key, device);
    }

    /// Whether nothing is left of what a user is forwarded messages for, as far as the engine was told.
    pub(super) fn is_idle_forward(&self, user: usize) -> bool {
        let has_asked = self.asked.iter().any(|(other, _)| *other == user);
        self.way_of(user) == Some(Way::Forward)
            && !has_asked
            && self.devices_of(user).all(|(_, device)| device.count() == 0)
    }
}
