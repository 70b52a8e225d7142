//! Publishes leave, and end: as long as one is on its way, its device waits for the answer, or its app server's domain alone.

use crate::app_server::AppServer;
use crate::circuit_breaker::PROBE_TIMEOUT;
use crate::device::{Device, InFlight};
use crate::domains::{Concern, DomainId, Landing, Publisher, Relation};
use crate::ids::{DeviceId, PushId};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

use super::Devices;

impl Devices {
    /// Goes through the queue until prepare() finds that there is something to send to a device, and sends it; a device that
    /// it finds nothing for has only changed. At most so many devices are looked at, each after a call of before().
    pub(crate) fn poll<T>(
        &mut self,
        at_most: usize,
        now: Instant,
        options: &Options,
        mut before: impl FnMut(&mut Self, DeviceId),
        mut prepare: impl FnMut(DeviceId, &mut Device, Relation) -> Option<(InFlight, T)>,
    ) -> Option<T> {
        for _ in 0..at_most {
            let id = self.outbox.pop_queue(now, options)?;
            if let Some(device) = self.devices.get_mut(id) {
                device.leave_back_offs();
            }
            before(self, id);
            let Some(device) = self.devices.get_mut(id) else { continue };
            device.dequeue();
            let (domain, app_server) = (device.domain(), &device.registration().app_server);
            let relation = match device.registration().way() {
                // Each user has an address of their own, which says nothing of the others.
                Some(_) => Relation::First,
                None => self.outbox.domains().relation(domain, app_server, options),
            };
            let sent = prepare(id, device, relation).map(|(mut in_flight, result)| {
                let failing = (id, device.failing_since());
                let domains = self.outbox.domains_mut();
                in_flight.flight = domains.record_sent(domain, failing, relation, now, options);
                if in_flight.flight.is_some_and(|flight| flight.is_probe) {
                    in_flight.deadline = in_flight.deadline.min(now + PROBE_TIMEOUT);
                }
                device.send(self.outbox.boxed(in_flight));
                self.in_flight += 1;
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
        self.in_flight -= 1;
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
                self.outbox.add_late(id, device, flight, until, landing)
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
}

/// Until when a publish may be answered still that its device does not wait for any longer, if it is one.
fn late_until(in_flight: &InFlight, landing: &Landing<'_>) -> Option<Instant> {
    let is_late = landing.outcome == Outcome::Silent && in_flight.deadline <= landing.now;
    (is_late && landing.now < in_flight.until).then_some(in_flight.until)
}
