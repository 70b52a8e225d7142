//! What is known to be true of rooms and devices.

use std::collections::{BTreeMap, BTreeSet};

use super::transition::Event;
use crate::driver::Publish;

/// How long an app server may take to answer: as long as one that is not known to be there, so that it is the same for all.
pub(super) const REPLY_TIMEOUT: f64 = 15.0;

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
    /// By room, which messages it is about.
    pub(super) about: BTreeMap<usize, Told>,
}

/// What a push tells of a room.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The messages that it stands for, the newest last.
    pub(super) messages: Vec<u32>,
    /// Whether the words of the newest are known still.
    pub(super) has_words: bool,
}

impl Told {
    fn add(&mut self, message: u32) {
        self.messages.push(message);
        self.has_words = true;
    }

    /// Returns whether the message is one of these.
    fn retract(&mut self, message: u32) -> bool {
        let Some(place) = self.messages.iter().position(|&other| other == message) else { return false };
        self.messages.remove(place);
        self.has_words &= place < self.messages.len();
        true
    }

    fn correct(&mut self, message: u32) {
        self.has_words |= self.messages.last() == Some(&message);
    }
}

/// A device: what its owner has not read, and what it got a push for.
#[derive(Debug, Default)]
pub(super) struct ReferenceDevice {
    pub(super) errors: u32,
    /// By room, how many messages are unread.
    pub(super) unread: BTreeMap<usize, u32>,
    /// By room, which messages are still to be pushed.
    pub(super) pending: BTreeMap<usize, Told>,
    pub(super) in_flight: Option<InFlight>,
}

impl ReferenceDevice {
    /// Its owner has not read a message.
    pub(super) fn add_unread(&mut self, room: usize, message: u32) {
        *self.unread.entry(room).or_default() += 1;
        self.pending.entry(room).or_default().add(message);
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
        for (room, told) in self.in_flight.take().into_iter().flat_map(|in_flight| in_flight.about) {
            let newer = self.pending.entry(room).or_default();
            newer.has_words = if newer.messages.is_empty() { told.has_words } else { newer.has_words };
            newer.messages.splice(0..0, told.messages);
        }
    }

    /// A message of a room is taken back. One that an app server knows of already still counts.
    pub(super) fn retract(&mut self, room: usize, message: u32) {
        let told = |about: &mut BTreeMap<usize, Told>| {
            let is_told = about.get_mut(&room).is_some_and(|told| told.retract(message));
            about.retain(|_, told| !told.messages.is_empty());
            is_told
        };
        if (told(&mut self.pending) || self.in_flight.as_mut().is_some_and(|it| told(&mut it.about)))
            && let Some(unread) = self.unread.get_mut(&room)
        {
            *unread -= 1;
        }
    }

    /// A message of a room has another text.
    pub(super) fn correct(&mut self, room: usize, message: u32) {
        let in_flight = self.in_flight.as_mut().map(|in_flight| &mut in_flight.about);
        let told = in_flight.into_iter().chain([&mut self.pending]).filter_map(|about| about.get_mut(&room));
        told.for_each(|told| told.correct(message));
    }

    pub(super) fn is_late(&self, now: f64) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.since + REPLY_TIMEOUT <= now)
    }
}
