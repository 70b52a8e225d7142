//! Where we stand with an app server domain: whether a publish may leave.

use super::flight::{Ending, Flight, Landing};
use super::window::Window;
use super::{DomainId, Publisher, Relation};
use crate::circuit_breaker::{CircuitBreaker, FAILURES, Permit as BreakerPermit, probe_delay};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

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
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Something was sent to it once.
    pub(super) is_contacted: bool,
    /// It has answered with a result once.
    pub(super) has_answered: bool,
    /// The operator has named it.
    is_named: bool,
    pub(super) window: Window,
    pub(super) in_flight: u32,
    /// How many of them were sent before it came back, with which this epoch has begun. It answers what was sent later: they have most
    /// likely vanished, and what is new does not wait for them.
    left_behind: u32,
    returned: u32,
    /// Counts its answers, and how often its breaker has opened.
    epoch: u32,
    pub(super) breaker: CircuitBreaker,
    /// How often it was not reached, or wanted to be spared, since it has last taken a publish.
    failures: u32,
    /// It was away, or still is: with its next result it is back.
    pub(super) is_troubled: bool,
    /// Too many of its family are away.
    is_one_of_many: bool,
    /// How often its link has come back since it has last answered.
    returns: u32,
    /// When it has last taken a publish.
    last_result: Option<Instant>,
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

    /// Whether it has taken publishes, and is not there.
    pub(super) fn is_away(&self) -> bool {
        self.is_known() && self.breaker.until().is_some()
    }

    /// Whether it is spared as it has not answered, or would be if nothing on its way was answered.
    pub(super) fn is_given_up(&self) -> bool {
        self.breaker.until().is_some() || self.breaker.failures().saturating_add(self.in_flight) >= FAILURES
    }

    /// Too many of its family are away, or not.
    pub(super) fn set_one_of_many(&mut self, is_one_of_many: bool) {
        self.is_one_of_many = is_one_of_many;
    }

    /// Whether it is asked again soon where it is away.
    fn is_wanted_back(&self) -> bool {
        self.is_named || self.has_answered && !self.is_one_of_many
    }

    /// Whether nothing is on its way.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight == 0
    }

    /// Whether it has not taken any publish since this time, though it has before: so that one was not answered is not a matter
    /// of the device it was for.
    pub(super) fn is_away_since(&self, since: Instant) -> bool {
        self.is_known() && !self.has_taken_since(since)
    }

    /// Whether it has taken a publish since this time.
    pub(super) fn has_taken_since(&self, since: Instant) -> bool {
        self.last_result.is_some_and(|result| result > since)
    }

    /// Whether it has taken publishes, but was not reached since this one left, and has taken none since then.
    pub(super) fn has_failed_since(&self, flight: Flight) -> bool {
        self.is_known() && self.failures > flight.failures
    }

    /// A device that has not failed waits for it: that others have had no answer may be their own fault. Returns whether any push may
    /// leave because of that.
    pub(super) fn doubt(&mut self) -> bool {
        self.breaker.doubt()
    }

    /// Whether a publish may leave at `now`.
    pub(super) fn permit(&self, now: Instant, options: &Options) -> Permit {
        match self.breaker.permit(now) {
            BreakerPermit::Denied { until } => Permit::Denied { until },
            BreakerPermit::Probe if self.in_flight < options.max_in_flight.max(1) => Permit::Granted,
            BreakerPermit::Granted if self.has_space(now, options) => Permit::Granted,
            BreakerPermit::Granted | BreakerPermit::Probe => Permit::Full,
        }
    }

    /// Before its first result a domain gets no more than one small window: what has failed takes its place in there.
    fn has_space(&self, now: Instant, options: &Options) -> bool {
        let failed = if self.is_known() { 0 } else { self.breaker.failures() };
        let waited_for = self.in_flight.saturating_sub(self.left_behind);
        let has_space = waited_for == 0 || waited_for.saturating_add(failed) < self.window.at(now, options);
        has_space && (self.in_flight == 0 || self.in_flight < self.window.widest(now, options))
    }

    /// A publish leaves at `now`, for a device that has failed since the time that is given if it has.
    pub(super) fn record_sent(
        &mut self,
        domain: DomainId,
        failing_since: Option<Instant>,
        relation: Relation,
        now: Instant,
        options: &Options,
    ) -> Flight {
        self.is_contacted = true;
        self.in_flight = self.in_flight.saturating_add(1);
        self.breaker.record_sent(now, self.is_wanted_back(), options);
        let is_known = self.is_known();
        let is_to_stranger = matches!(relation, Relation::Stranger { .. });
        let is_failing = is_known && failing_since.is_some_and(|since| !self.is_away_since(since));
        let is_of_device = is_failing || is_to_stranger;
        let is_in_doubt = self.failures > 0 || self.is_troubled;
        Flight {
            domain,
            publisher: Publisher::default(),
            epoch: self.epoch,
            failures: self.failures,
            place: None,
            is_first_contact: !is_known,
            is_of_device,
            is_to_stranger,
            is_unproven: is_to_stranger || self.has_answered && relation == Relation::First,
            is_probe: self.is_wanted_back() && is_in_doubt && !is_of_device,
            is_given_up: false,
        }
    }

    /// A publish was not answered, and another one to its device was not either: it is given up, though it may be answered still.
    pub(super) fn give_up(&mut self, flight: &mut Flight, silence: &Landing<'_>) -> Ending {
        if !self.is_left_behind(flight) {
            self.left_behind = self.left_behind.saturating_add(1);
        }
        flight.is_given_up = true;
        let is_recent = flight.epoch == self.epoch && !flight.is_of_device;
        self.record_failure(silence, is_recent, flight)
    }

    fn is_left_behind(&self, flight: &Flight) -> bool {
        flight.is_given_up || flight.epoch.wrapping_sub(self.returned).cast_signed() < 0
    }

    /// A publish has ended; without a landing, it was not sent after all.
    pub(super) fn record_ended(&mut self, flight: Flight, landing: Option<&Landing<'_>>) -> Ending {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.is_left_behind(&flight) {
            self.left_behind = self.left_behind.saturating_sub(1);
        }
        let is_recent = flight.epoch == self.epoch && !flight.is_of_device;
        match landing {
            // What that says was noted before.
            _ if flight.is_given_up && landing.is_none_or(|landing| landing.outcome == Outcome::Silent) => {
                Ending::Neutral
            }
            None => {
                if is_recent {
                    self.breaker.withdraw_probe(self.is_wanted_back());
                }
                Ending::Neutral
            }
            Some(landing) if landing.outcome == Outcome::Delivered => self.record_result(landing),
            Some(landing) => self.record_failure(landing, is_recent, &flight),
        }
    }

    fn record_result(&mut self, landing: &Landing<'_>) -> Ending {
        let was_troubled = std::mem::take(&mut self.is_troubled);
        self.has_answered = true;
        self.failures = 0;
        self.last_result = Some(landing.now);
        self.answered();
        if was_troubled {
            (self.left_behind, self.returned) = (self.in_flight, self.epoch);
        }
        self.window.widen(was_troubled, landing.now, landing.options);
        if was_troubled { Ending::Returned } else { Ending::Taken }
    }

    fn record_failure(&mut self, landing: &Landing<'_>, is_recent: bool, flight: &Flight) -> Ending {
        let is_known = self.is_known();
        // Of silence from before the domain's last answer nothing follows for the domain.
        let is_of_domain = is_recent || landing.outcome != Outcome::Silent;
        // Strangers have a window of their own.
        if (is_of_domain || !is_known) && !flight.is_to_stranger {
            self.window.narrow(landing.outcome, is_known);
        }
        if landing.outcome != Outcome::Silent && is_known {
            self.answered();
        } else if is_recent {
            self.failed(landing);
        }
        if landing.outcome == Outcome::Rejected && is_known || !is_of_domain {
            return Ending::Neutral;
        }
        if !flight.is_of_device {
            self.failures = self.failures.saturating_add(1);
            self.is_troubled |= self.failures >= FAILURES;
        }
        Ending::Failed { is_troubled: self.is_troubled }
    }

    fn answered(&mut self) {
        self.breaker = CircuitBreaker::default();
        self.returns = 0;
        self.epoch = self.epoch.wrapping_add(1);
    }

    fn failed(&mut self, landing: &Landing<'_>) {
        let is_wanted_back = self.is_wanted_back();
        if self.breaker.record_failure(landing.now, landing.spread, is_wanted_back, landing.options) {
            self.given_up();
        }
    }

    fn given_up(&mut self) {
        self.is_troubled = true;
        self.window.close();
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// What was on its way is lost, with the link to the domain.
    pub(super) fn lose_link(&mut self, now: Instant, options: &Options) {
        self.breaker.open(now, self.is_wanted_back(), options);
        self.given_up();
    }

    /// The link to the domain is there again: it is probed, at once unless that has been of no use lately. Returns whether
    /// anything had been wrong.
    pub(super) fn restore_link(&mut self, now: Instant, options: &Options) -> bool {
        if !self.is_known() || self.failures == 0 && !self.is_troubled {
            return false;
        }
        let before = self.returns;
        let delay = before.checked_sub(1).map_or(0.0, |before| probe_delay(before, options));
        self.returns = before.saturating_add(1);
        self.is_troubled = true;
        self.breaker.hasten(now + delay, before);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: fn() -> DomainId = DomainId::default;

    fn end(standing: &mut Standing, flight: Flight, outcome: Outcome, now: f64) {
        let options = Options::default();
        let now = Instant::from_seconds(now);
        let _ =
            standing.record_ended(flight, Some(&Landing { outcome, now, spread: 0.0, options: &options }));
    }

    fn withdraw(standing: &mut Standing, flight: Flight) {
        let _ = standing.record_ended(flight, None);
    }

    fn send(standing: &mut Standing, now: f64) -> Flight {
        standing.record_sent(DOMAIN(), None, Relation::First, Instant::from_seconds(now), &Options::default())
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
            flights.into_iter().for_each(|flight| withdraw(&mut standing, flight));
            standing.in_flight = 1;
            end(&mut standing, first, Outcome::Delivered, 0.0);
        }
        for expected in [250, 125, 62, 31, 15, 10, 10] {
            let flight = send(&mut standing, 0.0);
            end(&mut standing, flight, Outcome::Transient, 0.0);
            let flights = room(&mut standing, 0.0);
            assert_eq!(flights.len(), expected);
            flights.into_iter().for_each(|flight| withdraw(&mut standing, flight));
        }
    }

    #[test]
    fn what_has_vanished_before_its_return_takes_no_place_after_it() {
        let mut standing = Standing::default();
        for _ in 0..6 {
            let flight = send(&mut standing, 0.0);
            end(&mut standing, flight, Outcome::Delivered, 0.0);
        }
        let mut vanished: Vec<Flight> = (0..100).map(|_| send(&mut standing, 1.0)).collect();
        let first = vanished.split_off(95);
        first.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Silent, 121.0));
        let probe = room(&mut standing, 125.0);
        assert_eq!(probe.len(), 1, "it is away");
        end(&mut standing, probe[0], Outcome::Delivered, 126.0);
        let after = room(&mut standing, 126.0);
        assert_eq!(after.len(), 11, "as if nothing was on its way");
        vanished.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Silent, 127.0));
        assert_eq!(room(&mut standing, 127.0).len(), 0, "those that are on their way count still");
        after.into_iter().for_each(|flight| withdraw(&mut standing, flight));
        assert_eq!((standing.in_flight, standing.left_behind), (0, 0));
    }

    #[test]
    fn what_has_vanished_counts_among_all_that_are_on_their_way() {
        let mut standing = Standing::default();
        for _ in 0..6 {
            let flight = send(&mut standing, 0.0);
            end(&mut standing, flight, Outcome::Delivered, 0.0);
        }
        let mut vanished = room(&mut standing, 1.0);
        assert_eq!(vanished.len(), 500);
        let first = vanished.split_off(495);
        first.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Silent, 121.0));
        let probe = room(&mut standing, 125.0);
        end(&mut standing, probe[0], Outcome::Delivered, 126.0);
        assert_eq!(room(&mut standing, 126.0).len(), 0, "it has just come back");
        assert_eq!(room(&mut standing, 156.0).len(), 5);
    }

    #[test]
    fn what_is_given_up_takes_no_place_though_it_may_be_answered_still() {
        let (mut standing, options) = (Standing::default(), Options::default());
        let first = send(&mut standing, 0.0);
        end(&mut standing, first, Outcome::Delivered, 0.0);
        let mut silent = room(&mut standing, 1.0);
        let answered = silent.pop().unwrap();
        assert_eq!(silent.len(), 19);
        end(&mut standing, answered, Outcome::Delivered, 1.0);
        let waited_for = room(&mut standing, 1.0);
        assert_eq!(waited_for.len(), 40 - 19, "what may be answered soon counts");
        let silence = Landing {
            outcome: Outcome::Silent,
            now: Instant::from_seconds(121.0),
            spread: 0.0,
            options: &options,
        };
        for flight in &mut silent {
            standing.give_up(flight, &silence);
            standing.give_up(flight, &silence);
        }
        let after = room(&mut standing, 121.0);
        assert_eq!(after.len(), 19, "as if they were not on their way");
        silent.into_iter().for_each(|flight| end(&mut standing, flight, Outcome::Delivered, 130.0));
        for flight in waited_for.into_iter().chain(after) {
            withdraw(&mut standing, flight);
        }
        assert_eq!((standing.in_flight, standing.left_behind), (0, 0), "each ends once");
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
        assert_eq!(
            room(&mut standing, 121.0).len(),
            19,
            "it is not given up, nor narrowed but for what was refused"
        );
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
}
