//! The journal says what is gone before it says anything of what has the same name since: also where very much is gone, and where
//! the store fails meanwhile.

use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{Service, with_body};

/// More than fits into a batch.
const VERY_MANY: usize = 1100;

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

/// A batch cannot be stored.
fn fail(service: &mut Journaled) {
    while service.poll_batch().is_none() {
        service.wait(1.0);
    }
    service.batch_failed();
}

#[test]
fn what_is_said_after_very_many_rooms_are_gone_is_told_after_a_kill() {
    let mut service = juliet();
    let rooms: Vec<String> = (0..VERY_MANY).map(|number| format!("r{number}@conference.example")).collect();
    for room in &rooms {
        service.read(room, &[JULIET], &[]);
        service.say(room, "before");
    }
    service.write_all();
    rooms.iter().for_each(|room| service.room_destroyed(room));
    // There is another one of the name of the one that has gone last.
    let last = &rooms[VERY_MANY - 1];
    service.read(last, &[JULIET], &[]);
    service.say(last, "after");
    assert_eq!(service.push_written().count(), 1);
    let again = service.killed_and_read(&[JULIET]).push();
    assert_eq!((again.count(), again.body()), (1, Some("after")));
}

#[test]
fn what_is_said_after_very_many_devices_are_gone_is_told_after_a_kill() {
    let users: Vec<String> = (0..VERY_MANY).map(|number| format!("user{number}@capulet.example")).collect();
    let mut service = Service::new(with_body());
    for user in &users {
        service.enable(user, "phone");
    }
    let members: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut service = Journaled::new(service, with_body());
    service.read(ORCHARD, &members, &[]);
    service.say(ORCHARD, "before");
    service.write_all();
    users.iter().for_each(|user| _ = service.disable(user, None));
    let last = members[VERY_MANY - 1];
    service.enable(last, "phone");
    service.read(ORCHARD, &[last], &[]);
    service.say(ORCHARD, "after");
    assert_eq!(service.push_written().count(), 1);
    let again = service.killed_and_read(&[last]).push();
    assert_eq!((again.count(), again.body()), (1, Some("after")));
}

#[test]
fn a_room_that_goes_while_the_store_fails_has_left_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "before");
    service.write_all();
    service.room_destroyed(ORCHARD);
    fail(&mut service);
    service.write_all();
    assert_eq!(service.killed().awaited_rooms(), [""; 0]);
}

#[test]
fn a_device_that_goes_while_the_store_fails_has_left_nothing() {
    let mut service = juliet();
    service.say(ORCHARD, "before");
    service.write_all();
    service.disable(JULIET, None);
    fail(&mut service);
    service.write_all();
    service.enable(JULIET, "phone");
    service.killed_and_read(&[JULIET]).assert_quiet("it is another device");
}

#[test]
fn what_is_read_while_the_store_fails_is_read() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    service.write_all();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    fail(&mut service);
    service.write_all();
    let again = service.killed_and_read(&[JULIET]).push();
    assert_eq!((again.count(), again.body()), (1, Some("2")), "and nothing else is");
}

#[test]
fn what_is_pushed_while_the_store_fails_counts_once_it_can_be_stored() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    fail(&mut service);
    let push = service.push();
    service.deliver(&push);
    service.write_all();
    let mut killed = service.killed();
    killed.read(ORCHARD, &[JULIET], &[]);
    killed.assert_quiet("it was told");
    killed.say(ORCHARD, "2");
    assert_eq!(killed.push_written().count(), 2);
}

/// Somebody has taken it out of the store while the server was away. Until she registers it again, her account has devices.
#[test]
fn what_is_stored_of_a_device_that_went_unnoticed_is_not_about_one_of_its_name() {
    for has_account in [false, true] {
        let mut first = juliet();
        first.say(ORCHARD, "1");
        first.write_all();
        first.store.remove(JULIET);
        let mut second = first.killed_after(|service| _ = service.set_account(JULIET, has_account));
        second.read(ORCHARD, &[JULIET], &[]);
        second.write_all(); // by now all that was stored is taken up
        second.enable(JULIET, "phone");
        second.write_all();
        let mut third = second.killed();
        third.read(ORCHARD, &[JULIET], &[]);
        third.say(ORCHARD, "2");
        assert_eq!(third.push_written().count(), 1, "her account has devices: {has_account}");
    }
}
