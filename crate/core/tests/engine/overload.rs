//! App servers that take some pushes and not others, and domains of which some app servers are well and others are not: who is ill
//! is tried less and less often, and nobody else waits for that.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::PUSHER;

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
