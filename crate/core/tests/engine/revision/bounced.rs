//! Messages that came back from a session, and are taken back or corrected then.

use muc_cloud_notify_core::{Bounce, Instant};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

use super::{CORRECT, IMPORTANT, RETRACT, revise, say};

/// Juliet looks present, and what Romeo has said at `sent` comes back from her session.
fn bounce(service: &mut Service, text: &str, sent: f64) {
    let message = xml(&format!(
        "<message type='groupchat' from='{ORCHARD}/Romeo' id='{text}'><body>{text}</body></message>"
    ));
    service.handle_bounce(Bounce {
        room: ORCHARD,
        user: JULIET,
        gone_nick: Some("Juliet"),
        sender: Some(ROMEO),
        reply_author: None,
        message: Some(&message),
        message_key: text,
        sent: Some(Instant::from_seconds(sent)),
        privacy: PRIVATE,
        keep_original: false,
    });
}

#[test]
fn a_message_that_bounced_is_taken_back_and_corrected_too() {
    let mut service = Service::with_juliet(with_body());
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    let now = service.now;
    bounce(&mut service, "secret", now);
    revise(&mut service, Some(ROMEO), RETRACT, "secret");
    service.assert_quiet("it was taken back");
    bounce(&mut service, "1", now + 1.0);
    revise(&mut service, Some(ROMEO), CORRECT, "1");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("corrected")));
}

#[test]
fn the_correction_of_what_bounced_after_newer_ones_were_told_has_no_words() {
    let mut service = Service::with_juliet(with_body());
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    let now = service.now;
    service.wait(10.0);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    say(&mut service, "newer");
    let push = service.push();
    service.reply(&push, Outcome::Delivered);
    bounce(&mut service, "older", now);
    revise(&mut service, Some(ROMEO), CORRECT, "older");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, IMPORTANT));
}

#[test]
fn what_bounced_and_was_taken_back_does_not_count_among_what_has_bounced() {
    for (is_taken_back, is_suppressed) in [(true, false), (false, true), (false, false)] {
        let mut service = Service::with_juliet(with_body());
        service.occupant_present(ORCHARD, JULIET, "Juliet");
        let now = service.now;
        bounce(&mut service, "1", now);
        if is_taken_back {
            revise(&mut service, Some(ROMEO), RETRACT, "1");
            bounce(&mut service, "1", now);
        }
        if is_suppressed {
            let push = service.push();
            service.suppress(&push.id);
        }
        service.wait(10.0);
        service.occupant_gone(ORCHARD, JULIET, "Juliet");
        say(&mut service, "newer");
        let push = service.push();
        service.reply(&push, Outcome::Delivered);
        bounce(&mut service, "2", now + 1.0);
        let push = service.push();
        let count = if is_taken_back || is_suppressed { 2 } else { 3 };
        assert_eq!((push.count(), push.body()), (count, IMPORTANT), "{is_taken_back} {is_suppressed}");
    }
}

#[test]
fn what_bounces_after_all_that_did_was_taken_back_has_words() {
    let mut service = Service::with_juliet(with_body());
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    let now = service.now;
    bounce(&mut service, "2", now + 1.0);
    revise(&mut service, Some(ROMEO), RETRACT, "2");
    bounce(&mut service, "1", now);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")), "nothing newer was told");
    service.reply(&push, Outcome::Delivered);
    bounce(&mut service, "2", now + 1.0);
    bounce(&mut service, "3", now + 2.0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("3")), "a second session adds nothing");
}
