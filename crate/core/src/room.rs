//! A room: which of its affiliated users have a device, and which of those are not there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::UserId;
use crate::mention::Nickname;

/// How much of a room the index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing: its affiliations and occupants have to be read.
    Nothing,
    /// Its members, but not where each of them is: its occupants have to be read.
    Members,
    /// Who is absent.
    Complete,
}

/// An affiliated user (owner, admin or member; XEP-0045, section 5.2) who has a device.
#[derive(Debug)]
pub struct Member {
    /// The nickname registered with the room (XEP-0045, section 7.10).
    reserved: Option<Nickname>,
    /// The nickname last used in the room, for as long as nobody else has taken it.
    last_used: Option<Nickname>,
    /// The nicknames of the member's occupants: an occupant is one or more sessions under one nickname.
    occupants: Vec<Box<str>>,
    /// Since when none of them is there: for ever where none ever was, infinitely late while one is.
    absent_since: f64,
}

impl Default for Member {
    fn default() -> Self {
        Member { reserved: None, last_used: None, occupants: Vec::new(), absent_since: f64::NEG_INFINITY }
    }
}

impl Member {
    /// Whether no session of the member is in the room.
    pub fn is_absent(&self) -> bool {
        self.occupants.is_empty()
    }

    /// Whoever is not there any more is absent from `now` on.
    fn note_absence(&mut self, now: f64) {
        if self.is_absent() && self.absent_since == f64::INFINITY {
            self.absent_since = now;
        }
    }

    /// Whether a message that came back counts as missed: the member is not there, but for the occupant `gone` that it
    /// came back from, and was when it was sent.
    pub fn misses_returned(&self, gone: Option<&str>, sent: Option<f64>) -> bool {
        let is_elsewhere = self.occupants.iter().any(|nick| Some(&**nick) != gone);
        !is_elsewhere && sent.is_none_or(|sent| sent < self.absent_since)
    }

    /// The nicknames that mean this member.
    pub fn nicknames(&self) -> impl Iterator<Item = &Nickname> + Clone {
        self.reserved.iter().chain(&self.last_used)
    }
}

/// The index of a room. It is fed by what happens in the room, so that a message costs what its absent
/// members cost, however many affiliations there are.
#[derive(Debug)]
pub struct Room {
    /// The room's bare JID.
    pub jid: Arc<str>,
    knowledge: Knowledge,
    members: HashMap<UserId, Member>,
    /// Whose [`Member::last_used`] a nickname is.
    last_users: HashMap<Box<str>, UserId>,
}

impl Room {
    /// A room of which nothing is known.
    pub fn new(jid: Arc<str>) -> Self {
        Room { jid, knowledge: Knowledge::Nothing, members: HashMap::new(), last_users: HashMap::new() }
    }

    /// How much of the room the index holds.
    pub fn knowledge(&self) -> Knowledge {
        self.knowledge
    }

    /// The room was restored from storage, or went unwatched: all has to be read again.
    pub fn forget(&mut self) {
        self.knowledge = Knowledge::Nothing;
    }

    /// Somebody is known to have missed something here, though not whether they still are a member.
    pub fn presume_member(&mut self, user: UserId) {
        self.members.entry(user).or_default();
    }

    /// Takes over the members of the room as they are, and returns who is none any more. Last used
    /// nicknames outlive it.
    pub fn set_members<'a>(
        &mut self,
        members: impl IntoIterator<Item = (UserId, Option<&'a str>)>,
    ) -> Vec<UserId> {
        let mut before = std::mem::take(&mut self.members);
        for (user, reserved) in members {
            let before = before.remove(&user).unwrap_or_default();
            self.members.insert(
                user,
                Member { reserved: reserved.map(Nickname::new), occupants: Vec::new(), ..before },
            );
        }
        let members = &self.members;
        self.last_users.retain(|_, user| members.contains_key(user));
        self.knowledge = Knowledge::Members;
        before.into_keys().collect()
    }

    /// Takes over the occupants of the room as they are at `now`: who is there under which nickname.
    pub fn set_occupants<'a>(&mut self, occupants: impl IntoIterator<Item = (UserId, &'a str)>, now: f64) {
        for member in self.members.values_mut() {
            member.occupants.clear();
        }
        for (user, nick) in occupants {
            self.enter(Some(user), nick);
        }
        self.members.values_mut().for_each(|member| member.note_absence(now));
        if self.knowledge == Knowledge::Members {
            self.knowledge = Knowledge::Complete;
        }
    }

    /// A user with a device became a member, or their registered nickname changed.
    pub fn add_member(&mut self, user: UserId, reserved: Option<&str>) {
        if self.knowledge == Knowledge::Nothing {
            return;
        }
        if !self.members.contains_key(&user) {
            // Where they are in the room was of no interest before.
            self.knowledge = Knowledge::Members;
        }
        self.members.entry(user).or_default().reserved = reserved.map(Nickname::new);
    }

    /// A user is no member any more.
    pub fn remove_member(&mut self, user: UserId) {
        if let Some(nick) = self.members.remove(&user).and_then(|member| member.last_used) {
            self.last_users.remove(nick.as_str());
        }
    }

    /// Members who have no device any more are forgotten.
    pub fn forget_all_but(&mut self, has_device: impl Fn(UserId) -> bool) {
        self.members.retain(|&user, _| has_device(user));
        self.last_users.retain(|_, &mut user| has_device(user));
    }

    /// Somebody entered under a nickname, or registered it: it no longer means who used it before.
    pub fn take_nickname(&mut self, user: Option<UserId>, nick: &str) {
        let Some(&last_user) = self.last_users.get(nick) else { return };
        if user != Some(last_user) {
            self.last_users.remove(nick);
            if let Some(member) = self.members.get_mut(&last_user) {
                member.last_used = None;
            }
        }
    }

    /// An occupant is there; `user` is `None` for one without a device.
    pub fn enter(&mut self, user: Option<UserId>, nick: &str) {
        self.take_nickname(user, nick);
        let Some(user) = user else { return };
        let Some(member) = self.members.get_mut(&user) else { return };
        if !member.occupants.iter().any(|occupant| **occupant == *nick) {
            member.occupants.push(nick.into());
            member.absent_since = f64::INFINITY;
        }
        if member.last_used.as_ref().map(Nickname::as_str) != Some(nick) {
            if let Some(before) = member.last_used.replace(Nickname::new(nick)) {
                self.last_users.remove(before.as_str());
            }
            self.last_users.insert(nick.into(), user);
        }
    }

    /// An occupant is gone at `now`.
    pub fn leave(&mut self, user: UserId, nick: &str, now: f64) {
        if let Some(member) = self.members.get_mut(&user) {
            member.occupants.retain(|occupant| **occupant != *nick);
            member.note_absence(now);
        }
    }

    /// A member, there or not.
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(&user)
    }

    /// The members, there or not.
    pub fn members(&self) -> impl ExactSizeIterator<Item = UserId> {
        self.members.keys().copied()
    }

    /// The members who are not there.
    pub fn absent(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.members.iter().filter(|(_, member)| member.is_absent()).map(|(&user, member)| (user, member))
    }
}
