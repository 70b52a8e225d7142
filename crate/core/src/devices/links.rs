//! The links to app servers are lost, with all that was on its way, and restored.

use crate::device::{Device, InFlight};
use crate::domains::{DomainId, Flight, Publisher};
use crate::options::Options;
use crate::time::Instant;

use super::Devices;

impl Devices {
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
}
