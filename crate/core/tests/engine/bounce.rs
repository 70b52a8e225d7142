//! A message that bounces counts as if its recipient had been absent when it was sent.

use minidom::Element;
use muc_cloud_notify_core::{Bounce, Coverage, DefaultLevel, Instant, Options, RoomPrivacy};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, PUBLIC, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};
use muc_cloud_notify_testing::stanza::xml;

/// A service where Juliet, a member of the orchard, has a device and looks present there.
fn service_with(options: Options) -> Service {
    let mut service = Service::new(options);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[(JULIET, "Juliet")]);
    service
}

fn service() -> Service {
    service_with(with_body())
}

/// What Romeo has said in the orchard.
fn message(content: &str) -> Element {
    xml(&format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='1'>{content}</message>"))
}

/// A message of Romeo's that came back from Juliet's only session, which is gone with that.
fn from_juliet<'a>(message: &'a Element, key: &'a str, sent: f64) -> Bounce<'a> {
    Bounce {
        room: ORCHARD,
        user: JULIET,
        gone_nick: Some("Juliet"),
        sender: Some(ROMEO),
        reply_author: None,
        message: Some(message),
        message_key: key,
        sent: Some(Instant::from_seconds(sent)),
        privacy: PRIVATE,
        keep_original: false,
    }
}

/// A message comes back after a second, and the session it came back from is removed from the room. Returns how many
/// devices are told.
fn comes_back(service: &mut Service, bounce: Bounce<'_>) -> usize {
    service.wait(1.0);
    let told = service.handle_bounce(bounce);
    if let Some(nick) = bounce.gone_nick {
        service.occupant_gone(bounce.room, bounce.user, nick);
    }
    told
}

/// Something that Romeo has said comes back from Juliet's only session; returns how many devices are told.
fn text_comes_back(service: &mut Service, text: &str, sent: f64) -> usize {
    let message = message(&format!("<body>{text}</body>"));
    comes_back(service, from_juliet(&message, text, sent))
}

#[test]
fn a_user_who_looked_present_gets_a_push() {
    let mut service = service();
    assert_eq!(service.say(ORCHARD, "But soft!"), 0, "she seems to be there");
    let sent = service.now;
    service.wait(60.0);
    assert_eq!(text_comes_back(&mut service, "But soft!", sent), 1);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("But soft!")));
    assert_eq!(push.judged_by.as_ref().map(|content| &*content.room), Some(ORCHARD));
}

#[test]
fn every_device_gets_one_push() {
    let mut service = service();
    service.enable(JULIET, "tablet");
    let sent = service.now;
    assert_eq!(text_comes_back(&mut service, "But soft!", sent), 2);
    assert_eq!(nodes(&service.pushes()), ["phone", "tablet"]);
}

#[test]
fn a_user_who_is_there_with_another_nickname_gets_none() {
    let mut service = service();
    service.occupant_present(ORCHARD, JULIET, "Capulet");
    let sent = service.now;
    assert_eq!(text_comes_back(&mut service, "1", sent), 0, "she has read it there");
    service.wait(1.0);
    let now = service.now;
    assert_eq!(text_comes_back(&mut service, "2", now), 0, "also when the dead session is removed");
    assert_eq!(service.absent(ORCHARD), [""; 0]);
    service.assert_quiet("she is there");
}

#[test]
fn a_user_who_is_there_with_another_session_of_the_occupant_gets_none() {
    let message = message("<body>But soft!</body>");
    let mut service = service();
    let sent = service.now;
    let under_a_living_occupant = Bounce { gone_nick: None, ..from_juliet(&message, "1", sent) };
    assert_eq!(comes_back(&mut service, under_a_living_occupant), 0);
    assert_eq!(comes_back(&mut service, from_juliet(&message, "1", sent)), 1, "nor is that one there");
}

#[test]
fn a_session_in_another_room_is_none_in_this_one() {
    let mut service = service();
    service.read(HALL, &[JULIET], &[(JULIET, "Juliet")]);
    service.occupant_present(HALL, JULIET, "Capulet");
    let now = service.now;
    assert_eq!(text_comes_back(&mut service, "But soft!", now), 1);
}

#[test]
fn a_user_who_was_removed_since_gets_a_push() {
    let mut service = service();
    let sent = service.now;
    service.wait(1.0);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    let message = message("<body>But soft!</body>");
    let bounce = Bounce { gone_nick: None, ..from_juliet(&message, "1", sent) };
    assert_eq!(comes_back(&mut service, bounce), 1);
}

#[test]
fn a_user_who_was_absent_when_it_was_sent_already_got_a_push() {
    let mut service = service();
    let before = service.now;
    service.wait(1.0);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.wait(1.0);
    assert_eq!(service.say(ORCHARD, "2"), 1, "her session hibernates");
    let meanwhile = service.now;
    service.wait(600.0);
    assert_eq!(text_comes_back(&mut service, "1", before), 1, "this one she was sent while she was there");
    assert_eq!(text_comes_back(&mut service, "2", meanwhile), 0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
}

#[test]
fn an_absence_lasts_however_often_it_is_noted() {
    let mut service = service();
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.wait(1.0);
    assert_eq!(service.say(ORCHARD, "But soft!"), 1);
    let meanwhile = service.now;
    service.wait(1.0);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert_eq!(text_comes_back(&mut service, "But soft!", meanwhile), 0);
    service.forget_room(ORCHARD);
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(text_comes_back(&mut service, "But soft!", meanwhile), 0, "nor does it begin anew");
}

#[test]
fn a_user_who_was_never_there_already_got_a_push() {
    let mut service = Service::with_juliet(with_body());
    let now = service.now;
    assert_eq!(text_comes_back(&mut service, "But soft!", now), 0);
}

#[test]
fn a_bounce_from_two_sessions_counts_once() {
    let mut service = service();
    let sent = service.now;
    assert_eq!(text_comes_back(&mut service, "1", sent), 1);
    assert_eq!(text_comes_back(&mut service, "1", sent), 0, "told already");
    assert_eq!(text_comes_back(&mut service, "2", sent), 1, "another one");
    assert_eq!(service.push().count(), 2);
}

#[test]
fn bounces_of_two_rooms_are_different_ones() {
    let mut service = service();
    service.read(HALL, &[JULIET], &[(JULIET, "Juliet")]);
    let message = message("<body>But soft!</body>");
    let sent = service.now;
    assert_eq!(comes_back(&mut service, from_juliet(&message, "1", sent)), 1);
    assert_eq!(comes_back(&mut service, Bounce { room: HALL, ..from_juliet(&message, "1", sent) }), 1);
}

#[test]
fn its_author_gets_no_push() {
    let message = message("<body>But soft!</body>");
    for (sender, expected) in [(Some(JULIET), 0), (Some(ROMEO), 1), (None, 1)] {
        let mut service = service();
        let bounce = Bounce { sender, ..from_juliet(&message, "1", service.now) };
        assert_eq!(comes_back(&mut service, bounce), expected, "{sender:?}");
    }
}

#[test]
fn a_user_who_is_no_member_gets_no_push() {
    let message = message("<body>But soft!</body>");
    let mut service = service();
    service.enable(NURSE, "tablet");
    service.occupant_present(ORCHARD, NURSE, "Nurse");
    for user in [NURSE, ROMEO] {
        let bounce = Bounce { user, gone_nick: None, ..from_juliet(&message, "1", service.now) };
        assert_eq!(comes_back(&mut service, bounce), 0, "{user}");
    }
    service.affiliation_changed(ORCHARD, JULIET, false, None);
    let now = service.now;
    assert_eq!(text_comes_back(&mut service, "1", now), 0, "nor who is none any more");
}

#[test]
fn there_is_no_push_for_a_room_that_is_not_read() {
    let mut service = service();
    let sent = service.now;
    service.forget_room(ORCHARD);
    assert_eq!(text_comes_back(&mut service, "1", sent), 0);
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.coverage(ORCHARD), Coverage::Complete);
    assert_eq!(text_comes_back(&mut service, "1", sent), 1);
    let message = message("<body>But soft!</body>");
    assert_eq!(comes_back(&mut service, Bounce { room: HALL, ..from_juliet(&message, "2", sent) }), 0);
}

#[test]
fn what_is_not_worth_a_push_gets_none() {
    for (content, expected) in [
        ("<body>But soft!</body>", 1),
        ("<body>But soft!</body><no-store xmlns='urn:xmpp:hints'/>", 0),
        ("<subject>Balcony</subject>", 0),
        ("<active xmlns='http://jabber.org/protocol/chatstates'/>", 0),
    ] {
        let mut service = service();
        let message = message(content);
        let bounce = from_juliet(&message, "1", service.now);
        assert_eq!(comes_back(&mut service, bounce), expected, "{content}");
    }
}

#[test]
fn the_level_decides_on_the_push() {
    let plain = message("<body>But soft!</body>");
    let mention = message(&format!(
        "<body>Juliet is the sun</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{JULIET}'/>"
    ));
    let cases: [(DefaultLevel, RoomPrivacy, [usize; 3]); 5] = [
        (DefaultLevel::Auto, PRIVATE, [1, 1, 1]),
        (DefaultLevel::Auto, PUBLIC, [0, 1, 0]),
        (DefaultLevel::Always, PUBLIC, [1, 1, 1]),
        (DefaultLevel::OnMention, PRIVATE, [0, 1, 0]),
        (DefaultLevel::Never, PRIVATE, [0, 0, 0]),
    ];
    for (default_level, privacy, expected) in cases {
        for (message, expected) in [Some(&plain), Some(&mention), None].into_iter().zip(expected) {
            let mut service = service_with(Options { default_level, ..with_body() });
            let bounce = Bounce { message, privacy, ..from_juliet(&plain, "1", service.now) };
            assert_eq!(
                comes_back(&mut service, bounce),
                expected,
                "{default_level:?}, {privacy:?}, {message:?}"
            );
            let pushes = service.pushes();
            assert_eq!(pushes.len(), expected);
            assert!(pushes.iter().all(|push| push.mentioned == (message == Some(&mention))));
        }
    }
}

#[test]
fn nothing_is_said_of_a_forgotten_message() {
    let message = message("<body>But soft!</body>");
    let romeo = format!("{ORCHARD}/Romeo");
    for (is_remembered, sender, text) in [(true, Some(&*romeo), "But soft!"), (false, None, "New Message!")] {
        let mut service = service_with(Options { with_sender: true, ..with_body() });
        let mut bounce = from_juliet(&message, "1", service.now);
        if !is_remembered {
            bounce = Bounce { message: None, sent: None, sender: None, ..bounce };
        }
        assert_eq!(comes_back(&mut service, bounce), 1);
        assert_eq!(comes_back(&mut service, bounce), 0, "told already");
        let push = service.push();
        assert_eq!((push.count(), push.body()), (1, Some(text)));
        assert_eq!(push.summary.last_message_sender.as_deref(), sender);
    }
}

#[test]
fn the_original_is_kept_where_another_module_wants_it() {
    let message = message("<body>But soft!</body>");
    for keep_original in [true, false] {
        let mut service = service();
        let bounce = Bounce { keep_original, ..from_juliet(&message, "1", service.now) };
        assert_eq!(comes_back(&mut service, bounce), 1);
        let push = service.push();
        let original = push.judged_by.as_ref().and_then(|content| content.original.as_ref());
        assert_eq!(original, Some(&message).filter(|_| keep_original));
    }
}

#[test]
fn a_user_who_comes_back_has_missed_nothing() {
    let mut service = service();
    let sent = service.now;
    assert_eq!(text_comes_back(&mut service, "1", sent), 1);
    assert_eq!(text_comes_back(&mut service, "2", sent), 1);
    service.wait(1.0);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.assert_quiet("she is there");
    service.wait(1.0);
    let now = service.now;
    assert_eq!(text_comes_back(&mut service, "3", now), 1);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("3")));
}

#[test]
fn a_resumed_session_that_dies_again_loses_it_once_more() {
    let mut service = service();
    let sent = service.now;
    assert_eq!(text_comes_back(&mut service, "1", sent), 1);
    service.wait(1.0);
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.wait(1.0);
    assert_eq!(text_comes_back(&mut service, "1", sent), 1, "it was forgotten when she came back");
}

/// Says one thing to who is absent, after a while.
fn say_later(service: &mut Service, text: &str) -> f64 {
    service.wait(1.0);
    service.say(ORCHARD, text);
    service.now
}

#[test]
fn the_last_bounce_speaks_for_all() {
    let mut service = service();
    let sent = ["1", "2", "3"].map(|text| say_later(&mut service, text));
    service.wait(1.0);
    for (text, sent) in ["1", "2", "3"].into_iter().zip(sent) {
        assert_eq!(text_comes_back(&mut service, text, sent), 1, "{text}");
    }
    let push = service.push();
    assert_eq!((push.count(), push.body()), (3, Some("3")));
}
