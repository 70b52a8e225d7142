//! The engine against a model that keeps no index, no queue and no clockwork: whatever happens on a
//! service, in whatever order, both agree on who is absent, who is told, and what.

#![expect(clippy::expect_used, reason = "what the helpers of a test are given, the test has written")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{ALL, HALL, JULIET, NURSE, ORCHARD, Publish, ROMEO, Service, body, count, key, with_body};
use muc_cloud_notify_core::delivery::Handling;
use muc_cloud_notify_core::options::Options;
use muc_cloud_notify_core::outcome::Outcome;
use muc_cloud_notify_core::room::Knowledge;
use proptest::prelude::*;

const USERS: [&str; 4] = [JULIET, ROMEO, NURSE, "tybalt@capulet.example"];
const ROOMS: [&str; 2] = [ORCHARD, HALL];
const NODES: [&str; 3] = ["phone", "tablet", "desk"];
const MAX_DEVICES: usize = 2;
const MAX_ERRORS: u32 = 3;

/// What happens in a room; users and nicknames are numbers.
#[derive(Debug, Clone, Copy)]
enum Event {
    Affiliation(usize, bool),
    Enter(usize, usize),
    Leave(usize, usize),
}

#[derive(Debug, Clone)]
enum Step {
    Enable(usize, usize),
    Disable(usize, Option<usize>),
    InRoom(usize, Event),
    Message(usize, Option<usize>),
    Turn(usize),
    Reply(usize, Outcome),
    Forgery(usize),
    Wait(f64),
    Restored(usize),
    Unwatched(Vec<(usize, Event)>),
    Destroyed(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let user = 0..USERS.len();
    prop_oneof![
        3 => (user.clone(), any::<bool>()).prop_map(|(user, is_member)| Event::Affiliation(user, is_member)),
        2 => (user.clone(), 0..2_usize).prop_map(|(user, nick)| Event::Enter(user, nick)),
        3 => (user, 0..2_usize).prop_map(|(user, nick)| Event::Leave(user, nick)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (user, room, node) = (0..USERS.len(), 0..ROOMS.len(), 0..NODES.len());
    let outcome = prop_oneof![
        3 => Just(Outcome::Delivered),
        2 => Just(Outcome::Transient),
        2 => Just(Outcome::Rejected),
        1 => Just(Outcome::Silent),
    ];
    prop_oneof![
        6 => (user.clone(), node.clone()).prop_map(|(user, node)| Step::Enable(user, node)),
        1 => (user.clone(), proptest::option::of(node)).prop_map(|(user, node)| Step::Disable(user, node)),
        12 => (room.clone(), event()).prop_map(|(room, event)| Step::InRoom(room, event)),
        12 => (room.clone(), proptest::option::of(user)).prop_map(|(room, user)| Step::Message(room, user)),
        8 => prop_oneof![Just(1), Just(2), Just(ALL)].prop_map(Step::Turn),
        8 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Step::Reply(which, outcome)),
        1 => any::<usize>().prop_map(Step::Forgery),
        3 => (0.0..200.0).prop_map(Step::Wait),
        1 => room.clone().prop_map(Step::Restored),
        1 => proptest::collection::vec((room.clone(), event()), 0..4).prop_map(Step::Unwatched),
        1 => room.prop_map(Step::Destroyed),
    ]
}

#[derive(Debug, Default)]
struct ModelRoom {
    members: BTreeSet<usize>,
    /// Users and nicknames.
    occupants: BTreeSet<(usize, usize)>,
}

impl ModelRoom {
    fn is_absent(&self, user: usize) -> bool {
        self.members.contains(&user) && self.occupants.iter().all(|(occupant, _)| *occupant != user)
    }
}

#[derive(Debug, Default)]
struct ModelDevice {
    errors: u32,
    /// By room, how many messages were missed.
    missed: BTreeMap<usize, u32>,
    /// By room, the newest message that was not told yet.
    untold: BTreeMap<usize, u32>,
    in_flight: Option<(Publish, f64, BTreeMap<usize, u32>)>,
}

impl ModelDevice {
    fn forget(&mut self, room: usize) {
        self.missed.remove(&room);
        self.untold.remove(&room);
        if let Some((_, _, told)) = &mut self.in_flight {
            told.remove(&room);
        }
    }

    fn fail(&mut self) {
        for (room, message) in self.in_flight.take().into_iter().flat_map(|(_, _, told)| told) {
            self.untold.entry(room).or_insert(message);
        }
    }
}

/// The service and what is known to be true of it.
struct World {
    service: Service,
    rooms: [ModelRoom; 2],
    devices: BTreeMap<(usize, usize), ModelDevice>,
    messages: u32,
}

fn nickname(user: usize, nick: usize) -> String {
    format!("{user}-{nick}")
}

impl World {
    fn new() -> Self {
        let options = Options {
            max_devices: MAX_DEVICES,
            max_errors: MAX_ERRORS,
            time_to_live: f64::INFINITY,
            give_up_after: f64::INFINITY,
            ..with_body()
        };
        World {
            service: Service::new(options),
            rooms: Default::default(),
            devices: BTreeMap::new(),
            messages: 0,
        }
    }

    fn apply(&mut self, step: Step) {
        self.service.wait(1.0);
        match step {
            Step::Enable(user, node) => self.enable(user, node),
            Step::Disable(user, node) => {
                self.service.disable(USERS[user], node.map(|node| NODES[node]));
                self.keep_registered_devices(user);
            }
            Step::InRoom(room, event) => {
                self.happen(room, event);
                self.tell(room, event);
                self.forget_where_known(room);
            }
            Step::Message(room, sender) => self.message(room, sender),
            Step::Turn(limit) => self.turn(limit),
            Step::Reply(which, outcome) => self.reply(which, outcome),
            Step::Forgery(which) => self.forge(which),
            Step::Wait(seconds) => self.service.wait(seconds),
            Step::Restored(room) => self.service.engine.room_restored(ROOMS[room]),
            Step::Unwatched(events) => {
                for (room, event) in events {
                    self.happen(room, event);
                }
                self.service.engine.rooms_unwatched();
                for room in 0..ROOMS.len() {
                    self.read(room);
                    self.forget_where_known(room);
                }
            }
            Step::Destroyed(room) => {
                self.rooms[room] = ModelRoom::default();
                self.forget_where_known(room);
                self.service.engine.room_destroyed(ROOMS[room]);
            }
        }
        self.compare();
    }

    fn enable(&mut self, user: usize, node: usize) {
        if self.service.enable(USERS[user], NODES[node]) {
            for (room, model) in ROOMS.iter().zip(&self.rooms) {
                if model.members.contains(&user) {
                    self.service.engine.affiliation_changed(room, USERS[user], true, None);
                }
            }
        }
        self.devices.entry((user, node)).or_default().errors = 0;
        self.keep_registered_devices(user);
    }

    fn keep_registered_devices(&mut self, user: usize) {
        let record = self.service.store.entry(USERS[user].to_owned()).or_default();
        assert!(record.registrations.len() <= MAX_DEVICES);
        let keys: BTreeSet<_> = record.registrations.iter().map(|it| it.key().into_owned()).collect();
        self.devices.retain(|&(owner, node), _| owner != user || keys.contains(&key(NODES[node])));
        assert_eq!(self.devices.keys().filter(|(owner, _)| *owner == user).count(), keys.len());
    }

    fn happen(&mut self, room: usize, event: Event) {
        let room = &mut self.rooms[room];
        match event {
            Event::Affiliation(user, true) => room.members.insert(user),
            Event::Affiliation(user, false) => room.members.remove(&user),
            Event::Enter(user, nick) => room.occupants.insert((user, nick)),
            Event::Leave(user, nick) => room.occupants.remove(&(user, nick)),
        };
    }

    fn tell(&mut self, room: usize, event: Event) {
        let (engine, room, now) = (&mut self.service.engine, ROOMS[room], self.service.now);
        match event {
            Event::Affiliation(user, is_member) => {
                engine.affiliation_changed(room, USERS[user], is_member, None);
            }
            Event::Enter(user, nick) => engine.occupant_present(room, USERS[user], &nickname(user, nick)),
            Event::Leave(user, nick) => engine.occupant_gone(room, USERS[user], &nickname(user, nick), now),
        }
    }

    /// Who is in a room or no member of it has missed nothing there.
    fn forget_where_known(&mut self, room: usize) {
        for ((user, _), device) in &mut self.devices {
            if !self.rooms[room].is_absent(*user) {
                device.forget(room);
            }
        }
    }

    fn read(&mut self, room: usize) {
        let now = self.service.now;
        let (engine, name, room) = (&mut self.service.engine, ROOMS[room], &self.rooms[room]);
        if engine.knowledge(name) == Knowledge::Nothing {
            engine.set_members(name, room.members.iter().map(|&user| (USERS[user], None)));
        }
        if engine.knowledge(name) == Knowledge::Members {
            let occupants: Vec<_> =
                room.occupants.iter().map(|&(user, nick)| (USERS[user], nickname(user, nick))).collect();
            engine.set_occupants(name, occupants.iter().map(|(user, nick)| (*user, &**nick)), now);
        }
        assert_eq!(engine.knowledge(name), Knowledge::Complete);
    }

    fn message(&mut self, room: usize, sender: Option<usize>) {
        self.read(room);
        self.messages += 1;
        let mut told = 0;
        for ((user, _), device) in &mut self.devices {
            if self.rooms[room].is_absent(*user) && sender != Some(*user) {
                told += 1;
                *device.missed.entry(room).or_default() += 1;
                device.untold.insert(room, self.messages);
            }
        }
        let sender = sender.map(|sender| USERS[sender]);
        assert_eq!(self.service.say_as(ROOMS[room], sender, &self.messages.to_string()), told);
    }

    fn turn(&mut self, limit: usize) {
        let now = self.service.now;
        let late = |(_, since, _): &(Publish, f64, _)| since + 120.0 <= now;
        for device in self.devices.values_mut().filter(|device| device.in_flight.as_ref().is_some_and(late)) {
            device.fail();
        }
        let turn = self.service.engine.turn(now, limit, &mut self.service.chance);
        assert_eq!(turn.disabled, []);
        assert!(turn.pushes.len() <= limit);
        for push in self.service.publishes(turn.pushes) {
            self.sent(push);
        }
    }

    fn sent(&mut self, push: Publish) {
        let user = USERS.iter().position(|user| **user == *push.user).expect("a user");
        let node = NODES.iter().position(|node| push.node.as_deref() == Some(node)).expect("a node");
        let device = self.devices.get_mut(&(user, node)).expect("a device that is registered");
        assert!(device.in_flight.is_none(), "one publish in flight per device");
        let told = std::mem::take(&mut device.untold);
        assert!(told.keys().all(|&room| self.rooms[room].is_absent(user)), "to who is absent");
        let newest = told.values().max().map(u32::to_string);
        assert!(newest.is_some(), "something is to be told");
        assert_eq!(body(&push), newest.as_deref(), "the newest message");
        assert_eq!(count(&push), device.missed.values().sum::<u32>());
        device.in_flight = Some((push, self.service.now, told));
    }

    fn reply(&mut self, which: usize, outcome: Outcome) {
        let mut in_flight: Vec<_> =
            self.devices.iter_mut().filter(|(_, device)| device.in_flight.is_some()).collect();
        if in_flight.is_empty() {
            return;
        }
        let which = which % in_flight.len();
        let (&(user, node), device) = in_flight.swap_remove(which);
        let Some((push, _, _)) = device.in_flight.clone() else { return };
        let handling = self.service.reply(&push, outcome);
        match outcome {
            Outcome::Delivered => (device.errors, device.in_flight) = (0, None),
            Outcome::Rejected => (device.errors, device.in_flight) = (device.errors + 1, None),
            Outcome::Transient | Outcome::Silent => device.fail(),
        }
        if device.errors < MAX_ERRORS {
            assert_eq!(handling, Handling::Taken);
        } else {
            let key = common::key(push.node.as_deref().unwrap_or_default());
            assert!(
                matches!(&handling, Handling::Disabled(disabled) if *disabled.key == *key),
                "{handling:?}"
            );
            self.devices.remove(&(user, node));
            self.service.store.entry(USERS[user].to_owned()).or_default().remove_key(&key);
        }
        assert_eq!(self.service.reply(&push, outcome), Handling::Unknown, "it is answered");
    }

    fn forge(&mut self, which: usize) {
        let in_flight: Vec<_> = self.devices.values().filter_map(|it| it.in_flight.as_ref()).collect();
        if let Some((push, _, _)) = in_flight.get(which % in_flight.len().max(1)) {
            let service = &mut self.service;
            let handling = service.engine.reply(
                &push.id.to_string(),
                "evil.example",
                Outcome::Rejected,
                service.now,
                &mut service.chance,
            );
            assert_eq!(handling, Handling::Unknown);
        }
    }

    fn compare(&self) {
        for (name, room) in ROOMS.iter().zip(&self.rooms) {
            if self.service.engine.knowledge(name) == Knowledge::Complete {
                let users: BTreeSet<usize> = self.devices.keys().map(|(user, _)| *user).collect();
                let absent = users.into_iter().filter(|user| room.is_absent(*user)).map(|user| USERS[user]);
                let indexed: BTreeSet<&str> = self.service.engine.absent(name).into_iter().collect();
                assert_eq!(indexed, absent.collect(), "{name}");
                assert_eq!(self.service.engine.is_anybody_absent(name), !indexed.is_empty());
            }
        }
        assert_eq!(self.service.engine.census().devices, self.devices.len());
    }

    /// From now on all app servers answer: everything is told.
    fn drain(&mut self) {
        for _ in 0..1000 {
            while self.devices.values().any(|device| device.in_flight.is_some()) {
                self.reply(0, Outcome::Delivered);
            }
            match self.service.engine.next_turn() {
                Some(at) => self.service.now = self.service.now.max(at),
                None => break,
            }
            self.turn(ALL);
        }
        let untold = self.devices.iter().find(|(_, device)| !device.untold.is_empty());
        assert!(untold.is_none(), "something was never told: {untold:?}");
        assert_eq!(self.service.engine.next_turn(), None, "nothing is left to be done");
        assert_eq!(self.service.engine.census().in_flight, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        world.drain();
    }
}
