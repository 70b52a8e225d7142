//! What the engine and the reference have to agree on.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::ReferenceDevice;
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
    /// A push says what there is to say, by room the newest message.
    pub(super) fn assert_push(&self, push: &Publish, about: &BTreeMap<usize, u32>) {
        assert!(self.in_flight.is_none(), "one publish in flight per device");
        let newest = about.values().max().map(u32::to_string);
        assert!(newest.is_some(), "there is something to say");
        assert_eq!(push.body(), newest.as_deref(), "the newest message");
        assert_eq!(push.count(), self.unread.values().sum::<u32>());
    }
}
