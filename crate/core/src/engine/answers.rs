//! What becomes of a push that was polled: it is answered, could not be sent, or is not sent.

use crate::event::Reason;
use crate::ids::PushId;
use crate::outcome::Outcome;
use crate::time::Instant;
use crate::way::Way;

use super::Engine;

impl Engine {
    /// An IQ result with this `id` came from this JID. Returns whether it answers a publish that was sent there.
    pub fn handle_result(&mut self, id: &str, from: &str, now: Instant) -> bool {
        self.handle_answer(id, from, Outcome::Delivered, now)
    }

    /// An IQ error with this `id` came from this JID, with a `type` and a defined condition. Returns whether it answers a
    /// publish that was sent there.
    pub fn handle_error(
        &mut self,
        id: &str,
        from: &str,
        error_type: Option<&str>,
        condition: Option<&str>,
        now: Instant,
    ) -> bool {
        self.handle_answer(id, from, Outcome::of_error(error_type, condition), now)
    }

    /// An error came from an app server in this very process, which says that what it pushes to has ended (RFC 8030, section 7.3): the
    /// device is not registered any more. Of an app server elsewhere that is for [`Engine::handle_error`], as one answer proves
    /// nothing. Returns whether it answers a publish that was sent there.
    pub fn handle_ended(&mut self, id: &str, from: &str, now: Instant) -> bool {
        let is_ours = self.handle_answer(id, from, Outcome::Rejected, now);
        if let Ok(id) = id.parse::<PushId>()
            && is_ours
        {
            self.disable(id.device(), Reason::Ended);
        }
        is_ours
    }

    /// A push that was polled could not be sent, as when an app server in the same process fails: it is tried again later.
    pub fn handle_send_failure(&mut self, id: &str, now: Instant) {
        let Ok(id) = id.parse() else { return };
        match self.way_of_push(id) {
            // There is nobody else to be reached there, and nobody to be spared.
            Some(way @ Way::Account) => self.hand_over(id, way, now),
            _ => self.handle_outcome(id, Outcome::Silent, now),
        }
    }

    /// A push that was polled is not sent, as it has become pointless. What it was about still counts as unread.
    pub fn withdraw(&mut self, id: &str) {
        if let Ok(id) = id.parse::<PushId>() {
            self.catch_up_device(id.device());
            self.devices.end_push(id, None, |_, in_flight, _| self.delivery.take_back(id, in_flight));
        }
    }

    /// A push that was polled is not sent, as another module has stopped it. What it was about does not count as unread.
    pub fn suppress(&mut self, id: &str) {
        if let Ok(id) = id.parse() {
            self.devices.end_push(id, None, |device, in_flight, _| {
                self.delivery.take_back(id, in_flight);
                device.discount(&in_flight.notifications);
            });
        }
    }

    fn handle_answer(&mut self, id: &str, from: &str, outcome: Outcome, now: Instant) -> bool {
        let Ok(id) = id.parse::<PushId>() else { return false };
        let device = self.devices.get(id.device()).filter(|device| device.in_flight(id).is_some());
        let Some(device) = device else {
            self.delivery.handle_orphaned(&mut self.devices, (id, from), outcome, now, &self.options);
            return false;
        };
        if device.registration().app_server.as_str() != from {
            return false;
        }
        // Whatever is said of what goes by a way, it was reached.
        let is_by_way = device.registration().way().is_some();
        let outcome = if is_by_way && outcome != Outcome::Silent { Outcome::Delivered } else { outcome };
        if outcome == Outcome::Delivered && !is_by_way {
            self.note_sign_of_life(id.device());
        }
        self.catch_up_device(id.device());
        self.handle_outcome(id, outcome, now);
        true
    }

    fn handle_outcome(&mut self, id: PushId, outcome: Outcome, now: Instant) {
        self.devices.journal_mut().set_now(now);
        let reason = self.delivery.handle_outcome(&mut self.devices, id, outcome, now, &self.options);
        if let Some(reason) = reason {
            self.disable(id.device(), reason);
        }
    }
}
