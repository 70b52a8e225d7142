//! The domains of app servers: what is known of each, and which of them may be sent to.
//!
//! Who registers an app server says whom we are to write to, and need not be asked. So what may be on its way is counted for
//! each domain, whoever has named it: little before it has taken a publish (*first contact*), more with each that it takes,
//! and nothing while it does not answer. See [`standing`].
//!
//! A domain that has taken publishes and is away is asked again every few seconds, and when it is back those of its devices
//! that [back off](back_offs) go on.
//!
//! What is known of a domain outlives the devices there. It is forgotten when there is too much of it, and that of a domain
//! that has never answered last.

mod app_servers;
mod away;
mod back_offs;
mod flight;
mod links;
mod publishers;
mod schedule;
mod standing;
mod state;
mod strangers;
mod turns;
mod untried;
mod unused;
mod window;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::app_server::canonical;
use crate::ids::DeviceId;
use crate::lists::{List, Lists};
use crate::outbox::Lanes;

pub(crate) use flight::{Flight, Landing};
pub(crate) use links::{Concern, Relation};
pub(crate) use publishers::{Publisher, Publishers};
pub use state::DomainState;
pub use strangers::StrangersState;

use app_servers::KnownAppServers;
use away::Away;
use back_offs::BackOffs;
use schedule::{Place, Schedule};
use standing::Standing;
use strangers::Strangers;
use turns::FamilyId;
use unused::Unused;

/// A domain of app servers. It is that of another one only when nothing refers to it any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DomainId(u32);

impl DomainId {
    fn from_index(index: usize) -> Self {
        // There are fewer of them than devices.
        DomainId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Default)]
struct Domain {
    name: Arc<str>,
    /// Those that it shares its turns with.
    family: FamilyId,
    standing: Standing,
    /// How many devices have their app server there.
    devices: u32,
    place: Place,
    /// Since when it has had no device, where something is remembered of it.
    unused: Option<u64>,
    lanes: Lanes,
    back_offs: BackOffs,
    /// The devices that wait for an answer, also those that are gone.
    in_flight: List,
    /// It is counted among those that are away.
    is_away: bool,
    app_servers: KnownAppServers,
    /// The others, where there are any of those.
    strangers: Strangers,
}

/// All domains that a device has its app server at, and some that had.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    domains: Vec<Domain>,
    /// Those that stand for no domain.
    free: Vec<DomainId>,
    ids: HashMap<Arc<str>, DomainId>,
    /// The devices of all domains that back off, or wait for an answer.
    devices: Lists<DeviceId>,
    /// Those that the operator has named.
    named: HashSet<Box<str>>,
    schedule: Schedule,
    unused: Unused,
    away: Away,
}

/// What the only domain of a family takes for that, beside its name.
const MOST_OF_FAMILY: usize = 128;

impl Domains {
    /// The domain of an app server that a device is registered for.
    pub(crate) fn enter(&mut self, domain: &str) -> DomainId {
        let id = self.id_or_insert(canonical(domain));
        if let Some(domain) = self.domains.get_mut(id.index()) {
            domain.devices = domain.devices.saturating_add(1);
            if let Some(since) = domain.unused.take() {
                self.unused.remove(since);
            }
        }
        id
    }

    /// A device is registered there no more, and waits for nothing.
    pub(crate) fn leave(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        domain.devices = domain.devices.saturating_sub(1);
        if domain.devices == 0 {
            self.schedule.leave(id, domain);
            self.tidy(id);
        }
    }

    /// The devices that wait for a domain.
    pub(crate) fn lanes_mut(&mut self, id: DomainId) -> Option<&mut Lanes> {
        self.domains.get_mut(id.index()).map(|domain| &mut domain.lanes)
    }

    /// The options were read again: of the domains that the operator names, it is known that they are wanted.
    pub(crate) fn configure(&mut self, named: impl Iterator<Item = Box<str>>) {
        self.named = named.map(|name| canonical(&name).into()).collect();
        for (index, domain) in self.domains.iter_mut().enumerate() {
            let id = DomainId::from_index(index);
            domain.standing.set_named(is_named(&self.named, &domain.name));
            self.schedule.leave(id, domain);
            self.schedule.make_ready(id, domain);
        }
    }

    /// A domain may be away by now, or may be no more.
    fn count_away(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        let is_away = domain.standing.is_away();
        if is_away == domain.is_away {
            return;
        }
        domain.is_away = is_away;
        let is_one_of_many = is_away && self.away.add(&domain.name);
        if !is_away {
            self.away.remove(&domain.name);
        }
        domain.standing.set_one_of_many(is_one_of_many);
    }

    fn id_or_insert(&mut self, name: &str) -> DomainId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let name: Arc<str> = name.into();
        let family = self.schedule.turns.enter(&name);
        let mut domain = Domain { name: name.clone(), family, ..Domain::default() };
        domain.standing.set_named(is_named(&self.named, &name));
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.domains.push(Domain::default());
                DomainId::from_index(self.domains.len() - 1)
            }
        };
        if let Some(place) = self.domains.get_mut(id.index()) {
            *place = domain;
        }
        self.ids.insert(name, id);
        id
    }

    /// A domain that is not needed any more is forgotten, or kept among others for what is known of it.
    fn tidy(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        let is_needed = domain.devices > 0 || domain.place != Place::Idle || !domain.standing.is_at_rest();
        if is_needed || domain.unused.is_some() {
            return;
        }
        if !domain.standing.is_contacted() {
            self.forget(id);
            return;
        }
        let bytes = domain.bytes();
        domain.unused = Some(self.unused.add(id, domain.standing.is_known(), bytes));
        while let Some(excess) = self.unused.excess() {
            self.forget(excess);
        }
    }

    fn forget(&mut self, id: DomainId) {
        let Some(domain) = self.domains.get_mut(id.index()) else { return };
        if self.ids.get(&domain.name) != Some(&id) {
            return;
        }
        let domain = std::mem::take(domain);
        if let Some(since) = domain.unused {
            self.unused.remove(since);
        }
        if domain.is_away {
            self.away.remove(&domain.name);
        }
        self.schedule.turns.leave(domain.family);
        self.ids.remove(&domain.name);
        self.free.push(id);
    }
}

/// Whether a domain is known to be wanted: the operator has named it, or it stands for this server.
fn is_named(named: &HashSet<Box<str>>, name: &str) -> bool {
    name.is_empty() || named.contains(name)
}

impl Domain {
    /// How many devices could be sent to now, as far as it is for them to say.
    fn waiting(&self) -> u32 {
        self.lanes.waiting().saturating_add(self.back_offs.ready())
    }

    /// Whether it waits for the time at which those that back off may go on.
    fn is_for_back_offs(&self) -> bool {
        matches!(self.place, Place::Until(at) if self.back_offs.resume_at() == Some(at))
    }

    /// How much memory it takes.
    fn bytes(&self) -> usize {
        let of_name = 4 * self.name.len() + size_of::<(Arc<str>, DomainId)>();
        size_of::<Domain>() + of_name + MOST_OF_FAMILY + self.app_servers.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::outcome::Outcome;
    use crate::time::Instant;

    const NEVER: f64 = 1e9;

    fn at(seconds: f64) -> Instant {
        Instant::from_seconds(seconds)
    }

    /// A device comes, gets one publish that ends so, and goes again.
    fn visit(domains: &mut Domains, name: &str, outcome: Outcome, now: f64) {
        let options = Options::default();
        let id = domains.enter(name);
        let flight =
            domains.record_sent(id, (DeviceId::default(), None), Relation::First, at(now), &options).unwrap();
        let landing = Landing { outcome, now: at(now), spread: 0.0, options: &options };
        domains.record_ended(flight, Some(&landing));
        domains.leave(id);
    }

    fn names(domains: &Domains) -> Vec<String> {
        domains.states(usize::MAX, at(NEVER)).into_iter().map(|state| state.domain).collect()
    }

    #[test]
    fn of_what_was_never_written_to_nothing_is_left() {
        let mut domains = Domains::default();
        for number in 0..10_000 {
            let id = domains.enter(&format!("d{number}.example"));
            domains.leave(id);
        }
        assert_eq!((domains.ids.len(), domains.domains.len()), (0, 1));
    }

    #[test]
    fn what_is_on_its_way_keeps_a_domain() {
        let (mut domains, options) = (Domains::default(), Options::default());
        let id = domains.enter("push.example");
        let flight =
            domains.record_sent(id, (DeviceId::default(), None), Relation::First, at(0.0), &options).unwrap();
        domains.leave(id);
        assert_ne!(domains.enter("other.example"), id);
        domains.record_ended(flight, None);
        assert_eq!(domains.enter("push.example."), id);
    }

    #[test]
    fn what_is_remembered_has_a_limit_and_who_never_answered_is_forgotten_last() {
        let mut domains = Domains::default();
        visit(&mut domains, "victim.example", Outcome::Silent, 0.0);
        for number in 0..20_000 {
            visit(&mut domains, &format!("d{number}.example"), Outcome::Delivered, 0.0);
        }
        let remembered = names(&domains);
        assert!((2_000..8_000).contains(&remembered.len()), "{}", remembered.len());
        assert!(remembered.iter().any(|name| name == "victim.example"));
        assert!(remembered.iter().any(|name| name == "d19999.example"), "the oldest are forgotten");
        let known = remembered.len();
        for number in 0..known - 1 {
            visit(&mut domains, &format!("s{number}.example"), Outcome::Silent, 0.0);
        }
        assert!(names(&domains).iter().any(|name| name == "victim.example"), "it takes as many others");
        let long = "x".repeat(1000);
        for number in 0..20_000 {
            visit(&mut domains, &format!("{number}.{long}"), Outcome::Silent, 0.0);
        }
        assert!(names(&domains).len() < 600, "what counts is the memory");
        assert_eq!(domains.unused.excess(), None);
    }

    #[test]
    fn who_has_devices_is_never_forgotten() {
        let mut domains = Domains::default();
        let id = domains.enter("victim.example");
        visit(&mut domains, "victim.example", Outcome::Silent, 0.0);
        for number in 0..20_000 {
            visit(&mut domains, &format!("d{number}.example"), Outcome::Silent, 0.0);
        }
        assert_eq!(domains.enter("victim.example"), id);
        assert_eq!(names(&domains)[0], "victim.example");
    }

    #[test]
    fn what_outlives_a_stop_is_not_pushed_out_by_many_of_one_family() {
        for outcome in [Outcome::Delivered, Outcome::Silent] {
            let mut domains = Domains::default();
            (0..6).for_each(|time| visit(&mut domains, "silent.test", Outcome::Silent, f64::from(time)));
            for number in 0..300 {
                let name = format!("d{number}.evil.test");
                let times = if outcome == Outcome::Silent { 5 } else { 1 };
                (0..times).for_each(|_| visit(&mut domains, &name, outcome, 10.0));
                domains.enter(&name);
            }
            visit(&mut domains, "push.example", Outcome::Delivered, 20.0);
            visit(&mut domains, "one.refused.test", Outcome::Rejected, 20.0);
            let name = |state: DomainState| state.domain;
            let kept: Vec<String> = domains.states(10, at(NEVER)).into_iter().map(name).collect();
            assert_eq!(kept.len(), 10);
            let holds = |name: &str| kept.iter().any(|kept| kept == name);
            assert!(holds("silent.test") && holds("push.example"), "{kept:?}");
            assert!(!holds("one.refused.test"), "of those that make no difference there is space for none");
            assert_eq!(
                names(&domains).len(),
                303,
                "where there is space for all of them, they are all there"
            );
        }
    }
}
