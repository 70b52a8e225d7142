//! What the engine and the reference have to agree on.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{ReferenceDevice, Told};
use super::revision::Texts;
use super::simulation::Simulation;
use super::world::{ROOMS, USERS};
use crate::driver::{Coverage, Publish};

impl Simulation {
    /// Both know the same absent members and the same devices.
    pub(super) fn assert_agreement(&self) {
        for (name, room) in ROOMS.iter().zip(&self.rooms) {
            if self.service.coverage(name) == Coverage::Complete {
                let users: BTreeSet<usize> = self.devices.keys().map(|(user, _)| *user).collect();
                let absent = users.into_iter().filter(|user| room.is_absent(*user)).map(|user| USERS[user]);
                let indexed: BTreeSet<&str> = self.service.absent(name).into_iter().collect();
                assert_eq!(indexed, absent.collect(), "{name}");
                assert_eq!(self.service.is_anybody_absent(name), !indexed.is_empty());
            }
        }
        assert_eq!(self.service.stats().devices, self.devices.len());
    }

    /// Everything was pushed, and the engine waits for nothing.
    pub(super) fn assert_settled(&self) {
        let pending = self.devices.iter().find(|(_, device)| !device.pending.is_empty());
        assert!(pending.is_none(), "something was never pushed: {pending:?}");
        assert_eq!(self.service.next_deadline(), None, "nothing is left to be done");
        assert_eq!(self.service.stats().in_flight, 0);
    }
}

impl ReferenceDevice {
    /// A push says what there is to say: the newest message of all, where its words are known.
    pub(super) fn assert_push(&self, push: &Publish, about: &BTreeMap<usize, Told>, texts: &Texts) {
        assert!(self.in_flight.is_none(), "one publish in flight per device");
        let newest =
            about.values().max_by_key(|told| told.messages.last()).expect("there is something to say");
        let message = newest.messages.last().expect("no room is told of without a message");
        let text = texts.of(*message);
        assert_eq!(push.body(), Some(if newest.has_words { text } else { "New Message!" }));
        assert!(push.body().is_none_or(|body| !texts.is_taken_back(body)), "it was taken back");
        assert_eq!(push.count(), self.unread.values().sum::<u32>());
    }
}
