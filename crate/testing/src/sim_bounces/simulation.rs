//! The service and its reference, to both of which the same happens.

use std::collections::{BTreeMap, BTreeSet};

use muc_cloud_notify_core::{Options, RoomPrivacy};

use super::reference::{Message, REPLY_TIMEOUT, ReferenceDevice};
use super::sim_session::{Link, SimSession};
use super::transition::{Kind, Transition};
use super::world::{NODES, ROOMS, SESSIONS, USERS, user_of};
use crate::driver::{Broadcast, Coverage};
use crate::names::{PRIVATE, PUBLIC};
use crate::service::{Service, with_body};
use crate::stanza::{mention_of, xml};

/// An engine in its surroundings, with what nobody there can know: which client has got which message.
#[derive(Debug)]
pub struct Simulation {
    pub(super) service: Service,
    pub(super) members: [BTreeSet<usize>; 2],
    pub(super) sessions: Vec<SimSession>,
    pub(super) devices: BTreeMap<(usize, usize), ReferenceDevice>,
    pub(super) messages: Vec<Message>,
    pub(super) clock: u32,
}

pub(super) fn nickname(user: usize, nick: usize) -> String {
    format!("{user}-{nick}")
}

pub(super) fn privacy(room: usize) -> RoomPrivacy {
    if room == 0 { PRIVATE } else { PUBLIC }
}

impl Default for Simulation {
    fn default() -> Self {
        Simulation::new()
    }
}

impl Simulation {
    /// Everybody is a member of both rooms and has a device.
    pub fn new() -> Self {
        let options = Options {
            max_errors: u32::MAX,
            reply_timeout: REPLY_TIMEOUT,
            time_to_live: f64::INFINITY,
            give_up_after: f64::INFINITY,
            ..with_body()
        };
        let mut simulation = Simulation {
            service: Service::new(options),
            members: Default::default(),
            sessions: std::iter::repeat_with(SimSession::new).take(USERS.len() * SESSIONS).collect(),
            devices: BTreeMap::new(),
            messages: Vec::new(),
            clock: 0,
        };
        ROOMS.iter().for_each(|room| simulation.service.read(room, &[], &[]));
        for user in 0..USERS.len() {
            simulation.enable(user, 0);
            for room in 0..ROOMS.len() {
                simulation.set_affiliation(room, user, true);
            }
        }
        simulation
    }

    /// Something happens, to the engine and to the reference. Panics where they differ.
    pub fn apply(&mut self, transition: Transition) {
        self.tick();
        match transition {
            Transition::Enable(user, node) => self.enable(user, node),
            Transition::Disable(user, node) => self.disable(user, node),
            Transition::Affiliation(room, user, is_member) => self.set_affiliation(room, user, is_member),
            Transition::Join(session, room, nick) => self.join(session, room, nick),
            Transition::Leave(session, room) => self.leave(session, room),
            Transition::Say(room, session, kind) => self.say(room, session, kind),
            Transition::Lose(session, link, lost) => self.lose(session, link, lost),
            Transition::Resume(session) => self.resume(session),
            Transition::End(session) => self.end(session),
            Transition::Bounce(session) => self.bounce_from_dead(session),
            Transition::ForgetMessages(kept) => {
                self.messages.iter_mut().rev().skip(kept).for_each(|message| message.is_forgotten = true);
            }
            Transition::ForgetRoom(room) => {
                self.service.forget_room(ROOMS[room]);
                self.read(room);
            }
            Transition::Poll(limit) => self.poll(limit),
            Transition::Reply(which, outcome) => self.reply(which, outcome),
            Transition::Wait(seconds) => self.service.wait(seconds),
        }
    }

    /// Nothing happens at the same time as anything else.
    pub(super) fn tick(&mut self) {
        self.clock += 1;
        self.service.wait(1.0);
    }

    /// The sessions of a user that look present, each with its nickname.
    pub(super) fn present(&self, user: usize, room: usize) -> impl Iterator<Item = (usize, usize)> {
        let sessions = user * SESSIONS..(user + 1) * SESSIONS;
        let sessions = sessions.filter(move |&session| self.sessions[session].looks_present(room));
        sessions.filter_map(move |session| Some((session, self.sessions[session].nicks[room]?)))
    }

    pub(super) fn is_absent(&self, user: usize, room: usize) -> bool {
        self.present(user, room).next().is_none()
    }

    fn has_device(&self, user: usize) -> bool {
        self.devices.keys().any(|(owner, _)| *owner == user)
    }

    /// A user who is seen in a room gets no push for what was before.
    pub(super) fn seen(&mut self, user: usize, room: usize) {
        for (_, device) in self.devices.iter_mut().filter(|((owner, _), _)| *owner == user) {
            device.forget(room);
        }
        for message in self.messages.iter_mut().filter(|message| message.room == room) {
            message.absent.remove(&user);
        }
    }

    /// A user enters a room, where they can read what was before.
    fn excuse(&mut self, user: usize, room: usize) {
        for message in self.messages.iter_mut().filter(|message| message.room == room) {
            message.owed.retain(|(owner, _)| *owner != user);
        }
    }

    /// A room gets a member with a device. Until they are seen there they count as always having been absent.
    fn add_member(&mut self, user: usize, room: usize) {
        self.service.affiliation_changed(ROOMS[room], USERS[user], true, None);
        for message in self.messages.iter_mut().filter(|message| message.room == room) {
            message.absent.insert(user);
        }
        self.read(room);
    }

    fn enable(&mut self, user: usize, node: usize) {
        let is_new = self.service.enable(USERS[user], NODES[node]);
        self.devices.entry((user, node)).or_default();
        for room in 0..ROOMS.len() {
            if is_new && self.members[room].contains(&user) {
                self.add_member(user, room);
            }
        }
    }

    fn disable(&mut self, user: usize, node: usize) {
        self.service.disable(USERS[user], Some(NODES[node]));
        self.devices.remove(&(user, node));
        self.messages.iter_mut().for_each(|message| {
            message.owed.remove(&(user, node));
        });
    }

    fn set_affiliation(&mut self, room: usize, user: usize, is_member: bool) {
        if !is_member {
            self.members[room].remove(&user);
            self.service.affiliation_changed(ROOMS[room], USERS[user], false, None);
            self.seen(user, room);
            self.excuse(user, room);
        } else if self.members[room].insert(user) && self.has_device(user) {
            self.add_member(user, room);
        }
    }

    fn read(&mut self, room: usize) {
        let name = ROOMS[room];
        if self.service.coverage(name) == Coverage::Nothing {
            let members = self.members[room].iter().map(|&user| (USERS[user], None));
            self.service.set_members(name, members);
        }
        if self.service.coverage(name) != Coverage::Complete {
            let present = (0..USERS.len())
                .flat_map(|user| self.present(user, room).map(move |(_, nick)| (user, nickname(user, nick))));
            let present: Vec<_> = present.collect();
            let occupants = present.iter().map(|(user, nick)| (USERS[*user], &**nick));
            self.service.set_occupants(name, occupants);
            present.into_iter().for_each(|(user, _)| self.seen(user, room));
        }
        assert_eq!(self.service.coverage(name), Coverage::Complete);
    }

    /// The sessions of an occupant may have changed.
    fn look_at(&mut self, room: usize, user: usize, nick: usize) {
        let is_present = self.present(user, room).any(|(_, other)| other == nick);
        let nick = nickname(user, nick);
        if is_present {
            self.service.occupant_present(ROOMS[room], USERS[user], &nick);
            self.seen(user, room);
        } else {
            self.service.occupant_gone(ROOMS[room], USERS[user], &nick);
        }
        let absent: BTreeSet<&str> = self.service.absent(ROOMS[room]).into_iter().collect();
        let expected =
            self.members[room].iter().filter(|&&user| self.has_device(user) && self.is_absent(user, room));
        assert_eq!(absent, expected.map(|&user| USERS[user]).collect());
    }

    pub(super) fn look_at_session(&mut self, session: usize) {
        for room in 0..ROOMS.len() {
            if let Some(nick) = self.sessions[session].nicks[room] {
                self.look_at(room, user_of(session), nick);
            }
        }
    }

    /// A session enters a room. A client that has lost all its rooms connects anew for that.
    fn join(&mut self, number: usize, room: usize, nick: usize) {
        let session = &mut self.sessions[number];
        if session.queue.is_empty() && session.nicks == [None; 2] {
            session.link = Link::Alive;
        }
        if session.link == Link::Alive && session.nicks[room].is_none() {
            session.nicks[room] = Some(nick);
            self.look_at(room, user_of(number), nick);
            self.excuse(user_of(number), room);
        }
    }

    fn leave(&mut self, number: usize, room: usize) {
        if self.sessions[number].link == Link::Alive {
            let messages = &self.messages;
            self.sessions[number].sent.retain(|&message| messages[message].room != room);
            self.remove(number, room);
        }
    }

    pub(super) fn remove(&mut self, session: usize, room: usize) {
        if let Some(nick) = self.sessions[session].nicks[room].take() {
            self.look_at(room, user_of(session), nick);
        }
    }

    fn say(&mut self, room: usize, session: Option<usize>, kind: Kind) {
        let is_there = |&session: &usize| {
            self.sessions[session].link == Link::Alive && self.sessions[session].looks_present(room)
        };
        let sender = session.filter(is_there).map(user_of);
        let number = self.messages.len();
        let extra = match kind {
            Kind::Plain => String::new(),
            Kind::Mention(user) => mention_of(USERS[user]),
            Kind::Hint => "<no-store xmlns='urn:xmpp:hints'/>".to_owned(),
        };
        let name = ROOMS[room];
        let mut message = Message {
            room,
            at: self.clock,
            sent: self.service.now,
            sender,
            kind,
            stanza: xml(&format!(
                "<message type='groupchat' from='{name}/a' id='{number}'><body>{number}</body>{extra}</message>"
            )),
            is_forgotten: false,
            absent: (0..USERS.len()).filter(|&user| self.is_absent(user, room)).collect(),
            owed: BTreeSet::new(),
            got: BTreeSet::new(),
        };
        let mut concerned = 0;
        for (&(user, node), device) in &mut self.devices {
            if !self.members[room].contains(&user) || !message.concerns(user) {
                continue;
            }
            message.owed.insert((user, node));
            if message.absent.contains(&user) {
                device.add_unread(message.at, message.unread_by(number, user));
                concerned += 1;
            }
        }
        let broadcast = Broadcast {
            room: name,
            sender: sender.map(|user| USERS[user]),
            reply_author: None,
            message: &message.stanza,
            privacy: privacy(room),
            keep_original: false,
            present: &[],
        };
        assert_eq!(self.service.handle_message(broadcast), concerned);
        self.messages.push(message);
        for session in 0..self.sessions.len() {
            if self.sessions[session].nicks[room].is_some() {
                self.send(session, number);
            }
        }
    }

    pub(super) fn send(&mut self, number: usize, message: usize) {
        let session = &mut self.sessions[number];
        if session.link == Link::Alive {
            session.sent.push(message);
            self.messages[message].got.insert(number);
        } else {
            session.queue.push_back(message);
        }
    }
}
