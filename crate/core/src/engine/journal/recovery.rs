//! How what the last run has left is taken up: the devices that it names have to be found, of which it has hashes.

use std::collections::HashMap;

use crate::device::Device;
use crate::ids::{DeviceId, UserId};
use crate::journal::{Key, NameHash};
use crate::time::Instant;

use crate::engine::Engine;
use crate::engine::snapshot::{Snapshot, SnapshotPlan, Targets};

/// How many devices are looked at in one call.
const LOOKED_AT: usize = 5000;

/// All devices by their names.
#[derive(Debug)]
struct Index {
    key: Key,
    /// Those that have yet to be looked at.
    left: Vec<DeviceId>,
    found: HashMap<NameHash, DeviceId>,
}

/// What is needed at the begin and at the end of a run.
#[derive(Debug, Default)]
pub(in crate::engine) struct Recovery {
    index: Option<Index>,
    /// Whether what the last run has left is taken up: from then on, who is not known is not registered.
    is_over: bool,
    /// What is still to be written before a stop, of what is not about devices.
    rest: Option<SnapshotPlan>,
}

impl Recovery {
    /// What the last run has left is taken up.
    pub(in crate::engine) fn end(&mut self) {
        (self.index, self.is_over) = (None, true);
    }

    /// The device of this name.
    pub(in crate::engine) fn find(&self, name: NameHash) -> Option<DeviceId> {
        self.index.as_ref()?.found.get(&name).copied()
    }

    pub(super) fn take_rest(&mut self) -> Option<SnapshotPlan> {
        self.rest.take()
    }

    pub(super) fn set_rest(&mut self, rest: SnapshotPlan) {
        self.rest = Some(rest);
    }
}

/// What the last run has left.
impl Engine {
    /// Makes ready to take up parts of a snapshot that have this key: see [`Snapshot::key`]. Returns whether that is done; otherwise
    /// it is to be called again.
    pub fn prepare_restore(&mut self, key: &str) -> bool {
        let Ok(key) = key.parse::<Key>() else { return true };
        let mut index = match self.recovery.index.take() {
            Some(index) if index.key == key => index,
            _ => {
                let left: Vec<DeviceId> = self.devices.ids().collect();
                Index { key, found: HashMap::with_capacity(left.len()), left }
            }
        };
        let some = index.left.split_off(index.left.len().saturating_sub(LOOKED_AT));
        let names =
            some.into_iter().filter_map(|id| Some((self.name_under(key, self.devices.get(id)?)?, id)));
        index.found.extend(names);
        let is_done = index.left.is_empty();
        self.recovery.index = Some(index);
        self.devices.journal_mut().set_key(key);
        is_done
    }

    /// Takes up what a part of a snapshot holds of the devices that are still registered. Where it has a key, it stands in the
    /// place of what earlier parts have said; otherwise, what was unread adds to what has come in since. What waits in a room is
    /// not told before that was read: see [`Engine::awaited_rooms`]. Returns how many entries were passed over, as they make no
    /// sense.
    pub fn restore(&mut self, part: &Snapshot, now: Instant) -> usize {
        if let Some(key) = &part.key {
            while !self.prepare_restore(key) {}
        }
        for room in part.gone_rooms() {
            self.drop_room(room);
        }
        let Engine { registrations, rooms, awaited_rooms, devices, digests, options, recovery, .. } = self;
        let mut targets = Targets { registrations, rooms, awaited_rooms, devices, digests, options };
        part.restore(&mut targets, |name| recovery.find(name), now)
    }

    /// A device is registered that was not. The store may still speak of an earlier one of its name, which was removed while it
    /// could not be written down: nothing of that is about this one.
    pub(in crate::engine) fn note_begun(&mut self, device: DeviceId) {
        let device = self.devices.get(device).filter(|_| self.recovery.is_over);
        let name = device.and_then(|device| self.name_under(self.devices.journal().key(), device));
        if let Some(name) = name {
            self.devices.journal_mut().note_device_gone(name);
        }
    }

    /// A user has registered other devices than before.
    pub(in crate::engine) fn note_registered(&mut self, user: UserId) {
        let Some(mut index) = self.recovery.index.take() else { return };
        for id in self.registrations.devices_of(user) {
            let name = self.devices.get(id).and_then(|device| self.name_under(index.key, device));
            index.found.extend(name.map(|name| (name, id)));
        }
        self.recovery.index = Some(index);
    }

    /// What a device is called in the journal.
    pub(super) fn name_under(&self, key: Key, device: &Device) -> Option<NameHash> {
        let user = self.registrations.user(device.owner())?;
        Some(key.hash(user.jid(), device.registration().push_identifier_pieces()))
    }
}
