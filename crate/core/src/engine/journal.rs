//! The journal: what is new is in the store before it is pushed, so that a run that ends without a stop has lost nothing.
//!
//! It is written in batches, which are parts of a snapshot. Each entry says in which state something is, in the place of what
//! earlier ones have said of it: so they can be taken up in their order, whichever of them are there.

mod recovery;

pub(super) use recovery::{Index, Recovery};

use std::collections::HashSet;
use std::hint::black_box;

use crate::device::Device;
use crate::ids::DeviceId;
use crate::journal::{Pair, Underway};
use crate::time::Instant;
use crate::way::Way;

use super::Engine;
use super::fanout::LET_GO_AT_ONCE;
use super::snapshot::{Accounts, DeviceState, Entries, Snapshot, SnapshotPlan, UnreadEntry};

/// How much goes into a batch: about so many bytes, and so many changes, each of which takes one or two microseconds where nothing
/// of the devices is in the processor's cache.
const MAX_SIZE: usize = 1 << 20;
const MAX_CHANGES: usize = 3000;

/// How many devices are fetched at once.
const FETCHED: usize = 100;

/// How many rooms, and how many devices, that are gone.
const MAX_GONE: usize = 1000;

/// A batch as it grows.
#[derive(Default)]
struct Batch {
    entries: Entries,
    devices: Vec<DeviceState>,
    accounts: Accounts,
    /// The devices that stand for these.
    named: HashSet<DeviceId>,
    size: usize,
    changes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.size >= MAX_SIZE || self.changes >= MAX_CHANGES
    }
}

/// What is written while the service runs, and what becomes of it.
impl Engine {
    /// The next batch of the journal, where one is due; [`Engine::batch_stored`] or [`Engine::batch_failed`] says what has become
    /// of it, and there is no other one before. What the last run has left is taken up by now.
    pub fn poll_batch(&mut self, now: Instant) -> Option<Snapshot> {
        self.recovery.end();
        let journal = self.devices.journal_mut();
        journal.set_now(now);
        let is_due = journal.due().is_some_and(|at| at <= now);
        is_due.then(|| self.make_batch(now)).flatten()
    }

    /// Before a stop: the next batch of all that is not in the store, whatever the pace. `None` where nothing is left, or there is
    /// no journal.
    pub fn finish_batch(&mut self, now: Instant) -> Option<Snapshot> {
        self.recovery.end();
        if !self.devices.journal().is_on() || self.devices.journal().is_writing() {
            return None;
        }
        self.fan_outs.give_groups(&mut self.devices);
        while self.devices.release(LET_GO_AT_ONCE) {}
        while self.devices.journal().is_anything_unstored() {
            let batch = self.make_batch(now);
            if batch.is_some() {
                return batch;
            }
        }
        let mut rest = self
            .recovery
            .take_rest()
            .unwrap_or_else(|| SnapshotPlan::without_devices(self.snapshot_sources()));
        let part = rest.next(self.snapshot_sources(), 0, super::Detail::Words, now);
        self.recovery.set_rest(rest);
        part
    }

    /// The batch that was polled is in the store, which took so many seconds: what has waited for that is pushed.
    pub fn batch_stored(&mut self, now: Instant, seconds: f64) {
        self.devices.journal_mut().stored(now, seconds);
        self.devices.release(LET_GO_AT_ONCE);
    }

    /// The batch that was polled could not be stored. It is tried again later, and pushes wait for nothing until then.
    pub fn batch_failed(&mut self, now: Instant) {
        self.devices.journal_mut().failed(now);
        self.devices.release(LET_GO_AT_ONCE);
    }

    /// Makes a batch. `None` where it would be empty, as what has changed is gone.
    fn make_batch(&mut self, now: Instant) -> Option<Snapshot> {
        let mut underway = self.devices.journal_mut().begin(MAX_GONE);
        let mut batch = Batch::default();
        while !batch.is_full() {
            let journal = self.devices.journal_mut();
            let some: Vec<Pair> = std::iter::from_fn(|| journal.next(&mut underway)).take(FETCHED).collect();
            self.fetch(&some);
            some.iter().for_each(|pair| self.add_to(&mut batch, *pair, now));
            if some.len() < FETCHED {
                break;
            }
        }
        let gone = gone(&underway);
        self.devices.journal_mut().set_underway(underway, now);
        let (entries, messages) = batch.entries.finish(self.snapshot_sources(), now);
        if gone.is_empty() && entries.is_empty() && batch.devices.is_empty() {
            self.batch_stored(now, 0.0);
            return None;
        }
        let unread = gone.into_iter().chain(entries).collect();
        let key = Some(self.devices.journal().key().to_string());
        let (devices, accounts) = (batch.devices, batch.accounts.finish());
        Some(Snapshot { key, unread, devices, accounts, messages, ..Snapshot::default() })
    }

    /// Makes the processor fetch devices and their owners, which are scattered over all of the memory: this way it waits for many
    /// of them at once.
    fn fetch(&self, pairs: &[Pair]) {
        let found = || pairs.iter().filter_map(|(id, _)| self.devices.get(*id));
        black_box(found().map(|device| u64::from(device.unread().touch())).sum::<u64>());
        let users = found().filter_map(|device| self.registrations.user(device.owner()));
        black_box(users.map(|user| user.jid().len()).sum::<usize>());
        black_box(
            found()
                .flat_map(|device| device.registration().push_identifier_pieces())
                .map(str::len)
                .sum::<usize>(),
        );
    }

    fn add_to(&self, batch: &mut Batch, (id, room): Pair, now: Instant) {
        batch.changes += 1;
        let Some(device) = self.devices.get(id) else { return };
        match room {
            Some(room) if self.rooms.get(room).is_some() => {
                let Some(name) = self.name_under(self.devices.journal().key(), device) else { return };
                batch.size += batch.entries.add(room, device, name);
                // Of whom no record tells, nobody would be found by the hash alone.
                match device.registration().way() {
                    Some(Way::Forward) => self.add_state(batch, device, now),
                    Some(Way::Account) if batch.named.insert(id) => {
                        let user = self.registrations.user(device.owner());
                        batch.size += user.map_or(0, |user| batch.accounts.add(user.jid()));
                    }
                    _ => {}
                }
            }
            // Which is written of the room, for all devices.
            Some(_) => {}
            None => self.add_state(batch, device, now),
        }
    }

    fn add_state(&self, batch: &mut Batch, device: &Device, now: Instant) {
        batch.devices.push(DeviceState::without_rooms(device, self.snapshot_sources(), now));
        batch.size += 200;
    }
}

/// What is gone comes first: what comes after it may have the same name.
fn gone(underway: &Underway) -> Vec<UnreadEntry> {
    let rooms = underway.gone_rooms().iter().map(|room| UnreadEntry::room_gone(room));
    let devices = underway.gone_devices();
    let devices = (!devices.is_empty()).then(|| UnreadEntry::devices_gone(devices));
    rooms.chain(devices).collect()
}
