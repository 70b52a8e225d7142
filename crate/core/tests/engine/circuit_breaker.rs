//! The circuit breaker of an app server opens when the app server does not answer: from then on it is probed, instead of
//! being sent a publish for every device. One that has taken pushes before is probed every few seconds, as its devices are to be
//! told soon after its return.

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
fn is_probed_with_one_publish_every_few_seconds() {
    let mut service = service_without_answers();
    let start = service.now;
    let mut probes = Vec::new();
    while service.now < start + 86400.0 {
        service.wait_for_deadline();
        let sent = pushes(&mut service).len();
        assert!(sent <= 1, "one publish at a time");
        assert!(
            service.stats().in_flight <= 5,
            "they are not waited for any longer than it takes to send a few"
        );
        probes.extend((sent > 0).then(|| service.now - start));
    }
    let pauses: Vec<f64> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(probes[0] <= 2.0 && pauses[0] >= 2.0, "{} {pauses:?}", probes[0]);
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]), "they grow: {pauses:?}");
    assert!(pauses[5..].iter().all(|pause| *pause == 20.0), "up to this: {pauses:?}");
}

#[test]
fn those_that_open_at_the_same_time_are_not_probed_at_the_same_time() {
    for (fraction, delay) in [(0.0, 1.0), (0.5, 1.25), (0.75, 1.375)] {
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
