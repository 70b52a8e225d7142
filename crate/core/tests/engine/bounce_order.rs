//! What a push says when messages bounce late: the last one that was sent speaks for all, and all are counted.

use muc_cloud_notify_core::{Bounce, Instant};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::driver::Publish;
use muc_cloud_notify_testing::names::{HALL, JULIET, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

/// Juliet looked present in both rooms until just now.
fn service() -> Service {
    let mut service = Service::new(with_body());
    service.enable(JULIET, "phone");
    for room in [ORCHARD, HALL] {
        service.read(room, &[JULIET], &[(JULIET, "Juliet")]);
    }
    service.wait(60.0);
    for room in [ORCHARD, HALL] {
        service.occupant_gone(room, JULIET, "Juliet");
    }
    service.wait(1.0);
    service
}

/// What was sent this many seconds before Juliet was removed comes back; it is told by its time.
fn comes_back(service: &mut Service, room: &str, before: u32) {
    let text = before.to_string();
    let message = xml(&format!(
        "<message type='groupchat' from='{room}/Romeo' id='{text}'><body>{text} before</body></message>"
    ));
    let bounce = Bounce {
        room,
        user: JULIET,
        gone_nick: None,
        sender: Some(ROMEO),
        reply_author: None,
        message: Some(&message),
        message_key: &text,
        sent: Some(Instant::from_seconds(1060.0 - f64::from(before))),
        privacy: PRIVATE,
        keep_original: false,
    };
    assert_eq!(service.handle_bounce(bounce), 1);
}

/// The count and the text of a push.
fn summary(push: &Publish) -> (u32, Option<&str>) {
    (push.count(), push.body())
}

#[test]
fn a_later_message_speaks_for_a_bounce() {
    let mut service = service();
    comes_back(&mut service, ORCHARD, 9);
    service.say(ORCHARD, "later");
    assert_eq!(summary(&service.push()), (2, Some("later")));
}

#[test]
fn a_late_bounce_only_adds_to_the_count() {
    let mut service = service();
    service.say(ORCHARD, "later");
    comes_back(&mut service, ORCHARD, 9);
    assert_eq!(summary(&service.push()), (2, Some("later")));
}

#[test]
fn nothing_is_said_of_a_bounce_after_the_push_for_a_newer_message() {
    let mut service = service();
    service.say(ORCHARD, "later");
    let first = service.push();
    comes_back(&mut service, ORCHARD, 9);
    service.reply(&first, Outcome::Delivered);
    assert_eq!(summary(&service.push()), (2, Some("New Message!")));
}

#[test]
fn a_bounce_after_the_push_for_an_older_message_is_said() {
    let mut service = service();
    comes_back(&mut service, ORCHARD, 9);
    let first = service.push();
    comes_back(&mut service, ORCHARD, 8);
    service.reply(&first, Outcome::Delivered);
    assert_eq!(summary(&service.push()), (2, Some("8 before")));
}

#[test]
fn the_order_in_which_two_sessions_return_messages_does_not_matter() {
    let mut service = service();
    comes_back(&mut service, ORCHARD, 3);
    comes_back(&mut service, ORCHARD, 9);
    let push = service.push();
    assert_eq!(summary(&push), (2, Some("3 before")));
    service.reply(&push, Outcome::Delivered);
    comes_back(&mut service, ORCHARD, 8);
    assert_eq!(summary(&service.push()), (3, Some("New Message!")), "a newer one was told");
}

#[test]
fn a_failed_push_is_sent_again_with_the_last_message() {
    for (case, outcome, expected) in [
        ("fails", Outcome::Transient, Some("later")),
        ("is delivered", Outcome::Delivered, Some("New Message!")),
    ] {
        let mut service = service();
        service.say(ORCHARD, "later");
        let first = service.push();
        comes_back(&mut service, ORCHARD, 9);
        service.reply(&first, outcome);
        service.wait_for_deadline();
        assert_eq!(summary(&service.push()), (2, expected), "the push for the later one {case}");
    }
}

#[test]
fn the_last_message_of_all_rooms_speaks_for_them() {
    for (case, orchard, hall, expected) in
        [("last in the orchard", 3, 9, "3 before"), ("last in the hall", 9, 3, "3 before")]
    {
        let mut service = service();
        comes_back(&mut service, ORCHARD, orchard);
        comes_back(&mut service, HALL, hall);
        assert_eq!(summary(&service.push()), (2, Some(expected)), "{case}");
    }
}
