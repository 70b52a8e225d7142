//! Who waits for whom: app server domains are pushed to by turns, and the rooms whose devices are at one.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Scope};
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
