//! Nothing of a message leaves before all of its recipients are in the store.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

fn member(number: usize) -> String {
    format!("member{number}@capulet.example")
}

/// The orchard with so many absent members, each with a device; so many are told at once.
fn service(members: usize, members_at_once: usize) -> (Journaled, Vec<String>) {
    let options =
        Options { members_at_once, max_users: usize::MAX, max_users_per_domain: usize::MAX, ..with_body() };
    let mut service = Service::new(options.clone());
    let jids: Vec<String> = (0..members).map(member).collect();
    for jid in &jids {
        service.enable(jid, "phone");
    }
    read(&mut service, ORCHARD, &jids);
    (Journaled::new(service, options), jids)
}

fn read(service: &mut Service, room: &str, jids: &[String]) {
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    service.read(room, &members, &[]);
}

#[test]
fn a_fan_out_is_written_when_it_has_come_to_all_and_not_before() {
    let (mut service, _) = service(35, 10);
    service.say(ORCHARD, "1");
    for _ in 0..3 {
        assert_eq!(service.poll_batch(), None, "it has not come to everybody");
        assert_eq!(service.stats().queued, 0);
        service.spread();
    }
    let batch = service.poll_batch().unwrap();
    assert_eq!(batch.unread.len(), 1);
    assert_eq!(batch.unread[0].devices.len(), 35 * 16);
    service.batch_stored(0.001);
    assert_eq!(service.stats().queued, 35);
}

#[test]
fn two_thousand_are_all_in_the_store_before_the_first_push() {
    let (mut service, jids) = service(2000, 1000);
    service.say(ORCHARD, "1");
    while service.spread() {}
    assert!(service.write());
    assert_eq!(service.stats().queued, 2000);
    service.take_pushes(1, Scope::AllRooms);
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    let killed = service.killed_and_read(&members);
    assert_eq!(killed.stats().queued, 2000, "all of them are told");
}

#[test]
fn a_hundred_thousand_are_all_in_the_store_before_the_first_push() {
    let (mut service, _) = service(100_000, 1000);
    service.say(ORCHARD, "1");
    while service.spread() {}
    let mut batches = 0;
    while service.stats().queued == 0 {
        if !service.write() {
            service.wait_for_deadline();
        }
        batches += 1;
        while service.spread() {}
    }
    assert!((10..100).contains(&batches), "{batches} batches");
    assert_eq!(service.stats().queued, 100_000);
    let bytes: usize = service.stored.iter().flat_map(|part| &part.unread).map(|it| it.devices.len()).sum();
    assert_eq!(bytes, 1_600_000);
}

/// As after a start, for a room that was busy meanwhile.
#[test]
fn those_that_many_messages_have_come_to_are_let_go_at_once_when_these_are_in_the_store() {
    let (mut service, _) = service(3, 1);
    for number in 0..500 {
        service.say(ORCHARD, &number.to_string());
    }
    while service.spread() {}
    assert_eq!(service.stats().queued, 0);
    assert!(service.write());
    assert_eq!(service.stats().queued, 3);
}

#[test]
fn what_is_in_the_batch_that_is_written_does_not_count_as_unstored() {
    let (mut service, _) = service(5_000, 10_000);
    service.say(ORCHARD, "hello");
    assert_eq!(service.stats().unstored, 5_000);
    assert!(service.poll_batch().is_some());
    let rest = service.stats().unstored;
    assert!((1..5_000).contains(&rest), "{rest}");
    service.batch_failed();
    assert_eq!(service.stats().unstored, 5_000, "nothing of it is stored");
    for _ in 0..5 {
        service.wait(2.0);
        if service.poll_batch().is_some() {
            let after = service.stats().unstored;
            service.batch_stored(0.001);
            assert_eq!(service.stats().unstored, after);
        }
    }
    assert_eq!(service.stats().unstored, 0);
}

#[test]
fn a_device_waits_for_all_rooms_that_it_was_told_of() {
    let (mut service, jids) = service(35, 10);
    read(&mut service, HALL, &jids[30..]);
    service.say(ORCHARD, "1");
    service.spread();
    service.spread();
    service.say(HALL, "2");
    assert!(service.write(), "the hall is small");
    let queued = service.stats().queued;
    assert!(queued < 5, "{queued}: who is told of the orchard waits for it");
    while service.spread() {}
    service.wait(1.0);
    assert!(service.write());
    assert_eq!(service.stats().queued, 35);
}

#[test]
fn what_is_due_is_pushed_while_something_else_spreads() {
    let (mut service, _) = service(35, 10);
    service.say(ORCHARD, "1");
    service.write_all();
    service.say(ORCHARD, "2");
    service.spread();
    let pushes = service.take_pushes(3, Scope::AllRooms);
    let told: Vec<_> = pushes.iter().map(|push| (push.count(), push.body().unwrap())).collect();
    assert_eq!(told, [(1, "1"); 3]);
}

#[test]
fn members_who_come_back_or_leave_in_the_middle_hold_nobody_up() {
    let (mut service, jids) = service(35, 10);
    service.say(ORCHARD, "1");
    service.spread();
    service.occupant_present(ORCHARD, &jids[34], "34");
    service.occupant_present(ORCHARD, &jids[0], "0");
    service.affiliation_changed(ORCHARD, &jids[33], false, None);
    service.disable(&jids[32], None);
    service.write_all();
    assert_eq!(service.stats().queued, 31);
}

#[test]
fn a_room_that_goes_in_the_middle_holds_nobody_up() {
    let (mut service, jids) = service(35, 10);
    read(&mut service, HALL, &jids);
    service.say(ORCHARD, "1");
    service.spread();
    service.room_destroyed(ORCHARD);
    service.say(HALL, "2");
    service.write_all();
    assert_eq!(service.stats().queued, 35);
    assert!(service.take_pushes(100, Scope::AllRooms).iter().all(|push| push.count() == 1));
}

#[test]
fn a_stop_writes_what_it_has_come_to() {
    let (mut service, jids) = service(35, 10);
    service.say(ORCHARD, "1");
    service.spread();
    service.finish();
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    assert_eq!(service.killed_and_read(&members).stats().queued, 20);
}

#[test]
fn a_room_that_never_rests_is_told_all_the_same() {
    let (mut service, _) = service(35, 10);
    service.say(ORCHARD, "0");
    let mut told = 0;
    for step in 0..400 {
        // A message more than once in the time that one takes to spread.
        if step % 3 == 0 {
            service.say(ORCHARD, "more");
        }
        service.spread();
        service.write();
        service.wait(0.01);
        for push in service.take_pushes(5, Scope::AllRooms) {
            service.reply(&push, Outcome::Delivered);
            told += 1;
        }
    }
    assert!(told > 35, "{told}");
}

/// So many messages come to a large room before anything of it is written.
fn burst(messages: u32) -> (Journaled, Vec<String>) {
    let (mut service, jids) = service(2000, 1000);
    (0..messages).for_each(|number| _ = service.say(ORCHARD, &number.to_string()));
    while service.spread() {}
    (service, jids)
}

fn written(service: &Journaled) -> usize {
    service.stored.iter().flat_map(|part| &part.unread).map(|entry| entry.devices.len() / 16).sum()
}

#[test]
fn of_many_messages_each_device_is_written_once() {
    let (mut service, jids) = burst(300);
    assert_eq!(service.stats().unstored, 2000);
    assert!(service.write());
    assert_eq!(written(&service), 2000);
    assert_eq!(service.stats().queued, 2000, "and has nothing to wait for");
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    let counts: Vec<u32> =
        service.killed_and_read(&members).pushes().iter().map(|push| push.count()).collect();
    assert!(counts.iter().all(|count| *count == 300), "{counts:?}");
}

#[test]
fn what_comes_while_a_batch_is_written_is_in_the_next_one() {
    let (mut service, jids) = burst(2);
    let first = service.poll_batch().unwrap();
    service.say(ORCHARD, "2");
    service.say(ORCHARD, "3");
    while service.spread() {}
    service.batch_stored(0.001);
    service.stored.push(first);
    assert_eq!(service.stats().queued, 0, "two are not in the store");
    service.write_all();
    assert_eq!(written(&service), 4000);
    assert_eq!(service.stats().queued, 2000);
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    assert!(service.killed_and_read(&members).pushes().iter().all(|push| push.count() == 4));
}

/// A batch holds 3,000 of these changes.
#[test]
fn what_comes_while_a_part_of_it_is_written_is_in_a_later_one() {
    let (mut service, jids) = service(4000, 1000);
    service.say(ORCHARD, "0");
    while service.spread() {}
    let first = service.poll_batch().unwrap();
    service.batch_stored(0.001);
    service.stored.push(first);
    service.say(ORCHARD, "1");
    while service.spread() {}
    assert_eq!(service.stats().unstored, 1000 + 4000);
    service.write_all();
    assert_eq!(written(&service), 8000);
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    assert!(service.killed_and_read(&members).pushes().iter().all(|push| push.count() == 2));
}

#[test]
fn where_the_store_fails_nobody_waits_for_any_of_many_messages() {
    let (mut service, _) = burst(3);
    assert!(service.poll_batch().is_some());
    // Each time some of them are let go.
    (0..3).for_each(|_| service.batch_failed());
    assert_eq!(service.stats().queued, 2000);
    service.write_all();
    assert_eq!(service.stats().unstored, 0);
}
