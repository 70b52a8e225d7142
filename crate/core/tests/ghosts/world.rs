//! A small world around an engine, which it tells what the module would. It knows what nobody there can know: which
//! client has got which message.

mod loss;
mod pushes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use minidom::Element;
use muc_cloud_notify_core::notify_level::RoomPrivacy;
use muc_cloud_notify_core::options::Options;
use muc_cloud_notify_core::room::Knowledge;
use muc_cloud_notify_core::watch::Broadcast;

use crate::common::{PRIVATE, PUBLIC, Service, with_body, xml};
use crate::device::{Device, Missed};
use crate::{Kind, Link, NODES, ROOMS, SESSIONS, Step, USERS};

/// What was said.
#[derive(Debug)]
struct Message {
    room: usize,
    at: u32,
    sent: f64,
    sender: Option<usize>,
    kind: Kind,
    stanza: Element,
    is_forgotten: bool,
    /// Who was absent when it was sent, and ever since.
    absent: BTreeSet<usize>,
    /// The devices that are owed a push unless a client gets it, or their owner enters the room.
    owed: BTreeSet<(usize, usize)>,
    /// The sessions whose client has got it.
    got: BTreeSet<usize>,
}

impl Message {
    fn concerns(&self, user: usize) -> bool {
        let is_wanted = match self.kind {
            Kind::Plain => self.room == 0,
            Kind::Mention(mentioned) => self.room == 0 || mentioned == user,
            Kind::Hint => false,
        };
        is_wanted && self.sender != Some(user)
    }

    fn missed_by(&self, number: usize, user: usize) -> Missed {
        let is_mention = self.kind == Kind::Mention(user);
        Missed { room: self.room, message: number, text: Some(number.to_string()), is_mention }
    }
}

#[derive(Debug)]
struct Session {
    link: Link,
    /// By room, the number of its nickname.
    nicks: [Option<usize>; 2],
    /// What its client has got, in the order of sending, and may yet turn out to have lost.
    sent: Vec<usize>,
    /// What will come back, or be sent again, in the order of sending.
    queue: VecDeque<usize>,
}

pub(crate) struct World {
    service: Service,
    members: [BTreeSet<usize>; 2],
    sessions: Vec<Session>,
    devices: BTreeMap<(usize, usize), Device>,
    messages: Vec<Message>,
    clock: u32,
}

fn user_of(session: usize) -> usize {
    session / SESSIONS
}

fn nickname(user: usize, nick: usize) -> String {
    format!("{user}-{nick}")
}

fn privacy(room: usize) -> RoomPrivacy {
    if room == 0 { PRIVATE } else { PUBLIC }
}

impl World {
    /// Everybody is a member of both rooms and has a device.
    pub(crate) fn new() -> Self {
        let options = Options {
            max_errors: u32::MAX,
            time_to_live: f64::INFINITY,
            give_up_after: f64::INFINITY,
            ..with_body()
        };
        let session =
            || Session { link: Link::Alive, nicks: [None; 2], sent: Vec::new(), queue: VecDeque::new() };
        let mut world = World {
            service: Service::new(options),
            members: Default::default(),
            sessions: std::iter::repeat_with(session).take(USERS.len() * SESSIONS).collect(),
            devices: BTreeMap::new(),
            messages: Vec::new(),
            clock: 0,
        };
        ROOMS.iter().for_each(|room| world.service.read(room, &[], &[]));
        for user in 0..USERS.len() {
            world.enable(user, 0);
            for room in 0..ROOMS.len() {
                world.set_affiliation(room, user, true);
            }
        }
        world
    }

    pub(crate) fn apply(&mut self, step: Step) {
        self.tick();
        match step {
            Step::Enable(user, node) => self.enable(user, node),
            Step::Disable(user, node) => self.disable(user, node),
            Step::Affiliation(room, user, is_member) => self.set_affiliation(room, user, is_member),
            Step::Join(session, room, nick) => self.join(session, room, nick),
            Step::Leave(session, room) => self.leave(session, room),
            Step::Say(room, session, kind) => self.say(room, session, kind),
            Step::Lose(session, link, lost) => self.lose(session, link, lost),
            Step::Resume(session) => self.resume(session),
            Step::End(session) => self.end(session),
            Step::Return(session) => self.give_back(session),
            Step::Forget(kept) => {
                self.messages.iter_mut().rev().skip(kept).for_each(|message| message.is_forgotten = true);
            }
            Step::Restore(room) => {
                self.service.engine.room_restored(ROOMS[room]);
                self.read(room);
            }
            Step::Turn(limit) => self.turn(limit),
            Step::Reply(which, outcome) => self.reply(which, outcome),
            Step::Wait(seconds) => self.service.wait(seconds),
        }
    }

    /// Nothing happens at the same time as anything else.
    fn tick(&mut self) {
        self.clock += 1;
        self.service.wait(1.0);
    }

    /// Whether a session looks present, though its connection may be dead.
    fn looks_present(&self, session: usize, room: usize) -> bool {
        let Session { link, nicks, .. } = &self.sessions[session];
        nicks[room].is_some() && *link != Link::Hibernating
    }

    /// The sessions of a user that look present, each with its nickname.
    fn present(&self, user: usize, room: usize) -> impl Iterator<Item = (usize, usize)> {
        let sessions = user * SESSIONS..(user + 1) * SESSIONS;
        let sessions = sessions.filter(move |&session| self.looks_present(session, room));
        sessions.filter_map(move |session| Some((session, self.sessions[session].nicks[room]?)))
    }

    fn is_absent(&self, user: usize, room: usize) -> bool {
        self.present(user, room).next().is_none()
    }

    fn has_device(&self, user: usize) -> bool {
        self.devices.keys().any(|(owner, _)| *owner == user)
    }

    /// A user who is seen in a room is told nothing of what was before.
    fn seen(&mut self, user: usize, room: usize) {
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

    /// A room comes by a member with a device. Until they are seen there they count as absent since ever.
    fn add_member(&mut self, user: usize, room: usize) {
        self.service.engine.affiliation_changed(ROOMS[room], USERS[user], true, None);
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
            self.service.engine.affiliation_changed(ROOMS[room], USERS[user], false, None);
            self.seen(user, room);
            self.excuse(user, room);
        } else if self.members[room].insert(user) && self.has_device(user) {
            self.add_member(user, room);
        }
    }

    fn read(&mut self, room: usize) {
        let (name, now) = (ROOMS[room], self.service.now);
        if self.service.engine.knowledge(name) == Knowledge::Nothing {
            let members = self.members[room].iter().map(|&user| (USERS[user], None));
            self.service.engine.set_members(name, members);
        }
        if self.service.engine.knowledge(name) != Knowledge::Complete {
            let present = (0..USERS.len())
                .flat_map(|user| self.present(user, room).map(move |(_, nick)| (user, nickname(user, nick))));
            let present: Vec<_> = present.collect();
            let occupants = present.iter().map(|(user, nick)| (USERS[*user], &**nick));
            self.service.engine.set_occupants(name, occupants, now);
            present.into_iter().for_each(|(user, _)| self.seen(user, room));
        }
        assert_eq!(self.service.engine.knowledge(name), Knowledge::Complete);
    }

    /// The sessions of an occupant may have changed.
    fn look_at(&mut self, room: usize, user: usize, nick: usize) {
        let is_present = self.present(user, room).any(|(_, other)| other == nick);
        let (nick, now) = (nickname(user, nick), self.service.now);
        if is_present {
            self.service.engine.occupant_present(ROOMS[room], USERS[user], &nick);
            self.seen(user, room);
        } else {
            self.service.engine.occupant_gone(ROOMS[room], USERS[user], &nick, now);
        }
        let absent: BTreeSet<&str> = self.service.engine.absent(ROOMS[room]).into_iter().collect();
        let expected =
            self.members[room].iter().filter(|&&user| self.has_device(user) && self.is_absent(user, room));
        assert_eq!(absent, expected.map(|&user| USERS[user]).collect());
    }

    fn look_at_session(&mut self, session: usize) {
        for room in 0..ROOMS.len() {
            if let Some(nick) = self.sessions[session].nicks[room] {
                self.look_at(room, user_of(session), nick);
            }
        }
    }

    /// A session enters a room. A client that has lost all it had connects anew for that.
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

    fn remove(&mut self, session: usize, room: usize) {
        if let Some(nick) = self.sessions[session].nicks[room].take() {
            self.look_at(room, user_of(session), nick);
        }
    }

    fn say(&mut self, room: usize, session: Option<usize>, kind: Kind) {
        let is_there = |&session: &usize| {
            self.sessions[session].link == Link::Alive && self.looks_present(session, room)
        };
        let sender = session.filter(is_there).map(user_of);
        let number = self.messages.len();
        let extra = match kind {
            Kind::Plain => String::new(),
            Kind::Mention(user) => {
                let uri = USERS[user];
                format!("<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{uri}'/>")
            }
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
        let mut told = 0;
        for (&(user, node), device) in &mut self.devices {
            if !self.members[room].contains(&user) || !message.concerns(user) {
                continue;
            }
            message.owed.insert((user, node));
            if message.absent.contains(&user) {
                device.miss(message.at, message.missed_by(number, user));
                told += 1;
            }
        }
        let broadcast = Broadcast {
            room: name,
            sender: sender.map(|user| USERS[user]),
            message: &message.stanza,
            privacy: privacy(room),
            keep_original: false,
            present: &[],
        };
        assert_eq!(self.service.engine.message(broadcast, self.service.now), told);
        self.messages.push(message);
        for session in 0..self.sessions.len() {
            if self.sessions[session].nicks[room].is_some() {
                self.send(session, number);
            }
        }
    }

    fn send(&mut self, number: usize, message: usize) {
        let session = &mut self.sessions[number];
        if session.link == Link::Alive {
            session.sent.push(message);
            self.messages[message].got.insert(number);
        } else {
            session.queue.push_back(message);
        }
    }
}
