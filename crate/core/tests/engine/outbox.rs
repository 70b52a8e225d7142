//! The outbox: one publish in flight per device, everything else merges into the next one.

use muc_cloud_notify_core::Options;
use muc_cloud_notify_testing::driver::{Handling, Outcome, Scope};
use muc_cloud_notify_testing::names::{HALL, JULIET, NURSE, ORCHARD, PUSHER};
use muc_cloud_notify_testing::service::{ALL, Service, nodes, with_body};
use muc_cloud_notify_testing::stanza::iq;

#[test]
fn an_idle_device_is_pushed_at_once() {
    let mut service = Service::with_juliet(with_body());
    assert_eq!(service.next_deadline(), None, "there is nothing to be done");
    service.say(ORCHARD, "But soft!");
    assert!(service.next_deadline().is_some_and(|at| at <= service.now));
    let push = service.push();
    assert_eq!((&*push.user, push.node.as_deref()), (JULIET, Some("phone")));
    assert_eq!((push.app_server.as_str(), push.node.as_deref()), (PUSHER, Some("phone")));
    assert_eq!((push.count(), push.body()), (1, Some("But soft!")));
    assert!(!push.mentioned);
    assert_eq!(push.judged_by.as_ref().map(|content| &*content.room), Some(ORCHARD));
    assert_eq!(service.stats().in_flight, 1);

    service.reply(&push, Outcome::Delivered);
    assert_eq!(service.stats().in_flight, 0);
    service.assert_quiet("everything was pushed");
}

#[test]
fn what_comes_in_meanwhile_merges_into_one() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let first = service.push();
    for body in ["2", "3", "4"] {
        service.say(ORCHARD, body);
        service.assert_quiet("one is in flight");
    }
    assert_eq!(service.stats().in_flight, 1);
    assert_eq!(service.reply(&first, Outcome::Delivered), Handling::Taken);
    let second = service.push();
    assert_eq!((second.count(), second.body()), (4, Some("4")));
    assert_ne!(first.id, second.id);
}

#[test]
fn what_comes_in_before_the_turn_merges_too() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.say(ORCHARD, "2");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
}

#[test]
fn the_newest_message_of_all_rooms_speaks_for_them() {
    for (case, rooms) in [("last in the orchard", [HALL, ORCHARD]), ("last in the hall", [ORCHARD, HALL])] {
        let mut service = Service::with_juliet(with_body());
        service.say(ORCHARD, "0");
        service.say(rooms[0], "1");
        service.say(rooms[1], "2");
        let push = service.push();
        assert_eq!((push.count(), push.body()), (3, Some("2")), "{case}");
        assert_eq!(push.judged_by.as_ref().map(|content| &*content.room), Some(rooms[1]), "{case}");
    }
}

#[test]
fn a_mention_is_kept_when_it_merges() {
    let mut service = Service::with_juliet(with_body());
    service.mention(ORCHARD, JULIET, "1");
    service.say(ORCHARD, "2");
    service.say(HALL, "3");
    let push = service.push();
    assert!(push.mentioned);
    assert_eq!(push.body(), Some("3"), "though the newest message speaks");
    service.say(ORCHARD, "4");
    service.reply(&push, Outcome::Delivered);
    assert!(!service.push().mentioned, "it was pushed before");
}

#[test]
fn devices_do_not_wait_for_each_other() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    service.say(ORCHARD, "1");
    let pushes = service.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    service.say(ORCHARD, "2");
    let tablet = pushes.iter().find(|push| push.node.as_deref() == Some("tablet"));
    service.reply(tablet.unwrap(), Outcome::Delivered);
    let push = service.push();
    assert_eq!((push.node.as_deref(), push.count()), (Some("tablet"), 2));
}

#[test]
fn a_turn_hands_out_no_more_than_its_limit() {
    let mut service = Service::new(Options::default());
    let users: Vec<String> = (0..10).map(|n| format!("user{n}@capulet.example")).collect();
    for user in &users {
        service.enable(user, "phone");
    }
    service.read(ORCHARD, &users.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(service.say(ORCHARD, "But soft!"), 10);
    let mut sent = Vec::new();
    for expected in [4, 4, 2, 0] {
        let more = service.next_deadline().is_some_and(|at| at <= service.now);
        assert_eq!(more, expected > 0);
        let pushes = service.take_pushes(4, Scope::AllRooms);
        assert_eq!(pushes.len(), expected);
        sent.extend(pushes.into_iter().map(|push| push.user));
    }
    sent.sort_unstable();
    sent.dedup();
    assert_eq!(sent.len(), 10, "each is pushed once");
}

#[test]
fn a_device_that_is_disabled_gets_nothing_more() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    service.disable(JULIET, Some("phone"));
    service.assert_quiet("neither what was queued");

    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    service.say(ORCHARD, "2");
    service.disable(JULIET, None);
    service.reply(&push, Outcome::Transient);
    service.wait(1e6);
    service.assert_quiet("nor what was to be retried");
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(service.next_deadline(), None);
}

#[test]
fn a_publish_to_a_device_that_is_gone_is_forgotten_when_its_answer_is_overdue() {
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    service.push();
    service.disable(JULIET, None);
    service.wait(120.0);
    service.assert_quiet("there is nobody to push to");
    assert_eq!(service.stats().in_flight, 0);
    assert_eq!(service.next_deadline(), None);
}

#[test]
fn a_device_that_is_pushed_out_by_a_newer_one_gets_nothing_more() {
    let mut service = Service::with_juliet(Options { max_devices: 1, ..Options::default() });
    service.say(ORCHARD, "1");
    service.wait(1.0);
    assert!(!service.enable(JULIET, "tablet"), "Juliet was registered all the time");
    service.assert_quiet("what was pending for the old one is not for the new one");
    service.say(ORCHARD, "2");
    let push = service.push();
    assert_eq!((push.node.as_deref(), push.count()), (Some("tablet"), 1));
    assert_eq!(service.stats().devices, 1);
}

#[test]
fn what_is_registered_again_is_used_from_the_next_push_on() {
    let form = |secret: &str| {
        iq(&format!(
            "<enable xmlns='urn:xmpp:push:0' jid='{PUSHER}' node='phone'><x xmlns='jabber:x:data' type='submit'>\
            <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
            <field var='secret'><value>{secret}</value></field></x></enable>"
        ))
    };
    let mut service = Service::with_juliet(Options::default());
    service.say(ORCHARD, "1");
    let first = service.push();
    assert_eq!(first.publish_options, None);
    service.say(ORCHARD, "2");
    service.request_enable(JULIET, &form("new")).unwrap();
    service.assert_quiet("the first one is still in flight");
    assert_eq!(service.reply(&first, Outcome::Delivered), Handling::Taken);
    let second = service.push();
    assert_eq!(second.count(), 2, "what is unread is not forgotten");
    assert!(second.publish_options.is_some_and(|form| String::from(&form.element()).contains(">new<")));
}

#[test]
fn a_withdrawn_push_is_not_sent_again_but_counts() {
    let mut service = Service::with_juliet(with_body());
    service.say(ORCHARD, "1");
    let push = service.push();
    service.withdraw(&push.id);
    assert_eq!(service.stats().in_flight, 0);
    service.wait(1e6);
    service.assert_quiet("it was withdrawn");
    assert_eq!(service.reply(&push, Outcome::Delivered), Handling::Unknown);
    service.say(ORCHARD, "2");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (2, Some("2")));
    service.say(ORCHARD, "3");
    service.withdraw(&push.id);
    assert_eq!(service.push().body(), Some("3"), "what came in meanwhile is next");
}

#[test]
fn a_ping_goes_to_every_device_of_a_user_without_a_message() {
    let mut service = Service::with_juliet(with_body());
    service.enable(JULIET, "tablet");
    service.enable(NURSE, "nurse");
    assert_eq!(service.handle_ping("romeo@montague.example"), 0, "he has no device");
    assert_eq!(service.handle_ping(JULIET), 2);
    assert_eq!(service.handle_ping(JULIET), 2, "a second one merges");
    let pushes = service.pushes();
    assert_eq!(nodes(&pushes), ["phone", "tablet"]);
    for push in &pushes {
        assert_eq!((push.count(), push.body()), (0, None));
        assert!(push.judged_by.is_none() && !push.mentioned);
        service.reply(push, Outcome::Delivered);
    }
    service.assert_quiet("it was delivered");
}

#[test]
fn a_ping_merges_with_a_message_and_is_retried_like_one() {
    let mut service = Service::with_juliet(with_body());
    service.handle_ping(JULIET);
    service.say(ORCHARD, "1");
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("1")));
    service.occupant_present(ORCHARD, JULIET, "Juliet");
    service.reply(&push, Outcome::Transient);
    service.wait(10.0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (0, None), "what is left is the ping");
    service.reply(&push, Outcome::Delivered);
    service.wait(1e6);
    assert!(service.take_pushes(ALL, Scope::AllRooms).is_empty());
}
