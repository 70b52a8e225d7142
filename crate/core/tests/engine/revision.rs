//! What is taken back is not told: a message that waits for its push is retracted, moderated, or corrected.

use muc_cloud_notify_core::{Bounce, Instant, Options};
use muc_cloud_notify_testing::driver::{Outcome, Publish, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::{mention_of, xml};

const IMPORTANT: Option<&str> = Some("New Message!");

/// The content of a message that retracts or moderates one; `{}` is its id.
const RETRACT: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'/><body>I take it back</body>";
const OLD_RETRACT: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'>\
    <retract xmlns='urn:xmpp:message-retract:0'/></apply-to>";
const MODERATE: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='{}'>\
    <moderated xmlns='urn:xmpp:message-moderate:1' by='orchard@conference.example/Nurse'/></retract>";
const OLD_MODERATE: &str = "<apply-to xmlns='urn:xmpp:fasten:0' id='{}'>\
    <moderated xmlns='urn:xmpp:message-moderate:0' by='orchard@conference.example/Nurse'>\
    <retract xmlns='urn:xmpp:message-retract:0'/></moderated></apply-to>";
const CORRECT: &str = "<replace xmlns='urn:xmpp:message-correct:0' id='{}'/><body>corrected</body>";

/// A message in a room, with an `id`, an origin-id `o-id`, and a stanza-id of the room `s-id`.
fn send(service: &mut Service, room: &str, sender: Option<&str>, id: &str, content: &str) -> usize {
    service.wait(1.0);
    let from = if sender.is_some() { format!("{room}/Somebody") } else { room.to_owned() };
    let message = xml(&format!(
        "<message type='groupchat' from='{from}' id='{id}'>{content}\
        <origin-id xmlns='urn:xmpp:sid:0' id='o-{id}'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' id='s-{id}' by='{room}'/></message>"
    ));
    service.broadcast_stanza(room, sender, PRIVATE, &message)
}

/// Romeo says something in the orchard; the text is the message's id too.
fn say(service: &mut Service, text: &str) -> usize {
    send(service, ORCHARD, Some(ROMEO), text, &format!("<body>{text}</body>"))
}

/// A message of Romeo's, or one of the room itself, takes back or corrects another one in the orchard.
fn revise(service: &mut Service, sender: Option<&str>, content: &str, id: &str) {
    let devices = send(service, ORCHARD, sender, "revision", &content.replace("{}", id));
    assert_eq!(devices, 0, "a revision is not pushed for its own sake");
}

fn retract(service: &mut Service, text: &str) {
    revise(service, Some(ROMEO), RETRACT, &format!("s-{text}"));
}

/// A service where a push for the message "told" is in flight, so that whatever comes has to wait.
fn busy() -> (Service, Publish) {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "told");
    let push = service.push();
    (service, push)
}

/// The next push, once the app server has answered this one.
fn next(service: &mut Service, before: &Publish) -> Option<(u32, Option<String>)> {
    service.reply(before, Outcome::Delivered);
    let pushes = service.pushes();
    assert!(pushes.len() < 2);
    pushes.first().map(|push| (push.count(), push.body().map(str::to_owned)))
}

fn says(count: u32, body: Option<&str>) -> Option<(u32, Option<String>)> {
    Some((count, body.map(str::to_owned)))
}

/// The service after a restart; Juliet is a member of its rooms, and absent.
fn restart(service: &Service) -> Service {
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.set_fraction(0.5);
    for room in restarted.restore(&service.snapshot()) {
        restarted.read(&room, &[JULIET], &[]);
    }
    restarted
}

/// Every way to take a message back: who, how, and the id that it is named by.
const WAYS: [(Option<&str>, &str, &str); 8] = [
    (Some(ROMEO), RETRACT, "s-secret"),
    (Some(ROMEO), RETRACT, "o-secret"),
    (Some(ROMEO), RETRACT, "secret"),
    (Some(ROMEO), OLD_RETRACT, "s-secret"),
    (Some(ROMEO), OLD_RETRACT, "o-secret"),
    (Some(ROMEO), OLD_RETRACT, "secret"),
    (None, MODERATE, "s-secret"),
    (None, OLD_MODERATE, "s-secret"),
];

/// What looks like it and takes nothing back.
const NO_WAYS: [(Option<&str>, &str, &str); 9] = [
    (Some(NURSE), RETRACT, "s-secret"),
    (Some(NURSE), OLD_RETRACT, "o-secret"),
    (Some(NURSE), MODERATE, "s-secret"),
    (Some(ROMEO), MODERATE, "s-secret"),
    (Some(NURSE), OLD_MODERATE, "s-secret"),
    (Some(NURSE), CORRECT, "secret"),
    (Some(ROMEO), RETRACT, "another"),
    (None, MODERATE, "secret"),
    (None, CORRECT, "secret"),
];

#[test]
fn a_waiting_message_that_is_taken_back_is_not_told_and_does_not_count() {
    for (sender, content, id) in WAYS {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, sender, content, id);
        assert_eq!(next(&mut service, &push), None, "{sender:?} {content} {id}");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 2, "what was told, and what is new: {content}");
    }
    for (sender, content, id) in NO_WAYS {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, sender, content, id);
        assert_eq!(next(&mut service, &push), says(2, Some("secret")), "{sender:?} {content} {id}");
    }
}

#[test]
fn so_does_one_that_has_not_left_the_queue() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    retract(&mut service, "secret");
    service.assert_quiet("it was taken back");
    assert_eq!(service.next_deadline(), None);
    assert_eq!((service.snapshot().devices, service.snapshot().messages), (vec![], vec![]));
}

#[test]
fn a_message_that_is_taken_back_while_its_push_is_in_flight_is_not_told_again() {
    for (sender, content, id) in WAYS {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "secret");
        let push = service.push();
        revise(&mut service, sender, content, id);
        assert!(!service.is_wanted(&push.id), "should it not have left yet");
        service.reply(&push, Outcome::Transient);
        service.wait(3600.0);
        service.assert_quiet("there is nothing to be told again");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 1);
    }
    for (sender, content, id) in NO_WAYS {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "secret");
        let push = service.push();
        revise(&mut service, sender, content, id);
        assert!(service.is_wanted(&push.id));
        service.reply(&push, Outcome::Transient);
        service.wait(3600.0);
        assert_eq!(service.push().body(), Some("secret"), "{sender:?} {content} {id}");
    }
}

#[test]
fn a_message_that_was_told_still_counts() {
    let (mut service, push) = busy();
    service.reply(&push, Outcome::Delivered);
    retract(&mut service, "told");
    service.assert_quiet("there is nothing new");
    say(&mut service, "new");
    assert_eq!(service.push().count(), 2, "nobody can tell which messages an app server knows of");
}

#[test]
fn the_others_are_told_of_without_words_when_the_newest_is_taken_back() {
    let (mut service, push) = busy();
    say(&mut service, "1");
    say(&mut service, "2");
    say(&mut service, "secret");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(3, IMPORTANT));
}

#[test]
fn without_words_there_is_no_sender_either() {
    let mut service = Service::with_juliet(Options { with_sender: true, ..with_body() });
    say(&mut service, "1");
    say(&mut service, "secret");
    retract(&mut service, "secret");
    let push = service.push();
    assert_eq!((push.summary.last_message_sender.as_deref(), push.body()), (None, IMPORTANT));
    assert_eq!(push.judged_by.map(|it| (it.room, it.original)), Some((ORCHARD.to_owned(), None)));
}

#[test]
fn an_earlier_one_only_leaves_the_count() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "1");
    say(&mut service, "2");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(3, Some("2")));
}

#[test]
fn all_that_waits_can_be_taken_back_one_by_one() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [2, 1, 3]] {
        let (mut service, push) = busy();
        for text in 1..=3 {
            say(&mut service, &text.to_string());
        }
        for text in order {
            retract(&mut service, &text.to_string());
            retract(&mut service, &text.to_string());
        }
        assert_eq!(next(&mut service, &push), None, "{order:?}");
        say(&mut service, "new");
        assert_eq!(service.push().count(), 2, "{order:?}");
    }
}

#[test]
fn beyond_a_number_of_messages_the_oldest_only_count() {
    for (taken_back, left) in [("0", 42), ("7", 42), ("8", 41), ("38", 41)] {
        let (mut service, push) = busy();
        for text in 0..41 {
            say(&mut service, &text.to_string());
        }
        retract(&mut service, taken_back);
        assert_eq!(next(&mut service, &push), says(left, Some("40")), "{taken_back}");
    }
    let (mut service, push) = busy();
    for text in 0..41 {
        say(&mut service, &text.to_string());
    }
    for text in 0..41 {
        retract(&mut service, &text.to_string());
    }
    assert_eq!(next(&mut service, &push), says(9, IMPORTANT), "what was told, and the eight oldest");
}

#[test]
fn the_same_id_in_another_room_is_another_message() {
    let (mut service, push) = busy();
    send(&mut service, HALL, Some(ROMEO), "secret", "<body>in the hall</body>");
    retract(&mut service, "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("in the hall")));
}

#[test]
fn of_two_messages_with_one_id_the_newer_one_is_meant() {
    let mut service = Service::with_juliet(with_body());
    for text in ["1", "2"] {
        send(&mut service, ORCHARD, Some(ROMEO), "id", &format!("<body>{text}</body>"));
    }
    retract(&mut service, "id");
    assert_eq!(service.push().count(), 1);
}

#[test]
fn a_mention_that_is_taken_back_is_none() {
    for (mentions, taken_back, is_mention) in [
        (&["1"][..], "1", false),
        (&["1", "2"], "1", true),
        (&["1", "2"], "2", true),
        (&["1"], "2", true),
        (&["3"], "3", false),
        (&["1", "3"], "3", true),
        (&[], "1", false),
    ] {
        for is_restarted in [false, true] {
            let mut service = Service::with_juliet(with_body());
            for text in ["1", "2", "3"] {
                let mention = if mentions.contains(&text) { mention_of(JULIET) } else { String::new() };
                send(&mut service, ORCHARD, Some(ROMEO), text, &format!("<body>{text}</body>{mention}"));
            }
            let mut service = if is_restarted { restart(&service) } else { service };
            retract(&mut service, taken_back);
            let push = service.push();
            assert_eq!(push.mentioned, is_mention, "{mentions:?} without {taken_back}, {is_restarted}");
            assert_eq!(push.count(), 2);
            let shown = push.judged_by.and_then(|it| it.original).map(|original| original.text());
            assert_ne!(shown.as_deref(), Some(taken_back), "nor is it shown to other modules");
        }
    }
}

#[test]
fn a_corrected_message_tells_the_new_text_and_counts_once() {
    for id in ["secret", "o-secret", "s-secret"] {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, Some(ROMEO), CORRECT, id);
        assert_eq!(next(&mut service, &push), says(2, Some("corrected")), "{id}");
    }
}

#[test]
fn so_does_the_retry_of_a_push_in_flight() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    let push = service.push();
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    service.reply(&push, Outcome::Transient);
    service.wait(3600.0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("corrected")));
}

#[test]
fn a_second_correction_names_the_original() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    revise(&mut service, Some(ROMEO), &CORRECT.replace("corrected", "again"), "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("again")));
}

#[test]
fn what_was_corrected_can_be_taken_back() {
    // Clients show both as one message, so moderators may mean either.
    for (sender, content, id) in
        WAYS.into_iter().chain([(None, MODERATE, "s-revision"), (Some(ROMEO), RETRACT, "s-revision")])
    {
        let (mut service, push) = busy();
        say(&mut service, "secret");
        revise(&mut service, Some(ROMEO), CORRECT, "secret");
        let mut restarted = restart(&service);
        for service in [&mut service, &mut restarted] {
            revise(service, sender, content, id);
        }
        assert_eq!(next(&mut service, &push), None, "{content} {id}");
        assert_eq!(
            restarted.push().body(),
            IMPORTANT,
            "told again, as its answer was not there: {content} {id}"
        );
    }
}

#[test]
fn the_correction_of_an_earlier_message_changes_no_words() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "newest");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(next(&mut service, &push), says(3, Some("newest")));
}

#[test]
fn a_message_whose_words_are_not_kept_has_words_again_when_it_is_corrected() {
    let (mut service, push) = busy();
    say(&mut service, "secret");
    say(&mut service, "newest");
    retract(&mut service, "newest");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(next(&mut service, &push), says(2, Some("corrected")));
}

#[test]
fn the_new_text_is_told_as_any_text_is() {
    for (content, expected) in [
        ("<body>  </body>", IMPORTANT),
        (
            "<body>for others</body><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>",
            IMPORTANT,
        ),
        ("<body>a text that is far too long</body>", Some("a text that i…")),
    ] {
        let mut service = Service::with_juliet(Options { max_body_bytes: 16, ..with_body() });
        say(&mut service, "secret");
        let content = format!("<replace xmlns='urn:xmpp:message-correct:0' id='{{}}'/>{content}");
        revise(&mut service, Some(ROMEO), &content, "secret");
        assert_eq!(service.push().body(), expected, "{content}");
    }
}

#[test]
fn all_devices_share_a_correction() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    let pushes = service.poll(10, Scope::AllRooms).pushes;
    assert_eq!(pushes.len(), 2);
    assert_eq!(pushes[0].summary, pushes[1].summary, "the same text, not an equal one");
    assert_eq!(service.publish(&pushes[0]).body(), Some("corrected"));
}

#[test]
fn a_correction_of_what_no_device_waits_for_is_not_pushed() {
    let mut service = Service::with_juliet(with_body());
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    service.assert_quiet("the original is not known");
}

#[test]
fn what_is_taken_back_before_a_stop_is_not_stored() {
    for (sender, content, id) in WAYS {
        for is_in_flight in [false, true] {
            let mut service = Service::with_juliet(with_body());
            say(&mut service, "secret");
            if is_in_flight {
                service.push();
            }
            revise(&mut service, sender, content, id);
            assert!(!format!("{:?}", service.snapshot()).contains("secret"), "{content}");
            restart(&service).assert_quiet("it was taken back");
        }
    }
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    revise(&mut service, Some(ROMEO), CORRECT, "secret");
    assert_eq!(restart(&service).push().body(), Some("corrected"));
}

#[test]
fn what_is_taken_back_after_a_restart_is_not_told() {
    for is_in_flight in [false, true] {
        let mut service = Service::with_juliet(with_body());
        say(&mut service, "1");
        say(&mut service, "secret");
        if is_in_flight {
            service.push();
        }
        for (sender, content, id) in WAYS {
            let mut restarted = restart(&service);
            revise(&mut restarted, sender, content, id);
            let push = restarted.push();
            assert_eq!((push.count(), push.body()), (1, IMPORTANT), "{content} {id}");
        }
        for (sender, content, id) in NO_WAYS {
            let mut restarted = restart(&service);
            revise(&mut restarted, sender, content, id);
            let push = restarted.push();
            assert_eq!((push.count(), push.body()), (2, Some("secret")), "{sender:?} {content} {id}");
        }
        let mut restarted = restart(&restart(&service));
        revise(&mut restarted, Some(ROMEO), CORRECT, "secret");
        retract(&mut restarted, "1");
        let push = restarted.push();
        assert_eq!((push.count(), push.body()), (1, Some("corrected")));
    }
}

#[test]
fn it_may_come_before_the_room_is_read() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "secret");
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore(&service.snapshot());
    retract(&mut restarted, "secret");
    restarted.read(ORCHARD, &[JULIET], &[]);
    restarted.assert_quiet("it was taken back");
}

#[test]
fn what_a_version_before_this_one_has_stored_is_pushed() {
    let mut service = Service::with_juliet(with_body());
    say(&mut service, "1");
    send(&mut service, ORCHARD, Some(ROMEO), "2", &format!("<body>2</body>{}", mention_of(JULIET)));
    let mut snapshot = service.snapshot();
    snapshot.messages.clear();
    for pending in
        snapshot.devices.iter_mut().flat_map(|it| &mut it.unread).filter_map(|it| it.pending.as_mut())
    {
        pending.places.clear();
        pending.mentions.clear();
    }
    let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
    restarted.restore(&snapshot);
    restarted.read(ORCHARD, &[JULIET], &[]);
    retract(&mut restarted, "2");
    let push = restarted.push();
    assert_eq!(
        (push.count(), push.body(), push.mentioned),
        (2, Some("2"), true),
        "nobody can tell which it was"
    );
}

#[test]
fn the_age_of_what_is_left_is_its_own() {
    for (time_to_live, is_told) in [(100.0, true), (50.0, false)] {
        let options = Options { time_to_live, ..with_body() };
        let mut service = Service::with_juliet(options);
        say(&mut service, "told");
        let push = service.push();
        say(&mut service, "1");
        service.wait(60.0);
        say(&mut service, "2");
        retract(&mut service, "2");
        assert_eq!(next(&mut service, &push).is_some(), is_told, "{time_to_live}");
    }
}

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
