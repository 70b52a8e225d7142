//! Messages that come back from sessions that were gone, though they looked present.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use muc_cloud_notify_core::{Bounce, Instant};

use super::rooms::{message_of, nickname};
use super::simulation::{Killed, Simulation};
use super::truth::{Affiliation, Said};
use crate::names::{PRIVATE, PUBLIC};

/// How many messages can still come back.
const KEPT: usize = 40;

/// A message, and the occupants that it was sent to.
#[derive(Debug, Clone)]
struct Sent {
    said: Said,
    occupants: BTreeSet<(usize, usize)>,
}

/// What sessions of this run may give back.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sent: VecDeque<Sent>,
    /// When each occupant has entered: a room, a user, and a nickname.
    entered: BTreeMap<(usize, usize, usize), f64>,
    /// When the last occupant of a member has left, where the engine has seen that: a room, and a user.
    left: BTreeMap<(usize, usize), f64>,
}

/// Whether a message that comes back is unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unread,
    Known,
    /// The engine need not know when its recipient has left.
    Unclear,
}

impl Sessions {
    /// A message is sent to those who are there.
    pub(super) fn send(&mut self, said: Said, occupants: BTreeSet<(usize, usize)>) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { said, occupants });
    }

    pub(super) fn enter(&mut self, room: usize, (user, nick): (usize, usize), now: f64) {
        self.entered.entry((room, user, nick)).or_insert(now);
        self.left.remove(&(room, user));
    }

    /// An occupant leaves; is_seen: it is the last one of a member that the engine knows.
    pub(super) fn leave(&mut self, room: usize, (user, nick): (usize, usize), is_seen: bool, now: f64) {
        self.entered.remove(&(room, user, nick));
        if is_seen {
            self.left.insert((room, user), now);
        }
    }

    /// Something has become of a user which the engine may have taken for a member who was never seen.
    pub(super) fn lose_sight_of(&mut self, user: usize) {
        self.left.retain(|(_, other), _| *other != user);
    }

    /// A room is gone.
    pub(super) fn destroy(&mut self, room: usize) {
        self.sent.retain(|sent| sent.said.room != room);
        self.entered.retain(|(other, ..), _| *other != room);
        self.left.retain(|(other, _), _| *other != room);
    }
}

impl Simulation {
    /// A message comes back from a session it was sent to. Panics where it is taken for unread and is not, or the other way round.
    pub(super) fn bounce(&mut self) -> Result<(), Killed> {
        if self.module.loading.is_some() || !self.settings.is_plain() || self.sessions.sent.is_empty() {
            return Ok(());
        }
        let Sent { said, occupants } =
            self.sessions.sent[self.chance.below(self.sessions.sent.len())].clone();
        if occupants.is_empty() {
            return Ok(());
        }
        let place = self.chance.below(occupants.len());
        let (user, nick) = *occupants.iter().nth(place).expect("one of them");
        self.read_room(said.room)?;
        let entered = self.sessions.entered.get(&(said.room, user, nick));
        // If that occupant is another one by now, the session is gone already.
        let gone = entered.is_some_and(|at| *at <= said.at).then_some(nick);
        let verdict = self.verdict(&said, user, gone);
        self.note(|| format!("{said:?} comes back from {user} as {nick}, gone {gone:?}: {verdict:?}"));
        self.tell_bounce(&said, user, gone, verdict)?;
        if let Some(nick) = gone {
            self.leave_as(said.room, (user, nick))?;
        }
        Ok(())
    }

    fn verdict(&mut self, said: &Said, user: usize, gone: Option<usize>) -> Verdict {
        let room = &mut self.truth.rooms[said.room];
        if room.affiliations[user] == Affiliation::WithoutConsent {
            // Who was there has consented.
            room.affiliations[user] = Affiliation::Member;
        }
        let is_wanted = room.is_private || said.mentions == Some(user);
        let is_unwanted =
            !is_wanted || !self.truth.is_told_of(user, said.room) || self.truth.is_blocked(user, said);
        let room = &self.truth.rooms[said.room];
        if room.affiliations[user] == Affiliation::None || said.sender == Some(user) || is_unwanted {
            return Verdict::Known;
        }
        let mut nicks = room.occupants.iter().filter(|(other, _)| *other == user).map(|(_, nick)| *nick);
        if room.is_present(user) {
            return if nicks.all(|nick| Some(nick) == gone) { Verdict::Unread } else { Verdict::Known };
        }
        match self.sessions.left.get(&(said.room, user)) {
            Some(left) if *left > said.at => Verdict::Unread,
            _ => Verdict::Unclear,
        }
    }

    fn tell_bounce(
        &mut self,
        said: &Said,
        user: usize,
        gone: Option<usize>,
        verdict: Verdict,
    ) -> Result<(), Killed> {
        // Its recipient has not read it: to them it is a message of its own.
        self.said += 1;
        let again = Said { number: self.said, ..said.clone() };
        let (name, jid) = (self.rooms[said.room].clone(), self.users[user].clone());
        let (message, nick) = (message_of(&again, &name, &self.users), gone.map(|nick| nickname(user, nick)));
        let sender = said.sender.map(|sender| self.users[sender].clone());
        self.step()?;
        self.module.driver.now = self.now;
        let added = self.module.driver.handle_bounce(Bounce {
            room: &name,
            user: &jid,
            gone_nick: nick.as_deref(),
            sender: sender.as_deref(),
            reply_author: None,
            message: Some(&message),
            message_key: &said.number.to_string(),
            sent: Some(Instant::from_seconds(said.at)),
            privacy: if self.truth.rooms[said.room].is_private { PRIVATE } else { PUBLIC },
            keep_original: false,
        });
        let (fresh, known) = (self.truth.count_without(user, said), verdict == Verdict::Known);
        let is_expected = added == fresh && !known || added == 0 && verdict != Verdict::Unread;
        assert!(
            is_expected,
            "{said:?} comes back from {user}, and {added} of {fresh} hear of it: {verdict:?}"
        );
        if added > 0 {
            self.authors.insert(again.number, again.sender);
            self.bounces += 1;
            self.truth.hear_again(user, said, again.number);
            self.log.push_back(again);
        }
        self.after_fact()
    }
}
