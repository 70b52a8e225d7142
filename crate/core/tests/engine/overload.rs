//! App servers that take some pushes and not others, and domains of which some app servers are well and others are not: who is ill
//! is tried less and less often, and nobody else waits for that.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Publish};
use muc_cloud_notify_testing::names::{HALL, ORCHARD, PRIVATE, PUSHER, ROMEO};
use muc_cloud_notify_testing::stanza::mention_of;

use crate::world::{AppServer, HOUR, MOST_AFTER_RETURN, REFUSED, UP, World, jid};

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
fn app_servers_that_are_new_get_half_of_a_domain_at_most_however_many_of_them_have_answered() {
    let mut world = World::with_app_servers(1000, Options::default(), |user| format!("{user}@{PUSHER}"));
    world.exception = |push| {
        let number = push.app_server.as_str().split('@').next().and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| number >= 100).then_some(AppServer::Lost)
    };
    world.say();
    world.run(20.0);
    assert_eq!(world.told.len(), 100);
    assert_eq!(world.service.stats().in_flight, 250);
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

/// Users 0 and 1 are in the hall, and get no answer; so many others are in a room each, and do. The domain is quiet.
fn with_two_failing(state: AppServer, others: usize, app_server: impl Fn(usize) -> String) -> World {
    let mut world = World::with_app_servers(2 + others, Options::default(), app_server);
    world.say();
    world.run(60.0);
    world.told.clear();
    world.service.read(HALL, &[&*jid(0), &*jid(1)], &[]);
    for user in 2..2 + others {
        world.service.read(&room_of(user), &[&*jid(user)], &[]);
    }
    world.exception = match state {
        AppServer::Lost => |push| is_failing(push).then_some(AppServer::Lost),
        _ => |push| is_failing(push).then_some(REFUSED),
    };
    world.service.say(HALL, "But soft!");
    world
}

fn room_of(user: usize) -> String {
    format!("{user}@conference.example")
}

fn is_failing(push: &Publish) -> bool {
    [jid(0), jid(1)].contains(&push.user)
}

#[test]
fn two_nodes_that_fail_where_nobody_else_is_pushed_to_hold_nobody_up() {
    for (state, seconds) in [AppServer::Lost, REFUSED]
        .into_iter()
        .flat_map(|state| (0..20).map(move |number| (state, 100.0 + 97.0 * f64::from(number))))
    {
        let mut world = with_two_failing(state, 2, |_| PUSHER.to_owned());
        world.run(seconds);
        assert!(world.told.is_empty());
        for message in 0..20 {
            let (user, now) = (2 + message % 2, world.service.now);
            world.service.say(&room_of(user), "But soft!");
            world.run(1.0);
            let times = world.told.remove(&jid(user));
            assert_eq!(times, Some(vec![now]), "{state:?} for {seconds} s, message {message}");
            world.run(67.0 * f64::from(u32::try_from(message).unwrap()));
        }
    }
}

#[test]
fn two_nodes_of_an_app_server_that_fail_hold_up_none_of_its_others() {
    let mut world = with_two_failing(AppServer::Lost, 2, |user| match user {
        3 => PUSHER.to_owned(),
        _ => format!("other@{PUSHER}"),
    });
    for _ in 0..60 {
        // The other app server of the domain answers all the time.
        world.service.say(&room_of(3), "But soft!");
        world.run(60.0);
    }
    for message in 0..20 {
        let now = world.service.now;
        world.service.say(&room_of(2), "But soft!");
        world.run(1.0);
        assert_eq!(world.told.remove(&jid(2)), Some(vec![now]), "message {message}");
        world.run(300.0);
    }
}

#[test]
fn an_app_server_that_is_away_is_asked_but_a_few_times_more_for_those_who_have_not_failed() {
    for state in [AppServer::Lost, REFUSED] {
        let sent = [0, 100].map(|others| {
            let mut world = with_two_failing(state, others, |_| PUSHER.to_owned());
            world.state = state;
            world.run(HOUR);
            let before = world.sent.len();
            for user in 2..2 + others {
                world.service.say(&room_of(user), "But soft!");
                world.run(10.0);
            }
            world.run(HOUR - 10.0 * f64::from(u32::try_from(others).unwrap()));
            world.sent.len() - before
        });
        assert!(sent[1] <= sent[0] + 10, "{state:?}: {sent:?}");
    }
}

/// Somebody has one app server answer, and names hundreds of addresses there, whose server refuses what is sent to them.
fn with_one_that_answers_for_addresses_that_refuse(refuses: AppServer) -> World {
    let mut world = World::with_app_servers(300, Options::default(), |user| match user {
        0 => "evil@v.example/x".to_owned(),
        _ => format!("d{user}@v.example"),
    });
    world.exception = match refuses {
        AppServer::Lost => |push| (push.user != jid(0)).then_some(AppServer::Lost),
        _ => |push| (push.user != jid(0)).then_some(AppServer::Answers(Outcome::Rejected)),
    };
    world
}

fn sent_to_others(world: &World) -> usize {
    world.sent.len() - world.told.get(&jid(0)).map_or(0, Vec::len)
}

#[test]
fn one_app_server_that_answers_has_nobody_else_of_its_domain_flooded() {
    for refuses in [AppServer::Answers(Outcome::Rejected), AppServer::Lost] {
        let mut world = with_one_that_answers_for_addresses_that_refuse(refuses);
        let mentions: String = (0..300).map(|user| mention_of(&jid(user))).collect();
        let content = format!("<body>But soft!</body>{mentions}");
        for _ in 0..60 {
            world.service.broadcast(ORCHARD, Some(ROMEO), PRIVATE, &content);
            while world.service.spread() {}
            world.run(1.0);
        }
        assert!(world.told[&jid(0)].len() >= 59, "who answers is told of all: {}", world.told.len());
        let sent = sent_to_others(&world);
        assert!((20..=25).contains(&sent), "{refuses:?}: {sent}");
        // Nor do other addresses help, nor a restart.
        for round in 0..5 {
            world.restarted();
            for user in 1..300 {
                world.service.set_registrations(&jid(user), Vec::new(), None);
                world.service.enable_at(&jid(user), &format!("e{user}-{round}@v.example"), "phone");
            }
            world.say();
            world.run(1.0);
        }
        let sent = sent_to_others(&world);
        assert!(sent <= 28, "{refuses:?}: {sent}");
        let first = world.sent.len();
        world.say();
        world.run(1.0);
        assert!(world.sent.len() > first, "{refuses:?}: who has answered is known after a restart");
    }
}

#[test]
fn app_servers_that_refuse_do_not_hold_up_those_of_their_domain_that_have_taken_pushes() {
    let mut world = World::with_app_servers(2000, Options::default(), |user| match user {
        0..1000 => PUSHER.to_owned(),
        _ => format!("d{user}@{PUSHER}"),
    });
    world.exception = |push| {
        let is_stranger = push.app_server.as_str() != PUSHER;
        is_stranger.then_some(AppServer::Answers(Outcome::Rejected))
    };
    for _ in 0..10 {
        world.told.clear();
        let now = world.service.now;
        world.say();
        world.run(10.0);
        assert_eq!(world.told.len(), 1000);
        assert!(world.first_and_last(now).1 < 0.5, "{:?}", world.first_and_last(now));
    }
}

#[test]
fn a_device_that_is_refused_does_not_keep_a_new_app_server_of_its_domain_waiting() {
    let mut world = World::with_app_servers(600, Options::default(), |user| match user {
        0..100 => PUSHER.to_owned(),
        100 => format!("dead@{PUSHER}"),
        101..300 => format!("new@{PUSHER}"),
        // Each user has their own.
        _ => format!("{user}@{PUSHER}"),
    });
    world.exception = |push| {
        (push.user == jid(100) || push.user == jid(105)).then_some(AppServer::Answers(Outcome::Rejected))
    };
    for _ in 0..8 {
        world.told.clear();
        let now = world.service.now;
        world.say();
        world.run(15.0);
        assert_eq!(world.told.len(), 598);
        assert!(world.first_and_last(now).1 < 3.0, "{:?}", world.first_and_last(now));
    }
}
