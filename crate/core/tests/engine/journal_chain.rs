//! Several runs that end without a stop: what is in the store is taken up in its order, as often as it takes.

use muc_cloud_notify_core::{Options, UnreadEntry};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

#[test]
fn the_count_is_exact_after_three_runs() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.say(HALL, "2");
    first.write_all();
    first.push();
    let mut second = first.killed_and_read(&[JULIET]);
    let push = second.push();
    assert_eq!(push.count(), 2);
    second.reply(&push, Outcome::Delivered);
    second.say(ORCHARD, "3");
    second.write_all();
    let mut third = second.killed_and_read(&[JULIET]);
    let push = third.push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
    third.deliver(&push);
    let mut fourth = third.killed();
    assert_eq!(fourth.awaited_rooms(), [""; 0]);
    fourth.read(HALL, &[JULIET], &[]);
    fourth.say(HALL, "4");
    assert_eq!(fourth.push_written().count(), 4);
}

#[test]
fn a_run_that_ends_at_once_loses_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.write_all();
    for _ in 0..3 {
        service = service.killed();
    }
    service = service.killed_and_read(&[JULIET]);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
}

#[test]
fn a_snapshot_takes_the_place_of_what_was_written_before_it() {
    let mut service = juliet();
    service.enable(NURSE, "nurse");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    service.write_all();
    service.occupant_present(HALL, JULIET, "Juliet");
    service.occupant_gone(HALL, JULIET, "Juliet");
    service.compact();
    service.say(ORCHARD, "3");
    service.write_all();
    let mut killed = service.killed_and_read(&[JULIET, NURSE]);
    let counts: Vec<u32> = killed.pushes().iter().map(|push| push.count()).collect();
    assert_eq!(counts, [2, 2]);
}

#[test]
fn a_batch_that_is_lost_costs_what_was_in_it_and_nothing_else() {
    let mut service = juliet();
    for text in ["1", "2", "3"] {
        service.say(ORCHARD, text);
        assert!(service.write());
        service.wait(1.0);
    }
    service.stored.remove(1);
    let push = service.killed_and_read(&[JULIET]).push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
}

#[test]
fn taking_it_up_twice_changes_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.write_all();
    let twice = service.stored.clone();
    service.stored.extend(twice);
    assert_eq!(service.killed_and_read(&[JULIET]).push().count(), 1);
}

#[test]
fn devices_that_are_gone_are_passed_over_and_nobody_is_taken_for_them() {
    let mut service = juliet();
    service.enable(NURSE, "nurse");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service.say(ORCHARD, "1");
    service.write_all();
    service.store.remove(NURSE);
    let mut killed = service.killed_and_read(&[JULIET, NURSE]);
    assert_eq!(killed.push().user, JULIET);
}

#[test]
fn the_devices_are_looked_up_bit_by_bit() {
    let options = Options { max_users: usize::MAX, max_users_per_domain: usize::MAX, ..with_body() };
    let mut service = Service::new(options.clone());
    let jids: Vec<String> = (0..12_000).map(|number| format!("{number}@users.example")).collect();
    for jid in &jids {
        service.enable(jid, "phone");
    }
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    service.read(ORCHARD, &members, &[]);
    let mut service = Journaled::new(service, options.clone());
    service.say(ORCHARD, "1");
    service.write_all();
    let key = service.stored[0].key.clone().unwrap();
    let mut restarted = Service::restarted(5.0, options.clone(), service.store.clone());
    let mut calls = 1;
    while !restarted.prepare_restore(&key) {
        calls += 1;
    }
    assert_eq!(calls, 3);
    // Somebody comes in between.
    restarted.enable("new@users.example", "phone");
    for part in &service.stored {
        assert!(restarted.prepare_restore(&key), "once for all parts");
        restarted.restore_part(part);
    }
    restarted.read(ORCHARD, &members, &[]);
    while restarted.spread() {}
    assert_eq!(restarted.stats().queued, 12_000);
}

#[test]
fn entries_that_make_no_sense_are_passed_over_and_counted() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let mut batch = service.poll_batch().unwrap();
    let good = batch.unread[0].clone();
    let devices = format!("{}???", good.devices);
    batch.unread.push(UnreadEntry { devices, room: HALL.to_owned(), ..good.clone() });
    let mut aged = good.clone();
    aged.pending.as_mut().unwrap().age = f64::NAN;
    batch.unread.push(aged);
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    assert_eq!(restarted.restore_part(&batch), 2);
    assert_eq!(restarted.awaited_rooms(), [HALL, ORCHARD]);
    batch.key = Some("no key".to_owned());
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore_part(&batch);
    assert_eq!(restarted.awaited_rooms(), [""; 0], "nobody is found");
}
