//! Which domains may be sent to, by turns, and when others may.

use std::collections::{BTreeSet, VecDeque};

use super::flight::Ending;
use super::standing::Permit;
use super::untried::{Ticket, UntriedDomains};
use super::{Domain, DomainId, Domains, Flight, Landing, Relation};
use crate::ids::DeviceId;
use crate::options::Options;
use crate::time::Instant;

/// How many domains are woken at once.
const WOKEN_AT_ONCE: usize = 100;

/// Where a domain is that devices wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Place {
    /// Nowhere: no device waits.
    #[default]
    Idle,
    /// It has its turn.
    Ready,
    /// Its window is full: the end of a publish wakes it.
    Full,
    /// It is not to be asked before this time.
    Until(Instant),
    /// Nothing was ever sent to it.
    InLine(Ticket),
}

/// The places of all domains.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Those that are ready. The one whose turn it is comes first.
    ready: VecDeque<DomainId>,
    until: BTreeSet<(Instant, DomainId)>,
    untried: UntriedDomains,
}

impl Schedule {
    /// A domain is taken from where it waits. Where it has its turn it is left: there it is found soon.
    pub(super) fn leave(&mut self, id: DomainId, domain: &mut Domain) {
        match domain.place {
            Place::Idle | Place::Ready => return,
            Place::Full => {}
            Place::Until(at) => {
                self.until.remove(&(at, id));
            }
            Place::InLine(ticket) => self.untried.leave(ticket, &domain.name),
        }
        domain.place = Place::Idle;
    }

    /// A domain that waits nowhere, and that devices wait for, has its turn; if it is for those that back off, when they may go
    /// on.
    pub(super) fn make_ready(&mut self, id: DomainId, domain: &mut Domain) {
        if domain.place != Place::Idle {
            return;
        }
        if domain.waiting() > 0 {
            domain.place = Place::Ready;
            self.ready.push_back(id);
        } else if let Some(at) = domain.back_offs.resume_at() {
            self.put(id, domain, Place::Until(at));
        }
    }

    /// A domain whose turn it is, has to wait.
    fn put(&mut self, id: DomainId, domain: &mut Domain, place: Place) {
        if let Place::Until(at) = place {
            self.until.insert((at, id));
        }
        domain.place = place;
    }
}

impl Domains {
    /// Whether any domain may have its turn.
    pub(crate) fn is_any_ready(&self) -> bool {
        !self.schedule.ready.is_empty()
    }

    /// When the next one has to be woken.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let until = self.schedule.until.first().map(|(at, _)| *at);
        until.into_iter().chain(self.schedule.untried.next_deadline()).min()
    }

    /// How many devices are at domains that have their turn.
    pub(crate) fn ready(&self) -> usize {
        let ready = self.schedule.ready.iter().filter_map(|id| self.domains.get(id.index()));
        ready.map(|domain| domain.lanes.waiting() as usize).sum()
    }

    /// A device waits for a domain, one that has failed or not.
    pub(crate) fn make_ready(&mut self, id: DomainId, has_failed: bool) {
        if let Some(domain) = self.domains.get_mut(id.index()) {
            if domain.is_for_back_offs() || !has_failed && domain.standing.doubt() {
                self.schedule.leave(id, domain);
            }
            self.schedule.make_ready(id, domain);
        }
    }

    /// The domain whose turn it is to be sent to. Those that may not be sent to wait from then on.
    pub(crate) fn next(&mut self, now: Instant, options: &Options) -> Option<DomainId> {
        while let Some(&id) = self.schedule.ready.front() {
            let Some(domain) = self.domains.get_mut(id.index()) else {
                self.schedule.ready.pop_front();
                continue;
            };
            let place = place(id, domain, &mut self.schedule.untried, now, options);
            if place == Place::Ready {
                return Some(id);
            }
            self.schedule.ready.pop_front();
            self.schedule.put(id, domain, place);
            self.tidy(id);
        }
        None
    }

    /// The domain that has had its turn, goes to the end.
    pub(crate) fn turn(&mut self, id: DomainId) {
        let Some(id) = self.schedule.ready.pop_front_if(|first| *first == id) else { return };
        if let Some(domain) = self.domains.get_mut(id.index()) {
            domain.place = Place::Idle;
            self.schedule.make_ready(id, domain);
        }
    }

    /// A publish leaves for a device of a domain, which has failed since the time that is given if it has, and to whose app server
    /// we stand so.
    pub(crate) fn record_sent(
        &mut self,
        id: DomainId,
        (device, failing_since): (DeviceId, Option<Instant>),
        relation: Relation,
        now: Instant,
        options: &Options,
    ) -> Option<Flight> {
        let domain = self.domains.get_mut(id.index())?;
        let mut flight = domain.standing.record_sent(id, failing_since, relation, now, options);
        domain.strangers_in_flight += u32::from(flight.is_to_stranger);
        flight.place = self.devices.push(&mut domain.in_flight, device);
        Some(flight)
    }

    /// A publish has ended; without a landing, it was not sent after all.
    pub(crate) fn record_ended(&mut self, flight: Flight, landing: Option<&Landing<'_>>) {
        let id = flight.domain;
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        domain.strangers_in_flight = domain.strangers_in_flight.saturating_sub(flight.is_to_stranger.into());
        if let Some(place) = flight.place {
            self.devices.remove(&mut domain.in_flight, place);
        }
        let ending = domain.standing.record_ended(flight, landing);
        self.note_ending(id, ending, landing);
    }

    /// A publish was not answered, and another one to its device was not either. It still counts among all that are on their way.
    pub(crate) fn give_up(&mut self, flight: &mut Flight, silence: &Landing<'_>) {
        let id = flight.domain;
        let domain = self.domains.get_mut(id.index()).filter(|_| !flight.is_given_up);
        let Some(domain) = domain else { return };
        let ending = domain.standing.give_up(flight, silence);
        self.note_ending(id, ending, Some(silence));
    }

    /// Whether a publish has ended well or badly, says who may go on.
    fn note_ending(&mut self, id: DomainId, ending: Ending, landing: Option<&Landing<'_>>) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        match (ending, landing) {
            (Ending::Failed { is_troubled }, Some(landing)) => {
                domain.back_offs.pause(is_troubled, landing.now, landing.options);
            }
            (Ending::Taken, _) => domain.back_offs.go_on(),
            (Ending::Returned, _) => {
                domain.back_offs.wake();
                domain.back_offs.go_on();
            }
            _ => domain.back_offs.replace(),
        }
        self.schedule.leave(id, domain);
        self.schedule.make_ready(id, domain);
        self.count_away(id);
        self.tidy(id);
    }

    /// Sees to what is due at `now`, or a part of it.
    pub(crate) fn handle_due(&mut self, now: Instant) {
        for _ in 0..WOKEN_AT_ONCE {
            let until = self.schedule.until.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id);
            let Some(id) = until.or_else(|| self.next_to_try(now)) else { break };
            if let Some(domain) = self.domains.get_mut(id.index()) {
                domain.back_offs.resume(now);
                self.schedule.leave(id, domain);
                self.schedule.make_ready(id, domain);
            }
            self.tidy(id);
        }
    }

    /// The next untried domain that is to be tried. One that nobody waits for by now stays untried.
    fn next_to_try(&mut self, now: Instant) -> Option<DomainId> {
        let (ticket, id) = self.schedule.untried.first(now)?;
        match self.domains.get_mut(id.index()) {
            Some(domain) if domain.place == Place::InLine(ticket) => {
                if domain.waiting() > 0 {
                    self.schedule.untried.pay(now);
                    domain.standing.set_contacted();
                }
            }
            // Nobody stands there.
            _ => self.schedule.untried.leave(ticket, ""),
        }
        Some(id)
    }
}

/// Where a domain whose turn it is belongs at `now`.
fn place(
    id: DomainId,
    domain: &mut Domain,
    untried: &mut UntriedDomains,
    now: Instant,
    options: &Options,
) -> Place {
    domain.back_offs.resume(now);
    if domain.waiting() == 0 {
        return domain.back_offs.resume_at().map_or(Place::Idle, Place::Until);
    }
    if domain.standing.is_untried() {
        if !untried.admit(now) {
            return Place::InLine(untried.line_up(id, &domain.name));
        }
        domain.standing.set_contacted();
    }
    match domain.standing.permit(now, options) {
        Permit::Granted => Place::Ready,
        Permit::Full => Place::Full,
        Permit::Denied { until } => Place::Until(until),
    }
}
