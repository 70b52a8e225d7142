//! Links to domains: the server is told when one is lost, and when it is there again. And who waits for which domain, as far as
//! that is a matter of the domain.

use crate::app_server::AppServer;
use crate::ids::DeviceId;
use crate::lists::Slot;
use crate::options::Options;
use crate::time::Instant;
use crate::way::forwarding_domain;

use super::{DomainId, Domains, Flight, canonical};

/// What an app server is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It has taken a publish.
    Known,
    /// It has taken none, in contrast to others of its domain.
    Stranger {
        /// Whether one may be on its way to it, among those to others of this kind.
        has_share: bool,
    },
    /// It has taken none, as far as is known, and neither has any other of its domain.
    First,
}

/// What the end of a publish has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The device alone.
    Device,
    /// Its app server, which has taken something before or not.
    AppServer {
        /// Whether it has.
        is_known: bool,
    },
    /// The whole domain of its app server, where nobody has taken anything since the device began to fail.
    Domain,
    /// Nothing any more: it was a probe, and the domain is back.
    Past,
}

impl Domains {
    /// What a link to a domain is about: the app servers there, and the accounts that messages are forwarded to.
    pub(crate) fn find_linked(&self, name: &str) -> Vec<DomainId> {
        let forwarding = forwarding_domain(canonical(name));
        self.find_known(name).into_iter().chain(self.find_known(&forwarding)).collect()
    }

    /// A domain that has taken publishes, or that the operator has named: what becomes of the links to others is nothing to
    /// us.
    fn find_known(&self, name: &str) -> Option<DomainId> {
        let &id = self.ids.get(canonical(name))?;
        self.domains.get(id.index()).filter(|domain| domain.standing.is_known()).map(|_| id)
    }

    /// The devices that wait for an answer of a domain; they may be gone.
    pub(crate) fn in_flight(&self, id: DomainId) -> Vec<DeviceId> {
        let domain = self.domains.get(id.index());
        domain.into_iter().flat_map(|domain| self.devices.each(&domain.in_flight)).collect()
    }

    /// Whether anything is on its way to a domain.
    pub(crate) fn is_any_in_flight(&self, id: DomainId) -> bool {
        self.domains.get(id.index()).is_some_and(|domain| !domain.in_flight.is_empty())
    }

    /// The link to a domain is lost, with all that was on its way.
    pub(crate) fn lose_link(&mut self, id: DomainId, now: Instant, options: &Options) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        domain.standing.lose_link(now, options);
        domain.back_offs.pause(true, now, options);
        self.schedule.leave(id, domain);
        self.schedule.make_ready(id, domain);
        self.count_away(id);
    }

    /// The link to a domain is there again.
    pub(crate) fn restore_link(&mut self, id: DomainId, now: Instant, options: &Options) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        if domain.standing.restore_link(now, options) {
            domain.back_offs.wake();
            self.schedule.leave(id, domain);
            self.schedule.make_ready(id, domain);
        }
    }

    /// Something else at a domain is back than the domain itself.
    pub(crate) fn wake(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        domain.back_offs.wake();
        self.schedule.leave(id, domain);
        self.schedule.make_ready(id, domain);
    }

    /// An app server of a domain has taken a publish: no device need wait any longer for that.
    pub(crate) fn add_app_server(&mut self, id: DomainId, app_server: &AppServer) {
        if let Some(domain) = self.domains.get_mut(id.index())
            && domain.app_servers.add(app_server)
        {
            domain.back_offs.wake();
        }
    }

    /// What an app server of a domain is to us.
    pub(crate) fn relation(&self, id: DomainId, app_server: &AppServer, options: &Options) -> Relation {
        match self.domains.get(id.index()) {
            Some(domain) if domain.app_servers.contains(app_server) => Relation::Known,
            Some(domain) if domain.standing.is_known() && !domain.app_servers.is_empty() => {
                let has_share =
                    domain.strangers_in_flight < domain.standing.window.share_of_strangers(options);
                Relation::Stranger { has_share }
            }
            _ => Relation::First,
        }
    }

    /// What it has to do with that a device of an app server, which has failed since this time, gets no answer.
    pub(crate) fn concern(&self, id: DomainId, app_server: &AppServer, since: Instant) -> Concern {
        match self.domains.get(id.index()) {
            Some(domain) if domain.standing.is_away_since(since) => Concern::Domain,
            Some(domain) if domain.standing.is_known() && domain.app_servers.is_latest(app_server) => {
                Concern::Device
            }
            Some(domain) => Concern::AppServer { is_known: domain.app_servers.contains(app_server) },
            None => Concern::Device,
        }
    }

    /// Whether a domain has taken no publish since this time, though it has before.
    pub(crate) fn is_away_since(&self, id: DomainId, since: Instant) -> bool {
        self.domains.get(id.index()).is_some_and(|domain| domain.standing.is_away_since(since))
    }

    /// Whether a domain that has taken publishes has turned out to be away since this one left.
    pub(crate) fn has_failed_since(&self, flight: Flight) -> bool {
        self.domains.get(flight.domain.index()).is_some_and(|domain| domain.standing.has_failed_since(flight))
    }

    /// Whether a domain has taken a publish since this time.
    pub(crate) fn has_taken_since(&self, id: DomainId, since: Instant) -> bool {
        self.domains.get(id.index()).is_some_and(|domain| domain.standing.has_taken_since(since))
    }

    /// A device backs off. `None` where no memory can hold any more.
    pub(crate) fn begin_back_off(&mut self, id: DomainId, device: DeviceId) -> Option<Slot> {
        self.domains.get_mut(id.index())?.back_offs.add(&mut self.devices, device)
    }

    /// A device does not back off any more.
    pub(crate) fn end_back_off(&mut self, id: DomainId, place: Slot) {
        if let Some(domain) = self.domains.get_mut(id.index()) {
            domain.back_offs.remove(&mut self.devices, place);
        }
    }

    /// The device of a domain that goes on next before its back-off has ended.
    pub(crate) fn pop_back_off(&mut self, id: DomainId) -> Option<DeviceId> {
        self.domains.get_mut(id.index())?.back_offs.pop(&mut self.devices)
    }

    /// Whether devices that back off go on, as the domain is there again.
    pub(crate) fn is_awake(&self, id: DomainId) -> bool {
        self.domains.get(id.index()).is_some_and(|domain| domain.back_offs.is_awake())
    }
}
