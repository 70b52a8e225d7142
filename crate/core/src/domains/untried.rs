//! App server domains that nothing was ever sent to: a few of them a minute are tried.

use std::collections::{BTreeMap, HashMap};

use super::DomainId;
use crate::time::Instant;

/// How many may be tried at once, and how many a minute.
const AT_ONCE: f64 = 30.0;
const SECONDS_EACH: f64 = 2.0;

/// Where an untried domain stands in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    round: u32,
    number: u32,
}

/// The relations of those in line: who owns a domain can make as many below it as they like.
#[derive(Debug, Default)]
struct Family {
    /// The round of the last one in line.
    round: u32,
    waiting: u32,
}

/// The untried domains that a push waits for. In each round there is one of each family.
#[derive(Debug, Default)]
pub(super) struct UntriedDomains {
    line: BTreeMap<Ticket, DomainId>,
    families: HashMap<Box<str>, Family>,
    round: u32,
    number: u32,
    /// When all that were tried will have been paid for.
    paid: Option<Instant>,
}

/// The last two labels of a domain.
pub(super) fn family(domain: &str) -> &str {
    domain.rmatch_indices('.').nth(1).map_or(domain, |(dot, _)| &domain[dot + 1..])
}

impl UntriedDomains {
    /// When the next one may be tried, if there is any.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        (!self.line.is_empty()).then(|| self.open_from())
    }

    /// One is tried at once, if it need not wait for others.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let is_admitted = self.line.is_empty() && self.open_from() <= now;
        if is_admitted {
            self.pay(now);
        }
        is_admitted
    }

    /// One gets in line.
    pub(super) fn line_up(&mut self, id: DomainId, domain: &str) -> Ticket {
        let family = self.families.entry(family(domain).into()).or_default();
        family.round = if family.waiting == 0 { self.round } else { family.round.saturating_add(1) };
        family.waiting += 1;
        self.number = self.number.wrapping_add(1);
        let ticket = Ticket { round: family.round, number: self.number };
        self.line.insert(ticket, id);
        ticket
    }

    /// One leaves the line.
    pub(super) fn leave(&mut self, ticket: Ticket, domain: &str) {
        if self.line.remove(&ticket).is_some() {
            let family_name = family(domain);
            if let Some(family) = self.families.get_mut(family_name) {
                family.waiting -= 1;
                if family.waiting == 0 {
                    self.families.remove(family_name);
                }
            }
        }
    }

    /// The first in line, if one may be tried at `now`. It still is in line.
    pub(super) fn first(&mut self, now: Instant) -> Option<(Ticket, DomainId)> {
        let (ticket, id) = self.line.first_key_value().filter(|_| self.open_from() <= now)?;
        self.round = ticket.round;
        Some((*ticket, *id))
    }

    /// One is tried.
    pub(super) fn pay(&mut self, now: Instant) {
        let before = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(before + SECONDS_EACH);
    }

    fn open_from(&self) -> Instant {
        self.paid
            .map_or(Instant::from_seconds(f64::NEG_INFINITY), |paid| paid - (AT_ONCE - 1.0) * SECONDS_EACH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Instant {
        Instant::from_seconds(seconds)
    }

    fn admitted(untried: &mut UntriedDomains, now: f64) -> usize {
        (0..1000).take_while(|_| untried.admit(at(now))).count()
    }

    #[test]
    fn thirty_at_once_then_one_every_two_seconds() {
        let mut untried = UntriedDomains::default();
        assert_eq!(admitted(&mut untried, 1000.0), 30);
        assert_eq!(admitted(&mut untried, 1001.9), 0);
        assert_eq!(admitted(&mut untried, 1002.0), 1);
        assert_eq!(admitted(&mut untried, 1060.0), 29);
        assert_eq!(admitted(&mut untried, 1e6), 30, "no more are saved up");
    }

    #[test]
    fn who_makes_many_domains_waits_for_themselves_alone() {
        let mut untried = UntriedDomains::default();
        for number in 0..1000 {
            untried.line_up(DomainId::from_index(number), &format!("d{number}.evil.example"));
        }
        untried.line_up(DomainId::from_index(1000), "push.example");
        untried.line_up(DomainId::from_index(1001), "push.other.example");
        let mut order = Vec::new();
        while let Some((ticket, id)) = untried.first(at(order.len() as f64 * 2.0)) {
            untried.pay(at(order.len() as f64 * 2.0));
            let name = if id.index() < 1000 { "evil.example" } else { "other.example" };
            untried.leave(ticket, if id.index() == 1000 { "push.example" } else { name });
            order.push(id.index());
        }
        assert_eq!(order[..4], [0, 1000, 1001, 1]);
        assert_eq!(order.len(), 1002);
        assert!(untried.families.is_empty());
    }

    #[test]
    fn a_family_is_what_one_can_make() {
        for (domain, expected) in [
            ("push.example", "push.example"),
            ("a.push.example", "push.example"),
            ("x.y.push.example", "push.example"),
            ("localhost", "localhost"),
            ("", ""),
            ("..", "."),
        ] {
            assert_eq!(family(domain), expected, "{domain}");
        }
    }
}
