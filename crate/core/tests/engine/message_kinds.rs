//! Is a message worth a push? Not every message says something that an absent member wants to hear.
//!
//! The kinds of messages are in a fixture that the specs read too.

use std::collections::HashSet;

use minidom::Element;
use muc_cloud_notify_core::Message;
use muc_cloud_notify_testing::names::{ORCHARD, PRIVATE};
use muc_cloud_notify_testing::service::{Service, with_body};
use muc_cloud_notify_testing::stanza::xml;

const FIXTURE: &str = include_str!("../fixtures/message_kinds.xml");

/// A kind of message of the fixture.
struct Kind {
    name: String,
    is_important: bool,
    message: Element,
}

impl Kind {
    fn read(element: &Element) -> Self {
        let mut message = xml(&format!("<message type='groupchat' from='{ORCHARD}/Romeo' id='1'/>"));
        for child in element.children() {
            message.append_child(child.clone());
        }
        let push = element.attr("push");
        assert!(matches!(push, Some("yes" | "no")), "push is yes or no, not {push:?}");
        Kind {
            name: element.attr("name").expect("a name").to_owned(),
            is_important: push == Some("yes"),
            message,
        }
    }
}

/// All kinds of the fixture.
fn kinds() -> Vec<Kind> {
    let fixture = xml(&FIXTURE.replace("{room}", ORCHARD));
    let sections = fixture.children().filter(|child| child.name() == "section");
    let kinds: Vec<Kind> = sections.flat_map(Element::children).map(Kind::read).collect();
    assert!(!kinds.is_empty(), "the fixture has kinds of messages");
    kinds
}

#[test]
fn every_kind_of_message_is_worth_a_push_or_not() {
    let wrong: Vec<String> = kinds()
        .into_iter()
        .filter(|kind| Message::read(&kind.message, ORCHARD).is_important() != kind.is_important)
        .map(|kind| format!("{} {}", kind.name, String::from(&kind.message)))
        .collect();
    assert!(wrong.is_empty(), "judged otherwise: {wrong:#?}");
}

#[test]
fn every_kind_of_message_has_a_name_of_its_own() {
    let mut names = HashSet::new();
    for Kind { name, .. } in kinds() {
        assert!(name.ends_with('.'), "{name} is a sentence");
        assert!(!names.contains(&name), "{name} is there once");
        names.insert(name);
    }
}

const BODY: &str = "<body>But soft!</body>";

#[test]
fn a_type() {
    for (expected, attribute) in [
        (true, "type='groupchat'"),
        (false, "type='chat'"),
        (false, "type='normal'"),
        (false, "type='headline'"),
        (false, "type='error'"),
        (false, ""),
    ] {
        let message = xml(&format!("<message {attribute}>{BODY}</message>"));
        assert_eq!(Message::read(&message, ORCHARD).is_important(), expected, "{attribute}");
    }
}

#[test]
fn what_is_not_worth_a_push_is_not_counted_either() {
    let mut service = Service::with_juliet(with_body());
    let correction = "<body>But, soft!</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, correction), 0);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, "<subject>Balcony</subject>"), 0);
    service.assert_quiet("neither is told");
    assert_eq!(service.say(ORCHARD, "But soft!"), 1);
    assert_eq!(service.broadcast(ORCHARD, None, PRIVATE, correction), 0);
    let push = service.push();
    assert_eq!((push.count(), push.body()), (1, Some("But soft!")));
}
