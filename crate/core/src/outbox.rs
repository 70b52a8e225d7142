//! The outbox: which devices have something to be pushed, and when something is due with which.

mod deadlines;
mod queue;

use std::collections::HashMap;

use crate::app_server::AppServer;
use crate::device::{Device, InFlight};
use crate::domains::{Concern, DomainId, Domains, Flight, Landing};
use crate::ids::{DeviceId, PushId, RoomId};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::way::Way;
use deadlines::{Deadlines, Entry};
use queue::Queue;

pub(crate) use crate::lists::Slot;
pub(crate) use queue::Lanes;

/// How many boxes are kept of publishes that have ended.
const RECYCLED: usize = 1000;

/// A publish that no device waits for any more, while its app server may still answer: the device is gone, or it was a probe
/// that others have followed.
#[derive(Debug)]
pub(crate) struct Orphan {
    /// The id of the publish.
    pub(crate) id: PushId,
    /// Where it went.
    pub(crate) app_server: AppServer,
    /// As its domain counts it.
    pub(crate) flight: Flight,
    deadline: Instant,
    /// It went by a way: only an error that says that the domain was not reached, says anything.
    is_by_way: bool,
}

impl Orphan {
    /// What an answer means.
    pub(crate) fn landing<'a>(&self, landing: &Landing<'a>) -> Landing<'a> {
        if self.is_by_way && landing.outcome != Outcome::Silent {
            return Landing { outcome: Outcome::Delivered, ..*landing };
        }
        *landing
    }

    /// What it means that there is none.
    fn overdue<'a>(&self, silence: &Landing<'a>) -> Landing<'a> {
        let outcome = if self.is_by_way { Outcome::Delivered } else { Outcome::Silent };
        Landing { outcome, ..*silence }
    }
}

/// The devices that something is to be done with. A device is in the queue at most once, has at most one publish in
/// flight, and at most one deadline that is valid.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    domains: Domains,
    queue: Queue,
    /// Whether the last turn was that of a device in the queue, and not that of one that backs off.
    is_turn_of_queue: bool,
    deadlines: Deadlines,
    /// Most devices have one at most. Of probes to the same one there may be several.
    orphans: HashMap<DeviceId, Vec<Orphan>>,
    /// Boxes of publishes that have ended, for the next ones: they are at hand, what the allocator finds in a large
    /// heap is not.
    #[expect(clippy::vec_box, reason = "it is the boxes that are kept")]
    recycled: Vec<Box<InFlight>>,
}

impl Outbox {
    /// The domains that app servers are at.
    pub(crate) fn domains(&self) -> &Domains {
        &self.domains
    }

    /// The domains that app servers are at.
    pub(crate) fn domains_mut(&mut self) -> &mut Domains {
        &mut self.domains
    }

    /// A device has changed: it is put into the queue if it has something to be pushed and nothing to wait for, and its
    /// deadline is set if it has one.
    pub(crate) fn update(&mut self, id: DeviceId, device: &mut Device) {
        if device.wants_turn() {
            self.enqueue(id, device, device.unread().pending().any_room());
        }
        if device.has_to_be_noted()
            && let Some(place) = self.domains.begin_back_off(device.domain(), id)
        {
            device.noted(place);
        }
        if let Some(at) = device.arm() {
            self.deadlines.set(Entry { at, device: id });
        }
    }

    /// The same for a change that cannot set a deadline: what is looked at then need not be in the cache. A device that gets
    /// into the queue, does so because of this room.
    pub(crate) fn enqueue(&mut self, id: DeviceId, device: &mut Device, room: Option<RoomId>) {
        if !device.wants_turn() {
            return;
        }
        let domain = device.domain();
        let Some(lanes) = self.domains.lanes_mut(domain) else { return };
        if let Some(slot) = self.queue.push(lanes, domain, room, id) {
            device.enqueue(slot);
            self.domains.make_ready(domain, device.failing_since().is_some());
        }
    }

    /// A device loses its place in the queue, if it has one.
    pub(crate) fn dequeue(&mut self, device: &mut Device) {
        let domain = device.domain();
        if let (Some(slot), Some(lanes)) = (device.dequeue(), self.domains.lanes_mut(domain)) {
            self.queue.remove(lanes, domain, slot);
        }
    }

    /// A device does not back off any more, if it has.
    pub(crate) fn end_back_off(&mut self, device: &mut Device) {
        if let Some(place) = device.end_back_off() {
            self.domains.end_back_off(device.domain(), place);
        }
    }

    /// A device has something new: it need not wait for its turn among those that back off where these go on.
    pub(crate) fn hasten(&mut self, device: &mut Device) {
        if device.is_backing_off() && self.domains.is_awake(device.domain()) {
            self.end_back_off(device);
        }
    }

    /// A device is gone. What is on its way to it remains so.
    pub(crate) fn remove(&mut self, device: &mut Device) {
        self.dequeue(device);
        self.end_back_off(device);
        if let Some(&InFlight { id: push, flight: Some(flight), until, .. }) = device.delivery().in_flight() {
            self.add_orphan(push, device, flight, until);
        }
        self.domains.leave(device.domain());
    }

    /// What the end of a publish has to do with, which its device has not waited for the answer to for as long as it may take if
    /// it is late.
    pub(crate) fn concern(
        &mut self,
        device: &Device,
        in_flight: &InFlight,
        landing: Option<&Landing<'_>>,
        is_late: bool,
    ) -> Concern {
        let (domain, app_server) = (device.domain(), &device.registration().app_server);
        let since = device.failing_since().unwrap_or(in_flight.sent);
        // The addresses of users are no app servers.
        if let Some(way) = device.registration().way() {
            let is_silent = landing.is_some_and(|landing| landing.outcome == Outcome::Silent);
            let is_of_domain = way == Way::Forward && is_silent && self.domains.is_away_since(domain, since);
            return if is_of_domain { Concern::Domain } else { Concern::Device };
        }
        match landing.map(|landing| landing.outcome) {
            Some(Outcome::Silent) => {
                let is_probe = is_late && in_flight.flight.is_some_and(|flight| flight.is_probe);
                if is_probe && self.domains.has_taken_since(domain, in_flight.sent) {
                    return Concern::Past;
                }
                self.domains.concern(domain, app_server, since)
            }
            Some(Outcome::Delivered) => {
                self.domains.add_app_server(domain, app_server);
                Concern::Device
            }
            _ => Concern::Device,
        }
    }

    /// A device does not wait for the answer to its publish any more, which may yet come. Those before it are given up, and still
    /// count among all that are on their way to the domain.
    pub(crate) fn add_late(
        &mut self,
        id: PushId,
        device: &Device,
        flight: Flight,
        until: Instant,
        silence: &Landing<'_>,
    ) {
        for earlier in self.orphans.get_mut(&id.device()).into_iter().flatten() {
            self.domains.give_up(&mut earlier.flight, silence);
        }
        self.add_orphan(id, device, flight, until);
    }

    fn add_orphan(&mut self, id: PushId, device: &Device, flight: Flight, deadline: Instant) {
        let registration = device.registration();
        let (app_server, is_by_way) = (registration.app_server.clone(), registration.way().is_some());
        self.deadlines.set(Entry { at: deadline, device: id.device() });
        let orphan = Orphan { id, app_server, flight, deadline, is_by_way };
        self.orphans.entry(id.device()).or_default().push(orphan);
    }

    /// The publish with this id, if it went to this JID and no device waits for it.
    pub(crate) fn take_orphan(&mut self, id: PushId, from: &str) -> Option<Orphan> {
        self.take_orphan_if(id.device(), |orphan| orphan.id == id && orphan.app_server.as_str() == from)
    }

    /// No device waits for a publish, and it was not answered in time. Of what went by a way that says that it was taken, but nothing of a
    /// domain that has turned out to be away since.
    pub(crate) fn end_overdue(&mut self, orphan: &Orphan, silence: &Landing<'_>) {
        let is_outdated = orphan.is_by_way && self.domains.has_failed_since(orphan.flight);
        let landing = orphan.overdue(silence);
        self.domains.record_ended(orphan.flight, (!is_outdated).then_some(&landing));
    }

    /// The publish to a device that this does not wait for, if it is one that is looked for.
    pub(crate) fn take_orphan_if(&mut self, id: DeviceId, is_it: impl Fn(&Orphan) -> bool) -> Option<Orphan> {
        let of_device = self.orphans.get_mut(&id)?;
        let orphan = of_device.iter().position(is_it).map(|place| of_device.swap_remove(place));
        if of_device.is_empty() {
            self.orphans.remove(&id);
        }
        orphan
    }

    /// The publish to a device that this does not wait for, if its answer is overdue at `now`.
    pub(crate) fn take_overdue_orphan(&mut self, id: DeviceId, now: Instant) -> Option<Orphan> {
        if self.orphans.is_empty() {
            return None;
        }
        self.take_orphan_if(id, |orphan| orphan.deadline <= now)
    }

    /// How many devices are in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes the device out of the queue whose turn it is at `now`: of the domains that may be sent to, and of the rooms of
    /// each, one after the other has its turn. Or one that backs off and need not, as its domain is there again.
    pub(crate) fn pop_queue(&mut self, now: Instant, options: &Options) -> Option<DeviceId> {
        let domain = self.domains.next(now, options)?;
        self.is_turn_of_queue = !self.is_turn_of_queue;
        let of_queue = self.is_turn_of_queue.then(|| self.pop_lanes(domain)).flatten();
        let device =
            of_queue.or_else(|| self.domains.pop_back_off(domain)).or_else(|| self.pop_lanes(domain));
        self.domains.turn(domain);
        device
    }

    fn pop_lanes(&mut self, domain: DomainId) -> Option<DeviceId> {
        let lanes = self.domains.lanes_mut(domain)?;
        self.queue.pop(lanes, domain)
    }

    /// The next deadline that has passed at `now`, which may not be valid any more.
    pub(crate) fn pop_deadline(&mut self, now: Instant) -> Option<(DeviceId, Instant)> {
        self.deadlines.pop(now).map(|entry| (entry.device, entry.at))
    }

    /// The next deadline, which may not be valid any more.
    pub(crate) fn next_deadline(&self) -> Option<(DeviceId, Instant)> {
        self.deadlines.next().map(|entry| (entry.device, entry.at))
    }

    /// A box for a publish.
    pub(crate) fn boxed(&mut self, in_flight: InFlight) -> Box<InFlight> {
        match self.recycled.pop() {
            Some(mut recycled) => {
                *recycled = in_flight;
                recycled
            }
            None => Box::new(in_flight),
        }
    }

    /// A publish has ended; what it was about is not in it any more.
    pub(crate) fn recycle(&mut self, in_flight: Box<InFlight>) {
        if self.recycled.len() < RECYCLED {
            self.recycled.push(in_flight);
        }
    }
}
