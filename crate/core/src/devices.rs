//! All devices of a service, and the outbox that follows from their states.

mod changes;
mod deadlines;
mod links;
mod publishes;

use crate::device::Device;
use crate::domains::{Domains, Publishers};
use crate::ids::{DeviceId, UserId};
use crate::journal::{Journal, Key};
use crate::outbox::Outbox;
use crate::registration::Registration;
use crate::slots::Slots;

pub use deadlines::Deadline;

/// The devices of a service. Only the methods of this type change a device, and each of them leaves the outbox in step: a
/// device that has something to be pushed, and nothing to wait for, is in the queue; one that waits has a deadline. And each
/// that changes what is unread has the journal take note of it.
#[derive(Debug)]
pub(crate) struct Devices {
    devices: Slots<DeviceId, Device>,
    outbox: Outbox,
    journal: Journal,
    publishers: Publishers,
    /// How many of them stand for those of users whose records cannot be read, and how many wait for an answer.
    stand_ins: usize,
    in_flight: usize,
}

impl Devices {
    /// None; the names of those to come are written into the journal under this key.
    pub(crate) fn new(key: Key) -> Self {
        Devices {
            devices: Slots::default(),
            outbox: Outbox::default(),
            journal: Journal::new(key),
            publishers: Publishers::default(),
            stand_ins: 0,
            in_flight: 0,
        }
    }

    /// What is not in the store yet.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is not in the store yet.
    pub(crate) fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// A device was registered.
    pub(crate) fn insert(&mut self, owner: UserId, registration: Registration) -> DeviceId {
        let domain = self.outbox.domains_mut().enter(&registration.domain());
        self.stand_ins += usize::from(registration.is_stand_in());
        self.devices.insert(Device::new(owner, registration, domain))
    }

    /// What is registered for a device is stored anew. Returns whether its pushes go elsewhere from now on, or with another
    /// form.
    pub(crate) fn set_registration(&mut self, id: DeviceId, registration: Registration) -> bool {
        let Some(device) = self.devices.get_mut(id) else { return false };
        let is_changed = device.set_registration(registration);
        if is_changed {
            let domain = self.outbox.domains_mut().enter(&device.registration().domain());
            self.outbox.dequeue(device);
            self.outbox.end_back_off(device);
            self.outbox.domains_mut().leave(device.domain());
            device.set_domain(domain);
            self.outbox.update(id, device);
        }
        is_changed
    }

    /// What is registered for a device is stored anew, for another address: so it is another device from now on. What is on its
    /// way to the former address still counts there, and nobody waits for the answer, which would not be taken for one.
    pub(crate) fn readdress(&mut self, id: DeviceId, registration: Registration) -> Option<DeviceId> {
        let before = self.remove(id)?;
        let domain = self.outbox.domains_mut().enter(&registration.domain());
        let is_unstored = before.is_unstored();
        let id = self.devices.insert(before.readdressed(registration, domain));
        self.note_all(id, is_unstored);
        self.update(id, |_| ());
        Some(id)
    }

    /// A device takes the place of another one, or is one of those that it stood for: it has yet to hear of all that this one had.
    pub(crate) fn inherit(&mut self, id: DeviceId, other: DeviceId) {
        let Some([device, other]) = self.devices.get_both_mut([id, other]) else { return };
        // What the store says of one that has stood for others is about these; of any other, it is about nobody any more.
        let is_unstored = other.is_unstored() || !other.registration().is_stand_in();
        device.inherit(other);
        self.note_all(id, is_unstored);
        self.update(id, |_| ());
    }

    /// A device is registered no more. What is on its way to it still counts for its app server's domain.
    pub(crate) fn remove(&mut self, id: DeviceId) -> Option<Device> {
        let mut device = self.devices.remove(id)?;
        self.stand_ins -= usize::from(device.registration().is_stand_in());
        self.in_flight -= usize::from(device.delivery().in_flight().is_some());
        self.outbox.remove(&mut device);
        Some(device)
    }

    /// The domains that app servers are at.
    pub(crate) fn domains(&self) -> &Domains {
        self.outbox.domains()
    }

    /// The domains that app servers are at.
    pub(crate) fn domains_mut(&mut self) -> &mut Domains {
        self.outbox.domains_mut()
    }

    /// A device.
    pub(crate) fn get(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(id)
    }

    /// All of them, to be gone through.
    pub(crate) fn slots(&self) -> &Slots<DeviceId, Device> {
        &self.devices
    }

    /// Whether the lease of a device has aged. Nothing that concerns the outbox.
    pub(crate) fn set_aged(&mut self, id: DeviceId, is_aged: bool) {
        if let Some(device) = self.devices.get_mut(id) {
            device.set_aged(is_aged);
        }
    }

    /// Whether the lease of a device has aged, which is so no more.
    pub(crate) fn take_aged(&mut self, id: DeviceId) -> bool {
        self.devices.get_mut(id).is_some_and(Device::take_aged)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.devices.len()
    }

    /// How many of them stand for those of users whose records cannot be read.
    pub(crate) fn stand_ins(&self) -> usize {
        self.stand_ins
    }

    /// How many wait for an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many wait for their turn.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.queued()
    }

    /// Changes a device, and sees to it that the outbox knows what is to be done with it.
    pub(crate) fn update<T>(&mut self, id: DeviceId, change: impl FnOnce(&mut Device) -> T) -> Option<T> {
        let device = self.devices.get_mut(id)?;
        let result = change(device);
        self.outbox.update(id, device);
        Some(result)
    }
}
