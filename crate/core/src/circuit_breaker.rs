//! Circuit breakers: an app server that does not answer is spared, instead of being asked once for every device.
//!
//! A breaker that is closed lets pushes through. After some failures in a row it opens, and blocks them for a while. Then
//! it is half open: a single push probes the app server. Any answer closes it; another failure opens it for longer.
//!
//! An app server that has taken pushes before is wanted back soon: it is probed at least every [`LATEST_PROBE`] seconds, whether
//! or not the last probe was answered, and so however long it takes to notice that it was not.
//!
//! All of that may be the fault of few devices, whose app server answers for others: when one that has not failed has something to be
//! pushed, [`FAILURES`] more probes may leave at once, once until there is an answer.
//!
//! There is one for each app server domain (see [`crate::domains`]), and one for each app server of a domain that answers
//! for others.

use std::collections::HashMap;

use crate::app_server::AppServer;
use crate::options::Options;
use crate::time::Instant;

/// How many publishes in a row must stay unanswered before a breaker opens.
pub(crate) const FAILURES: u32 = 5;

/// When an app server that has taken pushes before is probed for the first time at the latest, and how often it is after that,
/// in seconds.
const FIRST_PROBE: f64 = 1.0;
const LATEST_PROBE: f64 = 20.0;

/// For how long a device waits for the answer to a probe of such an app server, in seconds: an answer after that is one of the
/// app server still, but the device may be needed for another probe.
pub(crate) const PROBE_TIMEOUT: f64 = 15.0;

/// How long it goes on to wait where nobody answered, in seconds.
pub(crate) const PROBE_PAUSE: f64 = 10.0;

/// How many app servers are remembered at least before those that matter no more are forgotten.
const REMEMBERED: usize = 256;

/// Whether an app server may be asked now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Permit {
    /// It may.
    Granted,
    /// With a single push, to see whether it answers.
    Probe,
    /// Not before this time.
    Denied {
        /// When to come again.
        until: Instant,
    },
}

/// A circuit breaker.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    /// Publishes in a row without an answer.
    failures: u32,
    /// How often in a row it has opened.
    trips: u32,
    /// Whether it may be asked once more on behalf of a device that has not failed, and by how many pushes it is.
    may_be_doubted: bool,
    second_chances: u32,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        /// Until when the probe may be answered.
        until: Instant,
    },
}

impl CircuitBreaker {
    /// A breaker as a snapshot has it: open until a time if it has any.
    pub(crate) fn restored(failures: u32, trips: u32, until: Option<Instant>) -> Self {
        let state = until.map_or(State::Closed, |until| State::Open { until });
        CircuitBreaker { failures, trips, state, ..CircuitBreaker::default() }
    }

    /// Publishes in a row without an answer.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// How often in a row it has opened.
    pub(crate) fn trips(&self) -> u32 {
        self.trips
    }

    /// Until when it is open, or waits for a probe to be answered.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Open { until } | State::HalfOpen { until } => Some(until),
        }
    }

    /// Whether a publish may be sent at `now`.
    pub(crate) fn permit(&self, now: Instant) -> Permit {
        match self.until() {
            None => Permit::Granted,
            Some(until) if now < until && self.second_chances == 0 => Permit::Denied { until },
            Some(_) => Permit::Probe,
        }
    }

    /// A publish is sent at `now`: the probe, if it is open. An app server that is wanted back is probed again before long,
    /// whatever becomes of this one.
    pub(crate) fn record_sent(&mut self, now: Instant, is_wanted_back: bool, options: &Options) {
        if matches!(self.state, State::Closed) {
            return;
        }
        if self.second_chances > 0 {
            self.second_chances -= 1;
            return;
        }
        if is_wanted_back {
            self.spare(now, 0.0, true, options);
        } else {
            self.state = State::HalfOpen { until: now + options.reply_timeout };
        }
    }

    /// The probe was not sent after all.
    pub(crate) fn withdraw_probe(&mut self, is_wanted_back: bool) {
        let is_probed = matches!(self.state, State::HalfOpen { .. });
        if is_probed || is_wanted_back && !matches!(self.state, State::Closed) {
            self.state = State::Open { until: Instant::from_seconds(f64::NEG_INFINITY) };
        }
    }

    /// A publish was not answered. Returns whether this opens it: then for longer than others, by a part of the delay.
    pub(crate) fn record_failure(
        &mut self,
        now: Instant,
        spread: f64,
        is_wanted_back: bool,
        options: &Options,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        let trips = match self.state {
            State::Closed => self.failures >= FAILURES,
            // What was sent before it opened and times out while it is open says nothing new.
            State::Open { until } => now >= until && !is_wanted_back,
            State::HalfOpen { .. } => true,
        };
        if trips {
            self.may_be_doubted = is_wanted_back && matches!(self.state, State::Closed);
            self.spare(now, spread, is_wanted_back, options);
        }
        trips
    }

    /// A device that has not failed has something to be pushed. Returns whether more probes may leave because of that.
    pub(crate) fn doubt(&mut self) -> bool {
        let is_doubted = std::mem::take(&mut self.may_be_doubted);
        if is_doubted {
            self.second_chances = FAILURES;
        }
        is_doubted
    }

    /// It opens, or stays open, and nobody doubts that.
    pub(crate) fn open(&mut self, now: Instant, is_wanted_back: bool, options: &Options) {
        (self.may_be_doubted, self.second_chances) = (false, 0);
        self.spare(now, 0.0, is_wanted_back, options);
    }

    /// It opens, or stays open: see [`CircuitBreaker::record_failure`].
    fn spare(&mut self, now: Instant, spread: f64, is_wanted_back: bool, options: &Options) {
        let delay = if is_wanted_back {
            probe_delay(self.trips, options) * (1.0 + spread / 2.0)
        } else {
            options.back_off(self.trips) + options.retry_delay * spread
        };
        self.state = State::Open { until: now + delay };
        self.trips = self.trips.saturating_add(1);
    }

    /// The app server may be back: it is probed at this time at the latest, if it is spared, and then as if it had been spared so
    /// often.
    pub(crate) fn hasten(&mut self, at: Instant, trips: u32) {
        if let Some(until) = self.until() {
            self.state = State::Open { until: until.min(at) };
            self.trips = self.trips.min(trips);
        }
    }
}

/// How long it takes after so many probes until the next one, of an app server that has taken pushes before, in seconds.
pub(crate) fn probe_delay(probes: u32, options: &Options) -> f64 {
    let first = FIRST_PROBE.min(options.retry_delay);
    (first * 2_f64.powi(probes.min(62).cast_signed())).min(LATEST_PROBE).min(options.max_retry_delay)
}

/// The breakers of the app servers that have not answered lately, though their domains have. Those of all others are closed.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreakers {
    breakers: HashMap<AppServer, CircuitBreaker>,
    /// How many there may be before those that matter no more are let go.
    limit: usize,
}

impl CircuitBreakers {
    /// Asks to send a publish at `now` for a device that has failed or not, to an app server that has taken some before or not.
    pub(crate) fn ask(
        &mut self,
        app_server: &AppServer,
        has_failed: bool,
        is_wanted_back: bool,
        now: Instant,
        options: &Options,
    ) -> Permit {
        // Nearly always there is none.
        if self.breakers.is_empty() {
            return Permit::Granted;
        }
        let Some(breaker) = self.breakers.get_mut(app_server) else { return Permit::Granted };
        if !has_failed {
            breaker.doubt();
        }
        let permit = breaker.permit(now);
        if permit == Permit::Probe {
            breaker.record_sent(now, is_wanted_back, options);
        }
        permit
    }

    /// An app server has answered, whatever it said. Returns whether it was spared until then.
    pub(crate) fn record_answer(&mut self, app_server: &AppServer) -> bool {
        if self.breakers.is_empty() {
            return false;
        }
        self.breakers.remove(app_server).is_some_and(|breaker| breaker.until().is_some())
    }

    /// A publish to an app server, which has taken some before or not, was not answered.
    pub(crate) fn record_failure(
        &mut self,
        app_server: &AppServer,
        is_wanted_back: bool,
        now: Instant,
        options: &Options,
    ) {
        if self.breakers.len() >= self.limit.max(REMEMBERED) {
            self.breakers.retain(|_, breaker| breaker.until().is_some_and(|until| now < until));
            self.limit = self.breakers.len() * 2;
        }
        self.breakers.entry(app_server.clone()).or_default().record_failure(
            now,
            0.0,
            is_wanted_back,
            options,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANTED: Permit = Permit::Granted;

    fn at(seconds: f64) -> Instant {
        Instant::from_seconds(seconds)
    }

    fn denied(until: f64) -> Permit {
        Permit::Denied { until: at(until) }
    }

    fn fail_five_times(breakers: &mut CircuitBreakers, app_server: &AppServer, now: f64) {
        for _ in 0..FAILURES {
            breakers.record_failure(app_server, false, at(now), &Options::default());
        }
    }

    #[test]
    fn is_opened_by_silence_and_closed_by_any_answer() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        for _ in 1..FAILURES {
            breakers.record_failure(&app_server, false, at(0.0), &options);
        }
        assert_eq!(breakers.ask(&app_server, true, false, at(0.0), &options), GRANTED);
        breakers.record_failure(&app_server, false, at(0.0), &options);
        assert_eq!(breakers.ask(&app_server, true, false, at(0.0), &options), denied(10.0));
        assert_eq!(
            breakers.ask(&AppServer::prepared("other.example"), true, false, at(0.0), &options),
            GRANTED
        );
        breakers.record_answer(&app_server);
        assert_eq!(breakers.ask(&app_server, true, false, at(0.0), &options), GRANTED);
    }

    #[test]
    fn probes_with_one_publish_when_half_open_and_opens_longer_each_time() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        fail_five_times(&mut breakers, &app_server, 0.0);
        assert_eq!(breakers.ask(&app_server, true, false, at(10.0), &options), Permit::Probe);
        assert_eq!(breakers.ask(&app_server, true, false, at(10.0), &options), denied(130.0));
        breakers.record_failure(&app_server, false, at(130.0), &options);
        assert_eq!(breakers.ask(&app_server, true, false, at(130.0), &options), denied(150.0));
    }

    #[test]
    fn many_failures_at_once_are_one_reason_to_open() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        for _ in 0..100 {
            fail_five_times(&mut breakers, &app_server, 0.0);
        }
        assert_eq!(breakers.ask(&app_server, true, false, at(0.0), &options), denied(10.0));
    }

    #[test]
    fn a_probe_that_was_not_sent_is_still_to_be_sent() {
        let options = Options::default();
        let mut breaker = CircuitBreaker::restored(FAILURES, 1, Some(at(10.0)));
        breaker.record_sent(at(10.0), false, &options);
        assert_eq!(breaker.permit(at(11.0)), denied(130.0));
        breaker.withdraw_probe(false);
        assert_eq!(breaker.permit(at(11.0)), Permit::Probe);
    }

    #[test]
    fn who_is_wanted_back_is_probed_every_few_seconds_whether_or_not_a_probe_is_answered() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        for _ in 0..FAILURES {
            breakers.record_failure(&app_server, true, at(0.0), &options);
        }
        let mut probes = Vec::new();
        for second in 0..200 {
            if breakers.ask(&app_server, true, true, at(f64::from(second)), &options) == Permit::Probe {
                probes.push(second);
            }
        }
        assert_eq!(probes, [1, 3, 7, 15, 31, 51, 71, 91, 111, 131, 151, 171, 191]);
        breakers.record_failure(&app_server, true, at(200.0), &options);
        assert_eq!(
            breakers.ask(&app_server, true, true, at(200.0), &options),
            denied(211.0),
            "no later for that"
        );
        assert!(breakers.record_answer(&app_server), "it was spared");
        assert!(!breakers.record_answer(&app_server));
    }

    #[test]
    fn who_may_be_back_is_probed_at_once() {
        let options = Options::default();
        let mut breaker = CircuitBreaker::default();
        breaker.hasten(at(1.0), 0);
        assert_eq!(breaker.permit(at(0.0)), GRANTED, "it was not spared");
        breaker.open(at(0.0), true, &options);
        breaker.open(at(0.0), true, &options);
        assert_eq!(breaker.permit(at(0.0)), denied(2.0));
        breaker.hasten(at(5.0), 9);
        assert_eq!(breaker.permit(at(0.0)), denied(2.0), "no later");
        breaker.hasten(at(0.5), 0);
        assert_eq!(breaker.permit(at(0.5)), Permit::Probe);
        breaker.record_sent(at(0.5), true, &options);
        assert_eq!(breaker.permit(at(0.5)), denied(1.5), "and then soon");
    }
}
