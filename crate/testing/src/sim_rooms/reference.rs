//! What is known to be true of rooms and devices.

use std::collections::{BTreeMap, BTreeSet};

use super::transition::Event;
use crate::driver::Publish;

/// A room as it is, whether or not the engine knows.
#[derive(Debug, Default)]
pub(super) struct ReferenceRoom {
    pub(super) members: BTreeSet<usize>,
    /// Users and nicknames.
    pub(super) occupants: BTreeSet<(usize, usize)>,
}

impl ReferenceRoom {
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Affiliation(user, true) => self.members.insert(user),
            Event::Affiliation(user, false) => self.members.remove(&user),
            Event::Enter(user, nick) => self.occupants.insert((user, nick)),
            Event::Leave(user, nick) => self.occupants.remove(&(user, nick)),
        };
    }

    pub(super) fn is_absent(&self, user: usize) -> bool {
        self.members.contains(&user) && self.occupants.iter().all(|(occupant, _)| *occupant != user)
    }
}

/// A push that is not answered yet.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) push: Publish,
    pub(super) since: f64,
    /// By room, the newest message that it is about.
    pub(super) about: BTreeMap<usize, u32>,
}

/// A device: what its owner has not read, and what it got a push for.
#[derive(Debug, Default)]
pub(super) struct ReferenceDevice {
    pub(super) errors: u32,
    /// By room, how many messages are unread.
    pub(super) unread: BTreeMap<usize, u32>,
    /// By room, the newest message that is still to be pushed.
    pub(super) pending: BTreeMap<usize, u32>,
    pub(super) in_flight: Option<InFlight>,
}

impl ReferenceDevice {
    /// Its owner has not read a message.
    pub(super) fn add_unread(&mut self, room: usize, message: u32) {
        *self.unread.entry(room).or_default() += 1;
        self.pending.insert(room, message);
    }

    /// Its owner is in a room, or no member of it.
    pub(super) fn forget(&mut self, room: usize) {
        self.unread.remove(&room);
        self.pending.remove(&room);
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.about.remove(&room);
        }
    }

    /// Its push fails: what it was about is to be pushed again.
    pub(super) fn fail(&mut self) {
        for (room, message) in self.in_flight.take().into_iter().flat_map(|in_flight| in_flight.about) {
            self.pending.entry(room).or_insert(message);
        }
    }

    pub(super) fn is_late(&self, now: f64) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.since + 120.0 <= now)
    }
}
