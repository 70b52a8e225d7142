//! What the benchmarks share: a service of any size, its devices and its rooms, all the same at each size but
//! for how many there are.
//!
//! - There is a room for every ten users, and each user has one device.
//! - A room has [`ABSENT`] members with a device who are not there and [`PRESENT`] who are; each user is absent
//!   from ten rooms and present in one. Who shares a room with whom is scattered over the whole service.
//! - On the engine's clock each room has a message every [`PERIOD`], whatever the size of the service: so
//!   many deadlines pass per push at each size.

#![allow(dead_code, reason = "shared by the benchmarks, each of which needs a part of it")]
#![expect(clippy::expect_used, reason = "what a benchmark is given it has written itself")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use minidom::Element;
use muc_cloud_notify_core::Engine;
use muc_cloud_notify_core::engine::Change;
use muc_cloud_notify_core::notify_level::RoomPrivacy;
use muc_cloud_notify_core::ns;
use muc_cloud_notify_core::options::Options;
use muc_cloud_notify_core::outbox::Random;
use muc_cloud_notify_core::outcome::Outcome;
use muc_cloud_notify_core::registration::Record;
use muc_cloud_notify_core::summary::Push;
use muc_cloud_notify_core::watch::Broadcast;
use rxml::xml_ncname;

/// Members of a room who are told of a message.
pub(crate) const ABSENT: usize = 100;
/// Members of a room who are there, one of whom writes.
const PRESENT: usize = 10;
/// Seconds between two messages of a room: longer than an app server may take to answer.
const PERIOD: f64 = 150.0;
/// App servers that the devices share.
const APP_SERVERS: usize = 4;

const HOST: &str = "conference.example";
const PRIVATE: RoomPrivacy = RoomPrivacy { members_only: true, public: false };

/// Whether the quick form was asked for (`QUICK=1`).
pub(crate) fn is_quick() -> bool {
    std::env::var("QUICK").is_ok_and(|quick| !quick.is_empty() && quick != "0")
}

/// The numbers of devices that are measured: multiples of 1000.
pub(crate) fn sizes(is_quick: bool) -> [usize; 2] {
    if is_quick { [1_000, 10_000] } else { [10_000, 1_000_000] }
}

/// Ids like the module's own, without the cost of true chance.
#[derive(Debug, Default)]
struct Chance(u64);

impl Random for Chance {
    fn secret(&mut self) -> [u8; 16] {
        self.0 += 1;
        u128::from(scatter(self.0)).to_be_bytes()
    }

    fn fraction(&mut self) -> f64 {
        0.5
    }
}

/// How long one message and its pushes took, in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// The message, up to its [`ABSENT`] devices being queued.
    pub(crate) message: Duration,
    /// The turn that hands out the pushes.
    pub(crate) turn: Duration,
    /// The answers to all of them.
    pub(crate) replies: Duration,
}

/// A service, and where a benchmark stands in it.
#[derive(Debug)]
pub(crate) struct World {
    engine: Engine,
    /// How many users, each with one device, there are to begin with.
    devices: usize,
    chance: Chance,
    now: f64,
    /// The room that has the next message.
    room: usize,
    /// Counts the users that registered again.
    renewals: usize,
    /// Users that came on top of `devices`.
    newcomers: usize,
}

impl World {
    /// A service where all have registered, and nothing is known of any room.
    pub(crate) fn new(devices: usize) -> Self {
        let engine = Engine::new(HOST, Options::default());
        let mut world = World {
            engine,
            devices,
            chance: Chance::default(),
            now: 0.0,
            room: 0,
            renewals: 0,
            newcomers: 0,
        };
        for user in 0..devices {
            world.enable(user, Record::default());
        }
        assert_eq!(world.engine.census().devices, devices);
        world
    }

    /// All rooms are read: their members and who is there.
    pub(crate) fn read_rooms(&mut self) {
        for room in 0..self.rooms() {
            let jids: Vec<String> = self.members(room).map(user_jid).collect();
            let nicks: Vec<String> = self.members(room).map(|user| format!("Witch {user}")).collect();
            let name = room_jid(room);
            self.engine.set_members(&name, jids.iter().map(|jid| (jid.as_str(), None)));
            let occupants = jids.iter().zip(&nicks).skip(ABSENT);
            self.engine.set_occupants(
                &name,
                occupants.map(|(jid, nick)| (jid.as_str(), nick.as_str())),
                self.now,
            );
        }
    }

    /// Each room has a message, so that every device has missed something in all of its rooms.
    pub(crate) fn warm_up(&mut self) {
        for _ in 0..self.rooms() {
            self.round();
        }
    }

    /// The next room has a message, its pushes are handed out and answered, and all are idle again.
    pub(crate) fn round(&mut self) -> Round {
        let room = room_jid(self.room);
        let sender = self.members(self.room).next_back().map(user_jid);
        self.room = (self.room + 1) % self.rooms();
        self.now += PERIOD / self.rooms() as f64;
        let message = message(&room, self.room);
        let broadcast = Broadcast {
            room: &room,
            sender: sender.as_deref(),
            message: &message,
            privacy: PRIVATE,
            keep_original: false,
            present: &[],
        };

        let start = Instant::now();
        let told = black_box(self.engine.message(black_box(broadcast), self.now));
        let message = start.elapsed();
        assert_eq!(told, ABSENT, "everybody who is absent is told");

        let start = Instant::now();
        let turn = black_box(self.engine.turn(self.now, ABSENT, &mut self.chance));
        let turn_took = start.elapsed();
        assert_eq!((turn.pushes.len(), turn.disabled.len()), (ABSENT, 0), "one push for each");

        // As they come in: as text.
        let replies: Vec<(String, String)> = turn.pushes.iter().map(|push| self.reply_to(push)).collect();
        let start = Instant::now();
        for (id, from) in &replies {
            let handling = self.engine.reply(id, from, Outcome::Delivered, self.now, &mut self.chance);
            black_box(handling);
        }
        Round { message, turn: turn_took, replies: start.elapsed() }
    }

    /// What identifies the answer to a push: its id, and who it is from.
    fn reply_to(&self, push: &Push) -> (String, String) {
        let (_, registration) = self.engine.addressee(push.id.device).expect("the device is there");
        (push.id.to_string(), registration.app_server.as_str().to_owned())
    }

    /// A user registers again what they have registered. They are taken from everywhere in the service.
    pub(crate) fn enable_again(&mut self) -> Duration {
        let user = permute(self.devices, 7, self.renewals);
        self.renewals += 1;
        let jid = user_jid(user);
        assert!(self.engine.is_registered(&jid), "the user has a device");
        let change = self.engine.enable(&jid, &enable_iq(user), Record::default(), self.now);
        self.enable(user, change.expect("the request is one that can be followed").record)
    }

    /// A user registers who has not before. They add up to a twenty-fifth of the service, then go again.
    ///
    /// This is for a service without rooms: they play no part in a registration.
    pub(crate) fn enable_new(&mut self) -> Duration {
        if self.newcomers >= self.devices / 25 {
            self.dismiss_newcomers();
        }
        self.newcomers += 1;
        self.enable(self.devices + self.newcomers, Record::default())
    }

    /// Who came on top goes again.
    pub(crate) fn dismiss_newcomers(&mut self) {
        for newcomer in 1..=self.newcomers {
            self.engine.register(&user_jid(self.devices + newcomer), Vec::new(), None);
        }
        self.newcomers = 0;
        assert_eq!(self.engine.census().devices, self.devices);
    }

    /// A user registers their device, and it is stored at once. Returns how long the engine took for it.
    fn enable(&mut self, user: usize, record: Record) -> Duration {
        let jid = user_jid(user);
        let iq = enable_iq(user);
        let start = Instant::now();
        let change = self.engine.enable(black_box(&jid), black_box(&iq), record, self.now);
        let Change { record, added, .. } = change.expect("the request is one that can be followed");
        black_box(self.engine.register(&jid, record.registrations, added.as_deref()));
        start.elapsed()
    }

    fn rooms(&self) -> usize {
        self.devices * 10 / ABSENT
    }

    /// The members of a room: those who are absent, then those who are there.
    fn members(&self, room: usize) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (devices, first) = (self.devices, room * ABSENT);
        let shuffle = first / devices;
        (0..ABSENT + PRESENT).map(move |member| permute(devices, shuffle, (first + member) % devices))
    }
}

/// The users in another order: for each `shuffle` a permutation of the numbers below `users`.
fn permute(users: usize, shuffle: usize, index: usize) -> usize {
    // Neither divisible by 2 nor by 5, hence coprime to any power of ten.
    const STRIDES: [usize; 10] =
        [618_033, 414_213, 732_051, 236_067, 645_751, 316_227, 605_551, 123_107, 358_899, 795_831];
    (index * STRIDES[shuffle % STRIDES.len()] + shuffle) % users
}

/// A number that looks like chance (the finaliser of SplitMix64).
fn scatter(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// `words` × 16 hexadecimal digits that belong to a user.
fn digits(user: usize, words: u64) -> String {
    (0..words).map(|word| format!("{:016x}", scatter((user as u64) << 3 | word))).collect()
}

fn user_jid(user: usize) -> String {
    format!("user{user:07}@capulet.example")
}

fn room_jid(room: usize) -> String {
    format!("room{room:06}@{HOST}")
}

fn app_server(user: usize) -> String {
    format!("push{}.example", user % APP_SERVERS)
}

/// The node of a user's device: 64 characters.
fn node(user: usize) -> String {
    digits(user, 4)
}

/// The push identifier of a user's device.
fn key(user: usize) -> String {
    format!("{}<{}", app_server(user), node(user))
}

/// The request that registers a user's device, with a secret of 32 characters, as clients send it and the
/// module hands it over: without prefixes.
fn enable_iq(user: usize) -> Element {
    let secret = digits(user ^ 1 << 40, 2);
    let form = Element::builder("x", ns::DATA_FORMS)
        .attr(xml_ncname!("type").into(), "submit")
        .append(field("FORM_TYPE", ns::PUBLISH_OPTIONS))
        .append(field("secret", &secret));
    let enable = Element::builder("enable", ns::PUSH)
        .attr(xml_ncname!("jid").into(), app_server(user))
        .attr(xml_ncname!("node").into(), node(user))
        .append(form);
    Element::builder("iq", ns::CLIENT)
        .attr(xml_ncname!("type").into(), "set")
        .attr(xml_ncname!("id").into(), "x43")
        .attr(xml_ncname!("to").into(), HOST)
        .append(enable)
        .build()
}

fn field(var: &str, value: &str) -> Element {
    let value = Element::builder("value", ns::DATA_FORMS).append(value.to_owned());
    Element::builder("field", ns::DATA_FORMS).attr(xml_ncname!("var").into(), var).append(value).build()
}

/// A message as a room sends it, with what clients and the server add to it.
fn message(room: &str, number: usize) -> Element {
    let text = format!(
        "<message type='groupchat' from='{room}/Thirdwitch' id='m{number}'>\
        <body>When shall we three meet again? In thunder, lightning, or in rain?</body>\
        <active xmlns='http://jabber.org/protocol/chatstates'/><markable xmlns='urn:xmpp:chat-markers:0'/>\
        <origin-id xmlns='urn:xmpp:sid:0' id='m{number}'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' id='s{number}' by='{room}'/></message>"
    );
    Element::from_reader_with_prefixes(text.as_bytes(), ns::CLIENT.to_owned()).expect("this is XML")
}
