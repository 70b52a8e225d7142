//! In which order a snapshot is handed out, and how much of it at once.

use crate::device::Device;
use crate::devices::Devices;
use crate::ids::DeviceId;
use crate::slots::Walk;
use crate::time::Instant;

use super::devices::DeviceState;
use super::messages::Messages;
use super::nicknames::{self, MAX_NICKNAMES};
use super::{Snapshot, Sources, domains};

/// How large a part may become, in bytes as they are estimated here, before the next one begins: so much is made, written and read in a few
/// milliseconds, in however many rooms its devices have missed something.
pub(super) const MAX_SIZE: usize = 1 << 18;

/// How much is told of what is still to be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All that is known of it.
    Words,
    /// How many messages there are, and whether they mention the owner.
    Counts,
}

/// What of a snapshot was not handed out yet: devices with a mention to be pushed, those with anything else to be pushed, those
/// where something is unread or has failed; and the rooms whose nicknames are known.
///
/// Nothing is listed before it was looked at. A device that is registered meanwhile may be passed over: of what it hears from
/// then on, and of what it takes over from others, the journal takes note.
#[derive(Debug)]
pub struct SnapshotPlan {
    /// The devices that have yet to be looked at.
    devices: Walk,
    /// Those that were, by the value of their state, the most valuable first. Of each kind the last one comes first.
    by_value: [Vec<DeviceId>; 3],
    /// The rooms that have yet to be looked at.
    rooms: Walk,
    /// How many nicknames there may still be.
    nicknames: usize,
    /// Whether what is known of the domains of app servers was not handed out yet: it is in the first part.
    has_domains: bool,
}

impl SnapshotPlan {
    pub(in crate::engine) fn new(sources: Sources<'_>) -> Self {
        SnapshotPlan { devices: sources.devices.slots().walk(), ..Self::without_devices(sources) }
    }

    /// Looks at some more devices. Returns whether that is done.
    pub(in crate::engine) fn go_on(&mut self, sources: Sources<'_>) -> bool {
        for (id, device) in
            sources.devices.slots().step(&mut self.devices, sources.options.devices_at_once.max(1))
        {
            if let Some(rank) = rank(device) {
                self.by_value[rank as usize].push(id);
            }
        }
        self.devices.is_over()
    }

    /// All but the devices.
    pub(in crate::engine) fn without_devices(sources: Sources<'_>) -> Self {
        SnapshotPlan {
            devices: Walk::default(),
            by_value: Default::default(),
            rooms: sources.rooms.slots().walk(),
            nicknames: MAX_NICKNAMES,
            has_domains: true,
        }
    }

    /// How many devices are left.
    pub fn devices_left(&self) -> usize {
        self.by_value.iter().map(Vec::len).sum()
    }

    /// The next part, of so many devices at most; `None` where nothing is left.
    pub(in crate::engine) fn next(
        &mut self,
        sources: Sources<'_>,
        at_most: usize,
        detail: Detail,
        now: Instant,
    ) -> Option<Snapshot> {
        while !self.devices.is_over() {
            self.go_on(sources);
        }
        let domains = match std::mem::take(&mut self.has_domains) {
            true => domains::take(sources.devices, now),
            false => Vec::new(),
        };
        if self.devices_left() == 0 && self.rooms.is_over() && domains.is_empty() {
            return None;
        }
        let mut messages = Messages::default();
        let chosen = self.choose(sources.devices, at_most, detail, &mut messages);
        messages.sort();
        let state = |device| DeviceState::of(device, sources, &messages, now);
        let devices = chosen.into_iter().filter_map(state).collect();
        let nicknames = match self.devices_left() == 0 {
            true => nicknames::take(&mut self.rooms, &mut self.nicknames, sources, now),
            false => Vec::new(),
        };
        let journal = sources.devices.journal();
        let key = journal.is_on().then(|| journal.key().to_string());
        let messages = messages.states(sources.options, now);
        Some(Snapshot { devices, messages, nicknames, domains, key, ..Snapshot::default() })
    }

    /// The devices of the next part, and which messages these have yet to hear of.
    fn choose<'a>(
        &mut self,
        devices: &'a Devices,
        at_most: usize,
        detail: Detail,
        messages: &mut Messages,
    ) -> Vec<&'a Device> {
        let (mut chosen, mut size) = (Vec::new(), 0);
        while chosen.len() < at_most && size < MAX_SIZE {
            let Some(id) = self.by_value.iter_mut().find_map(Vec::pop) else { break };
            // Much may happen between two parts.
            let Some(device) = devices.get(id) else { continue };
            size += DeviceState::size(device);
            if detail == Detail::Words {
                size += messages.add(device);
            }
            chosen.push(device);
        }
        chosen
    }
}

/// How valuable the state of a device is.
#[derive(Debug, Clone, Copy)]
enum Rank {
    Mention,
    Pending,
    Unread,
}

fn rank(device: &Device) -> Option<Rank> {
    let (unread, delivery) = (device.unread(), device.delivery());
    let mut notifications = device.notifications().map(|(_, notification)| notification).peekable();
    let is_asked = device.is_pinged() || delivery.in_flight().is_some() || notifications.peek().is_some();
    if notifications.any(|notification| notification.is_mention()) {
        Some(Rank::Mention)
    } else if is_asked {
        Some(Rank::Pending)
    } else {
        let has_state = unread.counts().next().is_some() || delivery.failures().is_some();
        has_state.then_some(Rank::Unread)
    }
}
