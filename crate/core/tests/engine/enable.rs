//! `<enable/>` (XEP-0357, section 5): what is registered, and what is refused with which error.

use muc_cloud_notify_core::{
    EnableFacts, ErrorType, MAX_FORM_DEPTH, MAX_FORM_SIZE, MAX_INCLUDE_PAYLOAD, MAX_NODE, Options,
    PublishOptions, Record, Registration, RequestError, UnixTime,
};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::{HOST, JULIET, ORCHARD};
use muc_cloud_notify_testing::stanza::{enable_iq, iq, xml};

const FORM_TYPE: &str =
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>";
const SECRET: &str = "<field var='secret'><value>eruio234vzxc2kla-91</value></field>";

fn form(fields: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

/// What Juliet gets for an `<enable/>` with these attributes and children.
fn enable_with(options: Options, attributes: &str, children: &str) -> Result<Registration, RequestError> {
    let iq = iq(&format!("<enable xmlns='urn:xmpp:push:0' {attributes}>{children}</enable>"));
    let change = Driver::starting_at(7.0, options).prepare_enable(JULIET, &iq, Record::default())?;
    assert_eq!(change.removed, 0);
    assert_eq!(change.record.registrations.len(), 1);
    let registration = change.record.registrations[0].clone();
    assert_eq!(change.added.as_deref(), Some(&*registration.push_identifier()));
    assert_eq!(registration.timestamp, UnixTime::from_seconds(7.0));
    Ok(registration)
}

fn enable(attributes: &str, children: &str) -> Result<Registration, RequestError> {
    enable_with(Options::default(), attributes, children)
}

#[test]
fn registers_app_server_node_and_form() {
    let registration =
        enable("jid='push.example' node='phone'", &form(&format!("{FORM_TYPE}{SECRET}"))).unwrap();
    assert_eq!(&*registration.push_identifier(), "push.example<phone");
    assert_eq!(registration.app_server.as_str(), "push.example");
    assert_eq!(registration.node.as_deref(), Some("phone"));
    let expected = xml(&form(&format!("{FORM_TYPE}{SECRET}")));
    assert_eq!(registration.publish_options.as_ref().map(PublishOptions::element), Some(expected));
    assert_eq!(registration.extra_fields(), []);
}

#[test]
fn needs_neither_node_nor_form() {
    for (case, attributes) in
        [("no node", "jid='push.example'"), ("empty node", "jid='push.example' node=''")]
    {
        let registration = enable(attributes, "").unwrap();
        assert_eq!(&*registration.push_identifier(), "push.example<", "{case}");
        assert_eq!(registration.node, None, "{case}");
        assert_eq!(registration.publish_options, None, "{case}");
    }
}

#[test]
fn keeps_include_payload_for_the_store() {
    let registration = enable("jid='push.example' include_payload='true'", "").unwrap();
    assert_eq!(registration.extra_fields(), [("include_payload".into(), "true".into())]);
}

#[test]
fn accepts_include_payload_up_to_the_limit() {
    let attributes = |length: usize| format!("jid='push.example' include_payload='{}'", "t".repeat(length));
    assert!(enable(&attributes(MAX_INCLUDE_PAYLOAD), "").is_ok());
    for length in [MAX_INCLUDE_PAYLOAD + 1, 4000] {
        let error = enable(&attributes(length), "").unwrap_err();
        assert_eq!(error, RequestError::LongIncludePayload(MAX_INCLUDE_PAYLOAD));
        assert_eq!((error.error_type(), error.condition()), (ErrorType::Modify, "policy-violation"));
    }
}

#[test]
fn refuses_with_an_error_that_says_what_to_do() {
    let long_node = format!("jid='push.example' node='{}'", "n".repeat(MAX_NODE + 1));
    let large_form =
        form(&format!("{FORM_TYPE}<field var='s'><value>{}</value></field>", "v".repeat(MAX_FORM_SIZE)));
    let deep_form = form(&format!("{FORM_TYPE}{}", nested(MAX_FORM_DEPTH + 1)));
    let plain_form = form(SECRET);
    for (case, attributes, children, error_type, condition, text) in [
        ("no jid", "node='phone'", "", ErrorType::Modify, "bad-request", "'jid'"),
        ("no JID", "jid='@'", "", ErrorType::Modify, "jid-malformed", "'jid'"),
        ("empty jid", "jid=''", "", ErrorType::Modify, "jid-malformed", "'jid'"),
        ("own address", "jid='conference.example'", "", ErrorType::Cancel, "not-allowed", "yourself"),
        ("long node", &*long_node, "", ErrorType::Modify, "policy-violation", "1024"),
        ("no FORM_TYPE", "jid='push.example'", &*plain_form, ErrorType::Modify, "bad-request", "FORM_TYPE"),
        ("large form", "jid='push.example'", &*large_form, ErrorType::Modify, "policy-violation", "8192"),
        ("deep form", "jid='push.example'", &*deep_form, ErrorType::Modify, "policy-violation", "8 levels"),
    ] {
        let error = enable(attributes, children).expect_err(case);
        assert_eq!((error.error_type(), error.condition()), (error_type, condition), "{case}");
        assert!(error.to_string().contains(text), "{case}: {error}");
    }
}

#[test]
fn refuses_an_iq_without_enable() {
    let engine = Driver::new(Options::default());
    for payload in [
        "",
        "<enable xmlns='urn:xmpp:push:1' jid='push.example'/>",
        "<disable xmlns='urn:xmpp:push:0' jid='push.example'/>",
    ] {
        let error = engine.prepare_enable(JULIET, &iq(payload), Record::default());
        assert_eq!(error, Err(RequestError::MissingAppServer), "{payload}");
    }
}

#[test]
fn refuses_them_whatever_dots_end_their_domain() {
    // Of several dots the server takes away one.
    let enable = |app_server: &str| {
        let engine = Driver::new(Options::default());
        let facts =
            EnableFacts { user: JULIET, app_server: Some(app_server), is_local: false, is_member: true };
        let iq = enable_iq(app_server, "node");
        engine.prepare_enable_with(&facts, &iq, Record::default()).map(|_| ())
    };
    for (own, other) in [
        ("conference.example./push", "push.example./push"),
        ("conference.example...", "conference.example.test."),
        ("orchard@conference.example..", "orchard@push.example.."),
        ("juliet@capulet.example.", "nurse@capulet.example."),
    ] {
        assert_eq!((enable(own), enable(other)), (Err(RequestError::OwnAddress), Ok(())), "{own}");
    }
}

#[test]
fn refuses_the_service_its_rooms_and_the_user_as_app_server() {
    for (case, jid) in [
        ("the service", HOST),
        ("the service, otherwise spelled", "Conference.EXAMPLE"),
        ("a resource of the service", "conference.example/push"),
        ("a room", ORCHARD),
        ("an occupant", "orchard@conference.example/Juliet"),
        ("the user", JULIET),
        ("the user, otherwise spelled", "Juliet@Capulet.Example"),
        ("a session of the user", "juliet@capulet.example/phone"),
    ] {
        assert_eq!(enable(&format!("jid='{jid}'"), ""), Err(RequestError::OwnAddress), "{case}");
    }
    for (case, jid) in [
        ("the user's server", "capulet.example"),
        ("another user", "nurse@capulet.example"),
        ("a component below the service", "push.conference.example"),
        ("the server above the service", "example"),
        ("a domain that ends alike", "myconference.example"),
        ("the service's name as a resource", "push.example/conference.example"),
    ] {
        assert!(enable(&format!("jid='{jid}'"), "").is_ok(), "{case}");
    }
}

#[test]
fn refuses_what_the_operator_does_not_allow() {
    let options = |allowed: &[&str]| Options {
        app_servers: Some(allowed.iter().map(|&jid| jid.to_owned()).collect()),
        ..Options::default()
    };
    for (case, allowed, jid, is_allowed) in [
        ("a listed domain", &["a.example", "Push.Example"][..], "push.example", true),
        ("a JID of a listed domain", &["push.example"], "pusher@push.example/a", true),
        ("a listed bare JID", &["pusher@push.example"], "pusher@push.example", true),
        ("a resource of a listed bare JID", &["pusher@push.example"], "pusher@push.example/a", true),
        ("a listed full JID", &["push.example/a"], "push.example/a", true),
        ("the domain of a listed bare JID", &["pusher@push.example"], "push.example", false),
        ("the bare JID of a listed full one", &["push.example/a"], "push.example", false),
        ("a domain below a listed one", &["push.example"], "evil.push.example", false),
        ("a domain that ends alike", &["push.example"], "evilpush.example", false),
        ("a listed domain as resource", &["push.example"], "evil.example/push.example", false),
        ("anything, where nothing is listed", &[], "push.example", false),
    ] {
        let registered = enable_with(options(allowed), &format!("jid='{jid}'"), "");
        match registered {
            Ok(_) => assert!(is_allowed, "{case}"),
            Err(error) => {
                assert!(!is_allowed, "{case}");
                assert_eq!((error.error_type(), error.condition()), (ErrorType::Auth, "forbidden"), "{case}");
            }
        }
    }
}

#[test]
fn accepts_a_node_up_to_the_limit() {
    let attributes = |length: usize| format!("jid='push.example' node='{}'", "n".repeat(length));
    let registration = enable(&attributes(MAX_NODE), "").unwrap();
    assert_eq!(registration.node.unwrap().len(), MAX_NODE);
    assert_eq!(enable(&attributes(MAX_NODE + 1), ""), Err(RequestError::LongNode(MAX_NODE)));
    let umlauts = format!("jid='push.example' node='{}'", "ü".repeat(MAX_NODE / 2 + 1));
    assert_eq!(enable(&umlauts, ""), Err(RequestError::LongNode(MAX_NODE)), "it is bytes that count");
}

fn nested(depth: usize) -> String {
    format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))
}
