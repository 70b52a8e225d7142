//! What is kept in the journal, and what is not: devices and rooms that come and go, words, and what concerns a device alone.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Outcome, Scope};
use muc_cloud_notify_testing::journaled::Journaled;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};
use muc_cloud_notify_testing::stanza::enable_iq;

use crate::journal::entries;

fn juliet() -> Journaled {
    Journaled::with_juliet(with_body())
}

#[test]
fn a_device_that_is_registered_again_begins_anew_after_a_kill_too() {
    for is_there_again in [false, true] {
        let mut service = juliet();
        service.say(ORCHARD, "1");
        service.write_all();
        service.disable(JULIET, None);
        if is_there_again {
            service.enable(JULIET, "phone");
            service.read(HALL, &[JULIET], &[]);
            service.say(HALL, "2");
        }
        service.write_all();
        service.enable(JULIET, "phone");
        let mut killed = service.killed_and_read(&[JULIET]);
        let pushes = killed.pushes();
        let told: Vec<_> = pushes.iter().map(|push| (push.count(), push.body().unwrap())).collect();
        assert_eq!(told, if is_there_again { vec![(1, "2")] } else { vec![] });
    }
}

#[test]
fn a_device_with_another_address_keeps_what_is_unread() {
    let enable = |service: &mut Journaled, jid: &str, node: &str| {
        let iq = enable_iq(&jid.replace('<', "&lt;"), &node.replace('<', "&lt;"));
        service.request_enable(JULIET, &iq).expect("a request in order")
    };
    for is_written in [false, true] {
        let mut service = Journaled::new(Service::new(with_body()), with_body());
        enable(&mut service, "push.example/a<b", "c");
        service.read(ORCHARD, &[JULIET], &[]);
        service.read(HALL, &[JULIET], &[]);
        service.say(HALL, "0");
        service.write_all();
        service.occupant_present(HALL, JULIET, "Juliet");
        service.say(ORCHARD, "1");
        if is_written {
            service.write_all();
        }
        // The push identifier is the same text.
        enable(&mut service, "push.example/a", "b<c");
        if !is_written {
            service.assert_quiet("it is not in the store");
        }
        let push = service.push_written();
        assert_eq!((push.count(), push.node.as_deref()), (1, Some("b<c")));
        let mut killed = service.killed();
        assert_eq!(killed.awaited_rooms(), [ORCHARD], "what was read is so");
        killed.read(ORCHARD, &[JULIET], &[]);
        let again = killed.push();
        assert_eq!((again.count(), again.body()), (1, Some("1")));
    }
}

#[test]
fn what_waits_for_a_disabled_account_is_in_the_store() {
    let mut service = juliet();
    service.set_suspended(JULIET, true);
    service.say(ORCHARD, "1");
    service.write_all();
    service.assert_quiet("the account is disabled");
    let mut killed = service.killed_and_read(&[JULIET]);
    assert_eq!(killed.push().count(), 1);
    service.set_suspended(JULIET, false);
    assert_eq!(service.push().count(), 1);
}

#[test]
fn of_a_room_that_is_gone_nothing_is_left() {
    let mut service = juliet();
    service.say(ORCHARD, "1");
    let push = service.push_written();
    service.deliver(&push);
    service.say(ORCHARD, "2");
    service.write_all();
    service.room_destroyed(ORCHARD);
    service.write_all();
    let mut killed = service.killed();
    assert_eq!(killed.awaited_rooms(), [""; 0]);
    // There is another one of that name.
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "3");
    let push = service.push_written();
    assert_eq!(push.count(), 1);
    let again = service.killed_and_read(&[JULIET]).push();
    assert_eq!((again.count(), again.body()), (1, Some("3")));
    killed.read(ORCHARD, &[JULIET], &[]);
    killed.say(ORCHARD, "4");
    assert_eq!(killed.push_written().count(), 1);
}

#[test]
fn what_is_too_old_is_not_told_after_a_kill() {
    let options = Options { time_to_live: 100.0, ..with_body() };
    let mut service = Journaled::with_juliet(options);
    service.wait(1000.0);
    service.say(ORCHARD, "1");
    service.write_all();
    let mut killed = service.killed_and_read(&[JULIET]);
    killed.wait(99.0);
    assert_eq!(killed.pushes().len(), 1);
    let mut killed = service.killed_and_read(&[JULIET]);
    killed.wait(101.0);
    killed.assert_quiet("it is too old");
}

#[test]
fn no_words_are_written_that_the_app_server_may_not_know() {
    for (options, expected) in [(Options::default(), 0), (with_body(), 1)] {
        let mut service = Journaled::with_juliet(options);
        service.say(ORCHARD, "secret");
        service.write_all();
        let written = format!("{:?}", service.stored);
        assert_eq!(written.matches("secret").count(), expected);
        assert!(!written.contains("/Romeo"));
    }
}

#[test]
fn words_that_members_without_consent_do_not_hear_are_not_told_after_a_kill() {
    let mut service = juliet();
    service.enable(NURSE, "nurse");
    service.set_members_without_consent(ORCHARD, [(JULIET, None), (NURSE, None)], [NURSE]);
    service.set_occupants(ORCHARD, []);
    service.mention(ORCHARD, NURSE, "secret");
    service.write_all();
    let mut killed = service.killed_and_read(&[JULIET, NURSE]);
    let mut pushes = killed.pushes();
    pushes.sort_by(|one, other| one.node.cmp(&other.node));
    let told: Vec<_> =
        pushes.iter().map(|push| (push.node.as_deref(), push.body(), push.mentioned)).collect();
    assert_eq!(
        told,
        [(Some("nurse"), Some("New Message!"), true), (Some("phone"), Some("secret"), false)],
        "of the one who has not consented it is known that they are mentioned"
    );
}

#[test]
fn a_device_in_very_many_rooms_has_one_written_for_a_message() {
    let mut service = Journaled::new(Service::new(with_body()), with_body());
    service.enable(JULIET, "phone");
    let rooms: Vec<String> = (0..10_000).map(|room| format!("{room}@conference.example")).collect();
    for room in &rooms {
        service.read(room, &[JULIET], &[]);
        service.say(room, "1");
    }
    service.write_all();
    service.take_pushes(ALL, Scope::AllRooms);
    service.write_all();
    service.say(&rooms[5000], "2");
    let batch = service.poll_batch().unwrap();
    assert_eq!(entries(&batch), [(&*rooms[5000], 2, 2)]);
}

#[test]
fn errors_and_domains_are_written_with_the_rest() {
    let mut service = juliet();
    for _ in 0..3 {
        service.say(ORCHARD, "1");
        let push = service.push_written();
        service.reply(&push, Outcome::Rejected);
    }
    service.write_all();
    let mut service = service.killed_and_read(&[JULIET]);
    let device = &service.snapshot().devices[0];
    assert_eq!(device.errors, 3);
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "2");
    let push = service.push_written();
    service.deliver(&push);
    let service = service.killed_and_read(&[JULIET]);
    assert_eq!(service.snapshot().devices[0].errors, 0, "and when there are none any more");
}
