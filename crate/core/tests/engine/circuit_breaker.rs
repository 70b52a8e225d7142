//! The circuit breaker of an app server opens when the app server does not answer: from then on it is probed, instead of
//! being sent a publish for every device.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Publish};
use muc_cloud_notify_testing::names::{ORCHARD, PUSHER, ROMEO};
use muc_cloud_notify_testing::service::Service;

const USERS: usize = 20;

/// A service with so many absent members, each with a device at the same app server, and a last one
/// with a device at another. Both have taken pushes before.
fn service() -> Service {
    let mut service = Service::new(Options::default());
    let users: Vec<String> = (0..=USERS).map(|n| format!("user{n}@capulet.example")).collect();
    for (n, user) in users.iter().enumerate() {
        service.enable_at(user, if n < USERS { PUSHER } else { "other.example" }, "phone");
    }
    service.read(ORCHARD, &users.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    service.acquaint(&users[0]);
    service.acquaint(&users[USERS]);
    service
}

/// The pushes to the silent app server, those to the other one being answered.
fn pushes(service: &mut Service) -> Vec<Publish> {
    let (silent, other): (Vec<Publish>, Vec<Publish>) =
        service.pushes().into_iter().partition(|push| push.app_server.as_str() == PUSHER);
    for push in other {
        service.reply(&push, Outcome::Delivered);
    }
    silent
}

/// These pushes and those that the answers to them make room for, all of which are taken.
fn answered(service: &mut Service, mut some: Vec<Publish>) -> Vec<Publish> {
    let mut all = Vec::new();
    while !some.is_empty() {
        some.iter().for_each(|push| {
            service.reply(push, Outcome::Delivered);
        });
        all.append(&mut some);
        some = pushes(service);
    }
    all
}

/// A service whose app server has not answered any of its devices.
fn service_without_answers() -> Service {
    let mut service = service();
    service.say(ORCHARD, "But soft!");
    assert_eq!(pushes(&mut service).len(), USERS);
    service.wait(120.0);
    assert_eq!(pushes(&mut service).len(), 0);
    service
}

#[test]
fn is_probed_with_one_publish_at_a_time() {
    let mut service = service_without_answers();
    let end = service.now + 86400.0;
    let (mut probes, mut in_flight) = (0, 0);
    while service.now < end {
        service.wait_for_deadline();
        let sent = pushes(&mut service).len();
        let before = in_flight;
        in_flight = service.stats().in_flight;
        assert!(in_flight <= 1, "one publish at a time");
        assert!(sent <= 1 && in_flight <= before + sent, "{sent} sent, {before} before, {in_flight} after");
        probes += sent;
    }
    assert!((20..=60).contains(&probes), "{probes} probes in a day, at most one an hour in the end");
}

#[test]
fn devices_are_not_all_retried_at_once() {
    for (fraction, delay) in [(0.0, 10.0), (0.5, 15.0), (0.75, 17.5)] {
        let mut service = service();
        service.set_fraction(fraction);
        service.say(ORCHARD, "But soft!");
        pushes(&mut service);
        service.wait(120.0);
        assert_eq!(pushes(&mut service).len(), 0);
        let start = service.now;
        while pushes(&mut service).is_empty() {
            service.wait_for_deadline();
        }
        assert_eq!(service.now - start, delay, "fraction {fraction}");
    }
}

#[test]
fn other_app_servers_are_not_concerned() {
    let mut service = service_without_answers();
    assert_eq!(service.say(ORCHARD, "Ay me!"), USERS + 1);
    let pushes = service.pushes();
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0].app_server.as_str(), "other.example");
}

#[test]
fn any_answer_to_the_probe_closes_it() {
    for outcome in [Outcome::Delivered, Outcome::Transient, Outcome::Rejected] {
        let mut service = service_without_answers();
        let probe = loop {
            service.wait_for_deadline();
            if let Some(probe) = pushes(&mut service).pop() {
                break probe;
            }
        };
        service.reply(&probe, outcome);
        service.wait(200.0);
        let first = pushes(&mut service);
        assert!(first.len() >= 10, "{outcome:?}: not one at a time any more");
        let mut sent = answered(&mut service, first);
        sent.retain(|push| push.user != probe.user);
        let sent = sent.len();
        assert_eq!(sent, USERS - 1, "{outcome:?}");
    }
}

#[test]
fn a_few_missing_answers_do_not_open_the_breaker() {
    let mut service = service();
    service.say(ORCHARD, "But soft!");
    let first = pushes(&mut service);
    for push in &first[4..] {
        service.reply(push, Outcome::Delivered);
    }
    service.wait(120.0);
    assert_eq!(pushes(&mut service).len(), 0);
    service.say(ORCHARD, "Ay me!");
    assert_eq!(pushes(&mut service).len(), USERS - 4, "those that were answered");
}

#[test]
fn a_probe_is_not_spent_on_what_has_expired() {
    let options = Options { time_to_live: 100.0, ..Options::default() };
    let mut service = service_without_answers();
    service.configure(options);
    service.wait(200.0);
    assert_eq!(pushes(&mut service).len(), 0, "all has expired");
    service.say_as(ORCHARD, Some(ROMEO), "Ay me!");
    assert_eq!(pushes(&mut service).len(), 1, "the probe");
}
