//! Ways to reach users who have registered no device: which there are, and which one is taken.
//!
//! A way is a device of its user's, the only one, that no app server was registered for. So all that holds for devices holds for it.

use smallvec::{SmallVec, smallvec};

use crate::devices::Devices;
use crate::error::RequestError;
use crate::ids::{DeviceId, UserId};
use crate::options::Options;
use crate::registration::Registration;
use crate::request::EnableFacts;
use crate::way::Way;

use super::registering::{register, remove};
use super::{Registered, Registrations, User};

/// How many users are reached by ways.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WayCounts {
    accounts: usize,
    forwards: usize,
}

impl WayCounts {
    /// How many in all.
    pub(super) fn all(self) -> usize {
        self.accounts + self.forwards
    }

    /// How many by their accounts on this server.
    pub(super) fn accounts(self) -> usize {
        self.accounts
    }

    /// How many by messages that are forwarded.
    pub(super) fn forwards(self) -> usize {
        self.forwards
    }

    /// A user is reached by another way, or none, from now on.
    pub(super) fn change(&mut self, before: Option<Way>, after: Option<Way>) {
        if let Some(count) = before.map(|way| self.of_mut(way)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = after.map(|way| self.of_mut(way)) {
            *count += 1;
        }
    }

    fn of_mut(&mut self, way: Way) -> &mut usize {
        match way {
            Way::Account => &mut self.accounts,
            Way::Forward => &mut self.forwards,
        }
    }
}

impl User {
    /// The way to reach them without a device that was registered, where there is any.
    pub(in crate::engine) fn possible_way(&self) -> Option<Way> {
        let forward = (self.asked > 0).then_some(Way::Forward);
        if self.has_account { Some(Way::Account) } else { forward }
    }
}

impl Registrations {
    /// How many users are reached by their accounts on this server.
    pub(in crate::engine) fn accounts(&self) -> usize {
        self.ways.accounts()
    }

    /// How many users messages are forwarded to.
    pub(in crate::engine) fn forwards(&self) -> usize {
        self.ways.forwards()
    }

    /// Whether anybody is reached by a way.
    pub(in crate::engine) fn has_ways(&self) -> bool {
        self.ways.all() > 0
    }

    /// A user who has registered a device.
    pub(in crate::engine) fn registered(&self, jid: &str) -> Option<UserId> {
        self.id(jid).filter(|id| self.way_of(*id).is_none())
    }

    /// The way by which a user is reached, where they have registered no device.
    pub(super) fn way_of(&self, id: UserId) -> Option<Way> {
        self.user(id).and_then(User::way)
    }

    /// The account of a user on this server has devices, or has none.
    pub(in crate::engine) fn set_account(
        &mut self,
        devices: &mut Devices,
        jid: &str,
        has_devices: bool,
    ) -> Registered {
        if !has_devices && self.id(jid).is_none() {
            return Registered::default();
        }
        let (id, is_new) = self.id_or_insert(jid, true);
        let way = self.way_of(id);
        if let Some(user) = self.users.get_mut(id) {
            user.has_account = has_devices;
        }
        let is_first_device = has_devices && (is_new || way == Some(Way::Forward));
        let heirs = if is_new || way.is_some() { self.choose_way(devices, id) } else { SmallVec::new() };
        Registered { is_first_device, heirs, ..Registered::default() }
    }

    /// Whether messages can be forwarded to one more user.
    pub(in crate::engine) fn admit_forwarding(
        &self,
        jid: &str,
        options: &Options,
    ) -> Result<(), RequestError> {
        let facts = EnableFacts { user: jid, app_server: None, is_local: false, is_member: true };
        self.admit(&facts, false, options)
    }

    /// A user has asked for messages to be forwarded, or had when the last run ended: from now on they are a user, if there is room for
    /// them.
    pub(in crate::engine) fn presume_forwarding(
        &mut self,
        devices: &mut Devices,
        jid: &str,
        options: &Options,
    ) -> Option<UserId> {
        if let Some(id) = self.id(jid) {
            return Some(id);
        }
        self.admit_forwarding(jid, options).ok()?;
        let (id, _) = self.id_or_insert(jid, true);
        self.take_way(devices, id, Way::Forward);
        Some(id)
    }

    /// A user has asked for it in one more room, or in one less.
    pub(in crate::engine) fn note_asked(&mut self, id: UserId, is_asked: bool) {
        let Some(user) = self.users.get_mut(id) else { return };
        user.asked = if is_asked { user.asked.saturating_add(1) } else { user.asked.saturating_sub(1) };
    }

    /// A user to whom messages are forwarded may have asked for it nowhere any more, and have nothing unread.
    pub(in crate::engine) fn end_unasked(&mut self, devices: &mut Devices, id: UserId) {
        let Some(user) = self.user(id).filter(|user| user.way == Some(Way::Forward) && user.asked == 0)
        else {
            return;
        };
        let mut of_user = user.devices.iter().filter_map(|device| devices.get(*device));
        let has_unread = of_user.any(|device| device.unread().counts().next().is_some());
        if !has_unread {
            let jid = user.jid.clone();
            self.remove(devices, &jid);
        }
    }

    /// What a user had registered is gone, or is about to: a way takes its place, if there is one. Returns its device.
    pub(super) fn fall_back(&mut self, devices: &mut Devices, id: UserId) -> Option<DeviceId> {
        let way = self.user(id)?.possible_way()?;
        Some(self.take_way(devices, id, way))
    }

    /// Which ways there are has changed for a user without a registered device.
    fn choose_way(&mut self, devices: &mut Devices, id: UserId) -> SmallVec<[DeviceId; 2]> {
        let Some(user) = self.user(id) else { return SmallVec::new() };
        match (user.possible_way(), user.way) {
            (Some(way), before) if before != Some(way) => smallvec![self.take_way(devices, id, way)],
            (None, Some(Way::Account)) => {
                let jid = user.jid.clone();
                self.remove(devices, &jid);
                SmallVec::new()
            }
            _ => SmallVec::new(),
        }
    }

    /// A way takes the place of the devices of a user, if there are any.
    fn take_way(&mut self, devices: &mut Devices, id: UserId, way: Way) -> DeviceId {
        let jid = self.user(id).map_or_else(|| "".into(), |user| user.jid.clone());
        let before = self.share_of(&jid);
        let is_suspended = self.is_suspended(devices, id);
        let device = register(devices, id, Registration::of_way(way, &jid), is_suspended, false);
        self.replace_devices(devices, id, device, Some(way));
        if let Some(user) = self.users.get(id) {
            self.shares.update(&jid, before, user.share());
        }
        device
    }

    /// A device takes the place of those of a user, with what is unread for the first of them.
    pub(super) fn replace_devices(
        &mut self,
        devices: &mut Devices,
        id: UserId,
        device: DeviceId,
        way: Option<Way>,
    ) {
        let Some(user) = self.users.get_mut(id) else { return };
        self.ways.change(user.way, way);
        user.way = way;
        let before = std::mem::replace(&mut user.devices, smallvec![device]);
        let jid = user.jid.clone();
        if let Some(first) = before.first() {
            devices.inherit(device, *first);
        }
        for other in before {
            remove(devices, &jid, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_is_known_of_ways_fits_into_a_word_that_each_user_has_anyway() {
        assert_eq!(
            size_of::<User>(),
            size_of::<(Arc<str>, SmallVec<[DeviceId; 2]>, Option<Box<()>>, usize)>()
        );
    }
}
