//! Who waits for whom: app server domains are pushed to by turns, and the rooms whose devices are at one.

use std::collections::HashSet;

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PUSHER};
use muc_cloud_notify_testing::service::Service;

const FLOOD: usize = 400;

/// A service where many users have a device at `flooded`, and Juliet and her nurse one at [`PUSHER`]. The users are members of
/// the hall, Juliet of the orchard; the nurse is a member of none. All app servers have taken pushes.
fn service(flooded: &str) -> Service {
    let mut service = Service::new(Options::default());
    let users: Vec<String> = (0..FLOOD).map(|user| format!("user{user}@evil.example")).collect();
    users.iter().for_each(|user| {
        service.enable_at(user, flooded, "phone");
    });
    service.enable_at(JULIET, PUSHER, "phone");
    service.enable_at(NURSE, PUSHER, "phone");
    service.read(HALL, &users.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    service.read(ORCHARD, &[JULIET], &[]);
    service.acquaint(&users[0]);
    service.acquaint(JULIET);
    service
}

/// After how many pushes each of these users has theirs.
fn places(service: &mut Service, users: &[&str]) -> Vec<usize> {
    let pushes = service.pushes();
    assert!(pushes.len() >= FLOOD);
    users.iter().map(|user| pushes.iter().position(|push| push.user == *user).expect("it leaves")).collect()
}

#[test]
fn a_flood_to_one_domain_does_not_delay_another() {
    let mut service = service("flooded.example");
    service.say(HALL, "But soft!");
    service.say(ORCHARD, "Ay me!");
    service.handle_ping(NURSE);
    assert_eq!(places(&mut service, &[JULIET, NURSE]), [1, 3]);
}

#[test]
fn all_that_one_owner_has_named_of_their_domains_delays_another_as_one_domain_would() {
    const DOMAINS: usize = 500;
    const DEVICES: usize = 20;
    let mut service = Service::new(Options::default());
    let own = |number: usize| format!("user{number}@evil.example");
    let honest = |number: usize| format!("user{number}@honest.example");
    // More than thirty new domains are tried only after some time.
    let named = (0..DOMAINS).map(|domain| format!("d{domain}.evil.test")).chain([PUSHER.to_owned()]);
    service.configure(Options { app_servers: Some(named.collect()), ..Options::default() });
    for number in 0..DOMAINS * DEVICES {
        service.enable_at(&own(number), &format!("d{}.evil.test", number % DOMAINS), "phone");
    }
    for number in 0..100 {
        service.enable_at(&honest(number), PUSHER, "phone");
    }
    (0..DOMAINS).for_each(|domain| service.acquaint(&own(domain)));
    service.acquaint(&honest(0));
    let all: Vec<String> = (0..DOMAINS * DEVICES).map(own).chain((0..100).map(honest)).collect();
    service.read(HALL, &all.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    service.say(HALL, "But soft!");
    while service.spread() {}
    let pushes = service.take_pushes(300, Scope::AllRooms);
    let is_honest = |push: &&Publish| push.app_server.as_str() == PUSHER;
    assert_eq!(pushes.iter().filter(is_honest).count(), 100, "one in two, until there are no more");
    assert!(pushes[..200].iter().filter(is_honest).count() >= 99);
    let domains: HashSet<&str> = pushes.iter().map(|push| push.app_server.as_str()).collect();
    assert_eq!(domains.len(), 201, "and each of the others has its turn");
    let pushes = service.take_pushes(DOMAINS * DEVICES, Scope::AllRooms);
    assert_eq!(pushes.len(), DOMAINS * DEVICES - 200);
}

#[test]
fn a_flood_in_one_room_does_not_delay_another_nor_what_is_of_none() {
    let mut service = service(PUSHER);
    service.say(HALL, "But soft!");
    service.say(ORCHARD, "Ay me!");
    service.handle_ping(NURSE);
    assert_eq!(places(&mut service, &[JULIET, NURSE]), [1, 2]);
}

#[test]
fn a_window_that_a_flood_has_filled_is_shared_as_well() {
    let mut service = service(PUSHER);
    service.configure(Options { max_in_flight: 20, ..Options::default() });
    service.say(HALL, "But soft!");
    let first = service.pushes();
    assert_eq!(first.len(), 20);
    service.say(ORCHARD, "Ay me!");
    service.assert_quiet("the window is full");
    service.reply(&first[0], Outcome::Delivered);
    service.reply(&first[1], Outcome::Delivered);
    assert!(service.pushes().iter().any(|push| &*push.user == JULIET), "hers is among the next two");
}

#[test]
fn within_a_room_nobody_gets_a_second_push_before_all_others_had_their_first() {
    let mut service = service(PUSHER);
    service.say(HALL, "But soft!");
    let before = service.take_pushes(50, Scope::AllRooms);
    before.iter().for_each(|push| {
        service.reply(push, Outcome::Delivered);
    });
    service.say(HALL, "Ay me!");
    let after = service.take_pushes(FLOOD - 50, Scope::AllRooms);
    assert!(after.iter().all(|push| push.body() == Some("New Message!") && push.count() == 2));
    assert!(before.iter().all(|push| after.iter().all(|other| other.user != push.user)));
}
