//! A room: which of its affiliated users have a device, and which of those are not there.

mod members;
mod nicknames;

use std::collections::{BTreeSet, HashMap, hash_map};
use std::sync::Arc;
use std::vec;

use crate::ids::UserId;
use crate::mention::{KnownNicknames, Nickname};
use crate::time::Instant;
use crate::way::Forwarding;
pub(crate) use members::{Member, Members};
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

/// What a user is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// Without an affiliation of member or above.
    None,
    /// Somebody else has made them a member, and they have neither entered since nor registered a nickname.
    WithoutConsent,
    /// A member who has consented.
    Consented,
}

/// The index of a room. It is fed by what happens in the room, so that a message costs what its absent
/// members cost, however many affiliations there are.
#[derive(Debug)]
pub(crate) struct Room {
    jid: Arc<str>,
    coverage: Coverage,
    /// How often all rooms had been forgotten when this was last so.
    forgotten: u32,
    members: Members,
    /// The number of the last reading of its members.
    reading: u16,
    /// The member behind each [`Member::last_used`].
    last_users: HashMap<Box<str>, UserId>,
    nicknames: Nicknames,
    /// Members who have something unread, though they seem to be there: it has bounced, and their occupants are about to go.
    leaving: BTreeSet<UserId>,
    /// The place of the member that was last looked at, whether there is a device still.
    looked_at: usize,
}

impl Room {
    /// A room of which nothing is known.
    pub(crate) fn new(jid: Arc<str>) -> Self {
        Room {
            jid,
            coverage: Coverage::Nothing,
            forgotten: 0,
            members: Members::default(),
            reading: 0,
            last_users: HashMap::new(),
            nicknames: Nicknames::default(),
            leaving: BTreeSet::new(),
            looked_at: 0,
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

    /// All rooms were forgotten so many times; not for what was read after the last one.
    pub(crate) fn forget_before(&mut self, forgotten: u32) {
        self.coverage = self.coverage_since(forgotten);
        self.forgotten = forgotten;
    }

    /// How much the index covers, where all rooms were forgotten so many times.
    pub(crate) fn coverage_since(&self, forgotten: u32) -> Coverage {
        if self.forgotten == forgotten { self.coverage } else { Coverage::Nothing }
    }

    /// A user is known to have something unread here, though not whether they still are a member.
    pub(crate) fn presume_member(&mut self, user: UserId) {
        self.members.get_or_insert(user);
    }

    /// Whether a user is a member and not there, as far as that is known.
    pub(crate) fn misses_messages(&self, user: UserId) -> bool {
        self.members.get(user).is_some_and(Member::is_absent)
    }

    /// The members are about to be read: what those without a device have registered is told anew.
    pub(crate) fn begin_members(&mut self) {
        self.reading = self.reading.wrapping_add(1);
        self.nicknames.clear_others();
        self.members.begin_sweep();
    }

    /// The reading has found a member. Last used nicknames outlive it.
    pub(crate) fn read_member(&mut self, user: UserId, reserved: Option<&str>) {
        self.set_reserved(user, reserved);
        if let Some(member) = self.members.get_mut(user) {
            member.set_consent(true);
            member.reading = self.reading;
        }
    }

    /// The members are read: looks at so many of those who were known before, and returns who of them are members no more.
    /// Nothing is returned where all were looked at, and the members are those that were read.
    pub(crate) fn end_members(&mut self, at_most: usize) -> Option<Vec<Gone>> {
        let gone = self.members.sweep(at_most, |member| member.reading == self.reading);
        if gone.is_none() {
            self.members.shrink();
            self.coverage = Coverage::Members;
        }
        Some(gone?.into_iter().filter_map(|user| self.remove_member(user)).collect())
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
        self.members.leave_all(now);
        self.leaving.clear();
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
        if self.members.get(user).is_none() {
            // Where they are in the room was of no interest before.
            self.coverage = Coverage::Members;
        }
        self.set_reserved(user, reserved);
    }

    fn set_reserved(&mut self, user: UserId, reserved: Option<&str>) {
        let reserved = reserved.map(Nickname::new);
        self.nicknames.add(reserved.as_ref());
        let before = std::mem::replace(&mut self.members.get_or_insert(user).reserved, reserved);
        self.nicknames.remove(before.as_ref());
    }

    /// A user is no member any more.
    pub(crate) fn remove_member(&mut self, user: UserId) -> Option<Gone> {
        let member = self.members.remove(user)?;
        let forwarding = member.forwarding;
        self.leaving.remove(&user);
        self.nicknames.remove(member.reserved.as_ref());
        self.nicknames.remove(member.last_used.as_ref());
        if let Some(nick) = member.last_used {
            self.last_users.remove(nick.as_str());
        }
        Some(Gone { user, forwarding })
    }

    /// What a member has said of messages being forwarded. Returns what they had said before; nothing where they are no member.
    pub(crate) fn set_forwarding(&mut self, user: UserId, forwarding: Forwarding) -> Option<Forwarding> {
        let member = self.members.get_mut(user)?;
        Some(std::mem::replace(&mut member.forwarding, forwarding))
    }

    /// Whether a member has consented to their membership. Who is there has.
    pub(crate) fn set_consent(&mut self, user: UserId, has_consented: bool) {
        if let Some(member) = self.members.get_mut(user) {
            member.set_consent(has_consented);
        }
    }

    /// Somebody entered under a nickname, or registered it: it no longer refers to its previous user.
    pub(crate) fn take_nickname(&mut self, user: Option<UserId>, nick: &str) {
        let Some(&last_user) = self.last_users.get(nick) else { return };
        if user != Some(last_user) {
            self.last_users.remove(nick);
            if let Some(member) = self.members.get_mut(last_user) {
                self.nicknames.remove(member.last_used.take().as_ref());
            }
        }
    }

    /// The nicknames last used by members, where they are not the registered ones.
    pub(crate) fn last_used(&self) -> impl Iterator<Item = (UserId, &str)> {
        self.members.iter().filter_map(|(user, member)| {
            let nick = member.last_used.as_ref()?.as_str();
            (member.reserved.as_ref().map(Nickname::as_str) != Some(nick)).then_some((user, nick))
        })
    }

    /// A user last used a nickname here before a restart. What is known since then counts for more, and who has registered it
    /// or is there under it by now has to be read.
    pub(crate) fn restore_last_used(&mut self, user: UserId, nick: &str) {
        self.forget();
        let member = self.members.get_or_insert(user);
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
        self.members.enter(user, nick);
        let Some(member) = self.members.get_mut(user) else { return };
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
        if let Some(user) = user {
            self.members.leave(user, nick, now);
            self.leaving.remove(&user);
        }
    }

    /// A message has bounced from a member, and is unread.
    pub(crate) fn note_bounced(&mut self, user: UserId) {
        if self.members.get(user).is_some_and(|member| !member.is_absent()) {
            self.leaving.insert(user);
        }
    }

    /// The members who have something unread, though they seem to be there.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = UserId> {
        self.leaving.iter().copied()
    }

    /// The nicknames that are known here, as far as others can be inside of them.
    pub(crate) fn known_nicknames(&self) -> &KnownNicknames {
        self.nicknames.known()
    }

    /// A member, there or not.
    pub(crate) fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(user)
    }

    /// The members who are not there.
    pub(crate) fn absent(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.members.absent()
    }

    /// The members, there or not.
    pub(crate) fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().map(|(user, _)| user)
    }

    /// The members, to be told of a message, and the nicknames that are known.
    pub(crate) fn members_and_nicknames(&mut self) -> (&mut Members, &KnownNicknames) {
        (&mut self.members, self.nicknames.known())
    }

    /// Looks at one of the members, at each call at another one, and forgets them if they have no device any more: those who
    /// are there are found by no message.
    pub(crate) fn forget_without_device(&mut self, has_device: impl Fn(UserId) -> bool) {
        self.looked_at = if self.looked_at < self.members.len() { self.looked_at + 1 } else { 0 };
        if let Some((user, _)) = self.members.at(self.looked_at).filter(|(user, _)| !has_device(*user)) {
            self.remove_member(user);
        }
    }

    /// What was known of a room that is gone, to be dropped bit by bit: its members, and the last used nicknames.
    pub(crate) fn into_remains(self) -> Remains {
        Remains { members: self.members.into_all(), nicknames: self.last_users.into_iter() }
    }
}

/// Somebody who is no member any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    /// Who.
    pub(crate) user: UserId,
    /// What they had said of messages being forwarded.
    pub(crate) forwarding: Forwarding,
}

/// What is left of a room that is gone. With very many members it takes a while to drop it.
#[derive(Debug)]
pub(crate) struct Remains {
    members: vec::IntoIter<(UserId, Member)>,
    nicknames: hash_map::IntoIter<Box<str>, UserId>,
}

impl Remains {
    /// Drops one member, with a nickname, and returns who it was.
    pub(crate) fn next(&mut self) -> Option<Gone> {
        drop(self.nicknames.next());
        self.members.next().map(|(user, member)| Gone { user, forwarding: member.forwarding })
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.len() == 0
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

    fn read(room: &mut Room, members: &[(UserId, Option<&str>)]) {
        room.begin_members();
        members.iter().for_each(|(user, nick)| room.read_member(*user, *nick));
        while room.end_members(1).is_some() {}
    }

    fn apply(room: &mut Room, (kind, user, nick): Happening) {
        let now = Instant::from_seconds(0.0);
        let id = |user: u64| UserId::from(KeyData::from_ffi(1 << 32 | user));
        // The last user has no device.
        let user = Some(user).filter(|&user| user < 3).map(id);
        let nick = NICKS.get(nick).copied().unwrap_or_default();
        match (kind, user) {
            (0, Some(user)) => room.add_member(user, Some(nick)),
            (1, Some(user)) => room.add_member(user, None),
            (2, Some(user)) => drop(room.remove_member(user)),
            (3, Some(user)) => read(room, &[(user, Some(nick)), (id(0), None)]),
            (4, _) => room.set_occupants([(user, nick), (None, "a b")], now),
            (5, Some(user)) => room.forget_without_device(|other| other != user),
            (6, _) => room.take_nickname(user, nick),
            (7..=9, _) => room.leave(user, nick, now),
            (10, Some(_)) => room.set_other_nickname(nick, Some(nick)),
            (10, None) => room.set_other_nickname(nick, None),
            (11, Some(_)) => room.set_other_nickname("somebody", Some(nick)),
            (11, None) => room.begin_members(),
            _ => room.enter(user, nick),
        }
    }

    proptest! {
        #[test]
        fn the_nicknames_that_are_known_are_those_of_members_and_occupants(
            happenings in prop::collection::vec((0..16_u8, 0..4_u64, 0..4_usize), 0..40),
        ) {
            let mut room = Room::new("orchard@conference.example".into());
            read(&mut room, &[]);
            for happening in happenings {
                apply(&mut room, happening);
                let before = format!("{:?}", room.known_nicknames().sorted());
                room.nicknames.set_members(room.members.iter().flat_map(|(_, member)| member.nicknames()));
                prop_assert_eq!(before, format!("{:?}", room.known_nicknames().sorted()), "{:?}", happening);
            }
        }
    }
}
