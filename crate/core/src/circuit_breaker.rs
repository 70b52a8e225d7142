//! Circuit breakers: an app server that does not answer is spared, instead of being asked once for every device.
//!
//! A breaker that is closed lets pushes through. After some failures in a row it opens, and blocks them for a while. Then
//! it is half open: a single push probes the app server. Any answer closes it; another failure opens it for longer.

use std::collections::HashMap;

use crate::app_server::AppServer;
use crate::options::Options;
use crate::time::Instant;

/// How many publishes in a row must stay unanswered before a breaker opens.
const FAILURES: u32 = 5;

/// How many app servers are remembered before those that matter no more are forgotten.
const REMEMBERED: usize = 256;

/// Whether an app server may be asked now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Permit {
    /// It may.
    Granted,
    /// Not before this time.
    Denied {
        /// When to come again.
        until: Instant,
    },
}

/// The breakers of the app servers that have not answered lately. Those of all others are closed.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreakers(HashMap<AppServer, CircuitBreaker>);

#[derive(Debug, Default)]
struct CircuitBreaker {
    /// Publishes in a row without an answer.
    failures: u32,
    /// How often in a row it has opened.
    trips: u32,
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

impl State {
    fn is_past(&self, now: Instant) -> bool {
        match self {
            State::Closed => true,
            State::Open { until } | State::HalfOpen { until } => *until <= now,
        }
    }
}

impl CircuitBreakers {
    /// Asks to send a publish at `now`.
    pub(crate) fn ask(&mut self, app_server: &AppServer, now: Instant, options: &Options) -> Permit {
        let Some(breaker) = self.0.get_mut(app_server) else { return Permit::Granted };
        match breaker.state {
            State::Closed => Permit::Granted,
            State::Open { until } | State::HalfOpen { until } if now < until => Permit::Denied { until },
            State::Open { .. } | State::HalfOpen { .. } => {
                breaker.state = State::HalfOpen { until: now + options.reply_timeout };
                Permit::Granted
            }
        }
    }

    /// An app server has answered, whatever it said.
    pub(crate) fn record_answer(&mut self, app_server: &AppServer) {
        self.0.remove(app_server);
    }

    /// A publish was not answered.
    pub(crate) fn record_failure(&mut self, app_server: &AppServer, now: Instant, options: &Options) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, breaker| !breaker.state.is_past(now));
        }
        let breaker = self.0.entry(app_server.clone()).or_default();
        breaker.failures = breaker.failures.saturating_add(1);
        let trips = match breaker.state {
            State::Closed => breaker.failures >= FAILURES,
            // What was sent before it opened and times out while it is open says nothing new.
            State::Open { until } => now >= until,
            State::HalfOpen { .. } => true,
        };
        if trips {
            breaker.state = State::Open { until: now + options.back_off(breaker.trips) };
            breaker.trips = breaker.trips.saturating_add(1);
        }
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
            breakers.record_failure(app_server, at(now), &Options::default());
        }
    }

    #[test]
    fn is_opened_by_silence_and_closed_by_any_answer() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        for _ in 1..FAILURES {
            breakers.record_failure(&app_server, at(0.0), &options);
        }
        assert_eq!(breakers.ask(&app_server, at(0.0), &options), GRANTED);
        breakers.record_failure(&app_server, at(0.0), &options);
        assert_eq!(breakers.ask(&app_server, at(0.0), &options), denied(10.0));
        assert_eq!(breakers.ask(&AppServer::prepared("other.example"), at(0.0), &options), GRANTED);
        breakers.record_answer(&app_server);
        assert_eq!(breakers.ask(&app_server, at(0.0), &options), GRANTED);
    }

    #[test]
    fn probes_with_one_publish_when_half_open_and_opens_longer_each_time() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        fail_five_times(&mut breakers, &app_server, 0.0);
        assert_eq!(breakers.ask(&app_server, at(10.0), &options), GRANTED);
        assert_eq!(breakers.ask(&app_server, at(10.0), &options), denied(130.0));
        breakers.record_failure(&app_server, at(130.0), &options);
        assert_eq!(breakers.ask(&app_server, at(130.0), &options), denied(150.0));
    }

    #[test]
    fn many_failures_at_once_are_one_reason_to_open() {
        let (mut breakers, options) = (CircuitBreakers::default(), Options::default());
        let app_server = AppServer::prepared("push.example");
        for _ in 0..100 {
            fail_five_times(&mut breakers, &app_server, 0.0);
        }
        assert_eq!(breakers.ask(&app_server, at(0.0), &options), denied(10.0));
    }
}
