//! A user whose record cannot be read so far: nothing is pushed to them, and nothing of what they miss is lost.

use muc_cloud_notify_core::{Options, RoomPrivacy};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};

/// A service that has read both rooms, where Juliet's record cannot be read; what she has registered is in the second one's
/// store.
fn unreadable() -> (Service, Service) {
    let mut service = Service::new(with_body());
    assert!(service.await_registrations(JULIET), "she is in the index of no room");
    assert!(!service.await_registrations(JULIET));
    service.read(ORCHARD, &[JULIET], &[]);
    service.read(HALL, &[JULIET], &[]);
    (service, Service::with_juliet(with_body()))
}

/// Juliet's record can be read.
fn mend(service: &mut Service, stored: &Service) {
    let record = stored.store.get(JULIET).cloned().unwrap_or_default();
    assert!(!service.set_registrations(JULIET, record.registrations, None), "she is in the rooms' indexes");
}

#[test]
fn is_told_what_they_have_missed_once_it_can() {
    let (mut service, stored) = unreadable();
    assert!(service.is_registered(JULIET));
    service.say(ORCHARD, "1");
    service.mention(HALL, JULIET, "2");
    service.set_suspended(JULIET, false);
    service.handle_ping(JULIET);
    service.assert_quiet("it is not known where to push to");
    assert_eq!(service.next_deadline(), None, "there is nothing to wait for");
    mend(&mut service, &stored);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
    service.reply(&push, Outcome::Delivered);
    service.say(ORCHARD, "3");
    assert_eq!(service.push().count(), 3);
}

#[test]
fn is_told_nothing_of_a_room_where_they_were_meanwhile() {
    let (mut service, stored) = unreadable();
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    service.occupant_present(HALL, JULIET, "Juliet");
    service.say(HALL, "3");
    mend(&mut service, &stored);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
}

#[test]
fn is_told_on_each_of_their_devices() {
    let (mut service, mut stored) = unreadable();
    stored.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    mend(&mut service, &stored);
    let pushes = service.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    assert!(pushes.iter().all(|push| push.count() == 1));
}

#[test]
fn has_missed_nothing_where_nothing_is_registered() {
    let (mut service, _) = unreadable();
    service.say(ORCHARD, "1");
    service.set_registrations(JULIET, Vec::new(), None);
    assert!(!service.is_registered(JULIET));
    assert!(service.enable(JULIET, "phone"), "she had no device before");
    service.assert_quiet("it was registered after the message");
}

#[test]
fn may_have_an_account_that_is_disabled() {
    let (mut service, stored) = unreadable();
    service.say(ORCHARD, "1");
    mend(&mut service, &stored);
    service.set_suspended(JULIET, true);
    service.assert_quiet("the account is disabled");
    service.set_suspended(JULIET, false);
    assert_eq!(service.push().body(), Some("1"));
}

#[test]
fn counts_as_no_device_and_has_no_lease() {
    let (mut service, stored) = unreadable();
    assert_eq!((service.stats().users, service.stats().devices), (0, 0));
    service.enable(NURSE, "nurse");
    assert_eq!((service.stats().users, service.stats().devices), (1, 1));
    mend(&mut service, &stored);
    assert_eq!((service.stats().users, service.stats().devices), (2, 2));
    assert!(!service.await_registrations(JULIET), "her record is known");
    service.say(ORCHARD, "1");
    assert_eq!(nodes(&service.pushes()), ["phone"]);
}

/// What the last run has left of Juliet's two devices, one of which was registered later.
fn last_run() -> Service {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "2");
    service
}

#[test]
fn is_told_what_the_last_run_has_left() {
    let before = last_run();
    let mut service = Service::restarted(5.0, with_body(), [].into());
    service.await_registrations(JULIET);
    assert_eq!(service.restore(&before.snapshot()), [ORCHARD], "the room has to be read first");
    service.read(ORCHARD, &[JULIET], &[]);
    service.say(ORCHARD, "3");
    mend(&mut service, &before);
    let pushes = service.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    let counts: Vec<_> = pushes.iter().map(|push| (push.count(), push.body())).collect();
    assert!(
        counts.iter().all(|count| matches!(count, (2 | 3, Some("3")))),
        "of each message once: {counts:?}"
    );
}

#[test]
fn is_told_what_two_runs_have_left() {
    let before = last_run();
    let mut second = Service::restarted(5.0, with_body(), [].into());
    second.await_registrations(JULIET);
    second.restore(&before.snapshot());
    second.read(ORCHARD, &[JULIET], &[]);
    let mut third = Service::restarted(9.0, with_body(), before.store.clone());
    assert_eq!(third.restore(&second.snapshot()), [ORCHARD]);
    third.read(ORCHARD, &[JULIET], &[]);
    let pushes = third.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    assert!(pushes.iter().all(|push| push.body() == Some("2")), "{pushes:?}");
}

mod messages_that_are_forgotten {
    use muc_cloud_notify_core::DefaultLevel;
    use muc_cloud_notify_testing::driver::Forgotten;
    use muc_cloud_notify_testing::names::PRIVATE;

    use super::*;

    fn forgotten(present: &[String], privacy: RoomPrivacy, messages: u32) -> Forgotten<'_> {
        Forgotten { room: ORCHARD, sender: Some(ROMEO), privacy, present, messages }
    }

    #[test]
    fn count_and_have_no_words() {
        let mut service = Service::with_juliet(with_body());
        service.enable(ROMEO, "romeo");
        service.read(ORCHARD, &[JULIET, ROMEO], &[]);
        assert_eq!(service.handle_forgotten(forgotten(&[], PRIVATE, 20)), 1, "their author is absent too");
        let push = service.push();
        assert_eq!((push.node.as_deref(), push.count()), (Some("phone"), 20));
        assert_eq!(push.body(), Some(Options::default().important_body.as_str()), "no words of theirs");
        service.reply(&push, Outcome::Delivered);
        service.say(ORCHARD, "one more");
        let push = service.push();
        assert_eq!((push.count(), push.body()), (21, Some("one more")));
    }

    #[test]
    fn are_in_the_count_of_a_push_with_those_that_are_known() {
        let mut service = Service::with_juliet(with_body());
        service.handle_forgotten(forgotten(&[], PRIVATE, 3));
        service.say(ORCHARD, "known");
        service.handle_forgotten(forgotten(&[], PRIVATE, 1));
        let push = service.push();
        assert_eq!(push.count(), 5);
        service.reply(&push, Outcome::Transient);
        service.wait_for_deadline();
        assert_eq!(service.push().count(), 5, "also when it is sent again");
    }

    #[test]
    fn outlive_a_stop() {
        let mut service = Service::with_juliet(with_body());
        service.handle_forgotten(forgotten(&[], PRIVATE, 7));
        let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
        restarted.restore(&service.snapshot());
        restarted.read(ORCHARD, &[JULIET], &[]);
        assert_eq!(restarted.push().count(), 7);
    }

    #[test]
    fn concern_nobody_who_was_there() {
        let mut service = Service::with_juliet(with_body());
        let present = [JULIET.to_owned()];
        assert_eq!(service.handle_forgotten(forgotten(&present, PRIVATE, 7)), 0);
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        assert_eq!(service.handle_forgotten(forgotten(&[], PRIVATE, 7)), 0);
        service.assert_quiet("she was there, or is");
    }

    #[test]
    fn concern_nobody_who_only_wants_mentions() {
        for default_level in [DefaultLevel::OnMention, DefaultLevel::Never] {
            let mut service = Service::with_juliet(Options { default_level, ..with_body() });
            assert_eq!(service.handle_forgotten(forgotten(&[], PRIVATE, 7)), 0);
        }
        let mut service = Service::with_juliet(with_body());
        let public = RoomPrivacy { members_only: false, public: true };
        assert_eq!(service.handle_forgotten(forgotten(&[], public, 7)), 0);
        assert_eq!(service.handle_forgotten(forgotten(&[], PRIVATE, 0)), 0, "there were none");
    }

    #[test]
    fn concern_nobody_before_the_room_is_read() {
        let mut service = Service::with_juliet(with_body());
        service.forget_room(ORCHARD);
        assert_eq!(service.handle_forgotten(forgotten(&[], PRIVATE, 7)), 0);
    }
}
