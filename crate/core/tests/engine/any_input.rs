//! Properties that hold for whatever a client may send and whatever is stored.

use minidom::Element;
use muc_cloud_notify_core::{Broadcast, Options, Record};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::{JULIET, ORCHARD, PRIVATE, PUBLIC};
use muc_cloud_notify_testing::seeds::config;
use muc_cloud_notify_testing::service::Service;
use muc_cloud_notify_testing::stanza::{enable_iq, iq};
use proptest::prelude::*;
use rxml::NcName;

const NAMES: [&str; 28] = [
    "enable",
    "disable",
    "x",
    "field",
    "value",
    "body",
    "subject",
    "thread",
    "encrypted",
    "payload",
    "encryption",
    "replace",
    "retract",
    "moderated",
    "apply-to",
    "reactions",
    "delay",
    "reference",
    "reply",
    "fallback",
    "no-store",
    "message",
    "iq",
    "url",
    "file-sharing",
    "media-sharing",
    "openpgp",
    "a",
];
const NAMESPACES: [&str; 18] = [
    "jabber:client",
    "urn:xmpp:push:0",
    "jabber:x:data",
    "urn:xmpp:reference:0",
    "urn:xmpp:reply:0",
    "urn:xmpp:fallback:0",
    "urn:xmpp:delay",
    "urn:xmpp:hints",
    "urn:xmpp:omemo:2",
    "urn:xmpp:eme:0",
    "urn:xmpp:message-correct:0",
    "urn:xmpp:message-retract:1",
    "urn:xmpp:feature-fallback:0",
    "urn:xmpp:openpgp:0",
    "urn:xmpp:sfs:0",
    "urn:xmpp:sims:1",
    "jabber:x:oob",
    "urn:a",
];
const ATTRIBUTES: [&str; 14] = [
    "jid",
    "node",
    "type",
    "var",
    "from",
    "to",
    "id",
    "uri",
    "begin",
    "start",
    "end",
    "for",
    "stamp",
    "include_payload",
];
const VALUES: [&str; 16] = [
    "submit",
    "groupchat",
    "mention",
    "FORM_TYPE",
    "push.example",
    "conference.example",
    "orchard@conference.example",
    "xmpp:juliet@capulet.example",
    "xmpp:orchard@conference.example/Juliet",
    "-1",
    "0",
    "3",
    "18446744073709551615",
    "http://jabber.org/protocol/pubsub#publish-options",
    "urn:xmpp:reply:0",
    "",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-zA-Z@/.:%0-9äß\u{1f44b}\u{301} >\n]{0,20}",
    ]
}

fn attributes() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    proptest::collection::vec((proptest::sample::select(&ATTRIBUTES[..]), value()), 0..5)
}

fn build(name: &str, namespace: &str, attributes: Vec<(&str, String)>, children: Vec<Element>) -> Element {
    let mut element = Element::builder(name, namespace).append_all(children).build();
    for (name, value) in attributes {
        set(&mut element, name, Some(&value));
    }
    element
}

fn set(element: &mut Element, name: &str, value: Option<&str>) {
    element.set_attr(rxml::Namespace::NONE, NcName::try_from(name).expect("a name"), value);
}

/// Any element, most often of names that mean something.
fn element() -> impl Strategy<Value = Element> {
    let name = || (proptest::sample::select(&NAMES[..]), proptest::sample::select(&NAMESPACES[..]));
    let leaf = (name(), attributes(), value()).prop_map(|((name, namespace), attributes, text)| {
        let mut leaf = build(name, namespace, attributes, Vec::new());
        leaf.append_text(text);
        leaf
    });
    leaf.prop_recursive(12, 64, 6, move |child| {
        (name(), attributes(), proptest::collection::vec(child, 0..6)).prop_map(
            |((name, namespace), attributes, children)| build(name, namespace, attributes, children),
        )
    })
}

/// An element with this name around whatever it may hold.
fn around(name: &'static str, namespace: &'static str) -> impl Strategy<Value = Element> {
    (attributes(), proptest::collection::vec(element(), 0..5))
        .prop_map(move |(attributes, children)| build(name, namespace, attributes, children))
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn any_enable_is_registered_or_refused(payload in around("enable", "urn:xmpp:push:0")) {
        let iq = Element::builder("iq", "jabber:client").append(payload.clone()).build();
        let engine = Driver::starting_at(0.0, Options::default());
        match engine.prepare_enable(JULIET, &iq, Record::default()) {
            Ok(change) => {
                prop_assert_eq!(change.record.registrations.len(), 1);
                let registration = &change.record.registrations[0];
                prop_assert_eq!(change.added.as_ref(), Some(&registration.push_identifier().into()));
                prop_assert!(registration.publish_options.as_ref().is_none_or(|form| payload.children().any(|child| *child == form.element())));
                let mut disable = Element::builder("disable", "urn:xmpp:push:0").build();
                for (name, value) in [("jid", payload.attr("jid")), ("node", payload.attr("node"))] {
                    set(&mut disable, name, value);
                }
                let iq = Element::builder("iq", "jabber:client").append(disable).build();
                prop_assert!(engine.prepare_disable(&iq, change.record).is_ok_and(|change| change.record.is_empty()));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty() && !error.condition().is_empty()),
        }
    }

    #[test]
    fn any_disable_leaves_or_removes(payload in around("disable", "urn:xmpp:push:0")) {
        let engine = Driver::starting_at(0.0, Options::default());
        let record = engine.prepare_enable(JULIET, &enable_iq("push.example", "0"), Record::default()).expect("a record").record;
        let iq = Element::builder("iq", "jabber:client").append(payload).build();
        match engine.prepare_disable(&iq, record.clone()) {
            Ok(change) => prop_assert_eq!(change.record.registrations.len() + change.removed, 1),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_iq_is_taken(iq in element()) {
        let engine = Driver::starting_at(0.0, Options::default());
        let enabled = engine.prepare_enable(JULIET, &iq, Record::default());
        prop_assert!(enabled.is_err() || iq.has_child("enable", "urn:xmpp:push:0"));
        let disabled = engine.prepare_disable(&iq, Record::default());
        prop_assert!(disabled.is_err() || iq.has_child("disable", "urn:xmpp:push:0"));
    }

    #[test]
    fn any_message_is_told_or_not(mut message in around("message", "jabber:client"), public in any::<bool>(), body in value()) {
        set(&mut message, "type", Some("groupchat"));
        message.append_child(Element::builder("body", "jabber:client").append(body.as_str()).build());
        let mut service = Service::with_juliet(Options { with_body: true, with_sender: true, ..Options::default() });
        let privacy = if public { PUBLIC } else { PRIVATE };
        let broadcast = Broadcast { room: ORCHARD, sender: None, reply_author: None, message: &message, privacy, keep_original: true, present: &[] };
        let told = service.handle_message(broadcast);
        let pushes = service.pushes();
        prop_assert_eq!(pushes.len(), told);
        for push in pushes {
            prop_assert!(push.mentioned || !public);
            prop_assert_eq!(push.app_server.as_str(), "push.example");
        }
    }
}

/// App server, node, and whether it is enabled or disabled; without a node the whole app server.
type Request = (usize, Option<usize>, bool);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    proptest::collection::vec((0..3_usize, proptest::option::of(0..4_usize), any::<bool>()), 0..30)
}

fn apply(engine: &mut Driver, record: Record, (app_server, node, enable): Request, now: f64) -> Record {
    let name = if enable { "enable" } else { "disable" };
    let node = node.map_or_else(String::new, |node| format!("node='{node}'"));
    let iq = iq(&format!("<{name} xmlns='urn:xmpp:push:0' jid='push{app_server}.example' {node}/>"));
    engine.now = now;
    let change = match enable {
        true => engine.prepare_enable(JULIET, &iq, record),
        false => engine.prepare_disable(&iq, record),
    };
    change.expect("a request in order").record
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_record_never_holds_more_than_it_may(requests in requests(), max_devices in 1..6_usize) {
        let mut engine = Driver::starting_at(0.0, Options { max_devices, ..Options::default() });
        let mut record = Record::default();
        for (request, now) in requests.into_iter().zip(0_u8..) {
            record = apply(&mut engine, record, request, f64::from(now));
            prop_assert!(record.registrations.len() <= max_devices);
            let mut keys: Vec<_> = record.registrations.iter().map(|it| it.push_identifier()).collect();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), record.registrations.len(), "each device once");
            let key = format!("push{}.example<{}", request.0, request.1.map_or_else(String::new, |node| node.to_string()));
            let is_there = record.registrations.iter().any(|it| it.push_identifier() == key);
            prop_assert_eq!(is_there, request.2, "the last request wins");
        }
    }

    #[test]
    fn what_is_disabled_leaves_nothing(requests in requests()) {
        let mut engine = Driver::starting_at(0.0, Options::default());
        let record = requests.into_iter().zip(0_u8..).fold(Record::default(), |record, (request, now)| {
            apply(&mut engine, record, request, f64::from(now))
        });
        let empty = (0..3).fold(record, |record, app_server| apply(&mut engine, record, (app_server, None, false), 0.0));
        prop_assert!(empty.is_empty());
    }
}
