//! The nicknames that are known in a room.

use std::collections::{HashMap, HashSet};

use crate::mention::{KnownNicknames, Nickname};

/// The nicknames of members and occupants of a room, as far as others can be inside of them.
#[derive(Debug, Default)]
pub(super) struct Nicknames {
    known: KnownNicknames,
    /// Those of occupants who are there, with a device or without.
    occupants: HashSet<Box<str>>,
    /// Those that members without a device have registered, by their bare JIDs: each has one at most.
    others: HashMap<Box<str>, Box<str>>,
}

impl Nicknames {
    pub(super) fn known(&self) -> &KnownNicknames {
        &self.known
    }

    /// A member has a nickname, registered or last used.
    pub(super) fn add(&mut self, nickname: Option<&Nickname>) {
        if let Some(nickname) = nickname {
            self.known.add(nickname);
        }
    }

    /// A member has a nickname no more.
    pub(super) fn remove(&mut self, nickname: Option<&Nickname>) {
        if let Some(nickname) = nickname {
            self.known.remove(nickname);
        }
    }

    /// A member without a device has registered a nickname, or has none any more.
    pub(super) fn set_other(&mut self, jid: &str, nick: Option<&str>) {
        if let Some(before) = self.others.remove(jid) {
            self.known.remove(&Nickname::new(&before));
        }
        let Some(nick) = nick.filter(|_| self.others.len() < KnownNicknames::KEPT) else { return };
        let nickname = Nickname::new(nick);
        if KnownNicknames::keeps(&nickname) {
            self.known.add(&nickname);
            self.others.insert(jid.into(), nick.into());
        }
    }

    /// Nothing is known any more of nicknames that members without a device have registered.
    pub(super) fn clear_others(&mut self) {
        for nick in std::mem::take(&mut self.others).into_values() {
            self.known.remove(&Nickname::new(&nick));
        }
    }

    /// An occupant is there.
    pub(super) fn enter(&mut self, nick: &str) {
        if self.occupants.len() < KnownNicknames::KEPT && !self.occupants.contains(nick) {
            let nickname = Nickname::new(nick);
            if KnownNicknames::keeps(&nickname) {
                self.known.add(&nickname);
                self.occupants.insert(nick.into());
            }
        }
    }

    /// An occupant is gone.
    pub(super) fn leave(&mut self, nick: &str) {
        if self.occupants.remove(nick) {
            self.known.remove(&Nickname::new(nick));
        }
    }

    /// Everybody who was there is gone.
    pub(super) fn clear_occupants(&mut self) {
        for nick in std::mem::take(&mut self.occupants) {
            self.known.remove(&Nickname::new(&nick));
        }
    }

    /// Reads all anew: these are the nicknames that members have.
    #[cfg(test)]
    pub(super) fn set_members<'a>(&mut self, nicknames: impl Iterator<Item = &'a Nickname>) {
        self.known = KnownNicknames::default();
        nicknames.for_each(|nickname| self.known.add(nickname));
        for nick in self.occupants.iter().chain(self.others.values()) {
            self.known.add(&Nickname::new(nick));
        }
    }
}
