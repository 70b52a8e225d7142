//! All devices of a service, and the outbox that follows from their states.

use std::hint::black_box;
use std::sync::Arc;

use slotmap::SlotMap;

use crate::device::{Device, Due, InFlight, MessageDigest, MessageKey, Notification, Revising};
use crate::domains::{Domains, Landing};
use crate::ids::{DeviceId, PushId, RoomId, UserId};
use crate::journal::{Group, Journal, Key};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::registration::Registration;
use crate::time::Instant;

/// How many devices are fetched at once: they and what belongs to them fit into any cache.
const FETCHED: usize = 100;

/// How many deadlines are looked at in one go. Most are of devices that go on after a pause, which takes no time.
const DUE_AT_ONCE: usize = 100;

/// When the engine is to be asked again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At once: a push waits to be sent.
    PushWaiting,
    /// At once: something that has happened in a room has not come to all of its members.
    MessageSpreading,
    /// At this time a publish should have been answered.
    AnswerOverdue(Instant),
    /// At this time the back-off of a device, or of an app server domain, ends.
    RetryDue(Instant),
    /// At this time a batch of the journal is to be written.
    BatchDue(Instant),
}

/// The devices of a service. Only the methods of this type change a device, and each of them leaves the outbox in step: a
/// device that has something to be pushed, and nothing to wait for, is in the queue; one that waits has a deadline. And each
/// that changes what is unread has the journal take note of it.
#[derive(Debug)]
pub(crate) struct Devices {
    devices: SlotMap<DeviceId, Device>,
    outbox: Outbox,
    journal: Journal,
}

impl Devices {
    /// None; the names of those to come are written into the journal under this key.
    pub(crate) fn new(key: Key) -> Self {
        Devices { devices: SlotMap::default(), outbox: Outbox::default(), journal: Journal::new(key) }
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
        let domain = self.outbox.domains_mut().enter(registration.app_server.domain());
        self.devices.insert(Device::new(owner, registration, domain))
    }

    /// What is registered for a device is stored anew. Returns whether its pushes go elsewhere from now on, or with another
    /// form.
    pub(crate) fn set_registration(&mut self, id: DeviceId, registration: Registration) -> bool {
        let Some(device) = self.devices.get_mut(id) else { return false };
        let is_changed = device.set_registration(registration);
        if is_changed {
            let domain = self.outbox.domains_mut().enter(device.registration().app_server.domain());
            self.outbox.dequeue(device);
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
        let domain = self.outbox.domains_mut().enter(registration.app_server.domain());
        let is_unstored = before.is_unstored();
        let id = self.devices.insert(before.readdressed(registration, domain));
        self.note_all(id, is_unstored);
        self.update(id, |_| ());
        Some(id)
    }

    /// A device has an id that the journal does not know: all that is unread is written anew. What waited for that still does.
    fn note_all(&mut self, id: DeviceId, is_unstored: bool) {
        let Devices { devices, journal, .. } = self;
        let Some(device) = devices.get_mut(id).filter(|_| journal.is_on()) else { return };
        let is_strict = is_unstored && journal.is_strict();
        let rooms: Vec<RoomId> = device.unread().counts().map(|(room, _)| room).collect();
        for room in rooms {
            if is_strict && device.tells_of(room) {
                device.hold(journal.add((id, Some(room))));
            } else {
                journal.note_changed((id, Some(room)));
            }
        }
        journal.note_changed((id, None));
    }

    /// A device is registered no more. What is on its way to it still counts for its app server's domain.
    pub(crate) fn remove(&mut self, id: DeviceId) -> Option<Device> {
        let mut device = self.devices.remove(id)?;
        self.outbox.remove(id, &mut device);
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

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// All of them, with their ids.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        self.devices.iter()
    }

    /// The ids of all of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = DeviceId> {
        self.devices.keys()
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

    /// How many wait for an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.iter().filter(|device| device.delivery().in_flight().is_some()).count()
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

    /// The owner of a device is in a room again, or has no business there any more; is_awaited() says of which rooms it is not
    /// known yet whether that is so.
    pub(crate) fn mark_read(&mut self, id: DeviceId, room: RoomId, is_awaited: impl Fn(RoomId) -> bool) {
        let was_unread = self.update(id, |device| {
            let was_unread = device.mark_read(room);
            device.end_wait(is_awaited);
            was_unread
        });
        if was_unread == Some(true) {
            self.journal.note_changed((id, Some(room)));
        }
    }

    /// The same where the room is gone, which the journal knows.
    pub(crate) fn drop_room(&mut self, id: DeviceId, room: RoomId) {
        self.update(id, |device| device.mark_read(room));
    }

    /// Another module asks for a push without a message.
    pub(crate) fn ping(&mut self, id: DeviceId) {
        if self.devices.contains_key(id) {
            let gate = self.journal.add((id, None));
            self.update(id, |device| device.ping(gate));
        }
    }

    /// A message bounced that was sent when the owner of a device seemed to be present. Returns whether it is the first time.
    pub(crate) fn add_bounced(
        &mut self,
        id: DeviceId,
        room: RoomId,
        notification: Notification,
        key: MessageKey,
    ) -> bool {
        let Devices { devices, outbox, journal } = self;
        let Some(device) = devices.get_mut(id) else { return false };
        let is_new = device.add_bounced(room, notification, key, || journal.add((id, Some(room))));
        outbox.update(id, device);
        is_new
    }

    /// Lets go of some devices that have waited for the journal. Returns whether any are left.
    pub(crate) fn release(&mut self, at_most: usize) -> bool {
        for (id, room) in self.journal.next_released(at_most) {
            if let Some(device) = self.devices.get_mut(id) {
                device.let_go();
                self.outbox.enqueue(id, device, room);
            }
        }
        self.journal.is_releasing()
    }

    /// Goes through the queue until prepare() finds that there is something to send to a device, and sends it; a device that
    /// it finds nothing for has only changed. At most so many devices are looked at, each after a call of before().
    pub(crate) fn poll<T>(
        &mut self,
        at_most: usize,
        now: Instant,
        options: &Options,
        mut before: impl FnMut(&mut Self, DeviceId),
        mut prepare: impl FnMut(DeviceId, &mut Device) -> Option<(InFlight, T)>,
    ) -> Option<T> {
        for _ in 0..at_most {
            let id = self.outbox.pop_queue(now, options)?;
            before(self, id);
            let Some(device) = self.devices.get_mut(id) else { continue };
            device.dequeue();
            let sent = prepare(id, device).map(|(mut in_flight, result)| {
                in_flight.flight = self.outbox.domains_mut().record_sent(device.domain(), now, options);
                device.send(self.outbox.boxed(in_flight));
                result
            });
            self.outbox.update(id, device);
            if sent.is_some() {
                return sent;
            }
        }
        None
    }

    /// Ends a publish, if it is the one that is on its way to its device, and changes the device accordingly. Without a
    /// landing, it was not sent after all.
    pub(crate) fn end_push<T>(
        &mut self,
        id: PushId,
        landing: Option<&Landing<'_>>,
        change: impl FnOnce(&mut Device, &mut InFlight) -> T,
    ) -> Option<T> {
        let device = self.devices.get_mut(id.device())?;
        let mut in_flight = device.take_in_flight(id)?;
        let before = device.state();
        let result = change(device, &mut in_flight);
        // What is to be pushed again is not in it any more.
        for (room, _) in in_flight.notifications.rooms() {
            self.journal.note_changed((id.device(), Some(room)));
        }
        if in_flight.is_ping || device.state() != before {
            self.journal.note_changed((id.device(), None));
        }
        if let Some(flight) = in_flight.flight {
            self.outbox.domains_mut().record_ended(flight, landing);
        }
        self.outbox.update(id.device(), device);
        in_flight.notifications = Default::default();
        self.outbox.recycle(in_flight);
        Some(result)
    }

    /// Ends a publish to a device that is gone, if it is one that this JID may answer.
    pub(crate) fn end_orphan(&mut self, id: PushId, from: &str, landing: &Landing<'_>) {
        if let Some(orphan) = self.outbox.take_orphan(id, from) {
            self.outbox.domains_mut().record_ended(orphan.flight, Some(landing));
        }
    }

    /// Sees to what is due at `now`, or a part of it: back-offs end, and end() is told of each publish that was not answered in
    /// time, of at most so many. Returns what it says of them.
    pub(crate) fn handle_due<T>(
        &mut self,
        at_most: usize,
        silence: &Landing<'_>,
        mut end: impl FnMut(&mut Device, &mut InFlight) -> T,
    ) -> Vec<(DeviceId, T)> {
        let now = silence.now;
        let mut ended = Vec::new();
        for _ in 0..DUE_AT_ONCE {
            if ended.len() >= at_most {
                break;
            }
            let Some((id, at)) = self.outbox.pop_deadline(now) else { break };
            let Some(device) = self.devices.get_mut(id) else {
                if let Some(orphan) = self.outbox.take_overdue_orphan(id, now) {
                    self.outbox.domains_mut().record_ended(orphan.flight, Some(silence));
                }
                continue;
            };
            if !device.disarm(at) {
                continue;
            }
            match device.delivery().due().filter(|(time, _)| *time <= now) {
                Some((_, Due::Retry)) => device.resume(),
                Some((_, Due::AnswerOverdue(push))) => {
                    let result = self.end_push(push, Some(silence), &mut end);
                    ended.extend(result.map(|result| (id, result)));
                    continue;
                }
                // It was put off meanwhile.
                None => {}
            }
            self.outbox.update(id, device);
        }
        self.outbox.domains_mut().handle_due(now);
        ended
    }

    /// When something is to be done next. What is due may have become pointless by then.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        if self.outbox.domains().is_any_ready() {
            return Some(Deadline::PushWaiting);
        }
        let batch = self.journal.due();
        let other = self.next_other_deadline();
        match batch.filter(|at| other.is_none_or(|(_, other)| *at <= other)) {
            Some(at) => Some(Deadline::BatchDue(at)),
            None => other.map(|(deadline, _)| deadline),
        }
    }

    fn next_other_deadline(&self) -> Option<(Deadline, Instant)> {
        let of_domains = self.outbox.domains().next_deadline();
        let of_devices =
            self.outbox.next_deadline().filter(|(_, at)| of_domains.is_none_or(|other| *at < other));
        let Some((id, at)) = of_devices else { return of_domains.map(|at| (Deadline::RetryDue(at), at)) };
        let due = self.devices.get(id).and_then(|device| device.delivery().due());
        let deadline = match due {
            Some((_, Due::Retry)) => Deadline::RetryDue(at),
            _ => Deadline::AnswerOverdue(at),
        };
        Some((deadline, at))
    }

    /// A message was sent in a room while the owners of these devices were absent; each with whether it mentions the owner.
    /// Nothing of it is pushed before it is stored for all of the group.
    pub(crate) fn add_unread(
        &mut self,
        room: RoomId,
        message: &Arc<MessageDigest>,
        recipients: &[(DeviceId, bool)],
        group: &mut Group,
    ) {
        for some in recipients.chunks(FETCHED) {
            self.fetch(some);
            for &(id, is_mention) in some {
                if let Some(device) = self.devices.get_mut(id) {
                    let gate = self.journal.gate((id, room), group);
                    device.add_unread(room, Notification::of(message, is_mention), gate);
                    // It sets no deadline: a device that waits goes on waiting.
                    self.outbox.enqueue(id, device, Some(room));
                }
            }
        }
    }

    /// A message of a room is taken back or corrected, and this device may have yet to hear of it.
    pub(crate) fn revise(&mut self, id: DeviceId, room: RoomId, revising: &mut Revising) {
        let is_known = self.devices.get(id).is_some_and(|device| device.tells_of(room));
        if is_known && self.update(id, |device| device.revise(room, revising)) == Some(true) {
            self.journal.note_revised((id, Some(room)));
        }
    }

    /// Makes the processor fetch devices that are about to be changed. They are scattered over all of the memory, and
    /// this way it waits for many of them at once, instead of for one after the other.
    fn fetch(&self, recipients: &[(DeviceId, bool)]) {
        let found = || recipients.iter().filter_map(|&(id, _)| self.devices.get(id));
        black_box(found().filter(|device| device.has_pending()).count());
        black_box(found().map(|device| u64::from(device.unread().touch())).sum::<u64>());
    }
}
