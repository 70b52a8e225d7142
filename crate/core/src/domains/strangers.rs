//! The app servers of a domain that have taken no publish, where others have: who can have one of them answer can name any number of
//! addresses there, of people who have not asked for anything.
//!
//! So they stand for each other, as all app servers of an unknown domain do: few publishes are on their way to them at first, more with
//! each that is taken, and single ones, less and less often, when those are refused. One that is taken makes up for one that is not, and
//! for no more. Whoever has taken one waits for none of that.

use serde::{Deserialize, Serialize};

use super::flight::Landing;
use crate::circuit_breaker::{CircuitBreaker, FAILURES, Permit};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

/// How many publishes may be on their way to them at first: as many as to a domain that has taken one.
const AT_FIRST: u32 = 20;

/// Where we stand with them.
#[derive(Debug)]
pub(super) struct Strangers {
    /// How many publishes are on their way to them.
    in_flight: u32,
    width: u32,
    breaker: CircuitBreaker,
}

impl Default for Strangers {
    fn default() -> Self {
        Strangers { in_flight: 0, width: AT_FIRST, breaker: CircuitBreaker::default() }
    }
}

impl Strangers {
    /// Until when a publish to one of them has to wait at least, where so many may be on their way to all; `None` where it may leave.
    pub(super) fn wait(&self, share: u32, now: Instant) -> Option<Instant> {
        let is_full = self.in_flight >= self.width.min(share);
        self.are_spared(now).or_else(|| (is_full && self.breaker.until().is_none()).then_some(now))
    }

    /// Until when they are spared, if they are.
    pub(super) fn are_spared(&self, now: Instant) -> Option<Instant> {
        match self.breaker.permit(now) {
            Permit::Denied { until } => Some(until),
            Permit::Granted | Permit::Probe => None,
        }
    }

    /// A publish leaves for one of them, which counts among those that others have taken publishes beside or not.
    pub(super) fn record_sent(&mut self, counts: bool, now: Instant, options: &Options) {
        self.in_flight = self.in_flight.saturating_add(counts.into());
        self.breaker.record_sent(now, false, options);
    }

    /// A publish to one of them has ended; without a landing, it was not sent after all. That one was not answered says nothing of them
    /// where nobody is there.
    pub(super) fn record_ended(&mut self, counts: bool, landing: Option<&Landing<'_>>, is_domain_away: bool) {
        self.in_flight = self.in_flight.saturating_sub(counts.into());
        let Some(landing) = landing else {
            self.breaker.withdraw_probe(false);
            return;
        };
        match landing.outcome {
            Outcome::Delivered => {
                self.width = self.width.saturating_mul(2).min(landing.options.max_in_flight.max(1));
                let failures = self.breaker.failures().min(FAILURES).saturating_sub(1);
                let trips = self.breaker.trips().saturating_sub(1);
                self.breaker = CircuitBreaker::restored(failures, trips, None);
            }
            Outcome::Silent if is_domain_away => {}
            _ => {
                self.width = (self.width / 2).max(1);
                self.breaker.record_failure(landing.now, landing.spread, false, landing.options);
            }
        }
    }

    /// Their domain is back from wherever it was: if they are spared, one of them may be asked at once.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.breaker.hasten(now, u32::MAX);
    }

    /// What outlives a stop, where anything was wrong. Answers to what is on its way are going to be missed.
    pub(super) fn state(&self, now: Instant) -> Option<StrangersState> {
        let failures = self.breaker.failures().saturating_add(self.in_flight);
        (failures > 0 || self.breaker.trips() > 0).then(|| StrangersState {
            failures,
            trips: self.breaker.trips(),
            wait: self.breaker.until().map(|until| until.seconds_since(now).max(0.0)),
        })
    }

    /// Those of which a snapshot says this.
    pub(super) fn restored(state: &StrangersState, now: Instant, options: &Options) -> Self {
        // A wait that is no number, or one that no breaker would have set, is none.
        let longest = options.max_retry_delay + options.retry_delay + options.reply_timeout;
        let wait = state.wait.filter(|wait| *wait >= 0.0).map(|wait| wait.min(longest));
        let is_given_up = state.failures >= FAILURES;
        let wait = wait.or_else(|| is_given_up.then(|| options.back_off(state.trips)));
        let width = if state.failures > 0 { 1 } else { AT_FIRST };
        let breaker = CircuitBreaker::restored(state.failures, state.trips, wait.map(|wait| now + wait));
        Strangers { in_flight: 0, width, breaker }
    }
}

/// What outlives a clean stop of what is known of the app servers of a domain that have taken no publish, where others have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrangersState {
    /// How many more publishes have failed than were taken.
    pub failures: u32,
    /// How often in a row they were spared for a while.
    pub trips: u32,
    /// For how many seconds they are not to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Instant {
        Instant::from_seconds(seconds)
    }

    /// So many leave at once.
    fn send(strangers: &mut Strangers, now: f64) -> u32 {
        let options = Options::default();
        let mut sent = 0;
        while strangers.wait(250, at(now)).is_none() {
            strangers.record_sent(true, at(now), &options);
            sent += 1;
        }
        sent
    }

    fn end(strangers: &mut Strangers, outcome: Outcome, now: f64) {
        let options = Options::default();
        let landing = Landing { outcome, now: at(now), spread: 0.0, options: &options };
        strangers.record_ended(true, Some(&landing), false);
    }

    #[test]
    fn those_that_refuse_get_twenty_and_then_single_ones() {
        let mut strangers = Strangers::default();
        assert_eq!(send(&mut strangers, 0.0), 20);
        (0..20).for_each(|_| end(&mut strangers, Outcome::Rejected, 0.1));
        let mut times = Vec::new();
        for second in 1..3600 {
            let now = f64::from(second);
            for _ in 0..send(&mut strangers, now) {
                end(&mut strangers, Outcome::Rejected, now);
                times.push(second);
            }
        }
        assert_eq!(times, [11, 31, 71, 151, 311, 631, 1271, 2551]);
    }

    #[test]
    fn one_that_is_taken_makes_up_for_one_that_is_not() {
        let mut strangers = Strangers::default();
        let (mut sent, mut now) = (0, 0.0);
        for _ in 0..3600 {
            now += 1.0;
            for _ in 0..send(&mut strangers, now) {
                sent += 1;
                // Of six, one is taken.
                let outcome = if sent % 6 == 0 { Outcome::Delivered } else { Outcome::Rejected };
                end(&mut strangers, outcome, now);
            }
        }
        assert!(sent <= 60, "{sent}");
        let mut honest = Strangers::default();
        for _ in 0..5 {
            end(&mut honest, Outcome::Delivered, 0.0);
        }
        assert_eq!(send(&mut honest, 0.0), 250);
    }

    #[test]
    fn what_outlives_a_stop_does_not_begin_anew_and_does_no_harm() {
        let (mut strangers, options) = (Strangers::default(), Options::default());
        assert_eq!(strangers.state(at(0.0)), None);
        assert_eq!(send(&mut strangers, 0.0), 20);
        let state = strangers.state(at(0.0)).unwrap();
        let mut after = Strangers::restored(&state, at(0.0), &options);
        assert_eq!((send(&mut after, 9.9), send(&mut after, 10.0)), (0, 1));
        for wait in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let state = StrangersState { failures: u32::MAX, trips: u32::MAX, wait: Some(wait) };
            let mut after = Strangers::restored(&state, at(0.0), &options);
            assert_eq!(send(&mut after, 4000.0), 1, "{wait}");
        }
    }
}
