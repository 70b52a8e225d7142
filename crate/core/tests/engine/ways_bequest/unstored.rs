//! What was written for a record that could not be stored, or was not before a kill: it is about nobody.

use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD, push_identifier};

use super::{by_account, by_device, counts, hear_two, killed, tell};

/// What is written before the record is in the store, and the record is not.
fn fail_to_register(service: &mut Journaled, added: Option<&str>) {
    let added = added.map(push_identifier);
    let part = service.bequest(JULIET, &[], added.as_deref());
    service.stored.extend(part);
}

fn read_all(service: &mut Journaled) {
    for room in [ORCHARD, HALL] {
        service.occupant_present(room, JULIET, "Juliet");
        service.occupant_gone(room, JULIET, "Juliet");
    }
    service.write_all();
}

#[test]
fn what_was_read_since_is_not_unread_for_a_device_that_is_registered_later() {
    let mut first = by_account();
    hear_two(&mut first);
    fail_to_register(&mut first, Some("phone"));
    read_all(&mut first);
    first.enable(JULIET, "phone");
    assert_eq!(counts(&killed(&first)), []);
}

#[test]
fn what_was_read_since_is_not_unread_for_a_way_that_is_taken_later() {
    let mut first = by_device();
    hear_two(&mut first);
    fail_to_register(&mut first, None);
    read_all(&mut first);
    first.disable(JULIET, None);
    assert_eq!(counts(&killed(&first)), []);
}

#[test]
fn nor_after_two_kills() {
    let mut first = by_account();
    hear_two(&mut first);
    fail_to_register(&mut first, Some("phone"));
    let mut second = killed(&first);
    second.write_all();
    for push in second.pushes() {
        tell(&mut second, &push);
    }
    read_all(&mut second);
    second.enable(JULIET, "phone");
    assert_eq!(counts(&killed(&second)), []);
}

#[test]
fn nor_for_what_stands_for_devices_whose_record_cannot_be_read() {
    let mut first = by_device();
    hear_two(&mut first);
    fail_to_register(&mut first, None);
    read_all(&mut first);
    let mut second = first.killed_with_unreadable(&[JULIET]);
    assert_eq!(counts(&second), []);
    second.mend(JULIET);
    assert_eq!(counts(&second), []);
}

#[test]
fn nor_for_the_next_owner_of_the_name() {
    for is_account_first in [true, false] {
        let mut first = by_device();
        hear_two(&mut first);
        fail_to_register(&mut first, None);
        if is_account_first {
            first.set_account(JULIET, false);
        }
        first.set_registrations(JULIET, vec![], None);
        first.store.remove(JULIET);
        first.set_account(JULIET, false);
        first.write_all();
        first.set_account(JULIET, true);
        assert_eq!(counts(&killed(&first)), [], "{is_account_first}");
    }
}

#[test]
fn what_the_last_batches_of_a_stop_say_is_so() {
    let mut first = by_account();
    hear_two(&mut first);
    fail_to_register(&mut first, Some("phone"));
    let before = counts(&first);
    first.finish();
    assert_eq!(counts(&killed(&first)), before, "the account has what it had");
}
