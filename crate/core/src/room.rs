//! A room: which of its affiliated users have a device, and which of those are not there.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::UserId;
use crate::mention::Nickname;
use crate::time::Instant;

/// How much of a room the index covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Nothing: its affiliations and occupants have to be read.
    Nothing,
    /// Its members, but not where each of them is: its occupants have to be read.
    Members,
    /// Who is absent.
    Complete,
}

/// An affiliated user (owner, admin or member; XEP-0045, section 5.2) who has a device.
#[derive(Debug, Default)]
pub(crate) struct Member {
    /// The nickname registered with the room (XEP-0045, section 7.10).
    reserved: Option<Nickname>,
    /// The nickname last used in the room, for as long as nobody else has taken it.
    last_used: Option<Nickname>,
    /// The nicknames of the member's occupants: an occupant is one or more sessions under one nickname.
    occupants: Vec<Box<str>>,
    /// When the last of them left; `None` where the member was never seen.
    absent_since: Option<Instant>,
}

impl Member {
    /// Whether no session of the member is in the room.
    fn is_absent(&self) -> bool {
        self.occupants.is_empty()
    }

    /// Whether a message that bounced counts as unread: the member is absent, but for the occupant `gone` that it bounced
    /// from, and was present when it was sent.
    pub(crate) fn misses_bounced(&self, gone: Option<&str>, sent: Option<Instant>) -> bool {
        let is_elsewhere = self.occupants.iter().any(|nick| Some(&**nick) != gone);
        let was_present = !self.is_absent() || sent.is_none_or(|sent| Some(sent) < self.absent_since);
        !is_elsewhere && was_present
    }

    /// The nicknames that mean this member.
    pub(crate) fn nicknames(&self) -> impl Iterator<Item = &Nickname> + Clone {
        self.reserved.iter().chain(&self.last_used)
    }
}

/// The index of a room. It is fed by what happens in the room, so that a message costs what its absent
/// members cost, however many affiliations there are.
#[derive(Debug)]
pub(crate) struct Room {
    jid: Arc<str>,
    coverage: Coverage,
    members: HashMap<UserId, Member>,
    /// The member behind each [`Member::last_used`].
    last_users: HashMap<Box<str>, UserId>,
}

impl Room {
    /// A room of which nothing is known.
    pub(crate) fn new(jid: Arc<str>) -> Self {
        Room { jid, coverage: Coverage::Nothing, members: HashMap::new(), last_users: HashMap::new() }
    }

    /// The room's bare JID.
    pub(crate) fn jid(&self) -> &Arc<str> {
        &self.jid
    }

    /// How much of the room the index covers.
    pub(crate) fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// The room was restored from storage, or nobody has looked for a while: all has to be read again.
    pub(crate) fn forget(&mut self) {
        self.coverage = Coverage::Nothing;
    }

    /// A user is known to have something unread here, though not whether they still are a member.
    pub(crate) fn presume_member(&mut self, user: UserId) {
        self.members.entry(user).or_default();
    }

    /// Takes over the members of the room as they are, and returns those that are no longer members. Last used
    /// nicknames outlive it.
    pub(crate) fn set_members<'a>(
        &mut self,
        members: impl IntoIterator<Item = (UserId, Option<&'a str>)>,
    ) -> Vec<UserId> {
        let mut before = std::mem::take(&mut self.members);
        for (user, reserved) in members {
            let before = before.remove(&user).unwrap_or_default();
            self.members.insert(user, Member { reserved: reserved.map(Nickname::new), ..before });
        }
        let members = &self.members;
        self.last_users.retain(|_, user| members.contains_key(user));
        self.coverage = Coverage::Members;
        before.into_keys().collect()
    }

    /// Takes over the occupants of the room as they are at `now`: who is there under which nickname.
    pub(crate) fn set_occupants<'a>(
        &mut self,
        occupants: impl IntoIterator<Item = (UserId, &'a str)>,
        now: Instant,
    ) {
        for member in self.members.values_mut().filter(|member| !member.is_absent()) {
            member.occupants.clear();
            member.absent_since = Some(now);
        }
        for (user, nick) in occupants {
            self.enter(Some(user), nick);
        }
        if self.coverage == Coverage::Members {
            self.coverage = Coverage::Complete;
        }
    }

    /// A user with a device became a member, or their registered nickname changed.
    pub(crate) fn add_member(&mut self, user: UserId, reserved: Option<&str>) {
        if self.coverage == Coverage::Nothing {
            return;
        }
        if !self.members.contains_key(&user) {
            // Where they are in the room was of no interest before.
            self.coverage = Coverage::Members;
        }
        self.members.entry(user).or_default().reserved = reserved.map(Nickname::new);
    }

    /// A user is no member any more.
    pub(crate) fn remove_member(&mut self, user: UserId) {
        if let Some(nick) = self.members.remove(&user).and_then(|member| member.last_used) {
            self.last_users.remove(nick.as_str());
        }
    }

    /// Members who have no device any more are forgotten.
    pub(crate) fn forget_all_but(&mut self, has_device: impl Fn(UserId) -> bool) {
        self.members.retain(|&user, _| has_device(user));
        self.last_users.retain(|_, &mut user| has_device(user));
    }

    /// Somebody entered under a nickname, or registered it: it no longer refers to its previous user.
    pub(crate) fn take_nickname(&mut self, user: Option<UserId>, nick: &str) {
        let Some(&last_user) = self.last_users.get(nick) else { return };
        if user != Some(last_user) {
            self.last_users.remove(nick);
            if let Some(member) = self.members.get_mut(&last_user) {
                member.last_used = None;
            }
        }
    }

    /// An occupant is there; `user` is `None` for one without a device.
    pub(crate) fn enter(&mut self, user: Option<UserId>, nick: &str) {
        self.take_nickname(user, nick);
        let Some(user) = user else { return };
        let Some(member) = self.members.get_mut(&user) else { return };
        if !member.occupants.iter().any(|occupant| **occupant == *nick) {
            member.occupants.push(nick.into());
        }
        if member.last_used.as_ref().map(Nickname::as_str) != Some(nick) {
            if let Some(before) = member.last_used.replace(Nickname::new(nick)) {
                self.last_users.remove(before.as_str());
            }
            self.last_users.insert(nick.into(), user);
        }
    }

    /// An occupant is gone at `now`.
    pub(crate) fn leave(&mut self, user: UserId, nick: &str, now: Instant) {
        let Some(member) = self.members.get_mut(&user).filter(|member| !member.is_absent()) else { return };
        member.occupants.retain(|occupant| **occupant != *nick);
        if member.is_absent() {
            member.absent_since = Some(now);
        }
    }

    /// A member, there or not.
    pub(crate) fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(&user)
    }

    /// The members, there or not.
    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = UserId> {
        self.members.keys().copied()
    }

    /// The members who are not there.
    pub(crate) fn absent(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.members.iter().filter(|(_, member)| member.is_absent()).map(|(&user, member)| (user, member))
    }
}
