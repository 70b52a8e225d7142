//! The journal: what of the devices' state is not in the store yet, what waits for that, and when it is to be written.
//!
//! It keeps which pairs of a device and a room have changed, and not how: what is written is the state that they are in by
//! then. What messages have added goes by groups: nothing of a group is pushed before all of it is in the store. What has
//! only become less waits for nobody, and nobody for it.

mod groups;
mod key;
mod pace;
mod waiting;

pub(crate) use groups::Group;
pub(crate) use key::{DeviceHash, Key, NameHash, UserHash};

use std::sync::Arc;

use crate::device::Gate;
use crate::ids::{DeviceId, RoomId};
use crate::time::Instant;
use groups::{Groups, Position};
use pace::Pace;
use waiting::Waiting;

/// How long what has only become less may wait to be written, in seconds.
const AT_LEAST_EVERY: f64 = 2.0;

/// How many devices a batch may tell of themselves.
const MAX_STATES: usize = 1000;

/// A device, and the room of which something has changed for it; without a room, the device itself.
pub(crate) type Pair = (DeviceId, Option<RoomId>);

/// What is known of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// There is no journal.
    Off,
    /// What is new waits until it is stored.
    Strict,
    /// The last batch could not be written: nothing waits.
    Lax,
}

/// What is not in the store yet.
#[derive(Debug)]
pub(crate) struct Journal {
    mode: Mode,
    key: Key,
    pace: Pace,
    groups: Groups,
    changed: Waiting<Pair>,
    /// The devices that have changed themselves, which is written when something else is.
    states: Waiting<DeviceId>,
    /// The rooms that are gone, and with them all that was unread there.
    gone_rooms: Waiting<Arc<str>>,
    /// The devices that are gone: should one be registered again, it begins anew.
    gone_devices: Waiting<NameHash>,
    /// When the first of what has only become less did so; as far as is known when that was.
    changed_since: Option<Instant>,
    /// Something of it is to be written soon.
    is_pressing: bool,
    /// Something of it was read.
    is_any_read: bool,
    /// What waits has not fit into the last batch.
    is_rest: bool,
    /// What the batch holds that is being written.
    underway: Option<Underway>,
    /// The latest time that was heard of.
    now: Instant,
}

/// What a batch holds.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    upto: Position,
    changed: Vec<Pair>,
    states: Vec<DeviceId>,
    gone_rooms: Vec<Arc<str>>,
    gone_devices: Vec<NameHash>,
}

impl Underway {
    /// The rooms that are gone.
    pub(crate) fn gone_rooms(&self) -> &[Arc<str>] {
        &self.gone_rooms
    }

    /// The devices that are gone.
    pub(crate) fn gone_devices(&self) -> &[NameHash] {
        &self.gone_devices
    }
}

impl Journal {
    /// One that is off, and writes the names of devices under this key.
    pub(crate) fn new(key: Key) -> Self {
        Journal {
            mode: Mode::Off,
            key,
            pace: Pace::default(),
            groups: Groups::default(),
            changed: Waiting::default(),
            states: Waiting::default(),
            gone_rooms: Waiting::default(),
            gone_devices: Waiting::default(),
            changed_since: None,
            is_pressing: false,
            is_any_read: false,
            is_rest: false,
            underway: None,
            now: Instant::from_seconds(0.0),
        }
    }

    /// Whether there is a journal.
    pub(crate) fn configure(&mut self, is_on: bool) {
        match (is_on, self.mode) {
            (true, Mode::Off) => self.mode = Mode::Strict,
            (true, Mode::Strict | Mode::Lax) => {}
            (false, _) => {
                let mut groups = std::mem::take(&mut self.groups);
                groups.give_up();
                *self = Journal { groups, now: self.now, ..Journal::new(self.key) };
            }
        }
    }

    /// Whether there is a journal.
    pub(crate) fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Whether a batch is being written.
    pub(crate) fn is_writing(&self) -> bool {
        self.underway.is_some()
    }

    /// Whether what is new waits until it is stored.
    pub(crate) fn is_strict(&self) -> bool {
        self.mode == Mode::Strict
    }

    /// What the names of devices are written under.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// What was written before this run was written under this key: it is used on.
    pub(crate) fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// It is `now`.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// The group of those that a message of a room comes to at once: those of the room's last messages are in it that are
    /// not in a batch yet.
    pub(crate) fn take_group(&mut self, room: RoomId) -> Group {
        let mut group = self.groups.take_open(Some(room)).unwrap_or_else(|| Group::new(Some(room)));
        group.begin_message();
        group
    }

    /// A message has come to all that it comes to at once. Others may join them.
    pub(crate) fn put_group(&mut self, group: Group) {
        match self.mode {
            Mode::Strict => self.groups.put_open(group),
            Mode::Lax | Mode::Off => self.groups.give_up_group(group),
        }
    }

    /// A message comes to a device of a group.
    pub(crate) fn gate(&mut self, (device, room): (DeviceId, RoomId), group: &mut Group) -> Gate {
        match self.mode {
            Mode::Strict => group.add(device),
            Mode::Off => Gate::Open,
            Mode::Lax => {
                self.note_changed((device, Some(room)));
                Gate::Open
            }
        }
    }

    /// A message has come to all of these. Returns those that have nothing more to wait for than they had.
    pub(crate) fn add_group(&mut self, group: Group) -> Vec<DeviceId> {
        match self.mode {
            Mode::Strict => return self.groups.add(group),
            // Whoever waits need not any more.
            Mode::Lax | Mode::Off => self.groups.give_up_group(group),
        }
        Vec::new()
    }

    /// One more change by a message: to a device alone, which is pinged, or to what is unread in a room.
    pub(crate) fn add(&mut self, (device, room): Pair) -> Gate {
        match self.mode {
            Mode::Off => Gate::Open,
            Mode::Lax => {
                self.note_changed((device, room));
                Gate::Open
            }
            Mode::Strict => {
                let mut group = self.groups.take_open(room).unwrap_or_else(|| Group::new(room));
                group.begin_message();
                let gate = group.add(device);
                self.groups.put_open(group);
                gate
            }
        }
    }

    /// Something has become less: nobody waits until that is stored.
    pub(crate) fn note_changed(&mut self, (device, room): Pair) {
        if !self.is_on() {
            return;
        }
        if room.is_some() {
            self.changed.push((device, room));
            self.changed_since.get_or_insert(self.now);
        } else {
            self.states.push(device);
        }
    }

    /// The same of something that is not to be found as it was.
    pub(crate) fn note_revised(&mut self, pair: Pair) {
        self.note_changed(pair);
        self.is_pressing = true;
    }

    /// Something was read. Should that be lost in a crash, it would count once more: so it is written at once where that keeps
    /// nothing from being pushed.
    pub(crate) fn note_read(&mut self, pair: Pair) {
        self.note_changed(pair);
        self.is_any_read = true;
    }

    /// A room is gone.
    pub(crate) fn note_room_gone(&mut self, room: Arc<str>) {
        if self.is_on() {
            self.gone_rooms.push(room);
            self.changed_since.get_or_insert(self.now);
        }
    }

    /// A device is gone.
    pub(crate) fn note_device_gone(&mut self, device: NameHash) {
        if self.is_on() {
            self.gone_devices.push(device);
            self.changed_since.get_or_insert(self.now);
        }
    }

    /// The store has nothing under the name of this device that is not so.
    pub(crate) fn forget_device_gone(&mut self, device: &NameHash) {
        self.gone_devices.remove(device);
    }

    /// When a batch is due, and nothing else comes up.
    pub(crate) fn due(&self) -> Option<Instant> {
        if !self.is_on() || self.is_writing() {
            return None;
        }
        if !self.groups.is_empty() || self.is_pressing {
            return Some(self.now.max(self.pace.next(self.is_rest)));
        }
        let at_least = (self.changed_since? + AT_LEAST_EVERY).max(self.pace.next(self.is_rest));
        Some(if self.is_any_read { at_least.min(self.now.max(self.pace.next_spare())) } else { at_least })
    }

    /// Whether there is anything to be written.
    pub(crate) fn is_anything_unstored(&self) -> bool {
        !self.groups.is_empty() || self.changed_since.is_some() || !self.states.is_empty()
    }

    /// How many changes of what is unread or waits have yet to be written, beside those in the batch that is being written.
    pub(crate) fn unstored(&self) -> usize {
        let upto = self.underway.as_ref().map(|batch| batch.upto);
        self.groups.unstored_after(upto)
            + self.changed.len()
            + self.gone_rooms.len()
            + self.gone_devices.len()
    }

    /// A batch is begun.
    pub(crate) fn begin(&mut self, at_most: usize) -> Underway {
        Underway {
            upto: self.groups.begin(),
            changed: Vec::new(),
            states: Vec::new(),
            gone_rooms: self.gone_rooms.take(at_most),
            gone_devices: self.gone_devices.take(at_most),
        }
    }

    /// What comes next into a batch. What was told of a room or a device before it was gone must not come after that.
    pub(crate) fn next(&mut self, batch: &mut Underway) -> Option<Pair> {
        if !self.gone_rooms.is_empty() || !self.gone_devices.is_empty() {
            return None;
        }
        if let Some(pair) = self.groups.next(&mut batch.upto) {
            return Some(pair);
        }
        if let Some(pair) = self.changed.pop() {
            batch.changed.push(pair);
            return Some(pair);
        }
        if batch.states.len() >= MAX_STATES {
            return None;
        }
        let device = self.states.pop()?;
        batch.states.push(device);
        Some((device, None))
    }

    /// A batch is about to be written.
    pub(crate) fn set_underway(&mut self, batch: Underway, now: Instant) {
        self.pace.spend(now, self.is_rest);
        self.groups.set_reached(batch.upto);
        self.is_rest = self.groups.is_left_after(batch.upto);
        self.underway = Some(batch);
        let is_all = self.changed.is_empty() && self.gone_rooms.is_empty() && self.gone_devices.is_empty();
        self.changed_since = self.changed_since.filter(|_| !is_all);
        self.is_pressing &= !is_all;
        self.is_any_read &= !is_all;
    }

    /// A batch is in the store, which took so many seconds.
    pub(crate) fn stored(&mut self, now: Instant, seconds: f64) {
        let Some(batch) = self.underway.take() else { return };
        self.set_now(now);
        self.mode = if self.is_on() { Mode::Strict } else { Mode::Off };
        self.groups.stored(batch.upto);
        self.pace.stored(now, seconds);
    }

    /// A batch could not be stored: what it holds is written with another one, and nothing waits for that.
    pub(crate) fn failed(&mut self, now: Instant) {
        let Some(batch) = self.underway.take() else { return };
        self.set_now(now);
        self.mode = if self.is_on() { Mode::Lax } else { Mode::Off };
        self.groups.give_up();
        self.gone_rooms.put_back(batch.gone_rooms);
        self.gone_devices.put_back(batch.gone_devices);
        self.changed.put_back(batch.changed);
        self.states.put_back(batch.states);
        self.changed_since.get_or_insert(now);
        self.pace.failed(now);
    }

    /// The next devices that wait no more, with the room they have waited for, so many at most.
    pub(crate) fn next_released(&mut self, at_most: usize) -> Vec<Pair> {
        let (released, is_stored) = self.groups.next_released(at_most);
        if !is_stored && self.is_on() {
            released.iter().for_each(|pair| self.note_changed(*pair));
        }
        released
    }

    /// Whether any that wait no more have yet to be let go.
    pub(crate) fn is_releasing(&self) -> bool {
        self.groups.is_releasing()
    }
}
