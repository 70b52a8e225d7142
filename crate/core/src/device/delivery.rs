//! Where a device stands with its app server. This is the only place where that changes.
//!
//! ```text
//!         enqueue        dequeue
//!  Idle ──────────► Queued ─────► Idle ── send ──► InFlight
//!   ▲                                                 │ take_in_flight
//!   ├─────────────────────────────────────────────────┤
//!   │ end_back_off                                    │ back_off
//!   ├────────────────── BackingOff ◄──────────────────┘
//!   │ end_pace                         pace
//!   └────────────────── Pacing ◄──── Idle
//! ```

use crate::domains::Flight;
use crate::ids::PushId;
use crate::outbox::Slot;
use crate::time::Instant;

use super::notification::Notifications;

/// A publish that is not answered yet.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// Its id.
    pub(crate) id: PushId,
    /// What it is about, to be pushed again should it fail.
    pub(crate) notifications: Notifications,
    /// Whether another module had asked for it.
    pub(crate) is_ping: bool,
    /// When it left.
    pub(crate) sent: Instant,
    /// When its answer is overdue.
    pub(crate) deadline: Instant,
    /// Until when it may be answered if it is late.
    pub(crate) until: Instant,
    /// As the app server's domain counts it, from when it has left.
    pub(crate) flight: Option<Flight>,
}

/// What has gone wrong with a device lately. Most devices have none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Failures {
    /// Persistent errors in a row.
    pub(crate) errors: u32,
    /// Transient errors in a row.
    pub(crate) attempts: u32,
    /// How many of them were not the device's, as nobody was there to answer: those do not make the back-off grow.
    pub(crate) silences: u32,
    /// Since when it has had nothing but transient errors.
    pub(crate) since: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// Nothing is to be pushed.
    Idle,
    /// In the queue of the outbox, there.
    Queued(Slot),
    /// A publish is on its way.
    InFlight(Box<InFlight>),
    /// After a transient error, or while the app server is spared: not before this time, unless its domain is back from
    /// wherever it was. And where it is among those of the domain that back off.
    BackingOff { until: Instant, place: Option<Slot> },
    /// It has just heard of the rooms in which something is new: not before this time, unless something else comes up.
    Pacing { until: Instant },
}

/// Why something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A publish was not answered in time.
    AnswerOverdue(PushId),
    /// The time of a retry has come, or of a push that was to keep its distance from the last one.
    Retry,
}

/// Where a device stands with its app server.
#[derive(Debug)]
pub(crate) struct DeliveryState {
    state: State,
    failures: Option<Box<Failures>>,
    /// The time of its valid entry among the outbox's deadlines.
    armed: Option<Instant>,
}

impl DeliveryState {
    /// Nothing was ever pushed.
    pub(super) fn new() -> Self {
        DeliveryState { state: State::Idle, failures: None, armed: None }
    }

    /// What has gone wrong lately.
    pub(crate) fn failures(&self) -> Option<&Failures> {
        self.failures.as_deref()
    }

    /// Takes over what has gone wrong according to a snapshot, unless more is known by now.
    pub(super) fn restore_failures(&mut self, failures: Option<Failures>) {
        self.failures = self.failures.take().or(failures.map(Box::new));
    }

    /// Nothing is wrong any more.
    pub(super) fn clear_failures(&mut self) {
        self.failures = None;
    }

    /// Its errors are forgotten, and it has not failed for long. How long it waits after the next transient error is for its app
    /// server to say, so the attempts still count.
    pub(super) fn forgive(&mut self) {
        let Failures { attempts, silences, .. } = self.failures.as_deref().copied().unwrap_or_default();
        self.failures =
            (attempts > 0).then(|| Box::new(Failures { attempts, silences, ..Failures::default() }));
    }

    /// A persistent error. Returns how many in a row that makes.
    pub(super) fn count_error(&mut self) -> u32 {
        let errors = self.failures.as_ref().map_or(0, |failures| failures.errors).saturating_add(1);
        self.failures = Some(Box::new(Failures { errors, ..Failures::default() }));
        errors
    }

    /// A transient error in answer to a publish that left at this time, which is that of its app server's whole domain or not.
    /// Returns what has gone wrong with this one.
    pub(super) fn count_attempt(&mut self, is_of_domain: bool, sent: Instant) -> Failures {
        let failures = self.failures.get_or_insert_default();
        failures.attempts = failures.attempts.saturating_add(1);
        failures.silences = failures.silences.saturating_add(is_of_domain.into());
        failures.since.get_or_insert(sent);
        **failures
    }

    /// The publish that is on its way.
    pub(crate) fn in_flight(&self) -> Option<&InFlight> {
        match &self.state {
            State::InFlight(in_flight) => Some(in_flight),
            _ => None,
        }
    }

    pub(super) fn in_flight_mut(&mut self) -> Option<&mut InFlight> {
        match &mut self.state {
            State::InFlight(in_flight) => Some(in_flight),
            _ => None,
        }
    }

    /// Whether it is in no queue, and waits for no answer and no retry.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether it backs off.
    pub(super) fn is_backing_off(&self) -> bool {
        matches!(self.state, State::BackingOff { .. })
    }

    /// Whether it has begun to back off, and nobody knows.
    pub(super) fn has_to_be_noted(&self) -> bool {
        matches!(self.state, State::BackingOff { place: None, .. })
    }

    /// It is among those of its domain that back off.
    pub(super) fn noted(&mut self, at: Slot) {
        if let State::BackingOff { place, .. } = &mut self.state {
            *place = Some(at);
        }
    }

    /// It does not back off any more. Returns where it was among those that do.
    pub(super) fn end_back_off(&mut self) -> Option<Slot> {
        let State::BackingOff { place, .. } = self.state else { return None };
        self.state = State::Idle;
        place
    }

    /// It was put into the queue of the outbox.
    pub(super) fn enqueue(&mut self, slot: Slot) {
        self.state = State::Queued(slot);
    }

    /// It is in the queue no more. Returns where it was, if it was there.
    pub(super) fn dequeue(&mut self) -> Option<Slot> {
        let State::Queued(slot) = self.state else { return None };
        self.state = State::Idle;
        Some(slot)
    }

    /// A publish leaves.
    pub(super) fn send(&mut self, in_flight: Box<InFlight>) {
        self.state = State::InFlight(in_flight);
    }

    /// The publish with this id is answered, or given up.
    pub(super) fn take_in_flight(&mut self, id: PushId) -> Option<Box<InFlight>> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) if in_flight.id == id => Some(in_flight),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// The app server is not to be asked before `until`.
    pub(super) fn back_off(&mut self, until: Instant) {
        self.state = State::BackingOff { until, place: None };
    }

    /// What is new is not to be pushed before `until`.
    pub(super) fn pace(&mut self, until: Instant) {
        self.state = State::Pacing { until };
    }

    /// Something has come up that need not wait.
    pub(super) fn end_pace(&mut self) {
        if matches!(self.state, State::Pacing { .. }) {
            self.state = State::Idle;
        }
    }

    /// When something is due, and what.
    pub(crate) fn due(&self) -> Option<(Instant, Due)> {
        match &self.state {
            State::InFlight(in_flight) => Some((in_flight.deadline, Due::AnswerOverdue(in_flight.id))),
            State::BackingOff { until, .. } | State::Pacing { until } => Some((*until, Due::Retry)),
            State::Idle | State::Queued(_) => None,
        }
    }

    /// The deadline that the outbox has to be given, if it has none that is as early. A later one replaces it when it
    /// passes, so that a device has no more than one, however many publishes it gets.
    pub(super) fn arm(&mut self) -> Option<Instant> {
        let (at, _) = self.due()?;
        let is_new = self.armed.is_none_or(|armed| armed > at);
        if is_new {
            self.armed = Some(at);
        }
        is_new.then_some(at)
    }

    /// A deadline of the outbox has passed. Returns whether it is the valid one.
    pub(super) fn disarm(&mut self, at: Instant) -> bool {
        self.armed.take_if(|armed| *armed == at).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_device_is_among_those_that_back_off_takes_no_memory() {
        assert_eq!(size_of::<State>(), 2 * size_of::<usize>());
    }
}
