//! How much a shard has on its way to an app server, and how much it may.

use muc_cloud_notify_core::Options;

use super::app_servers::AFTER_RETURN;
use crate::driver::Outcome;

/// How many may be on their way before an app server has taken any, and just after its return.
const MOST_AT_FIRST: u32 = 10;
const MOST_AFTER_RETURN: u32 = 200;

/// After so many without an answer an app server is taken to be away.
const FAILURES: u32 = 5;

/// So many probes there are at most, with those for devices that have not failed, before they come every so many seconds.
const PROBES: u32 = 8 + FAILURES;
const BETWEEN_PROBES: f64 = 15.0;

/// What an app server gets after its return.
#[derive(Debug, Clone, Copy)]
struct Recovery {
    since: f64,
    /// How many it has taken, and how many are on their way that were sent after the first of them.
    results: u32,
    in_flight: u32,
}

/// What a shard has sent to an app server.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Counts what ends all that is on its way: the loss of the link, and the end of the process.
    pub(super) epoch: u32,
    pub(super) in_flight: u32,
    /// It has taken something in this run, and in any.
    pub(super) is_known: bool,
    has_taken_any: bool,
    /// How many were sent before it had taken any in this run, and since when.
    sent_at_first: u32,
    first_sent: f64,
    last_result: f64,
    /// How many in a row have vanished that were sent after the last result.
    vanished: u32,
    /// It is away since then, and so many were sent since.
    away: Option<(f64, u32)>,
    /// It has come back.
    recovers: Option<Recovery>,
    /// There is no way to it.
    pub(super) is_cut_off: bool,
    /// It came back then, after a message that had this number, and those who had waited for it are to hear soon.
    pub(super) returned: Option<(f64, u32)>,
}

impl Load {
    /// A push leaves. Panics where it is one too many.
    pub(super) fn send(&mut self, now: f64, options: &Options, whose: &dyn std::fmt::Debug) {
        self.in_flight += 1;
        let most = options.max_in_flight;
        assert!(self.in_flight <= most, "{whose:?} gets more than {most} at once: {self:?}");
        if let Some(recovery) = self.recovers.as_mut().filter(|it| now <= it.since + AFTER_RETURN) {
            recovery.in_flight += 1;
            let most = (MOST_AT_FIRST + recovery.results).min(MOST_AFTER_RETURN);
            assert!(recovery.in_flight <= most, "{whose:?} is back, and gets more than {most}: {self:?}");
        }
        if !self.has_taken_any {
            if self.sent_at_first == 0 {
                self.first_sent = now;
            }
            self.sent_at_first += 1;
            let probes = 1 + ((now - self.first_sent) / options.retry_delay) as u32;
            assert!(self.sent_at_first <= MOST_AT_FIRST + probes, "{whose:?} has taken none: {self:?}");
        }
        if let Some((since, sent)) = &mut self.away {
            *sent += 1;
            let most = PROBES + ((now - *since) / BETWEEN_PROBES) as u32;
            assert!(*sent <= most, "{whose:?} is away, and gets more than {most}: {self:?}");
        }
    }

    /// An answer that was waited for has come in.
    pub(super) fn answered(&mut self, outcome: Outcome, sent: f64, now: f64) {
        if outcome == Outcome::Silent {
            // There is no way to it.
            return self.vanished(sent, now);
        }
        self.landed(sent);
        self.vanished = 0;
        if outcome == Outcome::Delivered {
            (self.is_known, self.has_taken_any, self.last_result) = (true, true, now);
            if self.away.take().is_some() {
                self.recovers = Some(Recovery { since: now, results: 0, in_flight: 0 });
            }
            if let Some(recovery) = &mut self.recovers {
                recovery.results += 1;
            }
        }
    }

    fn landed(&mut self, sent: f64) {
        self.in_flight -= 1;
        if let Some(recovery) = self.recovers.as_mut().filter(|it| it.since <= sent) {
            recovery.in_flight = recovery.in_flight.saturating_sub(1);
        }
    }

    /// What was sent at a time has vanished, and is waited for no more.
    pub(super) fn vanished(&mut self, sent: f64, now: f64) {
        self.landed(sent);
        if sent > self.last_result {
            self.vanished += 1;
            if self.vanished == FAILURES && self.is_known && self.away.is_none() {
                self.away = Some((now, 0));
            }
        }
    }

    /// Whether it is known to be away, and what has vanished does not keep others from being sent to it.
    pub(super) fn is_probed(&self, options: &Options) -> bool {
        self.away.is_some() && self.in_flight <= MOST_AFTER_RETURN.min(options.max_in_flight) / 2
    }

    /// The link is lost. Returns how many pushes that ends.
    pub(super) fn link_lost(&mut self, now: f64) -> u32 {
        self.epoch += 1;
        self.recovers = None;
        if self.is_known && self.in_flight > 0 {
            self.away = Some((now, 0));
        }
        std::mem::take(&mut self.in_flight)
    }

    /// The process is gone. Returns how many pushes that ends.
    pub(super) fn end(&mut self) -> u32 {
        let ended = self.in_flight;
        let Load { epoch, has_taken_any, is_cut_off, .. } = *self;
        *self = Load { epoch: epoch + 1, has_taken_any, is_cut_off, ..Load::default() };
        ended
    }
}
