//! Messages that came back from a session, and are taken back or corrected then.

use muc_cloud_notify_core::{Bounce, Instant};
use muc_cloud_notify_testing::driver::Outcome;
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

use super::{CORRECT, IMPORTANT, MODERATE, NO_WAYS, RETRACT, WAYS, retract, revise, say, says, send};

/// A service where Juliet looks present.
fn service() -> Service {
    let mut service = Service::with_juliet(with_body());
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service
}

/// What Romeo has said at `sent` comes back from Juliet's session.
fn bounce(service: &mut Service, text: &str, sent: f64) -> usize {
    bounce_as(service, Some(ROMEO), text, &format!("<body>{text}</body>"), sent)
}

/// The same of anything that anybody has said, or the room itself.
fn bounce_as(service: &mut Service, sender: Option<&str>, id: &str, content: &str, sent: f64) -> usize {
    let from = if sender.is_some() { format!("{ORCHARD}/Somebody") } else { ORCHARD.to_owned() };
    let message = xml(&format!(
        "<message type='groupchat' from='{from}' id='{id}'>{content}\
        <origin-id xmlns='urn:xmpp:sid:0' id='o-{id}'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' id='s-{id}' by='{ORCHARD}'/></message>"
    ));
    service.handle_bounce(Bounce {
        room: ORCHARD,
        user: JULIET,
        gone_nick: Some("Juliet"),
        sender,
        reply_author: None,
        message: Some(&message),
        message_key: id,
        sent: Some(Instant::from_seconds(sent)),
        privacy: PRIVATE,
        keep_original: false,
    })
}

/// What the next push says, if there is one.
fn told(service: &mut Service) -> Option<(u32, Option<String>)> {
    let pushes = service.pushes();
    assert!(pushes.len() < 2);
    pushes.first().map(|push| (push.count(), push.body().map(str::to_owned)))
}

#[test]
fn what_was_taken_back_before_it_bounced_is_not_told() {
    for (ways, expected) in [(&WAYS[..], None), (&NO_WAYS[..], says(1, Some("secret")))] {
        for &(sender, content, id) in ways {
            let mut service = service();
            say(&mut service, "secret");
            let sent = service.now;
            revise(&mut service, sender, content, id);
            assert_eq!(bounce(&mut service, "secret", sent), usize::from(expected.is_some()));
            assert_eq!(told(&mut service), expected, "{sender:?} {content} {id}");
        }
    }
}

#[test]
fn what_was_corrected_before_it_bounced_has_the_last_text() {
    let again = CORRECT.replace("corrected", "again");
    for (revisions, expected) in [
        (&[(CORRECT, "secret")][..], Some("corrected")),
        (&[(CORRECT, "secret"), (&again, "o-secret")], Some("again")),
        (&[(CORRECT, "secret"), (RETRACT, "s-secret")], None),
        (&[(CORRECT, "secret"), (RETRACT, "s-revision")], None),
        (&[(CORRECT, "another"), (RETRACT, "s-revision")], Some("secret")),
    ] {
        let mut service = service();
        say(&mut service, "secret");
        let sent = service.now;
        for (content, id) in revisions {
            revise(&mut service, Some(ROMEO), content, id);
        }
        bounce(&mut service, "secret", sent);
        let expected = expected.and_then(|text| says(1, Some(text)));
        assert_eq!(told(&mut service), expected, "{revisions:?}");
    }
}

#[test]
fn what_was_corrected_before_it_bounced_can_be_taken_back_after_that() {
    let mut service = service();
    say(&mut service, "secret");
    let sent = service.now;
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    bounce(&mut service, "secret", sent);
    revise(&mut service, None, MODERATE, "s-revision");
    assert_eq!(told(&mut service), None);
}

#[test]
fn a_later_message_with_the_same_id_is_another_one() {
    let mut service = service();
    say(&mut service, "id");
    retract(&mut service, "id");
    say(&mut service, "id");
    let sent = service.now;
    bounce(&mut service, "id", sent);
    assert_eq!(told(&mut service), says(1, Some("id")));
}

#[test]
fn of_each_room_the_newest_revisions_are_known() {
    for (newer, expected) in [(31, None), (32, says(1, Some("secret")))] {
        let mut service = service();
        say(&mut service, "secret");
        let sent = service.now;
        retract(&mut service, "secret");
        for text in 0..newer {
            retract(&mut service, &text.to_string());
            send(&mut service, HALL, Some(ROMEO), "revision", RETRACT);
        }
        bounce(&mut service, "secret", sent);
        assert_eq!(told(&mut service), expected, "{newer}");
    }
    let mut service = service();
    let sent = service.now;
    retract(&mut service, "secret");
    service.room_destroyed(ORCHARD);
    service.read(ORCHARD, &[JULIET], &[(JULIET, "Juliet")]);
    bounce(&mut service, "secret", sent);
    assert_eq!(told(&mut service), says(1, Some("secret")), "it is another room");
}

#[test]
fn who_revises_much_takes_nothing_from_others_in_the_room() {
    for (is_of_room, of_others) in [(false, 0), (false, 15), (true, 0), (true, 15)] {
        let mut service = service();
        say(&mut service, "secret");
        let sent = service.now;
        let (sender, content) = if is_of_room { (None, MODERATE) } else { (Some(ROMEO), RETRACT) };
        for number in 0..of_others {
            send(&mut service, ORCHARD, Some(&format!("user{number}@example")), "revision", RETRACT);
        }
        revise(&mut service, sender, content, "s-secret");
        for number in 0..100 {
            revise(&mut service, Some(NURSE), CORRECT, &number.to_string());
        }
        bounce(&mut service, "secret", sent);
        assert_eq!(told(&mut service), None, "{sender:?} {of_others}");
    }
}

#[test]
fn many_revisions_in_other_rooms_take_nothing_from_a_room_with_few() {
    let mut service = service();
    let rooms: Vec<String> = (0..100).map(|number| format!("flood-{number}@conference.example")).collect();
    for room in &rooms {
        service.read(room, &[JULIET], &[(JULIET, "Juliet")]);
    }
    say(&mut service, "secret");
    let sent = service.now;
    retract(&mut service, "secret");
    for number in 0..10_000 {
        send(
            &mut service,
            &rooms[number % 100],
            Some(ROMEO),
            "revision",
            &RETRACT.replace("{}", &number.to_string()),
        );
    }
    bounce(&mut service, "secret", sent);
    assert_eq!(told(&mut service), None, "it is still known to be taken back");
}

#[test]
fn in_all_no_more_than_so_many_revisions_are_known() {
    for (others, expected) in [(1_999, 0), (2_000, 1)] {
        let mut service = service();
        say(&mut service, "secret");
        let sent = service.now;
        retract(&mut service, "secret");
        for number in 0..others {
            let room = format!("flood-{number}@conference.example");
            service.read(&room, &[JULIET], &[(JULIET, "Juliet")]);
            send(&mut service, &room, Some(ROMEO), "revision", RETRACT);
        }
        assert_eq!(bounce(&mut service, "secret", sent), expected, "{others}");
    }
}

#[test]
fn a_revision_that_bounced_too_counts_for_its_recipient() {
    for (ways, is_told) in [(&WAYS[..], false), (&NO_WAYS[..], true)] {
        for &(sender, content, id) in ways {
            let mut service = service();
            let now = service.now;
            bounce(&mut service, "secret", now);
            let revision = content.replace("{}", id);
            assert_eq!(bounce_as(&mut service, sender, "revision", &revision, now + 1.0), 0);
            // And from another session.
            bounce(&mut service, "secret", now);
            bounce_as(&mut service, sender, "revision", &revision, now + 1.0);
            let expected = says(1, Some("secret")).filter(|_| is_told);
            assert_eq!(told(&mut service), expected, "{sender:?} {content} {id}");
        }
    }
    let mut service = service();
    let now = service.now;
    bounce(&mut service, "secret", now);
    bounce_as(&mut service, Some(ROMEO), "revision", &CORRECT.replace("{}", "secret"), now + 1.0);
    assert_eq!(told(&mut service), says(1, Some("corrected")));
}

#[test]
fn a_message_that_bounced_is_taken_back_and_corrected_too() {
    let mut service = service();
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
    let mut service = service();
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
        let mut service = service();
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
    let mut service = service();
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
