//! App servers: what they get, and what they answer.

use super::sim_session::Link;
use super::simulation::Simulation;
use super::world::{NODES, USERS};
use crate::driver::{Handling, Outcome, Publish, Scope};
use crate::service::ALL;

impl Simulation {
    pub(super) fn poll(&mut self, limit: usize) {
        let now = self.service.now;
        self.devices
            .values_mut()
            .filter(|device| device.is_late(now))
            .for_each(|device| device.answered(true));
        for push in self.service.take_pushes(limit, Scope::AllRooms) {
            self.sent(push);
        }
    }

    fn sent(&mut self, push: Publish) {
        let user = USERS.iter().position(|user| **user == *push.user).expect("a user");
        let node = NODES.iter().position(|node| push.node.as_deref() == Some(node)).expect("a node");
        self.assert_entitled(user, node);
        let device = self.devices.get_mut(&(user, node)).expect("a device that is registered");
        device.sent(push, self.service.now);
    }

    pub(super) fn reply(&mut self, which: usize, outcome: Outcome) {
        let mut waiting: Vec<_> =
            self.devices.values_mut().filter(|device| device.push().is_some()).collect();
        if waiting.is_empty() {
            return;
        }
        let device = waiting.swap_remove(which % waiting.len());
        if let Some(push) = device.push() {
            assert_eq!(self.service.reply(push, outcome), Handling::Taken);
            device.answered(matches!(outcome, Outcome::Transient | Outcome::Silent));
        }
    }

    /// Whatever will bounce has bounced, and from now on all app servers answer, until nothing is left to be done.
    /// Panics if a push is still owed for a message that none of its recipient's clients has got.
    pub fn settle(&mut self) {
        for session in 0..self.sessions.len() {
            self.end(session);
            while self.sessions[session].link == Link::Dead && !self.sessions[session].queue.is_empty() {
                self.bounce_from_dead(session);
            }
        }
        self.drain();
        self.assert_settled();
    }

    fn drain(&mut self) {
        for _ in 0..1000 {
            while self.devices.values().any(|device| device.push().is_some()) {
                self.reply(0, Outcome::Delivered);
            }
            if !self.service.advance_to_deadline() {
                break;
            }
            self.poll(ALL);
        }
    }
}
