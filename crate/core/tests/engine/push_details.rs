//! Other modules judge pushes: each is about one room, and what they stop neither takes other rooms with it
//! nor counts.

use muc_cloud_notify_testing::driver::{Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};

/// The one push that leaves the outbox now, when other modules judge it.
fn judged(service: &mut Service) -> Publish {
    let pushes = service.take_pushes(ALL, Scope::OneRoom);
    let mut pushes = pushes;
    assert_eq!(pushes.len(), 1, "one push leaves: {pushes:?}");
    pushes.remove(0)
}

/// The text of the message that other modules are shown for a push.
fn shown_message(push: &Publish) -> Option<String> {
    let message = push.judged_by.as_ref()?.original.as_ref()?;
    Some(message.get_child("body", "jabber:client")?.text())
}

#[test]
fn what_is_stopped_in_one_room_takes_no_other_room_with_it() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let in_flight = judged(&mut service);
    service.say(ORCHARD, "2");
    service.say(HALL, "noise");
    service.reply(&in_flight, Outcome::Delivered);

    let wanted = judged(&mut service);
    assert_eq!(
        (wanted.count(), wanted.body()),
        (2, Some("2")),
        "the older first; the other is not judged yet"
    );
    service.reply(&wanted, Outcome::Delivered);
    let unwanted = judged(&mut service);
    assert_eq!((unwanted.count(), shown_message(&unwanted).as_deref()), (3, Some("noise")));
    service.suppress(&unwanted.id);
    service.assert_quiet("everything else was pushed");
}

#[test]
fn what_is_stopped_does_not_count_and_what_failed_does() {
    for (is_unwanted, expected) in [(true, 1), (false, 4)] {
        let mut service = Service::with_juliet(with_body());
        for text in ["1", "2", "3"] {
            service.say(HALL, text);
        }
        let stopped = judged(&mut service);
        assert_eq!(stopped.count(), 3);
        if is_unwanted {
            service.suppress(&stopped.id);
        } else {
            service.withdraw(&stopped.id);
        }
        service.say(ORCHARD, "4");
        assert_eq!(judged(&mut service).count(), expected, "{is_unwanted}");
    }
}

#[test]
fn what_was_pushed_before_still_counts_when_more_is_stopped() {
    let mut service = Service::with_juliet(with_body());
    service.say(HALL, "1");
    let push = judged(&mut service);
    service.say(HALL, "2");
    service.reply(&push, Outcome::Transient);
    service.wait_for_deadline();
    let retry = judged(&mut service);
    assert_eq!(retry.count(), 2, "a retry stands for both");
    service.reply(&retry, Outcome::Delivered);
    service.say(HALL, "3");
    let stopped = judged(&mut service);
    service.suppress(&stopped.id);
    service.say(ORCHARD, "4");
    assert_eq!(judged(&mut service).count(), 3, "two in the hall, one in the orchard");
}

#[test]
fn a_push_is_judged_by_the_mention_and_not_by_what_was_said_after_it() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "Juliet!");
    service.say(ORCHARD, "It is the east.");
    let push = judged(&mut service);
    assert!(push.mentioned);
    assert_eq!((shown_message(&push).as_deref(), push.body()), (Some("Juliet!"), Some("It is the east.")));

    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "But soft!");
    service.say(ORCHARD, "It is the east.");
    assert_eq!(
        shown_message(&judged(&mut service)).as_deref(),
        Some("It is the east."),
        "without a mention by the newest"
    );
}

#[test]
fn a_push_is_not_wanted_any_more_once_its_user_is_back_or_its_device_gone() {
    type Change = fn(&mut Service);
    let table: [(&str, bool, Change); 3] = [
        ("nothing", true, |_| {}),
        ("she is there", false, |service| service.occupant_present(ORCHARD, JULIET, "Juliet")),
        ("the device is gone", false, |service| assert_eq!(service.disable(JULIET, None), 1)),
    ];
    for (case, is_wanted, change) in table {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "But soft!");
        let push = judged(&mut service);
        change(&mut service);
        assert_eq!(service.is_wanted(&push.id), is_wanted, "{case}");
    }
}
