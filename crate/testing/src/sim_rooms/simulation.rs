//! The service and its reference, to both of which the same happens.

use std::collections::{BTreeMap, BTreeSet};

use muc_cloud_notify_core::Options;

use super::reference::{InFlight, REPLY_TIMEOUT, ReferenceDevice, ReferenceRoom};
use super::revision::Texts;
use super::transition::{Event, Transition};
use super::world::{MAX_DEVICES, MAX_ERRORS, MAX_IN_FLIGHT, NODES, ROOMS, USERS};
use crate::driver::{Coverage, Handling, Outcome, Publish, Scope};
use crate::names::{PRIVATE, push_identifier};
use crate::service::{ALL, Service, with_body};
use crate::stanza::xml;

/// An engine in its surroundings, and what is known to be true of them.
#[derive(Debug)]
pub struct Simulation {
    pub(super) service: Service,
    pub(super) rooms: [ReferenceRoom; 2],
    pub(super) devices: BTreeMap<(usize, usize), ReferenceDevice>,
    pub(super) texts: Texts,
    /// The users whose accounts are disabled.
    suspended: BTreeSet<usize>,
    options: Options,
}

fn nickname(user: usize, nick: usize) -> String {
    format!("{user}-{nick}")
}

impl Simulation {
    /// Two rooms without members, and nobody has registered. What happens in a room comes to so many members at once.
    pub fn new(members_at_once: usize) -> Self {
        let options = Options {
            members_at_once,
            max_devices: MAX_DEVICES,
            max_errors: MAX_ERRORS,
            max_in_flight: MAX_IN_FLIGHT,
            reply_timeout: REPLY_TIMEOUT,
            time_to_live: f64::INFINITY,
            give_up_after: f64::INFINITY,
            ..with_body()
        };
        Simulation {
            service: Service::new(options.clone()),
            rooms: Default::default(),
            devices: BTreeMap::new(),
            texts: Texts::default(),
            suspended: BTreeSet::new(),
            options,
        }
    }

    /// Something happens, to the engine and to the reference. Panics where they differ afterwards.
    pub fn apply(&mut self, transition: Transition) {
        self.service.wait(1.0);
        match transition {
            Transition::Enable(user, node) => self.enable(user, node),
            Transition::Disable(user, node) => {
                self.service.disable(USERS[user], node.map(|node| NODES[node]));
                self.keep_registered_devices(user);
            }
            Transition::InRoom(room, event) => {
                self.rooms[room].apply(event);
                self.report(room, event);
                self.forget_where_known(room);
            }
            Transition::Message(room, sender) => self.message(room, sender),
            Transition::Poll(limit) => self.poll(limit),
            Transition::Reply(which, outcome) => self.reply(which, outcome),
            Transition::Forgery(which) => self.forge(which),
            Transition::Wait(seconds) => self.service.wait(seconds),
            Transition::ForgetRoom(room) => self.service.forget_room(ROOMS[room]),
            Transition::ForgetRooms(events) => {
                for (room, event) in events {
                    self.rooms[room].apply(event);
                }
                self.service.forget_rooms();
                for room in 0..ROOMS.len() {
                    self.read(room);
                    self.forget_where_known(room);
                }
            }
            Transition::DestroyRoom(room) => {
                self.rooms[room] = ReferenceRoom::default();
                self.forget_where_known(room);
                self.service.room_destroyed(ROOMS[room]);
            }
            Transition::Revise(which, reviser, revision) => self.revise(which, reviser, revision),
            Transition::Suspend(user, is_suspended) => self.suspend(user, is_suspended),
            Transition::Restart => self.restart(),
        }
        // What is known of a user goes with the last device.
        self.suspended.retain(|user| self.devices.keys().any(|(owner, _)| owner == user));
        self.assert_agreement();
    }

    /// From now on all accounts are enabled and all app servers answer, until nothing is left to be done. Panics if something
    /// was never pushed.
    pub fn settle(&mut self) {
        (0..USERS.len()).for_each(|user| self.suspend(user, false));
        for _ in 0..1000 {
            while self.devices.values().any(|device| device.in_flight.is_some()) {
                self.reply(0, Outcome::Delivered);
            }
            if !self.service.advance_to_deadline() {
                break;
            }
            self.poll(ALL);
        }
        self.assert_settled();
    }

    fn suspend(&mut self, user: usize, is_suspended: bool) {
        self.service.set_suspended(USERS[user], is_suspended);
        if is_suspended {
            self.suspended.insert(user);
        } else {
            self.suspended.remove(&user);
        }
    }

    /// What was in flight is pushed again, as its answer will be missed. What is known of rooms has to be read.
    fn restart(&mut self) {
        while self.service.spread() {}
        let snapshot = self.service.snapshot();
        self.service = Service::restarted(self.service.now, self.options.clone(), self.service.store.clone());
        for &user in &self.suspended {
            self.service.set_suspended(USERS[user], true);
        }
        let rooms = self.service.restore(&snapshot);
        for (room, _) in ROOMS.iter().enumerate().filter(|(_, name)| rooms.iter().any(|it| it == *name)) {
            self.read(room);
        }
        self.devices.values_mut().for_each(ReferenceDevice::fail);
    }

    fn enable(&mut self, user: usize, node: usize) {
        if self.service.enable(USERS[user], NODES[node]) {
            for (room, reference) in ROOMS.iter().zip(&self.rooms) {
                if reference.members.contains(&user) {
                    self.service.affiliation_changed(room, USERS[user], true, None);
                }
            }
        }
        self.devices.entry((user, node)).or_default().errors = 0;
        self.keep_registered_devices(user);
    }

    fn keep_registered_devices(&mut self, user: usize) {
        let record = self.service.store.entry(USERS[user].to_owned()).or_default();
        assert!(record.registrations.len() <= MAX_DEVICES);
        let registered: BTreeSet<_> =
            record.registrations.iter().map(|it| it.push_identifier().into_owned()).collect();
        self.devices
            .retain(|&(owner, node), _| owner != user || registered.contains(&push_identifier(NODES[node])));
        assert_eq!(self.devices.keys().filter(|(owner, _)| *owner == user).count(), registered.len());
    }

    /// The engine learns what has happened in a room.
    fn report(&mut self, room: usize, event: Event) {
        let room = ROOMS[room];
        match event {
            Event::Affiliation(user, is_member) => {
                self.service.affiliation_changed(room, USERS[user], is_member, None);
            }
            Event::Enter(user, nick) => {
                self.service.occupant_present(room, USERS[user], &nickname(user, nick));
            }
            Event::Leave(user, nick) => {
                self.service.occupant_gone(room, USERS[user], &nickname(user, nick));
            }
        }
    }

    /// A user who is in a room, or no member of it, has nothing unread there.
    fn forget_where_known(&mut self, room: usize) {
        for ((user, _), device) in &mut self.devices {
            if !self.rooms[room].is_absent(*user) {
                device.forget(room);
            }
        }
    }

    /// The engine reads what it does not know of a room.
    fn read(&mut self, room: usize) {
        let (service, name, room) = (&mut self.service, ROOMS[room], &self.rooms[room]);
        if service.coverage(name) == Coverage::Nothing {
            service.set_members(name, room.members.iter().map(|&user| (USERS[user], None)));
        }
        if service.coverage(name) == Coverage::Members {
            let occupants: Vec<_> =
                room.occupants.iter().map(|&(user, nick)| (USERS[user], nickname(user, nick))).collect();
            service.set_occupants(name, occupants.iter().map(|(user, nick)| (*user, &**nick)));
        }
        assert_eq!(service.coverage(name), Coverage::Complete);
    }

    fn message(&mut self, room: usize, sender: Option<usize>) {
        self.read(room);
        let message = self.texts.add(room, sender);
        let mut concerned = 0;
        for ((user, _), device) in &mut self.devices {
            if self.rooms[room].is_absent(*user) && sender != Some(*user) {
                concerned += 1;
                device.add_unread(room, message);
            }
        }
        let (name, sender) = (ROOMS[room], sender.map(|sender| USERS[sender]));
        let stanza = xml(&format!(
            "<message type='groupchat' from='{name}/Somebody' id='m{message}'><body>{message}</body>\
            <stanza-id xmlns='urn:xmpp:sid:0' by='{name}' id='s{message}'/></message>"
        ));
        let concerned_so_far = self.service.broadcast_stanza(name, sender, PRIVATE, &stanza);
        if self.options.members_at_once >= USERS.len() {
            assert_eq!(concerned_so_far, concerned);
        }
        assert!(concerned_so_far <= concerned);
    }

    fn poll(&mut self, limit: usize) {
        let now = self.service.now;
        self.devices.values_mut().filter(|device| device.is_late(now)).for_each(ReferenceDevice::fail);
        let pushes = self.service.take_pushes(limit, Scope::AllRooms);
        assert!(pushes.len() <= limit);
        for push in pushes {
            self.sent(push);
        }
    }

    fn sent(&mut self, push: Publish) {
        let user = USERS.iter().position(|user| **user == *push.user).expect("a user");
        let node = NODES.iter().position(|node| push.node.as_deref() == Some(node)).expect("a node");
        let device = self.devices.get_mut(&(user, node)).expect("a device that is registered");
        let about = std::mem::take(&mut device.pending);
        device.assert_push(&push, &about, &self.texts);
        assert!(!self.suspended.contains(&user), "the account is disabled");
        assert!(about.keys().all(|&room| self.rooms[room].is_absent(user)), "only for an absent user");
        device.in_flight = Some(InFlight { push, since: self.service.now, about });
        let in_flight = self.devices.values().filter(|device| device.in_flight.is_some()).count();
        assert!(in_flight <= MAX_IN_FLIGHT as usize, "{in_flight} publishes are on their way");
    }

    fn reply(&mut self, which: usize, outcome: Outcome) {
        let mut in_flight: Vec<_> =
            self.devices.iter_mut().filter(|(_, device)| device.in_flight.is_some()).collect();
        if in_flight.is_empty() {
            return;
        }
        let which = which % in_flight.len();
        let (&(user, node), device) = in_flight.swap_remove(which);
        let Some(push) = device.in_flight.as_ref().map(|in_flight| in_flight.push.clone()) else { return };
        let handling = self.service.reply(&push, outcome);
        match outcome {
            Outcome::Delivered => (device.errors, device.in_flight) = (0, None),
            Outcome::Rejected => (device.errors, device.in_flight) = (device.errors + 1, None),
            Outcome::Transient | Outcome::Silent => device.fail(),
        }
        if device.errors < MAX_ERRORS {
            assert_eq!(handling, Handling::Taken);
        } else {
            let expected = push_identifier(push.node.as_deref().unwrap_or_default());
            assert!(
                matches!(&handling, Handling::Disabled(disabled) if disabled.push_identifier == expected),
                "{handling:?}"
            );
            self.devices.remove(&(user, node));
            self.service.store.entry(USERS[user].to_owned()).or_default().remove_identified(&expected);
        }
        assert_eq!(self.service.reply(&push, outcome), Handling::Unknown, "it is answered");
    }

    fn forge(&mut self, which: usize) {
        let in_flight: Vec<_> = self.devices.values().filter_map(|it| it.in_flight.as_ref()).collect();
        if let Some(InFlight { push, .. }) = in_flight.get(which % in_flight.len().max(1)) {
            let handling = self.service.handle_reply(&push.id, "evil.example", Outcome::Rejected);
            assert_eq!(handling, Handling::Unknown);
        }
    }
}
