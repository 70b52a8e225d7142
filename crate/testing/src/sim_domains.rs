//! A simulation of app servers that answer or not, at domains that were asked before or not.
//!
//! What has to be true: no domain gets more at once than it may, one that has never taken a publish gets few in all, nobody
//! waits for nothing, and in the end everybody has heard of everything, also where the bounds meet: the window of a domain, the
//! pace of a room, back-offs, links that come and go, accounts that are disabled, and restarts.

use std::collections::BTreeMap;

use muc_cloud_notify_core::Options;
use proptest::prelude::*;

use crate::driver::{Outcome, Publish, Scope};
use crate::names::{HALL, ORCHARD};
use crate::service::{ALL, Service};

const APP_SERVERS: [&str; 6] = [
    "push.example",
    "push.example/other",
    "d1@victim.example",
    "d2@victim.example",
    "silent.example",
    "named.example",
];
/// How many more there are, each at a domain of its own: more than become acquainted at once.
const OTHERS: usize = 60;
const ROOMS: [&str; 2] = [ORCHARD, HALL];
const USERS: usize = 30;
const MOST_IN_FLIGHT: usize = 12;
/// Before a domain has taken a publish.
const MOST_AT_FIRST: usize = 10;
const REPLY_TIMEOUT: f64 = 120.0;
const RETRY_DELAY: f64 = 10.0;

/// What can happen. Users, app servers and rooms are numbers.
#[derive(Debug, Clone)]
pub enum Transition {
    /// A user registers at an app server, and at no other.
    Enable(usize, usize),
    /// A user has no device any more.
    Disable(usize),
    /// The account of a user is disabled, or enabled again.
    Suspend(usize, bool),
    /// A user has looked into a room.
    Visit(usize, usize),
    /// All of them have none, and register again at this app server.
    EnableAllAgain(usize),
    /// All of them have none, and each registers again at another app server, from this one on.
    EnableAllApart(usize),
    /// Somebody says something in a room.
    Message(usize),
    /// Somebody mentions a user in a room.
    Mention(usize, usize),
    /// Another module asks for a push to a user.
    Ping(usize),
    /// The engine is polled for so many pushes.
    Poll(usize),
    /// One of the pushes in flight is answered.
    Reply(usize, Outcome),
    /// All pushes in flight are answered alike.
    ReplyAll(Outcome),
    /// One of the pushes in flight was not sent.
    Withdraw(usize),
    /// The link to the domain of an app server is lost, with all that was on its way.
    LinkLost(usize),
    /// The link to the domain of an app server is there again.
    LinkRestored(usize),
    /// So many seconds pass.
    Wait(f64),
    /// The service is stopped and started again.
    Restart,
}

/// Any course of events.
pub fn transitions() -> impl Strategy<Value = Vec<Transition>> {
    let outcome = || {
        prop_oneof![
            2 => Just(Outcome::Delivered),
            1 => Just(Outcome::Transient),
            2 => Just(Outcome::Rejected),
            2 => Just(Outcome::Silent),
        ]
    };
    let app_server = || 0..APP_SERVERS.len() + OTHERS;
    let transition = prop_oneof![
        4 => (0..USERS, 0..APP_SERVERS.len())
            .prop_map(|(user, app_server)| Transition::Enable(user, app_server)),
        2 => (0..USERS, app_server()).prop_map(|(user, app_server)| Transition::Enable(user, app_server)),
        2 => (0..USERS).prop_map(Transition::Disable),
        1 => (0..APP_SERVERS.len()).prop_map(Transition::EnableAllAgain),
        1 => app_server().prop_map(Transition::EnableAllApart),
        1 => (0..USERS, any::<bool>()).prop_map(|(user, is_suspended)| Transition::Suspend(user, is_suspended)),
        1 => (0..USERS, 0..ROOMS.len()).prop_map(|(user, room)| Transition::Visit(user, room)),
        6 => (0..ROOMS.len()).prop_map(Transition::Message),
        2 => (0..USERS, 0..ROOMS.len()).prop_map(|(user, room)| Transition::Mention(user, room)),
        1 => (0..USERS).prop_map(Transition::Ping),
        8 => prop_oneof![Just(1), Just(3), Just(ALL)].prop_map(Transition::Poll),
        6 => (any::<usize>(), outcome()).prop_map(|(which, outcome)| Transition::Reply(which, outcome)),
        2 => outcome().prop_map(Transition::ReplyAll),
        1 => any::<usize>().prop_map(Transition::Withdraw),
        2 => app_server().prop_map(Transition::LinkLost),
        2 => app_server().prop_map(Transition::LinkRestored),
        4 => (0.0..200.0).prop_map(Transition::Wait),
        1 => Just(Transition::Restart),
    ];
    proptest::collection::vec(transition, 1..120)
}

/// What was sent to a domain.
#[derive(Debug, Default)]
struct ReferenceDomain {
    has_answered: bool,
    /// Before it had, how many publishes, and since when.
    sent: usize,
    since: f64,
}

/// A publish whose answer is not overdue, also where its device is gone.
#[derive(Debug)]
struct InFlight {
    push: Publish,
    since: f64,
}

/// What a user with a device has missed, and what they were told.
#[derive(Debug)]
struct ReferenceUser {
    missed: [u32; ROOMS.len()],
    /// The count in the last push. Unknown where some of what it did not contain was read since.
    told: Option<u32>,
    /// A push was asked for, and has not left.
    is_pinged: bool,
    is_suspended: bool,
}

impl ReferenceUser {
    fn new() -> Self {
        ReferenceUser { missed: [0; ROOMS.len()], told: Some(0), is_pinged: false, is_suspended: false }
    }

    fn all_missed(&self) -> u32 {
        self.missed.iter().sum()
    }
}

/// A service and its app servers.
#[derive(Debug)]
pub struct Simulation {
    service: Service,
    options: Options,
    domains: BTreeMap<String, ReferenceDomain>,
    in_flight: Vec<InFlight>,
    /// Those who have a device.
    users: BTreeMap<usize, ReferenceUser>,
}

fn jid(user: usize) -> String {
    format!("user{user}@capulet.example")
}

fn app_server(number: usize) -> String {
    let others = || format!("push.d{}.example", number % OTHERS);
    APP_SERVERS.get(number).map_or_else(others, |app_server| (*app_server).to_owned())
}

fn domain(app_server: &str) -> String {
    let bare = app_server.split('/').next().unwrap_or_default();
    bare.split('@').next_back().unwrap_or_default().to_owned()
}

impl Simulation {
    /// Everybody is a member of both rooms and absent; nobody has registered. A device hears of a room once in so many seconds.
    pub fn with_interval(push_interval: f64) -> Self {
        let options = Options {
            push_interval,
            max_errors: u32::MAX,
            max_in_flight: u32::try_from(MOST_IN_FLIGHT).expect("few"),
            time_to_live: f64::INFINITY,
            give_up_after: f64::INFINITY,
            ..Options::default()
        };
        let mut simulation = Simulation {
            service: Service::new(options.clone()),
            options,
            domains: BTreeMap::new(),
            in_flight: Vec::new(),
            users: BTreeMap::new(),
        };
        simulation.service.configure_all(simulation.options.clone());
        simulation.read_rooms();
        simulation
    }

    fn read_rooms(&mut self) {
        let jids: Vec<String> = (0..USERS).map(jid).collect();
        for room in ROOMS {
            self.service.read(room, &jids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        }
    }

    /// Something happens. Panics where the engine does what it must not.
    pub fn apply(&mut self, transition: Transition) {
        self.service.wait(0.5);
        match transition {
            Transition::Enable(user, app_server) => {
                self.disable(user);
                self.enable(user, app_server);
            }
            Transition::Disable(user) => self.disable(user),
            Transition::EnableAllAgain(app_server) => {
                (0..USERS).for_each(|user| self.disable(user));
                (0..USERS).for_each(|user| self.enable(user, app_server));
            }
            Transition::EnableAllApart(first) => {
                (0..USERS).for_each(|user| self.disable(user));
                (0..USERS).for_each(|user| self.enable(user, first + user));
            }
            Transition::Suspend(user, is_suspended) => self.suspend(user, is_suspended),
            Transition::Visit(user, room) => self.visit(user, room),
            Transition::Message(room) => {
                self.service.say(ROOMS[room], "But soft!");
                self.missed(room);
            }
            Transition::Mention(user, room) => {
                self.service.mention(ROOMS[room], &jid(user), "But soft!");
                self.missed(room);
            }
            Transition::Ping(user) => {
                self.service.handle_ping(&jid(user));
                if let Some(user) = self.users.get_mut(&user) {
                    user.is_pinged = true;
                }
            }
            Transition::Poll(limit) => self.poll(limit),
            Transition::Reply(which, outcome) => self.reply(which, outcome),
            Transition::ReplyAll(outcome) => (0..self.in_flight.len()).for_each(|_| self.reply(0, outcome)),
            Transition::Withdraw(which) => self.withdraw(which),
            Transition::LinkLost(number) => self.lose_link(&domain(&app_server(number))),
            Transition::LinkRestored(number) => {
                self.service.link_restored(&domain(&app_server(number)));
            }
            Transition::Wait(seconds) => self.service.wait(seconds),
            Transition::Restart => self.restart(),
        }
        let stats = self.service.stats();
        assert!(stats.parked <= stats.queued && stats.queued <= stats.devices, "{stats:?}");
    }

    /// From now on all app servers answer, until nothing is left to be done. Panics if anybody waits for ever, or has not heard
    /// of everything.
    pub fn settle(&mut self) {
        (0..USERS).for_each(|user| self.suspend(user, false));
        for _ in 0..2000 {
            (0..self.in_flight.len()).for_each(|_| self.reply(0, Outcome::Delivered));
            self.poll(ALL);
            if self.in_flight.is_empty() && !self.service.advance_to_deadline() {
                break;
            }
        }
        assert_eq!(self.service.next_deadline(), None, "nothing is left to be done");
        assert_eq!((self.service.stats().queued, self.service.stats().in_flight), (0, 0));
        for (number, user) in &self.users {
            assert!(!user.is_pinged, "{number} gets the push that was asked for");
            let missed = user.all_missed();
            let has_heard = missed == 0 || user.told.is_none_or(|told| told == missed);
            assert!(has_heard, "{number} has missed {missed}, and was told of {:?}", user.told);
        }
    }

    fn suspend(&mut self, user: usize, is_suspended: bool) {
        self.service.set_suspended(&jid(user), is_suspended);
        if let Some(user) = self.users.get_mut(&user) {
            user.is_suspended = is_suspended;
        }
    }

    fn visit(&mut self, user: usize, room: usize) {
        self.service.occupant_present(ROOMS[room], &jid(user), "nick");
        self.service.occupant_gone(ROOMS[room], &jid(user), "nick");
        if let Some(user) = self.users.get_mut(&user) {
            let has_heard = user.told == Some(user.all_missed());
            user.missed[room] = 0;
            user.told = has_heard.then(|| user.all_missed());
        }
    }

    fn missed(&mut self, room: usize) {
        self.users.values_mut().for_each(|user| user.missed[room] += 1);
    }

    fn enable(&mut self, user: usize, number: usize) {
        self.service.enable_at(&jid(user), &app_server(number), "phone");
        for room in ROOMS {
            self.service.affiliation_changed(room, &jid(user), true, None);
            // As of anybody new: otherwise the room's messages would be held.
            self.service.set_occupants(room, []);
        }
        self.users.insert(user, ReferenceUser::new());
    }

    fn disable(&mut self, user: usize) {
        self.service.set_registrations(&jid(user), Vec::new(), None);
        self.service.store.remove(&jid(user));
        self.users.remove(&user);
    }

    /// What outlives it are the registrations and the snapshot: answers are missed.
    fn restart(&mut self) {
        let snapshot = self.service.snapshot();
        self.service = Service::restarted(self.service.now, self.options.clone(), self.service.store.clone());
        self.service.configure_all(self.options.clone());
        for (user, _) in self.users.iter().filter(|(_, user)| user.is_suspended) {
            self.service.set_suspended(&jid(*user), true);
        }
        self.service.restore(&snapshot);
        self.read_rooms();
        self.in_flight.clear();
    }

    /// What becomes of links to domains that have never taken a publish is nothing to the engine.
    fn lose_link(&mut self, name: &str) {
        self.service.link_lost(name);
        if self.domains.get(name).is_some_and(|reference| reference.has_answered) {
            self.in_flight.retain(|it| domain(it.push.app_server.as_str()) != name);
        }
    }

    fn poll(&mut self, limit: usize) {
        let now = self.service.now;
        let (pushes, _) = self.service.take_due(limit, Scope::AllRooms);
        // Only a few that are overdue are seen to for each push.
        if limit == ALL {
            self.in_flight.retain(|it| it.since + REPLY_TIMEOUT > now);
        }
        let is_all = pushes.len() < limit;
        pushes.into_iter().for_each(|push| self.sent(push));
        if is_all && limit == ALL {
            assert!(self.service.next_deadline().is_none_or(|at| at > now), "nothing can be done now");
        }
    }

    fn sent(&mut self, push: Publish) {
        let (now, name) = (self.service.now, domain(push.app_server.as_str()));
        let user = self.users.iter_mut().find(|(number, _)| jid(**number) == push.user);
        let (_, user) = user.expect("nobody is pushed to without a device");
        assert!(!user.is_suspended, "nothing is pushed while an account is disabled");
        (user.told, user.is_pinged) = (Some(push.count()), false);
        self.in_flight.push(InFlight { push, since: now });
        let is_recent =
            |it: &&InFlight| domain(it.push.app_server.as_str()) == name && it.since + REPLY_TIMEOUT > now;
        let in_flight = self.in_flight.iter().filter(is_recent).count();
        let reference = self.domains.entry(name.clone()).or_default();
        assert!(in_flight <= MOST_IN_FLIGHT, "{name}: {in_flight}");
        if !reference.has_answered {
            reference.since = if reference.sent == 0 { now } else { reference.since };
            reference.sent += 1;
            let probes = 1.0 + (now - reference.since) / RETRY_DELAY;
            let most = MOST_AT_FIRST + probes as usize;
            assert!(reference.sent <= most, "{name}: {} in {}", reference.sent, now - reference.since);
        }
    }

    fn take(&mut self, which: usize) -> Option<Publish> {
        let which = which.checked_rem(self.in_flight.len())?;
        Some(self.in_flight.swap_remove(which).push)
    }

    fn reply(&mut self, which: usize, outcome: Outcome) {
        let Some(push) = self.take(which) else { return };
        self.service.reply(&push, outcome);
        if outcome == Outcome::Delivered {
            self.domains.entry(domain(push.app_server.as_str())).or_default().has_answered = true;
        }
    }

    fn withdraw(&mut self, which: usize) {
        let Some(push) = self.take(which) else { return };
        let is_there = self.service.is_wanted(&push.id);
        self.service.withdraw(&push.id);
        let reference = self.domains.entry(domain(push.app_server.as_str())).or_default();
        if is_there && !reference.has_answered {
            reference.sent -= 1;
        }
    }
}
