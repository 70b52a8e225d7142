//! `message-count` is a total, not a difference: the messages of all rooms that are unread since the member was last there.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

/// Says one thing in a room and returns the count of the push for it, which is delivered.
fn pushed_count(service: &mut Service, room: &str) -> u32 {
    service.say(room, "But soft!");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    push.count()
}

#[test]
fn grows_with_every_message_pushed_or_not() {
    let mut service = Service::with_juliet(Options::default());
    assert_eq!(pushed_count(&mut service, ORCHARD), 1);
    assert_eq!(pushed_count(&mut service, ORCHARD), 2);
    assert_eq!(pushed_count(&mut service, ORCHARD), 3);
}

#[test]
fn is_the_sum_over_rooms() {
    let mut service = Service::with_juliet(Options::default());
    assert_eq!(pushed_count(&mut service, ORCHARD), 1);
    assert_eq!(pushed_count(&mut service, HALL), 2);
    assert_eq!(pushed_count(&mut service, ORCHARD), 3);
}

#[test]
fn entering_a_room_clears_its_share() {
    for (room, left) in [(ORCHARD, 1), (HALL, 2)] {
        let mut service = Service::with_juliet(Options::default());
        for room in [ORCHARD, ORCHARD, HALL] {
            pushed_count(&mut service, room);
        }
        service.occupant_present(room, JULIET, "Juliet");
        service.occupant_gone(room, JULIET, "Juliet");
        assert_eq!(pushed_count(&mut service, room), left + 1, "after a visit to {room}");
    }
}

#[test]
fn entering_a_room_takes_its_share_out_of_what_is_pending() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    service.occupant_present(HALL, JULIET, "Juliet");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
    service.say(ORCHARD, "3");
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.reply(&push, Outcome::Delivered);
    service.assert_quiet("nothing is left to push");
}

#[test]
fn losing_the_affiliation_clears_its_share() {
    let mut service = Service::with_juliet(Options::default());
    pushed_count(&mut service, ORCHARD);
    pushed_count(&mut service, ORCHARD);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(pushed_count(&mut service, HALL), 1);
}

#[test]
fn destroying_a_room_clears_its_share() {
    let mut service = Service::with_juliet(Options::default());
    pushed_count(&mut service, ORCHARD);
    service.room_destroyed(ORCHARD);
    assert_eq!(pushed_count(&mut service, HALL), 1);
}

#[test]
fn reading_a_room_again_clears_its_share_only_for_present_users_and_former_members() {
    for (case, members, occupants, left) in [
        ("absent", &[JULIET][..], &[][..], 1),
        ("present", &[JULIET], &[(JULIET, "Juliet")], 0),
        ("no member", &[], &[], 0),
    ] {
        let mut service = Service::with_juliet(Options::default());
        pushed_count(&mut service, ORCHARD);
        service.forget_room(ORCHARD);
        service.read(ORCHARD, members, occupants);
        assert_eq!(pushed_count(&mut service, HALL), left + 1, "{case}");
    }
}

#[test]
fn is_right_whatever_becomes_of_a_push() {
    for outcome in [Outcome::Delivered, Outcome::Transient, Outcome::Silent, Outcome::Rejected] {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "1");
        let first = service.push();
        assert_eq!(first.count(), 1);
        service.say(ORCHARD, "2");
        service.say(HALL, "3");
        service.reply(&first, outcome);
        service.wait(10.0);
        let second = service.push();
        assert_eq!((second.count(), second.body()), (3, Some("3")), "{outcome:?}");
    }
}

#[test]
fn counts_a_message_once_however_often_it_is_retried() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    for _ in 0..5 {
        let push = service.push();
        assert_eq!(push.count(), 1);
        service.reply(&push, Outcome::Transient);
        service.wait(3600.0);
    }
}

#[test]
fn counts_from_the_registration_on() {
    let mut service = Service::with_juliet(Options::default());
    pushed_count(&mut service, ORCHARD);
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "2");
    let mut counts: Vec<_> =
        service.pushes().iter().map(|push| (push.node.clone().unwrap_or_default(), push.count())).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("phone".into(), 2), ("tablet".into(), 1)]);
}

#[test]
fn a_visit_while_a_push_is_in_flight_ends_what_it_was_about() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "1");
    let push = service.push();
    assert!(push.mentioned);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "2");
    service.reply(&push, Outcome::Transient);
    service.wait(10.0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("2")));
    assert!(!push.mentioned, "she has read the mention");
}
