//! How many publishes may be on their way to a domain at once.

use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

/// The window of a domain that has never answered, and the least of any.
const SMALLEST: u32 = 10;

/// The widest window of a domain that was away, for so many seconds after its return.
const WIDEST_AFTER_RETURN: u32 = 200;
const SECONDS_AFTER_RETURN: f64 = 30.0;

/// How many publishes may be on their way to a domain: more with each that it takes, fewer with each that it does not.
#[derive(Debug)]
pub(super) struct Window {
    width: u32,
    /// Until when the domain is not to be overrun after its return.
    recovers_until: Option<Instant>,
}

impl Default for Window {
    fn default() -> Self {
        Window { width: SMALLEST, recovers_until: None }
    }
}

impl Window {
    /// One of which a snapshot says how wide it was.
    pub(super) fn restored(width: u32, options: &Options) -> Self {
        Window { width: width.clamp(SMALLEST, options.max_in_flight.max(SMALLEST)), recovers_until: None }
    }

    /// How wide it has become, whatever limits it now.
    pub(super) fn width(&self) -> u32 {
        self.width
    }

    /// How many may be on their way at `now`.
    pub(super) fn at(&self, now: Instant, options: &Options) -> u32 {
        self.width.min(self.widest(now, options))
    }

    /// How many may be on their way to app servers that have taken none, where others have: so many are left for those.
    pub(super) fn share_of_strangers(&self, options: &Options) -> u32 {
        (self.width.min(options.max_in_flight) / 2).max(1)
    }

    /// The domain has taken a publish.
    pub(super) fn widen(&mut self, has_returned: bool, now: Instant, options: &Options) {
        if has_returned {
            self.recovers_until = Some(now + SECONDS_AFTER_RETURN);
        }
        // That of a domain that was away doubles with each round of answers, that of others with each answer.
        let wider =
            if self.is_recovering(now) { self.width.saturating_add(1) } else { self.width.saturating_mul(2) };
        let most = self.widest(now, options);
        self.width = wider.min(most).max(SMALLEST.min(most));
    }

    /// The domain has not taken a publish. One that takes pushes and refuses one is not overloaded: it does not know that node. So
    /// nodes that somebody has made up do not narrow it for those that there are.
    pub(super) fn narrow(&mut self, failure: Outcome, is_known: bool) {
        let is_one_node = failure == Outcome::Rejected && is_known;
        let narrower = if is_one_node { self.width - self.width / 16 } else { self.width / 2 };
        self.width = narrower.max(SMALLEST);
    }

    /// The domain is given up for a while.
    pub(super) fn close(&mut self) {
        self.width = SMALLEST;
    }

    /// How wide it may be at `now`: so many are on their way in all, those included that have most likely vanished.
    pub(super) fn widest(&self, now: Instant, options: &Options) -> u32 {
        let most = options.max_in_flight.max(1);
        if self.is_recovering(now) { most.min(WIDEST_AFTER_RETURN) } else { most }
    }

    fn is_recovering(&self, now: Instant) -> bool {
        self.recovers_until.is_some_and(|until| now < until)
    }
}
