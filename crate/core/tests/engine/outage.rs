//! An app server is away, and comes back: everybody who waits for it is told soon, however long it was away, and it is not
//! overrun.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, ORCHARD, PUSHER};

use crate::world::{AppServer, HOUR, MOST_AFTER_RETURN, REFUSED, ROUND_TRIP, UP, World, jid};

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

/// Two hundred are on their way at most in the thirty seconds after a return, and ten at first: so it takes so long to tell more than an
/// app server answers in that time.
#[test]
fn of_an_app_server_that_is_slow_as_many_are_told_within_thirty_seconds_as_it_answers_and_the_others_soon_after()
 {
    for (users, until) in [(5000, 30.0), (9000, 45.0)] {
        let mut world = World::with_users(users, Options::default());
        world.round_trip = 1.0;
        world.state = REFUSED;
        world.say();
        world.run(HOUR);
        let back = world.service.now;
        world.peak = 0;
        world.restore_link();
        world.run(29.0);
        let peak = world.peak;
        world.run(31.0);
        let (first, last) = world.first_and_last(back);
        assert_eq!(world.told.len(), users, "{first} to {last}");
        assert!(first <= 1.0 && last <= until, "{users} users: {first} to {last}");
        assert!(peak <= MOST_AFTER_RETURN, "{users} users: {peak}");
        assert!(users == 5000 || last > 30.0, "no more than that can be: {last}");
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
fn probes_are_among_those_that_the_operator_wants() {
    for most in [1, 3] {
        // As long as a device waits for the answer to a probe.
        let options = Options { max_in_flight: most, reply_timeout: 15.0, ..Options::default() };
        let mut world = World::with_users(50, options);
        world.state = AppServer::Lost;
        world.say();
        world.run(HOUR);
        for (number, at) in world.sent.iter().enumerate() {
            let lately = world.sent[..=number].iter().filter(|sent| *at - **sent < 15.0).count();
            assert!(lately <= most as usize, "{lately} at {at}, and not {most}");
        }
        world.state = UP;
        world.run(600.0);
        assert_eq!(world.told.len(), 50);
    }
}

#[test]
fn what_may_still_be_answered_counts_however_many_probes_have_followed() {
    for (most, users) in [(1, 1), (3, 1), (3, 50)] {
        let options = Options { max_in_flight: most, reply_timeout: HOUR, ..Options::default() };
        let mut world = World::with_users(users, options);
        world.state = AppServer::Lost;
        for _ in 0..300 {
            world.say();
            world.run(30.0);
        }
        for (number, at) in world.sent.iter().enumerate() {
            let lately = world.sent[..=number].iter().filter(|sent| *at - **sent < HOUR).count();
            assert!(lately <= most as usize, "{lately} at {at}, and not {most}");
        }
        // Where the operator has so few that all of them are waited for, the return is noticed as late as the first is given up.
        world.state = UP;
        world.run(HOUR + 60.0);
        assert_eq!(world.told.len(), users);
    }
}

#[test]
fn many_probes_to_one_device_do_not_keep_it_from_hearing_in_time() {
    let mut world = World::with_users(1, Options::default());
    world.state = AppServer::Lost;
    world.say();
    world.run(10.0 * HOUR);
    world.state = UP;
    world.run(30.0);
    assert_eq!(world.told.len(), 1);
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
fn what_is_new_does_not_wait_for_all_that_has_waited_for_an_app_server() {
    let mut world = World::with_users(2000, Options::default());
    world.state = AppServer::Answers(Outcome::Transient);
    world.say();
    world.run(HOUR);
    (world.state, world.round_trip) = (UP, 2.0);
    while world.told.len() < 5 {
        world.run(0.5);
    }
    let late: Vec<String> = (0..2000).map(jid).filter(|jid| !world.told.contains_key(jid)).collect();
    let some: Vec<&str> = late.iter().step_by(400).map(String::as_str).collect();
    world.service.read(HALL, &some, &[]);
    world.service.say(HALL, "Ay me!");
    world.run(5.0);
    assert!(some.iter().all(|jid| world.told.contains_key(*jid)), "those who hear of the hall");
    assert!(world.told.len() < 1000, "most others wait");
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
