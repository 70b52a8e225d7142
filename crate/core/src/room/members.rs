//! The members of a room, those who are absent side by side: a message looks at nobody else, however many are there.

use std::collections::HashMap;
use std::vec;

use crate::ids::UserId;
use crate::mention::Nickname;
use crate::time::Instant;
use crate::way::Forwarding;

/// Where a member is.
#[derive(Debug)]
enum Presence {
    /// Not in the room, since the last of the member's occupants left; `None` where the member was never seen.
    Absent {
        since: Option<Instant>,
        /// Somebody else has made them a member, and they have not consented to it. Who was there has.
        lacks_consent: bool,
    },
    /// In the room under these nicknames: an occupant is one or more sessions under one nickname.
    Present(Vec<Box<str>>),
}

/// An affiliated user (owner, admin or member; XEP-0045, section 5.2) who has a device.
#[derive(Debug)]
pub(crate) struct Member {
    /// The nickname registered with the room (XEP-0045, section 7.10).
    pub(super) reserved: Option<Nickname>,
    /// The nickname last used in the room, for as long as nobody else has taken it.
    pub(super) last_used: Option<Nickname>,
    presence: Presence,
    /// The last fan-out of the room that does not concern the member any more: it has come to them, or was of no interest to
    /// somebody who was there, or no member.
    heard: u32,
    /// The last reading of the room that found the member.
    pub(super) reading: u16,
    /// What the member has said of messages being forwarded.
    pub(super) forwarding: Forwarding,
}

impl Member {
    /// One who hears of what comes after a fan-out, and was never seen.
    fn new(heard: u32) -> Self {
        let presence = Presence::Absent { since: None, lacks_consent: false };
        Member { reserved: None, last_used: None, presence, heard, reading: 0, forwarding: Forwarding::Unset }
    }

    /// Whether no session of the member is in the room.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self.presence, Presence::Absent { .. })
    }

    /// Whether a message that bounced counts as unread: the member is absent, but for the occupant `gone` that it bounced
    /// from, and was present when it was sent.
    pub(crate) fn misses_bounced(&self, gone: Option<&str>, sent: Option<Instant>) -> bool {
        match &self.presence {
            Presence::Absent { since, .. } => sent.is_none_or(|sent| Some(sent) < *since),
            Presence::Present(nicks) => nicks.iter().all(|nick| Some(&**nick) == gone),
        }
    }

    /// Whether the member has not consented to the membership.
    pub(crate) fn lacks_consent(&self) -> bool {
        matches!(self.presence, Presence::Absent { lacks_consent: true, .. })
    }

    /// Whether the member has consented to the membership. Who is there has.
    pub(super) fn set_consent(&mut self, has_consented: bool) {
        if let Presence::Absent { lacks_consent, .. } = &mut self.presence {
            *lacks_consent = !has_consented;
        }
    }

    /// What the member has said of messages being forwarded.
    pub(crate) fn forwarding(&self) -> Forwarding {
        self.forwarding
    }

    /// The nicknames that mean this member.
    pub(crate) fn nicknames(&self) -> impl Iterator<Item = &Nickname> + Clone {
        self.reserved.iter().chain(&self.last_used)
    }

    /// Whether a fan-out has yet to come to the member. The numbers begin again some day.
    pub(crate) fn has_yet_to_hear_of(&self, fan_out: u32) -> bool {
        self.is_absent() && fan_out.wrapping_sub(self.heard).cast_signed() > 0
    }

    /// A fan-out has come to the member.
    pub(crate) fn hear_of(&mut self, fan_out: u32) {
        self.heard = fan_out;
    }
}

/// The members of a room.
///
/// Invariant: a fan-out goes through the places of the absent from the last to the first. Whoever it has yet to come to stays
/// where they are, or moves to a lower place, until they change themselves.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// The absent ones first.
    all: Vec<(UserId, Member)>,
    absent: usize,
    places: HashMap<UserId, u32>,
    /// The number of the last fan-out that takes more than one step.
    fan_outs: u32,
    /// Below this place are those that have yet to be looked at after a reading of the room, from the last to the first.
    unswept: usize,
}

impl Members {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many of them are absent. Their places are the first.
    pub(crate) fn absent_len(&self) -> usize {
        self.absent
    }

    pub(crate) fn get(&self, user: UserId) -> Option<&Member> {
        self.at(self.place(user)?).map(|(_, member)| member)
    }

    pub(crate) fn get_mut(&mut self, user: UserId) -> Option<&mut Member> {
        let place = self.place(user)?;
        self.all.get_mut(place).map(|(_, member)| member)
    }

    /// A user and what is known of them as a member.
    pub(crate) fn entry_mut(&mut self, user: UserId) -> Option<&mut (UserId, Member)> {
        let place = self.place(user)?;
        self.all.get_mut(place)
    }

    /// The member at a place.
    pub(super) fn at(&self, place: usize) -> Option<(UserId, &Member)> {
        self.all.get(place).map(|(user, member)| (*user, member))
    }

    /// The members at these places, to be changed, but not in where they are.
    pub(crate) fn at_mut(&mut self, places: std::ops::Range<usize>) -> &mut [(UserId, Member)] {
        self.all.get_mut(places).unwrap_or_default()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.all.iter().map(|(user, member)| (*user, member))
    }

    /// Those who are absent.
    pub(super) fn absent(&self) -> impl Iterator<Item = (UserId, &Member)> {
        self.iter().take(self.absent)
    }

    /// All of them, of a room that is gone.
    pub(super) fn into_all(self) -> vec::IntoIter<(UserId, Member)> {
        self.all.into_iter()
    }

    /// A fan-out begins that takes more than one step. Returns its number.
    pub(crate) fn begin_fan_out(&mut self) -> u32 {
        self.fan_outs = self.fan_outs.wrapping_add(1);
        self.fan_outs
    }

    /// A member, who is absent and has yet to hear of nothing if they are a new one.
    pub(super) fn get_or_insert(&mut self, user: UserId) -> &mut Member {
        let place = self.place(user).unwrap_or_else(|| {
            let place = self.all.len();
            self.all.push((user, Member::new(self.fan_outs)));
            self.note_place(place);
            self.swap(self.absent, place);
            self.absent += 1;
            self.absent - 1
        });
        &mut self.all[place].1
    }

    pub(super) fn remove(&mut self, user: UserId) -> Option<Member> {
        let mut place = self.place(user)?;
        if place < self.absent {
            self.absent -= 1;
            self.swap(place, self.absent);
            place = self.absent;
        }
        self.swap(place, self.all.len() - 1);
        self.places.remove(&user);
        self.unswept = self.unswept.min(self.all.len() - 1);
        self.all.pop().map(|(_, member)| member)
    }

    /// An occupant of a user's is there.
    pub(super) fn enter(&mut self, user: UserId, nick: &str) {
        let Some(place) = self.place(user) else { return };
        match &mut self.all[place].1.presence {
            Presence::Present(nicks) if nicks.iter().any(|other| **other == *nick) => {}
            Presence::Present(nicks) => nicks.push(nick.into()),
            presence => {
                *presence = Presence::Present(vec![nick.into()]);
                self.absent -= 1;
                self.swap(place, self.absent);
            }
        }
    }

    /// An occupant of a user's is gone at `now`.
    pub(super) fn leave(&mut self, user: UserId, nick: &str, now: Instant) {
        let Some(place) = self.place(user) else { return };
        let member = &mut self.all[place].1;
        let Presence::Present(nicks) = &mut member.presence else { return };
        nicks.retain(|other| **other != *nick);
        if nicks.is_empty() {
            member.presence = Presence::Absent { since: Some(now), lacks_consent: false };
            member.heard = self.fan_outs;
            self.swap(self.absent, place);
            self.absent += 1;
        }
    }

    /// All of those who were there are gone at `now`.
    pub(super) fn leave_all(&mut self, now: Instant) {
        for (_, member) in self.all.iter_mut().skip(self.absent) {
            member.presence = Presence::Absent { since: Some(now), lacks_consent: false };
            member.heard = self.fan_outs;
        }
        self.absent = self.all.len();
    }

    /// No more of them are expected: gives back memory that was taken for more.
    pub(super) fn shrink(&mut self) {
        if self.all.capacity() > self.all.len() + self.all.len() / 8 {
            self.all.shrink_to_fit();
        }
    }

    /// All of them are to be looked at by [`Members::sweep`].
    pub(super) fn begin_sweep(&mut self) {
        self.unswept = self.all.len();
    }

    /// Looks at some of them, and returns those who are no longer wanted; nothing where all were looked at.
    pub(super) fn sweep(
        &mut self,
        at_most: usize,
        is_wanted: impl Fn(&Member) -> bool,
    ) -> Option<Vec<UserId>> {
        let places = self.unswept.saturating_sub(at_most)..self.unswept;
        self.unswept = places.start;
        if places.is_empty() {
            return None;
        }
        let looked_at = self.all.get(places).unwrap_or_default();
        Some(looked_at.iter().filter(|(_, member)| !is_wanted(member)).map(|(user, _)| *user).collect())
    }

    fn place(&self, user: UserId) -> Option<usize> {
        self.places.get(&user).map(|place| *place as usize)
    }

    /// Two of them change places; `low` is not the higher one.
    fn swap(&mut self, low: usize, high: usize) {
        if low != high {
            self.all.swap(low, high);
            self.note_place(low);
            self.note_place(high);
        }
        if (low..high).contains(&self.unswept.wrapping_sub(1)) {
            // Who was below has moved up.
            self.unswept = high + 1;
        }
    }

    fn note_place(&mut self, place: usize) {
        if let Some((user, _)) = self.all.get(place) {
            self.places.insert(*user, place as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;
    use slotmap::KeyData;

    fn id(user: u64) -> UserId {
        UserId::from(KeyData::from_ffi(1 << 32 | user))
    }

    /// Something that happens to one of the members.
    fn change(members: &mut Members, kind: u8, user: UserId) {
        let now = Instant::from_seconds(0.0);
        match kind {
            0 | 1 => members.enter(user, "a"),
            2 | 3 => members.leave(user, "a", now),
            4 => drop(members.remove(user)),
            5 => members.leave_all(now),
            _ => {
                members.get_or_insert(user);
            }
        }
    }

    fn assert_in_place(members: &Members) {
        assert_eq!(members.places.len(), members.len());
        for (place, (user, member)) in members.all.iter().enumerate() {
            assert_eq!(members.place(*user), Some(place));
            assert_eq!(member.is_absent(), place < members.absent);
        }
    }

    proptest! {
        #[test]
        fn a_fan_out_comes_once_to_all_who_stay_absent_and_a_sweep_to_all_who_were_there(
            before in prop::collection::vec((0..7_u8, 0..12_u64), 0..30),
            meanwhile in prop::collection::vec((0..7_u8, 0..14_u64), 0..30),
            at_once in 1..4_usize,
        ) {
            let mut members = Members::default();
            for user in 0..12 {
                members.get_or_insert(id(user));
            }
            before.into_iter().for_each(|(kind, user)| change(&mut members, kind, id(user)));
            let mut expected: BTreeSet<UserId> = members.absent().map(|(user, _)| user).collect();
            let mut unread: BTreeSet<UserId> = members.iter().map(|(user, _)| user).collect();
            let fan_out = members.begin_fan_out();
            members.begin_sweep();
            let (mut left, mut told) = (members.absent_len(), BTreeSet::new());
            let mut meanwhile = meanwhile.into_iter();
            loop {
                let end = left.min(members.absent_len());
                left = end.saturating_sub(at_once);
                for (user, member) in members.at_mut(left..end) {
                    if member.has_yet_to_hear_of(fan_out) {
                        member.hear_of(fan_out);
                        prop_assert!(told.insert(*user), "twice");
                    }
                }
                let swept = members.sweep(at_once, |member| member.reading == 1);
                for user in swept.iter().flatten() {
                    unread.remove(user);
                }
                if left == 0 && swept.is_none() {
                    break;
                }
                if let Some((kind, user)) = meanwhile.next() {
                    let was_absent = members.get(id(user)).is_some_and(Member::is_absent);
                    change(&mut members, kind, id(user));
                    let is_absent = members.get(id(user)).is_some_and(Member::is_absent);
                    let stays = was_absent && is_absent;
                    if !stays && !told.contains(&id(user)) {
                        expected.remove(&id(user));
                    }
                    if members.get(id(user)).is_none() {
                        unread.remove(&id(user));
                    }
                }
                assert_in_place(&members);
            }
            prop_assert_eq!(told, expected);
            prop_assert!(unread.is_empty(), "not looked at: {:?}", unread);
        }
    }
}
