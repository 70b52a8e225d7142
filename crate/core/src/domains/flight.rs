//! A publish on its way to a domain, and how it ends there.

use super::{DomainId, Publisher};
use crate::lists::Slot;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::time::Instant;

/// A publish on its way, as its domain counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flight {
    /// Where it goes.
    pub(crate) domain: DomainId,
    /// Which host it is from.
    pub(crate) publisher: Publisher,
    /// Tells whether the domain has answered since, or was given up for a while.
    pub(super) epoch: u32,
    /// How often the domain had failed by then since it has last taken a publish.
    pub(super) failures: u32,
    /// Where its device is among those that wait for an answer of the domain.
    pub(super) place: Option<Slot>,
    /// Whether the domain had never taken a publish before.
    pub(crate) is_first_contact: bool,
    /// Whether its device has failed before while the domain took others, or its app server is a stranger among others: silence
    /// says nothing of the domain.
    pub(super) is_of_device: bool,
    /// Whether its app server is a stranger among others.
    pub(super) is_to_stranger: bool,
    /// Whether the domain had taken some before, and is not known to be there.
    pub(crate) is_probe: bool,
    /// Whether others have followed to the same device, as nobody waits for it: it counts among all that are on their way, and what
    /// is new does not wait for it.
    pub(super) is_given_up: bool,
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

/// What the end of a publish says of its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing.
    Neutral,
    /// It takes pushes.
    Taken,
    /// It takes pushes again, after some time in which it took none.
    Returned,
    /// It was not reached, or wants to be spared.
    Failed {
        /// Whether that has been so for a while.
        is_troubled: bool,
    },
}
