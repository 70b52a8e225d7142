//! An app server is away, and comes back: everybody who waits for it is told soon, however long it was away, and it is not
//! overrun.

use std::collections::{HashMap, VecDeque};

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Detail, Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{ORCHARD, PUSHER};
use muc_cloud_notify_testing::service::Service;

const HOUR: f64 = 3600.0;
/// How long an app server takes to answer.
const ROUND_TRIP: f64 = 0.05;
/// What may be on its way to an app server that was away.
const MOST_AFTER_RETURN: usize = 200;

/// What becomes of publishes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum AppServer {
    /// It answers so.
    Answers(Outcome),
    /// It takes so many in a second, and of the others says that they are to come again later.
    TakesAtMost(usize),
    /// What is sent to it is lost.
    Lost,
}

const UP: AppServer = AppServer::Answers(Outcome::Delivered);
const REFUSED: AppServer = AppServer::Answers(Outcome::Silent);

/// A service and one domain of app servers, with a clock.
struct World {
    service: Service,
    state: AppServer,
    /// Some app servers of the domain, or nodes, are another matter.
    exception: fn(&Publish) -> Option<AppServer>,
    answers: VecDeque<(f64, Publish, Outcome)>,
    /// When what is lost is given up.
    lost: VecDeque<f64>,
    /// When each push left that had a result.
    told: HashMap<String, Vec<f64>>,
    round_trip: f64,
    sent: Vec<f64>,
    chance: u32,
    peak: usize,
}

fn jid(user: usize) -> String {
    format!("user{user}@capulet.example")
}

impl World {
    /// So many users, of which the app server has told each.
    fn with_users(users: usize, options: Options) -> Self {
        Self::with_app_servers(users, options, |_| PUSHER.to_owned())
    }

    fn with_app_servers(users: usize, options: Options, app_server: impl Fn(usize) -> String) -> Self {
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

    fn say(&mut self) {
        self.service.say(ORCHARD, "But soft!");
        while self.service.spread() {}
    }

    fn restarted(&mut self) {
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
    fn lose_link(&mut self) {
        self.answers.clear();
        self.lost.clear();
        self.service.link_lost(PUSHER);
    }

    fn restore_link(&mut self) {
        self.state = UP;
        self.service.link_restored(PUSHER);
    }

    fn run(&mut self, seconds: f64) {
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

    fn poll(&mut self) {
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

    fn in_flight(&mut self) -> usize {
        while self.lost.pop_front_if(|at| *at <= self.service.now).is_some() {}
        self.answers.len() + self.lost.len()
    }

    /// When the first and the last of those who are told now heard of it, since a time.
    fn first_and_last(&self, since: f64) -> (f64, f64) {
        let times = || self.told.values().flatten().filter(|at| **at >= since).map(|at| at - since);
        (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max))
    }

    /// How many publishes left in so many seconds.
    fn sent_within(&mut self, seconds: f64) -> usize {
        let before = self.sent.len();
        self.run(seconds);
        self.sent.len() - before
    }
}

#[test]
fn everybody_is_told_within_thirty_seconds_where_the_link_tells_of_the_return() {
    for (away, outage) in
        [(REFUSED, 20.0), (AppServer::Lost, 200.0), (REFUSED, 10.0 * HOUR), (AppServer::Lost, 10.0 * HOUR)]
    {
        let mut world = World::with_users(5000, Options::default());
        world.state = away;
        world.say();
        world.run(outage);
        let back = world.service.now;
        world.peak = 0;
        world.restore_link();
        world.run(30.0);
        let (first, last) = world.first_and_last(back);
        assert_eq!(world.told.len(), 5000, "{away:?} for {outage} s: {first} to {last}");
        assert!(first <= 1.0 && last <= 30.0, "{away:?} for {outage} s: {first} to {last}");
        assert!(world.peak <= MOST_AFTER_RETURN, "{away:?} for {outage} s: {}", world.peak);
    }
}

#[test]
fn everybody_is_told_within_a_minute_where_nothing_tells_of_the_return() {
    for (away, outage) in
        [(REFUSED, 72.0), (AppServer::Lost, 200.0), (REFUSED, 10.0 * HOUR), (AppServer::Lost, 10.0 * HOUR)]
    {
        for users in [1, 3, 5000] {
            let mut world = World::with_users(users, Options::default());
            world.state = away;
            world.say();
            world.run(outage);
            (world.state, world.peak) = (UP, world.in_flight());
            let unanswered = world.peak;
            let back = world.service.now;
            world.run(60.0);
            let (first, last) = world.first_and_last(back);
            let case =
                format!("{users} users, {away:?} for {outage} s: {first} to {last}, peak {}", world.peak);
            assert_eq!(world.told.len(), users, "{case}");
            assert!(first <= 30.0 && last <= 30.0 + ROUND_TRIP, "{case}");
            assert!(world.peak <= MOST_AFTER_RETURN + unanswered, "{case}");
        }
    }
}

#[test]
fn what_was_on_its_way_when_a_link_is_lost_is_sent_again_at_its_return_and_once() {
    let mut world = World::with_users(300, Options::default());
    world.say();
    world.poll();
    assert_eq!(world.service.stats().in_flight, 300);
    world.run(ROUND_TRIP / 2.0);
    world.told.clear();
    world.state = REFUSED;
    world.lose_link();
    world.run(2.0);
    let back = world.service.now;
    world.restore_link();
    world.run(10.0);
    assert_eq!(world.told.len(), 300);
    assert!(world.first_and_last(back).1 <= 3.0, "{:?}", world.first_and_last(back));
    assert!(world.told.values().all(|times| times.len() == 1));
    world.run(HOUR);
    assert!(world.told.values().all(|times| times.len() == 1));
}

#[test]
fn a_link_that_is_lost_counts_as_no_failure_of_a_device() {
    let mut world =
        World::with_users(20, Options { max_errors: 1, give_up_after: 0.0, ..Options::default() });
    world.say();
    for _ in 0..100 {
        world.poll();
        world.lose_link();
        world.service.wait(0.5);
        world.restore_link();
    }
    world.run(60.0);
    assert_eq!((world.service.stats().devices, world.told.len()), (20, 20));
    assert!(world.service.snapshot().devices.iter().all(|device| device.attempts == 0));
}

#[test]
fn a_link_that_comes_and_goes_is_tried_less_and_less_often_while_nothing_is_answered() {
    let mut world = World::with_users(1000, Options::default());
    world.say();
    world.poll();
    let before = world.sent.len();
    for _ in 0..1200 {
        world.state = AppServer::Lost;
        world.lose_link();
        world.run(1.5);
        world.service.link_restored(PUSHER);
        world.run(1.5);
    }
    let sent = world.sent.len() - before;
    // Within an hour.
    assert!((150..=250).contains(&sent), "{sent}");
    world.restore_link();
    let back = world.service.now;
    world.told.clear();
    world.run(30.0);
    assert_eq!(world.told.len(), 1000, "{:?}", world.first_and_last(back));
}

#[test]
fn a_link_that_comes_and_goes_while_the_app_server_answers_gets_everybody_told() {
    let mut world = World::with_users(5000, Options::default());
    world.say();
    for _ in 0..20 {
        world.run(0.3);
        world.lose_link();
        world.state = REFUSED;
        world.run(2.0);
        world.restore_link();
    }
    world.run(30.0);
    assert_eq!(world.told.len(), 5000);
    let sent = world.told.values().map(Vec::len).sum::<usize>();
    assert!(sent <= 5000 + 500 + 20 * MOST_AFTER_RETURN, "{sent}: what was on its way may be told twice");
}

#[test]
fn a_link_is_nothing_to_us_where_the_domain_has_never_taken_a_push() {
    let mut sent = [false, true].map(|has_link| {
        let mut world = World::with_users(100, Options::default());
        let (stranger, state) = ("push.stranger.example", AppServer::Lost);
        for user in 0..100 {
            world.service.set_registrations(&jid(user), Vec::new(), None);
            world.service.store.remove(&jid(user));
            world.service.enable_at(&jid(user), stranger, "phone");
        }
        world.service.read(
            ORCHARD,
            &(0..100).map(jid).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
            &[],
        );
        world.state = state;
        world.say();
        for _ in 0..1000 {
            world.run(1.0);
            if has_link {
                world.service.link_lost(stranger);
                world.service.link_restored(stranger);
            }
        }
        world.sent.len()
    });
    assert!(sent[0] < 20, "{sent:?}");
    sent[0] -= sent[1];
    assert_eq!(sent[0], 0);
}

#[test]
fn an_app_server_that_wanted_to_be_spared_for_hours_is_used_by_all_once_it_takes_one() {
    let mut world = World::with_users(500, Options::default());
    world.state = AppServer::Answers(Outcome::Transient);
    world.say();
    world.run(5.0 * HOUR);
    (world.state, world.peak) = (UP, 0);
    let back = world.service.now;
    while world.told.is_empty() {
        world.run(1.0);
    }
    let (first, _) = world.first_and_last(back);
    world.run(5.0);
    let (_, last) = world.first_and_last(back);
    assert_eq!(world.told.len(), 500);
    assert!(last - first < 3.0, "{first} to {last}");
    assert!(world.peak <= MOST_AFTER_RETURN, "{}", world.peak);
}

#[test]
fn an_app_server_that_is_overloaded_is_asked_by_few_for_each_push_that_it_takes() {
    let mut world = World::with_users(2000, Options::default());
    world.state = AppServer::TakesAtMost(10);
    world.say();
    // Each device goes on by itself for a while, at delays that grow.
    world.run(300.0);
    let mut told = world.told.len();
    assert!(told >= 1000, "{told}");
    for minute in 5..30 {
        let sent = world.sent_within(60.0);
        let taken = world.told.len() - told;
        assert!(sent <= 2 * taken + 10, "minute {minute}: {sent} sent, {taken} taken");
        told += taken;
    }
    assert_eq!(told, 2000);
}

#[test]
fn a_single_node_that_fails_is_tried_less_and_less_often_and_concerns_nobody_else() {
    for state in [AppServer::Answers(Outcome::Transient), REFUSED, AppServer::Lost] {
        let mut world = World::with_users(50, Options::default());
        world.exception = match state {
            AppServer::Lost => |push| (push.user == jid(7)).then_some(AppServer::Lost),
            REFUSED => |push| (push.user == jid(7)).then_some(REFUSED),
            _ => |push| (push.user == jid(7)).then_some(AppServer::Answers(Outcome::Transient)),
        };
        let mut of_others = 0;
        for _ in 0..24 * 12 {
            world.say();
            world.run(5.0);
            of_others += 49;
            assert_eq!(world.told.values().map(Vec::len).sum::<usize>(), of_others, "{state:?}");
            world.run(295.0);
        }
        let to_it = world.sent.len() - of_others;
        assert!((20..=60).contains(&to_it), "{state:?}: {to_it} in a day");
    }
}

#[test]
fn one_app_server_of_a_domain_is_back_while_others_were_there_all_the_time() {
    for away in [REFUSED, AppServer::Lost] {
        let mut world = World::with_app_servers(1000, Options::default(), |user| {
            format!("{}@push.example", if user % 2 == 0 { "well" } else { "ill" })
        });
        world.service.acquaint(&jid(1));
        world.exception = match away {
            AppServer::Lost => |push| push.app_server.as_str().starts_with("ill").then_some(AppServer::Lost),
            _ => |push| push.app_server.as_str().starts_with("ill").then_some(REFUSED),
        };
        for _ in 0..24 {
            world.say();
            world.run(300.0);
        }
        assert_eq!(world.told.len(), 500);
        world.exception = |_| None;
        let back = world.service.now;
        world.run(30.0);
        let (first, last) = world.first_and_last(back);
        assert_eq!(world.told.len(), 1000, "{away:?}: {first} to {last}");
        assert!(last <= 30.0, "{away:?}: {first} to {last}");
    }
}

#[test]
fn no_more_than_the_operator_wants_are_on_their_way_to_a_silent_app_server_whatever_happens() {
    let mut world = World::with_users(5000, Options::default());
    world.state = AppServer::Lost;
    world.say();
    world.run(60.0);
    assert_eq!(world.peak, 500);
    world.run(600.0);
    world.service.link_restored(PUSHER);
    world.run(600.0);
    world.lose_link();
    world.service.link_restored(PUSHER);
    world.run(600.0);
    assert_eq!(world.peak, 500);
    world.peak = 0;
    world.restarted();
    world.run(600.0);
    assert!(world.peak <= 500, "{}", world.peak);
    (world.state, world.peak) = (UP, 0);
    world.run(60.0);
    assert_eq!(world.told.len(), 5000);
    assert!(world.peak <= 500, "{}", world.peak);
}

#[test]
fn who_waits_for_an_app_server_that_is_back_hears_of_a_new_message_at_once() {
    let mut world = World::with_users(300, Options::default());
    world.state = AppServer::Answers(Outcome::Transient);
    world.say();
    world.run(HOUR);
    world.restore_link();
    world.run(1.0);
    world.told.clear();
    let now = world.service.now;
    world.say();
    world.run(1.0);
    assert_eq!(world.told.len(), 300);
    assert!(world.first_and_last(now).1 < 0.2, "{:?}", world.first_and_last(now));
}

#[test]
fn an_app_server_that_is_slow_after_its_return_is_not_taken_for_one_that_is_away() {
    let mut world = World::with_users(200, Options::default());
    world.state = REFUSED;
    world.say();
    world.run(HOUR);
    (world.state, world.round_trip) = (UP, 25.0);
    world.run(240.0);
    assert_eq!(world.told.len(), 200);
    let sent: usize = world.told.values().map(Vec::len).sum();
    assert!(sent <= 230, "{sent}");
    world.told.clear();
    world.say();
    world.run(30.0);
    assert_eq!(world.told.len(), 200, "it is used as before");
    assert!(world.told.values().all(|times| times.len() == 1));
}

#[test]
fn many_domains_of_one_owner_that_are_away_are_not_asked_every_few_seconds() {
    let mut world = World::with_app_servers(200, Options::default(), |user| format!("d{user}.evil.example"));
    world.say();
    world.run(600.0);
    assert_eq!(world.told.len(), 200, "they have taken pushes");
    world.state = AppServer::Lost;
    for _ in 0..100 {
        world.say();
        world.run(60.0);
    }
    let sent = world.sent_within(HOUR);
    // Of each of ten every 20 to 25 seconds.
    assert!((1000..=10 * 180 + 190 * 4).contains(&sent), "{sent}");
}

#[test]
fn app_servers_that_are_silent_leave_half_of_a_domain_to_those_that_answer() {
    let mut world = World::with_app_servers(220, Options::default(), |user| match user {
        0..20 => PUSHER.to_owned(),
        _ => format!("{user}@{PUSHER}"),
    });
    // The window is as narrow as it gets.
    world.exception = |push| {
        let is_silent = push.app_server.as_str() != PUSHER;
        Some(if is_silent { AppServer::Lost } else { AppServer::Answers(Outcome::Transient) })
    };
    world.say();
    world.run(1.0);
    world.exception = |push| (push.app_server.as_str() != PUSHER).then_some(AppServer::Lost);
    world.run(HOUR);
    world.told.clear();
    for message in 0..120 {
        world.say();
        let now = world.service.now;
        world.run(30.0);
        assert_eq!(world.told.len(), 20, "{message}");
        assert!(world.first_and_last(now).1 < 1.0, "{message}: {:?}", world.first_and_last(now));
        world.told.clear();
    }
}

#[test]
fn an_app_server_that_is_new_at_a_domain_is_at_full_speed_with_its_first_answer() {
    let mut world = World::with_app_servers(5000, Options::default(), |user| {
        if user == 0 { PUSHER.to_owned() } else { format!("new@{PUSHER}") }
    });
    let now = world.service.now;
    world.say();
    world.run(5.0);
    assert_eq!(world.told.len(), 5000);
    assert!(world.first_and_last(now).1 < 2.0, "{:?}", world.first_and_last(now));
}
