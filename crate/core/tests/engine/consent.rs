//! Consent: what members get who were made that by somebody else.

use muc_cloud_notify_core::{DefaultLevel, Options};
use muc_cloud_notify_testing::driver::Scope;
use muc_cloud_notify_testing::driver::{Bounce, Outcome};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PRIVATE};
use muc_cloud_notify_testing::service::{ALL, Service, with_body};
use muc_cloud_notify_testing::stanza::groupchat;

const HOUR: f64 = 3600.0;

fn options() -> Options {
    Options { with_sender: true, ..with_body() }
}

/// Juliet, who has a device, was made a member of both rooms. The nurse, who has one too, has consented to that.
fn service() -> Service {
    let mut service = Service::new(options());
    service.enable(JULIET, "juliet");
    service.enable(NURSE, "nurse");
    for room in [ORCHARD, HALL] {
        service.set_members_without_consent(room, [(JULIET, None), (NURSE, None)], [JULIET]);
        service.set_occupants(room, []);
    }
    service
}

/// What is told to whom now, by their nodes, and answered.
fn told(service: &mut Service) -> Vec<(String, Option<String>, bool)> {
    let pushes = service.take_pushes(ALL, Scope::AllRooms);
    let mut told: Vec<_> = pushes
        .iter()
        .map(|push| {
            let node = push.node.as_deref().unwrap_or_default().to_owned();
            (node, push.body().map(str::to_owned), push.summary.last_message_sender.is_some())
        })
        .collect();
    pushes.iter().for_each(|push| drop(service.reply(push, Outcome::Delivered)));
    told.sort();
    told
}

fn in_full(node: &str, body: &str) -> (String, Option<String>, bool) {
    (node.to_owned(), Some(body.to_owned()), true)
}

fn without_words(node: &str) -> (String, Option<String>, bool) {
    (node.to_owned(), Some("New Message!".to_owned()), false)
}

#[test]
fn without_consent_mentions_alone_are_pushed_and_say_nothing() {
    let mut service = service();
    assert_eq!(service.say(ORCHARD, "Buy this!"), 1);
    assert_eq!(told(&mut service), [in_full("nurse", "Buy this!")]);
    assert_eq!(service.mention(ORCHARD, JULIET, "Buy this!"), 2);
    assert_eq!(told(&mut service), [without_words("juliet"), in_full("nurse", "Buy this!")]);
}

#[test]
fn other_modules_do_not_see_the_message_either() {
    let mut service = service();
    service.mention(ORCHARD, JULIET, "Buy this!");
    let pushes = service.pushes();
    let of = |node: &str| pushes.iter().find(|push| push.node.as_deref() == Some(node)).unwrap();
    assert!(of("juliet").judged_by.as_ref().unwrap().original.is_none());
    assert!(of("juliet").mentioned);
    assert!(of("nurse").judged_by.as_ref().unwrap().original.is_some());
}

#[test]
fn there_is_one_mention_an_hour_for_a_room_and_three_a_day_in_all() {
    let mut service = service();
    let mention = |service: &mut Service, room| {
        service.mention(room, JULIET, "Buy this!");
        told(service).contains(&without_words("juliet"))
    };
    assert!(mention(&mut service, ORCHARD));
    assert!(!mention(&mut service, ORCHARD));
    assert!(mention(&mut service, HALL));
    service.wait(HOUR - 1.0);
    assert!(!mention(&mut service, ORCHARD));
    service.wait(1.0);
    assert!(mention(&mut service, ORCHARD));
    assert!(!mention(&mut service, HALL));
    service.wait(22.0 * HOUR);
    assert!(!mention(&mut service, HALL));
    service.wait(HOUR);
    assert!(mention(&mut service, HALL), "two are a day old");
    assert!(mention(&mut service, ORCHARD));
    assert!(!mention(&mut service, ORCHARD));
}

#[test]
fn a_mention_that_was_too_much_is_not_pushed_later_nor_counted() {
    let mut service = service();
    for _ in 0..5 {
        service.mention(ORCHARD, JULIET, "Buy this!");
        told(&mut service);
    }
    service.read(HALL, &[JULIET], &[]);
    service.say(HALL, "Come home.");
    let pushes = service.pushes();
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0].count(), 2, "one of each room");
}

#[test]
fn who_enters_has_consented() {
    let mut service = service();
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    service.say(ORCHARD, "But soft!");
    service.say(HALL, "Buy this!");
    let told = told(&mut service);
    assert!(told.contains(&in_full("juliet", "But soft!")), "{told:?}");
}

#[test]
fn who_was_there_when_the_room_is_read_has_consented() {
    let mut service = service();
    service.set_occupants(ORCHARD, [(JULIET, "Juliet")]);
    service.occupant_gone(ORCHARD, JULIET, "Juliet");
    assert_eq!(service.say(ORCHARD, "But soft!"), 2);
}

#[test]
fn another_fact_of_the_membership_says_whether_there_is_consent() {
    let mut service = service();
    service.affiliation_changed(ORCHARD, JULIET, true, Some("Juliet"));
    assert_eq!(service.say(ORCHARD, "But soft!"), 2);
    service.affiliation_changed(HALL, JULIET, false, None);
    service.made_member(HALL, JULIET);
    service.set_occupants(HALL, []);
    assert_eq!(service.say(HALL, "Buy this!"), 1);
    service.read(HALL, &[JULIET, NURSE], &[]);
    assert_eq!(service.say(HALL, "But soft!"), 2);
}

#[test]
fn who_was_sent_a_message_was_there() {
    let mut service = service();
    let message = groupchat(ORCHARD, "<body>But soft!</body>");
    let bounce = Bounce {
        room: ORCHARD,
        user: JULIET,
        gone_nick: None,
        sender: None,
        reply_author: None,
        message: Some(&message),
        message_key: "m1",
        sent: None,
        privacy: PRIVATE,
        keep_original: false,
    };
    assert_eq!(service.handle_bounce(bounce), 1);
    assert_eq!(told(&mut service), [in_full("juliet", "But soft!")]);
    assert_eq!(service.say(ORCHARD, "He speaks."), 2);
}

#[test]
fn a_correction_says_no_more_than_what_it_corrects() {
    let mut service = service();
    let mention = |body: &str, more: &str| {
        format!(
            "<body>{body}</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{JULIET}'/>{more}"
        )
    };
    let romeo = Some(muc_cloud_notify_testing::names::ROMEO);
    service.broadcast(ORCHARD, romeo, PRIVATE, &mention("hello", ""));
    // That of every message here.
    let replace = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
    service.broadcast(ORCHARD, romeo, PRIVATE, &mention("Buy this!", replace));
    assert_eq!(told(&mut service), [without_words("juliet"), in_full("nurse", "Buy this!")]);
}

#[test]
fn nothing_is_pushed_where_nothing_is_wanted() {
    let mut service = service();
    service.configure(Options { default_level: DefaultLevel::Never, ..options() });
    assert_eq!(service.mention(ORCHARD, JULIET, "Buy this!"), 0);
    service.configure(options());
    assert_eq!(service.mention(ORCHARD, JULIET, "Buy this!"), 2, "it did not count");
}
