//! What outlives a clean stop: what is unread, what is still to be pushed, and failures.
//!
//! Registrations are not in it: they are in the store all the time. It is handed out in parts, so that nobody waits for all
//! of it: each is complete in itself.

mod accounts;
mod devices;
mod domains;
mod found;
mod gathered;
mod messages;
mod nicknames;
mod plan;
mod unread;

pub(super) use accounts::Accounts;
pub use accounts::AccountsState;
pub use devices::{DeviceState, PendingState, UnreadState};
pub use domains::{DomainState, StrangersState};
pub(super) use gathered::Gathered;
pub use messages::{MessageState, StanzaIdsState};
pub use nicknames::NicknameState;
pub use plan::{Detail, SnapshotPlan};
pub(super) use unread::Entries;
pub use unread::UnreadEntry;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::devices::Devices;
use crate::journal::NameHash;
use crate::options::Options;
use crate::time::Instant;

use super::Engine;
use super::awaited_rooms::AwaitedRooms;
use super::digests::Digests;
use super::journal::Index;
use super::registrations::Registrations;
use super::rooms::Rooms;
use messages::{Messages, RestoredMessages};

/// A part of a snapshot: the state of some devices, and what it refers to. Times are ages: seconds before the snapshot was
/// taken.
///
/// The names of the fields are those of the store, see the documentation for operators: they stay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The devices.
    pub devices: Vec<DeviceState>,
    /// The messages that are still to be pushed, in the order in which they came to be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<MessageState>,
    /// The nicknames that members have last used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nicknames: Vec<NicknameState>,
    /// The domains of app servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainState>,
    /// The accounts of this server that the journal says something of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountsState>,
    /// What the journal says is unread. What is gone comes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadEntry>,
    /// What the names of devices are hashed under in [`UnreadEntry::devices`]. A part that has it belongs to a journal: it says in
    /// which state something is, in the place of what earlier parts have said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a snapshot is taken of.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) registrations: &'a Registrations,
    pub(super) rooms: &'a Rooms,
    pub(super) devices: &'a Devices,
    pub(super) options: &'a Options,
}

/// What a snapshot is restored into.
pub(super) struct Targets<'a> {
    pub(super) registrations: &'a Registrations,
    pub(super) rooms: &'a mut Rooms,
    pub(super) awaited_rooms: &'a mut AwaitedRooms,
    pub(super) devices: &'a mut Devices,
    pub(super) digests: &'a mut Digests,
    pub(super) options: &'a Options,
    /// What the journal calls whom; `None`: there is none.
    pub(super) index: Option<&'a Index>,
    pub(super) gathered: &'a mut Gathered,
}

impl Snapshot {
    /// The rooms that are gone.
    pub(super) fn gone_rooms(&self) -> impl Iterator<Item = &str> {
        let gone = self.unread.iter().filter(|entry| entry.gone && !entry.room.is_empty());
        gone.map(|entry| &*entry.room)
    }

    /// The state of one device, if it has any, as a part of a journal. Of very much that is to be pushed, it says how much alone.
    pub(super) fn of_device(device: &Device, sources: Sources<'_>, now: Instant) -> Self {
        let mut messages = Messages::default();
        if DeviceState::size(device) + messages.add(device) > plan::MAX_SIZE {
            messages = Messages::default();
        }
        messages.sort();
        let devices = DeviceState::of(device, sources, &messages, now).into_iter().collect();
        let key = Some(sources.devices.journal().key().to_string());
        Snapshot { devices, messages: messages.states(sources.options, now), key, ..Snapshot::default() }
    }

    /// Takes up what it holds of the devices that are still registered. Returns how many entries were passed over, as they make
    /// no sense.
    pub(super) fn restore(&self, targets: &mut Targets<'_>, now: Instant) -> usize {
        domains::restore(&self.domains, targets.devices, targets.options, now);
        let gone = self.unread.iter().filter(|entry| entry.gone && entry.room.is_empty());
        for name in gone.flat_map(|entry| NameHash::all_of(&entry.devices)).flatten() {
            targets.forget(name);
        }
        let mut messages = RestoredMessages::new(&self.messages, targets.digests, now);
        let (valid, invalid): (Vec<_>, Vec<_>) = self.devices.iter().partition(|device| device.is_valid());
        for device in valid {
            targets.restore_device(device, self.key.is_some(), &mut messages, now);
        }
        let mut lost = invalid.len();
        for entry in self.unread.iter().filter(|entry| !entry.gone) {
            match entry.is_valid() {
                true => lost += targets.replace_all(entry, &mut messages, now),
                false => lost += 1,
            }
        }
        nicknames::restore(&self.nicknames, targets.registrations, targets.rooms, now);
        lost + self.messages.iter().filter(|message| !message.is_valid()).count()
    }
}

/// Whether a number can be an age, in seconds.
fn is_age(seconds: f64) -> bool {
    seconds.is_finite() && seconds >= 0.0
}

/// What is handed out: before a stop, or in the place of all that the journal has held so far.
impl Engine {
    /// What outlives a clean stop, in the order in which it is to be stored: see [`Engine::next_part`]. Where there are many
    /// devices, the order is found out by calls of [`Engine::go_on_with_plan`].
    pub fn plan_snapshot(&self) -> SnapshotPlan {
        SnapshotPlan::new(self.snapshot_sources())
    }

    /// Looks at some more devices for a plan. Returns whether all were looked at; otherwise it is to be called again. The next part
    /// sees to it too, all at once.
    pub fn go_on_with_plan(&self, plan: &mut SnapshotPlan) -> bool {
        plan.go_on(self.snapshot_sources())
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

    pub(super) fn snapshot_sources(&self) -> Sources<'_> {
        let Engine { registrations, rooms, devices, options, .. } = self;
        Sources { registrations, rooms, devices, options }
    }
}
