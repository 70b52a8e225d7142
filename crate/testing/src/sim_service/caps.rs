//! How much may be on its way to a domain of app servers.

use std::collections::{BTreeMap, BTreeSet};

use muc_cloud_notify_core::Options;

use super::app_servers::SimAppServer;

/// Before a domain has taken a publish.
const MOST_AT_FIRST: usize = 10;

#[derive(Debug, Default)]
struct SentTo {
    /// Ids, and since when.
    in_flight: Vec<(String, f64)>,
    /// How many in all before the first result, and since when.
    sent: usize,
    since: f64,
}

/// What was sent to domains since the engine was started.
#[derive(Debug, Default)]
pub(super) struct Caps {
    domains: BTreeMap<String, SentTo>,
    /// Those that have taken something.
    known: BTreeSet<String>,
}

impl Caps {
    /// A publish leaves. Panics where it is one too many.
    pub(super) fn sent(&mut self, to: &SimAppServer, id: &str, now: f64, options: &Options) {
        let domain = self.domains.entry(to.domain.clone()).or_default();
        domain.in_flight.retain(|(_, since)| since + options.reply_timeout > now);
        domain.in_flight.push((id.to_owned(), now));
        let most = options.max_in_flight as usize;
        assert!(domain.in_flight.len() <= most, "{} gets {} at once", to.domain, domain.in_flight.len());
        if domain.sent == 0 {
            domain.since = now;
        }
        domain.sent += 1;
        if !to.has_taken_any {
            let probes = 1 + ((now - domain.since) / options.retry_delay) as usize;
            assert!(domain.sent <= MOST_AT_FIRST + probes, "{} gets {} at first", to.domain, domain.sent);
        }
    }

    /// A domain has taken something.
    pub(super) fn taken(&mut self, domain: &str) {
        self.known.insert(domain.to_owned());
    }

    /// Whether a domain has taken anything.
    pub(super) fn has_taken_any(&self, domain: &str) -> bool {
        self.known.contains(domain)
    }

    /// The link to a domain is lost, with all that was on its way.
    pub(super) fn link_lost(&mut self, domain: &str) {
        if let Some(domain) = self.domains.get_mut(domain) {
            domain.in_flight.clear();
        }
    }

    /// A publish was not sent after all.
    pub(super) fn taken_back(&mut self, id: &str) {
        let is_it = |domain: &&mut SentTo| domain.in_flight.iter().any(|(other, _)| other == id);
        self.domains.values_mut().filter(is_it).for_each(|domain| domain.sent -= 1);
        self.ended(id);
    }

    /// A publish has ended. Returns whether it was on its way.
    pub(super) fn ended(&mut self, id: &str) -> bool {
        let before: usize = self.domains.values().map(|domain| domain.in_flight.len()).sum();
        self.domains.values_mut().for_each(|domain| domain.in_flight.retain(|(other, _)| other != id));
        self.domains.values().map(|domain| domain.in_flight.len()).sum::<usize>() < before
    }
}
