//! Other modules judge pushes: each is about one room, and what they stop neither takes other rooms with it
//! nor counts.

mod common;

use common::{ALL, HALL, JULIET, ORCHARD, Publish, Service, body, count, with_body};
use muc_cloud_notify_core::outcome::Outcome;

/// The one push that leaves the outbox now, when other modules judge it.
fn judged(service: &mut Service) -> Publish {
    let pushes = service.engine.turn_by_room(service.now, ALL, &mut service.chance).pushes;
    let mut pushes = service.publishes(pushes);
    assert_eq!(pushes.len(), 1, "one push leaves: {pushes:?}");
    pushes.remove(0)
}

fn judged_by(push: &Publish) -> Option<&str> {
    push.judged_by.as_ref().and_then(|content| content.body.as_deref())
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
        (count(&wanted), body(&wanted)),
        (2, Some("2")),
        "the older first; the other is not judged yet"
    );
    service.reply(&wanted, Outcome::Delivered);
    let unwanted = judged(&mut service);
    assert_eq!((count(&unwanted), judged_by(&unwanted)), (3, Some("noise")));
    service.engine.withdraw(&unwanted.id.to_string(), true);
    service.assert_quiet("the rest was told");
}

#[test]
fn what_is_stopped_does_not_count_and_what_failed_does() {
    for (is_unwanted, expected) in [(true, 1), (false, 4)] {
        let mut service = Service::with_juliet(with_body());
        for text in ["1", "2", "3"] {
            service.say(HALL, text);
        }
        let stopped = judged(&mut service);
        assert_eq!(count(&stopped), 3);
        service.engine.withdraw(&stopped.id.to_string(), is_unwanted);
        service.say(ORCHARD, "4");
        assert_eq!(count(&judged(&mut service)), expected, "{is_unwanted}");
    }
}

#[test]
fn what_was_told_before_still_counts_when_more_is_stopped() {
    let mut service = Service::with_juliet(with_body());
    service.say(HALL, "1");
    let push = judged(&mut service);
    service.say(HALL, "2");
    service.reply(&push, Outcome::Transient);
    service.wait_for_turn();
    let retry = judged(&mut service);
    assert_eq!(count(&retry), 2, "a retry stands for both");
    service.reply(&retry, Outcome::Delivered);
    service.say(HALL, "3");
    let stopped = judged(&mut service);
    service.engine.withdraw(&stopped.id.to_string(), true);
    service.say(ORCHARD, "4");
    assert_eq!(count(&judged(&mut service)), 3, "two in the hall, one in the orchard");
}

#[test]
fn is_judged_by_the_mention_and_not_by_what_was_said_after_it() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "Juliet!");
    service.say(ORCHARD, "It is the east.");
    let push = judged(&mut service);
    assert!(push.mentioned);
    assert_eq!((judged_by(&push), body(&push)), (Some("Juliet!"), Some("It is the east.")));

    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "But soft!");
    service.say(ORCHARD, "It is the east.");
    assert_eq!(judged_by(&judged(&mut service)), Some("It is the east."), "without a mention by the newest");
}

#[test]
fn a_push_is_not_wanted_any_more_once_its_user_is_back_or_its_device_gone() {
    type Change = fn(&mut Service);
    let table: [(&str, bool, Change); 3] = [
        ("nothing", true, |_| {}),
        ("she is there", false, |service| service.engine.occupant_present(ORCHARD, JULIET, "Juliet")),
        ("the device is gone", false, |service| assert_eq!(service.disable(JULIET, None), 1)),
    ];
    for (case, is_wanted, change) in table {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "But soft!");
        let push = judged(&mut service);
        change(&mut service);
        assert_eq!(service.engine.is_wanted(&push.id.to_string()), is_wanted, "{case}");
    }
}
