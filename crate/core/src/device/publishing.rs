//! What becomes of the publishes of a device, and when the next one may leave.

use crate::domains::Flight;
use crate::ids::PushId;
use crate::outbox::Slot;
use crate::time::Instant;

use super::{Device, Failures, InFlight, Notifications};

impl Device {
    /// A publish leaves.
    pub(crate) fn send(&mut self, in_flight: Box<InFlight>) {
        self.delivery.send(in_flight);
    }

    /// The publish with this id is answered, or given up.
    pub(crate) fn take_in_flight(&mut self, id: PushId) -> Option<Box<InFlight>> {
        self.delivery.take_in_flight(id)
    }

    /// The publish with this id that is on its way.
    pub(crate) fn in_flight(&self, id: PushId) -> Option<&InFlight> {
        self.delivery.in_flight().filter(|in_flight| in_flight.id == id)
    }

    /// The same as its app server's domain counts it, to be changed.
    pub(crate) fn flight_mut(&mut self, id: PushId) -> Option<&mut Flight> {
        self.delivery.in_flight_mut().filter(|in_flight| in_flight.id == id)?.flight.as_mut()
    }

    /// Its app server has taken a push: nothing is wrong with it any more.
    pub(crate) fn note_delivered(&mut self) {
        self.delivery.clear_failures();
        self.has_answered = true;
    }

    /// Whether its app server has taken a push since it was registered, as far as that is known.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Its app server has taken none so far.
    pub(crate) fn set_unanswered(&mut self) {
        self.has_answered = false;
    }

    /// A persistent error. Returns how many in a row that makes.
    pub(crate) fn count_error(&mut self) -> u32 {
        self.delivery.count_error()
    }

    /// A transient error in answer to this publish, which is that of its app server's whole domain or not. Returns what has gone
    /// wrong with this device.
    pub(crate) fn count_attempt(&mut self, in_flight: &mut InFlight, is_of_domain: bool) -> Failures {
        self.requeue(in_flight);
        self.delivery.count_attempt(is_of_domain, in_flight.sent)
    }

    /// This publish was lost, and what it was about is to be sent again.
    pub(crate) fn requeue(&mut self, in_flight: &mut InFlight) {
        self.is_pinged |= in_flight.is_ping;
        self.unread.requeue(std::mem::take(&mut in_flight.notifications));
    }

    /// Another module did not want a publish: what it was about does not count as unread.
    pub(crate) fn discount(&mut self, notifications: &Notifications) {
        self.unread.discount(notifications);
    }

    /// Its app server is not to be asked before `until`.
    pub(crate) fn back_off(&mut self, until: Instant) {
        self.delivery.back_off(until);
    }

    /// What is new is not to be pushed before `until`.
    pub(crate) fn pace(&mut self, until: Instant) {
        self.delivery.pace(until);
    }

    /// The deadline that the outbox has to be given, if it has none of this device that is as early.
    pub(crate) fn arm(&mut self) -> Option<Instant> {
        self.delivery.arm()
    }

    /// A deadline of the outbox has passed. Returns whether it is the valid one.
    pub(crate) fn disarm(&mut self, at: Instant) -> bool {
        self.delivery.disarm(at)
    }

    /// What is new need not wait any longer.
    pub(crate) fn end_pace(&mut self) {
        self.delivery.end_pace();
    }

    /// Whether it backs off.
    pub(crate) fn is_backing_off(&self) -> bool {
        self.delivery.is_backing_off()
    }

    /// Whether it has begun to back off, and its domain does not know.
    pub(crate) fn has_to_be_noted(&self) -> bool {
        self.delivery.has_to_be_noted()
    }

    /// It was taken out of those of its domain that back off, if it was among them: as if it had been in the queue.
    pub(crate) fn leave_back_offs(&mut self) {
        if let Some(place) = self.delivery.end_back_off() {
            self.delivery.enqueue(place);
        }
    }

    /// It is among those of its domain that back off.
    pub(crate) fn noted(&mut self, place: Slot) {
        self.delivery.noted(place);
    }

    /// It does not back off any more. Returns where it was among those that do.
    pub(crate) fn end_back_off(&mut self) -> Option<Slot> {
        self.delivery.end_back_off()
    }

    /// Since when it has had nothing but transient errors, if it had any.
    pub(crate) fn failing_since(&self) -> Option<Instant> {
        self.delivery.failures().and_then(|failures| failures.since)
    }
}
