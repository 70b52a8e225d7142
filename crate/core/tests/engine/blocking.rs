//! Blocking (XEP-0191): of what a user has blocked, the service, a room or an occupant, nothing is pushed to them, nor does it count.

use minidom::Element;
use muc_cloud_notify_core::{Instant, Options};
use muc_cloud_notify_testing::driver::{Bounce, Detail, Outcome};
use muc_cloud_notify_testing::names::{HALL, HOST, JULIET, NURSE, ORCHARD, PRIVATE, ROMEO};
use muc_cloud_notify_testing::service::{Service, nodes, with_body};
use muc_cloud_notify_testing::stanza::{mention_of, xml};

const BLOCKED_ROMEO: &str = "orchard@conference.example/romeo";

fn groupchat(room: &str, nick: &str, body: &str) -> Element {
    let content = format!(
        "<body>{body}</body>{}",
        if body.contains("Juliet") { mention_of(JULIET) } else { String::new() }
    );
    xml(&format!("<message type='groupchat' from='{room}/{nick}' id='{body}'>{content}</message>"))
}

/// Romeo says something under a nickname.
fn say_as_nick(service: &mut Service, room: &str, nick: &str, body: &str) -> usize {
    service.broadcast_stanza(room, Some(ROMEO), PRIVATE, &groupchat(room, nick, body))
}

/// The count and the text of the only push.
fn told(service: &mut Service) -> (u32, String) {
    let push = service.push();
    let told = (push.count(), push.body().unwrap_or_default().to_owned());
    service.reply(&push, Outcome::Delivered);
    told
}

#[test]
fn nothing_is_pushed_of_a_room_that_is_blocked_nor_of_one_whose_service_is() {
    for (blocked, of_orchard, of_hall) in [
        (&[][..], 1, 1),
        (&[ORCHARD][..], 0, 1),
        (&[HOST][..], 0, 0),
        (&["orchard@elsewhere.example", "elsewhere.example", "conference.example/desk"][..], 1, 1),
        (&[ORCHARD, HALL][..], 0, 0),
    ] {
        let mut service = Service::with_juliet(with_body());
        service.set_blocked(JULIET, blocked);
        assert_eq!(service.say(ORCHARD, "1"), of_orchard, "{blocked:?}");
        assert_eq!(service.say(HALL, "2"), of_hall, "{blocked:?}");
        assert_eq!(service.mention(ORCHARD, JULIET, "3"), of_orchard, "{blocked:?}");
    }
}

#[test]
fn nothing_is_pushed_of_what_a_blocked_occupant_says_whoever_they_mention() {
    let mut service = Service::with_juliet(with_body());
    service.set_blocked(JULIET, &[BLOCKED_ROMEO]);
    assert_eq!(say_as_nick(&mut service, ORCHARD, "romeo", "1"), 0);
    assert_eq!(say_as_nick(&mut service, ORCHARD, "romeo", "Juliet!"), 0);
    assert_eq!(say_as_nick(&mut service, ORCHARD, "Romeo", "2"), 1, "another nickname is another occupant");
    assert_eq!(say_as_nick(&mut service, HALL, "romeo", "3"), 1, "and so is one of another room");
    assert_eq!(told(&mut service), (2, "3".to_owned()));
}

#[test]
fn it_is_nothing_to_others() {
    let mut service = Service::with_juliet(with_body());
    service.enable(NURSE, "nurse");
    service.read(ORCHARD, &[JULIET, NURSE], &[]);
    service.set_blocked(JULIET, &[ORCHARD]);
    assert_eq!(service.say(ORCHARD, "1"), 1);
    assert_eq!(nodes(&service.pushes()), ["nurse"]);
}

#[test]
fn what_waits_is_dropped_and_what_is_told_of_other_rooms_does_not_count_it() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(HALL, "2");
    service.set_blocked(JULIET, &[ORCHARD]);
    assert_eq!(told(&mut service), (1, "2".to_owned()));
    service.say(ORCHARD, "3");
    service.say(HALL, "4");
    assert_eq!(told(&mut service), (2, "4".to_owned()));
}

#[test]
fn what_is_on_its_way_is_not_sent_again() {
    for outcome in [Outcome::Transient, Outcome::Silent] {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "1");
        let push = service.push();
        service.set_blocked(JULIET, &[ORCHARD]);
        service.reply(&push, outcome);
        service.wait(3600.0);
        service.assert_quiet("the room is blocked");
        assert_eq!(service.next_deadline(), None, "{outcome:?}");
    }
}

#[test]
fn later_messages_are_told_again_once_it_is_unblocked() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.set_blocked(JULIET, &[ORCHARD]);
    service.say(ORCHARD, "2");
    service.set_blocked(JULIET, &[]);
    service.assert_quiet("what was said meanwhile is not told");
    service.say(ORCHARD, "3");
    assert_eq!(told(&mut service), (1, "3".to_owned()));
}

#[test]
fn of_what_waits_only_what_the_blocked_occupant_has_said_is_dropped() {
    let mut service = Service::with_juliet(with_body());
    for (nick, body) in [("romeo", "1"), ("paris", "2"), ("romeo", "3"), ("romeo", "4")] {
        say_as_nick(&mut service, ORCHARD, nick, body);
    }
    service.set_blocked(JULIET, &[BLOCKED_ROMEO]);
    let (count, body) = told(&mut service);
    assert_eq!(count, 1);
    assert!(!["1", "3", "4"].contains(&&*body), "{body}");
    say_as_nick(&mut service, ORCHARD, "paris", "5");
    assert_eq!(told(&mut service), (2, "5".to_owned()));
}

#[test]
fn where_a_blocked_occupant_has_said_all_that_waits_nothing_is_told() {
    for messages in [1, 2, 40] {
        let mut service = Service::with_juliet(with_body());
        for number in 0..messages {
            say_as_nick(&mut service, ORCHARD, "romeo", &number.to_string());
        }
        service.set_blocked(JULIET, &[BLOCKED_ROMEO]);
        let left = service.pushes();
        // Of more than are known it is not known whose they were.
        assert_eq!(left.len(), usize::from(messages > 33), "{left:?}");
    }
}

#[test]
fn bounces_of_what_is_blocked_are_not_told() {
    for (blocked, expected) in
        [(&[][..], 1), (&[ORCHARD][..], 0), (&[HOST][..], 0), (&[BLOCKED_ROMEO][..], 0), (&[HALL][..], 1)]
    {
        let mut service = Service::with_juliet(with_body());
        service.read(ORCHARD, &[JULIET], &[(JULIET, "juliet")]);
        let message = groupchat(ORCHARD, "romeo", "1");
        assert_eq!(service.broadcast_stanza(ORCHARD, Some(ROMEO), PRIVATE, &message), 0);
        service.set_blocked(JULIET, blocked);
        let bounce = Bounce {
            room: ORCHARD,
            user: JULIET,
            gone_nick: Some("juliet"),
            sender: Some(ROMEO),
            reply_author: None,
            message: Some(&message),
            message_key: "1",
            sent: Some(Instant::from_seconds(service.now)),
            privacy: PRIVATE,
            keep_original: false,
        };
        assert_eq!(service.handle_bounce(bounce), expected, "{blocked:?}");
    }
}

#[test]
fn it_holds_for_other_devices_and_ends_with_the_last_one() {
    let mut service = Service::with_juliet(with_body());
    service.set_blocked(JULIET, &[ORCHARD]);
    service.enable(JULIET, "tablet");
    assert_eq!(service.say(ORCHARD, "1"), 0);
    service.disable(JULIET, None);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.say(ORCHARD, "2"), 1, "whoever registers tells anew");
}

#[test]
fn what_the_last_run_has_left_is_dropped_too() {
    for blocked in [ORCHARD, BLOCKED_ROMEO] {
        let mut service = Service::with_juliet(with_body());
        say_as_nick(&mut service, ORCHARD, "romeo", "1");
        say_as_nick(&mut service, HALL, "romeo", "2");
        let mut restarted = Service::restarted(5.0, with_body(), service.store.clone());
        for part in service.snapshot_parts(10, Detail::Words) {
            restarted.restore(&part);
        }
        restarted.set_blocked(JULIET, &[blocked]);
        restarted.read(ORCHARD, &[JULIET], &[]);
        restarted.read(HALL, &[JULIET], &[]);
        assert_eq!(told(&mut restarted), (1, "2".to_owned()), "{blocked}");
    }
}

#[test]
fn in_a_large_room_it_counts_from_the_moment_on() {
    let mut service = Service::with_juliet(Options { members_at_once: 1, ..with_body() });
    let others: Vec<String> = (0..5).map(|number| format!("user{number}@capulet.example")).collect();
    for other in &others {
        service.enable(other, other);
    }
    let members: Vec<&str> = others.iter().map(String::as_str).chain([JULIET]).collect();
    service.read(ORCHARD, &members, &[]);
    service.say(ORCHARD, "1");
    service.set_blocked(JULIET, &[ORCHARD]);
    service.say(ORCHARD, "2");
    while service.spread() {}
    let pushed = service.pushes();
    assert_eq!(nodes(&pushed).len(), 5, "{pushed:?}");
    assert!(!nodes(&pushed).contains(&"phone"));
    assert!(pushed.iter().all(|push| push.count() == 2));
}

#[test]
fn nothing_is_known_of_users_without_a_device() {
    let mut service = Service::new(with_body());
    service.set_blocked(JULIET, &[ORCHARD]);
    service.enable(JULIET, "phone");
    service.read(ORCHARD, &[JULIET], &[]);
    assert_eq!(service.say(ORCHARD, "1"), 1);
}
