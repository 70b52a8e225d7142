//! What outlives a stop of what is known of an app server domain.

use serde::{Deserialize, Serialize};

use crate::circuit_breaker::{CircuitBreaker, FAILURES, probe_delay};
use crate::options::Options;
use crate::time::Instant;

use super::standing::Standing;
use super::strangers::StrangersState;
use super::window::Window;

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
