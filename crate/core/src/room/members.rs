//! The members of a room, those who are absent side by side: a message looks at nobody else, however many are there.

use std::collections::HashMap;
use std::vec;

use crate::ids::UserId;
use crate::mention::Nickname;
use crate::time::Instant;

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
    pub(super) reading: u32,
}

impl Member {
    /// One who hears of what comes after a fan-out, and was never seen.
    fn new(heard: u32) -> Self {
        let presence = Presence::Absent { since: None, lacks_consent: false };
        Member { reserved: None, last_used: None, presence, heard, reading: 0 }
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
