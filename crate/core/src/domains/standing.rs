//! Where we stand with an app server domain: how much may be on its way to it.

use serde::{Deserialize, Serialize};

use super::DomainId;
use crate::circuit_breaker::{CircuitBreaker, FAILURES, Permit as BreakerPermit};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

/// How many publishes may be on their way to a domain that has never answered, and to any that is not probed.
const SMALLEST_WINDOW: u32 = 10;

/// A publish on its way, as its domain counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flight {
    /// Where it goes.
    pub(crate) domain: DomainId,
    /// Tells whether the domain has answered since, or given up being asked.
    epoch: u32,
    /// Whether the domain had never taken a publish before.
    pub(crate) is_first_contact: bool,
}

/// How a publish ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Landing<'a> {
    /// What was answered, if anything.
    pub(crate) outcome: Outcome,
    /// When.
    pub(crate) now: Instant,
    /// Of all domains that fail at the same time, each is asked again at another one: from 0 up to 1.
    pub(crate) spread: f64,
    /// What the operator has set.
    pub(crate) options: &'a Options,
}

/// Whether a publish may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Permit {
    /// It may.
    Granted,
    /// Not before one that is on its way has ended.
    Full,
    /// Not before this time.
    Denied { until: Instant },
}

/// Where we stand with an app server domain.
#[derive(Debug)]
pub(super) struct Standing {
    /// Something was sent to it once.
    is_contacted: bool,
    /// It has answered with a result once.
    has_answered: bool,
    /// The operator has named it.
    is_named: bool,
    /// How many publishes may be on their way.
    window: u32,
    in_flight: u32,
    /// Counts its answers, and how often its breaker has opened.
    epoch: u32,
    breaker: CircuitBreaker,
}

impl Default for Standing {
    fn default() -> Self {
        Standing {
            is_contacted: false,
            has_answered: false,
            is_named: false,
            window: SMALLEST_WINDOW,
            in_flight: 0,
            epoch: 0,
            breaker: CircuitBreaker::default(),
        }
    }
}

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
}

impl Standing {
    /// The operator names it, or does not any more.
    pub(super) fn set_named(&mut self, is_named: bool) {
        self.is_named = is_named;
    }

    /// Nothing was ever sent to it, and nobody has vouched for it.
    pub(super) fn is_untried(&self) -> bool {
        !self.is_contacted && !self.is_named
    }

    /// Something is sent to it, or may be from now on.
    pub(super) fn set_contacted(&mut self) {
        self.is_contacted = true;
    }

    /// Whether there is something to be remembered of it.
    pub(super) fn is_contacted(&self) -> bool {
        self.is_contacted
    }

    /// Whether it wants what we send: it has taken a publish, or the operator says so.
    pub(super) fn is_known(&self) -> bool {
        self.has_answered || self.is_named
    }

    /// Whether nothing is on its way.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight == 0
    }

    /// Whether a publish may leave at `now`.
    pub(super) fn permit(&self, now: Instant, options: &Options) -> Permit {
        match self.breaker.permit(now) {
            BreakerPermit::Denied { until } => Permit::Denied { until },
            BreakerPermit::Probe => Permit::Granted,
            BreakerPermit::Granted if self.has_space(options) => Permit::Granted,
            BreakerPermit::Granted => Permit::Full,
        }
    }

    /// Before its first result a domain gets no more than one small window: what has failed takes its place in there.
    fn has_space(&self, options: &Options) -> bool {
        let failed = if self.is_known() { 0 } else { self.breaker.failures() };
        self.in_flight == 0 || self.in_flight.saturating_add(failed) < self.window.min(options.max_in_flight)
    }

    /// A publish leaves at `now`.
    pub(super) fn record_sent(&mut self, domain: DomainId, now: Instant, options: &Options) -> Flight {
        self.is_contacted = true;
        self.in_flight = self.in_flight.saturating_add(1);
        self.breaker.record_sent(now, options);
        Flight { domain, epoch: self.epoch, is_first_contact: !self.is_known() }
    }

    /// A publish has ended; without a landing, it was not sent after all.
    pub(super) fn record_ended(&mut self, flight: Flight, landing: Option<&Landing<'_>>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let is_recent = flight.epoch == self.epoch;
        match landing {
            None if is_recent => self.breaker.withdraw_probe(),
            None => {}
            Some(landing) if landing.outcome == Outcome::Delivered => {
                self.has_answered = true;
                self.answered();
                let most = landing.options.max_in_flight.max(1);
                self.window = self.window.saturating_mul(2).min(most).max(SMALLEST_WINDOW.min(most));
            }
            Some(landing) => {
                self.window = self.window_after(landing.outcome).max(SMALLEST_WINDOW);
                if landing.outcome != Outcome::Silent && self.is_known() {
                    self.answered();
                } else if is_recent {
                    // Of one that was sent before the domain's last answer nothing follows for the domain.
                    self.failed(landing);
                }
            }
        }
    }

    /// The window after a failure. A domain that takes pushes and refuses one is not overloaded: it does not know that node. So
    /// nodes that somebody has made up do not narrow it for those that there are.
    fn window_after(&self, failure: Outcome) -> u32 {
        let is_one_node = failure == Outcome::Rejected && self.is_known();
        if is_one_node { self.window - self.window / 16 } else { self.window / 2 }
    }

    fn answered(&mut self) {
        self.breaker = CircuitBreaker::default();
        self.epoch = self.epoch.wrapping_add(1);
    }

    fn failed(&mut self, landing: &Landing<'_>) {
        let spread = landing.options.retry_delay * landing.spread;
        if self.breaker.record_failure(landing.now, spread, landing.options) {
            self.window = SMALLEST_WINDOW;
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// What outlives a clean stop. Answers to what is on its way are going to be missed: a domain that has never answered
    /// does not get as many again.
    pub(super) fn state(&self, domain: &str, now: Instant) -> DomainState {
        let missed = if self.is_known() { 0 } else { self.in_flight };
        DomainState {
            domain: domain.to_owned(),
            answered: self.has_answered,
            window: self.window,
            failures: self.breaker.failures().saturating_add(missed),
            trips: self.breaker.trips(),
            wait: self.breaker.until().map(|until| until.seconds_since(now).max(0.0)),
        }
    }

    /// Takes up what a snapshot says, unless more is known by now.
    pub(super) fn restore(&mut self, state: &DomainState, now: Instant, options: &Options) {
        if self.is_contacted {
            return;
        }
        self.is_contacted = true;
        self.has_answered = state.answered;
        self.window = state.window.clamp(SMALLEST_WINDOW, options.max_in_flight.max(SMALLEST_WINDOW));
        // A wait that is no number, or one that no breaker would have set, is none.
        let longest = options.max_retry_delay + options.retry_delay + options.reply_timeout;
        let wait = state.wait.filter(|wait| *wait >= 0.0).map(|wait| wait.min(longest));
        let is_given_up = !self.is_known() && state.failures >= FAILURES;
        let wait = wait.or_else(|| is_given_up.then(|| options.back_off(state.trips)));
        self.breaker = CircuitBreaker::restored(state.failures, state.trips, wait.map(|wait| now + wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: fn() -> DomainId = DomainId::default;

    fn end(standing: &mut Standing, flight: Flight, outcome: Outcome, now: f64) {
        let options = Options::default();
        let now = Instant::from_seconds(now);
        standing.record_ended(flight, Some(&Landing { outcome, now, spread: 0.0, options: &options }));
    }

    fn send(standing: &mut Standing, now: f64) -> Flight {
        standing.record_sent(DOMAIN(), Instant::from_seconds(now), &Options::default())
    }

    /// How many publishes leave at once.
    fn room(standing: &mut Standing, now: f64) -> Vec<Flight> {
        let (options, at) = (Options::default(), Instant::from_seconds(now));
        let granted = |standing: &Standing| standing.permit(at, &options) == Permit::Granted;
        std::iter::from_fn(|| granted(standing).then(|| send(standing, now))).take(2000).collect()
    }

    #[test]
    fn the_window_doubles_with_each_result_and_halves_with_each_error() {
        let mut standing = Standing::default();
        for expected in [10, 20, 40, 80, 160, 320, 500, 500] {
            let flights = room(&mut standing, 0.0);
            assert_eq!(flights.len(), expected);
            let first = flights[0];
            flights.into_iter().for_each(|flight| standing.record_ended(flight, None));
            standing.in_flight = 1;
            end(&mut standing, first, Outcome::Delivered, 0.0);
        }
        for expected in [250, 125, 62, 31, 15, 10, 10] {
            let flight = send(&mut standing, 0.0);
            end(&mut standing, flight, Outcome::Transient, 0.0);
            let flights = room(&mut standing, 0.0);
            assert_eq!(flights.len(), expected);
            flights.into_iter().for_each(|flight| standing.record_ended(flight, None));
        }
    }

    #[test]
    fn made_up_nodes_do_not_narrow_the_window_for_others() {
        let mut standing = Standing::default();
        // Of eleven pushes one is to a node that there is.
        for push in 0..11 * 40 {
            let flight = send(&mut standing, 0.0);
            let outcome = if push % 11 == 0 { Outcome::Delivered } else { Outcome::Rejected };
            end(&mut standing, flight, outcome, 0.0);
        }
        assert!(room(&mut standing, 0.0).len() > 200);
        let mut refusing = Standing::default();
        let first = send(&mut refusing, 0.0);
        end(&mut refusing, first, Outcome::Delivered, 0.0);
        for _ in 0..100 {
            let flight = send(&mut refusing, 0.0);
            end(&mut refusing, flight, Outcome::Rejected, 0.0);
        }
        assert_eq!(room(&mut refusing, 0.0).len(), 15, "where nobody is known, it does not stay wide");
    }

    #[test]
    fn silence_from_before_an_answer_says_nothing_of_the_domain() {
        let mut standing = Standing::default();
        let first = send(&mut standing, 0.0);
        end(&mut standing, first, Outcome::Delivered, 0.0);
        let silent: Vec<Flight> = (0..20).map(|_| send(&mut standing, 1.0)).collect();
        let answered = send(&mut standing, 2.0);
        end(&mut standing, answered, Outcome::Rejected, 2.0);
        silent.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Silent, 121.0));
        assert_eq!(room(&mut standing, 121.0).len(), 10, "it is not given up");
    }

    #[test]
    fn what_was_sent_before_a_probe_says_nothing_of_it() {
        let mut standing = Standing::default();
        let mut flights = room(&mut standing, 0.0);
        flights.drain(..5).for_each(|flight| end(&mut standing, flight, Outcome::Rejected, 0.0));
        assert_eq!(room(&mut standing, 9.9).len(), 0);
        let probe = room(&mut standing, 10.0);
        assert_eq!(probe.len(), 1);
        flights.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Silent, 120.0));
        assert_eq!(standing.breaker.trips(), 1);
        end(&mut standing, probe[0], Outcome::Silent, 130.0);
        assert_eq!((room(&mut standing, 149.9).len(), room(&mut standing, 150.0).len()), (0, 1));
    }

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
            assert_eq!(room(&mut standing, 4000.0).len(), 1, "{wait}: a probe, within reason");
        }
    }
}
