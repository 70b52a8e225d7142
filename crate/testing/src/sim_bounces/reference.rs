//! What is known to be true of a device: what its owner has missed, and what it was told.

use std::collections::{BTreeMap, BTreeSet};

use crate::service::{Publish, body, count};

/// Something that was missed.
#[derive(Debug, Clone)]
pub(crate) struct Missed {
    pub(crate) room: usize,
    /// The number of the message.
    pub(crate) message: usize,
    /// What a push may say of it; `None` where nobody remembers.
    pub(crate) text: Option<String>,
    pub(crate) is_mention: bool,
}

#[derive(Debug)]
struct InFlight {
    push: Publish,
    since: f64,
    told: BTreeSet<u32>,
}

/// What was missed is told apart by when it was sent. What nobody remembers is as new as its return.
#[derive(Debug, Default)]
pub(crate) struct Device {
    missed: BTreeMap<u32, Missed>,
    untold: BTreeSet<u32>,
    in_flight: Option<InFlight>,
    /// What came back, by room, message, and whether it was remembered.
    returned: BTreeSet<(usize, usize, bool)>,
    /// The messages it was ever told of.
    pub(crate) told: BTreeSet<usize>,
}

impl Device {
    pub(crate) fn miss(&mut self, at: u32, missed: Missed) {
        self.missed.insert(at, missed);
        self.untold.insert(at);
    }

    /// As [`Device::miss`], of what came back. Returns whether it is the first time.
    pub(crate) fn miss_returned(&mut self, at: u32, missed: Missed) -> bool {
        let is_new = self.returned.insert((missed.room, missed.message, missed.text.is_some()));
        if is_new {
            self.miss(at, missed);
        }
        is_new
    }

    /// Its owner is in a room, or has no business there.
    pub(crate) fn forget(&mut self, room: usize) {
        self.missed.retain(|_, missed| missed.room != room);
        self.returned.retain(|(of, _, _)| *of != room);
        let missed = &self.missed;
        self.untold.retain(|at| missed.contains_key(at));
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.told.retain(|at| missed.contains_key(at));
        }
    }

    /// A push goes to it: it tells all that was missed and not told yet, in the words of the last message, unless
    /// a later one of that room was told before.
    pub(crate) fn sent(&mut self, push: Publish, now: f64) {
        assert!(self.in_flight.is_none(), "one publish in flight per device");
        let told = std::mem::take(&mut self.untold);
        let last = told.last().expect("something is to be told");
        let of_last = &self.missed[last];
        let is_told_late = self.missed.iter().any(|(at, missed)| at > last && missed.room == of_last.room);
        let text = of_last.text.as_deref().filter(|_| !is_told_late);
        assert_eq!(body(&push), text.or(Some("New Message!")), "{told:?} of {:?}", self.missed);
        assert_eq!(count(&push), u32::try_from(self.missed.len()).expect("few"), "{:?}", self.missed);
        assert_eq!(push.mentioned, told.iter().any(|at| self.missed[at].is_mention));
        self.told.extend(told.iter().map(|at| self.missed[at].message));
        self.in_flight = Some(InFlight { push, since: now, told });
    }

    pub(crate) fn rooms_untold(&self) -> impl Iterator<Item = usize> {
        self.untold.iter().map(|at| self.missed[at].room)
    }

    pub(crate) fn push(&self) -> Option<&Publish> {
        self.in_flight.as_ref().map(|in_flight| &in_flight.push)
    }

    pub(crate) fn is_late(&self, now: f64) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.since + 120.0 <= now)
    }

    /// Its push is answered. One that `failed` is to be told again.
    pub(crate) fn answered(&mut self, failed: bool) {
        self.untold.extend(self.in_flight.take().filter(|_| failed).into_iter().flat_map(|it| it.told));
    }
}
