//! What the benchmarks share: a service of any size, its devices and its rooms, all the same at each size but
//! for how many there are.
//!
//! - There is a room for every ten users, and each user has one device.
//! - A room has [`ABSENT`] absent members with a device and [`PRESENT`] present ones; each user is absent
//!   from ten rooms and present in one. Members of the same room are scattered over the whole service.
//! - On the engine's clock each room has a message every [`PERIOD`], whatever the size of the service: so
//!   many deadlines pass per push at each size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use minidom::Element;
use muc_cloud_notify_core::{Change, EnableFacts, Options, Push, Record, RequestError};
use rxml::xml_ncname;

use crate::driver::{Broadcast, Driver, Outcome, Publish, Scope};
use crate::names::{HOST, PRIVATE};
use crate::sim_random::scatter;
use crate::stanza::xml;

const DATA_FORMS: &str = "jabber:x:data";
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
const PUSH: &str = "urn:xmpp:push:0";

/// Absent members of a room: a message is pushed to each.
pub const ABSENT: usize = 100;
/// Present members of a room. One of them writes.
pub const PRESENT: usize = 10;
/// Seconds between two messages of a room: longer than an app server may take to answer.
pub const PERIOD: f64 = 150.0;
/// App servers that the devices share.
const APP_SERVERS: usize = 4;

/// Whether the quick form was asked for (`QUICK=1`).
pub fn is_quick() -> bool {
    std::env::var("QUICK").is_ok_and(|quick| !quick.is_empty() && quick != "0")
}

/// The numbers of devices that are measured: multiples of 1000.
pub fn sizes(is_quick: bool) -> [usize; 2] {
    if is_quick { [1_000, 10_000] } else { [10_000, 1_000_000] }
}

/// How long one message and its pushes took, in parts.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// The message, up to its [`ABSENT`] devices being queued.
    pub message: Duration,
    /// The batch of the journal that holds them, from when it is made to when they are queued. The store takes no time.
    pub batch: Duration,
    /// The turn that hands out the pushes.
    pub turn: Duration,
    /// The answers to all of them.
    pub replies: Duration,
}

/// A service, and where a benchmark stands in it.
#[derive(Debug)]
pub struct SimLoad {
    driver: Driver,
    /// How many users, each with one device, there are to begin with.
    devices: usize,
    /// The room that has the next message.
    room: usize,
    /// Counts the users that registered again.
    renewals: usize,
    /// Users that came on top of `devices`.
    newcomers: usize,
}

impl SimLoad {
    /// A service where all have registered, and nothing is known of any room.
    pub fn new(devices: usize) -> Self {
        // One more user is measured at the limit.
        let options = Options { max_users: usize::MAX, ..Options::default() };
        let mut driver = Driver::starting_at(0.0, options.clone());
        driver.configure_all(options);
        driver.set_fraction(0.5);
        let mut load = SimLoad { driver, devices, room: 0, renewals: 0, newcomers: 0 };
        for user in 0..devices {
            load.enable(user, Record::default());
        }
        assert_eq!(load.driver.stats().devices, devices);
        load.acquaint();
        load
    }

    /// All app servers have taken pushes, and get as many as they like.
    fn acquaint(&mut self) {
        for _ in 0..10 {
            (0..APP_SERVERS).for_each(|user| {
                self.driver.handle_ping(&user_jid(user));
            });
            let due = self.driver.poll(APP_SERVERS, Scope::AllRooms);
            for push in &due.pushes {
                let (id, from) = self.reply_to(push);
                self.driver.handle_reply(&id, &from, Outcome::Delivered);
            }
        }
    }

    /// All rooms are read: their members and their occupants.
    pub fn read_rooms(&mut self) {
        for room in 0..self.rooms() {
            let jids: Vec<String> = self.members(room).map(user_jid).collect();
            let nicks: Vec<String> = self.members(room).map(|user| format!("Witch {user}")).collect();
            let name = room_jid(room);
            self.driver.set_members(&name, jids.iter().map(|jid| (jid.as_str(), None)));
            let occupants = jids.iter().zip(&nicks).skip(ABSENT);
            self.driver.set_occupants(&name, occupants.map(|(jid, nick)| (jid.as_str(), nick.as_str())));
        }
    }

    /// Each room has a message, so that every device has something unread in all of its rooms.
    pub fn warm_up(&mut self) {
        for _ in 0..self.rooms() {
            self.round();
        }
    }

    /// From now on there is a journal.
    pub fn begin_journal(&mut self) {
        self.driver.configure_journal(Options { max_users: usize::MAX, ..Options::default() });
    }

    /// The next room has a message, its pushes are handed out and answered, and all are idle again. Where there is a journal, a
    /// batch is written for the message, with what has become of the pushes before.
    pub fn round(&mut self) -> Round {
        let message = self.say();
        let start = Instant::now();
        self.write_batch();
        let batch = start.elapsed();
        let (due, turn, replies) = self.push(ABSENT);
        assert_eq!(due, ABSENT, "one push for each");
        Round { message, batch, turn, replies }
    }

    /// So many rooms have a message each, and a batch is made that holds as many of them as it takes. Returns how long it took to
    /// make it, and to let go of what has waited for it.
    pub fn large_batch(&mut self, rooms: usize) -> Duration {
        for _ in 0..rooms {
            self.say();
        }
        let start = Instant::now();
        self.write_batch();
        let took = start.elapsed();
        while self.write_batch() {}
        self.push(usize::MAX);
        while self.write_batch() {}
        took
    }

    /// Returns whether there was any to be written.
    fn write_batch(&mut self) -> bool {
        let is_one = black_box(self.driver.finish_batch()).is_some_and(|batch| !batch.unread.is_empty());
        self.driver.batch_stored(0.0);
        is_one
    }

    /// The next room has a message. Returns how long it took to have its devices wait.
    fn say(&mut self) -> Duration {
        let room = room_jid(self.room);
        let sender = self.members(self.room).next_back().map(user_jid);
        self.room = (self.room + 1) % self.rooms();
        self.driver.now += PERIOD / self.rooms() as f64;
        let message = message(&room, self.room);
        let broadcast = Broadcast {
            room: &room,
            sender: sender.as_deref(),
            reply_author: None,
            message: &message,
            privacy: PRIVATE,
            keep_original: false,
            present: &[],
        };
        let start = Instant::now();
        let concerned = black_box(self.driver.handle_message(black_box(broadcast)));
        let took = start.elapsed();
        assert_eq!(concerned, ABSENT, "all absent members get a push");
        took
    }

    /// So many pushes at most are handed out, and answered. Returns how many, and how long each of the two took.
    fn push(&mut self, at_most: usize) -> (usize, Duration, Duration) {
        let start = Instant::now();
        let due = black_box(self.driver.poll(at_most, Scope::AllRooms));
        let turn = start.elapsed();
        assert_eq!(due.disabled.len(), 0);
        // As they come in: as text.
        let replies: Vec<(String, String)> = due.pushes.iter().map(|push| self.reply_to(push)).collect();
        let start = Instant::now();
        for (id, from) in &replies {
            let handling = self.driver.handle_reply(id, from, Outcome::Delivered);
            black_box(handling);
        }
        (due.pushes.len(), turn, start.elapsed())
    }

    /// What identifies the answer to a push: its id, and the JID it is from.
    fn reply_to(&self, push: &Push) -> (String, String) {
        let Publish { id, app_server, .. } = self.driver.publish(push);
        (id, app_server.as_str().to_owned())
    }

    /// A user registers again what they have registered. They are taken from everywhere in the service.
    pub fn enable_again(&mut self) -> Duration {
        let user = permute(self.devices, 7, self.renewals);
        self.renewals += 1;
        let jid = user_jid(user);
        assert!(self.driver.is_registered(&jid), "the user has a device");
        let change = self.prepare(&jid, &enable_iq(user), Record::default());
        self.enable(user, change.expect("the request is one that can be followed").record)
    }

    /// A new user registers. New users add up to a twenty-fifth of the service, then they go again.
    ///
    /// This is for a service without rooms: they play no part in a registration.
    pub fn enable_new(&mut self) -> Duration {
        if self.newcomers >= self.devices / 25 {
            self.dismiss_newcomers();
        }
        self.newcomers += 1;
        self.enable(self.devices + self.newcomers, Record::default())
    }

    /// The users that came on top go again.
    pub fn dismiss_newcomers(&mut self) {
        for newcomer in 1..=self.newcomers {
            self.driver.set_registrations(&user_jid(self.devices + newcomer), Vec::new(), None);
        }
        self.newcomers = 0;
        assert_eq!(self.driver.stats().devices, self.devices);
    }

    /// A user registers their device, and it is stored at once. Returns how long the engine took for it.
    fn enable(&mut self, user: usize, record: Record) -> Duration {
        let jid = user_jid(user);
        let iq = enable_iq(user);
        let start = Instant::now();
        let change = self.prepare(black_box(&jid), black_box(&iq), record);
        let Change { record, added, .. } = change.expect("the request is one that can be followed");
        black_box(self.driver.set_registrations(&jid, record.registrations, added.as_deref()));
        start.elapsed()
    }

    /// All users have accounts on the very server: of another domain there could not be that many.
    fn prepare(&self, user: &str, iq: &Element, record: Record) -> Result<Change, RequestError> {
        let app_server = iq.children().find_map(|enable| enable.attr("jid"));
        let facts = EnableFacts { user, app_server, is_local: true, is_member: false };
        self.driver.prepare_enable_with(&facts, iq, record)
    }

    fn rooms(&self) -> usize {
        self.devices * 10 / ABSENT
    }

    /// The members of a room: the absent ones, then the present ones.
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

/// The request that registers a user's device, with a secret of 32 characters, as clients send it and the
/// module hands it over: without prefixes.
fn enable_iq(user: usize) -> Element {
    let secret = digits(user ^ 1 << 40, 2);
    let form = Element::builder("x", DATA_FORMS)
        .attr(xml_ncname!("type").into(), "submit")
        .append(field("FORM_TYPE", PUBLISH_OPTIONS))
        .append(field("secret", &secret));
    let enable = Element::builder("enable", PUSH)
        .attr(xml_ncname!("jid").into(), app_server(user))
        .attr(xml_ncname!("node").into(), node(user))
        .append(form);
    Element::builder("iq", "jabber:client")
        .attr(xml_ncname!("type").into(), "set")
        .attr(xml_ncname!("id").into(), "x43")
        .attr(xml_ncname!("to").into(), HOST)
        .append(enable)
        .build()
}

fn field(var: &str, value: &str) -> Element {
    let value = Element::builder("value", DATA_FORMS).append(value.to_owned());
    Element::builder("field", DATA_FORMS).attr(xml_ncname!("var").into(), var).append(value).build()
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
    xml(&text)
}
