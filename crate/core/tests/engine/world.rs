//! A service and the app servers of one domain, with a clock: what is sent, and what becomes of it.

use std::collections::{HashMap, VecDeque};

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Detail, Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{ORCHARD, PUSHER};
use muc_cloud_notify_testing::service::Service;

pub(crate) const HOUR: f64 = 3600.0;
/// How long an app server takes to answer.
pub(crate) const ROUND_TRIP: f64 = 0.05;
/// What may be on its way to an app server that was away.
pub(crate) const MOST_AFTER_RETURN: usize = 200;

/// What becomes of publishes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AppServer {
    /// It answers so.
    Answers(Outcome),
    /// It takes so many in a second, and of the others says that they are to come again later.
    TakesAtMost(usize),
    /// What is sent to it is lost.
    Lost,
}

pub(crate) const UP: AppServer = AppServer::Answers(Outcome::Delivered);
pub(crate) const REFUSED: AppServer = AppServer::Answers(Outcome::Silent);

/// A service and one domain of app servers, with a clock.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) state: AppServer,
    /// Some app servers of the domain, or nodes, are another matter.
    pub(crate) exception: fn(&Publish) -> Option<AppServer>,
    pub(crate) answers: VecDeque<(f64, Publish, Outcome)>,
    /// When what is lost is given up.
    pub(crate) lost: VecDeque<f64>,
    /// When each push left that had a result.
    pub(crate) told: HashMap<String, Vec<f64>>,
    pub(crate) round_trip: f64,
    pub(crate) sent: Vec<f64>,
    pub(crate) chance: u32,
    pub(crate) peak: usize,
}

pub(crate) fn jid(user: usize) -> String {
    format!("user{user}@capulet.example")
}

impl World {
    /// So many users, of which the app server has told each.
    pub(crate) fn with_users(users: usize, options: Options) -> Self {
        Self::with_app_servers(users, options, |_| PUSHER.to_owned())
    }

    pub(crate) fn with_app_servers(
        users: usize,
        options: Options,
        app_server: impl Fn(usize) -> String,
    ) -> Self {
        let mut service = Service::new(options);
        let jids: Vec<String> = (0..users).map(jid).collect();
        for (user, jid) in jids.iter().enumerate() {
            service.enable_at(jid, &app_server(user), "phone");
        }
        service.read(ORCHARD, &jids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        service.acquaint(&jids[0]);
        World {
            service,
            state: UP,
            exception: |_| None,
            answers: VecDeque::new(),
            lost: VecDeque::new(),
            told: HashMap::new(),
            round_trip: ROUND_TRIP,
            sent: Vec::new(),
            chance: 1,
            peak: 0,
        }
    }

    pub(crate) fn say(&mut self) {
        self.service.say(ORCHARD, "But soft!");
        while self.service.spread() {}
    }

    pub(crate) fn restarted(&mut self) {
        let (parts, options) = (self.service.snapshot_parts(1000, Detail::Words), Options::default());
        let users = self.service.stats().users;
        let store = self.service.store.clone();
        self.service = Service::restarted(self.service.now, options, store);
        for part in &parts {
            self.service.restore(part);
        }
        let jids: Vec<String> = (0..users).map(jid).collect();
        self.service.read(ORCHARD, &jids.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        self.answers.clear();
    }

    /// What is on its way is lost, with the connection that the answers would come on.
    pub(crate) fn lose_link(&mut self) {
        self.answers.clear();
        self.lost.clear();
        self.service.link_lost(PUSHER);
    }

    pub(crate) fn restore_link(&mut self) {
        self.state = UP;
        self.service.link_restored(PUSHER);
    }

    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.service.now + seconds;
        loop {
            self.poll();
            let of_answer = self.answers.front().map(|(at, ..)| *at);
            let next = self.service.next_deadline().into_iter().chain(of_answer).min_by(f64::total_cmp);
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.service.now = self.service.now.max(next);
            let now = self.service.now;
            while let Some((_, push, outcome)) = self.answers.pop_front_if(|(at, ..)| *at <= now) {
                self.service.reply(&push, outcome);
            }
        }
        self.service.now = end;
    }

    pub(crate) fn poll(&mut self) {
        loop {
            // As chance has it.
            self.chance = (self.chance * 5 + 3) % 64;
            self.service.set_fraction(f64::from(self.chance) / 64.0);
            let (pushes, _) = self.service.take_due(1, Scope::AllRooms);
            let Some(push) = pushes.into_iter().next() else { break };
            let now = self.service.now;
            self.sent.push(now);
            let state = match (self.exception)(&push).unwrap_or(self.state) {
                AppServer::TakesAtMost(per_second) => {
                    let lately = self.told.values().flatten().filter(|at| **at > now - 1.0).count();
                    AppServer::Answers(if lately < per_second {
                        Outcome::Delivered
                    } else {
                        Outcome::Transient
                    })
                }
                state => state,
            };
            match state {
                AppServer::Answers(outcome) => {
                    if outcome == Outcome::Delivered {
                        self.told.entry(push.user.clone()).or_default().push(now);
                    }
                    self.answers.push_back((now + self.round_trip, push, outcome));
                }
                _ => self.lost.push_back(now + 120.0),
            }
            self.peak = self.peak.max(self.in_flight());
        }
    }

    pub(crate) fn in_flight(&mut self) -> usize {
        while self.lost.pop_front_if(|at| *at <= self.service.now).is_some() {}
        self.answers.len() + self.lost.len()
    }

    /// When the first and the last of those who are told now heard of it, since a time.
    pub(crate) fn first_and_last(&self, since: f64) -> (f64, f64) {
        let times = || self.told.values().flatten().filter(|at| **at >= since).map(|at| at - since);
        (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max))
    }

    /// How many publishes left in so many seconds.
    pub(crate) fn sent_within(&mut self, seconds: f64) -> usize {
        let before = self.sent.len();
        self.run(seconds);
        self.sent.len() - before
    }
}
