//! One device in very many rooms: what is done for it follows their number, and not the square of it.

use muc_cloud_notify_core::work_done;
use muc_cloud_notify_testing::driver::{Handling, Outcome};
use muc_cloud_notify_testing::names::JULIET;
use muc_cloud_notify_testing::service::{Service, with_body};

/// How many entries may be gone through or moved for each room.
const STEPS: usize = 8;

const ROOMS: usize = 20_000;

fn room(number: usize) -> String {
    format!("room{number}@conference.example")
}

/// Juliet has one device, and is a member of so many rooms.
fn service(rooms: usize) -> Service {
    let mut service = Service::new(with_body());
    service.enable(JULIET, "phone");
    (0..rooms).for_each(|number| service.read(&room(number), &[JULIET], &[]));
    service
}

#[test]
fn a_push_that_is_refused_is_merged_into_what_is_new_in_one_pass() {
    let mut service = service(ROOMS);
    for number in 0..ROOMS {
        assert_eq!(service.say(&room(number), "But soft!"), 1);
    }
    let first = service.push();
    assert_eq!(first.count() as usize, ROOMS);
    for number in 0..ROOMS {
        service.wait(0.001);
        assert_eq!(service.say(&room(number), "It is the east."), 1);
    }
    let before = work_done();
    assert_eq!(service.reply(&first, Outcome::Transient), Handling::Taken);
    service.wait_for_deadline();
    let second = service.push();
    let steps = work_done() - before;
    assert!((ROOMS..STEPS * ROOMS).contains(&steps), "{steps} steps");
    assert_eq!((second.count() as usize, second.body()), (2 * ROOMS, Some("It is the east.")));
    for number in 0..ROOMS {
        service.occupant_present(&room(number), JULIET, "Juliet");
    }
    assert!(!service.is_wanted(&second.id), "all is read");
}

#[test]
fn what_is_unread_is_told_room_by_room_however_many_there_are() {
    let mut service = service(20);
    for number in [7, 3, 11, 3, 19, 0] {
        service.wait(1.0);
        service.say(&room(number), &format!("{number}"));
    }
    let push = service.push();
    assert_eq!((push.count(), push.body()), (6, Some("0")));
    service.wait(1.0);
    service.say(&room(11), "again");
    service.occupant_present(&room(3), JULIET, "Juliet");
    service.occupant_present(&room(19), JULIET, "Juliet");
    assert_eq!(service.reply(&push, Outcome::Transient), Handling::Taken);
    service.wait_for_deadline();
    let push = service.push();
    assert_eq!((push.count(), push.body()), (4, Some("again")), "two of room 11, one of 7, one of 0");
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Taken);
    service.say(&room(5), "last");
    assert_eq!(service.push().count(), 5);
}
