//! Whom an entry is about, where a record could not be read when it was written, or cannot be read now.

use smallvec::SmallVec;

use crate::device::Device;
use crate::ids::{DeviceId, UserId};
use crate::journal::{DeviceHash, NameHash};
use crate::registration::{Registration, STAND_IN};

use super::Targets;
use super::devices::DeviceState;

/// What an entry is about.
pub(super) enum Found {
    /// A device: the one of this name. More where they are a user's, and have the same hash.
    Devices(SmallVec<[DeviceId; 2]>),
    /// Its owner's record cannot be read: this stands for it and for the owner's other devices.
    StandIn(DeviceId),
    /// Something that stood for these devices, as their record could not be read.
    Represented(SmallVec<[DeviceId; 2]>),
}

impl Targets<'_> {
    /// What the state of a device is about, and its owner.
    pub(super) fn find_devices(&self, state: &DeviceState) -> Option<(UserId, Found)> {
        let owner = self.registrations.id(&state.user)?;
        let is_it = |device: &Device| device.registration().push_identifier() == state.push_identifier;
        Some((owner, self.find_of(owner, state.push_identifier == STAND_IN, is_it)?))
    }

    /// What a name in the journal is about.
    pub(super) fn find_named(&self, name: NameHash) -> Option<Found> {
        let index = self.index?;
        let owner = index.find(name.user())?;
        let jid = self.registrations.user(owner)?.jid();
        let is_it =
            |device: &Device| index.key().hash(jid, device.registration().push_identifier_pieces()) == name;
        self.find_of(owner, name.device().is_of_stand_in(), is_it)
    }

    /// What a device is called in the journal among those of its user.
    pub(super) fn device_hash(&self, state: &DeviceState) -> DeviceHash {
        let key = self.index.map_or(self.devices.journal().key(), super::Index::key);
        key.hash(&state.user, [&*state.push_identifier]).device()
    }

    fn find_of(&self, owner: UserId, is_stand_in: bool, is_it: impl Fn(&Device) -> bool) -> Option<Found> {
        let devices = self.registrations.user(owner)?.devices();
        let known = || devices.iter().filter_map(|&id| Some((id, self.devices.get(id)?)));
        let is_one = |registration: &Registration| registration.is_stand_in();
        if let Some((id, _)) = known().find(|(_, device)| is_one(device.registration())) {
            return Some(Found::StandIn(id));
        }
        if is_stand_in {
            return Some(Found::Represented(devices.into()));
        }
        let found: SmallVec<_> = known().filter(|(_, device)| is_it(device)).map(|(id, _)| id).collect();
        (!found.is_empty()).then_some(Found::Devices(found))
    }
}
