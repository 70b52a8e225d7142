//! A run that ends without a stop, before or while the record of a user cannot be read: it costs them nothing.

use muc_cloud_notify_core::{Options, Snapshot};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

/// All is lost that is not in the store, and Juliet's record cannot be read at the start; the rooms can.
fn killed_unreadable(service: &Journaled) -> Journaled {
    let mut killed = service.killed_with_unreadable(&[JULIET]);
    killed.read(ORCHARD, &[JULIET], &[]);
    killed.read(HALL, &[JULIET], &[]);
    while killed.spread() {}
    killed
}

#[test]
fn what_waited_is_told_once_the_record_can_be_read() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.say(ORCHARD, "2");
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.write_all();
    second.assert_quiet("nobody knows where to push to");
    second.say(ORCHARD, "3");
    second.mend(JULIET);
    let push = second.push_written();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
    second.deliver(&push);
    second.assert_quiet("it is told once");
    second.say(HALL, "4");
    assert_eq!(second.push_written().count(), 4);
}

#[test]
fn what_was_told_before_is_not_told_again_and_still_counts() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    let push = first.push_written();
    first.deliver(&push);
    let mut second = killed_unreadable(&first);
    second.mend(JULIET);
    assert!(second.pushes_written().is_empty(), "it was told");
    second.say(ORCHARD, "2");
    assert_eq!(second.push_written().count(), 2);
}

#[test]
fn two_kills_and_a_checkpoint_between_them_cost_nothing() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.say(ORCHARD, "2");
    second.compact_when_written();
    second.say(HALL, "3");
    second.write_all();
    let mut third = killed_unreadable(&second);
    third.assert_quiet("it still cannot be read");
    third.say(HALL, "4");
    third.write_all();
    for mut mended in [third.killed_and_read(&[JULIET]), killed_unreadable(&third), third] {
        mended.mend(JULIET);
        let push = mended.push_written();
        assert_eq!((push.count(), push.body()), (4, Some("4")));
        mended.deliver(&push);
        mended.assert_quiet("it is told once");
    }
}

#[test]
fn the_next_run_can_read_it() {
    let mut second = killed_unreadable(&juliet());
    second.say(ORCHARD, "1");
    second.say(HALL, "2");
    second.write_all();
    let push = second.killed_and_read(&[JULIET]).push_written();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
}

#[test]
fn what_is_read_meanwhile_is_not_told() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.say(HALL, "2");
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.occupant_present(ORCHARD, JULIET, "Juliet");
    second.occupant_gone(ORCHARD, JULIET, "Juliet");
    second.write_all();
    for mut mended in [second.killed_and_read(&[JULIET]), killed_unreadable(&second)] {
        mended.mend(JULIET);
        let push = mended.push_written();
        assert_eq!((push.count(), push.body()), (1, Some("2")));
    }
}

#[test]
fn what_the_last_run_has_seen_read_is_not_told() {
    let mut first = juliet();
    first.enable(JULIET, "tablet");
    first.say(ORCHARD, "1");
    first.write_all();
    first.occupant_present(ORCHARD, JULIET, "Juliet");
    first.occupant_gone(ORCHARD, JULIET, "Juliet");
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.mend(JULIET);
    assert!(second.pushes_written().is_empty());
    second.say(ORCHARD, "2");
    assert!(second.pushes_written().iter().all(|push| push.count() == 1));
}

#[test]
fn each_of_several_devices_is_told_once_with_what_any_of_them_has_missed() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.enable(JULIET, "tablet");
    first.say(ORCHARD, "2");
    first.write_all();
    for push in first.pushes() {
        first.reply(
            &push,
            if push.node.as_deref() == Some("phone") { Outcome::Delivered } else { Outcome::Transient },
        );
    }
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.say(ORCHARD, "3");
    second.mend(JULIET);
    let pushes = second.pushes_written();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    assert!(pushes.iter().all(|push| push.count() == 3), "{pushes:?}");
    pushes.iter().for_each(|push| second.deliver(push));
    second.assert_quiet("once");
}

#[test]
fn what_one_device_was_told_waits_for_another() {
    let mut first = juliet();
    first.enable(JULIET, "tablet");
    first.say(ORCHARD, "1");
    first.write_all();
    let pushes = first.pushes();
    first.reply(&pushes[0], Outcome::Delivered);
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.mend(JULIET);
    let pushes = second.pushes_written();
    assert!(nodes(&pushes).contains(&"tablet"), "which was not told yet");
    assert!(pushes.iter().all(|push| push.count() == 1), "once for all devices");
}

#[test]
fn a_device_that_was_gone_has_left_nothing() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.enable(JULIET, "tablet");
    first.say(HALL, "2");
    first.write_all();
    first.disable(JULIET, Some("phone"));
    first.write_all();
    let mut second = killed_unreadable(&first);
    second.mend(JULIET);
    let push = second.push_written();
    assert_eq!((push.node.as_deref(), push.count()), (Some("tablet"), 1));
}

#[test]
fn what_devices_have_inherited_is_theirs_from_then_on() {
    let mut second = killed_unreadable(&juliet());
    second.say(ORCHARD, "1");
    second.say(HALL, "2");
    second.write_all();
    second.mend(JULIET);
    let push = second.push_written();
    second.deliver(&push);
    second.occupant_present(ORCHARD, JULIET, "Juliet");
    second.occupant_gone(ORCHARD, JULIET, "Juliet");
    second.enable(JULIET, "tablet");
    second.write_all();
    let readable = second.killed_and_read(&[JULIET]);
    for (mut third, counts) in [(readable, [2, 1]), (killed_unreadable(&second), [2, 2])] {
        third.mend(JULIET);
        assert!(third.pushes_written().is_empty(), "all was told, or was before the tablet");
        third.read(HALL, &[JULIET], &[]);
        third.say(HALL, "3");
        let pushes = third.pushes_written();
        assert_eq!(nodes(&pushes), ["phone", "tablet"]);
        assert_eq!(pushes.iter().map(|push| push.count()).collect::<Vec<_>>(), counts);
    }
}

#[test]
fn a_kill_before_it_is_written_what_devices_have_inherited_costs_nothing() {
    let mut second = killed_unreadable(&juliet());
    second.say(ORCHARD, "1");
    second.write_all();
    second.mend(JULIET);
    for mut third in [second.killed_and_read(&[JULIET]), killed_unreadable(&second)] {
        third.mend(JULIET);
        assert_eq!(third.push_written().count(), 1);
    }
}

#[test]
fn a_kill_before_all_of_it_is_written_costs_nobody_anything() {
    let options = Options { max_users: usize::MAX, max_users_per_domain: usize::MAX, ..with_body() };
    let jids: Vec<String> = (0..1500).map(|number| format!("{number}@users.example")).collect();
    let members: Vec<&str> = jids.iter().map(String::as_str).collect();
    let mut service = Service::new(options.clone());
    for jid in &members {
        service.enable(jid, "phone");
    }
    let mut second = Journaled::new(service, options).killed_with_unreadable(&members);
    second.read(ORCHARD, &members, &[]);
    second.say(ORCHARD, "1");
    second.write_all();
    members.iter().for_each(|jid| second.mend(jid));
    second.wait(2.5);
    assert!(second.write());
    let mut third = second.killed_and_read(&members);
    third.write_all();
    assert_eq!(third.stats().queued, 1500);
}

#[test]
fn nothing_is_left_where_nothing_is_registered() {
    let mut second = killed_unreadable(&juliet());
    second.say(ORCHARD, "1");
    second.write_all();
    second.store.remove(JULIET);
    second.mend(JULIET);
    second.enable(JULIET, "phone");
    second.write_all();
    let mut third = second.killed_and_read(&[JULIET]);
    assert!(third.pushes_written().is_empty(), "it was registered after the message");
    third.read(ORCHARD, &[JULIET], &[]);
    third.say(ORCHARD, "2");
    assert_eq!(third.push_written().count(), 1);
}

#[test]
fn another_user_is_told_nothing_of_it() {
    let mut first = juliet();
    first.enable(NURSE, "phone");
    first.say(ORCHARD, "1");
    first.write_all();
    let mut second = first.killed_with_unreadable(&[NURSE]);
    second.read(ORCHARD, &[JULIET, NURSE], &[]);
    while second.spread() {}
    assert_eq!(second.push_written().user, JULIET);
    second.mend(NURSE);
    assert!(second.pushes_written().is_empty(), "she was no member");
}

/// A run that ends while both of Juliet's devices have yet to hear of a message in each room; and what it would have written,
/// had one of them been told.
fn two_devices(told: &str) -> (Journaled, Vec<Snapshot>) {
    let mut first = juliet();
    first.enable(JULIET, "tablet");
    first.say(ORCHARD, "1");
    first.say(HALL, "2");
    first.write_all();
    let before = first.stored.len();
    for push in first.pushes() {
        if push.node.as_deref() == Some(told) {
            first.reply(&push, Outcome::Delivered);
        }
    }
    first.write_all();
    let later = first.stored.split_off(before);
    (first, later)
}

fn restore(service: &mut Service, parts: &[Snapshot]) {
    assert_eq!(parts.iter().map(|part| service.restore_part(part)).sum::<usize>(), 0);
}

#[test]
fn nothing_is_told_before_its_room_is_read() {
    for is_mended_first in [true, false] {
        let (first, later) = two_devices("phone");
        let mut second = first.killed_with_unreadable(&[JULIET]);
        if is_mended_first {
            second.mend(JULIET);
        }
        restore(&mut second, &later);
        second.mend(JULIET);
        assert_eq!(second.awaited_rooms(), [HALL, ORCHARD], "for the other device");
        second.read(ORCHARD, &[JULIET], &[]);
        while second.spread() {}
        assert!(second.pushes_written().is_empty());
        second.read(HALL, &[JULIET], &[]);
        while second.spread() {}
        let pushes = second.pushes_written();
        assert!(nodes(&pushes).contains(&"tablet"));
        assert!(pushes.iter().all(|push| push.count() == 2));
    }
}

#[test]
fn what_is_read_while_the_last_run_is_taken_up_is_not_told() {
    let (first, later) = two_devices("tablet");
    let mut second = killed_unreadable(&first);
    for room in [ORCHARD, HALL] {
        second.occupant_present(room, JULIET, "Juliet");
        second.occupant_gone(room, JULIET, "Juliet");
    }
    restore(&mut second, &later);
    second.mend(JULIET);
    assert!(second.pushes_written().is_empty());
}

#[test]
fn a_push_without_a_message_is_not_forgotten() {
    let mut second = killed_unreadable(&juliet());
    second.handle_ping(JULIET);
    second.say(ORCHARD, "1");
    second.occupant_present(ORCHARD, JULIET, "Juliet");
    second.occupant_gone(ORCHARD, JULIET, "Juliet");
    second.write_all();
    for mut third in [second.killed_and_read(&[JULIET]), killed_unreadable(&second)] {
        third.mend(JULIET);
        assert_eq!(third.pushes_written().len(), 1);
    }
}

#[test]
fn a_clean_stop_keeps_it_as_well() {
    let mut first = juliet();
    first.say(ORCHARD, "1");
    first.finish();
    let mut second = killed_unreadable(&first);
    second.say(ORCHARD, "2");
    second.finish();
    assert_eq!(second.killed_and_read(&[JULIET]).push_written().count(), 2);
}

#[test]
fn it_is_found_among_users_who_are_looked_up_bit_by_bit() {
    let options = Options { max_users: usize::MAX, max_users_per_domain: usize::MAX, ..with_body() };
    let mut service = Service::new(options.clone());
    for number in 0..6_000 {
        service.enable(&format!("{number}@users.example"), "phone");
    }
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    let mut service = Journaled::new(service, options);
    service.say(ORCHARD, "1");
    service.write_all();
    let mut killed = killed_unreadable(&service);
    killed.mend(JULIET);
    assert_eq!(killed.push_written().count(), 1);
}
