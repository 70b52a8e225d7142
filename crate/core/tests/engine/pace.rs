//! The pace: of a room a device hears no more often than the operator says, but for mentions.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};

/// Juliet has a device whose app server has taken a push a while ago.
fn service_with(options: Options) -> Service {
    let mut service = Service::with_juliet(with_body());
    service.say(HALL, "first");
    answer(&mut service, &[(1, "first")]);
    service.occupant_present(HALL, JULIET, "Juliet");
    service.occupant_gone(HALL, JULIET, "Juliet");
    service.configure_all(options);
    service
}

fn service() -> Service {
    service_with(with_body())
}

/// The app server takes the pushes that leave now: each of them has this count and this text.
fn answer(service: &mut Service, expected: &[(u32, &str)]) {
    let pushes = service.pushes();
    let told: Vec<(u32, &str)> =
        pushes.iter().map(|push| (push.count(), push.body().unwrap_or_default())).collect();
    assert_eq!(told, expected);
    for push in &pushes {
        service.reply(push, Outcome::Delivered);
    }
}

#[test]
fn the_first_is_pushed_at_once_and_the_next_merge() {
    let mut service = service();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    for body in ["two", "three", "four"] {
        service.say(ORCHARD, body);
        service.wait(0.2);
        answer(&mut service, &[]);
    }
    service.wait(0.4);
    answer(&mut service, &[(4, "four")]);
    service.say(ORCHARD, "five");
    answer(&mut service, &[]);
    service.wait_for_deadline();
    answer(&mut service, &[(5, "five")]);
}

#[test]
fn a_thousand_messages_in_ten_seconds_are_about_ten_pushes() {
    let mut service = service();
    let mut pushes = 0;
    for _ in 0..1000 {
        service.say(ORCHARD, "hello");
        for push in service.pushes() {
            pushes += 1;
            service.reply(&push, Outcome::Delivered);
        }
        service.wait(0.01);
    }
    assert!((10..=11).contains(&pushes), "{pushes}");
}

#[test]
fn one_message_now_and_then_does_not_wait() {
    let mut service = service();
    for count in 1..5 {
        service.say(ORCHARD, "hello");
        answer(&mut service, &[(count, "hello")]);
        service.wait(1.0);
    }
}

#[test]
fn a_mention_does_not_wait() {
    let mut service = service();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    service.say(ORCHARD, "two");
    answer(&mut service, &[]);
    service.mention(ORCHARD, JULIET, "three");
    answer(&mut service, &[(3, "three")]);
    service.mention(ORCHARD, JULIET, "four");
    answer(&mut service, &[(4, "four")]);
    service.say(ORCHARD, "five");
    answer(&mut service, &[]);
}

#[test]
fn another_room_does_not_wait_and_takes_along_what_does() {
    let mut service = service();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    service.say(ORCHARD, "two");
    answer(&mut service, &[]);
    service.say(HALL, "three");
    answer(&mut service, &[(3, "three")]);
    service.wait(0.9);
    service.say(ORCHARD, "four");
    answer(&mut service, &[]);
}

#[test]
fn of_one_room_at_a_time_the_one_that_waits_is_not_taken() {
    let mut service = service();
    let told = |service: &mut Service| -> Vec<String> {
        let pushes = service.take_pushes(ALL, Scope::OneRoom);
        pushes.iter().for_each(|push| drop(service.reply(push, Outcome::Delivered)));
        pushes.iter().filter_map(|push| push.body().map(str::to_owned)).collect()
    };
    service.say(ORCHARD, "one");
    assert_eq!(told(&mut service), ["one"]);
    service.say(ORCHARD, "two");
    service.say(HALL, "three");
    assert_eq!(told(&mut service), ["three"]);
    assert!(told(&mut service).is_empty());
    service.wait(1.0);
    assert_eq!(told(&mut service), ["two"]);
}

#[test]
fn a_ping_does_not_wait() {
    let mut service = service();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    service.say(ORCHARD, "two");
    answer(&mut service, &[]);
    service.handle_ping(JULIET);
    answer(&mut service, &[(2, "two")]);
}

#[test]
fn who_has_read_hears_of_the_next_at_once() {
    let mut service = service();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    service.say(ORCHARD, "two");
    answer(&mut service, &[]);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "three");
    answer(&mut service, &[(1, "three")]);
}

#[test]
fn what_was_not_sent_makes_nothing_wait() {
    let mut service = service();
    service.say(ORCHARD, "one");
    let push = service.push();
    service.withdraw(&push.id);
    service.say(ORCHARD, "two");
    let push = service.push();
    service.suppress(&push.id);
    service.say(ORCHARD, "three");
    assert_eq!(service.push().body(), Some("three"));
}

#[test]
fn a_back_off_is_not_ended_by_a_mention() {
    let mut service = service();
    service.say(ORCHARD, "one");
    let push = service.push();
    service.reply(&push, Outcome::Transient);
    service.mention(ORCHARD, JULIET, "two");
    answer(&mut service, &[]);
    service.wait_for_deadline();
    answer(&mut service, &[(2, "two")]);
}

#[test]
fn an_interval_of_zero_makes_nothing_wait() {
    let mut service = service_with(Options { push_interval: 0.0, ..with_body() });
    for count in 1..10 {
        service.say(ORCHARD, "hello");
        answer(&mut service, &[(count, "hello")]);
    }
}

/// Juliet's device is new: nothing was pushed so far.
fn new_device() -> Service {
    let mut service = Service::with_juliet(with_body());
    service.configure_all(with_body());
    service
}

#[test]
fn before_a_first_result_a_room_is_told_of_every_twenty_seconds() {
    let mut service = new_device();
    service.say(ORCHARD, "hello");
    for _ in 0..3 {
        let push = service.push();
        service.reply(&push, Outcome::Rejected);
        service.say(ORCHARD, "hello");
        service.wait(19.0);
        service.assert_quiet("no result so far");
        service.wait(1.0);
    }
}

#[test]
fn a_first_result_makes_a_device_one_like_others() {
    let mut service = new_device();
    service.say(ORCHARD, "one");
    answer(&mut service, &[(1, "one")]);
    service.say(ORCHARD, "two");
    answer(&mut service, &[]);
    service.wait(1.0);
    answer(&mut service, &[(2, "two")]);
}

#[test]
fn after_a_restart_it_is_known_who_has_not_answered() {
    for (outcome, is_quiet) in [(Outcome::Rejected, true), (Outcome::Delivered, false)] {
        let mut service = new_device();
        service.say(ORCHARD, "one");
        let push = service.push();
        service.reply(&push, outcome);
        let snapshot = service.snapshot();
        let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
        restarted.configure_all(with_body());
        restarted.restore(&snapshot);
        restarted.read(ORCHARD, &[JULIET], &[]);
        restarted.say(ORCHARD, "two");
        let push = restarted.push();
        restarted.reply(&push, Outcome::Rejected);
        restarted.say(ORCHARD, "three");
        restarted.wait(5.0);
        assert_eq!(restarted.pushes().is_empty(), is_quiet, "{outcome:?}");
    }
}
