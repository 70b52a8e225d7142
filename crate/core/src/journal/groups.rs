//! The recipients of messages, who wait for a batch: nobody of a group is let go before all of it is in the store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::vec;

use crate::device::Gate;
use crate::ids::{DeviceId, RoomId};

use super::Pair;

/// So many are looked through one after the other.
const FEW: usize = 16;

/// Larger groups are not joined: that takes up to a microsecond for each device.
const JOINED: usize = 10_000;

/// The devices that a message, or several of the same room, have come to.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None`: another module wants to push to them.
    room: Option<RoomId>,
    devices: Vec<DeviceId>,
    /// The devices, where another message may come to them. A message comes to each but once.
    known: Option<HashSet<DeviceId>>,
    /// Another message has come to some of them before.
    has_others: bool,
}

impl Group {
    /// That of nobody.
    pub(crate) fn new(room: Option<RoomId>) -> Self {
        Group { room, devices: Vec::new(), known: None, has_others: false }
    }

    /// Whether it is that of nobody.
    pub(crate) fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// One more message comes to some devices.
    pub(crate) fn begin_message(&mut self) {
        self.has_others = !self.devices.is_empty();
    }

    /// The message comes to this device.
    pub(crate) fn add(&mut self, device: DeviceId) -> Gate {
        let is_new = !self.has_others || self.is_new(device);
        if is_new {
            self.devices.push(device);
        }
        Gate::Closed { is_new }
    }

    /// Those of another group of the same room belong to this one. Returns the devices that are in both.
    fn join(&mut self, other: Group) -> Vec<DeviceId> {
        let (new, known): (Vec<_>, Vec<_>) =
            other.devices.into_iter().partition(|device| self.is_new(*device));
        self.devices.extend(new);
        known
    }

    fn is_new(&mut self, device: DeviceId) -> bool {
        if self.devices.len() <= FEW {
            return !self.devices.contains(&device);
        }
        self.known.get_or_insert_with(|| self.devices.iter().copied().collect()).insert(device)
    }
}

/// How far something has come: so many whole groups from the first one on, and so many devices of the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    groups: usize,
    devices: usize,
}

/// Devices that wait no more.
#[derive(Debug)]
struct Released {
    room: Option<RoomId>,
    devices: vec::IntoIter<DeviceId>,
    is_stored: bool,
}

/// All groups that wait.
#[derive(Debug, Default)]
pub(super) struct Groups {
    waiting: VecDeque<Group>,
    /// How many devices of the first one are in the store.
    stored: usize,
    /// The number of the first one, and of those that more messages may come to.
    first: u64,
    open: HashMap<Option<RoomId>, u64>,
    /// The number of the last one of each room that a message has come to bit by bit, and of the first one that no batch has come to.
    last: HashMap<Option<RoomId>, u64>,
    untouched: u64,
    released: VecDeque<Released>,
}

impl Groups {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes out the group of a room that more messages may come to: see [`Groups::put_open`].
    pub(super) fn take_open(&mut self, room: Option<RoomId>) -> Option<Group> {
        let number = *self.open.get(&room)?;
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(std::mem::replace(self.waiting.get_mut(place)?, Group::new(room)))
    }

    /// Puts it back, or a new one.
    pub(super) fn put_open(&mut self, group: Group) {
        if group.is_empty() {
            return;
        }
        let next = self.first + self.waiting.len() as u64;
        let number = *self.open.entry(group.room).or_insert(next);
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(place) => *place = group,
            None => self.waiting.push_back(group),
        }
    }

    /// That of a message that has come to everybody, bit by bit. Where one of the same room waits that no batch has come to, they are one from
    /// now on, so that each device is written once, however many messages there are meanwhile. Returns the devices that are in both, and
    /// have nothing more to wait for than they had.
    pub(super) fn add(&mut self, group: Group) -> Vec<DeviceId> {
        if group.is_empty() {
            return Vec::new();
        }
        let last = self.last.get(&group.room).copied().filter(|number| *number >= self.untouched);
        let place = last.and_then(|number| usize::try_from(number.checked_sub(self.first)?).ok());
        let before = place.and_then(|place| self.waiting.get_mut(place));
        match before.filter(|before| before.devices.len().max(group.devices.len()) <= JOINED) {
            Some(before) => before.join(group),
            None => {
                self.last.insert(group.room, self.first + self.waiting.len() as u64);
                self.waiting.push_back(group);
                Vec::new()
            }
        }
    }

    /// A batch is begun: no more messages come to those that wait by now.
    pub(super) fn begin(&mut self) -> Position {
        self.open.clear();
        Position { groups: 0, devices: self.stored }
    }

    /// A batch has come to this position.
    pub(super) fn set_reached(&mut self, position: Position) {
        self.untouched = self.first + position.groups as u64 + u64::from(position.devices > 0);
        self.last.retain(|_, number| *number >= self.untouched);
    }

    /// The device at a position, which moves on.
    pub(super) fn next(&self, position: &mut Position) -> Option<Pair> {
        loop {
            let group = self.waiting.get(position.groups)?;
            if let Some(device) = group.devices.get(position.devices) {
                position.devices += 1;
                return Some((*device, group.room));
            }
            *position = Position { groups: position.groups + 1, devices: 0 };
        }
    }

    /// Whether anybody waits after a position.
    pub(super) fn is_left_after(&self, position: Position) -> bool {
        let mut position = position;
        self.next(&mut position).is_some()
    }

    /// All up to a position is in the store.
    pub(super) fn stored(&mut self, mut position: Position) {
        let rest = self.waiting.get(position.groups);
        if rest.is_some_and(|group| position.devices == group.devices.len()) {
            position = Position { groups: position.groups + 1, devices: 0 };
        }
        for Group { room, devices, .. } in self.waiting.drain(..position.groups.min(self.waiting.len())) {
            self.released.push_back(Released { room, devices: devices.into_iter(), is_stored: true });
        }
        self.first += position.groups as u64;
        self.stored = position.devices;
    }

    /// Nobody waits any more, though nothing is stored.
    pub(super) fn give_up(&mut self) {
        self.open.clear();
        self.last.clear();
        self.first += self.waiting.len() as u64;
        self.stored = 0;
        std::mem::take(&mut self.waiting).into_iter().for_each(|group| self.give_up_group(group));
    }

    /// The same of a group that did not wait yet.
    pub(super) fn give_up_group(&mut self, Group { room, devices, .. }: Group) {
        if !devices.is_empty() {
            self.released.push_back(Released { room, devices: devices.into_iter(), is_stored: false });
        }
    }

    /// The next of those who wait no more, so many at most, and whether that is stored which they have waited for.
    pub(super) fn next_released(&mut self, at_most: usize) -> (Vec<Pair>, bool) {
        let Some(first) = self.released.front_mut() else { return (Vec::new(), true) };
        let (room, is_stored) = (first.room, first.is_stored);
        let pairs = first.devices.by_ref().take(at_most).map(|device| (device, room)).collect();
        if first.devices.len() == 0 {
            self.released.pop_front();
        }
        (pairs, is_stored)
    }

    /// How many devices there are of which it is not stored what they have waited for, or wait for: after a position, which a batch
    /// has come to that is being written, or of all.
    pub(super) fn unstored_after(&self, position: Option<Position>) -> usize {
        let position = position.unwrap_or(Position { groups: 0, devices: self.stored });
        let waiting = self.waiting.iter().skip(position.groups).map(|group| group.devices.len());
        let given_up = self.released.iter().filter(|released| !released.is_stored);
        waiting.sum::<usize>().saturating_sub(position.devices)
            + given_up.map(|released| released.devices.len()).sum::<usize>()
    }

    /// Whether anybody has yet to be let go.
    pub(super) fn is_releasing(&self) -> bool {
        !self.released.is_empty()
    }
}
