//! What outlives a stop of what is known of the domains of app servers.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::app_server::canonical;
use crate::circuit_breaker::{CircuitBreaker, FAILURES, probe_delay};
use crate::options::Options;
use crate::time::Instant;

use super::standing::Standing;
use super::strangers::{Strangers, StrangersState};
use super::turns::FamilyId;
use super::window::Window;
use super::{Domain, Domains};

/// What outlives a clean stop of what is known of an app server domain.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DomainState {
    /// The domain.
    pub domain: String,
    /// Whether it has answered with a result once.
    pub answered: bool,
    /// How many publishes may be on their way to it.
    pub window: u32,
    /// Publishes in a row that failed.
    pub failures: u32,
    /// How often in a row it was given up for a while.
    pub trips: u32,
    /// For how many seconds it is not to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<f64>,
    /// Some of its app servers that have taken publishes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_servers: Vec<String>,
    /// What is known of its other ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strangers: Option<StrangersState>,
}

impl Standing {
    /// What outlives a clean stop. Answers to what is on its way are going to be missed: a domain that has never answered
    /// does not get as many again.
    pub(super) fn state(&self, domain: &str, now: Instant) -> DomainState {
        let missed = if self.is_known() { 0 } else { self.in_flight };
        DomainState {
            domain: domain.to_owned(),
            answered: self.has_answered,
            window: self.window.width(),
            failures: self.breaker.failures().saturating_add(missed),
            trips: self.breaker.trips(),
            wait: self.breaker.until().map(|until| until.seconds_since(now).max(0.0)),
            ..DomainState::default()
        }
    }

    /// Takes up what a snapshot says, unless more is known by now.
    pub(super) fn restore(&mut self, state: &DomainState, now: Instant, options: &Options) {
        if self.is_contacted {
            return;
        }
        self.is_contacted = true;
        self.has_answered = state.answered;
        self.window = Window::restored(state.window, options);
        // A wait that is no number, or one that no breaker would have set, is none.
        let longest = options.max_retry_delay + options.retry_delay + options.reply_timeout;
        let wait = state.wait.filter(|wait| *wait >= 0.0).map(|wait| wait.min(longest));
        let is_given_up = !self.is_known() && state.failures >= FAILURES;
        let wait = wait.or_else(|| is_given_up.then(|| options.back_off(state.trips)));
        // One that has taken pushes is probed soon, whatever has been.
        let wait =
            wait.map(|wait| if self.is_known() { wait.min(probe_delay(state.trips, options)) } else { wait });
        self.is_troubled = wait.is_some();
        self.breaker = CircuitBreaker::restored(state.failures, state.trips, wait.map(|wait| now + wait));
    }
}

/// How much a snapshot tells of the app servers that have taken publishes, in bytes. Nearly all domains have one, of few bytes.
const APP_SERVERS_BYTES: usize = 1 << 20;

impl Domains {
    /// What outlives a clean stop, of at most so many domains: of those first that it makes a difference for, and of as many of each
    /// family. Nobody is to push another one out by naming many of their own.
    pub(crate) fn states(&self, at_most: usize, now: Instant) -> Vec<DomainState> {
        let contacted = self.domains.iter().filter(|it| it.standing.is_contacted() && !it.name.is_empty());
        let mut before: HashMap<(FamilyId, bool), u32> = HashMap::new();
        let mut all: Vec<_> = contacted
            .map(|domain| {
                let standing = &domain.standing;
                let is_new = !standing.is_known() && !standing.is_given_up();
                let of_family = before.entry((domain.family, is_new)).or_default();
                *of_family += 1;
                ((is_new, *of_family, standing.is_known(), domain.devices == 0), domain)
            })
            .collect();
        if all.len() > at_most {
            all.select_nth_unstable_by_key(at_most, |(rank, _)| *rank);
            all.truncate(at_most);
        }
        let mut left = APP_SERVERS_BYTES;
        all.into_iter().map(|(_, domain)| domain.state(&mut left, now)).collect()
    }

    /// Takes up what a snapshot says of a domain.
    pub(crate) fn restore(&mut self, state: &DomainState, now: Instant, options: &Options) {
        let id = self.id_or_insert(canonical(&state.domain));
        if let Some(domain) = self.domains.get_mut(id.index()) {
            domain.restore(state, now, options);
            self.schedule.leave(id, domain);
            self.schedule.make_ready(id, domain);
        }
        self.count_away(id);
        self.tidy(id);
    }
}

impl Domain {
    /// What outlives a clean stop. So many bytes are left for the app servers of all domains that have taken publishes.
    fn state(&self, left: &mut usize, now: Instant) -> DomainState {
        let app_servers = self.app_servers.some(left);
        DomainState {
            app_servers,
            strangers: self.strangers.state(now),
            ..self.standing.state(&self.name, now)
        }
    }

    /// Takes up what a snapshot says, unless more is known by now.
    fn restore(&mut self, state: &DomainState, now: Instant, options: &Options) {
        if self.standing.is_contacted() {
            return;
        }
        self.standing.restore(state, now, options);
        if state.answered {
            self.app_servers.restore(&self.name, &state.app_servers);
            self.strangers = Strangers::restored(&state.strangers.clone().unwrap_or_default(), now, options);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::standing::Permit;
    use super::*;

    #[test]
    fn a_snapshot_that_is_wrong_does_no_harm() {
        for wait in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let state = DomainState {
                window: u32::MAX,
                failures: u32::MAX,
                trips: u32::MAX,
                wait: Some(wait),
                ..DomainState::default()
            };
            let mut standing = Standing::default();
            standing.restore(&state, Instant::from_seconds(0.0), &Options::default());
            assert_eq!(
                standing.permit(Instant::from_seconds(4000.0), &Options::default()),
                Permit::Granted,
                "{wait}: a probe, within reason"
            );
        }
    }
}
