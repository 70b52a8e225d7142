//! Messages that are forwarded to the accounts of users elsewhere who have asked for it.

mod domain;

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Forwarding, Handling, Outcome, Publish, Scope, Way};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::{ALL, Service};

const NOTHING: (usize, usize, usize) = (0, 0, 0);

fn with_options(options: Options) -> Service {
    let mut service = Service::new(options);
    service.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
    service.set_occupants(ORCHARD, []);
    service.set_members_with_forwarding(HALL, &[(JULIET, Forwarding::Unset)]);
    service.set_occupants(HALL, []);
    service
}

fn juliet() -> Service {
    with_options(Options::default())
}

fn forwarded(service: &mut Service) -> Publish {
    let push = service.push();
    assert_eq!((&*push.user, push.way, push.app_server.as_str()), (JULIET, Some(Way::Forward), JULIET));
    push
}

fn forward(service: &mut Service) -> Publish {
    let push = forwarded(service);
    service.handed_over(&push.id);
    push
}

/// How many are forwarded to, are users with a device, and have one.
fn counts(service: &Service) -> (usize, usize, usize) {
    let stats = service.stats();
    (stats.forwarded, stats.users, stats.devices)
}

#[test]
fn who_has_asked_is_told_of_that_room_and_of_no_other() {
    let mut service = juliet();
    assert_eq!((service.say(HALL, "not asked for"), service.say(ORCHARD, "asked for")), (0, 1));
    let push = forwarded(&mut service);
    assert_eq!(
        service.words(&push.id),
        Some((Some("orchard@conference.example/Romeo"), Some("asked for"), false))
    );
    service.handed_over(&push.id);
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(counts(&service), (1, 0, 0));
}

#[test]
fn who_has_not_asked_or_refuses_is_nobody() {
    for forwarding in [Forwarding::Unset, Forwarding::Refused] {
        let mut service = Service::new(Options::default());
        service.set_members_with_forwarding(ORCHARD, &[(JULIET, forwarding)]);
        service.set_occupants(ORCHARD, []);
        service.set_forwarding(ORCHARD, NURSE, forwarding);
        assert_eq!((counts(&service), service.say(ORCHARD, "But soft!")), (NOTHING, 0));
    }
}

#[test]
fn it_can_be_asked_for_and_ended_at_any_time() {
    let mut service = Service::new(Options::default());
    service.read(ORCHARD, &[], &[]);
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "1");
    for ended in [Forwarding::Unset, Forwarding::Refused] {
        service.set_forwarding(ORCHARD, JULIET, ended);
        assert_eq!(counts(&service), NOTHING, "nothing is left of her");
        service.assert_quiet("it is not wanted any more");
        service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
        service.set_occupants(ORCHARD, []);
        service.say(ORCHARD, "again");
    }
    assert_eq!(forward(&mut service).count(), 1);
}

#[test]
fn it_ends_with_the_last_room_it_was_asked_for_in() {
    let end: [fn(&mut Service); 4] = [
        |service| service.affiliation_changed(HALL, JULIET, false, None),
        |service| service.set_members(HALL, []),
        |service| service.room_destroyed(HALL),
        |service| service.set_forwarding(HALL, JULIET, Forwarding::Unset),
    ];
    for (number, end) in end.into_iter().enumerate() {
        let mut service = juliet();
        service.set_forwarding(HALL, JULIET, Forwarding::Asked);
        service.say(HALL, "But soft!");
        end(&mut service);
        while service.spread() {}
        service.assert_quiet("nothing of that room is hers");
        assert_eq!(counts(&service), (1, 0, 0), "{number}: the other room is left");
        service.affiliation_changed(ORCHARD, JULIET, false, None);
        assert_eq!(counts(&service), NOTHING, "{number}");
    }
}

#[test]
fn to_read_a_room_again_changes_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    for _ in 0..3 {
        service.forget_room(ORCHARD);
        service.set_members_with_forwarding(ORCHARD, &[(JULIET, Forwarding::Asked)]);
        service.set_occupants(ORCHARD, []);
    }
    assert_eq!(forward(&mut service).count(), 1);
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    assert_eq!(counts(&service), NOTHING);
}

#[test]
fn twenty_seconds_are_between_two() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    forward(&mut service);
    service.mention(ORCHARD, JULIET, "2");
    service.wait(19.0);
    service.assert_quiet("one was forwarded just now");
    service.wait(1.1);
    assert!(forward(&mut service).mentioned);
}

#[test]
fn a_registered_device_takes_its_place_and_the_users_rooms_have_to_be_found() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    assert!(service.enable(JULIET, "phone"), "of rooms where she has not asked nothing is known");
    let push = service.push();
    assert_eq!((push.way, push.count(), counts(&service)), (None, 1, (0, 1, 1)));
    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.say(HALL, "of all rooms"), 1);
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    service.disable(JULIET, None);
    assert_eq!((service.say(HALL, "not asked for"), service.say(ORCHARD, "asked for")), (0, 1));
    assert_eq!(service.push().way, Some(Way::Forward));
}

#[test]
fn of_rooms_where_she_has_not_asked_nothing_is_forwarded_that_was_unread_on_a_device() {
    let mut service = juliet();
    service.enable(JULIET, "phone");
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Asked);
    service.set_forwarding(HALL, JULIET, Forwarding::Unset);
    service.set_occupants(HALL, []);
    service.say(ORCHARD, "asked for");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.say(HALL, "not asked for"), 1);
    service.disable(JULIET, None);
    service.assert_quiet("nobody has asked for that");
    service.say(ORCHARD, "asked for, too");
    assert_eq!(forward(&mut service).count(), 2, "nor does it count");
}

#[test]
fn what_is_on_its_way_when_a_device_takes_its_place_is_told_there() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = forwarded(&mut service);
    service.enable(JULIET, "phone");
    assert_eq!(service.handle_reply(&push.id, JULIET, Outcome::Silent), Handling::Unknown);
    let push = service.push();
    assert_eq!((push.way, push.count()), (None, 1), "the server could not reach hers");
    service.disable(JULIET, None);
    assert_eq!(service.handle_reply(&push.id, push.app_server.as_str(), Outcome::Silent), Handling::Unknown);
    let push = service.push();
    assert_eq!((push.way, push.count()), (Some(Way::Forward), 1), "nor the app server");
}

#[test]
fn it_ends_while_there_is_a_device() {
    let mut service = juliet();
    service.enable(JULIET, "phone");
    service.set_forwarding(ORCHARD, JULIET, Forwarding::Refused);
    service.disable(JULIET, None);
    assert_eq!(counts(&service), NOTHING);
}

/// All that is in the memory is lost. Nobody but the journal says who has asked.
fn killed(service: &Journaled, forwarding: Forwarding) -> Journaled {
    let mut killed = service.killed();
    for room in killed.awaited_rooms() {
        killed.set_members_with_forwarding(&room, &[(JULIET, forwarding)]);
        killed.set_occupants(&room, []);
    }
    killed
}

#[test]
fn a_kill_loses_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.handed_over(&push.id);
    service.mention(ORCHARD, JULIET, "2");
    service.write_all();
    let mut again = killed(&service, Forwarding::Asked);
    let push = again.push_written();
    assert_eq!((push.way, push.count(), push.mentioned), (Some(Way::Forward), 2, true));
    again.compact_when_written();
    assert_eq!(killed(&again, Forwarding::Asked).push_written().count(), 2, "by a snapshot");
    for ended in [Forwarding::Unset, Forwarding::Refused] {
        let mut killed = killed(&service, ended);
        killed.write_all();
        killed.assert_quiet("it is not wanted any more");
        assert_eq!(counts(&killed), NOTHING);
    }
}

/// What the journal says of one room after the other may begin with one that is gone.
#[test]
fn a_room_that_was_gone_before_a_kill_takes_nothing_else_along() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.set_forwarding(HALL, JULIET, Forwarding::Asked);
    service.set_occupants(HALL, []);
    service.say(HALL, "1");
    service.write_all();
    service.room_destroyed(HALL);
    service.write_all();
    service.say(ORCHARD, "2");
    service.write_all();
    let mut first = killed(&service, Forwarding::Asked);
    first.write_all();
    let mut second = killed(&first, Forwarding::Asked);
    assert_eq!(second.push_written().count(), 1);
}

#[test]
fn a_room_that_was_gone_before_a_kill_leaves_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    service.write_all();
    service.room_destroyed(ORCHARD);
    service.write_all();
    let mut killed = service.killed();
    killed.write_all();
    assert_eq!(counts(&killed), NOTHING);
}

#[test]
fn a_room_that_is_gone_after_a_kill_leaves_nothing() {
    let mut service = Journaled::new(juliet(), Options::default());
    service.say(ORCHARD, "1");
    service.write_all();
    let mut killed = service.killed();
    assert_eq!(counts(&killed), (1, 0, 0));
    killed.room_destroyed(ORCHARD);
    while killed.spread() {}
    assert_eq!(counts(&killed), NOTHING);
}

#[test]
fn in_a_large_room_who_has_asked_leaves_nothing_either() {
    let mut service = Service::new(Options { members_at_once: 3, ..Options::default() });
    let users: Vec<String> = (0..20).map(|number| format!("user{number}@capulet.example")).collect();
    let members: Vec<_> = users.iter().map(|user| (&**user, Forwarding::Asked)).collect();
    service.set_members_with_forwarding(ORCHARD, &members);
    service.set_occupants(ORCHARD, []);
    service.say(ORCHARD, "But soft!");
    service.set_forwarding(ORCHARD, &users[0], Forwarding::Unset);
    service.room_destroyed(ORCHARD);
    while service.spread() {}
    assert_eq!(counts(&service), NOTHING);
    assert!(service.take_pushes(ALL, Scope::AllRooms).is_empty());
}
