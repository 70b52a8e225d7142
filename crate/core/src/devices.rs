//! All devices of a service, and the outbox that follows from their states.

mod changes;

use slotmap::SlotMap;

use crate::app_server::AppServer;
use crate::circuit_breaker::PROBE_TIMEOUT;
use crate::device::{Device, Due, InFlight};
use crate::domains::{Concern, DomainId, Domains, Flight, Landing, Publisher, Publishers, Relation};
use crate::ids::{DeviceId, PushId, UserId};
use crate::journal::{Journal, Key};
use crate::options::Options;
use crate::outbox::Outbox;
use crate::outcome::Outcome;
use crate::registration::Registration;
use crate::time::Instant;

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
    publishers: Publishers,
}

impl Devices {
    /// None; the names of those to come are written into the journal under this key.
    pub(crate) fn new(key: Key) -> Self {
        Devices {
            devices: SlotMap::default(),
            outbox: Outbox::default(),
            journal: Journal::new(key),
            publishers: Publishers::default(),
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

    /// A device is one of those that another one stood for, and has yet to hear of all that this one had.
    pub(crate) fn inherit(&mut self, id: DeviceId, stand_in: DeviceId) {
        let Some([device, stand_in]) = self.devices.get_disjoint_mut([id, stand_in]) else { return };
        let is_unstored = stand_in.is_unstored();
        device.inherit(stand_in);
        self.note_all(id, is_unstored);
        self.update(id, |_| ());
    }

    /// A device is registered no more. What is on its way to it still counts for its app server's domain.
    pub(crate) fn remove(&mut self, id: DeviceId) -> Option<Device> {
        let mut device = self.devices.remove(id)?;
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

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
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

    /// How many of them stand for those of users whose records cannot be read.
    pub(crate) fn stand_ins(&self) -> usize {
        self.iter().filter(|device| device.registration().is_stand_in()).count()
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

    /// Goes through the queue until prepare() finds that there is something to send to a device, and sends it; a device that
    /// it finds nothing for has only changed. At most so many devices are looked at, each after a call of before(): where that says
    /// that a device cannot have anything yet, its turn comes again later.
    pub(crate) fn poll<T>(
        &mut self,
        at_most: usize,
        now: Instant,
        options: &Options,
        mut before: impl FnMut(&mut Self, DeviceId) -> bool,
        mut prepare: impl FnMut(DeviceId, &mut Device, Relation) -> Option<(InFlight, T)>,
    ) -> Option<T> {
        for _ in 0..at_most {
            let id = self.outbox.pop_queue(now, options)?;
            if let Some(device) = self.devices.get_mut(id) {
                device.leave_back_offs();
            }
            let is_ready = before(self, id);
            let Some(device) = self.devices.get_mut(id) else { continue };
            device.dequeue();
            if !is_ready {
                self.outbox.update(id, device);
                return None;
            }
            let (domain, app_server) = (device.domain(), &device.registration().app_server);
            let relation = match device.registration().way() {
                // Each user has an address of their own, which says nothing of the others.
                Some(_) => Relation::First,
                None => self.outbox.domains().relation(domain, app_server, now, options),
            };
            let sent = prepare(id, device, relation).map(|(mut in_flight, result)| {
                let failing = (id, device.failing_since());
                let domains = self.outbox.domains_mut();
                in_flight.flight = domains.record_sent(domain, failing, relation, now, options);
                if in_flight.flight.is_some_and(|flight| flight.is_probe) {
                    in_flight.deadline = in_flight.deadline.min(now + PROBE_TIMEOUT);
                }
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
        change: impl FnOnce(&mut Device, &mut InFlight, Concern) -> T,
    ) -> Option<T> {
        let device = self.devices.get(id.device())?;
        let in_flight = device.in_flight(id)?;
        let late = landing.and_then(|landing| late_until(in_flight, landing));
        self.end_push_until(id, landing, late, change)
    }

    /// A push is with the server of its user, and done for its device. Where it may still turn out that it was not taken, the domain
    /// counts it until the time that is given.
    pub(crate) fn hand_over(
        &mut self,
        id: PushId,
        until: Option<Instant>,
        landing: &Landing<'_>,
        change: impl FnOnce(&mut Device),
    ) {
        self.end_push_until(id, Some(landing), until, |device, _, _| change(device));
    }

    /// Ends a publish, where it may be answered until the time that is given if it is late.
    fn end_push_until<T>(
        &mut self,
        id: PushId,
        landing: Option<&Landing<'_>>,
        late: Option<Instant>,
        change: impl FnOnce(&mut Device, &mut InFlight, Concern) -> T,
    ) -> Option<T> {
        let device = self.devices.get_mut(id.device())?;
        let mut in_flight = device.take_in_flight(id)?;
        let concern = self.outbox.concern(device, &in_flight, landing, late.is_some());
        let before = device.state();
        let result = change(device, &mut in_flight, concern);
        // What is to be pushed again is not in it any more.
        for (room, _) in in_flight.notifications.rooms() {
            self.journal.note_changed((id.device(), Some(room)));
        }
        if in_flight.is_ping || device.state() != before {
            self.journal.note_changed((id.device(), None));
        }
        match (in_flight.flight, late, landing) {
            (Some(flight), Some(until), Some(landing)) => {
                self.outbox.add_late(id, device, flight, until, landing);
            }
            (Some(flight), ..) => self.outbox.domains_mut().record_ended(flight, landing),
            (None, ..) => {}
        }
        self.outbox.update(id.device(), device);
        in_flight.notifications = Default::default();
        self.outbox.recycle(in_flight);
        Some(result)
    }

    /// Ends a publish that no device waits for any more, if it is one that this JID may answer. Returns the app server, and its
    /// domain.
    pub(crate) fn end_orphan(
        &mut self,
        id: PushId,
        from: &str,
        landing: &Landing<'_>,
    ) -> Option<(AppServer, DomainId)> {
        let orphan = self.outbox.take_orphan(id, from)?;
        let landing = orphan.landing(landing);
        self.outbox.domains_mut().record_ended(orphan.flight, Some(&landing));
        Some((orphan.app_server, orphan.flight.domain))
    }

    /// A publish on its way to its device is from this host, and not from the service.
    pub(crate) fn set_publisher(&mut self, id: PushId, host: &str) {
        let Some(device) = self.devices.get_mut(id.device()) else { return };
        if let Some(flight) = device.flight_mut(id) {
            flight.publisher = self.publishers.find_or_insert(host);
        }
    }

    /// The host that publishes are from, if any were.
    pub(crate) fn publisher(&self, host: &str) -> Option<Publisher> {
        self.publishers.find(host)
    }

    /// The link to a domain that has taken pushes is lost, and with it all that was on its way: lost() is told of each publish to a
    /// device that is there still. `publisher`: the host whose link it was, where others have one; what is from those is not lost.
    pub(crate) fn lose_link(
        &mut self,
        domain: DomainId,
        publisher: Option<Publisher>,
        now: Instant,
        options: &Options,
        mut lost: impl FnMut(&mut Device, &mut InFlight),
    ) {
        let is_lost = |flight: &Flight| {
            flight.domain == domain && publisher.is_none_or(|publisher| flight.publisher == publisher)
        };
        let mut is_any_lost = false;
        for id in self.domains().in_flight(domain) {
            let push = self.devices.get(id).and_then(|device| device.delivery().in_flight());
            let push = push.filter(|push| push.flight.as_ref().is_some_and(is_lost)).map(|push| push.id);
            if let Some(push) = push {
                is_any_lost = true;
                self.end_push(push, None, |device, in_flight, _| lost(device, in_flight));
            } else if let Some(orphan) = self.outbox.take_orphan_if(id, |orphan| is_lost(&orphan.flight)) {
                is_any_lost = true;
                self.outbox.domains_mut().record_ended(orphan.flight, None);
            }
        }
        // What is on its way from other hosts will say whether the domain is there.
        if is_any_lost && !self.domains().is_any_in_flight(domain) {
            self.outbox.domains_mut().lose_link(domain, now, options);
        }
    }

    /// The link to a domain is there again.
    pub(crate) fn restore_link(&mut self, domain: &str, now: Instant, options: &Options) {
        for domain in self.domains().find_linked(domain) {
            self.outbox.domains_mut().restore_link(domain, now, options);
        }
    }

    /// Sees to what is due at `now`, or a part of it: back-offs end, and end() is told of each publish that was not answered in
    /// time, of at most so many. Returns what it says of them.
    pub(crate) fn handle_due<T>(
        &mut self,
        at_most: usize,
        silence: &Landing<'_>,
        mut end: impl FnMut(&mut Device, &mut InFlight, Concern) -> T,
    ) -> Vec<(DeviceId, T)> {
        let now = silence.now;
        let mut ended = Vec::new();
        for _ in 0..DUE_AT_ONCE {
            if ended.len() >= at_most {
                break;
            }
            let Some((id, at)) = self.outbox.pop_deadline(now) else { break };
            if let Some(orphan) = self.outbox.take_overdue_orphan(id, now) {
                let landing = orphan.overdue(silence);
                self.outbox.domains_mut().record_ended(orphan.flight, Some(&landing));
            }
            let Some(device) = self.devices.get_mut(id) else { continue };
            if !device.disarm(at) {
                continue;
            }
            match device.delivery().due().filter(|(time, _)| *time <= now) {
                Some((_, Due::Retry)) => {
                    self.outbox.end_back_off(device);
                    device.end_pace();
                }
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
}

/// Until when a publish may be answered still that its device does not wait for any longer, if it is one.
fn late_until(in_flight: &InFlight, landing: &Landing<'_>) -> Option<Instant> {
    let until = in_flight.sent + landing.options.reply_timeout;
    let is_late = landing.outcome == Outcome::Silent && in_flight.deadline <= landing.now;
    (is_late && landing.now < until).then_some(until)
}
