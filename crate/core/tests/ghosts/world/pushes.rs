//! Pushes and their answers, and who should have been pushed to in the end.

use muc_cloud_notify_core::delivery::Handling;
use muc_cloud_notify_core::outcome::Outcome;

use super::{World, user_of};
use crate::common::{ALL, Publish};
use crate::{Link, NODES, USERS};

impl World {
    pub(super) fn turn(&mut self, limit: usize) {
        let now = self.service.now;
        self.devices
            .values_mut()
            .filter(|device| device.is_late(now))
            .for_each(|device| device.answered(true));
        let turn = self.service.engine.turn(now, limit, &mut self.service.chance);
        assert_eq!(turn.disabled, []);
        for push in self.service.publishes(turn.pushes) {
            self.sent(push);
        }
    }

    /// Nobody is pushed to about a room where they are, or which is none of their business.
    fn sent(&mut self, push: Publish) {
        let user = USERS.iter().position(|user| **user == *push.user).expect("a user");
        let node = NODES.iter().position(|node| push.node.as_deref() == Some(node)).expect("a node");
        let untold: Vec<_> = self.devices[&(user, node)].rooms_untold().collect();
        assert!(untold.iter().all(|&room| self.members[room].contains(&user) && self.is_absent(user, room)));
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

    /// Whatever will come back has, all app servers answer, and everything is told. Whoever is still owed a push for a
    /// message that no client of theirs has got, was sent it.
    pub(crate) fn settle(&mut self) {
        for session in 0..self.sessions.len() {
            self.end(session);
            while self.sessions[session].link == Link::Dead && !self.sessions[session].queue.is_empty() {
                self.give_back(session);
            }
        }
        self.drain();
        for (number, message) in self.messages.iter().enumerate() {
            let is_got_by = |user| message.got.iter().any(|&session| user_of(session) == user);
            for owner in message.owed.iter().filter(|(user, _)| !is_got_by(*user)) {
                assert!(
                    self.devices[owner].told.contains(&number),
                    "{owner:?} was never told of {message:?}"
                );
            }
        }
    }

    fn drain(&mut self) {
        for _ in 0..1000 {
            while self.devices.values().any(|device| device.push().is_some()) {
                self.reply(0, Outcome::Delivered);
            }
            match self.service.engine.next_turn() {
                Some(at) => self.service.now = self.service.now.max(at),
                None => break,
            }
            self.turn(ALL);
        }
        assert!(self.devices.values().all(|device| device.rooms_untold().next().is_none()), "all is told");
        assert_eq!(self.service.engine.next_turn(), None, "nothing is left to be done");
    }
}
