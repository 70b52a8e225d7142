//! A room: which of its affiliated users have a device, and which of those are not there.

mod nicknames;

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::UserId;
use crate::mention::{KnownNicknames, Nickname};
use crate::time::Instant;
use nicknames::Nicknames;

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
    nicknames: Nicknames,
}

impl Room {
    /// A room of which nothing is known.
    pub(crate) fn new(jid: Arc<str>) -> Self {
        Room {
            jid,
            coverage: Coverage::Nothing,
            members: HashMap::new(),
            last_users: HashMap::new(),
            nicknames: Nicknames::default(),
        }
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

    /// Whether a user is a member and not there, as far as that is known.
    pub(crate) fn misses_messages(&self, user: UserId) -> bool {
        self.members.get(&user).is_some_and(Member::is_absent)
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
        self.nicknames.set_members(self.members.values().flat_map(Member::nicknames));
        self.coverage = Coverage::Members;
        before.into_keys().collect()
    }

    /// The room is about to be read: what members without a device have registered is told anew.
    pub(crate) fn clear_other_nicknames(&mut self) {
        self.nicknames.clear_others();
    }

    /// A member without a device has registered a nickname; `None`: has none, is no such member any more.
    pub(crate) fn set_other_nickname(&mut self, jid: &str, nick: Option<&str>) {
        self.nicknames.set_other(jid, nick);
    }

    /// Takes over the occupants of the room as they are at `now`: who is there under which nickname; the user is `None` for
    /// one without a device.
    pub(crate) fn set_occupants<'a>(
        &mut self,
        occupants: impl IntoIterator<Item = (Option<UserId>, &'a str)>,
        now: Instant,
    ) {
        self.nicknames.clear_occupants();
        for member in self.members.values_mut().filter(|member| !member.is_absent()) {
            member.occupants.clear();
            member.absent_since = Some(now);
        }
        for (user, nick) in occupants {
            self.enter(user, nick);
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
        let reserved = reserved.map(Nickname::new);
        self.nicknames.add(reserved.as_ref());
        let before = std::mem::replace(&mut self.members.entry(user).or_default().reserved, reserved);
        self.nicknames.remove(before.as_ref());
    }

    /// A user is no member any more.
    pub(crate) fn remove_member(&mut self, user: UserId) {
        let Some(member) = self.members.remove(&user) else { return };
        self.nicknames.remove(member.reserved.as_ref());
        self.nicknames.remove(member.last_used.as_ref());
        if let Some(nick) = member.last_used {
            self.last_users.remove(nick.as_str());
        }
    }

    /// Members who have no device any more are forgotten.
    pub(crate) fn forget_all_but(&mut self, has_device: impl Fn(UserId) -> bool) {
        self.members.retain(|&user, _| has_device(user));
        self.last_users.retain(|_, &mut user| has_device(user));
        self.nicknames.set_members(self.members.values().flat_map(Member::nicknames));
    }

    /// Somebody entered under a nickname, or registered it: it no longer refers to its previous user.
    pub(crate) fn take_nickname(&mut self, user: Option<UserId>, nick: &str) {
        let Some(&last_user) = self.last_users.get(nick) else { return };
        if user != Some(last_user) {
            self.last_users.remove(nick);
            if let Some(member) = self.members.get_mut(&last_user) {
                self.nicknames.remove(member.last_used.take().as_ref());
            }
        }
    }

    /// The nicknames last used by members, where they are not the registered ones.
    pub(crate) fn last_used(&self) -> impl Iterator<Item = (UserId, &str)> {
        self.members.iter().filter_map(|(&user, member)| {
            let nick = member.last_used.as_ref()?.as_str();
            (member.reserved.as_ref().map(Nickname::as_str) != Some(nick)).then_some((user, nick))
        })
    }

    /// A user last used a nickname here before a restart. What is known since then counts for more, and who has registered it
    /// or is there under it by now has to be read.
    pub(crate) fn restore_last_used(&mut self, user: UserId, nick: &str) {
        self.forget();
        let member = self.members.entry(user).or_default();
        if !self.last_users.contains_key(nick) && member.last_used.is_none() {
            let nickname = member.last_used.insert(Nickname::new(nick));
            self.nicknames.add(Some(nickname));
            self.last_users.insert(nick.into(), user);
        }
    }

    /// An occupant is there; `user` is `None` for one without a device.
    pub(crate) fn enter(&mut self, user: Option<UserId>, nick: &str) {
        self.take_nickname(user, nick);
        self.nicknames.enter(nick);
        let Some(user) = user else { return };
        let Some(member) = self.members.get_mut(&user) else { return };
        if !member.occupants.iter().any(|occupant| **occupant == *nick) {
            member.occupants.push(nick.into());
        }
        if member.last_used.as_ref().map(Nickname::as_str) != Some(nick) {
            let nickname = Nickname::new(nick);
            self.nicknames.add(Some(&nickname));
            if let Some(before) = member.last_used.replace(nickname) {
                self.nicknames.remove(Some(&before));
                self.last_users.remove(before.as_str());
            }
            self.last_users.insert(nick.into(), user);
        }
    }

    /// An occupant is gone at `now`; `user` is `None` for one without a device.
    pub(crate) fn leave(&mut self, user: Option<UserId>, nick: &str, now: Instant) {
        self.nicknames.leave(nick);
        let member = user.and_then(|user| self.members.get_mut(&user));
        let Some(member) = member.filter(|member| !member.is_absent()) else { return };
        member.occupants.retain(|occupant| **occupant != *nick);
        if member.is_absent() {
            member.absent_since = Some(now);
        }
    }

    /// The nicknames that are known here, as far as others can be inside of them.
    pub(crate) fn known_nicknames(&self) -> &KnownNicknames {
        self.nicknames.known()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slotmap::KeyData;

    /// Something that happens in a room: to which of four users, and which of four nicknames it has to do with.
    type Happening = (u8, u64, usize);

    const NICKS: [&str; 4] = ["a", "a b", "a[b]", "c d e"];

    fn apply(room: &mut Room, (kind, user, nick): Happening) {
        let now = Instant::from_seconds(0.0);
        let id = |user: u64| UserId::from(KeyData::from_ffi(1 << 32 | user));
        // The last user has no device.
        let user = Some(user).filter(|&user| user < 3).map(id);
        let nick = NICKS.get(nick).copied().unwrap_or_default();
        match (kind, user) {
            (0, Some(user)) => room.add_member(user, Some(nick)),
            (1, Some(user)) => room.add_member(user, None),
            (2, Some(user)) => room.remove_member(user),
            (3, Some(user)) => drop(room.set_members([(user, Some(nick)), (id(0), None)])),
            (4, _) => room.set_occupants([(user, nick), (None, "a b")], now),
            (5, Some(user)) => room.forget_all_but(|other| other != user),
            (6, _) => room.take_nickname(user, nick),
            (7..=9, _) => room.leave(user, nick, now),
            (10, Some(_)) => room.set_other_nickname(nick, Some(nick)),
            (10, None) => room.set_other_nickname(nick, None),
            (11, Some(_)) => room.set_other_nickname("somebody", Some(nick)),
            (11, None) => room.clear_other_nicknames(),
            _ => room.enter(user, nick),
        }
    }

    proptest! {
        #[test]
        fn the_nicknames_that_are_known_are_those_of_members_and_occupants(
            happenings in prop::collection::vec((0..16_u8, 0..4_u64, 0..4_usize), 0..40),
        ) {
            let mut room = Room::new("orchard@conference.example".into());
            room.set_members([]);
            for happening in happenings {
                apply(&mut room, happening);
                let before = format!("{:?}", room.known_nicknames().sorted());
                room.nicknames.set_members(room.members.values().flat_map(Member::nicknames));
                prop_assert_eq!(before, format!("{:?}", room.known_nicknames().sorted()), "{:?}", happening);
            }
        }
    }
}
