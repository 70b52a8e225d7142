//! What happens in rooms, and what the engine is told of it.

use minidom::Element;
use muc_cloud_notify_core::{Broadcast, Coverage, Membership};
use rxml::xml_ncname;
use std::collections::BTreeSet;

use super::blocking::nickname_of;
use super::simulation::{Held, Killed, Simulation};
use super::texts::text_of;
use super::truth::{Affiliation, Said};
use crate::driver::Forwarding;
use crate::names::{PRIVATE, PUBLIC};

const CLIENT: &str = "jabber:client";
const STANZA_ID: &str = "urn:xmpp:sid:0";
const REFERENCE: &str = "urn:xmpp:reference:0";

/// Nicknames of each user.
const NICKS: usize = 2;

/// How many messages can still be changed.
const LOGGED: usize = 50;

pub(super) fn nickname(user: usize, nick: usize) -> String {
    format!("{user}-{nick}")
}

pub(super) fn membership(affiliation: Affiliation) -> Membership {
    match affiliation {
        Affiliation::None => Membership::None,
        Affiliation::WithoutConsent => Membership::WithoutConsent,
        Affiliation::Member => Membership::Consented,
    }
}

impl Simulation {
    fn some_room(&mut self) -> usize {
        self.chance.below(self.rooms.len())
    }

    pub(super) fn some_user(&mut self) -> usize {
        self.chance.below(self.users.len())
    }

    /// A user becomes a member, is made one, or is none any more.
    pub(super) fn change_affiliation(&mut self) -> Result<(), Killed> {
        let (room, user) = (self.some_room(), self.some_user());
        let affiliation = match self.chance.below(8) {
            0 | 1 => Affiliation::None,
            2 if self.settings.has_unconsenting => Affiliation::WithoutConsent,
            _ => Affiliation::Member,
        };
        let before = self.truth.rooms[room].affiliations[user];
        let affiliation = match affiliation {
            // Nobody is made what they are.
            Affiliation::WithoutConsent if before == Affiliation::Member => before,
            Affiliation::WithoutConsent if self.truth.rooms[room].is_present(user) => Affiliation::Member,
            affiliation => affiliation,
        };
        if self.settings.has_forwards && !self.is_read(room)? {
            return Ok(());
        }
        self.note(|| format!("user {user} in room {room}: {affiliation:?}"));
        self.truth.rooms[room].affiliations[user] = affiliation;
        self.sessions.lose_sight_of(user);
        self.tell_membership(room, user)?;
        self.look_for(room, user)
    }

    /// The engine is told what a user is in a room, and what they have said of messages being forwarded.
    pub(super) fn tell_membership(&mut self, room: usize, user: usize) -> Result<(), Killed> {
        let (name, jid) = (self.rooms[room].clone(), self.users[user].clone());
        let affiliation = self.truth.rooms[room].affiliations[user];
        let is_member = affiliation != Affiliation::None;
        let choice = if is_member { self.truth.rooms[room].choices[user] } else { Forwarding::Unset };
        let is_known = self.module.driver.coverage(&name) != Coverage::Nothing;
        self.fact(
            |driver| driver.membership_changed(&name, &jid, membership(affiliation), choice),
            |truth| if is_member { truth.choose(user, room, is_known) } else { truth.leave(user, room) },
        )
    }

    /// What a member says of messages being forwarded to them. Where it is not known who the members are, they are read.
    pub(super) fn choose(&mut self) -> Result<(), Killed> {
        let (room, user) = (self.some_room(), self.some_user());
        if self.truth.rooms[room].affiliations[user] == Affiliation::None || !self.is_read(room)? {
            return Ok(());
        }
        let choice = if self.is_elsewhere(user) {
            self.chance.pick(&[Forwarding::Asked, Forwarding::Asked, Forwarding::Unset, Forwarding::Refused])
        } else {
            // Nobody here can ask.
            self.chance.pick(&[Forwarding::Unset, Forwarding::Refused])
        };
        self.note(|| format!("user {user} in room {room}: {choice:?}"));
        self.truth.rooms[room].choices[user] = choice;
        self.sessions.lose_sight_of(user);
        self.tell_membership(room, user)?;
        self.look_for(room, user)
    }

    /// Reads what is not known of a room, if that can be done now. Returns whether all is known.
    pub(super) fn is_read(&mut self, room: usize) -> Result<bool, Killed> {
        if self.module.is_holding() {
            return Ok(false);
        }
        self.read_room(room)?;
        Ok(true)
    }

    /// A user has become a member, or has a device: where they are in the room is told.
    pub(super) fn look_for(&mut self, room: usize, user: usize) -> Result<(), Killed> {
        let occupants: Vec<usize> =
            self.truth.rooms[room].occupants.iter().filter(|it| it.0 == user).map(|it| it.1).collect();
        for nick in occupants {
            self.tell_present(room, user, nick)?;
        }
        Ok(())
    }

    fn tell_present(&mut self, room: usize, user: usize, nick: usize) -> Result<(), Killed> {
        let (name, jid, nick) = (self.rooms[room].clone(), self.users[user].clone(), nickname(user, nick));
        self.fact(|driver| driver.occupant_present(&name, &jid, &nick), |truth| truth.seen(user, room))
    }

    /// A user enters a room.
    pub(super) fn enter(&mut self) -> Result<(), Killed> {
        let (room, user, nick) = (self.some_room(), self.some_user(), self.chance.below(NICKS));
        self.note(|| format!("user {user} enters room {room} as {nick}"));
        self.truth.rooms[room].occupants.insert((user, nick));
        self.sessions.enter(room, (user, nick), self.now);
        self.tell_present(room, user, nick)
    }

    /// An occupant leaves.
    pub(super) fn leave(&mut self) -> Result<(), Killed> {
        let room = self.some_room();
        let occupants = &self.truth.rooms[room].occupants;
        if occupants.is_empty() {
            return Ok(());
        }
        let occupant = *occupants.iter().nth(self.chance.below(occupants.len())).expect("one of them");
        self.leave_as(room, occupant)
    }

    /// That occupant leaves.
    pub(super) fn leave_as(&mut self, room: usize, (user, nick): (usize, usize)) -> Result<(), Killed> {
        self.truth.rooms[room].occupants.remove(&(user, nick));
        let is_last = !self.truth.rooms[room].is_present(user);
        let is_member = self.truth.rooms[room].affiliations[user] != Affiliation::None;
        let is_known = self.module.driver.coverage(&self.rooms[room]) == Coverage::Complete;
        let is_seen = is_last && is_member && is_known && self.truth.has_device(user);
        self.sessions.leave(room, (user, nick), is_seen, self.now);
        self.note(|| format!("user {user} leaves room {room} as {nick}"));
        let (name, jid, nick) = (self.rooms[room].clone(), self.users[user].clone(), nickname(user, nick));
        self.fact(|driver| driver.occupant_gone(&name, &jid, &nick), |_| ())
    }

    /// Somebody says something.
    pub(super) fn say(&mut self) -> Result<(), Killed> {
        let room = self.some_room();
        let occupants = &self.truth.rooms[room].occupants;
        let sender = (!occupants.is_empty() && !self.chance.one_in(8))
            .then(|| occupants.iter().nth(self.chance.below(occupants.len())).map(|it| it.0))
            .flatten();
        let mentions = self.chance.one_in(4).then(|| self.some_user());
        self.said += 1;
        let said = Said { number: self.said, room, sender, mentions, at: self.now };
        if self.module.is_holding() {
            let present = self.truth.rooms[room].occupants.iter().map(|it| it.0).collect();
            self.module.held.push(Held { said, present });
            return Ok(());
        }
        let occupants = self.truth.rooms[room].occupants.clone();
        self.tell_message(&said, &BTreeSet::new())?;
        self.sessions.send(said, occupants);
        Ok(())
    }

    /// The engine is told of a message, once the room is known.
    pub(super) fn tell_message(&mut self, said: &Said, present: &BTreeSet<usize>) -> Result<(), Killed> {
        self.read_room(said.room)?;
        let name = self.rooms[said.room].clone();
        let message = message_of(said, &name, &self.users);
        let sender = said.sender.map(|sender| self.users[sender].clone());
        let jids: Vec<String> = present.iter().map(|user| self.users[*user].clone()).collect();
        let users: Vec<usize> = present.iter().copied().collect();
        let privacy = if self.truth.rooms[said.room].is_private { PRIVATE } else { PUBLIC };
        self.messages += 1;
        if self.log.len() == LOGGED {
            self.log.pop_front();
        }
        self.log.push_back(said.clone());
        self.authors.insert(said.number, said.sender);
        self.note(|| format!("{said:?}, {present:?}"));
        let said = Said { at: self.now, ..said.clone() };
        let is_anybody_absent = self.module.driver.is_anybody_absent(&name);
        let (broadcast_sender, mut expected) = (sender.as_deref(), 0);
        let told = self.fact(
            |driver| {
                // Nobody looks at a message in a room where nobody is absent.
                is_anybody_absent.then(|| {
                    driver.handle_message(Broadcast {
                        room: &name,
                        sender: broadcast_sender,
                        reply_author: None,
                        message: &message,
                        privacy,
                        keep_original: false,
                        present: &jids,
                    })
                })
            },
            |truth| expected = truth.hear(&said, &users),
        )?;
        assert!(told.is_some() || expected == 0, "{said:?} concerns {expected}, and nobody is absent");
        assert!(told.unwrap_or(0) <= expected, "{said:?} concerns {expected}, not {told:?}");
        Ok(())
    }

    /// Reads what is not known of a room.
    pub(super) fn read_room(&mut self, room: usize) -> Result<(), Killed> {
        let name = self.rooms[room].clone();
        let coverage = self.module.driver.coverage(&name);
        if coverage != Coverage::Complete {
            self.note(|| format!("read room {room}, of which {coverage:?} is known"));
        }
        if coverage == Coverage::Nothing {
            self.read_members(room, &name)?;
        }
        if self.module.driver.coverage(&name) != Coverage::Complete {
            let occupants: Vec<(String, String)> = self.truth.rooms[room]
                .occupants
                .iter()
                .map(|(user, nick)| (self.users[*user].clone(), nickname(*user, *nick)))
                .collect();
            let users: BTreeSet<usize> = self.truth.rooms[room].occupants.iter().map(|it| it.0).collect();
            self.fact(
                |driver| driver.set_occupants(&name, occupants.iter().map(|(user, nick)| (&**user, &**nick))),
                |truth| users.iter().for_each(|user| truth.seen(*user, room)),
            )?;
        }
        assert_eq!(self.module.driver.coverage(&name), Coverage::Complete);
        Ok(())
    }

    fn read_members(&mut self, room: usize, name: &str) -> Result<(), Killed> {
        self.fact(|driver| driver.begin_members(name), |_| ())?;
        let affiliations = self.truth.rooms[room].affiliations.clone();
        let users = self.users.clone();
        let choices = self.truth.rooms[room].choices.clone();
        let is_of_interest =
            |user: &usize| self.truth.has_device(*user) || choices[*user] == Forwarding::Asked;
        let members: Vec<usize> = (0..users.len())
            .filter(|user| affiliations[*user] != Affiliation::None && is_of_interest(user))
            .collect();
        for some in members.chunks(3) {
            let jids: Vec<&str> = some.iter().map(|user| users[*user].as_str()).collect();
            let lacking = some.iter().filter(|user| affiliations[**user] == Affiliation::WithoutConsent);
            let lacking: Vec<&str> = lacking.map(|user| users[*user].as_str()).collect();
            let said = some.iter().filter(|user| choices[**user] != Forwarding::Unset);
            let said: Vec<_> = said.map(|user| (users[*user].as_str(), choices[*user])).collect();
            self.fact(
                |driver| driver.add_members(name, &jids, &lacking, &said),
                |truth| some.iter().for_each(|user| truth.choose(*user, room, true)),
            )?;
        }
        let others: Vec<usize> =
            (0..users.len()).filter(|user| affiliations[*user] == Affiliation::None).collect();
        while !self.fact(|driver| driver.end_members(name), |_| ())? {}
        others.into_iter().for_each(|user| self.truth.leave(user, room));
        self.truth.rooms[room].is_known = true;
        self.find_idle_forwards();
        Ok(())
    }

    /// A room is gone. Another one may have its name later.
    pub(super) fn destroy_room(&mut self) -> Result<(), Killed> {
        let room = self.some_room();
        let name = self.rooms[room].clone();
        self.module.held.retain(|held| held.said.room != room);
        self.sessions.destroy(room);
        self.fact(|driver| driver.room_destroyed(&name), |truth| truth.destroy(room))
    }

    /// Prosody has restored a room from storage.
    pub(super) fn restore_room(&mut self) -> Result<(), Killed> {
        let room = self.some_room();
        let name = self.rooms[room].clone();
        self.fact(|driver| driver.forget_room(&name), |_| ())?;
        if !self.module.is_holding() { self.read_room(room) } else { Ok(()) }
    }

    /// The module is loaded anew: the engine is the same, but rooms may have changed meanwhile.
    pub(super) fn reload(&mut self) -> Result<(), Killed> {
        if self.module.is_holding() {
            return Ok(());
        }
        self.step()?;
        self.module.driver.configure_all(self.settings.options.clone());
        self.fact(crate::driver::Driver::forget_rooms, |_| ())
    }
}

/// A message as the room sends it.
pub(super) fn message_of(said: &Said, room: &str, users: &[String]) -> Element {
    let from = format!("{room}/{}", nickname_of(said.sender));
    let body = Element::builder("body", CLIENT).append(text_of(said.number, 0));
    let stanza_id = Element::builder("stanza-id", STANZA_ID)
        .attr(xml_ncname!("by").into(), room)
        .attr(xml_ncname!("id").into(), format!("s{}", said.number));
    let mut message = Element::builder("message", CLIENT)
        .attr(xml_ncname!("type").into(), "groupchat")
        .attr(xml_ncname!("from").into(), from)
        .attr(xml_ncname!("id").into(), format!("i{}", said.number))
        .append(body)
        .append(stanza_id);
    if let Some(user) = said.mentions {
        let reference = Element::builder("reference", REFERENCE)
            .attr(xml_ncname!("type").into(), "mention")
            .attr(xml_ncname!("uri").into(), format!("xmpp:{}", users[user]));
        message = message.append(reference);
    }
    message.build()
}
