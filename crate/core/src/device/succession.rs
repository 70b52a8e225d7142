//! What a device takes over: from one that was in its place, and from the last run.

use crate::domains::DomainId;
use crate::registration::Registration;

use super::gate::Unstored;
use super::{DeliveryState, Device, Failures, Unread, UnreadInRoom};

impl Device {
    /// It takes the place of another one, or is one of those that it stood for: it has yet to hear of all that this one had, what was on
    /// its way included.
    pub(crate) fn inherit(&mut self, other: &Device) {
        self.unread = other.unread.clone();
        self.unread.join_apart();
        self.is_pinged = other.is_ping_wanted();
        self.is_waiting = other.is_waiting;
        if let Some(in_flight) = other.delivery.in_flight() {
            self.unread.requeue(in_flight.notifications.clone());
        }
    }

    /// The device that takes its place where pushes go elsewhere from now on: it has yet to hear of all that this one had, what
    /// was on its way included.
    pub(crate) fn readdressed(mut self, registration: Registration, domain: DomainId) -> Self {
        let push = self.delivery.in_flight().map(|in_flight| in_flight.id);
        if let Some(mut in_flight) = push.and_then(|push| self.delivery.take_in_flight(push)) {
            self.requeue(&mut in_flight);
        }
        self.unread.join_apart();
        Device {
            registration,
            domain,
            delivery: DeliveryState::new(),
            is_aged: false,
            has_answered: false,
            unstored: Unstored::default(),
            ..self
        }
    }

    /// What a snapshot says of rooms: it adds to what is known by now.
    pub(crate) fn restore_unread(&mut self, unread: Vec<UnreadInRoom>) {
        self.unread.restore(unread);
    }

    /// What the journal says of a room, and whether that has to be read before anything of it is told.
    pub(crate) fn replace_unread(&mut self, unread: UnreadInRoom, is_waiting: bool) {
        self.unread.replace(unread.room, unread.messages, unread.pending);
        self.is_waiting |= is_waiting;
    }

    /// What the journal says of the device itself.
    pub(crate) fn replace_state(&mut self, failures: Option<Failures>, is_pinged: bool, has_answered: bool) {
        self.delivery.clear_failures();
        self.delivery.restore_failures(failures);
        self.is_pinged = is_pinged;
        self.has_answered = has_answered;
    }

    /// What the journal says of a push without a message.
    pub(crate) fn replace_ping(&mut self, is_pinged: bool) {
        self.is_pinged = is_pinged;
    }

    /// It was gone, and is another one since.
    pub(crate) fn begin_anew(&mut self) {
        self.unread = Unread::default();
        self.delivery.clear_failures();
        self.is_pinged = false;
        self.is_waiting = false;
    }

    /// What a snapshot says of the device itself, and whether rooms have to be read before anything is told.
    pub(crate) fn restore(&mut self, failures: Option<Failures>, is_pinged: bool, is_waiting: bool) {
        self.delivery.restore_failures(failures);
        self.is_pinged |= is_pinged;
        self.is_waiting |= is_waiting;
    }

    /// What of the device itself is stored, and changes with the answers of its app server.
    pub(crate) fn state(&self) -> impl PartialEq + use<> {
        (self.delivery.failures().copied(), self.is_pinged, self.has_answered)
    }
}
