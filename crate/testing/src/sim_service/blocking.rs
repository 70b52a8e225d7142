//! What users have blocked (XEP-0191): of that they hear nothing, nor does it count.

use super::promises::Knowledge;
use super::rooms::nickname;
use super::simulation::{Killed, Simulation};
use super::truth::{Key, Said, Truth};
use crate::names::HOST;

/// What a user can block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Blocked {
    Service,
    Room(usize),
    /// What somebody says in a room, or what is said there in the name of nobody in particular.
    Occupant(usize, Option<usize>),
}

/// The nickname that somebody says something under.
pub(super) fn nickname_of(sender: Option<usize>) -> String {
    sender.map_or_else(|| "Somebody".to_owned(), |sender| nickname(sender, 0))
}

impl Truth {
    fn has_blocked_room(&self, user: usize, room: usize) -> bool {
        self.blocked[user].contains(&Blocked::Service) || self.blocked[user].contains(&Blocked::Room(room))
    }

    /// Whether a user has blocked what is said.
    pub(super) fn is_blocked(&self, user: usize, said: &Said) -> bool {
        self.has_blocked_room(user, said.room)
            || self.blocked[user].contains(&Blocked::Occupant(said.room, said.sender))
    }

    /// Nothing is unread of the rooms that a user has blocked.
    fn read_blocked_rooms(&mut self, user: usize) {
        for room in 0..self.rooms.len() {
            if self.has_blocked_room(user, room) {
                self.read(user, room);
            }
        }
    }
}

impl Simulation {
    /// Somebody blocks something, or blocks it no more.
    pub(super) fn change_blocking(&mut self) -> Result<(), Killed> {
        let (user, room) = (self.some_user(), self.chance.below(self.rooms.len()));
        if self.is_elsewhere(user) || self.disabled_accounts.contains(&user) || self.module.is_holding() {
            return Ok(());
        }
        let what = match self.chance.below(8) {
            0 => Blocked::Service,
            1..4 => Blocked::Room(room),
            4 => Blocked::Occupant(room, None),
            _ => Blocked::Occupant(room, Some(self.some_user())),
        };
        if self.truth.blocked[user].remove(&what) {
            return self.tell_blocked(user);
        }
        let Some(dropped) = self.dropped_by(user, what) else { return Ok(()) };
        self.note(|| format!("user {user} blocks {what:?}, which drops {dropped:?}"));
        self.truth.blocked[user].insert(what);
        self.tell_blocked(user)?;
        self.assert_dropped((user, room), &dropped);
        Ok(())
    }

    /// The engine is told what a user has blocked, if it knows the user.
    pub(super) fn tell_blocked(&mut self, user: usize) -> Result<(), Killed> {
        if !self.settings.has_blocking || !self.truth.has_device(user) {
            return Ok(());
        }
        let name = self.users[user].clone();
        let jid = |blocked: &Blocked| match *blocked {
            Blocked::Service => HOST.to_owned(),
            Blocked::Room(room) => self.rooms[room].clone(),
            Blocked::Occupant(room, sender) => format!("{}/{}", self.rooms[room], nickname_of(sender)),
        };
        let jids: Vec<String> = self.truth.blocked[user].iter().map(jid).collect();
        let jids: Vec<&str> = jids.iter().map(String::as_str).collect();
        self.fact(|driver| driver.set_blocked(&name, &jids), |truth| truth.read_blocked_rooms(user))
    }

    /// Whether a user has blocked somebody who is called so in a room.
    pub(super) fn has_blocked(&self, user: usize, room: usize, nick: &str) -> bool {
        let is_it = |blocked: &Blocked| match blocked {
            Blocked::Service => true,
            Blocked::Room(other) => *other == room,
            Blocked::Occupant(other, sender) => *other == room && nickname_of(*sender) == nick,
        };
        self.truth.blocked[user].iter().any(is_it)
    }

    /// After a start, the engine is told what all have blocked. What the last run has left of that is dropped.
    pub(super) fn tell_all_blocked(&mut self) -> Result<(), Killed> {
        for user in 0..self.users.len() {
            if self.truth.blocked[user].is_empty() {
                continue;
            }
            self.tell_blocked(user)?;
            self.adopt_dropped(user);
        }
        Ok(())
    }

    /// The messages that a user's devices have yet to hear of and that would be dropped if this was blocked, each with the device;
    /// `None` where that is not known.
    fn dropped_by(&self, user: usize, what: Blocked) -> Option<Vec<(Key, u32)>> {
        let Blocked::Occupant(room, sender) = what else { return Some(Vec::new()) };
        if !self.settings.is_plain() {
            return None;
        }
        let mut dropped = Vec::new();
        for (key, device) in self.truth.devices_of(user) {
            let of_room = &device.rooms[room];
            for number in of_room.all_heard().filter(|number| self.authors.get(number) == Some(&sender)) {
                match of_room.knowledge(number) {
                    Knowledge::Untold => dropped.push((*key, number)),
                    Knowledge::Told => {}
                    Knowledge::Unclear => return None,
                }
            }
        }
        Some(dropped)
    }

    /// An occupant was blocked. Panics where something else was dropped than what that has said, and was not told.
    fn assert_dropped(&mut self, (user, room): (usize, usize), dropped: &[(Key, u32)]) {
        for (key, number) in dropped {
            let device = self.truth.devices.get_mut(key).expect("it was there just now");
            device.rooms[room].take_back(*number);
        }
        // To others what was said may have yet to come.
        let is_concerned = |key: &Key| key.0 == user || !self.truth.is_bit_by_bit;
        for (key, number, count, _) in self.found_unread().into_iter().filter(|(key, ..)| is_concerned(key)) {
            let expected = self.truth.devices[&key].rooms[number].count;
            assert_eq!(
                count, expected,
                "what is unread for {key:?} in {number} once {dropped:?} was dropped"
            );
        }
    }

    /// After a start something was blocked. Panics where more is unread than was before.
    fn adopt_dropped(&mut self, user: usize) {
        let found = self.found_unread();
        for (key, room, count, pending) in found.into_iter().filter(|(key, ..)| key.0 == user) {
            let has_occupant = self.truth.blocked[user]
                .iter()
                .any(|blocked| matches!(blocked, Blocked::Occupant(other, _) if *other == room));
            let of_room = &mut self.truth.devices.get_mut(&key).expect("it is registered").rooms[room];
            let expected = if has_occupant { 0..=of_room.count } else { of_room.count..=of_room.count };
            assert!(expected.contains(&count), "{count} of {key:?} in {room} after a start: {of_room:?}");
            of_room.reduce(count, pending);
        }
    }

    /// What the engine knows to be unread: devices, rooms, how many messages, and how many of them are to be told.
    fn found_unread(&self) -> Vec<(Key, usize, u32, u32)> {
        let states = self.module.driver.snapshot().devices;
        let mut found = Vec::new();
        for key in self.truth.devices.keys() {
            let is_it = |it: &&_| self.key_of_state(it) == *key;
            let state = states.iter().find(is_it);
            for (number, name) in self.rooms.iter().enumerate() {
                let of_room = state.and_then(|it| it.unread.iter().find(|it| it.room == *name));
                let pending = of_room.and_then(|it| it.pending.as_ref()).map_or(0, |it| it.messages);
                found.push((*key, number, of_room.map_or(0, |it| it.count), pending));
            }
        }
        found
    }
}
